"""[admin] tool = no: what the router says of a control tool counts for nothing (DESIGN 1: the DMZ is not trusted)."""

from forms import ADMIN, result, run

SERVER = {"conf": {"sessman.conf": "[admin]\ntool = no\n"}}


def test_bulkheadctl_is_refused_and_an_administrator_is_not(server, admin):
    """Whoever owns the router cannot administer accounts; who has logged in as an administrator can."""
    done = server.run("users", server.domain, check=False)
    assert done.returncode == 1 and done.stderr.strip() and not done.stdout.strip()
    done = server.run("adduser", "mallory@" + server.domain, "secret", check=False)
    assert done.returncode == 1
    boss = admin.login("desk")
    numbers = result(run(boss, ADMIN + "get-registered-users-num", to=server.domain))
    assert ["1"] in numbers.values()
