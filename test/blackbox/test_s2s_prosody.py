"""What Debian's prosody can do and ejabberd cannot, with ours: one connection for both ways, stream management, DANE; many domains on
one prosody, each with a certificate of its own; and two s2s of ours."""

import asyncio
import subprocess

import pytest

import control
import pki
from client import NS_PING, PATIENCE, error_of, show
from conftest import numbers
from federation import Cable, both_ways, federating, streams, write_over
from peers import Prosody, lua, running
from server import poll
from test_slixmpp import Messenger

OURS, OTHER = "im.safe.example", "other.safe.example"
S2S = """
[dns]
loopback = yes
[connect]
retry = 100ms
retry_most = 500ms
[remote *.wrong.example]
require_certificate = yes
[remote *.right.example]
require_certificate = yes
[remote *.safe.example]
require_certificate = yes
"""
WRONG = {what: "w%d.wrong.example" % n for n, what in enumerate(pki.WRONG)}
RIGHT = {what: "r%d.right.example" % n for n, what in enumerate(pki.RIGHT) if what != "wildcard in SRV-ID"}   # RFC 6125 6.4.3: MAY
DANE, BAD_DANE = "dane.safe.example", "bad-dane.safe.example"


def SERVER(names, ca):
    """Two domains in a signed zone."""
    names.sign("safe.example")
    said = federating(OURS, names, ca, "any", S2S, tls="required")
    me = ca.issue(OURS, OTHER)
    said["files"].update({"tls/cert.pem": me.pem(), "tls/key.pem": me.key_pem()})
    return {**said, "domains": [OURS, OTHER]}


@pytest.fixture(scope="module")
def prosody(names, ca, server):
    with running(Prosody("prosody.example", names, ca, "certificate", bidi=True, direct=False)) as (it,):
        yield it


@pytest.fixture(scope="module")
def many(names, ca, server, tmp_path_factory):
    """One prosody with a host for each certificate; it does dialback, too."""
    folder, conf, identities = tmp_path_factory.mktemp("many"), "", {}
    for table, hosts in ((pki.WRONG, WRONG), (pki.RIGHT, RIGHT)):
        identities.update({domain: table[what](ca, domain) for what, domain in hosts.items()})
    identities.update({DANE: pki.self_signed(DANE), BAD_DANE: ca.issue(BAD_DANE)})
    for domain, identity in identities.items():
        cert, key = identity.write(folder, domain)
        conf += "VirtualHost %s\nssl = %s\n" % (lua(domain), lua({"certificate": cert, "key": key}))
    with running(Prosody("many.example", names, ca, "any", direct=False, conf=conf)) as (it,):
        for domain in identities:
            names.service(domain, it.host, it.port("s2s"))
        for domain, shown in ((DANE, identities[DANE]), (BAD_DANE, identities[DANE])):
            names.tlsa("xmpp." + domain, it.port("s2s"), shown.tlsa())
        yield it


@pytest.fixture
def two(person, prosody, connections):
    juliet = prosody.person("juliet-%d" % next(numbers), connections)
    return person("romeo").login("orchard").online(), juliet.login("balcony").online()


def called(peer, domain, ours=OURS):
    """The peer's domain calls one of ours: whether a ping was answered, as its shell says."""
    done = subprocess.run(["prosodyctl", "--config", peer.file("prosody.cfg.lua"), "shell", "xmpp", "ping", domain, ours],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE * 3)
    print(done.stdout + done.stderr)
    assert "pong" in done.stdout.lower() or "error" in done.stderr.lower()
    return done.returncode == 0


def rows(prosody):
    return sorted(line.split("|")[2].strip() for line in prosody.streams().splitlines() if line.startswith("s2s"))


# -- one connection for both ways (XEP-0288) -------------------------------------------------------------------------

@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_bidi(two, server, prosody, first):
    """Whoever has called first."""
    server.run("s2s", "close", prosody.domain)
    poll("the connections to end", lambda: not rows(prosody))
    both_ways(*(two if first == "ours" else two[::-1]))
    connection, = streams(server, remote=prosody.domain)
    assert connection["bidi"] and connection["direction"] == ("out" if first == "ours" else "in"), connection
    assert rows(prosody) == ["<->"]


# -- stream management (XEP-0198) ------------------------------------------------------------------------------------

def test_acknowledgements(two, server, prosody):
    both_ways(*two)
    poll("both to have acknowledged all", lambda: all(
        c["sm"]["out"] == c["sm"]["out_acknowledged"] and c["sm"]["in"] == c["sm"]["in_committed"] and c["sm"]["out"]
        for c in streams(server, remote=prosody.domain)))
    poll("nothing to be in custody", lambda: not control.status(server, "s2s-1")["in_custody"])


