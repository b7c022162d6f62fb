/* sessman/mod/mam.c - an account's archive: queries, metadata, preferences (XEP-0313, XEP-0441)
 *
 * The archive of an account answers its own sessions only; what it keeps is decided in archive.c, what a page
 * is in archivepage.c. */
#include "common/xmpp/delay.h"
#include "common/xmpp/mam.h"
#include "common/xmpp/mamprefs.h"
#include "common/xmpp/xmlin.h"
#include "sessman/account.h"
#include "sessman/archive.h"
#include "sessman/archivepage.h"
#include "sessman/deliver.h"
#include "sessman/edges.h"
#include "sessman/journal.h"
#include "sessman/module.h"
#include "sessman/session.h"

/* A query that is being answered; lives in in->a. */
struct asked {
    struct incoming *in;
    struct mam_query q;
    struct archive_page page;
    struct node *metadata; /* being built */
};

static struct slice id_of(const struct incoming *in, uint64_t pos)
{
    char id[JOURNAL_ID_LEN];
    journal_id_write(in->sm, pos, id);
    return arena_copy(in->a, slice_of(id, sizeof id));
}

static bool page_ok(struct asked *ask)
{
    const struct archive_page *p = &ask->page;
    if (p->rc == RC_OK)
        return true;
    if (p->rc == RC_NOTFOUND)
        in_error(ask->in, COND_ITEM_NOT_FOUND, NULL); /* 3.1.4, 3.3.2 */
    else
        in_error(ask->in, COND_INTERNAL_SERVER_ERROR, NULL);
    return false;
}

/* --- queries --- */

static void send_row(struct asked *ask, const struct archive_row *row)
{
    struct incoming *in = ask->in;
    struct sessman *sm = in->sm;
    struct arena *a = arena_take(sm->arenas);
    struct mam_result r = { account_bare(in->target), session_jid(in->session), ask->q.queryid,
                            id_of(in, row->pos), row->at_ms };
    struct node *stanza;
    struct why why;
    if (xmlin_parse(sm->xml, a, row->stanza, &sm->xml_limits, &stanza, &why) != RC_OK) {
        struct log_ctx log = sessman_log(sm, LOG_STORE);
        LOG_ERROR(&log, "archive_row_bad", F_STR("account", in->target->bare), F_UINT("pos", row->pos),
                  F_WHY(&why));
    } else if (deliver_to_session(sm, in->ticket, in->session, mam_result(a, &r, stanza))) {
        edge_answered(in->session, sm->scratch.len);
        metric_add(sm->metrics, M_ARCHIVE_RESULTS, 1);
    }
    arena_give(sm->arenas, &a);
}

static void on_page(void *ctx, struct archive_page *p)
{
    struct asked *ask = ctx;
    struct incoming *in = ask->in;
    if (in->session && page_ok(ask)) {
        for (size_t i = 0; i < p->n && in->session; i++)
            send_row(ask, &p->rows[ask->q.flip ? p->n - 1 - i : i]);
        struct rsm_page set = { .has_index = p->has_count, .has_count = p->has_count, .count = p->count };
        if (p->n) {
            set.first = id_of(in, p->rows[0].pos);
            set.last = id_of(in, p->rows[p->n - 1].pos);
        }
        in_result(in, mam_fin(in->a, p->complete, &set));
    }
    in_done(in);
}

static enum handled on_query(struct incoming *in)
{
    struct asked *ask = ARENA_NEW(in->a, struct asked);
    enum stanza_cond cond;
    const char *text;
    ask->in = in;
    metric_add(in->sm->metrics, M_ARCHIVE_QUERIES, 1);
    if (mam_query_read(in->a, in->st.payload, &ask->q, &cond, &text) != RC_OK)
        in_error(in, cond, text);
    else if (node_has(in->st.payload, "node")) /* XEP-0442: a user's archive has no nodes */
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
    else if (ask->q.rsm.has_index) /* XEP-0059 2.6: rows are found by id, never by counting */
        in_error(in, COND_FEATURE_NOT_IMPLEMENTED, "pages are asked for by id");
    else if (archive_page_init(&ask->page, in->sm, in->a, in->target, &ask->q) != RC_OK)
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
    else {
        in_hold(in);
        archive_page_read(&ask->page, on_page, ask);
    }
    return HANDLED;
}

