/* sessman/store/store.h - the only door to durable data (DESIGN 4)
 *
 * Statements have names (statements.h) and run in the order in which they were given, on one thread of the store's
 * own, many in one transaction (group commit): all that was given in one turn of the loop is in one transaction, so it
 * happens as a whole or not at all. Every statement has a ticket, growing by one; a ticket is committed when store_committed has
 * reached it. Whatever the user is told about waits for that.
 * A disk that is full or failing stops commits, not the loop: the batch is rolled back and tried again until it goes in (log: error);
 * meanwhile nothing is acknowledged to the edges, so their windows fill and they stop reading; who has no window (components) is
 * refused while store_full.
 * One process has a store open: the second is told RC_CONFLICT. Other errors of store_open: RC_NOTFOUND, RC_SYNTAX (not ours),
 * RC_UNSUPPORTED (newer), RC_DENIED (not writable), RC_IO (damaged).
 * With loop NULL (tools, tests) statements run at once, each in its own transaction, and done is called before store_run returns. */
#ifndef SESSMAN_STORE_H
#define SESSMAN_STORE_H

#include "common/base/log.h"
#include "common/net/loop.h"
#include "sessman/store/statements.h"

enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };
struct store_value {
    enum store_type type;
    int64_t i;
    struct slice s;
};
#define STORE_I(n) ((struct store_value){ STORE_INT, (int64_t)(n), SLICE_NONE })
#define STORE_T(sl) ((struct store_value){ STORE_TEXT, 0, (sl) })
#define STORE_B(sl) ((struct store_value){ STORE_BLOB, 0, (sl) })
#define STORE_N ((struct store_value){ STORE_NULL, 0, SLICE_NONE })

#define STORE_PAGE_BYTES (1024 * 1024) /* of a page's rows: over it no further row is added */
struct store_result {
    enum rc rc;             /* RC_OK; RC_EXISTS: a uniqueness rule said no; RC_CONFLICT: a row refers to one that is not there,
                               or would be left so; RC_IO: anything else (a bug; logged by the store), or closed on a failing disk */
    uint64_t ticket;
    uint64_t changes;       /* rows inserted, updated or deleted */
    int64_t last_id;        /* rowid of an insert */
    size_t rows, cols;
    bool cut;               /* a page (is_page of sqlite.c) that ended early, at STORE_PAGE_BYTES; it has one row at least */
    const struct store_value *values; /* rows × cols, row by row; borrowed until done returns */
};
static inline const struct store_value *store_row(const struct store_result *r, size_t row)
{
    return r->values + row * r->cols;
}
/* On the loop, after the transaction was committed; results come in ticket order. */
typedef void (*store_done)(void *ctx, const struct store_result *r);

struct store;
struct store_conf {
    const char *path;       /* of the SQLite file; created with mode 0600 when create is set */
    bool create;
    bool sync_full;         /* synchronous=FULL: survives power loss; else NORMAL: survives every crash of a process */
    size_t queue_max;       /* statements waiting; past it store_full */
    size_t cache_bytes;
    /* At the end of a turn in which something was given that writes, before its transaction is closed: may give more, which is in it then.
     * NULL: not wanted. */
    void (*on_batch)(void *ctx);
};
/* Opens, checks that it is ours and sound, migrates the schema by version in one transaction. A store that is newer than this
 * program, corrupt or read-only is refused with why and left as it was. on_commit: on the loop, whenever store_committed has grown,
 * before the done callbacks of the batch. */
MUST_USE enum rc store_open(struct loop *loop, struct log *log, const struct store_conf *conf, void (*on_commit)(void *ctx),
                            void *ctx, struct store **out, struct why *why);
void store_close(struct store **s); /* commits what is queued; done callbacks of unfinished statements are called */

/* Queues one statement; values are copied. done may be NULL. Returns its ticket. */
uint64_t store_run(struct store *s, enum stmt id, const struct store_value *values, size_t n, store_done done, void *ctx);
#define STORE_VALUES(...) (const struct store_value[]){ __VA_ARGS__ }, sizeof((const struct store_value[]){ __VA_ARGS__ }) / sizeof(struct store_value)
/* store_run(s, STMT_X, STORE_VALUES(STORE_I(1), STORE_T(name)), done, ctx) */

/* The ticket that the next statement gets; whatever is given after it in this turn is committed when it is. */
uint64_t store_next(const struct store *s);
uint64_t store_committed(const struct store *s);
bool store_full(const struct store *s);
/* Gives back the engine's page cache, and then free heap pages to the system (mem_release), when the thread has nothing to do: for
 * when many sessions have ended. */
void store_shrink(struct store *s);
struct store_stats {
    uint64_t statements, commits, batch_max, retries;
    uint64_t commit_us_total, commit_us_max; /* time in COMMIT */
    size_t waiting;
    bool failing; /* the disk says no; it is tried again */
};
struct store_stats store_stats(const struct store *s);
int store_schema_version(void);

#endif
