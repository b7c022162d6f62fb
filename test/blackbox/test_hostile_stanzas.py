"""Well-formed and wrong: stanzas, addresses, rosters, presence, commands that no honest client sends (groups 19 to 28, 33,
40 and 42 of the survey). Each gets its stanza error (RFC 6120 8.3.3) or none where none is due, and nobody else notices."""

import statistics
import time

import pytest

import sasl
from client import NS_COMMANDS, NS_SASL, Closed, error_of, local, show
from forms import ADMIN, Command, submit
from hostile import bystanders, outcome, unaffected     # noqa: F401
from roster import fetch, item, items_of, put, query

ECHO = "echo.im.example"
SERVER = {"components": {ECHO: "secret of echo"}, "domains": ["im.example", "other.example"]}
pytestmark = pytest.mark.usefixtures("unaffected")


@pytest.fixture
def mallory(person):
    return person("mallory").login("here").online()


@pytest.fixture
def alice(person):
    return person("alice").login("there").online()


# -- 16, 17: logins ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "EXTERNAL", "DIGEST-MD5", "SCRAM-SHA-256-PLUS ", "scram-sha-256", "", "X" * 1000,
                                       "PLAIN\n", "GSSAPI"])
def test_16_mechanism_not_offered(person, mechanism):
    """RFC 6120 6.5.7."""
    client = person("romeo").connect()
    client.begin()
    client.starttls().begin()
    client.send("<auth xmlns='%s' mechanism='%s'>=</auth>" % (NS_SASL, mechanism.replace("\n", "&#10;")))
    failure = client.expect("failure")
    assert local(failure[0]) in ("invalid-mechanism", "malformed-request", "not-authorized")


def test_17_unknown_user_looks_like_a_known_one(server, person):
    """The same challenge each time, the same cost, the same failure."""
    romeo = person("romeo")

    def attempt(user):
        client = romeo.connect()
        client.begin()
        client.starttls().begin()
        exchange = sasl.mechanism("SCRAM-SHA-256", user, "wrong")
        start = time.perf_counter()
        client.sock.sendall(("<auth xmlns='%s' mechanism='SCRAM-SHA-256'>%s</auth>" % (
            NS_SASL, sasl.encode(exchange.initial()))).encode())
        challenge = sasl.decode(client.expect("challenge").text)
        spent = time.perf_counter() - start
        given = dict(part.split("=", 1) for part in challenge.decode().split(","))
        client.send("<response xmlns='%s'>%s</response>" % (NS_SASL, sasl.encode(exchange.step(challenge))))
        failure = client.expect("failure")
        client.cut()
        return (given["s"], given["i"], len(given["r"]) - len(exchange.nonce), show(failure)), spent
    known, unknown = [attempt(romeo.user) for _ in range(8)], [attempt("nobody") for _ in range(8)]
    assert len({salt for (salt, *_), _ in unknown}) == 1 and len({salt for (salt, *_), _ in known}) == 1
    assert known[0][0][1:] == unknown[0][0][1:] and len(known[0][0][0]) == len(unknown[0][0][0])
    low, high = min(s for _, s in known), max(s for _, s in known)
    assert low / 4 < statistics.median(s for _, s in unknown) < high * 4, "the distributions overlap"


# -- 19: what is not there yet ------------------------------------------------------------------------------------

@pytest.mark.parametrize("element", ["<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>",
                                     "<r xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
                                     "<compress xmlns='http://jabber.org/protocol/compress'/>", "<x xmlns='urn:x'/>"])
def test_19_elements_of_what_was_not_offered(mallory, element):
    """RFC 6120 4.9.3.24; a server that does know stream management answers in its terms."""
    mallory.send(element)
    try:
        got = mallory.expect(timeout=5, where=lambda el: True)
    except (Closed, AssertionError):
        pytest.fail("no answer")
    assert local(got) in ("error", "failed", "failure")


# -- 20: addresses -------------------------------------------------------------------------------------------------

BAD_JIDS = ["@im.example", "@", "/x", "a@", "a@/x", "a@im.example/", "a b@im.example", "a@im..example", "a@-.example",
            "a@im.example@x", "a@xn--a.example", "a@xn--zzzzzzzz99999.example", "&lt;@im.example", "a&amp;b@im.example", "a:b@im.example",
            "a/b@im.example/c@d/e@", "x" * 1024 + "@im.example", "a@" + "d" * 1024, "a@im.example/" + "r" * 1024,
            "\u0627a@im.example", "\u202ea@im.example", "\u0378@im.example", "a\u200b@im.example", "\ufdd0@im.example",
            "a@im\u3002example\u3002", "\u212b@\u00df.\u0378", "a@[::1", "a@256.1.1.1.", "'a'@im.example".replace("'", "&apos;"), " ",
            "a@im.example/&#1;".replace("&#1;", "\u0085"), "a@im.example/\u2028", "\U000e0001@im.example"]


