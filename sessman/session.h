/* sessman/session.h - sessions: a client's stream seen from here, from its first SASL step to its end (RFC 6120 6, 7)
 *
 * Owned by its edge's table (edges.h), keyed by the id that the edge gave it. Bound ones are also in their account's list. A session
 * ends once: by the edge's `gone`, by session_close, or with its edge. */
#ifndef SESSMAN_SESSION_H
#define SESSMAN_SESSION_H

#include "common/base/list.h"
#include "common/link/control.h"
#include "common/xmpp/jid.h"
#include "sessman/sessman.h"

struct edge;
struct account;
struct directed;          /* whom a directed presence went to: mod/presence.c */
struct smqueue;           /* smqueue.h */
struct csi;               /* csi.h */
struct apisession;        /* apisession.h */
struct login;             /* what only a session that is not bound needs */

struct session {
    struct link in_account;        /* account->sessions; bound ones */
    struct edge *edge;             /* NULL: it hibernates (resume.h) */
    uint64_t id;
    struct csi *csi;               /* XEP-0352: what is held back; NULL: the client is active */
    struct account *account;       /* NULL: not bound */
    struct login *login;           /* NULL: bound */
    char *jid;                     /* full JID text; NULL: not bound */
    uint16_t bare_len, jid_len;    /* bytes */
    uint16_t presence_len;
    uint16_t presence_to_at;       /* where " to='…'" goes in presence */
    int8_t priority;
    bool available;                /* sent available presence: presence != NULL */
    bool interested;               /* asked for the roster (RFC 6121 2.2) */
    bool trusted_plain;            /* rates do not bind */
    uint16_t stalled;              /* stanzas that are held: the backlog waits until none is */
    char *presence;                /* last available presence, canonical, from stamped, without to */
    struct directed *directed;
    struct link incoming;          /* head: its stanzas that are being worked on */
    struct link fast;              /* head: messages of its that are delivered and have no row: fast.h */
    struct backlog *backlog;       /* frames behind the held one, in order; NULL: none */
    struct link busy;              /* edge->busy */
    uint32_t answered;             /* bytes of answers since it last waited there */
    uint64_t ticket;               /* highest ticket that its stanzas caused */
    uint64_t agent;                /* hash of the user-agent id that bound it (XEP-0386 3.2); 0: none */
    uint64_t held_ticket;          /* of the writing of its row, and of what out.c holds for it: nothing overtakes that */
    uint64_t row;                  /* of the store: restore.h; 0: none yet */
    struct smqueue *sm;            /* XEP-0198: what the client has not acknowledged; NULL: no stream management */
    char *ip;                      /* the client's address, of administrators and of the API: audit.h; NULL: not kept */
    struct apisession *api;        /* it is one of the HTTP API, and authenticated; NULL: a client's */
    bool carbons;                  /* XEP-0280 */
    bool retrieving;               /* XEP-0013: a request for messages is being answered */
    bool flexible;                 /* XEP-0013: it retrieves by itself what waits: waiting.h */
    bool over;                     /* restored, but it had ended: only that not everybody may have been told: restore.h */
    bool unseen;                   /* restored, and its edge has not said yet that it is there: restore.h */
    uint8_t dirty;                 /* what of its row is to be written at the end of this turn: restore.c */
};

static inline struct slice session_jid(const struct session *s)
{
    return (struct slice){ s->jid, s->jid_len };
}
static inline struct slice session_bare(const struct session *s)
{
    return (struct slice){ s->jid, s->bare_len };
}
static inline struct slice session_resource(const struct session *s)
{
    return slice_from(session_jid(s), (size_t)s->bare_len + 1);
}
/* Keeps a frame that came while a stanza is held. */
void session_backlog(struct session *s, const struct frame *f);
/* One held stanza is done: works through the backlog. The session may be gone after it. */
void session_unstall(struct sessman *sm, struct session *s);
/* Of a row, after a restart: bound as it was, `unseen`; the account is held. */
struct session *session_restored(struct sessman *sm, struct edge *e, uint64_t id, struct account *a, struct slice resource);
struct session *session_open(struct edge *e, uint64_t id, const struct control_open *open);
/* mark: of the frame. Returns the ticket that the frame is done with. The session may be gone after it. */
uint64_t session_control(struct sessman *sm, struct session *s, enum control_kind kind, uint64_t mark, struct arena *a,
                         struct node *n);
/* Ends it here and tells the edge: stream error, or for a session that is not bound just the close. */
void session_close(struct sessman *sm, struct session *s, enum stream_cond cond, const char *text);
/* The edge says gone, or is gone: unavailable presence, then freed. */
void session_end(struct sessman *sm, struct session *s);
/* Soon, what was freed goes back to the system: a walk over the heap, for when a lot was. */
void session_memory_release(struct sessman *sm);
/* It has lost its connection (resume.h): out of its edge's table, edge is NULL, frames that wait are forgotten. */
void session_detach(struct session *s);
/* The same, and its edge is told to close the stream. */
void session_disconnect(struct sessman *sm, struct session *s, enum stream_cond cond, const char *text);
/* s, which is not bound, is no more; old, which is detached, has its place at its edge. */
void session_replace(struct sessman *sm, struct session *old, struct session *s);
/* Freed without a word to anybody: the process ends. */
void session_leave(struct sessman *sm, struct session *s);
struct slice session_user(const struct session *s); /* bare JID that is authenticated and not bound, or empty */
bool session_may_bind(const struct session *s);     /* and nothing is being done about that */
bool session_is_api(const struct session *s);       /* authenticated or not */
/* The session's JID with all its parts. */
struct jid session_full_jid(const struct session *s);
/* The client's address as the edge told; "" where it is not kept: once it is bound, but for administrators and the API. */
const char *session_ip(const struct session *s);
struct slice session_domain(const struct session *s); /* also of those that are not bound */

#endif
