"""Anonymous users (RFC 4505, XEP-0175): let in per domain, there as long as a session or a token is, and nothing of them left after. A page that is
loaded anew has its session back in one round trip (XEP-0388, 0198, 0484), over WebSocket and BOSH."""

import sqlite3

import pytest

import sasl2
from bosh import BoshClient
from client import Client, local, q
from forms import run
from sasl2 import ask_token, authenticate, bind, condition, new_agent, token_of, use_token
from server import Server, poll
from websocket import WsClient

NS_SM = "urn:xmpp:sm:3"
OURS = "urn:bulkhead:commands:"
SERVER = dict(domains=("im.example", "open.example", "far.example"), http=True, s2s=True,
              conf={"sessman.conf": "[session]\nhibernate = 2s\n[anonymous]\ntoken_life = 4s\n"})
KINDS = {"tcp": Client, "websocket": WsClient, "bosh": BoshClient}


@pytest.fixture(scope="module", autouse=True)
def allowed(server):
    for domain, remote in ("open.example", "0"), ("far.example", "1"):
        server.run("run", domain, "set-anonymous", "anonymous=1", "remote=" + remote)


@pytest.fixture
def guest(server, connections):
    """A connection of a kind, under TLS, with its features; kind: of KINDS."""
    def make(kind="websocket", domain="open.example"):
        if kind == "tcp":
            it = Client(server, domain=domain, name="guest")
            connections.append(it)
            it.begin()
            it.starttls().begin()
        else:
            it = KINDS[kind](server, domain=domain, tls=True)
            connections.append(it)
            it.begin()
        return it
    return make


def come(client, inside="", agent=None, sm=False):
    """Logs in, binds, and gives back what that brought."""
    enable = "<enable xmlns='%s' resume='true'/>" % NS_SM if sm else ""
    client.success = authenticate(client, "", "", "ANONYMOUS", bind("guest", enable) + inside, agent)
    assert local(client.success) == "success", condition(client.success)
    client.features = client.expect("features")
    client.user = client.bare.partition("@")[0]
    return client


def left(server):
    """Rows that are of anonymous accounts."""
    db = sqlite3.connect("file:%s?mode=ro" % (server.dir / "data/bulkhead.db"), uri=True)
    try:
        accounts = "(SELECT id FROM account WHERE anonymous <> 0)"
        return [db.execute(text).fetchone()[0] for text in (
            "SELECT count(*) FROM account WHERE anonymous <> 0",
            *("SELECT count(*) FROM %s WHERE account NOT IN (SELECT id FROM account)" % table
              for table in ("token", "session", "roster", "push", "credential", "entry")),
            "SELECT count(*) FROM journal WHERE owner IN %s" % accounts)]
    finally:
        db.close()


def nothing_is_left(server):
    poll("nothing to be left of anonymous users", lambda: not any(left(server)))


# -- coming and going -----------------------------------------------------------------------------------------------


def test_it_is_off_unless_a_domain_has_it(guest):
    client = guest("tcp", "im.example")
    assert "ANONYMOUS" not in client.mechanisms() and "ANONYMOUS" not in sasl2.mechanisms(client)
    assert local(client.authenticate("", "", "ANONYMOUS")) == "failure"
    assert condition(authenticate(client, "", "", "ANONYMOUS")) == "invalid-mechanism"


@pytest.mark.parametrize("kind", KINDS)
def test_two_strangers_talk(server, guest, kind):
    one, other = guest(kind), guest()
    assert "ANONYMOUS" in one.mechanisms()
    assert local(one.authenticate("who it says it is", "", "ANONYMOUS")) == "success"
    one.begin()
    assert one.bind("page").get("type") == "result"
    come(other)
    assert one.bare != other.bare and one.bare.endswith("@open.example")
    one.online()
    other.online()
    one.message(other.jid, "hello")
    assert other.expect("message", body="hello").get("from") == one.jid
    for it in (one, other):
        it.end()
    nothing_is_left(server)


@pytest.mark.parametrize("trace", ["x" * 1021, "\udcff"])
def test_a_trace_that_is_none(guest, trace):
    client = guest("tcp")
    message = trace.encode(errors="surrogateescape")
    client.send(sasl2.request("ANONYMOUS", message))
    assert condition(client.expect(where=lambda el: el.tag.startswith("{%s}" % sasl2.NS_SASL2))) == "malformed-request"


def test_it_is_switched_off_again(server, guest, connections):
    client = come(guest(domain="far.example"), ask_token(), agent := new_agent())
    token = token_of(client.success)[0]
    server.run("run", "far.example", "set-anonymous", "anonymous=0")
    try:
        again = guest(domain="far.example")
        assert "ANONYMOUS" not in sasl2.mechanisms(again)
        assert condition(use_token(client, token, agent, client=again)[1]) == "not-authorized"
    finally:
        server.run("run", "far.example", "set-anonymous", "anonymous=1", "remote=1")
    client.end()
    nothing_is_left(server)


# -- what they may not do (XEP-0175 4) ------------------------------------------------------------------------------


