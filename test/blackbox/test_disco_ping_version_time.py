"""What the server says of itself (XEP-0030, 0115, 0128, 0157, 0199, 0092, 0202), and that it is true."""

import base64
import datetime
import hashlib
import re

import pytest

from client import NS_COMMANDS, NS_DATA, NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_REGISTER, NS_ROSTER, befriend, \
    error_of, q

FAR = "echo.im.example"
SERVER = {"domains": ["im.example", "other.example"], "components": {FAR: "secret of echo"},
          "conf": {"sessman.conf": "[contact]\nadmin = xmpp:admin@im.example\n"
                                   "abuse = mailto:abuse@im.example, xmpp:abuse@im.example\n"}}
NS_CAPS = "http://jabber.org/protocol/caps"
NS_TIME = "urn:xmpp:time"
NS_CPUTIME = "urn:bulkhead:cputime:0"
NS_VERSION = "jabber:iq:version"


def ask_info(client, to="im.example", node=None):
    return client.ask("get", "<query xmlns='%s'%s/>" % (NS_DISCO_INFO, " node='%s'" % node if node else ""), to=to)


def features(reply):
    return [el.get("var") for el in reply.iter(q(NS_DISCO_INFO, "feature"))]


def identities(reply):
    return [(el.get("category"), el.get("type")) for el in reply.iter(q(NS_DISCO_INFO, "identity"))]


def ask_items(client, to="im.example", node=None):
    return client.ask("get", "<query xmlns='%s'%s/>" % (NS_DISCO_ITEMS, " node='%s'" % node if node else ""), to=to)


def verification(reply):
    """XEP-0115 5.1: the string that is hashed."""
    query = reply.find(q(NS_DISCO_INFO, "query"))
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    parts = sorted("%s/%s/%s/%s" % (el.get("category"), el.get("type"), el.get(lang, ""), el.get("name", ""))
                   for el in query.iter(q(NS_DISCO_INFO, "identity")))
    parts += sorted(features(reply))
    forms = []
    for x in query.iter(q(NS_DATA, "x")):
        fields = {f.get("var"): sorted(v.text or "" for v in f.iter(q(NS_DATA, "value"))) for f in x}
        form_type = fields.pop("FORM_TYPE")[0]
        forms.append([form_type] + [part for var in sorted(fields) for part in [var, *fields[var]]])
    for form in sorted(forms):
        parts += form
    return "".join(part + "<" for part in parts)


@pytest.fixture
def romeo(person):
    return person("romeo").login("balcony")


# -- the server ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("domain", ["im.example", "other.example"])
def test_server_is_an_im_server(romeo, domain):
    """XEP-0030 3.1, registry: identity server/im; disco itself is among the features."""
    reply = ask_info(romeo, domain)
    assert ("server", "im") in identities(reply)
    assert {NS_DISCO_INFO, NS_DISCO_ITEMS} <= set(features(reply))
    assert len(features(reply)) == len(set(features(reply))), "each once"


# An IQ that the namespace's specification has a server answer, for each that can be asked with one.
QUESTIONS = {
    NS_DISCO_INFO: "<query xmlns='%s'/>" % NS_DISCO_INFO,
    NS_DISCO_ITEMS: "<query xmlns='%s'/>" % NS_DISCO_ITEMS,
    NS_PING: "<ping xmlns='%s'/>" % NS_PING,
    NS_TIME: "<time xmlns='%s'/>" % NS_TIME,
    NS_VERSION: "<query xmlns='%s'/>" % NS_VERSION,
    NS_REGISTER: "<query xmlns='%s'/>" % NS_REGISTER,
    "jabber:iq:last": "<query xmlns='jabber:iq:last'/>",
}


def test_what_is_advertised_answers(romeo):
    """XEP-0030 3.1: a feature is a promise."""
    for feature in features(ask_info(romeo)):
        if feature in QUESTIONS:
            reply = romeo.ask("get", QUESTIONS[feature], to="im.example")
            assert reply.get("type") == "result", feature
    assert {NS_PING, NS_TIME, NS_VERSION, NS_COMMANDS} <= set(features(ask_info(romeo)))


def test_what_answers_is_advertised(romeo):
    """XEP-0030 3.1, the other way round."""
    advertised = features(ask_info(romeo))
    for namespace, question in QUESTIONS.items():
        if namespace not in advertised:
            assert error_of(romeo.ask("get", question, to="im.example"))[1] is not None, namespace


def test_unknown_node(romeo):
    """XEP-0030 3.2, 7: <item-not-found/>."""
    assert error_of(ask_info(romeo, node="nonsense")) == ("cancel", "item-not-found")


def test_items_of_the_server_are_its_components(romeo, component):
    """XEP-0030 4: what else there is on this server; each item answers for itself."""
    component(FAR)
    reply = ask_items(romeo)
    jids = [el.get("jid") for el in reply.iter(q(NS_DISCO_ITEMS, "item"))]
    assert reply.get("type") == "result" and len(jids) == len(set(jids))
    assert all("@" not in jid for jid in jids), "no accounts"


def test_contact_addresses(romeo):
    """XEP-0157 2 in XEP-0128 form: what sessman.conf says, and no empty fields for the rest."""
    forms = [x for x in ask_info(romeo).iter(q(NS_DATA, "x"))
             if x.find(".//" + q(NS_DATA, "value")).text == "http://jabber.org/network/serverinfo"]
    assert len(forms) == 1 and forms[0].get("type") == "result"
    fields = {f.get("var"): f for f in forms[0]}
    assert fields["FORM_TYPE"].get("type") == "hidden"
    told = {var: [v.text for v in f.iter(q(NS_DATA, "value"))] for var, f in fields.items() if var != "FORM_TYPE"}
    assert told == {"admin-addresses": ["xmpp:admin@im.example"],
                    "abuse-addresses": ["mailto:abuse@im.example", "xmpp:abuse@im.example"]}


