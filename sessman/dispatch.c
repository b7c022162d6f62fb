#include "sessman/dispatch.h"

#include <assert.h>
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/anonymous.h"
#include "sessman/apisession.h"
#include "sessman/carbons.h"
#include "sessman/deliver.h"
#include "sessman/edges.h"
#include "sessman/fast.h"
#include "sessman/journal.h"
#include "sessman/module.h"
#include "sessman/out.h"
#include "sessman/outbox.h"
#include "sessman/restore.h"
#include "sessman/session.h"
#include "sessman/smqueue.h"

static struct incoming *incoming_new(struct sessman *sm, struct session *s)
{
    struct arena *a = arena_take(sm->arenas);
    struct incoming *in = ARENA_NEW(a, struct incoming);
    in->sm = sm;
    in->a = a;
    in->session = s;
    in->outbox_rows = outbox_rows(sm);
    if (s)
        list_append(&s->incoming, &in->of_session);
    return in;
}

/* The stanza has been dealt with (or will be: held). */
static void incoming_end(struct incoming *in)
{
    if (in->is_held)
        return;
    assert(in->sm);
    struct sessman *sm = in->sm;
    struct arena *a = in->a;
    if (in->copied)
        carbons_sent(in);
    if (outbox_rows(sm) !=
        in->outbox_rows) /* who sent something to another server is told after the commit, too */
        in_wrote(in, outbox_ticket(sm));
    uint64_t *source = in->session ? &in->session->ticket : in->from_session ? NULL : &sm->routed_ticket;
    if (source && in->ticket > *source)
        *source = in->ticket;
    if (in->edge_id)
        in->edge = edge_find(sm, in->edge_id);
    uint64_t ticket = in->ticket > in->taken_ticket ? in->ticket : in->taken_ticket;
    if (in->edge && in->st.kind != STANZA_MESSAGE)
        edge_answer_done(in->edge, in->seq, ticket);
    else if (in->edge)
        edge_frame_done(in->edge, in->seq, ticket);
    list_unlink(&in->of_session);
    if (in->target)
        account_release(sm, in->target);
    arena_give(sm->arenas, &a);
}

#define HELD_MANY 1000 /* at once: what they used goes back to the system when none is left */

static void held_less(struct sessman *sm)
{
    if (--sm->held)
        return;
    if (sm->held_most >= HELD_MANY)
        session_memory_release(sm);
    sm->held_most = 0;
}

void in_hold(struct incoming *in)
{
    assert(!in->is_held);
    in->is_held = true;
    if (++in->sm->held > in->sm->held_most)
        in->sm->held_most = in->sm->held;
    if (in->session)
        in->session->stalled++;
    if (in->session && in->from_session &&
        in->st.has_from) { /* the session may end meanwhile: its address is needed after */
        in->st.from = jid_copy(in->a, &in->st.from);
        node_set(in->a, in->st.node, "from", in->st.from.full);
    }
    if (in->edge) {
        edge_frame_wait(in->edge, in->seq);
        in->edge_id = in->edge->node->id;
        in->edge = NULL;
    }
}

void in_done(struct incoming *in)
{
    struct sessman *sm = in->sm;
    struct session *s = in->is_released ? NULL : in->session;
    assert(in->is_held);
    in->is_held = false;
    held_less(sm);
    incoming_end(in);
    if (s)
        session_unstall(sm, s);
}

void in_release(struct incoming *in)
{
    assert(in->is_held);
    if (in->is_released)
        return;
    in->is_released = true;
    if (in->session)
        session_unstall(in->sm, in->session);
}

/* --- answers --- */

/* An answer that no frame carries (a roster of enormous items) becomes an error. */
void in_reply(struct incoming *in, struct node *reply)
{
    struct sessman *sm = in->sm;
    bool sent = true;
    if (in->session) {
        in_wrote(in, fast_write_of(sm, in->session)); /* an answer may be taken for an acknowledgement */
        sent = deliver_to_session(sm, in->ticket, in->session, reply);
        edge_answered(in->session, sm->scratch.len);
    } else if (!in->from_session && in->st.has_from) {
        buf_reset(&sm->scratch);
        xmlout_node(&sm->scratch, reply, NS_CLIENT);
        if (sessman_domain(sm, in->st.from.domain))
            dispatch_stanza(sm, reply, in->ticket); /* a module spoke for a local account */
        else
            sent = out_name(sm, in->ticket, jid_bare(&in->st.from), buf_get(&sm->scratch));
    }
    if (!sent && !slice_is(node_attr(reply, "type"), "error"))
        in_error(in, COND_RESOURCE_CONSTRAINT, "the answer is too large");
}

