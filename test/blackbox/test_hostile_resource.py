"""A host that fails its daemons: stopped processes, a locked store, no file descriptors (group 45 of the survey)."""

import contextlib
import os
import resource
import signal
import socket
import sqlite3

import pytest

from client import PATIENCE
from roster import fetch, item, items_of, query
from server import poll


def pid_of(server, name):
    pid, = [pid for pid, daemon in server.daemons().items() if name in daemon]
    return pid


@pytest.mark.parametrize("daemon", ["router", "sessman", "c2s"])
def test_45_daemon_stopped_for_a_while(server, people, daemon):
    """Nothing is lost, doubled or reordered by a daemon that does not run for some time, and nobody is disconnected."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    pid = pid_of(server, daemon)
    os.kill(pid, signal.SIGSTOP)
    try:
        his.send("".join("<message to='%s' id='%d' type='chat'><body>%d</body></message>" % (hers.jid, n, n)
                         for n in range(500)))
        assert not hers.inbox and hers.recv(0.2) is None, "it is stopped indeed"
    finally:
        os.kill(pid, signal.SIGCONT)
    his.sync()
    assert [el.get("id") for el in hers.sync()] == [str(n) for n in range(500)]
    assert server.daemons() == server.pids


def test_45_store_locked(server, people):
    """While somebody holds the database, writes wait and everything else goes on; then they are done, in order."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    lock = sqlite3.connect(server.dir / "data" / "bulkhead.db", isolation_level=None, timeout=PATIENCE)
    lock.execute("BEGIN IMMEDIATE")
    try:
        his.send("".join("<iq type='set' id='r%d'>%s</iq>" % (n, query(item("c%d@im.example" % n))) for n in range(20)))
        hers.send("<message type='headline' to='%s'><body>the loop goes on</body></message>" % hers.jid)
        hers.expect("message", body="the loop goes on")     # what is kept (XEP-0160) waits for its row
        assert hers.ping().get("type") == "result"
        assert his.recv(0.2) is None, "nothing is promised that is not written"
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    for n in range(20):
        assert his.expect("iq", id="r%d" % n).get("type") == "result"
    assert len(items_of(fetch(his))) == 20


@pytest.mark.parametrize("daemon, port", [("c2s", "c2s"), ("router", "component")])
def test_45_no_file_descriptors_left(server, person, daemon, port):
    """Newcomers have to wait; who is there is served; when there is room again, all is as before."""
    romeo = person("romeo")
    client = romeo.login("balcony")
    pid = pid_of(server, daemon)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/%d/fd" % pid))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, before[1]))
    held = []
    try:
        for _ in range(40):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", server.port(port)), timeout=1))
        for _ in range(20):
            assert client.ping().get("type") == "result"
    finally:
        for sock in held:
            sock.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    poll("a new login", server.answers)
    assert romeo.login("orchard").ping().get("type") == "result"
    assert server.daemons() == server.pids
