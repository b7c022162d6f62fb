"""Two HTTP gateways behind one load balancer: a session is at one of them, the other one says where; one that dies loses no session that
can be resumed (DESIGN 5)."""

import pytest

import server as servers
from bosh import NS_BOSH, BoshClient, Connection
from client import local
from gateways import Balancer, Gateway
from websocket import WsClient

CONF = """
[public]
host = gw1.example
[bosh]
send_node_hostname = yes
gateways = https://gw1.example:5281/http-bind, https://gw2.example/http-bind
"""
SERVER = {"http": True, "conf": {"httpgw.conf": CONF}}


@pytest.fixture(scope="module")
def second(server):
    it = Gateway(server, "gw2.example")
    try:
        yield it.start()
    finally:
        it.stop()


@pytest.fixture
def balancer(server, second):
    it = Balancer(server)
    it.backend = server.port("http")
    yield it
    it.close()


def resumable(client, who):
    client.login(who.user, who.password, "web")
    client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    previd = client.expect("enabled").get("id")
    client.online()
    return previd


def resume(client, who, previd, h):
    client.begin()
    assert local(client.authenticate(who.user, who.password)) == "success"
    client.begin()
    client.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>" % (previd, h))
    answer = client.expect(where=lambda el: local(el) in ("resumed", "failed"))
    assert local(answer) == "resumed" and answer.get("previd") == previd


# -- whose session it is --------------------------------------------------------------------------------------------


def test_the_other_gateway_says_where_it_is(server, second, balancer, person, connections):
    """The session does not suffer: whoever goes to where it was made goes on with it."""
    romeo = person("romeo")
    web = BoshClient(balancer)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    assert web.sid.endswith("@gw1.example") and web.session["host"] == "gw1.example"
    web.drain()
    balancer.backend = second.port("http")
    for _ in range(2):
        answer = web.replay(web.rid + 1)
        assert answer.get("type") == "terminate" and answer.get("condition") == "see-other-uri"
        assert [(local(el), el.text) for el in answer] == [("uri", "https://gw1.example:5281/http-bind")]
    web.server = server         # it goes there
    web.cut()
    web.eof = False
    web.ping()
    web.end()


def test_of_each_other_and_of_nobody(server, second, connections):
    for at, other, uri in ((server, "gw2.example", "https://gw2.example/http-bind"),
                           (second, "gw1.example", "https://gw1.example:5281/http-bind")):
        it = Connection(at, server.domain)
        connections.append(it)
        answer = it.ask("<body rid='8' sid='abc@%s' xmlns='%s'/>" % (other, NS_BOSH))
        assert answer.get("condition") == "see-other-uri" and answer[0].text == uri
        for sid in ("abc@gw3.example", "abc", "abc@", "@gw1.example.", "abc@https:"):
            assert it.ask("<body rid='8' sid='%s' xmlns='%s'/>" % (sid, NS_BOSH)).get("condition") == "item-not-found"


# -- one that dies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [WsClient, BoshClient])
def test_who_was_at_the_dead_one_resumes_at_the_other(server, second, balancer, person, connections, kind):
    """And is told of his old session by nobody as if it were there."""
    romeo, juliet = person("romeo"), person("juliet")
    his, web = juliet.login("tcp", tls=False), kind(balancer)
    connections.append(web)
    previd = resumable(web, romeo)
    his.message(web.jid, "before")
    web.expect("message", body="before")
    server.replace_daemon("httpgw")
    his.message(web.jid, "meanwhile")
    his.sync()
    balancer.backend = second.port("http")
    if kind is BoshClient:      # it cannot be known that that one is dead; but it is known there that its sessions are no more
        web.cut()
        assert web.replay(web.rid + 1).get("condition") == "see-other-uri"
        servers.poll("the first gateway", server.gateway_is_up)
        web.server = server
        assert web.replay(web.rid + 1).get("condition") == "item-not-found"
    again = kind(balancer)
    connections.append(again)
    resume(again, romeo, previd, 2)
    again.expect("message", body="meanwhile")
    again.message(his.jid, "here again")
    his.expect("message", body="here again")
    again.sync()
    again.expect_nothing("message")
    again.end()


@pytest.mark.parametrize("kind", [WsClient, BoshClient])
def test_who_has_no_stream_management_logs_in_anew(server, second, balancer, person, connections, kind):
    """What he had not got waits for him: the edge that knows what he got is gone, so nothing that he did not have is lost."""
    romeo, juliet = person("romeo"), person("juliet")
    his, web = juliet.login("tcp", tls=False), kind(balancer)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    if kind is BoshClient:
        web.drain()
        his.message(web.jid, "nobody asks for it")
        his.sync()
    server.replace_daemon("httpgw")
    his.message(web.jid, "meanwhile")
    his.sync()
    balancer.backend = second.port("http")
    again = kind(balancer)
    connections.append(again)
    again.login(romeo.user, romeo.password, "web")
    again.send("<presence/>")
    if kind is BoshClient:
        again.expect("message", body="nobody asks for it")
    again.expect("message", body="meanwhile")
    again.end()


# -- the others come and go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", ["sessman", "router"])
@pytest.mark.parametrize("kind", [WsClient, BoshClient])
def test_traffic_over_the_death_of(server, second, person, connections, kind, daemon):
    """Through both gateways, without and with stream management: all of it, once, in order."""
    romeo, juliet = person("romeo"), person("juliet")
    one, other = kind(server), kind(second)
    connections += [one, other]
    one.login(romeo.user, romeo.password, "one")
    one.online()
    resumable(other, juliet)
    total = 60
    for n in range(total):
        one.message(other.jid, "to %d" % n)
        other.message(one.jid, "from %d" % n)
        if n == total // 3:
            server.replace_daemon(daemon)
    for n in range(total):
        other.expect("message", body="to %d" % n)
        other.send("<a xmlns='urn:xmpp:sm:3' h='%d'/>" % (2 + n + 1))  # behind its presence and a pong; what waits goes on with it
        one.expect("message", body="from %d" % n)
    for it in (one, other):
        it.ping()
        it.expect_nothing("message")
        it.end()
