"""A login sent with the stream header, in knowledge of the features (XEP-0509)."""

import sasl
import sasl2
from client import NS_CLIENT, NS_STREAM, NS_TLS, local, q, tls_context
from sasl2 import NS_IAP, NS_SASL2, get_token, new_agent, ready, request, token_of, use_token
from server import poll

HEADER = ("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' from='%%s' to='im.example' version='1.0'>"
          % (NS_CLIENT, NS_STREAM))


def known(value, scheme=" scheme='opaque'"):
    return "<config-version xmlns='%s'%s value='%s'/>" % (NS_IAP, scheme, value)


def learnt(who, direct_tls=True):
    """The version as a client has it from an earlier connection of the same kind."""
    client = who.connect(direct_tls=direct_tls)
    client.begin()
    if not direct_tls:
        client.starttls().begin()
    value = sasl2.version(client)
    client.cut()
    return value


def plain(who):
    return b"\0%s\0%s" % (who.user.encode(), who.password.encode())


def begin(client, who, *behind):
    """Sends the header and what is behind it in one write; gives back the answer of SASL2."""
    client.reset()
    client.send(HEADER % who.jid + "".join(behind))
    client.features = client.expect("features")
    return client.expect(where=lambda el: el.tag in (q(NS_SASL2, "success"), q(NS_SASL2, "failure")))


# -- what is told ---------------------------------------------------------------------------------------------------

def test_the_version_stays_while_the_features_do(person):
    """XEP-0509 2.1, 2.3."""
    romeo, juliet = person("romeo"), person("juliet")
    value = learnt(romeo)
    assert value and value == learnt(romeo) == learnt(juliet)
    assert learnt(romeo, direct_tls=False) == value, "it is offered the same"
    client = romeo.connect()
    client.begin()
    assert sasl2.version(client) != value, "without TLS other things are offered"


def test_the_version_changes_with_the_features(person, server):
    """An operator gives no tokens any more: who has learnt of them before must look again."""
    romeo = person("romeo")
    value = learnt(romeo)
    path = server.dir / "sessman.conf"
    before = path.read_text()
    try:
        path.write_text(before + "\n[tokens]\nenabled = no\n")
        server.run("reload")
        poll("other features", lambda: learnt(romeo) != value)
        client = romeo.connect(direct_tls=True)
        outcome = begin(client, romeo, request("PLAIN", plain(romeo), known(value)))
        assert [child.tag for child in outcome][1] == q(NS_IAP, "config-version-mismatch")
        assert sasl2.token_mechanisms(client) == []
    finally:
        path.write_text(before)
        server.run("reload")
    poll("the features as they were", lambda: learnt(romeo) == value)


# -- what is sent ---------------------------------------------------------------------------------------------------

def test_header_and_login_in_one_write(person):
    """XEP-0509 2.2: features, success and features, in this order, and a session that works."""
    romeo = person("romeo")
    client = romeo.connect(direct_tls=True)
    outcome = begin(client, romeo, request("PLAIN", plain(romeo), known(learnt(romeo)) + sasl2.bind("quick")))
    assert local(outcome) == "success" and outcome.find(q(sasl2.NS_BIND2, "bound")) is not None
    client.expect("features")
    client.message(romeo.jid + "/nobody", "to nobody")
    assert client.ping().get("type") == "result"


def test_header_and_login_behind_starttls(person):
    romeo = person("romeo")
    value = learnt(romeo)
    client = romeo.connect()
    client.begin()
    client.starttls()
    outcome = begin(client, romeo, request("PLAIN", plain(romeo), known(value) + sasl2.bind("quick")))
    assert local(outcome) == "success"
    client.expect("features")
    assert client.ping().get("type") == "result"


def test_the_first_step_of_several_may_be_pipelined(person):
    """XEP-0509 1: but no further ones."""
    romeo = person("romeo")
    exchange = sasl.mechanism("SCRAM-SHA-256", romeo.user, romeo.password)
    client = romeo.connect(direct_tls=True)
    client.reset()
    client.send(HEADER % romeo.jid + request("SCRAM-SHA-256", exchange.initial(), known(learnt(romeo)) + sasl2.bind("quick")))
    client.expect("features")
    assert local(sasl2.finish(client, exchange)) == "success"
    client.expect("features")
    assert client.ping().get("type") == "result"


