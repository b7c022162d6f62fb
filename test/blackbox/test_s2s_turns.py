"""How many round trips lie between the first byte of a new connection to another server and the first stanza on it. No clock is read:
a relay between the two counts how often the direction turned, and the stanza is known by its size. TCP's own one comes on top, and lookups.

TLS 1.3 needs one. What is needed besides, and by what:

    STARTTLS   1   RFC 6120 5.4.2.3: TLS begins behind <proceed/>. <starttls/> itself goes right behind the header
    header     1   RFC 6120 4.3.2: features come after it; XEP-0185 2: a key is made of the stream's id. Ours goes with the end of
                   the TLS handshake
    EXTERNAL   2   RFC 6120 6.4.6: a new header behind <success/>; 4.3.5: stanzas behind the features that say that all is negotiated
    dialback   1   XEP-0220 2.1.1: what is to be sent waits for type='valid'
    XEP-0198   0   stanzas go right behind <enable/>"""

import contextlib
import selectors
import socket
import threading

import pytest

from conftest import numbers
from federation import federating, installation, person_of, streams
from peers import Ejabberd, Prosody, running
from server import poll

NEAR = "near.example"
S2S = "[dns]\nloopback = yes\n"
STANZA = 30000      # bytes; certificates and headers are far smaller
NEEDED = {("certificate", "starttls"): 5, ("certificate", "direct"): 4, ("dialback", "starttls"): 4, ("dialback", "direct"): 3}


class Turns:
    """A way to an address. runs: of each connection, in order: [who speaks, bytes], one entry for each turn of the direction."""

    def __init__(self, port):
        self.target, self.runs = ("127.0.0.1", port), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):      # of the listener: closed
            while True:
                caller, _ = self.listener.accept()
                threading.Thread(target=self.relay, args=(caller,), daemon=True).start()

    def relay(self, caller):
        """One thread for both directions: what is seen first was first."""
        runs = []
        self.runs.append(runs)
        with contextlib.suppress(OSError), caller, socket.create_connection(self.target) as called, selectors.DefaultSelector() as ready:
            ways = {caller: ("caller", called), called: ("called", caller)}
            for sock in ways:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    who, other = ways[key.fileobj]
                    data = key.fileobj.recv(1 << 20)
                    if not data:
                        return
                    if not runs or runs[-1][0] != who:
                        runs.append([who, 0])
                    runs[-1][1] += len(data)
                    other.sendall(data)

    def round_trips(self, connection=-1):
        """Answers that came before the stanza."""
        runs = self.runs[connection]
        stanza = next(n for n, (who, size) in enumerate(runs) if who == "caller" and size > STANZA)
        return [who for who, _ in runs[:stanza]].count("called")

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(scope="module", params=["certificate", "dialback"])
def how(request):
    return request.param


@pytest.fixture(scope="module")
def server(how, names, ca):
    with installation(names, **federating(NEAR, names, ca, how, S2S, tls="required")) as it:
        yield it


@pytest.mark.parametrize("way", ["starttls", "direct"])
def test_first_stanza(names, ca, server, person, connections, how, way):
    """And the question about a key, on a connection of its own, is out one round trip after TLS begins to speak."""
    domain = "%s-%s.example" % (way, how)
    with installation(names, **federating(domain, names, ca, how, S2S, tls="required")) as far, \
            Turns(far.port("s2s_tls" if way == "direct" else "s2s")) as there, Turns(server.port("s2s")) as back:
        for name in (domain, NEAR):
            names.remove(names.service_name(name)), names.remove(names.service_name(name, True))
        names.service(domain, "127.0.0.1", there.port, tls=way == "direct")
        names.service(NEAR, "127.0.0.1", back.port)
        romeo, juliet = person("romeo").login("orchard").online(), person_of(far, connections, "juliet").login("balcony").online()
        romeo.message(juliet.jid, "x" * STANZA, id="first")
        juliet.expect("message", id="first")
        out, = streams(server, direction="out", remote=domain)
        assert out["auth"] == {"certificate": "external", "dialback": "dialback"}[how] and out["tls"] == "TLS1.3" and "sm" in out, out
        print("round trips:", there.runs, back.runs)
        assert len(there.runs) == 1 and there.round_trips() == NEEDED[how, way], there.runs
        if how == "dialback":
            assert [who for who, _ in back.runs[0]] == ["caller", "called"] * 3, back.runs
        else:
            assert not back.runs


@pytest.mark.parametrize("kind", [Prosody, Ejabberd])
def test_others_need_more(names, ca, server, person, connections, how, kind):
    """Debian's prosody and ejabberd, when they call us by STARTTLS."""
    with running(kind("%s-%s.example" % (kind.__name__.lower(), how), names, ca, how, tls="required", direct=False)) as (peer,), \
            Turns(server.port("s2s")) as here:
        names.remove(names.service_name(NEAR)), names.remove(names.service_name(NEAR, True))
        names.service(NEAR, "127.0.0.1", here.port)
        romeo, juliet = person("romeo").login("orchard").online(), peer.person("juliet-%d" % next(numbers), connections).login("balcony").online()
        juliet.message(romeo.jid, "x" * STANZA, id="first")
        romeo.expect("message", id="first")
        poll("the stanza", lambda: any(size > STANZA for runs in here.runs for who, size in runs if who == "caller"))
        connection = next(n for n, runs in enumerate(here.runs) if any(who == "caller" and size > STANZA for who, size in runs))
        print("round trips of %s, %s: %d" % (kind.__name__, how, here.round_trips(connection)), here.runs)
        assert here.round_trips(connection) > NEEDED[how, "starttls"], here.runs
