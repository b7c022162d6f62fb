#include "sessman/anonymous.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "sessman/account.h"

enum {
    NAME_BYTES = 15,
    NEW_TOKENS = 3600, /* an hour's worth of tokens make one, so that "per hour" needs no fractions */
    SWEEP_LEAST_MS = 1000,
    SWEEP_MOST_MS = 60000,
    SWEEP_ROWS = 500,
    UNBOUND_MS =
        11 * 60000, /* a login that has bound nothing is over by then ([limits] auth_time of the edges) */
};

struct anonymous {
    struct sessman *sm;
    struct addr_table *rates; /* of logins, by address */
    uint64_t n;               /* accounts there are */
    struct timer sweep;
    bool closed;
};

bool anonymous_allowed(const struct sessman *sm, struct slice domain)
{
    const struct domain *d = sessman_domain(sm, domain);
    return sm->anonymous && d && d->anonymous;
}

bool anonymous_may_leave(const struct sessman *sm, const struct account *a)
{
    const struct domain *d = sessman_domain(sm, account_domain(a));
    return !a->anonymous || (d && d->anonymous_remote);
}

/* --- they go --- */

struct going {
    struct sessman *sm;
    int64_t id;
    char *bare;
};

static void on_gone(void *ctx, const struct store_result *r)
{
    struct going *g = ctx;
    if (r->rc == RC_OK && r->changes && !g->sm->anonymous->closed) {
        struct log_ctx log = sessman_log(g->sm, LOG_AUTH);
        LOG_INFO(&log, "anonymous_gone", F_STR("user", g->bare));
        account_deleted(g->sm, slice_cstr(g->bare));
        if (g->sm->anonymous->n)
            g->sm->anonymous->n--;
    } else if (r->rc == RC_OK && !r->changes) { /* it has a token: the sweep looks at it again */
        store_run(g->sm->store, STMT_ANONYMOUS_BETWEEN, STORE_VALUES(STORE_I(g->id)), NULL, NULL);
    }
    mem_free(g->bare);
    mem_free(g);
}

/* Unless it has a token that is good. */
static void remove_row(struct sessman *sm, int64_t id, struct slice bare)
{
    struct going *g = mem_new(sizeof *g);
    g->sm = sm;
    g->id = id;
    g->bare = mem_copy(bare);
    store_run(sm->store, STMT_ANONYMOUS_DEL, STORE_VALUES(STORE_I(id), STORE_I(clock_wall_ms())), on_gone, g);
}

void anonymous_session_end(struct sessman *sm, const struct account *a)
{
    if (sm->anonymous && !sm->anonymous->closed && a->anonymous && !a->n_sessions && !a->gone)
        remove_row(sm, a->id, account_bare(a));
}

static void on_left(void *ctx, const struct store_result *r)
{
    struct anonymous *all = ctx;
    struct sessman *sm = all->sm;
    struct arena *arena = arena_take(sm->arenas);
    for (size_t i = 0; i < r->rows && !all->closed; i++) {
        const struct store_value *v = store_row(r, i);
        struct slice bare = arena_fmt(arena, SLICE_FMT "@" SLICE_FMT, SLICE_ARG(v[2].s), SLICE_ARG(v[1].s));
        const struct account *a = account_find(sm, bare);
        if (!a || !a->n_sessions)
            remove_row(sm, v[0].i, bare);
    }
    arena_give(sm->arenas, &arena);
}

static void on_sweep(struct timer *t)
{
    struct anonymous *all = CONTAINER(t, struct anonymous, sweep);
    int64_t now = (int64_t)clock_wall_ms();
    uint32_t next_ms = all->sm->conf->anonymous_token_ms;
    if (next_ms < SWEEP_LEAST_MS || next_ms > SWEEP_MOST_MS)
        next_ms = next_ms < SWEEP_LEAST_MS ? SWEEP_LEAST_MS : SWEEP_MOST_MS;
    addr_sweep(all->rates, loop_now_ms(all->sm->loop));
    store_run(all->sm->store, STMT_ANONYMOUS_LEFT,
              STORE_VALUES(STORE_I(now), STORE_I(now - UNBOUND_MS), STORE_I(SWEEP_ROWS)), on_left, all);
    loop_timer(all->sm->loop, t, next_ms, on_sweep);
}

