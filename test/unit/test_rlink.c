/* test/unit/test_rlink.c - rlink.c, rconn.c, component.c and the router, in one process on one loop: logins
 * by every mechanism, frames there and back, names, bounces, what a router's restart and a long silence do
 *
 * A scene is a list of steps: what must have come about, and what is done then. The clock only ends what
 * hangs. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/link/component.h"
#include "common/link/rlink.h"
#include "router/peer.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <ftw.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, LOOK_MS = 2, BATCH = 500 };

struct world;
struct step {
    bool (*when)(struct world *w); /* NULL: at once */
    void (*then)(struct world *w); /* NULL: nothing */
};
struct side {
    struct world *w;
    struct rlink *rl;
    struct rnode *other; /* the one node of the other role */
    unsigned ups, downs, links, bounced, reborn;
    unsigned nameless; /* times that the other had no name any more */
    bool named;
    uint64_t node;      /* its own, where it is to outlive it */
    uint64_t told;      /* frames outside the channel */
    uint64_t sent, got; /* numbered payloads */
    uint8_t bounce_flags, name_flags;
    char by_name[256];
    char heard[512]; /* "role instance: text", a line each, of what it has asked */
    bool heard_all;
};
struct certs { /* files: the router's certificate and the edge's */
    char router[96], router_key[96], edge[96], edge_key[96], address[64];
};
struct world {
    struct certs certs;
    char dir[64];
    struct loop *loop;
    struct timer look;
    uint64_t deadline_ms;
    const struct step *step;
    bool late;
    struct router_conf conf;
    struct daemon_run run;
    bool router_on;
    struct router_conf second_conf; /* of a second router, in the scenes that have one */
    struct daemon_run second;
    struct side edge, sess;
    struct rlink *old; /* a run of sess before this one */
    uint64_t edge_node;
    uint32_t edge_incarnation;
    int deaf; /* a socket */
    uint32_t grace_ms;
};

/* --- the router --- */

static void on_ready(struct daemon_run *run)
{
    (void)run;
}

static enum rc router_answers(void *run, struct slice what, struct slice args, struct buf *out,
                              struct why *why)
{
    (void)run, (void)why;
    buf_fmt(out, SLICE_FMT " of router " SLICE_FMT, SLICE_ARG(what), SLICE_ARG(args));
    return RC_OK;
}

static void router_start(struct world *w)
{
    struct why why = { "" };
    w->run = (struct daemon_run){
        .dir = w->dir,
        .instance = "router-1",
        .loop = w->loop,
        .metrics = metrics_new(router_daemon.metrics, router_daemon.n_metrics),
        .conf = &w->conf,
        .ready = on_ready,
        .answer = router_answers,
    };
    if (router_daemon.start(&w->run, &why) != RC_OK)
        fail_msg("%s", why.text);
    w->router_on = true;
}

static struct router *router_of(struct world *w)
{
    return w->run.ctx;
}

static void router_stop(struct world *w)
{
    router_daemon.stop(&w->run);
}

static bool router_empty(struct world *w)
{
    return router_of(w)->n_peers == 0;
}

static void router_gone(struct world *w)
{
    router_daemon.fini(&w->run);
    metrics_free(&w->run.metrics);
    w->router_on = false;
}

/* --- the two ends --- */

static void on_node(void *owner, struct rnode *node, bool up)
{
    struct side *s = owner;
    s->ups += up;
    s->downs += !up;
    s->other = up ? node : NULL;
    s->nameless += up && s->named && !node->n_names;
    s->named = up && node->n_names > 0;
}

static void on_frame(void *owner, struct rnode *from, const struct frame *f)
{
    struct side *s = owner;
    char expected[32];
    if (from && f->kind == FRAME_CONTROL) {
        s->told++;
        rlink_rejoined(s->rl, from);
        return;
    }
    if (!from || !f->seq) {
        s->name_flags = f->flags;
        snprintf(s->by_name, sizeof s->by_name, SLICE_FMT " " SLICE_FMT, SLICE_ARG(f->name),
                 SLICE_ARG(f->payload));
        return;
    }
    snprintf(expected, sizeof expected, "<n i='%llu'/>", (unsigned long long)++s->got);
    if (!slice_is(f->payload, expected))
        fail_msg("frame %llu is " SLICE_FMT, (unsigned long long)s->got, SLICE_ARG(f->payload));
    rlink_done(s->rl, from, f->seq);
}

