"""SASL2 and what goes with it, for a client.Client: one request that logs in, binds and more (XEP-0388, 0386, 0484)."""

import base64
import ssl
import uuid

import sasl
from channel import secure
from client import NS_SASL, local, namespace, q

NS_SASL2 = "urn:xmpp:sasl:2"
NS_BIND2 = "urn:xmpp:bind:0"
NS_FAST = "urn:xmpp:fast:0"
NS_IAP = "urn:xmpp:iap:0"


def encode(data):
    """XEP-0388 2.2: what is empty is written as nothing."""
    return base64.b64encode(data).decode()


def decode(text):
    return base64.b64decode(text or "")


def new_agent():
    return str(uuid.uuid4())


def mechanisms(client):
    """Offered by SASL2; without those of tokens."""
    return [el.text for el in client.features.findall("%s/%s" % (q(NS_SASL2, "authentication"), q(NS_SASL2, "mechanism")))]


def token_mechanisms(client):
    return [el.text for el in client.features.iter(q(NS_FAST, "mechanism"))]


def version(client):
    el = client.features.find(q(NS_IAP, "config-version"))
    return None if el is None else el.get("value")


def ready(who, bound=False, extra=""):
    """A connection under TLS with the features before login; bound: its TLS tells the channel's bindings (client.sock)."""
    client = who.connect()
    client.begin()
    if bound:
        secure(client)
    else:
        client.starttls()
    client.begin(extra=extra)
    return client


def request(mechanism, initial=None, inside="", agent=None):
    """The text of an <authenticate/>; initial None: without an initial response."""
    return "<authenticate xmlns='%s' mechanism='%s'>%s%s%s</authenticate>" % (
        NS_SASL2, mechanism, "" if initial is None else "<initial-response>%s</initial-response>" % encode(initial),
        "<user-agent id='%s'><software>tests</software></user-agent>" % agent if agent else "", inside)


def finish(client, exchange):
    """Goes through the steps that follow a request; gives back <success/> or <failure/>."""
    while True:
        el = client.expect(where=lambda el: namespace(el) == NS_SASL2)
        if local(el) != "challenge":
            break
        client.send("<response xmlns='%s'>%s</response>" % (NS_SASL2, encode(exchange.step(decode(el.text)))))
    if local(el) == "success":
        data = el.find(q(NS_SASL2, "additional-data"))
        exchange.finish(b"" if data is None else decode(data.text))
        jid = el.find(q(NS_SASL2, "authorization-identifier")).text
        client.bare, _, resource = jid.partition("/")
        client.jid = jid if resource else None
    return el


def authenticate(client, user, password, mechanism="SCRAM-SHA-256", inside="", agent=None, **how):
    exchange = sasl.mechanism(mechanism, user, password, **how)
    client.send(request(mechanism, exchange.initial(), inside, agent))
    return finish(client, exchange)


def bind(tag=None, inside=""):
    return "<bind xmlns='%s'>%s%s</bind>" % (NS_BIND2, "<tag>%s</tag>" % tag if tag else "", inside)


def login(who, inside="", tag="tests", agent=None, mechanism="SCRAM-SHA-256"):
    """A fresh connection, bound by one request, with its features; client.success is what it brought."""
    client = ready(who)
    client.success = authenticate(client, who.user, who.password, mechanism, bind(tag, inside), agent)
    assert local(client.success) == "success", condition(client.success)
    client.features = client.expect("features")
    return client


def condition(el):
    """Of a <failure/>: the SASL condition."""
    assert local(el) == "failure", local(el)
    return [local(child) for child in el if namespace(child) == NS_SASL][0]


# -- tokens ---------------------------------------------------------------------------------------------------------

def ask_token(mechanism="HT-SHA-256-NONE"):
    return "<request-token xmlns='%s' mechanism='%s'/>" % (NS_FAST, mechanism)


def fast(count=None, invalidate=None):
    return "<fast xmlns='%s'%s%s/>" % (NS_FAST, "" if count is None else " count='%s'" % count,
                                      "" if invalidate is None else " invalidate='%s'" % invalidate)


def token_of(success):
    """(token, expiry) or None."""
    el = success.find(q(NS_FAST, "token"))
    return None if el is None else (el.get("token"), el.get("expiry"))


def get_token(who, agent, mechanism="HT-SHA-256-NONE", bound=False):
    """Logs in by password, and gives back the token that it asked for; the connection is dropped."""
    client = ready(who, bound=bound)
    outcome = authenticate(client, who.user, who.password, inside=ask_token(mechanism), agent=agent)
    assert local(outcome) == "success", condition(outcome)
    client.cut()
    return token_of(outcome)[0]


def use_token(who, token, agent, mechanism="HT-SHA-256-NONE", count=None, invalidate=None, inside="", bound=None, client=None):
    """(client, outcome) of one attempt; bound: the type of the channel binding."""
    client = client or ready(who, bound=bool(bound))
    how = {"binding": client.sock.binding(bound)} if bound else {}
    return client, authenticate(client, who.user, token, mechanism, fast(count, invalidate) + inside, agent, **how)
