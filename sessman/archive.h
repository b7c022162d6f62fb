/* sessman/archive.h - who archives what: the domain, the user's preferences, the sender's hints (XEP-0313 5, XEP-0441, XEP-0334) */
#ifndef SESSMAN_ARCHIVE_H
#define SESSMAN_ARCHIVE_H

#include "common/xmpp/mamprefs.h"
#include "sessman/sessman.h"

struct account;
/* Whether this message, to or from peer (a bare JID), goes into the account's archive. */
bool archive_wanted(const struct sessman *sm, const struct account *a, struct slice peer, const struct stanza *st);

/* A domain that archives nothing leaves its users no choice. */
bool archive_allowed(const struct sessman *sm, const struct account *a);
/* What is in force. Borrowed from the account, until they are set again. */
struct mam_prefs archive_prefs(const struct sessman *sm, const struct account *a);
/* In memory at once; the ticket says when they are durable. */
uint64_t archive_prefs_set(struct sessman *sm, struct account *a, const struct mam_prefs *prefs);
void archive_prefs_load(struct sessman *sm, struct account *a, struct slice row); /* account.archive; empty: the default */
void archive_prefs_free(struct account *a);

#endif