static void on_bounce(void *owner, const struct frame *f)
{
    struct side *s = owner;
    s->bounced++;
    s->bounce_flags = f->flags;
}

static void on_link(void *owner, bool up)
{
    struct side *s = owner;
    s->links += up;
}

static void on_reborn(void *owner, struct rnode *node)
{
    struct side *s = owner;
    s->reborn++;
    s->got = 0;
    rlink_tell(s->rl, node, SLICE("<here/>"));
}

static const struct rlink_ops ops = { .on_node = on_node,
                                      .on_frame = on_frame,
                                      .on_bounce = on_bounce,
                                      .on_link = on_link,
                                      .on_reborn = on_reborn };

/* An edge tells; a session manager has nothing to say. */
static enum rc answers(void *ctx, struct slice what, struct slice args, struct buf *out, struct why *why)
{
    const struct side *s = ctx;
    if (s == &s->w->sess) {
        why_set(why, "no such report");
        return RC_NOTFOUND;
    }
    buf_fmt(out, SLICE_FMT " of edge " SLICE_FMT, SLICE_ARG(what), SLICE_ARG(args));
    return RC_OK;
}

static void on_told(void *ctx, const struct rlink_told *told)
{
    struct side *s = ctx;
    size_t n = strlen(s->heard);
    assert_false(s->heard_all);
    s->heard_all = !told;
    if (told)
        snprintf(s->heard + n, sizeof s->heard - n, SLICE_FMT " " SLICE_FMT "%s: " SLICE_FMT "\n",
                 SLICE_ARG(told->role), SLICE_ARG(told->instance), told->failed ? " failed" : "",
                 SLICE_ARG(told->text));
}

static void link_open(struct side *s, const char *address, struct rlink_conf conf)
{
    const char *routers[] = { address, NULL };
    conf.routers = routers;
    conf.dir = s->w->dir;
    conf.node_grace_ms = s->w->grace_ms;
    conf.ack_ms = 1;
    conf.node = s->node;
    conf.answer = answers;
    conf.answer_ctx = s;
    s->rl = rlink_new(s->w->loop, NULL, &conf, &ops, s);
}

static void sess_open(struct world *w, const char *address)
{
    struct slice name = SLICE("im.example");
    link_open(&w->sess, address,
              (struct rlink_conf){
                  .name = "sessman", .secret = "s1", .instance = "sessman-1", .role = ROLE_SESSMAN });
    rlink_names(w->sess.rl, &name, 1);
}

static void edge_open(struct world *w, const char *address)
{
    link_open(&w->edge, address,
              (struct rlink_conf){ .name = "c2s", .secret = "s2", .instance = "c2s-1", .role = ROLE_EDGE });
}

static void both_open(struct world *w)
{
    sess_open(w, "unix:r.sock");
    edge_open(w, "unix:r.sock");
}

static void send_batch(struct side *s)
{
    char text[32];
    for (int i = 0; i < BATCH; i++) {
        struct slice p = slice_of(
            text, (size_t)snprintf(text, sizeof text, "<n i='%llu'/>", (unsigned long long)++s->sent));
        rlink_send(s->rl, s->other, FRAME_STANZA, 1, &p, 1);
    }
}

static void send_both(struct world *w)
{
    send_batch(&w->edge);
    send_batch(&w->sess);
}

static bool see_each_other(struct world *w)
{
    return w->edge.other && w->sess.other && w->edge.other->n_names == 1 && w->edge.other->reachable &&
           w->sess.other->reachable;
}

static bool all_arrived(struct world *w)
{
    return w->edge.got == w->sess.sent && w->sess.got == w->edge.sent &&
           rlink_acked(w->edge.rl, w->edge.other) == rlink_sent(w->edge.rl, w->edge.other) &&
           rlink_acked(w->sess.rl, w->sess.other) == rlink_sent(w->sess.rl, w->sess.other);
}

/* --- a scene --- */

static void finish(struct world *w)
{
    if (w->edge.rl)
        rlink_close(w->edge.rl);
    if (w->sess.rl)
        rlink_close(w->sess.rl);
    if (w->router_on)
        router_daemon.stop(&w->run);
    loop_stop(w->loop);
}

