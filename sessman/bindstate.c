/* sessman/bindstate.c */
#include "sessman/bindstate.h"

#include "common/base/mem.h"
#include "common/xmpp/delay.h"
#include "common/xmpp/xmlout.h"
#include "sessman/archive.h"
#include "sessman/archivepage.h"
#include "sessman/waiting.h"

enum { CLEAR_ROWS = 200 }; /* looked at in one turn */

struct bindstate {
    struct sessman *sm;
    struct account *account;
    struct arena *a;
    struct mam_query q;
    struct archive_page page;
    struct node *metadata; /* NULL: none can be told */
    void (*done)(void *ctx, struct slice metadata);
    void *ctx;
};

static void finish(struct bindstate *b)
{
    struct buf text = BUF_INIT(0);
    if (b->metadata)
        xmlout_node(&text, b->metadata, NS_CLIENT);
    b->done(b->ctx, buf_get(&text));
    buf_fini(&text);
    account_release(b->sm, b->account);
    arena_free(&b->a);
    mem_free(b);
}

/* --- the archive's ends: XEP-0313 4.1 --- */

static void add_end(struct bindstate *b, const char *name)
{
    const struct archive_row *row = &b->page.rows[0];
    struct node *end = node_add(b->a, b->metadata, name, NS_MAM);
    char id[JOURNAL_ID_LEN];
    journal_id_write(b->sm, row->pos, id);
    node_set(b->a, end, "id", arena_copy(b->a, slice_of(id, sizeof id)));
    node_set(b->a, end, "timestamp", time_write(b->a, row->at_ms));
}

static void on_last(void *ctx, struct archive_page *p)
{
    struct bindstate *b = ctx;
    if (p->rc == RC_OK && p->n)
        add_end(b, "end");
    else if (p->rc != RC_OK)
        b->metadata = NULL;
    finish(b);
}

static void on_first(void *ctx, struct archive_page *p)
{
    struct bindstate *b = ctx;
    if (p->rc != RC_OK)
        b->metadata = NULL;
    if (p->rc != RC_OK || !p->n) { /* an empty archive: an empty element */
        finish(b);
        return;
    }
    add_end(b, "start");
    b->q.rsm.has_before = true;
    if (archive_page_init(&b->page, b->sm, b->a, b->account, &b->q) == RC_OK)
        archive_page_read(&b->page, on_last, b);
    else
        finish(b);
}

static void ask_ends(struct bindstate *b)
{
    b->metadata = node_new(b->a, "metadata", NS_MAM);
    b->q = (struct mam_query){ .end_ms = INT64_MAX, .rsm = { .has_max = true, .max = 1 } };
    if (archive_page_init(&b->page, b->sm, b->a, b->account, &b->q) == RC_OK)
        archive_page_read(&b->page, on_first, b);
    else
        finish(b);
}

/* --- what waits --- */

static void on_waiting(void *ctx, const struct journal_row *rows, size_t n, uint64_t next)
{
    struct bindstate *b = ctx;
    for (size_t i = 0; i < n; i++)
        if (rows[i].flags & JOURNAL_KEEP_OWNER)
            waiting_drop(b->sm, b->account, &rows[i]);
    if (next)
        waiting_rows(b->sm, b->account, next, CLEAR_ROWS, on_waiting, b);
    else
        ask_ends(b);
}

void bindstate_start(struct sessman *sm, struct account *a, void (*done)(void *ctx, struct slice metadata),
                     void *ctx)
{
    struct bindstate *b = mem_new(sizeof *b);
    b->sm = sm;
    b->account = a;
    b->a = arena_new(1024, 0);
    b->done = done;
    b->ctx = ctx;
    account_hold(sm, a);
    if (!archive_allowed(sm, a) || a->gone)
        finish(b);
    else if (a->unsent && !journal_receiver(a)) /* else somebody is being given it */
        waiting_rows(sm, a, 0, CLEAR_ROWS, on_waiting, b);
    else
        ask_ends(b);
}
