/* common/edge/sm.h - stream management, the counting of one session at its edge (XEP-0198 4, 5)
 *
 * Numbers are kept whole, in 64 bits, and told modulo 2^32. Client to server: every element of the client after <enable/> is numbered
 * here and the number goes with its frame; <r/> is answered with the number up to which the session manager has committed (it
 * acknowledges frames only then), so an answer may come later than its question, and one answers all the questions before it. Server to
 * client: what is written is counted, <a/> is checked against it, and who reads too little is asked. Pure: no I/O, no clock but the
 * one it is told. */
#ifndef EDGE_SM_H
#define EDGE_SM_H

#include <stdbool.h>
#include <stdint.h>

/* An <r/> that waits: when frame seq is acknowledged the answer is h. */
struct sm_wait {
    uint64_t seq, h;
};
struct sm {
    uint64_t in;        /* stanzas of the client, numbered */
    uint64_t in_seq;    /* channel number of the frame that carried the last; 0: none */
    uint64_t done;      /* of these known to be committed */
    uint64_t out;       /* stanzas written to the client */
    uint64_t acked;     /* of these acknowledged by it */
    uint64_t told;      /* acked, as far as the session manager has been told */
    uint64_t asked;     /* what was out when we asked last; the answer is there once acked has reached it */
    struct sm_wait wait[2]; /* the first is answered first; seq 0: none */
    uint64_t wait_ms;   /* since when it waits */
};
enum sm_ack { SM_ACK_NEW, SM_ACK_OLD, SM_ACK_TOO_HIGH };

/* The number next to `near` that is `wire` modulo 2^32. */
uint64_t sm_near(uint64_t near, uint32_t wire);

void sm_start(struct sm *m);                                 /* enabled: all from zero */
void sm_resume(struct sm *m, uint32_t in, uint32_t out);     /* XEP-0198 5: both counts carry over */
uint64_t sm_take(struct sm *m);                              /* one more of the client: its number */
void sm_taken(struct sm *m, uint64_t seq);                   /* the frame that carried the last number */
/* <r/>: true: answer with *h now. False: sm_committed says when. acked: the session manager's acknowledgement of the channel. */
bool sm_request(struct sm *m, uint64_t acked, uint64_t now_ms, uint32_t *h);
bool sm_waits(const struct sm *m);                           /* an <r/> is not answered */
uint64_t sm_waits_for(const struct sm *m);                   /* the frame that the first one waits for */
/* The channel is acknowledged up to here: true when an answer is due, with *h. */
bool sm_committed(struct sm *m, uint64_t acked, uint64_t now_ms, uint32_t *h);
/* It has waited long (the session manager is away): true when it is to be answered with what is known, which says no more than
 * that we are there. It goes on waiting. */
bool sm_overdue(struct sm *m, uint64_t now_ms, uint32_t *h);

void sm_wrote(struct sm *m);                                 /* one more stanza to the client */
enum sm_ack sm_acked(struct sm *m, uint32_t h);              /* <a/>; TOO_HIGH: nothing has changed (XEP-0198 6) */
bool sm_tell(struct sm *m, uint32_t *h);                     /* true: the session manager does not know *h yet; it does now */
bool sm_ask(struct sm *m);                                   /* true: send <r/> now; one is under way at a time */

#endif
