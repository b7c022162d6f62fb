"""What guards c2s: keep-alive, rates, the PROXY protocol, draining (DESIGN 11; XEP-0199, XEP-0478)."""

import os
import signal
import socket

import pytest

import control
from client import NS_PING, NS_STREAM, PATIENCE, Client, body_of, local, namespace, q
from server import poll

PROXY = "127.0.0.2"
SERVER = {"conf": {"c2s.conf": """
[limits]
pending = 10
byte_rate = 200k
byte_burst = 50k
stanza_rate = 100
stanza_burst = 100
[keepalive]
interval = 1s
kind = xmpp
timeout = 3s
[listen]
proxy_from = 127.0.0.2
"""}}


def through(server, source, port="c2s"):
    """A connection from another address of this host."""
    client = Client.__new__(Client)
    client.name, client.server_name = source, server.domain
    client.features = client.jid = client.bare = client.stream_to = None
    client.sock = socket.create_connection(("127.0.0.1", server.port(port)), timeout=PATIENCE, source_address=(source, 0))
    client.reset()
    return client


# -- keep-alive ----------------------------------------------------------------------------------------------------

def test_silent_client_is_asked_whether_it_lives(person):
    """XEP-0199 4.1: a ping from the server; its answer is nobody else's business, and the session lives on."""
    romeo = person("romeo").login("balcony")
    for _ in range(2):
        ping = romeo.expect("iq", type="get", from_=romeo.server_name, to=romeo.jid)
        assert ping.find(q(NS_PING, "ping")) is not None
        romeo.send("<iq type='result' id='%s' to='%s'/>" % (ping.get("id"), romeo.server_name))
    romeo.expect_nothing("iq", type="error")


def test_client_that_does_not_answer_is_given_up(people):
    """RFC 6120 4.9.3.4; the contact that stays online learns of it by presence."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")
    his.expect("iq", type="get", where=lambda el: el.find(q(NS_PING, "ping")) is not None)
    his.expect_stream_error("connection-timeout")


def test_limits_are_advertised(person):
    """XEP-0478 3: after login those that hold then."""
    romeo = person("romeo").login("balcony")
    limits = romeo.features.find(q("urn:xmpp:stream-limits:0", "limits"))
    assert limits.find(q("urn:xmpp:stream-limits:0", "max-bytes")).text == str(256 * 1024)
    assert limits.find(q("urn:xmpp:stream-limits:0", "idle-seconds")).text == "1"


# -- rates ---------------------------------------------------------------------------------------------------------

def test_client_over_its_rate_is_slowed_down_and_loses_nothing(server, person):
    """DESIGN 11: over the rate reads pause, nothing is dropped; and it is counted."""
    romeo = person("romeo").login("balcony")
    before = control.counter(server, "bulkhead_c2s_limit_rate")
    for n in range(100):
        romeo.message(romeo.jid, "%d %s" % (n, "x" * 3000))
    got = [int(body_of(romeo.expect("message")).split()[0]) for _ in range(100)]
    assert got == list(range(100))
    assert control.counter(server, "bulkhead_c2s_limit_rate") > before


def test_client_that_is_not_read_is_not_called_silent(server, person):
    """RFC 6120 4.9.3.4 is for those who say nothing: one whose input waits for its rate has answered, we have not read it."""
    romeo = person("romeo").login("balcony")
    romeo.send("<iq type='result' id='x'/>" * 800)  # seven seconds of its rate: longer than silence is borne
    assert romeo.ping().get("type") == "result"


# -- admission -----------------------------------------------------------------------------------------------------

def test_logins_over_the_number_wait_their_turn(server, person):
    """A storm after a restart: ten at a time are taken up, the others wait in the kernel; every one gets in."""
    romeo = person("romeo")
    clients = [romeo.connect() for _ in range(40)]
    for client in clients:
        client.send("<stream:stream xmlns='jabber:client' xmlns:stream='%s' to='im.example' version='1.0'>" % NS_STREAM)
    assert poll("ten of them", lambda: control.status(server)["pending"] == 10)
    for client in clients:
        client.expect_header()
        client.expect("features")
        assert local(client.authenticate(romeo.user, romeo.password)) == "success"
        client.begin()
        assert client.bind().get("type") == "result"
        client.end()
    assert control.counter(server, "bulkhead_c2s_limit_pending") >= 1


# -- PROXY ---------------------------------------------------------------------------------------------------------

def test_address_in_a_proxy_header_counts(server, connections):
    """A client from elsewhere must use TLS even in a test installation; the proxy's own address is the host itself."""
    for header, trusted in ((b"PROXY TCP4 203.0.113.5 127.0.0.1 4000 5222\r\n", False),
                            (b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 5222\r\n", True),
                            (b"PROXY UNKNOWN\r\n", True)):
        client = through(server, PROXY)
        connections.append(client)
        client.sock.sendall(header)
        client.begin()
        assert bool(client.mechanisms()) == trusted, header


def test_proxy_header_of_version_2(server, connections):
    client = through(server, PROXY)
    connections.append(client)
    addresses = socket.inet_aton("203.0.113.5") + socket.inet_aton("127.0.0.1") + bytes([15, 160, 20, 102])
    client.sock.sendall(b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11, 0, len(addresses)]) + addresses)
    client.begin()
    assert not client.mechanisms()


