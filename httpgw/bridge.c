/* httpgw/bridge.c - HTTP under TLS: what a client's conn reads goes to the library through a pair of sockets,
 * and back
 *
 * So TLS is common/net's, with its certificates by name, its reload and its channel bindings; and a
 * connection that is upgraded leaves the library as it is: what remains is a conn under TLS, like any other.
 */
#include "common/base/mem.h"
#include "httpgw/httpin.h"
#include <unistd.h>

enum { PIPE_FULL = 64 * 1024, LINGER_MS = 3000, LINGER_STOP_MS = 300 };

static const struct conn_conf outer_conf, inner_conf;

static void bridge_free(struct http_bridge *b)
{
    if (b->outer || b->inner)
        return;
    timer_stop(&b->timer);
    addr_leave(b->http->addresses, b->key);
    if (b->conn)
        b->conn->bridge = NULL;
    list_unlink(&b->link);
    mem_free(b);
}

/* --- the client's side --- */

static void on_handshake_late(struct timer *t)
{
    struct http_bridge *b = CONTAINER(t, struct http_bridge, timer);
    b->http->totals.timeouts++;
    conn_close(b->outer, CONN_TIMEOUT);
}

void bridge_on_accept(void *ctx, struct conn *conn)
{
    const struct http_listening *l = ctx;
    struct http *h = l->http;
    struct tls_ctx *tls = h->conf.tls(h->conf.ctx);
    struct conn_peer peer;
    conn_peer(conn, &peer);
    bool known = peer.addr.ss_family == AF_INET || peer.addr.ss_family == AF_INET6;
    if (!tls || !known || !http_admit(h, (const struct sockaddr *)&peer.addr)) {
        conn_close(conn, CONN_BY_OWNER);
        return;
    }
    struct http_bridge *b = mem_new(sizeof *b);
    b->http = h;
    b->outer = conn;
    b->key = addr_key_of((const struct sockaddr *)&peer.addr);
    addr_enter(h->addresses, b->key);
    list_append(&h->bridges, &b->link);
    conn_owner_set(conn, &outer_conf, b);
    loop_timer(h->conf.loop, &b->timer, h->conf.request_ms, on_handshake_late);
    conn_start_tls(conn, tls, TLS_SERVER, NULL);
}

static void on_secure(void *owner)
{
    struct http_bridge *b = owner;
    struct conn_peer peer;
    int pair[2];
    timer_stop(&b->timer);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        conn_close(b->outer, CONN_IO);
        return;
    }
    conn_peer(b->outer, &peer);
    b->inner = conn_adopt(b->http->conf.loop, pair[0], true, &inner_conf, b);
    conn_begin(b->inner);
    http_add(b->http, pair[1], (const struct sockaddr *)&peer.addr, b);
}

static void on_outer_input(void *owner, struct slice bytes)
{
    struct http_bridge *b = owner;
    if (!b->inner)
        return;
    conn_write(b->inner, bytes);
    if (conn_full(b->inner))
        conn_pause(b->outer);
}

static void on_outer_drain(void *owner)
{
    struct http_bridge *b = owner;
    if (b->inner)
        conn_resume(b->inner);
}

static void on_outer_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct http_bridge *b = owner;
    (void)cause, (void)why;
    b->outer = NULL;
    if (b->inner)
        conn_close(b->inner, CONN_BY_OWNER); /* the library sees the end of it */
    bridge_free(b);
}

/* --- the library's side --- */

static void on_inner_input(void *owner, struct slice bytes)
{
    struct http_bridge *b = owner;
    if (!b->outer)
        return;
    conn_write(b->outer, bytes);
    if (conn_full(b->outer))
        conn_pause(b->inner);
}

static void on_inner_drain(void *owner)
{
    struct http_bridge *b = owner;
    if (b->outer)
        conn_resume(b->outer);
}

static void on_inner_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct http_bridge *b = owner;
    (void)cause, (void)why;
    b->inner = NULL;
    if (b->outer)
        conn_finish(b->outer, b->http->closing ? LINGER_STOP_MS : LINGER_MS);
    bridge_free(b);
}

static const struct conn_ops outer_ops = { .on_secure = on_secure,
                                           .on_input = on_outer_input,
                                           .on_drain = on_outer_drain,
                                           .on_closed = on_outer_closed };
static const struct conn_ops inner_ops = { .on_input = on_inner_input,
                                           .on_drain = on_inner_drain,
                                           .on_closed = on_inner_closed };
static const struct conn_conf outer_conf = { .ops = &outer_ops, .out_full = PIPE_FULL };
static const struct conn_conf inner_conf = { .ops = &inner_ops, .out_full = PIPE_FULL };

/* --- the end of it --- */

struct conn *bridge_take(struct http_bridge *b)
{
    struct conn *outer = b->outer;
    char bytes[4096];
    ssize_t n;
    if (!outer || conn_closing(outer) || !b->inner)
        return NULL;
    while ((n = conn_read_now(b->inner, bytes, sizeof bytes)) > 0)
        conn_write(outer, slice_of(bytes, (size_t)n));
    b->outer = NULL; /* its owner is another one now */
    conn_resume(outer);
    conn_close(b->inner, CONN_BY_OWNER);
    return outer;
}

void bridge_close_all(struct http *h)
{
    LIST_EACH(&h->bridges, it) {
        struct http_bridge *b = CONTAINER(it, struct http_bridge, link);
        if (b->outer)
            conn_close(b->outer, CONN_BY_OWNER);
    }
}
