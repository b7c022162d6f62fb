/* sessman/auth_bearer.c - logging in to the HTTP API with a token (OAUTHBEARER, RFC 7628) */
#include "common/base/secret.h"
#include "sessman/apitokens.h"
#include "sessman/auth_inside.h"

static void on_checked(void *ctx, enum rc rc, const struct apitoken *t)
{
    struct auth *a = auth_asker(ctx);
    if (!a)
        return;
    if (rc == RC_DENIED) {
        auth_answer_refused(a, SLICE(BEARER_INVALID));
        return;
    }
    if (rc != RC_OK) {
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
        return;
    }
    a->grant.token = t->id;
    a->grant.scopes = arena_copy(a->at->arena, t->scopes);
    a->grant.expires_ms = t->expires_ms;
    auth_succeed_by_row(a);
}

void auth_bearer_first(struct auth *a, struct slice message)
{
    struct attempt *at = a->at;
    struct bearer_first first;
    struct bearer_token token;
    enum sasl_fail fail = bearer_first_read(at->arena, arena_copy(at->arena, message), &first);
    if (fail != SASL_OK) {
        auth_answer_fail(a, fail, NULL);
        return;
    }
    if (bearer_token_read(at->arena, first.token, &token) != RC_OK ||
        !slice_eq(token.user.domain, a->open.domain)) {
        auth_answer_refused(a, SLICE(BEARER_INVALID));
        return;
    }
    if (auth_take_user(a, token.user.local, first.authzid))
        apitokens_check(a->sm, &token, on_checked, auth_ask(a));
    secret_wipe(&token, sizeof token);
}
