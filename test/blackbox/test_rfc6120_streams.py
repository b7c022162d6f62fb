"""Streams: headers, features, errors, restarts and their end (RFC 6120 4 and 11)."""

import socket

import pytest

from client import NS_CLIENT, NS_STREAM, q, tls_context

HEADER = "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' to='im.example' version='1.0'>" % (
    NS_CLIENT, NS_STREAM)


# -- the header and its answer -------------------------------------------------------------------------------------

def test_answer_has_from_id_version_and_lang(connect):
    """RFC 6120 4.7."""
    client = connect().open("im.example", " xml:lang='en'")
    assert client.header["from"] == "im.example"
    assert client.header["version"] == "1.0"
    assert len(client.header["id"]) >= 16, "an id nobody can guess (RFC 6120 4.7.3)"
    assert client.header["{http://www.w3.org/XML/1998/namespace}lang"]


def test_each_stream_has_its_own_id(person):
    """RFC 6120 4.7.3: unique, and a new one after each restart."""
    romeo = person("romeo")
    client = romeo.connect()
    seen = []
    client.begin()
    seen.append(client.header["id"])
    client.starttls().begin()
    seen.append(client.header["id"])
    client.authenticate(romeo.user, romeo.password)
    client.begin()
    seen.append(client.header["id"])
    assert len(set(seen)) == 3


def test_header_may_come_byte_by_byte(connect):
    """A stream is bytes, not segments."""
    client = connect()
    for byte in HEADER.encode():
        client.sock.sendall(bytes([byte]))
    assert client.expect("features") is not None


def test_header_without_xml_declaration_is_fine(connect):
    """RFC 6120 11.5: the declaration is optional."""
    client = connect()
    client.send(HEADER.partition("?>")[2])
    assert client.expect("features") is not None


def test_streams_over_ipv6(server):
    """RFC 6120 3.1: either family, on both ports."""
    for port in ("c2s", "c2s_tls"):
        sock = socket.create_connection(("::1", server.port(port)))
        if port == "c2s_tls":
            sock = tls_context(["xmpp-client"]).wrap_socket(sock, server_hostname="im.example")
        with sock:
            sock.sendall(HEADER.encode())
            got = b""
            while b"</stream:features>" not in got:
                got += sock.recv(4096)


def test_domain_is_compared_prepared(connect):
    """RFC 7622 3.2: domains match whatever their case."""
    client = connect().open("IM.Example")
    assert client.expect("features") is not None
    assert client.header["from"] == "im.example"


def test_higher_minor_or_major_version_is_answered_with_ours(connect):
    """RFC 6120 4.7.5: the answer carries the lower of both."""
    client = connect().open("im.example", version="1.7")
    assert client.header["version"] == "1.0"
    assert client.expect("features") is not None


@pytest.mark.parametrize("version", ["0.9", None])
def test_stream_before_1_0_is_refused(connect, version):
    """RFC 6120 4.7.5 and 4.9.3.25: no version is 0.9, and 0.9 is not spoken."""
    client = connect().open("im.example", version=version)
    client.expect_stream_error("unsupported-version")


def test_unknown_domain_is_refused(connect):
    """RFC 6120 4.9.3.6; the error comes inside a stream of the server's own (RFC 6120 4.9.1.2)."""
    client = connect().open("elsewhere.example")
    client.expect_stream_error("host-unknown")


def test_header_without_to_is_refused(connect):
    """RFC 6120 4.7.2: a client always names the domain; with several hosted there is none to fall back to."""
    client = connect().open(None)
    client.expect_stream_error(("host-unknown", "improper-addressing"))


@pytest.mark.parametrize("header, error", [
    ("<stream:stream xmlns='%s' xmlns:stream='http://wrong.example/' to='im.example' version='1.0'>" % NS_CLIENT,
     ("invalid-namespace", "bad-namespace-prefix")),
    ("<stream:stream xmlns='jabber:wrong' xmlns:stream='%s' to='im.example' version='1.0'>" % NS_STREAM,
     "invalid-namespace"),
    ("<stream:stream xmlns='jabber:server' xmlns:stream='%s' to='im.example' version='1.0'>" % NS_STREAM,
     "invalid-namespace"),
    ("<stream:river xmlns='%s' xmlns:stream='%s' to='im.example' version='1.0'>" % (NS_CLIENT, NS_STREAM),
     ("invalid-namespace", "bad-format", "invalid-xml")),
], ids=["stream namespace", "content namespace", "s2s namespace", "element name"])
def test_header_in_a_wrong_namespace_is_refused(connect, header, error):
    """RFC 6120 4.8.1, 4.8.2, 4.9.3.10."""
    client = connect()
    client.send(header)
    client.expect_header()
    client.expect_stream_error(error)


