"""The HTTP gateway as an HTTP server: health, host-meta, certificates, proxies in front, limits, and its end."""

import contextlib
import json
import socket
import ssl
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

import server as servers
from bosh import NS_BOSH, BoshClient, Connection
from client import PATIENCE, local, q, tls_context
from websocket import WsClient, handshake

PROXY = b"PROXY TCP4 203.0.113.%d 192.0.2.1 1000 5280\r\n"


class Gateways(servers.Server):
    """A second domain with a certificate of its own, further ports, and what proxies may do."""

    def init(self):
        super().init()
        for name in self.domains:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                            "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout", self.dir / (name + ".key"),
                            "-out", self.dir / (name + ".pem")], check=True, capture_output=True)
        with open(self.dir / "httpgw.conf", "a") as conf:
            conf.write("\n[listen]\nmore = %d, tls:%d\nforwarded_from = 127.0.0.1\nproxy_from = 127.0.0.2\nproxy_time = 1s\n[http]\nrequest_time = 2s\n"
                       "origins = https://chat.example\n[public]\nhost = gw1.example\n[bosh]\n"
                       "gateways = https://gw2.example:5281/http-bind\nsend_node_hostname = yes\n"
                       "[certificate b.example]\ncert = b.example.pem\nkey = b.example.key\n" % (
                           self.port("http") + 10, self.port("http") + 11))


@pytest.fixture(scope="module")
def server():
    with servers.running(Gateways(domains=("a.example", "b.example"), http=True)) as it:
        yield it


@pytest.fixture
def raw(server, connections):
    """A socket, and what comes on it until it ends or `enough` is in it."""
    class Raw:
        def __init__(self, port="http", offset=0, tls=None, proxy=None):
            """proxy: what a proxy in front says first."""
            self.sock = socket.create_connection((server.host, server.port(port) + offset), timeout=PATIENCE,
                                                 source_address=("127.0.0.2", 0) if proxy is not None else None)
            with contextlib.suppress(ConnectionError):      # it may have ended by then
                for byte in proxy or b"":
                    self.sock.sendall(bytes([byte]))
            if tls:
                self.sock = tls_context().wrap_socket(self.sock, server_hostname=tls)

        def cut(self):
            self.sock.close()

        def send(self, text):
            self.sock.sendall(text.encode() if isinstance(text, str) else text)
            return self

        def read(self, enough=None):
            got = b""
            while enough is None or enough not in got:
                try:
                    more = self.sock.recv(65536)
                except ConnectionError:
                    break
                if not more:
                    break
                got += more
            return got.decode(errors="replace")

    def make(*args, **how):
        it = Raw(*args, **how)
        connections.append(it)
        return it
    return make


def get(raw, path, host="a.example", headers="", method="GET", **how):
    """(status, headers, body); the connection ends with it."""
    text = raw(**how).send("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n" % (method, path, host, headers)).read()
    head, _, body = text.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}, body


# -- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"port": "https", "tls": "a.example"}, {"offset": 10}, {"port": "http", "offset": 11, "tls": "b.example"}])
def test_health_and_ready_on_each_port(raw, how):
    assert get(raw, "/health", **how)[::2] == (200, "ok\n")
    assert get(raw, "/ready", **how)[::2] == (200, "ready\n")


def test_several_requests_on_one_connection(raw):
    it = raw()
    for _ in range(5):
        it.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert " 200 " in it.read(b"ok\n")
    it.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
    assert it.read(b"ready\n").count("HTTP/1.1 200 ") == 2


@pytest.mark.parametrize("path, status", [
    ("/", 404), ("/nothing", 404), ("/health/", 404), ("/%68ealth", 404), ("/../health", 404), ("/..%2fhealth", 404),
    ("//health", 404), ("/health?x=y", 200), ("/health%00", 404), ("http://elsewhere.example/health", 404),
])
def test_paths(raw, path, status):
    assert get(raw, path)[0] == status


def test_other_methods(raw):
    status, headers, _ = get(raw, "/health", method="DELETE")
    assert status == 405 and headers["allow"] == "GET, HEAD"
    assert get(raw, "/health", method="BREW")[0] == 405


