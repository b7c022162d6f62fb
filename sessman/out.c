#include "sessman/out.h"

#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/csi.h"
#include "sessman/dispatch.h"
#include "sessman/edges.h"
#include "sessman/journal.h"
#include "sessman/outbox.h"
#include "sessman/transit.h"
#include "sessman/smqueue.h"

/* One frame that waits for its commit; the bytes follow. */
struct held_frame {
    struct link link;
    uint64_t ticket;
    struct edge *edge; /* NULL: by name */
    uint64_t session;  /* 0 for fan-out */
    int64_t account;   /* a message's: its row is pos */
    uint64_t pos;      /* 0: it has none */
    enum frame_kind kind;
    uint32_t name_len, len;
    char bytes[]; /* name, payload */
};
struct out {
    struct link held; /* in order of being sent */
    struct link late; /* by name, for which the link to the router had no room; in order */
    size_t late_bytes;
    struct timer again;
    struct sessman *sm;
};
static void on_again(struct timer *t);

struct out *out_new(void)
{
    struct out *o = mem_new(sizeof *o);
    list_init(&o->held);
    list_init(&o->late);
    return o;
}

void out_free(struct out **op)
{
    if (!*op)
        return;
    LIST_EACH(&(*op)->held, it) {
        list_unlink(it);
        mem_free(CONTAINER(it, struct held_frame, link));
    }
    MEM_FREE(op);
}

static bool fits(struct sessman *sm, struct slice stanza)
{
    if (stanza.len <= FRAME_STANZA_MAX)
        return true;
    struct log_ctx log = sessman_log(sm, LOG_XMPP);
    metric_add(sm->metrics, M_LIMIT_FRAME, 1);
    LOG_INFO(&log, "stanza_too_large", F_UINT("bytes", stanza.len));
    return false;
}

/* --- by name --- */

enum { LATE_MS = 10, LATE_MAX = 8 << 20 }; /* bytes */

static void late_keep(struct sessman *sm, struct slice name, struct slice stanza)
{
    struct out *o = sm->out;
    struct held_frame *h = mem_new(sizeof *h + name.len + stanza.len);
    h->name_len = (uint32_t)name.len;
    h->len = (uint32_t)stanza.len;
    memcpy(h->bytes, name.p, name.len);
    memcpy(h->bytes + name.len, stanza.p, stanza.len);
    list_append(&o->late, &h->link);
    o->late_bytes += h->len;
    o->sm = sm;
    if (!timer_running(&o->again))
        loop_timer(sm->loop, &o->again, LATE_MS, on_again);
}

static void late_drop(struct out *o, struct held_frame *h)
{
    o->late_bytes -= h->len;
    list_unlink(&h->link);
    mem_free(h);
}

static enum rc try_name(struct sessman *sm, struct slice name, struct slice stanza)
{
    enum rc rc = rlink_send_name(sm->rlink, name, &stanza, 1);
    if (rc != RC_OK && rc != RC_LIMIT) {
        struct log_ctx log = sessman_log(sm, LOG_LINK);
        metric_add(sm->metrics, M_BOUNCES, 1);
        LOG_WARN(&log, "stanza_not_routed", F_SLICE("to", name), F_STR("why", "no router is connected"));
    }
    return rc;
}

static void on_again(struct timer *t)
{
    struct out *o = CONTAINER(t, struct out, again);
    while (!list_empty(&o->late)) {
        struct held_frame *h = CONTAINER(o->late.next, struct held_frame, link);
        if (try_name(o->sm, slice_of(h->bytes, h->name_len), slice_of(h->bytes + h->name_len, h->len)) ==
            RC_LIMIT) {
            loop_timer(o->sm->loop, t, LATE_MS, on_again);
            return;
        }
        late_drop(o, h);
    }
}

/* While much waits for the router, so do these, in their order; what is too much bounces (RFC 6120 8.3.3.18).
 */
static void name_send(struct sessman *sm, struct slice name, struct slice stanza)
{
    if (list_empty(&sm->out->late) && try_name(sm, name, stanza) != RC_LIMIT)
        return;
    if (sm->out->late_bytes + stanza.len <= LATE_MAX) {
        late_keep(sm, name, stanza);
        return;
    }
    struct frame f = { .kind = FRAME_BOUNCE, .flags = FRAME_F_FULL, .payload = stanza };
    dispatch_bounce(sm, &f);
}

void out_stop(struct sessman *sm)
{
    timer_stop(&sm->out->again);
    while (!list_empty(&sm->out->late))
        late_drop(sm->out, CONTAINER(sm->out->late.next, struct held_frame, link));
}

/* What is sent for a ticket that is not committed is kept, and so is all behind it with that ticket. */
static struct held_frame *keep(struct sessman *sm, uint64_t ticket, struct edge *edge, uint64_t session,
                               enum frame_kind kind, struct slice name, const struct slice *pieces, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += pieces[i].len;
    struct held_frame *h = mem_new(sizeof *h + name.len + len);
    h->ticket = ticket;
    h->account = 0;
    h->pos = 0;
    h->edge = edge;
    h->session = session;
    h->kind = kind;
    h->name_len = (uint32_t)name.len;
    h->len = (uint32_t)len;
    char *p = h->bytes;
    if (name.len)
        memcpy(p, name.p, name.len);
    p += name.len;
    for (size_t i = 0; i < n; i++) {
        memcpy(p, pieces[i].p, pieces[i].len);
        p += pieces[i].len;
    }
    list_append(&sm->out->held, &h->link);
    return h;
}

