/* router/negotiate.c */
#include "router/negotiate.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/xmpp/stanza.h"
#include "common/xmpp/xmlout.h"
#include "router/auth.h"
#include "router/stanzas.h"
#include <stdio.h>

static bool refuse(struct peer *p, enum stream_cond cond, const char *text)
{
    peer_stream_error(p, cond, text);
    return false;
}

/* TLS first, unless the socket does not leave the host. */
static bool needs_tls(const struct peer *p)
{
    return p->tcp && !p->loopback && !p->secure && p->r->conf->tls == ROUTER_TLS_REQUIRED;
}

/* --- the stream header --- */

static void write_header(struct peer *p, struct arena *a, const char *ns, const struct stream_header *in)
{
    struct slice id = secret_token(a, 16);
    snprintf(p->stream_id, sizeof p->stream_id, SLICE_FMT, SLICE_ARG(id));
    struct stream_open h = { .content_ns = ns, .id = id, .version_1 = in->version_1 };
    if (in->has_to)
        h.from = in->to.full;
    if (in->has_from)
        h.to = in->from.full;
    stream_header_write(conn_out(p->conn), &h);
    conn_wrote(p->conn);
}

static bool header_0114(struct peer *p, const struct stream_header *h)
{
    const struct section *s = h->has_to ? section_find(p->r->conf, h->to.full) : NULL;
    if (needs_tls(p))
        return refuse(p, STREAM_POLICY_VIOLATION, "TLS is required: XEP-0225");
    if (!h->has_to)
        return refuse(p, STREAM_IMPROPER_ADDRESSING, "the stream is to the component's name");
    if (!s || (s->role != ROLE_COMPONENT && s->role != ROLE_ADMIN))
        return refuse(p, STREAM_HOST_UNKNOWN, NULL);
    p->level = PEER_0114;
    p->state = PEER_HANDSHAKE;
    p->name_asked = mem_copy(h->to.full);
    return true;
}

static void write_features(struct peer *p)
{
    struct buf *out = conn_out(p->conn);
    BUF_LIT(out, "<stream:features>");
    if (p->state == PEER_OPEN) {
        BUF_LIT(out, "<bind xmlns='" NS_COMPONENT "'><required/></bind><frames xmlns='" NS_FRAMES "'/>");
    } else {
        if (!p->secure && p->r->certs)
            buf_cstr(out, needs_tls(p) ? "<starttls xmlns='" NS_TLS "'><required/></starttls>"
                                       : "<starttls xmlns='" NS_TLS "'/>");
        if (!needs_tls(p))
            auth_mechanisms(p, out);
    }
    BUF_LIT(out, "</stream:features>");
    conn_wrote(p->conn);
}

static bool header_0225(struct peer *p, const struct stream_header *h)
{
    if (!h->version_1)
        return refuse(p, STREAM_UNSUPPORTED_VERSION, NULL);
    p->level = PEER_0225;
    p->state = p->state == PEER_AUTHED ? PEER_OPEN : PEER_PLAIN;
    if (p->state == PEER_OPEN && p->role == ROLE_ADMIN)
        peer_admins(p->r, 1);
    if (p->state == PEER_OPEN)
        timer_stop(&p->timer);
    write_features(p);
    return true;
}

bool negotiate_header(struct peer *p, struct arena *a, const struct node *header)
{
    struct stream_header h;
    enum stream_cond cond = STREAM_INVALID_NAMESPACE;
    struct slice ns = node_attr(header, "xmlns");
    bool old = slice_is(ns, NS_COMPONENT_ACCEPT);
    const char *content = slice_is(ns, NS_SERVER) ? NS_SERVER : old ? NS_COMPONENT_ACCEPT : NS_CLIENT;
    enum rc rc = stream_header_read(a, header, content, &h, &cond);
    if (!p->going && (p->state == PEER_HEADER || p->state == PEER_AUTHED))
        write_header(p, a, content, &h);
    if (rc != RC_OK)
        return refuse(p, cond, NULL);
    if (old && p->state != PEER_HEADER)
        return refuse(p, STREAM_INVALID_NAMESPACE, NULL);
    return old ? header_0114(p, &h) : header_0225(p, &h);
}

/* --- elements --- */

static bool on_handshake(struct peer *p, struct arena *a, struct node *n)
{
    const struct section *s = section_find(p->r->conf, slice_cstr(p->name_asked));
    if (!s || !auth_digest_ok(p, a, slice_trim(node_text(a, n)), slice_cstr(p->name_asked))) {
        METRIC_INC(p->r->run->metrics, METRIC_AUTH_FAILED);
        return refuse(p, STREAM_NOT_AUTHORIZED, NULL);
    }
    peer_authenticated(p, s);
    p->state = PEER_OPEN;
    if (p->role == ROLE_ADMIN)
        peer_admins(p->r, 1);
    else if (peer_bind(p, slice_cstr(p->name_asked)) != RC_OK)
        return refuse(p, STREAM_NOT_AUTHORIZED, "the name may not be bound");
    conn_write(p->conn, SLICE("<handshake/>"));
    return true;
}

static bool on_starttls(struct peer *p, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    if (!p->r->certs || p->secure) {
        conn_write(p->conn, SLICE("<failure xmlns='" NS_TLS "'/>" STREAM_END));
        peer_end(p);
        return false;
    }
    conn_write(p->conn, SLICE("<proceed xmlns='" NS_TLS "'/>"));
    conn_flush(p->conn);
    p->state = PEER_HEADER;
    p->stream_id[0] = '\0';
    xmlin_reset(&p->in);
    conn_start_tls(p->conn, certs_tls(p->r->certs), TLS_SERVER, NULL);
    return false; /* nothing read before TLS survives it */
}

