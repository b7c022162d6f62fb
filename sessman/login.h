/* sessman/login.h - what only a session that is not bound needs: shared by session.c and authinline.c, nobody else includes it */
#ifndef SESSMAN_LOGIN_H
#define SESSMAN_LOGIN_H

#include "sessman/auth.h"
#include "sessman/session.h"

struct authinline;
struct login {
    struct session *s;
    struct sessman *sm;
    struct auth *auth;
    char *domain, *ip;
    bool api;                 /* control_open.api */
    char *user;               /* bare JID, once authenticated */
    struct binding *binding;  /* the account is being loaded */
    struct authinline *asked; /* SASL2: what goes with the attempt that is under way; NULL: SASL, or answered */
};
/* The user is authenticated: remembered, counted, logged. */
void login_succeeded(struct login *l, const struct jid *user);
/* Loads the account and binds: authinline_make_room, authinline_bound or authinline_refused follow. */
void login_bind(struct login *l, struct slice resource);
/* Tells the edge that the attempt is over, and forgets what went with it. */
void login_fail(struct login *l, enum sasl_fail cond, const char *text);

#endif
