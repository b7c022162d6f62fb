/* router/peer.h - one connection: level 1, 2 or 3, authentication, bound names, life (DESIGN 2)
 *
 * A peer begins as an XML stream. Whoever writes to a peer may find it closing: then nothing happens. */
#ifndef ROUTER_PEER_H
#define ROUTER_PEER_H

#include "common/base/rate.h"
#include "common/link/framein.h"
#include "common/xmpp/stream.h"
#include "router/router.h"
#include "router/unsent.h"

enum peer_level { PEER_NEW, PEER_0114, PEER_0225, PEER_FRAMES };
enum peer_state {
    PEER_HEADER,    /* nothing has come */
    PEER_HANDSHAKE, /* XEP-0114: the handshake is due */
    PEER_PLAIN,     /* XEP-0225: features are out, not authenticated */
    PEER_SASL,      /* within an exchange */
    PEER_AUTHED,    /* authenticated, the new stream header is due */
    PEER_OPEN,      /* stanzas, or frames */
};
enum { PEER_PIECES = 64 };

struct auth;
struct peer {
    struct router *r;
    struct link all; /* router.peers */
    struct conn *conn;
    uint64_t id; /* node id, or a number of our own */
    enum peer_level level;
    enum peer_state state;
    enum node_role role;
    char *name_asked; /* XEP-0114: the stream is to this */
    char *name;       /* its section, once authenticated */
    char *instance;   /* "c2s-1", or name and number */
    char stream_id[33];
    char ip[46];
    bool secure, tcp, loopback;
    bool rest_void;   /* what was read behind the element just handled is not XML of this stream */
    bool going;       /* being ended: takes no part any more */
    bool admin_named; /* names[0] is the bare JID that an admin's tool speaks from */
    unsigned tries;
    struct xmlin in;
    struct auth *auth; /* within an exchange */
    char **names;      /* bound; prepared domains */
    size_t n_names;
    struct timer timer;      /* login; then silence */
    struct timer full;       /* runs while it does not take what waits for it */
    struct peer *blocked_on; /* reading is paused until that one has room */
    /* the frame level */
    struct framein frames;
    uint64_t heard_ms; /* when it last said something */
    uint64_t last_dst; /* where the last frame went, and who that was */
    struct peer *last_peer;
    struct link touched;
    struct slice out[PEER_PIECES]; /* of the reader's buffer, to be written at the end of its turn */
    unsigned n_out;
    struct unsent unsent; /* level 1 and 2 */
    struct rate asks; /* asks.c */
    uint64_t in_count, out_count, in_bytes, out_bytes; /* frames or stanzas */
};

const struct conn_ops *peer_conn_ops(void);
void peer_accept(void *router, struct conn *c); /* listen_conf.on_accept */
void peer_end(struct peer *p);                  /* closes, having flushed */
/* Ends the stream with an error, after a header of ours if none was sent. text may be NULL. */
void peer_stream_error(struct peer *p, enum stream_cond cond, const char *text);
void peer_stop(struct peer *p); /* the router ends */
/* Level 1 and 2: bytes of its stream, at once where the socket takes them; and for the log, what was written otherwise. */
void peer_write(struct peer *p, struct slice bytes);
/* These stanzas were just given to its conn: kept while the socket has not taken them. */
void peer_wrote(struct peer *p, const struct slice *stanzas, size_t n, bool keep);
void peer_wire_out(const struct peer *p, struct slice bytes);
struct log_ctx peer_log(const struct peer *p, const char *doing);
/* The login has succeeded. */
void peer_authenticated(struct peer *p, const struct section *s);
/* RC_DENIED: not its name; RC_EXISTS: bound by it already. */
MUST_USE enum rc peer_bind(struct peer *p, struct slice name);
void peer_unbind(struct peer *p, size_t i);
void peer_admins(struct router *r, int more); /* a control tool is there, or (-1) has gone */
/* From now on frames: answers, and tells everybody. */
void peer_frames_up(struct peer *p, uint64_t node, struct slice instance);

#endif
