"""What nobody archives is delivered at once and has a row of the journal only when it needs one (DESIGN 4 and 5): nothing of that is lost,
doubled or out of order, and nobody is told before it is safe. Two c2s on one port: one can stand still, or die, while the other serves."""

import contextlib
import os
import resource
import signal
import sqlite3
import threading
import time

import pytest

import control
from client import NS_DELAY, Closed, local, q
from server import poll, running
from test_journal_delivery import TwoC2s, elsewhere, numbers, read_all, serving

HINT = "<no-permanent-store xmlns='urn:xmpp:hints'/>"      # XEP-0334 4.1: not archived, kept for who is away
PING = "<iq type='get' id='%s' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>"
LIMITS = "\n[limits]\noutput = 300k\nbyte_rate = 100m\nbyte_burst = 100m\n"


class Fast(TwoC2s):
    def init(self):
        super().init()
        with open(self.dir / "c2s.conf", "a") as conf:
            conf.write(LIMITS)


@pytest.fixture(scope="module")
def server():
    with running(Fast()) as it:
        yield it


def chat(to, n, hint=HINT, body=None):
    return "<message to='%s' type='chat' id='%s'><body>%s</body>%s</message>" % (to, n, n if body is None else body, hint)


def sessman(server):
    (pid,) = [pid for pid, name in server.daemons().items() if "sessman" in name]
    return pid


def counted(server, name):
    return control.counter(server, "bulkhead_sessman_" + name, "sessman-1")


def heard(client, witness):
    """What has come to him until now; the witness is at the same c2s."""
    witness.settle()
    client.pump(time.monotonic() + 0.05)
    return client.inbox


def rows(server):
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "bulkhead.db", timeout=20)) as db:
        return db.execute("SELECT count(*) FROM journal WHERE flags < 2").fetchone()[0]


@contextlib.contextmanager
def store_stuck(server):
    """Nothing can be committed, by this process of sessman."""
    pid = sessman(server)
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def couple(server, people):
    """He and she, each at a c2s of their own; and the c2s that she is at."""
    romeo, juliet = people("romeo", "juliet")
    hers = juliet.login("chamber", tls=False).online(priority=5)
    pid = serving(server, hers)
    return elsewhere(server, romeo, "balcony", pid), hers, juliet, pid


def witness_of(server, people, pid):
    return elsewhere(server, people("nurse")[0], "kitchen", pid)


def settled(server, his):
    """All that he has sent is; the last row has gone."""
    his.settle()
    poll("the rows to go", lambda: rows(server) == 0)


@pytest.mark.parametrize("full", [True, False], ids=["full JID", "bare JID"])
def test_no_row_where_none_is_needed(server, people, full):
    his, hers, juliet, _ = couple(server, people)
    before, written = counted(server, "messages_at_once"), counted(server, "messages_at_once_journaled")
    for n in range(200):
        his.send(chat(hers.jid if full else juliet.jid, n))
        assert hers.expect("message", id=str(n)).find(q(NS_DELAY, "delay")) is None
        hers.send(chat(his.jid, n))
        his.expect("message", id=str(n))
    assert counted(server, "messages_at_once") - before >= 400
    assert counted(server, "messages_at_once_journaled") - written < 100, "but when the machine is very slow"


def test_delivered_before_and_answered_after_the_commit(server, people):
    """The answer to a ping is an acknowledgement of what was sent before it: it waits for the row that the message gets for it."""
    his, hers, _, pid = couple(server, people)
    witness = witness_of(server, people, pid)
    with store_stuck(server):
        his.send(chat(hers.jid, 1) + PING % "p" + chat(hers.jid, 2))
        hers.expect("message", id="1")
        hers.settle()
        assert not any(el.get("id") == "p" for el in heard(his, witness)), "not before it is safe"
        assert not any(el.get("id") == "2" for el in hers.inbox), "it does not overtake what waits"
    his.expect("iq", id="p", timeout=60)
    hers.expect("message", id="2", timeout=60)
    settled(server, his)


def test_an_error_is_no_earlier_than_a_ping(server, people):
    """RFC 6121 8.5.3.2.1: what answers a later message may be taken for an acknowledgement, too."""
    his, hers, _, pid = couple(server, people)
    witness = witness_of(server, people, pid)
    with store_stuck(server):
        his.send(chat(hers.jid, 1) + "<message to='%s' type='groupchat' id='e'><body>x</body></message>" % hers.bare)
        hers.expect("message", id="1")
        hers.settle()
        assert not any(el.get("id") == "e" for el in heard(his, witness))
    his.expect("message", id="e", type="error", timeout=60)
    settled(server, his)


