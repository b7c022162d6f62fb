"""Group 19 of the survey of other servers: stream management as nobody means it. Each gets the answer that the specification has for it; others
are unaffected, and memory is bounded."""

import pytest

from client import NS_PING, NS_SASL, local, namespace, q
from hostile import bystanders, memory, outcome, pour, unaffected, verdict     # noqa: F401
from managed import NS_SM, WRAP, authenticated, condition, managed, online

SERVER = dict(conf={"sessman.conf": "[session]\nqueue_stanzas = 2000\nqueue_bytes = 1m\n"})
pytestmark = pytest.mark.usefixtures("unaffected")


def enable(client, attributes="resume='true'"):
    client.send("<enable xmlns='%s' %s/>" % (NS_SM, attributes))
    return client.expect(where=lambda el: namespace(el) == NS_SM)


@pytest.mark.parametrize("by", [1, 2, 1000, WRAP // 2, WRAP - 1000])
def test_19_more_acknowledged_than_sent(person, by):
    """XEP-0198 6: handled-count-too-high, with both numbers; the session is not kept."""
    mallory = person("mallory")
    client = online(mallory)
    client.ack()
    client.sync()
    h = (client.received + by) % WRAP
    client.ack(h)
    err = client.expect("error")
    too_high = err.find(q(NS_SM, "handled-count-too-high"))
    assert too_high.get("h") == str(h) and too_high.get("send-count") == str(client.received)
    client.expect_end()
    assert condition(authenticated(mallory).resume_from(client)) == "item-not-found"


@pytest.mark.parametrize("h", ["", "-1", "+1", "1.0", "0x1", "4294967296", "99999999999999999999999", "one", "1 1", None])
def test_19_counts_that_are_none(person, h):
    """<failed/> with bad-request, for an acknowledgement and for a resumption; the stream goes on."""
    mallory = person("mallory")
    client = online(mallory)
    attribute = "" if h is None else " h='%s'" % h
    client.send("<a xmlns='%s'%s/>" % (NS_SM, attribute))
    assert condition(client.expect("failed")) == "bad-request"
    client.settle()
    fresh = authenticated(mallory)
    fresh.send("<resume xmlns='%s' previd='%s'%s/>" % (NS_SM, client.previd, attribute))
    assert condition(fresh.expect("failed")) == "bad-request"
    assert fresh.bind("x").get("type") == "result"
    client.settle()


def test_19_resume_with_a_count_too_high(person):
    """XEP-0198 6; the session that it is about is not touched."""
    mallory = person("mallory")
    client = online(mallory)
    for h in (client.received + 1, client.received + WRAP // 2, WRAP - 1):
        fresh = authenticated(mallory)
        fresh.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, client.previd, h))
        err = fresh.expect("error")
        assert err.find(q(NS_SM, "handled-count-too-high")).get("h") == str(h)
        fresh.expect_end()
        client.settle()


def test_19_another_users_session(people):
    """Not told apart from one that does not exist, whether it has a connection or not."""
    romeo, mallory = people("romeo", "mallory")
    victim = online(romeo)
    for cut in (False, True):
        if cut:
            victim.cut()
        thief = authenticated(mallory)
        failed = thief.resume_from(victim, 0)
        assert local(failed) == "failed" and condition(failed) == "item-not-found" and failed.get("h") is None
    again = authenticated(romeo)
    assert local(again.resume_from(victim)) == "resumed"


@pytest.mark.parametrize("unit, times", [("x", 1), ("x", 0), (" ", 1), ("&lt;&apos;&amp;", 1), ("\u00e9", 300), ("A", 3999),
                                         ("A", 4001), ("A", 10000)])
def test_19_ids_that_are_none(person, unit, times):
    previd = unit * times
    mallory = person("mallory")
    fresh = authenticated(mallory)
    fresh.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, previd))
    assert condition(fresh.expect("failed")) == ("item-not-found" if previd else "bad-request")
    assert fresh.bind("x").get("type") == "result"


