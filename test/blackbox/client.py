"""A small synchronous XMPP client for tests: it sends what it is told to, byte for byte, and waits for what it is
told to expect. Nothing is filtered, repaired or answered behind the test's back, so that a test reads like a
transcript of the stream. Waiting is for stanzas, never for time: `sync` makes a round trip through the server, and
what has not arrived by then was not sent."""

import collections
import itertools
import os
import select
import socket
import ssl
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

import sasl

NS_CLIENT = "jabber:client"
NS_STREAM = "http://etherx.jabber.org/streams"
NS_STREAMS_ERR = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZAS_ERR = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_SESSION = "urn:ietf:params:xml:ns:xmpp-session"
NS_ROSTER = "jabber:iq:roster"
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"
NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
NS_PING = "urn:xmpp:ping"
NS_DELAY = "urn:xmpp:delay"
NS_REGISTER = "jabber:iq:register"
NS_COMMANDS = "http://jabber.org/protocol/commands"
NS_DATA = "jabber:x:data"

# Seconds to wait for what must come; a slow machine or a sanitizer build may ask for more.
PATIENCE = float(os.environ.get("BLACKBOX_PATIENCE", "20"))

counter = itertools.count(1)


def next_id():
    return "t%d" % next(counter)


def q(namespace, name):
    """The name of an element as ElementTree writes it."""
    return "{%s}%s" % (namespace, name)


def local(el):
    return el.tag.rpartition("}")[2]


def namespace(el):
    return el.tag[1:].partition("}")[0]


def show(el):
    return el if isinstance(el, str) else ET.tostring(el, encoding="unicode")


def error_of(el):
    """(type, condition) of a stanza's error, or (None, None)."""
    for child in el:
        if local(child) == "error":
            for condition in child:
                if namespace(condition) == NS_STANZAS_ERR and local(condition) != "text":
                    return child.get("type"), local(condition)
            return child.get("type"), None
    return None, None


def body_of(el):
    for child in el:
        if local(child) == "body":
            return child.text or ""
    return None


def matches(el, kind=None, **want):
    """Whether a stanza is what is wanted. Keywords are attributes (from_ for from; None: must be absent), and
    body: text of the body; error: the error's condition; has: a descendant in {namespace}name form."""
    if kind is not None and local(el) != kind:
        return False
    for key, value in want.items():
        key = key.rstrip("_")
        if key == "body":
            got = body_of(el)
        elif key == "error":
            got = error_of(el)[1]
        elif key == "has":
            got = value if el.find(".//" + value) is not None else None
        else:
            got = el.get(key)
        if got != value:
            return False
    return True


class Closed(Exception):
    """The stream ended where a stanza was expected."""


