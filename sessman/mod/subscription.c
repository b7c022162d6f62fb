/* sessman/mod/subscription.c - subscribe, subscribed, unsubscribe, unsubscribed (RFC 6121 3, appendix A) */
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/deliver.h"
#include "sessman/module.h"
#include "sessman/presence.h"
#include "sessman/restore.h"
#include "sessman/rosterpush.h"
#include "sessman/session.h"

/* Requests not answered yet, as a part of what a roster may have: strangers leave room for contacts. */
#define REQUESTS_PART 4
/* Bytes of a subscribe stanza that is kept until answered; a longer one is kept without its content. */
#define REQUEST_MAX 4096

static bool is_subscription(enum stanza_type t)
{
    return t >= PRESENCE_SUBSCRIBE && t <= PRESENCE_UNSUBSCRIBED;
}

/* What a client sees of a state: when it changes, there is a push. */
static uint8_t visible(uint8_t state)
{
    return state & SUB_LISTED ? (uint8_t)(state & ~SUB_IN) : 0;
}

/* What is dealt with may be a stanza of before a restart, whose effect is in the store already, but of which
 * not everybody was told: then it is told again, where the state is what such a stanza leaves behind. Who
 * never had to do with the account is told nothing. */
static bool again(const struct sessman *sm, enum sub_dir dir, enum stanza_type type, uint8_t old)
{
    static const uint8_t left[2][2] = { /* subscribe, subscribed: what is set after it */
                                        [SUB_OUTBOUND] = { SUB_ASK, SUB_FROM },
                                        [SUB_INBOUND] = { SUB_IN, SUB_TO }
    };
    if (!old || !restore_recent(sm))
        return false;
    if (type == PRESENCE_SUBSCRIBE)
        return old & left[dir][0];
    if (type == PRESENCE_SUBSCRIBED)
        return old & left[dir][1];
    if ((type == PRESENCE_UNSUBSCRIBE) == (dir == SUB_OUTBOUND))
        return !(old & (SUB_TO | SUB_ASK));
    return !(old & (SUB_FROM | SUB_IN));
}

static void change(struct incoming *in, struct account *acc, struct slice contact, uint8_t old, uint8_t new,
                   const struct slice *request)
{
    if (new == old)
        return;
    struct roster_change c = { contact, NULL, NULL, request, new };
    in_wrote(in, roster_set(&acc->roster, in->sm->store, acc->id, &c));
}

static enum handled on_out(struct incoming *in)
{
    struct stanza *st = &in->st;
    if (!is_subscription(st->type))
        return PASS;
    if (!st->has_to || !in->session || in->to == TO_OWN_ACCOUNT ||
        slice_eq(jid_bare(&st->to), session_bare(in->session)))
        return HANDLED; /* to nobody, or to oneself: no effect */
    struct account *acc = in->session->account;
    struct jid contact = jid_to_bare(&st->to);
    uint8_t old = roster_state(&acc->roster, contact.full);
    struct sub_step step = sub_step(SUB_OUTBOUND, st->type, old);
    if (!(old & SUB_LISTED) && (step.state & SUB_LISTED) &&
        !roster_has_room(&acc->roster, in->sm->conf->roster_items_max, contact.full, SLICE_NONE,
                         SLICE_NONE)) {
        metric_add(in->sm->metrics, M_LIMIT_ROSTER, 1);
        in_error(in, COND_RESOURCE_CONSTRAINT, "the roster is full");
        return HANDLED;
    }
    change(in, acc, contact.full, old, step.state, NULL);
    bool anew = again(in->sm, SUB_OUTBOUND, st->type, old);
    if (visible(step.state) != visible(old) || (anew && visible(old)))
        roster_push(in->sm, in->ticket, acc, contact.full);
    if (!step.pass && !anew)
        return HANDLED;
    if (st->type == PRESENCE_UNSUBSCRIBED && ((old & SUB_FROM) || anew))
        presence_hide(in->sm, in->ticket, acc, &contact); /* RFC 6121 3.2.2 */
    node_set(in->a, st->node, "to", contact.full);
    dispatch_generated(in, st->node);
    if (st->type == PRESENCE_SUBSCRIBED)
        presence_show(in->sm, in->ticket, acc, &contact); /* RFC 6121 3.1.5 */
    return HANDLED;
}

