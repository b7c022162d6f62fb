/* sessman/authinline.h - what a client asks for together with its login: a resource, a token (XEP-0388 2.3, XEP-0386, XEP-0484)
 *
 * Lives from `authenticate` to its answer. Nothing of it is looked at before the login has succeeded, and it is answered as a whole: what was
 * asked for and was not possible makes the login fail, but for tokens, which are left out. */
#ifndef SESSMAN_AUTHINLINE_H
#define SESSMAN_AUTHINLINE_H

#include "sessman/login.h"

/* n: the control element; copied. NULL: it is malformed. */
struct authinline *authinline_new(struct login *l, const struct node *n);
void authinline_free(struct authinline **i); /* at any time */
const struct control_authenticate *authinline_request(const struct authinline *i);
/* The login has succeeded. user and data are copied. i may be gone after this and each of those below. */
void authinline_go(struct authinline *i, const struct jid *user, bool has_data, struct slice data);
/* The account is loaded: ends what this binding takes the place of. */
void authinline_make_room(struct authinline *i, struct account *a);
void authinline_bound(struct authinline *i);
void authinline_refused(struct authinline *i, enum stanza_cond cond, const char *text);

#endif
