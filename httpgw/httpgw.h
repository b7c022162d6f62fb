/* httpgw/httpgw.h - the context of the HTTP gateway: configuration, and what hangs from it */
#ifndef HTTPGW_HTTPGW_H
#define HTTPGW_HTTPGW_H

#include "common/base/map.h"
#include "common/daemon/certs.h"
#include "common/daemon/daemon.h"
#include "common/daemon/linkconf.h"
#include "common/edge/clients.h"
#include "httpgw/http.h"

/* Counters and gauges of its own, behind those of CLIENTS_METRICS: identifier, name, kind, what it means. */
#define HTTPGW_METRICS(X)                                                                                              \
    X(HTTP_CONNECTIONS, "http_connections", GAUGE, "HTTP connections that are open")                                   \
    X(HTTP_REQUESTS, "http_requests", COUNTER, "HTTP requests")                                                        \
    X(HTTP_2XX, "http_answers_2xx", COUNTER, "Answers: done, and 101")                                                 \
    X(HTTP_3XX, "http_answers_3xx", COUNTER, "Answers: elsewhere")                                                     \
    X(HTTP_4XX, "http_answers_4xx", COUNTER, "Answers: the request is wrong")                                          \
    X(HTTP_5XX, "http_answers_5xx", COUNTER, "Answers: not possible now")                                              \
    X(HTTP_CUT, "http_cut", COUNTER, "Requests that ended without an answer")                                          \
    X(HTTP_REFUSED, "http_refused", COUNTER, "HTTP connections refused: too many from one address")                    \
    X(HTTP_TIMEOUTS, "http_timeouts", COUNTER, "HTTP connections closed: a request took too long to come")             \
    X(WS_OPENED, "ws_opened", COUNTER, "WebSockets opened")                                                            \
    X(WS_REFUSED, "ws_refused", COUNTER, "WebSockets refused: handshake, subprotocol or origin")                       \
    X(WS_BAD, "ws_bad", COUNTER, "WebSockets closed for what was wrong in their frames")                               \
    X(BOSH_OPENED, "bosh_opened", COUNTER, "BOSH sessions opened")                                                     \
    X(BOSH_BAD, "bosh_bad", COUNTER, "BOSH sessions ended for what was wrong in a body, its rid or its key")           \
    X(BOSH_UNKNOWN, "bosh_unknown", COUNTER, "BOSH requests for a session that is not here")                           \
    X(BOSH_RELAYED, "bosh_relayed", COUNTER, "BOSH requests handed to the process that has their session")             \
    X(BOSH_REPLAYED, "bosh_replayed", COUNTER, "BOSH answers sent once more")                                          \
    X(BOSH_INACTIVE, "bosh_inactive", COUNTER, "BOSH sessions lost: the client did not come back")                      \
    X(UPLOADS, "uploads", COUNTER, "Files uploaded")                                                                   \
    X(UPLOAD_REFUSED, "uploads_refused", COUNTER, "Uploads refused or broken off: slot, size, type, limits")           \
    X(UPLOAD_FAILED, "uploads_failed", COUNTER, "Uploads that the disk did not take")                                  \
    X(UPLOAD_EXPIRED, "uploads_expired", COUNTER, "Uploaded files removed: their time was over")                       \
    X(DOWNLOADS, "downloads", COUNTER, "Uploaded files given out")                                                     \
    X(API_CALLS, "api_calls", COUNTER, "Calls of the API")                                                             \
    X(API_UNAUTHORIZED, "api_unauthorized", COUNTER, "Of these, without credentials that are good")                    \
    X(API_REFUSED, "api_refused", COUNTER, "Of these, refused: not allowed, no TLS, another origin, too many")         \
    X(API_FAILED, "api_failed", COUNTER, "Of these, not possible, or not answered in time")                            \
    X(API_LOGINS, "api_logins", COUNTER, "Logins for calls of the API")                                                \
    X(API_REUSED, "api_reused", COUNTER, "Calls that a session was there for")                                         \
    X(API_SESSIONS, "api_sessions", GAUGE, "Sessions of the API")                                                      \
    X(METRICS_REFUSED, "metrics_refused", COUNTER, "Requests for /metrics from elsewhere than [metrics] allow")         \
    X(METRICS_BAD, "metrics_bad", COUNTER, "Lines that a daemon has said and that are not its metrics")

enum httpgw_metric {
    M_BEFORE = M_CLIENTS_COUNT - 1,
#define X(id, name, kind, help) M_##id,
    HTTPGW_METRICS(X)
#undef X
    M_COUNT
};

