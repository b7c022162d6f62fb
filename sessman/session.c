#include "sessman/session.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "sessman/account.h"
#include "sessman/authinline.h"
#include "sessman/csi.h"
#include "sessman/deliver.h"
#include "sessman/directed.h"
#include "sessman/dispatch.h"
#include "sessman/edges.h"
#include "sessman/fast.h"
#include "sessman/module.h"
#include "sessman/journal.h"
#include "sessman/out.h"
#include "sessman/restore.h"
#include "sessman/resume.h"
#include "sessman/smqueue.h"

struct binding {
    struct session *s; /* NULL: ended meanwhile */
    struct sessman *sm;
    char *resource;
};
struct backlog {
    struct backlog *next;
    struct backlog *last; /* of the first one only */
    uint64_t seq, mark;
    enum frame_kind kind;
    uint32_t len;
    char bytes[];
};

static struct log_ctx session_log(const struct sessman *sm, const struct session *s, enum log_sub sub)
{
    return (struct log_ctx){ sm->log, sub, s->id, s->login ? s->login->ip : NULL, NULL };
}

const char *session_ip(const struct session *s)
{
    return s->login ? s->login->ip : s->ip ? s->ip : "";
}

struct slice session_domain(const struct session *s)
{
    return s->account ? account_domain(s->account) : slice_cstr(s->login->domain);
}

struct jid session_full_jid(const struct session *s)
{
    struct jid j = { .full = session_jid(s), .bare_len = s->bare_len, .resource = session_resource(s) };
    j.local = account_local(s->account);
    j.domain = account_domain(s->account);
    return j;
}

/* --- SASL --- */

static void on_challenge(void *owner, struct slice data)
{
    struct login *l = owner;
    struct buf b = BUF_INIT(0);
    control_write_challenge(&b, data);
    out_control(l->sm, 0, l->s, buf_get(&b));
    buf_fini(&b);
}

void login_succeeded(struct login *l, const struct jid *user)
{
    struct log_ctx log = session_log(l->sm, l->s, LOG_AUTH);
    mem_free(l->user);
    l->user = mem_copy(jid_bare(user));
    metric_add(l->sm->metrics, M_LOGINS, 1);
    LOG_INFO(&log, "authenticated", F_STR("user", l->user));
}

static void on_success(void *owner, const struct jid *user, bool has_data, struct slice data)
{
    struct login *l = owner;
    struct buf b = BUF_INIT(0);
    struct control_success c = { has_data, data, jid_bare(user) };
    if (l->asked) {
        authinline_go(l->asked, user, has_data, data);
        return;
    }
    login_succeeded(l, user);
    if (l->api) {
        apisession_free(&l->s->api);
        l->s->api = apisession_new(auth_grant(l->auth));
    }
    control_write_success(&b, &c);
    out_control(l->sm, 0, l->s, buf_get(&b));
    buf_fini(&b);
}

void login_fail(struct login *l, enum sasl_fail cond, const char *text)
{
    struct buf b = BUF_INIT(0);
    struct control_failure c = { cond, slice_cstr(text) };
    metric_add(l->sm->metrics, M_AUTH_FAILED, 1);
    control_write_failure(&b, &c);
    out_control(l->sm, 0, l->s, buf_get(&b));
    buf_fini(&b);
    MEM_FREE(&l->user); /* another attempt may follow */
    authinline_free(&l->asked);
}

static void on_failure(void *owner, enum sasl_fail cond, const char *text)
{
    login_fail(owner, cond, text);
}

static const struct auth_ops auth_ops = { on_challenge, on_success, on_failure };

struct session *session_open(struct edge *e, uint64_t id, const struct control_open *open)
{
    struct session *s = mem_new(sizeof *s);
    struct login *l = mem_new(sizeof *l);
    s->edge = e;
    s->id = id;
    s->login = l;
    s->trusted_plain = open->trusted_plain;
    list_init(&s->incoming);
    list_init(&s->fast);
    l->s = s;
    l->sm = e->sm;
    l->api = open->api;
    l->domain = mem_copy(open->domain);
    l->ip = mem_copy(open->ip);
    l->auth = auth_new(e->sm, open, &auth_ops, l);
    idmap_put(e->sessions, id, s);
    return s;
}

static void login_free(struct login **lp)
{
    struct login *l = *lp;
    if (!l)
        return;
    if (l->binding)
        l->binding->s = NULL;
    auth_free(&l->auth);
    authinline_free(&l->asked);
    mem_free(l->domain);
    mem_free(l->ip);
    mem_free(l->user);
    MEM_FREE(lp);
}

