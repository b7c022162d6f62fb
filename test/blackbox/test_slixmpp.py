"""Two people with a client off the shelf (slixmpp): what a user of any client would do, in one go."""

import asyncio
import contextlib
import ssl

import pytest
import slixmpp

from client import PATIENCE

SERVER = {"register": "open", "tls": "required"}


class Messenger(slixmpp.ClientXMPP):
    """A client as the library's own examples write it; what comes in waits in queues."""

    def __init__(self, server, jid, password, direct_tls=False, register=False, mechanism=None):
        super().__init__(jid, password, sasl_mech=mechanism)
        self.under_test, self.direct_tls = server, direct_tls
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname, self.ssl_context.verify_mode = False, ssl.CERT_NONE
        self.started = asyncio.get_running_loop().create_future()
        self.failed = asyncio.get_running_loop().create_future()
        self.messages, self.seen = asyncio.Queue(), asyncio.Queue()
        for plugin in ("xep_0030", "xep_0199", "xep_0004", "xep_0050", "xep_0092", "xep_0202"):
            self.register_plugin(plugin)
        self.auto_authorize, self.auto_subscribe = True, True
        self.add_event_handler("session_start", lambda _: self.started.done() or self.started.set_result(True))
        # The library tries one mechanism after the other; those with a binding it does not have on TLS 1.3 fail first.
        for over in ("failed_all_auth", "disconnected"):
            self.add_event_handler(over, lambda _: self.failed.done() or self.failed.set_result(True))
        self.add_event_handler("message", self.messages.put_nowait)
        self.add_event_handler("presence_available", self.seen.put_nowait)
        self.add_event_handler("presence_unavailable", self.seen.put_nowait)
        if mechanism:
            # It knows no binding but tls-unique, which TLS 1.3 does not have, and would say that it does (flag y).
            sasl = self["feature_mechanisms"]
            sasl.sasl_callback = lambda *wanted: {**sasl._default_credentials(*wanted), "channel_binding": None}
        if register:
            self.register_plugin("xep_0077")
            self._always_send_everything = True    # this version of the library holds back what precedes the login
            self.add_event_handler("register", self.on_register)

    def get_ssl_context(self):
        return self.ssl_context

    async def on_register(self, form):
        iq = self.Iq()
        iq["type"] = "set"
        iq["register"]["username"] = self.boundjid.user
        iq["register"]["password"] = self.password
        await iq.send()

    async def go(self):
        port = self.under_test.port("c2s_tls" if self.direct_tls else "c2s")
        self.connect(("127.0.0.1", port), use_ssl=self.direct_tls, force_starttls=not self.direct_tls)
        await asyncio.wait([self.started, self.failed], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        return self.started.done()

    async def presence_of(self, who, type):
        while True:
            presence = await asyncio.wait_for(self.seen.get(), PATIENCE)
            if presence["from"].bare == who.bare and presence["type"] == type:
                return presence


@contextlib.asynccontextmanager
async def messenger(server, person, **how):
    it = Messenger(server, person.jid, person.password, **how)
    try:
        assert await it.go(), "it does not get in"
        yield it
    finally:
        await it.disconnect()


async def meet(one, two):
    """Both come online and become contacts."""
    for it in (one, two):
        it.send_presence()
        await it.get_roster()
    one.send_presence_subscription(pto=two.boundjid.bare)
    await one.presence_of(two.boundjid, "available")
    await two.presence_of(one.boundjid, "available")


@pytest.mark.parametrize("direct_tls", [False, True], ids=["STARTTLS", "direct TLS"])
def test_two_people_meet_and_chat(server, people, direct_tls):
    """RFC 6120, RFC 6121: log in, subscribe both ways, see each other, talk, leave."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with messenger(server, romeo, direct_tls=direct_tls) as one:
            async with messenger(server, juliet, direct_tls=direct_tls) as two:
                await meet(one, two)
                one.send_message(mto=two.boundjid.bare, mbody="Good morrow", mtype="chat")
                got = await asyncio.wait_for(two.messages.get(), PATIENCE)
                assert (got["body"], got["from"]) == ("Good morrow", one.boundjid)
                got.reply("Good morrow to thee").send()
                got = await asyncio.wait_for(one.messages.get(), PATIENCE)
                assert got["body"] == "Good morrow to thee"
                assert one.client_roster[juliet.jid]["subscription"] == "both"
            await one.presence_of(two.boundjid, "unavailable")
    asyncio.run(scene())


def test_messages_while_away_are_there_at_the_return(server, people):
    """XEP-0160, XEP-0203 as the library sees it."""
    romeo, juliet = people("romeo", "juliet")

    async def scene():
        async with messenger(server, romeo) as one:
            one.send_presence()
            for n in range(3):
                one.send_message(mto=juliet.jid, mbody="number %d" % n, mtype="chat")
            await one["xep_0199"].ping(jid=server.domain)
        async with messenger(server, juliet) as two:
            two.register_plugin("xep_0203")
            two.send_presence()
            for n in range(3):
                got = await asyncio.wait_for(two.messages.get(), PATIENCE)
                assert got["body"] == "number %d" % n and got["delay"]["stamp"]
    asyncio.run(scene())


@pytest.mark.parametrize("mechanism", [None, "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"])
def test_login_by_mechanism(server, person, mechanism):
    """RFC 6120 13.8: whatever the client has, its own choice (None) first."""
    romeo = person("romeo")

    async def scene():
        async with messenger(server, romeo, mechanism=mechanism) as one:
            assert one.boundjid.bare == romeo.jid
            assert await one["xep_0199"].ping(jid=server.domain) >= 0
    asyncio.run(scene())


def test_wrong_password(server, person):
    """RFC 6120 6.5.10."""
    romeo = person("romeo")

    async def scene():
        it = Messenger(server, romeo.jid, "wrong")
        assert not await it.go()
        await it.disconnect()
    asyncio.run(scene())


def test_new_account_from_the_client(server):
    """XEP-0077 by the library, then a login with the account it made."""
    async def scene():
        jid = "fresh@" + server.domain
        it = Messenger(server, jid, "a fresh secret", register=True)
        assert await it.go()
        await it.disconnect()
        it = Messenger(server, jid, "a fresh secret")
        assert await it.go()
        await it.disconnect()
    asyncio.run(scene())


def test_roster_from_the_client(server, person):
    """RFC 6121 2: set, push, remove by the library."""
    romeo = person("romeo")

    async def scene():
        async with messenger(server, romeo) as one:
            await one.get_roster()
            await one.update_roster("nurse@im.example", name="Nurse", groups=["Servants"])
            await one["xep_0199"].ping(jid=server.domain)
            item = one.client_roster["nurse@im.example"]
            assert (item["name"], item["groups"]) == ("Nurse", ["Servants"])
            await one.update_roster("nurse@im.example", subscription="remove")
            await one["xep_0199"].ping(jid=server.domain)
            assert "nurse@im.example" not in one.client_roster
    asyncio.run(scene())


def test_questions_a_client_asks(server, person):
    """XEP-0030, 0092, 0202, 0199."""
    romeo = person("romeo")

    async def scene():
        async with messenger(server, romeo) as one:
            info = await one["xep_0030"].get_info(jid=server.domain)
            assert ("server", "im") in {(i[0], i[1]) for i in info["disco_info"]["identities"]}
            await one["xep_0030"].get_items(jid=server.domain)
            assert (await one["xep_0092"].get_version(server.domain))["software_version"]["name"]
            assert (await one["xep_0202"].get_entity_time(server.domain))["entity_time"].xml is not None
    asyncio.run(scene())
