/* common/xmpp/jid.c */
#include "common/xmpp/jid.h"

#include "common/base/limits.h"
#include "common/xmpp/precis.h"
#include <arpa/inet.h>
#include <idn2.h>

/* What an ASCII character may stand in: RFC 7622 3.3 with 3.3.1 ("&'/:<>@ excluded), NR-LDH labels and dots,
 * RFC 8265 4.2; and whether it has another case. */
enum { IN_LOCAL = 1, IN_DOMAIN = 2, IN_RESOURCE = 4, IS_UPPER = 8 };
/* clang-format off */
static const uint8_t ascii[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 5, 4, 5, 5, 5, 4, 4, 5, 5, 5, 5, 5, 7, 7, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 4, 5, 4, 5, 4, 5,
    4, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 5, 5, 5, 5, 5,
    5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 5, 5, 5, 5, 0,
};
/* clang-format on */

enum looks {
    LOOKS_PREPARED, /* ASCII, nothing to do */
    LOOKS_UPPER,    /* ASCII, to be lower-cased */
    LOOKS_OTHER,    /* not only ASCII */
    LOOKS_WRONG,
};

static enum looks look(struct slice s, uint8_t in)
{
    uint8_t all = in, any = 0, high = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.p[i];
        uint8_t bits = ascii[c & 0x7F];
        high |= c;
        all &= c < 0x80 ? bits : all;
        any |= bits;
    }
    if (!all)
        return LOOKS_WRONG;
    if (high & 0x80)
        return LOOKS_OTHER;
    return any & IS_UPPER ? LOOKS_UPPER : LOOKS_PREPARED;
}

static struct slice lower(struct arena *a, struct slice s)
{
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.len; i++) {
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + ('a' - 'A'));
    }
    return slice_of(p, s.len);
}

static enum rc refuse(struct why *why, const char *part, const char *text)
{
    why_set(why, "%s: %s", part, text);
    return RC_SYNTAX;
}

static enum rc length_check(struct slice s, const char *part, struct why *why)
{
    if (s.len > JID_PART_MAX) {
        why_set(why, "%s: longer than %d bytes", part, JID_PART_MAX);
        return RC_LIMIT;
    }
    return s.len ? RC_OK : refuse(why, part, "empty");
}

/* The part after PRECIS, checked again: mapping may have changed its length. */
static enum rc enforce(struct arena *a, enum precis_profile profile, struct slice in, const char *part,
                       struct slice *out, struct why *why)
{
    struct slice made;
    struct why inner = { "" };
    enum rc rc = precis_enforce(a, profile, in, &made, &inner);
    if (rc != RC_OK)
        return refuse(why, part, inner.text);
    rc = length_check(made, part, why);
    if (rc == RC_OK)
        *out = made;
    return rc;
}

enum rc jid_prepare_local(struct arena *a, struct slice in, struct slice *out, struct why *why)
{
    enum rc rc = length_check(in, "local part", why);
    if (rc != RC_OK)
        return rc;
    switch (look(in, IN_LOCAL)) {
    case LOOKS_PREPARED:
        *out = in;
        return RC_OK;
    case LOOKS_UPPER:
        *out = lower(a, in);
        return RC_OK;
    case LOOKS_WRONG:
        return refuse(why, "local part", "a character that is not allowed");
    case LOOKS_OTHER:
        break;
    }
    struct slice made;
    rc = enforce(a, PRECIS_USERNAME_CASE_MAPPED, in, "local part", &made, why);
    if (rc != RC_OK)
        return rc;
    if (look(made, IN_LOCAL) == LOOKS_WRONG) /* a full-width '@' became a real one */
        return refuse(why, "local part", "a character that is not allowed");
    *out = made;
    return RC_OK;
}

enum rc jid_prepare_resource(struct arena *a, struct slice in, struct slice *out, struct why *why)
{
    enum rc rc = length_check(in, "resource", why);
    if (rc != RC_OK)
        return rc;
    enum looks looks = look(in, IN_RESOURCE);
    if (looks == LOOKS_WRONG)
        return refuse(why, "resource", "a character that is not allowed");
    if (looks == LOOKS_OTHER)
        return enforce(a, PRECIS_OPAQUE_STRING, in, "resource", out, why);
    *out = in;
    return RC_OK;
}

enum rc jid_prepare_password(struct arena *a, struct slice in, struct slice *out, struct why *why)
{
    enum looks looks = look(in, IN_RESOURCE);
    if (in.len == 0)
        return refuse(why, "password", "empty");
    if (looks == LOOKS_WRONG)
        return refuse(why, "password", "a character that is not allowed");
    if (looks == LOOKS_OTHER)
        return precis_enforce(a, PRECIS_OPAQUE_STRING, in, out, why);
    *out = in;
    return RC_OK;
}

/* Domains */

/* RFC 5890 2.3.1, 2.3.2.1: letters, digits, hyphens inside; "--" in third place is reserved. Labels that are
 * not only ASCII are checked by libidn2. */
