"""Clients and components that overdo it: floods, heaps, and peers that stop reading (groups 22, 23, 33, 34, 45 of the
survey). What they cost is bounded and theirs."""

import socket

import pytest

from client import Closed, error_of
from hostile import SANITIZED, memory
from roster import fetch, item, items_of, put, query

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}}
ROOM = 64 * 1024        # KiB that a flood may cost while it lasts


@pytest.fixture(scope="module")
def witness(server):
    """Somebody else, who is connected all the while."""
    from conftest import Person
    server.adduser("witness@im.example", "pw")
    return Person(server, "witness", server.domain, [], "pw").login("stand").online()


@pytest.fixture(autouse=True)
def nobody_else_notices(server, witness):
    before = memory(server)
    yield
    assert witness.ping().get("type") == "result"
    assert server.daemons() == server.pids, "no daemon has died"
    assert SANITIZED or memory(server) - before < ROOM


def flood(stream, stanza, megabytes):
    """Writes as much of a stanza as the server takes within a while; gives back how many bytes it took."""
    data, sent = stanza.encode() * (65536 // len(stanza) + 1), 0
    stream.sock.settimeout(2)
    try:
        while sent < megabytes << 20:
            sent += stream.sock.send(data[sent % len(stanza.encode()):])
    except (TimeoutError, OSError):
        pass
    return sent


# -- 22: rosters ---------------------------------------------------------------------------------------------------

def test_22_thousands_of_items(person):
    """DESIGN 11: the roster's size is limited, <resource-constraint/> or <not-allowed/>; what is in stays whole."""
    mallory = person("mallory").login("here")
    added = 0
    for start in range(0, 10000, 500):
        mallory.send("".join("<iq type='set' id='r%d'>%s</iq>" % (n, query(item("c%d@im.example" % n)))
                             for n in range(start, start + 500)))
        for n in range(start, start + 500):
            reply = mallory.expect("iq", id="r%d" % n)
            added += reply.get("type") == "result"
            assert error_of(reply)[1] in (None, "resource-constraint", "not-allowed", "policy-violation", "not-acceptable")
    assert len(items_of(fetch(mallory))) == added


@pytest.mark.parametrize("bad", [item("x@im.example", groups=["g" * 200000]), item("x@im.example", name="n" * 200000),
                                 item("x@im.example", groups=["group number %d" % n for n in range(2000)])],
                         ids=["long group", "long name", "many groups"])
def test_22_heavy_items(person, bad):
    """RFC 6121 2.3.3: <not-acceptable/>, or the end of the stream where a tag alone is that long (DESIGN 11)."""
    mallory = person("mallory").login("here")
    try:
        assert error_of(put(mallory, bad))[1] is not None
        assert items_of(fetch(mallory)) == {}
    except Closed:
        assert mallory.inbox[-1].tag.endswith("}error")


def test_22_roster_larger_than_a_frame(person):
    """Items that are fine one by one: when their sum is more than a frame carries, the one who asks is told, and nobody else notices."""
    mallory = person("mallory").login("here")
    group = "&lt;" * 1000
    for n in range(40):
        put(mallory, item("heavy%d@im.example" % n, groups=["%02d%s" % (m, group) for m in range(15)]))
    reply = fetch(mallory)
    assert reply.get("type") == "result" or error_of(reply)[1] == "resource-constraint"


def test_33_stanza_that_grows_when_it_is_written(component, person, server):
    """XEP-0114: a bare > is four bytes in the canonical form; the session manager's link takes no harm."""
    far = component(ECHO)
    romeo = person("romeo").login("balcony")
    lost = server.log_tail(10000).count("ev=router_down")
    far.send("<message from='%s' to='%s' id='big'><body>%s</body></message>" % (ECHO, romeo.jid, ">" * 300000))
    assert error_of(far.expect("message", id="big"))[1] == "policy-violation"
    assert romeo.ping().get("type") == "result"
    assert server.log_tail(10000).count("ev=router_down") == lost


# -- 23: presence --------------------------------------------------------------------------------------------------

def test_23_requests_from_thousands(component, person):
    """A flood of requests to one account: kept up to a limit, the account stays usable."""
    far, victim = component(ECHO), person("victim")
    for n in range(0, 5000, 100):
        far.send("".join("<presence type='subscribe' from='s%d@%s' to='%s'/>" % (m, ECHO, victim.jid)
                         for m in range(n, n + 100)))
    far.sync()
    client = victim.login("here")
    client.send("<presence/>")
    assert len(client.sync()) <= 5001


def test_23_directed_presence_to_thousands_and_gone(person, component):
    """RFC 6121 4.6.3: each of them is told, or those over a limit were refused."""
    far, mallory = component(ECHO), person("mallory").login("here").online()
    for n in range(0, 5000, 100):
        mallory.send("".join("<presence to='p%d@%s'/>" % (m, ECHO) for m in range(n, n + 100)))
        mallory.settle()
    far.settle()
    there = sum(el.tag.endswith("}presence") and el.get("type") is None for el in far.sync())
    mallory.cut()
    gone = 0
    while gone < there:
        far.expect("presence", type="unavailable")
        gone += 1


# -- 33: loops -----------------------------------------------------------------------------------------------------

def test_33_errors_do_not_loop(component, person):
    """RFC 6120 8.3.1: between an unknown account and an unknown component nothing goes round."""
    far = component(ECHO)
    for kind, type in (("message", "error"), ("iq", "error"), ("iq", "result"), ("presence", "error")):
        far.send("<%s type='%s' id='l' from='x@%s' to='ghost@im.example'/>" % (kind, type, ECHO))
    assert not far.sync()


# -- those who do not read -----------------------------------------------------------------------------------------

def test_client_that_stops_reading_costs_its_own_buffer(server, people, witness):
    """DESIGN 2: a slow client costs its bounded buffer, then its own connection, never anybody else's latency."""
    mallory, alice = people("mallory", "alice")
    deaf = mallory.login("deaf").online()
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender = alice.login("here")
    for n in range(1200):
        sender.sock.sendall(b"<message to='%s' type='chat'><body>%s</body></message>" % (deaf.jid.encode(), b"x" * 10000))
        if n % 100 == 0:
            assert witness.ping().get("type") == "result"
    sender.sync()
    assert SANITIZED or memory(server) < 200 * 1024


def test_client_that_asks_and_does_not_listen(server, person, witness):
    """The same, where the client floods itself: reading from it pauses, or it is cut off."""
    deaf = person("mallory").login("deaf", tls=False)
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    flood(deaf, "<iq type='get' id='f' to='im.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", 24)
    assert witness.ping().get("type") == "result"


def test_34_component_that_stops_reading(server, component, person, witness):
    """DESIGN 2: the queue to it is bounded; who sends to it waits or is told, everybody else is not held up."""
    deaf = component(ECHO)
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    mallory = person("mallory").login("here", tls=False)
    flood(mallory, "<message to='x@%s' type='chat'><body>%s</body></message>" % (ECHO, "x" * 10000), 64)
    assert witness.ping().get("type") == "result"
    assert person("romeo").login("there").ping().get("type") == "result"


def test_34_component_that_floods(server, component, witness):
    """And the other way round: what it sends to nobody bounces to itself, unread."""
    deaf = component(ECHO)
    flood(deaf, "<message from='x@%s' to='ghost@im.example' type='chat'><body>%s</body></message>" % (ECHO, "x" * 1000), 64)
    assert witness.ping().get("type") == "result"


def test_34_connections_to_the_component_port(server, component):
    """Thousands that never shake hands."""
    held = []
    for n in range(1000):
        sock = socket.create_connection(("127.0.0.1", server.port("component")))
        if n % 2:
            sock.sendall(b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' "
                         b"to='echo.im.example'>")
        held.append(sock)
    component(ECHO).sync()
    for sock in held:
        sock.close()
    component(ECHO).sync()
