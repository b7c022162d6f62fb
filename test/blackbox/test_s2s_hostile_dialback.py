"""Group 30 of the survey of other servers: dialback by servers that cheat (XEP-0220). A key proves one pair of domains
on one stream, when the authoritative server says so to who asked it, and nothing else does."""

import contextlib

import pytest

from client import NS_SASL, Closed, error_of, local, next_id
from far import Far, dialback, fresh, type_of
from farworld import DOMAINS, ECHO, LOOSE, OPEN, alice, mallory, neighbour, noticed, unhurt, world     # noqa: F401
from hostile import verdict
from pki import self_signed
from server import poll

SERVER = world
pytestmark = pytest.mark.usefixtures("unhurt")
REFUSED = ("invalid-from", "not-authorized", "host-unknown", "improper-addressing")


def unproven(mallory, server, **how):
    """A stream under TLS with a certificate that proves nothing."""
    return mallory.secured(server, self_signed(mallory.domain), **how)


def may_not_send(link, from_, to):
    """A stanza from there is the end of the stream."""
    link.message(from_, to)
    link.expect_stream_error(REFUSED)


# -- keys ---------------------------------------------------------------------------------------------------------------

KEYS = {"nothing like it": "x", "a digest": "0" * 64, "long": "k" * 1000, "not ASCII": "\u00e4\U0001F4A9", "XML": "&lt;a/&gt;"}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_30_forged_key(server, mallory, neighbour, alice, key):
    """In the name of a server that is honest: it says that the key is not its own."""
    victim = neighbour.far.domain
    link = unproven(mallory, server, domain=victim)
    with noticed(server, "auth_failed", "key_refused", remote=victim):
        assert link.result(key) == "invalid"


@pytest.mark.parametrize("key", ["", " ", "<a/>", "k" * 5000], ids=["empty", "blank", "an element", "huge"])
def test_30_key_that_is_none(server, mallory, neighbour, key):
    link = unproven(mallory, server, domain=neighbour.far.domain)
    link.send(dialback("result", link.domain, OPEN, key))
    assert verdict(link) in ("bad-format", "policy-violation", "not-well-formed", "closed")


def test_30_valid_key_of_another_stream(server, mallory, neighbour):
    """XEP-0220 2.2: the key is of the stream's id. The victim's real one, for a stream of its own, is worth nothing elsewhere."""
    victim = neighbour.far
    theirs = unproven(victim, server)
    key = victim.key(OPEN, victim.domain, theirs.header["id"])
    link = unproven(mallory, server, domain=victim.domain)
    assert link.result(key) == "invalid"
    assert theirs.result(key) == "valid"


def test_30_key_of_another_pair(server, mallory, neighbour):
    """And of both domains: one for loose.example does not open im.example."""
    victim = neighbour.far
    link = unproven(victim, server)
    assert link.result(victim.key(LOOSE, victim.domain, link.header["id"])) == "invalid"


def test_30_waiting_is_no_proof(server, mallory, alice):
    """Stanzas behind a key that nobody has answered for yet."""
    link = unproven(mallory, server)
    link.send(dialback("result", link.domain, OPEN, "k"))
    may_not_send(link, "evil@" + mallory.domain, alice.jid)


def test_30_no_key_at_all(server, mallory, alice):
    link = unproven(mallory, server)
    with noticed(server, "from_refused", "stream_error", remote=mallory.domain):
        may_not_send(link, "evil@" + mallory.domain, alice.jid)


# -- answers that nobody asked for --------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["result", "verify"])
@pytest.mark.parametrize("type", ["valid", "invalid", "error", "nonsense"])
@pytest.mark.parametrize("proven", [False, True], ids=["before", "after"])
def test_30_unsolicited_answer(server, mallory, neighbour, alice, kind, type, proven):
    """On a stream to us there is nothing to answer: RFC 6120 4.9.3."""
    link = mallory.proven(server) if proven else unproven(mallory, server)
    with noticed(server, event="stream_error"):
        link.send(dialback(kind, neighbour.far.domain, OPEN, id=link.header["id"], type=type))
        assert verdict(link) in ("not-authorized", "bad-format", "unsupported-stanza-type")


