"""Presence: who is told what (RFC 6121 4)."""

import pytest

from client import befriend

FAR = "verona.example"
SERVER = {"components": {FAR: "a secret of verona"}}
CONTACT = "juliet@" + FAR


def presences(stanzas, *types):
    return [el for el in stanzas if el.tag.endswith("}presence") and (el.get("type") in types or not types)]


@pytest.fixture
def friends(people):
    """Two contacts of each other, neither available; each a function that logs in."""
    romeo, juliet = people("romeo", "juliet")
    befriend(romeo.login(), juliet.login())
    return romeo, juliet


def far_contact(person, component, subscription):
    """A user with a contact on the component, subscribed as said ("to", "from", "both"), offline so far."""
    far, romeo = component(FAR), person("romeo")
    client = romeo.login()
    if subscription in ("to", "both"):
        client.subscription("subscribe", CONTACT)
        client.sync()
        far.send("<presence type='subscribed' from='%s' to='%s'/>" % (CONTACT, romeo.jid))
    if subscription in ("from", "both"):
        far.send("<presence type='subscribe' from='%s' to='%s'/>" % (CONTACT, romeo.jid))
        far.sync()
        client.subscription("subscribed", CONTACT)
    client.settle()
    client.end()
    far.sync()
    return far, romeo


# -- initial presence ----------------------------------------------------------------------------------------------

def test_initial_presence_goes_to_subscribers_and_own_resources(people):
    """RFC 6121 4.2.2: to contacts with from or both, to all own available resources, itself among them."""
    romeo, juliet = people("romeo", "juliet")
    befriend(romeo.login(), juliet.login())
    hers, orchard = juliet.login("chamber").online(), romeo.login("orchard").online()
    hers.sync()
    balcony = romeo.login("balcony")
    balcony.send("<presence><show>away</show><status>sighing</status><priority>3</priority></presence>")
    for client in (hers, orchard, balcony):
        el = client.expect("presence", type=None, from_=balcony.jid)
        assert el.get("to") in (client.jid, client.bare, None)
        assert el.find("{jabber:client}show").text == "away"
        assert el.find("{jabber:client}status").text == "sighing"
        assert el.find("{jabber:client}priority").text == "3"


def test_newcomer_learns_who_is_there(friends):
    """RFC 6121 4.2.2, 4.3.2: of each available resource of contacts and of the own account, and nothing of others."""
    romeo, juliet = friends
    hers, also = juliet.login("chamber").online(), juliet.login("garden").online()
    orchard = romeo.login("orchard").online()
    juliet.login("cell")
    balcony = romeo.login("balcony")
    balcony.send("<presence/>")
    seen = {el.get("from") for el in presences(balcony.sync(), None)}
    assert seen == {hers.jid, also.jid, orchard.jid, balcony.jid}


def test_probe_goes_out_to_the_contacts_the_user_is_subscribed_to(person, component):
    """RFC 6121 4.3.1: to and both; once, at initial presence."""
    far, romeo = far_contact(person, component, "to")
    client = romeo.login("balcony")
    client.send("<presence/>")
    client.settle()
    probe = far.expect("presence", type="probe", to=CONTACT)
    assert probe.get("from").partition("/")[0] == romeo.jid
    client.send("<presence><show>away</show></presence>")
    client.settle()
    far.expect_nothing("presence", type="probe")


def test_no_probe_to_a_contact_who_only_subscribes(person, component):
    """RFC 6121 4.3.1; but its server is told."""
    far, romeo = far_contact(person, component, "from")
    client = romeo.login("balcony")
    client.send("<presence/>")
    client.settle()
    got = far.sync()
    assert not presences(got, "probe")
    assert [el.get("from") for el in presences(got, None)] == [client.jid]


def test_answer_to_a_probe_carries_the_last_presence_whole(friends):
    """RFC 6121 4.3.2."""
    romeo, juliet = friends
    hers = juliet.login("chamber")
    hers.send("<presence><show>dnd</show><c xmlns='http://jabber.org/protocol/caps' node='n' hash='sha-1' ver='v'/>"
              "<status xml:lang='it'>Buona notte</status></presence>")
    hers.sync()
    his = romeo.login("balcony")
    his.send("<presence/>")
    el = his.expect("presence", from_=hers.jid)
    assert el.find("{jabber:client}show").text == "dnd"
    assert el.find("{http://jabber.org/protocol/caps}c").get("ver") == "v"
    assert el.find("{jabber:client}status").text == "Buona notte"


# -- probes that come in -------------------------------------------------------------------------------------------

def probe(far, romeo):
    far.send("<presence type='probe' from='%s' to='%s'/>" % (CONTACT, romeo.jid))
    return presences(far.sync())


def test_probe_of_a_subscriber_is_answered_with_all_resources(person, component):
    """RFC 6121 4.3.2."""
    far, romeo = far_contact(person, component, "from")
    one, two = romeo.login("one").online(), romeo.login("two").online(-1)
    romeo.login("three")
    far.sync()
    assert {el.get("from") for el in probe(far, romeo)} == {one.jid, two.jid}


