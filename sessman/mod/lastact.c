/* sessman/mod/lastact.c - last activity (XEP-0012): how long an account has been away, how long the server
 * runs
 *
 * What counts is an option ([last_activity] counts): that the account's presence ends, which is what the
 * specification asks for, messages that it sends, or both. It is written when the last resource becomes
 * unavailable (lazy), or whenever something counts (always). */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/module.h"
#include "sessman/session.h"

#define STATUS_MAX 1024 /* bytes that are kept */

static bool counts(const struct sessman *sm, enum last_counts what)
{
    return sm->conf->last_counts == LAST_BOTH || sm->conf->last_counts == (int)what;
}

/* --- told --- */

static void answer(struct incoming *in, int64_t ms, struct slice status)
{
    struct node *query = node_new(in->a, "query", NS_LAST);
    node_set(in->a, query, "seconds", arena_fmt(in->a, "%lld", (long long)(ms > 0 ? ms / 1000 : 0)));
    if (status.len)
        node_add_text(in->a, query, status);
    in_result(in, query);
}

/* XEP-0012 5. */
static enum handled on_domain(struct incoming *in)
{
    answer(in, (int64_t)(clock_mono_ms() - in->sm->started_ms), SLICE_NONE);
    return HANDLED;
}

/* XEP-0012 8: who may not see its presence learns nothing, nor whether there is such an account. */
static bool may_know(const struct incoming *in)
{
    const struct account *a = in->target;
    struct slice from = jid_bare(&in->st.from);
    return a && in->st.has_from &&
           (slice_eq(from, account_bare(a)) || (roster_state(&a->roster, from) & SUB_FROM));
}

static bool is_available(const struct account *a, const struct session *but)
{
    LIST_EACH(&a->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (s != but && s->available)
            return true;
    }
    return false;
}

static void on_row(void *ctx, const struct store_result *r)
{
    struct incoming *in = ctx;
    const struct store_value *v = r->rows ? store_row(r, 0) : NULL;
    int64_t at = v && v[0].type == STORE_INT ? v[0].i : 0;
    if (in->target->last_ms > at) /* not written yet */
        at = in->target->last_ms;
    if (at)
        answer(in, clock_wall_ms() - at, v ? arena_copy(in->a, v[1].s) : SLICE_NONE);
    else
        in_error(in, COND_ITEM_NOT_FOUND, "it has not been here yet");
    in_done(in);
}

/* XEP-0012 3. A resource that is connected and not available is nobody's business: the account counts as
 * away. */
static enum handled on_account(struct incoming *in)
{
    if (!may_know(in)) {
        in_error(in, COND_FORBIDDEN, NULL);
        return HANDLED;
    }
    if (is_available(in->target, NULL)) {
        answer(in, 0, SLICE_NONE);
        return HANDLED;
    }
    in_hold(in);
    store_run(in->sm->store, STMT_LAST_GET, STORE_VALUES(STORE_I(in->target->id)), on_row, in);
    return HANDLED;
}

/* XEP-0012 4: it answers by itself, when it is asked by somebody who may. */
static enum handled on_resource(struct incoming *in)
{
    if (may_know(in))
        return PASS;
    in_error(in, COND_FORBIDDEN, NULL);
    return HANDLED;
}

/* --- noted --- */

/* The presence of one of its sessions ends. */
static void away(struct sessman *sm, struct account *a, const struct session *s, struct slice status)
{
    bool last = !is_available(a, s);
    if (counts(sm, LAST_PRESENCE))
        a->last_ms = clock_wall_ms();
    if (!last && !sm->conf->last_always)
        return;
    store_run(sm->store, STMT_LAST_SET,
              STORE_VALUES(STORE_I(a->id), a->last_ms ? STORE_I(a->last_ms) : STORE_N,
                           status.len ? STORE_T(slice_utf8_cut(status, STATUS_MAX)) : STORE_N),
              NULL, NULL);
    a->last_ms = 0;
}

static void seen(struct sessman *sm, struct account *a)
{
    a->last_ms = clock_wall_ms();
    if (!sm->conf->last_always)
        return;
    store_run(sm->store, STMT_LAST_TOUCH, STORE_VALUES(STORE_I(a->id), STORE_I(a->last_ms)), NULL, NULL);
    a->last_ms = 0;
}

static enum handled on_presence(struct incoming *in)
{
    struct session *s = in->session;
    if (!s)
        return PASS;
    if (in->st.type == PRESENCE_UNAVAILABLE && s->available)
        away(in->sm, s->account, s, node_child_text(in->a, in->st.node, "status", NS_CLIENT));
    else if (in->st.type == PRESENCE_AVAILABLE && in->sm->conf->last_always && counts(in->sm, LAST_PRESENCE))
        seen(in->sm, s->account);
    return PASS;
}

static void on_end(struct sessman *sm, struct session *s)
{
    if (s->available)
        away(sm, s->account, s, SLICE_NONE);
}

/* What a person says, not what his client does by itself. */
static enum handled on_message(struct incoming *in)
{
    if (in->session && counts(in->sm, LAST_MESSAGE) && node_find(in->st.node, "body", NS_CLIENT))
        seen(in->sm, in->session->account);
    return PASS;
}

#define ANYBODY (TO_DOMAIN | TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE | TO_ELSEWHERE)
static const struct handler handlers[] = {
    { ON_IQ_GET, NS_LAST, "query", TO_DOMAIN, on_domain },
    { ON_IQ_GET, NS_LAST, "query", TO_OWN_ACCOUNT | TO_ACCOUNT, on_account },
    { ON_IQ_GET, NS_LAST, "query", TO_RESOURCE, on_resource },
    { ON_PRESENCE_OUT, NULL, NULL, TO_NOBODY, on_presence },
    { ON_MESSAGE_OUT, NULL, NULL, ANYBODY, on_message },
    { 0 },
};
static const char *const features[] = { NS_LAST, NULL };
const struct module mod_lastact = {
    .name = "lastact",
    .spec = "XEP-0012 2.0",
    .features = features,
    .account_features = features,
    .handlers = handlers,
    .session_end = on_end,
};
