/* test/unit/test_metrictext.c - metrictext.c: the figures of several daemons on one page, and what is not let
 * on it
 */
#include "httpgw/metrictext.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = metrictext_new();
    return 0;
}

static int teardown(void **state)
{
    struct metrictext *t = *state;
    metrictext_free(&t);
    return 0;
}

static void check(const struct metrictext *t, const char *expected)
{
    struct buf out = BUF_INIT(0);
    metrictext_write(t, &out);
    if (!slice_is(buf_get(&out), expected))
        fail_msg("got " SLICE_FMT, SLICE_ARG(buf_get(&out)));
    buf_fini(&out);
}

#define UP "# HELP bulkhead_up Whether the daemon has answered\n# TYPE bulkhead_up gauge\n"

static void a_metric_of_two_daemons_is_one(void **state)
{
    struct metrictext *t = *state;
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a"), true,
                                    SLICE("# TYPE x counter\n# HELP x Xs.\nx_total{daemon=\"a\"} 1\n"
                                          "# TYPE y gauge\n# HELP y Ys.\ny{daemon=\"a\"} -2\n")),
                     0);
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("b"), true,
                                    SLICE("# TYPE y gauge\n# HELP y Other Ys.\ny{daemon=\"b\"} 0.500000\n"
                                          "# TYPE x counter\n# HELP x Xs.\nx_total{daemon=\"b\"} 3\n")),
                     0);
    assert_int_equal(metrictext_add(t, SLICE("s2s"), SLICE("c"), false, SLICE_NONE), 0);
    check(t,
          UP "bulkhead_up{daemon=\"a\",role=\"edge\"} 1\nbulkhead_up{daemon=\"b\",role=\"edge\"} 1\n"
             "bulkhead_up{daemon=\"c\",role=\"s2s\"} 0\n"
             "# HELP x_total Xs.\n# TYPE x_total counter\nx_total{daemon=\"a\"} 1\nx_total{daemon=\"b\"} 3\n"
             "# HELP y Ys.\n# TYPE y gauge\ny{daemon=\"a\"} -2\ny{daemon=\"b\"} 0.500000\n");
}

#define BUCKETS                                                                                              \
    "h_bucket{daemon=\"a\",le=\"0.000064\"} 1\nh_bucket{daemon=\"a\",le=\"67.108864\"} 1\n"                  \
    "h_bucket{daemon=\"a\",le=\"+Inf\"} 2\n"
#define REST "h_count{daemon=\"a\"} 2\nh_sum{daemon=\"a\"} 99.000000\n"

static void a_histogram_stays_together(void **state)
{
    struct metrictext *t = *state;
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a"), true,
                                    SLICE("# TYPE h histogram\n# HELP h H.\n" BUCKETS REST)),
                     0);
    check(t, UP "bulkhead_up{daemon=\"a\",role=\"edge\"} 1\n# HELP h H.\n# TYPE h histogram\n" BUCKETS REST);
}

static void parts_of_a_histogram_come_once(void **state)
{
    struct metrictext *t = *state;
    assert_int_equal(
        metrictext_add(t, SLICE("edge"), SLICE("a"), true,
                       SLICE("# TYPE h histogram\n# HELP h H.\n" BUCKETS REST REST
                             "h_bucket{daemon=\"a\",le=\"1\"} 1\nh_bucket{daemon=\"a\",le=\"+Inf\"} 2\n"
                             "h_bucket{daemon=\"a\"} 2\nh{daemon=\"a\"} 2\nh_total{daemon=\"a\"} 2\n")),
        7);
    check(t, UP "bulkhead_up{daemon=\"a\",role=\"edge\"} 1\n# HELP h H.\n# TYPE h histogram\n" BUCKETS REST);
}

