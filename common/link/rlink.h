/* common/link/rlink.h - a daemon's connections to the routers: dial, authenticate, frames, channels (DESIGN 2, 6)
 *
 * Connects to every router listed, keeps dialling with jittered back-off (0.1 s to 10 s), and shows its owner nodes
 * and frames: which router they came over does not matter. Numbered frames arrive in order and once; what was sent to a node while no
 * router is reachable waits in its channel and is sent when one is. A node that is gone from all routers for node_grace_ms
 * is lost: on_node(…, false), and its channel is dropped (a restarted daemon is a new node, and once
 * it is there under the same role and instance name the old one is lost at once: instance names differ). While no router is up the
 * grace does not run. A node that has itself forgotten us is lost and there again, at once, with a new channel.
 *
 * A daemon that keeps its node id (conf.node) and what it was done with in its channels in a store may be restarted without being lost: it
 * says with rlink_expect which nodes know it; these go on with what they were sending, hear of it by on_reborn, and what they say with
 * rlink_tell out of that arrives before anything that they send again. */
#ifndef LINK_RLINK_H
#define LINK_RLINK_H

#include "common/base/log.h"
#include "common/link/control.h"
#include "common/link/fanout.h"
#include "common/link/frame.h"
#include "common/net/loop.h"

struct rlink;
struct rnode {                 /* another daemon; owned by the rlink; valid until on_node(false) has returned */
    uint64_t id;
    enum node_role role;
    bool reachable;            /* some router has it now */
    char *instance;
    char **names;              /* bound names, prepared domains */
    size_t n_names;
    void *user;                /* the owner's */
    struct rnode_link *link;   /* private */
};
struct rlink_ops {
    void (*on_node)(void *owner, struct rnode *node, bool up);   /* first seen, or names changed; lost for good */
    /* A frame from a node's channel (f->seq != 0): rlink_done(node, seq) is due once it has been dealt with. Or one
     * outside a channel (seq 0): from may be NULL then (a component's stanza by name: f->flags has FRAME_F_ADMIN). */
    void (*on_frame)(void *owner, struct rnode *from, const struct frame *f);
    void (*on_bounce)(void *owner, const struct frame *f);       /* of a frame sent by name */
    void (*on_room)(void *owner, struct rnode *node);            /* the channel is no longer full */
    void (*on_link)(void *owner, bool up);                       /* the first router came up, the last went down */
    void (*on_acked)(void *owner, struct rnode *node);           /* rlink_acked has grown; NULL: not wanted */
    /* The node was restarted: our channel to it goes on, its own begins anew (seq 1), what it has not acknowledged is sent again
     * after this. May come more than once for one restart. NULL: not wanted. */
    void (*on_reborn)(void *owner, struct rnode *node);
};
struct rlink_conf {
    const char *const *routers;   /* "unix:run/router.sock", "tls:router.example.net:5347", "tcp:127.0.0.1:5347"; NULL-terminated */
    const char *dir;              /* what relative paths, of files too, are relative to */
    const char *name, *secret;    /* the component section at the router */
    const char *instance;
    enum node_role role;
    uint64_t node;                /* our node id, where it outlives the process; 0: a new one */
    const char *ca_file;          /* to verify the router's certificate (tls:); NULL: pin by SCRAM with channel binding only */
    const char *cert_file, *key_file; /* our client certificate for SASL EXTERNAL; NULL: SCRAM with the secret */
    size_t window_bytes;          /* channel window, default 4 MiB where 0 */
    uint32_t node_grace_ms;       /* default 60 s where 0 */
    uint32_t ack_ms;              /* how long an acknowledgement may wait for a frame to ride on; default 20 ms where 0 */
    /* What we say to other daemons that ask (rlink_ask): RC_OK: out; else why is set. NULL: nothing. */
    enum rc (*answer)(void *ctx, struct slice what, struct slice args, struct buf *out, struct why *why);
    void *answer_ctx;
};
struct rlink *rlink_new(struct loop *loop, struct log *log, const struct rlink_conf *conf, const struct rlink_ops *ops,
                        void *owner); /* dials at once; conf is copied */
void rlink_close(struct rlink *rl);   /* flushes and closes; no callbacks after */
void rlink_free(struct rlink **rl);   /* after the loop has ended */

/* Before the loop runs on: a node that was there before this process was, as if it had been seen and were out of reach now (its grace runs
 * as that of any other): its channel was incarnation `theirs`, and its frames up to done have been dealt with. on_node(…, true) is not
 * called for it before it is there. NULL: it is known already. */
