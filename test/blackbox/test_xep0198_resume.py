"""Resumption (XEP-0198 5, 7, 9.2): at any connection manager, with nothing lost, nothing twice, and nobody the wiser."""

import pytest

import sasl2
import server as servers
from client import NS_ROSTER, befriend, local, q
from managed import NS_SM, authenticated, condition, managed, online
from roster import query


class TwoC2s(servers.Server):
    """Two connection managers on one port: which of them takes up a connection is the kernel's choice."""

    def init(self):
        super().init()
        conf = self.dir / "bulkhead.conf"
        conf.write_text(conf.read_text().replace("c2s = 1", "c2s = 2"))


@pytest.fixture(scope="module")
def server():
    with servers.running(TwoC2s(conf={"sessman.conf": "[session]\nqueue_stanzas = 200\n"})) as it:
        yield it


def resumed(person, old, h=None):
    client = authenticated(person, old.name + "+")
    answer = client.resume_from(old, h)
    assert local(answer) == "resumed", condition(answer)
    assert answer.get("previd") == old.previd
    client.server_handled = int(answer.get("h"))
    return client


def bodies(client, n):
    return [client.expect("message").find("{jabber:client}body").text for _ in range(n)]


@pytest.fixture
def pair(people):
    """Contacts; he is on an ordinary stream, hers is managed, and settled."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("his", tls=False), managed(juliet.login("hers", tls=False))
    befriend(his, hers)
    hers.enable()
    hers.online()
    his.online()
    hers.expect("presence", from_=his.jid)
    his.sync()
    hers.handled()
    hers.sync()
    hers.ack()
    hers.handled()
    return juliet, his, hers


def test_what_came_meanwhile_comes_in_order_and_once(pair):
    juliet, his, hers = pair
    his.message(hers.jid, "had, not acknowledged")
    hers.expect("message", body="had, not acknowledged")
    hers.cut()
    for n in range(10):
        his.message(hers.bare if n % 2 else hers.jid, "m%d" % n)
    his.sync()
    again = resumed(juliet, hers)
    assert bodies(again, 10) == ["m%d" % n for n in range(10)]
    again.ack()
    again.handled()
    again.expect_nothing("message")
    his.expect_nothing("presence")
    assert again.server_handled == hers.sent


def test_what_did_not_arrive_comes_again(pair):
    """h says what did: the client has not seen the last three."""
    juliet, his, hers = pair
    for n in range(5):
        his.message(hers.jid, "m%d" % n)
    assert bodies(hers, 5) == ["m%d" % n for n in range(5)]
    hers.cut()
    again = resumed(juliet, hers, hers.received - 3)
    assert bodies(again, 3) == ["m2", "m3", "m4"]
    again.ack()
    again.handled()
    again.cut()
    last = resumed(juliet, again)
    last.expect_nothing("message")


def test_what_the_client_sent_into_the_void(pair):
    """h of <resumed/> says what to send again; what it covers is not lost."""
    juliet, his, hers = pair
    for n in range(50):
        hers.message(his.jid, "m%d" % n)
    hers.cut()
    again = resumed(juliet, hers)
    arrived = again.server_handled - (hers.sent - 50)
    assert 0 <= arrived <= 50
    for n in range(arrived, 50):
        again.message(his.jid, "m%d" % n)
    assert bodies(his, 50) == ["m%d" % n for n in range(50)]
    his.expect_nothing("message")


def test_nobody_sees_it(pair):
    """5: presence is kept; probes are answered; directed presence stands."""
    juliet, his, hers = pair
    hers.send("<presence><status>here</status></presence>")
    his.expect("presence", from_=hers.jid)
    hers.cut()
    his.expect_nothing("presence")
    his.send("<presence type='probe' to='%s'/>" % hers.bare)
    his.expect("presence", from_=hers.jid, where=lambda el: el.find("{jabber:client}status").text == "here")
    again = resumed(juliet, hers)
    his.expect_nothing("presence")
    again.send("<presence type='unavailable'/>")
    his.expect("presence", from_=hers.jid, type="unavailable")


def test_presence_and_roster_are_brought_up_to_date(pair, person):
    """5: the client need not ask: pushes and presence that it missed come."""
    juliet, his, hers = pair
    hers.interested()
    hers.ack()
    hers.handled()
    hers.cut()
    his.send("<presence><show>away</show></presence>")
    other = juliet.login("other", tls=False)
    assert other.ask("set", query("<item jid='new@im.example' name='N'/>")).get("type") == "result"
    his.sync()
    again = resumed(juliet, hers)
    again.expect("presence", from_=his.jid, where=lambda el: el.find("{jabber:client}show").text == "away")
    push = again.expect("iq", type="set", has=q(NS_ROSTER, "query"))
    assert push.find(".//" + q(NS_ROSTER, "item")).get("jid") == "new@im.example"


def test_half_open_connection_is_taken_over(pair):
    """5: the old stream ends with <conflict/>; on whichever connection manager either is."""
    juliet, his, hers = pair
    old = hers
    for n in range(8):
        his.message(hers.jid, "m%d" % n)
        new = resumed(juliet, old)
        new.expect("message", body="m%d" % n)
        new.ack()
        old.expect_stream_error("conflict")
        new.handled()
        old = new
    his.expect_nothing("presence")


def test_two_at_once(pair):
    """One of them has it in the end, and it works; the other was told."""
    juliet, his, hers = pair
    hers.cut()
    one, other = authenticated(juliet), authenticated(juliet)
    for client in (one, other):
        client.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, hers.previd, hers.received))
    closed = []
    his.message(hers.jid, "to the last one")
    for client in (one, other):
        try:
            assert local(client.expect(where=lambda el: el.tag.startswith("{%s}" % NS_SM))) == "resumed"
            client.expect("message", body="to the last one", timeout=2)
        except Exception:       # noqa: BLE001 - the stream has ended, maybe before it was told
            client.expect_stream_error("conflict")
            closed.append(client)
    assert len(closed) == 1


def test_connection_managers_die(server, pair):
    """DESIGN 5: resumption state lives with sessman."""
    juliet, his, hers = pair
    hers.ack()
    hers.cut()
    his.message(hers.jid, "before")
    his.sync()
    server.kill_daemon("c2s")
    again = resumed(juliet, hers)
    again.expect("message", body="before")
    again.ack()
    again.handled()
    server.kill_daemon("c2s")           # while it is connected
    last = resumed(juliet, again)
    last.message(last.jid, "to myself")
    last.expect("message", body="to myself")
    last.handled()


def test_time_is_over(people):
    """4, 5: then, and not before, it is unavailable; what it had not acknowledged waits; the count is told to who comes too late."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("his", tls=False), managed(juliet.login("hers", tls=False))
    befriend(his, hers)
    assert hers.enable(max=1).get("max") == "1"
    his.online()
    hers.online()
    his.expect("presence", from_=hers.jid)
    his.message(hers.jid, "one")
    hers.expect("message", body="one")
    hers.handled()
    hers.cut()
    his.message(hers.jid, "two")
    his.expect("presence", from_=hers.jid, type="unavailable")
    late = authenticated(juliet)
    failed = late.resume_from(hers)
    assert local(failed) == "failed" and condition(failed) == "item-not-found"
    assert int(failed.get("h")) == hers.sent
    assert late.bind("new").get("type") == "result", "the stream may go on with a resource"
    late.send("<presence/>")
    assert bodies(late, 2) == ["one", "two"]
    late.expect_nothing("message")


