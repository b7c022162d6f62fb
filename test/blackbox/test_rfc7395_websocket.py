"""XMPP over WebSocket (RFC 7395), and what RFC 6455 and PEERS group 36 ask of its framing."""

import socket

import pytest

from channel import Channel
from client import NS_SASL, PATIENCE, Closed, local, namespace, q, tls_context
from websocket import BINARY, CLOSE, NS_FRAMING, PING, TEXT, WsClient, frame, handshake

SERVER = {"http": True}
NS_STREAM = "http://etherx.jabber.org/streams"


@pytest.fixture
def ws(server, connections):
    def make(**how):
        it = WsClient(server, **how)
        connections.append(it)
        return it
    return make


@pytest.fixture
def raw(server, connections):
    """A socket to the HTTP port."""
    def make():
        sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
        connections.append(type("Cut", (), {"cut": lambda self: sock.close()})())
        return sock
    return make


def logged_in(ws, person, name="romeo", **how):
    someone = person(name)
    return ws(**how).login(someone.user, someone.password, "web")


# -- a session ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_login_and_messages_with_a_tcp_client(ws, person, tls):
    romeo, juliet = person("romeo"), person("juliet")
    web = ws(tls=tls).login(romeo.user, romeo.password, "web")
    his = juliet.login("tcp", tls=False)
    web.online()
    his.online()
    web.message(his.jid, "from the browser")
    got = his.expect("message", body="from the browser")
    assert got.get("from") == web.jid
    his.message(web.jid, "to the browser")
    got = web.expect("message", body="to the browser")
    assert got.tag == q("jabber:client", "message") and got.get("from") == his.jid
    web.end()
    assert web.code == 1000


def test_the_answer_to_open_says_who_and_the_features_follow(ws, server):
    it = ws()
    features = it.begin()
    assert it.header["from"] == server.domain and it.header["version"] == "1.0" and it.header["id"]
    assert features.tag == q(NS_STREAM, "features")
    assert features.find(q("urn:ietf:params:xml:ns:xmpp-tls", "starttls")) is None   # RFC 7395 3.9
    assert "SCRAM-SHA-256" in it.mechanisms()


def test_starttls_is_not_offered_and_not_had(ws):
    it = ws()
    it.begin()
    it.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    assert local(it.expect("failure")) == "failure"
    it.expect_end()


def test_unknown_domain(ws):
    it = ws()
    it.open("nobody.example")
    it.expect_stream_error("host-unknown")


def test_sasl_failure_leaves_the_stream(ws, person):
    romeo = person("romeo")
    it = ws()
    it.begin()
    assert local(it.authenticate(romeo.user, "wrong")) == "failure"
    assert local(it.authenticate(romeo.user, romeo.password)) == "success"


class Bound:
    """What WsClient asks a context for, by a TLS that tells what binds a login to it."""

    @staticmethod
    def wrap_socket(sock, server_hostname):
        return Channel(sock, server_hostname)


@pytest.mark.parametrize("type", ["tls-exporter", "tls-server-end-point"])
def test_channel_binding_under_tls(ws, person, type):
    """RFC 9266, RFC 5929, XEP-0440: as at c2s; the binding of another connection is none."""
    romeo = person("romeo")
    it, other = ws(tls=True, context=Bound), ws(tls=True, context=Bound)
    features = it.begin()
    assert {el.get("type") for el in features.iter(q("urn:xmpp:sasl-cb:0", "channel-binding"))} == {"tls-exporter", "tls-server-end-point"}
    assert "SCRAM-SHA-256-PLUS" in it.mechanisms()
    elsewhere = other.sock.binding(type)[1] if type == "tls-exporter" else b"x" * 32
    assert local(it.authenticate(romeo.user, romeo.password, "SCRAM-SHA-256-PLUS", binding=(type, elsewhere))) == "failure"
    assert local(it.authenticate(romeo.user, romeo.password, "SCRAM-SHA-256-PLUS", binding=it.sock.binding(type))) == "success"


def test_no_channel_binding_without_tls(ws):
    it = ws()
    it.begin()
    assert not [name for name in it.mechanisms() if name.endswith("-PLUS")]


