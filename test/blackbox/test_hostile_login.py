"""Strangers at the door: bytes, steps and connections that no client makes (groups 10 to 17 and 42 of the survey)."""

import contextlib
import socket
import ssl
import struct

import pytest

import sasl
from channel import secure
from client import NS_SASL, NS_TLS, PATIENCE, Closed, local, tls_context
from hostile import SANITIZED, memory, outcome

SERVER = {"domains": ["im.example", "other.example"]}


@pytest.fixture(scope="module")
def witness(server):
    """Somebody else, who is connected all the while."""
    from conftest import Person
    server.adduser("witness@im.example", "pw")
    return Person(server, "witness", server.domain, [], "pw").login("stand").online()


@pytest.fixture(autouse=True)
def nobody_else_notices(server, witness):
    yield
    assert witness.ping().get("type") == "result"
    assert server.daemons() == server.pids, "no daemon has died"


def ready(who):
    client = who.connect()
    client.begin()
    client.starttls().begin()
    return client


def auth(mechanism, data):
    return "<auth xmlns='%s' mechanism='%s'>%s</auth>" % (NS_SASL, mechanism, sasl.encode(data))


def response(data):
    return "<response xmlns='%s'>%s</response>" % (NS_SASL, sasl.encode(data))


# -- 10: another domain on the way ---------------------------------------------------------------------------------

def test_10_domain_changed_after_starttls(person):
    """RFC 6120 5.4.3.3: who it is, is decided by the stream in which the login is; the account is of that domain."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.starttls()
    with contextlib.suppress(Closed):
        client.begin("other.example")
        assert local(client.authenticate(romeo.user, romeo.password, "PLAIN")) == "failure"


# -- 12: TLS -------------------------------------------------------------------------------------------------------

def drain(sock):
    while sock.recv(4096):
        pass


@pytest.mark.parametrize("bytes", [b"\x16\x03\x01\xff\xff" + b"\x01" * 100, b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00",
                                   b"\x80\x2e\x01\x00\x02", b"\x15\x03\x01\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00",
                                   b"\x00" * 64, b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n"],
                         ids=["huge record", "huge handshake", "SSL 2", "alert", "data", "zeros", "ones", "HTTP"])
def test_12_what_is_no_handshake(server, bytes):
    """The connection ends; a huge length is not waited for beyond the time before login."""
    with socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=PATIENCE) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(bytes)
            sock.shutdown(socket.SHUT_WR)
            drain(sock)


def test_12_client_hello_byte_by_byte(person):
    """RFC 8446 5.1: records may come in any pieces."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.send("<starttls xmlns='%s'/>" % NS_TLS)
    client.expect("proceed")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context().wrap_bio(incoming, outgoing, server_hostname="im.example")
    client.sock.setblocking(True)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                client.sock.sendall(struct.pack("B", byte))
            incoming.write(client.sock.recv(65536))
    assert tls.version() in ("TLSv1.2", "TLSv1.3")


def test_12_handshake_left_half_way(server):
    """Many that stop in the middle cost nobody else anything."""
    held = []
    for _ in range(50):
        sock = socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=PATIENCE)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_context().wrap_bio(incoming, outgoing, server_hostname="im.example")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        sock.sendall(hello[:len(hello) // 2])
        held.append(sock)
    for sock in held:
        sock.close()


# -- 13: connections that do nothing -------------------------------------------------------------------------------

def test_13_connections_opened_and_left(server, witness):
    """Thousands of them, silent, after a header, after a failed login; all dropped at once; memory comes back."""
    def wave(count, words):
        held = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", server.port("c2s")), timeout=PATIENCE)
            if words:
                sock.sendall(words)
            held.append(sock)
        assert witness.ping().get("type") == "result", "while they are there"
        for sock in held:
            sock.close()
        assert witness.ping().get("type") == "result"

    header = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' " \
             b"version='1.0'>"
    wave(200, header)
    before = memory(server)
    for words in (b"", header, header + auth("PLAIN", b"\0x\0y").encode(), b"<stream:stream", b"\x16\x03\x01"):
        wave(1000, words)
    assert SANITIZED or memory(server) - before < 48 * 1024


# -- 14 and 15: SASL -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("data", [b"a\0b\0c\0d\0e", b"\0\0\0\0\0", b"\0" * 1000, b"x" * 4000, b"\0\xff\0\xff",
                                  b"\0a\nlevel=info ev=forged\0b", b"\0\x1b[31mred\0b"])
