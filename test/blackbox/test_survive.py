"""The judge of test/survive: it must know a loss from a message that was never promised."""

import sys

import server as servers

sys.path.insert(0, str(servers.ROOT / "test" / "survive"))

import ledger as judge      # noqa: E402


class Thing:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def people(sm=True):
    accounts = [Thing(devices=[]) for _ in range(2)]
    for account in accounts:
        account.devices.append(Thing(account=account, kind=Thing(sm=sm, name="k"), careless=[], history=[], last_from={}, on=True))
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
