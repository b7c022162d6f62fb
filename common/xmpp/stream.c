/* common/xmpp/stream.c */
#include "common/xmpp/stream.h"

#include "common/xmpp/xmlout.h"

static const char *const names[STREAM_COND_COUNT] = {
#define X(id, name) name,
    STREAM_CONDITIONS(X)
#undef X
};

const char *stream_cond_name(enum stream_cond c)
{
    return names[c];
}

enum rc stream_cond_parse(struct slice name, enum stream_cond *out)
{
    for (unsigned c = 0; c < STREAM_COND_COUNT; c++) {
        if (slice_is(name, names[c])) {
            *out = (enum stream_cond)c;
            return RC_OK;
        }
    }
    return RC_NOTFOUND;
}

/* RFC 6120 4.7.5: "major.minor"; a higher minor of 1 is answered with ours, another major is refused. */
static enum rc version_read(const struct node *header, bool *version_1)
{
    *version_1 = false;
    if (!node_has(header, "version"))
        return RC_OK;
    struct slice minor = node_attr(header, "version");
    struct slice major;
    uint64_t numbers[2];
    if (!slice_split(&minor, '.', &major) || slice_u64(major, 99, &numbers[0]) != RC_OK ||
        slice_u64(minor, 99, &numbers[1]) != RC_OK || numbers[0] > 1)
        return RC_UNSUPPORTED;
    *version_1 = numbers[0] == 1;
    return RC_OK;
}

static enum rc address_read(struct arena *a, const struct node *header, const char *which, bool *has,
                            struct jid *out)
{
    *has = false;
    if (!node_has(header, which))
        return RC_OK;
    enum rc rc = jid_parse(a, node_attr(header, which), out, NULL);
    *has = rc == RC_OK;
    return rc;
}

static enum rc refuse(enum stream_cond *cond, enum stream_cond what)
{
    *cond = what;
    return RC_SYNTAX;
}

enum rc stream_header_read(struct arena *a, const struct node *header, const char *content_ns,
                           struct stream_header *out, enum stream_cond *cond)
{
    *out =
        (struct stream_header){ .id = node_attr(header, "id"), .lang = node_attr_ns(header, "lang", NS_XML) };
    /* What can be said of the addresses is said first, so that the error's own header can name the domain. */
    enum rc to = address_read(a, header, "to", &out->has_to, &out->to);
    enum rc from = address_read(a, header, "from", &out->has_from, &out->from);
    if (!slice_is(header->ns, NS_STREAM)) /* RFC 6120 4.8.1, 4.9.3.10 */
        return refuse(cond, STREAM_INVALID_NAMESPACE);
    if (!slice_is(header->name, "stream"))
        return refuse(cond, STREAM_BAD_FORMAT);
    if (!slice_is(node_attr(header, "xmlns"), content_ns)) /* RFC 6120 4.8.2 */
        return refuse(cond, STREAM_INVALID_NAMESPACE);
    if (version_read(header, &out->version_1) != RC_OK)
        return refuse(cond, STREAM_UNSUPPORTED_VERSION);
    if (to != RC_OK)
        return refuse(cond, STREAM_IMPROPER_ADDRESSING);
    if (from != RC_OK)
        return refuse(cond, STREAM_INVALID_FROM);
    return RC_OK;
}

static void attr_unless_empty(struct buf *out, const char *name, struct slice value)
{
    if (value.len)
        xmlout_attr(out, name, value);
}

void stream_header_write(struct buf *out, const struct stream_open *h)
{
    BUF_LIT(out, "<?xml version='1.0'?><stream:stream xmlns='");
    buf_cstr(out, h->content_ns);
    BUF_LIT(out, "' xmlns:stream='" NS_STREAM "'");
    if (h->dialback)
        BUF_LIT(out, " xmlns:db='" NS_DIALBACK "'");
    attr_unless_empty(out, "from", h->from);
    attr_unless_empty(out, "to", h->to);
    attr_unless_empty(out, "id", h->id);
    attr_unless_empty(out, "xml:lang", h->lang);
    if (h->version_1)
        BUF_LIT(out, " version='1.0'");
    buf_byte(out, '>');
}

void stream_error_write(struct buf *out, enum stream_cond cond, const char *text, struct slice content,
                        struct slice app)
{
    BUF_LIT(out, "<stream:error><");
    buf_cstr(out, stream_cond_name(cond));
    BUF_LIT(out, " xmlns='" NS_STREAM_ERROR "'");
    if (content.len) {
        buf_byte(out, '>');
        xmlout_text(out, content);
        BUF_LIT(out, "</");
        buf_cstr(out, stream_cond_name(cond));
        buf_byte(out, '>');
    } else {
        BUF_LIT(out, "/>");
    }
    if (text) {
        BUF_LIT(out, "<text xmlns='" NS_STREAM_ERROR "' xml:lang='en'>");
        xmlout_text(out, slice_cstr(text));
        BUF_LIT(out, "</text>");
    }
    buf_slice(out, app);
    BUF_LIT(out, "</stream:error>");
}

enum stream_cond stream_cond_of_xml(enum rc rc)
{
    switch (rc) {
    case RC_DENIED:
        return STREAM_RESTRICTED_XML;
    case RC_UNSUPPORTED:
        return STREAM_UNSUPPORTED_ENCODING;
    case RC_LIMIT:
        return STREAM_POLICY_VIOLATION;
    default:
        return STREAM_NOT_WELL_FORMED;
    }
}
