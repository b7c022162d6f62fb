/* test/unit/test_slice.c */
#include "common/base/slice.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void equality_is_by_length_and_bytes(void **state)
{
    (void)state;
    assert_true(slice_eq(SLICE("abc"), slice_of("abcd", 3)));
    assert_false(slice_eq(SLICE("abc"), SLICE("abd")));
    assert_false(slice_eq(SLICE("abc"), SLICE("ab")));
    assert_true(slice_eq(SLICE_NONE, SLICE("")));
    assert_false(slice_eq(slice_of("a\0b", 3), slice_of("a\0c", 3)));
    assert_true(slice_is(SLICE("abc"), "abc"));
    assert_false(slice_is(slice_of("abc\0", 4), "abc"));
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
}

static void case_is_folded_for_ascii_only(void **state)
{
    (void)state;
    assert_true(slice_eq_nocase(SLICE("Romeo-Z"), SLICE("rOMEO-z")));
    assert_false(slice_eq_nocase(SLICE("@"), SLICE("`")));
    assert_false(slice_eq_nocase(SLICE("\xC3\x84"), SLICE("\xC3\xA4")));
}

static void order_is_by_bytes_then_by_length(void **state)
{
    (void)state;
    assert_int_equal(slice_cmp(SLICE("a"), SLICE("b")), -1);
    assert_int_equal(slice_cmp(SLICE("\xFF"), SLICE("b")), 1);
    assert_int_equal(slice_cmp(SLICE("a"), SLICE("ab")), -1);
    assert_int_equal(slice_cmp(SLICE("ab"), SLICE("a")), 1);
    assert_int_equal(slice_cmp(SLICE_NONE, SLICE("")), 0);
}

static void parts_stay_inside(void **state)
{
    (void)state;
    assert_true(slice_is(slice_from(SLICE("abc"), 1), "bc"));
    assert_int_equal(slice_from(SLICE("abc"), 9).len, 0);
    assert_int_equal(slice_from(SLICE_NONE, 1).len, 0);
    assert_true(slice_is(slice_to(SLICE("abc"), 2), "ab"));
    assert_true(slice_is(slice_to(SLICE("abc"), 9), "abc"));
    assert_int_equal(slice_find(SLICE("abc"), 'c'), 2);
    assert_int_equal(slice_find(SLICE("abc"), 'd'), -1);
    assert_int_equal(slice_find(SLICE_NONE, 'd'), -1);
}

static void cutting_leaves_characters_whole(void **state)
{
    (void)state;
    struct slice s = SLICE("a\xC4\x8D\xF0\x9F\x98\x80"); /* of one, two and four bytes */
    static const size_t want[] = { 0, 1, 1, 3, 3, 3, 3, 7, 7 };
    for (size_t max = 0; max < sizeof want / sizeof *want; max++)
        assert_int_equal(slice_utf8_cut(s, max).len, want[max]);
    assert_int_equal(slice_utf8_cut(SLICE_NONE, 4).len, 0);
}

static void split_gives_empty_pieces_between_separators(void **state)
{
    (void)state;
    struct slice rest = SLICE("a,,b"), piece;
    assert_true(slice_split(&rest, ',', &piece) && slice_is(piece, "a"));
    assert_true(slice_split(&rest, ',', &piece) && slice_is(piece, ""));
    assert_true(slice_split(&rest, ',', &piece) && slice_is(piece, "b"));
    assert_false(slice_split(&rest, ',', &piece));
    rest = SLICE_NONE;
    assert_false(slice_split(&rest, ',', &piece));
}

static void trim_takes_xml_white_space(void **state)
{
    (void)state;
    assert_true(slice_is(slice_trim(SLICE(" \t\r\na b\n ")), "a b"));
    assert_int_equal(slice_trim(SLICE("  ")).len, 0);
    assert_true(slice_is(slice_trim(SLICE("\va")), "\va"));
}

