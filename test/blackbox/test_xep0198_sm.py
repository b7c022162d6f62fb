"""Acknowledgements of stream management (XEP-0198 3, 4, 6, 7)."""

import sasl2
from client import NS_PING, befriend, q
from managed import NS_SM, condition, managed, online
from sasl2 import NS_BIND2, NS_SASL2

BAD = "<iq type='get' id='%s'/>"       # no child: answered by the edge


def test_offered_where_it_may_be_used(person):
    """2: with the features after login, not before."""
    romeo = person("romeo")
    client = managed(romeo.connect())
    client.begin()
    assert client.features.find(q(NS_SM, "sm")) is None
    client.authenticate(romeo.user, romeo.password)
    client.begin()
    assert client.features.find(q(NS_SM, "sm")) is not None


def test_enabled_as_asked(person):
    """3: resumable only for who asks; max: what the client says where it is less than what we allow."""
    client = managed(person("romeo").login("a", tls=False))
    enabled = client.enable(resume=False)
    assert enabled.attrib == {}
    for max, granted in ((None, "300"), (60, "60"), (10**9, "3600")):
        client = managed(person("romeo").login("a", tls=False))
        enabled = client.enable(max=max)
        assert enabled.get("resume") == "true" and enabled.get("max") == granted
        assert 20 < len(enabled.get("id")) < 100 and enabled.get("location") is None


def test_ids_are_never_the_same(person):
    romeo = person("romeo")
    ids = {online(romeo, "r%d" % n).previd for n in range(5)}
    assert len(ids) == 5


def test_what_was_sent_is_acknowledged(people):
    """4: the count begins with <enable/>."""
    romeo, juliet = people("romeo", "juliet")
    client = managed(romeo.login("a", tls=False))
    client.send("<presence/><message to='%s' id='m'><body>uncounted</body></message>" % juliet.jid)
    client.enable()
    assert client.request() == 0
    client.message(juliet.jid, "one")
    client.message(juliet.jid, "two")
    client.handled()
    assert client.acks[-1] == 2
    assert client.request() == 2


def test_stanzas_behind_enable_need_not_wait(person):
    """4: the client counts from when it has sent <enable/>."""
    client = managed(person("romeo").login("a", tls=False))
    client.send("<enable xmlns='%s'/><presence/><iq type='get' id='p'><ping xmlns='%s'/></iq><r xmlns='%s'/>" % (
        NS_SM, NS_PING, NS_SM))
    client.expect("enabled")
    client.until("h=2", lambda: client.acks and client.acks[-1] == 2)


def test_the_server_asks_for_what_it_sent(people):
    """4: by one <r/> at a time."""
    romeo, juliet = people("romeo", "juliet")
    client, other = online(romeo), juliet.login("b", tls=False).online()
    client.ack()
    client.sync()
    client.ack()
    for n in range(20):
        other.message(client.jid, "m%d" % n)
        client.expect("message", body="m%d" % n)
    client.settle()
    before = client.requests
    other.message(client.jid, "one more")
    client.expect("message", body="one more")
    client.settle()
    assert client.requests == before, "no second question before the answer"
    client.ack()
    client.settle()
    assert client.requests > before, "the answer to the ping was not acknowledged yet"


