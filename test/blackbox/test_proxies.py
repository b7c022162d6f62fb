"""Debian's nginx and HAProxy in front, configured as conf/examples says: WebSocket, BOSH, files, host-meta, and whose address counts."""

import json
import socket
import ssl

import pytest

import bosh
from bosh import BoshClient
from client import PATIENCE, Client, tls_context
from front import FROM, Haproxy, Nginx
from http_raw import Http
from server import poll
from upload import files, option, slot, target
from websocket import WsClient, handshake

SPOOF = "203.0.113.9"       # where those who write X-Forwarded-For themselves say they are
SERVER = {"tls": "required", "http": True, "conf": {
    "httpgw.conf": "[listen]\nforwarded_from = %(http)s\nproxy_from = %(proxy)s\n[public]\nport = 443\n" % FROM,
    "c2s.conf": "[listen]\nproxy_from = %(proxy)s\n" % FROM}}


@pytest.fixture(scope="module", autouse=True)
def uploads_at_the_proxy(server):
    with option(server, url="https://{domain}/upload"):
        yield


@pytest.fixture(scope="module", params=[Nginx, Haproxy])
def front(request, server, tmp_path_factory):
    it = request.param(server, tmp_path_factory.mktemp("front"))
    try:
        it.start()
        poll("the proxy to find the gateway", lambda: ready(it))
        yield it
    finally:
        it.stop()
        print(it.said())


def ready(front):
    try:
        return Http(front, tls=True).ask("GET", "/ready").status == 200
    except OSError:
        return False


def logged(server, daemon="httpgw-1"):
    return (server.dir / "log" / (daemon + ".log")).read_text()


def comes_from(server, client, address, daemon="httpgw-1"):
    """What the log says of a client's login."""
    name = client.jid.split("/")[0]
    line = poll("its login in the log", lambda: [x for x in logged(server, daemon).splitlines() if "ev=bound" in x and "jid=%s/" % name in x])[-1]
    assert " ip=%s " % address in line, line


@pytest.fixture
def spoofing(monkeypatch):
    """Each request of a BOSH client says that it is somebody else's."""
    class Connection(bosh.Connection):
        def post(self, body, rid=None, headers=""):
            super().post(body, rid, headers + "X-Forwarded-For: %s\r\n" % SPOOF)
    monkeypatch.setattr(bosh, "Connection", Connection)


# -- through the proxy ------------------------------------------------------------------------------------------------


def test_websocket(server, front, person, connections):
    romeo = person("romeo")
    web = WsClient(front, tls=True)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    web.message(web.jid, "through the proxy")
    web.expect("message", body="through the proxy")
    comes_from(server, web, "127.0.0.1")
    web.end()


def test_bosh_held_and_answered(server, front, person, connections, spoofing):
    romeo = person("romeo")
    web = BoshClient(front, tls=True)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    for n in range(5):      # each while a request is held
        web.message(web.jid, "through the proxy %d" % n)
        web.expect("message", body="through the proxy %d" % n)
    comes_from(server, web, "127.0.0.1")
    assert SPOOF not in logged(server)
    web.end()


def test_a_websocket_whose_client_says_where_it_is(server, front, connections):
    sock = tls_context().wrap_socket(socket.create_connection((front.host, front.port("https")), PATIENCE), server_hostname=server.domain)
    connections.append(Cut(sock))
    before = len(logged(server))
    assert handshake(sock, server.domain, protocol="chat", X_Forwarded_For=SPOOF + ", 198.51.100.1")[0] == 400
    refused = poll("its line in the log", lambda: [x for x in logged(server)[before:].splitlines() if "ev=refused" in x])
    assert " ip=127.0.0.1 " in refused[-1] and SPOOF not in logged(server)


class Cut:
    def __init__(self, sock):
        self.sock = sock

    def cut(self):
        self.sock.close()


