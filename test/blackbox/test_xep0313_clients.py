"""Archives as clients off the shelf ask for them: slixmpp's plugin and nbxmpp's module as they come (XEP-0313, XEP-0441)."""

import asyncio
import datetime

import pytest

from nbx import Nbx
from test_slixmpp import messenger

SERVER = {"tls": "required"}


@pytest.fixture
def letters(people):
    """He sent her 25 messages and she answered 5: whom to log in as."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony").online(), juliet.login("chamber").online()
    for n in range(25):
        his.message(hers.bare, "letter %d" % n)
    for n in range(5):
        hers.expect("message", body="letter %d" % n)
        hers.message(his.bare, "answer %d" % n)
    hers.expect("message", body="letter 24")
    his.expect("message", body="answer 4")
    hers.sync()
    return romeo, juliet


def text_of(result):
    return result["mam_result"]["forwarded"]["stanza"]["body"]


def test_slixmpp_walks_through_an_archive(server, letters):
    romeo, juliet = letters

    async def scene():
        async with messenger(server, juliet) as it:
            for plugin in ("xep_0059", "xep_0297", "xep_0313"):
                it.register_plugin(plugin)
            mam = it["xep_0313"]
            rows = [row async for row in mam.iterate(jid=it.boundjid.bare, rsm={"max": 7})]
            letters = [text_of(row) for row in rows if text_of(row).startswith("letter")]
            assert letters == ["letter %d" % n for n in range(25)] and len(rows) == 30
            assert all(row["mam_result"]["forwarded"]["delay"]["stamp"].tzinfo for row in rows)
            back = [row async for row in mam.iterate(jid=it.boundjid.bare, rsm={"max": 7}, reverse=True)]
            assert [row["mam_result"]["id"] for row in back] == [row["mam_result"]["id"] for row in rows][::-1]
            only = [row async for row in mam.iterate(jid=it.boundjid.bare, with_jid="nobody@far.example")]
            assert only == []
            later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
            assert [row async for row in mam.iterate(jid=it.boundjid.bare, start=later)] == []
            assert len([row async for row in mam.iterate(jid=it.boundjid.bare, end=later, with_jid=romeo.jid)]) == 30
    asyncio.run(scene())


def test_slixmpp_asks_for_form_metadata_and_preferences(server, letters):
    async def scene():
        async with messenger(server, letters[1]) as it:
            for plugin in ("xep_0059", "xep_0297", "xep_0313", "xep_0441"):
                it.register_plugin(plugin)
            form = await it["xep_0313"].get_fields(it.boundjid.bare)
            assert {"with", "start", "end", "before-id", "after-id", "ids"} <= set(form.get_fields())
            metadata = (await it["xep_0313"].get_archive_metadata(it.boundjid.bare))["mam_metadata"]
            ids = [row["mam_result"]["id"] async for row in it["xep_0313"].iterate(jid=it.boundjid.bare)]
            assert (metadata["start"]["id"], metadata["end"]["id"]) == (ids[0], ids[-1])
            assert await it["xep_0441"].get_preferences() == ("always", set(), set())
            await it["xep_0441"].set_preferences(default="roster", always=[], never=["x@far.example"])
            assert await it["xep_0441"].get_preferences() == ("roster", set(), {"x@far.example"})
    asyncio.run(scene())


def test_nbxmpp_catches_up(server, letters):
    """As Gajim does: page by page behind the last id that it knows, each result checked against its query."""
    _, juliet = letters
    it = Nbx(server, juliet.jid, juliet.password).connect()
    try:
        after, bodies = None, []
        for _ in range(5):
            it.messages.clear()
            page = it.call("MAM", "make_query", juliet.jid, queryid="catchup", after=after, max_=7)
            got = [one.mam for one in it.messages if one.mam and one.mam.query_id == "catchup"]
            bodies += [one.body for one in it.messages if one.mam]
            assert page.rsm.last == got[-1].id and page.rsm.first == got[0].id
            after = page.rsm.last
            if page.complete:
                break
        assert page.complete and [b for b in bodies if b.startswith("letter")] == ["letter %d" % n for n in range(25)]
        assert len(bodies) == 30
        assert it.call("MAM", "make_query", juliet.jid, max_=0).rsm.count == 30
    finally:
        it.close()


def test_nbxmpp_sets_preferences(server, letters):
    _, juliet = letters
    it = Nbx(server, juliet.jid, juliet.password).connect()
    try:
        it.call("MAM", "set_preferences", "never", ["a@far.example"], ["b@far.example"])
        got = it.call("MAM", "request_preferences")
        assert (got.default, [str(j) for j in got.always], [str(j) for j in got.never]) == ("never", ["a@far.example"], ["b@far.example"])
    finally:
        it.close()
