"""The API: ad-hoc commands and messages by JSON over HTTP, as whoever brings the credentials."""

import base64
import json
import re

import pytest

from client import Client
from http_raw import Http
from rest import ADMIN, OURS, as_admin, basic, call, command, run
from server import poll

SERVER = {"domains": ["im.example", "b.example"], "http": True, "conf": {"httpgw.conf": "[api]\nrate = 0\ntime = 5s\n"}}


def problem(answer, status, condition=None):
    """It is what RFC 9457 says."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json" and answer.headers["cache-control"] == "no-store"
    got = json.loads(answer.body)
    assert got["status"] == status and got["title"] and got["type"] == "about:blank" and got.get("condition") == condition, got
    return got


def log_of(server):
    return "\n".join(path.read_text(errors="replace") for path in server.log_files())


# -- commands -----------------------------------------------------------------------------------------------------


def test_a_user_that_was_added_logs_in(server, connect):
    status, got, answer = run(server, ADMIN + "add-user", {"accountjid": "juliet@im.example", "password": "a long one"})
    assert (status, got["status"]) == (200, "completed"), answer
    assert [note["type"] for note in got["note"]] == ["info"]
    assert answer.headers["content-type"] == "application/json" and answer.headers["cache-control"] == "no-store"
    connect().login("juliet", "a long one")


def test_a_domain_of_several(server, connect):
    """The account's own domain is not the one that is asked."""
    status, _, answer = run(server, ADMIN + "add-user", {"accountjid": "juliet@b.example", "password": "a long one"},
                            headers={"Host": "b.example:1234"})
    assert status == 400, "there were two Host headers"
    for target in (command(ADMIN + "add-user") + "?domain=b.example", command(ADMIN + "add-user") + "?x=y&domain=B%2EEXAMPLE"):
        assert call(server, "POST", target, {"accountjid": "j%d@b.example" % len(target), "password": "a long one"})[0] == 200
    problem(call(server, "GET", "/api/commands?domain=c.example")[2], 404)
    problem(call(server, "GET", "/api/commands?domain=%00")[2], 404)


def test_a_list_and_booleans(server, person):
    romeo = person("romeo").login("balcony")
    status, got, _ = run(server, ADMIN + "get-online-users-list")
    assert status == 200
    fields = got["form"]["fields"]
    assert isinstance(fields["onlineuserjids"], list) and romeo.jid.partition("/")[0] in fields["onlineuserjids"]
    assert got["form"]["form_type"] == ADMIN[:-1]


def test_a_table_of_sessions(server, person):
    romeo = person("romeo").login("balcony")
    status, got, _ = run(server, OURS + "sessions")
    assert status == 200 and any(romeo.jid in item.values() for item in got["form"]["items"]), got


def test_a_user_runs_what_he_may(server, person):
    romeo = person("romeo")
    own = basic(romeo.jid, romeo.password)
    problem(run(server, ADMIN + "add-user", {"accountjid": "x@im.example", "password": "y"}, credentials=own)[2], 403, "forbidden")
    problem(run(server, "no-such-command", credentials=own)[2], 404, "item-not-found")


@pytest.mark.parametrize("form, status, condition", [
    ({"accountjid": "romeo@im.example"}, 422, None),
    ({"accountjid": "@im.example", "password": "x"}, 422, "jid-malformed"),
    ({"accountjid": "x@elsewhere.example", "password": "x"}, 404, "item-not-found"),
    ({"accountjid": "admin@im.example", "password": "x"}, 409, "conflict"),
    ({"accountjid": "r@im.example", "password": "x", "password-verify": "y"}, 422, "not-acceptable"),
], ids=str)
def test_what_is_wrong_with_a_form_is_told(server, form, status, condition):
    _, got, answer = run(server, ADMIN + "add-user", form)
    assert answer.status == status and got["detail"], answer
    assert condition is None or got["condition"] == condition


def test_several_calls_on_one_connection(server):
    with Http(server) as http:
        for _ in range(10):
            assert run(server, ADMIN + "get-online-users-list", http=http)[0] == 200


# -- messages -----------------------------------------------------------------------------------------------------


