"""Offline messages with a client off the shelf (slixmpp): retrieved by its own support of XEP-0013, sent with rules by that of XEP-0079."""

import asyncio

from client import PATIENCE
from test_slixmpp import messenger


def later(call, *args):
    """A call of the library that answers through a callback."""
    done = asyncio.get_running_loop().create_future()
    call(*args, callback=lambda iq: done.done() or done.set_result(iq))
    return asyncio.wait_for(done, PATIENCE)



def test_messages_are_retrieved_one_by_one(server, people):
    """XEP-0013 2, in the order in which a client for the road would."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with messenger(server, romeo) as one:
            for n in range(3):
                one.send_message(mto=juliet.jid, mbody="number %d" % n, mtype="chat")
            await one["xep_0199"].ping(jid=server.domain)
        async with messenger(server, juliet) as two:
            for plugin in ("xep_0013", "xep_0203", "xep_0128"):
                two.register_plugin(plugin)
            offline = two["xep_0013"]
            info = await offline.get_count()
            assert [f["value"] for f in info["disco_info"]["form"] if f["var"] == "number_of_messages"] == ["3"]
            items = (await offline.get_headers())["disco_items"]["items"]
            nodes = [node for _, node, _ in sorted(items, key=lambda item: item[1])]
            assert {name for _, _, name in items} == {one.boundjid.full} and len(nodes) == 3
            two.send_presence()
            seen = await later(offline.view, [nodes[1]])
            assert [m["body"] for m in seen["offline"]["results"]] == ["number 1"]
            assert (await later(offline.remove, [nodes[0]]))["type"] == "result"
            rest = await later(offline.fetch)
            assert [m["body"] for m in rest["offline"]["results"]] == ["number 1", "number 2"]
            assert (await later(offline.purge))["type"] == "result"
            assert not (await offline.get_headers())["disco_items"]["items"]
    asyncio.run(scene())


def test_rules_are_followed(server, people):
    """XEP-0079: the sender hears that his message was stored, another one is dropped."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with messenger(server, romeo) as one:
            async with messenger(server, juliet) as two:
                for it in (one, two):
                    it.send_presence()
                    await it.get_roster()
                one.send_presence_subscription(pto=two.boundjid.bare)
                await one.presence_of(two.boundjid, "available")
            await one.presence_of(two.boundjid, "unavailable")
            one.register_plugin("xep_0079")
            heard = asyncio.Queue()
            one.add_event_handler("amp_notify", heard.put_nowait)
            info = await one["xep_0079"].discover_support()
            assert "http://jabber.org/protocol/amp?action=notify" in info["disco_info"]["features"]
            for action in ("notify", "drop"):
                message = one.make_message(mto=juliet.jid, mbody=action, mtype="chat")
                message["id"] = action
                rule = message["amp"]["rule"]
                rule["action"], rule["condition"], rule["value"] = action, "deliver", "stored"
                message.send()
            got = await asyncio.wait_for(heard.get(), PATIENCE)
            assert (got["id"], got["amp"]["status"]) == ("notify", "notify")
            await one["xep_0199"].ping(jid=server.domain)
        async with messenger(server, juliet) as two:
            two.send_presence()
            assert (await asyncio.wait_for(two.messages.get(), PATIENCE))["body"] == "notify"
            await two["xep_0199"].ping(jid=server.domain)
            assert two.messages.empty()
    asyncio.run(scene())
