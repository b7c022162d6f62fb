/* s2s/dialback.c */
#include "s2s/dialback.h"

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include <gnutls/crypto.h>

static const char *const kinds[] = { [DIALBACK_RESULT] = "result", [DIALBACK_VERIFY] = "verify" };
static const char *const types[] = { [DIALBACK_REQUEST] = "",
                                     [DIALBACK_VALID] = "valid",
                                     [DIALBACK_INVALID] = "invalid",
                                     [DIALBACK_ERROR] = "error" };
enum { KINDS = sizeof kinds / sizeof *kinds, TYPES = sizeof types / sizeof *types };

/* --- reading --- */

static enum rc refuse(struct why *why, const struct node *n, const char *text)
{
    why_set(why, "dialback " SLICE_FMT ": %s", SLICE_ARG(n->name), text);
    return RC_SYNTAX;
}

MUST_USE static enum rc domain_of(struct arena *a, const struct node *n, const char *name, struct slice *out,
                                  struct why *why)
{
    struct why inner = { "" };
    if (!node_has(n, name)) {
        why_set(why, "dialback " SLICE_FMT ": no %s", SLICE_ARG(n->name), name);
        return RC_SYNTAX;
    }
    if (jid_prepare_domain(a, node_attr(n, name), out, &inner) == RC_OK)
        return RC_OK;
    why_set(why, "dialback " SLICE_FMT ": %s: %s", SLICE_ARG(n->name), name, inner.text);
    return RC_SYNTAX;
}

/* XEP-0220 2.4.2: an error as stanzas carry it, in whatever namespace the stream has by default. */
static void read_error(struct arena *a, const struct node *n, struct dialback *d)
{
    const struct node *error = node_find(n, "error", NULL);
    const struct node *at = node_find(error, NULL, NS_STANZA_ERROR);
    d->error = SLICE("undefined-condition");
    for (; at; at = node_find_next(at, NULL, NS_STANZA_ERROR)) {
        if (slice_is(at->name, "text"))
            d->text = node_text(a, at);
        else
            d->error = at->name;
    }
}

MUST_USE static enum rc read_content(struct arena *a, const struct node *n, struct dialback *d,
                                     struct why *why)
{
    d->id = d->kind == DIALBACK_VERIFY ? node_attr(n, "id") : SLICE_NONE;
    if (d->kind == DIALBACK_VERIFY && !d->id.len)
        return refuse(why, n, "no id");
    if (d->type == DIALBACK_REQUEST)
        d->key = slice_trim(node_text(a, n));
    if (d->type == DIALBACK_REQUEST && !d->key.len)
        return refuse(why, n, "no key");
    if (d->type == DIALBACK_ERROR)
        read_error(a, n, d);
    if (d->id.len <= DIALBACK_ID_MAX && d->key.len <= DIALBACK_KEY_MAX)
        return RC_OK;
    why_set(why, "dialback " SLICE_FMT ": a longer key or id than is taken", SLICE_ARG(n->name));
    return RC_LIMIT;
}

enum rc dialback_read(struct arena *a, const struct node *n, struct dialback *out, bool *addressing,
                      struct why *why)
{
    struct dialback d = { 0 };
    unsigned kind = 0, type = 0;
    if (addressing)
        *addressing = false;
    while (kind < KINDS && !node_is(n, kinds[kind], NS_DIALBACK))
        kind++;
    if (kind == KINDS)
        return RC_UNSUPPORTED;
    while (type < TYPES && !slice_is(node_attr(n, "type"), types[type]))
        type++;
    if (type == TYPES || (type == DIALBACK_REQUEST && node_has(n, "type")))
        return refuse(why, n, "an unknown type");
    d.kind = (enum dialback_kind)kind;
    d.type = (enum dialback_type)type;
    enum rc rc = domain_of(a, n, "from", &d.from, why);
    if (rc == RC_OK)
        rc = domain_of(a, n, "to", &d.to, why);
    if (addressing)
        *addressing = rc != RC_OK;
    if (rc == RC_OK)
        rc = read_content(a, n, &d, why);
    if (rc == RC_OK)
        *out = d;
    return rc;
}

