"""Last activity (XEP-0012): who may know how long somebody has been away."""

import contextlib
import sqlite3
import time

import pytest

from client import NS_DISCO_INFO, befriend, error_of, q

SERVER = {"components": {"gate.example": "a secret of the gate"}}
NS_LAST = "jabber:iq:last"
QUERY = "<query xmlns='%s'/>" % NS_LAST


def last(client, to=None):
    """(seconds, status) or the error's condition."""
    reply = client.ask("get", QUERY, to=to)
    if reply.get("type") == "error":
        return error_of(reply)
    query = reply.find(q(NS_LAST, "query"))
    return int(query.get("seconds")), query.text


@pytest.fixture
def pair(people):
    """Romeo, who may see Juliet's presence, connected, and her connection."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    return his, hers


@contextlib.contextmanager
def option(server, text):
    conf = server.dir / "sessman.conf"
    before = conf.read_text()
    conf.write_text(before + "\n[last_activity]\n" + text + "\n")
    server.run("reload")
    try:
        yield
    finally:
        conf.write_text(before)
        server.run("reload")


def row(server, jid):
    """(last_ms, last_status) as the store has them now."""
    user, _, domain = jid.partition("@")
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % (server.dir / "data/bulkhead.db"), uri=True)) as db:
        return db.execute("SELECT last_ms, last_status FROM account WHERE local = ? AND domain = ?", (user, domain)).fetchone()


def test_feature_is_advertised(person):
    """XEP-0012 6: of the server and of accounts."""
    client = person("romeo").login("balcony")
    for to in ("im.example", client.bare):
        info = client.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=to)
        assert NS_LAST in [el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))]


def test_server_tells_how_long_it_runs(person):
    """XEP-0012 5: to anybody."""
    seconds, text = last(person("romeo").login("balcony"), "im.example")
    assert seconds >= 0 and text is None


def test_who_has_gone_with_a_word(pair):
    """XEP-0012 3: the status of the last unavailable presence."""
    his, hers = pair
    hers.online()
    hers.send("<presence type='unavailable'><status>Heading Home</status></presence>")
    hers.end()
    seconds, status = last(his, hers.bare)
    assert seconds >= 0 and status == "Heading Home"


def test_who_has_gone_without_one(pair):
    """The connection ended: nothing was said; nor does what was said the time before stand for it."""
    his, hers = pair
    hers.online()
    hers.send("<presence type='unavailable'><status>Heading Home</status></presence>")
    hers.online()
    hers.end()
    assert last(his, hers.bare)[1] is None


def test_who_is_there(pair):
    """XEP-0012 3: zero, and no words."""
    his, hers = pair
    hers.online(-1)
    assert last(his, hers.bare) == (0, None)
    assert last(hers) == (0, None) and last(hers, hers.bare) == (0, None)


def test_last_of_several_counts(people):
    """XEP-0012 3: one resource that is available is enough; who is connected without presence is away."""
    romeo, juliet = people("romeo", "juliet")
    his, one, two = romeo.login("balcony"), juliet.login("one"), juliet.login("two")
    befriend(his, one)
    one.online(), two.online()
    one.send("<presence type='unavailable'><status>one</status></presence>")
    one.sync()
    assert last(his, juliet.jid) == (0, None)
    two.send("<presence type='unavailable'><status>two</status></presence>")
    two.sync()
    assert last(his, juliet.jid)[1] == "two"
    one.end(), two.end()
    assert last(his, juliet.jid)[1] == "two"


def test_who_was_never_here(people):
    """There is nothing to tell."""
    romeo, _ = people("romeo", "juliet")
    his = romeo.login("balcony")
    assert last(his) == ("cancel", "item-not-found")


def test_others_may_not_know(people):
    """XEP-0012 3, 4, 8: <forbidden/>, whether she is there or not, or there is no such account; no resource is asked."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    for to in (juliet.jid, hers.jid, juliet.jid + "/nowhere", "ghost@im.example", "ghost@im.example/x"):
        assert last(his, to) == ("auth", "forbidden"), to
    assert not hers.sync()
    hers.end()
    assert last(his, juliet.jid) == ("auth", "forbidden")