def test_both_count_what_the_edge_refuses(person):
    """DESIGN 2: an edge answers nothing by itself on such a stream; what is refused or dropped counts as well as its answer."""
    client = online(person("romeo"))
    for n in range(3):
        client.send(BAD % ("bad%d" % n))
        assert client.expect("iq", id="bad%d" % n).get("type") == "error"
        client.send("<iq type='result' id='unasked%d'/>" % n)
        client.send("<message type='error' to='%s'/>" % ("a@b@c"))
    client.send("<iq type='set' id='again'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    client.expect("iq", id="again", error="not-allowed")
    client.send("<iq type='set' id='old'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
    client.expect("iq", id="old", type="result")
    client.handled()
    client.ack()
    client.sync()
    client.ack()
    client.handled()
    client.ack(client.received + 1)
    client.expect_stream_error("undefined-condition")


def test_answers_come_in_order(person):
    """RFC 6120 10.1; also those of the edge among those of the session manager."""
    client = online(person("romeo"))
    ping = "<iq type='get' id='%s'><ping xmlns='" + NS_PING + "'/></iq>"
    client.send("".join((ping if n % 2 else BAD) % ("q%d" % n) for n in range(20)))
    got = [client.expect("iq").get("id") for n in range(20)]
    assert got == ["q%d" % n for n in range(20)]


def test_unacknowledged_messages_wait_for_the_next_login(people):
    """4: what is not acknowledged when the stream ends is treated as sent to a resource that is not there."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("a", tls=False).online(), online(juliet)
    hers.ack()
    his.message(hers.jid, "heard")
    hers.expect("message", body="heard")
    hers.ack()
    hers.handled()
    for body in ("one", "two"):
        his.message(hers.jid, body)
        hers.expect("message", body=body)
    hers.end()
    again = managed(juliet.login("b", tls=False))
    again.send("<presence/>")
    assert [again.expect("message").find("{jabber:client}body").text for _ in range(2)] == ["one", "two"]
    again.expect_nothing("message")


def test_unacknowledged_messages_go_to_another_resource(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("a", tls=False).online(), online(juliet, priority=5)
    other = juliet.login("other", tls=False).online(0)
    his.message(juliet.jid, "for one of them")
    hers.expect("message", body="for one of them")
    other.expect_nothing("message")
    hers.end()
    other.expect("message", body="for one of them")


def test_without_resumption_the_session_ends_with_its_connection(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("a", tls=False).online(), managed(juliet.login("b", tls=False))
    befriend(his, hers)
    hers.enable(resume=False)
    hers.online()
    his.expect("presence", from_=hers.jid, type=None)
    his.message(hers.jid, "not acknowledged")
    hers.expect("message", body="not acknowledged")
    hers.cut()
    his.expect("presence", from_=hers.jid, type="unavailable")
    again = juliet.login("b", tls=False)
    again.send("<presence/>")
    again.expect("message", body="not acknowledged")


def test_unacknowledged_requests_are_answered(people):
    """4: by an error to who asked."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("a", tls=False).online(), online(juliet)
    his.send("<iq type='get' id='heard' to='%s'><query xmlns='jabber:iq:version'/></iq>" % hers.jid)
    hers.expect("iq", id="heard")
    hers.ack()
    hers.send("<iq type='result' id='heard' to='%s'/>" % his.jid)
    his.expect("iq", id="heard", type="result")
    his.send("<iq type='get' id='lost' to='%s'><query xmlns='jabber:iq:version'/></iq>" % hers.jid)
    hers.expect("iq", id="lost")
    hers.end()
    his.expect("iq", id="lost", type="error", error="service-unavailable")
    his.expect_nothing("iq", id="heard")


def test_inline_with_the_resource(person):
    """9.1: Bind 2."""
    romeo = person("romeo")
    client = sasl2.ready(romeo)
    inline = client.features.find("%s/%s" % (q(NS_SASL2, "authentication"), q(NS_SASL2, "inline")))
    assert inline.find(q(NS_SM, "sm")) is not None
    assert NS_SM in [el.get("var") for el in inline.iter(q(NS_BIND2, "feature"))]
    managed(client)
    success = sasl2.authenticate(client, romeo.user, romeo.password,
                                 inside=sasl2.bind("x", inside="<enable xmlns='%s' resume='true' max='100'/>" % NS_SM))
    enabled = success.find("%s/%s" % (q(NS_BIND2, "bound"), q(NS_SM, "enabled")))
    assert enabled.get("resume") == "true" and enabled.get("max") == "100" and enabled.get("id")
    client.previd, client.counting = enabled.get("id"), True
    client.expect("features")
    client.sent = client.received = 0
    client.online()
    client.handled()
    client.ack()
    client.handled()
    client.send("<enable xmlns='%s'/>" % NS_SM)
    assert condition(client.expect("failed")) == "unexpected-request"


def test_inline_that_is_malformed(person):
    """9.1: the resource is bound all the same."""
    romeo = person("romeo")
    client = sasl2.ready(romeo)
    success = sasl2.authenticate(client, romeo.user, romeo.password,
                                 inside=sasl2.bind("x", inside="<enable xmlns='%s' resume='perhaps'/>" % NS_SM))
    failed = success.find("%s/%s" % (q(NS_BIND2, "bound"), q(NS_SM, "failed")))
    assert condition(failed) == "bad-request"
    assert client.ping().get("type") == "result"
