"""Administration: ad-hoc commands for administrators (XEP-0050, XEP-0133) and bulkheadctl, two faces of one table."""

import json

import pytest

import sasl

from client import NS_COMMANDS, NS_DISCO_INFO, NS_DISCO_ITEMS, error_of, local, q
from forms import ADMIN, Command, result, run, submit, values

SERVER = {"domains": ["im.example", "other.example"]}


@pytest.fixture
def boss(admin):
    """The administrator's client."""
    return admin.login("desk")


def refused(command):
    """An error stanza, or a completed command with an error note: XEP-0050 3.7 allows both."""
    return command.status == "error" or "error" in [kind for kind, _ in command.notes]


def can_login(connect, user, password, domain="im.example"):
    client = connect(domain=domain)
    client.begin()
    client.starttls().begin()
    return local(client.authenticate(user, password, "PLAIN")) == "success"


# -- commands over XMPP --------------------------------------------------------------------------------------------

def commands(client, to="im.example"):
    reply = client.ask("get", "<query xmlns='%s' node='%s'/>" % (NS_DISCO_ITEMS, NS_COMMANDS), to=to)
    return {el.get("node"): el.get("name") for el in reply.iter(q(NS_DISCO_ITEMS, "item"))}


def test_commands_are_listed_to_the_administrator(boss):
    """XEP-0050 2.2, XEP-0133 4: by the names that clients know."""
    listed = commands(boss)
    for name in ("add-user", "delete-user", "change-user-password", "end-user-session", "get-registered-users-list",
                 "get-online-users-list"):
        assert listed.get(ADMIN + name), name


def test_commands_are_hidden_from_others(person):
    """XEP-0133 1: who may not run them does not see them."""
    assert not [node for node in commands(person("romeo").login()) if node.startswith(ADMIN)]


def test_command_has_its_own_disco(boss):
    """XEP-0050 2.3: identity automation/command-node, and the features of commands and forms."""
    reply = boss.ask("get", "<query xmlns='%s' node='%sadd-user'/>" % (NS_DISCO_INFO, ADMIN), to="im.example")
    identity = reply.find(".//" + q(NS_DISCO_INFO, "identity"))
    assert (identity.get("category"), identity.get("type")) == ("automation", "command-node")
    features = {el.get("var") for el in reply.iter(q(NS_DISCO_INFO, "feature"))}
    assert {NS_COMMANDS, "jabber:x:data"} <= features


def test_add_user(boss, connect):
    """XEP-0133 4.1."""
    command = Command(boss, ADMIN + "add-user")
    assert command.status == "executing" and command.form.get("type") == "form"
    assert {"accountjid", "password"} <= set(values(command.form))
    assert command.form_type() == "http://jabber.org/protocol/admin"
    command.complete(accountjid="added@im.example", password="pw", **{"password-verify": "pw"})
    assert command.status == "completed"
    assert can_login(connect, "added", "pw")


def test_add_user_on_the_other_domain(boss, connect):
    """XEP-0133 4.1: an administrator of the installation serves every domain of it."""
    assert run(boss, ADMIN + "add-user", accountjid="added@other.example", password="pw",
               **{"password-verify": "pw"}).status == "completed"
    assert can_login(connect, "added", "pw", "other.example")


@pytest.mark.parametrize("fields", [
    {"accountjid": "twice@im.example", "password": "a", "password-verify": "b"},
    {"accountjid": "user@not-hosted.example", "password": "a", "password-verify": "a"},
    {"accountjid": "im.example", "password": "a", "password-verify": "a"},
    {"accountjid": "a b@im.example", "password": "a", "password-verify": "a"},
    {"accountjid": "", "password": "a", "password-verify": "a"},
    {"accountjid": "nopassword@im.example", "password": "", "password-verify": ""},
    {"accountjid": "admin@im.example", "password": "a", "password-verify": "a"},
], ids=["passwords differ", "domain not hosted", "no user", "bad name", "empty", "no password", "there already"])
def test_add_user_refuses(boss, connect, server, fields):
    """XEP-0133 4.1: an error or an error note; no account comes of it, none is changed."""
    command = run(boss, ADMIN + "add-user", **fields)
    assert refused(command)
    assert not can_login(connect, "twice", "a")
    assert can_login(connect, "admin", server.admin_password)


def test_change_password(boss, person):
    """XEP-0133 4.6: the new one holds, the old one does not."""
    romeo = person("romeo")
    assert run(boss, ADMIN + "change-user-password", accountjid=romeo.jid, password="new").status == "completed"
    old = romeo.password
    romeo.password = "new"
    client = romeo.login()
    assert client.ping().get("type") == "result"
    again = romeo.connect()
    again.begin()
    again.starttls().begin()
    assert local(again.authenticate(romeo.user, old)) == "failure"


