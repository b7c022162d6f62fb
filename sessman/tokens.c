/* sessman/tokens.c */
#include "sessman/tokens.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "sessman/sessman.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

/* --- pure --- */

struct slice token_text(struct arena *a, const uint8_t secret[TOKEN_SECRET_BYTES],
                        const uint8_t seed[TOKEN_SEED_BYTES])
{
    uint8_t message[1 + TOKEN_SEED_BYTES] = { 't' }; /* what else is made from the secret begins otherwise */
    uint8_t out[64];
    memcpy(message + 1, seed, TOKEN_SEED_BYTES);
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA512, secret, TOKEN_SECRET_BYTES, message, sizeof message, out) < 0)
        abort(); /* for lack of memory alone */
    struct slice text = base64_encode(a, slice_of((const char *)out, sizeof out));
    secret_wipe(out, sizeof out);
    return text;
}

static bool matches(struct arena *a, const uint8_t secret[TOKEN_SECRET_BYTES], const struct token *t,
                    const struct token_try *try)
{
    uint8_t want[HT_HASH_BYTES];
    ht_hash(token_text(a, secret, t->seed), true, try->data, want);
    bool same = secret_eq(slice_of((const char *)want, sizeof want), try->hash);
    return same && t->there && t->binding == try->binding;
}

enum sasl_fail tokens_check(struct arena *a, const uint8_t secret[TOKEN_SECRET_BYTES], const struct tokens *t,
                            const struct token_try *try, enum token_slot *slot)
{
    bool used = matches(a, secret, &t->slot[TOKEN_USED], try);
    bool given = matches(a, secret, &t->slot[TOKEN_GIVEN], try);
    if (!used && !given)
        return SASL_NOT_AUTHORIZED;
    *slot = given ? TOKEN_GIVEN : TOKEN_USED;
    const struct token *it = &t->slot[*slot];
    if (it->expires_ms <= try->now_ms)
        return SASL_CREDENTIALS_EXPIRED;
    if (try->count && try->count <= it->counter) /* XEP-0484 3.4: a replay */
        return SASL_NOT_AUTHORIZED;
    return SASL_OK;
}

/* --- rows --- */

struct getting {
    void (*done)(void *ctx, enum rc rc, const struct tokens *t);
    void *ctx;
};

/* Rows of TOKEN_GET; one that is not what we write is as good as none. */
static void on_rows(void *ctx, const struct store_result *r)
{
    struct getting *g = ctx;
    struct tokens tokens = { 0 };
    for (size_t i = 0; i < r->rows; i++) {
        const struct store_value *v = store_row(r, i);
        if (v[0].i < 0 || v[0].i >= TOKEN_SLOTS || v[2].s.len != TOKEN_SEED_BYTES || v[4].i < 0 ||
            v[4].i > UINT32_MAX)
            continue;
        struct token *t = &tokens.slot[v[0].i];
        tokens.anonymous = v[5].i != 0;
        t->there = ht_parse_name(v[1].s, &t->binding);
        memcpy(t->seed, v[2].s.p, TOKEN_SEED_BYTES);
        t->expires_ms = v[3].i;
        t->counter = (uint32_t)v[4].i;
    }
    g->done(g->ctx, r->rc, &tokens);
    secret_wipe(&tokens, sizeof tokens);
    mem_free(g);
}

void tokens_get(struct sessman *sm, const struct jid *user, struct slice agent,
                void (*done)(void *ctx, enum rc rc, const struct tokens *t), void *ctx)
{
    struct getting *g = mem_new(sizeof *g);
    *g = (struct getting){ done, ctx };
    store_run(sm->store, STMT_TOKEN_GET,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_T(agent)), on_rows, g);
}

static struct slice seed_of(const struct token *t)
{
    return slice_of((const char *)t->seed, TOKEN_SEED_BYTES);
}

