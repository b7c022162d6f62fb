"""Tokens for the API (OAUTHBEARER, RFC 6750): what one may and what not, and when it is over."""

import base64
import contextlib
import sqlite3

import pytest

from http_raw import Http
from rest import ADMIN, OURS, as_admin, basic, bearer, call, log_of, problem, run

SERVER = {"domains": ["im.example", "b.example"], "http": True, "conf": {"httpgw.conf": "[api]\nrate = 0\n"}}
NUMBER = ADMIN + "get-online-users-num"


def issue(server, credentials, scopes, **more):
    """(the token, its number)."""
    status, got, answer = run(server, OURS + "token-issue", {"label": "a test", "scopes": scopes, **more}, credentials=credentials)
    assert status == 200 and got["status"] == "completed", answer
    fields = got["form"]["fields"]
    return fields["token"], fields["id"]


def refused(answer):
    """RFC 6750 3.1."""
    problem(answer, 401, "not-authorized" if b"condition" in answer.body else None)
    assert answer.headers["www-authenticate"]
    return True


def test_a_token_is_as_good_as_its_owner(server, connect):
    token, number = issue(server, as_admin(server), ["commands", "message"])
    assert run(server, NUMBER, credentials=bearer(token))[0] == 200
    assert run(server, ADMIN + "add-user", {"accountjid": "juliet@im.example", "password": "a long one"}, credentials=bearer(token))[0] == 200
    connect().login("juliet", "a long one")
    assert len(call(server, "GET", "/api/commands", credentials=bearer(token))[1]["commands"]) > 10
    assert call(server, "POST", "/api/messages", {"to": "juliet@im.example", "body": "x"}, credentials=bearer(token))[0] == 202
    listed = run(server, OURS + "tokens", credentials=bearer(token))[1]["form"]["items"]
    assert [it for it in listed if it["id"] == number and it["label"] == "a test" and it["scopes"] == "commands message"], listed
    assert token not in log_of(server) and token.rpartition(".")[2] not in log_of(server)


def test_one_of_another_domain(server, person):
    romeo = person("romeo", "b.example")
    token, _ = issue(server, basic(romeo.jid, romeo.password), ["commands", "message"])
    status, got, answer = call(server, "GET", "/api/commands", credentials=bearer(token))
    assert status == 200, answer
    assert call(server, "POST", "/api/messages", {"to": romeo.jid, "body": "x"}, credentials=bearer(token))[0] == 202


@pytest.mark.parametrize("scopes, may, may_not", [
    (["commands:read"], [NUMBER, OURS + "sessions"], [ADMIN + "add-user", OURS + "token-issue", OURS + "token-revoke"]),
    (["command:" + NUMBER], [NUMBER], [OURS + "sessions", ADMIN + "add-user"]),
    (["message"], [], [NUMBER, ADMIN + "add-user"]),
    (["commands"], [NUMBER], [OURS + "token-issue"]),
], ids=str)
def test_what_a_token_may(server, scopes, may, may_not):
    token, _ = issue(server, as_admin(server), scopes)
    for node in may:
        assert run(server, node, credentials=bearer(token))[0] == 200, node
    for node in may_not:
        answer = run(server, node, {"accountjid": "x@im.example", "password": "x", "id": 1, "label": "x", "scopes": ["message"]},
                     credentials=bearer(token))[2]
        problem(answer, 403, "forbidden")
        assert "insufficient_scope" in answer.headers["www-authenticate"]
    answer = call(server, "POST", "/api/messages", {"to": server.admin, "body": "x"}, credentials=bearer(token))[2]
    if scopes == ["message"]:
        assert answer.status == 202
        assert call(server, "GET", "/api/commands", credentials=bearer(token))[0] == 403
    else:
        problem(answer, 403, "forbidden")
        listed = {it["node"] for it in call(server, "GET", "/api/commands", credentials=bearer(token))[1]["commands"]}
        assert set(may) <= listed and not listed & set(may_not)


def test_a_user_s_token_is_no_administrator(server, person):
    romeo = person("romeo")
    token, _ = issue(server, basic(romeo.jid, romeo.password), ["commands"])
    problem(run(server, ADMIN + "add-user", {"accountjid": "x@im.example", "password": "x"}, credentials=bearer(token))[2], 403, "forbidden")


def test_a_revoked_token(server):
    """Also a session that is there already ends with it."""
    token, number = issue(server, as_admin(server), ["commands"])
    with Http(server) as http:
        assert run(server, NUMBER, credentials=bearer(token), http=http)[0] == 200
        assert run(server, OURS + "token-revoke", {"id": int(number)})[0] == 200
        assert refused(run(server, NUMBER, credentials=bearer(token), http=http)[2])
    assert refused(run(server, NUMBER, credentials=bearer(token))[2])


