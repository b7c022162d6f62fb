/* httpgw/boshpeer.h - BOSH between the processes of one host (DESIGN 6): a request goes to the one that has its session
 *
 * Several httpgw share their ports, and the kernel gives each connection to any of them; a BOSH session has two at least. So a sid says
 * which of them has made it, with a code by the router's secret, which they share. A request that came to another one is handed to it
 * over the unix socket DIR/run/INSTANCE.bosh, and its answer comes back the same way. Who dies takes its sessions with it: what is
 * handed to it then is answered with item-not-found. */
#ifndef HTTPGW_BOSHPEER_H
#define HTTPGW_BOSHPEER_H

#include "httpgw/boshin.h"

struct boshpeers *boshpeers_new(struct bosh_all *all);
void boshpeers_free(struct boshpeers **p); /* after the loop has ended */
MUST_USE enum rc boshpeers_open(struct boshpeers *p, struct why *why); /* takes what the others hand over */
void boshpeers_stop(struct boshpeers *p);

/* A sid made of token, in the arena; without the host's name. */
struct slice boshpeer_sid(const struct boshpeers *p, struct arena *a, struct slice token);
/* The process of this host that has made it; 0: this one, or none, or nobody knows. */
unsigned boshpeer_of(const struct boshpeers *p, struct slice sid);

/* --- this process has the request, another one the session --- */
/* Hands it over, and answers it when the answer is there. */
void boshpeer_send(struct boshpeers *p, struct bosh_request *q, unsigned instance, struct slice body);
void boshpeer_cancel(struct boshrelay *r); /* its client is gone */

/* --- and the other way round --- */
void boshpeer_answer(struct boshserved *s, struct slice body); /* once */
void boshpeer_peer(const struct boshserved *s, struct conn_peer *out); /* the client */
bool boshpeer_secure(const struct boshserved *s);

#endif
