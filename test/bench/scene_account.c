/* test/bench/scene_account.c - makes accounts and rosters, and logs them in and out; see scenes.h */
#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>

int scene_register(const struct options *o)
{
    struct gen g;
    struct report r = { false };
    if (gen_init(&g, o, o->count) < 0)
        return 1;
    g.scene.registers = true;
    uint64_t began = now_ns();
    gen_login(&g, o->count, o->concurrency);
    gen_leave(&g);
    report_text(&r, "scene", "register");
    report_real(&r, "seconds", (double)(now_ns() - began) / 1e9);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = gen_result(&g);
    gen_fini(&g);
    return rc;
}

/* Presence of others: 25 for each login once all contacts are there. */
static void on_login_stanza(struct client *c, const struct element *e)
{
    uint64_t *presences = c->g->scene.data;
    size_t len;
    *presences += element_is(e, "presence") && !element_attr(e, "type", &len);
}

int scene_login(const struct options *o)
{
    struct gen g;
    struct report r = { false };
    uint64_t contacts = 0, login_ns = 0, presences = 0;
    if (gen_init(&g, o, o->count) < 0)
        return 1;
    g.scene = (struct scene){ .data = &presences, .on_stanza = on_login_stanza };
    gen_phase(&g, "start");
    for (unsigned round = 0; round < o->rounds; round++) {
        uint64_t began = now_ns();
        gen_login(&g, o->count, o->concurrency);
        login_ns += now_ns() - began;
        gen_settle(&g);
        for (unsigned i = 0; i < o->count; i++)
            contacts += g.clients[i].both;
        gen_phase(&g, "online");
        gen_leave(&g);
        gen_phase(&g, "left");
    }
    report_text(&r, "scene", "login");
    report_uint(&r, "rounds", o->rounds);
    report_real(&r, "logins_per_s", login_ns ? (double)g.logins * 1e9 / (double)login_ns : 0);
    report_real(&r, "contacts", g.logins ? (double)contacts / g.logins : 0);
    report_real(&r, "presences", g.logins ? (double)presences / g.logins : 0);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = gen_result(&g);
    gen_fini(&g);
    return rc;
}

/* Rosters: within a block, who has the lower number asks; the other grants and asks back (RFC 6121 3.1). */

struct rosters {
    uint64_t *has; /* by slot: bit i set if member i of the block is a contact, subscription "both" */
    uint64_t stanzas;
};

static unsigned block_size(const struct gen *g)
{
    return g->opt.contacts + 1;
}

static void note_items(struct client *c, const struct element *e)
{
    struct rosters *s = c->g->scene.data;
    struct element item;
    for (const char *p = e->p; element_tag(e, p, "item", &item); p = item.p + item.len) {
        size_t len;
        unsigned other;
        const char *jid = element_attr(&item, "jid", &len);
        if (!jid || !element_attr_is(&item, "subscription", "both"))
            continue;
        char bare[256]; /* gen_account_of wants the "@" after the digits, which a roster's JID has */
        snprintf(bare, sizeof(bare), "%.*s", (int)len, jid);
        if (gen_account_of(c->g, bare, len, &other) &&
            other / block_size(c->g) == c->account / block_size(c->g))
            s->has[c->slot] |= UINT64_C(1) << other % block_size(c->g);
    }
    gen_moved(c->g);
}

static void ask(struct client *c, const char *type, unsigned other)
{
    struct rosters *s = c->g->scene.data;
    s->stanzas++;
    client_printf(c, "<presence type='%s' to='%s%u@%s'/>", type, c->g->opt.prefix, other, c->g->opt.domain);
}

static void on_roster_stanza(struct client *c, const struct element *e)
{
    size_t len;
    unsigned other;
    const char *from = element_attr(e, "from", &len);
    if (element_is(e, "iq")) {
        if (element_find(e, "jabber:iq:roster"))
            note_items(c, e);
    } else if (element_is(e, "presence") && element_attr_is(e, "type", "subscribe") && from &&
               gen_account_of(c->g, from, len, &other)) {
        ask(c, "subscribed", other);
        if (other < c->account)
            ask(c, "subscribe", other);
    }
}

/* Members of the blocks in slots 0..count that still miss somebody; asks for those if first. */
static unsigned incomplete(struct gen *g, unsigned count, bool first)
{
    struct rosters *s = g->scene.data;
    unsigned missing = 0;
    for (unsigned i = 0; i < count; i++) {
        struct client *c = &g->clients[i];
        unsigned block = c->account / block_size(g) * block_size(g);
        for (unsigned k = 0; k < block_size(g) && block + k < g->opt.first + count; k++) {
            if (block + k == c->account || s->has[i] >> k & 1)
                continue;
            missing++;
            if (first && block + k > c->account && c->state == CLIENT_ONLINE)
                ask(c, "subscribe", block + k);
        }
    }
    return missing;
}

int scene_rosters(const struct options *o)
{
    struct gen g;
    struct rosters s = { NULL, 0 };
    struct report r = { false };
    unsigned block = o->contacts + 1, done = 0, missing = 0;
    unsigned batch = o->concurrency / block > 0 ? o->concurrency / block * block : block;
    if (o->contacts > 63 || o->first % block != 0 || o->step != 1) {
        fprintf(stderr, "loadgen: rosters come in whole blocks of at most 64 accounts, step 1\n");
        return 2;
    }
    if (gen_init(&g, o, batch) < 0)
        return 1;
    g.scene = (struct scene){ .data = &s, .on_stanza = on_roster_stanza };
    uint64_t began = now_ns();
    while (done < o->count && now_ns() < g.deadline_ns) {
        unsigned count = o->count - done < batch ? o->count - done : batch;
        g.opt.first = o->first + done;
        s.has = gen_alloc(batch, sizeof(*s.has));
        gen_login(&g, count, 64);
        incomplete(&g, count, true);
        gen_moved(&g);
        while (incomplete(&g, count, false) > 0 && g.online > 0 && !gen_stalled(&g))
            gen_turn(&g, now_ns() + UINT64_C(20000000));
        missing += incomplete(&g, count, false);
        gen_leave(&g);
        free(s.has);
        done += count;
    }
    report_text(&r, "scene", "rosters");
    report_real(&r, "seconds", (double)(now_ns() - began) / 1e9);
    report_uint(&r, "accounts", done);
    report_uint(&r, "subscription_stanzas", s.stanzas);
    report_uint(&r, "missing", missing);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = missing ? 1 : gen_result(&g);
    gen_fini(&g);
    return rc;
}
