/* sessman/transit.h - messages on their way to sessions without stream management: what each edge has not acknowledged yet
 *
 * One queue an edge, in order of the channel's numbers. The edge has acknowledged a frame: the message is settled. The edge is lost: it is
 * unsettled. What was acknowledged is remembered for a while (TRANSIT_KEEP_MS) so that the edge can still hand it back when a
 * connection ends before its socket took it. */
#ifndef SESSMAN_TRANSIT_H
#define SESSMAN_TRANSIT_H

#include "sessman/edges.h"

#define TRANSIT_KEEP_MS 2000

/* pos of this account went to a session in the last frame that was sent to the edge. */
void transit_sent(struct edge *e, int64_t account, uint64_t pos, uint64_t session);
void transit_acked(struct edge *e); /* rlink_acked has grown */
void transit_free(struct edge *e);  /* the process ends: the store knows what is not settled */
void transit_lost(struct edge *e);  /* the edge is gone; frees what there is */
bool transit_has(const struct edge *e, uint64_t session, uint64_t pos);
/* The edge hands a message of this session back. False: it never had it, or too long ago. */
bool transit_returned(struct edge *e, uint64_t session, uint64_t pos);
/* The session has ended. True: the edge has not acknowledged the message yet, so nobody knows whether the client had it: journal_landed
 * will be called once that is known, or an edge that does not say has been waited for long enough. False: it has been acknowledged or
 * was never there; or the edge is out of reach: it is unsettled, now. */
bool transit_adrift(struct edge *e, uint64_t session, uint64_t pos);

#endif