/* RFC 6121 3.1.3, 3.4.2: the server answers for the user. */
static void answer(struct incoming *in, const struct jid *contact)
{
    struct account *acc = in->target;
    struct node *p = node_new(in->a, "presence", NS_CLIENT);
    node_set(in->a, p, "from", account_bare(acc));
    node_set(in->a, p, "to", contact->full);
    node_set(in->a, p, "type", SLICE("subscribed"));
    dispatch_generated(in, p);
    presence_show(in->sm, in->ticket, acc, contact);
}

/* The stanza that is kept until the user answers (RFC 6121 3.1.3). */
static struct slice request_of(struct incoming *in)
{
    struct sessman *sm = in->sm;
    buf_reset(&sm->scratch);
    xmlout_node(&sm->scratch, in->st.node, NS_CLIENT);
    if (sm->scratch.len <= REQUEST_MAX)
        return arena_copy(in->a, buf_get(&sm->scratch));
    struct node *p = node_new(in->a, "presence", NS_CLIENT);
    node_set(in->a, p, "from", jid_bare(&in->st.from));
    node_set(in->a, p, "to", jid_bare(&in->st.to));
    node_set(in->a, p, "type", SLICE("subscribe"));
    buf_reset(&sm->scratch);
    xmlout_node(&sm->scratch, p, NS_CLIENT);
    return arena_copy(in->a, buf_get(&sm->scratch));
}

static enum handled on_in(struct incoming *in)
{
    struct stanza *st = &in->st;
    struct account *acc = in->target;
    if (!is_subscription(st->type))
        return PASS;
    if (!acc || !st->has_from)
        return HANDLED; /* RFC 6121 8.5.1: no such user; nobody is told */
    struct jid contact = jid_to_bare(&st->from);
    uint8_t old = roster_state(&acc->roster, contact.full);
    struct sub_step step = sub_step(SUB_INBOUND, st->type, old);
    if (!old && step.state &&
        acc->roster.n - roster_listed(&acc->roster) >= in->sm->conf->roster_items_max / REQUESTS_PART) {
        metric_add(in->sm->metrics, M_LIMIT_ROSTER, 1);
        return HANDLED;
    }
    bool anew = again(in->sm, SUB_INBOUND, st->type, old);
    struct slice request = step.pass && st->type == PRESENCE_SUBSCRIBE ? request_of(in) : SLICE_NONE;
    change(in, acc, contact.full, old, step.state, request.len ? &request : NULL);
    if (step.answer)
        answer(in, &contact);
    if (step.pass || anew) {
        node_set(in->a, st->node, "from", contact.full);
        if (st->type == PRESENCE_SUBSCRIBE)
            deliver_to_all(in->sm, in->ticket, acc, st->node, NULL);
        else
            deliver_push(in->sm, in->ticket, acc,
                         st->node); /* RFC 6121 3.1.6: to interested resources, before the push */
    }
    if (visible(step.state) != visible(old) || (anew && visible(old)))
        roster_push(in->sm, in->ticket, acc, contact.full);
    if (st->type == PRESENCE_UNSUBSCRIBE && ((old & SUB_FROM) || anew))
        presence_hide(in->sm, in->ticket, acc, &contact); /* RFC 6121 3.3.3 */
    return HANDLED;
}

/* Requests that came while nobody was there (RFC 6121 3.1.3, 4.2.2). */
static void on_available(struct sessman *sm, struct session *s, struct incoming *in, bool was_available)
{
    const struct roster *r = &s->account->roster;
    if (was_available)
        return;
    for (uint32_t i = 0; i < r->n; i++) {
        struct node *n;
        if (!(r->items[i]->state & SUB_IN) || !r->items[i]->request_len)
            continue;
        if (xmlin_parse(sm->xml, in->a, roster_item_request(r->items[i]), &sm->xml_limits, &n, NULL) == RC_OK)
            deliver_to_session(sm, in->ticket, s, n);
    }
}

static const struct handler handlers[] = {
    { ON_PRESENCE_OUT, NULL, NULL,
      TO_NOBODY | TO_DOMAIN | TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE | TO_ELSEWHERE, on_out },
    { ON_PRESENCE_IN, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE, on_in },
    { 0 },
};
const struct module mod_subscription = {
    .name = "subscription",
    .spec = "RFC 6121 3",
    .stream_features = "<sub xmlns='" NS_PRE_APPROVAL "'/>",
    .handlers = handlers,
    .session_available = on_available,
};
