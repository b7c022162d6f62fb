"""Browsers that are none: WebSocket, BOSH and files (groups 36, 37 and 38 of the survey). What single functions do with bad input is also in
test_rfc7395_websocket.py, test_xep0124_bosh.py and test_hostile_upload.py; here all daemons and other users must be as before."""

import contextlib
import hashlib
import random
import socket
import zlib

import pytest

from bosh import NS_BOSH, XBOSH, BoshClient, Connection
from client import PATIENCE, local
from hostile import bystanders, outcome, unaffected     # noqa: F401
from http_raw import Http, ask
from server import poll
from upload import files, get, put, slot, target, uploaded
from websocket import BINARY, CLOSE, NS_FRAMING, PING, TEXT, WsClient, frame, handshake

SERVER = {"domains": ["im.example", "other.example"], "http": True, "conf": {"httpgw.conf": """
[http]
origins = https://chat.example
request_time = 3s
[bosh]
same_address = yes
wait = 5s
[upload]
slowest = 1k
[limits]
pending = 2000
"""}}
pytestmark = pytest.mark.usefixtures("unaffected")


@pytest.fixture
def socket_to(server, connections):
    """A socket to the gateway; source: the address that it comes from."""
    def make(source="127.0.0.1"):
        sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE, source_address=(source, 0))
        connections.append(type("Cut", (), {"cut": lambda self: sock.close()})())
        return sock
    return make


@pytest.fixture
def ws(server, connections):
    def make(who=None, **how):
        it = WsClient(server, **how)
        connections.append(it)
        return it.login(who.user, who.password, "web") if who else it
    return make


@pytest.fixture
def bosh(server, connections):
    def make(who=None, **how):
        it = BoshClient(server, **how)
        connections.append(it)
        return it.login(who.user, who.password, "web") if who else it
    return make


def ended(answer, condition="item-not-found"):
    return answer.get("type") == "terminate" and answer.get("condition") == condition


