"""Two organisations, each with the daemons on two hosts (split.py): their people write to each other over the two DMZs, and there is no
way into either private network. Five network namespaces: the world outside, which has the name server and forwards between the DMZs,
and two times two hosts."""

import contextlib
import errno
import os
import socket
import subprocess
import sys

import pytest

from client import NS_PING, PATIENCE
from conftest import Person, numbers
from dnszone import Names
from federation import befriend, both_ways, numbered, numbers_of, streams
from hosts import Host
from split import Split, running

VERONA, MANTUA = "verona.example", "mantua.example"
NETS = {VERONA: ("10.91.0", "10.92.0"), MANTUA: ("10.93.0", "10.94.0")}
NAME_SERVER = "192.0.2.53"
S2S = """
[dns]
servers = %s@%d
anchor_file = none
[connect]
retry = 100ms
retry_most = 500ms
"""
HOWS = {
    "certificate": "[tls]\nca = tls/peers.pem\n[policy]\nrequire_certificate = yes\n[dialback]\nenabled = no\n",
    "dialback": "",
}


@pytest.fixture(scope="module")
def outside():
    """Who sends through it comes to either DMZ, as over the internet; it knows no way behind them."""
    it = Host()
    it.set("net.ipv4.ip_forward", 1)
    it.ip("addr", "add", NAME_SERVER + "/32", "dev", "lo")
    yield it
    it.remove()


@pytest.fixture(scope="module")
def names(outside):
    with outside.here():
        it = Names(NAME_SERVER)
    with it:
        yield it


@pytest.fixture(scope="module", params=["certificate", "dialback"])
def how(request):
    return request.param


@pytest.fixture(scope="module")
def organisations(how, outside, names, ca):
    """[domain, domain], both running."""
    with contextlib.ExitStack() as stack:
        made = []
        for domain, nets in NETS.items():
            me, files = ca.issue(domain), {}
            if how == "certificate":
                files = {"tls/cert.pem": me.pem(), "tls/key.pem": me.key_pem(), "tls/peers.pem": ca.pem()}
            it = Split(outside, domain, *nets, s2s=S2S % (names.address, names.port) + HOWS[how], files=files)
            names.service(domain, it.dmz_outside, 5269)
            made.append(stack.enter_context(running(it)))
        yield tuple(made)


@pytest.fixture
def two(organisations, connections):
    """One of each, connected from outside."""
    made = []
    for it, name in zip(organisations, ("romeo", "juliet")):
        person = Person(it.edge, "%s-%d" % (name, next(numbers)), it.domain, connections)
        it.inner.adduser(person.jid, person.password)
        with it.outside.here():
            made.append(person.login("there").online())
    return made


def test_messages_both_ways(two, organisations, how):
    both_ways(*two)
    proofs = {"out": {"certificate": "external"}, "in": {"certificate": "external-pkix"}}
    for it, other in (organisations, organisations[::-1]):
        found = [c for c in streams(it.edge, remote=other.domain) if c["auth"] != "none"]      # that asks about keys
        assert found and all(c["auth"] == proofs[c["direction"]].get(how, "dialback") for c in found), found
        assert {c["address"] for c in found} == {other.dmz_outside}


def test_queries_and_presence(two, organisations):
    for one, other in (two, two[::-1]):
        assert one.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=other.server_name).get("type") == "result"
    befriend(*two)
    for one, other in (two, two[::-1]):
        one.send("<presence><show>away</show></presence>")
        other.expect("presence", from_=one.jid, where=lambda el: el.find("{jabber:client}show") is not None)


def test_the_way_between_them_is_cut(two, organisations):
    """What is written meanwhile comes when there is a way again, in order and once."""
    romeo, juliet = two
    verona, mantua = organisations
    both_ways(romeo, juliet)
    mantua.dmz.link("out0", "down")
    numbered(romeo, juliet, 100)
    romeo.settle()
    mantua.dmz.link("out0", "up")
    mantua.dmz.ip("route", "replace", "default", "via", mantua.outside_address)
    assert numbers_of(juliet, 100) == list(range(100))


