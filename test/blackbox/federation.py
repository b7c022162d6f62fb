"""Installations of ours that speak to other servers: in the module's DNS (dnszone.Names), with certificates of its authority (pki)."""

import contextlib
import json
import socket
import struct
import threading
from contextlib import contextmanager

from conftest import Person, announce, numbers
from server import Server, poll

RESOLVER = "[dns]\nservers = %s@%d\nanchor_file = %s\n"


def federating(domain, names, ca=None, how="certificate", s2s="", components=None, **more):
    """What a SERVER says for one installation. how: certificate (proven by it, no dialback), dialback (over TLS, a certificate of
    nobody's), any (a certificate, and dialback where it is not enough); s2s: more lines of s2s.conf; tls: as of Server; more:
    {file name: text to append} for the others. Zones that are signed by now are believed."""
    tls, anchors = more.pop("tls", "optional"), "\n".join(names.anchors()).encode()
    files = {"anchors": anchors} if anchors else {}
    conf = RESOLVER % (names.address, names.port, "anchors" if anchors else "none")
    if how != "dialback":
        me = ca.issue(domain)
        files.update({"tls/cert.pem": me.pem(), "tls/key.pem": me.key_pem(), "tls/peers.pem": ca.pem()})
        conf += "[tls]\nca = tls/peers.pem\n"
    if how == "certificate":
        conf += "[dialback]\nenabled = no\n"
    return {"domains": [domain], "s2s": True, "tls": tls, "files": files, "components": components,
            "conf": dict(more, **{"s2s.conf": conf + s2s})}


@contextmanager
def installation(names, **said):
    """One more server, in the DNS."""
    it = Server(**said)
    try:
        it.start()
        announce(it, names)
        yield it
        it.check(it.stop())
    finally:
        if it.process and it.process.poll() is None:
            it.kill()
        it.remove()


def person_of(server, connections, name):
    it = Person(server, "%s-%d" % (name, next(numbers)), server.domain, connections)
    server.adduser(it.jid, it.password)
    return it


def streams(server, **like):
    """The connections with other servers that `bulkheadctl s2s` lists, of every instance, where each of these says so."""
    told = json.loads(server.run("s2s", "--json").stdout)
    return [c for one in told.values() for c in one["connections"] if all(c.get(k) == v for k, v in like.items())]


# -- what people of two servers do -----------------------------------------------------------------------------------

def both_ways(one, other, text="hello"):
    """A message each way."""
    one.message(other.jid, text + ", there")
    other.expect("message", body=text + ", there", from_=one.jid)
    other.message(one.jid, text + ", and back")
    one.expect("message", body=text + ", and back", from_=other.jid)


def befriend(one, other):
    """Subscribed both ways (RFC 6121 3)."""
    one.interested(), other.interested()
    for a, b in ((one, other), (other, one)):
        a.subscription("subscribe", b.bare)
        b.expect("presence", type="subscribe", from_=a.bare)
        b.subscription("subscribed", a.bare)
        a.expect("presence", type="subscribed", from_=b.bare)


def numbered(one, other, count, body="n"):
    """Sends that many messages, whose ids are their numbers."""
    for n in range(count):
        one.message(other.jid, body, id=str(n))


def numbers_of(client, count, body="n"):
    """The ids of such messages as they came, until each was there."""
    got = []
    while len(set(got)) < count:
        got.append(int(client.expect("message", body=body).get("id")))
    return got


# -- what may happen between two servers -----------------------------------------------------------------------------

class Cable:
    """A way to an address that can be cut: connections go through here. While `losing`, what is sent goes nowhere, `lost` counts its
    bytes, and nobody notices; cut() ends the connections that are there, without a word, and then all is well again."""

    def __init__(self, host, address):
        self.address, self.socks, self.lock = address, set(), threading.Lock()
        self.losing, self.lost = False, 0
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.start(self.accept)

    @staticmethod
    def start(target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):      # of the listener: closed
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(self.address)
                except OSError:
                    near.close()
                    continue
                with self.lock:
                    self.socks |= {near, far}
                self.start(self.carry, near, far)
                self.start(self.carry, far, near)

    def carry(self, source, target):
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and source in self.socks:
                if self.losing:
                    self.lost += len(data)
                else:
                    target.sendall(data)
        self.end(target)
        self.end(source)
        source.close()

    @staticmethod
    def end(sock):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Gives back how many connections there were."""
        with self.lock:
            cut, self.socks = self.socks, set()
        for sock in cut:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.end(sock)
        self.losing, self.lost = False, 0
        return len(cut) // 2

    def close(self):
        self.end(self.listener)
        self.listener.close()
        self.cut()


def write_over(cable, one, other):
    """600 messages, with three cuts; gives back their numbers as they came, until each was there."""
    came = []

    def until(condition):
        while not condition():
            came.append(int(other.expect("message", body="n").get("id")))

    def send(first, last):
        for n in range(first, last):
            one.message(other.jid, "n", id=str(n))
    for start in (0, 200, 400):
        send(start, start + 150)
        until(lambda: start + 149 in came)
        cable.losing = True
        send(start + 150, start + 200)
        poll("some of them to be lost", lambda: cable.lost > 1000)
        assert cable.cut() >= 1
    until(lambda: set(came) == set(range(600)))
    return came
