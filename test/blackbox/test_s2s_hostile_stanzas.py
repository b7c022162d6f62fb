"""Well-formed and wrong: what a server that has proven its domain may send all the same (groups 19 to 25 and 33 of the
survey of other servers). Addresses, answers that nobody asked for, what only one's own server says, loops between
servers; and what stream management and streams in both directions are bent to."""

import time

import pytest

from client import NS_ROSTER, Closed, error_of, local, next_id, show
from far import NS_SM, dialback
from farworld import ECHO, LOOSE, OPEN, STRICT, alice, mallory, neighbour, noticed, unhurt, world     # noqa: F401
from hostile import outcome, verdict
from roster import fetch, items_of
from test_hostile_stanzas import BAD_JIDS

SERVER = world
pytestmark = pytest.mark.usefixtures("unhurt")


@pytest.fixture
def link(server, mallory):
    """A stream that has proven mallory's first domain."""
    it = mallory.external(server, identity=mallory.ca.issue(mallory.domain))
    it.me = "x@" + mallory.domain
    return it


def passed(link, alice):
    """Waits until what was sent on a stream has come to alice; what came before it."""
    id = next_id()
    link.message(link.me, alice.jid, "mark", id=id)
    alice.expect("message", id=id)
    got = list(alice.inbox)
    alice.inbox.clear()
    return got


# -- 20: addresses ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize("attributes", ["to='{to}'", "from='{me}'", "", "from='' to='{to}'"],
                         ids=["no from", "no to", "neither", "empty from"])
def test_20_missing_addresses(server, link, alice, kind, attributes):
    """RFC 6120 8.1.1.2, 8.1.2.2: <improper-addressing/>."""
    with noticed(server, event="stream_error"):
        link.send("<%s %s type='headline' id='x'><body>evil</body></%s>" % (kind, attributes.format(me=link.me, to=alice.jid), kind))
        link.expect_stream_error(("improper-addressing", "host-unknown", "invalid-from"))