static void on_look(struct timer *t)
{
    struct world *w = CONTAINER(t, struct world, look);
    while (w->step->when || w->step->then) {
        if (w->step->when && !w->step->when(w))
            break;
        if (w->step->then)
            w->step->then(w);
        w->step++;
    }
    w->late = clock_mono_ms() > w->deadline_ms;
    if (w->late || (!w->step->when && !w->step->then))
        finish(w);
    else
        loop_timer(w->loop, t, LOOK_MS, on_look);
}

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);
    struct why why = { "" };
    static const char conf[] =
        "[listen]\nunix = r.sock\nport = 0\n[component sessman]\nrole = sessman\nsecret = s1\n"
        "[component c2s]\nrole = edge\nsecret = s2\n[component echo.example]\nsecret = s3\n";
    if (secret_init(&why) != RC_OK)
        return -1;
    snprintf(w->dir, sizeof w->dir, "/tmp/bulkhead-rlink-XXXXXX");
    if (!mkdtemp(w->dir) || conf_read_text(&router_conf_table, slice_cstr(conf), &w->conf, &why) != RC_OK)
        return -1;
    w->loop = loop_new();
    w->edge.w = w->sess.w = w;
    w->grace_ms = 60000;
    router_start(w);
    *state = w;
    return 0;
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;
    rlink_free(&w->edge.rl);
    rlink_free(&w->sess.rl);
    rlink_free(&w->old);
    if (w->router_on)
        router_gone(w);
    loop_free(&w->loop);
    conf_clear(&router_conf_table, &w->conf);
    nftw(w->dir, on_entry, 8, FTW_DEPTH);
    mem_free(w);
    return 0;
}

static void play(struct world *w, const struct step *steps)
{
    w->step = steps;
    w->deadline_ms = clock_mono_ms() + PATIENCE_MS;
    loop_timer(w->loop, &w->look, LOOK_MS, on_look);
    loop_run(w->loop);
    if (w->late)
        fail_msg("step %td did not come about", w->step - steps);
}

/* --- scenes --- */

static void frames_arrive_once_and_in_order(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open }, { see_each_other, send_both }, { all_arrived, send_both }, { all_arrived, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->sess.got, 2 * BATCH);
    assert_true(slice_is(SLICE("im.example"), w->edge.other->names[0]));
    assert_ptr_equal(rlink_pick(w->edge.rl, SLICE("im.example"), SLICE("a@im.example")), w->edge.other);
    assert_null(rlink_pick(w->edge.rl, SLICE("other.example"), SLICE("a@other.example")));
}

/* --- one end is restarted, and remembers --- */

static void both_open_kept(struct world *w)
{
    w->sess.node = 0x5e55;
    both_open(w);
}

/* In the middle of it all: what was dealt with is all that it knows. */
static void sess_dies(struct world *w)
{
    w->edge_node = w->sess.other->id;
    w->edge_incarnation = rlink_incarnation(w->sess.other);
    rlink_close(w->sess.rl);
    w->old = w->sess.rl;
    w->sess.rl = NULL;
    w->sess.other = NULL;
}

static void sess_reopens(struct world *w, uint32_t incarnation)
{
    sess_open(w, "unix:r.sock");
    w->sess.sent = 0;
    w->sess.other = rlink_expect(w->sess.rl, w->edge_node, "c2s-1", ROLE_EDGE, incarnation, w->sess.got);
    assert_non_null(w->sess.other);
    assert_null(rlink_expect(w->sess.rl, w->edge_node, "c2s-1", ROLE_EDGE, incarnation, 0));
    assert_false(w->sess.other->reachable);
    send_batch(&w->sess);
}

static void sess_comes_back(struct world *w)
{
    sess_reopens(w, w->edge_incarnation);
}

static void send_both_and_die(struct world *w)
{
    send_both(w);
    sess_dies(w);
    send_batch(&w->edge); /* while it is away */
}

static bool edge_misses_it(struct world *w)
{
    return w->edge.other && !w->edge.other->reachable;
}

static bool reborn_and_arrived(struct world *w)
{
    return w->edge.reborn && w->sess.told && w->sess.other && all_arrived(w);
}

