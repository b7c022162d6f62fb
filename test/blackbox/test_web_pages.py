"""The gateway's own pages, /admin/ and /chat/: what is given out, what never is, and how it may be used (httpgw/web.c)."""

import gzip
import http.client
import json
import os
import re

import pytest

import server as servers
from client import PATIENCE, tls_context

PROXY = "127.0.0.2"     # connections from it are those of an HTTP proxy
PAGE = b"<!DOCTYPE html><title>A page</title>" + b"<p>It is long enough to be worth compressing.</p>" * 50
FILES = {"admin/index.html": PAGE, "admin/app.js": b"'use strict';", "admin/style.css": b"a { color: red }", "admin/empty.txt": b"",
         "admin/.hidden": b"secret", "admin/sub/index.html": b"below", "admin/sub/icon.svg": b"<svg/>", "admin/two words.txt": b"secret",
         "chat/index.html": b"chat", "outside.txt": b"beside the pages"}


class Pages(servers.Server):
    def init(self):
        super().init()
        for name, data in FILES.items():
            path = self.dir / "pages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        pages = self.dir / "pages"
        (pages / "admin/index.html.gz").write_bytes(gzip.compress(PAGE))
        os.symlink(self.dir / "sessman.conf", pages / "admin/link.txt")
        os.symlink("app.js", pages / "admin/inside.js")
        os.symlink(self.dir, pages / "admin/up")
        os.mkfifo(pages / "admin/pipe")
        with open(self.dir / "httpgw.conf", "a") as conf:
            conf.write("\n[listen]\nforwarded_from = %s\n[web]\npath = pages\n" % PROXY)


@pytest.fixture(scope="module")
def server():
    with servers.running(Pages(domains=("a.example", "b.example"), http=True)) as it:
        yield it


@pytest.fixture
def get(server):
    """get("/path") → (status, headers, body)"""
    def ask(path, method="GET", source=None, tls=False, host="a.example", **headers):
        kind, port = (http.client.HTTPSConnection, "https") if tls else (http.client.HTTPConnection, "http")
        how = {"context": tls_context()} if tls else {}
        it = kind(server.host, server.port(port), timeout=PATIENCE, source_address=(source, 0) if source else None, **how)
        it.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host, "Connection": "close", **headers}.items():
            it.putheader(name.replace("_", "-"), value)
        it.endheaders()
        answer = it.getresponse()
        body = answer.read()
        it.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
    return ask


def reconfigure(server, old, new, seen):
    path = server.dir / "httpgw.conf"
    path.write_text(path.read_text().replace(old, new))
    server.run("reload")
    servers.poll("the new configuration", seen)


# -- what is given out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, file, kind", [
    ("/admin/", "admin/index.html", "text/html; charset=utf-8"), ("/admin/index.html", "admin/index.html", "text/html; charset=utf-8"),
    ("/admin/app.js", "admin/app.js", "text/javascript; charset=utf-8"), ("/admin/app.js?v=2", "admin/app.js", "text/javascript; charset=utf-8"),
    ("/admin/style.css", "admin/style.css", "text/css; charset=utf-8"), ("/admin/sub/", "admin/sub/index.html", "text/html; charset=utf-8"),
    ("/admin/sub/icon.svg", "admin/sub/icon.svg", "image/svg+xml"), ("/admin/empty.txt", "admin/empty.txt", "text/plain; charset=utf-8"),
    ("/chat/", "chat/index.html", "text/html; charset=utf-8"),
])
def test_a_file(get, path, file, kind):
    for tls in (False, True):
        status, headers, body = get(path, tls=tls)
        assert (status, headers["content-type"], body) == (200, kind, FILES[file])
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/admin", "/chat"])
def test_the_slash_is_added(get, path):
    status, headers, _ = get(path)
    assert (status, headers["location"]) == (308, path[1:] + "/")       # relative: a proxy may have put something in front


