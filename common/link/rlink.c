/* common/link/rlink.c - nodes and their channels; a connection to a router is in rconn.c
 *
 * A node is reached over one router at a time (`via`). Whenever that changes, both ends tell each other by
 * SYNC what they have; until the other's SYNC has come, frames wait in the channel, so nothing overtakes a
 * replay. */
#include "common/link/rlink.h"

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/link/channel.h"
#include "common/link/pick.h"
#include "common/link/rask.h"
#include "common/link/rconn.h"
#include "common/link/rlinkconf.h"
#include "common/xmpp/ns.h"

enum {
    ROUTERS_MAX = 32, /* bits of rnode_link.on */
    ACK_FRAMES = 64,  /* so many are acknowledged without waiting, so that the sender need not keep more */
    WORK_MAX = 64,
    CONTROL_ARENA = 4096,
    CONTROL_ARENA_MAX = 8 << 20,
};

static const struct xmlin_limits control_limits = {
    .stanza_bytes = FRAME_MAX, .depth = 8, .elements = 4096, .attrs = 32
};

struct rnode_link {
    struct rnode node; /* what the owner sees */
    struct rlink *rl;
    struct channel *ch;
    struct rconn *via;   /* NULL: no router has it */
    uint32_t on;         /* bit i: router i has it */
    uint32_t own, other; /* incarnations of this channel; other 0: not heard yet */
    bool synced;         /* the other end's SYNC has come over the present way: frames flow */
    bool met; /* it has named our incarnation in a SYNC: what it says is meant for us, not for what we were */
    bool gap_told; /* SYNC was sent for a gap, and nothing has come since */
    bool was_full, again;
    bool reborn;     /* we were restarted, and it has not told all yet: rlink_expect, rlink_rejoined */
    bool told;       /* the owner was told, over the present way, that the node was restarted */
    bool replay_due; /* what was sent from number replay_had on is to be sent again, when there is room */
    uint64_t replay_had;
    struct timer ack, grace;
};

struct rlink {
    struct loop *loop;
    struct rlink_conf conf; /* strings are ours */
    const struct rlink_ops *ops;
    void *owner;
    struct rconn_shared shared;
    struct rconn *routers[ROUTERS_MAX];
    struct components {
        char **names;
        size_t n;
    } components[ROUTERS_MAX]; /* of routers[i] */
    unsigned n_routers;
    struct idmap *nodes; /* struct rnode_link by id; owns them */
    char **names;        /* ours */
    size_t n_names;
    struct arena_pool *arenas;
    struct rasks asks;
    bool closed;
};

static struct log_ctx log_of(const struct rlink *rl)
{
    return (struct log_ctx){ .log = rl->shared.log, .sub = LOG_LINK };
}

/* --- what is said to a node outside its channel --- */

static void send_head(const struct rnode_link *l, struct rconn *via, struct frame f)
{
    uint8_t head[FRAME_HEAD];
    f.dst = l->node.id;
    frame_head_write(head, &f);
    rconn_send(via, slice_of((char *)head, sizeof head));
}

static void send_sync(struct rnode_link *l, struct rconn *via, bool ask)
{
    send_head(l, via,
              (struct frame){ .kind = FRAME_SYNC,
                              .flags = (uint8_t)((ask ? FRAME_F_ASK : 0) | (l->reborn ? FRAME_F_REBORN : 0)),
                              .session = (uint64_t)l->own << 32 | l->other,
                              .ack = channel_taken(l->ch),
                              .mark = channel_acked_seq(l->ch) });
}

static void send_ack(struct rnode_link *l)
{
    l->again = false;
    if (l->via && channel_done_seq(l->ch))
        send_head(l, l->via, (struct frame){ .kind = FRAME_ACK, .ack = channel_ack_take(l->ch) });
}

static void replay(struct rnode_link *l);

static void on_ack_due(struct timer *t)
{
    struct rnode_link *l = CONTAINER(t, struct rnode_link, ack);
    if (l->replay_due)
        replay(l);
    if (channel_ack_due(l->ch) || l->again)
        send_ack(l);
}

static void ack_soon(struct rnode_link *l)
{
    if (!timer_running(&l->ack))
        loop_timer(l->rl->loop, &l->ack, l->rl->conf.ack_ms, on_ack_due);
}

/* --- nodes come and go --- */

