"""Login by client certificate (XEP-0178, RFC 6120 6.3.4, 13.7.1.4)."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import sasl
from client import NS_SASL, local, tls_context

XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")


def certificate(subject, issuer=None, addresses=(), days=30, authority=False):
    """(certificate, key); issuer is such a pair, None: signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder(name if issuer is None else issuer[0].subject, name, key.public_key(),
                                      x509.random_serial_number(), now - datetime.timedelta(days=60),
                                      now + datetime.timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(authority, None), True)
    if addresses:
        others = [x509.OtherName(XMPP_ADDR, b"\x0c" + bytes([len(a.encode())]) + a.encode()) for a in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(others), False)
    return builder.sign(key if issuer is None else issuer[1], hashes.SHA256()), key


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


AUTHORITY = certificate("An authority", authority=True)
STRANGER = certificate("Another authority", authority=True)
SERVER = {"files": {"tls/clients.pem": pem(AUTHORITY[0])}, "conf": {"c2s.conf": "[tls]\nclient_ca = tls/clients.pem\n"}}


@pytest.fixture
def under_tls(tmp_path):
    """under_tls(person, cert): a stream under TLS with this certificate shown."""
    def make(who, cert, key):
        path = tmp_path / "client.pem"
        path.write_bytes(pem(cert) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        client = who.connect()
        client.begin()
        client.starttls(tls_context(cert=(path, path)))
        client.begin()
        return client
    return make


def external(client, authzid):
    client.send("<auth xmlns='%s' mechanism='EXTERNAL'>%s</auth>" % (NS_SASL, sasl.encode(authzid.encode())))
    return client.expect()


@pytest.mark.parametrize("named", [True, False], ids=["by name", "by the certificate alone"])
def test_login_by_certificate(person, under_tls, named):
    """XEP-0178 2: the one address in it is who it is, said or not."""
    romeo = person("romeo")
    client = under_tls(romeo, *certificate("Romeo", AUTHORITY, [romeo.jid]))
    assert "EXTERNAL" in client.mechanisms()
    assert local(external(client, romeo.jid if named else "")) == "success"
    client.begin()
    client.bind("balcony")
    assert client.bare == romeo.jid


def test_certificate_of_several_addresses(people, under_tls):
    """XEP-0178 2: then the client says which."""
    romeo, juliet = people("romeo", "juliet")
    client = under_tls(romeo, *certificate("Both", AUTHORITY, [romeo.jid, juliet.jid]))
    assert local(external(client, juliet.jid)) == "success"
    client.begin()
    client.bind()
    assert client.bare == juliet.jid


def test_certificate_of_another(people, under_tls):
    """XEP-0178 2: <invalid-authzid/> or <not-authorized/>."""
    romeo, juliet = people("romeo", "juliet")
    client = under_tls(romeo, *certificate("Romeo", AUTHORITY, [romeo.jid]))
    el = external(client, juliet.jid)
    assert local(el) == "failure" and local(el[0]) in ("invalid-authzid", "not-authorized")


@pytest.mark.parametrize("issuer, days", [(STRANGER, 30), (None, 30), (AUTHORITY, -1)],
                         ids=["another authority", "self-signed", "expired"])
def test_certificate_that_proves_nothing(person, under_tls, issuer, days):
    """RFC 6120 13.7.2: not offered and not taken; the password still opens."""
    romeo = person("romeo")
    client = under_tls(romeo, *certificate("Romeo", issuer, [romeo.jid], days))
    assert "EXTERNAL" not in client.mechanisms()
    assert local(external(client, romeo.jid)) == "failure"
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


@pytest.mark.parametrize("address", ["ghost@im.example", "romeo@elsewhere.example", "a b@im.example", "im.example"])
def test_certificate_for_an_account_that_is_not_there(person, under_tls, address):
    """XEP-0178 2: the certificate is right, the account is not."""
    client = under_tls(person("romeo"), *certificate("Somebody", AUTHORITY, [address]))
    assert local(external(client, "")) == "failure"


def test_login_without_a_certificate_is_as_ever(person):
    """RFC 6120 13.8: asking for a certificate demands none."""
    client = person("romeo").login()
    assert client.ping().get("type") == "result"
