"""Delivery: the addressee's situation x the kind of stanza (RFC 6121 8.5)."""

import pytest

from client import error_of

# What resources there are, with their priorities; None: connected, but it has sent no presence.
SITUATIONS = {
    "away": {},
    "connected": {"mute": None},
    "negative": {"never": -1},
    "one": {"only": 0},
    "several": {"high": 5, "low": 1, "never": -1},
    "equal": {"left": 3, "right": 3},
}

KEEP = "kept for later"
ERROR = "answered with <service-unavailable/>"
DROP = "dropped, with an error or without"
SILENT = "dropped without a word"

# To whom "the most available" may mean (RFC 6121 8.5.2.1.1): the highest priority, or all that are not negative.
BEST = {"one": [{"only"}], "several": [{"high"}, {"high", "low"}], "equal": [{"left"}, {"right"}, {"left", "right"}]}
ALL = {"one": [{"only"}], "several": [{"high", "low"}], "equal": [{"left", "right"}]}
NOBODY = ("away", "connected", "negative")
SOMEBODY = ("one", "several", "equal")

# RFC 6121 8.5.4: (to, type) -> what becomes of it where no resource is to be had, and where one is.
RULES = {
    ("bare", "normal"): (KEEP, BEST),
    ("bare", "chat"): (KEEP, BEST),
    ("bare", "groupchat"): (ERROR, ERROR),
    ("bare", "headline"): (DROP, ALL),
    ("bare", "error"): (SILENT, SILENT),
    ("unmatched", "normal"): (DROP, DROP),
    ("unmatched", "chat"): (KEEP, BEST),
    ("unmatched", "groupchat"): (DROP, DROP),
    ("unmatched", "headline"): (DROP, DROP),
    ("unmatched", "error"): (SILENT, SILENT),
}


class Scene:
    """The sender, and the addressee in a situation."""

    def __init__(self, people, situation):
        romeo, self.juliet = people("romeo", "juliet")
        self.sender = romeo.login("balcony")
        self.resources = {}
        for name, priority in SITUATIONS[situation].items():
            self.resources[name] = self.juliet.login(name)
            if priority is not None:
                self.resources[name].online(priority)
        for client in self.resources.values():
            client.sync()

    def deliver(self, to, type):
        """Sends one message; gives back who got it and what the sender was told."""
        kind = "" if type == "normal" else " type='%s'" % type
        inner = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" * (type == "error")
        self.sender.send("<message id='m' to='%s'%s><body>to whom it may concern</body>%s</message>" % (to, kind, inner))
        told = [error_of(el) for el in self.sender.sync() if el.get("id") == "m"]
        got = {name for name, client in self.resources.items()
               if [el for el in client.sync() if el.get("id") == "m"]}
        return got, told

    def kept(self):
        """Whether the message waits for the addressee's next resource."""
        late = self.juliet.login("late")
        late.send("<presence><priority>10</priority></presence>")
        return bool([el for el in late.flush() if el.get("id") == "m"])


ROWS = [(to, type, situation) for to, type in RULES for situation in SITUATIONS]


@pytest.mark.parametrize("to, type, situation", ROWS)
def test_message(people, to, type, situation):
    """RFC 6121 8.5.2 for bare JIDs, 8.5.3.2 for full JIDs that no resource has."""
    scene = Scene(people, situation)
    outcome = RULES[to, type][situation in SOMEBODY]
    got, told = scene.deliver(scene.juliet.jid + ("/gone" if to == "unmatched" else ""), type)
    if isinstance(outcome, dict):
        assert got in outcome[situation] and not told
        assert not scene.kept(), "delivered once is enough"
        return
    assert not got
    if outcome == ERROR:
        assert told == [("cancel", "service-unavailable")]
    elif outcome == DROP:
        assert told in ([], [("cancel", "service-unavailable")])
    else:
        assert told == []
    assert scene.kept() == (outcome == KEEP)


@pytest.mark.parametrize("type", ["normal", "chat", "groupchat", "headline", "error"])
@pytest.mark.parametrize("priority", [0, -1, None], ids=["available", "negative", "only connected"])
def test_message_to_a_full_jid_that_is_there(people, type, priority):
    """RFC 6121 8.5.3.1: delivered to it and nobody else, whatever the type, whatever its priority."""
    romeo, juliet = people("romeo", "juliet")
    sender, hers, other = romeo.login("balcony"), juliet.login("chamber"), juliet.login("garden").online(10)
    if priority is not None:
        hers.online(priority)
    other.sync()
    sender.send("<message id='m' to='%s' type='%s'><body>x</body></message>" % (hers.jid, type))
    assert not [el for el in sender.sync() if el.get("id") == "m"]
    hers.expect("message", id="m", type=type, from_=sender.jid, to=hers.jid)
    other.expect_nothing("message")


@pytest.mark.parametrize("to", ["ghost@im.example", "ghost@im.example/x"])
@pytest.mark.parametrize("type", ["normal", "chat", "groupchat", "headline", "error"])
def test_message_to_an_account_that_is_not_there(people, type, to):
    """RFC 6121 8.5.1: silence or <service-unavailable/>, and never an answer to an error."""
    sender = people("romeo")[0].login("balcony")
    sender.send("<message id='m' to='%s' type='%s'><body>x</body></message>" % (to, type))
    told = [error_of(el) for el in sender.sync() if el.get("id") == "m"]
    assert told in ([[], [("cancel", "service-unavailable")]] if type != "error" else [[]])


