"""Uploads (XEP-0363) as a client makes them: slots, and what is put and got there."""

import contextlib
import re
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

import http_raw
from client import error_of, q
from server import poll

NS_UPLOAD = "urn:xmpp:http:upload:0"
NS_PURPOSE = "urn:xmpp:http:upload:purpose:0"


@contextlib.contextmanager
def option(server, daemon="sessman", more="", **values):
    """Options of a daemon's [upload] are so for a while; more: lines of other sections."""
    conf = server.dir / (daemon + ".conf")
    before = conf.read_text()
    conf.write_text(changed(before, values) + more)
    server.run("reload")
    try:
        yield
    finally:
        conf.write_text(before)
        server.run("reload")


def changed(text, values):
    for name in values:
        text = re.sub(r"(?m)^%s = .*\n" % name, "", text) if name in ("url", "path") else text
    if "secret" in values:
        text = re.sub(r"(\[upload\]\n)secret = .*\n", r"\1", text)
    return text + "\n[upload]\n" + "".join("%s = %s\n" % item for item in values.items())


def request(name="summer.jpg", size=1000, type="image/jpeg", purpose=""):
    """The element; what is None is left out."""
    attributes = {"filename": name, "size": size, "content-type": type}
    return "<request xmlns='%s'%s>%s</request>" % (
        NS_UPLOAD, "".join(" %s=%s" % (k, quoteattr(str(v))) for k, v in attributes.items() if v is not None), purpose)


def ask(client, to=None, **what):
    """The answer to a request for a slot."""
    return client.ask("get", request(**what), to=to or client.server_name)


def slot(client, to=None, **what):
    """(PUT URL, GET URL) of one that is granted."""
    reply = ask(client, to, **what)
    assert reply.get("type") == "result", error_of(reply)
    it = reply.find(q(NS_UPLOAD, "slot"))
    return it.find(q(NS_UPLOAD, "put")).get("url"), it.find(q(NS_UPLOAD, "get")).get("url")


def refused(client, to=None, **what):
    """(condition, the error's type, element of this specification or None)."""
    reply = ask(client, to, **what)
    assert reply.get("type") == "error"
    error = reply.find(q("jabber:client", "error"))
    own = [el for el in error if el.tag.startswith("{%s}" % NS_UPLOAD)]
    return error_of(reply)[1], error.get("type"), own[0] if own else None


def target(url):
    """What stands in the request line."""
    parts = urlsplit(url)
    return parts.path + ("?" + parts.query if parts.query else "")


def put(server, url, body, type="image/jpeg", tls=False, **headers):
    fields = {"Content-Type": type} if type else {}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return http_raw.ask(server, "PUT", target(url), fields, body, tls)


def get(server, url, tls=False, method="GET", **headers):
    return http_raw.ask(server, method, target(url), {name.replace("_", "-"): value for name, value in headers.items()}, None, tls)


def uploaded(server, client, body=b"a picture of summer", **what):
    """The GET URL of a file that is there."""
    put_url, get_url = slot(client, size=len(body), **what)
    answer = put(server, put_url, body, type=what.get("type", "image/jpeg"))
    assert answer.status == 201, answer
    return get_url


def files(server):
    """What lies in the folder of uploads: parts that are being written, whole ones."""
    top = server.dir / "upload"
    return list((top / "tmp").iterdir()), [path for path in top.rglob("*") if path.is_file() and path.parent.name != "tmp"]


def no_parts(server):
    poll("parts of files to go", lambda: not files(server)[0])


def reached(server, url):
    try:
        return get(server, url)
    except OSError:
        return None