def test_example_module_answers_as_advertised(romeo):
    """urn:bulkhead:cputime:0, the module that shows how one is written: microseconds, and they only grow."""
    assert NS_CPUTIME in features(ask_info(romeo))

    def used():
        reply = romeo.ask("get", "<cputime xmlns='%s'/>" % NS_CPUTIME, to="im.example")
        return int(reply.find(q(NS_CPUTIME, "cputime")).get("us"))
    first = used()
    assert 0 < first <= used()
    assert romeo.ask("set", "<cputime xmlns='%s'/>" % NS_CPUTIME, to="im.example").get("type") == "error"


# -- capabilities --------------------------------------------------------------------------------------------------

def test_caps_of_the_server_are_the_hash_of_its_disco(romeo):
    """XEP-0115 6.3 and 5: in the stream features, and verifiable; the node with the hash gives the same answer."""
    caps = romeo.features.find(q(NS_CAPS, "c"))
    assert caps is not None and caps.get("hash") == "sha-1" and caps.get("node")
    plain = ask_info(romeo)
    digest = hashlib.sha1(verification(plain).encode()).digest()
    assert caps.get("ver") == base64.b64encode(digest).decode()
    by_node = ask_info(romeo, node="%s#%s" % (caps.get("node"), caps.get("ver")))
    assert by_node.find(q(NS_DISCO_INFO, "query")).get("node") == "%s#%s" % (caps.get("node"), caps.get("ver"))
    assert verification(by_node) == verification(plain)


# -- accounts ------------------------------------------------------------------------------------------------------

def test_own_account(romeo):
    """XEP-0030, registry: identity account/registered; answered by the server."""
    reply = ask_info(romeo, romeo.bare)
    assert ("account", "registered") in identities(reply)
    assert NS_DISCO_INFO in features(reply)


def test_account_of_a_contact(people):
    """XEP-0030 8: who is subscribed may know."""
    his, hers = (who.login("here") for who in people("romeo", "juliet"))
    befriend(his, hers)
    assert ("account", "registered") in identities(ask_info(his, hers.bare))


def test_account_of_a_stranger_is_like_one_that_is_not_there(people):
    """XEP-0030 8: nobody learns which accounts exist."""
    his, hers = (who.login("here") for who in people("romeo", "juliet"))
    stranger, ghost = ask_info(his, hers.bare), ask_info(his, "ghost@im.example")
    assert error_of(stranger) == error_of(ghost) == ("cancel", "service-unavailable")
    stranger, ghost = ask_items(his, hers.bare), ask_items(his, "ghost@im.example")
    assert (stranger.get("type"), len(stranger), error_of(stranger)) == (ghost.get("type"), len(ghost), error_of(ghost))


def test_clients_answer_for_themselves(people):
    """XEP-0030, RFC 6121 8.5.3.1: to a full JID it is passed on."""
    his, hers = (who.login("here") for who in people("romeo", "juliet"))
    his.send("<iq type='get' id='d1' to='%s'><query xmlns='%s'/></iq>" % (hers.jid, NS_DISCO_INFO))
    hers.expect("iq", id="d1", from_=his.jid)


# -- ping, version, time -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("to", ["im.example", "other.example", None])
def test_ping(romeo, to):
    """XEP-0199 4.2: an empty result, from the server and from the own account."""
    reply = romeo.ask("get", "<ping xmlns='%s'/>" % NS_PING, to=to)
    assert reply.get("type") == "result" and len(reply) == 0


def test_ping_through_to_another_client(people):
    """XEP-0199 4.4."""
    his, hers = (who.login("here") for who in people("romeo", "juliet"))
    his.send("<iq type='get' id='p1' to='%s'><ping xmlns='%s'/></iq>" % (hers.jid, NS_PING))
    hers.expect("iq", id="p1", has=q(NS_PING, "ping"))


def test_version(romeo):
    """XEP-0092 3: name and version; the operating system is nobody's business unless it is configured."""
    query = romeo.ask("get", "<query xmlns='%s'/>" % NS_VERSION, to="im.example").find(q(NS_VERSION, "query"))
    assert query.find(q(NS_VERSION, "name")).text == "Bulkhead"
    assert query.find(q(NS_VERSION, "version")).text


def test_time(romeo):
    """XEP-0202 3: UTC with Z, and the offset of the zone."""
    el = romeo.ask("get", "<time xmlns='%s'/>" % NS_TIME, to="im.example").find(q(NS_TIME, "time"))
    utc, tzo = el.find(q(NS_TIME, "utc")).text, el.find(q(NS_TIME, "tzo")).text
    assert re.fullmatch(r"Z|[+-]\d\d:\d\d", tzo)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", utc)
    told = datetime.datetime.fromisoformat(utc.replace("Z", "+00:00"))
    assert abs(told - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("namespace, name", [(NS_VERSION, "query"), (NS_TIME, "time"), (NS_DISCO_INFO, "query"),
                                             (NS_DISCO_ITEMS, "query")])
def test_these_are_not_to_be_set(romeo, namespace, name):
    """RFC 6120 8.2.3: a set of what can only be asked is refused."""
    assert romeo.ask("set", "<%s xmlns='%s'/>" % (name, namespace), to="im.example").get("type") == "error"


def test_roster_is_the_accounts_and_not_the_servers(romeo):
    """RFC 6121 2.1.3: addressed to the domain it means nothing."""
    assert romeo.ask("get", "<query xmlns='%s'/>" % NS_ROSTER, to="other.example").get("type") == "error"
