"""Push notifications (XEP-0357): a service, which is a component here, hears of messages for a client that is away."""

import pytest

from client import NS_DATA, NS_DISCO_INFO, error_of, local, next_id, q
from managed import authenticated, managed
from server import poll

SERVER = {"components": {"push.example": "a secret of the service", "gate.example": "a secret of the gate"},
          "domains": ["im.example", "two.example"],
          "conf": {"sessman.conf": "[push]\ninterval = 1s\nservices = 3\nerrors = 2\n"}}
NS_PUSH = "urn:xmpp:push:0"
NS_PUBSUB = "http://jabber.org/protocol/pubsub"
OPTIONS = ("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>%s#publish-options</value></field>"
           "<field var='secret'><value>%s</value></field></x>")


def node_of(client, node):
    """Each account's own, so that what comes late for another test's is told apart."""
    return "%s of %s" % (node, client.bare)


def enable(client, node="n1", jid="push.example", inner="", **attrs):
    named = " node='%s'" % node_of(client, node) if node else ""
    return client.ask("set", "<enable xmlns='%s' jid='%s'%s>%s</enable>" % (NS_PUSH, jid, named, inner), **attrs)


def disable(client, jid="push.example", node=None, **attrs):
    named = " node='%s'" % node_of(client, node) if node is not None else ""
    return client.ask("set", "<disable xmlns='%s' jid='%s'%s/>" % (NS_PUSH, jid, named), **attrs)


def fields(form):
    return {el.get("var"): el.findtext(q(NS_DATA, "value")) for el in form.iter(q(NS_DATA, "field"))}


class Notification:
    """What a service was sent, taken apart."""

    def __init__(self, iq):
        self.iq, self.id = iq, iq.get("id")
        publish = iq.find("%s/%s" % (q(NS_PUBSUB, "pubsub"), q(NS_PUBSUB, "publish")))
        self.node = publish.get("node") and publish.get("node").partition(" of ")[0]
        (notification,) = publish.find(q(NS_PUBSUB, "item"))
        assert notification.tag == q(NS_PUSH, "notification")
        self.summary = fields(notification)
        assert self.summary.pop("FORM_TYPE") == "urn:xmpp:push:summary"
        options = iq.find("%s/%s" % (q(NS_PUBSUB, "pubsub"), q(NS_PUBSUB, "publish-options")))
        self.options = None if options is None else fields(options)


class Service:
    """The push service on its component."""

    def __init__(self, link, quiet, whose):
        self.link, self.quiet, self.whose = link, quiet, whose

    def concerns(self, iq):
        node = iq.find(".//" + q(NS_PUBSUB, "publish"))
        return node is not None and node.get("node", self.whose).endswith(self.whose)

    def notified(self):
        iq = self.link.expect("iq", type="set", where=self.concerns)
        assert iq.get("from") == "im.example" and iq.get("to") == self.link.jid
        return Notification(iq)

    def answer(self, n, error=None, type="cancel", sender=None):
        inner = error and "<error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" % (type, error)
        self.link.send("<iq type='%s' id='%s' from='%s' to='im.example'>%s</iq>" % (
            "error" if error else "result", n.id, sender or self.link.jid, inner or ""))

    def silent(self):
        """Nothing comes: a message that another account sends now for a service of its own would come behind it."""
        self.quiet()
        bad = [el for el in self.link.inbox if self.concerns(el)]
        assert not bad, bad


@pytest.fixture
def pair(people):
    """Romeo, connected, and the account of Juliet's."""
    romeo, juliet = people("romeo", "juliet")
    return romeo.login("balcony"), juliet


@pytest.fixture
def service(component, people, pair):
    link = component("push.example")
    sender, away = people("witness", "sleeper")
    his = sender.login("w")
    client = away.login("s")
    assert enable(client, node="quiet").get("type") == "result"
    client.end()
    beat = {"n": 0}

    def quiet():
        """A notification for the witness, which follows a whole interval after the one before it."""
        beat["n"] += 1
        his.message(away.jid, str(beat["n"]))
        iq = link.expect("iq", where=lambda el: (
            el.find(".//" + q(NS_PUBSUB, "publish")).get("node") == node_of(client, "quiet")))
        link.send("<iq type='result' id='%s' from='%s' to='im.example'/>" % (iq.get("id"), link.jid))
    return Service(link, quiet, pair[1].jid)


def register(juliet, resource="phone", **how):
    """Her telephone registers and goes away."""
    client = juliet.login(resource).online()
    assert enable(client, **how).get("type") == "result"
    client.end()


def test_feature_is_the_accounts(person):
    """XEP-0357 4.1: on the bare JID."""
    client = person("romeo").login("balcony")
    info = client.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=client.bare)
    assert NS_PUSH in [el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))]


