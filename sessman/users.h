/* sessman/users.h - accounts as rows: create, change, remove, list; whatever the authentication backend is
 *
 * All asynchronous: PBKDF2 on the work pool, rows through the store; done comes on the loop, once, after the commit. */
#ifndef SESSMAN_USERS_H
#define SESSMAN_USERS_H

#include "common/xmpp/jid.h"
#include "common/xmpp/sasl.h"
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
/* A user whom the backend let in has a row from now on: for backends that are not the store. */
void users_ensure(struct sessman *sm, const struct jid *bare, users_done done, void *ctx);
enum users_which { USERS_ALL, USERS_DISABLED, USERS_ADMINS };
/* Names in byte order, after `after`, at most max. */
typedef void (*users_listed)(void *ctx, const struct slice *locals, size_t n);
void users_list(struct sessman *sm, enum users_which which, struct slice domain, struct slice after, unsigned max, users_listed done,
                void *ctx);
/* How many accounts a domain has; not of administrators. */
void users_count(struct sessman *sm, enum users_which which, struct slice domain, void (*done)(void *ctx, uint64_t n), void *ctx);
/* Its row; what is in memory of it, and its sessions, are the caller's work. RC_NOTFOUND. */
void users_disable(struct sessman *sm, const struct jid *bare, bool disabled, users_done done, void *ctx);
void users_make_admin(struct sessman *sm, const struct jid *bare, bool admin, users_done done, void *ctx);

/* --- users_now.c: what needs neither a loop nor a struct sessman --- */

/* Prepares password and derives the keys of every hash, with fresh salts. RC_SYNTAX: empty, or not a password by RFC 8265; RC_LIMIT:
 * over 1023 bytes. Tens of milliseconds of CPU. */
MUST_USE enum rc users_derive(struct slice password, uint32_t iterations, struct scram_keys keys[SCRAM_HASHES], struct why *why);
/* The rows, and no token is good any more; done gets the result of the last: changes is 0 where there is no such account. */
uint64_t users_store_keys(struct store *store, struct slice domain, struct slice local,
                          const struct scram_keys keys[SCRAM_HASHES], store_done done, void *ctx);
/* Without a loop, for bulkheadctl on a stopped installation: PBKDF2 here and now, on a store opened with loop NULL. */
MUST_USE enum rc users_create_now(struct store *store, const struct jid *bare, struct slice password, bool admin,
                                  uint32_t iterations, struct why *why);
MUST_USE enum rc users_password_now(struct store *store, const struct jid *bare, struct slice password,
                                    uint32_t iterations, struct why *why);
MUST_USE enum rc users_remove_now(struct store *store, const struct jid *bare, struct why *why);
/* Names in byte order; domain need not be hosted. */
void users_list_now(struct store *store, struct slice domain, void (*each)(void *ctx, struct slice local), void *ctx);

#endif
