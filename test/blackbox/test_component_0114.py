"""External components by the old handshake (XEP-0114): raw, and by slixmpp's library."""

import asyncio
import socket
import struct
import time

import pytest

from client import Closed, error_of, local, next_id
from component import Component
from server import poll

ECHO, OTHER = "echo.im.example", "other.im.example"
SERVER = {"components": {ECHO: "secret of echo", OTHER: "secret of other"}}


@pytest.fixture
def stranger(server, connections):
    """stranger(name): a component that has only opened its stream."""
    def make(name):
        it = Component(server, name, name="stranger")
        connections.append(it)
        return it
    return make


# -- the handshake -------------------------------------------------------------------------------------------------

def test_header_is_answered_in_the_components_name(stranger):
    """XEP-0114 3: from is the component's own name, and there is an id."""
    it = stranger(ECHO).open(ECHO, version=None)
    assert it.header["from"] == ECHO and it.header["id"]


def test_handshake(component, person):
    """XEP-0114 3: an empty <handshake/>, and then stanzas."""
    it = component(ECHO)
    it.send("<iq type='get' id='p' from='%s' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>" % ECHO)
    it.expect("iq", id="p", type="result", to=ECHO, from_="im.example")


@pytest.mark.parametrize("secret", ["wrong", "", "secret of other"])
def test_wrong_secret(component, stranger, server, secret):
    """XEP-0114 3: the stream error <not-authorized/>; the secret of another component is as wrong as any."""
    it = stranger(ECHO).open(ECHO, version=None)
    it.send("<handshake>%s</handshake>" % it.digest(secret))
    it.expect_stream_error("not-authorized")
    component(OTHER)


@pytest.mark.parametrize("digest", ["", "0", "0" * 40, "g" * 40, "a" * 4000])
def test_what_is_no_digest(stranger, digest):
    """XEP-0114 3."""
    it = stranger(ECHO).open(ECHO, version=None)
    it.send("<handshake>%s</handshake>" % digest)
    it.expect_stream_error("not-authorized")


@pytest.mark.parametrize("name", ["unknown.im.example", "im.example", "router", ""])
def test_name_that_is_no_components(stranger, name):
    """XEP-0114 3, PEERS 5 no. 34: neither a name without a secret nor a hosted domain can be had."""
    it = stranger(name or "x")
    it.open(name, version=None)
    try:
        it.send("<handshake>%s</handshake>" % it.digest(""))
    except OSError:
        pass
    it.expect_stream_error(("host-unknown", "not-authorized", "conflict", "improper-addressing"))


@pytest.mark.parametrize("stanza", ["<message from='x@%s' to='admin@im.example'><body>x</body></message>" % ECHO,
                                    "<iq type='get' id='1' from='%s' to='im.example'/>" % ECHO,
                                    "<bind xmlns='urn:xmpp:component:0'/>"])
def test_stanza_before_the_handshake(stranger, stanza):
    """XEP-0114 3: nothing is taken from who has not proved anything."""
    it = stranger(ECHO).open(ECHO, version=None)
    it.send(stanza)
    it.expect_stream_error(("not-authorized", "unsupported-stanza-type", "bad-format", "invalid-namespace"))


# -- stanzas -------------------------------------------------------------------------------------------------------

def test_message_to_the_component_and_its_answer(component, person):
    """XEP-0114 2: all that is addressed to its name, whatever the local part and the resource."""
    it, his = component(ECHO), person("romeo").login("balcony")
    for to in (ECHO, "anyone@" + ECHO, "anyone@%s/anything" % ECHO, ECHO + "/resource"):
        his.message(to, "hello " + to)
        it.expect("message", from_=his.jid, to=to, body="hello " + to)
        it.send("<message from='%s' to='%s' type='chat'><body>echo</body></message>" % (to, his.jid))
        his.expect("message", from_=to, body="echo")


def test_iq_and_presence_pass_both_ways(component, person):
    """XEP-0114 2."""
    it, his = component(ECHO), person("romeo").login("balcony").online()
    his.send("<iq type='get' id='q1' to='%s'><mystery xmlns='urn:example:x'/></iq>" % ECHO)
    it.expect("iq", id="q1", from_=his.jid, has="{urn:example:x}mystery")
    it.send("<iq type='result' id='q1' from='%s' to='%s'><solved xmlns='urn:example:x'/></iq>" % (ECHO, his.jid))
    his.expect("iq", id="q1", type="result", has="{urn:example:x}solved")
    it.send("<iq type='get' id='q2' from='a@%s' to='%s'><mystery xmlns='urn:example:x'/></iq>" % (ECHO, his.jid))
    his.expect("iq", id="q2", from_="a@" + ECHO)
    his.send("<presence to='room@%s/nick'/>" % ECHO)
    it.expect("presence", from_=his.jid, to="room@%s/nick" % ECHO)
    it.send("<presence from='room@%s/nick' to='%s'/>" % (ECHO, his.jid))
    his.expect("presence", from_="room@%s/nick" % ECHO)


