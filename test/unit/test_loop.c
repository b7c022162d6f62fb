/* test/unit/test_loop.c - turns, wakes, signals, timers, stopping */
#include "test/unit/net_world.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

struct seen {
    struct loop *loop;
    struct turn turn, other;
    struct timer timer;
    struct wake *wake;
    unsigned runs, others, wakes, signals;
};

static void run_once(struct turn *t)
{
    CONTAINER(t, struct seen, turn)->runs++;
}

static void run_again(struct turn *t)
{
    struct seen *s = CONTAINER(t, struct seen, turn);
    if (++s->runs < 5)
        loop_at_turn_end(s->loop, t);
    else
        loop_stop(s->loop);
}

static void drop_other(struct turn *t)
{
    struct seen *s = CONTAINER(t, struct seen, turn);
    s->runs++;
    loop_turn_drop(s->loop, &s->other);
    loop_stop(s->loop);
}

static void run_other(struct turn *t)
{
    CONTAINER(t, struct seen, other)->others++;
}

static void asked_twice_is_once(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new(), .turn.fn = run_once };
    loop_at_turn_end(s.loop, &s.turn);
    loop_at_turn_end(s.loop, &s.turn);
    uv_run(&s.loop->uv, UV_RUN_NOWAIT);
    uv_run(&s.loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(s.runs, 1);
    loop_free(&s.loop);
}

static void asked_again_comes_without_an_event(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new(), .turn.fn = run_again };
    loop_at_turn_end(s.loop, &s.turn);
    loop_run(s.loop); /* would wait for ever, were the poll to wait */
    assert_int_equal(s.runs, 5);
    loop_free(&s.loop);
}

static void a_dropped_turn_does_not_come(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new(), .turn.fn = drop_other, .other.fn = run_other };
    loop_at_turn_end(s.loop, &s.turn);
    loop_at_turn_end(s.loop, &s.other);
    loop_run(s.loop);
    assert_int_equal(s.runs, 1);
    assert_int_equal(s.others, 0);
    loop_turn_drop(s.loop, &s.other); /* harmless */
    loop_free(&s.loop);
}

static void flushed(struct turn *t)
{
    struct seen *s = CONTAINER(t, struct seen, other);
    assert_int_equal(s->runs, 1); /* after what was to be done at the end of the turn */
    s->others++;
    loop_at_turn_end(s->loop, &s->turn); /* comes without an event */
}

static void what_is_asked_for_after_the_flush_comes_last(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new(), .turn.fn = run_once, .other.fn = flushed };
    loop_after_flush(s.loop, &s.other);
    loop_at_turn_end(s.loop, &s.turn);
    for (int i = 0; i < 3; i++)
        uv_run(&s.loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(s.others, 1);
    assert_int_equal(s.runs, 2);
    loop_after_flush(s.loop, &s.other);
    loop_after_flush_drop(s.loop, &s.other);
    uv_run(&s.loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(s.others, 1);
    loop_free(&s.loop);
}

static void on_wake(void *ctx)
{
    struct seen *s = ctx;
    s->wakes++;
    loop_stop(s->loop);
}

static void *post(void *ctx)
{
    struct seen *s = ctx;
    wake_post(s->wake);
    wake_post(s->wake);
    return NULL;
}

static void another_thread_wakes_it(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new() };
    pthread_t thread;
    s.wake = wake_new(s.loop, on_wake, &s);
    assert_int_equal(pthread_create(&thread, NULL, post, &s), 0);
    loop_run(s.loop);
    pthread_join(thread, NULL);
    assert_true(s.wakes >= 1);
    wake_free(&s.wake);
    assert_null(s.wake);
    loop_free(&s.loop);
}

static void on_signal(void *ctx, int signum)
{
    struct seen *s = ctx;
    assert_int_equal(signum, SIGUSR1);
    s->signals++;
    loop_stop(s->loop);
}

static void signals_arrive_on_the_loop(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new() };
    loop_on_signal(s.loop, SIGUSR1, on_signal, &s);
    kill(getpid(), SIGUSR1);
    loop_run(s.loop);
    assert_int_equal(s.signals, 1);
    loop_free(&s.loop);
}

struct pipe {
    struct loop *loop;
    struct watch *watch;
    int fds[2];
    unsigned calls, bytes;
};

static void take_byte(void *ctx)
{
    struct pipe *p = ctx;
    char byte;
    p->calls++;
    if (read(p->fds[0], &byte, 1) == 1)
        p->bytes++;
    if (p->bytes == 3) {
        watch_free(&p->watch);
        loop_stop(p->loop);
    }
}

static void a_foreign_descriptor_is_watched_until_it_is_not(void **state)
{
    (void)state;
    struct pipe p = { .loop = loop_new() };
    struct why why = { "" };
    assert_int_equal(pipe(p.fds), 0);
    assert_int_equal(watch_new(p.loop, p.fds[0], take_byte, &p, &p.watch, &why), RC_OK);
    uv_run(&p.loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(p.calls, 0);
    assert_int_equal(write(p.fds[1], "abcd", 4), 4);
    loop_run(p.loop); /* a byte a call: it comes again as long as there is something */
    assert_int_equal(p.bytes, 3);
    assert_null(p.watch);
    assert_int_equal(p.calls, 3);
    watch_free(&p.watch);
    loop_free(&p.loop); /* nothing is left open */
    close(p.fds[0]);
    close(p.fds[1]);
}

static void what_cannot_be_watched_is_told(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct watch *w = NULL;
    struct why why = { "" };
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    assert_int_equal(watch_new(loop, fd, take_byte, NULL, &w, &why), RC_IO);
    assert_true(why.text[0]);
    assert_null(w);
    loop_free(&loop);
}

static void on_timer(struct timer *t)
{
    struct seen *s = CONTAINER(t, struct seen, timer);
    if (++s->runs == 3)
        loop_stop(s->loop);
    else
        loop_timer(s->loop, t, 1, on_timer);
}

static void timers_fire_and_set_themselves_again(void **state)
{
    (void)state;
    struct seen s = { .loop = loop_new() };
    uint64_t before = loop_now_ms(s.loop);
    loop_timer(s.loop, &s.timer, 20, on_timer);
    loop_run(s.loop);
    assert_int_equal(s.runs, 3);
    assert_true(loop_now_ms(s.loop) >= before + 20); /* never early */
    assert_true(loop_stats(s.loop).turns >= 3);
    loop_free(&s.loop);
}

static void it_runs_until_every_handle_is_closed(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    listen_close(&w->listener);
    conn_finish(w->server.conn, PATIENCE_MS);
    loop_stop(w->loop);
    loop_run(w->loop); /* returns when both ends have closed */
    assert_int_equal(w->server.closed, 1);
    assert_int_equal(w->client.closed, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_twice_is_once),
        cmocka_unit_test(asked_again_comes_without_an_event),
        cmocka_unit_test(a_dropped_turn_does_not_come),
        cmocka_unit_test(what_is_asked_for_after_the_flush_comes_last),
        cmocka_unit_test(another_thread_wakes_it),
        cmocka_unit_test(signals_arrive_on_the_loop),
        cmocka_unit_test(a_foreign_descriptor_is_watched_until_it_is_not),
        cmocka_unit_test(what_cannot_be_watched_is_told),
        cmocka_unit_test(timers_fire_and_set_themselves_again),
        cmocka_unit_test(it_runs_until_every_handle_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
