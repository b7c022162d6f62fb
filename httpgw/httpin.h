/* httpgw/httpin.h - what http.c and request.c share; nobody else includes it */
#ifndef HTTPGW_HTTPIN_H
#define HTTPGW_HTTPIN_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "httpgw/http.h"
#include <microhttpd.h>

struct http_listening {
    struct http *http;
    struct listener *listener;
};
enum { HTTP_LISTENERS_MAX = 64 };
struct http {
    struct http_conf conf;
    struct MHD_Daemon *mhd;
    struct watch *watch;  /* its epoll set */
    struct timer timer;   /* its own */
    struct http_listening listening[HTTP_LISTENERS_MAX];
    size_t n_listening;
    struct link requests; /* struct http_request */
    struct link conns;    /* struct http_link */
    struct link bridges;  /* struct http_bridge */
    struct http_bridge *arriving; /* whose other end the library is being given */
    size_t n_conns;
    uint64_t last_number;
    struct turn turn;     /* something was resumed */
    struct turn last_turn; /* it closes */
    struct timer linger;
    uint64_t linger_until_ms;
    struct addr_table *addresses;
    struct http_totals totals;
    bool closing, closed;
};
struct http_link { /* one connection: the library's socket context */
    struct link link;
    struct http *http;
    struct timer timer; /* the request must be whole by then */
    struct http_bridge *bridge; /* TLS; NULL: none, or it is gone */
    struct sockaddr_storage addr;
    struct addr_key key;
    uint64_t number;
    int fd;
    bool is_tls, upgraded;
};

enum request_state {
    REQUEST_NEW,      /* only the target is known */
    REQUEST_BODY,     /* the body is coming */
    REQUEST_STALLED,  /* suspended: on_bytes took not all */
    REQUEST_COMPLETE, /* the handler looks at it */
    REQUEST_HELD,     /* suspended, to be answered */
    REQUEST_ANSWERED, /* there is a response; it is the library's turn */
};
struct http_request {
    struct link link; /* in http.requests */
    struct http *http;
    struct MHD_Connection *mhd;
    struct http_link *conn;
    char *target; /* as sent */
    struct slice path, query;
    enum http_method method;
    uint8_t state;
    unsigned status;
    struct MHD_Response *response;
    struct buf body;
    size_t body_max, body_most; /* most: before `grows` was asked */
    bool too_long;              /* it is read to its end, and dropped */
    size_t (*grows)(struct http_request *r, struct slice so_far);
    void (*on_body)(struct http_request *r, struct slice body);
    size_t (*on_bytes)(struct http_request *r, struct slice bytes);
    void (*on_end)(struct http_request *r);
    void *owner;
    void (*on_gone)(void *owner);
    void (*on_upgraded)(void *ctx, const struct http_upgraded *u);
    void *upgrade_ctx;
    bool queued;
};

/* request.c: the library's callbacks, and what http.c needs */
void *request_on_target(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                                  const char *data, size_t *size, void **ctx);
void request_on_completed(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode code);
/* bridge.c: a client's TLS connection and the library's end of it, a socket pair */
struct http_bridge {
    struct link link; /* in http.bridges */
    struct http *http;
    struct conn *outer, *inner; /* NULL: closed, or not there yet */
    struct http_link *conn;     /* NULL: not there yet, or gone */
    struct timer timer;         /* for the handshake */
    struct addr_key key;
};
void bridge_on_accept(void *ctx, struct conn *conn); /* ctx: struct http_listening */
/* The connection itself, with all written to it that the library has said; the bridge is no more. NULL: it is closed. */
struct conn *bridge_take(struct http_bridge *b);
void bridge_close_all(struct http *h);
/* http.c */
bool http_admit(struct http *h, const struct sockaddr *from); /* false: too many from there; logged */
void http_add(struct http *h, int fd, const struct sockaddr *from, struct http_bridge *bridge);
struct http_link *http_link_of(struct MHD_Connection *mhd);
void http_link_hurry(struct http_link *l, uint32_t ms); /* 0: no more */
void http_soon(struct http *h); /* the library has something to do */

#endif
