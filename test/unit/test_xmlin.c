/* test/unit/test_xmlin.c */
#include "common/xmpp/xmlin.h"
#include "test/unit/xmlrecord.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define HEADER                                                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' "                                                       \
    "to='example.net' version='1.0'>"
#define HEADER_SAID                                                                                          \
    "header <stream xmlns='http://etherx.jabber.org/streams' to='example.net' version='1.0' "                \
    "xmlns='jabber:client'/>\n"

static const struct xmlin_limits usual = {
    .stanza_bytes = 4096, .depth = 64, .elements = 1000, .attrs = 128
};

/* Feeds text at once and byte by byte to two streams; both must say the same, which is returned (borrowed
 * from r). */
static const char *said(struct record *r, struct slice text)
{
    struct record *other = record_new(r->limits);
    other->then_name = r->then_name;
    other->then = r->then;
    (void)!record_feed(r, text);
    for (size_t i = 0; i < text.len && !other->gone; i++) {
        if (record_feed(other, slice_of(text.p + i, 1)) != RC_OK)
            break;
        if (r->then == THEN_DROP && r->then_name && other->said.len >= r->said.len)
            break; /* what is dropped is the rest of the bytes of one call */
        if (r->then == THEN_RESET && r->then_name && other->said.len >= r->said.len)
            break;
    }
    buf_byte(&r->said, '\0');
    buf_byte(&other->said, '\0');
    assert_string_equal(r->said.p, other->said.p);
    record_free(other);
    return r->said.p;
}

static void expect(struct slice text, const char *expected)
{
    struct record *r = record_new(usual);
    assert_string_equal(said(r, text), expected);
    record_free(r);
}

#define EXPECT(text, expected) expect(SLICE(HEADER text), HEADER_SAID expected)

static void a_stream_becomes_stanzas(void **state)
{
    (void)state;
    EXPECT("<message to=\"a@b\"><body>x &lt; y &amp; &#38; z</body></message>\n <iq/> </stream:stream>",
           "<message to='a@b'><body>x &lt; y &amp; &amp; z</body></message>\n<iq/>\nclose\n");
    EXPECT("<message><body><![CDATA[<b>&]]>!</body></message>",
           "<message><body>&lt;b&gt;&amp;!</body></message>\n");
    EXPECT("<m:iq xmlns:m='jabber:client' xml:lang='de'><p:x xmlns:p='urn:p' p:a='1' b='&#10;'/></m:iq>",
           "<iq xml:lang='de'><x xmlns='urn:p' xmlns:a0='urn:p' a0:a='1' b='&#10;'/></iq>\n");
    EXPECT("<x a='&amp;amp;&#38;#38;&quot;'>\xD1\x8F\xE2\x82\xAC\xF0\x9F\x98\x80</x>",
           "<x a='&amp;amp;&amp;#38;&quot;'>\xD1\x8F\xE2\x82\xAC\xF0\x9F\x98\x80</x>\n");
    EXPECT("<x xmlns='urn:?a=1&amp;b=2' y=''/>", "<x xmlns='urn:?a=1&amp;b=2' y=''/>\n");
    EXPECT("<message><x xmlns=''/></message>", "<message><x xmlns=''/></message>\n");
}

static void bytes_after_the_end_are_ignored(void **state)
{
    (void)state;
    EXPECT("</stream:stream><message/>junk", "close\n");
}

static void other_prefixes_are_taken(void **state)
{
    (void)state;
    expect(SLICE("<s xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'><c:iq><c:x/></c:iq>  "
                 "<c:iq/></s>"),
           "header <s xmlns='http://etherx.jabber.org/streams' xmlns='http://etherx.jabber.org/streams'/>\n"
           "<iq><x/></iq>\n<iq/>\nclose\n");
    expect(SLICE("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
                 "xmlns:db='jabber:server:dialback'><db:result to='a'/>"),
           "header <stream xmlns='http://etherx.jabber.org/streams' xmlns='jabber:server'/>\n"
           "<result xmlns='jabber:server:dialback' to='a'/>\n");
}

