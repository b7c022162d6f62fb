"""Tokens that log in without the password (XEP-0484)."""

import datetime

import pytest

import sasl2
from client import local, q
from sasl2 import NS_FAST, ask_token, condition, get_token, new_agent, ready, token_of, use_token

SERVER = dict(conf={"sessman.conf": "[tokens]\nrotate = 7d\nper_account = 3\n"})

KINDS = [("HT-SHA-256-NONE", None), ("HT-SHA-256-EXPR", "tls-exporter"), ("HT-SHA-256-ENDP", "tls-server-end-point")]


def test_what_is_offered(person):
    """XEP-0484 3.1: inside of SASL2, under TLS, with and without channel binding; early data is not taken."""
    client = ready(person("romeo"))
    fast = client.features.find(".//" + q(NS_FAST, "fast"))
    assert [el.text for el in fast] == ["HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"]
    assert fast.get("tls-0rtt") is None


@pytest.mark.parametrize("mechanism, bound", KINDS)
def test_a_token_logs_in(person, mechanism, bound):
    """XEP-0484 3.2 to 3.4: in one step, as often as wanted; the server proves that it knows the token (sasl.Token)."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent, mechanism, bound=bool(bound))
    for _ in range(2):
        client, outcome = use_token(romeo, token, agent, mechanism, bound=bound, inside=sasl2.bind("fast"))
        assert local(outcome) == "success" and token_of(outcome) is None
        assert client.jid.startswith(romeo.jid + "/fast/")
        client.expect("features")
        assert client.ping().get("type") == "result"
        client.cut()


def test_token_and_expiry(person):
    """XEP-0484 3.3: with a date (XEP-0082); never the same twice."""
    romeo = person("romeo")
    tokens = set()
    for _ in range(2):
        client = ready(romeo)
        token, expiry = token_of(sasl2.authenticate(client, romeo.user, romeo.password, inside=ask_token(), agent=new_agent()))
        tokens.add(token)
        then = datetime.datetime.fromisoformat(expiry.replace("Z", "+00:00"))
        left = then - datetime.datetime.now(datetime.timezone.utc)
        assert datetime.timedelta(days=20) < left <= datetime.timedelta(days=21)
    assert len(tokens) == 2 and all(len(token) >= 43 for token in tokens)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_whichever_way_one_logs_in_one_gets_one(person, mechanism):
    romeo, agent = person("romeo"), new_agent()
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, mechanism, ask_token() + sasl2.bind("x"), agent)
    client.cut()
    assert local(use_token(romeo, token_of(outcome)[0], agent)[1]) == "success"


@pytest.mark.parametrize("asked, agent", [("HT-SHA-256-UNIQ", True), ("PLAIN", True), ("x", True), ("HT-SHA-256-NONE", False)])
def test_no_token_for_what_is_not_offered_nor_for_who_has_no_name(person, asked, agent):
    """XEP-0484 3.2, 4.1: the login itself is none the worse for it."""
    romeo = person("romeo")
    client = ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, inside=ask_token(asked), agent=new_agent() if agent else None)
    assert local(outcome) == "success" and token_of(outcome) is None


def test_a_login_that_fails_brings_no_token(person):
    romeo = person("romeo")
    outcome = sasl2.authenticate(ready(romeo), romeo.user, "wrong", inside=ask_token(), agent=new_agent())
    assert condition(outcome) == "not-authorized" and token_of(outcome) is None


def test_a_token_may_be_asked_for_with_a_token(person):
    """XEP-0484 3.2; the old one stays good until the new one is used (3.5)."""
    romeo, agent = person("romeo"), new_agent()
    old = get_token(romeo, agent)
    client, outcome = use_token(romeo, old, agent, inside=ask_token())
    new = token_of(outcome)[0]
    client.cut()
    assert new != old
    assert local(use_token(romeo, old, agent)[1]) == "success", "the new one may not have arrived"
    assert local(use_token(romeo, new, agent)[1]) == "success"
    assert condition(use_token(romeo, old, agent)[1]) == "not-authorized"
    assert local(use_token(romeo, new, agent)[1]) == "success"


def test_a_token_that_was_never_used_gives_way_to_a_newer_one(person):
    """XEP-0484 3.5."""
    romeo, agent = person("romeo"), new_agent()
    old, lost, new = (get_token(romeo, agent) for _ in range(3))
    assert condition(use_token(romeo, lost, agent)[1]) == "not-authorized"
    assert condition(use_token(romeo, old, agent)[1]) == "not-authorized"
    assert local(use_token(romeo, new, agent)[1]) == "success"


@pytest.mark.parametrize("flag", ["1", "true"])
def test_a_token_may_be_given_up(person, flag):
    """XEP-0484 3.6: it logs in once more, and no new one comes unasked."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    client, outcome = use_token(romeo, token, agent, invalidate=flag, inside=sasl2.bind("last"))
    assert local(outcome) == "success" and token_of(outcome) is None
    client.expect("features")
    assert client.ping().get("type") == "result", "the session goes on"
    assert condition(use_token(romeo, token, agent)[1]) == "not-authorized"


def test_giving_up_a_token_for_a_new_one(person):
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    outcome = use_token(romeo, token, agent, invalidate="true", inside=ask_token())[1]
    new = token_of(outcome)[0]
    assert condition(use_token(romeo, token, agent)[1]) == "not-authorized"
    assert local(use_token(romeo, new, agent)[1]) == "success"


def test_clients_of_one_account_with_tokens_are_limited(person):
    """[tokens] per_account: the oldest goes."""
    romeo = person("romeo")
    agents = [new_agent() for _ in range(4)]
    tokens = [get_token(romeo, agent) for agent in agents]
    assert condition(use_token(romeo, tokens[0], agents[0])[1]) == "not-authorized"
    for token, agent in list(zip(tokens, agents))[1:]:
        assert local(use_token(romeo, token, agent)[1]) == "success"


def test_a_token_survives_a_restart(person, server):
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    used = get_token(romeo, other := new_agent())
    assert local(use_token(romeo, used, other, count=7)[1]) == "success"
    server.kill_daemon("sessman")
    assert local(use_token(romeo, token, agent)[1]) == "success"
    assert condition(use_token(romeo, used, other, count=7)[1]) == "not-authorized"
    assert local(use_token(romeo, used, other, count=8)[1]) == "success"


def test_the_store_has_no_token(person, server):
    """Neither in the database nor in a log."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)
    assert local(use_token(romeo, token, agent)[1]) == "success"
    for path in server.dir.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
