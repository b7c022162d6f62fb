/* test/unit/test_tokens.c - tokens: which are good, when, and what becomes of them in the store (XEP-0484) */
#include "sessman/tokens.h"
#include "common/base/clock.h"
#include "sessman/users.h"
#include "test/unit/sessman_world.h"

#define AGENT SLICE("d4565fa7-4d72-4749-b3d3-740edbf87770")
#define OTHER SLICE("00000000-4d72-4749-b3d3-740edbf87770")
static const uint8_t secret[TOKEN_SECRET_BYTES] = "the secret of the installation";

/* --- pure --- */

static struct token token(uint8_t seed, enum ht_binding binding, int64_t expires_ms, uint32_t counter)
{
    struct token t = { .there = true, .binding = binding, .expires_ms = expires_ms, .counter = counter };
    memset(t.seed, seed, sizeof t.seed);
    return t;
}

static enum sasl_fail try_with(struct arena *a, const struct tokens *t, const struct token *mine,
                               enum ht_binding binding, uint32_t count, int64_t now_ms, enum token_slot *slot)
{
    static const struct slice data[HT_BINDINGS] = { SLICE_INIT(""), SLICE_INIT("exporter"),
                                                    SLICE_INIT("end point") };
    uint8_t hash[HT_HASH_BYTES];
    ht_hash(token_text(a, secret, mine->seed), true, data[binding], hash);
    struct token_try try = { binding, slice_of((const char *)hash, sizeof hash), data[binding], count,
                             now_ms };
    return tokens_check(a, secret, t, &try, slot);
}

static void which_tokens_are_good(void **state)
{
    struct arena *a = arena_new(4096, 0);
    const struct token old = token(1, HT_NONE, 1000, 5), new = token(2, HT_EXPR, 2000, 0),
                       strange = token(3, HT_NONE, 9, 0);
    static const struct token zero = { .there = true };
    const struct tokens both = { .slot = { old, new } }, one = { .slot = { old } }, none = { 0 };
    const struct {
        const struct tokens *t;
        const struct token *mine;
        enum ht_binding binding;
        uint32_t count;
        int64_t now_ms;
        enum sasl_fail want;
        enum token_slot slot;
    } rows[] = {
        { &both, &old, HT_NONE, 0, 999, SASL_OK, TOKEN_USED },
        { &both, &new, HT_EXPR, 0, 999, SASL_OK, TOKEN_GIVEN },
        { &one, &old, HT_NONE, 6, 999, SASL_OK, TOKEN_USED },
        { &one, &old, HT_NONE, 5, 999, SASL_NOT_AUTHORIZED, TOKEN_USED }, /* XEP-0484 3.4 */
        { &one, &old, HT_NONE, 1, 999, SASL_NOT_AUTHORIZED, TOKEN_USED },
        { &one, &old, HT_NONE, 0, 1000, SASL_CREDENTIALS_EXPIRED, TOKEN_USED }, /* XEP-0484 4.2 */
        { &both, &new, HT_EXPR, 0, 1999, SASL_OK, TOKEN_GIVEN },
        { &one, &old, HT_EXPR, 0, 999, SASL_NOT_AUTHORIZED, TOKEN_USED }, /* another mechanism */
        { &both, &new, HT_NONE, 0, 999, SASL_NOT_AUTHORIZED, TOKEN_USED },
        { &both, &new, HT_ENDP, 0, 999, SASL_NOT_AUTHORIZED, TOKEN_USED },
        { &both, &strange, HT_NONE, 0, 0, SASL_NOT_AUTHORIZED, TOKEN_USED },
        { &one, &new, HT_EXPR, 0, 0, SASL_NOT_AUTHORIZED, TOKEN_USED },
        { &none, &old, HT_NONE, 0, 0, SASL_NOT_AUTHORIZED, TOKEN_USED },
        { &none, &zero, HT_NONE, 0, -1, SASL_NOT_AUTHORIZED, TOKEN_USED }, /* what an empty slot would make */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum token_slot slot = TOKEN_USED;
        enum sasl_fail got =
            try_with(a, rows[i].t, rows[i].mine, rows[i].binding, rows[i].count, rows[i].now_ms, &slot);
        if (got != rows[i].want || slot != rows[i].slot)
            fail_msg("row %zu: %s", i, sasl_fail_name(got));
    }
    arena_free(&a);
}

