"""What tests say and see of rosters and subscriptions."""

from client import NS_ROSTER, q

VERSIONING_FEATURE = q("urn:xmpp:features:rosterver", "ver")
PRE_APPROVAL_FEATURE = q("urn:xmpp:features:pre-approval", "sub")


def item(jid, name=None, groups=(), **attrs):
    """An <item/> as a client writes it."""
    text = "".join(" %s='%s'" % pair for pair in [("jid", jid), *([("name", name)] if name is not None else []),
                                                  *attrs.items()])
    return "<item%s>%s</item>" % (text, "".join("<group>%s</group>" % group for group in groups))


def query(*items, ver=None):
    return "<query xmlns='%s'%s>%s</query>" % (NS_ROSTER, "" if ver is None else " ver='%s'" % ver, "".join(items))


def put(client, *items):
    """Roster set; gives back the reply."""
    return client.ask("set", query(*items))


def fetch(client, ver=None):
    """Roster get; gives back the reply."""
    return client.ask("get", query(ver=ver))


def push(client, jid=None):
    """Waits for a roster push (RFC 6121 2.1.6), answers it and gives back its one item."""
    def is_push(el):
        if el.get("type") != "set" or el.find(q(NS_ROSTER, "query")) is None:
            return False
        return jid is None or el.find(".//" + q(NS_ROSTER, "item")).get("jid") == jid
    el = client.expect("iq", where=is_push)
    assert el.get("from") in (None, client.bare), "pushes come from the own account"
    assert el.get("to") in (None, client.jid) and el.get("id")
    items = list(el.iter(q(NS_ROSTER, "item")))
    assert len(items) == 1, "RFC 6121 2.1.6: exactly one item"
    client.send("<iq type='result' id='%s'/>" % el.get("id"))
    return Item(items[0], el.find(q(NS_ROSTER, "query")).get("ver"))


def pushes(stanzas):
    """The items of the pushes among stanzas, as Items."""
    return [Item(el.find(".//" + q(NS_ROSTER, "item"))) for el in stanzas
            if el.get("type") == "set" and el.find(q(NS_ROSTER, "query")) is not None]


def items_of(reply):
    return {el.get("jid"): Item(el) for el in reply.iter(q(NS_ROSTER, "item"))}


class Item:
    def __init__(self, el, ver=None):
        self.jid, self.name = el.get("jid"), el.get("name")
        self.subscription, self.ask = el.get("subscription"), el.get("ask")
        self.approved = el.get("approved") in ("true", "1")
        self.groups = {group.text for group in el.iter(q(NS_ROSTER, "group"))}
        self.ver = ver
