/* test/unit/test_marks.c - which stanzas clients have had: until it is settled, and less what came back */
#include "common/edge/marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void add(struct marks **m, uint64_t seq, uint64_t session, uint64_t pos)
{
    marks_add(m, seq, (struct control_mark){ session, pos, pos * 10 });
}

static void they_are_there_until_they_are_settled(void **state)
{
    struct marks *m = NULL;
    (void)state;
    assert_int_equal(marks_count(m), 0);
    for (uint64_t n = 1; n <= 200; n++)
        add(&m, n, n % 3, n);
    marks_settled(&m, 150);
    assert_int_equal(marks_count(m), 50);
    struct control_mark first = marks_get(m, 0);
    assert_true(first.pos == 151 && first.session == 1 && first.origin == 1510);
    marks_settled(&m, 200);
    assert_null(m);
    marks_settled(&m, 300);
}

static void the_first_settling_of_a_new_numbering_is_of_all_that_is_older(void **state)
{
    struct marks *m = NULL;
    (void)state;
    add(&m, 1000, 1, 1);
    marks_reborn(m);
    add(&m, 1, 1, 2);
    add(&m, 2, 1, 3);
    marks_settled(&m, 1);
    assert_int_equal(marks_count(m), 1);
    assert_true(marks_get(m, 0).pos == 3);
    marks_free(&m);
    marks_reborn(m);
}

static void what_came_back_was_not_had(void **state)
{
    struct marks *m = NULL;
    const struct control_mark back[] = { { 1, 1, 0 }, { 1, 4, 0 }, { 1, 6, 0 } }, all = { 2, 3, 0 };
    (void)state;
    for (uint64_t pos = 2; pos <= 6; pos++) /* 1 has been settled long ago */
        add(&m, pos, pos == 3 ? 2 : 1, pos);
    marks_drop(m, back, 3);
    marks_drop(m, &all, 1);
    marks_drop(NULL, &all, 1);
    const uint64_t want[] = { 2, 0, 0, 5, 0 };
    for (size_t i = 0; i < 5; i++)
        assert_true(marks_get(m, i).pos == want[i]);
    marks_settled(&m, 6);
    assert_null(m);
}

static void the_oldest_is_forgotten_when_there_are_too_many(void **state)
{
    struct marks *m = NULL;
    (void)state;
    for (uint64_t n = 1; n <= MARKS_MAX + 5; n++)
        add(&m, n, 1, n);
    assert_int_equal(marks_count(m), MARKS_MAX);
    assert_true(marks_get(m, 0).pos == 6);
    marks_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_there_until_they_are_settled),
        cmocka_unit_test(the_first_settling_of_a_new_numbering_is_of_all_that_is_older),
        cmocka_unit_test(what_came_back_was_not_had),
        cmocka_unit_test(the_oldest_is_forgotten_when_there_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