static void rnode_names_clear(struct rnode *n)
{
    for (size_t i = 0; i < n->n_names; i++)
        mem_free(n->names[i]);
    MEM_FREE(&n->names);
    n->n_names = 0;
}

static void rnode_free(struct rnode_link *l)
{
    timer_stop(&l->ack);
    timer_stop(&l->grace);
    channel_free(&l->ch);
    rnode_names_clear(&l->node);
    mem_free(l->node.instance);
    mem_free(l);
}

static void rnode_fresh(struct rnode_link *l)
{
    channel_free(&l->ch);
    l->ch = channel_new(l->rl->conf.window_bytes);
    l->other = 0;
    l->synced = l->met = l->gap_told = l->was_full = l->again = l->replay_due = l->reborn = l->told = false;
    l->node.user = NULL;
}

static struct rnode_link *rnode_new(struct rlink *rl, uint64_t id)
{
    struct rnode_link *l = mem_new(sizeof *l);
    l->rl = rl;
    l->node.id = id;
    l->node.link = l;
    do
        secret_random(&l->own, sizeof l->own);
    while (!l->own);
    rnode_fresh(l);
    idmap_put(rl->nodes, id, l);
    return l;
}

static void rnode_lost(struct rnode_link *l)
{
    struct rlink *rl = l->rl;
    struct log_ctx log = log_of(rl);
    LOG_INFO(&log, "node_lost", F_HEX("node", l->node.id), F_STR("instance", l->node.instance),
             F_UINT("unacked", channel_unacked(l->ch)));
    rl->ops->on_node(rl->owner, &l->node, false);
    idmap_remove(rl->nodes, l->node.id);
    rnode_free(l);
}

static void on_grace_over(struct timer *t)
{
    rnode_lost(CONTAINER(t, struct rnode_link, grace));
}

/* The node's way has changed, or is to be looked for. */
static void rnode_way(struct rnode_link *l)
{
    struct rlink *rl = l->rl;
    l->via = NULL;
    l->synced = l->replay_due = l->told = false;
    for (unsigned i = 0; i < rl->n_routers && !l->via; i++) {
        if (l->on & 1u << i && rconn_up(rl->routers[i]))
            l->via = rl->routers[i];
    }
    l->node.reachable = l->via != NULL;
    if (l->via) {
        timer_stop(&l->grace);
        send_sync(l, l->via, true);
        send_ack(l); /* an earlier one may have gone with the old way */
    } else if (rlink_up(rl)) {
        loop_timer(rl->loop, &l->grace, rl->conf.node_grace_ms, on_grace_over);
    }
}

static void rnode_off(struct rnode_link *l, const struct rconn *rc)
{
    l->on &= ~(1u << rconn_index(rc));
    if (l->via == rc)
        rnode_way(l);
}

static void rnode_describe(struct rnode *n, const struct control_node_up *up, bool first)
{
    n->role = up->role;
    mem_free(n->instance);
    n->instance = mem_copy(up->instance);
    if (first && !up->n_names)
        return; /* it has only just come (back) to this router: what it had bound counts until it has said it
                   again */
    rnode_names_clear(n);
    n->names = mem_array(up->n_names ? up->n_names : 1, sizeof *n->names);
    n->n_names = up->n_names;
    for (size_t i = 0; i < up->n_names; i++)
        n->names[i] = mem_copy(up->names[i]);
}

/* A new node under the instance name of one that cannot be reached is that daemon, started again: the old one
 * is not waited for. */
static void replace_older(struct rlink *rl, const struct rnode_link *l)
{
    struct rnode_link *other;
    for (size_t at = 0; (other = idmap_next(rl->nodes, &at));) {
        if (other != l && !other->node.reachable && other->node.role == l->node.role &&
            other->node.instance && strcmp(other->node.instance, l->node.instance) == 0)
            loop_timer(rl->loop, &other->grace, 0, on_grace_over);
    }
}

