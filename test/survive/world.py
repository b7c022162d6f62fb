"""The clients as a crowd: who there is, the noise they make, and how it comes to rest."""

import asyncio
import contextlib
import io
import random
import time

import installation as place
from device import HOUSEHOLDS, Account, Device
from ledger import Ledger

FLAP = 0.12                 # of the friendships, one side leaves and comes back to the other's presence


class World:
    def __init__(self, options):
        self.rng = random.Random(options.seed)
        self.ledger = Ledger()
        self.rate, self.patience = options.rate, options.patience
        self.features = {name: name not in options.without.split(",") for name in ("sm", "mam", "carbons")}
        kinds = options.kinds.split(",") if options.kinds else None
        households = [h for h in HOUSEHOLDS if not kinds or all(kind.name in kinds for kind in h)]
        self.password = place.PASSWORD
        self.accounts, self.devices = [], []
        self.offset, self.sync = 0, place.SYNC_US
        for n in range(options.households):
            domain = place.PLAIN if n % 3 >= 3 - options.plain else place.ARCHIVED
            account = Account("u%d@%s" % (n, domain), domain == place.ARCHIVED)
            self.accounts.append(account)
            for at, kind in enumerate(households[n // 3 % len(households)]):
                kind = kind._replace(sm=kind.sm and self.features["sm"])
                account.devices.append(Device(self, account, "%s%d" % (kind.name, at), kind))
            self.devices += account.devices
        self.befriend()

    def befriend(self):
        self.friends, self.flaps = [], []
        for n, account in enumerate(self.accounts):
            for step in self.rng.sample(range(1, len(self.accounts) // 2), min(3, len(self.accounts) // 2 - 1)):
                other = self.accounts[(n + step) % len(self.accounts)]
                self.friends.append((account.jid, other.jid))
                account.contacts.append(other)
                other.contacts.append(account)
                if self.rng.random() < FLAP:
                    self.flaps.append([account, other, True])

    # -- the installation -----------------------------------------------------------------------------------------

    def start(self, tmpfs, conf):
        self.installation = it = place.Installation(tmpfs, {"c2s": 2}, conf)
        with contextlib.redirect_stdout(io.StringIO()):
            it.start()
            it.check(it.stop())
            it.populate([account.jid for account in self.accounts], self.friends)
            it.launch()
            assert it.ready(), it.log_tail()
        self.address = it.address

    def jump(self, offset):
        self.offset = offset
        self.installation.knobs(self.offset, self.sync)

    def slow_disk(self, seconds):
        self.sync = place.SYNC_US if seconds is None else int(seconds * 1e6)
        self.installation.knobs(self.offset, self.sync)

    # -- noise ----------------------------------------------------------------------------------------------------

    def action(self):
        """One thing that somebody does; nothing when the one chosen is not there."""
        rng = self.rng
        device, dice = rng.choice(self.devices), rng.random()
        account = device.account
        contact = rng.choice(account.contacts)
        resource = rng.choice(contact.devices).resource if rng.random() < 0.15 else None
        if not device.on:
            if (device.kind.wanders or device.kind.vanishes) and rng.random() < 0.3:
                device.wanted.set()
        elif dice < 0.80:
            device.message(contact, resource)
        elif dice < 0.92:
            device.presence()
        elif dice < 0.97 and device is account.devices[0]:
            device.edit(contact, "n%d" % rng.randrange(10 ** 9))
        elif dice < 0.98 and device.kind.wanders:
            device.go_away("goodbye")
        elif dice < 0.99 and device.kind.vanishes:
            device.go_away("vanished")
        elif self.flaps:
            self.flap(rng.choice(self.flaps))

    def flap(self, pair):
        account, other, subscribed = pair
        device = account.devices[0]
        if device.on:
            device.subscription(other, "unsubscribe" if subscribed else "subscribe")
            pair[2] = not subscribed

    async def noise(self):
        last, owed, asked = time.monotonic(), 0.0, 0.0
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            owed, last = min(owed + (now - last) * self.rate, self.rate), now
            while owed >= 1:
                owed -= 1
                self.action()
            if now - asked > 0.3:
                asked = now
                self.ask_for_acks()

    def ask_for_acks(self):
        for device in self.devices:
            if device.on and not device.settled():
                device.ask_for_ack()

    # -- rest -----------------------------------------------------------------------------------------------------

    async def until(self, condition, asking=False):
        """Whether it came true in time."""
        end = time.monotonic() + self.patience
        asked = time.monotonic()
        while not condition():
            now = time.monotonic()
            if now > end:
                return False
            if asking and now - asked > 0.3:
                asked = now
                self.ask_for_acks()
            await asyncio.sleep(0.02)
        return True

    async def everybody_on(self):
        for device in self.devices:
            device.wanted.set()
        if not await self.until(lambda: all(device.on for device in self.devices)):
            for device in self.devices:
                if not device.on:
                    self.ledger.fail("no return: %s: %s" % (device, self.ledger.tell(device)))

    async def rest(self):
        """Everybody is there and has heard everything."""
        ledger = self.ledger
        await self.everybody_on()
        if not await self.until(lambda: all(device.settled() for device in self.devices if device.on), asking=True):
            for device in self.devices:
                if device.on and not device.settled():
                    ledger.fail("no answer: %s (%s) waits in vain for an acknowledgement of %d: %s" % (
                        device, device.kind.name, len(device.pending()), ledger.tell(device)))
        await self.until(lambda: not ledger.due())
        await self.round_trip()
        await self.round_trip()

    async def round_trip(self):
        """What the server sent any of them before now has come."""
        asked = [asyncio.ensure_future(device.ask("get", "<ping xmlns='urn:xmpp:ping'/>"))
                 for device in self.devices if device.on]
        done, late = await asyncio.wait(asked, timeout=self.patience)
        for it in late:
            it.cancel()
        if late:
            self.ledger.fail("%d round trips do not end" % len(late))
        for it in done:
            it.exception()
