/* common/edge/clients.h - the clients of one edge daemon: what they share, whatever carries their streams
 *
 * A daemon whose clients have sessions (c2s over TCP, httpgw over WebSocket and BOSH) embeds a struct clients in its context and a
 * struct clients_conf in its configuration, has CLIENTS_OPTIONS in its option table and CLIENTS_METRICS first in its metrics, with the
 * identifiers of enum clients_metric. What carries one client's stream is a struct transport (client.h). */
#ifndef EDGE_CLIENTS_H
#define EDGE_CLIENTS_H

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/metric.h"
#include "common/base/rate.h"
#include "common/edge/esession.h"
#include "common/net/conn.h"
#include "common/xmpp/stream.h"

/* Every counter and gauge, once: identifier, name, kind, what it means. */
#define CLIENTS_METRICS(X)                                                                                                 \
    X(CONNECTIONS, "connections", GAUGE, "Client connections that are open")                                           \
    X(PENDING, "pending", GAUGE, "Of these, not logged in yet")                                                        \
    X(SESSIONS, "sessions", GAUGE, "Clients with a bound resource")                                                    \
    X(ACCEPTED, "accepted", COUNTER, "Connections taken up")                                                           \
    X(STREAMS, "streams", COUNTER, "Stream headers answered")                                                          \
    X(TLS_OK, "tls_ok", COUNTER, "TLS handshakes that succeeded")                                                      \
    X(TLS_FAILED, "tls_failed", COUNTER, "TLS handshakes that failed")                                                 \
    X(AUTH_SCRAM_OK, "auth_scram_ok", COUNTER, "Logins by SCRAM without channel binding")                              \
    X(AUTH_PLUS_OK, "auth_scram_plus_ok", COUNTER, "Logins by SCRAM with channel binding")                             \
    X(AUTH_PLAIN_OK, "auth_plain_ok", COUNTER, "Logins by PLAIN")                                                      \
    X(AUTH_EXTERNAL_OK, "auth_external_ok", COUNTER, "Logins by client certificate")                                   \
    X(AUTH_TOKEN_OK, "auth_token_ok", COUNTER, "Logins by a token")                                                    \
    X(AUTH_SCRAM_FAILED, "auth_scram_failed", COUNTER, "Refused attempts by SCRAM without channel binding")            \
    X(AUTH_PLUS_FAILED, "auth_scram_plus_failed", COUNTER, "Refused attempts by SCRAM with channel binding")           \
    X(AUTH_PLAIN_FAILED, "auth_plain_failed", COUNTER, "Refused attempts by PLAIN")                                    \
    X(AUTH_EXTERNAL_FAILED, "auth_external_failed", COUNTER, "Refused attempts by client certificate")                 \
    X(AUTH_TOKEN_FAILED, "auth_token_failed", COUNTER, "Refused attempts by a token")                                  \
    X(AUTH_BAD, "auth_bad", COUNTER, "SASL elements refused before the session manager saw them")                      \
    X(AUTH_SASL2, "auth_sasl2", COUNTER, "Logins, by whichever mechanism, that came by SASL2")                         \
    X(AUTH_STALE, "auth_stale", COUNTER, "SASL2 attempts sent back: the client knew other features than there are")    \
    X(BOUND, "bound", COUNTER, "Resources bound")                                                                      \
    X(STANZAS_IN, "stanzas_in", COUNTER, "Stanzas of clients sent on")                                                 \
    X(STANZAS_OUT, "stanzas_out", COUNTER, "Stanzas written to clients")                                               \
    X(BYTES_IN, "bytes_in", COUNTER, "Bytes read from clients, decrypted")                                             \
    X(BYTES_OUT, "bytes_out", COUNTER, "Bytes written to clients, before encryption")                                  \
    X(STANZA_ERRORS, "stanza_errors", COUNTER, "Stanzas answered with an error here")                                  \
    X(LIMIT_PENDING, "limit_pending", COUNTER, "Times that accepting paused for too many logins in progress")          \
    X(LIMIT_ADDRESS, "limit_address", COUNTER, "Connections refused: too many from one address")                       \
    X(LIMIT_AUTH_RATE, "limit_auth_rate", COUNTER, "Attempts refused: too many failures from one address")             \
    X(LIMIT_ATTEMPTS, "limit_attempts", COUNTER, "Streams closed for too many attempts")                               \
    X(LIMIT_AUTH_TIME, "limit_auth_time", COUNTER, "Streams closed: not logged in in time")                            \
    X(LIMIT_RATE, "limit_rate", COUNTER, "Times that reading paused for a session's rate")                             \
    X(LIMIT_ROOM, "limit_room", COUNTER, "Times that reading paused for a full channel")                               \
    X(LIMIT_OUTPUT, "limit_output", COUNTER, "Connections closed: the client did not read")                            \
    X(LIMIT_XML, "limit_xml", COUNTER, "Streams closed for size, depth or number in a stanza")                         \
    X(IDLE_CLOSED, "idle_closed", COUNTER, "Connections closed for silence")                                           \
    X(SM_ENABLED, "sm_enabled", COUNTER, "Streams with stream management")                                             \
    X(SM_RESUMED, "sm_resumed", COUNTER, "Sessions resumed here")                                                      \
    X(SM_FAILED, "sm_failed", COUNTER, "Requests of stream management that were refused")                              \
    X(SM_TOO_HIGH, "sm_too_high", COUNTER, "Streams closed: the client acknowledged more than it was sent")            \
    X(PROBES, "probes", COUNTER, "Keep-alive probes sent")                                                             \
    X(UNREAD, "unread", GAUGE, "Clients that have not taken all that was written to them")                                 \
    X(LINK_UNACKED, "link_unacked_bytes", GAUGE, "Bytes that session managers have not acknowledged")                      \
    X(LINK_WAITING, "link_waiting_bytes", GAUGE, "Bytes that wait for the routers' sockets")                               \
    X(TEMPORARY, "auth_unavailable", COUNTER, "Attempts refused: no session manager for the domain")

