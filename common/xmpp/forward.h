/* common/xmpp/forward.h - a stanza inside another (XEP-0297)  Pure. */
#ifndef XMPP_FORWARD_H
#define XMPP_FORWARD_H

#include "common/xmpp/node.h"

#define FORWARD_NO_DELAY (-1)
/* Appends <forwarded/> with stanza, which must have no parent, in it; with a <delay/> (2.2: when the stanza was received) before it unless
 * wall_ms is FORWARD_NO_DELAY. stanza keeps its namespace. Returns the <forwarded/>. */
struct node *forward_add(struct arena *a, struct node *parent, int64_t wall_ms, struct node *stanza);

#endif
