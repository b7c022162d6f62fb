/* sessman/roster.h - a roster in memory and its rows (RFC 6121 2, 3; appendix A)
 *
 * Compact: loaded items share one block, changed ones have their own. Changes go to memory at once and to the store as statements; the ticket says when they are durable. */
#ifndef SESSMAN_ROSTER_H
#define SESSMAN_ROSTER_H

#include "common/xmpp/stanza.h"
#include "sessman/store/store.h"

/* RFC 6121 appendix A.1: the nine states are combinations of the first four. */
enum {
    SUB_TO = 1,        /* the user gets the contact's presence */
    SUB_FROM = 2,      /* the contact gets the user's */
    SUB_ASK = 4,       /* pending out */
    SUB_IN = 8,        /* pending in: request is kept until answered */
    SUB_APPROVED = 16, /* pre-approved: RFC 6121 3.4 */
    SUB_LISTED = 32,   /* the user sees it (a pure pending-in is no roster item: 3.1.3) */
};
struct roster_item {
    uint8_t state;
    uint16_t jid_len, name_len, groups_len, request_len; /* bytes */
    char bytes[];      /* jid, name, groups (each followed by \n), the stored subscribe stanza (SUB_IN) */
};
static inline struct slice roster_item_jid(const struct roster_item *i)
{
    return (struct slice){ i->bytes, i->jid_len };
}
static inline struct slice roster_item_name(const struct roster_item *i)
{
    return (struct slice){ i->bytes + i->jid_len, i->name_len };
}
static inline struct slice roster_item_groups(const struct roster_item *i)
{
    return (struct slice){ i->bytes + i->jid_len + i->name_len, i->groups_len };
}
static inline struct slice roster_item_request(const struct roster_item *i)
{
    return (struct slice){ i->bytes + i->jid_len + i->name_len + i->groups_len, i->request_len };
}
struct roster {
    struct roster_item **items; /* sorted by JID */
    char *block;                /* the items as loaded, one behind the other; changed ones have blocks of their own */
    size_t block_len;
    uint32_t n, cap;
    uint64_t version;           /* RFC 6121 2.6 */
};
void roster_fini(struct roster *r);
void roster_load(struct roster *r, const struct store_result *rows); /* of STMT_ROSTER_ALL */
struct roster_item *roster_find(const struct roster *r, struct slice jid);
uint8_t roster_state(const struct roster *r, struct slice jid); /* 0: no such item */
uint32_t roster_listed(const struct roster *r); /* items that the user sees: the others are requests not answered yet */
/* Whether an item with these may be listed: fewer than items_max are, and the whole still fits the answer to a roster get. groups:
 * each followed by \n. */
#define ROSTER_XML_MAX (768 * 1024) /* bytes: less than a frame */
bool roster_has_room(const struct roster *r, uint32_t items_max, struct slice jid, struct slice name, struct slice groups);

struct roster_change {
    struct slice jid;
    const struct slice *name, *groups, *request; /* NULL: as it was */
    uint8_t state;
};
/* Sets (or adds) an item, in memory and store, with a new version; an item without any state bit is removed. Returns the ticket. The old
 * item pointer is invalid after it. */
uint64_t roster_set(struct roster *r, struct store *store, int64_t account, const struct roster_change *c);
uint64_t roster_remove(struct roster *r, struct store *store, int64_t account, struct slice jid);

/* Appendix A as a table. */
enum sub_dir { SUB_OUTBOUND, SUB_INBOUND };
struct sub_step {
    uint8_t state;      /* the new one */
    bool pass;          /* route it (outbound), deliver it to the user (inbound) */
    bool answer;        /* inbound subscribe, already granted or pre-approved: the server answers subscribed (3.1.3, 3.4) */
};
struct sub_step sub_step(enum sub_dir dir, enum stanza_type type, uint8_t state);
/* "none", "to", "from", "both" */
const char *sub_name(uint8_t state);

#endif
