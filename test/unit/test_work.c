/* test/unit/test_work.c - jobs on the pool, results on the loop */
#include "common/net/work.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { JOBS = 500 };

struct job {
    struct work work;
    struct state *all;
    unsigned in, out;
};
struct state {
    struct loop *loop;
    struct work_pool *pool;
    pthread_t loop_thread;
    sem_t gate;
    unsigned done, wrong;
};

static void square(struct work *w)
{
    struct job *j = CONTAINER(w, struct job, work);
    j->out = j->in * j->in;
}

static void wait_at_gate(struct work *w)
{
    sem_wait(&CONTAINER(w, struct job, work)->all->gate);
}

static void finished(struct work *w)
{
    struct job *j = CONTAINER(w, struct job, work);
    struct state *all = j->all;
    if (j->out != j->in * j->in || !pthread_equal(pthread_self(), all->loop_thread))
        all->wrong++;
    if (++all->done == JOBS)
        loop_stop(all->loop);
    mem_free(j);
}

static struct job *job_new(struct state *all, unsigned in, void (*run)(struct work *))
{
    struct job *j = mem_new(sizeof *j);
    j->work.run = run;
    j->work.done = finished;
    j->all = all;
    j->in = in;
    return j;
}

static void results_come_back_on_the_loop(void **state)
{
    (void)state;
    struct state all = { .loop = loop_new(), .loop_thread = pthread_self() };
    all.pool = work_pool_new(all.loop, 3, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(work_run(all.pool, &job_new(&all, i, square)->work), RC_OK);
    loop_run(all.loop);
    assert_int_equal(all.done, JOBS);
    assert_int_equal(all.wrong, 0);
    work_pool_free(&all.pool);
    loop_free(&all.loop);
}

static void past_the_limit_it_says_so(void **state)
{
    (void)state;
    struct state all = { .loop = loop_new(), .loop_thread = pthread_self() };
    struct job *refused = job_new(&all, 0, wait_at_gate);
    sem_init(&all.gate, 0, 0);
    all.pool = work_pool_new(all.loop, 1, 2);
    assert_int_equal(work_run(all.pool, &job_new(&all, 0, wait_at_gate)->work), RC_OK);
    while (work_waiting(all.pool)) /* until it runs, and waits at the gate */
        sched_yield();
    assert_int_equal(work_run(all.pool, &job_new(&all, 0, wait_at_gate)->work), RC_OK);
    assert_int_equal(work_run(all.pool, &job_new(&all, 0, wait_at_gate)->work), RC_OK);
    assert_int_equal(work_run(all.pool, &refused->work), RC_LIMIT);
    assert_int_equal(work_waiting(all.pool), 2);
    mem_free(refused);
    for (unsigned i = 0; i < 3; i++)
        sem_post(&all.gate);
    work_pool_free(&all.pool); /* runs what waits, and calls done of all */
    assert_int_equal(all.done, 3);
    sem_destroy(&all.gate);
    loop_free(&all.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back_on_the_loop),
        cmocka_unit_test(past_the_limit_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