def test_cut_connections_lose_nothing(names, ca, server, person, connections):
    """Prosody resumes no stream with a server: so what it had not acknowledged is sent again, and may come twice (XEP-0198 5)."""
    with running(Prosody("cut.example", names, ca, "certificate", direct=False, announce=False)) as (it,):
        cable = Cable(it.host, (it.host, it.port("s2s")))
        names.service(it.domain, it.host, cable.port)
        romeo, juliet = person("romeo").login().online(), it.person("juliet", connections).login().online()
        came = write_over(cable, romeo, juliet)
        cable.close()
        first = list(dict.fromkeys(came))
        assert first == sorted(first), "the first of each in order"


# -- certificates ----------------------------------------------------------------------------------------------------

def test_wrong_certificates_are_refused(server, person, many):
    """By ours, as the one who calls: the sender reads why."""
    romeo = person("romeo").login().online()
    for domain in WRONG.values():
        romeo.message("x@" + domain, "no", id=domain)
    for domain in WRONG.values():
        told = romeo.expect("message", type="error", id=domain, from_="x@" + domain)
        assert error_of(told)[1] == "remote-server-timeout" and "certificate" in "".join(told.itertext()), show(told)
    assert not [c for domain in WRONG.values() for c in streams(server, remote=domain, state="ready")]


@pytest.mark.parametrize("what", ["expired", "wrong name", "self-signed", "unknown authority", "wildcard below the domain"])
def test_wrong_certificates_prove_nothing(server, many, what):
    """Nor do they who call ours; and dialback will not do."""
    assert not called(many, WRONG[what])
    assert not [c for c in streams(server, remote=WRONG[what]) if c["auth"] != "none"]


def test_right_certificates_are_accepted(server, person, many):
    romeo = person("romeo").login().online()
    for what, domain in RIGHT.items():
        assert romeo.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=domain).get("type") == "result", what
        assert [c["certificate"] for c in streams(server, remote=domain, direction="out")] == ["external-pkix"], what
    assert called(many, RIGHT["XmppAddr"])


# -- DANE (RFC 7673) -------------------------------------------------------------------------------------------------

def test_dane_proves_them(server, person, many):
    """A certificate that nobody has signed, named by a record in a signed zone; either way."""
    romeo = person("romeo").login().online()
    assert romeo.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=DANE).get("type") == "result"
    assert called(many, DANE)
    for direction in ("in", "out"):
        found = streams(server, remote=DANE, direction=direction)
        assert found and all(c["certificate"] == "external-dane" for c in found), found


def test_dane_binds_them(server, person, many):
    """Where the record names another certificate, the authority's word is worth nothing."""
    romeo = person("romeo").login().online()
    romeo.message("x@" + BAD_DANE, "no", id="bad")
    told = romeo.expect("message", type="error", id="bad")
    assert "certificate" in "".join(told.itertext()), show(told)


def test_dane_proves_us(names, ca, server):
    """Prosody, which trusts no authority here, believes the record of the one domain, and not that of the other. It asks for it where
    it connects, only: the answer comes on the same stream."""
    ours = pki.Identity(server_certificate(server), None)
    for domain, shown in ((OURS, ours), (OTHER, pki.self_signed(OTHER))):
        names.tlsa("xmpp." + domain, server.port("s2s"), shown.tlsa())
        names.remove(names.service_name(domain, True))
    with running(Prosody("asks.example", names, ca, "certificate", trusts=False, dane=True, direct=False,
                         bidi=True)) as (asks,):
        assert called(asks, asks.domain)
        assert not called(asks, asks.domain, OTHER)


def server_certificate(server):
    from cryptography import x509
    return x509.load_pem_x509_certificate((server.dir / "tls/cert.pem").read_bytes())


# -- a client off the shelf ------------------------------------------------------------------------------------------

def test_slixmpp_writes_to_them(server, person, prosody, connections):
    romeo, juliet = person("romeo"), prosody.person("juliet-%d" % next(numbers), connections).login("balcony").online()

    async def talk():
        it = Messenger(server, romeo.jid, romeo.password)
        try:
            assert await it.go()
            it.send_presence()
            it.send_message(juliet.jid, "from slixmpp", mtype="chat")
            got = await asyncio.to_thread(juliet.expect, "message", body="from slixmpp")
            juliet.message(got.get("from"), "to slixmpp")
            assert (await asyncio.wait_for(it.messages.get(), 20))["body"] == "to slixmpp"
            assert (await it["xep_0199"].ping(prosody.domain)) >= 0
            version = await it["xep_0092"].get_version(prosody.domain)
            assert version["software_version"]["name"] == "Prosody"
        finally:
            await it.disconnect()
    asyncio.run(talk())
