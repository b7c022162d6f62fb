"""For the tests of bad input (the numbers in their names are those of the groups in section 5 of the project's survey
of other servers): a stream in each place where a stranger can write, and what must hold after it."""

import os
import time

import pytest

from client import NS_STREAM, NS_STREAMS_ERR, Closed, local, namespace

# A sanitizer build keeps freed memory on purpose.
SANITIZED = "asan" in os.environ.get("BULKHEAD_BUILD", "")


def pour(stream, chunks):
    """Sends chunk after chunk until the server has had enough; gives back the condition of its stream error, "closed"
    when the connection ended without one that could be read, or None when it took everything."""
    try:
        for chunk in chunks:
            stream.sock.sendall(chunk if isinstance(chunk, bytes) else chunk.encode())
            while not stream.eof and stream.pump(time.monotonic()):
                pass
            if stream.eof or any(namespace(el) == NS_STREAM and local(el) == "error" for el in stream.inbox):
                break
        else:
            return None
    except OSError:
        pass
    return verdict(stream)


def verdict(stream):
    """The condition of the stream error that ends a stream, or "closed"."""
    try:
        err = stream.expect("error", where=lambda el: namespace(el) == NS_STREAM)
    except (Closed, OSError):
        return "closed"
    stream.cut()
    return [local(el) for el in err if namespace(el) == NS_STREAMS_ERR][0]


def outcome(stream, chunks):
    """Like pour, but where the server took everything it waits for its word."""
    return pour(stream, chunks) or verdict(stream)


def memory(server, pids=()):
    """KiB of all daemons together (PSS), or of some."""
    total = 0
    for pid in pids or server.daemons():
        with open("/proc/%d/smaps_rollup" % pid) as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total


ROOM = 64 * 1024        # KiB that an attack may cost while it lasts


class Bystanders:
    """Two who chat with each other while others misbehave."""

    def __init__(self, server):
        from conftest import Person, numbers
        self.pair = []
        for name in ("ann", "bob"):
            name = "%s-%d" % (name, next(numbers))
            server.adduser("%s@%s" % (name, server.domain), "pw")
            self.pair.append(Person(server, name, server.domain, [], "pw").login("stand").online())
        self.count = 0

    def chat(self, kept=True):
        """One message each way, once each. kept=False: such as needs no room in the store (XEP-0334): what is kept is
        committed before anybody has it."""
        for one, other in (self.pair, self.pair[::-1]):
            self.count += 1
            if kept:
                one.message(other.jid, "word %d" % self.count)
            else:
                one.send("<message to='%s' type='chat'><body>word %d</body><no-store xmlns='urn:xmpp:hints'/></message>" % (
                    other.jid, self.count))
        for client in self.pair:
            client.expect("message", where=lambda el: "word" in "".join(el.itertext()))
            client.sync()


@pytest.fixture(scope="module")
def bystanders(server):
    it = Bystanders(server)
    it.chat()
    return it


@pytest.fixture
def unaffected(server, bystanders):
    """After the test the daemons are the same processes, memory is about what it was, and the bystanders chat on."""
    before = memory(server)
    yield
    bystanders.chat()
    assert server.daemons() == server.pids, "no daemon has died"
    after = memory(server)
    assert SANITIZED or after - before < ROOM, "%d KiB, %d before" % (after, before)
