/* sessman/store/inside.h - what the files of the store share; nobody else includes it
 *
 * queue.c says when, sqlite.c does it, schema.c says to which tables. A struct db is used by one thread at a time. */
#ifndef SESSMAN_STORE_INSIDE_H
#define SESSMAN_STORE_INSIDE_H

#include "common/base/arena.h"
#include "sessman/store/store.h"

#define STORE_APPLICATION_ID 0x42756c6b /* "Bulk", in the header of the file */
#define STORE_PARAMS_MAX 10             /* of one statement */

struct schema_version {
    int version;     /* 1, 2, … without a gap */
    const char *sql; /* from the version before */
};
extern const struct schema_version schema_versions[]; /* ends with version 0 */

struct db;
struct sqlite3;
struct checkpoint;
/* checkpoint.c. NULL: it cannot be had, commits do it as ever. path: of the file that sql has open. */
struct checkpoint *checkpoint_new(struct sqlite3 *sql, const char *path, bool sync_full);
void checkpoint_free(struct checkpoint **c, struct sqlite3 *sql); /* before sql is closed */
/* Errors as store_open. */
MUST_USE enum rc db_open(const struct store_conf *conf, struct log *log, struct db **out, struct why *why);
void db_close(struct db **db);
void db_background(struct db *db, const struct store_conf *conf); /* commits are to be short: it may use threads of its own */
void db_shrink(struct db *db); /* frees what it keeps of the file; it is read again when needed */
bool db_writes(struct db *db, enum stmt id);
/* These say RC_AGAIN where the disk or another process is in the way: roll back, and try all of it again later. */
MUST_USE enum rc db_begin(struct db *db, bool writes, struct why *why);
MUST_USE enum rc db_commit(struct db *db, struct why *why);
void db_rollback(struct db *db);
/* Rows go into rows, which may be NULL: they are not wanted then. What is wrong with this one statement alone is in out->rc. */
MUST_USE enum rc db_run(struct db *db, enum stmt id, const struct store_value *values, size_t n, struct arena *rows,
                        struct store_result *out, struct why *why);

#endif
