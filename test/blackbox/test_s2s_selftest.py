"""Our s2s and a server that is the test itself, on raw sockets: dialback both ways, certificates, who may send what, stream
management, both directions on one connection, limits; and what comes back to the sender."""

import base64
import contextlib

import pytest

from client import Closed, local
from conftest import Person
from pki import EXPIRED
from s2speer import DB, NS_BIDI, NS_SASL, NS_SM, Caller, Listener, key
from s2ssite import Site
from server import poll

CONF = """[queue]
age = 4s
[connect]
retry = 100ms
retry_most = 300ms
[limits]
domains_per_connection = 2
[tls]
ca = ca.pem
[remote only-certificates.example]
require_certificate = yes
[policy]
block = *.blocked.example
"""
# The last three are each for one test: what a stream that was cut leaves is none of the next one's business.
DOMAINS = ("far.example", "evil.example", "plain.example", "only-certificates.example", "sm-one.example", "sm-two.example", "sm-three.example")
SECRET = "dialback secret of im.example"
DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'/>"
FAR, EVIL = "far.example", "evil.example"


class World:
    domain = "im.example"

    def log_tail(self):
        return self.site.log_tail()


@pytest.fixture(scope="module")
def world(ca, tmp_path_factory):
    """The site, and a listener for each domain that it may look for."""
    it, it.left = World(), []
    folder = tmp_path_factory.mktemp("pki")
    site = it.site = Site("im.example", s2s=CONF, files={"ca.pem": ca.pem()})
    it.ca, it.folder = ca, folder
    it.listeners = {}
    for domain in DOMAINS:
        listener = it.listeners[domain] = Listener(domain, "im.example", ca.issue(domain), folder, it.left)
        setattr(it, domain.split(".")[0].replace("-", "_"), listener)
        site.route(domain, listener.port)
    site.route("dead.example", 9)
    try:
        yield it if site.start() else None
    finally:
        for connection in it.left:
            connection.cut()
        site.check(site.stop() if site.process else [])
        site.remove()


@pytest.fixture
def romeo(world, connections):
    with contextlib.suppress(AssertionError):
        world.site.adduser("romeo@im.example", "pass word of romeo")
    return Person(world.site, "romeo", "im.example", connections).login("here").online()


@pytest.fixture(autouse=True)
def clean(world):
    """Every test begins without connections."""
    yield
    for connection in world.left:
        connection.cut()
    world.left.clear()
    for domain in DOMAINS:
        world.site.ask_s2s("s2s-close " + domain)
    poll("the connections to end", lambda: not world.site.connections())
    for listener in world.listeners.values():
        listener.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.sock.accept()[0].close()
        listener.sock.setblocking(True)


def proven(world, connections, domain=FAR):
    """A stream of theirs that has proven its domain by dialback."""
    it = Caller(world.site, domain, connections).ready()
    it.result("the key")
    asked = []
    listener = world.listeners[domain]
    listener.authority(lambda el: asked.append((el.get("id"), el.text)) or True)
    assert asked == [(it.id, "the key")]
    assert it.expect("result").get("type") == "valid"
    return it


# -- incoming: dialback -------------------------------------------------------------------------------------------------

def test_dialback_proves_a_domain(world, connections, romeo):
    it = proven(world, connections)
    it.message(romeo.jid, "hello")
    romeo.expect("message", body="hello", from_="nurse@" + FAR)
    (seen,) = world.site.connections(direction="in", auth="dialback")
    assert seen["domains"] == [{"remote": FAR, "local": "im.example", "auth": "dialback"}]


def test_forged_key(world, connections):
    it = Caller(world.site, FAR, connections).ready()
    it.result("forged")
    world.far.authority(False)
    assert it.expect("result").get("type") == "invalid"
    it.expect_end()


def test_nobody_vouches(world, connections):
    it = Caller(world.site, "dead.example", connections).ready()
    it.result("whatever")
    answer = it.expect("result")
    assert answer.get("type") == "error" and answer.find(".//{*}remote-server-timeout") is not None


