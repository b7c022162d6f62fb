"""What daemons ask of each other over the router, in wrong hands (group 35 of the survey): an edge may have figures of all daemons,
and nothing else of them; a component nothing at all."""

import re

import pytest

import control
from component import Component, Component225
from frames import CONTROL, HEAD, NS_CONTROL, Edge
from hostile import SANITIZED, bystanders, outcome, unaffected     # noqa: F401
from server import poll

ECHO = "echo.im.example"
SERVER = {"http": True, "s2s": True, "components": {ECHO: "secret of echo"}}
pytestmark = pytest.mark.usefixtures("unaffected")


@pytest.fixture
def edge(server, connections):
    """edge(): an intruder with the secret of c2s."""
    def make(**how):
        it = Edge(server, **how)
        connections.append(it.stream)
        return it.up()
    return make


def ask(it, id, what, args=""):
    it.raw(CONTROL, "<ask xmlns='%s' id='%d' what='%s' args='%s'/>" % (NS_CONTROL, id, what, args))


def tell(it, id, text="", **attrs):
    it.raw(CONTROL, "<told xmlns='%s' id='%s'%s>%s</told>" % (
        NS_CONTROL, id, "".join(" %s='%s'" % pair for pair in attrs.items()), text))


def told(it, id):
    """All that is said to an ask: {instance: element}, and who says it is the router's word."""
    got, more = {}, None
    while more != 0:
        el = it.expect(lambda f: f.src == 0 and f.is_control("told") and f.element().get("id") == str(id)).element()
        more = int(el.get("more"))
        got[el.get("instance")] = el
    return got


def asked(it):
    """The id of the next ask that has come to it."""
    return it.expect(lambda f: f.src == 0 and f.is_control("ask")).element().get("id")


def test_35_figures_of_all_are_an_edge_s_to_have(server, edge):
    evil = edge()
    ask(evil, 7, "metrics")
    got = told(evil, 7)
    assert {name: el.get("role") for name, el in got.items()} == {
        "router-1": "router", "c2s-1": "edge", "s2s-1": "s2s", "httpgw-1": "edge", "sessman-1": "sessman"}
    for instance, el in got.items():
        assert not el.get("failed") and 'daemon="%s"' % instance in el.text
        assert int(el.get("node"), 16)


@pytest.mark.parametrize("what", ["log", "status", "figures", "certs", "metrics-json", "reload", "stop", "peers", "loglevel", "drain",
                                  "help", "METRICS", "metrics ", " metrics", "metrics\n", "x"])
def test_35_what_an_edge_may_not_ask(server, edge, what, bystanders):
    """Its link is closed, and nobody was asked."""
    evil, other = edge(), edge(instance="evil-2")
    before = control.counter(server, "bulkhead_router_refused", "router-1")
    ask(evil, 7, what, "debug")
    evil.expect_closed()
    other.settle()
    assert not [f for f in other.inbox if f.is_control("ask")]
    assert control.counter(server, "bulkhead_router_refused", "router-1") == before + 1
    assert server.daemons() == server.pids


@pytest.mark.parametrize("payload", [
    "<ask xmlns='urn:bulkhead:session:0'/>", "<ask xmlns='urn:bulkhead:session:0' id='7'/>", "<ask xmlns='urn:bulkhead:session:0' what='metrics'/>",
    "<ask xmlns='urn:bulkhead:session:0' id='-1' what='metrics'/>", "<ask xmlns='urn:bulkhead:session:0' id='18446744073709551616' what='metrics'/>",
    "<ask xmlns='urn:bulkhead:session:0' id='7' what='metrics' args='%s'/>" % ("x" * 1100),
    "<ask xmlns='urn:bulkhead:session:0' id='7' what='%s'/>" % ("x" * 100000),
    "<told xmlns='urn:bulkhead:session:0'/>", "<told xmlns='urn:bulkhead:session:0' id='x'>x</told>",
    "<told xmlns='urn:bulkhead:session:0' id='7' failed='maybe'>x</told>", "<told xmlns='urn:bulkhead:session:0' id='7' node='0'>x</told>",
    "<told xmlns='urn:bulkhead:session:0' id='7'>%s</told>" % ("x" * 200000),
], ids=["empty", "nothing", "no id", "negative", "large", "long words", "long name", "told of nothing", "no number", "maybe", "node", "long"])
def test_35_asks_and_answers_that_are_none(edge, payload, bystanders):
    evil = edge()
    evil.raw(CONTROL, payload)
    evil.expect_closed()
    bystanders.chat()


def test_35_asks_past_the_router(edge, bystanders):
    """To a daemon itself, in its channel or beside it: they are not for it to answer."""
    evil = edge()
    for what in ("metrics", "log", "stop"):
        evil.send(CONTROL, "<ask xmlns='%s' id='7' what='%s'/>" % (NS_CONTROL, what), 0)
        evil.raw(CONTROL, "<ask xmlns='%s' id='7' what='%s'/>" % (NS_CONTROL, what), dst=evil.peer)
        evil.raw(CONTROL, "<told xmlns='%s' id='1' node='%016x' role='router' instance='x' more='0'>x</told>" % (NS_CONTROL, evil.node),
                 dst=evil.peer)
    evil.settle()
    assert not [f for f in evil.inbox if f.is_control("told")]


