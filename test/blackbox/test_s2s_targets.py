"""A domain with several targets (RFC 6120 3.2, RFC 2782): whatever goes wrong with one, the next is tried, and so is one that was only
slower than another (RFC 8305 5). A second attempt does not help here: the pause before it is an hour."""

import contextlib
import socket
import threading

import pytest

import pki
from client import NS_TLS, Closed
from far import Far, Link, fresh
from federation import federating, streams
from server import poll

OURS = "im.example"
S2S = """[dns]
loopback = yes
[connect]
head_start = 500ms
retry = 1h
retry_most = 1h
negotiate_time = 5m
[queue]
age = 1m
[policy]
require_certificate = yes
"""


def SERVER(names, ca):
    return federating(OURS, names, ca, "any", S2S, tls="required")


@pytest.fixture
def romeo(person):
    return person("romeo").login("orchard").online()


@contextlib.contextmanager
def targets(names, ca, *makers):
    """Servers of one domain, in this order of priority."""
    domain, = fresh("many")
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(make(names, ca, domain)) for make in makers]
        for priority, far in enumerate(made):
            names.service(domain, far.host, far.port(), priority=priority, target="t%d.%s" % (priority, domain))
        yield domain, made


def good(names, ca, domain):
    return Far(names, ca, domain, announce=False)


def by_hand(names, ca, domain):
    return Far(names, ca, domain, announce=False).by_hand()


def wrong(names, ca, domain):
    return Far(names, ca, domain, announce=False, identity=pki.self_signed(domain)).by_hand()


def closes(link):
    link.cut()


def ends_the_stream(link):
    link.expect_header()
    link.send("<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='x' version='1.0'>"
              "<stream:error><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
    link.cut()


def no_tls(link):
    link.answer_header().offer("dialback")
    with contextlib.suppress(Closed, OSError):
        link.expect_eof()
    link.cut()


def garbage_for_tls(link):
    link.answer_header().offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='%s'/>" % NS_TLS + "no TLS at all, and long enough for a record of it")
    link.cut()


def under_tls(link, far):
    link.answer_header().offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='%s'/>" % NS_TLS)
    with contextlib.suppress(OSError):
        link.secure(far.identity)


@pytest.mark.parametrize("bad", [closes, ends_the_stream, no_tls, garbage_for_tls], ids=lambda f: f.__name__)
def test_the_next_one_is_tried(names, ca, server, romeo, bad):
    with targets(names, ca, by_hand, good) as (domain, (first, second)):
        romeo.message("nurse@" + domain, "hello", id="hello")
        bad(first.accept())
        second.expect("message", id="hello")
        out, = streams(server, direction="out", remote=domain)
        assert out["port"] == second.port() and out["state"] == "ready"


def test_certificate_that_proves_nothing(names, ca, server, romeo):
    with targets(names, ca, wrong, good) as (domain, (first, second)):
        romeo.message("nurse@" + domain, "hello", id="hello")
        link = first.accept()
        with contextlib.suppress(Closed, OSError):
            under_tls(link, first)
            link.expect_eof()
        second.expect("message", id="hello")


class Full:
    """Listens, and takes no connection before open() is called: the kernel's queue is full, and what calls goes unheard."""

    def __init__(self, far):
        self.far, self.held = far, []
        self.sock = socket.create_server((far.host, 0), backlog=0)
        while True:
            one = socket.socket()
            one.setblocking(False)
            self.held.append(one)
            one.connect_ex(self.sock.getsockname())
            if len(self.held) == 4:
                return

    def open(self):
        """Who is in the queue is let out of it; from now on the Far serves who calls."""
        for one in self.held:
            one.close()
        self.sock.listen(64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.sock.accept()
                link = Link(sock, "to " + self.far.domain)
                link.direct = False
                self.far.served.append(link)
                threading.Thread(target=self.far.serve, args=(link,), daemon=True).start()


def test_what_was_only_slower_has_its_turn(names, ca, server, romeo):
    """The first target does not answer in time, the second does and is no good; meanwhile the first can be reached."""
    domain, = fresh("many")
    with Far(names, ca, domain, announce=False) as slow, Far(names, ca, domain, announce=False).by_hand() as quick:
        full = Full(slow)
        names.service(domain, slow.host, full.sock.getsockname()[1], priority=0, target="slow." + domain)
        names.service(domain, quick.host, quick.port(), priority=1, target="quick." + domain)
        romeo.message("nurse@" + domain, "hello", id="hello")
        link = quick.accept()
        full.open()
        link.expect_header()
        link.cut()
        slow.expect("message", id="hello")
        out, = streams(server, direction="out", remote=domain)
        assert out["port"] == full.sock.getsockname()[1] and out["state"] == "ready"
        full.sock.close()


def test_all_are_bad(names, ca, server, romeo):
    """Each is tried once, and who wrote is told what the one that led farthest said."""
    with targets(names, ca, by_hand, by_hand, by_hand) as (domain, fars):
        romeo.message("nurse@" + domain, "hello", id="lost")
        for far in fars:
            closes(far.accept())
        poll("the attempt to end", lambda: not streams(server, remote=domain))
        assert all(far.hands.empty() for far in fars)