def test_message_that_is_kept_is_told_of(pair, service):
    """XEP-0357 5, 7: with the node, the options as they came, and the summary; what the message says is told to nobody."""
    his, juliet = pair
    register(juliet, inner=OPTIONS % (NS_PUBSUB, "eruio&lt;234"))
    his.message(juliet.jid, "Wherefore art thou?")
    n = service.notified()
    assert n.node == "n1" and n.options == {"FORM_TYPE": NS_PUBSUB + "#publish-options", "secret": "eruio<234"}
    assert n.summary == {"message-count": "1", "last-message-sender": his.jid}
    service.answer(n)


def test_without_node_and_options(pair, service):
    """XEP-0357 5: the node SHOULD be there, the options may."""
    his, juliet = pair
    register(juliet, node=None)
    his.message(juliet.jid, "m")
    n = service.notified()
    assert n.node is None and n.options is None


def test_many_messages_make_few_notifications(pair, service):
    """One at once; those within the interval together in the next one, which counts them all."""
    his, juliet = pair
    register(juliet)
    for body in range(10):
        his.message(juliet.jid, str(body))
    assert service.notified().summary["message-count"] == "1"
    assert service.notified().summary["message-count"] == "10"
    service.silent()


def test_several_services(pair, service):
    """XEP-0357 5, 7: to all of them, by address and node; the last options count."""
    his, juliet = pair
    register(juliet, node="n1")
    register(juliet, node="n2", inner=OPTIONS % (NS_PUBSUB, "old"))
    register(juliet, node="n2", inner=OPTIONS % (NS_PUBSUB, "new"))
    his.message(juliet.jid, "m")
    got = {n.node: n.options for n in (service.notified(), service.notified())}
    assert got == {"n1": None, "n2": {"FORM_TYPE": NS_PUBSUB + "#publish-options", "secret": "new"}}


@pytest.mark.parametrize("how, left", [({"node": "n1"}, ["n2"]), ({}, [])])
def test_disabled_service_hears_nothing(pair, service, how, left):
    """XEP-0357 6: of one node, or of all."""
    his, juliet = pair
    register(juliet, node="n1"), register(juliet, node="n2")
    client = juliet.login("phone")
    assert disable(client, **how).get("type") == "result"
    assert error_of(disable(client, **how)) == ("cancel", "item-not-found")
    client.end()
    his.message(juliet.jid, "m")
    assert [service.notified().node for _ in left] == left
    service.silent()


def test_connected_client_needs_no_telling(pair, service):
    """Nor, when it has come back, is there anything left to tell; and the counting begins again when it is gone."""
    his, juliet = pair
    client = juliet.login("phone").online()
    enable(client)
    his.message(juliet.jid, "one")
    client.expect("message", body="one")
    service.silent()
    client.end()
    his.message(juliet.jid, "two")
    assert service.notified().summary["message-count"] == "1"
    client = juliet.login("phone").online()
    his.message(juliet.jid, "three")
    client.expect("message", body="three")
    client.end()
    his.message(juliet.jid, "four")
    assert service.notified().summary["message-count"] == "1"


def test_client_that_is_away_is_told_of_what_another_resource_got(pair, service):
    """The desk has it; the telephone, which has carbons and the archive to read, does not know yet."""
    his, juliet = pair
    desk = juliet.login("desk").online()
    register(juliet)
    desk.sync()
    his.message(juliet.jid, "m")
    desk.expect("message", body="m")
    assert service.notified().node == "n1"


