"""The internal links in wrong hands: an edge that lies, half-written frames, another version, components that claim what
is not theirs (groups 34 and 35 of the survey). A daemon of the DMZ that was broken into is worth its own sessions,
nobody else's (DESIGN 1)."""

import re
import sqlite3

import pytest

import sasl
from client import PATIENCE, Closed
from component import Component
from frames import ACK, BOUNCE, CONTROL, FANOUT, HEAD, STANZA, SYNC, Edge
from hostile import SANITIZED, bystanders, outcome, unaffected     # noqa: F401
from roster import item, query

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}, "conf": {"sessman.conf": "[limits]\nedge_backlog = 8m\n"}}
pytestmark = pytest.mark.usefixtures("unaffected")


@pytest.fixture
def edge(server, connections):
    """edge(): an intruder with the secret of c2s."""
    def make(up=True, **how):
        it = Edge(server, **how)
        connections.append(it.stream)
        return it.up() if up else it
    return make


def node_of(server, instance):
    """A daemon's number, as an intruder may have learned it."""
    log = (server.dir / "log" / "router-1.log").read_text()
    return int(re.findall(r"ev=node_up node=(\w+) instance=%s " % instance, log)[-1], 16)


# -- 35: sessions that are not the edge's --------------------------------------------------------------------------

def test_35_edge_logs_in_like_any_other(edge, person):
    """What the tests below bend does work when it is straight."""
    romeo = person("romeo")
    evil = edge()
    evil.open(7, "im.example")
    evil.control("auth", 7, sasl.encode(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())), mechanism="PLAIN")
    assert evil.expect_control("success", 7).get("user") == romeo.jid
    evil.control("bind", 7, resource="x")
    evil.expect_control("bound", 7)
    evil.send(STANZA, "<iq type='get' id='p'><query xmlns='jabber:iq:roster'/></iq>", 7)
    assert b"roster" in evil.expect(lambda f: f.kind == STANZA and f.session == 7).payload


def test_35_stanza_for_a_session_of_another_edge(server, edge, people):
    """Session ids belong to the node that opened them; the router writes the node."""
    mallory, alice = people("mallory", "alice")
    hers = alice.login("here").online()
    his = mallory.login("there").online()
    evil = edge()
    for session in range(1, 100):
        evil.raw(STANZA, "<message to='%s'><body>forged</body></message>" % hers.jid, dst=evil.peer, session=session,
                 seq=session, src=node_of(server, "c2s-1"))
    evil.seq = 99
    evil.settle()
    hers.expect_nothing("message", body="forged")
    his.settle()


def test_35_sessions_of_another_edge_cannot_be_ended(edge, person):
    """Nor bound, nor authenticated again."""
    alice = person("alice").login("here").online()
    evil = edge()
    for session in range(1, 100):
        for name in ("gone", "abort", "bind"):
            evil.control(name, session)
    evil.settle()
    assert alice.ping().get("type") == "result"


def test_35_stanza_before_bind_and_from_of_another(edge, people):
    """`from` is the session's, whatever the frame says (DESIGN 1)."""
    mallory, alice = people("mallory", "alice")
    hers = alice.login("here").online()
    evil = edge()
    evil.open(3, "im.example")
    evil.send(STANZA, "<message to='%s' from='%s'><body>too early</body></message>" % (hers.jid, alice.jid), 3)
    evil.control("auth", 3, sasl.encode(b"\0%s\0%s" % (mallory.user.encode(), mallory.password.encode())), mechanism="PLAIN")
    evil.expect_control("success", 3)
    evil.control("bind", 3, resource="%s/x" % alice.jid)
    evil.expect_control("bound", 3)
    evil.send(STANZA, "<message to='%s' from='%s'><body>in time</body></message>" % (hers.jid, alice.jid), 3)
    assert hers.expect("message", body="in time").get("from").startswith(mallory.jid + "/")
    hers.expect_nothing("message", body="too early")


