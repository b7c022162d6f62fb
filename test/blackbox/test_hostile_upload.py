"""What the hostile try with uploads (XEP-0363): slots that are none, other sizes and types, paths that lead elsewhere, bodies that never
end, files that would run in a browser; and a disk that is full."""

import itertools
import resource
import socket
import struct
import threading
from urllib.parse import urlsplit

import pytest

from http_raw import Http, ask
from server import poll
from test_hostile_shortage import limited
from upload import files, get, no_parts, option, put, slot, target, uploaded

SERVER = {"domains": ["localhost"], "http": True}


@pytest.fixture
def client(person):
    return person("romeo").login("balcony")


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