/* --- binding a resource (RFC 6120 7) --- */

static void refuse(struct sessman *sm, struct session *s, enum stanza_cond cond, const char *text)
{
    struct buf b = BUF_INIT(0);
    struct control_bind_refused c = { cond, slice_cstr(text) };
    if (s->login && s->login->asked) {
        authinline_refused(s->login->asked, cond, text);
        return;
    }
    control_write_bind_refused(&b, &c);
    out_control(sm, 0, s, buf_get(&b));
    buf_fini(&b);
}

/* RFC 6120 7.7.2.2: the policy for a resource in use. False: refused. */
static bool resource_free(struct sessman *sm, struct session *s, struct account *a, struct slice *resource,
                          struct arena *arena)
{
    struct session *old = resource->len ? account_session(a, *resource) : NULL;
    if (old && sm->conf->conflict == CONFLICT_REFUSE) {
        refuse(sm, s, COND_CONFLICT, "this resource is in use");
        return false;
    }
    if (old && sm->conf->conflict == CONFLICT_REPLACE)
        session_close(sm, old, STREAM_CONFLICT, "replaced by a new connection");
    if (!resource->len || (old && sm->conf->conflict == CONFLICT_RENAME))
        *resource = secret_token(arena, 9);
    if (s->api ? a->n_api >= APISESSIONS_MAX : a->n_sessions - a->n_api >= sm->conf->sessions_per_account) {
        metric_add(sm->metrics, M_LIMIT_SESSIONS, 1);
        refuse(sm, s, COND_RESOURCE_CONSTRAINT, "too many sessions of this account");
        return false;
    }
    return true;
}

/* The session is that resource of the account from here on. */
static void attach(struct sessman *sm, struct session *s, struct account *a, struct slice resource)
{
    size_t len = (size_t)a->bare_len + 1 + resource.len;
    s->jid = mem_new(len + 1);
    memcpy(s->jid, a->bare, a->bare_len);
    s->jid[a->bare_len] = '/';
    memcpy(s->jid + a->bare_len + 1, resource.p, resource.len);
    s->bare_len = a->bare_len;
    s->jid_len = (uint16_t)len;
    s->account = a;
    account_hold(sm, a);
    list_append(&a->sessions, &s->in_account);
    a->n_sessions++;
    a->n_api = (uint16_t)(a->n_api + (s->api != NULL));
    metric_set(sm->metrics, M_SESSIONS, (int64_t)++sm->sessions_bound);
}

struct session *session_restored(struct sessman *sm, struct edge *e, uint64_t id, struct account *a,
                                 struct slice resource)
{
    struct session *s = mem_new(sizeof *s);
    s->edge = e;
    s->id = id;
    s->unseen = true;
    list_init(&s->incoming);
    list_init(&s->fast);
    attach(sm, s, a, resource);
    if (e)
        idmap_put(e->sessions, id, s);
    return s;
}

static void bind_now(struct sessman *sm, struct session *s, struct account *a, struct slice resource)
{
    struct log_ctx log = session_log(sm, s, LOG_XMPP);
    struct buf b = BUF_INIT(0);
    attach(sm, s, a, resource);
    if (s->api || a->admin)
        s->ip = mem_copy(slice_cstr(s->login->ip));
    if (!s->api) /* after a restart nobody would know what it may */
        restore_bound(sm, s);
    LOG_INFO(&log, "bound", F_STR("jid", s->jid));
    if (s->login->asked) {
        authinline_bound(s->login->asked);
    } else {
        control_write_bound(&b, session_jid(s));
        out_control(sm, 0, s, buf_get(&b));
    }
    buf_fini(&b);
    login_free(&s->login);
}

static void on_bind_account(void *ctx, struct account *a)
{
    struct binding *w = ctx;
    struct session *s = w->s;
    struct sessman *sm = w->sm;
    if (s) {
        struct arena *arena = arena_take(sm->arenas);
        struct slice resource = slice_cstr(w->resource);
        s->login->binding = NULL;
        if (a && s->login->asked)
            authinline_make_room(s->login->asked, a);
        if (!a)
            refuse(sm, s, COND_NOT_ALLOWED, "this account is gone");
        else if (a->disabled) /* since it has logged in */
            refuse(sm, s, COND_NOT_ALLOWED, "this account is disabled");
        else if (resource_free(sm, s, a, &resource, arena))
            bind_now(sm, s, a, resource);
        arena_give(sm->arenas, &arena);
    }
    if (a)
        account_release(sm, a);
    mem_free(w->resource);
    mem_free(w);
}