static void rnode_up(struct rlink *rl, struct rconn *rc, const struct control_node_up *up)
{
    bool is_new = false;
    struct rnode_link *l = idmap_get(rl->nodes, up->node);
    struct log_ctx log = log_of(rl);
    if (up->node == rl->shared.node)
        return;
    if (!l) {
        is_new = true;
        l = rnode_new(rl, up->node);
        LOG_INFO(&log, "node_up", F_HEX("node", up->node), F_SLICE("instance", up->instance),
                 F_STR("role", node_role_name(up->role)));
    }
    rnode_describe(&l->node, up, !(l->on & 1u << rconn_index(rc)));
    if (is_new)
        replace_older(rl, l);
    l->on |= 1u << rconn_index(rc);
    if (!l->via)
        rnode_way(l);
    rl->ops->on_node(rl->owner, &l->node, true);
}

/* The other end knows nothing of our channel any more: it had declared us lost. Our incarnation stays: it has
 * had nothing of it, and takes nothing before our SYNC names its own. */
static void rnode_forgot(struct rnode_link *l)
{
    struct rlink *rl = l->rl;
    struct log_ctx log = log_of(rl);
    LOG_WARN(&log, "node_forgot", F_HEX("node", l->node.id), F_STR("instance", l->node.instance),
             F_UINT("unacked", channel_unacked(l->ch)));
    rl->ops->on_node(rl->owner, &l->node, false);
    rnode_fresh(l);
    rl->ops->on_node(rl->owner, &l->node, true);
}

/* --- components --- */

static void components_clear(struct components *c)
{
    for (size_t i = 0; i < c->n; i++)
        mem_free(c->names[i]);
    MEM_FREE(&c->names);
    c->n = 0;
}

static void components_take(struct components *c, const struct slice *names, size_t n)
{
    components_clear(c);
    c->names = mem_array(n ? n : 1, sizeof *c->names);
    c->n = n;
    for (size_t i = 0; i < n; i++)
        c->names[i] = mem_copy(names[i]);
}

bool rlink_component(const struct rlink *rl, struct slice domain)
{
    for (unsigned r = 0; r < rl->n_routers; r++)
        for (size_t i = 0; i < rl->components[r].n; i++)
            if (slice_is(domain, rl->components[r].names[i]))
                return true;
    return false;
}

struct slice rlink_next_component(const struct rlink *rl, unsigned *router, size_t *at)
{
    for (; *router < rl->n_routers; ++*router, *at = 0) {
        if (*at < rl->components[*router].n)
            return slice_cstr(rl->components[*router].names[(*at)++]);
    }
    return SLICE_NONE;
}

/* --- reports --- */

static void send_element(struct rconn *rc, const struct buf *element)
{
    struct slice payload = buf_get(element);
    struct frame f = { .kind = FRAME_CONTROL };
    rconn_send_pieces(rc, &f, &payload, 1);
}

/* Not while much waits for the router already; it says then that we did not answer. */
static void answer(struct rlink *rl, struct rconn *rc, const struct control_ask *ask)
{
    struct buf text = BUF_INIT(CONTROL_TOLD_MAX), out = BUF_INIT(0);
    struct why why = { "it tells nothing" };
    struct control_told told = { .id = ask->id };
    if (rconn_waiting(rc) > rl->conf.window_bytes)
        return;
    told.failed =
        !rl->conf.answer || rl->conf.answer(rl->conf.answer_ctx, ask->what, ask->args, &text, &why) != RC_OK;
    told.text = told.failed ? slice_cstr(why.text) : buf_get(&text);
    control_write_told(&out, &told);
    send_element(rc, &out);
    buf_fini(&out);
    buf_fini(&text);
}

static void say_own(struct rlink *rl, struct rask *k, struct slice what, struct slice args)
{
    struct buf text = BUF_INIT(CONTROL_TOLD_MAX);
    struct why why = { "" };
    struct rlink_told told = { .node = rl->shared.node,
                               .role = slice_cstr(node_role_name(rl->conf.role)),
                               .instance = slice_cstr(rl->conf.instance) };
    if (!rl->conf.answer)
        return;
    told.failed = rl->conf.answer(rl->conf.answer_ctx, what, args, &text, &why) != RC_OK;
    told.text = told.failed ? slice_cstr(why.text) : buf_get(&text);
    rask_say(k, &told);
    buf_fini(&text);
}

void rlink_ask(struct rlink *rl, struct slice what, struct slice args, rlink_on_told on_told, void *ctx)
{
    struct rask *k = rask_new(&rl->asks, on_told, ctx);
    struct buf out = BUF_INIT(0);
    control_write_ask(&out, &(struct control_ask){ .id = rask_id(k), .what = what, .args = args });
    for (unsigned i = 0; i < rl->n_routers && !rl->closed; i++) {
        if (!rconn_up(rl->routers[i]))
            continue;
        rask_sent(k, i);
        send_element(rl->routers[i], &out);
    }
    buf_fini(&out);
    say_own(rl, k, what, args);
    rask_begun(k);
}

