/* sessman/store/statements.h - every statement by name, with its parameters; the tables are in schema.c
 *
 * ?1 … in order. The SQL is what SQLite and PostgreSQL both understand, where possible. */
#ifndef SESSMAN_STATEMENTS_H
#define SESSMAN_STATEMENTS_H

/* X(name, sql) */
#define STATEMENTS(X)                                                                                                \
    X(META_GET, "SELECT value FROM meta WHERE name = ?1")                                                            \
    X(META_SET, "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = excluded.value") \
    X(META_ADD, "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO NOTHING")                         \
    /* domains */                                                                                                    \
    X(DOMAIN_ALL, "SELECT name, registration, offline, archive, archive_days, archive_bytes FROM domain ORDER BY name")                                             \
    X(DOMAIN_ADD, "INSERT INTO domain(name, registration) VALUES(?1, ?2)")                                           \
    X(DOMAIN_SET, "UPDATE domain SET registration = ?2 WHERE name = ?1")                                             \
    X(DOMAIN_DEL, "DELETE FROM domain WHERE name = ?1")                                                              \
    /* accounts: ?1 domain ?2 local */                                                                               \
    X(ACCOUNT_GET, "SELECT id, admin, roster_version, delivered, created_ms, coalesce(offline_limit, -2) FROM account WHERE domain = ?1 AND local = ?2") \
    X(ACCOUNT_ADD, "INSERT INTO account(domain, local, admin, created_ms) VALUES(?1, ?2, ?3, ?4)")                   \
    X(ACCOUNT_DEL, "DELETE FROM account WHERE domain = ?1 AND local = ?2")                                           \
    X(ACCOUNT_LIST, "SELECT local FROM account WHERE domain = ?1 AND local > ?2 ORDER BY local LIMIT ?3")            \
    X(ACCOUNT_ADMIN, "UPDATE account SET admin = ?3 WHERE domain = ?1 AND local = ?2")                               \
    X(ACCOUNT_COUNT, "SELECT count(*) FROM account WHERE domain = ?1")                                               \
    X(ACCOUNT_DELIVERED, "UPDATE account SET delivered = ?2 WHERE id = ?1 AND delivered < ?2")                       \
    X(ACCOUNT_OFFLINE_LIMIT, "UPDATE account SET offline_limit = ?2 WHERE id = ?1")                                  \
    X(DOMAIN_OFFLINE, "UPDATE domain SET offline = ?2 WHERE name = ?1")                                              \
    /* credentials: ?1 domain ?2 local */                                                                            \
    X(CREDENTIAL_GET, "SELECT c.hash, c.salt, c.iterations, c.stored, c.server FROM credential c JOIN account a"     \
                      " ON a.id = c.account WHERE a.domain = ?1 AND a.local = ?2")                                   \
    X(CREDENTIAL_SET, "INSERT INTO credential(account, hash, salt, iterations, stored, server)"                      \
                      " SELECT id, ?3, ?4, ?5, ?6, ?7 FROM account WHERE domain = ?1 AND local = ?2"                 \
                      " ON CONFLICT(account, hash) DO UPDATE SET salt = excluded.salt,"                              \
                      " iterations = excluded.iterations, stored = excluded.stored, server = excluded.server")       \
    /* rosters: ?1 account id */                                                                                     \
    X(ROSTER_ALL, "SELECT jid, name, state, groups, request FROM roster WHERE account = ?1")                         \
    X(ROSTER_SET, "INSERT INTO roster(account, jid, name, state, groups, request) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"    \
                  " ON CONFLICT(account, jid) DO UPDATE SET name = excluded.name, state = excluded.state,"           \
                  " groups = excluded.groups, request = excluded.request")                                           \
    X(ROSTER_DEL, "DELETE FROM roster WHERE account = ?1 AND jid = ?2")                                              \
    X(ROSTER_VERSION, "UPDATE account SET roster_version = ?2 WHERE id = ?1")                                        \
    /* journal: ?1 account id */                                                                                     \
    X(JOURNAL_ADD, "INSERT INTO journal(owner, at_ms, flags, stanza) VALUES(?1, ?2, 1, ?3)")                       \
    X(JOURNAL_AFTER, "SELECT pos, at_ms, stanza FROM journal WHERE owner = ?1 AND pos > ?2 ORDER BY pos LIMIT ?3") \
    X(JOURNAL_DROP, "DELETE FROM journal WHERE owner = ?1 AND pos <= ?2")                                          \
    X(JOURNAL_COUNT, "SELECT count(*) FROM journal WHERE owner = ?1 AND pos > ?2")

enum stmt {
#define X(id, sql) STMT_##id,
    STATEMENTS(X)
#undef X
    STMT_COUNT
};

#endif
