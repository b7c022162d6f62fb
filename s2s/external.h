/* s2s/external.h - which domains a certificate proves (XEP-0178 3, RFC 6120 13.7, RFC 6125 6, RFC 7590, RFC 7673)
 *
 * The rules about names are pure; what the chain is worth is asked of net/peercert.h. */
#ifndef S2S_EXTERNAL_H
#define S2S_EXTERNAL_H

#include "common/net/peercert.h"
#include "s2s/dns.h"

/* True if one of the names stands for domain (prepared, jid.h): dNSName equal to its A-labels or with '*' as the whole
 * left-most of at least three labels, for one label; SRVName "_xmpp-server."domain; XmppAddr equal. IP addresses are
 * proven by none. Pure. */
bool external_names_prove(struct arena *a, const struct peercert_name *names, size_t n, struct slice domain);

struct external_peer {
    const struct slice *chain; /* conn_peer_chain */
    size_t chain_n;
    enum peercert_purpose purpose; /* what the peer is in TLS */
    struct slice domain;       /* who it says it is, prepared */
    struct slice host;         /* a second name that will do, since DNSSEC vouches for it (target_attempt.secure); empty: none */
};
/* By PKIX: RC_OK: the certificate proves domain. RC_NOTFOUND: no certificate; RC_LIMIT, RC_SYNTAX, RC_DENIED: why says what is
 * wrong with it, names included. */
MUST_USE enum rc external_pkix(struct arena *a, const struct peercert_trust *trust, const struct external_peer *peer,
                               struct why *why);

struct external_dane { /* the record that matched, for logs */
    uint8_t usage, selector, matching;
};
/* By DANE (RFC 7671, RFC 7673): records are secure ones of a host that domain points to securely. RC_OK: *out matched,
 * the chain proves domain. RC_UNSUPPORTED: no record that could be used (RFC 7671 4.1: as if there were none, but for
 * TLS, which is required). RC_DENIED: none matches; others as external_pkix. Usage 3: the certificate is the peer's own, its
 * names and times do not matter. 2: a CA of the chain matches and leads to a certificate with the right names. 0 and 1:
 * like 2 and 3, and external_pkix must say yes as well (trust may be NULL: it does not). */
MUST_USE enum rc external_dane(struct arena *a, const struct peercert_trust *trust, const struct external_peer *peer,
                               const struct dns_tlsa *records, size_t n, struct external_dane *out, struct why *why);

#endif
