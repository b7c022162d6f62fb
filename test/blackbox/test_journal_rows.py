"""What stands in the journal, and for how long (DESIGN 4): nothing of what nobody archives once it was delivered, the archive for as long
and as much as the domain says, nothing of accounts that are gone. Looked at in the file beside the server; a domain for each test."""

import contextlib
import sqlite3
import threading

import pytest

from client import NS_DELAY, Closed, error_of, q
from forms import run
from mam import NS_SID
from server import poll

DOMAINS = ("im.example", "off.example", "half.example", "old.example", "big.example", "gone.example")
SERVER = {"domains": DOMAINS, "conf": {"sessman.conf": "[offline]\nper_sender = 100000\n"}}
DAY_MS = 86400000
SET = "urn:bulkhead:commands:set-archive"
OF = "IN (SELECT id FROM account WHERE domain = ?1)"


@contextlib.contextmanager
def database(server):
    db = sqlite3.connect(server.dir / "data" / "bulkhead.db", isolation_level=None, timeout=20)
    try:
        yield db
    finally:
        db.close()


def rows(server, domain):
    """Rows of a domain's accounts, and their entries."""
    with database(server) as db:
        return db.execute("SELECT (SELECT count(*) FROM journal WHERE owner %s OR sender %s),"
                          " (SELECT count(*) FROM entry WHERE account %s)" % (OF, OF, OF), (domain,)).fetchone()


def archive(admin, domain, on="1", **limits):
    command = run(admin.login(), SET, domain=domain, archive=on, **{k: str(v) for k, v in limits.items()})
    assert command.status == "completed"


def here(who, resource):
    """Available; what waited comes."""
    client = who.login(resource)
    client.send("<presence/>")
    return client


def couple(person, domain):
    return person("romeo", domain), person("juliet", domain)


def test_archived_for_both_sides_and_delivered_with_its_id(server, person):
    """XEP-0359 3: the addressee's archive says which id; one row, an entry for each side."""
    romeo, juliet = couple(person, "im.example")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.message(hers.jid, "one")
    got = hers.expect("message", body="one")
    ids = [el for el in got if el.tag == q(NS_SID, "stanza-id")]
    assert [el.get("by") for el in ids] == [juliet.jid] and len(ids[0].get("id")) == 16
    assert got.find(q(NS_DELAY, "delay")) is None
    his.message(hers.jid, "two")
    assert hers.expect("message", body="two").find(q(NS_SID, "stanza-id")).get("id") != ids[0].get("id")
    poll("the entries", lambda: rows(server, "im.example") == (2, 4))


def test_to_oneself_is_one_row_and_one_entry(server, person):
    """XEP-0313 4.1: each message is once in an archive."""
    romeo = person("romeo", "half.example")
    his = romeo.login("balcony").online()
    his.message(romeo.jid, "note")
    his.expect("message", body="note")
    poll("the entry", lambda: rows(server, "half.example") == (1, 1))


@pytest.mark.parametrize("there", [True, False], ids=["addressee there", "addressee away"])
def test_archive_off_leaves_nothing_behind(server, person, admin, there):
    """DESIGN 4: rows of what nobody archives are removed once they are delivered and acknowledged, those that waited too."""
    archive(admin, "off.example", on="0")
    romeo, juliet = couple(person, "off.example")
    his = romeo.login("balcony")
    hers = juliet.login("chamber").online() if there else None
    for n in range(250):
        his.message(juliet.jid, str(n))
    assert his.ping().get("type") == "result"
    assert there or rows(server, "off.example")[0] > 0
    hers = hers or here(juliet, "chamber")
    for n in range(250):
        assert hers.expect("message", body=str(n)).find(q(NS_SID, "stanza-id")) is None
    hers.settle()
    poll("the rows to go", lambda: rows(server, "off.example") == (0, 0))
    hers.end()
    assert not [el for el in here(juliet, "again").flush() if el.tag.endswith("}message")]


@pytest.mark.parametrize("there", [True, False], ids=["addressee there", "addressee away"])
def test_archive_off_and_sessman_killed(server, person, admin, there):
    """DESIGN 5: each message behind which a ping came back arrives once, and nothing of it stays."""
    archive(admin, "off.example", on="0")
    romeo, juliet = couple(person, "off.example")
    his = romeo.login("balcony")
    hers = juliet.login("chamber").online() if there else None
    answered, going = [], threading.Event()

    def send():
        for n in range(100000):
            try:
                his.message(juliet.jid, str(n), id=str(n))
                assert his.ping().get("type") == "result"
            except (OSError, Closed, AssertionError):
                return
            answered.append(n)
            if n == 300:
                going.set()
            if stop.is_set():
                return
    stop = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    assert going.wait(60)
    server.kill_daemon("sessman")
    stop.set()
    sender.join()
    hers = hers or here(juliet, "chamber")
    got = [int(el.get("id")) for el in hers.flush() if el.tag.endswith("}message")]
    assert got == sorted(set(got)), "none twice, all in order"
    assert set(answered) <= set(got)
    poll("the rows to go", lambda: rows(server, "off.example") == (0, 0))