def all_of(sock):
    """What comes until the end."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while more := sock.recv(65536):
            got += more
    return got


# -- 36: WebSocket --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin, status", [
    (None, 101), ("https://chat.example", 101), ("http://im.example", 101), ("null", 403), ("https://elsewhere.example", 403),
    ("https://chat.example.elsewhere.example", 403), ("https://chat.example:444", 403), ("http://chat.example", 403),
    ("https://elsewhere.example/https://chat.example", 403), ("chat.example", 403), ("https://im.example@elsewhere.example", 403),
    ("https://chat.example, https://elsewhere.example", 403), ("x" * 8000, 403),
], ids=str)
def test_36_an_origin_that_is_none_or_foreign(socket_to, server, origin, status):
    """Programs send none; pages of others may not."""
    assert handshake(socket_to(), server.domain, Origin=origin)[0] == status


@pytest.mark.parametrize("data", [
    frame("<x/>", mask=False), frame("<x/>", length=2 ** 63), frame("<x/>", length=2 ** 63 - 1), frame("<x/>", length=2 ** 64 - 1),
    frame("x" * 126, PING), frame("x" * 126, CLOSE), frame("x" * 70000, PING), frame("x", PING, fin=False),
    frame(b"<x>\xff</x>"), frame(b"<x>\xed\xa0\x80</x>"), frame(b"<x>\xc0\xaf</x>"), frame(b"\xf0\x9f\x98", fin=False) + frame(b"", 0),
    frame("<x/>", BINARY), frame("<x/>", 0), frame("<x/>", 11), frame("<x/>", rsv=1),
    frame("<x", fin=False) + frame("/>", TEXT), frame("<x", fin=False) + frame("/>", BINARY),
], ids=["unmasked", "2^63", "2^63-1", "2^64-1", "ping of 126", "close of 126", "ping of 70000", "ping in fragments", "ff", "surrogate",
        "overlong", "cut short", "binary", "continues nothing", "unknown", "reserved bit", "begun twice", "begun otherwise"])
@pytest.mark.parametrize("when", ["before login", "after"])
def test_36_frames_that_are_none(ws, person, when, data):
    it = ws(person("mallory") if when == "after" else None)
    assert outcome(it, [data]) != "closed", "there is a word for it"


def test_36_one_byte_fragments(ws, person):
    """As many as a message has bytes; control frames between them; of one that does not end no more is kept than of one that does."""
    it = ws(person("mallory")).online()
    text = "<message xmlns='jabber:client' to='%s'><body>%s</body></message>" % (it.jid, "x" * 3000)
    it.send_bytes(b"".join(frame(char, TEXT if i == 0 else 0, fin=i == len(text) - 1) + (frame("", PING) if i % 100 == 0 else b"")
                           for i, char in enumerate(text)))
    assert it.expect("message").get("from") == it.jid
    assert outcome(it, [frame("<message>", fin=False)] + [frame("x" * 8, 0, fin=False) * 1000 for _ in range(100)]) == "policy-violation"


def test_36_empty_fragments_without_end(ws, person):
    """They cost what any bytes cost: reading pauses; nothing grows."""
    it = ws(person("mallory"))
    it.send_bytes(frame("<iq xmlns='jabber:client' type='get' id='1'>", fin=False) + frame("", 0, fin=False) * 100000
                  + frame("<ping xmlns='urn:xmpp:ping'/></iq>", 0))
    assert it.expect("iq", id="1").get("type") == "result"


def test_36_compression_is_not_had(socket_to, server, ws, person):
    """Offered, it is not agreed on; and a bomb that comes all the same is a bad frame, not 64 MiB."""
    status, headers, _ = handshake(socket_to(), server.domain,
                                   Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits; server_no_context_takeover")
    assert status == 101 and "sec-websocket-extensions" not in headers
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(b"<message>" + b" " * (64 << 20)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    it = ws(person("mallory"))
    assert outcome(it, [frame(packed, rsv=4)]) == "bad-format"


@pytest.mark.parametrize("messages, condition", [
    (["<open xmlns='%s' to='im.example' version='1.0'/>" % NS_FRAMING] * 2, "bad-format"),
    (["<open xmlns='%s' to='im.example' version='1.0'/>" % NS_FRAMING, "<message xmlns='jabber:client'/><message xmlns='jabber:client'/>"], None),
    (["<open to='im.example' version='1.0'/>"], "bad-format"),
    (["<open xmlns='jabber:client' to='im.example' version='1.0'/>"], "bad-format"),
    (["<open xmlns='%s' to='im.example' version='1.0'/>" % NS_FRAMING, "<message to='a@im.example'/>"], None),
], ids=["open twice", "two in one", "no namespace", "another namespace", "a stanza of none"])
def test_36_messages_that_are_none(ws, messages, condition):
    it = ws()
    got = outcome(it, [frame(message) for message in messages])
    assert got == condition if condition else got not in ("closed", None)


@pytest.mark.parametrize("message, condition", [
    ("<open xmlns='%s' to='im.example' version='1.0'/>" % NS_FRAMING, "bad-format"),
    ("<message xmlns='jabber:client' to='{0}'/><message xmlns='jabber:client' to='{0}'/>", "not-well-formed"),
    ("<message to='{0}'/>", "invalid-namespace"), ("<message xmlns='jabber:server' to='{0}'/>", "invalid-namespace"),
    ("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'/>", "invalid-namespace"),
], ids=["open again", "two in one", "no namespace", "of servers", "a header"])
def test_36_messages_of_a_session_that_are_none(ws, person, message, condition):
    it = ws(person("mallory"))
    assert outcome(it, [frame(message.format(it.jid))]) in (condition, "not-well-formed", "bad-format", "unsupported-stanza-type")
    it.expect_end()


# -- 37: BOSH -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [lambda rid: rid + 10, lambda rid: rid - 17, lambda rid: -rid, lambda rid: -1, lambda rid: 0,
                                 lambda rid: 2 ** 53, lambda rid: 2 ** 53 - 1, lambda rid: 2 ** 64 + rid, lambda rid: 10 ** 100],
                         ids=["jump", "long ago", "negative", "-1", "0", "2^53", "2^53-1", "2^64 more", "a hundred digits"])
def test_37_rids(bosh, person, how):
    """Out of the window the session ends: XEP-0124 14.2; who finds out the sid can do no more than that."""
    web = bosh(person("mallory"))
    web.drain()
    assert ended(web.replay(how(web.rid)))
    assert ended(web.replay(web.rid + 1))


def test_37_a_replay_says_nothing_twice(bosh, person):
    """XEP-0124 14.3: the same answer; what is in the request is not looked at again, whatever it is."""
    mallory = person("mallory")
    web = bosh(mallory)
    web.online()
    web.drain()
    rid = web.request("<message xmlns='jabber:client' to='%s' id='once'><body>once</body></message>" % web.jid)
    web.expect("message", id="once")
    web.drain()
    for payload in ("<message xmlns='jabber:client' to='%s' id='twice'/>" % web.jid, "<bad/>", ""):
        again = web.replay(rid, payload)
        assert [el.get("id") for el in again if local(el) == "message"] in (["once"], [])
    web.sync()
    web.expect_nothing("message")
    web.ping()


def test_37_guessed_sids(server, bosh, person):
    """A thousand that differ in little from a good one are nobody's, and the good one stays good."""
    web, connection = bosh(person("romeo")), Connection(server, server.domain)
    sid, alphabet = web.sid, "ABCabc012_-"
    for i in range(1000):
        at = random.randrange(len(sid))
        guess = sid[:at] + random.choice([c for c in alphabet if c != sid[at]]) + sid[at + 1:]
        assert ended(connection.ask("<body rid='%d' sid='%s' xmlns='%s'/>" % (web.rid + 1, guess, NS_BOSH)))
    connection.cut()
    web.ping()


