/* sessman/auth_fast.c - logging in with a token (XEP-0484; the HT mechanisms) */
#include "common/base/clock.h"
#include "sessman/anonymous.h"
#include "sessman/auth_inside.h"

enum sasl_fail auth_fast_choose(struct auth *a, enum ht_binding b)
{
    struct attempt *at = a->at;
    if (!a->sm->conf->tokens || !a->open.secure)
        return SASL_INVALID_MECHANISM;
    if (!at->request || !at->request->fast || !at->request->agent.len) /* XEP-0484 3.4, 4.1 */
        return SASL_MALFORMED_REQUEST;
    at->ht = b;
    at->binding = b == HT_EXPR ? a->open.cb.exporter : b == HT_ENDP ? a->open.cb.end_point : SLICE_NONE;
    if (b != HT_NONE && !at->binding.len)
        return SASL_INVALID_MECHANISM;
    at->first = auth_fast_first;
    return SASL_OK;
}

static void on_used(void *ctx, enum rc rc)
{
    struct auth *a = auth_asker(ctx);
    if (!a)
        return;
    if (rc == RC_DENIED)
        auth_answer_fail(a, SASL_NOT_AUTHORIZED, NULL);
    else if (rc != RC_OK)
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
    else
        auth_succeed_by_row(a);
}

/* --- the token --- */

static void on_tokens(void *ctx, enum rc rc, const struct tokens *t)
{
    struct auth *a = auth_asker(ctx);
    enum token_slot slot = TOKEN_USED;
    uint8_t answer[HT_HASH_BYTES];
    if (!a)
        return;
    struct attempt *at = a->at;
    if (rc != RC_OK) {
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
        return;
    }
    const struct token_try try = { at->ht, at->hash, at->binding, at->request->count,
                                   (int64_t)clock_wall_ms() };
    enum sasl_fail fail = tokens_check(at->arena, a->sm->secret, t, &try, &slot);
    if (fail == SASL_OK && t->anonymous && !anonymous_allowed(a->sm, at->user.domain))
        fail = SASL_NOT_AUTHORIZED; /* they are not let in any more */
    if (fail != SASL_OK) {
        auth_answer_fail(a, fail, NULL);
        return;
    }
    a->anonymous = t->anonymous;
    const struct token *it = &t->slot[slot];
    ht_hash(token_text(at->arena, a->sm->secret, it->seed), false, at->binding, answer);
    at->has_data = true;
    at->data = arena_copy(at->arena, slice_of((const char *)answer, sizeof answer));
    a->token = at->ht;
    a->token_due = !at->request->invalidate && tokens_due(a->sm, it, a->anonymous);
    tokens_use(a->sm, &at->user, at->request->agent, it, at->request->count, at->request->invalidate, on_used,
               auth_ask(a));
}

void auth_fast_first(struct auth *a, struct slice message)
{
    struct attempt *at = a->at;
    struct ht_first first;
    enum sasl_fail fail = ht_first_read(message, &first);
    if (fail != SASL_OK) {
        auth_answer_fail(a, fail, NULL);
        return;
    }
    at->hash = arena_copy(at->arena, first.hash);
    if (auth_take_user(a, first.user, SLICE_NONE))
        tokens_get(a->sm, &at->user, at->request->agent, on_tokens, auth_ask(a));
}
