"""Clients made with nbxmpp, the library under Gajim, driven from a test: its main loop runs until what is waited for has come."""

from gi.repository import GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.http import HTTPSession
from nbxmpp.structs import StanzaHandler

from client import PATIENCE


class Nbx:
    def __init__(self, server, jid, password, resource="nbx"):
        local, _, domain = jid.partition("@")
        self.client = Client(log_context=jid)
        self.client.set_domain(domain)
        self.client.set_username(local)
        self.client.set_password(password)
        self.client.set_resource(resource)
        self.client.set_http_session(HTTPSession())
        self.client.set_ignore_tls_errors(True)
        self.client.set_custom_host("127.0.0.1:%d" % server.port("c2s"), ConnectionProtocol.TCP, ConnectionType.START_TLS)
        self.client.set_connection_types([ConnectionType.START_TLS])
        self.seen, self.messages = [], []
        for signal in ("connected", "disconnected", "connection-failed", "resume-successful", "resume-failed"):
            self.client.subscribe(signal, lambda _client, name, *_: self.seen.append(name))
        self.client.register_handler(StanzaHandler(name="message", callback=lambda _client, _stanza, what: self.messages.append(what)))

    def wait(self, what, condition):
        """Runs the loop until condition() gives something true, and gives that back."""
        context, over = GLib.MainContext.default(), []
        source = GLib.timeout_add_seconds(int(PATIENCE), lambda: over.append(True) or True)
        try:
            while True:
                got = condition()
                if got:
                    return got
                assert not over, "waited in vain for %s; seen: %s" % (what, self.seen)
                context.iteration(True)
        finally:
            GLib.source_remove(source)

    def connect(self):
        self.client.connect()
        self.wait("the login", lambda: "connected" in self.seen)
        return self

    def call(self, module, method, *args, **how):
        """Runs a request of one of its modules; gives back its result, or raises its error."""
        done = []

        def finish(task):   # the result is gone when this returns
            try:
                done.append((task.finish(), None))
            except Exception as error:
                done.append((None, error))
        getattr(self.client.get_module(module), method)(*args, callback=finish, **how)
        result, error = self.wait(method, lambda: done)[0]
        if error:
            raise error
        return result

    def close(self):
        self.client.disconnect()
        self.wait("the end", lambda: "disconnected" in self.seen)
        self.client.destroy()
