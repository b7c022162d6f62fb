/* test/unit/test_tail.c - rows whose entries are not written yet: by account, a part at a time */
#include "sessman/tail.h"
#include "common/base/mem.h"
#include "common/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct seen {
    char text[4096];
    size_t n;
};

static void note(void *ctx, int64_t account, uint64_t pos, int64_t peer)
{
    struct seen *s = ctx;
    size_t len = strlen(s->text);
    s->n++;
    snprintf(s->text + len, sizeof s->text - len, "%lld:%llu/%lld ", (long long)account,
             (unsigned long long)pos, (long long)peer);
}

static int setup(void **state)
{
    *state = tail_new();
    return 0;
}

static int teardown(void **state)
{
    struct tail *t = *state;
    tail_free(&t);
    return 0;
}

static void a_pass_gives_accounts_in_ascending_order_and_rows_in_theirs(void **state)
{
    struct tail *t = *state;
    struct seen s = { .n = 0 };
    tail_add(t, 9, 1, 7, false);
    tail_add(t, 2, 2, 8, false);
    tail_add(t, 9, 3, 7, false);
    tail_add(t, 5, 4, 6, false);
    assert_int_equal(tail_count(t), 4);
    assert_int_equal(tail_low(t), 1);
    assert_false(tail_fold(t, 100, UINT64_MAX, note, &s));
    assert_string_equal(s.text, "2:2/8 5:4/6 9:1/7 9:3/7 ");
    assert_true(tail_empty(t));
    assert_int_equal(tail_low(t), 0);
}

static void a_pass_goes_on_where_it_was_and_takes_no_more_than_it_is_told(void **state)
{
    struct tail *t = *state;
    struct seen s = { .n = 0 };
    for (uint64_t pos = 1; pos <= 10; pos++)
        tail_add(t, pos % 2 ? 1 : 2, pos, 0, false);
    assert_true(tail_fold(t, 3, UINT64_MAX, note, &s));
    assert_true(tail_folding(t));
    assert_string_equal(s.text, "1:1/0 1:3/0 1:5/0 ");
    tail_add(t, 1, 11, 0, false); /* it comes with the rest of its account */
    assert_true(tail_fold(t, 4, UINT64_MAX, note, &s));
    assert_string_equal(s.text + 18, "1:7/0 1:9/0 1:11/0 2:2/0 ");
    assert_false(tail_fold(t, 100, UINT64_MAX, note, &s));
    assert_int_equal(s.n, 11);
    assert_false(tail_folding(t));
}

static void rows_that_are_about_to_go_are_not_given_until_they_are_old(void **state)
{
    struct tail *t = *state;
    struct seen s = { .n = 0 };
    tail_add(t, 1, 1, 0, true);
    tail_add(t, 1, 2, 0, false);
    tail_add(t, 1, 3, 0, true);
    tail_add(t, 1, 4, 0, true);
    assert_int_equal(tail_count(t), 1);
    assert_false(tail_fold(t, 100, 3, note, &s));
    assert_string_equal(s.text, "1:1/0 1:2/0 ");
    assert_int_equal(tail_low(t), 3);
    assert_true(tail_drop(t, 1, 3));
    assert_false(tail_drop(t, 1, 3));
    assert_false(tail_drop(t, 1, 2)); /* given already */
    tail_flush(t, 1, note, &s);
    assert_string_equal(s.text, "1:1/0 1:2/0 1:4/0 ");
    assert_true(tail_empty(t));
}

static void one_account_is_flushed_alone(void **state)
{
    struct tail *t = *state;
    struct seen s = { .n = 0 };
    for (uint64_t pos = 1; pos <= 30; pos++)
        tail_add(t, (int64_t)(pos % 3), pos, 0, false);
    tail_flush(t, 1, note, &s);
    assert_int_equal(s.n, 10);
    assert_int_equal(strncmp(s.text, "1:1/0 1:4/0 1:7/0 ", 18), 0);
    tail_flush(t, 1, note, &s);
    tail_flush(t, 77, note, &s);
    assert_int_equal(s.n, 10);
    assert_int_equal(tail_count(t), 20);
}

static void dropping_leaves_the_others(void **state)
{
    struct tail *t = *state;
    struct seen s = { .n = 0 };
    for (uint64_t round = 0; round < 100; round++) { /* the head moves through the memory */
        tail_add(t, 1, round * 2 + 1, 0, true);
        tail_add(t, 1, round * 2 + 2, 0, false);
        assert_true(tail_drop(t, 1, round * 2 + 1));
        if (round % 10 != 9)
            assert_true(tail_drop(t, 1, round * 2 + 2));
    }
    assert_int_equal(tail_count(t), 10);
    tail_flush(t, 1, note, &s);
    assert_int_equal(s.n, 10);
    assert_int_equal(strncmp(s.text, "1:20/0 1:40/0 ", 14), 0);
}

static void a_row_may_come_late(void **state)
{
    struct tail *t = *state;
    struct seen s = { .n = 0 };
    tail_add(t, 1, 5, 0, false);
    tail_add(t, 1, 7, 0, true);
    tail_add(t, 1, 6, 0, true);
    tail_add(t, 1, 3, 0, true);
    assert_int_equal(tail_low(t), 3);
    assert_true(tail_drop(t, 1, 3));
    tail_flush(t, 1, note, &s);
    assert_string_equal(s.text, "1:5/0 1:6/0 1:7/0 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    struct why why;
    if (secret_init(&why) != RC_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(a_pass_gives_accounts_in_ascending_order_and_rows_in_theirs),
        TEST(a_pass_goes_on_where_it_was_and_takes_no_more_than_it_is_told),
        TEST(rows_that_are_about_to_go_are_not_given_until_they_are_old),
        TEST(one_account_is_flushed_alone),
        TEST(dropping_leaves_the_others),
        TEST(a_row_may_come_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
