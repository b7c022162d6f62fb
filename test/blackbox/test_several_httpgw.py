"""Several httpgw processes on one host share their ports: a BOSH session is at one of them, its connections are at any (httpgw/boshpeer.h)."""

import os
import signal

import pytest

from bosh import NS_BOSH, BoshClient, Connection
from server import poll

SERVER = {"http": True, "processes": {"httpgw": 3}, "conf": {"httpgw.conf": "[bosh]\ninactivity = 20s\nwait = 2s\n"}}


class Spread(BoshClient):
    """Each request comes by a connection of its own."""

    def idle(self):
        for connection in [it for it in self.connections if it.rid is None]:
            connection.cut()
            self.connections.remove(connection)
        return super().idle()


@pytest.fixture
def spread(server, connections):
    def make(who, **how):
        it = Spread(server, **how)
        connections.append(it)
        return it.login(who.user, who.password, "web")
    return make


def relayed(server):
    return sum(int(line.rsplit(None, 1)[1]) for n in (1, 2, 3)
               for line in server.run("tell", "httpgw-%d" % n, "metrics").stdout.splitlines()
               if line.split(None, 1)[0].startswith("bulkhead_httpgw_bosh_relayed") and not line.startswith("#"))


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("hold", [0, 1, 2])
def test_a_session_whose_requests_come_to_all(server, person, spread, tls, hold):
    before = relayed(server)
    romeo, juliet = person("romeo"), person("juliet")
    his, web = juliet.login("tcp", tls=False), spread(romeo, tls=tls, hold=hold)
    web.online()
    for n in range(20 if hold else 3):
        web.message(his.jid, "from %d" % n)
        his.message(web.jid, "to %d" % n)
        his.expect("message", body="from %d" % n)
        web.expect("message", body="to %d" % n)
    web.message(web.jid, "x" * 200000)      # of whom it is known that it has a session
    assert len(web.expect("message").find("{jabber:client}body").text) == 200000
    web.end()
    assert relayed(server) > before


def test_a_lost_answer_is_sent_again_by_whichever(server, person, spread):
    romeo, juliet = person("romeo"), person("juliet")
    his, web = juliet.login("tcp", tls=False), spread(romeo)
    web.online()
    web.drain()
    rid = web.request()
    his.message(web.jid, "once")
    web.expect("message", body="once")
    for _ in range(6):
        again = web.replay(rid)
        assert [el.find("{jabber:client}body").text for el in again] == ["once"]
    web.sync()
    web.expect_nothing("message")


def test_who_has_no_session_may_say_little(server, person, spread):
    """A sid that is forged, or of one that never was: no more is read of it than of anybody, and nobody else is asked."""
    web, before = spread(person("romeo")), relayed(server)
    token, number, code = web.sid.split(".")
    web.drain()
    at = relayed(server)
    for sid in ("%s.%d.%s" % (token[:-1] + "~", int(number), code), "%s.%d.%s" % (token, int(number) % 3 + 1, code), "x.1.", "x..", "...",
                "%s.%s" % (token, number), "%s.99999999999999999999.%s" % (token, code), "%s.0.%s" % (token, code)):
        for _ in range(3):
            it = Connection(server, server.domain)
            assert it.ask("<body rid='8' sid='%s' xmlns='%s'/>" % (sid, NS_BOSH)).get("condition") == "item-not-found"
            it.post("<body rid='8' sid='%s' xmlns='%s'>%s</body>" % (sid, NS_BOSH, "x" * 20000))
            assert it.wait()[0] == 413
            it.cut()
    assert relayed(server) == at >= before
    web.ping()


def test_one_dies_and_the_sessions_of_the_others_stay(server, person, spread):
    """What was its own is nobody's, whomever it is asked; what another one has is asked for again where it was on its way by the dead one."""
    webs = [spread(person("romeo")) for _ in range(30)]
    for web in webs:
        web.drain()
        web.request()       # held, by whomever
    victim = next(pid for pid, name in server.daemons().items() if name == "bulkhead-httpgw")
    with open("/proc/%d/cmdline" % victim) as line:
        number = line.read().split("httpgw-")[1][0]
    os.kill(victim, signal.SIGKILL)
    poll("a new one", lambda: victim not in server.daemons() and len(server.daemons()) == len(server.pids))
    server.pids = server.daemons()
    mine = [web for web in webs if web.sid.split(".")[1] == number]
    assert 0 < len(mine) < len(webs), "thirty sessions are spread"
    for web in webs:
        for connection in web.connections:
            connection.cut()
        web.connections = []
        _, answer = poll("an answer", lambda: asked(web))
        assert answer == ({"type": "terminate", "condition": "item-not-found"} if web in mine else {})
        if web not in mine:
            web.ping()


def asked(web):
    """What is said to the request that may have been lost; None: the connection was."""
    try:
        return True, dict(web.replay(web.rid).attrib)
    except (OSError, AssertionError):
        return None
