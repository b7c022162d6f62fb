/* test/unit/test_peercert.c - common/net/peercert.c: names, chains, revocation, purposes, pinned keys (PEERS
 * 31) */
#include "common/net/peercert.h"

#include "test/unit/cert_world.h"
#include <gnutls/crypto.h>

/* --- names --- */

static void names_are_those_of_the_extension_alone(void **state)
{
    static const struct {
        enum peercert_kind kind;
        const char *text;
    } expected[] = { { PEERCERT_DNS, "one.example" },
                     { PEERCERT_DNS, "*.one.example" },
                     { PEERCERT_SRV, "_xmpp-server.one.example" },
                     { PEERCERT_XMPPADDR, "b\xC3\xBC"
                                          "cher.example" } };
    struct cert_world *w = *state;
    struct peercert_name names[8];
    size_t n;
    struct cert c = cert_make(w->a, &(struct cert_spec){ .cn = "cn.example",
                                                         .dns = { "one.example", "*.one.example" },
                                                         .srv = { "_xmpp-server.one.example" },
                                                         .xmpp = { expected[3].text } });
    assert_int_equal(peercert_names(w->a, c.der, names, 8, &n), RC_OK);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(names[i].kind, expected[i].kind);
        assert_true(slice_is(names[i].text, expected[i].text));
    }
    assert_int_equal(peercert_names(w->a, c.der, names, 2, &n), RC_OK);
    assert_int_equal(n, 2);
    cert_free(&c);
    c = cert_make(w->a, &(struct cert_spec){ .cn = "cn.example" });
    assert_int_equal(peercert_names(w->a, c.der, names, 8, &n), RC_OK);
    assert_int_equal(n, 0);
    cert_free(&c);
}

static void names_with_nul_are_left_out(void **state) /* PEERS 31 */
{
    struct cert_world *w = *state;
    struct peercert_name names[8];
    size_t n;
    struct cert c =
        cert_make(w->a, &(struct cert_spec){ .dns = { "one.example#.evil.example", "two.example" },
                                             .srv = { "_xmpp-server.one.example#" },
                                             .xmpp = { "one.example#" } });
    char *der = arena_cstr(w->a, c.der);
    for (size_t i = 0; i < c.der.len; i++) {
        if (i > 1 && der[i] == '#' && der[i - 1] == 'e')
            der[i] = '\0';
    }
    assert_int_equal(peercert_names(w->a, slice_of(der, c.der.len), names, 8, &n), RC_OK);
    assert_int_equal(n, 1);
    assert_true(slice_is(names[0].text, "two.example"));
    cert_free(&c);
}

static void what_is_no_certificate_has_no_names(void **state)
{
    struct cert_world *w = *state;
    struct peercert_name names[8];
    size_t n = 7;
    assert_int_equal(peercert_names(w->a, SLICE(""), names, 8, &n), RC_SYNTAX);
    assert_int_equal(n, 0);
    assert_int_equal(peercert_names(w->a, SLICE("\60\3\1\1\1"), names, 8, &n), RC_SYNTAX);
    assert_int_equal(peercert_names(w->a, slice_to(w->leaf.der, 100), names, 8, &n), RC_SYNTAX);
    assert_int_equal(peercert_names(w->a, slice_of(arena_zero(w->a, 70000), 70000), names, 8, &n), RC_SYNTAX);
}

/* --- chains --- */

static void accepted(struct cert_world *w, const struct slice *chain, size_t n, enum peercert_purpose purpose)
{
    struct why why = { "" };
    if (peercert_verify(w->trust, chain, n, purpose, &why) != RC_OK)
        fail_msg("%s", why.text);
}

static void refused(struct cert_world *w, const struct slice *chain, size_t n, enum peercert_purpose purpose,
                    enum rc rc, const char *named)
{
    struct why why = { "" };
    enum rc got = peercert_verify(w->trust, chain, n, purpose, &why);
    if (got != rc || !strstr(why.text, named))
        fail_msg("%s: %s (%s)", rc_name(got), why.text, named);
}

