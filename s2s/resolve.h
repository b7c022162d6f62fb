/* s2s/resolve.h - a remote domain: all that DNS says about how to reach it (RFC 6120 3.2, XEP-0368, RFC 7673)
 *
 * SRV of both kinds at once, then the addresses of all targets at once, with TLSA records where everything so far is
 * secure. What is not answered `grace_ms` after the first target is complete is gone without. */
#ifndef S2S_RESOLVE_H
#define S2S_RESOLVE_H

#include "s2s/lookup.h"
#include "s2s/target.h"

struct resolve_route {      /* a static route, instead of SRV records */
    const char *domain;     /* as in addresses; "*": any that has no route of its own */
    const char *host;       /* name or address */
    uint16_t port;          /* 0: 5269, with direct TLS 5270 */
    bool direct_tls;
};
struct resolve_conf {
    struct target_rules rules;          /* attempts_max 0: 16 */
    unsigned targets_max;               /* 0: 8 */
    uint32_t grace_ms;                  /* 0: 500 */
    const struct resolve_route *routes; /* several of one domain: tried in this order */
    size_t routes_n;
};

/* In flight, or answered: the owner's, until it is freed. conf must outlive it. */
struct resolve;
/* done comes once, later than this call, never after resolve_free, which it may call. What conf points to may change meanwhile
 * (a reload). domain: prepared (jid.h); an address ("192.0.2.7", "[2001:db8::7]") stands for itself, port 5269. */
struct resolve *resolve_domain(struct resolver *r, const struct resolve_conf *conf, struct slice domain,
                               void (*done)(void *ctx, struct resolve *resolve), void *ctx);
void resolve_free(struct resolve **r); /* cancels what is in flight; the answer's memory is gone too */

struct resolve_answer {
    enum rc rc;     /* RC_OK: there is something to try. RC_NOTFOUND: no such domain, no address that may be used. RC_DENIED: the
                       domain has no such service. RC_TIMEOUT, RC_LIMIT, RC_IO: DNS failed; RC_CONFLICT: bogus, DNSSEC says that somebody
                       lies. RC_SYNTAX: no name for DNS */
    struct why why; /* not RC_OK: the cause */
    const struct target_attempt *attempts; /* in order; valid until resolve_free */
    size_t n;
    struct slice trace; /* a line for each lookup and each decision, for probes */
};
const struct resolve_answer *resolve_answer(const struct resolve *r); /* from done on */

#endif
