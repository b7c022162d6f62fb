"""A message is in the journal before anybody hears of it, and what a connection manager had when it died reaches somebody else, once
(DESIGN 2, 4 and 5; XEP-0160, RFC 6121 8.5). Two c2s on one port: one can stand still, or die, while the other serves."""

import contextlib
import os
import resource
import signal

import pytest

import control
import server as servers
from client import NS_DELAY, local, q
from server import poll

TOTAL = 10000


class TwoC2s(servers.Server):
    def init(self):
        super().init()
        conf = self.dir / "bulkhead.conf"
        conf.write_text(conf.read_text().replace("c2s = 1", "c2s = 2"))
        with open(self.dir / "sessman.conf", "a") as conf:
            conf.write("\n[offline]\nper_sender = %d\n" % (2 * TOTAL))


@pytest.fixture(scope="module")
def server():
    with servers.running(TwoC2s()) as it:
        yield it


def serving(server, client):
    """The process at the other end of a client's connection."""
    port = "%04X" % client.sock.getsockname()[1]
    rows = [line.split() for name in ("tcp", "tcp6") for line in open("/proc/net/" + name)]
    inodes = {"socket:[%s]" % row[9] for row in rows if row[2].endswith(":" + port)}       # by the remote end
    for pid, name in server.daemons().items():
        if "c2s" not in name:
            continue
        for fd in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(OSError):
                if os.readlink("/proc/%d/fd/%s" % (pid, fd)) in inodes:
                    return pid
    raise AssertionError("nobody serves it")


def elsewhere(server, who, resource, pid):
    """A login that another process than this one serves."""
    for _ in range(100):
        client = who.login(resource, tls=False)
        if serving(server, client) != pid:
            return client
        client.end()
    raise AssertionError("the kernel gives them all to one")


def numbers(stanzas):
    return [int(el.get("id")) for el in stanzas if local(el) == "message" and el.get("type") != "error"]


def read_all(client, total):
    """Numbered messages until so many have come, or none comes any more."""
    got = []
    while len(got) < total:
        got.append(int(client.expect("message", timeout=60).get("id")))
    return got


def test_committed_before_it_is_acknowledged_and_delivered(server, people):
    """DESIGN 3: while the store cannot commit, the addressee who is there does not get it, and the ping behind it is not answered."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    data = server.dir / "data"
    size = max(os.path.getsize(data / name) for name in os.listdir(data))
    (pid,) = [pid for pid, name in server.daemons().items() if "sessman" in name]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        his.message(hers.jid, "x" * 5000, id="first")
        his.send("<iq type='get' id='p' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % server.domain)
        poll("the store to fail", lambda: "store_failing" in server.log_tail(1000))
        assert size and not [el for el in hers.sync() if local(el) == "message"], "she is served, and has not got it"
        assert not any(el.get("id") == "p" for el in his.inbox)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert hers.expect("message", id="first", timeout=60).find(q(NS_DELAY, "delay")) is None
    his.expect("iq", id="p", timeout=60)
    hers.expect_nothing("message")


@pytest.mark.parametrize("other", [True, False], ids=["another resource", "nobody else"])
def test_what_a_killed_edge_had_reaches_somebody_once(server, people, other):
    """DESIGN 5: it was not acknowledged by the edge, so it is delivered again: to another resource, or at the next login."""
    romeo, juliet = people("romeo", "juliet")
    hers = juliet.login("chamber", tls=False).online(priority=5)
    pid = serving(server, hers)
    his = elsewhere(server, romeo, "balcony", pid)
    second = elsewhere(server, juliet, "garden", pid).online(priority=1) if other else None
    his.message(hers.jid, "seen", id="1000")
    hers.expect("message", id="1000")
    hers.settle()
    os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(300):
            his.message(juliet.jid, str(n), id=str(n))
        assert his.ping().get("type") == "result", "it is acknowledged: the journal has it"
    finally:
        os.kill(pid, signal.SIGKILL)
    poll("a new c2s", lambda: pid not in server.daemons() and len(server.daemons()) == len(server.pids))
    server.pids = server.daemons()
    if other:
        assert read_all(second, 300) == list(range(300))
        second.expect_nothing("message")
        second.end()
    again = elsewhere(server, juliet, "later", 0)
    again.send("<presence/>")
    assert numbers(again.flush()) == ([] if other else list(range(300)))


def test_a_burst_on_login_leaves_others_alone(server, people):
    """10,000 messages that waited: a page at a time is on its way to an edge, whatever that does, and others chat meanwhile."""
    romeo, juliet, nurse, peter = people("romeo", "juliet", "nurse", "peter")
    probe = juliet.login("probe", tls=False)
    pid = serving(server, probe)
    his = elsewhere(server, romeo, "balcony", pid)
    for n in range(TOTAL):
        his.message(juliet.jid, str(n), id=str(n))
    assert his.ping().get("type") == "result"
    one, two = elsewhere(server, nurse, "a", pid).online(), elsewhere(server, peter, "b", pid).online()
    probe.send("<presence/>")
    probe.expect("message", id="0")
    os.kill(pid, signal.SIGSTOP)        # in the middle of it, for all that sessman knows
    try:
        for n in range(200):
            one.message(two.jid, "ping %d" % n)
            two.expect("message", body="ping %d" % n)
            two.message(one.jid, "pong %d" % n)
            one.expect("message", body="pong %d" % n)
        unacked = [node["unacked_bytes"] for node in links(control.status(server, "sessman-1"))]
        assert unacked and max(unacked) < 200 * 1000, "no more than a page waits for it"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert read_all(probe, TOTAL - 1) == list(range(1, TOTAL))
    probe.expect_nothing("message")


def links(status):
    """Every object of a status that says how many bytes wait for somebody."""
    if isinstance(status, dict):
        if "unacked_bytes" in status:
            yield status
        for value in status.values():
            yield from links(value)
    elif isinstance(status, list):
        for value in status:
            yield from links(value)
