/* s2s/target.h - where to connect to for a domain, in which order (RFC 6120 3.2, RFC 2782, XEP-0368, XEP-0495, RFC 8305)
 *
 * From SRV answers comes a list of targets, from each target's addresses a part of the list of attempts. Randomness
 * comes in. Pure. */
#ifndef S2S_TARGET_H
#define S2S_TARGET_H

#include "s2s/dns.h"

enum { TARGET_PORT = 5269, TARGET_PORT_TLS = 5270 };

struct target_random {
    uint32_t (*below)(void *ctx, uint32_t n); /* uniform in [0, n) */
    void *ctx;
};

/* What was found at _xmpp-server._tcp (plain: STARTTLS) and at _xmpps-server._tcp (direct TLS). */
struct target_answers {
    const struct dns_srv *plain, *direct;
    size_t plain_n, direct_n;
};
struct target {
    struct slice host; /* A-labels, lower case */
    uint16_t port;
    bool direct_tls;
};
struct target_list {
    struct target *at;
    size_t n, left_out; /* in it; over the limit */
};
/* One order over both (XEP-0368 5): by priority, then by lot with the weights (RFC 2782); at most max of them. No
 * record, or none but a "." for direct TLS: domain itself, port 5269, STARTTLS (RFC 6120 3.2.2). RC_DENIED: "." says
 * that the domain has no such service; RC_NOTFOUND: records without one that could be used. why names it.
 * domain and the hosts are kept, not copied. */
MUST_USE enum rc target_order(struct arena *a, struct slice domain, const struct target_answers *in, size_t max,
                              const struct target_random *random, struct target_list *out, struct why *why);

/* One connection to try. */
struct target_attempt {
    union dns_addr addr;
    struct slice host; /* whose address it is: SNI is the domain's, this is for logs and, where `secure` … */
    bool direct_tls;   /* TLS from the first byte, ALPN xmpp-server */
    bool secure;       /* … DNSSEC vouches for the way from domain to host: the certificate may name host as well */
    const struct dns_tlsa *tlsa; /* secure ones of host and port; present: the certificate must match (external_dane) */
    size_t tlsa_n;
};
struct target_rules {
    bool no_ipv4, no_ipv6;
    bool allow_loopback;         /* for tests and for servers behind a local tunnel */
    const union dns_addr *own;   /* where we listen: a connection there would be one to ourselves */
    size_t own_n;                /* 0.0.0.0 and :: stand for loopback addresses too */
    size_t attempts_max;         /* of the whole list */
};
/* NULL: may be connected to. Else why not: "loopback", "our own", "multicast", "not an address", … */
const char *target_refusal(const struct target_rules *rules, const union dns_addr *addr);

struct target_attempts {
    struct target_attempt *at; /* room for rules->attempts_max */
    size_t n, left_out;        /* in it; over the limit or refused */
    const char *refused;       /* why the last refused one was */
};
void target_attempts_init(struct arena *a, const struct target_rules *rules, struct target_attempts *list);
/* Appends an attempt for each address that may be connected to and is not in the list yet, IPv6 and IPv4 in turn, IPv6
 * first (RFC 8305 4). what: all but addr; its port is that of target_order. */
void target_add(struct target_attempts *list, const struct target_rules *rules, const struct target_attempt *what,
                uint16_t port, const union dns_addr *addrs, size_t n);

#endif
