"""Two connection managers on one port (DESIGN 1: every daemon runs any number of times)."""

SERVER = {"processes": {"c2s": 2}}


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
