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
    X(DOMAIN_ALL, "SELECT name, registration, offline, archive, archive_days, archive_bytes, expired, anonymous FROM domain ORDER BY name")                                             \
    X(DOMAIN_ADD, "INSERT INTO domain(name, registration) VALUES(?1, ?2)")                                           \
    X(DOMAIN_SET, "UPDATE domain SET registration = ?2 WHERE name = ?1")                                             \
    X(DOMAIN_DEL, "DELETE FROM domain WHERE name = ?1")                                                              \
    /* accounts: ?1 domain ?2 local */                                                                               \
    X(ACCOUNT_GET, "SELECT id, admin, roster_version, delivered, created_ms, coalesce(offline_limit, -2), archive," \
                   " EXISTS(SELECT 1 FROM push WHERE push.account = account.id), disabled, anonymous FROM account WHERE domain = ?1 AND local = ?2") \
    X(ACCOUNT_ADD, "INSERT INTO account(domain, local, admin, created_ms) VALUES(?1, ?2, ?3, ?4)")                   \
    X(ACCOUNT_DEL, "DELETE FROM account WHERE domain = ?1 AND local = ?2")                                           \
    X(ACCOUNT_LIST, "SELECT local FROM account WHERE domain = ?1 AND local > ?2 ORDER BY local LIMIT ?3")            \
    X(ACCOUNT_ADMIN, "UPDATE account SET admin = ?3 WHERE domain = ?1 AND local = ?2")                               \
    X(ACCOUNT_COUNT, "SELECT count(*) FROM account WHERE domain = ?1")                                               \
    X(ACCOUNT_DISABLE, "UPDATE account SET disabled = ?3 WHERE domain = ?1 AND local = ?2")                          \
    X(ACCOUNT_DISABLED, "SELECT disabled FROM account WHERE domain = ?1 AND local = ?2")                             \
    X(DISABLED_ANY, "SELECT EXISTS(SELECT 1 FROM account WHERE disabled <> 0)")                                      \
    X(DISABLED_LIST, "SELECT local FROM account WHERE domain = ?1 AND local > ?2 AND disabled <> 0 ORDER BY local LIMIT ?3")\
    X(DISABLED_COUNT, "SELECT count(*) FROM account WHERE domain = ?1 AND disabled <> 0")                            \
    X(ADMIN_LIST, "SELECT local FROM account WHERE domain = ?1 AND local > ?2 AND admin <> 0 ORDER BY local LIMIT ?3")\
    X(ACCOUNT_DELIVERED, "UPDATE account SET delivered = ?2 WHERE id = ?1 AND delivered < ?2")                       \
    X(ACCOUNT_OFFLINE_LIMIT, "UPDATE account SET offline_limit = ?2 WHERE id = ?1")                                  \
    X(LAST_GET, "SELECT last_ms, last_status FROM account WHERE id = ?1")                                            \
    X(LAST_SET, "UPDATE account SET last_ms = coalesce(?2, last_ms), last_status = ?3 WHERE id = ?1")                \
    X(LAST_TOUCH, "UPDATE account SET last_ms = ?2 WHERE id = ?1")                                                   \
    X(DOMAIN_OFFLINE, "UPDATE domain SET offline = ?2 WHERE name = ?1")                                              \
    X(DOMAIN_ANONYMOUS, "UPDATE domain SET anonymous = ?2 WHERE name = ?1")                                          \
    /* accounts of nobody in particular */                                                                           \
    X(ANONYMOUS_ADD, "INSERT INTO account(domain, local, admin, created_ms, anonymous) VALUES(?1, ?2, 0, ?3, 1)")    \
    X(ANONYMOUS_COUNT, "SELECT count(*) FROM account WHERE anonymous <> 0")                                           \
    X(ANONYMOUS_BETWEEN, "UPDATE account SET anonymous = 2 WHERE id = ?1 AND anonymous = 1")                         \
    /* ?1 id ?2 now */                                                                                               \
    X(ANONYMOUS_DEL, "DELETE FROM account WHERE id = ?1 AND anonymous <> 0 AND NOT EXISTS(SELECT 1 FROM token t"      \
                     " WHERE t.account = account.id AND t.expires_ms > ?2)")                                         \
    /* ?1 now ?2 those before it have bound by now */                                                                \
    X(ANONYMOUS_LEFT, "SELECT id, domain, local FROM account WHERE anonymous <> 0 AND (anonymous = 2 OR created_ms <= ?2)" \
                      " AND NOT EXISTS(SELECT 1 FROM session s WHERE s.account = account.id"                         \
                      " AND coalesce(s.detached_ms, 0) <> -1)"                                                       \
                      " AND NOT EXISTS(SELECT 1 FROM token t WHERE t.account = account.id AND t.expires_ms > ?1)"    \
                      " ORDER BY id LIMIT ?3")                                                                       \
    /* credentials: ?1 domain ?2 local */                                                                            \
    X(CREDENTIAL_GET, "SELECT c.hash, c.salt, c.iterations, c.stored, c.server FROM credential c JOIN account a"     \
                      " ON a.id = c.account WHERE a.domain = ?1 AND a.local = ?2")                                   \
    X(CREDENTIAL_SET, "INSERT INTO credential(account, hash, salt, iterations, stored, server)"                      \
                      " SELECT id, ?3, ?4, ?5, ?6, ?7 FROM account WHERE domain = ?1 AND local = ?2"                 \
                      " ON CONFLICT(account, hash) DO UPDATE SET salt = excluded.salt,"                              \
                      " iterations = excluded.iterations, stored = excluded.stored, server = excluded.server")       \
    /* tokens: ?1 domain ?2 local ?3 user-agent id */                                                                \
    X(TOKEN_GET, "SELECT t.slot, t.mechanism, t.seed, t.expires_ms, t.counter, a.anonymous FROM token t JOIN account a"           \
                 " ON a.id = t.account WHERE a.domain = ?1 AND a.local = ?2 AND t.agent = ?3")                       \
    X(TOKEN_USE, "UPDATE token SET counter = CASE WHEN ?5 > counter THEN ?5 ELSE counter END"                        \
                 " WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2) AND agent = ?3"         \
                 " AND seed = ?4 AND (?5 = 0 OR ?5 > counter)")                                                      \
    X(TOKEN_REPLACED, "DELETE FROM token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)"  \
                      " AND agent = ?3 AND slot = 0 AND EXISTS(SELECT 1 FROM token n WHERE n.account = token.account" \
                      " AND n.agent = token.agent AND n.slot = 1 AND n.seed = ?4)")                                  \
    X(TOKEN_TAKEN, "UPDATE token SET slot = 0 WHERE account = (SELECT id FROM account WHERE domain = ?1"             \
                   " AND local = ?2) AND agent = ?3 AND slot = 1 AND seed = ?4")                                     \
    X(TOKEN_GIVE, "INSERT INTO token(account, agent, slot, mechanism, seed, expires_ms, counter)"                    \
                  " SELECT id, ?3, 1, ?4, ?5, ?6, 0 FROM account WHERE domain = ?1 AND local = ?2"                   \
                  " ON CONFLICT(account, agent, slot) DO UPDATE SET mechanism = excluded.mechanism,"                 \
                  " seed = excluded.seed, expires_ms = excluded.expires_ms, counter = 0")                            \
    X(TOKEN_TRIM, "DELETE FROM token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)"      \
                  " AND agent NOT IN (SELECT t.agent FROM token t JOIN account a ON a.id = t.account"                \
                  " WHERE a.domain = ?1 AND a.local = ?2 GROUP BY t.agent ORDER BY max(t.expires_ms) DESC LIMIT ?3)") \
    X(TOKEN_DROP, "DELETE FROM token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)"      \
                  " AND agent = ?3")                                                                                 \
    X(TOKEN_REVOKE, "DELETE FROM token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)")   \
    /* tokens of the API: ?1 domain ?2 local */                                                                      \
    X(API_TOKEN_GET, "SELECT t.id, t.label, t.scopes, t.created_ms, t.expires_ms, t.used_ms FROM api_token t"        \
                     " JOIN account a ON a.id = t.account WHERE a.domain = ?1 AND a.local = ?2 AND t.hash = ?3")     \
    X(API_TOKEN_LIST, "SELECT t.id, t.label, t.scopes, t.created_ms, t.expires_ms, t.used_ms FROM api_token t"       \
                      " JOIN account a ON a.id = t.account WHERE a.domain = ?1 AND a.local = ?2 AND t.expires_ms > ?3"\
                      " ORDER BY t.id")                                                                              \
    X(API_TOKEN_ADD, "INSERT INTO api_token(account, hash, label, scopes, created_ms, expires_ms)"                   \
                     " SELECT id, ?3, ?4, ?5, ?6, ?7 FROM account WHERE domain = ?1 AND local = ?2"                  \
                     " AND (SELECT count(*) FROM api_token WHERE api_token.account = account.id) < ?8")              \
    X(API_TOKEN_EXPIRE, "DELETE FROM api_token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)"\
                        " AND expires_ms <= ?3")                                                                     \
    X(API_TOKEN_DEL, "DELETE FROM api_token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)"\
                     " AND id = ?3")                                                                                 \
    X(API_TOKEN_REVOKE, "DELETE FROM api_token WHERE account = (SELECT id FROM account WHERE domain = ?1 AND local = ?2)")\
    /* ?1 id ?2 now ?3 a minute ago */                                                                               \
    X(API_TOKEN_USED, "UPDATE api_token SET used_ms = ?2 WHERE id = ?1 AND used_ms < ?3")                            \
    /* audit: ?1 whether of administrators */                                                                        \
    X(AUDIT_ADD, "INSERT INTO audit(admin, at_ms, who, means, address, what, whom, outcome)"                         \
                 " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                          \
    X(AUDIT_TRIM, "DELETE FROM audit WHERE admin = ?1 AND id <= (SELECT id FROM audit WHERE admin = ?1"              \
                  " ORDER BY id DESC LIMIT 1 OFFSET ?2)")                                                            \
    /* ?1 the oldest to be kept */                                                                                   \
    X(AUDIT_EXPIRE, "DELETE FROM audit WHERE id < (SELECT id FROM audit WHERE at_ms >= ?1 ORDER BY id LIMIT 1)")     \
    /* ?1 before ?2 who ?3 what ?4 rows */                                                                           \
    X(AUDIT_LIST, "SELECT id, at_ms, who, means, address, what, whom, outcome FROM audit WHERE id < ?1"              \
                  " AND (?2 = '' OR who = ?2 OR substr(who, 1, length(?2) + 1) = ?2 || '/')"                         \
                  " AND (?3 = '' OR what = ?3) ORDER BY id DESC LIMIT ?4")                                           \
    /* rosters: ?1 account id */                                                                                     \
    X(ROSTER_ALL, "SELECT jid, name, state, groups, request FROM roster WHERE account = ?1")                         \
    X(ROSTER_SET, "INSERT INTO roster(account, jid, name, state, groups, request) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"    \
                  " ON CONFLICT(account, jid) DO UPDATE SET name = excluded.name, state = excluded.state,"           \
                  " groups = excluded.groups, request = excluded.request")                                           \
    X(ROSTER_DEL, "DELETE FROM roster WHERE account = ?1 AND jid = ?2")                                              \
    X(ROSTER_VERSION, "UPDATE account SET roster_version = ?2 WHERE id = ?1")                                        \
    /* push services: ?1 account id ?2 jid ?3 node */                                                                \
    X(PUSH_ALL, "SELECT jid, node, options, resource FROM push WHERE account = ?1")                                  \
    X(PUSH_SET, "INSERT INTO push(account, jid, node, options, resource) VALUES(?1, ?2, ?3, ?4, ?5)"                 \
                " ON CONFLICT(account, jid, node) DO UPDATE SET options = excluded.options,"                         \
                " resource = excluded.resource")                                                                     \
    X(PUSH_DEL, "DELETE FROM push WHERE account = ?1 AND jid = ?2 AND node = ?3")                                    \
    /* sessions: ?1 row */                                                                                           \
    X(SESSION_ADD, "INSERT INTO session(id, account, resource, edge, edge_session) VALUES(?1, ?2, ?3, ?4, ?5)")      \
    X(SESSION_STATE, "UPDATE session SET state = ?2 WHERE id = ?1")                                                  \
    X(SESSION_PLACE, "UPDATE session SET edge = ?2, edge_session = ?3, sm = ?4, hibernate_s = ?5, detached_ms = ?6"  \
                     " WHERE id = ?1")                                                                               \
    X(SESSION_COUNT, "UPDATE session SET sm_in = ?2 WHERE id = ?1")                                                  \
    X(SESSION_OVER, "UPDATE session SET detached_ms = -1 WHERE id = ?1")                                             \
    X(SESSION_DEL, "DELETE FROM session WHERE id = ?1")                                                              \
    X(SESSION_AFTER, "SELECT s.id, a.domain, a.local, s.resource, s.edge, s.edge_session, s.sm, s.sm_in, s.hibernate_s," \
                     " s.detached_ms, s.state FROM session s JOIN account a ON a.id = s.account WHERE s.id > ?1"     \
                     " ORDER BY s.id LIMIT ?2")                                                                      \
    /* edges: ?1 node */                                                                                             \
    X(EDGE_ALL, "SELECT node, instance, incarnation, done, beyond, s2s FROM edge")                                   \
    X(EDGE_PUT, "INSERT INTO edge(node, instance, incarnation, done, beyond, seen_ms, s2s)"                          \
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"                                                                \
                " ON CONFLICT(node) DO UPDATE SET instance = excluded.instance, incarnation = excluded.incarnation," \
                " done = excluded.done, beyond = excluded.beyond, seen_ms = excluded.seen_ms")                       \
    X(EDGE_MARK, "UPDATE edge SET done = ?2, beyond = ?3 WHERE node = ?1")                                           \
    X(EDGE_DEL, "DELETE FROM edge WHERE node = ?1")                                                                  \
    /* uploads: ?1 account id ?2 now ?3 bytes ?4 a day ago ?5 files and ?6 bytes of a day ?7 quota ?8 kept until */  \
    X(UPLOAD_ADD, "INSERT INTO upload(account, at_ms, keep_ms, bytes, path) SELECT ?1, ?2, ?8, ?3, ?9"               \
                  " WHERE (SELECT count(*) < ?5 AND coalesce(sum(bytes), 0) + ?3 <= ?6 FROM upload"                  \
                  " WHERE account = ?1 AND at_ms > ?4)"                                                              \
                  " AND (SELECT coalesce(sum(bytes), 0) + ?3 <= ?7 FROM upload WHERE account = ?1 AND keep_ms > ?2)") \
    /* the newest row that must have left the day, and the last of those kept that must have gone */                 \
    X(UPLOAD_RETRY, "SELECT (SELECT max(at_ms) FROM (SELECT at_ms, row_number() OVER newest AS n,"                   \
                    " sum(bytes) OVER newest AS newer FROM upload WHERE account = ?1 AND at_ms > ?4"                 \
                    " WINDOW newest AS (ORDER BY at_ms DESC, id DESC)) AS day WHERE n >= ?5 OR newer + ?3 > ?6),"    \
                    " (SELECT max(keep_ms) FROM (SELECT keep_ms, sum(bytes) OVER (ORDER BY keep_ms DESC, id DESC)"   \
                    " AS longer FROM upload WHERE account = ?1 AND keep_ms > ?2) AS kept WHERE longer + ?3 > ?7)")   \
    X(UPLOAD_EXPIRE, "DELETE FROM upload WHERE id IN (SELECT id FROM upload WHERE keep_ms <= ?1 AND at_ms <= ?2"     \
                     " ORDER BY keep_ms LIMIT ?3)")                                                                  \
    X(UPLOAD_LIST, "SELECT u.path, u.bytes, u.at_ms, u.keep_ms FROM upload u JOIN account a ON a.id = u.account"     \
                   " WHERE a.domain = ?1 AND a.local = ?2 AND u.keep_ms > ?3 ORDER BY u.at_ms DESC, u.id DESC LIMIT ?4") \
    /* for other servers: ?1 id */                                                                                   \
    X(OUTBOX_COUNT, "SELECT count(*) FROM outbox")                                                                   \
    X(OUTBOX_ADD, "INSERT INTO outbox(id, at_ms, domain, stanza) VALUES(?1, ?2, ?3, ?4)")                            \
    X(OUTBOX_AFTER, "SELECT id, at_ms, domain, stanza FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2")               \
    X(OUTBOX_DEL, "DELETE FROM outbox WHERE id BETWEEN ?1 AND ?2")                                                   \
    /* journal: ?1 account id */                                                                                     \
    X(JOURNAL_TOP, "SELECT (SELECT max(pos) FROM journal), (SELECT value FROM meta WHERE name = 'journal_top'),"      \
                   " coalesce((SELECT max(max_ms) FROM landmark), 0)")                                               \
    X(JOURNAL_ADD, "INSERT INTO journal(pos, at_ms, flags, owner, owner_peer, sender, sender_peer, holder, n, stanza)" \
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                               \
    /* ?1 first ?2 last, of rows that are settled */                                                                 \
    X(JOURNAL_DROP, "DELETE FROM journal WHERE pos >= ?1 AND pos <= ?2 AND flags < 2")                               \
    /* undelivered: ?1 account ?2 its cursor; entries must have been flushed */                                      \
    X(JOURNAL_AFTER, "SELECT j.pos, j.at_ms, j.flags, e.peer, j.stanza FROM entry e CROSS JOIN journal j"            \
                     " WHERE e.account = ?1 AND e.pos > ?2 AND j.pos = e.pos AND j.owner = ?1 AND (j.flags & 1) <> 0" \
                     " ORDER BY e.pos LIMIT ?3")                                                                     \
    /* one of them: ?3 */                                                                                             \
    X(JOURNAL_WAITING, "SELECT pos, at_ms, flags, coalesce(owner_peer, 0), stanza FROM journal"                      \
                       " WHERE pos = ?3 AND pos > ?2 AND owner = ?1 AND (flags & 1) <> 0")                           \
    X(JOURNAL_COUNT, "SELECT e.peer, count(*) FROM entry e CROSS JOIN journal j WHERE e.account = ?1 AND e.pos > ?2" \
                     " AND j.pos = e.pos AND j.owner = ?1 AND (j.flags & 1) <> 0 GROUP BY e.peer")                   \
    X(JOURNAL_HELD, "SELECT j.pos, j.at_ms, j.flags, j.n, j.stanza, e.peer FROM entry e CROSS JOIN journal j"                \
                    " WHERE e.account = ?1 AND e.pos > ?2 AND j.pos = e.pos AND j.owner = ?1 AND (j.flags & 1) <> 0" \
                    " AND j.holder = ?3 ORDER BY j.n LIMIT ?4")                                                      \
    /* a session row has it unacknowledged: ?1 pos ?2 the row ?3 its stanza number there (smqueue.h) */               \
    X(JOURNAL_HOLD, "UPDATE journal SET holder = ?2, n = ?3 WHERE pos = ?1")                                         \
    /* settled: ?1 pos ?2 owner */                                                                                   \
    X(JOURNAL_CLEAR, "UPDATE journal SET flags = flags & ~1 WHERE pos = ?1 AND owner = ?2")                          \
    X(JOURNAL_DROP_EMPTY, "DELETE FROM journal WHERE pos = ?1 AND owner = ?2 AND flags = 0")                         \
    X(ENTRY_DROP_EMPTY, "DELETE FROM entry WHERE account = ?2 AND pos = ?1"                                          \
                        " AND NOT EXISTS (SELECT 1 FROM journal WHERE pos = ?1)")                                    \
    /* not settled after all: ?1 account ?2 pos; in this order */                                                    \
    X(JOURNAL_CLEAR_BEHIND, "UPDATE journal SET flags = flags & ~1 WHERE pos > ?2"                                   \
                            " AND pos <= (SELECT delivered FROM account WHERE id = ?1) AND owner = ?1")              \
    X(ACCOUNT_CURSOR_BACK, "UPDATE account SET delivered = ?2 - 1 WHERE id = ?1 AND delivered >= ?2")                \
    X(JOURNAL_MARK, "UPDATE journal SET flags = flags | 1 WHERE pos = ?2 AND owner = ?1")                            \
    X(ENTRY_AGAIN, "INSERT INTO entry(account, pos, peer) SELECT owner, pos, coalesce(owner_peer, 0) FROM journal"   \
                   " WHERE pos = ?2 AND owner = ?1 ON CONFLICT DO NOTHING")                                          \
    X(ENTRY_ADD, "INSERT INTO entry(account, pos, peer) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")                  \
    X(ENTRY_DEL, "DELETE FROM entry WHERE account = ?1 AND pos = ?2")                                                \
    /* landmarks: rows before pos are not later than max_ms; those from pos on not earlier than at_ms */             \
    X(LANDMARK_ADD, "INSERT INTO landmark(pos, at_ms, max_ms) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")            \
    X(LANDMARK_LATER, "DELETE FROM landmark WHERE at_ms > ?1")                                                       \
    /* what accounts that are gone owned: ?1 account ?2 last position of this part */                                \
    X(GONE_ALL, "SELECT account FROM gone ORDER BY account LIMIT 100")                                               \
    X(GONE_DONE, "DELETE FROM gone WHERE account = ?1")                                                              \
    X(RECLAIM_NEXT, "SELECT max(pos) FROM (SELECT pos FROM entry WHERE account = ?1 ORDER BY pos LIMIT ?2)")         \
    X(RECLAIM_OWNED, "UPDATE journal SET flags = flags & 4, owner = NULL WHERE owner = ?1"                           \
                     " AND pos IN (SELECT pos FROM entry WHERE account = ?1 AND pos <= ?2)")                         \
    X(RECLAIM_SENT, "UPDATE journal SET flags = flags & ~4, sender = NULL WHERE sender = ?1"                         \
                    " AND pos IN (SELECT pos FROM entry WHERE account = ?1 AND pos <= ?2)")                          \
    X(RECLAIM_ROWS, "DELETE FROM journal WHERE flags = 0 AND pos IN (SELECT pos FROM entry WHERE account = ?1 AND pos <= ?2)") \
    X(RECLAIM_ENTRIES, "DELETE FROM entry WHERE account = ?1 AND pos <= ?2")                                         \
    /* retention: ?1 behind ?2 before (then: up to) ?3 domain ?4 1: what is undelivered stays ?5 rows */              \
    X(EXPIRE_NEXT, "SELECT max(pos), coalesce(sum(bytes), 0), count(*) FROM (" EXPIRE_BYTES ") AS part")              \
    X(EXPIRE_SIZES, EXPIRE_BYTES)                                                                                    \
    X(EXPIRE_OWNED, "DELETE FROM entry WHERE (account, pos) IN (SELECT j.owner, j.pos FROM journal j"                \
                    " WHERE j.pos > ?1 AND j.pos <= ?2 AND " EXPIRE_OWNER_GOES ")")                                  \
    X(EXPIRE_SENT, "DELETE FROM entry WHERE (account, pos) IN (SELECT j.sender, j.pos FROM journal j"                \
                   " WHERE j.pos > ?1 AND j.pos <= ?2 AND ?4 IS NOT NULL AND " EXPIRE_SENDER_GOES ")")               \
    X(EXPIRE_ROWS, "DELETE FROM journal AS j WHERE j.pos > ?1 AND j.pos <= ?2 AND (j.owner IS NULL OR " EXPIRE_OWNER_GOES ")" \
                   " AND (j.sender IS NULL OR " EXPIRE_SENDER_GOES ")")                                              \
    X(EXPIRE_OWNER, "UPDATE journal AS j SET flags = flags & 4, owner = NULL WHERE j.pos > ?1 AND j.pos <= ?2 AND " EXPIRE_OWNER_GOES) \
    X(EXPIRE_SENDER, "UPDATE journal AS j SET flags = flags & 3, sender = NULL WHERE j.pos > ?1 AND j.pos <= ?2"     \
                     " AND ?4 IS NOT NULL AND " EXPIRE_SENDER_GOES)                                                  \
    X(EXPIRE_REST, "DELETE FROM journal AS j WHERE j.pos > ?1 AND j.pos <= ?2 AND ?3 IS NOT NULL AND ?4 IS NOT NULL AND j.flags < 2" \
                   " AND (j.flags = 0 OR j.pos <= (SELECT delivered FROM account WHERE id = j.owner))")              \
    X(DOMAIN_EXPIRED, "UPDATE domain SET expired = ?2 WHERE name = ?1")                                              \
    X(DOMAIN_ARCHIVE, "UPDATE domain SET archive = ?2, archive_days = ?3, archive_bytes = ?4 WHERE name = ?1")       \
    /* at open: ?1 the position before which all is in order */                                                      \
    X(REPAIR_ENTRIES, "DELETE FROM entry WHERE (account, pos) IN (SELECT owner, pos FROM journal WHERE pos >= ?1 AND flags < 2" \
                      " AND (flags = 0 OR pos <= (SELECT delivered FROM account WHERE id = owner)))")                \
    X(REPAIR_DROP, "DELETE FROM journal WHERE pos >= ?1 AND flags < 2"                                               \
                   " AND (flags = 0 OR pos <= (SELECT delivered FROM account WHERE id = owner))")                    \
    X(REPAIR_OWNER, "INSERT INTO entry(account, pos, peer) SELECT owner, pos, coalesce(owner_peer, 0) FROM journal"  \
                    " WHERE pos >= ?1 AND owner IS NOT NULL AND (flags & 3) <> 0 ORDER BY owner, pos ON CONFLICT DO NOTHING") \
    X(REPAIR_SENDER, "INSERT INTO entry(account, pos, peer) SELECT sender, pos, coalesce(sender_peer, 0) FROM journal" \
                     " WHERE pos >= ?1 AND sender IS NOT NULL AND (flags & 4) <> 0 ORDER BY sender, pos ON CONFLICT DO NOTHING") \
    /* archives: ?1 account id; ?2 < pos < ?3; ?4 <= at_ms <= ?5; ?6 rows; WITH: ?7 peer. UP and DOWN are pages (STORE_PAGE_BYTES). */ \
    X(ARCHIVE_UP, ARCHIVE_ROWS(ARCHIVE_COLUMNS, "") " ORDER BY e.pos LIMIT ?6")                                      \
    X(ARCHIVE_DOWN, ARCHIVE_ROWS(ARCHIVE_COLUMNS, "") " ORDER BY e.pos DESC LIMIT ?6")                               \
    X(ARCHIVE_WITH_UP, ARCHIVE_ROWS(ARCHIVE_COLUMNS, ARCHIVE_PEER) " ORDER BY e.pos LIMIT ?6")                       \
    X(ARCHIVE_WITH_DOWN, ARCHIVE_ROWS(ARCHIVE_COLUMNS, ARCHIVE_PEER) " ORDER BY e.pos DESC LIMIT ?6")                \
    X(ARCHIVE_COUNT, "SELECT count(*) FROM (" ARCHIVE_ROWS("1", "") " LIMIT ?6) AS some")                            \
    X(ARCHIVE_WITH_COUNT, "SELECT count(*) FROM (" ARCHIVE_ROWS("1", ARCHIVE_PEER) " LIMIT ?6) AS some")             \
    X(ARCHIVE_HAS, "SELECT 1 FROM journal j WHERE j.pos = ?2 AND " ARCHIVE_OF)                                       \
    X(ARCHIVE_PREFS, "UPDATE account SET archive = ?2 WHERE id = ?1")                                                \
    X(LANDMARK_BEFORE, "SELECT pos FROM landmark WHERE max_ms < ?1 ORDER BY max_ms DESC, pos DESC LIMIT 1")          \
    X(LANDMARK_AFTER, "SELECT pos FROM landmark WHERE at_ms > ?1 ORDER BY at_ms, pos LIMIT 1")

/* What a domain's accounts do not keep of row j; NULL: there is no such side, or its account is gone (RECLAIM_…). */
#define EXPIRE_OWNER_GOES                                                                                            \
    "(SELECT a.domain = ?3 AND (?4 = 0 OR (j.flags & 1) = 0 OR j.pos <= a.delivered) FROM account a WHERE a.id = j.owner)"
#define EXPIRE_SENDER_GOES "(SELECT a.domain = ?3 FROM account a WHERE a.id = j.sender)"
#define EXPIRE_BYTES                                                                                                 \
    "SELECT j.pos AS pos, CASE WHEN (j.flags & 6) = 0 THEN 0 WHEN " EXPIRE_OWNER_GOES " THEN length(j.stanza)"       \
    " WHEN (SELECT a.domain = ?3 FROM account a WHERE a.id = j.owner) THEN 0 WHEN " EXPIRE_SENDER_GOES               \
    " THEN length(j.stanza) ELSE 0 END AS bytes FROM journal j WHERE j.pos > ?1 AND j.pos < ?2 ORDER BY j.pos LIMIT ?5"
/* Rows of one archive; 2 and 4: JOURNAL_KEEP_OWNER, JOURNAL_KEEP_SENDER (sessman/journal.h). */
#define ARCHIVE_OF "((j.owner = ?1 AND (j.flags & 2) <> 0) OR (j.sender = ?1 AND (j.flags & 4) <> 0))"
#define ARCHIVE_COLUMNS "j.pos, j.at_ms, j.stanza"
#define ARCHIVE_PEER " AND e.peer = ?7"
#define ARCHIVE_ROWS(columns, more)                                                                                  \
    "SELECT " columns " FROM entry e JOIN journal j ON j.pos = e.pos WHERE e.account = ?1 AND e.pos > ?2"            \
    " AND e.pos < ?3 AND j.at_ms >= ?4 AND j.at_ms <= ?5 AND " ARCHIVE_OF more

enum stmt {
#define X(id, sql) STMT_##id,
    STATEMENTS(X)
#undef X
    STMT_COUNT
};

#endif
