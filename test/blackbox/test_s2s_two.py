"""Two installations of our own, each with its s2s, talk to each other: dialback, certificates, direct TLS; cuts and restarts."""

import contextlib
import signal

import pytest

from conftest import Person
from pki import Authority, EXPIRED
from server import poll
from s2ssite import Site, join

SHORT = "[queue]\nage = 5s\n[connect]\nretry = 100ms\nretry_most = 500ms\n"


@contextlib.contextmanager
def running(*sites):
    try:
        yield tuple(it.start() for it in sites)
    finally:
        wrong = [line for it in sites if it.process for line in it.stop()]
        logs = "\n".join(it.log_tail() for it in sites)
        for it in sites:
            it.remove()
        assert not wrong, "\n".join(wrong) + "\n" + logs


def pair(one, other, how="", port="s2s", tls="starttls", **more):
    a, b = Site("one.example", s2s=how, **more), Site("other.example", s2s=how, **more)
    join(a, b, port, tls)
    return a, b


def people(sites, connections, names=("romeo", "juliet")):
    """One account on each, online."""
    made = []
    for site, name in zip(sites, names):
        jid = "%s@%s" % (name, site.domain)
        with contextlib.suppress(AssertionError):
            site.adduser(jid, "pass word of " + name)
        made.append(Person(site, name, site.domain, connections).login("here").online())
    return made


def talk(romeo, juliet, text="hello"):
    """A message each way."""
    romeo.message(juliet.jid, text)
    juliet.expect("message", body=text, from_=romeo.jid)
    juliet.message(romeo.jid, "and back: " + text)
    romeo.expect("message", body="and back: " + text, from_=juliet.jid)


@pytest.fixture(scope="module")
def sites():
    with running(*pair("one", "other", SHORT)) as both:
        yield both


def test_dialback(sites, connections):
    talk(*people(sites, connections))
    assert sites[1].connections(direction="in", auth="dialback", state="proven")
    assert sites[0].connections(direction="out", auth="dialback", state="ready")
    assert sites[1].count("auth_dialback") >= 1 and sites[0].count("verify_in") >= 1


def test_bidi_needs_one_stream(sites, connections):
    """XEP-0288: what juliet answers comes back where romeo's message went out."""
    talk(*people(sites, connections))
    (out,) = sites[0].connections(direction="out", state="ready")
    assert out["bidi"] and out["stanzas_in"] >= 1 and out["stanzas_out"] >= 1


def test_sm_acknowledges(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet)
    poll("the stanzas to be acknowledged", lambda: all(
        c["sm"]["out"] == c["sm"]["out_acknowledged"] and c["sm"]["in"] == c["sm"]["in_committed"]
        for site in sites for c in site.connections() if "sm" in c))
    poll("nothing to be left in custody", lambda: not any(
        __import__("control").status(site, "s2s-1")["in_custody"] for site in sites))


def test_iq_and_presence(sites, connections):
    romeo, juliet = people(sites, connections)
    answer = romeo.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to=sites[1].domain)
    assert answer.get("type") == "result" and answer.get("from") == sites[1].domain
    romeo.send("<presence to='juliet@%s' type='subscribe'/>" % sites[1].domain)
    juliet.expect("presence", type="subscribe", from_="romeo@" + sites[0].domain)
    juliet.send("<presence to='romeo@%s' type='subscribed'/>" % sites[0].domain)
    romeo.expect("presence", type=None, from_=juliet.jid)


def test_large_stanza(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet, "x" * 200000)


def test_close_and_again(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet)
    assert "closed" in sites[0].ask_s2s("s2s-close other.example")
    poll("the streams to end", lambda: not sites[0].connections(state="ready"))
    talk(romeo, juliet, "again")


def test_other_s2s_restarts(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet)
    assert sites[1].stop_s2s() == 0
    romeo.message(juliet.jid, "while it is away")
    sites[1].start_s2s()
    juliet.expect("message", body="while it is away")
    talk(romeo, juliet, "afterwards")


