"""The daemons on two hosts, as README's "Split across hosts" says: router, c2s and s2s in a DMZ, sessman and the accounts in
a private network that nothing can connect to. Three network namespaces stand for the world outside and the two hosts."""

import base64
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from client import error_of, local, show, tls_context
from component import Component225
from hosts import Host
from server import poll
from split import Split, running

DOMAIN = "im.example"
OUTSIDE_NET, INSIDE_NET = "10.91.0", "10.92.0"
DMZ_OUTSIDE, DMZ_INSIDE, PRIVATE = OUTSIDE_NET + ".2", INSIDE_NET + ".1", INSIDE_NET + ".2"     # see hosts.join
LOADS = 3000


@pytest.fixture(scope="module", params=["secret", "authority", "fingerprint", "name"])
def split(request):
    outside = Host()
    try:
        with running(Split(outside, DOMAIN, OUTSIDE_NET, INSIDE_NET, request.param)) as it:
            outside.ip("route", "add", "default", "via", DMZ_OUTSIDE)
            yield it
    finally:
        outside.remove()


@pytest.fixture
def server(split):
    """Whoever connects is outside and sees c2s; accounts are made on the private host."""
    split.edge.adduser = split.inner.adduser
    with split.outside.here():
        yield split.edge


@pytest.fixture
def two(people):
    romeo, juliet = people("romeo", "juliet")
    return romeo.login("balcony"), juliet.login("chamber").online()


def numbers_in(stanzas):
    return [int(el.get("id")) for el in stanzas if el.tag.endswith("}message")]


# -- it works ------------------------------------------------------------------------------------------------------

def test_two_people_log_in_and_chat(two):
    """DESIGN 1: STARTTLS and SCRAM at c2s, the account behind it, both ways."""
    his, hers = two
    his.message(hers.jid, "Good morrow")
    hers.expect("message", from_=his.jid, body="Good morrow")
    hers.message(his.jid, "Good morrow to thee")
    his.expect("message", from_=hers.jid, body="Good morrow to thee")


def test_wrong_password_is_refused(server, person):
    """RFC 6120 6.5.10: it is sessman that says so."""
    client = person("romeo").connect()
    client.begin()
    client.starttls().begin()
    outcome = client.authenticate("romeo", "wrong")
    assert local(outcome) == "failure" and local(outcome[0]) == "not-authorized"


def test_message_waits_on_the_private_host(people):
    """XEP-0160: offline messages are account data too."""
    romeo, juliet = people("romeo", "juliet")
    his = romeo.login("balcony")
    his.message(juliet.jid, "for later", id="later")
    assert not [el for el in his.sync() if error_of(el)[1]]
    hers = juliet.login("chamber")
    hers.send("<presence/>")
    hers.expect("message", id="later", body="for later")


def test_both_hosts_can_be_looked_after(split):
    """README: check and status on either host know what belongs there."""
    for part, daemons in ((split.edge, {"bulkhead", "router", "c2s", "s2s", "httpgw"}), (split.inner, {"bulkhead", "sessman"})):
        done = part.run("check", check=False)
        assert done.returncode == 0, done.stdout
        assert {name.partition("-")[0] for name in part.status()} == daemons


# -- nothing gets in -----------------------------------------------------------------------------------------------

def test_private_host_listens_to_nothing(split, two):
    """DESIGN 1: sessman dials out; nothing dials in to it."""
    assert split.private.open_ports() == set()
    connected = split.private.run("ss", "-Htn", "state", "established").stdout.split()
    assert any(word.startswith(DMZ_INSIDE) and word.endswith(":5347") for word in connected)


def test_dmz_listens_to_clients_servers_and_the_private_host(split, two):
    """README: 5222 and 5223 for clients, 5269 and 5270 for servers, 5280 and 5281 for browsers; 5347 on the inner address alone."""
    assert split.dmz.open_ports() == {("tcp", port) for port in (5222, 5223, 5269, 5270, 5280, 5281, 5347)}
    assert split.outside.run("ss", "-Htn", "state", "listening").stdout == ""
    with split.outside.here(), pytest.raises(OSError):
        socket.create_connection((DMZ_OUTSIDE, 5347), timeout=5)


def test_dmz_cannot_connect_to_the_private_host(split, two):
    """Every port is tried from the DMZ; the host itself answers (it refuses), so it was reached."""
    with split.dmz.here():
        for port in range(1, 65536):
            sock = socket.socket()
            try:
                assert sock.connect_ex((PRIVATE, port)) != 0, "port %d is open" % port
            finally:
                sock.close()


def test_link_between_the_hosts_is_encrypted(split, server, two):
    """README: tls; who comes to the router without it is not let in."""
    with split.private.here():
        server.host, kept = DMZ_INSIDE, server.host
        try:
            it = Component225(server, "sessman")
            it.begin()
            assert not it.mechanisms(), "no mechanism before STARTTLS"
        finally:
            server.host = kept
            it.cut()


