/* test/unit/test_dns.c - s2s/dns.c: rdata, good and broken */
#include "s2s/dns.h"

#include <arpa/inet.h>
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
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

#define SRV(name) SLICE("\0\5\0\12\24\225" name)

static void srv_records_are_read(void **state) /* RFC 2782 */
{
    struct dns_srv srv;
    assert_int_equal(dns_srv_read(*state, SRV("\4XMPP\7example\3net\0"), &srv), RC_OK);
    assert_int_equal(srv.priority, 5);
    assert_int_equal(srv.weight, 10);
    assert_int_equal(srv.port, 5269);
    assert_true(slice_is(srv.host, "xmpp.example.net"));
    assert_int_equal(dns_srv_read(*state, SRV("\0"), &srv), RC_OK);
    assert_int_equal(srv.host.len, 0);                                             /* "." */
    assert_int_equal(dns_srv_read(*state, SRV("\10_x-1.com\0"), &srv), RC_SYNTAX); /* a dot in a label */
}

static void broken_srv_records_are_refused(void **state)
{
    const struct slice cases[] = {
        SLICE(""),
        SLICE("\0\5\0\12\24\225"), /* no name */
        SRV("\4xmpp"),             /* no end */
        SRV("\4xmpp\0x"),          /* more behind it */
        SRV("\5xmpp\0"),           /* a label over the end */
        SRV("\300\14"),            /* compressed */
        SRV("\4xm\0p\0"),          /* NUL in a label */
        SRV("\4xm p\0"),
        SRV("\4xm\377p\0"),
        SRV("\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"), /* a label of 64 */
    };
    struct dns_srv srv = { .port = 7 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (dns_srv_read(*state, cases[i], &srv) != RC_SYNTAX)
            fail_msg("case %zu", i);
    }
    assert_int_equal(srv.port, 7);
}

static void names_have_253_characters_at_most(void **state) /* RFC 1035 2.3.4 */
{
    char rdata[6 + 2 * 127 + 1] = { 0 };
    struct dns_srv srv;
    for (size_t i = 0; i < 127; i++)
        memcpy(rdata + 6 + 2 * i, "\1a", 2);
    assert_int_equal(dns_srv_read(*state, slice_of(rdata, sizeof rdata), &srv), RC_OK);
    assert_int_equal(srv.host.len, DNS_NAME_MAX);
    memcpy(rdata + 6, "\2aa", 3); /* the names that follow shift: no end any more, and too long */
    assert_int_equal(dns_srv_read(*state, slice_of(rdata, sizeof rdata), &srv), RC_SYNTAX);
}

static void tlsa_records_are_read(void **state) /* RFC 6698 2.1 */
{
    struct dns_tlsa tlsa;
    (void)state;
    assert_int_equal(dns_tlsa_read(SLICE("\3\1\1abc"), &tlsa), RC_OK);
    assert_int_equal(tlsa.usage, 3);
    assert_int_equal(tlsa.selector, 1);
    assert_int_equal(tlsa.matching, 1);
    assert_true(slice_is(tlsa.data, "abc"));
    assert_int_equal(dns_tlsa_read(SLICE("\3\1\1"), &tlsa), RC_SYNTAX);
    assert_int_equal(dns_tlsa_read(SLICE_NONE, &tlsa), RC_SYNTAX);
}

static void addresses_are_read_and_written(void **state)
{
    union dns_addr addr, same;
    char text[DNS_ADDR_TEXT];
    (void)state;
    assert_int_equal(dns_addr_read(DNS_A, SLICE("\300\0\2\7"), &addr), RC_OK);
    dns_addr_port(&addr, 5269);
    assert_string_equal(dns_addr_text(&addr, text), "192.0.2.7:5269");
    assert_int_equal(dns_addr_parse(SLICE("192.0.2.7"), 5269, &same), RC_OK);
    assert_true(dns_addr_eq(&addr, &same));
    dns_addr_port(&same, 5270);
    assert_false(dns_addr_eq(&addr, &same));
    assert_int_equal(dns_addr_read(DNS_AAAA, SLICE("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\7"), &addr), RC_OK);
    assert_string_equal(dns_addr_text(&addr, text), "[2001:db8::7]:0");
    assert_int_equal(dns_addr_parse(SLICE("2001:db8::7"), 0, &same), RC_OK);
    assert_true(dns_addr_eq(&addr, &same));
    assert_int_equal(dns_addr_read(DNS_A, SLICE("\300\0\2"), &addr), RC_SYNTAX);
    assert_int_equal(dns_addr_read(DNS_AAAA, SLICE("\300\0\2\7"), &addr), RC_SYNTAX);
    assert_int_equal(dns_addr_read(DNS_SRV, SLICE("\300\0\2\7"), &addr), RC_SYNTAX);
    assert_int_equal(dns_addr_parse(SLICE("192.0.2"), 0, &addr), RC_SYNTAX);
    assert_int_equal(dns_addr_parse(SLICE("fe80::1%eth0"), 0, &addr), RC_SYNTAX);
    assert_int_equal(dns_addr_parse(SLICE("192.0.2.7\0"), 0, &addr), RC_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(srv_records_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_srv_records_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(names_have_253_characters_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(tlsa_records_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_are_read_and_written, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
