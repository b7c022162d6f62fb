"""The server in raw streams that the tests of federation use (far.py) is one that others federate with, and its lies are told."""

import pytest

from client import Closed
from far import Far, fresh
from peers import Prosody, running

HOWS = ["certificate", "dialback", "plain"]


@pytest.fixture(scope="module", params=HOWS)
def prosody(request, names, ca):
    with running(Prosody("prosody.example", names, ca, request.param)) as (peer,):
        peer.how = request.param
        yield peer


@pytest.fixture
def far(names, ca):
    """Each with domains of its own: addresses are remembered."""
    with Far(names, ca, *fresh("far", "other")) as it:
        yield it


def proven(far, peer):
    if peer.how == "certificate":
        return far.external(peer)
    return far.proven(peer, tls=peer.how == "dialback")


def test_both_ways(prosody, far, connections):
    juliet = prosody.person("juliet", connections).login(tls=prosody.how != "plain").online()
    proven(far, prosody).message("romeo@" + far.domain, juliet.jid, "there")
    juliet.expect("message", body="there", from_="romeo@" + far.domain)
    juliet.message("romeo@" + far.domain, "and back")
    assert far.expect("message", body="and back").get("from") == juliet.jid
    assert not far.refused


def test_by_hand(prosody, far, connections):
    """A connection of the other's is the test's own."""
    far.by_hand()
    juliet = prosody.person("juliet", connections).login(tls=prosody.how != "plain").online()
    juliet.message("romeo@" + far.domain, "there")
    link = far.accept().answer_header()
    if prosody.how != "plain":
        link.offer("starttls")
        link.next("starttls")
        link.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        link.secure(far.identity).answer_header()
    if prosody.how == "certificate":
        link.offer("external")
        link.next("auth")
        link.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        link.reset()
        link.answer_header().offer()
    else:
        link.offer("dialback")
        asked = link.next("result")
        assert (asked.get("from"), asked.get("to")) == ("prosody.example", far.domain)
        far.answer(link, asked, "valid")
    assert link.expect("message", body="there").get("from") == juliet.jid


def test_lies_about_keys(prosody, far):
    """A key that is not this stream's, and one that its own server does not know."""
    if prosody.how == "certificate":
        with pytest.raises((Closed, AssertionError, OSError)):
            far.secured(prosody, far.ca.issue(far.domains[1])).external()
        return
    link = far.secured(prosody) if prosody.how == "dialback" else far.dial(prosody).begin()
    assert link.result(far.key("prosody.example", far.domain, "another id")) == "invalid"
    far.manners["verify"] = lambda link, el: "invalid"
    link = far.secured(prosody) if prosody.how == "dialback" else far.dial(prosody).begin()
    assert far.keyed(link) == "invalid"


def test_sending_as_another(prosody, far, connections):
    juliet = prosody.person("juliet", connections).login(tls=prosody.how != "plain").online()
    link = proven(far, prosody)
    link.message("romeo@" + far.domains[1], juliet.jid)
    link.expect_stream_error(("invalid-from", "not-authorized"))
    assert not juliet.sync()
