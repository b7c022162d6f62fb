"""An account's archive: what is in it, how it is asked for (XEP-0313, XEP-0059, XEP-0297), what the user wants in it (XEP-0441)."""

import bisect
import datetime
import random
import re

import pytest

from client import NS_DATA, NS_DISCO_INFO, befriend, body_of, error_of, q
from forms import run
from mam import NS_HINTS, NS_MAM, NS_RSM, NS_SID, ask, ask_all, form, is_result, prefs, query, row_of, rsm
from managed import authenticated, managed

SERVER = {"domains": ("im.example", "quiet.example"), "components": {"bot.example": "secret"}}
SET_ARCHIVE = "urn:bulkhead:commands:set-archive"
NS_CHATSTATES = "http://jabber.org/protocol/chatstates"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


@pytest.fixture
def pair(people):
    romeo, juliet = people("romeo", "juliet")
    return romeo.login("balcony").online(), juliet.login("chamber").online()


def talk(his, hers, n, prefix=""):
    """n messages from him to her, which she has; gives back the ids of her archive."""
    for i in range(n):
        his.message(hers.bare, "%s%d" % (prefix, i))
    got = [hers.expect("message", body="%s%d" % (prefix, i)) for i in range(n)]
    return [el.find(q(NS_SID, "stanza-id")).get("id") for el in got]


# -- what is archived ---------------------------------------------------------------------------------------------------


def test_a_message_is_in_both_archives_once(pair):
    """XEP-0313 2, 5.1.1: what is sent and what is received, with its addresses, its content and when it came."""
    his, hers = pair
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
    his.send("<message to='%s' type='chat' id='m1'><body>Good night</body><x xmlns='urn:example:x'>y</x></message>" % hers.bare)
    hers.expect("message", id="m1")
    his.sync()
    for client in (his, hers):
        page = ask(client)
        (row,) = page.rows
        assert page.complete and page.first == page.last == row.id
        assert (row.message.get("from"), row.message.get("to")) == (his.jid, hers.bare)
        assert (row.message.get("id"), row.message.get("type")) == ("m1", "chat")
        assert body_of(row.message) == "Good night" and row.message.findtext("{urn:example:x}x") == "y"
        assert STAMP.match(row.stamp)
        stamp = datetime.datetime.fromisoformat(row.stamp.replace("Z", "+00:00"))
        assert before <= stamp <= datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        assert (row.outer.get("from"), row.outer.get("to")) == (client.bare, client.jid)


def test_the_recipient_is_told_the_id_and_only_of_her_archive(pair):
    """XEP-0313 2.5: by her account, the id under which it stands; nobody else is told."""
    his, hers = pair
    his.message(hers.bare, "x", id="m1")
    got = hers.expect("message", id="m1")
    (mark,) = got.findall(q(NS_SID, "stanza-id"))
    assert mark.get("by") == hers.bare and [mark.get("id")] == ask(hers).ids
    (row,) = ask(his).rows
    assert hers.bare not in [el.get("by") for el in row.message.iter(q(NS_SID, "stanza-id"))]


def test_ids_do_not_tell_how_many_messages_there_are(pair):
    """XEP-0359 8."""
    ids = talk(*pair, 4)
    numbers = [int(id, 16) for id in ids]
    assert all(abs(b - a) > 1000 for a, b in zip(numbers, numbers[1:])), ids


def test_a_message_to_oneself_is_there_once(people):
    juliet, = people("juliet")
    hers = juliet.login("chamber").online()
    hers.message(hers.bare, "note")
    hers.expect("message", body="note")
    assert ask(hers).bodies == ["note"]
    assert ask(hers, with_=hers.bare).bodies == ["note"]


def test_what_several_resources_get_is_there_once(people):
    """XEP-0313 5.1.1: MUST store it only once."""
    romeo, juliet = people("romeo", "juliet")
    his, one, other = romeo.login("balcony").online(), juliet.login("a").online(1), juliet.login("b").online(1)
    his.message(one.bare, "x")
    one.expect("message", body="x")
    other.expect("message", body="x")
    assert ask(one).bodies == ["x"] == ask(other).bodies