static void a_restarted_end_that_remembers_goes_on(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open_kept },
        { see_each_other, send_both },
        { all_arrived, send_both_and_die },
        { edge_misses_it, sess_comes_back },
        { reborn_and_arrived, send_both },
        { all_arrived, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->edge.downs, 0);
    assert_int_equal(w->edge.reborn, 1);
    assert_int_equal(w->edge.nameless, 0); /* nobody is told that its domains are nobody's */
    assert_int_equal(w->sess.told, 1);
    assert_int_equal(w->sess.got, 4 * BATCH);
    assert_int_equal(w->edge.got, 2 * BATCH); /* of the new run */
}

static void sess_remembers_wrongly(struct world *w)
{
    w->sess.got = 5;
    sess_reopens(w, w->edge_incarnation + 1);
    w->sess.got = 0;
}

static bool both_began_anew(struct world *w)
{
    return w->edge.downs == 1 && w->sess.downs == 1 && w->edge.other && w->sess.other;
}

static void fresh(struct world *w)
{
    w->edge.sent = w->edge.got = w->sess.sent = w->sess.got = 0;
    send_both(w);
}

static void an_end_that_remembers_another_channel_begins_anew(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open_kept },
        { see_each_other, send_both },
        { all_arrived, sess_dies },
        { edge_misses_it, sess_remembers_wrongly },
        { both_began_anew, fresh },
        { all_arrived, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->edge.reborn, 0);
}

static bool both_down(struct world *w)
{
    return !rlink_up(w->edge.rl) && !rlink_up(w->sess.rl) && router_empty(w);
}

static void router_again(struct world *w)
{
    router_gone(w);
    send_both(w); /* while there is no router: they wait */
    router_start(w);
}

static void send_and_stop(struct world *w)
{
    send_both(w);
    router_stop(w);
}

static void a_router_that_restarts_loses_nothing(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open },
        { see_each_other, send_and_stop },
        { both_down, router_again },
        { see_each_other, send_both },
        { all_arrived, send_and_stop },
        { both_down, router_again },
        { all_arrived, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->edge.got, 5 * BATCH);
    assert_int_equal(w->sess.got, 5 * BATCH);
    assert_int_equal(w->edge.downs + w->sess.downs, 0);
    assert_int_equal(w->edge.links, 3);
}

static bool edge_lost(struct world *w)
{
    return w->sess.downs == 1 && !w->sess.other;
}

static void edge_cut(struct world *w) /* the router forgets the edge; the edge knows nothing of it yet */
{
    struct router *r = router_of(w);
    LIST_EACH(&r->peers, at) {
        struct peer *p = CONTAINER(at, struct peer, all);
        if (p->role == ROLE_EDGE)
            conn_close(p->conn, CONN_BY_OWNER);
    }
}

static bool new_channels_work(struct world *w)
{
    return w->sess.ups >= 2 && w->edge.downs == 1 && w->edge.other && w->sess.other;
}

static void count_anew(struct world *w)
{
    w->edge.sent = w->edge.got = w->sess.sent = w->sess.got = 0;
    send_both(w);
}

static void an_edge_that_was_given_up_begins_anew(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open }, { see_each_other, send_both },     { all_arrived, edge_cut },
        { edge_lost, NULL }, { new_channels_work, count_anew }, { all_arrived, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    w->grace_ms = 20; /* shorter than the edge takes to dial again */
    play(w, steps);
}

static void send_by_name(struct world *w)
{
    struct slice p = SLICE("<message to='a@nobody.example'/>");
    assert_int_equal(rlink_send_name(w->sess.rl, SLICE("a@nobody.example"), &p, 1), RC_OK);
}

static bool bounced(struct world *w)
{
    return w->sess.bounced == 1;
}

static void what_nobody_has_bound_bounces(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open },
        { see_each_other, send_by_name },
        { bounced, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->sess.bounce_flags, FRAME_F_NO_NAME);
}

static void edge_speaks_by_name(struct world *w)
{
    struct slice p = SLICE("<message from='admin@im.example' to='a@im.example'/>");
    assert_int_equal(rlink_send_name(w->edge.rl, SLICE("a@im.example"), &p, 1), RC_OK);
}