static void restricted_xml_is_denied(void **state) /* RFC 6120 11.1 */
{
    (void)state;
    EXPECT("<iq/><!-- x --><iq/>", "<iq/>\ndenied\n");
    EXPECT("<iq><!-- x --></iq>", "denied\n");
    EXPECT("<iq><?php x?></iq>", "denied\n");
    EXPECT("<iq>&foo;</iq>", "denied\n");
    EXPECT("<iq a='&foo;'/>", "denied\n");
    expect(SLICE("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>"), "denied\n");
    expect(SLICE("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a>"), "denied\n");
    expect(SLICE("<?xml version='1.0'?><!-- x --><a>"), "denied\n");
}

static void what_is_not_well_formed_is_refused(void **state)
{
    (void)state;
    EXPECT("<iq/>x<iq/>", "<iq/>\nsyntax\n");
    EXPECT("<iq/>&#32;<iq/>", "<iq/>\nsyntax\n");
    EXPECT("<iq/><![CDATA[ ]]><iq/>", "<iq/>\nsyntax\n");
    EXPECT("<iq></message>", "syntax\n");
    EXPECT("<iq a='1' a='2'/>", "syntax\n");
    EXPECT("<iq a=1/>", "syntax\n");
    EXPECT("<iq a='<'/><iq/>", "syntax\n"); /* libxml2 waits for another tag to be sure */
    EXPECT("<iq xmlns='a b'/>", "syntax\n");
    EXPECT("<p:iq/>", "syntax\n");
    EXPECT("<iq p:a='1'/>", "syntax\n");
    EXPECT("<iq xmlns:xml='urn:x'/>", "syntax\n");
    EXPECT("<iq xmlns:xmlns='urn:x'/>", "syntax\n");
    EXPECT("<iq xmlns:p=''/>", "syntax\n");
    EXPECT("<iq xmlns='http://www.w3.org/2000/xmlns/'/>", "syntax\n");
    EXPECT("<iq>]]></iq>", "syntax\n");
    EXPECT("<iq><?xml version='1.0'?></iq>", "syntax\n");
    EXPECT("<iq>&#0;</iq>", "syntax\n");
    EXPECT("<iq>&#xFFFE;</iq>", "syntax\n");
    EXPECT("<iq>\x01</iq>", "syntax\n");
    expect(SLICE("<a <b/>"), "syntax\n");
    expect(SLICE("hello"), "syntax\n");
    expect(SLICE("GET / HTTP/1.1\r\n"), "syntax\n");
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    EXPECT("<iq/>\xEF\xBB\xBF<iq/>", "<iq/>\nsyntax\n");
    EXPECT("<iq>\xC0\x80</iq>", "syntax\n");
    EXPECT("<iq>\xED\xA0\x80</iq>", "syntax\n");
    EXPECT("<iq>\xF4\x90\x80\x80</iq>", "syntax\n");
    EXPECT("<iq>\xEF\xBF\xBE</iq>", "syntax\n");
    EXPECT("<iq>\xEF\xBF\xBF</iq>", "syntax\n");
    EXPECT("<iq>\xE2\x82</iq>", "syntax\n");
    EXPECT("<iq a='\xFF'/>", "syntax\n");
    EXPECT("<i\xFFq/>", "syntax\n");
    EXPECT("<iq>a\0b</iq>", "syntax\n");
    EXPECT("<iq/>\0<iq/>", "<iq/>\nsyntax\n");
    EXPECT("<message/><message><body>\x80</body></message>", "<message/>\nsyntax\n");
}

