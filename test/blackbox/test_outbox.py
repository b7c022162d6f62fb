"""What is for other servers, as sessman gives it to an s2s: kept in rows until that has reported it, given to another one if it
is lost, and never told to its sender before it is safe (sessman/outbox.h). The s2s here is the test itself, on the frame protocol."""

import sqlite3

import pytest

from client import local
from frames import CONTROL, STANZA, Edge
from server import poll

SECTION = "\n[component s2s-test]\nsecret = secret of s2s\nrole = s2s\n"
ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"},
          "conf": {"router.conf": SECTION, "sessman.conf": "[remote]\nwait = 1s\nqueue = 100\n[router]\nnode_grace = 2s\n"}}
FAR = "nurse@far.example"


class S2s(Edge):
    """One that takes what it is given, and says `sent` when it is told to."""

    def __init__(self, server, instance="s2s-1", node=None):
        super().__init__(server, section="s2s-test", role="s2s", instance=instance, node=node)

    def stanza(self, **attrs):
        """The next one that is given to it: (mark, element)."""
        got = self.expect(lambda f: f.kind == STANZA and f.mark and all(f.element().get(k) == v for k, v in attrs.items()))
        return got.mark, got.element()

    def sent(self, *marks):
        self.control("sent", 0, "".join("<r first='%d' n='1'/>" % m for m in marks))

    def acknowledged(self):
        """All that it has sent so far."""
        self.raw(4, dst=self.peer, ack=self.taken)
        want = self.seq
        self.expect(lambda f: f.src == self.peer and f.ack >= want)


def rows(server):
    db = sqlite3.connect("file:%s?mode=ro" % (server.dir / "data" / "bulkhead.db"), uri=True)
    try:
        return [row[0] for row in db.execute("SELECT id FROM outbox ORDER BY id")]
    finally:
        db.close()


@pytest.fixture
def s2s(server, connections):
    """s2s(): an s2s of this installation. What a test leaves is taken off the next one's hands, by a new run of the same instance."""
    made = []

    def make(**how):
        it = S2s(server, **how)
        connections.append(it.stream)
        made.append(it)
        return it.up()
    yield make
    for it in made:
        it.stream.cut()
    last = make()

    def taken():
        last.pump(0.05)
        while marks := [f for f in last.inbox if f.kind == STANZA]:
            last.inbox.remove(marks[0])
            last.sent(marks[0].mark)
        return not rows(server)
    poll("the outbox to be empty", taken)


def test_given_once_and_forgotten_when_it_is_sent(server, s2s, person):
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    romeo.message(FAR, "one", id="1")
    mark, el = far.stanza(id="1")
    assert el.get("from") == romeo.jid and el.get("to") == FAR
    romeo.settle()
    assert rows(server) == [mark]
    far.sent(mark)
    far.acknowledged()
    assert rows(server) == []


def test_a_report_of_a_run_is_of_what_was_given(server, s2s, person):
    """Runs of ids (common/link/control.h): those that were not given to this s2s, and a run that is too long, change nothing."""
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    for n in range(6):
        romeo.message(FAR, str(n), id=str(n))
    marks = [far.stanza(id=str(n))[0] for n in range(6)]
    romeo.settle()
    assert marks == list(range(marks[0], marks[0] + 6))
    far.sent(marks[1])
    far.control("sent", 0, "<r first='%d' n='257'/>" % marks[0])
    far.control("sent", 0, "<r first='%d' n='%d'/>" % (2 ** 63 - 1, 2))
    far.control("sent", 0, "<r first='%d' n='0'/>" % marks[0])
    far.acknowledged()
    assert rows(server) == [marks[0], *marks[2:]]
    far.control("sent", 0, "<r first='%d' n='3'/>" % (marks[2] - 2))           # of which one was reported before
    far.control("sent", 0, "<r first='%d' n='2'/>" % marks[5])     # of which one was never given
    far.acknowledged()
    assert rows(server) == [marks[3], marks[4]]
    far.control("sent", 0, "<r first='%d' n='2'/>" % marks[3])
    far.acknowledged()
    assert rows(server) == []


def test_row_stands_before_the_sender_is_told(server, s2s, person):
    """The answer to a later ping is an acknowledgement for who has no other."""
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    romeo.message(FAR, "one", id="1")
    romeo.settle()
    assert len(rows(server)) == 1
    far.stanza(id="1")


def test_sessman_killed_gives_again_what_was_not_reported(server, s2s, person):
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    for n in range(5):
        romeo.message(FAR, str(n), id=str(n))
    marks = [far.stanza(id=str(n))[0] for n in range(5)]
    romeo.settle()
    far.sent(marks[0], marks[3])
    far.acknowledged()
    server.replace_daemon("sessman")
    far.expect(lambda f: f.kind == 5 and f.flags & 0x20)
    far.alive([])
    again = [far.stanza()[0] for _ in range(3)]
    assert again == [marks[1], marks[2], marks[4]]
    romeo.message(FAR, "six", id="six")
    assert far.stanza()[1].get("id") == "six"
    far.sent(*again)
    far.acknowledged()


