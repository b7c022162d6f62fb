/* common/net/listen.h - listeners: TCP (SO_REUSEPORT, IPv4 and IPv6) and unix sockets; PROXY protocol v1 and v2 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "common/base/rate.h"
#include "common/net/conn.h"

struct listener;
struct listen_conf {
    const char *address;  /* "::", "0.0.0.0", "127.0.0.1", or "/path" for a unix socket (old one is removed) */
    uint16_t port;        /* TCP only; "::" listens on IPv4 too */
    unsigned mode;        /* unix socket's permission bits */
    const struct net_list *proxy_from; /* peers in it must start with a PROXY header; others are taken as they are */
    uint32_t proxy_ms;    /* how long the header may take */
    /* A new connection: the callback gives it an owner by conn_owner_set, or closes it. The conn reads only after;
     * it may start TLS inside, but not pause (what came behind a PROXY header is delivered right after). */
    void (*on_accept)(void *ctx, struct conn *c);
    /* Or, for a library that has sockets of its own: the socket itself, behind a PROXY header, non-blocking; it is the callback's. from: the
     * peer's address, or what the header said. NULL: on_accept is called. */
    void (*on_socket)(void *ctx, int fd, const struct sockaddr *from);
    void *ctx;
};
/* conn_conf: what accepted conns start with (the callback may exchange it). Many threads of the same port are allowed
 * (SO_REUSEPORT). Backlog: somaxconn. RC_OK with a text in why (empty it before): "::" had to be 0.0.0.0, for the
 * host has no IPv6. */
MUST_USE enum rc listen_open(struct loop *loop, const struct listen_conf *conf, const struct conn_conf *conn_conf,
                             struct listener **out, struct why *why);
void listen_close(struct listener **l);
void listen_pause(struct listener *l);  /* stop accepting: the kernel's backlog waits (admission control) */
void listen_resume(struct listener *l);
uint16_t listen_port(const struct listener *l);
uint64_t listen_refused(const struct listener *l); /* connections refused because descriptors had run out */

/* The PROXY header, pure. RC_AGAIN: more bytes; RC_SYNTAX: not one. *used: bytes of it. out->ss_family AF_UNSPEC for
 * LOCAL/UNKNOWN (keep the real address). */
MUST_USE enum rc proxy_header_read(struct slice bytes, struct sockaddr_storage *out, size_t *used);

#endif
