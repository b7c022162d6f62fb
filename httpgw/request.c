/* httpgw/request.c - one request, between the library's callbacks and its handler */
#include "common/base/mem.h"
#include "common/net/listen.h"
#include "httpgw/httpin.h"

/* --- what is asked --- */

enum http_method http_method(const struct http_request *r)
{
    return r->method;
}

struct slice http_path(const struct http_request *r)
{
    return r->path;
}

struct slice http_query(const struct http_request *r)
{
    return r->query;
}

struct slice http_header(const struct http_request *r, const char *name)
{
    return slice_cstr(MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name));
}

bool http_has_token(const struct http_request *r, const char *name, const char *token)
{
    struct slice list = http_header(r, name), each;
    while (slice_split(&list, ',', &each)) {
        if (slice_eq_nocase(slice_trim(each), slice_cstr(token)))
            return true;
    }
    return false;
}

struct slice http_host(const struct http_request *r)
{
    struct slice host = slice_trim(http_header(r, MHD_HTTP_HEADER_HOST));
    if (slice_starts(host, SLICE("["))) { /* an IPv6 address: RFC 3986 3.2.2 */
        ptrdiff_t end = slice_find(host, ']');
        return end < 0 ? SLICE_NONE : slice_to(host, (size_t)end + 1);
    }
    ptrdiff_t colon = slice_find(host, ':');
    return colon < 0 ? host : slice_to(host, (size_t)colon);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum rc http_decode(struct arena *a, struct slice text, struct slice *out)
{
    char *to = arena_alloc(a, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex(text.p[i + 1]) : -1, low = high < 0 ? -1 : hex(text.p[i + 2]);
            if (low < 0)
                return RC_SYNTAX;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return RC_SYNTAX;
        to[n++] = c;
    }
    *out = slice_of(to, n);
    return slice_utf8_ok(*out) ? RC_OK : RC_SYNTAX;
}

bool http_by_proxy(const struct http_request *r)
{
    return net_list_has(r->http->conf.forwarded_from, (const struct sockaddr *)&r->conn->addr);
}

void http_peer(const struct http_request *r, struct conn_peer *out)
{
    struct sockaddr_storage addr = r->conn->addr;
    struct slice list = http_by_proxy(r) ? http_header(r, "X-Forwarded-For") : SLICE_NONE, each;
    struct slice last = SLICE_NONE; /* the nearest proxy has added the last one; what stands before it anybody
                                       may have written */
    while (slice_split(&list, ',', &each))
        last = slice_trim(each);
    if (last.len && conn_addr_parse(last, &addr) != RC_OK)
        addr = r->conn->addr;
    conn_peer_of(&addr, out);
}

bool http_secure(const struct http_request *r)
{
    return r->conn->is_tls || (http_by_proxy(r) && slice_is(http_header(r, "X-Forwarded-Proto"), "https"));
}

bool http_from_here(const struct http_request *r)
{
    return !http_by_proxy(r) && addr_is_loopback((const struct sockaddr *)&r->conn->addr);
}

uint64_t http_connection(const struct http_request *r)
{
    return r->conn->number;
}

struct http *http_of(const struct http_request *r)
{
    return r->http;
}

/* --- from its target to its end --- */

void *request_on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http *h = cls;
    struct http_request *r = mem_new(sizeof *r);
    r->http = h;
    r->mhd = mhd;
    r->conn = http_link_of(mhd);
    r->target = mem_copy(slice_cstr(uri));
    struct slice all = slice_cstr(r->target);
    ptrdiff_t at = slice_find(all, '?');
    r->path = at < 0 ? all : slice_to(all, (size_t)at);
    r->query = at < 0 ? SLICE_NONE : slice_from(all, (size_t)at + 1);
    list_append(&h->requests, &r->link);
    return r;
}

