"""At the edge of TLS: what comes before it, around it and in its name (groups 11 and 12 of the survey)."""

import socket
import ssl

import pytest
from OpenSSL import SSL

import sasl
from client import NS_SASL, NS_TLS, PATIENCE, Closed, local, tls_context
from hostile import bystanders, unaffected     # noqa: F401

SERVER = {"domains": ["im.example", "other.example"], "tls": "required"}
pytestmark = pytest.mark.usefixtures("unaffected")
STARTTLS = "<starttls xmlns='%s'/>" % NS_TLS


# -- 11 ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("behind", ["<auth xmlns='%s' mechanism='PLAIN'>{}</auth>" % NS_SASL, "<message/>", "<", "</stream:stream>",
                                    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='im.example' version='1.0' "
                                    "xmlns:stream='http://etherx.jabber.org/streams'>", "\n\n\n", STARTTLS],
                         ids=["auth", "stanza", "half a tag", "end tag", "header", "white space", "starttls"])
def test_11_bytes_behind_starttls_in_one_segment(person, behind):
    """RFC 6120 5.4.3.3: what was read before TLS is not taken as said under it."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.send(STARTTLS + behind.format(sasl.encode(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode()))))
    try:
        client.expect("proceed")
        client.wrap_tls("im.example", tls_context())
        client.begin()
    except (Closed, OSError, ssl.SSLError):
        return      # the connection may end instead
    assert client.mechanisms(), "nobody is logged in"
    assert not [el for el in client.inbox if local(el) in ("success", "failure")]


@pytest.mark.parametrize("stanza", ["<message to='im.example'/>", "<iq type='get' id='x'><ping xmlns='urn:xmpp:ping'/></iq>",
                                    "<presence/>", "<auth xmlns='%s' mechanism='PLAIN'>AGEAYg==</auth>" % NS_SASL,
                                    "<iq type='set' id='x'><query xmlns='jabber:iq:register'><username>a</username><password>b"
                                    "</password></query></iq>"], ids=["message", "iq", "presence", "auth", "register"])
def test_11_stanza_before_tls_where_it_is_required(connect, stanza):
    """RFC 6120 4.9.3.14, 5.3.1, 6.5.5: a stream error or <encryption-required/>; nothing is done."""
    client = connect()
    client.begin()
    assert not client.mechanisms()
    client.send(stanza)
    got = client.expect(where=lambda el: True)
    names = {local(el) for el in got.iter()}
    assert names & {"not-authorized", "policy-violation", "encryption-required", "unsupported-stanza-type", "invalid-mechanism",
                    "not-allowed"}, names


# -- 12 ------------------------------------------------------------------------------------------------------------

def raw_tls(server, sni=None, alpn=None, version=None):
    context = tls_context(alpn)
    if version:
        context.maximum_version = version
    sock = socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=PATIENCE)
    return context.wrap_socket(sock, server_hostname=sni)


@pytest.mark.parametrize("sni, to", [("im.example", "other.example"), ("other.example", "im.example"), (None, "other.example"),
                                     ("im.example", "nobody.example")])
def test_12_sni_unlike_to(person, sni, to):
    """One domain was proved, another is asked for: no login on the strength of the first (RFC 6120 13.7.2)."""
    client = person("romeo").connect()
    client.begin()
    client.send(STARTTLS)
    client.expect("proceed")
    if sni:
        client.wrap_tls(sni, tls_context())
    else:
        client.sock = tls_context().wrap_socket(client.sock)
    try:
        client.open(to)
    except (Closed, AssertionError):
        return
    got = client.expect(where=lambda el: True)
    if local(got) == "features":
        client.features = got
        failure = client.authenticate("nobody", "x")
        assert local(failure) == "failure"
    else:
        assert {local(el) for el in got} & {"host-unknown", "not-authorized", "policy-violation", "improper-addressing",
                                            "invalid-from", "conflict", "undefined-condition"}


@pytest.mark.parametrize("alpn", [["http/1.1"], ["h2", "http/1.1"], ["xmpp-server"], ["x" * 255]])
def test_12_other_protocols_on_the_direct_port(server, alpn):
    """XEP-0368 4, RFC 7301 3.2: no_application_protocol, or a stream that is XMPP's all the same."""
    try:
        sock = raw_tls(server, "im.example", alpn)
    except (ssl.SSLError, OSError):
        return
    assert sock.selected_alpn_protocol() is None
    sock.sendall(b"GET / HTTP/1.1\r\nHost: im.example\r\n\r\n")
    assert b"HTTP/" not in sock.recv(65536)


def test_12_renegotiation_loop(server, bystanders):
    """RFC 5746: a client that asks for a handshake again and again, in TLS 1.2, is refused or let go."""
    sock = socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=PATIENCE)
    context = SSL.Context(SSL.TLSv1_2_METHOD)
    context.set_verify(SSL.VERIFY_NONE, lambda *a: True)
    tls = SSL.Connection(context, sock)
    tls.set_tlsext_host_name(b"im.example")
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
    bystanders.chat()
    sock.close()
    assert done < 50, "it goes on for ever"
