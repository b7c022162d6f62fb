/* sessman/users.c */
#include "sessman/users.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "sessman/auth_backend.h"
#include "sessman/sessman.h"

/* One operation: asks the backend, then the row follows. */
struct op {
    struct sessman *sm;
    users_done done;
    void *ctx;
    struct arena *a;
    struct jid bare;
    bool admin;
};

static struct op *op_new(struct sessman *sm, const struct jid *bare, users_done done, void *ctx)
{
    struct op *o = mem_new(sizeof *o);
    o->sm = sm;
    o->done = done;
    o->ctx = ctx;
    o->a = arena_new(256, 0);
    o->bare = jid_copy(o->a, bare);
    return o;
}

static void op_done(struct op *o, enum rc rc)
{
    struct why why = { "" };
    static const char *const texts[] = {
        [RC_SYNTAX] = "the password is empty or has characters that are not allowed",
        [RC_LIMIT] = "too long, or too many at once",
        [RC_NOTFOUND] = "no such account",
        [RC_EXISTS] = "the account exists already",
        [RC_DENIED] = "the authentication service refused",
        [RC_UNSUPPORTED] = "not possible with this kind of accounts",
        [RC_CONFLICT] = "the domain is not hosted here",
        [RC_IO] = "the store or the authentication service failed",
        [RC_TIMEOUT] = "the authentication service did not answer in time",
    };
    if (rc != RC_OK)
        why_set(&why, "%s", (size_t)rc < sizeof texts / sizeof *texts && texts[rc] ? texts[rc] : rc_name(rc));
    users_done done = o->done;
    void *ctx = o->ctx;
    arena_free(&o->a);
    mem_free(o);
    if (done)
        done(ctx, rc, &why);
}

static void on_backend(void *ctx, enum rc rc)
{
    op_done(ctx, rc);
}

/* --- create, ensure --- */

static void on_row(void *ctx, const struct store_result *r)
{
    op_done(ctx, r->rc == RC_EXISTS ? RC_OK : r->rc); /* the store's backend has made the row itself */
}

static void ensure_row(struct op *o)
{
    const struct jid *j = &o->bare;
    bool admin = o->admin; /* a store that is being closed answers at once: o may be gone after the first */
    store_run(o->sm->store, STMT_ACCOUNT_ADD,
              STORE_VALUES(STORE_T(j->domain), STORE_T(j->local), STORE_I(admin), STORE_I(clock_wall_ms())),
              admin ? NULL : on_row, o);
    if (admin)
        store_run(o->sm->store, STMT_ACCOUNT_ADMIN,
                  STORE_VALUES(STORE_T(j->domain), STORE_T(j->local), STORE_I(1)), on_row, o);
}

static void on_created(void *ctx, enum rc rc)
{
    if (rc == RC_OK)
        ensure_row(ctx);
    else
        op_done(ctx, rc);
}

void users_create(struct sessman *sm, const struct jid *bare, struct slice password, bool admin,
                  users_done done, void *ctx)
{
    struct op *o = op_new(sm, bare, done, ctx);
    o->admin = admin;
    if (!sessman_domain(sm, bare->domain)) {
        struct why why;
        why_set(&why, "the domain is not hosted here");
        o->done = NULL;
        op_done(o, RC_OK);
        done(ctx, RC_NOTFOUND, &why);
        return;
    }
    sm->auth_backend->create(sm->auth_state, &o->bare, password, on_created, o);
}

void users_ensure(struct sessman *sm, const struct jid *bare, users_done done, void *ctx)
{
    ensure_row(op_new(sm, bare, done, ctx));
}

/* --- the rest --- */

static void on_tokens_gone(void *ctx, const struct store_result *r)
{
    struct op *o = ctx;
    o->sm->api_epoch++;
    op_done(o, r->rc);
}

/* The store has revoked the account's tokens with the password; for other backends that is done here. */
static void on_password(void *ctx, enum rc rc)
{
    struct op *o = ctx;
    if (rc == RC_OK && o->sm->auth_backend != &auth_store) {
        const struct store_value who[] = { STORE_T(o->bare.domain), STORE_T(o->bare.local) };
        store_run(o->sm->store, STMT_TOKEN_REVOKE, who, 2, NULL, NULL);
        store_run(o->sm->store, STMT_API_TOKEN_REVOKE, who, 2, on_tokens_gone, o);
        return;
    }
    o->sm->api_epoch++;
    op_done(o, rc);
}

