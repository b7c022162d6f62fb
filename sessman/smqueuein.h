/* sessman/smqueuein.h - what smqueue.c and resume.c share; nobody else includes it */
#ifndef SESSMAN_SMQUEUEIN_H
#define SESSMAN_SMQUEUEIN_H

#include "common/net/loop.h"
#include "sessman/resume.h"
#include "sessman/smqueue.h"

struct smitem { /* one stanza */
    struct smitem *next;
    uint64_t n;      /* its number */
    uint64_t ticket; /* it is sent once that is committed */
    uint64_t pos;    /* of its row in the journal; 0: none */
    uint32_t len;
    char bytes[];
};
struct smqueue {
    struct sessman *sm;
    struct session *session;
    char *id;                             /* resumption id; NULL: not resumable */
    uint64_t in;                          /* stanzas of the client that are dealt with */
    uint64_t out, acked;                  /* last number given; up to where the client has acknowledged */
    struct smitem *first, *last, *unsent; /* unsent: the first that is not sent; NULL: all are */
    size_t n, bytes;
    char *opening;                        /* what the edge is told first (sm-enabled, resumed), when opening_ticket is committed */
    uint32_t opening_len;
    uint64_t opening_ticket;
    bool told;                            /* its client, of the id */
    struct link held;                     /* in smqueues->held: something waits for a commit */
    struct link over;                     /* in smqueues->over: a limit is reached; it ends at the end of this turn */
    struct link asleep;                   /* in smqueues->asleep: no connection */
    int64_t detached_ms;                  /* wall clock; 0: it has a connection */
    uint32_t hibernate_s;
    bool waits_edge;                      /* restored, and its edge has not been heard yet: nothing is sent */
    bool gaps;                            /* restored: what was no row of the journal is not here, nor are its numbers known */
    struct timer expiry;
    struct resumer {                      /* who waits to take it over, until the stanzas that are being worked on are done */
        struct session *s;                /* NULL: nobody */
        uint32_t h;
        const struct resume_words *words;
        void *ctx;
    } resumer;
};
struct past_id { /* a session that could have been resumed and has ended: its count is told (XEP-0198 5) */
    struct link link;
    uint64_t in;
    char *id, *bare;
};
struct smqueues { /* sm->smqueues */
    struct sessman *sm;
    struct link held, over, asleep;       /* heads */
    struct turn end_over;
    struct link past;                     /* head, oldest first */
    size_t n_past, n_asleep;
};

void smqueue_open(struct smqueue *q, struct slice control, uint64_t ticket); /* sets opening, and sends what may be sent */
void smqueue_close(struct smqueue *q);                                       /* nothing is sent any more */
bool smqueue_has_after(const struct smqueue *q, uint64_t h);                 /* everything past h that was sent is here */
uint64_t smqueue_number(const struct smqueue *q, uint32_t h);
bool smqueue_was_sent(const struct smqueue *q, uint64_t h);                  /* h is a number that may be acknowledged */
void smqueue_settle(struct smqueue *q, uint64_t h);                          /* acknowledged up to h */
void smqueue_rewind(struct smqueue *q);                                      /* all that is here is to be sent (again) */

#endif
