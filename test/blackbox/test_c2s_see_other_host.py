"""c2s that sends its clients elsewhere (RFC 6120 4.9.3.19), caps for addresses, and reload without a drop."""

import ssl

import control
from client import NS_STREAMS_ERR, Client, Closed, local, q
from server import poll

SERVER = {"tls": "required", "conf": {"c2s.conf": """
[limits]
pending_per_address = 5
auth_time = 3s
auth_failures = 1
auth_failures_burst = 1
[cluster]
see_other_host = [2001:db8::1]:5222
"""}}


def let_in(connect):
    """A connection that gets an answer, as soon as its address has room for one."""
    def attempt():
        client = connect()
        try:
            client.begin()
            return client
        except (Closed, OSError):
            return None
    return poll("room for another connection", attempt)


def test_connections_of_one_address_are_limited(server, connect):
    """DESIGN 11: the sixth that is not logged in is closed at once; one that ends makes room."""
    held = [let_in(connect) for _ in range(5)]
    sixth = connect()
    sixth.expect_eof()
    assert control.counter(server, "bulkhead_c2s_limit_address") >= 1
    held[0].end()
    assert let_in(connect)


def test_guessing_passwords_is_slowed_down(person):
    """DESIGN 11: after failures from one address even the right password must wait a little; then it is good again."""
    romeo = person("romeo")

    def attempt(password):
        client = romeo.connect()
        try:
            client.begin()
            client.starttls().begin()
            outcome = client.authenticate(romeo.user, password, "PLAIN")
            return local(outcome) if local(outcome) == "success" else local(outcome[0])
        except (Closed, OSError):
            return None
        finally:
            client.cut()
    seen = set()
    poll("an attempt that is not even looked at", lambda: seen.add(attempt("wrong")) or "temporary-auth-failure" in seen)
    assert "not-authorized" in seen and "success" not in seen
    assert poll("the right password to count again", lambda: attempt(romeo.password) == "success")


def test_time_to_log_in_is_limited(connect):
    """DESIGN 11: <connection-timeout/> for who opens a stream and stays."""
    let_in(connect).expect_stream_error("connection-timeout")


def test_certificate_is_exchanged_without_a_drop(server, person):
    """A new certificate is shown to new connections; who is connected stays."""
    romeo = person("romeo").login("balcony")
    shown = romeo.sock.getpeercert(binary_form=True)
    other = server.dir / "other"
    server.run("-d", str(other), "init", "--domain", server.domain)
    for name in ("cert.pem", "key.pem"):
        (server.dir / "tls" / name).write_bytes((other / "tls" / name).read_bytes())
    server.run("reload")

    def exchanged():
        client = Client(server)
        try:
            client.begin()
            client.starttls()
            return client.sock.getpeercert(binary_form=True) != shown
        finally:
            client.cut()
    poll("the new certificate", exchanged)
    assert romeo.ping().get("type") == "result"
    expected = ssl.PEM_cert_to_DER_cert((server.dir / "tls" / "cert.pem").read_text())
    import hashlib
    assert control.status(server)["certificates"][0]["sha256"] == hashlib.sha256(expected).hexdigest()


def test_draining_sends_clients_to_another_host(server, person):
    """RFC 6120 4.9.3.19: the address stands in the element; afterwards the session is gone here."""
    romeo = person("romeo").login("balcony")
    control.ask(server, "drain")
    error = romeo.expect_stream_error("see-other-host")
    assert error.find(q(NS_STREAMS_ERR, "see-other-host")).text == "[2001:db8::1]:5222"
    control.ask(server, "drain off")
    assert person("juliet").login("chamber").ping().get("type") == "result"