def test_before_it_is_proven(world, connections, romeo):
    it = Caller(world.site, FAR, connections).ready()
    it.message(romeo.jid, "too early")
    it.expect_stream_error("not-authorized")
    romeo.expect_nothing("message")


def test_while_the_key_is_looked_at(world, connections, romeo):
    it = Caller(world.site, FAR, connections).ready()
    it.result("the key")
    it.message(romeo.jid, "too early")
    it.expect_stream_error("not-authorized")
    romeo.expect_nothing("message")


def test_another_domain_than_was_proven(world, connections, romeo):
    it = proven(world, connections)
    it.message(romeo.jid, "forged", from_="nurse@" + EVIL)
    it.expect_stream_error("invalid-from")
    romeo.expect_nothing("message")


@pytest.mark.parametrize("attrs, error", [
    ("to='romeo@im.example'", "improper-addressing"), ("from='nurse@far.example'", "improper-addressing"),
    ("from='@' to='romeo@im.example'", "improper-addressing"), ("from='a@far.example' to='b@elsewhere.example'", "host-unknown"),
    ("from='romeo@im.example' to='romeo@im.example'", "invalid-from")])
def test_addresses(world, connections, attrs, error):
    it = proven(world, connections)
    it.send("<message %s><body>x</body></message>" % attrs)
    it.expect_stream_error(error)


def test_stanza_of_clients(world, connections):
    it = proven(world, connections)
    it.send("<message xmlns='jabber:client' from='a@far.example' to='romeo@im.example'/>")
    it.expect_stream_error("invalid-namespace")


def test_answers_that_nobody_asked_for(world, connections, romeo):
    it = Caller(world.site, FAR, connections).ready()
    it.send("<db:result%s from='far.example' to='im.example' type='valid'/>" % DB)
    it.expect_stream_error("not-authorized")


def test_one_of_our_own_domains(world, connections):
    it = Caller(world.site, FAR, connections).ready()
    it.result("key", from_="im.example")
    assert it.expect("result").get("type") == "error"
    it = Caller(world.site, "im.example", connections)
    it.open("im.example", " from='im.example'")
    it.expect_stream_error("invalid-from")


def test_more_domains_on_one_stream(world, connections, romeo):
    it = proven(world, connections)
    it.result("another key", from_=EVIL)
    world.evil.authority(True)
    assert it.expect("result", from_="im.example", to=EVIL).get("type") == "valid"
    it.message(romeo.jid, "as another", from_="nurse@" + EVIL)
    romeo.expect("message", body="as another")
    it.result("a third", from_="plain.example")
    answer = it.expect("result", to="plain.example")
    assert answer.get("type") == "error" and answer.find(".//{*}resource-constraint") is not None


def test_unknown_host(world, connections):
    it = Caller(world.site, FAR, connections)
    it.open("elsewhere.example", " from='far.example'")
    it.expect_stream_error("host-unknown")


def test_blocked(world, connections, romeo):
    it = Caller(world.site, "a.blocked.example", connections)
    it.open("im.example", " from='a.blocked.example'")
    it.expect_stream_error("policy-violation")
    romeo.message("nurse@a.blocked.example", "hello", id="blocked")
    romeo.expect("message", type="error", id="blocked", error="not-allowed")


def test_nothing_without_tls(world, connections):
    it = Caller(world.site, FAR, connections).begin()
    assert it.offers("required") and not it.offers("dialback") and not it.offers("mechanism")
    it.result("key")
    answer = it.expect("result")
    assert answer.get("type") == "error" and answer.find(".//{*}policy-violation") is not None
    it.verify("id", "key")
    it.expect_stream_error("policy-violation")


