"""Message carbons (XEP-0280): who gets a copy of what, and who makes none."""

import pytest

from client import NS_DISCO_INFO, error_of, local, q
from managed import authenticated, managed

NS_CARBONS = "urn:xmpp:carbons:2"
NS_FORWARD = "urn:xmpp:forward:0"
SERVER = {"components": {"gate.example": "a secret of the gate"}}

ENABLE, DISABLE = "<enable xmlns='%s'/>" % NS_CARBONS, "<disable xmlns='%s'/>" % NS_CARBONS
BODY = "<body>b</body>"
STATE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
RECEIPT = "<received xmlns='urn:xmpp:receipts' id='x'/>"
MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>"
DIRECT_INVITE = "<x xmlns='jabber:x:conference' jid='room@gate.example'/>"
MEDIATED_INVITE = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@gate.example'/></x>"
OCCUPANT = "<x xmlns='http://jabber.org/protocol/muc#user'/>"
PRIVATE = "<private xmlns='%s'/>" % NS_CARBONS
NO_COPY = "<no-copy xmlns='urn:xmpp:hints'/>"
GONE = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


def carbons(client):
    """The client takes part."""
    assert client.ask("set", ENABLE).get("type") == "result"
    return client


def copies(stanzas):
    """[(sent or received, the forwarded message)] of the carbons among them; each wrapper as it must be."""
    found = []
    for el in stanzas:
        for way in el:
            if way.tag in (q(NS_CARBONS, "sent"), q(NS_CARBONS, "received")):
                (forwarded,) = way
                (message,) = forwarded
                assert forwarded.tag == q(NS_FORWARD, "forwarded") and message.tag == "{jabber:client}message"
                assert el.get("type") == message.get("type")
                found.append((local(way), message, el))
    return found


@pytest.fixture
def scene(people):
    """Romeo's two clients, Juliet's three: one that has the highest priority, two with carbons, one without."""
    romeo, juliet = people("romeo", "juliet")

    class Scene:
        sender = romeo.login("balcony").online()
        his = carbons(romeo.login("orchard")).online(-1)
        hers = juliet.login("chamber").online(5)
        copied = carbons(juliet.login("garden")).online(1)
        mute = carbons(juliet.login("cellar"))
        plain = juliet.login("attic").online(1)
        jid = juliet.jid

        def drain(self):
            self.sender.settle()
            return {name: getattr(self, name).sync() for name in ("sender", "his", "hers", "copied", "mute", "plain")}
    it = Scene()
    it.drain()
    return it


def test_feature_is_advertised(person):
    """XEP-0280 3, 6.2: the server, and the account too."""
    client = person("romeo").login("balcony")
    for to in ("im.example", client.bare):
        info = client.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=to)
        features = [el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))]
        assert {NS_CARBONS, "urn:xmpp:carbons:rules:0"} <= set(features)


def test_on_and_off_as_often_as_one_likes(scene):
    """XEP-0280 4, 5, 10.1: each is answered; the last one counts."""
    for request in (ENABLE, ENABLE, DISABLE, DISABLE, ENABLE):
        for to in (None, scene.copied.bare):
            reply = scene.copied.ask("set", request, to=to)
            assert reply.get("type") == "result" and reply.get("from") in (None, scene.copied.bare)
    scene.sender.message(scene.jid, "one")
    assert len(copies(scene.drain()["copied"])) == 1
    scene.copied.ask("set", DISABLE)
    scene.sender.message(scene.jid, "two")
    assert not copies(scene.drain()["copied"])


def test_nobody_enables_for_others(scene):
    """XEP-0280 4: <not-allowed/>."""
    for to in (scene.jid, "im.example"):
        for request in (ENABLE, DISABLE):
            assert error_of(scene.sender.ask("set", request, to=to)) == ("cancel", "not-allowed")
    scene.sender.message(scene.jid, "one")
    assert len(copies(scene.drain()["copied"])) == 1


def test_received_message_goes_to_those_who_did_not_get_it(scene):
    """XEP-0280 7: the wrapper is the account's, what is in it is as it came; sent copies on the other side (8)."""
    scene.sender.send("<message to='%s' id='m1' type='chat'><body>b</body><thread>t</thread></message>" % scene.jid)
    got = scene.drain()
    assert [el.get("id") for el in got["hers"]] == ["m1"] and not copies(got["hers"])
    assert not got["plain"] and not got["sender"]
    for name, way, account in (("copied", "received", scene.hers), ("mute", "received", scene.hers),
                               ("his", "sent", scene.sender)):
        ((kind, message, wrapper),) = copies(got[name])
        assert kind == way and wrapper.get("from") == account.bare and wrapper.get("to") == getattr(scene, name).jid
        assert (message.get("id"), message.get("from"), message.get("to")) == ("m1", scene.sender.jid, scene.jid)
        assert message.find("{jabber:client}body").text == "b" and message.find("{jabber:client}thread").text == "t"


