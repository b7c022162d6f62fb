/* s2s/dialback.h - dialback: keys, and the elements <db:result/> and <db:verify/> (XEP-0220, XEP-0185)
 *
 * Who asks whom: the originating server sends its key in a <db:result/> request to the receiving server, which sends it
 * in a <db:verify/> request to the authoritative server (the originating domain's), and passes the answer on as a
 * <db:result/> answer. In requests `from` is who asks; in answers `from` is who answers. Pure. */
#ifndef S2S_DIALBACK_H
#define S2S_DIALBACK_H

#include "common/base/buf.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/node.h"

enum {
    DIALBACK_KEY_MAX = 1024, /* bytes of a key of somebody else that we pass on */
    DIALBACK_ID_MAX = 1024,  /* bytes of a stream's id */
};
enum dialback_kind { DIALBACK_RESULT, DIALBACK_VERIFY };
enum dialback_type { DIALBACK_REQUEST, DIALBACK_VALID, DIALBACK_INVALID, DIALBACK_ERROR };

struct dialback {
    enum dialback_kind kind;
    enum dialback_type type;
    struct slice from, to; /* domains, prepared (jid.h) */
    struct slice id;       /* of the stream that the key was made for; DIALBACK_VERIFY only */
    struct slice key;      /* DIALBACK_REQUEST only; without white space around it */
    struct slice error;    /* DIALBACK_ERROR: the condition's name, "undefined-condition" where the peer gave none */
    struct slice text;     /* DIALBACK_ERROR: what else was said; may be empty */
};

/* Reads one; the slices live as long as n and the arena. RC_UNSUPPORTED: not an element of dialback. RC_SYNTAX: no domain
 * in from or to, no key, no id, an unknown type; why names it (RFC 6120 4.9.3.7: improper-addressing where *addressing,
 * which may be NULL, is true, else bad-format). RC_LIMIT: key or id too long. On an error *out is untouched. */
MUST_USE enum rc dialback_read(struct arena *a, const struct node *n, struct dialback *out, bool *addressing,
                               struct why *why);
/* Writes one, for a stream whose default namespace is jabber:server; declares its prefix itself. For DIALBACK_ERROR
 * d->error is one of XEP-0220 2.4.2: "item-not-found", "remote-server-timeout", …; empty: "undefined-condition". */
void dialback_write(struct buf *out, const struct dialback *d);
/* The answer to request d: from and to exchanged, the id kept. */
struct dialback dialback_answer(const struct dialback *d, enum dialback_type type, const char *error);

/* <dialback/> with <errors/>, a child of <stream:features/> (XEP-0220 2.4.1), and whether a peer's features have it. */
void dialback_feature_write(struct buf *out);
bool dialback_feature_read(const struct node *features, bool *errors);

enum { DIALBACK_KEY_HEX = 64 };
/* XEP-0185 2: HMAC-SHA256 over "receiving originating streamid", keyed by the hex form of SHA-256(secret); lower-case hex
 * in the arena. The domains are prepared ones. All instances that serve a domain share the secret. */
struct slice dialback_key(struct arena *a, struct slice secret, struct slice receiving, struct slice originating,
                          struct slice stream_id);
/* True if key is that of these; compared in constant time. What the authoritative server does with a <db:verify/>:
 * receiving is its from, originating its to. */
bool dialback_key_ok(struct arena *a, struct slice secret, struct slice receiving, struct slice originating,
                     struct slice stream_id, struct slice key);

#endif
