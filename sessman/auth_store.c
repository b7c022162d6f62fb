/* sessman/auth_store.c - passwords as SCRAM keys in the store; PBKDF2 on the work pool */
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "sessman/auth_backend.h"
#include "sessman/sessman.h"
#include "sessman/users.h"

struct state {
    struct sessman *sm;
    struct link creating; /* jobs; by name: one at a time */
    unsigned jobs;        /* under way; the last frees a state that was closed */
    bool closed;
};

/* A password on its way through the work pool, and what comes before and after it. */
struct job {
    struct work work;
    struct state *st;
    struct link creating;
    struct arena *a;
    struct jid user;
    char *password;
    size_t password_len;
    uint32_t iterations;
    enum rc rc;
    bool create;
    enum scram_hash hash;                 /* check */
    struct scram_keys keys[SCRAM_HASHES]; /* check: of hash alone */
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};

static struct job *job_new(struct state *st, const struct jid *user, struct slice password,
                           void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct job *j = mem_new(sizeof *j);
    st->jobs++;
    j->st = st;
    j->a = arena_new(256, 0);
    j->user = jid_copy(j->a, user);
    j->password = mem_copy(password);
    j->password_len = password.len;
    j->iterations = st->sm->conf->scram_iterations;
    j->done = done;
    j->ctx = ctx;
    return j;
}

static void job_done(struct job *j, enum rc rc)
{
    void (*done)(void *ctx, enum rc rc) = j->done;
    void *ctx = j->ctx;
    struct state *st = j->st;
    list_unlink(&j->creating);
    if (--st->jobs == 0 && st->closed)
        mem_free(st);
    secret_wipe(j->password, j->password_len);
    mem_free(j->password);
    arena_free(&j->a);
    secret_wipe(j->keys, sizeof j->keys);
    mem_free(j);
    done(ctx, rc);
}

static struct slice job_password(const struct job *j)
{
    return slice_of(j->password, j->password_len);
}

static void job_work(struct job *j, void (*run)(struct work *w), void (*done)(struct work *w))
{
    j->work.run = run;
    j->work.done = done;
    struct work_pool *pool = j->st->sm->work; /* NULL: the process ends */
    if (!pool || work_run(pool, &j->work) != RC_OK)
        job_done(j, RC_TIMEOUT); /* more logins than the machine has time for: try again later */
}

/* --- keys --- */

struct fetch {
    void (*done)(void *ctx, enum rc rc, const struct auth_keys *k);
    void *ctx;
};

static bool copy_bytes(uint8_t *out, size_t max, const struct store_value *v, size_t least)
{
    if (v->s.len > max || v->s.len < least)
        return false;
    memcpy(out, v->s.p, v->s.len);
    return true;
}

/* Rows of CREDENTIAL_GET; one that is not what we write is as good as none. */
static void keys_of(const struct store_result *r, struct auth_keys *out)
{
    for (size_t i = 0; i < r->rows; i++) {
        const struct store_value *v = store_row(r, i);
        if (v[0].i < 0 || v[0].i >= SCRAM_HASHES)
            continue;
        enum scram_hash h = (enum scram_hash)v[0].i;
        size_t len = scram_key_len(h);
        struct scram_keys *k = &out->keys[h];
        if (!copy_bytes(k->salt, sizeof k->salt, &v[1], 1) || !copy_bytes(k->stored, len, &v[3], len) ||
            !copy_bytes(k->server, len, &v[4], len))
            continue;
        k->salt_len = (uint8_t)v[1].s.len;
        k->iterations = (uint32_t)v[2].i;
        out->has[h] = out->found = true;
    }
}

static void on_keys(void *ctx, const struct store_result *r)
{
    struct fetch *f = ctx;
    struct auth_keys keys = { 0 };
    keys_of(r, &keys);
    f->done(f->ctx, r->rc, &keys);
    secret_wipe(&keys, sizeof keys);
    mem_free(f);
}

static void get_keys(void *state, const struct jid *user,
                     void (*done)(void *ctx, enum rc rc, const struct auth_keys *k), void *ctx)
{
    struct state *st = state;
    struct fetch *f = mem_new(sizeof *f);
    *f = (struct fetch){ done, ctx };
    store_run(st->sm->store, STMT_CREDENTIAL_GET, STORE_VALUES(STORE_T(user->domain), STORE_T(user->local)),
              on_keys, f);
}

/* --- check --- */

static void run_check(struct work *w)
{
    struct job *j = CONTAINER(w, struct job, work);
    struct slice prepared;
    if (jid_prepare_password(j->a, job_password(j), &prepared, NULL) != RC_OK)
        return; /* no account can have it: nothing is learned from the answer coming sooner */
    bool right = scram_check_password(j->hash, prepared, &j->keys[0]);
    if (right && j->rc == RC_AGAIN)
        j->rc = RC_OK;
    if (prepared.p != j->password)
        secret_wipe((char *)(uintptr_t)prepared.p, prepared.len);
}

static void on_checked(struct work *w)
{
    struct job *j = CONTAINER(w, struct job, work);
    job_done(j, j->rc == RC_AGAIN ? RC_DENIED : j->rc);
}

