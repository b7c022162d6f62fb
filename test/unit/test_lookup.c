/* test/unit/test_lookup.c - s2s/lookup.c against a server on loopback: answers, time-outs, bounds, the cache
 * (PEERS 32) */
#include "s2s/lookup.h"

#include "test/unit/dns_world.h"
#include <sys/resource.h>

struct asked {
    struct lookup *lookup;
    unsigned calls;
    enum rc rc;
    bool secure, no_name;
    size_t n;
    uint32_t ttl_s;
    struct slice first; /* in the world's arena */
    struct why why;
    struct arena *a;
    struct lookup **cancels; /* in the callback */
};

static void on_done(void *ctx, const struct lookup_answer *answer)
{
    struct asked *q = ctx;
    q->lookup = NULL;
    q->calls++;
    q->rc = answer->rc;
    q->secure = answer->secure;
    q->no_name = answer->no_name;
    q->n = answer->n;
    q->ttl_s = answer->ttl_s;
    q->why = answer->why;
    if (answer->n)
        q->first = arena_copy(q->a, answer->rdata[0]);
    if (q->cancels)
        lookup_cancel(q->cancels);
}

static void ask(struct dns_world *w, struct asked *q, const char *name, enum dns_type type)
{
    *q = (struct asked){ .a = w->a, .cancels = q->cancels };
    q->lookup = lookup_start(w->resolver, slice_cstr(name), type, on_done, q);
    assert_int_equal(q->calls, 0);
}

static void ask_and_wait(struct dns_world *w, struct asked *q, const char *name, enum dns_type type)
{
    *q = (struct asked){ 0 };
    ask(w, q, name, type);
    DNS_UNTIL(w, q->calls);
    assert_int_equal(q->calls, 1);
}

#define IP(last) SLICE_INIT("\300\0\2" last)

static void records_arrive(void **state)
{
    const struct dns_row rows[] = {
        { "a.example", DNS_A, 600, IP("\1"), 0 },
        { "a.example", DNS_A, 600, IP("\2"), 0 },
        { "b.example", T_CNAME, 600, SLICE_INIT("\1a\7example\0"), 0 },
    };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, 3);
    ask_and_wait(w, &q, "a.example", DNS_A);
    assert_int_equal(q.rc, RC_OK);
    assert_int_equal(q.n, 2);
    assert_false(q.secure);
    assert_int_equal(q.first.len, 4);
    assert_memory_equal(q.first.p, "\300\0\2", 3);
    assert_in_range(q.ttl_s, 500, 600);
    ask_and_wait(w, &q, "b.example", DNS_A);
    assert_int_equal(q.rc, RC_OK);
    assert_int_equal(q.n, 2);
    assert_int_equal(resolver_stats(w->resolver).answered, 2);
    assert_int_equal(resolver_stats(w->resolver).under_way, 0);
    dns_world_free(w);
}

static void what_is_not_there_is_told(void **state)
{
    const struct dns_row rows[] = {
        { "a.example", DNS_A, 600, IP("\1"), 0 },
        { "none.example", DNS_A, 600, { 0 }, DNS_NO_NAME },
        { "bad.example", DNS_A, 600, { 0 }, DNS_FAILS },
    };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, 3);
    ask_and_wait(w, &q, "a.example", DNS_AAAA);
    assert_int_equal(q.rc, RC_NOTFOUND);
    assert_false(q.no_name);
    ask_and_wait(w, &q, "none.example", DNS_A);
    assert_int_equal(q.rc, RC_NOTFOUND);
    assert_true(q.no_name);
    assert_non_null(strstr(q.why.text, "none.example"));
    ask_and_wait(w, &q, "bad.example", DNS_A);
    assert_int_equal(q.rc, RC_IO);
    assert_non_null(strstr(q.why.text, "server failure"));
    assert_int_equal(resolver_stats(w->resolver).failed, 1);
    dns_world_free(w);
}

static void names_that_are_none_fail(void **state)
{
    static const char *const names[] = {
        "",
        "a..example",
        ".",
        "a.example.",
        "a b.example",
        "\xC3\xBC.example",
        "a123456789b123456789c123456789d123456789e123456789f123456789abcde.x"
    };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, NULL, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ask_and_wait(w, &q, names[i], DNS_A);
        assert_int_equal(q.rc, RC_SYNTAX);
    }
    assert_int_equal(w->packets, 0);
    dns_world_free(w);
}

