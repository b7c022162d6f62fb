/* common/link/servicerun.c - a service as a process: XEP-0114 or XEP-0225 over common/net */
#include "common/link/service.h"

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/link/component.h"
#include "common/link/dial.h"
#include "common/net/conn.h"
#include "common/net/tls.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/stream.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <signal.h>

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, END_MS = 2000, OUT_MAX = 64 << 20 };

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 20, .depth = 100, .elements = 50000, .attrs = 256
};

struct run {
    const struct service_conf *conf;
    struct service *service;
    struct loop *loop;
    struct log *log;
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct tls_ctx *tls;
    struct conn *conn;
    struct xmlin in;
    struct component_login login;
    struct arena *cb_arena;
    struct dial_address to;
    struct timer again;
    uint32_t backoff_ms;
    bool open, stopping, denied, denied_once;
    struct why why;
};

static void dial(struct run *r);

static struct log_ctx log_of(const struct run *r)
{
    return (struct log_ctx){ .log = r->log, .sub = LOG_LINK };
}

/* --- stanzas --- */

static void send_node(void *host, struct node *n)
{
    struct run *r = host;
    if (!r->open)
        return; /* as a stanza on a connection that breaks: who sent the request asks again */
    struct buf *out = conn_out(r->conn);
    if (!node_has(n, "from")) {
        struct arena *a = arena_take(r->arenas);
        node_set(a, n, "from", service_name(r->service));
        xmlout_node(out, n, NS_CLIENT);
        node_unset(n, "from");
        arena_give(r->arenas, &a);
    } else {
        xmlout_node(out, n, NS_CLIENT);
    }
    conn_wrote(r->conn);
}

/* --- login --- */

static void open_stream(struct run *r)
{
    xmlin_reset(&r->in);
    component_login_open(&r->login, conn_out(r->conn));
    conn_wrote(r->conn);
}

static void bind_name(struct run *r)
{
    struct buf *out = conn_out(r->conn);
    BUF_LIT(out, "<iq type='set' id='bind'><bind xmlns='" NS_COMPONENT "'><hostname>");
    xmlout_text(out, service_name(r->service));
    BUF_LIT(out, "</hostname></bind></iq>");
    conn_wrote(r->conn);
}

static void ready(struct run *r)
{
    struct log_ctx log = log_of(r);
    r->open = true;
    r->denied_once = false;
    r->backoff_ms = BACKOFF_FIRST_MS;
    if (r->login.level == COMPONENT_0225)
        bind_name(r);
    LOG_INFO(&log, "connected", F_STR("router", r->conf->address), F_SLICE("name", service_name(r->service)));
}

static bool follow(struct run *r, enum component_do next)
{
    conn_wrote(r->conn);
    switch (next) {
    case COMPONENT_WAIT:
        return true;
    case COMPONENT_START_TLS:
        conn_start_tls(r->conn, r->tls, TLS_CLIENT, r->to.host);
        return false;
    case COMPONENT_RESTART:
        open_stream(r);
        return false;
    case COMPONENT_DERIVE: /* no other work waits for this loop */
        next = component_login_derive(&r->login, conn_out(r->conn), &r->why);
        return follow(r, next);
    case COMPONENT_READY:
        ready(r);
        return true;
    case COMPONENT_FAILED:
        break;
    }
    r->denied = true;
    conn_close(r->conn, CONN_BY_OWNER);
    return false;
}

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct run *r = owner;
    (void)a;
    return follow(r, component_login_header(&r->login, header, conn_out(r->conn), &r->why));
}

static bool on_element(void *owner, struct arena *a, struct node *n)
{
    struct run *r = owner;
    struct log_ctx log = log_of(r);
    if (!r->open)
        return follow(r, component_login_element(&r->login, n, conn_out(r->conn), &r->why));
    if (node_is(n, "error", NS_STREAM)) {
        const struct node *cond = node_child(n);
        LOG_WARN(&log, "stream_error", F_SLICE("cond", cond ? cond->name : SLICE_NONE));
        conn_close(r->conn, CONN_BY_PEER);
        return false;
    }
    service_take(r->service, a, n);
    return !conn_closing(r->conn);
}

static void on_stream_end(void *owner)
{
    struct run *r = owner;
    conn_close(r->conn, CONN_BY_PEER);
}

/* --- the connection --- */

static void on_connected(void *owner)
{
    open_stream(owner);
}

static void on_secure(void *owner)
{
    struct run *r = owner;
    struct conn_tls tls;
    conn_tls_info(r->conn, &tls);
    if (r->conf->ca_file && !tls.cert_ok) {
        why_set(&r->why, "the router's certificate does not verify");
        conn_close(r->conn, CONN_TLS);
        return;
    }
    r->login.secure = true;
    r->login.trusts_cert = tls.cert_ok;
    if (conn_cb_exporter(r->conn, r->cb_arena, &r->login.cb.exporter) != RC_OK)
        r->login.cb.exporter = SLICE_NONE;
    if (conn_cb_end_point(r->conn, r->cb_arena, &r->login.cb.end_point) != RC_OK)
        r->login.cb.end_point = SLICE_NONE;
    open_stream(r);
}

