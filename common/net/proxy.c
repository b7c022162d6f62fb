/* common/net/proxy.c - the PROXY protocol's header, versions 1 and 2; pure
 *
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, sections 2.1 (text) and 2.2 (binary) */
#include "common/net/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum {
    V1_MAX = 107,  /* bytes, with CRLF: 2.1 */
    V2_FIXED = 16, /* signature, version and command, family, length */
    V2_MAX = 2048, /* of addresses and TLVs that we take; the format allows 65535 */
};

static const char v2_signature[12] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

static void put_v4(struct sockaddr_storage *out, const void *addr, uint16_t port)
{
    struct sockaddr_in *v4 = (void *)out;
    memset(out, 0, sizeof *out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    memcpy(&v4->sin_addr, addr, sizeof v4->sin_addr);
}

static void put_v6(struct sockaddr_storage *out, const void *addr, uint16_t port)
{
    struct sockaddr_in6 *v6 = (void *)out;
    memset(out, 0, sizeof *out);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, addr, sizeof v6->sin6_addr);
}

/* "203.0.113.7 198.51.100.1 40000 5222": source, destination, their ports. */
static enum rc v1_addresses(int family, struct slice rest, struct sockaddr_storage *out)
{
    struct slice word[4];
    char text[INET6_ADDRSTRLEN];
    unsigned char addr[2][16];
    uint64_t port[2];
    for (unsigned i = 0; i < 4; i++)
        if (!slice_split(&rest, ' ', &word[i]) || !word[i].len)
            return RC_SYNTAX;
    if (rest.len)
        return RC_SYNTAX;
    for (unsigned i = 0; i < 2; i++) {
        if (slice_to_cstr(word[i], text, sizeof text) != RC_OK || inet_pton(family, text, addr[i]) != 1)
            return RC_SYNTAX;
        if (slice_u64(word[i + 2], 65535, &port[i]) != RC_OK)
            return RC_SYNTAX;
    }
    if (family == AF_INET)
        put_v4(out, addr[0], (uint16_t)port[0]);
    else
        put_v6(out, addr[0], (uint16_t)port[0]);
    return RC_OK;
}

static enum rc v1_read(struct slice bytes, struct sockaddr_storage *out, size_t *used)
{
    struct slice head = slice_to(bytes, V1_MAX);
    ptrdiff_t lf = slice_find(head, '\n');
    if (lf < 0)
        return head.len < V1_MAX ? RC_AGAIN : RC_SYNTAX;
    if (lf < 1 || head.p[lf - 1] != '\r')
        return RC_SYNTAX;
    struct slice line = slice_to(head, (size_t)lf - 1);
    enum rc rc = RC_SYNTAX;
    if (slice_starts(line, SLICE("PROXY TCP4 "))) {
        rc = v1_addresses(AF_INET, slice_from(line, 11), out);
    } else if (slice_starts(line, SLICE("PROXY TCP6 "))) {
        rc = v1_addresses(AF_INET6, slice_from(line, 11), out);
    } else if (slice_is(line, "PROXY UNKNOWN") || slice_starts(line, SLICE("PROXY UNKNOWN "))) {
        memset(out, 0, sizeof *out); /* what follows UNKNOWN is ignored: 2.1 */
        rc = RC_OK;
    }
    if (rc == RC_OK)
        *used = (size_t)lf + 1;
    return rc;
}

static enum rc v2_read(struct slice bytes, struct sockaddr_storage *out, size_t *used)
{
    enum { LOCAL = 0, PROXY = 1, TCP4 = 0x11, TCP6 = 0x21 };
    if (bytes.len < V2_FIXED)
        return RC_AGAIN;
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t len = (size_t)p[14] << 8 | p[15];
    unsigned version = p[12] >> 4, command = p[12] & 15U, family = p[13];
    if (version != 2 || command > PROXY || len > V2_MAX)
        return RC_SYNTAX;
    if ((command == PROXY && family == TCP4 && len < 12) || (command == PROXY && family == TCP6 && len < 36))
        return RC_SYNTAX;
    if (bytes.len < V2_FIXED + len)
        return RC_AGAIN;
    const unsigned char *at = p + V2_FIXED;
    if (command == PROXY && family == TCP4)
        put_v4(out, at, (uint16_t)(at[8] << 8 | at[9]));
    else if (command == PROXY && family == TCP6)
        put_v6(out, at, (uint16_t)(at[32] << 8 | at[33]));
    else
        memset(out, 0, sizeof *out); /* LOCAL, or a family that tells us nothing: 2.2 */
    *used = V2_FIXED + len;
    return RC_OK;
}

enum rc proxy_header_read(struct slice bytes, struct sockaddr_storage *out, size_t *used)
{
    struct slice v1 = SLICE("PROXY "), v2 = slice_of(v2_signature, sizeof v2_signature);
    if (slice_starts(bytes, v2))
        return v2_read(bytes, out, used);
    if (slice_starts(bytes, v1))
        return v1_read(bytes, out, used);
    if (slice_starts(v1, bytes) || slice_starts(v2, bytes))
        return RC_AGAIN;
    return RC_SYNTAX;
}
