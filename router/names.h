/* router/names.h - bound names → who has bound them; spreading over several (DESIGN 2)  Pure.
 *
 * Owns the keys; borrows `who`, which must be unbound before it goes. */
#ifndef ROUTER_NAMES_H
#define ROUTER_NAMES_H

#include "common/base/slice.h"

struct names;
struct names *names_new(void);
void names_free(struct names **n);
/* by_hash: the owner of a key is found by rendezvous hash of the instances, once one of them asks for it;
 * else in turns. instance is borrowed until the unbinding. Binding twice is once. */
void names_bind(struct names *n, struct slice name, void *who, struct slice instance, bool by_hash);
void names_unbind(struct names *n, struct slice name, const void *who);
/* key: the bare JID addressed. NULL: nobody has bound name. */
void *names_pick(struct names *n, struct slice name, struct slice key);
size_t names_bound(const struct names *n, struct slice name); /* by how many */

#endif
