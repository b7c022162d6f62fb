/* common/edge/check.c */
#include "common/edge/check.h"

static bool is_stanza_name(const struct node *n)
{
    return slice_is(n->name, "message") || slice_is(n->name, "presence") || slice_is(n->name, "iq");
}

static enum check_verdict fatal(struct check *out, enum stream_cond cond, const char *text)
{
    out->stream_cond = cond;
    out->text = text;
    return CHECK_FATAL;
}

enum check_verdict check_kind(const struct node *n, struct check *out)
{
    if (slice_is(n->ns, NS_CLIENT)) {
        if (is_stanza_name(n))
            return CHECK_PASS;
        return fatal(out, STREAM_UNSUPPORTED_STANZA_TYPE, "not a message, presence or iq");
    }
    if (node_is(n, "error", NS_STREAM))
        return CHECK_END;
    /* A stanza in another content namespace would be read otherwise by someone behind us. */
    if (is_stanza_name(n))
        return fatal(out, STREAM_INVALID_NAMESPACE, "stanzas of clients are in jabber:client");
    return fatal(out, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
}

/* RFC 6120 8.1.2.1: the full or the bare JID of the session. Compared as text first: nearly always that
 * settles it. */
static bool from_is_own(struct arena *a, struct slice from, const struct check_session *s)
{
    struct slice bare = slice_to(s->full, s->bare_len);
    if (slice_eq(from, s->full) || slice_eq(from, bare))
        return true;
    struct jid jid;
    return jid_parse(a, from, &jid, NULL) == RC_OK &&
           (slice_eq(jid.full, s->full) || slice_eq(jid.full, bare));
}

static bool has_lang(const struct node *n)
{
    for (const struct attr *at = n->attrs; at; at = at->next) {
        if (slice_is(at->name, "lang") && slice_is(at->ns, NS_XML))
            return true;
    }
    return false;
}

static enum check_verdict answer(struct arena *a, struct check *out, const struct check_session *s,
                                 enum stanza_cond cond, bool to_is_bad)
{
    out->cond = cond;
    out->answer = stanza_error(a, &out->stanza, cond, NULL);
    if (out->answer) {
        node_set(a, out->answer, "to", s->full); /* RFC 6120 8.1.1.1 */
        if (to_is_bad)                           /* nobody is there to answer: the server does */
            node_set(a, out->answer, "from", jid_domain_in(s->full));
    }
    return CHECK_ANSWER;
}

enum check_verdict check_element(struct arena *a, struct node *n, const struct check_session *s,
                                 struct check *out)
{
    *out = (struct check){ 0 };
    enum check_verdict kind = check_kind(n, out);
    if (kind != CHECK_PASS)
        return kind;
    if (node_has(n, "from")) {
        if (!from_is_own(a, node_attr(n, "from"), s))
            return fatal(out, STREAM_INVALID_FROM, NULL);
        node_unset(n, "from");
    }
    enum stanza_cond cond = COND_BAD_REQUEST;
    enum rc rc = stanza_read(a, n, &out->stanza, &cond);
    if (rc == RC_UNSUPPORTED)
        return fatal(out, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
    if (rc != RC_OK)
        return answer(a, out, s, cond, cond == COND_JID_MALFORMED);
    if (out->stanza.has_to && !slice_eq(node_attr(n, "to"), out->stanza.to.full))
        node_set(a, n, "to", out->stanza.to.full);
    if (s->lang.len && !has_lang(n)) /* RFC 6120 8.1.5 */
        node_set_ns(a, n, "lang", NS_XML, s->lang);
    return CHECK_PASS;
}
