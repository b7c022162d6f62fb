/* sessman/auth_rates.c - how often attempts to log in may fail: by address and by account */
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "sessman/auth_inside.h"
#include <gnutls/crypto.h>

enum {
    ACCOUNT_FACTOR = 10, /* an account may fail so many times as often as an address */
    SWEEP_MS = 60000,
};

struct auth_rates {
    struct addr_table *by_addr;
    struct addr_table *by_account;
    uint64_t swept_ms;
};

/* A minute's worth of tokens: a failure costs 60, so that "per minute" needs no fractions. */
enum { FAILURE_TOKENS = 60 };

static struct rate_limit limit_of(const struct sessman *sm, uint32_t factor)
{
    return (struct rate_limit){ .per_s = sm->conf->auth_failures_per_min * factor,
                                .burst = sm->conf->auth_failures_burst * FAILURE_TOKENS * factor };
}

static struct auth_rates *rates(struct sessman *sm)
{
    if (!sm->auth_rates) {
        sm->auth_rates = mem_new(sizeof *sm->auth_rates);
        sm->auth_rates->by_addr = addr_table_new();
        sm->auth_rates->by_account = addr_table_new();
    }
    return sm->auth_rates;
}

void auth_fini(struct sessman *sm)
{
    if (!sm->auth_rates)
        return;
    addr_table_free(&sm->auth_rates->by_addr);
    addr_table_free(&sm->auth_rates->by_account);
    MEM_FREE(&sm->auth_rates);
}

void auth_keyed_hash(const struct sessman *sm, char label, struct slice text, uint8_t out[32])
{
    uint8_t bytes[1 + JID_MAX];
    size_t n = text.len < JID_MAX ? text.len : JID_MAX;
    bytes[0] = (uint8_t)label;
    if (n)
        memcpy(bytes + 1, text.p, n);
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, sm->secret, sizeof sm->secret, bytes, n + 1, out);
}

static struct addr_key key_of_account(const struct auth *a)
{
    uint8_t hash[32];
    struct addr_key key;
    auth_keyed_hash(a->sm, 'a', jid_bare(&a->at->user), hash);
    key.bytes[0] = 0xff; /* no address family */
    memcpy(key.bytes + 1, hash, sizeof key.bytes - 1);
    return key;
}

static bool unlimited(const struct auth *a)
{
    return a->open.trusted_plain || a->sm->conf->auth_failures_per_min == 0;
}

bool auth_over_rate(struct auth *a)
{
    struct rate_limit one = limit_of(a->sm, 1), many = limit_of(a->sm, ACCOUNT_FACTOR);
    struct auth_rates *r = rates(a->sm);
    uint64_t now = loop_now_ms(a->sm->loop);
    if (unlimited(a))
        return false;
    if (now - r->swept_ms > SWEEP_MS) {
        addr_sweep(r->by_addr, now);
        addr_sweep(r->by_account, now);
        r->swept_ms = now;
    }
    return rate_take(addr_rate(r->by_addr, a->addr, now), &one, now, 0) > 0 ||
           rate_take(addr_rate(r->by_account, key_of_account(a), now), &many, now, 0) > 0;
}

void auth_count_failure(struct auth *a)
{
    struct rate_limit one = limit_of(a->sm, 1), many = limit_of(a->sm, ACCOUNT_FACTOR);
    struct auth_rates *r = rates(a->sm);
    uint64_t now = loop_now_ms(a->sm->loop);
    if (unlimited(a))
        return;
    rate_take(addr_rate(r->by_addr, a->addr, now), &one, now, FAILURE_TOKENS);
    if (a->at->user.full.len)
        rate_take(addr_rate(r->by_account, key_of_account(a), now), &many, now, FAILURE_TOKENS);
}