def test_37_a_thousand_held_requests(server, bosh, person):
    """A session has as many under way as it was told; a thousand sessions may, each of its own connection."""
    mallory = person("mallory")
    with contextlib.ExitStack() as open_ones:
        def connection():
            it = Connection(server, server.domain)
            open_ones.callback(it.cut)
            return it
        web, many = bosh(mallory), [connection() for _ in range(50)]
        for i, it in enumerate(many):
            it.post(web.body(web.rid + 1 + i))
        with contextlib.suppress(AssertionError):       # the rest is closed
            assert all(it.wait()[0] == 200 for it in many)
        held = [connection() for _ in range(1000)]
        for it in held:
            it.post("<body rid='1' to='im.example' hold='1' wait='60' xmlns='%s' xmpp:version='1.0' %s/>" % (NS_BOSH, XBOSH))
        sids = [it.wait()[2].partition("sid='")[2].partition("'")[0] for it in held]
        assert len(set(sids)) == 1000
        for sid, it in zip(sids, held):
            it.post("<body rid='2' sid='%s' xmlns='%s'/>" % (sid, NS_BOSH))
        late = bosh(person("romeo"))                    # there is room for others
        late.ping()
        late.end()
        end = connection()
        for sid in sids:
            end.ask("<body rid='3' sid='%s' type='terminate' xmlns='%s'/>" % (sid, NS_BOSH))


@pytest.mark.parametrize("key", ["", "x" * 40, "0" * 40, "0" * 39, "twice", "the first one"])
def test_37_wrong_keys(bosh, key):
    """XEP-0124 15.4: it ends; who knows the sid and not the sequence gets nothing."""
    chain = [hashlib.sha1(b"seed").hexdigest()]
    for _ in range(5):
        chain.append(hashlib.sha1(chain[-1].encode()).hexdigest())
    web = bosh(extra="newkey='%s'" % chain[-1])
    web.begin()
    web.drain()
    web.request(attrs="key='%s'" % chain[-2])
    wrong = {"twice": chain[-2], "the first one": chain[-1]}.get(key, key)
    web.request(attrs="key='%s'" % wrong if key else "")
    web.expect_end()
    assert web.terminated["condition"] == "item-not-found"
    assert ended(web.replay(web.rid + 1, attrs="key='%s'" % chain[-3]))