static void other_encodings_and_versions_are_unsupported(void **state) /* RFC 6120 11.6, 11.5 */
{
    (void)state;
    expect(SLICE("<?xml version='1.0' encoding='UTF-8'?><a/>"), "header <a/>\nclose\n");
    expect(SLICE("<?xml version='1.0' encoding='utf-8'?><a/>"), "header <a/>\nclose\n");
    expect(SLICE("<?xml version='1.0' encoding='ISO-8859-1'?><a>"), "unsupported\n");
    expect(SLICE("<?xml version='1.0' encoding='UTF-16'?><a>"), "unsupported\n");
    expect(SLICE("<?xml version='1.0' encoding='nonsense'?><a>"), "unsupported\n");
    expect(SLICE("<?xml version='1.1'?><a>"), "unsupported\n");
    expect(SLICE("<?xml version='2.0'?><a>"), "unsupported\n");
    expect(SLICE("\xFF\xFE<\0a\0"), "unsupported\n");
    expect(SLICE("\xFE\xFF\0<\0a"), "unsupported\n");
    expect(SLICE("\0<\0a"), "unsupported\n");
}

static void repeat(struct buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_cstr(b, text);
}

/* HEADER, then n times `each` between before and after: the record ends as said. */
static void expect_bomb(const char *before, const char *each, size_t n, const char *after, const char *end)
{
    struct record *r = record_new(usual);
    struct buf b = BUF_INIT(0);
    r->limits.stanza_bytes = 1u << 20;
    BUF_LIT(&b, HEADER);
    buf_cstr(&b, before);
    repeat(&b, each, n);
    buf_cstr(&b, after);
    (void)!record_feed(r, buf_get(&b));
    struct slice all = buf_get(&r->said);
    size_t len = strlen(end);
    assert_true(all.len > len && slice_is(slice_from(all, all.len - len), end));
    buf_fini(&b);
    record_free(r);
}

static void limits_hold_to_the_last_one(void **state)
{
    (void)state;
    expect_bomb("", "<a>", 64, "</a>",
                "jabber.org/streams' to='example.net' version='1.0' xmlns='jabber:client'/>\n");
    expect_bomb("", "<a>", 65, "", "limit\n");
    expect_bomb("", "<a>", 100000, "", "limit\n");
    expect_bomb("<iq>", "<a/>", 999, "</iq>", "</iq>\n");
    expect_bomb("<iq>", "<a/>", 1000, "</iq>", "limit\n");
    expect_bomb("<iq>", " ", 1 << 20, "</iq>", "limit\n");
    expect_bomb("<iq a='", "x", 40000, "'/>", "limit\n");
    expect_bomb("<iq><", "x", 1 << 20, "/></iq>", "limit\n");
}

static void attributes_and_declarations_count_together(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct record *r = record_new(usual);
        struct buf b = BUF_INIT(0);
        BUF_LIT(&b, HEADER "<iq");
        for (unsigned i = 0; i < 64 + extra; i++)
            buf_fmt(&b, " a%u='' xmlns:p%u='urn:x'", i, i);
        BUF_LIT(&b, "/>");
        assert_int_equal(record_feed(r, buf_get(&b)), extra ? RC_LIMIT : RC_OK);
        buf_fini(&b);
        record_free(r);
    }
}

static void a_stanza_of_exactly_the_limit_passes(void **state)
{
    (void)state;
    const char stanza[] = "<message><body>12345</body></message>";
    for (size_t step = 1; step < sizeof stanza; step++) {
        for (size_t less = 0; less < 2; less++) {
            struct record *r = record_new(usual);
            struct slice rest = SLICE(
                "\n<message><body>12345</body></message>\r\n \r<message><body>12345</body></message>\r");
            enum rc rc = record_feed(r, SLICE(HEADER));
            r->limits.stanza_bytes = sizeof stanza - 1 - less;
            while (rc == RC_OK && rest.len) {
                rc = record_feed(r, slice_to(rest, step));
                rest = slice_from(rest, step);
            }
            assert_int_equal(rc, less ? RC_LIMIT : RC_OK);
            record_free(r);
        }
    }
}

