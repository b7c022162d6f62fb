/* test/unit/test_external.c - s2s/external.c: which names prove a domain; PKIX and DANE verdicts (PEERS 31)
 */
#include "s2s/external.h"

#include "test/unit/cert_world.h"
#include <gnutls/crypto.h>

#define BUECHER                                                                                              \
    "b\xC3\xBC"                                                                                              \
    "cher.example"

static void names_prove_domains(void **state)
{
    static const struct {
        enum peercert_kind kind;
        const char *name, *domain;
        bool proves;
    } cases[] = {
        { PEERCERT_DNS, "one.example", "one.example", true },
        { PEERCERT_DNS, "ONE.Example", "one.example", true },
        { PEERCERT_DNS, "one.example", "a.one.example", false },
        { PEERCERT_DNS, "a.one.example", "one.example", false },
        { PEERCERT_DNS, "one.example.", "one.example", false },
        { PEERCERT_DNS, "localhost", "localhost", true },
        { PEERCERT_DNS, "xn--bcher-kva.example", BUECHER, true },
        { PEERCERT_DNS, BUECHER, BUECHER, false }, /* dNSName holds A-labels: RFC 5280 7.2 */
        /* RFC 6125 6.4.3 */
        { PEERCERT_DNS, "*.one.example", "a.one.example", true },
        { PEERCERT_DNS, "*.ONE.example", "a.one.example", true },
        { PEERCERT_DNS, "*.one.example", "xn--a.one.example", false }, /* not a domain */
        { PEERCERT_DNS, "*.one.example", BUECHER, false },
        { PEERCERT_DNS, "*.one.example", "one.example", false },
        { PEERCERT_DNS, "*.one.example", "b.a.one.example", false }, /* PEERS 31: two levels */
        { PEERCERT_DNS, "*.*.one.example", "b.a.one.example", false },
        { PEERCERT_DNS, "a.*.example", "a.one.example", false },
        { PEERCERT_DNS, "a*.one.example", "ab.one.example", false },
        { PEERCERT_DNS, "*a.one.example", "ba.one.example", false },
        { PEERCERT_DNS, "**.one.example", "a.one.example", false },
        { PEERCERT_DNS, "*.example", "one.example", false },
        { PEERCERT_DNS, "*.", "one.example", false },
        { PEERCERT_DNS, "*", "one", false },
        { PEERCERT_DNS, "*..example", "one..example", false },
        { PEERCERT_DNS, "192.0.2.1", "192.0.2.1", false },
        { PEERCERT_DNS, "*.0.2.1", "192.0.2.1", false },
        { PEERCERT_DNS, "[2001:db8::1]", "[2001:db8::1]", false },
        /* RFC 6120 13.7.1.2.1 */
        { PEERCERT_SRV, "_xmpp-server.one.example", "one.example", true },
        { PEERCERT_SRV, "_XMPP-Server.One.example", "one.example", true },
        { PEERCERT_SRV, "_xmpp-server.xn--bcher-kva.example", BUECHER, true },
        { PEERCERT_SRV, "_xmpp-client.one.example", "one.example", false },
        { PEERCERT_SRV, "_xmpp-server.two.example", "one.example", false },
        { PEERCERT_SRV, "_xmpp-server.*.example", "one.example", false },
        { PEERCERT_SRV, "_xmpp-server.", "one.example", false },
        { PEERCERT_SRV, "one.example", "one.example", false },
        { PEERCERT_DNS, "_xmpp-server.one.example", "one.example", false },
        /* RFC 6120 13.7.1.4 */
        { PEERCERT_XMPPADDR, "one.example", "one.example", true },
        { PEERCERT_XMPPADDR, "One.EXAMPLE", "one.example", true },
        { PEERCERT_XMPPADDR, BUECHER, BUECHER, true },
        { PEERCERT_XMPPADDR, "two.example", "one.example", false }, /* PEERS 31 */
        { PEERCERT_XMPPADDR, "romeo@one.example", "one.example", false },
        { PEERCERT_XMPPADDR, "one.example/x", "one.example", false },
        { PEERCERT_XMPPADDR, "*.example", "one.example", false },
        { PEERCERT_XMPPADDR, "", "one.example", false },
    };
    struct cert_world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct peercert_name names[] = { { PEERCERT_DNS, SLICE_INIT("other.example") },
                                               { cases[i].kind, slice_cstr(cases[i].name) } };
        if (external_names_prove(w->a, names, 2, slice_cstr(cases[i].domain)) != cases[i].proves)
            fail_msg("%s for %s: not %d", cases[i].name, cases[i].domain, cases[i].proves);
    }
    assert_false(external_names_prove(w->a, NULL, 0, SLICE("one.example")));
}

