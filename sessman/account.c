#include "sessman/account.h"

#include "common/base/mem.h"

#include <assert.h>
#include "sessman/carbons.h"
#include "sessman/archive.h"
#include "sessman/journal.h"
#include "sessman/out.h"
#include "sessman/push.h"
#include "sessman/session.h"

struct account_wait {
    struct account_wait *next;
    void (*fn)(void *ctx, struct account *a);
    void *ctx;
};

/* One load: two statements, the second one's result ends it. The account may be freed only after that. */
struct load {
    struct sessman *sm;
    struct account *a;
    uint64_t undone; /* journal_undone when it began */
};

struct account *account_find(const struct sessman *sm, struct slice bare)
{
    struct account *a = map_get(sm->accounts, bare);
    return a && a->loaded && !a->gone ? a : NULL;
}

static void account_free(struct sessman *sm, struct account *a)
{
    if (map_get(sm->accounts, account_bare(a)) == a)
        map_remove(sm->accounts, account_bare(a));
    list_unlink(&a->idle);
    journal_account_freed(sm, a);
    roster_fini(&a->roster);
    archive_prefs_free(a);
    metric_set(sm->metrics, M_ACCOUNTS_LOADED, (int64_t)map_count(sm->accounts));
    carbons_trail_free(&a->carbons);
    push_free(&a->push);
    mem_free(a->bare);
    mem_free(a);
}

void account_free_at_end(struct sessman *sm, struct account *a)
{
    while (a->waiting) {
        struct account_wait *w = a->waiting;
        a->waiting = w->next;
        mem_free(w);
    }
    journal_account_freed(sm, a);
    roster_fini(&a->roster);
    archive_prefs_free(a);
    carbons_trail_free(&a->carbons);
    push_free(&a->push);
    mem_free(a->bare);
    mem_free(a);
}

/* Those that were waiting get it, referenced for them; NULL: there is none. */
static void wake_waiting(struct sessman *sm, struct account *a, bool found)
{
    struct account_wait *w = NULL;
    while (a->waiting) {
        struct account_wait *last = a->waiting;
        a->waiting = last->next;
        last->next = w;
        w = last;
    }
    a->loaded = found;
    account_hold(sm, a); /* until all have been told */
    if (!found)
        map_remove(sm->accounts, account_bare(a));
    while (w) {
        struct account_wait *next = w->next;
        if (found)
            account_hold(sm, a);
        w->fn(w->ctx, found ? a : NULL);
        mem_free(w);
        w = next;
    }
    account_release(sm, a);
}

static void on_roster(void *ctx, const struct store_result *r)
{
    struct load *l = ctx;
    roster_load(&l->a->roster, r);
    wake_waiting(l->sm, l->a, true);
    mem_free(l);
}

static void on_count(void *ctx, const struct store_result *r)
{
    struct load *l = ctx;
    journal_account_loaded(l->sm, l->a, r);
}

static void on_row(void *ctx, const struct store_result *r);

static void read_row(struct load *l)
{
    l->undone = journal_undone(l->sm);
    store_run(l->sm->store, STMT_ACCOUNT_GET,
              STORE_VALUES(STORE_T(account_domain(l->a)), STORE_T(account_local(l->a))), on_row, l);
}

static void on_push(void *ctx, const struct store_result *r)
{
    struct load *l = ctx;
    push_load(l->sm, l->a, r);
}

static void on_row(void *ctx, const struct store_result *r)
{
    struct load *l = ctx;
    struct account *a = l->a;
    if (r->rc != RC_OK || r->rows != 1) {
        a->gone = true;
        wake_waiting(l->sm, a, false);
        mem_free(l);
        return;
    }
    if (l->undone != journal_undone(l->sm)) {
        read_row(l);
        return;
    }
    const struct store_value *v = store_row(r, 0);
    a->id = v[0].i;
    a->admin = v[1].i != 0;
    a->roster.version = (uint64_t)v[2].i;
    a->delivered = (uint64_t)v[3].i;
    a->offline_limit = v[5].i;
    a->disabled = v[8].i != 0;
    a->anonymous = v[9].i != 0;
    journal_account_known(l->sm, a);
    journal_flush(l->sm, a->id);
    archive_prefs_load(l->sm, a, v[6].s);
    if (v[7].i) /* rarely: most have none */
        store_run(l->sm->store, STMT_PUSH_ALL, STORE_VALUES(STORE_I(a->id)), on_push, l);
    store_run(l->sm->store, STMT_JOURNAL_COUNT, STORE_VALUES(STORE_I(a->id), STORE_I(a->delivered)), on_count,
              l);
    store_run(l->sm->store, STMT_ROSTER_ALL, STORE_VALUES(STORE_I(a->id)), on_roster, l);
}

static struct account *load_start(struct sessman *sm, const struct jid *bare)
{
    struct account *a = mem_new(sizeof *a);
    struct load *l = mem_new(sizeof *l);
    a->bare = mem_copy(jid_bare(bare));
    a->bare_len = (uint16_t)bare->bare_len;
    a->local_len = (uint16_t)bare->local.len;
    list_init(&a->sessions);
    map_put(sm->accounts, a);
    metric_set(sm->metrics, M_ACCOUNTS_LOADED, (int64_t)map_count(sm->accounts));
    l->sm = sm;
    l->a = a;
    read_row(l);
    return a;
}

void account_hold(struct sessman *sm, struct account *a)
{
    a->refs++;
    if (link_in_list(&a->idle)) {
        list_unlink(&a->idle);
        sm->accounts_idle_n--;
    }
}

void account_load(struct sessman *sm, const struct jid *bare, void (*fn)(void *ctx, struct account *a),
                  void *ctx)
{
    struct account *a = map_get(sm->accounts, jid_bare(bare));
    if (a && a->loaded) {
        account_hold(sm, a);
        fn(ctx, a);
        return;
    }
    if (!a && !bare->local.len) {
        fn(ctx, NULL);
        return;
    }
    if (!a)
        a = load_start(sm, bare);
    struct account_wait *w = mem_new(sizeof *w);
    w->fn = fn;
    w->ctx = ctx;
    w->next = a->waiting; /* the last first: turned round when it is there */
    a->waiting = w;
}

void accounts_shrink(struct sessman *sm, size_t keep)
{
    while (sm->accounts_idle_n > keep) {
        struct account *oldest = CONTAINER(sm->accounts_idle.next, struct account, idle);
        sm->accounts_idle_n--;
        account_free(sm, oldest);
    }
}

void account_release(struct sessman *sm, struct account *a)
{
    assert(a->refs > 0);
    if (--a->refs)
        return;
    if (a->gone || !a->loaded) {
        account_free(sm, a);
        return;
    }
    list_append(&sm->accounts_idle, &a->idle);
    sm->accounts_idle_n++;
    accounts_shrink(sm, sm->conf->accounts_idle_max);
}

struct session *account_session(const struct account *a, struct slice resource)
{
    LIST_EACH(&a->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (slice_eq(session_resource(s), resource))
            return s;
    }
    return NULL;
}

void account_deleted(struct sessman *sm, struct slice bare)
{
    struct account *a = map_get(sm->accounts, bare);
    if (!a || !a->loaded)
        return;
    account_hold(sm, a);
    LIST_EACH(&a->sessions, it)
        session_close(sm, CONTAINER(it, struct session, in_account), STREAM_NOT_AUTHORIZED,
                      "account deleted");
    if (map_get(sm->accounts, bare) == a)
        map_remove(sm->accounts, bare);
    a->gone = true;
    journal_account_gone(sm, a);
    account_release(sm, a);
}
