"""BOSH behind an HTTP proxy: its connections to the gateway carry requests of many clients, and of one client out of turn."""

import pytest

import bosh
from bosh import BoshClient

SERVER = {"http": True, "conf": {"httpgw.conf": "[listen]\nforwarded_from = 127.0.0.1\n[bosh]\ninactivity = 1s\nwait = 1s\n"}}
FORWARDED = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"


@pytest.fixture(autouse=True)
def proxied(monkeypatch):
    class Connection(bosh.Connection):
        def post(self, body, rid=None, headers=""):
            super().post(body, rid, headers + FORWARDED)
    monkeypatch.setattr(bosh, "Connection", Connection)


def test_a_proxys_connection_does_not_tell_what_has_arrived(server, person, connections):
    """The proxy has an answer and the client has not; another request of his passes by the same connection. He is
    lost, his message is not."""
    romeo, juliet = person("romeo"), person("juliet")
    his = juliet.login("tcp", tls=False)
    watcher = romeo.login("watcher", tls=False)
    watcher.online(priority=-1)
    web = BoshClient(server)
    connections.append(web)
    web.login(romeo.user, romeo.password, "web")
    web.online()
    his.message(web.jid, "on its way")
    web.expect("message", body="on its way")    # the proxy has it
    web.request()                               # sent before the client could see what the proxy has
    web.cut()
    watcher.expect("presence", from_=web.jid, type="unavailable")
    later = romeo.login("later", tls=False)
    later.send("<presence/>")
    later.expect("message", body="on its way")
