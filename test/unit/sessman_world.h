/* test/unit/sessman_world.h - a session manager reduced to loop, store, work pool and authentication */
#ifndef TEST_SESSMAN_WORLD_H
#define TEST_SESSMAN_WORLD_H

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/inside.h" /* the loop is run event by event: loop_stop would be for good */
#include "sessman/anonymous.h"
#include "sessman/auth_backend.h"
#include "sessman/sessman.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define WORLD_DOMAIN "example.net"

struct world {
    char dir[64], path[80];
    struct sessman sm;
    struct sessman_conf conf;
    struct arena *a;
    unsigned answers; /* that have come */
    void *user;       /* a test program's own */
};

/* All that the code under test wants of domains.c. */
struct domain *sessman_domain(const struct sessman *sm, struct slice name)
{
    (void)sm;
    static struct domain hosted = { .name = NULL };
    return slice_is(name, WORLD_DOMAIN) ? &hosted : NULL;
}

/* All that it wants of anonymous.c: nobody is let in so. */
bool anonymous_allowed(const struct sessman *sm, struct slice domain)
{
    (void)sm, (void)domain;
    return false;
}

void anonymous_create(struct sessman *sm, struct slice domain, struct addr_key from, bool limited,
                      void (*done)(void *ctx, enum rc rc, const struct jid *user), void *ctx)
{
    (void)sm, (void)domain, (void)from, (void)limited, (void)done, (void)ctx;
    fail();
}

static inline void world_ignore(void *ctx, const struct store_result *r)
{
    (void)ctx;
    assert_int_equal(r->rc, RC_OK);
}

static inline int world_setup(void **state)
{
    struct world *w = mem_new(sizeof *w);
    struct why why = { "" };
    assert_int_equal(secret_init(&why), RC_OK);
    snprintf(w->dir, sizeof w->dir, "/tmp/bulkhead-world-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/store.db", w->dir);
    struct store_conf conf = { .path = w->path, .create = true, .queue_max = 1000 };
    w->a = arena_new(4096, 0);
    w->conf.scram_iterations = 4096;
    w->conf.auth_failures_per_min = 6;
    w->conf.auth_failures_burst = 5;
    w->sm.conf = &w->conf;
    w->sm.loop = loop_new();
    w->sm.auth_backend = &auth_store;
    memset(w->sm.secret, 7, sizeof w->sm.secret);
    if (store_open(w->sm.loop, NULL, &conf, NULL, NULL, &w->sm.store, &why) != RC_OK)
        fail_msg("%s", why.text);
    w->sm.work = work_pool_new(w->sm.loop, 1, 100);
    assert_int_equal(auth_store.open(&w->sm, &w->sm.auth_state, &why), RC_OK);
    store_run(w->sm.store, STMT_DOMAIN_ADD, STORE_VALUES(STORE_T(SLICE(WORLD_DOMAIN)), STORE_I(0)), world_ignore, NULL);
    *state = w;
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    char name[128];
    static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
    work_pool_free(&w->sm.work);
    store_close(&w->sm.store);
    auth_store.close(&w->sm.auth_state);
    loop_free(&w->sm.loop);
    arena_free(&w->a);
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", w->path, tails[i]);
        unlink(name);
    }
    rmdir(w->dir);
    mem_free(w);
    return 0;
}

/* Runs the loop until so many answers have come since the call. */
static inline void world_wait(struct world *w, unsigned n)
{
    unsigned until = w->answers + n;
    alarm(60); /* an answer that never comes ends the program */
    while (w->answers < until) {
        uv_run(&w->sm.loop->uv, UV_RUN_NOWAIT); /* an answer may come before it would wait */
        if (w->answers < until)
            usleep(500);
    }
    alarm(0);
}

static inline struct jid world_jid(struct world *w, const char *text)
{
    struct jid jid;
    assert_int_equal(jid_parse(w->a, arena_copy(w->a, slice_cstr(text)), &jid, NULL), RC_OK);
    return jid;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
