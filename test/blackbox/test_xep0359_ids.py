"""Ids of messages that only the one who gives them may speak of: stanza-id, origin-id (XEP-0359), and delay stamps (XEP-0203)."""

import pytest

from client import NS_DELAY, NS_DISCO_INFO, q

NS_SID = "urn:xmpp:sid:0"
SERVER = {"domains": ("im.example", "other.example"), "components": {"bot.example": "secret"}}


@pytest.fixture
def pair(people):
    romeo, juliet = people("romeo", "juliet")
    return romeo.login("balcony"), juliet.login("chamber").online()


def sid(by, id="forged"):
    return "<stanza-id xmlns='%s' by='%s' id='%s'/>" % (NS_SID, by, id)


def got(his, hers, marks, to=None):
    his.send("<message to='%s' type='chat' id='m'><body>x</body>%s</message>" % (to or hers.bare, marks))
    return hers.expect("message", body="x")


def forged(message):
    return [el.get("by") for el in message.iter(q(NS_SID, "stanza-id")) if el.get("id") == "forged"]


@pytest.mark.parametrize("by", ["{her}", "{his}", "im.example", "other.example", "nobody@im.example", "{HER}", "IM.EXAMPLE", "{her}/x",
                                "room@OTHER.example", "im.example."])
def test_a_stanza_id_by_us_is_taken_out(pair, by):
    """XEP-0359 5.2: whoever compares addresses must find only ours; upper case is the same address."""
    his, hers = pair
    by = by.format(her=hers.bare, his=his.bare, HER=hers.bare.upper())
    assert forged(got(his, hers, sid(by))) == []


def test_many_of_them_are_all_taken_out(pair):
    his, hers = pair
    assert forged(got(his, hers, sid(hers.bare) + sid(hers.bare.upper()) + sid("far.example") + sid(hers.bare) * 50)) == ["far.example"]


@pytest.mark.parametrize("by", ["far.example", "room@muc.far.example", "sub.im.example", "im.example.far.example", "not an address@@", ""])
def test_a_stanza_id_by_others_passes(pair, by):
    """XEP-0359 5.3: those who route take out nothing else."""
    his, hers = pair
    assert forged(got(his, hers, sid(by))) == [by]


def test_an_origin_id_passes_whatever_it_says(pair):
    """XEP-0359 3.2: its content is kept."""
    his, hers = pair
    marks = "<origin-id xmlns='%s' id='o1'/><origin-id xmlns='%s' id='o2' by='%s'/>" % (NS_SID, NS_SID, hers.bare)
    found = [el.get("id") for el in got(his, hers, marks).iter(q(NS_SID, "origin-id"))]
    assert found == ["o1", "o2"]


def test_a_stanza_id_inside_a_forwarded_message_is_content(pair):
    his, hers = pair
    inner = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>%s</message></forwarded>" % sid(hers.bare)
    assert forged(got(his, hers, inner)) == [hers.bare]


def test_it_is_taken_out_of_what_a_component_sends(pair, component):
    _, hers = pair
    bot = component("bot.example")
    bot.send("<message from='bot.example' to='%s'><body>x</body>%s%s</message>" % (hers.bare, sid(hers.bare), sid("bot.example")))
    assert forged(hers.expect("message", body="x")) == ["bot.example"]


def test_it_is_taken_out_of_what_goes_elsewhere(pair, component):
    """Nobody outside is told ids of archives here, ours or invented (XEP-0313 2.5)."""
    his, _ = pair
    bot = component("bot.example")
    his.send("<message to='x@bot.example'><body>x</body>%s</message>" % sid(his.bare))
    assert forged(bot.expect("message", body="x")) == []


@pytest.mark.parametrize("sender", ["im.example", "IM.example", "other.example", "{her}"])
def test_a_delay_in_our_name_is_taken_out(pair, sender):
    his, hers = pair
    mark = "<delay xmlns='%s' from='%s' stamp='2000-01-01T00:00:00Z'/>" % (NS_DELAY, sender.format(her=hers.bare))
    assert got(his, hers, mark).find(q(NS_DELAY, "delay")) is None


@pytest.mark.parametrize("mark", ["from='far.example' stamp='9999-12-31T23:59:59Z'", "stamp='-001-01-01T00:00:00Z'", "from='{his}' stamp='x'"])
def test_a_delay_of_others_passes(pair, mark):
    """A client may say that it was late itself; what it says is its own."""
    his, hers = pair
    mark = mark.format(his=his.bare)
    assert got(his, hers, "<delay xmlns='%s' %s/>" % (NS_DELAY, mark)).find(q(NS_DELAY, "delay")) is not None


def test_accounts_say_that_they_look_after_ids(pair):
    """XEP-0359 6."""
    his, _ = pair
    info = his.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=his.bare)
    assert NS_SID in [el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))]
