/* sessman/presence.h - presence of local accounts: who is told what (RFC 6121 4)
 *
 * The engine that mod/presence.c and mod/subscription.c share. Contacts here are told through fan-out frames, contacts elsewhere by
 * name. */
#ifndef SESSMAN_PRESENCE_H
#define SESSMAN_PRESENCE_H

#include "sessman/dispatch.h"

struct roster_item;
/* A session's presence has changed to n (available or unavailable, from stamped, no `to`): to all who may see it and to the account's
 * own resources. */
void presence_broadcast(struct sessman *sm, uint64_t ticket, struct session *s, struct node *n);
/* What s should see on becoming available: presence of contacts and of its own other resources (RFC 6121 4.2.2, 4.3). */
void presence_probe_all(struct sessman *sm, uint64_t ticket, struct session *s);
/* The same to who may have missed what changed: of local contacts that are not there it is told, too. */
void presence_tell_all(struct sessman *sm, uint64_t ticket, struct session *s);
/* The available presence of each of acc's resources, to a bare or full JID (an answered probe, a new subscription). */
void presence_show(struct sessman *sm, uint64_t ticket, const struct account *acc, const struct jid *to);
/* The opposite: unavailable from each of acc's available resources. */
void presence_hide(struct sessman *sm, uint64_t ticket, const struct account *acc, const struct jid *to);
/* An unavailable presence of s, in a. */
struct node *presence_unavailable(struct arena *a, const struct session *s);

#endif