struct rnode *rlink_expect(struct rlink *rl, uint64_t node, const char *instance, enum node_role role, uint32_t theirs, uint64_t done);
void rlink_rejoined(struct rlink *rl, struct rnode *node);      /* it has said what on_reborn had it say: that is over */
uint32_t rlink_incarnation(const struct rnode *node);           /* of its side of the channel; 0: not heard yet */
uint64_t rlink_taken(const struct rnode *node);                 /* number of its last frame that has come */
/* A control element to a node outside the channel: for on_reborn. Nothing happens while there is no way. */
void rlink_tell(struct rlink *rl, struct rnode *to, struct slice element);

bool rlink_up(const struct rlink *rl);
/* A component has bound this domain at one of the routers (told to sessman and s2s only). */
bool rlink_component(const struct rlink *rl, struct slice domain);
void rlink_names(struct rlink *rl, const struct slice *names, size_t n); /* bind these (all of them), now and on every link */
struct rnode *rlink_next_node(const struct rlink *rl, size_t *at);      /* iterate; *at = 0 first */
/* The sessman that owns key in domain: rendezvous hash over the nodes that bound it. NULL: none known. */
struct rnode *rlink_pick(const struct rlink *rl, struct slice domain, struct slice key);
/* The same for who can wait: one that is out of reach for the moment (it is being restarted) counts, if none is in reach; its channel keeps
 * what is sent. */
struct rnode *rlink_owner(const struct rlink *rl, struct slice domain, struct slice key);

/* Sends in the node's channel; pieces are joined. */
void rlink_send(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session, const struct slice *pieces,
                size_t n);
/* The same with a mark (frame.h). */
void rlink_send_marked(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session, uint64_t mark,
                       const struct slice *pieces, size_t n);
/* What a node that is gone (on_node) has not acknowledged: *at = 0 first; false at the end. What f points to lives until the next call or send. */
bool rlink_unacked_next(const struct rlink *rl, const struct rnode *to, uint64_t *at, struct frame *f);
/* The same with an origin, too. */
void rlink_send_origin(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session, uint64_t mark,
                       uint64_t origin, const struct slice *pieces, size_t n);
size_t rlink_unacked(const struct rlink *rl, const struct rnode *to); /* bytes that are kept until it acknowledges them */
bool rlink_full(const struct rlink *rl, const struct rnode *to); /* stop the source; on_room follows */
void rlink_done(struct rlink *rl, struct rnode *from, uint64_t seq); /* this and all before are committed */
/* By name, outside any channel: name is the bare JID or domain addressed. RC_CLOSED: no router; RC_LIMIT: more than a
 * window waits for the router's socket. It may come back by on_bounce. */
MUST_USE enum rc rlink_send_name(struct rlink *rl, struct slice name, const struct slice *pieces, size_t n);

/* Number of the last frame sent to a node in its channel, and up to which number the node is done with them: who must know that
 * something arrived notes rlink_sent after rlink_send and waits for on_acked. 0: none. */
uint64_t rlink_sent(const struct rlink *rl, const struct rnode *node);
uint64_t rlink_acked(const struct rlink *rl, const struct rnode *node);

/* What every daemon says to a control command such as "metrics", ourselves too, over all routers that are up. Who may ask what is the
 * routers' to say (router/asks.c): who asks for more loses its links. on_told comes once for each daemon, for some perhaps before this
 * returns, failed where it has no answer (text: why); told NULL: those were all, after RASK_MS (rask.h) at the latest, or in rlink_close. */
struct rlink_told {
    uint64_t node;
    struct slice role, instance;  /* "router", or a node_role_name */
    bool failed;
    struct slice text;            /* borrowed until the return */
};
typedef void (*rlink_on_told)(void *ctx, const struct rlink_told *told);
void rlink_ask(struct rlink *rl, struct slice what, struct slice args, rlink_on_told on_told, void *ctx);
void rlink_ask_drop(struct rlink *rl, const void *ctx); /* nobody with this ctx is called any more */

struct rlink_queues {
    size_t unacked;               /* bytes that nodes have not acknowledged */
    size_t waiting;               /* bytes that wait for the routers' sockets */
};
struct rlink_queues rlink_queues(const struct rlink *rl);
/* A name that components have bound at a router: iterate; *router = *at = 0 first. Empty at the end. */
struct slice rlink_next_component(const struct rlink *rl, unsigned *router, size_t *at);
const char *rlink_router(const struct rlink *rl, unsigned router); /* its address */
void rlink_status(const struct rlink *rl, struct buf *json); /* one JSON array: routers, states, nodes, unacked bytes */

#endif
