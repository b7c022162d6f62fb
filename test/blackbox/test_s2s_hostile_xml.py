"""Bad XML on streams between servers (groups 1 to 9 of the survey of other servers): before TLS, before and after a
domain is proven, and on a stream that we have opened to a server that answers with it. Each gets its stream error
(RFC 6120 4.9.3) and costs bounded memory."""

import pytest

from badxml import (AROUND, DTDS, FORBIDDEN, LAUGHS, NEVER_CLOSED, NO_CHARACTERS, PREFIXES, REFERENCES, REFERRING, TWICE, encodings,
                    many_attributes, never_closed)
from client import NS_STREAM
from farworld import OPEN, alice, mallory, neighbour, noticed, unhurt, world     # noqa: F401
from far import NS_SERVER
from hostile import outcome

SERVER = world
pytestmark = pytest.mark.usefixtures("unhurt")
PLACES = ["before TLS", "before proof", "after proof", "stream of ours"]
PLACE = pytest.mark.parametrize("place", PLACES)


@pytest.fixture
def stream(server, mallory, alice):
    """stream(place): an open stream there."""
    def make(place):
        if place == "before TLS":
            return mallory.dial(server).begin()
        if place == "before proof":
            return mallory.secured(server)
        if place == "after proof":
            return mallory.external(server)
        return ours(mallory, alice)
    return make


def ours(mallory, alice):
    """A stream of ours to mallory, on which a stanza has come."""
    mallory.by_hand()
    alice.message("x@" + mallory.domain, "to you")
    link = mallory.accept()
    link.answer_header().offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    link.secure(mallory.identity).answer_header().offer("dialback")
    mallory.answer(link, link.next("result"), "valid")
    link.expect("message", body="to you")
    return link


def ends(place, *allowed):
    """Before a domain is proven any of these may come second: the stanza itself has no place there."""
    return allowed + (() if place == "after proof" else ("not-authorized", "policy-violation", "unsupported-stanza-type", "invalid-from"))


def addressed(stanza, mallory, alice):
    """As from mallory to alice, so that nothing is wrong with it but what is."""
    return stanza.replace("<message", "<message from='evil@%s' to='%s'" % (mallory.domain, alice.jid), 1)


# -- 1, 2, 3 ------------------------------------------------------------------------------------------------------------

@PLACE
def test_01_02_dtd_in_the_stream(server, stream, place):
    """RFC 6120 11.1."""
    for what, dtd in DTDS.items():
        with noticed(server, event="bad_xml"):
            assert outcome(stream(place), [dtd]) in ends(place, "restricted-xml", "not-well-formed"), what


def test_01_02_dtd_before_the_header(server, mallory):
    """An attack needs no stream."""
    link = mallory.dial(server)
    link.send("<?xml version='1.0'?>" + LAUGHS + "<stream:stream xmlns='%s' to='&lol9;' version='1.0' xmlns:stream='%s'>" % (
        NS_SERVER, NS_STREAM))
    link.expect_header()
    link.expect_stream_error(("restricted-xml", "not-well-formed"))


def test_01_02_dtd_before_the_header_of_who_answers(server, mallory, alice):
    mallory.by_hand()
    alice.message("x@" + mallory.domain, "to you")
    link = mallory.accept()
    link.expect_header()
    mallory.manners["accept"], mallory.hands = lambda sock: False, None
    link.send("<?xml version='1.0'?>" + LAUGHS + "<stream:stream>&lol9;")
    link.expect_stream_error(("restricted-xml", "not-well-formed"))
    alice.expect("message", type="error")


@PLACE
def test_02_references_that_are_none(stream, mallory, alice, place):
    for text in REFERENCES.values():
        for stanza in REFERRING:
            assert outcome(stream(place), [addressed(stanza % text, mallory, alice)]) in ends(
                place, "restricted-xml", "not-well-formed"), text


@PLACE
def test_03_comments_and_instructions(stream, mallory, alice, place):
    """RFC 6120 11.1."""
    for text in FORBIDDEN:
        assert outcome(stream(place), [addressed(text, mallory, alice)]) in ends(place, "restricted-xml", "not-well-formed"), text


def test_03_cdata_is_text_and_nothing_but(server, mallory, alice):
    text = "</body></message><message to='x'><body>"
    mallory.external(server).send("<message from='x@%s' to='%s' type='chat'><body><![CDATA[%s]]></body></message>" % (
        mallory.domain, alice.jid, text))
    alice.expect("message", body=text)


