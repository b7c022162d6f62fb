"""What an archive is asked for and told by those who mean harm: PEERS' groups 24 to 26 (forged results, pages, times, ids)."""

import pytest

from client import NS_DATA, body_of, error_of, local, next_id, q
from mam import NS_FORWARD, NS_MAM, NS_RSM, ask, ask_all, field, form, is_result, prefs, query, rsm

SERVER = {"components": {"bot.example": "secret"}}


@pytest.fixture
def pair(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    his.message(hers.bare, "there is one")
    hers.expect("message", body="there is one")
    return his, hers


def condition(client, inner, queryid=None, kind="set"):
    return error_of(client.ask(kind, query(inner, queryid)))[1]


def still_there(client):
    return ask(client).bodies == ["there is one"]


# -- pages --------------------------------------------------------------------------------------------------------------

SET = "<set xmlns='%s'>%%s</set>" % NS_RSM


@pytest.mark.parametrize("inner", ["<max>-1</max>", "<max/>", "<max>1e9</max>", "<max>0x10</max>", "<max>ten</max>", "<max>1 0</max>",
                                   "<max>1</max><max>2</max>", "<after>a</after><after>b</after>", "<before/><before/>",
                                   "<index>-1</index>", "<index/>", "<max>\u0661</max>", "<max>-9223372036854775809</max>"])
def test_a_set_that_is_none_is_refused(pair, inner):
    _, hers = pair
    assert condition(hers, SET % inner) == "bad-request"
    assert still_there(hers)


def test_two_sets_are_refused(pair):
    assert condition(pair[1], rsm(max=1) * 2) == "bad-request"


@pytest.mark.parametrize("max", [2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**9, "9" * 1000])
def test_a_page_of_any_size_is_a_page(pair, max):
    page = ask(pair[1], rsm(max=max))
    assert page.bodies == ["there is one"] and page.complete


@pytest.mark.parametrize("index", [0, 1, 10**9, 2**64])
def test_an_index_is_refused_whatever_it_is(pair, index):
    assert ask(pair[1], rsm(max=1, index=index)).error == "feature-not-implemented"


@pytest.mark.parametrize("id", ["' OR 1=1 --", "1; DROP TABLE journal", "%", "_", "*", "x" * 100000, "\u00e9" * 16, "-1", "0x1", "1e1",
                                "../../x", "NULL", "0000000000000000 ", "ffffffffffffffff", "7fffffffffffffff"])
def test_an_id_that_is_none_is_not_found(pair, id):
    _, hers = pair
    for how in (dict(set=rsm(after=id)), dict(set=rsm(before=id)), dict(after_id=id), dict(before_id=id), dict(ids=[id])):
        assert ask(hers, **how).error == "item-not-found", how
    assert still_there(hers)


def test_too_many_ids_are_refused(pair):
    _, hers = pair
    (id,) = ask(hers).ids
    assert ask(hers, ids=[id] * 250).ids == [id]
    assert ask(hers, ids=[id] * 251).error == "policy-violation"


def test_a_queryid_is_bounded(pair):
    """It is repeated in every result."""
    _, hers = pair
    assert condition(hers, "", "x" * 1025) == "policy-violation"
    reply = hers.ask("set", query("", "<&'\">" * 100))
    assert reply.get("type") == "result"
    result = hers.expect("message", has=q(NS_MAM, "result")).find(q(NS_MAM, "result"))
    assert result.get("queryid") == "<&'\">" * 100


# -- forms --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", ["yesterday", "-001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2010-02-30T00:00:00Z", "2010-13-01T00:00:00Z",
                                   "2010-01-01T24:00:00Z", "2010-01-01T00:00:00", "2010-01-01T00:00:00+25:00", "2010-01-01T00:00:00+00:99",
                                   "2010-01-01T00:00:00Z'; --", "2010-01-01", "1" * 10000, "2010-01-01T00:00:00." + "9" * 10000])
def test_a_time_that_is_none_is_refused(pair, stamp):
    _, hers = pair
    assert ask(hers, start=stamp).error == "bad-request" == ask(hers, end=stamp).error