void in_result(struct incoming *in, struct node *payload)
{
    struct node *r = stanza_reply(in->a, &in->st);
    if (payload)
        node_append(r, payload);
    in_reply(in, r);
}

void in_error(struct incoming *in, enum stanza_cond cond, const char *text)
{
    struct node *e = stanza_error(in->a, &in->st, cond, text);
    in->refused = true;
    if (!e)
        return;
    metric_add(in->sm->metrics, M_ERRORS_SENT, 1);
    in_reply(in, e);
}

/* --- the addressee's side --- */

static void arrive(struct incoming *in)
{
    if (in->target && in->edge && !in->from_session && !anonymous_may_leave(in->sm, in->target)) {
        in_error(in, COND_SERVICE_UNAVAILABLE, NULL); /* as for nobody */
        return;
    }
    static const unsigned rows_of[] = {
        [STANZA_MESSAGE] = ON_MESSAGE_IN, [STANZA_PRESENCE] = ON_PRESENCE_IN
    };
    unsigned on = in->st.kind != STANZA_IQ ? rows_of[in->st.kind]
                  : in->st.type == IQ_GET  ? ON_IQ_GET
                  : in->st.type == IQ_SET  ? ON_IQ_SET
                  : in->to == TO_DOMAIN    ? ON_IQ_ANSWER
                                           : 0;
    if (on && module_run(in, on) == HANDLED)
        return;
    deliver(in);
}

static void on_target(void *ctx, struct account *a)
{
    struct incoming *in = ctx;
    in->target = a;
    if (!in->is_held) {
        arrive(in);
        return;
    }
    /* It waited for the load: now it is worked on again, and may be held once more by a handler. */
    struct sessman *sm = in->sm;
    in->is_held = false;
    held_less(sm);
    arrive(in);
    struct session *s = in->session; /* NULL if that ended it */
    incoming_end(in);
    if (s)
        session_unstall(sm, s);
}

static void to_account(struct incoming *in)
{
    struct account *a =
        in->to == TO_OWN_ACCOUNT ? in->session->account : account_find(in->sm, jid_bare(&in->st.to));
    struct jid bare;
    if (a) {
        account_load(in->sm, &in->st.to, on_target, in); /* at once */
        return;
    }
    if (!in->from_session && !in->edge &&
        in->sm->held >= in->sm->conf->store_queue_max) { /* an edge has its window; others have this */
        in_error(in, COND_RESOURCE_CONSTRAINT, "the store is behind");
        return;
    }
    bare = jid_to_bare(&in->st.to);
    in_hold(in);
    account_load(in->sm, &bare, on_target, in);
}

static void route(struct incoming *in)
{
    struct sessman *sm = in->sm;
    switch (in->to) {
    case TO_ELSEWHERE:
        if (in->st.kind == STANZA_MESSAGE)
            journal_sent(in);
        buf_reset(&sm->scratch);
        xmlout_node(&sm->scratch, in->st.node, NS_CLIENT);
        out_name(sm, in->ticket, jid_bare(&in->st.to), buf_get(&sm->scratch));
        break;
    case TO_OWN_ACCOUNT:
    case TO_ACCOUNT:
    case TO_RESOURCE:
        to_account(in);
        break;
    default:
        arrive(in);
    }
}

/* `to` of a stanza without one is the sender's own account (RFC 6120 10.3), except that presence is
 * broadcast. */
