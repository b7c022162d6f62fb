"""A BOSH client that does not come back (XEP-0124 10): its session ends, and what it has not got is not lost."""

from bosh import BoshClient

SERVER = {"http": True, "conf": {"httpgw.conf": "[bosh]\ninactivity = 2s\nwait = 1s\n"}}


def gone(server, connections, romeo):
    """A session whose client is not there any more."""
    web = BoshClient(server)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    web.drain()
    return web


def test_what_it_has_not_got_waits_for_the_next_login(server, person, connections):
    romeo, juliet = person("romeo"), person("juliet")
    his = juliet.login("tcp", tls=False)
    web = gone(server, connections, romeo)
    his.message(web.jid, "while it is gone")
    his.sync()
    seen = romeo.login("other", tls=False)
    seen.online()
    seen.expect("message", body="while it is gone")
    assert web.replay(web.rid + 1).get("condition") == "item-not-found"


def test_what_it_has_got_does_not_come_again(server, person, connections):
    romeo, juliet = person("romeo"), person("juliet")
    his = juliet.login("tcp", tls=False)
    watcher = romeo.login("watcher", tls=False)
    watcher.online(priority=-1)
    web = BoshClient(server)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    his.message(web.jid, "seen")
    web.expect("message", body="seen")
    web.request()               # by the connection of the answer: that has arrived
    web.cut()
    watcher.expect("presence", from_=web.jid, type="unavailable")
    next = romeo.login("next", tls=False)
    next.online()
    next.expect_nothing("message", body="seen")
