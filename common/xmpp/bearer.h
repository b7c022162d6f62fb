/* common/xmpp/bearer.h - OAUTHBEARER (RFC 7628), and the tokens that it is used with here: those of the HTTP API
 *
 * A token is "bh1." base64url(bare JID) "." base64url(32 random bytes): the address says where to look, the bytes are the secret. Pure. */
#ifndef XMPP_BEARER_H
#define XMPP_BEARER_H

#include "common/xmpp/jid.h"
#include "common/xmpp/sasl.h"

#define BEARER "OAUTHBEARER"
#define BEARER_SECRET_BYTES 32
struct bearer_first {
    struct slice authzid;     /* empty: none */
    struct slice token;
};
enum sasl_fail bearer_first_read(struct arena *a, struct slice message, struct bearer_first *out);
struct slice bearer_first_write(struct arena *a, struct slice token);
/* RFC 7628 3.2.2: what a failed attempt is challenged with; the client answers with BEARER_LAST, and the failure follows. */
#define BEARER_INVALID "{\"status\":\"invalid_token\"}"
#define BEARER_LAST "\x01"

struct bearer_token {
    struct jid user;          /* bare, of an account */
    uint8_t secret[BEARER_SECRET_BYTES];
};
struct slice bearer_token_write(struct arena *a, const struct bearer_token *t);
/* RC_SYNTAX: not one of ours, or not written as we write it. */
MUST_USE enum rc bearer_token_read(struct arena *a, struct slice text, struct bearer_token *out);

#endif