static enum addressee addressee_of(struct incoming *in)
{
    struct stanza *st = &in->st;
    if (!st->has_to) {
        if (st->kind == STANZA_PRESENCE)
            return TO_NOBODY;
        st->to = jid_to_bare(&st->from);
        st->has_to = true;
        return in->session ? TO_OWN_ACCOUNT : TO_ACCOUNT;
    }
    if (!sessman_domain(in->sm, st->to.domain))
        return TO_ELSEWHERE;
    if (!st->to.local.len)
        return TO_DOMAIN;
    if (st->to.resource.len)
        return TO_RESOURCE;
    return in->session && in->session->account && slice_eq(jid_bare(&st->to), session_bare(in->session))
               ? TO_OWN_ACCOUNT
               : TO_ACCOUNT;
}

/* --- the sender's side --- */

/* RFC 6121 3.1.2 and following: subscription stanzas are sent in the name of the bare JID. */
static bool is_subscription(enum stanza_type t)
{
    return t == PRESENCE_SUBSCRIBE || t == PRESENCE_SUBSCRIBED || t == PRESENCE_UNSUBSCRIBE ||
           t == PRESENCE_UNSUBSCRIBED;
}

static void stamp_from(struct incoming *in)
{
    struct stanza *st = &in->st;
    st->from = session_full_jid(in->session);
    if (is_subscription(st->type))
        st->from = jid_to_bare(&st->from);
    st->has_from = true;
    /* An IQ may end its own session, a subscription may end another's; a message is copied only where it is
     * held. */
    if (st->kind != STANZA_MESSAGE)
        st->from = jid_copy(in->a, &st->from);
    node_set(in->a, st->node, "from", st->from.full);
}

/* XEP-0175 4: components are of this installation, other servers are not. */
static bool may_leave(const struct incoming *in)
{
    const struct account *a = in->session->account;
    return !a->anonymous || anonymous_may_leave(in->sm, a) ||
           rlink_component(in->sm->rlink, in->st.to.domain);
}

static void from_session(struct incoming *in, struct node *n)
{
    struct sessman *sm = in->sm;
    enum stanza_cond cond;
    node_unset(n, "from"); /* whatever the edge says: only the session table counts */
    enum rc rc = stanza_read(in->a, n, &in->st, &cond);
    metric_add(sm->metrics, M_STANZAS_IN, 1);
    if (!in->session->account) {
        in->to = TO_BEFORE_LOGIN;
        if (session_is_api(in->session))
            metric_add(sm->metrics, M_BAD_FRAMES, 1); /* nothing is registered there */
        else if (rc == RC_OK && in->st.kind == STANZA_IQ)
            arrive(in);
        return;
    }
    stamp_from(in);
    if (rc != RC_OK) {
        if (rc != RC_UNSUPPORTED)
            in_error(in, cond, NULL);
        return;
    }
    if (in->session->api) {
        in->to = addressee_of(in);
        if (!apisession_admits(in))
            return;
    }
    if (in->st.kind != STANZA_MESSAGE)
        in_wrote(in, fast_write_of(
                         sm, in->session)); /* whatever comes of it may be taken for an acknowledgement */
    else if (restore_had(sm, in->edge, in->seq))
        return; /* it was delivered by the process before this one */
    in->to = addressee_of(in);
    if (in->to == TO_ELSEWHERE && !may_leave(in)) {
        in_error(in, COND_NOT_ALLOWED, "not for anonymous users");
        return;
    }
    if (in->st.kind == STANZA_MESSAGE && module_run(in, ON_MESSAGE_OUT) == HANDLED)
        return;
    if (in->st.kind == STANZA_PRESENCE && module_run(in, ON_PRESENCE_OUT) == HANDLED)
        return;
    in->copied = in->st.kind == STANZA_MESSAGE && in->session->account->n_sessions > 1;
    route(in);
}

static void bad_frame(struct sessman *sm, const struct why *why)
{
    struct log_ctx log = sessman_log(sm, LOG_XMPP);
    metric_add(sm->metrics, M_BAD_FRAMES, 1);
    LOG_WARN(&log, "bad_stanza_in_frame", F_WHY(why));
}

void dispatch_session_frame(struct sessman *sm, struct session *s, uint64_t seq, uint64_t mark,
                            struct slice payload)
{
    struct incoming *in = incoming_new(sm, s);
    struct node *n;
    struct why why;
    in->from_session = true;
    in->edge = s->edge;
    in->seq = seq;
    in->ticket = s->ticket;
    in->taken_ticket = smqueue_took(sm, s, mark);
    if (xmlin_parse(sm->xml, in->a, payload, &sm->xml_limits, &n, &why) == RC_OK)
        from_session(in, n);
    else
        bad_frame(sm, &why);
    incoming_end(in);
}

