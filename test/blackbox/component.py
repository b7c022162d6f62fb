"""An external component on a raw stream (XEP-0114), and the helpers to stand for a foreign domain with it."""

import hashlib

from client import Stream


class Component(Stream):
    default_ns = "jabber:component:accept"

    def __init__(self, server, jid, name="component"):
        super().__init__(("127.0.0.1", server.port("component")), name)
        self.jid = jid
        self.server_name = server.domain
        self.sync_from = " from='sync@%s'" % jid

    def handshake(self, secret):
        """XEP-0114 3: the stream id and the secret, hashed."""
        self.open(self.jid, version=None)
        self.send("<handshake>%s</handshake>" % self.digest(secret))
        self.expect("handshake")
        return self

    def digest(self, secret):
        return hashlib.sha1((self.header["id"] + secret).encode()).hexdigest()
