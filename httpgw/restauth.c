/* httpgw/restauth.c */
#include "httpgw/restauth.h"

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/xmpp/bearer.h"

static void wipe(struct slice s)
{
    if (s.len)
        secret_wipe((void *)(uintptr_t)s.p, s.len);
}

void restauth_wipe(struct restauth *who)
{
    wipe(who->initial);
    who->initial = SLICE_NONE;
}

/* "romeo", "romeo@example.net": as typed. */
MUST_USE static enum rc read_user(struct arena *a, struct slice name, struct slice domain, struct jid *out)
{
    enum rc rc = slice_find(name, '@') < 0 ? jid_make(a, name, domain, SLICE_NONE, out, NULL)
                                           : jid_parse(a, name, out, NULL);
    return rc == RC_OK && out->local.len && !out->resource.len ? RC_OK : RC_SYNTAX;
}

/* RFC 7617 2, in UTF-8; RFC 4616 2. */
MUST_USE static enum rc read_basic(struct arena *a, struct slice text, struct slice domain,
                                   struct restauth *out)
{
    struct slice pair;
    enum rc rc = base64_decode(a, text, &pair);
    ptrdiff_t colon = rc == RC_OK ? slice_find(pair, ':') : -1;
    if (colon > 0 && (size_t)colon + 1 < pair.len && slice_find(pair, '\0') < 0 && slice_utf8_ok(pair))
        rc = read_user(a, arena_copy(a, slice_to(pair, (size_t)colon)), domain, &out->user);
    else
        rc = RC_SYNTAX;
    if (rc == RC_OK) {
        struct slice password = slice_from(pair, (size_t)colon + 1), user = out->user.local;
        char *to = arena_alloc(a, user.len + password.len + 2);
        to[0] = to[user.len + 1] = '\0';
        memcpy(to + 1, user.p, user.len);
        memcpy(to + user.len + 2, password.p, password.len);
        out->initial = slice_of(to, user.len + password.len + 2);
        out->mechanism = "PLAIN";
    }
    if (colon >= 0)
        wipe(pair);
    return rc;
}

/* Our tokens name the account that they are of. */
MUST_USE static enum rc read_bearer(struct arena *a, struct slice token, struct restauth *out)
{
    struct bearer_token t;
    enum rc rc = bearer_token_read(a, token, &t);
    if (rc == RC_OK) {
        out->user = t.user;
        out->mechanism = BEARER;
        out->initial = bearer_first_write(a, token);
    }
    secret_wipe(&t, sizeof t);
    return rc;
}

enum rc restauth_read(struct arena *a, struct slice header, struct slice domain, struct restauth *out)
{
    struct slice rest = slice_trim(header);
    ptrdiff_t space = slice_find(rest, ' ');
    *out = (struct restauth){ .mechanism = NULL };
    if (!rest.len)
        return RC_NOTFOUND;
    struct slice scheme = space < 0 ? rest : slice_to(rest, (size_t)space);
    struct slice text = space < 0 ? SLICE_NONE : slice_trim(slice_from(rest, (size_t)space));
    if (slice_eq_nocase(scheme, SLICE("Basic")))
        return read_basic(a, text, domain, out);
    if (slice_eq_nocase(scheme, SLICE("Bearer")))
        return read_bearer(a, text, out);
    return RC_SYNTAX;
}
