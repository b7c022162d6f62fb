/* sessman/rosterpush.h - roster items as XML, and roster pushes (RFC 6121 2.1, 2.1.6) */
#ifndef SESSMAN_ROSTERPUSH_H
#define SESSMAN_ROSTERPUSH_H

#include "sessman/account.h"

/* Adds <item/> to query; the item's bytes are borrowed. */
void roster_item_write(struct arena *a, struct node *query, const struct roster_item *item);
/* Tells the account's interested resources how the item stands now (gone: subscription='remove'). */
void roster_push(struct sessman *sm, uint64_t ticket, const struct account *acc, struct slice jid);

#endif