static bool hold(struct sessman *sm, uint64_t ticket, struct edge *edge, uint64_t session,
                 enum frame_kind kind, struct slice name, const struct slice *pieces, size_t n)
{
    if (ticket <= store_committed(sm->store))
        return false;
    keep(sm, ticket, edge, session, kind, name, pieces, n);
    return true;
}

/* Nothing overtakes what is held for a session: what tells the edge that it is bound waits for its row, and
 * the presence that it was shown when it became available must not come behind a later one. */
static uint64_t ticket_for(const struct sessman *sm, const struct session *s, uint64_t ticket)
{
    uint64_t committed = store_committed(sm->store);
    if (s->held_ticket > committed && s->held_ticket > ticket)
        ticket = s->held_ticket;
    if (ticket > committed) /* the order of its output is ours to keep, whoever sends */
        ((struct session *)(uintptr_t)s)->held_ticket = ticket;
    return ticket;
}

static void to_session(struct sessman *sm, uint64_t ticket, const struct session *s, enum frame_kind kind,
                       struct slice bytes)
{
    ticket = ticket_for(sm, s, ticket);
    if (s->sm && kind == FRAME_STANZA) {
        smqueue_put(sm, s, ticket, 0, 0, &bytes, 1);
        return;
    }
    if (!s->edge)
        return; /* it hibernates: nobody is to be told */
    metric_add(sm->metrics, M_STANZAS_OUT, kind == FRAME_STANZA);
    if (!hold(sm, ticket, s->edge, s->id, kind, SLICE_NONE, &bytes, 1))
        rlink_send(sm->rlink, s->edge->node, kind, s->id, &bytes, 1);
    edge_check_backlog(s->edge);
}

bool out_session(struct sessman *sm, uint64_t ticket, const struct session *s, struct slice stanza)
{
    if (!fits(sm, stanza))
        return false;
    struct csi_what what = { 0 };
    if (s->csi && csi_hold(s->csi, ticket, stanza, CSI_HAS_TO, &what))
        return true;
    to_session(sm, ticket, s, FRAME_STANZA, stanza);
    return true;
}

static void send_message(struct sessman *sm, struct edge *e, uint64_t session, int64_t account, uint64_t pos,
                         struct slice stanza)
{
    rlink_send_marked(sm->rlink, e->node, FRAME_STANZA, session, pos, &stanza, 1);
    transit_sent(e, account, pos, session);
}

bool out_message(struct sessman *sm, uint64_t ticket, struct session *s, uint64_t pos, uint64_t held_n,
                 struct slice stanza)
{
    if (!fits(sm, stanza))
        return false;
    csi_flush(s->csi);
    if (s->sm) {
        smqueue_put(sm, s, ticket, pos, held_n, &stanza, 1);
        return true;
    }
    metric_add(sm->metrics, M_STANZAS_OUT, 1);
    if (ticket <= store_committed(sm->store)) {
        send_message(sm, s->edge, s->id, s->account->id, pos, stanza);
    } else {
        struct held_frame *h = keep(sm, ticket, s->edge, s->id, FRAME_STANZA, SLICE_NONE, &stanza, 1);
        h->account = s->account->id;
        h->pos = pos;
    }
    edge_check_backlog(s->edge);
    return true;
}

void out_at_once(struct sessman *sm, struct session *s, uint64_t pos, uint64_t origin, struct slice stanza)
{
    metric_add(sm->metrics, M_STANZAS_OUT, 1);
    rlink_send_origin(sm->rlink, s->edge->node, FRAME_STANZA, s->id, pos, origin, &stanza, 1);
    transit_sent(s->edge, s->account->id, pos, s->id);
    edge_check_backlog(s->edge);
}

void out_control(struct sessman *sm, uint64_t ticket, const struct session *s, struct slice element)
{
    to_session(sm, ticket, s, FRAME_CONTROL, element);
}

static void fanout_to_edge(struct sessman *sm, uint64_t ticket, struct edge *e, const uint64_t *ids, size_t n,
                           struct slice stanza, size_t to_at)
{
    char space[8 + 8 * 64];
    struct buf head = BUF_INIT(0);
    struct buf small = { space, 0, sizeof space, sizeof space, false };
    struct buf *b = n <= 64 ? &small : &head; /* most fan-outs need no allocation */
    fanout_write_head(b, (uint16_t)to_at, ids, (uint32_t)n);
    const struct slice pieces[] = { buf_get(b), stanza };
    if (!hold(sm, ticket, e, 0, FRAME_FANOUT, SLICE_NONE, pieces, 2))
        rlink_send(sm->rlink, e->node, FRAME_FANOUT, 0, pieces, 2);
    edge_check_backlog(e);
    buf_fini(&head);
}

