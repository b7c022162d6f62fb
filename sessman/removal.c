/* sessman/removal.c */
#include "sessman/removal.h"
#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/dispatch.h"

struct removal {
    struct sessman *sm;
    struct arena *a;
    struct jid bare;
    struct account *account; /* NULL: never logged in (a user of a script) */
    users_done done;
    void *ctx;
};

static void tell(struct removal *r, struct slice contact, const char *type)
{
    struct arena *a = arena_take(r->sm->arenas);
    struct node *p = node_new(a, "presence", NS_CLIENT);
    node_set(a, p, "from", r->bare.full);
    node_set(a, p, "to", arena_copy(a, contact));
    node_set(a, p, "type", slice_cstr(type));
    dispatch_stanza(r->sm, p, 0);
    arena_give(r->sm->arenas, &a);
}

static void tell_contacts(struct removal *r)
{
    const struct roster *roster = &r->account->roster;
    for (uint32_t i = 0; i < roster->n; i++) {
        const struct roster_item *item = roster->items[i];
        if (item->state & (SUB_TO | SUB_ASK))
            tell(r, roster_item_jid(item), "unsubscribe");
        if (item->state & (SUB_FROM | SUB_IN))
            tell(r, roster_item_jid(item), "unsubscribed");
    }
}

static void on_removed(void *ctx, enum rc rc, const struct why *why)
{
    struct removal *r = ctx;
    r->done(r->ctx, rc, why);
    if (rc == RC_OK && r->account) {
        account_deleted(r->sm, r->bare.full);
        tell_contacts(r);
    }
    if (r->account)
        account_release(r->sm, r->account);
    arena_free(&r->a);
    mem_free(r);
}

static void on_loaded(void *ctx, struct account *account)
{
    struct removal *r = ctx;
    r->account = account;
    users_remove(r->sm, &r->bare, on_removed, r);
}

void account_remove(struct sessman *sm, const struct jid *bare, users_done done, void *ctx)
{
    struct removal *r = mem_new(sizeof *r);
    struct jid only = jid_to_bare(bare);
    r->sm = sm;
    r->a = arena_new(256, 0);
    r->bare = jid_copy(r->a, &only);
    r->done = done;
    r->ctx = ctx;
    account_load(sm, &r->bare, on_loaded, r);
}