def test_35_steps_of_a_session_in_every_order(edge, server):
    """Nothing that comes at the wrong time is more than a failure."""
    evil = edge()
    for session, steps in enumerate((["bind"], ["response"], ["abort", "bind"], ["open"], ["auth", "bind"],
                                     ["success"], ["bound"], ["names"], ["domains"], ["node-up"], ["close"]), 1000):
        evil.open(session, "im.example")
        for step in steps:
            evil.control(step, session, mechanism="SCRAM-SHA-256", domain="im.example", ip="x", jid="admin@im.example/x")
        evil.send(STANZA, "<iq type='get' id='x' to='im.example'><query xmlns='jabber:iq:roster'/></iq>", session)
        evil.control("gone", session)
        evil.control("gone", session)
    evil.settle()


@pytest.mark.parametrize("payload", ["", "x", "<", "<open", "<open xmlns='urn:x'/>", "<a xmlns='urn:bulkhead:session:0'/>",
                                     "<!DOCTYPE a><a/>", "<a>" * 2000, "<open xmlns='urn:bulkhead:session:0'/>",
                                     "<open xmlns='urn:bulkhead:session:0' domain='@' ip=''/>",
                                     "<open xmlns='urn:bulkhead:session:0' domain='%s' ip='x'/>" % ("d" * 5000),
                                     "<auth xmlns='urn:bulkhead:session:0' mechanism='PLAIN'>***</auth>",
                                     b"\xff\xfe\x00", "<message/><message/>"],
                         ids=lambda p: str(p)[:24])
def test_35_payload_that_is_none(edge, payload):
    """Counted and dropped; the channel goes on."""
    evil = edge()
    evil.open(5, "im.example")
    for kind in (STANZA, CONTROL, FANOUT):
        for session in (5, 6, 0):
            evil.send(kind, payload, session)
    evil.settle()


def test_35_numbers_of_the_channel_bent(edge):
    """Gaps, repetitions, acknowledgements of what was never sent, another incarnation."""
    evil = edge()
    evil.settle()
    for seq in (evil.seq, evil.seq - 1, evil.seq + 5, 2 ** 63, 2 ** 64 - 1, 1):
        evil.raw(STANZA, "<message/>", dst=evil.peer, session=1, seq=seq)
    for ack in (2 ** 64 - 1, 2 ** 63, evil.taken + 1000):
        evil.raw(ACK, dst=evil.peer, ack=ack)
    evil.settle()
    for session in (0, 2 ** 64 - 1, 99 << 32, 1 << 32 | 12345):
        evil.raw(SYNC, dst=evil.peer, session=session, ack=2 ** 64 - 1, flags=0xff)
    evil.raw(STANZA, "<message/>", dst=evil.peer, session=1, seq=1)


def test_35_many_sessions_opened_and_left(edge, server, bystanders):
    """They cost what they cost until the edge is gone, and then nothing."""
    evil = edge()
    for session in range(1, 5001):
        evil.open(session, "im.example")
    evil.settle()
    bystanders.chat()
    evil.stream.cut()


def test_35_strays_without_end_and_nobody_reads(edge, bystanders):
    """Each stanza for an unknown session is answered once; what the edge does not take is not kept for ever."""
    evil = edge()
    evil.stream.sock.settimeout(5)
    stanza = b"<message><body>x</body></message>"
    try:
        for start in range(1, 300000, 1000):
            evil.stream.sock.sendall(b"".join(
                HEAD.pack(len(stanza), STANZA, 0, 0, evil.peer, 0, n, evil.seq + n, 0, 0, 0) + stanza
                for n in range(start, start + 1000)))
    except OSError:
        pass
    bystanders.chat()


# -- 35: the router's table ----------------------------------------------------------------------------------------

def peak(server, name):
    """The most memory that a daemon has ever had, in KiB."""
    pid, = [pid for pid, daemon in server.daemons().items() if name in daemon]
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1))


