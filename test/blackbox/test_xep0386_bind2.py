"""Bind 2 (XEP-0386): a resource with the login, and what is switched on with it."""

import re
from xml.sax.saxutils import quoteattr

import pytest

import sasl2
from client import NS_BIND, local, q
from sasl2 import NS_BIND2, NS_SASL2, condition, ready

SERVER = dict(conf={"sessman.conf": "[limits]\nsessions_per_account = 3\n"})


def test_it_is_offered_inside(person):
    """XEP-0386 3.1."""
    client = ready(person("romeo"))
    inline = client.features.find("%s/%s" % (q(NS_SASL2, "authentication"), q(NS_SASL2, "inline")))
    assert inline.find(q(NS_BIND2, "bind")) is not None


def test_one_request_and_the_session_is_there(people):
    """XEP-0386 3.2: the full JID in the success, <bound/>, features without <bind/>; stanzas go at once."""
    romeo, juliet = people("romeo", "juliet")
    client = sasl2.login(romeo, tag="AwesomeXMPP")
    assert re.fullmatch(re.escape(romeo.jid) + "/AwesomeXMPP/[A-Za-z0-9_-]{12}", client.jid), client.jid
    assert client.success.find(q(NS_BIND2, "bound")) is not None
    assert client.features.find(q(NS_BIND, "bind")) is None
    other = juliet.login("balcony")
    other.message(client.jid, "to the full JID")
    client.expect("message", body="to the full JID", from_=other.jid)
    client.message(other.jid, "back")
    other.expect("message", body="back", from_=client.jid)
    client.online()
    assert client.ping().get("type") == "result"
    reply = client.ask("set", "<bind xmlns='%s'/>" % NS_BIND)
    assert reply.get("type") == "error", "one resource a stream (RFC 6120 7.1)"


def test_features_after_it_are_those_of_a_bound_stream(person):
    romeo = person("romeo")
    old = romeo.login("old")
    client = sasl2.login(romeo)
    names = {el.tag for el in client.features}
    assert names == {el.tag for el in old.features} - {q(NS_BIND, "bind"), q("urn:ietf:params:xml:ns:xmpp-session", "session")}


def test_resources_are_never_the_same(person):
    romeo = person("romeo")
    got = {sasl2.login(romeo, tag=tag).jid for tag in ("a", "a", None)}
    assert len(got) == 3 and all(jid.startswith(romeo.jid + "/") for jid in got)


@pytest.mark.parametrize("tag", ["  ", "x" * 2000, "\ufdd0", "a b", "\u00e9t\u00e9", "a/b", "&lt;&amp;&apos;"])
def test_tags_of_any_kind(person, tag):
    """XEP-0386 3.2.1: subject to the validation for resources; a login does not fail for it."""
    client = sasl2.login(person("romeo"), tag=tag)
    client.send("<message to=%s><body>hello</body></message>" % quoteattr(client.jid))
    client.expect("message", body="hello", to=client.jid)


def test_the_same_client_replaces_itself(person):
    """XEP-0386 3.2: known by its user-agent id; others stay."""
    romeo = person("romeo")
    agent = sasl2.new_agent()
    first, other = sasl2.login(romeo, agent=agent), sasl2.login(romeo, agent=sasl2.new_agent())
    nameless = sasl2.login(romeo)
    second = sasl2.login(romeo, agent=agent.upper())    # the same id; the limit of three is no hindrance
    first.expect_stream_error("conflict")
    for client in (other, nameless, second):
        assert client.ping().get("type") == "result"


def test_nothing_is_bound_by_a_login_that_fails(person):
    """XEP-0388 2.6.2; nor does it end the session of the same client."""
    romeo = person("romeo")
    agent = sasl2.new_agent()
    first = sasl2.login(romeo, agent=agent)
    client = ready(romeo)
    assert condition(sasl2.authenticate(client, romeo.user, "wrong", inside=sasl2.bind("x"), agent=agent)) == "not-authorized"
    assert first.ping().get("type") == "result"
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success"
    client.expect("features")
    assert client.bind("balcony").get("type") == "result"


def test_too_many_sessions(person):
    """The login fails as a whole, and may be tried again when there is room."""
    romeo = person("romeo")
    clients = [sasl2.login(romeo) for _ in range(3)]
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=sasl2.bind("x"))
    assert condition(outcome) == "temporary-auth-failure"
    clients[0].end()
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=sasl2.bind("x"))
    assert local(outcome) == "success"
    client.expect("features")
    assert client.ping().get("type") == "result"


def inline(client):
    """What may be asked for with the bind."""
    return {el.get("var") for el in client.features.find(".//" + q(NS_BIND2, "bind")).iter() if el.get("var")}


def test_carbons_are_switched_on_with_it(people):
    """XEP-0386 3.1, XEP-0280: from the first message on."""
    romeo, juliet = people("romeo", "juliet")
    assert "urn:xmpp:carbons:2" in inline(ready(juliet))
    his, hers = romeo.login("balcony"), juliet.login("chamber").online(5)
    other = sasl2.login(juliet, inside="<enable xmlns='urn:xmpp:carbons:2'/>")
    his.message(juliet.jid, "m", id="m1")
    hers.expect("message", id="m1")
    other.expect("message", from_=juliet.jid, has=q("urn:xmpp:carbons:2", "received"))


def test_client_may_begin_inactive(person):
    """XEP-0386 3.1, XEP-0352."""
    juliet = person("juliet")
    assert "urn:xmpp:csi:0" in inline(ready(juliet))
    desk = juliet.login("desk")
    phone = sasl2.login(juliet, inside="<inactive xmlns='urn:xmpp:csi:0'/>")
    phone.online()
    for show in ("away", "dnd"):
        desk.send("<presence><show>%s</show></presence>" % show)
    desk.settle(), phone.settle()
    assert [el.findtext("{jabber:client}show") for el in phone.inbox if el.get("from") == desk.jid] == ["dnd"]
