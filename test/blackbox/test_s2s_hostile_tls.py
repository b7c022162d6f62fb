"""Groups 11, 12 and 31 of the survey of other servers, between servers: certificates that prove nothing, TLS taken away,
TLS bent. Where certificates are required none of them gets a stanza in or out; where dialback will do, dialback it
must be."""

import contextlib
import socket
import ssl
import struct

import pytest
from OpenSSL import SSL

import pki
from client import NS_SASL, NS_TLS, PATIENCE, Closed, error_of, local, tls_context
from far import NS_SERVER, Far, fresh
from farworld import LOOSE, OPEN, STRICT, alice, mallory, neighbour, noticed, strict_one, unhurt, world     # noqa: F401
from hostile import outcome

pytestmark = pytest.mark.usefixtures("unhurt")
REFUSED = ("invalid-from", "not-authorized")


def SERVER(names, ca):
    ca.revoked = ca.issue("revoked.mallory.example")
    return world(names, ca, {("tls", "crl"): "tls/crl.pem"}, {"tls/crl.pem": ca.revocations(ca.revoked)})


WRONG = {
    **pki.WRONG,
    "revoked": lambda ca, domain: ca.revoked,
    "a chain of 200": pki.deep_chain,
    "of its parent": lambda ca, domain: ca.issue(domain.partition(".")[2]),
    "of a child": lambda ca, domain: ca.issue("a." + domain),
    "of ours": lambda ca, domain: ca.issue(OPEN),
    "wildcard for two labels": lambda ca, domain: ca.sign(None, dns=["*." + domain.partition(".")[2].partition(".")[2]]),
    "the whole SRV name as DNS name": lambda ca, domain: ca.sign(None, dns=["_xmpp-server." + domain]),
    "SRV name without a service": lambda ca, domain: ca.sign(None, srv=[domain]),
    "XmppAddr of an account": lambda ca, domain: ca.sign(None, addresses=["a@" + domain]),
    "XmppAddr of another": lambda ca, domain: ca.sign(None, addresses=["other-" + domain]),
}


def shown(ca, what):
    """Who shows it, and a certificate of that kind."""
    domain = "revoked.mallory.example" if what == "revoked" else "m.%s" % fresh("mallory")[0]
    return domain, WRONG[what](ca, domain)


@pytest.fixture
def peer(names, ca):
    """peer(domain, identity) is a server of that domain which shows it."""
    with contextlib.ExitStack() as stack:
        yield lambda domain, identity, **how: stack.enter_context(Far(names, ca, domain, identity=identity, **how))


# -- 31: certificates of those who come ---------------------------------------------------------------------------------

def hears_nothing_of(server, far, strict_one, direct):
    """Where certificates are required, by this one nothing is proven, and nothing else will do."""
    link = far.secured(server, to=STRICT, direct=direct)
    assert not link.offers(NS_SASL, "mechanism")
    with noticed(server, "auth_failed", "auth_failed"):
        assert local(link.auth()) == "failure"
    with noticed(server, "auth_failed", "dialback_refused"):
        assert far.keyed(link) == "not-authorized"
    with noticed(server, "from_refused", "stream_error"):
        link.message("evil@" + far.domain, strict_one.jid)
        link.expect_stream_error(REFUSED)
    assert not strict_one.sync()


@pytest.mark.parametrize("what", WRONG)
def test_31_certificate(server, peer, ca, strict_one, alice, what):
    """Where one is required it is no way in; where dialback will do, the key is looked into, and without a right one nothing
    comes in."""
    far = peer(*shown(ca, what))
    far.manners["verify"] = lambda link, el: "invalid"
    try:
        for direct in (False, True):
            hears_nothing_of(server, far, strict_one, direct)
    except (OSError, Closed):
        assert what == "a chain of 200"     # it is too much already for the handshake
        return
    link = far.secured(server)
    assert not link.offers(NS_SASL, "mechanism")
    with noticed(server, "auth_failed", "key_refused"):
        assert far.keyed(link) == "invalid"
    far.manners["verify"] = far.honest
    far.proven(server).message("x@" + far.domain, alice.jid, "good")
    alice.expect("message", body="good", from_="x@" + far.domain)


