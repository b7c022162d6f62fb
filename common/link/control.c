/* common/link/control.c */
#include "common/link/control.h"

#include "common/base/text.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include <sodium.h>

static const struct {
    enum control_kind kind;
    const char *name;
} kinds[] = {
#define X(id, name) { CONTROL_##id, name },
    CONTROL_KINDS(X)
#undef X
};

enum control_kind control_kind_of(const struct node *n)
{
    if (!n || !slice_is(n->ns, NS_CONTROL))
        return CONTROL_NONE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (slice_is(n->name, kinds[i].name))
            return kinds[i].kind;
    }
    return CONTROL_NONE;
}

static const char *const role_names[] = {
    [ROLE_COMPONENT] = "component", [ROLE_EDGE] = "edge",   [ROLE_S2S] = "s2s",
    [ROLE_SESSMAN] = "sessman",     [ROLE_ADMIN] = "admin",
};

const char *node_role_name(enum node_role r)
{
    return role_names[r];
}

bool node_role_parse(struct slice s, enum node_role *out)
{
    for (size_t i = 0; i < sizeof role_names / sizeof *role_names; i++) {
        if (slice_is(s, role_names[i])) {
            *out = (enum node_role)i;
            return true;
        }
    }
    return false;
}

/* --- writing --- */

static void start(struct buf *out, const char *name)
{
    buf_byte(out, '<');
    buf_cstr(out, name);
    BUF_LIT(out, " xmlns='" NS_CONTROL "'");
}

static void end(struct buf *out, const char *name)
{
    BUF_LIT(out, "</");
    buf_cstr(out, name);
    buf_byte(out, '>');
}

static void put_flag(struct buf *out, const char *name, bool set)
{
    if (set)
        xmlout_attr(out, name, SLICE("1"));
}

static void put_count(struct buf *out, const char *name, uint32_t n)
{
    buf_fmt(out, " %s='%lu'", name, (unsigned long)n);
}

static void put_u64(struct buf *out, const char *name, uint64_t n)
{
    buf_fmt(out, " %s='%llu'", name, (unsigned long long)n);
}

static void put_node(struct buf *out, uint64_t node)
{
    buf_fmt(out, " node='%016llx'", (unsigned long long)node);
}

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

/* SASL data that is there but empty is "=", as on client streams: RFC 6120 6.4.2. */
static void put_data(struct buf *out, struct slice data)
{
    if (data.len)
        put_base64(out, data);
    else
        buf_byte(out, '=');
}

static void put_text_element(struct buf *out, const char *name, struct slice text)
{
    buf_byte(out, '<');
    buf_cstr(out, name);
    buf_byte(out, '>');
    xmlout_text(out, text);
    end(out, name);
}

static void put_names(struct buf *out, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_text_element(out, "name", names[i]);
}

void control_write_node_up(struct buf *out, const struct control_node_up *c)
{
    start(out, "node-up");
    put_node(out, c->node);
    xmlout_attr(out, "role", slice_cstr(node_role_name(c->role)));
    xmlout_attr(out, "instance", c->instance);
    buf_byte(out, '>');
    put_names(out, c->names, c->n_names);
    end(out, "node-up");
}

void control_write_node_down(struct buf *out, uint64_t node)
{
    start(out, "node-down");
    put_node(out, node);
    BUF_LIT(out, "/>");
}

static void names_element(struct buf *out, const char *element, const struct slice *names, size_t n)
{
    start(out, element);
    buf_byte(out, '>');
    put_names(out, names, n);
    end(out, element);
}

void control_write_names(struct buf *out, const struct slice *names, size_t n)
{
    names_element(out, "names", names, n);
}

void control_write_components(struct buf *out, const struct slice *names, size_t n)
{
    names_element(out, "components", names, n);
}

void control_write_ask(struct buf *out, const struct control_ask *c)
{
    start(out, "ask");
    put_u64(out, "id", c->id);
    xmlout_attr(out, "what", c->what);
    if (c->args.len)
        xmlout_attr(out, "args", c->args);
    BUF_LIT(out, "/>");
}

