/* sessman/outbox.h - stanzas for other servers: a row each, until an s2s reports that it has gone (DESIGN 2, 5)
 *
 * A row is committed before the stanza is given to an s2s, and before its sender is told anything. Which s2s: by the other server's
 * domain, so what one sender has for one address stays in order. An s2s that is lost: what it has not reported goes to another one, or to the
 * one that comes; so over the death of an s2s a stanza may reach its server twice, and never not at all. What no s2s takes for
 * [remote] wait comes back to its sender (remote-server-timeout). More than [remote] queue rows: what is new comes back at once.
 *
 * What cannot be given at once (no s2s, a full channel, a restart) stays in the store alone and is read again, in order; until that
 * has been caught up with, what is new goes behind it. */
#ifndef SESSMAN_OUTBOX_H
#define SESSMAN_OUTBOX_H

#include "common/link/control.h"
#include "sessman/edges.h"

/* Asks the store what there is; after numbers and nodes are known nothing more is needed. */
void outbox_open(struct sessman *sm);
void outbox_stop(struct sessman *sm); /* the link is closed */
void outbox_free(struct outbox **o);

/* name (a bare JID or domain, not hosted here) is another server's, and there is an s2s, or was one a moment ago. False: it is a
 * component's, or nobody's that we know: the router decides. */
bool outbox_takes(const struct sessman *sm, struct slice name);
void outbox_put(struct sessman *sm, struct slice name, struct slice stanza);
uint64_t outbox_rows(const struct sessman *sm);   /* how many were ever put: whether a handler has put some */
uint64_t outbox_ticket(const struct sessman *sm); /* of the last one */

void outbox_committed(struct sessman *sm);
void outbox_go_on(struct sessman *sm);            /* an s2s has room again */
void outbox_node_up(struct sessman *sm);          /* there is one more s2s, or it is in reach again */
void outbox_node_lost(struct edge *e);            /* of any edge: nothing happens to those that are no s2s */
void outbox_sent(struct edge *e, const struct control_run *runs, size_t n);

#endif
