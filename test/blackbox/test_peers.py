"""The other servers as the tests start them, with each other: that they reach one another, in the way they were told to."""

import ssl

import pytest

import pki
from client import Closed
from peers import Ejabberd, Prosody, running

DOMAINS = ["im.example", "other.example"]


def SERVER(names, ca):
    """Ours, in the same world."""
    shown = ca.issue(*DOMAINS)
    return {"domains": DOMAINS, "tls": "required", "files": {"tls/cert.pem": shown.pem(), "tls/key.pem": shown.key_pem()}}


HOWS = ["certificate", "dialback", "plain", "any"]


def both_ways(one, other):
    """Connected clients of two servers exchange a message each way."""
    one.message(other.jid, "there")
    other.expect("message", body="there", from_=one.jid)
    other.message(one.jid, "and back")
    one.expect("message", body="and back", from_=other.jid)


def rows(prosody):
    """Its streams: {direction: line of its shell's table}."""
    table = [line for line in prosody.streams().splitlines() if line.startswith("s2s")]
    return {line.split("|")[2].strip(): line for line in table}


@pytest.fixture(scope="module", params=HOWS)
def two(request, names, ca):
    how = request.param
    with running(Prosody("prosody.example", names, ca, how), Ejabberd("ejabberd.example", names, ca, how)) as peers:
        yield peers


@pytest.fixture
def how(two, request):
    return request.node.callspec.params["two"]


def test_they_federate(two, how, connections):
    prosody, ejabberd = two
    romeo = prosody.person("romeo", connections).login("orchard", tls=how != "plain").online()
    juliet = ejabberd.person("juliet", connections).login("balcony", tls=how != "plain").online()
    both_ways(romeo, juliet)
    streams = rows(prosody)
    for line in streams["-->"], streams["<--"]:
        assert ("Succeeded" in line) == (how in ("certificate", "any")), line
        assert ("TLSv1" in line) == (how != "plain"), line
    assert ("Completed" in streams["-->"]) == (how in ("dialback", "plain")), streams
    incoming, outgoing = ejabberd.streams()
    assert incoming == {"s2s_incoming": 1} and outgoing == {"s2s_outgoing": 1}


def test_accounts_of_one_name_are_two(two, how, connections):
    prosody, ejabberd = two
    for peer in two:
        assert peer.person("twin", connections).login(tls=how != "plain").bare == "twin@" + peer.domain


@pytest.mark.parametrize("what", ["expired", "wrong name", "self-signed"])
def test_certificates_are_wanted(names, ca, connections, what):
    """how="certificate" is meant: nobody gets in with another."""
    with running(Prosody("strict.example", names, ca, "certificate"),
                 Prosody("loose.example", names, ca, "any", identity=pki.WRONG[what](ca, "loose.example"))) as (strict, loose):
        romeo = strict.person("romeo", connections).login().online()
        juliet = loose.person("juliet", connections).login().online()
        for one, other in (romeo, juliet), (juliet, romeo):
            one.message(other.jid, "no")
            one.expect("message", type="error", from_=other.jid)


def test_bidi_and_direct_tls(names, ca, connections):
    """XEP-0288: one connection is enough for both; XEP-0368: it is the direct one."""
    with running(Prosody("one.example", names, ca, "certificate", bidi=True),
                 Prosody("other.example", names, ca, "certificate", bidi=True)) as (one, other):
        names.asked.clear()
        both_ways(one.person("romeo", connections).login().online(), other.person("juliet", connections).login().online())
        assert list(rows(one)) == ["<->"], one.streams()
        assert ("_xmpps-server._tcp.other.example", "SRV", "udp") in names.asked
        assert ("_xmpp-server._tcp.other.example", "SRV", "udp") not in names.asked


@pytest.mark.parametrize("right", [True, False], ids=["the certificate shown", "another"])
def test_dane(names, ca, connections, right):
    """RFC 7673: a signed TLSA record does what an authority would. Prosody asks for it where it connects, only."""
    names.sign("dane.example")
    with running(Prosody("asks.example", names, ca, "certificate", trusts=False, dane=True),
                 Prosody("shows-%d.dane.example" % right, names, ca, "certificate", signed=False, direct=False)) as (asks, shows):
        shows.announce_certificate(shows.identity if right else pki.self_signed(shows.domain))
        romeo, juliet = [peer.person("romeo", connections).login().online() for peer in (asks, shows)]
        romeo.message(juliet.jid, "there")
        if right:
            juliet.expect("message", body="there", from_=romeo.jid)
        else:
            romeo.expect("message", type="error", from_=juliet.jid)


def test_a_crash_and_a_new_start(names, ca, connections):
    with running(Prosody("falls.example", names, ca), Ejabberd("falls-too.example", names, ca)) as peers:
        people = [peer.person("romeo", connections) for peer in peers]
        both_ways(*(person.login().online() for person in people))
        for peer in peers:
            peer.crash()
        with pytest.raises((OSError, Closed)):
            people[0].login()
        for peer in peers:
            peer.again()
        both_ways(*(person.login().online() for person in people))


@pytest.mark.parametrize("domain", DOMAINS)
def test_our_server_is_of_this_world(server, names, ca, person, domain):
    """It shows what the authority has signed, and the DNS tells where it is."""
    client = person("romeo", domain).connect()
    client.begin()
    client.starttls(ssl.create_default_context(cadata=ca.pem().decode()))
    assert client.begin() is not None
    srv, = names.find(names.service_name(domain), "SRV")
    assert srv.port == server.port("s2s")
    assert [a.address for a in names.find(srv.target, "A")] == [server.host]