def test_what_came_behind_starttls_was_never_there(world, connections, romeo):
    it = Caller(world.site, FAR, connections).begin()
    it.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><db:result%s from='far.example' to='im.example'>x</db:result>" % DB)
    it.expect("proceed")
    with pytest.raises((Closed, OSError, AssertionError)):
        it.wrap()
        it.begin()
        assert 0, "plain text was dropped"  # either the handshake fails, or what was said is forgotten
    world.far.expect_nobody()


@pytest.mark.parametrize("data, error", [
    ("<db:result%s from='far.example' to='im.example'>%s</db:result>" % (DB, "x" * 9000), "policy-violation"),
    ("<db:result%s from='far.example'>key</db:result>" % DB, "improper-addressing"),
    ("<db:result%s from='far.example' to='im.example' type='maybe'>key</db:result>" % DB, "bad-format"),
    ("<db:verify%s from='far.example' to='im.example'>key</db:verify>" % DB, "bad-format"),
    ("<!-- no -->", "restricted-xml"), ("<a:b/>", ("not-well-formed", "bad-namespace-prefix")), ("</nonsense>", "not-well-formed"),
    ("<nonsense/>", "unsupported-stanza-type")])
def test_nonsense(world, connections, data, error):
    it = Caller(world.site, FAR, connections).ready()
    it.send(data)
    it.expect_stream_error(error)


# -- we are asked about keys --------------------------------------------------------------------------------------------

def test_our_keys_are_ours(world, connections, romeo):
    """What we show a server is what we say is ours when it asks, on any connection."""
    romeo.message("nurse@" + FAR, "hello")
    there = world.far.accept()
    id = world.far.secure(there)
    shown = there.expect("result").text
    assert shown == key(SECRET, FAR, "im.example", id)
    asking = Caller(world.site, FAR, connections).ready()
    asking.verify(id, shown)
    assert asking.expect("verify", id=id).get("type") == "valid"
    for wrong in ((id, "f" * 64, FAR), ("another", shown, FAR), (id, shown, EVIL)):
        asking.verify(wrong[0], wrong[1], from_=wrong[2])
        assert asking.expect("verify", id=wrong[0]).get("type") == "invalid"
    asking.verify(id, shown, to="elsewhere.example")
    assert asking.expect("verify", from_="elsewhere.example").get("type") == "error"


# -- outgoing -------------------------------------------------------------------------------------------------------------

def test_message_goes_out_when_we_are_accepted(world, romeo):
    romeo.message("nurse@" + FAR, "hello")
    it = world.far.accepted()
    got = it.expect("message", body="hello", from_=romeo.jid)
    assert got.tag.startswith("{jabber:server}")


def test_refused_by_dialback(world, romeo):
    romeo.message("nurse@" + FAR, "hello", id="refused")
    it = world.far.accept()
    world.far.secure(it)
    it.expect("result")
    it.send("<db:result%s from='far.example' to='im.example' type='invalid'/>" % DB)
    romeo.expect("message", type="error", id="refused", error="remote-server-timeout")
    (failure,) = [p["failure"] for p in world.site.pairs() if p["remote"] == FAR]
    assert failure["step"] == "dialback"


def test_starttls_taken_out(world, romeo):
    romeo.message("nurse@plain.example", "secret", id="stripped")
    it = world.plain.accept()
    world.plain.answer(it, DIALBACK)
    it.expect_end()
    assert [local(el) for el in it.inbox] == ["starttls"]      # which goes behind our header, unasked; and nothing else
    error = romeo.expect("message", type="error", id="stripped")
    assert "does not offer TLS" in "".join(error.itertext())


def test_dead_server(world, romeo):
    romeo.message("nurse@dead.example", "hello", id="dead")
    error = romeo.expect("message", type="error", id="dead", error="remote-server-timeout")
    assert "refused" in "".join(error.itertext())


def test_no_error_for_an_error(world, romeo):
    romeo.send("<message to='nurse@dead.example' type='error' id='e'><error type='cancel'/></message>")
    romeo.message("nurse@dead.example", "hello", id="behind")
    romeo.expect("message", type="error", id="behind")
    romeo.expect_nothing("message", id="e")


