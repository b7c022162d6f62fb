"""Bind 2 (XEP-0386): a resource with the login, and what is switched on with it."""

import re
from xml.sax.saxutils import quoteattr

import pytest

import sasl2
from client import NS_BIND, befriend, body_of, local, q
from mam import NS_HINTS, NS_MAM, ask_all
from managed import NS_SM, managed
from sasl2 import NS_BIND2, NS_SASL2, condition, ready

SERVER = dict(conf={"sessman.conf": "[limits]\nsessions_per_account = 3\n[offline]\nper_sender = 1000\n"})


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


# -- what is switched on with it ------------------------------------------------------------------------------------

def inline_features(client):
    return {el.get("var") for el in client.features.iter(q(NS_BIND2, "feature"))}


def test_what_may_be_asked_for_is_said(person):
    """XEP-0386 3.1."""
    assert inline_features(ready(person("romeo"))) == {"urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3"}


def test_carbons_from_the_first_moment(people):
    """XEP-0386 3.2, XEP-0280: no answer, and copies of what another resource sends."""
    romeo, juliet = people("romeo", "juliet")
    phone, other = romeo.login("phone").online(), juliet.login("balcony").online()
    client = sasl2.login(romeo, inside="<enable xmlns='urn:xmpp:carbons:2'/>")
    without = sasl2.login(romeo)
    assert not [el for el in client.success.find(q(NS_BIND2, "bound")) if "carbons" in el.tag]
    phone.message(other.jid, "hello")
    other.expect("message", body="hello")
    client.expect("message", has=q("urn:xmpp:carbons:2", "sent"))
    without.expect_nothing("message")


def test_a_client_may_begin_inactive(people):
    """XEP-0386 3.2, XEP-0352: presence waits until it is active."""
    romeo, juliet = people("romeo", "juliet")
    first, other = romeo.login("first").online(), juliet.login("balcony").online()
    befriend(first, other)
    client = sasl2.login(romeo, inside="<inactive xmlns='urn:xmpp:csi:0'/>")
    client.online()
    for status in ("outdated", "of today"):
        other.send("<presence><status>%s</status></presence>" % status)
    other.sync()
    client.send("<active xmlns='urn:xmpp:csi:0'/>")
    client.settle()
    assert [el.findtext("{jabber:client}status") for el in client.inbox] == ["of today"], "the newest alone was kept"


def test_stream_management_from_the_first_moment(person):
    """XEP-0198 9.1: <enabled/> in <bound/>; both sides count from there, and the session may be resumed."""
    romeo = person("romeo")
    client = managed(ready(romeo))
    inside = "<enable xmlns='%s' resume='true'/>" % NS_SM
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=sasl2.bind("sm", inside))
    enabled = outcome.find("%s/%s" % (q(NS_BIND2, "bound"), q(NS_SM, "enabled")))
    client.previd, client.sent, client.received, client.counting = enabled.get("id"), 0, 0, True
    client.features = client.expect("features")
    client.message(client.jid, "to myself")
    client.expect("message", body="to myself")
    client.handled()
    client.ack()
    client.cut()
    again = managed(ready(romeo))
    assert local(again.authenticate(romeo.user, romeo.password)) == "success"
    again.begin()
    assert local(again.resume_from(client)) == "resumed"
    again.handled()


@pytest.mark.parametrize("inside", ["resume='maybe'", "max='-1'", "resume='true' max='x'"])
def test_enable_that_is_malformed(person, inside):
    """XEP-0198 9.1.1: the resource is bound, stream management is not enabled."""
    client = sasl2.login(person("romeo"), "<enable xmlns='%s' %s/>" % (NS_SM, inside))
    failed = client.success.find("%s/%s" % (q(NS_BIND2, "bound"), q(NS_SM, "failed")))
    assert failed is not None and client.ping().get("type") == "result"


def test_all_at_once(person):
    """In one request, in whichever order; unknown elements are passed over."""
    client = sasl2.login(person("romeo"), "<x xmlns='urn:x'/><active xmlns='urn:xmpp:csi:0'/><enable xmlns='%s'/>"
                         "<enable xmlns='urn:xmpp:carbons:2'/><enable xmlns='urn:unknown'/>" % NS_SM)
    bound = client.success.find(q(NS_BIND2, "bound"))
    assert [el.tag for el in bound] == [q(NS_MAM, "metadata"), q(NS_SM, "enabled")]
    assert client.ping().get("type") == "result"


