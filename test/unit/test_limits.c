/* test/unit/test_limits.c - how much another server may send, and what happens over it */
#include "s2s/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void rules_are_read(void **state)
{
    (void)state;
    struct limit_rule r;
    assert_int_equal(limit_rule_parse(SLICE("25000 disconnect"), &r, NULL), RC_OK);
    assert_true(r.most == 25000 && r.action == LIMIT_DISCONNECT);
    assert_int_equal(limit_rule_parse(SLICE(" 200m  drop "), &r, NULL), RC_OK);
    assert_true(r.most == 200000000 && r.action == LIMIT_DROP);
    assert_int_equal(limit_rule_parse(SLICE("25k pause"), &r, NULL), RC_OK);
    assert_true(r.most == 25000 && r.action == LIMIT_PAUSE);
    assert_int_equal(limit_rule_parse(SLICE("0"), &r, NULL), RC_OK);
    assert_true(r.most == 0 && r.action == LIMIT_NONE);
    assert_int_equal(limit_rule_parse(SLICE(""), &r, NULL), RC_OK);
    assert_true(r.most == 0);
}

static void other_rules_are_refused(void **state)
{
    static const char *const bad[] = { "25000",  "25000 explode", "many drop", "-1 drop",
                                       "k drop", "1 drop drop",   "0 explode" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct limit_rule r = { 7, LIMIT_DROP };
        assert_int_equal(limit_rule_parse(slice_cstr(bad[i]), &r, NULL), RC_SYNTAX);
        assert_int_equal(r.most, 7);
    }
}

static void over_the_minute_it_pauses_until_the_minute_is_over(void **state)
{
    const struct limit_rule rules[LIMIT_RULES] = { [LIMIT_STANZAS_MINUTE] = { 3, LIMIT_PAUSE } };
    struct limit_use use = { 0 };
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_take(&use, rules, LIMIT_OF_CONNECTION, 1000, 1, 10).action, LIMIT_NONE);
    struct limit_verdict v = limit_take(&use, rules, LIMIT_OF_CONNECTION, 11000, 1, 10);
    assert_int_equal(v.action, LIMIT_PAUSE);
    assert_int_equal(v.kind, LIMIT_STANZAS_MINUTE);
    assert_int_equal(v.wait_ms, 50000);
    assert_int_equal(limit_take(&use, rules, LIMIT_OF_CONNECTION, 61000, 1, 10).action, LIMIT_NONE);
}

static void a_lifetime_does_not_begin_anew(void **state)
{
    const struct limit_rule rules[LIMIT_RULES] = { [LIMIT_BYTES_LIFE] = { 100, LIMIT_DISCONNECT } };
    struct limit_use use = { 0 };
    (void)state;
    assert_int_equal(limit_take(&use, rules, LIMIT_OF_CONNECTION, 0, 1, 100).action, LIMIT_NONE);
    assert_int_equal(limit_take(&use, rules, LIMIT_OF_CONNECTION, 1000000, 1, 1).action, LIMIT_DISCONNECT);
}

static void the_hardest_rule_counts(void **state)
{
    const struct limit_rule rules[LIMIT_RULES] = { [LIMIT_STANZAS_MINUTE] = { 1, LIMIT_DROP },
                                                   [LIMIT_BYTES_MINUTE] = { 1, LIMIT_DISCONNECT },
                                                   [LIMIT_STANZAS_LIFE] = { 1, LIMIT_PAUSE } };
    struct limit_use use = { 0 };
    (void)state;
    struct limit_verdict v = limit_take(&use, rules, LIMIT_OF_CONNECTION, 0, 2, 2);
    assert_int_equal(v.action, LIMIT_DISCONNECT);
    assert_int_equal(v.kind, LIMIT_BYTES_MINUTE);
}

static void a_domain_counts_over_its_connections_and_is_forgotten(void **state)
{
    const struct limit_rule rules[LIMIT_RULES] = {
        [LIMIT_DOMAIN_STANZAS_MINUTE] = { 1, LIMIT_DROP }, [LIMIT_STANZAS_MINUTE] = { 1, LIMIT_DISCONNECT }
    };
    struct map *m = remotes_new();
    (void)state;
    struct limit_use *use = remotes_use(m, SLICE("far.example"), 0);
    assert_int_equal(limit_take(use, rules, LIMIT_OF_DOMAIN, 0, 1, 10).action, LIMIT_NONE);
    assert_ptr_equal(remotes_use(m, SLICE("far.example"), 1), use);
    assert_int_equal(limit_take(use, rules, LIMIT_OF_DOMAIN, 1, 1, 10).action, LIMIT_DROP);
    use = remotes_use(m, SLICE("other.example"), 1);
    assert_int_equal(limit_take(use, rules, LIMIT_OF_DOMAIN, 1, 1, 10).action, LIMIT_NONE);
    remotes_sweep(m, 200000);
    use = remotes_use(m, SLICE("far.example"), 200001);
    assert_int_equal(use->all_stanzas, 0);
    remotes_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(other_rules_are_refused),
        cmocka_unit_test(over_the_minute_it_pauses_until_the_minute_is_over),
        cmocka_unit_test(a_lifetime_does_not_begin_anew),
        cmocka_unit_test(the_hardest_rule_counts),
        cmocka_unit_test(a_domain_counts_over_its_connections_and_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
