"""What administrators see of users and do to them, by ad-hoc command (XEP-0133)."""

import sqlite3

import pytest

from api import OURS, Api
from client import NS_ROSTER, error_of, local, q
from forms import ADMIN, result, run, values
from frames import Edge

SERVER = {"domains": ["im.example", "other.example"]}


@pytest.fixture
def boss(admin):
    return admin.login("desk")


def rows(command):
    assert command.status == "completed", command.reply
    return [values(item) for item in command.form.iter(q("jabber:x:data", "item"))]


def attempt(it, mechanism=None):
    """What logging in comes to: the name of the answer, and of what stands in it."""
    client = it.connect()
    client.begin()
    client.starttls().begin()
    answer = client.authenticate(it.user, it.password, *([mechanism] if mechanism else []))
    return local(answer), [local(el) for el in answer]


# -- disabled accounts -------------------------------------------------------------------------------------------------

def test_disabled_account(boss, person):
    """XEP-0133 4.3: sessions end; nobody logs in (RFC 6120 6.5.1); 4.4: until it is enabled again."""
    romeo = person("romeo")
    client = romeo.login("here").online()
    assert run(boss, ADMIN + "disable-user", accountjids=[romeo.jid]).status == "completed"
    client.expect_stream_error(("not-authorized",))
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        assert attempt(romeo, mechanism) == ("failure", ["account-disabled"])
    assert run(boss, ADMIN + "reenable-user", accountjids=[romeo.jid]).status == "completed"
    assert romeo.login().ping().get("type") == "result"


def test_who_has_no_password_does_not_learn_it(boss, person):
    romeo = person("romeo")
    assert run(boss, ADMIN + "disable-user", accountjids=[romeo.jid]).status == "completed"
    romeo.password = "wrong"
    assert attempt(romeo)[1] == ["not-authorized"]


def test_disabled_after_a_restart(server, admin, person):
    romeo = person("romeo")
    run(admin.login("desk"), ADMIN + "disable-user", accountjids=[romeo.jid])
    server.restart()
    assert attempt(romeo) == ("failure", ["account-disabled"])
    boss = admin.login("desk")
    assert romeo.jid in result(run(boss, ADMIN + "get-disabled-users-list"))["disableduserjids"]
    run(boss, ADMIN + "reenable-user", accountjids=[romeo.jid])


