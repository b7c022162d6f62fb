"""Certificates and dialback beside each other, as deployed: by the sections of XEP-0344 (dialback over TLS, and without dialback), XEP-0220 2.4
and 2.5 (errors), RFC 6120 6.4.5 and XEP-0178 (EXTERNAL, and what follows where it fails)."""

import contextlib

import pytest

import pki
from client import NS_SASL, NS_TLS, local
from far import NS_DIALBACK_FEATURE, Far, dialback, fresh
from federation import federating, streams

OURS = "im.example"
S2S = """
[dns]
loopback = yes
[connect]
retry = 100ms
retry_most = 300ms
[queue]
age = 20s
[remote *.strict.example]
require_certificate = yes
"""


def SERVER(names, ca):
    names.sign("safe.example")
    return federating(OURS, names, ca, "any", S2S, tls="required")


@pytest.fixture
def romeo(person):
    return person("romeo").login("orchard").online()


class Asked(list):
    """The questions about keys that a Far is asked: dialling back."""

    def __init__(self, far):
        super().__init__()
        far.manners["verify"] = lambda link, el: self.append(el) or far.honest(link, el)


def incoming(server, far):
    it, = streams(server, direction="in", remote=far.domain)
    return it


def takes(link, far, romeo, domain=None):
    """What it sends arrives."""
    link.message("nurse@" + (domain or far.domain), romeo.jid, "hello", id="from " + (domain or far.domain))
    romeo.expect("message", id="from " + (domain or far.domain))


# -- they come to us ----------------------------------------------------------------------------------------------------

def test_xep0344_2_3_dialback_over_tls(names, ca, server, romeo):
    """The certificate proves nothing: a key, and the question about it."""
    with Far(names, ca, *fresh("classic"), identity=pki.self_signed("classic.example")) as far:
        asked, link = Asked(far), far.secured(server)
        assert not link.offers(NS_SASL, "mechanism") and link.offers(NS_DIALBACK_FEATURE, "dialback")
        assert far.keyed(link) == "valid" and len(asked) == 1
        takes(link, far, romeo)
        assert incoming(server, far)["auth"] == "dialback"


@pytest.mark.parametrize("direct", [False, True], ids=["starttls", "direct"])
@pytest.mark.parametrize("domain", ["{}.example", "{}.strict.example"], ids=["any", "certificate required"])
def test_xep0344_2_5_dialback_without_dialback(names, ca, server, romeo, direct, domain):
    """It does: whatever the key is, nobody is asked. EXTERNAL was offered, and is not what it came for."""
    with Far(names, ca, domain.format(fresh("proven")[0].partition(".")[0]), direct=True) as far:
        asked, link = Asked(far), far.secured(server, direct=direct)
        assert link.offers(NS_SASL, "mechanism") and link.offers(NS_DIALBACK_FEATURE, "dialback")
        assert link.result("not made of anything") == "valid" and not asked
        takes(link, far, romeo)
        assert incoming(server, far)["auth"] == "external-pkix"


@pytest.mark.parametrize("kind", ["{}.example", "{}.strict.example"], ids=["any", "certificate required"])
def test_xep0344_2_4_piggybacking(names, ca, server, romeo, kind):
    """A further domain on the same stream, which the same certificate names."""
    first, second = [kind.format(name.partition(".")[0]) for name in fresh("first", "second")]
    with Far(names, ca, first, second) as far:
        asked, link = Asked(far), far.external(server)
        assert link.result("any", second) == "valid" and not asked
        takes(link, far, romeo, first), takes(link, far, romeo, second)
        assert {(d["remote"], d["auth"]) for d in incoming(server, far)["domains"]} == {(first, "external-pkix"), (second, "external-pkix")}


@pytest.mark.parametrize("kind, verdict", [("{}.example", "valid"), ("{}.strict.example", "not-authorized")], ids=["any", "certificate required"])
def test_xep0344_2_4_piggybacking_of_another(names, ca, server, kind, verdict):
    """One that it does not name: dialback, where that will do."""
    first, second = [kind.format(name.partition(".")[0]) for name in fresh("first", "second")]
    with Far(names, ca, first, second, identity=ca.issue(first)) as far:
        asked, link = Asked(far), far.external(server)
        assert far.keyed(link, second) == verdict and len(asked) == (verdict == "valid")


def test_xep0344_3_dnssec(names, ca, server, romeo):
    """DANE instead of an authority: the same."""
    domain = fresh("dane")[0].partition(".")[0] + ".safe.example"
    shown = pki.self_signed(domain)
    with Far(names, ca, domain, identity=shown) as far:
        names.tlsa("xmpp." + domain, far.port(), shown.tlsa())
        asked, link = Asked(far), far.secured(server)
        assert link.offers(NS_SASL, "mechanism")
        assert link.result("any") == "valid" and not asked
        takes(link, far, romeo)
        assert incoming(server, far)["auth"] == "external-dane"


