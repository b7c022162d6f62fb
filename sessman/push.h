/* sessman/push.h - push notifications (XEP-0357): services that an account has registered, and what they are told
 *
 * A service is told of messages for a client that is not connected: the one that registered it, known by its resource (so also after a
 * restart). A session that waits for its client to resume (XEP-0198) is not connected; an inactive one (XEP-0352) is. At most one
 * notification an interval ([push] interval) and account: what comes meanwhile is in the next one, which says how many there are.
 * A service that refuses is removed, one that is not there after so many errors in a row ([push] errors).
 *
 * An account without services owns nothing here (account->push is NULL). It stays in memory while an interval runs. */
#ifndef SESSMAN_PUSH_H
#define SESSMAN_PUSH_H

#include "sessman/dispatch.h"

struct push;     /* of an account */
struct push_all; /* of the process: what was sent and not answered */
#define PUSH_NODE_MAX    1023 /* bytes */
#define PUSH_OPTIONS_MAX 4096 /* bytes of the form, as XML */
#define PUSH_BODY_MAX    1000 /* bytes of a message's text that are passed on */
enum push_summary { PUSH_COUNT, PUSH_SENDER, PUSH_BODY }; /* [push] summary: each with what stands before it */

struct push_service {
    struct slice jid, node; /* node empty: none */
    struct slice options;   /* <x/> as canonical XML, or empty */
};
/* Pure: a message that a person would want to be told of, not a receipt or a chat state. */
bool push_worthy(const struct stanza *st);

void push_load(struct sessman *sm, struct account *a, const struct store_result *rows); /* of STMT_PUSH_ALL */
void push_free(struct push **p);
/* Adds or replaces. RC_LIMIT: the account has as many as it may. */
MUST_USE enum rc push_enable(struct sessman *sm, struct account *a, const struct push_service *service, struct slice resource,
                             uint64_t *ticket);
/* node NULL: all of that address. How many there were. */
size_t push_disable(struct sessman *sm, struct account *a, struct slice jid, const struct slice *node, uint64_t *ticket);
/* A message to in->target has been dealt with; match: it was for this resource, or NULL. */
void push_message(struct incoming *in, const struct session *match);
void push_subscription(struct sessman *sm, struct account *a); /* somebody wants to see its presence */
bool push_answer(struct incoming *in); /* an iq result or error to a domain. False: none of ours */
void push_fini(struct sessman *sm); /* at the end: nothing more is sent */

#endif
