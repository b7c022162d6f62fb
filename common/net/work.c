/* common/net/work.c */
#include "common/net/work.h"

#include "common/base/mem.h"
#include <assert.h>
#include <pthread.h>
#include <signal.h>

enum { THREADS_MAX = 64 };

struct queue {
    struct work *first, *last;
};

struct work_pool {
    pthread_mutex_t lock; /* over the queues, waiting and ending */
    pthread_cond_t more;
    struct queue todo, finished;
    size_t waiting; /* in todo */
    bool ending;
    struct wake *wake;
    size_t max;
    unsigned thread_count;
    pthread_t threads[];
};

static void put(struct queue *q, struct work *w)
{
    w->next = NULL;
    if (q->first)
        q->last->next = w;
    else
        q->first = w;
    q->last = w;
}

static struct work *get(struct queue *q)
{
    struct work *w = q->first;
    if (w)
        q->first = w->next;
    return w;
}

static void *worker(void *arg)
{
    struct work_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct work *w = get(&p->todo);
        if (w) {
            p->waiting--;
            pthread_mutex_unlock(&p->lock);
            w->run(w);
            pthread_mutex_lock(&p->lock);
            bool was_empty = !p->finished.first;
            put(&p->finished, w);
            if (was_empty)
                wake_post(p->wake);
        } else if (p->ending) {
            break;
        } else {
            pthread_cond_wait(&p->more, &p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void on_finished(void *ctx)
{
    struct work_pool *p = ctx;
    pthread_mutex_lock(&p->lock);
    struct queue all = p->finished;
    p->finished = (struct queue){ NULL, NULL };
    pthread_mutex_unlock(&p->lock);
    for (struct work *w; (w = get(&all));)
        w->done(w);
}

struct work_pool *work_pool_new(struct loop *loop, unsigned threads, size_t max)
{
    if (threads == 0 || threads > THREADS_MAX)
        threads = threads ? THREADS_MAX : 1;
    struct work_pool *p = mem_new(sizeof *p + threads * sizeof p->threads[0]);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->max = max;
    p->wake = wake_new(loop, on_finished, p);
    sigset_t all, before; /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&p->threads[p->thread_count], NULL, worker, p) == 0)
            p->thread_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(p->thread_count > 0);
    return p;
}

void work_pool_free(struct work_pool **at)
{
    struct work_pool *p = *at;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true; /* what waits is still run */
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    on_finished(p);
    wake_free(&p->wake);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    MEM_FREE(at);
}

enum rc work_run(struct work_pool *p, struct work *w)
{
    enum rc rc = RC_OK;
    pthread_mutex_lock(&p->lock);
    if (p->ending || p->waiting >= p->max) {
        rc = RC_LIMIT;
    } else {
        p->waiting++;
        put(&p->todo, w);
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

size_t work_waiting(const struct work_pool *p)
{
    struct work_pool *pool = (struct work_pool *)(uintptr_t)p; /* the lock changes, nothing else */
    pthread_mutex_lock(&pool->lock);
    size_t n = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    return n;
}