@pytest.mark.parametrize("rounds", range(3))
def test_sessman_killed_between_delivery_and_acknowledgement(server, people, rounds):
    """Her c2s says that she had them: his sends them again, and nobody gets them again."""
    his, hers, juliet, _ = couple(server, people)
    with store_stuck(server):
        his.send("".join(chat(hers.jid if n % 2 else juliet.jid, n) for n in range(40)) + PING % "p")
        assert read_all(hers, 40) == list(range(40))
        server.kill_daemon("sessman")       # none of this was committed: all frames come again
    his.expect("iq", id="p", timeout=60)
    his.send(chat(hers.jid, 40))
    assert read_all(hers, 1) == [40]
    settled(server, his)
    hers.settle(), hers.expect_nothing("message")


def test_sessman_killed_before_it_is_read(server, people):
    """Her c2s stands still: what is on its way to her arrives once, whatever sessman has of it."""
    his, hers, _, pid = couple(server, people)
    os.kill(pid, signal.SIGSTOP)
    try:
        his.send("".join(chat(hers.jid, n) for n in range(40)) + PING % "p")
        server.replace_daemon("sessman")
    finally:
        os.kill(pid, signal.SIGCONT)
    his.expect("iq", id="p", timeout=60)
    assert read_all(hers, 40) == list(range(40))
    settled(server, his)
    hers.settle(), hers.expect_nothing("message")


@pytest.mark.parametrize("other", [True, False], ids=["another resource", "nobody else"])
def test_her_c2s_killed_before_it_has_read(server, people, other):
    """It was never acknowledged: it goes to another resource, or waits."""
    his, hers, juliet, pid = couple(server, people)
    second = elsewhere(server, juliet, "garden", pid).online(priority=1) if other else None
    os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(100):
            his.send(chat(juliet.jid, n))
        assert his.ping().get("type") == "result"
    finally:
        os.kill(pid, signal.SIGKILL)
    poll("a new c2s", lambda: pid not in server.daemons() and len(server.daemons()) == len(server.pids))
    server.pids = server.daemons()
    if other:
        assert read_all(second, 100) == list(range(100))
        second.expect_nothing("message")
        second.end()
    again = elsewhere(server, juliet, "later", 0)
    again.send("<presence/>")
    assert numbers(again.flush()) == ([] if other else list(range(100)))
    settled(server, his)


def test_a_client_that_does_not_read_is_cut_and_loses_nothing(server, people):
    """What its socket had not taken waits for the next login, as long as it took to notice."""
    his, hers, juliet, pid = couple(server, people)
    total = 400
    for n in range(total):
        his.send(chat(hers.jid if n < 5 else juliet.jid, n, body="x" * 20000))
    his.settle()
    got = []
    with contextlib.suppress(Closed):
        while True:
            got += numbers([hers.expect("message")])
    assert 0 < len(got) < total
    again = juliet.login("chamber")
    again.send("<presence/>")
    assert got + read_all(again, total - len(got)) == list(range(total))
    settled(server, his)


def test_order_of_what_is_archived_and_what_is_not(server, people):
    """One sender, one address: what goes at once and what waits for its commit keep their order."""
    his, hers, _, _ = couple(server, people)
    order = [n * 7919 % 10 for n in range(1000)]
    his.send("".join(chat(hers.jid, n, "" if order[n] < 4 else HINT) for n in range(500)))
    for n in range(500, 1000):
        his.send(chat(hers.jid, n, "" if order[n] < 4 else HINT))
    assert read_all(hers, 1000) == list(range(1000))
    hers.end()


def test_killed_and_killed_again_under_a_mixture(server, people):
    """Each once, in order, whatever kind it is of; a ping between speaks of all before it."""
    his, hers, _, _ = couple(server, people)
    sent, answered, going, enough = [], [], threading.Event(), threading.Event()

    def send():
        while not enough.is_set():
            for n in range(len(sent), len(sent) + 30):
                his.send(chat(hers.jid, n, "" if n % 11 == 0 else HINT))
                sent.append(n)
            assert his.ping().get("type") == "result"
            answered.append(sent[-1])
            going.set()
    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(4):
        going.clear()
        assert going.wait(60)
        server.kill_daemon("sessman")
    enough.set()
    sender.join()
    his.settle()
    assert read_all(hers, len(sent)) == sent
    hers.settle(), hers.expect_nothing("message")