def test_35_more_than_a_window_for_a_session_that_waits(edge, server, person, bystanders):
    """An edge that sends on though nothing is acknowledged: past edge_backlog its sessions end, and nobody else's."""
    romeo = person("romeo")
    evil = edge()
    evil.open(7, "im.example")
    evil.control("auth", 7, sasl.encode(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())), mechanism="PLAIN")
    evil.expect_control("success", 7)
    evil.control("bind", 7, resource="x")
    evil.expect_control("bound", 7)
    before = peak(server, "sessman")
    lock = sqlite3.connect(server.dir / "data" / "bulkhead.db", isolation_level=None, timeout=PATIENCE)
    lock.execute("BEGIN IMMEDIATE")
    try:
        evil.send(STANZA, "<iq type='set' id='w'>%s</iq>" % query(item("x@im.example")), 7)
        evil.send(STANZA, "<message to='nobody@im.example'><body>waits for the store</body></message>", 7)
        for _ in range(1000):
            evil.send(STANZA, "<message to='%s/x'><body>%s</body></message>" % (romeo.jid, "x" * 100000), 7)
        evil.expect_control("close", 7)
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    bystanders.chat()
    assert SANITIZED or peak(server, "sessman") - before < 64 * 1024


def test_35_all_asked_for_again_and_again(edge, server, person, bystanders):
    """Replays that nobody reads cost the session manager one window, not one for each that was asked for."""
    romeo = person("romeo")
    evil = edge()
    evil.open(7, "im.example")
    evil.control("auth", 7, sasl.encode(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())), mechanism="PLAIN")
    evil.expect_control("success", 7)
    evil.control("bind", 7, resource="x")
    evil.expect_control("bound", 7)
    before = peak(server, "sessman")
    for n in range(20):
        evil.send(STANZA, "<message to='%s/x' id='%d'><body>%s</body></message>" % (romeo.jid, n, "x" * 100000), 7)
    bystanders.chat()
    sync = HEAD.pack(0, SYNC, 0, 0, evil.peer, 0, evil.incarnation << 32 | evil.theirs, 0, 0, 0, 0)
    evil.stream.sock.sendall(150 * sync)
    bystanders.chat()
    assert SANITIZED or peak(server, "sessman") - before < 64 * 1024


def test_35_node_of_another_daemon_is_not_to_be_had(edge, server, bystanders, person):
    """An edge that calls itself by the session manager's node would get the logins of everybody."""
    evil = edge(up=False, node=node_of(server, "sessman-1"))
    assert outcome(evil.stream, []) in "conflict"
    bystanders.chat()
    assert person("romeo").login("there").ping().get("type") == "result"


@pytest.mark.parametrize("role", ["sessman", "s2s", "admin", "component", "router", ""])
def test_35_role_that_the_secret_does_not_give(edge, role):
    assert outcome(edge(up=False, role=role).stream, []) == "not-authorized"


@pytest.mark.parametrize("version", ["0", "1", "2", "4", "99999999999", "", "-1", "x"])
def test_35_version_skew(edge, version):
    """A newer or older end is told so, and the router's log says which."""
    assert outcome(edge(up=False, version=version).stream, []) in ("unsupported-version",)


@pytest.mark.parametrize("names", [["im.example"], ["echo.im.example"], ["*"], ["admin@im.example"], ["x"] * 2000, [""]],
                         ids=["hosted domain", "component", "everything", "account", "thousands", "empty"])
def test_35_edge_binds_names(edge, names, bystanders):
    """Only the session manager has hosted domains: the link of who claims them is closed."""
    evil = edge()
    evil.raw(CONTROL, "<names xmlns='urn:bulkhead:session:0'>%s</names>" % "".join("<name>%s</name>" % n for n in names))
    evil.expect_closed()


