"""What is kept for who is away, as the administrator and the user set it: path filters, limits, domains that keep nothing
(XEP-0160; msgoffline as Tigase has it)."""

import subprocess

import pytest

from client import error_of
from forms import run
from server import BUILD
from test_offline import arrive, bodies

SERVER = {"domains": ["im.example", "other.example"]}
NS = "msgoffline"
FILTER = "-/message/do-not-store, -/message/received[urn:xmpp:receipts], +/message/active, /message/body, -/message/*[urn:x]"


@pytest.fixture
def conf(server):
    """conf("filter = …") puts that into [offline] of sessman.conf and reloads; gives back what reload said."""
    path = server.dir / "sessman.conf"
    before = path.read_text()

    def set_options(text, check=True):
        path.write_text(before + "\n[offline]\n" + text + "\n")
        return server.run("reload", check=check)
    yield set_options
    path.write_text(before)
    server.run("reload")


@pytest.fixture
def pair(people):
    romeo, juliet = people("romeo", "juliet")
    return romeo.login("balcony"), juliet


def send(client, to, id, payload, type="chat"):
    client.send("<message to='%s' id='%s' type='%s'>%s</message>" % (to, id, type, payload))


def limit(client, kind, text=None, **attrs):
    return client.ask(kind, "<msgoffline xmlns='%s'%s/>" % (NS, "" if text is None else " limit='%s'" % text), **attrs)


def kept(juliet):
    """Logs in, takes what was kept, and leaves."""
    client, got = arrive(juliet)
    client.end()
    return got


# -- filters -------------------------------------------------------------------------------------------------------

def test_first_filter_that_finds_its_element_decides(pair, conf):
    his, juliet = pair
    conf("filter = " + FILTER)
    send(his, juliet.jid, "f0", "<body>b</body><do-not-store xmlns='urn:any'/>")
    send(his, juliet.jid, "f1", "<received xmlns='urn:xmpp:receipts' id='x'/><body>b</body>")
    send(his, juliet.jid, "f2", "<received xmlns='urn:other'/>")
    send(his, juliet.jid, "f3", "<active xmlns='http://jabber.org/protocol/chatstates'/>")
    send(his, juliet.jid, "f4", "<body>b</body><y xmlns='urn:x'/>")
    send(his, juliet.jid, "f5", "<y xmlns='urn:x'/>")
    send(his, juliet.jid, "f6", "<subject>s</subject>")
    send(his, juliet.jid, "f7", "<body>b</body><no-store xmlns='urn:xmpp:hints'/>")
    assert not [el for el in his.sync() if el.get("type") == "error"], "what is not kept is dropped in silence"
    assert [el.get("id") for el in kept(juliet)] == ["f2", "f3", "f4", "f6", "f7"]


def test_filters_are_for_those_who_are_away(pair, conf):
    """What a filter catches is delivered all the same when somebody is there."""
    his, juliet = pair
    conf("filter = -/message/body")
    client, _ = arrive(juliet)
    his.message(juliet.jid, "now")
    client.expect("message", body="now")


def test_no_filter_is_the_rule_of_the_specifications(pair, conf):
    his, juliet = pair
    conf("filter = -/message/body")
    his.message(juliet.jid, "lost")
    his.settle()
    conf("filter =")
    his.message(juliet.jid, "kept")
    his.settle()
    assert bodies(kept(juliet)) == ["kept"]


@pytest.mark.parametrize("text, says", [
    ("message/body", "a path begins with /"),
    ("-/message/received[urn:xmpp:receipts", "a [ without ]"),
    ("/presence", "the first element is message"),
    ("-/message/a/b/c/d/e/f/g/h", "more than 8 steps"),
    (", ".join(["/message/x"] * 13) + "\nfilter = /x" * 4, "the first element is message"),
    ("-/message/a]]>&<b", "expected"),
], ids=["no slash", "open bracket", "presence", "deep", "later line", "markup"])
def test_filter_that_does_not_parse_is_refused_and_the_old_one_stays(server, pair, conf, text, says):
    his, juliet = pair
    conf("filter = -/message/x[urn:secret]")
    done = conf("filter = " + text, check=False)
    assert done.returncode != 0
    checked = subprocess.run([BUILD / "bulkhead-sessman", "-d", server.dir, "--check-config"], capture_output=True, text=True)
    line = (server.dir / "sessman.conf").read_text().splitlines().index("filter = " + text.split("\n")[-1].removeprefix("filter = ")) + 1
    assert checked.returncode == 3
    for said in (done.stdout + done.stderr, checked.stdout + checked.stderr):
        assert "sessman.conf:%d: [offline] filter" % line in said and says in said
    send(his, juliet.jid, "f0", "<body>b</body><x xmlns='urn:secret'/>")
    send(his, juliet.jid, "f1", "<body>b</body>")
    his.settle()
    assert [el.get("id") for el in kept(juliet)] == ["f1"]