def test_a_message_for_who_is_away_is_there_before_and_after_it_is_delivered(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    his.message(juliet.jid, "kept")
    his.sync()
    assert ask(hers).bodies == ["kept"]
    hers.send("<presence/>")
    kept = hers.expect("message", body="kept")
    assert [kept.find(q(NS_SID, "stanza-id")).get("id")] == ask(hers).ids


def test_messages_to_and_from_elsewhere_are_there(people, component):
    romeo, = people("romeo")
    bot, his = component("bot.example"), romeo.login("balcony").online()
    his.message("x@bot.example", "to")
    bot.expect("message", body="to")
    bot.send("<message from='x@bot.example/r' to='%s' type='chat'><body>from</body></message>" % his.bare)
    his.expect("message", body="from")
    assert ask(his).bodies == ["to", "from"]
    assert ask(his, with_="x@bot.example").bodies == ["to", "from"]
    assert ask(his, with_="x@bot.example/r").bodies == ["from"]


@pytest.mark.parametrize("message", [
    "type='groupchat'><body>x</body>", "type='headline'><body>x</body>", "type='error'><body>x</body>",
    "type='chat'><composing xmlns='%s'/>" % NS_CHATSTATES,
    "type='chat'><body>x</body><no-store xmlns='%s'/>" % NS_HINTS,
    "type='chat'><body>x</body><no-permanent-store xmlns='%s'/>" % NS_HINTS])
def test_what_is_not_worth_it_or_not_to_be_kept_is_not_there(pair, message):
    """XEP-0313 5.1.1, XEP-0334 4.1, 4.2."""
    his, hers = pair
    his.send("<message to='%s' id='m1' %s</message>" % (hers.jid, message))
    assert not hers.expect("message", id="m1").findall(q(NS_SID, "stanza-id"))
    assert ask(hers).rows == [] == ask(his).rows


def test_a_hint_to_store_is_followed(pair):
    """XEP-0334 4.4: without a body."""
    his, hers = pair
    his.send("<message to='%s' type='chat' id='m1'><x xmlns='urn:example:x'/><store xmlns='%s'/></message>" % (hers.bare, NS_HINTS))
    hers.expect("message", id="m1")
    assert len(ask(hers).rows) == 1 == len(ask(his).rows)


def test_a_message_that_was_refused_is_in_no_archive_of_its_addressee(people):
    """XEP-0313 5.1: what was not accepted for delivery."""
    romeo, = people("romeo")
    his = romeo.login("balcony").online()
    his.message("nobody-at-all@im.example", "x", id="m1")
    assert his.expect("message", id="m1").get("type") == "error"


# -- pages --------------------------------------------------------------------------------------------------------------


def test_pages_forwards(pair):
    """XEP-0059 2.2, XEP-0313 3.3: each row once, in order; the last page says that it is complete."""
    his, hers = pair
    ids = talk(his, hers, 25)
    page, seen = ask(hers, rsm(max=10)), []
    for n, complete in ((10, False), (10, False), (5, True)):
        assert (len(page.rows), page.complete) == (n, complete)
        assert (page.first, page.last) == (page.ids[0], page.ids[-1])
        seen += page.ids
        page = ask(hers, rsm(max=10, after=page.last))
    assert seen == ids
    assert page.rows == [] and page.complete and page.first is None and page.last is None


def test_pages_backwards(pair):
    """XEP-0059 2.3, 2.5: the last page first; within a page the oldest first."""
    his, hers = pair
    ids = talk(his, hers, 25)
    page, seen = ask(hers, rsm(max=10, before="")), []
    for n, complete in ((10, False), (10, False), (5, True)):
        assert (len(page.rows), page.complete) == (n, complete)
        seen = page.ids + seen
        page = ask(hers, rsm(max=10, before=page.first))
    assert seen == ids and page.rows == [] and page.complete


def test_a_flipped_page_has_the_same_rows_the_last_first(pair):
    """XEP-0313 3.3.4."""
    his, hers = pair
    ids = talk(his, hers, 7)
    for set in (rsm(max=5), rsm(max=5, before="")):
        straight, flipped = ask(hers, set), ask(hers, set, "<flip-page/>")
        assert flipped.ids == straight.ids[::-1]
        assert (flipped.first, flipped.last) == (straight.first, straight.last) == (straight.ids[0], straight.ids[-1])
    assert ask(hers, rsm(max=5)).ids == ids[:5]


def test_a_page_between_two_rows(pair):
    """The set's after and before together: what lies between them, the end first, as before alone would give it."""
    his, hers = pair
    ids = talk(his, hers, 9)
    page = ask(hers, rsm(max=3, after=ids[1], before=ids[7]))
    assert page.ids == ids[4:7] and not page.complete
    page = ask(hers, rsm(max=3, after=ids[3], before=ids[7]))
    assert page.ids == ids[4:7] and page.complete


def test_a_page_has_no_more_rows_than_are_allowed(pair):
    """XEP-0313 3.3.1: whatever is asked for."""
    his, hers = pair
    ids = talk(his, hers, 260)
    assert len(ask(hers).rows) == 50
    for most in (251, 10**9, 2**63, 2**64, 10**40):
        page = ask(hers, rsm(max=most))
        assert page.ids == ids[:250] and not page.complete
    assert [row.id for row in ask_all(hers, 100)] == ids


def test_a_page_of_large_messages_is_shorter(pair):
    """A page is bounded in bytes too; nothing is left out by going on."""
    his, hers = pair
    large = "x" * 200000
    for i in range(12):
        his.message(hers.bare, "%d %s" % (i, large))
    his.sync()
    page = ask(hers, rsm(max=50))
    assert 1 <= len(page.rows) < 12 and not page.complete
    assert [body_of(row.message).split()[0] for row in ask_all(hers)] == [str(i) for i in range(12)]
    last = ask(hers, rsm(max=50, before=""))
    assert 1 <= len(last.rows) < 12 and last.bodies[-1].startswith("11 ")


def test_the_number_of_rows_is_told_where_it_is_known(pair):
    """XEP-0059 2.2, 2.7: for a result that is one page, and where it alone was asked for."""
    his, hers = pair
    talk(his, hers, 12)
    page = ask(hers)
    assert (page.count, page.index) == ("12", "0")
    page = ask(hers, rsm(max=0))
    assert page.count == "12" and page.rows == [] and not page.complete and page.first is None
    assert ask(hers, rsm(max=0), with_="nobody@far.example").count == "0"


def test_pages_by_number_are_refused(pair):
    """XEP-0059 2.6: rows are found by id."""
    _, hers = pair
    assert ask(hers, rsm(max=5, index=0)).error == "feature-not-implemented"


# -- filters ------------------------------------------------------------------------------------------------------------


def test_with(people):
    """XEP-0313 3.1.1: a bare address is either side with any resource, a full one itself."""
    romeo, nurse, juliet = people("romeo", "nurse", "juliet")
    his, other, hers = romeo.login("balcony").online(), romeo.login("garden").online(), juliet.login("chamber").online()
    nurses = nurse.login("kitchen").online()
    for sender, body in ((his, "1"), (nurses, "2"), (other, "3")):
        sender.message(hers.bare, body)
        hers.expect("message", body=body)
    hers.message(his.jid, "4")
    his.expect("message", body="4")
    assert ask(hers, with_=romeo.jid).bodies == ["1", "3", "4"]
    assert ask(hers, with_=romeo.jid.upper()).bodies == ["1", "3", "4"]
    assert ask(hers, with_=his.jid).bodies == ["1", "4"]
    assert ask(hers, with_=other.jid).bodies == ["3"]
    assert ask(hers, with_=nurse.jid).bodies == ["2"]
    assert ask(hers, rsm(max=1, before=""), with_=his.jid).bodies == ["4"]
    page = ask(hers, rsm(max=1), with_=his.jid)
    assert page.bodies == ["1"] and not page.complete
    page = ask(hers, rsm(max=1, after=page.last), with_=his.jid)
    assert page.bodies == ["4"] and page.complete
    assert ask(hers, with_="nobody@far.example").rows == [] and ask(hers, with_=juliet.jid).rows == []
    assert ask(hers, with_="im.example").rows == []


def test_with_a_full_address_that_is_rare(pair, people):
    """It is looked for behind many rows of the same account."""
    his, hers = pair
    talk(his, hers, 230)
    again = people("nurse")[0].login("kitchen").online()
    again.message(hers.bare, "other")
    hers.expect("message", body="other")
    assert ask(hers, with_=his.bare + "/nowhere").rows == []
    page = ask(hers, rsm(max=7, before=""), with_=his.jid)
    assert page.bodies == [str(i) for i in range(223, 230)] and not page.complete


@pytest.mark.parametrize("resource", ["a'b", 'a"b', "a&amp;b", "a&lt;b>c", "\u00e9 \U0001f600", "='x'", "/", "a/b@c"])
def test_with_a_resource_of_any_characters(people, resource):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login(resource), juliet.login("chamber").online()
    romeo.login("other").message(hers.bare, "a body with %s" % his.jid.replace("&", "&amp;").replace("<", "&lt;"))
    hers.expect("message")
    his.message(hers.bare, "x")
    hers.expect("message", body="x")
    assert ask(hers, with_=his.jid).bodies == ["x"]


def test_times_are_inclusive(pair):
    """XEP-0313 3.1.2."""
    his, hers = pair
    talk(his, hers, 9)
    rows = ask(hers).rows
    start, end = rows[2].stamp, rows[6].stamp
    want = [row.id for row in rows if start <= row.stamp <= end]
    assert ask(hers, start=start, end=end).ids == want
    assert ask(hers, start=start).ids == [row.id for row in rows if row.stamp >= start]
    assert ask(hers, end=end).ids == [row.id for row in rows if row.stamp <= end]
    assert ask(hers, rsm(max=2, before=""), start=start, end=end).ids == want[-2:]
    assert ask(hers, start=end, end=start).ids == [row.id for row in rows if end <= row.stamp <= start]
    far = datetime.datetime.fromisoformat(start.replace("Z", "+00:00")).astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=45)))
    assert ask(hers, start=far.isoformat(timespec="milliseconds"), end=end).ids == want


