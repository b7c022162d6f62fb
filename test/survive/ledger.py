"""Who was told what: every message with its acknowledgement and its copies, every roster edit with its answer. At the end of a
round `judge` holds that against what the design promises; it says nothing about how it came."""

import collections
import time

# A copy that a client without stream management saw again is excused when its first came this long before the death of its
# connection manager, or later: whether the socket took it is known to nobody who is alive (README, "What survives what").
RECENT = 2.0
MOMENT = 0.1


class Copy:
    __slots__ = ("device", "login", "at", "delayed", "archive_id")

    def __init__(self, device, login, delayed, archive_id):
        self.device, self.login, self.delayed, self.archive_id = device, login, delayed, archive_id
        self.at = time.monotonic()


class Message:
    __slots__ = ("uid", "sender", "to", "resource", "at", "acked", "told", "lost_sight", "refused", "copies", "carbons", "round")

    def __init__(self, uid, sender, to, resource, round):
        self.uid, self.sender, self.to, self.resource, self.round = uid, sender, to, resource, round
        self.at = time.monotonic()
        self.acked = None       # when
        self.told = ""          # by what: <a/>, <resumed/>, <failed/>, ping
        self.lost_sight = False  # the stream ended before it was acknowledged; it may have arrived
        self.refused = None     # condition of the error that came back
        self.copies = []
        self.carbons = collections.Counter()    # by device


