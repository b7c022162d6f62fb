/* test/unit/test_rask.c - rask.c: whose answer counts where several routers ask the same daemons */
#include "common/link/rask.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct scene {
    struct loop *loop;
    struct rasks asks;
    char heard[256]; /* "node text", or "node -why", each with a space behind */
    unsigned ends;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    s->loop = loop_new();
    rasks_init(&s->asks, s->loop);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    rasks_fini(&s->asks);
    loop_stop(s->loop);
    loop_run(s->loop);
    loop_free(&s->loop);
    free(s);
    return 0;
}

static void on_told(void *ctx, const struct rlink_told *told)
{
    struct scene *s = ctx;
    size_t n = strlen(s->heard);
    s->ends += !told;
    if (told)
        snprintf(s->heard + n, sizeof s->heard - n, "%llu %s" SLICE_FMT " ", (unsigned long long)told->node,
                 told->failed ? "-" : "", SLICE_ARG(told->text));
}

static struct rask *asked(struct scene *s, unsigned routers)
{
    struct rask *k = rask_new(&s->asks, on_told, s);
    for (unsigned i = 0; i < routers; i++)
        rask_sent(k, i);
    rask_begun(k);
    return k;
}

static void told(struct scene *s, const struct rask *k, unsigned router, uint64_t node, uint32_t more,
                 const char *text)
{
    bool failed = text[0] == '-';
    rasks_told(&s->asks, router,
               &(struct control_told){ .id = rask_id(k),
                                       .failed = failed,
                                       .text = slice_cstr(text + failed),
                                       .node = node,
                                       .role = SLICE("edge"),
                                       .instance = SLICE("c2s-1"),
                                       .more = more });
}

static void an_answer_counts_once_and_before_a_failure(void **state)
{
    struct scene *s = *state;
    struct rask *k = asked(s, 2);
    told(s, k, 0, 1, 2, "a");
    told(s, k, 0, 2, 1, "-late");
    told(s, k, 1, 1, 2, "again");
    told(s, k, 1, 2, 1, "b");
    told(s, k, 0, 3, 0, "-late");
    assert_int_equal(s->ends, 0);
    told(s, k, 1, 3, 0, "-gone");
    assert_string_equal(s->heard, "1 a 2 b 3 -gone ");
    assert_int_equal(s->ends, 1);
}

static void nothing_is_heard_of_an_ask_that_is_over(void **state)
{
    struct scene *s = *state;
    struct rask *k = asked(s, 2);
    uint64_t id = rask_id(k);
    told(s, k, 0, 1, 0, "a");
    told(s, k, 0, 2, 0, "router 0 has said all");
    told(s, k, 1, 0, 1, "nobody");
    rasks_down(&s->asks, 1);
    assert_int_equal(s->ends, 1);
    rasks_told(&s->asks, 1, &(struct control_told){ .id = id, .node = 9, .text = SLICE("x") });
    rasks_down(&s->asks, 0);
    assert_string_equal(s->heard, "1 a ");
    assert_int_equal(s->ends, 1);
}

static void one_that_is_sent_nowhere_is_over(void **state)
{
    struct scene *s = *state;
    asked(s, 0);
    assert_int_equal(s->ends, 1);
}

static void two_at_once_are_two(void **state)
{
    struct scene *s = *state;
    struct rask *a = asked(s, 1), *b = asked(s, 1);
    told(s, b, 0, 1, 0, "b");
    told(s, a, 0, 1, 0, "a");
    assert_string_equal(s->heard, "1 b 1 a ");
    assert_int_equal(s->ends, 2);
}

static void a_dropped_one_says_nothing(void **state)
{
    struct scene *s = *state;
    struct rask *k = asked(s, 1);
    rasks_drop(&s->asks, s);
    told(s, k, 0, 1, 0, "a");
    assert_string_equal(s->heard, "");
    assert_int_equal(s->ends, 0);
}

static void in_the_end_all_are_over(void **state)
{
    struct scene *s = *state;
    struct rask *k = asked(s, 2);
    told(s, k, 0, 1, 1, "-late");
    asked(s, 1);
    rasks_end(&s->asks);
    assert_string_equal(s->heard, "1 -late ");
    assert_int_equal(s->ends, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_counts_once_and_before_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_heard_of_an_ask_that_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_sent_nowhere_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(two_at_once_are_two, setup, teardown),
        cmocka_unit_test_setup_teardown(in_the_end_all_are_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_one_says_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("rask", tests, NULL, NULL);
}
