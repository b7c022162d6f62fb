"""Uploads (XEP-0363), from the slot to the file and back, by a client off the shelf and by hand, with what the hostile try."""

import asyncio
import itertools
import os
import random
import re
import resource
import socket
import struct
import subprocess
import threading
from urllib.parse import urlsplit

import aiohttp
import pytest

from http_raw import Http, ask
from server import poll
from test_hostile_shortage import limited
from test_slixmpp import messenger
from upload import NS_PURPOSE, option, slot

SERVER = {"domains": ["localhost", "second.example"], "http": True}


@pytest.fixture
def client(person):
    return person("romeo").login("balcony")


def target(url):
    """What stands in the request line."""
    parts = urlsplit(url)
    return parts.path + ("?" + parts.query if parts.query else "")


def put(server, url, body, type="image/jpeg", tls=False, **headers):
    fields = {"Content-Type": type} if type else {}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return ask(server, "PUT", target(url), fields, body, tls)


def get(server, url, tls=False, method="GET", **headers):
    return ask(server, method, target(url), {name.replace("_", "-"): value for name, value in headers.items()}, None, tls)


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
    """As curl sends it."""
    data = os.urandom(2_000_000)
    put_url, get_url = slot(client, size=len(data))
    done = subprocess.run(["curl", "-sS", "--max-time", "60", "-k", "--resolve", "localhost:%d:127.0.0.1" % server.port("https"), "-T", "-",
                           "-H", "Content-Type: image/jpeg", "-H", "Content-Length: %d" % len(data), "-H", "Transfer-Encoding:",
                           "-H", "Expect: 100-continue", "-o", "/dev/null", "-w", "%{http_code}", put_url],
                          input=data, capture_output=True, timeout=90)
    assert done.stdout == b"201", done
    assert get(server, get_url).body == data


def test_a_type_that_was_not_said_before(server, client):
    """XEP-0363 6: then it is the one of the PUT; none at all: bytes."""
    for sent, told in [("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"), (None, "application/octet-stream"),
                       ("nonsense", "application/octet-stream")]:
        put_url, get_url = slot(client, size=3, type=None)
        assert put(server, put_url, b"abc", type=sent).status == 201
        assert get(server, get_url).headers["content-type"] == told


@pytest.mark.parametrize("body, status", [(b"a picture of summe", 400), (b"a picture of summer!", 413), (b"", 400)])
def test_another_size_is_refused(server, client, body, status):
    """XEP-0363 6."""
    put_url, get_url = slot(client, size=19)
    assert put(server, put_url, body).status == status
    assert get(server, get_url).status == 404
    assert put(server, put_url, b"a picture of summer").status == 201, "the slot is still good"


