"""A WebSocket client that sends what it is told to, frame by frame (RFC 6455), and XMPP over it (RFC 7395)."""

import base64
import hashlib
import os
import re
import select
import socket
import ssl
import struct
import time
import xml.etree.ElementTree as ET

from client import NS_CLIENT, PATIENCE, Client, Stream, local, namespace, tls_context

NS_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def with_namespace(element):
    """A stanza as it must stand in a WebSocket message or a BOSH body."""
    return re.sub(r"^<(iq|message|presence)(?=[ />])(?![^>]*xmlns=)", r"<\1 xmlns='jabber:client'", element)


def frame(payload, opcode=TEXT, fin=True, mask=True, rsv=0, length=None):
    """One frame of a client's; length: what its header says instead of the truth."""
    data = payload.encode() if isinstance(payload, str) else payload
    n = len(data) if length is None else length
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    bit = 0x80 if mask else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += struct.pack("!BH", bit | 126, n)
    else:
        head += struct.pack("!BQ", bit | 127, n)
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(data))


def handshake(sock, host, path="/ws", protocol="xmpp", **fields):
    """Sends the handshake; gives back (status, {header: value}, bytes behind it)."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
             "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": protocol}
    lines.update({name.replace("_", "-"): value for name, value in fields.items()})
    text = "GET %s HTTP/1.1\r\n%s\r\n" % (path, "".join("%s: %s\r\n" % it for it in lines.items() if it[1] is not None))
    sock.sendall(text.encode())
    got = b""
    while b"\r\n\r\n" not in got:
        try:
            more = sock.recv(4096)
        except ssl.SSLWantReadError:
            assert select.select([sock], [], [], PATIENCE)[0], "no answer to the handshake"
            continue
        assert more, "the connection ended in the handshake: %r" % got
        got += more
    head, _, rest = got.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
    if " 101 " in status + " ":
        want = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        assert headers["sec-websocket-accept"] == want
    return int(status.split()[1]), headers, rest


class WsClient(Client):
    """A client's stream in WebSocket messages; what Client can, with <open/> for the header."""

    def __init__(self, server, domain=None, tls=False, name="ws", origin=None, port=None, context=None):
        self.name = name
        self.server_name = domain or server.domain
        self.features = self.jid = self.bare = self.stream_to = None
        self.sock = socket.create_connection((server.host, server.port(port or ("https" if tls else "http"))), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = (context or tls_context()).wrap_socket(self.sock, server_hostname=self.server_name)
        status, self.http, self.bytes = handshake(self.sock, self.server_name, Origin=origin)
        assert status == 101, status
        assert self.http.get("sec-websocket-protocol") == "xmpp"
        assert "sec-websocket-extensions" not in self.http
        self.reset()
        self.code = None        # of the server's close frame; 0: it had none
        self.pongs = []
        self.take_frames()

    def reset(self):
        rest = getattr(self, "bytes", b"")
        super().reset()
        self.bytes = rest

    def send(self, data):
        if isinstance(data, str):
            data = with_namespace(data)
        print("%s > %s" % (self.name, data if len(data) < 2000 else "%s... (%d)" % (data[:200], len(data))))
        self.sock.sendall(frame(data))

    def send_bytes(self, data):
        print("%s > %d bytes: %r" % (self.name, len(data), data[:60]))
        self.sock.sendall(data)

    def pump(self, deadline):
        if self.eof:
            return False
        data = self.recv(deadline - time.monotonic())
        if data is None:
            return time.monotonic() < deadline
        if data == b"":
            self.eof = True
            return False
        self.bytes += data
        self.take_frames()
        return True

    def take_frames(self):
        while True:
            b = self.bytes
            if len(b) < 2:
                return
            assert not b[1] & 0x80, "a server does not mask"
            n, at = b[1] & 0x7f, 2
            if n == 126:
                n, at = int.from_bytes(b[2:4], "big"), 4
            elif n == 127:
                n, at = int.from_bytes(b[2:10], "big"), 10
            if len(b) < at + n or (at > 2 and len(b) < at):
                return
            payload, self.bytes = b[at:at + n], b[at + n:]
            self.take_frame(b[0], payload)

    def take_frame(self, first, payload):
        assert first & 0x80 and not first & 0x70, "fragments and extensions are not expected"
        opcode = first & 0x0f
        print("%s < %d %s" % (self.name, opcode, payload[:2000].decode(errors="replace")))
        if opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
            self.sock.sendall(frame(payload[:2], CLOSE))
        elif opcode == PING:
            self.sock.sendall(frame(payload, PONG))
        elif opcode == PONG:
            self.pongs.append(payload)
        else:
            assert opcode == TEXT
            el = ET.fromstring(payload.decode())
            if el.tag == "{%s}open" % NS_FRAMING:
                self.header = dict(el.attrib)
            elif el.tag == "{%s}close" % NS_FRAMING:
                self.ended = True
            else:
                self.inbox.append(el)

    def open(self, to, extra="", version="1.0"):
        self.reset()
        self.send("<open xmlns='%s'%s%s%s/>" % (NS_FRAMING, " to='%s'" % to if to else "",
                                               " version='%s'" % version if version else "", extra))
        self.expect_header()
        return self

    def login(self, user, password, resource=None, mechanism="SCRAM-SHA-256", tls=False, **how):
        return super().login(user, password, resource, mechanism, tls=False, **how)

    def expect_end(self):
        deadline = time.monotonic() + PATIENCE
        while not self.ended and self.pump(deadline):
            pass
        assert self.ended, "%s: no <close/> came" % self.name
        self.expect_eof()

    def end(self):
        self.send("<close xmlns='%s'/>" % NS_FRAMING)
        self.expect_end()
        self.cut()
