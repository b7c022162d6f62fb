/* common/edge/edge.c - what comes from the session managers, by a table of control messages */
#include "common/base/mem.h"
#include "common/edge/inside.h"
#include "common/edge/marks.h"
#include "common/xmpp/xmlout.h"

/* What may be sent to a session, in which states, and who takes it. */
struct message {
    struct edge *edge;
    struct esession *session;
    struct arena *arena;
    const struct node *node;
};
struct handler {
    enum control_kind kind;
    unsigned states; /* bits of enum esession_state */
    enum rc (*take)(const struct message *m, struct why *why);
};
#define IN(state) (1u << (state))
#define ANY_STATE (~IN(ESESSION_NONE))

static enum rc on_challenge(const struct message *m, struct why *why);
static enum rc on_success(const struct message *m, struct why *why);
static enum rc on_authenticated(const struct message *m, struct why *why);
static enum rc on_failure(const struct message *m, struct why *why);
static enum rc on_bound(const struct message *m, struct why *why);
static enum rc on_bind_refused(const struct message *m, struct why *why);
static enum rc on_close(const struct message *m, struct why *why);
static enum rc on_flow(const struct message *m, struct why *why);
static enum rc on_sm_enabled(const struct message *m, struct why *why);
static enum rc on_resumed(const struct message *m, struct why *why);
static enum rc on_resume_failed(const struct message *m, struct why *why);

static const struct handler handlers[] = {
    { CONTROL_CHALLENGE, IN(ESESSION_ASKED), on_challenge },
    { CONTROL_SUCCESS, IN(ESESSION_ASKED), on_success },
    { CONTROL_AUTHENTICATED, IN(ESESSION_ASKED), on_authenticated },
    { CONTROL_FAILURE, IN(ESESSION_ASKED), on_failure },
    { CONTROL_BOUND, IN(ESESSION_BINDING), on_bound },
    { CONTROL_BIND_REFUSED, IN(ESESSION_BINDING), on_bind_refused },
    { CONTROL_CLOSE, ANY_STATE, on_close },
    { CONTROL_FLOW, IN(ESESSION_BOUND), on_flow },
    { CONTROL_SM_ENABLED, IN(ESESSION_BOUND), on_sm_enabled },
    { CONTROL_RESUMED, IN(ESESSION_RESUMING), on_resumed },
    { CONTROL_RESUME_FAILED, IN(ESESSION_RESUMING), on_resume_failed },
};

static const struct edge_ops *ops(const struct edge *e, const struct esession *s)
{
    return s->ops ? s->ops : e->conf.ops;
}

