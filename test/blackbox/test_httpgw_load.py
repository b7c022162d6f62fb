"""Many clients of one gateway at the same time, by both ways (the load generator's; thousands of them are test/bench's scene `web`), and a file that
is far larger than the gateway: 1 GiB up and down."""

import contextlib
import hashlib
import json
import os
import resource
import subprocess
import threading
from pathlib import Path

import pytest

from http_raw import Http
from server import BUILD, poll
from upload import slot, target
from websocket import WsClient

WAYS = {"ws": 300, "bosh": 200}     # all of them online at the same time
SERVER = {"domains": ("im.example",), "register": "open", "http": True,
          "conf": {"sessman.conf": "[auth]\niterations = 4096\n[upload]\nmax_size = 2g\nday_bytes = 0\nquota = 0\n"}}
MIB = 1 << 20
PIECE = bytes(range(256)) * (MIB // 256)
GIB = 1024 * MIB
MORE_MIB = 8        # what the gateway may take beside what it had


def gauge(server, name):
    text = server.run("tell", "httpgw-1", "metrics").stdout
    return int(next(line.split()[-1] for line in text.splitlines() if line.startswith("bulkhead_httpgw_%s{" % name)))


class Generator:
    """One load generator, which waits at each of its phases."""

    def __init__(self, server, scene, port, by, first, count, *options):
        self.process = subprocess.Popen(
            [BUILD / "loadgen", scene, "--port", str(port), "--by", by, "--domain", server.domain, "--first", str(first), "--count", str(count),
             "--scram-cache", server.dir / ("scram-" + by), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def phase(self, name):
        assert self.process.stdout.readline() == "PHASE %s\n" % name

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def accounts(server):
    with Generator(server, "register", server.port("c2s"), "tcp", 0, sum(WAYS.values()), "--concurrency", "32") as it:
        assert it.result()["logins"] == sum(WAYS.values())


@pytest.mark.parametrize("tls", [False, True], ids=["plain, from this host", "TLS"])
def test_all_of_them_are_there_and_each_gets_its_messages(server, accounts, tls):
    """Pairs chat; who gets a message sends one back, so each has had some; none is lost, none comes twice. When all have left, nothing is left."""
    port, how = server.port("https" if tls else "http"), ("--tls", "direct") if tls else ()
    with contextlib.ExitStack() as stack:
        generators, first = [], 0
        for by, count in WAYS.items():
            generators.append(stack.enter_context(Generator(
                server, "chat", port, by, first, count, "--seconds", "1", "--warm-up", "0", "--concurrency", "32", "--phases", *how)))
            first += count
        for it in generators:
            it.phase("begin")
        assert gauge(server, "sessions") == sum(WAYS.values())
        for phase in ("end", "left"):
            for it in generators:
                it.go()
            for it in generators:
                it.phase(phase)
        for it in generators:
            it.go()
        for it, count in zip(generators, WAYS.values()):
            result = it.result()
            assert (result["logins"], result["failed"], result["dropped"]) == (count, 0, 0)
            assert result["sent"] == result["delivered"] >= count
            assert (result["lost"], result["duplicate"], result["errors"], result["stray"]) == (0, 0, 0, 0)
    poll("the gateway to be empty", lambda: (gauge(server, "sessions"), gauge(server, "http_connections")) == (0, 0))


@pytest.mark.parametrize("tls", [False, True], ids=["plain, from this host", "TLS"])
def test_no_more_open_files(server, person, connections, tls):
    """Over TLS a connection of the gateway's library is three of them. Who is there goes on, who comes is closed, and is served again later."""
    romeo = person("romeo")
    there = WsClient(server, tls=tls)
    connections.append(there)
    there.login(romeo.user, romeo.password, "there").online()
    pid = next(pid for pid, name in server.daemons().items() if "httpgw" in name)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir("/proc/%d/fd" % pid)) + 20, before[1]))
    try:
        others = [it for it in (reach(server, tls) for _ in range(40)) if it]
        assert len(others) < 40
        there.message(there.jid, "still here")
        there.expect("message", body="still here")
        for it in others:
            it.close()
        poll("room again", lambda: (it := reach(server, tls)) and not it.close())
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    poll("the others to be gone", lambda: gauge(server, "http_connections") == 0)


def reach(server, tls):
    """A connection of which the gateway has answered a request; None: there is no room."""
    try:
        it = Http(server, tls)
    except OSError:
        return None
    try:
        answer = it.ask("GET", "/health")
    except OSError:
        answer = None
    if answer:
        return it
    it.close()
    return None


class Memory:
    """The largest PSS of the gateway, in MiB, while the block runs."""

    def __init__(self, server):
        self.path = next(Path("/proc/%d/smaps_rollup" % pid) for pid, name in server.daemons().items() if "httpgw" in name)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.most = self.now()

    def now(self):
        return next(int(line.split()[1]) for line in self.path.read_text().splitlines() if line.startswith("Pss:")) / 1024

    def watch(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, self.now())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def test_a_gibibyte_goes_through_a_small_gateway(server, person):
    """Up and down, with the same memory as before; and the file is whole."""
    urls = slot(person("romeo").login("balcony"), name="long.mp4", size=GIB, type="video/mp4")
    own = Memory(server)
    before = own.now()
    with own:
        up = Http(server)
        up.head("PUT", target(urls[0]), {"Content-Type": "video/mp4"}, GIB)
        for _ in range(GIB // MIB):
            up.send(PIECE)
        assert up.answer().status == 201
        down, left, same = Http(server), GIB, hashlib.sha256()
        down.head("GET", target(urls[1]), {"Connection": "close"})
        status, length, rest = head_of(down)
        assert (status, length) == (200, GIB)
        while left:
            same.update(rest)
            left -= len(rest)
            rest = down.sock.recv(MIB) if left else b""
            assert rest or not left, "%d bytes are missing" % left
    print("httpgw: %.1f MiB before, at most %.1f, %.1f after" % (before, own.most, own.now()))
    assert own.most < before + MORE_MIB
    want = hashlib.sha256()
    for _ in range(GIB // MIB):
        want.update(PIECE)
    assert same.digest() == want.digest()
    for path in (server.dir / "upload").rglob("*"):     # a gibibyte is not kept for the other tests' sake
        if path.is_file():
            path.unlink()


def head_of(http):
    """(status, length of the body, what has come of it)."""
    while b"\r\n\r\n" not in http.got:
        assert http.more()
    head, _, rest = http.got.partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode().lower().split("\r\n")]
    return int(lines[0][0].split()[1]), int(next(value for name, _, value in lines if name == "content-length")), rest
