/* test/unit/test_deliver.c - RFC 6121 8.5, table 1: addressee's situation x type -> what happens; what
 * offline storage takes */
#include "common/base/arena.h"
#include "common/xmpp/xmlin.h"
#include "sessman/deliver.h"
#include "sessman/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static enum deliver_action bare(enum deliver_situation sit, enum stanza_type type)
{
    return deliver_decide(DELIVER_BARE, sit, type);
}

static enum deliver_action gone(enum deliver_situation sit, enum stanza_type type)
{
    return deliver_decide(DELIVER_FULL_NO_MATCH, sit, type);
}

static void a_resource_that_matches_gets_everything(void **state) /* 8.5.3.1 */
{
    (void)state;
    for (int t = MESSAGE_NORMAL; t <= IQ_ERROR; t++)
        assert_int_equal(deliver_decide(DELIVER_FULL_MATCH, DELIVER_ONLY_NEGATIVE, (enum stanza_type)t),
                         DELIVER_THAT);
}

static void no_account_answers_requests_and_drops_errors(void **state) /* 8.5.1 */
{
    (void)state;
    assert_int_equal(bare(DELIVER_NO_ACCOUNT, MESSAGE_CHAT), DELIVER_ERROR);
    assert_int_equal(bare(DELIVER_NO_ACCOUNT, IQ_GET), DELIVER_ERROR);
    assert_int_equal(bare(DELIVER_NO_ACCOUNT, IQ_RESULT), DELIVER_DROP);
    assert_int_equal(bare(DELIVER_NO_ACCOUNT, MESSAGE_ERROR), DELIVER_DROP);
    assert_int_equal(bare(DELIVER_NO_ACCOUNT, PRESENCE_AVAILABLE), DELIVER_DROP);
}

static void chat_and_normal_wait_for_a_resource_that_may_have_them(void **state) /* 8.5.2.1.1, 8.5.2.2.1 */
{
    (void)state;
    assert_int_equal(bare(DELIVER_NO_RESOURCE, MESSAGE_CHAT), DELIVER_STORE);
    assert_int_equal(bare(DELIVER_NO_RESOURCE, MESSAGE_NORMAL), DELIVER_STORE);
    assert_int_equal(bare(DELIVER_ONLY_NEGATIVE, MESSAGE_CHAT), DELIVER_STORE);
    assert_int_equal(bare(DELIVER_SOME, MESSAGE_CHAT), DELIVER_BEST);
    assert_int_equal(gone(DELIVER_SOME, MESSAGE_CHAT), DELIVER_BEST);
    assert_int_equal(gone(DELIVER_NO_RESOURCE, MESSAGE_CHAT), DELIVER_STORE);
    assert_int_equal(gone(DELIVER_SOME, MESSAGE_NORMAL), DELIVER_ERROR);
}

static void headlines_go_to_all_and_groupchat_to_none(void **state) /* 8.5.2.1.1 */
{
    (void)state;
    assert_int_equal(bare(DELIVER_SOME, MESSAGE_HEADLINE), DELIVER_ALL);
    assert_int_equal(bare(DELIVER_NO_RESOURCE, MESSAGE_HEADLINE), DELIVER_DROP);
    assert_int_equal(bare(DELIVER_SOME, MESSAGE_GROUPCHAT), DELIVER_ERROR);
    assert_int_equal(bare(DELIVER_SOME, MESSAGE_ERROR), DELIVER_DROP);
}

static void presence_reaches_negative_resources_too(void **state) /* 8.5.2.1.2 */
{
    (void)state;
    assert_int_equal(bare(DELIVER_ONLY_NEGATIVE, PRESENCE_AVAILABLE), DELIVER_EVERY);
    assert_int_equal(bare(DELIVER_NO_RESOURCE, PRESENCE_UNAVAILABLE), DELIVER_DROP);
    assert_int_equal(gone(DELIVER_SOME, PRESENCE_AVAILABLE), DELIVER_DROP);
}

static void an_iq_that_nobody_took_is_answered(void **state) /* 8.5.2.1.3, 8.5.3.2.3 */
{
    (void)state;
    assert_int_equal(bare(DELIVER_SOME, IQ_SET), DELIVER_ERROR);
    assert_int_equal(gone(DELIVER_SOME, IQ_GET), DELIVER_ERROR);
    assert_int_equal(gone(DELIVER_SOME, IQ_RESULT), DELIVER_DROP);
}

static bool kept(const char *xml)
{
    static const struct xmlin_limits limits = { 10000, 16, 100, 16 };
    struct arena_pool *arenas = arena_pool_new(4096, 0, 2);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    struct stanza st;
    enum stanza_cond cond;
    assert_int_equal(xmlin_parse(pool, a, slice_cstr(xml), &limits, &n, NULL), RC_OK);
    assert_int_equal(stanza_read(a, n, &st, &cond), RC_OK);
    bool yes = journal_qualifies(&st);
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return yes;
}

static void offline_storage_takes_what_is_worth_keeping(void **state) /* XEP-0160 3, XEP-0334 */
{
    (void)state;
    assert_true(kept("<message to='a@b'><body>x</body></message>"));
    assert_true(kept("<message to='a@b' type='chat'><body>x</body></message>"));
    assert_true(kept("<message to='a@b' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>"));
    assert_false(kept("<message to='a@b' type='chat'><composing "
                      "xmlns='http://jabber.org/protocol/chatstates'/></message>"));
    assert_false(kept("<message to='a@b' type='headline'><body>x</body></message>"));
    assert_false(kept("<message to='a@b' type='groupchat'><body>x</body></message>"));
    assert_false(
        kept("<message to='a@b' type='chat'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>"));
    assert_true(kept("<message to='a@b' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/>"
                     "<store xmlns='urn:xmpp:hints'/></message>"));
    assert_false(kept("<message to='a@b'/>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resource_that_matches_gets_everything),
        cmocka_unit_test(no_account_answers_requests_and_drops_errors),
        cmocka_unit_test(chat_and_normal_wait_for_a_resource_that_may_have_them),
        cmocka_unit_test(headlines_go_to_all_and_groupchat_to_none),
        cmocka_unit_test(presence_reaches_negative_resources_too),
        cmocka_unit_test(an_iq_that_nobody_took_is_answered),
        cmocka_unit_test(offline_storage_takes_what_is_worth_keeping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
