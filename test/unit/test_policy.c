/* test/unit/test_policy.c - who may be talked to, and how */
#include "s2s/s2s.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define OURS SLICE("im.example")

static struct s2s_conf *read_conf(const char *text)
{
    struct s2s_conf *conf = calloc(1, sizeof *conf);
    struct why why = { "" };
    if (conf_read_text(&s2s_conf_table, slice_cstr(text), conf, &why) != RC_OK)
        fail_msg("%s", why.text);
    return conf;
}

static void drop(struct s2s_conf *conf)
{
    conf_clear(&s2s_conf_table, conf);
    free(conf);
}

static void patterns(void **state)
{
    (void)state;
    assert_true(policy_matches("*", SLICE("a")));
    assert_true(policy_matches("far.example", SLICE("far.example")));
    assert_false(policy_matches("far.example", SLICE("so.far.example")));
    assert_true(policy_matches("*.example", SLICE("so.far.example")));
    assert_false(policy_matches("*.example", SLICE("example")));
    assert_false(policy_matches("*.example", SLICE("evilexample")));
}

static void tls_is_required_and_certificates_are_not(void **state)
{
    struct s2s_conf *conf = read_conf("");
    struct policy p = policy_of(conf, OURS, SLICE("far.example"));
    (void)state;
    assert_true(!p.blocked && p.tls && !p.certificate);
    drop(conf);
}

static void lists(void **state)
{
    struct s2s_conf *conf = read_conf("[policy]\nallow = *.example\nblock = evil.example, *.evil.example\n");
    (void)state;
    assert_false(policy_of(conf, OURS, SLICE("far.example")).blocked);
    assert_true(policy_of(conf, OURS, SLICE("evil.example")).blocked);
    assert_true(policy_of(conf, OURS, SLICE("more.evil.example")).blocked);
    assert_true(policy_of(conf, OURS, SLICE("far.test")).blocked);
    drop(conf);
}

static void theirs_goes_before_ours(void **state)
{
    struct s2s_conf *conf = read_conf("[domain im.example]\nrequire_certificate = yes\n"
                                      "[remote old.example]\nrequire_certificate = no\nrequire_tls = no\n"
                                      "[remote *.example]\nrequire_certificate = yes\n");
    (void)state;
    struct policy p = policy_of(conf, OURS, SLICE("far.test"));
    assert_true(p.certificate && p.tls);
    p = policy_of(conf, OURS, SLICE("old.example"));
    assert_true(!p.certificate && !p.tls);
    p = policy_of(conf, SLICE("other.im"), SLICE("far.example"));
    assert_true(p.certificate && p.tls);
    p = policy_of(conf, SLICE("other.im"), SLICE("far.test"));
    assert_false(p.certificate);
    drop(conf);
}

static void a_certificate_needs_tls(void **state)
{
    struct s2s_conf *conf = read_conf("[policy]\nrequire_tls = no\nrequire_certificate = yes\n");
    (void)state;
    assert_true(policy_of(conf, OURS, SLICE("far.example")).tls);
    drop(conf);
}

static void routes_are_read(void **state)
{
    struct s2s_conf *conf =
        read_conf("[route a.example]\naddress = 192.0.2.7:5299\ntls = direct\n"
                  "[route b.example]\naddress = [2001:db8::7]:1\n"
                  "[route c.example]\naddress = 2001:db8::8\ntls = none\n[route *]\naddress = hub.example\n");
    const struct s2s_route *r = conf->routes;
    (void)state;
    assert_string_equal(r->host, "192.0.2.7");
    assert_true(r->port == 5299 && r->tls == ROUTE_DIRECT);
    r = r->next;
    assert_string_equal(r->host, "2001:db8::7");
    assert_true(r->port == 1 && r->tls == ROUTE_STARTTLS);
    r = r->next;
    assert_string_equal(r->host, "2001:db8::8");
    assert_true(r->port == 0 && r->tls == ROUTE_NONE);
    r = r->next;
    assert_string_equal(r->domain, "*");
    assert_string_equal(r->host, "hub.example");
    drop(conf);
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = { "[limits]\nstanzas_per_minute = lots\n",
                                       "[route a]\ntls = maybe\n",
                                       "[route a]\naddress = :5\n",
                                       "[route a]\naddress = b:0\n",
                                       "[remote a]\nrequire_tls = perhaps\n",
                                       "[remote a]\nallow = yes\n" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct s2s_conf *conf = calloc(1, sizeof *conf);
        assert_int_not_equal(conf_read_text(&s2s_conf_table, slice_cstr(bad[i]), conf, NULL), RC_OK);
        free(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(tls_is_required_and_certificates_are_not),
        cmocka_unit_test(lists),
        cmocka_unit_test(theirs_goes_before_ours),
        cmocka_unit_test(a_certificate_needs_tls),
        cmocka_unit_test(routes_are_read),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