def test_change_password_of_nobody(boss):
    """XEP-0133 4.6."""
    command = run(boss, ADMIN + "change-user-password", accountjid="ghost@im.example", password="x")
    assert refused(command)


def test_delete_user_ends_its_sessions(boss, person, connect):
    """XEP-0133 4.2."""
    romeo = person("romeo")
    client = romeo.login("balcony").online()
    assert run(boss, ADMIN + "delete-user", accountjids=[romeo.jid]).status == "completed"
    client.expect_stream_error(("not-authorized", "reset", "conflict"))
    assert not can_login(connect, romeo.user, romeo.password)


def test_kick(boss, person):
    """XEP-0133 4.5: the session ends, the account stays."""
    romeo = person("romeo")
    one, two = romeo.login("one").online(), romeo.login("two").online()
    assert run(boss, ADMIN + "end-user-session", accountjids=[one.jid]).status == "completed"
    one.expect_stream_error(("reset", "policy-violation", "conflict", "not-authorized"))
    assert two.ping().get("type") == "result"
    romeo.login("one")


def test_lists(boss, person):
    """XEP-0133 4.18, 4.20: registered and online accounts."""
    romeo, juliet = person("romeo"), person("juliet")
    romeo.login("balcony").online()

    def flat(command):
        return [value for vs in result(command).values() for value in vs]
    registered = flat(run(boss, ADMIN + "get-registered-users-list", max_items="none"))
    online = flat(run(boss, ADMIN + "get-online-users-list", max_items="none"))
    assert {romeo.jid, juliet.jid} <= set(registered)
    bare = {jid.partition("/")[0] for jid in online}
    assert romeo.jid in bare and juliet.jid not in bare


@pytest.mark.parametrize("name", ["add-user", "delete-user", "change-user-password", "end-user-session",
                                  "get-registered-users-list", "get-online-users-list"])
def test_others_may_not(person, name):
    """XEP-0050 3.8, XEP-0133 1: <forbidden/>."""
    command = Command(person("romeo").login(), ADMIN + name)
    assert error_of(command.reply)[1] == "forbidden"


def test_namesake_on_another_domain_is_no_administrator(person):
    """An administrator is a JID, not a name."""
    impostor = person("admin", domain="other.example").login()
    assert error_of(Command(impostor, ADMIN + "add-user", to="other.example").reply)[1] == "forbidden"
    assert error_of(Command(impostor, ADMIN + "add-user", to="im.example").reply)[1] == "forbidden"


def test_session_of_a_command_is_its_starters(boss, person, connect):
    """PEERS 5 no. 40; XEP-0050 5: another's session id opens nothing."""
    command = Command(boss, ADMIN + "add-user")
    stranger = person("romeo").login()
    reply = stranger.ask("set", "<command xmlns='%s' node='%sadd-user' sessionid='%s' action='complete'>%s</command>" % (
        NS_COMMANDS, ADMIN, command.session, submit("http://jabber.org/protocol/admin", accountjid="stolen@im.example",
                                                    password="x")), to="im.example")
    assert reply.get("type") == "error"
    assert not can_login(connect, "stolen", "x")


def test_cancel(boss):
    """XEP-0050 3.4.1: status canceled; the session is over."""
    command = Command(boss, ADMIN + "add-user")
    command.send("", "cancel")
    assert command.status == "canceled"
    command.send(submit("http://jabber.org/protocol/admin", accountjid="late@im.example", password="x"), "complete")
    assert refused(command)


@pytest.mark.parametrize("node, action", [("nonsense", None), (ADMIN + "add-user", "bogus"), ("", None)])
def test_command_that_is_none(boss, node, action):
    """XEP-0050 3.8: <item-not-found/>, <bad-request/>."""
    assert error_of(Command(boss, node, action=action).reply)[1] in ("item-not-found", "bad-request", "service-unavailable")


# -- bulkheadctl ---------------------------------------------------------------------------------------------------

