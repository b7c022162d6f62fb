/* sessman/store/queue.c - from the loop to the store's thread and back: batches, group commit, trying again
 *
 * The loop fills a batch; at the end of the turn the batch joins `queued`. The thread takes all that is
 * queued at once: one transaction, whatever came together while the one before was committed. Results go back
 * as groups. */
#include "sessman/store/inside.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MOST_MS = 2000,
    CLOSE_TRIES = 3,              /* a store that is being closed gives up after so many */
    BATCH_KEEP_BYTES = 64 * 1024, /* a batch's memory is used again unless it grew over this */
    ROWS_CHUNK_BYTES = 2048,
    STACK_BYTES = 256 * 1024,
};

/* One statement in a batch: this, its values, and then their bytes, padded to 16. */
struct op {
    store_done done;
    void *ctx;
    uint32_t bytes;
    uint8_t id, n;
};
struct batch {
    struct batch *next;
    struct buf ops;
    size_t count;
    uint64_t last_ticket;
    bool writes;
};
struct outcome {
    struct outcome *next;
    store_done done;
    void *ctx;
    struct store_result r;
};
struct group { /* batches that went in together, and what came of them */
    struct group *next;
    struct batch *batches;
    uint64_t first_ticket, last_ticket;
    size_t count;
    struct arena *rows;
    struct outcome *first, **end;
    bool failed; /* never committed: the store was closed on a failing disk */
};

struct store {
    struct loop *loop; /* NULL: everything is done at once */
    struct log_ctx log;
    struct db *db; /* the thread's, while there is one */
    void (*on_commit)(void *ctx);
    void (*on_batch)(void *ctx);
    void *ctx;
    size_t queue_max;
    /* the loop's */
    struct turn turn;
    struct batch *filling, *spare;
    uint64_t tickets, committed, finished;
    struct wake *wake;
    bool threaded;
    pthread_t thread;
    /* between both, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct batch *queued, **queued_end;
    struct group *results, **results_end;
    struct store_stats stats;
    bool stopping, shrink;
};

/* --- on the thread --- */

static void group_free(struct group **g)
{
    arena_free(&(*g)->rows);
    MEM_FREE(g);
}

static enum rc run_op(struct store *s, struct group *g, struct op *op, uint64_t ticket, struct why *why)
{
    struct store_value *values = (void *)(op + 1);
    const char *bytes = (const char *)(values + op->n);
    for (unsigned i = 0; i < op->n; i++) {
        values[i].s.p = bytes;
        bytes += values[i].s.len;
    }
    if (!op->done) {
        struct store_result ignored;
        return db_run(s->db, op->id, values, op->n, NULL, &ignored, why);
    }
    if (!g->rows)
        g->rows = arena_new(ROWS_CHUNK_BYTES, 0);
    struct outcome *o = arena_alloc(g->rows, sizeof *o);
    *o = (struct outcome){ .done = op->done, .ctx = op->ctx, .r.ticket = ticket };
    *g->end = o;
    g->end = &o->next;
    return db_run(s->db, op->id, values, op->n, g->rows, &o->r, why);
}

static bool group_writes(struct store *s, const struct group *g)
{
    for (struct batch *b = g->batches; b; b = b->next)
        for (size_t at = 0; at < b->ops.len;) {
            const struct op *op = (const void *)(b->ops.p + at);
            if (db_writes(s->db, op->id))
                return true;
            at += op->bytes;
        }
    return false;
}

static void forget_outcomes(struct group *g)
{
    g->first = NULL;
    g->end = &g->first;
    if (g->rows)
        arena_reset(g->rows);
}

static enum rc try_group(struct store *s, struct group *g, uint64_t *commit_us, struct why *why)
{
    uint64_t ticket = g->first_ticket;
    bool writes = group_writes(s, g), whole = writes || g->count > 1;
    forget_outcomes(g);
    enum rc rc = whole ? db_begin(s->db, writes, why) : RC_OK;
    for (struct batch *b = g->batches; b && rc == RC_OK; b = b->next)
        for (size_t at = 0; at < b->ops.len && rc == RC_OK; ticket++) {
            struct op *op = (void *)(b->ops.p + at);
            rc = run_op(s, g, op, ticket, why);
            at += op->bytes;
        }
    uint64_t before_us = clock_mono_us();
    if (rc == RC_OK && whole)
        rc = db_commit(s->db, why);
    *commit_us = writes ? clock_mono_us() - before_us : 0;
    if (rc != RC_OK)
        db_rollback(s->db);
    return rc;
}

/* Waits before the next try; false: the store is being closed. */
static bool wait_ms(struct store *s, uint32_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && pthread_cond_timedwait(&s->work, &s->lock, &until) == 0)
        ;
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return !stopping;
}

