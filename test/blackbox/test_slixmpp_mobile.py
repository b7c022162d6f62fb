"""A desk and a telephone with a client off the shelf (slixmpp): its own carbons, client state and last activity, as they come."""

import asyncio
import contextlib

from client import PATIENCE
from test_slixmpp import Messenger, meet

SERVER = {"tls": "required"}


@contextlib.asynccontextmanager
async def device(server, person, resource):
    it = Messenger(server, "%s/%s" % (person.jid, resource), person.password)
    for plugin in ("xep_0012", "xep_0085", "xep_0280", "xep_0352"):
        it.register_plugin(plugin)
    it.copies, it.statuses = asyncio.Queue(), asyncio.Queue()
    it.add_event_handler("changed_status", it.statuses.put_nowait)
    for event in ("carbon_received", "carbon_sent"):
        it.add_event_handler(event, it.copies.put_nowait)
    try:
        assert await it.go(), "it does not get in"
        yield it
    finally:
        await it.disconnect()


async def taken(queue):
    return await asyncio.wait_for(queue.get(), PATIENCE)


def test_telephone_sees_both_sides_of_what_is_said_at_the_desk(server, people):
    """XEP-0280 by the library, which believes no carbon but its own account's."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with device(server, romeo, "orchard") as his, device(server, juliet, "desk") as desk, \
                   device(server, juliet, "phone") as phone:
            await phone["xep_0280"].enable()
            for it in (his, desk):
                it.send_presence(ppriority=5)
            phone.send_presence(ppriority=1)
            await phone["xep_0199"].ping(jid=server.domain)
            await desk["xep_0199"].ping(jid=server.domain)
            his.send_message(mto=juliet.jid, mbody="Good morrow", mtype="chat")
            (await taken(desk.messages)).reply("Good morrow to thee").send()
            received, sent = await taken(phone.copies), await taken(phone.copies)
            assert received["carbon_received"]["body"] == "Good morrow"
            assert received["carbon_received"]["from"] == his.boundjid
            assert sent["carbon_sent"]["body"] == "Good morrow to thee" and sent["carbon_sent"]["to"] == his.boundjid
            assert (await taken(his.messages))["body"] == "Good morrow to thee"
            await phone["xep_0280"].disable()
            desk.send_message(mto=romeo.jid, mbody="Not for the telephone", mtype="chat")
            await taken(his.messages)
            await phone["xep_0199"].ping(jid=server.domain)
            assert phone.copies.empty()
    asyncio.run(scene())


def test_telephone_sleeps_until_somebody_speaks(server, people):
    """XEP-0352 by the library: of the presences in between it sees the last one, before the message."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with device(server, romeo, "orchard") as his, device(server, juliet, "phone") as phone:
            await meet(his, phone)
            assert phone["xep_0352"].enabled
            phone["xep_0352"].send_inactive()
            await phone["xep_0199"].ping(jid=server.domain)
            while not phone.statuses.empty():
                phone.statuses.get_nowait()
            for show in ("away", "dnd", "xa"):
                his.send_presence(pshow=show)
            his.send_message(mto=phone.boundjid.full, mbody="Art thou there?", mtype="chat")
            assert (await taken(phone.messages))["body"] == "Art thou there?"
            assert (await taken(phone.statuses))["show"] == "xa" and phone.statuses.empty()
            phone["xep_0352"].send_active()
            his.send_presence(pshow="away")
            assert (await taken(phone.statuses))["show"] == "away"
    asyncio.run(scene())


def test_how_long_she_has_been_away(server, people):
    """XEP-0012 by the library: of the server, of a client that answers by itself, of an account."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with device(server, romeo, "orchard") as his:
            async with device(server, juliet, "phone") as phone:
                await meet(his, phone)
                assert (await his["xep_0012"].get_last_activity(server.domain))["last_activity"]["seconds"] >= 0
                assert (await his["xep_0012"].get_last_activity(juliet.jid))["last_activity"]["seconds"] == 0
                await phone["xep_0012"].begin_idle(status="asleep")
                reply = await his["xep_0012"].get_last_activity(phone.boundjid)
                assert reply["from"] == phone.boundjid and reply["last_activity"]["seconds"] >= 0
                phone.send_presence(ptype="unavailable", pstatus="Heading Home")
                await his.presence_of(phone.boundjid, "unavailable")
            reply = await his["xep_0012"].get_last_activity(juliet.jid)
            assert reply["last_activity"]["status"] == "Heading Home"
    asyncio.run(scene())
