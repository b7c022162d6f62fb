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
    struct control_mark out[4];
    (void)state;
    assert_int_equal(custody_take(&c, 7), CUSTODY_NEW);
    assert_int_equal(custody_take(&c, 7), CUSTODY_HELD);
    assert_int_equal(custody_held(c), 1);
    assert_int_equal(custody_tell(c, out, 4), 0);
    custody_finish(c, 7);
    custody_finish(c, 7);
    assert_int_equal(custody_held(c), 0);
    assert_int_equal(custody_tell(c, out, 4), 1);
    assert_true(out[0].session == 0 && out[0].pos == 7);
    assert_int_equal(custody_tell(c, out, 4), 0);
    custody_free(&c);
    assert_null(c);
}

static void what_has_left_is_told_again(void **state)
{
    struct custody *c = NULL;
    struct control_mark out[4];
    (void)state;
    (void)custody_take(&c, 7);
    custody_finish(c, 7);
    (void)custody_tell(c, out, 4);
    assert_int_equal(custody_take(&c, 7), CUSTODY_FINISHED); /* its session manager was restarted */
    assert_int_equal(custody_tell(c, out, 4), 1);
    assert_int_equal(out[0].pos, 7);
    custody_free(&c);
}

static void told_in_parts_in_order(void **state)
{
    struct custody *c = NULL;
    struct control_mark out[3];
    (void)state;
    for (uint64_t id = 1; id <= 5; id++) {
        (void)custody_take(&c, id);
        custody_finish(c, id);
    }
    assert_int_equal(custody_tell(c, out, 3), 3);
    assert_true(out[0].pos == 1 && out[2].pos == 3);
    assert_int_equal(custody_tell(c, out, 3), 2);
    assert_true(out[0].pos == 4 && out[1].pos == 5);
    custody_free(&c);
}

static void the_oldest_is_forgotten(void **state)
{
    struct custody *c = NULL;
    (void)state;
    for (uint64_t id = 1; id <= CUSTODY_FINISHED_MAX + 2; id++) {
        (void)custody_take(&c, id);
        custody_finish(c, id);
    }
    assert_int_equal(custody_take(&c, 1), CUSTODY_NEW);
    assert_int_equal(custody_take(&c, 3), CUSTODY_FINISHED);
    assert_int_equal(custody_take(&c, CUSTODY_FINISHED_MAX + 2), CUSTODY_FINISHED);
    custody_free(&c);
}

static void finishing_what_is_not_held_is_harmless(void **state)
{
    struct custody *c = NULL;
    struct control_mark out[1];
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
        cmocka_unit_test(what_has_left_is_told_again),
        cmocka_unit_test(told_in_parts_in_order),
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(finishing_what_is_not_held_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