def test_nothing_that_would_be_remembered(server, guest):
    client = come(guest())
    client.online()
    for payload, to in (("<query xmlns='jabber:iq:roster'><item jid='a@open.example'/></query>", None),
                        ("<query xmlns='jabber:iq:register'><username>x</username><password>y</password></query>", "open.example"),
                        ("<query xmlns='jabber:iq:register'><remove/></query>", "open.example"),
                        ("<enable xmlns='urn:xmpp:push:0' jid='push.open.example' node='x'/>", None)):
        reply = client.ask("set", payload, to)
        assert reply.get("type") == "error" and reply.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden") is not None
    assert client.ask("get", "<query xmlns='jabber:iq:roster'/>").get("type") == "result"
    client.send("<presence type='subscribe' to='somebody@im.example'/>")
    assert client.expect("presence", type="error").find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden") is not None
    client.end()
    nothing_is_left(server)


def test_nobody_subscribes_to_them(server, guest, person):
    romeo, client = person("romeo").login("tcp"), come(guest())
    romeo.send("<presence type='subscribe' to='%s'/>" % client.bare)
    romeo.expect("presence", type="error", from_=client.bare)
    client.expect_nothing("presence", type="subscribe")
    client.end()
    nothing_is_left(server)


@pytest.mark.parametrize("domain, cond", [("open.example", "not-allowed"), ("far.example", "remote-server-not-found")])
def test_other_servers_are_out_of_reach(server, guest, domain, cond):
    """Unless that is allowed: then it is only that there is none of this name."""
    client = come(guest(domain=domain))
    client.send("<iq type='get' id='far' to='nobody.invalid'><ping xmlns='urn:xmpp:ping'/></iq>")
    client.message("somebody@nobody.invalid", "hello", id="far")
    for kind in ("iq", "message"):
        error = client.expect(kind, type="error", id="far")
        assert error.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}%s" % cond) is not None
    client.end()
    nothing_is_left(server)


# -- a page that is loaded anew ---------------------------------------------------------------------------------------


def enabled(client):
    return client.success.find(".//" + q(NS_SM, "enabled")).get("id")


@pytest.mark.parametrize("kind", ["websocket", "bosh"])
def test_a_page_that_is_loaded_anew_has_its_session_back(server, guest, kind):
    """One round trip: the token logs in to the same account, and the session goes on with what came meanwhile."""
    agent, friend = new_agent(), come(guest())
    page = come(guest(kind), ask_token(), agent, sm=True)
    friend.online()
    page.send("<presence/>")
    page.expect("presence", from_=page.jid)
    previd, token = enabled(page), token_of(page.success)[0]
    page.cut()
    friend.message(page.jid, "while it was loaded")
    friend.sync()
    inside = "<resume xmlns='%s' previd='%s' h='1'/>" % (NS_SM, previd)
    again, outcome = use_token(page, token, agent, client=guest(kind), inside=inside)
    assert local(outcome) == "success" and outcome.find(q(NS_SM, "resumed")).get("previd") == previd
    assert again.jid == page.jid
    again.expect("message", body="while it was loaded")
    again.message(friend.jid, "here again")
    assert friend.expect("message", body="here again").get("from") == page.jid
    again.end()
    friend.end()
    nothing_is_left(server)         # once the token is over, too


@pytest.mark.parametrize("kind", ["websocket", "bosh"])
def test_the_account_is_the_same_when_the_session_is_over(server, guest, kind):
    """And with each login by it the client has a token that is good for long enough."""
    agent = new_agent()
    page = come(guest(kind), ask_token(), agent)
    token = token_of(page.success)[0]
    page.end()
    again, outcome = use_token(page, token, agent, client=guest(kind), inside=bind("guest"))
    assert local(outcome) == "success" and again.bare == page.bare
    again.expect("features")
    again.end()
    nothing_is_left(server)
    assert condition(use_token(page, token, agent, client=guest(kind))[1]) == "not-authorized"


def test_a_restart_of_sessman_leaves_who_is_there_and_nobody_else(server, guest):
    page, gone = come(guest(), sm=True), come(guest(), sm=True)
    gone.cut()
    server.run("restart", "sessman")
    page.ping()
    poll("who is away to be forgotten", lambda: left(server)[0] == 1)
    page.end()
    nothing_is_left(server)
    server.pids = server.daemons()


# -- limits -----------------------------------------------------------------------------------------------------------


def test_so_many_of_an_address_and_so_many_in_all():
    limited = Server(domains=("im.example",), tls="required", conf={"sessman.conf": "[anonymous]\nburst = 3\nper_hour = 1\n"})
    clients = []

    def one():
        client = Client(limited, name="guest")
        clients.append(client)
        client.begin()
        client.starttls().begin()
        return authenticate(client, "", "", "ANONYMOUS", bind())
    try:
        limited.start()
        limited.run("run", "im.example", "set-anonymous", "anonymous=1")
        assert [local(one()) for _ in range(3)] == ["success"] * 3
        assert condition(one()) == "temporary-auth-failure"
        path = limited.dir / "sessman.conf"
        path.write_text(path.read_text().replace("per_hour = 1\n", "per_hour = 0\nmost = 3\n"))
        limited.run("reload")
        assert condition(one()) == "temporary-auth-failure"
        clients[0].end()
        poll("room for one more", lambda: local(one()) == "success")
    finally:
        for client in clients:
            client.cut()
        wrong = limited.stop()
        try:
            limited.check(wrong)
        finally:
            limited.remove()
