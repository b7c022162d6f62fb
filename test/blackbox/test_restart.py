"""Daemons killed with -9 under load: what survives, and that the rest ends cleanly (DESIGN 2 and 5).

The supervisor replaces what was killed; the tests wait for the server to answer again, never for a time."""

import base64
import threading

import pytest

from client import Closed, befriend, local
from roster import fetch, item, items_of, put
from server import poll

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}, "conf": {
    "sessman.conf": "[offline]\nper_sender = 100000\n", "bulkhead.conf": "[restart]\npause = 100ms\n"}}


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

def test_clients_stay_when_sessman_is_killed(server, people):
    """DESIGN 5: the same streams go on; again and again."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    for n in range(5):
        server.kill_daemon("sessman")
        his.message(hers.jid, "still there? %d" % n)
        hers.expect("message", body="still there? %d" % n)
        assert hers.ping().get("type") == "result"
    assert his.ping().get("type") == "result"


def stanzas_of(client):
    return [el for el in client.sync() if local(el) in ("message", "presence")]


def test_nobody_hears_of_a_restart(server, people):
    """DESIGN 5: no presence storm: what has not changed is not told again, to anybody."""
    romeo, juliet, nurse = people("romeo", "juliet", "nurse")
    his, hers, other = romeo.login("balcony"), juliet.login("chamber"), nurse.login("hall")
    befriend(his, hers)
    hers.online(), other.online()
    his.send("<presence><show>away</show><priority>5</priority></presence>")
    his.send("<presence to='%s'><status>directed</status></presence>" % other.jid)
    hers.expect("presence", from_=his.jid), other.expect("presence", from_=his.jid)
    for client in (his, hers, other):
        client.settle(), client.inbox.clear()
    server.kill_daemon("sessman")
    for client in (his, hers, other):
        client.settle()
        assert not stanzas_of(client)


def test_session_is_as_it_was(server, people):
    """Presence, priority, interest in the roster, whom directed presence went to: as before."""
    romeo, juliet, nurse = people("romeo", "juliet", "nurse")
    his, hers, other = romeo.login("balcony"), juliet.login("chamber"), nurse.login("hall").online()
    befriend(his, hers)
    low = romeo.login("low").online()
    low.send("<presence><priority>1</priority></presence>")
    his.send("<presence><show>dnd</show><status>&lt;&amp;&apos;</status><priority>7</priority></presence>")
    fetch(his)
    his.send("<presence to='%s'/>" % other.jid)
    other.expect("presence", from_=his.jid)
    his.settle(), low.settle()
    server.kill_daemon("sessman")

    hers.send("<presence/>")
    seen = hers.expect("presence", from_=his.jid)
    assert {local(el): el.text for el in seen} == {"show": "dnd", "status": "<&'", "priority": "7"}
    other.message(romeo.jid, "to the highest")
    his.expect("message", body="to the highest")
    low.settle(), low.expect_nothing("message")
    assert put(low, item("new@im.example")).get("type") == "result"
    his.expect("iq", type="set")
    his.end()
    assert other.expect("presence", from_=his.jid).get("type") == "unavailable"
    assert hers.expect("presence", from_=his.jid, type="unavailable") is not None


def test_what_changes_while_sessman_is_away_arrives(server, people):
    """Presence, a client that leaves, a message: sent while nobody is there, dealt with after."""
    romeo, juliet, nurse = people("romeo", "juliet", "nurse")
    his, hers, other = romeo.login("balcony"), juliet.login("chamber").online(), nurse.login("hall")
    befriend(his, hers), befriend(other, hers)
    his.online(), other.online()
    for client in (his, hers, other):
        client.settle()
    hers.inbox.clear()
    with server.without("sessman"):
        his.send("<presence><show>away</show></presence>")
        other.message(hers.jid, "farewell")
        other.end()
    assert hers.expect("presence", from_=his.jid)[0].text == "away"
    hers.expect("message", body="farewell")
    assert hers.expect("presence", from_=other.jid).get("type") == "unavailable"
    assert len(stanzas_of(hers)) == 0


def test_login_under_way_when_sessman_is_killed(server, person):
    """RFC 6120 6.5.10: a temporary failure, or the end of the stream; never silence. The next attempt goes through."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.starttls()
    client.begin()
    with server.without("sessman"):
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>" % base64.b64encode(
            b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())).decode())
    try:
        assert local(client.expect("failure")[0]) == "temporary-auth-failure"
    except Closed:
        assert any(local(el) == "error" for el in client.inbox)
    assert logged_in_again(server, romeo, "balcony").ping().get("type") == "result"


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
    """DESIGN 5: clients stay; every message reaches the addressee, now or at the next login, once and in order."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")
    hers = juliet.login("chamber").online() if present else None
    sent, going, enough = [], threading.Event(), threading.Event()

    def send():
        while not enough.is_set():
            for n in range(len(sent), len(sent) + 50):
                his.message(juliet.jid, str(n), id=str(n))
                sent.append(n)
            assert his.ping().get("type") == "result"
            going.set()
    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(3):
        going.clear()
        assert going.wait(60)
        server.kill_daemon("sessman")
    enough.set()
    sender.join()
    his.settle()
    if not present:
        hers = juliet.login("chamber")
        hers.send("<presence/>")
    got = []
    while not got or got[-1] < sent[-1]:
        got += numbers_in([hers.expect("message", timeout=60)])
    assert got == sent
    hers.settle()
    hers.expect_nothing("message")


@pytest.mark.parametrize("daemon", ["sessman", "router"])
def test_restarted_as_asked_under_traffic(server, people, daemon):
    """DESIGN 5: a planned restart is the same path, without the kill."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    sent, going, enough = [], threading.Event(), threading.Event()

    def send():
        while not enough.is_set():
            for n in range(len(sent), len(sent) + 50):
                his.message(juliet.jid, str(n), id=str(n))
                sent.append(n)
            assert his.ping().get("type") == "result"
            going.set()
    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(3):
        going.clear()
        assert going.wait(60)
        server.run("restart", daemon)
        server.pids = server.daemons()
    enough.set()
    sender.join()
    his.settle()
    got = []
    while not got or got[-1] < sent[-1]:
        got += numbers_in([hers.expect("message", timeout=60)])
    assert got == sent
    hers.settle()
    hers.expect_nothing("message")


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


def test_request_to_a_session_that_died_with_c2s_is_answered(server, person, component):
    """RFC 6120 8.2.3: whoever asks gets an answer, here that of a resource that is not there (RFC 6121 8.5.3.2.3)."""
    hers, it = person("juliet").login("chamber").online(), component(ECHO)
    with server.without("c2s"):
        it.send("<iq type='get' id='q1' from='%s' to='%s'><x xmlns='urn:x'/></iq>" % (ECHO, hers.jid))
        it.send("<iq type='result' id='q2' from='%s' to='%s'/>" % (ECHO, hers.jid))
        it.settle()
    it.expect("iq", id="q1", error="service-unavailable", timeout=60)
    it.expect_nothing("iq", id="q2")


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
