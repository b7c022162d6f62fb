"""SASL2 (XEP-0388): the features, the exchanges right and wrong, and SASL beside it."""

import base64
import hashlib
import hmac

import pytest

import sasl
import sasl2
from client import NS_BIND, NS_SASL, local, q
from sasl2 import NS_SASL2, condition, ready, request

NS_CB = "urn:xmpp:sasl-cb:0"
SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
BINDINGS = ["tls-exporter", "tls-server-end-point"]


def response(data):
    return "<response xmlns='%s'>%s</response>" % (NS_SASL2, sasl2.encode(data))


# -- right ---------------------------------------------------------------------------------------------------------

def test_the_same_mechanisms_are_offered_as_by_sasl(person):
    """XEP-0388 2.1; tokens are offered inside alone (XEP-0484 3.1)."""
    client = ready(person("romeo"))
    offered = sasl2.mechanisms(client)
    assert offered == client.mechanisms() and "SCRAM-SHA-256-PLUS" in offered
    assert not [name for name in offered if name.startswith("HT-")]


@pytest.mark.parametrize("mechanism", SCRAM + ["PLAIN"])
def test_login_and_features_without_a_new_stream(person, mechanism):
    """XEP-0388 2.6.1: the identity, the server's last word, and at once the features; then a resource as ever."""
    romeo = person("romeo")
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, mechanism)
    assert local(outcome) == "success" and outcome[-1].text == romeo.jid
    features = client.expect("features")
    assert features.find(q(NS_BIND, "bind")) is not None and features.find(q(NS_SASL2, "authentication")) is None
    assert client.bind("balcony").get("type") == "result"
    assert client.jid == romeo.jid + "/balcony" and client.ping().get("type") == "result"


@pytest.mark.parametrize("type", BINDINGS)
def test_login_bound_to_the_channel(person, type):
    romeo = person("romeo")
    client = ready(romeo, bound=True)
    binding = client.sock.binding(type)
    assert local(sasl2.authenticate(client, romeo.user, romeo.password, "SCRAM-SHA-256-PLUS", binding=binding)) == "success"
    client = ready(romeo, bound=True)
    binding = type, bytes(b ^ 0xff for b in client.sock.binding(type)[1])
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, "SCRAM-SHA-256-PLUS", binding=binding)
    assert condition(outcome) == "not-authorized"


def test_downgrade_protection(person):
    """XEP-0474 3.1: over the list of the profile that is used, which is the same here as that of SASL."""
    romeo = person("romeo")
    client = ready(romeo, bound=True)
    types = [el.get("type") for el in client.features.iter(q(NS_CB, "channel-binding"))]
    exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password)
    client.send(request("SCRAM-SHA-256", exchange.initial()))
    first = sasl2.decode(client.expect("challenge").text).decode()
    given = dict(part.split("=", 1) for part in first.split(","))["h"]
    seen = "\x1e".join(sorted(sasl2.mechanisms(client))) + "\x1f" + "\x1e".join(sorted(types))
    assert hmac.compare_digest(base64.b64decode(given), hashlib.sha256(seen.encode()).digest())
    client.send(response(exchange.step(first.encode())))
    assert local(sasl2.finish(client, exchange)) == "success"


def test_initial_response_may_come_later(person):
    """RFC 4422 5; XEP-0388 2.2: what is empty is there, what is absent is not. What else was asked for is not forgotten."""
    romeo = person("romeo")
    client = ready(romeo)
    client.send(request("PLAIN", None, sasl2.bind("later")))
    assert client.expect("challenge").text is None
    client.send(response(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())))
    assert "/later/" in client.expect("success").find(q(NS_SASL2, "authorization-identifier")).text
    client = ready(romeo)
    client.send(request("PLAIN", b""))
    assert condition(client.expect("failure")) == "malformed-request"


def test_failed_attempts_and_both_profiles_on_one_stream(person):
    """XEP-0388 2.6.2: a failure leaves the stream as it was."""
    romeo = person("romeo")
    client = ready(romeo)
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        assert condition(sasl2.authenticate(client, romeo.user, "wrong", mechanism, sasl2.bind("x"))) == "not-authorized"
        assert local(client.authenticate(romeo.user, "wrong", mechanism)) == "failure"
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success"
    client = ready(romeo)
    assert condition(sasl2.authenticate(client, romeo.user, "wrong")) == "not-authorized"
    assert local(client.authenticate(romeo.user, romeo.password)) == "success"
    client.begin()
    client.bind("balcony")


