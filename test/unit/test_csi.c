/* test/unit/test_csi.c - what an inactive client need not hear at once (XEP-0352) */
#include "common/base/arena.h"
#include "common/xmpp/xmlin.h"
#include "sessman/csi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static enum csi_class class_of(const char *xml)
{
    static const struct xmlin_limits limits = { 10000, 16, 100, 16 };
    struct arena_pool *arenas = arena_pool_new(4096, 0, 2);
    struct xmlin_pool *pool = xmlin_pool_new("jabber:client", arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    struct why why;
    if (xmlin_parse(pool, a, slice_cstr(xml), &limits, &n, &why) != RC_OK)
        fail_msg("%s: %s", xml, why.text);
    enum csi_class class = csi_class_of(n);
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return class;
}

#define STATE "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
#define CARBON(inner)                                                                                        \
    "<message from='a@e'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>" inner      \
    "</forwarded></sent></message>"

static void presence_waits(void **state)
{
    (void)state;
    assert_int_equal(class_of("<presence from='a@e/r'/>"), CSI_PRESENCE);
    assert_int_equal(class_of("<presence from='a@e/r' type='unavailable'><status>x</status></presence>"),
                     CSI_PRESENCE);
}

static void what_is_about_the_user_does_not_wait(void **state)
{
    static const char *const types[] = { "subscribe",    "subscribed", "unsubscribe",
                                         "unsubscribed", "probe",      "error" };
    char xml[200];
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(xml, sizeof xml, "<presence from='a@e' type='%s'/>", types[i]);
        assert_int_equal(class_of(xml), CSI_IMPORTANT);
    }
    assert_int_equal(class_of("<presence from='r@e/n'><x xmlns='http://jabber.org/protocol/muc#user'>"
                              "<item/><status code='201'/><status code='110'/></x></presence>"),
                     CSI_IMPORTANT);
    assert_int_equal(class_of("<presence from='r@e/n'><x xmlns='http://jabber.org/protocol/muc#user'>"
                              "<item/><status code='100'/></x></presence>"),
                     CSI_PRESENCE);
}

static void a_chat_state_alone_waits(void **state)
{
    (void)state;
    assert_int_equal(class_of("<message type='chat'>" STATE "</message>"), CSI_CHATSTATE);
    assert_int_equal(class_of("<message type='groupchat'>" STATE "</message>"), CSI_CHATSTATE);
    assert_int_equal(class_of("<message><thread>t</thread>" STATE "<no-store xmlns='urn:xmpp:hints'/>"
                              "<origin-id xmlns='urn:xmpp:sid:0' id='1'/></message>"),
                     CSI_CHATSTATE);
}

static void a_message_that_says_anything_does_not(void **state)
{
    static const char *const important[] = {
        "<message/>",
        "<message><thread>t</thread></message>",
        "<message><body>b</body></message>",
        "<message type='chat'><body>b</body>" STATE "</message>",
        "<message type='chat'>" STATE "<body>b</body></message>",
        "<message type='error'>" STATE "</message>",
        "<message>" STATE "<x xmlns='urn:example:x'/></message>",
        "<message>" STATE "<received xmlns='urn:xmpp:receipts' id='1'/></message>",
        "<iq type='result' id='1'/>",
        "<iq type='get' id='1'>" STATE "</iq>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof important / sizeof *important; i++)
        if (class_of(important[i]) != CSI_IMPORTANT)
            fail_msg("%s waits", important[i]);
}

static void a_carbon_is_what_is_in_it(void **state)
{
    (void)state;
    assert_int_equal(class_of(CARBON("<message xmlns='jabber:client'>" STATE "</message>")), CSI_CHATSTATE);
    assert_int_equal(class_of(CARBON("<message xmlns='jabber:client'><body>b</body></message>")),
                     CSI_IMPORTANT);
    assert_int_equal(class_of(CARBON("")), CSI_IMPORTANT);
    assert_int_equal(class_of(CARBON(CARBON("<message xmlns='jabber:client'>" STATE "</message>"))),
                     CSI_IMPORTANT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presence_waits),
        cmocka_unit_test(what_is_about_the_user_does_not_wait),
        cmocka_unit_test(a_chat_state_alone_waits),
        cmocka_unit_test(a_message_that_says_anything_does_not),
        cmocka_unit_test(a_carbon_is_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
