#!/usr/bin/python3
"""Measures a server against its budgets: CPU and memory of its processes for work that clients really ask for.

  run.py [--quick] [--only SCENE]... [--server bulkhead|prosody|ejabberd] [--sessions N[,N...]] [--json FILE]

Starts the server in a folder of its own, makes accounts and rosters in band, runs the scenes of the load generator,
reads /proc before and after each, and prints one table; the same figures go to a JSON file. CPU is user and system
time of all processes of the server together, memory the sum of their PSS, kernel socket buffers apart.

Scenes: idle (memory of a session, plain and TLS; all log in, some chat beside them, all leave), churn (20,000 clients
come and leave: what memory stays), storm (c2s is killed with -9 and all clients come back at once; sessman is killed and nobody is to notice),
login (contacts away), chat1, chat16, rate, presence, offline (with archiving off), archived (chat and rate again, archived for
both sides), burst (10,000 offline messages for one account beside a chat), mam (pages out of an archive of --rows), expiry
(100,000 rows past their age beside 1,000 messages a second), upload (a file of --mib up and down, plain and TLS), web (WebSockets and BOSH sessions:
logins, chat, and --web of both at the same time on one gateway), s2s (chat and rate between two installations of ours), domains (1,000 other
servers at once), relay (the floor: the same traffic through a bare TCP relay). What the server burns is measured, not the load generator, but they share the cores: latencies are those of a
machine that runs both.
Exit code: 0; 1 if a scene failed; 3 with --enforce if a budget was missed."""
import argparse
import json
import math
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from archive import DAY_MS, Asker, archive_switch, fill, rows_left
from federation import Federation
from measure import BenchError, Load, Perf, cpu, cpu_between, pss_within
from servers import SERVERS
from table import table
from upload import Peak, Uploader, get, put
from web import Web

