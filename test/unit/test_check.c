/* test/unit/test_check.c */
#include "common/edge/check.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct bench { /* what a test needs to turn text into a verdict */
    struct arena_pool *arenas;
    struct xmlin_pool *pool;
    struct arena *a;
    struct check_session who;
    struct check check;
    struct buf out; /* what would be sent on, or the answer */
};

static int setup(void **state)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    b.arenas = arena_pool_new(1024, 0, 4);
    b.pool = xmlin_pool_new(NS_CLIENT, b.arenas);
    b.a = arena_new(1024, 0);
    b.who = (struct check_session){ SLICE("romeo@im.example/balcony"), 16, SLICE_NONE };
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    buf_fini(&b->out);
    arena_free(&b->a);
    xmlin_pool_free(&b->pool);
    arena_pool_free(&b->arenas);
    return 0;
}

static enum check_verdict verdict(struct bench *b, const char *xml)
{
    static const struct xmlin_limits limits = { 65536, 64, 1000, 64 };
    struct node *n = NULL;
    assert_int_equal(xmlin_parse(b->pool, b->a, slice_cstr(xml), &limits, &n, NULL), RC_OK);
    enum check_verdict v = check_element(b->a, n, &b->who, &b->check);
    buf_reset(&b->out);
    if (v == CHECK_PASS)
        xmlout_node(&b->out, n, NS_CLIENT);
    else if (v == CHECK_ANSWER && b->check.answer)
        xmlout_node(&b->out, b->check.answer, NS_CLIENT);
    return v;
}

static void check_passes(struct bench *b, const char *xml, const char *sent_on)
{
    assert_int_equal(verdict(b, xml), CHECK_PASS);
    if (!slice_is(buf_get(&b->out), sent_on))
        fail_msg("%s became " SLICE_FMT, xml, SLICE_ARG(buf_get(&b->out)));
}

static void what_is_right_is_sent_on_as_it_is(void **state)
{
    check_passes(*state, "<message to='a@b.example/c' type='chat' id='1'><body>x</body></message>",
                 "<message to='a@b.example/c' type='chat' id='1'><body>x</body></message>");
    check_passes(*state, "<presence/>", "<presence/>");
    check_passes(*state, "<message type='strange'/>", "<message type='strange'/>"); /* RFC 6121 5.2.2 */
}

static void to_is_prepared(void **state) /* RFC 7622 3.2, 3.3 */
{
    check_passes(*state, "<message to='ROMEO@IM.Example/Balcony'/>",
                 "<message to='romeo@im.example/Balcony'/>");
}

static void from_is_checked_and_taken_off(void **state) /* RFC 6120 8.1.2.1 */
{
    check_passes(*state, "<presence from='romeo@im.example/balcony'/>", "<presence/>");
    check_passes(*state, "<presence from='romeo@im.example'/>", "<presence/>");
    check_passes(*state, "<presence from='Romeo@IM.example/balcony'/>", "<presence/>");
}

static void another_from_ends_the_stream(void **state) /* RFC 6120 4.9.3.9 */
{
    static const char *const wrong[] = { "juliet@im.example/balcony",
                                         "romeo@im.example/orchard",
                                         "im.example",
                                         "",
                                         "romeo@im.example/",
                                         "a@b@c" };
    char xml[128];
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(xml, sizeof xml, "<message from='%s'/>", wrong[i]);
        assert_int_equal(verdict(b, xml), CHECK_FATAL);
        assert_int_equal(b->check.stream_cond, STREAM_INVALID_FROM);
    }
}

static void language_of_the_stream_is_added(void **state) /* RFC 6120 8.1.5 */
{
    struct bench *b = *state;
    b->who.lang = SLICE("de");
    check_passes(b, "<message><body>x</body></message>", "<message xml:lang='de'><body>x</body></message>");
    check_passes(b, "<message xml:lang='it'/>", "<message xml:lang='it'/>");
    check_passes(b, "<message xml:lang=''/>", "<message xml:lang=''/>");
}

static void what_is_no_stanza_of_a_client_ends_the_stream(void **state) /* RFC 6120 4.9.3.10, 4.9.3.24 */
{
    static const struct {
        const char *xml;
        enum stream_cond cond;
    } rows[] = {
        { "<message xmlns='jabber:server'/>", STREAM_INVALID_NAMESPACE },
        { "<iq xmlns='' id='1' type='get'/>", STREAM_INVALID_NAMESPACE },
        { "<presence xmlns='jabber:component:accept'/>", STREAM_INVALID_NAMESPACE },
        { "<letter/>", STREAM_UNSUPPORTED_STANZA_TYPE },
        { "<message:x xmlns:message='urn:x'/>", STREAM_UNSUPPORTED_STANZA_TYPE },
        { "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", STREAM_UNSUPPORTED_STANZA_TYPE },
        { "<s:stream xmlns:s='http://etherx.jabber.org/streams'/>", STREAM_UNSUPPORTED_STANZA_TYPE },
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(verdict(b, rows[i].xml), CHECK_FATAL);
        assert_int_equal(b->check.stream_cond, rows[i].cond);
    }
    assert_int_equal(verdict(b, "<s:error xmlns:s='http://etherx.jabber.org/streams'/>"), CHECK_END);
}

static void a_malformed_to_is_answered(void **state) /* RFC 6120 8.3.3.8 */
{
    struct bench *b = *state;
    assert_int_equal(verdict(b, "<message to='@b.example' id='m'><body>x</body></message>"), CHECK_ANSWER);
    assert_int_equal(b->check.cond, COND_JID_MALFORMED);
    assert_true(slice_starts(buf_get(&b->out), SLICE("<message ")));
    assert_non_null(b->check.answer);
    assert_true(slice_is(node_attr(b->check.answer, "to"), "romeo@im.example/balcony"));
    assert_true(slice_is(node_attr(b->check.answer, "from"), "im.example"));
    assert_true(slice_is(node_attr(b->check.answer, "type"), "error"));
    assert_true(slice_is(node_attr(b->check.answer, "id"), "m"));
}

static void an_error_is_never_answered(void **state) /* RFC 6120 8.3.1 */
{
    struct bench *b = *state;
    assert_int_equal(verdict(b, "<message type='error' to='@b.example'/>"), CHECK_ANSWER);
    assert_null(b->check.answer);
}

static void a_bad_iq_is_answered(void **state) /* RFC 6120 8.2.3 */
{
    static const char *const wrong[] = {
        "<iq type='get'><a xmlns='u'/></iq>",
        "<iq id='1'><a xmlns='u'/></iq>",
        "<iq id='1' type='ask'/>",
        "<iq id='1' type='get'/>",
        "<iq id='1' type='set'><a xmlns='u'/><b xmlns='u'/></iq>",
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(verdict(b, wrong[i]), CHECK_ANSWER);
        assert_int_equal(b->check.cond, COND_BAD_REQUEST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_right_is_sent_on_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(to_is_prepared, setup, teardown),
        cmocka_unit_test_setup_teardown(from_is_checked_and_taken_off, setup, teardown),
        cmocka_unit_test_setup_teardown(another_from_ends_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(language_of_the_stream_is_added, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_stanza_of_a_client_ends_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_to_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_is_never_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_iq_is_answered, setup, teardown),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