void rlink_ask_drop(struct rlink *rl, const void *ctx)
{
    rasks_drop(&rl->asks, ctx);
}

/* --- frames from the router --- */

static void router_control(struct rlink *rl, struct rconn *rc, const struct frame *f)
{
    struct arena *a = arena_take(rl->arenas);
    struct log_ctx log = log_of(rl);
    struct control_node_up up;
    struct control_ask ask;
    struct control_told told;
    struct why why;
    struct node *n = NULL;
    struct slice *names;
    size_t count;
    uint64_t id;
    enum rc got = xmlin_parse(rl->shared.xml, a, f->payload, &control_limits, &n, &why);
    enum control_kind kind = got == RC_OK ? control_kind_of(n) : CONTROL_NONE;
    if (kind == CONTROL_NODE_UP && (got = control_read_node_up(a, n, &up, &why)) == RC_OK) {
        rnode_up(rl, rc, &up);
    } else if (kind == CONTROL_NODE_DOWN && (got = control_read_node_down(n, &id, &why)) == RC_OK) {
        struct rnode_link *l = idmap_get(rl->nodes, id);
        if (l)
            rnode_off(l, rc);
    } else if (kind == CONTROL_COMPONENTS &&
               (got = control_read_names(a, n, &names, &count, &why)) == RC_OK) {
        components_take(&rl->components[rconn_index(rc)], names, count);
    } else if (kind == CONTROL_ASK && (got = control_read_ask(n, &ask, &why)) == RC_OK) {
        answer(rl, rc, &ask);
    } else if (kind == CONTROL_TOLD && (got = control_read_told(a, n, &told, &why)) == RC_OK) {
        rasks_told(&rl->asks, rconn_index(rc), &told);
    }
    if (got != RC_OK)
        LOG_WARN(&log, "router_control", F_STR("router", rconn_address(rc)), F_WHY(&why));
    arena_give(rl->arenas, &a);
}

/* Not while much waits for the router already: who asks again and again without reading costs no more than
 * that. */
static void replay(struct rnode_link *l)
{
    uint64_t at = 0;
    struct slice frame;
    l->replay_due = rconn_waiting(l->via) > l->rl->conf.window_bytes;
    l->synced = !l->replay_due;
    if (l->replay_due)
        ack_soon(l);
    while (l->synced && channel_replay(l->ch, l->replay_had, &at, &frame))
        rconn_send(l->via, frame);
}

/* It was restarted and remembers our side of the channel: what has not been acknowledged is sent again, under
 * the numbers it had; from it everything is new. */
static void rnode_reborn(struct rnode_link *l)
{
    struct rlink *rl = l->rl;
    struct log_ctx log = log_of(rl);
    LOG_INFO(&log, "node_reborn", F_HEX("node", l->node.id), F_STR("instance", l->node.instance),
             F_UINT("unacked", channel_unacked(l->ch)));
    channel_reborn(l->ch);
    l->gap_told = l->again = l->told = false;
}

/* The way that it has just chosen is ours, too. */
static void rnode_follow(struct rnode_link *l, struct rconn *rc)
{
    l->on |= 1u << rconn_index(rc);
    l->told = l->told && l->via == rc;
    l->via = rc;
    l->node.reachable = true;
    timer_stop(&l->grace);
    send_sync(l, rc, false);
}

static void on_sync(struct rnode_link *l, struct rconn *rc, const struct frame *f)
{
    struct rlink *rl = l->rl;
    uint32_t theirs = (uint32_t)(f->session >> 32), ours = (uint32_t)f->session;
    uint64_t had = f->ack;
    bool ask = f->flags & FRAME_F_ASK, reborn = f->flags & FRAME_F_REBORN && ours == l->own;
    if (reborn && l->other != theirs) {
        rnode_reborn(l);
        ask = true; /* our answer tells it what it need not ask for */
    } else if (l->other && l->other != theirs) {
        rnode_forgot(l);
        ask = true;
        had = 0;
    } else if (ours && ours != l->own) { /* it still talks to what we were before; our answer tells it */
        send_sync(l, rc, false);
        return;
    }
    l->other = theirs;
    l->met = l->met || ours == l->own;
    if (l->reborn)
        channel_resume(l->ch, f->mark);
    if (ask && rconn_up(rc))
        rnode_follow(l, rc);
    if (!l->via)
        return;
    if (reborn && !l->told && rl->ops->on_reborn) {
        l->told = true;
        l->synced = false; /* what is sent in there has its turn in the replay */
        rl->ops->on_reborn(rl->owner, &l->node);
    }
    l->replay_had = had;
    replay(l);
}

