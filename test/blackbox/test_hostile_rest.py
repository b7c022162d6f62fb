"""What the hostile try with the API: without TLS, without credentials, from web pages that may not, with paths and hosts that lead
elsewhere, with requests of two lengths, with too much of everything (PEERS group 39)."""

import contextlib
import itertools
import json

import pytest

from http_raw import Http
from rest import ADMIN, as_admin, basic, call, command, log_of, problem, run
from server import poll

SERVER = {"domains": ["im.example"], "http": True, "tls": "required",
          "conf": {"httpgw.conf": "[listen]\nforwarded_from = 127.9.9.9\n[http]\nrequest_time = 2s\n[limits]\nauth_failures_burst = 5\n"
                                  "[api]\nrate = 1\nburst = 40\nbody = 16k\ntime = 3s\ncalls = 8\nper_address = 4\norigins = https://desk.example\n"}}
NUMBER = ADMIN + "get-online-users-num"
addresses = itertools.count(1)


@pytest.fixture
def source():
    """An address that nobody else has: what one test does is not held against the next one."""
    return "127.7.0.%d" % next(addresses)


@pytest.fixture
def tls(source):
    """How a call comes that may come."""
    return {"tls": True, "source": source}


def raw(server, source, text, tls=True):
    """Statuses of all that comes for these bytes until the connection ends; None at the end: it has ended."""
    statuses = []
    with Http(server, tls, source) as http:
        with contextlib.suppress(ConnectionError):
            http.send(text if isinstance(text, bytes) else text.encode())
        while True:
            answer = http.answer()
            statuses.append(answer and answer.status)
            if not answer or answer.headers.get("connection") == "close":
                return statuses


def head(server, method="POST", target=command(NUMBER), host="im.example", more=(), credentials=True):
    lines = ["%s %s HTTP/1.1" % (method, target)] + (["Host: " + host] if host is not None else [])
    lines += ["%s: %s" % it for it in as_admin(server).items()] if credentials else []
    return "\r\n".join(lines + ["Content-Type: application/json", *more]) + "\r\n\r\n"


# -- plain text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"},
                                     {"Forwarded": "proto=https"}], ids=str)
def test_nothing_without_tls(server, source, headers):
    """PEERS 39: secrets over plaintext; and whoever says that he came by TLS."""
    for credentials in (as_admin(server), {"Authorization": "Bearer bh1.YWRtaW5AaW0uZXhhbXBsZQ.AAAA"}, {}):
        for method, target in (("GET", "/api/commands"), ("POST", command(NUMBER)), ("POST", "/api/messages"), ("GET", "/api/openapi.json")):
            got = problem(call(server, method, target, {} if method == "POST" else None, headers, credentials, source=source)[2], 403)
            assert got["detail"] == "TLS is required"
    assert "ip=%s ev=auth" % source not in log_of(server)


def test_a_trusted_proxy_says_that_it_was_tls_and_whose_it_is(server):
    """[listen] forwarded_from: the last address of the list is its; what stands before it anybody may have written."""
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7, 203.0.113.5"}
    assert run(server, NUMBER, headers=said, source="127.9.9.9")[0] == 200
    assert "ip=203.0.113.5 doing=api ev=api_call" in log_of(server) and "198.51.100.7" not in log_of(server)
    said["X-Forwarded-Proto"] = "http"
    assert run(server, NUMBER, headers=said, source="127.9.9.9")[0] == 403


def test_an_address_from_outside_is_not_believed(server, source):
    """PEERS 39: X-Forwarded-For from outside: neither in the log nor where calls are counted."""
    with Http(server, True, source) as http:
        statuses = [call(server, "GET", "/api/commands", headers={"X-Forwarded-For": "192.0.2.%d" % i}, http=http)[0] for i in range(60)]
    assert 429 in statuses and "192.0.2." not in log_of(server)


# -- web pages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/plain; application/json",
                                  "application/jsonx", "", "application/json, text/plain"])
def test_what_a_page_can_send_unasked_is_refused(server, tls, kind):
    """PEERS 39: CSRF: the three types that need no preflight, and what looks like the right one."""
    problem(call(server, "POST", command(ADMIN + "add-user"), headers={"Content-Type": kind},
                 body=b'{"accountjid": "mallory@im.example", "password": "x"}', **tls)[2], 415)
    assert call(server, "POST", command(NUMBER), headers={"Content-Type": "application/json; charset=utf-8"}, body=b"{}", **tls)[0] == 200


