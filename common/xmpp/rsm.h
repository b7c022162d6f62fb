/* common/xmpp/rsm.h - pages of large results (XEP-0059)  Pure.
 *
 * What is asked for, read from the <set/> of a query, and the <set/> of the answer. Ids are opaque here. */
#ifndef XMPP_RSM_H
#define XMPP_RSM_H

#include "common/xmpp/node.h"

struct rsm {
    bool has_max, has_after, has_before, has_index;
    uint64_t max;         /* items wanted; 0: only the count (2.7) */
    struct slice after;   /* id; never empty: an empty <after/> is the beginning, as if there were none */
    struct slice before;  /* id; empty: the last page (2.5) */
    uint64_t index;       /* 2.6 */
};
/* Reads the <set/> under parent; without one *out is all zero. RC_SYNTAX: not a number where one belongs (-1, 1e3, none), or
 * an element or the set itself twice. Numbers too large for 64 bits are the largest: whoever answers has a limit anyway. */
MUST_USE enum rc rsm_read(struct arena *a, const struct node *parent, struct rsm *out);

struct rsm_page {
    struct slice first, last;   /* ids; both empty: an empty page */
    bool has_index, has_count;
    uint64_t index, count;      /* of the first item in the whole result; items of the whole result */
};
struct node *rsm_add(struct arena *a, struct node *parent, const struct rsm_page *page); /* the answer's <set/> */

#endif