@pytest.mark.parametrize("domain", ["a.example", "b.example"])
def test_host_meta(server, raw, domain):
    status, headers, body = get(raw, "/.well-known/host-meta", domain)
    assert status == 200 and headers["content-type"].startswith("application/xrd+xml")
    links = {el.get("rel"): el.get("href") for el in ET.fromstring(body)}
    port = server.port("https")
    assert links == {"urn:xmpp:alt-connections:websocket": "wss://gw1.example:%d/ws" % port,
                     "urn:xmpp:alt-connections:xbosh": "https://gw1.example:%d/http-bind" % port}
    status, headers, body = get(raw, "/.well-known/host-meta.json", domain.upper() + ":5280")
    assert status == 200 and headers["content-type"] == "application/json"
    assert {link["rel"]: link["href"] for link in json.loads(body)["links"]} == links and "xmpp" not in json.loads(body)


def test_host_meta_of_nobody(raw):
    assert get(raw, "/.well-known/host-meta", "c.example")[0] == 404
    assert get(raw, "/.well-known/host-meta.json", "../a.example")[0] == 404


def test_host_meta_by_xep0487(server, raw):
    path = server.dir / "httpgw.conf"
    text = path.read_text()
    try:
        path.write_text(text + "\n[public]\nips = 192.0.2.1, 2001:db8::1\nttl = 10m\nwebsocket_url = wss://{domain}/chat\n")
        server.run("reload")
        servers.poll("the new configuration", lambda: '"xmpp"' in get(raw, "/.well-known/host-meta.json")[2])
        _, headers, body = get(raw, "/.well-known/host-meta.json")
        meta = json.loads(body)
        assert meta["xmpp"] == {"ttl": 600} and headers["cache-control"] == "public, max-age=600"
        link = [it for it in meta["links"] if it["rel"].endswith(":websocket")][0]
        assert link == {"rel": "urn:xmpp:alt-connections:websocket", "href": "wss://a.example/chat", "ips": ["192.0.2.1", "2001:db8::1"],
                        "priority": 10, "weight": 50, "sni": "gw1.example"}
    finally:
        path.write_text(text)
        server.run("reload")
    servers.poll("the old configuration", lambda: '"xmpp"' not in get(raw, "/.well-known/host-meta.json")[2])


# -- TLS ----------------------------------------------------------------------------------------------------------


def subject(server, name):
    context = tls_context()
    with context.wrap_socket(socket.create_connection((server.host, server.port("https")), timeout=PATIENCE), server_hostname=name) as sock:
        return sock.getpeercert(True)


def der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_certificates_by_name_and_reload(server):
    assert subject(server, "b.example") == der(server.dir / "b.example.pem")
    assert subject(server, "a.example") == der(server.dir / "tls/cert.pem")
    assert subject(server, "c.example") == der(server.dir / "tls/cert.pem")
    old = (server.dir / "tls/cert.pem").read_text(), (server.dir / "tls/key.pem").read_text()
    try:
        (server.dir / "tls/cert.pem").write_text((server.dir / "a.example.pem").read_text())
        (server.dir / "tls/key.pem").write_text((server.dir / "a.example.key").read_text())
        server.run("reload")
        servers.poll("the new certificate", lambda: subject(server, "a.example") == der(server.dir / "a.example.pem"))
    finally:
        (server.dir / "tls/cert.pem").write_text(old[0])
        (server.dir / "tls/key.pem").write_text(old[1])
        server.run("reload")


def test_plain_http_on_the_tls_port(raw):
    assert "200" not in raw("https").send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").read()


# -- origins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin, status", [
    (None, 101), ("https://chat.example", 101), ("https://a.example", 101), ("https://evil.example", 403), ("null", 403),
    ("https://chat.example.evil.example", 403), ("http://chat.example", 403),
])
def test_origins_of_websockets(raw, origin, status):
    assert handshake(raw("https", tls="a.example").sock, "a.example", Origin=origin)[0] == status


def test_origins_by_cors(raw):
    for origin, allowed in (("https://chat.example", True), ("https://evil.example", False)):
        _, headers, _ = get(raw, "/.well-known/host-meta.json", headers="Origin: %s\r\n" % origin)
        assert headers.get("access-control-allow-origin") == (origin if allowed else None)
        status, headers, _ = get(raw, "/http-bind", method="OPTIONS", headers="Origin: %s\r\n" % origin)
        assert status == 204 and headers.get("access-control-allow-origin") == (origin if allowed else None)


# -- proxies in front ---------------------------------------------------------------------------------------------


