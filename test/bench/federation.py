"""Two installations of ours that talk to each other: what a stanza costs from one to the other, and what 1,000 other servers cost.

"near" is where the even accounts of the load generator are, "far" has the odd ones. Both run on this host, with TLS between them;
the costs are those of both together, and those of each daemon by side. Domains prove themselves by dialback, as after `init`, or
by certificates of an authority made here."""
import os
import re
import subprocess
import time

from archive import archive_switch
from measure import BenchError, Perf, cpu, cpu_between, pss_kib
from servers import Bulkhead, set_option, sign

FAR_OFFSET = 1000
NO_LIMITS = tuple(("s2s.conf", "limits", option, 0) for option in ("stanzas_per_minute", "bytes_per_minute"))
COUNT = re.compile(r"^bulkhead_s2s_(\w+?)(?:_total)?(?:{[^}]*})? (\d+)$", re.M)


class Site(Bulkhead):
    """One installation, with a route to the other's domain and to all below it."""

    def __init__(self, folder, domain, other, offsets, build, settings):
        routes = [("s2s.conf", f"route {name}", "address", f"127.0.0.1:{5269 + offsets[1]}") for name in other]
        super().__init__(folder, domain, offsets[0], build, (*NO_LIMITS, *settings, *routes))

    def counts(self):
        """Counters and gauges of s2s."""
        return {k: int(v) for k, v in COUNT.findall(self.tool("tell", "s2s-1", "metrics"))}


class Sites:
    """Both of them: what the driver asks of one server, with the side before each daemon's name."""

    def __init__(self, folder, build, offset, remotes=0, certificates=False, settings=()):
        os.makedirs(folder)
        near, far = "near.example", "far.example"
        remote = [f"d{n}.{far}" for n in range(remotes)]
        ports = (offset, offset + FAR_OFFSET)
        self.near = Site(os.path.join(folder, "near"), near, [far, *remote], ports, build, settings)
        self.far = Site(os.path.join(folder, "far"), far, [near], ports[::-1], build, settings)
        for site in (self.near, self.far):
            os.mkdir(site.folder)
            site.init()
            if certificates:
                self.certify(folder, site)
            archive_switch(site.folder, False)
        if remotes:
            self.far.host(remote)

    @staticmethod
    def certify(folder, site):
        ca = sign(folder, site.folder, site.domain, ["*." + site.domain])
        for option, value in (("ca", ca), ("cert", "s2s.crt"), ("key", "s2s.key")):
            set_option(os.path.join(site.folder, "s2s.conf"), "tls", option, value)

    @property
    def names(self):
        return {pid: f"{side} {name}" for side, site in (("near", self.near), ("far", self.far)) for pid, name in site.names.items()}

    def start(self):
        for site in (self.near, self.far):
            site.start()

    def note_processes(self):
        for site in (self.near, self.far):
            site.note_processes()

    def cpu(self):
        return cpu(self.names)

    def pss(self):
        return pss_kib(self.names, self.names)

    def stop(self):
        for site in (self.near, self.far):
            site.stop()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def both_s2s(used):
    return sum(v for k, v in used.items() if k.endswith(" s2s"))


