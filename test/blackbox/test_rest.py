"""The API: ad-hoc commands and messages by JSON over HTTP, as whoever brings the credentials."""

import base64
import json
import os
import re
import signal
import threading
from urllib.parse import unquote

import jsonschema
import pytest

from http_raw import Http
from rest import ADMIN, OURS, as_admin, basic, call, command, log_of, problem, run
from server import poll

SERVER = {"domains": ["im.example", "b.example"], "http": True, "conf": {"httpgw.conf": "[api]\nrate = 0\ntime = 5s\nkeep = 1m\n"}}


def api_sessions(server):
    with Http(server) as http:
        text = http.ask("GET", "/metrics").body.decode()
    return int(float(re.search(r"^bulkhead_httpgw_api_sessions\S* (\S+)$", text, re.M)[1]))


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


def test_an_answer_to_a_call_s_session_is_not_lost(server, people):
    """Nobody reads there: it waits for the account's next client."""
    romeo, juliet = people("romeo", "juliet")
    there = juliet.login("garden")
    there.send("<presence/>")
    there.sync()
    with Http(server) as http:
        assert call(server, "POST", "/api/messages", {"to": juliet.jid, "body": "ping"}, credentials=basic(romeo.jid, romeo.password), http=http)[0] == 202
        whom = there.expect("message", body="ping").get("from")
        there.send("<message to='%s' type='chat'><body>pong</body></message>" % whom)
        there.sync()
    poll("the session to end", lambda: api_sessions(server) == 0)
    it = romeo.login("balcony")
    it.send("<presence/>")
    it.expect("message", body="pong")


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
    assert log_of(server).count("ev=auth_failed mech=PLAIN user=%s " % romeo.user) == 2


def test_a_login_serves_its_connection_and_ends_with_it(server):
    """[api] keep is longer than this waits."""
    poll("no session to be there", lambda: api_sessions(server) == 0)
    with Http(server) as http:
        for _ in range(3):
            assert run(server, ADMIN + "get-online-users-num", http=http)[0] == 200
        poll("one session to be told", lambda: api_sessions(server) == 1)
    poll("the session to end", lambda: api_sessions(server) == 0)


def test_other_credentials_on_a_connection_do_not_get_its_session(server, people):
    romeo, juliet = people("romeo", "juliet")
    with Http(server) as http:
        assert run(server, ADMIN + "get-online-users-list", http=http)[0] == 200
        assert run(server, ADMIN + "get-online-users-list", http=http, credentials=basic(romeo.jid, romeo.password))[0] == 403
        assert run(server, ADMIN + "get-online-users-list", http=http, credentials=basic(server.admin, "wrong"))[0] == 401
        assert run(server, ADMIN + "get-online-users-list", http=http)[0] == 200
        assert call(server, "GET", "/api/commands", http=http, credentials={})[0] == 401


def test_a_call_leaves_a_line_in_the_log_and_no_secret(server, person):
    romeo = person("romeo")
    own = basic(romeo.jid, romeo.password)
    run(server, ADMIN + "add-user", {"accountjid": "x@im.example", "password": "never in a log"}, credentials=own)
    call(server, "POST", command(ADMIN + "add-user"), body=b'{"password" "never in a log"}', credentials=own)
    log = log_of(server)
    line = [line for line in log.splitlines() if "ev=api_call" in line and "who=" + romeo.jid in line][0]
    assert "status=403" in line and "node=" + ADMIN + "add-user" in line and " ms=" in line and "ip=127.0.0.1" in line
    assert "never in a log" not in log and romeo.password not in log and own["Authorization"].split()[1] not in log


# -- what there is ------------------------------------------------------------------------------------------------


def test_the_list_of_commands(server, person):
    status, got, _ = call(server, "GET", "/api/commands")
    all_of_them = {it["node"]: it for it in got["commands"]}
    assert status == 200 and got["domain"] == "im.example" and len(all_of_them) == len(got["commands"])
    add = all_of_them[ADMIN + "add-user"]
    assert add["changes"] is True and add["title"] and not all_of_them[OURS + "sessions"]["changes"]
    fields = {it["var"]: it for it in add["form"]["fields"]}
    assert fields["password"]["type"] == "text-private" and fields["password"]["required"] is True
    assert call(server, "GET", command(ADMIN + "add-user"))[1] == add
    romeo = person("romeo")
    own = basic(romeo.jid, romeo.password)
    assert ADMIN + "add-user" not in [it["node"] for it in call(server, "GET", "/api/commands", credentials=own)[1]["commands"]]
    assert call(server, "GET", command(ADMIN + "add-user"), credentials=own)[0] in (403, 404)
    assert call(server, "GET", command("no-such-command"))[0] == 404
    head = call(server, "HEAD", "/api/commands")[2]
    assert head.status == 200 and int(head.headers["content-length"]) > 1000


