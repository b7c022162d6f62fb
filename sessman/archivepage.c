#include "sessman/archivepage.h"

#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/journal.h"
#include <stdlib.h>

#define SCAN_ROWS 250 /* read at a time where stanzas are looked into */
#define IDS_ROWS  10  /* rows named by id that are read at a time: each may be large */

/* --- what is asked for --- */

static bool position_of(const struct archive_page *p, struct slice id, int64_t *out)
{
    uint64_t pos;
    if (!journal_id_read(p->sm, id, &pos) || pos > INT64_MAX)
        return false;
    *out = (int64_t)pos;
    return true;
}

/* Rows after the one of this id (or before it); empty: no such bound. */
static bool bound(struct archive_page *p, struct slice id, bool after)
{
    int64_t pos;
    if (!id.len)
        return true;
    if (!position_of(p, id, &pos))
        return false;
    p->must[p->n_must++] = pos;
    if (after && pos > p->low)
        p->low = pos;
    if (!after && pos < p->high)
        p->high = pos;
    return true;
}

static int upwards(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int downwards(const void *a, const void *b)
{
    return upwards(b, a);
}

static bool ids_init(struct archive_page *p)
{
    const struct mam_query *q = p->q;
    p->ids = ARENA_ARRAY(p->a, q->n_ids + 1, int64_t);
    for (size_t i = 0; i < q->n_ids; i++)
        if (!position_of(p, q->ids[i], &p->ids[i]))
            return false;
    qsort(p->ids, q->n_ids, sizeof *p->ids, p->backwards ? downwards : upwards);
    for (size_t i = 0; i < q->n_ids; i++)
        if (!i || p->ids[i] != p->ids[i - 1])
            p->ids[p->n_ids++] = p->ids[i];
    return true;
}

/* ='a@b/c', escaped as the canonical writer does it. */
static struct slice needle_of(struct arena *a, struct slice jid)
{
    struct buf b = BUF_INIT(0);
    struct node *n = node_new(a, "x", NS_CLIENT);
    node_set(a, n, "a", jid);
    xmlout_node(&b, n, NS_CLIENT);
    struct slice text = buf_get(&b);
    ptrdiff_t at = slice_find(text, '=');
    struct slice needle = arena_copy(a, slice_to(slice_from(text, (size_t)at), text.len - (size_t)at - 2));
    buf_fini(&b);
    return needle;
}

enum rc archive_page_init(struct archive_page *p, struct sessman *sm, struct arena *a,
                          const struct account *account, const struct mam_query *q)
{
    const struct rsm *rsm = &q->rsm;
    *p = (struct archive_page){ .sm = sm, .a = a, .account = account->id, .q = q, .high = INT64_MAX };
    p->backwards = rsm->has_before;
    p->in_stanza = q->has_with && q->with.resource.len;
    if (p->in_stanza)
        p->needle = needle_of(a, q->with.full);
    /* A resource of the account itself is a side of messages with anybody; its bare address means those to
     * itself (3.1.1). */
    p->by_peer = q->has_with && !(p->in_stanza && slice_eq(jid_bare(&q->with), account_bare(account)));
    p->max = !rsm->has_max ? ARCHIVE_PAGE_ROWS : rsm->max < ARCHIVE_PAGE_MAX ? rsm->max : ARCHIVE_PAGE_MAX;
    bool ok = bound(p, q->after_id, true) && bound(p, q->before_id, false) && bound(p, rsm->after, true) &&
              bound(p, rsm->before, false) && (!q->has_ids || ids_init(p));
    return ok ? RC_OK : RC_NOTFOUND;
}

/* --- the end --- */

static void finish(struct archive_page *p)
{
    for (size_t i = 0, j = p->n; p->backwards && i + 1 < j; i++) {
        struct archive_row row = p->rows[i];
        p->rows[i] = p->rows[--j];
        p->rows[j] = row;
    }
    if (p->complete && !p->q->rsm.has_after && !p->q->rsm.before.len) { /* this page is all there is */
        p->has_count = true;
        p->count = p->n;
    }
    p->done(p->ctx, p);
}

static bool failed(struct archive_page *p)
{
    if (p->rc == RC_OK)
        return false;
    p->n = 0;
    p->complete = false;
    finish(p);
    return true;
}

/* --- rows --- */

static bool is_party(const struct archive_page *p, struct arena *a, const struct node *n, const char *attr)
{
    struct jid jid;
    return node_has(n, attr) && jid_parse(a, node_attr(n, attr), &jid, NULL) == RC_OK &&
           jid_eq(&jid, &p->q->with);
}

/* XEP-0313 3.1.1: `with` has a resource. The index has only bare addresses. Few stanzas have to be parsed to
 * be passed over. */
static bool is_with(const struct archive_page *p, struct slice stanza)
{
    struct node *n;
    if (!memmem(stanza.p, stanza.len, p->needle.p, p->needle.len))
        return false;
    struct arena *a = arena_take(p->sm->arenas);
    bool found = xmlin_parse(p->sm->xml, a, stanza, &p->sm->xml_limits, &n, NULL) == RC_OK &&
                 (is_party(p, a, n, "from") || is_party(p, a, n, "to"));
    arena_give(p->sm->arenas, &a);
    return found;
}

static void take(struct archive_page *p, const struct store_value *v)
{
    *(p->backwards ? &p->high : &p->low) = v[0].i;
    if (p->in_stanza && !is_with(p, v[2].s))
        return;
    p->full = p->n == p->max || (p->n && p->bytes >= ARCHIVE_PAGE_BYTES); /* before this one: there is more */
    if (p->full)
        return;
    struct slice stanza = arena_copy(p->a, v[2].s);
    p->rows[p->n++] = (struct archive_row){ (uint64_t)v[0].i, v[1].i, stanza };
    p->bytes += stanza.len;
}

static void step(struct archive_page *p);

/* One statement of a step. The last one decides what comes next. */
static void on_rows(void *ctx, const struct store_result *r)
{
    struct archive_page *p = ctx;
    if (r->rc != RC_OK)
        p->rc = RC_IO;
    p->cut |= r->cut;
    p->got += r->rows;
    for (size_t i = 0; i < r->rows && !p->full; i++)
        take(p, store_row(r, i));
    if (--p->pending || failed(p))
        return;
    bool last = p->ids ? p->at_id == p->n_ids : p->got < p->wanted && !p->cut;
    p->complete = last && !p->full;
    if (last || p->full || (p->n && p->bytes >= ARCHIVE_PAGE_BYTES))
        finish(p);
    else
        step(p);
}

enum way { UP, DOWN, COUNT };

static void run(struct archive_page *p, enum way way, int64_t low, int64_t high, size_t rows, store_done done)
{
    static const enum stmt stmts[2][3] = {
        { STMT_ARCHIVE_UP, STMT_ARCHIVE_DOWN, STMT_ARCHIVE_COUNT },
        { STMT_ARCHIVE_WITH_UP, STMT_ARCHIVE_WITH_DOWN, STMT_ARCHIVE_WITH_COUNT },
    };
    const struct mam_query *q = p->q;
    int64_t peer = p->by_peer ? journal_peer(p->sm, jid_bare(&q->with)) : 0;
    const struct store_value values[] = {
        STORE_I(p->account), STORE_I(low),  STORE_I(high), STORE_I(q->start_ms),
        STORE_I(q->end_ms),  STORE_I(rows), STORE_I(peer),
    };
    p->pending++;
    store_run(p->sm->store, stmts[p->by_peer][way], values, p->by_peer ? 7 : 6, done, p);
}

static void step(struct archive_page *p)
{
    enum way way = p->backwards ? DOWN : UP;
    p->got = 0;
    p->cut = false;
    if (!p->ids) {
        p->wanted = p->in_stanza ? SCAN_ROWS : p->max + 1 - p->n; /* one more: is there more? */
        run(p, way, p->low, p->high, p->wanted, on_rows);
        return;
    }
    size_t end = p->n_ids - p->at_id < IDS_ROWS ? p->n_ids : p->at_id + IDS_ROWS;
    size_t first = p->at_id;
    p->at_id = end;
    for (size_t i = first; i < end; i++)
        run(p, way, p->ids[i] - 1, p->ids[i] + 1, 1, on_rows);
}

/* --- what comes before the rows --- */

static void on_count(void *ctx, const struct store_result *r)
{
    struct archive_page *p = ctx;
    p->pending--;
    if (r->rc != RC_OK || r->rows != 1)
        p->rc = RC_IO;
    if (failed(p))
        return;
    p->count = (uint64_t)store_row(r, 0)[0].i;
    p->has_count = p->count <= ARCHIVE_COUNT_MAX;
    p->complete = !p->count;
    p->done(p->ctx, p);
}

/* Those of `ids` within the bounds. */
static void ids_within(struct archive_page *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_ids; i++)
        if (p->ids[i] > p->low && p->ids[i] < p->high)
            p->ids[n++] = p->ids[i];
    p->n_ids = n;
}