def test_head(get):
    status, headers, body = get("/admin/", "HEAD")
    assert status == 200 and body == b"" and int(headers["content-length"]) == len(PAGE)
    assert headers["etag"] == get("/admin/")[1]["etag"]


def test_other_methods(get):
    status, headers, _ = get("/admin/", "DELETE")
    assert status == 405 and headers["allow"] == "GET, HEAD"


def test_what_the_browser_has_is_not_sent_again(get):
    etag = get("/admin/")[1]["etag"]
    for known in (etag, 'W/"x", W/%s' % etag, "*"):
        status, headers, body = get("/admin/", If_None_Match=known)
        assert (status, body, headers["etag"]) == (304, b"", etag) and "content-security-policy" in headers
    assert get("/admin/", If_None_Match='"other"')[0] == 200
    assert get("/admin/app.js", If_None_Match=etag)[0] == 200


@pytest.mark.parametrize("accept, coded", [
    ("gzip", True), ("deflate, GZIP;q=0.5", True), ("br, *", True), ("gzip;q=0", False), ("gzip;q=0.00, *", False), ("br", False), ("", False),
])
def test_gzip_where_it_lies_beside(get, accept, coded):
    status, headers, body = get("/admin/", Accept_Encoding=accept)
    assert status == 200 and headers["vary"] == "Accept-Encoding" and (headers.get("content-encoding") == "gzip") == coded
    assert (gzip.decompress(body) if coded else body) == PAGE
    assert (headers["etag"] != get("/admin/")[1]["etag"]) == coded
    assert get("/admin/", Accept_Encoding=accept, If_None_Match=headers["etag"])[0] == 304
    assert "content-encoding" not in get("/admin/app.js", Accept_Encoding=accept)[1]


# -- what never is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [
    "/admin/../outside.txt", "/admin/%2e%2e/outside.txt", "/admin/..%2foutside.txt", "/admin/%2e%2e%2foutside.txt", "/admin/.%2e/outside.txt",
    "/admin/%252e%252e/outside.txt", "/admin/..\\outside.txt", "/admin/..%5coutside.txt", "/admin/%c0%ae%c0%ae/outside.txt",
    "/admin/..;/outside.txt", "/admin/....//outside.txt", "/admin/sub/../../outside.txt", "/admin/sub/../index.html", "/admin/./index.html",
    "/admin//index.html", "//admin/index.html", "/admin/%69ndex.html", "/admin/index.html/", "/admin/index.html%00.js", "/admin/index.html.",
    "/admin/../chat/index.html", "/admin//etc/passwd", "/admin/../../../../../../etc/passwd", "/outside.txt", "/chat/../../sessman.conf",
    "/ADMIN/", "/Admin/index.html", "/admin/INDEX.HTML", "/admin/sub", "/admin/nothing", "/admin/index.html.gz", "/administrator",
])
def test_paths_that_lead_elsewhere(get, path):
    status, _, body = get(path)
    assert status == 404 and body == b"there is nothing here\n"


@pytest.mark.parametrize("path", ["/admin/link.txt", "/admin/inside.js", "/admin/up/sessman.conf", "/admin/up/pages/outside.txt", "/admin/pipe",
                                  "/admin/.hidden", "/admin/two words.txt".replace(" ", "%20"), "/admin/two+words.txt"])
def test_links_and_hidden_files(get, path):
    assert get(path)[0] == 404


def test_a_link_put_in_the_place_of_a_file(server, get):
    """What was read at the start is given out, whatever lies there now."""
    path = server.dir / "pages/admin/style.css"
    path.unlink()
    os.symlink(server.dir / "sessman.conf", path)
    assert get("/admin/style.css")[2] == FILES["admin/style.css"]
    server.run("reload")
    servers.poll("the pages to be read again", lambda: get("/admin/style.css")[0] == 404)
    path.unlink()
    path.write_bytes(FILES["admin/style.css"])
    server.run("reload")
    servers.poll("the pages to be read again", lambda: get("/admin/style.css")[0] == 200)


