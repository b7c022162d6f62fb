"""Flexible offline message retrieval (XEP-0013): headers first, then one by one, all, or away with them."""

import re

import pytest

from client import NS_DATA, NS_DELAY, NS_DISCO_INFO, NS_DISCO_ITEMS, error_of, local, q
from test_offline import arrive, bodies

NS = "http://jabber.org/protocol/offline"
SERVER = {"conf": {"sessman.conf": "[offline]\nper_sender = 5000\n"}}


@pytest.fixture
def waiting(people):
    """waiting(3): the account of somebody who is away, with so many messages, and the sender's client."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")

    def send(n, first=0):
        for i in range(first, first + n):
            his.message(juliet.jid, "m%d" % i)
        his.settle()
        return his, juliet
    return send


def info(client, **attrs):
    return client.ask("get", "<query xmlns='%s' node='%s'/>" % (NS_DISCO_INFO, NS), **attrs)


def number(client):
    reply = info(client)
    for field in reply.iter(q(NS_DATA, "field")):
        if field.get("var") == "number_of_messages":
            return int(field.find(q(NS_DATA, "value")).text)
    raise AssertionError("no number")


def headers(client, **attrs):
    return [(el.get("jid"), el.get("node"), el.get("name")) for el in client.ask(
        "get", "<query xmlns='%s' node='%s'/>" % (NS_DISCO_ITEMS, NS), **attrs).iter(q(NS_DISCO_ITEMS, "item"))]


def nodes(client):
    return [node for _, node, _ in headers(client)]


def offline(client, kind, payload, **attrs):
    return client.ask(kind, "<offline xmlns='%s'>%s</offline>" % (NS, payload), **attrs)


def items(action, *which):
    return "".join("<item action='%s' node='%s'/>" % (action, node) for node in which)


def messages(client):
    """What has come so far."""
    got = [el for el in client.inbox if local(el) == "message"]
    client.inbox.clear()
    return got


def node_of(message):
    return message.find(q(NS, "offline")).find(q(NS, "item")).get("node")


def test_support_is_told(person):
    """XEP-0013 2.1."""
    reply = person("romeo").login().ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to="im.example")
    assert NS in [el.get("var") for el in reply.iter(q(NS_DISCO_INFO, "feature"))]


def test_number_of_messages(waiting):
    """XEP-0013 2.2."""
    _, juliet = waiting(7)
    client = juliet.login("chamber")
    reply = info(client)
    identity = reply.find(".//" + q(NS_DISCO_INFO, "identity"))
    assert (identity.get("category"), identity.get("type")) == ("automation", "message-list")
    assert NS in [el.get("var") for el in reply.iter(q(NS_DISCO_INFO, "feature"))]
    assert number(client) == 7


def test_nobody_has_messages_who_has_none(person):
    client = person("juliet").login("chamber")
    assert number(client) == 0 and headers(client) == []
    assert offline(client, "get", "<fetch/>").get("type") == "result" and not messages(client)
    assert offline(client, "set", "<purge/>").get("type") == "result"


def test_headers(waiting):
    """XEP-0013 2.3: who sent it, whose it is, and nodes that are in order as strings."""
    his, juliet = waiting(130)
    client = juliet.login("chamber")
    got = headers(client)
    assert len(got) == 130 and {(jid, name) for jid, _, name in got} == {(juliet.jid, his.jid)}
    which = [node for _, node, _ in got]
    assert which == sorted(which) and len(set(which)) == 130
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", node) for node in which)


@pytest.mark.parametrize("ask", [info, headers, lambda client: offline(client, "get", "<fetch/>")],
                         ids=["number", "headers", "fetch"])
def test_who_asks_is_not_flooded(waiting, ask):
    """XEP-0013 2.2: neither this session nor another one meanwhile; messages that come now come now."""
    his, juliet = waiting(3)
    client = juliet.login("chamber")
    ask(client)
    messages(client)
    client.send("<presence/>")
    client.settle()
    other, got = arrive(juliet, "garden", priority=1)
    assert not got and not messages(client)
    his.message(juliet.jid, "now")
    assert other.expect("message", body="now").find(q(NS_DELAY, "delay")) is None
    assert len(headers(client)) == 3


def test_the_rest_is_sent_once_who_asked_is_gone(waiting):
    """XEP-0013 2.5: nothing is removed by having been looked at."""
    _, juliet = waiting(3)
    client = juliet.login("chamber")
    first = nodes(client)[0]
    assert offline(client, "get", "<fetch/>").get("type") == "result"
    offline(client, "set", items("remove", first))
    other, got = arrive(juliet, "garden")
    assert not got
    client.end()
    for body in ("m1", "m2"):
        other.expect("message", body=body)
    assert not [el for el in other.flush() if local(el) == "message"]
    other.end()
    assert not arrive(juliet)[1]


def test_looking_leaves_them_for_the_next_login(waiting):
    _, juliet = waiting(2)
    client = juliet.login("chamber")
    assert len(nodes(client)) == 2
    client.send("<presence/>")
    client.end()
    assert bodies(arrive(juliet)[1]) == ["m0", "m1"]


def test_some_are_viewed(waiting):
    """XEP-0013 2.4: the messages with their nodes and their times, then the result."""
    his, juliet = waiting(5)
    client = juliet.login("chamber")
    which = nodes(client)
    assert offline(client, "get", items("view", which[3], which[1])).get("type") == "result"
    got = messages(client)
    assert bodies(got) == ["m3", "m1"] and [node_of(el)[-16:] for el in got] == [which[3][-16:], which[1][-16:]]
    assert all(el.get("from") == his.jid and el.find(q(NS_DELAY, "delay")).get("from") == "im.example" for el in got)
    assert offline(client, "get", items("view", which[1])).get("type") == "result", "more than once"


def test_some_are_removed(server, waiting):
    """XEP-0013 2.5: for good."""
    _, juliet = waiting(5)
    client = juliet.login("chamber")
    which = nodes(client)
    assert offline(client, "set", items("remove", which[0], which[3], which[3])).get("type") == "result"
    assert number(client) == 3 and [n[-16:] for n in nodes(client)] == [which[i][-16:] for i in (1, 2, 4)]
    assert error_of(offline(client, "get", items("view", which[0])))[1] == "item-not-found"
    assert error_of(offline(client, "set", items("remove", which[3])))[1] == "item-not-found"
    server.kill_daemon("sessman")
    client = juliet.login("garden")
    assert [n[-16:] for n in nodes(client)] == [which[i][-16:] for i in (1, 2, 4)]
    client.end()
    assert bodies(arrive(juliet)[1]) == ["m1", "m2", "m4"]


def test_nothing_is_done_when_one_is_not_there(waiting):
    """XEP-0013 2.4, 2.5."""
    _, juliet = waiting(2)
    client = juliet.login("chamber")
    which = nodes(client)
    for kind, action in (("get", "view"), ("set", "remove")):
        for bad in ("2026-01-01T00:00:00Z", "x", "", "0" * 16, which[0][:-1], which[0] + "0"):
            assert error_of(offline(client, kind, items(action, which[0], bad)))[1] == "item-not-found", bad
    assert not messages(client) and [n[-16:] for n in nodes(client)] == [n[-16:] for n in which]


def test_all_are_fetched_in_order(waiting):
    """XEP-0013 2.6: many, of some size, by a client that reads them as they come."""
    his, juliet = waiting(0)
    for n in range(1500):
        his.message(juliet.jid, "m%d " % n + "x" * 2000)
    his.settle()
    client = juliet.login("chamber")
    assert offline(client, "get", "<fetch/>").get("type") == "result"
    got = messages(client)
    assert [body.split()[0] for body in bodies(got)] == ["m%d" % n for n in range(1500)]
    which = [node_of(el) for el in got]
    assert which == sorted(which) == nodes(client)


def test_all_are_removed(waiting):
    """XEP-0013 2.7."""
    his, juliet = waiting(450)
    client = juliet.login("chamber")
    assert offline(client, "set", "<purge/>").get("type") == "result"
    assert number(client) == 0 and nodes(client) == []
    client.end()
    his.message(juliet.jid, "after")
    his.settle()
    assert bodies(arrive(juliet)[1]) == ["after"]


def test_what_was_removed_makes_room(waiting, server):
    """The limits count what waits (XEP-0160)."""
    path = server.dir / "sessman.conf"
    before = path.read_text()
    path.write_text(before.replace("per_sender = 5000", "per_sender = 2"))
    server.run("reload")
    try:
        his, juliet = waiting(2)
        his.message(juliet.jid, "too much", id="over")
        his.expect("message", id="over", type="error")
        client = juliet.login("chamber")
        offline(client, "set", items("remove", nodes(client)[0]))
        his.message(juliet.jid, "m2")
        his.expect_nothing("message")
        client.end()
        assert bodies(arrive(juliet)[1]) == ["m1", "m2"]
    finally:
        path.write_text(before)
        server.run("reload")


def test_nobody_reads_or_removes_those_of_somebody_else(waiting):
    """XEP-0013 2.3 to 2.7: forbidden; and a node of one account is none of another."""
    his, juliet = waiting(2)
    client = juliet.login("chamber")
    which = nodes(client)
    for to in (juliet.jid, "nobody@im.example"):
        assert error_of(info(his, to=to))[1] == "forbidden"
        for kind, payload in (("get", "<fetch/>"), ("get", items("view", which[0])), ("set", "<purge/>"),
                              ("set", items("remove", which[0]))):
            assert error_of(offline(his, kind, payload, to=to))[1] == "forbidden"
    assert error_of(offline(his, "get", items("view", which[0])))[1] == "item-not-found"
    assert error_of(offline(his, "set", items("remove", which[0])))[1] == "item-not-found"
    assert not messages(his) and number(client) == 2


@pytest.mark.parametrize("kind, payload, condition", [
    ("get", "", "bad-request"),
    ("set", "", "bad-request"),
    ("get", "<purge/>", "bad-request"),
    ("set", "<fetch/><purge/>", "bad-request"),
    ("get", "<fetch/><fetch/>", "bad-request"),
    ("set", "<purge/><item action='remove' node='x'/>", "bad-request"),
    ("get", items("remove", "0" * 16), "bad-request"),
    ("set", items("view", "0" * 16), "bad-request"),
    ("set", items("", "0" * 16), "bad-request"),
    ("set", "<item xmlns='urn:x' action='remove' node='0'/>", "bad-request"),
    ("get", items("view", *["%016x" % n for n in range(3000)]), "policy-violation"),
], ids=["empty get", "empty set", "purge by get", "both", "twice", "mixed", "remove by get", "view by set",
        "no action", "foreign", "thousands"])
def test_requests_that_make_no_sense(waiting, kind, payload, condition):
    _, juliet = waiting(1)
    client = juliet.login("chamber")
    assert error_of(offline(client, kind, payload))[1] == condition
    assert not messages(client) and number(client) == 1


def test_client_that_leaves_while_it_is_served(waiting):
    """Nothing is lost, nobody is harmed."""
    his, juliet = waiting(0)
    for n in range(300):
        his.message(juliet.jid, "m%d " % n + "x" * 2000)
    his.settle()
    client = juliet.login("chamber")
    for n in range(5):
        client.send("<iq type='get' id='f%d'><offline xmlns='%s'><fetch/></offline></iq>" % (n, NS))
    client.cut()
    client, got = arrive(juliet, "garden")
    got += messages(client) if len(got) == 300 else [client.expect("message", where=lambda el: el.get("id")) for _ in
                                                     range(300 - len(got))]
    assert [body.split()[0] for body in bodies(got)] == ["m%d" % n for n in range(300)]


def test_client_with_stream_management_gets_more_than_its_queue_holds(waiting):
    """XEP-0198 4: what it has not acknowledged is bounded; the rest waits until it has."""
    his, juliet = waiting(0)
    body = "x" * 20000
    for n in range(300):
        his.message(juliet.jid, "m%d %s" % (n, body))
        if n % 50 == 49:
            his.settle()
    his.settle()
    client = juliet.login("chamber")
    client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    client.expect("enabled")
    client.send("<iq type='get' id='all'><offline xmlns='%s'><fetch/></offline></iq>" % NS)
    taken, got = 0, []
    while True:
        el = client.expect(where=lambda el: local(el) in ("r", "iq", "message"))
        if local(el) == "r":
            client.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>" % taken)
            continue
        taken += 1
        if el.get("id") == "all":
            break
        got.append(el)
    assert el.get("type") == "result" and [b.split()[0] for b in bodies(got)] == ["m%d" % n for n in range(300)]


def test_restart_of_the_session_manager_floods_nobody(server, waiting):
    """XEP-0013 2.2: it is the same session after it."""
    his, juliet = waiting(3)
    client = juliet.login("chamber")
    which = nodes(client)
    client.send("<presence/>")
    client.sync()
    server.kill_daemon("sessman")
    client.settle()
    assert not messages(client) and [n[-16:] for n in nodes(client)] == [n[-16:] for n in which]
    his.message(juliet.jid, "now")
    assert client.expect("message", body="now").find(q(NS_DELAY, "delay")) is None
    client.end()
    assert bodies(arrive(juliet)[1]) == ["m0", "m1", "m2"]