static bool edge_was_closed(struct world *w)
{
    return w->edge.links == 2; /* and has dialled again */
}

static void an_edge_may_not_address_by_name(void **state) /* DESIGN 1: it stamps no `from` */
{
    static const struct step steps[] = {
        { NULL, both_open },
        { see_each_other, edge_speaks_by_name },
        { edge_was_closed, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_string_equal(w->sess.by_name, "");
}

static void wrong_secret(struct world *w)
{
    sess_open(w, "unix:r.sock");
    link_open(&w->edge, "unix:r.sock",
              (struct rlink_conf){ .name = "c2s", .secret = "s1", .instance = "c2s-1", .role = ROLE_EDGE });
}

static bool refused_thrice(struct world *w)
{
    return metric_value(w->run.metrics, METRIC_AUTH_FAILED) >= 3;
}

static void a_wrong_secret_gets_nowhere(void **state)
{
    static const struct step steps[] = { { NULL, wrong_secret }, { refused_thrice, NULL }, { NULL, NULL } };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->edge.links, 0);
    assert_int_equal(w->sess.ups, 0);
}

static void wrong_role(struct world *w)
{
    link_open(
        &w->edge, "unix:r.sock",
        (struct rlink_conf){ .name = "c2s", .secret = "s2", .instance = "c2s-1", .role = ROLE_SESSMAN });
}

static bool turned_away(struct world *w)
{
    return metric_value(w->run.metrics, METRIC_STREAM_ERRORS) >= 1;
}

static void a_role_is_not_for_the_asking(void **state)
{
    static const struct step steps[] = { { NULL, wrong_role }, { turned_away, NULL }, { NULL, NULL } };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->edge.links, 0);
}

/* --- two routers --- */

static void run_open(struct world *w, struct daemon_run *run, const struct router_conf *conf)
{
    struct why why = { "" };
    *run = w->run;
    run->metrics = metrics_new(router_daemon.metrics, router_daemon.n_metrics);
    run->conf = conf;
    if (router_daemon.start(run, &why) != RC_OK)
        fail_msg("%s", why.text);
}

static void run_gone(struct daemon_run *run)
{
    router_daemon.fini(run);
    metrics_free(&run->metrics);
}

static void two_routers(struct world *w)
{
    const char *const routers[] = { "unix:r.sock", "unix:second.sock", NULL };
    struct rlink_conf conf = {
        .routers = routers, .dir = w->dir, .node_grace_ms = 60000, .ack_ms = 1, .answer = answers
    };
    struct slice name = SLICE("im.example");
    struct why why = { "" };
    static const char text[] =
        "[listen]\nunix = second.sock\nport = 0\n[component sessman]\nrole = sessman\nsecret = s1\n"
        "[component c2s]\nrole = edge\nsecret = s2\n";
    assert_int_equal(conf_read_text(&router_conf_table, slice_cstr(text), &w->second_conf, &why), RC_OK);
    run_open(w, &w->second, &w->second_conf);
    conf.name = "sessman", conf.secret = "s1", conf.instance = "sessman-1", conf.role = ROLE_SESSMAN;
    conf.answer_ctx = &w->sess;
    w->sess.rl = rlink_new(w->loop, NULL, &conf, &ops, &w->sess);
    rlink_names(w->sess.rl, &name, 1);
    conf.answer_ctx = &w->edge;
    conf.name = "c2s", conf.secret = "s2", conf.instance = "c2s-1", conf.role = ROLE_EDGE;
    w->edge.rl = rlink_new(w->loop, NULL, &conf, &ops, &w->edge);
}

static unsigned logged_in(const struct daemon_run *run)
{
    const struct router *r = run->ctx;
    return (unsigned)idmap_count(r->nodes);
}

static bool four_links(struct world *w)
{
    return see_each_other(w) && logged_in(&w->run) == 2 && logged_in(&w->second) == 2;
}

static void send_and_stop_first(struct world *w)
{
    send_both(w);
    router_stop(w);
}

static bool first_empty_and_all_arrived(struct world *w)
{
    return router_empty(w) && all_arrived(w);
}

static void first_comes_second_goes(struct world *w)
{
    router_gone(w);
    router_start(w);
    send_both(w);
}

