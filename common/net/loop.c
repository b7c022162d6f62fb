/* common/net/loop.c */
#include "common/net/loop.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/net/inside.h"
#include <assert.h>
#include <signal.h>

enum { RELEASE_AFTER_MS = 2000, RELEASE_LEAST = 64, RELEASE_BYTES = 256 * 1024 };

/* --- the turn --- */

void loop_touch(struct loop *loop)
{
    if (!loop->began_ns)
        loop->began_ns = uv_hrtime();
}

static void count_turn(struct loop *loop)
{
    if (!loop->began_ns)
        return;
    uint64_t us = (uv_hrtime() - loop->began_ns) / 1000;
    loop->began_ns = 0;
    loop->stats.turns++;
    loop->stats.busy_us += us;
    if (us > loop->stats.longest_turn_us)
        loop->stats.longest_turn_us = us;
}

static void turns_add(struct turns *list, struct turn *t)
{
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    if (list->first)
        list->last->next = t;
    else
        list->first = t;
    list->last = t;
    list->n++;
}

static void turns_drop(struct turns *list, struct turn *t)
{
    struct turn *before = NULL;
    if (!t->queued)
        return;
    for (struct turn *at = list->first; at != t; at = at->next)
        before = at;
    if (before)
        before->next = t->next;
    else
        list->first = t->next;
    if (list->last == t)
        list->last = before;
    list->n--;
    t->queued = false;
}

/* Those that were asked for until now. */
static void turns_run(struct turns *list)
{
    for (size_t n = list->n; n && list->first; n--) {
        struct turn *t = list->first;
        list->first = t->next;
        list->n--;
        t->queued = false;
        t->fn(t);
    }
}

void loop_at_turn_end(struct loop *loop, struct turn *t)
{
    turns_add(&loop->turns, t);
}

void loop_turn_drop(struct loop *loop, struct turn *t)
{
    turns_drop(&loop->turns, t);
}

void loop_after_flush(struct loop *loop, struct turn *t)
{
    turns_add(&loop->flushed, t);
}

void loop_after_flush_drop(struct loop *loop, struct turn *t)
{
    turns_drop(&loop->flushed, t);
}

void loop_dirty(struct loop *loop, struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->dirty_next = NULL;
    if (loop->dirty)
        loop->dirty_last->dirty_next = c;
    else
        loop->dirty = c;
    loop->dirty_last = c;
}

void loop_undirty(struct loop *loop, struct conn *c)
{
    struct conn *before = NULL;
    if (!c->dirty)
        return;
    for (struct conn *at = loop->dirty; at != c; at = at->dirty_next)
        before = at;
    if (before)
        before->dirty_next = c->dirty_next;
    else
        loop->dirty = c->dirty_next;
    if (loop->dirty_last == c)
        loop->dirty_last = before;
    c->dirty = false;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* being active is all: the poll does not wait */
}

/* Runs what was asked for until now and flushes what was written until now; what these ask for and write is
 * left for the next call, which comes without waiting. */
static void end_turn(struct loop *loop)
{
    turns_run(&loop->turns);
    struct conn *last_dirty = loop->dirty ? loop->dirty_last : NULL;
    while (last_dirty) {
        struct conn *c = loop->dirty;
        if (c == last_dirty)
            last_dirty = NULL;
        loop->dirty = c->dirty_next;
        c->dirty = false;
        conn_end_turn(c);
    }
    turns_run(&loop->flushed);
    if (loop->turns.first || loop->flushed.first || loop->dirty)
        uv_idle_start(&loop->idle, on_idle);
    else
        uv_idle_stop(&loop->idle);
}

static void on_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop_touch(loop);
    loop->armed_ms = UINT64_MAX;
    wheel_advance(loop->wheel, uv_now(&loop->uv));
}

static void arm_timer(struct loop *loop)
{
    uint64_t next = wheel_next(loop->wheel);
    if (next == loop->armed_ms)
        return;
    loop->armed_ms = next;
    if (next == UINT64_MAX) {
        uv_timer_stop(&loop->timer);
        return;
    }
    uint64_t now = uv_now(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, next > now ? next - now : 0, 0);
}

/* After what timers, close callbacks and the first steps of the program wrote. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    end_turn(loop);
    count_turn(loop);
    arm_timer(loop);
}

/* After what came from sockets, threads and signals. */
static void on_check(uv_check_t *check)
{
    struct loop *loop = check->data;
    end_turn(loop);
    count_turn(loop);
}

/* --- life --- */

static void on_alive(uv_async_t *async)
{
    (void)async;
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof *loop);
    signal(SIGPIPE, SIG_IGN);
    int err = uv_loop_init(&loop->uv);
    err |= uv_prepare_init(&loop->uv, &loop->prepare);
    err |= uv_check_init(&loop->uv, &loop->check);
    err |= uv_idle_init(&loop->uv, &loop->idle);
    err |= uv_timer_init(&loop->uv, &loop->timer);
    err |= uv_async_init(&loop->uv, &loop->alive, on_alive);
    assert(err == 0); /* no descriptors at start: nothing can be done without a loop */
    (void)err;
    loop->uv.data = loop;
    loop->prepare.data = loop->check.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->idle);
    uv_unref((uv_handle_t *)&loop->timer);
    loop->wheel = wheel_new(uv_now(&loop->uv));
    loop->armed_ms = UINT64_MAX;
    loop->read_buf = mem_resize(NULL, READ_BYTES);
    return loop;
}

static void pool_drop(struct loop *loop)
{
    while (loop->pool) {
        struct outbuf *o = loop->pool;
        loop->pool = o->next;
        buf_fini(&o->b);
        mem_free(o);
    }
    loop->pool_count = 0;
}