def test_probe_of_a_subscriber_while_nobody_is_there(person, component):
    """RFC 6121 4.3.2 step 2: unavailable, or nothing."""
    far, romeo = far_contact(person, component, "from")
    assert all(el.get("type") == "unavailable" for el in probe(far, romeo))


@pytest.mark.parametrize("subscription", [None, "to"])
def test_probe_of_who_is_not_subscribed_tells_nothing(person, component, subscription):
    """RFC 6121 4.3.2 step 1: <unsubscribed/> or nothing; the same for an account that is not there."""
    far, romeo = far_contact(person, component, subscription)
    romeo.login("balcony").online()
    far.sync()
    known = [el.get("type") for el in probe(far, romeo)]
    assert set(known) <= {"unsubscribed"}
    far.send("<presence type='probe' from='%s' to='ghost@im.example'/>" % CONTACT)
    assert [el.get("type") for el in presences(far.sync())] == known


def test_client_cannot_probe_past_a_subscription(people):
    """RFC 6121 4.3: probes are the servers'; a client's tells it nothing it may not know."""
    romeo, juliet = people("romeo", "juliet")
    juliet.login("chamber").online()
    his = romeo.login("balcony").online()
    his.send("<presence type='probe' to='%s'/>" % juliet.jid)
    assert not presences(his.sync(), None)


# -- changes -------------------------------------------------------------------------------------------------------

def test_change_of_presence_is_told_to_the_same_people(friends):
    """RFC 6121 4.4.2."""
    romeo, juliet = friends
    hers, his = juliet.login("chamber").online(), romeo.login("balcony").online()
    hers.sync()
    his.send("<presence><show>xa</show></presence>")
    el = hers.expect("presence", type=None, from_=his.jid)
    assert el.find("{jabber:client}show").text == "xa"
    his.sync()
    his.send("<presence/>")
    assert hers.expect("presence", type=None, from_=his.jid).find("{jabber:client}show") is None


@pytest.mark.parametrize("direction", ["to", "none"])
def test_who_is_not_subscribed_is_not_told(people, direction):
    """RFC 6121 4.2.2: only from and both."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    if direction == "to":
        his.subscription("subscribe", juliet.jid)
        his.sync()
        hers.subscription("subscribed", romeo.jid)
        hers.sync()
    hers.online()
    his.online()
    hers.expect_nothing("presence", from_=his.jid)


def test_presence_before_the_initial_one_is_not_broadcast(friends):
    """RFC 6121 4.2: a resource that is only connected hears and tells nothing."""
    romeo, juliet = friends
    connected = juliet.login("cell")
    romeo.login("balcony").online()
    connected.expect_nothing("presence")


@pytest.mark.parametrize("priority", ["128", "-129", "high", "1.5", "99999999999999999999"])
def test_priority_out_of_range(friends, priority):
    """RFC 6121 4.7.2.3: an integer from -128 to 127; anything else is refused or taken as 0, never sent on as high."""
    romeo, juliet = friends
    hers, good = juliet.login("chamber").online(), romeo.login("good").online(1)
    hers.sync()
    his = romeo.login("balcony")
    his.send("<presence id='p'><priority>%s</priority></presence>" % priority)
    his.settle()
    hers.send("<message to='%s' type='chat'><body>Romeo?</body></message>" % romeo.jid)
    hers.settle()
    good.expect("message", body="Romeo?")


# -- the end -------------------------------------------------------------------------------------------------------

def test_unavailable_presence_is_told_with_its_status(friends):
    """RFC 6121 4.5.2."""
    romeo, juliet = friends
    hers, orchard = juliet.login("chamber").online(), romeo.login("orchard").online()
    his = romeo.login("balcony").online()
    hers.sync(), orchard.sync()
    his.send("<presence type='unavailable'><status>gone</status></presence>")
    for client in (hers, orchard):
        el = client.expect("presence", type="unavailable", from_=his.jid)
        assert el.find("{jabber:client}status").text == "gone"
    his.settle()
    hers.expect_nothing("presence")


@pytest.mark.parametrize("leave", ["end", "cut"])
def test_resource_that_leaves_without_a_word_is_told_of_as_unavailable(friends, leave):
    """RFC 6121 4.5.2: stream closed, or the socket cut."""
    romeo, juliet = friends
    hers, his = juliet.login("chamber").online(), romeo.login("balcony").online()
    hers.sync()
    getattr(his, leave)()
    hers.expect("presence", type="unavailable", from_=his.jid)
    hers.expect_nothing("presence")


def test_resource_that_never_was_available_leaves_unnoticed(friends):
    """RFC 6121 4.5.2."""
    romeo, juliet = friends
    hers, his = juliet.login("chamber").online(), romeo.login("balcony")
    his.end()
    romeo.login("orchard").sync()
    hers.expect_nothing("presence")


def test_unavailable_resource_hears_no_more(friends):
    """RFC 6121 4.5.3: until it is available again; then it is told anew."""
    romeo, juliet = friends
    hers, his = juliet.login("chamber").online(), romeo.login("balcony").online()
    his.send("<presence type='unavailable'/>")
    his.sync()
    hers.send("<presence><show>away</show></presence>")
    hers.sync()
    his.expect_nothing("presence")
    his.send("<presence/>")
    his.expect("presence", from_=hers.jid)


def test_conflict_tells_of_the_old_session_first(friends):
    """RFC 6120 7.7.2.2, RFC 6121 4.5.2: contacts see the resource leave before it comes back."""
    romeo, juliet = friends
    hers = juliet.login("chamber").online()
    romeo.login("balcony").online()
    hers.sync()
    new = romeo.login("balcony")
    hers.expect("presence", type="unavailable", from_=new.jid)
    new.send("<presence/>")
    hers.expect("presence", type=None, from_=new.jid)


def test_subscribers_elsewhere_are_told_of_the_end_too(person, component):
    """RFC 6121 4.5.2."""
    far, romeo = far_contact(person, component, "from")
    client = romeo.login("balcony").online()
    far.sync()
    client.cut()
    far.expect("presence", type="unavailable", from_=client.jid, to=CONTACT)


# -- directed presence ---------------------------------------------------------------------------------------------

def test_directed_presence_reaches_who_is_not_subscribed(people):
    """RFC 6121 4.6.3: to a full or a bare JID, with what is in it."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    for to in (hers.jid, juliet.jid):
        his.send("<presence to='%s'><status>here</status></presence>" % to)
        el = hers.expect("presence", type=None, from_=his.jid)
        assert el.get("to") == to and el.find("{jabber:client}status").text == "here"


