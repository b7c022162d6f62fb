"""SASL: mechanisms, exchanges right and wrong, channel binding (RFC 6120 6, RFC 5802, XEP-0440, XEP-0474)."""

import base64
import hashlib
import hmac

import pytest

import sasl
from channel import secure
from client import NS_SASL, local, namespace, q

NS_CB = "urn:xmpp:sasl-cb:0"
SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
BINDINGS = ["tls-exporter", "tls-server-end-point"]


def ready(who):
    """A connection under TLS with the mechanisms in its features."""
    client = who.connect()
    client.begin()
    client.starttls().begin()
    return client


def failure(client, condition):
    """RFC 6120 6.4.5: the reply is <failure/> with this condition."""
    el = client.expect("failure")
    got = [local(child) for child in el if local(child) != "text"]
    allowed = (condition,) if isinstance(condition, str) else condition
    assert namespace(el) == NS_SASL and got and got[0] in allowed, got
    return el


def condition(el):
    return local(el) == "failure" and [local(child) for child in el][0]


def auth(mechanism, text=""):
    return "<auth xmlns='%s' mechanism='%s'>%s</auth>" % (NS_SASL, mechanism, text)


def response(data):
    return "<response xmlns='%s'>%s</response>" % (NS_SASL, sasl.encode(data))


# -- logging in ----------------------------------------------------------------------------------------------------

def test_scram_and_plain_are_offered_under_tls(person):
    """RFC 6120 13.8."""
    offered = ready(person("romeo")).mechanisms()
    assert set(SCRAM + [name + "-PLUS" for name in SCRAM] + ["PLAIN"]) <= set(offered)
    assert "EXTERNAL" not in offered, "there is no client certificate (XEP-0178 2)"


@pytest.mark.parametrize("mechanism", SCRAM + ["PLAIN"])
def test_login(person, mechanism):
    """RFC 6120 6.4; in SCRAM the server proves that it knows the account as well."""
    romeo = person("romeo").login("balcony", mechanism=mechanism)
    assert romeo.ping().get("type") == "result"


@pytest.mark.parametrize("mechanism", SCRAM + ["PLAIN"])
def test_login_without_tls_where_it_is_optional(person, mechanism):
    """RFC 6120 13.8.3: a test installation takes it from loopback; nothing is bound to a channel that is not there."""
    client = person("romeo").connect()
    client.begin()
    assert mechanism in client.mechanisms() and not [name for name in client.mechanisms() if name.endswith("-PLUS")]
    assert client.features.find(q(NS_CB, "sasl-channel-binding")) is None
    assert person("romeo").login("balcony", mechanism=mechanism, tls=False).ping().get("type") == "result"


@pytest.mark.parametrize("mechanism", SCRAM + ["PLAIN"])
def test_wrong_password(person, mechanism):
    """RFC 6120 6.5.10: <not-authorized/>."""
    romeo = person("romeo")
    assert condition(ready(romeo).authenticate(romeo.user, "not it", mechanism)) == "not-authorized"


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_password_of_any_characters(server, connections, mechanism):
    """RFC 8265 4.2: OpaqueString; the no-break space counts as a space, all else stays."""
    from conftest import Person
    user = "opaque-" + mechanism.lower()
    password = "Grüße, мир=,世界 \U0001F511 & <x> \"'"
    server.adduser("%s@%s" % (user, server.domain), password)
    it = Person(server, user, server.domain, connections, password)
    it.login(mechanism=mechanism)
    it.password = password.replace(" ", "\u00a0")
    if mechanism == "PLAIN":
        it.login(mechanism=mechanism)


def test_user_name_is_compared_prepared(person):
    """RFC 8265 3.3: UsernameCaseMapped; PLAIN takes the name as the user types it."""
    romeo = person("romeo")
    client = ready(romeo)
    assert local(client.authenticate(romeo.user.upper(), romeo.password, "PLAIN")) == "success"
    client.begin()
    client.bind("balcony")
    assert client.bare == romeo.jid


def test_failed_login_may_be_tried_again_on_the_same_stream(person):
    """RFC 6120 6.4.5: at least two further attempts."""
    romeo = person("romeo")
    client = ready(romeo)
    for _ in range(2):
        assert condition(client.authenticate(romeo.user, "wrong")) == "not-authorized"
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


def test_tries_on_one_stream_are_limited(person):
    """RFC 6120 6.4.5: after them the server closes the stream, with <policy-violation/>."""
    romeo = person("romeo")
    client = ready(romeo)
    for _ in range(20):
        client.send(auth("PLAIN", sasl.encode(b"\0%s\0wrong" % romeo.user.encode())))
        el = client.expect()
        if local(el) == "error":
            assert el[0].tag.endswith("}policy-violation")
            break
    else:
        pytest.fail("twenty wrong passwords on one stream")
    client.expect_end()


