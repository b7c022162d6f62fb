"""The name server of a test: it answers with authority for everything, on a free port of a loopback address, by UDP and TCP.

    with Names() as names:
        names.service("im.example", "127.0.0.2", 5269)                  # SRV _xmpp-server and the address of its target
        names.add("im.example", "AAAA", "::1", ttl=0)
        names.sign("safe.example")                                      # and everything below it
        names.anchor_file(path)                                         # what a validating resolver is to trust
        names.behave("_xmpp-server._tcp.im.example", "servfail")        # or any other of `BEHAVIOURS`
        ... names.address, names.port, names.asked ...

Some programs ask a name server of ours for SRV records, but the C library for addresses, which knows port 53 only: at
literal_port the targets of SRV records are the addresses themselves, in letters.

It runs in threads of the test's own process, so a test may change its mind at any time. A name that is not known does not
exist. Answers of signed zones are signed as they are given (RFC 4035 3.1), with NSEC for what is not there."""

import contextlib
import functools
import socketserver
import struct
import threading
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

DAY = 86400
SOA = "ns.names.example. hostmaster.names.example. 1 3600 600 86400 5"      # the last: seconds a negative answer holds
CNAMES_MAX = 16


def name_of(text):
    return text if isinstance(text, dns.name.Name) else dns.name.from_text(text)


# What `behave` takes: how a query is answered instead of with the truth. Function of (names, query, by TCP) to what is sent,
# None for nothing at all.
BEHAVIOURS = {
    "silent": lambda names, query, tcp: None,
    "servfail": lambda names, query, tcp: names.refusal(query, dns.rcode.SERVFAIL),
    "refused": lambda names, query, tcp: names.refusal(query, dns.rcode.REFUSED),
    "formerr": lambda names, query, tcp: names.refusal(query, dns.rcode.FORMERR),
    "nxdomain": lambda names, query, tcp: names.refusal(query, dns.rcode.NXDOMAIN),
    "empty": lambda names, query, tcp: names.refusal(query, dns.rcode.NOERROR),
    "garbage": lambda names, query, tcp: query.id.to_bytes(2, "big") + b"\x81\x80" + b"\xff" * 60,
    "wrong id": lambda names, query, tcp: (query.id ^ 1).to_bytes(2, "big") + names.truth(query, tcp)[2:],
    "cut short": lambda names, query, tcp: names.truth(query, tcp)[:-5],
    "tcp only, and no tcp": lambda names, query, tcp: None if tcp else names.truncated(query),
    # of a signed zone
    "forged": lambda names, query, tcp: names.truth(query, tcp, "forged"),
    "stale": lambda names, query, tcp: names.truth(query, tcp, "stale"),
    "unsigned": lambda names, query, tcp: names.truth(query, tcp, "unsigned"),
}


class Udp(socketserver.ThreadingUDPServer):
    allow_reuse_address = False
    daemon_threads = True
    max_packet_size = 65535


