"""sessman dies the moment its transaction is on disk, before it could tell anybody (DESIGN 2, 5): they are told after its restart."""

import os
import subprocess

import pytest

import server as servers
from client import befriend
from conftest import Person

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int synced(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int rc = real(fd);
    if (unlink(getenv("DIE_FILE")) == 0)
        kill(getpid(), SIGKILL);
    return rc;
}

int fsync(int fd)
{
    return synced("fsync", fd);
}

int fdatasync(int fd)
{
    return synced("fdatasync", fd);
}
"""


class Mortal(servers.Server):
    """Once its file is there, the next process that has synced a file is no more."""

    def launch(self):
        (self.dir / "shim.c").write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.dir / "shim.so", self.dir / "shim.c", "-ldl"], check=True)
        env = {"LD_PRELOAD": str(self.dir / "shim.so"), "DIE_FILE": str(self.dir / "die")}
        os.environ.update(env)
        try:
            super().launch()
        finally:
            for name in env:
                del os.environ[name]

    def die_with_the_next_commit(self):
        (self.dir / "die").write_text("")

    def has_died(self):
        return not (self.dir / "die").exists()


@pytest.fixture
def mortal():
    it = Mortal(conf={"bulkhead.conf": "[restart]\npause = 100ms\n"})
    try:
        it.start()
        yield it
        servers.poll("a commit", it.has_died)
    finally:
        if it.process:
            it.stop()   # that one of them has died is no surprise
        it.remove()


@pytest.fixture
def three(mortal, connections):
    romeo, juliet, mercutio = (Person(mortal, name, mortal.domain, connections, "pw") for name in ("romeo", "juliet", "mercutio"))
    for who in (romeo, juliet, mercutio):
        mortal.adduser(who.jid, "pw")
    his, hers, third = romeo.login("balcony"), juliet.login("chamber"), mercutio.login("street")
    for one in (his, hers, third):
        one.interested()
        one.online()
    befriend(his, hers)
    for one in (his, hers, third):
        one.sync()
    return his, hers, third


def test_end_of_a_session(mortal, three):
    """RFC 6121 4.5: it is told, although the session is in the store no more."""
    his, hers, _ = three
    mortal.die_with_the_next_commit()
    his.send("</stream:stream>")
    hers.expect("presence", type="unavailable", from_=his.jid)


def test_presence(mortal, three):
    his, hers, _ = three
    mortal.die_with_the_next_commit()
    his.send("<presence><status>1</status></presence>")
    hers.expect("presence", where=lambda el: el.findtext("{jabber:client}status") == "1")
    hers.settle()
    his.settle()


def test_subscription_and_the_end(mortal, three):
    """RFC 6121 3.1.2: who has asked has left by then."""
    his, _, third = three
    mortal.die_with_the_next_commit()
    his.send("<presence to='%s' type='subscribe'/></stream:stream>" % third.bare)
    third.expect("presence", type="subscribe")
    third.settle()


def test_message_and_the_end(mortal, three):
    his, hers, _ = three
    mortal.die_with_the_next_commit()
    his.send("<message to='%s' type='chat' id='last'><body>x</body></message></stream:stream>" % hers.jid)
    hers.expect("message", id="last")
    hers.expect_nothing("message")


def test_presence_and_the_end(mortal, three):
    """RFC 6121 4.5."""
    his, hers, _ = three
    mortal.die_with_the_next_commit()
    his.send("<presence><status>1</status></presence></stream:stream>")
    hers.expect("presence", type="unavailable", from_=his.jid)
