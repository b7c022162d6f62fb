/* common/net/conn.h - byte stream over TCP or a unix socket, with or without TLS
 *
 * The owner gets bytes and writes bytes; TLS is underneath. An idle conn owns its socket handle and nothing else: the
 * read buffer is the loop's, the write buffer exists only while something waits. Writes are collected and leave at the
 * end of the turn, in one system call where the socket takes them.
 *
 * Life: conn_dial/conn_adopt → on_input … → conn_close (by anyone, any number of times) → on_closed, once, always
 * later than the conn_close call (never inside it) → the conn is gone. Callbacks are the last thing conn does with itself
 * in an event, so the owner may close inside. Between conn_close and on_closed no other callback comes. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "common/base/arena.h"
#include "common/net/loop.h"
#include <sys/socket.h>

struct conn;
enum conn_cause { CONN_BY_OWNER, CONN_BY_PEER, CONN_IO, CONN_TLS, CONN_OVERFLOW, CONN_TIMEOUT };
const char *conn_cause_name(enum conn_cause cause);

struct conn_ops {
    void (*on_connected)(void *owner);                        /* dialled ones only */
    void (*on_secure)(void *owner);                           /* the TLS handshake is done; NULL: not wanted */
    void (*on_input)(void *owner, struct slice bytes);        /* decrypted; bytes belong to the loop */
    void (*on_drain)(void *owner);                            /* output fell under a quarter of its limit after
                                                                 conn_full had been true; NULL: not wanted */
    void (*on_closed)(void *owner, enum conn_cause cause, const struct why *why);
};

struct conn_totals {        /* the daemon's byte counters; shared by its conns, NULL allowed */
    uint64_t in_bytes, out_bytes, in_calls, out_calls;
};
struct conn_conf {
    const struct conn_ops *ops;
    size_t out_max;          /* bytes of waiting output; over it the conn closes with CONN_OVERFLOW. 0: none */
    size_t out_full;         /* conn_full is true from here on (back-pressure); 0: never */
    struct conn_totals *totals;
};
/* conf is borrowed for the conn's life (one static per daemon and use). */
struct conn *conn_dial_tcp(struct loop *loop, const struct sockaddr *to, const struct conn_conf *conf, void *owner);
struct conn *conn_dial_unix(struct loop *loop, const char *path, const struct conn_conf *conf, void *owner);
/* Resolves host (thread pool) and tries its addresses in turn. */
struct conn *conn_dial_host(struct loop *loop, const char *host, uint16_t port, const struct conn_conf *conf, void *owner);
/* A connected socket (accepted, or shared with a child process) becomes a conn; it reads after conn_begin. The conn owns fd, also when it
 * cannot be used: then the conn is closing. */
struct conn *conn_adopt(struct loop *loop, int fd, bool is_unix, const struct conn_conf *conf, void *owner);
void conn_begin(struct conn *c);

void conn_owner_set(struct conn *c, const struct conn_conf *conf, void *owner); /* hands it to another owner */
void conn_write(struct conn *c, struct slice bytes);                  /* copies; nothing happens on a closing conn */
/* Borrowed buffer to append to directly, instead of conn_write; call conn_wrote when done, at once. Saves a copy. */
struct buf *conn_out(struct conn *c);
void conn_wrote(struct conn *c);
/* For a router: writes these pieces now if nothing waits (one writev), keeps only what the socket did not take. Plain
 * and TLS. */
void conn_writev(struct conn *c, const struct slice *pieces, size_t n);
void conn_flush(struct conn *c); /* now rather than at the end of the turn */
size_t conn_waiting(const struct conn *c); /* bytes of output not taken by the socket yet */
size_t conn_left(const struct conn *c);    /* in on_closed: what was waiting when it closed (under TLS: cipher text) */
/* Bytes ever written by the owner, and those of them that the socket has taken (under TLS: in records that it has taken
 * whole), modulo 2^32; also in on_closed. Not for who uses conn_writev. */