static enum handled on_form(struct incoming *in)
{
    in_result(in, mam_query_form(in->a));
    return HANDLED;
}

/* --- metadata: XEP-0313 4 --- */

static void add_end(struct asked *ask, const char *name)
{
    const struct archive_page *p = &ask->page;
    struct node *end = node_add(ask->in->a, ask->metadata, name, NS_MAM);
    node_set(ask->in->a, end, "id", id_of(ask->in, p->rows[0].pos));
    node_set(ask->in->a, end, "timestamp", time_write(ask->in->a, p->rows[0].at_ms));
}

static void on_last(void *ctx, struct archive_page *p)
{
    struct asked *ask = ctx;
    if (ask->in->session && page_ok(ask)) {
        if (p->n)
            add_end(ask, "end");
        in_result(ask->in, ask->metadata);
    }
    in_done(ask->in);
}

static void on_first(void *ctx, struct archive_page *p)
{
    struct asked *ask = ctx;
    struct incoming *in = ask->in;
    if (!in->session || !page_ok(ask)) {
        in_done(in);
        return;
    }
    if (!p->n) { /* an empty archive: an empty element */
        in_result(in, ask->metadata);
        in_done(in);
        return;
    }
    add_end(ask, "start");
    ask->q.rsm.has_before = true;
    if (archive_page_init(&ask->page, in->sm, in->a, in->target, &ask->q) == RC_OK)
        archive_page_read(&ask->page, on_last, ask);
}

static enum handled on_metadata(struct incoming *in)
{
    struct asked *ask = ARENA_NEW(in->a, struct asked);
    ask->in = in;
    ask->metadata = node_new(in->a, "metadata", NS_MAM);
    ask->q = (struct mam_query){ .end_ms = INT64_MAX, .rsm = { .has_max = true, .max = 1 } };
    if (archive_page_init(&ask->page, in->sm, in->a, in->target, &ask->q) != RC_OK)
        return PASS; /* no ids, nothing that could be unknown */
    in_hold(in);
    archive_page_read(&ask->page, on_first, ask);
    return HANDLED;
}

/* --- preferences: XEP-0441 --- */

static enum handled on_prefs_get(struct incoming *in)
{
    struct mam_prefs prefs = archive_prefs(in->sm, in->target);
    in_result(in, mam_prefs_write(in->a, &prefs));
    return HANDLED;
}

static enum handled on_prefs_set(struct incoming *in)
{
    struct mam_prefs prefs;
    enum stanza_cond cond;
    if (mam_prefs_read(in->a, in->st.payload, &prefs, &cond) != RC_OK) {
        in_error(in, cond, NULL);
    } else if (!archive_allowed(in->sm, in->target)) {
        in_error(in, COND_NOT_ALLOWED, "nothing is archived in this domain");
    } else {
        in_wrote(in, archive_prefs_set(in->sm, in->target, &prefs));
        in_result(in, mam_prefs_write(in->a, &prefs));
    }
    return HANDLED;
}

/* 8.1: another's archive. The same whether there is such an account or not. */
static enum handled on_foreign(struct incoming *in)
{
    in_error(in, COND_FORBIDDEN, NULL);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_SET, NS_MAM, "query", TO_OWN_ACCOUNT, on_query },
    { ON_IQ_GET, NS_MAM, "query", TO_OWN_ACCOUNT, on_form },
    { ON_IQ_GET, NS_MAM, "metadata", TO_OWN_ACCOUNT, on_metadata },
    { ON_IQ_GET, NS_MAM, "prefs", TO_OWN_ACCOUNT, on_prefs_get },
    { ON_IQ_SET, NS_MAM, "prefs", TO_OWN_ACCOUNT, on_prefs_set },
    { ON_IQ_GET | ON_IQ_SET, NS_MAM, NULL, TO_ACCOUNT, on_foreign },
    { 0 },
};
static const char *const features[] = { NS_MAM, NS_MAM_EXTENDED, NS_MAM "#groupchat-field", NULL };
const struct module mod_mam = {
    .name = "mam",
    .spec = "XEP-0313 1.1.3, XEP-0441 0.2.0",
    .account_features = features,
    .handlers = handlers,
};