static bool first_is_back(struct world *w)
{
    return logged_in(&w->run) == 2 && all_arrived(w);
}

static void send_and_stop_second(struct world *w)
{
    send_both(w);
    router_daemon.stop(&w->second);
}

static bool second_empty_and_all_arrived(struct world *w)
{
    const struct router *second = w->second.ctx;
    return second->n_peers == 0 && all_arrived(w);
}

static void second_gone(struct world *w)
{
    run_gone(&w->second);
    conf_clear(&router_conf_table, &w->second_conf);
}

static void one_router_of_two_is_enough(void **state) /* DESIGN 6 */
{
    static const struct step steps[] = {
        { NULL, two_routers },
        { four_links, send_both },
        { all_arrived, send_and_stop_first },
        { first_empty_and_all_arrived, first_comes_second_goes },
        { first_is_back, send_and_stop_second },
        { second_empty_and_all_arrived, second_gone },
        { NULL, send_both },
        { all_arrived, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->sess.got, 5 * BATCH);
    assert_int_equal(w->edge.downs + w->sess.downs, 0);
    assert_int_equal(w->edge.links, 1); /* the link as a whole never went down */
}

/* --- reports --- */

static void edge_asks(struct world *w)
{
    rlink_ask(w->edge.rl, SLICE("metrics"), SLICE("a"), on_told, &w->edge);
}

static void sess_asks(struct world *w)
{
    rlink_ask(w->sess.rl, SLICE("log"), SLICE("warn"), on_told, &w->sess);
}

static bool edge_has_heard(struct world *w)
{
    return w->edge.heard_all;
}

static bool sess_has_heard(struct world *w)
{
    return w->sess.heard_all;
}

static void every_daemon_is_heard(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open },
        { see_each_other, edge_asks },
        { edge_has_heard, sess_asks },
        { sess_has_heard, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_string_equal(w->edge.heard, "edge c2s-1: metrics of edge a\nrouter router-1: metrics of router a\n"
                                       "sessman sessman-1 failed: no such report\n");
    assert_string_equal(w->sess.heard, "router router-1: log of router warn\nedge c2s-1: log of edge warn\n"
                                       "sessman sessman-1 failed: no such report\n");
}

static void stop_second(struct world *w)
{
    router_daemon.stop(&w->second);
}

static void a_daemon_at_two_routers_is_heard_once(void **state)
{
    static const struct step steps[] = {
        { NULL, two_routers },
        { four_links, sess_asks },
        { sess_has_heard, stop_second },
        { second_empty_and_all_arrived, second_gone },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    const char *first = strstr(w->sess.heard, "edge c2s-1: ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "edge c2s-1"));
    first = strstr(w->sess.heard, "router router-1: ");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "router router-1: ")); /* that is two of them */
}

static void edge_asks_too_much(struct world *w)
{
    rlink_ask(w->edge.rl, SLICE("log"), SLICE_NONE, on_told, &w->edge);
}

static bool edge_refused(struct world *w)
{
    return metric_value(w->run.metrics, METRIC_REFUSED) == 1 && w->edge.heard_all;
}

static void an_edge_may_not_ask_for_everything(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open },
        { see_each_other, edge_asks_too_much },
        { edge_refused, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_string_equal(w->edge.heard, "edge c2s-1: log of edge \n"); /* of itself it may say what it likes */
}

static void asks_with_no_router(struct world *w)
{
    both_open(w);
    edge_asks(w);
    assert_true(w->edge.heard_all);
}

static void without_a_router_one_hears_oneself(void **state)
{
    static const struct step steps[] = { { NULL, asks_with_no_router }, { NULL, NULL } };
    struct world *w = *state;
    play(w, steps);
    assert_string_equal(w->edge.heard, "edge c2s-1: metrics of edge a\n");
}

static void asks_and_drops(struct world *w)
{
    edge_asks(w);
    rlink_ask_drop(w->edge.rl, &w->edge);
    sess_asks(w);
}

static void who_has_dropped_it_is_not_called(void **state)
{
    static const struct step steps[] = {
        { NULL, both_open },
        { see_each_other, asks_and_drops },
        { sess_has_heard, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_false(w->edge.heard_all);
    assert_string_equal(w->edge.heard, "edge c2s-1: metrics of edge a\n");
}

/* --- a component that does not read --- */

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void deaf_connects(struct world *w)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    snprintf(un.sun_path, sizeof un.sun_path, "%s/r.sock", w->dir);
    w->deaf = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(w->deaf, (struct sockaddr *)&un, sizeof un), 0);
    put(w->deaf,
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' "
        "to='echo.example'>");
    both_open(w);
}

static bool deaf_is_bound(struct world *w)
{
    char text[1024] = "", hash[200];
    ssize_t n = read(w->deaf, text, sizeof text - 1);
    const char *id = n > 0 ? strstr(text, " id='") : NULL;
    if (id) {
        struct arena *a = arena_new(512, 0);
        const char *end = strchr(id + 5, '\'');
        struct slice digest = component_digest(a, slice_of(id + 5, (size_t)(end - id - 5)), SLICE("s3"));
        snprintf(hash, sizeof hash, "<handshake>" SLICE_FMT "</handshake>", SLICE_ARG(digest));
        put(w->deaf, hash);
        arena_free(&a);
    }
    return see_each_other(w) && names_bound(router_of(w)->names, SLICE("echo.example")) == 1 &&
           rlink_component(w->sess.rl, SLICE("echo.example")) &&
           !rlink_component(w->edge.rl, SLICE("echo.example")); /* an edge has no use for it */
}

static bool flood(struct world *w) /* until it comes back */
{
    char filler[4000];
    struct slice pieces[3] = { SLICE("<message>"), slice_of(filler, sizeof filler), SLICE("</message>") };
    memset(filler, ' ', sizeof filler);
    for (int i = 0; i < 50; i++) {
        if (rlink_send_name(w->sess.rl, SLICE("echo.example"), pieces, 3) != RC_OK)
            break;
    }
    return w->sess.bounced > 0 && w->sess.bounce_flags == FRAME_F_FULL;
}

static bool closed_for_it(struct world *w)
{
    return metric_value(w->run.metrics, METRIC_FULL_CLOSED) == 1 &&
           names_bound(router_of(w)->names, SLICE("echo.example")) == 0 &&
           !rlink_component(w->sess.rl, SLICE("echo.example"));
}

static void who_does_not_read_is_closed_and_nobody_else(void **state) /* DESIGN 2: nobody else's latency */
{
    static const struct step steps[] = {
        { NULL, deaf_connects },      { deaf_is_bound, NULL }, { flood, NULL },
        { closed_for_it, send_both }, { all_arrived, NULL },   { NULL, NULL },
    };
    struct world *w = *state;
    w->conf.queue_bytes = 65536;
    w->conf.full_ms = 200;
    router_of(w)->conn_conf.out_full = 65536;
    play(w, steps);
    close(w->deaf);
}

/* --- between hosts --- */

static void fingerprint_of(const char *file, char out[65])
{
    struct tls_cert_info info;
    struct why why = { "" };
    assert_int_equal(tls_cert_info(file, &info, &why), RC_OK);
    memcpy(out, info.fingerprint, 65);
}

static void make_certs(struct world *w)
{
    static const char *const router[] = { "localhost" }, *const edge[] = { "c2s" };
    struct why why = { "" };
    snprintf(w->certs.router, sizeof w->certs.router, "%s/router.pem", w->dir);
    snprintf(w->certs.router_key, sizeof w->certs.router_key, "%s/router.key", w->dir);
    snprintf(w->certs.edge, sizeof w->certs.edge, "%s/edge.pem", w->dir);
    snprintf(w->certs.edge_key, sizeof w->certs.edge_key, "%s/edge.key", w->dir);
    assert_int_equal(tls_make_self_signed(router, 1, w->certs.router, w->certs.router_key, &why), RC_OK);
    assert_int_equal(tls_make_self_signed(edge, 1, w->certs.edge, w->certs.edge_key, &why), RC_OK);
}

static unsigned free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    close(fd);
    return ntohs(in.sin_port);
}

