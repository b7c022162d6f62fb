/* test/unit/test_map.c */
#include "common/base/map.h"
#include "common/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct thing {
    char name[16];
    uint64_t id;
    bool gone;
};

static struct slice name_of(const void *value)
{
    const struct thing *t = value;
    return slice_cstr(t->name);
}

enum { MANY = 5000 };

static struct thing *make_things(void)
{
    struct thing *things = mem_array(MANY, sizeof *things);
    for (uint64_t i = 0; i < MANY; i++) {
        things[i].id = i * UINT64_C(0x100000000);
        things[i].name[0] = (char)('a' + i % 26);
        for (uint64_t n = i, k = 1; n; n /= 10, k++)
            things[i].name[k] = (char)('0' + n % 10);
    }
    return things;
}

static void what_was_put_is_found_and_what_was_removed_is_not(void **state)
{
    (void)state;
    struct thing *things = make_things();
    struct map *m = map_new(name_of);
    assert_null(map_get(m, SLICE("a")));
    assert_null(map_remove(m, SLICE("a")));
    for (size_t i = 0; i < MANY; i++)
        assert_null(map_put(m, &things[i]));
    assert_int_equal(map_count(m), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(m, name_of(&things[i])), &things[i]);
    for (size_t i = 0; i < MANY; i += 2)
        assert_ptr_equal(map_remove(m, name_of(&things[i])), &things[i]);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(m, name_of(&things[i])), i % 2 ? &things[i] : NULL);
    for (size_t i = 1; i < MANY; i += 2)
        assert_ptr_equal(map_remove(m, name_of(&things[i])), &things[i]);
    assert_int_equal(map_count(m), 0);
    map_free(&m);
    assert_null(m);
    mem_free(things);
}

static void put_returns_what_it_replaced(void **state)
{
    (void)state;
    struct map *m = map_new(name_of);
    struct thing one = { .name = "same" }, two = { .name = "same" }, empty = { .name = "" };
    assert_null(map_put(m, &one));
    assert_ptr_equal(map_put(m, &two), &one);
    assert_int_equal(map_count(m), 1);
    assert_ptr_equal(map_get(m, SLICE("same")), &two);
    map_put(m, &empty);
    assert_ptr_equal(map_get(m, SLICE_NONE), &empty);
    map_free(&m);
}

static bool visit(void *value, void *ctx)
{
    struct thing *t = value;
    size_t *calls = ctx;
    assert_false(t->gone);
    ++*calls;
    t->gone = t->id % UINT64_C(0x300000000) == 0;
    return !t->gone;
}

static void each_sees_every_value_once_while_removing(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) { /* each map has another key: other places, other wraps */
        struct thing *things = make_things();
        struct map *m = map_new(name_of);
        size_t calls = 0, left = 0;
        for (size_t i = 0; i < 900; i++)
            map_put(m, &things[i]);
        map_each(m, visit, &calls);
        assert_int_equal(calls, 900);
        assert_int_equal(map_count(m), 600);
        for (size_t i = 0; i < 900; i++)
            left += map_get(m, name_of(&things[i])) == &things[i] && !things[i].gone;
        assert_int_equal(left, 600);
        map_free(&m);
        mem_free(things);
    }
}

static bool drop(void *value, void *ctx)
{
    (void)value, (void)ctx;
    return false;
}

static void iterator_sees_every_value_once(void **state)
{
    (void)state;
    struct thing *things = make_things(), *t;
    struct map *m = map_new(name_of);
    size_t at = 0, seen = 0;
    assert_null(map_next(m, &at));
    for (size_t i = 0; i < MANY; i++)
        map_put(m, &things[i]);
    for (at = 0; (t = map_next(m, &at)); seen++) {
        assert_false(t->gone);
        t->gone = true;
    }
    assert_int_equal(seen, MANY);
    map_each(m, drop, NULL);
    assert_int_equal(map_count(m), 0);
    map_each(m, drop, NULL);
    map_free(&m);
    mem_free(things);
}

static void numbers_are_found_replaced_and_removed(void **state)
{
    (void)state;
    struct thing *things = make_things(), *t;
    struct idmap *m = idmap_new();
    size_t at = 0, seen = 0;
    assert_null(idmap_get(m, 0));
    for (size_t i = 0; i < MANY; i++)
        assert_null(idmap_put(m, things[i].id, &things[i]));
    assert_ptr_equal(idmap_put(m, 0, &things[0]), &things[0]);
    assert_int_equal(idmap_count(m), MANY);
    for (; (t = idmap_next(m, &at)); seen++)
        assert_ptr_equal(idmap_get(m, t->id), t);
    assert_int_equal(seen, MANY);
    for (size_t i = 0; i < MANY; i += 3)
        assert_ptr_equal(idmap_remove(m, things[i].id), &things[i]);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(idmap_get(m, things[i].id), i % 3 ? &things[i] : NULL);
    assert_null(idmap_remove(m, 1));
    for (size_t i = 0; i < MANY; i++)
        idmap_remove(m, things[i].id);
    assert_int_equal(idmap_count(m), 0);
    idmap_free(&m);
    mem_free(things);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_what_was_removed_is_not),
        cmocka_unit_test(put_returns_what_it_replaced),
        cmocka_unit_test(each_sees_every_value_once_while_removing),
        cmocka_unit_test(iterator_sees_every_value_once),
        cmocka_unit_test(numbers_are_found_replaced_and_removed),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