def every(tree, key):
    """Every value of a key, however deep."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from every(value, key)
    elif isinstance(tree, list):
        for it in tree:
            yield from every(it, key)


def test_the_description_is_openapi(server):
    """OpenAPI 3.1.0 4.8: what each object must have, its schemas by their own meta-schema, its references by following them."""
    status, doc, _ = call(server, "GET", "/api/openapi.json")
    assert status == 200 and doc["openapi"] == "3.1.0" and doc["info"]["title"] and doc["info"]["version"]
    schemas = list(every(doc, "schema")) + list(doc["components"]["schemas"].values())
    assert len(schemas) > 50
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in every(doc, "$ref"):
        _, components, kind, name = reference.split("/")
        assert doc[components][kind][name]
    ids = list(every(doc["paths"], "operationId"))
    assert len(ids) == len(set(ids))
    for path, item in doc["paths"].items():
        assert path.startswith("/api/") and set(item) <= {"get", "post"}
        for operation in item.values():
            assert operation["summary"] and set(operation["responses"]) >= {"default"}
            assert all(response["description"] for response in operation["responses"].values())
            assert ("{node}" in path) == ("node" in [it["name"] for it in operation["parameters"]])
    for requirement in doc["security"]:
        assert set(requirement) <= set(doc["components"]["securitySchemes"])
    listed = {it["node"] for it in call(server, "GET", "/api/commands")[1]["commands"]}
    assert {unquote(path[len("/api/commands/"):]) for path in doc["paths"] if path.startswith("/api/commands/")} - {"{node}"} == listed
    body = doc["paths"][command(ADMIN + "add-user")]["post"]["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(body).validate({"accountjid": "x@y", "password": "z", "admin": True})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(body).validate({"accountjid": "x@y", "admin": "yes"})


# -- what is in the middle of a call ------------------------------------------------------------------------------


def pids_of(server, name):
    return [pid for pid, daemon in server.daemons().items() if name in daemon]


@pytest.mark.parametrize("daemon", ["sessman", "router"])
@pytest.mark.parametrize("logged_in", [False, True])
def test_a_daemon_that_dies_in_the_middle_of_a_call(server, daemon, logged_in):
    """It is answered in time in any case; and whoever comes after it is served."""
    with Http(server) as http:
        if logged_in:
            assert run(server, ADMIN + "get-online-users-num", http=http)[0] == 200
        for pid in pids_of(server, daemon):
            os.kill(pid, signal.SIGSTOP)
        http.head("POST", command(ADMIN + "get-online-users-num"), {**as_admin(server), "Content-Type": "application/json"}, 2)
        http.send(b"{}")
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(http.answer()))
        waiting.start()
        server.kill_daemon(daemon)
        waiting.join()
        assert answers[0] and answers[0].status in (200, 503, 504), answers
    assert run(server, ADMIN + "get-online-users-num")[0] == 200


def test_no_answer_in_time(server):
    with server.without("sessman"), Http(server) as http:
        answer = run(server, ADMIN + "get-online-users-num", http=http)[2]
        problem(answer, 504)
    assert run(server, ADMIN + "get-online-users-num")[0] == 200


def test_the_gateway_stops_in_the_middle_of_a_call(server):
    """Who waits is told so."""
    try:
        for pid in pids_of(server, "sessman"):
            os.kill(pid, signal.SIGSTOP)
        with Http(server) as http:
            http.head("GET", "/api/commands", as_admin(server))
            poll("the call to be there", lambda: api_sessions(server) == 1)
            for pid in pids_of(server, "httpgw"):
                os.kill(pid, signal.SIGTERM)
            problem(http.answer(), 503)
            assert http.ended()
    finally:
        for pid in pids_of(server, "sessman"):
            os.kill(pid, signal.SIGCONT)
    poll("the gateway to be there again", server.answers)
    server.pids = server.daemons()
    assert run(server, ADMIN + "get-online-users-num")[0] == 200