def test_20_from_that_is_no_address(server, mallory, alice):
    """RFC 6120 4.9.3.7, 4.9.3.9: who it is from must be known."""
    for from_ in ["@" + mallory.domain, "a b@" + mallory.domain, "@", "", " ", "x" * 1024 + "@" + mallory.domain, "\u0378@" + mallory.domain,
                  "a@" + mallory.domain + "/", "a@" + mallory.domain + "/" + "r" * 1024, "a@b@" + mallory.domain, "\u202ea@" + mallory.domain]:
        link = mallory.external(server)
        link.message(from_, alice.jid)
        link.expect_stream_error(("improper-addressing", "invalid-from"))


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_20_to_that_is_no_address(server, mallory, link, kind):
    """RFC 6120 8.3.3.8: <jid-malformed/>, or the stream is over since nobody hosts that; never silence to an iq."""
    for to in BAD_JIDS:
        if link.eof or link.ended:
            link = mallory.external(server)
        id = next_id()
        link.send("<%s id='%s' from='x@%s' to='%s'%s><ping xmlns='urn:xmpp:ping'/></%s>" % (
            kind, id, mallory.domain, to, " type='get'" if kind == "iq" else " type='subscribe'" if kind == "presence" else "", kind))
        mark = next_id()
        link.send("<iq type='get' id='%s' from='x@%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (mark, mallory.domain, OPEN))
        if not ends(link, mallory, mark):
            continue
        got = [el for el, _ in mallory.stanzas if el.get("id") == id]
        assert got or kind != "iq", to
        assert all(el.get("type") == "error" for el in got), to
        mallory.stanzas.clear()


def ends(link, mallory, mark):
    """Whether the ping of that id is answered; False: the stream has ended instead, as it may."""
    while True:
        with mallory.news:
            if any(el.get("id") == mark for el, _ in mallory.stanzas):
                return True
        if link.inbox or link.eof or link.ended:
            assert verdict(link) in ("host-unknown", "improper-addressing", "bad-format", "not-well-formed", "closed")
            link.cut()
            return False
        link.pump(time.monotonic() + 0.01)


@pytest.mark.parametrize("to", [OPEN, "nobody@" + OPEN, "nobody@" + OPEN + "/x", LOOSE, STRICT])
def test_20_questions_to_whom_there_is_not(server, mallory, link, to):
    """Each iq is answered, by a domain to which this stream has proven itself; a message to nobody as well."""
    for kind, type in (("iq", "get"), ("message", "chat")):
        link.send("<%s type='%s' id='%s' from='%s' to='%s'><query xmlns='urn:x'/></%s>" % (kind, type, kind, link.me, to, kind))
    answer = mallory.expect("iq", id="iq")
    assert answer.get("from") == to and error_of(answer)[1] in ("service-unavailable", "feature-not-implemented")
    if "@" in to:
        assert error_of(mallory.expect("message", id="message"))[1] in ("service-unavailable", "remote-server-not-found")


def test_20_a_component_of_ours(server, mallory, link, component):
    """What is for it comes to it; nobody from outside speaks in its name."""
    echo = component(ECHO)
    link.message(link.me, "x@" + ECHO, "good", id="c")
    assert echo.expect("message", id="c").get("from") == link.me
    echo.send("<message from='x@%s' to='%s' id='back'><body>back</body></message>" % (ECHO, link.me))
    mallory.expect("message", id="back", from_="x@" + ECHO)
    link.message("evil@" + ECHO, "x@" + ECHO)
    link.expect_stream_error("invalid-from")
    echo.send("<message from='x@%s' to='%s' id='later'><body>later</body></message>" % (ECHO, link.me))
    mallory.expect("message", id="later")
    assert not echo.inbox


# -- 21: forms ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stanza", ["<iq type='get' id='q' {}/>", "<iq type='get' id='q' {}><a xmlns='u'/><b xmlns='u'/></iq>",
                                    "<iq type='nonsense' id='q' {}><a xmlns='u'/></iq>", "<iq id='q' {}><a xmlns='u'/></iq>",
                                    "<iq type='set' id='q' {}>text</iq>", "<presence id='q' type='nonsense' {}/>"],
                         ids=["empty", "two", "type", "no type", "text", "presence"])
@pytest.mark.parametrize("to", [OPEN, "alice@" + OPEN, "nobody@" + OPEN])
def test_21_stanzas_bent(server, mallory, link, stanza, to):
    """RFC 6120 8.2.3, 8.4: <bad-request/> to its sender, or nothing to a presence."""
    link.send(stanza.format("from='%s' to='%s'" % (link.me, to)))
    if "iq" in stanza:
        assert error_of(mallory.expect("iq", id="q"))[1] in ("bad-request", "service-unavailable")


ANSWERS = ["<iq type='result' id='n' {}/>", "<iq type='error' id='n' {}/>", "<message type='error' {}/>", "<presence type='error' {}/>",
           "<iq type='result' id='n' {}><a xmlns='u'/><b xmlns='u'/></iq>", "<iq type='error' id='n' {}><error/></iq>"]


