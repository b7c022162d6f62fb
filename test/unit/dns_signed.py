#!/usr/bin/python3
"""Prints test/unit/dns_signed.h: a small signed zone as rows of dns_world.h. To be run again only when the zone changes
(python3-dnspython, python3-cryptography); the signatures last until 2090."""
import datetime

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

ZONE = "signed.example"
RECORDS = """
@ SOA . . 1 1 1 1 60
good A 192.0.2.1
good AAAA 2001:db8::1
_5269._tcp.good TLSA 3 1 1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
_xmpp-server._tcp SRV 0 0 5269 good
_xmpps-server._tcp NSEC @ NSEC RRSIG
plain A 192.0.2.2
_5269._tcp.plain NSEC @ NSEC RRSIG
plain NSEC @ A NSEC RRSIG
_xmpp-server._tcp.none SRV 0 0 5269 plain.none
_xmpps-server._tcp.none NSEC @ NSEC RRSIG
_xmpp-server._tcp.two SRV 0 0 5269 good
_xmpp-server._tcp.two SRV 1 0 5269 plain
_xmpps-server._tcp.two NSEC @ NSEC RRSIG
hidden A 192.0.2.3
hidden NSEC @ A NSEC RRSIG
_xmpp-server._tcp.hide SRV 0 0 5269 hidden
_xmpps-server._tcp.hide NSEC @ NSEC RRSIG
_xmpp-server._tcp.forged SRV 0 0 5269 good !
_xmpps-server._tcp.forged NSEC @ NSEC RRSIG
evil A 192.0.2.66 !
evil AAAA 2001:db8::66
_5269._tcp.evil NSEC @ NSEC RRSIG
_xmpp-server._tcp.badhost SRV 0 0 5269 evil
_xmpps-server._tcp.badhost NSEC @ NSEC RRSIG
alias A 192.0.2.5
alias NSEC @ A NSEC RRSIG
_5269._tcp.alias CNAME tlsa.insecure.example.
_xmpp-server._tcp.alias SRV 0 0 5269 alias
_xmpps-server._tcp.alias NSEC @ NSEC RRSIG
_xmpp-server._tcp.half SRV 0 0 5269 good
_xmpps-server._tcp.half SRV 0 0 5270 good !
bare A 192.0.2.4
bare NSEC @ A NSEC RRSIG
_xmpp-server._tcp.bare NSEC @ NSEC RRSIG
_xmpps-server._tcp.bare NSEC @ NSEC RRSIG
_5269._tcp.bare TLSA 3 1 1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
"""
zone = dns.name.from_text(ZONE)
key = ec.generate_private_key(ec.SECP256R1())
dnskey = dns.dnssec.make_dnskey(key.public_key(), "ECDSAP256SHA256", flags=257)
begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
end = datetime.datetime(2090, 1, 1, tzinfo=datetime.timezone.utc)


def row(name, rdata, kind):
    wire = "".join("\\x%02x" % byte for byte in rdata.to_digestable())
    print('    { "%s", %d, 3600, SLICE_INIT("%s"), 0 },' % (name.to_text(omit_final_dot=True), kind, wire))


sets = {}
forged = set()
for line in RECORDS.split("\n"):
    if not line:
        continue
    if line.endswith("!"):
        line = line[:-1].strip()
        forged.add(tuple(line.split()[:2]))
    owner, kind, text = line.split(" ", 2)
    if kind == "NSEC":  # covers no other name (RFC 4470)
        text = text.replace("@", "\\000." + owner)
    name = zone if owner == "@" else dns.name.from_text(owner, zone)
    rdata = dns.rdata.from_text("IN", kind, text, origin=zone, relativize=False)
    sets.setdefault((owner, kind), dns.rrset.RRset(name, rdata.rdclass, rdata.rdtype)).add(rdata, 3600)
keys = dns.rrset.RRset(zone, dnskey.rdclass, dnskey.rdtype)
keys.add(dnskey, 3600)
sets[("@", "DNSKEY")] = keys

print("/* test/unit/dns_signed.h - made by test/unit/dns_signed.py: a signed zone; what is forged has signatures that do not fit */")
print('#define SIGNED_ANCHOR "%s. 3600 IN DNSKEY %s\\n"' % (ZONE, dnskey.to_text()))
print("/* clang-format off */\nstatic const struct dns_row signed_rows[] = {")
for (owner, kind), rrset in sets.items():
    signature = dns.dnssec.sign(rrset, key, zone, dnskey, inception=begin, expiration=end)
    if (owner, kind) in forged:
        signature = signature.replace(signature=bytes(64))
    for rdata in rrset:
        row(rrset.name, rdata, rrset.rdtype)
    row(rrset.name, signature, dns.rdatatype.RRSIG)
print("};\n/* clang-format on */")