@pytest.mark.parametrize("origin, status", [
    ("https://evil.example", 403), ("null", 403), ("https://im.example.evil.example", 403), ("https://evil.example/im.example", 403),
    ("https://desk.example:8443", 403), ("http://desk.example", 403), ("https://desk.example, https://evil.example", 403), ("file://", 403),
    ("https://im.example", 200), ("https://desk.example", 200),
])
def test_origins(server, tls, origin, status):
    for method, target in (("POST", command(NUMBER)), ("GET", "/api/commands")):
        answer = call(server, method, target, {} if method == "POST" else None, {"Origin": origin}, **tls)[2]
        assert answer.status == status
        assert answer.headers.get("access-control-allow-origin") == (origin if origin == "https://desk.example" else None)
        assert "access-control-allow-credentials" not in answer.headers


def test_preflight(server, tls):
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = call(server, "OPTIONS", command(NUMBER), headers={"Origin": "https://evil.example", **asks}, credentials={}, **tls)[2]
    assert not [name for name in answer.headers if name.startswith("access-control")]
    answer = call(server, "OPTIONS", command(NUMBER), headers={"Origin": "https://desk.example", **asks}, credentials={}, **tls)[2]
    assert answer.status == 204 and answer.headers["access-control-allow-origin"] == "https://desk.example"
    assert answer.headers["access-control-allow-headers"] == "Authorization, Content-Type"


# -- paths and hosts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, status", [
    ("/api", 404), ("/api/", 404), ("/api/commands/", 404), ("/api//commands", 404), ("/api/./commands", 404), ("/api/../api/commands", 404),
    ("/api/commands/../commands", 404), ("/api/commands/a/b", 404), ("/api%2fcommands", 404), ("/api/%63ommands", 404), ("/API/commands", 404),
    ("/api/commands/..%2f..%2fhealth", 404), ("/api/commands/%2e%2e", 404), ("/api/commands/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
    ("/api/commands/..%5c..", 404), ("/api/commands/%252e%252e%252f", 404), ("/api/commands/%00", 400), ("/api/commands/a%0d%0aX:y", 400),
    ("/api/commands/%", 400), ("/api/commands/%zz", 400), ("/api/commands/%2", 400), ("/api/commands/%ff", 400), ("/api/commands/%c0%ae", 400),
    ("/api/commands/%ed%a0%80", 400), ("/api/commands/%ef%bf%bf", 400), ("/api/commands/'%3e%3cx%2f%3e", 404), ("/api/commands/" + "a" * 4000, 404),
    ("/api/tokens", 404), ("/api/commands.json", 404), ("/upload/..%2fapi%2fcommands", 404), ("/health/../api/commands", 404),
])
def test_paths(server, source, path, status):
    """PEERS 39: encoded slashes and dot segments are what they are: a command's name, of a command that is not there."""
    assert raw(server, source, head(server, "GET", path, more=["Connection: close"]))[0] == status
    assert raw(server, source, head(server, "POST", path, more=["Connection: close", "Content-Length: 2"]) + "{}")[0] in (status, 405)


def test_other_methods(server, source, tls):
    for method, target, allow in (("DELETE", command("x"), "GET, HEAD, POST"), ("PUT", command("x"), "GET, HEAD, POST"),
                                  ("GET", "/api/messages", "POST"), ("POST", "/api/commands", "GET, HEAD"), ("BREW", "/api/commands", "GET, HEAD")):
        answer = call(server, method, target, {} if method == "POST" else None, **tls)[2]
        assert answer.status == 405 and answer.headers["allow"] == allow


@pytest.mark.parametrize("host, status", [
    (None, 400), ("", 200), ("evil.example", 200), ("evil.example:5281", 200), ("im.example.", 200), ("IM.EXAMPLE:1", 200), ("im.example/x", 200),
    ("[::1]:5281", 200), ("[::1", 200), ("127.0.0.1", 200), ("user@im.example", 200), ("a" * 3000, 200), ("im.example:99999999", 200),
])
def test_hosts(server, source, host, status):
    """PEERS 39: a Host that is none of ours changes nothing: the domain is that of the account."""
    with Http(server, True, source) as http:
        http.send(head(server, "GET", "/api/commands", host).encode())
        answer = http.answer()
    assert answer.status == status
    if status == 200:
        assert json.loads(answer.body)["domain"] == "im.example"


