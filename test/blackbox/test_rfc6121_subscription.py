"""Presence subscriptions: the states of RFC 6121 appendix A in both directions, and what goes with them (RFC 6121 3).

The contact lives on a component, which stands for another server: it shows exactly what is routed to it, and sends
whatever it likes. A state is the user's towards the contact: (subscription, ask, whether a request is pending in)."""

import pytest

from client import error_of
from roster import PRE_APPROVAL_FEATURE, fetch, item, items_of, push, pushes, put

FAR = "verona.example"
SERVER = {"components": {FAR: "a secret of verona"}}
CONTACT = "juliet@" + FAR

KINDS = ("subscribe", "subscribed", "unsubscribe", "unsubscribed")

# How to come to each state, from none: > what the user sends, < what the contact sends.
STATES = {
    "None": [],
    "None+Out": [">subscribe"],
    "None+In": ["<subscribe"],
    "None+OutIn": [">subscribe", "<subscribe"],
    "To": [">subscribe", "<subscribed"],
    "To+In": [">subscribe", "<subscribed", "<subscribe"],
    "From": ["<subscribe", ">subscribed"],
    "From+Out": ["<subscribe", ">subscribed", ">subscribe"],
    "Both": ["<subscribe", ">subscribed", ">subscribe", "<subscribed"],
}

# What each state looks like: subscription, ask, request pending in.
SEEN = {
    "None": ("none", None, False), "None+Out": ("none", "subscribe", False), "None+In": ("none", None, True),
    "None+OutIn": ("none", "subscribe", True), "To": ("to", None, False), "To+In": ("to", None, True),
    "From": ("from", None, False), "From+Out": ("from", "subscribe", False), "Both": ("both", None, False),
}

# RFC 6121 A.2: what the user sends -> state -> (is it routed, the new state).
OUTBOUND = {
    "subscribe": {          # A.2.1
        "None": (True, "None+Out"), "None+Out": (True, "None+Out"), "None+In": (True, "None+OutIn"),
        "None+OutIn": (True, "None+OutIn"), "To": (True, "To"), "To+In": (True, "To+In"), "From": (True, "From+Out"),
        "From+Out": (True, "From+Out"), "Both": (True, "Both")},
    "unsubscribe": {        # A.2.2
        "None": (True, "None"), "None+Out": (True, "None"), "None+In": (True, "None+In"),
        "None+OutIn": (True, "None+In"), "To": (True, "None"), "To+In": (True, "None+In"), "From": (True, "From"),
        "From+Out": (True, "From"), "Both": (True, "From")},
    "subscribed": {         # A.2.3; where there is no request it is a pre-approval, which stays at home
        "None": (False, "None"), "None+Out": (False, "None+Out"), "None+In": (True, "From"),
        "None+OutIn": (True, "From+Out"), "To": (False, "To"), "To+In": (True, "Both"), "From": (False, "From"),
        "From+Out": (False, "From+Out"), "Both": (False, "Both")},
    "unsubscribed": {       # A.2.4
        "None": (False, "None"), "None+Out": (False, "None+Out"), "None+In": (True, "None"),
        "None+OutIn": (True, "None+Out"), "To": (False, "To"), "To+In": (True, "To"), "From": (True, "None"),
        "From+Out": (True, "None+Out"), "Both": (True, "To")},
}

# RFC 6121 A.3: what the contact sends -> state -> (is it delivered, the new state).
INBOUND = {
    "subscribe": {          # A.3.1
        "None": (True, "None+In"), "None+Out": (True, "None+OutIn"), "None+In": (False, "None+In"),
        "None+OutIn": (False, "None+OutIn"), "To": (True, "To+In"), "To+In": (False, "To+In"), "From": (False, "From"),
        "From+Out": (False, "From+Out"), "Both": (False, "Both")},
    "unsubscribe": {        # A.3.2
        "None": (False, "None"), "None+Out": (False, "None+Out"), "None+In": (True, "None"),
        "None+OutIn": (True, "None+Out"), "To": (False, "To"), "To+In": (True, "To"), "From": (True, "None"),
        "From+Out": (True, "None+Out"), "Both": (True, "To")},
    "subscribed": {         # A.3.3
        "None": (False, "None"), "None+Out": (True, "To"), "None+In": (False, "None+In"),
        "None+OutIn": (True, "To+In"), "To": (False, "To"), "To+In": (False, "To+In"), "From": (False, "From"),
        "From+Out": (True, "Both"), "Both": (False, "Both")},
    "unsubscribed": {       # A.3.4
        "None": (False, "None"), "None+Out": (True, "None"), "None+In": (False, "None+In"),
        "None+OutIn": (True, "None+In"), "To": (True, "None"), "To+In": (True, "None+In"), "From": (False, "From"),
        "From+Out": (True, "From"), "Both": (True, "From")},
}