static struct external_peer peer_of(const struct slice *chain, size_t n, const char *domain)
{
    return (struct external_peer){ .chain = chain, .chain_n = n, .domain = slice_cstr(domain) };
}

static void pkix(struct cert_world *w, const struct peercert_trust *trust, const struct external_peer *peer,
                 enum rc rc, const char *named)
{
    struct why why = { "" };
    enum rc got = external_pkix(w->a, trust, peer, &why);
    if (got != rc || !strstr(why.text, named))
        fail_msg("%s: %s (%s)", rc_name(got), why.text, named);
}

static void pkix_wants_chain_and_name(void **state)
{
    struct cert_world *w = *state;
    struct external_peer peer = peer_of(w->chain, 2, "one.example");
    pkix(w, w->trust, &peer, RC_OK, "");
    pkix(w, NULL, &peer, RC_DENIED, "no CA is trusted");
    peer.domain = SLICE("two.example");
    pkix(w, w->trust, &peer, RC_DENIED, "is for one.example, not for two.example"); /* another name */
    peer.host = SLICE("one.example"); /* to which DNSSEC says that two.example points */
    pkix(w, w->trust, &peer, RC_OK, "");
    peer.host = SLICE("three.example");
    pkix(w, w->trust, &peer, RC_DENIED, "not for two.example");
    peer = peer_of(w->chain, 0, "one.example");
    pkix(w, w->trust, &peer, RC_NOTFOUND, "no certificate");
    peer = peer_of(w->chain, 1, "one.example");
    pkix(w, w->trust, &peer, RC_DENIED, "not trusted");
}

static void a_common_name_is_none(void **state) /* PEERS 31 */
{
    struct cert_world *w = *state;
    struct cert c = cert_make(w->a, &(struct cert_spec){ .cn = "one.example", .issuer = &w->root });
    struct external_peer peer = peer_of(&c.der, 1, "one.example");
    pkix(w, w->trust, &peer, RC_DENIED, "is for nobody, not for one.example");
    cert_free(&c);
}

static void
the_right_name_on_a_wrong_certificate(void **state) /* PEERS 31: expired, 200 certificates, another purpose */
{
    struct cert_world *w = *state;
    struct slice chain[200];
    struct cert old = cert_make(
        w->a, &(struct cert_spec){
                  .issuer = &w->root, .dns = { "one.example" }, .from_s = -CERT_DAY_S, .to_s = -60 });
    struct cert client = cert_make(w->a, &(struct cert_spec){ .issuer = &w->root,
                                                              .cn = "c",
                                                              .xmpp = { "one.example" },
                                                              .purpose = GNUTLS_KP_TLS_WWW_CLIENT });
    struct external_peer peer = peer_of(&old.der, 1, "one.example");
    pkix(w, w->trust, &peer, RC_DENIED, "expired");
    peer = peer_of(&client.der, 1, "one.example");
    pkix(w, w->trust, &peer, RC_DENIED, "purpose");
    peer.purpose = PEERCERT_CLIENT;
    pkix(w, w->trust, &peer, RC_OK, "");
    for (size_t i = 0; i < 200; i++)
        chain[i] = i ? w->chain[1] : w->chain[0];
    peer = peer_of(chain, 200, "one.example");
    pkix(w, w->trust, &peer, RC_LIMIT, "more than 10");
    cert_free(&old);
    cert_free(&client);
}

