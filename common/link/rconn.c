/* common/link/rconn.c */
#include "common/link/rconn.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/link/component.h"
#include "common/link/dial.h"
#include "common/link/framein.h"
#include "common/net/conn.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/stream.h"

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    BACKOFF_UNIX_MS = 500, /* a local socket costs nothing to try */
    LOGIN_MS = 30000,      /* from dialling to the first frame */
    PING_MS = 15000,       /* a head-only frame to the router, which answers it */
    SILENCE_MS = 45000,
    CLOSE_MS = 2000,
};

static const struct xmlin_limits login_limits = {
    .stanza_bytes = 65536, .depth = 8, .elements = 64, .attrs = 32
};

struct rconn {
    const struct rconn_shared *sh;
    const char *address;
    unsigned index;
    struct conn *conn;             /* NULL between two attempts */
    struct xmlin in;               /* while logging in */
    struct component_login *login; /* while logging in; owned by `job` while that runs */
    struct derive_job *job;
    struct arena *cb_arena; /* channel-binding data of the login */
    struct framein frames;
    bool up, stopped;
    bool rest_void; /* what was read behind the element just handled is not XML of this stream */
    struct dial_address to;
    uint64_t router, heard_ms;
    uint32_t backoff_ms;
    struct timer timer; /* back-off, the login's limit, pings: never two at once */
};

struct derive_job {
    struct work work; /* first */
    struct rconn *rc; /* NULL: the connection has gone */
    struct component_login *login;
    struct buf out;
    enum component_do result;
    struct why why;
};

static void dial(struct rconn *rc);

static struct log_ctx log_of(const struct rconn *rc)
{
    return (struct log_ctx){ .log = rc->sh->log, .sub = LOG_LINK, .doing = rc->up ? "frames" : "login" };
}

static void login_free(struct component_login **login)
{
    if (!*login)
        return;
    component_login_fini(*login);
    MEM_FREE(login);
}

static void login_drop(struct rconn *rc)
{
    if (rc->job)
        rc->job->rc = NULL; /* it frees the login when it is done */
    else
        login_free(&rc->login);
    rc->job = NULL;
    rc->login = NULL;
    if (rc->cb_arena)
        arena_free(&rc->cb_arena);
}

static void fail(struct rconn *rc, const struct why *why)
{
    struct log_ctx log = log_of(rc);
    LOG_WARN(&log, "router_refused", F_STR("router", rc->address), F_WHY(why));
    conn_close(rc->conn, CONN_BY_OWNER);
}

/* --- frames --- */

static void on_ping(struct timer *t)
{
    struct rconn *rc = CONTAINER(t, struct rconn, timer);
    struct frame ping = { .kind = FRAME_ACK };
    uint8_t head[FRAME_HEAD];
    if (loop_now_ms(rc->sh->loop) - rc->heard_ms > SILENCE_MS) {
        struct log_ctx log = log_of(rc);
        LOG_WARN(&log, "router_silent", F_STR("router", rc->address));
        conn_close(rc->conn, CONN_TIMEOUT);
        return;
    }
    frame_head_write(head, &ping);
    conn_write(rc->conn, slice_of((char *)head, sizeof head));
    loop_timer(rc->sh->loop, &rc->timer, PING_MS, on_ping);
}

static void frames_input(struct rconn *rc, struct slice bytes)
{
    struct frame f;
    struct slice raw;
    struct why why;
    enum rc got = RC_OK;
    while (!rc->stopped && !conn_closing(rc->conn) &&
           (got = framein_next(&rc->frames, &bytes, &f, &raw, &why)) == RC_OK)
        rc->sh->ops->on_frame(rc->sh->owner, rc, &f);
    if (got != RC_OK && got != RC_AGAIN)
        fail(rc, &why);
}

/* --- login --- */

static void went_up(struct rconn *rc)
{
    struct log_ctx log = log_of(rc);
    rc->router = rc->login->router;
    login_drop(rc);
    xmlin_fini(&rc->in);
    rc->up = true;
    rc->backoff_ms = BACKOFF_FIRST_MS;
    LOG_INFO(&log, "router_up", F_STR("router", rc->address), F_HEX("node", rc->router));
    loop_timer(rc->sh->loop, &rc->timer, PING_MS, on_ping);
    rc->sh->ops->on_up(rc->sh->owner, rc);
}

static void open_stream(struct rconn *rc)
{
    xmlin_reset(&rc->in);
    component_login_open(rc->login, conn_out(rc->conn));
    conn_wrote(rc->conn);
}

static void derive_run(struct work *w)
{
    struct derive_job *job = CONTAINER(w, struct derive_job, work);
    job->result = component_login_derive(job->login, &job->out, &job->why);
}

