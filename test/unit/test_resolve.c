/* test/unit/test_resolve.c - s2s/resolve.c against a server on loopback: SRV of both kinds, fallbacks,
 * DNSSEC, TLSA (PEERS 32) */
#include "s2s/resolve.h"

#include "s2s/own.h"
#include "test/unit/dns_world.h"
#include "test/unit/dns_signed.h"
#include <stdlib.h>

struct outcome {
    struct resolve *resolve;
    const struct resolve_answer *answer;
    unsigned calls;
};

static void on_done(void *ctx, struct resolve *resolve)
{
    struct outcome *o = ctx;
    o->calls++;
    o->answer = resolve_answer(resolve);
    assert_ptr_equal(o->resolve, resolve);
}

static void resolve_wait(struct dns_world *w, const struct resolve_conf *conf, const char *domain,
                         struct outcome *o)
{
    *o = (struct outcome){ 0 };
    o->resolve = resolve_domain(w->resolver, conf, slice_cstr(domain), on_done, o);
    assert_int_equal(o->calls, 0);
    DNS_UNTIL(w, o->calls);
    assert_int_equal(o->calls, 1);
    assert_true((o->answer->rc == RC_OK) == (o->answer->n > 0));
    assert_true(o->answer->rc == RC_OK || o->answer->why.text[0]);
}

/* "192.0.2.1:5269 starttls secure dane, …" of all attempts. */
static const char *attempts(struct dns_world *w, const struct outcome *o)
{
    struct buf out = BUF_INIT(0);
    for (size_t i = 0; i < o->answer->n; i++) {
        const struct target_attempt *t = &o->answer->attempts[i];
        char text[DNS_ADDR_TEXT];
        buf_fmt(&out, "%s%s " SLICE_FMT "%s%s%s", i ? ", " : "", dns_addr_text(&t->addr, text),
                SLICE_ARG(t->host), t->direct_tls ? " tls" : "", t->secure ? " secure" : "",
                t->tlsa_n ? " dane" : "");
    }
    const char *text = arena_cstr(w->a, buf_get(&out));
    buf_fini(&out);
    return text;
}

static void gives_with(struct dns_world *w, const struct resolve_conf *conf, const char *domain,
                       const char *expected)
{
    struct outcome o;
    resolve_wait(w, conf, domain, &o);
    if (strcmp(attempts(w, &o), expected) != 0)
        fail_msg("%s: \"%s\" %s %s\n" SLICE_FMT, domain, attempts(w, &o), rc_name(o.answer->rc),
                 o.answer->why.text, SLICE_ARG(o.answer->trace));
    resolve_free(&o.resolve);
    assert_null(o.resolve);
}

static void gives(struct dns_world *w, const char *domain, const char *expected)
{
    gives_with(w, &(struct resolve_conf){ 0 }, domain, expected);
}

static void fails_with(struct dns_world *w, const struct resolve_conf *conf, const char *domain, enum rc rc,
                       const char *named)
{
    struct outcome o;
    resolve_wait(w, conf, domain, &o);
    if (o.answer->rc != rc || !strstr(o.answer->why.text, named))
        fail_msg("%s: %s %s: %s\n" SLICE_FMT, domain, attempts(w, &o), rc_name(o.answer->rc),
                 o.answer->why.text, SLICE_ARG(o.answer->trace));
    resolve_free(&o.resolve);
}

static void fails(struct dns_world *w, const char *domain, enum rc rc, const char *named)
{
    fails_with(w, &(struct resolve_conf){ 0 }, domain, rc, named);
}

#define S_PLAIN    "_xmpp-server._tcp."
#define S_TLS      "_xmpps-server._tcp."
#define ROWS(rows) rows, sizeof(rows) / sizeof *(rows)
#define IP(last)   SLICE_INIT("\300\0\2" last)
#define IP6(last)  SLICE_INIT("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0" last)

