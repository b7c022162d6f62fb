/* s2s/s2s.h - the context of the federation daemon: configuration, metrics, and what hangs from it */
#ifndef S2S_S2S_H
#define S2S_S2S_H

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/metric.h"
#include "common/base/rate.h"
#include "common/daemon/certs.h"
#include "common/daemon/daemon.h"
#include "common/daemon/doors.h"
#include "common/daemon/linkconf.h"
#include "common/net/conn.h"
#include "common/net/peercert.h"
#include "common/net/tls.h"
#include "common/xmpp/stream.h"
#include "common/xmpp/xmlin.h"
#include "s2s/limits.h"
#include "s2s/resolve.h"

/* Every counter and gauge, once: identifier, name, kind, what it means. */
#define S2S_METRICS(X)                                                                                                 \
    X(IN, "connections_in", GAUGE, "Connections of other servers to us that are open")                                 \
    X(OUT, "connections_out", GAUGE, "Connections to other servers that are open or being made")                       \
    X(PAIRS, "pairs", GAUGE, "Pairs of one of our domains with one of theirs that are known")                          \
    X(QUEUED, "queued", GAUGE, "Stanzas that wait for a connection or for its acknowledgement")                        \
    X(QUEUED_BYTES, "queued_bytes", GAUGE, "Bytes of these")                                                           \
    X(LINK_UNACKED, "link_unacked_bytes", GAUGE, "Bytes that session managers have not acknowledged")                  \
    X(LINK_WAITING, "link_waiting_bytes", GAUGE, "Bytes that wait for the routers' sockets")                           \
    X(KEPT, "sm_kept", GAUGE, "Streams that were cut and may be resumed")                                              \
    X(ACCEPTED, "accepted", COUNTER, "Connections taken up")                                                           \
    X(DIALLED, "dialled", COUNTER, "Addresses that were tried")                                                        \
    X(DIAL_FAILED, "dial_failed", COUNTER, "Addresses that could not be connected to")                                 \
    X(LOOKUPS, "lookups", COUNTER, "Domains that were looked up")                                                      \
    X(LOOKUP_FAILED, "lookup_failed", COUNTER, "Of these without an address")                                          \
    X(STREAMS, "streams", COUNTER, "Stream headers written")                                                           \
    X(TLS_OK, "tls_ok", COUNTER, "TLS handshakes that succeeded")                                                      \
    X(TLS_FAILED, "tls_failed", COUNTER, "TLS handshakes that failed")                                                 \
    X(AUTH_PKIX, "auth_external_pkix", COUNTER, "Streams to us proven by a certificate of an authority")               \
    X(AUTH_DANE, "auth_external_dane", COUNTER, "Streams to us proven by DANE")                                        \
    X(AUTH_DIALBACK, "auth_dialback", COUNTER, "Pairs on streams to us proven by dialback")                            \
    X(AUTH_FAILED, "auth_failed", COUNTER, "Attempts of others to prove a domain that failed")                         \
    X(OUT_EXTERNAL, "out_external", COUNTER, "Streams of ours accepted by our certificate")                            \
    X(OUT_DIALBACK, "out_dialback", COUNTER, "Streams of ours accepted by dialback")                                   \
    X(OUT_FAILED, "out_failed", COUNTER, "Attempts to reach a domain that failed")                                     \
    X(CERT_BAD, "certificate_bad", COUNTER, "Connections whose peer's certificate did not prove its domain")           \
    X(VERIFY_IN, "verify_in", COUNTER, "Dialback keys that we were asked about")                                       \
    X(VERIFY_INVALID, "verify_invalid", COUNTER, "Of these that were not ours")                                        \
    X(VERIFY_OUT, "verify_out", COUNTER, "Dialback keys that we asked about")                                          \
    X(STANZAS_IN, "stanzas_in", COUNTER, "Stanzas of other servers sent on")                                           \
    X(STANZAS_OUT, "stanzas_out", COUNTER, "Stanzas written to other servers")                                         \
    X(BYTES_IN, "bytes_in", COUNTER, "Bytes read from other servers, decrypted")                                       \
    X(BYTES_OUT, "bytes_out", COUNTER, "Bytes written to other servers, before encryption")                            \
    X(BOUNCED, "bounced", COUNTER, "Stanzas of ours answered with an error here")                                      \
    X(DROPPED, "dropped", COUNTER, "Stanzas of ours dropped: no error may be sent for them")                           \
    X(STANZA_ERRORS, "stanza_errors", COUNTER, "Stanzas of other servers answered with an error here")                 \
    X(AGAIN, "again", COUNTER, "Stanzas that came from a session manager again and were known")                        \
    X(BIDI, "bidi", COUNTER, "Streams used in both directions (XEP-0288)")                                             \
    X(SM_ENABLED, "sm_enabled", COUNTER, "Streams with stream management")                                             \
    X(SM_RESUMED, "sm_resumed", COUNTER, "Streams resumed")                                                            \
    X(SM_FAILED, "sm_failed", COUNTER, "Requests of stream management that were refused")                              \
    X(SM_TOO_HIGH, "sm_too_high", COUNTER, "Streams closed: the peer acknowledged more than it was sent")              \
    X(PROBES, "probes", COUNTER, "Keep-alive probes sent")                                                             \
    X(PINGS, "pings", COUNTER, "Of these, pings that any answer does for (XEP-0199)")                                  \
    X(IDLE_CLOSED, "idle_closed", COUNTER, "Connections closed: nothing to do for too long")                           \
    X(DEAD_CLOSED, "dead_closed", COUNTER, "Connections closed: the peer did not answer or read")                      \
    X(LIMIT_PENDING, "limit_pending", COUNTER, "Times that accepting paused for too many unproven connections")        \
    X(LIMIT_ADDRESS, "limit_address", COUNTER, "Connections refused: too many from one address")                       \
    X(LIMIT_AUTH_TIME, "limit_auth_time", COUNTER, "Connections closed: no domain proven in time")                     \
    X(LIMIT_DOMAINS, "limit_domains", COUNTER, "Pairs refused: too many on one connection")                            \
    X(LIMIT_XML, "limit_xml", COUNTER, "Streams closed for size, depth or number in a stanza")                         \
    X(LIMIT_ROOM, "limit_room", COUNTER, "Times that reading paused for a full channel")                               \
    X(LIMIT_STANZAS, "limit_stanzas", COUNTER, "Times that a connection's stanzas went over a limit")                  \
    X(LIMIT_BYTES, "limit_bytes", COUNTER, "Times that a connection's bytes went over a limit")                        \
    X(LIMIT_DOMAIN_STANZAS, "limit_domain_stanzas", COUNTER, "Times that a domain's stanzas went over a limit")        \
    X(LIMIT_DOMAIN_BYTES, "limit_domain_bytes", COUNTER, "Times that a domain's bytes went over a limit")              \
    X(LIMIT_DROPPED, "limit_dropped", COUNTER, "Stanzas of other servers dropped for a limit")                         \
    X(LIMIT_OUTPUT, "limit_output", COUNTER, "Connections closed: the peer did not read")                              \
    X(LIMIT_QUEUE, "limit_queue", COUNTER, "Stanzas bounced: the queue of their pair was full")                        \
    X(LIMIT_KEPT, "limit_kept", COUNTER, "Streams that were cut and not kept: too many are")                           \
    X(LIMIT_PAIRS, "limit_pairs", COUNTER, "Stanzas bounced and keys refused: too many pairs")                         \
    X(QUEUE_AGED, "queue_aged", COUNTER, "Stanzas bounced: they had waited too long")                                  \
    X(BLOCKED, "blocked", COUNTER, "Connections and stanzas refused by the lists of allowed and blocked domains")      \
    X(FROM_REFUSED, "from_refused", COUNTER, "Streams closed: a stanza from a domain that they had not proven")        \
    X(TO_REFUSED, "to_refused", COUNTER, "Streams closed: for a domain that is not ours")

