"""Two installations of our own, each with its s2s, talk to each other: dialback, certificates, what is in between."""

import pytest

from conftest import Person
from server import poll
from s2ssite import Site, join


@pytest.fixture(scope="module")
def sites():
    one, other = Site("one.example"), Site("other.example")
    join(one, other)
    try:
        yield one.start(), other.start()
    finally:
        for it in (one, other):
            wrong = it.stop() if it.process else []
            it.check(wrong)
            it.remove()


def pair_of(sites, connections, names=("romeo", "juliet")):
    people = []
    for site, name in zip(sites, names):
        try:
            site.adduser("%s@%s" % (name, site.domain), "pass word of " + name)
        except AssertionError:
            pass
        people.append(Person(site, name, site.domain, connections).login("here").online())
    return people


def test_message_both_ways(sites, connections):
    romeo, juliet = pair_of(sites, connections)
    romeo.message(juliet.jid, "hello")
    juliet.expect("message", body="hello", from_=romeo.jid)
    juliet.message(romeo.jid, "and back")
    romeo.expect("message", body="and back", from_=juliet.jid)
    assert sites[1].connections(direction="in", auth="dialback")
