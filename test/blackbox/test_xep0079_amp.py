"""Message processing rules (XEP-0079): what the sender's and the addressee's server do with a message, and what the sender hears."""

import datetime

import pytest

from client import NS_DISCO_INFO, befriend, error_of, local, q
from test_offline import arrive, bodies

SERVER = {"components": {"echo.im.example": "secret of echo"}}
NS = "http://jabber.org/protocol/amp"
ERRORS = NS + "#errors"
LONG_AGO, LONG_HENCE = "2004-01-01T00:00:00Z", "9999-12-31T23:59:59Z"


@pytest.fixture
def friends(people):
    """The sender, connected, who sees the presence of the account that is away."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("first")
    befriend(his, hers)
    hers.end()
    return his, juliet


def rule(action, condition, value):
    return "<rule action='%s' condition='%s' value='%s'/>" % (action, condition, value)


def send(client, to, rules, id="m1", attrs="", type="chat", body="hello"):
    client.send("<message to='%s' id='%s' type='%s'><body>%s</body><amp xmlns='%s'%s>%s</amp></message>" % (
        to, id, type, body, NS, attrs, rules))


def amp_of(el):
    return el.find(q(NS, "amp"))


def rules_of(el):
    return [(r.get("action"), r.get("condition"), r.get("value")) for r in el if local(r) == "rule"]


def check_event(el, status, his, to, *met):
    """XEP-0079 2.2.5, 3.4: the rule, the id, whose message it was; not what was in it."""
    assert el.get("id") == "m1" and el.get("from") == "im.example" and el.get("to") == his.jid
    amp = amp_of(el)
    assert (amp.get("status"), amp.get("from"), amp.get("to")) == (status, his.jid, to)
    assert rules_of(amp) == list(met) and el.find("{jabber:client}body") is None
    if status == "error":
        assert error_of(el) == ("modify", "undefined-condition")
        assert rules_of(el.find(".//" + q(ERRORS, "failed-rules"))) == list(met)
    else:
        assert el.get("type") in (None, "normal")


def test_support_is_told(person):
    """XEP-0079 2.1.1, 10: the feature, the node with each action and condition, and the stream feature."""
    client = person("romeo").login()

    def features(node=""):
        info = client.ask("get", "<query xmlns='%s'%s/>" % (NS_DISCO_INFO, node), to="im.example")
        return {el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))}
    assert NS in features()
    assert features(" node='%s'" % NS) == {NS} | {NS + "?action=" + a for a in ("alert", "drop", "error", "notify")} | {
        NS + "?condition=" + c for c in ("deliver", "expire-at", "match-resource")}


@pytest.mark.parametrize("action", ["alert", "drop", "error", "notify"])
def test_rule_for_what_would_be_stored(friends, action):
    """XEP-0079 3.4, 5.3: only notify lets it be stored."""
    his, juliet = friends
    met = (action, "deliver", "stored")
    send(his, juliet.jid, rule(action, "deliver", "direct") + rule(*met))
    events = [el for el in his.sync() if local(el) == "message"]
    if action == "drop":
        assert not events
    else:
        check_event(events[0], action, his, juliet.jid, met)
        assert len(events) == 1
    assert bodies(arrive(juliet)[1]) == (["hello"] if action == "notify" else [])


@pytest.mark.parametrize("action", ["alert", "drop", "error", "notify"])
def test_rule_for_what_would_be_delivered(friends, action):
    his, juliet = friends
    client, _ = arrive(juliet)
    his.sync()
    met = (action, "deliver", "direct")
    send(his, client.jid, rule(action, "deliver", "stored") + rule(*met))
    events = [el for el in his.sync() if local(el) == "message"]
    got = [el for el in client.flush() if local(el) == "message"]
    if action != "drop":
        check_event(events[0], action, his, client.jid, met)
    assert len(events) == (0 if action == "drop" else 1)
    assert bodies(got) == (["hello"] if action == "notify" else [])


def test_message_is_passed_on_with_its_rules_and_whose_it_is(friends):
    """XEP-0079 6.1: what a client says of status, from and to is not believed."""
    his, juliet = friends
    client, _ = arrive(juliet)
    send(his, juliet.jid, rule("drop", "deliver", "stored"), attrs=" status='alert' from='pope@rome.example' to='x@y'")
    amp = amp_of(client.expect("message", id="m1"))
    assert (amp.get("status"), amp.get("from"), amp.get("to")) == (None, his.jid, juliet.jid)
    his.expect_nothing("message")


def test_headline_that_nobody_gets_is_not_delivered(friends):
    his, juliet = friends
    send(his, juliet.jid, rule("error", "deliver", "none"), type="headline")
    check_event(his.expect("message", id="m1"), "error", his, juliet.jid, ("error", "deliver", "none"))


@pytest.mark.parametrize("when, delivered", [(LONG_AGO, False), (LONG_HENCE, True)])
def test_message_may_come_too_late(friends, when, delivered):
    """XEP-0079 5.2."""
    his, juliet = friends
    client, _ = arrive(juliet)
    his.sync()
    send(his, juliet.jid, rule("error", "expire-at", when))
    events = [el for el in his.sync() if local(el) == "message"]
    assert bool(client.flush()) == delivered and len(events) == (not delivered)
    if events:
        check_event(events[0], "error", his, juliet.jid, ("error", "expire-at", when))


@pytest.mark.parametrize("action", ["alert", "drop", "error", "notify"])
def test_stored_message_expires(friends, action):
    """XEP-0079 9: it is judged again when it comes up for delivery; what comes behind it is not held up."""
    his, juliet = friends
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
    when = soon.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (soon.microsecond // 1000)
    his.message(juliet.jid, "before")
    send(his, juliet.jid, rule(action, "expire-at", when))
    his.message(juliet.jid, "behind")
    his.expect_nothing("message")
    while datetime.datetime.now(datetime.timezone.utc) <= soon:
        his.settle()
    want = ["before", "hello", "behind"] if action == "notify" else ["before", "behind"]
    client, got = arrive(juliet)
    assert bodies(got) == want
    if action == "drop":
        his.expect_nothing("message")
    else:
        check_event(his.expect("message"), action, his, juliet.jid, (action, "expire-at", when))
    client.end()
    assert not arrive(juliet)[1], "and it does not come back"


def test_resource_is_matched(friends):
    """XEP-0079 3.3.3, 5.1."""
    his, juliet = friends
    client, _ = arrive(juliet, "pda")
    his.sync()
    for to, value, met in ((client.jid, "exact", True), (client.jid, "other", False), (client.jid, "any", True),
                           (juliet.jid + "/gone", "exact", False), (juliet.jid + "/gone", "other", True),
                           (juliet.jid, "exact", False), (juliet.jid, "other", True), (juliet.jid, "any", True)):
        send(his, to, rule("alert", "match-resource", value))
        events = [el for el in his.sync() if local(el) == "message"]
        assert bool(events) == met and bool(client.flush()) == (not met), (to, value)
        if met:
            check_event(events[0], "alert", his, to, ("alert", "match-resource", value))
    send(his, client.jid, rule("alert", "match-resource", "any"), attrs=" per-hop='true'")
    client.expect("message", id="m1")


def test_reliable_transport_hears_that_the_resource_is_gone(friends):
    """XEP-0079 7.1."""
    his, juliet = friends
    to = juliet.jid + "/pda"
    send(his, to, rule("error", "expire-at", LONG_HENCE) + rule("error", "match-resource", "other"), attrs=" per-hop='true'")
    his.expect_nothing("message")   # per-hop: the second one does not count
    send(his, to, rule("error", "expire-at", LONG_HENCE) + rule("error", "match-resource", "other"))
    check_event(his.expect("message"), "error", his, to, ("error", "match-resource", "other"))


def test_strangers_learn_nothing(people):
    """XEP-0079 11: who may not see the addressee's presence may let a message be dropped, not ask what became of it. It
    makes no difference whether he is online, or there at all."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")
    answers = []
    for to in (juliet.jid, "nobody@im.example", juliet.jid):
        for condition, value in (("deliver", "stored"), ("match-resource", "any"), ("expire-at", LONG_HENCE)):
            asked = rule("notify", condition, value)
            send(his, to, rule("drop", "deliver", "gateway") + asked)
            error = his.expect("message", id="m1", type="error")
            assert error_of(error) == ("modify", "not-acceptable") and error.get("from") == "im.example"
            assert rules_of(error.find(".//" + q(NS, "invalid-rules"))) == [("notify", condition, value)]
            answers.append((condition, error_of(error)))
        client, got = arrive(juliet, "home") if to == juliet.jid else (None, [])
        assert not got
    assert answers[:3] == answers[3:6] == answers[6:]
    client, _ = arrive(juliet)
    client.end()
    send(his, juliet.jid, rule("drop", "deliver", "direct"), body="dropped")
    assert "dropped" not in bodies(arrive(juliet, "home")[1])