def test_30_answer_by_another_server(server, mallory, neighbour, alice):
    """The question went to the victim's server, which takes its time; mallory, who is asked about a key of its own, answers in
    its place."""
    victim, asked = neighbour.far, []
    ids = []

    def liar(link, el):
        for id in [el.get("id"), *ids]:
            for from_ in (victim.domain, mallory.domain):
                link.send(dialback("verify", from_, OPEN, type="valid", id=id))
        return "valid"
    victim.manners["verify"] = lambda link, el: asked.append((link, el))
    mallory.manners["verify"] = liar
    try:
        link = unproven(mallory, server, domain=victim.domain)
        ids.append(link.header["id"])
        link.send(dialback("result", victim.domain, OPEN, "forged"))
        own = unproven(mallory, server)
        assert own.result("whatever") == "valid"
        may_not_send(link, "evil@" + victim.domain, alice.jid)
        poll("the victim to be asked", lambda: asked)
    finally:
        victim.manners["verify"] = victim.honest
    for there, el in asked:
        victim.answer(there, el, victim.honest(there, el))


# What an authoritative server may say instead of an answer: nothing of it is a proof.
def wrong(**what):
    def say(link, el):
        said = {"from_": el.get("to"), "to": el.get("from"), "id": el.get("id"), "type": "valid", **what}
        said = {k: v(el) if callable(v) else v for k, v in said.items()}
        link.send(dialback(said.pop("name", "verify"), said.pop("from_"), said.pop("to"), **said))
        return "invalid"
    return say


