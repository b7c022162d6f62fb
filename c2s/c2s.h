/* c2s/c2s.h - the context of the client daemon: configuration, metrics, and what hangs from it */
#ifndef C2S_C2S_H
#define C2S_C2S_H

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/metric.h"
#include "common/base/rate.h"
#include "common/daemon/certs.h"
#include "common/daemon/daemon.h"
#include "common/daemon/linkconf.h"
#include "common/edge/esession.h"
#include "common/net/conn.h"
#include "common/net/listen.h"
#include "common/net/tls.h"

/* Every counter and gauge, once: identifier, name, kind, what it means. */
#define C2S_METRICS(X)                                                                                                 \
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
    X(TEMPORARY, "auth_unavailable", COUNTER, "Attempts refused: no session manager for the domain")

enum c2s_metric {
#define X(id, name, kind, help) M_##id,
    C2S_METRICS(X)
#undef X
    /* then one counter for each stream error sent, in the order of enum stream_cond */
    M_STREAM_ERRORS,
    M_COUNT = M_STREAM_ERRORS + STREAM_COND_COUNT
};

enum tls_policy { TLS_REQUIRED, TLS_OPTIONAL }; /* OPTIONAL: a test installation */
enum probe_kind { PROBE_WHITESPACE, PROBE_XMPP };

struct c2s_conf {
    /* [listen] */
    struct conf_list address, proxy_from;
    uint32_t port, port_tls, proxy_ms;
    /* [tls] */
    int policy; /* enum tls_policy */
    char *cert, *key, *client_ca, *priority;
    struct certs_section *certs;
    struct rlink_options router;
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
extern const struct conf_table c2s_conf_table;

struct c2s {
    struct daemon_run *run;            /* not ours */
    const struct c2s_conf *conf;       /* current; the daemon skeleton owns it */
    struct loop *loop;
    struct metrics *metrics;
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct xmlin_limits pre_auth, bound; /* of what clients send before and after login */
    struct conn_conf conn_conf;        /* of every client's connection */
    struct edge *edge;
    struct certs *certs;               /* what is served; replaced as a whole on reload; NULL: no TLS */
    struct listening *listening;       /* owned, n_listening of them */
    size_t n_listening;
    struct net_list *proxy_from;       /* owned; NULL: nobody */
    struct link clients;               /* struct client, oldest first; they own themselves */
    struct link pending;               /* of these not logged in, by struct nego, oldest first */
    struct link unread_fresh;          /* of those: clients that have got something in this turn */
    struct link unread;                /* struct unread: clients whose socket has not taken all */
    size_t n_clients, n_pending, n_bound;
    uint32_t last_number;              /* of a connection, for the log */
    struct addr_table *addresses;      /* connections, and failed attempts as a rate */
    struct addr_table *addresses_pending;
    struct rate_limit auth_limit, byte_limit, stanza_limit;
    struct buf scratch;                /* one canonical stanza */
    struct conn_totals totals;         /* of conn_conf */
    struct timer second;               /* house-keeping, once a second */
    struct c2s_rates {
        uint64_t at_ms, last[4]; /* stanzas in and out, bytes in and out: when last looked */
        uint64_t per_s[4];       /* of the last interval */
    } rates;
    uint64_t last_probe;               /* number of a ping */
    bool paused;                       /* accepting */
    bool crowded;                      /* for too many logins in progress */
    bool draining, stopping;
};

/* c2s.c */
struct c2s *c2s_new(struct daemon_run *run);                        /* without edge, certificates and listeners */
MUST_USE enum rc c2s_certs(struct c2s *d, struct why *why);          /* reads the certificates; on an error the old ones stay */
void c2s_take_conf(struct c2s *d, const struct c2s_conf *conf);     /* what can change at run time; conf is borrowed */
void c2s_stop(struct c2s *d); /* ends every stream and the links; the loop runs on until all is closed */
void c2s_free(struct c2s **d); /* after the loop has ended */

/* admit.c: listeners, and who is let in when */
MUST_USE enum rc admit_open(struct c2s *d, struct why *why);
void admit_close(struct c2s *d); /* listeners; what is connected stays */
void admit_fini(struct c2s *d);
void admit_balance(struct c2s *d); /* pauses or resumes accepting, as the number of logins in progress says */
void admit_hurry(struct c2s *d);   /* once a second: ends silent connections where they keep others out */

/* status.c: what is told to bulkheadctl */
void status_json(struct daemon_run *run, struct buf *json);
void status_tick(struct c2s *d); /* once a second */
extern const struct ctl_command c2s_commands[];
extern const struct metric_def c2s_metrics[];

#endif
