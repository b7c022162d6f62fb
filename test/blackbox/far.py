"""Another server in raw streams, honest or not: it listens and dials, has certificates, answers about dialback keys, and
cheats where it is told to.

    with Far(names, ca, "far.example") as far:              # in the DNS, and served by a thread as an honest server would
        link = far.proven(server)                           # a stream to `server` that has proven far.example
        link.message("evil@far.example", juliet.jid, "hello")
        far.expect("message", to="evil@far.example")        # what came on any stream to it

What its server says is a table, Far.manners, any entry of which a test may replace (see `Manners`); `by_hand` gives
the connections to the test instead. A Link is a client.Stream: nothing is said on it that the test has not said."""

import base64
import collections
import contextlib
import functools
import hashlib
import hmac
import itertools
import queue
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from client import NS_SASL, NS_STREAM, NS_TLS, PATIENCE, Closed, Stream, local, matches, namespace, next_id, q, show, tls_context

NS_SERVER = "jabber:server"
NS_DIALBACK = "jabber:server:dialback"
NS_DIALBACK_FEATURE = "urn:xmpp:features:dialback"
NS_BIDI = "urn:xmpp:bidi"
NS_BIDI_FEATURE = "urn:xmpp:features:bidi"
NS_SM = "urn:xmpp:sm:3"

addresses = itertools.count(20)


