"""Tokens of the HTTP API and the sessions that come by them (RFC 7628; PEERS 39, 40): what one may, what nobody may with one, and what
a stolen one or an edge that was broken into is worth."""

import sqlite3

import pytest

from api import NS_DESCRIPTIONS, OURS, Api, b64, bearer, form_of
from client import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_ROSTER, error_of, q
from forms import ADMIN, Command, result, run, submit
from frames import REBORN, STANZA, SYNC, Edge

SERVER = {"domains": ["im.example", "other.example"]}
ADD = ADMIN + "add-user"
NUM = ADMIN + "get-registered-users-num"


@pytest.fixture
def edge(server, connections):
    it = Edge(server)
    connections.append(it.stream)
    return it.up()


@pytest.fixture
def boss(admin):
    return admin.login("desk")


def issue(client, *scopes, **more):
    return result(run(client, OURS + "token-issue", label="test", scopes=list(scopes), **more))["token"][0]


# -- made, listed, revoked ---------------------------------------------------------------------------------------------

def test_token_is_shown_once_and_no_row_logs_anybody_in(server, person):
    romeo = person("romeo").login()
    got = result(run(romeo, OURS + "token-issue", label="my script", scopes=["message"], days="3"))
    token, number = got["token"][0], got["id"][0]
    listed = run(romeo, OURS + "tokens").form
    assert token not in "".join(listed.itertext())
    row, = [form for form in listed.iter(q("jabber:x:data", "item"))]
    fields = {f.get("var"): "".join(f.itertext()) for f in row}
    assert (fields["id"], fields["label"], fields["scopes"], fields["used"]) == (number, "my script", "message", "")
    db = sqlite3.connect(server.dir / "data" / "bulkhead.db")
    rows = repr(db.execute("SELECT hex(hash), * FROM api_token").fetchall())
    db.close()
    assert token.split(".")[2] not in rows and token not in rows


@pytest.mark.parametrize("fields, names", [
    ({"label": "x", "scopes": ["everything"]}, "scopes"),
    ({"label": "x", "scopes": ["message", "command:"]}, "scopes"),
    ({"label": "x", "scopes": ["command:urn:no-such-command"]}, "scopes"),
    ({"label": "x", "scopes": ["commands message"]}, "scopes"),
    ({"label": "x", "scopes": []}, "scopes"),
    ({"label": "", "scopes": ["message"]}, "label"),
    ({"label": "x", "scopes": ["message"], "days": "0"}, "days"),
    ({"label": "x", "scopes": ["message"], "days": "366"}, "days"),
])
def test_forged_scopes_are_none(person, fields, names):
    """PEERS 40: a scope that is none makes no token."""
    romeo = person("romeo").login()
    reply = run(romeo, OURS + "token-issue", **fields).reply
    assert error_of(reply)[1] in ("not-acceptable", "bad-request")
    assert names in "".join(el.text or "" for el in reply.iter())
    assert not list(run(romeo, OURS + "tokens").form.iter(q("jabber:x:data", "item")))


