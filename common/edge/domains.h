/* common/edge/domains.h - the hosted domains, as several session managers tell them
 *
 * Each sends its whole list when it comes up and when it changes. A domain stays until the one that told it
 * last leaves it out, or has gone for good and a list of another does not have it: so a restart takes nothing
 * away. Pure. */
#ifndef EDGE_DOMAINS_H
#define EDGE_DOMAINS_H

#include "common/edge/esession.h"

struct domains;
struct domains *domains_new(void);
void domains_free(struct domains **d);
/* node's list. alive(ctx, id): whether a node is still known. */
void domains_take(struct domains *d, uint64_t node, const struct control_domain *list, size_t n,
                  bool (*alive)(void *ctx, uint64_t node), void *ctx);
const struct edge_domain *domains_get(const struct domains *d, struct slice name);
const struct edge_domain *domains_next(const struct domains *d, size_t *at);
size_t domains_count(const struct domains *d);

#endif
