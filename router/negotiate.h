/* router/negotiate.h - from the first byte to an open stream: XEP-0114, XEP-0225, and the way up to frames */
#ifndef ROUTER_NEGOTIATE_H
#define ROUTER_NEGOTIATE_H

#include "router/peer.h"

/* Both return whether more of the bytes may be taken. */
bool negotiate_header(struct peer *p, struct arena *a, const struct node *header);
bool negotiate_element(struct peer *p, struct arena *a, struct node *n);
void negotiate_secure(struct peer *p); /* TLS is up */

#endif
