"""The store of another version of the program, and one that is damaged: migrated as a whole, or refused and left as it was."""

import hashlib
import sqlite3

import pytest

from roster import fetch, items_of
from server import poll

# As it was released; sessman/store/schema.c, version 1.
VERSION_1 = """
CREATE TABLE meta(name TEXT PRIMARY KEY NOT NULL, value BLOB) WITHOUT ROWID;
CREATE TABLE domain(name TEXT PRIMARY KEY NOT NULL, registration INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE account(
 id INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL REFERENCES domain(name), local TEXT NOT NULL,
 admin INTEGER NOT NULL DEFAULT 0, roster_version INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,
 created_ms INTEGER NOT NULL, UNIQUE(domain, local));
CREATE TABLE credential(
 account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, hash INTEGER NOT NULL, salt BLOB NOT NULL,
 iterations INTEGER NOT NULL, stored BLOB NOT NULL, server BLOB NOT NULL, PRIMARY KEY(account, hash)) WITHOUT ROWID;
CREATE TABLE roster(
 account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, jid TEXT NOT NULL, name TEXT, state INTEGER NOT NULL,
 groups TEXT, request BLOB, PRIMARY KEY(account, jid)) WITHOUT ROWID;
CREATE TABLE journal(
 pos INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,
 at_ms INTEGER NOT NULL, peer TEXT NOT NULL, stanza BLOB NOT NULL);
CREATE INDEX journal_account ON journal(account);
"""
KEPT = {"meta": "name, value", "domain": "name, registration",
        "account": "id, domain, local, admin, roster_version, delivered, created_ms",
        "credential": "account, hash, salt, iterations, stored, server"}


def path_of(server):
    return server.dir / "data" / "bulkhead.db"


def digest(server):
    return hashlib.sha256(path_of(server).read_bytes()).hexdigest()


def version_of(server):
    db = sqlite3.connect(path_of(server))
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def remove_store(server):
    for path in path_of(server).parent.glob("bulkhead.db*"):
        path.unlink()


@pytest.fixture
def old(server, person):
    """An account in a store of version 1, with a contact and messages that waited; the server is stopped."""
    juliet = person("juliet")
    server.check(server.stop())
    now = sqlite3.connect(path_of(server))
    application = now.execute("PRAGMA application_id").fetchone()[0]
    rows = {table: now.execute("SELECT %s FROM %s" % (columns, table)).fetchall() for table, columns in KEPT.items()}
    account, = now.execute("SELECT id FROM account WHERE local = ?", (juliet.user,)).fetchone()
    now.close()
    remove_store(server)
    db = sqlite3.connect(path_of(server))
    db.executescript(VERSION_1)
    db.execute("PRAGMA application_id = %d" % application)
    db.execute("PRAGMA user_version = 1")
    for table, columns in KEPT.items():
        kept = [row for row in rows[table] if table != "meta" or row[0] == "secret"]
        db.executemany("INSERT INTO %s(%s) VALUES(%s)" % (table, columns, ",".join("?" * len(columns.split(",")))), kept)
    db.execute("INSERT INTO roster VALUES(?, 'romeo@im.example', 'Romeo', 33, NULL, NULL)", (account,))
    for n in range(250):
        stanza = "<message from='romeo@im.example/x' to='%s' id='%d' type='chat'><body>%d</body></message>" % (juliet.jid, n, n)
        db.execute("INSERT INTO journal(account, at_ms, peer, stanza) VALUES(?, ?, 'romeo@im.example', ?)",
                   (account, 1700000000000 + n, stanza.encode()))
    db.commit()
    db.close()
    yield juliet
    if server.process.poll() is not None:
        remove_store(server)
        server.run("init", *[arg for d in server.domains for arg in ("--domain", d)], check=False)


def starts(server):
    server.launch()
    assert server.ready(), server.log_tail()


def refuses(server):
    """Gives back what the supervisor had to say of it."""
    server.launch()
    poll("the supervisor to give up", lambda: server.process.poll() is not None)
    assert server.process.returncode != 0
    return (server.dir / "supervisor.out").read_text()


def test_version_1_is_migrated(server, old):
    """Accounts, passwords, rosters, and what waited: in order, once, as old as it is."""
    starts(server)
    hers = old.login("chamber")
    hers.send("<presence/>")
    got = []
    while len(got) < 250:
        it = hers.expect("message")
        assert it.find("{urn:xmpp:delay}delay").get("stamp").startswith("2023-11-14T22:13:")
        got.append(int(it.get("id")))
    assert got == list(range(250))
    hers.settle()
    hers.expect_nothing("message")
    assert version_of(server) == 4
    server.restart()
    again = old.login("chamber")
    again.send("<presence/>")
    again.settle()
    again.expect_nothing("message")
    assert items_of(fetch(again))["romeo@im.example"].subscription == "to"


def test_migration_that_fails_changes_nothing(server, old):
    """One transaction: a table that stands in its way leaves version 1 as it was."""
    db = sqlite3.connect(path_of(server))
    db.execute("CREATE TABLE token(mine)")
    db.commit()
    db.close()
    refuses(server)
    db = sqlite3.connect(path_of(server))
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert db.execute("SELECT count(*), max(peer) FROM journal").fetchone() == (250, "romeo@im.example")
    db.execute("DROP TABLE token")
    db.commit()
    db.close()
    starts(server)
    assert version_of(server) == 4


@pytest.mark.parametrize("what", ["newer", "another program's", "damaged", "not a database"])
def test_what_cannot_be_read_is_refused_and_left(server, what):
    """At start, by name, with nothing overwritten."""
    server.check(server.stop())
    whole = path_of(server).read_bytes()
    if what in ("newer", "another program's"):
        db = sqlite3.connect(path_of(server))
        db.execute("PRAGMA user_version = 99" if what == "newer" else "PRAGMA application_id = 1")
        db.commit()
        db.close()
    elif what == "damaged":
        path_of(server).write_bytes(whole[:100] + b"\x5a" * 3996 + whole[4096:])
    else:
        path_of(server).write_bytes(b"these are no tables\n" * 1000)
    before = digest(server)
    said = refuses(server)
    assert digest(server) == before
    assert "bulkhead.db" in said
    path_of(server).write_bytes(whole)
    starts(server)
