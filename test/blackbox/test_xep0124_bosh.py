"""XMPP over BOSH (XEP-0124, XEP-0206): sessions, the rid window, keys, pauses, and PEERS group 37."""

import hashlib
import select
import socket

import pytest

from bosh import NS_BOSH, XBOSH, BoshClient, Connection
from client import PATIENCE, local, namespace, q

SERVER = {"http": True, "conf": {"httpgw.conf": "[bosh]\ninactivity = 12s\npause = 5s\nwait = 3s\npolling = 1s\n"}}
NS_STREAM = "http://etherx.jabber.org/streams"


@pytest.fixture
def bosh(server, connections):
    def make(**how):
        it = BoshClient(server, **how)
        connections.append(it)
        return it
    return make


@pytest.fixture
def post(server, connections):
    def make(**how):
        it = Connection(server, server.domain, **how)
        connections.append(it)
        return it
    return make


def logged_in(bosh, person, name="romeo", **how):
    someone = person(name)
    return bosh(**how).login(someone.user, someone.password, "web")


# -- a session ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("hold", [0, 1, 2])
def test_login_and_messages_with_a_tcp_client(server, bosh, person, tls, hold):
    romeo, juliet = person("romeo"), person("juliet")
    web = bosh(tls=tls, hold=hold).login(romeo.user, romeo.password, "web")
    his = juliet.login("tcp", tls=False)
    web.send("<presence/>")
    web.expect("presence", from_=web.jid)
    his.online()
    web.message(his.jid, "from the browser")
    assert his.expect("message", body="from the browser").get("from") == web.jid
    his.message(web.jid, "to the browser")
    got = web.expect("message", body="to the browser")
    assert got.tag == q("jabber:client", "message") and got.get("from") == his.jid
    web.end()
    assert web.terminated.get("condition") is None


def test_the_creation_response(server, bosh):
    it = bosh(hold=5, wait=7200, extra="ack='1'")
    it.begin()
    s = it.session
    assert s["from"] == server.domain and s["wait"] == "3" and s["hold"] == "2" and s["requests"] == "3"
    assert s["inactivity"] == "12" and s["maxpause"] == "5" and s["ver"] and s["ack"] == str(it.rid)
    assert s["{urn:xmpp:xbosh}restartlogic"] == "true" and s["{urn:xmpp:xbosh}version"] == "1.0" and s["authid"]
    assert it.features.tag == q(NS_STREAM, "features") and "SCRAM-SHA-256" in it.mechanisms()


def test_several_stanzas_in_one_body_and_in_one_answer(bosh, person):
    web = logged_in(bosh, person)
    web.online()
    web.request("".join("<message xmlns='jabber:client' to='%s' id='m%d'><body>%d</body></message>" % (web.jid, i, i)
                        for i in range(50)))
    for i in range(50):
        assert web.expect("message").get("id") == "m%d" % i


def test_stanzas_in_httpbinds_namespace_are_taken_for_the_clients(bosh, person):
    web = logged_in(bosh, person)
    web.online()
    web.request("<message to='%s'><body>lazy</body></message>" % web.jid)
    web.expect("message", body="lazy")


def test_an_empty_request_waits_no_longer_than_it_may(bosh, person):
    web = logged_in(bosh, person, wait=1)
    web.drain()
    web.request()
    web.drain()
    assert web.bodies[-1] == {} and not web.inbox


def test_requests_that_come_out_of_order_are_taken_in_order(server, bosh, person):
    web = logged_in(bosh, person, hold=2)
    web.online()
    web.drain()
    first, second = Connection(server, server.domain), Connection(server, server.domain)
    web.connections += [first, second]
    web.rid += 2
    stanza = "<message xmlns='jabber:client' to='%s' id='%d'><body>x</body></message>"
    second.post(web.body(web.rid, stanza % (web.jid, 2)), web.rid)
    first.post(web.body(web.rid - 1, stanza % (web.jid, 1)), web.rid - 1)
    assert web.expect("message").get("id") == "1"
    assert web.expect("message").get("id") == "2"


