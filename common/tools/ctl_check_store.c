/* common/tools/ctl_check_store.c - the store, read-only: a running server is not disturbed, nothing is
 * migrated */
#include "common/tools/check.h"

#include "sessman/store/store.h"
#include <sqlite3.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DOMAINS_MOST = 1024, FREE_LEAST_MIB = 256 };

/* Calls row for each row of the statement; returns the code of SQLite at its end. */
static int query(sqlite3 *db, const char *sql, void (*row)(struct check *c, sqlite3_stmt *s), struct check *c)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(s);
        if (code == SQLITE_ROW)
            row(c, s);
    }
    sqlite3_finalize(s);
    return code;
}

static void on_domain(struct check *c, sqlite3_stmt *s)
{
    const char *name = (const char *)sqlite3_column_text(s, 0);
    if (name && c->n_domains < DOMAINS_MOST)
        c->domains[c->n_domains++] = arena_copy(c->tool->arena, slice_cstr(name));
}

static void on_integrity(struct check *c, sqlite3_stmt *s)
{
    const char *text = (const char *)sqlite3_column_text(s, 0);
    if (text && strcmp(text, "ok") == 0)
        check_say(c, CHECK_OK, "store", "the tables are whole");
    else
        check_say(c, CHECK_FAIL, "store", "%s; restore it from a backup", text ? text : "damaged");
}

static void on_version(struct check *c, sqlite3_stmt *s)
{
    int has = sqlite3_column_int(s, 0), mine = store_schema_version();
    if (has > mine)
        check_say(c, CHECK_FAIL, "store",
                  "written by a newer Bulkhead (schema %d, this one has %d): install that", has, mine);
    else if (has < mine)
        check_say(c, CHECK_WARN, "store", "schema %d is brought to %d at the next start: make a backup first",
                  has, mine);
    else
        check_say(c, CHECK_OK, "store", "schema %d", has);
}

static void check_space(struct check *c, const char *folder)
{
    struct statvfs fs;
    if (statvfs(folder, &fs) < 0)
        return;
    unsigned long long mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    check_say(c, mib < FREE_LEAST_MIB ? CHECK_WARN : CHECK_OK, "store", "%llu MiB are free in %s%s", mib,
              folder, mib < FREE_LEAST_MIB ? ": make room, a full disk stops every login and message" : "");
}

void check_store(struct check *c)
{
    const char *path = tool_path(c->tool, "data/bulkhead.db");
    sqlite3 *db = NULL;
    c->domains = ARENA_ARRAY(c->tool->arena, DOMAINS_MOST, struct slice);
    if (access(path, F_OK) < 0 && access(tool_path(c->tool, "sessman.conf"), F_OK) < 0)
        return; /* a host without a session manager */
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        query(db, "PRAGMA user_version", on_version, c) != SQLITE_DONE ||
        query(db, "PRAGMA quick_check(1)", on_integrity, c) != SQLITE_DONE ||
        query(db, "SELECT name FROM domain ORDER BY name", on_domain, c) != SQLITE_DONE)
        check_say(c, CHECK_FAIL, "store", "%s: %s", path, db ? sqlite3_errmsg(db) : "cannot be opened");
    else if (c->n_domains == 0)
        check_say(c, CHECK_WARN, "store", "no domain is hosted: nobody can log in");
    sqlite3_close(db);
    check_space(c, tool_path(c->tool, "data"));
}
