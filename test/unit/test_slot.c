/* test/unit/test_slot.c - upload slots: names, types, paths, and what a signature covers (XEP-0363) */
#include "common/xmpp/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define KEY SLICE("a key of two daemons")
#define NOW 1000

static const uint8_t random_bytes[SLOT_RANDOM_BYTES] = "twenty random bytes";

static int setup(void **state)
{
    *state = arena_new(4096, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

static struct slot a_slot(struct arena *a)
{
    return (struct slot){ slot_token(a, 2000000, random_bytes), SLICE("tr\xc3\xa8s cool.jpg"), 23456,
                          SLICE("image/jpeg"), NOW + 300 };
}

static struct slice path_of(struct arena *a, const struct slot *s)
{
    return slot_path(a, s->token, s->name);
}

static void what_was_signed_is_let_in(void **state)
{
    struct arena *a = *state;
    struct slot s = a_slot(a), got;
    assert_int_equal(slot_check(a, KEY, path_of(a, &s), slot_sign(a, KEY, &s), NOW, &got), RC_OK);
    assert_true(slice_eq(got.token, s.token) && slice_eq(got.name, s.name) && slice_eq(got.type, s.type));
    assert_true(got.size == s.size && got.until_s == s.until_s);
    s.type = SLICE_NONE;
    s.size = 0;
    assert_int_equal(slot_check(a, KEY, path_of(a, &s), slot_sign(a, KEY, &s), NOW, &got), RC_OK);
    assert_true(got.size == 0 && got.type.len == 0);
}

static void what_was_not_is_not(void **state)
{
    struct arena *a = *state;
    const struct slot s = a_slot(a);
    struct slot other[5] = { s, s, s, s, s }, got;
    uint8_t bytes[SLOT_RANDOM_BYTES] = { 1 };
    other[0].token = slot_token(a, 2000000, bytes);
    other[1].name = SLICE("tr\xc3\xa8s cool.html");
    other[2].size++;
    other[3].type = SLICE("text/html");
    other[4].until_s += 1000;
    struct slice good = slot_sign(a, KEY, &s), hash = slice_from(good, good.len - 43);
    for (size_t i = 0; i < 5; i++) { /* their values with the signature of s */
        struct slice q = slot_sign(a, KEY, &other[i]);
        struct slice forged = arena_join(a, slice_to(q, q.len - 43), hash);
        assert_int_equal(slot_check(a, KEY, path_of(a, &other[i]), forged, NOW, &got), RC_DENIED);
    }
    assert_int_equal(slot_check(a, SLICE("another key, as long"), path_of(a, &s), good, NOW, &got),
                     RC_DENIED);
    assert_int_equal(slot_check(a, SLICE_NONE, path_of(a, &s), slot_sign(a, SLICE_NONE, &s), NOW, &got),
                     RC_DENIED);
    assert_int_equal(slot_check(a, KEY, path_of(a, &s), slice_to(good, good.len - 1), NOW, &got), RC_DENIED);
    assert_int_equal(slot_check(a, KEY, path_of(a, &s), slice_to(good, good.len - 43), NOW, &got), RC_DENIED);
}

static void a_slot_ends(void **state)
{
    struct arena *a = *state;
    struct slot s = a_slot(a), got;
    struct slice q = slot_sign(a, KEY, &s);
    assert_int_equal(slot_check(a, KEY, path_of(a, &s), q, NOW + 300, &got), RC_OK);
    assert_int_equal(slot_check(a, KEY, path_of(a, &s), q, NOW + 301, &got), RC_TIMEOUT);
}

static void queries_of_another_form_are_refused(void **state)
{
    static const char *const queries[] = { "",
                                           "u=1",
                                           "u=1&s=2&t=",
                                           "s=2&u=1&t=&h=x",
                                           "u=1&s=2&t=&h=x&h=x",
                                           "u=-1&s=2&t=&h=x",
                                           "u=1&s=-2&t=&h=x",
                                           "u=1&s=1125899906842625&t=&h=x",
                                           "u=1&s=99999999999999999999&t=&h=x",
                                           "u=1&s=2&t=html&h=x",
                                           "u=1&s=2&t=a%2Fb%0D%0AX&h=x",
                                           "u=1&s=2&t=a%2&h=x" };
    struct arena *a = *state;
    struct slot s = a_slot(a), got;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        if (slot_check(a, KEY, path_of(a, &s), slice_cstr(queries[i]), NOW, &got) != RC_SYNTAX)
            fail_msg("%s", queries[i]);
}

static void a_token_says_how_long_the_file_is_kept(void **state)
{
    struct arena *a = *state;
    static const uint32_t times[] = { 0, 1, 86399, 2000000, 0x12345678, UINT32_MAX };
    uint32_t got;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct slice t = slot_token(a, times[i], random_bytes);
        assert_int_equal(t.len, SLOT_TOKEN_CHARS);
        assert_int_equal(slot_token_read(t, &got), RC_OK);
        assert_true(got == times[i]);
    }
    assert_int_equal(slot_token_read(SLICE("0123456789012345678901234567890"), &got), RC_SYNTAX);
    assert_int_equal(slot_token_read(SLICE("0123456789.123456789012345678901"), &got), RC_SYNTAX);
    assert_int_equal(slot_token_read(SLICE("0123456789/123456789012345678901"), &got), RC_SYNTAX);
}

#define TOKEN "0123456789012345678901234567890_"
static void paths_lead_nowhere_else(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        TOKEN,
        TOKEN "/",
        TOKEN "/.",
        TOKEN "/..",
        TOKEN "/%2e%2e",
        TOKEN "/%2E.",
        TOKEN "/a/b",
        TOKEN "/a%2fb",
        TOKEN "/..%2f..%2fetc%2fpasswd",
        TOKEN "/a%5cb",
        TOKEN "/a%00.jpg",
        TOKEN "/%",
        TOKEN "/%4",
        TOKEN "/%zz",
        TOKEN "/%c0%ae%c0%ae",
        TOKEN "/%ff",
        TOKEN "/a%0d%0ab",
        TOKEN "//a",
        "../" TOKEN "/a",
        "%2e%2e/" TOKEN "/a",
        "012345678901234567890123456789../a",
        "0123456789012345678901234567890%/a",
    };
    struct arena *a = *state;
    struct slice token, name;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (slot_path_read(a, slice_cstr(paths[i]), &token, &name) != RC_SYNTAX)
            fail_msg("%s", paths[i]);
    assert_int_equal(slot_path_read(a, SLICE(TOKEN "/%252e%252e"), &token, &name), RC_OK);
    assert_true(slice_is(name, "%2e%2e")); /* once, not twice: a strange name, and no way up */
    char longest[SLOT_TOKEN_CHARS + 1 + SLOT_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    longest[SLOT_TOKEN_CHARS] = '/';
    assert_int_equal(slot_path_read(a, slice_of(longest, sizeof longest - 1), &token, &name), RC_OK);
    assert_int_equal(slot_path_read(a, slice_of(longest, sizeof longest), &token, &name), RC_SYNTAX);
}

static void names_are_kept_as_they_are(void **state)
{
    static const char *const good[] = { "a",
                                        "tr\xc3\xa8s cool.jpg",
                                        "...",
                                        ".bashrc",
                                        "a b&c?d#e%41.txt",
                                        "\xe7\x8c\xab.png",
                                        "\xf0\x9f\x90\x88.gif" };
    static const char *const bad[] = {
        "",     ".",         "..",           "a/b",           "a\\b",
        "a\nb", "a\x7f",     "a\xc2\x85",    "a\xe2\x80\xa8", "a\xe2\x80\xaegpj.exe",
        "\xff", "a\xc0\xae", "a\xe2\x81\xa6"
    };
    struct arena *a = *state;
    struct slice token, name;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct slice path = slot_path(a, SLICE(TOKEN), slice_cstr(good[i]));
        assert_true(slot_name_ok(slice_cstr(good[i])));
        assert_int_equal(slot_path_read(a, path, &token, &name), RC_OK);
        assert_true(slice_is(name, good[i]));
        for (size_t j = 0; j < path.len; j++) /* XEP-0363 4: what is not ASCII is encoded */
            assert_true(path.p[j] > 0x20 && path.p[j] < 0x7f);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (slot_name_ok(slice_cstr(bad[i])))
            fail_msg("%s", bad[i]);
    assert_false(slot_name_ok(SLICE("a\0b")));
}

static void types_are_media_types(void **state)
{
    static const char *const good[] = { "image/jpeg", "text/plain; charset=\"utf-8\"", "a/b",
                                        "application/vnd.x+xml", "text/plain;charset=utf-8" };
    static const char *const bad[] = { "",
                                       "image",
                                       "image/",
                                       "/jpeg",
                                       "image/jpeg/x",
                                       "image /jpeg",
                                       "image/jpeg\r\nX: y",
                                       "image/jpeg; a=\xc3\xa8",
                                       "image/jpeg,text/html",
                                       " image/jpeg" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!slot_type_ok(slice_cstr(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (slot_type_ok(slice_cstr(bad[i])))
            fail_msg("%s", bad[i]);
    assert_true(slice_is(slot_type_essence(SLICE("text/plain; x=y")), "text/plain"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_signed_is_let_in),
        TEST(what_was_not_is_not),
        TEST(a_slot_ends),
        TEST(queries_of_another_form_are_refused),
        TEST(a_token_says_how_long_the_file_is_kept),
        TEST(paths_lead_nowhere_else),
        TEST(names_are_kept_as_they_are),
        TEST(types_are_media_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
