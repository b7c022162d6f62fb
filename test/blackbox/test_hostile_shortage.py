"""When the machine is short of something (group 45 of the survey; test_hostile_resource.py has more): disk, a database
that another process holds, a clock that jumps, daemons that do not run for a while. Everything goes on after it, nothing
acknowledged is lost and nothing comes twice. BLACKBOX_STOPPED: seconds for which a daemon is stopped (the survey says 60)."""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

import sasl
import server as servers
from client import NS_DELAY, error_of, q
from hostile import SANITIZED, bystanders, memory, unaffected     # noqa: F401
from roster import fetch, item, items_of, query
from server import poll

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}}
STOPPED = float(os.environ.get("BLACKBOX_STOPPED", "2"))
pytestmark = pytest.mark.usefixtures("unaffected")


def pid_of(server, name):
    return [pid for pid, daemon in server.daemons().items() if name in daemon][0]


@contextlib.contextmanager
def limited(server, daemon, what, soft):
    """A resource limit of a running daemon, for a while."""
    pid = pid_of(server, daemon)
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, before[1]))
    try:
        yield pid
    finally:
        resource.prlimit(pid, what, before)


@contextlib.contextmanager
def locked(server):
    """Another process writes to the store, and does not come to an end."""
    db = sqlite3.connect(server.dir / "data" / "bulkhead.db", isolation_level=None, timeout=20)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


@contextlib.contextmanager
def stopped(server, daemon):
    pid = pid_of(server, daemon)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


# -- disk ----------------------------------------------------------------------------------------------------------

def test_45_disk_full(server, people, bystanders):
    """What cannot be written is not acknowledged; who needs no disk goes on; with room again all of it is written."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("there").online()
    size = max(os.path.getsize(server.dir / "data" / name) for name in os.listdir(server.dir / "data"))
    with limited(server, "sessman", resource.RLIMIT_FSIZE, max(size, 4096)):
        for n in range(40):
            his.message(juliet.jid, "kept %d " % n + "x" * 20000, id="k%d" % n)
        his.send("<iq type='set' id='r'>%s</iq>" % query(item(juliet.jid)))
        bystanders.chat(kept=False)
        bystanders.chat(kept=False)
    his.expect("iq", id="r", type="result")
    assert list(items_of(fetch(his))) == [juliet.jid]
    hers = juliet.login("here")
    hers.send("<presence/>")
    got = [hers.expect("message", id="k%d" % n).get("id") for n in range(40)]
    assert got == ["k%d" % n for n in range(40)]
    hers.expect_nothing("message")


def test_45_store_locked_and_a_component_that_pours(server, person, bystanders, component):
    """Stanzas that need the store while it takes nothing: bounded, the rest refused (<resource-constraint/>)."""
    victim, clerk, far = person("victim"), person("clerk").login("desk"), component(ECHO)
    before = memory(server)
    with locked(server):
        clerk.send("<iq type='set' id='stuck'>%s</iq>" % query(item("x@im.example")))
        far.sock.settimeout(10)
        for start in range(0, 60000, 500):
            far.sock.sendall("".join("<message id='m%d' from='x@%s' to='v%d@im.example'><body>x</body></message>" % (
                n, ECHO, n) for n in range(start, start + 500)).encode())
        far.send("<iq type='get' id='end' from='x@%s' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>" % ECHO)
        refused = far.expect("message", type="error")
        assert error_of(refused)[1] in ("resource-constraint", "service-unavailable")
        bystanders.chat(kept=False)
        assert SANITIZED or memory(server) - before < 192 * 1024
    clerk.expect("iq", id="stuck", type="result")
    victim.login().settle()
    while far.pump(time.monotonic() + 0.2):
        far.inbox.clear()
    poll("the memory to be given back", lambda: SANITIZED or memory(server) - before < 32 * 1024)


def test_45_sender_gone_while_the_store_is_locked(server, people, bystanders):
    """Its connection manager died with a message under way: it is kept, in its sender's name."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony").online()
    with locked(server):
        his.send("<iq type='set' id='r'>%s</iq>" % query(item(juliet.jid)))
        his.message(juliet.jid, "farewell", id="f")
        his.message("nobody@im.example", "to nobody", id="n")
        bystanders.chat(kept=False)
        victim = pid_of(server, "c2s")
        os.kill(victim, signal.SIGKILL)
        poll("a new c2s", lambda: victim not in server.daemons() and any("c2s" in name for name in server.daemons().values()))
        poll("the old sessions to end", lambda: "edge_lost" in (server.dir / "log" / "sessman-1.log").read_text())
    server.pids = server.daemons()
    poll("the server to answer", server.ready)
    bystanders.__init__(server)
    hers = juliet.login("here")
    hers.send("<presence/>")
    got = hers.expect("message", id="f")
    assert got.get("from") == romeo.jid + "/balcony"


