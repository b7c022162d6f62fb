"""An installation on two hosts, as README's "Split across hosts" says: router, c2s and s2s in a DMZ, sessman and the accounts in a
private network that nothing can connect to. Network namespaces stand for the hosts (see hosts.py)."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from hosts import Host, join
from server import Server, poll


class Part(Server):
    """The daemons of one host, on its folder."""

    def __init__(self, at, folder, domain, host):
        super().__init__(domains=(domain,))
        self.remove()
        self.at, self.dir, self.offset, self.host = at, folder, 0, host

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
    """Two hosts of one organisation, on a cable to the world outside, which is a host of the caller's; the recipe; and both parts, once
    they are started. s2s: text for the end of s2s.conf; files: {name: bytes} on the DMZ; proof: by what sessman and router know each
    other (by_*)."""

    def __init__(self, outside, domain, outside_net, inside_net, proof="secret", s2s="", files=None):
        self.folder, self.outside, self.domain = Path(tempfile.mkdtemp(prefix="bulkhead-test-")), outside, domain
        self.outside_address, self.dmz_outside = outside_net + ".1", outside_net + ".2"
        self.dmz_inside, self.private_address = inside_net + ".1", inside_net + ".2"
        self.s2s, self.files, self.hosts = s2s, files or {}, []
        self.inner = self.edge = None
        try:
            self.make(proof, outside_net, inside_net)
        except BaseException:
            self.remove()
            raise

    def make(self, proof, outside_net, inside_net):
        for _ in range(2):
            self.hosts.append(Host())
        self.dmz, self.private = self.hosts
        join(self.outside, "to-" + self.domain[:12], self.dmz, "out0", outside_net)
        join(self.dmz, "in0", self.private, "lan0", inside_net)
        self.dmz.ip("route", "add", "default", "via", self.outside_address)
        self.private.ip("route", "add", "default", "via", self.dmz_inside)
        self.dmz.set("net.ipv4.ip_forward", 0)
        self.inner = Part(self.private, self.folder / "private", self.domain, self.dmz_outside)
        self.edge = Part(self.dmz, self.folder / "dmz", self.domain, self.dmz_outside)
        self.edge.admin_password = self.inner.admin_password
        self.recipe()
        getattr(self, "by_" + proof)()

    def recipe(self):
        """README, step by step; moving a file stands for copying it there and removing it here."""
        inner, edge = self.inner, self.edge
        inner.run("init", "--domain", self.domain, "--admin", inner.admin, "--password", inner.admin_password)
        edge.dir.mkdir()
        for name in ("router.conf", "c2s.conf", "s2s.conf", "httpgw.conf", "tls", "upload"):
            shutil.move(inner.dir / name, edge.dir / name)
        (edge.dir / "bulkhead.conf").write_text("[processes]\nrouter = 1\nc2s = 1\ns2s = 1\nhttpgw = 1\nsessman = 0\n")
        edge.edit("router.conf", address=self.dmz_inside, mode="required")
        inner.edit("bulkhead.conf", router=0, c2s=0, s2s=0, httpgw=0)
        for name in ("sessman.conf", "bulkheadctl.conf"):
            if name == "sessman.conf":
                inner.section(name, "router", "address = tls:%s:5347" % self.dmz_inside)
            else:
                inner.edit(name, address="tls:%s:5347" % self.dmz_inside)
        for name, data in self.files.items():
            (edge.dir / name).write_bytes(data)
        with open(edge.dir / "s2s.conf", "a") as conf:
            conf.write("\n" + self.s2s)

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
        for file in self.certify("router", "subjectAltName=IP:" + self.dmz_inside):
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
                               conf.read_text(), count=1))
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


@contextlib.contextmanager
def running(split):
    """Starts it, and removes it at the end."""
    try:
        split.start()
        yield split
        wrong = split.stop()
        assert not wrong, "\n".join(wrong) + split.log_tail()
    finally:
        for part in (split.inner, split.edge):
            if part.process:
                part.kill()
        split.remove()