def test_37_a_body_over_the_limit(server, bosh, person):
    """Announced or not, before login and after: it is not read on; the session of it may go on."""
    web = bosh(person("mallory"))
    for body, headers in (("<body xmlns='%s'>%s</body>" % (NS_BOSH, "x" * 20000), ""),
                          (web.body(web.rid + 1, "<message xmlns='jabber:client'><body>%s</body></message>" % ("x" * 300000)), ""),
                          ("", "Content-Length: 9223372036854775808\r\n"), ("", "Content-Length: 99999999999999999999999\r\n")):
        sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
        with contextlib.suppress(ConnectionError):
            sock.sendall(("POST /http-bind HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n" % (headers or "Content-Length: %d\r\n" % len(body))).encode() + body.encode())
        assert all_of(sock).split(b" ")[1:2] in ([b"413"], [b"400"], [])
        sock.close()
    web.ping()


def test_37_chunks_without_end(server):
    """No length is told: what comes is counted."""
    sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
    sock.sendall(b"POST /http-bind HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(10000):
            sock.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
        pytest.fail("it takes ten megabytes of nobody")
    sock.close()


@pytest.mark.parametrize("headers, body", [
    ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    ("Content-Length: 0\r\nContent-Length: 44\r\n", b""), ("Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n"), ("Content-Length: 0,44\r\n", b""),
    ("Content-Length: 0x0\r\n", b""), ("Content-Length: -1\r\n", b""), ("Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\n\r\n"), ("Transfer-Encoding: chunked\r\n", b"-1\r\n\r\n"),
    ("Foo: bar\r\n Content-Length: 0\r\nTransfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
], ids=str)
def test_37_smuggling(server, headers, body):
    """Two ways to see where a request ends: nothing behind it is answered, so nothing can be put between a proxy's requests."""
    sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
    behind = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    sock.sendall(("POST /http-bind HTTP/1.1\r\nHost: x\r\n%s\r\n" % headers).encode("latin-1") + body + behind)
    with contextlib.suppress(TimeoutError):
        assert b"ok\n" not in all_of(sock)
    sock.close()


def test_37_pipelined_requests(server, bosh, person):
    """What is sent behind a held request waits for its turn, and each has its own answer."""
    web = bosh(person("mallory"))
    web.drain()
    sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
    bodies = [web.body(web.rid + 1, "<iq xmlns='jabber:client' type='get' id='p%d' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>" % 1),
              "<body rid='5' sid='nobody' xmlns='%s'/>" % NS_BOSH, "<body rid='1' to='im.example' wait='0' xmlns='%s'/>" % NS_BOSH]
    sock.sendall("".join("POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in bodies).encode()
                 + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    got = all_of(sock)
    at = [got.find(word) for word in (b"id='p1'", b"item-not-found", b" sid='", b"\r\n\r\nok\n")]
    assert -1 not in at and at == sorted(at) and got.count(b"HTTP/1.1 200 ") == 4
    sock.close()


@pytest.mark.parametrize("to", ["other.example", "nobody.example", "im.example/x", "", "a@im.example"])
def test_37_a_foreign_to(server, bosh, person, to):
    """Of a creation, and of a restart after the login at one domain: the login does not count at another."""
    answer = Connection(server, server.domain).ask("<body rid='1' to='%s' wait='0' xmlns='%s' xmpp:version='1.0' %s/>" % (to, NS_BOSH, XBOSH))
    assert answer.get("sid") if to == "other.example" else answer.get("type") == "terminate"
    mallory = person("mallory")
    web = bosh()
    web.begin()
    assert local(web.authenticate(mallory.user, mallory.password)) == "success"
    web.request(attrs="to='%s' xmpp:restart='true' %s" % (to, XBOSH))
    web.expect_end()
    assert web.terminated["condition"] in ("remote-stream-error", "host-unknown", "improper-addressing")


def test_37_a_stolen_sid_from_elsewhere(server, bosh, person, socket_to):
    """[bosh] same_address: whoever else has sid and rid is told that there is no such session, and harms it in no way."""
    web = bosh(person("romeo"))
    web.drain()
    for source in ("127.0.0.2", "127.1.2.3"):
        for body in (web.body(web.rid + 1, "<message xmlns='jabber:client' to='%s'><body>stolen</body></message>" % web.jid),
                     web.body(web.rid + 1, attrs="type='terminate'"), web.body(web.rid + 100), "<body sid='%s' xmlns='%s'>" % (web.sid, NS_BOSH)):
            sock = socket_to(source)
            sock.sendall(("POST /http-bind HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
            got = all_of(sock)
            assert b"type='terminate'" in got and b"stolen" not in got
    web.online()
    web.expect_nothing("message")
    web.end()


# -- 38: files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(person):
    return person("romeo").login("balcony")


@pytest.mark.parametrize("way", ["../httpgw.conf", "%2e%2e/httpgw.conf", "%2e%2e%2fhttpgw.conf", "..%00/httpgw.conf", "%00", "....//httpgw.conf",
                                 "%252e%252e%252fhttpgw.conf", "..\\httpgw.conf", "%c0%ae%c0%ae/httpgw.conf", "tmp", ""])
def test_38_traversal(server, client, way):
    put_url, _ = slot(client, size=5)
    query = "?" + put_url.partition("?")[2]
    before = sorted(files(server)[1])
    for method, body in ("GET", None), ("HEAD", None), ("PUT", b"abcde"):
        for target_ in "/upload/" + way, "/upload/" + way + query:
            answer = ask(server, method, target_, {"Content-Type": "image/jpeg"}, body)
            assert answer is None or (answer.status in (400, 403, 404, 405) and b"secret" not in answer.body)
    assert sorted(files(server)[1]) == before


def test_38_a_slot_again_and_another_ones(server, client, person):
    """It is good once; of its signature nothing else is; another user's is his."""
    (first, url), (second, _) = slot(client, size=5), slot(person("juliet").login("chamber"), size=5)
    assert put(server, first, b"abcde").status == 201
    assert put(server, first, b"fghij").status in (403, 409)
    assert get(server, url).body == b"abcde"
    mixed = first.partition("?")[0] + "?" + second.partition("?")[2]
    assert put(server, mixed, b"fghij").status == 403
    assert put(server, second, b"fghij").status == 201


@pytest.mark.parametrize("body", [b"", b"abcd", b"abcdef", b"x" * 100000])
def test_38_another_size(server, client, body):
    """Nothing is left of it, and the slot is still good for what was asked for."""
    put_url, get_url = slot(client, size=5)
    answer = put(server, put_url, body)
    assert answer is None or answer.status in (400, 403, 413)
    assert get(server, get_url).status == 404
    assert put(server, put_url, b"abcde").status == 201


@pytest.mark.parametrize("type", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "x/y; charset=utf-7"])
def test_38_what_a_browser_would_run(server, client, type):
    url = uploaded(server, client, b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", name="x.svg", type=type)
    h = get(server, url).headers
    assert h["x-content-type-options"] == "nosniff" and h["content-disposition"].startswith("attachment")
    assert "default-src 'none'" in h["content-security-policy"] and h["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("header", [
    "bytes=" + ",".join("%d-" % i for i in range(1000)), "bytes=0-,0-,0-,0-", "bytes=-", "bytes=9223372036854775808-", "bytes=-99999999999999999999",
    "bytes=5-1", "bytes=0-18446744073709551616", "bytes=0x0-0x4", "lines=0-4", "bytes=0-4;q=1", "bytes = 0-4", "bytes=" + "0" * 7000 + "-1",
], ids=lambda h: h[:30])
def test_38_ranges(server, client, header):
    """CVE-2011-3192 and its like: never more than the file is."""
    url = uploaded(server, client, b"x" * 1000)
    answer = get(server, url, Range=header)
    assert answer.status in (200, 206, 400, 416) and len(answer.body) <= 1000


def test_38_a_slow_put(server, client):
    """Slower than [upload] slowest: it is cut, leaves nothing, and keeps nobody else from putting meanwhile."""
    put_url, get_url = slot(client, size=3000)
    other, _ = slot(client, size=5)
    with Http(server) as one:
        one.head("PUT", target(put_url), {"Content-Type": "image/jpeg"}, 3000)
        poll("it to be begun", lambda: files(server)[0])
        assert put(server, other, b"abcde").status == 201
        poll("it to be cut", lambda: not files(server)[0])
    assert get(server, get_url).status == 404
