/* s2s/lookup.h - questions to the DNS, answered on the loop (libunbound: it resolves, validates DNSSEC and caches)
 *
 * libunbound works in a thread of its own; its descriptor is watched by the loop. The cache is libunbound's: positive and
 * negative answers, failures for a few seconds, with the floor and the ceilings that the configuration names; it is the resolver's and
 * goes with it. So a lookup that was made before costs a wake-up of that thread, and no packet. */
#ifndef S2S_LOOKUP_H
#define S2S_LOOKUP_H

#include "common/net/loop.h"
#include "s2s/dns.h"

#define LOOKUP_ANCHOR_DEFAULT "/usr/share/dns/root.key" /* Debian: dns-root-data */

struct lookup_conf {
    const char *const *servers;    /* "192.0.2.53", "2001:db8::53@5353", NULL-terminated; NULL: those of /etc/resolv.conf */
    bool iterate;                  /* instead of asking servers: itself, from the root */
    const char *hosts_file;        /* addresses from there, never secure; NULL: none */
    const char *anchor_file;       /* DS or DNSKEY records to trust; NULL: LOOKUP_ANCHOR_DEFAULT if it is there; "": none,
                                      no answer is secure */
    const char *const *records;    /* answers of our own, "a.example. 60 IN A 192.0.2.1", NULL-terminated; NULL: none */
    uint32_t timeout_ms;           /* for one lookup, from when it was asked; 0: 10 s */
    uint32_t ttl_least_s;          /* kept at least so long, even with TTL 0 */
    uint32_t ttl_most_s;           /* 0: a day */
    uint32_t negative_most_s;      /* "there is none"; 0: 5 minutes */
    unsigned at_once;              /* lookups under way; more wait; 0: 256 */
    unsigned waiting_max;          /* so many wait; more fail with RC_LIMIT; 0: 10,000 */
};

struct resolver;
/* Reads the files now: before the file system is out of reach. Its thread starts with the first lookup. RC_IO, RC_SYNTAX: why names
 * file or option. conf and what it points to are not kept. */
MUST_USE enum rc resolver_new(struct loop *loop, const struct lookup_conf *conf, struct resolver **out, struct why *why);
/* Lookups that are left are dropped, their callbacks do not come. Not from inside a callback of a lookup. */
void resolver_free(struct resolver **r);
struct resolver_stats {
    uint64_t asked, answered, failed, bogus, timeouts, refused; /* refused: RC_LIMIT */
    unsigned under_way, waiting;
};
struct resolver_stats resolver_stats(const struct resolver *r);
struct loop *resolver_loop(const struct resolver *r);

struct lookup_answer {
    enum rc rc;                 /* RC_OK: there are records. RC_NOTFOUND: there are none. RC_CONFLICT: bogus, DNSSEC says that
                                   somebody lies. RC_TIMEOUT, RC_LIMIT. RC_SYNTAX: name is none. RC_IO: the servers failed */
    bool secure;                /* RC_OK, RC_NOTFOUND: validated */
    bool no_name;               /* RC_NOTFOUND: the name itself does not exist */
    const struct slice *rdata;  /* aliases (CNAME, DNAME) are followed already */
    size_t n;
    uint32_t ttl_s;
    struct why why;             /* not RC_OK: the cause, with name and type */
};
struct lookup;
/* done comes once, later than this call, and never after lookup_cancel; answer lives until it returns; the lookup is gone by
 * then. name: A-labels, without the last dot. */
struct lookup *lookup_start(struct resolver *r, struct slice name, enum dns_type type,
                            void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx);
void lookup_cancel(struct lookup **l); /* NULL is harmless */

#endif
