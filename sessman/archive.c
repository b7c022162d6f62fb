#include "sessman/archive.h"

#include "common/base/mem.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/journal.h"

/* What differs from the default: one block, addresses behind one another. */
struct archive_prefs {
    struct mam_prefs p;
    struct slice jids[]; /* always, never; then their bytes */
};

bool archive_allowed(const struct sessman *sm, const struct account *a)
{
    const struct domain *d = sessman_domain(sm, account_domain(a));
    return d && d->archive && !a->anonymous;
}

struct mam_prefs archive_prefs(const struct sessman *sm, const struct account *a)
{
    if (!archive_allowed(sm, a))
        return (struct mam_prefs){ .def = MAM_NEVER };
    return a->archive ? a->archive->p : (struct mam_prefs){ .def = MAM_ALWAYS };
}

/* The other side's address with its resource, which preferences may name. */
static const struct jid *peer_of(const struct stanza *st, struct slice bare)
{
    return st->has_to && slice_eq(jid_bare(&st->to), bare) ? &st->to : &st->from;
}

bool archive_wanted(const struct sessman *sm, const struct account *a, struct slice peer,
                    const struct stanza *st)
{
    if (!archive_allowed(sm, a) || !journal_qualifies(st) ||
        node_find(st->node, "no-permanent-store", NS_HINTS)) /* XEP-0334 4.1 */
        return false;
    return !a->archive ||
           mam_prefs_want(&a->archive->p, peer_of(st, peer), roster_state(&a->roster, peer) & SUB_LISTED);
}

/* --- preferences --- */

static char *put(struct slice *to, const struct slice *from, size_t n, char *at)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(at, from[i].p, from[i].len);
        to[i] = slice_of(at, from[i].len);
        at += from[i].len;
    }
    return at;
}

static struct archive_prefs *prefs_new(const struct mam_prefs *p)
{
    size_t n = p->n_always + p->n_never, bytes = 0;
    for (size_t i = 0; i < p->n_always; i++)
        bytes += p->always[i].len;
    for (size_t i = 0; i < p->n_never; i++)
        bytes += p->never[i].len;
    struct archive_prefs *own = mem_new(sizeof *own + n * sizeof *own->jids + bytes);
    char *at = put(own->jids, p->always, p->n_always, (char *)(own->jids + n));
    put(own->jids + p->n_always, p->never, p->n_never, at);
    own->p = (struct mam_prefs){ p->def, p->n_always, p->n_never, own->jids, own->jids + p->n_always };
    return own;
}

void archive_prefs_free(struct account *a)
{
    MEM_FREE(&a->archive);
}

static void keep(struct account *a, const struct mam_prefs *p)
{
    archive_prefs_free(a);
    if (p->def != MAM_ALWAYS || p->n_always || p->n_never)
        a->archive = prefs_new(p);
}

uint64_t archive_prefs_set(struct sessman *sm, struct account *a, const struct mam_prefs *p)
{
    struct store_value row = STORE_N;
    struct arena *arena = arena_take(sm->arenas);
    keep(a, p);
    if (a->archive) {
        buf_reset(&sm->scratch);
        xmlout_node(&sm->scratch, mam_prefs_write(arena, p), NS_CLIENT);
        row = STORE_T(buf_get(&sm->scratch));
    }
    uint64_t ticket = store_run(sm->store, STMT_ARCHIVE_PREFS, STORE_VALUES(STORE_I(a->id), row), NULL, NULL);
    arena_give(sm->arenas, &arena);
    return ticket;
}

void archive_prefs_load(struct sessman *sm, struct account *a, struct slice row)
{
    struct mam_prefs p;
    struct node *n;
    enum stanza_cond cond;
    struct why why = { "not preferences" };
    if (!row.len)
        return;
    struct arena *arena = arena_take(sm->arenas);
    if (xmlin_parse(sm->xml, arena, row, &sm->xml_limits, &n, &why) == RC_OK &&
        mam_prefs_read(arena, n, &p, &cond) == RC_OK) {
        keep(a, &p);
    } else { /* what was wanted is not known: nothing is kept that was not to be kept */
        struct log_ctx log = sessman_log(sm, LOG_STORE);
        LOG_ERROR(&log, "archive_preferences_bad", F_STR("account", a->bare), F_WHY(&why));
        keep(a, &(struct mam_prefs){ .def = MAM_NEVER });
    }
    arena_give(sm->arenas, &arena);
}
