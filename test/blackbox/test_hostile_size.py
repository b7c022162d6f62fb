"""What is small to ask and large to answer (groups 5, 22 of the survey): answers have limits too."""

import contextlib

import pytest

from client import Closed
from hostile import bystanders, unaffected     # noqa: F401
from roster import fetch, item, items_of, query

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}}
pytestmark = pytest.mark.usefixtures("unaffected")


def grow(client, items, name, groups=()):
    """Adds items until one is refused; gives back how many there are."""
    for start in range(0, items, 50):
        client.send("".join("<iq type='set' id='a%d'>%s</iq>" % (n, query(item("c%d@im.example" % n, name, groups=groups)))
                            for n in range(start, start + 50)))
        for n in range(start, start + 50):
            if client.expect("iq", id="a%d" % n).get("type") == "error":
                client.settle()
                return n
    return items


def test_22_roster_larger_than_a_frame(person, bystanders):
    """DESIGN 2: a frame has a limit; a roster that would not fit is not let grow so far, and what is there can be read."""
    mallory = person("mallory").login("here")
    there = grow(mallory, 300, "n" * 1000, groups=["g%d" % n + "x" * 900 for n in range(16)])
    reply = fetch(mallory)
    assert reply.get("type") == "result" and len(items_of(reply)) == there
    bystanders.chat()


def test_22_large_roster_asked_for_again_and_again(person, bystanders):
    """Its owner waits for it; nobody else's session ends."""
    mallory = person("mallory").login("here")
    grow(mallory, 600, "n" * 1000)
    with contextlib.suppress(OSError):      # its own connection may end: it does not read
        for _ in range(400):
            mallory.sock.sendall(("<iq type='get' id='g'>%s</iq>" % query()).encode())
    for _ in range(5):
        bystanders.chat()
    mallory.cut()


def test_22_large_roster_asked_for_by_one_who_reads(person, bystanders):
    """Every request is answered, in order, however long it waited for its turn."""
    mallory = person("mallory").login("here")
    there = grow(mallory, 200, "n" * 1000)
    for start in range(0, 60, 12):
        mallory.send("".join("<iq type='get' id='g%d'>%s</iq>" % (n, query()) for n in range(start, start + 12)))
        for n in range(start, start + 12):
            assert len(items_of(mallory.expect("iq", id="g%d" % n))) == there
    bystanders.chat()


@pytest.mark.parametrize("text", [">", "\"", "'", "\u00e4", "&#9;"], ids=["gt", "quot", "apos", "umlaut", "tab"])
@pytest.mark.parametrize("where", ["<body>%s</body>", "<a xmlns='u' b='%s'/>"], ids=["text", "attribute"])
def test_06_what_grows_when_it_is_written_again(component, person, bystanders, where, text):
    """A stanza within the limit whose canonical form is not within a frame's: refused or delivered, the links stay up."""
    if "b='" in where and text == "'":
        where = where.replace("'%s'", '"%s"')
    if "b='" in where and text == "\"" or text == "&#9;" and "body" in where:
        text = ">"
    far, alice = component(ECHO), person("alice").login("here").online()
    for size in (60000, 120000, 240000, 500000):
        payload = where % (text * (size // len(text.encode())))
        with contextlib.suppress(OSError, Closed):
            far.send("<message from='x@%s' to='%s' id='c%d'>%s</message>" % (ECHO, alice.jid, size, payload))
            far.settle()
        mallory = person("mallory").login("here")
        with contextlib.suppress(OSError, Closed):
            mallory.send("<message to='%s' id='m%d'>%s</message>" % (alice.jid, size, payload))
            mallory.settle()
        bystanders.chat()
        alice.settle()


def test_22_answers_to_others_do_not_vanish_meanwhile(person, component, bystanders):
    """A component's question and a client's message to it, while much is on its way to somebody who asked for it."""
    far, mallory, alice = component(ECHO), person("mallory").login("here"), person("alice").login("there")
    grow(mallory, 600, "n" * 1000)
    for n in range(12):
        with contextlib.suppress(OSError):
            mallory.sock.sendall(("<iq type='get' id='g'>%s</iq>" % query()).encode() * 6)
        alice.message("x@" + ECHO, "m%d" % n, id="m%d" % n)
        far.send("<iq type='get' id='q%d' from='x@%s' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>" % (n, ECHO))
        if n % 4 == 3:
            mallory.cut()
            mallory = person("mallory").login("here")
    for n in range(12):
        far.expect("message", id="m%d" % n)
        far.expect("iq", id="q%d" % n, type="result")
