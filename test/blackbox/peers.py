"""Other servers, as Debian ships them, for tests of federation: each with its own directory, address and free ports, and with
the test's name server and authority in place of the world's.

    names, ca = Names(), Authority()
    with running(Prosody("prosody.example", names, ca), Ejabberd("ejabberd.example", names, ca)) as (prosody, ejabberd):
        romeo = prosody.person("romeo", connections).login()
        ...

They serve clients as server.Server does (host, port(), domain, adduser()), so client.Client and conftest.Person work with them.
What a peer says and asks of others is told by `how`, each part of which may be given as a keyword instead:

    "certificate"   shows a right certificate and wants one: no dialback; TLS is required
    "dialback"      shows one that nobody has signed, trusts none: dialback only; TLS if it is there
    "plain"         the same, and no TLS at all
    "any"           shows a right one, takes either

A running peer is in the DNS: SRV records for STARTTLS and for direct TLS, with target xmpp.DOMAIN."""

import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pki
from client import PATIENCE, Client, Closed
from server import poll

HOWS = {
    "certificate": {"signed": True, "trusts": True, "dialback": False, "tls": "required"},
    "dialback": {"signed": False, "trusts": False, "dialback": True, "tls": "optional"},
    "plain": {"signed": False, "trusts": False, "dialback": True, "tls": "none"},
    "any": {"signed": True, "trusts": True, "dialback": True, "tls": "optional"},
}


def free_ports(address, count):
    """Ports that nobody has at this address, below the range that the kernel gives to clients."""
    with contextlib.ExitStack() as held:
        found = []
        for port in random.sample(range(2000, 32000), 1000):
            sock = held.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind((address, port))
                found.append(port)
                if len(found) == count:
                    return found
    raise RuntimeError("no free ports")


