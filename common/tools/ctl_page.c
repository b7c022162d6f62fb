/* common/tools/ctl_page.c - what daemons tell, as a page to read */
#include "common/tools/tool.h"

#include <sqlite3.h>
#include <stdio.h>

static bool print_section(sqlite3 *db, const char *sql, struct slice json)
{
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && /* the heading takes nothing */
        (!sqlite3_bind_parameter_count(stmt) ||
         sqlite3_bind_text(stmt, 1, json.p, (int)json.len, SQLITE_STATIC) == SQLITE_OK)) {
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
            printf("%s\n", (const char *)sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt);
    return step == SQLITE_DONE;
}

int tool_page(const char *const *sections, size_t n, struct slice json)
{
    sqlite3 *db = NULL;
    bool ok = sqlite3_open(":memory:", &db) == SQLITE_OK;
    for (size_t i = 0; i < n && ok; i++)
        ok = print_section(db, sections[i], json);
    const char *why = ok ? "" : sqlite3_errmsg(db);
    int code = ok ? TOOL_OK : tool_fail(TOOL_FAILED, "an answer is not understood: %s", why);
    sqlite3_close(db);
    return code;
}