def test_large_stanzas_go_both_ways(ws, person):
    web = logged_in(ws, person)
    web.online()
    for size in (100, 125, 126, 5000, 65535, 65536, 200000):
        web.message(web.jid, "x" * size)
        assert len(web.expect("message").find(q("jabber:client", "body")).text) == size


def test_a_child_with_the_stream_prefix_is_well_formed_on_the_other_side(ws, person):
    juliet = person("juliet")
    web, his = logged_in(ws, person), juliet.login("tcp", tls=False)
    web.online()
    his.send("<message to='%s'><stream:odd/><body>odd</body></message>" % web.jid)
    assert web.expect("message", body="odd").find(q(NS_STREAM, "odd")) is not None


# -- XEP-0198 -----------------------------------------------------------------------------------------------------


def enabled(web):
    web.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    return web.expect("enabled").get("id")


def test_resumption_over_websocket_and_at_c2s(ws, person):
    romeo, juliet = person("romeo"), person("juliet")
    web, his = ws().login(romeo.user, romeo.password, "web"), juliet.login("tcp", tls=False)
    previd = enabled(web)
    web.online()
    web.cut()
    his.message(web.jid, "while away")
    his.sync()
    again = ws()
    again.begin()
    assert local(again.authenticate(romeo.user, romeo.password)) == "success"
    again.begin()
    again.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % previd)
    assert again.expect("resumed").get("previd") == previd
    again.expect("message", body="while away")
    again.cut()
    tcp = romeo.connect()
    tcp.begin()
    assert local(tcp.authenticate(romeo.user, romeo.password)) == "success"
    tcp.begin()
    tcp.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % previd)
    assert tcp.expect("resumed").get("previd") == previd
    tcp.expect("message", body="while away")


def test_acknowledgements(ws, person):
    web = logged_in(ws, person)
    enabled(web)
    web.message(web.jid, "one")
    web.send("<r xmlns='urn:xmpp:sm:3'/>")
    assert web.expect("a").get("h") == "1"


def test_a_close_frame_without_close_may_be_resumed(ws, person):
    romeo = person("romeo")
    web = ws().login(romeo.user, romeo.password, "web")
    previd = enabled(web)
    web.send_bytes(frame(b"\x03\xe9", CLOSE))
    web.expect_eof()
    assert web.code == 1000 and not web.ended
    again = ws()
    again.begin()
    again.authenticate(romeo.user, romeo.password)
    again.begin()
    again.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % previd)
    again.expect("resumed")


# -- the handshake ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how, status", [
    ({"Sec_WebSocket_Protocol": None}, 400),
    ({"Sec_WebSocket_Protocol": "mqtt"}, 400),
    ({"Sec_WebSocket_Protocol": "mqtt, xmpp"}, 101),
    ({"Sec_WebSocket_Version": "8"}, 426),
    ({"Sec_WebSocket_Key": "c2hvcnQ="}, 400),
    ({"Sec_WebSocket_Key": None}, 400),
    ({"Upgrade": "h2c"}, 400),
    ({"Connection": "keep-alive"}, 400),
    ({"Origin": "https://elsewhere.example"}, 101),
])
def test_handshake(raw, server, how, status):
    got, headers, _ = handshake(raw(), server.domain, **how)
    assert got == status
    if status == 426:
        assert headers["sec-websocket-version"] == "13"