def test_a_token_in_the_first_write(person):
    """XEP-0509 3, XEP-0484: the fastest way in; a new token comes with it when one is asked for."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    value = learnt(romeo)
    for _ in range(2):
        client = romeo.connect(direct_tls=True)
        initial = sasl.mechanism("HT-SHA-256-NONE", romeo.user, token).initial()
        inside = sasl2.fast(1) + sasl2.ask_token() + sasl2.bind("quick") + known(value)
        outcome = begin(client, romeo, request("HT-SHA-256-NONE", initial, inside, agent))
        assert local(outcome) == "success"
        token = token_of(outcome)[0]
        client.expect("features")
        assert client.ping().get("type") == "result"
        client.cut()


def test_a_byte_at_a_time(person):
    """Where a write ends is nothing that a stream knows of."""
    romeo = person("romeo")
    client = romeo.connect(direct_tls=True)
    client.reset()
    for byte in HEADER % romeo.jid + request("PLAIN", plain(romeo), known(learnt(romeo)) + sasl2.bind("slow")):
        client.sock.sendall(byte.encode())
    client.expect("features")
    assert local(client.expect("success")) == "success"
    client.expect("features")
    assert client.ping().get("type") == "result"


def test_without_a_version_it_is_taken_as_well(person):
    """XEP-0509 3.1: it is no error, as a version that is not needed is none."""
    romeo = person("romeo")
    client = romeo.connect(direct_tls=True)
    assert local(begin(client, romeo, request("PLAIN", plain(romeo), sasl2.bind("x")))) == "success"
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=known(sasl2.version(client), ""))
    assert local(outcome) == "success"


# -- what does not fit ----------------------------------------------------------------------------------------------

def test_another_version_is_sent_back_without_prejudice(person):
    """XEP-0509 2.2: aborted, with config-version-mismatch; nothing of it is done, no failure is counted."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    for value in ("", "other", learnt(romeo)[:-1], learnt(romeo) + "x", "&lt;" * 300):
        client = romeo.connect(direct_tls=True)
        initial = sasl.mechanism("HT-SHA-256-NONE", romeo.user, token).initial()
        inside = sasl2.fast(1, "true") + sasl2.bind("x") + known(value)
        outcome = begin(client, romeo, request("HT-SHA-256-NONE", initial, inside, agent))
        assert sasl2.condition(outcome) == "aborted" and outcome[1].tag == q(NS_IAP, "config-version-mismatch")
    again, outcome = use_token(romeo, token, agent, count=1, client=client, inside=known(sasl2.version(client)))
    assert local(outcome) == "success", "the token was not used, nor given up"


def test_versions_are_not_guessed_for_ever_on_one_stream(person):
    romeo = person("romeo")
    client = romeo.connect(direct_tls=True)
    client.begin()
    for _ in range(30):
        client.send(request("PLAIN", plain(romeo), known("no")))
        el = client.expect()
        if local(el) == "error":
            assert el[0].tag.endswith("}policy-violation")
            break
    else:
        assert False, "thirty stale attempts on one stream"


def test_nothing_else_may_be_pipelined(person):
    """XEP-0388 2.4: stanzas behind a login that is not answered yet end the stream; nothing of them is done."""
    romeo, juliet = person("romeo"), person("juliet")
    other = juliet.login("balcony").online()
    client = romeo.connect(direct_tls=True)
    client.reset()
    client.send(HEADER % romeo.jid + request("PLAIN", plain(romeo), sasl2.bind("x")) +
                "<message to='%s'><body>too early</body></message>" % other.jid)
    client.expect_stream_error("not-authorized")
    other.expect_nothing("message")


def test_starttls_is_still_a_border(person):
    """RFC 6120 5.4.3.3: a login in plain text behind <starttls/> was never seen."""
    romeo = person("romeo")
    client = romeo.connect()
    client.reset()
    client.send(HEADER % romeo.jid + "<starttls xmlns='%s'/>" % NS_TLS + request("PLAIN", plain(romeo), sasl2.bind("x")))
    client.expect("proceed")
    client.wrap_tls(client.server_name, tls_context())
    client.begin()
    assert "PLAIN" in sasl2.mechanisms(client)
