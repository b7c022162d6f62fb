"""A BOSH client that does not come back (XEP-0124 10): its session ends, and what it has not got is not lost."""

from bosh import BoshClient

SERVER = {"http": True, "conf": {"httpgw.conf": "[bosh]\ninactivity = 8s\nwait = 1s\n"}}


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


def test_another_resource_has_what_it_has_not_got(server, person, connections):
    """More than some seconds after the gateway had it: nothing is settled that no client has (control.h: unread)."""
    romeo, juliet = person("romeo"), person("juliet")
    his, phone = juliet.login("tcp", tls=False), romeo.login("phone", tls=False)
    phone.online()
    web = gone(server, connections, romeo)
    phone.expect("presence", from_=web.jid)
    for n in range(150):                    # more than a page of them
        his.message(web.jid, "lost %d" % n)
    his.message(phone.bare, "for both")     # RFC 6121 8.5.2.1.1: this one has it
    his.sync()
    phone.expect("message", body="for both")
    phone.expect("presence", from_=web.jid, type="unavailable")
    for n in range(150):
        phone.expect("message", body="lost %d" % n)
    phone.expect_nothing("message")


def test_a_slow_one_has_its_pages_at_once_and_once(server, person, connections):
    """What waits comes page by page, as the client takes it, and is over when it has taken it."""
    romeo, juliet = person("romeo"), person("juliet")
    his, total = juliet.login("tcp", tls=False), 90
    for n in range(total):
        his.message(romeo.jid, "%d %s" % (n, "x" * 5000))
    his.sync()
    web = BoshClient(server)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.send("<presence/>")
    for n in range(total):
        assert web.expect("message").find("{jabber:client}body").text.startswith("%d " % n)
    web.sync()
    web.end()
    next = romeo.login("next", tls=False)
    next.online()
    next.expect_nothing("message")


def test_a_restart_of_sessman_does_not_double_it(server, person, connections):
    """What the gateway has for a client is not given to it again."""
    romeo, juliet = person("romeo"), person("juliet")
    his, web = juliet.login("tcp", tls=False), gone(server, connections, romeo)
    for n in range(5):
        his.message(web.jid, "once %d" % n)
    his.sync()
    server.run("restart", "sessman")
    his.message(web.jid, "after it")
    for body in ["once %d" % n for n in range(5)] + ["after it"]:
        web.expect("message", body=body)
    web.sync()
    web.expect_nothing("message")
    web.end()
    server.pids = server.daemons()


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
