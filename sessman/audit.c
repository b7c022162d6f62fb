/* sessman/audit.c */
#include "sessman/audit.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/apisession.h"
#include "sessman/session.h"
#include <gnutls/crypto.h>

enum {
    RECENT = 256,    /* what only looked, and when */
    TRIM_EVERY = 64, /* rows */
    TEXT_MAX = 512,  /* bytes of one field */
};
#define DAY_MS INT64_C(86400000)

struct audit {
    struct {
        uint64_t key, at_ms;
    } recent[RECENT]; /* by key; a newer one takes the place of another */
    unsigned written; /* since it was trimmed */
};

static struct audit *audit(struct sessman *sm)
{
    if (!sm->audit)
        sm->audit = mem_new(sizeof *sm->audit);
    return sm->audit;
}

void audit_fini(struct sessman *sm)
{
    MEM_FREE(&sm->audit);
}

/* --- who --- */

static struct slice means_of(const struct incoming *in)
{
    const struct session *s = in->session;
    if (!s)
        return in->admin ? SLICE("tool") : SLICE("other");
    if (!s->api)
        return SLICE("client");
    if (!s->api->grant.token)
        return SLICE("password");
    return arena_fmt(in->a, "token %lld", (long long)s->api->grant.token);
}

struct audit_entry audit_by(const struct incoming *in, struct slice what)
{
    const struct session *s = in->session;
    return (struct audit_entry){
        .who = arena_copy(in->a, in->st.from.full),
        .means = means_of(in),
        .address = s ? arena_copy(in->a, slice_cstr(session_ip(s))) : SLICE_NONE,
        .what = what,
        .admin = in->admin || (s && s->account && s->account->admin),
    };
}

/* --- rows --- */

static void part(struct buf *b, struct slice s)
{
    buf_slice(b, s);
    buf_byte(b, '\0');
}

/* Whoever comes by the same means with another resource is the same. Keyed, so that nobody can make two that
 * are one. */
static uint64_t key_of(struct sessman *sm, const struct audit_entry *e)
{
    uint8_t hash[32];
    uint64_t key;
    struct slice rest = e->who, bare = SLICE_NONE;
    struct buf b = BUF_INIT(0);
    (void)!slice_split(&rest, '/', &bare);
    buf_byte(&b, 'A');
    part(&b, bare);
    part(&b, e->means);
    part(&b, e->what);
    part(&b, e->whom);
    part(&b, e->outcome);
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, sm->secret, sizeof sm->secret, b.p, b.len, hash);
    buf_fini(&b);
    memcpy(&key, hash, sizeof key);
    return key;
}

static bool noted_lately(struct sessman *sm, const struct audit_entry *e)
{
    uint64_t key = key_of(sm, e), now = loop_now_ms(sm->loop);
    struct audit *a = audit(sm);
    unsigned at = (unsigned)(key % RECENT);
    if (a->recent[at].key == key && now - a->recent[at].at_ms < AUDIT_AGAIN_MS)
        return true;
    a->recent[at].key = key;
    a->recent[at].at_ms = now;
    return false;
}

static void trim(struct sessman *sm, int64_t now_ms)
{
    for (int admin = 0; admin < 2; admin++)
        store_run(sm->store, STMT_AUDIT_TRIM, STORE_VALUES(STORE_I(admin), STORE_I(sm->conf->audit_entries)),
                  NULL, NULL);
    store_run(sm->store, STMT_AUDIT_EXPIRE, STORE_VALUES(STORE_I(now_ms - sm->conf->audit_days * DAY_MS)),
              NULL, NULL);
}

static struct store_value text(struct slice s)
{
    return STORE_T(slice_utf8_cut(s, TEXT_MAX));
}

uint64_t audit_put(struct sessman *sm, const struct audit_entry *e)
{
    struct log_ctx log = sessman_log(sm, LOG_MODULE);
    int64_t now_ms = (int64_t)clock_wall_ms();
    if (!e->changes && noted_lately(sm, e))
        return 0;
    LOG_INFO(&log, "audit", F_SLICE("who", e->who), F_SLICE("means", e->means),
             F_SLICE("address", e->address), F_SLICE("what", e->what), F_SLICE("whom", e->whom),
             F_SLICE("outcome", e->outcome));
    if (!sm->conf->audit_entries)
        return 0;
    uint64_t ticket =
        store_run(sm->store, STMT_AUDIT_ADD,
                  STORE_VALUES(STORE_I(e->admin), STORE_I(now_ms), text(e->who), text(e->means),
                               text(e->address), text(e->what), text(e->whom), text(e->outcome)),
                  NULL, NULL);
    if (audit(sm)->written++ % TRIM_EVERY == 0)
        trim(sm, now_ms);
    return ticket;
}

/* --- read --- */

struct listing {
    void (*each)(void *ctx, int64_t id, int64_t at_ms, const struct audit_entry *e);
    void (*done)(void *ctx);
    void *ctx;
};

static void on_rows(void *ctx, const struct store_result *r)
{
    struct listing l = *(struct listing *)ctx;
    mem_free(ctx);
    for (size_t i = 0; i < r->rows; i++) {
        const struct store_value *v = store_row(r, i);
        const struct audit_entry e = { .who = v[2].s,
                                       .means = v[3].s,
                                       .address = v[4].s,
                                       .what = v[5].s,
                                       .whom = v[6].s,
                                       .outcome = v[7].s };
        l.each(l.ctx, v[0].i, v[1].i, &e);
    }
    l.done(l.ctx);
}

void audit_list(struct sessman *sm, const struct audit_filter *f,
                void (*each)(void *ctx, int64_t id, int64_t at_ms, const struct audit_entry *e),
                void (*done)(void *ctx), void *ctx)
{
    struct listing *l = mem_new(sizeof *l);
    *l = (struct listing){ each, done, ctx };
    store_run(sm->store, STMT_AUDIT_LIST,
              STORE_VALUES(STORE_I(f->before), STORE_T(f->who), STORE_T(f->what), STORE_I(f->most)), on_rows,
              l);
}
