/* test/unit/test_wheel.c */
#include "common/base/wheel.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct probe {
    struct timer timer;
    struct wheel *wheel;
    uint64_t *now; /* of the test */
    uint64_t fired_ms, again_ms;
    unsigned fired;
    struct timer *stops;
};

static void on_fire(struct timer *t)
{
    struct probe *p = CONTAINER(t, struct probe, timer);
    assert_false(timer_running(t));
    p->fired++;
    p->fired_ms = *p->now;
    if (p->stops)
        timer_stop(p->stops);
    if (p->again_ms)
        timer_set(p->wheel, t, *p->now + p->again_ms, on_fire);
}

/* Goes from one wheel_next to the next, as a loop does. */
static void run_until(struct wheel *w, uint64_t *now, uint64_t end)
{
    uint64_t next;
    while ((next = wheel_next(w)) <= end) {
        assert_true(next >= *now);
        *now = next;
        wheel_advance(w, *now);
    }
    *now = end;
    wheel_advance(w, end);
}

static void timers_fire_in_their_tick_at_every_distance(void **state)
{
    (void)state;
    static const uint64_t distances[] = { 1,       15,        16,       17,          100,      1023,
                                          1024,    1025,      65535,    65536,       65537,    1000000,
                                          4194304, 100000000, 86400000, 31536000000, 268435456 };
    enum { N = sizeof distances / sizeof distances[0] };
    static const uint64_t starts[] = { 0, 1, 1000, 1048575, 123456789, 68719476735 };
    for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        uint64_t now = starts[s];
        struct wheel *w = wheel_new(now);
        struct probe probes[N];
        memset(probes, 0, sizeof probes);
        for (size_t i = 0; i < N; i++) {
            probes[i].now = &now;
            timer_set(w, &probes[i].timer, now + distances[i], on_fire);
        }
        run_until(w, &now, starts[s] + UINT64_C(40000000000));
        for (size_t i = 0; i < N; i++) {
            uint64_t due = starts[s] + distances[i];
            assert_int_equal(probes[i].fired, 1);
            assert_true(probes[i].fired_ms >= due && probes[i].fired_ms < due + 16);
        }
        assert_true(wheel_next(w) == UINT64_MAX);
        wheel_free(&w);
    }
}

static void random_timers_fire_once_and_never_early(void **state)
{
    (void)state;
    enum { N = 2000 };
    uint64_t now = 5000000, seed = 42;
    struct wheel *w = wheel_new(now);
    struct probe *probes = mem_array(N, sizeof *probes);
    for (size_t i = 0; i < N; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        probes[i].now = &now;
        timer_set(w, &probes[i].timer, now + (seed >> 33) % (i % 2 ? 3000 : 5000000), on_fire);
    }
    for (size_t i = 0; i < N; i += 5)
        timer_stop(&probes[i].timer);
    run_until(w, &now, now + 6000000);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(probes[i].fired, i % 5 != 0);
        if (probes[i].fired)
            assert_true(probes[i].fired_ms >= probes[i].timer.due_ms &&
                        probes[i].fired_ms < probes[i].timer.due_ms + 16);
    }
    wheel_free(&w);
    mem_free(probes);
}

static void one_late_call_fires_all_in_order(void **state)
{
    (void)state;
    uint64_t now = 100;
    struct wheel *w = wheel_new(now);
    struct probe early = { .now = &now }, late = { .now = &now, .stops = NULL };
    early.stops = &late.timer; /* the earlier one stops the later one: so it was first */
    timer_set(w, &late.timer, 5000, on_fire);
    timer_set(w, &early.timer, 4000, on_fire);
    now = 1000000;
    wheel_advance(w, now);
    assert_int_equal(early.fired, 1);
    assert_int_equal(late.fired, 0);
    wheel_free(&w);
}

static void timer_may_be_set_again_when_it_fires(void **state)
{
    (void)state;
    uint64_t now = 0;
    struct wheel *w = wheel_new(now);
    struct probe p = { .now = &now, .wheel = w, .again_ms = 1600 };
    timer_set(w, &p.timer, 1600, on_fire);
    run_until(w, &now, 16000);
    assert_int_equal(p.fired, 10);
    assert_true(timer_running(&p.timer));
    timer_stop(&p.timer);
    timer_stop(&p.timer);
    assert_true(wheel_next(w) == UINT64_MAX);
    wheel_free(&w);
}

static void what_is_due_already_fires_at_the_next_call(void **state)
{
    (void)state;
    uint64_t now = 32000;
    struct wheel *w = wheel_new(now);
    struct probe p = { .now = &now, .wheel = w };
    timer_set(w, &p.timer, 5, on_fire);
    assert_true(wheel_next(w) <= now);
    wheel_advance(w, now);
    assert_int_equal(p.fired, 1);
    wheel_free(&w);
}

static void setting_a_running_timer_moves_it(void **state)
{
    (void)state;
    uint64_t now = 0;
    struct wheel *w = wheel_new(now);
    struct probe p = { .now = &now, .wheel = w };
    timer_set(w, &p.timer, 1000, on_fire);
    timer_set(w, &p.timer, 90000, on_fire);
    run_until(w, &now, 50000);
    assert_int_equal(p.fired, 0);
    timer_set(w, &p.timer, UINT64_MAX, on_fire); /* never */
    run_until(w, &now, 1000000);
    assert_int_equal(p.fired, 0);
    wheel_free(&w);
    assert_false(timer_running(&p.timer));
    timer_stop(&p.timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_their_tick_at_every_distance),
        cmocka_unit_test(random_timers_fire_once_and_never_early),
        cmocka_unit_test(one_late_call_fires_all_in_order),
        cmocka_unit_test(timer_may_be_set_again_when_it_fires),
        cmocka_unit_test(what_is_due_already_fires_at_the_next_call),
        cmocka_unit_test(setting_a_running_timer_moves_it),
    };
    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