def test_other_s2s_is_killed(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet)
    sites[1].stop_s2s(signal.SIGKILL)
    sites[1].start_s2s()
    talk(romeo, juliet, "afterwards")


def test_own_s2s_is_killed(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet)
    sites[0].stop_s2s(signal.SIGKILL)
    romeo.message(juliet.jid, "while ours is away")
    sites[0].start_s2s()
    juliet.expect("message", body="while ours is away")


def test_sessman_restarts(sites, connections):
    romeo, juliet = people(sites, connections)
    talk(romeo, juliet)
    sites[0].replace_daemon("sessman")
    talk(romeo, juliet, "afterwards")


def test_nobody_there(sites, connections):
    romeo, _ = people(sites, connections)
    romeo.message("nurse@nowhere.example", "hello", id="nobody")
    romeo.expect("message", type="error", id="nobody", error="remote-server-timeout")
    (failure,) = [p["failure"] for p in sites[0].pairs() if p["remote"] == "nowhere.example"]
    assert failure["step"] == "resolve"


def test_probe(sites, connections):
    number = sites[0].ask_s2s("s2s-probe other.example one.example").split()[1]
    lines = poll("the probe", lambda: (lambda t: t if "done:" in t else None)(sites[0].ask_s2s("s2s-probe " + number)))
    assert "done: ok" in lines and "features:" in lines and "dialback: accepted" in lines, lines


# -- certificates -----------------------------------------------------------------------------------------------------

def signed(ca, *names, how="", port="s2s", tls="starttls", certificate=None):
    made = []
    for domain in ("one.example", "other.example"):
        site = Site(domain, s2s=SHORT + "[tls]\nca = ca.pem\ncert = s2s.crt\nkey = s2s.key\n" + how)
        identity = (certificate or {}).get(domain) or ca.issue(domain)
        site.files = {"ca.pem": ca.pem(), "s2s.crt": identity.pem(), "s2s.key": identity.key_pem()}
        made.append(site)
    join(*made, port, tls)
    return made


NO_DIALBACK = "[policy]\nrequire_certificate = yes\n[dialback]\nenabled = no\n"


@pytest.mark.parametrize("port, tls", [("s2s", "starttls"), ("s2s_tls", "direct")])
def test_external(ca, connections, port, tls):
    with running(*signed(ca, how=NO_DIALBACK, port=port, tls=tls)) as sites:
        talk(*people(sites, connections))
        assert sites[1].connections(direction="in", auth="external-pkix", state="proven")
        (out,) = sites[0].connections(direction="out", auth="external", state="ready")
        assert out["certificate"] == "external-pkix"
        assert sites[1].count("auth_external_pkix") == 1 and sites[1].count("auth_dialback") == 0


def test_wrong_certificate_is_told(ca, connections):
    """Of the server that is called: the sender reads what is wrong with it."""
    wrong = {"other.example": ca.issue("elsewhere.example")}
    with running(*signed(ca, how=NO_DIALBACK, certificate=wrong)) as sites:
        romeo, juliet = people(sites, connections)
        romeo.message(juliet.jid, "hello", id="wrong")
        error = romeo.expect("message", type="error", id="wrong", error="remote-server-timeout")
        assert "TLS certificate" in "".join(error.itertext())
        assert [p["failure"]["step"] for p in sites[0].pairs()] == ["certificate"]
        assert sites[1].count("stanzas_in") == 0


def test_expired_certificate_proves_nothing(ca, connections):
    """Of the server that calls: it is not offered EXTERNAL, and dialback is off."""
    old = {"one.example": ca.issue("one.example", **EXPIRED)}
    with running(*signed(ca, how=NO_DIALBACK, certificate=old)) as sites:
        romeo, juliet = people(sites, connections)
        romeo.message(juliet.jid, "hello", id="old")
        romeo.expect("message", type="error", id="old")
        assert sites[1].count("stanzas_in") == 0
