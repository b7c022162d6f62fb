"""What the operator looks at, by ad-hoc commands: daemons, figures, logs, certificates, components (sessman/mod/operator.c)."""

import os
import signal

import pytest

from client import NS_COMMANDS, NS_DATA, NS_DISCO_ITEMS, q
from component import Component
from forms import submit, values
from frames import CONTROL, Edge
from server import poll

ECHO = "echo.im.example"
SERVER = {"http": True, "s2s": True, "processes": {"c2s": 2}, "components": {ECHO: "secret of echo"}}
OURS = "urn:bulkhead:commands:"
ALL = {"router-1", "c2s-1", "c2s-2", "s2s-1", "httpgw-1", "sessman-1"}


@pytest.fixture
def boss(admin):
    return admin.login("desk")


def command(client, name, **fields):
    """The answer to a command that is run with its first step."""
    form = submit(**fields) if fields else ""
    reply = client.ask("set", "<command xmlns='%s' node='%s%s' action='execute'>%s</command>" % (NS_COMMANDS, OURS, name, form),
                       to=client.server_name)
    return reply


def table(client, name, **fields):
    """Its rows: {column: text}, and the columns that it has announced."""
    reply = command(client, name, **fields)
    assert reply.get("type") == "result", name
    form = reply.find(q(NS_COMMANDS, "command")).find(q(NS_DATA, "x"))
    columns = [field.get("var") for field in form.find(q(NS_DATA, "reported"))]
    rows = [{var: "".join(texts) for var, texts in values(item).items()} for item in form.iter(q(NS_DATA, "item"))]
    for row in rows:
        assert set(row) == set(columns)
    return rows


def test_they_are_listed_to_administrators_only(boss, person):
    for client, listed in ((boss, True), (person("romeo").login(), False)):
        reply = client.ask("get", "<query xmlns='%s' node='%s'/>" % (NS_DISCO_ITEMS, NS_COMMANDS), to="im.example")
        nodes = {el.get("node") for el in reply.iter(q(NS_DISCO_ITEMS, "item"))}
        for name in ("daemons", "figures", "log", "certificates", "components"):
            assert (OURS + name in nodes) == listed, name


@pytest.mark.parametrize("name", ["daemons", "figures", "log", "certificates", "components"])
def test_nobody_else_may(person, name):
    reply = command(person("romeo").login(), name)
    assert reply.get("type") == "error" and b"bulkhead_" not in str(reply).encode()


def test_daemons(boss, server):
    rows = {row["daemon"]: row for row in table(boss, "daemons")}
    assert set(rows) == ALL
    assert {name: row["role"] for name, row in rows.items()} == {
        "router-1": "router", "c2s-1": "edge", "c2s-2": "edge", "s2s-1": "s2s", "httpgw-1": "edge", "sessman-1": "sessman"}
    for row in rows.values():
        assert row["ready"] == "1" and row["version"] == rows["router-1"]["version"] != ""
        assert int(row["uptime"]) >= 0 and float(row["cpu"]) >= 0 and int(row["memory"]) > 500000
    assert int(rows["c2s-1"]["sessions"]) + int(rows["c2s-2"]["sessions"]) == int(rows["sessman-1"]["sessions"]) == 1


def test_a_daemon_that_hangs_is_told_as_not_ready(boss, server):
    with server.without("s2s"):
        rows = {row["daemon"]: row for row in table(boss, "daemons")}
        assert {name: row["ready"] for name, row in rows.items()} == {**dict.fromkeys(ALL, "1"), "s2s-1": "0"}
        assert rows["s2s-1"]["version"] == rows["s2s-1"]["memory"] == ""


def test_figures(boss):
    rows = table(boss, "figures")
    by_daemon = {}
    for row in rows:
        figures = by_daemon.setdefault(row["daemon"], {})
        assert row["figure"] not in figures, row
        figures[row["figure"]] = int(row["value"])
    assert set(by_daemon) == ALL
    for figures in by_daemon.values():
        assert figures["loop.longest_turn_us"] > 0 and figures["cpu_us"] > 0 and figures["pss_kib"] > 0
    sessman = by_daemon["sessman-1"]
    assert sessman["sessions"] == sessman["bulkhead_sessman_sessions"] == 1
    assert {"store.waiting", "store.commit_us_max", "links.waiting_bytes", "links.nodes.unacked_bytes", "links.up",
            "bulkhead_sessman_outbox", "bulkhead_sessman_commit_seconds_p99_us", "bulkhead_sessman_held"} <= set(sessman)
    assert {"peers.queue_bytes", "bulkhead_router_waiting_bytes_most"} <= set(by_daemon["router-1"])
    assert {"sessions", "links.nodes.unacked_bytes", "bulkhead_c2s_unread"} <= set(by_daemon["c2s-1"])
    assert {"queued", "bulkhead_s2s_queued"} <= set(by_daemon["s2s-1"])