static void on_input(void *owner, struct slice bytes)
{
    static const struct xmlin_events events = { on_header, on_element, on_stream_end };
    struct run *r = owner;
    if (xmlin_feed(&r->in, bytes, &events, r, &r->why) != RC_OK)
        conn_close(r->conn, CONN_BY_OWNER);
}

static void on_again(struct timer *t)
{
    dial(CONTAINER(t, struct run, again));
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct run *r = owner;
    struct log_ctx log = log_of(r);
    r->open = false;
    r->conn = NULL;
    xmlin_fini(&r->in);
    component_login_fini(&r->login);
    arena_free(&r->cb_arena);
    LOG_WARN(&log, "disconnected", F_STR("router", r->conf->address), F_STR("cause", conn_cause_name(cause)),
             F_STR("why", why->text[0] ? why->text : r->why.text));
    if (r->denied && !r->denied_once) { /* the router may have been reading its configuration */
        r->denied = false;
        r->denied_once = true;
    }
    if (r->stopping || r->denied) {
        loop_stop(r->loop);
        return;
    }
    loop_timer(r->loop, &r->again, r->backoff_ms / 2 + secret_random_below(r->backoff_ms / 2 + 1), on_again);
    r->backoff_ms = r->backoff_ms < BACKOFF_MAX_MS / 2 ? r->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static const struct conn_ops ops = {
    .on_connected = on_connected,
    .on_secure = on_secure,
    .on_input = on_input,
    .on_closed = on_closed,
};
static const struct conn_conf conn_conf = { .ops = &ops, .out_max = OUT_MAX };

static void dial(struct run *r)
{
    bool tls = r->to.kind == DIAL_TLS;
    r->why.text[0] = '\0';
    r->cb_arena = arena_new(512, 0);
    r->login = (struct component_login){
        .level = tls ? COMPONENT_0225 : COMPONENT_0114,
        .tls = tls ? COMPONENT_TLS_REQUIRED : COMPONENT_TLS_NEVER,
        .name = slice_cstr(r->conf->name),
        .secret = slice_cstr(r->conf->secret),
    };
    component_login_init(&r->login);
    xmlin_init(&r->in, r->xml, &limits);
    r->conn = dial_open(r->loop, &r->to, NULL, &conn_conf, r);
}

static void on_signal(void *ctx, int signum)
{
    struct run *r = ctx;
    (void)signum;
    r->stopping = true;
    timer_stop(&r->again);
    if (r->open)
        conn_write(r->conn, SLICE(STREAM_END));
    if (r->conn)
        conn_finish(r->conn, END_MS);
    else
        loop_stop(r->loop);
}

static enum rc prepare(struct run *r, struct why *why)
{
    struct log_conf stderr_log = { .sink = LOG_STDERR };
    struct tls_conf tls = { .trust_file = r->conf->ca_file };
    enum rc rc = secret_init(why);
    if (rc == RC_OK)
        rc = dial_parse(r->conf->address, &r->to, why);
    if (rc == RC_OK)
        rc = log_open(r->conf->name, &stderr_log, &r->log, why);
    if (rc == RC_OK)
        rc = log_levels_parse(r->log, slice_cstr(r->conf->log_levels ? r->conf->log_levels : "warn"), why);
    if (rc == RC_OK && r->to.kind == DIAL_TLS)
        rc = tls_ctx_new(&tls, &r->tls, why);
    return rc;
}

enum rc service_run(const struct service_def *def, const struct service_conf *conf, struct why *why)
{
    struct run r = { .conf = conf, .backoff_ms = BACKOFF_FIRST_MS };
    enum rc rc = prepare(&r, why);
    if (rc != RC_OK)
        goto out;
    r.loop = loop_new();
    r.arenas = arena_pool_new(4096, 8 << 20, 4);
    r.xml = xmlin_pool_new(NS_CLIENT, r.arenas);
    r.service = service_new(def, slice_cstr(conf->name), send_node, &r);
    loop_on_signal(r.loop, SIGTERM, on_signal, &r);
    loop_on_signal(r.loop, SIGINT, on_signal, &r);
    dial(&r);
    loop_run(r.loop);
    if (r.denied) {
        why_set(why, "%s", r.why.text);
        rc = RC_DENIED;
    }
    service_free(&r.service);
    xmlin_pool_free(&r.xml);
    arena_pool_free(&r.arenas);
    loop_free(&r.loop);
out:
    if (r.tls)
        tls_ctx_free(&r.tls);
    if (r.log)
        log_close(&r.log);
    return rc;
}
