/* test/bench/scene_storm.c - all clients lose the server at once, and all come back at once; see scenes.h
 *
 * The driver ends a daemon in the phase "online" and has it back by the phase "lost". Then every client
 * connects in the same turn, and none gives up before its patience ends: what counts as failed is a refusal,
 * a stream error, a closed connection, and a login that took longer than that. */
#include "scenes.h"

#define PATIENCE_NS UINT64_C(60000000000)

/* Goes on until every client has noticed that its connection is gone. */
static unsigned lose_all(struct gen *g)
{
    gen_phase(g, "online");
    gen_moved(g);
    while (g->open > 0 && !gen_stalled(g))
        gen_turn(g, now_ns() + UINT64_C(50000000));
    unsigned kept = g->open;
    for (unsigned i = 0; i < g->slots; i++)
        client_close(&g->clients[i], NULL);
    g->failed = g->dropped = g->logins = 0;
    hist_reset(g->login_ns);
    g->complaints = 0;
    gen_phase(g, "lost");
    return kept;
}

int scene_storm(const struct options *o)
{
    struct gen g;
    struct report r = { false };
    if (gen_init(&g, o, o->count) < 0)
        return 1;
    g.patience_ns = PATIENCE_NS;
    gen_phase(&g, "start");
    gen_login(&g, o->count, o->concurrency);
    unsigned before = g.logins, failed_before = g.failed;
    unsigned kept = lose_all(&g);
    uint64_t began = now_ns();
    gen_login(&g, o->count, o->count);
    uint64_t ns = now_ns() - began;
    gen_settle(&g);
    gen_phase(&g, "back");
    gen_leave(&g);
    gen_phase(&g, "left");
    report_text(&r, "scene", "storm");
    report_uint(&r, "first_logins", before);
    report_uint(&r, "first_failed", failed_before);
    report_uint(&r, "kept", kept);
    report_real(&r, "seconds", (double)ns / 1e9);
    gen_report_logins(&g, &r);
    report_end(&r);
    int rc = failed_before || g.logins != o->count ? 1 : gen_result(&g);
    gen_fini(&g);
    return rc;
}
