/* sessman/retention.h - what the journal keeps no longer: by age and by size of a domain's archive, and of accounts that are gone
 *
 * A part at a time, and the next one a while after the one before was committed, so that messages go on in between. Rows go when nobody
 * keeps them any more: what one side's domain keeps stays for that side alone. For the size, nothing goes that is not delivered yet. */
#ifndef SESSMAN_RETENTION_H
#define SESSMAN_RETENTION_H

#include "common/base/slice.h"

struct sessman;
struct retention;

void retention_open(struct sessman *sm); /* once the domains are known */
void retention_close(struct sessman *sm); /* nothing more begins; what the store still answers is heard */
void retention_free(struct sessman *sm);
/* Something may have to go sooner than the next look: an account was deleted, a domain's limits have changed. */
void retention_kick(struct sessman *sm);
/* So many bytes more are in this domain's archive; sm->archive_counted says whether anybody wants to know. */
void retention_added(struct sessman *sm, struct slice domain, size_t bytes);

#endif
