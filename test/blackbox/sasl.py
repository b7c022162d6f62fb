"""The client's side of the SASL mechanisms that the tests speak: PLAIN (RFC 4616), EXTERNAL (RFC 4422 A), SCRAM
(RFC 5802, RFC 7677) and HT (draft-schmaus-kitten-sasl-ht, where the password is a token: XEP-0484). Each part of a SCRAM exchange can be bent by keyword, for the tests of wrong steps."""

import base64
import hashlib
import hmac
import os


def encode(data):
    """RFC 6120 6.4.2: an empty response travels as '='; no response at all (None) as nothing."""
    return "" if data is None else base64.b64encode(data).decode() or "="


def decode(text):
    return b"" if text in (None, "", "=") else base64.b64decode(text)


class Plain:
    def __init__(self, user, password, authzid=""):
        self.message = b"\0".join(part.encode() for part in (authzid, user, password))

    def initial(self):
        return self.message

    def step(self, challenge):
        return b""

    def finish(self, data):
        assert data == b""


class External:
    def __init__(self, user, password, authzid=""):
        self.authzid = authzid.encode()

    def initial(self):
        return self.authzid

    def step(self, challenge):
        return self.authzid

    def finish(self, data):
        assert data == b""


class Anonymous:
    """RFC 4505; user: what the client says of itself."""

    def __init__(self, user="", password=""):
        self.trace = user.encode()

    def initial(self):
        return self.trace

    def step(self, challenge):
        return self.trace

    def finish(self, data):
        assert data == b""


class Scram:
    """binding: (type, data) of the channel binding for -PLUS; gs2: the header instead of the right one; nonce and
    proof: functions that bend what is sent in the final message."""

    def __init__(self, user, password, digest, binding=None, authzid="", gs2=None, nonce=None, proof=None):
        self.digest, self.password = digest, password.encode()
        self.bend_nonce, self.bend_proof = nonce or (lambda n: n), proof or (lambda p: p)
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        flag = "p=" + binding[0] if binding else "n"
        who = "a=" + self.escape(authzid) if authzid else ""
        self.gs2 = gs2 if gs2 is not None else "%s,%s," % (flag, who)
        self.binding = binding[1] if binding else b""
        self.bare = "n=%s,r=%s" % (self.escape(user), self.nonce)

    @staticmethod
    def escape(name):
        return name.replace("=", "=3D").replace(",", "=2C")

    def initial(self):
        return (self.gs2 + self.bare).encode()

    def mac(self, key, data):
        return hmac.new(key, data, self.digest).digest()

    def step(self, challenge):
        server_first = challenge.decode()
        given = dict(part.split("=", 1) for part in server_first.split(","))
        assert given["r"].startswith(self.nonce) and len(given["r"]) > len(self.nonce), server_first
        self.iterations, self.salt = int(given["i"]), base64.b64decode(given["s"])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, self.salt, self.iterations)
        final = "c=%s,r=%s" % (base64.b64encode(self.gs2.encode() + self.binding).decode(), self.bend_nonce(given["r"]))
        auth = ",".join((self.bare, server_first, final)).encode()
        client_key = self.mac(salted, b"Client Key")
        signature = self.mac(hashlib.new(self.digest, client_key).digest(), auth)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = self.mac(self.mac(salted, b"Server Key"), auth)
        return ("%s,p=%s" % (final, base64.b64encode(self.bend_proof(proof)).decode())).encode()

    def finish(self, data):
        """The server must prove itself too (RFC 5802 3)."""
        assert data == b"v=" + base64.b64encode(self.server_signature), data


class Token:
    """binding: (type, data) as the mechanism's name has it, or nothing for -NONE."""

    def __init__(self, user, token, binding=None):
        self.user, self.token, self.data = user.encode(), token.encode(), binding[1] if binding else b""

    def mac(self, who):
        return hmac.new(self.token, who + self.data, "sha256").digest()

    def initial(self):
        return self.user + b"\0" + self.mac(b"Initiator")

    def finish(self, data):
        """The server must prove that it knows the token, too."""
        assert data == self.mac(b"Responder"), data


def mechanism(name, user, password, **how):
    if name == "PLAIN":
        return Plain(user, password, **how)
    if name == "EXTERNAL":
        return External(user, password, **how)
    if name == "ANONYMOUS":
        return Anonymous(user, password, **how)
    if name.startswith("HT-"):
        return Token(user, password, **how)
    digest = {"1": "sha1", "256": "sha256", "512": "sha512"}[name.replace("-PLUS", "").rpartition("-")[2]]
    return Scram(user, password, digest, **how)