@pytest.mark.parametrize("frame", [
    dict(kind=BOUNCE, payload="<message/>", dst=1), dict(kind=STANZA, payload="<message/>"),
    dict(kind=STANZA, payload="<message to='im.example'/>", name=b"im.example"),
    dict(kind=STANZA, payload="<message to='im.example'/>", name=b"admin@im.example"),
    dict(kind=99, payload="<message/>", dst=1), dict(kind=0, dst=1), dict(kind=STANZA, length=2 ** 32 - 1),
    dict(kind=STANZA, length=(1 << 20) + 1), dict(kind=STANZA, name=b"a" * 3000), dict(kind=CONTROL, payload="x"),
    dict(kind=CONTROL, payload="<node-up xmlns='urn:bulkhead:session:0' node='1' role='edge' instance='x'/>"),
], ids=["bounce", "to nobody", "by name", "to an account", "unknown kind", "no kind", "huge", "one too long", "long name",
        "bad control", "router's own control"])
def test_35_frame_that_may_not_be(edge, frame, bystanders):
    """The router closes the link (DESIGN 2)."""
    evil = edge()
    evil.raw(**frame)
    evil.expect_closed()


def test_35_edge_speaks_to_an_edge(server, edge, bystanders, person):
    """Between edges there is nothing to say."""
    alice = person("alice").login("here").online()
    evil = edge()
    evil.raw(CONTROL, "<close xmlns='urn:bulkhead:session:0' condition='conflict'/>", dst=node_of(server, "c2s-1"), session=1)
    evil.expect_closed()
    assert alice.ping().get("type") == "result"


def test_35_frames_without_login(server, connections):
    """Not before the secret has been shown."""
    it = Component(server, "c2s", name="stranger")
    connections.append(it)
    it.default_ns = "jabber:client"
    it.open("c2s")
    it.expect("features")
    assert outcome(it, ["<frames xmlns='urn:bulkhead:frames:0' node='0000000000000001' version='3' role='edge' instance='x'/>"]) \
        == "not-authorized"


# -- 35: killed half-way -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cut", [1, 4, 20, 63, 64, 70])
def test_35_half_a_frame_and_gone(edge, cut, bystanders):
    """What was not whole was not sent."""
    evil = edge()
    whole = HEAD.pack(100, STANZA, 0, 0, evil.peer, 0, 1, evil.seq + 1, 0, 0, 0) + b"x" * 100
    evil.stream.send(whole[:cut])
    bystanders.chat()
    evil.stream.cut()


def test_35_half_a_frame_held_open(edge, bystanders):
    """It holds up nobody else."""
    evil = edge()
    evil.raw(STANZA, b"x" * 100, dst=evil.peer, session=1, seq=1, length=1 << 20)
    bystanders.chat()


# -- 34: components ------------------------------------------------------------------------------------------------

def accepts(server, connections, to):
    it = Component(server, to, name="stranger")
    connections.append(it)
    return it


@pytest.mark.parametrize("name", ["im.example", "localhost", "router", "c2s", "sessman", "admin", "*", "unknown.example",
                                  "admin@im.example"])
def test_34_component_claims_a_name_that_is_not_its(server, connections, name):
    """A hosted domain, a daemon, the router itself: nobody binds what is not configured for it."""
    it = accepts(server, connections, name)
    try:
        it.open(name, version=None)
        it.send("<handshake>%s</handshake>" % it.digest("secret of echo"))
    except (Closed, AssertionError):
        return
    assert outcome(it, []) in ("host-unknown", "not-authorized", "conflict", "improper-addressing")


@pytest.mark.parametrize("handshake", ["", "x", "0" * 40, "0" * 100000, "<x/>"], ids=lambda h: h[:8])
def test_34_wrong_handshake(server, connections, handshake):
    it = accepts(server, connections, ECHO)
    it.open(ECHO, version=None)
    assert outcome(it, ["<handshake>%s</handshake>" % handshake]) in ("not-authorized", "policy-violation")


def test_34_handshake_before_the_header(server, connections):
    it = accepts(server, connections, ECHO)
    assert outcome(it, ["<handshake>%s</handshake>" % ("0" * 40)]) in (
        "bad-format", "invalid-xml", "invalid-namespace", "not-well-formed", "not-authorized", "closed", "bad-namespace-prefix")


def test_34_handshake_twice(server, component):
    it = component(ECHO)
    assert outcome(it, ["<handshake>%s</handshake>" % ("0" * 40)]) in ("not-authorized", "unsupported-stanza-type", "invalid-namespace")


