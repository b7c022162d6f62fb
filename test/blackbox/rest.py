"""Calls of the API, as a program makes them: JSON in, JSON out; nothing is sent that the test does not say."""

import base64
import json as text
from urllib.parse import quote

from http_raw import Http

ADMIN = "http://jabber.org/protocol/admin#"
OURS = "urn:bulkhead:commands:"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


def as_admin(server):
    return basic(server.admin, server.admin_password)


def command(node):
    return "/api/commands/" + quote(node, safe="")


def call(server, method, target, json=None, headers=(), credentials=None, http=None, body=None, tls=False, source=None):
    """(status, what came as JSON, the whole answer). credentials: headers; None: the administrator's; {}: none."""
    fields = dict(as_admin(server) if credentials is None else credentials)
    fields.update(headers)
    if json is not None:
        body = text.dumps(json).encode()
    if body is not None:
        fields.setdefault("Content-Type", "application/json")
    if http:
        answer = http.ask(method, target, fields, body)
    else:
        with Http(server, tls, source) as own:
            answer = own.ask(method, target, fields, body)
    assert answer, "the connection has ended instead"
    got = text.loads(answer.body) if answer.body and "json" in answer.headers.get("content-type", "") else None
    return answer.status, got, answer


def run(server, node, json=None, **how):
    return call(server, "POST", command(node), {} if json is None else json, **how)


def problem(answer, status, condition=None):
    """It is what RFC 9457 says."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json" and answer.headers["cache-control"] == "no-store"
    got = text.loads(answer.body)
    assert got["status"] == status and got["title"] and got["type"] == "about:blank" and got.get("condition") == condition, got
    return got


def log_of(server):
    return "\n".join(path.read_text(errors="replace") for path in server.log_files())
