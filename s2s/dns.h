/* s2s/dns.h - what DNS answers hold: addresses, SRV and TLSA records (RFC 1035 3, RFC 2782, RFC 3596, RFC 6698 2.1)
 *
 * rdata is that of one record without compression, as resolvers hand it out. Pure. */
#ifndef S2S_DNS_H
#define S2S_DNS_H

#include "common/base/arena.h"
#include <netinet/in.h>

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52 };
enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63 }; /* characters, without the last dot: RFC 1035 2.3.4 */
const char *dns_type_name(enum dns_type type);

/* True if text is a name that may be asked for: labels of 1 to 63 letters, digits, '-' and '_', without a last dot. */
bool dns_name_ok(struct slice text);

union dns_addr { /* address and port, for conn_dial_tcp */
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};
struct dns_srv {
    uint16_t priority, weight, port;
    struct slice host; /* lower case, without the last dot; empty for "." (RFC 2782: not offered at this domain) */
};
struct dns_tlsa { /* RFC 6698 2.1, names as RFC 7218 */
    uint8_t usage;    /* 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE */
    uint8_t selector; /* 0 certificate, 1 public key */
    uint8_t matching; /* 0 the bytes, 1 SHA-256, 2 SHA-512 */
    struct slice data;
};

/* RC_SYNTAX: the rdata is not one; a name holds anything but letters, digits, '-' and '_'. */
MUST_USE enum rc dns_addr_read(enum dns_type type, struct slice rdata, union dns_addr *out); /* port 0 */
MUST_USE enum rc dns_srv_read(struct arena *a, struct slice rdata, struct dns_srv *out);
MUST_USE enum rc dns_tlsa_read(struct slice rdata, struct dns_tlsa *out); /* data points into rdata */

/* "192.0.2.7", "2001:db8::7", with port and without. */
MUST_USE enum rc dns_addr_parse(struct slice text, uint16_t port, union dns_addr *out);
enum { DNS_ADDR_TEXT = INET6_ADDRSTRLEN + 8 };
const char *dns_addr_text(const union dns_addr *addr, char out[DNS_ADDR_TEXT]); /* "192.0.2.7:5269", "[2001:db8::7]:5269" */
void dns_addr_port(union dns_addr *addr, uint16_t port);
bool dns_addr_eq(const union dns_addr *a, const union dns_addr *b); /* and the ports */

#endif
