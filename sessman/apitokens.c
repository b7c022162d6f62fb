/* sessman/apitokens.c */
#include "sessman/apitokens.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "sessman/sessman.h"
#include <gnutls/crypto.h>
#include <stdlib.h>

enum { HASH_BYTES = 32, USED_EVERY_MS = 60000 };

static struct slice hash_of(const uint8_t secret[BEARER_SECRET_BYTES], uint8_t out[HASH_BYTES])
{
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, BEARER_SECRET_BYTES, out) < 0)
        abort(); /* for lack of memory alone */
    return slice_of((const char *)out, HASH_BYTES);
}

/* A row of API_TOKEN_GET and API_TOKEN_LIST. */
static struct apitoken read_row(const struct store_value *v)
{
    return (struct apitoken){ v[0].i, v[1].s, v[2].s, v[3].i, v[4].i, v[5].i };
}

/* --- to log in --- */

struct checking {
    struct sessman *sm;
    void (*done)(void *ctx, enum rc rc, const struct apitoken *t);
    void *ctx;
};

static void on_found(void *ctx, const struct store_result *r)
{
    struct checking k = *(struct checking *)ctx;
    int64_t now_ms = (int64_t)clock_wall_ms();
    mem_free(ctx);
    if (r->rc != RC_OK || !r->rows) {
        k.done(k.ctx, r->rc != RC_OK ? r->rc : RC_DENIED, NULL);
        return;
    }
    struct apitoken t = read_row(store_row(r, 0));
    if (t.expires_ms <= now_ms) {
        k.done(k.ctx, RC_DENIED, NULL);
        return;
    }
    store_run(k.sm->store, STMT_API_TOKEN_USED,
              STORE_VALUES(STORE_I(t.id), STORE_I(now_ms), STORE_I(now_ms - USED_EVERY_MS)), NULL, NULL);
    k.done(k.ctx, RC_OK, &t);
}

void apitokens_check(struct sessman *sm, const struct bearer_token *token,
                     void (*done)(void *ctx, enum rc rc, const struct apitoken *t), void *ctx)
{
    uint8_t hash[HASH_BYTES];
    struct checking *k = mem_new(sizeof *k);
    *k = (struct checking){ sm, done, ctx };
    store_run(sm->store, STMT_API_TOKEN_GET,
              STORE_VALUES(STORE_T(token->user.domain), STORE_T(token->user.local),
                           STORE_B(hash_of(token->secret, hash))),
              on_found, k);
}

/* --- made --- */

struct issuing {
    struct sessman *sm;
    void (*done)(void *ctx, enum rc rc, int64_t id);
    void *ctx;
};

static void on_issued(void *ctx, const struct store_result *r)
{
    struct issuing i = *(struct issuing *)ctx;
    mem_free(ctx);
    i.done(i.ctx, r->rc != RC_OK ? r->rc : r->changes ? RC_OK : RC_LIMIT, r->last_id);
}

void apitokens_issue(struct sessman *sm, struct arena *a, const struct jid *user, const struct apitoken *t,
                     struct slice *text, void (*done)(void *ctx, enum rc rc, int64_t id), void *ctx)
{
    struct bearer_token token = { .user = jid_to_bare(user) };
    struct issuing *i = mem_new(sizeof *i);
    uint8_t hash[HASH_BYTES];
    int64_t now_ms = (int64_t)clock_wall_ms();
    *i = (struct issuing){ sm, done, ctx };
    secret_random(token.secret, sizeof token.secret);
    *text = bearer_token_write(a, &token);
    store_run(sm->store, STMT_API_TOKEN_EXPIRE,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_I(now_ms)), NULL, NULL);
    store_run(sm->store, STMT_API_TOKEN_ADD,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_B(hash_of(token.secret, hash)),
                           STORE_T(t->label), STORE_T(t->scopes), STORE_I(now_ms), STORE_I(t->expires_ms),
                           STORE_I(sm->conf->api_tokens_per_account)),
              on_issued, i);
    secret_wipe(&token, sizeof token);
}

/* --- seen and ended --- */

struct listing {
    void (*each)(void *ctx, const struct apitoken *t);
    void (*done)(void *ctx);
    void *ctx;
};

static void on_list(void *ctx, const struct store_result *r)
{
    struct listing l = *(struct listing *)ctx;
    mem_free(ctx);
    for (size_t i = 0; i < r->rows; i++) {
        struct apitoken t = read_row(store_row(r, i));
        l.each(l.ctx, &t);
    }
    l.done(l.ctx);
}

void apitokens_list(struct sessman *sm, const struct jid *user,
                    void (*each)(void *ctx, const struct apitoken *t), void (*done)(void *ctx), void *ctx)
{
    struct listing *l = mem_new(sizeof *l);
    *l = (struct listing){ each, done, ctx };
    store_run(sm->store, STMT_API_TOKEN_LIST,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_I(clock_wall_ms())), on_list,
              l);
}

struct revoking {
    struct sessman *sm;
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};

static void on_revoked(void *ctx, const struct store_result *r)
{
    struct revoking v = *(struct revoking *)ctx;
    mem_free(ctx);
    v.sm->api_epoch++; /* sessions that came by it must come again */
    v.done(v.ctx, r->rc != RC_OK ? r->rc : r->changes ? RC_OK : RC_NOTFOUND);
}

void apitokens_revoke(struct sessman *sm, const struct jid *user, int64_t id,
                      void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct revoking *v = mem_new(sizeof *v);
    *v = (struct revoking){ sm, done, ctx };
    store_run(sm->store, STMT_API_TOKEN_DEL,
              STORE_VALUES(STORE_T(user->domain), STORE_T(user->local), STORE_I(id)), on_revoked, v);
}