@pytest.mark.parametrize("to", BAD_JIDS, ids=range(len(BAD_JIDS)))
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_20_addresses_that_are_none(mallory, kind, to):
    """RFC 6120 8.3.3.8 and RFC 7622: <jid-malformed/>, or an answer for an address that is one after all; never silence to
    an iq, never a closed stream."""
    extra = {"message": "", "presence": " type='subscribe'", "iq": " type='get'"}[kind]
    mallory.send("<%s id='b' to='%s'%s><ping xmlns='urn:xmpp:ping'/></%s>" % (kind, to, extra, kind))
    if kind == "iq":
        reply = mallory.expect("iq", id="b")
        assert error_of(reply)[1] in ("jid-malformed", "service-unavailable", "remote-server-not-found", "remote-server-timeout",
                                      "item-not-found")
    mallory.settle()


@pytest.mark.parametrize("sender", ["bare", "other resource", "alice", "alice's full", "domain", "empty", "malformed"])
@pytest.mark.parametrize("stanza", ["<message {} to='{to}'><body>f</body></message>", "<presence {} to='{to}'/>",
                                    "<iq {} type='get' id='f' to='{to}'><x xmlns='urn:x'/></iq>", "<presence {}/>"])
def test_20_from_of_others(mallory, alice, sender, stanza):
    """RFC 6120 8.1.2.1: the own bare or full address is right, all else is an error, and nothing arrives in another's name."""
    frm = {"bare": mallory.bare, "other resource": mallory.bare + "/other", "alice": alice.bare, "alice's full": alice.jid,
           "domain": "im.example", "empty": "", "malformed": "@@"}[sender]
    mallory.send(stanza.format("from='%s'" % frm, to=alice.jid))
    try:
        mallory.settle()
    except (Closed, OSError, AssertionError):
        assert sender != "bare"
    for el in alice.sync():
        assert el.get("from") in (mallory.jid, mallory.bare, alice.jid, None, "im.example"), show(el)
        assert not el.get("from") == alice.jid or local(el) != "message"


# -- 21: forms of stanzas ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stanza, error", [
    ("<iq type='get' id='q'/>", "bad-request"), ("<iq type='get' id='q'><a xmlns='u'/><b xmlns='u'/></iq>", "bad-request"),
    ("<iq type='nonsense' id='q'><a xmlns='u'/></iq>", "bad-request"), ("<iq id='q'><a xmlns='u'/></iq>", "bad-request"),
    ("<iq type='set' id='q'>text</iq>", "bad-request"), ("<iq type='get' id='q'><a xmlns='u'/></iq>", "service-unavailable"),
    ("<iq type='get' id='q' to='im.example'><query xmlns='jabber:iq:roster'/></iq>", "service-unavailable"),
])
def test_21_iqs_bent(mallory, stanza, error):
    """RFC 6120 8.2.3, 8.4."""
    mallory.send(stanza)
    assert error_of(mallory.expect("iq", id="q"))[1] == error


@pytest.mark.parametrize("stanza", ["<iq type='result' id='never'/>", "<iq type='error' id='never'/>", "<message type='error'/>",
                                    "<iq type='result' id='never'><a xmlns='u'/><b xmlns='u'/></iq>", "<presence type='error'/>",
                                    "<iq type='error' id='n'><error/></iq>"])
@pytest.mark.parametrize("to", ["", " to='im.example'", " to='nobody@im.example'", " to='nobody@im.example/x'"])
def test_21_answers_never_asked_for(mallory, stanza, to):
    """RFC 6120 8.3.1: nothing answers them."""
    mallory.send(stanza.replace(" type=", to + " type=", 1))
    assert not [el for el in mallory.sync() if el.get("type") == "error"]


@pytest.mark.parametrize("stanza", ["<message to='{to}' type='mystery'><body>m</body></message>", "<message to='{to}' xml:lang='a' "
                                    "><body xml:lang='b'>m</body><body xml:lang='b'>n</body></message>",
                                    "<message to='{to}' type=''><body>m</body></message>"])