/* --- writing --- */

/* Of the stanza errors and the one stream error that XEP-0220 2.4.2 names, those after which trying again may
 * help. */
static const char *error_type(struct slice error)
{
    static const char *const waits[] = { "remote-connection-failed", "remote-server-timeout",
                                         "resource-constraint", "internal-server-error" };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        if (slice_is(error, waits[i]))
            return "wait";
    }
    return slice_is(error, "not-authorized") || slice_is(error, "forbidden") ? "auth" : "cancel";
}

static void write_error(struct buf *out, const struct dialback *d)
{
    struct slice error = d->error.len ? d->error : SLICE("undefined-condition");
    buf_fmt(out, "<error type='%s'><", error_type(error));
    buf_slice(out, error);
    BUF_LIT(out, " xmlns='" NS_STANZA_ERROR "'/>");
    if (d->text.len) {
        BUF_LIT(out, "<text xmlns='" NS_STANZA_ERROR "'>");
        xmlout_text(out, d->text);
        BUF_LIT(out, "</text>");
    }
    BUF_LIT(out, "</error>");
}

void dialback_write(struct buf *out, const struct dialback *d)
{
    /* The prefix is db, by which some know the element; not all declare it in their header. */
    buf_fmt(out, "<db:%s xmlns:db='" NS_DIALBACK "'", kinds[d->kind]);
    xmlout_attr(out, "from", d->from);
    xmlout_attr(out, "to", d->to);
    if (d->kind == DIALBACK_VERIFY)
        xmlout_attr(out, "id", d->id);
    if (d->type != DIALBACK_REQUEST)
        buf_fmt(out, " type='%s'", types[d->type]);
    if (d->type == DIALBACK_VALID || d->type == DIALBACK_INVALID) {
        BUF_LIT(out, "/>");
        return;
    }
    BUF_LIT(out, ">");
    if (d->type == DIALBACK_ERROR)
        write_error(out, d);
    else
        xmlout_text(out, d->key);
    buf_fmt(out, "</db:%s>", kinds[d->kind]);
}

struct dialback dialback_answer(const struct dialback *d, enum dialback_type type, const char *error)
{
    return (struct dialback){ .kind = d->kind,
                              .type = type,
                              .from = d->to,
                              .to = d->from,
                              .id = d->id,
                              .error = type == DIALBACK_ERROR ? slice_cstr(error) : SLICE_NONE };
}

void dialback_feature_write(struct buf *out)
{
    BUF_LIT(out, "<dialback xmlns='" NS_DIALBACK_FEATURE "'><errors/></dialback>");
}

bool dialback_feature_read(const struct node *features, bool *errors)
{
    const struct node *n = node_find(features, "dialback", NS_DIALBACK_FEATURE);
    *errors = node_find(n, "errors", NULL) != NULL;
    return n != NULL;
}

/* --- keys --- */

struct slice dialback_key(struct arena *a, struct slice secret, struct slice receiving,
                          struct slice originating, struct slice stream_id)
{
    enum { SHA256 = 32 };
    unsigned char digest[SHA256] = { 0 }, mac[SHA256] = { 0 };
    gnutls_hash_fast(GNUTLS_DIG_SHA256, secret.p, secret.len, digest);
    struct slice key = hex_encode(a, slice_of((char *)digest, SHA256));
    struct slice text = arena_fmt(a, SLICE_FMT " " SLICE_FMT " " SLICE_FMT, SLICE_ARG(receiving),
                                  SLICE_ARG(originating), SLICE_ARG(stream_id));
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.p, key.len, text.p, text.len, mac);
    secret_wipe(digest, SHA256);
    return hex_encode(a, slice_of((char *)mac, SHA256));
}

bool dialback_key_ok(struct arena *a, struct slice secret, struct slice receiving, struct slice originating,
                     struct slice stream_id, struct slice key)
{
    return secret_eq(dialback_key(a, secret, receiving, originating, stream_id), key);
}
