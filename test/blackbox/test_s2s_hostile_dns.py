"""Group 32 of the survey of other servers: a DNS that lies, loops and says nothing. Whatever it says, we do not connect
to ourselves, nor for ever; whoever wrote is told why; and others are served meanwhile."""

import contextlib
import socket

import pytest

import pki
from client import error_of
from far import Far, fresh, loopback
from farworld import OPEN, alice, configured, count, log, mallory, neighbour, noticed, strict_one, unhurt, world     # noqa: F401
from server import poll

pytestmark = pytest.mark.usefixtures("unhurt")
GONE = ("remote-server-not-found", "remote-server-timeout")


def SERVER(names, ca):
    for zone in ("signed.example", "dane.example"):
        names.sign(zone)        # its key is what the server trusts
    return world(names, ca, {("dns", "time"): "1s", ("connect", "time"): "1s"})


@pytest.fixture
def domain():
    return fresh("dns")[0]


@pytest.fixture
def fars(names, ca):
    """fars("a.example"): a server that no DNS knows of."""
    with contextlib.ExitStack() as stack:
        yield lambda domain, **how: stack.enter_context(Far(names, ca, domain, announce=False, **how))


def comes_back(alice, *domains):
    """What is sent there comes back with an error; gives them, by domain."""
    for domain in domains:
        alice.message("x@" + domain, "hello")
    got = {}
    for domain in domains:
        error = alice.expect("message", type="error", from_="x@" + domain)
        got[domain] = error_of(error)[1]
        assert got[domain] in GONE, domain
    return got


@contextlib.contextmanager
def trap(host):
    """A port at which nobody may knock."""
    with socket.create_server((host, 0)) as sock:
        yield sock.getsockname()[1]
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.accept()


# -- what SRV records say -----------------------------------------------------------------------------------------------

def test_32_no_such_service(server, names, alice, domain):
    """RFC 2782: "." says that there is decidedly none, so the address of the domain is not tried (which is a trap)."""
    names.no_service(domain)
    names.no_service(domain, tls=True)
    host = loopback()
    names.add(domain, "A", host)
    with trap(host):
        with noticed(server, "out_failed", "not_connected", remote=domain, step="resolve"):
            assert comes_back(alice, domain) == {domain: "remote-server-not-found"}


def test_32_to_ourselves(server, names, alice):
    """Our own ports, by each of our addresses and by one of our domains: it would be a loop."""
    here = {}
    for port in ("s2s", "s2s_tls"):
        for address in (server.host, "::1", "127.0.0.77", "0.0.0.0", "::", "::ffff:127.0.0.1"):
            domain = fresh("self")[0]
            names.service(domain, address, server.port(port), tls=port == "s2s_tls")
            here[domain] = address
    domain = fresh("self")[0]
    names.service(domain, None, server.port("s2s"), target="xmpp." + OPEN)
    here[domain] = "our name"
    before = count(server, "accepted")
    comes_back(alice, *here)
    assert count(server, "accepted") == before, "connected to itself"


def test_32_to_addresses_where_nobody_is_to_be_asked(server, names, alice):
    """Multicast, broadcast, link-local, unspecified: nothing is dialled there, or nothing comes of it."""
    where = {}
    for address in ("224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::", "240.0.0.1"):
        domain = fresh("odd")[0]
        names.service(domain, address, 5269)
        where[domain] = address
    comes_back(alice, *where)


def test_32_a_thousand_targets(server, names, alice, domain):
    """Only some are looked up, only some are tried: here nobody listens."""
    host = loopback()
    with socket.create_server((host, 0)) as sock:
        port = sock.getsockname()[1]
    names.many_targets(domain, host, port)
    names.asked.clear()
    before, failed = count(server, "dialled"), count(server, "out_failed")
    comes_back(alice, domain)
    tries = count(server, "out_failed") - failed + 1
    asked = {name for name, type, how in names.asked if name.startswith("t")}
    assert len(asked) <= 16 * tries and count(server, "dialled") - before <= 16 * tries


