/* sessman/users_now.c - accounts and their keys without loop, thread pool or session manager: also part of
 * bulkheadctl */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/secret.h"
#include "sessman/users.h"

enum { SALT_BYTES = 16, LIST_PAGE = 500 };

enum rc users_derive(struct slice password, uint32_t iterations, struct scram_keys keys[SCRAM_HASHES],
                     struct why *why)
{
    char salt[SALT_BYTES];
    struct slice prepared = SLICE_NONE;
    struct arena *a = arena_new(1024, 0);
    enum rc rc = jid_prepare_password(a, password, &prepared, why);
    for (int h = 0; rc == RC_OK && h < SCRAM_HASHES; h++) {
        secret_random(salt, sizeof salt);
        rc = scram_derive((enum scram_hash)h, prepared, slice_of(salt, sizeof salt), iterations, &keys[h]);
        if (rc != RC_OK)
            why_set(why, "keys could not be derived");
    }
    if (prepared.p != password.p) /* a copy in the arena */
        secret_wipe((char *)(uintptr_t)prepared.p, prepared.len);
    arena_free(&a);
    return rc;
}

static struct slice bytes_of(const uint8_t *p, size_t n)
{
    return slice_of((const char *)p, n);
}

uint64_t users_store_keys(struct store *store, struct slice domain, struct slice local,
                          const struct scram_keys keys[SCRAM_HASHES], store_done done, void *ctx)
{
    uint64_t ticket = 0;
    /* Who knew the old password must not get in by what he got with it. */
    store_run(store, STMT_TOKEN_REVOKE, STORE_VALUES(STORE_T(domain), STORE_T(local)), NULL, NULL);
    store_run(store, STMT_API_TOKEN_REVOKE, STORE_VALUES(STORE_T(domain), STORE_T(local)), NULL, NULL);
    for (int h = 0; h < SCRAM_HASHES; h++) {
        const struct scram_keys *k = &keys[h];
        size_t len = scram_key_len((enum scram_hash)h);
        bool last = h + 1 == SCRAM_HASHES;
        ticket = store_run(store, STMT_CREDENTIAL_SET,
                           STORE_VALUES(STORE_T(domain), STORE_T(local), STORE_I(h),
                                        STORE_B(bytes_of(k->salt, k->salt_len)), STORE_I(k->iterations),
                                        STORE_B(bytes_of(k->stored, len)), STORE_B(bytes_of(k->server, len))),
                           last ? done : NULL, last ? ctx : NULL);
    }
    return ticket;
}

/* --- a store that was opened with loop NULL --- */

struct outcome {
    enum rc rc;
    uint64_t changes;
    size_t rows;
};

static void keep(void *ctx, const struct store_result *r)
{
    *(struct outcome *)ctx = (struct outcome){ r->rc, r->changes, r->rows };
}

static enum rc account_is_there(struct store *store, const struct jid *bare, struct why *why)
{
    struct outcome o;
    store_run(store, STMT_ACCOUNT_GET, STORE_VALUES(STORE_T(bare->domain), STORE_T(bare->local)), keep, &o);
    if (o.rc == RC_OK && !o.rows) {
        why_set(why, "no such account");
        return RC_NOTFOUND;
    }
    if (o.rc != RC_OK)
        why_set(why, "the store cannot be read");
    return o.rc;
}

static enum rc write_keys(struct store *store, const struct jid *bare, const struct scram_keys *keys,
                          struct why *why)
{
    struct outcome o;
    users_store_keys(store, bare->domain, bare->local, keys, keep, &o);
    if (o.rc != RC_OK)
        why_set(why, "the store cannot be written");
    return o.rc;
}

enum rc users_create_now(struct store *store, const struct jid *bare, struct slice password, bool admin,
                         uint32_t iterations, struct why *why)
{
    struct scram_keys keys[SCRAM_HASHES] = { 0 };
    struct outcome o;
    enum rc rc = users_derive(password, iterations, keys, why);
    if (rc != RC_OK)
        return rc;
    store_run(
        store, STMT_ACCOUNT_ADD,
        STORE_VALUES(STORE_T(bare->domain), STORE_T(bare->local), STORE_I(admin), STORE_I(clock_wall_ms())),
        keep, &o);
    switch (o.rc) {
    case RC_OK:
        rc = write_keys(store, bare, keys, why);
        break;
    case RC_EXISTS:
        why_set(why, "the account exists already");
        rc = RC_EXISTS;
        break;
    case RC_CONFLICT:
        why_set(why, "the domain is not hosted here");
        rc = RC_NOTFOUND;
        break;
    default:
        why_set(why, "the store cannot be written");
        rc = o.rc;
    }
    secret_wipe(keys, sizeof keys);
    return rc;
}

enum rc users_password_now(struct store *store, const struct jid *bare, struct slice password,
                           uint32_t iterations, struct why *why)
{
    struct scram_keys keys[SCRAM_HASHES] = { 0 };
    enum rc rc = account_is_there(store, bare, why);
    if (rc == RC_OK)
        rc = users_derive(password, iterations, keys, why);
    if (rc == RC_OK)
        rc = write_keys(store, bare, keys, why);
    secret_wipe(keys, sizeof keys);
    return rc;
}

enum rc users_remove_now(struct store *store, const struct jid *bare, struct why *why)
{
    struct outcome o;
    store_run(store, STMT_ACCOUNT_DEL, STORE_VALUES(STORE_T(bare->domain), STORE_T(bare->local)), keep, &o);
    if (o.rc == RC_OK && !o.changes) {
        why_set(why, "no such account");
        return RC_NOTFOUND;
    }
    if (o.rc != RC_OK)
        why_set(why, "the store cannot be written");
    return o.rc;
}

struct listing {
    void (*each)(void *ctx, struct slice local);
    void *ctx;
    char last[JID_PART_MAX];
    size_t last_len, got;
};

static void list_page(void *ctx, const struct store_result *r)
{
    struct listing *l = ctx;
    l->got = r->rows;
    for (size_t i = 0; i < r->rows; i++) {
        struct slice local = store_row(r, i)->s;
        l->each(l->ctx, local);
        l->last_len = local.len < sizeof l->last ? local.len : sizeof l->last;
        memcpy(l->last, local.p, l->last_len);
    }
}

void users_list_now(struct store *store, struct slice domain, void (*each)(void *ctx, struct slice local),
                    void *ctx)
{
    struct listing l = { .each = each, .ctx = ctx };
    do {
        store_run(store, STMT_ACCOUNT_LIST,
                  STORE_VALUES(STORE_T(domain), STORE_T(slice_of(l.last, l.last_len)), STORE_I(LIST_PAGE)),
                  list_page, &l);
    } while (l.got == LIST_PAGE);
}