def test_lost_s2s_leaves_it_to_another_one(server, s2s, person):
    """Killed, it comes back under its instance name as another node: at once. In order, and those that were reported are not among them."""
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    for n in range(4):
        romeo.message(FAR, str(n), id=str(n))
    marks = [far.stanza(id=str(n))[0] for n in range(4)]
    far.sent(marks[1])
    far.acknowledged()
    far.stream.cut()
    romeo.message(FAR, "late", id="late")
    romeo.settle()
    new = s2s()
    assert [new.stanza()[1].get("id") for _ in range(4)] == ["0", "2", "3", "late"]


def test_incoming_is_delivered_and_acknowledged_after_its_row(server, s2s, person):
    juliet = person("juliet")
    far = s2s()
    far.send(STANZA, "<message from='%s' to='%s' id='in' type='chat'><body>hello</body></message>" % (FAR, juliet.jid), 0)
    far.acknowledged()
    db = sqlite3.connect("file:%s?mode=ro" % (server.dir / "data" / "bulkhead.db"), uri=True)
    assert db.execute("SELECT count(*) FROM journal WHERE CAST(stanza AS TEXT) LIKE '%hello%'").fetchone()[0] == 1
    db.close()
    hers = juliet.login("chamber")
    hers.send("<presence/>")
    assert hers.expect("message", id="in").get("from") == FAR


def test_nobody_outside_speaks_for_a_hosted_domain_or_a_session(server, s2s, people):
    romeo, juliet = people("romeo", "juliet")
    hers = juliet.login("chamber").online()
    far = s2s()
    far.send(STANZA, "<message from='%s' to='%s' id='forged'><body>x</body></message>" % (romeo.jid, juliet.jid), 0)
    far.send(STANZA, "<message to='%s' id='nobody'><body>x</body></message>" % juliet.jid, 0)
    far.control("gone", 1)
    far.control("open", 1, domain="im.example", ip="192.0.2.1")
    far.send(STANZA, "<message from='%s' to='%s' id='true'><body>x</body></message>" % (FAR, juliet.jid), 0)
    assert hers.expect("message", body="x").get("id") == "true"
    far.control("sent", 0, "<r first='987654321' n='1'/>")     # of what it was never given
    far.acknowledged()


def test_iq_of_another_server_is_answered(server, s2s):
    far = s2s()
    far.send(STANZA, "<iq type='get' id='v' from='%s/ward' to='im.example'><query xmlns='jabber:iq:version'/></iq>" % FAR, 0)
    mark, el = far.stanza(id="v")
    assert el.get("to") == FAR + "/ward" and el.get("type") == "result"
    far.sent(mark)


def test_subscription_and_presence_of_another_server(server, s2s, person):
    juliet = person("juliet")
    hers = juliet.login("chamber").online()
    far = s2s()
    far.send(STANZA, "<presence type='subscribe' from='%s' to='%s'/>" % (FAR, juliet.jid), 0)
    hers.expect("presence", type="subscribe")
    hers.send("<presence type='subscribed' to='%s'/>" % FAR)
    far.stanza(type="subscribed")
    assert far.stanza(to=FAR)[1].get("from") == hers.jid     # RFC 6121 3.1.6: its presence follows
    far.send(STANZA, "<presence type='probe' from='%s' to='%s'/>" % (FAR, juliet.jid), 0)
    assert local(far.stanza(to=FAR)[1]) == "presence"


def test_component_is_no_other_server(server, s2s, person, component):
    echo = component(ECHO)
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    romeo.message("x@" + ECHO, "for the component", id="c")
    assert echo.expect("message", id="c") is not None
    romeo.settle()
    far.acknowledged() if far.seq else None
    assert not [f for f in far.inbox if f.kind == STANZA]


def test_what_nobody_takes_comes_back(server, s2s, person):
    """remote-server-timeout after [remote] wait; an error is never answered."""
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    romeo.message(FAR, "one", id="1")
    far.stanza(id="1")
    far.stream.cut()
    got = romeo.expect("message", type="error", id="1")
    assert got.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}remote-server-timeout") is not None
    romeo.send("<message type='error' to='%s' id='e'><error type='cancel'/></message>" % FAR)
    romeo.settle()


def test_more_than_the_store_may_hold_comes_back(server, s2s, person):
    romeo = person("romeo").login("balcony").online()
    far = s2s()
    for n in range(101):
        romeo.message(FAR, str(n), id=str(n))
    got = romeo.expect("message", type="error")
    assert got.get("id") == "100"
    assert got.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}resource-constraint") is not None
    far.sent(*[far.stanza(id=str(n))[0] for n in range(100)])
    far.acknowledged()
