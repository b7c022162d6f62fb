/* sessman/journal.h - the append-only journal of stanzas and its cursors (DESIGN 4; XEP-0160, XEP-0203)
 *
 * Today one cursor: delivered. What an account could not be given is appended; when a resource becomes available what lies past the
 * cursor is delivered in pages, and the cursor moves when the edge has acknowledged a page, never before. While that goes on
 * new messages are appended behind, so order holds. */
#ifndef SESSMAN_JOURNAL_H
#define SESSMAN_JOURNAL_H

#include "sessman/dispatch.h"

struct edge;
/* For in->target, which has no resource that could take it: appended, or answered with service-unavailable when it does not
 * qualify or the account's limit is reached. */
void journal_store(struct incoming *in);
bool journal_qualifies(const struct stanza *st); /* pure: XEP-0160 3, XEP-0334 no-store */
bool journal_replaying(const struct account *a);
/* s is available with non-negative priority: deliver what lies past the cursor, if anything. */
void journal_replay(struct sessman *sm, struct session *s);
void journal_session_end(struct sessman *sm, struct session *s);
void journal_acked(struct sessman *sm, struct edge *e); /* the edge has acknowledged more */

#endif