ANSWERS = {
    "invalid": lambda link, el: "invalid", "item-not-found": lambda link, el: "item-not-found",
    "an error without a condition": wrong(type="error"), "another id": wrong(id="another"), "no id": wrong(id=None),
    "another domain": wrong(from_="other.example"), "our domain": wrong(from_=OPEN), "to another": wrong(to=LOOSE),
    "no from": wrong(from_=None), "no to": wrong(to=None), "empty": wrong(from_="", to=""), "unknown type": wrong(type="nonsense"),
    "VALID": wrong(type="VALID"), "no type": wrong(type=None), "a result": wrong(name="result"),
    "a JID": wrong(from_=lambda el: "a@" + el.get("to")), "a subdomain": wrong(from_=lambda el: "a." + el.get("to")),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_30_answer_that_is_none(server, mallory, alice, answer):
    mallory.manners["verify"] = answer
    link = unproven(mallory, server)
    assert mallory.keyed(link) != "valid"


def test_30_server_that_closes(server, mallory):
    """Instead of an answer the connection ends, each time."""
    mallory.manners["verify"] = lambda link, el: link.cut()
    link = unproven(mallory, server)
    assert mallory.keyed(link) in ("remote-server-timeout", "remote-connection-failed", "remote-server-not-found", "invalid")


def test_30_server_that_is_not_there(server, mallory):
    mallory.manners["accept"] = lambda sock: False
    link = unproven(mallory, server)
    assert mallory.keyed(link) in ("remote-server-timeout", "remote-connection-failed", "remote-server-not-found")


# -- one pair is not another --------------------------------------------------------------------------------------------

def test_30_two_domains_on_one_stream(server, mallory, alice):
    """XEP-0220 2.4 (multiplexing): each that has proven itself, for the domain of ours that it was proven to."""
    first, second = mallory.domains
    link = mallory.secured(server, self_signed(first))
    assert mallory.keyed(link) == "valid"
    assert mallory.keyed(link, second) == "valid"
    for domain in mallory.domains:
        link.message("good@" + domain, alice.jid, "good", id=next_id())
        alice.expect("message", body="good", from_="good@" + domain)
    may_not_send(link, "evil@third." + first, alice.jid)


AS_ANOTHER = {
    "the other": lambda m, n: m.domains[1], "the victim": lambda m, n: n.far.domain, "a subdomain": lambda m, n: "sub." + m.domain,
    "the parent": lambda m, n: "example", "one of ours": lambda m, n: OPEN, "another of ours": lambda m, n: LOOSE,
    "a component of ours": lambda m, n: ECHO, "with something before": lambda m, n: "x" + m.domain,
    "with something behind": lambda m, n: m.domain + ".evil.example", "a homoglyph": lambda m, n: m.domain.replace("a", "\u0430"),
    "an address": lambda m, n: m.host,
}


@pytest.mark.parametrize("who", AS_ANOTHER.values(), ids=AS_ANOTHER.keys())
@pytest.mark.parametrize("how", ["dialback", "certificate"])
def test_30_sending_as_another(server, mallory, neighbour, alice, who, how):
    """RFC 6120 4.9.3.9: one domain is proven, the stanza is from another."""
    link = mallory.proven(server, self_signed(mallory.domain)) if how == "dialback" else mallory.external(
        server, identity=mallory.ca.issue(mallory.domain))
    with noticed(server, "from_refused", "from_refused"):
        link.message("evil@" + who(mallory, neighbour), alice.jid)
        link.expect_stream_error("invalid-from")


@pytest.mark.parametrize("form", [str.upper, lambda d: d + "."], ids=["capitals", "last dot"])
def test_30_the_same_domain_in_another_form(server, mallory, alice, form):
    """RFC 7622 3.2: it is prepared before it is compared: what comes in is from the domain that was proven."""
    link = mallory.proven(server, self_signed(mallory.domain))
    link.message("same@" + form(mallory.domain), alice.jid, "good")
    assert alice.expect("message", body="good").get("from") == "same@" + mallory.domain


def test_30_proven_to_one_of_ours_only(server, mallory, alice):
    """XEP-0220 2.1.1: the pair is proven, not the domain."""
    link = mallory.secured(server, self_signed(mallory.domain), to=LOOSE)
    assert mallory.keyed(link) == "valid"
    may_not_send(link, "evil@" + mallory.domain, alice.jid)


def test_30_result_for_another_domain_after_a_proof(server, mallory, neighbour, alice):
    """What was proven stays so, what was not does not become so."""
    link = mallory.proven(server, self_signed(mallory.domain))
    assert link.result(mallory.key(OPEN, neighbour.far.domain, link.header["id"]), neighbour.far.domain) == "invalid"
    link.message("good@" + mallory.domain, alice.jid, "good")
    alice.expect("message", body="good")
    may_not_send(link, "evil@" + neighbour.far.domain, alice.jid)


# -- from our own, to nobody --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("from_", [*DOMAINS, ECHO, "IM.EXAMPLE", "im.example."])
def test_30_from_our_own_domain(server, mallory, alice, component, from_):
    """In the header, and in a key. Nobody else is one of ours."""
    component(ECHO)
    link = mallory.dial(server, domain=from_)
    link.open()
    link.expect_stream_error(("invalid-from", "not-authorized", "policy-violation"))
    link = mallory.proven(server, self_signed(mallory.domain))
    link.send(dialback("result", from_, OPEN, "k"))
    assert type_of(link.expect("result")) in ("forbidden", "not-authorized", "not-allowed")
    may_not_send(link, "evil@" + from_, alice.jid)


@pytest.mark.parametrize("to", ["nobody.example", "sub.im.example", "example", "127.0.0.1", "[::1]"])
def test_30_to_a_domain_that_is_not_ours(server, mallory, to):
    """RFC 6120 4.9.3.6 in the header and in a stanza; XEP-0220 2.4.2 in a key."""
    link = mallory.dial(server, to=to)
    with noticed(server, "to_refused", "stream_error", cond="host-unknown"):
        link.open()
        link.expect_stream_error("host-unknown")
    link = mallory.proven(server, self_signed(mallory.domain))
    assert link.result("k", to=to) == "item-not-found"
    link.message("evil@" + mallory.domain, "x@" + to)
    link.expect_stream_error("host-unknown")


@pytest.mark.parametrize("from_, to", [
    (None, OPEN), ("", OPEN), ("a@mallory.example", OPEN), ("mallory.example/r", OPEN), ("a b", OPEN), ("\u0378", OPEN), (".", OPEN),
    ("x" * 1024, OPEN), ("mallory.example", None), ("mallory.example", ""), ("mallory.example", "x@" + OPEN), ("xn--a", OPEN)])
def test_30_addresses_that_are_none(server, mallory, from_, to):
    """RFC 6120 4.9.3.7."""
    link = unproven(mallory, server)
    link.send(dialback("result", from_, to, "key"))
    got = link.expect(where=lambda el: local(el) in ("error", "result"))
    assert local(got) == "error" or got.get("type") in ("invalid", "error")


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "255.255.255.255", "224.0.0.1",
                                     "host", "neighbour"])
def test_30_address_that_it_does_not_own(server, mallory, neighbour, alice, address):
    """The domain is an address: whoever is there is asked, and that is not mallory."""
    address = {"host": server.host, "neighbour": neighbour.far.host}.get(address, address)
    link = unproven(mallory, server, domain=address)
    assert link.result("key", address) not in ("valid", None)


# -- one thing after another --------------------------------------------------------------------------------------------

def test_30_header_of_another_domain_after_authentication(server, mallory, neighbour, alice):
    """RFC 6120 6.3.4 (CVE-2018-10847): who was proven stays who he is."""
    link = mallory.secured(server)
    assert local(link.auth()) == "success"
    link.open(from_=neighbour.far.domain)
    link.expect_stream_error(("invalid-from", "not-authorized"))


