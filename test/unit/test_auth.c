/* test/unit/test_auth.c */
#include "sessman/auth.h"
#include "sessman/users.h"
#include "test/unit/sessman_world.h"

enum outcome { NONE, CHALLENGE, SUCCESS, FAILURE };
struct edge {
    struct world *w;
    struct auth *auth;
    struct control_open open;
    enum outcome last;
    enum sasl_fail cond;
    struct slice data;
    struct jid user;
    bool has_data;
};

static void on_challenge(void *owner, struct slice data)
{
    struct edge *e = owner;
    e->last = CHALLENGE;
    e->data = arena_copy(e->w->a, data);
    e->w->answers++;
}

static void on_success(void *owner, const struct jid *user, bool has_data, struct slice data)
{
    struct edge *e = owner;
    e->last = SUCCESS;
    e->user = jid_copy(e->w->a, user);
    e->has_data = has_data;
    e->data = arena_copy(e->w->a, data);
    e->w->answers++;
}

static void on_failure(void *owner, enum sasl_fail cond, const char *text)
{
    struct edge *e = owner;
    (void)text;
    e->last = FAILURE;
    e->cond = cond;
    e->w->answers++;
}

static const struct auth_ops ops = { on_challenge, on_success, on_failure };

static struct control_open usual(void)
{
    return (struct control_open){ .domain = SLICE(WORLD_DOMAIN), .ip = SLICE("192.0.2.7"), .secure = true };
}

static struct edge edge_new(struct world *w, const struct control_open *open)
{
    return (struct edge){ .w = w, .open = *open };
}

/* One step and its answer, which never comes inside the call. */
static enum outcome step(struct edge *e, const char *mechanism, bool initial, struct slice data)
{
    struct control_auth s = { slice_cstr(mechanism), initial, data };
    if (!e->auth)
        e->auth = auth_new(&e->w->sm, &e->open, &ops, e);
    e->last = NONE;
    if (mechanism)
        auth_start(e->auth, &s);
    else
        auth_response(e->auth, data);
    assert_int_equal(e->last, NONE);
    world_wait(e->w, 1);
    return e->last;
}

static void on_created(void *ctx, enum rc rc, const struct why *why)
{
    (void)why;
    assert_int_equal(rc, RC_OK);
    ((struct world *)ctx)->answers++;
}

static void add(struct world *w, const char *jid, const char *password)
{
    struct jid j = world_jid(w, jid);
    users_create(&w->sm, &j, slice_cstr(password), false, on_created, w);
    world_wait(w, 1);
}

static enum outcome plain(struct edge *e, struct slice message)
{
    return step(e, "PLAIN", true, message);
}

static enum sasl_fail plain_cond(struct world *w, struct slice message)
{
    struct control_open open = usual();
    open.trusted_plain = true; /* rates do not bind */
    struct edge e = edge_new(w, &open);
    enum outcome out = plain(&e, message);
    auth_free(&e.auth);
    return out == SUCCESS ? SASL_OK : e.cond;
}

/* --- PLAIN --- */

static void plain_lets_in_who_has_the_password(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    add(w, "romeo@example.net", "wherefore");
    assert_int_equal(plain(&e, SLICE("\0romeo\0wrong")), FAILURE);
    assert_int_equal(e.cond, SASL_NOT_AUTHORIZED);
    assert_int_equal(plain(&e, SLICE("\0ROMEO\0wherefore")),
                     SUCCESS); /* RFC 7622 3.3: the name is prepared */
    assert_true(slice_is(e.user.full, "romeo@example.net"));
    assert_false(e.has_data);
    auth_free(&e.auth);
}

static void plain_refuses(void **state)
{
    struct world *w = *state;
    add(w, "romeo@example.net", "pw");
    add(w, "juliet@example.net", "pw");
    assert_int_equal(plain_cond(w, SLICE("\0romeo\0pw")), SASL_OK);
    assert_int_equal(plain_cond(w, SLICE("romeo@example.net\0romeo\0pw")), SASL_OK);
    assert_int_equal(plain_cond(w, SLICE("juliet@example.net\0romeo\0pw")),
                     SASL_INVALID_AUTHZID); /* RFC 6120 6.3.8 */
    assert_int_equal(plain_cond(w, SLICE("romeo@example.net/x\0romeo\0pw")), SASL_INVALID_AUTHZID);
    assert_int_equal(plain_cond(w, SLICE("romeo@other.example\0romeo\0pw")), SASL_INVALID_AUTHZID);
    assert_int_equal(plain_cond(w, SLICE("\0nobody\0pw")), SASL_NOT_AUTHORIZED);
    assert_int_equal(plain_cond(w, SLICE("\0romeo@example.net\0pw")), SASL_NOT_AUTHORIZED);
    assert_int_equal(plain_cond(w, SLICE("\0romeo\0")), SASL_MALFORMED_REQUEST);
    assert_int_equal(plain_cond(w, SLICE("romeo pw")), SASL_MALFORMED_REQUEST);
    assert_int_equal(plain_cond(w, SLICE("\0ro\0meo\0pw")), SASL_MALFORMED_REQUEST);
}