def test_abort(person):
    romeo = person("romeo")
    client = ready(romeo)
    client.send(request("SCRAM-SHA-256", sasl.mechanism("SCRAM-SHA-256", romeo.user, "x").initial()))
    client.expect("challenge")
    client.send("<abort xmlns='%s'/>" % NS_SASL2)
    assert condition(client.expect("failure")) == "aborted"
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success"


def test_authorisation_identity(people):
    """XEP-0388 2.3: it must be the account's, and what the stream header said."""
    romeo, juliet = people("romeo", "juliet")
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        client = ready(romeo, extra=" from='%s'" % romeo.jid)
        got = sasl2.authenticate(client, romeo.user, romeo.password, mechanism, authzid=romeo.jid)
        assert local(got) == "success"
        client = ready(romeo, extra=" from='%s'" % juliet.jid)
        got = sasl2.authenticate(client, romeo.user, romeo.password, mechanism, authzid=romeo.jid)
        assert condition(got) == "invalid-authzid"
        client = ready(romeo)
        got = sasl2.authenticate(client, romeo.user, romeo.password, mechanism, authzid=juliet.jid)
        assert condition(got) == "invalid-authzid"


def test_a_stream_from_another_domain(person):
    """XEP-0388 2.1, RFC 6120 4.9.3.9."""
    client = person("romeo").connect()
    client.open(client.server_name, " from='romeo@elsewhere.example'")
    client.expect_stream_error("invalid-from")


