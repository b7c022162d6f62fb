/* common/link/controlsession.c */
#include "common/link/controlin.h"

#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"

void control_write_gone(struct buf *out, bool lost)
{
    controlin_start(out, "gone");
    controlin_put_flag(out, "lost", lost);
    BUF_LIT(out, "/>");
}

enum rc control_read_gone(const struct node *n, bool *lost, struct why *why)
{
    return controlin_get_flag(n, "lost", lost, why);
}

void control_write_csi(struct buf *out, bool active)
{
    controlin_start(out, "csi");
    controlin_put_flag(out, "active", active);
    BUF_LIT(out, "/>");
}

enum rc control_read_csi(const struct node *n, bool *active, struct why *why)
{
    return controlin_get_flag(n, "active", active, why);
}

void control_write_close(struct buf *out, const struct control_close *c)
{
    controlin_write_cond(out, "close", stream_cond_name(c->cond), c->text);
}

enum rc control_read_close(struct arena *a, const struct node *n, struct control_close *out, struct why *why)
{
    struct control_close c = { .text = node_text(a, n) };
    if (stream_cond_parse(node_attr(n, "cond"), &c.cond) != RC_OK)
        return controlin_bad(n, "cond", why);
    *out = c;
    return RC_OK;
}

void control_write_sm_enable(struct buf *out, const struct control_sm_enable *c)
{
    controlin_start(out, "sm-enable");
    controlin_put_flag(out, "resume", c->resume);
    if (c->max_s)
        controlin_put_count(out, "max", c->max_s);
    BUF_LIT(out, "/>");
}

enum rc control_read_sm_enable(const struct node *n, struct control_sm_enable *out, struct why *why)
{
    struct control_sm_enable c = { 0 };
    enum rc rc = controlin_get_flag(n, "resume", &c.resume, why);
    if (rc == RC_OK && node_has(n, "max"))
        rc = controlin_get_count(n, "max", &c.max_s, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_sm_enabled(struct buf *out, const struct control_sm_enabled *c)
{
    controlin_start(out, "sm-enabled");
    if (c->id.len)
        xmlout_attr(out, "id", c->id);
    controlin_put_count(out, "max", c->max_s);
    BUF_LIT(out, "/>");
}

enum rc control_read_sm_enabled(const struct node *n, struct control_sm_enabled *out, struct why *why)
{
    struct control_sm_enabled c = { .id = node_attr(n, "id") };
    enum rc rc = controlin_get_count(n, "max", &c.max_s, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_flow(struct buf *out, uint16_t n)
{
    controlin_start(out, "flow");
    controlin_put_u64(out, "n", n);
    BUF_LIT(out, "/>");
}

enum rc control_read_flow(const struct node *n, uint16_t *number, struct why *why)
{
    uint64_t u = 0;
    enum rc rc = controlin_get_u64(n, "n", UINT16_MAX, &u, why);
    *number = (uint16_t)u;
    return rc;
}

void control_write_acked(struct buf *out, uint32_t h)
{
    controlin_start(out, "acked");
    controlin_put_count(out, "h", h);
    BUF_LIT(out, "/>");
}

enum rc control_read_acked(const struct node *n, uint32_t *h, struct why *why)
{
    return controlin_get_count(n, "h", h, why);
}

void control_write_resume(struct buf *out, const struct control_resume *c)
{
    controlin_start(out, "resume");
    xmlout_attr(out, "previd", c->previd);
    controlin_put_count(out, "h", c->h);
    BUF_LIT(out, "/>");
}

enum rc control_read_resume(const struct node *n, struct control_resume *out, struct why *why)
{
    struct control_resume c = { .previd = node_attr(n, "previd") };
    enum rc rc = c.previd.len ? controlin_get_count(n, "h", &c.h, why) : controlin_bad(n, "previd", why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_resumed(struct buf *out, const struct control_resumed *c)
{
    controlin_start(out, "resumed");
    xmlout_attr(out, "previd", c->previd);
    xmlout_attr(out, "jid", c->full.full);
    controlin_put_count(out, "in", c->in);
    controlin_put_count(out, "out", c->out);
    BUF_LIT(out, "/>");
}

enum rc control_read_resumed(struct arena *a, const struct node *n, struct control_resumed *out,
                             struct why *why)
{
    struct control_resumed c = { .previd = node_attr(n, "previd") };
    enum rc rc = c.previd.len ? control_read_bound(a, n, &c.full, why) : controlin_bad(n, "previd", why);
    if (rc == RC_OK)
        rc = controlin_get_count(n, "in", &c.in, why);
    if (rc == RC_OK)
        rc = controlin_get_count(n, "out", &c.out, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_resume_failed(struct buf *out, const struct control_resume_failed *c)
{
    controlin_start(out, "resume-failed");
    xmlout_attr(out, "cond", slice_cstr(stanza_cond_name(c->cond)));
    if (c->has_h)
        controlin_put_count(out, "h", c->h);
    if (c->too_high)
        controlin_put_count(out, "sent", c->sent);
    BUF_LIT(out, "/>");
}

enum rc control_read_resume_failed(const struct node *n, struct control_resume_failed *out, struct why *why)
{
    struct control_resume_failed c = { .has_h = node_has(n, "h"), .too_high = node_has(n, "sent") };
    enum rc rc = controlin_get_cond(n, &c.cond, why);
    if (rc == RC_OK && c.has_h)
        rc = controlin_get_count(n, "h", &c.h, why);
    if (rc == RC_OK && c.too_high)
        rc = controlin_get_count(n, "sent", &c.sent, why);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

void control_write_echo(struct buf *out, const struct node *stanza)
{
    controlin_start(out, "echo");
    buf_byte(out, '>');
    if (stanza)
        xmlout_node(out, stanza, NS_CONTROL);
    controlin_end(out, "echo");
}

enum rc control_read_echo(const struct node *n, struct node **stanza, struct why *why)
{
    struct node *child = node_child(n);
    if (child && (node_sibling(child) || !slice_is(child->ns, NS_CLIENT)))
        return controlin_bad(n, "not one stanza", why);
    *stanza = child;
    return RC_OK;
}
