"""Clients of the HTTP gateway: WebSockets and BOSH sessions, thousands of them at the same time on one gateway; what a session, a
login and a message cost beside TCP's, and what is left of many that came and went."""
import os
import time

from measure import cpu_between, pss_within

KINDS = (("plain", "none"), ("tls", "direct"))
WAYS = ("ws", "bosh")
FILES = 20000  # open files of a process that every machine grants; a BOSH client over TLS has three at the gateway, a WebSocket one
SPARE = 600


class Web:
    def __init__(self, bench):
        self.bench, self.args, self.server, self.figures = bench, bench.args, bench.server, bench.figures
        self.cache = os.path.join(bench.folder, "scram0")

    def command(self, scene, way, tls, **options):
        """One generator; tls as the table says it."""
        port = (5280 if tls == "none" else 5281) + self.args.port_offset
        return self.bench.command(scene, by=way, tls=tls, port=port, scram_cache=self.cache, **options)

    def run(self):
        ws, bosh = self.args.web
        for kind, tls in KINDS:
            self.login(kind, tls)
            for way in WAYS:
                for in_flight in (1, 16):
                    self.chat(way, kind, tls, in_flight)
        self.churn()
        self.idle("plain", "none", ws, bosh)
        room = (FILES - SPARE - ws) // 3  # over TLS all of a BOSH client's requests pass a pair of sockets
        self.idle("tls", "direct", ws, min(bosh, room // self.bench.block * self.bench.block))

    def all_of(self, ws, bosh, tls, **options):
        """The generators of both kinds, not of the same accounts."""
        return (self.bench.load([self.command("login", "ws", tls, count=ws, phases=True, timeout=1200, **options)], 1200),
                self.bench.load([self.command("login", "bosh", tls, first=ws, count=bosh, phases=True, timeout=1200, **options)], 1200))

    def idle(self, kind, tls, ws, bosh):
        """So many WebSockets, then so many BOSH sessions beside them, each of which holds a request; all leave."""
        bench, server, f = self.bench, self.server, self.figures
        bench.restart()
        first, second = self.all_of(ws, bosh, tls)
        with first as w, second as b:
            w.phase("start")
            b.phase("start")
            empty, cpus, sizes = bench.empty(), [server.cpu()], []
            for g in (w, b):
                g.go()
                g.phase("online")
                cpus.append(server.cpu())
                sizes.append(server.pss())
            time.sleep(3)
            at_rest = server.cpu()
            bench.beside(f"web_{kind}", "", self.command("chat", "ws", tls, count=2 * self.args.pairs, resource="beside",
                                                         full_jid=True, seconds=2, phases=True))
            for g in (w, b):
                g.go()
                g.phase("left")
            left = self.left(empty)
            w.go()
            b.go()
            results = [bench.judge(f"web_{way}_{kind}", g.finish())[0] for way, g in zip(WAYS, (w, b))]
        before = empty
        for n, way in enumerate(WAYS):
            logins = max(results[n]["logins"], 1)
            f[f"web_{way}_{kind}_sessions"] = results[n]["logins"]
            f[f"web_{way}_{kind}_kib"] = (sizes[n]["all"] - before["all"]) / logins
            f[f"web_{way}_{kind}_gateway_kib"] = (sizes[n]["httpgw"] - before["httpgw"]) / logins
            f[f"web_{way}_{kind}_online_ms"] = bench.split(f"web_{way}_login_online_{kind}",
                                                           cpu_between(cpus[n], cpus[n + 1], server.names), logins, "ms")
            bench.splits[f"memory_{way}_{kind}"] = {
                "unit": "KiB", "empty": before, "online": sizes[n], "left": left,
                "a_session": {k: round((v - before.get(k, 0)) / logins, 3) for k, v in sizes[n].items()}}
            before = sizes[n]
        f[f"web_{kind}_cpu_percent"] = cpu_between(cpus[-1], at_rest, server.names)["all"] / 3 * 100
        f[f"web_left_{kind}_ratio"] = left["all"] / empty["all"]
        f[f"web_left_{kind}_gateway_mib"] = (left["httpgw"] - empty["httpgw"]) / 1024
        bench.note(f"{results[0]['logins']} WebSockets and {results[1]['logins']} BOSH sessions at once, {kind}: "
                   f"{f[f'web_ws_{kind}_kib']:.2f} and {f[f'web_bosh_{kind}_kib']:.2f} KiB each")

    def left(self, empty):
        return pss_within(self.server, empty["all"] * 1.1, 8 if self.args.quick else 30)

    def login(self, kind, tls):
        """As the scene `login`: contacts are away."""
        bench, rounds, count = self.bench, 5 if self.args.quick else 25, 40
        for way in WAYS:
            with bench.load([self.command("login", way, tls, count=count, step=bench.block, rounds=rounds, phases=True)], 600) as g:
                g.phase("start")
                used = {}
                for _ in range(rounds):
                    before = self.server.cpu()
                    g.go()
                    g.phase("online")
                    for name, s in cpu_between(before, self.server.cpu(), self.server.names).items():
                        used[name] = used.get(name, 0.0) + s
                    g.go()
                    g.phase("left")
                g.go()
                results = bench.judge(f"web_{way}_login_{kind}", g.finish())
            key = f"web_{way}_login_{kind}"
            self.figures[f"{key}_ms"] = bench.split(key, used, results[0]["logins"], "ms")
            bench.note(f"{way}, login, {kind}: {self.figures[f'{key}_ms']:.3f} ms")

    def chat(self, way, kind, tls, in_flight):
        key = f"web_{way}_{kind}_chat{in_flight}"
        command = self.command("chat", way, tls, count=2 * self.args.pairs, in_flight=in_flight, seconds=self.args.seconds, phases=True)
        result, us = self.bench.phased(key, command, "delivered")
        self.figures[f"{key}_us"], self.figures[f"{key}_per_s"] = us, result["delivered_per_s"]
        self.bench.note(f"{way}, chat, {kind}, {in_flight} in flight: {us:.2f} us, {result['delivered_per_s']:.0f} a second")

    def churn(self):
        """Many come and leave by both ways over TLS, several times: what the gateway does not give back."""
        bench, server, left = self.bench, self.server, []
        ws, bosh, rounds = (1040, 520, 4) if self.args.quick else (2600, 1300, 5)
        bench.restart()
        empty = bench.empty()
        first, second = self.all_of(ws, bosh, "direct", rounds=rounds)
        with first as w, second as b:
            for g in (w, b):
                g.phase("start")
                g.go()
            for n in range(rounds):
                for phase in ("online", "left"):
                    for g in (w, b):
                        g.phase(phase)
                        if phase == "online":
                            g.go()
                time.sleep(1)
                left.append(self.left(empty) if n == rounds - 1 else server.pss())
                for g in (w, b):
                    g.go()
            for way, g in zip(WAYS, (w, b)):
                bench.judge(f"web_churn_{way}", g.finish())
        self.figures["web_churn_ratio"] = left[-1]["all"] / empty["all"]
        self.figures["web_churn_gateway_mib"] = (left[-1]["httpgw"] - empty["httpgw"]) / 1024
        bench.splits["memory_web_churn"] = {"unit": "KiB", "empty": empty, "left": left[-1]}
        bench.note(f"web churn: httpgw {empty['httpgw'] / 1024:.2f} MiB empty, after each round of {ws} and {bosh} " +
                   " ".join(f"{k['httpgw'] / 1024:.2f}" for k in left))