@pytest.mark.parametrize("stamp, later", [("0000-01-01T00:00:00Z", True), ("1969-12-31T23:59:59Z", True), ("1970-01-01T00:00:00+14:00", True),
                                          ("9999-12-31T23:59:59Z", False), ("9999-12-31T23:59:59.999-23:59", False),
                                          ("2010-06-07T02:00:00.123456789012345678901234567890+05:45", True)])
def test_a_time_far_away_is_a_bound(pair, stamp, later):
    _, hers = pair
    assert len(ask(hers, start=stamp).rows) == later
    assert len(ask(hers, end=stamp).rows) == (not later)
    assert ask(hers, rsm(max=0), start=stamp).count == str(int(later))


@pytest.mark.parametrize("jid", ["@", "a@@b", "a@", "/x", "a@b/", "x" * 1024 + "@im.example", "im.example/" + "x" * 1024, "a b@im.example", "@@' OR 1=1"])
def test_an_address_that_is_none_is_refused(pair, jid):
    assert ask(pair[1], with_=jid).error == "jid-malformed"


def test_an_address_with_quotes_is_an_address(pair):
    _, hers = pair
    assert ask(hers, with_="o`neil;drop--@im.example").rows == []
    assert ask(hers, with_="im.example/' OR '1'='1").rows == []


