/* sessman/users.h - accounts as rows: create, change, remove, list; whatever the authentication backend is
 *
 * All asynchronous: PBKDF2 on the work pool, rows through the store; done comes on the loop, once, after the commit. */
#ifndef SESSMAN_USERS_H
#define SESSMAN_USERS_H

#include "common/xmpp/jid.h"
#include "sessman/store/store.h"

struct sessman;
typedef void (*users_done)(void *ctx, enum rc rc, const struct why *why);

/* bare: local@domain of a hosted domain. RC_EXISTS, RC_NOTFOUND (domain), RC_SYNTAX (password empty or not allowed by PRECIS),
 * RC_UNSUPPORTED (the backend creates no accounts). */
void users_create(struct sessman *sm, const struct jid *bare, struct slice password, bool admin, users_done done, void *ctx);
void users_password(struct sessman *sm, const struct jid *bare, struct slice password, users_done done, void *ctx);
/* Removes the account and everything it owns; its sessions must have been closed by the caller. RC_NOTFOUND. */
void users_remove(struct sessman *sm, const struct jid *bare, users_done done, void *ctx);
void users_exists(struct sessman *sm, const struct jid *bare, users_done done, void *ctx); /* RC_OK or RC_NOTFOUND */
/* Names in byte order, after `after`, at most max. */
typedef void (*users_listed)(void *ctx, const struct slice *locals, size_t n);
void users_list(struct sessman *sm, struct slice domain, struct slice after, unsigned max, users_listed done, void *ctx);

/* Without a loop, for bulkheadctl on a stopped installation: PBKDF2 here and now, on a store opened with loop NULL. */
MUST_USE enum rc users_create_now(struct store *store, const struct jid *bare, struct slice password, bool admin,
                                  uint32_t iterations, struct why *why);
MUST_USE enum rc users_password_now(struct store *store, const struct jid *bare, struct slice password,
                                    uint32_t iterations, struct why *why);

#endif
