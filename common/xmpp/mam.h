/* common/xmpp/mam.h - queries of a message archive and its preferences, read and written (XEP-0313, XEP-0441)  Pure. */
#ifndef XMPP_MAM_H
#define XMPP_MAM_H

#include "common/base/limits.h"
#include "common/xmpp/rsm.h"
#include "common/xmpp/stanza.h"

#define MAM_IDS_MAX 250       /* values of `ids` in one query */
#define MAM_QUERYID_MAX STANZA_ID_MAX /* bytes: it is repeated in every result */

struct mam_query {
    struct slice queryid;         /* empty: none */
    bool flip;                    /* 3.3.4: the page comes the last first */
    bool has_with;
    struct jid with;
    int64_t start_ms, end_ms;     /* wall clock, both inclusive; 0 and INT64_MAX when not asked for */
    struct slice after_id, before_id; /* of the form; empty: none */
    bool has_ids;
    size_t n_ids;                 /* at most MAM_IDS_MAX */
    const struct slice *ids;
    struct rsm rsm;
};
/* Reads the <query/> of an iq set. On an error *cond and *text (a literal, or NULL) are what the sender is told: RC_SYNTAX (form, times,
 * addresses, set), RC_UNSUPPORTED (a field that is not ours: 3.1.6), RC_LIMIT (MAM_IDS_MAX, MAM_QUERYID_MAX). */
MUST_USE enum rc mam_query_read(struct arena *a, const struct node *query, struct mam_query *out, enum stanza_cond *cond,
                                const char **text);
struct node *mam_query_form(struct arena *a); /* the <query/> that answers an iq get (3.1.6) */

/* <message/> with <result/> around an archived stanza, which must have no parent; from, to: of the archive, of who asked. */
struct mam_result {
    struct slice from, to, queryid, id;
    int64_t at_ms;
};
struct node *mam_result(struct arena *a, const struct mam_result *r, struct node *stanza);
struct node *mam_fin(struct arena *a, bool complete, const struct rsm_page *page);

#endif
