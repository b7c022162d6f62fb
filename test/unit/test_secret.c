/* test/unit/test_secret.c */
#include "common/base/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 0);
    return secret_init(NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

static void tokens_are_url_safe_and_differ(void **state)
{
    struct slice one = secret_token(*state, 18), two = secret_token(*state, 18);
    assert_int_equal(one.len, 24);
    assert_false(slice_eq(one, two));
    for (size_t i = 0; i < one.len; i++) {
        char c = one.p[i];
        assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                    c == '_');
    }
    assert_int_equal(secret_token(*state, 16).len, 22); /* no padding */
}

static void random_numbers_stay_below(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t n = secret_random_below(3);
        assert_true(n < 3);
        seen |= 1U << n;
    }
    assert_int_equal(seen, 7);
    assert_true(secret_random_u64() != secret_random_u64());
    unsigned char bytes[32] = { 0 }, zero[32] = { 0 };
    secret_random(bytes, sizeof bytes);
    assert_memory_not_equal(bytes, zero, sizeof bytes);
}

static void equality_looks_at_every_byte(void **state)
{
    (void)state;
    assert_true(secret_eq(SLICE("abc"), SLICE("abc")));
    assert_false(secret_eq(SLICE("abc"), SLICE("abd")));
    assert_false(secret_eq(SLICE("abc"), SLICE("xbc")));
    assert_false(secret_eq(SLICE("abc"), SLICE("ab")));
    assert_true(secret_eq(SLICE_NONE, SLICE("")));
}

static void wiped_memory_is_zero(void **state)
{
    (void)state;
    unsigned char bytes[3] = { 1, 2, 3 }, zero[3] = { 0 };
    secret_wipe(bytes, sizeof bytes);
    assert_memory_equal(bytes, zero, 3);
    secret_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_are_url_safe_and_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(random_numbers_stay_below, setup, teardown),
        cmocka_unit_test_setup_teardown(equality_looks_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(wiped_memory_is_zero, setup, teardown),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
