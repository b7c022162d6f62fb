"""The chat page in a real browser: two people log in and talk, over WebSocket and over BOSH. The pictures are in BUILD/screenshots."""

import pytest

SERVER = {"http": True}


@pytest.mark.parametrize("transport, dark", [("websocket", False), ("bosh", True)])
def test_two_people_talk(server, browser, friends, transport, dark):
    tabs = browser.run("chat.mjs", url="https://%s:%d/chat/" % (server.domain, server.port("https")), name=transport, transport=transport, dark=dark,
                       people=friends)
    for tab in tabs:
        assert bool(tab["sockets"]) == (transport == "websocket") and bool(tab["bosh"]) == (transport == "bosh")
        assert tab["elsewhere"] == []       # nobody else is asked for anything


def test_on_this_host_without_tls(server, browser, friends):
    """A test installation: http://localhost is as good as TLS for the browser, too."""
    tabs = browser.run("chat.mjs", url="http://localhost:%d/chat/" % server.port("http"), name="plain", transport="websocket", dark=True, people=friends)
    assert all(tab["sockets"] for tab in tabs)


def test_the_page_comes_back(server, browser, friends):
    """The gateway is killed: both pages connect again by themselves, and what was said meanwhile is there."""
    def answers(what):
        assert what == "kill the gateway"
        server.replace_daemon("httpgw")

    browser.run("chat_back.mjs", answers=answers, url="https://%s:%d/chat/" % (server.domain, server.port("https")), people=friends)


@pytest.mark.parametrize("locale, language, words", [("en-GB", "en", "incorrect"), ("de-DE", "de", "Kennwort")])
def test_a_wrong_password_is_said(server, browser, locale, language, words):
    """In the browser's language."""
    got = browser.run("chat_refused.mjs", url="https://%s:%d/chat/" % (server.domain, server.port("https")), jid=server.admin, locale=locale)
    assert got["language"] == language and words in got["feedback"]
