/* common/link/channel.h - numbered, acknowledged, replayable frames between two nodes (DESIGN 2)
 *
 * Both directions of one pair of nodes. The sender keeps each frame's bytes until the other end says that it is done
 * with it; the receiver recognises what it has had. Go-back-N: when a link comes (back) up, each end says SYNC with
 * the highest number it has taken, and the other sends again what follows. Pure: bytes in, bytes out, no I/O.
 * Memory: a channel with nothing unacknowledged keeps 16 KiB at most. */
#ifndef LINK_CHANNEL_H
#define LINK_CHANNEL_H

#include "common/link/frame.h"

struct channel;
struct channel *channel_new(size_t window_bytes); /* channel_full past so many unacknowledged bytes */
void channel_free(struct channel **ch);

/* Sending. Numbers the frame (f->seq is set, f->ack too: what is done so far), keeps head and pieces, and returns
 * the encoded bytes, to be put on the link now or never (a link that is down: the replay sends it). Borrowed until
 * the next call. Never refuses: who sends asks channel_full first and stops its source. */
struct slice channel_send(struct channel *ch, struct frame *f, const struct slice *pieces, size_t n);
bool channel_full(const struct channel *ch);
size_t channel_unacked(const struct channel *ch); /* bytes */
uint64_t channel_sent(const struct channel *ch);      /* number of the last frame sent, 0: none */
uint64_t channel_acked_seq(const struct channel *ch); /* the other end is done with all up to here */
void channel_acked(struct channel *ch, uint64_t ack); /* from a frame's ack; an old or impossible number is ignored */
/* All that is not acknowledged, again: *at = 0 first; false at the end. Heads carry the current ack. Frames up to
 * `had` are left out: a SYNC said that they have arrived. */
bool channel_replay(struct channel *ch, uint64_t had, uint64_t *at, struct slice *frame);

/* One end has been restarted and the other goes on. There: a channel_new takes up the receiving where its store says that it was, or where
 * the other end says that it was (more may have been acknowledged than was written); nothing in this channel has been sent. Here: what the
 * other end sends begins at 1 again, our own frames go on. */
void channel_resume(struct channel *ch, uint64_t done); /* no more than that: a lower number changes nothing */
void channel_reborn(struct channel *ch);

/* Receiving. */
enum channel_in { CHANNEL_NEW, CHANNEL_AGAIN, CHANNEL_GAP };
enum channel_in channel_receive(struct channel *ch, uint64_t seq); /* NEW: take it. AGAIN: drop it. GAP: drop, send SYNC */
uint64_t channel_taken(const struct channel *ch);                 /* highest number received: what SYNC says */
/* The receiver is done with everything up to seq (committed, or handed on for good). */
void channel_done(struct channel *ch, uint64_t seq);
uint64_t channel_done_seq(const struct channel *ch);
/* True when the other end has not been told of channel_done_seq yet. */
bool channel_ack_due(const struct channel *ch);
uint64_t channel_ack_lag(const struct channel *ch); /* by how many frames */
uint64_t channel_ack_take(struct channel *ch); /* the number to send, and no longer due */

#endif
