/* sessman/auth_backend.h - where passwords are checked: the store's SCRAM keys, or an external script
 *
 * A backend is one const table; the configuration chooses one. done on the loop, once. */
#ifndef SESSMAN_AUTH_BACKEND_H
#define SESSMAN_AUTH_BACKEND_H

#include "common/xmpp/jid.h"
#include "common/xmpp/sasl.h"

struct sessman;
struct auth_keys {             /* what get_keys found */
    bool found;
    bool has[SCRAM_HASHES];
    struct scram_keys keys[SCRAM_HASHES];
};
struct auth_backend {
    const char *name;          /* "store", "script" */
    bool scram;                /* get_keys works: SCRAM is offered */
    enum rc (*open)(struct sessman *sm, void **state, struct why *why);
    void (*close)(void **state);
    void (*get_keys)(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc, const struct auth_keys *k), void *ctx);
    /* PLAIN, and registration changes. rc of done: RC_OK, RC_DENIED (wrong or unknown), RC_TIMEOUT or RC_IO (temporary-auth-failure),
     * RC_UNSUPPORTED, RC_EXISTS, RC_NOTFOUND. */
    void (*check)(void *state, const struct jid *user, struct slice password, void (*done)(void *ctx, enum rc rc), void *ctx);
    void (*exists)(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc), void *ctx);
    void (*create)(void *state, const struct jid *user, struct slice password, void (*done)(void *ctx, enum rc rc), void *ctx);
    void (*set_password)(void *state, const struct jid *user, struct slice password, void (*done)(void *ctx, enum rc rc), void *ctx);
    void (*remove)(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc), void *ctx);
};
extern const struct auth_backend auth_store;  /* auth_store.c */
extern const struct auth_backend auth_script; /* auth_script.c: ejabberd's external authentication protocol */

#endif