def test_ids_as_bounds(pair):
    """XEP-0313 3.1.4: exclusive, and the direction of the page stays."""
    his, hers = pair
    ids = talk(his, hers, 9)
    assert ask(hers, after_id=ids[2]).ids == ids[3:]
    assert ask(hers, before_id=ids[2]).ids == ids[:2]
    page = ask(hers, rsm(max=3), after_id=ids[1], before_id=ids[7])
    assert page.ids == ids[2:5] and not page.complete
    page = ask(hers, rsm(max=3, after=page.last), after_id=ids[1], before_id=ids[7])
    assert page.ids == ids[5:7] and page.complete
    assert ask(hers, after_id=ids[7], before_id=ids[2]).rows == []


def test_rows_by_id(pair):
    """XEP-0313 3.1.4: in the order of the archive, each once; pages of them too."""
    his, hers = pair
    ids = talk(his, hers, 30)
    assert ask(hers, ids=[ids[3]]).ids == [ids[3]]
    wanted = [ids[4], ids[1], ids[4], ids[0]]
    page = ask(hers, ids=wanted)
    assert page.ids == [ids[0], ids[1], ids[4]] and page.complete
    page = ask(hers, rsm(max=20), ids=ids)
    assert page.ids == ids[:20] and not page.complete
    page = ask(hers, rsm(max=20, after=page.last), ids=ids)
    assert page.ids == ids[20:] and page.complete
    assert ask(hers, rsm(max=3, before=""), ids=ids).ids == ids[-3:]
    assert ask(hers, ids=ids[:5], with_="nobody@far.example").rows == []


