/* test/unit/test_rate.c */
#include "common/base/rate.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct rate_limit ten = { .per_s = 10, .burst = 20 };

static void bucket_is_full_on_first_use(void **state)
{
    (void)state;
    for (uint64_t now = 0; now < 2; now++) {
        struct rate r = { 0 };
        assert_true(rate_try(&r, &ten, now, 20));
        assert_false(rate_try(&r, &ten, now, 1));
    }
}

static void tokens_come_back_at_the_rate_and_no_more_than_the_burst(void **state)
{
    (void)state;
    struct rate r = { 0 };
    assert_true(rate_try(&r, &ten, 1000, 20));
    assert_false(rate_try(&r, &ten, 1099, 1));
    assert_true(rate_try(&r, &ten, 1100, 1));
    assert_false(rate_try(&r, &ten, 1100, 1));
    assert_true(rate_try(&r, &ten, 1000000, 20));
    assert_false(rate_try(&r, &ten, 1000000, 1));
    assert_false(rate_try(&r, &ten, 999000, 1)); /* a clock that goes back gives nothing */
}

static void overdraft_says_how_long_to_wait(void **state)
{
    (void)state;
    struct rate r = { 0 };
    assert_int_equal(rate_take(&r, &ten, 1000, 20), 0);
    assert_int_equal(rate_take(&r, &ten, 1000, 15), 1500);
    assert_int_equal(rate_take(&r, &ten, 2500, 0), 0);
    assert_int_equal(rate_take(&r, &ten, 2501, 1), 99);
    for (int i = 0; i < 10; i++)
        rate_take(&r, &ten, 2501, UINT32_MAX);
    assert_int_equal(rate_take(&r, &ten, 2501, 0), UINT32_MAX);
    assert_int_equal(rate_take(&r, &ten, UINT64_MAX / 2, 1), 0);
}

static void rate_nought_is_no_limit(void **state)
{
    (void)state;
    const struct rate_limit none = { 0 };
    struct rate r = { 0 };
    assert_int_equal(rate_take(&r, &none, 5, UINT32_MAX), 0);
    assert_true(rate_try(&r, &none, 5, UINT32_MAX));
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage out;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 1 };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 1 };
    memset(&out, 0, sizeof out);
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&out, &in, sizeof in);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        memcpy(&out, &in6, sizeof in6);
    }
    return out;
}

static struct addr_key key(const char *text)
{
    struct sockaddr_storage a = address(text);
    return addr_key_of((const struct sockaddr *)&a);
}

static bool same(const char *a, const char *b)
{
    struct addr_key ka = key(a), kb = key(b);
    return memcmp(&ka, &kb, sizeof ka) == 0;
}

