#include "sessman/edges.h"

#include "common/base/mem.h"
#include "sessman/dispatch.h"
#include "sessman/edgeacks.h"
#include "sessman/fast.h"
#include "sessman/out.h"
#include "sessman/outbox.h"
#include "sessman/restore.h"
#include "sessman/resume.h"
#include "sessman/transit.h"

struct kept {
    struct link link;
    struct frame f; /* its payload points behind it */
};

/* --- sessions that wait for the edge --- */

#define ANSWERED_MAX (1u << 20) /* bytes */

/* Of what makes an edge lose its sessions: where they wait, and where they go on. */
enum { BEHIND_PART = 4, ROOM_PART = 8 };

static bool holds_more_than(const struct edge *e, unsigned part)
{
    return rlink_unacked(e->sm->rlink, e->node) > e->sm->conf->edge_backlog_max / part;
}

static void wait_for_edge(struct session *s)
{
    if (link_in_list(&s->busy))
        return;
    s->stalled++;
    list_append(&s->edge->busy, &s->busy);
}

void edge_answered(struct session *s, size_t bytes)
{
    s->answered = bytes < ANSWERED_MAX - s->answered ? s->answered + (uint32_t)bytes : ANSWERED_MAX;
    if (s->answered >= ANSWERED_MAX)
        wait_for_edge(s);
}

/* After an acknowledgement or a commit: one of them follows whatever made a session wait. */
static void go_on(struct edge *e)
{
    while (!list_empty(&e->busy) && !holds_more_than(e, ROOM_PART)) {
        struct session *s = CONTAINER(e->busy.next, struct session, busy);
        if (s->ticket > store_committed(e->sm->store))
            break;
        list_unlink(&s->busy);
        s->answered = 0;
        session_unstall(e->sm, s);
    }
}

static void end_all(struct edge *e)
{
    size_t at = 0;
    for (struct session *s; (s = idmap_next(e->sessions, &at)) != NULL; at = 0)
        if (!resume_hibernate(e->sm, s, 0)) /* both take it out of the table: begin again */
            session_end(e->sm, s);
    out_forget(e->sm, e);
}

static void on_overflow(struct turn *t)
{
    struct edge *e = CONTAINER(t, struct edge, end_sessions);
    struct log_ctx log = sessman_log(e->sm, LOG_LINK);
    LOG_ERROR(&log, "edge_overflow", F_STR("instance", e->node->instance),
              F_UINT("sessions", idmap_count(e->sessions)),
              F_UINT("bytes", rlink_unacked(e->sm->rlink, e->node)), F_UINT("held_bytes", e->held_bytes));
    metric_add(e->sm->metrics, M_EDGE_OVERFLOWS, 1);
    end_all(e);
    e->overflow = false;
}

void edge_check_backlog(struct edge *e)
{
    if (e->overflow || !idmap_count(e->sessions) ||
        rlink_unacked(e->sm->rlink, e->node) + e->held_bytes <= e->sm->conf->edge_backlog_max)
        return;
    e->overflow = true; /* not now: the caller is in the middle of these sessions */
    e->end_sessions.fn = on_overflow;
    loop_at_turn_end(e->sm->loop, &e->end_sessions);
}

/* The session ended here, the edge does not know yet, or never heard of it (it was out of reach): now it
 * does. */
void edge_stray(struct edge *e, uint64_t id)
{
    if (!id || rlink_unacked(e->sm->rlink, e->node) > e->sm->conf->edge_backlog_max)
        return; /* an edge that asks without end and does not listen */
    struct buf b = BUF_INIT(0);
    struct control_close c = { STREAM_RESET, SLICE("this session has ended") };
    control_write_close(&b, &c);
    struct slice element = buf_get(&b);
    rlink_send(e->sm->rlink, e->node, FRAME_CONTROL, id, &element, 1);
    buf_fini(&b);
}

static void edge_free(struct edge *e)
{
    struct sessman *sm = e->sm;
    loop_turn_drop(sm->loop, &e->end_sessions);
    fast_edge_gone(sm, e);
    edgeacks_free(e);
    LIST_EACH(&e->kept, it)
        mem_free(CONTAINER(it, struct kept, link));
    idmap_free(&e->sessions);
    idmap_free(&e->given);
    e->node->user = NULL;
    mem_free(e);
}

