"""Stanzas: their attributes, their answers and their errors (RFC 6120 8 and 10)."""

import pytest

from client import NS_PING, NS_ROSTER, Closed, error_of, next_id

SERVER = {"domains": ["im.example", "other.example"]}

PING = "<ping xmlns='%s'/>" % NS_PING
UNKNOWN = "<mystery xmlns='urn:example:unknown'/>"


@pytest.fixture
def romeo(person):
    return person("romeo").login("balcony")


# -- IQ ------------------------------------------------------------------------------------------------------------

def test_iq_without_id_is_no_iq(romeo):
    """RFC 6120 8.2.3 rule 1: an error, or the end of the stream; never silence, never a result."""
    romeo.send("<iq type='get' to='im.example'>%s</iq>" % PING)
    try:
        reply = romeo.expect(where=lambda el: True)
    except Closed:
        return
    assert error_of(reply)[1] == "bad-request" or reply.tag.endswith("}error")


@pytest.mark.parametrize("to", ["", " to='im.example'"], ids=["to the own account", "to the server"])
@pytest.mark.parametrize("type", ["get", "set"])
def test_iq_that_nobody_understands(romeo, type, to):
    """RFC 6120 8.4, 8.3.3.19: <service-unavailable/> of type cancel."""
    romeo.send("<iq type='%s' id='u1'%s>%s</iq>" % (type, to, UNKNOWN))
    assert error_of(romeo.expect("iq", id="u1", type="error")) == ("cancel", "service-unavailable")


def test_known_namespace_in_the_wrong_type(romeo):
    """RFC 6120 8.2.3: a ping that sets something is not a ping."""
    assert romeo.ask("set", PING, to="im.example").get("type") == "error"


@pytest.mark.parametrize("children", ["", PING + UNKNOWN, "text only"], ids=["none", "two", "text"])
@pytest.mark.parametrize("type", ["get", "set"])
def test_iq_has_exactly_one_child(romeo, type, children):
    """RFC 6120 8.2.3 rule 5."""
    assert error_of(romeo.ask(type, children, to="im.example")) == ("modify", "bad-request")


@pytest.mark.parametrize("attribute", ["type='bogus'", "type=''", ""], ids=["unknown", "empty", "none"])
def test_iq_type_is_one_of_four(romeo, attribute):
    """RFC 6120 8.2.3 rule 2."""
    romeo.send("<iq id='b1' to='im.example' %s>%s</iq>" % (attribute, PING))
    assert error_of(romeo.expect("iq", id="b1", type="error")) == ("modify", "bad-request")


@pytest.mark.parametrize("type", ["result", "error"])
@pytest.mark.parametrize("to", ["", " to='im.example'", " to='other.example'", " to='nobody@im.example'",
                                " to='nobody@im.example/x'"])
def test_answers_are_never_answered(romeo, type, to):
    """RFC 6120 8.2.3 rule 4, 8.3.1: an error to an error would go on for ever."""
    romeo.send("<iq type='%s' id='r1'%s>%s</iq>" % (type, to, UNKNOWN))
    romeo.expect_nothing()


def test_answer_has_the_id_and_the_addresses_turned_round(romeo):
    """RFC 6120 8.2.3 rule 3."""
    romeo.send("<iq type='get' id='an id with &quot;marks&apos; &lt; &amp;' to='im.example'>%s</iq>" % PING)
    romeo.expect("iq", type="result", id="an id with \"marks' < &", from_="im.example", to=romeo.jid)


def test_answer_from_the_own_account(romeo):
    """RFC 6120 10.3.3: without `to` the account itself answers."""
    reply = romeo.ask("get", "<query xmlns='%s'/>" % NS_ROSTER)
    assert reply.get("type") == "result" and reply.get("from") in (None, romeo.bare)


def test_error_gives_the_payload_back_or_not_but_nothing_else(romeo):
    """RFC 6120 8.3.1."""
    reply = romeo.ask("get", UNKNOWN, to="im.example")
    assert [el.tag for el in reply][-1].endswith("}error") and len(reply) <= 2


def test_iq_to_another_client_goes_there_and_back(people):
    """RFC 6121 8.5.3.1: a full JID that is connected."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    his.send("<iq type='get' id='v1' to='%s'>%s</iq>" % (hers.jid, UNKNOWN))
    hers.expect("iq", type="get", id="v1", from_=his.jid, to=hers.jid, has="{urn:example:unknown}mystery")
    hers.send("<iq type='result' id='v1' to='%s'/>" % his.jid)
    his.expect("iq", type="result", id="v1", from_=hers.jid)


# -- from ----------------------------------------------------------------------------------------------------------

FORGED = ["juliet@im.example", "juliet@im.example/chamber", "im.example", "other.example", "admin@im.example"]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("stanza", ["<message from='%s' to='%s' type='chat'><body>trust me</body></message>",
                                    "<presence from='%s' to='%s'/>",
                                    "<iq from='%s' to='%s' type='get' id='f1'>" + PING + "</iq>"],
                         ids=["message", "presence", "iq"])
def test_forged_sender_never_reaches_anybody(people, stanza, forged):
    """RFC 6120 8.1.2.1 rule 1: the stream error <invalid-from/>, or the right address put in its place."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.send(stanza % (forged, hers.jid))
    try:
        his.sync()
        stamped = True
    except Closed:
        stamped = False
    got = hers.sync()
    assert all(el.get("from") == his.jid for el in got)
    assert stamped or not got


