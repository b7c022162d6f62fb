"""TLS where it is required: STARTTLS, direct TLS, a certificate for each domain (RFC 6120 5, XEP-0368)."""

import contextlib
import socket
import ssl
import warnings

import pytest
from cryptography import x509

from client import NS_SASL, NS_TLS, PATIENCE, Closed, local, q, tls_context

SERVER = {"domains": ["im.example", "other.example"], "tls": "required"}


def names(sock):
    """The domain names in the certificate that the server has shown."""
    certificate = x509.load_der_x509_certificate(sock.getpeercert(binary_form=True))
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


# -- STARTTLS ------------------------------------------------------------------------------------------------------

def test_nothing_but_tls_is_offered_without_it(connect):
    """RFC 6120 5.3.1, 6.3.3: <required/>, and no mechanism at all."""
    client = connect()
    features = client.begin()
    starttls = features.find(q(NS_TLS, "starttls"))
    assert starttls.find(q(NS_TLS, "required")) is not None
    assert not client.mechanisms()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_login_without_tls_is_refused(connect, person, mechanism):
    """RFC 6120 6.5.6, 13.8.3: <encryption-required/>, or the end of the stream; never a challenge."""
    romeo = person("romeo")
    client = connect()
    client.begin()
    client.send("<auth xmlns='%s' mechanism='%s'>AHgAeQ==</auth>" % (NS_SASL, mechanism))
    assert local(client.expect()) in ("failure", "error")
    romeo.login()


def test_login_after_starttls(person):
    """RFC 6120 5.4."""
    client = person("romeo").login("balcony")
    assert client.sock.version() in ("TLSv1.2", "TLSv1.3")
    assert client.ping().get("type") == "result"


def test_features_under_tls_offer_no_tls(person):
    """RFC 6120 5.4.3.3: once is enough; a second <starttls/> ends the stream or fails."""
    client = person("romeo").connect()
    client.begin()
    client.starttls()
    assert client.begin().find(q(NS_TLS, "starttls")) is None
    client.send("<starttls xmlns='%s'/>" % NS_TLS)
    assert local(client.expect()) in ("failure", "error")


def test_bytes_sent_ahead_of_the_handshake_are_not_taken_as_said_under_tls(connect):
    """RFC 6120 5.4.3.3, PEERS 5 no. 14: what came with <starttls/> in one packet was said in the clear."""
    client = connect()
    client.begin()
    client.send("<starttls xmlns='%s'/><auth xmlns='%s' mechanism='PLAIN'>AHgAeQ==</auth>" % (NS_TLS, NS_SASL))
    try:
        client.expect("proceed")
        client.wrap_tls("im.example", tls_context())
        client.begin()
    except (Closed, ssl.SSLError, OSError):
        return                                  # to close is as good
    assert client.mechanisms() and not client.inbox, "nothing of it was answered"


def test_bytes_that_are_not_tls_after_proceed(connect):
    """RFC 6120 5.4.3.2: the handshake fails and the connection ends."""
    client = connect()
    client.begin()
    client.send("<starttls xmlns='%s'/>" % NS_TLS)
    client.expect("proceed")
    client.send("<stream:stream xmlns='jabber:client' to='im.example'>")
    while (data := client.recv(PATIENCE)):
        pass
    assert data == b"", "the connection stays open"


# -- direct TLS ----------------------------------------------------------------------------------------------------

def test_direct_tls_with_alpn(person):
    """XEP-0368 3: ALPN xmpp-client is chosen, and no STARTTLS is offered."""
    romeo = person("romeo")
    client = romeo.connect(direct_tls=True)
    assert client.sock.selected_alpn_protocol() == "xmpp-client"
    assert client.begin().find(q(NS_TLS, "starttls")) is None
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


def test_direct_tls_without_alpn(person):
    """XEP-0368 3: older clients offer none."""
    romeo = person("romeo")
    client = romeo.connect(direct_tls=True, context=tls_context())
    client.begin()
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


def test_direct_tls_for_another_protocol(connect):
    """XEP-0368 3, RFC 7301 3.2: who offers only other protocols is talking to somebody else."""
    try:
        client = connect(direct_tls=True, context=tls_context(["h2", "http/1.1"]))
    except (ssl.SSLError, ConnectionError):
        return
    assert client.sock.selected_alpn_protocol() is None


def test_plain_text_on_the_direct_port(server):
    """A stream header in the clear is no handshake: the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=20) as sock:
        sock.sendall(b"<?xml version='1.0'?><stream:stream to='im.example'>")
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(1000):
                pass


# -- certificates --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("direct_tls", [False, True], ids=["STARTTLS", "direct"])
@pytest.mark.parametrize("domain", ["im.example", "other.example"])
def test_certificate_fits_the_domain(person, domain, direct_tls):
    """RFC 6120 13.7.1.2, XEP-0368 3: chosen by SNI."""
    client = person("romeo", domain=domain).login(direct_tls=direct_tls)
    assert domain in names(client.sock)


def test_certificate_without_sni_fits_the_stream_or_the_first_domain(connect):
    """RFC 6120 13.7.1.2: some clients send none."""
    client = connect()
    client.begin()
    client.send("<starttls xmlns='%s'/>" % NS_TLS)
    client.expect("proceed")
    client.sock = tls_context().wrap_socket(client.sock)
    assert set(names(client.sock)) & {"im.example", "other.example"}


def test_unknown_name_in_sni_gets_no_stream(connect):
    """RFC 6066 3: an alert or any certificate; the stream then is what decides."""
    try:
        client = connect(direct_tls=True, sni="elsewhere.example")
        client.begin()
    except (ssl.SSLError, ConnectionError, Closed):
        return
    assert client.features is not None


def test_old_versions_of_tls_are_refused(server):
    """RFC 7590 3.2, RFC 8996: nothing before 1.2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = tls_context(["xmpp-client"])
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=20) as sock:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(sock, server_hostname="im.example")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_login_by_either_version(person, version):
    """RFC 6120 13.8, RFC 9325."""
    romeo = person("romeo")
    context = tls_context()
    context.minimum_version = context.maximum_version = version
    client = romeo.connect()
    client.begin()
    client.starttls(context)
    client.begin()
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


def test_weak_ciphers_are_refused(server):
    """RFC 9325 4: no authentication, no export, no RC4, no NULL."""
    context = tls_context(["xmpp-client"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:eNULL:3DES:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", server.port("c2s_tls")), timeout=20) as sock:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(sock, server_hostname="im.example")


def test_large_stanzas_and_many_small_ones_under_tls(person):
    """A record is not a stanza: pieces of one and many in one come out the same."""
    romeo = person("romeo").login("balcony", direct_tls=True)
    romeo.message(romeo.jid, "x" * 60000)
    romeo.expect("message", body="x" * 60000)
    romeo.send("".join("<message to='%s' id='%d' type='chat'/>" % (romeo.jid, n) for n in range(500)))
    assert [el.get("id") for el in romeo.sync()] == [str(n) for n in range(500)]
