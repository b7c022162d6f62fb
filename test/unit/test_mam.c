/* test/unit/test_mam.c */
#include "common/xmpp/mam.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/xmpp/mamprefs.h"
#include "test/unit/xmltree.h"

#define TYPED(type, fields)                                                                                  \
    "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='" type "'><field var='FORM_TYPE'>"         \
    "<value>urn:xmpp:mam:2</value></field>" fields "</x></query>"
#define FORM(fields)      TYPED("submit", fields)
#define FIELD(var, value) "<field var='" var "'><value>" value "</value></field>"

static enum rc read_query(void **state, const char *xml, struct mam_query *q, enum stanza_cond *cond)
{
    const char *text;
    return mam_query_read(*state, tree(*state, xml), q, cond, &text);
}

static void a_query_is_read(void **state)
{
    struct mam_query q;
    enum stanza_cond cond;
    assert_int_equal(read_query(state, "<query xmlns='urn:xmpp:mam:2'/>", &q, &cond), RC_OK);
    assert_true(!q.has_with && !q.has_ids && !q.flip && q.start_ms == 0 && q.end_ms == INT64_MAX &&
                !q.after_id.len && !q.before_id.len && !q.queryid.len && !q.rsm.has_max);
    assert_int_equal(
        read_query(
            state,
            "<query xmlns='urn:xmpp:mam:2' queryid='f27'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>" FIELD("with", "Juliet@Capulet.lit")
                FIELD("start", "2010-06-07T00:00:00Z") FIELD("end", "2010-07-07T13:23:54+01:00")
                    FIELD("after-id", "a") FIELD("before-id", "b") FIELD(
                        "include-groupchat", "false") "<field var='ids'><value>1</value><value>2</value>"
                                                      "</field></x><set xmlns='" NS_RSM
                                                      "'><max>10</max></set><flip-page/></query>",
            &q, &cond),
        RC_OK);
    assert_true(q.has_with && slice_is(q.with.full, "juliet@capulet.lit"));
    assert_int_equal(q.start_ms, 1275868800000);
    assert_int_equal(q.end_ms, 1278505434000);
    assert_true(slice_is(q.after_id, "a") && slice_is(q.before_id, "b") && slice_is(q.queryid, "f27"));
    assert_true(q.has_ids && q.n_ids == 2 && slice_is(q.ids[1], "2") && q.flip && q.rsm.max == 10);
}

static void a_time_before_all_others_is_a_bound(void **state)
{
    struct mam_query q;
    enum stanza_cond cond;
    assert_int_equal(read_query(state, FORM(FIELD("start", "0001-01-01T00:00:00Z")), &q, &cond), RC_OK);
    assert_int_equal(q.start_ms, 0);
}

static void a_field_left_empty_is_none(void **state)
{
    struct mam_query q;
    enum stanza_cond cond;
    assert_int_equal(
        read_query(state, FORM(FIELD("with", "") FIELD("start", "") "<field var='end'/><field var='ids'/>"),
                   &q, &cond),
        RC_OK);
    assert_true(!q.has_with && !q.has_ids && q.start_ms == 0 && q.end_ms == INT64_MAX);
}

static void what_is_no_query_is_refused(void **state)
{
    static const struct {
        const char *xml;
        enum rc rc;
        enum stanza_cond cond;
    } bad[] = {
        { FORM(FIELD("with", "a@@b")), RC_SYNTAX, COND_JID_MALFORMED },
        { FORM(FIELD("start", "yesterday")), RC_SYNTAX, COND_BAD_REQUEST },
        { FORM(FIELD("end", "-001-01-01T00:00:00Z")), RC_SYNTAX, COND_BAD_REQUEST },
        { FORM(FIELD("end", "2010-01-01T00:00:00+25:00")), RC_SYNTAX, COND_BAD_REQUEST },
        { FORM(FIELD("sender", "x")), RC_UNSUPPORTED, COND_FEATURE_NOT_IMPLEMENTED },
        { FORM("<field/>"), RC_UNSUPPORTED, COND_FEATURE_NOT_IMPLEMENTED },
        { FORM(FIELD("with", "a@b") FIELD("with", "a@b")), RC_SYNTAX, COND_BAD_REQUEST },
        { FORM("<field var='with'><value>a@b</value><value>c@d</value></field>"), RC_SYNTAX,
          COND_BAD_REQUEST },
        { FORM(FIELD("include-groupchat", "yes")), RC_SYNTAX, COND_BAD_REQUEST },
        { TYPED("form", ""), RC_SYNTAX, COND_BAD_REQUEST },
        { "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'/></query>", RC_SYNTAX,
          COND_BAD_REQUEST },
        { "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
          "<value>urn:xmpp:mam:1</value></field></x></query>",
          RC_SYNTAX, COND_BAD_REQUEST },
        { "<query xmlns='urn:xmpp:mam:2'><set xmlns='" NS_RSM "'><max>-1</max></set></query>", RC_SYNTAX,
          COND_BAD_REQUEST },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mam_query q;
        enum stanza_cond cond = COND_GONE;
        assert_int_equal(read_query(state, bad[i].xml, &q, &cond), bad[i].rc);
        assert_int_equal(cond, bad[i].cond);
    }
}