uint32_t conn_written(const struct conn *c);
uint32_t conn_taken(const struct conn *c);
bool conn_full(const struct conn *c);
/* TCP: what was written and for so long was not acknowledged by the peer's host, or not let in, ends the connection (CONN_TIMEOUT). 0: as the
 * host does it, which may take a quarter of an hour. */
void conn_patience(struct conn *c, uint32_t ms);

/* Of a plain conn that is to end: what its socket holds now. 0 or less: no more. */
ssize_t conn_read_now(struct conn *c, char *to, size_t size);
void conn_pause(struct conn *c);  /* stop reading; nested calls do not count */
void conn_resume(struct conn *c);
bool conn_paused(const struct conn *c);

void conn_close(struct conn *c, enum conn_cause cause);
/* Sends what waits, shuts down the sending side (TLS close-notify), closes when the peer has closed or after
 * linger_ms. Input is no longer delivered. */
void conn_finish(struct conn *c, uint32_t linger_ms);
bool conn_closing(const struct conn *c);

struct conn_peer {
    struct sockaddr_storage addr;
    char ip[46];   /* text; "unix" for a unix socket */
    uint16_t port;
};
void conn_peer(const struct conn *c, struct conn_peer *out);
void conn_peer_of(const struct sockaddr_storage *addr, struct conn_peer *out); /* the same of an address */
MUST_USE enum rc conn_addr_parse(struct slice text, struct sockaddr_storage *out); /* "192.0.2.7", "2001:db8::1"; port 0. RC_SYNTAX */
void conn_peer_set(struct conn *c, const struct sockaddr *sa); /* what the PROXY protocol said */
MUST_USE enum rc conn_unix_peer_uid(const struct conn *c, uint32_t *uid); /* SO_PEERCRED */

/* --- TLS --- */
struct tls_ctx;
enum tls_role { TLS_CLIENT, TLS_SERVER };
/* Starts TLS now: what was read behind it in this event is not TLS and was dropped by the owner. on_secure follows, or
 * on_closed(CONN_TLS). server_name: SNI to send (client), or NULL. */
void conn_start_tls(struct conn *c, struct tls_ctx *tls, enum tls_role role, const char *server_name);
/* The client's side where there are several of us (servers): our certificate is the one for own_name, NULL: the default. alpn: the
 * context's protocols are offered. */
struct conn_tls_client {
    const char *server_name, *own_name; /* of the peer, for SNI; either may be NULL */
    bool alpn;
};
void conn_start_tls_client(struct conn *c, struct tls_ctx *ctx, const struct conn_tls_client *how);
bool conn_secure(const struct conn *c);
struct conn_tls {
    const char *version, *cipher;   /* "TLS1.3", "AES-256-GCM"; static storage */
    char sni[256];                  /* what the client asked for; empty: nothing */
    char alpn[32];
    bool has_cert;                  /* the peer sent a certificate … */
    bool cert_ok;                   /* … and it verifies against the context's trust */
};
void conn_tls_info(struct conn *c, struct conn_tls *out);
/* Channel binding data in the arena (RFC 9266 tls-exporter, RFC 5929 tls-server-end-point). RC_UNSUPPORTED. */
MUST_USE enum rc conn_cb_exporter(struct conn *c, struct arena *a, struct slice *out);
MUST_USE enum rc conn_cb_end_point(struct conn *c, struct arena *a, struct slice *out);
/* DER of the peer's certificate, if it sent one. RC_NOTFOUND. */
MUST_USE enum rc conn_peer_cert(struct conn *c, struct arena *a, struct slice *out);
/* All that it sent, its own first, for net/peercert.h. RC_LIMIT: more than max, or of more than 64 KiB together. RC_NOTFOUND. */
MUST_USE enum rc conn_peer_chain(struct conn *c, struct arena *a, struct slice *out, size_t max, size_t *n);

#endif
