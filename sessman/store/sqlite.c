/* sessman/store/sqlite.c - the embedded engine: one file, write-ahead log */
#include "common/base/mem.h"
#include "sessman/store/inside.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000, LOOKASIDE_BYTES = 256, LOOKASIDE_SLOTS = 128 };
enum { BEGIN, COMMIT, ROLLBACK, BEGIN_READ, CONTROL_COUNT };

struct db {
    sqlite3 *sql;
    struct log_ctx log;
    struct checkpoint *checkpoint; /* NULL: commits do that */
    int lock_fd;
    sqlite3_stmt *control[CONTROL_COUNT];
    sqlite3_stmt *stmts[STMT_COUNT]; /* prepared on first use */
    struct store_value *grid;        /* the rows of the statement that runs */
    size_t grid_cap;
};

static const char *const sqls[STMT_COUNT] = {
#define X(id, sql) [STMT_##id] = (sql),
    STATEMENTS(X)
#undef X
};
static const char *const names[STMT_COUNT] = {
#define X(id, sql) [STMT_##id] = #id,
    STATEMENTS(X)
#undef X
};

/* --- opening --- */

/* One process at a time: SQLite would let two write in turns, but each believes to know what is in the store.
 */
static enum rc take_lock(struct db *db, const char *path, struct why *why)
{
    char name[4096], owner[32] = "";
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name) {
        why_set(why, "%s: the path is too long", path);
        return RC_LIMIT;
    }
    db->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock_fd < 0) {
        why_set(why, "%s: %s", name, strerror(errno));
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    }
    if (fcntl(db->lock_fd, F_OFD_SETLK, &lock) != 0) {
        if (pread(db->lock_fd, owner, sizeof owner - 1, 0) < 0)
            owner[0] = '\0';
        why_set(why, "%s: in use by process %.*s", path, (int)strcspn(owner, "\n"), owner);
        return RC_CONFLICT;
    }
    snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
    if (ftruncate(db->lock_fd, 0) != 0 || pwrite(db->lock_fd, owner, strlen(owner), 0) < 0)
        LOG_WARN(&db->log, "store_lock_unsigned", F_STR("file", name), F_STR("why", strerror(errno)));
    return RC_OK;
}

/* Looks at the file before SQLite does, which would fill an empty one. */
static enum rc check_file(const struct store_conf *conf, struct why *why)
{
    char head[16];
    int fd = open(conf->path, O_RDWR | O_CLOEXEC | (conf->create ? O_CREAT : 0), 0600);
    if (fd < 0) {
        int err = errno;
        why_set(why, "%s: %s", conf->path, strerror(err));
        return err == ENOENT                                   ? RC_NOTFOUND
               : err == EACCES || err == EROFS || err == EPERM ? RC_DENIED
                                                               : RC_IO;
    }
    ssize_t n = pread(fd, head, sizeof head, 0);
    close(fd);
    if (n == 0 && conf->create)
        return RC_OK;
    if (n == (ssize_t)sizeof head && memcmp(head, "SQLite format 3", sizeof head) == 0)
        return RC_OK;
    why_set(why, "%s: not an SQLite database; it was left as it is", conf->path);
    return RC_SYNTAX;
}

static enum rc fail(sqlite3 *sql, const char *what, struct why *why)
{
    int code = sqlite3_errcode(sql);
    why_set(why, "%s: %s", what, sqlite3_errmsg(sql));
    return code == SQLITE_READONLY ? RC_DENIED : code == SQLITE_BUSY ? RC_CONFLICT : RC_IO;
}

static enum rc exec(sqlite3 *sql, const char *text, struct why *why)
{
    if (sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK)
        return RC_OK;
    return fail(sql, "store", why);
}

