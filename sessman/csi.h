/* sessman/csi.h - client state indication (XEP-0352): what a client that nobody looks at need not hear at once
 *
 * While a session is inactive two kinds of stanzas are held back: presence (available and unavailable), of which only the newest of each
 * full JID is kept, and messages that say nothing but a chat state (XEP-0085), the newest of each sender; which of them is an option.
 * Everything else goes at once, and before it, in order, what is held: so a client never sees anything out of order. What is held is also
 * sent when the client is active again, and at the limits [csi] stanzas, bytes and time. A session that ends takes it along. It has not
 * been numbered (XEP-0198) yet: that happens when it is sent. A restart of ours takes it along, too: the client is then told the presence of
 * all its contacts anew when it is active again (presence_tell_all).
 *
 * An active session owns nothing here (session->csi is NULL). */
#ifndef SESSMAN_CSI_H
#define SESSMAN_CSI_H

#include "sessman/session.h"

enum csi_class { CSI_IMPORTANT, CSI_PRESENCE, CSI_CHATSTATE };
enum csi_policy { CSI_HOLD_ALL, CSI_HOLD_PRESENCE, CSI_HOLD_NOTHING }; /* [csi] hold */
/* Pure. Presence that answers the client's own doing (an error, status 110 of a room: XEP-0045 7.2.2) is important. A carbon is what is
 * in it. */
enum csi_class csi_class_of(const struct node *stanza);

/* The client says so (a control message of its edge). Sends what is held when active. */
void csi_set(struct sessman *sm, struct session *s, bool active);

/* The same after a restart: it was inactive, and what was held for it is lost. */
void csi_restored(struct sessman *sm, struct session *s);

/* What one stanza is, found out once for all the sessions it goes to; zeroed before the first. */
struct csi_what {
    bool known;
    enum csi_class class;
    uint64_t key; /* whose newest it is */
};
/* For out.c: true if the stanza is held. False: it is to be sent now, and what was held has been. to_at: where the
 * edge puts " to='…'"; CSI_HAS_TO: it is in the stanza. */
#define CSI_HAS_TO SIZE_MAX
bool csi_hold(struct csi *c, uint64_t ticket, struct slice stanza, size_t to_at, struct csi_what *what);
/* The same for what is important whatever it says: sends what is held, before the number of what follows (smqueue_next) is asked for. */
void csi_flush(struct csi *c); /* NULL: nothing */
void csi_free(struct csi **c); /* with what is held */

#endif