def test_what_is_not_in_the_archive_is_not_found(pair, people):
    """XEP-0313 3.1.4, 3.3.2; neither is what stands in another's archive alone."""
    his, hers = pair
    ids = talk(his, hers, 3)
    nurse = people("nurse")[0].login("kitchen").online()
    assert ask(nurse, ids=[ids[0]]).error == "item-not-found"
    for unknown in ("0" * 16, "f" * 16, "x", ids[0].upper() + " ", ids[0] + "0"):
        for how in (dict(ids=[unknown]), dict(ids=[ids[0], unknown]), dict(after_id=unknown), dict(before_id=unknown)):
            assert ask(hers, **how).error == "item-not-found", how
        assert ask(hers, rsm(after=unknown)).error == "item-not-found"
        assert ask(hers, rsm(before=unknown)).error == "item-not-found"
    assert ask(hers).ids == ids


def test_a_field_that_nobody_knows_is_refused(pair):
    """XEP-0313 3.1.6."""
    _, hers = pair
    assert ask(hers, free_text="x").error == "feature-not-implemented"


def test_groupchat_is_never_among_the_results(pair):
    """XEP-0313 3.1.5: the field is understood."""
    his, hers = pair
    ids = talk(his, hers, 2)
    assert ask(hers, include_groupchat="true").ids == ids == ask(hers, include_groupchat="false").ids