static void one_address_is_an_ipv4_address_or_an_ipv6_64(void **state)
{
    (void)state;
    assert_true(same("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(same("192.0.2.1", "192.0.2.2"));
    assert_true(same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
    assert_false(same("2001:db8:0:1::1", "2001:db8:0:2::1"));
    assert_false(same("::c000:201:0:0:0:0", "192.0.2.1"));
}

static void loopback_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
    } rows[] = { { "127.0.0.1", true },  { "127.9.9.9", true },
                 { "::1", true },        { "::ffff:127.0.0.1", true },
                 { "128.0.0.1", false }, { "::ffff:192.0.2.1", false },
                 { "::", false },        { "2001:db8::1", false } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage a = address(rows[i].text);
        assert_int_equal(addr_is_loopback((const struct sockaddr *)&a), rows[i].loopback);
    }
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    assert_true(addr_is_loopback((const struct sockaddr *)&un));
}

static bool has(const struct net_list *l, const char *text)
{
    struct sockaddr_storage a = address(text);
    return net_list_has(l, (const struct sockaddr *)&a);
}

static void networks_are_matched_by_prefix(void **state)
{
    (void)state;
    struct net_list *l = NULL;
    assert_int_equal(net_list_parse(SLICE("192.0.2.0/25, ::1,2001:db8::/33 , 10.0.0.1"), &l, NULL), RC_OK);
    assert_true(has(l, "192.0.2.127") && has(l, "::ffff:192.0.2.1") && has(l, "::1") &&
                has(l, "2001:db8:7fff::"));
    assert_true(has(l, "10.0.0.1"));
    assert_false(has(l, "192.0.2.128") || has(l, "::2") || has(l, "2001:db8:8000::") || has(l, "10.0.0.2"));
    assert_false(has(NULL, "::1"));
    net_list_free(&l);
    assert_null(l);
    assert_int_equal(net_list_parse(SLICE("0.0.0.0/0"), &l, NULL), RC_OK);
    assert_true(has(l, "203.0.113.5"));
    assert_false(has(l, "2001:db8::1"));
    net_list_free(&l);
    assert_int_equal(net_list_parse(SLICE(" "), &l, NULL), RC_OK);
    assert_false(has(l, "::1"));
    net_list_free(&l);
}

static void wrong_networks_are_named(void **state)
{
    (void)state;
    static const char *const wrong[] = { "192.0.2.0/33", "192.0.2", "::/129",     "host",
                                         "::1/",         "::1/-1",  "1.2.3.4/8/8" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[64];
        struct net_list *l = NULL;
        struct why why = { "" };
        snprintf(text, sizeof text, "::1, %s", wrong[i]);
        assert_int_equal(net_list_parse(slice_cstr(text), &l, &why), RC_SYNTAX);
        assert_null(l);
        assert_non_null(strstr(why.text, wrong[i]));
    }
}

static void connections_are_counted_by_address(void **state)
{
    (void)state;
    struct addr_table *t = addr_table_new();
    assert_int_equal(addr_count(t, key("192.0.2.1")), 0);
    addr_leave(t, key("192.0.2.1"));
    assert_int_equal(addr_enter(t, key("192.0.2.1")), 1);
    assert_int_equal(addr_enter(t, key("192.0.2.1")), 2);
    assert_int_equal(addr_enter(t, key("192.0.2.2")), 1);
    addr_leave(t, key("192.0.2.1"));
    assert_int_equal(addr_count(t, key("192.0.2.1")), 1);
    addr_leave(t, key("192.0.2.1"));
    addr_leave(t, key("192.0.2.1"));
    assert_int_equal(addr_count(t, key("192.0.2.1")), 0);
    addr_table_free(&t);
    assert_null(t);
}

static void buckets_outlive_connections_until_they_are_swept(void **state)
{
    (void)state;
    struct addr_table *t = addr_table_new();
    const uint64_t minute = 60000;
    addr_enter(t, key("192.0.2.1"));
    assert_true(rate_try(addr_rate(t, key("192.0.2.1"), minute), &ten, minute, 20));
    addr_leave(t, key("192.0.2.1"));
    addr_sweep(t, 2 * minute);
    assert_false(rate_try(addr_rate(t, key("192.0.2.1"), minute), &ten, minute, 1));
    addr_sweep(t, 12 * minute);
    struct rate *r = addr_rate(t, key("192.0.2.1"), minute);
    assert_int_equal(r->last_ms, 0); /* another one */
    addr_enter(t, key("192.0.2.1"));
    addr_sweep(t, 120 * minute);
    assert_int_equal(addr_count(t, key("192.0.2.1")), 1);
    addr_table_free(&t);
}

static void full_table_lets_newcomers_share_one_bucket(void **state)
{
    (void)state;
    struct addr_table *t = addr_table_new();
    struct addr_key k = { { 6 } };
    for (uint32_t i = 0; i < 70000; i++) {
        memcpy(k.bytes + 1, &i, sizeof i);
        rate_try(addr_rate(t, k, 1000), &ten, 1000, 1);
    }
    const struct rate *shared = addr_rate(t, k, 1000);
    k.bytes[8] = 1;
    assert_ptr_equal(addr_rate(t, k, 1000), shared);
    assert_ptr_not_equal(addr_rate(t, k, 1000 + 3600 * 1000), shared); /* there is room again */
    addr_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_is_full_on_first_use),
        cmocka_unit_test(tokens_come_back_at_the_rate_and_no_more_than_the_burst),
        cmocka_unit_test(overdraft_says_how_long_to_wait),
        cmocka_unit_test(rate_nought_is_no_limit),
        cmocka_unit_test(one_address_is_an_ipv4_address_or_an_ipv6_64),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(networks_are_matched_by_prefix),
        cmocka_unit_test(wrong_networks_are_named),
        cmocka_unit_test(connections_are_counted_by_address),
        cmocka_unit_test(buckets_outlive_connections_until_they_are_swept),
        cmocka_unit_test(full_table_lets_newcomers_share_one_bucket),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
