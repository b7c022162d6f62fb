/* sessman/out.h - what leaves sessman: to sessions, to many sessions, by name; each after the commit that it speaks of
 *
 * ticket 0 or already committed: at once. Otherwise it waits, in order, and costs a copy. */
#ifndef SESSMAN_OUT_H
#define SESSMAN_OUT_H

#include "sessman/session.h"

struct out *out_new(void);
void out_free(struct out **o);
void out_stop(struct sessman *sm); /* the link is closed: forgets what waits for it */
/* False: the stanza is larger than a frame carries (FRAME_STANZA_MAX); it was dropped, counted and logged. */
bool out_session(struct sessman *sm, uint64_t ticket, const struct session *s, struct slice stanza);
/* A message with a row, which the caller has made outstanding (journal.h): it is settled, or unsettled, once it is known what became of
 * it. held_n: the row says that this session holds it under this number (smqueue.h); 0: it does not. The one way on which a row's copies leave. False: as out_session, and nothing more is heard of it. */
bool out_message(struct sessman *sm, uint64_t ticket, struct session *s, uint64_t pos, uint64_t held_n,
                 struct slice stanza);
/* The same of one that has no row (fast.h): now. origin: frame.h. */
void out_at_once(struct sessman *sm, struct session *s, uint64_t pos, uint64_t origin, struct slice stanza);
void out_control(struct sessman *sm, uint64_t ticket, const struct session *s, struct slice element);
/* The same stanza to several sessions (any edges), `to` filled in by the edges at to_at. */
void out_fanout(struct sessman *sm, uint64_t ticket, struct session *const *sessions, size_t n, struct slice stanza,
                size_t to_at);
/* To another domain: a component, another server. False: as out_session. */
bool out_name(struct sessman *sm, uint64_t ticket, struct slice name, struct slice stanza);
uint64_t out_held_ticket(const struct sessman *sm);         /* the highest that something waits for here; 0: nothing does */
void out_committed(struct sessman *sm);                     /* the store has committed more */
void out_session_gone(struct sessman *sm, const struct session *s); /* it ends: its messages that wait here are unsettled */
void out_forget(struct sessman *sm, const struct edge *e);  /* the edge is lost: nothing more for it */

#endif
