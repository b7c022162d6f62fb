"""Bad XML in every place where a stranger can write: before login, after it, on the component port. Each gets its
stream error (RFC 6120 4.9.3), costs bounded memory, and nobody else notices (groups 1 to 9 of the survey)."""

import pytest

from badxml import (AROUND, DTDS, FORBIDDEN, LAUGHS, NEVER_CLOSED, NO_CHARACTERS, PREFIXES, REFERENCES, REFERRING, TWICE, encodings,
                    many_attributes, never_closed)
from client import Closed
from component import Component
from hostile import SANITIZED, memory, outcome, pour

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}}
PLACES = ["before login", "after login", "component"]


@pytest.fixture(scope="module")
def witness(server):
    """Somebody else, who is connected all the while."""
    from conftest import Person
    server.adduser("witness@im.example", "pw")
    return Person(server, "witness", server.domain, [], "pw").login("stand").online()


@pytest.fixture(autouse=True)
def nobody_else_notices(server, witness):
    """After each attack the daemons are the same processes, the witness is served, and memory is what it was, give or
    take 24 MiB."""
    before = memory(server)
    yield
    assert witness.ping().get("type") == "result"
    witness.message(witness.jid, "still here")
    witness.expect("message", body="still here")
    assert server.daemons() == server.pids, "no daemon has died"
    assert SANITIZED or memory(server) - before < 24 * 1024


@pytest.fixture
def stream(server, person, connect, connections):
    """stream(place): an open stream there."""
    def make(place):
        if place == "before login":
            client = connect()
            client.begin()
            return client
        if place == "after login":
            return person("mallory").login("here")
        it = Component(server, ECHO, name="component")
        connections.append(it)
        return it.handshake(server.components[ECHO])
    return make


def ends(place, *allowed):
    """Before login any of these may come second to <not-authorized/>: the stanza itself has no place there."""
    return allowed + (("not-authorized", "policy-violation", "unsupported-stanza-type") if place == "before login" else ())


# -- 1 and 2: DTDs and entities ------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtd", DTDS.values(), ids=DTDS.keys())
def test_01_02_dtd_in_the_stream(stream, place, dtd):
    """RFC 6120 11.1."""
    assert outcome(stream(place), [dtd]) in ends(place, "restricted-xml", "not-well-formed")


