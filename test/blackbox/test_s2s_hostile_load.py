"""Servers that overdo it: floods, heaps, silence, slowness (groups 13, 23 and 33 of the survey of other servers). What
they cost is bounded and theirs: an honest neighbour's questions are answered while it goes on. The limits are
lowered, so that little is much."""

import contextlib
import socket
import time

import pytest

from client import NS_SASL, Closed, error_of, local
from far import NS_SM, Far, fresh, loopback
from farworld import ECHO, OPEN, alice, configured, count, mallory, neighbour, noticed, unhurt, world     # noqa: F401
from hostile import SANITIZED, memory, outcome, verdict
from pki import self_signed
from server import poll

pytestmark = pytest.mark.usefixtures("unhurt")


def SERVER(names, ca):
    return world(names, ca, {
        ("limits", "pending"): "60", ("limits", "pending_per_address"): "10", ("limits", "per_address"): "20", ("limits", "auth_time"): "1s",
        ("limits", "domains_per_connection"): "5", ("limits", "pairs"): "60", ("limits", "output"): "1m", ("queue", "stanzas"): "50",
        ("queue", "bytes"): "1m", ("keepalive", "timeout"): "1s"})


@pytest.fixture
def echo(component):
    """A component of ours: it may send as much as it likes, so what stops it is s2s."""
    return component(ECHO)


def poured(link, data, megabytes=8):
    """Writes as much as is taken within a while; whether the other had enough."""
    sent = 0
    link.sock.settimeout(1)
    try:
        while sent < megabytes << 20:
            link.sock.sendall(data)
            sent += len(data)
    except OSError:
        return True
    return False


# -- 13: those who come and say nothing ---------------------------------------------------------------------------------

def test_13_connections_of_one_address(server, mallory, neighbour):
    """Ten may be unproven at a time; the rest is closed at once."""
    with noticed(server, "limit_address", "refused"):
        held = [mallory.dial(server) for _ in range(30)]
        poll("the rest to be closed", lambda: sum(link.recv(0) == b"" for link in held) >= 20)
    neighbour.ping()
    for link in held:
        link.cut()


def test_13_connections_of_many_addresses(server, mallory, neighbour):
    """Sixty may be unproven in all: then nobody is let in until some have gone, which is soon. Those who are in notice
    nothing."""
    with noticed(server, "limit_pending"):
        held = [mallory.dial(server, source=loopback()) for _ in range(150)]
        neighbour.ping()
    with noticed(server, "limit_auth_time", "stream_error", cond="connection-timeout"):
        for link in held[:60]:
            link.expect_header()
            link.expect_stream_error("connection-timeout")
    for link in held:
        link.cut()
    with Far(neighbour.far.names, mallory.ca, *fresh("late")) as late:
        late.external(server).message("x@" + late.domain, neighbour.client.jid, "in")
        neighbour.client.expect("message", body="in")


STOPS = {
    "after the connection": lambda link: link, "after the header": lambda link: link.open(), "after the features": lambda link: link.begin(),
    "after starttls": lambda link: link.begin().send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    "under TLS": lambda link: link.begin().starttls(link.identity),
    "with features": lambda link: link.begin().starttls(link.identity).begin(),
    "in a tag": lambda link: link.begin().send("<message"), "in a stanza": lambda link: link.begin().send("<message><body>"),
    "in a key": lambda link: link.begin().starttls(link.identity).begin().send("<db:result from='%s' to='im.example'>k" % link.domain),
}


def test_13_those_who_stop(server, mallory, neighbour):
    """Wherever they stop, time is up a second after they came."""
    held = []
    for what, stop in STOPS.items():
        link = mallory.dial(server, source=loopback())
        link.identity = self_signed(mallory.domain)
        stop(link)
        held.append((what, link))
    neighbour.ping()
    for what, link in held:
        with contextlib.suppress(OSError):
            assert outcome(link, []) in ("connection-timeout", "closed"), what
        link.cut()


def test_13_those_who_are_slow(server, mallory, neighbour):
    """A byte now and then does not buy more time."""
    link = mallory.dial(server)
    text = b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'><a b='"
    with contextlib.suppress(OSError):
        for n in range(5000):
            link.sock.sendall(text[n:n + 1] or b"x")
            neighbour.mark()
            if not link.pump(time.monotonic()) and (link.eof or "error" in map(local, link.inbox)):
                break
    neighbour.ping()
    assert verdict(link) in ("connection-timeout", "closed")


