"""Accounts of an external program (ejabberd's external authentication protocol): [auth] backend = script."""

import sasl2
from client import NS_REGISTER, error_of, local, q

PROGRAM = b"""
import struct, sys, os
i, o = sys.stdin.buffer, sys.stdout.buffer
def path(user, host): return os.path.join('users', user + '@' + host)
def answer(verb, user, host, password=''):
    if verb == 'auth': return os.path.exists(path(user, host)) and open(path(user, host)).read() == password
    if verb == 'isuser': return os.path.exists(path(user, host))
    if verb == 'tryregister' and not os.path.exists(path(user, host)) or verb == 'setpass' and os.path.exists(path(user, host)):
        open(path(user, host), 'w').write(password)
        return True
    if verb == 'removeuser' and os.path.exists(path(user, host)):
        os.unlink(path(user, host))
        return True
    return False
os.makedirs('users', exist_ok=True)
while True:
    head = i.read(2)
    if len(head) < 2: break
    q = i.read(struct.unpack('>H', head)[0]).decode().split(':', 3)
    if q[1] == 'deadly': sys.exit(1)
    o.write(struct.pack('>HH', 2, answer(*q)))
    o.flush()
"""
SERVER = {"register": "open", "files": {"check.py": PROGRAM},
          "conf": {"sessman.conf": "[auth]\nbackend = script\nscript = /usr/bin/python3 check.py\n"}}


def secured(connect):
    client = connect()
    client.begin()
    client.starttls().begin()
    return client


def test_only_plain_is_offered(connect):
    """RFC 5802 needs keys, and the program has none to give; so no channel binding is offered either (XEP-0440 3)."""
    client = secured(connect)
    assert client.mechanisms() == ["PLAIN"]
    assert client.features.find(q("urn:xmpp:sasl-cb:0", "sasl-channel-binding")) is None


def test_password_is_checked_by_the_program(person, connect):
    """`adduser` reached the program through the running server; a wrong password does not get in, nor does a stranger."""
    romeo = person("romeo")
    assert romeo.login("balcony", mechanism="PLAIN").ping().get("type") == "result"
    for user, password in ((romeo.user, "wrong"), ("nobody", "x"), (romeo.user, "")):
        assert local(secured(connect).authenticate(user, password, "PLAIN")) == "failure"


def test_account_of_the_program_gets_a_roster_of_its_own(server, connect):
    """A user whom the program knew before the server did has an account from the first login on."""
    (server.dir / "users" / "tybalt@im.example").write_text("rapier")
    client = connect()
    client.login("tybalt", "rapier", "street", mechanism="PLAIN")
    reply = client.ask("set", "<query xmlns='jabber:iq:roster'><item jid='romeo@im.example'/></query>")
    assert reply.get("type") == "result"
    assert "tybalt@im.example" in server.run("users", "im.example").stdout.split()


def test_tokens_are_those_of_accounts_that_there_are(server, person):
    """XEP-0484: a token logs in without the program's word on a password, but not when it knows no such user any more."""
    romeo, agent = person("romeo"), sasl2.new_agent()
    client = sasl2.ready(romeo)
    assert sasl2.token_mechanisms(client) == ["HT-SHA-256-NONE"], "nothing binds to a channel here (XEP-0440 3)"
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, "PLAIN", sasl2.ask_token(), agent)
    token = sasl2.token_of(outcome)[0]
    client, outcome = sasl2.use_token(romeo, token, agent, inside=sasl2.bind("x"))
    assert local(outcome) == "success"
    (server.dir / "users" / romeo.jid).unlink()
    assert sasl2.condition(sasl2.use_token(romeo, token, agent)[1]) == "not-authorized"


def test_a_new_password_by_us_revokes_tokens(server, person):
    romeo, agent = person("romeo"), sasl2.new_agent()
    client = sasl2.ready(romeo)
    outcome = sasl2.authenticate(client, romeo.user, romeo.password, "PLAIN", sasl2.ask_token(), agent)
    server.run("passwd", romeo.jid, "another")
    assert sasl2.condition(sasl2.use_token(romeo, sasl2.token_of(outcome)[0], agent)[1]) == "not-authorized"


def test_registration_and_change_of_password(connect, person):
    """XEP-0077 over tryregister and setpass."""
    def fields(**values):
        return "<query xmlns='%s'>%s</query>" % (
            NS_REGISTER, "".join("<%s>%s</%s>" % (name, value, name) for name, value in values.items()))
    client = secured(connect)
    assert client.ask("set", fields(username="benvolio", password="one")).get("type") == "result"
    assert error_of(secured(connect).ask("set", fields(username="benvolio", password="two")))[1] == "conflict"
    assert local(client.authenticate("benvolio", "one", "PLAIN")) == "success"
    romeo = person("paris")
    assert romeo.login(mechanism="PLAIN").ask("set", fields(username=romeo.user, password="new")).get("type") == "result"
    romeo.password = "new"
    romeo.login(mechanism="PLAIN")


def test_program_that_dies_is_started_again(person, connect):
    """temporary-auth-failure (RFC 6120 6.5.11) to who was asked for; the others are served."""
    for _ in range(3):
        failure = secured(connect).authenticate("deadly", "x", "PLAIN")
        assert local(failure) == "failure" and local(failure[0]) == "temporary-auth-failure"
    person("juliet").login(mechanism="PLAIN")


def test_deleted_account_is_gone(server, person, connect):
    """removeuser, and the rows that were ours."""
    romeo = person("montague")
    romeo.login(mechanism="PLAIN").ask("get", "<query xmlns='jabber:iq:roster'/>")
    server.run("deluser", romeo.jid)
    assert local(secured(connect).authenticate(romeo.user, romeo.password, "PLAIN")) == "failure"
    assert romeo.jid not in server.run("users", "im.example").stdout.split()
