/* router/unsent.h - stanzas that a component's socket has not taken yet: when its connection dies they go to another
 * instance of the name, or back as errors, and do not vanish (DESIGN 2)
 *
 * The list is what was written last, oldest first; empty whenever nothing waits, which is nearly always. What the kernel
 * has taken is out of our hands. Not kept for connections under TLS, where what waits is cipher text. Pure. */
#ifndef ROUTER_UNSENT_H
#define ROUTER_UNSENT_H

#include "common/base/list.h"
#include "common/base/slice.h"

struct unsent {
    struct link items; /* struct item; the oldest first */
    size_t bytes;      /* of all items */
};
void unsent_init(struct unsent *u);
void unsent_fini(struct unsent *u);
/* These were just written, in this order; `waiting` bytes of the stream have not been taken after that. Items that have been
 * taken are forgotten. refused: the connection broke in this very write, nothing of it was taken. keep false: bytes that
 * nobody misses (answers to the component itself). */
void unsent_wrote(struct unsent *u, const struct slice *stanzas, size_t n, size_t waiting, bool refused, bool keep);
/* The connection is gone and had not taken its last `left` bytes: calls each for every stanza that was not taken whole, oldest
 * first, and forgets all. */
void unsent_left(struct unsent *u, size_t left, void (*each)(void *ctx, struct slice stanza), void *ctx);

#endif