static void fanout(struct sessman *sm, uint64_t ticket, struct session *const *sessions, size_t n,
                   struct slice stanza, size_t to_at)
{
    uint64_t ids[FANOUT_MAX];
    metric_add(sm->metrics, M_FANOUT_COPIES, n);
    /* One frame an edge; edges are few, so each pass picks out one edge's sessions. */
    for (size_t first = 0; first < n; first++) {
        struct edge *e = sessions[first]->edge;
        bool seen = false;
        for (size_t i = 0; i < first && !seen; i++)
            seen = sessions[i]->edge == e;
        if (seen)
            continue;
        size_t k = 0;
        for (size_t i = first; i < n; i++) {
            if (sessions[i]->edge != e)
                continue;
            ids[k++] = sessions[i]->id;
            if (k == FANOUT_MAX) {
                fanout_to_edge(sm, ticket, e, ids, k, stanza, to_at);
                k = 0;
            }
        }
        if (k)
            fanout_to_edge(sm, ticket, e, ids, k, stanza, to_at);
    }
}

/* Some have inactive clients, which may not get it now, or something that comes before it. */
static void fanout_to_some(struct sessman *sm, uint64_t ticket, struct session *const *sessions, size_t n,
                           struct slice stanza, size_t to_at)
{
    struct session *now[64];
    struct csi_what what = { 0 };
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (sessions[i]->csi && csi_hold(sessions[i]->csi, ticket, stanza, to_at, &what))
            continue;
        if (sessions[i]->sm && !smqueue_fanout(sm, sessions[i], ticket, stanza, to_at))
            continue;
        uint64_t own = sessions[i]->sm ? ticket : ticket_for(sm, sessions[i], ticket);
        if (own != ticket) {
            fanout(sm, own, &sessions[i], 1, stanza, to_at);
            continue;
        }
        now[k++] = sessions[i];
        if (k == sizeof now / sizeof *now) {
            fanout(sm, ticket, now, k, stanza, to_at);
            k = 0;
        }
    }
    if (k)
        fanout(sm, ticket, now, k, stanza, to_at);
}

void out_fanout(struct sessman *sm, uint64_t ticket, struct session *const *sessions, size_t n,
                struct slice stanza, size_t to_at)
{
    uint64_t committed = store_committed(sm->store);
    bool some = ticket > committed;
    if (!fits(sm, stanza))
        return;
    for (size_t i = 0; i < n && !some; i++)
        some = sessions[i]->csi || sessions[i]->sm || sessions[i]->held_ticket > committed;
    if (some)
        fanout_to_some(sm, ticket, sessions, n, stanza, to_at);
    else
        fanout(sm, ticket, sessions, n, stanza, to_at);
}

bool out_name(struct sessman *sm, uint64_t ticket, struct slice name, struct slice stanza)
{
    if (!fits(sm, stanza))
        return false;
    metric_add(sm->metrics, M_STANZAS_OUT, 1);
    if (outbox_takes(sm, name)) /* its row is committed with, or after, what ticket stands for */
        outbox_put(sm, name, stanza);
    else if (!hold(sm, ticket, NULL, 0, FRAME_STANZA, name, &stanza, 1))
        name_send(sm, name, stanza);
    return true;
}

uint64_t out_held_ticket(const struct sessman *sm)
{
    uint64_t most = 0;
    LIST_EACH(&sm->out->held, it) {
        const struct held_frame *h = CONTAINER(it, struct held_frame, link);
        if (h->ticket > most)
            most = h->ticket;
    }
    return most;
}

void out_committed(struct sessman *sm)
{
    uint64_t committed = store_committed(sm->store);
    LIST_EACH(&sm->out->held, it) {
        struct held_frame *h = CONTAINER(it, struct held_frame, link);
        if (h->ticket > committed)
            continue; /* another session's, of a later turn: it holds nobody else up */
        struct slice payload = slice_of(h->bytes + h->name_len, h->len);
        if (h->pos)
            send_message(sm, h->edge, h->session, h->account, h->pos, payload);
        else if (h->edge)
            rlink_send(sm->rlink, h->edge->node, h->kind, h->session, &payload, 1);
        else
            name_send(sm, slice_of(h->bytes, h->name_len), payload);
        list_unlink(it);
        mem_free(h);
    }
}

static void held_drop(struct sessman *sm, struct held_frame *h)
{
    if (h->pos)
        journal_unsettled(sm, h->account, h->pos);
    list_unlink(&h->link);
    mem_free(h);
}

void out_forget(struct sessman *sm, const struct edge *e)
{
    LIST_EACH(&sm->out->held, it) {
        struct held_frame *h = CONTAINER(it, struct held_frame, link);
        if (h->edge == e)
            held_drop(sm, h);
    }
}

void out_session_gone(struct sessman *sm, const struct session *s)
{
    LIST_EACH(&sm->out->held, it) {
        struct held_frame *h = CONTAINER(it, struct held_frame, link);
        if (h->pos && h->session == s->id && h->edge == s->edge)
            held_drop(sm, h);
    }
}