static void derive_done(struct work *w)
{
    struct derive_job *job = CONTAINER(w, struct derive_job, work);
    struct rconn *rc = job->rc;
    if (rc) {
        rc->job = NULL;
        conn_resume(rc->conn);
        if (job->result == COMPONENT_FAILED)
            fail(rc, &job->why);
        else
            conn_write(rc->conn, buf_get(&job->out));
    } else {
        login_free(&job->login);
    }
    buf_fini(&job->out);
    mem_free(job);
}

static void derive(struct rconn *rc)
{
    struct derive_job *job = mem_new(sizeof *job);
    job->work = (struct work){ .run = derive_run, .done = derive_done };
    job->rc = rc;
    job->login = rc->login;
    rc->job = job;
    conn_pause(rc->conn); /* nothing is due before we have answered */
    if (work_run(rc->sh->work, &job->work) != RC_OK) {
        rc->job = NULL;
        mem_free(job);
        conn_close(rc->conn, CONN_BY_OWNER);
    }
}

/* What the login wants next. False: no more of the bytes just read. */
static bool follow(struct rconn *rc, enum component_do next, const struct why *why)
{
    conn_wrote(rc->conn);
    switch (next) {
    case COMPONENT_WAIT:
        return true;
    case COMPONENT_START_TLS:
        if (!rc->sh->tls)
            fail(rc, &rc->sh->tls_why);
        else
            conn_start_tls(rc->conn, rc->sh->tls, TLS_CLIENT, rc->to.host);
        return false;
    case COMPONENT_RESTART:
        open_stream(rc);
        return false;
    case COMPONENT_DERIVE:
        derive(rc);
        return false;
    case COMPONENT_READY:
        went_up(rc);
        return false;
    case COMPONENT_FAILED:
        fail(rc, why);
        return false;
    }
    return false;
}

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct rconn *rc = owner;
    struct why why;
    (void)a;
    rc->rest_void = !follow(rc, component_login_header(rc->login, header, conn_out(rc->conn), &why), &why);
    return !rc->rest_void;
}

static bool on_element(void *owner, struct arena *a, struct node *n)
{
    struct rconn *rc = owner;
    struct why why;
    (void)a;
    rc->rest_void = !follow(rc, component_login_element(rc->login, n, conn_out(rc->conn), &why), &why);
    return !rc->rest_void;
}

static void on_stream_end(void *owner)
{
    struct rconn *rc = owner;
    conn_close(rc->conn, CONN_BY_PEER);
}

/* Fed up to each '>', so that it is known where the XML ends and the frames begin: no value in what a router
 * sends before holds a '>', and if one did, a piece would end early, which does no harm. */
static void login_input(struct rconn *rc, struct slice bytes)
{
    static const struct xmlin_events events = { on_header, on_element, on_stream_end };
    struct why why;
    rc->rest_void = false;
    while (bytes.len && !rc->rest_void) {
        ptrdiff_t at = slice_find(bytes, '>');
        struct slice piece = at < 0 ? bytes : slice_to(bytes, (size_t)at + 1);
        bytes = slice_from(bytes, piece.len);
        if (xmlin_feed(&rc->in, piece, &events, rc, &why) != RC_OK) {
            fail(rc, &why);
            return;
        }
    }
    if (rc->up)
        frames_input(rc, bytes);
}

/* --- the connection --- */

static void on_connected(void *owner)
{
    open_stream(owner);
}

static void on_secure(void *owner)
{
    struct rconn *rc = owner;
    struct conn_tls tls;
    struct why why;
    conn_tls_info(rc->conn, &tls);
    if (rc->sh->conf->ca_file && !tls.cert_ok) {
        why_set(&why, "the router's certificate does not verify");
        fail(rc, &why);
        return;
    }
    rc->login->secure = true;
    rc->login->trusts_cert = tls.cert_ok;
    rc->cb_arena = arena_new(512, 0);
    if (conn_cb_exporter(rc->conn, rc->cb_arena, &rc->login->cb.exporter) != RC_OK)
        rc->login->cb.exporter = SLICE_NONE;
    if (conn_cb_end_point(rc->conn, rc->cb_arena, &rc->login->cb.end_point) != RC_OK)
        rc->login->cb.end_point = SLICE_NONE;
    open_stream(rc);
}

static void on_input(void *owner, struct slice bytes)
{
    struct rconn *rc = owner;
    rc->heard_ms = loop_now_ms(rc->sh->loop);
    if (rc->up)
        frames_input(rc, bytes);
    else
        login_input(rc, bytes);
}

