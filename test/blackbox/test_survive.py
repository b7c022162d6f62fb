"""Twenty rounds of test/survive/run.py, each a test, and the test of that test: what acknowledges too early must be found out,
and the judge must know a loss from a message that was never promised. SURVIVE_SEED repeats a run."""

import os
import re
import subprocess
import sys

import pytest

import server as servers

ROUNDS = 20
SURVIVE = servers.ROOT / "test" / "survive"
sys.path.insert(0, str(SURVIVE))

import ledger as judge      # noqa: E402


def play(build, *args):
    seed = os.environ.get("SURVIVE_SEED")
    chosen = ["--seed", seed] if seed else []
    done = subprocess.run([sys.executable, SURVIVE / "run.py", "--build", os.path.relpath(build, servers.ROOT), *chosen, *args],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def rounds():
    return play(servers.BUILD, "--rounds", str(ROUNDS))


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_round(rounds, number):
    """DESIGN 5: nothing acknowledged is lost or doubled, nobody is dropped who could stay, nobody is a ghost."""
    found = re.search(r"^round %d: .*?(?=^round |\Z)" % number, rounds, re.M | re.S)
    assert found, rounds[-4000:]
    assert re.match(r"round .*: ok$", found.group(0), re.M), "%s\n%s" % (rounds.partition("\n")[0], found.group(0))


def test_ends_in_order(rounds):
    """No daemon died that was not killed, and nothing went wrong at the end."""
    assert rounds.rstrip().endswith("%d passed, 0 failed" % ROUNDS), rounds[-4000:]


def test_acknowledging_before_the_commit_is_found_out():
    """The same driver over a sessman that acknowledges what it has not committed (make mutant)."""
    said = play(servers.BUILD / "mutant", "--rounds", "8", "--until-failure", "lost", "--households", "60",
                "--kill", "disk full, kill sessman-1", "--kill", "disk slow, kill sessman-1", "--patience", "3")
    assert re.search(r"^round \d+: .* FAILED$", said, re.M), said
    assert re.search(r"^  lost: m\d+ .* acknowledged \S+ by <", said, re.M), said


# -- the judge -----------------------------------------------------------------------------------------------------

class Thing:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def people(sm=True):
    accounts = [Thing(devices=[]) for _ in range(2)]
    for account in accounts:
        account.devices.append(Thing(account=account, kind=Thing(sm=sm, name="k", vanishes=0), careless=[], ends=[], history=[], last_from={}, is_there=lambda: True,
                                     resumed_last=True))
    return accounts, accounts[0].devices[0], accounts[1].devices[0]


def verdict(tell, sm=True, archives=None):
    """What the judge says of a message of which `tell` reports what happened."""
    book = judge.Ledger()
    book.begin(1)
    accounts, sender, receiver = people(sm)
    it = book.sent(sender, accounts[1], None)
    tell(book, it, receiver)
    book.judge({accounts[n]: found for n, found in (archives or {}).items()})
    return [words.partition(":")[0] for words in book.failures]


def arrives(book, receiver, it, delayed=False, archive_id=None):
    book.arrived(it.uid, receiver, 1, delayed, archive_id)


def test_judge_knows_a_loss():
    def acked(book, it, receiver):
        book.acked(it, "<a/>")

    def delivered(book, it, receiver):
        acked(book, it, receiver)
        arrives(book, receiver, it)
    assert verdict(acked) == ["lost"]
    assert verdict(lambda *_: None) == [], "it was never promised"
    assert verdict(delivered) == []


def test_judge_knows_a_double():
    def twice(book, it, receiver):
        arrives(book, receiver, it)
        arrives(book, receiver, it, delayed=True)

    def twice_around_a_death(book, it, receiver):
        twice(book, it, receiver)
        book.victims.append((it.at, receiver))
    assert verdict(twice) == ["twice"]
    assert verdict(twice_around_a_death) == ["twice"], "stream management leaves no excuse"
    assert verdict(twice_around_a_death, sm=False) == []


def test_judge_reads_both_archives():
    def delivered(book, it, receiver):
        book.acked(it, "<a/>")
        arrives(book, receiver, it, archive_id="x")
    assert verdict(delivered, archives={0: {1: ["x"]}, 1: {1: ["x"]}}) == []
    assert len(verdict(delivered, archives={0: {}, 1: {1: ["x"]}})) == 1
    assert len(verdict(delivered, archives={0: {1: ["x"]}, 1: {1: ["x", "y"]}})) == 1
    assert len(verdict(delivered, archives={1: {1: ["y"]}})) == 1, "archived under another id"


def test_judge_knows_the_order():
    book = judge.Ledger()
    book.begin(1)
    accounts, sender, receiver = people()
    first, second = (book.sent(sender, accounts[1], None) for _ in range(2))
    arrives(book, receiver, second)
    arrives(book, receiver, first)
    assert [words.partition(":")[0] for words in book.failures] == ["order"]
