/* sessman/mod/upload.c - slots for uploads (XEP-0363): the hosted domain itself is the service
 *
 * It grants and signs; the files are taken and given out by the HTTP gateway (common/xmpp/slot.h). What an
 * account may is in uploads.h. */
#include "sessman/uploads.h"

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/xmpp/delay.h"
#include "common/xmpp/form.h"
#include "common/xmpp/slot.h"
#include "sessman/account.h"
#include "sessman/module.h"
#include "sessman/session.h"

#define LIST_UPLOADS "urn:bulkhead:commands:uploads"
enum { LIST_MOST = 1000 };
#define DAY_MS INT64_C(86400000)

/* --- what is asked for --- */

struct request { /* while its row is written */
    struct incoming *in;
    struct slot slot;
};

/* An error with an element of this specification, which may be NULL. */
static void refuse(struct incoming *in, enum stanza_cond cond, const char *text, struct node *element)
{
    struct log_ctx log = sessman_log(in->sm, LOG_MODULE);
    struct node *n = stanza_error(in->a, &in->st, cond, text), *error = node_find(n, "error", NULL);
    LOG_INFO(&log, "upload_refused", F_SLICE("user", jid_bare(&in->st.from)),
             F_STR("cond", stanza_cond_name(cond)), F_STR("why", text ? text : ""));
    metric_add(in->sm->metrics, M_UPLOADS_REFUSED, 1);
    metric_add(in->sm->metrics, M_ERRORS_SENT, 1);
    in->refused = true;
    if (!error)
        return;
    if (element)
        node_append(error, element);
    in_reply(in, n);
}

/* XEP-0363 7. */
static void refuse_size(struct incoming *in)
{
    uint64_t most = uploads_size_max(in->sm);
    struct node *large = node_new(in->a, "file-too-large", NS_UPLOAD);
    struct slice text = arena_fmt(in->a, "%llu", (unsigned long long)most);
    node_add_text(in->a, node_add(in->a, large, "max-file-size", NULL), text);
    refuse(in, COND_NOT_ACCEPTABLE, "the file is too large", large);
}

static void refuse_now(struct incoming *in, int64_t retry_ms)
{
    struct node *retry = node_new(in->a, "retry", NS_UPLOAD);
    node_set(in->a, retry, "stamp", time_write(in->a, retry_ms));
    refuse(in, COND_RESOURCE_CONSTRAINT, "too much has been uploaded", retry);
}

/* XEP-0363 5: until when the file is to be kept. False: answered. */
static bool read_purpose(struct incoming *in, int64_t now_ms, int64_t *keep_ms)
{
    const struct node *p = node_find(in->st.payload, NULL, NS_UPLOAD_PURPOSE);
    int64_t before_ms;
    *keep_ms = now_ms + in->sm->conf->upload_days * DAY_MS;
    if (!p || slice_is(p->name, "message"))
        return true;
    if (!slice_is(p->name, "ephemeral")) {
        refuse(in, COND_FEATURE_NOT_IMPLEMENTED, "this purpose is not offered", NULL);
        return false;
    }
    if (time_read(node_attr(p, "expire-before"), &before_ms) != RC_OK || before_ms <= now_ms) {
        refuse(in, COND_BAD_REQUEST, "expire-before is no time to come", NULL);
        return false;
    }
    if (before_ms < *keep_ms)
        *keep_ms = before_ms;
    return true;
}

static bool read_size(struct incoming *in, uint64_t *size)
{
    enum rc rc = slice_u64(node_attr(in->st.payload, "size"), UINT64_MAX, size);
    if (rc == RC_SYNTAX)
        refuse(in, COND_BAD_REQUEST, "the size is missing, or is no number", NULL);
    else if (rc != RC_OK || *size > uploads_size_max(in->sm))
        refuse_size(in);
    else
        return true;
    return false;
}

/* False: answered. */
static bool read_request(struct incoming *in, struct slot *s, int64_t *keep_ms)
{
    const struct node *p = in->st.payload;
    int64_t now_ms = clock_wall_ms();
    uint8_t random[SLOT_RANDOM_BYTES];
    s->name = node_attr(p, "filename");
    s->type = node_attr(p, "content-type");
    if (!slot_name_ok(s->name)) {
        refuse(in, COND_BAD_REQUEST, "this is no file name", NULL);
        return false;
    }
    if (s->type.len && !slot_type_ok(s->type)) {
        refuse(in, COND_BAD_REQUEST, "this is no content type", NULL);
        return false;
    }
    if (!read_size(in, &s->size) || !read_purpose(in, now_ms, keep_ms))
        return false;
    secret_random(random, sizeof random);
    s->until_s = (now_ms + in->sm->conf->upload_slot_ms) / 1000;
    s->token = slot_token(in->a, (uint32_t)(*keep_ms / 1000), random);
    return true;
}

/* --- what is granted --- */

