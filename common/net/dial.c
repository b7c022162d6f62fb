/* common/net/dial.c - outgoing conns: one address, a unix socket, or a host's addresses in turn */
#include "common/base/mem.h"
#include "common/net/inside.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* Exists until the conn is connected. */
struct dial {
    struct conn *conn; /* NULL: the conn is gone, the resolver has not answered yet */
    uv_connect_t req;
    uv_getaddrinfo_t resolve;
    struct addrinfo *list, *at; /* at: the address being tried */
    bool resolving, retrying;   /* retrying: the handle closes to try the next address */
};

static void dial_end(struct dial *d)
{
    if (d->list)
        uv_freeaddrinfo(d->list);
    mem_free(d);
}

void dial_free(struct conn *c)
{
    struct dial *d = c->dial;
    if (!d)
        return;
    c->dial = NULL;
    d->conn = NULL;
    if (!d->resolving)
        dial_end(d);
    else
        uv_cancel((uv_req_t *)&d->resolve); /* on_resolved comes in any case */
}

bool dial_closing(struct conn *c)
{
    return c->dial && c->dial->retrying;
}

static void dial_begin(struct conn *c)
{
    c->dial = mem_new(sizeof *c->dial);
    c->dial->conn = c;
    c->dial->req.data = c->dial;
    c->dial->resolve.data = c->dial;
}

static void try_next(struct conn *c);
static void on_retry_closed(uv_handle_t *handle);

/* The address failed: the next one with a new socket, or the end. */
static void refused(struct conn *c, int err)
{
    struct dial *d = c->dial;
    if (!d->at || !d->at->ai_next) {
        conn_fail(c, CONN_IO, "connect: %s", uv_strerror(err));
        return;
    }
    d->at = d->at->ai_next;
    d->retrying = true;
    uv_close(&c->u.handle, on_retry_closed);
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    loop_touch(c->loop);
    c->dial->retrying = false;
    if (c->closing) {
        conn_is_gone(c);
        return;
    }
    conn_init_tcp(c);
    try_next(c);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct dial *d = req->data;
    struct conn *c = d ? d->conn : NULL;
    if (!c || c->closing || d->retrying)
        return; /* cancelled by closing */
    loop_touch(c->loop);
    if (status < 0) {
        refused(c, status);
        return;
    }
    dial_free(c);
    if (c->u.handle.type == UV_TCP)
        uv_tcp_nodelay(&c->u.tcp, 1);
    conn_begin(c);
    if (c->conf->ops->on_connected && !c->closing)
        c->conf->ops->on_connected(c->owner);
}

static void connect_to(struct conn *c, const struct sockaddr *to)
{
    int err = uv_tcp_connect(&c->dial->req, &c->u.tcp, to, on_connect);
    if (err < 0)
        refused(c, err);
}

static void try_next(struct conn *c)
{
    connect_to(c, c->dial->at->ai_addr);
}

struct conn *conn_dial_tcp(struct loop *loop, const struct sockaddr *to, const struct conn_conf *conf,
                           void *owner)
{
    struct conn *c = conn_new(loop, conf, owner);
    conn_init_tcp(c);
    dial_begin(c);
    connect_to(c, to);
    return c;
}

struct conn *conn_dial_unix(struct loop *loop, const char *path, const struct conn_conf *conf, void *owner)
{
    struct conn *c = conn_new(loop, conf, owner);
    conn_init_pipe(c);
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        conn_fail(c, CONN_IO, "%s: longer than a socket's path may be", path);
        return c;
    }
    dial_begin(c);
    uv_pipe_connect(&c->dial->req, &c->u.pipe, path, on_connect);
    return c;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct dial *d = req->data;
    struct conn *c = d->conn;
    d->resolving = false;
    d->list = list;
    if (!c) {
        dial_end(d);
        return;
    }
    if (c->closing) /* dial_free comes */
        return;
    loop_touch(c->loop);
    if (status < 0 || !list) {
        conn_fail(c, CONN_IO, "resolve: %s", status < 0 ? uv_strerror(status) : "no address");
        return;
    }
    d->at = list;
    try_next(c);
}

struct conn *conn_dial_host(struct loop *loop, const char *host, uint16_t port, const struct conn_conf *conf,
                            void *owner)
{
    struct conn *c = conn_new(loop, conf, owner);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    conn_init_tcp(c);
    dial_begin(c);
    int err = uv_getaddrinfo(&loop->uv, &c->dial->resolve, on_resolved, host, service, &hints);
    if (err < 0)
        conn_fail(c, CONN_IO, "resolve: %s", uv_strerror(err));
    else
        c->dial->resolving = true;
    return c;
}
