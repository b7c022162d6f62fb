"""HTTP without a library's manners: what is sent is what stands here."""

import socket
import ssl

from client import PATIENCE


class Answer:
    def __init__(self, status, headers, body, whole):
        self.status, self.headers, self.body, self.whole = status, headers, body, whole

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:200])


class Http:
    """One connection to the gateway, in plain text or by TLS. source: the address that it comes from."""

    def __init__(self, server, tls=False, source=None):
        self.sock = socket.create_connection((server.host, server.port("https" if tls else "http")), PATIENCE,
                                             source_address=(source, 0) if source else None)
        self.sock.settimeout(PATIENCE * 2)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
        self.got = b""

    def send(self, data):
        self.sock.sendall(data)

    def head(self, method, target, headers=(), body_length=None):
        """The head of a request; headers is a dict or a list of pairs."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: im.example"] + ["%s: %s" % pair for pair in pairs]
        if body_length is not None:
            lines.append("Content-Length: %d" % body_length)
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))

    def ask(self, method, target, headers=(), body=None):
        self.head(method, target, headers, None if body is None else len(body))
        if body:
            self.send(body)
        return self.answer(method)

    def more(self):
        data = self.sock.recv(65536)
        self.got += data
        return data

    def answer(self, method="GET"):
        """The next answer; None: the connection has ended instead."""
        while b"\r\n\r\n" not in self.got:
            try:
                if not self.more():
                    return None
            except ConnectionError:
                return None
        head, _, self.got = self.got.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if status == 100:
            return self.answer(method)
        length = 0 if method == "HEAD" or status in (204, 304) else int(headers.get("content-length", 0))
        pieces, left = [self.got], length - len(self.got)
        while left > 0 and (data := self.sock.recv(1 << 20)):
            pieces.append(data)
            left -= len(data)
        self.got = b"".join(pieces)
        body, self.got = self.got[:length], self.got[length:]
        return Answer(status, headers, body, len(body) == length)

    def ended(self):
        """Waits until the server has closed."""
        try:
            while self.more():
                pass
        except ConnectionError:
            pass
        return True

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(server, method, target, headers=(), body=None, tls=False):
    """One request on a connection of its own."""
    with Http(server, tls) as http:
        return http.ask(method, target, headers, body)
