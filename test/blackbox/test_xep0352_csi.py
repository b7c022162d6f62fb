"""Client state indication (XEP-0352): what waits while nobody looks, and what makes it come."""

import pytest

from client import befriend, local, q
from managed import authenticated, managed
from server import poll

SERVER = {"components": {"gate.example": "a secret of the gate"},
          "conf": {"sessman.conf": "[csi]\nstanzas = 8\nbytes = 4k\n"}}
NS_CSI = "urn:xmpp:csi:0"
ACTIVE, INACTIVE = "<active xmlns='%s'/>" % NS_CSI, "<inactive xmlns='%s'/>" % NS_CSI
PING = "<iq type='get' id='%s' to='im.example'><ping xmlns='urn:xmpp:ping'/></iq>"
NS_STATES = "http://jabber.org/protocol/chatstates"


def state(name):
    return "<%s xmlns='%s'/>" % (name, NS_STATES)


def show_of(el):
    return el.findtext("{jabber:client}show")


@pytest.fixture
def pair(people):
    """Romeo, and Juliet who has put her telephone away."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    his.online(), hers.online(), his.sync()
    hers.send(INACTIVE)
    return his, hers


def say(client, *shows):
    for show in shows:
        client.send("<presence><show>%s</show></presence>" % show if show else "<presence/>")
    client.settle()


def order(client):
    """What has come, in order: the shows of presence, the ids of other stanzas."""
    got = [show_of(el) or el.get("type") or "available" if local(el) == "presence" else el.get("id")
           for el in client.inbox]
    client.inbox.clear()
    return got


def test_feature_is_offered_after_login(connect, person):
    """XEP-0352 4.1."""
    feature = q(NS_CSI, "csi")
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.starttls().begin()
    assert client.features.find(feature) is None
    client.authenticate(romeo.user, romeo.password)
    client.begin()
    assert client.features.find(feature) is not None


def test_only_the_newest_presence_comes_and_before_the_message(pair):
    """XEP-0352 3: the presences in between are nobody's business; nothing overtakes anything."""
    his, hers = pair
    say(his, "away", "dnd", "xa")
    his.message(hers.jid, "Art thou there?", id="m1")
    hers.expect("message", id="m1", where=lambda el: el is hers.inbox[-1])
    assert order(hers) == ["xa"]


def test_active_brings_it_before_the_answer_to_what_follows(pair):
    """XEP-0352 5.1: the example of the specification."""
    his, hers = pair
    say(his, "away", "dnd")
    hers.send(ACTIVE + PING % "p1")
    hers.expect("iq", id="p1", where=lambda el: el is hers.inbox[-1])
    assert order(hers) == ["dnd"]
    say(his, "away", "xa")
    hers.settle()
    assert order(hers) == ["away", "xa"], "and from then on everything comes"


def test_state_is_what_was_said_last(pair):
    """XEP-0352 4.2: saying it twice is nothing new."""
    his, hers = pair
    hers.send(INACTIVE + INACTIVE)
    say(his, "away", "dnd")
    hers.settle()
    assert order(hers) == ["dnd"], "an answer is sent at once, behind what was held"
    say(his, "away", "xa")
    hers.send(ACTIVE + ACTIVE + INACTIVE)
    hers.settle()
    assert order(hers) == ["xa"]


def test_unavailable_replaces_available_and_the_other_way(pair, people):
    """RFC 6121 4.5: what holds at the end."""
    his, hers = pair
    say(his, "away")
    his.send("<presence type='unavailable'/>")
    his.settle(), hers.settle()
    assert order(hers) == ["unavailable"]
    say(his, "")
    his.send("<presence type='unavailable'/><presence><show>chat</show></presence>")
    his.settle(), hers.settle()
    assert order(hers) == ["chat"]


def test_presence_of_different_resources_is_kept_apart(pair, component):
    """In the order of the last word of each."""
    his, hers = pair
    gate = component("gate.example")
    for resource, show in (("a", "away"), ("b", "dnd"), ("c", "xa"), ("a", "chat")):
        gate.send("<presence from='x@gate.example/%s' to='%s'><show>%s</show></presence>" % (resource, hers.jid, show))
    gate.mark(hers)
    assert order(hers) == ["dnd", "xa", "chat"]


@pytest.mark.parametrize("type", ["subscribe", "error"])
def test_presence_that_wants_something_is_not_held(pair, component, type):
    """RFC 6121 3: requests and their answers; and what is held comes first."""
    his, hers = pair
    gate = component("gate.example")
    say(his, "away", "dnd")
    gate.send("<presence from='x@gate.example' to='%s' type='%s'/>" % (
        hers.jid if type == "error" else hers.bare, type))
    hers.expect("presence", type=type, where=lambda el: el is hers.inbox[-1])
    assert order(hers) == ["dnd"]


