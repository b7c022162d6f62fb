/* common/xmpp/caps.h - entity capabilities: the verification string (XEP-0115 5.1)  Pure. */
#ifndef XMPP_CAPS_H
#define XMPP_CAPS_H

#include "common/xmpp/node.h"

/* From a disco#info <query/>: base64 of the SHA-1. RC_SYNTAX for what XEP-0115 5.4 calls ill-formed (duplicate identity,
 * feature or FORM_TYPE). */
MUST_USE enum rc caps_ver(struct arena *a, const struct node *query, struct slice *out);

#endif