static struct edge *edge_new(struct sessman *sm)
{
    struct edge *e = mem_new(sizeof *e);
    e->sm = sm;
    e->sessions = idmap_new();
    list_init(&e->busy);
    list_init(&e->kept);
    return e;
}

static struct edge *edge_of(struct sessman *sm, struct rnode *node)
{
    struct edge *e = node->user;
    if (!e) {
        e = edge_new(sm);
        e->node = node;
        e->is_s2s = node->role == ROLE_S2S;
        node->user = e;
    }
    return e;
}
struct edge *edge_restored(struct sessman *sm, uint64_t node, struct slice instance, uint32_t incarnation,
                           uint64_t done, struct slice beyond)
{
    struct edge *e = edge_new(sm);
    edgeacks_restore(e, node, instance, incarnation, done, beyond);
    return e;
}

void edge_expect(struct edge *e)
{
    e->node = edgeacks_expect(e);
    e->node->user = e;
    e->rejoining = true;
    e->awaited = idmap_count(e->sessions) > 0;
}
/* Requests to sessions without stream management that the edge has not had are answered for them, as for a
 * resource that is not there (RFC 6121 8.5.3.2.3); those of the others stand in their queues. */
static void answer_requests(struct sessman *sm, struct edge *e)
{
    uint64_t at = 0;
    struct frame f;
    while (rlink_unacked_next(sm->rlink, e->node, &at, &f)) {
        const struct session *s = f.kind == FRAME_STANZA ? idmap_get(e->sessions, f.session) : NULL;
        if (!s || s->sm || !slice_starts(f.payload, SLICE("<iq")))
            continue;
        struct arena *a = arena_take(sm->arenas);
        f.payload = arena_copy(a, f.payload);
        f.flags = 0;
        dispatch_bounce(sm, &f);
        arena_give(sm->arenas, &a);
    }
}

static void edge_lost(struct sessman *sm, struct edge *e)
{
    uint64_t node = e->node->id;
    bool awaited = e->awaited;
    answer_requests(sm, e);
    end_all(e);
    outbox_node_lost(e);
    transit_lost(e);
    edge_free(e);
    store_run(sm->store, STMT_EDGE_DEL, STORE_VALUES(STORE_I(node)), NULL, NULL);
    if (awaited)
        restore_edge_gone(sm);
}

struct edge *edge_find(const struct sessman *sm, uint64_t node)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;)
        if (n->id == node)
            return n->user;
    return NULL;
}

static void on_node(void *owner, struct rnode *node, bool up)
{
    struct sessman *sm = owner;
    struct log_ctx log = sessman_log(sm, LOG_LINK);
    if (node->role != ROLE_EDGE && node->role != ROLE_S2S)
        return;
    if (up && !node->user) {
        edge_of(sm, node);
        LOG_INFO(&log, "edge_up", F_STR("instance", node->instance), F_HEX("node", node->id));
        sessman_domains_announce(sm);
    }
    if (up && node->role == ROLE_S2S) {
        outbox_node_up(sm);
    } else if (!up && node->user) {
        struct edge *e = node->user;
        LOG_WARN(&log, "edge_lost", F_STR("instance", node->instance), F_HEX("node", node->id),
                 F_UINT("sessions", idmap_count(e->sessions)));
        edge_lost(sm, e);
    }
}

static void bad_frame(struct sessman *sm, const struct rnode *from, const char *what)
{
    struct log_ctx log = sessman_log(sm, LOG_LINK);
    metric_add(sm->metrics, M_BAD_FRAMES, 1);
    LOG_WARN(&log, "bad_frame", F_STR("from", from ? from->instance : "router"), F_STR("why", what));
}

/* What an edge says of stanzas that it was given, one by one. */
static void each_mark(struct edge *e, struct arena *a, const struct node *n,
                      void (*take)(struct edge *e, const struct control_mark *mark))
{
    const struct control_mark *marks;
    size_t count;
    struct why why;
    if (control_read_undelivered(a, n, &marks, &count, &why) != RC_OK) {
        bad_frame(e->sm, e->node, why.text);
        return;
    }
    for (size_t i = 0; i < count; i++)
        take(e, &marks[i]);
}

/* A client that has gone did not get it. */
static void undelivered(struct edge *e, const struct control_mark *mark)
{
    transit_returned(e, mark->session, mark->pos);
}

/* A client that does not read has it before itself. */
static void unread(struct edge *e, const struct control_mark *mark)
{
    if (transit_unread(e, mark->session, mark->pos))
        fast_write(e->sm, mark->pos);
}

