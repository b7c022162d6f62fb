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

/* The journal: one row a message, its payload once however many accounts it belongs to; appended in the order of pos, which the
 * process assigns (so that a message carries its id before its row is written) and never uses twice. `entry` is the index by account: made
 * from the rows in sorted batches, behind the appending, so a row that is dropped soon never has one (meta "entry_low": every row from
 * there on may lack its entries). */
static const char version_2[] =
    "ALTER TABLE domain ADD COLUMN archive INTEGER NOT NULL DEFAULT 1;"  /* 0: nothing is archived */
    "ALTER TABLE domain ADD COLUMN offline INTEGER NOT NULL DEFAULT 1;"  /* 0: nothing is kept for who is away */
    "ALTER TABLE domain ADD COLUMN archive_days INTEGER NOT NULL DEFAULT 0;"  /* 0: for ever */
    "ALTER TABLE domain ADD COLUMN archive_bytes INTEGER NOT NULL DEFAULT 0;" /* 0: no limit; all accounts together */
    "ALTER TABLE domain ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;" /* rows before here have been looked at, and went if they had to */
    "ALTER TABLE account ADD COLUMN archive TEXT;"        /* XEP-0313 6 preferences as an element; NULL: the default */
    "ALTER TABLE account ADD COLUMN offline_limit INTEGER;" /* set by the user; NULL: the default; -1: no limit */
    "ALTER TABLE account ADD COLUMN last_ms INTEGER;"     /* XEP-0012: last seen; NULL: never */
    "ALTER TABLE account ADD COLUMN last_status TEXT;"
    "ALTER TABLE journal RENAME TO journal_1;"
    "CREATE TABLE journal("
    " pos INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL,"
    " flags INTEGER NOT NULL,"   /* enum journal_flag, sessman/journal.h */
    " owner INTEGER,"            /* account it was sent to; NULL: not kept for that side */
    " owner_peer INTEGER,"       /* keyed hash of the other side's bare JID */
    " sender INTEGER,"           /* account that sent it, when it is archived for it */
    " sender_peer INTEGER,"
    " holder INTEGER,"           /* session row (XEP-0198) that has it unacknowledged, as its stanza number n */
    " n INTEGER,"
    " stanza BLOB NOT NULL);"
    "CREATE TABLE entry("
    " account INTEGER NOT NULL," /* may be gone: table gone */
    " pos INTEGER NOT NULL,"
    " peer INTEGER NOT NULL,"
    " PRIMARY KEY(account, pos)) WITHOUT ROWID;"
    "CREATE INDEX entry_peer ON entry(account, peer, pos);"
    /* Every so many rows or minutes: rows before pos are not later than max_ms, nor earlier than at_ms from pos on unless the clock was
     * set back, which drops the landmarks it makes wrong. */
    "CREATE TABLE landmark(pos INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL);"
    "CREATE INDEX landmark_at ON landmark(at_ms);"
    "CREATE INDEX landmark_max ON landmark(max_ms);"
    /* Accounts that are gone and own entries and rows still: those are removed a part at a time, however many there are. */
    "CREATE TABLE gone(account INTEGER PRIMARY KEY);"
    "CREATE TRIGGER account_gone AFTER DELETE ON account BEGIN INSERT INTO gone(account) VALUES(old.id); END;"
    "INSERT INTO journal(pos, at_ms, flags, owner, owner_peer, stanza)"
    " SELECT pos, at_ms, 1, account, 0, stanza FROM journal_1;" /* 1: JOURNAL_DELIVER; the archive begins with this version */
    "INSERT INTO entry(account, pos, peer) SELECT account, pos, 0 FROM journal_1;"
    "DROP TABLE journal_1;"
    /* Bound sessions, so that a restart carries on with them (DESIGN 5). */
    "CREATE TABLE session("
    " id INTEGER PRIMARY KEY,"   /* assigned by the process, never used twice */
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " resource TEXT NOT NULL,"
    " edge INTEGER,"             /* its edge's node; NULL: hibernating */
    " edge_session INTEGER,"     /* its id there */
    " sm TEXT,"                  /* XEP-0198: resumption id; NULL: not resumable */
    " sm_in INTEGER NOT NULL DEFAULT 0," /* stanzas of the client that are dealt with (h) */
    " hibernate_s INTEGER NOT NULL DEFAULT 0," /* how long it is kept without a connection */
    " detached_ms INTEGER,"      /* since when it hibernates, wall clock */
    " state TEXT);"              /* <state/>: presence, flags, directed presence: sessman/restore.h */
    "CREATE INDEX session_edge ON session(edge);"
    /* What each edge's channel has been dealt with up to, written with what came of it. */
    "CREATE TABLE edge("
    " node INTEGER PRIMARY KEY,"
    " instance TEXT NOT NULL,"
    " incarnation INTEGER NOT NULL," /* of its side of the channel */
    " done INTEGER NOT NULL,"
    " beyond BLOB,"              /* what is dealt with past done: first and last number of each run, big-endian u64 */
    " seen_ms INTEGER NOT NULL);"
    /* XEP-0484: of each client the token in use and the one that it was given last, until it uses that: sessman/tokens.h */
    "CREATE TABLE token("
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " agent TEXT NOT NULL,"      /* user-agent id, XEP-0388 */
    " slot INTEGER NOT NULL,"    /* 0: in use; 1: given, not used yet */
    " mechanism TEXT NOT NULL,"
    " seed BLOB NOT NULL,"       /* what the token is made from, with the installation's secret: no token is kept */
    " expires_ms INTEGER NOT NULL,"
    " counter INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(account, agent, slot)) WITHOUT ROWID;"
    /* XEP-0357 */
    "CREATE TABLE push("
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " jid TEXT NOT NULL,"
    " node TEXT NOT NULL,"
    " options TEXT,"             /* the publish-options form as it came */
    " resource TEXT NOT NULL,"   /* that registered it: while it is connected, it needs no telling */
    " PRIMARY KEY(account, jid, node)) WITHOUT ROWID;";

