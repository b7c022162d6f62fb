/* s2s/link.c */
#include "s2s/link.h"

#include "common/base/mem.h"
#include "common/xmpp/xmlout.h"
#include "s2s/custody.h"
#include "s2s/head.h"
#include "s2s/pair.h"
#include "s2s/ssm.h"
#include "s2s/wire.h"

enum { SENT_RUNS = 256 }; /* in one report */

struct hosted {
    char *name;
};

static struct slice name_of(const void *value)
{
    return slice_cstr(((const struct hosted *)value)->name);
}

static bool drop_hosted(void *value, void *ctx)
{
    struct hosted *h = value;
    (void)ctx;
    mem_free(h->name);
    mem_free(h);
    return false;
}

enum ours link_ours(const struct s2s *d, struct slice domain)
{
    if (map_get(d->hosted, domain))
        return OURS_SESSMAN;
    return rlink_component(d->link, domain) ? OURS_COMPONENT : OURS_NOT;
}

struct slice link_domain(const struct s2s *d, size_t *at)
{
    const struct hosted *h = map_next(d->hosted, at);
    return h ? slice_cstr(h->name) : SLICE_NONE;
}

bool link_knows_domains(const struct s2s *d)
{
    return map_count(d->hosted) > 0;
}

/* --- to ours --- */

enum rc link_send(struct s2s *d, const struct jid *to, struct slice bytes, struct link_sent *out)
{
    struct rnode *node = rlink_owner(d->link, to->domain, jid_bare(to));
    if (!node)
        return rlink_component(d->link, to->domain) ? rlink_send_name(d->link, jid_bare(to), &bytes, 1)
                                                    : RC_NOTFOUND;
    rlink_send(d->link, node, FRAME_STANZA, 0, &bytes, 1);
    *out = (struct link_sent){ node, rlink_sent(d->link, node) };
    return RC_OK;
}

bool link_full(const struct s2s *d, const struct link_sent *sent)
{
    return sent->node && rlink_full(d->link, sent->node);
}

static void send_node(struct s2s *d, const struct jid *to, const struct node *n)
{
    struct link_sent sent;
    struct buf out = BUF_INIT(0);
    struct log_ctx log = { .log = d->run->log, .sub = LOG_LINK };
    xmlout_node(&out, n, NS_SERVER);
    if (link_send(d, to, buf_get(&out), &sent) != RC_OK)
        LOG_INFO(&log, "answer_dropped", F_SLICE("domain", to->domain));
    buf_fini(&out);
}

static const struct xmlin_limits frame_limits = { FRAME_MAX, 256, 200000, 1000 };

void link_bounce(struct s2s *d, struct slice bytes, enum stanza_cond cond, const char *text)
{
    struct arena *a = arena_take(d->arenas);
    struct node *n, *error = NULL;
    struct stanza s;
    enum stanza_cond bad;
    if (xmlin_parse(d->xml, a, bytes, &frame_limits, &n, NULL) == RC_OK &&
        stanza_read(a, n, &s, &bad) == RC_OK && s.has_from)
        error = stanza_error(a, &s, cond, text && text[0] ? text : NULL);
    if (error && link_ours(d, s.from.domain) != OURS_NOT) {
        METRIC_INC(d->metrics, M_BOUNCED);
        send_node(d, &s.from, error);
    } else {
        METRIC_INC(d->metrics, M_DROPPED);
    }
    arena_give(d->arenas, &a);
}

/* --- custody --- */

static struct rnode *node_of(const struct s2s *d, uint64_t id)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(d->link, &at)) != NULL;)
        if (n->id == id)
            return n;
    return NULL;
}

static void on_sent_turn(struct turn *t)
{
    struct s2s *d = CONTAINER(t, struct s2s, sent_turn);
    struct control_run runs[SENT_RUNS];
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(d->link, &at)) != NULL;) {
        if (n->role != ROLE_SESSMAN)
            continue;
        for (size_t k; (k = custody_tell(n->user, runs, SENT_RUNS)) > 0;) {
            struct buf out = BUF_INIT(0);
            control_write_sent(&out, runs, k);
            struct slice piece = buf_get(&out);
            rlink_send(d->link, n, FRAME_CONTROL, 0, &piece, 1);
            buf_fini(&out);
        }
    }
}

