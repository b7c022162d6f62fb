"""Stream management in the hands of an edge that lies (groups 19 and 35 of the survey): it spoils its own sessions, and nobody else's."""

import itertools

import pytest

import sasl
from client import local
from frames import CONTROL, HEAD, NS_CONTROL, STANZA, Edge
from hostile import bystanders, unaffected     # noqa: F401
from managed import WRAP, authenticated, condition, online

pytestmark = pytest.mark.usefixtures("unaffected")


@pytest.fixture
def evil(server, connections):
    it = Edge(server)
    connections.append(it.stream)
    return it.up()


def log_in(evil, session, who):
    evil.open(session, "im.example")
    evil.control("auth", session, sasl.encode(b"\0%s\0%s" % (who.user.encode(), who.password.encode())), mechanism="PLAIN")
    evil.expect_control("success", session)


def bound(evil, session, who, resource="x"):
    log_in(evil, session, who)
    evil.control("bind", session, resource=resource)
    return evil.expect_control("bound", session).get("jid")


def managed(evil, session, who, resource="x"):
    """Gives back the resumption id."""
    bound(evil, session, who, resource)
    evil.control("sm-enable", session, resume="1")
    return evil.expect_control("sm-enabled", session).get("id")


def stanza(evil, session, mark, text="<presence/>"):
    evil.seq += 1
    evil.raw(STANZA, text, dst=evil.peer, session=session, seq=evil.seq, ack=evil.taken, mark=mark)


def burst(evil, frames):
    """Frames in one write: (kind, payload, session, mark)."""
    data = b""
    for kind, payload, session, mark in frames:
        evil.seq += 1
        body = payload.encode()
        data += HEAD.pack(len(body), kind, 0, 0, evil.peer, 0, session, evil.seq, evil.taken, mark, 0) + body
    evil.stream.sock.sendall(data)


def element(name, inner="", **attrs):
    return "<%s xmlns='%s'%s>%s</%s>" % (name, NS_CONTROL, "".join(" %s='%s'" % pair for pair in attrs.items()), inner, name)


def test_35_counts_wrap(evil, person):
    """XEP-0198 4: what the client is told is modulo 2^32."""
    romeo = person("romeo")
    id = managed(evil, 1, romeo)
    for n in range(WRAP - 2, WRAP + 3):
        stanza(evil, 1, n, "<message to='im.example' type='error'/>")       # nothing that would have to be waited for
    evil.control("gone", 1, lost="1")
    log_in(evil, 2, romeo)
    evil.control("resume", 2, previd=id, h="0")
    assert evil.expect_control("resumed", 2).get("in") == "2"


def test_35_every_order(evil, person, bystanders):
    """Nothing that comes at the wrong time, or twice, is more than a bad frame."""
    romeo = person("romeo")
    names = ("sm-enable", "acked", "resume", "echo", "sm-enabled", "resumed", "resume-failed", "gone")
    for session, pair in enumerate(itertools.permutations(names, 2), 100):
        (log_in if session % 2 else bound)(evil, session, romeo)
        for name in pair:
            evil.control(name, session, h="7", previd="x", resume="1", jid=romeo.jid + "/x", cond="gone", max="1", **{"in": "1", "out": "1"})
        stanza(evil, session, WRAP * WRAP - 1)
        stanza(evil, session, 1)
        evil.control("gone", session, lost="1")
    evil.settle()
    bystanders.chat()


