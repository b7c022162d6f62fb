"""The supervisor and the making of an installation: bulkhead, bulkheadctl init, check, reload, status; `make run` is these."""

import json
import re
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from client import PATIENCE
from server import BUILD, free_offset, poll

SERVER = {"domains": ["im.example"]}


def ctl(folder, *args):
    return subprocess.run([BUILD / "bulkheadctl", "-d", folder, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE * 3)


def bulkhead(folder):
    """Runs the supervisor until it ends by itself."""
    return subprocess.run([BUILD / "bulkhead", "-d", folder], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE * 3)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="bulkhead-test-") as name:
        yield Path(name) / "srv"


def processes(server):
    return {p["instance"]: p for p in server.status()["bulkhead"]["processes"]}


def everything(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in folder.rglob("*")}


# -- init ----------------------------------------------------------------------------------------------------------

def test_init_makes_a_working_installation(folder):
    """`check` finds nothing wrong with what `init` made, and the generated password is printed and kept, for its owner alone."""
    done = ctl(folder, "init", "--domain", "im.example", "--admin", "boss@im.example", "--port-offset", str(free_offset()))
    assert done.returncode == 0, done.stderr
    kept = folder / "admin.password"
    assert kept.read_text().strip() in done.stdout
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    check = ctl(folder, "check")
    assert check.returncode == 0, check.stdout
    findings = json.loads(ctl(folder, "check", "--json").stdout)
    assert {f["finding"] for f in findings} <= {"ok", "warn"}
    assert any("self-signed" in f["text"] for f in findings)