void request_on_completed(void *cls, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_RequestTerminationCode code)
{
    struct http_request *r = *ctx;
    struct http *h = cls;
    (void)mhd, (void)code;
    if (!r)
        return;
    *ctx = NULL;
    if (!r->queued)
        h->totals.answers[0]++;
    if (r->conn && !r->conn->upgraded)
        http_link_hurry(r->conn, h->conf.request_ms); /* for the next one */
    if (r->on_gone)
        r->on_gone(r->owner);
    if (r->response)
        MHD_destroy_response(r->response);
    list_unlink(&r->link);
    buf_fini(&r->body);
    mem_free(r->target);
    mem_free(r);
}

static enum http_method method_of(const char *text)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = { { "GET", HTTP_GET }, { "HEAD", HTTP_HEAD },     { "POST", HTTP_POST },
                    { "PUT", HTTP_PUT }, { "DELETE", HTTP_DELETE }, { "OPTIONS", HTTP_OPTIONS } };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(text, methods[i].name) == 0)
            return methods[i].method;
    }
    return HTTP_OTHER;
}

struct fields { /* of a header: what may be there once at most */
    unsigned framing, hosts;
    bool bad_name;
};

static enum MHD_Result count_field(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct fields *n = cls;
    struct slice name = slice_cstr(key);
    (void)kind, (void)value;
    n->framing +=
        slice_eq_nocase(name, SLICE("Content-Length")) || slice_eq_nocase(name, SLICE("Transfer-Encoding"));
    n->hosts += slice_eq_nocase(name, SLICE("Host"));
    for (size_t i = 0; i < name.len; i++) /* RFC 9112 5.1: no white space before the colon */
        n->bad_name |= (unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f;
    return MHD_YES;
}

/* RFC 9112 6.3: two answers to the question where the body ends are how requests are smuggled past a proxy.
 */
static bool ambiguous(const struct http_request *r, const char *version)
{
    struct fields n = { 0 };
    struct slice coding = http_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, count_field, &n);
    return n.framing > 1 || n.hosts > 1 || n.bad_name ||
           (coding.len && (!slice_eq_nocase(coding, SLICE("chunked")) || strcmp(version, "HTTP/1.1") != 0));
}

static bool has_body(const struct http_request *r)
{
    struct slice length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (length.len && !slice_is(length, "0")) || http_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING).len;
}

static void log_request(const struct http_request *r)
{
    struct conn_peer peer;
    if (!log_wants(r->http->conf.log, LOG_NET, LOG_LEVEL_DEBUG))
        return;
    http_peer(r, &peer);
    struct log_ctx log = { .log = r->http->conf.log, .sub = LOG_NET, .ip = peer.ip, .doing = "http" };
    LOG_DEBUG(&log, "request", F_SLICE("path", slice_to(r->path, 256)), F_UINT("method", (unsigned)r->method),
              F_UINT("status", r->status));
}

/* What the library is told: the answer, or to wait. */
static enum MHD_Result queue_answer(struct http_request *r)
{
    http_link_hurry(r->conn, 0); /* how long the sending may take is the library's concern */
    r->queued = true;
    log_request(r);
    r->http->totals.answers[r->status / 100 < 6 ? r->status / 100 : 0]++;
    return MHD_queue_response(r->mhd, r->status, r->response);
}

static enum MHD_Result header_came(struct http_request *r, const char *method, const char *version)
{
    r->method = method_of(method);
    r->state = REQUEST_BODY;
    r->http->totals.requests++;
    if (ambiguous(r, version)) {
        struct http_field close = { MHD_HTTP_HEADER_CONNECTION, SLICE("close") };
        http_answer(r, &(struct http_reply){ .status = 400, .fields = &close, .n_fields = 1 });
    } else {
        r->http->conf.on_request(r);
    }
    /* An answer ahead of the body ends the connection; where there is none it can wait for the next call. */
    return r->state == REQUEST_ANSWERED && has_body(r) ? queue_answer(r) : MHD_YES;
}