@pytest.mark.parametrize("what", [what for what in pki.RIGHT if what != "wildcard in SRV-ID"])
def test_31_what_is_right(server, peer, ca, strict_one, what):
    """So that the tests above do not pass for another reason."""
    domain = "m.%s" % fresh("good")[0]
    far = peer(domain, pki.RIGHT[what](ca, domain))
    far.external(server, to=STRICT).message("x@" + domain, strict_one.jid, "good")
    strict_one.expect("message", body="good", from_="x@" + domain)


def test_31_no_certificate_at_all(server, mallory, strict_one):
    link = mallory.dial(server, to=STRICT).begin().starttls(None).begin()
    assert not link.offers(NS_SASL, "mechanism")
    assert mallory.keyed(link) == "not-authorized"
    link.message("evil@" + mallory.domain, strict_one.jid)
    link.expect_stream_error(REFUSED)


def test_31_certificate_of_the_header_before(server, mallory, names, ca, neighbour, strict_one):
    """The header in plain text named the certificate's domain; what counts is the one under TLS."""
    link = mallory.dial(server, to=STRICT).begin().starttls(mallory.identity)
    link.domain = neighbour.far.domain
    link.begin()
    assert not link.offers(NS_SASL, "mechanism")
    link.message("evil@" + link.domain, strict_one.jid)
    link.expect_stream_error(REFUSED)


def test_31_two_domains_of_one_certificate(server, mallory, strict_one):
    """Where certificates are required, each domain is a stream's own: the second is in the certificate, but nobody has looked
    there for it."""
    link = mallory.external(server, to=STRICT)
    assert mallory.keyed(link, mallory.domains[1]) in ("valid", "not-authorized")
    link.message("x@" + mallory.domain, strict_one.jid, "good")
    strict_one.expect("message", body="good")


# -- 31: certificates of those whom we call -----------------------------------------------------------------------------

@pytest.mark.parametrize("direct", [False, True], ids=["starttls", "direct"])
def test_31_whom_we_call(server, peer, ca, strict_one, direct):
    """Nothing is said to such a server, and whoever wrote is told why."""
    fars = {what: peer(*shown(ca, what), direct=direct) for what in WRONG if not (direct and what == "revoked")}
    for far in fars.values():
        strict_one.message("x@" + far.domain, "secret")
    for what, far in fars.items():
        error = strict_one.expect("message", type="error", from_="x@" + far.domain)
        assert error_of(error)[1] in ("remote-server-timeout", "remote-server-not-found"), what
        assert not far.stanzas, what


# -- 11: TLS taken away -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("to", [OPEN, STRICT])
def test_11_no_tls_from_who_comes(server, mallory, alice, to):
    """Somebody has taken <starttls/> out of our features, so the other goes on in plain text."""
    for say in ("<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL,
                "<db:result from='%s' to='%s'>key</db:result>" % (mallory.domain, to),
                "<db:verify from='%s' to='%s' id='x'>key</db:verify>" % (mallory.domain, to),
                "<bidi xmlns='urn:xmpp:bidi'/>", "<enable xmlns='urn:xmpp:sm:3'/>"):
        link = mallory.dial(server, to=to).begin()
        assert link.features.find(".//{%s}required" % NS_TLS) is not None and not link.offers(NS_SASL, "mechanism")
        assert outcome(link, [say, "<message from='evil@%s' to='%s'><body>evil</body></message>" % (mallory.domain, alice.jid)]) in (
            "not-authorized", "policy-violation", "unsupported-stanza-type", "invalid-from"), say


