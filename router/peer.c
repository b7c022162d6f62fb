/* router/peer.c */
#include "router/peer.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/link/component.h"
#include "router/auth.h"
#include "router/negotiate.h"
#include "router/nodes.h"
#include "router/stanzas.h"
#include "router/switch.h"
#include <stdio.h>

enum { END_MS = 2000 };

static const struct xmlin_limits early_limits = {
    .stanza_bytes = 8192, .depth = 8, .elements = 32, .attrs = 32
};

struct log_ctx peer_log(const struct peer *p, const char *doing)
{
    return (
        struct log_ctx){ .log = p->r->run->log, .sub = LOG_LINK, .conn = p->id, .ip = p->ip, .doing = doing };
}

void peer_wire_out(const struct peer *p, struct slice bytes)
{
    struct log_ctx log = peer_log(p, "stream");
    log_wire(&log, true, bytes);
}

void peer_write(struct peer *p, struct slice bytes)
{
    peer_wire_out(p, bytes);
    conn_writev(p->conn, &bytes, 1);
    peer_wrote(p, &bytes, 1, true);
}

void peer_wrote(struct peer *p, const struct slice *stanzas, size_t n, bool keep)
{
    if (!p->secure)
        unsent_wrote(&p->unsent, stanzas, n, conn_waiting(p->conn), conn_closing(p->conn), keep);
}

/* --- names --- */

enum rc peer_bind(struct peer *p, struct slice name)
{
    const struct section *s = section_find(p->r->conf, slice_cstr(p->name));
    bool own = p->role == ROLE_ADMIN; /* the bare JID of its tool; stanzas.c has checked the domain */
    if (!own && (!s || !section_may_bind(p->r->conf, s, name)))
        return RC_DENIED;
    for (size_t i = 0; i < p->n_names; i++) {
        if (slice_is(name, p->names[i]))
            return RC_EXISTS;
    }
    p->names = mem_resize(p->names, (p->n_names + 1) * sizeof *p->names);
    p->names[p->n_names++] = mem_copy(name);
    names_bind(p->r->names, name, p, slice_cstr(p->instance),
               p->role == ROLE_SESSMAN || (s && s->spread_hash));
    if (p->role == ROLE_COMPONENT)
        nodes_components_changed(p->r);
    return RC_OK;
}

void peer_unbind(struct peer *p, size_t i)
{
    names_unbind(p->r->names, slice_cstr(p->names[i]), p);
    mem_free(p->names[i]);
    p->names[i] = p->names[--p->n_names];
    if (p->role == ROLE_COMPONENT)
        nodes_components_changed(p->r);
}

void peer_admins(struct router *r, int more)
{
    r->n_admins += (unsigned)more;
    nodes_components_changed(r);
}

/* --- the end --- */

/* Nobody finds it from here on. */
static void leave(struct peer *p)
{
    if (p->going)
        return;
    p->going = true;
    while (p->n_names)
        peer_unbind(p, p->n_names - 1);
    if (p->level == PEER_FRAMES)
        nodes_leave(p);
    if (p->role == ROLE_ADMIN && p->state == PEER_OPEN)
        peer_admins(p->r, -1);
    switch_forget(p);
    timer_stop(&p->timer);
    timer_stop(&p->full);
}

void peer_end(struct peer *p)
{
    leave(p);
    conn_finish(p->conn, END_MS);
}

void peer_stream_error(struct peer *p, enum stream_cond cond, const char *text)
{
    struct log_ctx log = peer_log(p, "stream");
    struct buf *out = conn_out(p->conn);
    METRIC_INC(p->r->run->metrics, METRIC_STREAM_ERRORS);
    LOG_INFO(&log, "stream_error", F_STR("cond", stream_cond_name(cond)), F_STR("text", text ? text : ""),
             F_STR("name", p->name ? p->name : ""));
    if (!p->stream_id[0]) {
        struct stream_open h = { .content_ns = NS_COMPONENT_ACCEPT };
        stream_header_write(out, &h);
    }
    stream_error_write(out, cond, text, SLICE_NONE, SLICE_NONE);
    BUF_LIT(out, STREAM_END);
    conn_wrote(p->conn);
    xmlin_fini(&p->in);
    peer_end(p);
}

