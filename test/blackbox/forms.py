"""Data forms (XEP-0004) and ad-hoc commands (XEP-0050) as a client uses them."""

from xml.sax.saxutils import escape, quoteattr

from client import NS_COMMANDS, NS_DATA, local, q

ADMIN = "http://jabber.org/protocol/admin#"


def values(x):
    """{var: [values]} of a form."""
    return {field.get("var"): [value.text or "" for value in field.iter(q(NS_DATA, "value"))]
            for field in x.iter(q(NS_DATA, "field"))}


def submit(form_type=None, **fields):
    """A filled-in form; a list gives several values."""
    if form_type:
        fields = {"FORM_TYPE": form_type, **fields}
    text = "".join("<field var=%s>%s</field>" % (
        quoteattr(var), "".join("<value>%s</value>" % escape(v) for v in (value if isinstance(value, list) else [value])))
        for var, value in fields.items())
    return "<x xmlns='%s' type='submit'>%s</x>" % (NS_DATA, text)


class Command:
    """One run of a command: execute, look at the form, complete."""

    def __init__(self, client, node, to=None, action=None):
        self.client, self.node, self.to = client, node, to or client.server_name
        self.session = None
        self.send("", action)

    def send(self, payload, action=None):
        text = "<command xmlns='%s' node=%s%s%s>%s</command>" % (
            NS_COMMANDS, quoteattr(self.node), " sessionid=%s" % quoteattr(self.session) if self.session else "",
            " action='%s'" % action if action else "", payload)
        self.reply = self.client.ask("set", text, to=self.to)
        self.el = self.reply.find(q(NS_COMMANDS, "command"))
        if self.reply.get("type") == "result":
            assert self.el.get("node") == self.node, "XEP-0050 3.1"
            assert self.session in (None, self.el.get("sessionid")), "XEP-0050 3.4: it stays the same"
            self.session = self.el.get("sessionid")
        return self

    @property
    def status(self):
        return self.el.get("status") if self.reply.get("type") == "result" else "error"

    @property
    def form(self):
        return self.el.find(q(NS_DATA, "x"))

    @property
    def notes(self):
        return [(note.get("type"), note.text) for note in self.el.iter(q(NS_COMMANDS, "note"))]

    def complete(self, **fields):
        return self.send(submit(self.form_type(), **fields), "complete")

    def form_type(self):
        return (values(self.form).get("FORM_TYPE") or [None])[0] if self.form is not None else None


def run(client, node, to=None, **fields):
    """A command of one form, from start to end; gives back the Command."""
    command = Command(client, node, to)
    if command.status == "executing":
        command.complete(**fields)
    return command


def result(command):
    """The values of a finished command's form."""
    assert command.status == "completed", "status %s, %s" % (command.status, [local(el) for el in command.reply])
    return values(command.form) if command.form is not None else {}