struct using
{
    struct sessman *sm;
    struct arena *a;
    struct jid user;
    struct slice agent;
    bool forget;
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};

static void used(struct using *u, enum rc rc)
{
    void (*done)(void *ctx, enum rc rc) = u->done;
    void *ctx = u->ctx;
    arena_free(&u->a);
    mem_free(u);
    done(ctx, rc);
}

static void on_forgotten(void *ctx, const struct store_result *r)
{
    used(ctx, r->rc);
}

static void on_used(void *ctx, const struct store_result *r)
{
    struct using *u = ctx;
    if (r->rc != RC_OK || !r->changes)
        used(u, r->rc == RC_OK ? RC_DENIED : r->rc);
    else if (u->forget)
        store_run(u->sm->store, STMT_TOKEN_DROP,
                  STORE_VALUES(STORE_T(u->user.domain), STORE_T(u->user.local), STORE_T(u->agent)),
                  on_forgotten, u);
    else
        used(u, RC_OK);
}

void tokens_use(struct sessman *sm, const struct jid *user, struct slice agent, const struct token *t,
                uint32_t count, bool forget, void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct using *u = mem_new(sizeof *u);
    u->sm = sm;
    u->a = arena_new(512, 0);
    u->user = jid_copy(u->a, user);
    u->agent = arena_copy(u->a, agent);
    u->forget = forget;
    u->done = done;
    u->ctx = ctx;
    /* XEP-0484 3.5: with its first use those before it are over. Nothing happens here when it is in use
     * already. */
    const struct store_value who[] = { STORE_T(user->domain), STORE_T(user->local), STORE_T(agent),
                                       STORE_B(seed_of(t)) };
    store_run(sm->store, STMT_TOKEN_REPLACED, who, 4, NULL, NULL);
    store_run(sm->store, STMT_TOKEN_TAKEN, who, 4, NULL, NULL);
    store_run(sm->store, STMT_TOKEN_USE, STORE_VALUES(who[0], who[1], who[2], who[3], STORE_I(count)),
              on_used, u);
}

struct giving {
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};

static void on_given(void *ctx, const struct store_result *r)
{
    struct giving g = *(struct giving *)ctx;
    mem_free(ctx);
    g.done(g.ctx, r->rc != RC_OK ? r->rc : r->changes ? RC_OK : RC_NOTFOUND);
}

static uint32_t life_ms(const struct sessman *sm, bool anonymous)
{
    return anonymous ? sm->conf->anonymous_token_ms : sm->conf->token_life_ms;
}

void tokens_give(struct sessman *sm, struct arena *a, const struct jid *user, bool anonymous,
                 struct slice agent, enum ht_binding binding, struct slice *text, int64_t *expires_ms,
                 void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct giving *g = mem_new(sizeof *g);
    struct token t = { .binding = binding };
    *g = (struct giving){ done, ctx };
    secret_random(t.seed, sizeof t.seed);
    *text = token_text(a, sm->secret, t.seed);
    *expires_ms = (int64_t)clock_wall_ms() + life_ms(sm, anonymous);
    uint32_t most = sm->conf->tokens_per_account;
    store_run(sm->store, STMT_TOKEN_GIVE,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_T(agent),
                           STORE_T(slice_cstr(ht_name(binding))), STORE_B(seed_of(&t)), STORE_I(*expires_ms)),
              on_given, g);
    store_run(sm->store, STMT_TOKEN_TRIM,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_I(most)), NULL, NULL);
    secret_wipe(&t, sizeof t);
}

bool tokens_due(const struct sessman *sm, const struct token *t, bool anonymous)
{
    int64_t given_ms = t->expires_ms - (int64_t)life_ms(sm, anonymous);
    uint32_t rotate_ms = anonymous ? life_ms(sm, true) / 4 : sm->conf->token_rotate_ms;
    return (int64_t)clock_wall_ms() - given_ms >= (int64_t)rotate_ms;
}
