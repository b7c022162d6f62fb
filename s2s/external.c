/* s2s/external.c */
#include "s2s/external.h"

#include "common/xmpp/jid.h"

/* --- names --- */

/* RFC 6125 6.4.3: '*' as the whole left-most label stands for one label; "*.net" is nobody's to have. */
static bool wildcard_covers(struct slice pattern, struct slice name)
{
    ptrdiff_t dot = slice_find(name, '.');
    struct slice rest = slice_from(pattern, 1);
    return slice_starts(pattern, SLICE("*.")) && dot > 0 && slice_find(slice_from(rest, 1), '.') > 0 &&
           slice_eq_nocase(rest, slice_from(name, (size_t)dot));
}

static bool srv_covers(struct slice text, struct slice name) /* RFC 4985 2, RFC 6120 13.7.1.2.1 */
{
    const struct slice service = SLICE("_xmpp-server.");
    return slice_eq_nocase(slice_to(text, service.len), service) &&
           slice_eq_nocase(slice_from(text, service.len), name);
}

static bool addr_covers(struct arena *a, struct slice text, struct slice domain) /* RFC 6120 13.7.1.4 */
{
    struct jid jid;
    return jid_parse(a, text, &jid, NULL) == RC_OK && !jid.local.len && !jid.resource.len &&
           slice_eq(jid.domain, domain);
}

bool external_names_prove(struct arena *a, const struct peercert_name *names, size_t n, struct slice domain)
{
    struct slice ascii;
    if (jid_domain_ascii(a, domain, &ascii, NULL) != RC_OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool covers = false;
        switch (names[i].kind) {
        case PEERCERT_DNS:
            covers = slice_eq_nocase(names[i].text, ascii) || wildcard_covers(names[i].text, ascii);
            break;
        case PEERCERT_SRV:
            covers = srv_covers(names[i].text, ascii);
            break;
        case PEERCERT_XMPPADDR:
            covers = addr_covers(a, names[i].text, domain);
            break;
        }
        if (covers)
            return true;
    }
    return false;
}

/* --- PKIX --- */

static void name_what_it_is_for(struct arena *a, const struct external_peer *peer,
                                const struct peercert_name *names, size_t n, struct why *why)
{
    enum { SHOWN = 3 };
    struct slice list = SLICE("nobody");
    for (size_t i = 0; i < n && i < SHOWN; i++)
        list = i ? arena_fmt(a, SLICE_FMT ", " SLICE_FMT, SLICE_ARG(list), SLICE_ARG(names[i].text))
                 : names[i].text;
    why_set(why, "the certificate is for " SLICE_FMT "%s, not for " SLICE_FMT, SLICE_ARG(list),
            n > SHOWN ? " and others" : "", SLICE_ARG(peer->domain));
}

static enum rc names_check(struct arena *a, const struct external_peer *peer, struct why *why)
{
    struct peercert_name *names = ARENA_ARRAY(a, PEERCERT_NAMES_MAX, struct peercert_name);
    size_t n;
    enum rc rc = peercert_names(a, peer->chain[0], names, PEERCERT_NAMES_MAX, &n);
    if (rc != RC_OK) {
        why_set(why, "the certificate cannot be read");
        return rc;
    }
    if (external_names_prove(a, names, n, peer->domain) ||
        (peer->host.len && external_names_prove(a, names, n, peer->host)))
        return RC_OK;
    name_what_it_is_for(a, peer, names, n, why);
    return RC_DENIED;
}

static enum rc chain_check(const struct external_peer *peer, struct why *why)
{
    if (!peer->chain_n) {
        why_set(why, "no certificate");
        return RC_NOTFOUND;
    }
    if (peer->chain_n > PEERCERT_CHAIN_MAX) {
        why_set(why, "a chain of more than %d certificates", PEERCERT_CHAIN_MAX);
        return RC_LIMIT;
    }
    return RC_OK;
}

