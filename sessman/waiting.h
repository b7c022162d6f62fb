/* sessman/waiting.h - messages that wait for somebody, for who retrieves them himself (XEP-0013)
 *
 * While a session of the account does (waiting_park), nothing that waits is sent by itself, and what is new goes to whoever is there. What
 * is read stays where it is until it is dropped. */
#ifndef SESSMAN_WAITING_H
#define SESSMAN_WAITING_H

#include "sessman/journal.h"

struct session;
/* s retrieves by itself from now on, until it ends (waiting_unpark): then another resource that is there has the rest sent. */
void waiting_park(struct sessman *sm, struct session *s);
void waiting_unpark(struct sessman *sm, struct session *s);

/* rows: pos, at_ms, flags, owner_peer and stanza are set; borrowed until fn returns. next: where to go on; 0: that was all. */
typedef void (*waiting_fn)(void *ctx, const struct journal_row *rows, size_t n, uint64_t next);
/* The rows of a that wait, from position `from` on, about max at a time. fn is called once, later; a must be referenced until then. */
void waiting_rows(struct sessman *sm, struct account *a, uint64_t from, size_t max, waiting_fn fn, void *ctx);
/* The same for one row: n is 1 or 0. */
void waiting_row(struct sessman *sm, struct account *a, uint64_t pos, waiting_fn fn, void *ctx);
/* It waits no longer; in an archive it stays. Returns the ticket. A row that does not wait any more is left alone. */
uint64_t waiting_drop(struct sessman *sm, struct account *a, const struct journal_row *row);

#endif