def test_empty_initial_response_and_none_differ(person):
    """RFC 6120 6.4.2: '=' is an empty response; none at all makes the server ask for it with an empty challenge."""
    romeo = person("romeo")
    client = ready(romeo)
    client.send(auth("PLAIN"))
    assert client.expect("challenge").text in (None, "", "=")
    client.send(response(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())))
    client.expect("success")

    client = ready(romeo)
    client.send(auth("PLAIN", "="))
    failure(client, ("malformed-request", "not-authorized", "incorrect-encoding"))


def test_stream_starts_anew_after_success(person):
    """RFC 6120 6.4.6: the server sends nothing until the client opens the stream again."""
    romeo = person("romeo")
    client = ready(romeo)
    client.authenticate(romeo.user, romeo.password)
    features = client.begin()
    assert features.find(q("urn:ietf:params:xml:ns:xmpp-bind", "bind")) is not None


# -- who ----------------------------------------------------------------------------------------------------------

def test_authorisation_identity_of_oneself(person):
    """RFC 6120 6.3.8: the own bare JID is what it would be anyway."""
    romeo = person("romeo")
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        assert local(ready(romeo).authenticate(romeo.user, romeo.password, mechanism, authzid=romeo.jid)) == "success"


def test_authorisation_identity_of_another_is_refused(people):
    """RFC 6120 6.5.7: <invalid-authzid/>; whatever it is called, nobody logs in as another."""
    romeo, juliet = people("romeo", "juliet")
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        got = condition(ready(romeo).authenticate(romeo.user, romeo.password, mechanism, authzid=juliet.jid))
        assert got in ("invalid-authzid", "not-authorized")


def test_unknown_user_cannot_be_told_from_a_wrong_password(person):
    """RFC 6120 6.5.10, 13.11: same steps, same condition, and a salt that stays the same from try to try."""
    romeo = person("romeo")

    def first(user):
        client = ready(romeo)
        exchange = sasl.mechanism("SCRAM-SHA-256", user, "wrong")
        client.send(auth("SCRAM-SHA-256", sasl.encode(exchange.initial())))
        challenge = sasl.decode(client.expect("challenge").text)
        client.send(response(exchange.step(challenge)))
        failure(client, "not-authorized")
        return exchange

    known, ghost, again, other = first(romeo.user), first("ghost"), first("ghost"), first("spirit")
    assert ghost.salt == again.salt != other.salt
    assert len(ghost.salt) == len(known.salt) and ghost.iterations == known.iterations


def test_user_names_that_are_no_localparts_fail_as_wrong_ones(person):
    """RFC 6120 6.5.10: the name is refused in SASL, the stream survives."""
    client = ready(person("romeo"))
    for name in ("", "two words", "a@b", "a/b", "x" * 1024, "\u202e", "ﷺ" * 400):
        got = condition(client.authenticate(name, "x", "PLAIN"))
        assert got in ("not-authorized", "malformed-request", "invalid-authzid"), name
        client = ready(person("romeo"))


# -- SCRAM, bent ---------------------------------------------------------------------------------------------------

def test_iteration_count_and_nonce(person):
    """RFC 7677 4: at least 4096; RFC 5802 5.1: the server adds to the nonce, never the same twice."""
    romeo = person("romeo")
    nonces = set()
    for _ in range(3):
        client = ready(romeo)
        exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password)
        client.send(auth("SCRAM-SHA-256", sasl.encode(exchange.initial())))
        challenge = sasl.decode(client.expect("challenge").text)
        exchange.step(challenge)
        assert exchange.iterations >= 4096 and len(exchange.salt) >= 12
        nonces.add(dict(part.split("=", 1) for part in challenge.decode().split(","))["r"][len(exchange.nonce):])
    assert len(nonces) == 3 and all(len(nonce) >= 16 for nonce in nonces)


@pytest.mark.parametrize("bend", [
    dict(nonce=lambda nonce: nonce + "x"),
    dict(nonce=lambda nonce: nonce[:-1]),
    dict(proof=lambda proof: bytes([proof[0] ^ 1]) + proof[1:]),
    dict(proof=lambda proof: proof[:-1]),
    dict(proof=lambda proof: b""),
    dict(gs2="y,,"),
    dict(gs2="p=tls-exporter,,"),
    dict(gs2="z,,"),
    dict(gs2=""),
], ids=["nonce longer", "nonce shorter", "proof wrong", "proof shorter", "proof empty", "flag y though PLUS is offered",
        "flag p without PLUS", "flag unknown", "no header"])
def test_scram_bent_is_refused(person, bend):
    """RFC 5802 5, 6, 7."""
    romeo = person("romeo")
    client = ready(romeo)
    exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password, **bend)
    client.send(auth("SCRAM-SHA-256", sasl.encode(exchange.initial())))
    el = client.expect()
    if local(el) == "challenge":
        client.send(response(exchange.step(sasl.decode(el.text))))
        el = client.expect()
    assert condition(el) in ("not-authorized", "malformed-request")
    assert local(client.authenticate(romeo.user, romeo.password)) == "success", "the stream is as good as before"


