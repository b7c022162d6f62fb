"""Fixtures: one server per test module, with what the module's SERVER says (see server.Server), and people on it. A SERVER that is a
function is called with the module's name server and authority (see dnszone.Names, pki.Authority), and is in the DNS when it runs."""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import server as servers            # noqa: E402
from client import Client           # noqa: E402
from component import Component     # noqa: E402

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(request):
    said, names = getattr(request.module, "SERVER", {}), None
    if callable(said):
        names = request.getfixturevalue("names")
        said = said(names, request.getfixturevalue("ca"))
    with servers.running(servers.Server(**said)) as it:
        if names:
            announce(it, names)
        yield it


def announce(it, names):
    for domain in it.domains:
        names.service(domain, it.host, it.port("s2s"))
        names.service(domain, None, it.port("s2s_tls"), tls=True)


@pytest.fixture(scope="module")
def names():
    """The name server of the module's world."""
    from dnszone import Names
    with Names() as it:
        yield it


@pytest.fixture(scope="module")
def ca():
    """Its authority for certificates."""
    from pki import Authority
    return Authority()


@pytest.fixture(scope="module")
def browser():
    """A browser in which scripts of test/web run: browser.run("script.mjs", url=...)."""
    from web import Browser
    it = Browser()
    yield it
    it.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemons, and the other servers if there are any, last said."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in item.funcargs.values():
            for it in value if isinstance(value, tuple) else (value,):
                if hasattr(it, "log_tail"):
                    report.sections.append(("Log of %s" % it.domain, it.log_tail()))


class Person:
    """An account and the clients logged in to it."""

    def __init__(self, server, user, domain, connections, password=None):
        self.server, self.user, self.domain = server, user, domain
        self.password = password or "pass word of " + user
        self.jid = "%s@%s" % (user, domain)
        self.connections = connections

    def connect(self, **how):
        """A connection on which nothing has been sent yet."""
        client = Client(self.server, domain=self.domain, name=self.user, **how)
        self.connections.append(client)
        return client

    def login(self, resource=None, direct_tls=False, **how):
        client = self.connect(direct_tls=direct_tls)
        if resource:
            client.name = "%s/%s" % (self.user, resource)
        return client.login(self.user, self.password, resource, **how)


@pytest.fixture
def connections():
    """Every connection made in a test; dropped after it."""
    made = []
    yield made
    for connection in made:
        connection.cut()


@pytest.fixture
def person(server, connections):
    """person("romeo") makes a fresh account; its name gets a number, so no two tests share one."""
    def make(name, domain=None):
        it = Person(server, "%s-%d" % (name, next(numbers)), domain or server.domain, connections)
        server.adduser(it.jid, it.password)
        return it
    return make


@pytest.fixture
def people(person):
    """Several at once: romeo, juliet = people("romeo", "juliet")."""
    return lambda *names: [person(name) for name in names]


@pytest.fixture
def friends(person):
    """Two who have each other in their rosters, for what is not Python: their addresses and passwords."""
    import roster
    romeo, juliet = it = person("romeo"), person("juliet")
    clients = [who.login("setup") for who in it]
    for client, other in zip(clients, (juliet, romeo)):
        roster.put(client, roster.item(other.jid, name=other.user.partition("-")[0].capitalize()))
        client.send("<presence/><presence type='subscribe' to='%s'/><presence type='subscribed' to='%s'/>" % (other.jid, other.jid))
        client.sync()
    for client in clients:
        client.sync()
        client.cut()
    return [{"user": who.user, "jid": who.jid, "password": who.password} for who in it]


@pytest.fixture
def connect(server, connections):
    """A raw connection to c2s."""
    def make(**how):
        client = Client(server, **how)
        connections.append(client)
        return client
    return make


@pytest.fixture
def component(server, connections):
    """component("echo.im.example") is connected as that component, with the secret the server was configured with."""
    def make(name, secret=None):
        it = Component(server, name, name=name)
        connections.append(it)
        return it.handshake(server.components[name] if secret is None else secret)
    return make


@pytest.fixture
def admin(server, connections):
    it = Person(server, "admin", server.domain, connections, server.admin_password)
    return it
