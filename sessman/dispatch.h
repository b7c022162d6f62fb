/* sessman/dispatch.h - a stanza's way through sessman: stamp, look up, run the tables, deliver
 *
 * Every stanza becomes a struct incoming in an arena of its own. From an edge: `from` is stamped from the session table,
 * whatever the frame says. Then: the OUT rows of the modules (the sender's side), then, when the addressee is local, its account
 * is loaded and the IN rows run (the addressee's side), then what no row took is delivered by deliver.c or answered with an error.
 * Frames of one session are worked on strictly in order: one that waits (a load, a row, a script) holds up those behind it. */
#ifndef SESSMAN_DISPATCH_H
#define SESSMAN_DISPATCH_H

#include "common/base/list.h"
#include "common/xmpp/stanza.h"
#include "sessman/sessman.h"

struct session;
struct account;
struct edge;

enum addressee {
    TO_NOBODY = 1,       /* presence without `to` */
    TO_DOMAIN = 2,       /* a hosted domain itself, with or without a resource */
    TO_OWN_ACCOUNT = 4,  /* the sender's own bare JID, or no `to` (iq, message) */
    TO_ACCOUNT = 8,      /* another local account's bare JID */
    TO_RESOURCE = 16,    /* a local full JID, own ones too */
    TO_ELSEWHERE = 32,   /* a domain that is not hosted here */
    TO_BEFORE_LOGIN = 64 /* an iq on a stream that is not authenticated (registration) */
};

struct incoming {
    struct sessman *sm;
    struct arena *a;
    struct stanza st;
    struct session *session;   /* sender's session here; NULL: from elsewhere, or the session has ended meanwhile */
    struct account *target;    /* IN rows: the local account addressed, loaded; NULL: no such account, or not an account */
    enum addressee to;
    bool from_session;         /* it came from a session (which may have ended since) */
    bool refused;              /* it was answered with an error: in_error */
    bool admin;                /* the router says: from the control tool */
    uint64_t ticket;           /* what is sent because of it waits for this commit: in_wrote */
    /* private */
    uint64_t outbox_rows;      /* outbox_rows when it began: if there are more it waits for them */
    uint64_t taken_ticket;     /* of what is written so that the session's count survives (XEP-0198) */
    struct link of_session;    /* in session->incoming, so that its end is noticed */
    uint64_t seq;
    struct edge *edge;         /* to acknowledge seq to; while held only its id is kept: it may go meanwhile */
    uint64_t edge_id;
    bool is_held, is_released;
    uint64_t kept_pos;         /* its row in the sender's archive; 0: none */
    bool copied;               /* a message of a session whose account has others: carbons.h */
};

enum handled { HANDLED, PASS };

/* For handlers. Reply trees are built in in->a. */
void in_reply(struct incoming *in, struct node *reply);          /* to the sender, after in->ticket is committed */
void in_result(struct incoming *in, struct node *payload);       /* iq result with payload (NULL: empty) */
void in_error(struct incoming *in, enum stanza_cond cond, const char *text);
static inline void in_wrote(struct incoming *in, uint64_t ticket) /* a store_run because of this stanza */
{
    if (ticket > in->ticket)
        in->ticket = ticket;
}
/* The handler will finish later: it returns HANDLED after this and calls in_done then, once; the stanza and its arena live until
 * then and the session's next stanzas wait. in->session becomes NULL if the session ends meanwhile. */
void in_hold(struct incoming *in);
void in_done(struct incoming *in);
/* Held, and it may take long because of what the client does or does not: the session's next stanzas go on. */
void in_release(struct incoming *in);

/* Frames. seq is acknowledged when the stanza has been dealt with and committed. */
void dispatch_session_frame(struct sessman *sm, struct session *s, uint64_t seq, uint64_t mark, struct slice payload);
void dispatch_routed_frame(struct sessman *sm, const struct frame *f);  /* by name: component, other server, control tool */
void dispatch_peer_frame(struct edge *e, const struct frame *f);         /* of an s2s's channel: another server's */
void dispatch_bounce(struct sessman *sm, const struct frame *f);
/* A stanza of a local sender comes back with this error; text may be NULL. */
void dispatch_refuse(struct sessman *sm, struct slice stanza, enum stanza_cond cond, const char *text);

/* Runs IN rows and delivery for a stanza that a module made or has let through, as if it had just arrived: used for
 * what one local account sends to another. node is in in->a, with from and to set. in->ticket is inherited. */
void dispatch_generated(struct incoming *in, struct node *node);
/* The same without an incoming: server-generated (presence of a session that ended). */
void dispatch_stanza(struct sessman *sm, struct node *node, uint64_t ticket);

#endif
