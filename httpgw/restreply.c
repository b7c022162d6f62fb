/* httpgw/restreply.c - what a call is answered: results, and problems (RFC 9457), of which stanza errors are
 * some (RFC 6120 8.3.3) */
#include "common/base/secret.h"
#include "httpgw/restin.h"
#include <stdlib.h>

enum { BUSY_RETRY_S = 1, DETAIL_MAX = 1024 };

static const char *title_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = { { 400, "Bad Request" },
                   { 401, "Unauthorized" },
                   { 403, "Forbidden" },
                   { 404, "Not Found" },
                   { 405, "Method Not Allowed" },
                   { 409, "Conflict" },
                   { 410, "Gone" },
                   { 413, "Content Too Large" },
                   { 415, "Unsupported Media Type" },
                   { 422, "Unprocessable Content" },
                   { 429, "Too Many Requests" },
                   { 500, "Internal Server Error" },
                   { 501, "Not Implemented" },
                   { 502, "Bad Gateway" },
                   { 503, "Service Unavailable" },
                   { 504, "Gateway Timeout" } };
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Error";
}

/* What a stanza error is in HTTP; RFC 6120 8.3.3. */
static unsigned status_of(struct slice condition)
{
    static const struct {
        const char *condition;
        unsigned status;
    } map[] = {
        { "bad-request", 400 },
        { "conflict", 409 },
        { "feature-not-implemented", 501 },
        { "forbidden", 403 },
        { "gone", 410 },
        { "internal-server-error", 500 },
        { "item-not-found", 404 },
        { "jid-malformed", 422 },
        { "not-acceptable", 422 },
        { "not-allowed", 403 },
        { "not-authorized", 403 },
        { "policy-violation", 403 },
        { "recipient-unavailable", 404 },
        { "redirect", 404 },
        { "registration-required", 403 },
        { "remote-server-not-found", 502 },
        { "remote-server-timeout", 504 },
        { "resource-constraint", 503 },
        { "service-unavailable", 503 },
        { "subscription-required", 403 },
        { "undefined-condition", 500 },
        { "unexpected-request", 409 },
    };
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (slice_is(condition, map[i].condition))
            return map[i].status;
    }
    return 500;
}

static void log_call(const struct rest_call *c, unsigned status, struct slice detail)
{
    const struct httpgw *d = c->all->d;
    struct log_ctx log = { .log = d->run->log, .sub = LOG_NET, .ip = c->peer.ip, .doing = "api" };
    uint64_t ms = loop_now_ms(d->run->loop) - c->began_ms;
    if (status == 429 || status == 403)
        METRIC_INC(d->run->metrics, M_API_REFUSED);
    else if (status == 401)
        METRIC_INC(d->run->metrics, M_API_UNAUTHORIZED);
    else if (status >= 500)
        METRIC_INC(d->run->metrics, M_API_FAILED);
    LOG_INFO(&log, "api_call", F_SLICE("who", c->user.local.len ? jid_bare(&c->user) : SLICE_NONE),
             F_SLICE("path", slice_to(http_path(c->http), 256)), F_SLICE("node", c->node),
             F_UINT("method", (unsigned)http_method(c->http)), F_UINT("status", status), F_UINT("ms", ms),
             F_SLICE("why", slice_to(detail, 200)));
}

void rest_field(struct rest_fields *f, const char *name, struct slice value)
{
    if (f->n < REST_FIELDS_MAX)
        f->list[f->n++] = (struct http_field){ name, value };
}

bool rest_origin_listed(const struct httpgw *d, struct slice origin)
{
    for (size_t i = 0; i < d->conf->api_origins.n; i++) {
        if (slice_is(origin, d->conf->api_origins.items[i]))
            return true;
    }
    return false;
}

void rest_reply(struct rest_call *c, unsigned status, const char *type, json_t *body, struct rest_fields *f)
{
    struct slice origin = slice_trim(http_header(c->http, "Origin"));
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;
    rest_field(f, "Cache-Control", SLICE("no-store"));
    if (origin.len && rest_origin_listed(c->all->d, origin)) {
        rest_field(f, "Access-Control-Allow-Origin", origin);
        rest_field(f, "Vary", SLICE("Origin"));
    }
    c->answered = true;
    rest_forget(c);
    timer_stop(&c->timer);
    http_answer(c->http, &(struct http_reply){ .status = status,
                                               .type = body ? type : NULL,
                                               .body = slice_of(text, len),
                                               .fields = f->list,
                                               .n_fields = f->n });
    if (text)
        secret_wipe(text, len); /* there are commands whose result is a secret */
    free(text);
    formjson_forget(body);
}

