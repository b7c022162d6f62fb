"""Messages for who is away: which are kept, how they come back (XEP-0160, XEP-0203, RFC 6121 8.5.2.2.1)."""

import datetime
import re

import pytest

from client import NS_DELAY, error_of, q

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
ACTIVE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"


@pytest.fixture
def pair(people):
    """The sender, connected, and the account that is away."""
    romeo, juliet = people("romeo", "juliet")
    return romeo.login("balcony"), juliet


def arrive(who, resource="chamber", priority=0):
    """Logs in and sends initial presence; gives back the client and the messages that came for it."""
    client = who.login(resource)
    client.send("<presence><priority>%d</priority></presence>" % priority)
    got = client.sync() if priority < 0 else client.flush()
    return client, [el for el in got if el.tag.endswith("}message")]


def bodies(messages):
    return [el.find("{jabber:client}body").text for el in messages]


def test_kept_message_comes_with_its_time_and_its_sender(pair):
    """XEP-0160 3, XEP-0203 4: delayed by the server, which stamps when it took the message, in UTC."""
    his, juliet = pair
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
    his.send("<message to='%s' id='m1' type='chat'><body>Good night</body><x xmlns='urn:example:x'>y</x>"
             "<thread>t</thread></message>" % juliet.jid)
    his.sync()
    after = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    client, (message,) = arrive(juliet)
    assert (message.get("id"), message.get("type")) == ("m1", "chat")
    assert message.get("from") == his.jid and message.get("to") in (juliet.jid, client.jid)
    assert message.find("{urn:example:x}x").text == "y" and message.find("{jabber:client}thread").text == "t"
    delays = [el for el in message.iter(q(NS_DELAY, "delay"))]
    assert [el.get("from") for el in delays] == ["im.example"]
    assert STAMP.match(delays[0].get("stamp"))
    taken = datetime.datetime.fromisoformat(delays[0].get("stamp").replace("Z", "+00:00"))
    assert before.replace(microsecond=0) <= taken <= after


def test_message_delivered_at_once_has_no_delay(pair):
    """XEP-0203 1: only what was delayed says so."""
    his, juliet = pair
    client, _ = arrive(juliet)
    his.message(juliet.jid, "now")
    assert client.expect("message", body="now").find(q(NS_DELAY, "delay")) is None


def test_kept_messages_come_in_order_and_before_what_comes_later(people):
    """RFC 6120 10.1, XEP-0160 3: from all senders, by time."""
    romeo, nurse, juliet = people("romeo", "nurse", "juliet")
    his, hers = romeo.login("balcony"), nurse.login("kitchen")
    for n in range(40):
        sender = (his, hers)[n % 2]
        sender.message(juliet.jid, str(n))
        sender.sync()
    client = juliet.login("chamber")
    client.send("<presence/>")
    client.settle()
    his.message(juliet.jid, "last")
    his.settle()
    got = [el for el in client.flush() if el.tag.endswith("}message")]
    assert bodies(got) == [str(n) for n in range(40)] + ["last"]


def test_large_messages_come_all_and_in_order(pair):
    """What is read at a time is bounded in bytes, not only in messages."""
    his, juliet = pair
    for n in range(15):
        his.message(juliet.jid, "%d %s" % (n, "x" * 200000))
        his.sync()
    client, got = arrive(juliet)
    assert [body.split()[0] for body in bodies(got)] == [str(n) for n in range(15)]


def test_kept_messages_come_once(pair):
    """XEP-0160 3: what was delivered is not kept any longer."""
    his, juliet = pair
    his.message(juliet.jid, "once")
    his.sync()
    client, got = arrive(juliet, "first")
    assert bodies(got) == ["once"]
    other, got = arrive(juliet, "second")
    assert not got
    client.send("<presence type='unavailable'/><presence/>")
    assert not [el for el in client.flush() if el.tag.endswith("}message")]
    client.end(), other.end()
    assert not arrive(juliet, "third")[1]


