/* sessman/removal.h - the end of an account: rows, sessions, and what its contacts are told (XEP-0077 3.2) */
#ifndef SESSMAN_REMOVAL_H
#define SESSMAN_REMOVAL_H

#include "sessman/users.h"

/* Removes it with all that it owns. done comes first (so an answer still reaches its sessions), then the sessions are closed with
 * not-authorized and the contacts get unsubscribe and unsubscribed. Errors of users_remove; then nothing has happened. */
void account_remove(struct sessman *sm, const struct jid *bare, users_done done, void *ctx);

#endif
