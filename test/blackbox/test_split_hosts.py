"""The daemons on two hosts, as README's "Split across hosts" says: router and c2s in a DMZ, sessman and the accounts in
a private network that nothing can connect to. Three network namespaces stand for the world outside and the two hosts."""

import base64
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from client import error_of, local, show, tls_context
from component import Component225
from hosts import Host, join
from server import BUILD, Server, poll

DOMAIN = "im.example"
OUTSIDE_NET, INSIDE_NET = "10.91.0", "10.92.0"
DMZ_OUTSIDE, DMZ_INSIDE, PRIVATE = OUTSIDE_NET + ".2", INSIDE_NET + ".1", INSIDE_NET + ".2"
LOADS = 3000


class Part(Server):
    """The daemons of one host, on its folder."""

    def __init__(self, host, folder):
        super().__init__(domains=(DOMAIN,))
        self.remove()
        self.at, self.dir, self.offset, self.host = host, folder, 0, DMZ_OUTSIDE

    def launch(self):
        with self.at.here():
            super().launch()

    def run(self, *args, check=True):
        with self.at.here():
            return super().run(*args, check=check)

    def edit(self, name, **values):
        """Sets options that stand in a file already, as an editor would."""
        path = self.dir / name
        text = path.read_text()
        for option, value in values.items():
            text, n = re.subn(r"(?m)^%s = .*$" % option, "%s = %s" % (option, value), text)
            assert n == 1, (name, option)
        path.write_text(text)

    def section(self, name, section, *lines):
        path = self.dir / name
        text = path.read_text()
        assert "[%s]\n" % section in text
        path.write_text(text.replace("[%s]\n" % section, "[%s]\n%s\n" % (section, "\n".join(lines))))