static void a_chain_leads_to_a_trusted_ca(void **state)
{
    struct cert_world *w = *state;
    const struct slice mixed[] = { w->chain[0], w->other.der, w->chain[2], w->chain[1] };
    accepted(w, w->chain, 3, PEERCERT_SERVER);
    accepted(w, w->chain, 2, PEERCERT_SERVER);
    accepted(w, mixed, 4, PEERCERT_SERVER); /* in another order, with one that does not belong */
    refused(w, w->chain, 1, PEERCERT_SERVER, RC_DENIED, "not trusted");
    struct cert self = cert_make(w->a, &(struct cert_spec){ .cn = "leaf", .dns = { "one.example" } });
    refused(w, &self.der, 1, PEERCERT_SERVER, RC_DENIED, "not trusted");
    struct cert forged =
        cert_make(w->a, &(struct cert_spec){ .cn = "x", .issuer = &self, .dns = { "one.example" } });
    struct slice no_ca[] = { forged.der, self.der };
    refused(w, no_ca, 2, PEERCERT_SERVER, RC_DENIED, "not accepted");
    struct cert below =
        cert_make(w->a, &(struct cert_spec){ .cn = "y", .issuer = &w->leaf, .dns = { "two.example" } });
    struct slice by_leaf[] = { below.der, w->chain[0], w->chain[1] };
    refused(w, by_leaf, 3, PEERCERT_SERVER, RC_DENIED, "no CA");
    cert_free(&self);
    cert_free(&forged);
    cert_free(&below);
}

static void times_count(void **state) /* PEERS 31: expired */
{
    struct cert_world *w = *state;
    struct cert old =
        cert_make(w->a, &(struct cert_spec){ .issuer = &w->root, .from_s = -2 * CERT_DAY_S, .to_s = -60 });
    struct cert early = cert_make(
        w->a, &(struct cert_spec){ .issuer = &w->root, .from_s = CERT_DAY_S, .to_s = 2 * CERT_DAY_S });
    refused(w, &old.der, 1, PEERCERT_SERVER, RC_DENIED, "expired");
    refused(w, &early.der, 1, PEERCERT_SERVER, RC_DENIED, "not valid yet");
    cert_free(&old);
    cert_free(&early);
}

static void purposes_count(void **state)
{
    static const struct {
        const char *purpose;
        bool server, client;
    } cases[] = {
        { NULL, true, true },
        { GNUTLS_KP_TLS_WWW_SERVER, true, true },
        { GNUTLS_KP_TLS_WWW_CLIENT, false, true },
        { GNUTLS_KP_EMAIL_PROTECTION, false, false },
    };
    struct cert_world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cert c = cert_make(
            w->a, &(struct cert_spec){ .cn = "c", .issuer = &w->root, .purpose = cases[i].purpose });
        if (cases[i].server)
            accepted(w, &c.der, 1, PEERCERT_SERVER);
        else
            refused(w, &c.der, 1, PEERCERT_SERVER, RC_DENIED, "purpose");
        if (cases[i].client)
            accepted(w, &c.der, 1, PEERCERT_CLIENT);
        else
            refused(w, &c.der, 1, PEERCERT_CLIENT, RC_DENIED, "purpose");
        cert_free(&c);
    }
}

static void weak_keys_are_refused(void **state)
{
    struct cert_world *w = *state;
    struct cert weak =
        cert_make(w->a, &(struct cert_spec){ .cn = "weak", .issuer = &w->root, .rsa_bits = 1024 });
    struct cert good =
        cert_make(w->a, &(struct cert_spec){ .cn = "good", .issuer = &w->root, .rsa_bits = 2048 });
    refused(w, &weak.der, 1, PEERCERT_SERVER, RC_DENIED, "weak");
    accepted(w, &good.der, 1, PEERCERT_SERVER);
    cert_free(&weak);
    cert_free(&good);
}