def test_two_hosts_and_an_absolute_target(server, source):
    assert raw(server, source, head(server, "GET", "/api/commands", more=["Host: evil.example", "Connection: close"]))[0] == 400
    assert raw(server, source, head(server, "GET", "https://im.example/api/commands", more=["Connection: close"]))[0] == 404


# -- requests with two ends ---------------------------------------------------------------------------------------


SMUGGLED = "GET /api/commands HTTP/1.1\r\nHost: im.example\r\n\r\n"


@pytest.mark.parametrize("fields, body", [
    (["Content-Length: 2", "Transfer-Encoding: chunked"], "0\r\n\r\n" + SMUGGLED), (["Transfer-Encoding: chunked", "Content-Length: 60"], "0\r\n\r\n" + SMUGGLED),
    (["Content-Length: 2", "Content-Length: 60"], "{}" + SMUGGLED), (["Content-Length: 2", "Content-Length: 2"], "{}" + SMUGGLED),
    (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "0\r\n\r\n" + SMUGGLED), (["Transfer-Encoding: xchunked"], "0\r\n\r\n" + SMUGGLED),
    (["Transfer-Encoding: chunked, identity"], "0\r\n\r\n" + SMUGGLED), (["Content-Length: -1"], SMUGGLED), (["Content-Length: 2x"], "{}" + SMUGGLED),
    (["Content-Length : 60"], "{}" + SMUGGLED), (["Content-Length: 18446744073709551618"], "{}" + SMUGGLED),
], ids=str)
def test_no_request_is_smuggled(server, source, fields, body):
    """RFC 9112 6.3, 11.2: nothing behind a request whose end is doubtful is taken for another one."""
    statuses = raw(server, source, head(server, more=fields) + body)
    assert [status for status in statuses if status] in ([400], [413], []), statuses