def test_wrong_stream_answers(world, romeo):
    romeo.message("nurse@" + FAR, "hello", id="one")
    it = world.far.accept()
    world.far.secure(it)
    it.expect("result")
    it.send("<db:result%s from='evil.example' to='im.example' type='valid'/>" % DB)
    it.expect_stream_error("bad-format")


# -- certificates -----------------------------------------------------------------------------------------------------

def certificate(world, name, **how):
    return world.ca.issue(name, **how).write(world.folder, "client-%s-%d" % (name.replace("*", "any"), len(how)))


def test_external(world, connections, romeo):
    it = Caller(world.site, FAR, connections).ready(certificate(world, FAR))
    assert it.offers("mechanism")
    it.send("<auth xmlns='%s' mechanism='EXTERNAL'>%s</auth>" % (NS_SASL, base64.b64encode(FAR.encode()).decode()))
    it.expect("success")
    it.begin()
    it.message(romeo.jid, "by certificate")
    romeo.expect("message", body="by certificate")
    assert world.site.connections(direction="in", auth="external-pkix")


def test_external_direct_tls(world, connections, romeo):
    it = Caller(world.site, FAR, connections, direct_tls="xmpp-server", cert=certificate(world, FAR)).begin()
    it.send("<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL)
    it.expect("success")
    it.begin()
    it.message(romeo.jid, "direct")
    romeo.expect("message", body="direct")


@pytest.mark.parametrize("name, how", [(EVIL, {}), (FAR, EXPIRED), ("*.example", {})])
def test_certificate_that_proves_nothing(world, connections, name, how):
    it = Caller(world.site, FAR, connections).ready(certificate(world, name, **how))
    assert not it.offers("mechanism") and it.offers("dialback")
    it.send("<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL)
    assert it.expect("failure").find("{*}not-authorized") is not None


def test_external_as_somebody_else(world, connections):
    it = Caller(world.site, FAR, connections).ready(certificate(world, FAR))
    it.send("<auth xmlns='%s' mechanism='EXTERNAL'>%s</auth>" % (NS_SASL, base64.b64encode(EVIL.encode()).decode()))
    assert it.expect("failure").find("{*}invalid-authzid") is not None


def test_certificate_is_required(world, connections, romeo):
    it = Caller(world.site, "only-certificates.example", connections).ready()
    it.result("key")
    answer = it.expect("result")
    assert answer.get("type") == "error" and answer.find(".//{*}not-authorized") is not None
    world.only_certificates.expect_nobody()


# -- stream management ------------------------------------------------------------------------------------------------

def test_their_stanzas_are_acknowledged(world, connections, romeo):
    it = proven(world, connections)
    it.send("<enable xmlns='%s' resume='true'/>" % NS_SM)
    enabled = it.expect("enabled")
    assert enabled.get("resume") == "true"
    for n in range(3):
        it.message(romeo.jid, str(n))
    it.send("<r xmlns='%s'/>" % NS_SM)
    assert it.expect("a").get("h") == "3"


def test_they_resume(world, connections, romeo):
    it = proven(world, connections)
    it.send("<enable xmlns='%s' resume='true'/>" % NS_SM)
    id = it.expect("enabled").get("id")
    it.message(romeo.jid, "before the cut")
    romeo.expect("message", body="before the cut")
    it.cut()
    again = proven(world, connections)
    again.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, id))
    assert again.expect("resumed").get("h") == "1"
    again.message(romeo.jid, "after it")
    again.send("<r xmlns='%s'/>" % NS_SM)
    assert again.expect("a").get("h") == "2"
    assert romeo.expect("message").find("{*}body").text == "after it"


def test_nobody_else_resumes(world, connections, romeo):
    it = proven(world, connections)
    it.send("<enable xmlns='%s' resume='true'/>" % NS_SM)
    id = it.expect("enabled").get("id")
    other = proven(world, connections, EVIL)
    other.send("<resume xmlns='%s' previd='%s' h='0'/>" % (NS_SM, id))
    assert other.expect("failed").find("{*}item-not-found") is not None