/* --- DANE --- */

static struct slice digest(struct arena *a, gnutls_digest_algorithm_t algorithm, struct slice bytes)
{
    char out[64];
    assert_int_equal(gnutls_hash_fast(algorithm, bytes.p, bytes.len, out), 0);
    return arena_copy(a, slice_of(out, gnutls_hash_get_len(algorithm)));
}

static struct dns_tlsa tlsa(struct arena *a, uint8_t usage, uint8_t matching, struct slice der)
{
    struct slice data =
        matching == 0 ? der : digest(a, matching == 1 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA512, der);
    return (struct dns_tlsa){ usage, 0, matching, data };
}

static void dane(struct cert_world *w, const struct peercert_trust *trust, const struct external_peer *peer,
                 const struct dns_tlsa *records, size_t n, enum rc rc, uint8_t usage)
{
    struct external_dane out = { 99, 99, 99 };
    struct why why = { "" };
    enum rc got = external_dane(w->a, trust, peer, records, n, &out, &why);
    if (got != rc || (rc == RC_OK && out.usage != usage) || (rc != RC_OK && !why.text[0]))
        fail_msg("%s, usage %u: %s", rc_name(got), out.usage, why.text);
}

static void dane_ee_is_the_certificate_itself(void **state) /* RFC 7671 5.1 */
{
    struct cert_world *w = *state;
    struct cert old = cert_make(
        w->a,
        &(struct cert_spec){ .cn = "x", .dns = { "other.example" }, .from_s = -CERT_DAY_S, .to_s = -60 });
    struct external_peer peer = peer_of(&old.der, 1, "one.example");
    struct dns_tlsa records[] = { tlsa(w->a, 3, 1, w->leaf.der), tlsa(w->a, 3, 1, old.der) };
    dane(w, NULL, &peer, records, 2, RC_OK, 3); /* expired, self-signed, for another name */
    dane(w, NULL, &peer, records, 1, RC_DENIED, 0);
    records[0] = tlsa(w->a, 3, 0, old.der);
    dane(w, NULL, &peer, records, 1, RC_OK, 3);
    records[0] = tlsa(w->a, 3, 2, old.der);
    dane(w, NULL, &peer, records, 1, RC_OK, 3);
    peer = peer_of(w->chain, 3, "one.example");
    records[0] = tlsa(w->a, 3, 1, w->mid.der); /* its CA is not itself */
    dane(w, NULL, &peer, records, 1, RC_DENIED, 0);
    peer.chain_n = 0;
    dane(w, NULL, &peer, records, 1, RC_NOTFOUND, 0);
    cert_free(&old);
}

static void dane_ta_is_a_ca_of_the_chain(void **state) /* RFC 7671 5.2 */
{
    struct cert_world *w = *state;
    const struct slice beside[] = { w->chain[0], w->chain[1], w->other.der };
    struct external_peer peer = peer_of(w->chain, 3, "one.example");
    struct dns_tlsa mid = tlsa(w->a, 2, 1, w->mid.der), root = tlsa(w->a, 2, 2, w->root.der),
                    other = tlsa(w->a, 2, 1, w->other.der), leaf = tlsa(w->a, 2, 1, w->leaf.der);
    dane(w, NULL, &peer, &mid, 1, RC_OK, 2);
    dane(w, NULL, &peer, &root, 1, RC_OK, 2);
    dane(w, NULL, &peer, &other, 1, RC_DENIED, 0);
    dane(w, NULL, &peer, &leaf, 1, RC_DENIED, 0); /* no CA */
    peer.domain = SLICE("two.example");
    dane(w, NULL, &peer, &mid, 1, RC_DENIED, 0); /* names count */
    peer.host = SLICE("one.example");
    dane(w, NULL, &peer, &mid, 1, RC_OK, 2); /* RFC 7673 4: that of the host will do */
    peer = peer_of(beside, 3, "one.example");
    dane(w, NULL, &peer, &other, 1, RC_DENIED, 0); /* sent, but not what the leaf hangs on */
    peer = peer_of(w->chain, 1, "one.example");
    dane(w, NULL, &peer, &mid, 1, RC_DENIED, 0); /* not sent */
}

