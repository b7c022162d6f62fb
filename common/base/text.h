/* common/base/text.h - base64, hex (through libsodium), escaping for JSON and for logs */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "common/base/arena.h"
#include "common/base/buf.h"

/* RFC 4648 4, padded, no white space: what RFC 6120 6.4.2 asks of SASL. RC_SYNTAX for anything else. */
MUST_USE enum rc base64_decode(struct arena *a, struct slice text, struct slice *out);
struct slice base64_encode(struct arena *a, struct slice bytes);
/* RFC 4648 5, without padding. */
MUST_USE enum rc base64url_decode(struct arena *a, struct slice text, struct slice *out);
struct slice base64url_encode(struct arena *a, struct slice bytes);
struct slice hex_encode(struct arena *a, struct slice bytes); /* lower case */
MUST_USE enum rc hex_decode(struct arena *a, struct slice text, struct slice *out);
MUST_USE enum rc hex_u64(struct slice text, uint64_t *out); /* 1 to 16 hex digits */

void text_json(struct buf *out, struct slice s); /* with quotes; invalid UTF-8 becomes U+FFFD */

#endif
