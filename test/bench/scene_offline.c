/* test/bench/scene_offline.c - messages to accounts that are not there, and their delivery; see scenes.h
 *
 * Store: each account sends its messages to the account after it, then pings the server; the answer comes
 * after all that was sent before it has been handled. Fetch: those accounts log in and receive. */
#include "scenes.h"

#include <stdlib.h>

#define QUIET_NS UINT64_C(5000000000)

struct offline {
    struct mark_sums sums;
    struct mark_end *ends; /* fetch: by slot */
    unsigned answered;     /* store: pings */
};

static void on_answer(struct client *c, const struct element *e)
{
    struct offline *s = c->g->scene.data;
    gen_moved(c->g);
    if (element_is(e, "iq") && element_attr_is(e, "id", "done"))
        s->answered++;
    else if (element_is(e, "message") && element_attr_is(e, "type", "error"))
        s->sums.errors++;
}

static void send_all(struct gen *g, struct offline *s)
{
    for (unsigned i = 0; i < g->slots; i++) {
        struct client *c = &g->clients[i];
        struct mark_text text = { .head_len = 0 };
        if (c->state != CLIENT_ONLINE)
            continue;
        mark_prepare(&text, g, c->account, c->account + 1);
        for (unsigned n = 1; n <= g->opt.messages; n++)
            mark_send(c, &text, n, now_ns());
        s->sums.sent += g->opt.messages;
        client_printf(c, "<iq type='get' id='done' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>",
                      g->opt.domain);
    }
    gen_moved(g);
    while (s->answered < g->online && !gen_stalled(g))
        gen_turn(g, now_ns() + UINT64_C(20000000));
}

int scene_offline_store(const struct options *o)
{
    struct gen g;
    struct offline s = { .answered = 0 };
    struct report r = { false };
    if (gen_init(&g, o, o->count) < 0)
        return 1;
    g.scene = (struct scene){ .data = &s, .on_stanza = on_answer };
    gen_login(&g, o->count, o->concurrency);
    gen_settle(&g);
    gen_phase(&g, "begin");
    uint64_t began = now_ns();
    send_all(&g, &s);
    double seconds = (double)(now_ns() - began) / 1e9;
    gen_phase(&g, "end");
    unsigned unanswered = g.online - s.answered;
    gen_leave(&g);
    gen_phase(&g, "left");
    report_text(&r, "scene", "offline-store");
    report_real(&r, "seconds", seconds);
    report_uint(&r, "sent", s.sums.sent);
    report_uint(&r, "errors", s.sums.errors);
    report_uint(&r, "unanswered", unanswered);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = s.sums.errors || unanswered ? 1 : gen_result(&g);
    gen_fini(&g);
    return rc;
}

static void on_stored(struct client *c, const struct element *e)
{
    struct offline *s = c->g->scene.data;
    uint64_t ns;
    if (element_is(e, "message") && mark_take(&s->ends[c->slot], &s->sums, e, c->account - 1, &ns))
        gen_moved(c->g);
}

int scene_offline_fetch(const struct options *o)
{
    struct gen g;
    struct offline s = { .answered = 0 };
    struct report r = { false };
    if (gen_init(&g, o, o->count) < 0)
        return 1;
    s.ends = gen_alloc(o->count, sizeof(*s.ends));
    s.sums.sent = (uint64_t)o->count * o->messages;
    g.scene = (struct scene){ .data = &s, .on_stanza = on_stored };
    gen_phase(&g, "begin");
    uint64_t began = now_ns();
    gen_login(&g, o->count, o->concurrency);
    gen_moved(&g);
    while (s.sums.received < s.sums.sent && now_ns() - g.moved_ns < QUIET_NS)
        gen_turn(&g, now_ns() + UINT64_C(20000000));
    double seconds = (double)(now_ns() - began) / 1e9;
    gen_phase(&g, "end");
    gen_leave(&g);
    gen_phase(&g, "left");
    report_text(&r, "scene", "offline-fetch");
    report_real(&r, "seconds", seconds);
    mark_report(&s.sums, &r);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = s.sums.sent != s.sums.received || s.sums.duplicate ? 1 : gen_result(&g);
    gen_fini(&g);
    free(s.ends);
    return rc;
}
