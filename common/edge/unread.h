/* common/edge/unread.h - stanzas of the journal that a client's socket has not taken (DESIGN 2)
 *
 * Without stream management what the socket took counts as delivered. What it had not taken when the connection ended goes back to the
 * session manager, which gives it to another resource or keeps it for the next login. What it takes later than at once is told, too, within
 * a second. Exists while something waits, and up to a second longer. */
#ifndef EDGE_UNREAD_H
#define EDGE_UNREAD_H

#include "common/edge/clients.h"

struct client;
struct unread;
/* A stanza with this mark has just been written. */
void unread_add(struct client *c, uint64_t mark);
/* The sockets have been offered all: of what they have not taken the session manager is told (edge_ops.on_flushed; owner: struct clients). */
void unread_flushed(void *owner);
/* The connection has ended: what was not taken goes back. */
void unread_return(struct client *c);
void unread_tick(struct clients *d); /* once a second: what was taken is told, and forgotten */
/* What the session manager `node` has been told of, and not what has become of it (edge_ops.each_unread; owner: struct clients). */
void unread_each(void *owner, uint64_t node, void (*take)(void *ctx, struct control_mark mark), void *ctx);

#endif