static void pkix_usages_want_pkix_too(void **state) /* RFC 6698 2.1.1 */
{
    struct cert_world *w = *state;
    struct external_peer peer = peer_of(w->chain, 3, "one.example");
    struct dns_tlsa ee = tlsa(w->a, 1, 1, w->leaf.der), ta = tlsa(w->a, 0, 1, w->mid.der),
                    other = tlsa(w->a, 0, 1, w->other.der);
    struct peercert_trust *stranger = cert_trust(&w->other, NULL);
    dane(w, w->trust, &peer, &ee, 1, RC_OK, 1);
    dane(w, w->trust, &peer, &ta, 1, RC_OK, 0);
    dane(w, NULL, &peer, &ee, 1, RC_DENIED, 0);
    dane(w, stranger, &peer, &ee, 1, RC_DENIED, 0);
    dane(w, stranger, &peer, &ta, 1, RC_DENIED, 0);
    dane(w, w->trust, &peer, &other, 1, RC_DENIED, 0);
    peer.domain = SLICE("two.example");
    dane(w, w->trust, &peer, &ee, 1, RC_DENIED, 0);
    dane(w, w->trust, &peer, &ta, 1, RC_DENIED, 0);
    peercert_trust_free(&stranger);
}

static void records_of_no_use_are_as_none(void **state) /* RFC 7671 4.1, 10.1.1 */
{
    struct cert_world *w = *state;
    struct external_peer peer = peer_of(w->chain, 3, "one.example");
    struct dns_tlsa good = tlsa(w->a, 3, 1, w->leaf.der);
    struct dns_tlsa bad[] = { good, good, good, good, good };
    bad[0].usage = 4;
    bad[1].selector = 2;
    bad[2].matching = 3;
    bad[3].data = slice_to(good.data, 31);
    bad[4].matching = 2; /* with the data of SHA-256 */
    dane(w, NULL, &peer, bad, 5, RC_UNSUPPORTED, 0);
    dane(w, NULL, &peer, NULL, 0, RC_UNSUPPORTED, 0);
    bad[4] = good;
    dane(w, NULL, &peer, bad, 5, RC_OK, 3);
}

static void the_strongest_digest_counts(void **state) /* RFC 7671 9 */
{
    struct cert_world *w = *state;
    struct external_peer peer = peer_of(w->chain, 3, "one.example");
    struct dns_tlsa records[] = { tlsa(w->a, 3, 1, w->leaf.der), tlsa(w->a, 3, 2, w->other.der) };
    dane(w, NULL, &peer, records, 2, RC_DENIED, 0);
    records[1].usage = 2; /* of another usage: nothing to do with it */
    dane(w, NULL, &peer, records, 2, RC_OK, 3);
    records[1] = tlsa(w->a, 3, 0, w->other.der); /* is no digest */
    dane(w, NULL, &peer, records, 2, RC_OK, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_prove_domains, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(pkix_wants_chain_and_name, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(a_common_name_is_none, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(the_right_name_on_a_wrong_certificate, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(dane_ee_is_the_certificate_itself, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(dane_ta_is_a_ca_of_the_chain, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(pkix_usages_want_pkix_too, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(records_of_no_use_are_as_none, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(the_strongest_digest_counts, cert_setup, cert_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
