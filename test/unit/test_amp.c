/* test/unit/test_amp.c - message processing rules: which are some, which is met, what the sender hears
 * (XEP-0079) */
#include "common/xmpp/amp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

#define HEAD "<message xmlns='jabber:client' from='a@x/1' to='b@y/2' id='m'>"
#define AMP  "<amp xmlns='http://jabber.org/protocol/amp'"
#define TAIL "</amp></message>"

static struct stanza message(struct arena *a, const char *text)
{
    struct stanza st;
    enum stanza_cond cond;
    assert_int_equal(stanza_read(a, tree(a, text), &st, &cond), RC_OK);
    return st;
}

/* A message with these rules. */
static struct stanza with(struct arena *a, const char *rules)
{
    char text[2000];
    snprintf(text, sizeof text, HEAD AMP ">%s" TAIL, rules);
    return message(a, text);
}

static enum amp_fault fault(struct arena *a, const char *text, size_t *n)
{
    struct amp amp;
    struct stanza st = message(a, text);
    enum amp_fault f = amp_read(a, &st, 3, &amp);
    if (n)
        *n = amp.n;
    return f;
}

#define DROP "<rule action='drop' condition='deliver' value='stored'/>"

static void a_message_without_rules_has_none(void **state)
{
    assert_int_equal(fault(*state, HEAD "<body/></message>", NULL), AMP_ABSENT);
    assert_int_equal(fault(*state, HEAD AMP " status='alert'>" DROP TAIL, NULL), AMP_ABSENT);
    assert_int_equal(
        fault(*state, "<message xmlns='jabber:client' type='error' id='m'>" AMP "/></message>", NULL),
        AMP_ABSENT);
    assert_int_equal(fault(*state, HEAD AMP ">" DROP TAIL, NULL), AMP_FINE);
    assert_int_equal(fault(*state, HEAD AMP " per-hop='true'>" DROP TAIL, NULL), AMP_FINE);
}

static void what_makes_no_sense_is_malformed(void **state)
{
    static const char *const cases[] = {
        HEAD AMP "/></message>",
        "<message xmlns='jabber:client'>" AMP ">" DROP TAIL,
        "<message xmlns='jabber:client' id=''>" AMP ">" DROP TAIL,
        HEAD AMP " per-hop='yes'>" DROP TAIL,
        HEAD AMP " per-hop=''>" DROP TAIL,
        HEAD AMP ">" DROP "<rules/>" TAIL,
        HEAD AMP ">" DROP "<rule xmlns='urn:x' action='drop' condition='deliver' value='stored'/>" TAIL,
        HEAD AMP "><rule condition='deliver' value='stored'/>" TAIL,
        HEAD AMP "><rule action='drop' value='stored'/>" TAIL,
        HEAD AMP "><rule action='drop' condition='deliver'/>" TAIL,
        HEAD AMP "><rule action='drop' condition='deliver' value=''/>" TAIL,
        HEAD AMP ">" DROP "</amp>" AMP ">" DROP TAIL,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fault(*state, cases[i], NULL) != AMP_MALFORMED)
            fail_msg("%s", cases[i]);
    assert_int_equal(fault(*state, HEAD AMP ">" DROP DROP DROP DROP TAIL, NULL), AMP_TOO_MANY);
}

static void the_rules_at_fault_are_named(void **state)
{
#define BAD_ACTION    "<rule action='explode' condition='deliver' value='stored'/>"
#define BAD_CONDITION "<rule action='drop' condition='full-moon' value='1'/>"
#define BAD_VALUE     "<rule action='drop' condition='deliver' value='thrown'/>"
    size_t n;
    assert_int_equal(fault(*state, HEAD AMP ">" DROP BAD_ACTION BAD_ACTION TAIL, &n),
                     AMP_UNSUPPORTED_ACTIONS);
    assert_int_equal(n, 2);
    assert_int_equal(fault(*state, HEAD AMP ">" BAD_VALUE BAD_CONDITION BAD_CONDITION TAIL, &n),
                     AMP_UNSUPPORTED_CONDITIONS);
    assert_int_equal(n, 2);
    assert_int_equal(fault(*state, HEAD AMP ">" BAD_CONDITION BAD_VALUE BAD_ACTION TAIL, &n),
                     AMP_UNSUPPORTED_ACTIONS);
    assert_int_equal(n, 1);
    assert_int_equal(fault(*state, HEAD AMP ">" DROP BAD_VALUE DROP TAIL, &n), AMP_INVALID_RULES);
    assert_int_equal(n, 1);
}