static void tokens_depend_on_seed_and_secret(void **state)
{
    struct arena *a = arena_new(4096, 0);
    uint8_t other[TOKEN_SECRET_BYTES] = { 0 };
    const struct token x = token(1, HT_NONE, 0, 0), y = token(2, HT_NONE, 0, 0);
    (void)state;
    struct slice text = token_text(a, secret, x.seed);
    assert_int_equal(text.len, 88);
    assert_true(slice_eq(text, token_text(a, secret, x.seed)));
    assert_false(slice_eq(text, token_text(a, secret, y.seed)));
    assert_false(slice_eq(text, token_text(a, other, x.seed)));
    arena_free(&a);
}

/* --- rows --- */

struct asking {
    struct world *w;
    enum rc rc;
    struct tokens t;
};

static void on_tokens(void *ctx, enum rc rc, const struct tokens *t)
{
    struct asking *q = ctx;
    q->rc = rc;
    q->t = *t;
    q->w->answers++;
}

static void on_done(void *ctx, enum rc rc)
{
    struct asking *q = ctx;
    q->rc = rc;
    q->w->answers++;
}

static void on_user(void *ctx, enum rc rc, const struct why *why)
{
    (void)why;
    on_done(ctx, rc);
}

static struct tokens stored(struct world *w, const char *user, struct slice agent)
{
    struct asking q = { .w = w };
    struct jid j = world_jid(w, user);
    tokens_get(&w->sm, &j, agent, on_tokens, &q);
    world_wait(w, 1);
    assert_int_equal(q.rc, RC_OK);
    return q.t;
}

static struct slice give(struct world *w, const char *user, struct slice agent)
{
    struct asking q = { .w = w };
    struct jid j = world_jid(w, user);
    struct slice text;
    int64_t expires_ms;
    tokens_give(&w->sm, w->a, &j, false, agent, HT_NONE, &text, &expires_ms, on_done, &q);
    world_wait(w, 1);
    return q.rc == RC_OK ? text : SLICE_NONE;
}

static enum rc use(struct world *w, const char *user, struct slice agent, const struct token *t,
                   uint32_t count, bool forget)
{
    struct asking q = { .w = w };
    struct jid j = world_jid(w, user);
    tokens_use(&w->sm, &j, agent, t, count, forget, on_done, &q);
    world_wait(w, 1);
    return q.rc;
}

static void add(struct world *w, const char *user, const char *password)
{
    struct asking q = { .w = w };
    struct jid j = world_jid(w, user);
    w->conf.token_life_ms = 60000;
    w->conf.tokens_per_account = 3;
    users_create(&w->sm, &j, slice_cstr(password), false, on_user, &q);
    world_wait(w, 1);
    assert_int_equal(q.rc, RC_OK);
}

static void a_new_token_takes_over_with_its_first_use(void **state) /* XEP-0484 3.5 */
{
    struct world *w = *state;
    const char *romeo = "romeo@example.net";
    add(w, romeo, "pw");
    struct slice first = give(w, romeo, AGENT);
    struct tokens t = stored(w, romeo, AGENT);
    assert_true(t.slot[TOKEN_GIVEN].there && !t.slot[TOKEN_USED].there);
    assert_true(slice_eq(token_text(w->a, w->sm.secret, t.slot[TOKEN_GIVEN].seed), first));
    int64_t left = t.slot[TOKEN_GIVEN].expires_ms - (int64_t)clock_wall_ms();
    assert_true(left > 0 && left <= 60000);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 3, false), RC_OK);
    struct tokens in_use = stored(w, romeo, AGENT);
    assert_true(in_use.slot[TOKEN_USED].there && !in_use.slot[TOKEN_GIVEN].there);
    assert_int_equal(in_use.slot[TOKEN_USED].counter, 3);
    give(w, romeo, AGENT); /* lost on its way */
    give(w, romeo, AGENT);
    assert_int_equal(use(w, romeo, AGENT, &in_use.slot[TOKEN_USED], 0, false), RC_OK); /* still good */
    t = stored(w, romeo, AGENT);
    assert_true(t.slot[TOKEN_USED].there && t.slot[TOKEN_GIVEN].there && t.slot[TOKEN_USED].counter == 3);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 0, false), RC_OK);
    assert_int_equal(use(w, romeo, AGENT, &in_use.slot[TOKEN_USED], 0, false), RC_DENIED); /* no longer */
    assert_int_equal(stored(w, romeo, AGENT).slot[TOKEN_USED].counter, 0);
}