def test_one_direction_is_not_enough(people):
    """Her presence is for him when she has said so, not when he lets her see his."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    hers.subscription("subscribe", his.bare)
    hers.sync()
    his.subscription("subscribed", hers.bare)
    his.sync()
    assert last(his, hers.bare) == ("auth", "forbidden")
    assert last(hers, his.bare) != ("auth", "forbidden")


def test_stranger_from_elsewhere_may_not_know(people, component):
    """XEP-0012 8: over a component."""
    hers = people("juliet")[0].login("chamber").online()
    gate = component("gate.example")
    for to in (hers.bare, hers.jid):
        gate.send("<iq type='get' id='l1' from='x@gate.example/r' to='%s'>%s</iq>" % (to, QUERY))
        assert error_of(gate.expect("iq", id="l1")) == ("auth", "forbidden")
    assert not hers.sync()


def test_resource_answers_itself(pair):
    """XEP-0012 4: who may see her presence may ask it."""
    his, hers = pair
    hers.online()
    his.send("<iq type='get' id='l1' to='%s'>%s</iq>" % (hers.jid, QUERY))
    hers.expect("iq", id="l1", type="get", from_=his.jid)
    hers.send("<iq type='result' id='l1' to='%s'><query xmlns='%s' seconds='123'/></iq>" % (his.jid, NS_LAST))
    assert his.expect("iq", id="l1").find(q(NS_LAST, "query")).get("seconds") == "123"
    assert last(his, hers.bare + "/nowhere") == ("cancel", "service-unavailable")


def test_setting_it_is_nothing(pair):
    """Only get is defined."""
    his, hers = pair
    for to in ("im.example", hers.bare, his.bare):
        assert error_of(his.ask("set", QUERY, to=to))[1] == "service-unavailable"


def test_long_status_is_cut_between_characters(pair):
    """What is kept for ever is small."""
    his, hers = pair
    hers.online()
    hers.send("<presence type='unavailable'><status>x%s</status></presence>" % ("\u010d" * 2000))
    hers.sync()
    assert last(his, hers.bare)[1] == "x" + "\u010d" * 511


def test_it_is_written_when_the_last_resource_goes(server, pair):
    """[last_activity] write_always = no: nothing before that."""
    his, hers = pair
    hers.online()
    his.online()
    assert row(server, hers.bare)[0] is None
    hers.send("<presence type='unavailable'><status>s</status></presence>")
    last(his, hers.bare)
    assert row(server, hers.bare)[0] is not None and row(server, hers.bare)[1] == "s"


def test_always_is_always(server, pair):
    """[last_activity] write_always = yes."""
    his, hers = pair
    with option(server, "write_always = yes"):
        hers.online()
        his.message(hers.bare, "m", id="m1")   # commits behind it
        hers.expect("message", id="m1")
        first = row(server, hers.bare)[0]
        assert first is not None
        hers.message(his.bare, "m")
        hers.sync()
        assert row(server, hers.bare)[0] == first, "a message counts for nothing"


@pytest.mark.parametrize("counts", ["message", "both"])
def test_messages_may_count(server, pair, counts):
    """[last_activity] counts: what she says, not what her client does; with both, whatever was later."""
    his, hers = pair
    with option(server, "counts = %s\nwrite_always = yes" % counts):
        hers.send("<message to='%s' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>" % his.bare)
        his.message(hers.jid, "m", id="m1")
        hers.expect("message", id="m1")
        assert row(server, hers.bare)[0] is None
        hers.message(his.jid, "m", id="m2")
        his.expect("message", id="m2")
        assert last(his, hers.bare)[0] >= 0
        said = row(server, hers.bare)[0]
        assert said is not None
        hers.online()
        hers.send("<presence type='unavailable'><status>bye</status></presence>")
        assert last(his, hers.bare)[1] in ("bye", None)
        hers.sync()
        assert last(his, hers.bare)[1] == "bye"
        later = row(server, hers.bare)[0]
        assert later == said if counts == "message" else later > said


def test_it_survives_a_restart_and_grows(server, pair):
    """Seconds since then, whatever happened to the server; a clock that was set back makes no negative ones."""
    his, hers = pair
    hers.online()
    hers.send("<presence type='unavailable'><status>Heading Home</status></presence>")
    hers.end()
    bare, password, user = hers.bare, "pass word of ", his.bare.partition("@")[0]
    for shift, least, most in ((-903, 903, 100000), (3600, 0, 0)):
        server.check(server.stop())
        with contextlib.closing(sqlite3.connect(server.dir / "data/bulkhead.db")) as db, db:
            db.execute("UPDATE account SET last_ms = ? WHERE local = ?", (
                int((time.time() + shift) * 1000), bare.partition("@")[0]))
        server.launch()
        assert server.ready()
        client = his.__class__(server, name="again")
        client.login(user, password + user, "balcony")
        seconds, status = last(client, bare)
        assert least <= seconds <= most and status == "Heading Home"
        client.end()