ROWS = [(kind, state) for kind in KINDS for state in STATES]


class Scene:
    """The user, online and interested, and the contact's server."""

    def __init__(self, person, component, state="None"):
        self.far = component(FAR)
        self.person = person("romeo")
        self.user = self.person.login("balcony")
        self.user.interested()
        self.user.online()
        for step in STATES[state]:
            self.far_sends(step[1:]) if step[0] == "<" else self.user_sends(step[1:])
        if state == "None":
            put(self.user, item(CONTACT))
        self.meanwhile()

    def user_sends(self, kind):
        self.user.subscription(kind, CONTACT)
        self.far.wait_for(self.user)

    def far_sends(self, kind, contact=CONTACT):
        self.far.send("<presence type='%s' from='%s' to='%s'/>" % (kind, contact, self.person.jid))
        self.far.mark(self.user)

    def meanwhile(self):
        """(what the user, what the far server has got) since the last time."""
        self.far.wait_for(self.user), self.far.mark(self.user), self.far.wait_for(self.user)
        return self.user.sync(), self.far.sync()

    def look(self):
        """The state as it can be seen: in the roster, and in the requests that a new resource is given."""
        got = items_of(fetch(self.user)).get(CONTACT)
        late = self.person.login("later")
        late.send("<presence/>")
        pending = any(el.get("type") == "subscribe" and el.get("from") == CONTACT for el in late.sync())
        return (got.subscription, got.ask, pending) if got else ("none", None, pending)


def presences(stanzas, *types):
    return [el for el in stanzas if el.tag.endswith("}presence") and el.get("type") in types]


@pytest.mark.parametrize("kind, state", ROWS)
def test_outbound(person, component, kind, state):
    """RFC 6121 A.2: routed or not, the new state, the push, and the presence that goes with it."""
    routed, new = OUTBOUND[kind][state]
    scene = Scene(person, component, state)
    scene.user_sends(kind)
    here, there = scene.meanwhile()

    out = presences(there, kind)
    assert len(out) == (1 if routed else 0)
    for el in out:
        assert el.get("from") == scene.person.jid, "RFC 6121 3.1.2: the bare JID is stamped"
        assert el.get("to") == CONTACT
    told = [(p.subscription, p.ask) for p in pushes(here) if p.jid == CONTACT]
    if SEEN[new][:2] != SEEN[state][:2]:
        assert told[-1:] == [SEEN[new][:2]], "RFC 6121 3.1.2, 3.1.5, 3.2.2, 3.3.2: a push tells the new state"
    else:
        assert set(told) <= {SEEN[new][:2]}
    gave = state.startswith(("From", "Both"))
    gives = new.startswith(("From", "Both"))
    mine = presences(there, None, "unavailable")
    if gives and not gave:
        assert [el.get("from") for el in presences(mine, None)] == [scene.user.jid], "RFC 6121 3.1.5"
    if gave and not gives:
        assert [el.get("from") for el in presences(mine, "unavailable")] == [scene.user.jid], "RFC 6121 3.2.2"
    if gave == gives:
        assert not mine
    assert scene.look() == SEEN[new]


@pytest.mark.parametrize("kind, state", ROWS)
def test_inbound(person, component, kind, state):
    """RFC 6121 A.3: delivered or not, the new state, the push, and what the server answers by itself."""
    delivered, new = INBOUND[kind][state]
    scene = Scene(person, component, state)
    scene.far_sends(kind)
    here, there = scene.meanwhile()

    got = presences(here, kind)
    assert len(got) == (1 if delivered else 0)
    for el in got:
        assert el.get("from") == CONTACT and el.get("to") in (scene.person.jid, scene.user.jid)
    told = [(p.subscription, p.ask) for p in pushes(here) if p.jid == CONTACT]
    if SEEN[new][:2] != SEEN[state][:2]:
        assert told[-1:] == [SEEN[new][:2]], "RFC 6121 3.1.6, 3.2.3, 3.3.3: a push tells the new state"
    else:
        assert set(told) <= {SEEN[new][:2]}
    gave, gives = state.startswith(("From", "Both")), new.startswith(("From", "Both"))
    if gave and not gives:
        assert [el.get("from") for el in presences(there, "unavailable")] == [scene.user.jid], "RFC 6121 3.3.3"
    if kind == "subscribe" and gave:
        assert [el.get("from") for el in presences(there, "subscribed")] == [scene.person.jid], "RFC 6121 3.1.3"
    else:
        assert not presences(there, "subscribed")
    assert scene.look() == SEEN[new]