# -- the session that was -------------------------------------------------------------------------------------------

def managed_login(romeo, tag="sm"):
    client = managed(ready(romeo))
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=sasl2.bind(tag, "<enable xmlns='%s' resume='true'/>" % NS_SM))
    client.previd = outcome.find(".//" + q(NS_SM, "enabled")).get("id")
    client.sent = client.received = 0
    client.counting = True
    client.features = client.expect("features")
    return client


def resume(previd, h=0):
    return "<resume xmlns='%s' previd='%s' h='%s'/>" % (NS_SM, previd, h)


def test_resumption_is_offered_inside(person):
    """XEP-0198 9.2."""
    client = ready(person("romeo"))
    inline = client.features.find("%s/%s" % (q(NS_SASL2, "authentication"), q(NS_SASL2, "inline")))
    assert inline.find(q(NS_SM, "sm")) is not None


def test_resuming_with_the_login(people):
    """XEP-0198 9.2: no features, no resource of one's own; what was missed comes at once."""
    romeo, juliet = people("romeo", "juliet")
    old, other = managed_login(romeo), juliet.login("balcony").online()
    old.online()
    old.ack()
    old.handled()
    h, before = old.received, old.sent
    old.cut()
    other.message(old.jid, "while you were away")
    other.sync()
    client = managed(ready(romeo))
    inside = resume(old.previd, h) + sasl2.bind("other", "<enable xmlns='%s'/>" % NS_SM)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=inside)
    resumed = outcome.find(q(NS_SM, "resumed"))
    assert resumed.get("previd") == old.previd and int(resumed.get("h")) == before
    assert outcome.find(q(NS_BIND2, "bound")) is None and client.jid == old.jid
    client.expect("message", body="while you were away")
    assert client.ping().get("type") == "result"
    assert not [el for el in client.inbox if local(el) == "features"]


def test_resuming_with_a_token(person):
    """The quickest way back: one request, no password (XEP-0484)."""
    romeo, agent = person("romeo"), sasl2.new_agent()
    token = sasl2.get_token(romeo, agent)
    old = managed_login(romeo)
    old.cut()
    client, outcome = sasl2.use_token(romeo, token, agent, inside=resume(old.previd) + sasl2.bind("x"))
    assert outcome.find(q(NS_SM, "resumed")) is not None and client.ping().get("type") == "result"


def test_what_cannot_be_resumed_is_bound_anew(people):
    """XEP-0198 9.2.1: <failed/> beside <bound/>; another's session is as unknown as none, and goes on."""
    romeo, juliet = people("romeo", "juliet")
    hers = managed_login(juliet)
    for previd in ("unknown", hers.previd, "x" * 3000):
        client = ready(romeo)
        inside = resume(previd) + sasl2.bind("anew", "<enable xmlns='%s' resume='true'/>" % NS_SM)
        outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=inside)
        failed = outcome.find(q(NS_SM, "failed"))
        assert failed is not None and failed[0].tag.endswith("}item-not-found")
        assert outcome.find(".//" + q(NS_SM, "enabled")) is not None and client.jid.startswith(romeo.jid + "/anew/")
        client.expect("features")
        assert client.ping().get("type") == "result"
        client.cut()
    assert hers.ping().get("type") == "result"


def test_what_cannot_be_resumed_without_asking_for_a_resource(person):
    romeo = person("romeo")
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=resume("unknown"))
    assert outcome.find(q(NS_SM, "failed")) is not None and client.jid is None
    client.features = client.expect("features")
    assert client.features.find(q(NS_BIND, "bind")) is not None
    assert client.bind("after all").get("type") == "result"
    assert client.ping().get("type") == "result"


def test_nothing_is_resumed_by_a_login_that_fails(person):
    """XEP-0388 2.6.2."""
    romeo = person("romeo")
    old = managed_login(romeo)
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, "wrong", inside=resume(old.previd))
    assert condition(outcome) == "not-authorized" and len(outcome) == 1
    assert old.ping().get("type") == "result", "it has its connection still"


def test_acknowledging_more_than_was_sent(person):
    """XEP-0198 6: it is not resumed, and is there for who knows better."""
    romeo = person("romeo")
    old = managed_login(romeo)
    old.cut()
    outcome = sasl2.authenticate(ready(romeo), romeo.user, romeo.password, inside=resume(old.previd, 1000))
    assert local(outcome) == "success" and outcome.find(q(NS_SM, "failed")) is not None
    outcome = sasl2.authenticate(ready(romeo), romeo.user, romeo.password, inside=resume(old.previd))
    assert outcome.find(q(NS_SM, "resumed")) is not None