def test_other_encoding_than_utf8_is_refused(connect):
    """RFC 6120 11.6, 4.9.3.22."""
    client = connect()
    client.send(HEADER.replace("'1.0'?>", "'1.0' encoding='ISO-8859-1'?>"))
    client.expect_header()
    client.expect_stream_error("unsupported-encoding")


def test_utf8_may_be_named(connect):
    """RFC 6120 11.6."""
    client = connect()
    client.send(HEADER.replace("'1.0'?>", "'1.0' encoding='UTF-8'?>"))
    assert client.expect("features") is not None


def test_not_xml_at_all_is_answered_in_xml(connect):
    """RFC 6120 4.9.1.2: even then the server opens its own stream to say why."""
    client = connect()
    client.send("GET / HTTP/1.1\r\nHost: im.example\r\n\r\n")
    client.expect_header()
    client.expect_stream_error(("not-well-formed", "bad-format"))


# -- features ------------------------------------------------------------------------------------------------------

def test_starttls_is_offered_on_plain_tcp(connect):
    """RFC 6120 5.3.1."""
    features = connect().begin()
    assert features.find(q("urn:ietf:params:xml:ns:xmpp-tls", "starttls")) is not None


def test_unknown_element_before_auth_ends_the_stream(connect):
    """RFC 6120 4.9.3.24 and 4.9.3.12: what is not part of the negotiation has no place there."""
    client = connect()
    client.begin()
    client.send("<unknown xmlns='urn:example:unknown'/>")
    client.expect_stream_error(("unsupported-stanza-type", "not-authorized"))


@pytest.mark.parametrize("stanza", [
    "<message to='admin@im.example'><body>hello</body></message>",
    "<presence/>",
    "<iq type='get' id='x' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>",
], ids=["message", "presence", "iq"])
def test_stanza_before_auth_ends_the_stream(connect, stanza):
    """RFC 6120 4.9.3.12: <not-authorized/>."""
    client = connect()
    client.begin()
    client.send(stanza)
    client.expect_stream_error("not-authorized")


@pytest.mark.parametrize("logged_in", [False, True])
def test_limits_are_advertised(person, logged_in):
    """XEP-0478 2: the largest stanza that will be taken, in the features before and after login."""
    client = person("romeo").login() if logged_in else person("romeo").connect()
    features = client.features if logged_in else client.begin()
    most = features.find(".//" + q("urn:xmpp:stream-limits:0", "max-bytes"))
    assert int(most.text) == (256 * 1024 if logged_in else 8 * 1024)


# -- content -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("bytes, error", [
    (b"<message><body>a</message>", "not-well-formed"),
    (b"<message to=unquoted/>", "not-well-formed"),
    (b"<message><body>\xff\xfe</body></message>", ("not-well-formed", "bad-format")),
    (b"<message><body>\x01</body></message>", "not-well-formed"),
    (b"<message><body>&undefined;</body></message>", ("not-well-formed", "restricted-xml")),
    (b"<message><a:body xmlns='x'/></message>", "not-well-formed"),
    (b"<!-- a comment -->", "restricted-xml"),
    (b"<message><!-- a comment --></message>", "restricted-xml"),
    (b"<?php echo 1 ?>", "restricted-xml"),
    (b"<!DOCTYPE message [<!ENTITY lol 'lol'>]>", ("restricted-xml", "not-well-formed")),
    (b"text between stanzas", ("bad-format", "invalid-xml", "not-well-formed", "unsupported-stanza-type")),
    (b"<stranger xmlns='urn:example:x'/>", "unsupported-stanza-type"),
    (b"<message xmlns='jabber:server'/>", ("invalid-namespace", "unsupported-stanza-type")),
    (b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='im.example' version='1.0'>"
     b"</stream:stream>", ("unsupported-stanza-type", "bad-format", "invalid-xml", "not-well-formed")),
], ids=["unclosed tag", "unquoted attribute", "bytes not UTF-8", "control character", "undefined entity",
        "undeclared prefix", "comment between", "comment inside", "processing instruction", "DTD", "text",
        "unknown stanza", "stanza of another namespace", "header inside"])
def test_bad_content_ends_the_stream_with_the_right_error(person, bytes, error):
    """RFC 6120 11.1, 11.4, 4.9.3: not well-formed, restricted, unknown."""
    romeo = person("romeo").login("balcony")
    romeo.send(bytes)
    romeo.expect_stream_error(error)


def test_whitespace_between_stanzas_is_keep_alive(person):
    """RFC 6120 4.6.1."""
    romeo = person("romeo").login("balcony")
    romeo.send(" \n\t \r\n")
    assert romeo.ping().get("type") == "result"