static void a_time_is_utc_and_exists(void **state)
{
    static const struct {
        const char *value;
        enum amp_fault fault;
    } cases[] = {
        { "2004-01-01T00:00:00Z", AMP_FINE },
        { "2004-01-01T00:00:00.123Z", AMP_FINE },
        { "9999-12-31T23:59:59Z", AMP_FINE },
        { "0001-01-01T00:00:00Z", AMP_FINE },
        { "2004-01-01T00:00:00+01:00", AMP_INVALID_RULES },
        { "2004-01-01T00:00:00", AMP_INVALID_RULES },
        { "2004-02-30T00:00:00Z", AMP_INVALID_RULES },
        { "2003-02-29T00:00:00Z", AMP_INVALID_RULES },
        { "2004-13-01T00:00:00Z", AMP_INVALID_RULES },
        { "2004-01-01T25:00:00Z", AMP_INVALID_RULES },
        { "-001-01-01T00:00:00Z", AMP_INVALID_RULES },
        { "99999-01-01T00:00:00Z", AMP_INVALID_RULES },
        { "tomorrow", AMP_INVALID_RULES },
        { "Z", AMP_INVALID_RULES },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        snprintf(text, sizeof text, HEAD AMP "><rule action='drop' condition='expire-at' value='%s'/>" TAIL,
                 cases[i].value);
        if (fault(*state, text, NULL) != cases[i].fault)
            fail_msg("%s", cases[i].value);
    }
}

/* The number of the rule that is met, from 1; 0: none. */
static size_t met(struct arena *a, const char *rules, const struct amp_outlook *o, int64_t now_ms)
{
    struct amp amp;
    struct stanza st = with(a, rules);
    assert_int_equal(amp_read(a, &st, 9, &amp), AMP_FINE);
    const struct amp_rule *r = amp_met(&amp, o, now_ms);
    return r ? (size_t)(r - amp.rules) + 1 : 0;
}

static void the_first_that_is_met_decides(void **state)
{
    const struct amp_outlook stored = { .deliver = AMP_STORED, .edge = true };
    const struct amp_outlook direct = { .deliver = AMP_DIRECT, .edge = true },
                             none = { .deliver = AMP_NONE, .edge = true };
    static const char rules[] = "<rule action='notify' condition='deliver' value='none'/>"
                                "<rule action='drop' condition='expire-at' value='1970-01-01T00:00:10Z'/>"
                                "<rule action='alert' condition='deliver' value='stored'/>";
    assert_int_equal(met(*state, rules, &stored, 9999), 3);
    assert_int_equal(met(*state, rules, &stored, 10000), 2);
    assert_int_equal(met(*state, rules, &direct, 9999), 0);
    assert_int_equal(met(*state, rules, &direct, 10000), 2);
    assert_int_equal(met(*state, rules, &none, 10000), 1);
    assert_int_equal(met(*state, "<rule action='drop' condition='deliver' value='direct'/>", &direct, 0), 1);
    assert_int_equal(met(*state, "<rule action='drop' condition='deliver' value='gateway'/>", &direct, 0), 0);
    assert_int_equal(met(*state, "<rule action='drop' condition='deliver' value='forward'/>", &stored, 0), 0);
}

