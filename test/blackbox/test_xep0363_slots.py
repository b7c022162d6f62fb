"""Slots for uploads (XEP-0363), the session manager's half: what is offered, granted and refused."""

import base64
import contextlib
import re
import sqlite3
import time
from datetime import datetime, timezone
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from client import NS_DATA, NS_DISCO_INFO, q
from forms import run
from server import poll
from upload import NS_PURPOSE, NS_UPLOAD, changed, option, refused, slot

SERVER = {"domains": ["im.example", "second.example"], "components": {"gate.example": "a secret of the gate"},
          "http": True}
DAY = 86400


def info(client, to="im.example"):
    return client.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=to)[0]


def features(query):
    return [el.get("var") for el in query.iter(q(NS_DISCO_INFO, "feature"))]


def rows(server, jid):
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % (server.dir / "data/bulkhead.db"), uri=True)) as db:
        return db.execute("SELECT bytes, keep_ms - at_ms, path FROM upload JOIN account ON account.id = account"
                          " WHERE local = ? ORDER BY upload.id", (jid.partition("@")[0],)).fetchall()


@pytest.fixture
def romeo(person):
    return person("romeo").login("balcony")


def test_the_domain_says_that_it_takes_files(romeo):
    """XEP-0363 3: feature, identity, and how large."""
    query = info(romeo)
    assert NS_UPLOAD in features(query) and NS_PURPOSE + "#message" in features(query)
    assert ("store", "file") in [(el.get("category"), el.get("type")) for el in query.iter(q(NS_DISCO_INFO, "identity"))]
    forms = {}
    for form in query.iter(q(NS_DATA, "x")):
        fields = {field.get("var"): field.findtext(q(NS_DATA, "value")) for field in form}
        forms[fields["FORM_TYPE"]] = fields
    assert forms[NS_UPLOAD]["max-file-size"] == str(100 * 1024 * 1024)


def test_a_slot(server, romeo):
    """XEP-0363 4: both URLs, the name kept, nothing in them that is to be encoded."""
    put, get = slot(romeo, name="très cool.jpg", size=23456)
    assert re.fullmatch(r"https://im\.example:%d/upload/[\w-]{32}/tr%%C3%%A8s%%20cool\.jpg" % server.port("https"), get)
    assert put.startswith(get + "?") and put.isascii() and get.isascii()
    query = dict(parse_qsl(urlsplit(put).query, keep_blank_values=True, strict_parsing=True))
    assert (query["s"], query["t"]) == ("23456", "image/jpeg")
    assert 240 <= int(query["u"]) - time.time() <= 301, "XEP-0363 6: about 300 s"
    secret, = re.findall(r"\[upload\]\nsecret = (.+)", (server.dir / "sessman.conf").read_text())
    assert len(secret) >= 32 and secret not in put
    (size, kept_ms, path), = rows(server, romeo.bare)
    assert size == 23456 and unquote(get).endswith(unquote(path)) and abs(kept_ms - 30 * DAY * 1000) < 5000


def test_slots_are_all_different(romeo):
    tokens = {urlsplit(slot(romeo)[1]).path.split("/")[2] for _ in range(20)}
    assert len(tokens) == 20
    assert len({base64.urlsafe_b64decode(token)[4:] for token in tokens}) == 20


def test_urls_are_where_the_operator_says(server, person, romeo):
    rosaline = person("rosaline", "second.example").login()
    assert slot(rosaline)[1].startswith("https://second.example:")
    with option(server, url="https://files.{domain}/up/"):
        assert slot(rosaline)[1].startswith("https://files.second.example/up/")
        assert slot(romeo)[1].startswith("https://files.im.example/up/")


def test_a_type_may_be_left_out(romeo):
    assert "&t=&" in slot(romeo, type=None)[0]
    assert "&t=&" in slot(romeo, type="")[0]