static void room_check(struct rnode_link *l)
{
    struct rlink *rl = l->rl;
    if (!l->was_full || channel_unacked(l->ch) > rl->conf.window_bytes / 2)
        return;
    l->was_full = false;
    if (rl->ops->on_room)
        rl->ops->on_room(rl->owner, &l->node);
}

static void numbered(struct rnode_link *l, const struct frame *f)
{
    struct rlink *rl = l->rl;
    switch (channel_receive(l->ch, f->seq)) {
    case CHANNEL_NEW:
        l->gap_told = false;
        rl->ops->on_frame(rl->owner, &l->node, f);
        break;
    case CHANNEL_AGAIN:
        l->again = true; /* it may have missed our acknowledgement */
        ack_soon(l);
        break;
    case CHANNEL_GAP:
        if (!l->gap_told && l->via)
            send_sync(l, l->via, false);
        l->gap_told = true;
        break;
    }
}

static void rnode_frame(struct rnode_link *l, struct rconn *rc, const struct frame *f)
{
    if (f->kind == FRAME_SYNC) {
        on_sync(l, rc, f);
        return;
    }
    if (!l->met && (f->seq || f->ack)) { /* numbers of another channel, maybe; they come again */
        if (!l->gap_told && l->via)
            send_sync(l, l->via, true);
        l->gap_told = true;
        return;
    }
    uint64_t acked = channel_acked_seq(l->ch);
    channel_acked(l->ch, f->ack);
    if (channel_acked_seq(l->ch) != acked && l->rl->ops->on_acked)
        l->rl->ops->on_acked(l->rl->owner, &l->node);
    room_check(l);
    if (f->kind == FRAME_ACK)
        return;
    if (f->seq)
        numbered(l, f);
    else
        l->rl->ops->on_frame(l->rl->owner, &l->node, f);
}

static void on_frame(void *owner, struct rconn *rc, const struct frame *f)
{
    struct rlink *rl = owner;
    struct rnode_link *l = f->src ? idmap_get(rl->nodes, f->src) : NULL;
    if (l)
        rnode_frame(l, rc, f);
    else if (f->src)
        return; /* lost meanwhile */
    else if (f->kind == FRAME_CONTROL)
        router_control(rl, rc, f);
    else if (f->kind == FRAME_BOUNCE && rl->ops->on_bounce)
        rl->ops->on_bounce(rl->owner, f);
    else if (f->kind == FRAME_STANZA)
        rl->ops->on_frame(rl->owner, NULL, f);
}

/* --- links up and down --- */

static void names_tell(struct rlink *rl, struct rconn *rc)
{
    struct buf out = BUF_INIT(0);
    struct slice *names = mem_array(rl->n_names ? rl->n_names : 1, sizeof *names);
    for (size_t i = 0; i < rl->n_names; i++)
        names[i] = slice_cstr(rl->names[i]);
    control_write_names(&out, names, rl->n_names);
    send_element(rc, &out);
    mem_free(names);
    buf_fini(&out);
}

static unsigned routers_up(const struct rlink *rl)
{
    unsigned up = 0;
    for (unsigned i = 0; i < rl->n_routers; i++)
        up += rl->routers[i] && rconn_up(rl->routers[i]);
    return up;
}

static void on_up(void *owner, struct rconn *rc)
{
    struct rlink *rl = owner;
    struct rnode_link *l;
    if (rl->n_names)
        names_tell(rl, rc);
    if (routers_up(rl) != 1)
        return;
    for (size_t at = 0; (l = idmap_next(rl->nodes, &at));) { /* the grace runs from here on */
        if (!l->via)
            loop_timer(rl->loop, &l->grace, rl->conf.node_grace_ms, on_grace_over);
    }
    if (rl->ops->on_link)
        rl->ops->on_link(rl->owner, true);
}