static enum rc pragma_int(sqlite3 *sql, const char *text, int64_t *out, struct why *why)
{
    sqlite3_stmt *stmt = NULL;
    enum rc rc = RC_OK;
    if (sqlite3_prepare_v2(sql, text, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else
        rc = fail(sql, "store", why);
    sqlite3_finalize(stmt);
    return rc;
}

static enum rc check_ours(sqlite3 *sql, const char *path, int64_t *version, struct why *why)
{
    int64_t id = 0, tables = 0;
    enum rc rc = pragma_int(sql, "SELECT count(*) FROM sqlite_master", &tables, why);
    if (rc == RC_OK)
        rc = pragma_int(sql, "PRAGMA application_id", &id, why);
    if (rc == RC_OK)
        rc = pragma_int(sql, "PRAGMA user_version", version, why);
    if (rc != RC_OK)
        return rc;
    if (tables == 0 && id == 0 && *version == 0)
        return RC_OK; /* new */
    if (id != STORE_APPLICATION_ID) {
        why_set(why, "%s: a database of another program; it was left as it is", path);
        return RC_SYNTAX;
    }
    if (*version > store_schema_version()) {
        why_set(why, "%s: has version %lld, this program knows up to %d", path, (long long)*version,
                store_schema_version());
        return RC_UNSUPPORTED;
    }
    return RC_OK;
}

static enum rc migrate(sqlite3 *sql, int64_t have, struct why *why)
{
    char text[96];
    if (have == store_schema_version())
        return RC_OK;
    enum rc rc = exec(sql, "BEGIN IMMEDIATE", why);
    for (const struct schema_version *v = schema_versions; rc == RC_OK && v->version; v++)
        if (v->version > have)
            rc = exec(sql, v->sql, why);
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             STORE_APPLICATION_ID, store_schema_version());
    if (rc == RC_OK)
        rc = exec(sql, text, why);
    if (rc != RC_OK)
        sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static enum rc settings(sqlite3 *sql, const struct store_conf *conf, struct why *why)
{
    char text[256];
    size_t cache = conf->cache_bytes ? conf->cache_bytes : (size_t)2 << 20;
    snprintf(text, sizeof text,
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; PRAGMA foreign_keys = ON; PRAGMA "
             "cache_size = -%zu;"
             "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216",
             conf->sync_full ? "FULL" : "NORMAL", cache / 1024);
    return exec(sql, text, why);
}

static enum rc prepare_control(struct db *db, struct why *why)
{
    static const char *const texts[CONTROL_COUNT] = { "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "BEGIN" };
    for (int i = 0; i < CONTROL_COUNT; i++)
        if (sqlite3_prepare_v3(db->sql, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &db->control[i], NULL) !=
            SQLITE_OK)
            return fail(db->sql, texts[i], why);
    return RC_OK;
}

static enum rc open_sql(struct db *db, const struct store_conf *conf, struct why *why)
{
    int64_t version = 0;
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS,
                   0); /* spares a lock an allocation; refused, harmlessly, the second time */
    if (sqlite3_open_v2(conf->path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return fail(db->sql, conf->path, why);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_BYTES, LOOKASIDE_SLOTS);
    sqlite3_busy_timeout(db->sql, BUSY_MS);
    sqlite3_extended_result_codes(db->sql, 1);
    enum rc rc = check_ours(db->sql, conf->path, &version, why);
    if (rc == RC_OK && sqlite3_db_readonly(db->sql, "main") != 0) {
        why_set(why, "%s: read-only", conf->path);
        rc = RC_DENIED;
    }
    if (rc == RC_OK)
        rc = settings(db->sql, conf, why);
    if (rc == RC_OK)
        rc = migrate(db->sql, version, why);
    if (rc == RC_OK)
        rc = prepare_control(db, why);
    return rc;
}

enum rc db_open(const struct store_conf *conf, struct log *log, struct db **out, struct why *why)
{
    struct db *db = mem_new(sizeof *db);
    db->log = (struct log_ctx){ .log = log, .sub = LOG_STORE };
    db->lock_fd = -1;
    enum rc rc = RC_OK;
    if (!conf->create && access(conf->path, F_OK) != 0) { /* before a lock file is made beside nothing */
        why_set(why, "%s: %s", conf->path, strerror(errno));
        rc = RC_NOTFOUND;
    }
    if (rc == RC_OK)
        rc = take_lock(db, conf->path, why);
    if (rc == RC_OK)
        rc = check_file(conf, why);
    if (rc == RC_OK)
        rc = open_sql(db, conf, why);
    if (rc != RC_OK)
        db_close(&db);
    else
        *out = db;
    return rc;
}

void db_background(struct db *db, const struct store_conf *conf)
{
    db->checkpoint = checkpoint_new(db->sql, conf->path, conf->sync_full);
    if (!db->checkpoint)
        LOG_WARN(&db->log, "store_checkpoint_in_commits", F_STR("file", conf->path));
}

void db_shrink(struct db *db)
{
    sqlite3_db_release_memory(db->sql);
    mem_free(db->grid);
    db->grid = NULL;
    db->grid_cap = 0;
}

void db_close(struct db **at)
{
    struct db *db = *at;
    if (!db)
        return;
    for (int i = 0; i < CONTROL_COUNT; i++)
        sqlite3_finalize(db->control[i]);
    for (int i = 0; i < STMT_COUNT; i++)
        sqlite3_finalize(db->stmts[i]);
    checkpoint_free(&db->checkpoint, db->sql);
    sqlite3_close(db->sql);
    if (db->lock_fd >= 0)
        close(db->lock_fd); /* the file stays: removing it would race with the next one's lock */
    mem_free(db->grid);
    MEM_FREE(at);
}

/* --- running --- */

/* What a wrong statement cannot cause, and what may be over in a while. */
static bool is_passing(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
        return true;
    default:
        return false;
    }
}

static enum rc control(struct db *db, int which, struct why *why)
{
    int code = sqlite3_step(db->control[which]);
    if (code != SQLITE_DONE)
        why_set(why, "%s: %s", sqlite3_sql(db->control[which]), sqlite3_errmsg(db->sql));
    sqlite3_reset(db->control[which]);
    return code == SQLITE_DONE ? RC_OK : RC_AGAIN;
}

enum rc db_begin(struct db *db, bool writes, struct why *why)
{
    return control(db, writes ? BEGIN : BEGIN_READ, why);
}

enum rc db_commit(struct db *db, struct why *why)
{
    return control(db, COMMIT, why);
}

void db_rollback(struct db *db)
{
    if (sqlite3_get_autocommit(db->sql))
        return; /* SQLite has rolled back by itself */
    struct why why;
    if (control(db, ROLLBACK, &why) != RC_OK)
        LOG_ERROR(&db->log, "store_rollback_failed", F_WHY(&why));
}

static sqlite3_stmt *prepared(struct db *db, enum stmt id)
{
    sqlite3_stmt **at = &db->stmts[id];
    if (!*at)
        sqlite3_prepare_v3(db->sql, sqls[id], -1, SQLITE_PREPARE_PERSISTENT, at, NULL);
    return *at; /* NULL: sqlite3_errcode says why */
}

bool db_writes(struct db *db, enum stmt id)
{
    sqlite3_stmt *stmt = prepared(db, id);
    return !stmt || !sqlite3_stmt_readonly(stmt);
}

static int bind(sqlite3_stmt *stmt, const struct store_value *values, size_t n)
{
    int code = SQLITE_OK;
    for (int i = 1; code == SQLITE_OK && i <= (int)n; i++) {
        const struct store_value *v = &values[i - 1];
        const char *p = v->s.p ? v->s.p : "";
        switch (v->type) {
        case STORE_NULL:
            code = sqlite3_bind_null(stmt, i);
            break;
        case STORE_INT:
            code = sqlite3_bind_int64(stmt, i, v->i);
            break;
        case STORE_TEXT:
            code = sqlite3_bind_text64(stmt, i, p, v->s.len, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case STORE_BLOB:
            code = sqlite3_bind_blob64(stmt, i, p, v->s.len, SQLITE_STATIC);
            break;
        }
    }
    return code;
}

static struct store_value column(sqlite3_stmt *stmt, int i, struct arena *rows)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        return STORE_I(sqlite3_column_int64(stmt, i));
    case SQLITE_NULL:
        return STORE_N;
    case SQLITE_BLOB: {
        const void *p =
            sqlite3_column_blob(stmt, i); /* NULL when empty; called before the length, as SQLite asks */
        return STORE_B(arena_copy(rows, slice_of(p, (size_t)sqlite3_column_bytes(stmt, i))));
    }
    default: {
        const unsigned char *p = sqlite3_column_text(stmt, i);
        return STORE_T(arena_copy(rows, slice_of((const char *)p, (size_t)sqlite3_column_bytes(stmt, i))));
    }
    }
}

static void take_row(struct db *db, sqlite3_stmt *stmt, struct arena *rows, struct store_result *out)
{
    out->cols = (size_t)sqlite3_column_count(stmt);
    size_t at = out->rows * out->cols;
    if (at + out->cols > db->grid_cap) {
        db->grid_cap = 2 * (at + out->cols);
        db->grid = mem_resize(db->grid, db->grid_cap * sizeof *db->grid);
    }
    for (int i = 0; i < (int)out->cols; i++)
        db->grid[at + (size_t)i] = column(stmt, i, rows);
    out->rows++;
}

static void keep_rows(struct db *db, struct arena *rows, struct store_result *out)
{
    if (!out->rows)
        return;
    size_t bytes = out->rows * out->cols * sizeof *db->grid;
    struct store_value *values = arena_alloc(rows, bytes);
    memcpy(values, db->grid, bytes);
    out->values = values;
    if (db->grid_cap > 4096) {
        MEM_FREE(&db->grid);
        db->grid_cap = 0;
    }
}

/* A failure of this statement alone; the transaction goes on. */
static enum rc refusal(struct db *db, enum stmt id, int code)
{
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return RC_EXISTS;
    if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
        return RC_CONFLICT;
    LOG_ERROR(&db->log, "store_statement_failed", F_STR("statement", names[id]), F_INT("code", code),
              F_STR("why", sqlite3_errmsg(db->sql)));
    return RC_IO;
}

/* How much of it there is depends on how large stanzas are: whoever asks goes on where the page ended. */
static bool is_page(enum stmt id)
{
    switch (id) {
    case STMT_OUTBOX_AFTER:
    case STMT_JOURNAL_AFTER:
    case STMT_ARCHIVE_UP:
    case STMT_ARCHIVE_DOWN:
    case STMT_ARCHIVE_WITH_UP:
    case STMT_ARCHIVE_WITH_DOWN:
        return true;
    default:
        return false;
    }
}

static int step_all(struct db *db, enum stmt id, sqlite3_stmt *stmt, struct arena *rows,
                    struct store_result *out)
{
    int code;
    bool page = is_page(id);
    size_t before = rows ? arena_used(rows) : 0;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (page && out->rows && rows && arena_used(rows) - before >= STORE_PAGE_BYTES) {
            out->cut = true;
            return SQLITE_OK;
        }
        if (rows)
            take_row(db, stmt, rows, out);
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

enum rc db_run(struct db *db, enum stmt id, const struct store_value *values, size_t n, struct arena *rows,
               struct store_result *out, struct why *why)
{
    sqlite3_stmt *stmt = prepared(db, id);
    int code = stmt ? bind(stmt, values, n) : sqlite3_extended_errcode(db->sql);
    out->rc = RC_OK;
    out->changes = 0;
    out->last_id = 0;
    out->rows = out->cols = 0;
    out->cut = false;
    out->values = NULL;
    if (stmt && code == SQLITE_OK)
        code = step_all(db, id, stmt, rows, out);
    if (code == SQLITE_OK && !sqlite3_stmt_readonly(stmt)) {
        out->changes = (uint64_t)sqlite3_changes(db->sql);
        out->last_id = sqlite3_last_insert_rowid(db->sql);
    } else if (code == SQLITE_OK && rows) {
        keep_rows(db, rows, out);
    }
    enum rc rc = RC_OK;
    if (is_passing(code)) {
        why_set(why, "%s: %s (%d)", names[id], sqlite3_errmsg(db->sql), code);
        rc = RC_AGAIN;
    } else if (code != SQLITE_OK) {
        out->rc = refusal(db, id, code);
        out->rows = 0;
    }
    if (stmt)
        sqlite3_reset(stmt);
    return rc;
}