void users_password(struct sessman *sm, const struct jid *bare, struct slice password, users_done done,
                    void *ctx)
{
    struct op *o = op_new(sm, bare, done, ctx);
    sm->auth_backend->set_password(sm->auth_state, &o->bare, password, on_password, o);
}

static void on_row_gone(void *ctx, const struct store_result *r)
{
    op_done(ctx, r->rc);
}

static void on_removed(void *ctx, enum rc rc)
{
    struct op *o = ctx;
    if (rc != RC_OK)
        op_done(o, rc);
    else
        store_run(o->sm->store, STMT_ACCOUNT_DEL,
                  STORE_VALUES(STORE_T(o->bare.domain), STORE_T(o->bare.local)), on_row_gone, o);
}

void users_remove(struct sessman *sm, const struct jid *bare, users_done done, void *ctx)
{
    struct op *o = op_new(sm, bare, done, ctx);
    sm->auth_backend->remove(sm->auth_state, &o->bare, on_removed, o);
}

void users_exists(struct sessman *sm, const struct jid *bare, users_done done, void *ctx)
{
    struct op *o = op_new(sm, bare, done, ctx);
    sm->auth_backend->exists(sm->auth_state, &o->bare, on_backend, o);
}

/* --- marks --- */

static void on_marked(void *ctx, const struct store_result *r)
{
    op_done(ctx, r->rc != RC_OK ? r->rc : r->changes ? RC_OK : RC_NOTFOUND);
}

static void mark(struct op *o, enum stmt id, bool on)
{
    store_run(o->sm->store, id, STORE_VALUES(STORE_T(o->bare.domain), STORE_T(o->bare.local), STORE_I(on)),
              on_marked, o);
}

void users_disable(struct sessman *sm, const struct jid *bare, bool disabled, users_done done, void *ctx)
{
    if (disabled)
        sm->disabled_any = true; /* from now on it is looked at who is */
    mark(op_new(sm, bare, done, ctx), STMT_ACCOUNT_DISABLE, disabled);
}

void users_make_admin(struct sessman *sm, const struct jid *bare, bool admin, users_done done, void *ctx)
{
    mark(op_new(sm, bare, done, ctx), STMT_ACCOUNT_ADMIN, admin);
}

/* --- lists --- */

struct list_op {
    users_listed done;
    void (*counted)(void *ctx, uint64_t n);
    void *ctx;
};

static void on_list(void *ctx, const struct store_result *r)
{
    struct list_op *o = ctx;
    struct slice *locals = mem_array(r->rows, sizeof *locals);
    for (size_t i = 0; i < r->rows; i++)
        locals[i] = store_row(r, i)->s;
    o->done(o->ctx, locals, r->rows);
    mem_free(locals);
    mem_free(o);
}

void users_list(struct sessman *sm, enum users_which which, struct slice domain, struct slice after,
                unsigned max, users_listed done, void *ctx)
{
    static const enum stmt of[] = { STMT_ACCOUNT_LIST, STMT_DISABLED_LIST, STMT_ADMIN_LIST };
    struct list_op *o = mem_new(sizeof *o);
    *o = (struct list_op){ .done = done, .ctx = ctx };
    store_run(sm->store, of[which], STORE_VALUES(STORE_T(domain), STORE_T(after), STORE_I(max)), on_list, o);
}

static void on_count(void *ctx, const struct store_result *r)
{
    struct list_op *o = ctx;
    o->counted(o->ctx, r->rows ? (uint64_t)store_row(r, 0)->i : 0);
    mem_free(o);
}

void users_count(struct sessman *sm, enum users_which which, struct slice domain,
                 void (*done)(void *ctx, uint64_t n), void *ctx)
{
    struct list_op *o = mem_new(sizeof *o);
    *o = (struct list_op){ .counted = done, .ctx = ctx };
    store_run(sm->store, which == USERS_DISABLED ? STMT_DISABLED_COUNT : STMT_ACCOUNT_COUNT,
              STORE_VALUES(STORE_T(domain)), on_count, o);
}
