/* common/link/control.c */
#include "common/link/control.h"

#include "common/base/text.h"
#include "common/link/controlin.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"

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

static void put_node(struct buf *out, uint64_t node)
{
    buf_fmt(out, " node='%016llx'", (unsigned long long)node);
}

static void put_names(struct buf *out, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        controlin_put_text_element(out, "name", names[i]);
}

void control_write_node_up(struct buf *out, const struct control_node_up *c)
{
    controlin_start(out, "node-up");
    put_node(out, c->node);
    xmlout_attr(out, "role", slice_cstr(node_role_name(c->role)));
    xmlout_attr(out, "instance", c->instance);
    buf_byte(out, '>');
    put_names(out, c->names, c->n_names);
    controlin_end(out, "node-up");
}

static enum rc get_node(const struct node *n, uint64_t *out, struct why *why)
{
    struct slice text = node_attr(n, "node");
    if (text.len != 16 || hex_u64(text, out) != RC_OK || *out == 0)
        return controlin_bad(n, "node", why);
    return RC_OK;
}

static enum rc get_domains(struct arena *a, const struct node *n, const struct slice **out, size_t *count,
                           struct why *why)
{
    enum rc rc = controlin_get_texts(a, n, "name", out, count, why);
    for (size_t i = 0; rc == RC_OK && i < *count; i++)
        rc = controlin_check_domain(a, n, (*out)[i], "name", why);
    return rc;
}

enum rc control_read_node_up(struct arena *a, const struct node *n, struct control_node_up *out,
                             struct why *why)
{
    struct control_node_up c = { .instance = node_attr(n, "instance") };
    enum rc rc = get_node(n, &c.node, why);
    if (rc != RC_OK)
        return rc;
    if (!node_role_parse(node_attr(n, "role"), &c.role))
        return controlin_bad(n, "role", why);
    if (!c.instance.len)
        return controlin_bad(n, "instance", why);
    rc = get_domains(a, n, &c.names, &c.n_names, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_node_down(struct buf *out, uint64_t node)
{
    controlin_start(out, "node-down");
    put_node(out, node);
    BUF_LIT(out, "/>");
}

enum rc control_read_node_down(const struct node *n, uint64_t *node, struct why *why)
{
    return get_node(n, node, why);
}

static void names_element(struct buf *out, const char *element, const struct slice *names, size_t n)
{
    controlin_start(out, element);
    buf_byte(out, '>');
    put_names(out, names, n);
    controlin_end(out, element);
}

void control_write_names(struct buf *out, const struct slice *names, size_t n)
{
    names_element(out, "names", names, n);
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

void control_write_components(struct buf *out, const struct slice *names, size_t n)
{
    names_element(out, "components", names, n);
}

void control_write_ask(struct buf *out, const struct control_ask *c)
{
    controlin_start(out, "ask");
    controlin_put_u64(out, "id", c->id);
    xmlout_attr(out, "what", c->what);
    if (c->args.len)
        xmlout_attr(out, "args", c->args);
    BUF_LIT(out, "/>");
}

enum rc control_read_ask(const struct node *n, struct control_ask *out, struct why *why)
{
    struct control_ask c = { .what = node_attr(n, "what"), .args = node_attr(n, "args") };
    enum rc rc = controlin_get_u64(n, "id", UINT64_MAX, &c.id, why);
    if (rc == RC_OK && !c.what.len)
        rc = controlin_bad(n, "what", why);
    if (rc == RC_OK && c.what.len + c.args.len > CONTROL_ARGS_MAX) {
        rc = RC_LIMIT;
        why_set(why, "<ask/>: too long");
    }
    if (rc == RC_OK)
        *out = c;
    return rc;
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
    controlin_start(out, "told");
    controlin_put_u64(out, "id", c->id);
    controlin_put_flag(out, "failed", c->failed);
    if (c->node) {
        put_node(out, c->node);
        xmlout_attr(out, "role", c->role);
        xmlout_attr(out, "instance", c->instance);
        controlin_put_count(out, "more", c->more);
    }
    buf_byte(out, '>');
    put_clean(out, c->text);
    controlin_end(out, "told");
}

enum rc control_read_told(struct arena *a, const struct node *n, struct control_told *out, struct why *why)
{
    struct control_told c = { .role = node_attr(n, "role"), .instance = node_attr(n, "instance") };
    enum rc rc = controlin_get_u64(n, "id", UINT64_MAX, &c.id, why);
    if (rc == RC_OK)
        rc = controlin_get_flag(n, "failed", &c.failed, why);
    if (rc == RC_OK && node_has(n, "node")) {
        rc = get_node(n, &c.node, why);
        if (rc == RC_OK)
            rc = controlin_get_count(n, "more", &c.more, why);
        if (rc == RC_OK && (!c.role.len || !c.instance.len))
            rc = controlin_bad(n, "role, instance", why);
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

void control_write_domains(struct buf *out, const struct control_domain *d, size_t n)
{
    controlin_start(out, "domains");
    buf_byte(out, '>');
    for (size_t i = 0; i < n; i++) {
        BUF_LIT(out, "<domain");
        xmlout_attr(out, "name", d[i].name);
        controlin_put_flag(out, "registration", d[i].registration);
        xmlout_attr(out, "mechanisms", d[i].mechanisms);
        if (d[i].binds.len)
            xmlout_attr(out, "binds", d[i].binds);
        buf_byte(out, '>');
        buf_slice(out, d[i].features); /* canonical elements, each with its xmlns */
        BUF_LIT(out, "</domain>");
    }
    controlin_end(out, "domains");
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
        enum rc rc = controlin_get_flag(d, "registration", &c->registration, why);
        if (rc == RC_OK)
            rc = controlin_check_domain(a, d, node_attr(d, "name"), "name", why);
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
