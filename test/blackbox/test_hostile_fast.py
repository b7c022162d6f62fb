"""Tokens in the wrong hands, at the wrong time, of the wrong kind (PEERS 5, groups 17 and 18)."""

import pytest

import sasl
import sasl2
from client import local, show
from sasl2 import ask_token, condition, fast, get_token, new_agent, ready, request, token_of, use_token

# Rates do not bind on loopback where TLS is optional. Every login by token brings a new one here.
SERVER = dict(conf={"sessman.conf": "[tokens]\nrotate = 0ms\n"}, register="open")


# -- group 18 -------------------------------------------------------------------------------------------------------

def test_replay_with_a_count_that_was_used(person):
    """XEP-0484 3.4: equal or lower fails, the next higher one does not."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    assert local(use_token(romeo, token, agent, count=5)[1]) == "success"
    for count in (5, 4, 1):
        assert condition(use_token(romeo, token, agent, count=count)[1]) == "not-authorized"
    assert local(use_token(romeo, token, agent, count=6)[1]) == "success"


def test_the_same_attempt_at_once_on_many_connections(person):
    """The count is used once, whatever the timing."""
    romeo, agent = person("romeo"), new_agent()
    clients = [ready(romeo) for _ in range(8)]
    token = get_token(romeo, agent)
    attempt = sasl.mechanism("HT-SHA-256-NONE", romeo.user, token).initial()
    for client in clients:
        client.send(request("HT-SHA-256-NONE", attempt, fast(1), agent))
    outcomes = [local(client.expect(where=lambda el: local(el) in ("success", "failure"))) for client in clients]
    assert sorted(outcomes) == ["failure"] * 7 + ["success"]


def test_another_user_agent(person):
    romeo, agent = person("romeo"), new_agent()
    other = new_agent()
    get_token(romeo, other)
    token = get_token(romeo, agent)
    for stranger in (other, new_agent()):
        assert condition(use_token(romeo, token, stranger)[1]) == "not-authorized"
    assert local(use_token(romeo, token, agent)[1]) == "success"


def test_another_account(people):
    romeo, juliet = people("romeo", "juliet")
    agent = new_agent()
    get_token(juliet, agent)
    token = get_token(romeo, agent)
    assert condition(use_token(juliet, token, agent)[1]) == "not-authorized"
    assert local(use_token(romeo, token, agent)[1]) == "success"


def test_revoked_by_a_new_password(person, server):
    """In-band (XEP-0077 3.3) and by the administrator; with all tokens of the account, and no other's."""
    romeo, juliet = person("romeo"), person("juliet")
    agents = [new_agent(), new_agent()]
    client = romeo.login("balcony")
    tokens = [get_token(romeo, agent) for agent in agents]
    hers = get_token(juliet, agents[0])
    reply = client.ask("set", "<query xmlns='jabber:iq:register'><username>%s</username><password>another</password></query>"
                       % romeo.user, to=client.server_name)
    assert reply.get("type") == "result"
    for token, agent in zip(tokens, agents):
        assert condition(use_token(romeo, token, agent)[1]) == "not-authorized"
    assert local(use_token(juliet, hers, agents[0])[1]) == "success"
    romeo.password = "another"
    token = get_token(romeo, agents[0])
    server.run("passwd", romeo.jid, "a third")
    assert condition(use_token(romeo, token, agents[0])[1]) == "not-authorized"


def test_gone_with_the_account(person, server):
    """XEP-0077 3.2: a name that is given anew does not bring the old one's tokens."""
    romeo, agent = person("romeo"), new_agent()
    client = romeo.login("balcony")
    token = get_token(romeo, agent)
    client.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    client.expect("iq", id="r", type="result")
    assert condition(use_token(romeo, token, agent)[1]) == "not-authorized"
    server.adduser(romeo.jid, romeo.password)
    assert condition(use_token(romeo, token, agent)[1]) == "not-authorized"


def test_connections_cut_in_the_middle_of_a_login(person):
    """What was asked for inline is under way in sessman when its client goes: nothing is left of it, nobody is in the way."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    inside = sasl2.bind("gone", "<enable xmlns='urn:xmpp:sm:3' resume='true'/><enable xmlns='urn:xmpp:carbons:2'/>")
    plain = b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())
    for n in range(40):
        client = ready(romeo)
        if n % 2:
            client.send(request("PLAIN", plain, ask_token() + inside, new_agent()))
        else:
            initial = sasl.mechanism("HT-SHA-256-NONE", romeo.user, token).initial()
            client.send(request("HT-SHA-256-NONE", initial, fast() + inside + "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", agent))
        if n % 3 == 0:
            client.send("<abort xmlns='%s'/>" % sasl2.NS_SASL2)
        client.cut()
    assert local(use_token(romeo, token, agent, inside=sasl2.bind("here"))[1]) == "success"


# -- of the wrong kind ----------------------------------------------------------------------------------------------

def test_a_token_is_for_the_mechanism_it_was_asked_for(person):
    """XEP-0484 3.4: no downgrade to one without channel binding, nor to another binding."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent, "HT-SHA-256-EXPR", bound=True)
    assert condition(use_token(romeo, token, agent, "HT-SHA-256-NONE")[1]) == "not-authorized"
    assert condition(use_token(romeo, token, agent, "HT-SHA-256-ENDP", bound="tls-server-end-point")[1]) == "not-authorized"
    assert local(use_token(romeo, token, agent, "HT-SHA-256-EXPR", bound="tls-exporter")[1]) == "success"


