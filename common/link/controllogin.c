/* common/link/controllogin.c */
#include "common/link/controlin.h"

#include "common/base/text.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include <sodium.h>

static void put_base64(struct buf *out, struct slice bytes)
{
    enum { PIECE = 768 }; /* a multiple of three: pieces join without padding between them */
    char text[PIECE / 3 * 4 + 1];
    for (size_t at = 0; at < bytes.len; at += PIECE) {
        struct slice piece = slice_to(slice_from(bytes, at), PIECE);
        sodium_bin2base64(text, sizeof text, (const unsigned char *)piece.p, piece.len,
                          sodium_base64_VARIANT_ORIGINAL);
        buf_cstr(out, text);
    }
}

static void put_binding(struct buf *out, const char *name, struct slice data)
{
    if (!data.len)
        return;
    buf_byte(out, '<');
    buf_cstr(out, name);
    buf_byte(out, '>');
    put_base64(out, data);
    controlin_end(out, name);
}

void control_write_open(struct buf *out, const struct control_open *c)
{
    controlin_start(out, "open");
    xmlout_attr(out, "domain", c->domain);
    xmlout_attr(out, "ip", c->ip);
    controlin_put_flag(out, "secure", c->secure);
    controlin_put_flag(out, "trusted", c->trusted_plain);
    controlin_put_flag(out, "api", c->api);
    controlin_put_flag(out, "plus", c->offered_plus);
    if (c->mechanisms.len)
        xmlout_attr(out, "mechanisms", c->mechanisms);
    if (c->bindings.len)
        xmlout_attr(out, "bindings", c->bindings);
    buf_byte(out, '>');
    put_binding(out, "exporter", c->cb.exporter);
    put_binding(out, "end-point", c->cb.end_point);
    for (size_t i = 0; i < c->n_cert_jids; i++)
        controlin_put_text_element(out, "cert-jid", c->cert_jids[i]);
    controlin_end(out, "open");
}

static enum rc get_binding(struct arena *a, const struct node *n, const char *name, struct slice *out,
                           struct why *why)
{
    struct slice text = node_child_text(a, n, name, NS_CONTROL);
    *out = SLICE_NONE;
    return base64_decode(a, text, out) == RC_OK ? RC_OK : controlin_bad(n, name, why);
}