/* Length of the character of XML (1.0, 2.2) at the start of s; 0: there is none. */
static size_t xml_char(struct slice s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c < 0x80)
        return c >= ' ' || c == '\t' || c == '\n';
    for (size_t n = 2; n <= 4 && n <= s.len; n++) {
        if (slice_utf8_ok(slice_to(s, n))) /* U+FFFE and U+FFFF are none */
            return n == 3 && c == 0xEF && (unsigned char)s.p[1] == 0xBF && (unsigned char)s.p[2] >= 0xBE ? 0
                                                                                                         : n;
    }
    return 0;
}

static void put_clean(struct buf *out, struct slice text)
{
    while (text.len) {
        size_t run = 0, n = 0;
        while (run < text.len && (n = xml_char(slice_from(text, run))) > 0)
            run += n;
        xmlout_text(out, slice_to(text, run));
        text = slice_from(text, run);
        if (!text.len)
            return;
        buf_byte(out, '?');
        text = slice_from(text, 1);
    }
}

void control_write_told(struct buf *out, const struct control_told *c)
{
    start(out, "told");
    put_u64(out, "id", c->id);
    put_flag(out, "failed", c->failed);
    if (c->node) {
        put_node(out, c->node);
        xmlout_attr(out, "role", c->role);
        xmlout_attr(out, "instance", c->instance);
        put_count(out, "more", c->more);
    }
    buf_byte(out, '>');
    put_clean(out, c->text);
    end(out, "told");
}

static void put_binding(struct buf *out, const char *name, struct slice data)
{
    if (!data.len)
        return;
    buf_byte(out, '<');
    buf_cstr(out, name);
    buf_byte(out, '>');
    put_base64(out, data);
    end(out, name);
}

void control_write_open(struct buf *out, const struct control_open *c)
{
    start(out, "open");
    xmlout_attr(out, "domain", c->domain);
    xmlout_attr(out, "ip", c->ip);
    put_flag(out, "secure", c->secure);
    put_flag(out, "trusted", c->trusted_plain);
    put_flag(out, "api", c->api);
    put_flag(out, "plus", c->offered_plus);
    if (c->mechanisms.len)
        xmlout_attr(out, "mechanisms", c->mechanisms);
    if (c->bindings.len)
        xmlout_attr(out, "bindings", c->bindings);
    buf_byte(out, '>');
    put_binding(out, "exporter", c->cb.exporter);
    put_binding(out, "end-point", c->cb.end_point);
    for (size_t i = 0; i < c->n_cert_jids; i++)
        put_text_element(out, "cert-jid", c->cert_jids[i]);
    end(out, "open");
}

void control_write_auth(struct buf *out, const struct control_auth *c)
{
    start(out, "auth");
    xmlout_attr(out, "mechanism", c->mechanism);
    buf_byte(out, '>');
    if (c->has_initial)
        put_data(out, c->initial);
    end(out, "auth");
}

void control_write_authenticate(struct buf *out, struct slice from, const struct node *authenticate)
{
    start(out, "authenticate");
    if (from.len)
        xmlout_attr(out, "from", from);
    buf_byte(out, '>');
    xmlout_node(out, authenticate, NULL);
    end(out, "authenticate");
}