static enum rc on_challenge(const struct message *m, struct why *why)
{
    struct slice data;
    enum rc rc = control_read_data(m->arena, m->node, &data, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_STEP;
    ops(m->edge, m->session)->on_challenge(m->session, data);
    return RC_OK;
}

static enum rc on_success(const struct message *m, struct why *why)
{
    struct control_success c;
    enum rc rc = control_read_success(m->arena, m->node, &c, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_AUTHED;
    ops(m->edge, m->session)->on_success(m->session, &c);
    return RC_OK;
}

static enum rc on_authenticated(const struct message *m, struct why *why)
{
    struct control_authenticated c;
    struct jid full;
    enum rc rc = control_read_authenticated(m->arena, m->node, &c, why);
    if (rc == RC_OK && c.full.len)
        rc = jid_parse(m->arena, c.full, &full, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_AUTHED;
    if (c.full.len) {
        m->session->state = ESESSION_BOUND;
        esession_jid_set(m->session, &full);
    }
    if (c.sm)
        esm_begin(m->edge, m->session, c.in, c.out);
    ops(m->edge, m->session)->on_authenticated(m->session, &c);
    return RC_OK;
}

static enum rc on_failure(const struct message *m, struct why *why)
{
    struct control_failure c;
    enum rc rc = control_read_failure(m->arena, m->node, &c, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_OPEN;
    ops(m->edge, m->session)->on_failure(m->session, &c);
    return RC_OK;
}

static enum rc on_bound(const struct message *m, struct why *why)
{
    struct jid full;
    enum rc rc = control_read_bound(m->arena, m->node, &full, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_BOUND;
    esession_jid_set(m->session, &full);
    ops(m->edge, m->session)->on_bound(m->session);
    return RC_OK;
}

static enum rc on_bind_refused(const struct message *m, struct why *why)
{
    struct control_bind_refused c;
    enum rc rc = control_read_bind_refused(m->arena, m->node, &c, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_AUTHED;
    ops(m->edge, m->session)->on_bind_refused(m->session, &c);
    return RC_OK;
}

static enum rc on_close(const struct message *m, struct why *why)
{
    struct control_close c;
    enum rc rc = control_read_close(m->arena, m->node, &c, why);
    if (rc != RC_OK)
        return rc;
    buf_reset(&m->edge->scratch);
    control_write_gone(&m->edge->scratch, false);
    struct slice piece = buf_get(&m->edge->scratch);
    rlink_send(m->edge->link, m->session->node, FRAME_CONTROL, m->session->id, &piece, 1);
    esession_forget(m->edge, m->session);
    ops(m->edge, m->session)->on_close(m->session, c.cond, c.text);
    return RC_OK;
}

static enum rc on_flow(const struct message *m, struct why *why)
{
    uint16_t n;
    enum rc rc = control_read_flow(m->node, &n, why);
    if (rc == RC_OK)
        ops(m->edge, m->session)->on_flow(m->session, n);
    return rc;
}

static enum rc on_sm_enabled(const struct message *m, struct why *why)
{
    struct control_sm_enabled c;
    enum rc rc = control_read_sm_enabled(m->node, &c, why);
    if (rc != RC_OK || !m->session->sm || m->session->sm->enabled)
        return rc;
    esm_enabled(m->session);
    ops(m->edge, m->session)->on_sm_enabled(m->session, &c);
    return RC_OK;
}

static enum rc on_resumed(const struct message *m, struct why *why)
{
    struct control_resumed c;
    enum rc rc = control_read_resumed(m->arena, m->node, &c, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_BOUND;
    esession_jid_set(m->session, &c.full);
    esm_begin(m->edge, m->session, c.in, c.out);
    ops(m->edge, m->session)->on_resumed(m->session, &c);
    return RC_OK;
}

static enum rc on_resume_failed(const struct message *m, struct why *why)
{
    struct control_resume_failed c;
    enum rc rc = control_read_resume_failed(m->node, &c, why);
    if (rc != RC_OK)
        return rc;
    m->session->state = ESESSION_AUTHED;
    ops(m->edge, m->session)->on_resume_failed(m->session, &c);
    return RC_OK;
}

/* --- frames --- */

static void stray(struct edge *e, const struct rnode *from, const struct frame *f, const char *what,
                  const struct why *why)
{
    e->strays++;
    struct log_ctx log = { .log = e->conf.log, .sub = LOG_LINK };
    LOG_INFO(&log, "frame_dropped", F_STR("from", from->instance), F_STR("kind", frame_kind_name(f->kind)),
             F_UINT("session", f->session), F_STR("what", what), F_STR("why", why ? why->text : ""));
}

/* The session a frame is for. NULL: it has ended, which is normal, or the frame is not from its session
 * manager. */
static struct esession *session_of(struct edge *e, const struct rnode *from, uint64_t id)
{
    struct esession *s = idmap_get(e->sessions, id);
    return s && s->node == from ? s : NULL;
}

static void session_control(struct edge *e, struct arena *a, struct rnode *from, const struct frame *f,
                            const struct node *node)
{
    struct esession *s = session_of(e, from, f->session);
    if (!s)
        return;
    struct message m = { e, s, a, node };
    enum control_kind kind = control_kind_of(node);
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (handlers[i].kind != kind || !(handlers[i].states & IN(s->state)))
            continue;
        struct why why = { "" };
        if (handlers[i].take(&m, &why) != RC_OK)
            stray(e, from, f, "malformed", &why);
        return;
    }
    stray(e, from, f, "out of turn", NULL);
}

static bool alive(void *ctx, uint64_t id)
{
    const struct edge *e = ctx;
    const struct rnode *node;
    size_t at = 0;
    while ((node = rlink_next_node(e->link, &at))) {
        if (node->id == id)
            return true;
    }
    return false;
}

/* What is known of a session manager besides hangs from its node. */
struct peer {
    struct rnode *node;
    struct marks *marks; /* what it is to be told after a restart */
    struct link taken;   /* in edge->taken */
    uint64_t seq;        /* of the last frame of this turn */
};

static struct peer *peer_of(struct rnode *node)
{
    struct peer *p = node->user;
    if (!p) {
        p = node->user = mem_new(sizeof *p);
        p->node = node;
    }
    return p;
}

static void peer_forget(struct rnode *node)
{
    struct peer *p = node->user;
    if (!p)
        return;
    list_unlink(&p->taken);
    marks_free(&p->marks);
    mem_free(p);
    node->user = NULL;
}

static void node_control(struct edge *e, struct arena *a, struct rnode *from, const struct frame *f,
                         const struct node *node)
{
    struct control_domain *list;
    size_t n;
    struct why why = { "" };
    uint64_t seq;
    if (control_kind_of(node) == CONTROL_SETTLED) {
        if (control_read_settled(node, &seq, &why) == RC_OK)
            marks_settled(&peer_of(from)->marks, seq);
        else
            stray(e, from, f, "malformed", &why);
    } else if (control_kind_of(node) != CONTROL_DOMAINS) {
        stray(e, from, f, "unknown", NULL);
    } else if (control_read_domains(a, node, &list, &n, &why) != RC_OK) {
        stray(e, from, f, "malformed", &why);
    } else {
        domains_take(e->domains, from->id, list, n, alive, e);
        e->conf.ops->on_domains(e->conf.owner);
    }
}

static void take_control(struct edge *e, struct rnode *from, const struct frame *f)
{
    static const struct xmlin_limits limits = { FRAME_MAX, 16, 65536, 64 };
    struct arena *a = arena_take(e->conf.arenas);
    struct node *node;
    struct why why = { "" };
    if (xmlin_parse(e->conf.xml, a, f->payload, &limits, &node, &why) != RC_OK)
        stray(e, from, f, "malformed", &why);
    else if (f->session)
        session_control(e, a, from, f, node);
    else
        node_control(e, a, from, f, node);
    arena_give(e->conf.arenas, &a);
}

static void to_client(struct edge *e, struct esession *s, const struct slice *pieces, size_t n, uint64_t mark)
{
    ops(e, s)->on_stanza(s, pieces, n, mark);
    if (s->sm)
        esm_wrote(e, s);
}

static void take_fanout(struct edge *e, struct rnode *from, const struct frame *f)
{
    struct fanout fan;
    struct why why = { "" };
    if (fanout_read(f->payload, &fan, &why) != RC_OK) {
        stray(e, from, f, "malformed", &why);
        return;
    }
    struct slice pieces[5] = { slice_to(fan.stanza, fan.to_at), SLICE(" to='"), SLICE_NONE, SLICE("'"),
                               slice_from(fan.stanza, fan.to_at) };
    for (uint32_t i = 0; i < fan.n; i++) {
        struct esession *s = session_of(e, from, fanout_id(&fan, i));
        if (!s || s->state != ESESSION_BOUND)
            continue;
        pieces[2] = esession_jid(s);
        if (s->escape) {
            buf_reset(&e->scratch);
            xmlout_value(&e->scratch, pieces[2]);
            pieces[2] = buf_get(&e->scratch);
        }
        to_client(e, s, pieces, 5, 0);
    }
}

static void tell_of(struct edge *e, struct rnode *to,
                    void (*write)(struct buf *out, const struct control_mark *marks, size_t n),
                    const struct control_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i += CONTROL_LIST_MAX) {
        buf_reset(&e->scratch);
        write(&e->scratch, marks + i, n - i < CONTROL_LIST_MAX ? n - i : CONTROL_LIST_MAX);
        struct slice piece = buf_get(&e->scratch);
        rlink_send(e->link, to, FRAME_CONTROL, 0, &piece, 1);
    }
}

static struct rnode *node_by_id(const struct edge *e, uint64_t id)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(e->link, &at)) != NULL;)
        if (n->id == id)
            return n;
    return NULL;
}

void edge_undelivered(struct edge *e, uint64_t node, const struct control_mark *marks, size_t n)
{
    struct rnode *to = node_by_id(e, node);
    if (!to)
        return;
    marks_drop(peer_of(to)->marks, marks, n);
    tell_of(e, to, control_write_undelivered, marks, n);
}

void edge_unread(struct edge *e, uint64_t node, const struct control_mark *marks, size_t n)
{
    struct rnode *to = node_by_id(e, node);
    if (to)
        tell_of(e, to, control_write_unread, marks, n);
}

/* What it has settled says nothing of these before it has heard this. Then it has the acknowledgement of a
 * later frame. */
void edge_read(struct edge *e, uint64_t node, const struct control_mark *marks, size_t n)
{
    struct rnode *to = node_by_id(e, node);
    if (!to)
        return;
    for (size_t i = 0; i < n; i++)
        marks_add(&peer_of(to)->marks, rlink_taken(to) + 1, marks[i]);
    tell_of(e, to, control_write_read, marks, n);
}

static void take_stanza(struct edge *e, struct rnode *from, const struct frame *f)
{
    struct control_mark mark = { f->session, f->mark, f->origin };
    struct esession *s = session_of(e, from, f->session);
    if (s) {
        if (f->mark)
            marks_add(&peer_of(from)->marks, f->seq, mark);
        to_client(e, s, &f->payload, 1, f->mark);
        if (f->origin && !e->conf.ops->on_flushed)
            tell_of(e, from, control_write_unread, &mark, 1);
    } else if (f->mark) {
        tell_of(e, from, control_write_undelivered, &mark, 1);
    }
}

static void on_flushed(struct turn *t)
{
    struct edge *e = CONTAINER(t, struct edge, flushed);
    if (e->conf.ops->on_flushed)
        e->conf.ops->on_flushed(e->conf.owner);
    LIST_EACH(&e->taken, it) {
        struct peer *p = CONTAINER(it, struct peer, taken);
        list_unlink(it);
        rlink_done(e->link, p->node, p->seq);
    }
}

/* It is in the client's output, or nobody's any more; acknowledged when the sockets have been offered that.
 */
static void taken(struct edge *e, struct rnode *from, uint64_t seq)
{
    struct peer *p = peer_of(from);
    p->seq = seq;
    if (!link_in_list(&p->taken))
        list_append(&e->taken, &p->taken);
    loop_after_flush(e->conf.loop, &e->flushed);
}

static void on_frame(void *owner, struct rnode *from, const struct frame *f)
{
    struct edge *e = owner;
    if (!from) /* by name, from a component: an edge has no name */
        return;
    if (from->role != ROLE_SESSMAN) {
        stray(e, from, f, "not a session manager", NULL);
    } else if (f->kind == FRAME_STANZA) {
        take_stanza(e, from, f);
    } else if (f->kind == FRAME_FANOUT) {
        take_fanout(e, from, f);
    } else if (f->kind == FRAME_CONTROL) {
        take_control(e, from, f);
    }
    if (f->seq)
        taken(e, from, f->seq);
}

/* --- nodes --- */

/* fn may end sessions. Returns how many there were. */
static size_t for_sessions(struct edge *e, const struct rnode *node, bool (*which)(const struct esession *s),
                           void (*fn)(struct edge *e, struct esession *s))
{
    size_t n = 0, at = 0;
    uint64_t *ids = mem_array(idmap_count(e->sessions) + 1, sizeof *ids);
    const struct esession *each;
    while ((each = idmap_next(e->sessions, &at))) {
        if (each->node == node && (!which || which(each)))
            ids[n++] = each->id;
    }
    for (size_t i = 0; i < n; i++) {
        struct esession *s = idmap_get(e->sessions, ids[i]);
        if (s)
            fn(e, s);
    }
    mem_free(ids);
    return n;
}

static void lose(struct edge *e, struct esession *s)
{
    esession_forget(e, s);
    ops(e, s)->on_close(s, STREAM_RESET, SLICE("session manager restarted"));
}

/* Ends every session of a session manager that is gone: nobody is there to be told. */
static void lose_sessions(struct edge *e, const struct rnode *node)
{
    struct log_ctx log = { .log = e->conf.log, .sub = LOG_LINK };
    size_t n = for_sessions(e, node, NULL, lose);
    if (n)
        LOG_WARN(&log, "sessions_lost", F_STR("sessman", node->instance), F_UINT("sessions", n));
}

static void on_node(void *owner, struct rnode *node, bool up)
{
    struct edge *e = owner;
    if (up)
        return;
    if (node->role == ROLE_SESSMAN)
        lose_sessions(e, node);
    peer_forget(node);
}

/* --- a session manager was restarted --- */

enum { ALIVE_PART = 1000 }; /* sessions, or marks, of one element */

static void tell_alive(struct edge *e, struct rnode *node, const struct control_alive *c)
{
    buf_reset(&e->scratch);
    control_write_alive(&e->scratch, c);
    rlink_tell(e->link, node, buf_get(&e->scratch));
}

static void tell_sessions(struct edge *e, struct rnode *node, uint64_t upto)
{
    struct control_alive_session part[ALIVE_PART];
    struct control_alive c = { .sessions = part, .upto = upto };
    size_t at = 0;
    for (const struct esession *s; (s = idmap_next(e->sessions, &at)) != NULL;) {
        if (s->node != node || s->state != ESESSION_BOUND)
            continue;
        part[c.n_sessions] = (struct control_alive_session){ .id = s->id };
        if (s->sm && s->sm->enabled) {
            part[c.n_sessions].sm = true;
            part[c.n_sessions].out = (uint32_t)s->sm->n.out;
            part[c.n_sessions].acked = (uint32_t)s->sm->n.acked;
        }
        c.n_sessions++;
        if (c.n_sessions < ALIVE_PART)
            continue;
        tell_alive(e, node, &c);
        c.n_sessions = 0;
    }
    tell_alive(e, node, &c);
}

struct telling {
    struct edge *edge;
    struct rnode *node;
    uint64_t upto;
    size_t n;
    struct control_mark part[ALIVE_PART];
};

static void tell_part(struct telling *t, bool end)
{
    struct control_alive c = { .marks = t->part, .n_marks = t->n, .upto = t->upto, .end = end };
    tell_alive(t->edge, t->node, &c);
    t->n = 0;
}

static void tell_mark(void *ctx, struct control_mark mark)
{
    struct telling *t = ctx;
    if (mark.pos)
        t->part[t->n++] = mark;
    if (t->n == ALIVE_PART)
        tell_part(t, false);
}

static void tell_marks(struct edge *e, struct rnode *node, uint64_t upto)
{
    const struct marks *marks = peer_of(node)->marks;
    struct telling t = { .edge = e, .node = node, .upto = upto };
    for (size_t i = 0; i < marks_count(marks); i++)
        tell_mark(&t, marks_get(marks, i));
    if (e->conf.ops->each_unread) /* older than what it has settled */
        e->conf.ops->each_unread(e->conf.owner, node->id, tell_mark, &t);
    tell_part(&t, true);
}

/* It knows nothing of a login that is under way. */
static void end_login(struct edge *e, struct esession *s)
{
    static const struct control_failure failure = { SASL_TEMPORARY_AUTH_FAILURE,
                                                    { "session manager restarted", 25 } };
    bool asked = s->state == ESESSION_ASKED;
    buf_reset(&e->scratch);
    control_write_gone(&e->scratch, false);
    struct slice piece = buf_get(&e->scratch);
    rlink_send(e->link, s->node, FRAME_CONTROL, s->id, &piece, 1);
    esession_forget(e, s);
    if (asked)
        ops(e, s)->on_failure(s, &failure);
    else
        ops(e, s)->on_close(s, STREAM_RESET, failure.text);
}

static bool is_login(const struct esession *s)
{
    return s->state != ESESSION_BOUND;
}

static void on_reborn(void *owner, struct rnode *node)
{
    struct edge *e = owner;
    uint64_t upto = rlink_sent(e->link, node);
    tell_sessions(e, node, upto);
    tell_marks(e, node, upto);
    marks_reborn(peer_of(node)->marks);
    list_unlink(&peer_of(node)->taken); /* by numbers of before */
    for_sessions(e, node, is_login, end_login);
}

static void on_room(void *owner, struct rnode *node)
{
    struct edge *e = owner;
    uint64_t *ids = e->waiting;
    size_t n = e->n_waiting;
    e->waiting = NULL; /* who still finds it full asks again, into a new list */
    e->n_waiting = e->cap_waiting = 0;
    for (size_t i = 0; i < n; i++) {
        struct esession *s = idmap_get(e->sessions, ids[i]);
        if (!s || !s->waits)
            continue;
        s->waits = false;
        if (s->node == node || !esession_full(e, s))
            ops(e, s)->on_room(s);
    }
    mem_free(ids);
}

static void on_link(void *owner, bool up)
{
    struct edge *e = owner;
    struct log_ctx log = { .log = e->conf.log, .sub = LOG_LINK };
    if (up)
        LOG_INFO(&log, "link_up", F_UINT("sessions", idmap_count(e->sessions)));
    else
        LOG_WARN(&log, "link_down", F_UINT("sessions", idmap_count(e->sessions)));
}

static void on_bounce(void *owner, const struct frame *f)
{
    (void)owner; /* an edge sends nothing by name */
    (void)f;
}

static void on_acked(void *owner, struct rnode *node)
{
    esm_acked(owner, node);
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

/* --- the edge --- */

struct edge *edge_new(const struct edge_conf *conf)
{
    struct edge *e = mem_new(sizeof *e);
    e->conf = *conf;
    e->sessions = idmap_new();
    e->domains = domains_new();
    list_init(&e->taken);
    e->flushed.fn = on_flushed;
    esm_init(e);
    e->link = rlink_new(conf->loop, conf->log, conf->link, &link_ops, e);
    return e;
}

void edge_close(struct edge *e)
{
    esm_fini(e);
    loop_after_flush_drop(e->conf.loop, &e->flushed);
    rlink_close(e->link);
}

void edge_free(struct edge **e)
{
    size_t at = 0;
    if (!*e)
        return;
    for (struct rnode *n; (n = rlink_next_node((*e)->link, &at)) != NULL;)
        peer_forget(n);
    rlink_free(&(*e)->link);
    idmap_free(&(*e)->sessions);
    domains_free(&(*e)->domains);
    mem_free((*e)->waiting);
    buf_fini(&(*e)->scratch);
    mem_free(*e);
    *e = NULL;
}

struct rlink *edge_rlink(const struct edge *e)
{
    return e->link;
}

size_t edge_sessions(const struct edge *e)
{
    return idmap_count(e->sessions);
}

uint64_t edge_strays(const struct edge *e)
{
    return e->strays;
}

const struct edge_domain *edge_domain(const struct edge *e, struct slice name)
{
    return domains_get(e->domains, name);
}

const struct edge_domain *edge_domain_next(const struct edge *e, size_t *at)
{
    return domains_next(e->domains, at);
}

size_t edge_domains(const struct edge *e)
{
    return domains_count(e->domains);
}
