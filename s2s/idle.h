/* s2s/idle.h - a stream's one timer: time to negotiate, pauses of the limits, silence (RFC 6120 4.6, XEP-0199) */
#ifndef S2S_IDLE_H
#define S2S_IDLE_H

#include "s2s/wire.h"

void idle_limit(struct wire *w, const struct limit_verdict *v); /* PAUSE, or DISCONNECT */
void idle_tick(struct s2s *d); /* once a second: sockets that take nothing */

#endif
