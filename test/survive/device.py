"""The clients: an account has one or two devices of some kind, each of which keeps itself logged in while it is wanted, counts
and acknowledges as its kind does, and tells the ledger."""

import asyncio
import base64
import collections
import itertools
import re
import time

from stream import NS_CLIENT, Ended, Stream, local

NS_SM, NS_BIND, NS_SASL = "urn:xmpp:sm:3", "urn:ietf:params:xml:ns:xmpp-bind", "urn:ietf:params:xml:ns:xmpp-sasl"
NS_ROSTER, NS_PING, NS_DELAY = "jabber:iq:roster", "urn:xmpp:ping", "urn:xmpp:delay"
NS_SID, NS_CARBONS, NS_FORWARD = "urn:xmpp:sid:0", "urn:xmpp:carbons:2", "urn:xmpp:forward:0"
NS_MAM, NS_RSM, NS_STANZAS = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm", "urn:ietf:params:xml:ns:xmpp-stanzas"
STANZAS = {"{%s}%s" % (NS_CLIENT, name) for name in ("message", "presence", "iq")}
BODY = re.compile(r"m(\d+)$")
ACK_EVERY = 5               # stanzas after which a device asks for an acknowledgement
LOGIN_PATIENCE = 10.0       # seconds a login may take before it is tried again

# wanders: logs out and comes back; vanishes: its connection is gone for a while, which may be longer than the `vanishes` seconds
# for which it asked that its session be kept.
Kind = collections.namedtuple("Kind", "name sm wanders vanishes carbons mam priority", defaults=(False, False, 0, False, False, 0))
PHONE = Kind("phone", sm=True)
WEB = Kind("web")
TRAVELLER = Kind("traveller", sm=True, wanders=True, vanishes=1)
VISITOR = Kind("visitor", wanders=True)
ARCHIVIST = Kind("archivist", wanders=True, mam=True)
DESK = Kind("desk", sm=True, carbons=True, priority=5)
TABLET = Kind("tablet", carbons=True, priority=1)
TERMINAL = Kind("terminal", carbons=True, priority=5)
POCKET = Kind("pocket", sm=True, vanishes=300, carbons=True, mam=True, priority=1)
HOUSEHOLDS = [(PHONE,), (WEB,), (TRAVELLER,), (VISITOR,), (ARCHIVIST,), (DESK, TABLET), (TERMINAL, POCKET)]


class Account:
    def __init__(self, jid, archived):
        self.jid, self.archived = jid, archived
        self.local, self.domain = jid.split("@")
        self.devices, self.contacts = [], []
        self.edits = {}         # contact: [[name, acked]] in order; all by the first device
        self.archive_at = None  # id of the last message seen in the archive

    def __str__(self):
        return self.jid