static void on_down(void *owner, struct rconn *rc)
{
    struct rlink *rl = owner;
    struct rnode_link *l;
    bool last = routers_up(rl) == 0;
    rasks_down(&rl->asks, rconn_index(rc));
    for (size_t at = 0; (l = idmap_next(rl->nodes, &at));) {
        rnode_off(l, rc);
        if (last)
            timer_stop(&l->grace);
    }
    if (last && rl->ops->on_link)
        rl->ops->on_link(rl->owner, false);
}

static const struct rconn_ops rconn_ops = { on_up, on_down, on_frame };

/* --- life --- */

static void tls_prepare(struct rlink *rl)
{
    struct rconn_shared *sh = &rl->shared;
    struct log_ctx log = log_of(rl);
    struct tls_conf conf = { .trust_file = rl->conf.ca_file };
    enum rc got = tls_ctx_new(&conf, &sh->tls, &sh->tls_why);
    if (got == RC_OK && rl->conf.cert_file) {
        got = tls_ctx_cert(sh->tls, rl->conf.name, rl->conf.cert_file, rl->conf.key_file, &sh->tls_why);
        if (got != RC_OK)
            tls_ctx_free(&sh->tls);
    }
    if (got != RC_OK) {
        sh->tls = NULL;
        LOG_ERROR(&log, "router_tls", F_WHY(&sh->tls_why));
    }
}

struct rlink *rlink_new(struct loop *loop, struct log *log, const struct rlink_conf *conf,
                        const struct rlink_ops *ops, void *owner)
{
    struct rlink *rl = mem_new(sizeof *rl);
    bool tls = false;
    rl->loop = loop;
    rl->ops = ops;
    rl->owner = owner;
    rlinkconf_copy(&rl->conf, conf);
    rl->nodes = idmap_new();
    rasks_init(&rl->asks, loop);
    rl->arenas = arena_pool_new(CONTROL_ARENA, CONTROL_ARENA_MAX, 2);
    rl->shared =
        (struct rconn_shared){ .loop = loop, .log = log, .conf = &rl->conf, .ops = &rconn_ops, .owner = rl };
    rl->shared.xml = xmlin_pool_new(NS_CLIENT, rl->arenas);
    rl->shared.work = work_pool_new(loop, 1, WORK_MAX);
    rl->shared.node = conf->node;
    while (!rl->shared.node)
        rl->shared.node = secret_random_u64();
    for (const char *const *r = conf->routers; *r; r++)
        tls = tls || strncmp(*r, "unix:", 5) != 0;
    if (tls)
        tls_prepare(rl);
    for (const char *const *r = conf->routers; *r && rl->n_routers < ROUTERS_MAX; r++) {
        rl->routers[rl->n_routers] = rconn_new(&rl->shared, mem_copy(slice_cstr(*r)), rl->n_routers);
        rl->n_routers++;
    }
    return rl;
}

void rlink_close(struct rlink *rl)
{
    struct rnode_link *l;
    rl->closed = true;
    rasks_end(&rl->asks);
    for (size_t at = 0; (l = idmap_next(rl->nodes, &at));) {
        if (channel_ack_due(l->ch))
            send_ack(l);
        timer_stop(&l->ack);
        timer_stop(&l->grace);
    }
    for (unsigned i = 0; i < rl->n_routers; i++)
        rconn_stop(rl->routers[i]);
}

static void names_clear(struct rlink *rl)
{
    for (size_t i = 0; i < rl->n_names; i++)
        mem_free(rl->names[i]);
    MEM_FREE(&rl->names);
    rl->n_names = 0;
}

void rlink_free(struct rlink **rlp)
{
    struct rlink *rl = *rlp;
    struct rnode_link *l;
    if (!rl)
        return;
    work_pool_free(&rl->shared.work);
    rasks_fini(&rl->asks);
    for (unsigned i = 0; i < rl->n_routers; i++) {
        mem_free((void *)(uintptr_t)rconn_address(rl->routers[i]));
        rconn_free(&rl->routers[i]);
        components_clear(&rl->components[i]);
    }
    for (size_t at = 0; (l = idmap_next(rl->nodes, &at));)
        rnode_free(l);
    idmap_free(&rl->nodes);
    if (rl->shared.tls)
        tls_ctx_free(&rl->shared.tls);
    xmlin_pool_free(&rl->shared.xml);
    arena_pool_free(&rl->arenas);
    names_clear(rl);
    rlinkconf_drop(&rl->conf);
    MEM_FREE(rlp);
}

