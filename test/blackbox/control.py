"""A daemon's control socket, asked as bulkheadctl asks it (common/daemon/ctl.h)."""

import json
import re
import socket

from client import PATIENCE


def ask(server, request, instance="c2s-1"):
    """The body of the answer; the first line must be "ok"."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(server.dir / "run" / (instance + ".sock")))
        sock.sendall(request.encode() + b"\n")
        answer = b""
        while True:
            data = sock.recv(65536)
            if not data:
                break
            answer += data
    first, _, body = answer.decode().partition("\n")
    assert first == "ok", first
    return body


def status(server, instance="c2s-1"):
    return json.loads(ask(server, "status", instance))


def counter(server, name, instance="c2s-1"):
    found = re.search(r'^%s(?:_total)?(?:\{[^}]*\})? ([0-9]+)' % re.escape(name), ask(server, "metrics", instance), re.M)
    assert found, name
    return int(found.group(1))
