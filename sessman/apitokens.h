/* sessman/apitokens.h - tokens of the HTTP API (common/xmpp/bearer.h): rows of their owners
 *
 * Made by a command, shown once: the store has a hash of the secret part. One ends with its time, when it is revoked, when its owner's
 * password is changed, and with the account. What they may is in scopes.h. done on the loop, after the commit, once. */
#ifndef SESSMAN_APITOKENS_H
#define SESSMAN_APITOKENS_H

#include "common/xmpp/bearer.h"

struct sessman;
struct apitoken {
    int64_t id;                   /* never used twice */
    struct slice label, scopes;
    int64_t created_ms, expires_ms, used_ms; /* wall clock; used 0: never */
};
/* t: RC_OK and the token, which has not expired; RC_DENIED: there is none such, or it has. Notes its use, once a minute. */
void apitokens_check(struct sessman *sm, const struct bearer_token *token,
                     void (*done)(void *ctx, enum rc rc, const struct apitoken *t), void *ctx);
/* t: label, scopes and expires_ms. RC_LIMIT: the account has [api] tokens_per_account of them; RC_NOTFOUND: no such account. *text is set at
 * once, and may be told after done. */
void apitokens_issue(struct sessman *sm, struct arena *a, const struct jid *user, const struct apitoken *t, struct slice *text,
                     void (*done)(void *ctx, enum rc rc, int64_t id), void *ctx);
/* Each that has not expired, then done. */
void apitokens_list(struct sessman *sm, const struct jid *user, void (*each)(void *ctx, const struct apitoken *t),
                    void (*done)(void *ctx), void *ctx);
void apitokens_revoke(struct sessman *sm, const struct jid *user, int64_t id, void (*done)(void *ctx, enum rc rc), void *ctx); /* RC_NOTFOUND */

#endif