def test_forged_sender_ends_the_stream(people):
    """RFC 6120 8.1.2.1, 4.9.3.9."""
    his = people("romeo")[0].login("balcony")
    his.send("<message from='juliet@im.example' to='nobody@im.example'/>")
    his.expect_stream_error("invalid-from")


def test_other_resource_of_the_own_account_is_forged_too(person):
    """RFC 6120 8.1.2.1: the full JID of the connected resource, no other."""
    romeo = person("romeo")
    orchard, balcony = romeo.login("orchard"), romeo.login("balcony")
    balcony.send("<message from='%s' to='%s'/>" % (orchard.jid, romeo.jid))
    balcony.expect_stream_error("invalid-from")
    assert orchard.ping().get("type") == "result"


@pytest.mark.parametrize("part", ["jid", "bare"])
def test_own_address_as_sender_is_right(person, part):
    """RFC 6120 8.1.2.1: full or bare; what is delivered carries the full one."""
    romeo = person("romeo").login("balcony")
    romeo.send("<message from='%s' to='%s' type='chat'><body>me</body></message>" % (getattr(romeo, part), romeo.jid))
    romeo.expect("message", body="me", from_=romeo.jid)


# -- to ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("to", ["@im.example", "juliet@", "juliet@im.example/", "a b@im.example", "juliet@im..example",
                                "a&quot;b@im.example", "a&apos;b@im.example", "a&lt;b@im.example", "a&amp;b@im.example",
                                "a:b@im.example", "%s@im.example" % ("x" * 1024), "x@%s.example" % ("y" * 1100),
                                "juliet@im.example/%s" % ("z" * 1024), "a@b@im.example", "juliet@-.example", ""])
def test_to_that_is_no_address(romeo, to):
    """RFC 6120 8.3.3.8, RFC 7622: <jid-malformed/>; an empty `to` is none of RFC 6120's addresses either."""
    romeo.send("<iq type='get' id='j1' to='%s'>%s</iq>" % (to, PING))
    reply = romeo.expect("iq", id="j1")
    assert error_of(reply) == ("modify", "jid-malformed") or (to == "" and error_of(reply)[0])
    romeo.send("<message id='j2' type='chat' to='%s'><body>x</body></message>" % to)
    assert error_of(romeo.expect("message", id="j2"))[1] == "jid-malformed"


def test_to_is_compared_prepared(people):
    """RFC 7622 3.3: localparts and domains match whatever their case and width."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    for n, to in enumerate([juliet.jid.upper(), juliet.jid.replace("juliet", "\uff4auliet"), juliet.jid.title()]):
        his.message(to, "hello %d" % n)
        hers.expect("message", body="hello %d" % n)


def test_error_to_no_address_is_not_answered(romeo):
    """RFC 6120 8.3.1."""
    romeo.send("<message type='error' to='a@b@c'><body>x</body></message>")
    romeo.send("<iq type='result' id='z' to='a@b@c'/>")
    romeo.send("<presence type='error' to='a@b@c'/>")
    romeo.expect_nothing()


def test_domain_that_is_not_there(romeo):
    """RFC 6120 8.3.3.16: <remote-server-not-found/> where no route of last resort is connected, never silence."""
    for kind, extra in (("message", "type='chat'"), ("iq", "type='get'")):
        id = next_id()
        romeo.send("<%s id='%s' to='someone@nowhere.invalid' %s>%s</%s>" % (kind, id, extra, PING, kind))
        error = error_of(romeo.expect(kind, id=id, type="error"))
        assert error in (("cancel", "remote-server-not-found"), ("wait", "remote-server-timeout"))


def test_stanza_types_unknown_to_the_rfc(people):
    """RFC 6121 5.2.2: an unknown type of message is a normal one; RFC 6121 4.7.1 knows no other types of presence."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.send("<message to='%s' type='telegram'><body>stop</body></message>" % hers.jid)
    hers.expect("message", body="stop")
    his.send("<presence to='%s' type='elsewhere' id='p1'/>" % hers.jid)
    assert error_of(his.expect("presence", id="p1"))[1] == "bad-request"
    hers.expect_nothing()


# -- order ---------------------------------------------------------------------------------------------------------

def test_stanzas_between_two_are_delivered_in_order(people):
    """RFC 6120 10.1."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    for n in range(300):
        if n % 3 == 0:
            his.message(hers.jid, str(n), id=str(n))
        elif n % 3 == 1:
            his.send("<presence to='%s' id='%d'/>" % (hers.jid, n))
        else:
            his.send("<iq type='get' to='%s' id='%d'>%s</iq>" % (hers.jid, n, PING))
    his.sync()
    assert [el.get("id") for el in hers.sync()] == [str(n) for n in range(300)]
