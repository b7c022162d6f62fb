"""Components with TLS, SASL and several names (XEP-0225)."""

import pytest

from client import NS_TLS, Closed, error_of, local, q
from test_component_0114 import gather
from component import NS_COMPONENT, Component225

CHAT, FILES = "chat.im.example", "files.im.example"
FARM = "farm.im.example"        # may bind several names, and all below one of them
SERVER = {"components": {CHAT: "secret of chat", FILES: "secret of files"},
          "conf": {"router.conf": "[component %s]\nsecret = secret of farm\nnames = %s, barn.im.example, *.%s\n" % (FARM, FARM, FARM)}}


@pytest.fixture
def raw(server, connections):
    """raw(name): a connection to the router on which nothing was sent yet."""
    def make(name):
        it = Component225(server, name, name=name)
        connections.append(it)
        return it
    return make


@pytest.fixture
def joined(raw, server):
    """joined(name): secured and authenticated, its stream opened again, nothing bound."""
    def make(name, mechanism="SCRAM-SHA-256"):
        it = raw(name).secure()
        secret = "secret of farm" if name == FARM else server.components[name]
        assert local(it.authenticate(name, secret, mechanism)) == "success"
        it.begin()
        return it
    return make


def test_features_step_by_step(raw, server):
    """XEP-0225 3: STARTTLS, then SASL, then <bind/>, each when its time has come."""
    it = raw(CHAT)
    features = it.begin()
    assert features.find(q(NS_TLS, "starttls")) is not None
    assert features.find(q(NS_COMPONENT, "bind")) is None
    it.starttls()
    features = it.begin()
    assert "SCRAM-SHA-256" in it.mechanisms() and features.find(q(NS_COMPONENT, "bind")) is None
    assert local(it.authenticate(CHAT, server.components[CHAT])) == "success"
    assert it.begin().find(q(NS_COMPONENT, "bind")) is not None


@pytest.mark.parametrize("name, secret", [(CHAT, "wrong"), (CHAT, "secret of files"), ("unknown.im.example", "x"),
                                          ("im.example", "x"), ("", "")])
def test_wrong_secret_or_name(raw, name, secret):
    """XEP-0225 3: <not-authorized/>, for names that are not there as well."""
    it = raw(CHAT).secure()
    outcome = it.authenticate(name, secret)
    assert local(outcome) == "failure" and local(outcome[0]) in ("not-authorized", "malformed-request")


def test_bound_name_gets_and_sends(joined, person):
    """XEP-0225 4."""
    it, his = joined(CHAT), person("romeo").login("balcony")
    reply = it.bind_name(CHAT)
    assert reply.get("type") == "result" and reply.find(".//" + q(NS_COMPONENT, "hostname")).text == CHAT
    his.message("room@" + CHAT, "hello")
    it.expect("message", from_=his.jid, to="room@" + CHAT, body="hello")
    it.send("<message from='room@%s' to='%s' type='chat'><body>welcome</body></message>" % (CHAT, his.jid))
    his.expect("message", from_="room@" + CHAT, body="welcome")


def test_name_of_another_cannot_be_bound(joined):
    """XEP-0225 4: a component binds what it is allowed; a hosted domain nobody but sessman."""
    it = joined(CHAT)
    for name in (FILES, "im.example", "elsewhere.example", "", "a@b", "x" * 2000):
        assert error_of(it.bind_name(name))[1] is not None, name
    assert it.bind_name(CHAT).get("type") == "result"


def test_unbound_name_gets_no_more(joined, person):
    """XEP-0225 4: and may be bound again."""
    it, his = joined(CHAT), person("romeo").login("balcony")
    it.bind_name(CHAT)
    assert it.unbind_name(CHAT).get("type") == "result"
    his.message("room@" + CHAT, "anybody?", id="m1")
    assert error_of(his.expect("message", id="m1", type="error"))[1]
    assert it.bind_name(CHAT).get("type") == "result"
    his.message("room@" + CHAT, "again")
    it.expect("message", body="again")


def test_nothing_is_routed_before_a_bind(joined, person):
    """XEP-0225 4."""
    it, his = joined(CHAT), person("romeo").login("balcony")
    his.message("room@" + CHAT, "too early", id="m1")
    assert error_of(his.expect("message", id="m1", type="error"))[1]
    it.send("<message from='room@%s' to='%s'><body>too early</body></message>" % (CHAT, his.jid))
    try:
        it.expect(where=lambda el: True)
    except Closed:
        pass
    his.expect_nothing("message")


