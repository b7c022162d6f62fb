"""Two s2s of one installation (DESIGN 1), and a prosody with many domains, which can do dialback only."""

import json

import pytest

import control
from client import NS_PING
from federation import both_ways, federating, streams
from peers import Prosody, lua, running
from server import poll

OURS = "im.example"
DOMAINS = ["d%d.dialback.example" % n for n in range(8)]


def SERVER(names, ca):
    return {**federating(OURS, names, ca, "dialback", "[dns]\nloopback = yes\n", tls="required"), "processes": {"s2s": 2}}


@pytest.fixture(scope="module")
def many(names, ca, server):
    conf = "".join("VirtualHost %s\n" % lua(domain) for domain in DOMAINS)
    with running(Prosody("dialback.example", names, ca, "dialback", direct=False, tls="required", conf=conf)) as (it,):
        for domain in DOMAINS:
            names.service(domain, it.host, it.port("s2s"))
        yield it


@pytest.fixture
def romeo(person):
    return person("romeo").login().online()


def of(server, n, **like):
    """Connections of one of the two."""
    told = json.loads(control.ask(server, "s2s", "s2s-%d" % n))["connections"]
    return [c for c in told if all(c[k] == v for k, v in like.items())]


def reached(romeo, domains):
    """Each answers."""
    for domain in domains:
        assert romeo.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=domain).get("type") == "result"


def test_outgoing_is_spread(server, romeo, many):
    """By the remote domain: each is always with the same one."""
    reached(romeo, DOMAINS)
    at = {n: {c["remote"] for c in of(server, n, direction="out", state="ready")} for n in (1, 2)}
    assert at[1] and at[2] and not at[1] & at[2] and at[1] | at[2] == set(DOMAINS)


def test_people_of_both_sides(server, person, many, connections):
    """Whichever of the two their server has come to."""
    juliets = [many.person("juliet-%d" % n, connections).login().online() for n in range(2)]
    for juliet in juliets:
        both_ways(person("romeo").login().online(), juliet)


@pytest.mark.parametrize("answers", [1, 2])
def test_either_answers_for_the_keys_of_the_other(server, romeo, many, answers):
    """XEP-0220 2.4: the secret is one. Only the other's domains are connected with anew, until a question about one of its keys has come
    here: the kernel spreads them."""
    asks = 3 - answers
    reached(romeo, DOMAINS)
    domains = sorted(c["remote"] for c in of(server, asks, direction="out", state="ready"))
    before = control.counter(server, "bulkhead_s2s_verify_in", "s2s-%d" % answers)
    for attempt in range(30):
        for domain in domains:
            server.run("s2s", "close", domain)
        poll("the connections to end", lambda: not [c for c in streams(server) if c["remote"] in domains])
        reached(romeo, domains)
        assert {c["remote"] for c in of(server, asks, direction="out", auth="dialback", state="ready")} == set(domains)
        if control.counter(server, "bulkhead_s2s_verify_in", "s2s-%d" % answers) > before:
            return
    pytest.fail("none has come here")


def test_both_are_killed(server, romeo, many):
    """What was proven is proven anew."""
    reached(romeo, DOMAINS)
    server.replace_daemon("s2s")
    reached(romeo, DOMAINS)
