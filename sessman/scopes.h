/* sessman/scopes.h - what a token of the HTTP API is good for: words, separated by one space
 *
 *   commands        every command that its owner may run
 *   commands:read   those of them that change nothing
 *   command:NODE    that one
 *   message         messages may be sent
 *
 * They only ever take away from what the owner may. Whatever they say, a token makes no other token and no administrator, and changes no
 * administrator's password: a login that outlives it cannot be made of one that was stolen. Pure. */
#ifndef SESSMAN_SCOPES_H
#define SESSMAN_SCOPES_H

#include "common/base/slice.h"

#define SCOPES_ALL "commands message" /* of who has given a password */
#define SCOPE_COMMAND "command:"
#define SCOPES_MAX 4096 /* bytes */

bool scope_ok(struct slice word); /* one of the four forms; NODE is not looked up */
/* Those in front of the first word that is none are good, so what is not understood gives nothing. */
bool scopes_run(struct slice scopes, struct slice node, bool changes);
bool scopes_see_commands(struct slice scopes); /* some command may be run */
bool scopes_message(struct slice scopes);

#endif
