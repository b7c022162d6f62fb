"""Uploads (XEP-0363), from the slot to the file and back, by a client off the shelf and by hand."""

import asyncio
import os
import random
import re
from datetime import datetime, timedelta, timezone

import aiohttp
import pytest

from http_raw import Http
from server import poll
from test_slixmpp import messenger
from upload import NS_PURPOSE, files, get, no_parts, put, reached, slot, target, uploaded

SERVER = {"domains": ["localhost", "second.example"], "http": True}


@pytest.fixture
def client(person):
    return person("romeo").login("balcony")


# --- with a client off the shelf ---

def test_slixmpp_uploads_a_file(server, people, tmp_path, monkeypatch):
    """The plugin as it comes: finds the service, asks, puts, and gets back the same bytes at the URL."""
    romeo, juliet = people("romeo", "juliet")
    monkeypatch.setenv("SSL_CERT_FILE", str(server.dir / "tls/cert.pem"))
    # This version of the library hands coroutines to asyncio.wait, which Python 3.11 takes no more.
    wait = asyncio.wait
    monkeypatch.setattr(asyncio, "wait", lambda them, **how: wait([asyncio.ensure_future(it) for it in them], **how))
    data = random.Random(7).randbytes(3_000_000)
    picture = tmp_path / "été à Vérone.png"
    picture.write_bytes(data)

    async def scene():
        async with messenger(server, romeo) as one, messenger(server, juliet) as two:
            one.register_plugin("xep_0363")
            one.send_presence()
            two.send_presence()
            url = await one["xep_0363"].upload_file(str(picture))
            assert one["xep_0363"].max_file_size == 100 * 1024 * 1024
            one.send_message(mto=two.boundjid.bare, mbody=url, mtype="chat")
            body = (await asyncio.wait_for(two.messages.get(), 20))["body"]
            async with aiohttp.ClientSession() as session, session.get(body) as answer:
                assert answer.status == 200 and answer.headers["Content-Type"] == "image/png"
                assert await answer.read() == data
    asyncio.run(scene())


# --- put ---

@pytest.mark.parametrize("tls", [False, True], ids=["plain, from this host", "TLS"])
@pytest.mark.parametrize("size", [0, 1, 16384, 131072, 131073, 1_000_003])
def test_what_was_put_is_got(server, client, size, tls):
    data = random.Random(size).randbytes(size)
    put_url, get_url = slot(client, size=size)
    assert get(server, get_url, tls).status == 404, "before it came"
    assert put(server, put_url, data, tls=tls).status == 201
    answer = get(server, get_url, tls)
    assert (answer.status, answer.body, answer.whole) == (200, data, True)
    assert files(server)[0] == []


def test_expect_100_continue(server, client):
    """As curl puts: the body comes once it is asked for."""
    data = os.urandom(2_000_000)
    put_url, get_url = slot(client, size=len(data))
    with Http(server, tls=True) as http:
        http.head("PUT", target(put_url), {"Content-Type": "image/jpeg", "Expect": "100-continue"}, len(data))
        while b"100 Continue\r\n\r\n" not in http.got:
            assert http.more()
        http.send(data)
        assert http.answer().status == 201
    assert get(server, get_url).body == data


def test_a_type_that_was_not_said_before(server, client):
    """XEP-0363 6: then it is the one of the PUT; none at all: bytes."""
    for sent, told in [("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"), (None, "application/octet-stream"),
                       ("nonsense", "application/octet-stream")]:
        put_url, get_url = slot(client, size=3, type=None)
        assert put(server, put_url, b"abc", type=sent).status == 201
        assert get(server, get_url).headers["content-type"] == told


# --- get ---

def test_headers_of_a_picture(server, client):
    answer = get(server, uploaded(server, client, name="très cool.jpg"))
    h = answer.headers
    assert h["content-type"] == "image/jpeg" and h["x-content-type-options"] == "nosniff"
    assert h["content-disposition"] == "inline; filename*=UTF-8''tr%C3%A8s%20cool.jpg"
    csp = [part.strip() for part in h["content-security-policy"].split(";")]
    assert "default-src 'none'" in csp and "frame-ancestors 'none'" in csp and "sandbox" in csp
    assert h["accept-ranges"] == "bytes"
    age, = re.findall(r"max-age=(\d+)", h["cache-control"])
    assert 29 * 86400 < int(age) <= 30 * 86400, "as long as it is kept"


def test_head(server, client):
    url = uploaded(server, client, b"x" * 1000)
    answer = get(server, url, method="HEAD", Range="bytes=0-9")
    assert answer.status == 200 and answer.headers["content-length"] == "1000" and answer.body == b""
    with Http(server) as http:
        assert http.ask("HEAD", target(url)).status == 200
        assert len(http.ask("GET", target(url)).body) == 1000, "the connection is in order"


@pytest.mark.parametrize("header, status, body, told", [
    ("bytes=0-4", 206, b"01234", "bytes 0-4/26"), ("bytes=20-", 206, b"klmnop", "bytes 20-25/26"),
    ("bytes=-3", 206, b"nop", "bytes 23-25/26"), ("bytes=25-99999999999999999999", 206, b"p", "bytes 25-25/26"),
    ("bytes=-99999", 206, b"0123456789abcdefghijklmnop", "bytes 0-25/26"),
    ("bytes=26-", 416, b"", "bytes */26"), ("bytes=99999999999999999999-", 416, b"", "bytes */26"), ("bytes=-0", 416, b"", "bytes */26"),
    ("bytes=0-0,2-2", 416, b"", "bytes */26"), ("bytes=" + ",".join("0-" for _ in range(1000)), 416, b"", "bytes */26"),
    ("bytes=5-1", 200, b"0123456789abcdefghijklmnop", None), ("bytes=a", 200, b"0123456789abcdefghijklmnop", None),
    ("lines=0-1", 200, b"0123456789abcdefghijklmnop", None),
], ids=lambda v: str(v)[:24])
def test_ranges(server, client, header, status, body, told):
    """RFC 9110 14; many at once are refused."""
    url = uploaded(server, client, b"0123456789abcdefghijklmnop")
    for tls in (False, True):
        answer = get(server, url, tls, Range=header)
        assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, told)


