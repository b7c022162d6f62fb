/* common/net/loop.h - the loop: libuv, one shared read buffer, end-of-turn flush, timer wheel
 *
 * A turn is one pass of libuv: everything readable is read and handled, then whatever was written to a conn in the
 * turn leaves in one write per conn. Only common/net sees libuv. One loop per process; single-threaded. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "common/base/buf.h"
#include "common/base/wheel.h"

struct loop;
struct loop *loop_new(void); /* also ignores SIGPIPE */
void loop_free(struct loop **loop); /* every handle must be closed and loop_run have returned */
void loop_run(struct loop *loop);  /* until loop_stop, and then until all handles are closed */
void loop_stop(struct loop *loop);
/* While somebody holds it, loop_run goes on also behind loop_stop and without handles: what waits for a timer. Pairs. */
void loop_hold(struct loop *loop);
void loop_release(struct loop *loop);

uint64_t loop_now_ms(const struct loop *loop); /* monotonic, as of the start of the turn */
/* Timers are base/wheel.h: in ms from now, on the loop. */
void loop_timer(struct loop *loop, struct timer *t, uint64_t ms, void (*fire)(struct timer *));

/* Something to be done once at the end of this turn, before the conns are flushed. A zeroed struct turn is idle;
 * asking twice in a turn is once. It may ask again (next turn) from inside. */
struct turn {
    struct turn *next;
    bool queued;
    void (*fn)(struct turn *t);
};
void loop_at_turn_end(struct loop *loop, struct turn *t);
void loop_turn_drop(struct loop *loop, struct turn *t); /* not any more; before its memory is freed */
/* The same once the conns have been flushed: what of their output the sockets took is known. A struct turn is asked for one of both. */
void loop_after_flush(struct loop *loop, struct turn *t);
void loop_after_flush_drop(struct loop *loop, struct turn *t);

/* A call from another thread: fn(ctx) runs on the loop, soon; many posts may be one call. */
struct wake;
struct wake *wake_new(struct loop *loop, void (*fn)(void *ctx), void *ctx);
void wake_post(struct wake *w); /* any thread */
void wake_free(struct wake **w);

/* A descriptor of somebody else's (a library's pipe): fn(ctx) runs on the loop when it can be read, and again as long as it
 * can. It is made non-blocking, is not closed here, and must stay open until watch_free. It does not hold loop_run. */
struct watch;
MUST_USE enum rc watch_new(struct loop *loop, int fd, void (*fn)(void *ctx), void *ctx, struct watch **out, struct why *why);
void watch_free(struct watch **w); /* fn does not come any more; NULL is harmless */

/* Signals, delivered on the loop. At most 8 of them. */
void loop_on_signal(struct loop *loop, int signum, void (*fn)(void *ctx, int signum), void *ctx);

/* Share of time the loop was busy since the last call, in percent, and the longest turn in us. For status. */
struct loop_stats {
    uint64_t turns, busy_us, longest_turn_us;
};
struct loop_stats loop_stats(const struct loop *loop);

#endif
