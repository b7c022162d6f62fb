/* test/bench/scene_remotes.c - one client asks many other servers at once; see scenes.h
 *
 * A ping (XEP-0199) to each of the domains d0.F, d1.F, ... in one moment, then, with all connections up, once
 * more: the first answer needs a connection, the second says what a stanza costs where there are many. */
#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>

struct remotes {
    unsigned round;
    uint64_t began_ns;
    uint64_t results, errors, stray;
    uint8_t *answered; /* by domain: the round */
    struct hist latency[2];
};

static void on_answer(struct client *c, const struct element *e)
{
    struct remotes *s = c->g->scene.data;
    unsigned round, n;
    char id[32];
    size_t len;
    const char *p = element_attr(e, "id", &len);
    if (!element_is(e, "iq") || !s->round || !p || len >= sizeof(id))
        return;
    snprintf(id, sizeof(id), "%.*s", (int)len, p);
    if (sscanf(id, "d%u-%u", &round, &n) != 2 || round != s->round || n >= c->g->opt.remotes ||
        s->answered[n] == round) {
        s->stray++;
        return;
    }
    s->answered[n] = (uint8_t)round;
    if (element_attr_is(e, "type", "result"))
        s->results++;
    else if (s->errors++ == 0)
        fprintf(stderr, "loadgen: %.*s\n", (int)e->len, e->p);
    hist_add(&s->latency[round - 1], c->g->read_ns - s->began_ns);
    gen_moved(c->g);
}

/* Returns nanoseconds until all have answered. */
static uint64_t ask_all(struct gen *g)
{
    struct remotes *s = g->scene.data;
    uint64_t before = s->results + s->errors;
    s->round++;
    s->began_ns = now_ns();
    for (unsigned i = 0; i < g->opt.remotes; i++)
        client_printf(&g->clients[0],
                      "<iq type='get' id='d%u-%u' to='d%u.%s'><ping xmlns='urn:xmpp:ping'/></iq>", s->round,
                      i, i, g->opt.far_domain);
    while (s->results + s->errors < before + g->opt.remotes && g->online > 0 && !gen_stalled(g))
        gen_turn(g, now_ns() + UINT64_C(10000000));
    return now_ns() - s->began_ns;
}

static void report(const struct gen *g, const struct remotes *s, const uint64_t *ns, struct report *r)
{
    uint64_t wanted = (uint64_t)g->opt.remotes * 2;
    report_text(r, "scene", "remotes");
    report_uint(r, "remotes", g->opt.remotes);
    report_real(r, "seconds", (double)ns[0] / 1e9);
    report_real(r, "again_seconds", (double)ns[1] / 1e9);
    report_uint(r, "answered", s->results);
    report_uint(r, "errors", s->errors);
    report_uint(r, "unanswered", wanted - s->results - s->errors);
    report_uint(r, "stray", s->stray);
    report_hist(r, "first", &s->latency[0]);
    report_hist(r, "again", &s->latency[1]);
}

int scene_remotes(const struct options *o)
{
    struct gen g;
    struct report r = { false };
    struct options one = *o;
    uint64_t ns[2] = { 0, 0 };
    if (!o->far_domain) {
        fprintf(stderr, "loadgen: remotes wants --far-domain\n");
        return 2;
    }
    one.first = o->first / 2 * 2; /* at the near server */
    one.count = 1;
    if (gen_init(&g, &one, 1) < 0)
        return 1;
    struct remotes *s = gen_alloc(1, sizeof(*s));
    s->answered = gen_alloc(o->remotes, 1);
    g.scene = (struct scene){ .data = s, .on_stanza = on_answer };
    gen_login(&g, 1, 1);
    gen_settle(&g);
    gen_phase(&g, "begin");
    if (g.online > 0)
        ns[0] = ask_all(&g);
    gen_phase(&g, "up");
    if (g.online > 0)
        ns[1] = ask_all(&g);
    gen_phase(&g, "end");
    gen_leave(&g);
    gen_phase(&g, "left");
    report(&g, s, ns, &r);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = s->results != (uint64_t)o->remotes * 2 || s->stray ? 1 : gen_result(&g);
    gen_fini(&g);
    free(s->answered);
    free(s);
    return rc;
}