static void begin(struct archive_page *p)
{
    bool all = !p->q->rsm.has_after && !p->q->rsm.before.len;
    if (failed(p))
        return;
    if (!p->max && all && !p->ids && !p->in_stanza) {
        run(p, COUNT, p->low, p->high, ARCHIVE_COUNT_MAX + 1, on_count);
        return;
    }
    if (p->ids)
        ids_within(p);
    p->rows = ARENA_ARRAY(p->a, p->max + 1, struct archive_row);
    p->complete = p->ids && !p->n_ids;
    if (!p->max || p->complete)
        finish(p);
    else
        step(p);
}

static void one_less(struct archive_page *p)
{
    if (!--p->pending)
        begin(p);
}

static void on_has(void *ctx, const struct store_result *r)
{
    struct archive_page *p = ctx;
    if (r->rc != RC_OK)
        p->rc = RC_IO;
    else if (!r->rows && p->rc == RC_OK)
        p->rc = RC_NOTFOUND;
    one_less(p);
}

/* All rows before the landmark are too early. */
static void on_start(void *ctx, const struct store_result *r)
{
    struct archive_page *p = ctx;
    if (r->rows == 1 && store_row(r, 0)[0].i - 1 > p->low)
        p->low = store_row(r, 0)[0].i - 1;
    one_less(p);
}

