"""Two installations of ours, one another's servers: messages, IQ, presence, and what a cut or a death of a daemon does to them."""

import pytest

from client import error_of, local
from federation import Cable, befriend, federating, installation, person_of, streams, write_over

NEAR, FAR = "near.example", "far.example"
HASTE = "[queue]\nage = 5s\n[connect]\nretry = 100ms\nretry_most = 500ms\n"


@pytest.fixture(scope="module", params=["certificate", "dialback"])
def how(request):
    return request.param


@pytest.fixture(scope="module")
def server(how, names, ca):
    with installation(names, **federating(NEAR, names, ca, how, s2s=HASTE)) as it:
        yield it


@pytest.fixture(scope="module")
def far(how, names, ca):
    with installation(names, **federating(FAR, names, ca, how, s2s=HASTE)) as it:
        yield it


@pytest.fixture
def two(server, far, person, connections):
    return person("romeo").login("orchard").online(), person_of(far, connections, "juliet").login("balcony").online()


def test_messages_both_ways(two, how, server):
    romeo, juliet = two
    romeo.message(juliet.jid, "there", id="1")
    assert juliet.expect("message", body="there").get("from") == romeo.jid
    juliet.message(romeo.jid, "back", id="2")
    assert romeo.expect("message", body="back").get("from") == juliet.jid
    proven = {"certificate": "external", "dialback": "dialback"}[how]
    out = streams(server, direction="out", remote=FAR)
    assert out and all(c["auth"].startswith(proven) for c in out)


def test_queries_are_answered(two):
    romeo, juliet = two
    reply = romeo.ask("get", "<query xmlns='jabber:iq:version'/>", to=FAR)
    assert reply.get("type") == "result" and reply.get("from") == FAR
    assert error_of(romeo.ask("get", "<query xmlns='urn:none'/>", to=FAR)) == ("cancel", "service-unavailable")


def test_order_and_number(two):
    romeo, juliet = two
    for n in range(300):
        romeo.message(juliet.jid, "n", id=str(n))
    assert [juliet.expect("message", body="n").get("id") for _ in range(300)] == [str(n) for n in range(300)]


def test_large_stanza(two):
    romeo, juliet = two
    romeo.message(juliet.jid, "x" * 200000, id="large")
    assert len(juliet.expect("message", id="large").findtext("{jabber:client}body")) == 200000


def test_subscription_and_presence(two):
    romeo, juliet = two
    befriend(romeo, juliet)
    romeo.send("<presence><status>here</status></presence>")
    got = juliet.expect("presence", from_=romeo.jid)
    while got.find("{jabber:client}status") is None:
        got = juliet.expect("presence", from_=romeo.jid)
    romeo.send("<presence type='unavailable'/>")
    assert juliet.expect("presence", type="unavailable").get("from") == romeo.jid


def test_what_cannot_be_reached_comes_back(two, names):
    """With the error that names the cause; nothing answers an error."""
    romeo, _ = two
    romeo.message("x@nowhere.example", "lost", id="n")
    got = romeo.expect("message", type="error", id="n")
    assert error_of(got) == ("cancel", "remote-server-not-found")
    names.service("silent.example", "127.0.0.9", 9)
    romeo.message("x@silent.example", "lost", id="s")
    assert error_of(romeo.expect("message", type="error", id="s"))[1] in ("remote-server-timeout", "remote-server-not-found")
    romeo.send("<message type='error' to='x@nowhere.example' id='e'><error type='cancel'/></message>")
    romeo.settle()


@pytest.mark.parametrize("daemon", ["s2s", "router", "sessman"])
@pytest.mark.parametrize("where", ["near", "far"])
def test_killed_daemon(two, server, far, daemon, where):
    """Everything that was sent arrives; over the death of an s2s something may come twice (README)."""
    romeo, juliet = two
    romeo.message(juliet.bare, "first", id="first")
    juliet.expect("message", id="first")

    def send():
        for n in range(50):
            romeo.message(juliet.bare, "k", id=str(n))
    (server if where == "near" else far).replace_daemon(daemon, send)
    got = []
    while len(set(got)) < 50:
        got.append(juliet.expect("message", body="k").get("id"))
    if daemon != "s2s":
        assert got == [str(n) for n in range(50)]
    assert local(romeo.ping()) == "iq"


def test_cut_connections_lose_and_double_nothing(how, names, ca, person, connections):
    """XEP-0198 5: each stream is resumed."""
    with installation(names, **federating("cut.example", names, ca, how, s2s=HASTE)) as it:
        cable = Cable("127.0.0.1", ("127.0.0.1", it.port("s2s")))
        names.remove(names.service_name(it.domain)), names.remove(names.service_name(it.domain, True))
        names.service(it.domain, "127.0.0.1", cable.port)
        romeo, juliet = person("romeo").login().online(), person_of(it, connections, "juliet").login().online()
        assert write_over(cable, romeo, juliet) == list(range(600))
        juliet.expect_nothing("message")
        cable.close()


def test_closed_connection_is_made_again(two, server):
    romeo, juliet = two
    romeo.message(juliet.jid, "one", id="one")
    juliet.expect("message", id="one")
    assert "closed" in server.run("s2s", "close", FAR).stdout
    romeo.message(juliet.jid, "two", id="two")
    juliet.expect("message", id="two")


def test_probe_tells_each_step(two, server, how):
    done = server.run("s2s", "probe", FAR)
    assert "connected" in done.stdout and "done: ok" in done.stdout
    assert "tls:" in done.stdout
    done = server.run("s2s", "probe", "nowhere.example", check=False)
    assert done.returncode == 1 and "done: failed" in done.stdout


def test_list_is_readable(two, server):
    romeo, juliet = two
    romeo.message(juliet.jid, "one", id="list")
    juliet.expect("message", id="list")
    page = server.run("s2s").stdout
    assert FAR in page and NEAR in page
    assert server.run("s2s", "other.example").stdout == ""
