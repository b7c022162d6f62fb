/* sessman/transit.h - messages on their way to sessions without stream management: what each edge has not acknowledged yet
 *
 * One queue an edge, in order of the channel's numbers. The edge has acknowledged a frame: the message is settled, unless the edge has said
 * before that the client has not taken it (control.h: unread). Then it stays outstanding until the edge says what has become of it. The
 * edge is lost: what is not settled is unsettled. What was settled is remembered for a while (TRANSIT_KEEP_MS), so that the edge can
 * still hand it back. */
#ifndef SESSMAN_TRANSIT_H
#define SESSMAN_TRANSIT_H

#include "sessman/edges.h"

#define TRANSIT_KEEP_MS    2000
#define TRANSIT_UNREAD_MAX (1u << 17) /* messages of an edge that are known to be unread; over it the oldest is settled */

/* pos of this account went to a session in the last frame that was sent to the edge. */
void transit_sent(struct edge *e, int64_t account, uint64_t pos, uint64_t session);
void transit_acked(struct edge *e); /* rlink_acked has grown */
void transit_free(struct edge *e);  /* the process ends: the store knows what is not settled */
void transit_lost(struct edge *e);  /* the edge is gone; frees what there is */
/* The edge says of a message, before it acknowledges it, that the client has not taken it. False: it never had it. */
bool transit_unread(struct edge *e, uint64_t session, uint64_t pos);
void transit_read(struct edge *e, uint64_t session, uint64_t pos); /* … and now it has */
/* The edge hands a message of this session back. False: it never had it, or too long ago. */
bool transit_returned(struct edge *e, uint64_t session, uint64_t pos);
/* The session has ended. True: the edge has not acknowledged the message yet, or it is unread, so nobody knows whether the client had it: journal_landed
 * will be called once that is known, or an edge that does not say has been waited for long enough. False: it has been acknowledged or
 * was never there; or the edge is out of reach: it is unsettled, now. */
bool transit_adrift(struct edge *e, uint64_t session, uint64_t pos);

#endif