class Ledger:
    def __init__(self):
        self.messages = {}      # by uid, of the whole run: late copies must be known
        self.current = []       # of this round
        self.failures = []      # of this round, in words
        self.troubles = []      # (time, words) of this round
        self.victims = []       # (time, device) whose connection manager was killed
        self.deaths = []        # when sessman was killed
        self.round = 0
        self.totals = collections.Counter()

    def begin(self, number):
        self.round, self.current, self.failures, self.troubles, self.victims, self.deaths = number, [], [], [], [], self.deaths[-50:]
        self.start = time.monotonic()

    def trouble(self, words):
        self.troubles.append((time.monotonic(), words))

    def fail(self, words):
        if len(self.failures) < 1000:
            self.failures.append(words)

    # -- what devices report --------------------------------------------------------------------------------------

    def sent(self, sender, to, resource):
        it = Message(len(self.messages) + 1, sender, to, resource, self.round)
        self.messages[it.uid] = it
        self.current.append(it)
        return it

    def acked(self, it, by):
        if it.acked is None:
            it.acked, it.told = time.monotonic(), by

    def arrived(self, uid, device, login, delayed, archive_id):
        it = self.messages.get(uid)
        if it is None:
            self.fail("%s got m%d, which nobody sent" % (device, uid))
            return
        it.copies.append(Copy(device, login, delayed, archive_id))
        if device.account is not it.to:
            self.fail("%s got what is not his: %s" % (device, self.story(it)))
        if it.round != self.round:
            self.fail("a copy that came rounds later: %s" % self.story(it))
        if it.resource and (it.resource != device.resource or not device.is_there()):
            return      # sent to another resource, or before this one had asked for what waits for the account: no order is promised
        last = device.last_from.get(it.sender, 0)
        if uid < last and len(it.copies) == 1 and not self.waited_elsewhere(it.copies[0]):
            self.fail("order: m%d came behind m%d, at %s: %s; %s" % (uid, last, device, self.story(it), self.story(self.messages[last])))
        device.last_from[it.sender] = max(last, uid)

    # -- the judgement --------------------------------------------------------------------------------------------

    def due(self):
        """Messages that have to arrive and have not."""
        return [it for it in self.current if it.acked and not it.refused and not it.copies and not self.excused_loss(it)]

    def excused_loss(self, it):
        """Its receiver, without stream management, dropped its own socket: what was under way in it may be gone. Where there
        is an archive it stands there."""
        return any(at >= it.at - RECENT for device in it.to.devices for at in device.careless)

    def waited_elsewhere(self, copy):
        """It was sent to a session that waited for its client, which did not come back to it (README, "What survives what": order)."""
        device = copy.device
        return copy.delayed and any(other is not device and other.kind.sm and other.kind.vanishes and other.ends and
                                    not other.resumed_last for other in device.account.devices)

    def excused_copy(self, first, later):
        """It is marked as late, and whoever could have said that the first one was taken died: the client's connection manager, or
        sessman in the moment in which the client left."""
        device = first.device
        died = any(victim is device and first.at >= at - RECENT for at, victim in self.victims)
        left = any(first.at - MOMENT < end < first.at + RECENT and 0 <= death - end < MOMENT
                   for end in device.ends for death in self.deaths)
        if device.kind.sm:
            return later.delayed and self.not_acknowledged(first, later)
        return later.delayed and (died or left)

    def not_acknowledged(self, first, later):
        """A client that manages its stream had it in the last moment before its connection broke, could not say so any more, and did not
        come back within the second for which it had asked: it is sent what it has not acknowledged (XEP-0198 5)."""
        device = first.device
        return (device.kind.vanishes == 1 and later.login > first.login and
                any(first.at - MOMENT < end < first.at + MOMENT for end in device.ends))

    def judge(self, archives):
        """archives: {account: {uid: [ids]}} of the archived accounts."""
        for it in self.current:
            self.totals["messages"] += 1
            self.totals["acknowledged"] += it.acked is not None
            self.totals["refused"] += it.refused is not None
            self.totals["unknown"] += it.lost_sight and it.acked is None
            if it.acked and it.refused is None and not it.copies and not self.excused_loss(it):
                self.fail("lost: %s" % self.story(it, archives))
            if it.refused and it.copies:
                self.fail("refused and delivered: %s" % self.story(it, archives))
            for later in it.copies[1:]:
                if self.excused_copy(it.copies[0], later):
                    self.totals["seen again"] += 1
                else:
                    self.fail("twice: %s" % self.story(it, archives))
            if any(n > 1 for n in it.carbons.values()):
                self.fail("carbon twice: %s" % self.story(it, archives))
            self.judge_archives(it, archives)
        for account, found in archives.items():
            last = collections.defaultdict(int)
            for uid in found:
                sender = self.messages[uid].sender
                if uid < last[sender]:
                    self.fail("order in the archive of %s: m%d behind m%d" % (account, uid, last[sender]))
                last[sender] = max(last[sender], uid)

    def judge_archives(self, it, archives):
        for account in {it.sender.account, it.to} & set(archives):
            n = len(archives[account].get(it.uid, ()))
            # Who was told nothing, and nobody got it, may have it in the archive or not; never twice.
            wanted = bool(it.copies) or (it.acked is not None and it.refused is None)
            if n > 1 or (wanted and n == 0):
                self.fail("%d times in the archive of %s: %s" % (n, account, self.story(it, archives)))
            ids = {copy.archive_id for copy in it.copies if account is it.to}
            if n == 1 and ids - set(archives[account][it.uid]):
                self.fail("delivered as %s, archived as %s: %s" % (ids, archives[account][it.uid], self.story(it, archives)))

    def story(self, it, archives=None):
        def when(at):
            return "%+.3f" % (at - self.start)
        words = ["m%d %s (%s) -> %s%s, sent %s" % (it.uid, it.sender, it.sender.kind.name, it.to,
                                                  "/" + it.resource if it.resource else "", when(it.at))]
        words.append("acknowledged %s by %s" % (when(it.acked), it.told) if it.acked else
                     "not acknowledged" + (" when its stream ended" if it.lost_sight else ""))
        if it.refused:
            words.append("refused: " + it.refused)
        words += ["copy %s at %s (%s, login %d)%s" % (when(c.at), c.device, c.device.kind.name, c.login,
                                                     " with a delay stamp" if c.delayed else "") for c in it.copies]
        words += ["carbon at %s" % device for device in it.carbons]
        if not it.copies:
            words.append("no copy")
        for account in (it.sender.account, it.to):
            if archives and account in archives:
                words.append("archive of %s: %s" % (account, archives[account].get(it.uid, "nothing")))
        words += ["%s: %s" % (device, self.tell(device)) for device in [it.sender, *it.to.devices]]
        return "; ".join(words)

    def tell(self, device):
        """What happened to it in this round, and the last thing before."""
        history = list(device.history)
        since = [n for n, (at, _) in enumerate(history) if at >= self.start]
        return ", ".join("%+.3f %s" % (at - self.start, what) for at, what in history[max(since[0] - 1, 0) if since else -1:])