static void a_resource_is_matched(void **state) /* XEP-0079 3.3.3 */
{
    static const struct {
        struct amp_outlook o;
        bool any, exact, other;
    } cases[] = {
        { { AMP_DIRECT, true, true, true }, true, true, false },
        { { AMP_DIRECT, true, false, true }, true, false, true },
        { { AMP_DIRECT, false, false, true }, true, false, true },
        { { AMP_STORED, true, false, true }, false, false, true },
        { { AMP_STORED, false, false, true }, false, true, false },
        { { AMP_NONE, true, false, true }, false, false, false },
        { { AMP_DIRECT, true, true, false }, false, false, false },
    };
#define MATCH(v) "<rule action='drop' condition='match-resource' value='" v "'/>"
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(met(*state, MATCH("any"), &cases[i].o, 0), cases[i].any);
        assert_int_equal(met(*state, MATCH("exact"), &cases[i].o, 0), cases[i].exact);
        assert_int_equal(met(*state, MATCH("other"), &cases[i].o, 0), cases[i].other);
    }
    struct amp amp;
    struct stanza st = message(*state, HEAD AMP " per-hop='true'>" MATCH("any") DROP TAIL);
    assert_int_equal(amp_read(*state, &st, 9, &amp), AMP_FINE);
    assert_null(amp_met(&amp, &cases[0].o, 0));
}

static void what_was_stored_expires(void **state)
{
    struct amp amp;
    struct stanza st =
        with(*state, DROP "<rule action='alert' condition='expire-at' value='1970-01-01T00:00:10Z'/>");
    assert_int_equal(amp_read(*state, &st, 9, &amp), AMP_FINE);
    assert_null(amp_expired(&amp, 9999));
    assert_ptr_equal(amp_expired(&amp, 10000), &amp.rules[1]);
}

static const char *event(struct arena *a, const char *action)
{
    struct amp amp;
    char rule[200];
    snprintf(rule, sizeof rule, "<rule action='%s' condition='deliver' value='stored' extra='x'/>", action);
    struct stanza st = with(a, rule);
    assert_int_equal(amp_read(a, &st, 9, &amp), AMP_FINE);
    struct node *n = amp_event(a, &st, &amp.rules[0], SLICE("y"));
    return n ? written(a, n) : NULL;
}

static void the_sender_hears_of_it(void **state) /* XEP-0079 3.4 */
{
    assert_null(event(*state, "drop"));
    assert_string_equal(
        event(*state, "alert"),
        "<message to='a@x/1' id='m' from='y'><amp xmlns='http://jabber.org/protocol/amp' from='a@x/1'"
        " to='b@y/2' status='alert'><rule action='alert' condition='deliver' value='stored'/></amp>"
        "</message>");
    assert_non_null(strstr(event(*state, "notify"), "status='notify'"));
    const char *error = event(*state, "error");
    assert_non_null(strstr(error, " from='y' "));
    assert_non_null(strstr(error, " type='error'"));
    assert_non_null(strstr(error, "<error type='modify'><undefined-condition "));
    assert_non_null(strstr(error,
                           "<failed-rules xmlns='http://jabber.org/protocol/amp#errors'>"
                           "<rule action='error' condition='deliver' value='stored'/></failed-rules>"));
}

static void a_refusal_names_the_rules(void **state) /* XEP-0079 8 */
{
    struct amp amp;
    struct stanza st = with(*state, DROP BAD_CONDITION);
    enum amp_fault f = amp_read(*state, &st, 9, &amp);
    const char *text = written(*state, amp_refusal(*state, &st, f, &amp, SLICE("x")));
    assert_non_null(strstr(text, "<error type='modify'><bad-request "));
    assert_non_null(
        strstr(text, "<unsupported-conditions xmlns='http://jabber.org/protocol/amp'><rule action='drop'"
                     " condition='full-moon' value='1'/></unsupported-conditions>"));
}

static void a_server_says_whose_it_is(void **state)
{
    struct stanza st = message(*state, HEAD AMP " status='alert' from='c@z' to='d@z'>" DROP TAIL);
    struct node *amp = node_find(st.node, "amp", NS_AMP);
    amp_stamp(*state, amp, &st);
    assert_false(node_has(amp, "status"));
    assert_true(slice_is(node_attr(amp, "from"), "a@x/1"));
    assert_true(slice_is(node_attr(amp, "to"), "b@y/2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_without_rules_has_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rules_at_fault_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_time_is_utc_and_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_that_is_met_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resource_is_matched, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_stored_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(the_sender_hears_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_names_the_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_says_whose_it_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
