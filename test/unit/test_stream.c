/* test/unit/test_stream.c */
#include "common/xmpp/stream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

static struct node *header(struct arena *a, const char *ns, const char *content, const char *version)
{
    struct node *n = node_new(a, "stream", ns);
    if (content)
        node_set(a, n, "xmlns", slice_cstr(content));
    if (version)
        node_set(a, n, "version", slice_cstr(version));
    return n;
}

static void header_refused(void **state, const struct node *n, enum stream_cond expected)
{
    struct stream_header h;
    enum stream_cond cond = STREAM_COND_COUNT;
    assert_int_equal(stream_header_read(*state, n, NS_CLIENT, &h, &cond), RC_SYNTAX);
    assert_int_equal(cond, expected);
}

static void a_header_is_read(void **state)
{
    struct stream_header h;
    enum stream_cond cond;
    struct node *n = header(*state, NS_STREAM, NS_CLIENT, "1.0");
    node_set(*state, n, "to", SLICE("EXAMPLE.net"));
    node_set_ns(*state, n, "lang", NS_XML, SLICE("de"));
    assert_int_equal(stream_header_read(*state, n, NS_CLIENT, &h, &cond), RC_OK);
    assert_true(h.has_to && slice_is(h.to.full, "example.net") && !h.has_from && h.version_1);
    assert_true(slice_is(h.lang, "de"));
    assert_int_equal(
        stream_header_read(*state, header(*state, NS_STREAM, NS_CLIENT, NULL), NS_CLIENT, &h, &cond), RC_OK);
    assert_false(h.version_1);
    assert_int_equal(
        stream_header_read(*state, header(*state, NS_STREAM, NS_CLIENT, "1.7"), NS_CLIENT, &h, &cond), RC_OK);
    assert_true(h.version_1);
}

static void what_is_wrong_with_a_header_is_told(void **state)
{
    header_refused(state, header(*state, "urn:x", NS_CLIENT, "1.0"), STREAM_INVALID_NAMESPACE);
    header_refused(state, header(*state, NS_STREAM, NS_SERVER, "1.0"), STREAM_INVALID_NAMESPACE);
    header_refused(state, header(*state, NS_STREAM, NULL, "1.0"), STREAM_INVALID_NAMESPACE);
    static const char *const versions[] = { "2.0", "", "1", "x", "1.x", "1.0.0", "-1.0" };
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        header_refused(state, header(*state, NS_STREAM, NS_CLIENT, versions[i]), STREAM_UNSUPPORTED_VERSION);
    struct node *n = header(*state, NS_STREAM, NS_CLIENT, "1.0");
    node_set(*state, n, "to", SLICE("a@"));
    header_refused(state, n, STREAM_IMPROPER_ADDRESSING);
    n = header(*state, NS_STREAM, NS_CLIENT, "1.0");
    node_set(*state, n, "from", SLICE("@"));
    header_refused(state, n, STREAM_INVALID_FROM);
    n = header(*state, NS_STREAM, NS_CLIENT, "1.0");
    n->name = SLICE("steam");
    header_refused(state, n, STREAM_BAD_FORMAT);
}

static void the_domain_of_a_wrong_header_is_known(void **state)
{
    struct stream_header h;
    enum stream_cond cond;
    struct node *n = header(*state, NS_STREAM, NS_CLIENT, "9.0");
    node_set(*state, n, "to", SLICE("example.net"));
    assert_int_equal(stream_header_read(*state, n, NS_CLIENT, &h, &cond), RC_SYNTAX);
    assert_true(h.has_to && slice_is(h.to.full, "example.net"));
}

static void headers_and_errors_are_written(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    stream_header_write(
        &b, &(struct stream_open){
                .content_ns = NS_CLIENT, .from = SLICE("a'b"), .id = SLICE("1"), .version_1 = true });
    stream_error_write(&b, STREAM_SEE_OTHER_HOST, NULL, SLICE("[::1]:<5222"), SLICE_NONE);
    stream_error_write(&b, STREAM_RESET, "new <certificate>", SLICE_NONE, SLICE("<x xmlns='y'/>"));
    buf_byte(&b, '\0');
    assert_string_equal(b.p,
                        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM
                        "' from='a&apos;b' id='1' version='1.0'>"
                        "<stream:error><see-other-host xmlns='" NS_STREAM_ERROR
                        "'>[::1]:&lt;5222</see-other-host></stream:error>"
                        "<stream:error><reset xmlns='" NS_STREAM_ERROR "'/><text xmlns='" NS_STREAM_ERROR
                        "' xml:lang='en'>new &lt;certificate&gt;</text><x xmlns='y'/></stream:error>");
    buf_fini(&b);
}

static void conditions_have_names(void **state)
{
    (void)state;
    enum stream_cond c;
    for (unsigned i = 0; i < STREAM_COND_COUNT; i++) {
        assert_int_equal(stream_cond_parse(slice_cstr(stream_cond_name((enum stream_cond)i)), &c), RC_OK);
        assert_int_equal(c, i);
    }
    assert_int_equal(stream_cond_parse(SLICE("nonsense"), &c), RC_NOTFOUND);
    assert_int_equal(stream_cond_of_xml(RC_DENIED), STREAM_RESTRICTED_XML);
    assert_int_equal(stream_cond_of_xml(RC_LIMIT), STREAM_POLICY_VIOLATION);
    assert_int_equal(stream_cond_of_xml(RC_SYNTAX), STREAM_NOT_WELL_FORMED);
    assert_int_equal(stream_cond_of_xml(RC_UNSUPPORTED), STREAM_UNSUPPORTED_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_header_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_a_header_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_domain_of_a_wrong_header_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_and_errors_are_written, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_have_names, setup, teardown),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