static void alias_loops_end(void **state) /* PEERS 32 */
{
    const struct dns_row rows[] = {
        { "self.example", T_CNAME, 0, SLICE_INIT("\4self\7example\0"), 0 },
        { "x.example", T_CNAME, 0, SLICE_INIT("\1y\7example\0"), 0 },
        { "y.example", T_CNAME, 0, SLICE_INIT("\1x\7example\0"), 0 },
    };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, 3);
    ask_and_wait(w, &q, "self.example", DNS_A);
    assert_int_not_equal(q.rc, RC_OK);
    assert_int_equal(q.n, 0);
    ask_and_wait(w, &q, "x.example", DNS_A);
    assert_int_not_equal(q.rc, RC_OK);
    assert_in_range(w->packets, 1, 60);
    dns_world_free(w);
}

static void silence_ends_with_a_time_out(void **state)
{
    const struct dns_row rows[] = { { "mute.example", DNS_A, 0, { 0 }, DNS_SILENT } };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ .timeout_ms = 200 }, rows, 1);
    ask_and_wait(w, &q, "mute.example", DNS_A);
    assert_int_equal(q.rc, RC_TIMEOUT);
    assert_true(w->packets >= 1);
    assert_int_equal(resolver_stats(w->resolver).timeouts, 1);
    assert_int_equal(resolver_stats(w->resolver).under_way, 0);
    dns_world_free(w); /* with what is left behind */
}

static void cancelled_ones_do_not_come(void **state)
{
    const struct dns_row rows[] = {
        { "a.example", DNS_A, 600, IP("\1"), 0 },
        { "b.example", DNS_A, 600, IP("\1"), 0 },
        { "mute.example", DNS_A, 0, { 0 }, DNS_SILENT },
    };
    struct dns_world *w = dns_world_new();
    struct asked early = { 0 }, asked = { 0 }, mute = { 0 }, other = { 0 };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, 3);
    ask(w, &early, "a.example", DNS_A);
    lookup_cancel(&early.lookup); /* before it was asked */
    assert_null(early.lookup);
    ask(w, &mute, "mute.example", DNS_A);
    ask(w, &asked, "a.example", DNS_A);
    DNS_UNTIL(w, w->packets);
    lookup_cancel(&asked.lookup); /* after */
    other.cancels = &mute.lookup; /* in the callback of another one */
    ask(w, &other, "b.example", DNS_A);
    DNS_UNTIL(w, other.calls);
    assert_null(mute.lookup);
    assert_int_equal(early.calls + asked.calls + mute.calls, 0);
    assert_int_equal(resolver_stats(w->resolver).under_way, 0);
    lookup_cancel(&mute.lookup); /* harmless */
    dns_world_free(w);
    assert_int_equal(early.calls + asked.calls + mute.calls, 0);
}

static void so_many_at_once_and_so_many_wait(void **state)
{
    const struct dns_row rows[] = { { "mute.example", DNS_A, 0, { 0 }, DNS_SILENT },
                                    { "a.example", DNS_A, 600, IP("\1"), 0 } };
    struct dns_world *w = dns_world_new();
    struct asked mute = { 0 }, first = { 0 }, second = { 0 }, third = { 0 };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ .at_once = 1, .waiting_max = 2 }, rows, 2);
    ask(w, &mute, "mute.example", DNS_A);
    DNS_UNTIL(w, w->packets);
    ask(w, &first, "a.example", DNS_A);
    ask(w, &second, "a.example", DNS_A);
    ask(w, &third, "a.example", DNS_A);
    DNS_UNTIL(w, third.calls);
    assert_int_equal(third.rc, RC_LIMIT);
    assert_int_equal(resolver_stats(w->resolver).refused, 1);
    assert_int_equal(resolver_stats(w->resolver).waiting, 2);
    assert_int_equal(resolver_stats(w->resolver).under_way, 1);
    assert_int_equal(first.calls + second.calls, 0);
    lookup_cancel(&mute.lookup); /* makes room */
    DNS_UNTIL(w, first.calls && second.calls);
    assert_int_equal(first.rc, RC_OK);
    assert_int_equal(second.rc, RC_OK);
    dns_world_free(w);
}