def test_predefined_entities_references_and_cdata_keep_their_meaning(person):
    """RFC 6120 11.1 restricts none of these."""
    romeo = person("romeo").login("balcony")
    romeo.send("<message to='%s' type='chat'><body>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;<![CDATA[<c>&]]></body>"
               "</message>" % romeo.jid)
    romeo.expect("message", body="<&>\"'AB<c>&")


def test_text_of_every_kind_passes_unchanged(person):
    """RFC 6120 11.6: the whole of Unicode that XML 1.0 allows."""
    text = "Grüße, мир, 世界, \U0001F4A9, e\u0301, \u202Eabc, \ue000, tab\tnew\nline"
    romeo = person("romeo").login("balcony")
    romeo.message(romeo.jid, text)
    romeo.expect("message", body=text)


def test_unknown_children_and_attributes_pass_to_the_recipient(person):
    """RFC 6120 8.4: extensions are carried, not understood."""
    romeo = person("romeo").login("balcony")
    romeo.send("<message to='%s' type='chat' e:mark='1' xmlns:e='urn:example:e'><e:one two='3'><four xmlns='urn:x'>5"
               "</four></e:one></message>" % romeo.jid)
    got = romeo.expect("message")
    assert got.get(q("urn:example:e", "mark")) == "1"
    one = got.find(q("urn:example:e", "one"))
    assert one.get("two") == "3" and one.find(q("urn:x", "four")).text == "5"


def test_language_of_the_stream_goes_with_its_stanzas(person):
    """RFC 6120 8.1.5: the server adds the stream's xml:lang where a stanza has none, and changes none that it has."""
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.starttls().begin()
    client.authenticate(romeo.user, romeo.password)
    client.begin(extra=" xml:lang='de'")
    client.bind("balcony")
    client.send("<message to='%s' id='m1' type='chat'><body>Hallo</body></message>" % client.jid)
    client.send("<message to='%s' id='m2' type='chat' xml:lang='it'><body>Ciao</body></message>" % client.jid)
    assert client.expect("message", id="m1").get(lang) == "de"
    assert client.expect("message", id="m2").get(lang) == "it"


def test_many_stanzas_in_one_write_are_all_taken_in_order(person):
    """RFC 6120 10.1: in-order processing."""
    romeo = person("romeo").login("balcony")
    romeo.send("".join("<message to='%s' type='chat'><body>%d</body></message>" % (romeo.jid, n) for n in range(200)))
    assert [el.find(q(NS_CLIENT, "body")).text for el in romeo.sync()] == [str(n) for n in range(200)]


def test_stanza_of_the_size_every_server_takes_is_taken(person):
    """RFC 6120 13.12: at least 10,000 bytes."""
    romeo = person("romeo").login("balcony")
    romeo.message(romeo.jid, "x" * 10000)
    romeo.expect("message", body="x" * 10000)


# -- the end -------------------------------------------------------------------------------------------------------

def test_end_tag_is_answered_with_an_end_tag(person):
    """RFC 6120 4.4."""
    person("romeo").login("balcony").end()


def test_end_tag_before_auth_is_answered_too(connect):
    """RFC 6120 4.4."""
    client = connect()
    client.begin()
    client.end()


def test_stanzas_sent_before_the_end_tag_are_still_delivered(people):
    """RFC 6120 4.4: what was sent before the end is processed."""
    romeo, juliet = people("romeo", "juliet")
    hers = juliet.login("chamber").online()
    his = romeo.login("balcony")
    his.send("<message to='%s' type='chat'><body>Good night</body></message></stream:stream>" % hers.jid)
    hers.expect("message", body="Good night")
    his.expect_eof()


def test_half_a_stanza_at_the_end_is_dropped(people):
    """An unfinished stanza is none."""
    romeo, juliet = people("romeo", "juliet")
    hers, his = juliet.login("chamber").online(), romeo.login("balcony")
    his.send("<message to='%s' type='chat'><body>Good nig" % hers.jid)
    his.cut()
    romeo.login("balcony").sync()
    hers.expect_nothing("message")


def test_nothing_is_read_after_a_stream_error(people):
    """RFC 6120 4.9.1.1: stream errors are unrecoverable."""
    romeo, juliet = people("romeo", "juliet")
    hers, his = juliet.login("chamber").online(), romeo.login("balcony")
    his.send("<!-- no --><message to='%s' type='chat'><body>after the error</body></message>" % hers.jid)
    his.expect_stream_error("restricted-xml")
    romeo.login("balcony").sync()
    hers.expect_nothing("message")
