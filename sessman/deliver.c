#include "sessman/deliver.h"

#include <limits.h>
#include "common/base/limits.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/carbons.h"
#include "sessman/csi.h"
#include "sessman/fast.h"
#include "sessman/journal.h"
#include "sessman/module.h"
#include "sessman/out.h"
#include "sessman/session.h"
#include "sessman/smqueue.h"

/* RFC 6121 8.5, table 1. Columns: enum deliver_situation. A full JID that matches gets it (8.5.3.1) and needs
 * no row. */
static const struct {
    enum deliver_to to;
    enum stanza_type type;
    enum deliver_action act[4];
} rules[] = {
    /* clang-format off */
    /*                                            no account      no resource     only negative   some */
    { DELIVER_BARE,          MESSAGE_NORMAL,    { DELIVER_ERROR,  DELIVER_STORE,  DELIVER_STORE,  DELIVER_BEST  } },
    { DELIVER_BARE,          MESSAGE_CHAT,      { DELIVER_ERROR,  DELIVER_STORE,  DELIVER_STORE,  DELIVER_BEST  } },
    { DELIVER_BARE,          MESSAGE_GROUPCHAT, { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_BARE,          MESSAGE_HEADLINE,  { DELIVER_ERROR,  DELIVER_DROP,   DELIVER_DROP,   DELIVER_ALL   } },
    { DELIVER_BARE,          MESSAGE_ERROR,     { DELIVER_DROP,   DELIVER_DROP,   DELIVER_DROP,   DELIVER_DROP  } },
    { DELIVER_FULL_NO_MATCH, MESSAGE_NORMAL,    { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_FULL_NO_MATCH, MESSAGE_CHAT,      { DELIVER_ERROR,  DELIVER_STORE,  DELIVER_STORE,  DELIVER_BEST  } },
    { DELIVER_FULL_NO_MATCH, MESSAGE_GROUPCHAT, { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_FULL_NO_MATCH, MESSAGE_HEADLINE,  { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_FULL_NO_MATCH, MESSAGE_ERROR,     { DELIVER_DROP,   DELIVER_DROP,   DELIVER_DROP,   DELIVER_DROP  } },
    { DELIVER_BARE,          PRESENCE_AVAILABLE,   { DELIVER_DROP, DELIVER_DROP,  DELIVER_EVERY,  DELIVER_EVERY } },
    { DELIVER_BARE,          PRESENCE_UNAVAILABLE, { DELIVER_DROP, DELIVER_DROP,  DELIVER_EVERY,  DELIVER_EVERY } },
    { DELIVER_BARE,          PRESENCE_ERROR,       { DELIVER_DROP, DELIVER_DROP,  DELIVER_EVERY,  DELIVER_EVERY } },
    { DELIVER_BARE,          IQ_GET,            { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_BARE,          IQ_SET,            { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_FULL_NO_MATCH, IQ_GET,            { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    { DELIVER_FULL_NO_MATCH, IQ_SET,            { DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR,  DELIVER_ERROR } },
    /* clang-format on */
};

enum deliver_action deliver_decide(enum deliver_to to, enum deliver_situation situation,
                                   enum stanza_type type)
{
    if (to == DELIVER_FULL_MATCH)
        return DELIVER_THAT;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].to == to && rules[i].type == type)
            return rules[i].act[situation];
    return DELIVER_DROP; /* iq results that match nobody, presence to a resource that is gone: 8.5.3.2 */
}

static enum deliver_situation situation_of(const struct account *a, int *best)
{
    enum deliver_situation sit = a ? DELIVER_NO_RESOURCE : DELIVER_NO_ACCOUNT;
    *best = -1;
    if (!a)
        return sit;
    LIST_EACH(&a->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (!s->available)
            continue;
        if (sit == DELIVER_NO_RESOURCE)
            sit = DELIVER_ONLY_NEGATIVE;
        if (s->priority >= 0)
            sit = DELIVER_SOME;
        if (s->priority > *best)
            *best = s->priority;
    }
    return sit;
}

enum deliver_situation deliver_situation(const struct account *a)
{
    int best;
    return situation_of(a, &best);
}

static struct slice write_once(struct sessman *sm, const struct node *n)
{
    buf_reset(&sm->scratch);
    xmlout_node(&sm->scratch, n, NS_CLIENT);
    return buf_get(&sm->scratch);
}

/* To each available resource of at least this priority. */
static void to_resources(struct incoming *in, int least)
{
    struct slice bytes = write_once(in->sm, in->st.node);
    LIST_EACH(&in->target->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (s->available && s->priority >= least)
            out_session(in->sm, in->ticket, s, bytes);
    }
}

static void send_copy(struct incoming *in, struct session *s, const struct journal_row *row)
{
    struct sessman *sm = in->sm;
    journal_outstanding(sm, in->target, row->pos, row->flags);
    uint64_t n = row->n && row->holder == s->row ? row->n : 0;
    if (!out_message(sm, in->ticket, s, row->pos, n, buf_get(&sm->scratch)))
        journal_settled(sm, in->target->id, row->pos); /* the log has it */
}

/* Of those who get it the one whose queue it is to stand in after a restart, too. */
static const struct session *holder_of(const struct incoming *in, const struct session *match, int best)
{
    if (match)
        return match->sm && match->row ? match : NULL;
    LIST_EACH(&in->target->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (s->available && s->priority >= best && s->sm && s->row)
            return s;
    }
    return NULL;
}

/* A message worth keeping: its row first, then to the resource that matches, or to those of the best
 * priority. */
static void with_row(struct incoming *in, struct session *match, int best)
{
    struct journal_row row = { 0 };
    const struct session *holder = holder_of(in, match, best);
    if (holder) { /* XEP-0198: what of its queue is in the journal outlives a restart */
        csi_flush(holder->csi);
        row.holder = holder->row;
        row.n = smqueue_next(holder);
    }
    if (!journal_add(in, &row))
        return;
    if (match) {
        send_copy(in, match, &row);
        return;
    }
    LIST_EACH(&in->target->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (s->available && s->priority >= best)
            send_copy(in, s, &row);
    }
}

static void act(struct incoming *in, enum deliver_action action, struct session *match, int best)
{
    if ((action == DELIVER_THAT || action == DELIVER_BEST) && journal_qualifies(&in->st)) {
        if (!fast_deliver(in, match, best))
            with_row(in, match, best);
        return;
    }
    switch (action) {
    case DELIVER_THAT:
        out_session(in->sm, in->ticket, match, write_once(in->sm, in->st.node));
        break;
    case DELIVER_BEST:
        to_resources(in, best);
        break;
    case DELIVER_ALL:
        to_resources(in, 0);
        break;
    case DELIVER_EVERY:
        to_resources(in, PRIORITY_MIN);
        break;
    case DELIVER_STORE:
        journal_store(in, false);
        break;
    case DELIVER_ERROR:
        in_error(in, COND_SERVICE_UNAVAILABLE, NULL);
        break;
    case DELIVER_DROP:
        break;
    }
}

/* A resource is addressed by its full JID when it is bound; presence and messages also reach one that is not
 * available (RFC 6121 8.5.3.1: connected resource). */
enum deliver_action deliver_plan(const struct incoming *in, struct session **match, int *best)
{
    enum deliver_situation sit = situation_of(in->target, best);
    enum deliver_to to = DELIVER_BARE;
    *match = NULL;
    if (in->to == TO_RESOURCE) {
        *match = in->target ? account_session(in->target, in->st.to.resource) : NULL;
        to = *match ? DELIVER_FULL_MATCH : DELIVER_FULL_NO_MATCH;
    }
    return deliver_decide(to, sit, in->st.type);
}

void deliver(struct incoming *in)
{
    struct session *match;
    int best;
    if (in->to == TO_DOMAIN || in->to == TO_NOBODY || in->to == TO_BEFORE_LOGIN) {
        if (in->st.kind != STANZA_PRESENCE)
            in_error(in, COND_SERVICE_UNAVAILABLE, NULL);
        return;
    }
    enum deliver_action action = deliver_plan(in, &match, &best);
    bool to_receiver = action == DELIVER_BEST ||
                       (action == DELIVER_THAT && in->target && match == journal_receiver(in->target));
    if (to_receiver && journal_replaying(in->target) && journal_qualifies(&in->st)) {
        journal_store(in, true); /* behind those that are being delivered: order */
        match = journal_receiver(in->target);
        action = DELIVER_THAT;
    } else {
        act(in, action, match, best);
    }
    if (in->st.kind != STANZA_MESSAGE || !in->target || action == DELIVER_DROP || in->refused)
        return;
    module_message_done(in, match);
    carbons_received(in, match, action == DELIVER_BEST ? best : action == DELIVER_ALL ? 0 : INT_MAX);
}

bool deliver_to_session(struct sessman *sm, uint64_t ticket, const struct session *s, const struct node *n)
{
    return out_session(sm, ticket, s, write_once(sm, n));
}

static void fanout(struct sessman *sm, uint64_t ticket, const struct account *a, const struct node *n,
                   bool (*wanted)(const struct session *s, const struct session *but),
                   const struct session *but)
{
    struct session *list[64];
    size_t k = 0, to_at;
    buf_reset(&sm->scratch);
    xmlout_node_to(&sm->scratch, n, NS_CLIENT, &to_at);
    LIST_EACH(&a->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (!wanted(s, but))
            continue;
        list[k++] = s;
        if (k == 64) {
            out_fanout(sm, ticket, list, k, buf_get(&sm->scratch), to_at);
            k = 0;
        }
    }
    if (k)
        out_fanout(sm, ticket, list, k, buf_get(&sm->scratch), to_at);
}

static bool is_available(const struct session *s, const struct session *but)
{
    return s->available && s != but;
}

static bool is_interested(const struct session *s, const struct session *but)
{
    (void)but;
    return s->interested;
}

void deliver_to_all(struct sessman *sm, uint64_t ticket, const struct account *a, const struct node *n,
                    const struct session *but)
{
    fanout(sm, ticket, a, n, is_available, but);
}

void deliver_push(struct sessman *sm, uint64_t ticket, const struct account *a, struct node *iq)
{
    fanout(sm, ticket, a, iq, is_interested, NULL);
}