def test_room_says_that_one_has_entered(pair, component):
    """XEP-0045 7.2.2: status 110 ends the list of occupants, and is waited for."""
    his, hers = pair
    gate = component("gate.example")
    occupant = ("<presence from='room@gate.example/%s' to='%s'><x xmlns='http://jabber.org/protocol/muc#user'>"
                "<item role='participant' affiliation='none'/>%s</x></presence>")
    for nick in ("one", "two"):
        gate.send(occupant % (nick, hers.jid, ""))
    gate.send(occupant % ("me", hers.jid, "<status code='110'/>"))
    hers.expect("presence", from_="room@gate.example/me", where=lambda el: el is hers.inbox[-1])
    assert [el.get("from").partition("/")[2] for el in hers.inbox] == ["one", "two"]


def test_chat_states_wait_and_messages_do_not(pair):
    """XEP-0352 3, XEP-0085: the newest of a sender, in front of his message."""
    his, hers = pair
    for name in ("composing", "paused", "composing"):
        his.send("<message to='%s' type='chat' id='%s'>%s<thread>t</thread></message>" % (hers.jid, name, state(name)))
    his.send("<message to='%s' type='chat' id='m1'><body>b</body>%s</message>" % (hers.jid, state("active")))
    hers.expect("message", id="m1", where=lambda el: el is hers.inbox[-1])
    assert order(hers) == ["composing"]
    for body in ("one", "two"):
        his.message(hers.jid, body, id=body)
        hers.expect("message", id=body)