static void plain_without_tls_is_refused_whoever_asks(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    open.secure = false;
    struct edge e = edge_new(w, &open);
    assert_int_equal(plain(&e, SLICE("\0romeo\0pw")), FAILURE);
    assert_int_equal(e.cond, SASL_ENCRYPTION_REQUIRED);
    auth_free(&e.auth);
}

static void initial_response_may_come_later(void **state) /* RFC 6120 6.4.2 */
{
    struct world *w = *state;
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    add(w, "romeo@example.net", "pw");
    assert_int_equal(step(&e, "PLAIN", false, SLICE_NONE), CHALLENGE);
    assert_int_equal(e.data.len, 0);
    assert_int_equal(step(&e, NULL, false, SLICE("\0romeo\0pw")), SUCCESS);
    auth_free(&e.auth);
}

/* --- SCRAM --- */

static enum outcome scram(struct edge *e, const char *user, const char *password, enum scram_hash h,
                          bool plus)
{
    struct scram_client c = { 0 };
    struct arena *a = e->w->a;
    struct slice out;
    struct slice first =
        scram_client_first(a, &c, h, plus ? &e->open.cb : NULL, slice_cstr(user), secret_token(a, 18));
    if (step(e, scram_name(h, plus), true, first) != CHALLENGE)
        return e->last;
    assert_int_equal(scram_client_final(a, &c, slice_cstr(password), e->data, &out, NULL), RC_OK);
    if (step(e, NULL, false, out) == SUCCESS)
        assert_int_equal(scram_client_verify(a, &c, e->data), RC_OK);
    return e->last;
}

static void scram_with_every_hash(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    add(w, "romeo@example.net", "wherefore");
    for (int h = 0; h < SCRAM_HASHES; h++) {
        struct edge e = edge_new(w, &open);
        assert_int_equal(scram(&e, "romeo", "wherefore", (enum scram_hash)h, false), SUCCESS);
        assert_true(slice_is(e.user.full, "romeo@example.net"));
        auth_free(&e.auth);
        e = edge_new(w, &open);
        assert_int_equal(scram(&e, "romeo", "wrong", (enum scram_hash)h, false), FAILURE);
        assert_int_equal(e.cond, SASL_NOT_AUTHORIZED);
        auth_free(&e.auth);
    }
}

static void scram_plus_is_bound_to_the_channel(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    add(w, "romeo@example.net", "wherefore");
    open.offered_plus = true;
    open.cb.exporter = SLICE("0123456789abcdef0123456789abcdef");
    struct edge e = edge_new(w, &open);
    assert_int_equal(scram(&e, "romeo", "wherefore", SCRAM_SHA256, true), SUCCESS);
    auth_free(&e.auth);
    e = edge_new(w, &open);
    struct slice theirs = SLICE("another channel, someone between");
    e.auth = auth_new(&w->sm, &open, &ops, &e);
    e.open.cb.exporter = theirs; /* what the client believes; the auth has the edge's */
    assert_int_equal(scram(&e, "romeo", "wherefore", SCRAM_SHA256, true), FAILURE);
    auth_free(&e.auth);
}

static struct slice salt_of(struct edge *e, const char *user)
{
    struct slice rest, part, first = arena_fmt(e->w->a, "n,,n=%s,r=abcdefghijklmnop", user);
    assert_int_equal(step(e, "SCRAM-SHA-256", true, first), CHALLENGE);
    rest = e->data;
    while (slice_split(&rest, ',', &part))
        if (slice_starts(part, SLICE("s=")))
            return part;
    fail_msg("no salt");
    return SLICE_NONE;
}

static struct slice fresh_salt(struct world *w, const char *user)
{
    struct control_open open = usual();
    open.trusted_plain = true;
    struct edge e = edge_new(w, &open);
    struct slice s = salt_of(&e, user);
    auth_free(&e.auth);
    return s;
}

static void unknown_users_get_the_same_salt_every_time(void **state)
{
    struct world *w = *state;
    add(w, "romeo@example.net", "x");
    struct slice one = fresh_salt(w, "nobody"), two = fresh_salt(w, "NoBody"),
                 other = fresh_salt(w, "nobody2"), real = fresh_salt(w, "romeo");
    assert_true(slice_eq(one, two));
    assert_false(slice_eq(one, other));
    assert_int_equal(one.len, real.len);
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    assert_int_equal(scram(&e, "nobody", "x", SCRAM_SHA256, false), FAILURE);
    assert_int_equal(e.cond, SASL_NOT_AUTHORIZED);
    auth_free(&e.auth);
}