def test_the_form_is_told(pair):
    """XEP-0313 3.1.6, XEP-0122."""
    _, hers = pair
    reply = hers.ask("get", "<query xmlns='%s'/>" % NS_MAM)
    got = {el.get("var"): el for el in reply.iter(q(NS_DATA, "field"))}
    assert {var: el.get("type") for var, el in got.items()} == {
        "FORM_TYPE": "hidden", "with": "jid-single", "start": "text-single", "end": "text-single", "before-id": "text-single",
        "after-id": "text-single", "ids": "list-multi", "include-groupchat": "boolean"}
    assert got["FORM_TYPE"].findtext(q(NS_DATA, "value")) == NS_MAM
    assert got["ids"].find(".//{http://jabber.org/protocol/xdata-validate}open") is not None


def test_many_queries_at_once_are_answered_in_order(pair):
    his, hers = pair
    ids = talk(his, hers, 5)
    hers.send("".join("<iq type='set' id='q%d'>%s</iq>" % (i, query(rsm(max=5), "q%d" % i)) for i in range(30)))
    hers.settle()
    seen = [el.get("id") if not is_result(el) else (el.find(q(NS_MAM, "result")).get("queryid"), row_of(el).id) for el in hers.inbox]
    assert seen == [what for i in range(30) for what in [("q%d" % i, id) for id in ids] + ["q%d" % i]]


# -- metadata -----------------------------------------------------------------------------------------------------------


def metadata(client):
    reply = client.ask("get", "<metadata xmlns='%s'/>" % NS_MAM)
    assert reply.get("type") == "result"
    return [(el.tag.rpartition("}")[2], el.get("id"), el.get("timestamp")) for el in reply.find(q(NS_MAM, "metadata"))]


def test_metadata(pair):
    """XEP-0313 4."""
    his, hers = pair
    assert metadata(hers) == []
    ids = talk(his, hers, 3)
    rows = ask(hers).rows
    assert metadata(hers) == [("start", ids[0], rows[0].stamp), ("end", ids[2], rows[2].stamp)]


# -- whose archive it is ------------------------------------------------------------------------------------------------


def test_nobody_sees_anothers_archive(pair, component):
    """XEP-0313 8.1."""
    his, hers = pair
    befriend(his, hers)
    bot = component("bot.example")
    for inner, kind in ((query(), "set"), (query(), "get"), ("<metadata xmlns='%s'/>" % NS_MAM, "get"),
                        ("<prefs xmlns='%s'/>" % NS_MAM, "get"), ("<prefs xmlns='%s' default='never'/>" % NS_MAM, "set")):
        for to in (hers.bare, "nobody-at-all@im.example"):
            assert error_of(his.ask(kind, inner, to=to))[1] == "forbidden"
            assert error_of(bot.ask(kind, inner, to=to, from_="x@bot.example"))[1] == "forbidden"
    assert error_of(his.ask("set", query(), to="im.example"))[1] == "service-unavailable"
    assert prefs(hers) == ("always", [], [])


def test_accounts_tell_what_they_have(pair):
    """XEP-0313 7: on the account."""
    his, _ = pair
    info = his.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to=his.bare)
    features = {el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))}
    assert {NS_MAM, NS_MAM + "#extended", NS_MAM + "#groupchat-field"} <= features
    info = his.ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to="im.example")
    assert NS_MAM not in {el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))}


# -- preferences --------------------------------------------------------------------------------------------------------


def test_everything_is_archived_by_default(pair):
    _, hers = pair
    assert prefs(hers) == ("always", [], [])