enum s2s_metric {
#define X(id, name, kind, help) M_##id,
    S2S_METRICS(X)
#undef X
    /* then one counter for each stream error sent, in the order of enum stream_cond */
    M_STREAM_ERRORS,
    M_COUNT = M_STREAM_ERRORS + STREAM_COND_COUNT
};

enum tls_policy { TLS_REQUIRED, TLS_OPTIONAL }; /* OPTIONAL: a test installation */

enum policy_flag { POLICY_AS_ABOVE, POLICY_NO, POLICY_YES };
struct s2s_domain { /* a [domain NAME] or [remote PATTERN] section */
    struct s2s_domain *next;
    char *name;
    enum policy_flag require_tls, require_certificate;
};
struct s2s_route { /* a [route DOMAIN] section */
    struct s2s_route *next;
    char *domain, *host;
    uint16_t port;
    enum route_tls { ROUTE_STARTTLS, ROUTE_DIRECT, ROUTE_NONE } tls;
};
struct s2s_conf {
    /* [listen] */
    struct conf_list address, proxy_from;
    uint32_t port, port_tls, proxy_ms;
    /* [tls] */
    int policy; /* enum tls_policy */
    char *cert, *key, *ca, *crl, *priority;
    bool dane;
    struct certs_section *certs;
    /* [policy] */
    bool require_tls, require_certificate;
    struct conf_list allow, block;
    struct s2s_domain *domains, *remotes; /* in the order of the file */
    /* [dialback] */
    bool dialback;
    char *secret;
    struct rlink_options router;
    /* [dns] */
    struct conf_list servers, records;
    char *hosts_file, *anchor_file;
    bool ipv4, ipv6, loopback;
    uint32_t lookup_ms, ttl_least_ms, ttl_most_ms, negative_most_ms;
    struct s2s_route *routes;
    /* [connect] */
    uint32_t head_start_ms, dial_ms, negotiate_ms, retry_ms, retry_max_ms;
    bool bidi, sm;
    uint32_t sm_keep_ms;
    /* [queue] */
    uint32_t queue_stanzas;
    size_t queue_bytes;
    uint32_t queue_age_ms;
    /* [limits] */
    size_t pre_auth_bytes, stanza_bytes, output_bytes;
    uint32_t pre_auth_elements, elements, depth, attrs;
    uint32_t auth_ms, pending, pending_per_address, per_address, domains_per_connection, pairs;
    char *limits[LIMIT_RULES]; /* as they stand in the file; limit_rules_read */
    /* [keepalive] */
    uint32_t probe_ms, probe_wait_ms, idle_ms;
    bool ping;
};
extern const struct conf_table s2s_conf_table;

