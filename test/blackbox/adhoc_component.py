"""A component with ad-hoc commands of its own (XEP-0050), in a thread: forms of every kind, steps, notes, mistakes, and hostile texts.

A command is a function: it gets the step's number, the action and the submitted {var: [values]}, and gives back what the answer's
<command/> holds beside its attributes: (status, inner XML). It may be added while the component runs."""

import contextlib
import socket
import threading
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from client import NS_COMMANDS, NS_DATA, NS_DISCO_INFO, NS_DISCO_ITEMS, NS_STANZAS_ERR, Closed, local, q
from component import Component

NS_VALIDATE = "http://jabber.org/protocol/xdata-validate"
EVIL = "<img src=x onerror=\"window.hurt='%s'\"><script>window.hurt='%s'</script>"


class Refusal(Exception):
    """Answers with an error: condition, text, and a condition of the commands' own. The command's session is gone."""


def form(*fields, title="", instructions=(), kind="form"):
    parts = ["<title>%s</title>" % escape(title)] if title else []
    parts += ["<instructions>%s</instructions>" % escape(it) for it in instructions]
    return "<x xmlns='%s' type='%s'>%s</x>" % (NS_DATA, kind, "".join([*parts, *fields]))


def field(type, var, label="", *values, required=False, options=(), desc="", rule=""):
    return "<field type='%s'%s%s>%s%s%s%s%s</field>" % (
        type, " var=%s" % quoteattr(var) if var else "", " label=%s" % quoteattr(label) if label else "",
        "<desc>%s</desc>" % escape(desc) if desc else "", "<required/>" if required else "", rule,
        "".join("<value>%s</value>" % escape(value) for value in values),
        "".join("<option label=%s><value>%s</value></option>" % (quoteattr(it[1]), escape(it[0])) for it in options))


def rule(datatype="xs:string", inner="<basic/>"):
    return "<validate xmlns='%s' datatype='%s'>%s</validate>" % (NS_VALIDATE, datatype, inner)


def table(columns, rows):
    head = "<reported>%s</reported>" % "".join("<field var=%s label=%s/>" % (quoteattr(it), quoteattr(it.capitalize())) for it in columns)
    return head + "".join("<item>%s</item>" % "".join(
        "<field var=%s><value>%s</value></field>" % (quoteattr(var), escape(value)) for var, value in zip(columns, row)) for row in rows)


COLOURS = [("red", "Red"), ("green", "Green"), ("blue", "Blue"), ("grey", "Grey"), ("black", "Black")]


def every_field(step, action, got):
    """All types of fields (XEP-0004 3.3), most kinds of validation (XEP-0122); the answer is a table of what was submitted."""
    if step == 0:
        return "executing", "<actions execute='complete'><complete/></actions>" + form(
            field("hidden", "secret", "", "kept as it is"), field("fixed", "", "", "About the thing itself"),
            field("text-single", "name", "Name", required=True, desc="What it is called."),
            field("text-private", "key", "Key", required=True),
            field("boolean", "active", "Active", "1", desc="Whether it works."),
            field("jid-single", "owner", "Owner", required=True), field("jid-multi", "members", "Members"),
            field("list-single", "colour", "Colour", "green", options=COLOURS), field("list-single", "size", "Size", options=[("s", "Small"), ("l", "Large")], required=True),
            field("list-multi", "days", "Days", "mo", options=[("mo", "Monday"), ("tu", "Tuesday"), ("we", "Wednesday")],
                  rule=rule(inner="<basic/><list-range min='1' max='2'/>")),
            field("list-single", "kind", "Kind", options=[("a", "A"), ("b", "B")], rule=rule(inner="<open/>")),
            field("text-multi", "notes", "Notes", "first line", "second line"),
            field("fixed", "", "", "Checked by rules"),
            field("text-single", "port", "Port", "5222", rule=rule("xs:unsignedShort", "<range min='1024' max='65535'/>")),
            field("text-single", "code", "Code", desc="Three digits, a dash, two letters.", rule=rule(inner="<regex>[0-9]{3}-[[:alpha:]]{2}</regex>")),
            field("text-single", "day", "Day", rule=rule("xs:date")),
            title="Every kind of field", instructions=["Fill in what you like.", "It is told back as a table."])
    return "completed", "<note type='info'>It was taken.</note>" + form(
        table(["var", "values"], [(var, " | ".join(values)) for var, values in sorted(got.items())]), title="What came", kind="result")


def steps(step, action, got):
    """Three steps, there and back."""
    ask = ["first", "second", "third"]
    actions = ["<actions execute='next'><next/></actions>", "<actions execute='next'><prev/><next/><complete/></actions>",
               "<actions execute='complete'><prev/><complete/></actions>"]
    if action == "complete" or step >= len(ask):
        return "completed", form(field("text-single", "answer", "Said at last", *got.get("first", got.get("second", got.get("third", [])))), kind="result")
    return "executing", actions[step] + form(field("text-single", ask[step], "Say the %s" % ask[step], required=True), title="Step %d of 3" % (step + 1))


def notes(step, action, got):
    return "completed", "<note>It is only said.</note><note type='warn'>It is a warning.</note><note type='error'>It has failed.</note>"


