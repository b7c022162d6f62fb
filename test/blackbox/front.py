"""nginx and HAProxy as proxies in front of a server of ours, with the configurations of conf/examples: only ports, paths and names are others."""

import re
import subprocess

from client import PATIENCE
from server import ROOT, poll

EXAMPLES = ROOT / "conf" / "examples"
FROM = {"http": "127.0.0.2", "proxy": "127.0.0.3"}      # where a proxy speaks to the daemons from: what forwarded_from and proxy_from name
# Of the proxies, beside the server's own.
PORTS = {"http": 5290, "https": 5291, "c2s": 5292, "c2s_tls": 5293, "web_tls": 5294}

NGINX = """daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 200; }}
http {{
    access_log off;
    {temp}
    include {dir}/example.conf;
}}
"""


def changed(text, *pairs):
    """Each pattern stands there."""
    for pattern, by in pairs:
        text, n = re.subn(pattern, by, text)
        assert n, "%s is not in the example" % pattern
    return text


class Front:
    """The proxy, as clients see a server."""

    host = "127.0.0.1"

    def __init__(self, server, folder):
        self.server, self.domain, self.dir = server, server.domain, folder
        self.process = None

    def port(self, name):
        return PORTS[name] + self.server.offset

    def start(self, *command):
        with open(self.dir / "out", "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)

    def said(self):
        return (self.dir / "out").read_text()


class Nginx(Front):
    def start(self):
        tls = self.server.dir / "tls"
        example = changed((EXAMPLES / "nginx.conf").read_text(),
                          (r"listen \[::\].*\n", ""), (r"listen 80;", "listen 127.0.0.1:%d;" % self.port("http")),
                          (r"listen 443 ", "listen 127.0.0.1:%d " % self.port("https")), (r"127\.0\.0\.1:5280", "127.0.0.1:%d" % self.server.port("http")),
                          (r"/etc/ssl/example\.net\.pem", str(tls / "cert.pem")), (r"/etc/ssl/private/example\.net\.key", str(tls / "key.pem")),
                          (r"server_name example\.net;", "server_name %s;" % self.domain),
                          (r"proxy_connect_timeout 5s;", "proxy_connect_timeout 5s; proxy_bind %s;" % FROM["http"]))
        (self.dir / "example.conf").write_text(example)
        temp = "".join("%s_temp_path %s/%s;" % (kind, self.dir, kind) for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.dir / "nginx.conf").write_text(NGINX.format(dir=self.dir, temp=temp))
        super().start("nginx", "-e", "stderr", "-p", str(self.dir), "-c", str(self.dir / "nginx.conf"))
        poll("nginx to start", lambda: "start worker process " in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self


class Haproxy(Front):
    def start(self):
        tls, pem = self.server.dir / "tls", self.dir / "both.pem"
        pem.write_text((tls / "cert.pem").read_text() + (tls / "key.pem").read_text())
        example = (EXAMPLES / "haproxy.cfg").read_text()
        head, _, alternative = example.rpartition("# ---")
        alternative = re.sub(r"(?m)^# ?", "", alternative.split("\n", 1)[1])
        example = changed(head + alternative,
                          (r"bind :80\n", "bind 127.0.0.1:%d\n" % self.port("http")), (r"bind :443 ssl", "bind 127.0.0.1:%d ssl" % self.port("https")),
                          (r"bind :443\n", "bind 127.0.0.1:%d\n" % self.port("web_tls")),
                          (r"bind :5222\n", "bind 127.0.0.1:%d\n" % self.port("c2s")), (r"bind :5223\n", "bind 127.0.0.1:%d\n" % self.port("c2s_tls")),
                          (r"/etc/haproxy/example\.net\.pem", str(pem)),
                          *((r"192\.0\.2\.11:%d" % port, "127.0.0.1:%d source %s" % (port + self.server.offset, FROM[way])) for port, way in
                            ((5280, "http"), (5281, "proxy"), (5222, "proxy"), (5223, "proxy"))))
        (self.dir / "haproxy.cfg").write_text(example)
        checked = subprocess.run(["haproxy", "-c", "-f", self.dir / "haproxy.cfg"], capture_output=True, text=True, timeout=PATIENCE)
        assert checked.returncode == 0 and "WARNING" not in checked.stdout + checked.stderr, checked.stdout + checked.stderr
        super().start("haproxy", "-db", "-f", str(self.dir / "haproxy.cfg"))
        return self