@pytest.mark.parametrize("rules, condition, element", [
    (rule("explode", "deliver", "stored"), "bad-request", "unsupported-actions"),
    (rule("drop", "full-moon", "1"), "bad-request", "unsupported-conditions"),
    (rule("drop", "deliver", "thrown"), "not-acceptable", "invalid-rules"),
    (rule("drop", "match-resource", "similar"), "not-acceptable", "invalid-rules"),
    (rule("drop", "expire-at", "2004-02-30T00:00:00Z"), "not-acceptable", "invalid-rules"),
    (rule("drop", "expire-at", "2004-01-01T00:00:00+02:00"), "not-acceptable", "invalid-rules"),
    (rule("drop", "expire-at", "-9999-01-01T00:00:00Z"), "not-acceptable", "invalid-rules"),
    (rule("drop", "expire-at", "tomorrow"), "not-acceptable", "invalid-rules"),
    ("<rule action='drop' condition='deliver'/>", "bad-request", None),
    (rule("drop", "deliver", ""), "bad-request", None),
    ("", "bad-request", None),
    ("<ruler/>", "bad-request", None),
])
def test_rules_that_cannot_be_followed_are_refused(friends, rules, condition, element):
    """XEP-0079 8.1."""
    his, juliet = friends
    send(his, juliet.jid, rules)
    error = his.expect("message", id="m1", type="error")
    assert error_of(error) == ("modify", condition) and error.get("from") == "im.example"
    if element:
        assert len(rules_of(error.find(".//" + q(NS, element)))) == 1
    assert not arrive(juliet)[1]


