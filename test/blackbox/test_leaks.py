"""Nothing is lost in memory: the daemons under valgrind, through a round of what people do, and stopped in order. A
sanitizer build looks for leaks by itself."""

import shutil
import subprocess

import pytest

import server as servers
from client import NS_REGISTER, befriend, local
from forms import ADMIN, Command
from hostile import SANITIZED, outcome
from roster import fetch, item, put

ECHO = "echo.im.example"
DAEMONS = ("bulkhead-router", "bulkhead-c2s", "bulkhead-sessman")
# GnuTLS's and libc's own tables live as long as the process and stay reachable: no suppressions are needed.
WRAPPER = """#!/bin/sh
exec valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
    --num-callers=30 --error-exitcode=99 --log-file=%s/memcheck-%%p.out %s "$@"
"""


class Watched(servers.Server):
    """Each daemon runs under valgrind: the supervisor finds a script where it looks for its programs."""

    def launch(self):
        if SANITIZED:
            super().launch()
            return
        programs = self.dir / "bin"
        programs.mkdir(exist_ok=True)
        shutil.copy(servers.BUILD / "bulkhead", programs / "bulkhead")
        for name in DAEMONS:
            (programs / name).write_text(WRAPPER % (self.dir, servers.BUILD / name))
            (programs / name).chmod(0o755)
        with open(self.dir / "supervisor.out", "ab") as out:
            self.process = subprocess.Popen([programs / "bulkhead", "-d", self.dir], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, start_new_session=True)

    def reports(self):
        """What valgrind had to say."""
        return {path.name: path.read_text() for path in self.dir.glob("memcheck-*.out") if path.read_text().strip()}


@pytest.fixture(scope="module")
def server():
    it = Watched(register="open", components={ECHO: "secret of echo"})
    try:
        it.start()
        yield it
    finally:
        if it.process and it.process.poll() is None:
            it.stop()
        it.remove()


def test_a_round_of_everything_and_a_stop_in_order(server, people, admin, component, connect):
    """No block is lost, nothing is read or written out of its place, while people log in, chat, come and go."""
    romeo, juliet, tybalt = people("romeo", "juliet", "tybalt")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber", mechanism="PLAIN").online()
    his.interested()
    befriend(his, hers)
    his.message(hers.jid, "hello")
    hers.expect("message", body="hello")
    put(his, item("nurse@im.example", "Nurse", groups=["a", "b"]))
    put(his, item("nurse@im.example", subscription="remove"))
    his.message(tybalt.jid, "kept")
    far = component(ECHO)
    far.send("<presence type='subscribe' from='x@%s' to='%s'/><message from='x@%s' to='ghost@im.example'><body>x</body>"
             "</message>" % (ECHO, romeo.jid, ECHO))
    far.expect("message", type="error")
    his.send("<presence to='x@%s'/>" % ECHO)
    far.expect("presence")
    late = tybalt.login("street", direct_tls=True)
    late.send("<presence/>")
    late.expect("message", body="kept")
    late.end()
    for bad in ("<message><a></message>", "<stream:stream/>", "</x>", "<!DOCTYPE a>", b"\xff<"):
        outcome(tybalt.login("alley"), [bad])
    failed = connect()
    failed.begin()
    failed.starttls().begin()
    assert local(failed.authenticate("romeo", "wrong")) == "failure"
    failed.ask("set", "<query xmlns='%s'><username>paris</username><password>pw</password></query>" % NS_REGISTER)
    again = romeo.login("balcony")
    again.send("<presence/>")
    his.expect_stream_error("conflict")
    fetch(again)
    boss = admin.login("desk")
    Command(boss, ADMIN + "get-online-users-num")
    half = connect()
    half.send("<stream:stream to='im.exam")
    hers.send("<message to='%s'><body>half" % romeo.jid)
    server.run("deluser", tybalt.jid)
    server.run("reload")
    again.settle()
    assert server.stop() == []
    assert server.reports() == {}, "\n".join(server.reports().values())
