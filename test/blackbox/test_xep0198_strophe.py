"""Stream management as libstrophe does it (0.12): its connection manager dies, it comes back by itself and goes on."""

import subprocess

import pytest

from server import ROOT


@pytest.fixture
def strophe(server, person, tmp_path):
    """A client over libstrophe that is online: the process, and who it is."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libstrophe"], capture_output=True, text=True, check=True)
    program = tmp_path / "strophe_sm"
    subprocess.run(["cc", "-o", program, ROOT / "test/blackbox/strophe_sm.c", *flags.stdout.split()], check=True)
    bob = person("bob")
    it = subprocess.Popen([program, bob.jid + "/strophe", bob.password, "127.0.0.1", str(server.port("c2s"))],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert it.stdout.readline() == "connected\n"
    yield it, bob
    it.kill()
    it.communicate()


def said(it):
    return it.stdout.readline().rstrip("\n")


def test_it_goes_on_at_the_next_connection_manager(server, person, strophe):
    it, bob = strophe
    ann = person("ann")
    his = ann.login("a", tls=False).online()
    address = bob.jid + "/strophe"
    his.message(address, "first")
    assert said(it) == "first"
    server.kill_daemon("c2s")
    again = ann.login("b", tls=False).online()
    for n in range(5):
        again.message(address, "m%d" % n)
    assert [said(it) for _ in range(5)] == ["m%d" % n for n in range(5)]
    it.stdin.write("%s back again\n" % again.jid)
    it.stdin.flush()
    again.expect("message", body="back again", from_=address)
    assert "ev=resumed jid=%s" % address in server.log_tail(1000)
