/* sessman/carbons.h - message carbons (XEP-0280): which messages are copied, and the copies
 *
 * A copy goes to every resource that enabled carbons and neither sent nor got the original, whatever its presence: it asked for them.
 * Copies are made when the original has been dealt with, so they wait for its commit and carry the same <stanza-id/>; they are not
 * journaled themselves (the archive has the original). What was refused was not sent: no copies. Nor are there any of a message that the
 * account sent itself twice: to its other resources it is `sent`.
 *
 * An error is copied when the message that it answers was (6.1, rule 4): each account with carbons remembers the last CARBONS_TRAIL. */
#ifndef SESSMAN_CARBONS_H
#define SESSMAN_CARBONS_H

#include "sessman/dispatch.h"

struct carbons_trail; /* of an account: hashes of addresses and ids of messages that were copied */
#define CARBONS_TRAIL 32
enum carbons_dir { CARBONS_SENT, CARBONS_RECEIVED };
/* Pure: XEP-0280 6.1 except for errors, which are never eligible here. */
bool carbons_eligible(const struct stanza *st, enum carbons_dir dir);
/* Pure: takes <sent/> and <received/> out of a message; true if there was one (12: nobody but an account's own server makes them). */
bool carbons_strip(struct node *message);

/* The session takes part from now on, or no longer. */
void carbons_enable(struct sessman *sm, struct session *s, bool on);
/* A message to in->target has been dealt with: `match` (may be NULL) and its available resources of at least priority `least` got it. */
void carbons_received(struct incoming *in, const struct session *match, int least);
/* A message from a session has been dealt with, whoever it was for. */
void carbons_sent(struct incoming *in);
void carbons_trail_free(struct carbons_trail **t);

#endif