def test_21_messages_of_no_known_type(mallory, alice, stanza):
    """RFC 6121 5.2.2: as if it were normal."""
    mallory.send(stanza.format(to=alice.jid))
    assert alice.expect("message").get("from") == mallory.jid


# -- 22: rosters ---------------------------------------------------------------------------------------------------

def test_22_push_from_a_contact(mallory, alice):
    """RFC 6121 2.1.6: what looks like a push but comes from somebody else does not get through."""
    alice.interested()
    reply = mallory.ask("set", query(item("evil@im.example", subscription="both")), to=alice.jid)
    assert reply.get("type") == "error"
    alice.expect_nothing("iq", type="set")
    assert items_of(fetch(alice)) == {}


@pytest.mark.parametrize("attrs", [dict(subscription="both"), dict(subscription="to"), dict(ask="subscribe"), dict(approved="true"),
                                   dict(subscription="from", ask="subscribe"), dict(subscription="nonsense")])
def test_22_state_that_a_client_claims(mallory, alice, attrs):
    """RFC 6121 2.1.2.2, 2.1.2.5: it means nothing."""
    put(mallory, item(alice.bare, **attrs))
    for it in items_of(fetch(mallory)).values():
        assert (it.subscription, it.ask, it.approved) == ("none", None, False)
    alice.send("<presence><status>secret</status></presence>")
    alice.settle()
    mallory.expect_nothing("presence", from_=alice.jid)


def test_22_thousands_of_groups_in_an_item(mallory, bystanders):
    """RFC 6121 2.3.3: refused at once, not after comparing each with each."""
    names = ["%x" % n for n in range(9900)]
    for n in range(20):
        mallory.sock.sendall(("<iq type='set' id='g%d'>%s</iq>" % (n, query(item("x@im.example", groups=names)))).encode())
    bystanders.chat()
    for n in range(20):
        assert error_of(mallory.expect("iq", id="g%d" % n))[1] in ("not-acceptable", "resource-constraint", "policy-violation")


# -- 23: presence --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("priority", ["128", "-129", "x", "", "1.5", "99999999999999999999", "0x10", "1 2", "\u0661"])
def test_23_priority(mallory, priority):
    """RFC 6121 4.7.2.3."""
    mallory.send("<presence id='p'><priority>%s</priority></presence>" % priority)
    assert error_of(mallory.expect("presence", type="error"))[1] == "bad-request"


def test_23_requests_of_strangers_leave_room_for_contacts(component, person):
    """A roster that is full of requests nobody answered takes the user's own contacts all the same."""
    far, victim = component(ECHO), person("victim").login("here").online()
    for start in range(0, 3000, 100):
        far.send("".join("<presence type='subscribe' from='s%d@%s' to='%s'/>" % (n, ECHO, victim.bare)
                         for n in range(start, start + 100)))
        far.mark(victim)
        victim.inbox.clear()
    assert put(victim, item("friend@im.example")).get("type") == "result"


@pytest.mark.parametrize("type", ["subscribe", "unsubscribe", "probe", "nonsense", "subscribed", "invisible"])
def test_23_types_without_an_address(mallory, type):
    """RFC 6121 4.7.1."""
    mallory.send("<presence type='%s'/>" % type)
    mallory.settle()


# -- 24, 25: marks that only the server may set --------------------------------------------------------------------

@pytest.mark.parametrize("payload", [
    "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>",
    "<result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'/></result>",
    "<forwarded xmlns='urn:xmpp:forward:0'>" * 20 + "</forwarded>" * 20,
    "<stanza-id xmlns='urn:xmpp:sid:0' by='im.example' id='x'/>" * 2, "<delay xmlns='urn:xmpp:delay' from='im.example' stamp='9999-12-31T23:59:59Z'/>",
    "<delay xmlns='urn:xmpp:delay' from='im.example' stamp='-0001-01-01T00:00:00Z'/>"], ids=["sent", "result", "forwards", "stanza-id", "9999", "-1"])
def test_24_25_marks_from_a_client(mallory, alice, payload):
    """They pass as what their sender wrote, under its address, or not at all; kept or not."""
    mallory.send("<message to='%s' type='chat' id='m'><body>x</body>%s</message>" % (alice.jid, payload))
    assert alice.expect("message", id="m").get("from") == mallory.jid
    alice.end()
    mallory.send("<message to='%s' type='chat' id='k'><body>x</body>%s</message>" % (alice.bare, payload))
    mallory.settle()


# -- 28: capabilities ----------------------------------------------------------------------------------------------

