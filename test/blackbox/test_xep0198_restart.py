"""Stream management over a restart of the session manager (DESIGN 5): connections stay, counts go on, nothing is lost and nothing twice."""

import threading

import pytest

from client import befriend, local
from managed import authenticated, condition, managed, online
from server import poll


def bodies(client, n):
    return [client.expect("message", timeout=60).find("{jabber:client}body").text for _ in range(n)]


def logged_in(person, name=None):
    """A stream on which something may be resumed, as soon as the server takes it."""
    def attempt():
        try:
            return authenticated(person, name)
        except Exception:       # noqa: BLE001 - not yet
            return None
    return poll("a login", attempt)


@pytest.fixture
def pair(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = online(romeo, "his"), managed(juliet.login("hers", tls=False))
    befriend(his, hers)
    hers.enable()
    hers.online()
    for client in (his, hers):
        client.handled()
        client.sync()
        client.ack()
        client.handled()
    return romeo, juliet, his, hers


def test_counts_go_on(server, pair):
    """Both ways: what was acknowledged stays so, what follows has the next number."""
    _, _, his, hers = pair
    his.message(hers.jid, "before")
    hers.expect("message", body="before")
    hers.ack()
    his.handled()
    server.kill_daemon("sessman")
    his.message(hers.jid, "after")
    assert bodies(hers, 1) == ["after"]
    his.handled()
    hers.ack()
    hers.message(his.jid, "back")
    hers.expect_nothing("message")
    hers.handled()
    assert bodies(his, 1) == ["back"]
    hers.ack()
    hers.handled()
    hers.ack(hers.received + 1)
    hers.expect_stream_error("undefined-condition")


def test_what_was_not_acknowledged_is_still_there(server, pair):
    """It has arrived, so it does not come again while the connection lives; it is not forgotten when it does not."""
    _, juliet, his, hers = pair
    for n in range(5):
        his.message(hers.jid, "m%d" % n)
    assert bodies(hers, 5) == ["m%d" % n for n in range(5)]
    h = hers.received - 3
    hers.ack(h)
    his.handled()
    server.kill_daemon("sessman")
    hers.expect_nothing("message")
    hers.cut()
    again = logged_in(juliet)
    answer = again.resume_from(hers, h)
    if local(answer) == "failed":           # something that is no message stood between
        assert condition(answer) == "item-not-found" and answer.get("h") == str(hers.sent)
        again.bind("new")
        again.send("<presence/>")
    assert bodies(again, 3) == ["m2", "m3", "m4"]
    again.expect_nothing("message")


def test_what_was_acknowledged_before_a_goodbye_does_not_come_again(server, pair):
    """The client leaves while there is no session manager: the one that comes then knows what the one before was told."""
    _, juliet, his, hers = pair
    his.message(hers.jid, "heard")
    assert bodies(hers, 1) == ["heard"]
    hers.ack()
    his.handled()
    server.replace_daemon("sessman", meanwhile=lambda: hers.send("</stream:stream>"))
    again = logged_in(juliet)
    again.bind("new")
    again.send("<presence/>")
    his.message(hers.bare, "news")
    assert bodies(again, 1) == ["news"]


def test_while_it_hibernates(server, pair):
    """XEP-0198 5: resumed, and nothing is missing of what has come meanwhile, before and after the restart: in order, each once."""
    _, juliet, his, hers = pair
    hers.message(his.jid, "last word")
    hers.handled()
    hers.cut()
    his.send("<presence><status>first</status></presence>")
    for n in range(5):
        his.message(hers.jid, "m%d" % n)
    his.send("<iq type='get' id='q1' to='%s'><x xmlns='urn:x'/></iq>" % hers.jid)
    his.handled()
    server.kill_daemon("sessman")
    his.message(hers.jid, "m5")
    his.send("<presence><status>second</status></presence>")
    his.handled()
    server.kill_daemon("sessman")
    again = logged_in(juliet)
    answer = again.resume_from(hers)
    assert local(answer) == "resumed" and answer.get("h") == str(hers.sent)
    got = [el.findtext("{jabber:client}body") or el.findtext("{jabber:client}status") or el.get("id") for el in (
        again.expect(where=lambda el: local(el) in ("message", "presence", "iq")) for _ in range(9))]
    assert got == ["first", "m0", "m1", "m2", "m3", "m4", "q1", "m5", "second"]
    again.send("<iq type='result' id='q1' to='%s'/>" % his.jid)
    his.expect("iq", id="q1", type="result")
    again.ack()
    again.handled()
    again.expect_nothing()
    again.ack(again.received + 1)
    again.expect_stream_error("undefined-condition")


def test_more_than_is_kept_for_it_while_it_hibernates(server, pair):
    """It is told to begin anew, and that its own stanzas were dealt with; its messages come, each once."""
    _, juliet, his, hers = pair
    hers.message(his.jid, "last word")
    hers.handled()
    hers.cut()
    for n in range(300):
        his.send("<presence><status>%d</status></presence>" % n)
    his.message(hers.jid, "m0")
    his.handled()
    server.kill_daemon("sessman")
    again = logged_in(juliet)
    answer = again.resume_from(hers)
    assert local(answer) == "failed" and condition(answer) == "item-not-found" and answer.get("h") == str(hers.sent)
    again.bind("new")
    again.send("<presence/>")
    assert bodies(again, 1) == ["m0"]
    again.expect_nothing("message")


def test_it_ends_in_time_after_a_restart(server, people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("his", tls=False), managed(juliet.login("hers", tls=False))
    befriend(his, hers)
    his.online()
    hers.enable(max=2)
    hers.online()
    his.expect("presence", from_=hers.jid, type=None)
    hers.ack()
    hers.handled()
    hers.cut()
    his.settle()
    server.kill_daemon("sessman")
    his.expect("presence", from_=hers.jid, type="unavailable", timeout=60)


@pytest.mark.parametrize("daemons", [["sessman"], ["sessman", "router"], ["router"]], ids="+".join)
def test_killed_under_traffic(server, pair, daemons):
    """Both managed, both acknowledge all the time: every message once, in order; the sender hears that all was handled."""
    _, _, his, hers = pair
    total, begun = 2000, threading.Event()

    def send():
        for n in range(total):
            his.sock.sendall(b"<message to='%s' id='%d' type='chat'><body>%d</body></message>" % (hers.jid.encode(), n, n))
            if n == total // 4:
                begun.set()
    sender = threading.Thread(target=send)
    sender.start()
    begun.wait()
    for daemon in daemons:
        server.replace_daemon(daemon)
    got = []
    while len(got) < total:
        got.append(int(hers.expect("message", timeout=60).get("id")))
        if len(got) % 50 == 0:
            hers.ack()
    sender.join()
    server.pids = server.daemons()
    assert got == list(range(total))
    hers.expect_nothing("message")
    his.sent += total
    his.handled()
    hers.ack()
    hers.handled()


def test_everything_but_the_store_dies(server, pair):
    """c2s and sessman at once: what the client had acknowledged does not come again, all the rest comes, once."""
    _, juliet, his, hers = pair
    for n in range(4):
        his.message(hers.jid, "m%d" % n)
    assert bodies(hers, 4) == ["m%d" % n for n in range(4)]
    hers.ack(hers.received - 2)
    hers.handled()
    his.handled()
    server.replace_daemon("c2s")
    server.kill_daemon("sessman")
    again = logged_in(juliet)
    answer = again.resume_from(hers, hers.received - 2)
    if local(answer) == "failed":
        assert condition(answer) == "item-not-found"
        again.bind("new")
        again.send("<presence/>")
    assert bodies(again, 2) == ["m2", "m3"]
    again.expect_nothing("message")