def test_preferences_are_kept_and_told(pair, server):
    """XEP-0441 2.1: canonical addresses, also after a restart."""
    his, hers = pair
    want = ("roster", ["romeo@far.example"], [his.bare, "x@far.example/r"])
    assert prefs(hers, "roster", ["Romeo@FAR.example"], [his.bare, "x@far.example/r"]) == want
    assert prefs(hers) == want
    assert prefs(hers, "always") == ("always", [], []) == prefs(hers)


def test_never(pair):
    """Each archive is its owner's: his keeps what hers does not."""
    his, hers = pair
    prefs(hers, "never")
    his.message(hers.bare, "1")
    assert not hers.expect("message", body="1").findall(q(NS_SID, "stanza-id"))
    hers.message(his.bare, "2")
    his.expect("message", body="2")
    assert ask(hers).rows == []
    assert ask(his).bodies == ["1", "2"]


def test_lists_decide_before_the_default(people):
    """XEP-0441 2.3: a bare address is every resource; one with a resource is itself alone."""
    romeo, nurse, juliet = people("romeo", "nurse", "juliet")
    his, other, hers = romeo.login("balcony").online(), romeo.login("garden").online(), juliet.login("chamber").online()
    nurses = nurse.login("kitchen").online()

    def kept():
        for body, sender in (("1", his), ("2", other), ("3", nurses)):
            sender.message(hers.bare, body)
            hers.expect("message", body=body)
        known = {row.id for row in kept.seen}
        kept.seen = ask(hers).rows
        return [body_of(row.message) for row in kept.seen if row.id not in known]
    kept.seen = []
    prefs(hers, "never", always=[romeo.jid])
    assert kept() == ["1", "2"]
    prefs(hers, "never", always=[his.jid])
    assert kept() == ["1"]
    prefs(hers, "always", never=[romeo.jid])
    assert kept() == ["3"]
    prefs(hers, "always", always=[romeo.jid], never=[other.jid])
    assert kept() == ["1", "3"]


def test_only_contacts(people):
    """XEP-0441 2.1.1: `roster` is whose bare address the roster has."""
    romeo, nurse, juliet = people("romeo", "nurse", "juliet")
    his, nurses, hers = romeo.login("balcony").online(), nurse.login("kitchen").online(), juliet.login("chamber").online()
    hers.ask("set", "<query xmlns='jabber:iq:roster'><item jid='%s'/></query>" % romeo.jid)
    prefs(hers, "roster")
    for sender, body in ((his, "1"), (nurses, "2")):
        sender.message(hers.bare, body)
        hers.expect("message", body=body)
    assert ask(hers).bodies == ["1"]


def test_what_is_not_archived_is_still_kept_for_who_is_away(people):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber")
    prefs(hers, "never")
    his.message(juliet.jid, "x")
    his.sync()
    assert ask(hers).rows == []
    hers.send("<presence/>")
    hers.expect("message", body="x")
    assert ask(hers).rows == []


@pytest.mark.parametrize("inner, condition", [
    ("<prefs xmlns='%s'/>", "bad-request"), ("<prefs xmlns='%s' default='often'/>", "bad-request"),
    ("<prefs xmlns='%s' default='never'><always><jid>@</jid></always></prefs>", "jid-malformed"),
    ("<prefs xmlns='%s' default='never'><never><jid/></never></prefs>", "jid-malformed")])
def test_preferences_that_are_none_change_nothing(pair, inner, condition):
    _, hers = pair
    assert error_of(hers.ask("set", inner % NS_MAM))[1] == condition
    assert prefs(hers) == ("always", [], [])


def test_a_domain_that_archives_nothing_leaves_no_choice(person, admin, server):
    """What was archived before stays; other domains go on."""
    boss = admin.login("desk")
    romeo, juliet = person("romeo"), person("juliet", "quiet.example")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    prefs(hers, "roster", always=[his.bare])
    ids = talk(his, hers, 2)
    run(boss, SET_ARCHIVE, domain="quiet.example", archive="0")
    try:
        his.message(hers.bare, "not kept")
        assert not hers.expect("message", body="not kept").findall(q(NS_SID, "stanza-id"))
        hers.message(his.bare, "kept by him")
        his.expect("message", body="kept by him")
        assert ask(hers).ids == ids and ask(his).bodies == ["0", "1", "not kept", "kept by him"]
        assert prefs(hers) == ("never", [], []) and prefs(hers, "always") == "not-allowed"
        server.restart()
        boss, hers = admin.login("desk"), juliet.login("chamber")
        assert ask(hers).ids == ids and prefs(hers) == ("never", [], [])
    finally:
        run(boss, SET_ARCHIVE, domain="quiet.example", archive="1")
    assert prefs(hers) == ("roster", [romeo.jid], [])
    assert talk(romeo.login("balcony").online(), hers.online(), 1, "again") == ask(hers).ids[2:]


