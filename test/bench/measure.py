"""What the driver sees of processes: CPU and memory from /proc, and the load generator's phases."""
import json
import os
import select
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The run cannot go on; the text says why."""


def children(pid):
    """All descendants of a process."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="latin-1") as f:
                    parents.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def process_name(pid):
    """Name of the program, without the project's prefix."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            name = os.path.basename(f.read().split(b"\0")[0].decode(errors="replace"))
    except OSError:
        name = "?"
    return name.removeprefix("bulkhead-") or "?"


def cpu(pids):
    """{pid: (user, system, all)} in seconds. User and system come in steps of a tick, and hold the threads that have
    ended; all is exact, of the threads that are there."""
    taken = {}
    for pid in pids:
        exact = 0
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
                    exact += int(f.read().split()[0])
        except OSError as e:
            raise BenchError(f"process {pid} of the server is gone") from e
        taken[pid] = (int(fields[11]) / TICK, int(fields[12]) / TICK, exact / 1e9)
    return taken


def cpu_between(before, after, names):
    """Seconds of CPU by name of program; 'all' is the sum, 'user' and 'system' its parts."""
    if set(before) != set(after):
        raise BenchError("a process of the server was replaced during the run")
    split = {"all": 0.0, "user": 0.0, "system": 0.0}
    for pid, (user, system, exact) in after.items():
        u, s, used = user - before[pid][0], system - before[pid][1], exact - before[pid][2]
        if used < u + s - 3 / TICK:  # threads ended in between
            used = u + s
        split[names[pid]] = split.get(names[pid], 0.0) + used
        split["all"] += used
        split["system"] += used * s / (u + s) if u + s > 0 else 0.0
    split["user"] = split["all"] - split["system"]
    return split


def pss_kib(pids, names):
    """KiB of proportional set size by name of program; 'all' is the sum, 'own' the part of it that is no file's: what files'
    pages count for depends on who else has them open."""
    sizes = {"all": 0, "own": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                found = {line.split()[0]: int(line.split()[1]) for line in f if line.startswith("Pss")}
            kib = found["Pss:"]
        except (OSError, KeyError) as e:
            raise BenchError(f"process {pid} of the server is gone") from e
        sizes[names[pid]] = sizes.get(names[pid], 0) + kib
        sizes["all"] += kib
        sizes["own"] += found.get("Pss_Anon:", kib)
    return sizes


def pss_within(server, kib, seconds):
    """PSS as soon as it is no more than kib, or as it is after so many seconds: memory is given back when idle."""
    end = time.monotonic() + seconds
    while True:
        now = server.pss()
        if now["all"] <= kib or time.monotonic() >= end:
            return now
        time.sleep(0.5)


class Load:
    """One or more load generators that go through their phases together."""

    def __init__(self, commands, timeout, log):
        self.end = time.monotonic() + timeout
        self.waiting = {}
        self.results = []
        self.procs = []
        self.lines = {}
        try:
            for command in commands:
                p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
                self.procs.append(p)
                self.lines[p.stdout.fileno()] = [p, b""]
        except OSError:
            self.kill()
            raise

    def phase(self, name):
        """Waits until every generator has reached the phase; they stay in it until go()."""
        seen = 0
        while seen < len(self.procs):
            line = self._line()
            if line is None:
                raise BenchError(f"the load generator ended before its phase {name}")
            if line == f"PHASE {name}":
                seen += 1
            elif line.startswith("PHASE "):
                raise BenchError(f"the load generator is in {line}, not {name}")
            else:
                self.results.append(json.loads(line))

    def go(self):
        for p in self.procs:
            p.stdin.write(b"\n")
            p.stdin.flush()

    def finish(self):
        """The results of all, once they have ended."""
        while len(self.results) < len(self.procs):
            line = self._line()
            if line is None:
                raise BenchError("the load generator ended without a result")
            self.results.append(json.loads(line))
        for p in self.procs:
            p.wait(timeout=max(1.0, self.end - time.monotonic()))
        return self.results

    def _line(self):
        while True:
            for entry in self.lines.values():
                if b"\n" in entry[1]:
                    line, entry[1] = entry[1].split(b"\n", 1)
                    return line.decode()
            left = self.end - time.monotonic()
            if left <= 0:
                raise BenchError("the load generator did not end in time")
            if not self.lines:
                return None
            for fd in select.select(list(self.lines), [], [], left)[0]:
                data = os.read(fd, 65536)
                if data:
                    self.lines[fd][1] += data
                else:
                    del self.lines[fd]

    def kill(self):
        for p in self.procs:
            if p.poll() is None:
                p.kill()
            p.wait()
            p.stdin.close()
            p.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()


class Perf:
    """perf record over the server's processes, from start to stop, if asked for."""

    def __init__(self, path, pids):
        self.proc = subprocess.Popen(
            ["perf", "record", "-q", "-g", "-F", "1999", "-o", path, "-p", ",".join(map(str, pids))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.proc.send_signal(signal.SIGINT)
        try:
            self.proc.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