def test_only_some_figures(boss):
    rows = table(boss, "figures", figures=["loop.", "", "bulkhead_sessman_commit"])
    names = {row["figure"] for row in rows}
    assert {row["daemon"] for row in rows} == ALL
    assert "loop.turns" in names and "bulkhead_sessman_commit_seconds_count" in names
    assert all(name.startswith(("loop.", "bulkhead_sessman_commit")) for name in names)
    assert table(boss, "figures", figures=["no such figure"]) == []


def test_log(boss, server):
    rows = table(boss, "log")
    assert {row["daemon"] for row in rows} == ALL
    assert [row["line"][:24] for row in rows] == sorted(row["line"][:24] for row in rows)
    for row in rows:
        assert " daemon=%s " % row["daemon"] in row["line"]
        assert row["line"] in (server.dir / "log" / (row["daemon"] + ".log")).read_text().splitlines()


def test_log_of_one_daemon_by_level_and_number(boss):
    rows = table(boss, "log", daemon="sessman-1", level="info", lines="3")
    assert len(rows) == 3 and {row["daemon"] for row in rows} == {"sessman-1"}
    for row in table(boss, "log", level="warn"):
        assert "level=warn" in row["line"] or "level=error" in row["line"]
    assert table(boss, "log", daemon="nobody-7") == []


@pytest.mark.parametrize("fields", [{"lines": "0"}, {"lines": "501"}, {"lines": "x"}, {"level": "loud"}, {"level": "info 10"}], ids=str)
def test_log_refuses(boss, fields):
    assert command(boss, "log", **fields).get("type") == "error"


def test_certificates(boss, server):
    rows = table(boss, "certificates")
    assert {row["daemon"] for row in rows} == ALL - {"sessman-1"}
    for row in rows:
        assert "im.example" in row["names"] and row["issuer"]
        assert row["not-after"].endswith("Z") and int(row["days-left"]) > 3000


def test_components(boss, server, connections):
    assert table(boss, "components") == [] or ECHO not in {row["name"] for row in table(boss, "components")}
    it = Component(server, ECHO)
    connections.append(it)
    it.handshake("secret of echo")
    row, = poll("the name", lambda: [row for row in table(boss, "components") if row["name"] == ECHO])
    assert row["router"] == "unix:run/router.sock"


LIES = """version <b>1</b> & more
ready 1
cpu_us 18446744073709551615
pss_kib x
uptime_s -1
sessions many
bulkhead_c2s_sessions 666
<x/> 1
a b 2
%s 3
x %s
""" % ("n" * 5000, "9" * 5000)


def test_35_an_edge_that_lies_in_its_figures(server, boss, connections):
    """Its own rows are what it makes of them; what has no form of a figure is left out."""
    import threading
    evil = Edge(server)
    connections.append(evil.stream)
    evil.up()
    ended = threading.Event()

    def lie():
        while not ended.is_set() and not evil.stream.eof:
            evil.pump(0.1)
            for frame in [f for f in evil.inbox if f.is_control("ask")]:
                evil.inbox.remove(frame)
                evil.raw(CONTROL, "<told xmlns='urn:bulkhead:session:0' id='%s'>%s</told>" % (
                    frame.element().get("id"), LIES.replace("&", "&amp;").replace("<", "&lt;")))
    lies = threading.Thread(target=lie)
    lies.start()
    try:
        figures = table(boss, "figures")
        daemons = {row["daemon"]: row for row in table(boss, "daemons")}
        assert set(daemons) == ALL | {"evil-1"} and daemons["evil-1"]["version"] == "<b>1</b> & more"
        assert table(boss, "log") and table(boss, "certificates")
    finally:
        ended.set()
        lies.join()
    own = {row["figure"]: row["value"] for row in figures if row["daemon"] == "evil-1"}
    assert own == {"ready": "1", "uptime_s": "-1", "bulkhead_c2s_sessions": "666"}
    assert [row["value"] for row in figures if row["figure"] == "bulkhead_c2s_sessions"].count("666") == 1


def test_asked_when_the_session_manager_stops(server, boss, admin):
    """A command that waits for a daemon that hangs holds up no stop."""
    pid, = [pid for pid, name in server.daemons().items() if "sessman" in name]
    with server.without("s2s"):
        boss.send("<iq type='set' id='last' to='im.example'><command xmlns='%s' node='%sdaemons'/></iq>" % (NS_COMMANDS, OURS))
        other = admin.login("other")
        other.cut()
        os.kill(pid, signal.SIGTERM)
        poll("the end of the session manager", lambda: pid not in server.daemons())
    poll("everybody", lambda: server.run("users", server.domain, check=False).returncode == 0 and server.answers())
    server.pids = server.daemons()
