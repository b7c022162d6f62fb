/* test/unit/test_custody.c - stanzas of a session manager's outbox: ours once, told once, known for a while
 */
#include "s2s/custody.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void taken_once_told_once(void **state)
{
    struct custody *c = NULL;
    struct control_run out[4];
    (void)state;
    assert_int_equal(custody_take(&c, 7), CUSTODY_NEW);
    assert_int_equal(custody_take(&c, 7), CUSTODY_HELD);
    assert_int_equal(custody_held(c), 1);
    assert_int_equal(custody_tell(c, out, 4), 0);
    custody_finish(c, 7);
    custody_finish(c, 7);
    assert_int_equal(custody_held(c), 0);
    assert_int_equal(custody_tell(c, out, 4), 1);
    assert_true(out[0].n == 1 && out[0].first == 7);
    assert_int_equal(custody_tell(c, out, 4), 0);
    custody_free(&c);
    assert_null(c);
}

static void what_has_left_is_told_again(void **state)
{
    struct custody *c = NULL;
    struct control_run out[4];
    (void)state;
    (void)custody_take(&c, 7);
    custody_finish(c, 7);
    (void)custody_tell(c, out, 4);
    assert_int_equal(custody_take(&c, 7), CUSTODY_FINISHED); /* its session manager was restarted */
    assert_int_equal(custody_tell(c, out, 4), 1);
    assert_int_equal(out[0].first, 7);
    custody_free(&c);
}

static void told_in_parts_in_order(void **state)
{
    struct custody *c = NULL;
    struct control_run out[3];
    (void)state;
    for (uint64_t id = 1; id <= 9; id += 2) {
        (void)custody_take(&c, id);
        custody_finish(c, id);
    }
    assert_int_equal(custody_tell(c, out, 3), 3);
    assert_true(out[0].first == 1 && out[2].first == 5);
    assert_int_equal(custody_tell(c, out, 3), 2);
    assert_true(out[0].first == 7 && out[1].first == 9);
    custody_free(&c);
}

static void the_oldest_is_forgotten(void **state)
{
    struct custody *c = NULL;
    (void)state;
    for (uint64_t id = 2; id <= 2 * (CUSTODY_RUNS_MAX + 2); id += 2) { /* no two in a row */
        (void)custody_take(&c, id);
        custody_finish(c, id);
    }
    assert_int_equal(custody_take(&c, 2), CUSTODY_NEW);
    assert_int_equal(custody_take(&c, 4), CUSTODY_NEW);
    assert_int_equal(custody_take(&c, 6), CUSTODY_FINISHED);
    assert_int_equal(custody_take(&c, 2 * CUSTODY_RUNS_MAX), CUSTODY_FINISHED);
    assert_int_equal(custody_take(&c, 2 * CUSTODY_RUNS_MAX + 1), CUSTODY_NEW);
    custody_free(&c);
}

/* In whatever order they leave, every one is known, and no other. */
static void runs_grow_together(void **state)
{
    enum { N = 1000 };
    struct custody *c = NULL;
    uint64_t ids[N], seed = 7;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t at = (seed >> 33) % (i + 1);
        ids[i] = ids[at];
        ids[at] = 100 + i;
        (void)custody_take(&c, 100 + i);
    }
    for (size_t i = 0; i < N; i++) {
        custody_finish(c, ids[i]);
        assert_int_equal(custody_held(c), N - i - 1);
        assert_int_equal(custody_take(&c, ids[i]), CUSTODY_FINISHED);
        if (i + 1 < N)
            assert_int_equal(custody_take(&c, ids[i + 1]), CUSTODY_HELD);
    }
    assert_int_equal(custody_take(&c, 99), CUSTODY_NEW);
    assert_int_equal(custody_take(&c, 100 + N), CUSTODY_NEW);
    custody_free(&c);
}

static void told_as_runs(void **state)
{
    struct custody *c = NULL;
    struct control_run out[8];
    (void)state;
    for (uint64_t id = 10; id < 10 + 2 * CONTROL_SENT_RUN; id++) {
        (void)custody_take(&c, id);
        custody_finish(c, id);
    }
    (void)custody_take(&c, 5);
    custody_finish(c, 5);
    assert_int_equal(custody_tell(c, out, 8), 3);
    assert_true(out[0].first == 10 && out[0].n == CONTROL_SENT_RUN);
    assert_true(out[1].first == 10 + CONTROL_SENT_RUN && out[1].n == CONTROL_SENT_RUN);
    assert_true(out[2].first == 5 && out[2].n == 1);
    custody_free(&c);
}

static void finishing_what_is_not_held_is_harmless(void **state)
{
    struct custody *c = NULL;
    struct control_run out[1];
    (void)state;
    custody_finish(c, 1);
    (void)custody_take(&c, 1);
    custody_finish(c, 2);
    assert_int_equal(custody_tell(c, out, 1), 0);
    custody_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_once_told_once),
        cmocka_unit_test(runs_grow_together),
        cmocka_unit_test(told_as_runs),
        cmocka_unit_test(what_has_left_is_told_again),
        cmocka_unit_test(told_in_parts_in_order),
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(finishing_what_is_not_held_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