def test_a_lost_answer_is_sent_again(bosh, person):
    web = logged_in(bosh, person)
    web.online()
    web.drain()
    rid = web.request("<iq type='get' id='lost' xmlns='jabber:client' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % web.server_name)
    web.expect("iq", id="lost")
    again = web.replay(rid)
    assert again[0].get("id") == "lost"
    web.ping()


def test_a_request_that_is_repeated_while_it_is_held_takes_the_firsts_place(server, bosh, person):
    web = logged_in(bosh, person)
    web.online()
    web.drain()
    rid = web.request()
    first, again = web.held()[0], Connection(server, server.domain)
    again.post(web.body(rid), rid)
    told = select.select([first.sock, again.sock], [], [], PATIENCE)[0][0]      # the network may turn them round
    loser, winner = (first, again) if told is first.sock else (again, first)
    status, _, body = loser.wait()
    assert status == 200 and "type='error'" in body
    loser.cut()
    web.connections = [winner]
    web.ping()


def test_acknowledgements(bosh, person):
    web = logged_in(bosh, person, extra="ack='1'")
    held = web.request()
    web.request("<iq type='get' id='x' xmlns='jabber:client'><query xmlns='jabber:iq:roster'/></iq>")
    web.expect("iq", id="x")
    assert any(body.get("ack") == str(held + 1) for body in web.bodies)


def test_pause(bosh, person):
    web = logged_in(bosh, person)
    web.drain()
    web.request()
    web.request(attrs="pause='5'")
    web.drain()
    assert not web.ended
    web.ping()


@pytest.mark.parametrize("pause", ["6", "-1", "x", "0"])
def test_a_pause_that_is_too_long_or_none(bosh, person, pause):
    web = logged_in(bosh, person)
    web.request(attrs="pause='%s'" % pause)
    web.expect_end()
    assert web.terminated["condition"] == "policy-violation"


def test_resumption_by_stream_management(bosh, person):
    romeo, juliet = person("romeo"), person("juliet")
    web, his = bosh().login(romeo.user, romeo.password, "web"), juliet.login("tcp", tls=False)
    web.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    previd = web.expect("enabled").get("id")
    web.online()
    web.cut()
    his.message(web.jid, "for later")
    his.sync()
    again = bosh()
    again.begin()
    assert local(again.authenticate(romeo.user, romeo.password)) == "success"
    again.begin()
    again.send("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>" % previd)
    assert again.expect("resumed").get("previd") == previd
    again.expect("message", body="for later")


def test_stream_errors_end_the_session_with_their_element(bosh, person):
    romeo = person("romeo")
    old = bosh().login(romeo.user, romeo.password, "web")
    bosh().login(romeo.user, romeo.password, "web")
    error = old.expect("error", where=lambda el: namespace(el) == NS_STREAM)
    assert local(error[0]) == "conflict"
    assert old.terminated["condition"] == "remote-stream-error"


# -- wrong beginnings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attrs, condition", [
    ("to='nobody.example'", "host-unknown"),
    ("", "improper-addressing"),
    ("to='im.example' from='a@other.example'", "remote-stream-error"),
    ("to='im.example' sid='never'", "item-not-found"),
    ("to='im.example' newkey='abc'", "bad-request"),
])
def test_refused_creations(post, attrs, condition):
    answer = post().ask("<body rid='7' xmlns='%s' %s/>" % (NS_BOSH, attrs))
    assert answer.get("type") == "terminate" and answer.get("condition") == condition


@pytest.mark.parametrize("body", [
    "", "x", "<body/>", "<html/>", "<body rid='1' to='im.example'/>",
    "<body xmlns='%s' to='im.example'/>" % NS_BOSH,
    "<body xmlns='%s' rid='-1' to='im.example'/>" % NS_BOSH,
    "<body xmlns='%s' rid='0' to='im.example'/>" % NS_BOSH,
    "<body xmlns='%s' rid='9007199254740992' to='im.example'/>" % NS_BOSH,
    "<body xmlns='%s' rid='1' to='im.example'>" % NS_BOSH,
    "<!DOCTYPE body [<!ENTITY a 'b'>]><body xmlns='%s' rid='1' to='im.example'/>" % NS_BOSH,
    "<body xmlns='%s' rid='1' to='im.example'/><body/>" % NS_BOSH,
    "<body xmlns='%s' rid='1' to='im.example'>%s</body>" % (NS_BOSH, "<a>" * 100 + "</a>" * 100),
    b"<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='\xff'/>",
])
def test_bad_bodies(post, body):
    answer = post().ask(body)
    assert answer.get("type") == "terminate" and answer.get("condition") == "bad-request"


def test_a_long_body_of_nobody_is_refused(post):
    connection = post()
    connection.post("<body xmlns='%s' rid='1' to='im.example'>%s</body>" % (NS_BOSH, " " * 20000))
    assert connection.wait()[0] == 413


def test_a_long_stanza_of_a_session_is_taken_and_too_long_a_one_not(bosh, person, post):
    web = logged_in(bosh, person)
    web.online()
    web.message(web.jid, "x" * 200000)
    assert len(web.expect("message").find(q("jabber:client", "body")).text) == 200000
    connection = post()
    connection.post(web.body(web.rid + 1, "<message xmlns='jabber:client'><body>%s</body></message>" % ("x" * 300000)))
    assert connection.wait()[0] == 413