def test_35_acknowledged_without_end(evil, person):
    """What it says of the client counts only as far as it was sent anything."""
    romeo = person("romeo")
    managed(evil, 1, romeo)
    stanza(evil, 1, 1)
    for h in (0, 1, 2, 3, WRAP - 1, WRAP // 2, 1):
        evil.control("acked", 1, h=str(h))
    evil.settle()
    stanza(evil, 1, 2, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    evil.expect(lambda f: f.kind == STANZA and f.session == 1 and b"id='p'" in f.payload)


def test_35_echo_is_for_its_own_session(evil, people):
    """Whatever it holds, whoever it is addressed to."""
    romeo, alice = people("romeo", "alice")
    hers = alice.login("here").online()
    managed(evil, 1, romeo)
    evil.control("echo", 1, "<message xmlns='jabber:client' to='%s' from='%s'><body>forged</body></message>" % (hers.jid, alice.jid))
    assert evil.expect(lambda f: f.kind == STANZA and b"forged" in f.payload).session == 1
    hers.expect_nothing("message")


def test_35_session_of_another_account(evil, people):
    """An edge resumes for who has logged in there, with an id that only the client was told."""
    romeo, alice = people("romeo", "alice")
    hers = online(alice)
    log_in(evil, 1, romeo)
    evil.control("resume", 1, previd=hers.previd, h="0")
    assert evil.expect_control("resume-failed", 1).get("cond") == "item-not-found"
    hers.settle()


def held(evil, who):
    """A stanza that waits: its addressee has to be loaded first."""
    return (STANZA, "<message to='%s'><body>x</body></message>" % who.jid, 1, 1)


def test_35_asks_for_it_again_while_it_waits(evil, person, people):
    """A resumption waits for what is being worked on; meanwhile its asker asks again, binds, ends, or asks for another session."""
    romeo = person("romeo")
    endings = ([], ["resume"], ["bind"], ["gone"], ["bind", "gone"], ["resume", "bind", "resume"], ["other"], ["other", "gone"])
    for n, ending in enumerate(endings):
        asker, other = 1000 + 2 * n, 1001 + 2 * n
        first = managed(evil, 1, romeo, "one%d" % n) if n == 0 else again
        second = managed(evil, other, romeo, "two%d" % n)
        log_in(evil, asker, romeo)
        text = dict(resume=element("resume", previd=first, h="0"), bind=element("bind", resource="b%d" % n), gone=element("gone"),
                    other=element("resume", previd=second, h="0"))
        burst(evil, [held(evil, person("sleeper%d" % n)), (CONTROL, text["resume"], asker, 0)] +
              [(CONTROL, text[name], asker, 0) for name in ending])
        evil.settle()
        for session in (1, asker, other):
            evil.control("gone", session)
        evil.settle()
        again = managed(evil, 1, romeo, "one%d" % (n + 1))


def test_35_who_asked_for_it_goes_away(evil, person):
    """While it waits: the session hibernates, for the next one."""
    romeo = person("romeo")
    id = managed(evil, 1, romeo)
    log_in(evil, 2, romeo)
    burst(evil, [held(evil, person("sleeper")), (CONTROL, element("resume", previd=id, h="0"), 2, 0),
                 (CONTROL, element("gone"), 2, 0)])
    log_in(evil, 3, romeo)
    evil.control("resume", 3, previd=id, h="0")
    assert evil.expect_control("resumed", 3).get("in") == "1"


def test_35_old_connection_goes_on_talking(evil, person):
    """Frames of a session that another has taken over are nobody's."""
    romeo = person("romeo")
    id = managed(evil, 1, romeo)
    log_in(evil, 2, romeo)
    evil.control("resume", 2, previd=id, h="0")
    evil.expect_control("resumed", 2)
    evil.expect_control("close", 1)
    for n in range(1, 5):
        stanza(evil, 1, n)
        evil.control("acked", 1, h="1")
        evil.control("gone", 1, lost="1")
    stanza(evil, 2, 1, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    evil.expect(lambda f: f.kind == STANZA and f.session == 2 and b"id='p'" in f.payload)


def test_35_edge_dies_with_its_sessions(server, evil, person):
    """They hibernate, and come back elsewhere."""
    romeo = person("romeo")
    id = managed(evil, 1, romeo)
    stanza(evil, 1, 1)
    evil.settle()
    evil.stream.cut()
    client = authenticated(romeo)
    client.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % id)
    answer = client.expect(where=lambda el: el.tag.startswith("{urn:xmpp:sm:3}"))
    assert local(answer) == "resumed" and answer.get("h") == "1", condition(answer)
    client.expect("presence", from_=romeo.jid + "/x")
