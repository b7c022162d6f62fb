"""The server under test: a router, a sessman and two c2s under their supervisor, on a disk that can be full and slow and
with a clock that jumps."""

import asyncio
import ctypes
import json
import os
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

import control                      # noqa: E402
import server as servers            # noqa: E402

ARCHIVED, PLAIN = "im.example", "plain.example"
PASSWORD = "one for all"
SYNC_US = 1500              # what a commit costs when nothing is wrong: a tmpfs would take no time
DISK_BYTES = 1 << 30

CONF = {
    "sessman.conf": "[auth]\niterations = 4096\n[limits]\nsessions_per_account = 20\n",
    "bulkhead.conf": "[restart]\npause = 200ms\n",
    "c2s.conf": "[limits]\npending_per_address = 1000\n",
}


def in_namespace():
    """Starts this program again with a mount namespace of its own, where it may mount a tmpfs without being anybody. Where
    that is not allowed False comes back: a limit of the size of files stands for the full disk."""
    if os.environ.get("SURVIVE_NAMESPACE"):
        return os.environ["SURVIVE_NAMESPACE"] == "yes"
    wrap = ["unshare", "--user", "--map-root-user", "--mount"]
    allowed = subprocess.run([*wrap, "mount", "-t", "tmpfs", "none", "/mnt"], stdin=subprocess.DEVNULL,
                             capture_output=True).returncode == 0
    os.environ["SURVIVE_NAMESPACE"] = "yes" if allowed else "no"
    if allowed:
        os.execvp(wrap[0], [*wrap, sys.executable, *sys.argv])
    print("no mount namespace here: a limit of the size of files stands for the full disk")
    return False


