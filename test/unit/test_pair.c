/* test/unit/test_pair.c - a pair's state: when a stream is made, what waits, what comes back; and the counts
 * of stream management
 *
 * Streams, link and time are played here: pair.c alone is real, and of sm.c what is pure. */
#include "s2s/in.h"
#include "s2s/link.h"
#include "s2s/out.h"
#include "s2s/ssm.h"

#include "common/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct metric_def defs[M_COUNT] = {
#define X(id, name, kind, help) [M_##id] = { name, METRIC_##kind, help },
    S2S_METRICS(X)
#undef X
};

struct world {
    struct s2s d;
    struct s2s_conf conf;
    struct daemon_run run;
    struct out *out; /* the last that was made */
    unsigned outs, wants;
    bool may_send;
    struct buf sent, bounced, finished, verified;
};
static struct world *w; /* of the test that runs: the played functions have no owner */

/* --- played --- */

struct out *out_new(struct pair *p, struct buf *trace)
{
    (void)trace;
    w->outs++;
    w->out = mem_new(sizeof *w->out);
    w->out->pair = p;
    w->out->state = OUT_RESOLVE;
    list_init(&w->out->w.pairs);
    return w->out;
}

void out_want(struct out *o)
{
    (void)o;
    w->wants++;
}

bool out_ask(struct out *o, struct verify *v)
{
    (void)v;
    return o->state >= OUT_OPEN;
}

bool wire_may_send(const struct wire *wire)
{
    (void)wire;
    return w->may_send;
}

void wire_send(struct wire *wire, struct item *it)
{
    (void)wire;
    buf_slice(&w->sent, item_bytes(it));
    item_finish(it);
}

void link_bounce(struct s2s *d, struct slice stanza, enum stanza_cond cond, const char *text)
{
    (void)d;
    buf_fmt(&w->bounced, SLICE_FMT ":%s:%s;", SLICE_ARG(stanza), stanza_cond_name(cond), text);
}

void link_finished(struct s2s *d, uint64_t node, uint64_t mark)
{
    (void)d, (void)node;
    buf_fmt(&w->finished, "%u ", (unsigned)mark);
}

void in_verified(struct verify *v, const struct pair *p, enum dialback_type type, const char *error,
                 const char *text)
{
    (void)p, (void)type, (void)text;
    buf_fmt(&w->verified, "%s:%s;", v->id, error ? error : "");
}

void verify_free(struct verify **v)
{
    list_unlink(&(*v)->link);
    mem_free((*v)->id);
    MEM_FREE(v);
}

void ssm_kept_drop(struct ssm_kept **k)
{
    *k = NULL;
}

/* --- the tests' own --- */

static int set_up(void **state)
{
    w = mem_new(sizeof *w);
    w->may_send = true;
    w->run.loop = loop_new();
    w->conf = (struct s2s_conf){ .queue_stanzas = 3,
                                 .queue_bytes = 1000,
                                 .queue_age_ms = 10000,
                                 .retry_ms = 1000,
                                 .retry_max_ms = 8000,
                                 .pairs = 2 };
    w->d.conf = &w->conf;
    w->d.run = &w->run;
    w->d.loop = w->run.loop;
    w->d.metrics = metrics_new(defs, M_COUNT);
    w->d.arenas = arena_pool_new(1024, 0, 4);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pair_free_all(&w->d);
    arena_pool_free(&w->d.arenas);
    metrics_free(&w->d.metrics);
    loop_stop(w->run.loop);
    loop_run(w->run.loop);
    loop_free(&w->run.loop);
    mem_free(w->out);
    buf_fini(&w->sent);
    buf_fini(&w->bounced);
    buf_fini(&w->finished);
    buf_fini(&w->verified);
    mem_free(w);
    return 0;
}

static struct pair *a_pair(void)
{
    return pair_get(&w->d, SLICE("im.example"), SLICE("far.example"));
}

static void give(struct pair *p, const char *bytes, uint64_t mark)
{
    pair_send(p, item_new(p, slice_cstr(bytes), 1, mark));
}