def test_chunked_is_fine_where_it_is_all(server, source):
    with Http(server, True, source) as http:
        http.send((head(server, more=["Transfer-Encoding: chunked"]) + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n").encode())
        assert http.answer().status == 200
        assert run(server, NUMBER, http=http)[0] == 200


# -- too much -----------------------------------------------------------------------------------------------------


def test_header_bombs(server, source, tls):
    for more in (["X-%d: y" % i for i in range(2000)], ["X: " + "y" * 100000], ["Cookie: " + "a=b; " * 20000], ["X" * 50000 + ": y"],
                 ["Authorization: Basic " + "A" * 60000]):
        statuses = raw(server, source, head(server, "GET", "/api/commands", more=more))
        assert statuses[0] in (None, 400, 413, 414, 431), statuses
    assert raw(server, source, "GET /api/commands?" + "x" * 100000 + " HTTP/1.1\r\nHost: im.example\r\n\r\n")[0] in (None, 400, 414, 431)
    assert run(server, NUMBER, **tls)[0] == 200


def test_large_bodies(server, source, tls):
    answer = call(server, "POST", command(NUMBER), body=b" " * 16383 + b"{}", **tls)[2]
    assert answer.status == 413
    assert raw(server, source, head(server, more=["Content-Length: 1000000000000", "Connection: close"]))[0] == 413
    statuses = raw(server, source, head(server, more=["Transfer-Encoding: chunked"]) + ("1000\r\n" + " " * 4096 + "\r\n") * 10 + "0\r\n\r\n")
    assert statuses[0] in (None, 413), statuses
    assert call(server, "POST", command(NUMBER), body=b" " * 16382 + b"{}", **tls)[0] == 200
    assert call(server, "GET", "/api/commands", body=b"{}", **tls)[0] == 413


def test_a_slow_body_is_not_waited_for(server, source):
    """[http] request_time: the rest never comes, and the connection is ended."""
    with Http(server, True, source) as http:
        http.send((head(server, more=["Content-Length: 100"]) + "{").encode())
        assert http.answer() is None
    assert "ip=%s ev=auth" % source not in log_of(server)


@pytest.mark.parametrize("body, status", [
    (b'{"a":1,"a":2}', 400), (b"[" * 16000, 400), (b'{"a":' * 3000, 400), (b'{"a":1e999}', 400), (b'{"a":123456789012345678901234567890}', 400),
    (b'{"a":"\xff"}', 400), (b'{"a":"\\u0000"}', 400), (b'{"a":"\\ud800"}', 400), (b"[]", 400), (b"1", 400), (b"null", 400), (b"{", 400),
    (b'{"a":1}{"b":2}', 400), (b"\xef\xbb\xbf{}", 400), (b'{"a":{"b":1}}', 422), (b'{"a":[[1]]}', 422), (b'{"a":"\\u0001"}', 422),
    (b'{"\\u0001":1}', 422), (b'{"a":"\\uffff"}', 422), (b'{"a":[' + b"1," * 7000 + b"1]}", 422),
], ids=lambda it: repr(it[:24]) if isinstance(it, bytes) else str(it))
def test_bodies_that_are_none(server, tls, body, status):
    problem(call(server, "POST", command(NUMBER), body=body, **tls)[2], status)


def test_a_thousand_members(server, tls):
    """PEERS 40: fields that the command does not know are nothing to it."""
    many = {"f%d" % i: i for i in range(1000)}
    assert run(server, NUMBER, many, **tls)[0] == 200
    problem(run(server, NUMBER, {**many, "one more": 1}, **tls)[2], 422)


def test_a_flood_of_calls(server, source, tls):
    """Over the rate of an address: 429, and when to come back; others are served."""
    with Http(server, True, source) as http:
        answers = [call(server, "GET", "/api/commands", http=http, credentials={} if i % 2 else None)[2] for i in range(60)]
    statuses = [answer.status for answer in answers]
    assert statuses.count(429) >= 10 and set(statuses) == {200, 401, 429}
    limited = [answer for answer in answers if answer.status == 429][0]
    assert int(limited.headers["retry-after"]) >= 1
    problem(limited, 429)
    assert run(server, NUMBER, tls=True, source="127.7.1.1")[0] == 200


def test_a_flood_of_guesses(server, source, tls):
    """Failed logins count for the address, whatever they are for; the right password is not told from a wrong one then."""
    statuses = [run(server, NUMBER, credentials=basic("user%d@im.example" % i, "guess"), **tls)[0] for i in range(12)]
    assert statuses[:5] == [401] * 5 and statuses[-1] == 429
    answer = run(server, NUMBER, **tls)[2]
    problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert run(server, NUMBER, tls=True, source="127.7.1.2")[0] == 200


def test_too_many_at_once(server):
    """While nobody answers: so many from one address, so many in all; and what waits is told in time that nothing came."""
    with server.without("sessman"), contextlib.ExitStack() as stack:
        def begin(source):
            http = stack.enter_context(Http(server, True, source))
            http.head("GET", "/api/commands", as_admin(server))
            return http
        waiting = [begin("127.7.2.%d" % (i // 4)) for i in range(8)]
        answer = begin("127.7.2.0").answer()
        problem(answer, 429)
        answer = begin("127.7.2.9").answer()
        problem(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        for http in waiting:
            problem(http.answer(), 504)
    assert run(server, NUMBER, tls=True, source="127.7.2.0")[0] == 200


def test_a_caller_that_does_not_wait(server, source, tls):
    """It goes before it is answered, in every state of a call."""
    whole = head(server, more=["Content-Length: 2"]) + "{}"
    for end in range(len(whole) - 4, len(whole) + 1):
        with Http(server, True, source) as http:
            http.send(whole[:end].encode())
    assert run(server, NUMBER, **tls)[0] == 200


def test_off(server, tls):
    """[api] enabled = no: there is nothing."""
    path = server.dir / "httpgw.conf"
    kept = path.read_text()
    try:
        path.write_text(kept + "\n[api]\nenabled = no\n")
        server.run("reload")
        poll("the API to be off", lambda: call(server, "GET", "/api/commands", source="127.7.3.%d" % next(addresses), tls=True)[0] == 404)
    finally:
        path.write_text(kept)
        server.run("reload")
    poll("the API to be on", lambda: call(server, "GET", "/api/commands", source="127.7.3.%d" % next(addresses), tls=True)[0] == 200)