static void new_names_are_limited_and_contexts_renewed(void **state) /* libxml2's dictionary only grows */
{
    (void)state;
    for (int custom = 0; custom < 2; custom++) {
        struct record *r = record_new(usual);
        enum rc rc = record_feed(r, custom ? SLICE("<x:stream xmlns='jabber:client' xmlns:y='urn:y' "
                                                   "xmlns:x='http://etherx.jabber.org/streams'>")
                                           : SLICE(HEADER));
        for (unsigned i = 0; i < 20000 && rc == RC_OK; i++) {
            char stanza[64];
            int n = snprintf(stanza, sizeof stanza, "<n%u a%u=''><m%u/></n%u>", i, i, i, i);
            rc = record_feed(r, slice_of(stanza, (size_t)n));
        }
        assert_int_equal(rc, RC_OK);
        assert_int_equal(record_feed(r, custom ? SLICE("<y:a/></x:stream>") : SLICE("</stream:stream>")),
                         RC_OK);
        struct xmlin_pool_stats stats = xmlin_pool_stats(r->pool);
        assert_true(stats.renewed >= 20 && stats.renewed < 100);
        assert_true(stats.contexts <= 2);
        record_free(r);
    }
}

static void long_names_renew_a_context_sooner(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    struct buf b = BUF_INIT(0);
    enum rc rc = record_feed(r, SLICE(HEADER));
    r->limits.stanza_bytes = 20000;
    for (unsigned i = 0; i < 500 && rc == RC_OK; i++) {
        buf_reset(&b);
        buf_fmt(&b, "<n%u", i);
        repeat(&b, "x", i % 2 ? 3000 : 10000); /* the long ones make libxml2's buffer grow */
        BUF_LIT(&b, "/>");
        rc = record_feed(r, buf_get(&b));
        buf_reset(&r->said);
    }
    assert_int_equal(rc, RC_OK);
    assert_true(xmlin_pool_stats(r->pool).renewed >= 10);
    buf_fini(&b);
    record_free(r);
}

static void one_stanza_brings_few_new_names(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    struct buf b = BUF_INIT(0);
    r->limits.stanza_bytes = 1 << 20;
    r->limits.elements = 1 << 20;
    BUF_LIT(&b, HEADER "<iq>");
    for (unsigned i = 0; i < 3000; i++)
        buf_fmt(&b, "<n%u/>", i);
    assert_int_equal(record_feed(r, buf_get(&b)), RC_LIMIT);
    assert_non_null(strstr(r->why.text, "names"));
    buf_fini(&b);
    record_free(r);
}

static void an_idle_stream_owns_no_context(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    static const struct slice idle[] = { SLICE_INIT(HEADER), SLICE_INIT(" \n"),   SLICE_INIT("<iq/>\r\n"),
                                         SLICE_INIT("<iq>"), SLICE_INIT("</iq>"), SLICE_INIT("\t") };
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        assert_int_equal(record_feed(r, idle[i]), RC_OK);
        bool partial = slice_is(idle[i], "<iq>");
        assert_int_equal(xmlin_idle(r->x), !partial);
        assert_int_equal(r->x->ctx == NULL, !partial);
    }
    assert_int_equal(record_feed(r, SLICE("<mess")), RC_OK); /* a partial name is kept */
    assert_false(xmlin_idle(r->x));
    assert_int_equal(record_feed(r, SLICE("age/>")), RC_OK);
    assert_true(xmlin_idle(r->x));
    assert_int_equal(xmlin_pool_stats(r->pool).contexts, xmlin_pool_stats(r->pool).idle);
    record_free(r);
}