def test_xep0220_2_4_2_errors_are_offered(names, ca, server):
    """On the features of every stream on which dialback may be done."""
    with Far(names, ca, *fresh("errors")) as far:
        link = far.secured(server)
        assert link.features.find("{%s}dialback/{%s}errors" % (NS_DIALBACK_FEATURE, NS_DIALBACK_FEATURE)) is not None
        again = link.external()
        assert again.features.find("{%s}dialback/{%s}errors" % (NS_DIALBACK_FEATURE, NS_DIALBACK_FEATURE)) is not None


def test_xep0220_2_5_an_error_is_not_the_end(names, ca, server, romeo):
    """Nobody can be asked about the one domain: the stream goes on, and proves another."""
    with Far(names, ca, *fresh("errors"), identity=pki.self_signed("errors.example")) as far:
        link = far.secured(server)
        assert link.result("any", *fresh("nowhere")) == "remote-server-not-found"
        assert link.result("any", None, "elsewhere.example") == "item-not-found"
        assert far.keyed(link) == "valid"
        takes(link, far, romeo)


# -- we come to them ----------------------------------------------------------------------------------------------------

def ours_is_shown(far):
    """The keys and the attempts with SASL that a Far has from us."""
    seen = []
    far.manners["result"] = lambda link, el: seen.append(local(el)) or "valid"
    far.manners["auth"] = lambda link, el: seen.append(local(el))
    return seen


@pytest.mark.parametrize("offered, shown", [(["external", "dialback"], ["auth", "result"]), (["dialback"], ["result"]), ([], ["result"])],
                         ids=["refused", "not offered", "nothing offered"])
def test_xep0178_dialback_where_external_fails(names, ca, server, romeo, offered, shown):
    """On the same stream (RFC 6120 6.4.5: it stays open); dialback is known without a feature, too (XEP-0220 2.4.1)."""
    with Far(names, ca, *fresh("mixing")) as far:
        seen = ours_is_shown(far)
        far.manners["features"] = lambda link, secure, authed: offered if secure else ["starttls"]
        romeo.message("nurse@" + far.domain, "hello", id="hello")
        far.expect("message", id="hello")
        assert seen == shown and len(far.served) == 1
        out, = streams(server, direction="out", remote=far.domain)
        assert out["auth"] == "dialback" and out["certificate"] == "external-pkix"


def secured(link, far):
    link.answer_header().offer("starttls")
    link.next("starttls")
    link.send("<proceed xmlns='%s'/>" % NS_TLS)
    link.secure(far.identity)
    link.answer_header().offer("external", "dialback")


@pytest.mark.parametrize("how", ["closes", "ends", "stream error"])
def test_xep0178_dialback_on_a_new_stream(names, ca, server, romeo, how):
    """It does not take our certificate and will hear no more of us on that stream. The next one begins with dialback."""
    with Far(names, ca, *fresh("closing")).by_hand() as far:
        romeo.message("nurse@" + far.domain, "hello", id="hello")
        link = far.accept()
        secured(link, far)
        link.next("auth")
        link.send("<failure xmlns='%s'><not-authorized/></failure>%s" % (NS_SASL, {
            "closes": "", "ends": "</stream:stream>",
            "stream error": "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"}[how]))
        with contextlib.suppress(OSError):
            link.cut()
        again = far.accept()
        secured(again, far)
        first = again.expect(where=lambda el: True)
        assert local(first) == "result"
        again.send(dialback("result", far.domain, OURS, type="valid"))
        again.expect("message", id="hello")


def test_xep0220_2_5_an_error_from_them(names, ca, server, romeo):
    """What they say is what the sender is told; nothing is sent."""
    with Far(names, ca, *fresh("refusing")) as far:
        far.manners["features"] = lambda link, secure, authed: ["dialback"] if secure else ["starttls"]
        far.manners["result"] = lambda link, el: "policy-violation"
        romeo.message("nurse@" + far.domain, "hello", id="refused")
        told = romeo.expect("message", type="error", id="refused")
        assert "policy-violation" in "".join(told.itertext()) and not far.stanzas


def test_both_at_once(names, ca, server, romeo):
    """Keys of theirs and ours cross; either side asks about the other's."""
    with Far(names, ca, *fresh("crossing"), identity=pki.self_signed("crossing.example")) as far:
        keys = []
        far.manners["features"] = lambda link, secure, authed: ["dialback"] if secure else ["starttls"]
        far.manners["result"] = lambda link, el: keys.append((link.id, el.text)) or "valid"
        romeo.message("nurse@" + far.domain, "hello", id="hello")
        far.expect("message", id="hello")
        link = far.secured(server)
        assert link.verify(*keys[0]) == "valid"
        assert far.keyed(link) == "valid"
        takes(link, far, romeo)