/* A resolver on select() would fail beyond 1,024; a server has more connections. */
static void descriptors_may_be_many(void **state)
{
    enum { MANY = 1500 };
    const struct dns_row rows[] = { { "a.example", DNS_A, 600, IP("\1"), 0 } };
    struct rlimit limit;
    int fds[MANY];
    struct asked q;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * MANY)
        limit.rlim_cur = 2 * MANY;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (size_t i = 0; i < MANY; i++)
        assert_true((fds[i] = dup(STDERR_FILENO)) >= 0);
    struct dns_world *w = dns_world_new();
    assert_true(w->fd > 1024);
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, 1);
    ask_and_wait(w, &q, "a.example", DNS_A);
    assert_int_equal(q.rc, RC_OK);
    dns_world_free(w);
    for (size_t i = 0; i < MANY; i++)
        close(fds[i]);
}

static void answers_are_kept(void **state) /* PEERS 32: TTL 0 */
{
    const struct dns_row rows[] = {
        { "long.example", DNS_A, 600, IP("\1"), 0 },
        { "zero.example", DNS_A, 0, IP("\1"), 0 },
        { "none.example", DNS_A, 600, { 0 }, DNS_NO_NAME },
    };
    static const char *const names[] = { "long.example", "zero.example", "none.example" };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(
        w, (struct lookup_conf){ .ttl_least_s = 300, .ttl_most_s = 400, .negative_most_s = 300 }, rows, 3);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned again = 0; again < 3; again++) {
            ask_and_wait(w, &q, names[i], DNS_A);
            assert_int_equal(q.rc, i == 2 ? RC_NOTFOUND : RC_OK);
            assert_true(q.ttl_s <= 400);
        }
        assert_int_equal(w->packets, i + 1);
    }
    dns_world_free(w);
}

static void records_of_the_configuration_need_no_server(void **state)
{
    static const char *const records[] = { "a.example. 60 IN A 192.0.2.9",
                                           "_x._tcp.a.test. 60 IN SRV 1 2 3 b.a.test.", NULL };
    struct dns_world *w = dns_world_new();
    struct asked q;
    struct dns_srv srv;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ .records = records }, NULL, 0);
    ask_and_wait(w, &q, "a.example", DNS_A);
    assert_int_equal(q.rc, RC_OK);
    assert_memory_equal(q.first.p, "\300\0\2\11", 4);
    ask_and_wait(w, &q, "_x._tcp.a.test", DNS_SRV);
    assert_int_equal(q.rc, RC_OK);
    assert_false(q.secure);
    assert_int_equal(dns_srv_read(w->a, q.first, &srv), RC_OK);
    assert_true(slice_is(srv.host, "b.a.test"));
    assert_int_equal(w->packets, 0);
    dns_world_free(w);
}

static void the_domain_test_is_asked_for(void **state) /* RFC 6761 6.2 */
{
    const struct dns_row rows[] = { { "a.test", DNS_A, 600, IP("\1"), 0 } };
    struct dns_world *w = dns_world_new();
    struct asked q;
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, 1);
    ask_and_wait(w, &q, "a.test", DNS_A);
    assert_int_equal(q.rc, RC_OK);
    dns_world_free(w);
}

static void wrong_configurations_are_refused(void **state)
{
    static const char *const no_server[] = { "localhost", NULL };
    static const char *const no_record[] = { "a.example. 60 IN A 192.0.2.999", NULL };
    const struct lookup_conf cases[] = {
        { .servers = no_server, .anchor_file = "" },
        { .iterate = true, .records = no_record, .anchor_file = "" },
        { .iterate = true, .anchor_file = "/nonexistent/root.key" },
        { .iterate = true, .anchor_file = "/etc/passwd" },
        { .iterate = true, .anchor_file = "", .hosts_file = "/nonexistent/hosts" },
    };
    static const char *const named[] = { "localhost", "192.0.2.999", "/nonexistent/root.key", "/etc/passwd",
                                         "/nonexistent/hosts" };
    struct dns_world *w = dns_world_new();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct why why = { "" };
        struct resolver *r = NULL;
        assert_int_not_equal(resolver_new(w->loop, &cases[i], &r, &why), RC_OK);
        assert_null(r);
        if (!strstr(why.text, named[i]))
            fail_msg("case %zu: %s", i, why.text);
    }
    dns_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_arrive),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(names_that_are_none_fail),
        cmocka_unit_test(alias_loops_end),
        cmocka_unit_test(silence_ends_with_a_time_out),
        cmocka_unit_test(cancelled_ones_do_not_come),
        cmocka_unit_test(so_many_at_once_and_so_many_wait),
        cmocka_unit_test(descriptors_may_be_many),
        cmocka_unit_test(answers_are_kept),
        cmocka_unit_test(records_of_the_configuration_need_no_server),
        cmocka_unit_test(the_domain_test_is_asked_for),
        cmocka_unit_test(wrong_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
