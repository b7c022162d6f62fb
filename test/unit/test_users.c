/* test/unit/test_users.c - users.c over the store's backend; users_now.c */
#include "sessman/users.h"
#include "test/unit/sessman_world.h"

struct outcome {
    struct world *w;
    unsigned calls;
    enum rc rc;
    struct auth_keys keys;
    char names[256];
    uint64_t n;
};

static void on_done(void *ctx, enum rc rc, const struct why *why)
{
    struct outcome *o = ctx;
    assert_true(rc == RC_OK || why->text[0]);
    o->rc = rc;
    o->calls++;
    o->w->answers++;
}

static void on_rc(void *ctx, enum rc rc)
{
    struct outcome *o = ctx;
    o->rc = rc;
    o->w->answers++;
}

static void on_keys(void *ctx, enum rc rc, const struct auth_keys *k)
{
    struct outcome *o = ctx;
    o->rc = rc;
    o->keys = *k;
    o->w->answers++;
}

static enum rc create(struct world *w, const char *jid, const char *password)
{
    struct outcome o = { .w = w };
    struct jid j = world_jid(w, jid);
    users_create(&w->sm, &j, slice_cstr(password), false, on_done, &o);
    if (!o.calls)
        world_wait(w, 1);
    assert_int_equal(o.calls, 1);
    return o.rc;
}

static enum rc check(struct world *w, const char *jid, const char *password)
{
    struct outcome o = { .w = w };
    struct jid j = world_jid(w, jid);
    auth_store.check(w->sm.auth_state, &j, slice_cstr(password), on_rc, &o);
    world_wait(w, 1);
    return o.rc;
}

static struct auth_keys keys(struct world *w, const char *jid)
{
    struct outcome o = { .w = w };
    struct jid j = world_jid(w, jid);
    auth_store.get_keys(w->sm.auth_state, &j, on_keys, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_OK);
    return o.keys;
}

static void a_new_account_has_keys_of_every_hash_and_no_password(void **state)
{
    struct world *w = *state;
    assert_int_equal(create(w, "romeo@example.net", "wherefore"), RC_OK);
    struct auth_keys k = keys(w, "romeo@example.net");
    for (int h = 0; h < SCRAM_HASHES; h++) {
        assert_true(k.has[h]);
        assert_int_equal(k.keys[h].iterations, 4096);
        assert_true(k.keys[h].salt_len >= 16);
        assert_true(scram_check_password((enum scram_hash)h, SLICE("wherefore"), &k.keys[h]));
    }
    assert_memory_not_equal(k.keys[0].salt, k.keys[1].salt, 16);
    assert_int_equal(check(w, "romeo@example.net", "wherefore"), RC_OK);
    assert_int_equal(check(w, "romeo@example.net", "Wherefore"), RC_DENIED);
    assert_int_equal(check(w, "nobody@example.net", "wherefore"), RC_DENIED);
}

static void a_name_that_is_taken_keeps_its_keys(void **state)
{
    struct world *w = *state;
    assert_int_equal(create(w, "romeo@example.net", "first"), RC_OK);
    assert_int_equal(create(w, "romeo@example.net", "second"), RC_EXISTS);
    assert_int_equal(check(w, "romeo@example.net", "first"), RC_OK);
}

static void of_two_at_once_one_wins_and_the_other_changes_nothing(void **state)
{
    struct world *w = *state;
    struct outcome one = { .w = w }, two = { .w = w };
    struct jid j = world_jid(w, "romeo@example.net");
    users_create(&w->sm, &j, SLICE("first"), false, on_done, &one);
    users_create(&w->sm, &j, SLICE("second"), false, on_done, &two);
    while (!one.calls || !two.calls)
        world_wait(w, 1);
    assert_int_equal(one.rc, RC_OK);
    assert_int_equal(two.rc, RC_EXISTS);
    assert_int_equal(check(w, "romeo@example.net", "first"), RC_OK);
    assert_int_equal(check(w, "romeo@example.net", "second"), RC_DENIED);
}

static void impossible_accounts_are_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(create(w, "romeo@elsewhere.example", "x"), RC_NOTFOUND);
    assert_int_equal(create(w, "romeo@example.net", ""), RC_SYNTAX);
    assert_int_equal(create(w, "romeo@example.net", "a\tb"),
                     RC_SYNTAX); /* RFC 8265 4.2.1: control characters */
    assert_int_equal(check(w, "romeo@example.net", ""), RC_DENIED);
}

static void a_new_password_replaces_the_old_one(void **state)
{
    struct world *w = *state;
    struct outcome o = { .w = w };
    struct jid romeo = world_jid(w, "romeo@example.net"), nobody = world_jid(w, "nobody@example.net");
    create(w, "romeo@example.net", "old");
    users_password(&w->sm, &romeo, SLICE("new"), on_done, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_OK);
    assert_int_equal(check(w, "romeo@example.net", "new"), RC_OK);
    assert_int_equal(check(w, "romeo@example.net", "old"), RC_DENIED);
    users_password(&w->sm, &nobody, SLICE("new"), on_done, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_NOTFOUND);
}

