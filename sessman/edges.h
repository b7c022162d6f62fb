/* sessman/edges.h - the edge daemons: their frames, their sessions, what is acknowledged to them (DESIGN 2) */
#ifndef SESSMAN_EDGES_H
#define SESSMAN_EDGES_H

#include "common/base/list.h"
#include "sessman/sessman.h"

struct session;

struct edge {
    struct sessman *sm;
    struct rnode *node;
    struct idmap *sessions;     /* by session id; owns them */
    uint64_t settled, settled_told; /* numbers in its channel: <settled/> */
    struct link busy;           /* head: sessions that wait until it has taken more of what was sent to it */
    struct transit *transit;    /* messages on their way to its sessions: transit.h; NULL: none */
    size_t held_bytes;          /* of its frames that wait for their session */
    bool overflow;              /* too much waits: its sessions are ended at the end of this turn */
    struct turn end_sessions;
    struct acks *acks;          /* frames not done with yet; NULL: none */
};
extern const struct rlink_ops edges_rlink_ops;
struct edge *edge_find(const struct sessman *sm, uint64_t node); /* NULL: it is gone */
/* A frame has been dealt with; it counts as done once ticket is committed. Frames may finish out of order. */
void edge_frame_done(struct edge *e, uint64_t seq, uint64_t ticket);
/* More waits for the edge, or of what it has sent on over its window, than may: its sessions end. Called by whoever sends or
 * holds. */
void edge_check_backlog(struct edge *e);
/* So many bytes have answered a session's own stanzas. Past a limit its next ones wait until the edge has taken more: who asks for a lot
 * waits for it, and does not fill the way to everybody else. */
void edge_answered(struct session *s, size_t bytes);
/* A frame will finish later. */
void edge_frame_wait(struct edge *e, uint64_t seq);
void edges_committed(struct sessman *sm);
void edges_close(struct sessman *sm); /* frees all edges and sessions at the end */

#endif
