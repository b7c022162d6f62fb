/* test/unit/test_logring.c - logring.c */
#include "common/base/logring.h"
#include "common/base/mem.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = mem_new(sizeof(struct logring));
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static struct buf got(const struct logring *r, unsigned grade, size_t most)
{
    struct buf out = BUF_INIT(0);
    logring_get(r, grade, most, &out);
    return out;
}

static void check(const struct logring *r, unsigned grade, size_t most, const char *expected)
{
    struct buf out = got(r, grade, most);
    if (!slice_is(buf_get(&out), expected))
        fail_msg("got " SLICE_FMT, SLICE_ARG(buf_get(&out)));
    buf_fini(&out);
}

static void the_newest_come_last(void **state)
{
    struct logring *r = *state;
    check(r, 9, 10, "");
    logring_put(r, 2, SLICE("one"));
    logring_put(r, 0, SLICE("two"));
    logring_put(r, 3, SLICE("three"));
    logring_put(r, 99, SLICE(""));
    check(r, 9, 10, "one\ntwo\nthree\n\n");
    check(r, 3, 2, "two\nthree\n");
    check(r, 2, 10, "one\ntwo\n");
    check(r, 0, 10, "two\n");
    check(r, 0, 0, "");
}

/* Round and round, with lines of every length: what comes out is the end of what went in. */
static void the_oldest_make_room(void **state)
{
    struct logring *r = *state;
    char line[LOGRING_LINE_MAX];
    struct buf all = BUF_INIT(0);
    for (unsigned i = 0; i < 3000; i++) {
        size_t n = (size_t)snprintf(line, sizeof line, "%u ", i);
        memset(line + n, 'a' + (int)(i % 26), sizeof line - n);
        n += i * 7 % (sizeof line - n);
        logring_put(r, i % 4, slice_of(line, n));
        buf_put(&all, line, n);
        buf_byte(&all, '\n');
        struct buf out = got(r, 9, SIZE_MAX);
        assert_true(out.len <= LOGRING_BYTES && out.len <= all.len);
        assert_true(slice_eq(buf_get(&out), slice_from(buf_get(&all), all.len - out.len)));
        assert_true(out.len == all.len || all.p[all.len - out.len - 1] == '\n');
        assert_true(out.len == all.len || out.len > LOGRING_BYTES / 2);
        buf_fini(&out);
    }
    buf_fini(&all);
}

static void a_long_line_is_cut_between_characters(void **state)
{
    struct logring *r = *state;
    char line[3 * LOGRING_LINE_MAX];
    memset(line, 'x', sizeof line);
    memcpy(line + LOGRING_LINE_MAX - 1, "\xC3\xA4", 2);
    logring_put(r, 0, slice_of(line, sizeof line));
    struct buf out = got(r, 0, 1);
    assert_int_equal(out.len, LOGRING_LINE_MAX); /* its line feed is one of them */
    buf_fini(&out);
    logring_put(r, 0, SLICE("a\nforged"));
    check(r, 0, 1, "a\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_come_last, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_make_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_between_characters, setup, teardown),
    };
    return cmocka_run_group_tests_name("logring", tests, NULL, NULL);
}