def test_queue_is_full(pair):
    """Bounded: the session ends, and what it had waits for the next one."""
    juliet, his, hers = pair
    hers.cut()
    for n in range(210):
        his.message(hers.jid, "m%d" % n)
    his.expect("presence", from_=hers.jid, type="unavailable")
    his.sync()
    late = authenticated(juliet)
    failed = late.resume_from(hers)
    assert condition(failed) == "item-not-found"
    late.bind("new")
    late.send("<presence/>")
    assert bodies(late, 210) == ["m%d" % n for n in range(210)]


def test_ended_in_order_is_over(pair):
    """7: </stream:stream> ends the session."""
    juliet, his, hers = pair
    hers.end()
    his.expect("presence", from_=hers.jid, type="unavailable")
    assert condition(authenticated(juliet).resume_from(hers)) == "item-not-found"


def test_bound_again_while_it_hibernates(pair):
    """RFC 6120 7.7.2.2: who binds the resource anew has ended the old session; what it had comes to the new one."""
    juliet, his, hers = pair
    hers.cut()
    his.message(hers.jid, "kept")
    his.sync()
    new = juliet.login("hers", tls=False)
    new.send("<presence/>")
    new.expect("message", body="kept")
    assert condition(authenticated(juliet).resume_from(hers)) == "item-not-found"


