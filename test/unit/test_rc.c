/* test/unit/test_rc.c - names of return codes, the text that says why, and the clocks */
#include "common/base/clock.h"
#include "common/base/rc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = RC_OK; a <= RC_CLOSED; a++) {
        assert_true(rc_name((enum rc)a)[0] != '\0');
        for (int b = RC_OK; b < a; b++)
            assert_string_not_equal(rc_name((enum rc)a), rc_name((enum rc)b));
    }
    assert_non_null(rc_name((enum rc)99));
}

static void why_is_one_line_and_never_longer_than_its_room(void **state)
{
    struct why why;
    char longer[1000];
    (void)state;
    why_set(&why, "line one\nline two\x1b[31m %d", 7);
    assert_null(strpbrk(why.text, "\n\x1b"));
    assert_non_null(strstr(why.text, "7"));
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    why_set(&why, "%s", longer);
    assert_true(strlen(why.text) < sizeof why.text);
    why_set(NULL, "nobody wants it %d", 1);
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    (void)state;
    uint64_t before = clock_mono_us(), cpu = clock_cpu_us();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_mono_us();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_mono_ms() >= before / 1000);
    assert_true(clock_cpu_us() >= cpu);
    assert_true(clock_wall_ms() > 1700000000000); /* after 2023 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(why_is_one_line_and_never_longer_than_its_room),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