def test_30_header_to_another_domain_after_authentication(server, mallory):
    """CVE-2018-10847, the other way round."""
    link = mallory.secured(server)
    assert local(link.auth()) == "success"
    link.open(to=LOOSE)
    link.expect_stream_error(("not-authorized", "host-unknown", "invalid-from"))


@pytest.mark.parametrize("authzid", ["victim", "ours", "a@victim", "", "mallory/r", "two"])
def test_30_other_identity_than_the_stream(server, mallory, neighbour, authzid):
    """XEP-0178 3: the authorisation identity is the domain of the stream."""
    said = {"victim": neighbour.far.domain, "ours": OPEN, "a@victim": "a@" + neighbour.far.domain, "": "\0",
            "mallory/r": mallory.domain + "/r", "two": mallory.domain + "\0" + neighbour.far.domain}[authzid]
    link = mallory.secured(server)
    with noticed(server, "auth_failed", "auth_failed"):
        answer = link.auth(said)
    assert local(answer) == "failure"


def test_30_verdict_between_success_and_the_new_header(server, mallory, neighbour, names, ca, alice):
    """A key's verdict comes when a certificate has just been accepted: the new stream is of the domain that was proven, still."""
    victim, held = neighbour.far.domain, []
    mallory.manners["verify"] = lambda link, el: held.append((link, el))
    link = mallory.secured(server, ca.issue(mallory.domain))
    link.send(dialback("result", mallory.domains[1], OPEN, "k"))
    poll("the question", lambda: held)
    assert local(link.auth()) == "success"
    mallory.answer(*held[0], "valid")
    mallory.manners["verify"] = lambda link, el: "valid"
    other = unproven(mallory, server)       # on the same stream as the verdict, and behind it
    assert other.result("k", mallory.domains[1]) == "valid"
    link.recv(0)            # what of it was written here belongs to no stream
    try:
        link.begin(from_=victim)
        if link.offers(NS_SASL, "mechanism"):
            link.auth()
            link.begin(from_=victim)
    except (Closed, AssertionError, OSError):
        return
    may_not_send(link, "evil@" + victim, alice.jid)


def test_30_key_before_tls(server, mallory, alice):
    """RFC 6120 5.4.3.3: what was said in plain text was never said. The verdict comes when the stream is encrypted, and is
    nobody's."""
    held = []
    mallory.manners["verify"] = lambda link, el: held.append((link, el))
    link = mallory.dial(server, to=LOOSE).begin()
    link.send(dialback("result", mallory.domain, LOOSE, "k"))
    poll("the question", lambda: held)
    link.starttls(self_signed(mallory.domain)).begin()
    mallory.answer(*held[0], "valid")
    mallory.manners["verify"] = lambda link, el: "invalid"
    assert link.result("k", mallory.domains[1]) == "invalid"
    assert not [el for el in link.inbox if local(el) == "result"]
    link.expect_end()       # who cannot prove its only domain has nothing to do here


def test_30_under_require_tls_no_key_counts_in_plain_text(server, mallory, alice):
    link = mallory.dial(server).begin()
    assert not link.offers("urn:xmpp:features:dialback", "dialback")
    with noticed(server, "auth_failed", "dialback_refused"):
        assert mallory.keyed(link) == "policy-violation"
    may_not_send(link, "evil@" + mallory.domain, alice.jid)


# -- we as the authoritative server, and as the one who calls -----------------------------------------------------------

def called(mallory, alice, body="to you"):
    """A stream of ours to mallory, who serves it by hand: up to its features."""
    mallory.by_hand()
    alice.message("x@" + mallory.domain, body)
    return taken(mallory)


def taken(far):
    link = far.accept().answer_header()
    link.offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    return link.secure(far.identity).answer_header()


def test_30_our_keys(server, mallory, alice):
    """XEP-0185: asked about a key, we say valid to the one that we made, for its two domains and its stream."""
    link = called(mallory, alice)
    link.offer("dialback")
    ours = link.next("result")
    asking = unproven(mallory, server)
    assert asking.verify(link.id, ours.text) == "valid"
    with noticed(server, "verify_invalid", "key_not_ours"):
        assert asking.verify("x" + link.id, ours.text) == "invalid"
    assert asking.verify(link.id, ours.text[:-1]) == "invalid"
    assert asking.verify(link.id, ours.text, from_=mallory.domains[1]) == "invalid"
    assert asking.verify(link.id, ours.text, to=LOOSE) == "invalid"
    assert asking.verify(link.id, ours.text, to="nobody.example") == "item-not-found"
    mallory.answer(link, ours, "valid")
    link.expect("message", body="to you")


