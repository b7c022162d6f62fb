/* test/bench/conn.c - the socket of a client, with or without TLS; see gen.h */
#include "gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BUFFER 262144
#define KEEP_BUFFER 2048 /* an idle client does not keep more than this */

void bytes_add(struct bytes *b, const char *p, size_t n)
{
    if (!n)
        return;
    if (b->len + n > b->cap) {
        size_t cap = b->cap ? b->cap : 512;
        while (cap < b->len + n)
            cap *= 2;
        b->p = realloc(b->p, cap);
        if (!b->p)
            abort();
        b->cap = cap;
    }
    memcpy(b->p + b->len, p, n);
    b->len += n;
}

void bytes_clear(struct bytes *b)
{
    b->len = 0;
    if (b->cap > KEEP_BUFFER) {
        free(b->p);
        *b = (struct bytes){ NULL, 0, 0 };
    }
}

static void watch(struct wire *w, bool out)
{
    struct epoll_event ev = { .events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0U), .data = { .ptr = w } };
    if (w->wants_out == out)
        return;
    w->wants_out = out;
    epoll_ctl(w->c->g->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

int conn_open(struct wire *w)
{
    struct client *c = w->c;
    const struct options *o = &c->g->opt;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(gen_port(c->g, c->account)) };
    struct sockaddr_in from = { .sin_family = AF_INET };
    int on = 1;
    if (inet_pton(AF_INET, o->host, &to.sin_addr) != 1)
        return -1;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return -1;
    w->state = WIRE_CONNECT;
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if ((ntohl(to.sin_addr.s_addr) >> 24) == 127) {
        from.sin_addr.s_addr = htonl(UINT32_C(0x7f000101) + c->slot % o->addresses);
        setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
                   sizeof(on)); /* ports are per address pair */
        if (bind(w->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
            return -1;
    }
    if (connect(w->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        return -1;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data = { .ptr = w } };
    w->wants_out = true;
    return epoll_ctl(c->g->epoll, EPOLL_CTL_ADD, w->fd, &ev);
}

void conn_free(struct wire *w)
{
    if (w->state == WIRE_CLOSED)
        return;
    if (w->tls) {
        gnutls_bye(w->tls, GNUTLS_SHUT_WR); /* does not block; whether it got out does not matter */
        gnutls_deinit(w->tls);
    }
    close(w->fd);
    free(w->in.p);
    free(w->out.p);
    *w = (struct wire){ .c = w->c };
}

int conn_start_tls(struct wire *w)
{
    struct client *c = w->c;
    const char *alpn = c->g->way->alpn;
    const gnutls_datum_t protocol = { (unsigned char *)(uintptr_t)alpn, (unsigned)strlen(alpn) };
    if (gnutls_init(&w->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        gnutls_set_default_priority(w->tls) < 0 ||
        gnutls_credentials_set(w->tls, GNUTLS_CRD_CERTIFICATE, c->g->credentials) < 0)
        return -1;
    const char *domain = gen_domain(c->g, c->account);
    gnutls_server_name_set(w->tls, GNUTLS_NAME_DNS, domain, strlen(domain));
    if (c->g->opt.tls == TLS_DIRECT) /* XEP-0368 */
        gnutls_alpn_set_protocols(w->tls, &protocol, 1, 0);
    gnutls_handshake_set_timeout(w->tls, GNUTLS_INDEFINITE_TIMEOUT);
    gnutls_transport_set_int(w->tls, w->fd);
    w->state = WIRE_HANDSHAKE;
    return 0;
}

static void handshake(struct wire *w)
{
    int rc;
    do
        rc = gnutls_handshake(w->tls);
    while (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(rc));
    if (rc == GNUTLS_E_AGAIN) {
        watch(w, gnutls_record_get_direction(w->tls) == 1);
        return;
    }
    if (rc < 0) {
        client_close(w->c, gnutls_strerror(rc));
        return;
    }
    w->state = WIRE_OPEN;
    watch(w, false);
    w->c->g->way->ready(w);
}

/* More than 0: bytes; 0: the end; -1: nothing now; -2: broken. */
static ssize_t receive(struct wire *w, char *p, size_t n)
{
    if (!w->tls) {
        ssize_t got = recv(w->fd, p, n, 0);
        return got >= 0 ? got : errno == EAGAIN || errno == EINTR ? -1 : -2;
    }
    ssize_t got;
    do
        got = gnutls_record_recv(w->tls, p, n);
    while (got == GNUTLS_E_INTERRUPTED);
    if (got == GNUTLS_E_PREMATURE_TERMINATION)
        return 0;
    return got >= 0 ? got : got == GNUTLS_E_AGAIN || !gnutls_error_is_fatal((int)got) ? -1 : -2;
}

static void lost(struct wire *w, const char *why)
{
    struct client *c = w->c;
    if (c->g->way->lost && !c->g->way->lost(w))
        conn_free(w);
    else
        client_close(c, c->state == CLIENT_LEAVING ? NULL : why);
}

static void read_once(struct wire *w, bool *again)
{
    struct gen *g = w->c->g;
    size_t have = w->in.len, used = 0;
    if (have >= READ_BUFFER) {
        client_close(w->c, "an element larger than 256 KiB");
        return;
    }
    if (have)
        memcpy(g->read_buffer, w->in.p, have);
    ssize_t n = receive(w, g->read_buffer + have, READ_BUFFER - have);
    if (n == -1)
        return;
    if (n <= 0) {
        lost(w, n == 0 ? "closed by the server" : "read error");
        return;
    }
    g->read_ns = now_ns();
    size_t len = have + (size_t)n;
    g->way->input(w, g->read_buffer, len, &used);
    if (w->state == WIRE_CLOSED)
        return;
    w->in.len = 0;
    if (used < len && w->state == WIRE_OPEN)
        bytes_add(&w->in, g->read_buffer + used, len - used);
    else
        bytes_clear(&w->in);
    *again = w->tls && w->state == WIRE_OPEN && gnutls_record_check_pending(w->tls) > 0;
}

static void connected(struct wire *w)
{
    struct client *c = w->c;
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        client_close(c, strerror(error));
        return;
    }
    watch(w, false);
    if (c->g->opt.tls != TLS_DIRECT) {
        w->state = WIRE_OPEN;
        c->g->way->ready(w);
    } else if (conn_start_tls(w) < 0) {
        client_close(c, "TLS cannot be set up");
    } else {
        handshake(w);
    }
}

void conn_event(struct wire *w, uint32_t events)
{
    if (w->state == WIRE_CONNECT) {
        connected(w);
        return;
    }
    if (w->state == WIRE_HANDSHAKE) {
        handshake(w);
        return;
    }
    if (events & EPOLLOUT)
        conn_flush(w);
    bool again = w->state != WIRE_CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR));
    while (again) {
        again = false;
        read_once(w, &again);
    }
    if (w->state == WIRE_HANDSHAKE) /* <proceed/> was read */
        handshake(w);
}

void conn_flush(struct wire *w)
{
    if (w->state != WIRE_OPEN)
        return;
    while (w->out_done < w->out.len) {
        const char *p = w->out.p + w->out_done;
        size_t n = w->out.len - w->out_done;
        ssize_t put = w->tls ? gnutls_record_send(w->tls, p, n) : send(w->fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && (w->tls ? !gnutls_error_is_fatal((int)put) : errno == EAGAIN || errno == EINTR)) {
            watch(w, true);
            return;
        }
        if (put < 0) {
            client_close(w->c, w->c->state == CLIENT_LEAVING ? NULL : "write error");
            return;
        }
        w->out_done += (size_t)put;
    }
    w->out_done = 0;
    bytes_clear(&w->out);
    watch(w, false);
}
