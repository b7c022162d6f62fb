/* test/unit/test_mem.c */
#include "common/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

enum { PIECES = 60000, SIZES = 61 };

static size_t resident(void)
{
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_FREED 1 /* the sanitizers do */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_FREED 1
#endif
#endif
#ifndef KEEPS_FREED
#define KEEPS_FREED 0
#endif

/* Pieces of all small sizes, freed in an order that leaves the last of each size far apart. */
static void what_was_freed_goes_back(void **state)
{
    void **pieces = mem_array(PIECES, sizeof *pieces);
    (void)state;
    memset(pieces, 1, PIECES * sizeof *pieces);
    mem_release();
    size_t before = resident();
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = mem_new(16 * (i % SIZES) + 8);
    size_t most = resident();
    for (size_t i = 0; i < PIECES; i++)
        mem_free(pieces[i * 7919 % PIECES]);
    mem_release();
    size_t after = resident();
    assert_true(most - before > PIECES * 256);
    if (!KEEPS_FREED)
        assert_in_range(after, 0, before + 256 * 1024);
    mem_free(pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_freed_goes_back) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
