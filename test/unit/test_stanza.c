/* test/unit/test_stanza.c */
#include "common/xmpp/stanza.h"
#include "common/base/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

static enum rc reads(void **state, const char *text, struct stanza *s, enum stanza_cond *cond)
{
    *cond = COND_GONE;
    return stanza_read(*state, tree(*state, text), s, cond);
}

static void accepted(void **state, const char *text, enum stanza_kind kind, enum stanza_type type)
{
    struct stanza s;
    enum stanza_cond cond;
    assert_int_equal(reads(state, text, &s, &cond), RC_OK);
    assert_int_equal(s.kind, kind);
    assert_int_equal(s.type, type);
}

static void refused(void **state, const char *text, enum stanza_cond expected)
{
    struct stanza s;
    enum stanza_cond cond;
    assert_int_equal(reads(state, text, &s, &cond), RC_SYNTAX);
    assert_int_equal(cond, expected);
}

static void kinds_and_types_are_told(void **state)
{
    accepted(state, "<message/>", STANZA_MESSAGE, MESSAGE_NORMAL);
    accepted(state, "<message type='normal'/>", STANZA_MESSAGE, MESSAGE_NORMAL);
    accepted(state, "<message type='nonsense'/>", STANZA_MESSAGE, MESSAGE_NORMAL); /* RFC 6121 5.2.2 */
    accepted(state, "<message type='chat'/>", STANZA_MESSAGE, MESSAGE_CHAT);
    accepted(state, "<message type='error' xmlns='jabber:server'/>", STANZA_MESSAGE, MESSAGE_ERROR);
    accepted(state, "<presence/>", STANZA_PRESENCE, PRESENCE_AVAILABLE);
    accepted(state, "<presence type='probe'/>", STANZA_PRESENCE, PRESENCE_PROBE);
    accepted(state, "<iq type='get' id='1'><x/></iq>", STANZA_IQ, IQ_GET);
    accepted(state, "<iq type='result' id='1'/>", STANZA_IQ, IQ_RESULT);
    accepted(state, "<iq type='error' id='1'><x/><error/></iq>", STANZA_IQ, IQ_ERROR);
}

static void what_is_wrong_is_told(void **state)
{
    refused(state, "<iq type='get'><x/></iq>", COND_BAD_REQUEST);
    refused(state, "<iq type='get' id=''><x/></iq>", COND_BAD_REQUEST);
    refused(state, "<iq id='1'><x/></iq>", COND_BAD_REQUEST);
    refused(state, "<iq type='nonsense' id='1'><x/></iq>", COND_BAD_REQUEST);
    refused(state, "<iq type='set' id='1'/>", COND_BAD_REQUEST);
    refused(state, "<iq type='set' id='1'>text</iq>", COND_BAD_REQUEST);
    refused(state, "<iq type='set' id='1'><x/><y/></iq>", COND_BAD_REQUEST);
    refused(state, "<presence type='nonsense'/>", COND_BAD_REQUEST);
    refused(state, "<presence type='chat'/>", COND_BAD_REQUEST);
    refused(state, "<message to='@x'/>", COND_JID_MALFORMED);
    refused(state, "<message to=''/>", COND_JID_MALFORMED);
    refused(state, "<message to='a@b' from='/'/>", COND_JID_MALFORMED);
}

static void other_elements_are_no_stanzas(void **state)
{
    struct stanza s;
    enum stanza_cond cond;
    assert_int_equal(reads(state, "<message xmlns='urn:x'/>", &s, &cond), RC_UNSUPPORTED);
    assert_int_equal(reads(state, "<message xmlns=''/>", &s, &cond), RC_UNSUPPORTED);
    assert_int_equal(reads(state, "<foo/>", &s, &cond), RC_UNSUPPORTED);
}

static void an_id_is_bounded(void **state)
{
    for (size_t len = STANZA_ID_MAX; len <= STANZA_ID_MAX + 1; len++) {
        struct node *n = node_new(*state, "message", NS_CLIENT);
        char *id = arena_zero(*state, len + 1);
        struct stanza s;
        enum stanza_cond cond;
        memset(id, 'i', len);
        node_set(*state, n, "id", slice_cstr(id));
        assert_int_equal(stanza_read(*state, n, &s, &cond), len > STANZA_ID_MAX ? RC_SYNTAX : RC_OK);
    }
}

static void answers_go_back(void **state)
{
    struct stanza s;
    enum stanza_cond cond;
    assert_int_equal(
        reads(state, "<iq type='get' id='7' to='a@b' from='C@d/e'><x xmlns='urn:x'/></iq>", &s, &cond),
        RC_OK);
    assert_true(node_is(s.payload, "x", "urn:x"));
    assert_string_equal(written(*state, stanza_reply(*state, &s)),
                        "<iq to='c@d/e' from='a@b' id='7' type='result'/>");
    assert_string_equal(
        written(*state, stanza_error(*state, &s, COND_FORBIDDEN, "no <way>")),
        "<iq to='c@d/e' from='a@b' id='7' type='error'><error type='auth'>"
        "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>no &lt;way&gt;</text>"
        "</error></iq>");
}

static void a_malformed_stanza_is_answered_all_the_same(void **state)
{
    struct stanza s;
    enum stanza_cond cond;
    assert_int_equal(reads(state, "<iq type='get' id='7' from='c@d'/>", &s, &cond), RC_SYNTAX);
    assert_string_equal(written(*state, stanza_error(*state, &s, cond, NULL)),
                        "<iq to='c@d' id='7' type='error'><error type='modify'>"
                        "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
}

static void errors_and_results_are_not_answered(void **state) /* RFC 6120 8.3.1 */
{
    static const char *const silent[] = { "<message type='error'/>", "<presence type='error'/>",
                                          "<iq type='error' id='1'/>", "<iq type='result' id='1'/>" };
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        struct stanza s;
        enum stanza_cond cond;
        assert_int_equal(reads(state, silent[i], &s, &cond), RC_OK);
        assert_null(stanza_error(*state, &s, COND_GONE, NULL));
    }
}

static void a_stanza_bounces(void **state)
{
    struct node *n = tree(*state, "<message to='a@b' from='c@d' id='1' type='chat'><body>x</body></message>");
    assert_string_equal(
        written(*state, stanza_bounce(*state, n, COND_REMOTE_SERVER_NOT_FOUND, NULL)),
        "<message from='a@b' to='c@d' id='1' type='error'><error type='cancel'>"
        "<remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kinds_and_types_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(other_elements_are_no_stanzas, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_stanza_is_answered_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_and_results_are_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stanza_bounces, setup, teardown),
    };
    return cmocka_run_group_tests_name("stanza", tests, NULL, NULL);
}