def test_order_holds_while_the_connection_comes_and_goes(pair):
    juliet, his, hers = pair
    got = []
    for round in range(6):
        for n in range(20):
            his.message(hers.jid, "m%d" % (round * 20 + n))
        if round % 2:
            his.sync()
        got += bodies(hers, 5)
        h = hers.received
        hers.cut()
        unseen = [el.find("{jabber:client}body").text for el in hers.inbox if el.tag.endswith("}message")]
        got += unseen
        hers = resumed(juliet, hers, h)
    got += bodies(hers, 120 - len(got))
    assert got == ["m%d" % n for n in range(120)]
    hers.expect_nothing("message")


def test_inline_with_the_login(pair):
    """9.2: with SASL2, in one round trip; nothing is bound, no features follow."""
    juliet, his, hers = pair
    hers.cut()
    his.message(hers.jid, "while away")
    his.sync()
    client = managed(sasl2.ready(juliet))
    client.counting, client.received, client.previd = True, hers.received, hers.previd
    client.sent = hers.sent
    success = sasl2.authenticate(client, juliet.user, juliet.password, inside=(
        "<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, hers.previd, hers.received)) + sasl2.bind("ignored"))
    assert success.find(q(NS_SM, "resumed")).get("h") == str(hers.sent)
    assert success.find(q(sasl2.NS_BIND2, "bound")) is None
    assert client.jid == hers.jid
    client.expect("message", body="while away")
    client.ack()
    client.handled()
    assert not [el for el in client.inbox if local(el) == "features"]
    his.expect_nothing("presence")


def test_inline_that_fails_binds(pair):
    """9.2: <failed/> in the success, and the resource that was asked for."""
    juliet, his, hers = pair
    client = sasl2.ready(juliet)
    success = sasl2.authenticate(client, juliet.user, juliet.password, inside=(
        "<resume xmlns='%s' previd='nobody' h='0'/>" % NS_SM) + sasl2.bind("new"))
    assert condition(success.find(q(NS_SM, "failed"))) == "item-not-found"
    assert success.find(q(sasl2.NS_BIND2, "bound")) is not None
    client.expect("features")
    assert client.jid.startswith(juliet.jid + "/new/")
    assert client.ping().get("type") == "result"
    his.message(hers.jid, "its old session goes on")
    hers.expect("message", body="its old session goes on")


def test_another_while_one_is_online(pair):
    """Messages to the bare JID: the one that hibernates counts as available, as it is to its contacts."""
    juliet, his, hers = pair
    other = juliet.login("other", tls=False).online()
    hers.cut()
    his.message(hers.bare, "to both")
    other.expect("message", body="to both")
    again = resumed(juliet, hers)
    again.expect("message", body="to both")


def test_online_again_without_stanzas(people):
    """A session that has heard nothing since <enabled/>: h is 0."""
    juliet, = people("juliet")
    hers = managed(juliet.login("hers", tls=False))
    hers.enable()
    hers.cut()
    again = resumed(juliet, hers, 0)
    assert again.server_handled == 0
    again.online()
    assert online(juliet, "second")
