"""Daemons killed with -9 under load: what survives, and that the rest ends cleanly (DESIGN 2 and 5).

The supervisor replaces what was killed; the tests wait for the server to answer again, never for a time."""

import threading

import pytest

from client import Closed, befriend, local
from roster import fetch, item, items_of, put
from server import poll

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}, "conf": {"sessman.conf": "[offline]\nper_sender = 100000\n"}}


def numbers_in(stanzas):
    return [int(el.get("id")) for el in stanzas if el.tag.endswith("}message") and el.get("id").isdigit()]


def logged_in_again(server, who, resource):
    """A new login, as soon as the server takes it."""
    def attempt():
        try:
            return who.login(resource)
        except (OSError, Closed, AssertionError):
            return None
    return poll("a login", attempt)


# -- router --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("run", [1, 2, 3])
def test_router_killed_under_traffic(server, people, run):
    """DESIGN 5: clients stay connected; every message arrives, once, in order."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    total, sent = 4000, threading.Event()

    def send():
        for n in range(total):
            his.sock.sendall(b"<message to='%s' id='%d' type='chat'><body>%d</body></message>" % (
                hers.jid.encode(), n, n))
            if n == total // 4:
                sent.set()
    sender = threading.Thread(target=send)
    sender.start()
    sent.wait()
    server.kill_daemon("router")
    got = []
    while not got or got[-1] < total - 1:
        got += numbers_in([hers.expect("message", timeout=60)])
    sender.join()
    assert got == list(range(total))
    hers.expect_nothing("message")
    assert his.ping().get("type") == "result", "neither has been disconnected"


def test_login_after_the_router_was_killed(server, people):
    """DESIGN 5: names are bound again without anybody's help."""
    romeo, juliet = people("romeo", "juliet")
    old = romeo.login("balcony").online()
    server.kill_daemon("router")
    new = logged_in_again(server, juliet, "chamber")
    new.message(old.jid, "still there?")
    old.expect("message", body="still there?", timeout=60)


def test_component_after_the_router_was_killed(server, person, component):
    """XEP-0114: its stream ends with the router; it connects again as ever."""
    it = component(ECHO)
    server.kill_daemon("router")
    it.expect_eof()

    def again():
        try:
            return component(ECHO)
        except (OSError, Closed, AssertionError):
            return None
    it = poll("the component's return", again)
    his = logged_in_again(server, person("romeo"), "balcony")
    his.message("x@" + ECHO, "back?")
    it.expect("message", body="back?", timeout=60)


# -- sessman -------------------------------------------------------------------------------------------------------

def test_sessman_killed_ends_sessions_cleanly(server, people):
    """RFC 6120 4.9.1.1: sessions may be dropped with it, but by a stream error and an end tag, not by silence."""
    romeo, juliet = people("romeo", "juliet")
    clients = [romeo.login("balcony").online(), juliet.login("chamber")]
    server.kill_daemon("sessman")
    for client in clients:
        try:
            client.sync()
        except Closed:
            pass
        else:
            continue                # the session was carried over: as good, or better
        assert client.ended or any(local(el) == "error" for el in client.inbox)
    new = logged_in_again(server, romeo, "balcony")
    assert new.ping().get("type") == "result"


def test_nothing_acknowledged_is_lost_with_sessman(server, people):
    """DESIGN 5: a roster set that was answered, messages that a ping came back behind: they are there after it."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")
    for n in range(30):
        assert put(his, item("friend%d@im.example" % n, "name %d" % n, ["g"])).get("type") == "result"
        his.message(juliet.jid, str(n), id=str(n))
    assert his.ping().get("type") == "result"
    server.kill_daemon("sessman")

    again = logged_in_again(server, romeo, "balcony")
    assert set(items_of(fetch(again))) == {"friend%d@im.example" % n for n in range(30)}
    hers = logged_in_again(server, juliet, "chamber")
    hers.send("<presence/>")
    assert numbers_in(hers.flush()) == list(range(30))


@pytest.mark.parametrize("present", [False, True], ids=["addressee away", "addressee there"])
def test_sessman_killed_under_traffic(server, people, present):
    """DESIGN 5: each message behind which a ping came back reaches the addressee, now or at the next login, once."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")
    hers = juliet.login("chamber").online() if present else None
    answered, going = [], threading.Event()

    def send():
        for n in range(100000):
            try:
                his.message(juliet.jid, str(n), id=str(n))
                assert his.ping().get("type") == "result"
            except (OSError, Closed, AssertionError):
                return
            answered.append(n)
            if n == 200:
                going.set()
    sender = threading.Thread(target=send)
    sender.start()
    assert going.wait(60)
    server.kill_daemon("sessman")
    sender.join()
    got = []
    if hers:
        hers.expect_eof()
        got = numbers_in(hers.inbox)
    hers = logged_in_again(server, juliet, "chamber")
    hers.send("<presence/>")
    got += numbers_in(hers.flush())
    assert got == sorted(set(got)), "none twice, all in order"
    assert set(answered) <= set(got)


def test_subscriptions_and_passwords_survive_sessman(server, people):
    """DESIGN 4: every write that the user was told about has been committed."""
    romeo, juliet = people("romeo", "juliet")
    befriend(romeo.login("balcony"), juliet.login("chamber"))
    server.kill_daemon("sessman")
    his = logged_in_again(server, romeo, "balcony")
    assert items_of(fetch(his))[juliet.jid].subscription == "both"
    hers = logged_in_again(server, juliet, "chamber")
    his.online()
    hers.send("<presence/>")
    hers.expect("presence", from_=his.jid)


def test_accounts_can_be_made_after_sessman_was_killed(server, people):
    """The command's way through the router leads to the new one."""
    server.kill_daemon("sessman")

    def made():
        return server.run("adduser", "late@im.example", "pw", check=False).returncode == 0
    poll("adduser", made)


# -- c2s -----------------------------------------------------------------------------------------------------------

def test_c2s_killed_clients_come_back(server, people):
    """DESIGN 5: the sockets end; sessman forgets the sessions; who comes back is the only one of his name."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    his.online(), hers.online()
    server.kill_daemon("c2s")
    his.expect_eof(), hers.expect_eof()
    his = logged_in_again(server, romeo, "balcony")
    hers = logged_in_again(server, juliet, "garden")
    his.online(), hers.online()
    his.sync()
    his.message(juliet.jid, "once", id="once")
    his.settle()
    assert len([el for el in hers.sync() if el.get("id") == "once"]) == 1
    his.send("<presence type='unavailable'/><presence/>")
    seen = {el.get("from") for el in his.sync() if el.tag.endswith("}presence") and el.get("type") is None}
    assert juliet.jid + "/chamber" not in seen, "no ghost of the session that died"


def test_message_for_a_session_that_died_with_c2s_is_not_lost(server, people):
    """RFC 6121 8.5.3.2.1: to the bare JID it waits for the next login."""
    romeo, juliet = people("romeo", "juliet")
    hers = juliet.login("chamber").online()
    server.kill_daemon("c2s")
    hers.expect_eof()
    his = logged_in_again(server, romeo, "balcony")
    his.message(juliet.jid, "wait for me", id="w")
    his.settle()
    hers = logged_in_again(server, juliet, "chamber")
    hers.send("<presence/>")
    hers.expect("message", id="w")


def test_whole_server_restarted_in_order(server, people):
    """RFC 6120 4.9.3.20: <system-shutdown/> to everybody, and all is there again."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    his.online()
    server.restart()
    his.expect_stream_error("system-shutdown")
    his = romeo.login("balcony")
    assert items_of(fetch(his))[juliet.jid].subscription == "both"
