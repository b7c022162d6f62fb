/* common/xmpp/mamprefs.h - what of an account's messages is archived: its preferences (XEP-0441)  Pure. */
#ifndef XMPP_MAMPREFS_H
#define XMPP_MAMPREFS_H

#include "common/xmpp/jid.h"
#include "common/xmpp/node.h"
#include "common/xmpp/stanza.h"

#define MAM_PREFS_JIDS_MAX 500           /* of both lists together */
#define MAM_PREFS_BYTES_MAX (32 * 1024)  /* of all their addresses */

enum mam_default { MAM_ALWAYS, MAM_NEVER, MAM_ROSTER };
/* Canonical addresses of both lists, as they came; an address may be bare or full (2.2). */
struct mam_prefs {
    enum mam_default def;
    size_t n_always, n_never;
    const struct slice *always, *never;
};
/* Reads <prefs/>. RC_SYNTAX (default, addresses), RC_LIMIT; *cond is what the sender is told. */
MUST_USE enum rc mam_prefs_read(struct arena *a, const struct node *prefs, struct mam_prefs *out, enum stanza_cond *cond);
struct node *mam_prefs_write(struct arena *a, const struct mam_prefs *prefs);
/* Whether messages to and from peer are archived: what is listed with its resource decides before what is listed bare, never before
 * always, and the default where peer is not listed. in_roster: its bare JID is in the roster. */
bool mam_prefs_want(const struct mam_prefs *prefs, const struct jid *peer, bool in_roster);

#endif
