/* test/unit/test_range.c - parts of a file (RFC 9110 14) */
#include "httpgw/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct row {
    const char *header;
    uint64_t size;
    enum range want;
    uint64_t from, len;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t from = 99, len = 99;
        enum range got = range_read(slice_cstr(rows[i].header), rows[i].size, &from, &len);
        if (got != rows[i].want || from != rows[i].from || len != rows[i].len)
            fail_msg("%s of %llu: %d, %llu from %llu", rows[i].header, (unsigned long long)rows[i].size, got,
                     (unsigned long long)len, (unsigned long long)from);
    }
}

static void one_part_is_given(void **state)
{
    static const struct row rows[] = {
        { "bytes=0-0", 10, RANGE_PART, 0, 1 },
        { "bytes=0-9", 10, RANGE_PART, 0, 10 },
        { "bytes=0-99", 10, RANGE_PART, 0, 10 },
        { "bytes=4-", 10, RANGE_PART, 4, 6 },
        { "bytes=9-", 10, RANGE_PART, 9, 1 },
        { "bytes=-3", 10, RANGE_PART, 7, 3 },
        { "bytes=-30", 10, RANGE_PART, 0, 10 },
        { "BYTES=1-2", 10, RANGE_PART, 1, 2 },
        { " bytes= 1-2 ", 10, RANGE_PART, 1, 2 },
        { "bytes=0-18446744073709551615", 10, RANGE_PART, 0, 10 },
        { "bytes=0-99999999999999999999999", 10, RANGE_PART, 0, 10 },
    };
    (void)state;
    check(rows, sizeof rows / sizeof *rows);
}

static void what_is_not_there_is_refused(void **state)
{
    static const struct row rows[] = {
        { "bytes=10-", 10, RANGE_NONE, 0, 0 },
        { "bytes=10-20", 10, RANGE_NONE, 0, 0 },
        { "bytes=99999999999999999999999-", 10, RANGE_NONE, 0, 0 },
        { "bytes=-0", 10, RANGE_NONE, 0, 0 },
        { "bytes=0-", 0, RANGE_NONE, 0, 0 },
        { "bytes=-5", 0, RANGE_NONE, 0, 0 },
    };
    (void)state;
    check(rows, sizeof rows / sizeof *rows);
}

static void lists_are_refused(void **state)
{
    static const struct row rows[] = {
        { "bytes=0-0,1-1", 10, RANGE_NONE, 0, 0 },
        { "bytes=0-,0-,0-,0-", 10, RANGE_NONE, 0, 0 },
        { "bytes=,", 10, RANGE_NONE, 0, 0 },
    };
    (void)state;
    check(rows, sizeof rows / sizeof *rows);
}

static void nonsense_does_not_count(void **state)
{
    static const struct row rows[] = {
        { "", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=-", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=a-b", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=5-2", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=1-2-3", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=--3", 10, RANGE_WHOLE, 0, 10 },
        { "lines=0-1", 10, RANGE_WHOLE, 0, 10 },
        { "bytes", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=0x1-2", 10, RANGE_WHOLE, 0, 10 },
        { "bytes=1 - 2", 10, RANGE_WHOLE, 0, 10 },
    };
    (void)state;
    check(rows, sizeof rows / sizeof *rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_part_is_given),
        cmocka_unit_test(what_is_not_there_is_refused),
        cmocka_unit_test(lists_are_refused),
        cmocka_unit_test(nonsense_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