# -- limits --------------------------------------------------------------------------------------------------------

def test_limit_binds_each_sender_apart(people, conf):
    """The sender over it gets service-unavailable (XEP-0160 3), another one still has room."""
    conf("per_sender = 3")
    romeo, nurse, juliet = people("romeo", "nurse", "juliet")
    his, hers, again = romeo.login("balcony"), nurse.login("kitchen"), romeo.login("garden")
    for n in range(3):
        (his, again)[n % 2].message(juliet.jid, "r%d" % n)
        his.settle(), again.settle()
    his.message(juliet.jid, "too much", id="over")
    assert error_of(his.expect("message", id="over", type="error")) == ("cancel", "service-unavailable")
    hers.message(juliet.jid, "n0")
    hers.settle()
    assert sorted(bodies(kept(juliet))) == ["n0", "r0", "r1", "r2"]
    his.message(juliet.jid, "room again")
    his.settle()
    assert bodies(kept(juliet)) == ["room again"]


def test_over_the_limit_may_be_dropped(pair, conf):
    his, juliet = pair
    conf("per_sender = 2\nover_limit = drop")
    for n in range(4):
        his.message(juliet.jid, "m%d" % n)
    his.expect_nothing("message")
    assert bodies(kept(juliet)) == ["m0", "m1"]


def test_user_sets_the_limit(pair, conf):
    """Answered with the same, told on request, and it binds; false takes it off."""
    his, juliet = pair
    conf("per_sender = 4")
    client = juliet.login("chamber")
    assert limit(client, "get").find("{%s}msgoffline" % NS).get("limit") == "4"
    answer = limit(client, "set", "2")
    assert answer.get("type") == "result" and answer.find("{%s}msgoffline" % NS).get("limit") == "2"
    assert limit(client, "get", to=juliet.jid).find("{%s}msgoffline" % NS).get("limit") == "2"
    client.end()
    for n in range(3):
        his.message(juliet.jid, "m%d" % n, id="u%d" % n)
    his.expect("message", id="u2", type="error")
    assert bodies(kept(juliet)) == ["m0", "m1"]
    client = juliet.login("chamber")
    assert limit(client, "set", "false").find("{%s}msgoffline" % NS).get("limit") == "false"
    client.end()
    for n in range(6):
        his.message(juliet.jid, "n%d" % n)
    his.settle()
    assert bodies(kept(juliet)) == ["n%d" % n for n in range(6)]


def test_users_limit_survives_a_restart(server, pair):
    his, juliet = pair
    client = juliet.login("chamber")
    assert limit(client, "set", "1").get("type") == "result"
    client.end()
    server.restart()
    assert limit(juliet.login("chamber"), "get").find("{%s}msgoffline" % NS).get("limit") == "1"


@pytest.mark.parametrize("text, condition", [
    ("-1", "bad-request"), ("", "bad-request"), ("1.5", "bad-request"), ("0x10", "bad-request"), ("many", "bad-request"),
    (" 5", "bad-request"), ("٣", "bad-request"), ("20000", "not-acceptable"),
    ("99999999999999999999999999", "not-acceptable"), (None, "bad-request"),
])
def test_limit_that_makes_no_sense_is_refused(pair, text, condition):
    _, juliet = pair
    client = juliet.login("chamber")
    assert error_of(limit(client, "set", text))[1] == condition
    assert limit(client, "get").find("{%s}msgoffline" % NS).get("limit") == "100"


