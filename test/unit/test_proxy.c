/* test/unit/test_proxy.c - the PROXY header */
#include "common/net/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define V2_START "\r\n\r\n\0\r\nQUIT\n"

static enum rc read_all(struct slice s, char *ip, uint16_t *port, size_t *used)
{
    struct sockaddr_storage sa;
    enum rc rc = proxy_header_read(s, &sa, used);
    ip[0] = '\0';
    *port = 0;
    if (rc != RC_OK)
        return rc;
    const struct sockaddr_in *v4 = (const void *)&sa;
    const struct sockaddr_in6 *v6 = (const void *)&sa;
    if (sa.ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, ip, INET6_ADDRSTRLEN);
    else if (sa.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, INET6_ADDRSTRLEN);
    *port = sa.ss_family == AF_INET    ? ntohs(v4->sin_port)
            : sa.ss_family == AF_INET6 ? ntohs(v6->sin6_port)
                                       : 0;
    return rc;
}

static void gives(struct slice s, const char *ip, uint16_t port, size_t used)
{
    char got_ip[INET6_ADDRSTRLEN];
    uint16_t got_port;
    size_t got_used = 0;
    assert_int_equal(read_all(s, got_ip, &got_port, &got_used), RC_OK);
    assert_string_equal(got_ip, ip);
    assert_int_equal(got_port, port);
    assert_int_equal(got_used, used);
    for (size_t n = 0; n < used; n++) /* every beginning of it wants more */
        assert_int_equal(read_all(slice_to(s, n), got_ip, &got_port, &got_used), RC_AGAIN);
}

static void refused(struct slice s)
{
    char ip[INET6_ADDRSTRLEN];
    uint16_t port;
    size_t used;
    assert_int_equal(read_all(s, ip, &port, &used), RC_SYNTAX);
}

static void version_1(void **state)
{
    (void)state;
    gives(SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 40000 5222\r\n<?xml"), "203.0.113.7", 40000, 48);
    gives(SLICE("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n"), "2001:db8::7", 1, 36);
    gives(SLICE("PROXY UNKNOWN\r\n"), "", 0, 15);
    gives(SLICE("PROXY UNKNOWN anything at all\r\n"), "", 0, 31);
}

static void version_1_refusals(void **state)
{
    (void)state;
    refused(SLICE("<?xml version"));
    refused(SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 40000 5222\n"));
    refused(SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 40000\r\n"));
    refused(SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 40000 5222 7\r\n"));
    refused(SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 70000 5222\r\n"));
    refused(SLICE("PROXY TCP4  203.0.113.7 198.51.100.1 40000 5222\r\n"));
    refused(SLICE("PROXY TCP4 2001:db8::7 ::1 1 2\r\n"));
    refused(SLICE("PROXY TCP4 203.0.113.7\0 198.51.100.1 40000 5222\r\n"));
    refused(SLICE("PROXY UDP4 203.0.113.7 198.51.100.1 40000 5222\r\n"));
    refused(SLICE("PROXY UNKNOWNX\r\n"));
    char line[300];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14); /* never ends */
    refused(slice_of(line, sizeof line));
}

static void version_2(void **state)
{
    (void)state;
    gives(SLICE(V2_START "\x21\x11\0\x0c"
                         "\xcb\0\x71\7"
                         "\xc6\x33\x64\1"
                         "\x9c\x40\x14\x66"
                         "rest"),
          "203.0.113.7", 40000, 28);
    gives(SLICE(V2_START "\x21\x21\0\x24"
                         "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
                         "\0\1\0\2"),
          "2001:db8::7", 1, 52);
    gives(SLICE(V2_START "\x21\x11\0\x0f"
                         "\xcb\0\x71\7\xc6\x33\x64\1\x9c\x40\x14\x66"
                         "\4\0\0"), /* an empty TLV behind the addresses */
          "203.0.113.7", 40000, 31);
    gives(SLICE(V2_START "\x20\0\0\0"), "", 0, 16); /* LOCAL */
    gives(SLICE(V2_START "\x21\0\0\0"), "", 0, 16); /* AF_UNSPEC */
}

static void version_2_refusals(void **state)
{
    (void)state;
    refused(SLICE(V2_START "\x11\x11\0\x0c"));                       /* version 1 in binary */
    refused(SLICE(V2_START "\x22\x11\0\x0c"));                       /* no such command */
    refused(SLICE(V2_START "\x21\x11\0\x0b\0\0\0\0\0\0\0\0\0\0\0")); /* too short for IPv4 */
    refused(SLICE(V2_START "\x21\x21\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"));
    refused(SLICE(V2_START "\x21\x11\xff\xff")); /* more than we take */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1),
        cmocka_unit_test(version_1_refusals),
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_2_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