SAYS = {
    "result of another": lambda m: dialback("result", m.domains[1], OPEN, type="valid"),
    "result to another": lambda m: dialback("result", m.domain, LOOSE, type="valid"),
    "result without addresses": lambda m: dialback("result", None, None, type="valid"),
    "a key of its own": lambda m: dialback("result", m.domain, OPEN, "key"),
    "a question": lambda m: dialback("verify", m.domain, OPEN, "key", id="x"),
    "success": lambda m: "<success xmlns='%s'/>" % NS_SASL,
    "proceed": lambda m: "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "features again": lambda m: "<stream:features/>",
    "a stanza": lambda m: "<message from='evil@%s' to='alice@%s'><body>evil</body></message>" % (m.domain, OPEN),
    "auth": lambda m: "<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL,
    "a stream error": lambda m: "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "resumed": lambda m: "<resumed xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
    "enabled": lambda m: "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>",
    "invalid": lambda m: dialback("result", m.domain, OPEN, type="invalid"),
}


@pytest.mark.parametrize("when", ["instead of features", "after our key"])
def test_30_what_nobody_answers_to_us(server, names, ca, alice, when):
    """Servers that we call say what makes no sense there: no stanza goes to them, none comes from them, the sender is told."""
    with contextlib.ExitStack() as stack:
        fars = [(what, stack.enter_context(Far(names, ca, *fresh("says", "other"))).by_hand()) for what in SAYS]
        for what, far in fars:
            alice.message("x@" + far.domain, "secret")
        for what, far in fars:
            if (what, when) == ("features again", "instead of features"):
                continue
            link = taken(far)
            far.manners["accept"], far.hands = lambda sock: False, None
            if when == "after our key":
                link.offer("dialback")
                link.next("result")
            link.send(SAYS[what](far) + "</stream:stream>")
            link.expect_eof()
            assert not [el for el in link.inbox if local(el) == "message"], what
        for what, far in fars:
            error = alice.expect("message", type="error", from_="x@" + far.domain)
            assert error_of(error)[1] in ("remote-server-timeout", "remote-server-not-found"), what


@pytest.mark.parametrize("header", ["another's", "ours"])
def test_30_header_of_another_server(server, mallory, neighbour, alice, header):
    """Who answers says to be somebody else."""
    mallory.by_hand()
    alice.message("x@" + mallory.domain, "secret")
    link = mallory.accept().answer_header(from_={"another's": neighbour.far.domain, "ours": OPEN}[header])
    mallory.manners["accept"] = lambda sock: False
    mallory.hands = None
    link.expect_stream_error(("invalid-from", "bad-format", "undefined-condition"))
    alice.expect("message", type="error", from_="x@" + mallory.domain)


def test_30_stanzas_on_a_stream_of_ours(server, mallory, neighbour, alice):
    """XEP-0288: it was not agreed on, so nothing comes back on a stream that we have opened."""
    link = called(mallory, alice)
    link.offer("dialback")
    mallory.answer(link, link.next("result"), "valid")
    link.expect("message", body="to you")
    link.message("evil@" + mallory.domain, alice.jid)
    link.expect_stream_error(REFUSED)


@pytest.mark.parametrize("who", ["the victim", "another of ours", "the other"])
def test_30_another_on_a_stream_in_both_directions(server, mallory, neighbour, alice, who):
    """It was agreed on, for the pair that the stream is of."""
    link = called(mallory, alice)
    link.offer("dialback", "bidi")
    mallory.answer(link, link.next("result"), "valid")
    link.expect("message", body="to you")
    link.message("good@" + mallory.domain, alice.jid, "good")
    alice.expect("message", body="good")
    may_not_send(link, "evil@" + {"the victim": neighbour.far.domain, "another of ours": LOOSE, "the other": mallory.domains[1]}[who],
                 alice.jid)


def test_30_what_goes_to_the_victim_does_not_come_here(server, mallory, neighbour, alice):
    """XEP-0288: a stream to us becomes the way to the domain that it has proven, and to no other."""
    link = mallory.secured(server, self_signed(mallory.domain))
    link.send("<bidi xmlns='urn:xmpp:bidi'/>")
    assert mallory.keyed(link) == "valid"
    alice.message("x@" + neighbour.far.domain, "secret")
    neighbour.far.expect("message", body="secret")
    alice.message("x@" + mallory.domain, "yours")
    link.expect("message", body="yours")
    assert not [el for el in link.inbox if local(el) == "message"]