def test_a_trusted_proxy_names_the_client(server, raw):
    """127.0.0.1 is one here; without X-Forwarded-Proto: https its clients are not secure."""
    plain = handshake(raw().sock, "a.example", X_Forwarded_For="198.51.100.7")
    secure = handshake(raw().sock, "a.example", X_Forwarded_For="1.2.3.4, 198.51.100.7", X_Forwarded_Proto="https")
    assert (plain[0], secure[0]) == (403, 101)
    log = server.dir / "log" / "httpgw-1.log"
    servers.poll("its line in the log", lambda: "ip=198.51.100.7" in log.read_text())
    assert "ip=1.2.3.4" not in log.read_text()


def test_a_proxys_tls_is_not_the_clients(server, connections):
    """forwarded_from: what binds a login would be the channel between the proxy and us."""
    it = WsClient(server, domain="a.example", tls=True)
    connections.append(it)
    it.begin()
    assert it.mechanisms() and not [name for name in it.mechanisms() if name.endswith("-PLUS")]


@pytest.mark.parametrize("number, how, status", [(1, {}, 403), (2, {"port": "https", "tls": "a.example"}, 101)])
def test_the_proxy_protocol(server, raw, number, how, status):
    it = raw(proxy=PROXY % number, **how)
    assert handshake(it.sock, "a.example")[0] == status
    it.cut()
    log = server.dir / "log" / "httpgw-1.log"
    servers.poll("its line in the log", lambda: "ip=203.0.113.%d" % number in log.read_text())


