"""The servers that can be measured: ours, and those of the distribution for comparison.

Each is started in a folder of its own on loopback ports, with open registration and without rate limits, and offers
port, tls_port, start(), stop(), cpu(), pss(). Only processes that were started here are ever ended, by their id."""
import ctypes
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

from measure import BenchError, children, cpu, process_name, pss_kib


def die_with_parent():
    """In the child: SIGTERM when the driver dies, however it dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Server:
    name = "?"

    def __init__(self, folder, domain, offset, build, settings=()):
        self.folder, self.domain, self.offset, self.build = folder, domain, offset, build
        self.settings = settings  # of ours: (file, section, option, value), written after init
        self.port, self.tls_port = 5222 + offset, 5223 + offset
        self.proc = None
        self.log = None
        self.names = {}

    def command(self):
        raise NotImplementedError

    def init(self):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self):
        self.log = open(os.path.join(self.folder, "server.out"), "ab")
        self.proc = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                     env=self.environment(), start_new_session=True,
                                     preexec_fn=die_with_parent)
        end = time.monotonic() + 30
        while True:
            if self.proc.poll() is not None:
                raise BenchError(f"{self.name} ended at once; see {self.log.name}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise BenchError(f"{self.name} does not listen on port {self.port}") from None
                time.sleep(0.1)

    def note_processes(self):
        """Once the server is up: those that are measured from here on."""
        self.names = {pid: process_name(pid) for pid in self.pids()}

    def pids(self):
        return [self.proc.pid] + children(self.proc.pid)

    def cpu(self):
        return cpu(self.names)

    def pss(self):
        return pss_kib(self.names, self.names)

    def ask_stop(self):
        self.proc.send_signal(signal.SIGTERM)

    def stop(self):
        if self.proc is None:
            return
        mine = [] if self.proc.poll() is not None else self.pids()
        if mine:
            self.ask_stop()
            try:
                self.proc.wait(timeout=30)
            except subprocess.TimeoutExpired:
                for pid in mine:
                    if pid == self.proc.pid or process_name(pid) == self.names.get(pid):
                        os.kill(pid, signal.SIGKILL)
        self.proc.wait()
        self.log.close()
        self.proc = None


def set_option(path, section, option, value):
    """Writes an option into its section, in place of what is there: none may be given twice."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    if f"[{section}]" not in lines:
        lines += ["", f"[{section}]"]
    start = lines.index(f"[{section}]") + 1
    end = next((n for n in range(start, len(lines)) if lines[n].startswith("[")), len(lines))
    lines[start:end] = [f"{option} = {value}"] + [line for line in lines[start:end]
                                                  if line.split("=")[0].strip() != option]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


# What one client may send: shapers are off here as they are for the other servers.
NO_SHAPERS = tuple((file, "limits", option, 0) for file in ("c2s.conf", "httpgw.conf") for option in ("stanza_rate", "byte_rate"))
# New passwords cost no more than they must: registering is no part of any scene, and a login does not pay for it.
QUICK_KEYS = (("sessman.conf", "auth", "iterations", 4096),)
# One sender fills one account's storage.
MANY_OFFLINE = (("sessman.conf", "limits", "offline_messages", 100000), ("sessman.conf", "offline", "per_sender", 100000))
# Files of any size, in any number.
MANY_UPLOADS = (("sessman.conf", "upload", "max_size", "100g"), ("sessman.conf", "upload", "day_bytes", 0),
                ("sessman.conf", "upload", "quota", 0))
BUCKET = re.compile(r'bulkhead_sessman_commit_seconds_bucket{[^}]*le="([0-9.e+-]+)"[^}]*} ([0-9]+)')


class Bulkhead(Server):
    name = "bulkhead"

    def tool(self, *args):
        done = subprocess.run([os.path.join(self.build, "bulkheadctl"), "-d", self.folder, *args],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise BenchError(f"bulkheadctl {args[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def commit_times(self):
        """Of the store's commits so far: seconds → how many took no longer."""
        return {float(le): int(n) for le, n in BUCKET.findall(self.tool("tell", "sessman-1", "metrics"))}

    def init(self):
        for program in ("bulkhead", "bulkheadctl"):
            if not os.access(os.path.join(self.build, program), os.X_OK):
                raise BenchError(f"{self.build}/{program} is not built")
        self.tool("init", "--domain", self.domain, "--port-offset", str(self.offset), "--tls", "optional",
                  "--register", "open")
        for file, section, option, value in (*NO_SHAPERS, *QUICK_KEYS, *MANY_OFFLINE, *MANY_UPLOADS, *self.settings):
            set_option(os.path.join(self.folder, file), section, option, value)

    def host(self, domains):
        """While it is down: domains that it hosts besides."""
        with sqlite3.connect(os.path.join(self.folder, "data", "bulkhead.db")) as db:
            db.executemany("INSERT INTO domain(name) VALUES(?)", ((name,) for name in domains))
        db.close()

    def command(self):
        return [os.path.join(self.build, "bulkhead"), "-d", self.folder]

    def crash(self, daemon):
        """Kills the processes of a daemon; the supervisor starts them again. Returns when it has."""
        gone = [pid for pid in self.pids() if process_name(pid) == daemon]
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 30
        while sum(process_name(pid) == daemon for pid in self.pids() if pid not in gone) < len(gone):
            if time.monotonic() > end:
                raise BenchError(f"{daemon} is not started again")
            time.sleep(0.05)

    def ask_stop(self):
        try:
            self.tool("stop")
        except (BenchError, subprocess.TimeoutExpired):
            super().ask_stop()


def self_signed(folder, domain):
    key, crt = os.path.join(folder, "key.pem"), os.path.join(folder, "crt.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", crt, "-days", "30", "-subj", f"/CN={domain}"],
                   check=True, capture_output=True, timeout=60)
    return key, crt


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=60)