def test_components_talk_to_each_other(component):
    """XEP-0114 2: through the router alone."""
    one, two = component(ECHO), component(OTHER)
    one.send("<message from='a@%s' to='b@%s'><body>hello</body></message>" % (ECHO, OTHER))
    two.expect("message", from_="a@" + ECHO, body="hello")


@pytest.mark.parametrize("forged", ["im.example", "admin@im.example", "admin@im.example/desk", "x@" + OTHER,
                                    "elsewhere.example", "x@sub." + ECHO, ""])
def test_forged_sender(component, person, forged):
    """XEP-0114 3: a component speaks for its own name; anything else is <invalid-from/> or dropped, never delivered."""
    it, his = component(ECHO), person("romeo").login("balcony").online()
    it.send("<message from='%s' to='%s' type='chat'><body>trust me</body></message>" % (forged, his.jid))
    try:
        it.sync()
    except Closed:
        pass
    his.expect_nothing("message")


@pytest.mark.parametrize("attributes", ["to='admin@im.example'", "from='x@%s'" % ECHO, "from='a@b@c' to='admin@im.example'",
                                        "from='x@%s' to='a@b@c'" % ECHO])
def test_stanza_without_or_with_bad_addresses(component, attributes):
    """XEP-0114 3: the server adds nothing; <improper-addressing/> or an error, and the server lives."""
    it = component(ECHO)
    it.send("<message %s><body>x</body></message>" % attributes)
    try:
        for el in it.sync():
            assert error_of(el)[1] in ("jid-malformed", "bad-request", None)
    except Closed:
        assert local(it.expect("error"))
    component(OTHER).sync()


def test_order_and_load(component, person):
    """RFC 6120 10.1 through the router: both ways, nothing lost, nothing twice."""
    it, his = component(ECHO), person("romeo").login("balcony")
    his.send("".join("<message to='x@%s' id='%d' type='chat'><body>%d</body></message>" % (ECHO, n, n)
                     for n in range(1000)))
    his.settle()
    assert [el.get("id") for el in it.sync()] == [str(n) for n in range(1000)]
    it.send("".join("<message from='x@%s' to='%s' id='%d' type='chat'><body>y</body></message>" % (ECHO, his.jid, n)
                    for n in range(1000)))
    it.settle()
    assert [el.get("id") for el in his.sync()] == [str(n) for n in range(1000)]


# -- gone ----------------------------------------------------------------------------------------------------------

def test_component_that_is_not_connected(person):
    """DESIGN 2: routes that lead nowhere bounce; the name is known, so it is <service-unavailable/> of type cancel or
    wait, or <remote-server-not-found/>; never silence."""
    his = person("romeo").login("balcony")
    his.message("x@" + ECHO, "anybody?", id="m1")
    assert error_of(his.expect("message", id="m1", type="error"))[1] in ("service-unavailable", "remote-server-not-found",
                                                                        "remote-server-timeout")
    reply = his.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to=ECHO)
    assert error_of(reply)[1] in ("service-unavailable", "remote-server-not-found", "remote-server-timeout")


def test_component_that_leaves_and_comes_back(component, person):
    """XEP-0114: as many times as it likes; what is sent to it in between comes back as an error."""
    his = person("romeo").login("balcony")
    for n in range(4):
        it = component(ECHO)
        his.message("x@" + ECHO, str(n))
        it.expect("message", body=str(n))
        it.end() if n % 2 else it.cut()

        if n % 2:
            # A stream that was ended is known to be at once, a socket that was cut after a moment.
            his.message("x@" + ECHO, "gone", id="gone")
            his.expect("message", id="gone", type="error")
            continue

        def bounced():
            his.message("x@" + ECHO, "gone")
            return [el for el in his.sync() if error_of(el)[1]]
        poll("the bounce", bounced)


def stuff(server, his, size=60000, most=400):
    """Sends messages until some wait in the router for the component that does not read; gives back the last one's id."""
    for n in range(most):
        his.message("x@" + ECHO, "." * size, id="s%d" % n)
        his.sync()
        peers = {peer["name"]: peer["queue_bytes"] for peer in server.status()["router-1"]["peers"]}
        if peers.get(ECHO):
            return "s%d" % n
    raise AssertionError("nothing ever waited")