static void both_services_make_one_list(void **state)
{
    struct dns_world *w = dns_world_new();
    const struct dns_row rows[] = {
        { S_PLAIN "a.example", DNS_SRV, 60, dns_srv(w->a, 10, 0, 5269, "h1.a.example"), 0 },
        { S_TLS "a.example", DNS_SRV, 60, dns_srv(w->a, 5, 0, 5270, "h2.a.example"), 0 },
        { "h1.a.example", DNS_A, 60, IP("\1"), 0 },
        { "h1.a.example", DNS_AAAA, 60, IP6("\1"), 0 },
        { "h2.a.example", DNS_A, 60, IP("\2"), 0 },
    };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, ROWS(rows));
    gives(w, "a.example",
          "192.0.2.2:5270 h2.a.example tls, [2001:db8::1]:5269 h1.a.example, 192.0.2.1:5269 h1.a.example");
    unsigned packets = w->packets;
    gives_with(w, &(struct resolve_conf){ .rules.no_ipv6 = true }, "a.example",
               "192.0.2.2:5270 h2.a.example tls, 192.0.2.1:5269 h1.a.example");
    gives_with(w, &(struct resolve_conf){ .targets_max = 1 }, "a.example", "192.0.2.2:5270 h2.a.example tls");
    gives_with(w, &(struct resolve_conf){ .rules.attempts_max = 2 }, "a.example",
               "192.0.2.2:5270 h2.a.example tls, [2001:db8::1]:5269 h1.a.example");
    assert_int_equal(w->packets, packets); /* the cache knows */
    dns_world_free(w);
}

static void without_srv_it_is_the_domain(void **state) /* RFC 6120 3.2.2 */
{
    struct dns_world *w = dns_world_new();
    const struct dns_row rows[] = {
        { "a.example", DNS_A, 60, IP("\1"), 0 },
        { "xn--bcher-kva.example", DNS_A, 60, IP("\2"), 0 },
        { S_PLAIN "b.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 0, ""), 0 },
        { "b.example", DNS_A, 60, IP("\1"), 0 },
        { S_TLS "c.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 0, ""), 0 },
        { "c.example", DNS_A, 60, IP("\3"), 0 },
        { "none.example", DNS_A, 60, { 0 }, DNS_NO_NAME },
    };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, ROWS(rows));
    gives(w, "a.example", "192.0.2.1:5269 a.example");
    gives(w,
          "b\xC3\xBC"
          "cher.example",
          "192.0.2.2:5269 xn--bcher-kva.example");
    gives(w, "c.example", "192.0.2.3:5269 c.example");
    fails(w, "b.example", RC_DENIED, "b.example says that there is no XMPP service");
    fails(w, "none.example", RC_NOTFOUND, "none.example: no such name");
    fails(w, "nothing.example", RC_NOTFOUND, "nothing.example: there is none");
    dns_world_free(w);
}

static void addresses_need_no_dns(void **state)
{
    struct dns_world *w = dns_world_new();
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, NULL, 0);
    gives(w, "192.0.2.7", "192.0.2.7:5269 192.0.2.7");
    gives(w, "[2001:db8::7]", "[2001:db8::7]:5269 2001:db8::7");
    fails(w, "127.0.0.1", RC_NOTFOUND, "loopback");
    fails(w, "a123456789b123456789c123456789d123456789e123456789f123456789abcde.example", RC_SYNTAX,
          "domain");
    assert_int_equal(w->packets, 0);
    dns_world_free(w);
}