def test_disabled_just_before_the_session_manager_died(server, boss, people):
    """Its row says so, its sessions had not ended yet: they end with the restart, and contacts hear of it."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("here").online(), juliet.login("there").online()
    his.send("<presence to='%s'/>" % hers.jid)
    hers.expect("presence", from_=his.jid)
    with server.without("sessman"):
        db = sqlite3.connect(server.dir / "data" / "bulkhead.db")
        db.execute("UPDATE account SET disabled = 1 WHERE local = ?", (romeo.user,))
        db.commit()
        db.close()
    his.expect_stream_error(("reset",))
    hers.expect("presence", from_=his.jid, type="unavailable")
    assert attempt(romeo) == ("failure", ["account-disabled"])


def test_disabled_are_counted_and_listed(boss, people):
    """XEP-0133 4.14, 4.19."""
    before = int(result(run(boss, ADMIN + "get-disabled-users-num"))["disabledusersnum"][0])
    a, b, c = people("a", "b", "c")
    assert run(boss, ADMIN + "disable-user", accountjids=[a.jid, b.jid]).status == "completed"
    assert int(result(run(boss, ADMIN + "get-disabled-users-num"))["disabledusersnum"][0]) == before + 2
    listed = result(run(boss, ADMIN + "get-disabled-users-list"))["disableduserjids"]
    assert a.jid in listed and b.jid in listed and c.jid not in listed
    assert len(result(run(boss, ADMIN + "get-disabled-users-list", max_items="1"))["disableduserjids"]) == 1


def test_tokens_of_a_disabled_account(server, boss, person, connections):
    """Neither a password nor a token of the API logs in; messages for it are kept."""
    romeo = person("romeo")
    client = romeo.login()
    token = result(run(client, OURS + "token-issue", label="x", scopes=["message"]))["token"][0]
    edge = Edge(server)
    connections.append(edge.stream)
    edge.up()
    api = Api(edge).login(token)
    assert run(boss, ADMIN + "disable-user", accountjids=[romeo.jid]).status == "completed"
    edge.expect_control("close", api.id)
    again = Api(edge)
    assert again.token(token) == "failure" and "account-disabled" in str(again.el.attrib)
    assert Api(edge).auth("PLAIN", "\0%s\0%s" % (romeo.user, romeo.password)) == "failure"
    boss.send("<message to='%s' type='chat'><body>while it was disabled</body></message>" % romeo.jid)
    boss.settle()
    assert run(boss, ADMIN + "reenable-user", accountjids=[romeo.jid]).status == "completed"
    back = romeo.login()
    back.send("<presence/>")
    back.expect("message", body="while it was disabled")


def test_disabled_between_login_and_bind(server, boss, person, connections):
    romeo = person("romeo")
    edge = Edge(server)
    connections.append(edge.stream)
    edge.up()
    late = Api(edge, api="0")
    assert late.auth("PLAIN", "\0%s\0%s" % (romeo.user, romeo.password)) == "success"
    assert run(boss, ADMIN + "disable-user", accountjids=[romeo.jid]).status == "completed"
    edge.control("bind", late.id)
    edge.expect_control("bind-refused", late.id)


@pytest.mark.parametrize("jid, kind", [("ghost@im.example", "item-not-found"), ("x@elsewhere.example", "item-not-found"),
                                       ("im.example", "jid-malformed"), ("admin@im.example", "not-allowed"),
                                       ("admin@im.example/desk", "not-allowed")])
def test_accounts_that_cannot_be_disabled(boss, jid, kind):
    assert error_of(run(boss, ADMIN + "disable-user", accountjids=[jid]).reply)[1] == kind
    assert boss.ping().get("type") == "result"


# -- administrators ----------------------------------------------------------------------------------------------------

def test_administrators_are_made_listed_and_unmade(boss, person):
    deputy = person("deputy")
    client = deputy.login()
    assert result(run(boss, OURS + "admins"))["adminjids"] == ["admin@im.example"]
    assert error_of(run(client, ADMIN + "get-online-users-num").reply)[1] == "forbidden"
    assert run(boss, OURS + "set-admin", accountjid=deputy.jid, admin="1").status == "completed"
    assert sorted(result(run(boss, OURS + "admins"))["adminjids"]) == sorted(["admin@im.example", deputy.jid])
    assert run(client, ADMIN + "get-online-users-num").status == "completed", "at once"
    assert run(boss, OURS + "set-admin", accountjid=deputy.jid, admin="0").status == "completed"
    assert error_of(run(client, ADMIN + "get-online-users-num").reply)[1] == "forbidden"


def test_nobody_takes_it_from_himself(boss):
    """So one is left."""
    for jid in ("admin@im.example", "admin@im.example/other"):
        assert error_of(run(boss, OURS + "set-admin", accountjid=jid, admin="0").reply)[1] == "not-allowed"
    assert error_of(run(boss, OURS + "set-admin", accountjid="ghost@im.example", admin="1").reply)[1] == "item-not-found"


# -- what is known of users --------------------------------------------------------------------------------------------

def test_roster_of_a_user(boss, people):
    """XEP-0133 4.8."""
    romeo, juliet = people("romeo", "juliet")
    client = romeo.login()
    client.ask("set", "<query xmlns='%s'><item jid='%s' name='J &amp; J'><group>A</group><group>B</group></item></query>"
               % (NS_ROSTER, juliet.jid))
    got = rows(run(boss, ADMIN + "get-user-roster", accountjids=[romeo.jid, juliet.jid]))
    assert got == [{"accountjid": [romeo.jid], "jid": [juliet.jid], "name": ["J & J"], "subscription": ["none"],
                    "groups": ["A", "B"]}]


def test_last_login(boss, people):
    """XEP-0133 4.9: one who is here, one who was, one who never was."""
    here, gone, never = people("here", "gone", "never")
    here.login().online()
    client = gone.login().online()
    client.end()
    boss.settle()
    got = {row["accountjid"][0]: row["lastlogin"] for row in rows(run(
        boss, ADMIN + "get-user-lastlogin", accountjids=[here.jid, gone.jid, never.jid]))}
    assert got[here.jid][0].endswith("Z") and got[gone.jid][0].endswith("Z") and got[never.jid] == []


def test_statistics_of_users(boss, people):
    """XEP-0133 4.10."""
    romeo, juliet = people("romeo", "juliet")
    romeo.login("one").online(), romeo.login("two").online()
    boss.send("<message to='%s' type='chat'><body>waits</body></message>" % juliet.jid)
    boss.settle()
    one, two = rows(run(boss, ADMIN + "user-stats", accountjids=[romeo.jid, juliet.jid]))
    assert sorted(one["onlineresources"]) == ["one", "two"] and one["rostersize"] == ["0"]
    assert (one["admin"], one["disabled"], one["waiting"]) == (["0"], ["0"], ["0"])
    assert two["onlineresources"] == [] and two["waiting"] == ["1"]
    admin, = rows(run(boss, ADMIN + "user-stats", accountjids=["admin@im.example"]))
    assert admin["admin"] == ["1"] and admin["onlineresources"] == ["desk"]


@pytest.mark.parametrize("node", ["get-user-roster", "get-user-lastlogin", "user-stats"])
def test_nobody_is_not_found(boss, person, node):
    romeo = person("romeo")
    assert error_of(run(boss, ADMIN + node, accountjids=["ghost@im.example"]).reply)[1] == "item-not-found"
    assert error_of(run(boss, ADMIN + node, accountjids=[romeo.jid] * 101).reply)[1] == "resource-constraint"
    assert error_of(run(romeo.login(), ADMIN + node).reply)[1] == "forbidden"


# -- to all who are online ---------------------------------------------------------------------------------------------

def test_announcement(boss, people, person):
    """XEP-0133 4.23: a headline to every resource of the domain that is online; nobody keeps it."""
    romeo, juliet = people("romeo", "juliet")
    other = person("other", "other.example").login().online()
    one, two = romeo.login("one").online(), romeo.login("two").online(priority=-1)
    command = run(boss, ADMIN + "announce", subject="Down", announcement=["At noon", "for an hour"])
    assert command.status == "completed"
    for client in (one, two):
        message = client.expect("message", type="headline")
        assert (message.get("from"), message.get("to")) == ("im.example", client.jid)
        assert [el.text for el in message] == ["Down", "At noon\nfor an hour"]
    other.settle()
    other.expect_nothing("message", type="headline")
    her = juliet.login().online()
    her.settle()
    her.expect_nothing("message", type="headline")


def test_announcement_is_for_administrators(person):
    assert error_of(run(person("romeo").login(), ADMIN + "announce").reply)[1] == "forbidden"
