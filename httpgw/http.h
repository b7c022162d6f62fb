/* httpgw/http.h - HTTP on our loop: listeners, connections, requests, answers (libmicrohttpd; RFC 9110, RFC 9112)
 *
 * The library sees no TLS: that is common/net's, as everywhere (bridge.c).
 *
 * A request is routed when its header is there (routes.h). Its handler then does one of these, before it returns:
 *   http_answer     at once; a body that was announced is not read, and the connection ends
 *   http_collect    wants the whole body in memory, up to a limit
 *   http_stream     wants the body as it comes (uploads)
 *   http_upgrade    takes the socket over (WebSocket)
 *   http_hold       has no use for a body and answers later
 * What has been asked for a body holds the request, too: http_answer may come at any later time. Each request is answered exactly once.
 * Nothing blocks: a handler that waits for something returns and answers later.
 *
 * A struct http_request lives until on_gone of http_own, which comes once: after its answer was sent, or when the connection is
 * lost, which is not noticed while the request is held. It may not be touched after. */
#ifndef HTTPGW_HTTP_H
#define HTTPGW_HTTP_H

#include "common/base/rate.h"
#include "common/net/conn.h"
#include "common/net/tls.h"

struct http;
struct http_request;

enum http_method { /* bits */
    HTTP_GET = 1,
    HTTP_HEAD = 2, /* answered as GET; the library leaves the body out */
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OPTIONS = 32,
    HTTP_OTHER = 64,
};

/* --- what is asked --- */

enum http_method http_method(const struct http_request *r);
/* The path as it was sent: nothing is decoded, so "/a%2fb" is one step and "%2e%2e" is no "..". Without the query. */
struct slice http_path(const struct http_request *r);
struct slice http_query(const struct http_request *r);                     /* behind '?', as sent; empty: none */
struct slice http_header(const struct http_request *r, const char *name);  /* a header's value; empty: absent */
bool http_has_token(const struct http_request *r, const char *name, const char *token); /* in a comma-separated list; no case */
struct slice http_host(const struct http_request *r);                      /* of the Host header, without the port */
/* Decodes %XX into the arena. RC_SYNTAX: not that, or it gives a control character, or no UTF-8. */
MUST_USE enum rc http_decode(struct arena *a, struct slice text, struct slice *out);
/* The client's address: of the connection, of the PROXY header, or of X-Forwarded-For where a trusted proxy says so. */
void http_peer(const struct http_request *r, struct conn_peer *out);
bool http_secure(const struct http_request *r); /* TLS, here or at a trusted proxy (X-Forwarded-Proto) */
bool http_by_proxy(const struct http_request *r); /* from one of forwarded_from: what its headers say of the client counts; whose TLS that speaks is not known */
bool http_from_here(const struct http_request *r); /* the connection is from this host, and nobody's proxy */
uint64_t http_connection(const struct http_request *r); /* its number, never used again */
struct http *http_of(const struct http_request *r);
void *http_ctx(const struct http *h); /* the owner's, of http_conf */

/* --- what becomes of the body --- */

/* owner is handed to on_gone when the request is over. */
void http_own(struct http_request *r, void *owner, void (*on_gone)(void *owner));
void *http_owner(const struct http_request *r);
/* Over max: 413. */
void http_collect(struct http_request *r, size_t max, void (*on_body)(struct http_request *r, struct slice body));
/* Before http_collect, where what has come may show that more is allowed: once, at max, grows says how much, which is never over most. */
void http_collect_more(struct http_request *r, size_t most, size_t (*grows)(struct http_request *r, struct slice so_far));
/* on_bytes takes as many as it can and returns how many; fewer than all: reading pauses until http_more. on_end: the body was whole. */
void http_stream(struct http_request *r, size_t (*on_bytes)(struct http_request *r, struct slice bytes),
                 void (*on_end)(struct http_request *r));
void http_more(struct http_request *r);
void http_hold(struct http_request *r);
/* For a request that takes long: it must have come in whole within ms from now (http_conf.request_ms else). */
void http_patience(struct http_request *r, uint32_t ms);

/* --- answers --- */

struct http_field {
    const char *name;
    struct slice value; /* bytes below 32 are not let through */
};
struct http_reply {
    unsigned status;
    const char *type;                /* Content-Type; NULL: none */
    struct slice body;               /* copied */
    const struct http_field *fields; /* copied */
    size_t n_fields;
};
void http_answer(struct http_request *r, const struct http_reply *reply);
void http_answer_text(struct http_request *r, unsigned status, const char *text); /* text/plain, and a line feed */
/* The body is size bytes of fd from offset on; fd is closed when it was sent. body of reply is not looked at. */
void http_answer_file(struct http_request *r, const struct http_reply *reply, int fd, uint64_t offset, uint64_t size);

/* The connection after 101: the callback gives it an owner (conn_owner_set), or closes it. */
struct http_upgraded {
    struct conn *conn;  /* reads only after conn_begin */
    struct slice early; /* what the client has sent behind its request */
};
void http_upgrade(struct http_request *r, const char *protocol, const struct http_field *fields, size_t n,
                  void (*on_upgraded)(void *ctx, const struct http_upgraded *u), void *ctx);

/* --- the whole --- */

struct http_totals {
    uint64_t requests, answers[6]; /* [2]: 2xx … ; [0]: cut without an answer */
    uint64_t refused, timeouts;    /* connections: too many from one address; requests that took too long */
};
struct http_conf {
    struct loop *loop;
    struct log *log;
    void *ctx;
    void (*on_request)(struct http_request *r); /* the header is there */
    void (*on_connection_gone)(void *ctx, uint64_t connection); /* http_connection of its requests, which are gone */
    struct tls_ctx *(*tls)(void *ctx);          /* NULL: no TLS now, the connection is closed */
    uint32_t connections, per_address, request_ms;
    size_t header_bytes; /* of a request; over it: 431 */
    const struct net_list *proxy_from, *forwarded_from; /* borrowed */
    uint32_t proxy_ms;
};
MUST_USE enum rc http_new(const struct http_conf *conf, struct http **out, struct why *why);
MUST_USE enum rc http_listen(struct http *h, const char *address, uint16_t port, bool tls, struct why *why);
void http_limits(struct http *h, uint32_t per_address, uint32_t request_ms); /* on reload */
/* Listens no more, ends when all is sent or linger_ms have passed. What is held then is answered by 503, after what has been asked for
 * before at the end of a turn: there its owners may answer. */
void http_close(struct http *h, uint32_t linger_ms);
void http_free(struct http **h); /* after the loop has ended */
size_t http_connections(const struct http *h);
const struct http_totals *http_totals(const struct http *h);
void http_tick(struct http *h); /* once a second */

#endif