static void on_backoff(struct timer *t)
{
    dial(CONTAINER(t, struct rconn, timer));
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct rconn *rc = owner;
    struct log_ctx log = log_of(rc);
    bool was_up = rc->up;
    timer_stop(&rc->timer);
    login_drop(rc);
    xmlin_fini(&rc->in);
    framein_fini(&rc->frames);
    rc->conn = NULL;
    rc->up = false;
    if (rc->stopped)
        return;
    LOG_AT(&log, was_up ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "router_down", F_STR("router", rc->address),
           F_STR("cause", conn_cause_name(cause)), F_WHY(why), F_UINT("again_ms", rc->backoff_ms));
    loop_timer(rc->sh->loop, &rc->timer, rc->backoff_ms / 2 + secret_random_below(rc->backoff_ms / 2 + 1),
               on_backoff);
    uint32_t most = rc->to.kind == DIAL_UNIX ? BACKOFF_UNIX_MS : BACKOFF_MAX_MS;
    rc->backoff_ms = rc->backoff_ms < most / 2 ? rc->backoff_ms * 2 : most;
    if (was_up)
        rc->sh->ops->on_down(rc->sh->owner, rc);
}

static void on_login_late(struct timer *t)
{
    struct rconn *rc = CONTAINER(t, struct rconn, timer);
    struct why why;
    why_set(&why, "no login within %d s", LOGIN_MS / 1000);
    fail(rc, &why);
}

static const struct conn_ops conn_ops = {
    .on_connected = on_connected,
    .on_secure = on_secure,
    .on_input = on_input,
    .on_closed = on_closed,
};
static const struct conn_conf conn_conf = {
    .ops = &conn_ops
}; /* what waits is bounded by the channels' windows */

static void login_begin(struct rconn *rc, enum component_tls tls)
{
    const struct rlink_conf *conf = rc->sh->conf;
    rc->login = mem_new(sizeof *rc->login);
    *rc->login = (struct component_login){
        .level = COMPONENT_FRAMES,
        .tls = tls,
        .name = slice_cstr(conf->name),
        .secret = slice_cstr(conf->secret),
        .has_cert = conf->cert_file != NULL,
        .node = rc->sh->node,
        .role = slice_cstr(node_role_name(conf->role)),
        .instance = slice_cstr(conf->instance),
    };
    component_login_init(rc->login);
    xmlin_init(&rc->in, rc->sh->xml, &login_limits);
}

static void dial(struct rconn *rc)
{
    struct log_ctx log = log_of(rc);
    struct why why;
    if (dial_parse(rc->address, &rc->to, &why) != RC_OK) {
        LOG_ERROR(&log, "router_address", F_WHY(&why));
        return;
    }
    static const enum component_tls tls[] = {
        [DIAL_UNIX] = COMPONENT_TLS_NEVER,
        [DIAL_TCP] = COMPONENT_TLS_OFFERED,
        [DIAL_TLS] = COMPONENT_TLS_REQUIRED,
    };
    login_begin(rc, tls[rc->to.kind]);
    rc->conn = dial_open(rc->sh->loop, &rc->to, rc->sh->conf->dir, &conn_conf, rc);
    loop_timer(rc->sh->loop, &rc->timer, LOGIN_MS, on_login_late);
}

struct rconn *rconn_new(const struct rconn_shared *shared, const char *address, unsigned index)
{
    struct rconn *rc = mem_new(sizeof *rc);
    rc->sh = shared;
    rc->address = address;
    rc->index = index;
    rc->backoff_ms = BACKOFF_FIRST_MS;
    dial(rc);
    return rc;
}

void rconn_stop(struct rconn *rc)
{
    rc->stopped = true;
    timer_stop(&rc->timer);
    if (rc->conn)
        conn_finish(rc->conn, CLOSE_MS);
}

void rconn_free(struct rconn **rc)
{
    if (*rc)
        login_drop(*rc);
    MEM_FREE(rc);
}

unsigned rconn_index(const struct rconn *rc)
{
    return rc->index;
}

bool rconn_up(const struct rconn *rc)
{
    return rc->up && !conn_closing(rc->conn);
}

const char *rconn_address(const struct rconn *rc)
{
    return rc->address;
}

void rconn_send(struct rconn *rc, struct slice bytes)
{
    if (rc->up)
        conn_write(rc->conn, bytes);
}

void rconn_send_pieces(struct rconn *rc, struct frame *f, const struct slice *pieces, size_t n)
{
    uint8_t head[FRAME_HEAD];
    if (!rc->up)
        return;
    f->len = f->name_len;
    for (size_t i = 0; i < n; i++)
        f->len += (uint32_t)pieces[i].len;
    frame_head_write(head, f);
    struct buf *out = conn_out(rc->conn);
    buf_put(out, head, sizeof head);
    buf_put(out, f->name.p, f->name_len);
    for (size_t i = 0; i < n; i++)
        buf_slice(out, pieces[i]);
    conn_wrote(rc->conn);
}

size_t rconn_waiting(const struct rconn *rc)
{
    return rc->up ? conn_waiting(rc->conn) : 0;
}
