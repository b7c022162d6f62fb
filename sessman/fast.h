/* sessman/fast.h - messages that are delivered at once and have no row of the journal, as long as they need none (DESIGN 4, 5)
 *
 * Taken: what a session without stream management sends to sessions without it, when nobody archives it, no copies are made of it and
 * nothing is there that it would overtake. It leaves in the turn in which it came, with a position and an origin (frame.h). Until an
 * addressee's edge has acknowledged it, it is outstanding (journal.h), in memory, and its sender's frame is not dealt with: after a crash
 * of ours that edge sends it again, and an edge that had it says so by the origin (restore_had). It gets its row when that takes longer than
 * FAST_MS, when it comes back, when its client's socket is full (control.h: unread), or when its sender is to be answered something, which he may
 * take for an acknowledgement. From then on it is a message like any other. */
#ifndef SESSMAN_FAST_H
#define SESSMAN_FAST_H

#include "sessman/session.h"

#define FAST_MS    30           /* an edge acknowledges within 20 */
#define FAST_MAX   8192         /* messages without a row at a time; more have one */
#define FAST_BYTES (8u << 20)   /* of their stanzas */

struct fast;
struct incoming;

void fast_new(struct sessman *sm);  /* sm->fast */
void fast_free(struct sessman *sm); /* the process ends: what is not dealt with comes again */
/* in->st goes to match, or to those of in->target of at least this priority. True: it is on its way; in's frame is dealt with later. */
bool fast_deliver(struct incoming *in, const struct session *match, int best);
/* Of which frame a message is made. Never 0. */
uint64_t fast_origin(const struct sessman *sm, const struct edge *e, uint64_t seq);
/* Those of this session get their rows. Returns the ticket of the last one; 0: there are none. */
uint64_t fast_write_of(struct sessman *sm, const struct session *s);
bool fast_has(const struct sessman *sm, uint64_t pos);

/* --- for cursor.c: of pos, which has no row --- */
void fast_settled(struct sessman *sm, uint64_t pos);
void fast_write(struct sessman *sm, uint64_t pos); /* its row, now */
/* --- for journal.c --- */
uint64_t fast_low(const struct sessman *sm); /* the lowest position that may get a row yet; 0: none */
bool fast_moved(struct sessman *sm);         /* something was settled since this was asked last */
/* --- who sent them --- */
void fast_sender_gone(struct sessman *sm, struct session *s);
void fast_edge_gone(struct sessman *sm, const struct edge *e);

#endif
