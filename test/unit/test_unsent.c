/* test/unit/test_unsent.c - which stanzas a dead component had not taken */
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "router/unsent.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void collect(void *ctx, struct slice stanza)
{
    buf_slice(ctx, stanza);
    buf_byte(ctx, ' ');
}

static void wrote(struct unsent *u, const char *stanza, size_t waiting)
{
    struct slice s = slice_cstr(stanza);
    unsent_wrote(u, &s, 1, waiting, false, true);
}

static void expect(struct unsent *u, size_t left, const char *want)
{
    struct buf got = BUF_INIT(0);
    unsent_left(u, left, collect, &got);
    buf_byte(&got, '\0');
    assert_string_equal(got.p, want);
    assert_int_equal(u->bytes, 0);
    buf_fini(&got);
}

static void what_was_taken_is_not_given_back(void **state)
{
    struct unsent u;
    (void)state;
    unsent_init(&u);
    wrote(&u, "aaaa", 0);
    wrote(&u, "bbbb", 0);
    expect(&u, 0, "");
}

static void what_waits_is_given_back_in_order_a_part_of_it_too(void **state)
{
    struct unsent u;
    (void)state;
    unsent_init(&u);
    wrote(&u, "aaaa", 4);
    wrote(&u, "bbbb", 8);
    wrote(&u, "cccc", 12);
    expect(&u, 7, "bbbb cccc "); /* one byte of b was taken */
}

static void items_are_forgotten_as_the_socket_takes_them(void **state)
{
    struct unsent u;
    (void)state;
    unsent_init(&u);
    wrote(&u, "aaaa", 4);
    wrote(&u, "bbbb", 8);
    wrote(&u, "cccc", 4);
    assert_int_equal(u.bytes, 4);
    wrote(&u, "dddd", 0);
    assert_int_equal(u.bytes, 0);
    expect(&u, 0, "");
}

static void a_write_that_broke_the_connection_comes_back_whole(void **state)
{
    const struct slice two[] = { SLICE("cccc"), SLICE("dddd") };
    struct unsent u;
    (void)state;
    unsent_init(&u);
    wrote(&u, "aaaa", 4);
    wrote(&u, "bbbb", 8);
    unsent_wrote(&u, two, 2, 0, true, true);
    expect(&u, 3, "bbbb cccc dddd ");
}

static void answers_to_the_component_count_and_are_not_missed(void **state)
{
    const struct slice answer = SLICE("xxxx");
    struct unsent u;
    (void)state;
    unsent_init(&u);
    wrote(&u, "aaaa", 4);
    unsent_wrote(&u, &answer, 1, 8, false, false);
    expect(&u, 4, "");
    wrote(&u, "aaaa", 4);
    unsent_wrote(&u, &answer, 1, 8, false, false);
    expect(&u, 5, "aaaa ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_is_not_given_back),
        cmocka_unit_test(what_waits_is_given_back_in_order_a_part_of_it_too),
        cmocka_unit_test(items_are_forgotten_as_the_socket_takes_them),
        cmocka_unit_test(a_write_that_broke_the_connection_comes_back_whole),
        cmocka_unit_test(answers_to_the_component_count_and_are_not_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