SM_FEATURES = DIALBACK + "<sm xmlns='%s'/>" % NS_SM


def test_we_resume(world, romeo):
    """What was not acknowledged when the connection broke comes once more, what was does not."""
    romeo.message("nurse@sm-one.example", "one")
    it = world.sm_one.accepted(SM_FEATURES)
    it.expect("enable", resume="true")
    it.send("<enabled xmlns='%s' id='some id' resume='true'/>" % NS_SM)
    it.expect("message", body="one")
    romeo.message("nurse@sm-one.example", "two")
    it.expect("message", body="two")
    it.cut()
    again = world.sm_one.accepted(SM_FEATURES)
    assert again.expect("resume", previd="some id").get("h") == "0"
    again.send("<resumed xmlns='%s' previd='some id' h='1'/>" % NS_SM)
    assert again.expect("message").find("{*}body").text == "two"
    again.expect("r")
    again.send("<a xmlns='%s' h='2'/>" % NS_SM)
    romeo.message("nurse@sm-one.example", "three")
    assert again.expect("message").find("{*}body").text == "three"
    again.send("<a xmlns='%s' h='3'/>" % NS_SM)


def test_we_cannot_resume(world, romeo):
    romeo.message("nurse@sm-two.example", "one")
    it = world.sm_two.accepted(SM_FEATURES)
    it.expect("enable", resume="true")
    it.send("<enabled xmlns='%s' id='some id' resume='true'/>" % NS_SM)
    it.expect("message", body="one")
    it.cut()
    again = world.sm_two.accepted(SM_FEATURES)
    again.expect("resume")
    again.send("<failed xmlns='%s'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>" % NS_SM)
    again.expect("enable")
    again.send("<enabled xmlns='%s'/>" % NS_SM)
    again.expect("message", body="one")
    again.send("<a xmlns='%s' h='1'/>" % NS_SM)


def test_more_acknowledged_than_sent(world, romeo):
    romeo.message("nurse@sm-three.example", "one")
    it = world.sm_three.accepted(SM_FEATURES)
    it.expect("enable")
    it.send("<enabled xmlns='%s'/>" % NS_SM)
    it.expect("message")
    it.send("<a xmlns='%s' h='7'/>" % NS_SM)
    error = it.expect_stream_error("undefined-condition")
    assert error.find("{*}handled-count-too-high") is not None


# -- both directions ----------------------------------------------------------------------------------------------------

def test_bidi_incoming(world, connections, romeo):
    it = Caller(world.site, FAR, connections).ready()
    assert it.offers("bidi")
    it.send("<bidi xmlns='%s'/>" % NS_BIDI)
    it.result("the key")
    world.far.authority(True)
    assert it.expect("result").get("type") == "valid"
    romeo.message("nurse@" + FAR, "comes back here")
    it.expect("message", body="comes back here")


def test_without_bidi_nothing_comes_back(world, connections, romeo):
    proven(world, connections)
    romeo.message("nurse@" + FAR, "elsewhere")
    there = world.far.connections[-1]       # the stream that asked about the key is used for both
    there.expect("result")
    there.send("<db:result%s from='far.example' to='im.example' type='valid'/>" % DB)
    there.expect("message", body="elsewhere")


def test_bidi_outgoing_only_as_the_one_called(world, romeo):
    romeo.message("nurse@" + FAR, "hello")
    it = world.far.accept()
    world.far.secure(it, DIALBACK + "<bidi xmlns='urn:xmpp:features:bidi'/>")
    it.expect("bidi")
    it.expect("result")
    it.send("<db:result%s from='far.example' to='im.example' type='valid'/>" % DB)
    it.expect("message")
    it.message(romeo.jid, "and back")
    romeo.expect("message", body="and back")
    it.message(romeo.jid, "forged", from_="nurse@" + EVIL)
    it.expect_stream_error("invalid-from")


