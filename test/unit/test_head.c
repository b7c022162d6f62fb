/* test/unit/test_head.c - from and to which domain a stanza goes, by its start tag */
#include "s2s/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void plain_addresses(void **state)
{
    static const char *const texts[] = {
        "<message from='a@one.example/r' to='b@other.example'><body>x</body></message>",
        "<presence to='other.example' id='1' from='one.example'/>",
        ("<iq type='get' from='one.example/x/y@z' to='other.example/r' id='q&quot;'><ping "
         "xmlns='urn:xmpp:ping'/></iq>"),
        "<message xml:lang='en' from='a@one.example' to='b@c@other.example/r'>",
    };
    struct head h;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(head_read(slice_cstr(texts[i]), &h));
        assert_true(slice_is(h.from, "one.example"));
        assert_true(slice_is(h.to, "other.example"));
    }
    assert_false(head_read(slice_cstr(texts[3]), &h)); /* no address at all */
}

static void anything_else_is_to_be_parsed(void **state)
{
    static const char *const texts[] = {
        "",
        "<message",
        "<message>",
        "<message from='a@one.example'/>",
        "<message to='a@one.example'/>",
        "<messages from='a@one.example' to='b@other.example'/>",
        "<query from='a@one.example' to='b@other.example'/>",
        " <message from='a@one.example' to='b@other.example'/>",
        "<message from=\"a@one.example\" to='b@other.example'/>",
        "<message  from='a@one.example' to='b@other.example'/>",
        "<message from = 'a@one.example' to='b@other.example'/>",
        "<message from='a@one.example' to='b@other.example",
        "<message from='a@one.example' to='b@other.example'",
        "<message from='a@one.example' to='b@other.example'x>",
        "<message><from='a@one.example' to='b@other.example'/>",
        "<message x><body from='a@one.example' to='b@other.example'/>",
        "<message xmlns='jabber:client' from='a@one.example' to='b@other.example'/>",
        "<message from='a@one.example' to='b@Other.example'/>",
        "<message from='a@one.example' to='b@other.example.'/>",
        "<message from='a@one.example' to='b@other..example'/>",
        "<message from='a@one.example' to='b@.example'/>",
        "<message from='a@one.example' to='b@-other.example'/>",
        "<message from='a@one.example' to='b@other-.example'/>",
        "<message from='a@one.example' to='b@xn--bcher-kva.example'/>",
        ("<message from='a@one.example' to='b@b\xc3\xbc"
         "cher.example'/>"),
        "<message from='a@one.example' to='b&amp;c@other.example'/>",
        "<message from='a@one.example' to='@other.example'/>",
        "<message from='a@one.example' to='b@other.example/'/>",
        "<message from='a@one.example' to='b@'/>",
        "<message from='' to='b@other.example'/>",
    };
    struct head h;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (head_read(slice_cstr(texts[i]), &h))
            fail_msg("taken: %s", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_addresses),
        cmocka_unit_test(anything_else_is_to_be_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
