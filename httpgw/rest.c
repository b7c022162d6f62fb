/* httpgw/rest.c - the API: who is let in, and the life of a call (RFC 9110, RFC 6750)
 *
 * A face of the commands' table for programs: JSON in, JSON out. All that decides about a call is here, in
 * admit(), in this order. */
#include "httpgw/rest.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "httpgw/restin.h"

enum { ARENA_CHUNK = 4096, BUSY_RETRY_S = 1 };

static struct httpgw *httpgw_of(const struct rest_call *c)
{
    return c->all->d;
}

/* --- the session --- */

struct slice rest_new_id(struct rest_call *c, char letter)
{
    return arena_fmt(c->arena, "%c%llu", letter, (unsigned long long)++c->all->last_id);
}

static void wipe_tree(struct node *n)
{
    if (n->text.len)
        secret_wipe((void *)(uintptr_t)n->text.p, n->text.len);
    for (struct node *child = n->first; child; child = child->next)
        wipe_tree(child);
}

void rest_forget(struct rest_call *c)
{
    for (size_t i = 0; i < c->n_stanzas; i++)
        wipe_tree(c->stanzas[i]);
    c->n_stanzas = 0;
}

void rest_on_ready(struct rest_call *c)
{
    for (size_t i = 0; i < c->n_stanzas; i++)
        restsession_send(c->session, c->stanzas[i]);
}

static void log_in(struct rest_call *c);

/* A login that was kept ends when somebody's token or password does, whoever's: nothing was done, and the
 * call's own credentials may well be good. */
static void log_in_again(struct rest_call *c)
{
    restsession_give(c, false);
    c->again = true;
    log_in(c);
}

static void take_error(struct rest_call *c, const struct node *n)
{
    bool over = node_find(node_find(n, "error", NULL), "not-authorized", NS_STANZA_ERROR) != NULL;
    if (over && c->reused)
        log_in_again(c);
    else if (over)
        rest_problem(c, &(struct rest_problem){ .status = 401, .condition = "not-authorized" });
    else
        rest_stanza_error(c, n);
}

void rest_on_stanza(struct rest_call *c, const struct node *n)
{
    struct slice id = node_attr(n, "id");
    bool error = slice_is(node_attr(n, "type"), "error");
    if (c->answered || !id.len)
        return;
    if (slice_is(n->name, "message") && slice_eq(id, c->message_id))
        take_error(c, n);
    else if (!slice_is(n->name, "iq") || !slice_eq(id, c->iq_id))
        return;
    else if (error && !c->message_id.len)
        take_error(c, n);
    else
        c->path->answer(c, n);
}

void rest_on_refused(struct rest_call *c, enum sasl_fail cond, struct slice text)
{
    struct rest_problem p = { .status = 401, .condition = sasl_fail_name(cond), .detail = text };
    if (cond == SASL_TEMPORARY_AUTH_FAILURE) {
        p.status = 503;
        p.retry_s = 5;
    } else if (cond == SASL_ACCOUNT_DISABLED || cond == SASL_ENCRYPTION_REQUIRED) {
        p.status = 403;
    }
    rest_problem(c, &p);
}

void rest_on_lost(struct rest_call *c, const struct rest_problem *p)
{
    if (p->status == 401 && c->reused)
        log_in_again(c);
    else
        rest_problem(c, p);
}

static void on_timeout(struct timer *t)
{
    struct rest_call *c = CONTAINER(t, struct rest_call, timer);
    rest_refuse(c, 504, "there was no answer in time; what was asked may have been done, or may be done yet");
}

static void log_in(struct rest_call *c)
{
    struct slice header = http_header(c->http, "Authorization");
    struct restauth who;
    if (restauth_read(c->arena, header, c->domain, &who) != RC_OK) {
        rest_refuse(c, 401, NULL);
        return;
    }
    loop_timer(httpgw_of(c)->run->loop, &c->timer, httpgw_of(c)->conf->api_ms, on_timeout);
    restsession_begin(c, &who, header);
}

/* --- who is let in: each answers, and says false --- */

static bool check_transport(struct rest_call *c)
{
    struct slice origin = slice_trim(http_header(c->http, "Origin"));
    if (!c->secure && !c->trusted) {
        rest_refuse(c, 403, "TLS is required");
        return false;
    }
    if (origin.len && !routes_is_own_origin(c->http) && !rest_origin_listed(httpgw_of(c), origin)) {
        rest_refuse(c, 403, "pages of this origin may not");
        return false;
    }
    return true;
}

static bool path_fits(const struct rest_path *p, struct slice path)
{
    struct slice own = slice_cstr(p->path);
    return own.p[own.len - 1] == '*' ? slice_starts(path, slice_to(own, own.len - 1)) : slice_eq(path, own);
}

static unsigned method_bit(const struct http_request *r)
{
    return http_method(r) == HTTP_HEAD ? HTTP_GET : http_method(r);
}

