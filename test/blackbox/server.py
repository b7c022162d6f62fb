"""One real server for the tests: its own directory, free ports, started under its supervisor and watched."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from client import PATIENCE, Client, Closed

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BULKHEAD_BUILD", "build")

PORTS = {"c2s": 5222, "c2s_tls": 5223, "s2s": 5269, "s2s_tls": 5270, "http": 5280, "https": 5281, "component": 5347}

# What a daemon prints when it is wrong in a way that no client sees.
REPORTS = re.compile(r"ERROR: \w+Sanitizer|runtime error:|Assertion .* failed")


claims = {}     # offset: a socket whose name says that it is ours, until release() or the end of this process


def claimed(offset):
    """Whether no other test run has this offset: daemons share their ports, so two servers could both have them and not notice."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind("\0bulkhead-test-%d" % offset)
    except OSError:
        claim.close()
        return False
    claims[offset] = claim
    return True


def release(offset):
    if offset in claims:
        claims.pop(offset).close()


def free_offset():
    """A port offset at which none of the ports is taken; below the range that the kernel gives to clients."""
    for offset in random.sample(range(1000, 27000, 200), 130):
        if not claimed(offset):
            continue
        with contextlib.ExitStack() as held:
            try:
                for port in PORTS.values():
                    sock = held.enter_context(socket.socket())
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.bind(("127.0.0.1", port + offset))
                return offset
            except OSError:
                release(offset)
    raise RuntimeError("no free ports")


@contextlib.contextmanager
def running(it):
    """A server while it is needed; what was wrong with it since it started fails the test."""
    try:
        it.start()
        yield it
    finally:
        wrong = it.stop() if it.process else []
        try:
            it.check(wrong)
        finally:
            it.remove()


def poll(what, condition):
    """Waits until condition() gives something true, and gives that back."""
    deadline = time.monotonic() + PATIENCE * 2
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < deadline, "waited in vain for %s" % what
        time.sleep(0.02)