def test_stanza_on_a_stream_that_is_one_way(world, romeo):
    romeo.message("nurse@" + FAR, "hello")
    it = world.far.accepted()
    it.expect("message")
    it.message(romeo.jid, "the wrong way")
    it.expect_stream_error("invalid-from")
    romeo.expect_nothing("message")


# -- limits ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("rule, action", [("stanzas_per_minute = 3 drop", "drop"), ("stanzas_per_minute = 3 disconnect", "end"),
                                          ("stanzas_per_connection = 3 disconnect", "end"),
                                          ("domain_stanzas_per_minute = 3 drop", "drop"),
                                          ("domain_bytes_per_minute = 500 disconnect", "end")])
def test_limits(ca, tmp_path, connections, rule, action):
    site = Site("im.example", s2s="[tls]\nca = ca.pem\n[limits]\n%s\n" % rule, files={"ca.pem": ca.pem()})
    try:
        site.start()
        site.adduser("romeo@im.example", "pass word of romeo")
        romeo = Person(site, "romeo", "im.example", connections).login("here").online()
        it = Caller(site, FAR, connections).ready(ca.issue(FAR).write(tmp_path))
        it.send("<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL)
        it.expect("success")
        it.begin()
        for n in range(6):
            it.message(romeo.jid, str(n))
        if action == "end":
            it.expect_stream_error("policy-violation")
        else:
            poll("stanzas to be dropped", lambda: site.count("limit_dropped") == 3)
        for n in range(3):
            romeo.expect("message", body=str(n))
        romeo.expect_nothing("message", body="5")
        assert sum(site.count(name) for name in ("limit_stanzas", "limit_domain_stanzas", "limit_domain_bytes")) > 0
    finally:
        site.check(site.stop() if site.process else [])
        site.remove()


def test_times(ca, tmp_path, connections):
    """Who proves nothing, and who has nothing to say, is not kept."""
    site = Site("im.example", s2s="[tls]\nca = ca.pem\n[limits]\nauth_time = 500ms\n[keepalive]\nmax_idle = 500ms\n",
                files={"ca.pem": ca.pem()})
    try:
        site.start()
        Caller(site, FAR, connections).ready().expect_stream_error("connection-timeout")
        it = Caller(site, FAR, connections).ready(ca.issue(FAR).write(tmp_path))
        it.send("<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL)
        it.expect("success")
        it.begin()
        it.expect_end()
        assert site.count("limit_auth_time") == 1 and site.count("idle_closed") == 1
    finally:
        site.check(site.stop() if site.process else [])
        site.remove()


def test_server_that_does_not_know_the_domain(world, romeo):
    romeo.message("nurse@" + EVIL, "hello", id="unknown")
    it = world.evil.accept()
    it.expect_header()
    it.send("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='x' from='evil.example' version='1.0'>"
            "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
    error = romeo.expect("message", type="error", id="unknown", error="remote-server-not-found")
    assert "host-unknown" in "".join(error.itertext())


def test_draining(world, connections, romeo):
    """Who calls is refused, and tries another host; who is connected goes on, and we still call."""
    it = proven(world, connections)
    world.site.ask_s2s("drain")
    assert not world.site.accepting()
    for direct_tls in (None, "xmpp-server"):
        with pytest.raises(ConnectionRefusedError):
            Caller(world.site, EVIL, connections, direct_tls)
    it.message(romeo.jid, "still here")
    romeo.expect("message", body="still here")
    romeo.message("nurse@" + EVIL, "hello")
    world.evil.accepted().expect("message", body="hello")
    world.site.ask_s2s("drain off")
    assert Caller(world.site, EVIL, connections).ready().offers("dialback")


def test_requests_without_end(world, connections):
    """Each request of dialback is work for others, too: so many, and no more."""
    it = proven(world, connections)
    for n in range(9):
        it.result("key", from_="n%d.blocked.example" % n)
    it.expect_stream_error("policy-violation")