void control_write_authenticated(struct buf *out, const struct control_authenticated *c)
{
    start(out, "authenticated");
    xmlout_attr(out, "user", c->user);
    if (c->full.len)
        xmlout_attr(out, "jid", c->full);
    put_flag(out, "resumed", c->resumed);
    if (c->sm) {
        put_count(out, "in", c->in);
        put_count(out, "out", c->out);
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
    end(out, "authenticated");
}

static void write_data(struct buf *out, const char *name, struct slice data)
{
    start(out, name);
    buf_byte(out, '>');
    put_data(out, data);
    end(out, name);
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
    start(out, "abort");
    BUF_LIT(out, "/>");
}

void control_write_bind(struct buf *out, struct slice resource)
{
    start(out, "bind");
    if (resource.len)
        xmlout_attr(out, "resource", resource);
    BUF_LIT(out, "/>");
}

void control_write_gone(struct buf *out, bool lost)
{
    start(out, "gone");
    put_flag(out, "lost", lost);
    BUF_LIT(out, "/>");
}

void control_write_csi(struct buf *out, bool active)
{
    start(out, "csi");
    put_flag(out, "active", active);
    BUF_LIT(out, "/>");
}

void control_write_success(struct buf *out, const struct control_success *c)
{
    start(out, "success");
    xmlout_attr(out, "user", c->user);
    buf_byte(out, '>');
    if (c->has_data)
        put_data(out, c->data);
    end(out, "success");
}

/* <failure/>, <bind-refused/>, <close/>: a condition and a text. */
static void write_cond(struct buf *out, const char *name, const char *cond, struct slice text)
{
    start(out, name);
    xmlout_attr(out, "cond", slice_cstr(cond));
    buf_byte(out, '>');
    xmlout_text(out, text);
    end(out, name);
}

void control_write_failure(struct buf *out, const struct control_failure *c)
{
    write_cond(out, "failure", sasl_fail_name(c->cond), c->text);
}

void control_write_bound(struct buf *out, struct slice full_jid)
{
    start(out, "bound");
    xmlout_attr(out, "jid", full_jid);
    BUF_LIT(out, "/>");
}

void control_write_bind_refused(struct buf *out, const struct control_bind_refused *c)
{
    write_cond(out, "bind-refused", stanza_cond_name(c->cond), c->text);
}

void control_write_close(struct buf *out, const struct control_close *c)
{
    write_cond(out, "close", stream_cond_name(c->cond), c->text);
}

void control_write_domains(struct buf *out, const struct control_domain *d, size_t n)
{
    start(out, "domains");
    buf_byte(out, '>');
    for (size_t i = 0; i < n; i++) {
        BUF_LIT(out, "<domain");
        xmlout_attr(out, "name", d[i].name);
        put_flag(out, "registration", d[i].registration);
        xmlout_attr(out, "mechanisms", d[i].mechanisms);
        if (d[i].binds.len)
            xmlout_attr(out, "binds", d[i].binds);
        buf_byte(out, '>');
        buf_slice(out, d[i].features); /* canonical elements, each with its xmlns */
        BUF_LIT(out, "</domain>");
    }
    end(out, "domains");
}

static void put_marks(struct buf *out, const struct control_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        BUF_LIT(out, "<m");
        put_u64(out, "id", marks[i].session);
        put_u64(out, "pos", marks[i].pos);
        if (marks[i].origin)
            put_u64(out, "origin", marks[i].origin);
        BUF_LIT(out, "/>");
    }
}

void control_write_alive(struct buf *out, const struct control_alive *c)
{
    start(out, "alive");
    put_u64(out, "upto", c->upto);
    put_flag(out, "end", c->end);
    buf_byte(out, '>');
    for (size_t i = 0; i < c->n_sessions; i++) {
        const struct control_alive_session *s = &c->sessions[i];
        BUF_LIT(out, "<s");
        put_u64(out, "id", s->id);
        if (s->sm) {
            put_u64(out, "out", s->out);
            put_u64(out, "acked", s->acked);
        }
        BUF_LIT(out, "/>");
    }
    put_marks(out, c->marks, c->n_marks);
    end(out, "alive");
}

static void marks_element(struct buf *out, const char *element, const struct control_mark *marks, size_t n)
{
    start(out, element);
    buf_byte(out, '>');
    put_marks(out, marks, n);
    end(out, element);
}

void control_write_undelivered(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "undelivered", marks, n);
}

void control_write_unread(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "unread", marks, n);
}

void control_write_read(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "read", marks, n);
}

void control_write_sent(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "sent", marks, n);
}

void control_write_settled(struct buf *out, uint64_t seq)
{
    start(out, "settled");
    put_u64(out, "seq", seq);
    BUF_LIT(out, "/>");
}

void control_write_sm_enable(struct buf *out, const struct control_sm_enable *c)
{
    start(out, "sm-enable");
    put_flag(out, "resume", c->resume);
    if (c->max_s)
        put_count(out, "max", c->max_s);
    BUF_LIT(out, "/>");
}

void control_write_sm_enabled(struct buf *out, const struct control_sm_enabled *c)
{
    start(out, "sm-enabled");
    if (c->id.len)
        xmlout_attr(out, "id", c->id);
    put_count(out, "max", c->max_s);
    BUF_LIT(out, "/>");
}

void control_write_flow(struct buf *out, uint16_t n)
{
    start(out, "flow");
    put_u64(out, "n", n);
    BUF_LIT(out, "/>");
}

void control_write_acked(struct buf *out, uint32_t h)
{
    start(out, "acked");
    put_count(out, "h", h);
    BUF_LIT(out, "/>");
}