static void from_outside(struct incoming *in, const struct frame *f)
{
    struct sessman *sm = in->sm;
    struct node *n;
    struct why why;
    enum stanza_cond cond;
    in->ticket = sm->routed_ticket; /* RFC 6120 10.1: nothing overtakes what waits for a commit */
    enum rc rc = xmlin_parse(sm->xml, in->a, f->payload, &sm->xml_limits, &n, &why);
    if (rc != RC_OK) {
        bad_frame(sm, &why);
        incoming_end(in);
        return;
    }
    metric_add(sm->metrics, M_STANZAS_IN, 1);
    in->admin = !in->edge && (f->flags & FRAME_F_ADMIN) != 0 && sm->conf->admin_tool;
    rc = stanza_read(in->a, n, &in->st, &cond);
    if (!in->st.has_from || sessman_domain(sm, in->st.from.domain)) {
        why_set(&why, "from outside in the name of nobody or of a hosted domain");
        bad_frame(sm, &why); /* nobody outside speaks for an account */
    } else if (rc != RC_OK) {
        in_error(in, cond, NULL);
    } else if (in->st.has_to) {
        in->to = addressee_of(in);
        if (in->to == TO_ELSEWHERE)
            in_error(in, COND_REMOTE_SERVER_NOT_FOUND, NULL); /* the router thought that it is ours */
        else
            route(in);
    }
    incoming_end(in);
}

void dispatch_routed_frame(struct sessman *sm, const struct frame *f)
{
    from_outside(incoming_new(sm, NULL), f);
}

void dispatch_peer_frame(struct edge *e, const struct frame *f)
{
    struct incoming *in = incoming_new(e->sm, NULL);
    in->edge = e;
    in->seq = f->seq;
    from_outside(in, f);
}

/* --- bounces and what modules make --- */

void dispatch_refuse(struct sessman *sm, struct slice stanza, enum stanza_cond cond, const char *text)
{
    struct arena *a = arena_take(sm->arenas);
    struct node *n, *e;
    struct stanza st;
    enum stanza_cond none;
    struct why why;
    metric_add(sm->metrics, M_BOUNCES, 1);
    if (xmlin_parse(sm->xml, a, stanza, &sm->xml_limits, &n, &why) == RC_OK &&
        stanza_read(a, n, &st, &none) == RC_OK && st.has_from) {
        e = stanza_error(a, &st, cond, text);
        if (e &&
            (st.kind != STANZA_PRESENCE || st.type == PRESENCE_SUBSCRIBE || st.type == PRESENCE_AVAILABLE))
            dispatch_stanza(sm, e, 0);
    }
    arena_give(sm->arenas, &a);
}

void dispatch_bounce(struct sessman *sm, const struct frame *f)
{
    dispatch_refuse(sm, f->payload,
                    f->flags & FRAME_F_NO_NAME ? COND_REMOTE_SERVER_NOT_FOUND
                    : f->flags & FRAME_F_FULL  ? COND_RESOURCE_CONSTRAINT
                                               : COND_SERVICE_UNAVAILABLE,
                    NULL);
}

static void run_generated(struct incoming *in, const struct node *node)
{
    enum stanza_cond cond;
    struct node *n = node_copy(in->a, node);
    if (stanza_read(in->a, n, &in->st, &cond) == RC_OK && in->st.has_to && in->st.has_from) {
        in->to = addressee_of(in);
        route(in);
    }
    incoming_end(in);
}

void dispatch_generated(struct incoming *parent, struct node *node)
{
    struct incoming *in = incoming_new(parent->sm, parent->session);
    in->from_session = parent->from_session;
    in->ticket = parent->ticket;
    run_generated(in, node);
}

void dispatch_stanza(struct sessman *sm, struct node *node, uint64_t ticket)
{
    struct incoming *in = incoming_new(sm, NULL);
    in->ticket = ticket;
    in->from_session = true; /* errors to it go nowhere */
    run_generated(in, node);
}