@contextlib.contextmanager
def called(names, ca, who, cases):
    """For each case a server of its own to which `who` writes: {case: link}, each a connection of ours on which nothing has
    been said; a second one is closed at once. In the end each message comes back with an error, and has gone nowhere."""
    with contextlib.ExitStack() as stack:
        fars = {case: stack.enter_context(Far(names, ca, *fresh("bent"))).by_hand() for case in cases}
        for far in fars.values():
            who.message("x@" + far.domain, "secret")
        links = {case: far.accept() for case, far in fars.items()}
        for case, far in fars.items():
            far.manners["accept"], far.hands = lambda sock: False, None
            links[case].far = far
        yield links
        for case, far in fars.items():
            assert error_of(who.expect("message", type="error", from_="x@" + far.domain))[1] == "remote-server-timeout", case
            assert not far.stanzas, case


@pytest.mark.parametrize("sender", ["alice", "strict_one"])
def test_11_no_tls_from_whom_we_call(server, names, ca, request, sender):
    """Somebody has taken it out of theirs; or says that the server is an old one without features."""
    with called(names, ca, request.getfixturevalue(sender), ["1.0", None]) as links:
        for version, link in links.items():
            link.answer_header(version=version)
            with contextlib.suppress(OSError):
                if version:
                    link.offer("dialback", "external")
            link.expect_eof()
            assert {local(el) for el in link.inbox} <= {"starttls", "error"}      # the former goes behind our header, unasked


BEHIND = ["<message from='evil@{0}' to='{1}'><body>evil</body></message>", "<", "</stream:stream>", "\n\n\n",
          "<starttls xmlns='%s'/>" % NS_TLS, "<db:result from='{0}' to='im.example'>k</db:result>",
          "<?xml version='1.0'?><stream:stream xmlns='%s' to='im.example' from='{0}' version='1.0' "
          "xmlns:stream='http://etherx.jabber.org/streams'>" % NS_SERVER]


@pytest.mark.parametrize("behind", BEHIND, ids=["stanza", "half a tag", "end tag", "white space", "starttls", "key", "header"])
def test_11_bytes_behind_starttls_in_one_segment(server, mallory, alice, behind):
    """RFC 6120 5.4.3.3: what was read before TLS is not taken as said under it."""
    link = mallory.dial(server).begin()
    link.send("<starttls xmlns='%s'/>" % NS_TLS + behind.format(mallory.domain, alice.jid))
    try:
        link.expect("proceed")
        link.wrap(mallory.identity).begin()
    except (Closed, OSError):
        return
    assert not [el for el in link.inbox if local(el) in ("result", "success")]
    link.message("evil@" + mallory.domain, alice.jid)
    link.expect_stream_error(REFUSED)


# What a server may do when we have asked for TLS: function of the link.
def behind_proceed(link):
    """What comes behind <proceed/> in the same segment was not said under TLS."""
    link.send("<proceed xmlns='%s'/><stream:features><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>"
              "<db:result from='%s' to='%s' type='valid'/>" % (NS_TLS, link.far.domain, OPEN))
    with contextlib.suppress(OSError, Closed):
        link.secure(link.far.identity).answer_header().offer()
        link.next("result")         # it begins anew


def after_proceed(*data):
    def say(link):
        link.send("<proceed xmlns='%s'/>" % NS_TLS)
        for piece in data:
            link.sock.sendall(piece)
    return say


INSTEAD = {
    "bytes behind proceed": behind_proceed,
    "garbage": after_proceed(b"\x00" * 4096), "an alert": after_proceed(b"\x15\x03\x03\x00\x02\x02\x28"),
    "a long record": after_proceed(b"\x16\x03\x03\xff\xff" + b"\x00" * 70000), "nothing": after_proceed(),
    "XML": after_proceed(b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='x'>"
                         b"<stream:features/>"),
    "failure": lambda link: link.send("<failure xmlns='%s'/></stream:stream>" % NS_TLS),
    "proceed and failure": lambda link: link.send("<proceed xmlns='%s'/><failure xmlns='%s'/>" % (NS_TLS, NS_TLS)),
}