static void on_check_keys(void *ctx, enum rc rc, const struct auth_keys *k)
{
    static const enum scram_hash preferred[] = { SCRAM_SHA256, SCRAM_SHA1, SCRAM_SHA512 };
    struct job *j = ctx;
    if (rc != RC_OK) {
        job_done(j, RC_IO);
        return;
    }
    j->hash = SCRAM_SHA256;
    j->keys[0] = (struct scram_keys){ .salt_len = 16, .iterations = j->iterations };
    j->rc = RC_DENIED; /* unknown: the same work, for nothing */
    for (size_t i = 0; i < sizeof preferred / sizeof *preferred && j->rc == RC_DENIED; i++)
        if (k->has[preferred[i]]) {
            j->hash = preferred[i];
            j->keys[0] = k->keys[preferred[i]];
            j->rc = RC_AGAIN;
        }
    job_work(j, run_check, on_checked);
}

static void check(void *state, const struct jid *user, struct slice password,
                  void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct job *j = job_new(state, user, password, done, ctx);
    get_keys(state, user, on_check_keys, j);
}

/* --- create, change --- */

static void run_derive(struct work *w)
{
    struct job *j = CONTAINER(w, struct job, work);
    j->rc = users_derive(job_password(j), j->iterations, j->keys, NULL);
}

static void on_stored(void *ctx, const struct store_result *r)
{
    struct job *j = ctx;
    job_done(j, r->rc != RC_OK ? r->rc : r->changes ? RC_OK : RC_NOTFOUND);
}

/* All in one turn, so in one transaction. That the account did not exist was seen before, and that nobody
 * else was making it since is what `creating` is for: else its keys would be overwritten here. */
static void on_derived(struct work *w)
{
    struct job *j = CONTAINER(w, struct job, work);
    struct store *store = j->st->sm->store;
    if (j->rc != RC_OK) {
        job_done(j, j->rc);
        return;
    }
    if (j->create)
        store_run(store, STMT_ACCOUNT_ADD,
                  STORE_VALUES(STORE_T(j->user.domain), STORE_T(j->user.local), STORE_I(0),
                               STORE_I(clock_wall_ms())),
                  NULL, NULL);
    users_store_keys(store, j->user.domain, j->user.local, j->keys, on_stored, j);
}

static void on_free(void *ctx, const struct store_result *r)
{
    struct job *j = ctx;
    if (r->rc != RC_OK || r->rows)
        job_done(j, r->rc != RC_OK ? r->rc : RC_EXISTS);
    else
        job_work(j, run_derive, on_derived);
}

static void create(void *state, const struct jid *user, struct slice password,
                   void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct state *st = state;
    LIST_EACH(&st->creating, it) {
        if (jid_bare_eq(&CONTAINER(it, struct job, creating)->user, user)) {
            done(ctx, RC_EXISTS);
            return;
        }
    }
    struct job *j = job_new(st, user, password, done, ctx);
    j->create = true;
    list_append(&st->creating, &j->creating);
    store_run(st->sm->store, STMT_ACCOUNT_GET, STORE_VALUES(STORE_T(user->domain), STORE_T(user->local)),
              on_free, j);
}

static void set_password(void *state, const struct jid *user, struct slice password,
                         void (*done)(void *ctx, enum rc rc), void *ctx)
{
    job_work(job_new(state, user, password, done, ctx), run_derive, on_derived);
}

/* --- exists, remove --- */

struct simple {
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};

static struct simple *simple_new(void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct simple *s = mem_new(sizeof *s);
    *s = (struct simple){ done, ctx };
    return s;
}

static void on_exists(void *ctx, const struct store_result *r)
{
    struct simple s = *(struct simple *)ctx;
    mem_free(ctx);
    s.done(s.ctx, r->rc != RC_OK ? r->rc : r->rows ? RC_OK : RC_NOTFOUND);
}

static void exists(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct state *st = state;
    store_run(st->sm->store, STMT_ACCOUNT_GET, STORE_VALUES(STORE_T(user->domain), STORE_T(user->local)),
              on_exists, simple_new(done, ctx));
}

static void on_removed(void *ctx, const struct store_result *r)
{
    struct simple s = *(struct simple *)ctx;
    mem_free(ctx);
    s.done(s.ctx, r->rc != RC_OK ? r->rc : r->changes ? RC_OK : RC_NOTFOUND);
}

static void remove_user(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct state *st = state;
    store_run(st->sm->store, STMT_ACCOUNT_DEL, STORE_VALUES(STORE_T(user->domain), STORE_T(user->local)),
              on_removed, simple_new(done, ctx));
}

/* --- life --- */

static enum rc open_state(struct sessman *sm, void **state, struct why *why)
{
    (void)why;
    struct state *st = mem_new(sizeof *st);
    st->sm = sm;
    list_init(&st->creating);
    *state = st;
    return RC_OK;
}

static void close_state(void **state)
{
    struct state *st = *state;
    st->closed = true;
    if (st->jobs == 0)
        mem_free(st);
    *state = NULL;
}

const struct auth_backend auth_store = {
    .name = "store",
    .scram = true,
    .open = open_state,
    .close = close_state,
    .get_keys = get_keys,
    .check = check,
    .exists = exists,
    .create = create,
    .set_password = set_password,
    .remove = remove_user,
};
