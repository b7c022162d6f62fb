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

static void bytes_clear(struct bytes *b)
{
    b->len = 0;
    if (b->cap > KEEP_BUFFER) {
        free(b->p);
        *b = (struct bytes){ NULL, 0, 0 };
    }
}

static void watch(struct client *c, bool out)
{
    struct epoll_event ev = { .events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0U), .data = { .ptr = c } };
    if (c->wants_out == out)
        return;
    c->wants_out = out;
    epoll_ctl(c->g->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

int conn_open(struct client *c)
{
    const struct options *o = &c->g->opt;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(gen_port(c->g, c->account)) };
    struct sockaddr_in from = { .sin_family = AF_INET };
    int on = 1;
    if (inet_pton(AF_INET, o->host, &to.sin_addr) != 1)
        return -1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if ((ntohl(to.sin_addr.s_addr) >> 24) == 127) {
        from.sin_addr.s_addr = htonl(UINT32_C(0x7f000101) + c->slot % o->addresses);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
                   sizeof(on)); /* ports are per address pair */
        if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
            return -1;
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        return -1;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data = { .ptr = c } };
    c->wants_out = true;
    return epoll_ctl(c->g->epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

void conn_free(struct client *c)
{
    if (c->tls) {
        gnutls_bye(c->tls, GNUTLS_SHUT_WR); /* does not block; whether it got out does not matter */
        gnutls_deinit(c->tls);
    }
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->in.p);
    free(c->out.p);
    c->in = c->out = (struct bytes){ NULL, 0, 0 };
    c->out_done = 0;
    free(c->scram);
    c->scram = NULL;
}

int conn_start_tls(struct client *c)
{
    const struct options *o = &c->g->opt;
    static const gnutls_datum_t alpn = { (unsigned char *)(uintptr_t) "xmpp-client", 11 };
    if (gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        gnutls_set_default_priority(c->tls) < 0 ||
        gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->g->credentials) < 0)
        return -1;
    const char *domain = gen_domain(c->g, c->account);
    gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, domain, strlen(domain));
    if (o->tls == TLS_DIRECT) /* XEP-0368 */
        gnutls_alpn_set_protocols(c->tls, &alpn, 1, 0);
    gnutls_handshake_set_timeout(c->tls, GNUTLS_INDEFINITE_TIMEOUT);
    gnutls_transport_set_int(c->tls, c->fd);
    c->state = CLIENT_HANDSHAKE;
    return 0;
}

static void handshake(struct client *c)
{
    int rc;
    do
        rc = gnutls_handshake(c->tls);
    while (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(rc));
    if (rc == GNUTLS_E_AGAIN) {
        watch(c, gnutls_record_get_direction(c->tls) == 1);
        return;
    }
    if (rc < 0) {
        client_close(c, gnutls_strerror(rc));
        return;
    }
    watch(c, false);
    client_connected(c);
}

/* More than 0: bytes; 0: the end; -1: nothing now; -2: broken. */
static ssize_t receive(struct client *c, char *p, size_t n)
{
    if (!c->tls) {
        ssize_t got = recv(c->fd, p, n, 0);
        return got >= 0 ? got : errno == EAGAIN || errno == EINTR ? -1 : -2;
    }
    ssize_t got;
    do
        got = gnutls_record_recv(c->tls, p, n);
    while (got == GNUTLS_E_INTERRUPTED);
    if (got == GNUTLS_E_PREMATURE_TERMINATION)
        return 0;
    return got >= 0 ? got : got == GNUTLS_E_AGAIN || !gnutls_error_is_fatal((int)got) ? -1 : -2;
}

static void read_once(struct client *c, bool *again)
{
    struct gen *g = c->g;
    size_t have = c->in.len, used = 0;
    if (have >= READ_BUFFER) {
        client_close(c, "an element larger than 256 KiB");
        return;
    }
    if (have)
        memcpy(g->read_buffer, c->in.p, have);
    ssize_t n = receive(c, g->read_buffer + have, READ_BUFFER - have);
    if (n == -1)
        return;
    if (n <= 0) {
        client_close(c, c->state == CLIENT_LEAVING ? NULL : n == 0 ? "closed by the server" : "read error");
        return;
    }
    g->read_ns = now_ns();
    size_t len = have + (size_t)n;
    client_input(c, g->read_buffer, len, &used);
    if (c->state == CLIENT_FREE)
        return;
    c->in.len = 0;
    if (used < len && c->state != CLIENT_HANDSHAKE)
        bytes_add(&c->in, g->read_buffer + used, len - used);
    else
        bytes_clear(&c->in);
    *again = c->tls && c->state != CLIENT_HANDSHAKE && gnutls_record_check_pending(c->tls) > 0;
}

void conn_event(struct client *c, uint32_t events)
{
    if (c->state == CLIENT_CONNECT) {
        int error = 0;
        socklen_t len = sizeof(error);
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) {
            client_close(c, strerror(error));
            return;
        }
        watch(c, false);
        if (c->g->opt.tls != TLS_DIRECT)
            client_connected(c);
        else if (conn_start_tls(c) < 0)
            client_close(c, "TLS cannot be set up");
        else
            handshake(c);
        return;
    }
    if (c->state == CLIENT_HANDSHAKE) {
        handshake(c);
        return;
    }
    if (events & EPOLLOUT)
        conn_flush(c);
    bool again = c->state != CLIENT_FREE && (events & (EPOLLIN | EPOLLHUP | EPOLLERR));
    while (again) {
        again = false;
        read_once(c, &again);
    }
    if (c->state == CLIENT_HANDSHAKE) /* <proceed/> was read */
        handshake(c);
}

void conn_flush(struct client *c)
{
    while (c->out_done < c->out.len) {
        const char *p = c->out.p + c->out_done;
        size_t n = c->out.len - c->out_done;
        ssize_t put = c->tls ? gnutls_record_send(c->tls, p, n) : send(c->fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && (c->tls ? !gnutls_error_is_fatal((int)put) : errno == EAGAIN || errno == EINTR)) {
            watch(c, true);
            return;
        }
        if (put < 0) {
            client_close(c, c->state == CLIENT_LEAVING ? NULL : "write error");
            return;
        }
        c->out_done += (size_t)put;
    }
    c->out_done = 0;
    bytes_clear(&c->out);
    watch(c, false);
}
