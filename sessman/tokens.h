/* sessman/tokens.h - tokens that log in without a password (XEP-0484)
 *
 * A client, that is an account and a user-agent id, has at most two: the one in use, and the one that it was given last, which takes the
 * other's place when it is used for the first time; so nothing is lost when a connection breaks before the new one has arrived
 * (XEP-0484 3.5). A token is good for the mechanism that it was asked for with and no other, until it expires, is replaced, is given up by the
 * client, or the account's password changes. No token is stored: a row holds the seed that it is made from with the
 * installation's secret, so rows alone log nobody in. */
#ifndef SESSMAN_TOKENS_H
#define SESSMAN_TOKENS_H

#include "common/xmpp/jid.h"
#include "common/xmpp/sasl.h"
#include "sessman/store/store.h"

struct sessman;
#define TOKEN_SEED_BYTES   32
#define TOKEN_SECRET_BYTES 32 /* of the installation */
enum token_slot { TOKEN_USED, TOKEN_GIVEN, TOKEN_SLOTS };
struct token {
    bool there;
    enum ht_binding binding;
    uint8_t seed[TOKEN_SEED_BYTES];
    int64_t expires_ms;           /* wall clock */
    uint32_t counter;             /* the highest that was used with it */
};
struct tokens {
    struct token slot[TOKEN_SLOTS];
    bool anonymous;               /* of such an account: anonymous.h */
};

/* --- pure --- */

/* What the client is given: base64 of 64 bytes, in the arena. */
struct slice token_text(struct arena *a, const uint8_t secret[TOKEN_SECRET_BYTES], const uint8_t seed[TOKEN_SEED_BYTES]);
struct token_try {
    enum ht_binding binding;      /* the mechanism */
    struct slice hash;            /* HT_HASH_BYTES, as the client sent it */
    struct slice data;            /* of the channel binding */
    uint32_t count;               /* 0: not told */
    int64_t now_ms;
};
/* SASL_OK and *slot; SASL_CREDENTIALS_EXPIRED only for who has the token; SASL_NOT_AUTHORIZED. The same work whatever there is: two
 * tokens are made and compared in constant time. */
enum sasl_fail tokens_check(struct arena *a, const uint8_t secret[TOKEN_SECRET_BYTES], const struct tokens *t,
                            const struct token_try *try, enum token_slot *slot);

/* --- rows; done on the loop, after the commit, once --- */

/* t: all that the client has; nothing where there is no such account. */
void tokens_get(struct sessman *sm, const struct jid *user, struct slice agent,
                void (*done)(void *ctx, enum rc rc, const struct tokens *t), void *ctx);
/* It has been checked and logs somebody in: counts it, and makes it the one in use. count 0: none was told. RC_DENIED: it was revoked or its
 * count used since it was read. forget: and none of the client's is good any more (XEP-0484 3.6). */
void tokens_use(struct sessman *sm, const struct jid *user, struct slice agent, const struct token *t, uint32_t count, bool forget,
                void (*done)(void *ctx, enum rc rc), void *ctx);
/* A new one, of an account that is anonymous or not. text and expires_ms are set at once; it may be told after done. More than [tokens] per_account clients of one account: those
 * whose tokens are the oldest lose theirs. */
void tokens_give(struct sessman *sm, struct arena *a, const struct jid *user, bool anonymous, struct slice agent, enum ht_binding binding,
                 struct slice *text, int64_t *expires_ms, void (*done)(void *ctx, enum rc rc), void *ctx);
/* True when a client that has logged in with t is to get a new one. */
bool tokens_due(const struct sessman *sm, const struct token *t, bool anonymous);

#endif