class Device:
    def __init__(self, world, account, resource, kind):
        self.world, self.ledger, self.account, self.resource, self.kind = world, world.ledger, account, resource, kind
        self.jid = "%s/%s" % (account.jid, resource)
        self.wanted = asyncio.Event()
        self.stream = None
        self.on = False             # logged in, with presence
        self.logins = 0
        self.resumed_last = False   # its last return from somewhere was to the session that it had
        self.expected_end = None    # why the stream may end now
        self.doomed = False         # its c2s was killed
        self.ends = collections.deque(maxlen=20)     # when its streams ended
        self.careless = []              # when it dropped a socket without taking what was in it (no stream management)
        self.history = collections.deque(maxlen=30)
        self.ids = itertools.count(1)
        self.status_at = 0.0        # when that was sent
        self.status = 0             # number in its last presence
        self.last_from = {}         # sender device: highest uid seen
        self.queries = {}           # id: future of an IQ
        self.pages = {}             # query id: what came of a page of the archive
        self.again = []             # what a session that is gone says it has not got
        self.forget()

    def __str__(self):
        return self.jid

    def forget(self):
        """A new session: nothing of the old one counts."""
        self.unacked = collections.deque()      # without SM: messages and edits not covered by a ping
        self.ping = None                        # (id, how many of unacked it covers)
        self.sm_id = None
        self.counting = False
        self.in_h = 0
        self.out_n = 0
        self.kept = collections.deque()         # with SM: (n, text, what) not acknowledged
        self.since_ask = 0
        self.views = {}                         # contact: {resource: status}
        self.roster = {}                        # contact: (name, subscription, ask)
        self.interested = False

    def note(self, what):
        if not self.history or self.history[-1][1] != what:
            self.history.append((time.monotonic(), what))

    # -- life -----------------------------------------------------------------------------------------------------

    async def live(self):
        while True:
            await self.wanted.wait()
            try:
                await asyncio.wait_for(self.log_in(), LOGIN_PATIENCE)
            except (Ended, OSError, asyncio.TimeoutError) as why:
                self.note("no login: %s" % (why or type(why).__name__))
                if self.stream:
                    self.stream_refused()
                    self.drop_half_login()
                await asyncio.sleep(0.2)
                continue
            await self.stream.ended.wait()
            self.ended()

    def stream_refused(self):
        """A resumption ends with one of its answers, and never with the stream."""
        if self.sm_id and "undefined-condition" in (self.stream.error or ""):
            self.ledger.fail("resumption: %s: %s: %s" % (self, self.stream.error, self.ledger.tell(self)))
            self.lose_sight(what for _, what in self.pending())
            self.sm_id = None

    def drop_half_login(self):
        if not self.kind.sm:
            self.careless.append(time.monotonic())
        self.stream.reset()
        self.stream = None

    def ended(self):
        why = self.stream.error
        self.ends.append(time.monotonic())
        self.resumed_last = False
        self.note("stream ended%s%s" % (", " + why if why else "", " (%s)" % self.expected_end if self.expected_end else ""))
        if self.doomed:
            self.ledger.victims.append((time.monotonic(), self))
        elif not self.expected_end or why:
            self.ledger.fail("dropped: %s (%s), %s: %s" % (self, self.kind.name, why or "no stream error", self.ledger.tell(self)))
        if not self.kind.sm or self.expected_end == "goodbye":
            self.lose_sight(what for _, what in self.pending())
        if self.expected_end == "goodbye":
            self.sm_id = None
        self.stream, self.on, self.doomed, self.expected_end = None, False, False, None

    def pending(self):
        """(text, message or edit) without an acknowledgement."""
        if self.kind.sm:
            return [(text, what) for _, text, what in self.kept]
        return [("", what) for what in self.unacked]

    def is_there(self):
        """The server has told it its own presence in this session: whatever comes behind that was sent after it."""
        return self.on and self.resource in self.views.get(self.account.jid, {})

    def lose_sight(self, whats):
        for what in whats:
            if what is not None and not isinstance(what, list):
                what.lost_sight = True
        self.unacked.clear()
        self.kept.clear()

    def go_away(self, how):
        """The device leaves its connection; with stream management it comes back to the same session, unless it says goodbye."""
        self.expected_end = how
        self.note(how)
        self.on = False
        if how in ("goodbye", "vanished"):
            self.wanted.clear()
        if how == "goodbye":
            self.stream.send("</stream:stream>")
        elif how in ("reset", "vanished"):
            if not self.kind.sm:
                self.careless.append(time.monotonic())
            self.stream.reset()
        else:
            self.stream.hang_up()

    # -- logging in -----------------------------------------------------------------------------------------------

    async def log_in(self):
        self.stream = stream = await Stream.connect(self.world.address, self.element)
        stream.open(self.account.domain)
        await stream.until(lambda el: local(el) == "features")
        secret = base64.b64encode(b"\0%s\0%s" % (self.account.local.encode(), self.world.password.encode())).decode()
        stream.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (NS_SASL, secret))
        done = await stream.until(lambda el: el.tag.startswith("{%s}" % NS_SASL))
        if local(done) != "success":
            raise Ended("login: " + ",".join(local(c) for c in done))
        stream.open(self.account.domain)
        await stream.until(lambda el: local(el) == "features")
        if self.sm_id and await self.resume():
            return
        await self.bind()

    async def bind(self):
        again = self.start_session()
        stream = self.stream
        stream.send("<iq type='set' id='bind'><bind xmlns='%s'><resource>%s</resource></bind></iq>" % (NS_BIND, self.resource))
        got = await stream.until(lambda el: el.get("id") == "bind")
        if got.get("type") != "result":
            raise Ended("bind: error")
        if self.kind.sm:
            wish = " max='%d'" % self.kind.vanishes if self.kind.vanishes else ""
            stream.send("<enable xmlns='%s' resume='true'%s/>" % (NS_SM, wish))
            got = await stream.until(lambda el: el.tag.startswith("{%s}" % NS_SM))
            if local(got) != "enabled" or not got.get("id"):
                raise Ended("enable: " + local(got))
            self.counting, self.sm_id = True, got.get("id")
        stream.go_direct()
        self.note("session")
        self.logins += 1
        self.resumed_last = False
        if self.kind.carbons and self.world.features["carbons"]:
            self.iq("set", "<enable xmlns='%s'/>" % NS_CARBONS)
        await self.ask("get", "<query xmlns='%s'/>" % NS_ROSTER)
        self.presence()
        for text, what in again:
            self.send(text, what)
        self.on = True
        if self.kind.mam and self.world.features["mam"]:
            self.catching_up = asyncio.create_task(self.read_archive())

    def start_session(self):
        """What is to be sent again: all that the server says it has not got of the session before."""
        again, self.again = self.again, []
        self.forget()
        return again

    async def resume(self):
        """XEP-0198 5. False: the session is gone; what the server had of it is known by its h, or by nobody."""
        stream = self.stream
        stream.send("<resume xmlns='%s' previd='%s' h='%d'/>" % (NS_SM, self.sm_id, self.in_h))
        got = await stream.until(lambda el: el.tag.startswith("{%s}" % NS_SM) and local(el) in ("resumed", "failed"))
        h = got.get("h")
        if local(got) == "failed":
            self.note("not resumed (h=%s)" % h)
            self.world.ledger.totals["not resumed"] += 1
            if h is not None:
                self.handled(int(h), "<failed/>")
                self.again = [(text, what) for text, what in self.pending() if what is not None and "<message" in text]
                self.kept.clear()
            else:
                self.lose_sight(what for _, what in self.pending())
            self.sm_id = None
            return False
        self.note("resumed")
        self.resumed_last = True
        self.world.ledger.totals["resumed"] += 1
        self.handled(int(h), "<resumed/>")
        for _, text, _ in self.kept:
            stream.send(text)
        stream.go_direct()
        self.on = True
        self.ask_for_ack()
        return True

    # -- out ------------------------------------------------------------------------------------------------------

    def send(self, text, what=None):
        """A stanza; `what` (a message, or an edit of the roster) is told when it is acknowledged."""
        if self.counting:
            self.out_n += 1
            self.kept.append((self.out_n, text, what))
        elif what is not None:
            self.unacked.append(what)
        self.stream.send(text)
        if what is not None:
            self.since_ask += 1
            if self.since_ask >= ACK_EVERY:
                self.ask_for_ack()

    def ask_for_ack(self):
        if self.stream is None:
            return
        self.since_ask = 0
        if self.counting:
            self.stream.send("<r xmlns='%s'/>" % NS_SM)
        elif self.ping is None and self.unacked:
            id = "ping%d" % next(self.ids)
            self.ping = (id, len(self.unacked))
            self.stream.send("<iq type='get' id='%s' to='%s'><ping xmlns='%s'/></iq>" % (id, self.account.domain, NS_PING))

    def iq(self, type, payload, what=None):
        id = "q%d" % next(self.ids)
        self.send("<iq type='%s' id='%s'>%s</iq>" % (type, id, payload), what)
        return id

    async def ask(self, type, payload, what=None):
        answer = asyncio.get_running_loop().create_future()
        stream = self.stream
        self.queries[self.iq(type, payload, what)] = answer
        ended = asyncio.ensure_future(stream.ended.wait())
        try:
            await asyncio.wait((answer, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if not answer.done():
            raise Ended(stream.error or "end of stream")
        return answer.result()

    def message(self, to, resource):
        it = self.ledger.sent(self, to, resource)
        self.send("<message to='%s%s' type='chat' id='m%d'><body>m%d</body></message>" % (
            to.jid, "/" + resource if resource else "", it.uid, it.uid), it)

    def presence(self):
        self.status += 1
        self.status_at = time.monotonic()
        self.send("<presence><status>%d</status><priority>%d</priority></presence>" % (self.status, self.kind.priority))

    def edit(self, contact, name):
        """The name of a contact; the answer, or an acknowledgement, makes it certain."""
        entry = [name, False]
        self.account.edits.setdefault(contact.jid, []).append(entry)
        id = self.iq("set", "<query xmlns='%s'><item jid='%s' name='%s'/></query>" % (NS_ROSTER, contact.jid, name), entry)
        answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: entry.__setitem__(1, done.result().get("type") == "result"))
        self.queries[id] = answer

    def subscription(self, contact, type):
        self.send("<presence to='%s' type='%s'/>" % (contact.jid, type))

    # -- acknowledgements -----------------------------------------------------------------------------------------

    def certain(self, what, by):
        if isinstance(what, list):
            what[1] = True
        elif what is not None:
            self.ledger.acked(what, by)

    def handled(self, h, by):
        if h > self.out_n:
            self.ledger.fail("%s: h=%d of %d sent, in %s" % (self, h, self.out_n, by))
        while self.kept and self.kept[0][0] <= h:
            self.certain(self.kept.popleft()[2], by)

    def pong(self, el):
        n, self.ping = self.ping[1], None
        if el.get("type") == "result":
            for _ in range(n):
                self.certain(self.unacked.popleft(), "ping")
        if self.unacked:
            self.ask_for_ack()

    def settled(self):
        """Whether nothing that this device sent is without an acknowledgement."""
        return not self.kept if self.kind.sm else not self.unacked

    # -- in -------------------------------------------------------------------------------------------------------

    def element(self, el):
        if el.tag in STANZAS:
            if self.counting:
                self.in_h += 1
            getattr(self, "on_" + local(el))(el)
        elif el.tag == "{%s}r" % NS_SM:
            self.stream.send("<a xmlns='%s' h='%d'/>" % (NS_SM, self.in_h))
        elif el.tag == "{%s}a" % NS_SM:
            self.handled(int(el.get("h")), "<a/>")

    def on_iq(self, el):
        id, type = el.get("id"), el.get("type")
        if type in ("result", "error"):
            if self.ping and id == self.ping[0]:
                self.pong(el)
            elif id in self.queries:
                if not self.interested and el.find("{%s}query" % NS_ROSTER) is not None:
                    self.take_roster(el)        # at once: a push may be right behind it
                answer = self.queries.pop(id)
                if not answer.done():
                    answer.set_result(el)
            return
        item = el.find(".//{%s}item" % NS_ROSTER)
        if item is not None and type == "set":
            self.take_item(item)
        self.send("<iq type='result' id='%s'%s/>" % (id, " to='%s'" % el.get("from") if el.get("from") else ""))

    def take_roster(self, el):
        self.interested = True
        self.roster = {}
        for item in el.iter("{%s}item" % NS_ROSTER):
            self.take_item(item)

    def take_item(self, item):
        if item.get("subscription") == "remove":
            self.roster.pop(item.get("jid"), None)
        else:
            self.roster[item.get("jid")] = (item.get("name") or "", item.get("subscription"), item.get("ask"))

    def on_presence(self, el):
        contact, _, resource = (el.get("from") or self.account.jid).partition("/")
        type = el.get("type")
        if type is None:
            self.views.setdefault(contact, {})[resource] = int(el.findtext("{%s}status" % NS_CLIENT) or 0)
        elif type == "unavailable":
            self.views.setdefault(contact, {}).pop(resource, None)
        elif type == "subscribe":
            self.send("<presence to='%s' type='subscribed'/>" % contact)

    def on_message(self, el):
        result = el.find("{%s}result" % NS_MAM)
        if result is not None:
            self.archived(result)
            return
        for way in ("sent", "received"):
            carbon = el.find("{%s}%s" % (NS_CARBONS, way))
            if carbon is not None:
                found = BODY.match(carbon.findtext(".//{%s}body" % NS_CLIENT) or "")
                if found and int(found.group(1)) in self.ledger.messages:
                    self.ledger.messages[int(found.group(1))].carbons[self] += 1
                return
        if el.get("type") == "error":
            found = BODY.match(el.get("id") or "")
            condition = [local(c) for e in el.iter("{%s}error" % NS_CLIENT) for c in e]
            if found and int(found.group(1)) in self.ledger.messages:
                self.ledger.messages[int(found.group(1))].refused = (condition or ["?"])[0]
            return
        found = BODY.match(el.findtext("{%s}body" % NS_CLIENT) or "")
        if found:
            ids = [sid.get("id") for sid in el.findall("{%s}stanza-id" % NS_SID) if sid.get("by") == self.account.jid]
            self.ledger.arrived(int(found.group(1)), self, self.logins, el.find("{%s}delay" % NS_DELAY) is not None,
                                ids[0] if ids else None)

    # -- archive --------------------------------------------------------------------------------------------------

    def archived(self, result):
        found = BODY.match(result.findtext(".//{%s}body" % NS_CLIENT) or "")
        if found and result.get("queryid") in self.pages:
            self.pages[result.get("queryid")].append((int(found.group(1)), result.get("id")))

    async def read_archive(self):
        try:
            await self.catch_up(self.account.archive_at)
        except Ended:
            pass

    async def catch_up(self, after=None):
        """Everything in the archive behind `after`: [(uid, id)] in its order, and the id of the last."""
        found = []
        while True:
            query = "%s-%d" % (self.resource, next(self.ids))
            self.pages[query] = []
            behind = "<after>%s</after>" % after if after else ""
            fin = await self.ask("set", "<query xmlns='%s' queryid='%s'><set xmlns='%s'><max>100</max>%s</set></query>" % (
                NS_MAM, query, NS_RSM, behind))
            done = fin.find("{%s}fin" % NS_MAM)
            if done is None:
                raise Ended("no <fin/>")
            found += self.pages.pop(query)
            after = done.findtext(".//{%s}last" % NS_RSM) or after
            if done.get("complete") == "true":
                return found, after