void control_write_resume(struct buf *out, const struct control_resume *c)
{
    start(out, "resume");
    xmlout_attr(out, "previd", c->previd);
    put_count(out, "h", c->h);
    BUF_LIT(out, "/>");
}

void control_write_resumed(struct buf *out, const struct control_resumed *c)
{
    start(out, "resumed");
    xmlout_attr(out, "previd", c->previd);
    xmlout_attr(out, "jid", c->full.full);
    put_count(out, "in", c->in);
    put_count(out, "out", c->out);
    BUF_LIT(out, "/>");
}

void control_write_resume_failed(struct buf *out, const struct control_resume_failed *c)
{
    start(out, "resume-failed");
    xmlout_attr(out, "cond", slice_cstr(stanza_cond_name(c->cond)));
    if (c->has_h)
        put_count(out, "h", c->h);
    if (c->too_high)
        put_count(out, "sent", c->sent);
    BUF_LIT(out, "/>");
}

void control_write_echo(struct buf *out, const struct node *stanza)
{
    start(out, "echo");
    buf_byte(out, '>');
    if (stanza)
        xmlout_node(out, stanza, NS_CONTROL);
    end(out, "echo");
}

/* --- reading --- */

static enum rc bad(const struct node *n, const char *what, struct why *why)
{
    why_set(why, "<" SLICE_FMT "/>: %s", SLICE_ARG(n->name), what);
    return RC_SYNTAX;
}

static enum rc get_node(const struct node *n, uint64_t *out, struct why *why)
{
    struct slice text = node_attr(n, "node");
    if (text.len != 16 || hex_u64(text, out) != RC_OK || *out == 0)
        return bad(n, "node", why);
    return RC_OK;
}

static enum rc get_flag(const struct node *n, const char *name, bool *out, struct why *why)
{
    struct slice text = node_attr(n, name);
    if (node_has(n, name) && !slice_is(text, "1") && !slice_is(text, "0"))
        return bad(n, name, why);
    *out = slice_is(text, "1");
    return RC_OK;
}

static enum rc get_count(const struct node *n, const char *name, uint32_t *out, struct why *why)
{
    uint64_t number;
    if (slice_u64(node_attr(n, name), UINT32_MAX, &number) != RC_OK)
        return bad(n, name, why);
    *out = (uint32_t)number;
    return RC_OK;
}

static enum rc get_u64(const struct node *n, const char *name, uint64_t most, uint64_t *out, struct why *why)
{
    return slice_u64(node_attr(n, name), most, out) == RC_OK ? RC_OK : bad(n, name, why);
}

/* A domain as our own side writes it: prepared already. */
static enum rc check_domain(struct arena *a, const struct node *n, struct slice domain, const char *what,
                            struct why *why)
{
    struct slice prepared;
    if (jid_prepare_domain(a, domain, &prepared, NULL) != RC_OK || !slice_eq(prepared, domain))
        return bad(n, what, why);
    return RC_OK;
}

/* Texts of n's children called name, in order. */
static enum rc get_texts(struct arena *a, const struct node *n, const char *name, const struct slice **out,
                         size_t *count, struct why *why)
{
    size_t total = 0, at = 0;
    for (const struct node *c = node_find(n, name, NS_CONTROL); c; c = node_find_next(c, name, NS_CONTROL))
        total++;
    if (total > CONTROL_NAMES_MAX) {
        why_set(why, "<" SLICE_FMT "/>: %zu of %s", SLICE_ARG(n->name), total, name);
        return RC_LIMIT;
    }
    struct slice *texts = ARENA_ARRAY(a, total + 1, struct slice);
    for (const struct node *c = node_find(n, name, NS_CONTROL); c; c = node_find_next(c, name, NS_CONTROL))
        texts[at++] = node_text(a, c);
    *out = texts;
    *count = total;
    return RC_OK;
}

static enum rc get_domains(struct arena *a, const struct node *n, const struct slice **out, size_t *count,
                           struct why *why)
{
    enum rc rc = get_texts(a, n, "name", out, count, why);
    for (size_t i = 0; rc == RC_OK && i < *count; i++)
        rc = check_domain(a, n, (*out)[i], "name", why);
    return rc;
}

