/* common/xmpp/sasl.h - SASL mechanisms as state machines: bytes in, bytes out (RFC 4616, 5802, 7677, 6120 6,
 * XEP-0175 not offered, XEP-0440, XEP-0474, XEP-0484)
 *
 * Server side for sessman (accounts) and router (components); client side for rlink and tests. Pure: keys come in,
 * randomness comes in; the caller fetches the account between the steps. */
#ifndef XMPP_SASL_H
#define XMPP_SASL_H

#include "common/base/arena.h"

enum scram_hash { SCRAM_SHA1, SCRAM_SHA256, SCRAM_SHA512, SCRAM_HASHES };
#define SCRAM_KEY_MAX 64 /* bytes of a SHA-512 */
const char *scram_name(enum scram_hash h, bool plus); /* "SCRAM-SHA-256-PLUS" */
size_t scram_key_len(enum scram_hash h);
/* Parses a mechanism name; false if it is not SCRAM of ours. */
bool scram_parse_name(struct slice mech, enum scram_hash *h, bool *plus);

struct scram_keys {               /* what is stored of a password, for one hash */
    uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
    uint8_t salt[32];
    uint8_t salt_len;
    uint32_t iterations;
};
/* PBKDF2: milliseconds of CPU, so only on a worker thread. password is prepared already (jid_prepare_password). */
MUST_USE enum rc scram_derive(enum scram_hash h, struct slice password, struct slice salt, uint32_t iterations,
                              struct scram_keys *out);
/* True if password gives these keys (PLAIN against stored SCRAM keys). As dear as scram_derive. */
bool scram_check_password(enum scram_hash h, struct slice password, const struct scram_keys *keys);

enum sasl_fail { /* RFC 6120 6.5 */
    SASL_OK, SASL_ABORTED, SASL_ACCOUNT_DISABLED, SASL_ENCRYPTION_REQUIRED, SASL_INCORRECT_ENCODING,
    SASL_INVALID_AUTHZID, SASL_INVALID_MECHANISM, SASL_MALFORMED_REQUEST, SASL_MECHANISM_TOO_WEAK,
    SASL_NOT_AUTHORIZED, SASL_TEMPORARY_AUTH_FAILURE, SASL_CREDENTIALS_EXPIRED,
};
const char *sasl_fail_name(enum sasl_fail f); /* "not-authorized" */
MUST_USE enum rc sasl_fail_parse(struct slice name, enum sasl_fail *out);

/* Channel bindings of a TLS connection, as the edge hands them over (XEP-0440). */
struct sasl_cb {
    struct slice exporter;   /* tls-exporter, RFC 9266; empty: not available */
    struct slice end_point;  /* tls-server-end-point, RFC 5929; empty: not available */
};

/* PLAIN: authzid NUL authcid NUL password. */
struct sasl_plain {
    struct slice authzid, user, password;
};
enum sasl_fail sasl_plain_read(struct slice message, struct sasl_plain *out);

/* SCRAM, server. First: */
struct scram_server {
    enum scram_hash hash;
    bool plus;
    struct slice user;        /* unescaped, not prepared; in the arena of scram_first */
    struct slice authzid;
    struct slice gs2_header;  /* with its trailing comma(s), as the client sent it */
    struct slice cb_data;     /* what the client's binding must be; empty without PLUS */
    struct slice client_first_bare, nonce, server_first;
};
/* offered_plus: PLUS was offered on this stream, so a 'y' flag is a downgrade (RFC 5802 6). The arena must live until
 * scram_final: everything is kept in it. */
enum sasl_fail scram_first(struct arena *a, enum scram_hash h, bool plus, bool offered_plus, struct slice message,
                           const struct sasl_cb *cb, struct scram_server *out);
/* Writes server-first into *out. server_nonce: fresh random, printable, no comma. ssdp: the XEP-0474 attribute value
 * (base64 hash over mechanisms and channel bindings offered), empty: none sent. */
void scram_challenge(struct arena *a, struct scram_server *s, struct slice server_nonce,
                     const struct scram_keys *keys, struct slice ssdp, struct slice *out);
/* XEP-0474 4: the value for ssdp, from the lists as they were offered. */
struct slice scram_ssdp(struct arena *a, enum scram_hash h, const struct slice *mechs, size_t n_mechs,
                        const struct slice *bindings, size_t n_bindings);
/* Checks client-final; SASL_OK and *out = server-final ("v=…"). */
enum sasl_fail scram_final(struct arena *a, const struct scram_server *s, const struct scram_keys *keys,
                           struct slice message, struct slice *out);

/* SCRAM, client (the link between hosts). */
struct scram_client {
    enum scram_hash hash;
    bool plus;
    struct slice client_first_bare, gs2_header, cb_data, auth_message;
    uint8_t server_key[SCRAM_KEY_MAX];
};
struct slice scram_client_first(struct arena *a, struct scram_client *c, enum scram_hash h, const struct sasl_cb *cb,
                                struct slice user, struct slice nonce);
MUST_USE enum rc scram_client_final(struct arena *a, struct scram_client *c, struct slice password,
                                    struct slice server_first, struct slice *out, struct why *why);
MUST_USE enum rc scram_client_verify(struct arena *a, const struct scram_client *c, struct slice server_final);

/* HT: one message each way, keyed by a token that both know (draft-schmaus-kitten-sasl-ht-09, for XEP-0484). */
enum ht_binding { HT_NONE, HT_EXPR, HT_ENDP, HT_BINDINGS }; /* what it is bound to: nothing, tls-exporter, tls-server-end-point */
#define HT_HASH_BYTES 32                                    /* of a SHA-256 */
const char *ht_name(enum ht_binding b);                     /* "HT-SHA-256-EXPR" */
bool ht_parse_name(struct slice mech, enum ht_binding *out); /* false: it is not HT of ours */
struct ht_first {
    struct slice user;        /* not prepared */
    struct slice hash;        /* HT_HASH_BYTES */
};
enum sasl_fail ht_first_read(struct slice message, struct ht_first *out);
/* What the client (initiator) or the server must send. binding: the data of the channel binding; empty for HT_NONE. */
void ht_hash(struct slice token, bool initiator, struct slice binding, uint8_t out[HT_HASH_BYTES]);

#endif