def test_negative_priority_wants_no_messages(pair):
    """XEP-0160 3, RFC 6121 8.5.2.2: they wait until the priority is not negative."""
    his, juliet = pair
    his.message(juliet.jid, "patience")
    his.sync()
    client, got = arrive(juliet, priority=-1)
    assert not got
    client.send("<presence><priority>0</priority></presence>")
    client.expect("message", body="patience")


def test_connected_resource_gets_nothing_before_its_presence(pair):
    """XEP-0160 3."""
    his, juliet = pair
    his.message(juliet.jid, "patience")
    his.sync()
    client = juliet.login("chamber")
    client.expect_nothing("message")
    client.send("<presence/>")
    client.expect("message", body="patience")


@pytest.mark.parametrize("attributes, payload, kept", [
    ("type='chat'", "<body>b</body>", True),
    ("type='normal'", "<body>b</body>", True),
    ("", "<body>b</body>", True),
    ("", "<subject>s</subject><body>b</body>", True),
    ("type='telegram'", "<body>b</body>", True),
    ("type='headline'", "<body>b</body>", False),
    ("type='groupchat'", "<body>b</body>", False),
    ("type='error'", "<body>b</body><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
     False),
    ("type='chat'", ACTIVE, False),
    ("type='chat'", "<body>b</body>" + ACTIVE, True),
], ids=["chat", "normal", "no type", "subject", "unknown type", "headline", "groupchat", "error", "chat state alone",
        "chat state with body"])
def test_which_kinds_are_kept(pair, attributes, payload, kept):
    """XEP-0160 3, recommendations by type."""
    his, juliet = pair
    his.send("<message to='%s' id='m1' %s>%s</message>" % (juliet.jid, attributes, payload))
    his.sync()
    assert bool(arrive(juliet)[1]) == kept


def test_iqs_and_presence_are_not_kept(pair):
    """RFC 6121 8.5.2.2: only messages (and requests to subscribe) wait."""
    his, juliet = pair
    his.send("<presence to='%s'/>" % juliet.jid)
    assert error_of(his.ask("get", "<mystery xmlns='urn:example:unknown'/>", to=juliet.jid))[1] == "service-unavailable"
    client = juliet.login("chamber")
    client.send("<presence/>")
    assert [el.get("from") for el in client.sync()] in ([client.jid], [])


def test_sender_is_not_told(pair):
    """XEP-0160 3: no error for what is kept."""
    his, juliet = pair
    his.message(juliet.jid, "quietly", id="m1")
    his.expect_nothing("message")


def test_feature_is_advertised(person):
    """XEP-0160 5."""
    client = person("romeo").login("balcony")
    info = client.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to="im.example")
    assert "msgoffline" in [el.get("var") for el in info.iter("{http://jabber.org/protocol/disco#info}feature")]


def test_kept_messages_survive_a_restart_and_come_once_after_it(server, pair):
    """What the sender was told nothing bad about is on disk."""
    his, juliet = pair
    for n in range(20):
        his.message(juliet.jid, str(n))
    his.settle()
    server.restart()
    client, got = arrive(juliet)
    assert bodies(got) == [str(n) for n in range(20)]
    assert all(el.find(q(NS_DELAY, "delay")) is not None for el in got)
    client.end()
    server.restart()
    assert not arrive(juliet)[1], "and what was delivered before the restart does not come back"


def test_hints_say_what_is_kept(pair):
    """XEP-0334 4: what must not be stored is not, what must not be stored for good is kept until it is delivered, and a chat state
    that is to be stored is."""
    his, juliet = pair
    for n, (body, hint) in enumerate((("secret", "no-store"), ("passing", "no-permanent-store"), ("kept", "store"))):
        his.send("<message to='%s' id='h%d' type='chat'><body>%s</body><%s xmlns='urn:xmpp:hints'/></message>" % (
            juliet.jid, n, body, hint))
    his.send("<message to='%s' id='h3' type='chat'>%s<store xmlns='urn:xmpp:hints'/></message>" % (juliet.jid, ACTIVE))
    his.sync()
    _, messages = arrive(juliet)
    assert [el.get("id") for el in messages] == ["h1", "h2", "h3"]
