"""Ours and Debian's prosody and ejabberd, each other's servers, in each way in which servers prove who they are:

    certificate    STARTTLS and EXTERNAL; either side wants a certificate of the other that proves its domain
    dialback       STARTTLS, which both require, and dialback: theirs proves nothing, and they trust nobody
    plain          dialback, and no TLS
    direct         direct TLS (XEP-0368), and EXTERNAL"""

import pytest

from conftest import announce, numbers
from client import NS_DISCO_INFO, NS_PING, error_of, q, show
from federation import befriend, both_ways, federating, numbered, numbers_of, streams
from peers import Ejabberd, Prosody, running
from roster import PRE_APPROVAL_FEATURE, fetch, items_of

OURS = "im.example"
S2S = """
[dns]
loopback = yes
[connect]
retry = 100ms
retry_most = 500ms
[remote *.certificate.example]
require_certificate = yes
[remote *.direct.example]
require_certificate = yes
[remote *.plain.example]
require_tls = no
"""
HOWS = {
    "certificate": {"how": "certificate", "direct": False},
    "dialback": {"how": "dialback", "direct": False, "tls": "required"},
    "plain": {"how": "plain"},
    "direct": {"how": "certificate"},
}


def SERVER(names, ca):
    return federating(OURS, names, ca, "any", S2S, tls="required")


@pytest.fixture(scope="module", params=HOWS)
def how(request):
    return request.param


def only(*hows):
    """What does not depend on the way is tried in these alone."""
    return pytest.mark.parametrize("how", hows, indirect=True, scope="module")


@pytest.fixture(scope="module")
def both(how, server, names, ca):
    """Started together; ours is there before them. With direct TLS, the DNS knows no other way."""
    with running(*[kind("%s.%s.example" % (kind.__name__.lower(), how), names, ca, **HOWS[how])
                   for kind in (Prosody, Ejabberd)]) as peers:
        for it in (server, *peers) if how == "direct" else ():
            names.remove(names.service_name(it.domain))
        yield dict(zip(("prosody", "ejabberd"), peers))
    announce(server, names)


@pytest.fixture(params=["prosody", "ejabberd"])
def peer(both, request):
    return both[request.param]


@pytest.fixture
def login(peer, how, connections):
    """One more person of theirs."""
    def make(name, resource="balcony"):
        return peer.person("%s-%d" % (name, next(numbers)), connections).login(resource, tls=how != "plain")
    return make


@pytest.fixture
def two(person, login):
    return person("romeo").login("orchard").online(), login("juliet").online()


def proven(how, connection):
    """What `bulkheadctl s2s` says of a connection that is as it should be."""
    incoming = connection["direction"] == "in"
    said = (connection["auth"], connection["certificate"], connection["tls"] != "none")
    if how in ("plain", "dialback"):
        return said == ("dialback", "none", how == "dialback")
    return said == ("external-pkix" if incoming else "external", "external-pkix", True)


def test_messages_both_ways(two, how, server, peer):
    both_ways(*two)
    for direction in ("out", "in"):
        found = streams(server, direction=direction, remote=peer.domain)
        assert found and all(proven(how, c) for c in found), found
        if direction == "out" and how != "plain":
            assert {c["port"] for c in found} == {peer.port("s2s_tls" if how == "direct" else "s2s")}


def test_large_stanzas(two):
    """Near 256 KiB, the most that a client of ours may send."""
    for one, other in (two, two[::-1]):
        one.message(other.jid, "x" * 200000, id="large")
        assert len(other.expect("message", id="large").findtext("{jabber:client}body")) == 200000


def test_order_and_number(two):
    for one, other in (two, two[::-1]):
        numbered(one, other, 300)
        assert numbers_of(other, 300) == list(range(300))