class Stream:
    """One XML stream over TCP or TLS. Completed top-level elements go to the inbox; `expect` takes them out of it."""

    default_ns = NS_CLIENT

    def __init__(self, address, name="client", sock=None):
        self.name = name
        self.sock = sock or socket.create_connection(address, timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reset()

    def reset(self):
        """Forgets everything of the stream, as both sides must after TLS and SASL (RFC 6120 4.3.3)."""
        self.parser = ET.XMLPullParser(events=("start", "end"))
        self.depth = 0
        self.root = None
        self.header = None
        self.inbox = collections.deque()
        self.ended = False      # </stream:stream> was seen
        self.eof = False        # the socket has ended

    # -- bytes ----------------------------------------------------------------------------------------------------

    def send(self, data):
        print("%s > %s" % (self.name, data if len(data) < 2000 else "%s... (%d)" % (data[:200], len(data))))
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def recv(self, seconds):
        """Some bytes, b"" at the end of the stream, None when nothing came in time."""
        pending = getattr(self.sock, "pending", None)
        if not (pending and pending()) and not select.select([self.sock], [], [], max(seconds, 0))[0]:
            return None
        try:
            return self.sock.recv(65536)
        except ssl.SSLWantReadError:
            return None
        except (ConnectionError, ssl.SSLError, TimeoutError):
            return b""

    def pump(self, deadline):
        """Reads once; False when the time is over or the socket has ended."""
        if self.eof:
            return False
        data = self.recv(deadline - time.monotonic())
        if data is None:
            return time.monotonic() < deadline
        if data == b"":
            self.eof = True
            return False
        print("%s < %s" % (self.name, data[:2000].decode(errors="replace")))
        self.parser.feed(data)
        self.take_events()
        return True

    def take_events(self):
        for event, el in self.parser.read_events():
            if event == "start":
                if self.depth == 0:
                    self.root, self.header = el, dict(el.attrib)
                self.depth += 1
            else:
                self.depth -= 1
                if self.depth == 1:
                    self.inbox.append(el)
                    self.root.remove(el)
                elif self.depth == 0:
                    self.ended = True

    # -- stanzas --------------------------------------------------------------------------------------------------

    def expect(self, kind=None, timeout=None, where=None, **want):
        """Takes the first stanza that matches (see `matches`; where: any further predicate) out of the inbox, waiting
        for it as long as needed. Others stay in the inbox, in order."""
        deadline = time.monotonic() + (timeout or PATIENCE)
        seen = 0
        while True:
            for el in itertools.islice(self.inbox, seen, None):
                if matches(el, kind, **want) and (where is None or where(el)):
                    self.inbox.remove(el)
                    return el
            seen = len(self.inbox)
            if not self.pump(deadline) and seen == len(self.inbox):
                raise (Closed if self.eof else AssertionError)(
                    "%s: no %s %s came%s; the inbox holds: %s" % (
                        self.name, kind, want, " before the stream ended" if self.eof else "",
                        [show(el) for el in self.inbox]))

    def ask(self, kind, payload, to=None, id=None, **attrs):
        """Sends an IQ of type `kind` (get or set) and gives back its result or error."""
        id = id or next_id()
        if to is not None:
            attrs["to"] = to
        extra = "".join(" %s=%s" % (name.rstrip("_"), quoteattr(value)) for name, value in attrs.items())
        self.send("<iq type='%s' id='%s'%s>%s</iq>" % (kind, id, extra, payload))
        return self.expect("iq", id=id, where=lambda el: el.get("type") in ("result", "error"))

    def ping(self):
        return self.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=self.server_name)

    def settle(self):
        """A round trip through the server; what came before its end is in the inbox."""
        id = next_id()
        self.send("<iq type='get' id='%s' to='%s'%s><ping xmlns='%s'/></iq>" % (
            id, self.server_name, self.sync_from, NS_PING))
        pong = self.expect("iq", where=lambda el: el.get("id") == id and el.get("type") in ("result", "error"))
        assert pong.get("type") == "result", show(pong)

    def sync(self):
        """Everything that the server sent before it answered a ping sent now; the inbox is empty after it. What came
        behind the answer in one read with it is taken too: it cannot be told apart, nor need it be."""
        self.settle()
        got = list(self.inbox)
        self.inbox.clear()
        return got

    sync_from = ""

    def expect_nothing(self, kind=None, **want):
        """A round trip brings no stanza that matches. What does not match stays in the inbox."""
        self.settle()
        bad = [el for el in self.inbox if matches(el, kind, **want)]
        assert not bad, "%s: unexpected: %s" % (self.name, [show(el) for el in bad])

    # -- the stream's own life ------------------------------------------------------------------------------------

    def open(self, to, extra="", version="1.0"):
        """Sends a stream header and waits for the answer to it."""
        self.reset()
        self.send("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s'%s%s%s>" % (
            self.default_ns, NS_STREAM, " to='%s'" % to if to else "",
            " version='%s'" % version if version else "", extra))
        self.expect_header()
        return self

    def expect_header(self):
        deadline = time.monotonic() + PATIENCE
        while self.header is None:
            if not self.pump(deadline):
                raise (Closed if self.eof else AssertionError)("%s: no stream header came" % self.name)
        return self.header

    def expect_stream_error(self, condition):
        """The server closes the stream with this error (RFC 6120 4.9.1): header, error, end tag, end of socket."""
        err = self.expect("error", where=lambda el: namespace(el) == NS_STREAM)
        got = [local(c) for c in err if namespace(c) == NS_STREAMS_ERR and local(c) != "text"]
        allowed = (condition,) if isinstance(condition, str) else condition
        assert got and got[0] in allowed, "%s: stream error %s, not %s" % (self.name, got, condition)
        self.expect_end()
        return err

    def expect_end(self):
        """The server sends its end tag and then ends the connection, when it has ours (RFC 6120 4.4)."""
        deadline = time.monotonic() + PATIENCE
        while not self.ended and self.pump(deadline):
            pass
        assert self.ended, "%s: no stream end tag came" % self.name
        try:
            self.send("</stream:stream>")
        except OSError:
            pass
        self.expect_eof()

    def expect_eof(self):
        deadline = time.monotonic() + PATIENCE
        while self.pump(deadline):
            pass
        assert self.eof, "%s: the connection stays open" % self.name

    def end(self):
        """Closes the stream in order: end tag, the server's end tag, end of socket."""
        self.send("</stream:stream>")
        deadline = time.monotonic() + PATIENCE
        while not self.ended and self.pump(deadline):
            pass
        assert self.ended, "%s: no end tag in answer to ours" % self.name
        self.cut()

    def cut(self):
        """Drops the socket without a word."""
        try:
            self.sock.close()
        except OSError:
            pass
        self.eof = True