def test_init_lets_nobody_else_read_secrets(folder):
    assert ctl(folder, "init", "--domain", "im.example", "--port-offset", str(free_offset())).returncode == 0
    for path in folder.rglob("*"):
        assert not path.stat().st_mode & stat.S_IRWXO or path.name in ("cert.pem",), path
    for name in ("router.conf", "c2s.conf", "sessman.conf", "bulkheadctl.conf", "tls/key.pem", "data/bulkhead.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


def test_init_leaves_an_installation_alone(folder):
    assert ctl(folder, "init", "--domain", "im.example").returncode == 0
    before = everything(folder)
    again = ctl(folder, "init", "--domain", "other.example")
    assert again.returncode == 1 and again.stderr and not again.stdout
    assert everything(folder) == before


@pytest.mark.parametrize("args", [
    [], ["--domain"], ["--domain", "a b"], ["--domain", ""], ["--domain", "im.example", "--domain", "IM.example"],
    ["--domain", "im.example", "--admin", "im.example"], ["--domain", "im.example", "--admin", "boss@other.example"],
    ["--domain", "im.example", "--password", "x"], ["--domain", "im.example", "--tls", "sometimes"],
    ["--domain", "im.example", "--port-offset", "70000"], ["--domain", "im.example", "--register", "maybe"],
    ["--domain", "im.example", "--nonsense", "1"], ["--domain", "im.example", "--port-offset", "-1"],
], ids=lambda args: " ".join(args) or "nothing")
def test_init_refuses_what_makes_no_sense(folder, args):
    """Exit code 2, a reason, and no folder."""
    done = ctl(folder, "init", *args)
    assert done.returncode == 2 and done.stderr.strip() and not done.stdout
    assert not folder.exists()


def test_exit_codes_tell_usage_from_an_absent_server(folder):
    assert ctl(folder, "init", "--domain", "im.example", "--port-offset", str(free_offset())).returncode == 0
    for command in ("status", "stop", "reload"):
        done = ctl(folder, command)
        assert done.returncode == 3 and done.stderr.strip() and not done.stdout, command
    assert ctl(folder, "nonsense").returncode == 2
    assert ctl(folder).returncode == 2
    assert ctl(folder, "status", "nonsense").returncode == 2
    assert ctl(folder, "--help").returncode == 0
    assert bulkhead(folder / "nowhere").returncode == 1


# -- check ---------------------------------------------------------------------------------------------------------

def test_check_names_what_is_wrong(folder):
    """A typo in an option, a readable secret, a missing certificate: each is found, and the exit code says so."""
    assert ctl(folder, "init", "--domain", "im.example", "--port-offset", str(free_offset())).returncode == 0
    (folder / "router.conf").chmod(0o644)
    (folder / "tls/cert.pem").unlink()
    with open(folder / "sessman.conf", "a") as conf:
        conf.write("\n[limits]\nrooster_items = 5\n")
    done = ctl(folder, "check")
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    for words in ("router.conf", "certificate", "rooster_items"):
        assert any(words in line for line in wrong), (words, done.stdout)


def test_check_and_start_name_a_port_in_use(server, folder):
    """Two servers, one port: the second says which port it is and ends; the first does not notice."""
    assert ctl(folder, "init", "--domain", "im.example", "--port-offset", str(server.offset)).returncode == 0
    check = ctl(folder, "check")
    assert check.returncode == 1
    assert re.search(r"^fail .*\b%d\b.*in use" % server.port("component"), check.stdout, re.M), check.stdout
    done = bulkhead(folder)
    assert done.returncode == 1
    assert server.serves()


# -- the running server --------------------------------------------------------------------------------------------

def test_second_start_is_refused(server):
    done = bulkhead(server.dir)
    assert done.returncode == 1
    assert "running already" in done.stderr and str(server.process.pid) in done.stderr
    assert server.serves()


def test_status_lists_what_the_supervisor_runs(server):
    running = processes(server)
    assert set(running) == {"router-1", "sessman-1", "c2s-1"}
    assert {p["pid"] for p in running.values()} == set(server.daemons())
    assert all(p["ready"] for p in running.values())


def test_counts_change_at_run_time(server):
    """Two c2s share the ports; back to one, and a client of the one that stays does not notice."""
    conf = server.dir / "bulkhead.conf"
    text = conf.read_text()
    conf.write_text(text.replace("c2s = 1", "c2s = 2"))
    server.run("reload")
    poll("a second c2s", lambda: processes(server).get("c2s-2", {}).get("ready"))
    assert server.serves()
    conf.write_text(text)
    server.run("reload")
    poll("the end of the second c2s", lambda: "c2s-2" not in processes(server))
    assert server.serves()
    server.pids = server.daemons()


def restart(server, name, check=True):
    done = server.run("restart", name, check=check)
    server.pids = server.daemons()
    return done


@pytest.mark.parametrize("name", ["router", "sessman", "c2s", "c2s-1"])
def test_restart_replaces_a_daemon(server, name):
    """It is another process, ready when the command comes back; the others are the same."""
    before = {daemon: pid for pid, daemon in server.daemons().items()}
    restart(server, name)
    after = {daemon: pid for pid, daemon in server.daemons().items()}
    changed = {daemon for daemon in before if before[daemon] != after[daemon]}
    assert changed == {"bulkhead-" + name.partition("-")[0]}
    assert server.serves()


@pytest.mark.parametrize("name", ["", "s2s", "c2s-9", "bulkhead", "x" * 100])
def test_restart_of_what_does_not_run(server, name):
    before = server.daemons()
    assert restart(server, name, check=False).returncode in (1, 2)
    assert server.daemons() == before


def test_restart_goes_one_by_one(server):
    """While one process of a daemon is started anew the others serve."""
    path = server.dir / "bulkhead.conf"
    text = path.read_text()
    path.write_text(text.replace("c2s = 1", "c2s = 3"))
    server.run("reload")
    poll("three of them", lambda: all(processes(server).get("c2s-%d" % n, {}).get("ready") for n in (1, 2, 3)))
    log = server.dir / "log" / "bulkhead.log"
    before, size = set(server.daemons()), len(log.read_text())
    restart(server, "c2s")
    steps = re.findall(r"ev=(restarting|process_ready) process=(c2s-\d)", log.read_text()[size:])
    assert steps == [(ev, "c2s-%d" % n) for n in (1, 2, 3) for ev in ("restarting", "process_ready")]
    assert len(before - set(server.daemons())) == 3
    path.write_text(text)
    server.run("reload")
    poll("one of them", lambda: sum("c2s" in d for d in server.daemons().values()) == 1)
    server.pids = server.daemons()


def test_wrong_configuration_is_refused_on_reload(server):
    """The server goes on with what it had."""
    conf = server.dir / "c2s.conf"
    text = conf.read_text()
    conf.write_text(text + "\n[limits]\nstanza_size = 12\n")
    done = server.run("reload", check=False)
    assert done.returncode == 1 and "stanza_size" in done.stderr
    assert server.serves()
    conf.write_text(text)
    server.run("reload")


def test_signals_are_passed_on(server):
    """SIGHUP reaches every daemon: each says that it has read its configuration again."""
    def reloads():
        return {path.name: path.read_text().count("ev=reloaded") for path in (server.dir / "log").glob("*-1.log")}
    before = reloads()
    server.process.send_signal(signal.SIGHUP)
    poll("all daemons to reload", lambda: all(n > before[name] for name, n in reloads().items()))
    assert server.serves()


def test_stop_ends_everything(server):
    """Exit status 0, no process left, no socket left; and the same folder starts again."""
    daemons = set(server.daemons())
    server.restart()
    assert not daemons & set(server.daemons())
    assert server.serves()