/* The world's router goes, one with TLS comes. The edge logs in by certificate where with_cert. */
static void router_of_another_host(struct world *w, bool with_cert)
{
    char text[1024], fingerprint[65], how[100] = "secret = s2";
    struct why why = { "" };
    unsigned port = free_port();
    make_certs(w);
    fingerprint_of(w->certs.edge, fingerprint);
    if (with_cert)
        snprintf(how, sizeof how, "fingerprint = %s", fingerprint);
    snprintf(text, sizeof text,
             "[listen]\nunix =\naddress = 127.0.0.1\nport = %u\n[tls]\ncert = router.pem\nkey = router.key\n"
             "[component sessman]\nrole = sessman\nsecret = s1\n[component c2s]\nrole = edge\n%s\n",
             port, how);
    conf_clear(&router_conf_table, &w->conf);
    assert_int_equal(conf_read_text(&router_conf_table, slice_cstr(text), &w->conf, &why), RC_OK);
    snprintf(w->certs.address, sizeof w->certs.address, "tls:localhost:%u", port);
    router_start(w);
}

static void by_secret(struct world *w)
{
    sess_open(w, w->certs.address);
    edge_open(w, w->certs.address);
}

static void by_cert(struct world *w)
{
    sess_open(w, w->certs.address);
    link_open(&w->edge, w->certs.address,
              (struct rlink_conf){ .name = "c2s",
                                   .instance = "c2s-1",
                                   .role = ROLE_EDGE,
                                   .ca_file = w->certs.router,
                                   .cert_file = w->certs.edge,
                                   .key_file = w->certs.edge_key });
}

