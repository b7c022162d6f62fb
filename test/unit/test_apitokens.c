/* test/unit/test_apitokens.c - tokens of the HTTP API: rows, and logging in with them (RFC 7628) */
#include "sessman/apitokens.h"
#include "common/base/clock.h"
#include "sessman/auth.h"
#include "sessman/scopes.h"
#include "sessman/users.h"
#include "test/unit/sessman_world.h"

#define DAY_MS 86400000

static enum rc got;
static int64_t got_id;
static struct slice issued;
static unsigned listed;

static void on_changed(void *ctx, enum rc rc, const struct why *why)
{
    (void)why;
    got = rc;
    ((struct world *)ctx)->answers++;
}

static void on_issued(void *ctx, enum rc rc, int64_t id)
{
    got = rc;
    got_id = id;
    ((struct world *)ctx)->answers++;
}

static void on_rc(void *ctx, enum rc rc)
{
    got = rc;
    ((struct world *)ctx)->answers++;
}

static void on_each(void *ctx, const struct apitoken *t)
{
    (void)ctx, (void)t;
    listed++;
}

static void on_listed(void *ctx)
{
    ((struct world *)ctx)->answers++;
}

static void add(struct world *w, const char *jid)
{
    struct jid j = world_jid(w, jid);
    users_create(&w->sm, &j, SLICE("pw"), false, on_changed, w);
    world_wait(w, 1);
    assert_int_equal(got, RC_OK);
    w->conf.api_tokens = true;
    w->conf.api_tokens_per_account = 3;
}

static enum rc issue(struct world *w, const char *jid, const char *scopes, int64_t ms)
{
    struct jid j = world_jid(w, jid);
    struct apitoken t = { .label = SLICE("label"), .scopes = slice_cstr(scopes) };
    t.expires_ms = (int64_t)clock_wall_ms() + ms;
    apitokens_issue(&w->sm, w->a, &j, &t, &issued, on_issued, w);
    world_wait(w, 1);
    return got;
}

static unsigned count(struct world *w, const char *jid)
{
    struct jid j = world_jid(w, jid);
    listed = 0;
    apitokens_list(&w->sm, &j, on_each, on_listed, w);
    world_wait(w, 1);
    return listed;
}

/* --- logging in --- */

struct login {
    struct world *w;
    struct auth *auth;
    bool ok;
    enum sasl_fail cond;
    struct slice challenge, scopes;
    struct auth_grant grant;
};

static void on_challenge(void *owner, struct slice data)
{
    struct login *l = owner;
    l->challenge = arena_copy(l->w->a, data);
    l->w->answers++;
}

static void on_success(void *owner, const struct jid *user, bool has_data, struct slice data)
{
    struct login *l = owner;
    (void)user, (void)has_data, (void)data;
    l->ok = true;
    l->grant = *auth_grant(l->auth);
    l->scopes = arena_copy(l->w->a, l->grant.scopes);
    l->w->answers++;
}

static void on_failure(void *owner, enum sasl_fail cond, const char *text)
{
    struct login *l = owner;
    (void)text;
    l->cond = cond;
    l->w->answers++;
}

static const struct auth_ops ops = { on_challenge, on_success, on_failure };

static struct login log_in(struct world *w, const struct control_open *open, const char *mechanism,
                           struct slice message)
{
    struct login l = { .w = w };
    const struct control_auth step = { slice_cstr(mechanism), true, message };
    l.auth = auth_new(&w->sm, open, &ops, &l);
    auth_start(l.auth, &step);
    world_wait(w, 1);
    if (l.challenge.len) {
        auth_response(l.auth, SLICE(BEARER_LAST));
        world_wait(w, 1);
    }
    auth_free(&l.auth);
    return l;
}

static struct control_open api(void)
{
    return (struct control_open){
        .domain = SLICE(WORLD_DOMAIN), .ip = SLICE("192.0.2.7"), .secure = true, .api = true
    };
}

static struct login by_token(struct world *w, struct slice token)
{
    struct control_open open = api();
    return log_in(w, &open, BEARER, bearer_first_write(w->a, token));
}

