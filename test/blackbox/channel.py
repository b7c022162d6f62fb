"""TLS with what Python's ssl module cannot tell: the channel bindings tls-exporter (RFC 9266) and
tls-server-end-point (RFC 5929 4), by pyOpenSSL and cryptography."""

import select
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

from client import PATIENCE


class Channel:
    """As much of a socket as client.Stream uses, over an OpenSSL connection."""

    def __init__(self, sock, sni, cert=None, key=None, alpn=None):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_NONE, lambda *a: True)
        if cert:
            context.use_certificate_file(cert)
            context.use_privatekey_file(key or cert)
        if alpn:
            context.set_alpn_protos(alpn)
        self.sock = sock
        self.tls = SSL.Connection(context, sock)
        self.tls.set_tlsext_host_name(sni.encode())
        self.tls.set_connect_state()
        self.retry(self.tls.do_handshake)

    def retry(self, act, *args):
        while True:
            try:
                return act(*args)
            except SSL.WantReadError:
                assert select.select([self.sock], [], [], PATIENCE)[0], "TLS stalls"
            except SSL.WantWriteError:
                select.select([], [self.sock], [], PATIENCE)

    def fileno(self):
        return self.sock.fileno()

    def pending(self):
        return self.tls.pending()

    def sendall(self, data):
        while data:
            data = data[self.retry(self.tls.send, data):]

    def recv(self, size):
        try:
            return self.tls.recv(size)
        except SSL.WantReadError:
            raise ssl.SSLWantReadError() from None
        except (SSL.ZeroReturnError, SSL.SysCallError, SSL.Error):
            return b""

    def close(self):
        self.sock.close()

    # -- what binds a login to this channel ----------------------------------------------------------------------

    def tls_exporter(self):
        return self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")

    def tls_server_end_point(self):
        der = dump_certificate(FILETYPE_ASN1, self.tls.get_peer_certificate())
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
        if algorithm.name in ("md5", "sha1"):
            algorithm = hashes.SHA256()
        digest = hashes.Hash(algorithm)
        digest.update(der)
        return digest.finalize()

    def binding(self, type):
        return type, {"tls-exporter": self.tls_exporter,
                      "tls-server-end-point": self.tls_server_end_point}[type]()


def secure(client, sni=None, **how):
    """STARTTLS on a client's connection, by a Channel, which it gives back; the stream is to be opened again."""
    client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    client.expect("proceed")
    client.sock = Channel(client.sock, sni or client.server_name, **how)
    return client.sock
