"""One large file goes up and comes down again (XEP-0363), and what that costs the gateway."""
import hashlib
import re
import socket
import ssl
import threading
import time
from html import unescape
from urllib.parse import urlsplit

from archive import Asker
from measure import BenchError

PIECE = bytes(range(256)) * 4096  # 1 MiB


class Uploader(Asker):
    def slot(self, name, size):
        """(PUT, GET): what stands in the request line."""
        self.n += 1
        self.send(f"<iq type='get' id='u{self.n}' to='{self.domain}'><request xmlns='urn:xmpp:http:upload:0' "
                  f"filename='{name}' size='{size}' content-type='video/mp4'/></iq>")
        answer = self.until(b"</iq>").decode()
        urls = [urlsplit(unescape(url)) for url in re.findall(r"url='([^']*)'", answer)]
        if len(urls) != 2:
            raise BenchError(f"no slot: {answer[-300:]}")
        return urls[0].path + "?" + urls[0].query, urls[1].path

    def __init__(self, port, domain, local, password):
        self.domain = domain
        super().__init__(port, domain, local, password)


class Peak:
    """The largest PSS of one program, in KiB, while the block runs."""

    def __init__(self, server, program):
        self.server, self.program = server, program
        self.kib, self.over = server.pss()[program], threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.over.wait(0.1):
            self.kib = max(self.kib, self.server.pss()[self.program])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def connect(port, tls):
    sock = socket.create_connection(("127.0.0.1", port), timeout=120)
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


def answer_of(sock):
    """(status, length, what has come of the body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = sock.recv(65536)
        if not got:
            raise BenchError("the gateway has closed the connection")
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), int(re.search(rb"(?i)content-length: (\d+)", head).group(1)), rest


def put(port, tls, target, mib):
    """Seconds."""
    began = time.monotonic()
    with connect(port, tls) as sock:
        sock.sendall(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: {mib << 20}\r\n\r\n".encode())
        for _ in range(mib):
            sock.sendall(PIECE)
        status = answer_of(sock)[0]
    if status != 201:
        raise BenchError(f"PUT is answered with {status}")
    return time.monotonic() - began


def get(port, tls, target, mib):
    """Seconds; what comes is what was put."""
    began, hashed = time.monotonic(), hashlib.sha256()
    with connect(port, tls) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status, length, rest = answer_of(sock)
        if (status, length) != (200, mib << 20):
            raise BenchError(f"GET is answered with {status}, {length} bytes")
        hashed.update(rest)
        left = length - len(rest)
        while left:
            got = sock.recv(1 << 20)
            if not got:
                raise BenchError(f"{left} bytes are missing")
            hashed.update(got)
            left -= len(got)
    took = time.monotonic() - began
    want = hashlib.sha256()
    for _ in range(mib):
        want.update(PIECE)
    if hashed.digest() != want.digest():
        raise BenchError("other bytes have come back")
    return took