void loop_free(struct loop **at)
{
    struct loop *loop = *at;
    if (!loop)
        return;
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->alive, NULL);
    for (unsigned i = 0; i < loop->signal_count; i++)
        uv_close((uv_handle_t *)&loop->signals[i].handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int err = uv_loop_close(&loop->uv);
    assert(err == 0); /* a handle was left open */
    (void)err;
    wheel_free(&loop->wheel);
    pool_drop(loop);
    buf_fini(&loop->cipher);
    mem_free(loop->read_buf);
    mem_free(loop->plain_buf);
    MEM_FREE(at);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

/* `alive` holds the loop until it is to stop, and longer where somebody wants that. */
static void let_go(struct loop *loop)
{
    if (!loop->stopping || loop->holds)
        return;
    uv_unref((uv_handle_t *)&loop->alive);
    uv_async_send(&loop->alive); /* ends a poll that has begun to wait */
}

void loop_stop(struct loop *loop)
{
    if (loop->stopping)
        return;
    loop->stopping = true;
    let_go(loop);
}

void loop_hold(struct loop *loop)
{
    loop->holds++;
}

void loop_release(struct loop *loop)
{
    loop->holds--;
    let_go(loop);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

void loop_timer(struct loop *loop, struct timer *t, uint64_t ms, void (*fire)(struct timer *))
{
    timer_set(loop->wheel, t, loop_now_ms(loop) + ms, fire);
}

struct loop_stats loop_stats(const struct loop *loop)
{
    return loop->stats;
}

/* --- output buffers, memory --- */

struct outbuf *outbuf_take(struct loop *loop)
{
    struct outbuf *o = loop->pool;
    if (o) {
        loop->pool = o->next;
        loop->pool_count--;
        return o;
    }
    o = mem_new(sizeof *o);
    buf_reserve(&o->b, OUT_FIRST_BYTES);
    return o;
}

static void on_release(struct timer *t)
{
    struct loop *loop = CONTAINER(t, struct loop, release);
    loop->gone = 0;
    pool_drop(loop);
    mem_release();
}

/* Not more often than every RELEASE_AFTER_MS, for it costs a walk over the heap. */
static void release_later(struct loop *loop)
{
    if (!timer_running(&loop->release))
        loop_timer(loop, &loop->release, RELEASE_AFTER_MS, on_release);
}

void outbuf_give(struct loop *loop, struct outbuf *o)
{
    if (o->b.cap >= RELEASE_BYTES)
        release_later(loop);
    if (loop->pool_count >= OUT_KEEP || o->b.cap > OUT_KEEP_BYTES) {
        buf_fini(&o->b);
        mem_free(o);
        return;
    }
    buf_reset(&o->b);
    o->conn = NULL;
    o->next = loop->pool;
    loop->pool = o;
    loop->pool_count++;
}

/* When as many conns have gone as are left, what they used is worth giving back. */
void loop_conn_gone(struct loop *loop)
{
    loop->conns--;
    loop->gone++;
    if (loop->gone >= RELEASE_LEAST && loop->gone >= loop->conns)
        release_later(loop);
}

/* --- calls from other threads, signals --- */

struct wake {
    uv_async_t async;
    void (*fn)(void *ctx);
    void *ctx;
};

static void on_wake(uv_async_t *async)
{
    struct wake *w = async->data;
    loop_touch(async->loop->data);
    if (w->fn)
        w->fn(w->ctx);
}

struct wake *wake_new(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    struct wake *w = mem_new(sizeof *w);
    int err = uv_async_init(&loop->uv, &w->async, on_wake);
    assert(err == 0);
    (void)err;
    w->async.data = w;
    w->fn = fn;
    w->ctx = ctx;
    uv_unref((uv_handle_t *)&w->async);
    return w;
}

void wake_post(struct wake *w)
{
    uv_async_send(&w->async);
}

static void on_wake_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void wake_free(struct wake **w)
{
    if (!*w)
        return;
    (*w)->fn = NULL;
    uv_close((uv_handle_t *)&(*w)->async, on_wake_closed);
    *w = NULL;
}

/* --- descriptors of others --- */

struct watch {
    uv_poll_t poll;
    void (*fn)(void *ctx);
    void *ctx;
};

/* An error is told as readable: whoever reads finds it. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    (void)status, (void)events;
    loop_touch(poll->loop->data);
    w->fn(w->ctx);
}

static void on_watch_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

enum rc watch_new(struct loop *loop, int fd, void (*fn)(void *ctx), void *ctx, struct watch **out,
                  struct why *why)
{
    struct watch *w = mem_new(sizeof *w);
    int err = uv_poll_init(&loop->uv, &w->poll, fd);
    if (err < 0) {
        why_set(why, "descriptor %d: %s", fd, uv_strerror(err));
        mem_free(w);
        return RC_IO;
    }
    w->poll.data = w;
    w->fn = fn;
    w->ctx = ctx;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&w->poll);
    *out = w;
    return RC_OK;
}

void watch_free(struct watch **w)
{
    if (!*w)
        return;
    uv_poll_stop(&(*w)->poll);
    uv_close((uv_handle_t *)&(*w)->poll, on_watch_closed);
    *w = NULL;
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signal_slot *slot = handle->data;
    loop_touch(handle->loop->data);
    slot->fn(slot->ctx, signum);
}

void loop_on_signal(struct loop *loop, int signum, void (*fn)(void *ctx, int signum), void *ctx)
{
    assert(loop->signal_count < SIGNALS_MAX);
    struct signal_slot *slot = &loop->signals[loop->signal_count++];
    slot->fn = fn;
    slot->ctx = ctx;
    uv_signal_init(&loop->uv, &slot->handle);
    slot->handle.data = slot;
    uv_signal_start(&slot->handle, on_signal, signum);
    uv_unref((uv_handle_t *)&slot->handle);
}
