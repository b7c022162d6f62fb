/* sessman/journal.h - one row a message, and what of it has been delivered (DESIGN 4; XEP-0160, XEP-0203, XEP-0359)
 *
 * Every message worth keeping that is for a local account is appended and committed before its sender is told and before anybody gets
 * it, archived or not; but for those that fast.h takes, which are delivered first and mostly have no row at all. A row has a position, assigned here and never used twice; flags say whose it is. What is sent to a session is
 * outstanding until it is settled (its client has it, or for a client without XEP-0198: the socket took it) or unsettled (the way was lost,
 * it goes to another resource or waits for one). An account's delivered cursor is what a restart knows of that: rows past it with
 * JOURNAL_DELIVER are undelivered. It follows lazily; edges tell after a restart what they have had since (receipts).
 * Rows nobody's archive keeps are transient: they go away soon after they are settled.
 * `entry`, the index by account, is written behind the appending: who reads it calls journal_flush in front of his statement.
 * An entry may be left where neither archive keeps the row (flags) any more: who reads looks at the flags of the row too. */
#ifndef SESSMAN_JOURNAL_H
#define SESSMAN_JOURNAL_H

#include "sessman/dispatch.h"

struct edge;
struct journal;

enum journal_flag {
    JOURNAL_DELIVER = 1,     /* to be delivered to the owner, past whose cursor it is not delivered yet */
    JOURNAL_KEEP_OWNER = 2,  /* in the archive of the account that it was sent to */
    JOURNAL_KEEP_SENDER = 4, /* in the archive of the account that sent it */
};

/* --- life --- */

/* Asks the store where the positions go on; they are known before the answer to any statement that is given after this. sm->secret
 * must have been asked for before. */
void journal_open(struct sessman *sm);
/* Writes what is in memory only (entries, cursors): before the store is closed. */
void journal_close(struct sessman *sm);
void journal_free(struct sessman *sm);
void journal_committed(struct sessman *sm); /* the store has committed more */

/* --- positions and ids --- */

#define JOURNAL_ID_LEN 16 /* hex digits */
/* A keyed permutation: ids say nothing of how many messages there are. Pure, given the installation's secret. */
void journal_id_write(const struct sessman *sm, uint64_t pos, char out[JOURNAL_ID_LEN]);
/* False: not an id of ours (which may still be that of a row that is not there). */
bool journal_id_read(const struct sessman *sm, struct slice id, uint64_t *pos);
/* Adds <stanza-id/> of this row, by the account. Slices: bare is kept. */
void journal_id_add(const struct sessman *sm, struct arena *a, struct node *stanza, struct slice bare, uint64_t pos);
int64_t journal_peer(const struct sessman *sm, struct slice bare); /* keyed hash for owner_peer, sender_peer, entry.peer: not negative */
uint64_t journal_end(const struct sessman *sm);                    /* all rows so far are before this position */

/* --- a message arrives --- */

bool journal_qualifies(const struct stanza *st); /* pure: worth a row (XEP-0160 3); XEP-0334 no-store is not */
/* A row to append. stanza: canonical, without our stanza-id. */
struct journal_row {
    uint64_t pos;         /* written by journal_append; or given: of journal_position */
    int64_t at_ms;        /* written by journal_append */
    int64_t age_ms;       /* how long ago it came */
    unsigned flags;       /* enum journal_flag */
    int64_t owner;        /* 0: none */
    int64_t owner_peer;
    int64_t sender;       /* 0: none */
    int64_t sender_peer;
    uint64_t holder, n;   /* session row and number there (smqueue.h), 0: none */
    struct slice stanza;
};
uint64_t journal_append(struct sessman *sm, struct journal_row *row); /* its ticket */
uint64_t journal_position(struct sessman *sm); /* the next one, for what may get a row later or never: fast.h */
/* For in->target, of a kind that qualifies: appended for its owner, and for the sender's archive. sm->scratch has then what is to be sent to
 * the owner's sessions. False: the store is behind; answered. */
bool journal_add(struct incoming *in, struct journal_row *row);
/* For in->target, which has no resource that could take it, or has something that comes first: appended, or dropped or answered when it
 * does not qualify or a limit is reached (offline.h). behind: a resource will have it soon. */
void journal_store(struct incoming *in, bool behind);
/* A message of a local account that goes elsewhere: appended when the sender's archive wants it. */
void journal_sent(struct incoming *in);

/* --- delivered or not --- */

/* Sent to a session of the account: outstanding. More than once: until one copy is settled, or the last one is lost. */
void journal_outstanding(struct sessman *sm, struct account *a, uint64_t pos, unsigned flags);
void journal_settled(struct sessman *sm, int64_t account, uint64_t pos);
/* Whoever had it has lost it, even after it was settled: another available resource of non-negative priority gets it, at the end of this
 * turn, or it waits for one. Of what is not a row of the account nothing happens. */
void journal_unsettled(struct sessman *sm, int64_t account, uint64_t pos);
void journal_unread(struct sessman *sm, int64_t account, uint64_t pos);   /* outstanding for long, perhaps: no page waits for it */
void journal_returned(struct sessman *sm, int64_t account, uint64_t pos); /* one that was unread: unsettled, unless another copy is settled */
/* s ends. What its edge has not acknowledged may yet come back: until that is known, what is new for the account waits behind it, so that
 * order holds. s->edge and s->id are as they were. */
void journal_session_gone(struct sessman *sm, const struct session *s);
void journal_landed(struct sessman *sm, int64_t account); /* for transit.c: one of those is known */
/* After a restart, before journal_replay: the edge says that this session had it. */
void journal_receipt(struct sessman *sm, struct session *s, uint64_t pos);
/* The undelivered rows that session row `holder` has unacknowledged, in order of n, at most max: for its queue to be made again. Each is outstanding
 * from now on. done comes once; rows are borrowed until it returns. */
typedef void (*journal_held_fn)(void *ctx, const struct journal_row *rows, size_t n);
void journal_held(struct sessman *sm, struct account *a, uint64_t holder, size_t max, journal_held_fn done, void *ctx);

/* s is available with non-negative priority (or back from hibernation, or a restart): what is undelivered and with nobody goes to it, a
 * page at a time, with delay stamps. */
void journal_replay(struct sessman *sm, struct session *s);
/* s cannot take more: it has ended, hibernates, or became unavailable. Another resource goes on, from the cursor. */
void journal_session_end(struct sessman *sm, struct session *s);
void journal_flow(struct session *s, uint16_t n); /* its client has taken the page of this number */
/* Something undelivered waits for its turn to be given to a resource: what is new is appended behind it, so order holds. */
bool journal_replaying(const struct account *a);
struct session *journal_receiver(const struct account *a); /* the resource that has it now, or next; NULL: none */

uint64_t journal_unsent_of(const struct sessman *sm, const struct account *a, struct slice bare); /* messages from there that wait */

/* --- for who reads `entry` --- */

/* The entries of this account that are in memory only are written: in front of a statement that reads them. */
void journal_flush(struct sessman *sm, int64_t account);

/* --- for account.c --- */

void journal_account_known(struct sessman *sm, struct account *a);  /* it is being loaded: its id is known */
void journal_account_loaded(struct sessman *sm, struct account *a, const struct store_result *counts); /* STMT_JOURNAL_COUNT */
uint64_t journal_undone(const struct sessman *sm); /* when it has grown, a delivered cursor that was read before may be too high */
void journal_account_freed(struct sessman *sm, struct account *a);
/* Its row has been deleted: so is what it owned here, a part at a time. */
void journal_account_gone(struct sessman *sm, struct account *a);

#endif