static void revoked_ones_are_refused(void **state)
{
    struct cert_world *w = *state;
    char path[64];
    struct cert revoked = cert_make(w->a, &(struct cert_spec){ .cn = "r", .issuer = &w->root });
    struct cert good = cert_make(w->a, &(struct cert_spec){ .cn = "g", .issuer = &w->root });
    snprintf(path, sizeof path, "/tmp/test_peercert.%d.crl", (int)getpid());
    assert_true(peercert_crl_until_ms(w->trust) == INT64_MAX);
    peercert_trust_free(&w->trust);
    cert_crl(path, &w->root, &revoked, CERT_DAY_S);
    w->trust = cert_trust(&w->root, path);
    refused(w, &revoked.der, 1, PEERCERT_SERVER, RC_DENIED, "revoked");
    accepted(w, &good.der, 1, PEERCERT_SERVER);
    accepted(w, w->chain, 2, PEERCERT_SERVER);
    assert_true(peercert_crl_until_ms(w->trust) > clock_wall_ms());
    peercert_trust_free(&w->trust);
    cert_crl(path, &w->root, &w->mid, CERT_DAY_S); /* the CA in between */
    w->trust = cert_trust(&w->root, path);
    refused(w, w->chain, 2, PEERCERT_SERVER, RC_DENIED, "revoked");
    peercert_trust_free(&w->trust);
    cert_crl(path, &w->root, &revoked, -60);
    w->trust = cert_trust(&w->root, path);
    refused(w, &revoked.der, 1, PEERCERT_SERVER, RC_DENIED, "revoked"); /* still */
    accepted(w, &good.der, 1, PEERCERT_SERVER);
    assert_true(peercert_crl_until_ms(w->trust) < clock_wall_ms());
    unlink(path);
    cert_free(&revoked);
    cert_free(&good);
}

/* --- which of the CAs --- */

static void trust_all(struct cert_world *w, const struct cert *cas, size_t n, const char *crl)
{
    peercert_trust_free(&w->trust);
    w->trust = cert_trust_all(cas, n, crl);
}

static void cas_of_one_name_are_all_tried(void **state)
{
    struct cert_world *w = *state;
    struct cert cas[3], leaf[3];
    for (size_t i = 0; i < 3; i++) {
        cas[i] = cert_make(w->a, &(struct cert_spec){ .cn = "Same", .ca = true, .key_ids = true });
        leaf[i] = cert_make(w->a, &(struct cert_spec){ .cn = "leaf", .issuer = &cas[i], .key_ids = true });
    }
    trust_all(w, cas, 2, NULL);
    accepted(w, &leaf[0].der, 1, PEERCERT_SERVER);
    accepted(w, &leaf[1].der, 1, PEERCERT_SERVER);
    refused(w, &leaf[2].der, 1, PEERCERT_SERVER, RC_DENIED, "not accepted");
    for (size_t i = 0; i < 3; i++) {
        cert_free(&cas[i]);
        cert_free(&leaf[i]);
    }
}

/* One CA key, with its own certificate (which we trust) and one by another CA, which the peer sends. */
static void a_cross_signed_chain_leads_to_either_ca(void **state)
{
    struct cert_world *w = *state;
    struct cert own = cert_make(w->a, &(struct cert_spec){ .cn = "Cross", .ca = true });
    struct cert crossed =
        cert_make(w->a, &(struct cert_spec){ .cn = "Cross", .ca = true, .issuer = &w->root, .key = &own });
    struct cert leaf = cert_make(w->a, &(struct cert_spec){ .cn = "leaf", .issuer = &own });
    const struct slice chain[] = { leaf.der, crossed.der, w->root.der };
    const struct cert both[] = { w->other, own, w->root };
    trust_all(w, both, 2, NULL); /* the root is not known */
    accepted(w, chain, 1, PEERCERT_SERVER);
    accepted(w, chain, 2, PEERCERT_SERVER);
    accepted(w, chain, 3, PEERCERT_SERVER);
    trust_all(w, &w->root, 1, NULL); /* the root alone */
    refused(w, chain, 1, PEERCERT_SERVER, RC_DENIED, "not trusted");
    accepted(w, chain, 2, PEERCERT_SERVER);
    accepted(w, chain, 3, PEERCERT_SERVER);
    trust_all(w, both, 3, NULL);
    accepted(w, chain, 1, PEERCERT_SERVER);
    accepted(w, chain, 3, PEERCERT_SERVER);
    trust_all(w, &w->other, 1, NULL);
    refused(w, chain, 3, PEERCERT_SERVER, RC_DENIED, "not trusted");
    trust_all(w, &crossed, 1, NULL); /* one in between */
    accepted(w, chain, 1, PEERCERT_SERVER);
    accepted(w, chain, 2, PEERCERT_SERVER);
    accepted(w, chain, 3, PEERCERT_SERVER);
    cert_free(&own);
    cert_free(&crossed);
    cert_free(&leaf);
}

