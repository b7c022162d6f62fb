/* sessman/archive.h - who archives what (XEP-0313 6, XEP-0334) */
#ifndef SESSMAN_ARCHIVE_H
#define SESSMAN_ARCHIVE_H

#include "common/xmpp/stanza.h"
#include "sessman/sessman.h"

struct account;
/* Whether this message, to or from peer (a bare JID), goes into the account's archive. */
bool archive_wanted(const struct sessman *sm, const struct account *a, struct slice peer, const struct stanza *st);

#endif