def test_directed_presence_does_not_make_anybody_available(people):
    """RFC 6121 4.6.3: it is outside of the broadcasts, before and after them."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.send("<presence to='%s'/>" % hers.jid)
    his.settle()
    hers.expect("presence", from_=his.jid)
    hers.message(romeo.jid, "are you there?")
    hers.settle()
    his.expect_nothing("message")


@pytest.mark.parametrize("leave", ["unavailable", "end", "cut"])
def test_who_got_directed_presence_is_told_of_the_end(people, leave):
    """RFC 6121 4.6.3, 4.5.2."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    his.send("<presence to='%s'/>" % hers.jid)
    hers.expect("presence", type=None, from_=his.jid)
    if leave == "unavailable":
        his.send("<presence type='unavailable'/>")
    else:
        getattr(his, leave)()
    hers.expect("presence", type="unavailable", from_=his.jid)
    hers.expect_nothing("presence")


def test_directed_presence_to_elsewhere_is_ended_there_too(person, component):
    """RFC 6121 4.6.3: as for a room."""
    far, romeo = component(FAR), person("romeo")
    his = romeo.login("balcony").online()
    his.send("<presence to='room@%s/nick'/>" % FAR)
    far.expect("presence", type=None, from_=his.jid, to="room@%s/nick" % FAR)
    his.cut()
    far.expect("presence", type="unavailable", from_=his.jid, to="room@%s/nick" % FAR)


def test_taken_back_directed_presence_is_not_ended_twice(people):
    """RFC 6121 4.6.3: after a directed unavailable there is nothing left to tell."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    his.send("<presence to='%s'/><presence type='unavailable' to='%s'/>" % (hers.jid, hers.jid))
    hers.expect("presence", type=None, from_=his.jid)
    hers.expect("presence", type="unavailable", from_=his.jid)
    his.end()
    romeo.login("orchard").sync()
    hers.expect_nothing("presence")


def test_directed_presence_to_a_subscriber_is_ended_once(friends):
    """RFC 6121 4.6.3: one unavailable, though it is due for two reasons."""
    romeo, juliet = friends
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    his.send("<presence to='%s'/>" % hers.jid)
    his.settle()
    hers.sync()
    his.send("<presence type='unavailable'/>")
    his.settle()
    assert len(presences(hers.sync(), "unavailable")) == 1


def test_directed_presence_to_who_is_not_there_comes_to_nothing(people):
    """RFC 6121 8.5.3.2.2, 8.5.1: silence, no error."""
    his, = (who.login("balcony").online() for who in people("romeo"))
    for to in ("ghost@im.example", "ghost@im.example/x", his.bare + "/x"):
        his.send("<presence to='%s'/><presence to='%s' type='unavailable'/>" % (to, to))
    assert not [el for el in presences(his.sync()) if el.get("from") != his.jid]


def test_error_presence_is_passed_on_and_not_answered(people):
    """RFC 6121 4.7.1."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    his.send("<presence type='error' to='%s' id='e1'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:"
             "xmpp-stanzas'/></error></presence>" % hers.jid)
    assert hers.expect("presence", type="error", id="e1").get("from") == his.jid
    his.send("<presence type='error' to='ghost@im.example'/>")
    his.expect_nothing("presence", type="error")
