/* common/edge/esession.h - a session seen from the edge, from open to gone (DESIGN 2, 3)
 *
 * A struct edge is the edge's half of the internal protocol: it holds the link to the routers, the hosted
 * domains as the session managers tell them, and every session by its id. A struct esession is embedded in
 * what the daemon calls a client; it is zeroed before use and takes part in nothing until esession_open. Ids
 * count from 1 and are never reused, so what comes late for a session that has ended meets nobody.
 *
 * Callbacks come from the loop, never out of a call of this header. The owner may end the session inside; it
 * must not free the esession before the callback has returned. What the session manager sends out of turn is
 * dropped and counted.
 *
 * A session manager that was restarted is told which sessions are bound, and they carry on; those that are not end, with
 * on_failure where a SASL step was under way, with on_close (reset) else. */
#ifndef EDGE_ESESSION_H
#define EDGE_ESESSION_H

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/edge/sm.h"
#include "common/link/rlink.h"
#include "common/xmpp/xmlin.h"

struct edge;
struct edge_ops;
enum esession_state {
    ESESSION_NONE,    /* no id; nothing was sent, or gone */
    ESESSION_OPEN,    /* opened, no step under way (registration, between two attempts) */
    ESESSION_ASKED,   /* a SASL step is with the session manager */
    ESESSION_STEP,    /* it has challenged: the client's turn */
    ESESSION_AUTHED,  /* authenticated, no resource */
    ESESSION_BINDING, /* bind was sent */
    ESESSION_RESUMING, /* or resume: XEP-0198 5 */
    ESESSION_BOUND,
};
struct esession;
struct esession_sm {       /* stream management of one session (XEP-0198) */
    struct sm n;           /* the counts */
    struct esession *session;
    struct edge *edge;
    struct link turn, waiting; /* private */
    bool enabled;          /* the session manager has said so: what is written is counted */
    bool answer;           /* private */
};
struct esession {
    uint64_t id;           /* 0: none */
    struct rnode *node;    /* its session manager; NULL: none */
    char *text;            /* owned: language, then full JID */
    uint16_t jid_len, bare_len;
    uint8_t lang_len;
    uint8_t state;         /* enum esession_state */
    bool escape;           /* the JID has characters that are escaped in an attribute */
    bool waits;            /* for room in the node's channel */
    struct esession_sm *sm; /* owned; NULL: no stream management */
    const struct edge_ops *ops; /* borrowed; who is called for this one; NULL: edge_conf's. Without stream management */
};
static inline struct slice esession_lang(const struct esession *s)
{
    return slice_of(s->text, s->lang_len);
}
static inline struct slice esession_jid(const struct esession *s) /* full; empty before bound */
{
    return slice_of(s->text ? s->text + s->lang_len : NULL, s->jid_len);
}

struct edge_ops {
    /* Of a session; s is the daemon's, found by CONTAINER. Slices live until the return. */
    void (*on_challenge)(struct esession *s, struct slice data);
    void (*on_success)(struct esession *s, const struct control_success *c);
    void (*on_authenticated)(struct esession *s, const struct control_authenticated *c); /* bound already if it has a full JID */
    void (*on_failure)(struct esession *s, const struct control_failure *c);
    void (*on_bound)(struct esession *s);
    void (*on_bind_refused)(struct esession *s, const struct control_bind_refused *c);
    /* One stanza for the client, canonical, in n pieces to be joined; in every state from OPEN. mark (frame.h) is not 0: if the
     * client does not get it, edge_undelivered. */
    void (*on_stanza)(struct esession *s, const struct slice *pieces, size_t n, uint64_t mark);
    /* The session is over (state NONE, no id): end the stream with this error. */
    void (*on_close)(struct esession *s, enum stream_cond cond, struct slice text);
    /* esession_flow with this number once the client's socket has taken most of what is written to it; a later one instead of it. */
    void (*on_flow)(struct esession *s, uint16_t n);
    void (*on_room)(struct esession *s);   /* after esession_full: go on reading */
    /* Stream management (XEP-0198): enabled; another session is this one's now (state BOUND); not (state AUTHED); write <a/>;
     * write <r/>. */
    void (*on_sm_enabled)(struct esession *s, const struct control_sm_enabled *c);
    void (*on_resumed)(struct esession *s, const struct control_resumed *c);
    void (*on_resume_failed)(struct esession *s, const struct control_resume_failed *c);
    void (*on_handled)(struct esession *s, uint32_t h);
    void (*on_ask)(struct esession *s);
    /* Of the edge. */
    void (*on_domains)(void *owner);       /* the first list, or another one */
    /* The sockets have been offered all that on_stanza brought in this turn; what came is acknowledged after it. Stanzas with a mark that one
     * of them has not taken are told now: edge_unread. NULL: none is known to be taken. */
    void (*on_flushed)(void *owner);
    /* Calls take for each stanza of this session manager of which edge_unread was told, and neither edge_read nor edge_undelivered yet: it
     * was restarted, and is not to give them to anybody again. May be NULL. */
    void (*each_unread)(void *owner, uint64_t node, void (*take)(void *ctx, struct control_mark mark), void *ctx);
};
struct edge_conf {
    struct loop *loop;
    struct log *log;
    struct arena_pool *arenas;    /* borrowed */
    struct xmlin_pool *xml;       /* borrowed; default namespace jabber:client */
    const struct rlink_conf *link;
    const struct edge_ops *ops;
    void *owner;
};
struct edge *edge_new(const struct edge_conf *conf); /* ops borrowed */
void edge_close(struct edge *e);                     /* end every session first; closes the links; no callbacks after */
void edge_free(struct edge **e);                     /* after the loop has ended */
struct rlink *edge_rlink(const struct edge *e);
size_t edge_sessions(const struct edge *e);          /* with an id */
uint64_t edge_strays(const struct edge *e);          /* frames dropped: out of turn, malformed, from another node */

