"""Queries of a message archive, as a client writes them (XEP-0313, XEP-0059)."""

import collections
from xml.sax.saxutils import escape, quoteattr

from client import NS_CLIENT, NS_DATA, NS_DELAY, body_of, error_of, local, next_id, q

NS_MAM = "urn:xmpp:mam:2"
NS_RSM = "http://jabber.org/protocol/rsm"
NS_FORWARD = "urn:xmpp:forward:0"
NS_SID = "urn:xmpp:sid:0"
NS_HINTS = "urn:xmpp:hints"

Row = collections.namedtuple("Row", "id stamp message outer")


def field(var, *values):
    return "<field var=%s>%s</field>" % (quoteattr(var), "".join("<value>%s</value>" % escape(v) for v in values))


def form(**fields):
    """with_="…", before_id="…", ids=["…"]: the form of a query."""
    def name(key):
        return key.rstrip("_").replace("_", "-")
    if not fields:
        return ""
    return "<x xmlns='%s' type='submit'>%s%s</x>" % (NS_DATA, field("FORM_TYPE", NS_MAM), "".join(
        field(name(key), *([value] if isinstance(value, str) else value)) for key, value in fields.items()))


def rsm(max=None, after=None, before=None, index=None):
    """before="" asks for the last page."""
    parts = [("max", max), ("after", after), ("before", before), ("index", index)]
    return "<set xmlns='%s'>%s</set>" % (NS_RSM, "".join(
        "<%s>%s</%s>" % (name, escape(str(value)), name) for name, value in parts if value is not None))


def query(inner="", queryid=None):
    return "<query xmlns='%s'%s>%s</query>" % (NS_MAM, " queryid=%s" % quoteattr(queryid) if queryid else "", inner)


class Page:
    def __init__(self, reply, results):
        self.reply, self.error = reply, error_of(reply)[1]
        self.rows = [row_of(el) for el in results]
        fin = reply.find(q(NS_MAM, "fin"))
        self.complete = fin is not None and fin.get("complete") == "true"
        page = fin.find(q(NS_RSM, "set")) if fin is not None else None
        self.first = page.find(q(NS_RSM, "first")) if page is not None else None
        self.index = self.first.get("index") if self.first is not None else None
        self.first = self.first.text if self.first is not None else None
        self.last = page.findtext(q(NS_RSM, "last")) if page is not None else None
        self.count = page.findtext(q(NS_RSM, "count")) if page is not None else None
        self.ids = [row.id for row in self.rows]
        self.bodies = [body_of(row.message) for row in self.rows]


def is_result(el):
    return local(el) == "message" and el.find(q(NS_MAM, "result")) is not None


def row_of(el):
    result = el.find(q(NS_MAM, "result"))
    forwarded = result.find(q(NS_FORWARD, "forwarded"))
    return Row(result.get("id"), forwarded.find(q(NS_DELAY, "delay")).get("stamp"),
               forwarded.find(q(NS_CLIENT, "message")), el)


def ask(client, set="", extra="", to=None, **fields):
    """One query and what comes for it: the results must precede the answer."""
    id = next_id()
    client.send("<iq type='set' id='%s'%s>%s</iq>" % (id, " to='%s'" % to if to else "", query(form(**fields) + set + extra, id)))
    reply = client.expect("iq", id=id)
    mine = [el for el in client.inbox if is_result(el) and el.find(q(NS_MAM, "result")).get("queryid") == id]
    for el in mine:
        client.inbox.remove(el)
    return Page(reply, mine)


def ask_all(client, max=50, **fields):
    """All pages, forwards: every row."""
    rows, seen, after = [], set(), None
    while True:
        page = ask(client, rsm(max=max, after=after), **fields)
        assert page.error is None, page.error
        assert not seen & set(page.ids), "a row comes twice"
        rows += page.rows
        seen.update(page.ids)
        if page.complete:
            return rows
        assert page.rows, "a page without rows that is not the last"
        after = page.last


def prefs(client, default=None, always=(), never=()):
    """Sets the preferences where default is given; gives back (default, always, never) or the error's condition."""
    def jids(name, list):
        return "<%s>%s</%s>" % (name, "".join("<jid>%s</jid>" % jid for jid in list), name)
    inner = "<prefs xmlns='%s'/>" % NS_MAM if default is None else "<prefs xmlns='%s' default='%s'>%s%s</prefs>" % (
        NS_MAM, default, jids("always", always), jids("never", never))
    reply = client.ask("get" if default is None else "set", inner)
    if reply.get("type") == "error":
        return error_of(reply)[1]
    got = reply.find(q(NS_MAM, "prefs"))
    return got.get("default"), *([el.text for el in got.find(q(NS_MAM, name))] for name in ("always", "never"))