/* All rows from the landmark on are too late. */
static void on_end(void *ctx, const struct store_result *r)
{
    struct archive_page *p = ctx;
    if (r->rows == 1 && store_row(r, 0)[0].i < p->high)
        p->high = store_row(r, 0)[0].i;
    one_less(p);
}

static void must_have(struct archive_page *p, int64_t pos)
{
    p->pending++;
    store_run(p->sm->store, STMT_ARCHIVE_HAS, STORE_VALUES(STORE_I(p->account), STORE_I(pos)), on_has, p);
}

void archive_page_read(struct archive_page *p, void (*done)(void *ctx, struct archive_page *page), void *ctx)
{
    struct store *store = p->sm->store;
    p->done = done;
    p->ctx = ctx;
    journal_flush(p->sm, p->account);
    p->pending = 1; /* until all are given */
    for (size_t i = 0; i < p->n_must; i++)
        must_have(p, p->must[i]);
    for (size_t i = 0; i < p->n_ids; i++)
        must_have(p, p->ids[i]);
    if (p->q->start_ms > 0) {
        p->pending++;
        store_run(store, STMT_LANDMARK_BEFORE, STORE_VALUES(STORE_I(p->q->start_ms)), on_start, p);
    }
    if (p->q->end_ms < INT64_MAX) {
        p->pending++;
        store_run(store, STMT_LANDMARK_AFTER, STORE_VALUES(STORE_I(p->q->end_ms)), on_end, p);
    }
    one_less(p);
}