/* A hosted domain as the session managers told it last; kept while they are away. */
struct edge_domain {
    struct slice name, mechanisms, features, binds;
    bool registration;
    uint64_t node;   /* who told it last */
    char *bytes;     /* owned: what the slices point into */
};
const struct edge_domain *edge_domain(const struct edge *e, struct slice name); /* NULL: not hosted */
const struct edge_domain *edge_domain_next(const struct edge *e, size_t *at);   /* iterate; *at = 0 first */
size_t edge_domains(const struct edge *e);

/* Before the first step, and again before each attempt: makes sure that the session is open at the session
 * manager that owns key in c->domain (key: the prepared local part, or the domain). If it was open at
 * another, that one is told gone and the session gets a new id. RC_CLOSED: no session manager of that domain
 * is known. RC_LIMIT: it is out of reach and its channel full. */
MUST_USE enum rc esession_open(struct edge *e, struct esession *s, struct slice key, const struct control_open *c);
void esession_auth(struct edge *e, struct esession *s, const struct control_auth *c);  /* in OPEN */
/* In OPEN; SASL2: from is the stream header's, or empty; authenticate is the client's element, which sasl2_read has accepted. */
void esession_authenticate(struct edge *e, struct esession *s, struct slice from, const struct node *authenticate);
void esession_response(struct edge *e, struct esession *s, struct slice data);         /* in STEP */
void esession_abort(struct edge *e, struct esession *s);                               /* in STEP: on_failure follows */
void esession_lang_set(struct esession *s, struct slice lang);                         /* at most 255 bytes; else none */
void esession_bind(struct edge *e, struct esession *s, struct slice resource);         /* in AUTHED; prepared or empty */
void esession_send(struct edge *e, struct esession *s, struct slice bytes);            /* a checked, canonical stanza */
void esession_csi(struct edge *e, struct esession *s, bool active);                    /* in BOUND: XEP-0352 */
void esession_flow(struct edge *e, struct esession *s, uint16_t n);                    /* in BOUND: on_flow has asked */
/* --- stream management (XEP-0198): esm.c --- */
/* In BOUND, once a stream: from now on each of the client's stanzas is numbered, also those that are answered here. */
void esession_sm_enable(struct edge *e, struct esession *s, const struct control_sm_enable *c);
void esession_resume(struct edge *e, struct esession *s, const struct control_resume *c); /* in AUTHED */
/* With s->sm there: a stanza of the client's that is not sent on. What answers it (NULL: nothing) comes back in the session's
 * order, so that both ends count the same. */
void esession_echo(struct edge *e, struct esession *s, const struct node *answer);
void esession_request(struct edge *e, struct esession *s);                  /* <r/>: on_handled follows, later */
enum sm_ack esession_acked(struct edge *e, struct esession *s, uint32_t h); /* <a/> */
bool esession_ask(struct esession *s); /* for a keep-alive: true: <r/> is to be written now */

/* True: stop reading from the client; on_room follows. */
bool esession_full(struct edge *e, struct esession *s);
/* The client has gone: tells the session manager, forgets the session, frees what the esession owns. Harmless
 * twice. lost: there was no </stream:stream>. */
void esession_gone(struct edge *e, struct esession *s, bool lost);

/* Stanzas with these marks that came from the session manager `node` for a session that has ended did not reach their client. */
void edge_undelivered(struct edge *e, uint64_t node, const struct control_mark *marks, size_t n);
/* The same, while the session is there: they may be undelivered in the end. For on_flushed, once of each. */
void edge_unread(struct edge *e, uint64_t node, const struct control_mark *marks, size_t n);
void edge_read(struct edge *e, uint64_t node, const struct control_mark *marks, size_t n); /* of those: they have been taken now */

/* The name whose owner is to be asked: the user of the first SASL step, prepared; the domain where none can
 * be told. Pure but for the arena. cert_jid: the client certificate's address for EXTERNAL, or empty. */
struct slice esession_key(struct arena *a, struct slice mechanism, struct slice initial, struct slice cert_jid,
                          struct slice domain);
/* The same of a name as a client wrote it (registration). */
struct slice esession_key_of_user(struct arena *a, struct slice user, struct slice domain);

#endif