static void numbers_are_checked(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_int_equal(slice_u64(SLICE("18446744073709551615"), UINT64_MAX, &u), RC_OK);
    assert_true(u == UINT64_MAX);
    u = 7;
    assert_int_equal(slice_u64(SLICE("18446744073709551616"), UINT64_MAX, &u), RC_LIMIT);
    assert_int_equal(slice_u64(SLICE("99999999999999999999999"), UINT64_MAX, &u), RC_LIMIT);
    assert_int_equal(slice_u64(SLICE("99999999999999999999999x"), UINT64_MAX, &u), RC_SYNTAX);
    assert_int_equal(slice_u64(SLICE("11"), 10, &u), RC_LIMIT);
    assert_int_equal(slice_u64(SLICE(""), 10, &u), RC_SYNTAX);
    assert_int_equal(slice_u64(SLICE("+1"), 10, &u), RC_SYNTAX);
    assert_int_equal(slice_u64(SLICE(" 1"), 10, &u), RC_SYNTAX);
    assert_true(u == 7);
    assert_int_equal(slice_i64(SLICE("-9223372036854775808"), INT64_MIN, INT64_MAX, &i), RC_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(slice_i64(SLICE("+127"), -128, 127, &i), RC_OK);
    assert_int_equal(i, 127);
    assert_int_equal(slice_i64(SLICE("-129"), -128, 127, &i), RC_LIMIT);
    assert_int_equal(slice_i64(SLICE("-9223372036854775809"), INT64_MIN, INT64_MAX, &i), RC_LIMIT);
    assert_int_equal(slice_i64(SLICE("-"), -128, 127, &i), RC_SYNTAX);
    assert_int_equal(slice_i64(SLICE("--1"), -128, 127, &i), RC_SYNTAX);
    assert_int_equal(slice_i64(SLICE("-0"), -128, 127, &i), RC_OK);
    assert_int_equal(i, 0);
}

static void well_formed_utf8_is_accepted(void **state) /* RFC 3629 4 */
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain ascii, longer than eight bytes",
        "\x7f",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        "abcdefgh\xC3\xA4qrstuvwxyz",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(slice_utf8_ok(slice_cstr(good[i])));
    assert_true(slice_utf8_ok(slice_of("\0", 1)));
}

static void ill_formed_utf8_is_refused_at_every_offset(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2\x41",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xE1\x80",
        "\xE1\x80\x41",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF1\x80\x80",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t offset = 0; offset < 20; offset++) {
            char text[64];
            memset(text, 'a', sizeof text);
            memcpy(text + offset, bad[i], strlen(bad[i]));
            assert_false(slice_utf8_ok(slice_of(text, sizeof text)));
            assert_false(slice_utf8_ok(slice_of(text, offset + strlen(bad[i]))));
        }
    }
}

static void c_string_must_fit_and_hold_no_nul(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(slice_to_cstr(SLICE("abc"), out, sizeof out), RC_OK);
    assert_string_equal(out, "abc");
    assert_int_equal(slice_to_cstr(SLICE("abcd"), out, sizeof out), RC_LIMIT);
    assert_int_equal(slice_to_cstr(slice_of("a\0b", 3), out, sizeof out), RC_SYNTAX);
    assert_int_equal(slice_to_cstr(SLICE_NONE, out, sizeof out), RC_OK);
    assert_string_equal(out, "");
}

static void why_is_one_line_and_not_cut_inside_a_character(void **state)
{
    (void)state;
    struct why why;
    char longer[400];
    why_set(&why, "a%sb\x1b", "\r\n");
    assert_string_equal(why.text, "a??b?");
    memset(longer, 'x', sizeof longer);
    memcpy(longer + 237, "\xE2\x82\xAC", 3); /* the last byte would not fit */
    why_set(&why, "%.*s", 400, longer);
    assert_int_equal(strlen(why.text), 237);
    memcpy(longer + 236, "\xE2\x82\xACx", 4);
    why_set(&why, "%.*s", 400, longer);
    assert_int_equal(strlen(why.text), 239);
    why_set(NULL, "nothing happens");
    assert_string_equal(rc_name(RC_CLOSED), "closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_by_length_and_bytes),
        cmocka_unit_test(case_is_folded_for_ascii_only),
        cmocka_unit_test(order_is_by_bytes_then_by_length),
        cmocka_unit_test(parts_stay_inside),
        cmocka_unit_test(cutting_leaves_characters_whole),
        cmocka_unit_test(split_gives_empty_pieces_between_separators),
        cmocka_unit_test(trim_takes_xml_white_space),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(well_formed_utf8_is_accepted),
        cmocka_unit_test(ill_formed_utf8_is_refused_at_every_offset),
        cmocka_unit_test(c_string_must_fit_and_hold_no_nul),
        cmocka_unit_test(why_is_one_line_and_not_cut_inside_a_character),
    };
    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
