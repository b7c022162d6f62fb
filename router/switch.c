/* router/switch.c */
#include "router/switch.h"

#include "router/nodes.h"

enum { EDGE_FULL_MS = 3000 };

/* --- out --- */

static void flush_to(struct peer *to)
{
    conn_writev(to->conn, to->out, to->n_out);
    if (to->level != PEER_FRAMES)
        peer_wrote(to, to->out, to->n_out, true);
    to->n_out = 0;
}

/* The end of a read from p: everything collected leaves, then p waits if a destination is full. */
static void flush(struct peer *p)
{
    struct router *r = p->r;
    LIST_EACH(&r->touched, at) {
        struct peer *to = CONTAINER(at, struct peer, touched);
        list_unlink(&to->touched);
        flush_to(to);
        switch_blocked(p, to);
    }
}

static void add(struct peer *to, struct slice raw)
{
    struct router *r = to->r;
    to->out_count++;
    to->out_bytes += raw.len;
    if (to->n_out) {
        struct slice *last = &to->out[to->n_out - 1];
        if (to->level == PEER_FRAMES &&
            last->p + last->len == raw.p) { /* it stands right behind the one before: one piece */
            last->len += raw.len;
            return;
        }
        if (to->n_out == PEER_PIECES)
            flush_to(to);
    }
    if (!link_in_list(&to->touched))
        list_append(&r->touched, &to->touched);
    to->out[to->n_out++] = raw;
}

/* For a component: its stream takes the stanza alone. */
static void add_payload(struct peer *to, struct slice payload)
{
    peer_wire_out(to, payload);
    add(to, payload);
}

static void on_full_too_long(struct timer *t)
{
    struct peer *p = CONTAINER(t, struct peer, full);
    struct log_ctx log = peer_log(p, "writing");
    LOG_WARN(&log, "peer_full", F_STR("name", p->instance), F_UINT("waiting", conn_waiting(p->conn)));
    METRIC_INC(p->r->run->metrics, METRIC_FULL_CLOSED);
    conn_close(p->conn, CONN_OVERFLOW);
}

/* While a node is full, whoever sends to it is paused: a session manager, and with it everybody. Closing the
 * link of an edge loses nothing, since its channel repeats what it missed when it dials again, so it is given
 * less time. */
static uint32_t full_ms(const struct peer *to)
{
    uint32_t ms = to->r->conf->full_ms;
    return to->level == PEER_FRAMES && to->role == ROLE_EDGE && ms > EDGE_FULL_MS ? EDGE_FULL_MS : ms;
}

void switch_blocked(struct peer *from, struct peer *to)
{
    struct router *r = from->r;
    if (!conn_full(to->conn))
        return;
    if (!timer_running(&to->full))
        loop_timer(r->run->loop, &to->full, full_ms(to), on_full_too_long);
    if (from->level == PEER_FRAMES && to->level != PEER_FRAMES)
        return; /* what comes for it bounces: a component that does not read holds up no session manager */
    if (from->blocked_on || from == to || from->going)
        return;
    from->blocked_on = to;
    METRIC_INC(r->run->metrics, METRIC_PAUSES);
    conn_pause(from->conn);
}

void switch_drained(struct peer *p)
{
    timer_stop(&p->full);
    LIST_EACH(&p->r->peers, at) {
        struct peer *from = CONTAINER(at, struct peer, all);
        if (from->blocked_on != p)
            continue;
        from->blocked_on = NULL;
        from->heard_ms = loop_now_ms(from->r->run->loop); /* its silence was our doing */
        conn_resume(from->conn);
    }
}

void switch_forget(struct peer *p)
{
    switch_drained(p);
    list_unlink(&p->touched);
    LIST_EACH(&p->r->peers, at) {
        struct peer *other = CONTAINER(at, struct peer, all);
        if (other->last_peer == p) {
            other->last_peer = NULL;
            other->last_dst = 0;
        }
    }
}

static void write_frame(struct peer *to, const struct frame *f)
{
    uint8_t head[FRAME_HEAD];
    frame_head_write(head, f);
    struct slice pieces[3] = { slice_of((char *)head, sizeof head), f->name, f->payload };
    conn_writev(to->conn, pieces, 3);
}

void switch_control(struct peer *p, struct slice element)
{
    struct frame f = {
        .kind = FRAME_CONTROL, .len = (uint32_t)element.len, .dst = p->id, .payload = element
    };
    write_frame(p, &f);
}

/* --- where to --- */

static struct peer *by_domain(struct router *r, struct slice name)
{
    struct slice domain = jid_domain_in(name);
    if (r->n_admins && domain.len < name.len) {
        struct peer *admin = names_pick(r->names, name, name);
        if (admin)
            return admin;
    }
    return names_pick(r->names, domain, name);
}