@pytest.mark.parametrize("port", ["c2s", "component"])
def test_01_02_dtd_before_the_header(server, connect, connections, port):
    """RFC 6120 11.1: an attack needs no stream."""
    client = connect(port=port)
    client.send("<?xml version='1.0'?>" + LAUGHS + "<stream:stream xmlns='jabber:client' to='&lol9;' version='1.0' "
                "xmlns:stream='http://etherx.jabber.org/streams'>")
    client.expect_header()
    client.expect_stream_error(("restricted-xml", "not-well-formed"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", REFERENCES.values(), ids=REFERENCES.keys())
def test_02_references_that_are_none(stream, place, text):
    """XML 1.0 4.1; inside text and inside an attribute."""
    for stanza in REFERRING:
        assert outcome(stream(place), [stanza % text]) in ends(place, "restricted-xml", "not-well-formed")


# -- 3: comments, instructions, CDATA ------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", FORBIDDEN)
def test_03_comments_and_instructions(stream, place, text):
    """RFC 6120 11.1."""
    assert outcome(stream(place), [text]) in ends(place, "restricted-xml", "not-well-formed")


def test_03_cdata_is_text_and_nothing_but(person):
    """XML 1.0 2.7: tags in it are characters, and come out escaped."""
    mallory = person("mallory").login("here")
    text = "</body></message><message to='x'><body>"
    mallory.send("<message to='%s' type='chat'><body><![CDATA[%s]]></body></message>" % (mallory.jid, text))
    mallory.expect("message", body=text)


# -- 4: depth ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
def test_04_depth(stream, place):
    """DESIGN 11: 64 levels; a hundred thousand never arrive."""
    assert outcome(stream(place), ["<message>"] + ["<a>" * 100] * 1000) in ends(place, "policy-violation")


@pytest.mark.parametrize("place", PLACES)
def test_04_depth_byte_by_byte(stream, place):
    """The same, where each byte is a read of its own."""
    assert outcome(stream(place), ["<message>"] + list("<a>" * 200)) in ends(place, "policy-violation")


def test_04_the_depth_that_is_allowed(person):
    """DESIGN 11: below the limit all is delivered."""
    mallory = person("mallory").login("here")
    mallory.send("<message to='%s' type='chat' id='deep'>%s%s</message>" % (
        mallory.jid, "<a xmlns='urn:x'>" + "<a>" * 49, "</a>" * 50))
    mallory.expect("message", id="deep")


# -- 5: many of everything -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
def test_05_siblings(stream, place):
    """DESIGN 11: the size of a stanza is limited, whatever it is made of."""
    assert outcome(stream(place), ["<message>"] + ["<a/>" * 1000] * 1000) in ends(place, "policy-violation")


@pytest.mark.parametrize("place", ["after login", "component"])
def test_05_distinct_names_over_many_stanzas(stream, place):
    """PEERS 4: the parser's dictionary must not grow for ever; each stanza here is fine."""
    victim = stream(place)
    address = "from='x@%s' to='%s'" % (ECHO, ECHO) if place == "component" else "to='%s'" % victim.jid
    for n in range(0, 200000, 400):
        victim.sock.sendall(("<message %s type='error'>%s</message>" % (address, "".join(
            "<n%d a%d='' xmlns='urn:n:%d'/>" % (m, m, m) for m in range(n, n + 40)))).encode())
        if n % 20000 == 0:
            victim.sync()
    victim.sync()


@pytest.mark.parametrize("place", PLACES)
def test_05_attributes(stream, place):
    """DESIGN 11: 128 a tag."""
    assert outcome(stream(place), many_attributes()) in ends(place, "policy-violation")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", NEVER_CLOSED)
def test_05_06_never_closed(stream, place, what):
    """PEERS 4: bytes are counted since the last complete event, so none of these is buffered to ten megabytes."""
    assert outcome(stream(place), never_closed(what)) in ends(
        place, "policy-violation", "restricted-xml", "not-well-formed")


@pytest.mark.parametrize("place", PLACES)
def test_05_attribute_twice(stream, place):
    """XML 1.0 3.1, Namespaces in XML 6.3."""
    for stanza in TWICE:
        assert outcome(stream(place), [stanza]) in ends(place, "not-well-formed")


# -- 6: white space and sizes --------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", ["after login", "component"])
def test_06_white_space_between_stanzas_is_endless_and_costs_nothing(stream, place):
    """RFC 6120 4.6.1."""
    victim = stream(place)
    for _ in range(256):
        victim.sock.sendall(b" \n" * 4096)
    victim.sync()


def test_06_size_of_a_stanza(person):
    """DESIGN 11: 256 KiB from a client; under it all is well, over it <policy-violation/>."""
    mallory = person("mallory").login("here")
    frame = "<message to='%s' type='chat' id='%s'><body>%s</body></message>"
    room = 256 * 1024 - len(frame % (mallory.jid, "1", "")) - 64
    mallory.sock.sendall((frame % (mallory.jid, "1", "x" * room)).encode())
    assert len(mallory.expect("message", id="1").find("{jabber:client}body").text) == room
    over = frame % (mallory.jid, "2", "x" * (256 * 1024))
    assert outcome(mallory, [over[i:i + 8192] for i in range(0, len(over), 8192)]) == "policy-violation"


# -- 7: namespaces -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stanza", PREFIXES)
def test_07_prefixes_bent(stream, place, stanza):
    """Namespaces in XML 3, 6.3."""
    assert outcome(stream(place), [stanza]) in ends(place, "not-well-formed", "bad-namespace-prefix", "invalid-namespace",
                                                    "unsupported-stanza-type")


def test_07_stream_prefix_bound_to_something_else_inside(people):
    """A stanza may rebind any prefix for itself; what comes out means the same."""
    mallory, alice = people("mallory", "alice")
    his, hers = mallory.login("here"), alice.login("there").online()
    his.send("<message to='%s' id='m'><stream:error xmlns:stream='urn:mine'/><x xmlns='%s'/></message>" % (
        hers.jid, "http://etherx.jabber.org/streams"))
    got = hers.expect("message", id="m")
    assert got.find("{urn:mine}error") is not None
    assert got.find("{http://etherx.jabber.org/streams}x") is not None
    assert hers.ping().get("type") == "result"


def test_07_many_prefixes(person):
    """DESIGN 11: declarations are attributes."""
    mallory = person("mallory").login("here")
    text = "".join(" xmlns:p%d='urn:p:%d'" % (n, n) for n in range(10000))
    assert pour(mallory, ["<message", text, "/>"]) or outcome(mallory, []) == "policy-violation"


# -- 8: characters -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bytes", NO_CHARACTERS.values(), ids=NO_CHARACTERS.keys())
def test_08_bytes_that_are_no_characters(stream, place, bytes):
    """RFC 6120 11.6, XML 1.0 2.2: in text, in an attribute, in a name, between stanzas."""
    for before, after in AROUND:
        assert outcome(stream(place), [before + bytes + after]) in ends(place, "not-well-formed", "bad-format",
                                                                        "invalid-xml", "unsupported-encoding")


def test_08_character_cut_at_every_place(person):
    """A character may come in as many reads as it has bytes."""
    mallory = person("mallory").login("here")
    text = "ä世\U0001F4A9"
    for byte in ("<message to='%s' type='chat'><body>%s</body></message>" % (mallory.jid, text)).encode():
        mallory.sock.sendall(bytes([byte]))
    mallory.expect("message", body=text)


@pytest.mark.parametrize("header", encodings("jabber:client").values(), ids=encodings("jabber:client").keys())
def test_08_other_encodings(connect, header):
    """RFC 6120 11.6: UTF-8 and nothing else."""
    assert outcome(connect(), [header, b"\n" * 64]) in ("unsupported-encoding", "not-well-formed", "bad-format")


# -- 9: the wrong stream -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("place, stanza", [
    *((place, stanza) for place in PLACES for stanza in ("<message xmlns=''/>", "<iq xmlns='urn:x'/>")),
    ("before login", "<message xmlns='jabber:server'/>"), ("after login", "<message xmlns='jabber:server'/>")])
