/* test/unit/test_element.c - elements that carry the namespaces of a stream with them (RFC 7395 3.3.3,
 * XEP-0206 3) */
#include "httpgw/element.h"
#include "common/base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void expect(const struct slice *pieces, size_t n, bool stream, const char *want)
{
    struct slice out[8];
    struct buf b = BUF_INIT(0);
    size_t k = element_pieces(pieces, n, stream, out);
    assert_true(k <= n + ELEMENT_PIECES);
    for (size_t i = 0; i < k; i++)
        buf_slice(&b, out[i]);
    buf_byte(&b, '\0');
    assert_string_equal(b.p, want);
    buf_fini(&b);
}

static void check(const char *element, bool stream, const char *want)
{
    struct slice one = slice_cstr(element);
    expect(&one, 1, stream, want);
}

static void stanzas_say_whose_they_are(void **state)
{
    (void)state;
    check("<message to='a'><body/></message>", false,
          "<message xmlns='jabber:client' to='a'><body/></message>");
    check("<iq/>", true, "<iq xmlns='jabber:client'/>");
    check("<presence></presence>", false, "<presence xmlns='jabber:client'></presence>");
}

static void others_do_already(void **state)
{
    (void)state;
    check("<r xmlns='urn:xmpp:sm:3'/>", false, "<r xmlns='urn:xmpp:sm:3'/>");
    check("<messages xmlns='x'/>", false, "<messages xmlns='x'/>");
}

static void the_prefix_is_declared_where_it_is_used(void **state)
{
    (void)state;
    check("<stream:features><bind/></stream:features>", false,
          "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><bind/></stream:features>");
    check("<stream:features><bind/></stream:features>", true, "<stream:features><bind/></stream:features>");
    check("<iq><stream:x/></iq>", false,
          "<iq xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:x/></iq>");
}

static void pieces_are_kept_apart(void **state)
{
    const struct slice pieces[] = { SLICE("<presence from='a'"), SLICE(" to='b'"),
                                    SLICE("><stream:y/></presence>") };
    (void)state;
    expect(pieces, 3, false,
           "<presence xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='a' to='b'>"
           "<stream:y/></presence>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stanzas_say_whose_they_are),
        cmocka_unit_test(others_do_already),
        cmocka_unit_test(the_prefix_is_declared_where_it_is_used),
        cmocka_unit_test(pieces_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