struct peer *switch_resolve(struct router *r, struct slice name)
{
    struct peer *to = by_domain(r, name);
    if (!to) /* the s2s daemons: all for one server goes by the same one, so that it stays in order */
        to = names_pick(r->names, SLICE("*"), jid_domain_in(name));
    return to;
}

static void bounce(struct peer *to, const struct frame *f, uint8_t flags)
{
    struct frame b = *f;
    METRIC_INC(to->r->run->metrics, METRIC_BOUNCED);
    b.kind = FRAME_BOUNCE;
    b.flags = flags;
    b.src = 0;
    b.dst = b.name_len ? 0 : to->id;
    b.seq = b.ack = 0;
    write_frame(to, &b);
}

static void refuse(struct peer *p, const char *text)
{
    struct log_ctx log = peer_log(p, "frames");
    METRIC_INC(p->r->run->metrics, METRIC_REFUSED);
    LOG_WARN(&log, "frame_refused", F_STR("instance", p->instance), F_STR("why", text));
    peer_end(p);
}

static void to_name(struct peer *p, const struct frame *f, struct slice raw)
{
    struct peer *to;
    if (p->role == ROLE_EDGE || f->kind != FRAME_STANZA || f->seq) {
        refuse(p, "it may not send this by name"); /* an edge's stanzas are sessman's to address: DESIGN 1 */
        return;
    }
    to = switch_resolve(p->r, f->name);
    if (!to || to == p)
        bounce(p, f, FRAME_F_NO_NAME);
    else if (conn_closing(to->conn))
        bounce(p, f, FRAME_F_NO_NODE);
    else if (to->level != PEER_FRAMES && conn_full(to->conn))
        bounce(p, f, FRAME_F_FULL);
    else if (to->level == PEER_FRAMES)
        add(to, raw);
    else
        add_payload(to, f->payload);
}

static void nobody_there(struct peer *p, const struct frame *f)
{
    if (f->seq || f->kind == FRAME_ACK || f->kind == FRAME_SYNC || f->kind == FRAME_BOUNCE)
        METRIC_INC(p->r->run->metrics, METRIC_DROPPED); /* its channel repeats it */
    else
        bounce(p, f, FRAME_F_NO_NODE);
}

static void to_node(struct peer *p, const struct frame *f, struct slice raw)
{
    struct peer *to = p->last_peer;
    if (f->dst != p->last_dst || !to) {
        to = idmap_get(p->r->nodes, f->dst);
        if (!to || conn_closing(to->conn)) {
            nobody_there(p, f);
            return;
        }
        if (p->role != ROLE_SESSMAN && to->role != ROLE_SESSMAN) {
            refuse(p, "neither end is a sessman");
            return;
        }
        p->last_dst = f->dst;
        p->last_peer = to;
    }
    add(to, raw);
}

static void to_router(struct peer *p, const struct frame *f)
{
    struct why why;
    struct frame pong = { .kind = FRAME_ACK, .dst = p->id };
    if (f->kind == FRAME_ACK) {
        write_frame(p, &pong);
    } else if (f->kind != FRAME_CONTROL) {
        refuse(p, "a frame to nobody");
    } else if (nodes_control(p, f->payload, &why) != RC_OK) {
        refuse(p, why.text);
    }
}

/* --- in --- */

/* What a sender may not say of itself is written over. raw is the loop's read buffer or the peer's own. */
static void stamp(struct peer *p, struct frame *f, struct slice raw)
{
    char *bytes = (char *)(uintptr_t)raw.p;
    uint8_t flags = f->kind == FRAME_SYNC ? f->flags & (FRAME_F_ASK | FRAME_F_REBORN) : 0;
    frame_set_src(bytes, p->id);
    if (flags != f->flags)
        frame_set_flags(bytes, flags);
    f->src = p->id;
    f->flags = flags;
}

void switch_input(struct peer *p, struct slice bytes)
{
    struct frame f;
    struct slice raw;
    struct why why;
    enum rc rc = RC_OK;
    uint64_t before = p->in_count;
    p->in_bytes += bytes.len;
    while (!p->going && (rc = framein_next(&p->frames, &bytes, &f, &raw, &why)) == RC_OK) {
        p->in_count++;
        stamp(p, &f, raw);
        if (f.kind == FRAME_BOUNCE)
            refuse(p, "only the router bounces");
        else if (f.dst)
            to_node(p, &f, raw);
        else if (f.name_len)
            to_name(p, &f, raw);
        else
            to_router(p, &f);
        if (raw.p == p->frames.part.p)
            flush(p); /* the next call may need the room for another part */
    }
    metric_add(p->r->run->metrics, METRIC_FRAMES, p->in_count - before);
    if (rc != RC_OK && rc != RC_AGAIN)
        refuse(p, why.text);
    flush(p);
}
