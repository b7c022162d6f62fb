"""An authentication program that misbehaves (group 44 of the survey): it costs its own users a login, nobody's session."""

import pytest

from client import local
from hostile import memory

PROGRAM = b"""
import struct, sys, os, time, signal
i, o = sys.stdin.buffer, sys.stdout.buffer
def say(data):
    o.write(data); o.flush()
while True:
    head = i.read(2)
    if len(head) < 2: break
    q = i.read(struct.unpack('>H', head)[0]).decode().split(':', 3)
    who = q[1].partition('-')[0]
    if who == 'hangs': time.sleep(1000)
    elif who == 'three': say(b'\\0\\2\\0'); time.sleep(1000)
    elif who == 'flood': say(b'\\0\\2\\0\\1' * 16384)
    elif who == 'endless':
        while True: say(b'\\0\\2\\0\\1' * 16384)
    elif who == 'twice': say(b'\\0\\2\\0\\0\\0\\2\\0\\1')
    elif who == 'long': say(b'\\xff\\xff\\0\\1')
    elif who == 'seven': say(b'\\0\\2\\0\\7')
    elif who == 'text': say(b'yes\\n')
    elif who == 'dies': os.kill(os.getpid(), signal.SIGKILL)
    elif who == 'closes': os.close(1); time.sleep(1000)
    elif who == 'stops': os.kill(os.getpid(), signal.SIGSTOP)
    elif who == 'pieces':
        for byte in b'\\0\\2\\0\\1': say(bytes([byte])); time.sleep(0.02)
    else: say(struct.pack('>HH', 2, q[0] != 'auth' or q[3] == 'pw'))
"""
SERVER = {"files": {"bad.py": PROGRAM}, "conf": {"sessman.conf":
          "[auth]\nbackend = script\nscript = /usr/bin/python3 bad.py\nscript_timeout = 1s\nfailures_per_min = 0\n"}}


def attempt(connect, user):
    client = connect()
    client.begin()
    client.starttls().begin()
    return client.authenticate(user, "pw", "PLAIN")


@pytest.fixture(scope="module")
def witness(server):
    """Somebody who got in while all was well."""
    from conftest import Person
    return Person(server, "witness", server.domain, [], "pw").login("stand", mechanism="PLAIN").online()


@pytest.mark.parametrize("user", ["hangs", "three", "flood", "endless", "long", "seven", "text", "dies", "closes", "stops"])
def test_44_program_that_misbehaves(server, connect, witness, user):
    """<temporary-auth-failure/>, never <success/>; the next user is asked of a program that works."""
    before = memory(server)
    failure = attempt(connect, user)
    assert local(failure) == "failure" and local(failure[0]) == "temporary-auth-failure"
    while local(attempt(connect, "good")) != "success":
        pass
    assert witness.ping().get("type") == "result"
    assert server.daemons() == server.pids and memory(server) - before < 32 * 1024


def test_44_second_answer_is_nobody_elses(connect, witness):
    """What comes unasked is not taken for the answer to the next question: "no", and then "yes" into the blue."""
    for _ in range(12):
        assert local(attempt(connect, "twice")) == "failure"


def test_44_answer_in_pieces(connect, witness):
    """A pipe has no packets."""
    while local(attempt(connect, "good")) != "success":
        pass
    assert local(attempt(connect, "pieces")) == "success"


def test_44_many_at_once_while_it_hangs(server, connect, witness):
    """Everybody waits no longer than the timeout says, and is told so."""
    waiting = []
    for n in range(30):
        client = connect()
        client.begin()
        client.starttls().begin()
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>" % "AGhhbmdzAHB3")
        waiting.append(client)
    for client in waiting:
        assert local(client.expect("failure")[0]) == "temporary-auth-failure"
    while local(attempt(connect, "good")) != "success":
        pass
    assert witness.ping().get("type") == "result"