def sign(folder, into, domain, more):
    """Writes s2s.crt and s2s.key for a domain and more names, by an authority that is made if it is not there; returns its path."""
    ca, ca_key, crt, key = (os.path.join(*p) for p in ((folder, "ca.pem"), (folder, "ca.key"), (into, "s2s.crt"), (into, "s2s.key")))
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
    if not os.path.exists(ca):
        openssl("req", "-x509", *new, "-keyout", ca_key, "-out", ca, "-subj", "/CN=bench authority")
    openssl("req", "-x509", *new, "-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", crt, "-subj", f"/CN={domain}",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in (domain, *more)))
    return ca


PROSODY = """
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
plugin_paths = {{}}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{}}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "register", "offline" }}
modules_disabled = {{ "s2s" }}
allow_registration = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
storage = "internal"
log = {{ warn = "{folder}/prosody.log" }}
ssl = {{ key = "{key}", certificate = "{crt}" }}
VirtualHost "{domain}"
"""


class Prosody(Server):
    name = "prosody"

    def init(self):
        if not shutil.which("prosody"):
            raise BenchError("prosody is not installed")
        key, crt = self_signed(self.folder, self.domain)
        os.makedirs(os.path.join(self.folder, "data"))
        with open(os.path.join(self.folder, "prosody.cfg.lua"), "w", encoding="ascii") as f:
            f.write(PROSODY.format(folder=self.folder, port=self.port, tls_port=self.tls_port, key=key, crt=crt,
                                   domain=self.domain))

    def command(self):
        return ["prosody", "--config", os.path.join(self.folder, "prosody.cfg.lua"), "-F"]


EJABBERD = """
hosts: ["{domain}"]
loglevel: error
certfiles: ["{crt}", "{key}"]
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true, max_stanza_size: 262144}}
  - {{port: {tls_port}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true, max_stanza_size: 262144}}
auth_password_format: scram
registration_timeout: infinity
modules:
  mod_roster: {{}}
  mod_ping: {{}}
  mod_disco: {{}}
  mod_offline: {{access_max_user_messages: infinity}}
  mod_register: {{access: all, access_from: all, ip_access: all}}
"""


class Ejabberd(Server):
    name = "ejabberd"

    def init(self):
        if not shutil.which("ejabberdctl"):
            raise BenchError("ejabberd is not installed")
        key, crt = self_signed(self.folder, self.domain)
        os.makedirs(os.path.join(self.folder, "spool"))
        with open(os.path.join(self.folder, "ejabberd.yml"), "w", encoding="ascii") as f:
            f.write(EJABBERD.format(port=self.port, tls_port=self.tls_port, key=key, crt=crt, domain=self.domain))

    def environment(self):
        return dict(os.environ, HOME=self.folder, EJABBERD_CONFIG_PATH=os.path.join(self.folder, "ejabberd.yml"),
                    EJABBERD_LOG_PATH=os.path.join(self.folder, "ejabberd.log"),
                    SPOOL_DIR=os.path.join(self.folder, "spool"), ERL_MAX_PORTS="60000")

    def command(self):
        lib = [os.path.join(base, d, "ebin") for base in ("/usr/lib/x86_64-linux-gnu/", "/usr/share", "/usr/lib")
               if os.path.isdir(base) for d in os.listdir(base) if d.startswith("ejabberd-")]
        return ["erl", "-noinput", "-sname", f"bench{self.offset}", "-setcookie", "bench", "+K", "true", "+P", "250000",
                "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
                "-mnesia", "dir", f'"{self.folder}/spool"', *[x for d in lib for x in ("-pa", d)],
                "-s", "ejabberd"]


SERVERS = {s.name: s for s in (Bulkhead, Prosody, Ejabberd)}
