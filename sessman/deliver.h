/* sessman/deliver.h - RFC 6121 8: what happens with a stanza that no module took
 *
 * deliver_decide is pure: addressee's situation × kind × type → action, one table. */
#ifndef SESSMAN_DELIVER_H
#define SESSMAN_DELIVER_H

#include "sessman/dispatch.h"

enum deliver_to { DELIVER_BARE, DELIVER_FULL_MATCH, DELIVER_FULL_NO_MATCH };
enum deliver_situation {
    DELIVER_NO_ACCOUNT,
    DELIVER_NO_RESOURCE,    /* none available */
    DELIVER_ONLY_NEGATIVE,  /* available ones, all with negative priority */
    DELIVER_SOME,           /* at least one available with non-negative priority */
};
enum deliver_action {
    DELIVER_DROP,
    DELIVER_ERROR,          /* service-unavailable to the sender */
    DELIVER_THAT,           /* to the resource addressed */
    DELIVER_BEST,           /* to those with the highest non-negative priority */
    DELIVER_ALL,            /* to all available with non-negative priority */
    DELIVER_EVERY,          /* to every available resource, negative too (presence) */
    DELIVER_STORE,          /* offline storage, or service-unavailable where it does not qualify */
};
enum deliver_action deliver_decide(enum deliver_to to, enum deliver_situation situation, enum stanza_type type);
/* What deliver would do with a stanza for an account, there or not: *match is the resource addressed, if it is bound; *best the highest
 * priority of those that are available, -1: none that is not negative. */
enum deliver_action deliver_plan(const struct incoming *in, struct session **match, int *best);
enum deliver_situation deliver_situation(const struct account *a); /* NULL: no such account */
void deliver(struct incoming *in);

/* Writes n and sends it to one session. False: larger than a frame carries (out.h). */
bool deliver_to_session(struct sessman *sm, uint64_t ticket, const struct session *s, const struct node *n);
/* To all available resources of a (to = each one's full JID), except `but` (may be NULL). */
void deliver_to_all(struct sessman *sm, uint64_t ticket, const struct account *a, const struct node *n,
                    const struct session *but);
/* Roster pushes: to interested resources, each with an id and to. */
void deliver_push(struct sessman *sm, uint64_t ticket, const struct account *a, struct node *iq);

#endif