static void end_out(struct pair *p)
{
    if (w->out == p->out)
        w->out = NULL;
    MEM_FREE(&p->out);
}

static bool is(struct buf *b, const char *text)
{
    bool same = slice_is(buf_get(b), text);
    if (!same)
        print_message("\"" SLICE_FMT "\"\n", SLICE_ARG(buf_get(b)));
    return same;
}

static void the_first_stanza_makes_a_stream_and_waits(void **state)
{
    struct pair *p = a_pair();
    (void)state;
    give(p, "one,", 1);
    give(p, "two,", 2);
    assert_true(w->outs == 1 && p->out == w->out && pair_state(p) == PAIR_TRYING);
    assert_true(is(&w->sent, "") && p->n == 2);
    pair_via(p, &w->out->w);
    assert_true(is(&w->sent, "one,two,") && is(&w->finished, "1 2 ") && p->n == 0 &&
                pair_state(p) == PAIR_READY);
    give(p, "three", 3);
    assert_true(is(&w->sent, "one,two,three") && w->outs == 1);
    pair_off(p);
    end_out(p);
}

static void nothing_overtakes_what_waits(void **state)
{
    struct pair *p = a_pair();
    (void)state;
    give(p, "one,", 1);
    w->may_send = false;
    pair_via(p, &w->out->w);
    give(p, "two,", 2);
    assert_true(is(&w->sent, ""));
    w->may_send = true;
    give(p, "three,", 3);
    assert_true(is(&w->sent, "one,two,three,"));
    pair_off(p);
    end_out(p);
}

static void over_its_limit_it_comes_back(void **state)
{
    struct pair *p = a_pair();
    (void)state;
    for (unsigned i = 1; i <= 4; i++)
        give(p, "x", i);
    assert_true(p->n == 3);
    assert_true(is(&w->bounced, "x:resource-constraint:too much waits for this server already;"));
    assert_true(is(&w->finished, "4 "));
    end_out(p);
}

static void what_waiting_helps_waits(void **state)
{
    struct pair *p = a_pair();
    struct failure f;
    (void)state;
    give(p, "one", 1);
    end_out(p);
    pair_failure_set(&f, STEP_CONNECT, COND_REMOTE_SERVER_TIMEOUT, true, "refused");
    pair_failed(p, &f);
    give(p, "two", 2);
    assert_true(p->n == 2 && is(&w->bounced, "") && w->outs == 1);
    assert_true(p->retry_ms >= loop_now_ms(w->d.loop) + 500 && p->retry_ms <= loop_now_ms(w->d.loop) + 1000);
    p->retry_ms = 0;
    pair_need(p);
    assert_true(w->outs == 2);
    end_out(p);
}

static void what_it_does_not_help_comes_back_at_once(void **state)
{
    struct pair *p = a_pair();
    struct failure f;
    (void)state;
    give(p, "one", 1);
    end_out(p);
    pair_failure_set(&f, STEP_RESOLVE, COND_REMOTE_SERVER_NOT_FOUND, false, "no such domain");
    pair_failed(p, &f);
    assert_true(is(&w->bounced, "one:remote-server-not-found:no such domain;") && is(&w->finished, "1 "));
    give(p, "two", 2); /* within the pause: without another attempt */
    assert_true(w->outs == 1 && is(&w->finished, "1 2 "));
    p->retry_ms = 0;
    give(p, "three", 3);
    assert_true(w->outs == 2 && p->n == 1);
    end_out(p);
}

static void the_pause_doubles_up_to_its_most(void **state)
{
    struct pair *p = a_pair();
    struct failure f;
    (void)state;
    pair_failure_set(&f, STEP_CONNECT, COND_REMOTE_SERVER_TIMEOUT, true, "refused");
    static const uint64_t most[] = { 1000, 2000, 4000, 8000, 8000 };
    for (size_t i = 0; i < 5; i++) {
        pair_failed(p, &f);
        uint64_t wait = p->retry_ms - loop_now_ms(w->d.loop);
        assert_in_range(wait, most[i] / 2, most[i]);
    }
}

