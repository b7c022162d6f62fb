/* common/tools/admin.h - bulkheadctl's way to the running server: ad-hoc commands through the router (XEP-0050)
 *
 * bulkheadctl logs in at the router of bulkheadctl.conf as the component [router] name, whose role there is admin, and sends
 * commands to a hosted domain. Blocking, with a time limit for each answer. */
#ifndef TOOLS_ADMIN_H
#define TOOLS_ADMIN_H

#include "common/tools/tool.h"
#include "common/xmpp/form.h"

struct admin;
/* RC_CLOSED: nobody listens there. RC_NOTFOUND: no bulkheadctl.conf. Others: why. */
MUST_USE enum rc admin_open(struct tool *t, struct admin **out, struct why *why);
void admin_close(struct admin **ad);
struct node *admin_form(struct tool *t); /* an empty <x type='submit'/>: add fields */
/* Runs a command of one step; *out is its result <x/> in the arena, or NULL if it had none. RC_DENIED: the server refused, why is its
 * text. RC_NOTFOUND: nobody serves this domain, or no such thing. RC_TIMEOUT, RC_CLOSED. */
MUST_USE enum rc admin_run(struct admin *ad, struct slice domain, const char *command, struct node *form, struct node **out,
                           struct why *why);

#endif
