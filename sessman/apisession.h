/* sessman/apisession.h - sessions of the HTTP API: requests of scripts and programs, not clients
 *
 * The edge says so when it opens one (control_open.api). It logs in with PLAIN or with a token (OAUTHBEARER, which no other session may use),
 * binds a resource that is made here, and may then run commands, ask which there are, and send messages, within its scopes
 * (scopes.h): apisession_admits is the one place where that is decided, adhoc_may for each command. Nothing else is taken from it; it
 * gets what is sent to it and nothing more. It never has stream management, is not restored after a restart, gives no tokens that log
 * in to something else, and puts no other session out of its place.
 *
 * What ends its token, or its owner's password, ends what it may: all such sessions have to come again then (sessman.api_epoch). */
#ifndef SESSMAN_APISESSION_H
#define SESSMAN_APISESSION_H

#include "sessman/dispatch.h"

#define APISESSIONS_MAX 20 /* of one account; they do not count in [limits] sessions_per_account */

struct auth_grant {      /* with what somebody has logged in to the API */
    int64_t token;       /* its id; 0: a password */
    struct slice scopes;
    int64_t expires_ms;  /* wall clock; 0: never */
    uint64_t epoch;      /* sessman.api_epoch when that was looked at */
};
struct apisession {
    struct auth_grant grant; /* scopes is owned */
};
struct apisession *apisession_new(const struct auth_grant *g);
void apisession_free(struct apisession **a);
/* A stanza of such a session, bound, with in->to decided. False: it was answered. */
bool apisession_admits(struct incoming *in);

#endif