def tls_context(alpn=None, cert=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    if cert:
        context.load_cert_chain(*cert)
    return context


class Client(Stream):
    """A client's stream, with the steps of RFC 6120 as methods."""

    def __init__(self, server, domain=None, direct_tls=False, name="client", sni=None, context=None, port=None):
        super().__init__((server.host, server.port(port or ("c2s_tls" if direct_tls else "c2s"))), name)
        self.server_name = domain or server.domain
        self.features = None
        self.jid = self.bare = None
        self.stream_to = None
        if direct_tls:
            self.wrap_tls(sni or self.server_name, context or tls_context(["xmpp-client"]))

    def wrap_tls(self, sni, context):
        self.sock.settimeout(PATIENCE)
        self.sock = context.wrap_socket(self.sock, server_hostname=sni)

    def begin(self, to=None, extra=""):
        """Opens the stream and takes the features."""
        self.open(to or self.server_name, extra)
        self.features = self.expect("features")
        return self.features

    def starttls(self, context=None, sni=None):
        self.send("<starttls xmlns='%s'/>" % NS_TLS)
        self.expect("proceed")
        self.wrap_tls(sni or self.server_name, context or tls_context())
        return self

    def mechanisms(self):
        return [el.text for el in self.features.iter(q(NS_SASL, "mechanism"))]

    def authenticate(self, user, password, mechanism="SCRAM-SHA-256", **how):
        """Runs one SASL exchange; gives back the <success/> or <failure/>."""
        exchange = sasl.mechanism(mechanism, user, password, **how)
        self.send("<auth xmlns='%s' mechanism='%s'>%s</auth>" % (NS_SASL, mechanism, sasl.encode(exchange.initial())))
        while True:
            el = self.expect(where=lambda el: namespace(el) == NS_SASL)
            if local(el) != "challenge":
                if local(el) == "success":
                    exchange.finish(sasl.decode(el.text))
                return el
            self.send("<response xmlns='%s'>%s</response>" % (
                NS_SASL, sasl.encode(exchange.step(sasl.decode(el.text)))))

    def bind(self, resource=None):
        asked = "<resource>%s</resource>" % resource if resource else ""
        reply = self.ask("set", "<bind xmlns='%s'>%s</bind>" % (NS_BIND, asked))
        if reply.get("type") == "result":
            self.jid = reply.find(".//" + q(NS_BIND, "jid")).text
            self.bare = self.jid.partition("/")[0]
        return reply

    def login(self, user, password, resource=None, mechanism="SCRAM-SHA-256", tls=True, **how):
        """From a fresh connection to a bound resource."""
        self.begin()
        if tls and not isinstance(self.sock, ssl.SSLSocket):
            self.starttls()
            self.begin()
        outcome = self.authenticate(user, password, mechanism, **how)
        assert local(outcome) == "success", show(outcome)
        self.begin()
        reply = self.bind(resource)
        assert reply.get("type") == "result", show(reply)
        return self

    # -- what a messenger does ------------------------------------------------------------------------------------

    def online(self, priority=None, inner=""):
        """Sends available presence and takes what the server sends for it, the echo and probes' answers included."""
        prio = "" if priority is None else "<priority>%d</priority>" % priority
        self.send("<presence>%s%s</presence>" % (prio, inner))
        self.sync()
        return self

    def interested(self):
        """Asks for the roster, so pushes will come (RFC 6121 2.2); gives back {jid: item}."""
        reply = self.ask("get", "<query xmlns='%s'/>" % NS_ROSTER)
        assert reply.get("type") == "result", show(reply)
        return {item.get("jid"): item for item in reply.iter(q(NS_ROSTER, "item"))}

    def subscription(self, type, to):
        self.send("<presence type='%s' to='%s'/>" % (type, to))

    def flush(self):
        """Everything up to a message that the client, which has the highest priority, sends to its account now: it
        comes behind those that were kept (which the answer to a ping may overtake). The inbox is empty after it."""
        id = "flush-" + next_id()
        self.message(self.bare, "flush", id=id)
        self.expect("message", id=id)
        got = [el for el in self.inbox if not (el.get("id") or "").startswith("flush-")]
        self.inbox.clear()
        return got

    def message(self, to, body, type="chat", id=None):
        self.send("<message to='%s' type='%s' id='%s'><body>%s</body></message>" % (to, type, id or next_id(), body))


def befriend(one, other):
    """Two connected clients become contacts of each other, whatever their presence; what that brings is dropped."""
    one.subscription("subscribe", other.bare)
    one.sync()
    other.subscription("subscribed", one.bare)
    other.subscription("subscribe", one.bare)
    other.sync()
    one.subscription("subscribed", other.bare)
    one.sync()
    other.sync()
