"""An authority for tests and the certificates of servers and people: right ones, and each kind of wrong one.

    ca = Authority()
    good = ca.issue("im.example")               # names: DNS-ID, SRV-ID for servers, XmppAddr
    old = ca.issue("im.example", **EXPIRED)
    cert, key = good.write(folder)              # files in PEM, with the chain up to the authority, without it
    (folder / "ca.pem").write_bytes(ca.pem())

Keys are ECDSA (P-256), for speed."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")      # RFC 6120 13.7.1.4, UTF8String
SRV_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")       # RFC 4985 2, IA5String
UTF8_STRING, IA5_STRING = b"\x0c", b"\x16"

# Days from now on which a certificate begins and ends.
VALID = {"begins": -60, "ends": 30}
EXPIRED = {"begins": -60, "ends": -1}
NOT_YET_VALID = {"begins": 1, "ends": 30}


def der_string(tag, text):
    data = text.encode()
    size = len(data).to_bytes(2, "big").lstrip(b"\0") or b"\0"
    return tag + (size if len(data) < 128 else bytes([0x80 + len(size)]) + size) + data


def names(dns=(), srv=(), addresses=()):
    """What goes into subjectAltName; dns may hold what no domain name may, as wildcards and NUL."""
    return ([x509.DNSName(name) for name in dns] +
            [x509.OtherName(SRV_NAME, der_string(IA5_STRING, name)) for name in srv] +
            [x509.OtherName(XMPP_ADDR, der_string(UTF8_STRING, name)) for name in addresses])


def names_of(*domains):
    """By which a server is known (RFC 6120 13.7.1.2). XmppAddr is left to RIGHT: a connection of Debian 12's ejabberd dies of it."""
    return {"dns": domains, "srv": ["_xmpp-%s.%s" % (service, domain) for domain in domains for service in ("server", "client")]}


def pem(*certs):
    return b"".join(cert.public_bytes(serialization.Encoding.PEM) for cert in certs)


class Identity:
    """A certificate with its key; chain: the certificates between it and the authority's own, nearest first."""

    def __init__(self, cert, key, chain=()):
        self.cert, self.key, self.chain = cert, key, list(chain)

    def pem(self):
        return pem(self.cert, *self.chain)

    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def der(self):
        return self.cert.public_bytes(serialization.Encoding.DER)

    def write(self, folder, name="server"):
        """Writes NAME.crt and NAME.key; gives back both paths."""
        cert, key = folder / (name + ".crt"), folder / (name + ".key")
        cert.write_bytes(self.pem())
        key.write_bytes(self.key_pem())
        return cert, key

    def write_both(self, path):
        """The same in one file, key first: for programs that take one, and for tls_context(cert=(path, path))."""
        path.write_bytes(self.key_pem() + self.pem())
        return path

    def tlsa(self, usage=3, selector=1, matching=1):
        """The record that names this certificate (RFC 6698 2.1), or its authority's for usages 0 and 2, when the chain has it."""
        cert = self.cert if usage in (1, 3) else self.chain[-1]
        return tlsa(cert, usage, selector, matching)


def tlsa(cert, usage=3, selector=1, matching=1):
    data = cert.public_bytes(serialization.Encoding.DER) if selector == 0 else cert.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = {0: lambda d: d, 1: lambda d: hashlib.sha256(d).digest(), 2: lambda d: hashlib.sha512(d).digest()}[matching]
    return "%d %d %d %s" % (usage, selector, matching, digest(data).hex())


def make(subject, issuer=None, alt=(), authority=False, begins=VALID["begins"], ends=VALID["ends"], key=None):
    """(certificate, key); subject: its common name, or None for none; issuer: such a pair, None: signed by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([] if subject is None else [x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.utcnow()
    signer = key if issuer is None else issuer[1]
    builder = x509.CertificateBuilder(name if issuer is None else issuer[0].subject, name, key.public_key(),
                                      x509.random_serial_number(), now + datetime.timedelta(days=begins),
                                      now + datetime.timedelta(days=ends))
    builder = (builder.add_extension(x509.BasicConstraints(authority, None), True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False))
    if authority:
        builder = builder.add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
    if alt:
        builder = builder.add_extension(x509.SubjectAlternativeName(alt), subject is None)
    return builder.sign(signer, hashes.SHA256()), key


class Authority:
    """One that signs; issuer: the Authority above it, None: a root."""

    def __init__(self, name="A test authority", issuer=None, **when):
        self.issuer = issuer
        self.cert, self.key = make(name, issuer and (issuer.cert, issuer.key), authority=True, **when)

    def pem(self):
        return pem(self.cert)

    def chain(self):
        """From this one up to the last below the root."""
        return [] if self.issuer is None else [self.cert, *self.issuer.chain()]

    def sign(self, subject=None, dns=(), srv=(), addresses=(), **how):
        """A certificate with exactly these names."""
        return Identity(*make(subject, (self.cert, self.key), names(dns, srv, addresses), **how), self.chain())

    def issue(self, *domains, **how):
        """A server's certificate as it should be; how: begins, ends (see EXPIRED)."""
        return self.sign(None, **names_of(*domains), **how)

    def person(self, *addresses, subject="A person", **how):
        """A client's certificate (XEP-0178 2)."""
        return self.sign(subject, addresses=addresses, **how)

    def revocations(self, *identities):
        """A CRL in PEM, which names these as revoked."""
        now = datetime.datetime.utcnow()
        builder = x509.CertificateRevocationListBuilder(self.cert.subject, now - datetime.timedelta(days=1),
                                                        now + datetime.timedelta(days=30))
        builder = (builder.add_extension(x509.CRLNumber(1), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False))
        for identity in identities:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(identity.cert.serial_number, now - datetime.timedelta(hours=1)).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def self_signed(subject, addresses=None, **when):
    """By nobody but itself: a server's, or with addresses a person's."""
    alt = names(addresses=addresses) if addresses else names(**names_of(subject))
    return Identity(*make(subject, alt=alt, **when))


