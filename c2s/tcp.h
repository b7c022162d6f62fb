/* c2s/tcp.h - a client's stream over TCP, with or without TLS: a transport of common/edge/client.h (RFC 6120 4, 5)
 *
 * Made when a connection is taken up; frees itself when that is closed. */
#ifndef C2S_TCP_H
#define C2S_TCP_H

#include "c2s/c2s.h"
#include "common/edge/negotiate.h"

struct tcp {
    struct client client;
    struct conn *conn;
    struct xmlin xml;
};
static inline struct tcp *tcp_of(const struct client *c)
{
    return CONTAINER((uintptr_t)c, struct tcp, client);
}
static inline struct c2s *tcp_c2s(const struct client *c)
{
    return CONTAINER(c->d, struct c2s, clients);
}
void tcp_accept(struct c2s *d, struct conn *conn, bool direct_tls);
void tcp_secure(struct tcp *t, struct tls_ctx *tls); /* begins TLS */
extern const struct conn_ops tcp_conn_ops;

/* starttls.c */
bool starttls_offered(const struct client *c);
void starttls_begin(struct client *c);
void starttls_on_secure(struct tcp *t); /* what the connection offers now */

#endif
