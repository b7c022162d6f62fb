/* test/unit/test_target.c - s2s/target.c: SRV order, fallbacks, addresses that are not connected to (PEERS
 * 32) */
#include "s2s/target.h"

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(4096, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

/* What the next lots are: numbers, the last one again and again; over the bound: the bound's last. */
struct fixed {
    const uint32_t *at;
    size_t n;
    uint32_t *bounds; /* what was asked; NULL: nobody wants to know */
};

static uint32_t fixed_below(void *ctx, uint32_t n)
{
    struct fixed *f = ctx;
    uint32_t number = f->at[0];
    if (f->bounds)
        *f->bounds++ = n;
    if (f->n > 1)
        f->at++, f->n--;
    return number < n ? number : n - 1;
}

static const struct dns_srv *const none = NULL;

static enum rc order(struct arena *a, const struct target_answers *in, size_t max, const uint32_t *numbers,
                     size_t n, struct target_list *out, struct why *why)
{
    struct fixed fixed = { numbers, n, NULL };
    struct target_random random = { fixed_below, &fixed };
    return target_order(a, SLICE("example.net"), in, max, &random, out, why);
}

static const uint32_t zero = 0;

static void by_priority_over_both_services(void **state) /* XEP-0368 5 */
{
    const struct dns_srv plain[] = { { 20, 0, 5269, SLICE_INIT("d") }, { 5, 0, 5269, SLICE_INIT("b") } };
    const struct dns_srv direct[] = { { 10, 0, 443, SLICE_INIT("c") }, { 0, 0, 5270, SLICE_INIT("a") } };
    struct target_list list;
    assert_int_equal(order(*state, &(struct target_answers){ plain, direct, 2, 2 }, 8, &zero, 1, &list, NULL),
                     RC_OK);
    assert_int_equal(list.n, 4);
    assert_int_equal(list.left_out, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(list.at[i].host.p[0], "abcd"[i]);
    assert_true(list.at[0].direct_tls && !list.at[1].direct_tls && list.at[2].direct_tls &&
                !list.at[3].direct_tls);
    assert_int_equal(list.at[0].port, 5270);
    assert_int_equal(list.at[2].port, 443);
}

static void weights_are_chances(void **state) /* RFC 2782 */
{
    const struct dns_srv plain[] = { { 0, 60, 1, SLICE_INIT("a") },
                                     { 0, 0, 2, SLICE_INIT("b") },
                                     { 0, 40, 3, SLICE_INIT("c") } };
    static const struct {
        uint32_t numbers[3];
        const char *order;
    } cases[] = {
        { { 0, 0, 0 }, "bac" }, /* without weight: first in the sum, chosen by 0 alone */
        { { 1, 0, 0 }, "abc" },   { { 60, 40, 0 }, "acb" }, { { 61, 60, 0 }, "cab" },
        { { 100, 1, 0 }, "cab" }, { { 100, 0, 1 }, "cba" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target_list list;
        assert_int_equal(
            order(*state, &(struct target_answers){ plain, none, 3, 0 }, 8, cases[i].numbers, 3, &list, NULL),
            RC_OK);
        for (size_t j = 0; j < 3; j++) {
            if (list.at[j].host.p[0] != cases[i].order[j])
                fail_msg("case %zu, at %zu: %c", i, j, list.at[j].host.p[0]);
        }
    }
}

static void a_lot_is_from_0_to_the_sum(void **state) /* RFC 2782 */
{
    const struct dns_srv plain[] = { { 0, 60, 1, SLICE_INIT("a") },
                                     { 0, 40, 3, SLICE_INIT("c") },
                                     { 7, 0, 3, SLICE_INIT("d") } };
    uint32_t bounds[3] = { 0 };
    struct fixed fixed = { &zero, 1, bounds };
    struct target_random random = { fixed_below, &fixed };
    struct target_list list;
    assert_int_equal(target_order(*state, SLICE("example.net"), &(struct target_answers){ plain, none, 3, 0 },
                                  8, &random, &list, NULL),
                     RC_OK);
    assert_int_equal(bounds[0], 101);
    assert_int_equal(bounds[1], 41);
    assert_int_equal(bounds[2], 1);
}

static void without_records_it_is_the_domain_itself(void **state) /* RFC 6120 3.2.2 */
{
    const struct dns_srv dot = { 0, 0, 0, { 0 } };
    struct target_list list;
    assert_int_equal(order(*state, &(struct target_answers){ none, none, 0, 0 }, 8, &zero, 1, &list, NULL),
                     RC_OK);
    assert_int_equal(list.n, 1);
    assert_true(slice_is(list.at[0].host, "example.net"));
    assert_int_equal(list.at[0].port, 5269);
    assert_false(list.at[0].direct_tls);
    assert_int_equal(order(*state, &(struct target_answers){ none, &dot, 0, 1 }, 8, &zero, 1, &list, NULL),
                     RC_OK);
    assert_true(slice_is(list.at[0].host, "example.net")); /* it is direct TLS that is not offered */
}

static void a_dot_is_no(void **state) /* RFC 2782, PEERS 32 */
{
    const struct dns_srv dot = { 0, 0, 0, { 0 } }, host = { 0, 0, 5270, SLICE_INIT("tls") };
    const struct dns_srv mixed[] = { { 0, 0, 0, { 0 } }, { 1, 0, 5269, SLICE_INIT("h") } };
    struct target_list list = { 0 };
    struct why why = { "" };
    assert_int_equal(order(*state, &(struct target_answers){ &dot, none, 1, 0 }, 8, &zero, 1, &list, &why),
                     RC_DENIED);
    assert_non_null(strstr(why.text, "example.net"));
    assert_int_equal(order(*state, &(struct target_answers){ &dot, &dot, 1, 1 }, 8, &zero, 1, &list, NULL),
                     RC_DENIED);
    assert_int_equal(list.n, 0);
    assert_int_equal(order(*state, &(struct target_answers){ &dot, &host, 1, 1 }, 8, &zero, 1, &list, NULL),
                     RC_OK);
    assert_int_equal(list.n, 1);
    assert_true(list.at[0].direct_tls);
    assert_int_equal(order(*state, &(struct target_answers){ &host, &dot, 1, 1 }, 8, &zero, 1, &list, NULL),
                     RC_OK);
    assert_int_equal(list.n, 1);
    assert_false(list.at[0].direct_tls);
    assert_int_equal(order(*state, &(struct target_answers){ mixed, none, 2, 0 }, 8, &zero, 1, &list, NULL),
                     RC_OK);
    assert_int_equal(list.n, 1);
    assert_true(slice_is(list.at[0].host, "h"));
}

static void records_without_a_port_are_no_use(void **state)
{
    const struct dns_srv bad[] = { { 0, 0, 0, SLICE_INIT("a") }, { 0, 0, 0, SLICE_INIT("b") } };
    struct target_list list = { 0 };
    struct why why = { "" };
    assert_int_equal(order(*state, &(struct target_answers){ bad, none, 2, 0 }, 8, &zero, 1, &list, &why),
                     RC_NOTFOUND);
    assert_true(why.text[0]);
}

static void a_thousand_targets_are_a_few(void **state) /* PEERS 32 */
{
    enum { MANY = 1000, MAX = 8 };
    static const uint32_t numbers[] = { 0, 70000, 12345, 3 };
    struct dns_srv *srv = ARENA_ARRAY(*state, MANY, struct dns_srv);
    struct target_list list;
    for (size_t i = 0; i < MANY; i++)
        srv[i] = (struct dns_srv){ (uint16_t)(MANY - i / 100), 65535, (uint16_t)(i + 1),
                                   arena_fmt(*state, "h%zu", i) };
    assert_int_equal(
        order(*state, &(struct target_answers){ srv, none, MANY, 0 }, MAX, numbers, 4, &list, NULL), RC_OK);
    assert_int_equal(list.n, MAX);
    assert_int_equal(list.left_out, MANY - MAX);
    for (size_t i = 0; i < MAX; i++) {
        assert_true(list.at[i].port > 900); /* of the lowest priority, each once */
        for (size_t j = 0; j < i; j++)
            assert_false(slice_eq(list.at[i].host, list.at[j].host));
    }
}

/* --- addresses --- */

static union dns_addr ip(const char *text, uint16_t port)
{
    union dns_addr addr = { 0 };
    assert_int_equal(dns_addr_parse(slice_cstr(text), port, &addr), RC_OK);
    return addr;
}

static void what_is_not_connected_to(void **state) /* PEERS 32: to loopback, to our own port */
{
    static const struct {
        const char *ip;
        uint16_t port;
        const char *refusal, *with_loopback;
    } cases[] = {
        { "192.0.2.1", 5269, NULL, NULL },
        { "192.0.2.1", 5222, NULL, NULL },
        { "10.1.2.3", 5269, NULL, NULL }, /* private: one's own organisation may be there */
        { "203.0.113.9", 5269, "our own", "our own" },
        { "203.0.113.9", 5270, NULL, NULL },
        { "2001:db8::9", 5270, "our own", "our own" },
        { "127.0.0.1", 5269, "loopback", NULL },
        { "127.255.1.1", 7, "loopback", NULL },
        { "127.0.0.1", 5299, "our own", "our own" }, /* of [::]:5299 */
        { "::1", 5299, "our own", "our own" },
        { "::1", 5269, "loopback", NULL },
        { "::ffff:127.0.0.1", 5269, "an IPv4 address in disguise", "an IPv4 address in disguise" },
        { "::127.0.0.1", 5269, "an IPv4 address in disguise", "an IPv4 address in disguise" },
        { "0.0.0.0", 5269, "not an address", "not an address" },
        { "0.1.2.3", 5269, "not an address", "not an address" },
        { "::", 5269, "not an address", "not an address" },
        { "224.0.0.1", 5269, "multicast", "multicast" },
        { "255.255.255.255", 5269, "reserved", "reserved" },
        { "ff02::1", 5269, "multicast", "multicast" },
        { "fe80::1", 5269, "link-local", "link-local" },
    };
    const union dns_addr own[] = { ip("203.0.113.9", 5269), ip("2001:db8::9", 5270), ip("::", 5299) };
    struct target_rules rules = { .own = own, .own_n = 3, .attempts_max = 4 };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        union dns_addr addr = ip(cases[i].ip, cases[i].port);
        const char *got[2], *expected[2] = { cases[i].refusal, cases[i].with_loopback };
        for (unsigned j = 0; j < 2; j++) {
            rules.allow_loopback = j == 1;
            got[j] = target_refusal(&rules, &addr);
            if ((got[j] == NULL) != (expected[j] == NULL) || (got[j] && strcmp(got[j], expected[j]) != 0))
                fail_msg("%s %u: %s", cases[i].ip, j, got[j] ? got[j] : "allowed");
        }
    }
    union dns_addr v4 = ip("192.0.2.1", 1), v6 = ip("2001:db8::1", 1);
    rules = (struct target_rules){ .no_ipv6 = true };
    assert_null(target_refusal(&rules, &v4));
    assert_non_null(target_refusal(&rules, &v6));
    rules = (struct target_rules){ .no_ipv4 = true };
    assert_non_null(target_refusal(&rules, &v4));
    assert_null(target_refusal(&rules, &v6));
}

static void families_take_turns(void **state) /* RFC 8305 4 */
{
    const union dns_addr addrs[] = { ip("192.0.2.1", 0),   ip("192.0.2.2", 0),   ip("192.0.2.3", 0),
                                     ip("2001:db8::1", 0), ip("2001:db8::2", 0), ip("127.0.0.1", 0) };
    static const char *const expected[] = { "[2001:db8::1]:7", "192.0.2.1:7", "[2001:db8::2]:7",
                                            "192.0.2.2:7",     "192.0.2.3:7", "[2001:db8::1]:8" };
    const struct target_attempt what = { .host = SLICE("h"), .secure = true };
    const struct target_rules rules = { .attempts_max = 6 };
    struct target_attempts list;
    target_attempts_init(*state, &rules, &list);
    target_add(&list, &rules, &what, 7, addrs, 6);
    assert_int_equal(list.n, 5);
    assert_int_equal(list.left_out, 1);
    assert_string_equal(list.refused, "loopback");
    target_add(&list, &rules, &what, 7, addrs, 5); /* the same again: there already */
    assert_int_equal(list.n, 5);
    target_add(&list, &rules, &what, 8, addrs, 5);
    assert_int_equal(list.n, 6);
    assert_int_equal(list.left_out, 5);
    for (size_t i = 0; i < 6; i++) {
        char text[DNS_ADDR_TEXT];
        assert_string_equal(dns_addr_text(&list.at[i].addr, text), expected[i]);
        assert_true(list.at[i].secure && slice_is(list.at[i].host, "h"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_priority_over_both_services, setup, teardown),
        cmocka_unit_test_setup_teardown(weights_are_chances, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lot_is_from_0_to_the_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(without_records_it_is_the_domain_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dot_is_no, setup, teardown),
        cmocka_unit_test_setup_teardown(records_without_a_port_are_no_use, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thousand_targets_are_a_few, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_connected_to, setup, teardown),
        cmocka_unit_test_setup_teardown(families_take_turns, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
