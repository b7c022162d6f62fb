/* sessman/bindstate.h - what Bind 2 looks after before a resource is bound: the archive (XEP-0386 3.2)
 *
 * A client that binds so fetches from the archive what it has missed. So it is told where the archive begins and ends, and messages that
 * wait for the account and stand in its archive wait no longer; those that no archive keeps do, and are delivered as ever. */
#ifndef SESSMAN_BINDSTATE_H
#define SESSMAN_BINDSTATE_H

#include "sessman/account.h"

/* done is called once, at once or later; metadata: <metadata xmlns='urn:xmpp:mam:2'/>, canonical, borrowed; empty: no archive, or it
 * cannot be read now. The account is kept in memory until then. */
void bindstate_start(struct sessman *sm, struct account *a, void (*done)(void *ctx, struct slice metadata), void *ctx);

#endif
