"""The name server of the tests itself: what a validating resolver makes of its answers, and that its ill will is as it says."""

import subprocess

import dns.message
import dns.query
import dns.rcode
import pytest

import pki
from client import PATIENCE

SRV = "_xmpp-server._tcp."


@pytest.fixture(scope="module")
def world(names, ca):
    names.sign("safe.example")
    names.service("safe.example", "127.0.0.9", 5269)
    names.tlsa("xmpp.safe.example", 5269, ca.issue("safe.example").tlsa())
    names.add("alias.safe.example", "CNAME", "xmpp.safe.example")
    names.service("open.example", "127.0.0.9", 5269)
    names.service("open.example", "::1", 5270, tls=True, target="six.open.example")
    return names


@pytest.fixture(scope="module")
def resolve(world, tmp_path_factory):
    """resolve(name, type): what libunbound finds, in words; it trusts the signed zones."""
    folder = tmp_path_factory.mktemp("resolver")
    (folder / "unbound.conf").write_text(
        "server:\n do-not-query-localhost: no\n trust-anchor-file: %s\nforward-zone:\n name: .\n forward-addr: %s@%d\n" % (
            world.anchor_file(folder / "anchors"), world.address, world.port))

    def look(name, type):
        return subprocess.run(["unbound-host", "-C", folder / "unbound.conf", "-v", "-t", type, name], timeout=PATIENCE * 3,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    return look


def ask(names, name, type, port=None):
    """The answer itself, without a resolver."""
    query = dns.message.make_query(name, type, want_dnssec=True)
    return dns.query.udp_with_fallback(query, names.address, PATIENCE, port or names.port)[0]


@pytest.mark.parametrize("name, type, found", [
    (SRV + "safe.example", "SRV", "has SRV record 0 0 5269 xmpp.safe.example. (secure)"),
    ("xmpp.safe.example", "A", "has address 127.0.0.9 (secure)"),
    ("_5269._tcp.xmpp.safe.example", "TLSA", "(secure)"),
    ("alias.safe.example", "A", "has address 127.0.0.9 (secure)"),
    ("xmpp.safe.example", "AAAA", "has no IPv6 address (secure)"),
    ("_tcp.safe.example", "A", "has no address (secure)"),
    ("nothing.safe.example", "A", "NXDOMAIN). (secure)"),
    ("deep.under.nothing.safe.example", "SRV", "NXDOMAIN). (secure)"),
    (SRV + "open.example", "SRV", "has SRV record 0 0 5269 xmpp.open.example. (insecure)"),
    ("six.open.example", "AAAA", "has IPv6 address ::1 (insecure)"),
    ("nothing.example", "A", "NXDOMAIN). (insecure)"),
])
def test_answers(resolve, name, type, found):
    assert found in resolve(name, type)


@pytest.mark.parametrize("how, why", [("forged", "signature verification failed"), ("stale", "signature expired"),
                                      ("unsigned", "no signatures")])
def test_spoilt_signatures_are_seen(world, resolve, how, why):
    name = how + ".safe.example"
    world.add(name, "A", "127.0.0.9")
    assert "(secure)" in resolve(name, "A")
    world.behave(name, how)
    found = resolve(name, "A")
    assert "BOGUS" in found and why in found


def test_many_targets_come_by_tcp(world, resolve):
    world.many_targets("many.example", "127.0.0.9", 5269)
    world.asked.clear()
    assert resolve(SRV + "many.example", "SRV").count("has SRV record") == 1000
    assert {how for name, type, how in world.asked if type == "SRV"} == {"udp", "tcp"}


def test_no_service(world, resolve):
    world.no_service("none.example")
    assert "has SRV record 0 0 0 . " in resolve(SRV + "none.example", "SRV")


def test_cname_loop(world):
    world.cname_loop("loop.example", 3)
    answer = ask(world, "loop.example", "A").answer
    assert [rrset[0].to_text() for rrset in answer] == ["loop1.loop.example.", "loop2.loop.example.", "loop.example."]


@pytest.mark.parametrize("how, rcode", [("servfail", dns.rcode.SERVFAIL), ("refused", dns.rcode.REFUSED),
                                        ("nxdomain", dns.rcode.NXDOMAIN), ("empty", dns.rcode.NOERROR)])
def test_refusals(world, how, rcode):
    name = how + ".open.example"
    world.add(name, "A", "127.0.0.9")
    world.behave(name, how)
    got = ask(world, name, "A")
    assert got.rcode() == rcode and not got.answer
    world.behave(name, None)
    assert ask(world, name, "A").answer[0][0].address == "127.0.0.9"


@pytest.mark.parametrize("how", ["garbage", "cut short", "wrong id"])
def test_answers_that_are_none(world, how):
    name = how.replace(" ", "-") + ".open.example"
    world.add(name, "A", "127.0.0.9")
    world.behave(name, how)
    with pytest.raises((dns.exception.DNSException, dns.query.BadResponse)):
        ask(world, name, "A")


def test_silence_and_delay(world):
    """Queries are sent, and a later one overtakes them: nothing came for the first, and for the held one only at the end."""
    world.add("mute.open.example", "A", "127.0.0.9")
    world.behave("mute.open.example", "silent")
    with dns.query._make_socket(dns.inet.AF_INET, dns.query.socket.SOCK_DGRAM, None) as sock:
        where, until = (world.address, world.port), dns.query.time.time() + PATIENCE

        def send(name):
            dns.query.send_udp(sock, dns.message.make_query(name, "A"), where, until)

        def receive():
            return dns.query.receive_udp(sock, where, until)[0].question[0].name.to_text()
        with world.hold("xmpp.open.example") as held:
            send("mute.open.example")
            send("xmpp.open.example")
            send("six.open.example")
            assert receive() == "six.open.example."
            while not held:
                send("six.open.example")
                receive()
        assert receive() == "xmpp.open.example."


def test_literal_targets(world):
    """For those that have the C library look up addresses."""
    answer = ask(world, SRV + "open.example", "SRV", world.literal_port).answer[0]
    assert answer[0].target.to_text() == "127.0.0.9."
    answer = ask(world, "_xmpps-server._tcp.open.example", "SRV", world.literal_port).answer[0]
    assert answer[0].target.to_text() == "::1."


def test_what_is_forgotten_is_not_there(world):
    world.service("gone.example", "127.0.0.9", 5269)
    world.remove(SRV + "gone.example")
    world.remove("xmpp.gone.example")
    assert ask(world, SRV + "gone.example", "SRV").rcode() == dns.rcode.NXDOMAIN


# -- the authority -------------------------------------------------------------------------------------------------

@pytest.fixture
def verify(ca, tmp_path):
    """verify(identity, options of openssl): what openssl says of the chain, and of nothing else."""
    def make(identity, *options):
        cert, key = identity.write(tmp_path)
        (tmp_path / "ca.pem").write_bytes(ca.pem())
        done = subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "ca.pem", "-untrusted", cert, *options, cert],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.stdout + done.stderr
    return make


@pytest.mark.parametrize("what, why", [
    ("expired", "certificate has expired"), ("not yet valid", "not yet valid"), ("self-signed", "self-signed certificate"),
    ("unknown authority", "unable to get local issuer"), ("expired intermediate", "certificate has expired"),
    ("signed by one that is no authority", "invalid CA certificate"),
])
def test_bad_chains(ca, verify, what, why):
    assert why in verify(pki.WRONG[what](ca, "im.example"))


@pytest.mark.parametrize("what", list(pki.RIGHT))
def test_good_chains(ca, verify, what):
    assert ": OK" in verify(pki.RIGHT[what](ca, "im.example"))


def test_a_deep_chain(ca, verify):
    deep = pki.deep_chain(ca, "im.example")
    assert ": OK" in verify(deep, "-verify_depth", "250")
    assert "chain too long" in verify(deep, "-verify_depth", "100")


def test_revocation(ca, verify, tmp_path):
    good, bad = ca.issue("im.example"), ca.issue("im.example")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(ca.revocations(bad))
    assert ": OK" in verify(good, "-crl_check", "-CRLfile", crl)
    assert "certificate revoked" in verify(bad, "-crl_check", "-CRLfile", crl)
