/* common/base/rate.c */
#include "common/base/rate.h"

#include "common/base/map.h"
#include "common/base/mem.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#define DEBT_MOST (INT64_MAX / 4)

enum {
    FORGET_MS = 10 * 60 * 1000,
    ENTRIES_MOST = 65536, /* addresses that only a bucket keeps; further ones share one bucket */
};

/* per_s tokens a second are per_s thousandths a millisecond. */
static void refill(struct rate *r, const struct rate_limit *limit, uint64_t now_ms)
{
    int64_t full = (int64_t)limit->burst * 1000;
    uint64_t elapsed = now_ms > r->last_ms ? now_ms - r->last_ms : 0;
    if (r->last_ms == 0 || r->milli >= full || elapsed > (uint64_t)(full - r->milli) / limit->per_s)
        r->milli = full;
    else
        r->milli += (int64_t)(elapsed * limit->per_s);
    if (now_ms > r->last_ms)
        r->last_ms = now_ms;
    else if (r->last_ms == 0)
        r->last_ms = 1;
}

uint32_t rate_take(struct rate *r, const struct rate_limit *limit, uint64_t now_ms, uint32_t n)
{
    if (limit->per_s == 0)
        return 0;
    refill(r, limit, now_ms);
    r->milli -= (int64_t)n * 1000;
    if (r->milli >= 0)
        return 0;
    if (r->milli < -DEBT_MOST)
        r->milli = -DEBT_MOST;
    uint64_t ms = ((uint64_t)-r->milli + limit->per_s - 1) / limit->per_s;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

bool rate_try(struct rate *r, const struct rate_limit *limit, uint64_t now_ms, uint32_t n)
{
    if (limit->per_s == 0)
        return true;
    refill(r, limit, now_ms);
    if (r->milli < (int64_t)n * 1000)
        return false;
    r->milli -= (int64_t)n * 1000;
    return true;
}

/* An address as 4 or 16 bytes; v4-mapped ones as IPv4. bits 0: neither (a unix socket). */
struct address {
    unsigned bits; /* 32, 128 */
    uint8_t bytes[16];
};

static struct address address_of(const struct sockaddr *sa)
{
    struct address a = { 0 };
    if (sa && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        a.bits = 32;
        memcpy(a.bytes, &in.sin_addr, 4);
    } else if (sa && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        a.bits = mapped ? 32 : 128;
        memcpy(a.bytes, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), a.bits / 8);
    }
    return a;
}

struct addr_key addr_key_of(const struct sockaddr *sa)
{
    struct address a = address_of(sa);
    struct addr_key key = { { 0 } };
    if (a.bits) {
        key.bytes[0] = a.bits == 32 ? 4 : 6;
        memcpy(key.bytes + 1, a.bytes, a.bits == 32 ? 4 : 8);
    }
    return key;
}

struct addr_key addr_key_of_text(struct slice ip)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    if (slice_to_cstr(ip, text, sizeof text) == RC_OK) {
        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
            return addr_key_of((const struct sockaddr *)(const void *)&v4);
        if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
            return addr_key_of((const struct sockaddr *)(const void *)&v6);
    }
    return (struct addr_key){ { 0 } };
}

bool addr_is_loopback(const struct sockaddr *sa)
{
    static const uint8_t v6[16] = { [15] = 1 };
    struct address a = address_of(sa);
    if (a.bits == 32)
        return a.bytes[0] == 127;
    if (a.bits == 128)
        return memcmp(a.bytes, v6, sizeof v6) == 0;
    return sa && sa->sa_family == AF_UNIX;
}

struct net {
    struct address address;
    unsigned prefix; /* bits */
};

struct net_list {
    struct net *nets;
    size_t count;
};

static enum rc net_parse(struct slice text, struct net *out)
{
    char host[INET6_ADDRSTRLEN];
    ptrdiff_t slash = slice_find(text, '/');
    *out = (struct net){ 0 };
    if (slice_to_cstr(slash < 0 ? text : slice_to(text, (size_t)slash), host, sizeof host) != RC_OK)
        return RC_SYNTAX;
    if (inet_pton(AF_INET, host, out->address.bytes) == 1)
        out->address.bits = 32;
    else if (inet_pton(AF_INET6, host, out->address.bytes) == 1)
        out->address.bits = 128;
    else
        return RC_SYNTAX;
    uint64_t prefix = out->address.bits;
    if (slash >= 0 && slice_u64(slice_from(text, (size_t)slash + 1), out->address.bits, &prefix) != RC_OK)
        return RC_SYNTAX;
    out->prefix = (unsigned)prefix;
    return RC_OK;
}