/* --- after a restart --- */

struct rnode *rlink_expect(struct rlink *rl, uint64_t node, const char *instance, enum node_role role,
                           uint32_t theirs, uint64_t done)
{
    if (idmap_get(rl->nodes, node))
        return NULL;
    struct rnode_link *l = rnode_new(rl, node);
    l->node.role = role;
    l->node.instance = mem_copy(slice_cstr(instance));
    l->other = theirs;
    l->reborn = true;
    channel_resume(l->ch, done);
    return &l->node;
}

void rlink_rejoined(struct rlink *rl, struct rnode *node)
{
    (void)rl;
    node->link->reborn = false;
}

uint32_t rlink_incarnation(const struct rnode *node)
{
    return node->link->other;
}

uint64_t rlink_taken(const struct rnode *node)
{
    return channel_taken(node->link->ch);
}

void rlink_tell(struct rlink *rl, struct rnode *to, struct slice element)
{
    struct rnode_link *l = to->link;
    struct frame f = { .kind = FRAME_CONTROL, .dst = to->id };
    if (l->via && !rl->closed)
        rconn_send_pieces(l->via, &f, &element, 1);
}

/* --- what the owner asks for --- */

bool rlink_up(const struct rlink *rl)
{
    return routers_up(rl) > 0;
}

void rlink_names(struct rlink *rl, const struct slice *names, size_t n)
{
    names_clear(rl);
    rl->names = mem_array(n ? n : 1, sizeof *rl->names);
    rl->n_names = n;
    for (size_t i = 0; i < n; i++)
        rl->names[i] = mem_copy(names[i]);
    for (unsigned i = 0; i < rl->n_routers; i++) {
        if (rconn_up(rl->routers[i]))
            names_tell(rl, rl->routers[i]);
    }
}

struct rnode *rlink_next_node(const struct rlink *rl, size_t *at)
{
    struct rnode_link *l = idmap_next(rl->nodes, at);
    return l ? &l->node : NULL;
}

static bool has_name(const struct rnode *n, struct slice name)
{
    for (size_t i = 0; i < n->n_names; i++) {
        if (slice_is(name, n->names[i]))
            return true;
    }
    return false;
}

static struct rnode *heaviest(const struct rlink *rl, struct slice domain, struct slice key, bool reachable)
{
    struct rnode *best = NULL, *n;
    uint64_t best_weight = 0;
    for (size_t at = 0; (n = rlink_next_node(rl, &at));) {
        if (n->role != ROLE_SESSMAN || (reachable && !n->reachable) || !has_name(n, domain))
            continue;
        uint64_t weight = pick_weight(slice_cstr(n->instance), key);
        if (!best || weight > best_weight || (weight == best_weight && n->id > best->id)) {
            best = n;
            best_weight = weight;
        }
    }
    return best;
}

struct rnode *rlink_pick(const struct rlink *rl, struct slice domain, struct slice key)
{
    return heaviest(rl, domain, key, rlink_up(rl));
}

struct rnode *rlink_owner(const struct rlink *rl, struct slice domain, struct slice key)
{
    struct rnode *n = heaviest(rl, domain, key, true);
    return n ? n : heaviest(rl, domain, key, false);
}

void rlink_send(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session,
                const struct slice *pieces, size_t n)
{
    rlink_send_marked(rl, to, kind, session, 0, pieces, n);
}

void rlink_send_marked(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session,
                       uint64_t mark, const struct slice *pieces, size_t n)
{
    rlink_send_origin(rl, to, kind, session, mark, 0, pieces, n);
}

void rlink_send_origin(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session,
                       uint64_t mark, uint64_t origin, const struct slice *pieces, size_t n)
{
    struct rnode_link *l = to->link;
    struct frame f = {
        .kind = (uint8_t)kind, .dst = to->id, .session = session, .mark = mark, .origin = origin
    };
    struct slice bytes = channel_send(l->ch, &f, pieces, n);
    l->was_full = l->was_full || channel_full(l->ch);
    if (l->synced && !rl->closed)
        rconn_send(l->via, bytes);
}