static void a_token_logs_in_to_the_api(void **state)
{
    struct world *w = *state;
    add(w, "romeo@example.net");
    assert_int_equal(issue(w, "romeo@example.net", "commands:read", DAY_MS), RC_OK);
    w->sm.api_epoch = 7;
    struct login l = by_token(w, issued);
    assert_true(l.ok && l.grant.token == got_id && l.grant.epoch == 7 && slice_is(l.scopes, "commands:read"));
    assert_true(l.grant.expires_ms > (int64_t)clock_wall_ms());
}

static void a_password_gives_all_scopes(void **state)
{
    struct world *w = *state;
    struct control_open open = api();
    add(w, "romeo@example.net");
    struct login l = log_in(w, &open, "PLAIN", SLICE("\0romeo\0pw"));
    assert_true(l.ok && l.grant.token == 0 && slice_is(l.scopes, SCOPES_ALL));
}

static void it_logs_in_nowhere_else(void **state)
{
    struct world *w = *state;
    struct control_open client = api(), plain = api(), elsewhere = api();
    add(w, "romeo@example.net");
    issue(w, "romeo@example.net", "commands", DAY_MS);
    struct slice first = bearer_first_write(w->a, issued);
    client.api = false;
    struct login l = log_in(w, &client, BEARER, first);
    assert_true(!l.ok && l.cond == SASL_INVALID_MECHANISM);
    client.mechanisms = SLICE("PLAIN " BEARER); /* an edge that says it was offered */
    l = log_in(w, &client, BEARER, first);
    assert_true(!l.ok && l.cond == SASL_INVALID_MECHANISM);
    plain.secure = false;
    l = log_in(w, &plain, BEARER, first);
    assert_true(!l.ok && l.cond == SASL_ENCRYPTION_REQUIRED);
    elsewhere.domain = SLICE("other.example");
    l = log_in(w, &elsewhere, BEARER, first);
    assert_true(!l.ok && l.cond == SASL_NOT_AUTHORIZED);
}

static void the_api_has_no_other_mechanism(void **state)
{
    struct world *w = *state;
    struct control_open open = api();
    static const char *const others[] = { "EXTERNAL", "SCRAM-SHA-256", "HT-SHA-256-NONE", "ANONYMOUS", "" };
    const struct slice jids[] = { SLICE("romeo@example.net") };
    open.cert_jids = jids;
    open.n_cert_jids = 1;
    add(w, "romeo@example.net");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct login l = log_in(w, &open, others[i], SLICE_NONE);
        assert_true(!l.ok && l.cond == SASL_INVALID_MECHANISM);
    }
}

static void wrong_ones_are_told_why(void **state) /* RFC 7628 3.2.2 */
{
    struct world *w = *state;
    struct bearer_token t;
    add(w, "romeo@example.net");
    issue(w, "romeo@example.net", "commands", DAY_MS);
    assert_int_equal(bearer_token_read(w->a, issued, &t), RC_OK);
    t.secret[31] ^= 1;
    struct login l = by_token(w, bearer_token_write(w->a, &t));
    assert_true(!l.ok && l.cond == SASL_NOT_AUTHORIZED && slice_is(l.challenge, BEARER_INVALID));
    t.secret[31] ^= 1;
    t.user = world_jid(w, "nobody@example.net"); /* another's secret under another's name */
    l = by_token(w, bearer_token_write(w->a, &t));
    assert_true(!l.ok && l.cond == SASL_NOT_AUTHORIZED && slice_is(l.challenge, BEARER_INVALID));
    l = by_token(w, SLICE("garbage"));
    assert_true(!l.ok && l.cond == SASL_NOT_AUTHORIZED && slice_is(l.challenge, BEARER_INVALID));
    issue(w, "romeo@example.net", "commands", -1);
    l = by_token(w, issued);
    assert_true(!l.ok && l.cond == SASL_NOT_AUTHORIZED && slice_is(l.challenge, BEARER_INVALID));
}

