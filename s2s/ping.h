/* s2s/ping.h - is the other server still there, where nothing else would say so (XEP-0199 4.2)
 *
 * A stream with stream management is asked by <r/>. One without is sent a ping, from the domain of ours whose stanzas it carries to
 * theirs; whatever answers it, an error too, shows that they are there. On a stream for one way the answer comes on theirs to us. */
#ifndef S2S_PING_H
#define S2S_PING_H

#include "s2s/wire.h"

bool ping_send(struct wire *w);                              /* false: no answer to it could be recognised */
bool ping_take(const struct wire *w, const struct stanza *s); /* what came on w answers a ping of ours: it goes no further */
/* Neither a server's ping nor its answer is anything that a connection is kept for. */
bool ping_is(const struct stanza *s);
bool ping_is_answer(struct slice stanza);

#endif