def test_message_without_to_is_one_to_oneself(person):
    """RFC 6120 10.3.1: the own bare JID."""
    romeo = person("romeo")
    sender, other = romeo.login("balcony").online(1), romeo.login("orchard").online(5)
    sender.send("<message id='m' type='chat'><body>note to self</body></message>")
    sender.settle()
    other.expect("message", id="m", from_=sender.jid)


def test_message_keeps_its_words_and_gets_its_addresses(people):
    """RFC 6120 8.1.2.1, RFC 6121 5.2: subject, thread, bodies by language, id and type as they were."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.send("<message to='%s' id='m1'><subject>s</subject><thread parent='p'>t</thread><body>b</body>"
             "<body xml:lang='cs'>č</body></message>" % juliet.jid)
    el = hers.expect("message", id="m1", from_=his.jid, to=juliet.jid)
    assert el.get("type") in (None, "normal")
    assert el.find("{jabber:client}subject").text == "s"
    assert el.find("{jabber:client}thread").text == "t" and el.find("{jabber:client}thread").get("parent") == "p"
    assert sorted(b.text for b in el.iter("{jabber:client}body")) == ["b", "č"]


def test_priority_changes_decide_from_then_on(people):
    """RFC 6121 8.5.2.1.1: by the presence that is in force."""
    romeo, juliet = people("romeo", "juliet")
    his, one, two = romeo.login("balcony"), juliet.login("one").online(1), juliet.login("two").online(-1)
    his.message(juliet.jid, "first")
    one.expect("message", body="first")
    two.online(5), one.online(-1)
    two.sync(), one.sync()
    his.message(juliet.jid, "second")
    his.settle()
    two.expect("message", body="second")
    one.expect_nothing("message")


# -- IQ ------------------------------------------------------------------------------------------------------------

UNKNOWN = "<mystery xmlns='urn:example:unknown'/>"


@pytest.mark.parametrize("type", ["get", "set"])
def test_iq_to_a_bare_jid_is_the_servers_to_answer(people, type):
    """RFC 6121 8.5.2.1.3, 8.5.2.2.3: on behalf of the account; no client ever sees it."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    assert error_of(his.ask(type, UNKNOWN, to=juliet.jid)) == ("cancel", "service-unavailable")
    hers.expect_nothing("iq")


@pytest.mark.parametrize("to", ["ghost@im.example", "ghost@im.example/x", "{juliet}/gone"])
@pytest.mark.parametrize("type", ["get", "set"])
def test_iq_to_who_is_not_there(people, type, to):
    """RFC 6121 8.5.1, 8.5.3.2.3: <service-unavailable/>."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    reply = his.ask(type, UNKNOWN, to=to.format(juliet=juliet.jid))
    assert error_of(reply) == ("cancel", "service-unavailable")
    assert reply.get("from") == to.format(juliet=juliet.jid)
    hers.expect_nothing("iq")


@pytest.mark.parametrize("priority", [0, -1, None], ids=["available", "negative", "only connected"])
@pytest.mark.parametrize("type", ["get", "set", "result", "error"])
def test_iq_to_a_full_jid_that_is_there(people, type, priority):
    """RFC 6121 8.5.3.1."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    if priority is not None:
        hers.online(priority)
    his.send("<iq id='q1' type='%s' to='%s'>%s</iq>" % (type, hers.jid, UNKNOWN))
    hers.expect("iq", id="q1", type=type, from_=his.jid)
    his.expect_nothing("iq", id="q1")


def test_answer_to_a_client_that_has_left_is_dropped(people):
    """RFC 6121 8.5.3.2.3: results and errors without an addressee vanish."""
    romeo, juliet = people("romeo", "juliet")
    hers = juliet.login("chamber")
    for type in ("result", "error"):
        hers.send("<iq id='q1' type='%s' to='%s/gone'/>" % (type, romeo.jid))
    hers.expect_nothing()


# -- presence ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("situation, getters", [
    ("away", set()), ("connected", set()), ("negative", {"never"}), ("one", {"only"}),
    ("several", {"high", "low", "never"}), ("equal", {"left", "right"})])
@pytest.mark.parametrize("type", [None, "unavailable"])
def test_presence_to_a_bare_jid(people, type, situation, getters):
    """RFC 6121 8.5.2.1.2, 8.5.2.2.2: to every available resource, negative ones too; to nobody else, and no error."""
    scene = Scene(people, situation)
    scene.sender.send("<presence id='p' to='%s'%s/>" % (scene.juliet.jid, type and " type='%s'" % type or ""))
    scene.sender.expect_nothing("presence")
    got = {name for name, client in scene.resources.items() if [el for el in client.sync() if el.get("id") == "p"]}
    assert got == getters


@pytest.mark.parametrize("to", ["ghost@im.example", "ghost@im.example/x", "{juliet}/gone"])
@pytest.mark.parametrize("type", ["", " type='unavailable'", " type='error'"])
def test_presence_to_who_is_not_there(people, type, to):
    """RFC 6121 8.5.1, 8.5.3.2.2: silence."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.send("<presence to='%s'%s/>" % (to.format(juliet=juliet.jid), type))
    his.expect_nothing("presence")
    hers.expect_nothing("presence")
