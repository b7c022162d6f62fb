/* common/net/peercert.h - what a peer's certificates are worth: chain, names, pinned keys (RFC 5280, RFC 6698, RFC 7671)
 *
 * Chains are DER, the peer's own certificate first, as conn_peer_chain gives them. Nothing here knows whom we wanted to
 * talk to: names are read, not judged. */
#ifndef NET_PEERCERT_H
#define NET_PEERCERT_H

#include "common/base/arena.h"

enum { PEERCERT_CHAIN_MAX = 10, PEERCERT_NAMES_MAX = 256 };

/* Names of a certificate (subjectAltName; the CN of the subject is none). */
enum peercert_kind {
    PEERCERT_DNS,      /* dNSName, as it stands */
    PEERCERT_SRV,      /* id-on-dnsSRV (RFC 4985): "_service.domain" */
    PEERCERT_XMPPADDR, /* id-on-xmppAddr (RFC 6120 13.7.1.4) */
};
struct peercert_name {
    enum peercert_kind kind;
    struct slice text; /* UTF-8 without NUL; others are left out */
};
/* At most max of them, and none after the first PEERCERT_NAMES_MAX of the certificate. RC_SYNTAX: not a certificate. */
MUST_USE enum rc peercert_names(struct arena *a, struct slice der, struct peercert_name *out, size_t max, size_t *n);

/* Whom we trust, and what was revoked: read once. */
struct peercert_trust;
struct peercert_conf {
    const char *ca_file;  /* PEM; "system": the system's (cabundle.h); NULL: nobody is trusted */
    const char *crl_file; /* PEM; NULL: none. What a list revoked stays revoked when the next list is due */
};
MUST_USE enum rc peercert_trust_new(const struct peercert_conf *conf, struct peercert_trust **out, struct why *why);
void peercert_trust_free(struct peercert_trust **t);
/* When the first of the lists is due to be replaced, wall time: for a warning. INT64_MAX: there is none. */
int64_t peercert_crl_until_ms(const struct peercert_trust *t);

enum peercert_purpose {
    PEERCERT_SERVER, /* extended key usage serverAuth, or none said */
    PEERCERT_CLIENT, /* clientAuth, or serverAuth: servers dial with the certificate they listen with */
};
/* Does the chain lead to a trusted CA, by signatures that are worth something, now, unrevoked, for this purpose? RC_DENIED: no, why says
 * what is wrong. RC_LIMIT: more than PEERCERT_CHAIN_MAX certificates. RC_SYNTAX: one that is none, or no chain. */
MUST_USE enum rc peercert_verify(const struct peercert_trust *t, const struct slice *chain, size_t n,
                                 enum peercert_purpose purpose, struct why *why);
/* The same with chain[anchor] (not 0) as the one trusted CA: RFC 7671 5.2. */
MUST_USE enum rc peercert_verify_under(const struct slice *chain, size_t n, size_t anchor,
                                       enum peercert_purpose purpose, struct why *why);

/* Does one certificate match what a TLSA record says (RFC 6698 2.1)? selector 0: of the certificate, 1: of its public key;
 * matching 0: data itself, 1: its SHA-256, 2: its SHA-512. Anything else matches nothing. */
bool peercert_matches(struct slice der, uint8_t selector, uint8_t matching, struct slice data);

#endif
