"""For the tests of hostile servers: one server of ours whose s2s looks names up in the test's DNS, with a domain for
each policy; an honest neighbour that goes on talking with somebody of ours; and what must hold after each test."""

import contextlib
import re
from pathlib import Path

import pytest

import control
from client import body_of
from conftest import Person
from far import Far, Neighbour, fresh
from hostile import ROOM, SANITIZED, memory
from server import poll

# TLS required, dialback will do; certificates required; nothing required. And a component's.
OPEN, STRICT, LOOSE, ECHO = "im.example", "strict.example", "loose.example", "echo.im.example"
DOMAINS = [OPEN, STRICT, LOOSE]
POLICY = "\n[domain %s]\nrequire_certificate = yes\n[domain %s]\nrequire_tls = no\n" % (STRICT, LOOSE)


def world(names, ca, options=None, files=None, **more):
    """What a module's SERVER says; options: {(section, option): value} of s2s.conf."""
    shown = ca.issue(*DOMAINS)
    conf = {("tls", "ca"): "tls/ca.pem", ("dns", "servers"): "%s@%d" % (names.address, names.port), ("dns", "loopback"): "yes",
            ("dns", "hosts_file"): "", ("dns", "keep_least"): "0ms", ("dns", "anchor_file"): "anchors", ("dns", "time"): "5s",
            ("connect", "negotiate_time"): "2s", ("connect", "retry"): "10ms", ("connect", "retry_most"): "50ms", ("queue", "age"): "1s",
            **(options or {})}
    return {"domains": DOMAINS, "tls": "required", "s2s": True, "components": {ECHO: "secret of echo"},
            "files": {"tls/cert.pem": shown.pem(), "tls/key.pem": shown.key_pem(), "tls/ca.pem": ca.pem(),
                      "anchors": "".join(line + "\n" for line in names.anchors()).encode(), **(files or {})},
            "conf": {"s2s.conf": "".join("[%s]\n%s = %s\n" % (*key, value) for key, value in conf.items()) + POLICY}, **more}


# -- what it notices ----------------------------------------------------------------------------------------------------

def count(server, name):
    return control.counter(server, "bulkhead_s2s_" + name, "s2s-1")


def log(server):
    return "".join(path.read_text(errors="replace") for path in server.log_files() if "s2s" in path.name)


@contextlib.contextmanager
def noticed(server, counter=None, event=None, **fields):
    """What is done in it is counted, and there is a line about it in the log; fields of the line: name=value."""
    before, seen = counter and count(server, counter), len(log(server))
    yield
    if counter:
        poll("bulkhead_s2s_%s to rise" % counter, lambda: count(server, counter) > before)
    if event:
        line = re.compile(r"ev=%s\b.*" % event + "".join(r"(?=.*\b%s=%s\b)" % (k, re.escape(v)) for k, v in fields.items()))
        poll("a line ev=%s %s" % (event, fields), lambda: line.search(log(server)[seen:]))


@contextlib.contextmanager
def configured(server, options):
    """Within it s2s runs with other options: {(section, option): value}; it is reloaded for them, and again after."""
    conf = server.dir / "s2s.conf"
    before = text = conf.read_text()
    for (section, option), value in options.items():
        line = "[%s]\n%s = %s\n" % (section, option, value)
        text, found = re.subn(r"\[%s\]\n%s = .*\n" % (section, option), line, text)
        text += "" if found else line
    conf.write_text(text)
    server.run("reload")
    try:
        yield
    finally:
        conf.write_text(before)
        server.run("reload")


# -- who is there -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def neighbour(server, names, ca):
    server.adduser("alice@" + server.domain, "pw")
    alice = Person(server, "alice", server.domain, [], "pw").login("there").online()
    with Far(names, ca, *fresh("honest")) as far:
        it = Neighbour(far, server, alice)
        it.mark()
        it.memory = memory(server)
        yield it
    alice.cut()


@pytest.fixture
def alice(neighbour):
    return neighbour.client


@pytest.fixture(scope="module")
def strict_one(server):
    """Somebody of the domain that requires certificates."""
    server.adduser("stella@" + STRICT, "pw")
    it = Person(server, "stella", STRICT, [], "pw").login("there").online()
    yield it
    it.cut()


@pytest.fixture
def mallory(names, ca):
    """A hostile server, with two domains; its certificate is right for both."""
    with Far(names, ca, *fresh("mallory", "mallet")) as it:
        yield it


def alive(pid):
    with contextlib.suppress(OSError):
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def unhurt(server, neighbour):
    """After the test the daemons are the same processes, memory is about what it was at the module's begin, the honest
    neighbour and its friend write to each other, and nothing evil has come."""
    yield
    assert all(alive(pid) for pid in server.pids), "a daemon has died"
    neighbour.mark()
    evil = [el for el in neighbour.client.inbox if body_of(el) == "evil"]
    neighbour.client.inbox.clear()
    assert not evil, "got in"
    after = memory(server, server.pids)
    assert SANITIZED or after - neighbour.memory < ROOM, "%d KiB, %d when it began" % (after, neighbour.memory)