# -- requests ------------------------------------------------------------------------------------------------------

def test_request_alone_puts_nothing_in_the_roster(person, component):
    """RFC 6121 3.1.3, A.3.1: None+In is not shown."""
    scene = Scene(person, component)
    put(scene.user, item(CONTACT, subscription="remove"))
    scene.meanwhile()
    scene.far_sends("subscribe")
    here, _ = scene.meanwhile()
    assert not pushes(here)
    assert items_of(fetch(scene.user)) == {}


def test_request_carries_what_the_asker_wrote(person, component):
    """RFC 6121 3.1.3: the request is delivered as it is, also after it was kept."""
    scene = Scene(person, component)
    scene.far.send("<presence type='subscribe' from='%s' to='%s' id='s1'><status>It is I</status>"
                   "<nick xmlns='http://jabber.org/protocol/nick'>Juliet</nick></presence>" % (CONTACT, scene.person.jid))

    def checked(client):
        el = client.expect("presence", type="subscribe", from_=CONTACT)
        assert el.find("{jabber:client}status").text == "It is I"
        assert el.find("{http://jabber.org/protocol/nick}nick").text == "Juliet"
    checked(scene.user)
    late = scene.person.login("later")
    late.send("<presence/>")
    checked(late)


def test_request_to_who_is_away_waits_and_is_given_at_each_login_until_answered(person, component):
    """RFC 6121 3.1.3: kept once however often it was sent, delivered to each new available resource."""
    far, romeo = component(FAR), person("romeo")
    for _ in range(3):
        far.send("<presence type='subscribe' from='%s' to='%s'/>" % (CONTACT, romeo.jid))
    far.sync()
    for resource in ("first", "second"):
        client = romeo.login(resource)
        client.expect_nothing("presence", type="subscribe")
        client.send("<presence/>")
        assert len(presences(client.sync(), "subscribe")) == 1
        client.end()
    client = romeo.login("third").online()
    client.subscription("unsubscribed", CONTACT)
    client.sync()
    late = romeo.login("fourth")
    late.send("<presence/>")
    assert not presences(late.sync(), "subscribe")


def test_request_goes_to_every_available_resource(person, component):
    """RFC 6121 3.1.3, 8.5.2.1.2."""
    far, romeo = component(FAR), person("romeo")
    orchard, balcony, cell = romeo.login("orchard").online(), romeo.login("balcony").online(), romeo.login("cell")
    far.send("<presence type='subscribe' from='%s' to='%s'/>" % (CONTACT, romeo.jid))
    far.sync()
    for client in (orchard, balcony):
        client.expect("presence", type="subscribe", from_=CONTACT)
    cell.expect_nothing("presence")


def test_request_to_a_full_jid_is_one_to_the_account(person, component):
    """RFC 6121 3.1.2: subscriptions are of bare JIDs, whatever was typed."""
    far, romeo = component(FAR), person("romeo")
    client = romeo.login("balcony").online()
    client.interested()
    client.subscription("subscribe", CONTACT + "/chamber")
    assert push(client).jid == CONTACT
    client.sync()
    far.expect("presence", type="subscribe", from_=romeo.jid, to=CONTACT)


def test_request_to_an_account_that_is_not_there(person):
    """RFC 6121 3.1.3 step 3, 8.5.1: nobody answers for it that it is there; at most <unsubscribed/> comes."""
    client = person("romeo").login("balcony").online()
    client.subscription("subscribe", "ghost@im.example")
    assert not presences(client.sync(), "subscribed", None)


# -- pre-approval --------------------------------------------------------------------------------------------------

def test_pre_approval_is_advertised(person):
    """RFC 6121 3.4."""
    assert person("romeo").login("balcony").features.find(PRE_APPROVAL_FEATURE) is not None