enum rc net_list_parse(struct slice text, struct net_list **out, struct why *why)
{
    struct net_list *l = mem_new(sizeof *l);
    struct slice rest = text, word;
    while (slice_split(&rest, ',', &word)) {
        word = slice_trim(word);
        if (word.len == 0)
            continue;
        l->nets = mem_resize(l->nets, (l->count + 1) * sizeof *l->nets);
        if (net_parse(word, &l->nets[l->count]) != RC_OK) {
            why_set(why, "\"" SLICE_FMT "\" is not an address or network such as 192.0.2.0/24",
                    SLICE_ARG(word));
            net_list_free(&l);
            return RC_SYNTAX;
        }
        l->count++;
    }
    *out = l;
    return RC_OK;
}

static bool net_has(const struct net *net, const struct address *a)
{
    unsigned whole = net->prefix / 8, rest = net->prefix % 8;
    if (a->bits != net->address.bits || memcmp(a->bytes, net->address.bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ net->address.bytes[whole]) >> (8 - rest) == 0;
}

bool net_list_has(const struct net_list *l, const struct sockaddr *sa)
{
    struct address a = address_of(sa);
    for (size_t i = 0; l && a.bits && i < l->count; i++) {
        if (net_has(&l->nets[i], &a))
            return true;
    }
    return false;
}

void net_list_free(struct net_list **l)
{
    if (!*l)
        return;
    mem_free((*l)->nets);
    MEM_FREE(l);
}

struct entry {
    struct rate rate; /* last_ms 0: never used */
    unsigned count;
    struct addr_key key;
};

struct addr_table {
    struct map *entries; /* by address; owns them */
    struct rate shared;  /* for addresses that find the table full */
    uint64_t swept_ms;   /* a full table is swept once a second at most */
};

static struct slice entry_key(const void *value)
{
    const struct entry *e = value;
    return slice_of((const char *)e->key.bytes, sizeof e->key.bytes);
}

static struct slice key_slice(const struct addr_key *key)
{
    return slice_of((const char *)key->bytes, sizeof key->bytes);
}

struct addr_table *addr_table_new(void)
{
    struct addr_table *t = mem_new(sizeof *t);
    t->entries = map_new(entry_key);
    return t;
}

void addr_table_free(struct addr_table **t)
{
    if (!*t)
        return;
    struct entry *e;
    size_t at = 0;
    while ((e = map_next((*t)->entries, &at)))
        mem_free(e);
    map_free(&(*t)->entries);
    MEM_FREE(t);
}

static struct entry *entry_add(struct addr_table *t, struct addr_key key)
{
    struct entry *e = mem_new(sizeof *e);
    e->key = key;
    map_put(t->entries, e);
    return e;
}

unsigned addr_count(const struct addr_table *t, struct addr_key key)
{
    const struct entry *e = map_get(t->entries, key_slice(&key));
    return e ? e->count : 0;
}

unsigned addr_enter(struct addr_table *t, struct addr_key key)
{
    struct entry *e = map_get(t->entries, key_slice(&key));
    if (!e)
        e = entry_add(t, key);
    return ++e->count;
}

void addr_leave(struct addr_table *t, struct addr_key key)
{
    struct entry *e = map_get(t->entries, key_slice(&key));
    if (!e || e->count == 0)
        return;
    e->count--;
    if (e->count == 0 && e->rate.last_ms == 0) {
        map_remove(t->entries, key_slice(&key));
        mem_free(e);
    }
}

struct rate *addr_rate(struct addr_table *t, struct addr_key key, uint64_t now_ms)
{
    struct entry *e = map_get(t->entries, key_slice(&key));
    if (e)
        return &e->rate;
    if (map_count(t->entries) >= ENTRIES_MOST && now_ms >= t->swept_ms + 1000)
        addr_sweep(t, now_ms);
    if (map_count(t->entries) >= ENTRIES_MOST)
        return &t->shared;
    return &entry_add(t, key)->rate;
}

static bool keep(void *value, void *ctx)
{
    struct entry *e = value;
    const uint64_t *now_ms = ctx;
    if (e->count || e->rate.last_ms + FORGET_MS > *now_ms)
        return true;
    mem_free(e);
    return false;
}

void addr_sweep(struct addr_table *t, uint64_t now_ms)
{
    t->swept_ms = now_ms;
    map_each(t->entries, keep, &now_ms);
}
