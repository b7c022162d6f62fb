/* test/unit/test_xmlout.c */
#include "common/xmpp/xmlout.h"
#include "common/xmpp/ns.h"
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

static void writes(const struct node *n, const char *default_ns, const char *expected)
{
    struct buf b = BUF_INIT(0);
    xmlout_node(&b, n, default_ns);
    buf_byte(&b, '\0');
    assert_string_equal(b.p, expected);
    buf_fini(&b);
}

static void what_a_parser_would_change_is_escaped(void **state)
{
    struct node *n = node_new(*state, "m", NS_CLIENT);
    node_set(*state, n, "a", SLICE("<>&'\"\t\n\r x"));
    node_add_text(*state, n, SLICE("<>&'\"\t\n\r]]>"));
    writes(n, NS_CLIENT,
           "<m a='&lt;&gt;&amp;&apos;&quot;&#9;&#10;&#13; x'>&lt;&gt;&amp;'\"\t\n&#13;]]&gt;</m>");
}

static void every_place_of_a_long_text_is_looked_at(void **state)
{
    static const struct {
        char c;
        const char *text, *value;
    } rows[] = {
        { '&', "&amp;", "&amp;" },  { '<', "&lt;", "&lt;" }, { '>', "&gt;", "&gt;" },
        { '\r', "&#13;", "&#13;" }, { '\'', "'", "&apos;" }, { '"', "\"", "&quot;" },
        { '\n', "\n", "&#10;" },    { '\t', "\t", "&#9;" },
    };
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        for (size_t at = 0; at < 40; at++) {
            char text[40];
            struct buf text_out = BUF_INIT(0), value_out = BUF_INIT(0), expected = BUF_INIT(0);
            memset(text, 'x', sizeof text);
            text[at] = rows[row].c;
            xmlout_text(&text_out, slice_of(text, sizeof text));
            xmlout_value(&value_out, slice_of(text, sizeof text));
            buf_put(&expected, text, at);
            buf_cstr(&expected, rows[row].text);
            buf_put(&expected, text + at + 1, sizeof text - at - 1);
            assert_true(slice_eq(buf_get(&text_out), buf_get(&expected)));
            buf_reset(&expected);
            buf_put(&expected, text, at);
            buf_cstr(&expected, rows[row].value);
            buf_put(&expected, text + at + 1, sizeof text - at - 1);
            assert_true(slice_eq(buf_get(&value_out), buf_get(&expected)));
            buf_fini(&text_out);
            buf_fini(&value_out);
            buf_fini(&expected);
        }
    }
}

static void a_namespace_is_declared_where_it_changes(void **state)
{
    struct node *n = node_new(*state, "message", NS_CLIENT);
    struct node *x = node_add(*state, n, "x", "urn:x");
    node_add(*state, x, "y", NULL);
    node_add(*state, x, "message", NS_CLIENT);
    node_add(*state, n, "z", "");
    writes(n, NS_CLIENT,
           "<message><x xmlns='urn:x'><y/><message xmlns='jabber:client'/></x><z xmlns=''/></message>");
    writes(n, NULL,
           "<message xmlns='jabber:client'><x xmlns='urn:x'><y/><message xmlns='jabber:client'/></x><z "
           "xmlns=''/></message>");
    writes(x, NS_CLIENT, "<x xmlns='urn:x'><y/><message xmlns='jabber:client'/></x>");
}

static void content_namespaces_are_written_alike(void **state)
{
    static const char *const all[] = { NS_CLIENT, NS_SERVER, NS_COMPONENT_ACCEPT };
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            struct node *n = node_new(*state, "message", all[i]);
            node_add(*state, n, "body", all[k]);
            writes(n, all[k], "<message><body/></message>");
        }
    }
}

static void attributes_with_a_namespace_get_a_prefix(void **state)
{
    struct node *n = node_new(*state, "a", NS_CLIENT);
    node_set_ns(*state, n, "lang", NS_XML, SLICE("de"));
    node_set_ns(*state, n, "k", "urn:k", SLICE("1"));
    node_set(*state, n, "k", SLICE("0"));
    node_set_ns(*state, n, "l", "urn:l", SLICE("2"));
    node_set_ns(*state, n, "m", "urn:k", SLICE("3"));
    writes(n, NS_CLIENT,
           "<a xml:lang='de' xmlns:a1='urn:k' a1:k='1' k='0' xmlns:a3='urn:l' a3:l='2' a1:m='3'/>");
}

static void stream_elements_use_the_streams_prefix(void **state)
{
    struct node *n = node_new(*state, "features", NS_STREAM);
    node_add(*state, node_add(*state, n, "starttls", NS_TLS), "required", NULL);
    node_add(*state, n, "plain", NS_CLIENT);
    writes(n, NS_CLIENT,
           "<stream:features><starttls xmlns='" NS_TLS "'><required/></starttls><plain/></stream:features>");
    writes(n, NULL,
           "<features xmlns='" NS_STREAM "'><starttls xmlns='" NS_TLS
           "'><required/></starttls><plain xmlns='jabber:client'/></features>");
}

static void a_place_for_to_is_told(void **state)
{
    struct node *n = node_new(*state, "message", NS_CLIENT);
    struct buf b = BUF_INIT(0);
    size_t at;
    node_set(*state, n, "from", SLICE("a"));
    node_set(*state, n, "to", SLICE("b"));
    node_set(*state, node_add(*state, n, "x", NULL), "to", SLICE("c"));
    BUF_LIT(&b, "before");
    xmlout_node_to(&b, n, NS_CLIENT, &at);
    assert_true(slice_is(buf_get(&b), "before<message from='a'><x to='c'/></message>"));
    assert_true(slice_is(slice_from(buf_get(&b), 6 + at), " from='a'><x to='c'/></message>"));
    buf_fini(&b);
}

static void a_deep_tree_needs_no_stack(void **state)
{
    struct node *top = node_new(*state, "a", NS_CLIENT), *n = top;
    struct buf b = BUF_INIT(0);
    for (int i = 0; i < 200000; i++)
        n = node_add(*state, n, "a", NULL);
    xmlout_node(&b, top, NS_CLIENT);
    assert_int_equal(b.len, 200000 * 7 + 4);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_parser_would_change_is_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(every_place_of_a_long_text_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(a_namespace_is_declared_where_it_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(content_namespaces_are_written_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(attributes_with_a_namespace_get_a_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(stream_elements_use_the_streams_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_for_to_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deep_tree_needs_no_stack, setup, teardown),
    };
    return cmocka_run_group_tests_name("xmlout", tests, NULL, NULL);
}