void peer_stop(struct peer *p)
{
    if (p->going)
        return;
    if (p->level != PEER_FRAMES && p->stream_id[0])
        peer_stream_error(p, STREAM_SYSTEM_SHUTDOWN, NULL);
    else
        peer_end(p);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct peer *p = owner;
    struct router *r = p->r;
    struct log_ctx log = peer_log(p, "closing");
    LOG_AT(&log, p->name && cause != CONN_BY_OWNER && cause != CONN_BY_PEER ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
           "peer_down", F_STR("name", p->name ? p->name : ""), F_STR("cause", conn_cause_name(cause)),
           F_WHY(why));
    size_t left = conn_left(p->conn);
    p->conn = NULL;
    leave(p);
    if (!r->stopping)
        unsent_left(&p->unsent, left, stanzas_again, r);
    unsent_fini(&p->unsent);
    auth_drop(p);
    list_unlink(&p->all);
    metric_set(r->run->metrics, METRIC_PEERS, --r->n_peers);
    xmlin_fini(&p->in);
    framein_fini(&p->frames);
    mem_free(p->names);
    mem_free(p->name_asked);
    mem_free(p->name);
    mem_free(p->instance);
    mem_free(p);
}

/* --- input --- */

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct peer *p = owner;
    p->rest_void = !negotiate_header(p, a, header);
    return !p->rest_void;
}

static bool on_element(void *owner, struct arena *a, struct node *n)
{
    struct peer *p = owner;
    p->rest_void = !negotiate_element(p, a, n);
    return !p->rest_void;
}

static void on_stream_end(void *owner)
{
    struct peer *p = owner;
    conn_write(p->conn, SLICE(STREAM_END));
    peer_end(p);
}

static const struct xmlin_events events = { on_header, on_element, on_stream_end };

static bool feed(struct peer *p, struct slice bytes)
{
    struct why why = { "" };
    enum rc rc = xmlin_feed(&p->in, bytes, &events, p, &why);
    if (rc != RC_OK && !p->going)
        peer_stream_error(p, stream_cond_of_xml(rc), why.text);
    return rc == RC_OK && !p->going;
}

/* Before login input is fed up to each '>', so that nothing behind <starttls/> or <frames/> is taken for XML
 * of this stream. */
static void early_input(struct peer *p, struct slice bytes)
{
    p->rest_void = false;
    while (bytes.len && !p->rest_void && p->state != PEER_OPEN) {
        ptrdiff_t at = slice_find(bytes, '>');
        struct slice piece = at < 0 ? bytes : slice_to(bytes, (size_t)at + 1);
        bytes = slice_from(bytes, piece.len);
        if (!feed(p, piece))
            return;
    }
    if (bytes.len && !p->rest_void)
        feed(p, bytes);
}

static void on_silent(struct timer *t);

static void on_input(void *owner, struct slice bytes)
{
    struct peer *p = owner;
    if (p->going)
        return;
    if (p->level == PEER_FRAMES) {
        p->heard_ms = loop_now_ms(p->r->run->loop);
        switch_input(p, bytes);
        return;
    }
    p->in_bytes += bytes.len;
    struct log_ctx log = peer_log(p, "stream");
    log_wire(&log, false, bytes);
    if (p->state == PEER_OPEN && p->level == PEER_0114)
        feed(p, bytes);
    else
        early_input(p, bytes);
}

static void on_drain(void *owner)
{
    struct peer *p = owner;
    if (!p->going)
        switch_drained(p);
}

static void on_secure(void *owner)
{
    negotiate_secure(owner);
}

