/* common/xmpp/bearer.c */
#include "common/xmpp/bearer.h"

#include "common/base/limits.h"
#include "common/base/secret.h"
#include "common/base/text.h"

#define SEPARATOR   '\x01'
#define MESSAGE_MAX 16384 /* bytes */

/* a=... of the GS2 header, its =2C and =3D undone (RFC 5801 4). False: it is not written so. */
static bool unescape(struct arena *a, struct slice name, struct slice *out)
{
    char *to = arena_alloc(a, name.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        struct slice left = slice_from(name, i);
        if (name.p[i] != '=') {
            to[n++] = name.p[i];
            continue;
        }
        if (!slice_starts(left, SLICE("=2C")) && !slice_starts(left, SLICE("=3D")))
            return false;
        to[n++] = left.p[2] == 'C' ? ',' : '=';
        i += 2;
    }
    *out = slice_of(to, n);
    return n > 0;
}

/* gs2-cbind-flag "," ["a=" authzid] ",": no channel is bound with this mechanism (RFC 7628 3.1). */
static bool read_gs2(struct arena *a, struct slice header, struct slice *authzid)
{
    struct slice flag, name, rest = header;
    if (!slice_split(&rest, ',', &flag) || !slice_split(&rest, ',', &name) || rest.len ||
        header.p[header.len - 1] != ',' || !(slice_is(flag, "n") || slice_is(flag, "y")))
        return false;
    *authzid = SLICE_NONE;
    return !name.len || (slice_starts(name, SLICE("a=")) && unescape(a, slice_from(name, 2), authzid));
}

/* RFC 6750 2.1; the name of a scheme is written in any case (RFC 9110 11.1). */
static bool read_auth(struct slice value, struct slice *token)
{
    struct slice scheme = slice_to(value, 7);
    *token = slice_trim(slice_from(value, 7));
    return slice_eq_nocase(scheme, SLICE("Bearer ")) && token->len > 0;
}

enum sasl_fail bearer_first_read(struct arena *a, struct slice message, struct bearer_first *out)
{
    struct slice rest = message, header, pair, key;
    struct bearer_first first = { .token = SLICE_NONE };
    if (message.len < 2 || message.len > MESSAGE_MAX || message.p[message.len - 1] != SEPARATOR ||
        message.p[message.len - 2] != SEPARATOR)
        return SASL_MALFORMED_REQUEST;
    if (!slice_split(&rest, SEPARATOR, &header) || !header.len || !read_gs2(a, header, &first.authzid))
        return SASL_MALFORMED_REQUEST;
    while (slice_split(&rest, SEPARATOR, &pair) && pair.len) {
        if (slice_find(pair, '=') <= 0)
            return SASL_MALFORMED_REQUEST;
        struct slice value = pair;
        slice_split(&value, '=', &key);
        if (!slice_is(key, "auth"))
            continue; /* host and port, as the client sees them, and whatever else */
        if (first.token.len || !read_auth(value, &first.token))
            return SASL_MALFORMED_REQUEST;
    }
    if (!first.token.len || rest.len)
        return SASL_MALFORMED_REQUEST;
    *out = first;
    return SASL_OK;
}

struct slice bearer_first_write(struct arena *a, struct slice token)
{
    return arena_fmt(a,
                     "n,,\x01"
                     "auth=Bearer " SLICE_FMT "\x01\x01",
                     SLICE_ARG(token));
}

/* --- tokens --- */

#define PREFIX "bh1."

struct slice bearer_token_write(struct arena *a, const struct bearer_token *t)
{
    struct slice user = base64url_encode(a, jid_bare(&t->user));
    struct slice secret = base64url_encode(a, slice_of((const char *)t->secret, BEARER_SECRET_BYTES));
    return arena_fmt(a, PREFIX SLICE_FMT "." SLICE_FMT, SLICE_ARG(user), SLICE_ARG(secret));
}

enum rc bearer_token_read(struct arena *a, struct slice text, struct bearer_token *out)
{
    struct slice rest = slice_from(text, sizeof PREFIX - 1), user, address, secret;
    struct jid jid;
    if (!slice_starts(text, SLICE(PREFIX)) || text.len > 2 * JID_MAX || !slice_split(&rest, '.', &user) ||
        base64url_decode(a, user, &address) != RC_OK || base64url_decode(a, rest, &secret) != RC_OK ||
        secret.len != BEARER_SECRET_BYTES)
        return RC_SYNTAX;
    if (jid_parse(a, address, &jid, NULL) != RC_OK || !jid.local.len || jid.resource.len ||
        !slice_eq(jid.full, address))
        return RC_SYNTAX;
    out->user = jid;
    memcpy(out->secret, secret.p, BEARER_SECRET_BYTES);
    return RC_OK;
}