def test_13_white_space_is_no_progress(server, mallory, neighbour):
    link = mallory.dial(server).begin()
    with contextlib.suppress(OSError):
        while not link.eof and not link.inbox:
            link.sock.sendall(b" ")
            neighbour.client.settle()
            link.pump(time.monotonic())
    assert verdict(link) in ("connection-timeout", "closed", "policy-violation")


def test_13_failing_again_and_again(server, mallory, neighbour):
    """RFC 6120 6.4.5: some tries, not thousands."""
    link = mallory.secured(server, self_signed(mallory.domain))
    tries = ["<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL] * 10000
    assert outcome(link, tries) in ("policy-violation", "not-authorized", "connection-timeout", "closed")
    assert len([el for el in link.inbox if local(el) == "failure"]) < 1000


# -- heaps of keys ------------------------------------------------------------------------------------------------------

def test_30_more_domains_than_a_connection_may_have(server, names, ca, neighbour):
    """The first five are looked into; the connection stays, and so do they."""
    with Far(names, ca, *fresh(*["d%d" % n for n in range(8)]), identity=self_signed("nobody.example")) as far:
        link = far.secured(server)
        said = []
        with noticed(server, "limit_domains", "dialback_refused"):
            for domain in far.domains:
                said.append(far.keyed(link, domain))
        assert said == ["valid"] * 5 + ["resource-constraint"] * 3
        link.message("x@" + far.domains[4], neighbour.client.jid, "good")
        neighbour.client.expect("message", body="good")


def test_30_keys_of_domains_without_end(server, mallory, neighbour):
    """One who has proven himself shows keys of others, one after another: some are looked into, and the rest is refused, so it
    is not we who flood the DNS and others' servers."""
    link = mallory.external(server)
    before = count(server, "lookups")
    for n in range(10):
        domains = fresh(*["n%d" % m for m in range(40)])
        try:
            for domain in domains:
                link.send("<db:result from='%s' to='%s'>k</db:result>" % (domain, OPEN))
            for domain in domains:
                assert link.verdict(domain) not in ("valid", None)
        except (Closed, OSError):
            link = mallory.external(server)
    neighbour.ping()
    assert count(server, "lookups") - before < 200


def test_30_strangers_keys_leave_room(server, names, ca, mallory, alice):
    """The table of domains that we know has a limit; what strangers put in it does not keep our users from others."""
    for n in range(8):
        link = mallory.secured(server, self_signed(mallory.domain))
        for domain in fresh(*["s%d" % m for m in range(10)]):
            link.send("<db:result from='%s' to='%s'>k</db:result>" % (domain, OPEN))
            assert link.verdict(domain) != "valid"
        link.cut()
    with Far(names, ca, *fresh("dear")) as far:
        alice.message("x@" + far.domain, "hello")
        far.expect("message", body="hello")


# -- 33: more domains than fit, more stanzas than fit -------------------------------------------------------------------

def test_33_thousands_of_domains(server, echo, neighbour):
    """Each stanza comes back, with the reason; there is never more than the table has room for."""
    for start in range(0, 2000, 100):
        echo.send("".join("<message id='d%d' from='x@%s' to='x@d%d-%s'><body>x</body></message>" % (n, ECHO, n, fresh("f")[0])
                          for n in range(start, start + 100)))
    neighbour.ping()
    reasons = [error_of(echo.expect("message", type="error", id="d%d" % n))[1] for n in range(2000)]
    assert set(reasons) <= {"resource-constraint", "remote-server-not-found", "remote-server-timeout"}
    assert reasons.count("resource-constraint") > 1000 and count(server, "limit_pairs") > 1000
    poll("room again", lambda: count(server, "queued") == 0)


def test_33_a_full_table_makes_room(server, names, ca, echo, alice):
    """Whoever writes to made-up domains keeps nobody from those that there are, not even for a moment."""
    domains = fresh(*["m%d" % n for n in range(100)])
    for domain in domains:
        echo.send("<message from='x@%s' to='x@%s'><body>x</body></message>" % (ECHO, domain))
    for domain in domains:
        echo.expect("message", type="error", from_="x@" + domain)
    with Far(names, ca, *fresh("real")) as far:
        alice.message("x@" + far.domain, "hello")
        far.expect("message", body="hello")


def test_33_more_than_waits(server, echo, mallory, neighbour):
    """A server that takes a connection and says nothing: fifty stanzas wait, the others come back at once, and those after
    their time."""
    mallory.by_hand()
    with noticed(server, "limit_queue"):
        for n in range(400):
            echo.send("<message id='q%d' from='x@%s' to='x@%s'><body>x</body></message>" % (n, ECHO, mallory.domain))
        neighbour.ping()
        reasons = [error_of(echo.expect("message", type="error", id="q%d" % n))[1] for n in range(400)]
    assert reasons.count("resource-constraint") == 350 and reasons.count("remote-server-timeout") == 50


def test_33_heavy_ones(server, echo, mallory, neighbour):
    """The same by bytes: a megabyte waits."""
    mallory.by_hand()
    for n in range(40):
        echo.send("<message id='h%d' from='x@%s' to='x@%s'><body>%s</body></message>" % (n, ECHO, mallory.domain, "x" * 100000))
    neighbour.ping()
    reasons = [error_of(echo.expect("message", type="error", id="h%d" % n))[1] for n in range(40)]
    assert reasons.count("resource-constraint") >= 29


# -- those who do not read ----------------------------------------------------------------------------------------------

def deaf(mallory):
    """Mallory's server takes what is for it, and reads nothing from then on."""
    mallory.by_hand()

    def serve():
        link = mallory.accept()
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.answer_header().offer("starttls")
        link.next("starttls")
        link.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        link.secure(mallory.identity).answer_header().offer("dialback")
        mallory.answer(link, link.next("result"), "valid")
        return link
    return serve


def test_13_server_that_does_not_read(server, echo, mallory, neighbour):
    """What is for it waits in its own room, then comes back; then it is cut off."""
    serve = deaf(mallory)
    echo.send("<message from='x@%s' to='x@%s'><body>x</body></message>" % (ECHO, mallory.domain))
    link = serve()
    with noticed(server, "dead_closed"):
        for n in range(150):
            echo.send("<message id='u%d' from='x@%s' to='x@%s'><body>%s</body></message>" % (n, ECHO, mallory.domain, "x" * 100000))
        neighbour.ping()
        assert error_of(echo.expect("message", type="error", id="u149"))[1] in ("resource-constraint", "remote-server-timeout")
    link.cut()
    echo.sync()


def test_13_one_who_asks_and_does_not_listen(server, mallory, neighbour):
    """Answers to a flood of questions, which go to a server that does not read them."""
    serve = deaf(mallory)
    asks = mallory.external(server)
    question = ("<iq type='get' id='f' from='x@%s' to='%s'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>" % (
        mallory.domain, OPEN)).encode() * 100
    asks.sock.sendall(question)
    link = serve()
    poured(asks, question, 4)
    neighbour.ping()
    link.cut()
    asks.cut()


def test_13_one_who_does_not_read_his_stream_errors(server, mallory, neighbour):
    """Two hundred streams that end with an error that nobody takes."""
    for n in range(200):
        link = mallory.dial(server, source=loopback())
        link.sock.sendall(b"<stream:stream xmlns='jabber:server' to='x'>" + b"<" * 8000)
        link.cut()
    neighbour.ping()


# -- floods, and what stops them ----------------------------------------------------------------------------------------

def flood(mallory, alice, n=100, body="flood", domain=None):
    return ("<message from='x@%s' to='%s' type='headline'><body>%s</body></message>" % (
        domain or mallory.domain, alice.jid, body)).encode() * n


def test_flood_of_stanzas_hurts_nobody_else(server, mallory, alice, neighbour):
    """Without a limit that stops it: as fast as it goes, and a neighbour's question is answered all the while."""
    link = mallory.external(server)
    for _ in range(50):
        link.sock.sendall(flood(mallory, alice))
        neighbour.ping()
    link.message("x@" + mallory.domain, alice.jid, "end")
    alice.expect("message", body="end")
    alice.inbox.clear()


LIMITS = [("stanzas_per_minute", "2000", "limit_stanzas"), ("bytes_per_minute", "400k", "limit_bytes"),
          ("stanzas_per_connection", "2000", "limit_stanzas"), ("bytes_per_connection", "400k", "limit_bytes"),
          ("domain_stanzas_per_minute", "2000", "limit_domain_stanzas"), ("domain_bytes_per_minute", "400k", "limit_domain_bytes")]


@pytest.mark.parametrize("option, most, counter", LIMITS, ids=[option for option, *_ in LIMITS])
@pytest.mark.parametrize("action", ["disconnect", "drop"])
def test_flood_over_a_limit(server, mallory, alice, neighbour, option, most, counter, action):
    """Its stream ends with <policy-violation/>, or what is too much is forgotten; the neighbour, who has limits of its own,
    goes on."""
    with configured(server, {("limits", option): "%s %s" % (most, action)}):
        link = mallory.external(server)
        with noticed(server, counter, "limit", option=option, action=action):
            if action == "disconnect":
                assert outcome(link, [flood(mallory, alice)] * 100) in ("policy-violation", "closed")
            else:
                dropped = count(server, "limit_dropped")
                for _ in range(60):
                    link.sock.sendall(flood(mallory, alice))
                poll("some to be dropped", lambda: count(server, "limit_dropped") - dropped >= 1000)
        neighbour.ping()
    neighbour.mark()
    got = [el for el in alice.inbox if el.get("from") == "x@" + mallory.domain]
    assert 0 < len(got) <= 5000, len(got)
    alice.inbox.clear()


def test_flood_over_many_connections(server, mallory, alice, neighbour):
    """A domain's limit is one over all its connections."""
    with configured(server, {("limits", "domain_stanzas_per_minute"): "2000 drop"}):
        dropped = count(server, "limit_dropped")
        for _ in range(8):
            mallory.external(server).sock.sendall(flood(mallory, alice, 500))
        poll("half to be dropped", lambda: count(server, "limit_dropped") - dropped == 2000)
    neighbour.mark()
    assert len([el for el in alice.inbox if el.get("from") == "x@" + mallory.domain]) == 2000
    alice.inbox.clear()


def test_flood_that_is_paused(server, mallory, alice, neighbour):
    """Reading stops; the neighbour does not notice."""
    with configured(server, {("limits", "stanzas_per_minute"): "2000 pause"}):
        link = mallory.external(server)
        with noticed(server, "limit_stanzas", "limit", action="pause"):
            assert poured(link, flood(mallory, alice))
        neighbour.ping()
        link.cut()


def test_flood_to_nobody(server, mallory, neighbour):
    """What bounces goes back to where it came from, and only there."""
    link = mallory.external(server)
    stanza = "<message id='%%d' from='x@%s' to='nobody@%s'><body>x</body></message>" % (mallory.domain, OPEN)
    for n in range(1000):
        link.sock.sendall((stanza % n).encode())
        if n % 100 == 0:
            neighbour.ping()
    assert error_of(mallory.expect("message", type="error", id="999"))[1] == "service-unavailable"
    neighbour.ping()


def test_flood_of_connections_that_prove_themselves(server, mallory, neighbour):
    """Twenty of one address may be open."""
    held = []
    with noticed(server, "limit_address", "refused"):
        for _ in range(25):
            with contextlib.suppress(Closed, OSError, AssertionError):
                held.append(mallory.external(server))
        assert len(held) == 20
    neighbour.ping()
    for link in held:
        link.cut()


def test_flood_of_streams_that_are_cut(server, names, ca, neighbour):
    """XEP-0198: what is kept of streams that were cut is bounded, for one domain as for all."""
    with Far(names, ca, *fresh("cuts")) as far:
        for _ in range(150):
            link = far.external(server)
            link.send("<enable xmlns='%s' resume='true'/>" % NS_SM)
            assert local(link.next("enabled", "failed")) == "enabled"
            link.cut()
    neighbour.ping()
    poll("connections to be gone", lambda: count(server, "connections_in") <= 2)
    assert count(server, "sm_kept") < 120


def test_flood_of_failures_makes_no_flood_of_calls(server, alice, mallory, neighbour):
    """A server that ends each stream: the pauses between our attempts grow, so it is not called at each stanza."""
    mallory.manners["accept"] = lambda sock: False
    before = count(server, "dialled")
    with configured(server, {("connect", "retry"): "300ms", ("connect", "retry_most"): "10s"}):
        for n in range(50):
            alice.message("x@" + mallory.domain, "call %d" % n)
        for n in range(50):
            alice.expect("message", type="error", from_="x@" + mallory.domain)
    assert count(server, "dialled") - before <= 8


def test_memory_after_all_that(server, neighbour):
    """What was taken for a while is given back, or about so."""
    neighbour.ping()
    assert SANITIZED or memory(server) < 150 * 1024