static const struct conn_ops ops = {
    .on_secure = on_secure,
    .on_input = on_input,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

const struct conn_ops *peer_conn_ops(void)
{
    return &ops;
}

static void on_login_late(struct timer *t)
{
    struct peer *p = CONTAINER(t, struct peer, timer);
    peer_stream_error(p, STREAM_CONNECTION_TIMEOUT, "no login in time");
}

/* There is no room for p: strangers that have connected and say nothing keep nobody out who logs in. The
 * oldest of them goes, or p where all others are known. */
static struct peer *dispensable(struct peer *p)
{
    LIST_EACH(&p->r->peers, at) {
        struct peer *old = CONTAINER(at, struct peer, all);
        if (!old->name && !old->going)
            return old;
    }
    return p;
}

void peer_accept(void *router, struct conn *c)
{
    struct router *r = router;
    struct peer *p = mem_new(sizeof *p);
    struct conn_peer who;
    p->r = r;
    p->conn = c;
    p->id = ++r->next_number;
    list_append(&r->peers, &p->all);
    metric_set(r->run->metrics, METRIC_PEERS, ++r->n_peers);
    conn_owner_set(c, &r->conn_conf, p);
    conn_peer(c, &who);
    snprintf(p->ip, sizeof p->ip, "%s", who.ip);
    p->tcp = who.addr.ss_family == AF_INET || who.addr.ss_family == AF_INET6;
    p->loopback = p->tcp && addr_is_loopback((const struct sockaddr *)&who.addr);
    xmlin_init(&p->in, r->xml, &early_limits);
    unsent_init(&p->unsent);
    loop_timer(r->run->loop, &p->timer, r->conf->auth_ms, on_login_late);
    if (r->stopping || r->n_peers > r->conf->peers_max)
        peer_stream_error(r->stopping ? p : dispensable(p), STREAM_RESOURCE_CONSTRAINT,
                          "too many connections");
}

/* --- login --- */

void peer_authenticated(struct peer *p, const struct section *s)
{
    struct log_ctx log = peer_log(p, "login");
    char instance[300];
    p->name = mem_copy(slice_cstr(s->name));
    p->role = s->role;
    snprintf(instance, sizeof instance, "%.250s#%llu", s->name, (unsigned long long)p->id);
    p->instance = mem_copy(slice_cstr(instance));
    p->in.limits = &p->r->limits;
    METRIC_INC(p->r->run->metrics, METRIC_LOGINS);
    LOG_INFO(&log, "peer_login", F_STR("name", p->name), F_STR("role", node_role_name(p->role)),
             F_UINT("level", p->level), F_STR("tls", p->secure ? "yes" : "no"));
    if (p->level == PEER_0114)
        timer_stop(&p->timer);
}

/* A daemon says something every 15 s; one that does not is gone, whatever TCP believes. */
static void on_silent(struct timer *t)
{
    struct peer *p = CONTAINER(t, struct peer, timer);
    struct log_ctx log = peer_log(p, "frames");
    uint32_t silence_ms = p->r->conf->silence_ms;
    if (!conn_paused(p->conn) && loop_now_ms(p->r->run->loop) - p->heard_ms > silence_ms) {
        LOG_WARN(&log, "peer_silent", F_STR("instance", p->instance));
        conn_close(p->conn, CONN_TIMEOUT);
        return;
    }
    loop_timer(p->r->run->loop, &p->timer, silence_ms / 4, on_silent);
}

void peer_frames_up(struct peer *p, uint64_t node, struct slice instance)
{
    struct router *r = p->r;
    struct peer *old = idmap_get(r->nodes, node);
    struct log_ctx log = peer_log(p, "frames");
    if (old) {
        conn_close(old->conn, CONN_BY_OWNER); /* the same run of the same daemon has dialled again */
        leave(old);
    }
    p->id = node;
    p->level = PEER_FRAMES;
    p->state = PEER_OPEN;
    p->heard_ms = loop_now_ms(r->run->loop);
    mem_free(p->instance);
    p->instance = mem_copy(instance);
    xmlin_fini(&p->in);
    buf_fmt(conn_out(p->conn), "<frames xmlns='" NS_FRAMES "' node='%016llx' version='%d'/>",
            (unsigned long long)r->node, FRAME_PROTOCOL);
    conn_wrote(p->conn);
    LOG_INFO(&log, "node_up", F_HEX("node", node), F_STR("instance", p->instance),
             F_STR("role", node_role_name(p->role)));
    loop_timer(r->run->loop, &p->timer, r->conf->silence_ms / 4, on_silent);
    nodes_enter(p);
}
