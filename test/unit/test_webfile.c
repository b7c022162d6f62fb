/* test/unit/test_webfile.c - names, types and header fields of our own pages (RFC 9110) */
#include "httpgw/webfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void names_need_no_encoding(void **state)
{
    static const char *const good[] = { "index.html", "a", "en-GB_x@2.js", "c++", "a..b", "A.B.C" };
    static const char *const bad[] = { "",     ".",   "..",  ".htaccess", "a/b",         "a b", "a%2e",
                                       "a\\b", "a:b", "a\n", "a?",        "caf\xc3\xa9", "~",   "a;b" };
    char longest[WEBFILE_NAME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(webfile_name_ok(slice_cstr(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(webfile_name_ok(slice_cstr(bad[i])));
    assert_false(webfile_name_ok(slice_of("a\0b", 3)));
    memset(longest, 'a', sizeof longest);
    assert_true(webfile_name_ok(slice_of(longest, WEBFILE_NAME_MAX)));
    assert_false(webfile_name_ok(slice_of(longest, sizeof longest)));
}

static void types_by_the_end_of_the_name(void **state)
{
    (void)state;
    assert_string_equal(webfile_type(SLICE("index.html")), "text/html; charset=utf-8");
    assert_string_equal(webfile_type(SLICE("A.JS")), "text/javascript; charset=utf-8");
    assert_string_equal(webfile_type(SLICE("a.b.css")), "text/css; charset=utf-8");
    assert_string_equal(webfile_type(SLICE(".html")), "application/octet-stream");
    assert_string_equal(webfile_type(SLICE("html")), "application/octet-stream");
    assert_string_equal(webfile_type(SLICE("a.xyz")), "application/octet-stream");
    assert_true(webfile_is_gzip(SLICE("a.js.gz")));
    assert_false(webfile_is_gzip(SLICE("a.js")));
}

static void lists_of_tags(void **state) /* RFC 9110 13.1.2, 8.8.3.2 */
{
    struct slice tag = SLICE("\"abc\"");
    (void)state;
    assert_true(webfile_known(SLICE("\"abc\""), tag));
    assert_true(webfile_known(SLICE("\"x\", W/\"abc\" ,\"y\""), tag));
    assert_true(webfile_known(SLICE(" * "), tag));
    assert_false(webfile_known(SLICE(""), tag));
    assert_false(webfile_known(SLICE("abc"), tag));
    assert_false(webfile_known(SLICE("\"abcd\", \"ab\", W/, ,"), tag));
    assert_false(webfile_known(SLICE("w/\"abc\""), tag));
}

static void codings(void **state) /* RFC 9110 12.5.3 */
{
    static const char *const yes[] = { "gzip",         "GZIP", "x-gzip",     "deflate, gzip;q=1.0, *;q=0.5",
                                       "gzip;q=0.001", "*",    "br,*;q=0.1", "gzip ; q=0.5",
                                       "gzip;a=b",     ",gzip" };
    static const char *const no[] = { "",        "br",       "gzip;q=0",     "gzip;q=0.000, *",
                                      "*;q=0",   "identity", "gzip;a=b;q=0", "gzip ;Q=0.",
                                      "gzipped", ";gzip",    "gzip;q=" };
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!webfile_takes_gzip(slice_cstr(yes[i])))
            fail_msg("%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (webfile_takes_gzip(slice_cstr(no[i])))
            fail_msg("%s", no[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_need_no_encoding),
        cmocka_unit_test(types_by_the_end_of_the_name),
        cmocka_unit_test(lists_of_tags),
        cmocka_unit_test(codings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