def test_09_stanza_of_another_namespace(stream, place, stanza):
    """RFC 6120 4.8.2, 4.9.3.10, 4.9.3.24. (Components are let write any of the three namespaces of stanzas.)"""
    addressed = stanza.replace("/>", " from='x@%s' to='witness@im.example'/>" % ECHO) if place == "component" else stanza
    assert outcome(stream(place), [addressed]) in ends(place, "invalid-namespace", "unsupported-stanza-type")


@pytest.mark.parametrize("place", PLACES)
def test_09_second_header(stream, place):
    """RFC 6120 4.3: a stream has one."""
    again = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='im.example' " \
            "version='1.0'>"
    assert outcome(stream(place), [again, "<message/>", "</stream:stream>"]) in ends(
        place, "unsupported-stanza-type", "invalid-xml", "bad-format", "not-well-formed", "invalid-namespace")


def test_09_end_tag_in_a_body(person):
    """As text it is text; as an element it is not well-formed."""
    mallory = person("mallory").login("here")
    mallory.message(mallory.jid, "&lt;/stream:stream>")
    mallory.expect("message", body="</stream:stream>")
    assert outcome(mallory, ["<message><body></stream:stream>"]) == "not-well-formed"


def test_half_a_stanza_held_open_hurts_nobody(person, witness):
    """Whoever is slow is slow alone."""
    mallory = person("mallory").login("here")
    mallory.send("<message to='%s' type='chat'><body>to be con" % witness.jid)
    witness.sync()
    mallory.send("tinued</body></message>")
    witness.expect("message", body="to be continued")


@pytest.mark.parametrize("place", PLACES)
def test_stream_error_from_the_other_side(stream, place):
    """RFC 6120 4.9.1: it is over, and no error answers an error."""
    victim = stream(place)
    victim.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
                "</stream:stream>")
    try:
        victim.expect_eof()
    except Closed:
        pass
    assert not [el for el in victim.inbox if el.tag.endswith("}error")] or place != "after login"
