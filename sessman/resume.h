/* sessman/resume.h - sessions without a connection, and their way back (XEP-0198 5)
 *
 * A session that may be resumed and has lost its connection hibernates: it stays in its account's list with its presence, edge is NULL,
 * what comes for it is queued (smqueue.h). It ends when its time is over, or is taken over by a new connection of the same account, on
 * any edge. */
#ifndef SESSMAN_RESUME_H
#define SESSMAN_RESUME_H

#include "sessman/session.h"

/* Its connection or its edge is lost. False: it may not be resumed; the caller ends it. True: it hibernates, is in no edge's table any
 * more and holds nothing of the edge. detached_ms: since when, wall clock; 0: now. */
bool resume_hibernate(struct sessman *sm, struct session *s, int64_t detached_ms);
bool resume_hibernates(const struct session *s);
int64_t resume_detached_ms(const struct session *s); /* wall clock; 0: it has a connection */
/* <resume/> of a session that is authenticated and not bound. */
void resume_start(struct sessman *sm, struct session *s, const struct control_resume *c);
/* The same for who has his own words for it (XEP-0198 9.2). One of them is called, perhaps later, unless s ends before. */
struct resume_words {
    /* Writes the control element that tells the edge; s is no more after it. */
    void (*resumed)(void *ctx, const struct control_resumed *c, struct buf *out);
    void (*failed)(void *ctx, const struct control_resume_failed *c); /* s may be bound */
};
void resume_start_inline(struct sessman *sm, struct session *s, const struct control_resume *c,
                         const struct resume_words *words, void *ctx);
/* The last of the stanzas that were being worked on is done: a resumption that waited for it goes on. */
void resume_go_on(struct sessman *sm, struct session *s);
/* s ends: as one that may be resumed, or as one that wants to resume another. */
void resume_session_end(struct sessman *sm, struct session *s);
void resume_fini(struct sessman *sm); /* at the end of the process: frees those that hibernate, without a word to anybody */

#endif
