"""Several hosts on one machine: network namespaces joined by veth pairs (needs root, of a namespace of users at least).

Each is held by a process that ends with us, and not by a name in /run/netns: so nothing of it stays, and it works in a chroot,
where `ip netns exec` cannot mount."""

import ctypes
import os
import re
import subprocess
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
LISTEN = "0A"               # of /proc/net/tcp


def call(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, "%s: %s" % (" ".join(words), done.stderr)


class Host:
    """One network namespace; its own loopback is up, and nothing else."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo here && exec cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "here\n", "no network namespace can be made"
        self.link("lo", "up")

    def remove(self):
        self.holder.communicate()

    def command(self, *words):
        """The command line that runs a program on this host."""
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid, *words]

    def ip(self, *words):
        call(*self.command("ip", *words))

    def run(self, *words):
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def address(self, device, address):
        self.ip("addr", "add", address, "dev", device)
        self.link(device, "up")

    def link(self, device, state):
        self.ip("link", "set", device, state)

    def set(self, name, value):
        """Of the kernel, for this host."""
        call(*self.command("sysctl", "-qw", "%s=%s" % (name, value)))

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
            enter("/proc/%d/ns/net" % self.holder.pid)
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
    one.ip("link", "add", his, "type", "veth", "peer", "name", hers, "netns", str(other.holder.pid))
    one.address(his, network + ".1/24")
    other.address(hers, network + ".2/24")
