"""Who has done what: commands over every face, and what comes over the HTTP API, as rows and log lines (PEERS 38, 40)."""

import sqlite3

import pytest

from api import OURS, Api, form_of
from client import error_of, q
from forms import ADMIN, run, submit, values
from frames import Edge

SERVER = {"conf": {"sessman.conf": "[audit]\nentries = 50\n"}}
ADD, NUM = ADMIN + "add-user", ADMIN + "get-registered-users-num"


@pytest.fixture
def boss(admin):
    return admin.login("desk")


@pytest.fixture
def edge(server, connections):
    it = Edge(server)
    connections.append(it.stream)
    return it.up()


def entries(client, **fields):
    reply = client.ask("set", "<command xmlns='http://jabber.org/protocol/commands' node='%saudit'>%s</command>" % (
        OURS, submit(max="1000", **fields)), to="im.example")
    return [{k: v[0] if v else "" for k, v in values(item).items()} for item in reply.iter(q("jabber:x:data", "item"))]


def newest(client, **fields):
    return entries(client, **fields)[0]


def test_command_of_a_client(boss, person):
    run(boss, ADD, accountjid="noted@im.example", password="secret of noted")
    row = newest(boss, what=ADD)
    assert row["who"] == boss.jid and row["means"] == "client" and row["address"] in ("127.0.0.1", "::1")
    assert (row["whom"], row["outcome"]) == ("noted@im.example", "done")
    assert row["at"].endswith("Z") and int(row["id"]) > 0


def test_outcome_is_what_was_answered(boss):
    run(boss, ADD, accountjid="admin@im.example", password="x")
    assert newest(boss, what=ADD)["outcome"] == "conflict"


def test_command_of_bulkheadctl(server, boss):
    server.run("adduser", "by-tool@im.example", "pw")
    row = newest(boss, what=ADD)
    assert (row["who"], row["means"], row["whom"], row["outcome"]) == ("admin", "tool", "by-tool@im.example", "done")


def test_commands_of_the_api(edge, boss, admin):
    api = Api(edge).login(user=admin.user, password=admin.password)
    got = form_of(api.run(OURS + "token-issue", label="x", scopes=["commands"]))
    row = newest(boss, what=OURS + "token-issue")
    assert (row["who"], row["means"], row["address"]) == (api.jid, "password", "192.0.2.1")
    token = Api(edge).login(got["token"][0])
    token.run(ADD, accountjid="by-token@im.example", password="pw")
    row = newest(boss, what=ADD)
    assert (row["who"], row["means"], row["address"]) == (token.jid, "token " + got["id"][0], "192.0.2.1")


def test_messages_of_the_api(edge, boss, people):
    romeo, juliet = people("romeo", "juliet")
    her = juliet.login().online()
    api = Api(edge).login(user=romeo.user, password=romeo.password)
    api.message(her.jid, "a text that is nobody's")
    her.expect("message", body="a text that is nobody's")
    row = newest(boss, who=romeo.jid)
    assert (row["what"], row["whom"], row["outcome"], row["means"]) == ("message", juliet.jid, "done", "password")


def test_what_was_refused(edge, boss, people):
    """Commands by who may not, and what the API does not do."""
    romeo, = people("romeo")
    assert error_of(run(romeo.login(), ADD).reply)[1] == "forbidden"
    assert (newest(boss, who=romeo.jid)["what"], newest(boss, who=romeo.jid)["outcome"]) == (ADD, "forbidden")
    api = Api(edge).login(user=romeo.user, password=romeo.password)
    api.ask("get", "<query xmlns='jabber:iq:roster'/>")
    assert (newest(boss, who=romeo.jid)["what"], newest(boss, who=romeo.jid)["outcome"]) == ("query", "forbidden")


def test_nothing_secret_is_noted(server, boss):
    """No value of a form but the addressee: neither rows nor log lines have the password."""
    run(boss, ADD, accountjid="secret@im.example", password="xyzzy-the-password")
    run(boss, ADMIN + "change-user-password", accountjid="secret@im.example", password="plugh-the-password")
    boss.settle()
    db = sqlite3.connect(server.dir / "data" / "bulkhead.db")
    rows = repr(db.execute("SELECT * FROM audit").fetchall())
    db.close()
    logs = "".join(path.read_text() for path in server.log_files())
    assert "secret@im.example" in rows and "ev=audit" in logs
    for password in ("xyzzy-the-password", "plugh-the-password"):
        assert password not in rows and password not in logs


def test_what_only_looks_is_noted_once(boss, admin):
    """A page that asks every second does not push out what was done."""
    for _ in range(20):
        run(boss, NUM)
    run(admin.login("other desk"), NUM)
    assert len(entries(boss, what=NUM)) == 1


def test_it_is_for_administrators(person):
    assert error_of(run(person("romeo").login(), OURS + "audit").reply)[1] == "forbidden"


def test_pages(boss):
    for n in range(4):
        run(boss, ADD, accountjid="page%d@im.example" % n, password="pw")
    all_of_it = entries(boss, what=ADD)
    assert [row["whom"] for row in all_of_it[:4]] == ["page%d@im.example" % n for n in (3, 2, 1, 0)]
    assert entries(boss, what=ADD, before=all_of_it[1]["id"])[0]["whom"] == "page1@im.example"


def test_nobody_pushes_out_what_administrators_did(server, boss, person):
    """PEERS 40: an ordinary user who fills the record fills his own part of it."""
    run(boss, ADD, accountjid="kept@im.example", password="pw")
    romeo = person("romeo").login()
    for n in range(300):
        run(romeo, OURS + "token-revoke", id=str(n + 1))
    listed = entries(boss)
    assert [row for row in listed if row["whom"] == "kept@im.example"]
    assert len([row for row in listed if row["who"] == romeo.jid]) <= 50 + 64
