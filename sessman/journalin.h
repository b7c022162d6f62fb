/* sessman/journalin.h - what the files of the journal share; nobody else includes it
 *
 * journal.c: positions, appending, entries. journalid.c: ids. cursor.c: what is outstanding, settled, and how the store hears of it. replay.c: what
 * nobody has yet, a page at a time. transient.c: rows that go away. */
#ifndef SESSMAN_JOURNALIN_H
#define SESSMAN_JOURNALIN_H

#include "common/net/loop.h"
#include "sessman/account.h"
#include "sessman/journal.h"
#include "sessman/tail.h"

enum { JOURNAL_UNWRITTEN = 8 }; /* in sent_row.flags: it has no row yet (fast.h) */
struct sent_row {
    uint64_t pos;
    uint16_t copies;
    uint8_t flags;  /* of the row */
    uint16_t page; /* of the account's replay; 0: none */
};
struct peer_count {
    int64_t peer;
    uint64_t n;
};

/* An account's part of the journal in memory; account->cursor, NULL: there is nothing to remember. The account is referenced while rows are
 * outstanding or the cursor in the store is behind. */
struct cursor {
    struct account *a;
    struct link dirty; /* in journal->dirty: its cursor is to be written, or there may be nothing to remember any more */
    struct link kick;  /* in journal->kicks: somebody may be there to have what is unsent */
    bool held, stale;  /* the account is; the cursor in the store is behind */
    uint32_t adrift;   /* of those outstanding, copies on their way to sessions that have ended */
    struct sent_row *rows; /* outstanding, by position: rows[head .. head + n) */
    uint32_t head, n, cap;
    uint64_t *holes; /* settled, where the cursor cannot go over them */
    uint32_t n_holes, cap_holes;
    struct peer_count *peers; /* of whom what is unsent is */
    uint32_t n_peers, cap_peers;
};

struct journal {
    struct sessman *sm;
    uint64_t next, top; /* the next position; those below top are ours to use */
    uint8_t id_keys[4][16], peer_key[16];
    int64_t last_ms, max_ms, mark_ms; /* of the last row; of all; of the last landmark */
    uint64_t mark_pos;
    struct tail *tail;
    uint64_t fold_ticket; /* of the last entry that was written */
    struct timer tick;    /* every TICK_MS while there is something to do */
    uint64_t ticks;
    uint64_t old[8];      /* positions as of the last seconds: the oldest first */
    struct idmap *accounts; /* loaded ones, by id; borrowed */
    struct link dirty, kicks;
    struct turn kick;
    bool telling;         /* the edges are to be told once cursor_ticket is committed */
    uint64_t cursor_ticket; /* of the last statement about what was settled */
    uint16_t pages;       /* of all replays */
    struct gone *gone;    /* transient rows that are to be deleted: a ring */
    size_t gone_head, gone_n, gone_cap;
    uint64_t undone;      /* how often what was settled was not, after all */
    bool closed;
};

static inline bool journal_transient(unsigned flags) /* it goes away once it is settled */
{
    return !(flags & (JOURNAL_KEEP_OWNER | JOURNAL_KEEP_SENDER));
}

enum { TICK_MS = 200, TICKS_A_SECOND = 1000 / TICK_MS };
void journal_tick_on(struct journal *j); /* there is something to do */

/* journalid.c */
void journal_make_keys(struct journal *j); /* from sm->secret */

/* cursor.c */
struct cursor *cursor_of(struct account *a);                   /* makes it */
bool cursor_written(struct sessman *sm, int64_t account, uint64_t pos); /* it gets its row; false: the account is gone, it needs none */
bool cursor_has(const struct account *a, uint64_t pos);        /* outstanding */
void cursor_dirty(struct journal *j, struct account *a);
void cursor_flush(struct journal *j, struct account *a);       /* statements: now */
void cursors_flush(struct journal *j);                         /* all that are dirty */
void cursor_sent_row(struct journal *j, struct account *a, uint64_t pos, unsigned flags, uint16_t page);
/* What nobody has: counted by sender. */
void cursor_unsent(struct account *a, uint64_t pos, int64_t peer);
void cursor_unsent_less(struct account *a, int64_t peer);
void cursor_unsent_none(struct account *a);
uint64_t cursor_unsent_of(const struct account *a, int64_t peer);
void cursor_kick(struct journal *j, struct account *a);        /* looks for somebody at the end of this turn */
void cursor_tidy(struct sessman *sm, struct account *a);       /* frees it when there is nothing to remember; the account may go */

/* replay.c */
void replay_page_less(struct account *a, uint16_t page);       /* a row of that page is not outstanding any more */
void replay_settled(struct account *a, uint64_t pos);          /* which a page that is being read may have */
void replay_appended(struct account *a, uint64_t pos);         /* unsent from now on */
void replay_kick(struct sessman *sm, struct account *a);
void replay_free(struct account *a);                           /* the process ends: the store has answered all */
void replay_drop(struct sessman *sm, struct account *a);       /* the account is gone */

/* transient.c */
void transient_gone(struct journal *j, uint64_t pos);          /* settled: deleted after a while */
void transient_back(struct journal *j, uint64_t pos);          /* not settled after all */
void transients_sweep(struct journal *j, bool all);
uint64_t transient_low(const struct journal *j);               /* 0: none */

#endif
