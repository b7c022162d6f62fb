/* test/bench/scene_presence.c - changes of presence that go to a roster of online contacts; see scenes.h
 *
 * window changes are under way at a time; when all contacts of one have seen it, the next client in turn
 * changes its own. The change carries a number and a time in its status, so that a copy is counted for the
 * change it is of. */
#include "scenes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_NS UINT64_C(5000000000)

struct changer {
    uint32_t number; /* of its last change */
    unsigned left;   /* contacts that have not seen it */
};

struct changes {
    struct changer *changers; /* by slot */
    unsigned next, in_flight;
    bool stopping;
    uint64_t made, wanted, copies, own, extra;
    struct hist latency;
};

static unsigned contacts_of(const struct gen *g, unsigned slot)
{
    unsigned block = g->opt.contacts + 1, first = slot / block * block;
    return (first + block <= g->slots ? block : g->slots - first) - 1;
}

/* The next client in turn that has no change under way makes one. */
static void change_next(struct gen *g)
{
    struct changes *s = g->scene.data;
    for (unsigned tries = 0; tries < g->slots; tries++) {
        unsigned slot = s->next++ % g->slots;
        struct changer *me = &s->changers[slot];
        struct client *c = &g->clients[slot];
        if (me->left > 0 || c->state != CLIENT_ONLINE || contacts_of(g, slot) == 0)
            continue;
        me->left = contacts_of(g, slot);
        me->number++;
        s->made++;
        s->wanted += me->left;
        s->in_flight++;
        client_printf(c, "<presence><show>%s</show><status>s%" PRIu32 "-%" PRIu64 "</status></presence>",
                      me->number & 1 ? "away" : "dnd", me->number, now_ns());
        return;
    }
}

static void on_copy(struct client *c, const struct element *e)
{
    struct gen *g = c->g;
    struct changes *s = g->scene.data;
    size_t len;
    unsigned account;
    uint32_t number;
    uint64_t ns;
    char text[64];
    const char *from = element_attr(e, "from", &len), *status = element_find(e, "<status>s");
    if (!element_is(e, "presence") || !from || !status || !gen_account_of(g, from, len, &account))
        return;
    size_t rest = (size_t)(e->p + e->len - status);
    snprintf(text, sizeof(text), "%.*s", (int)(rest < sizeof(text) ? rest : sizeof(text) - 1), status);
    if (sscanf(text, "<status>s%" SCNu32 "-%" SCNu64, &number, &ns) != 2 || account < g->opt.first ||
        account - g->opt.first >= g->slots)
        return;
    if (account == c->account) {
        s->own++;
        return;
    }
    struct changer *who = &s->changers[account - g->opt.first];
    if (number != who->number || who->left == 0) {
        s->extra++;
        return;
    }
    s->copies++;
    hist_add(&s->latency, g->read_ns - ns);
    g->moved_ns = g->read_ns;
    if (--who->left == 0) {
        s->in_flight--;
        if (!s->stopping)
            change_next(g);
    }
}

static uint64_t run(struct gen *g, uint64_t ns)
{
    struct changes *s = g->scene.data;
    uint64_t began = now_ns(), now = began;
    s->stopping = false;
    while (s->in_flight < g->opt.window && s->in_flight < g->online) {
        unsigned before = s->in_flight;
        change_next(g);
        if (s->in_flight == before)
            break;
    }
    while (now - began < ns && s->in_flight > 0 && !gen_stalled(g)) {
        gen_turn(g, now + UINT64_C(10000000));
        now = now_ns();
    }
    s->stopping = true;
    gen_moved(g);
    while (s->copies < s->wanted && now_ns() - g->moved_ns < DRAIN_NS)
        gen_turn(g, now_ns() + UINT64_C(20000000));
    return now_ns() - began;
}

int scene_presence(const struct options *o)
{
    struct gen g;
    struct report r = { false };
    uint64_t ns = 0;
    if (o->step != 1 || o->first % (o->contacts + 1) != 0) {
        fprintf(stderr, "loadgen: presence wants whole blocks of contacts + 1 accounts, step 1\n");
        return 2;
    }
    if (gen_init(&g, o, o->count) < 0)
        return 1;
    struct changes *s = gen_alloc(1, sizeof(*s));
    s->changers = gen_alloc(o->count, sizeof(*s->changers));
    g.scene = (struct scene){ .data = s, .on_stanza = on_copy };
    gen_login(&g, o->count, o->concurrency);
    gen_settle(&g);
    run(&g, o->warm_up * UINT64_C(1000000000));
    gen_settle(&g);
    s->made = s->wanted = s->copies = s->own = s->extra = 0;
    hist_reset(&s->latency);
    gen_phase(&g, "begin");
    ns = run(&g, o->seconds * UINT64_C(1000000000));
    gen_phase(&g, "end");
    gen_leave(&g);
    gen_phase(&g, "left");
    report_text(&r, "scene", "presence");
    report_real(&r, "seconds", (double)ns / 1e9);
    report_uint(&r, "changes", s->made);
    report_uint(&r, "copies", s->copies);
    report_uint(&r, "own_copies", s->own);
    report_uint(&r, "lost", s->wanted - s->copies);
    report_uint(&r, "extra", s->extra);
    report_real(&r, "copies_per_s", ns ? (double)(s->copies + s->own) * 1e9 / (double)ns : 0);
    report_hist(&r, "latency", &s->latency);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = s->wanted != s->copies || s->copies == 0 ? 1 : gen_result(&g);
    gen_fini(&g);
    free(s->changers);
    free(s);
    return rc;
}
