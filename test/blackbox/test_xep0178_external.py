"""Login by client certificate (XEP-0178, RFC 6120 6.3.4, 13.7.1.4)."""

import pytest

import pki
import sasl
from client import NS_SASL, local, tls_context

AUTHORITY = pki.Authority("An authority")
STRANGER = pki.Authority("Another authority")
SERVER = {"files": {"tls/clients.pem": AUTHORITY.pem()}, "conf": {"c2s.conf": "[tls]\nclient_ca = tls/clients.pem\n"}}


@pytest.fixture
def under_tls(tmp_path):
    """under_tls(person, identity): a stream under TLS with this certificate shown."""
    def make(who, identity):
        path = identity.write_both(tmp_path / "client.pem")
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
    client = under_tls(romeo, AUTHORITY.person(romeo.jid))
    assert "EXTERNAL" in client.mechanisms()
    assert local(external(client, romeo.jid if named else "")) == "success"
    client.begin()
    client.bind("balcony")
    assert client.bare == romeo.jid


def test_certificate_of_several_addresses(people, under_tls):
    """XEP-0178 2: then the client says which."""
    romeo, juliet = people("romeo", "juliet")
    client = under_tls(romeo, AUTHORITY.person(romeo.jid, juliet.jid))
    assert local(external(client, juliet.jid)) == "success"
    client.begin()
    client.bind()
    assert client.bare == juliet.jid


def test_certificate_of_another(people, under_tls):
    """XEP-0178 2: <invalid-authzid/> or <not-authorized/>."""
    romeo, juliet = people("romeo", "juliet")
    client = under_tls(romeo, AUTHORITY.person(romeo.jid))
    el = external(client, juliet.jid)
    assert local(el) == "failure" and local(el[0]) in ("invalid-authzid", "not-authorized")


@pytest.mark.parametrize("made", [STRANGER.person, lambda jid: pki.self_signed("Romeo", addresses=[jid]),
                                  lambda jid: AUTHORITY.person(jid, **pki.EXPIRED)],
                         ids=["another authority", "self-signed", "expired"])
def test_certificate_that_proves_nothing(person, under_tls, made):
    """RFC 6120 13.7.2: not offered and not taken; the password still opens."""
    romeo = person("romeo")
    client = under_tls(romeo, made(romeo.jid))
    assert "EXTERNAL" not in client.mechanisms()
    assert local(external(client, romeo.jid)) == "failure"
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


@pytest.mark.parametrize("address", ["ghost@im.example", "romeo@elsewhere.example", "a b@im.example", "im.example"])
def test_certificate_for_an_account_that_is_not_there(person, under_tls, address):
    """XEP-0178 2: the certificate is right, the account is not."""
    client = under_tls(person("romeo"), AUTHORITY.person(address))
    assert local(external(client, "")) == "failure"


def test_login_without_a_certificate_is_as_ever(person):
    """RFC 6120 13.8: asking for a certificate demands none."""
    client = person("romeo").login()
    assert client.ping().get("type") == "result"