def test_19_ids_cannot_be_extended_or_shortened(person):
    mallory = person("mallory")
    client = online(mallory)
    for previd in (client.previd[:-1], client.previd + "A", client.previd.swapcase(), client.previd[:1]):
        fresh = authenticated(mallory)
        fresh.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, previd))
        assert condition(fresh.expect("failed")) == "item-not-found"
    client.settle()


def test_19_before_login(connect):
    """XEP-0198 3: unexpected-request; without end it ends the stream."""
    client = connect()
    client.begin()
    for element in ("enable", "resume previd='x' h='0'"):
        client.send("<%s xmlns='%s'/>" % (element, NS_SM))
        assert condition(client.expect("failed")) == "unexpected-request"
    assert outcome(client, ["<enable xmlns='%s'/>" % NS_SM * 100]) == "policy-violation"


def test_19_before_the_resource(person):
    fresh = authenticated(person("mallory"))
    assert condition(enable(fresh)) == "unexpected-request"
    assert fresh.bind("x").get("type") == "result"
    assert local(enable(fresh)) == "enabled"


def test_19_in_the_middle_of_a_login(person):
    mallory = person("mallory")
    client = mallory.connect()
    client.begin()
    client.send("<auth xmlns='%s' mechanism='SCRAM-SHA-256'>biwsbj1hLHI9Yg==</auth>"
                "<resume xmlns='%s' previd='x' h='0'/><enable xmlns='%s'/>" % (NS_SASL, NS_SM, NS_SM))
    for _ in range(2):
        assert condition(client.expect("failed")) == "unexpected-request"


def test_19_twice(person):
    """XEP-0198 3: <failed/>, and the stream ends; so does the session."""
    mallory = person("mallory")
    client = online(mallory)
    assert condition(enable(client)) == "unexpected-request"
    client.expect_stream_error("policy-violation")
    assert condition(authenticated(mallory).resume_from(client)) == "item-not-found"
    twice = managed(mallory.login("x", tls=False))
    twice.send(("<enable xmlns='%s'/>" % NS_SM) * 2)
    twice.expect_stream_error("policy-violation")


def test_19_resume_on_a_bound_stream(person):
    """Of its own session, too."""
    mallory = person("mallory")
    client, other = online(mallory, "a"), online(mallory, "b")
    for previd in (client.previd, other.previd):
        client.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, previd))
        assert condition(client.expect("failed")) == "unexpected-request"
    client.settle()
    other.settle()


def test_19_unasked_before_it_is_enabled(person):
    client = person("mallory").login("x", tls=False)
    for element in ("r", "a h='0'"):
        client.send("<%s xmlns='%s'/>" % (element, NS_SM))
        assert condition(client.expect("failed")) == "unexpected-request"
    client.send("<enabled xmlns='%s'/>" % NS_SM)
    client.expect_stream_error("unsupported-stanza-type")


@pytest.mark.parametrize("attributes", ["resume='yes'", "resume='TRUE'", "max='0'", "max='-5'", "max='x'", "resume='1' max=''"])
def test_19_enable_that_is_malformed(person, attributes):
    client = managed(person("mallory").login("x", tls=False))
    assert condition(enable(client, attributes)) == "bad-request"
    assert local(enable(client)) == "enabled"


def test_19_flood_of_acknowledgements(person, bystanders):
    """One frame a turn at most; nothing is answered."""
    client = online(person("mallory"))
    client.ack()
    chunk = ("<a xmlns='%s' h='%d'/>" % (NS_SM, client.received)) * 1000
    for _ in range(30):     # past the burst that a session is allowed
        client.sock.sendall(chunk.encode())
    bystanders.chat()
    client.settle()


def test_19_flood_of_requests(person, bystanders):
    """Answers are fewer than questions."""
    client = online(person("mallory"))
    client.handled()
    before = len(client.acks)
    assert pour(client, ["<r xmlns='%s'/>" % NS_SM * 1000] * 30) is None
    bystanders.chat()
    client.settle()
    assert 0 < len(client.acks) - before <= 30000