enum clients_metric {
#define X(id, name, kind, help) M_##id,
    CLIENTS_METRICS(X)
#undef X
    /* then one counter for each stream error sent, in the order of enum stream_cond */
    M_STREAM_ERRORS,
    M_CLIENTS_COUNT = M_STREAM_ERRORS + STREAM_COND_COUNT
};

enum probe_kind { PROBE_WHITESPACE, PROBE_XMPP };

struct clients_conf {
    /* [sasl] */
    bool sasl2, pipelining;
    /* [limits] */
    size_t pre_auth_bytes, stanza_bytes, output_bytes;
    uint32_t pre_auth_elements, elements, depth, attrs;
    uint32_t auth_ms, attempts, pending, pending_per_address, per_address, auth_failures_per_s,
        auth_failures_burst;
    uint32_t byte_rate, byte_burst, stanza_rate, stanza_burst;
    /* [keepalive] */
    uint32_t probe_ms, probe_wait_ms, idle_ms;
    int probe; /* enum probe_kind */
    /* [cluster] */
    char *see_other_host, *location;
};
/* Rows of the daemon's table: CLIENTS_OPTIONS(struct c2s_conf, clients) */
#define CLIENTS_OPTIONS(str, f)                                                                              \
    OPTION_BOOL("sasl", "sasl2", str, f.sasl2, "yes", RELOAD),                                               \
        OPTION_BOOL("sasl", "pipelining", str, f.pipelining, "yes", RELOAD),                                 \
        OPTION_BYTES("limits", "pre_auth_size", str, f.pre_auth_bytes, "8k", "2k", "1m", RELOAD),            \
        OPTION_UINT("limits", "pre_auth_elements", str, f.pre_auth_elements, "32", "8", "10000", RELOAD),    \
        OPTION_BYTES("limits", "stanza_size", str, f.stanza_bytes, "256k", "10000", "512k", RELOAD),         \
        OPTION_UINT("limits", "elements", str, f.elements, "10000", "32", "100000", RELOAD),                 \
        OPTION_UINT("limits", "depth", str, f.depth, "64", "8", "1000", RELOAD),                             \
        OPTION_UINT("limits", "attributes", str, f.attrs, "128", "16", "10000", RELOAD),                     \
        OPTION_BYTES("limits", "output", str, f.output_bytes, "4m", "64k", "1g", RELOAD),                    \
        OPTION_TIME("limits", "auth_time", str, f.auth_ms, "30s", "1s", "10m", RELOAD),                      \
        OPTION_UINT("limits", "attempts", str, f.attempts, "10", "3", "100", RELOAD),                        \
        OPTION_UINT("limits", "pending", str, f.pending, "1000", "10", "100000", RELOAD),                    \
        OPTION_UINT("limits", "pending_per_address", str, f.pending_per_address, "50", "1", "100000",        \
                    RELOAD),                                                                                 \
        OPTION_UINT("limits", "per_address", str, f.per_address, "1000", "1", "1000000", RELOAD),            \
        OPTION_UINT("limits", "auth_failures", str, f.auth_failures_per_s, "1", "0", "10000", RELOAD),       \
        OPTION_UINT("limits", "auth_failures_burst", str, f.auth_failures_burst, "30", "1", "100000",        \
                    RELOAD),                                                                                 \
        OPTION_UINT("limits", "byte_rate", str, f.byte_rate, "4m", "0", "1000m", RELOAD),                    \
        OPTION_UINT("limits", "byte_burst", str, f.byte_burst, "16m", "10000", "1000m", RELOAD),             \
        OPTION_UINT("limits", "stanza_rate", str, f.stanza_rate, "10000", "0", "1000000", RELOAD),           \
        OPTION_UINT("limits", "stanza_burst", str, f.stanza_burst, "20000", "1", "1000000", RELOAD),         \
        OPTION_TIME("keepalive", "interval", str, f.probe_ms, "5m", "0ms", "1d", RELOAD),                    \
        OPTION_ENUM("keepalive", "kind", str, f.probe, "xmpp", "whitespace|xmpp", RELOAD),                   \
        OPTION_TIME("keepalive", "timeout", str, f.probe_wait_ms, "1m", "1s", "1h", RELOAD),                 \
        OPTION_TIME("keepalive", "max_idle", str, f.idle_ms, "0ms", "0ms", "30d", RELOAD),                   \
        OPTION_STRING("cluster", "see_other_host", str, f.see_other_host, "", RELOAD),                       \
        OPTION_STRING("cluster", "location", str, f.location, "", RELOAD)