static bool label_ok(struct slice label)
{
    bool is_ldh = look(label, IN_DOMAIN) != LOOKS_OTHER;
    if (label.len == 0 || label.p[0] == '-' || label.p[label.len - 1] == '-')
        return false;
    return !is_ldh || (label.len <= 63 && !(label.len > 3 && label.p[2] == '-' && label.p[3] == '-'));
}

static bool labels_ok(struct slice domain)
{
    struct slice label;
    if (domain.len == 0 || domain.p[domain.len - 1] == '.')
        return false;
    while (slice_split(&domain, '.', &label)) {
        if (!label_ok(label))
            return false;
    }
    return true;
}

static bool has_a_label(struct slice domain)
{
    struct slice label;
    while (slice_split(&domain, '.', &label)) {
        if (slice_eq_nocase(slice_to(label, 4), SLICE("xn--")))
            return true;
    }
    return false;
}

/* To U-labels by way of A-labels; libidn2 maps what `flags` say. */
static enum rc to_unicode(struct arena *a, struct slice in, int flags, struct slice *out, struct why *why)
{
    uint8_t *by_lookup = NULL;
    char *unicode = NULL;
    int err = IDN2_DISALLOWED;
    if (slice_utf8_ok(in) && !memchr(in.p, '\0', in.len))
        err = idn2_lookup_u8((const uint8_t *)arena_cstr(a, in), &by_lookup, flags);
    if (err == IDN2_OK)
        err = idn2_to_unicode_8z8z((const char *)by_lookup, &unicode, 0);
    if (err == IDN2_OK)
        *out = arena_copy(a, slice_cstr(unicode));
    idn2_free(by_lookup);
    idn2_free(unicode);
    return err == IDN2_OK ? RC_OK : refuse(why, "domain", idn2_strerror(err));
}

/* RFC 7622 3.2.2: first case, width and normal form are mapped (UTS 46), then IDNA2008 decides about the
 * result. */
static enum rc international(struct arena *a, struct slice in, struct slice *out, struct why *why)
{
    struct slice once, twice;
    enum rc rc =
        to_unicode(a, in, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES, &once, why);
    if (rc == RC_OK)
        rc = to_unicode(a, once, IDN2_NFC_INPUT | IDN2_NO_TR46, &twice, why);
    if (rc != RC_OK)
        return rc;
    enum looks looks = look(once, IN_DOMAIN);
    if (!slice_eq(once, twice) || looks == LOOKS_WRONG || looks == LOOKS_UPPER || !labels_ok(once))
        return refuse(why, "domain", "not an internationalized domain name");
    rc = length_check(once, "domain", why);
    if (rc == RC_OK)
        *out = once;
    return rc;
}

/* "[2001:db8::1]": written in one way (RFC 5952). */
static enum rc literal(struct arena *a, struct slice in, struct slice *out, struct why *why)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    bool closed = in.len > 2 && in.p[in.len - 1] == ']';
    if (!closed || slice_to_cstr(slice_of(in.p + 1, in.len - 2), text, sizeof text) != RC_OK ||
        inet_pton(AF_INET6, text, &addr) != 1 || !inet_ntop(AF_INET6, &addr, text, sizeof text))
        return refuse(why, "domain", "not an IPv6 address");
    struct slice made = arena_fmt(a, "[%s]", text);
    *out = slice_eq(in, made) ? in : made;
    return RC_OK;
}

enum rc jid_prepare_domain(struct arena *a, struct slice in, struct slice *out, struct why *why)
{
    if (in.len > 1 && in.p[in.len - 1] == '.') /* RFC 7622 3.2 */
        in = slice_to(in, in.len - 1);
    enum rc rc = length_check(in, "domain", why);
    if (rc != RC_OK)
        return rc;
    if (in.p[0] == '[')
        return literal(a, in, out, why);
    enum looks looks = look(in, IN_DOMAIN);
    if (looks == LOOKS_WRONG)
        return refuse(why, "domain", "a character that is not allowed");
    if (looks == LOOKS_OTHER || has_a_label(in))
        return international(a, in, out, why);
    if (!labels_ok(in))
        return refuse(why, "domain", "not a domain name");
    *out = looks == LOOKS_UPPER ? lower(a, in) : in;
    return RC_OK;
}

enum rc jid_domain_ascii(struct arena *a, struct slice domain, struct slice *out, struct why *why)
{
    enum { NAME_MAX_ASCII = 253 }; /* RFC 1035 2.3.4, without the length bytes at both ends */
    uint8_t *made = NULL;
    if (domain.len == 0 || domain.p[0] == '[' || !slice_utf8_ok(domain) || memchr(domain.p, '\0', domain.len))
        return refuse(why, "domain", "not a name for DNS");
    int err = idn2_lookup_u8((const uint8_t *)arena_cstr(a, domain), &made, IDN2_NFC_INPUT | IDN2_NO_TR46);
    if (err != IDN2_OK)
        return refuse(why, "domain", idn2_strerror(err));
    struct slice ascii_name = arena_copy(a, slice_cstr((const char *)made));
    idn2_free(made);
    struct in_addr ip;
    if (inet_pton(AF_INET, ascii_name.p, &ip) == 1)
        return refuse(why, "domain", "an address, not a name for DNS");
    if (ascii_name.len > NAME_MAX_ASCII) {
        why_set(why, "domain: longer than %d bytes", NAME_MAX_ASCII);
        return RC_LIMIT;
    }
    *out = ascii_name;
    return RC_OK;
}