@pytest.mark.parametrize("sender", ["x@im.example", "im.example", "other.example", "admin@im.example/x", "", "@", "x@c2s"])
def test_34_stanza_from_a_domain_not_owned(component, person, sender):
    """<invalid-from/>, and nothing is delivered."""
    alice = person("alice").login("here").online()
    it = component(ECHO)
    assert outcome(it, ["<message from='%s' to='%s'><body>forged</body></message>" % (sender, alice.jid)]) in (
        "invalid-from", "improper-addressing")
    alice.expect_nothing("message", body="forged")


def test_34_second_instance_does_not_take_over_what_the_first_has(component, person):
    """Several may bind one name (DESIGN 2): they share it, none is thrown out."""
    one, two = component(ECHO), component(ECHO)
    alice = person("alice").login("here").online()
    for n in range(4):
        alice.message("x@" + ECHO, "%d" % n)
    for n in range(4):
        (one, two)[n % 2].expect("message")


# -- 35: a session manager that was started again (last: it kills one) ---------------------------------------------

def test_35_sessions_announced_after_a_restart_of_sessman(edge, server, person, bystanders):
    """An edge gets back what it had, by the session manager's own rows: not what it says that it has."""
    alice = person("alice")
    evil = edge()
    evil.open(7, "im.example")
    evil.control("auth", 7, sasl.encode(b"\0%s\0%s" % (alice.user.encode(), alice.password.encode())), mechanism="PLAIN")
    evil.expect_control("success", 7)
    evil.control("bind", 7, resource="x")
    evil.expect_control("bound", 7)
    evil.settle()
    server.replace_daemon("sessman")
    evil.expect(lambda f: f.kind == SYNC and f.flags & 0x20)
    evil.alive(range(1, 7), [(n, n) for n in range(1, 2000)], end=False)
    evil.alive([7, 7, 2 ** 64 - 1])
    evil.alive(range(1, 5000))      # nobody asks any more
    for session in [*range(1, 7), 2 ** 64 - 1]:
        evil.expect_control("close", session)
    evil.send(STANZA, "<message to='%s'><body>of a session that is none</body></message>" % bystanders.pair[0].jid, 3)
    evil.send(STANZA, "<message to='%s'><body>of its own</body></message>" % bystanders.pair[0].jid, 7)
    bystanders.pair[0].expect("message", body="of its own")
    bystanders.pair[0].expect_nothing("message", body="of a session that is none")
    bystanders.chat()


def test_35_announced_without_a_restart(edge, bystanders):
    """Nobody has asked: nothing happens."""
    evil = edge()
    evil.alive(range(1, 1000), [(n, n) for n in range(1, 1000)])
    evil.raw(CONTROL, "<undelivered xmlns='urn:bulkhead:session:0'><m id='1' pos='1'/></undelivered>", dst=evil.peer)
    evil.control("undelivered", 0, "".join("<m id='%d' pos='%d'/>" % (n, n) for n in range(1, 1000)))
    evil.settle()
    bystanders.chat()


def test_35_edge_that_has_lost_its_sessions(edge, server, person, bystanders):
    """Who is not announced has ended: their contacts hear of it."""
    alice, bob = person("alice"), person("bob")
    his = bob.login("there").online()
    evil = edge()
    evil.open(7, "im.example")
    evil.control("auth", 7, sasl.encode(b"\0%s\0%s" % (alice.user.encode(), alice.password.encode())), mechanism="PLAIN")
    evil.expect_control("success", 7)
    evil.control("bind", 7, resource="x")
    evil.expect_control("bound", 7)
    evil.send(STANZA, "<presence to='%s'/>" % his.jid, 7)
    his.expect("presence", from_=alice.jid + "/x")
    evil.settle()
    server.replace_daemon("sessman")
    evil.expect(lambda f: f.kind == SYNC and f.flags & 0x20)
    evil.alive([])
    his.expect("presence", from_=alice.jid + "/x", type="unavailable")
    bystanders.chat()
