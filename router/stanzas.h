/* router/stanzas.h - stanzas of components at level 1 and 2: addresses checked, written canonically, routed
 * by name
 *
 * Looks at nothing below the top element. */
#ifndef ROUTER_STANZAS_H
#define ROUTER_STANZAS_H

#include "router/peer.h"

/* A stanza, canonical, that its addressee's connection did not live to take: to another peer of the name, or back as an
 * error. ctx: the router. */
void stanzas_again(void *ctx, struct slice stanza);
bool stanzas_element(struct peer *p, struct arena *a, struct node *n); /* false: p is closing */

#endif
