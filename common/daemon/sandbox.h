/* common/daemon/sandbox.h - what a daemon gives up before it serves: identity, privileges, core dumps */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include "common/base/slice.h"

/* Raises the soft limit of open files to the hard one; core dumps as said. What the system refuses is left as it is. */
void sandbox_limits(bool core);
/* Looks the user up. RC_NOTFOUND. */
MUST_USE enum rc sandbox_user(const char *user, uint32_t *uid, uint32_t *gid, struct why *why);
/* As root: becomes the user for good. As anybody else: RC_OK if we are that user, else RC_DENIED. */
MUST_USE enum rc sandbox_become(const char *user, struct why *why);
MUST_USE enum rc sandbox_no_new_privs(struct why *why);

#endif
