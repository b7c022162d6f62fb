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
    struct answers *answers;    /* frames whose answers it may not have had; NULL: none */
    /* of its row, and of a restart (restore.h) */
    struct known *known;        /* what the row said */
    struct link kept;           /* head: frames that wait for the barrier */
    bool is_s2s;                /* of other servers: it has no sessions */
    struct idmap *given;        /* s2s: ids of the outbox that it has and has not reported yet; NULL: none (outbox.h) */
    bool has_row;
    bool wrote;                 /* a frame of it has caused a statement since the row was written last */
    bool awaited;               /* it has sessions, and has not said yet which of them are there */
    bool rejoining;             /* it knew the run before this one, and has not told all of that */
    bool sweep;                 /* once its frame number sweep_at has been dealt with, sessions that are unseen end */
    uint64_t sweep_at;
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
/* The same of what has an answer, or makes presence: it counts as dealt with in the store only once the edge has acknowledged what it was
 * sent; after a crash it is worked on again rather than never answered. */
void edge_answer_done(struct edge *e, uint64_t seq, uint64_t ticket);
/* It sends for a session that is not: told that it has ended. */
void edge_stray(struct edge *e, uint64_t id);
/* After a restart, in this order: of a row, before there is a link; the link waits for its node; the barrier is lifted. beyond: as the row
 * has it. */
struct edge *edge_restored(struct sessman *sm, uint64_t node, struct slice instance, uint32_t incarnation, uint64_t done,
                           struct slice beyond);
void edge_expect(struct edge *e);
void edges_go_on(struct sessman *sm);
void edge_sweep(struct edge *e); /* if it is time */
/* Every edge that knew the run before this one has said what its clients have had, and all that it sent again has been dealt with. */
bool edges_rejoined(const struct sessman *sm);
/* At the end of a batch: the rows of edges whose frames have written. */
void edges_mark(struct sessman *sm);
void edges_committed(struct sessman *sm);
void edges_close(struct sessman *sm); /* frees all edges and sessions at the end; their rows stay */

#endif