def test_pre_approved_request_is_answered_by_the_server(person, component):
    """RFC 6121 3.4.2: the item shows approved, and the request later is not even delivered."""
    scene = Scene(person, component)
    scene.user_sends("subscribed")
    here, there = scene.meanwhile()
    assert [p.approved for p in pushes(here)][-1:] == [True] and not presences(there, "subscribed")
    assert items_of(fetch(scene.user))[CONTACT].approved
    scene.far_sends("subscribe")
    here, there = scene.meanwhile()
    assert not presences(here, "subscribe")
    assert len(presences(there, "subscribed")) == 1
    assert [p.subscription for p in pushes(here)][-1:] == ["from"]
    assert [el.get("from") for el in presences(there, None)] == [scene.user.jid]


def test_pre_approval_can_be_taken_back(person, component):
    """RFC 6121 3.4.2, A.2.4 note 1: by unsubscribed."""
    scene = Scene(person, component)
    scene.user_sends("subscribed")
    scene.user_sends("unsubscribed")
    _, there = scene.meanwhile()
    assert not presences(there, "unsubscribed")
    assert not items_of(fetch(scene.user))[CONTACT].approved
    scene.far_sends("subscribe")
    here, there = scene.meanwhile()
    assert len(presences(here, "subscribe")) == 1 and not presences(there, "subscribed")


def test_pre_approval_of_a_stranger_makes_an_item(person, component):
    """RFC 6121 3.4.2: the contact need not be in the roster."""
    far, client = component(FAR), person("romeo").login("balcony")
    client.interested()
    client.subscription("subscribed", CONTACT)
    got = push(client, CONTACT)
    assert got.approved and got.subscription == "none"
    assert items_of(fetch(client))[CONTACT].approved
    far.expect_nothing("presence")


# -- leaving the roster --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("state, sent", [("To", {"unsubscribe"}), ("From", {"unsubscribed"}),
                                         ("Both", {"unsubscribe", "unsubscribed"})])
def test_removing_an_item_ends_its_subscriptions(person, component, state, sent):
    """RFC 6121 2.5.2."""
    scene = Scene(person, component, state)
    put(scene.user, item(CONTACT, subscription="remove"))
    here, there = scene.meanwhile()
    assert {el.get("type") for el in presences(there, *KINDS)} == sent
    assert [p.subscription for p in pushes(here)] == ["remove"]
    if state != "To":
        assert [el.get("from") for el in presences(there, "unavailable")] == [scene.user.jid]
    assert scene.look() == SEEN["None"]


# -- both on this server -------------------------------------------------------------------------------------------

def test_two_people_become_contacts_and_part(people):
    """RFC 6121 3.1 to 3.3 from both sides at once, and the presence between."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    his.interested(), hers.interested()
    his.online(), hers.online()

    his.subscription("subscribe", juliet.jid)
    assert (lambda p: (p.subscription, p.ask))(push(his, juliet.jid)) == ("none", "subscribe")
    hers.expect("presence", type="subscribe", from_=romeo.jid)
    hers.subscription("subscribed", romeo.jid)
    assert push(hers, romeo.jid).subscription == "from"
    his.expect("presence", type="subscribed", from_=juliet.jid)
    assert push(his, juliet.jid).subscription == "to"
    his.expect("presence", type=None, from_=hers.jid)

    hers.subscription("subscribe", romeo.jid)
    assert push(hers, romeo.jid).ask == "subscribe"
    his.expect("presence", type="subscribe", from_=juliet.jid)
    his.subscription("subscribed", juliet.jid)
    assert push(his, juliet.jid).subscription == "both"
    assert push(hers, romeo.jid).subscription == "both"
    hers.expect("presence", type=None, from_=his.jid)
    his.sync(), hers.sync()

    put(his, item(juliet.jid, subscription="remove"))
    assert push(his, juliet.jid).subscription == "remove"
    hers.expect("presence", type="unavailable", from_=his.jid)
    his.expect("presence", type="unavailable", from_=hers.jid)
    his.settle()
    assert [p.subscription for p in pushes(hers.sync())][-1] == "none"


def test_subscribing_to_oneself_changes_nothing(person):
    """RFC 6121 4.2.2: a user is subscribed to the own presence already."""
    client = person("romeo").login("balcony").online()
    client.subscription("subscribe", client.bare)
    client.sync()
    assert client.bare not in items_of(fetch(client))
    assert error_of(client.ping()) == (None, None)
