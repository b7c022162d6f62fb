/* router/auth.h - SASL for components and daemons: SCRAM with their secret, EXTERNAL by certificate (XEP-0225
 * 3)
 *
 * Keys are derived from the secrets on a worker, once per secret and hash. */
#ifndef ROUTER_AUTH_H
#define ROUTER_AUTH_H

#include "router/peer.h"

void auth_mechanisms(struct peer *p, struct buf *out); /* <mechanisms/> for the features */
/* auth, response, abort; each answers. False: p is closing, or reading is paused for the keys. */
bool auth_element(struct peer *p, struct arena *a, const struct node *n);
void auth_drop(struct peer *p);       /* forgets an exchange */
bool auth_plus(const struct peer *p); /* -PLUS is offered on this stream */
void auth_cache_free(struct router *r);
/* XEP-0114's handshake, right or wrong. */
bool auth_digest_ok(struct peer *p, struct arena *a, struct slice digest, struct slice name);

#endif
