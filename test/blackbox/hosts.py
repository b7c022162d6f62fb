"""Several hosts on one machine: network namespaces joined by veth pairs (needs root and iproute2's ip)."""

import ctypes
import itertools
import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
LISTEN = "0A"               # of /proc/net/tcp
numbers = itertools.count(1)


def ip(*words):
    done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, "ip %s: %s" % (" ".join(words), done.stderr)
    return done.stdout


class Host:
    """One network namespace; its own loopback is up, and nothing else."""

    def __init__(self, name):
        self.name = "bh-%s-%d-%d" % (name, os.getpid(), next(numbers))
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], stderr=subprocess.DEVNULL)

    def command(self, *words):
        """The command line that runs a program on this host."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words):
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def address(self, device, address):
        ip("-n", self.name, "addr", "add", address, "dev", device)
        ip("-n", self.name, "link", "set", device, "up")

    def link(self, device, state):
        ip("-n", self.name, "link", "set", device, state)

    def open_ports(self):
        """What anybody could send to: listening TCP sockets and bound UDP ones, as (protocol, port)."""
        found = set()
        for protocol in ("tcp", "tcp6", "udp", "udp6"):
            table = self.run("cat", "/proc/net/" + protocol).stdout
            assert table.lstrip().startswith("sl "), "no table of sockets"
            for line in table.splitlines()[1:]:
                local, state = re.match(r"\s*\d+: \w+:(\w+) \S+ (\w+) ", line).groups()
                if state == LISTEN or protocol.startswith("udp"):
                    found.add((protocol.rstrip("6"), int(local, 16)))
        return found

    @contextmanager
    def here(self):
        """This thread's new sockets are on this host, and so are the programs that it starts."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(Path("/run/netns") / self.name)
            yield self
        finally:
            enter("/proc/self/fd/%d" % home)
            os.close(home)


def enter(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.setns(fd, CLONE_NEWNET)
    os.close(fd)
    assert not failed, os.strerror(ctypes.get_errno())


def join(one, his, other, hers, network):
    """A cable between two hosts, with devices of these names, .1 and .2 of a /24."""
    ip("-n", one.name, "link", "add", his, "type", "veth", "peer", "name", hers, "netns", other.name)
    one.address(his, network + ".1/24")
    other.address(hers, network + ".2/24")