# -- and it lasts -------------------------------------------------------------------------------------------------------


def test_an_archive_outlives_the_server(people, server):
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    ids = talk(his, hers, 5)
    prefs(his, "never", always=["a@far.example"])
    server.restart()
    hers, his = juliet.login("chamber"), romeo.login("balcony")
    assert ask(hers).ids == ids
    assert ask(hers, rsm(max=2, after=ids[1])).ids == ids[2:4]
    assert prefs(his) == ("never", ["a@far.example"], [])
    hers.online()
    assert talk(his.online(), hers, 1, "new")[0] not in ids
    assert len(ask(hers).rows) == 6 and len(ask(his).rows) == 5


# -- all of it together -------------------------------------------------------------------------------------------------


class Model:
    """An archive as a list, asked in the plainest way."""

    def __init__(self, rows, owner):
        self.rows, self.owner = rows, owner

    def has(self, row, with_):
        sides = [row.message.get("from"), row.message.get("to")]
        if "/" in with_:
            return with_ in sides
        bare = [side.partition("/")[0] for side in sides]
        return bare == [with_] * 2 if with_ == self.owner else with_ in bare

    def page(self, max=50, after=None, before=None, with_=None, start=None, end=None, after_id=None, before_id=None, ids=None):
        order = [row.id for row in self.rows]
        keep = [row for row in self.rows if (with_ is None or self.has(row, with_)) and (start is None or row.stamp >= start)
                and (end is None or row.stamp <= end) and (ids is None or row.id in ids)]
        for id in filter(None, (after, after_id)):
            keep = [row for row in keep if order.index(row.id) > order.index(id)]
        for id in filter(None, (before, before_id)):
            keep = [row for row in keep if order.index(row.id) < order.index(id)]
        page = keep[:max] if before is None else keep[len(keep) - min(max, len(keep)):]
        return [row.id for row in page], len(page) == len(keep)


def test_any_combination_is_what_a_plain_list_gives(people):
    """Filters, bounds and directions at random, with the seed in the name of what fails."""
    names = ("romeo", "nurse", "juliet")
    romeo, nurse, juliet = people(*names)
    clients = [romeo.login("a").online(), romeo.login("b").online(-1), nurse.login("k").online()]
    hers = juliet.login("chamber").online()
    dice = random.Random(20261121)
    for n in range(180):
        client = dice.choice(clients + [hers])
        to = dice.choice([hers.bare, hers.jid]) if client is not hers else dice.choice([c.jid for c in clients] + [romeo.jid, hers.bare])
        client.message(to, str(n))
        client.settle()
    model = Model(ask_all(hers, 250), hers.bare)
    assert len(model.rows) == 180
    pick = [row.id for row in model.rows]
    for round in range(400):
        how, set = {}, {"max": dice.choice([1, 2, 7, 50, 180, 250])}
        if dice.random() < .4:
            how["with_"] = dice.choice([c.jid for c in clients] + [romeo.jid, nurse.jid, hers.bare, hers.jid, "x@far.example"])
        for name in ("start", "end"):
            if dice.random() < .25:
                how[name] = dice.choice(model.rows).stamp
        for name in ("after_id", "before_id"):
            if dice.random() < .2:
                how[name] = dice.choice(pick)
        if dice.random() < .15:
            how["ids"] = dice.sample(pick, dice.choice([1, 3, 40]))
        if dice.random() < .3:
            set["after"] = dice.choice(pick)
        if dice.random() < .4:
            set["before"] = dice.choice(["", *pick[:]])
        got = ask(hers, rsm(**set), **how)
        assert got.error is None
        want, complete = model.page(**set, **how)
        assert (got.ids, got.complete) == (want, complete), (round, set, how)
        assert (got.first, got.last) == ((want[0], want[-1]) if want else (None, None))


