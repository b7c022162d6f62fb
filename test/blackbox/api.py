"""A session of the HTTP API, spoken by hand over an edge's link (frames.py): what httpgw does, and what one that was broken into could do."""

import base64
import itertools
from xml.sax.saxutils import escape, quoteattr

from client import NS_COMMANDS, NS_DATA, local, q
from forms import submit, values
from frames import STANZA

OURS = "urn:bulkhead:commands:"
NS_DESCRIPTIONS = "urn:bulkhead:commands:0"
sessions = itertools.count(1000)
ids = itertools.count(1)


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def bearer(token, gs2="n,,"):
    """RFC 7628 3.1."""
    return gs2 + "\x01auth=Bearer %s\x01\x01" % token


class Api:
    """One session. `edge` is a frames.Edge that is up."""

    def __init__(self, edge, domain="im.example", **attrs):
        self.edge, self.domain, self.id = edge, domain, next(sessions)
        edge.open(self.id, domain, **{"api": "1", **attrs})

    def auth(self, mechanism, message):
        """The name of what came: success, failure or challenge; its text and attributes in .el."""
        self.edge.control("auth", self.id, b64(message), mechanism=mechanism)
        return self.outcome()

    def outcome(self):
        names = ("success", "failure", "challenge")
        frame = self.edge.expect(lambda f: f.session == self.id and any(f.is_control(name) for name in names))
        self.el = frame.element()
        return local(self.el)

    def token(self, token, gs2="n,,"):
        return self.auth("OAUTHBEARER", bearer(token, gs2))

    def refused(self, token):
        """RFC 7628 3.2.2, 3.2.3: it is told why, says one more thing, and has failed. The JSON."""
        assert self.token(token) == "challenge"
        why = base64.b64decode(self.el.text).decode()
        self.edge.control("response", self.id, b64("\x01"))
        assert self.outcome() == "failure" and self.el.get("cond", self.el.get("condition")) != "success"
        return why

    def bind(self, resource=None):
        self.edge.control("bind", self.id, **({"resource": resource} if resource else {}))
        self.jid = self.edge.expect_control("bound", self.id).get("jid")
        return self

    def login(self, token=None, user=None, password=None):
        if token:
            assert self.token(token) == "success"
        else:
            assert self.auth("PLAIN", "\0%s\0%s" % (user, password)) == "success"
        return self.bind()

    def send(self, stanza):
        self.edge.send(STANZA, stanza, self.id)

    def stanza(self, wanted=lambda el: True):
        return self.edge.expect(lambda f: f.session == self.id and f.kind == STANZA and wanted(f.element())).element()

    def ask(self, kind, payload, to=None):
        id = "a%d" % next(ids)
        self.send("<iq type='%s' id='%s' to='%s'>%s</iq>" % (kind, id, to or self.domain, payload))
        return self.stanza(lambda el: el.get("id") == id)

    def run(self, node, **fields):
        payload = submit(**fields) if fields else ""
        return self.ask("set", "<command xmlns='%s' node=%s>%s</command>" % (NS_COMMANDS, quoteattr(node), payload))

    def commands(self):
        reply = self.ask("get", "<commands xmlns='%s'/>" % NS_DESCRIPTIONS)
        return {el.get("node") for el in reply.iter(q(NS_DESCRIPTIONS, "command"))}

    def message(self, to, body, id=None):
        self.send("<message type='chat' to='%s' id='%s'><body>%s</body></message>" % (to, id or "m", escape(body)))

    def settle(self):
        assert self.ask("get", "<ping xmlns='urn:xmpp:ping'/>").get("type") == "result"


def form_of(reply):
    return values(next(reply.iter(q(NS_DATA, "x"))))