def test_a_range_of_what_was_seen_before(server, client):
    """RFC 9110 13.1.5, 13.1.2."""
    url = uploaded(server, client, b"0123456789")
    etag = get(server, url).headers["etag"]
    assert get(server, url, Range="bytes=1-2", If_Range=etag).status == 206
    assert get(server, url, Range="bytes=1-2", If_Range='"another"').status == 200
    assert get(server, url, If_None_Match=etag).status == 304
    assert get(server, url, If_None_Match='"a", W/%s' % etag).status == 304
    assert get(server, url, If_None_Match='"another"').status == 200


def test_pages_of_other_origins(server, client):
    """XEP-0363 7: CORS."""
    put_url, get_url = slot(client, size=3)
    asked = get(server, put_url, method="OPTIONS", Origin="https://chat.example", Access_Control_Request_Method="PUT",
                Access_Control_Request_Headers="content-type")
    assert asked.status in (200, 204) and asked.headers["access-control-allow-origin"] in ("*", "https://chat.example")
    assert {"OPTIONS", "HEAD", "GET", "PUT"} <= set(asked.headers["access-control-allow-methods"].replace(" ", "").split(","))
    assert "content-type" in asked.headers["access-control-allow-headers"].lower()
    for answer in (put(server, put_url, b"abc", Origin="https://chat.example"), get(server, get_url, Origin="https://chat.example"),
                   put(server, put_url, b"abc", Origin="https://chat.example")):
        assert answer.headers["access-control-allow-origin"] in ("*", "https://chat.example")


# --- the disk ---

def test_files_survive_restarts(server, client):
    url = uploaded(server, client, b"what was said")
    put_url, _ = slot(client, size=9)
    server.replace_daemon("httpgw")
    assert poll("the gateway", lambda: reached(server, url)).body == b"what was said"
    server.restart()
    assert poll("the gateway", lambda: reached(server, url)).body == b"what was said"
    assert put(server, put_url, b"abcdefghi").status == 201, "so do slots"


def test_killed_in_the_middle(server, client):
    """Nothing half-written is served, nor in the way."""
    put_url, get_url = slot(client, size=500_000)
    with Http(server) as http:
        http.head("PUT", target(put_url), {"Content-Type": "image/jpeg"}, 500_000)
        http.send(b"a" * 300_000)
        poll("it to be begun", lambda: files(server)[0])
        server.replace_daemon("httpgw")
    assert poll("the gateway", lambda: reached(server, get_url)).status == 404
    assert put(server, put_url, b"b" * 500_000).status == 201
    assert get(server, get_url).body == b"b" * 500_000
    for part in files(server)[0]:       # of the one that was killed
        os.utime(part, (1, 1))
    server.replace_daemon("httpgw")
    no_parts(server)


def test_stopped_in_the_middle(server, client):
    """In order, and soon, whatever is on its way: nothing of it is left."""
    slots = [slot(client, size=size) for size in (1000, 500_000)]
    with Http(server) as one, Http(server) as two:
        for http, (url, _), size in ((one, slots[0], 1000), (two, slots[1], 500_000)):
            http.head("PUT", target(url), {"Content-Type": "image/jpeg"}, size)
            http.send(b"a" * (size - 100))
        poll("both to be begun", lambda: len(files(server)[0]) == 2)
        server.restart()
    assert files(server)[0] == []
    for url, get_url in slots:
        assert poll("the gateway", lambda: reached(server, get_url)).status == 404
    assert put(server, slots[0][0], b"b" * 1000).status == 201


def test_what_is_old_goes(server, client):
    """Folders of days that are over, and not the others; strange files are left alone."""
    url = uploaded(server, client, b"kept")
    top = server.dir / "upload"
    aside = server.dir / "made-aside"
    (aside / "x").mkdir(parents=True)
    for i in range(1200):
        (aside / "x" / str(i)).write_bytes(b"old")
    aside.rename(top / "10")
    (top / "notes.txt").write_bytes(b"the operator's")
    server.replace_daemon("httpgw")
    poll("the old day to go", lambda: not (top / "10").exists())
    assert (top / "notes.txt").exists()
    assert poll("the gateway", lambda: reached(server, url)).body == b"kept"


def test_a_file_ends_at_its_time(server, client):
    """XEP-0363 5: an ephemeral one is not there after the time that its sender has set."""
    before = datetime.now(timezone.utc) + timedelta(seconds=3)
    purpose = "<ephemeral xmlns='%s' expire-before='%s'/>" % (NS_PURPOSE, before.strftime("%Y-%m-%dT%H:%M:%SZ"))
    put_url, get_url = slot(client, size=3, purpose=purpose)
    assert put(server, put_url, b"abc").status == 201
    poll("it to end", lambda: get(server, get_url).status == 404)
    assert datetime.now(timezone.utc) >= before - timedelta(seconds=2)
    assert put(server, put_url, b"abc").status == 403