static void downgrade_protection_covers_what_was_offered(void **state) /* XEP-0474 4, its example */
{
    struct world *w = *state;
    struct control_open open = usual();
    open.mechanisms = SLICE("SCRAM-SHA-1 SCRAM-SHA-1-PLUS");
    open.bindings = SLICE("tls-server-end-point tls-exporter");
    struct edge e = edge_new(w, &open);
    assert_int_equal(step(&e, "SCRAM-SHA-1", true, SLICE("n,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6")),
                     CHALLENGE);
    struct slice tail = slice_from(e.data, e.data.len - 31);
    assert_true(slice_is(tail, ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08="));
    auth_free(&e.auth);
}

/* --- EXTERNAL (XEP-0178 3) --- */

static enum sasl_fail external(struct world *w, const char *jids, struct slice authzid)
{
    struct control_open open = usual();
    struct slice list[4], rest = slice_cstr(jids);
    while (slice_split(&rest, ' ', &list[open.n_cert_jids]))
        open.n_cert_jids++;
    open.cert_jids = list;
    open.trusted_plain = true;
    struct edge e = edge_new(w, &open);
    enum outcome out = step(&e, "EXTERNAL", true, authzid);
    auth_free(&e.auth);
    return out == SUCCESS ? SASL_OK : e.cond;
}

static void external_takes_an_account_of_the_certificate(void **state)
{
    struct world *w = *state;
    add(w, "romeo@example.net", "x");
    add(w, "juliet@example.net", "x");
    assert_int_equal(external(w, "romeo@example.net", SLICE_NONE), SASL_OK);
    assert_int_equal(external(w, "romeo@example.net", SLICE("romeo@example.net")), SASL_OK);
    assert_int_equal(external(w, "romeo@example.net juliet@example.net", SLICE("juliet@example.net")),
                     SASL_OK);
    assert_int_equal(external(w, "romeo@other.example romeo@example.net", SLICE_NONE), SASL_OK);
    assert_int_equal(external(w, "romeo@example.net juliet@example.net", SLICE_NONE), SASL_NOT_AUTHORIZED);
    assert_int_equal(external(w, "romeo@example.net", SLICE("juliet@example.net")), SASL_INVALID_AUTHZID);
    assert_int_equal(external(w, "nobody@example.net", SLICE_NONE), SASL_NOT_AUTHORIZED);
    assert_int_equal(external(w, "romeo@other.example", SLICE_NONE), SASL_NOT_AUTHORIZED);
    assert_int_equal(external(w, "", SLICE_NONE), SASL_INVALID_MECHANISM);
}

/* --- order of steps --- */

static void mechanisms_not_offered_are_invalid(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    static const char *const bad[] = { "ANONYMOUS", "DIGEST-MD5", "SCRAM-MD5", "", "plain", "EXTERNAL" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(step(&e, bad[i], true, SLICE("x")), FAILURE);
        assert_int_equal(e.cond, SASL_INVALID_MECHANISM);
    }
    auth_free(&e.auth);
    open.mechanisms = SLICE("SCRAM-SHA-1");
    e = edge_new(w, &open);
    assert_int_equal(plain(&e, SLICE("\0romeo\0pw")), FAILURE);
    assert_int_equal(e.cond, SASL_INVALID_MECHANISM);
    auth_free(&e.auth);
}

static void steps_out_of_order_fail_and_another_attempt_may_follow(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    add(w, "romeo@example.net", "pw");
    assert_int_equal(step(&e, NULL, false, SLICE("c=biws")), FAILURE);
    assert_int_equal(e.cond, SASL_MALFORMED_REQUEST);
    salt_of(&e, "romeo");
    assert_int_equal(plain(&e, SLICE("\0romeo\0pw")), FAILURE); /* in the middle of another */
    assert_int_equal(e.cond, SASL_MALFORMED_REQUEST);
    salt_of(&e, "romeo");
    assert_int_equal(step(&e, NULL, false, SLICE("c=biws,r=forged,p=AAAA")), FAILURE);
    assert_int_equal(plain(&e, SLICE("\0romeo\0pw")), SUCCESS);
    auth_free(&e.auth);
}

static void an_abort_ends_the_attempt(void **state) /* RFC 6120 6.4.4 */
{
    struct world *w = *state;
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    add(w, "romeo@example.net", "pw");
    salt_of(&e, "romeo");
    auth_abort(e.auth);
    world_wait(w, 1);
    assert_int_equal(e.last, FAILURE);
    assert_int_equal(e.cond, SASL_ABORTED);
    assert_int_equal(plain(&e, SLICE("\0romeo\0pw")), SUCCESS);
    auth_free(&e.auth);
}

static void one_that_is_freed_while_working_hears_nothing(void **state)
{
    struct world *w = *state;
    struct control_open open = usual();
    struct edge e = edge_new(w, &open);
    struct control_auth s = { SLICE("PLAIN"), true, SLICE("\0romeo\0pw") };
    add(w, "romeo@example.net", "pw");
    e.auth = auth_new(&w->sm, &e.open, &ops, &e);
    auth_start(e.auth, &s);
    auth_free(&e.auth);
    struct edge other = edge_new(w, &open); /* its answer comes after the one that nobody hears */
    assert_int_equal(plain(&other, SLICE("\0romeo\0pw")), SUCCESS);
    assert_int_equal(e.last, NONE);
    auth_free(&other.auth);
}

/* --- rates --- */

static enum sasl_fail guess(struct world *w, const char *ip, const char *user)
{
    struct control_open open = usual();
    open.ip = slice_cstr(ip);
    struct edge e = edge_new(w, &open);
    struct slice m = arena_fmt(w->a, "%c%s%cguess", 0, user, 0);
    enum outcome out = plain(&e, m);
    auth_free(&e.auth);
    return out == SUCCESS ? SASL_OK : e.cond;
}

static void guessing_from_one_address_is_stopped_and_others_are_not(void **state)
{
    struct world *w = *state;
    add(w, "romeo@example.net", "guess");
    for (unsigned i = 0; i < w->conf.auth_failures_burst; i++)
        assert_int_equal(guess(w, "192.0.2.1", "nobody"), SASL_NOT_AUTHORIZED);
    assert_int_equal(guess(w, "192.0.2.1", "nobody"), SASL_NOT_AUTHORIZED); /* this one overdraws */
    assert_int_equal(guess(w, "192.0.2.1", "romeo"), SASL_TEMPORARY_AUTH_FAILURE);
    assert_int_equal(guess(w, "192.0.2.2", "romeo"), SASL_OK);
    assert_int_equal(guess(w, "2001:db8::1", "romeo"), SASL_OK);
    auth_fini(&w->sm);
}

static void guessing_at_one_account_from_everywhere_is_stopped(void **state)
{
    struct world *w = *state;
    char ip[32];
    unsigned most = 10 * w->conf.auth_failures_burst;
    for (unsigned i = 0; i <= most; i++) {
        snprintf(ip, sizeof ip, "198.51.100.%u", i);
        assert_int_equal(guess(w, ip, "nobody"), SASL_NOT_AUTHORIZED);
    }
    assert_int_equal(guess(w, "198.51.100.250", "nobody"), SASL_TEMPORARY_AUTH_FAILURE);
    assert_int_equal(guess(w, "198.51.100.251", "somebody"), SASL_NOT_AUTHORIZED);
    auth_fini(&w->sm);
}

static void only_who_has_the_password_is_told_that_the_account_is_disabled(void **state) /* RFC 6120 6.5.1 */
{
    struct world *w = *state;
    struct jid romeo = world_jid(w, "romeo@example.net");
    add(w, "romeo@example.net", "pw");
    add(w, "juliet@example.net", "pw");
    users_disable(&w->sm, &romeo, true, on_created, w);
    world_wait(w, 1);
    assert_true(w->sm.disabled_any);
    assert_int_equal(plain_cond(w, SLICE("\0romeo\0pw")), SASL_ACCOUNT_DISABLED);
    assert_int_equal(plain_cond(w, SLICE("\0romeo\0wrong")), SASL_NOT_AUTHORIZED);
    assert_int_equal(plain_cond(w, SLICE("\0nobody\0pw")), SASL_NOT_AUTHORIZED);
    assert_int_equal(plain_cond(w, SLICE("\0juliet\0pw")), SASL_OK);
    users_disable(&w->sm, &romeo, false, on_created, w);
    world_wait(w, 1);
    assert_int_equal(plain_cond(w, SLICE("\0romeo\0pw")), SASL_OK);
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
        TEST(plain_lets_in_who_has_the_password),
        TEST(plain_refuses),
        TEST(plain_without_tls_is_refused_whoever_asks),
        TEST(initial_response_may_come_later),
        TEST(scram_with_every_hash),
        TEST(scram_plus_is_bound_to_the_channel),
        TEST(unknown_users_get_the_same_salt_every_time),
        TEST(downgrade_protection_covers_what_was_offered),
        TEST(external_takes_an_account_of_the_certificate),
        TEST(mechanisms_not_offered_are_invalid),
        TEST(steps_out_of_order_fail_and_another_attempt_may_follow),
        TEST(an_abort_ends_the_attempt),
        TEST(one_that_is_freed_while_working_hears_nothing),
        TEST(guessing_from_one_address_is_stopped_and_others_are_not),
        TEST(guessing_at_one_account_from_everywhere_is_stopped),
        TEST(only_who_has_the_password_is_told_that_the_account_is_disabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