def die_with_parent():
    """In the child: SIGTERM when the driver dies, however it dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Installation(servers.Server):
    def __init__(self, tmpfs, processes, conf=None):
        super().__init__(domains=[ARCHIVED, PLAIN], conf={name: text for name, text in CONF.items()})
        self.tmpfs, self.processes = tmpfs, processes
        for name, text in (conf or {}).items():
            self.conf[name] = self.conf.get(name, "") + text
        self.address = None

    # -- making it ------------------------------------------------------------------------------------------------

    def init(self):
        self.mount(DISK_BYTES)
        super().init()
        conf = self.dir / "bulkhead.conf"
        text = conf.read_text()
        for name, n in self.processes.items():
            text = text.replace("%s = 1" % name, "%s = %d" % (name, n))
        conf.write_text(text)
        self.address = (self.host, self.port("c2s"))
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.dir / "shim.so", HERE / "shim.c", "-ldl"], check=True)
        self.knobs(0, SYNC_US)

    def mount(self, size):
        data = self.dir / "data"
        if self.tmpfs:
            data.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", data], check=True)

    def populate(self, accounts, friends):
        """Accounts and mutual subscriptions, by the store: all have the password of the first, which bulkheadctl makes."""
        self.run("adduser", accounts[0], PASSWORD)
        db = sqlite3.connect(self.dir / "data" / "bulkhead.db")
        db.execute("UPDATE domain SET archive = (name = ?)", (ARCHIVED,))
        local, domain = accounts[0].split("@")
        first = db.execute("SELECT id FROM account WHERE local = ? AND domain = ?", (local, domain)).fetchone()[0]
        for jid in accounts[1:]:
            local, domain = jid.split("@")
            to = db.execute("INSERT INTO account(domain, local, created_ms) VALUES(?, ?, 0)", (domain, local)).lastrowid
            columns = "hash, salt, iterations, stored, server"
            db.execute("INSERT INTO credential(account, %s) SELECT ?, %s FROM credential WHERE account = ?" % (columns, columns),
                       (to, first))
        for one, other in friends:
            for mine, theirs in ((one, other), (other, one)):
                local, domain = mine.split("@")
                db.execute("INSERT INTO roster(account, jid, name, state) SELECT id, ?, '', 1 + 2 + 32 FROM account "
                           "WHERE local = ? AND domain = ?", (theirs, local, domain))
        db.commit()
        db.close()

    def launch(self):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=4", LD_PRELOAD=str(self.dir / "shim.so"),
                   SURVIVE_SHIM=str(self.dir / "knobs"))
        with open(self.dir / "supervisor.out", "ab") as out:
            self.process = subprocess.Popen([servers.BUILD / "bulkhead", "-d", self.dir], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=env, start_new_session=True, preexec_fn=die_with_parent)

    def keep(self, to):
        """Logs, configuration and store, for who has to find out what happened."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.dir, to, ignore=lambda folder, names: [n for n in names if n == "run" or n.endswith(".so")])

    def undelivered(self):
        """Of the store of the stopped server: [(owner, body)] of what stands as not delivered to its owner."""
        db = sqlite3.connect(self.dir / "data" / "bulkhead.db")
        rows = db.execute("SELECT a.local || '@' || a.domain, CAST(j.stanza AS TEXT) FROM journal j JOIN account a ON a.id = j.owner "
                          "WHERE j.flags & 1 AND j.pos > a.delivered").fetchall()
        sound = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        return rows + ([("the store", sound)] if sound != "ok" else [])

    def remove(self):
        if self.tmpfs:
            subprocess.run(["umount", "-l", self.dir / "data"], check=False)
        super().remove()

    # -- what can be wrong ----------------------------------------------------------------------------------------

    def knobs(self, offset_s, sync_us):
        path = self.dir / "knobs"
        with open(path, "r+b" if path.exists() else "w+b") as f:
            f.write(struct.pack("qq", offset_s, sync_us))

    def disk_full(self, full):
        if not self.tmpfs:
            return self.files_full(full)
        for _ in range(20):     # the store may grow while it is looked at
            stat = os.statvfs(self.dir / "data")
            size = (stat.f_blocks - stat.f_bfree) * stat.f_frsize if full else DISK_BYTES
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", "remount,size=%d" % size, "none", self.dir / "data"],
                                  capture_output=True)
            if done.returncode == 0:
                return
        raise RuntimeError("the disk cannot be made smaller")

    def files_full(self, full):
        """Without a disk of our own: files cannot grow past what the largest of them is."""
        largest = max(path.stat().st_size for path in (self.dir / "data").iterdir())
        for pid, name in self.daemons().items():
            if "sessman" in name:
                hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (max(largest, 4096) if full else hard, hard))

    def supervisor(self):
        """{instance: what the supervisor says of it}"""
        return {p["instance"]: p for p in control.status(self, "bulkhead")["processes"]}

    def pid(self, instance):
        return self.supervisor()[instance]["pid"]

    def restart_daemon(self, instance):
        done = subprocess.run([servers.BUILD / "bulkheadctl", "-d", self.dir, "restart", instance], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError("bulkheadctl restart %s: %s" % (instance, done.stderr))

    def signal(self, pid, what):
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            pass

    def clients_of(self, pid):
        """The ports of the clients whose sockets this process holds."""
        inodes = set()
        for fd in Path("/proc/%d/fd" % pid).iterdir():
            try:
                name = os.readlink(fd)
            except OSError:
                continue
            if name.startswith("socket:["):
                inodes.add(name[8:-1])
        ports = set()
        for table in ("tcp", "tcp6"):
            for line in Path("/proc/net/" + table).read_text().splitlines()[1:]:
                field = line.split()
                if field[9] in inodes:
                    ports.add(int(field[2].rpartition(":")[2], 16))
        return ports

    async def whole(self, gone, patience):
        """Waits until every process is ready and none of those that are gone is among them."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                now = await asyncio.to_thread(self.supervisor)
                if all(p["ready"] and p["pid"] not in gone for p in now.values()):
                    self.pids = self.daemons()
                    return True
            except (OSError, AssertionError, json.JSONDecodeError):
                pass
            await asyncio.sleep(0.02)
        return False

    def sessions(self):
        """(sessions that sessman has, sessions that the c2s have)."""
        said = {name: control.status(self, name) for name in self.supervisor()}
        return (sum(s["sessions"] for name, s in said.items() if name.startswith("sessman")),
                sum(s["sessions"] for name, s in said.items() if name.startswith("c2s")))