@pytest.mark.parametrize("attributes, payload, told", [
    ("type='chat'", "<body>b</body>", True), ("", "<body>b</body>", True),
    ("type='chat'", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", True),
    ("type='chat'", "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", True),
    ("", "<x xmlns='jabber:x:conference' jid='room@gate.example'/>", True),
    ("type='chat'", "<active xmlns='http://jabber.org/protocol/chatstates'/>", False),
    ("type='chat'", "<received xmlns='urn:xmpp:receipts' id='1'/>", False),
    ("type='headline'", "<body>b</body>", False),
    ("type='groupchat'", "<body>b</body>", False),
])
def test_what_is_worth_telling(pair, service, attributes, payload, told):
    """Not what only machines want to know."""
    his, juliet = pair
    register(juliet)
    his.send("<message to='%s' %s>%s</message>" % (juliet.jid, attributes, payload))
    if told:
        assert service.notified().summary["message-count"] == "1"
    else:
        service.silent()


def test_own_messages_are_not_told_of(pair, service):
    """What one's own other client sends."""
    _, juliet = pair
    register(juliet)
    desk = juliet.login("desk").online(-1)
    desk.message(juliet.jid, "note to self")
    service.silent()


def test_request_to_subscribe_is_told_of(pair, service):
    """XEP-0357 7: pending-subscription-count."""
    his, juliet = pair
    register(juliet)
    his.subscription("subscribe", juliet.jid)
    assert service.notified().summary == {"message-count": "0", "pending-subscription-count": "1"}
    his.subscription("subscribe", juliet.jid)
    service.silent()


def test_service_that_refuses_is_removed(server, pair, service):
    """XEP-0357 7.2: at once, for good, and only that one."""
    his, juliet = pair
    register(juliet, node="bad"), register(juliet, node="good")
    his.message(juliet.jid, "one")
    for n in (service.notified(), service.notified()):
        service.answer(n, "item-not-found" if n.node == "bad" else None)
    service.quiet()
    his.message(juliet.jid, "two")
    assert service.notified().node == "good"
    service.silent()
    assert "push_disabled" in server.log_tail(2000)
    client = juliet.login("phone")
    assert error_of(disable(client, node="bad"))[1] == "item-not-found"


def test_errors_that_may_pass_are_counted(pair, service):
    """XEP-0357 7.2: so many in a row ([push] errors), an answer in between begins again."""
    his, juliet = pair
    register(juliet)
    for error in ("resource-constraint", None, "internal-server-error", "remote-server-timeout"):
        his.message(juliet.jid, "m")
        service.answer(service.notified(), error, "wait")
        service.quiet()
    his.message(juliet.jid, "m")
    service.silent()


def test_answers_of_others_count_nothing(pair, service, component):
    """An error with the right id from the wrong address; one nobody asked for; one twice."""
    his, juliet = pair
    gate = component("gate.example")
    register(juliet)
    his.message(juliet.jid, "one")
    n = service.notified()
    for sender, link in (("gate.example", gate), ("x@push.example", service.link)):
        link.send("<iq type='error' id='%s' from='%s' to='im.example'><error type='cancel'><item-not-found "
                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>" % (n.id, sender))
    his.send("<iq type='error' id='%s' to='im.example'><error type='cancel'/></iq>" % n.id)
    his.settle()
    service.answer(n)
    service.answer(n, "item-not-found")
    service.link.send("<iq type='result' id='%s' from='push.example' to='im.example'/>" % next_id())
    service.quiet()
    his.message(juliet.jid, "two")
    assert service.notified().summary["message-count"] == "2"


def test_service_that_is_not_there(pair, service):
    """The router bounces: an error that may pass, counted like one."""
    his, juliet = pair
    register(juliet, jid="nowhere.example")
    for _ in range(2):
        his.message(juliet.jid, "m")
        his.settle()
        service.quiet()
    client = juliet.login("phone")
    poll("the service to be removed", lambda: error_of(disable(client, jid="nowhere.example"))[1] == "item-not-found"
         or enable(client, jid="nowhere.example") is None)


@pytest.mark.parametrize("jid", ["im.example", "two.example", "admin@im.example", "admin@im.example/x", "IM.EXAMPLE"])
def test_nobody_here_is_a_service(pair, jid):
    """Bad input 43: a service among our own accounts would get requests in the server's name."""
    his, _ = pair
    assert error_of(enable(his, jid=jid))[1] == "not-acceptable"


@pytest.mark.parametrize("payload, condition", [
    ("<enable xmlns='%s' node='n'/>" % NS_PUSH, "bad-request"),
    ("<enable xmlns='%s' jid='' node='n'/>" % NS_PUSH, "bad-request"),
    ("<enable xmlns='%s' jid='@' node='n'/>" % NS_PUSH, "jid-malformed"),
    ("<enable xmlns='%s' jid='push.example' node='%s'/>" % (NS_PUSH, "n" * 1024), "not-acceptable"),
    ("<enable xmlns='%s' jid='push.example' node='n'><x xmlns='jabber:x:data' type='submit'/></enable>" % NS_PUSH,
     "bad-request"),
    ("<enable xmlns='%s' jid='push.example' node='n'>%s</enable>" % (NS_PUSH, OPTIONS % (NS_PUBSUB, "s" * 4100)),
     "not-acceptable"),
    ("<enable xmlns='%s' jid='push.example' node='n'>%s</enable>" % (NS_PUSH, OPTIONS % ("urn:example", "s")),
     "bad-request"),
    ("<disable xmlns='%s'/>" % NS_PUSH, "bad-request"),
    ("<disable xmlns='%s' jid='@'/>" % NS_PUSH, "jid-malformed"),
    ("<disable xmlns='%s' jid='push.example'/>" % NS_PUSH, "item-not-found"),
])
def test_requests_that_make_no_sense(pair, payload, condition):
    """Bad input 43: nothing of it is kept."""
    his, _ = pair
    assert error_of(his.ask("set", payload))[1] == condition


def test_nobody_registers_for_others(pair, service):
    """XEP-0357 5: it is sent to one's own bare JID."""
    his, juliet = pair
    for to in (juliet.jid, "im.example"):
        assert error_of(enable(his, to=to))[1] == "service-unavailable"
    assert enable(his, to=his.bare).get("type") == "result"
    his.message(juliet.jid, "m")
    service.silent()


def test_so_many_services_and_no_more(pair):
    """[push] services; those that are there can be changed."""
    his, _ = pair
    for n in range(3):
        assert enable(his, node=str(n)).get("type") == "result"
    assert error_of(enable(his, node="3")) == ("wait", "resource-constraint")
    assert enable(his, node="0", inner=OPTIONS % (NS_PUBSUB, "s")).get("type") == "result"
    assert disable(his, node="1").get("type") == "result"
    assert enable(his, node="3").get("type") == "result"


def test_services_survive_a_restart(server, pair, connections):
    """What was answered with a result is on disk; who registered is known by the resource."""
    from component import Component
    his, juliet = pair
    register(juliet, inner=OPTIONS % (NS_PUBSUB, "s"))
    server.restart()
    link = Component(server, "push.example", name="push.example")
    connections.append(link)
    link.handshake(server.components["push.example"])
    service = Service(link, None, juliet.jid)
    nurse = connections[0].__class__(server, name="nurse")
    connections.append(nurse)
    nurse.login("admin", server.admin_password, "x")
    phone = juliet.login("phone").online()
    nurse.message(juliet.jid, "seen")
    phone.expect("message", body="seen")
    phone.end()
    nurse.message(juliet.jid, "unseen")
    n = service.notified()
    assert n.summary["message-count"] == "1" and n.options["secret"] == "s"


@pytest.mark.parametrize("summary", ["count", "body"])
def test_what_is_told_is_an_option(server, pair, service, summary):
    """XEP-0357 9: no more than the operator wants; nothing of what is encrypted."""
    his, juliet = pair
    conf = server.dir / "sessman.conf"
    before = conf.read_text()
    conf.write_text(before.replace("[push]", "[push]\nsummary = " + summary))
    server.run("reload")
    try:
        register(juliet)
        his.message(juliet.jid, "\u010d" * 1000)
        want = {"message-count": "1"}
        if summary == "body":
            want.update({"last-message-sender": his.jid, "last-message-body": "\u010d" * 500})
        assert service.notified().summary == want
        service.quiet()
        his.send("<message to='%s' type='chat'><body>cannot be read</body><encrypted xmlns='urn:example:e'/></message>" %
                 juliet.jid)
        assert "last-message-body" not in service.notified().summary
    finally:
        conf.write_text(before)
        server.run("reload")


@pytest.fixture
def waiting(pair):
    """Her telephone has registered and lost its connection; the session waits for it (XEP-0198)."""
    his, juliet = pair
    phone = managed(juliet.login("phone", tls=False))
    phone.enable()
    phone.online()
    assert enable(phone).get("type") == "result"
    phone.handled()
    phone.ack()
    phone.sync()
    phone.cut()
    return juliet, his, phone


def until_it_hibernates(his, phone, service):
    """The first message that is told of: until the connection is known to be lost the phone is connected."""
    for n in range(1000):
        his.message(phone.jid, "lost", id="l%d" % n)
        service.quiet()
        found = [el for el in service.link.inbox if service.concerns(el)]
        if found:
            service.link.inbox.remove(found[0])
            return n + 1, Notification(found[0])
    raise AssertionError("nobody is told")


def test_session_that_waits_for_its_client_is_told_of(waiting, service):
    """XEP-0198 5: the message is in its queue; nothing shows the client that it should come but this."""
    juliet, his, phone = waiting
    sent, n = until_it_hibernates(his, phone, service)
    assert n.summary["last-message-sender"] == his.jid
    again = authenticated(juliet)
    assert local(again.resume_from(phone)) == "resumed"
    for i in range(sent):
        again.expect("message", id="l%d" % i)
    his.message(phone.jid, "live", id="m1")
    again.expect("message", id="m1")
    service.silent()


def test_what_a_room_says_is_told_to_who_is_in_it(waiting, service, component):
    """A room knows the resource; the others of the account are not in it."""
    juliet, his, phone = waiting
    until_it_hibernates(his, phone, service)
    register(juliet, resource="tablet", node="tablet")
    gate = component("gate.example")
    gate.send("<message from='room@gate.example/x' to='%s' type='groupchat'><body>b</body></message>" % phone.jid)
    assert service.notified().node == "n1"
    service.silent()