static void many_streams_share_a_few_contexts(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    enum { STREAMS = 200 };
    static const struct xmlin_events events = { record_header, record_stanza, record_close };
    struct xmlin *x = mem_array(STREAMS, sizeof *x);
    for (size_t i = 0; i < STREAMS; i++) {
        xmlin_init(&x[i], r->pool, &r->limits);
        assert_int_equal(xmlin_feed(&x[i], SLICE(HEADER), &events, r, NULL), RC_OK);
    }
    assert_int_equal(xmlin_pool_stats(r->pool).contexts, xmlin_pool_stats(r->pool).idle);
    assert_true(xmlin_pool_stats(r->pool).contexts < 50);
    for (size_t i = 0; i < STREAMS; i++)
        assert_int_equal(xmlin_feed(&x[i], SLICE("<iq"), &events, r, NULL), RC_OK);
    assert_int_equal(xmlin_pool_stats(r->pool).contexts, STREAMS);
    for (size_t i = 0; i < STREAMS; i++)
        xmlin_fini(&x[i]);
    assert_true(xmlin_pool_stats(r->pool).contexts < 50);
    mem_free(x);
    record_free(r);
}

static void what_follows_a_refusal_is_dropped(void **state) /* RFC 6120 5.4.3.3 */
{
    (void)state;
    static const enum then ways[] = { THEN_DROP, THEN_RESET, THEN_FINI };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (int more = 0; more < 2; more++) {
            struct record *r = record_new(usual);
            r->then_name = "starttls";
            r->then = ways[i];
            assert_string_equal(
                said(r, more ? SLICE(HEADER "<starttls/><auth>x</auth>") : SLICE(HEADER "<starttls/>")),
                HEADER_SAID "<starttls/>\n");
            if (ways[i] == THEN_RESET) {
                buf_reset(&r->said);
                assert_int_equal(record_feed(r, SLICE(HEADER)), RC_OK);
                assert_true(slice_is(buf_get(&r->said), HEADER_SAID));
            }
            record_free(r);
        }
    }
}

static void a_callback_may_parse_with_the_same_pool(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    r->then_name = "outer";
    r->then = THEN_PARSE;
    assert_string_equal(said(r, SLICE(HEADER "<outer/><outer><a/></outer><b/>")), HEADER_SAID
                        "<outer/>\n<inner><x/></inner>\n<outer><a/></outer>\n<inner><x/></inner>\n<b/>\n");
    record_free(r);
}

static void nothing_is_taken_after_an_error(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    assert_int_equal(record_feed(r, SLICE(HEADER "<iq></x>")), RC_SYNTAX);
    assert_int_equal(record_feed(r, SLICE("<iq/>")), RC_CLOSED);
    xmlin_reset(r->x);
    assert_int_equal(record_feed(r, SLICE(HEADER "<iq/>")), RC_OK);
    record_free(r);
}

static void parse(struct slice text, enum rc expected, const char *written)
{
    struct record *r = record_new(usual);
    struct arena *a = arena_new(1024, 0);
    struct node *n;
    for (int i = 0; i < 2; i++) { /* an error leaves nothing behind */
        assert_int_equal(xmlin_parse(r->pool, a, text, &r->limits, &n, &r->why), expected);
        assert_int_equal(xmlin_parse(r->pool, a, SLICE("<iq/>"), &r->limits, &n, NULL), RC_OK);
    }
    if (expected == RC_OK) {
        assert_int_equal(xmlin_parse(r->pool, a, text, &r->limits, &n, &r->why), expected);
        xmlout_node(&r->said, n, NS_CLIENT);
        assert_true(slice_is(buf_get(&r->said), written));
        assert_int_equal(xmlin_pool_stats(r->pool).made, 1);
    }
    arena_free(&a);
    record_free(r);
}