def test_binding_anew_ends_the_session_of_the_same_client_that_waits(person):
    """XEP-0386 3.2; it is not to be resumed then."""
    romeo, agent = person("romeo"), sasl2.new_agent()
    client = managed(ready(romeo))
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, agent=agent,
                                 inside=sasl2.bind("a", "<enable xmlns='%s' resume='true'/>" % NS_SM))
    previd = outcome.find(".//" + q(NS_SM, "enabled")).get("id")
    client.cut()
    sasl2.login(romeo, agent=agent)
    outcome = sasl2.authenticate(ready(romeo), romeo.user, romeo.password, inside=resume(previd))
    assert outcome.find(q(NS_SM, "failed")) is not None


# -- the archive ----------------------------------------------------------------------------------------------------

def metadata(client):
    """What the client is told of its archive: [(name, id, timestamp), ...], or None."""
    el = client.success.find("%s/%s" % (q(NS_BIND2, "bound"), q(NS_MAM, "metadata")))
    return None if el is None else [(local(end), end.get("id"), end.get("timestamp")) for end in el]


def test_the_ends_of_the_archive_are_told(people):
    """XEP-0386 3.2, XEP-0313 4: as a query would tell them now."""
    romeo, juliet = people("romeo", "juliet")
    assert metadata(sasl2.login(romeo)) == []
    his = juliet.login("balcony").online()
    mine = romeo.login("chamber").online()
    for n in range(3):
        his.message(romeo.jid, "message %d" % n)
        mine.expect("message", body="message %d" % n)
    rows = ask_all(mine)
    assert metadata(sasl2.login(romeo)) == [("start", rows[0].id, rows[0].stamp), ("end", rows[2].id, rows[2].stamp)]


def test_what_waited_is_left_to_the_archive(people):
    """XEP-0386 3.2: it is not sent; what no archive keeps is."""
    romeo, juliet = people("romeo", "juliet")
    his = juliet.login("balcony").online()
    his.message(romeo.jid, "in the archive")
    his.send("<message to='%s' type='chat'><body>nowhere else</body><no-permanent-store xmlns='%s'/></message>" % (
        romeo.jid, NS_HINTS))
    his.sync()
    client = sasl2.login(romeo)
    his.message(romeo.jid, "after it was bound")
    his.sync()
    client.send("<presence/>")
    client.message(romeo.jid, "flush", id="f1")
    client.expect("message", id="f1")
    bodies = [el.findtext("{jabber:client}body") for el in client.inbox if local(el) == "message"]
    assert bodies == ["nowhere else", "after it was bound"]
    assert [body_of(row.message) for row in ask_all(client)][0] == "in the archive"
    client.end()
    old = romeo.login("old").online()
    assert not [el for el in old.flush() if local(el) == "message"], "nobody gets it again"


def test_what_waited_is_delivered_to_who_binds_as_ever(people):
    """RFC 6121 8.5.2.2.1, XEP-0160: Bind 2 alone says that the archive is looked at."""
    romeo, juliet = people("romeo", "juliet")
    his = juliet.login("balcony").online()
    his.message(romeo.jid, "waiting")
    his.sync()
    client = ready(romeo)
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success"
    client.expect("features")
    client.bind("balcony")
    client.send("<presence/>")
    client.expect("message", body="waiting")


def test_many_that_waited(people):
    """More than are looked at in one turn; in order, none twice, none lost."""
    romeo, juliet = people("romeo", "juliet")
    his = juliet.login("balcony").online()
    for n in range(700):
        hint = "<no-permanent-store xmlns='%s'/>" % NS_HINTS if n % 100 == 0 else ""
        his.send("<message to='%s' type='chat'><body>%d</body>%s</message>" % (romeo.jid, n, hint))
    his.sync()
    client = sasl2.login(romeo)
    client.send("<presence/>")
    client.message(romeo.jid, "flush", id="f1")
    client.expect("message", id="f1")
    got = [el.findtext("{jabber:client}body") for el in client.inbox if local(el) == "message"]
    assert got == [str(n) for n in range(0, 700, 100)]
    assert [body_of(row.message) for row in ask_all(client)][:693] == [str(n) for n in range(700) if n % 100]