static void read_at_last(struct edge *e, const struct control_mark *mark)
{
    transit_read(e, mark->session, mark->pos);
}

/* s2s has no sessions, and one thing to say. */
static void sent_elsewhere(struct sessman *sm, struct edge *e, struct arena *a, const struct node *n)
{
    const struct control_run *runs;
    size_t count;
    struct why why = { "not for an s2s to say" };
    if (control_kind_of(n) == CONTROL_SENT && control_read_sent(a, n, &runs, &count, &why) == RC_OK)
        outbox_sent(e, runs, count);
    else
        bad_frame(sm, e->node, why.text);
}

/* The first frame of a session opens it; any other for an id that is not known is late (its session was
 * closed). Returns the ticket that the frame is done with. */
static uint64_t control_frame(struct sessman *sm, struct edge *e, const struct frame *f)
{
    uint64_t ticket = 0;
    struct arena *a = arena_take(sm->arenas);
    struct session *s = idmap_get(e->sessions, f->session);
    struct node *n;
    struct why why;
    if (xmlin_parse(sm->xml, a, f->payload, &sm->xml_limits, &n, &why) != RC_OK) {
        bad_frame(sm, e->node, why.text);
    } else if (!f->session && control_kind_of(n) == CONTROL_UNDELIVERED) {
        each_mark(e, a, n, undelivered);
    } else if (e->is_s2s) {
        sent_elsewhere(sm, e, a, n);
    } else if (!f->session && control_kind_of(n) == CONTROL_UNREAD) {
        each_mark(e, a, n, unread);
    } else if (!f->session && control_kind_of(n) == CONTROL_READ) {
        each_mark(e, a, n, read_at_last);
    } else if (!s && control_kind_of(n) == CONTROL_OPEN) {
        struct control_open open;
        if (control_read_open(a, n, &open, &why) == RC_OK && f->session)
            session_open(e, f->session, &open);
        else
            bad_frame(sm, e->node, why.text);
    } else if (s) {
        ticket = session_control(sm, s, control_kind_of(n), f->mark, a, n);
    }
    arena_give(sm->arenas, &a);
    return ticket;
}

static void frame_now(struct sessman *sm, struct edge *e, const struct frame *f)
{
    struct session *s = f->session ? idmap_get(e->sessions, f->session) : NULL;
    if (s && f->kind == FRAME_STANZA && holds_more_than(e, BEHIND_PART))
        wait_for_edge(s);
    if (e->is_s2s && f->kind == FRAME_STANZA) {
        dispatch_peer_frame(e, f);
    } else if (s && (s->stalled || s->backlog)) {
        session_backlog(s, f);
    } else if (f->kind == FRAME_STANZA && s) {
        dispatch_session_frame(sm, s, f->seq, f->mark, f->payload);
    } else {
        uint64_t next = store_next(sm->store), ticket = 0;
        if (f->kind == FRAME_CONTROL)
            ticket = control_frame(sm, e, f);
        else if (f->kind == FRAME_STANZA)
            edge_stray(e, f->session);
        else
            bad_frame(sm, e->node, "a frame of this kind");
        edge_answer_done(e, f->seq, restore_ticket(sm, next, ticket));
    }
    if (e->sweep)
        edge_sweep(e);
}

/* --- after a restart --- */

/* A frame has its place in the channel, but is not looked at before the barrier is lifted. */
static void keep(struct sessman *sm, struct edge *e, const struct frame *f)
{
    if (e->held_bytes > sm->conf->edge_backlog_max) { /* no window is as large */
        bad_frame(sm, e->node, "more than a window");
        edge_frame_done(e, f->seq, 0);
        return;
    }
    struct kept *k = mem_new(sizeof *k + f->payload.len);
    k->f = *f;
    k->f.payload = slice_of((char *)(k + 1), f->payload.len);
    memcpy(k + 1, f->payload.p, f->payload.len);
    e->held_bytes += sizeof *k + f->payload.len;
    list_append(&e->kept, &k->link);
    edge_frame_wait(e, f->seq);
}

static void go_on_with(struct sessman *sm, struct edge *e)
{
    while (!list_empty(&e->kept)) {
        struct kept *k = CONTAINER(e->kept.next, struct kept, link);
        list_unlink(&k->link);
        e->held_bytes -= sizeof *k + k->f.payload.len;
        frame_now(sm, e, &k->f);
        mem_free(k);
    }
    edge_sweep(e);
}

