/* test/unit/test_request.c - what is read out of a request's target before anybody trusts it */
#include "httpgw/http.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void check(const char *text, const char *want) /* NULL: refused */
{
    struct arena *a = arena_new(256, 0);
    struct slice out;
    enum rc rc = http_decode(a, slice_cstr(text), &out);
    if (want) {
        assert_int_equal(rc, RC_OK);
        assert_true(slice_is(out, want));
    } else {
        assert_int_equal(rc, RC_SYNTAX);
    }
    arena_free(&a);
}

static void percent_signs_are_decoded(void **state)
{
    (void)state;
    check("", "");
    check("plain", "plain");
    check("%41%6a%4A", "AjJ");
    check("a%20b+c", "a b+c");
    check("%2e%2e%2f", "../"); /* who splits a path does it before */
    check("%c3%a4", "\xc3\xa4");
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    check("%", NULL);
    check("%4", NULL);
    check("a%4", NULL);
    check("%4g", NULL);
    check("%g4", NULL);
    check("%00", NULL);
    check("%0a", NULL);
    check("%7f", NULL);
    check("\n", NULL);
    check("%ff", NULL);
    check("%c3", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_signs_are_decoded),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