void rest_answer(struct rest_call *c, unsigned status, json_t *body)
{
    struct rest_fields f = { .n = 0 };
    if (c->answered) {
        json_decref(body);
        return;
    }
    log_call(c, status, SLICE_NONE);
    rest_reply(c, status, "application/json", body, &f);
    restsession_give(c, true);
}

static bool is_by_token(const struct rest_call *c)
{
    return slice_eq_nocase(slice_to(slice_trim(http_header(c->http, "Authorization")), 7), SLICE("Bearer "));
}

/* RFC 7617 2, RFC 6750 3. */
static void add_challenges(const struct rest_call *c, const struct rest_problem *p, struct rest_fields *f)
{
    if (p->status == 403 && p->condition && is_by_token(c)) {
        rest_field(f, "WWW-Authenticate", SLICE("Bearer realm=\"XMPP\", error=\"insufficient_scope\""));
    } else if (p->status == 401) {
        rest_field(f, "WWW-Authenticate",
                   is_by_token(c) ? SLICE("Bearer realm=\"XMPP\", error=\"invalid_token\"")
                                  : SLICE("Bearer realm=\"XMPP\""));
        rest_field(f, "WWW-Authenticate", SLICE("Basic realm=\"XMPP\", charset=\"UTF-8\""));
    }
}

/* Also of what the library would not take. */
static json_t *text_of(struct rest_call *c, struct slice text)
{
    text = slice_to(text, DETAIL_MAX);
    return slice_utf8_ok(text) ? formjson_string(text) : formjson_string(arena_fmt(c->arena, "(no text)"));
}

void rest_problem(struct rest_call *c, const struct rest_problem *p)
{
    struct rest_fields f = { .n = 0 };
    json_t *body;
    if (c->answered) {
        json_decref(p->form);
        return;
    }
    body = json_object();
    json_object_set_new(body, "type", json_string("about:blank"));
    json_object_set_new(body, "title", json_string(title_of(p->status)));
    json_object_set_new(body, "status", json_integer(p->status));
    if (p->detail.len)
        json_object_set_new(body, "detail", text_of(c, p->detail));
    if (p->condition)
        json_object_set_new(body, "condition", json_string(p->condition));
    if (p->form)
        json_object_set_new(body, "form", p->form);
    add_challenges(c, p, &f);
    if (p->retry_s)
        rest_field(&f, "Retry-After", arena_fmt(c->arena, "%u", p->retry_s));
    if (p->status == 405)
        rest_field(&f, "Allow", p->detail);
    log_call(c, p->status, p->detail);
    rest_reply(c, p->status, "application/problem+json", body, &f);
    restsession_give(c, p->status < 500); /* what failed so is better begun anew */
}

void rest_refuse(struct rest_call *c, unsigned status, const char *detail)
{
    rest_problem(c, &(struct rest_problem){ .status = status, .detail = slice_cstr(detail) });
}

void rest_stanza_error(struct rest_call *c, const struct node *stanza)
{
    struct node *error = node_find(stanza, "error", NULL), *cond = node_child(error);
    struct slice text = node_child_text(c->arena, error, "text", NS_STANZA_ERROR);
    while (cond && (!slice_is(cond->ns, NS_STANZA_ERROR) || slice_is(cond->name, "text")))
        cond = node_sibling(cond);
    struct slice name = cond ? cond->name : SLICE("undefined-condition");
    struct rest_problem p = { .status = status_of(name),
                              .condition = arena_cstr(c->arena, name),
                              .detail = text.len ? arena_copy(c->arena, text) : SLICE_NONE };
    if (node_find(error, "bad-payload", NS_COMMANDS)) /* XEP-0050 4.4: it is the form that is wrong */
        p.status = 422;
    if (slice_is(stanza->name, "message") && slice_is(name, "service-unavailable")) { /* RFC 6121 8.5.1 */
        p.status = 404;
        p.detail = p.detail.len ? p.detail : SLICE("nobody takes messages at this address");
    }
    if (slice_is(node_attr(error, "type"), "wait") && p.status >= 500)
        p.retry_s = BUSY_RETRY_S;
    rest_problem(c, &p);
}
