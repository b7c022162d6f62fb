/* sessman/store/schema.c - the tables, version by version
 *
 * A version that was released is never changed: a new one is added below it. */
#include "sessman/store/inside.h"

/* account.id is never used twice, nor is journal.pos: cursors and rows that outlive an account meet nobody
 * else's. */
/* clang-format off */
static const char version_1[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY NOT NULL, value BLOB) WITHOUT ROWID;"
    "CREATE TABLE domain(name TEXT PRIMARY KEY NOT NULL, registration INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE account("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " domain TEXT NOT NULL REFERENCES domain(name),"
    " local TEXT NOT NULL,"
    " admin INTEGER NOT NULL DEFAULT 0,"
    " roster_version INTEGER NOT NULL DEFAULT 0,"
    " delivered INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL,"
    " UNIQUE(domain, local));"
    "CREATE TABLE credential("
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " hash INTEGER NOT NULL," /* enum scram_hash */
    " salt BLOB NOT NULL,"
    " iterations INTEGER NOT NULL,"
    " stored BLOB NOT NULL,"
    " server BLOB NOT NULL,"
    " PRIMARY KEY(account, hash)) WITHOUT ROWID;"
    "CREATE TABLE roster("
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " jid TEXT NOT NULL,"
    " name TEXT,"
    " state INTEGER NOT NULL,"
    " groups TEXT,"
    " request BLOB," /* the subscription request that waits for an answer */
    " PRIMARY KEY(account, jid)) WITHOUT ROWID;"
    "CREATE TABLE journal("
    " pos INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " at_ms INTEGER NOT NULL,"
    " peer TEXT NOT NULL,"
    " stanza BLOB NOT NULL);"
    "CREATE INDEX journal_account ON journal(account);";
/* clang-format on */

const struct schema_version schema_versions[] = {
    { 1, version_1 },
    { 0, NULL },
};

int store_schema_version(void)
{
    int last = 0;
    for (const struct schema_version *v = schema_versions; v->version; v++)
        last = v->version;
    return last;
}