def test_ctl_adduser_passwd_deluser(server, connect):
    """The same three, from the command line; messages and statuses that a script can rely on."""
    jid = "scripted@im.example"
    server.run("adduser", jid, "one")
    assert can_login(connect, "scripted", "one")
    assert server.run("adduser", jid, "two", check=False).returncode != 0
    assert can_login(connect, "scripted", "one")
    server.run("passwd", jid, "two")
    assert can_login(connect, "scripted", "two") and not can_login(connect, "scripted", "one")
    server.run("deluser", jid)
    assert not can_login(connect, "scripted", "two")
    for gone in (("deluser", jid), ("passwd", jid, "three")):
        done = server.run(*gone, check=False)
        assert done.returncode != 0 and done.stderr.strip() and not done.stdout.strip()


def test_ctl_users_and_sessions(server, person):
    """One a line; --json as a list."""
    romeo = person("romeo")
    client = romeo.login("balcony").online()
    assert romeo.jid in server.run("users", "im.example").stdout.split()
    assert romeo.jid not in server.run("users", "other.example").stdout.split()
    assert client.jid in server.run("sessions").stdout
    assert romeo.jid in json.dumps(json.loads(server.run("users", "im.example", "--json").stdout))
    assert client.jid in json.dumps(json.loads(server.run("sessions", "--json").stdout))


def test_ctl_kick(server, person):
    """By full JID; and an error for a session that is not there."""
    client = person("romeo").login("balcony")
    server.run("kick", client.jid)
    client.expect_stream_error(("reset", "policy-violation", "conflict", "not-authorized"))
    assert server.run("kick", client.jid, check=False).returncode != 0


def test_ctl_status(server):
    """Every daemon by name; JSON as well."""
    text = server.run("status").stdout
    status = json.dumps(server.status())
    for daemon in ("router", "c2s", "sessman"):
        assert daemon in text and daemon in status


def test_ctl_status_is_a_page_for_people(server):
    """One line a daemon, then sessions, store, certificates and links."""
    page = server.run("status").stdout
    for instance in ("router-1", "sessman-1", "c2s-1"):
        assert any(line.split()[:1] == [instance] and "MiB" in line for line in page.splitlines()), page
    assert "c2s-1: link to unix:run/router.sock is up" in page
    serves = next(line for line in page.splitlines() if "sessman-1 (level 3, unix) serves " in line)
    assert set(server.domains) <= set(serves.split())
    assert "certificate default, EC 256" in page


def test_ctl_tell_reaches_one_daemon(server, person):
    """Log levels change at run time, per subsystem; the wire shows characters, never a password."""
    assert "loglevel" in server.run("tell", "c2s-1", "help").stdout
    server.run("tell", "c2s-1", "loglevel", "wire=debug")
    romeo = person("romeo")
    client = romeo.login("balcony", mechanism="PLAIN")
    client.sync()
    server.run("tell", "c2s-1", "loglevel", "wire=info")
    log = (server.dir / "log" / "c2s-1.log").read_text()
    assert "urn:xmpp:ping" in log and romeo.password not in log
    assert sasl.encode(b"\0%s\0%s" % (romeo.user.encode(), romeo.password.encode())) not in log
    assert server.run("tell", "c2s-9", "help", check=False).returncode == 3
    assert server.run("tell", "c2s-1", "sing", check=False).returncode == 1


def test_ctl_check_finds_nothing_wrong_with_what_init_made(server):
    """`init` writes a working directory."""
    server.run("check")


@pytest.mark.parametrize("args", [[], ["nonsense"], ["adduser"], ["adduser", "not-a-jid", "x"], ["kick", "a@b@c"],
                                  ["adduser", "user@not-hosted.example", "x"], ["users", "not-hosted.example"]])
def test_ctl_says_what_was_wrong(server, args):
    """A status that is not 0, and a reason on standard error."""
    done = server.run(*args, check=False)
    assert done.returncode != 0 and done.stderr.strip()


def test_ctl_init_touches_nothing_that_is_there(server):
    """A second init of the same directory is refused and changes nothing."""
    before = {path: path.read_bytes() for path in server.dir.glob("*.conf")}
    assert server.run("init", "--domain", "x.example", check=False).returncode != 0
    assert before == {path: path.read_bytes() for path in server.dir.glob("*.conf")}


def test_kick_of_who_is_not_there(server, people):
    """It says so, as often as it is asked, and the account goes on as ever."""
    romeo, juliet = people("romeo", "juliet")
    for person in (romeo, juliet):
        person.login("desk").end()
        for _ in range(3):
            done = server.run("kick", person.jid, check=False)
            assert done.returncode == 1 and "no such session" in done.stderr
    for _ in range(2):
        his, hers = romeo.login("desk"), juliet.login("desk")
        for one, other in ((his, hers), (hers, his)):
            one.message(other.jid, "still here")
            other.expect("message", body="still here")
        his.end(), hers.end()