static void tls_and_secret(struct world *w)
{
    router_of_another_host(w, false);
    by_secret(w);
}

static void tls_and_cert(struct world *w)
{
    router_of_another_host(w, true);
    by_cert(w);
}

static bool all_secure(struct world *w)
{
    bool secure = all_arrived(w);
    LIST_EACH(&router_of(w)->peers, at)
        secure = secure && CONTAINER(at, struct peer, all)->secure;
    return secure;
}

static void over_tls_the_secret_binds_the_channel(void **state) /* RFC 5802 6: no CA is needed */
{
    static const struct step steps[] = {
        { NULL, router_stop },         { router_empty, router_gone }, { NULL, tls_and_secret },
        { see_each_other, send_both }, { all_secure, NULL },          { NULL, NULL },
    };
    play(*state, steps);
}

static void over_tls_a_certificate_will_do(void **state) /* XEP-0225 3, EXTERNAL */
{
    static const struct step steps[] = {
        { NULL, router_stop },         { router_empty, router_gone }, { NULL, tls_and_cert },
        { see_each_other, send_both }, { all_secure, NULL },          { NULL, NULL },
    };
    play(*state, steps);
}

static void strange_ca(struct world *w)
{
    router_of_another_host(w, false);
    link_open(&w->edge, w->certs.address,
              (struct rlink_conf){ .name = "c2s",
                                   .secret = "s2",
                                   .instance = "c2s-1",
                                   .role = ROLE_EDGE,
                                   .ca_file = w->certs.edge }); /* not who signed the router's */
}

static bool tried_thrice(struct world *w)
{
    return router_of(w)->next_number >= 3;
}

static void a_router_with_another_certificate_gets_no_login(void **state)
{
    static const struct step steps[] = {
        { NULL, router_stop }, { router_empty, router_gone }, { NULL, strange_ca }, { tried_thrice, NULL },
        { NULL, NULL },
    };
    struct world *w = *state;
    play(w, steps);
    assert_int_equal(w->edge.links, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_arrive_once_and_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_end_that_remembers_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_that_remembers_another_channel_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_router_that_restarts_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_edge_that_was_given_up_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(one_router_of_two_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(every_daemon_is_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(a_daemon_at_two_routers_is_heard_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_edge_may_not_ask_for_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_router_one_hears_oneself, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_dropped_it_is_not_called, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_closed_and_nobody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_has_bound_bounces, setup, teardown),
        cmocka_unit_test_setup_teardown(an_edge_may_not_address_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_secret_gets_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(a_role_is_not_for_the_asking, setup, teardown),
        cmocka_unit_test_setup_teardown(over_tls_the_secret_binds_the_channel, setup, teardown),
        cmocka_unit_test_setup_teardown(over_tls_a_certificate_will_do, setup, teardown),
        cmocka_unit_test_setup_teardown(a_router_with_another_certificate_gets_no_login, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
