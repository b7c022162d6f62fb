/* common/base/rate.h - token buckets, and counting by address
 *
 * Pure: told what time it is. */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include "common/base/slice.h"
#include <sys/socket.h>

struct rate_limit {    /* the shape, shared by many buckets */
    uint32_t per_s;    /* tokens a second; 0: no limit */
    uint32_t burst;    /* tokens a full bucket holds */
};
struct rate {          /* one bucket, 16 bytes; zeroed: full on first use */
    uint64_t last_ms;
    int64_t milli;     /* thousandths of a token left; negative: overdrawn */
};
/* Takes n tokens, even if that overdraws. Returns 0, or in how many ms the bucket is out of debt: until then
 * the caller stops reading. */
uint32_t rate_take(struct rate *r, const struct rate_limit *limit, uint64_t now_ms, uint32_t n);
/* Takes n only if they are there: true. For attempts that are refused rather than delayed. */
bool rate_try(struct rate *r, const struct rate_limit *limit, uint64_t now_ms, uint32_t n);

/* What counts as one address: an IPv4 address (also v4-mapped), an IPv6 /64. Loopback and unix sockets too. */
struct addr_key {
    uint8_t bytes[9]; /* family, then 4 or 8 bytes */
};
struct addr_key addr_key_of(const struct sockaddr *sa);
struct addr_key addr_key_of_text(struct slice ip); /* "192.0.2.7", "2001:db8::1"; anything else: all such are one */
bool addr_is_loopback(const struct sockaddr *sa);
/* Networks such as "192.0.2.0/24, ::1": comma-separated. */
struct net_list; /* opaque */
MUST_USE enum rc net_list_parse(struct slice text, struct net_list **out, struct why *why);
bool net_list_has(const struct net_list *l, const struct sockaddr *sa); /* NULL list: false */
void net_list_free(struct net_list **l);

/* Counter per address with a token bucket each; entries that are idle and full are forgotten. */
struct addr_table;
struct addr_table *addr_table_new(void);
void addr_table_free(struct addr_table **t);
unsigned addr_count(const struct addr_table *t, struct addr_key key);
unsigned addr_enter(struct addr_table *t, struct addr_key key); /* count after entering */
void addr_leave(struct addr_table *t, struct addr_key key);
struct rate *addr_rate(struct addr_table *t, struct addr_key key, uint64_t now_ms); /* borrowed until the next call */
void addr_sweep(struct addr_table *t, uint64_t now_ms); /* forgets what is empty and older than 10 minutes */

#endif
