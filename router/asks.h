/* router/asks.h - what a daemon asks of all daemons is passed on, and each answer goes back
 *
 * So the gateway learns figures of the others though edges may not speak to each other. Who may ask what is a table in asks.c: an
 * edge gets counters, the session manager also what names people. The router answers for itself, first; whoever has not answered after
 * ASKS_MS, or has gone, is reported as failed. At most ASKS_MOST are under way, ASKS_PER_PEER of one daemon, and ASKS_RATE
 * a second of it: more are answered by the router alone, as failed. Of one that does not read its answers nothing is taken. */
#ifndef ROUTER_ASKS_H
#define ROUTER_ASKS_H

#include "common/link/control.h"
#include "router/peer.h"

#define ASKS_MS 3000
enum { ASKS_MOST = 64, ASKS_PER_PEER = 8, ASKS_RATE = 20 };

/* RC_DENIED: it may not ask that; its link is to be closed. */
MUST_USE enum rc asks_take(struct peer *p, const struct control_ask *ask, struct why *why);
/* What has been answered for it, or is of an ask that is over, is dropped. RC_DENIED: it was not asked. */
MUST_USE enum rc asks_told(struct peer *p, const struct control_told *told, struct why *why);
void asks_forget(struct peer *p); /* it has gone: nobody waits for it, and its own are over */
void asks_stop(struct router *r);

#endif