def test_names_with_something_in_them(romeo):
    for name, encoded in [("a b&c?d#e%.txt", "a%20b%26c%3Fd%23e%25.txt"), ("...", "..."), (".bashrc", ".bashrc"),
                          ("%2e%2e", "%252e%252e"), ("x" * 255, "x" * 255)]:
        assert slot(romeo, name=name)[1].endswith("/" + encoded)


@pytest.mark.parametrize("what", [
    {"name": None}, {"name": ""}, {"name": ".."}, {"name": "."}, {"name": "a/b"}, {"name": "../../etc/passwd"},
    {"name": "a\\b"}, {"name": "x" * 256}, {"name": "a\u202egpj.exe"}, {"name": "a\tb"},
    {"size": None}, {"size": ""}, {"size": "-1"}, {"size": "1e3"}, {"size": "many"}, {"size": " 1"},
    {"type": "image"}, {"type": "image/jpeg, text/html"}, {"type": "x" * 100 + "/" + "y" * 100}, {"type": "a/b;\u20ac"},
], ids=str)
def test_requests_that_make_no_sense(romeo, what):
    condition, type, _ = refused(romeo, **what)
    assert (condition, type) == ("bad-request", "modify")


@pytest.mark.parametrize("size", [100 * 1024 * 1024 + 1, 2**50 + 1, 2**64, 10**40])
def test_a_file_too_large(romeo, size):
    """XEP-0363 7."""
    condition, type, el = refused(romeo, size=size)
    assert (condition, type) == ("not-acceptable", "modify")
    assert el.tag == q(NS_UPLOAD, "file-too-large") and el.findtext(q(NS_UPLOAD, "max-file-size")) == str(100 * 1024 * 1024)


def test_the_largest_file_and_an_empty_one(romeo):
    slot(romeo, size=100 * 1024 * 1024)
    slot(romeo, size=0)