def test_12_no_tls_from_whom_we_call(server, names, ca, alice):
    with called(names, ca, alice, INSTEAD) as links:
        for what, link in links.items():
            link.answer_header().offer("starttls")
            link.next("starttls")
            with contextlib.suppress(OSError):
                INSTEAD[what](link)
            link.cut()


def test_12_starttls_twice(server, mallory):
    link = mallory.secured(server)
    assert outcome(link, ["<starttls xmlns='%s'/>" % NS_TLS]) in ("unsupported-stanza-type", "not-authorized", "closed")


# -- 12: TLS bent -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sni, to", [(OPEN, STRICT), (STRICT, OPEN), ("nobody.example", OPEN), (OPEN, "nobody.example"), ("127.0.0.1", OPEN),
                                     (LOOSE, STRICT)])
def test_12_sni_unlike_to(server, mallory, alice, sni, to):
    """The name in TLS chooses a certificate, nothing else: what may be done is what `to` says."""
    link = mallory.dial(server, "s2s_tls").wrap(pki.self_signed(mallory.domain), sni, ["xmpp-server"])
    try:
        link.begin(to=to)
    except (Closed, AssertionError):
        return
    assert not link.offers(NS_SASL, "mechanism")
    link.message("evil@" + mallory.domain, alice.jid)
    link.expect_stream_error(REFUSED)


@pytest.mark.parametrize("alpn", [["http/1.1"], ["h2", "http/1.1"], ["xmpp-client"], ["x" * 255], ["a%d" % n for n in range(200)]],
                         ids=["http", "h2", "xmpp-client", "long", "many"])
def test_12_other_protocols_on_the_direct_port(server, mallory, alpn):
    """XEP-0368 4, RFC 7301 3.2: no_application_protocol, or a stream that is XMPP's all the same."""
    sock = mallory.dial(server, "s2s_tls").sock
    try:
        sock = tls_context(alpn).wrap_socket(sock, server_hostname=OPEN)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: im.example\r\n\r\n")
        assert sock.selected_alpn_protocol() is None and b"HTTP/" not in sock.recv(65536)
    except OSError:
        return


def test_12_renegotiation_loop(server, mallory, neighbour):
    """RFC 5746: who asks for a handshake again and again, in TLS 1.2, is refused or let go."""
    sock = mallory.dial(server, "s2s_tls").sock
    context = SSL.Context(SSL.TLSv1_2_METHOD)
    context.set_verify(SSL.VERIFY_NONE, lambda *a: True)
    tls = SSL.Connection(context, sock)
    tls.set_tlsext_host_name(OPEN.encode())
    tls.set_connect_state()
    sock.setblocking(True)
    done = 0
    try:
        tls.do_handshake()
        for _ in range(50):
            if not tls.renegotiate():
                break
            tls.do_handshake()
            done += 1
    except (SSL.Error, OSError):
        pass
    neighbour.ping()
    assert done < 50, "it goes on for ever"


