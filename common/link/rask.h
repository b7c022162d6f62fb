/* common/link/rask.h - what was asked of all daemons, and from which routers answers are still to come. For rlink.c
 * only
 *
 * A daemon that several routers have answers to each of them; it counts once, and as failed only where no router
 * has got an answer. Pure but for the timer. */
#ifndef LINK_RASK_H
#define LINK_RASK_H

#include "common/base/list.h"
#include "common/link/rlink.h"

#define RASK_MS 4000 /* more than router/asks.h takes; for a router that is stuck */

struct rask;
struct rasks { /* of one rlink */
    struct loop *loop;
    struct link all; /* struct rask; owns them */
    uint64_t last_id;
};
void rasks_init(struct rasks *all, struct loop *loop);
void rasks_end(struct rasks *all);  /* all are over */
void rasks_fini(struct rasks *all); /* nobody is called any more */
struct rask *rask_new(struct rasks *all, rlink_on_told on_told, void *ctx);
uint64_t rask_id(const struct rask *k);
void rask_sent(struct rask *k, unsigned router); /* its answers are waited for; router: 0 to 31 */
void rask_say(struct rask *k, const struct rlink_told *told);
void rask_begun(struct rask *k); /* it was sent to all there are: it is over where that is none */

void rasks_told(struct rasks *all, unsigned router, const struct control_told *c);
void rasks_down(struct rasks *all, unsigned router); /* no more will come from it */
void rasks_drop(struct rasks *all, const void *ctx);

#endif
