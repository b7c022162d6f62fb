/* common/edge/smelement.c */
#include "common/edge/smelement.h"

#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"

#define OPEN(name) "<" name " xmlns='" NS_SM "'"

static enum rc read_count(const struct node *n, const char *name, uint32_t *out)
{
    uint64_t number;
    enum rc rc = slice_u64(slice_trim(node_attr(n, name)), UINT32_MAX, &number);
    if (rc != RC_OK)
        return RC_SYNTAX;
    *out = (uint32_t)number;
    return RC_OK;
}

/* xs:boolean. */
static enum rc read_flag(const struct node *n, const char *name, bool *out)
{
    struct slice text = slice_trim(node_attr(n, name));
    bool set = slice_is(text, "true") || slice_is(text, "1");
    if (node_has(n, name) && !set && !slice_is(text, "false") && !slice_is(text, "0"))
        return RC_SYNTAX;
    *out = set;
    return RC_OK;
}

enum rc smelement_read_enable(const struct node *n, struct control_sm_enable *out)
{
    struct control_sm_enable c = { 0 };
    enum rc rc = read_flag(n, "resume", &c.resume);
    uint64_t max = 0;
    if (rc == RC_OK && node_has(n, "max")) /* xs:positiveInteger has no upper bound */
        rc = slice_u64(slice_trim(node_attr(n, "max")), UINT64_MAX, &max);
    if (rc == RC_LIMIT) {
        max = UINT32_MAX;
        rc = RC_OK;
    }
    if (rc != RC_OK || (node_has(n, "max") && !max))
        return RC_SYNTAX;
    c.max_s = max < UINT32_MAX ? (uint32_t)max : UINT32_MAX;
    *out = c;
    return RC_OK;
}

enum rc smelement_read_resume(const struct node *n, struct control_resume *out)
{
    struct control_resume c = { .previd = node_attr(n, "previd") };
    enum rc rc = c.previd.len ? read_count(n, "h", &c.h) : RC_SYNTAX;
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc smelement_read_a(const struct node *n, uint32_t *h)
{
    return read_count(n, "h", h);
}

static void put_count(struct buf *out, const char *name, uint32_t n)
{
    buf_fmt(out, " %s='%lu'", name, (unsigned long)n);
}

void smelement_write_enabled(struct buf *out, const struct control_sm_enabled *c, struct slice location)
{
    BUF_LIT(out, OPEN("enabled"));
    if (c->id.len) {
        xmlout_attr(out, "id", c->id);
        BUF_LIT(out, " resume='true'");
        put_count(out, "max", c->max_s);
        if (location.len)
            xmlout_attr(out, "location", location);
    }
    BUF_LIT(out, "/>");
}

void smelement_write_resumed(struct buf *out, const struct control_resumed *c)
{
    BUF_LIT(out, OPEN("resumed"));
    put_count(out, "h", c->in);
    xmlout_attr(out, "previd", c->previd);
    BUF_LIT(out, "/>");
}

void smelement_write_failed(struct buf *out, enum stanza_cond cond, const uint32_t *h)
{
    BUF_LIT(out, OPEN("failed"));
    if (h)
        put_count(out, "h", *h);
    buf_fmt(out, "><%s xmlns='" NS_STANZA_ERROR "'/></failed>", stanza_cond_name(cond));
}

void smelement_write_a(struct buf *out, uint32_t h)
{
    BUF_LIT(out, OPEN("a"));
    put_count(out, "h", h);
    BUF_LIT(out, "/>");
}

void smelement_write_r(struct buf *out)
{
    BUF_LIT(out, OPEN("r") "/>");
}

void smelement_write_too_high(struct buf *out, uint32_t h, uint32_t sent)
{
    BUF_LIT(out, OPEN("handled-count-too-high"));
    put_count(out, "h", h);
    put_count(out, "send-count", sent);
    BUF_LIT(out, "/>");
}
