"""The watchdog between servers without stream management: a ping (XEP-0199 4.2) that must be answered, by whatever; and who does not
answer is dead (RFC 6120 4.6.1): the connection is given up and made anew."""

import ctypes
import socket
import struct

import pytest

from client import NS_PING
from conftest import Person
from s2speer import Caller, Listener
from s2ssite import Site, join
from server import poll
from test_s2s_two import people, running, talk

OURS, FAR = "im.example", "far.example"
HASTE = "[connect]\nretry = 100ms\nretry_most = 300ms\n%s\n[keepalive]\ninterval = 200ms\ntimeout = 3s\n%s\n"
DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'/>"
BIDI = DIALBACK + "<bidi xmlns='urn:xmpp:features:bidi'/>"


@pytest.fixture(scope="module")
def left():
    return []


@pytest.fixture(scope="module")
def far(ca, tmp_path_factory, left):
    return Listener(FAR, OURS, ca.issue(FAR), tmp_path_factory.mktemp("pki"), left)


@pytest.fixture(scope="module")
def site(far, left):
    it = Site(OURS, s2s=HASTE % ("", ""))
    it.route(FAR, far.port)
    try:
        it.start()
        it.adduser("romeo@" + OURS, "pass word of romeo")
        yield it
    finally:
        for connection in left:
            connection.cut()
        it.check(it.stop() if it.process else [])
        it.remove()


@pytest.fixture
def romeo(site, far, left, connections):
    yield Person(site, "romeo", OURS, connections).login("here").online()
    for connection in left:
        connection.cut()
    left.clear()
    site.ask_s2s("s2s-close " + FAR)
    poll("the connections to end", lambda: not site.connections())


def answer(to, asked, inner="", type="result"):
    to.send("<iq from='%s' to='%s' id='%s' type='%s'%s" % (
        asked.get("to"), asked.get("from"), asked.get("id"), type, ">%s</iq>" % inner if inner else "/>"))


def pinged(it):
    asked = it.expect("iq", type="get", has="{%s}ping" % NS_PING)
    assert (asked.get("from"), asked.get("to")) == (OURS, FAR)
    return asked


def talking(far, romeo, features=DIALBACK):
    """A connection of ours that has taken a message."""
    romeo.message("nurse@" + FAR, "hello")
    it = far.accepted(features)
    it.expect("message", body="hello")
    return it


def their_own(site, far, connections):
    """A connection of theirs that has proven its domain by dialback."""
    it = Caller(site, FAR, connections).ready()
    it.result("the key")
    far.authority(True)
    assert it.expect("result").get("type") == "valid"
    return it


def expect_new(site, far, romeo):
    romeo.message("nurse@" + FAR, "again")
    it = far.accepted()
    it.expect("message", body="again")


UNKNOWN = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


@pytest.mark.parametrize("how", [("result", ""), ("error", UNKNOWN)], ids=["result", "error"])
def test_both_ways_on_one_connection(site, far, romeo, how):
    """Who answers stays; then it says no more, and holds the connection."""
    it = talking(far, romeo, BIDI)
    ids = set()
    for _ in range(3):
        asked = pinged(it)
        ids.add(asked.get("id"))
        answer(it, asked, how[1], how[0])
    assert len(ids) == 3
    dead = site.count("dead_closed")
    it.expect_eof()
    assert site.count("dead_closed") == dead + 1
    expect_new(site, far, romeo)


def test_answer_on_their_connection(site, far, romeo, connections):
    """The stream of ours is for one way: what answers comes on theirs."""
    it, back = talking(far, romeo), their_own(site, far, connections)
    for _ in range(3):
        answer(back, pinged(it))
    it.expect_eof()
    expect_new(site, far, romeo)


@pytest.mark.parametrize("wrong", ["another id", "a question", "somebody's"])
def test_what_answers_nothing(site, far, romeo, connections, wrong):
    it, back = talking(far, romeo), their_own(site, far, connections)
    asked = pinged(it)
    if wrong == "another id":
        back.send("<iq from='%s' to='%s' id='x%s' type='result'/>" % (FAR, OURS, asked.get("id")))
    elif wrong == "a question":
        back.send("<iq from='%s' to='%s' id='%s' type='get'><ping xmlns='%s'/></iq>" % (FAR, OURS, asked.get("id"), NS_PING))
    else:
        back.send("<iq from='nurse@%s' to='%s' id='%s' type='result'/>" % (FAR, OURS, asked.get("id")))
    it.expect_eof()
    expect_new(site, far, romeo)


def test_where_no_answer_could_be_seen(site, far, romeo):
    """They have no connection to us: white space it is, and nobody is given up for silence."""
    it = talking(far, romeo)
    before = site.count("pings"), site.count("probes")
    poll("some probes", lambda: site.count("probes") >= before[1] + 3)
    assert site.count("pings") == before[0]
    romeo.message("nurse@" + FAR, "still here")
    it.expect("message", body="still here")
    assert not [el for el in it.inbox if el.tag.endswith("iq")]


def unplug(sock):
    """Nothing that comes reaches this end of the connection any more, nor is it acknowledged: a filter drops it."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))     # BPF_RET 0
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", 1, ctypes.addressof(drop)))       # SO_ATTACH_FILTER


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_white_space_that_does_not_arrive(site, far, romeo, connections, whose):
    """Where nothing answers, it is the host at the other end that does."""
    it = talking(far, romeo) if whose == "ours" else their_own(site, far, connections)
    direction = {"ours": "out", "theirs": "in"}[whose]
    assert site.connections(direction=direction)
    dead = site.count("dead_closed")
    unplug(it.sock)
    poll("the connection to be given up", lambda: not site.connections(direction=direction))
    assert site.count("dead_closed") == dead + 1
    if whose == "ours":
        expect_new(site, far, romeo)
    else:
        their_own(site, far, connections)


def test_their_ping_is_answered(site, far, romeo, connections):
    it, back = talking(far, romeo), their_own(site, far, connections)
    back.send("<iq from='%s' to='%s' id='theirs' type='get'><ping xmlns='%s'/></iq>" % (FAR, OURS, NS_PING))
    assert it.expect("iq", id="theirs").get("type") == "result"


def test_pings_keep_nothing_open(connections):
    """Nor do their answers: connections without anything else are closed all the same."""
    how = HASTE % ("stream_management = no\nbidi = no", "max_idle = 2s")
    one, other = Site("one.example", s2s=how), Site("other.example", s2s=how)
    join(one, other)
    with running(one, other) as sites:
        talk(*people(sites, connections))
        poll("a ping", lambda: any(it.count("pings") for it in sites))      # not many: the other's spaces break the silence
        poll("all connections to end", lambda: not any(it.connections() for it in sites))
        assert sum(it.count("idle_closed") for it in sites) >= 2 and not any(it.count("dead_closed") for it in sites)