def ids(message, by):
    return [el.get("id") for el in message if el.tag == q("urn:xmpp:sid:0", "stanza-id") and el.get("by") == by]


def test_copies_carry_the_id_of_the_archive_they_are_in(scene):
    """XEP-0313 5.1.1: a message received that of the recipient, a message sent that of the sender; nobody the other's."""
    scene.sender.message(scene.jid, "m")
    got = scene.drain()
    (original,) = got["hers"]
    ((_, received, _),), ((_, sent, _),) = copies(got["copied"]), copies(got["his"])
    assert len(ids(original, scene.jid)) == 1 and not ids(original, scene.sender.bare)
    assert ids(received, scene.jid) == ids(original, scene.jid) and not ids(received, scene.sender.bare)
    assert len(ids(sent, scene.sender.bare)) == 1 and not ids(sent, scene.jid)


def test_message_to_a_full_jid_is_copied_to_the_others(scene):
    """XEP-0280 7: also those with a higher priority."""
    carbons(scene.hers)
    scene.sender.message(scene.copied.jid, "for the garden", id="m1")
    got = scene.drain()
    assert [el.get("id") for el in got["copied"]] == ["m1"]
    assert [way for way, _, _ in copies(got["hers"])] == ["received"]
    assert [way for way, _, _ in copies(got["mute"])] == ["received"]


def test_message_that_several_get_is_not_copied_to_them(scene):
    """XEP-0280 7: those with the same priority all have the original."""
    scene.copied.online(5)
    scene.drain()
    scene.sender.message(scene.jid, "both", id="m1")
    got = scene.drain()
    assert [el.get("id") for el in got["copied"]] == ["m1"] and [el.get("id") for el in got["hers"]] == ["m1"]
    assert len(copies(got["mute"])) == 1


def test_sender_without_carbons_is_copied_too(people):
    """XEP-0280 8: whether the sending client has enabled them or not; and it never gets one itself."""
    romeo, juliet = people("romeo", "juliet")
    plain, other = romeo.login("balcony"), carbons(romeo.login("orchard"))
    plain.message(juliet.jid, "one", id="m1")
    plain.settle()
    assert [m.get("id") for _, m, _ in copies(other.sync())] == ["m1"]
    other.message(juliet.jid, "two")
    assert not other.sync() and not plain.sync()


def test_note_to_oneself_comes_once_to_each(person):
    """XEP-0280 7, 8: to one's own account or resource it is a message that was sent, and nobody has it twice."""
    romeo = person("romeo")
    sender, high, low = (carbons(romeo.login(name)) for name in ("balcony", "orchard", "mantua"))
    sender.online(0), high.online(5), low.online(1)
    for to in (romeo.jid, high.jid):
        for client in (sender, high, low):
            client.sync()
        sender.message(to, "buy poison", id="n1")
        assert not sender.sync()
        (original,) = high.sync()
        assert original.get("id") == "n1"
        assert [way for way, _, _ in copies(low.sync())] == ["sent"]


@pytest.mark.parametrize("attributes, payload, wanted", [
    ("type='chat'", BODY, True), ("type='chat'", "", True), ("type='chat'", STATE, True),
    ("", BODY, True), ("type='telegram'", BODY, True), ("", "<subject>s</subject>", False),
    ("", STATE, True), ("", RECEIPT, True), ("", MARKER, True), ("type='headline'", MARKER, True),
    ("type='headline'", BODY, False), ("type='groupchat'", BODY, False), ("type='groupchat'", MARKER, False),
    ("", DIRECT_INVITE, True), ("", MEDIATED_INVITE, True), ("", OCCUPANT, False),
    ("type='chat'", BODY + PRIVATE, False), ("type='chat'", BODY + PRIVATE + NO_COPY, False),
    ("type='chat'", BODY + NO_COPY, False), ("type='chat'", BODY + OCCUPANT, "sent"),
    ("type='error'", BODY + GONE, False),
])
def test_which_messages_are_copied(scene, attributes, payload, wanted):
    """XEP-0280 6.1, 9; a private message of an occupant is copied when it is sent, not when it comes."""
    scene.sender.send("<message to='%s' id='m1' %s>%s</message>" % (scene.hers.jid, attributes, payload))
    got = scene.drain()
    (original,) = got["hers"]
    assert original.get("id") == "m1" and not copies([original])
    assert [way for way, _, _ in copies(got["copied"])] == (["received"] if wanted is True else [])
    assert [way for way, _, _ in copies(got["his"])] == (["sent"] if wanted else [])