static void tell_soon(struct s2s *d)
{
    loop_at_turn_end(d->loop, &d->sent_turn);
}

void link_finished(struct s2s *d, uint64_t node, uint64_t mark)
{
    const struct rnode *n = node_of(d, node);
    if (!n)
        return;
    custody_finish(n->user, mark);
    tell_soon(d);
}

size_t link_held(const struct s2s *d)
{
    size_t at = 0, held = 0;
    for (struct rnode *n; (n = rlink_next_node(d->link, &at)) != NULL;)
        if (n->role == ROLE_SESSMAN)
            held += custody_held(n->user);
    return held;
}

/* --- from ours --- */

static void refuse(struct s2s *d, const struct frame *f, uint64_t node, enum stanza_cond cond,
                   const char *text)
{
    link_bounce(d, f->payload, cond, text);
    if (f->mark)
        link_finished(d, node, f->mark);
}

/* Whose it is and where it goes. A component's may be anything. */
static bool addresses(struct s2s *d, struct arena *a, const struct frame *f, bool plain, struct head *out,
                      struct why *why)
{
    struct node *n;
    struct stanza s = { 0 };
    enum stanza_cond cond;
    if (plain && head_read(f->payload, out))
        return true;
    if (xmlin_parse(d->xml, a, f->payload, &frame_limits, &n, why) != RC_OK ||
        stanza_read(a, n, &s, &cond) == RC_UNSUPPORTED || !s.has_to || !s.has_from)
        return false;
    *out = (struct head){ s.from.domain, s.to.domain };
    return true;
}

/* node: the session manager that sent it; 0: a component did. */
static void send_out(struct s2s *d, const struct frame *f, uint64_t node)
{
    struct arena *a = arena_take(d->arenas);
    struct log_ctx log = { .log = d->run->log, .sub = LOG_LINK };
    struct why why = { "" };
    struct head s = { SLICE_NONE, SLICE_NONE };
    bool ok = addresses(d, a, f, node != 0, &s, &why);
    if (!ok || link_ours(d, s.from) == OURS_NOT) {
        LOG_WARN(&log, "frame_dropped", F_SLICE("from", s.from),
                 F_STR("what", ok ? "not from one of our domains" : "no stanza with from and to"),
                 F_WHY(&why));
        METRIC_INC(d->metrics, M_DROPPED);
        if (f->mark)
            link_finished(d, node, f->mark);
    } else if (link_ours(d, s.to) != OURS_NOT) { /* it has become one of ours on the way */
        refuse(d, f, node, COND_SERVICE_UNAVAILABLE, NULL);
    } else if (d->stopping) {
        if (!f->mark)
            refuse(d, f, node, COND_REMOTE_SERVER_TIMEOUT, "stopping");
    } else {
        struct pair *p = pair_get(d, s.from, s.to);
        if (p)
            pair_send(p, item_new(p, f->payload, node, f->mark));
        else
            refuse(d, f, node, COND_RESOURCE_CONSTRAINT, "too many other servers are talked to");
    }
    arena_give(d->arenas, &a);
}

static void take_outbox(struct s2s *d, struct rnode *from, const struct frame *f)
{
    struct custody *c = from->user;
    enum custody_verdict v = f->mark ? custody_take(&c, f->mark) : CUSTODY_NEW;
    from->user = c;
    if (v == CUSTODY_NEW) {
        send_out(d, f, from->id);
        return;
    }
    METRIC_INC(d->metrics, M_AGAIN);
    if (v == CUSTODY_FINISHED)
        tell_soon(d);
}

static void on_frame(void *owner, struct rnode *from, const struct frame *f)
{
    struct s2s *d = owner;
    if (f->kind == FRAME_STANZA && (!from || !f->seq))
        send_out(d, f, 0); /* a component's, by name */
    else if (f->kind == FRAME_STANZA && from->role == ROLE_SESSMAN && !f->session)
        take_outbox(d, from, f);
    if (from && f->seq)
        rlink_done(d->link, from, f->seq);
}

