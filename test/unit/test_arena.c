/* test/unit/test_arena.c */
#include "common/base/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 10000);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    assert_null(a);
    arena_free(&a);
    return 0;
}

static void blocks_are_aligned_and_apart(void **state)
{
    struct arena *a = *state;
    char *blocks[100];
    for (size_t i = 0; i < 100; i++) {
        size_t size = i * 7 + 1;
        blocks[i] = arena_alloc(a, size);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, size);
        arena_cstr(a, SLICE("x")); /* leaves the next one unaligned */
    }
    for (size_t i = 0; i < 100; i++) {
        for (size_t k = 0; k < i * 7 + 1; k++)
            assert_int_equal(blocks[i][k], (char)i);
    }
}

static void zeroed_memory_is_zero_after_reuse(void **state)
{
    struct arena *a = *state;
    memset(arena_alloc(a, 900), 0xAA, 900);
    arena_reset(a);
    const char *p = arena_zero(a, 900);
    for (size_t i = 0; i < 900; i++)
        assert_int_equal(p[i], 0);
    const uint32_t *n = ARENA_ARRAY(a, 10, uint32_t);
    assert_int_equal(n[9], 0);
}

static void strings_end_in_nul(void **state)
{
    struct arena *a = *state;
    char text[] = "romeo";
    struct slice copy = arena_copy(a, slice_of(text, 5));
    text[0] = 'x';
    assert_string_equal(copy.p, "romeo");
    assert_int_equal(copy.len, 5);
    assert_string_equal(arena_cstr(a, SLICE_NONE), "");
    struct slice joined = arena_join(a, SLICE("ab"), SLICE("cd"));
    assert_int_equal(joined.len, 4);
    assert_string_equal(joined.p, "abcd");
    assert_string_equal(arena_join(a, SLICE_NONE, SLICE_NONE).p, "");
}

static void formatted_text_of_any_length_is_whole(void **state)
{
    struct arena *a = *state;
    for (int width = 1; width < 3000; width += 13) {
        struct slice s = arena_fmt(a, "%*d", width, 5);
        assert_int_equal(s.len, width);
        assert_int_equal(s.p[width - 1], '5');
        assert_int_equal(s.p[width], 0);
    }
}

static void ceiling_is_remembered_until_the_reset(void **state)
{
    struct arena *a = *state;
    arena_alloc(a, 9000);
    assert_false(arena_over(a));
    arena_alloc(a, 100);
    assert_false(arena_over(a));
    for (int i = 0; i < 100; i++)
        memset(arena_alloc(a, 16), 1, 16);
    assert_true(arena_over(a));
    assert_true(arena_used(a) >= 9000 + 100 + 1600);
    arena_reset(a);
    assert_false(arena_over(a));
    assert_int_equal(arena_used(a), 0);
    memset(arena_alloc(a, 20000), 1, 20000);
    assert_true(arena_over(a));
}

static void pool_gives_back_what_it_got_up_to_its_number(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_new(1024, 100, 1);
    struct arena *first = arena_take(pool), *second = arena_take(pool);
    struct arena *was_first = first;
    assert_ptr_not_equal(first, second);
    memset(arena_alloc(first, 5000), 1, 5000);
    arena_give(pool, &first);
    assert_null(first);
    arena_give(pool, &second); /* one more than is kept */
    first = arena_take(pool);
    assert_ptr_equal(first, was_first);
    assert_int_equal(arena_used(first), 0);
    assert_false(arena_over(first));
    arena_give(pool, &first);
    arena_pool_free(&pool);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_are_aligned_and_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(zeroed_memory_is_zero_after_reuse, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_end_in_nul, setup, teardown),
        cmocka_unit_test_setup_teardown(formatted_text_of_any_length_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(ceiling_is_remembered_until_the_reset, setup, teardown),
        cmocka_unit_test(pool_gives_back_what_it_got_up_to_its_number),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
