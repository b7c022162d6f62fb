/* common/link/component.c */
#include "common/link/component.h"

#include "common/base/limits.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/link/frame.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/stream.h"
#include "common/xmpp/xmlout.h"
#include <gnutls/crypto.h>

enum { LOGIN_ARENA = 4096, LOGIN_ARENA_MAX = 1 << 20 };
enum state {
    AT_HEADER,
    AT_HANDSHAKE,
    AT_FEATURES,
    AT_PROCEED,
    AT_CHALLENGE,
    AT_DERIVED,
    AT_SUCCESS,
    AT_FRAMES
};

struct slice component_digest(struct arena *a, struct slice stream_id, struct slice secret)
{
    unsigned char sha1[20] = { 0 };
    struct slice both = arena_join(a, stream_id, secret);
    gnutls_hash_fast(GNUTLS_DIG_SHA1, both.p, both.len, sha1);
    return hex_encode(a, slice_of((char *)sha1, sizeof sha1));
}

void component_login_init(struct component_login *l)
{
    l->a = arena_new(LOGIN_ARENA, LOGIN_ARENA_MAX);
    l->state = AT_HEADER;
    l->stream_id = l->challenge = SLICE_NONE;
}

void component_login_fini(struct component_login *l)
{
    if (l->a)
        arena_free(&l->a);
}

void component_login_open(struct component_login *l, struct buf *out)
{
    /* XEP-0114 3: `to` is the component's own name. XEP-0225 3: a client's stream, `from` is the default
     * hostname. */
    struct stream_open h = { .content_ns = NS_CLIENT, .from = l->name, .version_1 = true };
    if (l->level == COMPONENT_0114)
        h = (struct stream_open){ .content_ns = NS_COMPONENT_ACCEPT, .to = l->name };
    stream_header_write(out, &h);
    l->state = AT_HEADER;
}

static enum component_do failed(struct why *why, const char *text)
{
    why_set(why, "%s", text);
    return COMPONENT_FAILED;
}

enum component_do component_login_header(struct component_login *l, const struct node *header,
                                         struct buf *out, struct why *why)
{
    if (l->state != AT_HEADER || !node_is(header, "stream", NS_STREAM))
        return failed(why, "not a stream header");
    l->stream_id = arena_copy(l->a, node_attr(header, "id"));
    if (l->level != COMPONENT_0114) {
        l->state = AT_FEATURES;
        return COMPONENT_WAIT;
    }
    if (!l->stream_id.len)
        return failed(why, "a stream without id");
    BUF_LIT(out, "<handshake>");
    buf_slice(out, component_digest(l->a, l->stream_id, l->secret));
    BUF_LIT(out, "</handshake>");
    l->state = AT_HANDSHAKE;
    return COMPONENT_WAIT;
}

/* --- features --- */

static bool offers(const struct node *features, const char *mechanism)
{
    const struct node *list = node_find(features, "mechanisms", NS_SASL);
    for (const struct node *m = node_find(list, "mechanism", NS_SASL); m;
         m = node_find_next(m, "mechanism", NS_SASL)) {
        if (m->first && slice_is(m->first->text, mechanism))
            return true;
    }
    return false;
}

static void put_auth(struct component_login *l, struct buf *out, const char *mechanism, struct slice initial)
{
    BUF_LIT(out, "<auth xmlns='" NS_SASL "'");
    xmlout_attr(out, "mechanism", slice_cstr(mechanism));
    buf_byte(out, '>');
    buf_slice(out, initial.len ? base64_encode(l->a, initial) : SLICE("="));
    BUF_LIT(out, "</auth>");
}

static enum component_do begin_scram(struct component_login *l, enum scram_hash hash, bool plus,
                                     struct buf *out)
{
    const struct sasl_cb *cb = plus ? &l->cb : NULL;
    struct slice first =
        scram_client_first(l->a, &l->scram, hash, cb, l->name, secret_token(l->a, SCRAM_NONCE_BYTES));
    put_auth(l, out, scram_name(hash, plus), first);
    l->state = AT_CHALLENGE;
    return COMPONENT_WAIT;
}

static enum component_do begin_auth(struct component_login *l, const struct node *features, struct buf *out,
                                    struct why *why)
{
    static const enum scram_hash hashes[] = { SCRAM_SHA256, SCRAM_SHA1 };
    bool can_bind = l->secure && (l->cb.exporter.len || l->cb.end_point.len);
    if (l->has_cert && l->secure && l->trusts_cert && offers(features, "EXTERNAL")) {
        put_auth(l, out, "EXTERNAL", SLICE_NONE);
        l->state = AT_SUCCESS;
        return COMPONENT_WAIT;
    }
    if (!l->secret.len)
        return failed(why, "the router takes no certificate of ours, and there is no secret");
    for (size_t i = 0; can_bind && i < sizeof hashes / sizeof *hashes; i++) {
        if (offers(features, scram_name(hashes[i], true)))
            return begin_scram(l, hashes[i], true, out);
    }
    if (l->secure && !l->trusts_cert) /* without a CA only the channel binding says who is at the other end */
        return failed(why, "the router's certificate is not verified, and it offers no channel binding");
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        if (offers(features, scram_name(hashes[i], false)))
            return begin_scram(l, hashes[i], false, out);
    }
    return failed(why, "the router offers no mechanism that we know");
}