static void what_is_no_ca_can_be_trusted_itself(void **state)
{
    struct cert_world *w = *state;
    struct cert below = cert_make(w->a, &(struct cert_spec){ .cn = "y", .issuer = &w->leaf });
    const struct slice by_leaf[] = { below.der, w->leaf.der };
    trust_all(w, &w->leaf, 1, NULL);
    accepted(w, w->chain, 1, PEERCERT_SERVER);
    refused(w, by_leaf, 1, PEERCERT_SERVER, RC_DENIED, "no CA");
    refused(w, by_leaf, 2, PEERCERT_SERVER, RC_DENIED, "no CA");
    trust_all(w, &w->mid, 1, NULL);
    accepted(w, w->chain, 1, PEERCERT_SERVER);
    accepted(w, w->chain, 2, PEERCERT_SERVER);
    accepted(w, w->chain, 3, PEERCERT_SERVER);
    cert_free(&below);
}

static void of_many_cas_the_right_one_counts(void **state)
{
    enum { MANY = 150, RIGHT = 77 };
    struct cert_world *w = *state;
    struct cert cas[MANY];
    char cn[32], path[64];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(cn, sizeof cn, "Authority %zu", i);
        cas[i] = cert_make(
            w->a, &(struct cert_spec){ .cn = cn, .ca = true, .key = i && i != RIGHT ? &cas[0] : NULL });
    }
    struct cert leaf = cert_make(w->a, &(struct cert_spec){ .cn = "leaf", .issuer = &cas[RIGHT] });
    struct cert revoked = cert_make(w->a, &(struct cert_spec){ .cn = "r", .issuer = &cas[RIGHT] });
    struct cert wrong = cert_make(
        w->a, &(struct cert_spec){ .cn = cn, .ca = true, .key = &w->other }); /* by name the last of them */
    struct cert forged = cert_make(w->a, &(struct cert_spec){ .cn = "f", .issuer = &wrong });
    const struct slice with_ca[] = { forged.der, wrong.der };
    trust_all(w, cas, MANY, NULL);
    accepted(w, &leaf.der, 1, PEERCERT_SERVER);
    accepted(w, &revoked.der, 1, PEERCERT_SERVER);
    refused(w, w->chain, 3, PEERCERT_SERVER, RC_DENIED, "not trusted");
    refused(w, with_ca, 2, PEERCERT_SERVER, RC_DENIED, "not accepted");
    snprintf(path, sizeof path, "/tmp/test_peercert.%d.crl", (int)getpid());
    cert_crl(path, &cas[RIGHT], &revoked, CERT_DAY_S);
    trust_all(w, cas, MANY, path);
    accepted(w, &leaf.der, 1, PEERCERT_SERVER);
    refused(w, &revoked.der, 1, PEERCERT_SERVER, RC_DENIED, "revoked");
    refused(w, &revoked.der, 1, PEERCERT_SERVER, RC_DENIED, "revoked"); /* every time */
    trust_all(w, cas, RIGHT, NULL);                                     /* all before it */
    refused(w, &leaf.der, 1, PEERCERT_SERVER, RC_DENIED, "not trusted");
    unlink(path);
    for (size_t i = 0; i < MANY; i++)
        cert_free(&cas[i]);
    cert_free(&leaf);
    cert_free(&revoked);
    cert_free(&wrong);
    cert_free(&forged);
}

static void chains_have_a_limit(void **state) /* PEERS 31: 200 certificates */
{
    struct cert_world *w = *state;
    struct slice chain[200];
    for (size_t i = 0; i < 200; i++)
        chain[i] = i == 0 ? w->chain[0] : w->chain[1];
    refused(w, chain, 200, PEERCERT_SERVER, RC_LIMIT, "more than 10");
    refused(w, chain, PEERCERT_CHAIN_MAX + 1, PEERCERT_SERVER, RC_LIMIT, "more than 10");
    accepted(w, chain, PEERCERT_CHAIN_MAX, PEERCERT_SERVER);
    refused(w, chain, 0, PEERCERT_SERVER, RC_SYNTAX, "empty");
    chain[1] = SLICE("\60\0");
    refused(w, chain, 2, PEERCERT_SERVER, RC_SYNTAX, "certificate 1");
}