/* Whole addresses */

static void assemble(struct arena *a, struct jid *j)
{
    size_t len =
        j->domain.len + (j->local.len ? j->local.len + 1 : 0) + (j->resource.len ? j->resource.len + 1 : 0);
    char *text = arena_alloc(a, len + 1);
    char *at = text;
    if (j->local.len) {
        memcpy(at, j->local.p, j->local.len);
        at += j->local.len;
        *at++ = '@';
    }
    memcpy(at, j->domain.p, j->domain.len);
    at += j->domain.len;
    j->bare_len = (size_t)(at - text);
    if (j->resource.len) {
        *at++ = '/';
        memcpy(at, j->resource.p, j->resource.len);
        at += j->resource.len;
    }
    *at = '\0';
    j->full = slice_of(text, len);
}

/* Lets the parts point into full. */
static void repoint(struct jid *j)
{
    size_t domain_at = j->bare_len - j->domain.len;
    j->local.p = j->full.p;
    j->domain.p = j->full.p + domain_at;
    j->resource.p = j->resource.len ? j->full.p + j->bare_len + 1 : NULL;
}

static enum rc prepare(struct arena *a, const struct jid *raw, struct jid *out, struct why *why)
{
    enum rc rc = jid_prepare_domain(a, raw->domain, &out->domain, why);
    if (rc == RC_OK && raw->local.len)
        rc = jid_prepare_local(a, raw->local, &out->local, why);
    if (rc == RC_OK && raw->resource.len)
        rc = jid_prepare_resource(a, raw->resource, &out->resource, why);
    return rc;
}

static bool same_bytes(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || a.p == b.p);
}

enum rc jid_parse(struct arena *a, struct slice text, struct jid *out, struct why *why)
{
    struct jid raw = { 0 }, made = { 0 };
    ptrdiff_t slash = slice_find(text, '/'); /* RFC 7622 3.1: the first '/', then the first '@' before it */
    struct slice bare = slash < 0 ? text : slice_to(text, (size_t)slash);
    ptrdiff_t at = slice_find(bare, '@');
    raw.local = slice_to(bare, at < 0 ? 0 : (size_t)at);
    raw.domain = slice_from(bare, at < 0 ? 0 : (size_t)at + 1);
    raw.resource = slash < 0 ? SLICE_NONE : slice_from(text, (size_t)slash + 1);
    if (at == 0)
        return refuse(why, "local part", "empty");
    if (slash >= 0 && raw.resource.len == 0) /* RFC 7622 3.4 */
        return refuse(why, "resource", "empty");
    enum rc rc = prepare(a, &raw, &made, why);
    if (rc != RC_OK)
        return rc;
    if (same_bytes(raw.local, made.local) && same_bytes(raw.domain, made.domain) &&
        same_bytes(raw.resource, made.resource)) {
        made.full = text;
        made.bare_len = bare.len;
    } else {
        assemble(a, &made);
        repoint(&made);
    }
    *out = made;
    return RC_OK;
}

enum rc jid_make(struct arena *a, struct slice local, struct slice domain, struct slice resource,
                 struct jid *out, struct why *why)
{
    struct jid raw = { .local = local, .domain = domain, .resource = resource }, made = { 0 };
    enum rc rc = prepare(a, &raw, &made, why);
    if (rc != RC_OK)
        return rc;
    assemble(a, &made);
    repoint(&made);
    *out = made;
    return RC_OK;
}

struct slice jid_domain_in(struct slice text)
{
    ptrdiff_t slash = slice_find(text, '/');
    struct slice bare = slash < 0 ? text : slice_to(text, (size_t)slash);
    return slice_from(bare, (size_t)(slice_find(bare, '@') + 1));
}

struct jid jid_to_bare(const struct jid *j)
{
    struct jid bare = *j;
    bare.resource = SLICE_NONE;
    bare.full = jid_bare(j);
    return bare;
}

struct jid jid_copy(struct arena *a, const struct jid *j)
{
    struct jid copy = *j;
    copy.full = arena_copy(a, j->full);
    repoint(&copy);
    return copy;
}

struct jid jid_with_resource(struct arena *a, const struct jid *bare, struct slice resource)
{
    struct jid full = { .local = bare->local, .domain = bare->domain, .resource = resource };
    assemble(a, &full);
    repoint(&full);
    return full;
}