class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class UdpQuery(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        self.server.take(data, False, lambda answer: sock.sendto(answer, self.client_address))


class TcpQueries(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, struct.error):
            while True:
                size, = struct.unpack("!H", self.rfile.read(2))
                self.server.take(self.rfile.read(size), True, self.answer)

    def answer(self, data):
        self.wfile.write(struct.pack("!H", len(data)) + data)


class Names:
    def __init__(self, address="127.0.0.1"):
        self.address = address
        self.records = {}       # (name, type): rrset
        self.keys = {}          # apex of a signed zone: (private key, DNSKEY)
        self.manners = {}       # (name, type or None): function as in BEHAVIOURS
        self.held = {}          # (name, type or None): queries that wait, as functions that answer them
        self.asked = []         # (name without the last dot, type, "udp" or "tcp"), as they came
        self.lock = threading.RLock()
        self.servers, self.threads = [], []
        self.port = self.listen(self.take)
        self.literal_port = self.listen(functools.partial(self.take, literal=True))

    def listen(self, take):
        """Starts to serve UDP and TCP at one port, which it gives back."""
        while True:
            udp = Udp((self.address, 0), UdpQuery)
            try:
                tcp = Tcp((self.address, udp.server_address[1]), TcpQueries)
                break
            except OSError:
                udp.server_close()
        for server in (udp, tcp):
            server.take = take
            self.servers.append(server)
            self.threads.append(threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True))
            self.threads[-1].start()
        return udp.server_address[1]

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        for thread in self.threads:
            thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    # -- what is known --------------------------------------------------------------------------------------------

    def add(self, name, type, *data, ttl=60):
        """One record for each of data, which is written as in a zone file; names in it are complete with or without a dot."""
        with self.lock:
            key = name_of(name), dns.rdatatype.from_text(type)
            new = dns.rrset.from_text_list(key[0], ttl, "IN", type, data, origin=dns.name.root, relativize=False)
            if key in self.records:
                self.records[key].update(new)
                self.records[key].ttl = ttl
            else:
                self.records[key] = new

    def find(self, name, type):
        """The records that are known, as dnspython has them."""
        with self.lock:
            return list(self.records.get((name_of(name), dns.rdatatype.from_text(type)), ()))

    def remove(self, name, type=None):
        """Forgets records of this type, or all, and how the name was to behave."""
        with self.lock:
            name, type = name_of(name), type and dns.rdatatype.from_text(type)
            for known in (self.records, self.manners):
                for key in [key for key in known if key[0] == name and type in (None, key[1])]:
                    del known[key]

    def service(self, domain, address, port, tls=False, priority=0, weight=0, target=None, ttl=60):
        """Says that servers reach domain at this address; tls: by XEP-0368. The target is xmpp.DOMAIN if none is given."""
        target = target or "xmpp." + domain
        self.add(self.service_name(domain, tls), "SRV", "%d %d %d %s" % (priority, weight, port, target), ttl=ttl)
        if address:
            self.add(target, "AAAA" if ":" in address else "A", address, ttl=ttl)
        return target

    @staticmethod
    def service_name(domain, tls=False):
        return "_xmpp%s-server._tcp.%s" % ("s" if tls else "", domain)

    def tlsa(self, target, port, record, ttl=60):
        """record: as pki's Identity.tlsa() gives it."""
        self.add("_%d._tcp.%s" % (port, target), "TLSA", record, ttl=ttl)

    # -- ill will -------------------------------------------------------------------------------------------------

    def behave(self, name, how, type=None):
        """From now on such a query is answered as BEHAVIOURS[how] does, or a function like those; None: truthfully again."""
        with self.lock:
            key = name_of(name), type and dns.rdatatype.from_text(type)
            if how is None:
                self.manners.pop(key, None)
            else:
                self.manners[key] = how if callable(how) else BEHAVIOURS[how]

    def no_service(self, domain, tls=False):
        """RFC 2782: the target "." says that there is decidedly none."""
        self.add(self.service_name(domain, tls), "SRV", "0 0 0 .")

    def many_targets(self, domain, address, port, count=1000, tls=False):
        """So many targets, each with a name of its own and all at one address and port."""
        self.add(self.service_name(domain, tls), "SRV",
                 *["%d 1 %d t%d.%s" % (n // 10, port, n, domain) for n in range(count)])
        for n in range(count):
            self.add("t%d.%s" % (n, domain), "A", address)

    def cname_loop(self, name, length=3):
        """name is an alias of an alias... of name."""
        ring = [name] + ["loop%d.%s" % (n, name) for n in range(1, length)]
        for n, one in enumerate(ring):
            self.add(one, "CNAME", ring[(n + 1) % length])

    @contextlib.contextmanager
    def hold(self, name, type=None):
        """Within this, queries for name are not answered; those that came are when it is left. Gives the list of them."""
        key = name_of(name), type and dns.rdatatype.from_text(type)
        with self.lock:
            waiting = self.held[key] = []
        try:
            yield waiting
        finally:
            with self.lock:
                del self.held[key]
            for answer in waiting:
                answer()

    # -- DNSSEC ---------------------------------------------------------------------------------------------------

    def sign(self, apex):
        """Everything at and below apex is signed from now on."""
        with self.lock:
            if name_of(apex) in self.keys:
                return
            key = ec.generate_private_key(ec.SECP256R1())
            dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.ECDSAP256SHA256, flags=257)
            self.keys[name_of(apex)] = key, dnskey
            self.add(apex, "DNSKEY", dnskey.to_text())
            self.add(apex, "SOA", SOA)
            self.add(apex, "NS", "ns.names.example.")

    def anchors(self):
        """The DS record of every signed zone, one line each, as libunbound and prosody take them."""
        return ["%s IN DS %s" % (apex, dns.dnssec.make_ds(apex, dnskey, "SHA256").to_text())
                for apex, (key, dnskey) in self.keys.items()]

    def anchor_file(self, path):
        path.write_text("".join(line + "\n" for line in self.anchors()))
        return path

    def zone_of(self, name):
        """The apex of the signed zone that name is in, or None."""
        above = [apex for apex in self.keys if name.is_subdomain(apex)]
        return max(above, key=len) if above else None

    def signature(self, rrset, apex, spoilt=None):
        key, dnskey = self.keys[apex]
        now = int(time.time())
        begins, ends = (now - 3 * DAY, now - 2 * DAY) if spoilt == "stale" else (now - DAY, now + 30 * DAY)
        rrsig = dns.dnssec.sign(rrset, key, apex, dnskey, inception=begins, expiration=ends)
        if spoilt == "forged":
            rrsig = rrsig.replace(signature=rrsig.signature[:-1] + bytes([rrsig.signature[-1] ^ 1]))
        return dns.rrset.from_rdata(rrset.name, rrset.ttl, rrsig)

    def nsec(self, name, apex):
        """The NSEC record at name, or that covers it (RFC 4034 4)."""
        owners = sorted({key[0] for key in self.records if self.zone_of(key[0]) == apex})
        at = max(i for i, owner in enumerate(owners) if owner <= name)
        types = [type for owner, type in self.records if owner == owners[at]]
        types = sorted({*types, dns.rdatatype.RRSIG, dns.rdatatype.NSEC})
        return dns.rrset.from_text(owners[at], 5, "IN", "NSEC", "%s %s" % (
            owners[(at + 1) % len(owners)], " ".join(dns.rdatatype.to_text(type) for type in types)))

    # -- answers --------------------------------------------------------------------------------------------------

    def take(self, data, tcp, send, literal=False):
        """One query from the wire; literal: whether it came to literal_port."""
        try:
            query = dns.message.from_wire(data)
            query.literal = literal
            name, type = query.question[0].name, query.question[0].rdtype
        except (dns.exception.DNSException, IndexError):
            return
        with self.lock:
            self.asked.append((name.to_text(True).lower(), dns.rdatatype.to_text(type), "tcp" if tcp else "udp"))
            keys = (name, type), (name, None)
            manner = next((self.manners[key] for key in keys if key in self.manners), Names.truth)

            def answer():
                with self.lock, contextlib.suppress(OSError):
                    found = manner(self, query, tcp)
                    if found is not None:
                        send(found)
            waiting = next((self.held[key] for key in keys if key in self.held), None)
            if waiting is not None:
                waiting.append(answer)
                return
            answer()

    def reply(self, query):
        reply = dns.message.make_response(query, recursion_available=True, our_payload=1232)
        reply.flags |= dns.flags.AA
        return reply

    def refusal(self, query, rcode):
        reply = self.reply(query)
        reply.set_rcode(rcode)
        return reply.to_wire()

    def truncated(self, query):
        reply = self.reply(query)
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    def truth(self, query, tcp, spoilt=None):
        """The answer as it should be, in bytes; spoilt: what is wrong with its signatures."""
        reply = self.reply(query)
        name, type = query.question[0].name, query.question[0].rdtype
        for hop in range(CNAMES_MAX):
            alias = self.records.get((name, dns.rdatatype.CNAME))
            found = self.records.get((name, type), alias)
            if found is None or found in reply.answer:
                break
            if query.literal and type == dns.rdatatype.SRV and found is not alias:
                found = self.literal(found)
            self.put(query, reply.answer, found, spoilt)
            if found is not alias or type == dns.rdatatype.CNAME:
                break
            name = alias[0].target
        else:
            found = alias
        if found is None:
            self.deny(query, reply, name, spoilt)
        limit = 65535 if tcp else max(query.payload, 512)
        try:
            return reply.to_wire(max_size=limit)
        except dns.exception.TooBig:
            return self.truncated(query)

    def literal(self, rrset):
        """The same services with the addresses of their targets for targets."""
        found = []
        for srv in rrset:
            for type in (dns.rdatatype.A, dns.rdatatype.AAAA):
                for address in self.records.get((srv.target, type), ()):
                    target = dns.name.Name([*address.address.encode().split(b"."), b""])
                    found.append(srv.replace(target=target))
            if srv.target == dns.name.root:
                found.append(srv)
        return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, found) if found else rrset

    def put(self, query, section, rrset, spoilt):
        section.append(rrset)
        apex = self.zone_of(rrset.name)
        if apex is not None and query.ednsflags & dns.flags.DO and spoilt != "unsigned":
            section.append(self.signature(rrset, apex, spoilt))

    def deny(self, query, reply, name, spoilt):
        """RFC 2308 2, RFC 4035 3.1.3: there is no such record, or no such name."""
        exists = any(owner.is_subdomain(name) for owner, type in self.records)
        if not exists:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        apex = self.zone_of(name)
        soa = dns.rrset.from_text(apex or dns.name.root, 5, "IN", "SOA", SOA)
        self.put(query, reply.authority, soa, spoilt)
        if apex is None or not query.ednsflags & dns.flags.DO:
            return
        proofs = [self.nsec(name, apex)]
        if not exists:
            above = name.parent()
            while not any(owner.is_subdomain(above) for owner, type in self.records):
                above = above.parent()
            wildcard = self.nsec(dns.name.from_text("*", above), apex)
            if wildcard != proofs[0]:
                proofs.append(wildcard)
        for proof in proofs:
            self.put(query, reply.authority, proof, spoilt)
