"""Installations that talk to each other: each a real server (server.Server) with a bulkhead-s2s of its own, on loopback.

Where the other one is stands in a [route] of s2s.conf; the ports are chosen before anything starts."""

import os
import signal
import subprocess

import control
from server import BUILD, Server, free_offset, poll

SECTION = "[component s2s-here]\nsecret = secret of s2s\nrole = s2s\n"


class Site(Server):
    """files: {name: bytes} as of Server; s2s: text appended to s2s.conf; routes: {domain: (port name, Site or port, tls)}."""

    def __init__(self, domain, s2s="", offset=None, **how):
        conf = dict(how.pop("conf", {}))
        conf["router.conf"] = SECTION + conf.get("router.conf", "")
        super().__init__(domains=(domain,), conf=conf, **how)
        self.offset = offset or free_offset()
        self.s2s_conf, self.routes, self.s2s = s2s, {}, []

    def route(self, domain, port, tls="starttls"):
        self.routes[domain] = (port, tls)

    def start(self):
        self.init()
        self.write_s2s()
        self.launch()
        assert self.ready(), self.log_tail()
        self.start_s2s()
        return self

    def write_s2s(self):
        """It is the test that starts and kills it, not the supervisor."""
        conf = self.dir / "bulkhead.conf"
        conf.write_text(conf.read_text().replace("s2s = 1", "s2s = 0"))
        routes = "".join("[route %s]\naddress = 127.0.0.1:%d\ntls = %s\n" % (domain, port, tls)
                         for domain, (port, tls) in self.routes.items())
        (self.dir / "s2s.conf").write_text(
            "[listen]\naddress = 127.0.0.1\nport = %d\nport_tls = %d\n[router]\nname = s2s-here\nsecret = secret of s2s\n"
            "[dialback]\nsecret = dialback secret of %s\n[dns]\nservers = 127.0.0.1@9\ntime = 1s\nloopback = yes\n[log]\nsink = file\nlevel = debug\n%s\n%s" % (
                self.port("s2s"), self.port("s2s_tls"), self.domain, routes, self.s2s_conf))

    def start_s2s(self, number=1):
        instance = "s2s-%d" % number
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=4", UBSAN_OPTIONS="print_stacktrace=1")
        with open(self.dir / (instance + ".out"), "ab") as out:
            it = subprocess.Popen([BUILD / "bulkhead-s2s", "-d", self.dir, "-i", instance], stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out, env=env)
        self.s2s.append(it)
        poll("s2s to accept", lambda: it.poll() is not None or self.accepting(instance))
        assert it.poll() is None, self.log_tail()
        return it

    def accepting(self, instance="s2s-1"):
        try:
            return control.status(self, instance)["accepting"]
        except OSError:
            return False

    def stop_s2s(self, how=signal.SIGTERM):
        """Ends the newest; gives back its exit status."""
        it = self.s2s.pop()
        it.send_signal(how)
        return it.wait(timeout=40)

    def stop(self):
        wrong = ["s2s ended with %d" % status for status in [self.stop_s2s() for _ in list(self.s2s)] if status]
        return wrong + super().stop()

    def log_files(self):
        return [*super().log_files(), *self.dir.glob("s2s-*.out")]

    # -- what it says ---------------------------------------------------------------------------------------------

    def ask_s2s(self, request, instance="s2s-1"):
        return control.ask(self, request, instance)

    def connections(self, instance="s2s-1", **want):
        import json
        return [c for c in json.loads(self.ask_s2s("s2s", instance))["connections"]
                if all(c.get(k) == v for k, v in want.items())]

    def pairs(self, instance="s2s-1"):
        import json
        return json.loads(self.ask_s2s("s2s", instance))["pairs"]

    def count(self, name, instance="s2s-1"):
        return control.counter(self, "bulkhead_s2s_" + name, instance)


def join(one, other, port="s2s", tls="starttls"):
    """Each finds the other."""
    for a, b in ((one, other), (other, one)):
        a.route(b.domain, b.port(port), tls)