def loopback():
    """An address of 127/8 that no other test server has."""
    n = next(addresses)
    return "127.0.%d.%d" % (1 + n // 200, 20 + n % 200)


def fresh(*names):
    """Domains that no test has had."""
    n = next(addresses)
    return ["%s-%d.example" % (name, n) for name in names]


@functools.lru_cache(maxsize=200)
def context_of(identity, server_side, alpn=()):
    """A TLS context that shows this identity (None: nothing), and believes anybody."""
    if not server_side:
        context = tls_context(alpn)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if alpn:
            context.set_alpn_protocols(alpn)
    if identity:
        with tempfile.TemporaryDirectory(prefix="bulkhead-far-") as folder:
            both = identity.write_both(Path(folder) / "both.pem")
            context.load_cert_chain(both, both)
    return context


def dialback(name, from_, to, content="", **attrs):
    """<db:result/> or <db:verify/>; the prefix is declared by the stream header."""
    extra = "".join(" %s=%s" % (key.rstrip("_"), quoteattr(value)) for key, value in attrs.items() if value is not None)
    return "<db:%s%s%s%s>%s</db:%s>" % (name, " from=%s" % quoteattr(from_) if from_ is not None else "",
                                        " to=%s" % quoteattr(to) if to is not None else "", extra, content, name)


class Link(Stream):
    """A stream with another server, in either direction."""

    default_ns = NS_SERVER

    def __init__(self, sock, name, domain=None, server_name=None):
        super().__init__(None, name, sock=sock)
        self.domain, self.server_name = domain, server_name     # the far one, ours
        self.features = None

    def recv(self, seconds):
        """As a Stream's, but what TLS has to say for itself (tickets) is not waited behind."""
        self.sock.setblocking(False)
        try:
            return super().recv(seconds)
        finally:
            with contextlib.suppress(OSError):
                self.sock.settimeout(PATIENCE)

    # -- said by who opened it --------------------------------------------------------------------------------------

    def open(self, to=None, from_=None, extra="", version="1.0"):
        from_ = self.domain if from_ is None else from_
        return super().open(to or self.server_name, "%s xmlns:db='%s'%s" % (
            " from=%s" % quoteattr(from_) if from_ else "", NS_DIALBACK, extra), version)

    def begin(self, **how):
        """Opens the stream and takes the features."""
        self.open(**how)
        self.features = self.expect("features")
        return self

    def offers(self, namespace_, name):
        return self.features.find(".//" + q(namespace_, name)) is not None

    def wrap(self, identity, sni=None, alpn=()):
        self.sock.settimeout(PATIENCE)
        self.sock = context_of(identity, False, tuple(alpn)).wrap_socket(self.sock, server_hostname=sni or self.server_name)
        self.reset()
        return self

    def starttls(self, identity=None, sni=None):
        self.send("<starttls xmlns='%s'/>" % NS_TLS)
        self.expect("proceed")
        return self.wrap(identity, sni)

    def auth(self, authzid=None, mechanism="EXTERNAL"):
        """SASL EXTERNAL; gives back <success/> or <failure/>."""
        said = "=" if authzid is None else base64.b64encode(authzid.encode()).decode()
        self.send("<auth xmlns='%s' mechanism='%s'>%s</auth>" % (NS_SASL, mechanism, said))
        return self.expect(where=lambda el: namespace(el) == NS_SASL)

    def external(self, authzid=None):
        """Proves the domain by the certificate."""
        answer = self.auth(authzid)
        assert local(answer) == "success", show(answer)
        return self.begin()

    def result(self, key, from_=None, to=None):
        """Shows a dialback key and waits for the verdict: "valid", "invalid", or the condition of an error."""
        from_, to = from_ or self.domain, to or self.server_name
        self.send(dialback("result", from_, to, key))
        return self.verdict(from_, to)

    def verdict(self, from_=None, to=None):
        from_, to = from_ or self.domain, to or self.server_name
        return type_of(self.expect("result", from_=to, to=from_, where=lambda el: namespace(el) == NS_DIALBACK))

    def verify(self, id, key, from_=None, to=None):
        """Asks whether a key is the other's own."""
        from_, to = from_ or self.domain, to or self.server_name
        self.send(dialback("verify", from_, to, key, id=id))
        return type_of(self.expect("verify", id=id, where=lambda el: namespace(el) == NS_DIALBACK))

    # -- stanzas ----------------------------------------------------------------------------------------------------

    def message(self, from_, to, body="evil", extra="", type="chat", id=None):
        self.send("<message from=%s to=%s type='%s' id='%s'><body>%s</body>%s</message>" % (
            quoteattr(from_), quoteattr(to), type, id or next_id(), escape(body), extra))

    # -- said by who answered ---------------------------------------------------------------------------------------

    def answer_header(self, id=None, extra="", version="1.0", from_=None):
        """Waits for the other's header and answers it."""
        self.expect_header()
        self.domain = self.header.get("to")
        self.server_name = self.header.get("from")
        self.id = id or next_id() + "-" + hashlib.sha256(str(time.monotonic_ns()).encode()).hexdigest()[:16]
        self.send("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' xmlns:db='%s' id='%s'%s%s%s%s>" % (
            NS_SERVER, NS_STREAM, NS_DIALBACK, self.id, " from=%s" % quoteattr(from_ or self.domain or ""),
            " to=%s" % quoteattr(self.server_name) if self.server_name else "",
            " version='%s'" % version if version else "", extra))
        return self

    def offer(self, *features):
        self.send("<stream:features>%s</stream:features>" % "".join(FEATURES.get(one, one) for one in features))

    def secure(self, identity, alpn=()):
        """The other side of `starttls`, after <proceed/>."""
        self.sock.settimeout(PATIENCE)
        self.sock = context_of(identity, True, tuple(alpn)).wrap_socket(self.sock, server_side=True)
        self.reset()
        return self

    def next(self, *names):
        """Waits for the next element of one of these names; others stay in the inbox."""
        return self.expect(where=lambda el: local(el) in names)


FEATURES = {
    "starttls": "<starttls xmlns='%s'/>" % NS_TLS,
    "starttls required": "<starttls xmlns='%s'><required/></starttls>" % NS_TLS,
    "external": "<mechanisms xmlns='%s'><mechanism>EXTERNAL</mechanism></mechanisms>" % NS_SASL,
    "dialback": "<dialback xmlns='%s'><errors/></dialback>" % NS_DIALBACK_FEATURE,
    "bidi": "<bidi xmlns='%s'/>" % NS_BIDI_FEATURE,
    "sm": "<sm xmlns='%s'/>" % NS_SM,
}


def type_of(el):
    """What a dialback answer says; of an error its condition."""
    if el.get("type") != "error":
        return el.get("type")
    error = el.find(q(NS_SERVER, "error"))
    return "error" if error is None or not len(error) else local(error[0])


class Manners(dict):
    """How the server of a Far behaves: name: function. As made here, it is honest.

    features(link, secure, authed): which it offers, names of FEATURES or XML
    verify(link, el): what it answers to a question about a key: "valid", "invalid", a condition of an error, None for nothing
    result(link, el): likewise to a key, of which it does not ask anybody
    auth(link, el): whether it takes SASL EXTERNAL
    accept(sock): whether a connection is served at all; False: it is closed; None: it is kept and nothing is said
    other(link, el): anything else but stanzas; True: done with it"""


class Far:
    """Several domains at one address. identity: what it shows (None: a right certificate of ca for all its domains); announce: whether
    it is in the DNS; tls: whether it offers STARTTLS; direct: whether the DNS says that it takes direct TLS."""

    def __init__(self, names, ca, *domains, host=None, identity=None, announce=True, direct=False, tls=True):
        self.names, self.ca, self.domains, self.domain = names, ca, domains, domains[0]
        self.identity = identity or ca.issue(*domains)
        self.host = host or loopback()
        self.announced, self.direct, self.tls = announce, direct, tls
        self.secret = next_id().encode()
        self.links, self.served = [], []        # dialled, accepted
        self.refused = []                       # elements that no manner knew
        self.stanzas = collections.deque()      # (element, link), as they came
        self.news = threading.Condition()
        self.hands = None                       # queue of connections that a test serves itself
        self.manners = Manners(features=self.features, verify=self.honest, result=lambda link, el: "valid",
                               auth=lambda link, el: True, accept=lambda sock: True, other=lambda link, el: False)
        self.listeners = {}

    # -- life -----------------------------------------------------------------------------------------------------

    def __enter__(self):
        for name in ("s2s", "s2s_tls"):
            sock = socket.create_server((self.host, 0), backlog=256)
            self.listeners[name] = sock
            threading.Thread(target=self.run, args=(sock, name == "s2s_tls"), daemon=True).start()
        if self.announced:
            for domain in self.domains:
                self.announce(domain)
        return self

    def __exit__(self, *what):
        for sock in self.listeners.values():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for link in [*self.links, *self.served]:
            link.cut()
        if self.announced:
            for domain in self.domains:
                self.withdraw(domain)

    def port(self, name="s2s"):
        return self.listeners[name].getsockname()[1]

    def announce(self, domain, ttl=60):
        self.names.service(domain, self.host, self.port(), ttl=ttl)
        if self.direct:
            self.names.service(domain, None, self.port("s2s_tls"), tls=True, ttl=ttl)

    def withdraw(self, domain):
        for name in (self.names.service_name(domain), self.names.service_name(domain, True), "xmpp." + domain):
            self.names.remove(name)

    # -- what it says to who asks -----------------------------------------------------------------------------------

    def key(self, to, from_, id):
        return hmac.new(self.secret, ("%s %s %s" % (to, from_, id)).encode(), hashlib.sha256).hexdigest()

    def features(self, link, secure, authed):
        if self.tls and not secure:
            return ["starttls", "dialback"]
        return ["dialback"] if authed or not secure else ["external", "dialback"]

    def honest(self, link, el):
        mine = self.key(el.get("from"), el.get("to"), el.get("id"))
        return "valid" if el.get("to") in self.domains and el.text == mine else "invalid"

    def by_hand(self):
        """From now on connections to it are a test's, who takes them by accept()."""
        self.hands = queue.Queue()
        return self

    def accept(self):
        """The next connection to it: a Link on which nothing has been said, not even TLS where it is to be direct."""
        return self.hands.get(timeout=PATIENCE)

    def run(self, listener, direct):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(PATIENCE)
                link = Link(sock, "to " + self.domain)
                link.direct = direct
                self.served.append(link)
                if self.hands is not None:
                    self.hands.put(link)
                    continue
                verdict = self.manners["accept"](sock)
                if verdict:
                    threading.Thread(target=self.serve, args=(link,), daemon=True).start()
                elif verdict is False:
                    link.cut()

    def serve(self, link):
        """One connection, to its end."""
        try:
            secure = link.direct
            if link.direct:
                link.secure(self.identity, ["xmpp-server"])
            link.answer_header()
            link.offer(*self.manners["features"](link, secure, False))
            while not link.ended:
                el = link.expect(where=lambda el: True, timeout=3600)
                if local(el) == "starttls":
                    link.send("<proceed xmlns='%s'/>" % NS_TLS)
                    link.secure(self.identity)
                    link.answer_header()
                    link.offer(*self.manners["features"](link, True, False))
                elif local(el) == "auth" and self.manners["auth"](link, el):
                    link.send("<success xmlns='%s'/>" % NS_SASL)
                    link.reset()
                    link.answer_header()
                    link.offer(*self.manners["features"](link, True, True))
                else:
                    self.take(link, el)
        except (Closed, OSError, AssertionError, ValueError):
            pass
        with contextlib.suppress(OSError):
            link.send("</stream:stream>")
        link.cut()

    def take(self, link, el):
        kind = local(el)
        if namespace(el) == NS_DIALBACK and kind in ("result", "verify"):
            self.answer(link, el, self.manners[kind](link, el))
        elif kind in ("message", "presence", "iq"):
            with self.news:
                self.stanzas.append((el, link))
                self.news.notify_all()
        elif kind == "auth":
            link.send("<failure xmlns='%s'><not-authorized/></failure>" % NS_SASL)
        elif not self.manners["other"](link, el):
            self.refused.append(el)

    @staticmethod
    def answer(link, el, type):
        """To a question about a key, or a key."""
        content = ""
        if type not in ("valid", "invalid", None):
            content = "<error type='cancel'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" % type
            type = "error"
        if type is not None:
            link.send(dialback(local(el), el.get("to"), el.get("from"), content, type=type, id=el.get("id")))

    # -- what came ------------------------------------------------------------------------------------------------------

    def expect(self, kind=None, where=None, **want):
        """Takes the first stanza that has come on any connection and matches, as client.Stream.expect."""
        deadline = time.monotonic() + PATIENCE
        with self.news:
            while True:
                for got in self.stanzas:
                    if matches(got[0], kind, **want) and (where is None or where(got[0])):
                        self.stanzas.remove(got)
                        return got[0]
                left = deadline - time.monotonic()
                assert left > 0, "%s: no %s %s came; there is: %s" % (
                    self.domain, kind, want, [show(el) for el, _ in self.stanzas])
                self.news.wait(left)

    # -- what it does ---------------------------------------------------------------------------------------------------

    def dial(self, server, port="s2s", domain=None, to=None, source=None):
        """A connection on which nothing has been said."""
        sock = socket.create_connection((server.host, server.port(port)), timeout=PATIENCE, source_address=(source or self.host, 0))
        link = Link(sock, domain or self.domain, domain or self.domain, to or server.domain)
        self.links.append(link)
        return link

    def secured(self, server, identity=None, sni=None, direct=False, **how):
        """A stream under TLS whose features have come; identity: None: its own."""
        link = self.dial(server, "s2s_tls" if direct else "s2s", **how)
        if direct:
            return link.wrap(identity or self.identity, sni, ["xmpp-server"]).begin()
        return link.begin().starttls(identity or self.identity, sni).begin()

    def external(self, server, **how):
        """A stream that has proven its domain by its certificate."""
        return self.secured(server, **how).external()

    def keyed(self, link, from_=None, to=None):
        """Shows this stream's right key; the verdict."""
        from_, to = from_ or link.domain, to or link.server_name
        return link.result(self.key(to, from_, link.header["id"]), from_, to)

    def proven(self, server, identity=None, tls=True, **how):
        """A stream that has proven its domain by dialback (where its certificate does not prove it already)."""
        link = self.secured(server, identity, **how) if tls else self.dial(server, **how).begin()
        assert self.keyed(link) == "valid"
        return link


class Neighbour:
    """An honest far server with a stream of its own, and somebody of ours whom it writes to."""

    def __init__(self, far, server, client):
        self.far, self.server, self.client = far, server, client
        self.link = None
        self.name = "friend@" + far.domain

    def connect(self):
        while self.link is not None and not self.link.eof and self.link.pump(time.monotonic()):
            pass
        if self.link is None or self.link.eof or self.link.ended:
            self.link = self.far.external(self.server)
        return self.link

    def ping(self):
        """A question to our server and its answer."""
        id = next_id()
        self.connect().send("<iq type='get' id='%s' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (
            id, self.name, self.server.domain))
        answer = self.far.expect("iq", id=id)
        assert answer.get("type") == "result", show(answer)

    def mark(self):
        """Waits until all that s2s took so far for the client has come to it, by a message behind it; then both ways."""
        id = next_id()
        self.connect().message(self.name, self.client.jid, "mark", id=id)
        self.client.expect("message", id=id)
        self.client.message(self.name, "mark back", id=id)
        self.far.expect("message", id=id)
