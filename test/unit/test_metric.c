/* test/unit/test_metric.c */
#include "common/base/metric.h"
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { M_LOGINS, M_SESSIONS, M_COMMIT, M_BAD_FORMAT, M_COUNT };

static const struct metric_def defs[] = {
    { "bulkhead_logins", METRIC_COUNTER, "Logins." },
    { "bulkhead_sessions", METRIC_GAUGE, "Sessions." },
    { "bulkhead_commit_seconds", METRIC_HISTOGRAM, "Commits." },
    { "bulkhead_error_bad-format", METRIC_COUNTER, "Streams ended with <bad-format/>" },
};

static int setup(void **state)
{
    *state = metrics_new(defs, M_COUNT);
    return 0;
}

static int teardown(void **state)
{
    struct metrics *m = *state;
    metrics_free(&m);
    assert_null(m);
    return 0;
}

static void values_add_up(void **state)
{
    struct metrics *m = *state;
    METRIC_INC(m, M_LOGINS);
    metric_add(m, M_LOGINS, 41);
    metric_set(m, M_SESSIONS, 5);
    metric_move(m, M_SESSIONS, -7);
    metric_observe(m, M_COMMIT, 1);
    assert_int_equal(metric_value(m, M_LOGINS), 42);
    assert_int_equal(metric_value(m, M_SESSIONS), -2);
    assert_int_equal(metric_value(m, M_COMMIT), 1);
}

static bool text_has(struct metrics *m, const char *line)
{
    struct buf out = BUF_INIT(0);
    metrics_text(m, SLICE("daemon=\"c2s-1\""), &out);
    buf_byte(&out, '\0');
    bool found = strstr(out.p, line) != NULL;
    buf_fini(&out);
    return found;
}

static void text_is_openmetrics(void **state)
{
    struct metrics *m = *state;
    assert_true(text_has(m, "# TYPE bulkhead_error_bad_format counter\n# HELP bulkhead_error_bad_format "
                            "Streams ended with <bad-format/>\n"
                            "bulkhead_error_bad_format_total{daemon=\"c2s-1\"} 0\n"));
    metric_add(m, M_LOGINS, 3);
    metric_set(m, M_SESSIONS, -1);
    metric_observe(m, M_COMMIT, 64);
    metric_observe(m, M_COMMIT, 65);
    metric_observe(m, M_COMMIT, 128);
    metric_observe(m, M_COMMIT, UINT64_C(200000000));
    assert_true(text_has(m, "# TYPE bulkhead_logins counter\n# HELP bulkhead_logins Logins.\n"
                            "bulkhead_logins_total{daemon=\"c2s-1\"} 3\n"));
    assert_true(text_has(m, "bulkhead_sessions{daemon=\"c2s-1\"} -1\n"));
    assert_true(text_has(m, "bulkhead_commit_seconds_bucket{daemon=\"c2s-1\",le=\"0.000064\"} 1\n"));
    assert_true(text_has(m, "bulkhead_commit_seconds_bucket{daemon=\"c2s-1\",le=\"0.000128\"} 3\n"));
    assert_true(text_has(m, "le=\"67.108864\"} 3\n"));
    assert_true(text_has(m, "le=\"+Inf\"} 4\n"));
    assert_true(text_has(m, "bulkhead_commit_seconds_count{daemon=\"c2s-1\"} 4\n"));
    assert_true(text_has(m, "bulkhead_commit_seconds_sum{daemon=\"c2s-1\"} 200.000257\n"));
}

static void json_is_one_object(void **state)
{
    struct metrics *m = *state;
    struct buf out = BUF_INIT(0);
    for (int i = 0; i < 98; i++)
        metric_observe(m, M_COMMIT, 100);
    metric_observe(m, M_COMMIT, 1000);
    metric_observe(m, M_COMMIT, 1000);
    metrics_json(m, &out);
    assert_true(slice_is(buf_get(&out),
                         "{\"bulkhead_logins_total\":0,\"bulkhead_sessions\":0,"
                         "\"bulkhead_commit_seconds_count\":100,\"bulkhead_commit_seconds_sum_us\":11800,"
                         "\"bulkhead_commit_seconds_p50_us\":128,\"bulkhead_commit_seconds_p99_us\":1024,"
                         "\"bulkhead_error_bad_format_total\":0}"));
    buf_fini(&out);
}

static void lines_are_the_same_numbers(void **state)
{
    struct metrics *m = *state;
    struct buf out = BUF_INIT(0);
    metric_add(m, M_LOGINS, 3);
    metric_set(m, M_SESSIONS, -1);
    metrics_lines(m, &out);
    assert_true(slice_is(buf_get(&out), "bulkhead_logins_total 3\nbulkhead_sessions -1\n"
                                        "bulkhead_commit_seconds_count 0\nbulkhead_commit_seconds_sum_us 0\n"
                                        "bulkhead_commit_seconds_p50_us 0\nbulkhead_commit_seconds_p99_us 0\n"
                                        "bulkhead_error_bad_format_total 0\n"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_openmetrics, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_one_object, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_the_same_numbers, setup, teardown),
    };
    return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
