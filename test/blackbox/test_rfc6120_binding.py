"""Resource binding and the session request of old (RFC 6120 7, RFC 3921 3)."""

from client import NS_BIND, NS_PING, NS_SESSION, error_of, local, namespace, q


def authenticated(person):
    """A connection after SASL, its stream opened again, nothing bound."""
    client = person.connect()
    client.begin()
    client.starttls().begin()
    assert local(client.authenticate(person.user, person.password)) == "success"
    client.begin()
    return client


def test_bind_is_offered_after_sasl_and_only_then(person):
    """RFC 6120 7.4: the server includes <bind/> in the features of the authenticated stream."""
    romeo = person("romeo")
    client = romeo.connect()
    assert client.begin().find(q(NS_BIND, "bind")) is None
    client.starttls()
    assert client.begin().find(q(NS_BIND, "bind")) is None
    client.authenticate(romeo.user, romeo.password)
    features = client.begin()
    assert features.find(q(NS_BIND, "bind")) is not None
    assert not client.mechanisms(), "SASL is over (RFC 6120 6.4.6)"


def test_server_makes_a_resource_when_none_is_asked(person):
    """RFC 6120 7.6.1."""
    romeo = person("romeo")
    one, two = romeo.login(), romeo.login()
    assert one.jid.startswith(romeo.jid + "/") and two.jid.startswith(romeo.jid + "/")
    assert one.jid != two.jid, "generated resources are unique per account"
    assert len(one.jid.partition("/")[2]) >= 8, "and cannot be guessed (RFC 6120 7.6.1)"


def test_client_gets_the_resource_it_asked_for(person):
    """RFC 6120 7.7.1: here the server grants it as asked."""
    romeo = person("romeo")
    assert romeo.login("balcony").jid == romeo.jid + "/balcony"


def test_resource_keeps_its_case_and_its_spaces(person):
    """RFC 7622 3.4: OpaqueString folds no case."""
    romeo = person("romeo")
    assert romeo.login("My Balcony").jid == romeo.jid + "/My Balcony"


def test_resource_that_breaks_the_profile_is_refused(person):
    """RFC 6120 7.7.2.1: <bad-request/> for a resource that cannot be prepared; the stream lives on."""
    client = authenticated(person("romeo"))
    reply = client.bind("bal&#x7f;cony")
    assert error_of(reply) == ("modify", "bad-request")
    assert client.bind("balcony").get("type") == "result"


def test_resource_of_more_than_1023_bytes_is_refused(person):
    """RFC 7622 3.4; 1023 bytes are allowed."""
    romeo = person("romeo")
    assert error_of(authenticated(romeo).bind("r" * 1024)) == ("modify", "bad-request")
    assert authenticated(romeo).bind("r" * 1023).get("type") == "result"


def test_same_resource_again_ends_the_older_session(person):
    """RFC 6120 7.7.2.2, third way: the old client gets the stream error <conflict/>, the new one its resource."""
    romeo = person("romeo")
    old = romeo.login("balcony")
    new = romeo.login("balcony")
    old.expect_stream_error("conflict")
    assert new.jid == romeo.jid + "/balcony"
    assert new.ping().get("type") == "result"


def test_two_resources_live_side_by_side(person):
    """RFC 6120 7.1."""
    romeo = person("romeo")
    orchard, balcony = romeo.login("orchard"), romeo.login("balcony")
    assert orchard.ping().get("type") == balcony.ping().get("type") == "result"


def test_stanza_before_bind_is_not_authorised(person):
    """RFC 6120 7.1: the stream error is <not-authorized/>."""
    client = authenticated(person("romeo"))
    client.send("<message to='nobody@im.example'><body>too early</body></message>")
    client.expect_stream_error("not-authorized")


def test_iq_other_than_bind_before_bind_is_not_carried_out(person):
    """RFC 6120 7.1: to another entity than the server or the own account it ends the stream."""
    client = authenticated(person("romeo"))
    client.send("<iq type='get' id='p1' to='someone@im.example'><ping xmlns='%s'/></iq>" % NS_PING)
    client.expect_stream_error("not-authorized")


def test_second_bind_is_refused(person):
    """RFC 6120 7.6.2.1 knows one resource per stream: an error, and the session lives on with the first."""
    romeo = person("romeo").login("balcony")
    reply = romeo.ask("set", "<bind xmlns='%s'><resource>orchard</resource></bind>" % NS_BIND)
    assert reply.get("type") == "error", "one resource a stream"
    assert romeo.ping().get("to") == romeo.jid


def test_bind_as_get_is_an_error(person):
    """RFC 6120 7.6: binding is an IQ of type set."""
    client = authenticated(person("romeo"))
    assert client.ask("get", "<bind xmlns='%s'/>" % NS_BIND).get("type") == "error"
    assert client.bind("balcony").get("type") == "result"


def test_session_request_of_old_succeeds_and_does_nothing(person):
    """RFC 3921 3; RFC 6121 1.4: clients of today may leave it out, and if it is advertised it says optional."""
    romeo = person("romeo").login("balcony")
    session = romeo.features.find(q(NS_SESSION, "session"))
    assert session is not None and session.find(q(NS_SESSION, "optional")) is not None
    assert romeo.ask("set", "<session xmlns='%s'/>" % NS_SESSION).get("type") == "result"
    assert romeo.ping().get("type") == "result"


def test_answers_carry_the_full_jid(person):
    """RFC 6120 8.1.1.1: what the server sends to a client is addressed to it."""
    romeo = person("romeo").login("balcony")
    pong = romeo.ping()
    assert pong.get("to") == romeo.jid and pong.get("from") == romeo.server_name


def test_features_after_auth_are_a_known_set(person):
    """RFC 6120 4.3.2: nothing is offered a second time after it was negotiated."""
    client = authenticated(person("romeo"))
    offered = {namespace(el) for el in client.features}
    assert "urn:ietf:params:xml:ns:xmpp-tls" not in offered
    assert "urn:ietf:params:xml:ns:xmpp-sasl" not in offered