static void bind_account(struct login *l, const struct jid *user, struct slice resource)
{
    struct binding *w = mem_new(sizeof *w);
    w->s = l->s;
    w->sm = l->sm;
    w->resource = mem_copy(resource);
    l->binding = w;
    account_load(l->sm, user, on_bind_account, w);
}

void login_bind(struct login *l, struct slice resource)
{
    struct sessman *sm = l->sm; /* l is gone when the account was there and the resource is bound */
    struct arena *a = arena_take(sm->arenas);
    struct jid user;
    if (jid_parse(a, slice_cstr(l->user), &user, NULL) == RC_OK)
        bind_account(l, &user, resource);
    else
        login_fail(l, SASL_NOT_AUTHORIZED, NULL);
    arena_give(sm->arenas, &a);
}

static void bind_start(struct sessman *sm, struct session *s, struct arena *a, struct slice asked)
{
    struct slice resource = SLICE_NONE;
    struct jid user;
    struct why why;
    if (!s->login || !s->login->user || s->login->binding || s->login->asked) {
        refuse(sm, s, COND_NOT_ALLOWED, "not now");
        return;
    }
    if (jid_parse(a, slice_cstr(s->login->user), &user, &why) != RC_OK ||
        (asked.len && !s->api && jid_prepare_resource(a, asked, &resource, &why) != RC_OK)) {
        refuse(sm, s, COND_BAD_REQUEST, why.text);
        return;
    }
    bind_account(s->login, &user, resource);
}

/* --- frames --- */

static void authenticate(struct login *l, const struct node *n)
{
    if (l->asked) {
        metric_add(l->sm->metrics, M_BAD_FRAMES, 1); /* one at a time */
        return;
    }
    l->asked = l->api ? NULL : authinline_new(l, n); /* what may be asked for with it is not for the API */
    if (l->asked)
        auth_authenticate(l->auth, authinline_request(l->asked));
    else
        login_fail(l, SASL_MALFORMED_REQUEST, NULL);
}

static void auth_step(struct session *s, enum control_kind kind, struct arena *a, struct node *n)
{
    struct control_auth auth;
    struct slice data;
    if (!s->login || s->login->user)
        return; /* authenticated already: the edge lies or is late */
    if (kind == CONTROL_AUTHENTICATE) {
        authenticate(s->login, n);
        return;
    }
    if (kind == CONTROL_AUTH && control_read_auth(a, n, &auth, NULL) == RC_OK)
        auth_start(s->login->auth, &auth);
    else if (kind == CONTROL_RESPONSE && control_read_data(a, n, &data, NULL) == RC_OK)
        auth_response(s->login->auth, data);
    else
        auth_abort(s->login->auth);
}

/* --- stream management (XEP-0198) --- */

static void on_gone(struct sessman *sm, struct session *s, const struct node *n)
{
    bool lost;
    if (control_read_gone(n, &lost, NULL) != RC_OK || !lost || !resume_hibernate(sm, s, 0))
        session_end(sm, s);
}

/* What the edge has to say to one of the client's stanzas comes back in the session's order. */
static uint64_t on_echo(struct sessman *sm, struct session *s, uint64_t mark, const struct node *n)
{
    struct node *answer;
    uint64_t ticket = smqueue_took(sm, s, mark);
    if (s->sm && control_read_echo(n, &answer, NULL) == RC_OK) {
        if (answer)
            deliver_to_session(sm, s->ticket, s, answer);
    } else {
        metric_add(sm->metrics, M_BAD_FRAMES, 1);
    }
    return ticket;
}

static bool on_sm(struct sessman *sm, struct session *s, enum control_kind kind, const struct node *n)
{
    struct control_sm_enable enable;
    struct control_resume resume;
    uint32_t h;
    if (kind == CONTROL_SM_ENABLE && control_read_sm_enable(n, &enable, NULL) == RC_OK)
        smqueue_enable(sm, s, &enable);
    else if (kind == CONTROL_ACKED && control_read_acked(n, &h, NULL) == RC_OK)
        smqueue_acked(sm, s, h);
    else if (kind == CONTROL_RESUME && control_read_resume(n, &resume, NULL) == RC_OK)
        resume_start(sm, s, &resume);
    else
        return false;
    return true;
}

bool session_is_api(const struct session *s)
{
    return s->api || (s->login && s->login->api);
}

/* Of a session of the API: it logs in, is bound, and goes. */
static bool is_for_api(enum control_kind kind)
{
    return kind == CONTROL_AUTH || kind == CONTROL_AUTHENTICATE || kind == CONTROL_RESPONSE ||
           kind == CONTROL_ABORT || kind == CONTROL_BIND || kind == CONTROL_GONE;
}