# -- the SASL layer, bent ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["not base64!", "AGFi=", "A", "AGEAYg==AGEAYg==", "AGE\u00e9", "====", "-_-_"])
def test_what_is_not_base64_is_refused(person, text):
    """RFC 6120 6.5.5: <incorrect-encoding/>."""
    client = ready(person("romeo"))
    client.send(auth("PLAIN", text))
    failure(client, ("incorrect-encoding", "malformed-request"))


def test_unknown_mechanism(person):
    """RFC 6120 6.5.8."""
    client = ready(person("romeo"))
    client.send(auth("X-UNKNOWN", "="))
    failure(client, "invalid-mechanism")


def test_mechanism_left_out(person):
    """RFC 6120 6.4.2: the attribute is required."""
    client = ready(person("romeo"))
    client.send("<auth xmlns='%s'/>" % NS_SASL)
    failure(client, ("invalid-mechanism", "malformed-request"))


def test_external_without_certificate(person):
    """XEP-0178 2: it is not offered, so it is not spoken."""
    client = ready(person("romeo"))
    client.send(auth("EXTERNAL", "="))
    failure(client, ("invalid-mechanism", "not-authorized"))


def test_abort(person):
    """RFC 6120 6.5.1: <abort/> ends the exchange with <aborted/>, and another may begin."""
    romeo = person("romeo")
    client = ready(romeo)
    client.send(auth("SCRAM-SHA-256", sasl.encode(sasl.mechanism("SCRAM-SHA-256", romeo.user, "x").initial())))
    client.expect("challenge")
    client.send("<abort xmlns='%s'/>" % NS_SASL)
    failure(client, "aborted")
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"


@pytest.mark.parametrize("text", [b"", b"\0", b"a", b"\0\0", b"\0a\0", b"\0\0b", b"a\0b\0c\0d", b"\xff\0a\0b"])
def test_plain_without_its_three_parts(person, text):
    """RFC 4616 2."""
    client = ready(person("romeo"))
    client.send(auth("PLAIN", sasl.encode(text)))
    failure(client, ("malformed-request", "not-authorized", "invalid-authzid"))


def test_response_without_auth_is_refused(person):
    """RFC 6120 6.4.3: there is no exchange it could belong to; no login comes of it."""
    client = ready(person("romeo"))
    client.send(response(b"n,,n=x,r=y"))
    assert local(client.expect()) in ("failure", "error")


# -- channel binding -----------------------------------------------------------------------------------------------

def bound_channel(who):
    client = who.connect()
    client.begin()
    channel = secure(client)
    client.begin()
    return client, channel


def test_binding_types_are_advertised(person):
    """XEP-0440 3."""
    client, _ = bound_channel(person("romeo"))
    types = {el.get("type") for el in client.features.iter(q(NS_CB, "channel-binding"))}
    assert types == set(BINDINGS)


@pytest.mark.parametrize("type", BINDINGS)
@pytest.mark.parametrize("mechanism", SCRAM)
def test_login_bound_to_the_channel(person, mechanism, type):
    """RFC 5802 6, RFC 9266, RFC 5929 4."""
    romeo = person("romeo")
    client, channel = bound_channel(romeo)
    outcome = client.authenticate(romeo.user, romeo.password, mechanism + "-PLUS", binding=channel.binding(type))
    assert local(outcome) == "success"


@pytest.mark.parametrize("type", BINDINGS)
def test_login_bound_to_another_channel_is_refused(person, type):
    """RFC 5802 6: that is the man in the middle."""
    romeo = person("romeo")
    client, channel = bound_channel(romeo)
    wrong = bytes(b ^ 0xff for b in channel.binding(type)[1])
    outcome = client.authenticate(romeo.user, romeo.password, "SCRAM-SHA-256-PLUS", binding=(type, wrong))
    assert condition(outcome) == "not-authorized"


def test_login_bound_by_an_unknown_type_is_refused(person):
    """RFC 5802 6, XEP-0440."""
    romeo = person("romeo")
    client, _ = bound_channel(romeo)
    client.send(auth("SCRAM-SHA-256-PLUS", sasl.encode(b"p=tls-moonlight,,n=%s,r=abcdef" % romeo.user.encode())))
    failure(client, ("malformed-request", "not-authorized"))


def test_downgrade_protection_hash(person):
    """XEP-0474 3.1: the server's first message carries a hash over what it has advertised."""
    romeo = person("romeo")
    client, channel = bound_channel(romeo)
    types = [el.get("type") for el in client.features.iter(q(NS_CB, "channel-binding"))]
    exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password)
    client.send(auth("SCRAM-SHA-256", sasl.encode(exchange.initial())))
    first = sasl.decode(client.expect("challenge").text).decode()
    given = dict(part.split("=", 1) for part in first.split(","))["h"]
    seen = "\x1e".join(sorted(client.mechanisms())) + "\x1f" + "\x1e".join(sorted(types))
    assert hmac.compare_digest(base64.b64decode(given), hashlib.sha256(seen.encode()).digest())
