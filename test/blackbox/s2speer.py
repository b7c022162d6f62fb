"""Another server, byte for byte: streams to our s2s, and a listener that our s2s connects to. It does what the test says,
right or wrong."""

import hashlib
import hmac
import select
import socket
import ssl

from client import NS_STREAM, NS_TLS, PATIENCE, Closed, Stream, tls_context

NS_SERVER = "jabber:server"
NS_DIALBACK = "jabber:server:dialback"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_SM = "urn:xmpp:sm:3"
NS_BIDI = "urn:xmpp:bidi"
DB = " xmlns:db='%s'" % NS_DIALBACK


def key(secret, receiving, originating, id):
    """XEP-0185 2."""
    return hmac.new(hashlib.sha256(secret.encode()).hexdigest().encode(), ("%s %s %s" % (receiving, originating, id)).encode(),
                    hashlib.sha256).hexdigest()


class S2sStream(Stream):
    """Either direction; `ours` is the domain under test, `domain` who we say we are."""

    default_ns = NS_SERVER

    def secure(self, cert=None, alpn=None):
        self.send("<starttls xmlns='%s'/>" % NS_TLS)
        self.expect("proceed")
        return self.wrap(cert, alpn)

    def wrap(self, cert=None, alpn=None):
        self.sock.settimeout(PATIENCE)
        self.sock = tls_context(alpn, cert).wrap_socket(self.sock, server_hostname=self.ours)
        return self

    def result(self, text, from_=None, to=None):
        self.send("<db:result%s from='%s' to='%s'>%s</db:result>" % (DB, from_ or self.domain, to or self.ours, text))

    def verify(self, id, text, from_=None, to=None):
        self.send("<db:verify%s from='%s' to='%s' id='%s'>%s</db:verify>" % (DB, from_ or self.domain, to or self.ours, id, text))

    def message(self, to, body, from_=None, id="m"):
        self.send("<message from='%s' to='%s' id='%s' type='chat'><body>%s</body></message>" % (
            from_ or "nurse@" + self.domain, to, id, body))


class Caller(S2sStream):
    """A stream to our s2s."""

    def __init__(self, site, domain, connections, direct_tls=None, cert=None):
        super().__init__((site.host, site.port("s2s_tls" if direct_tls else "s2s")), name=domain + ">")
        connections.append(self)
        self.ours, self.domain = site.domain, domain
        if direct_tls:
            self.wrap(cert, [direct_tls])

    def begin(self, extra=""):
        self.open(self.ours, " from='%s'%s%s" % (self.domain, DB, extra))
        self.features = self.expect("features")
        return self

    def ready(self, cert=None):
        """Behind STARTTLS, with the features that are offered there."""
        return self.begin().secure(cert).begin()

    def offers(self, name):
        return self.features.find(".//{*}" + name) is not None

    @property
    def id(self):
        return self.header["id"]


class Listener:
    """Where our s2s finds `domain`."""

    def __init__(self, domain, ours, identity, folder, connections):
        self.domain, self.ours, self.connections = domain, ours, connections
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*identity.write(folder, domain))

    def close(self):
        self.sock.close()

    def accept(self):
        assert select.select([self.sock], [], [], PATIENCE)[0], "nobody connects to %s" % self.domain
        it = S2sStream.__new__(S2sStream)
        it.name, it.ours, it.domain = self.domain + "<", self.ours, self.domain
        it.sock = self.sock.accept()[0]
        it.listener, it.ids = self, 0
        it.reset()
        self.connections.append(it)
        return it

    def expect_nobody(self):
        assert not select.select([self.sock], [], [], 0)[0]

    def answer(self, it, features="", tls=False):
        """Takes the header, answers with ours and these features; gives back the stream's id."""
        it.expect_header()
        assert it.header["to"] == self.domain and it.header["from"] == self.ours, it.header
        it.ids += 1
        id = "stream-%s-%d" % (self.domain, it.ids)
        it.send("<stream:stream xmlns='%s' xmlns:stream='%s'%s from='%s' to='%s' id='%s' version='1.0'><stream:features>%s"
                "</stream:features>" % (NS_SERVER, NS_STREAM, DB, self.domain, self.ours, id, features))
        return id

    def secure(self, it, features="<dialback xmlns='urn:xmpp:features:dialback'/>"):
        """A stream that is open behind STARTTLS; gives back its id."""
        self.answer(it, "<starttls xmlns='%s'/>" % NS_TLS)
        it.expect("starttls")
        it.send("<proceed xmlns='%s'/>" % NS_TLS)
        it.sock.settimeout(PATIENCE)
        it.sock = self.context.wrap_socket(it.sock, server_side=True)
        it.reset()
        return self.answer(it, features)

    def authority(self, valid=True):
        """Answers one question about a key, as the authoritative server: how valid says. It comes on the stream that is there, if
        there is one."""
        there = [c for c in self.connections if getattr(c, "listener", None) is self and not c.eof]
        it = there[-1] if there else self.accept()
        if not there:
            self.secure(it)
        asked = it.expect("verify")
        assert asked.get("from") == self.ours and asked.get("to") == self.domain
        kind = valid(asked) if callable(valid) else valid
        it.send("<db:verify%s from='%s' to='%s' id='%s' type='%s'/>" % (
            DB, self.domain, self.ours, asked.get("id"), "valid" if kind else "invalid"))
        return it

    def accepted(self, features="<dialback xmlns='urn:xmpp:features:dialback'/>"):
        """A stream of ours that has asked to be accepted by dialback, and was."""
        it = self.accept()
        it.stream_id = self.secure(it, features)
        it.key = it.expect("result").text
        it.send("<db:result%s from='%s' to='%s' type='valid'/>" % (DB, self.domain, self.ours))
        return it