def deep_chain(root, domain, length=200):
    """A certificate for domain with so many between it and the root: valid, but nothing that one would follow."""
    authority = root
    for number in range(length):
        authority = Authority("Authority %d" % number, authority)
    return authority.issue(domain)


# What a peer may show that claims to be DOMAIN, and must not be believed: {what: function of (authority, domain)}.
WRONG = {
    "expired": lambda ca, domain: ca.issue(domain, **EXPIRED),
    "not yet valid": lambda ca, domain: ca.issue(domain, **NOT_YET_VALID),
    "wrong name": lambda ca, domain: ca.issue("other-" + domain),
    "self-signed": lambda ca, domain: self_signed(domain),
    "unknown authority": lambda ca, domain: Authority("Another authority").issue(domain),
    "expired intermediate": lambda ca, domain: Authority("Old", ca, **EXPIRED).issue(domain),
    "signed by one that is no authority": lambda ca, domain: signed_by_a_server(ca, domain),
    "no name at all": lambda ca, domain: ca.sign("A server"),
    # RFC 6125 6.4.4: the common name counts for nothing where there is an alternative name, and RFC 9525 2: nowhere
    "common name only": lambda ca, domain: ca.sign(domain),
    "common name beside another name": lambda ca, domain: ca.sign(domain, dns=["other-" + domain]),
    "NUL behind the name": lambda ca, domain: ca.sign(None, dns=[domain + "\0.evil.example"]),
    "NUL in XmppAddr": lambda ca, domain: ca.sign(None, addresses=[domain + "\0.evil.example"]),
    "NUL in SRVName": lambda ca, domain: ca.sign(None, srv=["_xmpp-server." + domain + "\0.evil.example"]),
    # RFC 6125 6.4.3: a wildcard is one whole label, the leftmost, and never the domain itself
    "wildcard below the domain": lambda ca, domain: ca.sign(None, dns=["*." + domain]),
    "two wildcards": lambda ca, domain: ca.sign(None, dns=["*.*." + domain.partition(".")[2]]),
    "wildcard in a label": lambda ca, domain: ca.sign(None, dns=[domain[0] + "*." + domain.partition(".")[2]]),
    "wildcard alone": lambda ca, domain: ca.sign(None, dns=["*"]),
    "wildcard in XmppAddr": lambda ca, domain: ca.sign(None, addresses=["*." + domain.partition(".")[2]]),
    "of another service": lambda ca, domain: ca.sign(None, srv=["_imap." + domain]),
    "for clients only": lambda ca, domain: ca.sign(None, srv=["_xmpp-client." + domain]),
    "a person's": lambda ca, domain: ca.person("romeo@" + domain),
}

# And what must be believed.
RIGHT = {
    "all names": lambda ca, domain: ca.sign(domain, **names_of(domain), addresses=[domain]),
    "DNS-ID": lambda ca, domain: ca.sign(None, dns=[domain]),
    "DNS-ID in capitals": lambda ca, domain: ca.sign(None, dns=[domain.upper()]),
    "SRV-ID": lambda ca, domain: ca.sign(None, srv=["_xmpp-server." + domain]),
    "XmppAddr": lambda ca, domain: ca.sign(None, addresses=[domain]),
    "one name among many": lambda ca, domain: ca.sign(None, dns=["h%d.example" % n for n in range(50)] + [domain]),
    "wildcard": lambda ca, domain: ca.sign(None, dns=["*." + domain.partition(".")[2]]),
    "wildcard in SRV-ID": lambda ca, domain: ca.sign(None, srv=["_xmpp-server.*." + domain.partition(".")[2]]),
    "two intermediates": lambda ca, domain: Authority("Second", Authority("First", ca)).issue(domain),
}


def signed_by_a_server(ca, domain):
    other = ca.issue("other-" + domain)
    return Identity(*make(None, (other.cert, other.key), names(**names_of(domain))), [other.cert])