def test_a_body_of_no_or_of_chunked_length_is_refused(server, client):
    put_url, _ = slot(client, size=5)
    with Http(server) as http:
        http.head("PUT", target(put_url), {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked"})
        http.send(b"5\r\nabcde\r\n0\r\n\r\n")
        assert http.answer().status == 411
    with Http(server) as http:
        http.head("PUT", target(put_url), [("Content-Type", "image/jpeg"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked")])
        assert http.answer().status == 400
    with Http(server) as http:
        http.head("PUT", target(put_url), [("Content-Length", "5"), ("Content-Length", "6")])
        answer = http.answer()
        assert answer is None or answer.status == 400
    for length in ("-5", "5x", "0x5", "18446744073709551621"):
        with Http(server) as http:
            http.head("PUT", target(put_url), {"Content-Type": "image/jpeg", "Content-Length": length})
            answer = http.answer()
            assert answer is None or answer.status in (400, 413), length


@pytest.mark.parametrize("headers", [{"type": "text/html"}, {"type": "image/svg+xml"}, {"Content_Encoding": "gzip"}], ids=str)
def test_another_type_is_refused(server, client, headers):
    put_url, _ = slot(client, size=3)
    assert put(server, put_url, b"abc", **headers).status == 415


def test_a_part_is_refused(server, client):
    """RFC 9110 14.5."""
    put_url, _ = slot(client, size=3)
    assert put(server, put_url, b"abc", Content_Range="bytes 0-2/9").status == 400


def test_a_slot_is_good_once(server, client):
    put_url, get_url = slot(client, size=3)
    assert put(server, put_url, b"abc").status == 201
    assert put(server, put_url, b"xyz").status == 409
    assert get(server, get_url).body == b"abc"
    no_parts(server)


def test_two_at_once_in_one_slot(server, client):
    """Both begun before either is whole: one of them has it, as a whole."""
    size = 400_000
    put_url, get_url = slot(client, size=size)
    with Http(server) as one, Http(server) as two:
        for http, byte in ((one, b"a"), (two, b"b")):
            http.head("PUT", target(put_url), {"Content-Type": "image/jpeg"}, size)
            http.send(byte * 300_000)
        poll("both to be begun", lambda: len(files(server)[0]) == 2)
        one.send(b"a" * 100_000)
        two.send(b"b" * 100_000)
        statuses = [http.answer().status for http in (one, two)]
    assert sorted(statuses) == [201, 409]
    assert get(server, get_url).body == (b"a" if statuses[0] == 201 else b"b") * size
    no_parts(server)


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_what_breaks_off_leaves_nothing(server, client, how):
    """At once, or (an end that the library sees with the last bytes it may miss) when its time is over."""
    put_url, get_url = slot(client, size=500_000)
    with option(server, "httpgw", slowest="1g", more="[http]\nrequest_time = 5s\n"), Http(server) as http:
        http.head("PUT", target(put_url), {"Content-Type": "image/jpeg"}, 500_000)
        http.send(b"a" * 300_000)
        poll("it to be begun", lambda: files(server)[0])
        assert get(server, get_url).status == 404, "nothing half-written is served"
        if how == "reset":
            http.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        http.close()
        no_parts(server)
    assert get(server, get_url).status == 404
    assert put(server, put_url, b"b" * 500_000).status == 201, "the slot is still good"


def test_a_slow_body_is_cut(server, client):
    """Bytes that trickle in keep nothing alive for ever."""
    with option(server, "httpgw", slowest="1g", more="[http]\nrequest_time = 2s\n"):
        put_url, get_url = slot(client, size=1000)
        with Http(server) as http:
            http.head("PUT", target(put_url), {"Content-Type": "image/jpeg"}, 1000)
            stop = threading.Event()

            def trickle():
                while not stop.wait(0.5):
                    try:
                        http.send(b"a")
                    except OSError:
                        return
            thread = threading.Thread(target=trickle)
            thread.start()
            http.sock.settimeout(60)
            try:
                assert http.ended()
            finally:
                stop.set()
                thread.join()
    no_parts(server)
    assert get(server, get_url).status == 404


def test_so_many_at_a_time(server, client):
    with option(server, "httpgw", parallel=2):
        slots = [slot(client, size=100) for _ in range(3)]
        with Http(server) as one, Http(server) as two:
            for http, (url, _) in zip((one, two), slots):
                http.head("PUT", target(url), {"Content-Type": "image/jpeg"}, 100)
            poll("both to be begun", lambda: len(files(server)[0]) == 2)
            assert put(server, slots[2][0], b"a" * 100).status == 503
            for http in (one, two):
                http.send(b"a" * 100)
                assert http.answer().status == 201
        assert put(server, slots[2][0], b"a" * 100).status == 201
    with option(server, "httpgw", per_address=1):
        slots = [slot(client, size=100) for _ in range(2)]
        with Http(server) as one:
            one.head("PUT", target(slots[0][0]), {"Content-Type": "image/jpeg"}, 100)
            poll("it to be begun", lambda: files(server)[0])
            assert put(server, slots[1][0], b"a" * 100).status == 503


# --- slots that are none ---

def test_forged_slots(server, client):
    put_url, get_url = slot(client, size=5)
    path, query = target(put_url).split("?")
    values = dict(part.split("=") for part in query.split("&"))
    token, name = path.split("/")[2:]
    other = ("B" if token[-1] == "A" else "A").join((token[:-1], ""))

    def joined(path, **changes):
        return "https://localhost" + path + "?" + "&".join("%s=%s" % item for item in {**values, **changes}.items())
    forged = {
        "size": joined(path, s="6"), "time": joined(path, u=str(int(values["u"]) + 1)), "type": joined(path, t="text%2Fhtml"),
        "no type": joined(path, t=""), "name": joined("/upload/%s/other.html" % token), "token": joined("/upload/%s/%s" % (other, name)),
        "no signature": joined(path, h=""), "half of it": joined(path, h=values["h"][:-1]), "none": get_url,
        "another one": joined(path, h=slot(client, size=5)[0].rpartition("=")[2]), "twice": put_url + "&s=5",
        "a field more": put_url + "&x=1", "zeros": joined(path, s="05"),
    }
    for what, url in forged.items():
        answer = put(server, url, b"abcdef" if what == "size" else b"abcde", type="text/html" if what == "type" else "image/jpeg")
        assert answer.status == (201 if what == "zeros" else 403), "%s: %r" % (what, answer)
    assert len([path for path in files(server)[1] if path.name == token]) == 1


def test_a_slot_ends(server, client):
    with option(server, slot_time="1s"):
        put_url, _ = slot(client, size=5)

        def late():
            answer = put(server, put_url, b"abcdef")    # of a size that makes no use of it
            return answer.status == 403 and answer
        assert b"over" in poll("the slot to end", late).body
    assert put(server, put_url, b"abcde").status == 403


def test_another_key(server, client):
    """The gateway's key is changed: what the session manager signs is good no more."""
    put_url, get_url = slot(client, size=3)
    with option(server, "httpgw", secret="another key of some length"):
        assert put(server, put_url, b"abc").status == 403
    assert put(server, put_url, b"abc").status == 201
    with option(server, "httpgw", secret=""):
        assert get(server, get_url).status == 404
    assert get(server, get_url).status == 200


TRAVERSALS = ["/upload/../httpgw.conf", "/upload/%2e%2e/httpgw.conf", "/upload/..%2fhttpgw.conf", "/upload/%2e%2e%2fhttpgw.conf",
              "/upload/%252e%252e%252fhttpgw.conf", "/upload/..%00/httpgw.conf", "/upload/%00", "/upload/..\\httpgw.conf",
              "/upload/..%5chttpgw.conf", "/upload//etc/passwd", "/upload/%2fetc%2fpasswd", "/upload/....//httpgw.conf",
              "/upload/%c0%ae%c0%ae/httpgw.conf", "/upload/%uff0e%uff0e/httpgw.conf", "/upload/tmp/x", "/upload/tmp", "/upload/",
              "/upload/TOKEN/../../../httpgw.conf", "/upload/TOKEN/%2e%2e%2f%2e%2e%2fhttpgw.conf", "/upload/TOKEN/%2e%2e", "/upload/TOKEN/..",
              "/upload/TOKEN/.", "/upload/TOKEN/%00", "/upload/TOKEN/NAME%00.png", "/upload/TOKEN/NAME/", "/upload/TOKEN//NAME",
              "/upload/TOKEN", "/upload/TOKEN/", "/upload/TOKEN%00/NAME", "/upload/../upload/TOKEN/NAME", "/upload/%2e%2e/upload/TOKEN/NAME",
              "/UPLOAD/TOKEN/NAME", "/upload/TOKEN/other", "/%75pload/TOKEN/NAME", "/upload/TOKEN/NAME%0d%0aX-A:%20b",
              "/upload/./TOKEN/NAME", "/upload/TOKEN/N%", "/upload/TOKEN/" + "x" * 3000]


def test_paths_lead_nowhere_else(server, client):
    """Plain, encoded once and twice, NUL, backslashes; to read and to write."""
    put_url, get_url = slot(client, name="NAME", size=5)
    assert put(server, put_url, b"abcde").status == 201
    token = urlsplit(get_url).path.split("/")[2]
    before = sorted(files(server)[1])
    for way, query in itertools.product(TRAVERSALS, ("", "?" + urlsplit(put_url).query)):
        for method, body in (("GET", None), ("HEAD", None), ("PUT", b"abcde")):
            target = way.replace("TOKEN", token) + query
            answer = ask(server, method, target, {"Content-Type": "image/jpeg"}, body)
            assert answer is None or answer.status in (400, 403, 404, 405, 414), "%s %s %r" % (method, target, answer)
            assert answer is None or b"secret" not in answer.body
    assert sorted(files(server)[1]) == before
    assert get(server, get_url).body == b"abcde"


def test_other_methods(server, client):
    url = uploaded(server, client)
    for method in ("POST", "DELETE", "PATCH", "PROPFIND", "TRACE"):
        assert get(server, url, method=method).status == 405
    assert get(server, url).status == 200


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


@pytest.mark.parametrize("type", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript",
                                  "text/html; charset=utf-8", "TEXT/HTML", "application/pdf", "text/plain", "application/zip"])
def test_what_could_run_is_saved(server, client, type):
    """Neither sniffed, nor shown, nor run."""
    url = uploaded(server, client, b"<script>alert(1)</script>", name="page.html", type=type)
    for method in ("GET", "HEAD"):
        h = get(server, url, method=method).headers
        assert h["content-disposition"].startswith("attachment;") and h["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in h["content-security-policy"]
        assert h["content-type"] == (type if type in ("application/pdf", "text/plain", "application/zip")
                                     else "application/octet-stream")


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


def reached(server, url):
    try:
        return get(server, url)
    except OSError:
        return None


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
    day = top / "10" / "x"
    day.mkdir(parents=True)
    for i in range(1200):
        (day / str(i)).write_bytes(b"old")
    (top / "notes.txt").write_bytes(b"the operator's")
    server.replace_daemon("httpgw")
    poll("the old day to go", lambda: not (top / "10").exists())
    assert (top / "notes.txt").exists()
    assert poll("the gateway", lambda: reached(server, url)).body == b"kept"


def test_a_file_ends_at_its_time(server, client):
    """XEP-0363 5: an ephemeral one is not there after the time that its sender has set."""
    from datetime import datetime, timedelta, timezone
    before = datetime.now(timezone.utc) + timedelta(seconds=3)
    purpose = "<ephemeral xmlns='%s' expire-before='%s'/>" % (NS_PURPOSE, before.strftime("%Y-%m-%dT%H:%M:%SZ"))
    put_url, get_url = slot(client, size=3, purpose=purpose)
    assert put(server, put_url, b"abc").status == 201
    poll("it to end", lambda: get(server, get_url).status == 404)
    assert datetime.now(timezone.utc) >= before - timedelta(seconds=2)
    assert put(server, put_url, b"abc").status == 403


def test_links_lead_nowhere(server, client):
    """Who could put a link into the folder could make us read a file of ours."""
    url = uploaded(server, client, b"x" * 600)
    path, = [path for path in files(server)[1] if path.name in url]
    path.unlink()
    path.symlink_to(server.dir / "httpgw.conf")
    assert get(server, url).status in (404, 500)


MIB = 1 << 20


def test_a_full_disk(server, client):
    """507, and nothing of it is left; what has room is taken. (A limit of the size of files stands for the disk.)"""
    small, large = slot(client, size=1000), slot(client, size=4 * MIB)
    with limited(server, "httpgw", resource.RLIMIT_FSIZE, MIB):
        assert put(server, large[0], b"a" * 4 * MIB).status == 507
        assert get(server, large[1]).status == 404
        no_parts(server)
        assert put(server, small[0], b"a" * 1000).status == 201
    assert put(server, large[0], b"b" * 4 * MIB).status == 201, "there is room again"
    assert get(server, large[1]).body == b"b" * 4 * MIB


def test_a_disk_that_fills_up_meanwhile(server, client):
    """The client gets to see why, whatever is on its way still; nothing half-written is served."""
    put_url, get_url = slot(client, size=8 * MIB)
    with Http(server) as http:
        http.head("PUT", target(put_url), {"Content-Type": "image/jpeg"}, 8 * MIB)
        http.send(b"a" * 4 * MIB)
        poll("half of it to be written", lambda: [part for part in files(server)[0] if part.stat().st_size > 2 * MIB])
        with limited(server, "httpgw", resource.RLIMIT_FSIZE, MIB):
            http.send(b"a" * 4 * MIB)
            assert http.answer().status == 507
    assert get(server, get_url).status == 404
    no_parts(server)