/* Every statement that somebody waits for is told so; what was not committed stays uncommitted. */
static void give_up(struct group *g)
{
    g->failed = true;
    forget_outcomes(g);
    uint64_t ticket = g->first_ticket;
    for (struct batch *b = g->batches; b; b = b->next)
        for (size_t at = 0; at < b->ops.len; ticket++) {
            const struct op *op = (const void *)(b->ops.p + at);
            at += op->bytes;
            if (!op->done)
                continue;
            if (!g->rows)
                g->rows = arena_new(ROWS_CHUNK_BYTES, 0);
            struct outcome *o = arena_alloc(g->rows, sizeof *o);
            *o = (struct outcome){ .done = op->done, .ctx = op->ctx, .r = { .rc = RC_IO, .ticket = ticket } };
            *g->end = o;
            g->end = &o->next;
        }
}

static void set_failing(struct store *s, bool failing)
{
    pthread_mutex_lock(&s->lock);
    s->stats.failing = failing;
    pthread_mutex_unlock(&s->lock);
}

static uint64_t commit_group(struct store *s, struct group *g, uint64_t *retries)
{
    struct why why = { "" };
    uint64_t us = 0;
    uint32_t delay_ms = RETRY_FIRST_MS;
    unsigned closing = 0;
    while (try_group(s, g, &us, &why) != RC_OK) {
        set_failing(s, true);
        if (++*retries == 1)
            LOG_ERROR(&s->log, "store_failing", F_UINT("statements", g->count), F_WHY(&why));
        if (!wait_ms(s, delay_ms) && ++closing >= CLOSE_TRIES) {
            LOG_ERROR(&s->log, "store_gave_up", F_UINT("statements_lost", g->count), F_WHY(&why));
            give_up(g);
            return 0;
        }
        delay_ms = delay_ms * 2 < RETRY_MOST_MS ? delay_ms * 2 : RETRY_MOST_MS;
    }
    if (*retries) {
        set_failing(s, false);
        LOG_WARN(&s->log, "store_recovered", F_UINT("tries", *retries + 1), F_UINT("statements", g->count));
    }
    return us;
}

/* Called with the lock. */
static struct group *take_queued(struct store *s)
{
    struct group *g = mem_new(sizeof *g);
    g->end = &g->first;
    g->batches = s->queued;
    for (struct batch *b = s->queued; b; b = b->next) {
        g->count += b->count;
        g->last_ticket = b->last_ticket;
    }
    g->first_ticket = g->last_ticket + 1 - g->count;
    s->queued = NULL;
    s->queued_end = &s->queued;
    return g;
}

static void count(struct store_stats *st, const struct group *g, uint64_t us, uint64_t retries)
{
    st->statements += g->count;
    st->commits++;
    st->retries += retries;
    st->commit_us_total += us;
    if (g->count > st->batch_max)
        st->batch_max = g->count;
    if (us > st->commit_us_max)
        st->commit_us_max = us;
}

static void shrink(struct store *s)
{
    db_shrink(s->db);
    mem_release();
}