enum tls_policy { TLS_REQUIRED, TLS_OPTIONAL }; /* OPTIONAL: a test installation */

struct httpgw_conf {
    /* [listen] */
    struct conf_list address, more, proxy_from, forwarded_from;
    uint32_t port, port_tls, proxy_ms;
    /* [tls] */
    int policy; /* enum tls_policy */
    char *cert, *key, *priority;
    struct certs_section *certs;
    struct rlink_options router;
    struct clients_conf clients;
    /* [http] */
    struct conf_list origins;
    uint32_t connections, connections_per_address, request_ms;
    size_t header_bytes;
    /* [websocket] */
    bool ws;
    /* [bosh] */
    bool bosh, send_hostname, same_address;
    uint32_t wait_ms, hold, inactivity_ms, pause_ms, polling_ms;
    struct conf_list gateways;
    /* [upload] */
    char *upload_secret, *upload_path; /* secret NULL: it is off */
    uint32_t upload_parallel, upload_per_address;
    size_t upload_slowest; /* bytes a second */
    /* [web] */
    bool web_admin, web_chat;
    char *web_path; /* NULL: beside the programs */
    /* [metrics] */
    struct conf_list metrics_allow;
    /* [public] */
    char *host, *ws_url, *bosh_url;
    struct conf_list ips;
    uint32_t public_port, ttl_ms;
    /* [api] */
    bool api;
    struct conf_list api_origins;
    uint32_t api_rate, api_burst, api_calls, api_per_address, api_ms, api_keep_ms;
    size_t api_body;
};
extern const struct conf_table httpgw_conf_table;

struct bosh_all;
struct rest_all;
struct metrics_page;
struct upload_all;
struct web;
struct ws_all;
struct httpgw {
    struct clients clients;
    struct daemon_run *run;            /* not ours */
    const struct httpgw_conf *conf;    /* current; the daemon skeleton owns it */
    struct http *http;
    struct certs *certs;               /* what is served; replaced as a whole on reload; NULL: no TLS */
    struct net_list *proxy_from, *forwarded_from; /* owned; NULL: nobody */
    struct ws_all *ws;                 /* ws.c */
    struct bosh_all *bosh;             /* bosh.c */
    struct upload_all *uploads;        /* upload.h */
    struct web *web;                   /* web.c */
    struct rest_all *rest;             /* rest.h */
    struct metrics_page *metrics_page; /* metrics.c */
    struct xmlin_pool *bare;           /* for elements around which nothing is declared */
    struct http_totals counted;        /* what the metrics have of them */
    struct timer second;               /* house-keeping, once a second */
};

/* httpgw.c */
struct httpgw *httpgw_new(struct daemon_run *run);
void httpgw_take_conf(struct httpgw *d, const struct httpgw_conf *conf); /* what can change at run time; borrowed */
MUST_USE enum rc httpgw_certs(struct httpgw *d, struct why *why);        /* reads them; RC_OK: they are in use */
MUST_USE enum rc httpgw_open(struct httpgw *d, struct why *why);         /* listens */
void httpgw_stop(struct httpgw *d);
void httpgw_free(struct httpgw **d);

/* status.c: what is told to bulkheadctl */
void httpgw_measure(struct daemon_run *run);
void httpgw_status(struct daemon_run *run, struct buf *json);
void httpgw_tick(struct httpgw *d); /* once a second */
extern const struct ctl_command httpgw_commands[];
extern const struct metric_def httpgw_metrics[];

/* ws.c, bosh.c: made at the start, freed after the loop has ended */
struct ws_all *ws_all_new(struct httpgw *d);
void ws_all_free(struct ws_all **all);
struct bosh_all *bosh_all_new(struct httpgw *d);
MUST_USE enum rc bosh_all_open(struct bosh_all *all, struct why *why);
void bosh_all_stop(struct bosh_all *all);
void bosh_all_free(struct bosh_all **all);
/* web.c: web_open reads the folder of pages, at the start and on reload; where it cannot be read there are none */
struct web *web_new(struct httpgw *d);
void web_open(struct web *web);
void web_free(struct web **web);

/* metrics.c: its configuration is read on each reload, and it asks no more once stopped */
struct metrics_page *metrics_page_new(struct httpgw *d);
void metrics_page_take_conf(struct metrics_page *page);
void metrics_page_stop(struct metrics_page *page);
void metrics_page_free(struct metrics_page **page);

#endif