# -- the window and its abuse (PEERS group 37) ----------------------------------------------------------------------


@pytest.mark.parametrize("how, condition", [
    (lambda rid: rid + 4, "item-not-found"),
    (lambda rid: rid + 2 ** 52, "item-not-found"),
    (lambda rid: rid - 20, "item-not-found"),
    (lambda rid: 2 ** 53, "item-not-found"),
    (lambda rid: -1, "item-not-found"),
])
def test_a_rid_outside_of_the_window_ends_the_session(bosh, person, how, condition):
    web = logged_in(bosh, person)
    web.drain()
    answer = web.replay(how(web.rid))
    assert answer.get("type") == "terminate" and answer.get("condition") == condition
    assert web.replay(web.rid + 1).get("condition") == "item-not-found"      # it is no more


def test_a_guessed_sid_is_nobodys(bosh, person):
    web = logged_in(bosh, person)
    sid, web.sid = web.sid, web.sid[:-1] + ("A" if web.sid[-1] != "A" else "B")
    assert web.replay(web.rid + 1).get("condition") == "item-not-found"
    web.sid = sid
    web.ping()


def keys(n):
    chain = [hashlib.sha1(b"seed").hexdigest()]
    for _ in range(n - 1):
        chain.append(hashlib.sha1(chain[-1].encode()).hexdigest())
    return chain


def test_key_sequence(bosh):
    chain = keys(5)
    web = bosh(extra="newkey='%s'" % chain.pop())
    web.begin()
    web.drain()
    web.request("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>", "key='%s'" % chain.pop())
    web.expect("failure")
    web.request(attrs="key='%s'" % chain[0])
    web.expect_end()
    assert web.terminated["condition"] == "item-not-found"


def test_a_request_without_its_key(bosh):
    web = bosh(extra="newkey='%s'" % keys(3)[-1])
    web.begin()
    web.request()
    web.expect_end()
    assert web.terminated["condition"] == "item-not-found"


def test_many_held_requests_are_not_held(server, bosh, person, post):
    """Over what it may have under way a client gets answers, or the end; nobody else feels it."""
    web, other = logged_in(bosh, person), logged_in(bosh, person, "juliet")
    many = []
    for i in range(30):
        connection = Connection(server, server.domain)
        connection.post(web.body(web.rid + 1 + i))
        many.append(connection)
    for connection in many[:-1]:
        assert connection.wait()[0] == 200
    other.ping()
    for connection in many:
        connection.cut()


def test_polling_too_often(bosh, person):
    web = logged_in(bosh, person, hold=0)
    for _ in range(4):
        if not web.ended:
            web.request()
            web.drain()
    assert web.terminated and web.terminated["condition"] == "policy-violation"


@pytest.mark.parametrize("headers", [
    "Content-Length: 3\r\nContent-Length: 30\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: xchunked\r\n", "Content-Length: 3\r\nContent-Length: 3\r\n",
    "Content-Length : 3\r\n", "Content-Length: 3\r\nHost: y\r\n", "Content-Length: +3\r\n", "Content-Length: 3x\r\n",
])
def test_smuggling_shapes(server, headers):
    sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
    sock.sendall(("POST /http-bind HTTP/1.1\r\nHost: x\r\n%s\r\n" % headers).encode() + b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    got = b""
    while True:
        more = sock.recv(4096)
        if not more:
            break
        got += more
    assert b" 200 OK" not in got and got.count(b"HTTP/1.1 400 ") == got.count(b"HTTP/1.1 ")


def test_chunked_bodies_are_taken(server, bosh):
    sock = socket.create_connection((server.host, server.port("http")), timeout=PATIENCE)
    body = ("<body rid='7' xmlns='%s' to='%s' wait='0'/>" % (NS_BOSH, server.domain)).encode()
    sock.sendall(b"POST /http-bind HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in body:
        sock.sendall(b"1\r\n%c\r\n" % byte)
    sock.sendall(b"0\r\n\r\n")
    assert b" sid=" in sock.recv(65536)


def test_cors(post):
    connection = post()
    connection.post("<body rid='7' xmlns='%s' to='im.example' wait='0'/>" % NS_BOSH, headers="Origin: https://chat.example\r\n")
    status, headers, _ = connection.wait()
    assert status == 200 and headers["access-control-allow-origin"] == "https://chat.example" and headers["vary"] == "Origin"
    connection.sock.sendall(b"OPTIONS /http-bind HTTP/1.1\r\nHost: x\r\nOrigin: https://chat.example\r\n"
                            b"Access-Control-Request-Method: POST\r\n\r\n")
    status, headers, _ = connection.wait()
    assert status == 204 and "POST" in headers["access-control-allow-methods"]