static void *thread_main(void *arg)
{
    struct store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->queued && !s->stopping && !s->shrink)
            pthread_cond_wait(&s->work, &s->lock);
        if (s->shrink) {
            s->shrink = false;
            pthread_mutex_unlock(&s->lock);
            shrink(s);
            pthread_mutex_lock(&s->lock);
            continue;
        }
        if (!s->queued)
            break;
        struct group *g = take_queued(s);
        pthread_mutex_unlock(&s->lock);
        uint64_t retries = 0, us = commit_group(s, g, &retries);
        pthread_mutex_lock(&s->lock);
        count(&s->stats, g, us, retries);
        *s->results_end = g;
        s->results_end = &g->next;
        wake_post(s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- on the loop --- */

static void batch_done(struct store *s, struct batch *b)
{
    if (s->spare || b->ops.cap > BATCH_KEEP_BYTES) {
        buf_fini(&b->ops);
        mem_free(b);
        return;
    }
    buf_reset(&b->ops);
    b->count = 0;
    b->writes = false;
    s->spare = b;
}

static void on_results(void *ctx)
{
    struct store *s = ctx;
    pthread_mutex_lock(&s->lock);
    struct group *g = s->results;
    s->results = NULL;
    s->results_end = &s->results;
    pthread_mutex_unlock(&s->lock);
    while (g) {
        struct group *next = g->next;
        s->finished = g->last_ticket;
        if (!g->failed) {
            s->committed = g->last_ticket;
            if (s->on_commit)
                s->on_commit(s->ctx);
        }
        for (struct outcome *o = g->first; o; o = o->next)
            o->done(o->ctx, &o->r);
        while (g->batches) {
            struct batch *b = g->batches;
            g->batches = b->next;
            batch_done(s, b);
        }
        group_free(&g);
        g = next;
    }
}

static void hand_over(struct store *s)
{
    struct batch *b = s->filling;
    if (!b)
        return;
    if (b->writes && s->on_batch)
        s->on_batch(s->ctx);
    s->filling = NULL;
    b->next = NULL;
    b->last_ticket = s->tickets;
    pthread_mutex_lock(&s->lock);
    *s->queued_end = b;
    s->queued_end = &b->next;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

void store_shrink(struct store *s)
{
    if (!s->threaded) {
        shrink(s);
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->shrink = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

static void on_turn_end(struct turn *t)
{
    hand_over((struct store *)(void *)((char *)t - offsetof(struct store, turn)));
}

static uint64_t run_now(struct store *s, enum stmt id, const struct store_value *values, size_t n,
                        store_done done, void *ctx)
{
    struct store_result r = { .ticket = ++s->tickets };
    struct arena *rows = done ? arena_new(ROWS_CHUNK_BYTES, 0) : NULL;
    struct why why;
    if (db_run(s->db, id, values, n, rows, &r, &why) != RC_OK) {
        LOG_ERROR(&s->log, "store_failing", F_WHY(&why));
        r.rc = RC_IO;
        r.rows = 0;
    } else {
        s->committed = s->tickets;
    }
    s->finished = s->tickets;
    s->stats.statements++;
    s->stats.commits++;
    if (done)
        done(ctx, &r);
    arena_free(&rows);
    return s->tickets;
}

/* By how the statement begins. */
static const bool writes[] = {
#define X(id, sql) [STMT_##id] = (sql)[0] != 'S',
    STATEMENTS(X)
#undef X
};

uint64_t store_run(struct store *s, enum stmt id, const struct store_value *values, size_t n, store_done done,
                   void *ctx)
{
    assert(n <= STORE_PARAMS_MAX);
    if (!s->threaded)
        return run_now(s, id, values, n, done, ctx);
    struct batch *b = s->filling;
    if (!b) {
        b = s->spare ? s->spare : mem_new(sizeof *b);
        s->spare = NULL;
        s->filling = b;
        loop_at_turn_end(s->loop, &s->turn);
    }
    struct op op = { .done = done, .ctx = ctx, .id = (uint8_t)id, .n = (uint8_t)n };
    size_t bytes = sizeof op + n * sizeof *values;
    for (size_t i = 0; i < n; i++)
        bytes += values[i].s.len;
    size_t padded = (bytes + 15) & ~(size_t)15;
    op.bytes = (uint32_t)padded;
    buf_reserve(&b->ops, padded);
    buf_put(&b->ops, &op, sizeof op);
    buf_put(&b->ops, values, n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        buf_slice(&b->ops, values[i].s);
    buf_put(&b->ops, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", padded - bytes);
    b->count++;
    b->writes = b->writes || writes[id];
    return ++s->tickets;
}

uint64_t store_next(const struct store *s)
{
    return s->tickets + 1;
}

uint64_t store_committed(const struct store *s)
{
    return s->committed;
}

bool store_full(const struct store *s)
{
    return s->queue_max && s->tickets - s->finished >= s->queue_max;
}

struct store_stats store_stats(const struct store *cs)
{
    struct store *s = (struct store *)(uintptr_t)cs; /* the lock is the only thing touched */
    pthread_mutex_lock(&s->lock);
    struct store_stats st = s->stats;
    pthread_mutex_unlock(&s->lock);
    st.waiting = s->tickets - s->finished;
    return st;
}

/* --- life --- */

static enum rc start_thread(struct store *s, struct why *why)
{
    sigset_t all, old;
    pthread_attr_t attr;
    s->wake = wake_new(s->loop, on_results, s);
    s->turn.fn = on_turn_end;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int err = pthread_create(&s->thread, &attr, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (err != 0) {
        why_set(why, "store: no thread: %s", strerror(err));
        wake_free(&s->wake);
        return RC_IO;
    }
    s->threaded = true;
    return RC_OK;
}

static void store_free(struct store **at)
{
    struct store *s = *at;
    db_close(&s->db);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    if (s->spare)
        buf_fini(&s->spare->ops);
    mem_free(s->spare);
    MEM_FREE(at);
}

enum rc store_open(struct loop *loop, struct log *log, const struct store_conf *conf,
                   void (*on_commit)(void *ctx), void *ctx, struct store **out, struct why *why)
{
    pthread_condattr_t attr;
    struct store *s = mem_new(sizeof *s);
    s->loop = loop;
    s->log = (struct log_ctx){ .log = log, .sub = LOG_STORE };
    s->on_commit = on_commit;
    s->on_batch = conf->on_batch;
    s->ctx = ctx;
    s->queue_max = conf->queue_max;
    s->queued_end = &s->queued;
    s->results_end = &s->results;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &attr);
    pthread_condattr_destroy(&attr);
    enum rc rc = db_open(conf, log, &s->db, why);
    if (rc == RC_OK && loop)
        db_background(s->db, conf);
    if (rc == RC_OK && loop)
        rc = start_thread(s, why);
    if (rc != RC_OK)
        store_free(&s);
    else
        *out = s;
    return rc;
}

void store_close(struct store **at)
{
    struct store *s = *at;
    if (!s)
        return;
    if (s->threaded) {
        loop_turn_drop(s->loop, &s->turn);
        hand_over(s);
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
        s->threaded = false; /* what the callbacks below still ask for is done at once */
        on_results(s);
        wake_free(&s->wake);
    }
    *at = NULL;
    store_free(&s);
}