@pytest.mark.parametrize("port", ["http", "https"])
@pytest.mark.parametrize("proxy", [b"", b"PROXY TCP4 203.0", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_proxy_without_its_header_is_closed(raw, port, proxy):
    assert raw(port=port, proxy=proxy).read() == ""


def test_bosh_needs_tls_too(raw, server, connections):
    it = Connection(server, "a.example")
    connections.append(it)
    body = "<body rid='7' xmlns='%s' to='a.example' wait='0'/>" % NS_BOSH
    assert it.ask(body).get("condition") == "policy-violation"
    assert it.ask(body, headers="X-Forwarded-Proto: https\r\n").get("sid")


# -- several gateways -----------------------------------------------------------------------------------------------


def test_a_session_of_another_gateway(server, connections):
    it = Connection(server, "a.example", tls=True)
    connections.append(it)
    created = it.ask("<body rid='7' xmlns='%s' to='a.example' wait='0'/>" % NS_BOSH)
    assert created.get("host") == "gw1.example" and created.get("sid").endswith("@gw1.example")
    other = it.ask("<body rid='8' sid='abc@gw2.example' xmlns='%s'/>" % NS_BOSH)
    assert other.get("condition") == "see-other-uri" and other[0].text == "https://gw2.example:5281/http-bind"
    for sid in ("abc@gw3.example", "abc@gw1.example", "abc"):
        assert it.ask("<body rid='8' sid='%s' xmlns='%s'/>" % (sid, NS_BOSH)).get("condition") == "item-not-found"


# -- what does not end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "GET /health HTT", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                                  "POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<body"])
def test_a_request_that_does_not_end_is_ended(raw, text):
    assert " 200 " not in raw().send(text).read()


def test_a_handshake_that_does_not_end_is_ended(raw):
    assert raw("https").send(b"\x16\x03\x01\x02\x00\x01").read() == ""


@pytest.mark.parametrize("text", [
    "GET /health HTTP/1.1\r\nHost: x\r\n" + "".join("X-%d: %s\r\n" % (i, "y" * 100) for i in range(1000)) + "\r\n",
    "GET /health HTTP/1.1\r\nHost: x\r\nX: " + "y" * 100000 + "\r\n\r\n",
    "GET /" + "x" * 100000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /health HTTP/1.1\r\n\r\n", "\x16\x03\x01", "GET\r\n\r\n", "GET /health HTTP/1.1\r\nHost : x\r\nHost: y\r\n\r\n",
    "GET /health\tHTTP/1.1\r\nHost: x\r\n\r\n",
])
def test_header_bombs_and_other_nonsense(raw, text):
    try:
        got = raw().send(text).read()
    except ConnectionError:
        got = ""
    assert " 200 " not in got
    assert get(raw, "/health")[0] == 200


@pytest.mark.parametrize("name, size, fits", [("X-Long", 7500, True), ("Cookie", 3500, True), ("X-Long", 17000, False), ("Cookie", 9000, False)])
def test_a_header_is_as_long_as_header_size_says(raw, name, size, fits):
    """8k; a cookie counts twice."""
    got = raw().send("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: %s\r\n\r\n" % (name, "x" * size)).read()
    assert (" 200 " in got) == fits and (fits or " 431 " in got or not got)


# -- other daemons come and go --------------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", ["sessman", "router"])
@pytest.mark.parametrize("kind", [WsClient, BoshClient])
def test_sessions_stay_over_the_restart_of(server, person, connections, kind, daemon):
    romeo = person("romeo", "a.example")
    web = kind(server, domain="a.example", tls=True)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    server.replace_daemon(daemon)
    web.message(web.jid, "still here")
    web.expect("message", body="still here")


@pytest.mark.parametrize("kind", [WsClient, BoshClient])
def test_a_restart_of_the_gateway_loses_nothing_that_can_be_resumed(server, person, connections, raw, kind):
    romeo, juliet = person("romeo", "a.example"), person("juliet", "a.example")
    web, his = kind(server, domain="a.example", tls=True), juliet.login("tcp", tls=False)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    previd = web.expect("enabled").get("id")
    web.online()
    server.replace_daemon("httpgw")
    his.message(web.jid, "meanwhile")
    his.sync()
    servers.poll("the new gateway", lambda: answers(raw))
    again = kind(server, domain="a.example", tls=True)
    connections.append(again)
    again.begin()
    assert local(again.authenticate(romeo.user, romeo.password)) == "success"
    again.begin()
    again.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % previd)
    again.expect("resumed")
    again.expect("message", body="meanwhile")
    server.pids = server.daemons()


def gateways(server):
    return {pid for pid, name in server.daemons().items() if "httpgw" in name}


def answers(raw):
    try:
        return get(raw, "/ready")[0] == 200
    except (OSError, IndexError):
        return False


def test_a_stop_tells_the_clients(server, person, connections, raw):
    romeo = person("romeo", "a.example")
    ws, bosh = WsClient(server, domain="a.example", tls=True), BoshClient(server, domain="a.example", tls=True)
    connections += [ws, bosh]
    for it in (ws, bosh):
        it.login(romeo.user, romeo.password, it.name)
    bosh.request()
    bosh.send("<presence type='unavailable' to='nobody@a.example/none'/>")
    while len(bosh.held()) == 2:        # the first is answered when the second comes, and that is held then (XEP-0124 12)
        assert bosh.step(time.monotonic() + PATIENCE)
    old = gateways(server)
    server.run("restart", "httpgw")
    ws.expect_stream_error("system-shutdown")
    assert ws.code == 1001
    while not bosh.eof:     # by the request that is held, and by no other
        assert bosh.held() and bosh.step(time.monotonic() + PATIENCE)
    assert bosh.terminated["condition"] == "remote-stream-error"
    servers.poll("the new gateway", lambda: gateways(server) - old and not gateways(server) & old and answers(raw))
    server.pids = server.daemons()


def test_the_library_is_silent_of_sockets(server, raw):
    """Under TLS it sees no TCP socket, and would say so for each answer."""
    for _ in range(3):
        assert get(raw, "/health", port="https", tls="a.example")[0] == 200
    told = (server.dir / "log/httpgw-1.log").read_text()
    assert "TCP_" not in told and "Failed to push" not in told


def test_draining_takes_no_new_sessions(server, raw, connections):
    server.run("tell", "httpgw-1", "drain")
    try:
        assert handshake(raw("https", tls="a.example").sock, "a.example")[0] == 503
        assert get(raw, "/ready")[0] == 503 and get(raw, "/health")[0] == 200
        it = Connection(server, "a.example", tls=True)
        connections.append(it)
        assert it.ask("<body rid='7' xmlns='%s' to='a.example'/>" % NS_BOSH).get("condition") == "remote-connection-failed"
    finally:
        server.run("tell", "httpgw-1", "drain", "off")
    assert get(raw, "/ready")[0] == 200


def test_metrics_and_status(server, raw):
    get(raw, "/health")
    text = server.run("tell", "httpgw-1", "metrics").stdout
    assert "bulkhead_httpgw_http_requests" in text and "bulkhead_httpgw_ws_opened" in text