def test_a_login_that_ends_for_another_s_sake(server, person):
    """Whenever a token or a password ends, all logins of the API do; whose credentials are good does not notice."""
    romeo = person("romeo")
    own = basic(romeo.jid, romeo.password)
    kept, _ = issue(server, own, ["commands", "message"])
    with Http(server) as http, Http(server) as other:
        for _ in range(3):
            assert run(server, OURS + "tokens", credentials=bearer(kept), http=http)[0] == 200
            assert call(server, "POST", "/api/messages", {"to": romeo.jid, "body": "x"}, credentials=own, http=other)[0] == 202
            _, number = issue(server, as_admin(server), ["commands"])
            assert run(server, OURS + "token-revoke", {"id": int(number)})[0] == 200


def test_a_changed_password_ends_tokens(server, person):
    romeo = person("romeo")
    token, _ = issue(server, basic(romeo.jid, romeo.password), ["commands:read"])
    with Http(server) as http, Http(server) as other:
        assert run(server, OURS + "tokens", credentials=bearer(token), http=http)[0] == 200
        assert run(server, OURS + "tokens", credentials=basic(romeo.jid, romeo.password), http=other)[0] == 200
        assert run(server, ADMIN + "change-user-password", {"accountjid": romeo.jid, "password": "another one"})[0] == 200
        assert refused(run(server, OURS + "tokens", credentials=bearer(token), http=http)[2])
        assert refused(run(server, OURS + "tokens", credentials=basic(romeo.jid, romeo.password), http=other)[2])
    assert run(server, OURS + "tokens", credentials=basic(romeo.jid, "another one"))[0] == 200


def test_tokens_that_are_none(server, person):
    """Garbage is refused here, a guess by who keeps them."""
    romeo = person("romeo")
    token, _ = issue(server, as_admin(server), ["commands"])
    kind, user, secret = token.split(".")
    other = base64.urlsafe_b64encode(romeo.jid.encode()).decode().rstrip("=")
    nobody = base64.urlsafe_b64encode(b"nobody@im.example").decode().rstrip("=")
    foreign = base64.urlsafe_b64encode(b"admin@elsewhere.example").decode().rstrip("=")
    for bad in ("", ".", token[:-1], token + "x", token + "=", token + ".x", "%s.%s" % (kind, user), "bh2.%s.%s" % (user, secret), "%s.%s.%s" % (kind, other, secret),
                "%s.%s.%s" % (kind, nobody, secret), "%s.%s.%s" % (kind, foreign, secret), "%s.%s.%s" % (kind, user, "A" * 43), "x" * 8000,
                token + "\x01\x01auth=Bearer " + token, "%s.%s.%s" % (kind, base64.urlsafe_b64encode(b"im.example").decode().rstrip("="), secret),
                "%s.%s.%s" % (kind, base64.urlsafe_b64encode(server.admin.upper().encode()).decode().rstrip("="), secret), token.swapcase()):
        answer = run(server, NUMBER, credentials={"Authorization": "Bearer " + bad})[2]
        assert answer.status in (400, 401), (bad, answer)
    assert run(server, NUMBER, credentials={"Authorization": "bearer  %s " % token})[0] == 200
    assert run(server, NUMBER, credentials={"Authorization": "Basic " + token})[0] == 401
    assert refused(run(server, NUMBER, credentials=basic(server.admin, token))[2])


def test_a_token_whose_time_is_over(server):
    token, number = issue(server, as_admin(server), ["commands"], days=1)
    assert run(server, NUMBER, credentials=bearer(token))[0] == 200
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "bulkhead.db")) as store:
        assert store.execute("UPDATE api_token SET expires_ms = 1000 WHERE id = ?", (int(number),)).rowcount == 1
        store.commit()
    assert refused(run(server, NUMBER, credentials=bearer(token))[2])
    assert run(server, NUMBER)[0] == 200


def test_a_token_is_of_no_use_to_a_client(server, connect):
    """OAUTHBEARER is for the API alone."""
    token, _ = issue(server, as_admin(server), ["commands"])
    it = connect()
    it.begin()
    assert "OAUTHBEARER" not in it.mechanisms()
    message = base64.b64encode(("n,,\x01auth=Bearer %s\x01\x01" % token).encode()).decode()
    it.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>%s</auth>" % message)
    it.expect("failure", has="{urn:ietf:params:xml:ns:xmpp-sasl}invalid-mechanism")


def test_what_was_called_is_in_the_audit(server, person):
    romeo = person("romeo")
    run(server, ADMIN + "add-user", {"accountjid": "x@im.example", "password": "never in an audit"}, credentials=basic(romeo.jid, romeo.password))
    status, got, _ = run(server, OURS + "audit")
    assert status == 200
    rows = [it for it in got["form"]["items"] if romeo.jid in " ".join(str(value) for value in it.values())]
    assert rows and "never in an audit" not in str(got), got["form"]["items"][:3]
