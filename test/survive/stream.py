"""One XML stream over plain TCP, on the loop of the driver. What the kernel has of the server's bytes is always read to its
end, also when writing fails or the connection manager has died: only then is "the client did not get it" true."""

import asyncio
import collections
import socket
import struct
import xml.etree.ElementTree as ET

NS_CLIENT = "jabber:client"
NS_STREAM = "http://etherx.jabber.org/streams"


class Ended(Exception):
    """The stream ended while something was waited for."""


def local(el):
    return el.tag.rpartition("}")[2]


class Stream:
    def __init__(self, sock, on_element):
        self.sock, self.on_element = sock, on_element
        self.loop = asyncio.get_running_loop()
        self.out = bytearray()
        self.taken = collections.deque()    # elements that nobody has asked for yet, while `direct` is not set
        self.direct = False                 # elements go to on_element at once
        self.waiter = None
        self.ended = asyncio.Event()
        self.error = None                   # condition of a stream error
        self.port = sock.getsockname()[1]
        self.parser = None
        self.loop.add_reader(sock, self.readable)

    @classmethod
    async def connect(cls, address, on_element):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return cls(sock, on_element)

    # -- out ------------------------------------------------------------------------------------------------------

    def send(self, text):
        if self.sock is None:
            return
        self.out += text.encode()
        self.writable()

    def writable(self):
        try:
            while self.out:
                del self.out[:self.sock.send(self.out)]
        except BlockingIOError:
            self.loop.add_writer(self.sock, self.writable)
            return
        except OSError:
            self.out.clear()        # the end comes by reading, behind what is still there to be read
        self.loop.remove_writer(self.sock)

    # -- in -------------------------------------------------------------------------------------------------------

    def readable(self):
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self.parser.feed(data)
        for event, el in self.parser.read_events():
            if event == "start":
                if self.depth == 0:
                    self.root = el
                self.depth += 1
            else:
                self.depth -= 1
                if self.depth == 1:
                    self.root.remove(el)
                    self.element(el)
            if self.sock is None:
                return

    def element(self, el):
        if el.tag == "{%s}error" % NS_STREAM:
            self.error = ",".join(local(c) for c in el)
        elif self.direct:
            self.on_element(el)
        else:
            self.taken.append(el)
            self.wake()

    def wake(self):
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    async def until(self, wanted):
        """The next element that is wanted; others go to on_element."""
        while True:
            while self.taken:
                el = self.taken.popleft()
                if wanted(el):
                    return el
                self.on_element(el)
            if self.sock is None:
                raise Ended(self.error or "end of stream")
            self.waiter = self.loop.create_future()
            await self.waiter

    def go_direct(self):
        """From here on every element goes to on_element."""
        self.direct = True
        while self.taken:
            self.on_element(self.taken.popleft())

    # -- life -----------------------------------------------------------------------------------------------------

    def open(self, domain):
        self.parser, self.depth, self.root = ET.XMLPullParser(events=("start", "end")), 0, None
        self.send("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' to='%s' version='1.0'>" % (
            NS_CLIENT, NS_STREAM, domain))

    def close(self):
        if self.sock is not None:
            self.loop.remove_reader(self.sock)
            self.loop.remove_writer(self.sock)
            self.sock.close()
            self.sock = None
            self.ended.set()
            self.wake()

    def reset(self):
        """The socket is gone at once (RST); what was under way to us is lost with it."""
        if self.sock is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def hang_up(self):
        """No end tag, but the socket ends in order: what the server wrote before it noticed is read."""
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
