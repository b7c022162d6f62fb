"""An archive of many rows: filled through the database, asked for through XMPP.

The rows are those that sessman writes (sessman/store/schema.c, version 2). They are given no entries: "entry_low" says that the
index by account is behind, and sessman makes it when it opens the store, as after a crash."""
import base64
import os
import re
import socket
import sqlite3
import time

from measure import BenchError

KEEP_OWNER = 2
DAY_MS = 86400000


def store_path(folder):
    return os.path.join(folder, "data", "bulkhead.db")


def archive_switch(folder, on, days=0):
    """While the server is down: whether its domains archive, and for how many days (0: for ever)."""
    with sqlite3.connect(store_path(folder)) as db:
        db.execute("UPDATE domain SET archive = ?, archive_days = ?", (int(on), days))
    db.close()


def rows_left(folder, before_ms):
    with sqlite3.connect(f"file:{store_path(folder)}?mode=ro", uri=True) as db:
        (n,) = db.execute("SELECT count(*) FROM journal WHERE at_ms < ?", (before_ms,)).fetchone()
    db.close()
    return n


def fill(folder, domain, local, rows, newest_ms, step_ms=1000, alone=False):
    """While the server is down: so many archived messages for an account, the last at newest_ms. Their positions come before
    everything that the server will write. alone: what there is goes, for rows that are older than it."""
    with sqlite3.connect(store_path(folder)) as db:
        if alone:
            db.executescript("DELETE FROM journal; DELETE FROM entry; DELETE FROM landmark;")
        (account,) = db.execute("SELECT id FROM account WHERE domain = ? AND local = ?", (domain, local)).fetchone()
        (top,) = db.execute("SELECT coalesce(max(pos), 0) FROM journal").fetchone()
        row = db.execute("SELECT value FROM meta WHERE name = 'journal_top'").fetchone()
        first = max(top, int(row[0]) if row and row[0] is not None else 0) + 1

        def stanza(n):
            return (f"<message from='peer@{domain}/bench' to='{local}@{domain}' type='chat' id='fill-{n}'>"
                    f"<body>message {n} of an archive, long enough to be an ordinary one</body></message>").encode()
        db.executemany(
            "INSERT INTO journal(pos, at_ms, flags, owner, owner_peer, stanza) VALUES(?, ?, ?, ?, 0, ?)",
            ((first + n, newest_ms - (rows - 1 - n) * step_ms, KEEP_OWNER, account, stanza(n)) for n in range(rows)))
        db.execute("INSERT INTO meta(name, value) VALUES('journal_top', ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                   (first + rows + 1,))
        db.execute("INSERT INTO meta(name, value) VALUES('entry_low', ?) ON CONFLICT(name) DO UPDATE SET value = min(value, excluded.value)",
                   (first,))
    db.close()


class Asker:
    """A client that asks for pages, one after the other."""

    def __init__(self, port, domain, local, password):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.data, self.n = b"", 0
        header = f"<stream:stream to='{domain}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
        self.send(header)
        self.until(b"</stream:features>")
        secret = base64.b64encode(f"\0{local}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        if b"<success" not in self.until(b">"):
            raise BenchError("the archive's owner cannot log in")
        self.send(header)
        self.until(b"</stream:features>")
        self.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.until(b"</iq>")

    def send(self, text):
        self.sock.sendall(text.encode())

    def until(self, mark):
        while mark not in self.data:
            got = self.sock.recv(1 << 16)
            if not got:
                raise BenchError("the stream has ended")
            self.data += got
        at = self.data.index(mark) + len(mark)
        out, self.data = self.data[:at], self.data[at:]
        return out

    def page(self, rsm):
        """One page: how many messages, the first and the last id, seconds."""
        self.n += 1
        began = time.monotonic()
        self.send(f"<iq type='set' id='q{self.n}'><query xmlns='urn:xmpp:mam:2'>"
                  f"<set xmlns='http://jabber.org/protocol/rsm'>{rsm}</set></query></iq>")
        answer = self.until(b"</iq>")
        took = time.monotonic() - began
        if b"<fin" not in answer:
            raise BenchError(f"no page: {answer[-300:]!r}")
        ids = re.findall(rb"<result[^>]* id='([^']*)'", answer)
        return len(ids), ids[0].decode(), ids[-1].decode(), took

    def close(self):
        self.sock.close()
