/* test/unit/test_offline.c - what is kept for who is away: kinds, limits, policy */
#include "sessman/offline.h"
#include "sessman/pathfilter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

struct scene {
    struct sessman sm;
    struct sessman_conf conf;
    struct domain domain;
    struct account a;
    char bare[32], name[16];
};

static struct slice domain_key(const void *value)
{
    return slice_cstr(((const struct domain *)value)->name);
}

static void scene_make(struct scene *sc)
{
    *sc = (struct scene){ .bare = "juliet@im.example", .name = "im.example" };
    sc->a.bare = sc->bare;
    sc->a.bare_len = (uint16_t)strlen(sc->bare);
    sc->a.local_len = 6;
    sc->a.offline_limit = OFFLINE_LIMIT_UNSET;
    sc->domain = (struct domain){ .name = sc->name, .offline = true };
    sc->conf = (struct sessman_conf){ .offline_max = 1000,
                                      .offline_per_sender = 100,
                                      .offline_user_limit = true,
                                      .offline_user_limit_max = 500 };
    sc->sm.conf = &sc->conf;
    sc->sm.domains = map_new(domain_key);
    map_put(sc->sm.domains, &sc->domain);
}

static void scene_end(struct scene *sc)
{
    offline_fini(&sc->sm);
    map_free(&sc->sm.domains);
}

static struct stanza message(struct arena *a, const char *text)
{
    struct stanza st;
    enum stanza_cond cond;
    assert_int_equal(stanza_read(a, tree(a, text), &st, &cond), RC_OK);
    return st;
}

#define BODY "<message xmlns='jabber:client' type='chat'><body>b</body></message>"
#define STATE                                                                                                \
    "<message xmlns='jabber:client'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"

static enum offline_fate decide(struct arena *a, struct scene *sc, const char *text, uint64_t kept,
                                uint64_t of_sender)
{
    struct stanza st = message(a, text);
    return offline_decide(&sc->sm, &sc->a, &st, kept, of_sender);
}

static void limits_bind_the_account_and_each_sender(void **state)
{
    struct scene sc;
    scene_make(&sc);
    assert_int_equal(decide(*state, &sc, BODY, 999, 99), OFFLINE_KEEP);
    assert_int_equal(decide(*state, &sc, BODY, 1000, 0), OFFLINE_REFUSE);
    assert_int_equal(decide(*state, &sc, BODY, 100, 100), OFFLINE_REFUSE);
    sc.conf.offline_over = OFFLINE_OVER_DROP;
    assert_int_equal(decide(*state, &sc, BODY, 100, 100), OFFLINE_DROP);
    sc.conf.offline_per_sender = 0;
    assert_int_equal(decide(*state, &sc, BODY, 999, 999), OFFLINE_KEEP);
    scene_end(&sc);
}

static void the_users_limit_goes_before_the_default_where_users_may(void **state)
{
    struct scene sc;
    scene_make(&sc);
    sc.a.offline_limit = 2;
    assert_int_equal(decide(*state, &sc, BODY, 1, 1), OFFLINE_KEEP);
    assert_int_equal(decide(*state, &sc, BODY, 2, 2), OFFLINE_REFUSE);
    sc.a.offline_limit = 0;
    assert_int_equal(decide(*state, &sc, BODY, 0, 0), OFFLINE_REFUSE);
    sc.a.offline_limit = OFFLINE_LIMIT_NONE;
    assert_int_equal(decide(*state, &sc, BODY, 999, 999), OFFLINE_KEEP);
    assert_int_equal(decide(*state, &sc, BODY, 1000, 999), OFFLINE_REFUSE); /* the account's stays */
    sc.a.offline_limit = 700;
    assert_true(offline_sender_limit(&sc.sm, &sc.a) == 500); /* the maximum was lowered since */
    sc.conf.offline_user_limit = false;
    assert_true(offline_sender_limit(&sc.sm, &sc.a) == 100);
    scene_end(&sc);
}

static void a_domain_may_keep_nothing(void **state)
{
    struct scene sc;
    scene_make(&sc);
    sc.domain.offline = false;
    assert_int_equal(decide(*state, &sc, BODY, 0, 0), OFFLINE_REFUSE);
    assert_int_equal(decide(*state, &sc, STATE, 0, 0), OFFLINE_DROP); /* nobody misses it */
    scene_end(&sc);
}

static void filters_go_before_the_rule(void **state)
{
    struct scene sc;
    char *texts[] = { (char[]){ "-/message/body" }, (char[]){ "+/message/active" } };
    scene_make(&sc);
    assert_int_equal(decide(*state, &sc, STATE, 0, 0), OFFLINE_DROP);
    sc.conf.offline_filter = (struct conf_list){ texts, 2 };
    offline_reconf(&sc.sm);
    assert_int_equal(decide(*state, &sc, BODY, 0, 0), OFFLINE_DROP);
    assert_int_equal(decide(*state, &sc, STATE, 0, 0), OFFLINE_KEEP);
    assert_int_equal(decide(*state, &sc, "<message xmlns='jabber:client'><x xmlns='urn:x'/></message>", 0, 0),
                     OFFLINE_KEEP);
    assert_int_equal(
        decide(*state, &sc, "<message xmlns='jabber:client' type='headline'><active/></message>", 0, 0),
        OFFLINE_DROP);
    sc.conf.offline_filter = (struct conf_list){ NULL, 0 };
    offline_reconf(&sc.sm);
    assert_int_equal(decide(*state, &sc, BODY, 0, 0), OFFLINE_KEEP);
    scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_bind_the_account_and_each_sender, setup, teardown),
        cmocka_unit_test_setup_teardown(the_users_limit_goes_before_the_default_where_users_may, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_domain_may_keep_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_go_before_the_rule, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
