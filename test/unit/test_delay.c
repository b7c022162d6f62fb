/* test/unit/test_delay.c */
#include "common/xmpp/delay.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-20T15:20:23.112Z", 1795188023112 },
        { "2026-11-20T16:20:23.112999+01:00", 1795188023112 },
        { "2026-11-20T10:50:23.1-04:30", 1795188023100 },
        { "2024-02-29T23:59:59Z", 1709251199000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = -1;
        assert_int_equal(time_read(slice_cstr(good[i].text), &ms), RC_OK);
        assert_int_equal(ms, good[i].ms);
    }
}

static void times_that_are_not_ours_are_the_nearest(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } far[] = {
        { "0000-01-01T00:00:00Z", 0 },
        { "0001-02-28T12:00:00Z", 0 },
        { "1969-12-31T23:59:59Z", 0 },
        { "1970-01-01T00:00:00+01:00", 0 },
        { "9999-12-31T23:59:59-01:00", 253402300799999 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        int64_t ms = -1;
        assert_int_equal(time_read(slice_cstr(far[i].text), &ms), RC_LIMIT);
        assert_int_equal(ms, far[i].ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-20",
        "2026-11-20T15:20:23",
        "2026-11-20 15:20:23Z",
        "2026-13-20T15:20:23Z",
        "2026-02-29T15:20:23Z",
        "2026-11-00T15:20:23Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T15:60:23Z",
        "2026-11-20T15:20:60Z",
        "2026-11-20T15:20:23.Z",
        "2026-11-20T15:20:23+1:00",
        "2026-11-20T15:20:23+24:00",
        "2026-11-20T15:20:23ZZ",
        "-001-11-20T15:20:23Z",
        "20261120T15:20:23Z",
        "+026-11-20T15:20:23Z",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 77;
        assert_int_equal(time_read(slice_cstr(bad[i]), &ms), RC_SYNTAX);
        assert_int_equal(ms, 77);
    }
}

static void what_is_written_is_read_again(void **state)
{
    assert_true(slice_is(time_write(*state, 1795188023112), "2026-11-20T15:20:23.112Z"));
    for (int64_t at = 0; at < 253402300799999; at = at * 3 + 86399999) {
        int64_t back;
        assert_int_equal(time_read(time_write(*state, at), &back), RC_OK);
        assert_int_equal(back, at);
    }
}

static void a_stamp_is_added(void **state)
{
    struct node *n = node_new(*state, "message", "jabber:client");
    delay_add(*state, n, SLICE("example.net"), 0, "Offline");
    struct node *d = node_find(n, "delay", "urn:xmpp:delay");
    assert_true(slice_is(node_attr(d, "from"), "example.net"));
    assert_true(slice_is(node_attr(d, "stamp"), "1970-01-01T00:00:00.000Z"));
    assert_true(slice_is(node_text(*state, d), "Offline"));
    delay_add(*state, n, SLICE_NONE, 0, NULL);
    assert_false(node_has(n->last, "from"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(times_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(times_that_are_not_ours_are_the_nearest, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_time_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stamp_is_added, setup, teardown),
    };
    return cmocka_run_group_tests_name("delay", tests, NULL, NULL);
}