def test_tokens_of_others_are_for_administrators(boss, people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login(), juliet.login()
    number = result(run(his, OURS + "token-issue", label="x", scopes=["message"]))["id"][0]
    assert error_of(tokens_of(hers, romeo.jid))[1] == "forbidden"
    assert error_of(run(hers, OURS + "token-revoke", id=number, accountjid=romeo.jid).reply)[1] == "forbidden"
    assert error_of(run(hers, OURS + "token-revoke", id=number).reply)[1] == "item-not-found"
    assert number in "".join(tokens_of(boss, romeo.jid).itertext())
    assert run(boss, OURS + "token-revoke", id=number, accountjid=romeo.jid).status == "completed"
    assert error_of(run(boss, OURS + "token-revoke", id=number, accountjid=romeo.jid).reply)[1] == "item-not-found"


def tokens_of(client, jid):
    return client.ask("set", "<command xmlns='http://jabber.org/protocol/commands' node='%stokens'>%s</command>" % (
        OURS, submit(accountjid=jid)), to="im.example")


def test_an_account_has_so_many(person):
    romeo = person("romeo").login()
    for _ in range(20):
        issue(romeo, "message")
    assert error_of(run(romeo, OURS + "token-issue", label="x", scopes=["message"]).reply)[1] == "resource-constraint"


# -- what it may -------------------------------------------------------------------------------------------------------

def test_password_gives_everything(edge, admin):
    api = Api(edge).login(user=admin.user, password=admin.password)
    assert {ADD, NUM, OURS + "token-issue"} <= api.commands()
    assert api.run(ADD, accountjid="by-api@im.example", password="pw").get("type") == "result"
    token = form_of(api.run(OURS + "token-issue", label="x", scopes=["message"]))["token"][0]
    assert Api(edge).token(token) == "success"


def test_scope_of_all_commands(edge, boss):
    api = Api(edge).login(issue(boss, "commands"))
    assert {ADD, NUM} <= api.commands() and OURS + "token-issue" not in api.commands()
    assert api.run(NUM).get("type") == "result"
    assert api.run(ADD, accountjid="by-token@im.example", password="pw").get("type") == "result"


def test_scope_of_commands_that_look(edge, boss):
    api = Api(edge).login(issue(boss, "commands:read"))
    listed = api.commands()
    assert NUM in listed and ADD not in listed
    assert api.run(NUM).get("type") == "result"
    assert error_of(api.run(ADD, accountjid="no@im.example", password="pw"))[1] == "forbidden"
    assert error_of(api.run(OURS + "token-revoke", id="1"))[1] == "forbidden"


def test_scope_of_one_command(edge, boss):
    api = Api(edge).login(issue(boss, "command:" + NUM))
    assert api.commands() == {NUM}
    items = api.ask("get", "<query xmlns='%s' node='http://jabber.org/protocol/commands'/>" % NS_DISCO_ITEMS)
    assert [el.get("node") for el in items.iter(q(NS_DISCO_ITEMS, "item"))] == [NUM]
    assert api.run(NUM).get("type") == "result"
    assert error_of(api.run(ADMIN + "get-online-users-num"))[1] == "forbidden"
    assert error_of(api.ask("get", "<commands xmlns='%s' node='%s'/>" % (NS_DESCRIPTIONS, ADD)))[1] == "forbidden"


def test_scopes_never_give_more_than_the_owner_has(edge, person):
    """PEERS 40: a user's token for an administrator's command."""
    romeo = person("romeo").login()
    api = Api(edge).login(issue(romeo, "commands", "command:" + ADD))
    assert ADD not in api.commands()
    assert error_of(api.run(ADD, accountjid="no@im.example", password="pw"))[1] == "forbidden"


def test_rights_that_the_owner_loses_the_token_loses(edge, boss, admin):
    run(boss, ADD, accountjid="deputy@im.example", password="pw", admin="1")
    api = Api(edge).login(user="deputy", password="pw")
    token = form_of(api.run(OURS + "token-issue", label="x", scopes=["commands"]))["token"][0]
    assert run(boss, ADMIN + "delete-user", accountjids=["deputy@im.example"]).status == "completed"
    run(boss, ADD, accountjid="deputy@im.example", password="pw")
    assert "invalid_token" in Api(edge).refused(token)


def test_scope_of_messages(edge, people):
    romeo, juliet = people("romeo", "juliet")
    her = juliet.login().online()
    api = Api(edge).login(issue(romeo.login(), "message"))
    api.message(juliet.jid, "by token")
    assert her.expect("message", body="by token").get("from") == api.jid
    assert error_of(api.run(OURS + "tokens"))[1] == "forbidden"
    assert error_of(api.ask("get", "<commands xmlns='%s'/>" % NS_DESCRIPTIONS))[1] == "forbidden"


def test_without_that_scope_no_message(edge, people):
    romeo, juliet = people("romeo", "juliet")
    her = juliet.login().online()
    api = Api(edge).login(issue(romeo.login(), "commands"))
    api.message(juliet.jid, "forbidden", id="m1")
    assert error_of(api.stanza(lambda el: el.get("id") == "m1"))[1] == "forbidden"
    her.settle()
    her.expect_nothing("message", body="forbidden")


@pytest.mark.parametrize("kind", ["groupchat", "error"])
def test_messages_that_no_script_sends(edge, people, kind):
    romeo, juliet = people("romeo", "juliet")
    her = juliet.login().online()
    api = Api(edge).login(issue(romeo.login(), "message"))
    api.send("<message type='%s' to='%s'><body>odd</body></message>" % (kind, her.jid))
    api.settle()
    her.settle()
    her.expect_nothing("message", body="odd")


# -- what nobody may with one ------------------------------------------------------------------------------------------

FORBIDDEN = {
    "the roster": ("get", "<query xmlns='%s'/>" % NS_ROSTER, "own"),
    "a contact": ("set", "<query xmlns='%s'><item jid='x@y'/></query>" % NS_ROSTER, "own"),
    "the archive": ("set", "<query xmlns='urn:xmpp:mam:2'/>", "own"),
    "another password": ("set", "<query xmlns='jabber:iq:register'><username>u</username><password>p</password></query>", None),
    "the account's end": ("set", "<query xmlns='jabber:iq:register'><remove/></query>", None),
    "carbons": ("set", "<enable xmlns='urn:xmpp:carbons:2'/>", "own"),
    "an upload": ("get", "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/>", None),
    "discovery": ("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, None),
    "a command of somebody": ("set", "<command xmlns='http://jabber.org/protocol/commands' node='x'/>", "own"),
    "push": ("set", "<enable xmlns='urn:xmpp:push:0' jid='push.example' node='n'/>", "own"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("how", ["token", "password"])
def test_everything_else_is_refused(edge, person, what, how):
    """One gate: neither a token of all scopes nor the password makes a client of it."""
    romeo = person("romeo")
    api = Api(edge)
    if how == "token":
        api.login(issue(romeo.login(), "commands", "message"))
    else:
        api.login(user=romeo.user, password=romeo.password)
    kind, payload, to = FORBIDDEN[what]
    assert error_of(api.ask(kind, payload, to=romeo.jid if to else None))[1] == "forbidden"


def test_it_is_no_presence(edge, people):
    """Nor subscription: nobody sees it, it gets nothing."""
    romeo, juliet = people("romeo", "juliet")
    her = juliet.login().online()
    api = Api(edge).login(issue(romeo.login(), "commands", "message"))
    api.send("<presence/>")
    api.send("<presence to='%s'/>" % her.jid)
    api.send("<presence type='subscribe' to='%s'/>" % juliet.jid)
    api.settle()
    her.send("<message to='%s' type='chat'><body>to the account</body></message>" % romeo.jid)
    her.settle()
    her.expect_nothing("presence", from_=api.jid)
    assert not [f for f in edge.inbox if f.session == api.id and f.kind == STANZA]


def test_controls_of_clients_are_not_for_it(edge, people):
    """PEERS 39: stream management, resumption, SASL2: none makes more of it than it is."""
    romeo, = people("romeo")
    client = romeo.login("here").online()
    token = issue(client, "message")
    api = Api(edge)
    edge.control("authenticate", api.id, "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>%s"
                 "</initial-response><bind xmlns='urn:xmpp:bind:0'/></authenticate>" % b64("\0%s\0%s" % (romeo.user, romeo.password)))
    assert api.outcome() == "failure"
    assert api.token(token) == "success"
    edge.control("resume", api.id, previd="guess", h="0")
    api.bind(client.jid.rpartition("/")[2])
    assert api.jid != client.jid and client.ping().get("type") == "result", "it puts nobody out of his place"
    edge.control("sm-enable", api.id, resume="1")
    edge.control("csi", api.id, active="0")
    api.settle()
    assert not [f for f in edge.inbox if f.session == api.id]


def test_mechanism_is_not_for_clients(edge, server, person, connect):
    """PEERS 39: the edge says api, or there is no such mechanism; no stream of a client offers it."""
    token = issue(person("romeo").login(), "commands")
    assert Api(edge, api="0").auth("OAUTHBEARER", bearer(token)) == "failure"
    assert Api(edge, api="0", mechanisms="OAUTHBEARER").auth("OAUTHBEARER", bearer(token)) == "failure"
    assert Api(edge, secure="0").auth("OAUTHBEARER", bearer(token)) == "failure"
    client = connect()
    client.begin()
    client.starttls().begin()
    assert "OAUTHBEARER" not in "".join(client.features.itertext())


def test_registration_does_not_begin_there(edge, boss):
    run(boss, OURS + "set-registration", domain="im.example", registration="1")
    api = Api(edge)
    api.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>eve</username><password>p</password></query></iq>")
    edge.settle()
    assert not [f for f in edge.inbox if f.session == api.id and f.kind == STANZA]
    run(boss, OURS + "set-registration", domain="im.example", registration="0")


def test_command_session_of_another_is_none(edge, boss, admin):
    """PEERS 40: the session of a command belongs to the full JID that began it."""
    command = Command(boss, ADD)
    api = Api(edge).login(user=admin.user, password=admin.password)
    reply = api.ask("set", "<command xmlns='http://jabber.org/protocol/commands' node='%s' sessionid='%s' action='complete'/>"
                    % (ADD, command.session))
    assert error_of(reply)[1] == "bad-request"


@pytest.mark.parametrize("node, fields", [
    (ADD, {"accountjid": "thief@im.example", "password": "pw", "admin": "1"}),
    (OURS + "set-admin", {"accountjid": "accomplice@im.example", "admin": "1"}),
    (ADMIN + "change-user-password", {"accountjid": "admin@im.example", "password": "pw"}),
    (ADMIN + "change-user-password", {"accountjid": "admin@im.example/x", "password": "pw"}),
    (OURS + "token-issue", {"label": "x", "scopes": ["commands"]}),
])
def test_no_login_is_made_of_a_stolen_token(edge, boss, admin, node, fields):
    """PEERS 39: an administrator's token of all scopes: what would outlive it is refused; a password may."""
    run(boss, ADD, accountjid="accomplice@im.example", password="pw")
    api = Api(edge).login(issue(boss, "commands", "message"))
    assert error_of(api.run(node, **fields))[1] == "forbidden"
    assert boss.ping().get("type") == "result" and admin.login().ping().get("type") == "result"
    assert api.run(ADMIN + "change-user-password", accountjid="accomplice@im.example", password="x").get("type") == "result"


# -- what ends it ------------------------------------------------------------------------------------------------------

def end_by_revoking(boss, romeo, client, number):
    assert run(client, OURS + "token-revoke", id=number).status == "completed"


def end_by_password(boss, romeo, client, number):
    assert run(boss, ADMIN + "change-user-password", accountjid=romeo.jid, password="new").status == "completed"


def end_by_own_password(boss, romeo, client, number):
    reply = client.ask("set", "<query xmlns='jabber:iq:register'><username>%s</username><password>new</password></query>" % romeo.user,
                       to="im.example")
    assert reply.get("type") == "result"


@pytest.mark.parametrize("end", [end_by_revoking, end_by_password, end_by_own_password])
def test_it_ends_with_its_sessions(edge, boss, person, end):
    """PEERS 39: sessions that have come by it, bound or about to be, may nothing from then on."""
    romeo = person("romeo")
    client = romeo.login()
    got = result(run(client, OURS + "token-issue", label="x", scopes=["commands"]))
    token, number = got["token"][0], got["id"][0]
    bound, authenticated = Api(edge).login(token), Api(edge)
    assert authenticated.token(token) == "success"
    assert bound.run(OURS + "tokens").get("type") == "result"
    end(boss, romeo, client, number)
    assert error_of(bound.run(OURS + "tokens"))[1] == "not-authorized"
    assert error_of(authenticated.bind().run(OURS + "tokens"))[1] == "not-authorized"
    assert '"invalid_token"' in Api(edge).refused(token)


def test_removal_of_the_account_ends_it(edge, boss, person):
    romeo = person("romeo")
    token = issue(romeo.login(), "commands")
    api = Api(edge).login(token)
    assert run(boss, ADMIN + "delete-user", accountjids=[romeo.jid]).status == "completed"
    edge.expect_control("close", api.id)
    assert "invalid_token" in Api(edge).refused(token)


def test_it_expires(edge, server, person):
    """Looked at for each stanza, not only when it logs in."""
    romeo = person("romeo")
    token = issue(romeo.login(), "commands")
    server.check(server.stop())
    db = sqlite3.connect(server.dir / "data" / "bulkhead.db")
    db.execute("UPDATE api_token SET expires_ms = 1000")
    db.commit()
    db.close()
    server.launch()
    assert server.ready()
    again = Edge(server).up()
    assert "invalid_token" in Api(again).refused(token)


def test_restart_of_the_session_manager_restores_none(edge, server, person):
    """A session whose scopes nobody remembers would be a client's: it is over."""
    romeo = person("romeo")
    token = issue(romeo.login(), "message")
    api = Api(edge).login(token)
    edge.settle()
    server.replace_daemon("sessman")
    edge.expect(lambda f: f.kind == SYNC and f.flags & REBORN)
    edge.alive([api.id])
    edge.expect_control("close", api.id)
    api.message(romeo.jid, "late")
    edge.expect_control("close", api.id)
    fresh = Api(edge).login(token)
    assert error_of(fresh.run(OURS + "tokens"))[1] == "forbidden"


# -- limits --------------------------------------------------------------------------------------------------------------

def test_its_sessions_leave_room_for_clients(edge, person):
    """PEERS 39: a token cannot lock its owner out."""
    romeo = person("romeo")
    token = issue(romeo.login(), "message")
    for _ in range(20):
        Api(edge).login(token)
    last = Api(edge)
    assert last.token(token) == "success"
    edge.control("bind", last.id)
    edge.expect_control("bind-refused", last.id)
    assert romeo.login().ping().get("type") == "result"
