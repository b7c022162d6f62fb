/* sessman/smqueue.h - what a client with stream management has not acknowledged (XEP-0198 4, 5)
 *
 * One queue a session (session->sm). Everything for the client goes through it: numbered when it is queued, sent in that order, each once
 * its ticket is committed, kept until the client has acknowledged it. While the session has no connection (session->edge is NULL:
 * resume.h) it only grows. Over a limit ([session] queue_stanzas, queue_bytes) the session ends. Empty queues hold no memory but
 * their head. A stanza that stands in the journal carries its position: journal_settled when it is acknowledged, journal_unsettled
 * when the session ends without. */
#ifndef SESSMAN_SMQUEUE_H
#define SESSMAN_SMQUEUE_H

#include "sessman/session.h"

#define SM_ID_MAX 64 /* bytes of a resumption id */

void smqueues_new(struct sessman *sm); /* sm->smqueues; freed by resume_fini */

/* <enable/>: from here on everything is counted. */
void smqueue_enable(struct sessman *sm, struct session *s, const struct control_sm_enable *c);
/* The same of a session that has just been bound and was told nothing yet (XEP-0198 9.1): what it is to be told goes behind what out
 * holds. */
void smqueue_enable_inline(struct sessman *sm, struct session *s, const struct control_sm_enable *c, struct buf *out);
/* s->sm must be there. pos: the stanza's row in the journal, 0: none. held_n: the row was written with holder = s->row and this
 * number (of smqueue_next); where that is not so it is written here. The pieces are joined. */
void smqueue_put(struct sessman *sm, const struct session *s, uint64_t ticket, uint64_t pos, uint64_t held_n,
                 const struct slice *pieces, size_t n);
uint64_t smqueue_next(const struct session *s); /* the number that the next stanza will have */
/* A quarter of what it may hold at most: who has much to send waits while this is false. True without s->sm. */
bool smqueue_has_room(const struct sessman *sm, const struct session *s);
/* A copy of what is fanned out, `to` filled in at to_at. True: nothing holds it back, s is to be among the fan-out's targets. */
bool smqueue_fanout(struct sessman *sm, const struct session *s, uint64_t ticket, struct slice stanza, size_t to_at);
void smqueue_acked(struct sessman *sm, struct session *s, uint32_t h); /* the edge has checked it */
/* The client's stanza of this number is being dealt with (any session; 0: it has none). Returns the ticket that the frame is done with. */
uint64_t smqueue_took(struct sessman *sm, struct session *s, uint64_t number);
void smqueue_committed(struct sessman *sm);          /* the store has committed more: sends what waited for that */
void smqueue_free(struct session *s);                /* forgets it all */
/* The session ends: everything that was not acknowledged is treated as if it had been sent to a resource that is not there (XEP-0198
 * 4): what stands in the journal is unsettled, iqs and others are answered. The session is out of its account's list already. */
void smqueue_reroute(struct sessman *sm, struct session *s);

/* --- the session's row, and back (restore.c) --- */
struct smqueue_row {
    struct slice id;       /* resumption id; empty: not resumable */
    uint64_t in;           /* the client's stanzas that are dealt with */
    uint32_t hibernate_s;
};
void smqueue_row(const struct session *s, struct smqueue_row *out); /* s->sm must be there; borrowed */
/* Of one that hibernates: its counts, and what of it stands in no row of the journal, as elements of the state column. Nothing where that is
 * too much, or not all of it is known. */
void smqueue_state_write(struct buf *out, const struct session *s);
/* After smqueue_restored, of one that hibernated: state is that column's element. */
void smqueue_state_read(struct sessman *sm, struct arena *a, const struct node *state, struct session *s);
/* After a restart: makes the queue anew. Then, for each undelivered row of the journal that it holds, in order of n,
 * smqueue_restored_stanza; then smqueue_alive when its edge has it, resume_hibernate when it has not. Nothing is sent before. */
void smqueue_restored(struct sessman *sm, struct session *s, const struct smqueue_row *row);
void smqueue_restored_stanza(struct sessman *sm, struct session *s, uint64_t pos, uint64_t n, struct slice stanza);
/* What the edge says: stanzas written to the client, and acknowledged by it. Up to acked: settled. Up to out: sent. Past that: sent now. */
void smqueue_alive(struct sessman *sm, struct session *s, uint32_t out, uint32_t acked);

#endif