def test_a_message_reaches_who_is_there(server, people):
    romeo, juliet = people("romeo", "juliet")
    there = juliet.login("garden")
    there.send("<presence/>")
    there.sync()
    status, got, answer = call(server, "POST", "/api/messages", {"to": juliet.jid, "body": "I <3 \u2603", "subject": "S", "thread": "T"},
                               credentials=basic(romeo.jid, romeo.password))
    assert status == 202 and got["status"] == "accepted", answer
    message = there.expect("message", body="I <3 \u2603")
    assert message.get("from").startswith(romeo.jid + "/") and message.get("type") == "chat" and message.get("id") == got["id"]


def test_a_message_waits_for_who_is_not(server, people):
    romeo, juliet = people("romeo", "juliet")
    assert call(server, "POST", "/api/messages", {"to": juliet.jid, "body": "later"}, credentials=basic(romeo.jid, romeo.password))[0] == 202
    there = juliet.login("garden")
    there.send("<presence/>")
    there.expect("message", body="later")


def test_an_error_that_comes_at_once_is_told(server, person):
    romeo = person("romeo")
    own = basic(romeo.jid, romeo.password)
    got = problem(call(server, "POST", "/api/messages", {"to": "nobody@im.example", "body": "x"}, credentials=own)[2], 404, "service-unavailable")
    assert got["detail"]
    for message in ({"to": "romeo@", "body": "x"}, {"to": romeo.jid}, {"body": "x"}, {"to": romeo.jid, "body": 5}, {"to": romeo.jid, "body": ""},
                    {"to": romeo.jid, "body": "x", "type": "groupchat"}, {"to": romeo.jid, "body": "x", "from": "admin@im.example"},
                    {"to": romeo.jid, "body": "\x01"}, {"to": romeo.jid, "body": "\uffff"}):
        problem(call(server, "POST", "/api/messages", message, credentials=own)[2], 422)


# -- who may ------------------------------------------------------------------------------------------------------


def test_no_credentials(server):
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic"}, {"Authorization": "Basic !!!"}, {"Authorization": "Digest x"},
                    {"Authorization": "Basic " + base64.b64encode(b"admin").decode()}, {"Authorization": "Basic " + base64.b64encode(b":x").decode()},
                    {"Authorization": "Basic " + base64.b64encode(b"admin:").decode()}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x.y"},
                    {"Authorization": "Basic " + base64.b64encode(b"admin\0:x").decode()},
                    {"Authorization": "Basic " + base64.b64encode(b"adm\xff:x").decode()},
                    {"Authorization": "Basic " + base64.b64encode(b"admin@elsewhere.example:x").decode()}):
        for method, target in (("GET", "/api/commands"), ("GET", "/api/openapi.json"), ("POST", "/api/messages"), ("POST", command("x"))):
            answer = call(server, method, target, {} if method == "POST" else None, credentials={}, headers=headers)[2]
            problem(answer, 401)
            assert "www-authenticate" in answer.headers


def test_wrong_credentials(server, person):
    romeo = person("romeo")
    for own in (basic(romeo.jid, "wrong"), basic("nobody@im.example", "wrong"), basic(romeo.jid, romeo.password + "\u00e9")):
        problem(run(server, ADMIN + "add-user", credentials=own)[2], 401, "not-authorized")
    assert "wrong" not in re.sub("Some|went wrong", "", log_of(server)).replace("Authorization", "")


def test_other_credentials_on_a_connection_do_not_get_its_session(server, people):
    romeo, juliet = people("romeo", "juliet")
    with Http(server) as http:
        assert run(server, ADMIN + "get-online-users-list", http=http)[0] == 200
        assert run(server, ADMIN + "get-online-users-list", http=http, credentials=basic(romeo.jid, romeo.password))[0] == 403
        assert run(server, ADMIN + "get-online-users-list", http=http, credentials=basic(server.admin, "wrong"))[0] == 401
        assert run(server, ADMIN + "get-online-users-list", http=http)[0] == 200
        assert call(server, "GET", "/api/commands", http=http, credentials={})[0] == 401