@pytest.mark.parametrize("daemon", ["router", "sessman"])
def test_killed_daemon_of_a_split_host(two, organisations, daemon):
    """Exactly once, in order, across both private networks."""
    romeo, juliet = two
    mantua = organisations[1]
    both_ways(romeo, juliet)
    (mantua.edge if daemon == "router" else mantua.inner).replace_daemon(daemon, lambda: numbered(romeo, juliet, 50))
    assert numbers_of(juliet, 50) == list(range(50))
    juliet.expect_nothing("message")


# -- nothing gets in -------------------------------------------------------------------------------------------------

def test_what_is_open_and_what_is_connected(organisations, two):
    """A private host listens to nothing and is connected to its own DMZ's router alone; a DMZ to that, and to the other DMZ."""
    both_ways(*two)
    for it, other in (organisations, organisations[::-1]):
        assert it.private.open_ports() == set()
        assert it.dmz.open_ports() == {("tcp", port) for port in (5222, 5223, 5269, 5270, 5280, 5281, 5347)}
        assert peers_of(it.private) == {it.dmz_inside}
        assert peers_of(it.dmz) <= {it.private_address, other.dmz_outside, it.outside_address}
        assert not {name for name in it.inner.daemons().values()} & {"bulkhead-s2s", "bulkhead-c2s", "bulkhead-router"}


def peers_of(host):
    """Addresses at the other end of its TCP connections."""
    rows = [line.split() for line in host.run("ss", "-Htn", "state", "established").stdout.splitlines()]
    return {row[3].rpartition(":")[0].strip("[]").replace("::ffff:", "") for row in rows}


def reached(host, address, port, seconds=PATIENCE):
    """0: connected; else why not."""
    with host.here(), contextlib.closing(socket.socket()) as sock:
        sock.settimeout(seconds)
        return sock.connect_ex((address, port))


def test_there_is_no_way_to_a_private_host(organisations, outside):
    """Not from outside, not from the other organisation's hosts; nor to the inner side of a DMZ, where its router listens."""
    for it, other in (organisations, organisations[::-1]):
        assert reached(outside, it.private_address, 5347) == errno.ENETUNREACH
        assert reached(other.dmz, it.private_address, 5347) == errno.ENETUNREACH
        assert reached(other.private, it.private_address, 5347, 1) != 0, "its own DMZ passes nothing on"
        assert reached(it.private, it.dmz_inside, 5347) == 0, "the one hole"


@pytest.mark.parametrize("how", ["certificate"], indirect=True, scope="module")
def test_no_port_of_a_private_host_answers_even_if_there_were_a_way(organisations, outside):
    """With the DMZ taken over, and routes laid to what is behind it: every port is tried, and the host itself refuses."""
    it = organisations[0]
    inside = it.private_address.rpartition(".")[0] + ".0/24"
    outside.ip("route", "add", inside, "via", it.dmz_outside)
    it.dmz.set("net.ipv4.ip_forward", 1)
    try:
        with outside.here():
            for port in range(1, 65536):
                with contextlib.closing(socket.socket()) as sock:
                    assert sock.connect_ex((it.private_address, port)) == errno.ECONNREFUSED, "port %d" % port
    finally:
        it.dmz.set("net.ipv4.ip_forward", 0)
        outside.ip("route", "del", inside)


# -- without root ----------------------------------------------------------------------------------------------------

if os.geteuid() != 0:
    for name in [name for name in globals() if name.startswith("test_")]:
        del globals()[name]

    def test_all_of_these_as_root_of_a_user_namespace():
        """As in test_split_hosts.py."""
        done = subprocess.run(["unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "pytest", "-q", "-p",
                               "no:cacheprovider", __file__])
        assert done.returncode == 0
