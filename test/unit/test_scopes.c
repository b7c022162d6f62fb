/* test/unit/test_scopes.c */
#include "sessman/scopes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void words(void **state)
{
    (void)state;
    static const char *const good[] = { "commands", "commands:read", "command:urn:x", "message" };
    static const char *const bad[] = { "",         "command",          "command:",    "commands:write",
                                       "Commands", "messages",         "command:a b", "command:a\tb",
                                       "*",        "commands message", "command:\x01" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(scope_ok(slice_cstr(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(scope_ok(slice_cstr(bad[i])));
}

static void what_they_allow(void **state)
{
    (void)state;
    static const struct {
        const char *scopes;
        bool reads, changes, other, sees,
            message; /* urn:a that reads, urn:a that changes, urn:b that changes */
    } rows[] = {
        { "commands", true, true, true, true, false },
        { "commands:read", true, false, false, true, false },
        { "command:urn:a", true, true, false, true, false },
        { "command:urn:", false, false, false, true, false },
        { "command:urn:a2", false, false, false, true, false },
        { "message", false, false, false, false, true },
        { "message commands:read command:urn:b", true, false, true, true, true },
        { SCOPES_ALL, true, true, true, true, true },
        { "", false, false, false, false, false },
        /* What is not understood gives nothing, and hides what comes after it. */
        { "nonsense commands", false, false, false, false, false },
        { "message  commands", false, false, false, false, true },
        { "message nonsense commands", false, false, false, false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice s = slice_cstr(rows[i].scopes);
        assert_int_equal(scopes_run(s, SLICE("urn:a"), false), rows[i].reads);
        assert_int_equal(scopes_run(s, SLICE("urn:a"), true), rows[i].changes);
        assert_int_equal(scopes_run(s, SLICE("urn:b"), true), rows[i].other);
        assert_int_equal(scopes_see_commands(s), rows[i].sees);
        assert_int_equal(scopes_message(s), rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(what_they_allow),
    };
    return cmocka_run_group_tests_name("scopes", tests, NULL, NULL);
}
