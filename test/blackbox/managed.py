"""A client that keeps the counts of stream management (XEP-0198), and still does nothing behind the test's back: requests of the server
are noted in `requests` and answered when the test says ack(); what the server acknowledges is in `acks`."""

import itertools
import re
import time

from client import NS_CLIENT, NS_STANZAS_ERR, PATIENCE, Client, Closed, local, namespace

NS_SM = "urn:xmpp:sm:3"
WRAP = 1 << 32
STANZA = re.compile(r"<(?:message|presence|iq)[ />]")


def managed(client):
    """Makes a connected client one that counts."""
    client.__class__ = Managed
    client.sent = client.received = 0
    client.counting = False
    client.requests, client.acks, client.previd = 0, [], None
    return client


def condition(failed):
    return [local(el) for el in failed if namespace(el) == NS_STANZAS_ERR][0]


class Managed(Client):
    def take_events(self):
        before = len(self.inbox)
        super().take_events()
        for el in list(itertools.islice(self.inbox, before, None)):
            if namespace(el) == NS_CLIENT:
                self.received += self.counting
            elif namespace(el) == NS_SM and local(el) in ("enabled", "resumed"):
                self.counting = True
            elif namespace(el) == NS_SM and local(el) == "r":
                self.requests += 1
                self.inbox.remove(el)
            elif namespace(el) == NS_SM and local(el) == "a":
                self.acks.append(int(el.get("h")))
                self.inbox.remove(el)

    def send(self, data):
        super().send(data)
        if self.previd is not None and isinstance(data, str):
            self.sent += len(STANZA.findall(data))

    def until(self, what, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if not self.pump(deadline) and not condition():
                raise (Closed if self.eof else AssertionError)("%s: %s did not come" % (self.name, what))

    # -- the protocol ---------------------------------------------------------------------------------------------

    def enable(self, resume=True, max=None):
        """Gives back <enabled/>; the counts begin."""
        self.received = 0
        self.send("<enable xmlns='%s'%s%s/>" % (NS_SM, " resume='true'" if resume else "", " max='%d'" % max if max else ""))
        self.previd, self.sent = "", 0
        enabled = self.expect("enabled")
        self.previd = enabled.get("id") or ""
        return enabled

    def ack(self, h=None):
        self.send("<a xmlns='%s' h='%d'/>" % (NS_SM, (self.received if h is None else h) % WRAP))

    def request(self):
        """Asks, and gives back the answer."""
        n = len(self.acks)
        self.send("<r xmlns='%s'/>" % NS_SM)
        self.until("<a/>", lambda: len(self.acks) > n)
        return self.acks[-1]

    def handled(self):
        """Waits until the server has acknowledged all that was sent."""
        self.request()
        self.until("h=%d" % self.sent, lambda: self.acks[-1] == self.sent % WRAP)

    def asked(self):
        """Waits until the server asks for more than it has been asked for so far, and answers."""
        n = self.requests
        self.until("<r/>", lambda: self.requests > n)
        self.ack()

    def resume_from(self, old, h=None):
        """On an authenticated stream: takes over the session of another client object. Gives back <resumed/> or <failed/>."""
        self.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, old.previd, (old.received if h is None else h) % WRAP))
        self.received, self.sent, self.previd = old.received if h is None else h, old.sent, old.previd
        answer = self.expect(where=lambda el: namespace(el) == NS_SM)
        if local(answer) == "resumed":
            self.jid, self.bare = old.jid, old.bare
        return answer


def authenticated(person, name=None):
    """A stream on which a resource could be bound, or a session resumed."""
    client = managed(person.connect())
    client.name = name or person.user
    client.begin()
    assert local(client.authenticate(person.user, person.password)) == "success"
    client.begin()
    return client


def online(person, resource="sm", max=None, priority=0):
    """Logged in, managed, resumable, available."""
    client = managed(person.login(resource, tls=False))
    client.enable(max=max)
    client.online(priority)
    return client
