"""Ad-hoc commands as a protocol (XEP-0050): sessions, errors of its own, and the commands that are not XEP-0133's."""

import pytest

from client import NS_COMMANDS, NS_DATA, error_of, local, q
from forms import ADMIN, Command, result, run, submit, values

SERVER = {"domains": ["im.example"]}
OURS = "urn:bulkhead:commands:"
ADD = ADMIN + "add-user"


@pytest.fixture
def boss(admin):
    return admin.login("desk")


def raw(client, attrs, payload="", to="im.example"):
    return client.ask("set", "<command xmlns='%s' %s>%s</command>" % (NS_COMMANDS, attrs, payload), to=to)


def condition(reply):
    """The commands' own condition inside the error: XEP-0050 4.4."""
    return [el.tag.rpartition("}")[2] for el in reply.iter() if el.tag.startswith("{%s}" % NS_COMMANDS) and
            local(el) != "command"]


@pytest.mark.parametrize("attrs, payload, own", [
    ("node='%s' action='bogus'" % ADD, "", "malformed-action"),
    ("node='%s' action='prev'" % ADD, "", "bad-action"),
    ("node='%s' action='next'" % ADD, "", "bad-action"),
    ("node='%s' action='cancel'" % ADD, "", "bad-action"),
    ("node='%s' sessionid='never-given'" % ADD, "", "bad-sessionid"),
    ("node='%s'" % ADD, "<x xmlns='%s' type='form'/>" % NS_DATA, "bad-payload"),
])
def test_errors_of_commands(boss, attrs, payload, own):
    """XEP-0050 4.4: bad-request with a condition that says what is bad."""
    reply = raw(boss, attrs, payload)
    assert error_of(reply)[1] == "bad-request" and own in condition(reply)


def test_session_of_another_command_is_no_session(boss):
    """XEP-0050 3.2: the session id belongs to the node, and to the full JID."""
    command = Command(boss, ADD)
    reply = raw(boss, "node='%sdelete-user' sessionid='%s'" % (ADMIN, command.session))
    assert "bad-sessionid" in condition(reply)


def test_session_of_another_resource_is_no_session(boss, admin):
    command = Command(boss, ADD)
    other = admin.login("phone")
    reply = raw(other, "node='%s' sessionid='%s'" % (ADD, command.session))
    assert "bad-sessionid" in condition(reply)


def test_finished_session_is_over(boss):
    """XEP-0050 3.4: completed is completed."""
    command = Command(boss, ADD)
    command.complete(accountjid="once@im.example", password="pw")
    assert command.status == "completed"
    reply = raw(boss, "node='%s' sessionid='%s' action='complete'" % (ADD, command.session),
                submit(accountjid="again@im.example", password="pw"))
    assert "bad-sessionid" in condition(reply)


def test_many_open_sessions_end_the_oldest(boss):
    """Bounded memory: the first of many is forgotten, the last is not."""
    commands = [Command(boss, ADD) for _ in range(12)]
    assert commands[0].send("", "cancel").status == "error"
    assert commands[-1].send("", "cancel").status == "canceled"


def test_many_resources_end_their_own_account_s_sessions(boss, person):
    """PEERS 40: whoever logs in again and again pushes out what he has begun himself, nobody else."""
    hers = Command(boss, ADD)
    romeo = person("romeo")
    clients = [romeo.login() for _ in range(5)]
    commands = [Command(client, OURS + "token-issue") for client in clients for _ in range(5)]
    assert commands[0].send("", "cancel").status == "error"
    assert commands[-1].send("", "cancel").status == "canceled"
    assert hers.send("", "cancel").status == "canceled"


def test_cancel_by_the_form(boss):
    """XEP-0004 3.1: a form of type cancel ends it as well."""
    command = Command(boss, ADD)
    assert command.send("<x xmlns='%s' type='cancel'/>" % NS_DATA).status == "canceled"


def test_form_may_come_with_the_first_step(boss):
    """Who knows the form need not ask for it: what scripts use."""
    reply = raw(boss, "node='%s'" % ADD, submit(accountjid="direct@im.example", password="pw"))
    assert reply.find(q(NS_COMMANDS, "command")).get("status") == "completed"


def test_numbers(boss, person):
    """XEP-0133 4.13, 4.15."""
    before = int(result(run(boss, ADMIN + "get-registered-users-num"))["registeredusersnum"][0])
    romeo = person("romeo")
    romeo.login("one"), romeo.login("two")
    assert int(result(run(boss, ADMIN + "get-registered-users-num"))["registeredusersnum"][0]) == before + 1
    assert int(result(run(boss, ADMIN + "get-online-users-num"))["onlineusersnum"][0]) == 2


