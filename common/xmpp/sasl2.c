/* common/xmpp/sasl2.c */
#include "common/xmpp/sasl2.h"

#include "common/base/text.h"
#include "common/xmpp/ns.h"

static bool number(struct slice text, uint64_t least, uint64_t most, uint32_t *out)
{
    uint64_t n;
    if (slice_u64(text, most, &n) != RC_OK || n < least)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool boolean(const struct node *n, const char *name, bool *out)
{
    struct slice text = node_attr(n, name);
    *out = slice_is(text, "1") || slice_is(text, "true");
    return *out || !node_has(n, name) || slice_is(text, "0") || slice_is(text, "false");
}

/* XEP-0388 2.3: a UUID; the same whichever case it is written in. */
static bool agent_id(struct arena *a, struct slice text, struct slice *out)
{
    if (text.len != SASL2_AGENT_LEN)
        return false;
    char *id = arena_alloc(a, SASL2_AGENT_LEN);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        id[i] = c;
    }
    *out = slice_of(id, SASL2_AGENT_LEN);
    return true;
}

static bool read_agent(struct arena *a, const struct node *n, struct sasl2_request *r)
{
    r->software = node_child_text(a, n, "software", NS_SASL2);
    return !node_has(n, "id") || agent_id(a, node_attr(n, "id"), &r->agent);
}

static bool read_resume(const struct node *n, struct sasl2_request *r)
{
    r->resume = true;
    r->previd = node_attr(n, "previd");
    return r->previd.len && number(node_attr(n, "h"), 0, UINT32_MAX, &r->h);
}

static bool read_fast(const struct node *n, struct sasl2_request *r)
{
    r->fast = true;
    return boolean(n, "invalidate", &r->invalidate) &&
           (!node_has(n, "count") || number(node_attr(n, "count"), 1, INT32_MAX, &r->count));
}

/* Each of what may be asked for, once. What is not known is passed over: XEP-0388 2.3. */
static bool read_inline(struct arena *a, const struct node *n, struct sasl2_request *r)
{
    if (node_is(n, "user-agent", NS_SASL2))
        return !r->agent.len && read_agent(a, n, r);
    if (node_is(n, "bind", NS_BIND2)) {
        bool first = !r->bind;
        r->bind = n;
        r->tag = node_child_text(a, n, "tag", NS_BIND2);
        return first;
    }
    if (node_is(n, "resume", NS_SM))
        return !r->resume && read_resume(n, r);
    if (node_is(n, "fast", NS_FAST))
        return !r->fast && read_fast(n, r);
    if (node_is(n, "config-version", NS_IAP)) { /* equal is equal, whatever the scheme: XEP-0509 2.2 */
        bool first = !r->has_version;
        r->has_version = true;
        r->version = node_attr(n, "value");
        return first;
    }
    if (node_is(n, "request-token", NS_FAST)) {
        bool first = !r->token_for.len;
        r->token_for = node_attr(n, "mechanism");
        return first && r->token_for.len;
    }
    return true;
}

enum sasl_fail sasl2_read(struct arena *a, const struct node *n, struct sasl2_request *out)
{
    struct sasl2_request r = { .mechanism = node_is(n, "authenticate", NS_SASL2) ? node_attr(n, "mechanism")
                                                                                 : SLICE_NONE };
    if (!r.mechanism.len)
        return SASL_MALFORMED_REQUEST;
    for (const struct node *c = node_child(n); c; c = node_sibling(c)) {
        if (node_is(c, "initial-response", NS_SASL2)) {
            if (r.has_initial || node_child(c))
                return SASL_MALFORMED_REQUEST;
            r.has_initial = true;
            if (base64_decode(a, node_text(a, c), &r.initial) != RC_OK)
                return SASL_INCORRECT_ENCODING;
        } else if (!read_inline(a, c, &r)) {
            return SASL_MALFORMED_REQUEST;
        }
    }
    *out = r;
    return SASL_OK;
}