def stamp_of(el):
    assert el.tag == q(NS_UPLOAD, "retry")
    return datetime.strptime(el.get("stamp"), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize("limit", [{"day_files": 2}, {"day_bytes": "2k"}], ids=str)
def test_so_much_a_day(server, romeo, person, limit):
    """XEP-0363 7: an error that passes, and when; it is one user's own."""
    other = person("juliet").login()
    with option(server, max_size="1k", **limit):
        slot(romeo, size=1024)
        slot(romeo, size=1024)
        condition, type, el = refused(romeo, size=1024)
        assert (condition, type) == ("resource-constraint", "wait")
        assert abs(stamp_of(el) - time.time() - DAY) < 60
        slot(other, size=1024)
    assert len(rows(server, romeo.bare)) == 2, "what was refused does not count"
    slot(romeo, size=1024)


def test_so_much_is_kept(server, romeo):
    with option(server, quota="2k", keep_days=3):
        slot(romeo, size=2000)
        condition, type, el = refused(romeo, size=2000)
        assert (condition, type) == ("resource-constraint", "wait")
        assert abs(stamp_of(el) - time.time() - 3 * DAY) < 60
        assert refused(romeo, size=2049)[2].tag == q(NS_UPLOAD, "file-too-large")


def test_many_at_once_do_not_get_past_a_limit(server, person):
    """Two sessions of one account, all of them before the first is committed."""
    someone = person("romeo")
    clients = [someone.login("a"), someone.login("b")]
    with option(server, day_files=5):
        for client in clients:
            client.send("".join("<iq type='get' id='n%d' to='im.example'><request xmlns='%s' filename='a' size='1'/></iq>"
                                % (i, NS_UPLOAD) for i in range(10)))
        got = [client.expect("iq", id="n%d" % i).get("type") for client in clients for i in range(10)]
    assert sorted(got) == ["error"] * 15 + ["result"] * 5


def test_purposes(server, romeo):
    """XEP-0363 5: for messages, and for a time; others are not offered."""
    soon = datetime.fromtimestamp(time.time() + 600, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    far = datetime.fromtimestamp(time.time() + 90 * DAY, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    for purpose in ("<message xmlns='%s'/>" % NS_PURPOSE, "<ephemeral xmlns='%s' expire-before='%s'/>" % (NS_PURPOSE, soon),
                    "<ephemeral xmlns='%s' expire-before='%s'/>" % (NS_PURPOSE, far)):
        slot(romeo, purpose=purpose)
    kept = [kept_ms // 1000 for _, kept_ms, _ in rows(server, romeo.bare)]
    assert kept[0] == 30 * DAY and 590 < kept[1] <= 600 and kept[2] == 30 * DAY
    for purpose in ("<ephemeral xmlns='%s'/>", "<ephemeral xmlns='%s' expire-before='soon'/>",
                    "<ephemeral xmlns='%s' expire-before='2020-01-01T00:00:00Z'/>"):
        assert refused(romeo, purpose=purpose % NS_PURPOSE)[0] == "bad-request"
    assert refused(romeo, purpose="<permanent xmlns='%s'/>" % NS_PURPOSE)[0] == "feature-not-implemented"


def test_users_of_this_server_alone(component):
    """XEP-0363 7."""
    gate = component("gate.example")
    gate.send("<iq type='get' id='g' from='someone@gate.example' to='im.example'>"
              "<request xmlns='%s' filename='a' size='1'/></iq>" % NS_UPLOAD)
    reply = gate.expect("iq", id="g")
    assert reply.find(".//" + q("urn:ietf:params:xml:ns:xmpp-stanzas", "forbidden")) is not None


def test_an_account_that_goes_takes_its_rows_along(server, person):
    someone = person("mercutio")
    slot(someone.login())
    assert len(rows(server, someone.jid)) == 1
    server.run("deluser", someone.jid)
    assert poll("its rows to go", lambda: not rows(server, someone.jid))


def test_slots_survive_a_restart(server, person):
    someone = person("romeo")
    with option(server, day_files=1):
        slot(someone.login())
        server.restart()
        assert refused(someone.login())[0] == "resource-constraint"


def test_an_administrator_sees_what_there_is(admin, person):
    someone = person("romeo")
    client, boss = someone.login(), admin.login()
    urls = [slot(client, name=name, size=5)[1] for name in ("one.txt", "two.txt")]
    items = run(boss, "urn:bulkhead:commands:uploads", accountjid=someone.jid).form.findall(q(NS_DATA, "item"))
    listed = [{field.get("var"): field.findtext(q(NS_DATA, "value")) for field in item} for item in items]
    assert [item["url"] for item in listed] == urls[::-1] and listed[0]["bytes"] == "5"
    reply = client.ask("set", "<command xmlns='http://jabber.org/protocol/commands' node='urn:bulkhead:commands:uploads'/>",
                       to="im.example")
    assert reply.get("type") == "error"


def test_without_a_key_there_is_nothing(server, romeo):
    """Nor is it told that there were."""
    with option(server, secret=""):
        query = info(romeo)
        assert not [var for var in features(query) if "upload" in var]
        assert not [el for el in query.iter(q(NS_DISCO_INFO, "identity")) if el.get("category") == "store"]
        assert refused(romeo)[0] == "service-unavailable"
    slot(romeo)


@pytest.mark.parametrize("values", [{"secret": "short"}, {"url": "ftp://im.example/"}, {"url": "https://im.example/?x"},
                                    {"keep_days": 0}], ids=str)
def test_options_that_make_no_sense(server, values):
    conf = server.dir / "sessman.conf"
    before = conf.read_text()
    try:
        conf.write_text(changed(before, values))
        assert server.run("check", check=False).returncode != 0
    finally:
        conf.write_text(before)


def test_check_compares_the_keys(server):
    """`bulkheadctl check`: slots that no gateway would take."""
    assert "[upload] secret" not in server.run("check", check=False).stdout
    with option(server, "httpgw", secret="another key of some length"):
        assert "uploads" in server.run("check", check=False).stdout