def test_what_a_dead_component_had_not_taken_comes_back(component, person, server):
    """DESIGN 2: routes that die bounce, what waited in the queue too."""
    it = component(ECHO)
    his = person("romeo").login("balcony")
    last = stuff(server, his)
    it.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    it.sock.close()
    assert error_of(his.expect("message", id=last, type="error"))[1] == "service-unavailable"


def test_what_a_dead_component_had_not_taken_goes_to_the_other_instance(component, person, server):
    """DESIGN 2: several on one name, and failover; what waited for the dead one is not lost."""
    dead = component(ECHO)
    his = person("romeo").login("balcony")
    last = stuff(server, his)
    other = component(ECHO)
    dead.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    dead.sock.close()
    other.expect("message", id=last)


def test_errors_do_not_bounce(person):
    """RFC 6120 8.3.1: an error or a result to a component that is gone vanishes."""
    his = person("romeo").login("balcony")
    his.send("<message type='error' to='x@%s'/><iq type='result' id='r' to='%s'/><presence type='error' to='%s'/>" % (
        ECHO, ECHO, ECHO))
    his.expect_nothing()


# -- several of one name -------------------------------------------------------------------------------------------

def gather(instances, count):
    """Reads on all instances until they have got this many messages together; gives back the ids, by instance."""
    def got():
        for it in instances:
            it.pump(time.monotonic() + 0.01)
        return sum(len(it.inbox) for it in instances) >= count
    poll("%d messages" % count, got)
    return [[el.get("id") for el in it.inbox] for it in instances]


def test_two_instances_share_the_work(component, person):
    """DESIGN 2: round robin over those that are connected under one name; each stanza goes to exactly one."""
    instances = [component(ECHO), component(ECHO)]
    his = person("romeo").login("balcony")
    for n in range(20):
        his.message("x@" + ECHO, str(n), id=str(n))
    his.settle()
    first, second = ([int(id) for id in ids] for ids in gather(instances, 20))
    assert sorted(first + second) == list(range(20))
    assert first and second, "both work"
    assert first == sorted(first) and second == sorted(second)


def test_when_one_instance_leaves_the_other_takes_over(component, person):
    """DESIGN 2: with the end of its stream it is out of the table; all goes to the one that stays, nothing is lost."""
    one, two = component(ECHO), component(ECHO)
    his = person("romeo").login("balcony")
    one.end()
    for n in range(20):
        his.message("x@" + ECHO, str(n), id=str(n))
    assert not [el for el in his.sync() if error_of(el)[1]]
    assert [el.get("id") for el in two.sync()] == [str(n) for n in range(20)]


def test_when_one_instance_dies_the_other_takes_over(component, person):
    """DESIGN 2: a dead one is dropped as soon as its socket is known to be."""
    one, two = component(ECHO), component(ECHO)
    his = person("romeo").login("balcony")
    one.cut()

    def ten_in_a_row():
        for n in range(10):
            id = next_id()
            his.message("x@" + ECHO, "ten", id=id)
            his.settle()
            try:
                two.expect("message", id=id, timeout=1)
            except AssertionError:
                return False        # it went to the dead one, whose end is not known yet
        return True
    poll("all to reach the living one", ten_in_a_row)


# -- a library -----------------------------------------------------------------------------------------------------

def test_slixmpp_component_echoes(server, person):
    """XEP-0114 as a component author uses it: slixmpp's ComponentXMPP."""
    from slixmpp.componentxmpp import ComponentXMPP
    his = person("romeo").login("balcony")

    async def scene():
        it = ComponentXMPP(ECHO, server.components[ECHO], "127.0.0.1", server.port("component"))
        started = asyncio.get_running_loop().create_future()
        it.add_event_handler("session_start", lambda _: started.done() or started.set_result(True))
        it.add_event_handler("message", lambda m: m["type"] in ("chat", "normal") and m.reply("echo: %(body)s" % m).send())
        it.register_plugin("xep_0030")
        it.connect()
        await asyncio.wait_for(started, 20)
        his.message("anyone@" + ECHO, "hello there")
        await asyncio.to_thread(lambda: his.expect("message", body="echo: hello there", from_="anyone@" + ECHO))
        info = await asyncio.to_thread(lambda: his.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                                                       to=ECHO))
        assert info.get("type") == "result"
        await it.disconnect()
    asyncio.run(scene())
