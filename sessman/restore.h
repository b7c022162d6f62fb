/* sessman/restore.h - what of sessions and of the edges' channels is in the store, and the way back after a restart (DESIGN 2, 5)
 *
 * Every bound session is a row: written when it is bound, when its state changes (session_dirty, once a turn), marked when it ends, and deleted
 * once what was told of that is committed and sent: what it has said last may have to be dealt with once more. Of each
 * edge a row says which of its frames have been dealt with, written in the same transaction as what came of them. So a restarted sessman
 * (the same node, rlink_conf.node) finds all sessions as they were; their edges send again what was not dealt with, and say who is still
 * there. Until all of them have (or for 5 s after a router is up) no frame is worked on: the barrier.
 *
 * The state column: <state priority='' interested='' carbons='' csi='' trusted='' flexible='' agent=''>, the presence without `to`, and a <directed/> for each
 * JID that directed presence went to; of one that hibernates (resume.h) also <queue out='' acked=''> with <kept n=''>stanza as text</kept>. */
#ifndef SESSMAN_RESTORE_H
#define SESSMAN_RESTORE_H

#include "common/link/control.h"
#include "sessman/session.h"

struct edge;

/* Something of s that its row holds has changed. Returns the ticket that stands for its writing at the end of this turn: a handler says
 * in_wrote(in, …). 0: the session has no row (not bound). */
uint64_t session_dirty(struct sessman *sm, struct session *s);       /* presence, flags, directed presence */
uint64_t session_dirty_place(struct sessman *sm, struct session *s); /* edge, XEP-0198: enabled, hibernating */
uint64_t session_dirty_count(struct sessman *sm, struct session *s); /* XEP-0198: stanzas that are dealt with */

/* Called by session.c. */
void restore_bound(struct sessman *sm, struct session *s);  /* a new row */
void restore_ended(struct sessman *sm, struct session *s);  /* none any more */
void restore_committed(struct sessman *sm);                 /* the store has committed more, and what waited for that was sent */
/* Called by main.c: reads node, sessions and edges, then done, which opens the link as restore_node and calls restore_expect at once. */
void restore_load(struct sessman *sm, void (*done)(struct sessman *sm));
uint64_t restore_node(const struct sessman *sm);
void restore_expect(struct sessman *sm);
void restore_batch(struct sessman *sm);                     /* store_conf.on_batch; and before the end */
void restore_stop(struct sessman *sm);
void restore_free(struct restore **r);
/* Called by edges.c. */
void restore_link_up(struct sessman *sm);                   /* the first router is there: the five seconds begin */
bool restore_waits(const struct sessman *sm);
/* So short a time after a restart that what is dealt with may have been dealt with before it, by a process that died before everybody was
 * told: where that can be told twice without harm, it is. */
bool restore_recent(const struct sessman *sm);               /* the barrier is down */
void restore_alive(struct sessman *sm, struct edge *e, const struct control_alive *c);
/* This frame's message, which had no row, was delivered before the restart: an edge has said so (fast.h). e may be NULL. */
bool restore_had(const struct sessman *sm, const struct edge *e, uint64_t seq);
/* All edges are back, and what they sent again has been dealt with; or there were none. Until then none of them may forget what it had. */
bool restore_over(struct sessman *sm);
void restore_edge_gone(struct sessman *sm);                 /* one that was awaited is lost */
/* What stands for all that was given to the store, and all that became dirty, since the next ticket was `next`; at least `least`. */
uint64_t restore_ticket(const struct sessman *sm, uint64_t next, uint64_t least);
/* A stanza by name that came while the barrier is down: kept, or bounced when there are too many. */
void restore_keep(struct sessman *sm, const struct frame *f);

#endif