class Split:
    """Three hosts, the recipe, and both parts running."""

    def __init__(self, proof):
        self.folder, self.hosts = Path(tempfile.mkdtemp(prefix="bulkhead-test-")), []
        self.inner = self.edge = None
        try:
            self.make(proof)
        except BaseException:
            self.remove()
            raise

    def make(self, proof):
        for _ in range(3):
            self.hosts.append(Host())
        self.outside, self.dmz, self.private = self.hosts
        join(self.outside, "lan0", self.dmz, "out0", OUTSIDE_NET)
        join(self.dmz, "in0", self.private, "lan0", INSIDE_NET)
        self.outside.ip("route", "add", "default", "via", DMZ_OUTSIDE)
        self.private.ip("route", "add", "default", "via", DMZ_INSIDE)
        self.inner, self.edge = Part(self.private, self.folder / "private"), Part(self.dmz, self.folder / "dmz")
        self.edge.admin_password = self.inner.admin_password
        self.recipe()
        getattr(self, "by_" + proof)()

    def recipe(self):
        """README, step by step; moving a file stands for copying it there and removing it here."""
        inner, edge = self.inner, self.edge
        inner.run("init", "--domain", DOMAIN, "--admin", inner.admin, "--password", inner.admin_password)
        edge.dir.mkdir()
        for name in ("router.conf", "c2s.conf", "tls"):
            shutil.move(inner.dir / name, edge.dir / name)
        (edge.dir / "bulkhead.conf").write_text("[processes]\nrouter = 1\nc2s = 1\nsessman = 0\n")
        edge.edit("router.conf", address=DMZ_INSIDE, mode="required")
        inner.edit("bulkhead.conf", router=0, c2s=0)
        for name in ("sessman.conf", "bulkheadctl.conf"):
            if name == "sessman.conf":
                inner.section(name, "router", "address = tls:%s:5347" % DMZ_INSIDE)
            else:
                inner.edit(name, address="tls:%s:5347" % DMZ_INSIDE)

    def certify(self, name, *extension):
        """PEM files of a certificate by our own authority, which is made at the first."""
        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)
        if not (self.folder / "ca.pem").exists():
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Our own",
                    "-keyout", "ca.key", "-out", "ca.pem", "-days", "30")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                "-keyout", name + ".key", "-out", name + ".csr")
        (self.folder / "extensions").write_text("\n".join(extension) + "\n")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-out", name + ".pem", "-extfile", "extensions")
        return self.folder / (name + ".pem"), self.folder / (name + ".key")

    def by_secret(self):
        """Nothing more: the secret proves each end to the other, bound to the TLS channel."""

    def by_authority(self):
        """The router's certificate is verified as well."""
        for file in self.certify("router", "subjectAltName=IP:" + DMZ_INSIDE):
            shutil.copy(file, self.edge.dir / "tls")
        self.edge.section("router.conf", "tls", "cert = tls/router.pem", "key = tls/router.key")
        shutil.copy(self.folder / "ca.pem", self.inner.dir)
        for name in ("sessman.conf", "bulkheadctl.conf"):
            self.inner.section(name, "router", "ca_file = ca.pem")

    def show_certificate(self, *extension):
        """Both ends show certificates (SASL EXTERNAL); sessman has no secret."""
        self.by_authority()
        (self.inner.dir / "tls").mkdir()
        certificate, key = self.certify("sessman", "extendedKeyUsage=clientAuth", *extension)
        shutil.copy(certificate, self.inner.dir / "tls")
        shutil.copy(key, self.inner.dir / "tls")
        conf = self.inner.dir / "sessman.conf"
        conf.write_text(re.sub(r"(?m)^secret = .*$", "cert_file = tls/sessman.pem\nkey_file = tls/sessman.key",
                               conf.read_text()))
        return certificate

    def know_sessman_by(self, line):
        """What stands at the router in the place of the secret."""
        conf = self.edge.dir / "router.conf"
        text, n = re.subn(r"(\[component sessman\]\n)secret = .*\n", r"\1" + line, conf.read_text())
        assert n == 1
        conf.write_text(text)

    def by_fingerprint(self):
        """The router knows this one certificate."""
        certificate = self.show_certificate()
        print_ = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"], check=True,
                                capture_output=True, text=True).stdout.strip().partition("=")[2].replace(":", "")
        self.know_sessman_by("fingerprint = %s\n" % print_)

    def by_name(self):
        """The router takes any certificate of the authority that has the section's name as its address (XEP-0178)."""
        self.show_certificate("subjectAltName=otherName:1.3.6.1.5.5.7.8.5;UTF8:sessman")
        shutil.copy(self.folder / "ca.pem", self.edge.dir / "tls")
        self.edge.section("router.conf", "tls", "client_ca = tls/ca.pem")
        self.know_sessman_by("")

    def start(self):
        self.edge.launch()
        self.inner.launch()
        with self.outside.here():
            try:
                ready = self.edge.ready()
            except AssertionError:
                ready = False
        assert ready, self.log_tail()
        self.inner.pids = self.inner.daemons()

    def stop(self):
        wrong = []
        for part in (self.inner, self.edge):
            if part.process:
                wrong += part.stop()
        return wrong

    def log_tail(self):
        return self.edge.log_tail() + self.inner.log_tail()

    def remove(self):
        for host in self.hosts:
            host.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["secret", "authority", "fingerprint", "name"])
def split(request):
    it = Split(request.param)
    try:
        it.start()
        yield it
        wrong = it.stop()
        assert not wrong, "\n".join(wrong) + it.log_tail()
    finally:
        for part in (it.inner, it.edge):
            if part.process:
                part.kill()
        it.remove()


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
    for part, daemons in ((split.edge, {"bulkhead", "router", "c2s"}), (split.inner, {"bulkhead", "sessman"})):
        done = part.run("check", check=False)
        assert done.returncode == 0, done.stdout
        assert {name.partition("-")[0] for name in part.status()} == daemons


# -- nothing gets in -----------------------------------------------------------------------------------------------

def test_private_host_listens_to_nothing(split, two):
    """DESIGN 1: sessman dials out; nothing dials in to it."""
    assert split.private.open_ports() == set()
    connected = split.private.run("ss", "-Htn", "state", "established").stdout.split()
    assert any(word.startswith(DMZ_INSIDE) and word.endswith(":5347") for word in connected)


def test_dmz_listens_to_clients_and_to_the_private_host(split, two):
    """README: 5222 and 5223 for clients; 5347 on the inner address alone."""
    assert split.dmz.open_ports() == {("tcp", 5222), ("tcp", 5223), ("tcp", 5347)}
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
