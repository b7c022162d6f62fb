/* test/bench/scene_chat.c - pairs that talk: closed loop (chat) and at a fixed rate (rate); see scenes.h
 *
 * Chat: in_flight messages are in the air between the two of a pair; who receives one sends one back at once.
 * What one read brought is answered in one write. Rate: messages leave at their time whatever has come back.
 */
#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>

#define DRAIN_NS UINT64_C(5000000000)

struct talker {
    struct mark_text text;
    struct mark_end end;
    uint32_t number; /* of the last message sent */
};

struct talk {
    struct talker *talkers; /* by slot; slots 2n and 2n + 1 are a pair */
    struct mark_sums sums;
    struct hist latency, late; /* late: how long after its time a message left the generator */
    bool answering;
};

static void say(struct client *c, uint64_t ns)
{
    struct talk *t = c->g->scene.data;
    struct talker *me = &t->talkers[c->slot];
    if (c->state != CLIENT_ONLINE)
        return;
    mark_send(c, &me->text, ++me->number, ns);
    t->sums.sent++;
}

static void on_talk(struct client *c, const struct element *e)
{
    struct gen *g = c->g;
    struct talk *t = g->scene.data;
    uint64_t ns;
    if (!element_is(e, "message") ||
        !mark_take(&t->talkers[c->slot].end, &t->sums, e, gen_account(g, c->slot ^ 1), &ns))
        return;
    hist_add(&t->latency, g->read_ns > ns ? g->read_ns - ns : 0);
    g->moved_ns = g->read_ns;
    if (t->answering)
        say(c, g->read_ns);
}

/* Waits until all that was sent has arrived, or nothing has for 5 s. */
static void drain(struct gen *g)
{
    struct talk *t = g->scene.data;
    gen_moved(g);
    while (t->sums.received + t->sums.errors < t->sums.sent && now_ns() - g->moved_ns < DRAIN_NS)
        gen_turn(g, now_ns() + UINT64_C(20000000));
}

static uint64_t closed_loop(struct gen *g, uint64_t ns)
{
    struct talk *t = g->scene.data;
    uint64_t began = now_ns(), now = began;
    t->answering = true;
    for (unsigned i = 0; i < g->opt.in_flight; i++)
        for (unsigned slot = i & 1; slot < g->slots; slot += 2)
            say(&g->clients[slot], began);
    while (now - began < ns && g->online > 0 && !gen_stalled(g)) {
        gen_turn(g, now + UINT64_C(10000000));
        now = now_ns();
    }
    t->answering = false;
    drain(g);
    return now_ns() - began;
}

static uint64_t open_loop(struct gen *g, uint64_t ns)
{
    struct talk *t = g->scene.data;
    uint64_t began = now_ns(), now = began, n = 0, due = began;
    while (due - began < ns && g->online > 0 && !gen_stalled(g)) {
        now = now_ns();
        while (due <= now && due - began < ns) {
            hist_add(&t->late, now - due);
            say(&g->clients[n % g->slots], now);
            due = began + (uint64_t)((double)++n * 1e9 / g->opt.rate);
        }
        gen_turn(g, due);
    }
    drain(g);
    return now_ns() - began;
}

static void reset(struct talk *t)
{
    t->sums = (struct mark_sums){ 0 };
    hist_reset(&t->latency);
    hist_reset(&t->late);
}

static int talk(const struct options *o, const char *name, uint64_t (*run)(struct gen *g, uint64_t ns))
{
    struct gen g;
    struct report r = { false };
    unsigned slots = o->count / 2 * 2;
    uint64_t ns = 0;
    if (gen_init(&g, o, slots) < 0)
        return 1;
    struct talk *t = gen_alloc(1, sizeof(*t));
    t->talkers = gen_alloc(slots, sizeof(*t->talkers));
    g.scene = (struct scene){ .data = t, .on_stanza = on_talk };
    for (unsigned i = 0; i < slots; i++)
        mark_prepare(&t->talkers[i].text, &g, gen_account(&g, i), gen_account(&g, i ^ 1));
    gen_login(&g, slots, o->concurrency);
    gen_settle(&g);
    if (g.online > 0) {
        run(&g, o->warm_up * UINT64_C(1000000000));
        reset(t);
        gen_phase(&g, "begin");
        ns = run(&g, o->seconds * UINT64_C(1000000000));
        gen_phase(&g, "end");
    }
    gen_leave(&g);
    gen_phase(&g, "left");
    report_text(&r, "scene", name);
    report_uint(&r, "pairs", slots / 2);
    report_real(&r, "seconds", (double)ns / 1e9);
    report_real(&r, "delivered_per_s", ns ? (double)t->sums.received * 1e9 / (double)ns : 0);
    mark_report(&t->sums, &r);
    report_hist(&r, "latency", &t->latency);
    if (t->late.count)
        report_hist(&r, "late", &t->late);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = t->sums.sent != t->sums.received || t->sums.duplicate ? 1 : gen_result(&g);
    gen_fini(&g);
    free(t->talkers);
    free(t);
    return rc;
}

int scene_chat(const struct options *o)
{
    return talk(o, o->raw ? "relay" : "chat", closed_loop);
}

int scene_rate(const struct options *o)
{
    return talk(o, o->raw ? "relay-rate" : "rate", open_loop);
}
