/* sessman/announce.h - a message to all users of a domain who are online (XEP-0133 4.23)
 *
 * A headline, so nobody keeps it. It goes out in parts, since neither the loop nor an edge's queue takes it for everybody at once. */
#ifndef SESSMAN_ANNOUNCE_H
#define SESSMAN_ANNOUNCE_H

#include "common/base/slice.h"

struct sessman;
struct announcement {
    struct slice domain, subject, text; /* subject empty: none */
};
/* accounts: how many were online when it began. RC_LIMIT: one is under way. */
MUST_USE enum rc announce_start(struct sessman *sm, const struct announcement *n, size_t *accounts);
void announce_fini(struct sessman *sm);

#endif
