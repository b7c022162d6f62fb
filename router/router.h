/* router/router.h - the router's context (DESIGN 1, 2) */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/daemon/certs.h"
#include "common/daemon/daemon.h"
#include "common/net/conn.h"
#include "common/net/listen.h"
#include "common/net/tls.h"
#include "common/net/work.h"
#include "common/xmpp/xmlin.h"
#include "router/conf.h"
#include "router/names.h"

#define ROUTER_METRICS(X)                                                                                    \
    X(PEERS, GAUGE, "peers", "connections, logged in or not")                                                \
    X(LOGINS, COUNTER, "logins", "components and daemons that have logged in")                               \
    X(AUTH_FAILED, COUNTER, "auth_failed", "wrong handshakes, SASL failures, names that may not be bound")   \
    X(FRAMES, COUNTER, "frames", "frames taken from daemons")                                                \
    X(STANZAS, COUNTER, "stanzas", "stanzas taken from components")                                          \
    X(BOUNCED, COUNTER, "bounced", "frames and stanzas that could not be delivered and went back")           \
    X(DROPPED, COUNTER, "dropped", "numbered frames to a daemon that is not there; its sender repeats them") \
    X(REFUSED, COUNTER, "refused", "frames that their sender may not send; its link is closed")              \
    X(PAUSES, COUNTER, "pauses", "times that reading stopped because a destination was full")                \
    X(FULL_CLOSED, COUNTER, "full_closed", "peers closed because they did not read for too long")            \
    X(ASKS, COUNTER, "asks", "times that a daemon asked all daemons for a report")                           \
    X(ASKS_REFUSED, COUNTER, "asks_refused", "of these, the ones not passed on: too many at once")           \
    X(STREAM_ERRORS, COUNTER, "stream_errors", "streams ended with an error of ours")                        \
    X(WAITING, GAUGE, "waiting_bytes", "bytes that wait for the sockets of all peers")                       \
    X(WAITING_MOST, GAUGE, "waiting_bytes_most", "bytes that wait for the peer for which most waits")        \
    X(BYTES_IN, COUNTER, "in_bytes", "bytes read")                                                           \
    X(BYTES_OUT, COUNTER, "out_bytes", "bytes written")
enum router_metric {
#define X(id, kind, name, help) METRIC_##id,
    ROUTER_METRICS(X)
#undef X
};

struct peer;
struct key_cache;
struct router {
    struct daemon_run *run;
    const struct router_conf *conf;
    uint64_t node;     /* ours */
    struct link peers; /* struct peer.all; owns them */
    unsigned n_peers;
    struct idmap *nodes; /* struct peer by node id: those at the frame level */
    struct names *names; /* bound names → struct peer */
    unsigned n_admins;   /* peers of role admin: replies to them are found by their whole bare JID */
    struct link touched; /* struct peer.touched: pieces wait for the end of this read */
    struct link asks; /* of asks.c; owns them */
    unsigned n_asks;
    struct turn components; /* what components have bound has changed: nodes.c tells it */
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct work_pool *work;
    struct key_cache *keys; /* SCRAM keys of the secrets, as they are needed */
    struct section *nobody; /* stands for names that are not configured */
    uint8_t salt[16];       /* of the SCRAM keys, for this run */
    struct listener **listeners;
    size_t n_listeners;
    struct certs *certs; /* NULL: no certificate */
    struct conn_conf conn_conf;
    struct conn_totals totals;
    struct xmlin_limits limits; /* after login */
    uint64_t next_number;       /* of peers that are no nodes */
    bool stopping;
};
extern const struct daemon router_daemon;

#endif