/* --- they come --- */

struct coming {
    struct sessman *sm;
    struct arena *a;
    struct jid user;
    void (*done)(void *ctx, enum rc rc, const struct jid *user);
    void *ctx;
};

static void on_added(void *ctx, const struct store_result *r)
{
    struct coming *c = ctx;
    if (r->rc != RC_OK)
        c->sm->anonymous->n--;
    c->done(c->ctx, r->rc, &c->user);
    arena_free(&c->a);
    mem_free(c);
}

static bool over_rate(struct sessman *sm, struct addr_key from)
{
    struct rate_limit limit = { sm->conf->anonymous_per_hour, sm->conf->anonymous_burst * NEW_TOKENS };
    uint64_t now = loop_now_ms(sm->loop);
    return limit.per_s && !rate_try(addr_rate(sm->anonymous->rates, from, now), &limit, now, NEW_TOKENS);
}

static enum rc may_come(struct sessman *sm, struct slice domain, struct addr_key from, bool limited)
{
    if (!anonymous_allowed(sm, domain))
        return RC_NOTFOUND;
    return sm->anonymous->n >= sm->conf->anonymous_most || (limited && over_rate(sm, from)) ? RC_LIMIT
                                                                                            : RC_OK;
}

void anonymous_create(struct sessman *sm, struct slice domain, struct addr_key from, bool limited,
                      void (*done)(void *ctx, enum rc rc, const struct jid *user), void *ctx)
{
    struct coming *c = mem_new(sizeof *c);
    uint8_t name[NAME_BYTES];
    *c = (struct coming){ .sm = sm, .a = arena_new(512, 0), .done = done, .ctx = ctx };
    secret_random(name, sizeof name);
    struct slice local = hex_encode(c->a, slice_of((const char *)name, sizeof name));
    enum rc rc = may_come(sm, domain, from, limited);
    if (rc == RC_OK)
        rc = jid_make(c->a, local, arena_copy(c->a, domain), SLICE_NONE, &c->user, NULL);
    if (rc != RC_OK) {
        if (rc == RC_LIMIT)
            metric_add(sm->metrics, M_LIMIT_ANONYMOUS, 1);
        done(ctx, rc, NULL);
        arena_free(&c->a);
        mem_free(c);
        return;
    }
    sm->anonymous->n++;
    metric_add(sm->metrics, M_ANONYMOUS, 1);
    store_run(sm->store, STMT_ANONYMOUS_ADD,
              STORE_VALUES(STORE_T(c->user.domain), STORE_T(c->user.local), STORE_I(clock_wall_ms())),
              on_added, c);
}

/* --- life --- */

static void on_count(void *ctx, const struct store_result *r)
{
    struct anonymous *all = ctx;
    if (r->rc == RC_OK && r->rows)
        all->n += (uint64_t)store_row(r, 0)->i;
}

void anonymous_open(struct sessman *sm)
{
    struct anonymous *all = sm->anonymous = mem_new(sizeof *all);
    all->sm = sm;
    all->rates = addr_table_new();
    store_run(sm->store, STMT_ANONYMOUS_COUNT, NULL, 0, on_count, all);
    loop_timer(sm->loop, &all->sweep, 1, on_sweep);
}

void anonymous_close(struct sessman *sm)
{
    if (!sm->anonymous)
        return;
    timer_stop(&sm->anonymous->sweep);
    sm->anonymous->closed = true; /* its statements may be on their way */
}

void anonymous_free(struct sessman *sm)
{
    struct anonymous *all = sm->anonymous;
    if (!all)
        return;
    addr_table_free(&all->rates);
    MEM_FREE(&sm->anonymous);
}
