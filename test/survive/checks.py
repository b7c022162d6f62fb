"""What must be true when all is quiet: rosters, presence, sessions, archives, and what the ledger says of the messages."""

import asyncio

from device import NS_ROSTER
from stream import Ended


async def rosters(world):
    """{account: {contact: (name, subscription, ask)}} as the server says now, from the first device of each."""
    async def fetch(account):
        device = account.devices[0]
        try:
            answer = await asyncio.wait_for(device.ask("get", "<query xmlns='%s'/>" % NS_ROSTER), world.patience)
        except (Ended, asyncio.TimeoutError):
            return
        found[account.jid] = {item.get("jid"): (item.get("name") or "", item.get("subscription"), item.get("ask"))
                              for item in answer.iter("{%s}item" % NS_ROSTER)}
    found = {}
    await asyncio.gather(*(fetch(account) for account in world.accounts if account.devices[0].on))
    return found


def rosters_differ(world, found):
    """In words: what the two ends of a friendship, or a client and the server, do not agree on."""
    wrong = []
    for account in world.accounts:
        mine = found.get(account.jid, {})
        for contact, (name, sub, ask) in mine.items():
            theirs = found.get(contact, {}).get(account.jid, ("", "none", None))[1]
            if (sub in ("to", "both")) != (theirs in ("from", "both")):
                wrong.append("subscription: %s has %s of %s, who has %s" % (account, sub, contact, theirs))
            if ask:
                wrong.append("%s still asks for %s, who grants it always" % (account, contact))
            edits = account.edits.get(contact, [])
            certain = max((n for n, (_, sure) in enumerate(edits) if sure), default=-1)
            allowed = [n for n, _ in edits[max(certain, 0):]] + ([""] if certain < 0 else [])
            if name not in allowed:
                wrong.append("%s's name for %s is %r; the last one acknowledged is %r, behind it came %s" % (
                    account, contact, name, edits[certain][0] if certain >= 0 else "", [n for n, _ in edits[certain + 1:]]))
        for device in account.devices:
            if device.on and device.interested and device.roster != mine:
                both = set(device.roster.items()) ^ set(mine.items())
                wrong.append("push: %s (%s) has not been told of %s" % (device, device.kind.name, sorted(map(str, both))))
    return wrong


def forget_edits(world, found):
    """What the server has now is where the next round begins."""
    for account in world.accounts:
        for contact in account.edits:
            account.edits[contact] = [[found.get(account.jid, {}).get(contact, ("",))[0], True]]


def ghosts(world, found):
    """In words: whose presence is seen otherwise than it is."""
    wrong = []
    for account in world.accounts:
        for device in account.devices:
            if not device.on:
                continue
            for contact in account.contacts:
                sub = found.get(account.jid, {}).get(contact.jid, ("", "none", None))[1]
                real = {d.resource: d.status for d in contact.devices if d.on} if sub in ("to", "both") else {}
                seen = device.views.get(contact.jid, {})
                if seen != real:
                    wrong.append("presence: %s (%s) sees %s as %s, which is %s (%s)" % (
                        device, device.kind.name, contact, seen, real,
                        "; ".join("%s: %s" % (d.kind.name, world.ledger.tell(d)) for d in contact.devices)))
    return wrong


async def agreement(world):
    """Rosters and presence, as soon as they agree; what they differ in when they do not in time."""
    state = {}

    async def look():
        state["rosters"] = await rosters(world)
        state["wrong"] = rosters_differ(world, state["rosters"]) + ghosts(world, state["rosters"])
    loop = asyncio.get_running_loop()
    end = loop.time() + world.patience / 2
    await look()
    while state["wrong"] and loop.time() < end:
        await asyncio.sleep(0.2)
        await look()
    for words in state["wrong"]:
        world.ledger.fail(words)
    forget_edits(world, state["rosters"])


async def sessions(world):
    """As many sessions as there are clients, in sessman and in the connection managers."""
    want = sum(device.on for device in world.devices)
    loop = asyncio.get_running_loop()
    end = loop.time() + world.patience / 2
    while True:
        got = await asyncio.to_thread(world.installation.sessions)
        if got == (want, want):
            return
        if loop.time() > end:
            world.ledger.fail("ghosts: %d clients are logged in, sessman has %d sessions, the c2s %d" % (want, *got))
            return
        await asyncio.sleep(0.1)


async def archives(world):
    """{account: {uid: [ids]}} of what came to the archives in this round."""
    async def read(account):
        device = account.devices[0]
        try:
            page, account.archive_at = await asyncio.wait_for(device.catch_up(account.archive_at), world.patience)
        except (Ended, asyncio.TimeoutError) as why:
            world.ledger.fail("the archive of %s cannot be read: %s" % (account, why or "no answer"))
            return
        found[account] = {}
        for uid, id in page:
            found[account].setdefault(uid, []).append(id)
    found = {}
    if world.features["mam"]:
        await asyncio.gather(*(read(account) for account in world.accounts if account.archived and account.devices[0].on))
    return found


async def everything(world):
    await sessions(world)
    await agreement(world)
    world.ledger.judge(await archives(world))