def test_message_with_rules_needs_an_id(friends):
    """XEP-0079 2."""
    his, juliet = friends
    his.send("<message to='%s'><body>b</body><amp xmlns='%s'>%s</amp></message>" % (
        juliet.jid, NS, rule("drop", "deliver", "direct")))
    assert error_of(his.expect("message", type="error"))[1] == "bad-request"


def test_two_sets_of_rules_are_none(friends):
    his, juliet = friends
    send(his, juliet.jid, rule("drop", "deliver", "direct") + "</amp><amp xmlns='%s'>" % NS + rule("drop", "deliver", "stored"))
    assert error_of(his.expect("message", type="error"))[1] == "bad-request"


def test_a_thousand_rules_are_too_many(friends):
    """And the answer does not repeat them."""
    his, juliet = friends
    send(his, juliet.jid, rule("notify", "deliver", "gateway") * 1000)
    error = his.expect("message", id="m1", type="error")
    assert error_of(error) == ("modify", "policy-violation") and not error.findall(".//{*}rule")
    send(his, juliet.jid, rule("notify", "deliver", "gateway") * 32)
    his.expect_nothing("message")
    assert len(rules_of(amp_of(arrive(juliet)[1][0]))) == 32


def test_messages_from_and_to_other_domains(friends, component):
    """A component is served as another server is: its rules are followed here, and what goes there is delivered directly."""
    his, juliet = friends
    echo = component("echo.im.example")
    send(his, "echo.im.example", rule("notify", "deliver", "direct"))
    check_event(his.expect("message", id="m1"), "notify", his, "echo.im.example", ("notify", "deliver", "direct"))
    assert amp_of(echo.expect("message", id="m1")).get("from") == his.jid
    send(his, "echo.im.example", rule("error", "expire-at", LONG_AGO))
    check_event(his.expect("message", id="m1"), "error", his, "echo.im.example", ("error", "expire-at", LONG_AGO))
    echo.expect_nothing("message")
    echo.send("<message from='echo.im.example' to='%s' id='c1' type='chat'><body>b</body><amp xmlns='%s'>%s</amp></message>"
              % (juliet.jid, NS, rule("drop", "deliver", "stored")))
    echo.settle()
    assert not arrive(juliet)[1]


def test_only_a_server_tells_of_events(friends, component):
    """What says that it is an alert is one when a server sends it; from somebody at it, it is a message like others."""
    his, _ = friends
    echo = component("echo.im.example")
    his.send("<presence/>")
    his.sync()
    for sender, status in (("echo.im.example", "alert"), ("mallory@echo.im.example/x", None)):
        echo.send("<message from='%s' to='%s' id='e1'><amp xmlns='%s' status='alert' from='%s' to='x@echo.im.example'>%s</amp>"
                  "</message>" % (sender, his.jid, NS, his.jid, rule("drop", "deliver", "gateway")))
        assert amp_of(his.expect("message", id="e1")).get("status") == status