static void a_count_is_used_once(void **state) /* XEP-0484 3.4 */
{
    struct world *w = *state;
    const char *romeo = "romeo@example.net";
    struct asking first = { .w = w }, second = { .w = w };
    struct jid j = world_jid(w, romeo);
    add(w, romeo, "pw");
    give(w, romeo, AGENT);
    struct tokens t = stored(w, romeo, AGENT); /* read by both before either has used it */
    tokens_use(&w->sm, &j, AGENT, &t.slot[TOKEN_GIVEN], 7, false, on_done, &first);
    tokens_use(&w->sm, &j, AGENT, &t.slot[TOKEN_GIVEN], 7, false, on_done, &second);
    world_wait(w, 2);
    assert_int_equal(first.rc, RC_OK);
    assert_int_equal(second.rc, RC_DENIED);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 6, false), RC_DENIED);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 8, false), RC_OK);
    assert_int_equal(use(w, romeo, OTHER, &t.slot[TOKEN_GIVEN], 9, false), RC_DENIED); /* another client's */
}

static void a_client_may_give_up_its_tokens(void **state) /* XEP-0484 3.6 */
{
    struct world *w = *state;
    const char *romeo = "romeo@example.net";
    add(w, romeo, "pw");
    give(w, romeo, AGENT);
    give(w, romeo, OTHER);
    struct tokens t = stored(w, romeo, AGENT);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 0, false), RC_OK);
    give(w, romeo, AGENT);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 0, true), RC_OK);
    struct tokens left = stored(w, romeo, AGENT);
    assert_true(!left.slot[TOKEN_USED].there && !left.slot[TOKEN_GIVEN].there);
    assert_true(stored(w, romeo, OTHER).slot[TOKEN_GIVEN].there);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 0, true), RC_DENIED);
}

static void a_new_password_revokes_all_of_the_account(void **state)
{
    struct world *w = *state;
    const char *romeo = "romeo@example.net", *juliet = "juliet@example.net";
    struct jid j = world_jid(w, romeo);
    struct asking q = { .w = w };
    add(w, romeo, "pw");
    add(w, juliet, "pw");
    give(w, romeo, AGENT);
    give(w, romeo, OTHER);
    give(w, juliet, AGENT);
    struct tokens t = stored(w, romeo, AGENT);
    users_password(&w->sm, &j, SLICE("another"), on_user, &q);
    world_wait(w, 1);
    assert_int_equal(q.rc, RC_OK);
    assert_false(stored(w, romeo, AGENT).slot[TOKEN_GIVEN].there);
    assert_false(stored(w, romeo, OTHER).slot[TOKEN_GIVEN].there);
    assert_true(stored(w, juliet, AGENT).slot[TOKEN_GIVEN].there);
    assert_int_equal(use(w, romeo, AGENT, &t.slot[TOKEN_GIVEN], 0, false), RC_DENIED); /* read before */
}

static void clients_with_tokens_are_limited(void **state)
{
    struct world *w = *state;
    const char *romeo = "romeo@example.net";
    char agent[37];
    add(w, romeo, "pw");
    for (unsigned i = 0; i < 5; i++) {
        snprintf(agent, sizeof agent, "%08u-4d72-4749-b3d3-740edbf87770", i);
        w->conf.token_life_ms = 60000 + i * 1000; /* each younger than the last */
        assert_true(give(w, romeo, slice_cstr(agent)).len > 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        snprintf(agent, sizeof agent, "%08u-4d72-4749-b3d3-740edbf87770", i);
        assert_int_equal(stored(w, romeo, slice_cstr(agent)).slot[TOKEN_GIVEN].there, i >= 2);
    }
}

static void nobody_gets_none(void **state)
{
    struct world *w = *state;
    w->conf.token_life_ms = 60000;
    assert_int_equal(give(w, "nobody@example.net", AGENT).len, 0);
    assert_false(stored(w, "nobody@example.net", AGENT).slot[TOKEN_GIVEN].there);
}

static void old_tokens_are_due(void **state)
{
    struct world *w = *state;
    int64_t now = (int64_t)clock_wall_ms();
    w->conf.token_life_ms = 1000000;
    w->conf.token_rotate_ms = 100000;
    struct token young = token(1, HT_NONE, now + 1000000, 0), old = token(1, HT_NONE, now + 900000, 0);
    assert_false(tokens_due(&w->sm, &young, false));
    assert_true(tokens_due(&w->sm, &old, false));
    w->conf.token_rotate_ms = 0;
    assert_true(tokens_due(&w->sm, &young, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_tokens_are_good),
        cmocka_unit_test(tokens_depend_on_seed_and_secret),
        WORLD_TEST(a_new_token_takes_over_with_its_first_use),
        WORLD_TEST(a_count_is_used_once),
        WORLD_TEST(a_client_may_give_up_its_tokens),
        WORLD_TEST(a_new_password_revokes_all_of_the_account),
        WORLD_TEST(clients_with_tokens_are_limited),
        WORLD_TEST(nobody_gets_none),
        WORLD_TEST(old_tokens_are_due),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