static void a_removed_account_is_gone(void **state)
{
    struct world *w = *state;
    struct outcome o = { .w = w };
    struct jid romeo = world_jid(w, "romeo@example.net");
    create(w, "romeo@example.net", "x");
    users_exists(&w->sm, &romeo, on_done, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_OK);
    users_remove(&w->sm, &romeo, on_done, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_OK);
    assert_false(keys(w, "romeo@example.net").found);
    users_exists(&w->sm, &romeo, on_done, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_NOTFOUND);
    users_remove(&w->sm, &romeo, on_done, &o);
    world_wait(w, 1);
    assert_int_equal(o.rc, RC_NOTFOUND);
}

static void on_list(void *ctx, const struct slice *locals, size_t n)
{
    struct outcome *o = ctx;
    o->names[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(o->names + strlen(o->names), sizeof o->names - strlen(o->names), SLICE_FMT " ",
                 SLICE_ARG(locals[i]));
    o->w->answers++;
}

static void on_count(void *ctx, uint64_t n)
{
    struct outcome *o = ctx;
    o->n = n;
    o->w->answers++;
}

static void names_are_listed_in_order_page_by_page(void **state)
{
    struct world *w = *state;
    struct outcome o = { .w = w };
    create(w, "tybalt@example.net", "x");
    create(w, "juliet@example.net", "x");
    create(w, "romeo@example.net", "x");
    users_list(&w->sm, USERS_ALL, SLICE("example.net"), SLICE_NONE, 2, on_list, &o);
    world_wait(w, 1);
    assert_string_equal(o.names, "juliet romeo ");
    users_list(&w->sm, USERS_ALL, SLICE("example.net"), SLICE("romeo"), 2, on_list, &o);
    world_wait(w, 1);
    assert_string_equal(o.names, "tybalt ");
    users_count(&w->sm, USERS_ALL, SLICE("example.net"), on_count, &o);
    world_wait(w, 1);
    assert_int_equal(o.n, 3);
}

static void ensuring_twice_makes_one_row_without_keys(void **state)
{
    struct world *w = *state;
    struct outcome o = { .w = w };
    struct jid romeo = world_jid(w, "romeo@example.net");
    for (int i = 0; i < 2; i++) {
        users_ensure(&w->sm, &romeo, on_done, &o);
        world_wait(w, 1);
        assert_int_equal(o.rc, RC_OK);
    }
    users_count(&w->sm, USERS_ALL, SLICE("example.net"), on_count, &o);
    world_wait(w, 1);
    assert_int_equal(o.n, 1);
    assert_int_equal(check(w, "romeo@example.net", ""), RC_DENIED);
}

static void on_name(void *ctx, struct slice local)
{
    struct outcome *o = ctx;
    o->n += slice_is(local, "romeo");
}

static void a_stopped_installation_is_administered_too(void **state)
{
    struct world *w = *state;
    struct why why;
    struct outcome o = { 0 };
    struct store *store = NULL;
    struct store_conf conf = { .path = w->path };
    struct jid romeo = world_jid(w, "romeo@example.net"), foreign = world_jid(w, "romeo@elsewhere.example");
    store_close(&w->sm.store);
    assert_int_equal(store_open(NULL, NULL, &conf, NULL, NULL, &store, &why), RC_OK);
    assert_int_equal(users_create_now(store, &romeo, SLICE("x"), true, 4096, &why), RC_OK);
    assert_int_equal(users_create_now(store, &romeo, SLICE("x"), true, 4096, &why), RC_EXISTS);
    assert_int_equal(users_create_now(store, &foreign, SLICE("x"), true, 4096, &why), RC_NOTFOUND);
    assert_int_equal(users_password_now(store, &romeo, SLICE("y"), 4096, &why), RC_OK);
    assert_int_equal(users_password_now(store, &foreign, SLICE("y"), 4096, &why), RC_NOTFOUND);
    users_list_now(store, SLICE("example.net"), on_name, &o);
    assert_int_equal(o.n, 1);
    assert_int_equal(users_remove_now(store, &romeo, &why), RC_OK);
    assert_int_equal(users_remove_now(store, &romeo, &why), RC_NOTFOUND);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_new_account_has_keys_of_every_hash_and_no_password),
        WORLD_TEST(a_name_that_is_taken_keeps_its_keys),
        WORLD_TEST(of_two_at_once_one_wins_and_the_other_changes_nothing),
        WORLD_TEST(impossible_accounts_are_refused),
        WORLD_TEST(a_new_password_replaces_the_old_one),
        WORLD_TEST(a_removed_account_is_gone),
        WORLD_TEST(names_are_listed_in_order_page_by_page),
        WORLD_TEST(ensuring_twice_makes_one_row_without_keys),
        WORLD_TEST(a_stopped_installation_is_administered_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