@pytest.mark.parametrize("inner", [
    form(start="2010-01-01T00:00:00Z") * 2,
    "<x xmlns='%s' type='submit'/>" % NS_DATA,
    "<x xmlns='%s' type='form'>%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM)),
    "<x xmlns='%s'>%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM)),
    "<x xmlns='%s' type='submit'>%s</x>" % (NS_DATA, field("FORM_TYPE", "urn:xmpp:mam:1")),
    "<x xmlns='%s' type='submit'>%s%s%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM), field("with", "a@b"), field("with", "a@b")),
    "<x xmlns='%s' type='submit'>%s%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM), field("with", "a@b", "c@d")),
    "<x xmlns='%s' type='submit'>%s%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM), field("include-groupchat", "maybe"))])
def test_a_form_that_is_none_is_refused(pair, inner):
    assert condition(pair[1], inner) == "bad-request"


def test_many_fields_are_refused(pair):
    """The first that is not known, or is there again, decides."""
    inner = "<x xmlns='%s' type='submit'>%s%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM), field("x", "y") * 3000)
    assert condition(pair[1], inner) == "feature-not-implemented"


def test_preferences_are_bounded(pair):
    _, hers = pair
    assert prefs(hers, "always", never=["a%d@far.example" % i for i in range(501)]) == "policy-violation"
    assert prefs(hers, "always", never=["%s%d@far.example" % ("x" * 900, i) for i in range(40)]) == "policy-violation"
    most = ["a%d@far.example" % i for i in range(500)]
    assert prefs(hers, "always", never=most) == ("always", [], most)
    assert prefs(hers, "always", never=["x' OR '1'='1@far.example"]) == "jid-malformed"
    assert prefs(hers) == ("always", [], most)


# -- what others say ----------------------------------------------------------------------------------------------------


def forged(of="x@far.example", more=""):
    return ("<result xmlns='%s' queryid='q' id='1'><forwarded xmlns='%s'><message xmlns='jabber:client' from='%s' type='chat'>"
            "<body>never said</body></message></forwarded></result>%s" % (NS_MAM, NS_FORWARD, of, more))


@pytest.mark.parametrize("kind", ["chat", "normal", "headline", "groupchat", "error"])
def test_a_result_from_a_contact_does_not_arrive(pair, kind):
    """XEP-0313 8.2: clients have been known to believe them. Only what has an archive may send them."""
    his, hers = pair
    for to in (hers.bare, hers.jid):
        his.send("<message to='%s' type='%s'>%s</message>" % (to, kind, forged()))
        his.send("<message to='%s' type='%s' id='m2'>%s</message>" % (hers.jid, kind, forged(more="<body>hi</body>") * 2))
        got = hers.expect("message", id="m2")
        assert not is_result(got) and body_of(got) == "hi"
    his.sync()
    hers.expect_nothing("message", has=q(NS_MAM, "result"))


def test_nor_from_oneself(pair):
    _, hers = pair
    hers.send("<message to='%s' from='%s'>%s</message>" % (hers.jid, hers.bare, forged()))
    hers.sync()
    hers.expect_nothing("message", has=q(NS_MAM, "result"))


def test_a_component_may_have_an_archive_and_its_occupants_have_none(pair, component):
    """XEP-0313 2.3: rooms answer with their bare address."""
    _, hers = pair
    bot = component("bot.example")
    bot.send("<message to='%s' from='room@bot.example/nick' id='m1'>%s<body>x</body></message>" % (hers.jid, forged()))
    assert not is_result(hers.expect("message", id="m1"))
    bot.send("<message to='%s' from='room@bot.example' id='m2'>%s</message>" % (hers.jid, forged()))
    assert is_result(hers.expect("message", id="m2"))


def test_what_others_send_is_not_taken_for_an_answer(pair):
    """An iq result or error with a <fin/> changes nothing here."""
    his, hers = pair
    for kind in ("result", "error"):
        his.send("<iq type='%s' id='x' to='%s'><fin xmlns='%s' complete='true'/></iq>" % (kind, hers.bare, NS_MAM))
    his.sync()
    assert still_there(hers)


def nested(levels):
    inner = "<body>core</body>"
    for _ in range(levels):
        inner = "<forwarded xmlns='%s'><message xmlns='jabber:client'>%s</message></forwarded>" % (NS_FORWARD, inner)
    return inner


def test_forwards_inside_forwards_come_back_as_they_were(pair):
    """As deep as a client may send them; the wrapping adds to that."""
    his, hers = pair
    his.send("<message to='%s' type='chat' id='deep'>%s<body>deep</body></message>" % (hers.bare, nested(30)))
    hers.expect("message", id="deep")
    row = ask(hers).rows[-1]
    assert len(list(row.message.iter(q(NS_FORWARD, "forwarded")))) == 30


def test_forwards_too_deep_close_the_stream(pair):
    his, hers = pair
    his.send("<message to='%s' type='chat'>%s</message>" % (hers.bare, nested(100)))
    his.expect_stream_error("policy-violation")
    assert still_there(hers)


def test_what_looks_like_markup_stays_text(pair):
    his, hers = pair
    text = "]]&gt;&lt;/message&gt;&lt;result xmlns='%s'/&gt;&amp;apos;&#9;&quot; \u202e \U0001f600" % NS_MAM
    his.send("<message to='%s' type='chat' id='t'><body>%s</body></message>" % (hers.bare, text))
    sent = body_of(hers.expect("message", id="t"))
    assert ask(hers).bodies == ["there is one", sent]


# -- who goes away while it is answered --------------------------------------------------------------------------------


def test_who_asks_and_goes_harms_nobody(pair, people):
    his, hers = pair
    nurse, = people("nurse")
    for _ in range(10):
        gone = nurse.login("kitchen")
        gone.send("".join("<iq type='set' id='%s'>%s</iq>" % (next_id(), query(rsm(max=250))) for _ in range(50)))
        gone.cut()
    assert still_there(hers)


def test_an_account_that_is_deleted_takes_its_queries_along(pair, people, server):
    nurse, = people("nurse")
    gone = nurse.login("kitchen").online()
    for i in range(20):
        gone.message(gone.bare, "note %d" % i)
    gone.send("".join("<iq type='set' id='%s'>%s</iq>" % (next_id(), query(rsm(max=250))) for _ in range(200)))
    server.run("deluser", nurse.jid)
    gone.expect_eof()
    server.adduser(nurse.jid, nurse.password)
    assert ask(nurse.login("kitchen")).rows == []
    assert still_there(pair[1])


def test_a_stanza_around_a_query_that_makes_no_sense_is_refused(pair):
    _, hers = pair
    assert error_of(hers.ask("get", "<metadata xmlns='%s'/><metadata xmlns='%s'/>" % (NS_MAM, NS_MAM)))[1] == "bad-request"
    assert error_of(hers.ask("set", "<metadata xmlns='%s'/>" % NS_MAM))[1] == "service-unavailable"
    assert error_of(hers.ask("set", "<fin xmlns='%s'/>" % NS_MAM))[1] == "service-unavailable"
    assert error_of(hers.ask("set", "<query xmlns='%s' node='urn:xmpp:avatar:data'/>" % NS_MAM))[1] == "item-not-found"
    assert still_there(hers)
