#include "sessman/out.h"

#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/edges.h"

/* One frame that waits for its commit; the bytes follow. */
struct held_frame {
    struct link link;
    uint64_t ticket;
    struct edge *edge; /* NULL: by name */
    uint64_t session;  /* 0 for fan-out */
    enum frame_kind kind;
    uint32_t name_len, len;
    char bytes[]; /* name, payload */
};
struct out {
    struct link held; /* in order of being sent */
};

struct out *out_new(void)
{
    struct out *o = mem_new(sizeof *o);
    list_init(&o->held);
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

static void name_send(struct sessman *sm, struct slice name, struct slice stanza)
{
    if (rlink_send_name(sm->rlink, name, &stanza, 1) != RC_OK) {
        struct log_ctx log = sessman_log(sm, LOG_LINK);
        metric_add(sm->metrics, M_BOUNCES, 1);
        LOG_WARN(&log, "stanza_not_routed", F_SLICE("to", name), F_STR("why", "no router is connected"));
    }
}

/* What is sent for a ticket that is not committed is kept, and so is all behind it with that ticket. */
static bool hold(struct sessman *sm, uint64_t ticket, struct edge *edge, uint64_t session,
                 enum frame_kind kind, struct slice name, const struct slice *pieces, size_t n)
{
    if (ticket <= store_committed(sm->store))
        return false;
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += pieces[i].len;
    struct held_frame *h = mem_new(sizeof *h + name.len + len);
    h->ticket = ticket;
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
    return true;
}

static void to_session(struct sessman *sm, uint64_t ticket, const struct session *s, enum frame_kind kind,
                       struct slice bytes)
{
    metric_add(sm->metrics, M_STANZAS_OUT, kind == FRAME_STANZA);
    if (!hold(sm, ticket, s->edge, s->id, kind, SLICE_NONE, &bytes, 1))
        rlink_send(sm->rlink, s->edge->node, kind, s->id, &bytes, 1);
    edge_check_backlog(s->edge);
}

bool out_session(struct sessman *sm, uint64_t ticket, const struct session *s, struct slice stanza)
{
    if (!fits(sm, stanza))
        return false;
    to_session(sm, ticket, s, FRAME_STANZA, stanza);
    return true;
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

void out_fanout(struct sessman *sm, uint64_t ticket, struct session *const *sessions, size_t n,
                struct slice stanza, size_t to_at)
{
    uint64_t ids[FANOUT_MAX];
    if (!fits(sm, stanza))
        return;
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

bool out_name(struct sessman *sm, uint64_t ticket, struct slice name, struct slice stanza)
{
    if (!fits(sm, stanza))
        return false;
    metric_add(sm->metrics, M_STANZAS_OUT, 1);
    if (!hold(sm, ticket, NULL, 0, FRAME_STANZA, name, &stanza, 1))
        name_send(sm, name, stanza);
    return true;
}

void out_committed(struct sessman *sm)
{
    uint64_t committed = store_committed(sm->store);
    LIST_EACH(&sm->out->held, it) {
        struct held_frame *h = CONTAINER(it, struct held_frame, link);
        if (h->ticket > committed)
            continue; /* another session's, of a later turn: it holds nobody else up */
        struct slice payload = slice_of(h->bytes + h->name_len, h->len);
        if (h->edge)
            rlink_send(sm->rlink, h->edge->node, h->kind, h->session, &payload, 1);
        else
            name_send(sm, slice_of(h->bytes, h->name_len), payload);
        list_unlink(it);
        mem_free(h);
    }
}

void out_forget(struct sessman *sm, const struct edge *e)
{
    LIST_EACH(&sm->out->held, it) {
        struct held_frame *h = CONTAINER(it, struct held_frame, link);
        if (h->edge != e)
            continue;
        list_unlink(it);
        mem_free(h);
    }
}