/* The rest of a path: one step, percent-encoded. */
static bool read_node(struct rest_call *c)
{
    struct slice rest = slice_from(http_path(c->http), strlen(c->path->path) - 1);
    if (!rest.len || slice_find(rest, '/') >= 0) {
        rest_refuse(c, 404, "a command's node is one step of the path; '/' in it is written as %2F");
        return false;
    }
    if (http_decode(c->arena, rest, &c->node) != RC_OK || !formjson_is_xml(c->node)) {
        c->node = SLICE_NONE;
        rest_refuse(c, 400, "the node is not percent-encoded UTF-8");
        return false;
    }
    return true;
}

static bool find_path(struct rest_call *c)
{
    unsigned methods = 0;
    for (const struct rest_path *p = rest_paths; p->path; p++) {
        if (!path_fits(p, http_path(c->http)))
            continue;
        methods |= p->method;
        if (p->method & method_bit(c->http)) {
            c->path = p;
            return p->path[strlen(p->path) - 1] != '*' || read_node(c);
        }
    }
    if (!methods)
        rest_refuse(c, 404, "there is nothing here");
    else
        rest_refuse(c, 405,
                    methods == HTTP_POST  ? "POST"
                    : methods == HTTP_GET ? "GET, HEAD"
                                          : "GET, HEAD, POST");
    return false;
}

static bool check_rate(struct rest_call *c)
{
    struct rest_all *all = c->all;
    const struct httpgw_conf *conf = all->d->conf;
    uint64_t now = loop_now_ms(all->d->run->loop);
    struct rest_problem busy = { .status = 429,
                                 .detail = SLICE("too many calls from your address"),
                                 .retry_s = BUSY_RETRY_S };
    c->counted = true;
    all->n_calls++;
    unsigned own = addr_enter(all->addresses, c->address);
    if (!rate_try(addr_rate(all->addresses, c->address, now), &all->rate, now, 1) ||
        own > conf->api_per_address) {
        rest_problem(c, &busy);
        return false;
    }
    if (all->n_calls > conf->api_calls || all->stopping || !all->d->clients.accepting) {
        busy.status = 503;
        busy.detail = SLICE("not now; try again a little later");
        rest_problem(c, &busy);
        return false;
    }
    return true;
}

static bool check_body(struct rest_call *c)
{
    struct slice type = http_header(c->http, "Content-Type");
    ptrdiff_t end = slice_find(type, ';');
    if (http_method(c->http) != HTTP_POST ||
        slice_eq_nocase(slice_trim(end < 0 ? type : slice_to(type, (size_t)end)), SLICE("application/json")))
        return true;
    rest_refuse(c, 415,
                "Content-Type: application/json is expected"); /* which no form of a web page can send */
    return false;
}

/* "domain=…" of the query, or nothing. */
static struct slice asked_domain(const struct http_request *r)
{
    struct slice rest = http_query(r), each;
    while (slice_split(&rest, '&', &each)) {
        if (slice_starts(each, SLICE("domain=")))
            return slice_from(each, 7);
    }
    return SLICE_NONE;
}

/* Which domain is asked: it is said, or it is that of the Host header; failing both, it is that of the
 * account, or the only one. */
static bool find_domain(struct rest_call *c)
{
    struct edge *edge = httpgw_of(c)->clients.edge;
    struct slice asked = asked_domain(c->http), text;
    size_t at = 0;
    if (asked.len) {
        if (http_decode(c->arena, asked, &text) == RC_OK &&
            jid_prepare_domain(c->arena, text, &c->domain, NULL) == RC_OK && edge_domain(edge, c->domain))
            return true;
        c->domain = SLICE_NONE;
        rest_refuse(c, 404, "this domain is not hosted here");
        return false;
    }
    if (jid_prepare_domain(c->arena, http_host(c->http), &c->domain, NULL) == RC_OK &&
        edge_domain(edge, c->domain))
        return true;
    c->domain = SLICE_NONE;
    if (edge_domains(edge) == 1) /* with several, a user name without a domain is nobody's */
        c->domain = arena_copy(c->arena, edge_domain_next(edge, &at)->name);
    return true;
}

static bool check_credentials(struct rest_call *c)
{
    struct clients *d = &httpgw_of(c)->clients;
    struct restauth who;
    uint64_t now = loop_now_ms(d->loop);
    enum rc rc = restauth_read(c->arena, http_header(c->http, "Authorization"), c->domain, &who);
    restauth_wipe(&who);
    if (rc == RC_OK && !edge_domain(d->edge, who.user.domain))
        rc = RC_NOTFOUND;
    if (rc != RC_OK) {
        rest_refuse(c, 401,
                    rc == RC_NOTFOUND ? "credentials of an account here are expected"
                                      : "the credentials cannot be read");
        return false;
    }
    c->user = who.user;
    if (!c->domain.len)
        c->domain = who.user.domain;
    uint32_t wait_ms =
        c->trusted ? 0 : rate_take(addr_rate(d->addresses, c->address, now), &d->auth_limit, now, 0);
    if (wait_ms) {
        METRIC_INC(d->metrics, M_LIMIT_AUTH_RATE);
        rest_problem(c, &(struct rest_problem){ .status = 429,
                                                .detail = SLICE("too many failed attempts from your address"),
                                                .retry_s = wait_ms / 1000 + 1 });
    }
    return !wait_ms;
}

