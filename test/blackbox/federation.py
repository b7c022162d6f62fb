"""Installations of ours that speak to other servers: in the module's DNS (dnszone.Names), with certificates of its authority (pki)."""

import json
from contextlib import contextmanager

from conftest import Person, announce, numbers
from server import Server

RESOLVER = "[dns]\nservers = %s@%d\nanchor_file = none\n"


def federating(domain, names, ca=None, how="certificate", s2s="", components=None, **more):
    """What a SERVER says for one installation. how: certificate (proven by it, no dialback), dialback (over TLS, a certificate of
    nobody's); s2s: more lines of s2s.conf."""
    files, conf = {}, RESOLVER % (names.address, names.port)
    if how == "certificate":
        me = ca.issue(domain)
        files = {"tls/cert.pem": me.pem(), "tls/key.pem": me.key_pem(), "tls/peers.pem": ca.pem()}
        conf += "[tls]\nca = tls/peers.pem\n[dialback]\nenabled = no\n"
    return {"domains": [domain], "s2s": True, "files": files, "components": components,
            "conf": dict(more, **{"s2s.conf": conf + s2s})}


@contextmanager
def installation(names, **said):
    """One more server, in the DNS."""
    it = Server(**said)
    try:
        it.start()
        announce(it, names)
        yield it
        it.check(it.stop())
    finally:
        if it.process and it.process.poll() is None:
            it.kill()
        it.remove()


def person_of(server, connections, name):
    it = Person(server, "%s-%d" % (name, next(numbers)), server.domain, connections)
    server.adduser(it.jid, it.password)
    return it


def streams(server, **like):
    """The connections with other servers that `bulkheadctl s2s` lists, of every instance, where each of these says so."""
    told = json.loads(server.run("s2s", "--json").stdout)
    return [c for one in told.values() for c in one["connections"] if all(c.get(k) == v for k, v in like.items())]