/* What we sent to a component by name came back: its sender is another server. */
static void on_bounce(void *owner, const struct frame *f)
{
    struct s2s *d = owner;
    struct arena *a = arena_take(d->arenas);
    struct node *n, *error = NULL;
    struct stanza s;
    enum stanza_cond cond;
    if (f->kind == FRAME_BOUNCE && xmlin_parse(d->xml, a, f->payload, &frame_limits, &n, NULL) == RC_OK &&
        stanza_read(a, n, &s, &cond) == RC_OK && s.has_from && s.has_to)
        error = stanza_error(
            a, &s, f->flags & FRAME_F_FULL ? COND_RESOURCE_CONSTRAINT : COND_SERVICE_UNAVAILABLE, NULL);
    struct pair *p = error ? pair_get(d, s.to.domain, s.from.domain) : NULL;
    if (p) {
        struct buf out = BUF_INIT(0);
        xmlout_node(&out, error, NS_SERVER);
        pair_send(p, item_new(p, buf_get(&out), 0, 0));
        buf_fini(&out);
    }
    arena_give(d->arenas, &a);
}

/* --- nodes --- */

static void learn_domains(struct s2s *d)
{
    size_t at = 0;
    map_each(d->hosted, drop_hosted, NULL);
    for (struct rnode *n; (n = rlink_next_node(d->link, &at)) != NULL;) {
        for (size_t i = 0; n->role == ROLE_SESSMAN && i < n->n_names; i++) {
            if (map_get(d->hosted, slice_cstr(n->names[i])))
                continue;
            struct hosted *h = mem_new(sizeof *h);
            h->name = mem_copy(slice_cstr(n->names[i]));
            map_put(d->hosted, h);
        }
    }
}

static void on_node(void *owner, struct rnode *node, bool up)
{
    struct s2s *d = owner;
    if (node->role != ROLE_SESSMAN)
        return;
    if (up) {
        learn_domains(d);
    } else {
        struct custody *c = node->user;
        ssm_node_gone(d, node->id);
        custody_free(&c);
        node->user = NULL;
    }
    admit_balance(d);
}

/* All that is in custody stays so; what else it has to know it asks by sending its outbox again. */
static void on_reborn(void *owner, struct rnode *node)
{
    struct s2s *d = owner;
    const struct control_alive c = { .upto = rlink_sent(d->link, node), .end = true };
    struct buf out = BUF_INIT(0);
    control_write_alive(&out, &c);
    rlink_tell(d->link, node, buf_get(&out));
    buf_fini(&out);
}

static void on_room(void *owner, struct rnode *node)
{
    struct s2s *d = owner;
    struct link mine; /* who still finds it full comes into the list again */
    (void)node;
    list_init(&mine);
    while (!list_empty(&d->rooms)) {
        struct link *it = d->rooms.next;
        list_unlink(it);
        list_append(&mine, it);
    }
    while (!list_empty(&mine))
        wire_room(CONTAINER(mine.next, struct wire, room));
}

static void on_link(void *owner, bool up)
{
    struct s2s *d = owner;
    struct log_ctx log = { .log = d->run->log, .sub = LOG_LINK };
    if (up)
        LOG_INFO(&log, "link_up", F_UINT("connections", d->n_in + d->n_out));
    else
        LOG_WARN(&log, "link_down", F_UINT("connections", d->n_in + d->n_out));
}

static void on_acked(void *owner, struct rnode *node)
{
    ssm_acked(owner, node->id);
}

static const struct rlink_ops link_ops = {
    .on_node = on_node,
    .on_frame = on_frame,
    .on_bounce = on_bounce,
    .on_room = on_room,
    .on_link = on_link,
    .on_acked = on_acked,
    .on_reborn = on_reborn,
};

void link_open(struct s2s *d, const struct rlink_conf *conf)
{
    d->hosted = map_new(name_of);
    d->sent_turn.fn = on_sent_turn;
    d->link = rlink_new(d->loop, d->run->log, conf, &link_ops, d);
}

void link_close(struct s2s *d)
{
    loop_turn_drop(d->loop, &d->sent_turn);
    on_sent_turn(&d->sent_turn);
    rlink_close(d->link);
}

void link_fini(struct s2s *d)
{
    size_t at = 0;
    for (struct rnode *n; d->link && (n = rlink_next_node(d->link, &at)) != NULL;) {
        struct custody *c = n->user;
        if (n->role == ROLE_SESSMAN)
            custody_free(&c);
        n->user = NULL;
    }
    rlink_free(&d->link);
    if (d->hosted)
        map_each(d->hosted, drop_hosted, NULL);
    map_free(&d->hosted);
}