class Federation:
    """The scenes; bench is run.Bench, whose load generator, figures and splits are used."""

    def __init__(self, bench):
        self.bench, self.args = bench, bench.args

    def sites(self, name, **how):
        settings = [s for s in self.bench.settings if s[0] != "bulkhead.conf"]
        return Sites(os.path.join(self.bench.folder, name), self.args.build, self.args.port_offset, settings=settings, **how)

    def command(self, sites, scene, **options):
        return self.bench.command(scene, domain=sites.near.domain, port=sites.near.port, far_domain=sites.far.domain,
                                  far_port=sites.far.port, scram_cache=os.path.join(sites.near.folder, "scram"), **options)

    def up(self, sites, accounts):
        """Starts both, makes the accounts, and waits until a message has passed either way."""
        sites.start()
        end = time.monotonic() + 30
        while True:
            with self.bench.load([self.command(sites, "register", count=accounts, concurrency=32)], 120) as g:
                if g.finish()[0]["failed"] == 0:
                    break
            if time.monotonic() > end:
                raise BenchError("the two installations do not answer")
            time.sleep(0.2)
        sites.note_processes()

    # -- chat across

    def phased(self, sites, key, command, phases=("begin", "end"), on_phase=None):
        """Runs the phases of one scene. Returns its result, and by pair of phases the CPU in between."""
        used = []
        with self.bench.load([command], 300) as g:
            g.phase(phases[0])
            perf = Perf(os.path.join(self.bench.folder, f"perf-{key}.data"), sites.names) if self.args.perf else None
            for phase in phases[1:]:
                before = sites.cpu()
                g.go()
                g.phase(phase)
                used.append(cpu_between(before, sites.cpu(), sites.names))
                if on_phase:
                    on_phase(phase)
            if perf:
                perf.stop()
            g.go()
            g.phase("left")
            g.go()
            return self.bench.judge(key, g.finish())[0], used

    def chat(self, sites, key, scene, **options):
        command = self.command(sites, scene, count=2 * self.args.pairs, phases=True, **options)
        before = [site.counts() for site in (sites.near, sites.far)]
        result, (used,) = self.phased(sites, key, command)
        after = [site.counts() for site in (sites.near, sites.far)]
        passed = sum(b["stanzas_out"] - a["stanzas_out"] for a, b in zip(before, after))
        if passed < result["delivered"]:
            raise BenchError(f"{passed} stanzas passed s2s, {result['delivered']} were delivered")
        f = self.bench.figures
        f[f"{key}_us"] = self.bench.split(key, used, result["delivered"], "us")
        f[f"{key}_s2s_us"] = both_s2s(used) * 1e6 / result["delivered"]
        return result

    def across(self):
        """Pairs of which one is here and one there."""
        with self.sites("s2s") as sites:
            self.up(sites, 2 * self.args.pairs)
            f = self.bench.figures
            for n in (1, 16):
                result = self.chat(sites, f"s2s_chat{n}", "chat", in_flight=n, seconds=self.args.seconds)
                f[f"s2s_chat{n}_per_s"], f[f"s2s_chat{n}_p50_ms"] = result["delivered_per_s"], result["latency_us"]["p50"] / 1e3
            result = self.chat(sites, "s2s_rate", "rate", rate=1000, seconds=2 * self.args.seconds)
            for q in ("p50", "p99", "max"):
                f[f"s2s_rate_{q}_ms"] = result["latency_us"][q] / 1e3
            self.bench.note(f"across, 1 in flight: {f['s2s_chat1_us']:.1f} us, of these s2s {f['s2s_chat1_s2s_us']:.1f}; 16: "
                            f"{f['s2s_chat16_us']:.1f}, {f['s2s_chat16_s2s_us']:.1f}, {f['s2s_chat16_per_s']:.0f} a second; "
                            f"1,000 a second: p99 {f['s2s_rate_p99_ms']:.2f} ms")

    # -- many servers

    def domains(self):
        for kind, certificates in (("dialback", False), ("external", True)):
            self.many(f"domains_{kind}", certificates)

    def many(self, key, certificates):
        """One client of ours asks 1,000 domains at once, and once more when all are connected."""
        remotes = self.args.remotes
        with self.sites(key, remotes=remotes, certificates=certificates) as sites:
            self.up(sites, 2)
            time.sleep(3)
            empty, seen = sites.pss(), {}
            counts = [site.counts() for site in (sites.near, sites.far)]

            def on_phase(phase):
                time.sleep(3)  # what handshakes took is given back
                seen[phase] = sites.pss(), [site.counts() for site in (sites.near, sites.far)]
            command = self.command(sites, "remotes", remotes=remotes, phases=True, timeout=120)
            result, used = self.phased(sites, key, command, ("begin", "up", "end"), on_phase)
        f, (full, now) = self.bench.figures, seen["up"]
        if not certificates:  # after init
            f["empty_near_mib"] = sum(v for k, v in empty.items() if k.startswith("near ")) / 1024
            f["empty_s2s_mib"] = empty["near s2s"] / 1024
        f[f"{key}_ms"] = self.bench.split(key, used[0], remotes, "ms")
        f[f"{key}_s2s_ms"] = both_s2s(used[0]) * 1e3 / remotes
        f[f"{key}_s"], f[f"{key}_p50_s"] = result["seconds"], result["first_us"]["p50"] / 1e6
        f[f"{key}_again_us"] = self.bench.split(f"{key}_again", used[1], 2 * remotes, "us")
        self.bench.splits[f"memory_{key}"] = {"unit": "KiB", "empty": empty, "online": full}
        for side, a, b in zip(("near", "far"), counts, now):
            grown = {k: b[k] - a[k] for k in ("connections_in", "connections_out")}
            number = sum(grown.values())
            kib = full[f"{side} s2s"] - empty[f"{side} s2s"]
            f[f"{key}_{side}_kib"] = kib / max(number, 1)
            self.bench.note(f"{key}, {side}: {grown['connections_in']} connections in, {grown['connections_out']} out, "
                            f"{f[f'{key}_{side}_kib']:.1f} KiB each; s2s {full[f'{side} s2s'] / 1024:.1f} MiB")
        self.bench.note(f"{key}: {remotes} servers in {result['seconds']:.2f} s, {f[f'{key}_ms']:.2f} ms each, s2s {f[f'{key}_s2s_ms']:.2f}")