# -- 4, 5, 6 ------------------------------------------------------------------------------------------------------------

@PLACE
def test_04_depth(server, stream, place):
    """DESIGN 11: 64 levels; a hundred thousand never arrive."""
    with noticed(server, "limit_xml", "bad_xml"):
        assert outcome(stream(place), ["<message>"] + ["<a>" * 100] * 1000) in ("policy-violation", "closed")


@PLACE
def test_04_depth_byte_by_byte(stream, place):
    assert outcome(stream(place), ["<message>"] + list("<a>" * 200)) in ends(place, "policy-violation")


@PLACE
def test_05_siblings(stream, place):
    """The size of a stanza is limited, and the number of its elements, whatever it is made of."""
    assert outcome(stream(place), ["<message>"] + ["<a/>" * 1000] * 1000) in ("policy-violation", "closed")


def test_05_distinct_names_over_many_stanzas(server, mallory, alice, neighbour):
    """The parser's dictionary must not grow for ever; each stanza here is fine."""
    link = mallory.external(server)
    for n in range(0, 200000, 400):
        link.sock.sendall(("<message from='x@%s' to='%s' type='error'>%s</message>" % (mallory.domain, OPEN, "".join(
            "<n%d a%d='' xmlns='urn:n:%d'/>" % (m, m, m) for m in range(n, n + 40)))).encode())
    link.message("x@" + mallory.domain, alice.jid, "good")
    alice.expect("message", body="good")


@PLACE
def test_05_attributes(stream, place):
    assert outcome(stream(place), many_attributes()) in ("policy-violation", "closed")


@PLACE
def test_05_06_never_closed(stream, place):
    """Bytes are counted since the last complete event, so none of these is buffered to ten megabytes."""
    for what in NEVER_CLOSED:
        assert outcome(stream(place), never_closed(what)) in ends(
            place, "policy-violation", "restricted-xml", "not-well-formed", "closed"), what


@PLACE
def test_05_attribute_twice(stream, place):
    for stanza in TWICE:
        assert outcome(stream(place), [stanza]) in ends(place, "not-well-formed")


@pytest.mark.parametrize("chunk", [b" \n" * 4096, b"\n" * 8192])
def test_06_white_space_between_stanzas_costs_nothing(server, mallory, alice, chunk):
    """RFC 6120 4.6.1."""
    link = mallory.external(server)
    for _ in range(256):
        link.sock.sendall(chunk)
    link.message("x@" + mallory.domain, alice.jid, "good")
    alice.expect("message", body="good")


def test_06_size_of_a_stanza(server, mallory, alice):
    """Under the limit all is well, over it <policy-violation/>."""
    link, frame = mallory.external(server), "<message from='x@%s' to='%s' type='chat' id='%s'><body>%s</body></message>"
    room = 256 * 1024 - len(frame % (mallory.domain, alice.jid, "big", "")) - 64
    link.sock.sendall((frame % (mallory.domain, alice.jid, "big", "x" * room)).encode())
    assert len(alice.expect("message", id="big").find("{jabber:client}body").text) == room
    over = frame % (mallory.domain, alice.jid, "over", "x" * (600 * 1024))
    assert outcome(link, [over[i:i + 8192] for i in range(0, len(over), 8192)]) in ("policy-violation", "closed")


