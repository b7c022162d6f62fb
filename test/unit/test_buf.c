/* test/unit/test_buf.c */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void bytes_are_appended(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    BUF_LIT(&b, "a=");
    buf_u64(&b, UINT64_MAX);
    buf_byte(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_cstr(&b, " c ");
    buf_fmt(&b, "%05d", 42);
    buf_slice(&b, SLICE_NONE);
    assert_true(slice_is(buf_get(&b), "a=18446744073709551615 -9223372036854775808 c 00042"));
    buf_fini(&b);
    assert_int_equal(buf_get(&b).len, 0);
    buf_u64(&b, 0);
    assert_true(slice_is(buf_get(&b), "0"));
    buf_fini(&b);
}

static void nothing_more_is_appended_past_the_ceiling(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    buf_cstr(&b, "12345678");
    assert_false(b.over);
    buf_cstr(&b, "abc");
    assert_true(b.over);
    buf_byte(&b, 'x'); /* would fit, but a hole in the middle helps nobody */
    assert_true(slice_is(buf_get(&b), "12345678"));
    buf_reset(&b);
    assert_false(b.over);
    buf_cstr(&b, "1234567890");
    assert_false(b.over);
    assert_int_equal(b.len, 10);
    buf_fmt(&b, "%d", 1);
    assert_true(b.over);
    buf_fini(&b);
    assert_int_equal(b.max, 10);
}

static void long_formats_fit_exactly(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(2000);
    buf_fmt(&b, "%2000d", 7);
    assert_false(b.over);
    assert_int_equal(b.len, 2000);
    assert_int_equal(b.p[1999], '7');
    buf_reset(&b);
    buf_fmt(&b, "%2001d", 7);
    assert_true(b.over);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void reserve_stays_within_the_ceiling(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1000);
    buf_reserve(&b, 300);
    assert_true(b.cap >= 300 && b.cap <= 1000);
    buf_reserve(&b, SIZE_MAX);
    assert_int_equal(b.cap, 1000);
    assert_false(b.over);
    buf_fini(&b);
}

static void consumed_bytes_are_gone(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    buf_cstr(&b, "abcdef");
    buf_consume(&b, 2);
    assert_true(slice_is(buf_get(&b), "cdef"));
    buf_consume(&b, 0);
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void taken_bytes_belong_to_the_caller(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    size_t len;
    buf_cstr(&b, "abc");
    char *p = buf_take(&b, &len);
    buf_cstr(&b, "other");
    assert_true(slice_is(slice_of(p, len), "abc"));
    mem_free(p);
    buf_fini(&b);
    p = buf_take(&b, &len);
    assert_int_equal(len, 0);
    mem_free(p);
}

static void small_allocations_are_zeroed(void **state)
{
    (void)state;
    char *p = mem_array(3, 5);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(p[i], 0);
    MEM_FREE(&p);
    assert_null(p);
    p = mem_copy(slice_of("ab", 1));
    assert_string_equal(p, "a");
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_appended),
        cmocka_unit_test(nothing_more_is_appended_past_the_ceiling),
        cmocka_unit_test(long_formats_fit_exactly),
        cmocka_unit_test(reserve_stays_within_the_ceiling),
        cmocka_unit_test(consumed_bytes_are_gone),
        cmocka_unit_test(taken_bytes_belong_to_the_caller),
        cmocka_unit_test(small_allocations_are_zeroed),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