def test_private_element_stays(scene):
    """XEP-0280 9: nobody takes it out, so the recipient can see it."""
    scene.sender.send("<message to='%s' type='chat'>%s</message>" % (scene.hers.jid, BODY + PRIVATE + NO_COPY))
    scene.sender.settle()
    assert scene.hers.expect("message").find(q(NS_CARBONS, "private")) is not None


def test_error_is_copied_when_what_it_answers_was(scene):
    """XEP-0280 6.1: as sent by who bounced it and as received by who is told; no other error is."""
    scene.sender.message(scene.hers.jid, "lost", id="e1")
    scene.drain()
    for id in ("e1", "e2"):
        scene.hers.send("<message type='error' id='%s' to='%s'>%s</message>" % (id, scene.sender.jid, GONE))
    scene.hers.settle()
    got = scene.drain()
    assert [el.get("id") for el in got["sender"]] == ["e1", "e2"]
    assert [(way, m.get("id"), m.get("type")) for way, m, _ in copies(got["copied"])] == [("sent", "e1", "error")]
    assert [(way, m.get("id"), m.get("type")) for way, m, _ in copies(got["his"])] == [("received", "e1", "error")]


def test_bounce_by_the_server_is_copied_behind_the_copy(scene):
    """XEP-0280 6.1: what could not be routed is told to those who saw it being sent; what was refused at once, to nobody."""
    scene.sender.message("juliet@nowhere.example", "far away", id="e1")
    scene.sender.message("ghost@im.example", "nobody", id="e2")
    scene.sender.expect("message", id="e1", type="error"), scene.sender.expect("message", id="e2", type="error")
    assert [(way, m.get("id"), m.get("type")) for way, m, _ in copies(scene.drain()["his"])] == [
        ("sent", "e1", "chat"), ("received", "e1", "error")]