/* XEP-0363 4. */
static void answer(struct incoming *in, const struct slot *s)
{
    struct arena *a = in->a;
    struct slice path = slot_path(a, s->token, s->name), base = uploads_base(in->sm, in->st.to.domain, a);
    struct slice get = arena_fmt(a, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(base), SLICE_ARG(path));
    struct slice query = slot_sign(a, slice_cstr(in->sm->conf->upload_secret), s);
    struct node *slot = node_new(a, "slot", NS_UPLOAD);
    node_set(a, node_add(a, slot, "put", NULL), "url",
             arena_fmt(a, SLICE_FMT "?" SLICE_FMT, SLICE_ARG(get), SLICE_ARG(query)));
    node_set(a, node_add(a, slot, "get", NULL), "url", get);
    metric_add(in->sm->metrics, M_UPLOADS, 1);
    in_result(in, slot);
}

static void on_granted(void *ctx, enum rc rc, int64_t retry_ms)
{
    struct request *r = ctx;
    struct incoming *in = r->in;
    if (rc == RC_OK && uploads_on(in->sm))
        answer(in, &r->slot);
    else if (rc == RC_LIMIT)
        refuse_now(in, retry_ms);
    else
        in_error(in, COND_INTERNAL_SERVER_ERROR, NULL); /* the account has gone meanwhile, or the key has */
    in_done(in);
}

static enum handled on_request(struct incoming *in)
{
    if (!uploads_on(in->sm))
        return PASS;
    struct request *r = ARENA_NEW(in->a, struct request);
    struct upload u = { .account = 0 };
    r->in = in;
    if (!in->session) { /* XEP-0363 7: users of this server alone */
        refuse(in, COND_FORBIDDEN, "only for users of this server", NULL);
        return HANDLED;
    }
    if (!read_request(in, &r->slot, &u.keep_ms))
        return HANDLED;
    u.account = in->session->account->id;
    u.bytes = r->slot.size;
    u.path = slot_path(in->a, r->slot.token, r->slot.name);
    in_hold(in);
    uploads_grant(in->sm, &u, on_granted, r);
    return HANDLED;
}

/* --- discovery --- */

static bool offered(const struct sessman *sm, const struct domain *d)
{
    (void)d;
    return uploads_on(sm);
}

static void put_form(const struct sessman *sm, struct arena *a, struct node *query)
{
    struct node *form = form_new(a, query, FORM_RESULT, NS_UPLOAD);
    form_field(a, form, "max-file-size", "text-single", NULL,
               arena_fmt(a, "%llu", (unsigned long long)uploads_size_max(sm)));
}

/* --- what a user has uploaded, for administrators --- */

struct listing {
    struct adhoc *c;
    struct node *table;
    struct slice base;
};

static void on_each(void *ctx, struct slice path, uint64_t bytes, int64_t at_ms, int64_t keep_ms)
{
    const struct listing *l = ctx;
    struct arena *a = adhoc_arena(l->c);
    struct node *row = adhoc_row(l->c, l->table);
    adhoc_cell(l->c, row, "url", arena_fmt(a, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(l->base), SLICE_ARG(path)));
    adhoc_cell(l->c, row, "bytes", arena_fmt(a, "%llu", (unsigned long long)bytes));
    adhoc_cell(l->c, row, "granted", time_write(a, at_ms));
    adhoc_cell(l->c, row, "kept-until", time_write(a, keep_ms));
}

static void on_listed(void *ctx)
{
    struct listing *l = ctx;
    adhoc_done(l->c, l->table, NULL);
}

static const struct command_field list_fields[] = {
    { .var = "accountjid", .type = FIELD_JID, .label = "Whose", .required = true },
    { 0 },
};
static const struct command_field list_columns[] = {
    { .var = "url", .label = "Where it is, if it came" },
    { .var = "bytes", .label = "Size" },
    { .var = "granted", .label = "Granted" },
    { .var = "kept-until", .label = "Kept until" },
    { 0 },
};

static void list_uploads(struct adhoc *c)
{
    struct listing *l = ARENA_NEW(adhoc_arena(c), struct listing);
    struct jid user;
    if (!adhoc_account(c, adhoc_value(c, "accountjid"), &user))
        return;
    l->c = c;
    l->table = adhoc_table(c, list_columns);
    l->base = uploads_base(adhoc_sessman(c), user.domain, adhoc_arena(c));
    uploads_list(adhoc_sessman(c), &user, LIST_MOST, on_each, on_listed, l);
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_UPLOAD, "request", TO_DOMAIN, on_request },
    { 0 },
};
static const struct command commands[] = {
    { LIST_UPLOADS, "List of a user's uploads", ADHOC_ADMIN, ADHOC_READS, list_fields, list_uploads },
    { 0 },
};
static const struct disco_identity identity = { "store", "file", "HTTP File Upload" };
static const char *const features[] = { NS_UPLOAD, NS_UPLOAD_PURPOSE "#message",
                                        NS_UPLOAD_PURPOSE "#ephemeral", NULL };
const struct module mod_upload = {
    .name = "upload",
    .spec = "XEP-0363 1.2.0",
    .identity = &identity,
    .features = features,
    .offered = offered,
    .form = put_form,
    .handlers = handlers,
    .commands = commands,
};