HERE = os.path.dirname(os.path.abspath(__file__))
SCENES = ("idle", "churn", "storm", "login", "chat1", "chat16", "rate", "presence", "offline", "archived", "burst", "mam", "expiry", "upload", "web", "s2s", "domains", "relay")
NO_SERVER = {"s2s", "domains", "relay"}  # they start what they need
ARCHIVE_SCENES = {"archived", "burst", "mam", "expiry"}
OWN_SCENES = ARCHIVE_SCENES | {"upload", "web"}
CONTACTS = 25
BLOCK = CONTACTS + 1
PER_GENERATOR = 15000 // BLOCK * BLOCK  # a generator has one open file per client, as the server has
SETTING = re.compile(r"([\w.-]+):([^=]+)\.([\w-]+)=(.*)")


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.figures, self.splits, self.raw, self.failures = {}, {}, {}, []
        self.log = open(os.path.join(folder, "loadgen.out"), "ab")
        data = os.path.join(folder, args.server)
        os.makedirs(data, exist_ok=True)
        settings = [SETTING.fullmatch(s) for s in args.set]
        if not all(settings):
            raise SystemExit("run.py: --set FILE:SECTION.OPTION=VALUE")
        settings = [s.groups() for s in settings]
        if args.c2s > 1:
            settings.append(("bulkhead.conf", "processes", "c2s", args.c2s))
        self.settings, self.block = settings, BLOCK
        self.server = SERVERS[args.server](data, args.domain, args.port_offset, args.build, settings)

    def note(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    # -- the load generator

    def command(self, scene, first=0, count=100, tls="none", **options):
        port = self.server.tls_port if tls == "direct" else self.server.port
        words = {"port": port, "domain": self.args.domain, "first": first, "count": count, "tls": tls,
                 "contacts": CONTACTS, "addresses": 64, **options}
        line = [self.args.loadgen, scene]
        for key, value in words.items():
            key = "--" + key.replace("_", "-")
            line += [key] if value is True else [key, str(value)]
        return line

    def over_all(self, scene, count, **options):
        """One command per generator that is needed for so many clients."""
        commands, done = [], 0
        while done < count:
            n = min(PER_GENERATOR, count - done)
            cache = os.path.join(self.folder, f"scram{done}")
            commands.append(self.command(scene, first=done, count=n, scram_cache=cache, **options))
            done += n
        return commands

    def load(self, commands, timeout):
        return Load(commands, timeout, self.log)

    def judge(self, scene, results):
        self.raw[scene] = results if len(results) > 1 else results[0]
        for r in results:
            bad = {k: r[k] for k in ("failed", "dropped", "lost", "duplicate", "errors", "missing", "unanswered",
                                     "stray", "extra", "first_failed", "kept") if r.get(k)}
            if bad:
                self.failures.append(f"{scene}: " + ", ".join(f"{k} {v}" for k, v in bad.items()))
                self.note("FAILED " + self.failures[-1])
        return results

    def split(self, scene, used, per, unit):
        """Keeps who used the CPU: seconds by program, as unit a piece of work. Returns the sum."""
        scale = {"us": 1e6, "ms": 1e3}[unit] / max(per, 1)
        self.splits[scene] = {"unit": unit, **{k: round(v * scale, 3) for k, v in used.items()}}
        return used["all"] * scale

    # -- preparation

    def prepare(self, accounts):
        marker = os.path.join(self.folder, "prepared.json")
        have = {}
        if os.path.exists(marker):
            with open(marker, encoding="ascii") as f:
                have = json.load(f)
        if have.get("server") != self.args.server:
            self.server.init()
            self.mark(marker, 0)
        self.start()
        if have.get("server") == self.args.server and have["accounts"] >= accounts:
            return
        for scene, options in (("register", {"concurrency": 32}), ("rosters", {"concurrency": 416})):
            began = time.monotonic()
            # salted passwords are made here, so that later logins cost the generator little
            with self.load(self.over_all(scene, accounts, timeout=3600, **options), 3600) as g:
                results = self.judge(scene, g.finish())
            self.note(f"{scene}: {accounts} accounts, {time.monotonic() - began:.1f} s")
            if any(r["failed"] for r in results):
                raise BenchError(f"{scene} failed: {self.failures}")
        self.mark(marker, accounts)

    def mark(self, marker, accounts):
        """Notes how far the folder is prepared, for a later run that uses it."""
        with open(marker, "w", encoding="ascii") as f:
            json.dump({"server": self.args.server, "accounts": accounts}, f)

    def start(self):
        """Starts the server; it is up when it has dealt with a registration (of an account that may be there)."""
        self.server.start()
        self.answers()

    def answers(self):
        """Returns when the server deals with a registration; what it consists of now is measured from here on."""
        end = time.monotonic() + 30
        while True:
            with self.load([self.command("register", count=1, timeout=10)], 15) as g:
                if g.finish()[0]["failed"] == 0:
                    break
            if time.monotonic() > end:
                raise BenchError("the server does not answer a registration")
            time.sleep(0.2)
        self.server.note_processes()

    def restart(self, archive=None, days=0):
        """archive: from now on messages are archived, or not."""
        self.server.stop()
        if archive is not None and self.args.server == "bulkhead":
            archive_switch(self.server.folder, archive, days)
        self.start()

    # -- scenes

    def empty(self):
        """Memory with no user, some time after the start."""
        time.sleep(2)
        return self.server.pss()

    def left(self, empty):
        """Memory after all have left: as soon as the budget is met, or what there is after a while."""
        return pss_within(self.server, empty["all"] * 1.1, 8 if self.args.quick else 30)

    def beside(self, kind, suffix, command=None):
        """Pairs chat for a moment while all others are online."""
        command = command or self.command("chat", count=2 * self.args.pairs, resource="beside", full_jid=True, seconds=2, phases=True,
                                          scram_cache=os.path.join(self.folder, "scram0"))
        key = f"beside_{kind}"
        result, us = self.phased(key + suffix, command, "delivered")
        self.figures[f"{key}_us{suffix}"], self.figures[f"{key}_p99_ms{suffix}"] = us, result["latency_us"]["p99"] / 1e3

    def idle(self, count, tls, suffix):
        """Empty, all online, all gone: memory; CPU of all logins and of all logouts, contacts online."""
        kind = "plain" if tls == "none" else "tls"
        self.restart()
        server = self.server
        with self.load(self.over_all("login", count, tls=tls, phases=True, timeout=1200), 1200) as g:
            g.phase("start")
            empty, at_start = self.empty(), server.cpu()
            g.go()
            g.phase("online")
            at_online, online = server.cpu(), server.pss()
            time.sleep(3)
            at_rest = server.cpu()
            self.beside(kind, suffix)
            at_chat = server.cpu()
            g.go()
            g.phase("left")
            at_left = server.cpu()
            left = self.left(empty)
            g.go()
            results = self.judge(f"idle_{kind}{suffix}", g.finish())
        logins = sum(r["logins"] for r in results)
        used_in = self.split(f"login_online_{kind}{suffix}", cpu_between(at_start, at_online, server.names), logins, "ms")
        used_out = self.split(f"logout_{kind}{suffix}", cpu_between(at_chat, at_left, server.names), logins, "ms")
        rest = cpu_between(at_online, at_rest, server.names)["all"] / 3
        f = self.figures
        if "s2s" in empty:
            f[f"empty_s2s_mib{suffix}"] = empty["s2s"] / 1024
        f[f"empty_mib{suffix}"] = max(empty["all"] / 1024, f.get(f"empty_mib{suffix}", 0))
        f[f"session_{kind}_kib{suffix}"] = (online["all"] - empty["all"]) / max(logins, 1)
        f[f"left_{kind}_mib{suffix}"] = left["all"] / 1024
        f[f"left_{kind}_ratio{suffix}"] = left["all"] / empty["all"]
        f[f"login_online_{kind}_ms{suffix}"] = used_in
        f[f"login_logout_{kind}_ms{suffix}"] = used_in + used_out
        f[f"idle_{kind}_cpu_percent{suffix}"] = rest * 100
        self.splits[f"memory_{kind}{suffix}"] = {
            "unit": "KiB", "empty": empty, "online": online, "left": left,
            "a_session": {k: round((v - empty.get(k, 0)) / max(logins, 1), 3) for k, v in online.items()}}
        contacts = sum(r["contacts"] * r["logins"] for r in results) / max(logins, 1)
        self.note(f"{logins} sessions, {kind}, {contacts:.1f} contacts each: {f[f'session_{kind}_kib{suffix}']:.2f} "
                  f"KiB a session")

    def churn(self, accounts):
        """Everybody comes and leaves, several times, over TLS: what the server does not give back."""
        self.restart()
        count = min(accounts, 5000)
        rounds = max(4, math.ceil((4000 if self.args.quick else 20000) / count))
        empty, left = self.empty(), []
        with self.load(self.over_all("login", count, tls=self.args.tls, rounds=rounds, phases=True, timeout=1200),
                       1200) as g:
            g.phase("start")
            g.go()
            for n in range(rounds):
                g.phase("online")
                g.go()
                g.phase("left")
                time.sleep(1)
                left.append((self.left(empty) if n == rounds - 1 else self.server.pss()))
                g.go()
            self.judge("churn", g.finish())
        self.figures["churn_ratio"] = left[-1]["all"] / empty["all"]
        self.figures["churn_growth_bytes"] = (left[-2]["all"] - left[1]["all"]) * 1024 / (count * (rounds - 3))
        self.splits["memory_churn"] = {"unit": "KiB", "empty": empty, "left": left[-1]}
        self.note(f"churn: {empty['all'] / 1024:.1f} MiB empty, after each round of {count} " +
                  " ".join(f"{k['all'] / 1024:.1f}" for k in left))

    def storm(self, accounts):
        """c2s dies with everybody online; when it is back, so are all clients, in the same moment."""
        if self.args.server != "bulkhead":
            return
        count, key = min(accounts, self.args.sessions[0]), "storm_c2s"
        with self.load(self.over_all("storm", count, tls=self.args.tls, phases=True, timeout=600), 600) as g:
            g.phase("start")
            g.go()
            g.phase("online")
            self.server.crash("c2s")
            g.go()
            g.phase("lost")
            self.answers()
            before = self.server.cpu()
            g.go()
            g.phase("back")
            used = cpu_between(before, self.server.cpu(), self.server.names)
            g.go()
            g.phase("left")
            g.go()
            results = self.judge(key, g.finish())
        logins = sum(r["logins"] for r in results)
        self.figures[f"{key}_ms"] = self.split(key, used, logins, "ms")
        self.figures[f"{key}_s"] = max(r["seconds"] for r in results)
        self.figures[f"{key}_p99_s"] = max(r["login_us"]["p99"] for r in results) / 1e6
        self.note(f"storm after c2s: {logins} of {count} back in {self.figures[f'{key}_s']:.1f} s, "
                  f"{self.figures[f'{key}_ms']:.3f} ms a login")
        self.survived(max(self.args.sessions))

    def survived(self, count):
        """sessman dies with everybody online: nobody notices but by the time that an answer takes."""
        key = "restart_sessman"
        with self.load(self.over_all("login", count, phases=True, timeout=600), 600) as g:
            g.phase("start")
            g.go()
            g.phase("online")
            began = time.monotonic()
            self.server.crash("sessman")
            self.answers()
            self.figures[f"{key}_s"] = time.monotonic() - began
            g.go()
            g.phase("left")
            g.go()
            results = self.judge(key, g.finish())
        logins = sum(r["logins"] for r in results)
        self.note(f"sessman killed with {logins} of {count} online: it answers again after {self.figures[f'{key}_s']:.2f} s")

    def login(self, accounts):
        """One account of each block of contacts logs in and out, again and again: its contacts are away."""
        count = max(1, accounts // BLOCK)
        rounds = math.ceil((1000 if self.args.quick else 5000) / count)
        for kind, tls in (("plain", "none"), ("tls", self.args.tls)):
            used, out = {}, {}
            with self.load([self.command("login", count=count, step=BLOCK, rounds=rounds, tls=tls, phases=True,
                                         scram_cache=os.path.join(self.folder, "scram0"))], 600) as g:
                g.phase("start")
                before = self.server.cpu()
                g.go()
                for _ in range(rounds):
                    g.phase("online")
                    middle = self.server.cpu()
                    g.go()
                    g.phase("left")
                    after = self.server.cpu()
                    for total, a, b in ((used, before, middle), (out, middle, after)):
                        for name, s in cpu_between(a, b, self.server.names).items():
                            total[name] = total.get(name, 0.0) + s
                    before = after
                    g.go()
                results = self.judge(f"login_{kind}", g.finish())
            self.figures[f"login_{kind}_ms"] = self.split(f"login_{kind}", used, results[0]["logins"], "ms")
            self.figures[f"logout_{kind}_ms"] = self.split(f"logout_away_{kind}", out, results[0]["logins"], "ms")
            self.note(f"login, {kind}: {self.figures[f'login_{kind}_ms']:.3f} ms")

    def phased(self, key, command, piece):
        """Runs a scene with phases begin and end; returns its result and the CPU used in between."""
        perf = None
        with self.load([command], 300) as g:
            g.phase("begin")
            if self.args.perf:
                perf = Perf(os.path.join(self.folder, f"perf-{key}.data"), self.server.names)
                time.sleep(1)
            before = self.server.cpu()
            g.go()
            g.phase("end")
            used = cpu_between(before, self.server.cpu(), self.server.names)
            if perf:
                perf.stop()
            g.go()
            g.phase("left")
            g.go()
            result = self.judge(key, g.finish())[0]
        return result, self.split(key, used, result.get(piece, 0), "us")

    def chat(self, in_flight, prefix=""):
        key = f"{prefix}chat{in_flight}"
        command = self.command("chat", count=2 * self.args.pairs, in_flight=in_flight, seconds=self.args.seconds, phases=True,
                               scram_cache=os.path.join(self.folder, "scram0"))
        result, us = self.phased(key, command, "delivered")
        self.figures[f"{key}_us"], self.figures[f"{key}_per_s"] = us, result["delivered_per_s"]
        self.figures[f"{key}_p50_ms"] = result["latency_us"]["p50"] / 1e3
        if not prefix and in_flight > 1 and "router" in self.splits[key]:  # a message passes it twice
            self.figures["router_frame_us"] = self.splits[key]["router"] / 2
        self.note(f"{prefix}chat, {in_flight} in flight: {us:.2f} us, {result['delivered_per_s']:.0f} a second")

    def rate(self, prefix=""):
        command = self.command("rate", count=2 * self.args.pairs, rate=1000, seconds=2 * self.args.seconds, phases=True,
                               scram_cache=os.path.join(self.folder, "scram0"))
        result, us = self.phased(f"{prefix}rate", command, "delivered")
        latency = {k: v / 1e3 for k, v in result["latency_us"].items()}
        for key in ("p50", "p99", "max"):
            self.figures[f"{prefix}rate_{key}_ms"] = latency[key]
        self.figures[f"{prefix}rate_us"] = us
        self.note(f"{prefix}1,000 a second: p50 {latency['p50']:.3f} ms, p99 {latency['p99']:.3f} ms, max {latency['max']:.1f} ms")

    def presence(self):
        command = self.command("presence", count=8 * BLOCK, window=16, seconds=self.args.seconds, phases=True,
                               scram_cache=os.path.join(self.folder, "scram0"))
        result, us = self.phased("presence", command, "copies")
        own = result["own_copies"]
        self.figures["presence_us"] = us * result["copies"] / max(1, result["copies"] + own)
        self.figures["presence_per_s"] = result["copies_per_s"]
        self.note(f"presence: {self.figures['presence_us']:.2f} us a copy")

    def offline(self):
        senders, messages = 104, 50
        cache = os.path.join(self.folder, "scram0")
        spare = self.command("offline-store", count=senders, step=2, messages=messages, phases=True, scram_cache=cache)
        _, store = self.phased("offline_store", spare, "sent")
        fetch = {}
        for key, n in (("offline_fetch", messages), ("offline_none", 1)):
            if key == "offline_none":  # the same logins with one message: what is left over is the delivery of the rest
                self.phased("offline_one", self.command("offline-store", count=senders, step=2, messages=1, phases=True,
                                                        scram_cache=cache), "sent")
            result, us = self.phased(key, self.command("offline-fetch", first=1, count=senders, step=2, messages=n,
                                                       phases=True, scram_cache=cache), "delivered")
            fetch[key] = us * result["delivered"]
        rest = senders * (messages - 1)
        self.figures["offline_store_us"] = store
        self.figures["offline_fetch_us"] = (fetch["offline_fetch"] - fetch["offline_none"]) / rest
        self.note(f"offline: store {store:.1f} us, deliver {self.figures['offline_fetch_us']:.1f} us")

    # -- the journal

    def archived(self):
        """The same chat, each message in both archives before it is acknowledged."""
        before = self.server.commit_times()
        self.chat(1, "archived_")
        self.chat(16, "archived_")
        middle = self.server.commit_times()
        self.rate("archived_")
        for key, a, b in (("chat", before, middle), ("rate", middle, self.server.commit_times())):
            for q in (0.5, 0.99):
                self.figures[f"commit_{key}_p{q * 100:.0f}_ms"] = percentile(a, b, q)

    def burst(self):
        """One account gets 10,000 offline messages while others chat: what it costs them."""
        messages, cache = 10000, os.path.join(self.folder, "scram0")
        first = 2 * self.args.pairs  # none of those that chat
        store = self.command("offline-store", first=first, count=1, messages=messages, phases=True, scram_cache=cache, timeout=120)
        self.phased("burst_store", store, "sent")
        chat = self.command("rate", count=2 * self.args.pairs, rate=1000, seconds=10, scram_cache=cache)
        with self.load([chat], 120) as beside:
            time.sleep(3)
            began = time.monotonic()
            fetch = self.command("offline-fetch", first=first + 1, count=1, messages=messages, scram_cache=cache, timeout=120)
            with self.load([fetch], 120) as g:
                self.judge("burst_fetch", g.finish())
            self.figures["burst_s"] = time.monotonic() - began
            result = self.judge("burst_beside", beside.finish())[0]
        self.figures["burst_beside_p99_ms"] = result["latency_us"]["p99"] / 1e3
        self.figures["burst_beside_max_ms"] = result["latency_us"]["max"] / 1e3
        self.note(f"burst: {messages} in {self.figures['burst_s']:.2f} s, beside them p99 "
                  f"{self.figures['burst_beside_p99_ms']:.2f} ms, max {self.figures['burst_beside_max_ms']:.1f} ms")

    def mam(self):
        """Pages of 50 out of the first, the middle and the last part of an archive."""
        rows, pages = self.args.rows, 200
        self.server.stop()
        fill(self.server.folder, self.args.domain, "user0", rows, int(time.time() * 1000))
        began = time.monotonic()
        self.start()
        self.figures["mam_start_s"] = time.monotonic() - began
        asker = Asker(self.server.port, self.args.domain, "user0", "bench-secret")
        middle = self.middle(asker, rows)
        for key, first in (("first", ""), ("middle", f"<after>{middle}</after>"), ("last", "<before/>")):
            rsm, times, before = first, [], self.server.cpu()
            for _ in range(pages):
                n, low, high, took = asker.page(f"<max>50</max>{rsm}")
                if n != 50:
                    raise BenchError(f"a page of {n}")
                times.append(took)
                rsm = f"<before>{low}</before>" if key == "last" else f"<after>{high}</after>"
            self.figures[f"mam_{key}_ms"] = self.split(f"mam_{key}", cpu_between(before, self.server.cpu(), self.server.names),
                                                       pages, "ms")
            self.figures[f"mam_{key}_p50_ms"] = sorted(times)[pages // 2] * 1e3
        asker.close()
        self.note(f"mam: a page out of {rows} rows, CPU: first {self.figures['mam_first_ms']:.2f}, middle "
                  f"{self.figures['mam_middle_ms']:.2f}, last {self.figures['mam_last_ms']:.2f} ms")

    def middle(self, asker, rows):
        """An id from the middle of the archive: large pages up to there are what takes the time of this scene."""
        after, done = "", 0
        while done < rows // 2:
            n, _, high, _ = asker.page(f"<max>250</max>{after}")
            done += n
            after = f"<after>{high}</after>"
        return high

    def expiry(self):
        """100,000 rows are past their age while messages flow."""
        rows, cutoff = 100000, int(time.time() * 1000) - 30 * DAY_MS
        self.server.stop()
        fill(self.server.folder, self.args.domain, "user1", rows, cutoff - DAY_MS, step_ms=10, alone=True)
        self.restart(True, days=30)
        began = time.monotonic()
        self.rate("expiry_")
        while rows_left(self.server.folder, cutoff):
            if time.monotonic() > began + 300:
                raise BenchError(f"{rows_left(self.server.folder, cutoff)} rows past their age are left")
            time.sleep(0.5)
        self.figures["expiry_s"] = time.monotonic() - began
        self.note(f"expiry: {rows} rows gone after {self.figures['expiry_s']:.1f} s")

    def upload(self):
        """A large file goes up and comes down: CPU a MiB, and how much memory the gateway takes more meanwhile."""
        mib, server = self.args.mib, self.server
        client = Uploader(server.port, self.args.domain, "user0", "bench-secret")
        for kind, port, tls in (("plain", 5280 + self.args.port_offset, False), ("tls", 5281 + self.args.port_offset, True)):
            up, down = client.slot(f"{kind}.mp4", mib << 20)
            for way, move, target in (("upload", put, up), ("download", get, down)):
                key, before, pss = f"{way}_{kind}", server.cpu(), server.pss()["httpgw"]
                with Peak(server, "httpgw") as peak:
                    took = move(port, tls, target, mib)
                self.figures[f"{key}_ms"] = self.split(key, cpu_between(before, server.cpu(), server.names), mib, "ms")
                self.figures[f"{key}_mib_s"] = mib / took
                self.figures[f"{key}_growth_mib"] = (peak.kib - pss) / 1024
                self.note(f"{key}: {mib} MiB in {took:.1f} s, memory of httpgw {pss / 1024:.1f} MiB, at most {peak.kib / 1024:.1f}")
        client.close()

    # -- other servers

    def federation(self, scene):
        if self.args.server == "bulkhead":
            self.server.stop()
            getattr(Federation(self), scene)()

    def relay(self):
        port = self.server.port + 2000
        proc = subprocess.Popen([self.args.relay, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if proc.stdout.readline() != b"READY\n":
                raise BenchError("the relay does not start")
            names = {proc.pid: "relay"}
            for key, scene, options in (("chat1", "chat", {"in_flight": 1}), ("chat16", "chat", {"in_flight": 16}),
                                        ("rate", "rate", {"rate": 1000})):
                with self.load([self.command(scene, count=2 * self.args.pairs, raw=True, seconds=self.args.seconds, phases=True,
                                             **options) + ["--port", str(port)]], 300) as g:
                    g.phase("begin")
                    before = cpu(names)
                    g.go()
                    g.phase("end")
                    used = cpu_between(before, cpu(names), names)
                    g.go()
                    g.phase("left")
                    g.go()
                    result = self.judge(f"relay_{key}", g.finish())[0]
                self.figures[f"relay_{key}_us"] = self.split(f"relay_{key}", used, result["delivered"], "us")
                self.figures[f"relay_{key}_per_s"] = result["delivered_per_s"]
                self.figures[f"relay_{key}_p50_ms"] = result["latency_us"]["p50"] / 1e3
                self.figures[f"relay_{key}_p99_ms"] = result["latency_us"]["p99"] / 1e3
            self.note(f"relay: {self.figures['relay_chat1_us']:.2f} us, {self.figures['relay_chat16_us']:.2f} us")
        finally:
            proc.kill()
            proc.wait()
            proc.stdin.close()
            proc.stdout.close()

    def run(self):
        only = self.args.only or SCENES
        sessions = self.args.sessions
        wanted = sessions if {"idle", "storm"} & set(only) else sessions[:1] if "churn" in only else ()
        accounts = max([40 * BLOCK if "web" in only else 8 * BLOCK, 2 * self.args.pairs, *wanted,
                        sum(self.args.web) if "web" in only else 0])
        if set(only) - NO_SERVER:
            self.prepare(-(-accounts // BLOCK) * BLOCK)
            self.restart(False)
        steps = []
        for n, count in enumerate(sessions if "idle" in only else ()):
            suffix = "" if n == 0 else f"_{count}"
            for tls in ("none", self.args.tls):
                steps.append(("idle", lambda count=count, tls=tls, suffix=suffix: self.idle(count, tls, suffix)))
        steps += [("churn", lambda: self.churn(accounts)), ("storm", lambda: self.storm(accounts)),
                  ("login", lambda: self.login(accounts)), ("chat1", lambda: self.chat(1)), ("chat16", lambda: self.chat(16)),
                  ("rate", self.rate), ("presence", self.presence), ("offline", self.offline), ("archived", self.archived), ("burst", self.burst),
                  ("mam", self.mam), ("expiry", self.expiry), ("upload", self.upload), ("web", lambda: Web(self).run()), ("s2s", lambda: self.federation("across")),
                  ("domains", lambda: self.federation("domains")), ("relay", self.relay)]
        archiving = False
        for name, step in steps:
            if name not in only:
                continue
            try:
                if name in OWN_SCENES and self.args.server != "bulkhead":
                    continue
                if name in ARCHIVE_SCENES and not archiving:
                    self.restart(True)
                    archiving = True
                elif name == "login" and {"idle", "churn", "storm"} & set(only):
                    self.restart()
                step()
            except (BenchError, subprocess.SubprocessError, OSError, ValueError, KeyError) as e:
                self.failures.append(f"{name}: {type(e).__name__}: {e}")
                self.note("FAILED " + self.failures[-1])
                if name not in NO_SERVER and set(only) - NO_SERVER:
                    self.restart()

    def close(self):
        self.server.stop()
        self.log.close()


def percentile(before, after, q):
    """Milliseconds under which so many of the observations between two states of a histogram lie: an upper bound."""
    counts = sorted((le, n - before.get(le, 0)) for le, n in after.items())
    total = counts[-1][1] if counts else 0
    return next((le * 1e3 for le, n in counts if total and n >= total * q), 0.0)


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), model)
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "load_before": os.getloadavg()[0],
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def arguments():
    root = os.path.dirname(os.path.dirname(HERE))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--server", choices=sorted(SERVERS), default="bulkhead")
    p.add_argument("--build", default=os.path.join(root, "build"), help="folder of our programs")
    p.add_argument("--quick", action="store_true", help="1,000 sessions and short scenes, about 90 seconds")
    p.add_argument("--only", action="append", choices=SCENES, help="this scene; may be given again")
    p.add_argument("--sessions", help="idle sessions, comma separated (5000,15000; quick: 1040)")
    p.add_argument("--seconds", type=int, help="length of a scene (10; quick: 3)")
    p.add_argument("--pairs", type=int, default=52, help="that chat (52)")
    p.add_argument("--tls", choices=("start", "direct"), default="start", help="how clients use TLS")
    p.add_argument("--rows", type=int, help="of the archive that is asked (1,000,000; quick: 100,000)")
    p.add_argument("--remotes", type=int, help="other servers at once (1,000; quick: 200)")
    p.add_argument("--mib", type=int, help="size of the file that is uploaded (1024; quick: 128)")
    p.add_argument("--web", help="WebSockets, and BOSH sessions beside them (10010,5018; quick: 1040,520)")
    p.add_argument("--c2s", type=int, default=1, help="processes of c2s (ours)")
    p.add_argument("--set", action="append", default=[], metavar="FILE:SECTION.OPTION=VALUE",
                   help="write into a configuration file of ours after init; may be given again")
    p.add_argument("--domain", default="localhost")
    p.add_argument("--port-offset", type=int, default=20000, help="added to 5222 and 5223")
    p.add_argument("--folder", help="keep everything here, and use the accounts that are there already")
    p.add_argument("--json", help="where the figures go (bench.json in the build folder)")
    p.add_argument("--perf", action="store_true", help="perf record of each scene's load, into --folder")
    p.add_argument("--enforce", action="store_true", help="exit 3 if a budget is missed")
    args = p.parse_args()
    args.sessions = [int(n) for n in (args.sessions or ("1040" if args.quick else "5000,15000")).split(",")]
    args.seconds = args.seconds or (3 if args.quick else 10)
    args.rows = args.rows or (100000 if args.quick else 1000000)
    args.remotes = args.remotes or (200 if args.quick else 1000)
    args.web = [int(n) for n in (args.web or ("1040,520" if args.quick else "10010,5018")).split(",")]
    args.mib = args.mib or (128 if args.quick else 1024)
    args.loadgen = os.path.join(args.build, "loadgen")
    args.relay = os.path.join(args.build, "relay")
    args.json = args.json or os.path.join(args.build, "bench.json")
    return args


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = os.path.abspath(args.folder) if args.folder else tempfile.mkdtemp(prefix="bench-")
    os.makedirs(folder, exist_ok=True)
    host, missed, bench = machine(), 0, None
    if host["load_before"] > 0.5:
        print(f"bench: the machine is not idle (load {host['load_before']:.1f}): latencies will show it", file=sys.stderr)
    try:
        bench = Bench(args, folder)
        try:
            bench.run()
        except BenchError as e:
            bench.failures.append(str(e))
        rows, missed = table(bench)
        with open(args.json, "w", encoding="ascii") as f:
            json.dump({"server": args.server, "machine": host, "rows": rows, "figures": bench.figures,
                       "split": bench.splits, "failures": bench.failures, "raw": bench.raw}, f, indent=1)
        print(f"figures: {args.json}")
    finally:
        if bench:
            bench.close()
        if not args.folder and bench and not bench.failures:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}")
    return 1 if bench.failures else 3 if missed and args.enforce else 0


if __name__ == "__main__":
    sys.exit(main())