# -- how it may be used -----------------------------------------------------------------------------------------------


def policy(headers):
    return {name: rest.split() for name, _, rest in (part.strip().partition(" ") for part in headers["content-security-policy"].split(";"))}


@pytest.mark.parametrize("path", ["/admin/", "/admin/app.js", "/admin/settings.json", "/chat/"])
def test_what_a_page_may_do(server, get, path):
    _, headers, _ = get(path, tls=True)
    csp, port = policy(headers), server.port("https")
    for name in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert csp[name] == ["'none'"]
    assert csp["script-src"] == ["'self'"]
    assert csp["connect-src"] == ["'self'", "wss://a.example:%d" % port, "https://a.example:%d" % port]
    assert headers["referrer-policy"] == "no-referrer" and headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin" and "access-control-allow-origin" not in headers
    if path.startswith("/admin"):
        assert csp["style-src"] == ["'self'"]


def test_settings(server, get):
    for area in ("admin", "chat"):
        status, headers, body = get("/%s/settings.json" % area, host="B.example:5281")
        assert status == 200 and headers["content-type"] == "application/json"
        assert json.loads(body) == {"domain": "b.example", "websocket": "../ws", "bosh": "../http-bind"}
        # of several domains nobody is told who has not asked for them
        _, headers, body = get("/%s/settings.json" % area, host="192.0.2.1")
        assert json.loads(body)["domain"] is None and policy(headers)["connect-src"] == ["'self'"]
    assert get("/admin/settings.json", host="a.example; script-src *")[0] in (200, 400)


def test_a_host_that_would_break_the_policy(get):
    for host in ("a.example; script-src *", "a.example script-src", "\"a.example\"", "x;y"):
        status, headers, _ = get("/admin/", host=host)
        assert status == 400 or policy(headers)["script-src"] == ["'self'"]


def test_without_tls_there_is_no_page(server, get):
    """Nobody can log in then but from this very host: by a proxy that says so, or by TLS."""
    port = server.port("https")
    status, headers, _ = get("/admin/sub/?x", source=PROXY)
    assert (status, headers["location"]) == (307, "https://a.example:%d/admin/" % port)
    for host in ("a.example@evil.example", "a.example/evil", "evil\\", ""):
        assert get("/admin/", source=PROXY, host=host)[0] in (400, 403)
    assert get("/admin/", source=PROXY, X_Forwarded_Proto="https")[2] == PAGE
    assert get("/admin/settings.json", source=PROXY)[0] == 307


def test_switched_off(server, get):
    assert get("/chat/")[0] == 200
    reconfigure(server, "[web]\n", "[web]\nchat = no\n", lambda: get("/chat/")[0] == 404)
    assert [get(path)[0] for path in ("/chat", "/chat/settings.json", "/admin/")] == [404, 404, 200]
    reconfigure(server, "chat = no\n", "admin = no\n", lambda: get("/admin/")[0] == 404)
    assert [get(path)[0] for path in ("/admin", "/admin/settings.json", "/chat/")] == [404, 404, 200]
    reconfigure(server, "admin = no\n", "", lambda: get("/admin/")[0] == 200)


def test_a_folder_that_is_not_there(server, get):
    reconfigure(server, "path = pages", "path = nowhere", lambda: get("/chat/")[0] == 404)
    assert get("/health")[0] == 200 and get("/admin/settings.json")[0] == 404
    log = (server.dir / "log" / "httpgw-1.log").read_text()
    assert re.search(r"level=warn .*ev=web_pages_missing .*nowhere", log)
    assert re.search(r"warn +pages: .*nowhere", server.run("check", check=False).stdout)
    reconfigure(server, "path = nowhere", "path = pages", lambda: get("/chat/")[0] == 200)
    assert "pages:" not in re.sub(r"ok +pages:", "", server.run("check", check=False).stdout)