def test_list_in_pages(boss, person):
    """max_items and after: page by page, each account once."""
    people = sorted(person("page").jid for _ in range(5))
    seen, after = [], ""
    for _ in range(50):
        got = result(run(boss, ADMIN + "get-registered-users-list", max_items="2", after=after))
        page = got.get("registereduserjids", [])
        seen += page
        if "more" not in got:
            break
        assert len(page) == 2
        after = page[-1]
    assert seen == sorted(set(seen)) and set(people) <= set(seen)


def test_sessions_of_the_server(boss, person):
    client = person("romeo").login("balcony").online()
    form = run(boss, OURS + "sessions").form
    rows = [values(item) for item in form.iter(q(NS_DATA, "item"))]
    assert {"jid": [client.jid], "available": ["1"], "priority": ["0"]} in rows


def test_domain_comes_and_goes_while_the_server_runs(boss, connect):
    """DESIGN 8: a domain is a row; accounts of it log in at once; one with accounts stays."""
    assert run(boss, OURS + "add-domain", domain="New.Example").status == "completed"
    assert error_of(run(boss, OURS + "add-domain", domain="new.example").reply)[1] == "conflict"
    listed = [values(item)["domain"][0] for item in run(boss, OURS + "domains").form.iter(q(NS_DATA, "item"))]
    assert sorted(listed) == ["im.example", "new.example"]
    assert run(boss, ADD, accountjid="eve@new.example", password="pw").status == "completed"
    client = connect(domain="new.example")
    assert client.login("eve", "pw", "here").jid == "eve@new.example/here"
    assert error_of(run(boss, OURS + "remove-domain", domain="new.example").reply)[1] == "conflict"
    assert run(boss, ADMIN + "delete-user", accountjids="eve@new.example").status == "completed"
    assert run(boss, OURS + "remove-domain", domain="new.example").status == "completed"
    assert error_of(run(boss, OURS + "remove-domain", domain="new.example").reply)[1] == "item-not-found"
    late = connect(domain="new.example")
    late.open("new.example")
    late.expect_stream_error(("host-unknown",))


def test_registration_is_opened_and_closed(boss, connect):
    """The stream feature follows the command."""
    feature = q("http://jabber.org/features/iq-register", "register")
    for value in ("1", "0"):
        assert run(boss, OURS + "set-registration", domain="im.example", registration=value).status == "completed"
        client = connect()
        client.begin()
        client.starttls().begin()
        assert (client.features.find(feature) is not None) == (value == "1")


def test_log_levels(boss):
    assert run(boss, OURS + "log-level", levels="debug,store=warn").status == "completed"
    assert run(boss, OURS + "log-level", levels="info,store=info").status == "completed"
    assert error_of(run(boss, OURS + "log-level", levels="loud").reply)[1] == "not-acceptable"


# -- the form ----------------------------------------------------------------------------------------------------

def text_of(reply):
    return "".join(el.text or "" for el in reply.iter() if local(el) == "text")


@pytest.mark.parametrize("node, fields, kind, names", [
    (ADD, {"accountjid": "a@im.example"}, "bad-request", "password"),
    (ADD, {"accountjid": "@@", "password": "x"}, "jid-malformed", "accountjid"),
    (ADD, {"accountjid": ["a@im.example", "b@im.example"], "password": "x"}, "not-acceptable", "accountjid"),
    (ADD, {"accountjid": "a@im.example", "password": "x", "admin": "perhaps"}, "not-acceptable", "admin"),
    (OURS + "set-archive", {"domain": "im.example", "archive": "1", "days": "-1"}, "not-acceptable", "days"),
    (OURS + "set-archive", {"domain": "im.example", "archive": "1", "days": "36501"}, "not-acceptable", "days"),
    (OURS + "set-archive", {"domain": "im.example"}, "bad-request", "archive"),
    (ADMIN + "delete-user", {"accountjids": ["a@im.example"] * 1001}, "resource-constraint", "accountjids"),
])
def test_form_that_is_not_good(boss, node, fields, kind, names):
    """XEP-0050 4.4: the error names the field; a required one that is missing is bad-payload."""
    reply = run(boss, node, **fields).reply
    assert error_of(reply)[1] == kind and names in text_of(reply)
    assert ("bad-payload" in condition(reply)) == (kind == "bad-request")


def test_form_may_be_corrected(boss):
    """A form that is not good ends nothing."""
    command = Command(boss, ADD)
    form_type = command.form_type()
    assert command.send(submit(form_type, accountjid="right@im.example"), "complete").status == "error"
    assert command.send(submit(form_type, accountjid="right@im.example", password="pw"), "complete").status == "completed"