class Peer:
    """identity: what it shows instead of a right certificate; trusts: the authority that it believes, True: ca, False: none;
    direct: whether it takes direct TLS and the DNS says so; bidi: XEP-0288 (prosody only); dane: RFC 7673 (prosody only; zones
    are signed before it is started); conf: text for the end of the configuration file; announce: whether it puts itself into the DNS."""

    host = "127.0.0.1"
    ports_needed = ("c2s", "s2s", "s2s_tls", "http")

    def __init__(self, domain, names, ca, how="any", host=None, identity=None, direct=True, bidi=False, dane=False, conf="",
                 announce=True, **parts):
        unknown = parts.keys() - HOWS[how].keys()
        assert not unknown, unknown
        parts = {**HOWS[how], **parts}
        self.domain, self.names, self.ca, self.conf = domain, names, ca, conf
        self.host = host or self.host
        self.dialback, self.tls = parts["dialback"], parts["tls"]
        self.direct = direct and self.tls != "none"
        self.bidi, self.dane, self.announced = bidi, dane, announce
        self.identity = identity or (ca.issue(domain) if parts["signed"] else pki.self_signed(domain))
        self.trusts = {True: ca, False: pki.Authority("Nobody's authority")}.get(parts["trusts"], parts["trusts"])
        self.dir = Path(tempfile.mkdtemp(prefix="bulkhead-peer-"))
        self.ports = {}
        self.process = None

    def port(self, name):
        return self.ports[name]

    def file(self, name):
        return self.dir / name

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self):
        for attempt in range(3):
            self.ports = dict(zip(self.ports_needed, free_ports(self.host, len(self.ports_needed))))
            self.identity.write(self.dir)
            self.identity.write_both(self.file("both.pem"))
            self.file("ca.pem").write_bytes(self.trusts.pem())
            self.configure()
            self.launch()
            if self.ready():
                if self.announced:
                    self.announce()
                return self
        raise AssertionError("%s does not start:\n%s" % (self.domain, self.log_tail()))

    def launch(self):
        with open(self.file("process.out"), "ab") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir,
                                            env={**os.environ, **self.environment()}, start_new_session=True)

    def environment(self):
        return {}

    def ready(self):
        """Whether it answers clients and servers; waits until it does or is dead."""
        poll(self.domain + " to answer", lambda: self.process.poll() is not None or self.answers())
        return self.process.poll() is None

    def answers(self):
        try:
            client = Client(self, name="probe")
            client.begin()
            client.cut()
            for name in ("s2s", "s2s_tls") if self.direct else ("s2s",):
                socket.create_connection((self.host, self.port(name)), timeout=PATIENCE).close()
            return True
        except (OSError, AssertionError, Closed):
            return False

    def stop(self):
        """Ends it in order, and if it will not, at once."""
        if self.process is None:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=PATIENCE)
                break
        self.process = None

    def crash(self):
        """Ends it without a word to anybody."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def again(self):
        """Starts it again as it was, at the same ports, after stop() or crash()."""
        self.launch()
        assert self.ready(), self.log_tail()

    def remove(self):
        self.stop()
        if self.announced:
            self.withdraw()
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- names ----------------------------------------------------------------------------------------------------

    def announce(self, ttl=60):
        self.target = self.names.service(self.domain, self.host, self.port("s2s"), ttl=ttl)
        if self.direct:
            self.names.service(self.domain, None, self.port("s2s_tls"), tls=True, ttl=ttl)

    def announce_certificate(self, identity=None):
        """TLSA records for both ports: the certificate that is shown, or another."""
        for name in ("s2s", "s2s_tls"):
            self.names.tlsa("xmpp." + self.domain, self.port(name), (identity or self.identity).tlsa())

    def withdraw(self):
        for name in (self.names.service_name(self.domain), self.names.service_name(self.domain, True), "xmpp." + self.domain):
            self.names.remove(name)

    # -- people ---------------------------------------------------------------------------------------------------

    def person(self, user, connections, password="a pass word"):
        """A fresh account, as conftest.Person."""
        from conftest import Person
        it = Person(self, user, self.domain, connections, password)
        self.adduser(it.jid, password)
        return it

    # -- logs -----------------------------------------------------------------------------------------------------

    def log(self):
        return "\n".join("--- %s %s\n%s" % (self.domain, path.name, path.read_text(errors="replace"))
                         for path in sorted([*self.dir.glob("*.log"), *self.dir.glob("*.out")]))

    def log_tail(self, lines=80):
        return "\n".join("\n".join(part.splitlines()[-lines:]) for part in self.log().split("--- "))


def lua(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{ %s }" % ", ".join(lua(one) for one in value)
    if isinstance(value, dict):
        return "{ %s }" % ", ".join("[%s] = %s" % (lua(key), lua(one)) for key, one in value.items())
    return json.dumps(str(value)) if not isinstance(value, int) else str(value)


class Prosody(Peer):
    host = "127.0.0.2"
    modules = ("roster", "saslauth", "tls", "disco", "ping", "posix", "smacks", "admin_shell", "carbons", "version")

    def configure(self):
        self.file("data").mkdir(exist_ok=True)
        self.file("no-authorities").mkdir(exist_ok=True)
        self.file("certs").mkdir(exist_ok=True)
        modules = [*self.modules, *["dialback"] * self.dialback, *["s2s_bidi"] * self.bidi]
        options = {
            "run_as_root": True, "daemonize": False,
            "pidfile": self.file("pid"), "data_path": self.file("data"), "admin_socket": self.file("admin.sock"),
            "log": {"debug": self.file("prosody.log")},
            "interfaces": [self.host], "c2s_ports": [self.port("c2s")], "s2s_ports": [self.port("s2s")],
            "c2s_direct_tls_ports": [], "s2s_direct_tls_ports": [self.port("s2s_tls")] if self.direct else [],
            "modules_enabled": modules, "s2s_allow_encryption": self.tls != "none",
            "authentication": "internal_hashed", "password_hash": "SHA-256",
            "c2s_require_encryption": False, "allow_unencrypted_plain_auth": True,
            "s2s_require_encryption": self.tls == "required", "s2s_secure_auth": not self.dialback,
            "ssl": {"certificate": self.file("server.crt"), "key": self.file("server.key"), "cafile": self.file("ca.pem"),
                    "capath": self.file("no-authorities")},
            "unbound": {"resolvconf": False, "hoststxt": False,
                        "forward": "%s@%d" % (self.names.address, self.names.port),
                        "trustfile": self.names.anchor_file(self.file("anchors")),
                        "options": {"do-not-query-localhost:": "no"}},
            "use_dane": self.dane,
        }
        text = "".join("%s = %s\n" % (key, lua(value)) for key, value in options.items())
        self.file("prosody.cfg.lua").write_text(text + "VirtualHost %s\n%s\n" % (lua(self.domain), self.conf))

    def command(self):
        return ["prosody", "--config", self.file("prosody.cfg.lua"), "-F"]

    def control(self, *words):
        done = subprocess.run(["prosodyctl", "--config", self.file("prosody.cfg.lua"), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE * 3)
        print("prosodyctl %s: %d\n%s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def adduser(self, jid, password):
        user, domain = jid.split("@")
        self.control("register", user, domain, password)

    def streams(self):
        """Its connections to other servers, as its shell shows them."""
        return self.control("shell", "s2s", "show")


class Ejabberd(Peer):
    """Started without the distribution of Erlang: so there is no epmd, no cookie and no node name to collide."""

    host = "127.0.0.3"

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        assert not self.bidi and not self.dane, "Debian's ejabberd has neither"
        self.accounts = {}

    def configure(self):
        tls = {"required": "required", "optional": "optional", "none": "false"}[self.tls]
        listeners = ["{port: %d, ip: %s, module: ejabberd_c2s, starttls: true}" % (self.port("c2s"), json.dumps(self.host)),
                     "{port: %d, ip: %s, module: ejabberd_s2s_in}" % (self.port("s2s"), json.dumps(self.host)),
                     "{port: %d, ip: %s, module: ejabberd_http, request_handlers: {/api: mod_http_api}}" % (
                         self.port("http"), json.dumps(self.host))]
        if self.direct:
            listeners.append("{port: %d, ip: %s, module: ejabberd_s2s_in, tls: true}" % (
                self.port("s2s_tls"), json.dumps(self.host)))
        modules = ["mod_roster", "mod_disco", "mod_ping", "mod_admin_extra", "mod_carboncopy", "mod_version", "mod_stream_mgmt",
                   *["mod_s2s_dialback"] * self.dialback]
        self.file("ejabberd.yml").write_text("\n".join([
            "hosts: [%s]" % self.domain, "loglevel: debug", "log_rotate_count: 0",
            "certfiles: [%s]" % json.dumps(str(self.file("both.pem"))), "ca_file: %s" % json.dumps(str(self.file("ca.pem"))),
            "s2s_cafile: %s" % json.dumps(str(self.file("ca.pem"))), "s2s_use_starttls: %s" % tls, "listen:",
            *["  - " + one for one in listeners],
            "api_permissions: {test: {from: [mod_http_api], who: all, what: '*'}}",
            "acl: {local: {user_regexp: ''}}", "access_rules: {local: {allow: local}}",
            "modules:", *["  %s: {}" % name for name in modules], self.conf, ""]))
        # asks for SRV by itself, for addresses the C library
        self.file("inetrc").write_text("{lookup, [file, dns]}.\n{hosts_file, \"\"}.\n{resolv_conf, \"\"}.\n"
                                       "{nameserver, {%s}, %d}.\n{edns, 0}.\n{cache_size, 0}.\n" % (
                                           self.names.address.replace(".", ","), self.names.literal_port))

    def environment(self):
        return {"ERL_LIBS": ":".join(map(str, Path("/usr/lib").glob("*-linux-gnu*"))), "ERL_INETRC": str(self.file("inetrc")),
                "EJABBERD_CONFIG_PATH": str(self.file("ejabberd.yml")), "EJABBERD_LOG_PATH": str(self.file("ejabberd.log")),
                "ERL_CRASH_DUMP": str(self.file("crash.dump")), "HOME": str(self.dir)}

    def command(self):
        return ["erl", "-noinput", "-mnesia", "dir", json.dumps(str(self.file("spool"))), "-s", "ejabberd"]

    def control(self, command, **arguments):
        """A command of ejabberdctl, through its HTTP interface; gives back what it answers."""
        request = urllib.request.Request("http://%s:%d/api/%s" % (
            "[%s]" % self.host if ":" in self.host else self.host, self.port("http"), command),
                                         json.dumps(arguments).encode(), {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE * 3) as answer:
            got = json.load(answer)
        print("ejabberd %s: %s" % (command, got))
        return got

    def adduser(self, jid, password):
        user, domain = jid.split("@")
        self.control("register", user=user, host=domain, password=password)
        self.accounts[jid] = password

    def again(self):
        """Its database forgets the latest in a crash: so accounts are made again that have gone."""
        super().again()
        for jid, password in self.accounts.items():
            user, domain = jid.split("@")
            if self.control("check_account", user=user, host=domain) != 0:
                self.adduser(jid, password)

    def streams(self):
        """(incoming, outgoing): how many connections with other servers it has."""
        return self.control("incoming_s2s_number"), self.control("outgoing_s2s_number")


def start_all(*servers):
    """Starts these at the same time: each takes seconds of waiting."""
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
        for future in [pool.submit(one.start) for one in servers]:
            future.result()


@contextlib.contextmanager
def running(*peers):
    """Peers that are started together, and removed at the end."""
    try:
        start_all(*peers)
        yield peers
    except BaseException:
        for peer in peers:
            print(peer.log_tail())
        raise
    finally:
        with concurrent.futures.ThreadPoolExecutor(len(peers)) as pool:
            list(pool.map(lambda peer: peer.remove(), peers))