@pytest.mark.parametrize("text", [">", "\"", "\u00e4"])
def test_06_what_grows_when_it_is_written_again(server, mallory, alice, text):
    """A stanza within the limit whose canonical form is not within a frame's: refused or delivered, the links stay up."""
    for size in (120000, 240000, 500000):
        link = mallory.external(server)
        link.sock.sendall(("<message from='x@%s' to='%s' type='chat'><body>%s</body></message>" % (
            mallory.domain, alice.jid, text * (size // len(text.encode())))).encode())
        link.message("x@" + mallory.domain, alice.jid, "behind it")
        alice.expect("message", body="behind it")
        alice.inbox.clear()


@PLACE
def test_06_headers_without_end(server, mallory, alice, place):
    """A stream header is limited as everything is: so many bytes, so many attributes."""
    for bomb in (" a='%s'" % ("x" * 4096), "".join(" a%d=''" % n for n in range(400)), " xmlns:p='%s'" % ("u" * 4096)):
        if place == "stream of ours":
            mallory.by_hand()
            alice.message("x@" + mallory.domain, "to you")
            link = mallory.accept()
            link.expect_header()
            mallory.manners["accept"], mallory.hands = lambda sock: False, None
        else:
            link = mallory.dial(server)
            if place != "before TLS":
                link.begin().starttls(mallory.identity)
            if place == "after proof":
                link.begin()
                link.auth()
                link.reset()
        start = "<stream:stream xmlns='%s' xmlns:stream='%s' to='%s'" % (NS_SERVER, NS_STREAM, OPEN)
        many = [bomb if "a0=''" not in bomb else bomb.replace("=", "%d=" % n) for n in range(300)]
        assert outcome(link, [start, *many]) in ("policy-violation", "not-well-formed", "closed")


# -- 7, 8 ---------------------------------------------------------------------------------------------------------------

@PLACE
def test_07_prefixes_bent(stream, mallory, alice, place):
    """Namespaces in XML 3, 6.3."""
    for stanza in PREFIXES:
        assert outcome(stream(place), [addressed(stanza, mallory, alice)]) in ends(
            place, "not-well-formed", "bad-namespace-prefix", "invalid-namespace", "unsupported-stanza-type"), stanza


@pytest.mark.parametrize("prefix", ["stream", "db", "xmlns:db"])
def test_07_prefixes_of_the_stream_bound_to_something_else_inside(server, mallory, alice, prefix):
    """A stanza may rebind any prefix for itself; what comes out means the same, and commands nothing."""
    link = mallory.external(server)
    inner = {"stream": "<stream:error xmlns:stream='urn:mine'/>", "db": "<db:result xmlns:db='urn:mine' from='a' to='b'/>",
             "xmlns:db": "<db:result xmlns:db='jabber:server:dialback' from='a' to='%s'>key</db:result>" % OPEN}[prefix]
    link.message("x@" + mallory.domain, alice.jid, "good", inner, id="inner")
    got = alice.expect("message", id="inner")
    assert got.find("{%s}%s" % ("jabber:server:dialback" if prefix == "xmlns:db" else "urn:mine",
                                "error" if prefix == "stream" else "result")) is not None
    link.message("x@" + mallory.domain, alice.jid, "still")
    alice.expect("message", body="still")


def test_07_dialback_in_the_namespace_of_another_prefix(server, mallory):
    """It is the namespace that counts: an element that is only called db:result is none, one that is called otherwise is."""
    link = mallory.secured(server)
    link.send("<x:result xmlns:x='jabber:server:dialback' from='%s' to='%s'>%s</x:result>" % (
        mallory.domain, OPEN, mallory.key(OPEN, mallory.domain, link.header["id"])))
    assert link.verdict() == "valid"
    assert outcome(link, ["<db:result xmlns:db='urn:x' from='%s' to='%s'>k</db:result>" % (mallory.domain, OPEN)]) \
        == "unsupported-stanza-type"


def test_07_many_prefixes(server, mallory):
    link = mallory.external(server)
    text = "".join(" xmlns:p%d='urn:p:%d'" % (n, n) for n in range(10000))
    assert outcome(link, ["<message", text, "/>"]) in ("policy-violation", "closed")


@PLACE
def test_08_bytes_that_are_no_characters(stream, place):
    """RFC 6120 11.6, XML 1.0 2.2."""
    for what, bytes in NO_CHARACTERS.items():
        for before, after in AROUND if place == "after proof" else AROUND[:2]:
            assert outcome(stream(place), [before + bytes + after]) in ends(
                place, "not-well-formed", "bad-format", "invalid-xml", "unsupported-encoding"), what


def test_08_character_cut_at_every_place(server, mallory, alice):
    link, text = mallory.external(server), "\u00e4\u4e16\U0001F4A9"
    for byte in ("<message from='x@%s' to='%s' type='chat'><body>%s</body></message>" % (mallory.domain, alice.jid, text)).encode():
        link.sock.sendall(bytes([byte]))
    alice.expect("message", body=text)


ENCODINGS = encodings(NS_SERVER)


@pytest.mark.parametrize("header", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_08_other_encodings(server, mallory, header):
    """RFC 6120 11.6: UTF-8 and nothing else."""
    assert outcome(mallory.dial(server), [header, b"\n" * 64]) in ("unsupported-encoding", "not-well-formed", "bad-format")


# -- 9: the wrong stream ------------------------------------------------------------------------------------------------

@PLACE
def test_09_stanza_of_another_namespace(stream, mallory, alice, place):
    """RFC 6120 4.8.2, 4.9.3.10: what is no stanza of servers is none."""
    for namespace in ("", "jabber:client", "jabber:component:accept", "urn:x", NS_STREAM):
        stanza = "<message xmlns='%s'><body>evil</body></message>" % namespace
        assert outcome(stream(place), [addressed(stanza, mallory, alice)]) in ends(
            place, "invalid-namespace", "unsupported-stanza-type"), namespace


HEADERS = {
    "client": "xmlns='jabber:client'", "component": "xmlns='jabber:component:accept'", "none": "", "empty": "xmlns=''",
    "unknown": "xmlns='urn:x'", "bound to streams": "xmlns='%s'" % NS_STREAM,
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS.keys())
def test_09_header_of_another_kind_of_stream(server, mallory, content):
    """RFC 6120 4.9.3.10."""
    link = mallory.dial(server)
    link.send("<stream:stream %s xmlns:stream='%s' to='%s' from='%s' version='1.0'>" % (content, NS_STREAM, OPEN, mallory.domain))
    link.expect_header()
    link.expect_stream_error(("invalid-namespace", "bad-format", "bad-namespace-prefix"))


@pytest.mark.parametrize("header", [
    "<stream:stream xmlns='jabber:server' xmlns:stream='urn:x' to='im.example' version='1.0'>", "<stream xmlns='jabber:server'>",
    "<s:strem xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'>", "<html>", "GET / HTTP/1.1\r\n\r\n", "</stream:stream>",
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example'/>", "\x16\x03\x01", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n"])
def test_09_header_that_is_none(server, mallory, header):
    assert outcome(mallory.dial(server), [header, "\n" * 64]) in (
        "invalid-namespace", "bad-format", "not-well-formed", "bad-namespace-prefix", "invalid-xml", "closed")


@pytest.mark.parametrize("version", ["2.0", "1.99999999999999999999", "-1.0", "x", "1", "01.0"])
def test_09_versions(server, mallory, version):
    """RFC 6120 4.7.5: answered as 1.0, or refused."""
    link = mallory.dial(server)
    link.open(version=version)
    assert link.header.get("version") in ("1.0", None)


@PLACE
def test_09_second_header(stream, place):
    """RFC 6120 4.3: a stream has one."""
    again = "<stream:stream xmlns='%s' xmlns:stream='%s' to='%s' version='1.0'>" % (NS_SERVER, NS_STREAM, OPEN)
    assert outcome(stream(place), [again, "<message/>", "</stream:stream>"]) in ends(
        place, "unsupported-stanza-type", "invalid-xml", "bad-format", "not-well-formed", "invalid-namespace")


def test_09_end_tag_in_a_body(server, mallory, alice):
    """As text it is text; as an element it is not well-formed."""
    link = mallory.external(server)
    link.message("x@" + mallory.domain, alice.jid, "</stream:stream>")
    alice.expect("message", body="</stream:stream>")
    assert outcome(link, ["<message><body></stream:stream>"]) == "not-well-formed"


@PLACE
def test_stream_error_from_the_other_side(stream, place):
    """RFC 6120 4.9.1: it is over, and no error answers an error."""
    link = stream(place)
    link.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
    link.expect_eof()
    assert not [el for el in link.inbox if el.tag.endswith("}error")]


ELEMENTS = [
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "<stream:features/>", "<handshake>x</handshake>",
    "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'/>", "<compress xmlns='http://jabber.org/protocol/compress'/>",
    "<route xmlns='urn:bulkhead:link'/>", "<bind xmlns='urn:xmpp:component:0'/>", "<x xmlns='urn:x'/>", "<resume xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>", "<r xmlns='urn:xmpp:sm:3'/>", "text"]


@PLACE
def test_16_elements_that_have_no_place_there(stream, mallory, place):
    """RFC 6120 4.9.3.24, 6.5.7: a stream error, or a failure of what it belongs to; never a way in."""
    for element in ELEMENTS:
        link = stream(place)
        if "starttls" in element and place == "before TLS":
            continue
        evil = "<message from='evil@%s' to='alice@%s'><body>evil</body></message>" % (mallory.domain, OPEN)
        assert outcome(link, [element, "</stream:stream>" if place == "after proof" else evil]) in (
            "unsupported-stanza-type", "not-authorized", "bad-format", "invalid-from", "invalid-xml", "closed", "policy-violation",
            "undefined-condition", "not-well-formed"), element