void negotiate_secure(struct peer *p)
{
    p->secure = true;
}

static bool on_auth(struct peer *p, struct arena *a, struct node *n)
{
    if (needs_tls(p))
        return refuse(p, STREAM_POLICY_VIOLATION, "TLS is required");
    return auth_element(p, a, n);
}

static void answer_iq(struct peer *p, const struct node *n)
{
    xmlout_node(conn_out(p->conn), n, NS_CLIENT);
    conn_wrote(p->conn);
}

static bool iq_error(struct peer *p, struct arena *a, const struct stanza *st, enum stanza_cond cond)
{
    struct node *n = stanza_error(a, st, cond, NULL);
    if (n)
        answer_iq(p, n);
    return true;
}

static size_t bound_at(const struct peer *p, struct slice name)
{
    size_t i = 0;
    while (i < p->n_names && !slice_is(name, p->names[i]))
        i++;
    return i;
}

/* XEP-0225 4: <bind/> and <unbind/>; a hostname is a domain, without the resource that the XEP leaves
 * open. */
static bool on_bind(struct peer *p, struct arena *a, const struct stanza *st)
{
    bool unbind = node_is(st->payload, "unbind", NS_COMPONENT);
    struct slice name;
    enum rc rc = RC_OK;
    struct slice text = slice_trim(node_child_text(a, st->payload, "hostname", NS_COMPONENT));
    if (jid_prepare_domain(a, text, &name, NULL) != RC_OK)
        return iq_error(p, a, st, COND_BAD_REQUEST);
    if (unbind && bound_at(p, name) == p->n_names)
        return iq_error(p, a, st, COND_ITEM_NOT_FOUND);
    if (unbind)
        peer_unbind(p, bound_at(p, name));
    else if (p->role == ROLE_COMPONENT)
        rc = peer_bind(p, name);
    else
        rc = RC_DENIED; /* daemons bind by control frames */
    if (rc == RC_DENIED) {
        METRIC_INC(p->r->run->metrics, METRIC_AUTH_FAILED);
        return iq_error(p, a, st, COND_NOT_ALLOWED);
    }
    if (rc != RC_OK)
        return iq_error(p, a, st, COND_CONFLICT);
    struct node *reply = stanza_reply(a, st);
    if (!unbind)
        node_add_text(a, node_add(a, node_add(a, reply, "bind", NS_COMPONENT), "hostname", NS_COMPONENT),
                      name);
    answer_iq(p, reply);
    return true;
}

static bool on_frames(struct peer *p, const struct node *n)
{
    struct log_ctx log = peer_log(p, "frames");
    uint64_t node, version;
    struct slice instance = node_attr(n, "instance");
    enum node_role role;
    if (slice_u64(node_attr(n, "version"), UINT32_MAX, &version) != RC_OK || version != FRAME_PROTOCOL) {
        LOG_WARN(&log, "frames_version", F_SLICE("theirs", node_attr(n, "version")),
                 F_UINT("ours", FRAME_PROTOCOL));
        return refuse(p, STREAM_UNSUPPORTED_VERSION, "another version of the frame protocol");
    }
    if (hex_u64(node_attr(n, "node"), &node) != RC_OK || !node || node == p->r->node || !instance.len ||
        instance.len > 255)
        return refuse(p, STREAM_BAD_FORMAT, "node and instance are needed");
    if (!node_role_parse(node_attr(n, "role"), &role) || role != p->role ||
        (role != ROLE_EDGE && role != ROLE_S2S && role != ROLE_SESSMAN))
        return refuse(p, STREAM_NOT_AUTHORIZED, "the role is not that of this name");
    const struct peer *old = idmap_get(p->r->nodes, node);
    if (old &&
        strcmp(old->name, p->name) != 0) { /* another secret's: who had it would get that daemon's frames */
        LOG_WARN(&log, "node_taken", F_HEX("node", node), F_STR("by", old->instance));
        return refuse(p, STREAM_CONFLICT, "this node is another's");
    }
    peer_frames_up(p, node, instance);
    return false;
}

static bool on_open(struct peer *p, struct arena *a, struct node *n)
{
    struct stanza st;
    enum stanza_cond cond;
    bool to_us = !node_has(n, "to") && p->level == PEER_0225 && p->role == ROLE_COMPONENT;
    if (node_is(n, "frames", NS_FRAMES) && p->level == PEER_0225 && !p->n_names)
        return on_frames(p, n);
    if (to_us && stanza_read(a, n, &st, &cond) == RC_OK && st.type == IQ_SET &&
        (node_is(st.payload, "bind", NS_COMPONENT) || node_is(st.payload, "unbind", NS_COMPONENT)))
        return on_bind(p, a, &st);
    return stanzas_element(p, a, n);
}

static const struct step {
    enum peer_state state;
    const char *ns, *name;
    bool (*fn)(struct peer *p, struct arena *a, struct node *n);
} steps[] = {
    /* clang-format off */
    /* what a component may send when */
    { PEER_HANDSHAKE, NS_COMPONENT_ACCEPT, "handshake", on_handshake },
    { PEER_PLAIN,     NS_TLS,              "starttls",  on_starttls },
    { PEER_PLAIN,     NS_SASL,             "auth",      on_auth },
    { PEER_SASL,      NS_SASL,             "response",  on_auth },
    { PEER_SASL,      NS_SASL,             "abort",     on_auth },
    { PEER_OPEN,      NULL,                NULL,        on_open },
    /* clang-format on */
};

bool negotiate_element(struct peer *p, struct arena *a, struct node *n)
{
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].state == p->state && (!steps[i].name || node_is(n, steps[i].name, steps[i].ns)))
            return steps[i].fn(p, a, n);
    }
    return refuse(p, STREAM_NOT_AUTHORIZED, NULL);
}