static void who_asks_for_another_identity_is_refused(void **state)
{
    struct world *w = *state;
    struct control_open open = api();
    add(w, "romeo@example.net");
    add(w, "juliet@example.net");
    issue(w, "romeo@example.net", "commands", DAY_MS);
    struct slice first = arena_fmt(w->a,
                                   "n,a=juliet@example.net,\x01"
                                   "auth=Bearer " SLICE_FMT "\x01\x01",
                                   SLICE_ARG(issued));
    struct login l = log_in(w, &open, BEARER, first);
    assert_true(!l.ok && l.cond == SASL_INVALID_AUTHZID);
}

static void guessing_is_counted_when_it_is_told_not_when_the_client_has_answered(void **state)
{
    struct world *w = *state;
    struct control_open open = api();
    add(w, "romeo@example.net");
    issue(w, "romeo@example.net", "commands", DAY_MS);
    for (unsigned i = 0; i <= w->conf.auth_failures_burst; i++) {
        struct login l = { .w = w };
        const struct control_auth step = { SLICE(BEARER), true, bearer_first_write(w->a, SLICE("bh1.x.y")) };
        l.auth = auth_new(&w->sm, &open, &ops, &l);
        auth_start(l.auth, &step);
        world_wait(w, 1);
        assert_true(l.challenge.len > 0);
        auth_free(&l.auth); /* and goes */
    }
    struct login l = by_token(w, issued);
    assert_true(!l.ok && l.cond == SASL_TEMPORARY_AUTH_FAILURE);
}

static void revoked_and_replaced(void **state)
{
    struct world *w = *state;
    struct jid romeo = world_jid(w, "romeo@example.net"), juliet = world_jid(w, "juliet@example.net");
    add(w, "romeo@example.net");
    add(w, "juliet@example.net");
    issue(w, "romeo@example.net", "commands", DAY_MS);
    struct slice first = issued;
    int64_t id = got_id;
    apitokens_revoke(&w->sm, &juliet, id, on_rc, w);
    world_wait(w, 1);
    assert_int_equal(got, RC_NOTFOUND); /* it is not hers */
    assert_true(by_token(w, first).ok);
    uint64_t before = w->sm.api_epoch;
    apitokens_revoke(&w->sm, &romeo, id, on_rc, w);
    world_wait(w, 1);
    assert_int_equal(got, RC_OK);
    assert_true(w->sm.api_epoch > before);
    assert_false(by_token(w, first).ok);
    issue(w, "romeo@example.net", "commands", DAY_MS);
    assert_true(got_id > id); /* never used twice */
    before = w->sm.api_epoch;
    users_password(&w->sm, &romeo, SLICE("new"), on_changed, w);
    world_wait(w, 1);
    assert_true(w->sm.api_epoch > before);
    assert_false(by_token(w, issued).ok);
    assert_int_equal(count(w, "romeo@example.net"), 0);
    issue(w, "romeo@example.net", "commands", DAY_MS);
    users_remove(&w->sm, &romeo, on_changed, w);
    world_wait(w, 1);
    assert_false(by_token(w, issued).ok);
}

static void an_account_has_so_many(void **state)
{
    struct world *w = *state;
    add(w, "romeo@example.net");
    assert_int_equal(issue(w, "romeo@example.net", "commands", -1),
                     RC_OK); /* makes room when the next comes */
    for (int i = 0; i < 3; i++)
        assert_int_equal(issue(w, "romeo@example.net", "commands", DAY_MS), RC_OK);
    assert_int_equal(issue(w, "romeo@example.net", "commands", DAY_MS), RC_LIMIT);
    assert_int_equal(count(w, "romeo@example.net"), 3);
    assert_int_equal(issue(w, "nobody@example.net", "commands", DAY_MS), RC_LIMIT);
}

static int teardown(void **state)
{
    auth_fini(&((struct world *)*state)->sm);
    return world_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_logs_in_to_the_api),
        TEST(a_password_gives_all_scopes),
        TEST(it_logs_in_nowhere_else),
        TEST(the_api_has_no_other_mechanism),
        TEST(wrong_ones_are_told_why),
        TEST(who_asks_for_another_identity_is_refused),
        TEST(guessing_is_counted_when_it_is_told_not_when_the_client_has_answered),
        TEST(revoked_and_replaced),
        TEST(an_account_has_so_many),
    };
    return cmocka_run_group_tests_name("apitokens", tests, NULL, NULL);
}