def test_19_flood_of_requests_nobody_reads_the_answers_of(server, person, bystanders):
    """Its own buffer, then its own connection; the session may be resumed."""
    mallory = person("mallory")
    client = online(mallory)
    chunk = ("<r xmlns='%s'/>" % NS_SM * 200).encode()
    client.sock.settimeout(5)
    try:
        for _ in range(2000):
            client.sock.sendall(chunk)
    except OSError:
        pass
    bystanders.chat()
    client.cut()
    assert local(authenticated(mallory).resume_from(client)) == "resumed"


def test_19_never_acknowledges(server, people, bystanders):
    """A million stanzas that nobody acknowledges: the queue is bounded, and its session ends."""
    romeo, mallory = people("romeo", "mallory")
    client, other = online(mallory), romeo.login("x", tls=False).online()
    before = memory(server)
    ping = "".join("<iq type='get' id='p%d'><ping xmlns='%s'/></iq>" % (n, NS_PING) for n in range(1000))
    assert pour(client, [ping] * 1000) in ("policy-violation", "closed")
    assert memory(server) - before < 64 * 1024
    other.expect_nothing("presence")
    bystanders.chat()


def test_19_never_acknowledges_large_ones(server, people, bystanders):
    """By bytes as well; what was stored for it is not lost."""
    romeo, mallory = people("romeo", "mallory")
    his, client = romeo.login("x", tls=False).online(), online(mallory)
    for n in range(30):
        his.message(client.jid, "%d " % n + "x" * 50000)
    his.settle()
    err = client.expect("error", where=lambda el: el.tag.endswith("streams}error"))
    assert err is not None
    again = managed(mallory.login("y", tls=False))
    again.send("<presence/>")
    numbers = [int(again.expect("message").find("{jabber:client}body").text.split()[0]) for _ in range(30)]
    assert numbers == list(range(30))


def test_19_many_sessions_that_sleep(server, person, bystanders):
    """A session is one of its account's whether it has a connection or not: the limit holds."""
    mallory = person("mallory")
    sleeping = []
    for n in range(50):
        client = online(mallory, "r%d" % n)
        client.cut()
        sleeping.append(client)
    fresh = authenticated(mallory)
    assert fresh.bind("one-more").get("type") == "error"
    assert local(authenticated(mallory).resume_from(sleeping[0])) == "resumed"


def test_19_comes_and_goes(server, person, bystanders):
    """Resumed over and over, each time before the other has ended."""
    mallory = person("mallory")
    client = online(mallory)
    client.handled()
    for _ in range(30):
        fresh = authenticated(mallory)
        fresh.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, client.previd, client.received))
        fresh.previd, fresh.sent, fresh.received = client.previd, client.sent, client.received
        client.cut()
        client = fresh
    answer = client.expect(where=lambda el: namespace(el) == NS_SM)
    assert local(answer) == "resumed"
    client.handled()


def test_19_stanza_in_the_name_of_stream_management(person):
    """Its elements on a stanza's level are nothing; in a stanza they are payload."""
    client = online(person("mallory"))
    client.send("<message to='%s'><body>x</body><r xmlns='%s'/><a xmlns='%s' h='99'/></message>" % (client.jid, NS_SM, NS_SM))
    client.expect("message", body="x")
    client.handled()
    client.send("<sm xmlns='%s'/>" % NS_SM)
    client.expect_stream_error("unsupported-stanza-type")


def test_19_bound_streams_end_alike(person):
    """A stream that ends with an error of the client's is over (7): it cannot be resumed."""
    mallory = person("mallory")
    client = online(mallory)
    client.send("<nonsense xmlns='urn:x'/>")
    assert verdict(client) == "unsupported-stanza-type"
    assert condition(authenticated(mallory).resume_from(client)) == "item-not-found"