uint64_t session_control(struct sessman *sm, struct session *s, enum control_kind kind, uint64_t mark,
                         struct arena *a, struct node *n)
{
    struct slice resource;
    uint16_t number;
    bool active;
    if (session_is_api(s) && !is_for_api(kind)) {
        metric_add(sm->metrics, M_BAD_FRAMES, 1);
        return 0;
    }
    switch (kind) {
    case CONTROL_AUTH:
    case CONTROL_AUTHENTICATE:
    case CONTROL_RESPONSE:
    case CONTROL_ABORT:
        auth_step(s, kind, a, n);
        break;
    case CONTROL_BIND:
        if (control_read_bind(a, n, &resource, NULL) == RC_OK)
            bind_start(sm, s, a, resource);
        else
            refuse(sm, s, COND_BAD_REQUEST, "no such resource");
        break;
    case CONTROL_CSI:
        if (s->account && control_read_csi(n, &active, NULL) == RC_OK) {
            csi_set(sm, s, active);
            session_dirty(sm, s);
        }
        break;
    case CONTROL_FLOW:
        if (s->account && control_read_flow(n, &number, NULL) == RC_OK)
            journal_flow(s, number);
        break;
    case CONTROL_GONE:
        on_gone(sm, s, n);
        break;
    case CONTROL_ECHO:
        return on_echo(sm, s, mark, n);
    default:
        if (!on_sm(sm, s, kind, n))
            metric_add(sm->metrics, M_BAD_FRAMES, 1);
    }
    return 0;
}

void session_backlog(struct session *s, const struct frame *f)
{
    struct backlog *b = mem_new(sizeof *b + f->payload.len);
    b->seq = f->seq;
    b->mark = f->mark;
    b->kind = f->kind;
    b->len = (uint32_t)f->payload.len;
    memcpy(b->bytes, f->payload.p, f->payload.len);
    if (s->backlog)
        s->backlog->last->next = b;
    else
        s->backlog = b;
    s->backlog->last = b;
    edge_frame_wait(s->edge, f->seq);
    s->edge->held_bytes += sizeof *b + b->len;
    edge_check_backlog(s->edge);
}

/* NULL: there is none. The caller frees it. */
static struct backlog *backlog_take(struct session *s)
{
    struct backlog *b = s->backlog;
    if (!b)
        return NULL;
    s->backlog = b->next;
    if (s->backlog)
        s->backlog->last = b->last;
    s->edge->held_bytes -= sizeof *b + b->len;
    return b;
}

/* Returns false when the frame ended the session. */
static bool backlog_frame(struct sessman *sm, struct session *s, const struct backlog *b)
{
    struct edge *e = s->edge;
    uint64_t id = s->id;
    struct slice payload = slice_of(b->bytes, b->len);
    if (b->kind == FRAME_STANZA) {
        dispatch_session_frame(sm, s, b->seq, b->mark, payload);
    } else {
        struct arena *a = arena_take(sm->arenas);
        uint64_t next = store_next(sm->store);
        struct node *n;
        uint64_t ticket = 0;
        if (b->kind == FRAME_CONTROL && xmlin_parse(sm->xml, a, payload, &sm->xml_limits, &n, NULL) == RC_OK)
            ticket = session_control(sm, s, control_kind_of(n), b->mark, a, n);
        arena_give(sm->arenas, &a);
        edge_answer_done(e, b->seq, restore_ticket(sm, next, ticket));
    }
    return idmap_get(e->sessions, id) == s;
}

void session_unstall(struct sessman *sm, struct session *s)
{
    s->stalled--;
    while (!s->stalled && s->backlog) {
        struct backlog *b = backlog_take(s);
        bool alive = backlog_frame(sm, s, b);
        mem_free(b);
        if (!alive)
            return;
    }
    if (s->sm)
        resume_go_on(sm, s);
}

/* --- the end --- */

/* Sessions that have ended, before giving memory back is worth a walk over the heap. */
#define RELEASE_LEAST    64
#define RELEASE_AFTER_MS 2000

static void on_release(struct timer *t)
{
    struct sessman *sm = CONTAINER(t, struct sessman, release);
    sm->sessions_gone = 0;
    accounts_shrink(sm, 0); /* each would hold a page */
    xmlin_pool_drop(sm->xml);
    store_shrink(sm->store);
    mem_release();
}