static void one_element_is_parsed(void **state)
{
    (void)state;
    parse(SLICE(" <iq to='a'><x xmlns='urn:x'>t</x></iq>\n"), RC_OK,
          "<iq to='a'><x xmlns='urn:x'>t</x></iq>");
    parse(SLICE("<stream:features/>"), RC_OK, "<stream:features/>");
    parse(SLICE(""), RC_SYNTAX, "");
    parse(SLICE(" "), RC_SYNTAX, "");
    parse(SLICE("x"), RC_SYNTAX, "");
    parse(SLICE("<iq>"), RC_SYNTAX, "");
    parse(SLICE("<iq/><iq/>"), RC_SYNTAX, "");
    parse(SLICE("<iq/><iq"), RC_SYNTAX, "");
    parse(SLICE("<iq/><![CDATA["), RC_SYNTAX, "");
    parse(SLICE("<iq/>x"), RC_SYNTAX, "");
    parse(SLICE("x<iq/>"), RC_SYNTAX, "");
    parse(SLICE("<iq/>\xE2\x82"), RC_SYNTAX, "");
    parse(SLICE("</stream:stream>"), RC_SYNTAX, "");
    parse(SLICE("<iq/></stream:stream>"), RC_SYNTAX, "");
    parse(SLICE("<iq><!-- --></iq>"), RC_DENIED, "");
}

static void a_tree_outlives_its_context(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    struct arena *a = arena_new(1024, 0);
    struct node *n;
    assert_int_equal(
        xmlin_parse(r->pool, a, SLICE("<a xmlns='urn:q' rare='1'><uncommon/></a>"), &r->limits, &n, NULL),
        RC_OK);
    xmlin_pool_free(&r->pool);
    xmlout_node(&r->said, n, NS_CLIENT);
    assert_true(slice_is(buf_get(&r->said), "<a xmlns='urn:q' rare='1'><uncommon/></a>"));
    arena_free(&a);
    record_free(r);
}

static void memory_of_a_stanza_is_limited(void **state)
{
    (void)state;
    struct record *r = record_new(usual);
    struct arena *a = arena_new(512, 1024);
    struct node *n;
    struct buf b = BUF_INIT(0);
    BUF_LIT(&b, "<iq>");
    repeat(&b, "<a/>", 500);
    BUF_LIT(&b, "</iq>");
    assert_int_equal(xmlin_parse(r->pool, a, buf_get(&b), &r->limits, &n, NULL), RC_LIMIT);
    buf_reset(&b);
    arena_reset(a);
    BUF_LIT(&b, "<iq>");
    repeat(&b, "text", 500);
    BUF_LIT(&b, "</iq>");
    assert_int_equal(xmlin_parse(r->pool, a, buf_get(&b), &r->limits, &n, NULL), RC_LIMIT);
    buf_fini(&b);
    arena_free(&a);
    record_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_becomes_stanzas),
        cmocka_unit_test(bytes_after_the_end_are_ignored),
        cmocka_unit_test(other_prefixes_are_taken),
        cmocka_unit_test(restricted_xml_is_denied),
        cmocka_unit_test(what_is_not_well_formed_is_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(other_encodings_and_versions_are_unsupported),
        cmocka_unit_test(limits_hold_to_the_last_one),
        cmocka_unit_test(attributes_and_declarations_count_together),
        cmocka_unit_test(a_stanza_of_exactly_the_limit_passes),
        cmocka_unit_test(new_names_are_limited_and_contexts_renewed),
        cmocka_unit_test(long_names_renew_a_context_sooner),
        cmocka_unit_test(one_stanza_brings_few_new_names),
        cmocka_unit_test(an_idle_stream_owns_no_context),
        cmocka_unit_test(many_streams_share_a_few_contexts),
        cmocka_unit_test(what_follows_a_refusal_is_dropped),
        cmocka_unit_test(a_callback_may_parse_with_the_same_pool),
        cmocka_unit_test(nothing_is_taken_after_an_error),
        cmocka_unit_test(one_element_is_parsed),
        cmocka_unit_test(a_tree_outlives_its_context),
        cmocka_unit_test(memory_of_a_stanza_is_limited),
    };
    return cmocka_run_group_tests_name("xmlin", tests, NULL, NULL);
}