static void hostile_records_lead_nowhere(void **state) /* PEERS 32 */
{
    struct dns_world *w = dns_world_new();
    union dns_addr own;
    const struct dns_row rows[] = {
        { S_PLAIN "loop.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 22, "lo.example"), 0 },
        { "lo.example", DNS_A, 60, SLICE_INIT("\177\0\0\1"), 0 },
        { "lo.example", DNS_AAAA, 60, SLICE_INIT("\0\0\0\0\0\0\0\0\0\0\377\377\177\0\0\1"), 0 },
        { S_PLAIN "self.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 5269, "own.example"), 0 },
        { "own.example", DNS_A, 60, IP("\11"), 0 },
        { S_PLAIN "alias.example", T_CNAME, 0, SLICE_INIT("\14_xmpp-server\4_tcp\5alias\7example\0"), 0 },
        { S_PLAIN "odd.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 5269, "sp ace.example"), 0 },
        { "odd.example", DNS_A, 60, IP("\1"), 0 },
    };
    (void)state;
    assert_int_equal(dns_addr_parse(SLICE("192.0.2.9"), 5269, &own), RC_OK);
    const struct resolve_conf conf = { .rules = { .own = &own, .own_n = 1 } };
    const struct resolve_conf tests = { .rules = { .allow_loopback = true } };
    dns_world_resolver(w, (struct lookup_conf){ 0 }, ROWS(rows));
    fails_with(w, &conf, "loop.example", RC_NOTFOUND, "may be connected to: ");
    gives_with(w, &tests, "loop.example", "127.0.0.1:22 lo.example");
    fails_with(w, &conf, "self.example", RC_NOTFOUND, "may be connected to: our own");
    gives(w, "self.example", "192.0.2.9:5269 own.example");
    fails(w, "alias.example", RC_IO, "alias.example");
    fails(w, "odd.example", RC_IO, "no record that can be read");
    dns_world_free(w);
}

static void a_thousand_targets_cost_a_few_lookups(void **state) /* PEERS 32 */
{
    enum { MANY = 1000 };
    struct dns_world *w = dns_world_new();
    struct dns_row *rows = mem_array(MANY + 2, sizeof *rows);
    struct outcome o;
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        rows[i] = (struct dns_row){ S_PLAIN "many.example", DNS_SRV, 60,
                                    dns_srv(w->a, i, 0, 5269, i % 2 ? "x.example" : "y.example"), 0 };
    rows[MANY] = (struct dns_row){ "x.example", DNS_A, 60, IP("\1"), 0 };
    rows[MANY + 1] = (struct dns_row){ "y.example", DNS_A, 60, IP("\2"), 0 };
    dns_world_resolver(w, (struct lookup_conf){ 0 }, rows, MANY + 2);
    resolve_wait(w, &(struct resolve_conf){ 0 }, "many.example", &o);
    assert_string_equal(attempts(w, &o),
                        "192.0.2.2:5269 y.example, 192.0.2.1:5269 x.example"); /* each address once */
    assert_non_null(memmem(o.answer->trace.p, o.answer->trace.len, "992 SRV records left out", 24));
    assert_in_range(resolver_stats(w->resolver).asked, 1, 2 + 8 * 2);
    resolve_free(&o.resolve);
    dns_world_free(w);
    mem_free(rows);
}

static void a_slow_part_holds_up_nothing_for_long(void **state)
{
    struct dns_world *w = dns_world_new();
    const struct dns_row rows[] = {
        { S_PLAIN "a.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 5269, "slow.example"), 0 },
        { S_PLAIN "a.example", DNS_SRV, 60, dns_srv(w->a, 1, 0, 5269, "half.example"), 0 },
        { S_TLS "a.example", DNS_SRV, 60, { 0 }, DNS_SILENT },
        { "slow.example", DNS_A, 60, { 0 }, DNS_SILENT },
        { "slow.example", DNS_AAAA, 60, { 0 }, DNS_SILENT },
        { "half.example", DNS_A, 60, IP("\1"), 0 },
        { "half.example", DNS_AAAA, 60, { 0 }, DNS_SILENT },
        { S_PLAIN "mute.example", DNS_SRV, 60, { 0 }, DNS_SILENT },
        { "mute.example", DNS_A, 60, IP("\1"), 0 },
        { S_PLAIN "failing.example", DNS_SRV, 60, { 0 }, DNS_FAILS },
        { "failing.example", DNS_A, 60, IP("\1"), 0 },
        { S_PLAIN "refuses.example", DNS_SRV, 60, { 0 }, DNS_FAILS },
        { S_TLS "refuses.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 0, ""), 0 },
        { S_PLAIN "direct.example", DNS_SRV, 60, { 0 }, DNS_FAILS },
        { S_TLS "direct.example", DNS_SRV, 60, dns_srv(w->a, 0, 0, 443, "half.example"), 0 },
    };
    const struct resolve_conf conf = { .grace_ms = 50 };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ .timeout_ms = 1000 }, ROWS(rows));
    gives_with(w, &conf, "a.example", "192.0.2.1:5269 half.example");
    assert_int_equal(resolver_stats(w->resolver).timeouts, 0); /* it did not wait for them */
    gives_with(w, &conf, "direct.example", "192.0.2.1:443 half.example tls");
    fails_with(w, &conf, "mute.example", RC_TIMEOUT,
               "no answer in time"); /* unknown is not absent: no fallback */
    fails_with(w, &conf, "failing.example", RC_IO, "server failure");
    fails_with(w, &conf, "refuses.example", RC_IO, "server failure");
    dns_world_free(w);
}

static void freed_ones_do_not_come(void **state)
{
    struct dns_world *w = dns_world_new();
    const struct dns_row rows[] = { { S_PLAIN "a.example", DNS_SRV, 60, { 0 }, DNS_SILENT },
                                    { "b.example", DNS_A, 60, IP("\1"), 0 } };
    struct outcome early = { 0 }, later = { 0 };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, ROWS(rows));
    early.resolve =
        resolve_domain(w->resolver, &(struct resolve_conf){ 0 }, SLICE("192.0.2.1"), on_done, &early);
    resolve_free(&early.resolve);
    later.resolve =
        resolve_domain(w->resolver, &(struct resolve_conf){ 0 }, SLICE("a.example"), on_done, &later);
    DNS_UNTIL(w, w->packets);
    resolve_free(&later.resolve);
    gives(w, "b.example", "192.0.2.1:5269 b.example");
    assert_int_equal(early.calls + later.calls, 0);
    dns_world_free(w);
}

static void routes_go_before_dns(void **state)
{
    static const struct resolve_route routes[] = {
        { "a.example", "192.0.2.50", 0, false },
        { "*", "relay.example", 7000, true },
        { "A.example", "2001:db8::50", 0, true },
        { "b\xC3\xBC"
          "cher.example",
          "192.0.2.51", 1234, false },
    };
    struct dns_world *w = dns_world_new();
    const struct dns_row rows[] = { { "relay.example", DNS_A, 60, IP("\60"), 0 } };
    const struct resolve_conf conf = { .routes = routes, .routes_n = 4 },
                              first = { .routes = routes, .routes_n = 1 };
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, ROWS(rows));
    gives_with(w, &conf, "a.example", "192.0.2.50:5269 192.0.2.50, [2001:db8::50]:5270 2001:db8::50 tls");
    gives_with(w, &conf, "other.example", "192.0.2.48:7000 relay.example tls");
    gives_with(w, &conf,
               "b\xC3\xBC"
               "cher.example",
               "192.0.2.51:1234 192.0.2.51");
    fails_with(w, &first, "other.example", RC_NOTFOUND, "other.example");
    dns_world_free(w);
}

/* --- DNSSEC --- */

static struct dns_world *signed_world(struct dns_row **rows)
{
    enum { N = sizeof signed_rows / sizeof *signed_rows };
    struct dns_world *w = dns_world_new();
    char path[] = "/tmp/test_resolve.XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, SIGNED_ANCHOR, sizeof SIGNED_ANCHOR - 1) != sizeof SIGNED_ANCHOR - 1)
        fail_msg("no file for the trust anchor");
    close(fd);
    *rows = mem_array(N + 4, sizeof **rows);
    memcpy(*rows, signed_rows, sizeof signed_rows);
    (*rows)[N] = (struct dns_row){ "_5269._tcp.hidden.signed.example", DNS_TLSA, 60, { 0 }, DNS_FAILS };
    (*rows)[N + 1] = (struct dns_row){ S_PLAIN "insecure.example", DNS_SRV, 60,
                                       dns_srv(w->a, 0, 0, 5269, "good.signed.example"), 0 };
    (*rows)[N + 2] = (struct dns_row){ S_PLAIN "nosig.signed.example", DNS_SRV, 60,
                                       dns_srv(w->a, 0, 0, 5269, "good.signed.example"), 0 };
    (*rows)[N + 3] = (struct dns_row){ "tlsa.insecure.example", DNS_TLSA, 60, SLICE_INIT("\3\1\1x"), 0 };
    dns_world_resolver(w, (struct lookup_conf){ .anchor_file = path }, *rows, N + 4);
    unlink(path); /* read when the resolver was made */
    return w;
}

/* A reload makes routes and our addresses anew while lookups are under way: what they were goes on. */
static void what_conf_points_to_may_change(void **state)
{
    struct dns_world *w = dns_world_new();
    const struct dns_row rows[] = {
        { "h.r.example", DNS_A, 60, IP("\7"), 0 },
        { "h.r.example", DNS_A, 60, IP("\10"), 0 },
    };
    char host[] = "h.r.example";
    union dns_addr own;
    struct resolve_route route = { .domain = "r.example", .host = host, .port = 5269 };
    const struct resolve_conf conf = { .routes = &route,
                                       .routes_n = 1,
                                       .rules = { .own = &own, .own_n = 1 } };
    struct outcome o = { 0 };
    (void)state;
    assert_int_equal(dns_addr_parse(SLICE("192.0.2.7"), 5269, &own), RC_OK);
    dns_world_resolver(w, (struct lookup_conf){ 0 }, ROWS(rows));
    o.resolve = resolve_domain(w->resolver, &conf, SLICE("r.example"), on_done, &o);
    memset(host, 'x', sizeof host - 1);
    memset(&own, 0, sizeof own);
    route = (struct resolve_route){ 0 };
    DNS_UNTIL(w, o.calls);
    assert_string_equal(attempts(w, &o), "192.0.2.8:5269 h.r.example");
    resolve_free(&o.resolve);
    dns_world_free(w);
}

static void secure_answers_bring_tlsa(void **state) /* RFC 7673 3 */
{
    struct dns_row *rows;
    struct dns_world *w = signed_world(&rows);
    struct outcome o;
    (void)state;
    resolve_wait(w, &(struct resolve_conf){ 0 }, "signed.example", &o);
    if (o.answer->rc != RC_OK)
        fail_msg("%s\n" SLICE_FMT, o.answer->why.text, SLICE_ARG(o.answer->trace));
    assert_string_equal(
        attempts(w, &o),
        "[2001:db8::1]:5269 good.signed.example secure dane, 192.0.2.1:5269 good.signed.example secure dane");
    const struct target_attempt *t = &o.answer->attempts[0];
    assert_int_equal(t->tlsa_n, 1);
    assert_int_equal(t->tlsa[0].usage, 3);
    assert_int_equal(t->tlsa[0].selector, 1);
    assert_int_equal(t->tlsa[0].matching, 1);
    assert_int_equal(t->tlsa[0].data.len, 32);
    assert_int_equal(t->tlsa[0].data.p[31], 31);
    resolve_free(&o.resolve);
    gives(
        w, "two.signed.example",
        "[2001:db8::1]:5269 good.signed.example secure dane, 192.0.2.1:5269 good.signed.example secure dane, "
        "192.0.2.2:5269 plain.signed.example secure");
    gives(w, "bare.signed.example", "192.0.2.4:5269 bare.signed.example secure dane");
    dns_world_free(w);
    mem_free(rows);
}

static void insecure_ways_have_no_tlsa(void **state)
{
    struct dns_row *rows;
    struct dns_world *w = signed_world(&rows);
    (void)state;
    gives(w, "alias.signed.example",
          "192.0.2.5:5269 alias.signed.example secure"); /* its TLSA is an insecure one */
    gives(w, "insecure.example",
          "[2001:db8::1]:5269 good.signed.example, 192.0.2.1:5269 good.signed.example");
    dns_world_free(w);
    mem_free(rows);
}

static void what_is_forged_is_not_used(void **state)
{
    struct dns_row *rows;
    struct dns_world *w = signed_world(&rows);
    (void)state;
    fails(w, "forged.signed.example", RC_CONFLICT, "bogus");
    fails(w, "half.signed.example", RC_CONFLICT, "_xmpps-server._tcp.half.signed.example: bogus");
    fails(w, "nosig.signed.example", RC_CONFLICT, "bogus");
    fails(w, "badhost.signed.example", RC_CONFLICT, "evil.signed.example: bogus");
    dns_world_free(w);
    mem_free(rows);
}

static void hidden_tlsa_records_close_the_way(void **state) /* RFC 7673 3.4 */
{
    struct dns_row *rows;
    struct dns_world *w = signed_world(&rows);
    (void)state;
    fails(w, "hide.signed.example", RC_IO, "TLSA of _5269._tcp.hidden.signed.example");
    dns_world_free(w);
    mem_free(rows);
}

static void without_an_anchor_nothing_is_secure(void **state)
{
    struct dns_row *rows;
    struct dns_world *w = signed_world(&rows);
    (void)state;
    dns_world_resolver(w, (struct lookup_conf){ 0 }, w->rows, w->n);
    gives(w, "signed.example", "[2001:db8::1]:5269 good.signed.example, 192.0.2.1:5269 good.signed.example");
    dns_world_free(w);
    mem_free(rows);
}

static void our_own_addresses_are_those_of_the_interfaces(void **state)
{
    struct arena *a = arena_new(4096, 0);
    union dns_addr listening[2], *own, lo, *none;
    bool found = false;
    (void)state;
    assert_int_equal(dns_addr_parse(SLICE("0.0.0.0"), 5269, &listening[0]), RC_OK);
    assert_int_equal(dns_addr_parse(SLICE("192.0.2.1"), 5270, &listening[1]), RC_OK);
    assert_int_equal(dns_addr_parse(SLICE("127.0.0.1"), 5269, &lo), RC_OK);
    size_t n = own_addresses(a, listening, 2, &own);
    assert_true(n >= 2);
    assert_true(dns_addr_eq(&own[0], &listening[0]));
    assert_true(dns_addr_eq(&own[n - 1], &listening[1]));
    for (size_t i = 0; i < n; i++)
        found = found || dns_addr_eq(&own[i], &lo);
    assert_true(found);
    assert_int_equal(own_addresses(a, listening, 0, &none), 0);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_services_make_one_list),
        cmocka_unit_test(without_srv_it_is_the_domain),
        cmocka_unit_test(addresses_need_no_dns),
        cmocka_unit_test(hostile_records_lead_nowhere),
        cmocka_unit_test(a_thousand_targets_cost_a_few_lookups),
        cmocka_unit_test(a_slow_part_holds_up_nothing_for_long),
        cmocka_unit_test(freed_ones_do_not_come),
        cmocka_unit_test(routes_go_before_dns),
        cmocka_unit_test(what_conf_points_to_may_change),
        cmocka_unit_test(secure_answers_bring_tlsa),
        cmocka_unit_test(insecure_ways_have_no_tlsa),
        cmocka_unit_test(what_is_forged_is_not_used),
        cmocka_unit_test(hidden_tlsa_records_close_the_way),
        cmocka_unit_test(without_an_anchor_nothing_is_secure),
        cmocka_unit_test(our_own_addresses_are_those_of_the_interfaces),
    };
    struct why why;
    return secret_init(&why) == RC_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
