/* test/unit/test_ssm.c - counting what other servers send: only what has been committed, in order */
#include "s2s/ssm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static uint64_t acked_by(void *ctx, uint64_t node)
{
    const uint64_t *acked = ctx;
    return acked[node];
}

static void counts_follow_the_commits(void **state)
{
    struct ssm_in s = { 0 };
    uint64_t acked[3] = { 0 };
    (void)state;
    ssm_in_take(&s, 1, 10);
    ssm_in_take(&s, 1, 11);
    assert_true(s.taken == 2 && s.done == 0);
    assert_false(ssm_in_settle(&s, acked_by, acked));
    acked[1] = 10;
    assert_true(ssm_in_settle(&s, acked_by, acked));
    assert_int_equal(s.done, 1);
    acked[1] = 11;
    assert_true(ssm_in_settle(&s, acked_by, acked));
    assert_true(s.done == 2 && !s.ring);
    ssm_in_fini(&s);
}

static void one_node_holds_up_what_came_later_by_another(void **state)
{
    struct ssm_in s = { 0 };
    uint64_t acked[3] = { 0, 0, 100 };
    (void)state;
    ssm_in_take(&s, 1, 1);
    ssm_in_take(&s, 2, 50);
    ssm_in_take(&s, 0, 0); /* answered here */
    assert_false(ssm_in_settle(&s, acked_by, acked));
    assert_true(ssm_in_needs(&s, 1) && ssm_in_needs(&s, 2) && !ssm_in_needs(&s, 3));
    acked[1] = 1;
    assert_true(ssm_in_settle(&s, acked_by, acked));
    assert_int_equal(s.done, 3);
    ssm_in_fini(&s);
}

static void what_needs_no_commit_counts_at_once(void **state)
{
    struct ssm_in s = { 0 };
    (void)state;
    ssm_in_take(&s, 0, 0);
    assert_true(s.taken == 1 && s.done == 1 && !s.ring);
}

static void many_keep_their_order(void **state)
{
    struct ssm_in s = { 0 };
    uint64_t acked[2] = { 0 };
    (void)state;
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        ssm_in_take(&s, 1, seq);
        acked[1] = seq / 2;
        (void)ssm_in_settle(&s, acked_by, acked);
        assert_int_equal(s.done, seq / 2);
    }
    acked[1] = 1000;
    (void)ssm_in_settle(&s, acked_by, acked);
    assert_int_equal(s.done, 1000);
    ssm_in_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_follow_the_commits),
        cmocka_unit_test(one_node_holds_up_what_came_later_by_another),
        cmocka_unit_test(what_needs_no_commit_counts_at_once),
        cmocka_unit_test(many_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