def test_14_plain_messages_bent(person, data):
    """RFC 4616 2."""
    client = ready(person("romeo"))
    client.send(auth("PLAIN", data))
    assert local(client.expect()) in ("failure", "error")


@pytest.mark.parametrize("element", ["auth", "response"])
def test_14_a_megabyte_of_base64(person, element):
    """DESIGN 11: 8 KiB before login."""
    client = ready(person("romeo"))
    client.sock.sendall(b"<%s xmlns='%s' mechanism='PLAIN'>" % (element.encode(), NS_SASL.encode()))
    assert outcome(client, [b"QUFB" * 1024] * 256) in ("policy-violation", "not-authorized")


FIRST = [b"n,,r=abc,n=user", b"n,,n=user", b"n,,r=abc", b"n,,m=ext,n=user,r=abc", b"n,,n=user,r=", b"n,,n=,r=abc",
         b"n,,n=us=er,r=abc", b"n,,n=user,r=a\x00b", b"n,a=,n=user,r=abc", b"n", b",,,,", b"n,,n=user,r=abc,i=0",
         b"n,,n=" + b"u" * 3000 + b",r=abc", b"n,,n=\xff\xfe,r=abc", b"p=,,n=user,r=abc", b"n,,n=user,r=a b\xc3\xa4"]


@pytest.mark.parametrize("first", FIRST)
def test_15_scram_first_messages_bent(person, first):
    """RFC 5802 5.1, 7: refused at once, or after the last step for want of a right proof; never a crash."""
    client = ready(person("romeo"))
    client.send(auth("SCRAM-SHA-256", first))
    el = client.expect()
    if local(el) == "challenge":
        given = dict(part.split("=", 1) for part in sasl.decode(el.text).decode().split(","))
        client.send(response(b"c=biws,r=" + given["r"].encode() + b",p=" + b"A" * 43 + b"="))
        el = client.expect()
    assert local(el) in ("failure", "error")


FINAL = ["", "x", "c=biws", "c=biws,r={r}", "r={r},c=biws,p={p}", "c=,r={r},p={p}", "c=biws,r={r},p=", "c=biws,r={r},p=!!",
         "c=biws,r={r},x=y,p=AAAA", "c=biws,r={r},p=" + "A" * 6000, "c=biws,r=,p={p}", "c=eSws,r={r},p={p}", "\x00",
         "p={p},c=biws,r={r}", "c=biws,c=biws,r={r},p={p}"]


@pytest.mark.parametrize("final", FINAL)
def test_15_scram_final_messages_bent(person, final):
    """RFC 5802 5.1, 7."""
    romeo = person("romeo")
    client = ready(romeo)
    exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password)
    client.send(auth("SCRAM-SHA-256", exchange.initial()))
    right = exchange.step(sasl.decode(client.expect("challenge").text)).decode()
    parts = dict(part.split("=", 1) for part in right.split(","))
    client.send(response(final.format(r=parts["r"], p=parts["p"]).encode()))
    assert local(client.expect()) in ("failure", "error")


def test_15_final_message_replayed(person):
    """RFC 5802 5.1: a proof belongs to its nonce."""
    romeo = person("romeo")
    client = ready(romeo)
    exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password)
    client.send(auth("SCRAM-SHA-256", exchange.initial()))
    final = exchange.step(sasl.decode(client.expect("challenge").text))
    client.send(response(final))
    client.expect("success")
    again = ready(romeo)
    again.send(auth("SCRAM-SHA-256", exchange.initial()))
    again.expect("challenge")
    again.send(response(final))
    assert local(again.expect()) == "failure"


