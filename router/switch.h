/* router/switch.h - the hot path: frames from their sender to their destination, by the header alone
 *
 * Payload is not copied: pieces of the read buffer are collected per destination and written at the end of
 * the read, one system call each; only what a socket does not take is kept. */
#ifndef ROUTER_SWITCH_H
#define ROUTER_SWITCH_H

#include "router/peer.h"

void switch_input(struct peer *p,
                  struct slice bytes); /* read from p, at the frame level; bytes are changed in place */
/* Who gets what is addressed to this bare JID; NULL: nobody. */
struct peer *switch_resolve(struct router *r, struct slice name);
void switch_drained(struct peer *p); /* p has room again: those that wait for it read on */
void switch_blocked(struct peer *from, struct peer *to); /* after a write: stop reading from, if to is full */
void switch_forget(struct peer *p);                      /* p goes */
/* A control element of ours to p. */
void switch_control(struct peer *p, struct slice element);

#endif