enum rc external_pkix(struct arena *a, const struct peercert_trust *trust, const struct external_peer *peer,
                      struct why *why)
{
    enum rc rc = chain_check(peer, why);
    if (rc != RC_OK)
        return rc;
    if (!trust) {
        why_set(why, "no CA is trusted here");
        return RC_DENIED;
    }
    rc = peercert_verify(trust, peer->chain, peer->chain_n, peer->purpose, why);
    return rc == RC_OK ? names_check(a, peer, why) : rc;
}

/* --- DANE --- */

enum usage { PKIX_TA, PKIX_EE, DANE_TA, DANE_EE, USAGES }; /* RFC 7218 2.1 */
enum {
    SELECTORS = 2,
    MATCH_EXACT = 0,
    MATCH_SHA256 = 1,
    MATCH_SHA512 = 2,
    SHA256_BYTES = 32,
    SHA512_BYTES = 64
};

static bool is_usable(const struct dns_tlsa *r)
{
    if (r->usage >= USAGES || r->selector >= SELECTORS)
        return false;
    return (r->matching == MATCH_EXACT && r->data.len) ||
           (r->matching == MATCH_SHA256 && r->data.len == SHA256_BYTES) ||
           (r->matching == MATCH_SHA512 && r->data.len == SHA512_BYTES);
}

/* RFC 7671 9: of two digests of the same thing the stronger counts. */
static bool is_outdone(const struct dns_tlsa *r, const struct dns_tlsa *records, size_t n)
{
    for (size_t i = 0; i < n && r->matching == MATCH_SHA256; i++) {
        if (records[i].matching == MATCH_SHA512 && records[i].usage == r->usage &&
            records[i].selector == r->selector && is_usable(&records[i]))
            return true;
    }
    return false;
}

/* A CA of the chain that matches and under which it verifies: one that merely lies beside the chain proves
 * nothing. */
static enum rc under_anchor(const struct external_peer *peer, const struct dns_tlsa *r, struct why *why)
{
    enum rc rc = RC_NOTFOUND;
    for (size_t i = 1; i < peer->chain_n && rc != RC_OK; i++) {
        if (peercert_matches(peer->chain[i], r->selector, r->matching, r->data))
            rc = peercert_verify_under(peer->chain, peer->chain_n, i, peer->purpose, why);
    }
    return rc;
}

static bool is_own(const struct external_peer *peer, const struct dns_tlsa *r)
{
    return peercert_matches(peer->chain[0], r->selector, r->matching, r->data);
}

/* RC_NOTFOUND: it does not match. Others: it matches, and what became of it. */
static enum rc try_record(struct arena *a, const struct peercert_trust *trust,
                          const struct external_peer *peer, const struct dns_tlsa *r, struct why *why)
{
    enum rc rc = RC_NOTFOUND;
    switch ((enum usage)r->usage) {
    case DANE_EE: /* RFC 7671 5.1: neither names nor dates */
        return is_own(peer, r) ? RC_OK : RC_NOTFOUND;
    case DANE_TA:
        rc = under_anchor(peer, r, why);
        return rc == RC_OK ? names_check(a, peer, why) : rc;
    case PKIX_EE:
        return is_own(peer, r) ? external_pkix(a, trust, peer, why) : RC_NOTFOUND;
    case PKIX_TA:
        rc = under_anchor(peer, r, why);
        return rc == RC_OK ? external_pkix(a, trust, peer, why) : rc;
    case USAGES:
        break;
    }
    return rc;
}

enum rc external_dane(struct arena *a, const struct peercert_trust *trust, const struct external_peer *peer,
                      const struct dns_tlsa *records, size_t n, struct external_dane *out, struct why *why)
{
    bool any = false;
    enum rc rc = chain_check(peer, why);
    if (rc != RC_OK)
        return rc;
    why_set(why, "the certificate matches no TLSA record");
    for (size_t i = 0; i < n; i++) {
        const struct dns_tlsa *r = &records[i];
        if (!is_usable(r))
            continue;
        any = true;
        if (is_outdone(r, records, n) || try_record(a, trust, peer, r, why) != RC_OK)
            continue;
        *out = (struct external_dane){ r->usage, r->selector, r->matching };
        return RC_OK;
    }
    if (!any)
        why_set(why, "no TLSA record that could be used");
    return any ? RC_DENIED : RC_UNSUPPORTED;
}
