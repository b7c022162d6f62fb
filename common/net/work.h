/* common/net/work.h - a job for the thread pool, its result back on the loop
 *
 * Bounded: past `max` waiting jobs work_run says RC_LIMIT at once. */
#ifndef NET_WORK_H
#define NET_WORK_H

#include "common/net/loop.h"

struct work_pool;
struct work_pool *work_pool_new(struct loop *loop, unsigned threads, size_t max);
void work_pool_free(struct work_pool **p); /* what waits still runs; returns when done() of all was called */
struct work {                                 /* first member of the caller's job struct, or embedded */
    struct work *next;
    void (*run)(struct work *w);              /* on a thread: touches nothing but the job */
    void (*done)(struct work *w);             /* on the loop; frees the job */
};
MUST_USE enum rc work_run(struct work_pool *p, struct work *w);
size_t work_waiting(const struct work_pool *p);

#endif