static const char version_3[] =
    /* Stanzas for other servers, until an s2s says that they have gone (sessman/outbox.h). */
    "CREATE TABLE outbox("
    " id INTEGER PRIMARY KEY,"   /* assigned by the process, never used twice: s2s knows them by it */
    " at_ms INTEGER NOT NULL,"
    " domain TEXT NOT NULL,"     /* of the other server */
    " stanza BLOB NOT NULL);"
    "ALTER TABLE edge ADD COLUMN s2s INTEGER NOT NULL DEFAULT 0;" /* it is one, and has no sessions */
    /* XEP-0363: a slot that was granted (sessman/uploads.h) */
    "CREATE TABLE upload("
    " id INTEGER PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " at_ms INTEGER NOT NULL,"
    " keep_ms INTEGER NOT NULL," /* until when the gateway keeps the file */
    " bytes INTEGER NOT NULL,"
    " path TEXT NOT NULL);"      /* of the URL */
    "CREATE INDEX upload_account ON upload(account, at_ms);"
    "CREATE INDEX upload_keep ON upload(keep_ms);";

static const char version_4[] =
    /* Tokens of the HTTP API (sessman/apitokens.h): the token itself is with its owner alone. */
    "CREATE TABLE api_token("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " hash BLOB NOT NULL UNIQUE,"  /* SHA-256 of its secret part */
    " label TEXT NOT NULL,"
    " scopes TEXT NOT NULL,"       /* sessman/scopes.h */
    " created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL,"
    " used_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX api_token_account ON api_token(account);"
    /* What was done by command and over the API (sessman/audit.h). */
    "CREATE TABLE audit("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* in order of time */
    " admin INTEGER NOT NULL,"     /* by an administrator: each kind has its own limit */
    " at_ms INTEGER NOT NULL,"
    " who TEXT NOT NULL,"
    " means TEXT NOT NULL,"
    " address TEXT NOT NULL,"      /* of the client, where it is known */
    " what TEXT NOT NULL,"
    " whom TEXT NOT NULL,"
    " outcome TEXT NOT NULL);"
    "CREATE INDEX audit_admin ON audit(admin, id);"
    "ALTER TABLE account ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;" /* nobody logs in to it */
    "CREATE INDEX account_disabled ON account(domain, local) WHERE disabled <> 0;"
    "CREATE INDEX account_admin ON account(domain, local) WHERE admin <> 0;"
    /* XEP-0175: accounts of who did not say who he is, until their last session and token are over (sessman/anonymous.h) */
    "ALTER TABLE account ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;" /* 1: it is; 2: and has had a session */
    "CREATE INDEX account_anonymous ON account(id) WHERE anonymous <> 0;"
    "ALTER TABLE domain ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;"; /* 1: they are let in; 2: and may leave */
/* clang-format on */

const struct schema_version schema_versions[] = {
    { 1, version_1 }, { 2, version_2 }, { 3, version_3 }, { 4, version_4 }, { 0, NULL },
};

int store_schema_version(void)
{
    int last = 0;
    for (const struct schema_version *v = schema_versions; v->version; v++)
        last = v->version;
    return last;
}