static void what_a_broken_stream_gives_back_goes_first(void **state)
{
    struct pair *p = a_pair();
    (void)state;
    give(p, "two,", 2);
    pair_back(p, item_new(p, SLICE("one,"), 1, 1));
    pair_via(p, &w->out->w);
    assert_true(is(&w->sent, "one,two,"));
    pair_off(p);
    end_out(p);
}

static void what_comes_back_while_another_stream_is_there_goes_out(void **state)
{
    struct pair *p = a_pair();
    (void)state;
    give(p, "one,", 1);
    pair_via(p, &w->out->w);
    pair_back(p, item_new(p, SLICE("two,"), 1, 2));
    assert_true(timer_running(&p->timer) && p->timer.due_ms <= loop_now_ms(w->d.loop) + 16);
    pair_need(p);
    assert_true(is(&w->sent, "one,two,") && p->n == 0);
    pair_off(p);
    end_out(p);
}

static void a_key_is_asked_about_and_hears_of_a_failure(void **state)
{
    struct pair *p = a_pair();
    struct failure f;
    struct wire in;
    struct verify *v = mem_new(sizeof *v);
    (void)state;
    v->in = &in;
    v->id = mem_copy(SLICE("id"));
    pair_ask(p, v);
    assert_true(w->outs == 1 && !v->asked);
    end_out(p);
    pair_failure_set(&f, STEP_CONNECT, COND_REMOTE_SERVER_TIMEOUT, true, "refused");
    pair_failed(p, &f);
    assert_true(is(&w->verified, "id:remote-server-timeout;") && list_empty(&p->verifies));
}

static void blocked_domains_are_not_called(void **state)
{
    static char name[] = "*.example";
    char *items[] = { name };
    struct pair *p = a_pair();
    (void)state;
    w->conf.block = (struct conf_list){ items, 1 };
    give(p, "one", 1);
    assert_true(w->outs == 0 && is(&w->finished, "1 ") && p->last.step == STEP_POLICY);
}

static void pairs_are_bounded(void **state)
{
    (void)state;
    assert_non_null(a_pair());
    assert_ptr_equal(a_pair(), a_pair());
    assert_non_null(pair_get(&w->d, SLICE("im.example"), SLICE("b.example")));
    assert_int_equal(map_count(w->d.pairs), 2);
    assert_non_null(pair_get(&w->d, SLICE("im.example"),
                             SLICE("c.example"))); /* one that nothing waits for gives its place */
    assert_int_equal(map_count(w->d.pairs), 2);
}

static void pairs_that_are_needed_stay(void **state)
{
    (void)state;
    struct pair *b = pair_get(&w->d, SLICE("im.example"), SLICE("b.example"));
    give(a_pair(), "one", 1);
    give(b, "two", 2);
    assert_null(pair_get(&w->d, SLICE("im.example"), SLICE("c.example")));
    assert_int_equal(map_count(w->d.pairs), 2);
    end_out(a_pair());
    end_out(b);
}

static void a_daemon_that_stops_begins_nothing_and_answers_nothing(void **state)
{
    struct pair *p = a_pair();
    (void)state;
    w->d.stopping = true;
    give(p, "one", 1);
    assert_true(w->outs == 0 && is(&w->bounced, "") && is(&w->finished, ""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(the_first_stanza_makes_a_stream_and_waits),
        T(nothing_overtakes_what_waits),
        T(over_its_limit_it_comes_back),
        T(what_waiting_helps_waits),
        T(what_it_does_not_help_comes_back_at_once),
        T(the_pause_doubles_up_to_its_most),
        T(what_a_broken_stream_gives_back_goes_first),
        T(what_comes_back_while_another_stream_is_there_goes_out),
        T(a_key_is_asked_about_and_hears_of_a_failure),
        T(blocked_domains_are_not_called),
        T(pairs_are_bounded),
        T(pairs_that_are_needed_stay),
        T(a_daemon_that_stops_begins_nothing_and_answers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
