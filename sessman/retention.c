#include "sessman/retention.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "sessman/journal.h"

enum {
    PART_ROWS = 500,   /* rows that go at once */
    COUNT_ROWS = 5000, /* rows that are counted at once */
    PACE_MS = 25,      /* between two parts */
    LOOK_MS = 30000,   /* between two looks whether there is something to do */
    SLACK_PART = 64,   /* of an archive's size, over which it may be until the next look */
};
#define DAY_MS INT64_C(86400000)

enum job { JOB_GONE, JOB_AGE, JOB_COUNT, JOB_SIZE };

/* One look: accounts that are gone, then each domain, by age and then by size. */
struct retention {
    struct sessman *sm;
    struct timer timer; /* runs, or a statement's result goes on */
    bool again;         /* kicked in the middle of a look */
    bool closed;
    enum job job;
    char *domain;        /* that it is about; NULL: the first one is next */
    int64_t account;     /* that is gone */
    int64_t from, below; /* positions: behind from and before below */
};

static void next_domain(struct retention *r);
static void on_timer(struct timer *t);

static void later(struct retention *r, uint64_t ms)
{
    if (!r->closed)
        loop_timer(r->sm->loop, &r->timer, ms, on_timer);
}

static void on_part_done(void *ctx, const struct store_result *res)
{
    struct retention *r = ctx;
    (void)res;
    later(r, PACE_MS);
}

/* --- accounts that are gone --- */

static void on_gone_part(void *ctx, const struct store_result *res)
{
    static const enum stmt steps[] = { STMT_RECLAIM_OWNED, STMT_RECLAIM_SENT, STMT_RECLAIM_ROWS,
                                       STMT_RECLAIM_ENTRIES };
    struct retention *r = ctx;
    struct store *store = r->sm->store;
    if (!res->rows || store_row(res, 0)[0].type != STORE_INT) {
        store_run(store, STMT_GONE_DONE, STORE_VALUES(STORE_I(r->account)), on_part_done, r);
        return;
    }
    int64_t last = store_row(res, 0)[0].i;
    for (size_t i = 0; i < 4; i++)
        store_run(store, steps[i], STORE_VALUES(STORE_I(r->account), STORE_I(last)),
                  i == 3 ? on_part_done : NULL, r);
}

static void on_gone(void *ctx, const struct store_result *res)
{
    struct retention *r = ctx;
    if (!res->rows) {
        next_domain(r);
        return;
    }
    r->account = store_row(res, 0)[0].i;
    store_run(r->sm->store, STMT_RECLAIM_NEXT, STORE_VALUES(STORE_I(r->account), STORE_I(PART_ROWS)),
              on_gone_part, r);
}

/* --- a domain's rows --- */

static bool over(const struct domain *d, uint64_t slack)
{
    return d->archive_bytes && d->archive_counted && d->archive_used > d->archive_bytes + slack;
}

static void begin(struct retention *r, enum job job, int64_t from, int64_t below)
{
    r->job = job;
    r->from = from;
    r->below = below;
    later(r, PACE_MS);
}

/* What comes after a job on a domain. */
static void job_done(struct retention *r, struct domain *d)
{
    int64_t end = (int64_t)journal_end(r->sm);
    if (r->job == JOB_AGE && r->from > d->expired) {
        d->expired = r->from;
        store_run(r->sm->store, STMT_DOMAIN_EXPIRED,
                  STORE_VALUES(STORE_T(slice_cstr(d->name)), STORE_I(d->expired)), NULL, NULL);
    }
    if (r->job == JOB_COUNT)
        d->archive_counted = true;
    if (r->job == JOB_AGE && d->archive_bytes && !d->archive_counted) {
        d->archive_used = 0;
        d->archive_counting = r->sm->archive_counted = true;
        begin(r, JOB_COUNT, d->expired, end);
    } else if (r->job != JOB_SIZE && over(d, 0)) {
        begin(r, JOB_SIZE, d->expired, end);
    } else {
        next_domain(r);
    }
}

/* Entries first: they are found by the rows. */
static void expire(struct retention *r, struct domain *d, int64_t last, uint64_t bytes)
{
    static const enum stmt steps[] = { STMT_EXPIRE_OWNED, STMT_EXPIRE_SENT,   STMT_EXPIRE_ROWS,
                                       STMT_EXPIRE_OWNER, STMT_EXPIRE_SENDER, STMT_EXPIRE_REST };
    const struct store_value values[] = { STORE_I(r->from), STORE_I(last), STORE_T(slice_cstr(d->name)),
                                          STORE_I(r->job == JOB_SIZE) };
    d->archive_used -= bytes < d->archive_used ? bytes : d->archive_used;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        store_run(r->sm->store, steps[i], values, 4, i == 5 ? on_part_done : NULL, r);
}

/* The domain's rows up to here go, or have been counted. */
static void take_part(struct retention *r, struct domain *d, int64_t last, uint64_t bytes, uint64_t rows)
{
    if (r->job == JOB_COUNT) {
        d->archive_used += bytes;
        later(r, PACE_MS);
    } else {
        metric_add(r->sm->metrics, M_EXPIRED, rows);
        expire(r, d, last, bytes);
    }
    r->from = last;
}