def test_a_token_on_another_channel(person):
    """The man in the middle has another channel."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent, "HT-SHA-256-EXPR", bound=True)
    client, elsewhere = ready(romeo, bound=True), ready(romeo, bound=True)
    attempt = sasl.mechanism("HT-SHA-256-EXPR", romeo.user, token, binding=elsewhere.sock.binding("tls-exporter"))
    client.send(request("HT-SHA-256-EXPR", attempt.initial(), fast(), agent))
    assert condition(client.expect("failure")) == "not-authorized"


def test_a_token_is_no_password_and_a_password_no_token(person):
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    assert condition(use_token(romeo, romeo.password, agent)[1]) == "not-authorized"
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        outcome = sasl2.authenticate(ready(romeo), romeo.user, token, mechanism, agent=agent)
        assert condition(outcome) == "not-authorized"
        assert local(ready(romeo).authenticate(romeo.user, token, mechanism)) == "failure"


def test_a_token_is_no_mechanism_of_sasl(person):
    """Nor one without saying so (XEP-0484 3.4), nor of a client without a name (4.1)."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    initial = sasl.mechanism("HT-SHA-256-NONE", romeo.user, token).initial()
    client = ready(romeo)
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-NONE'>%s</auth>" % sasl.encode(initial))
    assert condition(client.expect("failure")) == "invalid-mechanism"
    for inside, who in (("", agent), (fast(), None)):
        client.send(request("HT-SHA-256-NONE", initial, inside, who))
        assert condition(client.expect("failure")) == "malformed-request"


def test_no_token_without_tls(person):
    """XEP-0484 7; a test installation's plain text is no exception."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    client = romeo.connect()
    client.begin()
    outcome = sasl2.authenticate(client, romeo.user, token, "HT-SHA-256-NONE", fast(), agent)
    assert condition(outcome) == "invalid-mechanism"
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=ask_token(), agent=agent)
    assert local(outcome) == "success" and token_of(outcome) is None


@pytest.mark.parametrize("initial", [
    b"", b"\0", b"romeo", b"romeo\0", b"\0" + b"h" * 32, b"romeo\0" + b"h" * 31, b"romeo\0" + b"h" * 33, b"romeo" + b"\0" * 40,
    b"\xff\xfe\0" + b"h" * 32, b"r" * 2000 + b"\0" + b"h" * 32, b"romeo\0" + b"\0" * 32, b"two words\0" + b"h" * 32,
    b"romeo@im.example\0" + b"h" * 32, bytes(range(256)),
])
def test_messages_that_are_no_attempt(person, initial):
    romeo, agent = person("romeo"), new_agent()
    client = ready(romeo)
    client.send(request("HT-SHA-256-NONE", initial.replace(b"romeo", romeo.user.encode()), fast(), agent))
    assert condition(client.expect("failure")) in ("malformed-request", "not-authorized")
    assert local(sasl2.authenticate(client, romeo.user, romeo.password)) == "success", "the stream is as good as before"


@pytest.mark.parametrize("count", ["0", "-1", "2147483648", "99999999999999999999", "1e3", "", " 1", "0x1", "\u0661"])
def test_counts_that_are_none(person, count):
    """XEP-0484 3.4: a positive integer."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    assert condition(use_token(romeo, token, agent, count=count)[1]) == "malformed-request"
    assert local(use_token(romeo, token, agent, count="2147483647")[1]) == "success"


# -- rotation at its most eager (rotate = 0ms) ----------------------------------------------------------------------

def test_every_login_brings_a_new_token_and_the_chain_holds(person):
    """XEP-0484 3.5."""
    romeo, agent = person("romeo"), new_agent()
    token, seen = get_token(romeo, agent), set()
    for _ in range(5):
        seen.add(token)
        outcome = use_token(romeo, token, agent, count=1)[1]    # the count begins anew with each token
        assert local(outcome) == "success"
        old, token = token, token_of(outcome)[0]
        assert token not in seen
    assert local(use_token(romeo, token, agent)[1]) == "success"
    assert condition(use_token(romeo, old, agent)[1]) == "not-authorized"


# -- group 17, as far as it does not need a clock -------------------------------------------------------------------

def test_failures_look_alike(person):
    """Existing and missing users, with tokens and without, right and wrong beginnings: the same answer."""
    romeo, tokenless, agent = person("romeo"), person("juliet"), new_agent()
    token = get_token(romeo, agent)
    answers = set()
    for user, tried, who in ((romeo.user, "wrong", agent), (romeo.user, token[:-1] + "!", agent), (romeo.user, token, new_agent()),
                             (tokenless.user, token, agent), ("ghost", token, agent), ("ghost", "wrong", new_agent())):
        client = ready(romeo)
        client.send(request("HT-SHA-256-NONE", sasl.mechanism("HT-SHA-256-NONE", user, tried).initial(), fast(), who))
        answers.add(show(client.expect("failure")))
    assert len(answers) == 1, answers
