#!/usr/bin/python3
"""Kills, cuts, stops and starves a real installation under the noise of a few hundred clients, round by round, and holds every
promise against what came of it.

  run.py [--build BUILD] [--seed N] [--rounds N] [--kill PART]... [--spare PART]... [--households N] [--rate N] 
         [--keep FOLDER] [--until-failure [SORT]]

--kill chooses among the troubles (--list shows them) by a part of the name; without it all take turns, shuffled by the seed.
The seed decides who is there, who does what and what goes wrong when; the machine decides the rest. Exit code 1 when a round failed:
its report and the daemons' logs and store are in the folder that is named then. The last line is "N passed, N failed", in rounds."""

import argparse
import asyncio
import contextlib
import io
import os
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="number of the first round: the n-th of a seed is always the same")
    parser.add_argument("--kill", action="append", default=[], metavar="PART", help="only troubles with this in their name")
    parser.add_argument("--spare", action="append", default=[], metavar="PART", help="no troubles with this in their name")
    parser.add_argument("--households", type=int, default=150)
    parser.add_argument("--rate", type=float, default=200, help="actions a second")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for what must come")
    parser.add_argument("--kinds", help="only households of these kinds of clients, such as web,visitor")
    parser.add_argument("--plain", type=int, default=1, help="of three households so many are in the domain that archives nothing")
    parser.add_argument("--without", default="", help="what clients do without: sm, mam, carbons")
    parser.add_argument("--keep", help="where logs and store of a failed round go")
    parser.add_argument("--until-failure", nargs="?", const="", metavar="SORT",
                        help="end with the first round that fails; that has a failure of this sort (lost, twice, order ...)")
    parser.add_argument("--list", action="store_true", help="the troubles, one a line")
    return parser.parse_args()


def programme(names, seed, number):
    """The trouble of round `number`: all of them in an order of their own, then in another one."""
    turn, at = divmod(number - 1, len(names))
    order = sorted(names)
    random.Random("%s/%d" % (seed, turn)).shuffle(order)
    return order[at]


async def round(world, options, names, number):
    import checks
    from troubles import Troubles, catalogue
    name = programme(names, options.seed, number)
    rng = random.Random("%s/%d" % (options.seed, number))
    world.rng = random.Random("%s/noise/%d" % (options.seed, number))
    world.ledger.begin(number)
    start = time.monotonic()
    noise = asyncio.create_task(world.noise())
    trouble = Troubles(world, rng)
    await asyncio.sleep(0.5 + rng.random())
    await catalogue()[name](trouble)
    await asyncio.sleep(0.5 + rng.random() * 0.7)
    await trouble.back()
    await asyncio.sleep(rng.random() * 0.5)
    noise.cancel()
    await asyncio.wait([noise])
    if not noise.cancelled():
        noise.result()
    await world.rest()
    await checks.everything(world)
    world.jump(0)
    messages = world.ledger.current
    failed = bool(world.ledger.failures)
    print("round %d: %-38s %4d messages, %d acknowledged, %.1f s: %s" % (
        number, name, len(messages), sum(it.acked is not None for it in messages), time.monotonic() - start,
        "FAILED" if failed else "ok"), flush=True)
    if failed:
        report(world, options, number, name)
    return not failed


def report(world, options, number, name):
    ledger = world.ledger
    folder = Path(options.keep or ROOT / options.build / "survive") / ("seed-%d-round-%d" % (options.seed, number))
    world.installation.keep(folder)
    lines = ["round %d of seed %d: %s; it began at %s" % (number, options.seed, name, time.strftime(
        "%FT%TZ", time.gmtime(time.time() - (time.monotonic() - ledger.start))))]
    lines += ["%+.3f %s" % (at - ledger.start, words) for at, words in ledger.troubles]
    (folder / "report.txt").write_text("\n".join(lines + ledger.failures) + "\n")
    print("\n".join("  " + line for line in lines + excerpt(ledger.failures)))
    print("  kept in %s; again: test/survive/run.py --seed %d --first %d --rounds 1%s" % (
        folder, options.seed, number, "".join(" --%s '%s'" % (option, part) for option in ("kill", "spare")
                                                  for part in getattr(options, option))), flush=True)


def excerpt(failures, each=3):
    """The first few of every sort."""
    sorts = {}
    for words in failures:
        sorts.setdefault(words.partition(":")[0] if ":" in words[:20] else "", []).append(words)
    found = []
    for words in sorts.values():
        found += words[:each] + (["... %d more like these" % (len(words) - each)] if len(words) > each else [])
    return found


async def play(world, options, names):
    passed = failed = 0
    lives = [asyncio.create_task(device.live()) for device in world.devices]
    world.ledger.begin(0)
    await world.everybody_on()
    assert not world.ledger.failures, world.ledger.failures[:3]
    for number in range(options.first, options.first + options.rounds):
        if await round(world, options, names, number):
            passed += 1
        else:
            failed += 1
            sort = options.until_failure
            if sort is not None and any(words.startswith(sort) for words in world.ledger.failures):
                break
        broken = [life for life in lives if life.done()]
        if broken:
            broken[0].result()
    for device in world.devices:
        if device.on:
            device.go_away("goodbye")
    await world.until(lambda: not any(device.stream for device in world.devices))
    for life in lives:
        life.cancel()
    return passed, failed


def main():
    options = arguments()
    os.environ["BULKHEAD_BUILD"] = options.build
    import installation
    from troubles import catalogue
    from world import World
    names = [name for name in catalogue() if (not options.kill or any(part in name for part in options.kill)) and
             not any(part in name for part in options.spare)]
    if options.list:
        print("\n".join(sorted(names)))
        return 0
    if not names:
        sys.exit("no trouble is named so; --list shows them")
    tmpfs = installation.in_namespace()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10 ** 6)
    print("seed %d" % options.seed, flush=True)
    world = World(options)
    world.start(tmpfs, {})
    try:
        passed, failed = asyncio.run(play(world, options, names))
        with contextlib.redirect_stdout(io.StringIO()):
            wrong = world.installation.stop()
        if not failed:  # everybody has had everything, and the store knows it
            wrong += ["not delivered, says the store: %s: %s" % it for it in world.installation.undelivered()]
        for line in wrong:
            print("  at the end: " + line)
        failed += bool(wrong)
    finally:
        if world.installation.process.poll() is None:
            world.installation.kill()
        world.installation.remove()
    print(", ".join("%d %s" % (n, what) for what, n in sorted(world.ledger.totals.items())))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