def test_message_that_is_kept_is_copied_to_who_is_there(people):
    """XEP-0280 7: a resource with a negative priority did not get it, and takes part."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), carbons(juliet.login("chamber")).online(-1)
    his.message(juliet.jid, "later", id="m1")
    his.settle()
    assert [m.get("id") for _, m, _ in copies(hers.sync())] == ["m1"]


def test_bounce_of_a_copy_goes_to_nobody(scene):
    """XEP-0280 10.3."""
    scene.sender.message(scene.jid, "m")
    ((_, _, wrapper),) = copies(scene.drain()["copied"])
    scene.copied.send("<message type='error' to='%s' id='m1'>%s</message>" % (wrapper.get("from"), GONE))
    scene.copied.settle()
    assert not any(stanzas for stanzas in scene.drain().values())


def test_message_from_elsewhere_is_copied(scene, component):
    """XEP-0280 7; MUC private messages come from a full JID with the mark of a room, and are not."""
    gate = component("gate.example")
    gate.send("<message from='a@gate.example/x' to='%s' type='chat' id='g1'>%s</message>" % (scene.jid, BODY))
    gate.send("<message from='room@gate.example/nick' to='%s' type='chat' id='g2'>%s</message>" % (
        scene.hers.jid, BODY + OCCUPANT))
    gate.send("<message from='room@gate.example' to='%s' id='g3'>%s</message>" % (scene.jid, MEDIATED_INVITE))
    gate.mark(scene.hers)
    got = scene.drain()
    assert [m.get("id") for _, m, _ in copies(got["copied"])] == ["g1", "g3"]
    assert [el.get("id") for el in got["hers"]] == ["g1", "g2", "g3"]


FORGED = "<message xmlns='jabber:client' from='%s' to='romeo@im.example/x' type='chat'><body>forged</body></message>"


def forged(name, depth=1, inner=FORGED % "juliet@im.example"):
    for n in range(depth):
        if n:
            inner = "<message xmlns='jabber:client' type='chat'>%s</message>" % inner
        inner = "<%s xmlns='%s'><forwarded xmlns='%s'>%s</forwarded></%s>" % (name, NS_CARBONS, NS_FORWARD, inner, name)
    return inner


def contents(el):
    """Its children but for the id that the archive gives it."""
    return [local(c) for c in el if local(c) != "stanza-id"]


@pytest.mark.parametrize("name", ["sent", "received"])
def test_carbon_of_a_contact_is_none(scene, component, name):
    """XEP-0280 12, bad input 24: whoever makes one, the server passes it on to nobody; the rest of the message is."""
    gate = component("gate.example")
    message = "<message%s to='%s' type='chat' id='%s'>" + forged(name) + "<body>look</body></message>"
    scene.sender.send(message % ("", scene.hers.jid, "f1"))
    gate.send(message % (" from='a@gate.example'", scene.hers.jid, "f2"))
    gate.mark(scene.hers)
    scene.plain.send(message % ("", scene.hers.jid, "f3"))          # one's own other client is no server either
    scene.plain.settle(), scene.sender.settle()
    got = scene.drain()
    assert sorted(el.get("id") for el in got["hers"]) == ["f1", "f2", "f3"]
    assert all(contents(el) == ["body"] for el in got["hers"])
    for _, carbon, _ in copies(got["copied"]):
        assert contents(carbon) == ["body"]
    scene.sender.send(message % ("", "a@gate.example", "f4"))
    assert [local(c) for c in gate.expect("message", id="f4")] == ["body"], "nor does it leave"


def test_forwards_in_forwards(scene):
    """Bad input 24: nested too deeply is refused, less is taken out whole; everybody lives."""
    scene.sender.send("<message to='%s' type='chat' id='d1'>%s<body>x</body></message>" % (
        scene.hers.jid, forged("received", depth=10)))
    assert contents(scene.hers.expect("message", id="d1")) == ["body"]
    scene.sender.send("<message to='%s' type='chat' id='d2'>%s<body>x</body></message>" % (
        scene.hers.jid, forged("received", depth=100)))
    scene.sender.expect_stream_error(("policy-violation", "bad-format", "not-well-formed", "restricted-xml"))
    scene.hers.expect_nothing("message", id="d2")


def test_copies_end_with_the_session(people):
    """XEP-0280 4: a new session has to ask again."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online(1)
    carbons(juliet.login("garden")).end()
    again = juliet.login("garden")
    his.message(juliet.jid, "m")
    his.settle()
    assert not again.sync() and len(hers.sync()) == 1


def test_order_holds_between_originals_and_copies(scene):
    """RFC 6120 10.1: what one sender says comes to each resource in the order in which it was said."""
    for n in range(40):
        scene.sender.message((scene.jid, scene.copied.jid)[n % 2], str(n), id=str(n))
    got = scene.drain()["copied"]
    assert [el.get("id") or copies([el])[0][1].get("id") for el in got] == [str(n) for n in range(40)]


def test_copies_wait_for_a_client_that_comes_back(people):
    """XEP-0198 5: they are queued and counted like everything else; on the resumed stream carbons are still on."""
    romeo, juliet = people("romeo", "juliet")
    his, desk = romeo.login("balcony"), juliet.login("desk").online(5)
    phone = managed(juliet.login("phone", tls=False))
    phone.enable()
    carbons(phone).online(1)
    phone.handled()
    phone.ack()
    phone.sync()
    phone.cut()
    his.message(juliet.jid, "one", id="m1")
    desk.expect("message", id="m1")
    desk.message(romeo.jid, "two", id="m2")
    desk.settle()
    again = authenticated(juliet)
    assert local(again.resume_from(phone)) == "resumed"
    his.message(juliet.jid, "three", id="m3")
    desk.expect("message", id="m3")
    again.settle()
    assert [(way, m.get("id")) for way, m, _ in copies(again.inbox)] == [
        ("received", "m1"), ("sent", "m2"), ("received", "m3")]
    again.ack()
    again.handled()


def test_carbons_stay_on_when_sessman_is_killed(server, people):
    """What was answered with a result holds; off is as durable as on."""
    romeo, juliet = people("romeo", "juliet")
    his, desk = romeo.login("balcony"), juliet.login("desk").online(5)
    on, off = carbons(juliet.login("on")), carbons(juliet.login("off"))
    assert off.ask("set", DISABLE).get("type") == "result"
    server.kill_daemon("sessman")
    his.message(juliet.jid, "m", id="m1")
    desk.expect("message", id="m1")
    assert [m.get("id") for _, m, _ in copies(on.sync())] == ["m1"]
    assert not copies(off.sync())