/* Of output_bytes: what a client may leave waiting before `full` of its transport holds. */
enum { CLIENTS_FLOW_PART = 8 };

struct clients {
    struct loop *loop;
    struct log *log;
    struct metrics *metrics;
    const struct clients_conf *conf;   /* current */
    void (*on_accepting)(struct clients *d); /* `accepting` has changed; NULL: nobody asks */
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct xmlin_limits pre_auth, bound; /* of what clients send before and after login */
    struct edge *edge;                 /* owned */
    struct link clients;               /* struct client, oldest first; their transports own them */
    struct link pending;               /* of these not logged in, by struct nego, oldest first */
    struct link unread_fresh;          /* of those below: clients that have got something in this turn */
    struct link unread;                /* struct unread: clients whose transport has not taken all */
    size_t n_clients, n_pending, n_bound;
    uint32_t last_number;              /* of a connection, for the log */
    struct addr_table *addresses;      /* connections, and failed attempts as a rate */
    struct addr_table *addresses_pending;
    struct rate_limit auth_limit, byte_limit, stanza_limit;
    struct buf scratch;                /* one canonical stanza */
    struct conn_totals totals;         /* of the clients' connections */
    struct clients_rates {
        uint64_t at_ms, last[4]; /* stanzas in and out, bytes in and out: when last looked */
        uint64_t per_s[4];       /* of the last interval */
    } rates;
    uint64_t last_probe;               /* number of a ping */
    bool accepting;                    /* new clients are let in now */
    bool crowded;                      /* not, for too many logins in progress */
    bool draining, stopping;
};

/* Without edge. loop, log, metrics and conf are borrowed. */
void clients_init(struct clients *d, struct loop *loop, struct log *log, struct metrics *metrics,
                  const struct clients_conf *conf);
void clients_take_conf(struct clients *d, const struct clients_conf *conf); /* what can change at run time */
void clients_edge(struct clients *d, const struct rlink_conf *link);        /* opens the link to the routers */
void clients_stop(struct clients *d); /* ends every stream; the links close behind the last one */
void clients_fini(struct clients *d); /* after the loop has ended */
/* New clients are let in: not before it is known for which domains; not while draining; not while so many log in. */
void clients_balance(struct clients *d);
void clients_tick(struct clients *d); /* once a second */
void clients_rearm(struct clients *d); /* after clients_take_conf: the times that the options give */

/* For bulkheadctl. */
void clients_measure(struct clients *d); /* daemon.measure */
void clients_json(const struct clients *d, struct buf *json); /* members, without a comma before or behind */
void clients_drain(struct clients *d, struct slice args, struct buf *out); /* the command drain [off] */
#define CLIENTS_DRAIN_HELP                                                                                   \
    "drain [off]: accept no more connections; with see_other_host, send clients there"

#endif