static void what_is_not_ones_own_is_dropped(void **state)
{
    static const char *const lines[] = {
        "x_total{daemon=\"b\"} 1",
        "x_total{daemon=\"a\",daemon=\"b\"} 1",
        "x_total{} 1",
        "x_total 1",
        "x{daemon=\"a\"} 1",
        "y_total{daemon=\"a\"} 1",
        "x_total{daemon=\"a\"}1",
        "x_total{daemon=\"a\"} ",
        "x_total{daemon=\"a\"} x",
        "x_total{daemon=\"a\"} NaN",
        "x_total{daemon=\"a\"} 1 2",
        "x_total{daemon=\"a\"} 1.2.3",
        "x_total{daemon=\"a\"} -",
        "x_total{daemon=\"a\"} 1e5",
        "x_total{daemon=\"a\"} 11111111111111111111111111111111111111111111",
        "",
        "#",
        "# HELP y a",
        "# HELP x ",
        "# HELP x a\\b",
        "# EOF",
    };
    struct metrictext *t = *state;
    struct buf text = BUF_INIT(0);
    buf_cstr(&text, "# TYPE x counter\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        buf_fmt(&text, "%s\n", lines[i]);
    buf_cstr(&text, "x_total{daemon=\"a\"} 7\nx_total{daemon=\"a\"} 8\n");
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a"), true, buf_get(&text)),
                     sizeof lines / sizeof *lines + 1);
    buf_fini(&text);
    check(t,
          UP "bulkhead_up{daemon=\"a\",role=\"edge\"} 1\n# TYPE x_total counter\nx_total{daemon=\"a\"} 7\n");
}

static void names_that_would_collide_are_dropped(void **state)
{
    static const char *const types[] = {
        "x_total gauge",   "x_total histogram", "x_sum gauge", "x_count gauge",
        "x_bucket gauge",  "bulkhead_up gauge", "x summary",   "x",
        "x counter gauge", "1x gauge",          "x{} gauge",   ""
    };
    struct metrictext *t = *state;
    struct buf text = BUF_INIT(0);
    size_t n = sizeof types / sizeof *types;
    for (size_t i = 0; i < n; i++)
        buf_fmt(&text, "# TYPE %s\n", types[i]);
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a"), true, buf_get(&text)), n);
    buf_fini(&text);
    assert_int_equal(
        metrictext_add(t, SLICE("edge"), SLICE("b"), true, SLICE("# TYPE x gauge\nx{daemon=\"b\"} 1\n")), 0);
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("c"), true,
                                    SLICE("# TYPE x counter\nx_total{daemon=\"c\"} 1\n")),
                     2);
    check(t, UP "bulkhead_up{daemon=\"a\",role=\"edge\"} 1\nbulkhead_up{daemon=\"b\",role=\"edge\"} 1\n"
                "bulkhead_up{daemon=\"c\",role=\"edge\"} 1\n# TYPE x gauge\nx{daemon=\"b\"} 1\n");
}

static void of_two_with_one_name_the_first_counts(void **state)
{
    struct metrictext *t = *state;
    struct slice text = SLICE("# TYPE x gauge\nx{daemon=\"a\"} 1\n");
    assert_int_equal(metrictext_add(t, SLICE("sessman"), SLICE("a"), true, text), 0);
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a"), true, text), 2);
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a"), false, SLICE_NONE), 0);
    check(t, UP "bulkhead_up{daemon=\"a\",role=\"sessman\"} 1\nbulkhead_up{daemon=\"a\",role=\"edge\"} 1\n"
                "# TYPE x gauge\nx{daemon=\"a\"} 1\n");
}

static void a_name_is_escaped(void **state)
{
    struct metrictext *t = *state;
    assert_int_equal(metrictext_add(t, SLICE("edge"), SLICE("a\"b\\c\nd"), true,
                                    SLICE("# TYPE x gauge\nx{daemon=\"a\"b\\c} 1\n"
                                          "x{daemon=\"a\\\"b\\\\c\\nd\"} 1\n")),
                     1);
    check(t, UP "bulkhead_up{daemon=\"a\\\"b\\\\c\\nd\",role=\"edge\"} 1\n"
                "# TYPE x gauge\nx{daemon=\"a\\\"b\\\\c\\nd\"} 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_metric_of_two_daemons_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_histogram_stays_together, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_of_a_histogram_come_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_ones_own_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_would_collide_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(of_two_with_one_name_the_first_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_is_escaped, setup, teardown),
    };
    return cmocka_run_group_tests_name("metrictext", tests, NULL, NULL);
}
