/* common/xmpp/mam.c */
#include "common/xmpp/mam.h"

#include "common/xmpp/delay.h"
#include "common/xmpp/form.h"
#include "common/xmpp/forward.h"

/* What is being read, and what is wrong with it. */
struct reading {
    struct arena *a;
    struct mam_query *q;
    enum stanza_cond cond;
    const char *text;
};

static enum rc bad(struct reading *r, enum rc rc, enum stanza_cond cond, const char *text)
{
    r->cond = cond;
    r->text = text;
    return rc;
}

static enum rc read_with(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    if (jid_parse(r->a, value, &r->q->with, NULL) != RC_OK)
        return bad(r, RC_SYNTAX, COND_JID_MALFORMED, "with is not an address");
    r->q->has_with = true;
    return RC_OK;
}

/* A time before all others is a bound like any other: it is moved to where times begin. */
static enum rc read_time(struct reading *r, struct slice value, int64_t *out)
{
    enum rc rc = time_read(slice_trim(value), out);
    return rc == RC_OK || rc == RC_LIMIT ? RC_OK
                                         : bad(r, RC_SYNTAX, COND_BAD_REQUEST, "not a time of XEP-0082");
}

static enum rc read_start(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    return read_time(r, value, &r->q->start_ms);
}

static enum rc read_end(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    return read_time(r, value, &r->q->end_ms);
}

static enum rc read_after_id(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    r->q->after_id = value;
    return RC_OK;
}

static enum rc read_before_id(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    r->q->before_id = value;
    return RC_OK;
}

static enum rc read_ids(struct reading *r, const struct node *field, struct slice value)
{
    struct slice *ids = ARENA_ARRAY(r->a, MAM_IDS_MAX, struct slice);
    size_t n = 0;
    (void)value;
    for (const struct node *v = node_find(field, "value", NS_FORM); v;
         v = node_find_next(v, "value", NS_FORM)) {
        if (n == MAM_IDS_MAX)
            return bad(r, RC_LIMIT, COND_POLICY_VIOLATION, "too many ids");
        ids[n++] = node_text(r->a, v);
    }
    r->q->has_ids = true;
    r->q->ids = ids;
    r->q->n_ids = n;
    return RC_OK;
}

/* 3.1.5: a user's archive has no groupchat, so both answers to the question are the same. */
static enum rc read_groupchat(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    if (slice_is(value, "true") || slice_is(value, "false") || slice_is(value, "1") || slice_is(value, "0"))
        return RC_OK;
    return bad(r, RC_SYNTAX, COND_BAD_REQUEST, "include-groupchat is true or false");
}

static enum rc read_form_type(struct reading *r, const struct node *field, struct slice value)
{
    (void)field;
    return slice_is(value, NS_MAM) ? RC_OK : bad(r, RC_SYNTAX, COND_BAD_REQUEST, "not a form for an archive");
}

static const struct field {
    const char *var, *type;
    enum rc (*read)(struct reading *r, const struct node *field, struct slice value);
} fields[] = {
    { "FORM_TYPE", "hidden", read_form_type },
    { "with", "jid-single", read_with },
    { "start", "text-single", read_start },
    { "end", "text-single", read_end },
    { "before-id", "text-single", read_before_id },
    { "after-id", "text-single", read_after_id },
    { "ids", "list-multi", read_ids },
    { "include-groupchat", "boolean", read_groupchat },
};
#define FIELDS (sizeof fields / sizeof *fields)

/* A field without a value, or with an empty one, is one that was left empty: as if it were not there. */
static enum rc read_field(struct reading *r, const struct node *field, unsigned *seen)
{
    struct slice var = node_attr(field, "var"), value = node_child_text(r->a, field, "value", NS_FORM);
    size_t i = 0;
    while (i < FIELDS && !slice_is(var, fields[i].var))
        i++;
    if (i == FIELDS)
        return bad(r, RC_UNSUPPORTED, COND_FEATURE_NOT_IMPLEMENTED, "an unknown field");
    if (*seen & (1u << i))
        return bad(r, RC_SYNTAX, COND_BAD_REQUEST, "a field twice");
    *seen |= 1u << i;
    const struct node *first = node_find(field, "value", NS_FORM);
    if (fields[i].read != read_ids && first && node_find_next(first, "value", NS_FORM))
        return bad(r, RC_SYNTAX, COND_BAD_REQUEST, "a value too many");
    if (!first || (!value.len && fields[i].read != read_ids))
        return RC_OK;
    return fields[i].read(r, field, value);
}

static enum rc read_form(struct reading *r, const struct node *form)
{
    unsigned seen = 0;
    enum rc rc = RC_OK;
    if (!form)
        return RC_OK;
    if (!form_type_is(form, "submit") || node_find_next(form, "x", NS_FORM) ||
        !form_get(r->a, form, "FORM_TYPE").len)
        return bad(r, RC_SYNTAX, COND_BAD_REQUEST, "not a form for an archive");
    for (const struct node *f = node_find(form, "field", NS_FORM); rc == RC_OK && f;
         f = node_find_next(f, "field", NS_FORM))
        rc = read_field(r, f, &seen);
    return rc;
}

enum rc mam_query_read(struct arena *a, const struct node *query, struct mam_query *out,
                       enum stanza_cond *cond, const char **text)
{
    struct reading r = { a, out, COND_BAD_REQUEST, NULL };
    *out = (struct mam_query){ .end_ms = INT64_MAX };
    out->queryid = node_attr(query, "queryid");
    out->flip = node_find(query, "flip-page", NS_MAM) != NULL;
    enum rc rc = read_form(&r, form_of(query));
    if (rc == RC_OK && out->queryid.len > MAM_QUERYID_MAX)
        rc = bad(&r, RC_LIMIT, COND_POLICY_VIOLATION, "the queryid is too long");
    if (rc == RC_OK)
        rc = rsm_read(a, query, &out->rsm);
    *cond = r.cond;
    *text = r.text;
    return rc;
}

struct node *mam_query_form(struct arena *a)
{
    struct node *query = node_new(a, "query", NS_MAM);
    struct node *form = form_new(a, query, FORM_FORM, NULL);
    for (size_t i = 0; i < FIELDS; i++) {
        bool is_type = fields[i].read == read_form_type;
        struct node *f =
            form_field(a, form, fields[i].var, fields[i].type, NULL, is_type ? SLICE(NS_MAM) : SLICE_NONE);
        if (fields[i].read != read_ids)
            continue;
        struct node *validate = node_add(a, f, "validate", NS_VALIDATE); /* XEP-0122: any value */
        node_set(a, validate, "datatype", SLICE("xs:string"));
        node_add(a, validate, "open", NS_VALIDATE);
    }
    return query;
}

struct node *mam_result(struct arena *a, const struct mam_result *r, struct node *stanza)
{
    struct node *message = node_new(a, "message", NS_CLIENT);
    node_set(a, message, "from", r->from);
    node_set(a, message, "to", r->to);
    struct node *result = node_add(a, message, "result", NS_MAM);
    if (r->queryid.len)
        node_set(a, result, "queryid", r->queryid);
    node_set(a, result, "id", r->id);
    forward_add(a, result, r->at_ms, stanza);
    return message;
}

struct node *mam_fin(struct arena *a, bool complete, const struct rsm_page *page)
{
    struct node *fin = node_new(a, "fin", NS_MAM);
    if (complete)
        node_set(a, fin, "complete", SLICE("true"));
    rsm_add(a, fin, page);
    return fin;
}