static bool admit(struct rest_call *c)
{
    return check_transport(c) && find_path(c) && check_rate(c) && check_body(c) && find_domain(c) &&
           check_credentials(c);
}

/* --- a call --- */

static void on_gone(void *owner)
{
    struct rest_call *c = owner;
    timer_stop(&c->timer);
    restsession_give(c, false);
    rest_forget(c);
    list_unlink(&c->link);
    if (c->counted) {
        addr_leave(c->all->addresses, c->address);
        c->all->n_calls--;
    }
    arena_free(&c->arena);
    mem_free(c);
}

static void on_body(struct http_request *r, struct slice body)
{
    struct rest_call *c = http_owner(r);
    struct why why = { "" };
    json_t *json = NULL;
    enum rc rc = formjson_read(body.len ? body : SLICE("{}"), &json, &why);
    if (body.len)
        secret_wipe((void *)(uintptr_t)body.p, body.len);
    if (rc != RC_OK) {
        rest_refuse(c, rc == RC_LIMIT ? 422 : 400, why.text);
        return;
    }
    bool made = c->path->make(c, json);
    formjson_forget(json);
    if (made)
        log_in(c);
}

/* What a browser asks before it sends a page's call; only pages of [api] origins are told yes. */
static void preflight(struct rest_call *c)
{
    struct slice origin = slice_trim(http_header(c->http, "Origin"));
    struct rest_fields f = { .n = 0 };
    rest_field(&f, "Allow", SLICE("GET, HEAD, POST, OPTIONS"));
    if (origin.len && rest_origin_listed(httpgw_of(c), origin)) {
        rest_field(&f, "Access-Control-Allow-Methods", SLICE("GET, HEAD, POST"));
        rest_field(&f, "Access-Control-Allow-Headers", SLICE("Authorization, Content-Type"));
        rest_field(&f, "Access-Control-Max-Age", SLICE("7200"));
    }
    rest_reply(c, 204, NULL, NULL, &f);
}

static struct rest_call *call_new(struct rest_all *all, struct http_request *r)
{
    const struct httpgw *d = all->d;
    struct rest_call *c = mem_new(sizeof *c);
    c->all = all;
    c->http = r;
    c->arena = arena_new(ARENA_CHUNK, 0);
    c->began_ms = loop_now_ms(d->run->loop);
    http_peer(r, &c->peer);
    c->address = addr_key_of((const struct sockaddr *)&c->peer.addr);
    c->secure = http_secure(r);
    c->trusted = d->conf->policy == TLS_OPTIONAL && http_from_here(r);
    list_append(&all->calls, &c->link);
    http_own(r, c, on_gone);
    return c;
}

void rest_take(struct http_request *r)
{
    struct httpgw *d = routes_httpgw(r);
    if (!d->conf->api) {
        http_answer_text(r, 404, "there is nothing here");
        return;
    }
    METRIC_INC(d->run->metrics, M_API_CALLS);
    struct rest_call *c = call_new(d->rest, r);
    if (http_method(r) == HTTP_OPTIONS) {
        preflight(c);
    } else if (!admit(c)) {
        return;
    } else if (http_method(r) == HTTP_POST) {
        http_collect(r, d->conf->api_body, on_body);
    } else {
        http_hold(r);
        if (c->path->make(c, NULL))
            log_in(c);
    }
}

/* --- all of them --- */

struct rest_all *rest_all_new(struct httpgw *d)
{
    struct rest_all *all = mem_new(sizeof *all);
    all->d = d;
    all->addresses = addr_table_new();
    list_init(&all->calls);
    list_init(&all->sessions);
    secret_random(all->key, sizeof all->key);
    json_object_seed((size_t)secret_random_u64() | 1); /* 0 would ask the system again */
    return all;
}

void rest_all_take_conf(struct rest_all *all, const struct httpgw_conf *conf)
{
    all->rate = (struct rate_limit){ conf->api_rate, conf->api_burst };
}

void rest_all_tick(struct rest_all *all)
{
    addr_sweep(all->addresses, loop_now_ms(all->d->run->loop));
}

void rest_connection_gone(struct rest_all *all, uint64_t connection)
{
    restsession_drop(all, connection);
}

void rest_all_stop(struct rest_all *all)
{
    const struct rest_problem stops = { .status = 503, .detail = SLICE("the server stops"), .retry_s = 5 };
    all->stopping = true;
    LIST_EACH(&all->calls, it) {
        rest_problem(CONTAINER(it, struct rest_call, link), &stops);
    }
    restsession_stop(all);
}

void rest_all_free(struct rest_all **all)
{
    if (!*all)
        return;
    restsession_fini(*all);
    addr_table_free(&(*all)->addresses);
    secret_wipe((*all)->key, sizeof(*all)->key);
    MEM_FREE(all);
}
