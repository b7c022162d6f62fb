"""What a client's socket has not taken when its connection ends is not delivered (DESIGN 2): it waits for the next login."""

import pytest

from client import Closed, local

SERVER = {"conf": {"c2s.conf": "[limits]\noutput = 300k\nbyte_rate = 100m\nbyte_burst = 100m\n",
                   "sessman.conf": "[offline]\nper_sender = 1000\n"}}
BODY = "x" * 20000


def numbers_in(stanzas):
    return [int(el.get("id")) for el in stanzas if local(el) == "message"]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_client_that_stops_reading_is_cut(server, people, tls):
    """It has read the first ones; the rest comes at its next login; nothing is lost between."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber", tls=tls).online()
    total = 600
    for n in range(total):
        his.message(juliet.jid, BODY, id=str(n))
    his.settle()
    got = []
    try:
        while True:
            got += numbers_in([hers.expect("message")])
    except Closed:
        pass
    assert 0 < len(got) < total
    again = juliet.login("chamber")
    again.send("<presence/>")
    later = []
    while not later or later[-1] < total - 1:
        later += numbers_in([again.expect("message")])
    assert got == list(range(len(got)))
    assert got + later == list(range(total))


def test_another_resource_gets_them(server, people):
    """RFC 6121 8.5.2.1: whoever is there, and reads, has them at once."""
    romeo, juliet = people("romeo", "juliet")
    his, hers, other = romeo.login("balcony"), juliet.login("chamber").online(priority=5), juliet.login("garden").online(priority=1)
    there = set()
    for n in range(600):
        his.message(juliet.jid, BODY, id=str(n))
        if n % 5 == 4:  # less than what may wait for a client
            his.settle()
            there |= set(numbers_in(other.sync()))
    try:
        while True:
            there |= set(numbers_in([hers.expect("message")]))
    except Closed:
        pass
    while 599 not in there:
        there |= set(numbers_in([other.expect("message")]))
    assert there == set(range(600))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_client_that_reads_slowly_gets_what_waits_for_it(server, people, tls):
    """Much more waits than its connection may leave unread: it comes as fast as it is taken (DESIGN 2, back-pressure)."""
    romeo, juliet = people("romeo", "juliet")
    his, total = romeo.login("balcony"), 600
    for n in range(total):
        his.message(juliet.jid, BODY, id=str(n))
    his.settle()
    hers = juliet.login("chamber", tls=tls)
    hers.send("<presence/>")
    got = []
    while len(got) < total:
        got += numbers_in([hers.expect("message")])
        his.settle()
    assert got == list(range(total))
