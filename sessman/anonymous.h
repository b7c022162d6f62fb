/* sessman/anonymous.h - accounts of who does not say who he is (RFC 4505, XEP-0175)
 *
 * A domain may let them in (struct domain, anonymous). Each login makes an account with a name that nobody can guess. It is a row like any
 * other, so that its sessions outlive a restart and are resumed; it goes, with all that it owns, when it has no session (connected, or
 * waiting for its client) and no token that is good any more. A token is how its client comes back to it (XEP-0484): a login as ANONYMOUS
 * would make another one. What such an account may not do is mod/anonymous.c's. */
#ifndef SESSMAN_ANONYMOUS_H
#define SESSMAN_ANONYMOUS_H

#include "common/base/rate.h"
#include "common/xmpp/jid.h"
#include "sessman/sessman.h"

struct account;
struct anonymous;

void anonymous_open(struct sessman *sm); /* sm->anonymous, after the sessions of before are restored: what is left of them goes */
void anonymous_close(struct sessman *sm);
void anonymous_free(struct sessman *sm); /* after the store is closed */
/* A new account of the domain. done: RC_OK, and its address, which lives until it returns; RC_LIMIT: too many there are, or too many of this
 * address of late (limited false: that does not count); RC_NOTFOUND: the domain lets nobody in so. */
void anonymous_create(struct sessman *sm, struct slice domain, struct addr_key from, bool limited,
                      void (*done)(void *ctx, enum rc rc, const struct jid *user), void *ctx);
/* A session of it has ended. */
void anonymous_session_end(struct sessman *sm, const struct account *a);
bool anonymous_allowed(const struct sessman *sm, struct slice domain);
/* Whether who has this account may send to another server, and hear of it. */
bool anonymous_may_leave(const struct sessman *sm, const struct account *a);

#endif
