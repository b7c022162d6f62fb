"""External components on raw streams: XEP-0114 as every library speaks it, and XEP-0225 with TLS, SASL and binds."""

import hashlib

from client import Client, Stream, next_id

NS_COMPONENT = "urn:xmpp:component:0"


class Component(Stream):
    default_ns = "jabber:component:accept"

    def __init__(self, server, jid, name="component"):
        super().__init__((server.host, server.port("component")), name)
        self.jid = jid
        self.server_name = server.domain
        self.sync_from = " from='sync@%s'" % jid

    def handshake(self, secret):
        """XEP-0114 3: the stream id and the secret, hashed."""
        self.open(self.jid, version=None)
        self.send("<handshake>%s</handshake>" % self.digest(secret))
        self.expect("handshake")
        return self

    def mark(self, client):
        """Waits until all that was sent so far has come to a client, by a message behind it (RFC 6120 10.1)."""
        id = next_id()
        self.send("<message id='%s' type='headline' from='mark@%s' to='%s'/>" % (id, self.jid, client.jid))
        client.expect("message", id=id)

    def wait_for(self, client):
        """Waits until all that a client sent so far has come here, likewise."""
        id = next_id()
        client.send("<message id='%s' type='headline' to='mark@%s'/>" % (id, self.jid))
        self.expect("message", id=id)

    def digest(self, secret):
        return hashlib.sha1((self.header["id"] + secret).encode()).hexdigest()


class Component225(Client):
    """A client's stream, except for who it is and what it binds (XEP-0225)."""

    def __init__(self, server, jid, name="component"):
        super().__init__(server, name=name, port="component")
        self.jid = jid
        self.server_name = server.domain
        self.sync_from = " from='sync@%s'" % jid

    def begin(self, to=None, extra=""):
        return super().begin(to or self.server_name, " from='%s'" % self.jid)

    def secure(self):
        self.begin()
        self.starttls().begin()
        return self

    def bind_name(self, name):
        return self.ask("set", "<bind xmlns='%s'><hostname>%s</hostname></bind>" % (NS_COMPONENT, name))

    def unbind_name(self, name):
        return self.ask("set", "<unbind xmlns='%s'><hostname>%s</hostname></unbind>" % (NS_COMPONENT, name))