def test_28_hashes_without_end(mallory, bystanders):
    """XEP-0115: nothing of it is kept but the presence itself, and of that the last."""
    for start in range(0, 20000, 500):
        mallory.sock.sendall("".join(
            "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='v%d' ext='a b c'/></presence>" % n
            for n in range(start, start + 500)).encode())
        mallory.settle()
        mallory.inbox.clear()
    bystanders.chat()


# -- 33: loops -----------------------------------------------------------------------------------------------------

def test_33_unknown_to_unknown(component):
    """Whatever a component sends in the name of nobody to nobody ends."""
    far = component(ECHO)
    for n in range(200):
        far.send("<message from='g%d@%s' to='h%d@im.example' id='%d'><body>x</body></message>"
                 "<presence type='subscribe' from='g%d@%s' to='h%d@im.example'/>"
                 "<presence type='probe' from='g%d@%s' to='h%d@im.example'/>" % (n, ECHO, n, n, n, ECHO, n, n, ECHO, n))
    for n in range(200):
        answer = far.expect("message", type="error", id=str(n))
        far.send("<message type='error' from='%s' to='%s' id='%d'/>" % (answer.get("to"), answer.get("from"), n))
    far.settle()
    assert len([el for el in far.sync() if local(el) == "message"]) == 0


# -- 40: commands --------------------------------------------------------------------------------------------------

def test_40_commands_of_others(mallory, admin, bystanders):
    """XEP-0050: a session is its starter's; administration is the administrators'."""
    boss = admin.login("desk")
    command = Command(boss, ADMIN + "delete-user")
    assert command.status == "executing"
    for action in ("complete", "next", "prev", "cancel", "execute", "nonsense", ""):
        reply = mallory.ask("set", "<command xmlns='%s' node='%s' sessionid='%s' action='%s'>%s</command>" % (
            NS_COMMANDS, command.node, command.session, action, submit(ADMIN, accountjids=["ann@im.example"])), to="im.example")
        assert error_of(reply)[1] in ("forbidden", "bad-request", "item-not-found", "not-allowed")
    command.send("", "cancel")
    assert command.status == "canceled"
    command.send(submit(ADMIN, accountjids=[bystanders.pair[0].bare]), "complete")
    assert command.status == "error"
    bystanders.chat()


def test_40_a_form_with_thousands_of_fields(admin):
    """The size of a stanza bounds it; the command answers."""
    boss = admin.login("desk")
    command = Command(boss, ADMIN + "add-user")
    many = "".join("<field var='accountjid'><value>v%d@im.example</value></field>" % n for n in range(3000))
    command.send("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>%s</value></field>%s</x>" % (ADMIN, many),
                 "complete")
    assert command.status in ("error", "completed", "executing")


@pytest.mark.parametrize("node", ["", "x", ADMIN, ADMIN + "add-user'/><x a='", "#", "a" * 5000, "../../etc/passwd"])
def test_40_commands_that_are_none(mallory, node):
    reply = mallory.ask("set", "<command xmlns='%s' node='%s'/>" % (NS_COMMANDS, node.replace("'", "&apos;").replace("<", "&lt;")),
                        to="im.example")
    assert error_of(reply)[1] in ("item-not-found", "forbidden", "bad-request", "not-allowed")


# -- 42: logs ------------------------------------------------------------------------------------------------------

def test_42_what_people_write_makes_no_lines_in_logs(server, person, connect):
    """Names, resources and addresses with line ends and escapes: one event, one line, its text quoted."""
    mallory = person("mallory")
    for resource in ("a&#x2028;b", "x level=error ev=forged", "\u009b31m", "r" * 1000):
        client = mallory.connect()
        client.begin()
        client.starttls().begin()
        client.authenticate(mallory.user, mallory.password)
        client.begin()
        client.bind(resource)
        client.cut()
    for user in ("x\nlevel=error daemon=c2s ev=forged", "\x1b[31mred", "u" * 3000, "\r\n\r\n"):
        client = connect()
        client.begin()
        client.starttls().begin()
        client.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, sasl.encode(b"\0" + user.encode() + b"\0pw")))
        client.expect("failure")
    it = connect(port="component")
    it.default_ns = "jabber:component:accept"
    it.open("echo.im.example\u2028level=error", version=None)
    outcome(it, [])
    for path in server.log_files():
        for line in path.read_text(errors="surrogateescape").split("\n"):
            assert len(line) < 8192 and not line.startswith(("level=", "red", "\x1b"))
            assert "\x1b" not in line and "\u009b" not in line and "\r" not in line, line
