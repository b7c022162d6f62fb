"""Client libraries from npm, unmodified, under node: strophe.js over WebSocket and BOSH, @xmpp/client over WebSocket and TCP. They log in, read the
roster, see each other's presence, talk, lose the connection and come back."""

import pytest

from web import node

SERVER = {"http": True}


@pytest.mark.parametrize("scheme, port, path", [("wss", "https", "/ws"), ("ws", "http", "/ws"), ("https", "https", "/http-bind"), ("http", "http", "/http-bind")])
def test_strophe_js(server, friends, scheme, port, path):
    got = node("strophe.mjs", service="%s://%s:%d%s" % (scheme, server.host, server.port(port), path), people=friends)
    assert got["mechanism"] == "SCRAM-SHA-512"
    assert got["roster"] == [[friends[1]["jid"], "both"]]
    assert got["resumed"] is True if scheme.startswith("ws") else got["again"] == "CONNECTED"


@pytest.mark.parametrize("scheme, port, path", [("wss", "https", "/ws"), ("ws", "http", "/ws"), ("xmpp", "c2s", ""), ("xmpps", "c2s_tls", "")])
def test_xmpp_js(server, friends, scheme, port, path):
    got = node("xmppjs.mjs", service="%s://%s:%d%s" % (scheme, server.host, server.port(port), path), domain=server.domain, people=friends)
    assert got == {"roster": [[friends[1]["jid"], "both"]], "resumed": True}
