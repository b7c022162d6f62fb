"""What goes wrong in a round. A trouble is a coroutine over the world; while it runs, and after it, the noise goes on."""

import asyncio
import signal
import time

EDGES = ("c2s-1", "c2s-2")


class Troubles:
    def __init__(self, world, rng):
        self.world, self.installation, self.ledger, self.rng = world, world.installation, world.ledger, rng
        self.gone = set()           # pids that were killed

    def kill(self, *instances):
        """-9, all of them at once. Only who hangs on a connection manager that dies may be dropped."""
        now = self.installation.supervisor()
        pids = {name: now[name]["pid"] for name in instances}
        for name in instances:
            if name in EDGES:
                self.doom(pids[name])
        self.ledger.trouble("kill " + " + ".join(instances))
        for name, pid in pids.items():
            self.installation.signal(pid, signal.SIGKILL)
            if name.startswith("sessman"):
                self.ledger.deaths.append(time.monotonic())
        self.gone |= set(pids.values())
        self.ledger.totals["kills"] += len(pids)

    def doom(self, pid):
        """Who is connected to this process may be dropped."""
        ports = self.installation.clients_of(pid)
        for device in self.world.devices:
            if device.stream and device.stream.port in ports:
                device.doomed = True

    async def back(self):
        if not await self.installation.whole(self.gone, self.world.patience):
            self.ledger.fail("the supervisor does not bring everything back: %s" % self.installation.supervisor())

    async def stop(self, instance, seconds, then=()):
        """SIGSTOP for a while; `then` is killed in the middle of it."""
        pid = self.installation.pid(instance)
        self.ledger.trouble("stop " + instance)
        self.installation.signal(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds / 2)
            if then:
                self.kill(*then)
            await asyncio.sleep(seconds / 2)
        finally:
            self.installation.signal(pid, signal.SIGCONT)
            self.ledger.trouble("continue " + instance)

    async def disk_full(self, seconds, then=()):
        self.ledger.trouble("disk full")
        await asyncio.to_thread(self.installation.disk_full, True)
        try:
            await asyncio.sleep(seconds / 2)
            if then:
                self.kill(*then)
            await asyncio.sleep(seconds / 2)
        finally:
            await asyncio.to_thread(self.installation.disk_full, False)
            self.ledger.trouble("room on the disk")

    async def disk_slow(self, seconds, then=()):
        self.ledger.trouble("disk slow")
        self.world.slow_disk(0.3)
        await asyncio.sleep(seconds)
        if then:
            self.kill(*then)
        self.world.slow_disk(None)

    async def clock(self, then=()):
        offset = self.rng.choice((86400, -86400, 3600, -7200))
        self.ledger.trouble("clock %+d s" % offset)
        self.world.jump(offset)
        await asyncio.sleep(0.4)
        if then:
            self.kill(*then)
        await asyncio.sleep(0.6)

    async def cut(self):
        """A quarter of the clients lose their connection; those with stream management at once, with what was under way."""
        for device in self.rng.sample(self.world.devices, len(self.world.devices) // 4):
            if device.on:
                device.go_away("reset" if device.kind.sm or device.account.archived else "hung up")
        self.ledger.trouble("cut")
        self.ledger.totals["cuts"] += 1

    async def cut_and_kill(self, *instances):
        await self.cut()
        await asyncio.sleep(self.rng.random() * 0.2)
        self.kill(*instances)

    async def kill_twice(self, *instances):
        """Again as soon as it is back, in the middle of its restart."""
        self.kill(*instances)
        await self.back()
        await asyncio.sleep(self.rng.random() * 0.3)
        self.kill(*instances)

    async def killed(self, *instances):
        self.kill(*instances)

    async def restart(self, instance):
        """In order, as for an upgrade (bulkheadctl restart)."""
        pid = self.installation.pid(instance)
        self.doom(pid)
        self.ledger.trouble("restart " + instance)
        self.gone.add(pid)
        await asyncio.to_thread(self.installation.restart_daemon, instance)
        self.ledger.trouble("restarted " + instance)


def catalogue():
    """{name: function of a Troubles that gives the coroutine}. --kill takes names, or parts of them."""
    edge, other = EDGES
    pairs = [("sessman-1",), ("router-1",), (edge,), (other,), ("router-1", "sessman-1"), ("sessman-1", edge),
             ("sessman-1", other), ("router-1", edge), (edge, other), ("router-1", "sessman-1", edge, other)]
    found = {"kill " + "+".join(pair): lambda t, pair=pair: t.killed(*pair) for pair in pairs}
    for name in ("router-1", "sessman-1", edge):
        found["stop " + name] = lambda t, name=name: t.stop(name, 1.5)
    found.update({
        "stop router-1, kill sessman-1": lambda t: t.stop("router-1", 1.2, ("sessman-1",)),
        "stop sessman-1, kill " + edge: lambda t: t.stop("sessman-1", 1.2, (edge,)),
        "stop c2s-2, kill sessman-1": lambda t: t.stop(other, 1.2, ("sessman-1",)),
        "restart sessman-1": lambda t: t.restart("sessman-1"),
        "restart router-1": lambda t: t.restart("router-1"),
        "restart " + edge: lambda t: t.restart(edge),
        "cut": lambda t: t.cut(),
        "cut, kill sessman-1": lambda t: t.cut_and_kill("sessman-1"),
        "kill twice sessman-1": lambda t: t.kill_twice("sessman-1"),
        "kill twice router-1": lambda t: t.kill_twice("router-1"),
        "disk full": lambda t: t.disk_full(1.5),
        "disk full, kill sessman-1": lambda t: t.disk_full(1.2, ("sessman-1",)),
        "disk slow, kill sessman-1": lambda t: t.disk_slow(0.8, ("sessman-1",)),
        "disk slow, kill " + edge: lambda t: t.disk_slow(0.8, (edge,)),
        "clock": lambda t: t.clock(),
        "clock, kill sessman-1": lambda t: t.clock(("sessman-1",)),
    })
    return found
