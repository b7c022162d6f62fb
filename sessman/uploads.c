#include "sessman/uploads.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

enum {
    PART_ROWS = 500,  /* that are removed at once */
    PACE_MS = 100,    /* between two parts */
    LOOK_MS = 600000, /* between two looks whether some are over */
};
#define DAY_MS   INT64_C(86400000)
#define NO_LIMIT (INT64_MAX / 2)

struct uploads {
    struct sessman *sm;
    struct timer timer;
    bool closed;
};

/* --- limits --- */

static int64_t limit_of(uint64_t option)
{
    return option ? (int64_t)option : NO_LIMIT;
}

static uint64_t smaller(uint64_t most, uint64_t option)
{
    return option && option < most ? option : most;
}

uint64_t uploads_size_max(const struct sessman *sm)
{
    return smaller(smaller(sm->conf->upload_max, sm->conf->upload_day_bytes), sm->conf->upload_quota);
}

struct grant {
    struct sessman *sm;
    struct upload u;
    int64_t now_ms;
    uploads_done done;
    void *ctx;
};

static void grant_end(struct grant *g, enum rc rc, int64_t retry_ms)
{
    uploads_done done = g->done;
    void *ctx = g->ctx;
    mem_free(g);
    done(ctx, rc, retry_ms);
}

/* When enough of the day's rows are older than a day, and enough of what is kept is not any more. */
static void on_retry(void *ctx, const struct store_result *r)
{
    struct grant *g = ctx;
    int64_t retry_ms = g->now_ms;
    for (size_t i = 0; r->rows && i < 2; i++) {
        const struct store_value *v = &store_row(r, 0)[i];
        int64_t at = v->type == STORE_INT ? v->i + (i == 0 ? DAY_MS : 0) : 0;
        retry_ms = at > retry_ms ? at : retry_ms;
    }
    grant_end(g, RC_LIMIT, retry_ms);
}

static void on_granted(void *ctx, const struct store_result *r)
{
    struct grant *g = ctx;
    const struct sessman_conf *c = g->sm->conf;
    if (r->rc != RC_OK || r->changes) {
        enum rc rc = r->rc == RC_CONFLICT ? RC_NOTFOUND : r->rc;
        grant_end(g, rc, 0);
        return;
    }
    store_run(g->sm->store, STMT_UPLOAD_RETRY,
              STORE_VALUES(STORE_I(g->u.account), STORE_I(g->now_ms), STORE_I(g->u.bytes),
                           STORE_I(g->now_ms - DAY_MS), STORE_I(limit_of(c->upload_day_files)),
                           STORE_I(limit_of(c->upload_day_bytes)), STORE_I(limit_of(c->upload_quota))),
              on_retry, g);
}

void uploads_grant(struct sessman *sm, const struct upload *u, uploads_done done, void *ctx)
{
    const struct sessman_conf *c = sm->conf;
    struct grant *g = mem_new(sizeof *g);
    *g = (struct grant){ sm, *u, clock_wall_ms(), done, ctx };
    g->u.path = SLICE_NONE;
    store_run(sm->store, STMT_UPLOAD_ADD,
              STORE_VALUES(STORE_I(u->account), STORE_I(g->now_ms), STORE_I(u->bytes),
                           STORE_I(g->now_ms - DAY_MS), STORE_I(limit_of(c->upload_day_files)),
                           STORE_I(limit_of(c->upload_day_bytes)), STORE_I(limit_of(c->upload_quota)),
                           STORE_I(u->keep_ms), STORE_T(u->path)),
              on_granted, g);
}

/* --- the list --- */

struct list {
    uploads_each each;
    void (*done)(void *ctx);
    void *ctx;
};

static void on_list(void *ctx, const struct store_result *r)
{
    struct list l = *(struct list *)ctx;
    mem_free(ctx);
    for (size_t i = 0; i < r->rows; i++) {
        const struct store_value *v = store_row(r, i);
        l.each(l.ctx, v[0].s, (uint64_t)v[1].i, v[2].i, v[3].i);
    }
    l.done(l.ctx);
}

void uploads_list(struct sessman *sm, const struct jid *bare, unsigned max, uploads_each each,
                  void (*done)(void *ctx), void *ctx)
{
    struct list *l = mem_new(sizeof *l);
    *l = (struct list){ each, done, ctx };
    store_run(
        sm->store, STMT_UPLOAD_LIST,
        STORE_VALUES(STORE_T(bare->domain), STORE_T(bare->local), STORE_I(clock_wall_ms()), STORE_I(max)),
        on_list, l);
}

/* --- rows that count no more --- */

static void on_timer(struct timer *t);

static void on_expired(void *ctx, const struct store_result *r)
{
    struct uploads *u = ctx;
    if (!u->closed)
        loop_timer(u->sm->loop, &u->timer, r->changes == PART_ROWS ? PACE_MS : LOOK_MS, on_timer);
}

static void on_timer(struct timer *t)
{
    struct uploads *u = CONTAINER(t, struct uploads, timer);
    int64_t now_ms = clock_wall_ms();
    store_run(u->sm->store, STMT_UPLOAD_EXPIRE,
              STORE_VALUES(STORE_I(now_ms), STORE_I(now_ms - DAY_MS), STORE_I(PART_ROWS)), on_expired, u);
}

void uploads_open(struct sessman *sm)
{
    sm->uploads = mem_new(sizeof *sm->uploads);
    sm->uploads->sm = sm;
    loop_timer(sm->loop, &sm->uploads->timer, PACE_MS, on_timer);
}

void uploads_close(struct sessman *sm)
{
    if (!sm->uploads)
        return;
    timer_stop(&sm->uploads->timer);
    sm->uploads->closed = true; /* its statement may be on its way */
}

/* --- URLs --- */

static const char domain_mark[] = "{domain}";

struct slice uploads_base(const struct sessman *sm, struct slice domain, struct arena *a)
{
    const char *url = sm->conf->upload_url, *at = strstr(url, domain_mark);
    struct slice base = at ? arena_fmt(a, "%.*s" SLICE_FMT "%s", (int)(at - url), url, SLICE_ARG(domain),
                                       at + strlen(domain_mark))
                           : slice_cstr(url);
    while (base.len && base.p[base.len - 1] == '/')
        base.len--;
    return base;
}

enum rc uploads_url_check(const char *url, struct why *why)
{
    struct slice u = slice_cstr(url);
    bool ok = slice_starts(u, SLICE("https://")) || slice_starts(u, SLICE("http://"));
    for (size_t i = 0; i < u.len; i++)
        ok = ok && u.p[i] > 0x20 && u.p[i] < 0x7f && !strchr("?#\"<>\\^`|", u.p[i]);
    if (ok)
        return RC_OK;
    why_set(why, "%s is no URL such as https://files.example.net/upload", url ? url : "this");
    return RC_SYNTAX;
}