/* Base64 content: *has is false when there is none; "=" is empty data. */
static enum rc get_data(struct arena *a, const struct node *n, bool *has, struct slice *out, struct why *why)
{
    struct slice text = node_text(a, n);
    *has = text.len > 0;
    *out = SLICE_NONE;
    if (!*has || slice_is(text, "="))
        return RC_OK;
    return base64_decode(a, text, out) == RC_OK ? RC_OK : bad(n, "not base64", why);
}

enum rc control_read_node_up(struct arena *a, const struct node *n, struct control_node_up *out,
                             struct why *why)
{
    struct control_node_up c = { .instance = node_attr(n, "instance") };
    enum rc rc = get_node(n, &c.node, why);
    if (rc != RC_OK)
        return rc;
    if (!node_role_parse(node_attr(n, "role"), &c.role))
        return bad(n, "role", why);
    if (!c.instance.len)
        return bad(n, "instance", why);
    rc = get_domains(a, n, &c.names, &c.n_names, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_node_down(const struct node *n, uint64_t *node, struct why *why)
{
    return get_node(n, node, why);
}

enum rc control_read_names(struct arena *a, const struct node *n, struct slice **names, size_t *count,
                           struct why *why)
{
    const struct slice *texts;
    size_t total;
    enum rc rc = get_domains(a, n, &texts, &total, why);
    if (rc != RC_OK)
        return rc;
    struct slice *copy = ARENA_ARRAY(a, total + 1, struct slice);
    for (size_t i = 0; i < total; i++)
        copy[i] = texts[i];
    *names = copy;
    *count = total;
    return RC_OK;
}

enum rc control_read_ask(const struct node *n, struct control_ask *out, struct why *why)
{
    struct control_ask c = { .what = node_attr(n, "what"), .args = node_attr(n, "args") };
    enum rc rc = get_u64(n, "id", UINT64_MAX, &c.id, why);
    if (rc == RC_OK && !c.what.len)
        rc = bad(n, "what", why);
    if (rc == RC_OK && c.what.len + c.args.len > CONTROL_ARGS_MAX) {
        rc = RC_LIMIT;
        why_set(why, "<ask/>: too long");
    }
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_told(struct arena *a, const struct node *n, struct control_told *out, struct why *why)
{
    struct control_told c = { .role = node_attr(n, "role"), .instance = node_attr(n, "instance") };
    enum rc rc = get_u64(n, "id", UINT64_MAX, &c.id, why);
    if (rc == RC_OK)
        rc = get_flag(n, "failed", &c.failed, why);
    if (rc == RC_OK && node_has(n, "node")) {
        rc = get_node(n, &c.node, why);
        if (rc == RC_OK)
            rc = get_count(n, "more", &c.more, why);
        if (rc == RC_OK && (!c.role.len || !c.instance.len))
            rc = bad(n, "role, instance", why);
    }
    if (rc != RC_OK)
        return rc;
    c.text = node_text(a, n);
    if (c.text.len > CONTROL_TOLD_MAX) {
        why_set(why, "<told/>: %zu bytes", c.text.len);
        return RC_LIMIT;
    }
    *out = c;
    return RC_OK;
}

static enum rc get_binding(struct arena *a, const struct node *n, const char *name, struct slice *out,
                           struct why *why)
{
    struct slice text = node_child_text(a, n, name, NS_CONTROL);
    *out = SLICE_NONE;
    return base64_decode(a, text, out) == RC_OK ? RC_OK : bad(n, name, why);
}

enum rc control_read_open(struct arena *a, const struct node *n, struct control_open *out, struct why *why)
{
    struct control_open c = { .domain = node_attr(n, "domain"),
                              .ip = node_attr(n, "ip"),
                              .mechanisms = node_attr(n, "mechanisms"),
                              .bindings = node_attr(n, "bindings") };
    enum rc rc = check_domain(a, n, c.domain, "domain", why);
    if (rc == RC_OK && !c.ip.len)
        rc = bad(n, "ip", why);
    if (rc == RC_OK)
        rc = get_flag(n, "secure", &c.secure, why);
    if (rc == RC_OK)
        rc = get_flag(n, "trusted", &c.trusted_plain, why);
    if (rc == RC_OK)
        rc = get_flag(n, "api", &c.api, why);
    if (rc == RC_OK)
        rc = get_flag(n, "plus", &c.offered_plus, why);
    if (rc == RC_OK)
        rc = get_binding(a, n, "exporter", &c.cb.exporter, why);
    if (rc == RC_OK)
        rc = get_binding(a, n, "end-point", &c.cb.end_point, why);
    if (rc == RC_OK)
        rc = get_texts(a, n, "cert-jid", &c.cert_jids, &c.n_cert_jids, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_auth(struct arena *a, const struct node *n, struct control_auth *out, struct why *why)
{
    struct control_auth c = { .mechanism = node_attr(n, "mechanism") };
    if (!c.mechanism.len)
        return bad(n, "mechanism", why);
    enum rc rc = get_data(a, n, &c.has_initial, &c.initial, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_data(struct arena *a, const struct node *n, struct slice *out, struct why *why)
{
    bool has;
    return get_data(a, n, &has, out, why);
}

enum rc control_read_success(struct arena *a, const struct node *n, struct control_success *out,
                             struct why *why)
{
    struct control_success c = { .user = node_attr(n, "user") };
    struct jid jid;
    if (jid_parse(a, c.user, &jid, NULL) != RC_OK || !jid.local.len || jid.resource.len)
        return bad(n, "user", why);
    c.user = jid.full;
    enum rc rc = get_data(a, n, &c.has_data, &c.data, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_authenticate(struct arena *a, const struct node *n, struct control_authenticate *out,
                                  struct why *why)
{
    struct control_authenticate c = { .from = node_attr(n, "from") };
    struct jid jid;
    if (c.from.len) {
        if (jid_parse(a, c.from, &jid, NULL) != RC_OK || !jid.local.len || jid.resource.len)
            return bad(n, "from", why);
        c.from = jid.full;
    }
    if (sasl2_read(a, node_find(n, "authenticate", NS_SASL2), &c.request) != SASL_OK)
        return bad(n, "what the client asks for", why);
    *out = c;
    return RC_OK;
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
        return bad(n, "user", why);
    c.user = jid.full;
    if (c.full.len) {
        if (jid_parse(a, c.full, &full, NULL) != RC_OK || !full.resource.len || !jid_bare_eq(&full, &jid))
            return bad(n, "jid", why);
        c.full = full.full;
    }
    if (data && get_data(a, data, &c.has_data, &c.data, why) != RC_OK)
        return RC_SYNTAX;
    c.sm = node_has(n, "in") || node_has(n, "out");
    if (get_flag(n, "resumed", &c.resumed, why) != RC_OK ||
        (c.sm && (get_count(n, "in", &c.in, why) != RC_OK || get_count(n, "out", &c.out, why) != RC_OK)))
        return RC_SYNTAX;
    if ((c.sm && !c.full.len) || (c.resumed && !c.sm))
        return bad(n, "no session", why);
    c.bound = get_others(a, node_find(n, "bound", NS_CONTROL));
    c.more = get_others(a, n);
    *out = c;
    return RC_OK;
}

enum rc control_read_failure(struct arena *a, const struct node *n, struct control_failure *out,
                             struct why *why)
{
    struct control_failure c = { .text = node_text(a, n) };
    if (sasl_fail_parse(node_attr(n, "cond"), &c.cond) != RC_OK)
        return bad(n, "cond", why);
    *out = c;
    return RC_OK;
}

enum rc control_read_bind(struct arena *a, const struct node *n, struct slice *resource, struct why *why)
{
    struct slice prepared = SLICE_NONE, given = node_attr(n, "resource");
    if (given.len && jid_prepare_resource(a, given, &prepared, NULL) != RC_OK)
        return bad(n, "resource", why);
    *resource = prepared;
    return RC_OK;
}

enum rc control_read_bound(struct arena *a, const struct node *n, struct jid *full, struct why *why)
{
    struct jid jid;
    if (jid_parse(a, node_attr(n, "jid"), &jid, NULL) != RC_OK || !jid.resource.len)
        return bad(n, "jid", why);
    *full = jid;
    return RC_OK;
}

static enum rc get_cond(const struct node *n, enum stanza_cond *out, struct why *why)
{
    struct slice name = node_attr(n, "cond");
    for (int c = 0; c <= COND_UNEXPECTED_REQUEST; c++) {
        if (slice_is(name, stanza_cond_name((enum stanza_cond)c))) {
            *out = (enum stanza_cond)c;
            return RC_OK;
        }
    }
    return bad(n, "cond", why);
}

enum rc control_read_bind_refused(struct arena *a, const struct node *n, struct control_bind_refused *out,
                                  struct why *why)
{
    struct control_bind_refused c = { .text = node_text(a, n) };
    enum rc rc = get_cond(n, &c.cond, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_gone(const struct node *n, bool *lost, struct why *why)
{
    return get_flag(n, "lost", lost, why);
}

enum rc control_read_csi(const struct node *n, bool *active, struct why *why)
{
    return get_flag(n, "active", active, why);
}

enum rc control_read_close(struct arena *a, const struct node *n, struct control_close *out, struct why *why)
{
    struct control_close c = { .text = node_text(a, n) };
    if (stream_cond_parse(node_attr(n, "cond"), &c.cond) != RC_OK)
        return bad(n, "cond", why);
    *out = c;
    return RC_OK;
}

static struct slice get_features(struct arena *a, const struct node *domain)
{
    struct buf text = BUF_INIT(0);
    for (const struct node *f = node_child(domain); f; f = node_sibling(f))
        xmlout_node(&text, f, NS_CLIENT);
    struct slice copy = arena_copy(a, buf_get(&text));
    buf_fini(&text);
    return copy;
}

enum rc control_read_domains(struct arena *a, const struct node *n, struct control_domain **out,
                             size_t *count, struct why *why)
{
    size_t total = 0, at = 0;
    for (const struct node *d = node_find(n, "domain", NS_CONTROL); d;
         d = node_find_next(d, "domain", NS_CONTROL))
        total++;
    if (total > CONTROL_NAMES_MAX) {
        why_set(why, "<domains/>: %zu of them", total);
        return RC_LIMIT;
    }
    struct control_domain *domains = ARENA_ARRAY(a, total + 1, struct control_domain);
    for (const struct node *d = node_find(n, "domain", NS_CONTROL); d;
         d = node_find_next(d, "domain", NS_CONTROL)) {
        struct control_domain *c = &domains[at++];
        enum rc rc = get_flag(d, "registration", &c->registration, why);
        if (rc == RC_OK)
            rc = check_domain(a, d, node_attr(d, "name"), "name", why);
        if (rc != RC_OK)
            return rc;
        c->name = node_attr(d, "name");
        c->mechanisms = node_attr(d, "mechanisms");
        c->binds = node_attr(d, "binds");
        c->features = get_features(a, d);
    }
    *out = domains;
    *count = total;
    return RC_OK;
}

static enum rc count_of(const struct node *n, const char *name, size_t *out, struct why *why)
{
    *out = 0;
    for (const struct node *c = node_find(n, name, NS_CONTROL); c; c = node_find_next(c, name, NS_CONTROL))
        ++*out;
    if (*out <= CONTROL_LIST_MAX)
        return RC_OK;
    why_set(why, "<" SLICE_FMT "/>: %zu of %s", SLICE_ARG(n->name), *out, name);
    return RC_LIMIT;
}

static enum rc get_marks(struct arena *a, const struct node *n, const struct control_mark **out,
                         size_t *count, struct why *why)
{
    size_t total;
    enum rc rc = count_of(n, "m", &total, why);
    if (rc != RC_OK)
        return rc;
    struct control_mark *marks = ARENA_ARRAY(a, total + 1, struct control_mark), *m = marks;
    for (const struct node *c = node_find(n, "m", NS_CONTROL); c; c = node_find_next(c, "m", NS_CONTROL)) {
        rc = get_u64(c, "id", UINT64_MAX, &m->session, why);
        if (rc == RC_OK)
            rc = get_u64(c, "pos", INT64_MAX, &m->pos, why);
        if (rc == RC_OK && node_has(c, "origin"))
            rc = get_u64(c, "origin", UINT64_MAX, &m->origin, why);
        if (rc != RC_OK)
            return rc;
        m++;
    }
    *out = marks;
    *count = total;
    return RC_OK;
}

static enum rc get_alive_session(const struct node *n, struct control_alive_session *out, struct why *why)
{
    uint64_t sent = 0, acked = 0;
    enum rc rc = get_u64(n, "id", UINT64_MAX, &out->id, why);
    out->sm = node_has(n, "out");
    if (rc == RC_OK && out->sm)
        rc = get_u64(n, "out", UINT32_MAX, &sent, why);
    if (rc == RC_OK && out->sm)
        rc = get_u64(n, "acked", UINT32_MAX, &acked, why);
    out->out = (uint32_t)sent;
    out->acked = (uint32_t)acked;
    return rc;
}

enum rc control_read_alive(struct arena *a, const struct node *n, struct control_alive *out, struct why *why)
{
    struct control_alive c = { 0 };
    enum rc rc = get_u64(n, "upto", UINT64_MAX, &c.upto, why);
    if (rc == RC_OK)
        rc = get_flag(n, "end", &c.end, why);
    if (rc == RC_OK)
        rc = get_marks(a, n, &c.marks, &c.n_marks, why);
    if (rc == RC_OK)
        rc = count_of(n, "s", &c.n_sessions, why);
    if (rc != RC_OK)
        return rc;
    struct control_alive_session *list = ARENA_ARRAY(a, c.n_sessions + 1, struct control_alive_session);
    c.sessions = list;
    for (const struct node *s = node_find(n, "s", NS_CONTROL); s; s = node_find_next(s, "s", NS_CONTROL)) {
        rc = get_alive_session(s, list++, why);
        if (rc != RC_OK)
            return rc;
    }
    *out = c;
    return RC_OK;
}

enum rc control_read_undelivered(struct arena *a, const struct node *n, const struct control_mark **marks,
                                 size_t *count, struct why *why)
{
    return get_marks(a, n, marks, count, why);
}

enum rc control_read_settled(const struct node *n, uint64_t *seq, struct why *why)
{
    return get_u64(n, "seq", UINT64_MAX, seq, why);
}

/* --- stream management (XEP-0198) --- */

enum rc control_read_sm_enable(const struct node *n, struct control_sm_enable *out, struct why *why)
{
    struct control_sm_enable c = { 0 };
    enum rc rc = get_flag(n, "resume", &c.resume, why);
    if (rc == RC_OK && node_has(n, "max"))
        rc = get_count(n, "max", &c.max_s, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_sm_enabled(const struct node *n, struct control_sm_enabled *out, struct why *why)
{
    struct control_sm_enabled c = { .id = node_attr(n, "id") };
    enum rc rc = get_count(n, "max", &c.max_s, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_flow(const struct node *n, uint16_t *number, struct why *why)
{
    uint64_t u = 0;
    enum rc rc = get_u64(n, "n", UINT16_MAX, &u, why);
    *number = (uint16_t)u;
    return rc;
}

enum rc control_read_acked(const struct node *n, uint32_t *h, struct why *why)
{
    return get_count(n, "h", h, why);
}

enum rc control_read_resume(const struct node *n, struct control_resume *out, struct why *why)
{
    struct control_resume c = { .previd = node_attr(n, "previd") };
    enum rc rc = c.previd.len ? get_count(n, "h", &c.h, why) : bad(n, "previd", why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_resumed(struct arena *a, const struct node *n, struct control_resumed *out,
                             struct why *why)
{
    struct control_resumed c = { .previd = node_attr(n, "previd") };
    enum rc rc = c.previd.len ? control_read_bound(a, n, &c.full, why) : bad(n, "previd", why);
    if (rc == RC_OK)
        rc = get_count(n, "in", &c.in, why);
    if (rc == RC_OK)
        rc = get_count(n, "out", &c.out, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_resume_failed(const struct node *n, struct control_resume_failed *out, struct why *why)
{
    struct control_resume_failed c = { .has_h = node_has(n, "h"), .too_high = node_has(n, "sent") };
    enum rc rc = get_cond(n, &c.cond, why);
    if (rc == RC_OK && c.has_h)
        rc = get_count(n, "h", &c.h, why);
    if (rc == RC_OK && c.too_high)
        rc = get_count(n, "sent", &c.sent, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc control_read_echo(const struct node *n, struct node **stanza, struct why *why)
{
    struct node *child = node_child(n);
    if (child && (node_sibling(child) || !slice_is(child->ns, NS_CLIENT)))
        return bad(n, "not one stanza", why);
    *stanza = child;
    return RC_OK;
}
