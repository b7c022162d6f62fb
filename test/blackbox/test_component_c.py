"""Components in C: our own library's example, bulkhead-echo, and one over libstrophe."""

import subprocess

import pytest

from client import error_of, q
from server import BUILD, ROOT, poll

ECHO, STROPHE = "echo.im.example", "strophe.im.example"
SERVER = {"components": {ECHO: "secret of echo", STROPHE: "secret of strophe"}}
NS_DISCO = "http://jabber.org/protocol/disco#info"


@pytest.fixture
def echo(server, tmp_path):
    """echo(): one more instance of bulkhead-echo, connected."""
    started = []

    def make(address=None, secret="secret of echo"):
        (tmp_path / "secret").write_text(secret + "\n")
        log = tmp_path / ("echo-%d.log" % len(started))
        address = address or "tcp:127.0.0.1:%d" % server.port("component")
        with open(log, "wb") as out:
            it = subprocess.Popen([BUILD / "bulkhead-echo", ECHO, tmp_path / "secret", address], stderr=out, cwd=server.dir)
        started.append(it)
        it.log = log
        return it
    yield make
    for it in started:
        if it.poll() is None:
            it.terminate()
        it.wait(20)


def connected(it, times=1):
    poll("bulkhead-echo to connect", lambda: it.log.read_text().count("ev=connected") >= times)
    return it


def echoes(his, n):
    """Sends n messages; how many came back, in order and as they were."""
    for i in range(n):
        his.send("<message to='anyone@%s/x' type='chat' id='%d'><body>hello %d</body><x xmlns='urn:example:x' a='1'/>"
                 "</message>" % (ECHO, i, i))
    for i in range(n):
        his.expect("message", id=str(i), body="hello %d" % i, from_="anyone@%s/x" % ECHO, has="{urn:example:x}x")


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:{port}", "unix:run/router.sock", "tls:127.0.0.1:{port}"])
def test_it_echoes(echo, person, server, address):
    """XEP-0114 over TCP and the unix socket, XEP-0225 with TLS: one table of handlers."""
    connected(echo(address.format(port=server.port("component"))))
    echoes(person("romeo").login("balcony"), 10)


def test_what_it_answers_of_itself(echo, person):
    """XEP-0030, XEP-0199, RFC 6120 8.4: the library does it."""
    connected(echo())
    his = person("romeo").login("balcony")
    info = his.ask("get", "<query xmlns='%s'/>" % NS_DISCO, to=ECHO)
    assert info.find(".//" + q(NS_DISCO, "identity")).get("name") == "Echo"
    assert {el.get("var") for el in info.iter(q(NS_DISCO, "feature"))} == {NS_DISCO, "urn:xmpp:ping"}
    assert his.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to=ECHO).get("type") == "result"
    assert error_of(his.ask("set", "<mystery xmlns='urn:example:x'/>", to=ECHO))[1] == "service-unavailable"


def test_an_error_is_not_echoed(echo, person):
    """RFC 6120 8.3.1."""
    connected(echo())
    his = person("romeo").login("balcony")
    his.send("<message to='%s' type='error' id='e'><body>x</body></message>" % ECHO)
    echoes(his, 1)
    his.expect_nothing("message")


def test_when_one_of_two_dies_the_other_does_it_all(echo, person):
    """DESIGN 2: failover."""
    one, two = connected(echo()), connected(echo())
    his = person("romeo").login("balcony")
    echoes(his, 10)
    one.kill()
    one.wait()

    def served():
        his.send("<message to='%s' id='probe'><body>hello</body></message>" % ECHO)
        return his.expect("message", id="probe").get("type") != "error"
    poll("the router to see it dead", lambda: served() and served())
    echoes(his, 10)
    assert two.poll() is None


def test_it_comes_back_when_the_router_does(echo, person, server):
    """It dials again by itself."""
    it = connected(echo())
    server.kill_daemon("bulkhead-router")
    connected(it, times=2)
    echoes(person("romeo").login("balcony"), 3)


def test_a_wrong_secret_ends_it(echo):
    """With a message, and not in an endless loop."""
    it = echo(secret="wrong")
    assert it.wait(20) == 1
    assert "not-authorized" in it.log.read_text()


def test_it_ends_when_told(echo):
    it = connected(echo())
    it.terminate()
    assert it.wait(20) == 0


@pytest.fixture(scope="module")
def strophe(server, tmp_path_factory):
    """strophe(secret): the component in C over libstrophe, and the first line it says."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libstrophe"], capture_output=True, text=True, check=True)
    program, started = tmp_path_factory.mktemp("strophe") / "strophe_echo", []
    subprocess.run(["cc", "-o", program, ROOT / "test/blackbox/strophe_echo.c", *flags.stdout.split()], check=True)

    def make(secret):
        it = subprocess.Popen([program, STROPHE, secret, "127.0.0.1", str(server.port("component"))], stdout=subprocess.PIPE,
                              text=True)
        started.append(it)
        return it, it.stdout.readline()
    yield make
    for it in started:
        it.kill()
        it.communicate()


def test_libstrophe_echoes(strophe, person):
    """XEP-0114 as libstrophe speaks it."""
    it, said = strophe("secret of strophe")
    assert said == "connected\n"
    his = person("romeo").login("balcony")
    for n in range(20):
        his.message("anyone@%s/x" % STROPHE, "hello %d" % n, id=str(n))
    for n in range(20):
        his.expect("message", id=str(n), body="hello %d" % n, from_="anyone@%s/x" % STROPHE)
    assert it.poll() is None


def test_libstrophe_is_refused(strophe):
    """XEP-0114 3: with the wrong secret it never gets to be connected."""
    assert strophe("wrong")[1] == ""
