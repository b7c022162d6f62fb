/* test/unit/net_world.h - a loop, a listener and a conn at each end, for the tests of common/net */
#ifndef TEST_NET_WORLD_H
#define TEST_NET_WORLD_H

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/net/inside.h"
#include "common/net/listen.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

struct world;
struct side {
    struct world *world;
    struct conn *conn; /* NULL: not yet, or gone */
    struct buf got;
    unsigned connected, secure, inputs, drained, closed;
    enum conn_cause cause;
    struct why why;
    /* Instead of keeping what comes: */
    void (*on_input)(struct side *s, struct slice bytes);
    void (*on_connected)(struct side *s);
    void (*on_secure)(struct side *s);
    void (*on_drain)(struct side *s);
    void (*on_closed)(struct side *s);
};
struct world {
    struct loop *loop;
    struct listener *listener;
    struct conn_conf server_conf, client_conf;
    struct conn_totals totals; /* the server's */
    struct side server, client;
    void (*on_accept)(struct world *w); /* after server.conn has its owner */
    struct timer guard;
    char path[128]; /* unix socket; empty: TCP */
    void *extra;    /* the test's */
};

static inline void side_connected(void *owner)
{
    struct side *s = owner;
    s->connected++;
    if (s->on_connected)
        s->on_connected(s);
}
static inline void side_secure(void *owner)
{
    struct side *s = owner;
    s->secure++;
    if (s->on_secure)
        s->on_secure(s);
}
static inline void side_input(void *owner, struct slice bytes)
{
    struct side *s = owner;
    assert_int_equal(s->closed, 0);
    s->inputs++;
    if (s->on_input)
        s->on_input(s, bytes);
    else
        buf_slice(&s->got, bytes);
}
static inline void side_drain(void *owner)
{
    struct side *s = owner;
    s->drained++;
    if (s->on_drain)
        s->on_drain(s);
}
static inline void side_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct side *s = owner;
    s->closed++;
    s->cause = cause;
    s->why = *why;
    s->conn = NULL;
    if (s->on_closed)
        s->on_closed(s);
}
static const struct conn_ops side_ops = { side_connected, side_secure, side_input, side_drain, side_closed };

static inline void world_accept(void *ctx, struct conn *c)
{
    struct world *w = ctx;
    if (w->server.conn) {
        conn_close(c, CONN_BY_OWNER);
        return;
    }
    w->server.conn = c;
    conn_owner_set(c, &w->server_conf, &w->server);
    if (w->on_accept)
        w->on_accept(w);
}

static inline void world_guard(struct timer *t)
{
    struct world *w = CONTAINER(t, struct world, guard);
    loop_timer(w->loop, t, 50, world_guard); /* so that a poll ends now and then */
}

/* Turns until cond holds. */
#define UNTIL(w, cond)                                                                                            \
    do {                                                                                                          \
        uint64_t until_ = clock_mono_ms() + PATIENCE_MS;                                                          \
        while (!(cond)) {                                                                                         \
            uv_run(&(w)->loop->uv, UV_RUN_ONCE);                                                                  \
            if (clock_mono_ms() > until_)                                                                         \
                fail_msg("never came: %s", #cond);                                                                \
        }                                                                                                         \
    } while (0)

static inline void turns(struct world *w, int n)
{
    while (n--)
        uv_run(&w->loop->uv, UV_RUN_NOWAIT);
}

static inline struct world *world_new(const char *address, const struct net_list *proxy_from)
{
    struct world *w = mem_new(sizeof *w);
    struct why why = { "" };
    w->loop = loop_new();
    w->server.world = w->client.world = w;
    w->server_conf = (struct conn_conf){ .ops = &side_ops, .totals = &w->totals };
    w->client_conf = (struct conn_conf){ .ops = &side_ops };
    if (address[0] == '/')
        snprintf(w->path, sizeof w->path, "%s", address);
    struct listen_conf conf = { .address = address, .mode = 0600, .proxy_from = proxy_from, .proxy_ms = 200,
                                .on_accept = world_accept, .ctx = w };
    if (listen_open(w->loop, &conf, &w->server_conf, &w->listener, &why) != RC_OK)
        fail_msg("%s", why.text);
    loop_timer(w->loop, &w->guard, 50, world_guard);
    return w;
}

static inline struct sockaddr_in world_addr(const struct world *w)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(listen_port(w->listener)) };
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sa;
}

static inline void world_dial(struct world *w)
{
    struct sockaddr_in sa = world_addr(w);
    if (w->path[0])
        w->client.conn = conn_dial_unix(w->loop, w->path, &w->client_conf, &w->client);
    else
        w->client.conn = conn_dial_tcp(w->loop, (struct sockaddr *)&sa, &w->client_conf, &w->client);
}

static inline void world_meet(struct world *w) /* dials, and waits until both know each other */
{
    world_dial(w);
    UNTIL(w, w->client.connected && w->server.conn);
}

static inline void world_free(struct world *w)
{
    if (w->client.conn)
        conn_close(w->client.conn, CONN_BY_OWNER);
    if (w->server.conn)
        conn_close(w->server.conn, CONN_BY_OWNER);
    listen_close(&w->listener);
    UNTIL(w, !w->client.conn && !w->server.conn);
    timer_stop(&w->guard);
    loop_stop(w->loop);
    loop_run(w->loop);
    loop_free(&w->loop);
    buf_fini(&w->server.got);
    buf_fini(&w->client.got);
    mem_free(w);
}

static inline void echo(struct side *s, struct slice bytes)
{
    conn_write(s->conn, bytes);
}

#endif