def test_sender_must_be_a_bound_name(joined, person):
    """XEP-0225 4, XEP-0114 3."""
    it, his = joined(CHAT), person("romeo").login("balcony")
    it.bind_name(CHAT)
    it.send("<message from='x@%s' to='%s'><body>forged</body></message>" % (FILES, his.jid))
    try:
        it.sync()
    except Closed:
        pass
    his.expect_nothing("message")


def test_old_and_new_handshake_share_one_name(joined, component, person):
    """DESIGN 2: instances are instances, however they came in."""
    new, old = joined(CHAT), component(CHAT)
    new.bind_name(CHAT)
    his = person("romeo").login("balcony")
    for n in range(10):
        his.message("x@" + CHAT, str(n), id=str(n))
    his.settle()
    first, second = gather([new, old], 10)
    assert first and second and sorted(first + second, key=int) == [str(n) for n in range(10)]


# -- several names -------------------------------------------------------------------------------------------------

def test_several_names_on_one_stream(joined, person):
    """XEP-0225 4: each of them gets what is sent to it, and may speak."""
    it, his = joined(FARM), person("romeo").login("balcony")
    names = [FARM, "barn.im.example", "east." + FARM, "west." + FARM]
    for name in names:
        assert it.bind_name(name).get("type") == "result", name
    for name in names:
        his.message("hen@" + name, "to " + name)
        it.expect("message", to="hen@" + name, from_=his.jid, body="to " + name)
        it.send("<message from='hen@%s' to='%s' type='chat'><body>cluck</body></message>" % (name, his.jid))
        his.expect("message", from_="hen@" + name, body="cluck")


def test_names_that_are_not_among_its_own(joined):
    """XEP-0225 4: neither a hosted domain, nor another's, nor one that only looks alike."""
    it = joined(FARM)
    for name in ("im.example", CHAT, "stable.im.example", "x.barn.im.example", "notfarm.im.example", "." + FARM):
        assert error_of(it.bind_name(name))[1] is not None, name
    assert it.bind_name("east." + FARM).get("type") == "result"


def test_one_of_several_names_is_unbound(joined, person):
    """XEP-0225 4.2: the others stay."""
    it, his = joined(FARM), person("romeo").login("balcony")
    for name in (FARM, "barn.im.example"):
        it.bind_name(name)
    assert it.unbind_name(FARM).get("type") == "result"
    his.message("x@" + FARM, "gone?", id="gone")
    assert error_of(his.expect("message", id="gone", type="error"))[1]
    his.message("x@barn.im.example", "there?")
    it.expect("message", body="there?")
    it.send("<message from='x@%s' to='%s'><body>forged</body></message>" % (FARM, his.jid))
    try:
        it.sync()
    except Closed:
        pass
    his.expect_nothing("message")


def test_instances_with_different_names(joined, person):
    """DESIGN 2: two streams of one component, one name in common: that one is shared, the others are not."""
    one, two = joined(FARM), joined(FARM)
    for it, own in ((one, "east." + FARM), (two, "west." + FARM)):
        it.bind_name(own), it.bind_name("barn.im.example")
    his = person("romeo").login("balcony")
    for n in range(10):
        his.message("x@barn.im.example", str(n), id=str(n))
        his.message("x@east." + FARM, "east", id="east-%d" % n)
    his.settle()
    first, second = gather([one, two], 20)
    assert {"east-%d" % n for n in range(10)} <= set(first) and not [id for id in second if id.startswith("east")]
    assert [id for id in first if id.isdigit()] and second


# -- failover ------------------------------------------------------------------------------------------------------

def test_instance_that_leaves_under_traffic(joined, person):
    """DESIGN 2: 2,000 messages, and one of two instances ends its stream in the middle: each message comes to one of them,
    or back as an error; none is lost, none comes twice."""
    one, two = joined(CHAT), joined(CHAT)
    for it in (one, two):
        it.bind_name(CHAT)
    his, total = person("romeo").login("balcony"), 2000
    for n in range(total):
        his.sock.sendall(b"<message to='x@%s' type='chat' id='%d'><body>%d</body></message>" % (CHAT.encode(), n, n))
        if n == total // 2:
            one.end()       # its end tag is answered behind all that was given to it
    bounced = [el.get("id") for el in his.sync() if error_of(el)[1]]
    two.settle()
    got = [el.get("id") for it in (one, two) for el in it.inbox if (el.get("id") or "").isdigit()]
    assert sorted(got + bounced, key=int) == [str(n) for n in range(total)]
    assert len([el for el in two.inbox]) >= total // 2