/* When as many have ended as are left: what they used goes back to the system. */
static void release_later(struct sessman *sm)
{
    sm->sessions_gone++;
    if (sm->sessions_gone >= RELEASE_LEAST && sm->sessions_gone >= sm->sessions_bound)
        session_memory_release(sm);
}

void session_memory_release(struct sessman *sm)
{
    if (!timer_running(&sm->release))
        loop_timer(sm->loop, &sm->release, RELEASE_AFTER_MS, on_release);
}

static void backlog_drop(struct session *s)
{
    struct edge *e = s->edge;
    for (struct backlog *b; (b = backlog_take(s)) != NULL;) {
        edge_frame_done(e, b->seq, 0);
        mem_free(b);
    }
}

/* What is left of it, once nobody finds it any more. */
static void session_free(struct sessman *sm, struct session *s)
{
    LIST_EACH(&s->incoming, it) {
        list_unlink(it);
        CONTAINER(it, struct incoming, of_session)->session = NULL;
    }
    fast_sender_gone(sm, s);
    list_unlink(&s->busy);
    backlog_drop(s);
    login_free(&s->login);
    smqueue_free(s);
    apisession_free(&s->api);
    if (s->account)
        account_release(sm, s->account);
    csi_free(&s->csi);
    directed_free(&s->directed);
    mem_free(s->presence);
    mem_free(s->ip);
    mem_free(s->jid);
    mem_free(s);
}

static void leave_account(struct sessman *sm, struct session *s)
{
    list_unlink(&s->in_account);
    s->account->n_sessions--;
    s->account->n_api = (uint16_t)(s->account->n_api - (s->api != NULL));
    metric_set(sm->metrics, M_SESSIONS, (int64_t)--sm->sessions_bound);
}

void session_leave(struct sessman *sm, struct session *s)
{
    for (struct backlog *b; (b = backlog_take(s)) != NULL;)
        mem_free(b); /* not dealt with: they come again */
    if (s->edge)
        idmap_remove(s->edge->sessions, s->id);
    if (s->account)
        leave_account(sm, s);
    session_free(sm, s);
}

void session_end(struct sessman *sm, struct session *s)
{
    fast_write_of(sm, s); /* after a restart nobody would be there to have sent them */
    journal_session_gone(sm, s);
    if (s->edge)
        out_session_gone(sm, s);
    if (s->edge)
        idmap_remove(s->edge->sessions, s->id);
    if (s->account) {
        struct log_ctx log = session_log(sm, s, LOG_XMPP);
        LOG_INFO(&log, "session_ended", F_STR("jid", s->jid));
        leave_account(sm, s);
        for (size_t i = 0; modules[i]; i++)
            if (modules[i]->session_end)
                modules[i]->session_end(sm, s);
        release_later(sm);
    }
    resume_session_end(sm, s);
    smqueue_reroute(sm, s);
    restore_ended(sm, s);
    session_free(sm, s);
}

static void tell_close(struct sessman *sm, struct session *s, uint64_t ticket, enum stream_cond cond,
                       const char *text)
{
    struct buf b = BUF_INIT(0);
    struct control_close c = { cond, slice_cstr(text) };
    control_write_close(&b, &c);
    out_control(sm, ticket, s, buf_get(&b));
    buf_fini(&b);
}

void session_close(struct sessman *sm, struct session *s, enum stream_cond cond, const char *text)
{
    tell_close(sm, s, s->ticket, cond, text);
    session_end(sm, s);
}

/* --- without a connection, and with another (resume.h) --- */

void session_detach(struct session *s)
{
    if (!s->edge)
        return;
    idmap_remove(s->edge->sessions, s->id);
    if (link_in_list(&s->busy)) {
        list_unlink(&s->busy);
        s->stalled--;
    }
    s->answered = 0;
    backlog_drop(s);
    s->edge = NULL;
}

void session_disconnect(struct sessman *sm, struct session *s, enum stream_cond cond, const char *text)
{
    tell_close(sm, s, 0, cond, text);
    session_detach(s);
}

void session_replace(struct sessman *sm, struct session *old, struct session *s)
{
    old->edge = s->edge;
    old->id = s->id;
    old->trusted_plain = s->trusted_plain;
    mem_free(old->ip);
    old->ip = old->account->admin ? mem_copy(slice_cstr(session_ip(s))) : NULL;
    idmap_put(old->edge->sessions, old->id, old);
    session_free(sm, s);
}

struct slice session_user(const struct session *s)
{
    return s->login ? slice_cstr(s->login->user) : SLICE_NONE;
}

bool session_may_bind(const struct session *s)
{
    return s->login && s->login->user && !s->login->binding;
}
