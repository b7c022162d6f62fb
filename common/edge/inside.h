/* common/edge/inside.h - what edge.c and esession.c share; nobody else includes it */
#ifndef EDGE_INSIDE_H
#define EDGE_INSIDE_H

#include "common/edge/domains.h"
#include "common/edge/esession.h"

struct edge {
    struct edge_conf conf;
    struct rlink *link;
    struct idmap *sessions;  /* struct esession by id; the daemon's */
    struct domains *domains;
    uint64_t last_id;
    uint64_t *waiting;       /* ids of sessions that wait for room; owned */
    size_t n_waiting, cap_waiting;
    struct buf scratch;      /* one control element, or one fan-out address */
    uint64_t strays;
};

void esession_forget(struct edge *e, struct esession *s); /* no id any more; says nothing to anybody */
void esession_jid_set(struct esession *s, const struct jid *full);

#endif