def test_request_is_not_held(pair):
    """An IQ wants an answer."""
    his, hers = pair
    say(his, "away", "dnd")
    his.send("<iq type='get' id='q1' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % hers.jid)
    hers.expect("iq", id="q1", where=lambda el: el is hers.inbox[-1])
    assert order(hers) == ["dnd"]


def test_headline_is_not_held(pair):
    """Whoever sends one means it now."""
    his, hers = pair
    say(his, "away", "dnd")
    his.send("<message to='%s' type='headline' id='h1'><subject>Fire</subject></message>" % hers.jid)
    hers.expect("message", id="h1", where=lambda el: el is hers.inbox[-1])
    assert order(hers) == ["dnd"]


def test_carbon_of_a_chat_state_waits_like_one(people):
    """XEP-0280 10.2: to each contact the newest."""
    romeo, juliet = people("romeo", "juliet")
    his, desk, phone = romeo.login("balcony").online(), juliet.login("desk").online(5), juliet.login("phone").online(-1)
    phone.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    phone.sync()
    phone.send(INACTIVE)
    for name in ("composing", "paused", "active"):
        his.send("<message to='%s' type='chat' id='%s'>%s</message>" % (juliet.jid, name, state(name)))
        desk.send("<message to='%s' type='chat' id='to-%s'>%s</message>" % (romeo.jid, name, state(name)))
    desk.send("<message to='x@%s' type='chat' id='to-x'>%s</message>" % (desk.server_name, state("gone")))
    his.settle(), desk.settle()
    his.message(juliet.jid, "now", id="m1")
    desk.expect("message", id="m1")
    phone.settle()
    ids = [el.find(".//{jabber:client}message").get("id") for el in phone.inbox]
    assert sorted(ids[:-1]) == ["active", "to-active"] and ids[-1] == "m1"


def test_so_many_are_held_and_no_more(pair, component):
    """[csi] stanzas: then all come, nothing is lost, and the counting begins again."""
    his, hers = pair
    gate = component("gate.example")
    for n in range(16):
        gate.send("<presence from='x@gate.example/%d' to='%s'/>" % (n, hers.jid))
    for n in range(16):
        assert hers.expect("presence").get("from") == "x@gate.example/%d" % n


def test_so_many_bytes_are_held_and_no_more(pair, component):
    """[csi] bytes."""
    his, hers = pair
    gate = component("gate.example")
    for n in range(2):
        gate.send("<presence from='x@gate.example/%d' to='%s'><status>%s</status></presence>" % (n, hers.jid, "x" * 2500))
    for n in range(2):
        assert hers.expect("presence").get("from") == "x@gate.example/%d" % n


def test_what_is_replaced_does_not_count(pair, component):
    """One chatterer does not wake anybody."""
    his, hers = pair
    gate = component("gate.example")
    for n in range(50):
        gate.send("<presence from='x@gate.example/x' to='%s'><status>%d %s</status></presence>" % (hers.jid, n, "x" * 500))
    gate.mark(hers)
    assert [el.findtext("{jabber:client}status").split()[0] for el in hers.inbox] == ["49"]


def test_new_session_is_active(people):
    """XEP-0352 5: whatever the one before it was."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    his.online(), hers.online()
    hers.send(INACTIVE)
    say(his, "away")
    again = juliet.login("chamber").online()
    say(his, "dnd", "xa")
    again.settle()
    assert order(again) == ["dnd", "xa"]


def test_what_is_held_goes_with_the_session(pair, people):
    """Nobody else gets it, and the server does not mind."""
    his, hers = pair
    say(his, "away", "dnd")
    hers.cut()
    say(his, "xa")
    his.send("<message to='%s' type='chat' id='m1'>%s</message>" % (hers.bare, state("composing")))
    his.settle()


@pytest.mark.parametrize("element, condition", [
    ("<asleep xmlns='%s'/>" % NS_CSI, "unsupported-stanza-type"),
    ("<inactive/>", "unsupported-stanza-type"),
    ("<inactive xmlns='urn:example:csi'/>", "unsupported-stanza-type"),
])
def test_other_elements_end_the_stream(person, element, condition):
    """RFC 6120 4.9.3.24."""
    client = person("romeo").login("balcony")
    client.send(element)
    client.expect_stream_error(condition)


def test_nobody_is_inactive_before_login(connect):
    """It is offered after login."""
    client = connect()
    client.begin()
    client.send(INACTIVE)
    client.expect_stream_error(("unsupported-stanza-type", "not-authorized"))


def test_many_changes_of_mind(pair):
    """A client that cannot decide costs itself."""
    his, hers = pair
    hers.send((ACTIVE + INACTIVE) * 500)
    say(his, "away", "dnd")
    hers.settle()
    assert order(hers) == ["dnd"]


def test_time_is_limited(server, pair):
    """[csi] time: what is held comes by itself."""
    his, hers = pair
    conf = server.dir / "sessman.conf"
    before = conf.read_text()
    conf.write_text(before.replace("stanzas = 8", "stanzas = 8\ntime = 1s"))
    server.run("reload")
    try:
        poll("the new limit", lambda: arrives(his, hers))
    finally:
        conf.write_text(before)
        server.run("reload")


def arrives(his, hers):
    """Whether a presence comes without anything else; the limit that was in force when it was held counts."""
    hers.sync()
    say(his, "away")
    try:
        return hers.expect("presence", timeout=3)
    except AssertionError:
        return None


# -- with stream management (XEP-0198) ---------------------------------------------------------------------------------

@pytest.fixture
def sm_pair(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), managed(juliet.login("phone", tls=False))
    befriend(his, hers)
    hers.enable()
    his.online(), hers.online()
    hers.send(INACTIVE)
    hers.handled()
    hers.sync()
    return juliet, his, hers


def test_what_is_held_is_not_counted_until_it_is_sent(sm_pair):
    """XEP-0198 4: the numbers are those of what was sent, in that order."""
    juliet, his, hers = sm_pair
    for round in range(3):
        say(his, "away", "dnd")
        his.message(hers.bare, "m", id="m%d" % round)
        hers.expect("message", id="m%d" % round)
        hers.ack()
        hers.handled()
    assert order(hers) == ["dnd"] * 3
    hers.ping()
    hers.ack()
    hers.handled()


def test_resumed_stream_is_active(sm_pair):
    """XEP-0352 5: and what was held comes with it, behind what the client had not acknowledged."""
    juliet, his, hers = sm_pair
    his.message(hers.bare, "first", id="m1")
    say(his, "away", "dnd")
    hers.expect("message", id="m1")
    h = hers.received - 1
    hers.cut()
    say(his, "xa")
    again = authenticated(juliet)
    assert local(again.resume_from(hers, h)) == "resumed"
    again.expect("message", id="m1", where=lambda el: el is again.inbox[0])
    again.settle()
    assert order(again) == ["xa"]
    say(his, "away", "chat")
    again.settle()
    assert order(again) == ["away", "chat"]
    again.ack()
    again.handled()


def test_what_was_told_and_held_survives_a_lost_connection_in_order(sm_pair):
    """Held presence goes into the queue in front of the message for which the client is to be woken."""
    juliet, his, hers = sm_pair
    hers.cut()
    say(his, "away", "dnd")
    his.message(hers.bare, "wake up", id="m1")
    his.settle()
    again = authenticated(juliet)
    assert local(again.resume_from(hers)) == "resumed"
    again.expect("message", id="m1", where=lambda el: el is again.inbox[-1])
    assert order(again) == ["dnd"]
    again.ack()
    again.handled()


def test_what_was_held_when_sessman_was_killed_is_made_good(server, people):
    """It is told how things are when somebody looks again: who changed, and who has left."""
    romeo, juliet, nurse, friar = people("romeo", "juliet", "nurse", "friar")
    his, hers, other, third = (who.login("r") for who in (romeo, juliet, nurse, friar))
    for contact in (his, other, third):
        befriend(contact, hers)
    for client in (his, other, third, hers):
        client.online()
    for client in (his, other, third, hers):
        client.sync()
    hers.send(INACTIVE)
    say(his, "away", "dnd")
    other.send("<presence type='unavailable'/>")
    other.settle(), third.settle()
    hers.settle()               # the answer comes behind what was held
    assert sorted(order(hers)) == ["dnd", "unavailable"]
    say(his, "xa")
    third.send("<presence type='unavailable'/>")
    other.send("<presence/>")
    third.settle(), other.settle()
    server.kill_daemon("sessman")
    hers.send(ACTIVE)
    hers.settle()
    got = {el.get("from").partition("/")[0]: show_of(el) or el.get("type") or "available" for el in hers.inbox}
    assert got == {his.bare: "xa", other.bare: "available", third.bare: "unavailable", hers.bare: "available"} or (
        got == {his.bare: "xa", other.bare: "available", third.bare: "unavailable"})
    hers.sync()
    say(his, "away")
    hers.settle()
    assert order(hers) == ["away"]
