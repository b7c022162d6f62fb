/* httpgw/routes.c - method and path → handler */
#include "httpgw/routes.h"

#include "common/base/buf.h"

struct route {
    unsigned methods; /* bits of enum http_method */
    const char *path; /* as in the request; ending in '*': all that begins so */
    void (*take)(struct http_request *r);
    bool cors; /* pages of other origins may use it (OPTIONS is answered here) */
};

/* clang-format off */
static const struct route routes[] = { /* the first that fits */
    { HTTP_GET,             "/ws",                         ws_take,            false }, /* RFC 7395 */
    { HTTP_POST | HTTP_GET, "/http-bind",                  bosh_take,          true },  /* XEP-0124 */
    { HTTP_GET | HTTP_HEAD, "/health",                     health_take,        false },
    { HTTP_GET | HTTP_HEAD, "/ready",                      ready_take,         false },
    { HTTP_GET | HTTP_HEAD, "/metrics",                    metrics_take,       false },
    { HTTP_GET | HTTP_HEAD, "/.well-known/host-meta",      hostmeta_xml_take,  true },  /* XEP-0156 3 */
    { HTTP_GET | HTTP_HEAD, "/.well-known/host-meta.json", hostmeta_json_take, true },  /* XEP-0487 2 */
    { HTTP_GET | HTTP_HEAD, "/admin",                      web_take,          false },
    { HTTP_GET | HTTP_HEAD, "/admin/*",                    web_take,          false },
    { HTTP_GET | HTTP_HEAD, "/chat",                       web_take,          false },
    { HTTP_GET | HTTP_HEAD, "/chat/*",                     web_take,          false },
    { HTTP_GET | HTTP_HEAD | HTTP_PUT, "/upload/*",        upload_take,        true },  /* XEP-0363 */
    { ~0u,                  "/api/*",                      rest_take,          false }, /* it answers other methods itself */
};
/* clang-format on */

struct httpgw *routes_httpgw(const struct http_request *r)
{
    return http_ctx(http_of(r));
}

static bool is_path(const struct route *route, struct slice path)
{
    struct slice own = slice_cstr(route->path);
    if (own.p[own.len - 1] == '*')
        return slice_starts(path, slice_to(own, own.len - 1));
    return slice_eq(path, own);
}

/* --- origins --- */

static bool listed(const struct httpgw_conf *conf, struct slice origin)
{
    for (size_t i = 0; i < conf->origins.n; i++) {
        if (slice_is(origin, conf->origins.items[i]) || strcmp(conf->origins.items[i], "*") == 0)
            return true;
    }
    return false;
}

/* "https://chat.example.net" as against what the request was sent to. */
static bool is_own(const struct http_request *r, struct slice origin)
{
    struct slice rest = origin;
    if (slice_starts(rest, SLICE("https://")))
        rest = slice_from(rest, 8);
    else if (slice_starts(rest, SLICE("http://")))
        rest = slice_from(rest, 7);
    else
        return false;
    return slice_eq_nocase(rest, slice_trim(http_header(r, "Host")));
}

bool routes_is_own_origin(const struct http_request *r)
{
    return is_own(r, slice_trim(http_header(r, "Origin")));
}

bool routes_origin_ok(const struct http_request *r)
{
    struct slice origin = slice_trim(http_header(r, "Origin"));
    return !origin.len || is_own(r, origin) || listed(routes_httpgw(r)->conf, origin);
}

void routes_answer_cors(struct http_request *r, const struct http_reply *reply)
{
    enum { FIELDS_MAX = 16 };
    struct http_field fields[FIELDS_MAX + 2];
    struct http_reply with = *reply;
    struct slice origin = slice_trim(http_header(r, "Origin"));
    if (!origin.len || !routes_origin_ok(r) || reply->n_fields > FIELDS_MAX) {
        http_answer(r, reply);
        return;
    }
    for (size_t i = 0; i < reply->n_fields; i++)
        fields[i] = reply->fields[i];
    fields[with.n_fields++] = (struct http_field){ "Access-Control-Allow-Origin", origin };
    fields[with.n_fields++] = (struct http_field){ "Vary", SLICE("Origin") };
    with.fields = fields;
    http_answer(r, &with);
}

static const struct {
    enum http_method method;
    const char *name;
} names[] = { { HTTP_GET, "GET" }, { HTTP_HEAD, "HEAD" },     { HTTP_POST, "POST" },
              { HTTP_PUT, "PUT" }, { HTTP_DELETE, "DELETE" }, { HTTP_OPTIONS, "OPTIONS" } };

static void write_methods(struct buf *out, unsigned methods)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (methods & names[i].method)
            buf_fmt(out, "%s%s", out->len ? ", " : "", names[i].name);
    }
}

/* What a browser asks before it sends a page's request to another origin. */
static void preflight(struct http_request *r, unsigned methods)
{
    char text[128];
    struct buf allow = { text, 0, sizeof text, sizeof text, false };
    write_methods(&allow, methods | HTTP_OPTIONS);
    const struct http_field fields[] = {
        { "Allow", buf_get(&allow) },
        { "Access-Control-Allow-Methods", buf_get(&allow) },
        { "Access-Control-Allow-Headers", SLICE("Content-Type") },
        { "Access-Control-Max-Age", SLICE("7200") },
    };
    routes_answer_cors(r, &(struct http_reply){ .status = 204, .fields = fields, .n_fields = 4 });
}

static void refuse_method(struct http_request *r, unsigned methods)
{
    char text[128];
    struct buf allow = { text, 0, sizeof text, sizeof text, false };
    write_methods(&allow, methods);
    const struct http_field field = { "Allow", buf_get(&allow) };
    http_answer(r, &(struct http_reply){ .status = 405, .fields = &field, .n_fields = 1 });
}

void routes_take(struct http_request *r)
{
    unsigned methods = 0;
    bool cors = false;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *route = &routes[i];
        if (!is_path(route, http_path(r)))
            continue;
        if (route->methods & http_method(r)) {
            route->take(r);
            return;
        }
        methods |= route->methods;
        cors |= route->cors;
    }
    if (!methods)
        http_answer_text(r, 404, "there is nothing here");
    else if (cors && http_method(r) == HTTP_OPTIONS)
        preflight(r, methods);
    else
        refuse_method(r, methods);
}