@only("certificate")
def test_queries(two, server, peer):
    """XEP-0030, 0092, 0199, either's of the other's server; and of a person, through it."""
    for one, domain in zip(two, (peer.domain, server.domain)):
        features = {el.get("var") for el in one.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=domain).iter(
            q(NS_DISCO_INFO, "feature"))}
        assert {"jabber:iq:version", NS_PING} <= features
        version = one.ask("get", "<query xmlns='jabber:iq:version'/>", to=domain)
        assert version.get("type") == "result" and version.findtext(".//" + q("jabber:iq:version", "name")), show(version)
        assert one.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=domain).get("from") == domain
        assert error_of(one.ask("get", "<query xmlns='urn:none'/>", to=domain)) == ("cancel", "service-unavailable")
    for one, other in (two, two[::-1]):
        one.send("<iq type='get' id='asked' to='%s'><query xmlns='urn:asked'/></iq>" % other.jid)
        asked = other.expect("iq", type="get", has="{urn:asked}query")
        other.send("<iq type='result' id='%s' to='%s'><query xmlns='urn:told'/></iq>" % (asked.get("id"), asked.get("from")))
        assert one.expect("iq", id="asked", type="result", from_=other.jid).find("{urn:told}query") is not None


@only("certificate")
def test_nobody_of_that_name(two, server, peer):
    """RFC 6121 8.5.1."""
    for one, domain in zip(two, (peer.domain, server.domain)):
        assert error_of(one.ask("get", "<query xmlns='urn:none'/>", to="nobody@" + domain)) == ("cancel", "service-unavailable")
        one.message("nobody@" + domain, "lost", id="lost")
        assert one.expect("message", type="error", id="lost").get("from") == "nobody@" + domain


def status_of(presence):
    return presence.findtext("{jabber:client}status")


def subscriptions(client):
    return {jid: (item.subscription, item.ask) for jid, item in items_of(fetch(client)).items()}


@only("certificate")
def test_subscription_both_ways(two, login, person, connections):
    """RFC 6121 3 and 4: requests, approval, presence as it changes, probes, and the end of it."""
    romeo, juliet = two
    befriend(romeo, juliet)
    for one, other in (two, two[::-1]):
        other.expect("presence", type=None, from_=one.jid)
        one.send("<presence><show>away</show><status>of %s</status></presence>" % one.name)
        assert status_of(other.expect("presence", from_=one.jid, where=status_of)) == "of " + one.name
        assert subscriptions(one) == {other.bare: ("both", None)}
    for one, other in (two, two[::-1]):         # 4.3: who comes online hears who is
        one.send("<presence type='unavailable'/>")
        other.expect("presence", type="unavailable", from_=one.jid)
        one.send("<presence/>")
        other.expect("presence", type=None, from_=one.jid)
        assert status_of(one.expect("presence", type=None, from_=other.jid))
        other.inbox.clear()
        one.send("<presence><status>of %s</status></presence>" % one.name)
        other.expect("presence", type=None, where=status_of)
    romeo.subscription("unsubscribe", juliet.bare)              # 3.3: only his
    juliet.expect("presence", type="unsubscribe", from_=romeo.bare)
    assert subscriptions(juliet) == {romeo.bare: ("to", None)} and subscriptions(romeo) == {juliet.bare: ("from", None)}
    romeo.inbox.clear()
    juliet.send("<presence><status>not for you</status></presence>")
    juliet.message(romeo.jid, "behind it")
    romeo.expect("message", body="behind it")
    assert not [el for el in romeo.inbox if el.tag.endswith("presence") and status_of(el)]
    romeo.subscription("unsubscribed", juliet.bare)             # 3.2
    juliet.expect("presence", type="unavailable", from_=romeo.jid)
    juliet.expect("presence", type="unsubscribed", from_=romeo.bare)
    assert subscriptions(romeo) == {juliet.bare: ("none", None)} and subscriptions(juliet) == {romeo.bare: ("none", None)}


@only("certificate")
def test_unsubscribed_by_them(two):
    """RFC 6121 3.3.3: ours says that romeo is gone, too. (Prosody does not.)"""
    romeo, juliet = two
    befriend(romeo, juliet)
    juliet.expect("presence", type=None, from_=romeo.jid)
    juliet.subscription("unsubscribe", romeo.bare)
    juliet.expect("presence", type="unavailable", from_=romeo.jid)
    romeo.expect("presence", type="unsubscribe", from_=juliet.bare)


