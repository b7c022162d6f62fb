"""bulkheadctl on an installation whose server does not run: accounts are changed in the store itself."""

import json

import pytest

from client import local


@pytest.fixture
def stopped(server):
    server.check(server.stop())
    yield server
    server.launch()
    assert server.ready(), server.log_tail()


def test_accounts_are_made_changed_and_removed(stopped, connect):
    """The same three commands with the same messages; what was done holds when the server is back."""
    jid, gone = "offline@im.example", "gone@im.example"
    stopped.run("adduser", jid, "one")
    stopped.run("adduser", gone, "one")
    again = stopped.run("adduser", jid, "two", check=False)
    assert again.returncode == 1 and "exists" in again.stderr
    stopped.run("passwd", jid, "three")
    stopped.run("deluser", gone)
    assert stopped.run("deluser", gone, check=False).returncode == 1
    assert stopped.run("passwd", gone, "x", check=False).returncode == 1
    users = stopped.run("users", "im.example").stdout.split()
    assert jid in users and gone not in users
    assert jid in json.loads(stopped.run("users", "im.example", "--json").stdout)
    assert stopped.run("adduser", "x@not-hosted.example", "x", check=False).returncode == 1
    assert stopped.run("users", "not-hosted.example", check=False).returncode == 1
    stopped.launch()
    assert stopped.ready(), stopped.log_tail()
    for password, outcome in (("one", "failure"), ("three", "success")):
        client = connect()
        client.begin()
        client.starttls().begin()
        assert local(client.authenticate("offline", password, "PLAIN")) == outcome
    stopped.check(stopped.stop())


@pytest.mark.parametrize("args", [["sessions"], ["kick", "a@im.example/x"], ["status"]])
def test_what_needs_a_running_server_says_so(stopped, args):
    """Exit status 3, and a reason."""
    done = stopped.run(*args, check=False)
    assert done.returncode == 3 and done.stderr.strip() and not done.stdout.strip()
