/* router/nodes.h - what the router tells daemons of each other: node-up, node-down; what they tell it: names,
 * and what they ask of all (asks.h) */
#ifndef ROUTER_NODES_H
#define ROUTER_NODES_H

#include "router/peer.h"

void nodes_enter(struct peer *p); /* it is told of all others, and they of it */
void nodes_leave(struct peer *p);
/* A component has bound a name, or has none any more: sessman and s2s are told all names at the end of this turn. */
void nodes_components_changed(struct router *r);
/* A control element addressed to the router. RC_SYNTAX, RC_LIMIT, RC_DENIED: its link is to be closed. */
MUST_USE enum rc nodes_control(struct peer *p, struct slice payload, struct why *why);

#endif