/* NULL: it was removed meanwhile. */
static struct domain *still_there(struct retention *r)
{
    struct domain *d = sessman_domain(r->sm, slice_cstr(r->domain));
    if (!d)
        next_domain(r);
    return d;
}

static void on_part(void *ctx, const struct store_result *res)
{
    struct retention *r = ctx;
    struct domain *d = still_there(r);
    const struct store_value *v = store_row(res, 0); /* the last row, bytes of all, how many */
    if (!d)
        return;
    if (res->rows && v[0].type == STORE_INT) {
        take_part(r, d, v[0].i, (uint64_t)v[1].i, (uint64_t)v[2].i);
        return;
    }
    if (r->job == JOB_AGE)
        r->from = r->below - 1;
    job_done(r, d);
}

/* For the size: no more than what is too much. */
static void on_sizes(void *ctx, const struct store_result *res)
{
    struct retention *r = ctx;
    struct domain *d = still_there(r);
    if (!d)
        return;
    uint64_t bytes = 0;
    size_t n = 0;
    while (n < res->rows && d->archive_used > d->archive_bytes + bytes)
        bytes += (uint64_t)store_row(res, n++)[1].i;
    if (n && over(d, 0))
        take_part(r, d, store_row(res, n - 1)[0].i, bytes, n);
    else
        job_done(r, d);
}

static void on_cutoff(void *ctx, const struct store_result *res)
{
    struct retention *r = ctx;
    struct domain *d = still_there(r);
    if (!d)
        return;
    if (res->rows && store_row(res, 0)[0].i > d->expired)
        begin(r, JOB_AGE, d->expired, store_row(res, 0)[0].i);
    else
        job_done(r, d);
}

/* The next one by name: domains come and go meanwhile. */
static struct domain *after(const struct retention *r)
{
    struct domain *next = NULL;
    size_t at = 0;
    for (struct domain *d; (d = map_next(r->sm->domains, &at)) != NULL;)
        if ((!r->domain || strcmp(d->name, r->domain) > 0) && (!next || strcmp(d->name, next->name) < 0))
            next = d;
    return next;
}

static void next_domain(struct retention *r)
{
    struct domain *d = r->closed ? NULL : after(r);
    MEM_FREE(&r->domain);
    r->from = 0;
    if (!d) {
        r->job = JOB_GONE;
        later(r, r->again ? PACE_MS : LOOK_MS);
        r->again = false;
        return;
    }
    r->domain = mem_copy(slice_cstr(d->name));
    r->job = JOB_AGE;
    if (d->archive_days)
        store_run(r->sm->store, STMT_LANDMARK_BEFORE,
                  STORE_VALUES(STORE_I(clock_wall_ms() - d->archive_days * DAY_MS)), on_cutoff, r);
    else
        job_done(r, d);
}

static void on_timer(struct timer *t)
{
    struct retention *r = CONTAINER(t, struct retention, timer);
    struct store *store = r->sm->store;
    if (store_full(store))
        later(r, PACE_MS);
    else if (r->job == JOB_GONE)
        store_run(store, STMT_GONE_ALL, NULL, 0, on_gone, r);
    else
        store_run(store, r->job == JOB_SIZE ? STMT_EXPIRE_SIZES : STMT_EXPIRE_NEXT,
                  STORE_VALUES(STORE_I(r->from), STORE_I(r->below), STORE_T(slice_cstr(r->domain)),
                               STORE_I(r->job == JOB_SIZE),
                               STORE_I(r->job == JOB_COUNT ? COUNT_ROWS : PART_ROWS)),
                  r->job == JOB_SIZE ? on_sizes : on_part, r);
}

/* --- from outside --- */

void retention_kick(struct sessman *sm)
{
    struct retention *r = sm->retention;
    if (!r)
        return;
    if (r->job == JOB_GONE && timer_running(&r->timer))
        later(r, PACE_MS);
    else
        r->again = true;
}

void retention_added(struct sessman *sm, struct slice domain, size_t bytes)
{
    struct domain *d = sessman_domain(sm, domain);
    if (!d || !d->archive_counting)
        return;
    d->archive_used += bytes;
    if (over(d, d->archive_bytes / SLACK_PART) && sm->retention && !sm->retention->again)
        retention_kick(sm);
}

void retention_open(struct sessman *sm)
{
    struct retention *r = mem_new(sizeof *r);
    r->sm = sm;
    sm->retention = r;
    later(r, PACE_MS);
}

void retention_close(struct sessman *sm)
{
    if (!sm->retention)
        return;
    timer_stop(&sm->retention->timer);
    sm->retention->closed = true;
}

void retention_free(struct sessman *sm)
{
    if (!sm->retention)
        return;
    mem_free(sm->retention->domain);
    mem_free(sm->retention);
    sm->retention = NULL;
}