# -- beside the rest ----------------------------------------------------------------------------------------------------


def results_in(client):
    return [row_of(el).id for el in client.inbox if is_result(el)]


def test_a_page_that_was_not_acknowledged_comes_again_when_the_stream_is_resumed(people):
    """XEP-0198 5: results and the answer behind them, in order."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), managed(juliet.login("chamber"))
    hers.online()
    ids = talk(his, hers, 20)
    hers.enable()
    hers.send("<iq type='set' id='q1'>%s</iq>" % query())
    hers.until("the answer", lambda: [el for el in hers.inbox if el.get("id") == "q1"])
    assert results_in(hers) == ids
    hers.cut()
    again = authenticated(juliet)
    again.resume_from(hers, 5)
    again.until("the answer", lambda: [el for el in again.inbox if el.get("id") == "q1"])
    assert results_in(again) == ids[5:]


def test_results_do_not_wait_for_the_client_to_be_active(pair):
    """XEP-0352: who asks wants to know."""
    his, hers = pair
    ids = talk(his, hers, 5)
    hers.send("<inactive xmlns='urn:xmpp:csi:0'/>")
    assert ask(hers).ids == ids


def test_carbons_do_not_double_what_is_archived(people):
    """XEP-0280 8, XEP-0313 5.1.1."""
    romeo, juliet = people("romeo", "juliet")
    his, one, other = romeo.login("balcony").online(), juliet.login("a").online(), juliet.login("b").online(-1)
    for client in (one, other):
        client.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    his.message(one.jid, "1")
    one.expect("message", body="1")
    other.expect("message", has=q("urn:xmpp:carbons:2", "received"))
    one.message(his.jid, "2")
    his.expect("message", body="2")
    other.expect("message", has=q("urn:xmpp:carbons:2", "sent"))
    assert ask(one).bodies == ["1", "2"] == ask(other).bodies


def test_the_carbon_of_what_was_received_has_the_id(people):
    """XEP-0313 2.5: servers SHOULD include it in the forwarded message."""
    romeo, juliet = people("romeo", "juliet")
    his, one, other = romeo.login("balcony").online(), juliet.login("a").online(), juliet.login("b").online(-1)
    other.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    his.message(one.jid, "1")
    copy = other.expect("message", has=q("urn:xmpp:carbons:2", "received"))
    assert [el.get("id") for el in copy.iter(q(NS_SID, "stanza-id"))] == ask(one).ids


def test_the_id_of_ones_own_message_is_in_its_carbon_alone(people):
    """XEP-0313 2.5: of the sender's archive, for the sender's own resources."""
    romeo, juliet = people("romeo", "juliet")
    his, one, other = romeo.login("balcony").online(), juliet.login("a").online(), juliet.login("b").online(-1)
    other.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>")
    one.message(his.jid, "1")
    copy = other.expect("message", has=q("urn:xmpp:carbons:2", "sent"))
    marks = [(el.get("by"), el.get("id")) for el in copy.iter(q(NS_SID, "stanza-id"))]
    assert marks == [(one.bare, ask(one).ids[0])]


def test_times_find_the_same_rows_in_a_longer_archive(people):
    """Behind the first landmarks (every 1,000 positions): both sides of each row's time."""
    juliet, = people("juliet")
    hers = juliet.login("chamber").online()
    for n in range(1100):   # one after the other, so that neighbours differ
        hers.message(hers.bare, str(n))
        hers.expect("message", body=str(n))
    rows = ask_all(hers, 250)
    stamps = [row.stamp for row in rows]
    assert len(rows) == 1100 and stamps == sorted(stamps)
    for stamp in sorted(set(stamps)):
        first, end = bisect.bisect_left(stamps, stamp), bisect.bisect_right(stamps, stamp)
        assert ask(hers, rsm(max=2), start=stamp).ids == [row.id for row in rows[first:first + 2]]
        assert ask(hers, rsm(max=2, before=""), end=stamp).ids == [row.id for row in rows[max(end - 2, 0):end]]