static void what_is_too_long_is_refused(void **state)
{
    struct mam_query q;
    enum stanza_cond cond;
    const char *text;
    struct buf b = BUF_INIT(0);
    for (int i = 0; i <= MAM_IDS_MAX; i++)
        buf_cstr(&b, "<value>1</value>");
    struct slice xml =
        arena_fmt(*state, FORM("<field var='ids'>%s</field>"), arena_cstr(*state, buf_get(&b)));
    assert_int_equal(read_query(state, arena_cstr(*state, xml), &q, &cond), RC_LIMIT);
    assert_int_equal(cond, COND_POLICY_VIOLATION);
    struct node *n = node_new(*state, "query", NS_MAM);
    node_set(*state, n, "queryid", slice_to(buf_get(&b), MAM_QUERYID_MAX + 1));
    assert_int_equal(mam_query_read(*state, n, &q, &cond, &text), RC_LIMIT);
    node_set(*state, n, "queryid", slice_to(buf_get(&b), MAM_QUERYID_MAX));
    assert_int_equal(mam_query_read(*state, n, &q, &cond, &text), RC_OK);
    buf_fini(&b);
}

static void answers_are_written(void **state)
{
    assert_string_equal(
        written(*state, mam_query_form(*state)),
        "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' "
        "type='hidden'>"
        "<value>urn:xmpp:mam:2</value></field><field var='with' type='jid-single'/>"
        "<field var='start' type='text-single'/><field var='end' type='text-single'/>"
        "<field var='before-id' type='text-single'/><field var='after-id' type='text-single'/>"
        "<field var='ids' type='list-multi'><validate xmlns='http://jabber.org/protocol/xdata-validate' "
        "datatype='xs:string'><open/></validate></field><field var='include-groupchat' "
        "type='boolean'/></x></query>");
    struct mam_result r = { SLICE("a@b"), SLICE("a@b/c"), SLICE("q"), SLICE("7"), 0 };
    assert_string_equal(
        written(*state, mam_result(*state, &r, tree(*state, "<message xmlns='jabber:client'/>"))),
        "<message from='a@b' to='a@b/c'><result xmlns='urn:xmpp:mam:2' queryid='q' id='7'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' "
        "stamp='1970-01-01T00:00:00.000Z'/><message xmlns='jabber:client'/></forwarded></result>"
        "</message>");
    struct rsm_page page = { SLICE("1"), SLICE("2"), false, false, 0, 0 };
    assert_string_equal(written(*state, mam_fin(*state, true, &page)),
                        "<fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='" NS_RSM
                        "'><first>1</first><last>2</last></set></fin>");
}

static void preferences_are_read_and_decide(void **state)
{
    struct mam_prefs p;
    struct jid jid;
    enum stanza_cond cond;
    static const struct {
        const char *jid;
        bool in_roster, wanted;
    } cases[] = {
        { "a@x", false, true }, { "a@x/r", false, true }, { "n@x/r", true, false }, { "n@x/ok", false, true },
        { "b@x", true, false }, { "o@x", true, true },    { "o@x", false, false },
    };
    const char *xml =
        "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>A@x</jid><jid>n@x/ok</jid><jid>b@x</jid>"
        "</always><never><jid>n@x</jid><jid>b@x</jid></never></prefs>";
    assert_int_equal(mam_prefs_read(*state, tree(*state, xml), &p, &cond), RC_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(jid_parse(*state, slice_cstr(cases[i].jid), &jid, NULL), RC_OK);
        assert_int_equal(mam_prefs_want(&p, &jid, cases[i].in_roster), cases[i].wanted);
    }
    assert_string_equal(
        written(*state, mam_prefs_write(*state, &p)),
        "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>a@x</jid><jid>n@x/ok</jid>"
        "<jid>b@x</jid></always><never><jid>n@x</jid><jid>b@x</jid></never></prefs>");
}

static void preferences_that_are_none_are_refused(void **state)
{
    struct mam_prefs p;
    enum stanza_cond cond;
    assert_int_equal(mam_prefs_read(*state, tree(*state, "<prefs xmlns='urn:xmpp:mam:2'/>"), &p, &cond),
                     RC_SYNTAX);
    assert_int_equal(cond, COND_BAD_REQUEST);
    assert_int_equal(
        mam_prefs_read(*state, tree(*state, "<prefs xmlns='urn:xmpp:mam:2' default='often'/>"), &p, &cond),
        RC_SYNTAX);
    assert_int_equal(
        mam_prefs_read(*state,
                       tree(*state, "<prefs xmlns='urn:xmpp:mam:2' default='always'><never><jid>@</jid>"
                                    "</never></prefs>"),
                       &p, &cond),
        RC_SYNTAX);
    assert_int_equal(cond, COND_JID_MALFORMED);
    struct node *prefs = tree(*state, "<prefs xmlns='urn:xmpp:mam:2' default='never'><always/></prefs>");
    for (int i = 0; i <= MAM_PREFS_JIDS_MAX; i++)
        node_add_text(*state, node_add(*state, node_child(prefs), "jid", NS_MAM),
                      arena_fmt(*state, "a%d@x", i));
    assert_int_equal(mam_prefs_read(*state, prefs, &p, &cond), RC_LIMIT);
    assert_int_equal(cond, COND_POLICY_VIOLATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_time_before_all_others_is_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(a_field_left_empty_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_query_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_are_written, setup, teardown),
        cmocka_unit_test_setup_teardown(preferences_are_read_and_decide, setup, teardown),
        cmocka_unit_test_setup_teardown(preferences_that_are_none_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("mam", tests, NULL, NULL);
}