def test_limit_of_somebody_else_is_not_ones_own(pair):
    his, juliet = pair
    assert error_of(limit(his, "set", "0", to=juliet.jid))[1] == "service-unavailable"
    assert error_of(limit(his, "get", to=juliet.jid))[1] == "service-unavailable"


def test_administrator_may_keep_the_limit_to_himself(pair, conf):
    his, juliet = pair
    client = juliet.login("chamber")
    assert limit(client, "set", "1").get("type") == "result"
    conf("user_limit = no\nper_sender = 2")
    assert error_of(limit(client, "set", "50"))[1] == "not-allowed"
    assert limit(client, "get").find("{%s}msgoffline" % NS).get("limit") == "2"
    client.end()
    for n in range(3):
        his.message(juliet.jid, "m%d" % n, id="a%d" % n)
    his.expect("message", id="a2", type="error")
    assert len(kept(juliet)) == 2


def offered(client, domain):
    """Whether the domain says that it keeps messages."""
    query = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    info = client.ask("get", query, to=domain)
    return NS in [el.get("var") for el in info.iter("{http://jabber.org/protocol/disco#info}feature")]


# -- domains -------------------------------------------------------------------------------------------------------

def test_domain_may_keep_nothing(server, admin, person):
    """The sender is told (RFC 6121 8.5.2.2.1), other domains go on, and it stays so over a restart."""
    boss = admin.login("desk")
    romeo, juliet, nurse = person("romeo"), person("juliet", "other.example"), person("nurse")
    his = romeo.login("balcony")
    assert offered(his, "other.example")
    run(boss, "urn:bulkhead:commands:set-offline", domain="other.example", kept="0")
    try:
        assert offered(his, "im.example") and not offered(his, "other.example")
        his.message(juliet.jid, "lost", id="d1")
        his.message(nurse.jid, "kept")
        assert error_of(his.expect("message", id="d1", type="error"))[1] == "service-unavailable"
        server.restart()
        his, boss = romeo.login("balcony"), admin.login("desk")
        his.message(juliet.jid, "lost", id="d2")
        his.expect("message", id="d2", type="error")
        assert bodies(kept(nurse)) == ["kept"] and not kept(juliet)
    finally:
        run(boss, "urn:bulkhead:commands:set-offline", domain="other.example", kept="1")
        assert offered(his, "other.example")
    his.message(juliet.jid, "kept again")
    his.settle()
    assert bodies(kept(juliet)) == ["kept again"]


def test_domain_is_set_from_the_command_line(server, person):
    """bulkheadctl run: the same commands without a client."""
    def rows():
        lines = [line.split("\t") for line in server.run("run", "im.example", "domains").stdout.splitlines()]
        return {line[0]: dict(zip(lines[0], line)) for line in lines[1:]}
    assert rows()["other.example"]["kept"] == "1"
    try:
        server.run("run", "other.example", "set-offline", "kept=0")
        assert rows()["other.example"]["kept"] == "0" and rows()["im.example"]["kept"] == "1"
    finally:
        server.run("run", "im.example", "set-offline", "domain=other.example", "kept=1")
    assert rows()["other.example"]["kept"] == "1"
    assert "registeredusersnum: " in server.run("run", "im.example", "http://jabber.org/protocol/admin#get-registered-users-num").stdout


@pytest.mark.parametrize("args, code, says", [
    (["im.example", "set-offline"], 1, "the form lacks kept"),
    (["im.example", "set-offline", "domain=far.example", "kept=0"], 1, "the domain is not hosted here"),
    (["im.example", "no-such-thing"], 1, "no-such-thing"),
    (["far.example", "domains"], 1, "far.example"),
    (["im.example", "set-offline", "kept"], 2, "not VAR=VALUE"),
    (["im.example", "set-offline", "=0"], 2, "not VAR=VALUE"),
    (["im.example"], 2, "a DOMAIN and a COMMAND"),
    (["not a domain", "domains"], 2, "not a domain"),
])
def test_command_line_that_makes_no_sense(server, args, code, says):
    done = server.run("run", *args, check=False)
    assert done.returncode == code and says in done.stderr and not done.stdout