def test_what_is_too_old_goes_and_the_rest_stays(server, person, admin):
    """XEP-0313 does not say how long; the domain does: by days, whoever it was with; another domain keeps its side."""
    romeo, juliet = couple(person, "old.example")
    nurse = person("nurse")
    hers = nurse.login("kitchen")
    his = romeo.login("balcony")
    for n in range(30):
        his.message(juliet.jid, "old %d" % n)       # she never comes: too old is too old
        hers.message(romeo.jid, "old %d" % n)
    his.settle(), hers.settle()
    poll("the entries", lambda: rows(server, "old.example") == (60, 90))
    server.check(server.stop())
    with database(server) as db:
        db.execute("UPDATE journal SET at_ms = at_ms - ?", (3 * DAY_MS,))
        db.execute("UPDATE landmark SET at_ms = at_ms - ?1, max_ms = max(0, max_ms - ?1)", (3 * DAY_MS,))
    server.launch()
    assert server.ready()
    his = romeo.login("balcony")
    his.message(juliet.jid, "new")
    his.settle()
    archive(admin, "old.example", days=2)
    poll("the old ones to go", lambda: rows(server, "old.example") == (1, 2))
    with database(server) as db:
        assert db.execute("SELECT count(*) FROM entry WHERE account = (SELECT id FROM account WHERE local = ?)",
                          (nurse.user,)).fetchone() == (30,), "the other domain keeps what it archived"
    chamber = here(juliet, "chamber")
    chamber.expect("message", body="new")
    chamber.expect_nothing("message")


def test_an_archive_that_is_too_large_loses_its_oldest(server, person, admin):
    """By bytes, of all accounts of a domain together; what has not been delivered stays."""
    romeo, juliet = couple(person, "big.example")
    away = person("away", "big.example")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    his.message(away.jid, "x" * 10000)
    for n in range(100):
        his.message(hers.jid, "%03d " % n + "x" * 10000)
        hers.expect("message", body="%03d " % n + "x" * 10000)
    hers.settle()
    archive(admin, "big.example", bytes=300000)

    def kept():
        with database(server) as db:
            return [text for (text,) in db.execute(
                "SELECT substr(CAST(stanza AS TEXT), instr(CAST(stanza AS TEXT), '<body>') + 6, 3) FROM journal WHERE owner " + OF + " ORDER BY pos",
                ("big.example",))]
    poll("the oldest to go", lambda: len(kept()) < 32)
    assert 25 < len(kept()) and kept() == ["xxx"] + ["%03d" % n for n in range(101 - len(kept()), 100)]
    for n in range(100, 200):
        his.message(hers.jid, "%03d " % n + "x" * 10000)
        hers.expect("message", body="%03d " % n + "x" * 10000)
    poll("more to go", lambda: len(kept()) < 32)
    assert 25 < len(kept()) and kept() == ["xxx"] + ["%03d" % n for n in range(201 - len(kept()), 200)]
    here(away, "here").expect("message", body="xxx" + "x" * 9997)


def test_nothing_of_an_account_that_is_gone_stays(server, person, admin):
    """What it sent stays with whom it sent it to."""
    romeo, juliet = couple(person, "gone.example")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    for n in range(700):
        his.message(juliet.jid, str(n))
        hers.message(romeo.jid, str(n)) if n % 7 == 0 else None
    his.settle(), hers.settle()
    poll("the entries", lambda: rows(server, "gone.example") == (800, 1600))
    server.run("deluser", romeo.jid)
    poll("its rows to go", lambda: rows(server, "gone.example") == (800, 800))
    with database(server) as db:
        (id,) = db.execute("SELECT id FROM account WHERE local = ?", (juliet.user,)).fetchone()
        assert db.execute("SELECT count(*) FROM journal WHERE (owner IS NOT NULL AND owner != ?1) OR sender != ?1"
                          " AND (owner = ?1 OR sender = ?1)", (id,)).fetchone() is not None
        poll("the list to be empty", lambda: db.execute("SELECT count(*) FROM gone").fetchone() == (0,))
        assert db.execute("SELECT count(*) FROM entry WHERE account NOT IN (SELECT id FROM account)").fetchone() == (0,)
    server.run("deluser", juliet.jid)
    poll("its rows to go", lambda: rows(server, "gone.example") == (0, 0))
    with database(server) as db:
        poll("no row without an owner",
             lambda: db.execute("SELECT count(*) FROM journal WHERE stanza LIKE '%gone.example%'").fetchone() == (0,))


@pytest.mark.parametrize("wrong", [{"days": "-1"}, {"days": "many"}, {"bytes": "1.5"}, {"days": "99999999999"},
                                   {"bytes": "99999999999999999999"}])
def test_limits_are_numbers(admin, wrong):
    command = run(admin.login("desk"), SET, domain="im.example", archive="1", **wrong)
    assert error_of(command.reply)[1] == "not-acceptable"


def test_unknown_domains_have_no_archive(admin):
    command = run(admin.login("desk"), SET, domain="nowhere.example", archive="1")
    assert error_of(command.reply)[1] == "item-not-found"