def test_35_answers_that_nobody_waits_for(server, edge, bystanders):
    """Of an ask that is over, or never was: dropped. An answer may come too late."""
    evil = edge()
    before = control.counter(server, "bulkhead_router_dropped", "router-1")
    for id in (0, 1, 2 ** 64 - 1):
        tell(evil, id, "x")
    evil.settle()
    assert control.counter(server, "bulkhead_router_dropped", "router-1") == before + 3


def test_35_answers_twice_and_in_another_s_name(server, edge):
    """Who says it is the router's to write; the second answer is dropped."""
    evil, asker = edge(), edge(instance="evil-2")
    ask(asker, 7, "metrics")
    id = asked(evil)
    tell(evil, id, "first", node="%016x" % asker.node, role="sessman", instance="sessman-1", more="0")
    tell(evil, id, "second")
    got = told(asker, 7)
    assert got["evil-1"].text == "first" and got["evil-1"].get("role") == "edge" and got["evil-1"].get("node") == "%016x" % evil.node
    assert got["sessman-1"].get("role") == "sessman" and "bulkhead_sessman" in got["sessman-1"].text
    evil.settle()
    assert not [f for f in asker.inbox if f.is_control("told")]


def test_35_told_by_one_that_was_not_asked(server, edge):
    """It came after the ask: how does it know the number?"""
    def try_it():
        asker, silent = edge(instance="asker-1"), edge(instance="silent-1")
        ask(asker, 7, "metrics")
        id = asked(silent)
        stranger = edge(instance="stranger-1")
        tell(stranger, id, "x")
        try:
            stranger.settle()       # the ask was over already
            return False
        except AssertionError:
            stranger.expect_closed()
        finally:
            for it in (asker, silent):
                it.stream.cut()
        return True
    poll("an ask that is not over", try_it)


def test_35_who_does_not_answer_is_named(edge):
    """And so is who goes meanwhile; the others' answers come all the same."""
    asker, silent, leaving = edge(instance="asker-1"), edge(instance="silent-1"), edge(instance="leaving-1")
    ask(asker, 7, "metrics")
    asked(leaving)
    asked(silent)
    leaving.stream.cut()
    got = told(asker, 7)
    assert got["leaving-1"].get("failed") and got["leaving-1"].text == "it has gone"
    assert got["silent-1"].get("failed") and got["silent-1"].text == "no answer in time"
    assert not got["c2s-1"].get("failed") and not got["sessman-1"].get("failed")


def test_35_asks_without_end(server, edge, bystanders):
    """Some are passed on, the others answered by the router that it is too much."""
    evil, other = edge(), edge(instance="evil-2")
    before = control.counter(server, "bulkhead_router_asks_refused", "router-1")
    for id in range(1, 2001):
        ask(evil, id, "metrics")
    for id in range(1, 2001):
        last = told(evil, id)
    assert last["router-1"].get("failed") and last["router-1"].text == "too much is asked at once"
    other.settle()
    assert len([f for f in other.inbox if f.is_control("ask")]) < 200
    assert control.counter(server, "bulkhead_router_asks_refused", "router-1") - before > 1500
    bystanders.chat()
    poll("the others to be answered again", lambda: not told_now(other)["router-1"].get("failed"))


def test_35_asks_without_end_that_all_answer(server, edge, bystanders):
    """What is answered at once could be asked again at once: so many a second, not more."""
    evil = edge()
    before = control.counter(server, "bulkhead_router_asks_refused", "router-1")
    for id in range(1, 2001):
        ask(evil, id, "metrics")
        told(evil, id)
    assert control.counter(server, "bulkhead_router_asks_refused", "router-1") - before > 1000
    bystanders.chat()


def told_now(it):
    it.asks = getattr(it, "asks", 1 << 32) + 1
    ask(it, it.asks, "metrics")
    return told(it, it.asks)


def peak(server, name):
    pid, = [pid for pid, daemon in server.daemons().items() if name in daemon]
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1))


def test_35_asks_without_end_and_nobody_reads(server, edge, bystanders):
    """What it does not take is not kept for ever."""
    evil = edge()
    before = peak(server, "router")
    evil.stream.sock.settimeout(5)
    element = b"<ask xmlns='urn:bulkhead:session:0' id='7' what='metrics'/>"
    frame = HEAD.pack(len(element), CONTROL, 0, 0, 0, 0, 0, 0, 0, 0, 0) + element
    try:
        for _ in range(200):
            evil.stream.sock.sendall(frame * 1000)
    except OSError:
        pass
    bystanders.chat()
    assert SANITIZED or peak(server, "router") - before < 64 * 1024


def test_35_an_s2s_asks(server, connections):
    """It has no use for reports."""
    for what in ("metrics", "log"):
        evil = Edge(server, section="s2s", role="s2s", instance="evil-s2s")
        connections.append(evil.stream)
        evil.up()
        ask(evil, 7, what)
        evil.expect_closed()


def test_34_a_component_asks(server, connections):
    """Its stream has stanzas, and no control."""
    element = "<ask xmlns='%s' id='7' what='%s'/>"
    for what in ("metrics", "log", "stop"):
        it = Component(server, ECHO)
        connections.append(it)
        it.handshake("secret of echo")
        assert outcome(it, [element % (NS_CONTROL, what)]) in ("unsupported-stanza-type", "closed", "invalid-namespace")
        it = Component225(server, ECHO)
        connections.append(it)
        it.secure()
        it.authenticate(ECHO, "secret of echo")
        it.begin()
        assert outcome(it, [element % (NS_CONTROL, what)]) != "closed"