class Server:
    """Keywords are what a test module writes in its SERVER: domains, tls, register as of `bulkheadctl init`;
    s2s: whether it speaks to other servers; http: whether it speaks HTTP; processes: {daemon: how many, where it is not one};
    components: {name: secret}; conf: {file name: text to append}; files: {file name: bytes}."""

    admin_password = "the admin's own password"
    host = "127.0.0.1"      # where clients reach it

    def __init__(self, domains=("im.example",), tls="optional", register="closed", components=None, conf=None, files=None,
                 s2s=False, http=False, processes=None):
        self.domains, self.domain = list(domains), domains[0]
        self.admin = "admin@" + self.domain
        self.tls, self.register, self.s2s = tls, register, s2s
        self.processes = {"s2s": int(s2s), "httpgw": int(http), **(processes or {})}
        self.components, self.conf, self.files = components or {}, conf or {}, files or {}
        self.dir = Path(tempfile.mkdtemp(prefix="bulkhead-test-"))
        self.offset = None
        self.process = None
        self.pids = {}          # daemon processes as they were after the start or the last declared kill
        self.users = 0

    def port(self, name):
        return PORTS[name] + self.offset

    # -- commands -------------------------------------------------------------------------------------------------

    def run(self, *args, check=True):
        """bulkheadctl on this server's directory."""
        done = subprocess.run([BUILD / "bulkheadctl", "-d", self.dir, *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE * 3)
        print("bulkheadctl %s: %d\n%s%s" % (" ".join(args), done.returncode, done.stdout, done.stderr))
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def init(self):
        domains = [arg for domain in self.domains for arg in ("--domain", domain)]
        self.run("init", *domains, "--admin", self.admin, "--password", self.admin_password,
                 "--port-offset", str(self.offset), "--tls", self.tls, "--register", self.register)
        path = self.dir / "bulkhead.conf"
        for daemon, count in self.processes.items():
            path.write_text(path.read_text().replace("%s = 1" % daemon, "%s = %d" % (daemon, count)))
        for name, secret in self.components.items():
            self.configure_component(name, secret)
        for name, data in self.files.items():
            (self.dir / name).write_bytes(data)
        for name, text in self.conf.items():
            with open(self.dir / name, "a") as conf:
                conf.write("\n" + text)

    def configure_component(self, name, secret):
        with open(self.dir / "router.conf", "a") as conf:
            conf.write("\n[component %s]\nsecret = %s\n" % (name, secret))

    def adduser(self, jid, password):
        self.run("adduser", jid, password)

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self):
        for attempt in range(3):
            self.offset = free_offset()
            self.init()
            self.launch()
            if self.ready():
                return self
            self.kill()
            release(self.offset)
            shutil.rmtree(self.dir)
            self.dir.mkdir()
        raise AssertionError("the server does not start:\n" + self.log_tail())

    def launch(self):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=4", UBSAN_OPTIONS="print_stacktrace=1")
        with open(self.dir / "supervisor.out", "ab") as out:
            self.process = subprocess.Popen([BUILD / "bulkhead", "-d", self.dir], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=env, start_new_session=True)

    def ready(self):
        """Whether the server answers clients; waits until it does or is dead."""
        ok = poll("the server to answer", lambda: self.process.poll() is not None or self.answers())
        self.pids = self.daemons()
        return ok and self.process.poll() is None

    def answers(self):
        """Whether every hosted domain offers to log in, now."""
        try:
            return self.serves()
        except (OSError, AssertionError, Closed):
            return False

    def serves(self):
        for domain in self.domains:
            client = Client(self, domain=domain, name="probe")
            try:
                client.begin()
                if not client.mechanisms():
                    client.starttls().begin()
                assert client.mechanisms()
            finally:
                client.cut()
        return not self.processes.get("httpgw") or self.gateway_is_ready()

    def gateway_is_ready(self):
        with socket.create_connection((self.host, self.port("http")), timeout=PATIENCE) as sock:
            sock.sendall(b"GET /ready HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % self.domain.encode())
            return sock.recv(100).startswith(b"HTTP/1.1 200 ")

    def gateway_is_up(self):
        """The same, where it may not listen now."""
        try:
            return self.gateway_is_ready()
        except OSError:
            return False

    def restart(self):
        """Stops the server in order and starts it again on the same directory."""
        self.check(self.stop())
        self.launch()
        assert self.ready(), self.log_tail()

    def stop(self):
        """Stops the server; gives back what was wrong with it since it started, one line each."""
        wrong = []
        if self.process.poll() is None:
            now = self.daemons()
            for pid, name in self.pids.items():
                if now.get(pid) != name:
                    wrong.append("%s (pid %d) has died" % (name, pid))
            self.run("stop", check=False)
            try:
                status = self.process.wait(timeout=PATIENCE * 2)
                if status != 0:
                    wrong.append("the supervisor's exit status was %d" % status)
            except subprocess.TimeoutExpired:
                wrong.append("`bulkheadctl stop` did not stop the server")
        else:
            wrong.append("the supervisor has died with status %d" % self.process.returncode)
        self.kill()
        for path in self.log_files():
            for line in path.read_text(errors="replace").splitlines():
                if REPORTS.search(line):
                    wrong.append("%s: %s" % (path.name, line))
        return wrong

    def check(self, wrong):
        assert not wrong, "\n".join(wrong) + "\n" + self.log_tail()

    def kill(self):
        """Ends what this server started and is still there, by pid."""
        for pid in [*self.daemons(), self.process.pid]:
            if pid != self.process.pid or self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        release(self.offset)

    # -- daemons --------------------------------------------------------------------------------------------------

    def daemons(self):
        """{pid: name} of the supervisor's children."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                if int(parent) == self.process.pid and state != "Z":
                    program = (stat.parent / "cmdline").read_bytes().partition(b"\0")[0].decode()
                    found[int(stat.parent.name)] = os.path.basename(program)
        return found

    def replace_daemon(self, name, meanwhile=lambda: None):
        """Kills every process of a daemon with -9 and waits until the supervisor has replaced them; meanwhile: what is done at once."""
        victims = [pid for pid, daemon in self.daemons().items() if name in daemon]
        assert victims, "no %s among %s" % (name, self.daemons())
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        meanwhile()

        def replaced():
            now = [pid for pid, daemon in self.daemons().items() if name in daemon]
            return len(now) >= len(victims) and not set(now) & set(victims)
        poll("a new " + name, replaced)
        self.pids = self.daemons()

    def kill_daemon(self, name):
        """The same, and waits until newcomers are served: administration through the router, and clients."""
        self.replace_daemon(name)

        poll("the server to answer",
             lambda: self.run("users", self.domain, check=False).returncode == 0 and self.answers())
        self.pids = self.daemons()

    @contextlib.contextmanager
    def without(self, name):
        """A daemon takes nothing any more; after that it is killed with -9, and replaced."""
        pids = [pid for pid, daemon in self.daemons().items() if name in daemon]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
        self.kill_daemon(name)

    def log_files(self):
        return [path for pattern in ("*.out", "**/*.log", "**/asan*") for path in self.dir.glob(pattern)]

    def log_tail(self, lines=60):
        parts = []
        for path in self.log_files():
            parts.append("--- %s\n%s" % (path.name, "\n".join(path.read_text(errors="replace").splitlines()[-lines:])))
        return "\n".join(parts)
