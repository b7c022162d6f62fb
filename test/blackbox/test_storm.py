"""A thousand clients lose the server in one moment and come back in one moment (the load generator's scene `storm`); when it is the session
manager that dies they notice nothing (DESIGN 5)."""

import json
import subprocess

import pytest

from server import BUILD

CLIENTS = 1000
# Far fewer logins at a time than clients: the others wait in the kernel's queue for their turn.
SERVER = {"domains": ("im.example",), "register": "open",
          "conf": {"c2s.conf": "[limits]\npending = 60\n", "sessman.conf": "[auth]\niterations = 4096\n"}}


def loadgen(server, scene, *options):
    return [BUILD / "loadgen", scene, "--port", str(server.port("c2s")), "--domain", server.domain, "--count", str(CLIENTS),
            "--scram-cache", server.dir / "scram", *options]


@pytest.fixture(scope="module")
def accounts(server):
    done = subprocess.run(loadgen(server, "register", "--concurrency", "32"), stdout=subprocess.PIPE, timeout=300)
    assert json.loads(done.stdout)["logins"] == CLIENTS


@pytest.mark.parametrize("daemon, kept", [("c2s", 0), ("sessman", CLIENTS)], ids=["c2s", "sessman"])
def test_nobody_fails_in_a_storm(server, accounts, daemon, kept):
    """Handshakes and logins queue; none is refused, none is closed, none takes more than a minute."""
    it = subprocess.Popen(loadgen(server, "storm", "--tls", "start", "--phases"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)
    with it:
        try:
            result = None
            for line in it.stdout:
                if line == "PHASE online\n":
                    server.kill_daemon(daemon)
                if line.startswith("PHASE "):
                    it.stdin.write("\n")
                    it.stdin.flush()
                else:
                    result = json.loads(line)
        finally:
            it.kill()
    assert (result["first_logins"], result["first_failed"]) == (CLIENTS, 0)
    assert (result["kept"], result["logins"], result["failed"], result["dropped"]) == (kept, CLIENTS, 0, 0)
