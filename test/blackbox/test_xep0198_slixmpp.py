"""Stream management as a client off the shelf does it (slixmpp's own xep_0198, as it comes): enabled, acknowledged, its socket cut, resumed."""

import asyncio

from client import PATIENCE
from test_slixmpp import Messenger

SERVER = {"tls": "required"}


class Managed(Messenger):
    def __init__(self, server, jid, password):
        super().__init__(server, jid, password)
        self.register_plugin("xep_0198")
        self.sm_events = asyncio.Queue()
        self.add_event_handler("sm_enabled", lambda el: self.sm_events.put_nowait(("enabled", el)))
        self.add_event_handler("session_resumed", lambda el: self.sm_events.put_nowait(("resumed", el)))
        self.add_event_handler("sm_failed", lambda el: self.sm_events.put_nowait(("failed", el)))
        self.add_event_handler("stanza_acked", lambda el: self.sm_events.put_nowait(("acked", el)))

    async def sm(self, name):
        while True:
            got, el = await asyncio.wait_for(self.sm_events.get(), PATIENCE)
            if got == name:
                return el

    async def body(self):
        while True:
            msg = await asyncio.wait_for(self.messages.get(), PATIENCE)
            if msg["body"]:
                return msg["body"]


async def story(server):
    ann = Managed(server, "ann@im.example/a", "pw of ann")
    bob = Managed(server, "bob@im.example/b", "pw of bob")
    for one in (ann, bob):
        assert await one.go()
        enabled = await one.sm("enabled")
        assert enabled["id"] and enabled["resume"]
        one.send_presence()
        await one.get_roster()
    for n in range(6):                          # it asks every five stanzas
        ann.send_message(mto=bob.boundjid.full, mbody="there %d" % n, mtype="chat")
    assert [await bob.body() for _ in range(6)] == ["there %d" % n for n in range(6)]
    await ann.sm("acked")
    bob.transport.abort()                       # the network is gone, without a word
    await asyncio.wait_for(bob.wait_until("disconnected"), PATIENCE)
    for n in range(3):
        ann.send_message(mto=bob.boundjid.full, mbody="away %d" % n, mtype="chat")
    bob.started = asyncio.get_running_loop().create_future()
    bob.connect(("127.0.0.1", server.port("c2s")), force_starttls=True)
    await bob.sm("resumed")
    assert [await bob.body() for _ in range(3)] == ["away 0", "away 1", "away 2"]
    bob.send_message(mto=ann.boundjid.full, mbody="back again", mtype="chat")
    assert await ann.body() == "back again"
    assert bob.messages.empty() or not [m for m in iter(bob.messages.get_nowait, None) if m["body"]]
    gone = [p async for p in drain(ann.seen) if p["type"] == "unavailable"]
    assert not gone, "nobody saw it"
    for one in (ann, bob):
        one.disconnect()
        await one.wait_until("disconnected")


async def drain(queue):
    while not queue.empty():
        yield queue.get_nowait()


def test_a_session_survives_its_connection(server):
    for name in ("ann", "bob"):
        server.adduser("%s@im.example" % name, "pw of " + name)
    asyncio.run(asyncio.wait_for(story(server), PATIENCE * 4))