bool rlink_unacked_next(const struct rlink *rl, const struct rnode *to, uint64_t *at, struct frame *f)
{
    struct slice bytes;
    size_t used, need;
    (void)rl;
    return channel_replay(to->link->ch, 0, at, &bytes) && frame_decode(bytes, f, &used, &need, NULL) == RC_OK;
}

size_t rlink_unacked(const struct rlink *rl, const struct rnode *to)
{
    (void)rl;
    return channel_unacked(to->link->ch);
}

bool rlink_full(const struct rlink *rl, const struct rnode *to)
{
    (void)rl;
    return channel_full(to->link->ch);
}

void rlink_done(struct rlink *rl, struct rnode *from, uint64_t seq)
{
    struct rnode_link *l = from->link;
    channel_done(l->ch, seq);
    if (rl->closed || !channel_ack_due(l->ch))
        return;
    if (channel_ack_lag(l->ch) >= ACK_FRAMES)
        send_ack(l);
    else
        ack_soon(l);
}

enum rc rlink_send_name(struct rlink *rl, struct slice name, const struct slice *pieces, size_t n)
{
    struct rconn *rc = NULL;
    struct frame f = { .kind = FRAME_STANZA, .name = name, .name_len = (uint16_t)name.len };
    for (unsigned i = 0; i < rl->n_routers && !rc; i++)
        rc = rconn_up(rl->routers[i]) ? rl->routers[i] : NULL;
    if (!rc)
        return RC_CLOSED;
    if (rconn_waiting(rc) > rl->conf.window_bytes || name.len > FRAME_NAME_MAX)
        return RC_LIMIT;
    rconn_send_pieces(rc, &f, pieces, n);
    return RC_OK;
}

uint64_t rlink_sent(const struct rlink *rl, const struct rnode *node)
{
    (void)rl;
    return channel_sent(node->link->ch);
}

uint64_t rlink_acked(const struct rlink *rl, const struct rnode *node)
{
    (void)rl;
    return channel_acked_seq(node->link->ch);
}

/* --- status --- */

struct rlink_queues rlink_queues(const struct rlink *rl)
{
    struct rlink_queues q = { 0, 0 };
    const struct rnode_link *l;
    for (size_t at = 0; (l = idmap_next(rl->nodes, &at));)
        q.unacked += channel_unacked(l->ch);
    for (unsigned i = 0; i < rl->n_routers; i++)
        q.waiting += rconn_waiting(rl->routers[i]);
    return q;
}

const char *rlink_router(const struct rlink *rl, unsigned router)
{
    return rconn_address(rl->routers[router]);
}

static void status_node(const struct rnode_link *l, struct buf *json)
{
    buf_fmt(json, "{\"node\":\"%016llx\",\"instance\":", (unsigned long long)l->node.id);
    text_json(json, slice_cstr(l->node.instance));
    buf_fmt(json, ",\"role\":\"%s\",\"reachable\":%s,\"unacked_bytes\":%zu,\"names\":[",
            node_role_name(l->node.role), l->node.reachable ? "true" : "false", channel_unacked(l->ch));
    for (size_t i = 0; i < l->node.n_names; i++) {
        if (i)
            buf_byte(json, ',');
        text_json(json, slice_cstr(l->node.names[i]));
    }
    BUF_LIT(json, "]}");
}

void rlink_status(const struct rlink *rl, struct buf *json)
{
    const struct rnode_link *l;
    buf_byte(json, '[');
    for (unsigned i = 0; i < rl->n_routers; i++) {
        bool comma = false;
        BUF_LIT(json, "{\"router\":");
        text_json(json, slice_cstr(rconn_address(rl->routers[i])));
        buf_fmt(json, ",\"up\":%s,\"waiting_bytes\":%zu,\"nodes\":[",
                rconn_up(rl->routers[i]) ? "true" : "false", rconn_waiting(rl->routers[i]));
        for (size_t at = 0; (l = idmap_next(rl->nodes, &at));) {
            if (!(l->on & 1u << i))
                continue;
            if (comma)
                buf_byte(json, ',');
            comma = true;
            status_node(l, json);
        }
        buf_cstr(json, i + 1 < rl->n_routers ? "]}," : "]}");
    }
    buf_byte(json, ']');
}
