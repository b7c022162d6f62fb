/* sessman/offline.h - whether a message is kept for somebody who is away: filters, limits, policy (XEP-0160)
 *
 * The counting is the journal's; what counts and what happens over a limit is decided here. */
#ifndef SESSMAN_OFFLINE_H
#define SESSMAN_OFFLINE_H

#include "sessman/account.h"
#include "sessman/dispatch.h"

/* account->offline_limit besides a number */
#define OFFLINE_LIMIT_NONE (-1)  /* the user wants no limit for one sender */
#define OFFLINE_LIMIT_UNSET (-2) /* the user has not set one */

enum offline_fate {
    OFFLINE_KEEP,
    OFFLINE_DROP,    /* in silence: of a kind that is not kept, or over a limit where the policy is to drop */
    OFFLINE_REFUSE,  /* service-unavailable: over a limit, or the domain keeps nothing */
};
/* What is to become of st, which nobody is there to have: kept messages of a's, and how many of them are from the sender's bare JID.
 * Pure. */
enum offline_fate offline_decide(const struct sessman *sm, const struct account *a, const struct stanza *st, uint64_t kept,
                                 uint64_t kept_of_sender);
/* True: keep in->st for in->target. False: it has been dropped or answered, and counted. */
bool offline_admit(struct incoming *in, uint64_t kept, uint64_t kept_of_sender);
/* What offline_admit would say of in->st now, for what is asked in advance (XEP-0079 2.2.2). */
enum offline_fate offline_outlook(const struct incoming *in);
/* A message that was stored comes up for delivery: true when a rule of its own says that its time is over (XEP-0079 9). It is not to be
 * delivered, and its sender has been told what the rule wants. */
bool offline_expired(struct sessman *sm, struct arena *a, struct node *message);
/* Whether it is of a kind that is kept for who is away, whatever the limits: [offline] filter, else journal_qualifies. */
bool offline_wanted(const struct sessman *sm, const struct stanza *st);
/* Messages of one sender kept for a; UINT64_MAX: no limit. */
uint64_t offline_sender_limit(const struct sessman *sm, const struct account *a);
void offline_reconf(struct sessman *sm); /* sm->conf is new; conf.c has checked the filters */
void offline_fini(struct sessman *sm);

#endif
