/* common/xmpp/mamprefs.c */
#include "common/xmpp/mamprefs.h"

static const char *const defaults[] = { "always", "never", "roster" };

/* The addresses of one list; *left and *bytes are what both may still have. */
static enum rc read_list(struct arena *a, const struct node *prefs, const char *name, size_t *left,
                         size_t *bytes, const struct slice **out, size_t *n)
{
    const struct node *list = node_find(prefs, name, NS_MAM);
    struct slice *jids = ARENA_ARRAY(a, *left + 1, struct slice);
    *out = jids;
    *n = 0;
    if (list && node_find_next(list, name, NS_MAM))
        return RC_SYNTAX;
    for (const struct node *j = node_find(list, "jid", NS_MAM); j; j = node_find_next(j, "jid", NS_MAM)) {
        struct jid jid;
        if (jid_parse(a, slice_trim(node_text(a, j)), &jid, NULL) != RC_OK)
            return RC_SYNTAX;
        if (!*left || jid.full.len > *bytes)
            return RC_LIMIT;
        *left -= 1;
        *bytes -= jid.full.len;
        jids[(*n)++] = jid.full;
    }
    return RC_OK;
}

enum rc mam_prefs_read(struct arena *a, const struct node *prefs, struct mam_prefs *out,
                       enum stanza_cond *cond)
{
    struct slice def = node_attr(prefs, "default");
    size_t left = MAM_PREFS_JIDS_MAX, bytes = MAM_PREFS_BYTES_MAX, i = 0;
    *out = (struct mam_prefs){ 0 };
    *cond = COND_BAD_REQUEST;
    while (i < 3 && !slice_is(def, defaults[i]))
        i++;
    if (i == 3)
        return RC_SYNTAX;
    out->def = (enum mam_default)i;
    enum rc rc = read_list(a, prefs, "always", &left, &bytes, &out->always, &out->n_always);
    if (rc == RC_OK)
        rc = read_list(a, prefs, "never", &left, &bytes, &out->never, &out->n_never);
    *cond = rc == RC_LIMIT ? COND_POLICY_VIOLATION : COND_JID_MALFORMED;
    return rc;
}

static void write_list(struct arena *a, struct node *prefs, const char *name, const struct slice *jids,
                       size_t n)
{
    struct node *list = node_add(a, prefs, name, NS_MAM);
    for (size_t i = 0; i < n; i++)
        node_add_text(a, node_add(a, list, "jid", NS_MAM), jids[i]);
}

struct node *mam_prefs_write(struct arena *a, const struct mam_prefs *p)
{
    struct node *prefs = node_new(a, "prefs", NS_MAM);
    node_set(a, prefs, "default", slice_cstr(defaults[p->def]));
    write_list(a, prefs, "always", p->always, p->n_always);
    write_list(a, prefs, "never", p->never, p->n_never);
    return prefs;
}

static bool listed(const struct slice *jids, size_t n, struct slice jid)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(jids[i], jid))
            return true;
    return false;
}

bool mam_prefs_want(const struct mam_prefs *p, const struct jid *peer, bool in_roster)
{
    struct slice forms[2] = { peer->full, jid_bare(peer) };
    for (int i = peer->resource.len ? 0 : 1; i < 2; i++) {
        if (listed(p->never, p->n_never, forms[i]))
            return false;
        if (listed(p->always, p->n_always, forms[i]))
            return true;
    }
    return p->def == MAM_ALWAYS || (p->def == MAM_ROSTER && in_roster);
}
