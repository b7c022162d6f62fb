"""A BOSH client (XEP-0124, XEP-0206) that sends what it is told to, body by body, and XMPP over it."""

import random
import select
import socket
import ssl
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

from client import PATIENCE, Client, local, tls_context
from websocket import with_namespace

NS_BOSH = "http://jabber.org/protocol/httpbind"
XBOSH = "xmlns:xmpp='urn:xmpp:xbosh'"


def readable(sockets, seconds):
    """Those of them that can be read, once any can; there may be more than select() has numbers for."""
    poll, by_number = select.poll(), {}
    for sock in sockets:
        by_number[sock.fileno()] = sock
        poll.register(sock, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(max(seconds, 0) * 1000)]


class Connection:
    """One HTTP connection with at most one request under way."""

    def __init__(self, server, domain, tls=False, port=None, path="/http-bind"):
        self.host, self.path = domain, path
        self.sock = socket.create_connection((server.host, server.port(port or ("https" if tls else "http"))), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls_context().wrap_socket(self.sock, server_hostname=domain)
        self.rid = None         # of the request under way
        self.bytes = b""

    def post(self, body, rid=None, headers=""):
        data = body.encode() if isinstance(body, str) else body
        self.rid = rid if rid is not None else 0
        self.sock.sendall(("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/xml; charset=utf-8\r\n%sContent-Length: %d\r\n\r\n"
                           % (self.path, self.host, headers, len(data))).encode() + data)

    def take(self):
        """Reads what is there; (status, headers, body) when an answer is whole, None before, and False at the end."""
        self.sock.settimeout(0)     # there may be something of TLS's own, and nothing of HTTP (a session ticket)
        try:
            more = self.sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            more = b""
        finally:
            self.sock.settimeout(PATIENCE)
        if not more:
            return False
        self.bytes += more
        return self.answer()

    def answer(self):
        head, sep, rest = self.bytes.partition(b"\r\n\r\n")
        if not sep:
            return None
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        n = int(headers.get("content-length", 0))
        if len(rest) < n:
            return None
        self.bytes = rest[n:]
        self.rid = None
        return int(status.split()[1]), headers, rest[:n].decode()

    def wait(self):
        """The whole answer."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pending = getattr(self.sock, "pending", None)
            if (pending and pending()) or readable([self.sock], deadline - time.monotonic()):
                got = self.take()
                assert got is not False, "the connection ended before the answer"
                if got:
                    return got
        raise AssertionError("no answer came")

    def ask(self, body, **how):
        """Sends a body; gives back the answer's."""
        self.post(body, **how)
        status, _, body = self.wait()
        assert status == 200, status
        return ET.fromstring(body)

    def cut(self):
        self.sock.close()


class BoshClient(Client):
    """A client's stream in BOSH bodies: one request is held, another carries what is sent."""

    def __init__(self, server, domain=None, tls=False, name="bosh", hold=1, wait=60, extra=""):
        self.name, self.server, self.tls = name, server, tls
        self.server_name = domain or server.domain
        self.features = self.jid = self.bare = self.stream_to = None
        self.hold, self.wait, self.extra = hold, wait, extra
        self.sid = None
        self.rid = random.randrange(1, 2 ** 40)
        self.connections, self.rids = [], {}
        self.session = None     # attributes of the creation response
        self.bodies = []        # every answer's attributes
        self.polled = 0         # when the last request was an empty one
        self.terminated = None  # attributes of the last body
        self.reset()

    # -- requests

    def idle(self):
        for connection in self.connections:
            if connection.rid is None:
                return connection
        connection = Connection(self.server, self.server_name, self.tls)
        self.connections.append(connection)
        return connection

    def held(self):
        return [connection for connection in self.connections if connection.rid is not None]

    def body(self, rid, payload="", attrs=""):
        return "<body rid='%d' xmlns='%s'%s%s>%s</body>" % (
            rid, NS_BOSH, " sid=%s" % quoteattr(self.sid) if self.sid else "", " " + attrs if attrs else "", payload)

    def request(self, payload="", attrs="", connection=None):
        """The next request; gives back its rid."""
        limit = time.monotonic() + PATIENCE
        while len(self.held()) > self.hold and self.step(limit):    # no more than it may
            pass
        self.rid += 1
        self.polled = 0
        body = self.body(self.rid, payload, attrs)
        print("%s > %s" % (self.name, body[:2000]))
        (connection or self.idle()).post(body, self.rid)
        return self.rid

    def send(self, data):
        self.request(with_namespace(data))

    # -- answers

    def step(self, deadline):
        """Reads once from what is held."""
        held = self.held()
        if not held:
            return False
        ready = [c for c in held if getattr(c.sock, "pending", lambda: 0)()]
        if not ready:
            there = readable([c.sock for c in held], deadline - time.monotonic())
            ready = [c for c in held if c.sock in there]
        for connection in ready:
            rid = connection.rid
            got = connection.take()
            if got is False:
                self.connections.remove(connection)
            elif got:
                assert got[0] == 200, got
                self.take_body(rid, got[2])
        return bool(ready) or time.monotonic() < deadline

    def take_body(self, rid, text):
        print("%s < %d: %s" % (self.name, rid, text[:2000]))
        body = ET.fromstring(text)
        assert body.tag == "{%s}body" % NS_BOSH
        self.bodies.append(dict(body.attrib))
        if body.get("sid"):
            self.sid, self.session = body.get("sid"), dict(body.attrib)
            self.header = dict(body.attrib)
        for child in list(body):
            self.inbox.append(child)
        if body.get("type") == "terminate":
            self.terminated = dict(body.attrib)
            self.ended = self.eof = True
            self.header = self.header or {}

    def drain(self):
        """Until no request is held."""
        while self.held():
            assert self.step(time.monotonic() + PATIENCE)

    def pump(self, deadline):
        if self.eof:
            return False
        if not self.held() and self.sid:
            self.poll()
        return self.step(deadline)

    def poll(self):
        """An empty request; of a polling session (hold 0) not before it may: XEP-0124 12."""
        may = self.polled + int(self.session.get("polling", 0)) if self.polled and self.hold == 0 else 0
        while time.monotonic() < may:
            time.sleep(may - time.monotonic())
        self.request()
        self.polled = time.monotonic()

    # -- the stream

    def open(self, to, extra="", version="1.0"):
        self.reset_stream()
        if self.sid:
            self.request(attrs="to='%s' xmpp:restart='true' %s%s" % (to, XBOSH, extra))
            self.header = {}
        else:
            self.request(attrs="to='%s' hold='%d' wait='%d' ver='1.6' xml:lang='en' xmpp:version='%s' %s %s%s" % (
                to, self.hold, self.wait, version, XBOSH, self.extra, extra))
            self.expect_header()
        return self

    def reset_stream(self):
        self.header = None
        self.inbox.clear()

    def login(self, user, password, resource=None, mechanism="SCRAM-SHA-256", tls=False, **how):
        return super().login(user, password, resource, mechanism, tls=False, **how)

    def expect_end(self):
        deadline = time.monotonic() + PATIENCE
        while not self.ended and self.pump(deadline):
            pass
        assert self.ended, "%s: the session goes on" % self.name

    def end(self):
        self.request("<presence type='unavailable' xmlns='jabber:client'/>", "type='terminate'")
        self.expect_end()
        self.cut()

    def cut(self):
        for connection in self.connections:
            connection.cut()
        self.connections = []
        self.eof = True

    def replay(self, rid, payload="", attrs=""):
        """Sends a body with a rid of one's own on a new connection; gives back the answer."""
        connection = Connection(self.server, self.server_name, self.tls)
        try:
            return connection.ask(self.body(rid, payload, attrs))
        finally:
            connection.cut()