struct wire;
struct s2s {
    struct daemon_run *run;         /* not ours */
    const struct s2s_conf *conf;    /* current; the daemon skeleton owns it */
    struct loop *loop;
    struct metrics *metrics;
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct xmlin_limits pre_auth, authed; /* of what servers send before and after a domain is proven */
    struct conn_conf conn_conf;     /* of every stream's connection */
    struct conn_totals totals;      /* of conn_conf */
    struct rlink *link;
    struct map *hosted;             /* struct hosted by name: domains of session managers (link.c); owns them */
    struct link unsettled;          /* struct wire that wait for acknowledgements of session managers */
    struct link rooms;              /* struct wire that wait for room in a channel */
    struct turn sent_turn;          /* tells session managers what has left (custody.h) */
    struct certs *certs;            /* what is served; NULL: no TLS for incoming streams */
    struct tls_ctx *bare_tls;       /* for outgoing streams where there are no certificates */
    struct peercert_trust *trust;   /* whose certificates prove a domain */
    struct resolver *resolver;
    struct resolve_conf resolve;
    struct resolve_route *routes;   /* of resolve; they point into conf */
    struct arena *own;              /* of resolve: where we listen */
    struct limit_rule rules[LIMIT_RULES];
    struct doors *doors;            /* where we listen; NULL: not yet */
    struct link wires;              /* struct wire, oldest first; they own themselves */
    size_t n_in, n_out, n_pending;  /* streams; incoming ones that have proven nothing */
    struct map *pairs;              /* struct pair by its key; owns them */
    struct map *remotes;            /* struct remote by domain (limits.h); owns them */
    size_t pairs_at;                /* where in it room is looked for next */
    struct map *kept;               /* struct ssm_kept by id (ssm.h); owns them */
    struct link probes;             /* struct probe, oldest first; owned (probe.c) */
    struct turn flush_turn;         /* looks at what sockets have taken */
    struct link dirty;              /* struct wire to look at there */
    uint32_t last_number, last_probe; /* of a connection, of a probe */
    struct addr_table *addresses, *addresses_pending;
    struct buf scratch;             /* one canonical stanza */
    char secret[64 + 1];            /* of dialback where none is configured */
    size_t secured, secured_before; /* TLS handshakes since memory was given back; a second ago */
    struct timer second;            /* house-keeping, once a second */
    struct s2s_rates {
        uint64_t at_ms, last[4]; /* stanzas in and out, bytes in and out: when last looked */
        uint64_t per_s[4];       /* of the last interval */
    } rates;
    bool paused, crowded;           /* accepting; for too many unproven connections */
    bool draining, stopping, closed; /* closed: the links, too */
    struct timer stop_timer;        /* what is left when it fires is ended hard */
};

/* s2s.c */
MUST_USE enum rc s2s_new(struct daemon_run *run, struct s2s **out, struct why *why); /* without link and listeners */
void s2s_take_conf(struct s2s *d, const struct s2s_conf *conf); /* what can change at run time; conf is borrowed */
MUST_USE enum rc s2s_files(struct s2s *d, struct why *why);     /* certificates and trust; on an error the old ones stay */
struct tls_ctx *s2s_tls_client(const struct s2s *d);            /* with our certificates, where there are any */
bool s2s_has_cert(const struct s2s *d);
struct slice s2s_secret(const struct s2s *d);                   /* of dialback */
void s2s_stop(struct s2s *d);     /* ends every stream and the links; the loop runs on until all is closed */
void s2s_wire_gone(struct s2s *d); /* a stream is gone: where it was the last one of a daemon that stops, so is the rest */
void s2s_free(struct s2s **d);    /* after the loop has ended */

/* admit.c: who is let in when */
MUST_USE enum rc admit_open(struct s2s *d, struct why *why);
void admit_balance(struct s2s *d); /* pauses or resumes accepting */

/* policy.c: what is asked of a connection between one of our domains and one of theirs. Pure but for conf. */
struct policy {
    bool blocked, tls, certificate;
};
struct policy policy_of(const struct s2s_conf *conf, struct slice local, struct slice remote); /* local may be empty */
bool policy_matches(const char *pattern, struct slice domain); /* "*.example.net": below it; "*": all */

/* status.c: what is told to bulkheadctl */
void status_measure(struct daemon_run *run);
void status_json(struct daemon_run *run, struct buf *json);
void status_tick(struct s2s *d); /* once a second */
extern const struct ctl_command s2s_commands[];
extern const struct metric_def s2s_metrics[];

/* probe.c: s2s-probe */
MUST_USE enum rc probe_command(struct s2s *d, struct slice args, struct buf *out, struct why *why);
void probe_tick(struct s2s *d);
void probe_fini(struct s2s *d);

#endif