def test_certificate_of_another_is_not_sessmans(split, server):
    """XEP-0178: one of our own authority, but neither with its name nor with its fingerprint."""
    certificate = split.certify("stranger", "extendedKeyUsage=clientAuth",
                                "subjectAltName=otherName:1.3.6.1.5.5.7.8.5;UTF8:stranger")
    with split.private.here():
        server.host, kept = DMZ_INSIDE, server.host
        try:
            it = Component225(server, "sessman")
        finally:
            server.host = kept
    it.begin()
    it.starttls(tls_context(cert=certificate)).begin()
    outcome = it.authenticate("sessman", "", "EXTERNAL")
    assert local(outcome) == "failure", show(outcome)
    it.cut()


# -- nothing is there to be stolen ---------------------------------------------------------------------------------

def account_data(store):
    """{what: bytes} of everything that the store knows about accounts: names, salts, keys, in the forms that files use."""
    found = {}
    with sqlite3.connect("file:%s?mode=ro" % store, uri=True) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            cursor = db.execute("SELECT * FROM \"%s\"" % table)
            columns = [c[0] for c in cursor.description]
            for row in cursor:
                if table == "meta" and row[columns.index("name")] == "node":
                    continue        # what routers and edges know the session manager by: they must
                for column, value in zip(columns, row):
                    if isinstance(value, bytes) and len(value) >= 8:
                        for form in (value, base64.b64encode(value).rstrip(b"="), value.hex().encode()):
                            found[form] = "%s.%s" % (table, column)
    return found


def test_dmz_has_no_account_data(split, server, people):
    """Issue and DESIGN 1: no key, no password, no name on the DMZ's disk, in its configuration, in an open file."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber").online()
    secrets = account_data(split.inner.dir / "data/bulkhead.db")
    assert len(secrets) >= 12, "keys of several accounts, in three forms"
    secrets.update({person.password.encode(): "password" for person in (romeo, juliet)})
    names = [person.user.encode() for person in (romeo, juliet)]

    assert not (server.dir / "data").exists()
    files = [path for path in server.dir.rglob("*") if path.is_file()]
    for pid in [*server.daemons(), server.process.pid]:
        for fd in Path("/proc/%d/fd" % pid).iterdir():
            target = os.readlink(fd)
            assert ".db" not in target and str(split.inner.dir) not in target
            if target.startswith("/") and os.path.isfile(target):
                files.append(Path(target))
        assert str(split.inner.dir) not in Path("/proc/%d/maps" % pid).read_text()
        environment = Path("/proc/%d/environ" % pid).read_bytes() + Path("/proc/%d/cmdline" % pid).read_bytes()
        assert not [what for secret, what in secrets.items() if secret in environment]
    assert server.dir / "router.conf" in files
    for path in set(files):
        data = path.read_bytes()
        assert not [what for secret, what in secrets.items() if secret in data], path
        if server.dir / "log" not in path.parents:      # the log tells who logged in from where
            assert not [name for name in names if name in data], path


# -- the link between the hosts ------------------------------------------------------------------------------------

def send_numbers(client, to, total, reached):
    """In a thread of its own; reached is set when a third has gone."""
    def send():
        for n in range(total):
            client.sock.sendall(b"<message to='%s' id='%d' type='chat'><body>%d</body></message>" % (to.encode(), n, n))
            if n == total // 3:
                reached.set()
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def all_numbers(client, total):
    got = []
    while not got or got[-1] < total - 1:
        got += numbers_in([client.expect("message", timeout=90)])
    return got


def test_cut_of_some_seconds_loses_and_doubles_nothing(split, two):
    """DESIGN 2: the cable is pulled out under traffic and put in again."""
    his, hers = two
    reached = threading.Event()
    sender = send_numbers(his, hers.jid, LOADS, reached)
    reached.wait()
    split.dmz.link("in0", "down")
    # Three retransmissions are some seconds.
    poll("the link to be missed", lambda: re.search(r"backoff:[3-9]", split.dmz.run("ss", "-Htin").stdout +
                                                    split.private.run("ss", "-Htin").stdout))
    split.dmz.link("in0", "up")
    assert all_numbers(hers, LOADS) == list(range(LOADS))
    sender.join()
    hers.expect_nothing("message")
    assert his.ping().get("type") == "result"


def test_router_restarted_during_a_cut(split, server, two):
    """DESIGN 5: sessman's connection is to a router that is no more; it finds out and dials again."""
    his, hers = two
    reached = threading.Event()
    sender = send_numbers(his, hers.jid, LOADS, reached)
    reached.wait()
    split.dmz.link("in0", "down")
    server.replace_daemon("router")
    split.dmz.link("in0", "up")
    assert all_numbers(hers, LOADS) == list(range(LOADS))
    sender.join()
    hers.expect_nothing("message")
    assert his.ping().get("type") == "result"


# -- without root --------------------------------------------------------------------------------------------------

if os.geteuid() != 0:
    for name in [name for name in globals() if name.startswith("test_")]:
        del globals()[name]

    def test_all_of_these_as_root_of_a_user_namespace():
        """Who is not root may be root of a namespace of users, in which network namespaces can be made."""
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "pytest", "-q", "-p",
                               "no:cacheprovider", __file__])
        assert done.returncode == 0
