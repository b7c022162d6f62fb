/* test/fuzz/fuzz_mam.c - queries of an archive, pages and preferences are read; what was read is written
 * again and means the same */
#include "common/xmpp/mam.h"
#include "common/xmpp/mamprefs.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 16, .depth = 64, .elements = 1000, .attrs = 128
};

static void check_query(struct arena *a, const struct node *n)
{
    struct mam_query q;
    enum stanza_cond cond;
    const char *text;
    struct jid again;
    enum rc rc = mam_query_read(a, n, &q, &cond, &text);
    (void)stanza_cond_name(cond);
    if (rc != RC_OK)
        return;
    if (q.n_ids > MAM_IDS_MAX || q.queryid.len > MAM_QUERYID_MAX || q.start_ms < 0 || q.end_ms < 0 ||
        (q.has_with && (jid_parse(a, q.with.full, &again, NULL) != RC_OK || !jid_eq(&q.with, &again))))
        abort();
    struct rsm_page page = {
        q.after_id, q.before_id, q.rsm.has_index, q.rsm.has_max, q.rsm.index, q.rsm.max
    };
    struct node *fin = mam_fin(a, q.flip, &page);
    struct buf b = BUF_INIT(0);
    xmlout_node(&b, fin, NS_CLIENT);
    buf_fini(&b);
}

static void check_prefs(struct arena *a, const struct node *n)
{
    struct mam_prefs p, again;
    enum stanza_cond cond;
    struct jid jid;
    if (mam_prefs_read(a, n, &p, &cond) != RC_OK)
        return;
    if (p.n_always + p.n_never > MAM_PREFS_JIDS_MAX ||
        mam_prefs_read(a, mam_prefs_write(a, &p), &again, &cond) != RC_OK || p.def != again.def ||
        p.n_always != again.n_always || p.n_never != again.n_never)
        abort();
    if (p.n_never && jid_parse(a, p.never[0], &jid, NULL) == RC_OK && mam_prefs_want(&p, &jid, true))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    if (xmlin_parse(pool, a, slice_of((const char *)data, size), &limits, &n, NULL) == RC_OK) {
        check_query(a, n);
        check_prefs(a, n);
    }
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return 0;
}
