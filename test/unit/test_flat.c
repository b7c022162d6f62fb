/* test/unit/test_flat.c - flat.c */
#include "common/daemon/flat.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void check(const char *json, const char *expected)
{
    struct buf out = BUF_INIT(0);
    flat_numbers(slice_cstr(json), &out);
    if (!slice_is(buf_get(&out), expected))
        fail_msg("%s gives " SLICE_FMT, json, SLICE_ARG(buf_get(&out)));
    buf_fini(&out);
}

static void numbers_have_paths(void **state)
{
    (void)state;
    check("{}", "");
    check("{\"a\":1,\"b\":{\"c\":-2,\"d\":{\"e\":true}},\"f\":false}", "a 1\nb.c -2\nb.d.e 1\nf 0\n");
}

static void texts_are_left_out(void **state)
{
    (void)state;
    check("{\"a\":\"1\",\"b\":\"x\\\",\\\"y\\\":2\",\"c\":null,\"d\":3,\"e\":1.5}", "d 3\n");
}

static void elements_add_up_where_that_means_something(void **state)
{
    (void)state;
    check("{\"links\":[{\"up\":true,\"waiting_bytes\":3,\"nodes\":[{\"unacked_bytes\":1,\"n\":7,\"names\":["
          "\"x\"]},"
          "{\"unacked_bytes\":2,\"reachable\":true}]},{\"up\":true,\"waiting_bytes\":4,\"nodes\":[]}],\"z\":["
          "1,2],\"y\":5}",
          "links.up 2\nlinks.waiting_bytes 7\nlinks.nodes.unacked_bytes 3\nlinks.nodes.reachable 1\ny 5\n");
}

static void a_mistake_ends_it(void **state)
{
    static const char *const rows[] = {
        "{\"a\":1,",
        "{\"a\":1,\"b",
        "{\"a\":1,\"b\"",
        "{\"a\":1,\"b\":}",
        "{\"a\":1,\"b\":[",
        "{\"a\":1,\"b\\",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,\"b\":{{\"c\":2}}}",
        "{\"a\":1,\"b\":[[[[[[[[[[{\"c_bytes\":2}]]]]]]]]]],\"d\":3}",
        "{\"a\":1,"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaa\":2}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(rows[i], "a 1\n");
    check("", "");
    check("7", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_paths),
        cmocka_unit_test(texts_are_left_out),
        cmocka_unit_test(elements_add_up_where_that_means_something),
        cmocka_unit_test(a_mistake_ends_it),
    };
    return cmocka_run_group_tests_name("flat", tests, NULL, NULL);
}
