"""A daemon's link to the router, spoken by hand (common/link/frame.h): what an edge that has been broken into can do."""

import os
import re
import struct
import time
import xml.etree.ElementTree as ET

from client import PATIENCE, local
from component import Component225

HEAD = struct.Struct(">IBBHQQQQQQQ")
NS_FRAMES = "urn:bulkhead:frames:0"
NS_CONTROL = "urn:bulkhead:session:0"
STANZA, FANOUT, CONTROL, ACK, SYNC, BOUNCE = range(1, 7)
ASK, REBORN = 0x10, 0x20


class Frame:
    def __init__(self, kind, flags, dst, src, session, seq, ack, mark, origin, payload):
        self.kind, self.flags, self.dst, self.src = kind, flags, dst, src
        self.session, self.seq, self.ack, self.mark, self.origin, self.payload = session, seq, ack, mark, origin, payload

    def element(self):
        return ET.fromstring(self.payload)

    def is_control(self, name):
        return self.kind == CONTROL and local(self.element()) == name


def secret_of(server, section):
    """A daemon's secret, as the router knows it."""
    text = (server.dir / "router.conf").read_text()
    return re.search(r"\[component %s\]\s*secret = (.*)" % section, text).group(1)


class Edge:
    """A node of its own: `peer` is the session manager, with which it has a channel."""

    def __init__(self, server, section="c2s", role="edge", node=None, instance="evil-1", version="3"):
        it = self.stream = Component225(server, section, name=instance)
        it.begin()
        assert local(it.authenticate(section, secret_of(server, section))) == "success"
        it.begin()
        self.node = node or int.from_bytes(os.urandom(8), "big")
        self.data, self.inbox, self.nodes = b"", [], {}
        self.seq, self.taken, self.incarnation, self.peer, self.theirs = 0, 0, 1, None, 0
        it.send("<frames xmlns='%s' node='%016x' version='%s' role='%s' instance='%s'/>" % (
            NS_FRAMES, self.node, version, role, instance))

    def up(self):
        """Frames flow, and the session manager's channel is open."""
        data = b""
        while b"/>" not in data[data.find(b"<frames"):] or b"<frames" not in data:
            got = self.stream.recv(PATIENCE)
            assert got, "no answer to <frames/>: %r" % data
            data += got
        self.data = data[data.index(b"/>", data.index(b"<frames")) + 2:]
        self.take()
        self.expect(lambda f: f.kind == SYNC)
        return self

    # -- in ---------------------------------------------------------------------------------------------------------

    def take(self):
        """Cuts frames off what has come."""
        while len(self.data) >= HEAD.size:
            length, kind, flags, name, dst, src, session, seq, ack, mark, origin = HEAD.unpack(self.data[:HEAD.size])
            if len(self.data) < HEAD.size + length:
                return
            frame = Frame(kind, flags, dst, src, session, seq, ack, mark, origin,
                          self.data[HEAD.size + name:HEAD.size + length])
            self.data = self.data[HEAD.size + length:]
            self.inbox.append(frame)
            self.react(frame)

    def react(self, frame):
        """As much of rlink.c as keeps a channel going."""
        if frame.src == 0 and frame.is_control("node-up"):
            el = frame.element()
            self.nodes[int(el.get("node"), 16)] = el
        if frame.kind == SYNC:
            self.peer = frame.src
            if frame.flags & REBORN and self.theirs != frame.session >> 32:
                self.taken = 0
            self.theirs = frame.session >> 32
            if frame.flags & ASK:
                self.raw(SYNC, dst=frame.src, session=self.incarnation << 32 | self.theirs, ack=self.taken, mark=self.seq)
        if frame.seq == self.taken + 1:
            self.taken = frame.seq

    def pump(self, seconds):
        data = self.stream.recv(seconds)
        if data == b"":
            self.stream.eof = True
        if data:
            self.data += data
            self.take()
        return bool(data)

    def expect(self, wanted):
        deadline = time.monotonic() + PATIENCE
        while True:
            for frame in self.inbox:
                if wanted(frame):
                    self.inbox.remove(frame)
                    return frame
            assert not self.stream.eof, "the link was closed"
            assert time.monotonic() < deadline, "no such frame; %s" % [(f.kind, f.payload) for f in self.inbox]
            self.pump(deadline - time.monotonic())

    def expect_control(self, name, session):
        return self.expect(lambda f: f.session == session and f.is_control(name)).element()

    def expect_closed(self):
        deadline = time.monotonic() + PATIENCE
        while not self.stream.eof:
            assert time.monotonic() < deadline, "the router keeps the link"
            self.pump(deadline - time.monotonic())

    # -- out --------------------------------------------------------------------------------------------------------

    def raw(self, kind, payload=b"", dst=0, session=0, seq=0, ack=0, flags=0, name=b"", src=0, length=None, mark=0, origin=0):
        body = name + (payload.encode() if isinstance(payload, str) else payload)
        self.stream.sock.sendall(HEAD.pack(len(body) if length is None else length, kind, flags, len(name), dst, src,
                                           session, seq, ack, mark, origin) + body)

    def send(self, kind, payload, session):
        """The next frame of the channel."""
        self.seq += 1
        self.raw(kind, payload, dst=self.peer, session=session, seq=self.seq, ack=self.taken)

    def control(self, name, session, inner="", **attrs):
        text = "".join(" %s='%s'" % pair for pair in attrs.items())
        self.send(CONTROL, "<%s xmlns='%s'%s>%s</%s>" % (name, NS_CONTROL, text, inner, name), session)

    def alive(self, sessions, marks=(), end=True):
        """What an edge says to a session manager that was restarted."""
        self.raw(CONTROL, "<alive xmlns='%s' upto='%d'%s>%s%s</alive>" % (
            NS_CONTROL, self.seq, " end='1'" if end else "", "".join("<s id='%d'/>" % n for n in sessions),
            "".join("<m id='%d' pos='%d'/>" % pair for pair in marks)), dst=self.peer)

    def open(self, session, domain, **attrs):
        self.control("open", session, domain=domain, ip="192.0.2.1", **{"secure": "1", "mechanisms": "PLAIN", **attrs})

    def settle(self):
        """A round trip to the session manager: a session of its own is refused."""
        self.last = getattr(self, "last", 1 << 40) + 1
        self.open(self.last, "im.example")
        self.control("auth", self.last, mechanism="NONE")
        self.expect_control("failure", self.last)
        self.control("gone", self.last)