def test_45_resource_gone_while_its_messages_are_read(server, people):
    """The next resource gets them: the page that is under way belongs to nobody any more."""
    romeo, juliet, clerk = people("romeo", "juliet", "clerk")
    his, desk = romeo.login("there"), clerk.login("desk")
    for n in range(3):
        his.message(juliet.jid, "m%d" % n, id="m%d" % n)
    his.settle()
    one, two = juliet.login("one"), juliet.login("two")
    one.settle()
    two.settle()
    with locked(server):
        desk.send("<iq type='set' id='stuck'>%s</iq>" % query(item("x@im.example")))
        one.send("<presence/>")
        one.expect("presence", from_=one.jid)
        one.cut()
        poll("its end", lambda: "session_ended jid=%s" % one.jid in (server.dir / "log" / "sessman-1.log").read_text())
        two.send("<presence/>")
        two.expect("presence", from_=two.jid)
    for n in range(3):
        two.expect("message", id="m%d" % n)
    two.expect_nothing("message")


def test_45_stopped_while_the_store_is_locked(connections):
    """The server stops in order, with logins, stanzas, registrations and kept messages under way."""
    from conftest import Person
    it = servers.Server(register="open")
    try:
        it.start()
        romeo, juliet = (Person(it, name, it.domain, connections, "pw") for name in ("romeo", "juliet"))
        for who in (romeo, juliet):
            it.adduser(who.jid, "pw")
        his, other = romeo.login("there").online(), romeo.login("elsewhere")
        with locked(it):
            his.send("<iq type='set' id='r'>%s</iq>" % query(item(juliet.jid)))
            for to in (juliet.jid, "nobody@im.example", "x@elsewhere.example"):
                his.message(to, "under way")
                other.message(to, "under way")
            for n in range(20):
                his.send("<presence type='subscribe' to='c%d@im.example'/>" % n)
            late = juliet.connect()
            late.begin()
            late.starttls().begin()
            late.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>" % sasl.encode(b"\0juliet\0pw"))
            new = romeo.connect()
            new.begin()
            new.starttls().begin()
            new.send("<iq type='set' id='n'><query xmlns='jabber:iq:register'><username>new</username><password>pw</password>"
                     "</query></iq>")
            wrong = it.stop()
    finally:
        if it.process and it.process.poll() is None:
            it.kill()
        it.remove()
    assert not wrong, wrong


# -- daemons that do not run ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("daemon", ["router", "sessman", "c2s"])
def test_45_daemon_stopped_for_longer(server, people, bystanders, daemon, component):
    """SIGSTOP, traffic, SIGCONT: all of it arrives, in order and once; nobody is thrown out."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("there").online(), juliet.login("here").online()
    with stopped(server, daemon):
        until = time.monotonic() + STOPPED
        for n in range(50):
            his.message(hers.jid, "m%d" % n, id="m%d" % n)
            if n % 10 == 0:
                time.sleep(max(0, min(STOPPED / 5, until - time.monotonic())))
    for n in range(50):
        hers.expect("message", id="m%d" % n)
    assert not [el for el in hers.sync() if (el.get("id") or "").startswith("m")]
    his.settle()


@pytest.mark.parametrize("daemon", ["router", "sessman", "c2s"])
def test_45_daemon_stopped_while_others_log_in(server, people, bystanders, daemon):
    """The logins wait with it."""
    romeo, = people("romeo")
    client = romeo.connect()
    client.begin()
    client.starttls().begin()
    with stopped(server, daemon):
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>" % sasl.encode(
            b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())))
        time.sleep(STOPPED / 4)
    client.expect("success")


# -- the clock -----------------------------------------------------------------------------------------------------

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, ts);
    FILE *f = id == CLOCK_REALTIME ? fopen(getenv("CLOCK_OFFSET_FILE"), "r") : NULL;
    long offset = 0;
    if (f && fscanf(f, "%ld", &offset) == 1)
        ts->tv_sec += offset;
    if (f)
        fclose(f);
    return rc;
}
"""


class Jumpy(servers.Server):
    """Its daemons' wall clock is off by what a file says; the monotonic one is not."""

    def launch(self):
        (self.dir / "shim.c").write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.dir / "shim.so", self.dir / "shim.c", "-ldl"], check=True)
        self.jump(0)
        env = {"LD_PRELOAD": str(self.dir / "shim.so"), "CLOCK_OFFSET_FILE": str(self.dir / "offset")}
        os.environ.update(env)
        try:
            super().launch()
        finally:
            for name in env:
                del os.environ[name]

    def jump(self, seconds):
        (self.dir / "offset.new").write_text("%d\n" % seconds)
        os.replace(self.dir / "offset.new", self.dir / "offset")


def test_45_clock_jumps(connections):
    """A day ahead, two days back: streams, timeouts, logins and kept messages go on; stamps say what the clock says."""
    from conftest import Person
    it = Jumpy()
    try:
        it.start()
        romeo, juliet = (Person(it, name, it.domain, connections, "pw") for name in ("romeo", "juliet"))
        for who in (romeo, juliet):
            it.adduser(who.jid, "pw")
        his = romeo.login("there").online()
        stamps = []
        for n, offset in enumerate((0, 86400, -86400, 0)):
            it.jump(offset)
            his.settle()
            his.message(juliet.jid, "m%d" % n, id="m%d" % n)
            his.settle()
            hers = juliet.login("here")
            hers.send("<presence/>")
            stamps.append(hers.expect("message", id="m%d" % n).find(q(NS_DELAY, "delay")).get("stamp"))
            hers.end()
            his.settle()
        assert stamps[2] < stamps[0] < stamps[3] < stamps[1], stamps
    finally:
        wrong = it.stop() if it.process else []
        try:
            it.check(wrong)
        finally:
            it.remove()