@only("certificate")
def test_refused_request(two):
    """RFC 6121 3.1.4."""
    for one, other in (two, two[::-1]):
        one.interested(), other.interested()
        one.subscription("subscribe", other.bare)
        other.expect("presence", type="subscribe", from_=one.bare)
        other.subscription("unsubscribed", one.bare)
        one.expect("presence", type="unsubscribed", from_=other.bare)
        assert subscriptions(one) == {other.bare: ("none", None)}


@only("certificate")
def test_request_waits_for_who_is_away(person, login):
    """RFC 6121 3.1.3, of either side."""
    for one, other in ((person("romeo").login().online(), login("juliet")), (login("juliet").online(), person("romeo").login())):
        one.subscription("subscribe", other.bare)
        one.ask("get", "<query xmlns='urn:none'/>", to=other.bare)      # behind it
        other.send("<presence/>")
        other.expect("presence", type="subscribe", from_=one.bare)


@only("certificate")
def test_approved_before_it_is_asked(two):
    """RFC 6121 3.4, where the one who approves has a server that can."""
    for one, other in (two, two[::-1]):
        one.interested(), other.interested()
        if other.features.find(PRE_APPROVAL_FEATURE) is None:
            assert "ejabberd" in other.server_name
            continue
        other.subscription("subscribed", one.bare)
        other.sync()
        one.subscription("subscribe", other.bare)
        one.expect("presence", type="subscribed", from_=other.bare)
        other.expect_nothing("presence", type="subscribe")


# -- bulkheadctl -----------------------------------------------------------------------------------------------------

def test_probe_tells_each_step(two, how, server, peer):
    told = server.run("s2s", "probe", peer.domain).stdout
    assert "connected" in told and "done: ok" in told
    assert ("tls: " in told) == (how != "plain")
    assert ("dialback: accepted" in told) == (how in ("plain", "dialback"))
    assert ("external: accepted" in told) == (how not in ("plain", "dialback"))


@only("certificate", "dialback")
def test_close_and_again(two, server, peer):
    romeo, juliet = two
    both_ways(romeo, juliet)
    assert "closed" in server.run("s2s", "close", peer.domain).stdout
    both_ways(romeo, juliet, "again")
    assert peer.domain in server.run("s2s").stdout


# -- ends and new starts ---------------------------------------------------------------------------------------------

@only("certificate", "dialback")
def test_ours_starts_anew(two, server):
    """Planned, with what romeo writes meanwhile; juliet's server finds the new one."""
    romeo, juliet = two
    both_ways(romeo, juliet)
    numbered(romeo, juliet, 20)
    server.run("restart", "s2s")
    server.pids = server.daemons()
    numbered(romeo, juliet, 20, "m")
    assert numbers_of(juliet, 20) == list(range(20)) and numbers_of(juliet, 20, "m") == list(range(20))
    both_ways(romeo, juliet, "again")


@only("certificate", "dialback")
def test_ours_is_killed(two, server):
    """With -9: what had not been acknowledged may come twice (README), and nothing is missing."""
    romeo, juliet = two
    both_ways(romeo, juliet)
    server.replace_daemon("s2s", lambda: numbered(romeo, juliet, 20))
    assert set(numbers_of(juliet, 20)) == set(range(20))
    both_ways(romeo, juliet, "again")


@only("certificate", "dialback")
@pytest.mark.parametrize("end", ["stop", "crash"])
def test_theirs_starts_anew(person, peer, how, connections, end):
    """What romeo asks meanwhile waits for it."""
    romeo, juliet = person("romeo").login("orchard").online(), peer.person("juliet-" + end, connections)
    both_ways(romeo, juliet.login("balcony").online())
    getattr(peer, end)()
    for n in range(20):
        romeo.send("<iq type='get' id='away-%d' to='%s'><ping xmlns='%s'/></iq>" % (n, peer.domain, NS_PING))
    peer.again()
    for n in range(20):
        romeo.expect("iq", id="away-%d" % n, type="result")
    both_ways(romeo, juliet.login("balcony").online(), "again")