def test_32_a_thousand_addresses(server, names, alice, domain):
    names.service(domain, None, 9)
    names.add("xmpp." + domain, "A", *["127.1.%d.%d" % (n // 250, n % 250 + 1) for n in range(1000)])
    before, failed = count(server, "dialled"), count(server, "out_failed")
    comes_back(alice, domain)
    assert count(server, "dialled") - before <= 16 * (count(server, "out_failed") - failed + 1)


def test_32_names_that_are_none(server, names, alice):
    """Targets with spaces, dots, NUL; a target that is an address in letters; ports 0 and those of others."""
    bad = {}
    for record in (r"0 0 5269 a\032b.example.", r"0 0 5269 \000.example.", r"0 0 5269 a\.b\.c.example.", "0 0 0 host.example.",
                   "0 0 5269 127.0.0.1.", "0 0 5269 " + ".".join(["a" * 63] * 3) + ".", r"0 0 5269 \"\<\>.example.",
                   "65535 65535 65535 host.example."):
        domain = fresh("bad")[0]
        names.add(names.service_name(domain), "SRV", record)
        bad[domain] = record
    comes_back(alice, *bad)


def test_32_loops_of_aliases(server, names, alice):
    """At the SRV record, at its target, at the domain."""
    at_srv, at_target, at_domain = fresh("loop", "loopy", "looping")
    names.cname_loop(names.service_name(at_srv))
    names.cname_loop(names.service_name(at_srv, True))
    names.service(at_target, None, 5269)
    names.cname_loop("xmpp." + at_target)
    names.cname_loop(at_domain)
    comes_back(alice, at_srv, at_target, at_domain)


def test_32_long_chain_of_aliases(server, names, alice, domain):
    name = names.service_name(domain)
    for n in range(100):
        names.add(name, "CNAME", "c%d.%s" % (n, domain))
        name = "c%d.%s" % (n, domain)
    comes_back(alice, domain)


def test_32_no_time_to_live(server, names, fars, alice, domain):
    """TTL 0: what was found is good for the connection that it was asked for, and it works."""
    far = fars(domain)
    far.announce(domain, ttl=0)
    for n in range(3):
        alice.message("x@" + domain, "hello %d" % n)
        far.expect("message", body="hello %d" % n)
        for link in far.served:
            with contextlib.suppress(OSError):
                link.send("</stream:stream>")
            poll("the stream to end", lambda: link.eof)
    far.withdraw(domain)


# -- how it says it -----------------------------------------------------------------------------------------------------

HOWS = ["silent", "servfail", "refused", "formerr", "nxdomain", "empty", "garbage", "wrong id", "tcp only, and no tcp"]


def test_32_answers_that_are_none(server, names, alice, neighbour):
    """Silence and worse, for every name of a domain; meanwhile others are looked up and served."""
    here = dict(zip(fresh(*["mute%d" % n for n in range(len(HOWS))]), HOWS))
    for domain, how in here.items():
        for name in (domain, names.service_name(domain), names.service_name(domain, True)):
            names.behave(name, how)
    with noticed(server, "lookup_failed", "not_connected"):
        for domain in here:
            alice.message("x@" + domain, "hello")
        neighbour.mark()
        for domain, how in here.items():
            assert error_of(alice.expect("message", type="error", from_="x@" + domain))[1] in GONE, how


def test_32_silence_about_the_address(server, names, alice, domain):
    """The service is known, its target is not, for ever."""
    names.service(domain, None, 5269)
    names.behave("xmpp." + domain, "silent")
    comes_back(alice, domain)


@pytest.mark.parametrize("which", ["direct TLS", "IPv6"])
def test_32_one_kind_of_answer_is_silent(server, names, fars, alice, domain, which):
    """What is known is used without waiting for what never comes."""
    far = fars(domain)
    far.announce(domain)
    if which == "IPv6":
        names.behave("xmpp." + domain, "silent", "AAAA")
    else:
        names.behave(names.service_name(domain, True), "silent")
    with configured(server, {("queue", "age"): "20s"}):     # each silence costs half a second of it
        alice.message("x@" + domain, "hello")
        far.expect("message", body="hello")
    far.withdraw(domain)


@pytest.mark.parametrize("how", ["forged", "stale"])
@pytest.mark.parametrize("which", ["service", "target"])
def test_32_bogus(server, names, fars, alice, how, which):
    """DNSSEC: a zone that is signed, and an answer that is not its own. Nobody is connected to."""
    domain = "%s.signed.example" % fresh("x")[0].partition(".")[0]
    far = fars(domain)
    far.announce(domain)
    names.behave(names.service_name(domain) if which == "service" else "xmpp." + domain, how)
    alice.message("x@" + domain, "secret")
    assert error_of(alice.expect("message", type="error", from_="x@" + domain))[1] in GONE
    assert not far.served
    far.withdraw(domain)


@pytest.mark.parametrize("record", ["as it says", "another's", "nonsense", "no such usage"])
def test_32_what_a_signed_zone_says_of_a_certificate(server, names, ca, fars, strict_one, record):
    """RFC 7673 3.2, RFC 7671 4.1: a record that can be used decides alone, above any authority; one that cannot is none."""
    domain = "%s.dane.example" % fresh("x")[0].partition(".")[0]
    far = fars(domain, identity=pki.self_signed(domain) if record == "as it says" else ca.issue(domain))
    far.announce(domain)
    names.tlsa("xmpp." + domain, far.port(), {"as it says": far.identity.tlsa(), "another's": ca.issue(domain).tlsa(),
                                              "nonsense": "3 1 1 00", "no such usage": "9 1 1 " + "00" * 32}[record])
    strict_one.message("x@" + domain, "hello")
    if record != "another's":
        far.expect("message", body="hello")
    else:
        strict_one.expect("message", type="error", from_="x@" + domain)
        assert not far.stanzas
    far.withdraw(domain)


@pytest.mark.parametrize("record", ["as it says", "another's"])
def test_32_certificate_by_a_signed_zone_of_who_comes(server, names, ca, fars, strict_one, record):
    """The same for those who connect to us; an authority's word is enough too."""
    domain = "%s.dane.example" % fresh("x")[0].partition(".")[0]
    far = fars(domain, identity=pki.self_signed(domain))
    far.announce(domain)
    names.tlsa("xmpp." + domain, far.port(), (far.identity if record == "as it says" else ca.issue(domain)).tlsa())
    link = far.secured(server, to="strict.example")
    if record == "as it says":
        link.external().message("x@" + domain, strict_one.jid, "good")
        strict_one.expect("message", body="good")
    else:
        assert not link.offers("urn:ietf:params:xml:ns:xmpp-sasl", "mechanism")
        link.message("evil@" + domain, strict_one.jid)
        link.expect_stream_error(("not-authorized", "invalid-from"))
    far.withdraw(domain)


# -- through dialback ---------------------------------------------------------------------------------------------------

def test_32_keys_of_domains_that_lead_nowhere(server, names, mallory, neighbour):
    """A stranger makes us look up what he likes: each is answered with an error, on a stream that stays open."""
    ours, odd, loop, mute = fresh("ours", "odd", "loop", "mute")
    names.service(ours, server.host, server.port("s2s"))
    names.service(odd, "255.255.255.255", 5269)
    names.cname_loop(names.service_name(loop))
    names.behave(names.service_name(mute), "silent")
    names.behave(names.service_name(mute, True), "silent")
    names.behave(mute, "silent")
    link = mallory.external(server)
    for domain in (ours, odd, loop, mute, "nobody-%s" % mute, "example", "localhost", "a" * 63 + ".example"):
        assert link.result("key", domain) not in ("valid", None), domain
    neighbour.ping()


def test_32_names_that_no_dns_has(server, alice):
    """Domains that are addresses, or no names of the DNS at all."""
    names = ["127.0.0.1", "[::1]", "localhost", "example", "a_b.example", "xn--nxasmq6b.example", "\u4f8b\u3048.example", "a" * 64 + ".example",
             ".".join(["a" * 60] * 4) + ".example"]
    for name in names:
        alice.message("x@" + name, "hello")
    for name in names:
        error = alice.expect("message", type="error")
        assert error_of(error)[1] in (*GONE, "jid-malformed"), error.get("from")


# -- without the option -------------------------------------------------------------------------------------------------

def test_32_loopback_without_the_option(server, names, fars, alice, domain):
    """What is on this host is not for strangers' names to choose."""
    far = fars(domain)
    far.announce(domain)
    with configured(server, {("dns", "loopback"): "no"}):
        alice.message("x@" + domain, "hello")
        assert error_of(alice.expect("message", type="error", from_="x@" + domain))[1] == "remote-server-not-found"
        assert not far.served
    far.withdraw(domain)
    poll("the reason in the log", lambda: "loopback" in log(server))