static enum MHD_Result stream_came(struct http_request *r, struct slice bytes, size_t *left)
{
    size_t taken = r->on_bytes(r, bytes);
    *left = bytes.len - taken;
    if (r->state ==
        REQUEST_ANSWERED) /* in the middle of a body there is no place for one: the connection is cut */
        return MHD_NO;
    if (*left) {
        r->state = REQUEST_STALLED;
        http_link_hurry(r->conn, 0); /* it is we who do not read */
        MHD_suspend_connection(r->mhd);
    }
    return MHD_YES;
}

static enum MHD_Result body_came(struct http_request *r, struct slice bytes, size_t *left)
{
    if (r->on_bytes)
        return stream_came(r, bytes, left);
    *left = 0;
    if (r->body.len + bytes.len > r->body_max && r->grows) {
        r->body_max = r->grows(r, buf_get(&r->body));
        r->grows = NULL;
    }
    if (r->too_long)
        return MHD_YES;
    if (r->body.len + bytes.len >
        r->body_max) { /* what was announced is little enough to be read for the answer's sake */
        buf_fini(&r->body);
        r->too_long = true;
        return http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH).len ? MHD_YES : MHD_NO;
    }
    buf_slice(&r->body, bytes);
    return MHD_YES;
}

static enum MHD_Result all_came(struct http_request *r)
{
    r->state = REQUEST_COMPLETE;
    http_link_hurry(r->conn, 0);
    if (r->too_long)
        http_answer_text(r, 413, "the body is too long");
    else if (r->on_end)
        r->on_end(r);
    else if (r->on_body)
        r->on_body(r, buf_get(&r->body));
    if (r->state == REQUEST_ANSWERED)
        return queue_answer(r);
    buf_fini(&r->body);
    r->state = REQUEST_HELD;
    MHD_suspend_connection(r->mhd);
    return MHD_YES;
}

enum MHD_Result request_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **ctx)
{
    struct http_request *r = *ctx;
    (void)cls, (void)mhd, (void)url;
    switch ((enum request_state)r->state) {
    case REQUEST_NEW:
        return header_came(r, method, version);
    case REQUEST_BODY:
        return *size ? body_came(r, slice_of(data, *size), size) : all_came(r);
    case REQUEST_ANSWERED:
        return *size ? MHD_NO : queue_answer(r);
    default:
        return MHD_YES;
    }
}

/* --- what becomes of the body --- */

void http_own(struct http_request *r, void *owner, void (*on_gone)(void *owner))
{
    r->owner = owner;
    r->on_gone = on_gone;
}

void *http_owner(const struct http_request *r)
{
    return r->owner;
}

void http_collect(struct http_request *r, size_t max,
                  void (*on_body)(struct http_request *r, struct slice body))
{
    uint64_t announced;
    r->body_max = max;
    r->on_body = on_body;
    struct slice length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length.len && slice_u64(length, UINT64_MAX, &announced) != RC_OK)
        http_answer_text(r, 400, "the length is not a number");
    else if (length.len && announced > (r->grows ? r->body_most : max))
        http_answer_text(r, 413, "the body is too long");
}

void http_collect_more(struct http_request *r, size_t most,
                       size_t (*grows)(struct http_request *r, struct slice so_far))
{
    r->body_most = most;
    r->grows = grows;
}

void http_stream(struct http_request *r, size_t (*on_bytes)(struct http_request *r, struct slice bytes),
                 void (*on_end)(struct http_request *r))
{
    r->on_bytes = on_bytes;
    r->on_end = on_end;
}

void http_more(struct http_request *r)
{
    if (r->state != REQUEST_STALLED)
        return;
    r->state = REQUEST_BODY;
    http_link_hurry(r->conn, r->http->conf.request_ms);
    MHD_resume_connection(r->mhd);
    http_soon(r->http);
}

void http_hold(struct http_request *r)
{
    http_collect(r, 0, NULL);
}

void http_patience(struct http_request *r, uint32_t ms)
{
    http_link_hurry(r->conn, ms);
}
