"""A second HTTP gateway of an installation, on a folder of its own, and a load balancer in front of several."""

import contextlib
import select
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from server import BUILD, poll


class Gateway:
    """Shares the router of `server`; has its ports, 20 further up. host: its public name; more: options."""

    def __init__(self, server, host, more=""):
        self.server, self.host, self.domain, self.process = server, server.host, server.domain, None
        self.dir = Path(tempfile.mkdtemp(prefix="bulkhead-test-"))
        shutil.copytree(server.dir / "tls", self.dir / "tls")
        text = (server.dir / "httpgw.conf").read_text().replace("host = gw1.example", "host = " + host)
        for name in "http", "https":
            text = text.replace("= %d\n" % server.port(name), "= %d\n" % self.port(name))
        router = "[router]\naddress = unix:%s\n" % (server.dir / "run/router.sock")
        (self.dir / "httpgw.conf").write_text(text.replace("[router]\n", router, 1) + more)
        for name in "run", "log", "upload":
            (self.dir / name).mkdir()

    def port(self, name):
        return self.server.port(name) + 20

    def start(self):
        with open(self.dir / "httpgw.out", "ab") as out:
            self.process = subprocess.Popen([BUILD / "bulkhead-httpgw", "-d", self.dir, "-i", "httpgw-2"],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        poll("the second gateway", self.answers)
        return self

    def answers(self):
        assert self.process.poll() is None, (self.dir / "httpgw.out").read_text()
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port("http")), timeout=5) as sock:
            sock.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return sock.recv(100).startswith(b"HTTP/1.1 200 ")
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(20) == 0
        print((self.dir / "httpgw.out").read_text())
        shutil.rmtree(self.dir)


class Balancer:
    """Takes connections and gives each to `backend`, a port, whatever that is then. Has what clients want of a server."""

    def __init__(self, server):
        self.server, self.host, self.domain, self.backend = server, server.host, server.domain, None
        self.listener = socket.create_server((server.host, 0))
        self.threads = []
        threading.Thread(target=self.accept, daemon=True).start()

    def port(self, name):
        return self.listener.getsockname()[1]

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(client, self.backend), daemon=True).start()

    def relay(self, client, backend):
        with client, contextlib.suppress(OSError), socket.create_connection((self.host, backend)) as gateway:
            other = {client: gateway, gateway: client}
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    other[ready].sendall(data)

    def close(self):
        self.listener.close()