def strict(step, action, got):
    """The first attempt is refused; and after that the session is not known any more."""
    if step == 0:
        return "executing", form(field("text-single", "word", "The word"), title="Say the word")
    if got.get("word") != ["please"]:
        raise Refusal("not-acceptable", "that is not the word")
    return "completed", "<note type='info'>Thank you.</note>"


def hostile(step, action, got):
    """Every text that a page shows is markup here."""
    evil = [EVIL % (name, name) for name in ("title", "instructions", "label", "desc", "value", "option", "fixed", "note", "column", "cell")]
    if step == 0:
        return "executing", "<note type='warn'>%s</note>" % escape(evil[7]) + form(
            field("fixed", "", "", evil[6]), field("text-single", "a", evil[2], evil[4], desc=evil[3]),
            field("list-multi", "b", evil[2], options=[(evil[5], evil[5])]), field("list-single", "c", evil[2], options=[(evil[5], evil[5])]),
            title=evil[0], instructions=[evil[1]])
    return "completed", "<x xmlns='jabber:x:oob'><url>javascript:window.hurt='url'</url></x>" + form(
        field("text-single", "v", evil[2], evil[4]), "<reported><field var='x' label=%s/></reported><item><field var='x'><value>%s</value></field></item>" % (
            quoteattr(evil[8]), escape(evil[9])), kind="result")


class Commands(threading.Thread):
    def __init__(self, server, jid, secret):
        super().__init__(daemon=True)
        self.jid = jid
        self.stream = Component(server, jid, name=jid).handshake(secret)
        self.commands = {"fields": ("Every kind of field", every_field), "steps": ("Three steps", steps), "notes": ("Notes", notes),
                         "strict": ("Say the word", strict), "hostile": (EVIL % ("name", "name"), hostile)}
        self.foreign = [("somebody.else.example", "stolen", "Of somebody else")]
        self.sessions = {}      # id: (node, step)
        self.submitted = []     # (node, action, {var: [values]}) as they came
        self.start()

    def run(self):
        while True:
            try:
                iq = self.stream.expect("iq", timeout=3600)
            except (Closed, AssertionError, OSError, ValueError):
                return
            if iq.get("type") in ("get", "set"):
                self.answer(iq)

    def stop(self):
        with contextlib.suppress(OSError):
            self.stream.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        self.stream.cut()

    def answer(self, iq):
        payload = iq[0]
        try:
            inner = {"query": self.disco, "command": self.command}.get(local(payload), self.unknown)(payload)
            kind = "result"
        except Refusal as refused:
            condition, text, *detail = refused.args
            kind, inner = "error", "<error type='cancel'><%s xmlns='%s'/>%s%s</error>" % (
                condition, NS_STANZAS_ERR, "<text xmlns='%s'>%s</text>" % (NS_STANZAS_ERR, escape(text)) if text else "",
                "".join("<%s xmlns='%s'/>" % (it, NS_COMMANDS) for it in detail))
        self.stream.send("<iq type='%s' id=%s from=%s to=%s>%s</iq>" % (kind, quoteattr(iq.get("id")), quoteattr(self.jid), quoteattr(iq.get("from")), inner))

    def unknown(self, payload):
        raise Refusal("service-unavailable", "")

    def disco(self, query):
        if query.tag == q(NS_DISCO_INFO, "query"):
            return "<query xmlns='%s'><identity category='automation' type='command-list'/><feature var='%s'/></query>" % (NS_DISCO_INFO, NS_COMMANDS)
        items = [(self.jid, node, name) for node, (name, _) in self.commands.items()] + self.foreign if query.get("node") == NS_COMMANDS else []
        return "<query xmlns='%s' node=%s>%s</query>" % (NS_DISCO_ITEMS, quoteattr(query.get("node", "")), "".join(
            "<item jid=%s node=%s name=%s/>" % tuple(quoteattr(it) for it in item) for item in items))

    def command(self, command):
        node, action, id = command.get("node"), command.get("action", "execute"), command.get("sessionid")
        if node not in self.commands:
            raise Refusal("item-not-found", "")
        step = 0
        if id is not None:
            if self.sessions.get(id, (None,))[0] != node:
                raise Refusal("bad-request", "", "bad-sessionid")
            step = max(self.sessions.pop(id)[1] + (-1 if action == "prev" else 1), 0)
        got = {it.get("var"): [value.text or "" for value in it.iter(q(NS_DATA, "value"))] for it in command.iter(q(NS_DATA, "field"))}
        if id is not None:
            self.submitted.append((node, action, got))
        id = id or "session-%d" % (len(self.submitted) + len(self.sessions))
        if action == "cancel":
            return "<command xmlns='%s' node=%s sessionid=%s status='canceled'/>" % (NS_COMMANDS, quoteattr(node), quoteattr(id))
        status, inner = self.commands[node][1](step, action, got)
        ET.fromstring("<r>%s</r>" % inner)
        if status == "executing":
            self.sessions[id] = (node, step)
        return "<command xmlns='%s' node=%s sessionid=%s status='%s'>%s</command>" % (NS_COMMANDS, quoteattr(node), quoteattr(id), status, inner)