def test_21_33_answers_never_asked_for(server, mallory, link, neighbour):
    """RFC 6120 8.3.1: nothing answers them, whoever they are for: no error to an error."""
    for to in (OPEN, "nobody@" + OPEN, "nobody@" + OPEN + "/x", "alice@" + OPEN + "/gone", LOOSE):
        for stanza in ANSWERS:
            link.send(stanza.format("from='%s' to='%s'" % (link.me, to)))
    link.send("<iq type='get' id='last' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (link.me, OPEN))
    assert mallory.expect("iq", id="last").get("type") == "result"
    assert not mallory.stanzas, [show(el) for el, _ in mallory.stanzas]


# -- 22, 23: rosters and presence ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("to", ["bare", "domain"])
def test_22_rosters_from_outside(server, mallory, link, alice, to):
    """RFC 6121 2.1.6: nobody from outside reads or writes one, nor makes it look so."""
    address = {"bare": alice.bare, "domain": OPEN}[to]
    alice.interested()
    for type, payload in (("get", ""), ("set", "<item jid='evil@evil.example' subscription='both'/>"),
                          ("result", "<item jid='evil@evil.example'/>")):
        link.send("<iq type='%s' id='r-%s' from='%s' to='%s'><query xmlns='%s'>%s</query></iq>" % (
            type, type, link.me, address, NS_ROSTER, payload))
        if type != "result":
            assert mallory.expect("iq", id="r-" + type).get("type") == "error"
    assert not [el for el in passed(link, alice) if local(el) == "iq" and el.get("type") in ("set", "get")]
    assert items_of(fetch(alice)) == {}


def test_22_push_from_outside(server, link, alice):
    """What looks like one comes from who sent it, so no client believes it."""
    for from_ in (link.me, link.me.partition("@")[2]):
        link.send("<iq type='set' id='push' from='%s' to='%s'><query xmlns='%s'><item jid='evil@evil.example'/></query></iq>" % (
            from_, alice.jid, NS_ROSTER))
    for el in passed(link, alice):
        assert el.get("from") not in (None, alice.bare, OPEN), show(el)


@pytest.mark.parametrize("type", ["", "subscribed", "unsubscribed", "unsubscribe", "unavailable", "probe", "error"])
def test_23_presence_of_a_stranger(server, mallory, link, alice, type):
    """RFC 6121 3.1.6, 4.3.2: whoever is no contact changes nothing in a roster, and learns nothing of who is there."""
    alice.send("<presence><status>secret</status></presence>")
    alice.settle()
    link.send("<presence from='%s' to='%s'%s/>" % (link.me, alice.bare, " type='%s'" % type if type else ""))
    passed(link, alice)
    assert items_of(fetch(alice)) == {}
    link.send("<iq type='get' id='last' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (link.me, OPEN))
    mallory.expect("iq", id="last")
    assert not [el for el, _ in mallory.stanzas if "secret" in show(el) or el.get("type") is None]


def test_23_requests_of_thousands(server, mallory, link, alice, neighbour):
    """Kept up to a limit; the account stays usable, and others come through meanwhile."""
    for start in range(0, 3000, 100):
        link.sock.sendall("".join("<presence type='subscribe' from='s%d@%s' to='%s'/>" % (n, mallory.domain, alice.bare)
                                  for n in range(start, start + 100)).encode())
    neighbour.ping()
    passed(link, alice)
    neighbour.mark()
    assert items_of(fetch(alice)) == {}


def test_23_presence_flood(server, mallory, link, alice, neighbour):
    for n in range(20):
        link.sock.sendall("".join("<presence from='%s/%d' to='%s'><status>%d</status></presence>" % (link.me, m, alice.jid, n)
                                  for m in range(100)).encode())
    neighbour.ping()
    passed(link, alice)


# -- 24, 25: what only one's own server says ----------------------------------------------------------------------------

def forwarded(from_, to):
    return ("<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='%s' to='%s'><body>forged</body></message>"
            "</forwarded>" % (from_, to))


FORGERIES = {
    "sent": "<sent xmlns='urn:xmpp:carbons:2'>%s</sent>", "received": "<received xmlns='urn:xmpp:carbons:2'>%s</received>",
    "result": "<result xmlns='urn:xmpp:mam:2' id='1' queryid='q'>%s</result>", "both": "<sent xmlns='urn:xmpp:carbons:2'>%s</sent>"
    "<private xmlns='urn:xmpp:carbons:2'/>", "fin": "<fin xmlns='urn:xmpp:mam:2' complete='true'/>%s",
    "push": "<x xmlns='urn:x'>%s</x><pubsub xmlns='http://jabber.org/protocol/pubsub'/>",
}


@pytest.mark.parametrize("payload", FORGERIES.values(), ids=FORGERIES.keys())
@pytest.mark.parametrize("to", ["bare", "full"])
def test_24_forgeries_from_outside(server, mallory, link, alice, payload, to):
    """CVE-2017-5589: it comes from who sent it, so no client takes it for its own account's; what claims to be from that
    account is refused."""
    forged = payload % forwarded(alice.bare, link.me)
    link.send("<message id='f' type='chat' from='%s' to='%s'>%s</message>" % (link.me, alice.bare if to == "bare" else alice.jid, forged))
    for el in passed(link, alice):
        assert el.get("from") == link.me, show(el)
    for from_ in (alice.bare, alice.jid, OPEN):
        other = mallory.external(server)
        other.send("<message id='f' type='chat' from='%s' to='%s'><body>evil</body>%s</message>" % (from_, alice.jid, forged))
        other.expect_stream_error("invalid-from")


def test_24_nested_a_hundred_deep(server, mallory, alice):
    """DESIGN 11: depth has a limit for what is forwarded, too."""
    link = mallory.external(server)
    nested = "<forwarded xmlns='urn:xmpp:forward:0'>" * 100 + "</forwarded>" * 100
    stanza = "<message from='x@%s' to='%s'><body>evil</body>%s</message>" % (mallory.domain, alice.jid, nested)
    assert outcome(link, [stanza]) == "policy-violation"


MARKS = {
    "of the domain": "<stanza-id xmlns='urn:xmpp:sid:0' by='{domain}' id='forged'/>",
    "of the account": "<stanza-id xmlns='urn:xmpp:sid:0' by='{bare}' id='forged'/>",
    "twice": "<stanza-id xmlns='urn:xmpp:sid:0' by='{bare}' id='forged'/>" * 2,
    "in capitals": "<stanza-id xmlns='urn:xmpp:sid:0' by='ALICE@IM.EXAMPLE' id='forged'/>",
    "delay of ours": "<delay xmlns='urn:xmpp:delay' from='{domain}' stamp='2001-01-01T00:00:00Z'/>",
    "year 9999": "<delay xmlns='urn:xmpp:delay' from='{domain}' stamp='9999-12-31T23:59:59Z'/>",
    "year -1": "<delay xmlns='urn:xmpp:delay' from='{domain}' stamp='-0001-01-01T00:00:00Z'/>",
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS.keys())
def test_25_marks_of_ours(server, mallory, link, alice, mark):
    """XEP-0359 6, XEP-0203 4: what another server says in our name is taken off, in what comes and in what is kept."""
    link.message(link.me, alice.bare, "marked", mark.format(domain=OPEN, bare=alice.bare), id="m")
    got = alice.expect("message", id="m")
    ids = [el.get("id") for el in got.iter("{urn:xmpp:sid:0}stanza-id")]
    assert "forged" not in ids, show(got)
    assert not [el for el in got.iter("{urn:xmpp:delay}delay") if el.get("from") in (OPEN, alice.bare)], show(got)


# -- 33: loops ----------------------------------------------------------------------------------------------------------

def test_33_unknown_to_unknown(server, mallory, link):
    """One error comes back for each; what answers an error is dropped, so it ends."""
    for n in range(100):
        link.send("<message from='g%d@%s' to='h%d@%s' id='%d'><body>x</body></message>"
                  "<presence type='subscribe' from='g%d@%s' to='h%d@%s'/><presence type='probe' from='g%d@%s' to='h%d@%s'/>" % (
                      n, mallory.domain, n, OPEN, n, n, mallory.domain, n, OPEN, n, mallory.domain, n, OPEN))
    for n in range(100):
        answer = mallory.expect("message", type="error", id=str(n))
        link.send("<message type='error' from='%s' to='%s' id='%d'/>" % (answer.get("to"), answer.get("from"), n))
    link.send("<iq type='get' id='last' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % (link.me, OPEN))
    mallory.expect("iq", id="last")
    assert not [el for el, _ in mallory.stanzas if local(el) == "message"]


def test_33_an_error_that_cannot_be_delivered(server, names, mallory, alice):
    """Errors of ours to a domain that is not there any more: no error comes back for them."""
    gone = mallory.domains[1]
    link = mallory.external(server, domain=gone, identity=mallory.ca.issue(gone))
    mallory.manners["accept"] = lambda sock: False
    with noticed(server, "dropped"):
        for n in range(20):
            link.message("x@" + gone, "nobody@" + OPEN, "x", id="e%d" % n)
    alice.sync()
    assert not mallory.stanzas


def test_33_a_message_that_comes_back_and_back(server, mallory, link, alice):
    """What mallory sends back as its own is a new stanza, and alice's business; an error to an error is nobody's."""
    alice.send("<message to='%s' id='loop' type='error'><error type='cancel'/></message>" % link.me)
    mallory.expect("message", id="loop")
    link.send("<message from='%s' to='%s' id='loop' type='error'/>" % (link.me, alice.jid + "-gone"))
    link.send("<message from='%s' to='%s' id='loop' type='error'/>" % (link.me, "nobody@" + OPEN))
    passed(link, alice)
    assert not [el for el, _ in mallory.stanzas if el.get("type") == "error"]


# -- 19: stream management between servers ------------------------------------------------------------------------------

def enabled(link, attributes="resume='true'"):
    link.send("<enable xmlns='%s' %s/>" % (NS_SM, attributes))
    return link.next("enabled", "failed")


@pytest.mark.parametrize("element", ["<a xmlns='%s' h='1'/>", "<a xmlns='%s' h='4294967295'/>", "<a xmlns='%s' h='2147483648'/>"])
def test_19_more_acknowledged_than_sent(server, mallory, link, element):
    """XEP-0198 6."""
    assert local(enabled(link)) == "enabled"
    with noticed(server, "sm_too_high", "stream_error"):
        link.send(element % NS_SM)
        err = link.expect_stream_error("undefined-condition")
    assert err.find("{%s}handled-count-too-high" % NS_SM) is not None


@pytest.mark.parametrize("h", ["", "-1", "+1", "0x1", "4294967296", "99999999999999999999999", "one", None])
def test_19_counts_that_are_none(server, mallory, link, h):
    assert local(enabled(link)) == "enabled"
    link.send("<a xmlns='%s'%s/>" % (NS_SM, "" if h is None else " h='%s'" % h))
    link.expect_stream_error(("bad-format", "undefined-condition", "policy-violation"))


def test_19_elements_at_the_wrong_time(server, mallory):
    """Before a domain is proven there is nothing to manage; twice is once too often."""
    for element in ("enable", "resume previd='x' h='0'", "r", "a h='0'", "enabled", "resumed previd='x' h='0'", "failed"):
        assert outcome(mallory.secured(server), ["<%s xmlns='%s'/>" % (element.replace(" ", " xmlns='%s' " % NS_SM, 1), NS_SM)
                                                 if " " not in element else "<%s xmlns='%s'/>" % (element, NS_SM)]) in (
            "unsupported-stanza-type", "not-authorized"), element
    link = mallory.external(server)
    assert local(enabled(link)) == "enabled"
    assert local(enabled(link)) == "failed"


@pytest.mark.parametrize("how", ["another domain", "nothing proven", "another of ours", "twice"])
def test_19_resuming_what_is_not_ones_own(server, mallory, neighbour, alice, how):
    """The id of a stream is worth something to those who have proven what it had proven, once."""
    victim = neighbour.far.external(server) if how in ("another domain", "nothing proven") else mallory.proven(
        server, mallory.ca.issue("nobody.example"))
    id = enabled(victim).get("id")
    if how in ("another domain", "twice"):
        victim.cut()
    if how == "nothing proven":
        link = mallory.secured(server)
        assert outcome(link, ["<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, id)]) in ("unsupported-stanza-type", "not-authorized")
        victim.message(neighbour.name, alice.jid, "still here")
        alice.expect("message", body="still here")
        return
    if how == "another of ours":
        link = mallory.secured(server, mallory.ca.issue("nobody.example"), to=LOOSE)
        assert mallory.keyed(link) == "valid"
    else:
        link = mallory.external(server)
    link.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, id))
    if how == "twice":
        assert local(link.next("resumed", "failed")) == "resumed"
        again = mallory.external(server)
        again.send("<resume xmlns='%s' previd='x%s' h='0'/>" % (NS_SM, id))
        assert local(again.next("resumed", "failed")) == "failed"
        link.message("x@" + mallory.domain, alice.jid, "resumed")
        alice.expect("message", body="resumed")
    else:
        assert local(link.next("resumed", "failed")) == "failed"
        link.message("evil@" + neighbour.far.domain, alice.jid)
        link.expect_stream_error(("invalid-from", "not-authorized"))


def test_19_acknowledgements_asked_for_without_end(server, mallory, link, neighbour):
    """Each is answered, or those that wait are answered by one."""
    assert local(enabled(link)) == "enabled"
    for _ in range(50):
        link.sock.sendall(("<r xmlns='%s'/>" % NS_SM).encode() * 200)
        link.pump(0)
    neighbour.ping()
    link.next("a")


def called(mallory, alice, *features):
    """A stream of ours to mallory that has been accepted, on which one message has come."""
    mallory.by_hand()
    alice.message("x@" + mallory.domain, "one")
    link = mallory.accept().answer_header()
    link.offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    link.secure(mallory.identity).answer_header().offer("dialback", *features)
    mallory.answer(link, link.next("result"), "valid")
    return link


LIES = {
    "too high": "<a xmlns='%s' h='5'/>", "far too high": "<a xmlns='%s' h='4294967295'/>", "no number": "<a xmlns='%s' h='x'/>",
    "enabled twice": "<enabled xmlns='%s' id='y' resume='true'/>", "resumed": "<resumed xmlns='%s' previd='x' h='0'/>",
    "failed": "<failed xmlns='%s'/>", "enable": "<enable xmlns='%s'/>", "resume": "<resume xmlns='%s' previd='x' h='0'/>",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_19_lies_about_what_has_come(server, mallory, alice, lie):
    """To a server of ours that called: nothing is counted as arrived that was not sent, and the stream ends."""
    link = called(mallory, alice, "sm")
    assert link.next("enable").get("resume") == "true"
    link.send("<enabled xmlns='%s' id='x' resume='true'/>" % NS_SM)
    link.expect("message", body="one")
    link.send(lie % NS_SM)
    mallory.hands = None
    assert verdict(link) in ("undefined-condition", "bad-format", "unsupported-stanza-type", "invalid-from", "not-authorized")
    mallory.expect("message", body="one")       # it comes again, on the next stream


def test_19_resumption_with_a_count_from_nowhere(server, mallory, alice):
    """A cut stream is resumed by a server that claims to have had more than it was sent: nothing is lost."""
    link = called(mallory, alice, "sm")
    link.next("enable")
    link.send("<enabled xmlns='%s' id='x' resume='true'/>" % NS_SM)
    link.expect("message", body="one")
    link.cut()
    link = mallory.accept().answer_header()
    link.offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    link.secure(mallory.identity).answer_header().offer("dialback", "sm")
    mallory.answer(link, link.next("result"), "valid")
    assert link.next("resume").get("previd") == "x"
    mallory.hands = None
    link.send("<resumed xmlns='%s' previd='x' h='77'/>" % NS_SM)
    try:
        link.expect("message", body="one", timeout=5)
    except (AssertionError, Closed):
        mallory.expect("message", body="one")


def test_30_key_on_a_stream_of_ours_in_both_directions(server, mallory, neighbour, alice):
    """XEP-0288 2.3: it proves one pair; keys for more have no place on it."""
    link = called(mallory, alice, "bidi")
    link.expect("message", body="one")
    link.send(dialback("result", mallory.domains[1], OPEN, mallory.key(OPEN, mallory.domains[1], link.id)))
    link.send("<message from='evil@%s' to='%s'><body>evil</body></message>" % (mallory.domains[1], alice.jid))
    assert verdict(link) in ("unsupported-stanza-type", "invalid-from", "not-authorized")