def test_sasl2_needs_tls_where_sasl_does(person):
    """The test installation takes both in plain text from this host, but never a token."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    assert "PLAIN" in sasl2.mechanisms(client) and sasl2.token_mechanisms(client) == []
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success"


# -- wrong (PEERS 5, groups 14 to 16, for SASL2) --------------------------------------------------------------------

@pytest.mark.parametrize("text", ["not base64!", "AGFi=", "A", "AGEAYg==AGEAYg==", "AGE\u00e9", "====", "-_-_", "="])
def test_what_is_not_base64_is_refused(person, text):
    client = ready(person("romeo"))
    client.send("<authenticate xmlns='%s' mechanism='PLAIN'><initial-response>%s</initial-response></authenticate>" % (
        NS_SASL2, text))
    assert condition(client.expect("failure")) == "incorrect-encoding"
    client.send(request("PLAIN"))
    client.expect("challenge")
    client.send("<response xmlns='%s'>%s</response>" % (NS_SASL2, text))
    assert condition(client.expect("failure")) == "incorrect-encoding"


@pytest.mark.parametrize("text", [b"", b"\0", b"a", b"\0\0", b"\0a\0", b"\0\0b", b"a\0b\0c\0d", b"\xff\0a\0b", b"\0\0\0\0\0"])
def test_plain_without_its_three_parts(person, text):
    client = ready(person("romeo"))
    client.send(request("PLAIN", text, sasl2.bind("x")))
    assert condition(client.expect("failure")) in ("malformed-request", "not-authorized", "invalid-authzid")


@pytest.mark.parametrize("bend", [
    dict(nonce=lambda nonce: nonce + "x"), dict(proof=lambda proof: bytes([proof[0] ^ 1]) + proof[1:]),
    dict(proof=lambda proof: b""), dict(gs2="y,,"), dict(gs2="p=tls-exporter,,"), dict(gs2="z,,"), dict(gs2=""),
], ids=["nonce", "proof wrong", "proof empty", "flag y though PLUS is offered", "flag p without PLUS", "flag unknown", "no header"])
def test_scram_bent_is_refused(person, bend):
    romeo = person("romeo")
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, "SCRAM-SHA-256", sasl2.bind("x"), **bend)
    assert condition(outcome) in ("not-authorized", "malformed-request")
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success", "the stream is as good as before"


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "EXTERNAL", "X-UNKNOWN", "", "HT-SHA-256-UNIQ", "HT-SHA-512-NONE", "x" * 200])
def test_mechanism_that_was_not_offered(person, mechanism):
    """XEP-0388 2.3: the attempt fails."""
    client = ready(person("romeo"))
    client.send(request(mechanism, b"romeo"))
    assert condition(client.expect("failure")) in ("invalid-mechanism", "malformed-request")


@pytest.mark.parametrize("inside", [
    "<user-agent id='me'/>",
    "<user-agent id='%s'/>" % ("a" * 36),
    "<user-agent id='../../../../../../etc/passwd-------'/>",
    "<bind xmlns='urn:xmpp:bind:0'/><bind xmlns='urn:xmpp:bind:0'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='-1' previd='x'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='4294967296' previd='x'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='1'/>",
    "<request-token xmlns='urn:xmpp:fast:0'/>",
    "<fast xmlns='urn:xmpp:fast:0' count='-1'/>",
    "<initial-response>AAAA</initial-response>",
])
def test_request_that_contradicts_itself(person, inside):
    client = ready(person("romeo"))
    client.send(request("PLAIN", b"\0a\0b", inside))
    assert condition(client.expect("failure")) == "malformed-request"


def test_what_is_unknown_inside_is_passed_over(person):
    romeo = person("romeo")
    client = ready(romeo)
    inside = "<x xmlns='urn:x'><y/>text</x><bind xmlns='urn:other'/>"
    assert local(sasl2.authenticate(client, romeo.user, romeo.password, inside=inside)) == "success"


def test_huge_request(person):
    """DESIGN 11: 8 KiB before login."""
    client = ready(person("romeo"))
    try:
        client.send(request("PLAIN", b"\0" * 800000))
    except OSError:
        return
    client.expect_stream_error("policy-violation")


def test_many_elements_in_a_request(person):
    client = ready(person("romeo"))
    client.send(request("PLAIN", b"\0a\0b", "<x xmlns='x'/>" * 40))
    client.expect_stream_error("policy-violation")


@pytest.mark.parametrize("behind", ["<message/>", "<presence/>", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"])
def test_nothing_may_come_behind_a_request(person, behind):
    """XEP-0388 2.4: the server ends the stream."""
    romeo = person("romeo")
    client = ready(romeo)
    client.send(request("SCRAM-SHA-256", sasl.mechanism("SCRAM-SHA-256", romeo.user, "x").initial()) + behind)
    client.expect_stream_error("not-authorized")


def test_authenticating_twice(person):
    """XEP-0388 5.6: a stream error; before the answer, after it, and after binding."""
    romeo = person("romeo")
    twice = request("PLAIN", b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode()))
    client = ready(romeo)
    client.send(twice + twice)
    client.expect_stream_error("unsupported-stanza-type")
    client = ready(romeo)
    client.send(twice)
    client.expect("success")
    client.expect("features")
    client.send(twice)
    client.expect_stream_error("unsupported-stanza-type")
    client = sasl2.login(romeo)
    client.send(twice)
    client.expect_stream_error("unsupported-stanza-type")


@pytest.mark.parametrize("first, then", [(NS_SASL2, NS_SASL), (NS_SASL, NS_SASL2)])
def test_steps_of_two_profiles_in_one_exchange(person, first, then):
    romeo = person("romeo")
    client = ready(romeo)
    initial = sasl.mechanism("SCRAM-SHA-256", romeo.user, "x").initial()
    client.send(request("SCRAM-SHA-256", initial) if first == NS_SASL2 else
                "<auth xmlns='%s' mechanism='SCRAM-SHA-256'>%s</auth>" % (NS_SASL, sasl.encode(initial)))
    client.expect("challenge")
    client.send("<response xmlns='%s'>AAAA</response>" % then)
    client.expect_stream_error("policy-violation")


def test_tries_on_one_stream_are_limited(person):
    romeo = person("romeo")
    client = ready(romeo)
    for _ in range(20):
        client.send(request("PLAIN", b"\0%s\0wrong" % romeo.user.encode()))
        el = client.expect()
        if local(el) == "error":
            assert el[0].tag.endswith("}policy-violation")
            break
    else:
        pytest.fail("twenty wrong passwords on one stream")
    client.expect_end()


def test_unknown_user_cannot_be_told_from_a_wrong_password(person):
    """PEERS 5, group 17, as far as it does not need a clock."""
    romeo = person("romeo")

    def first(user):
        client = ready(romeo)
        exchange = sasl.mechanism("SCRAM-SHA-256", user, "wrong")
        client.send(request("SCRAM-SHA-256", exchange.initial()))
        outcome = sasl2.finish(client, exchange)
        assert condition(outcome) == "not-authorized" and len(outcome) == 1
        return exchange

    known, ghost, again = first(romeo.user), first("ghost"), first("ghost")
    assert ghost.salt == again.salt and len(ghost.salt) == len(known.salt) and ghost.iterations == known.iterations