def test_proxy_must_say_who_it_speaks_for(server, connections):
    client = through(server, PROXY)
    connections.append(client)
    client.send("<stream:stream xmlns='jabber:client' xmlns:stream='%s' to='im.example' version='1.0'>" % NS_STREAM)
    client.expect_eof()


def test_nobody_else_is_believed(server, connections):
    """From another address the header is just bytes that are not XML."""
    client = through(server, "127.0.0.3")
    connections.append(client)
    client.sock.sendall(b"PROXY TCP4 203.0.113.5 127.0.0.1 4000 5222\r\n")
    client.expect_stream_error(("not-well-formed", "bad-format"))


# -- what is told --------------------------------------------------------------------------------------------------

def test_status_counts_sessions_and_shows_the_certificate(server, person):
    romeo = person("romeo").login("balcony")
    told = control.status(server)
    assert told["sessions"] >= 1 and told["domains"] == ["im.example"] and told["accepting"]
    assert any(link for link in told["links"])
    cert, = told["certificates"]
    assert cert["days_left"] > 3000 and len(cert["sha256"]) == 64
    romeo.end()
    poll("the session to be gone", lambda: control.status(server)["clients"]["bound"] < told["clients"]["bound"])


def test_a_certificate_that_cannot_be_read_is_told_and_the_old_one_stays(server, person):
    """`bulkheadctl reload` says so and fails; whoever is there stays, whoever comes is served as before."""
    romeo = person("romeo").login("balcony")
    path = server.dir / "tls" / "cert.pem"
    good = path.read_bytes()
    path.write_bytes(b"no certificate")
    try:
        done = server.run("reload", check=False)
        assert done.returncode == 1 and "c2s-1" in done.stderr and "cert.pem" in done.stderr
        romeo.sync()
        person("juliet").login("garden", direct_tls=True).sync()
    finally:
        path.write_bytes(good)
    server.run("reload")


# -- leaving -------------------------------------------------------------------------------------------------------

def test_draining_lets_nobody_in_and_nobody_down(server, person, connections):
    """Who calls is refused, and tries another host; who is in stays."""
    romeo = person("romeo").login("balcony")
    control.ask(server, "drain")
    romeo.sync()
    assert not control.status(server)["accepting"]
    for port in ("c2s", "c2s_tls"):
        with pytest.raises(ConnectionRefusedError):
            through(server, "127.0.0.4", port)
    control.ask(server, "drain off")
    late = through(server, "127.0.0.4")
    connections.append(late)
    late.send("<stream:stream xmlns='jabber:client' xmlns:stream='%s' to='im.example' version='1.0'>" % NS_STREAM)
    assert late.expect("features") is not None
    romeo.sync()


def test_stopping_ends_every_stream_in_order(server, person, connections):
    """RFC 6120 4.9.3.20; also that of a client which has not logged in yet, and of one in its TLS handshake."""
    romeo = person("romeo").login("balcony")
    new, silent = through(server, "127.0.0.4"), through(server, "127.0.0.5", "c2s_tls")
    connections.extend((new, silent))
    new.begin()
    pid, = [pid for pid, name in server.daemons().items() if "c2s" in name]
    os.kill(pid, signal.SIGTERM)
    romeo.expect_stream_error("system-shutdown")
    new.expect_stream_error("system-shutdown")
    silent.expect_eof()
    poll("another c2s", lambda: any("c2s" in name for other, name in server.daemons().items() if other != pid))
    server.pids = server.daemons()
    poll("a login", server.answers)