enum rc control_read_open(struct arena *a, const struct node *n, struct control_open *out, struct why *why)
{
    struct control_open c = { .domain = node_attr(n, "domain"),
                              .ip = node_attr(n, "ip"),
                              .mechanisms = node_attr(n, "mechanisms"),
                              .bindings = node_attr(n, "bindings") };
    enum rc rc = controlin_check_domain(a, n, c.domain, "domain", why);
    if (rc == RC_OK && !c.ip.len)
        rc = controlin_bad(n, "ip", why);
    if (rc == RC_OK)
        rc = controlin_get_flag(n, "secure", &c.secure, why);
    if (rc == RC_OK)
        rc = controlin_get_flag(n, "trusted", &c.trusted_plain, why);
    if (rc == RC_OK)
        rc = controlin_get_flag(n, "api", &c.api, why);
    if (rc == RC_OK)
        rc = controlin_get_flag(n, "plus", &c.offered_plus, why);
    if (rc == RC_OK)
        rc = get_binding(a, n, "exporter", &c.cb.exporter, why);
    if (rc == RC_OK)
        rc = get_binding(a, n, "end-point", &c.cb.end_point, why);
    if (rc == RC_OK)
        rc = controlin_get_texts(a, n, "cert-jid", &c.cert_jids, &c.n_cert_jids, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

/* SASL data that is there but empty is "=", as on client streams: RFC 6120 6.4.2. */
static void put_data(struct buf *out, struct slice data)
{
    if (data.len)
        put_base64(out, data);
    else
        buf_byte(out, '=');
}

void control_write_auth(struct buf *out, const struct control_auth *c)
{
    controlin_start(out, "auth");
    xmlout_attr(out, "mechanism", c->mechanism);
    buf_byte(out, '>');
    if (c->has_initial)
        put_data(out, c->initial);
    controlin_end(out, "auth");
}

/* Base64 content: *has is false when there is none; "=" is empty data. */
static enum rc get_data(struct arena *a, const struct node *n, bool *has, struct slice *out, struct why *why)
{
    struct slice text = node_text(a, n);
    *has = text.len > 0;
    *out = SLICE_NONE;
    if (!*has || slice_is(text, "="))
        return RC_OK;
    return base64_decode(a, text, out) == RC_OK ? RC_OK : controlin_bad(n, "not base64", why);
}

enum rc control_read_auth(struct arena *a, const struct node *n, struct control_auth *out, struct why *why)
{
    struct control_auth c = { .mechanism = node_attr(n, "mechanism") };
    if (!c.mechanism.len)
        return controlin_bad(n, "mechanism", why);
    enum rc rc = get_data(a, n, &c.has_initial, &c.initial, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_authenticate(struct buf *out, struct slice from, const struct node *authenticate)
{
    controlin_start(out, "authenticate");
    if (from.len)
        xmlout_attr(out, "from", from);
    buf_byte(out, '>');
    xmlout_node(out, authenticate, NULL);
    controlin_end(out, "authenticate");
}

enum rc control_read_authenticate(struct arena *a, const struct node *n, struct control_authenticate *out,
                                  struct why *why)
{
    struct control_authenticate c = { .from = node_attr(n, "from") };
    struct jid jid;
    if (c.from.len) {
        if (jid_parse(a, c.from, &jid, NULL) != RC_OK || !jid.local.len || jid.resource.len)
            return controlin_bad(n, "from", why);
        c.from = jid.full;
    }
    if (sasl2_read(a, node_find(n, "authenticate", NS_SASL2), &c.request) != SASL_OK)
        return controlin_bad(n, "what the client asks for", why);
    *out = c;
    return RC_OK;
}

void control_write_authenticated(struct buf *out, const struct control_authenticated *c)
{
    controlin_start(out, "authenticated");
    xmlout_attr(out, "user", c->user);
    if (c->full.len)
        xmlout_attr(out, "jid", c->full);
    controlin_put_flag(out, "resumed", c->resumed);
    if (c->sm) {
        controlin_put_count(out, "in", c->in);
        controlin_put_count(out, "out", c->out);
    }
    buf_byte(out, '>');
    if (c->has_data) {
        BUF_LIT(out, "<data>");
        put_data(out, c->data);
        BUF_LIT(out, "</data>");
    }
    if (c->bound.len) {
        BUF_LIT(out, "<bound>");
        buf_slice(out, c->bound); /* canonical elements, each with its xmlns */
        BUF_LIT(out, "</bound>");
    }
    buf_slice(out, c->more);
    controlin_end(out, "authenticated");
}

/* The children of n that are not ours, canonical again. */
static struct slice get_others(struct arena *a, const struct node *n)
{
    struct buf text = BUF_INIT(0);
    for (const struct node *c = node_child(n); c; c = node_sibling(c))
        if (!slice_is(c->ns, NS_CONTROL))
            xmlout_node(&text, c, NS_CLIENT);
    struct slice copy = arena_copy(a, buf_get(&text));
    buf_fini(&text);
    return copy;
}

enum rc control_read_authenticated(struct arena *a, const struct node *n, struct control_authenticated *out,
                                   struct why *why)
{
    struct control_authenticated c = { .user = node_attr(n, "user"), .full = node_attr(n, "jid") };
    const struct node *data = node_find(n, "data", NS_CONTROL);
    struct jid jid, full;
    if (jid_parse(a, c.user, &jid, NULL) != RC_OK || !jid.local.len || jid.resource.len)
        return controlin_bad(n, "user", why);
    c.user = jid.full;
    if (c.full.len) {
        if (jid_parse(a, c.full, &full, NULL) != RC_OK || !full.resource.len || !jid_bare_eq(&full, &jid))
            return controlin_bad(n, "jid", why);
        c.full = full.full;
    }
    if (data && get_data(a, data, &c.has_data, &c.data, why) != RC_OK)
        return RC_SYNTAX;
    c.sm = node_has(n, "in") || node_has(n, "out");
    if (controlin_get_flag(n, "resumed", &c.resumed, why) != RC_OK ||
        (c.sm && (controlin_get_count(n, "in", &c.in, why) != RC_OK ||
                  controlin_get_count(n, "out", &c.out, why) != RC_OK)))
        return RC_SYNTAX;
    if ((c.sm && !c.full.len) || (c.resumed && !c.sm))
        return controlin_bad(n, "no session", why);
    c.bound = get_others(a, node_find(n, "bound", NS_CONTROL));
    c.more = get_others(a, n);
    *out = c;
    return RC_OK;
}

static void write_data(struct buf *out, const char *name, struct slice data)
{
    controlin_start(out, name);
    buf_byte(out, '>');
    put_data(out, data);
    controlin_end(out, name);
}

void control_write_response(struct buf *out, struct slice data)
{
    write_data(out, "response", data);
}

void control_write_challenge(struct buf *out, struct slice data)
{
    write_data(out, "challenge", data);
}

void control_write_abort(struct buf *out)
{
    controlin_start(out, "abort");
    BUF_LIT(out, "/>");
}

void control_write_bind(struct buf *out, struct slice resource)
{
    controlin_start(out, "bind");
    if (resource.len)
        xmlout_attr(out, "resource", resource);
    BUF_LIT(out, "/>");
}

enum rc control_read_bind(struct arena *a, const struct node *n, struct slice *resource, struct why *why)
{
    struct slice prepared = SLICE_NONE, given = node_attr(n, "resource");
    if (given.len && jid_prepare_resource(a, given, &prepared, NULL) != RC_OK)
        return controlin_bad(n, "resource", why);
    *resource = prepared;
    return RC_OK;
}

void control_write_success(struct buf *out, const struct control_success *c)
{
    controlin_start(out, "success");
    xmlout_attr(out, "user", c->user);
    buf_byte(out, '>');
    if (c->has_data)
        put_data(out, c->data);
    controlin_end(out, "success");
}

enum rc control_read_success(struct arena *a, const struct node *n, struct control_success *out,
                             struct why *why)
{
    struct control_success c = { .user = node_attr(n, "user") };
    struct jid jid;
    if (jid_parse(a, c.user, &jid, NULL) != RC_OK || !jid.local.len || jid.resource.len)
        return controlin_bad(n, "user", why);
    c.user = jid.full;
    enum rc rc = get_data(a, n, &c.has_data, &c.data, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_failure(struct buf *out, const struct control_failure *c)
{
    controlin_write_cond(out, "failure", sasl_fail_name(c->cond), c->text);
}

enum rc control_read_failure(struct arena *a, const struct node *n, struct control_failure *out,
                             struct why *why)
{
    struct control_failure c = { .text = node_text(a, n) };
    if (sasl_fail_parse(node_attr(n, "cond"), &c.cond) != RC_OK)
        return controlin_bad(n, "cond", why);
    *out = c;
    return RC_OK;
}

void control_write_bound(struct buf *out, struct slice full_jid)
{
    controlin_start(out, "bound");
    xmlout_attr(out, "jid", full_jid);
    BUF_LIT(out, "/>");
}

enum rc control_read_bound(struct arena *a, const struct node *n, struct jid *full, struct why *why)
{
    struct jid jid;
    if (jid_parse(a, node_attr(n, "jid"), &jid, NULL) != RC_OK || !jid.resource.len)
        return controlin_bad(n, "jid", why);
    *full = jid;
    return RC_OK;
}

void control_write_bind_refused(struct buf *out, const struct control_bind_refused *c)
{
    controlin_write_cond(out, "bind-refused", stanza_cond_name(c->cond), c->text);
}

enum rc control_read_bind_refused(struct arena *a, const struct node *n, struct control_bind_refused *out,
                                  struct why *why)
{
    struct control_bind_refused c = { .text = node_text(a, n) };
    enum rc rc = controlin_get_cond(n, &c.cond, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_data(struct arena *a, const struct node *n, struct slice *out, struct why *why)
{
    bool has;
    return get_data(a, n, &has, out, why);
}
