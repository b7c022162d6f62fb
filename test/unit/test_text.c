/* test/unit/test_text.c */
#include "common/base/text.h"
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

static void base64_goes_both_ways(void **state) /* RFC 4648 10 */
{
    static const char *const rows[][2] = {
        { "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
        { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe\xfb", "//77" },
    };
    struct slice out;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(slice_is(base64_encode(*state, slice_cstr(rows[i][0])), rows[i][1]));
        assert_int_equal(base64_decode(*state, slice_cstr(rows[i][1]), &out), RC_OK);
        assert_true(slice_is(out, rows[i][0]));
    }
    assert_int_equal(base64_decode(*state, SLICE("AGEAYg=="), &out), RC_OK);
    assert_true(slice_eq(out, slice_of("\0a\0b", 4)));
}

static void base64url_has_one_form(void **state) /* RFC 4648 5 */
{
    struct arena *a = arena_new(256, 0);
    struct slice out;
    (void)state;
    assert_true(slice_is(base64url_encode(a, SLICE("\xfb\xff\x01\x02")), "-_8BAg"));
    assert_int_equal(base64url_decode(a, SLICE("-_8BAg"), &out), RC_OK);
    assert_true(slice_eq(out, SLICE("\xfb\xff\x01\x02")));
    assert_int_equal(base64url_decode(a, SLICE(""), &out), RC_OK);
    assert_int_equal(out.len, 0);
    static const char *const bad[] = { "-_8BAg==", "+/8BAg", "-_8BAh", "-_8BA", "-_8B Ag", "-_8B\xc3\xa4" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(base64url_decode(a, slice_cstr(bad[i]), &out), RC_SYNTAX);
    arena_free(&a);
}

static void base64_is_strict(void **state) /* RFC 6120 6.4.2, RFC 4648 3 */
{
    static const char *const wrong[] = {
        "Zg",     "Zg=",  "Zg===", "Zm9v=",    "=",    "====",     "Zm9\n",      " Zm9v",
        "Zm9v\n", "Zh==", "Zm9=",  "Zg==Zg==", "-_77", "Zm9v!abc", "Zm\xC3\xA4", "Z"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct slice out = SLICE("untouched");
        assert_int_equal(base64_decode(*state, slice_cstr(wrong[i]), &out), RC_SYNTAX);
        assert_true(slice_is(out, "untouched"));
    }
}

static void base64_takes_its_64_characters_only(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) {
        char text[4] = { (char)c, 'm', '9', 'v' };
        struct slice out;
        bool taken = base64_decode(*state, slice_of(text, 4), &out) == RC_OK;
        assert_int_equal(taken, c && strchr(alphabet, c));
    }
}

static void hex_goes_both_ways(void **state)
{
    struct slice out;
    uint64_t n = 0;
    assert_true(slice_is(hex_encode(*state, slice_of("\0\xAB\x7f", 3)), "00ab7f"));
    assert_int_equal(hex_decode(*state, SLICE("00aB7f"), &out), RC_OK);
    assert_true(slice_eq(out, slice_of("\0\xAB\x7f", 3)));
    assert_int_equal(hex_decode(*state, SLICE("abc"), &out), RC_SYNTAX);
    assert_int_equal(hex_decode(*state, SLICE("zz"), &out), RC_SYNTAX);
    assert_int_equal(hex_decode(*state, SLICE("ab "), &out), RC_SYNTAX);
    assert_int_equal(hex_decode(*state, SLICE_NONE, &out), RC_OK);
    assert_int_equal(hex_u64(SLICE("FfFfffffffffffff"), &n), RC_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(hex_u64(SLICE("0"), &n), RC_OK);
    assert_true(n == 0);
    assert_int_equal(hex_u64(SLICE(""), &n), RC_SYNTAX);
    assert_int_equal(hex_u64(SLICE("00000000000000000"), &n), RC_SYNTAX);
    assert_int_equal(hex_u64(SLICE("0x1"), &n), RC_SYNTAX);
}

static void json_strings_are_escaped(void **state)
{
    static const char *const rows[][2] = {
        { "", "\"\"" },
        { "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
        { "\n\r\t\x01\x1f\x7f", "\"\\n\\r\\t\\u0001\\u001f\x7f\"" },
        { "\xC3\xA4\xF0\x9F\x98\x80", "\"\xC3\xA4\xF0\x9F\x98\x80\"" },
        { "\xFF"
          "a\xC3",
          "\"\xEF\xBF\xBD"
          "a\xEF\xBF\xBD\"" },
        { "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = BUF_INIT(0);
        text_json(&out, slice_cstr(rows[i][0]));
        assert_true(slice_is(buf_get(&out), rows[i][1]));
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_has_one_form),
        cmocka_unit_test_setup_teardown(base64_goes_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(base64_is_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(base64_takes_its_64_characters_only, setup, teardown),
        cmocka_unit_test_setup_teardown(hex_goes_both_ways, setup, teardown),
        cmocka_unit_test(json_strings_are_escaped),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