static void one_of_the_chain_can_be_the_anchor(void **state) /* RFC 7671 5.2 */
{
    struct cert_world *w = *state;
    const struct slice beside[] = { w->chain[0], w->chain[1], w->other.der };
    struct why why = { "" };
    assert_int_equal(peercert_verify_under(w->chain, 3, 1, PEERCERT_SERVER, &why), RC_OK);
    assert_int_equal(peercert_verify_under(w->chain, 3, 2, PEERCERT_SERVER, &why), RC_OK);
    assert_int_equal(peercert_verify_under(beside, 3, 2, PEERCERT_SERVER, &why), RC_DENIED);
    assert_int_equal(peercert_verify_under(w->chain, 3, 0, PEERCERT_SERVER, &why), RC_DENIED);
    assert_int_equal(peercert_verify_under(w->chain, 3, 3, PEERCERT_SERVER, &why), RC_DENIED);
    const struct slice by_leaf[] = { w->chain[1], w->chain[0] };
    assert_int_equal(peercert_verify_under(by_leaf, 2, 1, PEERCERT_SERVER, &why), RC_DENIED);
}

static void trust_that_is_none_is_told(void **state)
{
    struct peercert_trust *t = NULL;
    struct cert_world *w = *state;
    struct why why = { "" };
    assert_int_equal(peercert_trust_new(&(struct peercert_conf){ "/nonexistent.pem", NULL }, &t, &why),
                     RC_IO);
    assert_non_null(strstr(why.text, "/nonexistent.pem"));
    assert_int_equal(peercert_trust_new(&(struct peercert_conf){ NULL, "/nonexistent.crl" }, &t, &why),
                     RC_IO);
    assert_non_null(strstr(why.text, "/nonexistent.crl"));
    assert_int_equal(peercert_trust_new(&(struct peercert_conf){ "/etc/passwd", NULL }, &t, &why), RC_IO);
    assert_null(t);
    assert_int_equal(peercert_trust_new(&(struct peercert_conf){ NULL, NULL }, &t, &why), RC_OK);
    assert_int_equal(peercert_verify(t, w->chain, 3, PEERCERT_SERVER, &why),
                     RC_DENIED); /* nobody is trusted */
    peercert_trust_free(&t);
}

/* --- pinned --- */

static struct slice digest(struct arena *a, gnutls_digest_algorithm_t algorithm, struct slice bytes)
{
    char out[64];
    assert_int_equal(gnutls_hash_fast(algorithm, bytes.p, bytes.len, out), 0);
    return arena_copy(a, slice_of(out, gnutls_hash_get_len(algorithm)));
}

static void certificates_and_keys_match_their_digests(void **state) /* RFC 6698 2.1 */
{
    static const char p256[] =
        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"; /* how such a key begins */
    enum { P256_BYTES = 91 };
    struct cert_world *w = *state;
    struct slice der = w->leaf.der;
    const char *at = memmem(der.p, der.len, p256, sizeof p256 - 1);
    assert_non_null(at);
    struct slice key = slice_of(at, P256_BYTES);
    for (uint8_t selector = 0; selector < 2; selector++) {
        struct slice bytes = selector ? key : der;
        struct slice sha256 = digest(w->a, GNUTLS_DIG_SHA256, bytes),
                     sha512 = digest(w->a, GNUTLS_DIG_SHA512, bytes);
        assert_true(peercert_matches(der, selector, 0, bytes));
        assert_true(peercert_matches(der, selector, 1, sha256));
        assert_true(peercert_matches(der, selector, 2, sha512));
        assert_false(peercert_matches(der, selector, 3, sha512));
        assert_false(peercert_matches(der, selector, 2, sha256));
        assert_false(peercert_matches(der, selector, 1, slice_to(sha256, 31)));
        assert_false(peercert_matches(der, selector, 1, SLICE_NONE));
        assert_false(peercert_matches(der, !selector, 1, sha256));
        assert_false(peercert_matches(der, selector + 2, 0, bytes));
        assert_false(peercert_matches(w->mid.der, selector, 1, sha256));
    }
    assert_false(peercert_matches(SLICE("x"), 1, 0, SLICE_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_those_of_the_extension_alone, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(names_with_nul_are_left_out, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_certificate_has_no_names, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(a_chain_leads_to_a_trusted_ca, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(times_count, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(purposes_count, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(weak_keys_are_refused, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(revoked_ones_are_refused, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(cas_of_one_name_are_all_tried, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(a_cross_signed_chain_leads_to_either_ca, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_ca_can_be_trusted_itself, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(of_many_cas_the_right_one_counts, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(chains_have_a_limit, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(one_of_the_chain_can_be_the_anchor, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(trust_that_is_none_is_told, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(certificates_and_keys_match_their_digests, cert_setup, cert_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
