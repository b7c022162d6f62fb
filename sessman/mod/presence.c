/* sessman/mod/presence.c - available, unavailable, directed presence, probes (RFC 6121 4) */
#include "common/base/mem.h"
#include "common/xmpp/xmlout.h"
#include "common/base/limits.h"
#include "sessman/account.h"
#include "sessman/directed.h"
#include "sessman/journal.h"
#include "sessman/module.h"
#include "sessman/presence.h"
#include "sessman/restore.h"
#include "sessman/session.h"

#define PRESENCE_MAX 16384 /* bytes of a presence that is kept and shown to contacts */

/* Unavailable to all of them: the session's presence has ended. */
static void directed_end(struct sessman *sm, uint64_t ticket, struct session *s)
{
    struct directed *d = s->directed;
    s->directed = NULL;
    for (size_t i = 0; d && i < d->n; i++) {
        struct arena *a = arena_take(sm->arenas);
        struct node *n = presence_unavailable(a, s);
        node_set(a, n, "to", slice_cstr(d->jids[i]));
        dispatch_stanza(sm, n, ticket);
        arena_give(sm->arenas, &a);
    }
    directed_free(&d);
}

/* RFC 6121 4.7.2.3. False: not a priority. */
static bool priority_read(struct incoming *in, int8_t *out)
{
    const struct node *p = node_find(in->st.node, "priority", NS_CLIENT);
    int64_t n = 0;
    if (p && slice_i64(slice_trim(node_text(in->a, p)), PRIORITY_MIN, PRIORITY_MAX, &n) != RC_OK)
        return false;
    *out = (int8_t)n;
    return true;
}

/* False: larger than what is kept for as long as the session lives. */
static bool presence_keep(struct sessman *sm, struct session *s, const struct node *n)
{
    size_t to_at;
    buf_reset(&sm->scratch);
    xmlout_node_to(&sm->scratch, n, NS_CLIENT, &to_at);
    if (sm->scratch.len > PRESENCE_MAX)
        return false;
    mem_free(s->presence);
    s->presence = mem_copy(buf_get(&sm->scratch));
    s->presence_len = (uint16_t)sm->scratch.len;
    s->presence_to_at = (uint16_t)to_at;
    return true;
}

static void become_available(struct incoming *in, struct session *s)
{
    bool was = s->available;
    int8_t priority;
    if (!priority_read(in, &priority)) {
        in_error(in, COND_BAD_REQUEST, "priority is a number from -128 to 127");
        return;
    }
    if (!presence_keep(in->sm, s, in->st.node)) {
        in_error(in, COND_POLICY_VIOLATION, "this presence is too large");
        return;
    }
    s->available = true;
    s->priority = priority;
    if (!was)
        presence_probe_all(in->sm, in->ticket, s);
    presence_broadcast(in->sm, in->ticket, s, in->st.node);
    in_wrote(in, session_dirty(in->sm, s)); /* behind the broadcast, which need not wait for it */
    for (size_t i = 0; modules[i]; i++)
        if (modules[i]->session_available)
            modules[i]->session_available(in->sm, s, in, was);
}

static void become_unavailable(struct sessman *sm, uint64_t ticket, struct session *s, struct node *n)
{
    if (s->available) {
        presence_broadcast(sm, ticket, s, n); /* itself still among its own resources: RFC 6121 4.5.2 */
        s->available = false;
        journal_session_end(sm, s);
    }
    MEM_FREE(&s->presence);
    directed_end(sm, ticket, s);
}

/* Presence for everybody: RFC 6121 4.2.2, 4.4.2, 4.5.2. */
static enum handled on_broadcast(struct incoming *in)
{
    struct session *s = in->session;
    if (!s)
        return HANDLED;
    if (in->st.type == PRESENCE_AVAILABLE) {
        become_available(in, s);
    } else if (in->st.type == PRESENCE_UNAVAILABLE) {
        become_unavailable(in->sm, in->ticket, s, in->st.node);
        in_wrote(in, session_dirty(in->sm, s));
    }
    return HANDLED; /* any other type without `to` means nothing */
}

/* Presence for somebody: RFC 6121 4.6. */
static enum handled on_directed(struct incoming *in)
{
    struct session *s = in->session;
    bool available = in->st.type == PRESENCE_AVAILABLE, changed;
    if (!s || (!available && in->st.type != PRESENCE_UNAVAILABLE))
        return PASS;
    if (s->available && (roster_state(&s->account->roster, jid_bare(&in->st.to)) & SUB_FROM))
        return PASS; /* they hear of the end by subscription */
    if (directed_note(&s->directed, in->st.to.full, available, in->sm->conf->directed_max, &changed)) {
        if (changed)
            in_wrote(in, session_dirty(in->sm, s));
        return PASS;
    }
    metric_add(in->sm->metrics, M_LIMIT_DIRECTED, 1);
    in_error(in, COND_RESOURCE_CONSTRAINT, "too many directed presences");
    return HANDLED;
}

/* RFC 6121 4.3.2. */
static enum handled on_probe(struct incoming *in)
{
    if (in->st.type != PRESENCE_PROBE)
        return PASS;
    struct account *acc = in->target;
    struct slice asker = jid_bare(&in->st.from);
    if (acc && (slice_eq(asker, account_bare(acc)) || (roster_state(&acc->roster, asker) & SUB_FROM)))
        presence_show(in->sm, in->ticket, acc, &in->st.from);
    return HANDLED; /* whoever may not know gets no answer */
}

static void on_available(struct sessman *sm, struct session *s, struct incoming *in, bool was_available)
{
    (void)in;
    (void)was_available;
    if (s->priority >= 0)
        journal_replay(sm, s);
}

static void on_end(struct sessman *sm, struct session *s)
{
    struct arena *a = arena_take(sm->arenas);
    become_unavailable(sm, s->ticket, s, presence_unavailable(a, s));
    arena_give(sm->arenas, &a);
}

static const struct handler handlers[] = {
    { ON_PRESENCE_OUT, NULL, NULL, TO_NOBODY, on_broadcast },
    { ON_PRESENCE_OUT, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE | TO_ELSEWHERE, on_directed },
    { ON_PRESENCE_IN, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT, on_probe },
    { 0 },
};
const struct module mod_presence = {
    .name = "presence",
    .spec = "RFC 6121 4",
    .handlers = handlers,
    .session_available = on_available,
    .session_end = on_end,
};