def client_hello():
    """The first flight of a client, as TLS writes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context(["xmpp-server"]).wrap_bio(incoming, outgoing, server_hostname=OPEN)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing, outgoing.read()


def drive(sock, tls, incoming, outgoing, first):
    """Goes on with a handshake whose first flight was sent; True when it is through."""
    for data in first:
        sock.sendall(data)
    while True:
        try:
            tls.do_handshake()
            sock.sendall(outgoing.read())
            return True
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            data = sock.recv(65536)
            if not data:
                return False
            incoming.write(data)


def test_12_client_hello_in_bytes(server, mallory, neighbour):
    """Each byte a segment of its own, which is lawful."""
    tls, incoming, outgoing, hello = client_hello()
    sock = mallory.dial(server, "s2s_tls").sock
    for byte in hello[:len(hello) // 2]:
        sock.sendall(bytes([byte]))
    neighbour.ping()
    assert drive(sock, tls, incoming, outgoing, [bytes([byte]) for byte in hello[len(hello) // 2:]])


def test_12_client_hello_in_records_of_a_byte(server, mallory, neighbour):
    """Each byte a record of its own: lawful too, but one may refuse it."""
    tls, incoming, outgoing, hello = client_hello()
    sock = mallory.dial(server, "s2s_tls").sock
    records = [hello[:3] + b"\x00\x01" + bytes([byte]) for byte in hello[5:]]
    with contextlib.suppress(OSError, ssl.SSLError):
        drive(sock, tls, incoming, outgoing, records)
    neighbour.ping()


@pytest.mark.parametrize("record", [
    b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03" + b"\x00" * 16373,                      # a handshake message of 16 MiB
    b"\x16\x03\x01\xff\xff" + b"\x00" * 65535, b"\x16\x03\x01\x00\x00" * 1000, b"\x80\x2e\x01\x00\x02" + b"\x00" * 45,
    b"\x17\x03\x03\x40\x00" + b"\x00" * 16384, b"\x15\x03\x03\x00\x02\x01\x00" * 100, b"\x14\x03\x03\x00\x01\x01" * 1000,
    b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'>",
    b"PROXY TCP4 127.0.0.9 127.0.0.9 1 1\r\n"],
    ids=["huge message", "long record", "empty records", "SSL 2", "data first", "alerts", "cipher changes", "no TLS at all", "PROXY"])
def test_12_handshakes_that_are_none(server, mallory, neighbour, record):
    """Bounded, counted, and over."""
    sock = mallory.dial(server, "s2s_tls").sock
    with noticed(server, "tls_failed", "closed"):
        with contextlib.suppress(OSError):
            for _ in range(64):
                sock.sendall(record)
        sock.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):
            while sock.recv(65536):
                pass
        sock.close()
    neighbour.ping()


def test_12_handshake_and_gone(server, mallory, neighbour):
    """Two hundred that stop in the middle of it: reset, closed, half closed."""
    hello = client_hello()[3]
    for n in range(200):
        sock = mallory.dial(server, "s2s_tls", source=None).sock
        sock.sendall(hello[:-1] if n % 2 else hello)
        if n % 4 == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    neighbour.ping()


def test_12_plain_text_in_the_middle_of_tls(server, mallory):
    """Bytes that are not of the record layer, on a stream that has one."""
    link = mallory.external(server)
    raw = socket.socket(fileno=socket.dup(link.sock.fileno()))
    raw.sendall(b"<message from='evil@%s' to='alice@im.example'><body>evil</body></message>" % mallory.domain.encode())
    link.expect_eof()
    raw.close()


def test_12_end_of_tls_without_end_of_stream(server, mallory, alice):
    """close_notify, and plain text behind it."""
    link = mallory.external(server)
    raw = socket.socket(fileno=socket.dup(link.sock.fileno()))
    with contextlib.suppress(OSError):
        link.sock.settimeout(0.2)
        link.sock.unwrap()
    with contextlib.suppress(OSError):
        raw.sendall(b"<message from='evil@%s' to='alice@im.example'><body>evil</body></message>" % mallory.domain.encode())
        raw.settimeout(PATIENCE)
        while raw.recv(65536):
            pass
    raw.close()


def test_12_direct_tls_that_is_none(server, names, ca, alice):
    """XEP-0368: the DNS says direct TLS, and there is something else."""
    with Far(names, ca, *fresh("direct"), announce=False) as far:
        names.service(far.domain, far.host, far.port("s2s"), tls=True)      # which speaks first in plain text, if at all
        far.by_hand()
        alice.message("x@" + far.domain, "secret")
        link = far.accept()
        far.manners["accept"], far.hands = lambda sock: False, None
        link.sock.sendall(b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")
        alice.expect("message", type="error", from_="x@" + far.domain)
        assert not far.stanzas
        far.withdraw(far.domain)
