/* common/edge/inside.h - what edge.c and esession.c share; nobody else includes it */
#ifndef EDGE_INSIDE_H
#define EDGE_INSIDE_H

#include "common/edge/domains.h"
#include "common/edge/esession.h"
#include "common/net/loop.h"

struct edge {
    struct edge_conf conf;
    struct rlink *link;
    struct idmap *sessions;  /* struct esession by id; the daemon's */
    struct domains *domains;
    uint64_t last_id;
    uint64_t *waiting;       /* ids of sessions that wait for room; owned */
    size_t n_waiting, cap_waiting;
    struct link taken;       /* head: struct peer whose frames of this turn are not acknowledged yet */
    struct turn flushed;     /* the sockets have been offered what was in them: now they are */
    struct link sm_turns;    /* head: struct esession_sm that have something to say at the end of this turn */
    struct link sm_waiting;  /* head: those whose <r/> is not answered, as they began to wait */
    struct turn sm_turn;
    struct timer sm_clock;
    struct buf scratch;      /* one control element, or one fan-out address */
    uint64_t strays;
};

void esession_forget(struct edge *e, struct esession *s); /* no id any more; says nothing to anybody */
void esession_jid_set(struct esession *s, const struct jid *full);
/* esm.c */
void esm_init(struct edge *e);
void esm_fini(struct edge *e);
void esm_free(struct esession *s);
void esm_enabled(struct esession *s);
void esm_begin(struct edge *e, struct esession *s, uint32_t in, uint32_t out); /* enabled, with these counts */
void esm_wrote(struct edge *e, struct esession *s); /* s->sm is there: a stanza was written to the client */
void esm_acked(struct edge *e, const struct rnode *node);

#endif