def test_form_of_enormous_size(boss):
    """PEERS 40: thousands of fields, thousands of values: an answer, and the session goes on."""
    many = "".join("<field var='f%d'><value>1</value></field>" % n for n in range(4000))
    reply = raw(boss, "node='%s'" % ADD, "<x xmlns='%s' type='submit'>%s</x>" % (NS_DATA, many))
    assert error_of(reply)[1] == "bad-request"
    reply = raw(boss, "node='%sdelete-user'" % ADMIN, submit(accountjids=["x@im"] * 9000))
    assert error_of(reply)[1] == "resource-constraint"
    assert boss.ping().get("type") == "result"


def test_form_of_a_million_fields(boss, admin):
    """PEERS 40: the limits of a stanza are before it: the stream ends, nobody else notices."""
    other = admin.login("other")
    boss.send("<iq type='set' id='million' to='im.example'><command xmlns='%s' node='%s'><x xmlns='%s' type='submit'>%s"
              % (NS_COMMANDS, ADD, NS_DATA, "<field/>" * 10001))
    boss.expect_stream_error(("policy-violation",))
    assert other.ping().get("type") == "result"


def test_next_after_complete(boss):
    """PEERS 40: there is nothing to go on to."""
    command = Command(boss, ADD)
    assert command.complete(accountjid="next@im.example", password="pw").status == "completed"
    for action in ("next", "prev", "complete", "cancel"):
        reply = raw(boss, "node='%s' sessionid='%s' action='%s'" % (ADD, command.session, action))
        assert "bad-sessionid" in condition(reply)


# -- all commands at once ----------------------------------------------------------------------------------------

NS_DESCRIPTIONS = "urn:bulkhead:commands:0"


def describe(client, node=None):
    attr = " node='%s'" % node if node else ""
    return client.ask("get", "<commands xmlns='%s'%s/>" % (NS_DESCRIPTIONS, attr), to="im.example")


def described(client, node=None):
    return {el.get("node"): el for el in describe(client, node).iter(q(NS_DESCRIPTIONS, "command"))}


def test_description_has_what_disco_has(boss):
    """The same commands, each with its title."""
    items = boss.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items' node='%s'/>" % NS_COMMANDS, to="im.example")
    listed = {el.get("node"): el.get("name") for el in items.iter() if local(el) == "item"}
    assert {node: el.get("title") for node, el in described(boss).items()} == listed


def test_description_has_the_form_that_the_command_asks_for(boss):
    """One table: the form is the same, field by field; commands that ask for nothing have none."""
    commands = described(boss)
    for node, el in commands.items():
        form = el.find(q(NS_DATA, "x"))
        if form is None:
            continue
        asked = Command(boss, node)
        if asked.status == "completed":
            assert el.get("changes") == "0", "what runs without its form only shows"
            continue
        assert asked.status == "executing", node
        assert asked.send("", "cancel").status == "canceled"
        fields = [(f.get("var"), f.get("type"), f.get("label")) for f in form.iter(q(NS_DATA, "field"))]
        again = Command(boss, node)
        assert fields == [(f.get("var"), f.get("type"), f.get("label")) for f in again.form.iter(q(NS_DATA, "field"))]
    assert commands[OURS + "domains"].find(q(NS_DATA, "x")) is None
    assert commands[ADD].get("changes") == "1" and commands[OURS + "domains"].get("changes") == "0"


def test_description_of_one(boss):
    assert list(described(boss, ADD)) == [ADD]
    assert error_of(describe(boss, "no-such"))[1] == "item-not-found"


def test_description_is_for_who_may(person):
    """PEERS 40: who may not run it does not see it."""
    romeo = person("romeo").login()
    assert not [node for node in described(romeo) if node.startswith(ADMIN)]
    assert error_of(describe(romeo, ADD))[1] == "forbidden"


def test_none_of_the_administrators_commands_is_for_others(boss, person):
    """PEERS 40: each of the table, with a form or without, and with the session of an administrator."""
    romeo = person("romeo").login()
    only = set(described(boss)) - set(described(romeo))
    assert len(only) > 20
    for node in sorted(only):
        begun = Command(boss, node)
        for attrs, payload in (("", ""), ("", submit(accountjid="x@im.example")), (" sessionid='%s'" % begun.session, submit())):
            reply = raw(romeo, "node='%s'%s" % (node, attrs), payload)
            assert error_of(reply)[1] == "forbidden", node
