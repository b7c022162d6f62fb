/* sessman/tail.h - rows of the journal whose entries are not written yet: in memory, by account (journal.h)
 *
 * They are written a part at a time, account after account in ascending order, so that the index grows in few places at once. Pure. */
#ifndef SESSMAN_TAIL_H
#define SESSMAN_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tail;
struct tail *tail_new(void);
void tail_free(struct tail **t);

/* Positions of one account grow, mostly. passing: the row is about to be dropped; its entry waits as long as that is likely. */
void tail_add(struct tail *t, int64_t account, uint64_t pos, int64_t peer, bool passing);
/* The row needs no entry any more. False: it is not here, an entry may have been written. */
bool tail_drop(struct tail *t, int64_t account, uint64_t pos);

typedef void (*tail_fn)(void *ctx, int64_t account, uint64_t pos, int64_t peer);
void tail_flush(struct tail *t, int64_t account, tail_fn fn, void *ctx); /* all of this account, in order */
/* The next part of a pass over all accounts: at most max rows, fewer only at its end; passing ones only before position `old`. Returns
 * false when the pass is over: the next call begins another. */
bool tail_fold(struct tail *t, size_t max, uint64_t old, tail_fn fn, void *ctx);
bool tail_folding(const struct tail *t); /* in the middle of a pass */
bool tail_empty(const struct tail *t);
size_t tail_count(const struct tail *t); /* rows, passing ones apart */
uint64_t tail_low(const struct tail *t); /* the lowest position; 0: none. Looks at every account. */

#endif
