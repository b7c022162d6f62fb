/* sessman/edgeacks.h - which frames of an edge have been dealt with: what is acknowledged to it, and its row (DESIGN 2)
 *
 * A frame counts once what it wrote is committed; the edge gets the longest run from the front. In the row, which goes into the
 * transaction of those writes, a frame with an answer counts only once the edge has acknowledged that answer, and what was dealt with
 * beyond the first gap stands as ranges. edge_frame_done and its like are in edges.h. */
#ifndef SESSMAN_EDGEACKS_H
#define SESSMAN_EDGEACKS_H

#include "sessman/edges.h"

void edgeacks_advance(struct edge *e); /* after a commit, while e->acks: acknowledges what can be */
void edgeacks_heard(struct edge *e);   /* it has acknowledged frames of ours */
bool edgeacks_upto(const struct edge *e, uint64_t seq); /* none up to this one is waited for */
bool edgeacks_knows(const struct edge *e, uint64_t seq); /* the process before this one has dealt with it */
void edgeacks_restore(struct edge *e, uint64_t node, struct slice instance, uint32_t incarnation, uint64_t done,
                      struct slice beyond);          /* of its row */
struct rnode *edgeacks_expect(const struct edge *e); /* restored: its node, from now on awaited by the link */
void edgeacks_free(struct edge *e);

#endif
