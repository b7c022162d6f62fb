"""Two connection managers on one port (DESIGN 1: every daemon runs any number of times)."""

import pytest

import server as servers


class TwoC2s(servers.Server):
    def init(self):
        super().init()
        conf = self.dir / "bulkhead.conf"
        conf.write_text(conf.read_text().replace("c2s = 1", "c2s = 2"))


@pytest.fixture(scope="module")
def server():
    it = TwoC2s()
    try:
        it.start()
        yield it
    finally:
        wrong = it.stop() if it.process else []
        try:
            it.check(wrong)
        finally:
            it.remove()


def test_both_carry_sessions(server, person):
    """The kernel spreads connections over both; people on either chat with each other."""
    assert sorted(server.daemons().values()).count("bulkhead-c2s") == 2
    crowd = [person("p%d" % n).login("there", tls=False).online() for n in range(12)]
    for one, other in zip(crowd, crowd[1:] + crowd[:1]):
        one.message(other.jid, "hello " + other.jid)
    for one in crowd:
        one.expect("message", body="hello " + one.jid)


def test_link_of_one_is_not_ended_by_the_other(server, person):
    """They share a router and have nothing to say to each other there."""
    romeo = person("romeo").login("there").online()
    for _ in range(5):
        person("juliet").login("here").end()
    romeo.message(romeo.jid, "still here")
    romeo.expect("message", body="still here")
    assert "frame_refused" not in server.log_tail(1000)
