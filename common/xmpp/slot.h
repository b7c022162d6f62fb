/* common/xmpp/slot.h - upload slots (XEP-0363): granted by the session manager, taken by the HTTP gateway
 *
 * The two share a key and nothing else: all that the gateway must know of a file stands in the URL it is put to, signed by HMAC-SHA256,
 * so it asks nobody. The URL of a file is BASE/TOKEN/NAME; to put it there, ?u=UNTIL&s=SIZE&t=TYPE&h=SIGNATURE goes behind. The token is 24
 * bytes in URL-safe base64: until when the file is kept (seconds, 32 bits, big-endian), so that whoever has the token need not look that
 * up, and 20 random ones, so that nobody comes upon a file by guessing. The name is the one that the client gave; no file of ours is
 * called by it. BASE is not signed: a proxy may have the files elsewhere.
 * Pure: no clock, randomness comes in. */
#ifndef XMPP_SLOT_H
#define XMPP_SLOT_H

#include "common/base/arena.h"

#define SLOT_RANDOM_BYTES 20
#define SLOT_TOKEN_CHARS 32
#define SLOT_NAME_MAX 255  /* bytes, before they are encoded */
#define SLOT_TYPE_MAX 127  /* bytes: RFC 6838 4.2, and what stands behind the name */
#define SLOT_KEY_MIN 16    /* bytes */
#define SLOT_SIZE_MAX (UINT64_C(1) << 50)

struct slot {
    struct slice token;
    struct slice name;      /* decoded; slot_name_ok */
    uint64_t size;          /* of the file, bytes */
    struct slice type;      /* Content-Type; empty: the client has not said; else slot_type_ok */
    int64_t until_s;        /* it must be begun by then, wall clock */
};

/* A file name: UTF-8, without what is no character of a name (controls, separators of paths, line ends, marks that turn the direction, with
 * which a name looks like another); not "." or "..". */
bool slot_name_ok(struct slice name);
/* RFC 9110 8.3.1: type/subtype, and parameters of printable ASCII. */
bool slot_type_ok(struct slice type);
struct slice slot_type_essence(struct slice type); /* type/subtype alone, as it stands there */

struct slice slot_token(struct arena *a, uint32_t keep_s, const uint8_t random[SLOT_RANDOM_BYTES]);
/* RC_SYNTAX: not a token. keep_s: until when its file is kept, wall clock. */
MUST_USE enum rc slot_token_read(struct slice token, uint32_t *keep_s);

struct slice slot_path(struct arena *a, struct slice token, struct slice name); /* "TOKEN/NAME", encoded (RFC 3986 2.1) */
/* What follows BASE/, as it was sent. RC_SYNTAX: it is not "TOKEN/NAME". Decoded once: what is encoded twice is no name of ours. */
MUST_USE enum rc slot_path_read(struct arena *a, struct slice path, struct slice *token, struct slice *name);

/* The query with which it may be put there. */
struct slice slot_sign(struct arena *a, struct slice key, const struct slot *slot);
/* What was sent, the key, the time now. RC_SYNTAX: not a slot's URL; RC_DENIED: not signed with this key as it stands there, or the key is
 * empty; RC_TIMEOUT: it was, but it is over. Takes the same time wherever a signature is wrong. */
MUST_USE enum rc slot_check(struct arena *a, struct slice key, struct slice path, struct slice query, int64_t now_s,
                            struct slot *out);

#endif