def test_a_large_file_passes_without_being_collected(server, front, person):
    """The gateway has its beginning while its end has not been sent."""
    size, sent = 20_000_000, 10_000_000
    data = bytes(range(256)) * (size // 256 + 1)
    put_url, get_url = slot(person("romeo").login("balcony", tls=True), name="long.mp4", size=size, type="video/mp4")
    assert put_url.startswith("https://%s/upload/" % server.domain)
    up = Http(front, tls=True)
    up.head("PUT", target(put_url), {"Content-Type": "video/mp4"}, size)
    up.send(data[:sent])
    poll("the first part of the file", lambda: any(path.stat().st_size > sent // 2 for path in files(server)[0]))
    up.send(data[sent:size])
    assert up.answer().status == 201
    got = Http(front, tls=True).ask("GET", target(get_url))
    assert got.status == 200 and got.body == data[:size]
    part = Http(front, tls=True).ask("GET", target(get_url), {"Range": "bytes=1000000-1000009"})
    assert part.status == 206 and part.body == data[1000000:1000010]


def test_host_meta_names_the_proxys_port(server, front):
    answer = Http(front, tls=True).ask("GET", "/.well-known/host-meta.json")
    links = [link["href"] for link in json.loads(answer.body)["links"]]
    assert "wss://%s/ws" % server.domain in links and "https://%s/http-bind" % server.domain in links


def test_plain_http_is_sent_to_https(server, front):
    answer = Http(front).ask("GET", "/.well-known/host-meta")
    assert answer.status in (301, 302) and answer.headers["location"].startswith("https://")


def test_figures_are_not_for_the_outside(front):
    assert Http(front, tls=True).ask("GET", "/metrics").status == 404


# -- past it -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["http", "https"])
def test_who_is_no_proxy_is_not_believed(server, connections, port):
    """Neither that he is somebody else, nor that his connection is secure."""
    sock = socket.create_connection((server.host, server.port(port)), PATIENCE)
    if port == "https":
        sock = tls_context().wrap_socket(sock, server_hostname=server.domain)
    connections.append(Cut(sock))
    before = len(logged(server))
    status = handshake(sock, server.domain, protocol="xmpp" if port == "http" else "chat", X_Forwarded_For=SPOOF, X_Forwarded_Proto="https")[0]
    assert status == (403 if port == "http" else 400)
    refused = poll("its line in the log", lambda: [x for x in logged(server)[before:].splitlines() if "ev=refused" in x])
    assert " ip=127.0.0.1 " in refused[-1] and SPOOF not in logged(server)


# -- the PROXY protocol of HAProxy ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def haproxy(server, tmp_path_factory):
    it = Haproxy(server, tmp_path_factory.mktemp("haproxy"))
    try:
        it.start()
        poll("the proxy to find the gateway", lambda: ready(it))
        yield it
    finally:
        it.stop()


@pytest.mark.parametrize("direct_tls", [False, True], ids=["STARTTLS", "direct TLS"])
def test_xmpp_clients_behind_haproxy(server, haproxy, person, connections, direct_tls):
    romeo = person("romeo")

    def through():
        try:
            it = Client(haproxy, direct_tls=direct_tls, name=romeo.user)
            connections.append(it)
            return it.login(romeo.user, romeo.password, "tcp", tls=not direct_tls)
        except (OSError, ssl.SSLError):
            return None
    it = poll("the proxy to find c2s", through)
    it.online()
    comes_from(server, it, "127.0.0.1", "c2s-1")


def test_the_gateways_own_tls_behind_haproxy(server, haproxy, person, connections):
    romeo = person("romeo")

    class Tunnel:
        host, domain = haproxy.host, haproxy.domain

        @staticmethod
        def port(name):
            assert name == "https"
            return haproxy.port("web_tls")
    for kind in (WsClient, BoshClient):
        web = kind(Tunnel, tls=True)
        connections.append(web)
        web.login(romeo.user, romeo.password, "web")
        web.online()
        comes_from(server, web, "127.0.0.1")
        web.end()