void edges_go_on(struct sessman *sm)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;)
        if (n->user)
            go_on_with(sm, n->user);
}

void edge_sweep(struct edge *e)
{
    if (!e->sweep || !list_empty(&e->kept) || rlink_taken(e->node) < e->sweep_at)
        return;
    size_t n = 0, at = 0;
    uint64_t *ids = mem_array(idmap_count(e->sessions) + 1, sizeof *ids);
    for (const struct session *s; (s = idmap_next(e->sessions, &at)) != NULL;)
        if (s->unseen && !s->stalled) /* who waits finds its end in its backlog */
            ids[n++] = s->id;
    e->sweep = false;
    for (size_t i = 0; i < n; i++) {
        struct session *s = idmap_get(e->sessions, ids[i]);
        if (s && !resume_hibernate(e->sm, s, 0))
            session_end(e->sm, s);
    }
    mem_free(ids);
}

bool edges_rejoined(const struct sessman *sm)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;) {
        const struct edge *e = n->user;
        if (e && !e->is_s2s && (e->rejoining || e->sweep || !edgeacks_upto(e, e->sweep_at)))
            return false;
    }
    return true;
}

/* Outside the channel: what an edge says of itself to one that was restarted. */
static void outside(struct sessman *sm, struct edge *e, const struct frame *f)
{
    struct arena *a = arena_take(sm->arenas);
    struct control_alive alive;
    struct node *n;
    struct why why = { "outside the channel" };
    if (f->kind == FRAME_CONTROL && xmlin_parse(sm->xml, a, f->payload, &sm->xml_limits, &n, &why) == RC_OK &&
        control_kind_of(n) == CONTROL_ALIVE && control_read_alive(a, n, &alive, &why) == RC_OK)
        restore_alive(sm, e, &alive);
    else
        bad_frame(sm, e->node, why.text);
    arena_give(sm->arenas, &a);
}

static void on_frame(void *owner, struct rnode *from, const struct frame *f)
{
    struct sessman *sm = owner;
    if (!from || (from->role != ROLE_EDGE && from->role != ROLE_S2S)) {
        if (f->kind != FRAME_STANZA || f->session)
            bad_frame(sm, from, "a session's frame from what is no edge");
        else if (restore_waits(sm))
            restore_keep(sm, f);
        else
            dispatch_routed_frame(sm, f);
        if (from && f->seq)
            rlink_done(sm->rlink, from, f->seq);
        return;
    }
    struct edge *e = edge_of(sm, from);
    if (!f->seq)
        outside(sm, e, f);
    else if (edgeacks_knows(e, f->seq))
        edge_frame_done(e, f->seq, 0);
    else if (restore_waits(sm))
        keep(sm, e, f);
    else
        frame_now(sm, e, f);
}

static void on_bounce(void *owner, const struct frame *f)
{
    dispatch_bounce(owner, f);
}

/* What goes to sessions is bounded by their edges' windows: a slow edge is closed by the router. */
static void on_room(void *owner, struct rnode *node)
{
    if (node->role == ROLE_S2S)
        outbox_go_on(owner);
}

static void on_link(void *owner, bool up)
{
    struct sessman *sm = owner;
    if (up)
        restore_link_up(sm);
    if (up && sm->run->ready)
        sm->run->ready(sm->run);
}

static void on_acked(void *owner, struct rnode *node)
{
    (void)owner;
    if (!node->user)
        return;
    edgeacks_heard(node->user);
    transit_acked(node->user);
    go_on(node->user);
}

const struct rlink_ops edges_rlink_ops = {
    .on_node = on_node,
    .on_frame = on_frame,
    .on_bounce = on_bounce,
    .on_room = on_room,
    .on_link = on_link,
    .on_acked = on_acked,
};

void edges_committed(struct sessman *sm)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;) {
        struct edge *e = n->user;
        if (e && e->acks)
            edgeacks_advance(e);
        if (e)
            go_on(e);
    }
}

static void edge_leave(struct edge *e)
{
    size_t at = 0;
    for (struct session *s; (s = idmap_next(e->sessions, &at)) != NULL; at = 0)
        session_leave(e->sm, s);
    out_forget(e->sm, e);
    transit_free(e);
    edge_free(e);
}

void edges_close(struct sessman *sm)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;)
        if (n->user)
            edge_leave(n->user);
}