static enum component_do on_features(struct component_login *l, const struct node *n, struct buf *out,
                                     struct why *why)
{
    if (!node_is(n, "features", NS_STREAM))
        return failed(why, "no stream features");
    if (!l->secure && l->tls != COMPONENT_TLS_NEVER && node_find(n, "starttls", NS_TLS)) {
        BUF_LIT(out, "<starttls xmlns='" NS_TLS "'/>");
        l->state = AT_PROCEED;
        return COMPONENT_WAIT;
    }
    if (!l->secure && l->tls == COMPONENT_TLS_REQUIRED)
        return failed(why, "the router offers no TLS");
    if (node_find(n, "mechanisms", NS_SASL))
        return begin_auth(l, n, out, why);
    if (!node_find(n, "bind", NS_COMPONENT))
        return failed(why, "neither mechanisms nor bind among the features");
    if (l->level == COMPONENT_0225)
        return COMPONENT_READY;
    BUF_LIT(out, "<frames xmlns='" NS_FRAMES "'");
    buf_fmt(out, " node='%016llx' version='%d'", (unsigned long long)l->node, FRAME_PROTOCOL);
    xmlout_attr(out, "role", l->role);
    xmlout_attr(out, "instance", l->instance);
    BUF_LIT(out, "/>");
    l->state = AT_FRAMES;
    return COMPONENT_WAIT;
}

/* --- SASL --- */

static enum component_do on_challenge(struct component_login *l, const struct node *n, struct why *why)
{
    if (!node_is(n, "challenge", NS_SASL) ||
        base64_decode(l->a, arena_copy(l->a, node_text(l->a, n)), &l->challenge) != RC_OK)
        return failed(why, "a bad challenge");
    l->state = AT_DERIVED;
    return COMPONENT_DERIVE;
}

enum component_do component_login_derive(struct component_login *l, struct buf *out, struct why *why)
{
    struct slice final;
    if (scram_client_final(l->a, &l->scram, l->secret, l->challenge, &final, why) != RC_OK)
        return COMPONENT_FAILED;
    BUF_LIT(out, "<response xmlns='" NS_SASL "'>");
    buf_slice(out, base64_encode(l->a, final));
    BUF_LIT(out, "</response>");
    l->state = AT_SUCCESS;
    return COMPONENT_WAIT;
}

static enum component_do on_success(struct component_login *l, const struct node *n, struct why *why)
{
    struct slice data;
    bool scram = l->challenge.len > 0;
    if (!node_is(n, "success", NS_SASL))
        return failed(why, "neither success nor failure");
    if (scram && (base64_decode(l->a, node_text(l->a, n), &data) != RC_OK ||
                  scram_client_verify(l->a, &l->scram, data) != RC_OK))
        return failed(why, "the router does not know the secret");
    return COMPONENT_RESTART;
}

static enum component_do on_frames(struct component_login *l, const struct node *n, struct why *why)
{
    uint64_t version;
    if (!node_is(n, "frames", NS_FRAMES) || hex_u64(node_attr(n, "node"), &l->router) != RC_OK ||
        slice_u64(node_attr(n, "version"), UINT32_MAX, &version) != RC_OK)
        return failed(why, "no answer to <frames/>");
    if (version != FRAME_PROTOCOL)
        return failed(why, "the router speaks another version of the frame protocol");
    return COMPONENT_READY;
}

/* A stream error or SASL failure, in words. */
static enum component_do refused(struct component_login *l, const struct node *n, struct why *why)
{
    const struct node *cond = node_child(n);
    struct slice text = node_child_text(l->a, n, "text", cond ? arena_cstr(l->a, cond->ns) : NULL);
    why_set(why, "the router says %s: " SLICE_FMT "%s" SLICE_FMT,
            node_is(n, "error", NS_STREAM) ? "stream error" : "failure",
            SLICE_ARG(cond ? cond->name : SLICE_NONE), text.len ? ", " : "", SLICE_ARG(text));
    return COMPONENT_FAILED;
}

enum component_do component_login_element(struct component_login *l, const struct node *n, struct buf *out,
                                          struct why *why)
{
    if (node_is(n, "error", NS_STREAM) || node_is(n, "failure", NS_SASL) || node_is(n, "failure", NS_TLS))
        return refused(l, n, why);
    switch ((enum state)l->state) {
    case AT_HANDSHAKE:
        return node_is(n, "handshake", NULL) ? COMPONENT_READY : failed(why, "no answer to the handshake");
    case AT_FEATURES:
        return on_features(l, n, out, why);
    case AT_PROCEED:
        return node_is(n, "proceed", NS_TLS) ? COMPONENT_START_TLS : failed(why, "no answer to starttls");
    case AT_CHALLENGE:
        return on_challenge(l, n, why);
    case AT_SUCCESS:
        return on_success(l, n, why);
    case AT_FRAMES:
        return on_frames(l, n, why);
    case AT_HEADER:
    case AT_DERIVED:
        break;
    }
    return failed(why, "an element that is not due");
}