def test_no_extension_is_agreed_on(raw, server):
    got, headers, _ = handshake(raw(), server.domain, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert got == 101 and "sec-websocket-extensions" not in headers


def test_other_methods_are_refused(raw, server):
    sock = raw()
    sock.sendall(b"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert b" 405 " in sock.recv(4096)


# -- bad frames (PEERS group 36) ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data, code", [
    (frame("<x/>", mask=False), 1002),
    (frame("<x/>", length=2 ** 63 - 1), 1009),
    (frame("<x/>", length=2 ** 63), 1002),
    (frame("<x/>", length=2 ** 64 - 1), 1002),
    (frame("x" * 126, opcode=PING), 1002),
    (frame("x", opcode=PING, fin=False), 1002),
    (frame("<x/>", opcode=BINARY), 1003),
    (frame("<x/>", opcode=3), 1002),
    (frame("<x/>", opcode=0), 1002),
    (frame("<x/>", rsv=4), 1002),
    (frame("<x", fin=False) + frame("/>"), 1002),
    (frame(b"<x>\xff\xfe</x>"), 1007),
    (frame(b"<x>\xed\xa0\x80</x>"), 1007),
    (frame(b"\x03", CLOSE), 1002),
    (frame(b"\x03\xee", CLOSE), 1002),
    (frame(b"\x03\xe8\xff", CLOSE), 1007),
    (frame("<message>" + "x" * 9000 + "</message>"), 1009),
])
def test_bad_frames(ws, data, code):
    it = ws()
    it.begin()
    it.send_bytes(data)
    it.expect("error", where=lambda el: namespace(el) == NS_STREAM)
    it.expect_end()
    assert it.code == code


def test_a_bad_frame_harms_nobody_else(ws, person):
    web, other = logged_in(ws, person), ws()
    other.send_bytes(frame("<x/>", mask=False))
    other.expect_end()
    web.ping()


def test_one_byte_fragments_in_one_byte_writes(ws, server):
    it = ws()
    text = "<open xmlns='%s' to='%s' version='1.0'/>" % (NS_FRAMING, server.domain)
    for i, char in enumerate(text):
        for byte in frame(char, TEXT if i == 0 else 0, fin=i == len(text) - 1):
            it.sock.sendall(bytes([byte]))
        if i == 5:
            it.sock.sendall(frame("between", PING))     # RFC 6455 5.4: control frames may
    it.expect_header()
    it.expect("features")
    assert it.pongs == [b"between"]


def test_many_messages_in_one_write(ws, person):
    web = logged_in(ws, person)
    web.online()
    web.send_bytes(b"".join(frame("<message xmlns='jabber:client' to='%s' id='m%d'><body>%d</body></message>" % (web.jid, i, i))
                            for i in range(500)))
    for i in range(500):
        assert web.expect("message").get("id") == "m%d" % i


def test_a_ping_is_answered(ws):
    it = ws()
    it.send_bytes(frame("are you there", PING))
    it.begin()
    assert it.pongs == [b"are you there"]


# -- bad messages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'>",
    "<open to='im.example' version='1.0'/>",
    "<message xmlns='jabber:client' to='a@im.example'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
    "", " ", "hello", "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'><!-- --></open>",
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/><open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
])
def test_bad_beginnings(ws, first):
    it = ws()
    it.send(first)
    it.expect("error", where=lambda el: namespace(el) == NS_STREAM)
    it.expect_end()


@pytest.mark.parametrize("message, condition", [
    ("<open xmlns='%s' to='im.example' version='1.0'/>" % NS_FRAMING, "bad-format"),
    ("<message xmlns='jabber:client'/><message xmlns='jabber:client'/>", "not-well-formed"),
    ("<message to='a@im.example'><body>no namespace</body></message>", "invalid-namespace"),
    ("<message xmlns='jabber:client'><body>", "not-well-formed"),
    ("</message>", "not-well-formed"),
    ("<message xmlns='jabber:server'/>", "invalid-namespace"),
])
def test_bad_messages_of_a_session(ws, person, message, condition):
    web = logged_in(ws, person)
    web.send_bytes(frame(message))
    web.expect_stream_error(condition)


def test_a_stanza_just_over_the_limit(ws, person):
    web = logged_in(ws, person)
    web.send_bytes(frame("<message xmlns='jabber:client'><body>%s</body></message>" % ("x" * 262144)))
    web.expect_stream_error("policy-violation")
    assert web.code == 1009


def test_a_new_login_for_the_resource_ends_the_old_one(ws, person):
    romeo = person("romeo")
    old = ws().login(romeo.user, romeo.password, "web")
    ws().login(romeo.user, romeo.password, "web")
    old.expect_stream_error("conflict")
