/* test/unit/test_push.c - which messages a push service is told of (XEP-0357) */
#include "common/base/arena.h"
#include "common/xmpp/xmlin.h"
#include "sessman/push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool told(const char *xml)
{
    static const struct xmlin_limits limits = { 10000, 16, 100, 16 };
    struct arena_pool *arenas = arena_pool_new(4096, 0, 2);
    struct xmlin_pool *pool = xmlin_pool_new("jabber:client", arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    struct stanza st;
    enum stanza_cond cond;
    struct why why;
    if (xmlin_parse(pool, a, slice_cstr(xml), &limits, &n, &why) != RC_OK ||
        stanza_read(a, n, &st, &cond) != RC_OK)
        fail_msg("%s", xml);
    bool yes = push_worthy(&st);
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return yes;
}

static void what_a_person_says_is_told(void **state)
{
    (void)state;
    assert_true(told("<message type='chat'><body>b</body></message>"));
    assert_true(told("<message><active xmlns='http://jabber.org/protocol/chatstates'/><body/></message>"));
    assert_true(told("<message type='groupchat'><body>b</body></message>"));
    assert_true(
        told("<message><encrypted xmlns='urn:xmpp:omemo:2'/><store xmlns='urn:xmpp:hints'/></message>"));
    assert_true(told("<message><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>"));
    assert_true(
        told("<message><x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@e'/></x></message>"));
}

static void what_machines_say_is_not(void **state)
{
    (void)state;
    assert_false(told("<message type='chat'/>"));
    assert_false(told("<message type='error'><body>b</body></message>"));
    assert_false(told("<message type='headline'><body>b</body></message>"));
    assert_false(told("<message><body xmlns='urn:example:x'>b</body></message>"));
    assert_false(told("<message><store xmlns='urn:xmpp:hints'/></message>"));
    assert_false(told("<message><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>"));
    assert_false(told("<message><x xmlns='http://jabber.org/protocol/muc#user'/></message>"));
    assert_false(told("<message><retract xmlns='urn:xmpp:jingle-message:0' id='1'/></message>"));
    assert_false(told("<presence type='subscribe'/>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_person_says_is_told),
        cmocka_unit_test(what_machines_say_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