def test_15_binding_of_a_type_but_no_data(person):
    """RFC 5802 6: the data is part of the proof."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    secure(client)
    client.begin()
    el = client.authenticate(romeo.user, romeo.password, "SCRAM-SHA-256-PLUS", binding=("tls-exporter", b""))
    assert local(el) == "failure"


# -- 16: steps in every order --------------------------------------------------------------------------------------

STEPS = {
    "response": response(b"x"), "abort": "<abort xmlns='%s'/>" % NS_SASL, "challenge": "<challenge xmlns='%s'/>" % NS_SASL,
    "success": "<success xmlns='%s'/>" % NS_SASL, "failure": "<failure xmlns='%s'/>" % NS_SASL,
    "proceed": "<proceed xmlns='%s'/>" % NS_TLS, "features": "<stream:features/>",
    "bind": "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    "session": "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
    "anonymous": auth("ANONYMOUS", b""), "digest": auth("DIGEST-MD5", None), "unknown": "<auth xmlns='urn:x'/>",
    "handshake": "<handshake xmlns='jabber:component:accept'/>", "frames": "<frames xmlns='urn:bulkhead:frames:0'/>",
    "open": "<open xmlns='urn:bulkhead:session:0'/>", "enable": "<enable xmlns='urn:xmpp:sm:3'/>",
    "resume": "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", "r": "<r xmlns='urn:xmpp:sm:3'/>",
}


@pytest.mark.parametrize("when", ["at once", "under TLS", "in SCRAM"])
@pytest.mark.parametrize("step", STEPS)
def test_16_step_out_of_turn(person, step, when):
    """RFC 6120 4.3, 6.4: a failure or the end of the stream, never a login; the next comer is served."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    if when != "at once":
        client.starttls().begin()
    if when == "in SCRAM":
        client.send(auth("SCRAM-SHA-256", sasl.mechanism("SCRAM-SHA-256", romeo.user, "x").initial()))
        client.expect("challenge")
    client.send(STEPS[step])
    with contextlib.suppress(Closed):
        el = client.expect()
        assert local(el) in ("failure", "error", "failed") or el.get("type") == "error"
    romeo.login()


def test_16_second_login_on_a_stream(person):
    """RFC 6120 6.4.6: after success there is none."""
    romeo = person("romeo")
    client = ready(romeo)
    client.authenticate(romeo.user, romeo.password)
    client.begin()
    client.send(auth("PLAIN", b"\0x\0y"))
    assert local(client.expect()) in ("failure", "error")


def test_16_stanzas_right_behind_the_last_step(person, witness):
    """RFC 6120 6.4.6: the old stream is over with success; what was sent in it before the new header is not taken."""
    romeo = person("romeo")
    client = ready(romeo)
    client.send(auth("PLAIN", b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())) +
                "<message to='witness@im.example'><body>too early</body></message>")
    client.expect("success")
    romeo.login().settle()
    witness.expect_nothing("message", body="too early")


def test_16_many_resources(person):
    """DESIGN 11: sessions an account are limited; a session over it is refused or ends the oldest, never all."""
    romeo = person("romeo")
    held, refused = [], 0
    for n in range(60):
        try:
            held.append(romeo.login("r%d" % n, tls=False))
        except (AssertionError, Closed, OSError):
            refused += 1
    assert held[0].eof or any(client.ping().get("type") == "result" for client in held[-3:])


# -- 42: logs ------------------------------------------------------------------------------------------------------

def test_42_no_secret_in_any_log(server, person):
    """A password is in no file of the server, whichever way it came; and nobody writes lines of his own."""
    romeo = person("romeo")
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        romeo.login(mechanism=mechanism)
        ready(romeo).authenticate("x\nlevel=error ev=forged", "a wrong secret", mechanism)
    for path in server.log_files():
        text = path.read_text(errors="replace")
        assert romeo.password not in text and "a wrong secret" not in text, path
        assert not [line for line in text.splitlines() if line.startswith("level=error ev=forged")]
        assert "\x1b[31m" not in text


def test_42_no_secret_in_the_store(server, person):
    """Accounts are kept as SCRAM keys only."""
    romeo = person("romeo")
    romeo.login()
    for path in server.dir.rglob("*"):
        if path.is_file():
            assert romeo.password.encode() not in path.read_bytes(), path
