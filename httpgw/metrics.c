/* httpgw/metrics.c - /metrics: the figures of all daemons, asked for over the router
 * (common/link/rlink.h:rlink_ask)
 *
 * However many ask at once, the daemons are asked once, and what they said is good for a second. */
#include "common/base/list.h"
#include "common/base/mem.h"
#include "httpgw/metrictext.h"
#include "httpgw/routes.h"

enum {
    FRESH_MS = 1000,
    WAITING_MOST = 100,
    KNOWN_MOST = 500,
    KNOWN_MS = 3600000, /* so long a daemon that is not there any more is told as down */
};

/* A daemon that has answered before. */
struct known {
    struct link all;
    char *role, *instance;
    uint64_t heard_ms;
    bool heard; /* in this round */
};
/* What an edge or an s2s has said. They choose their names: who has said so on the private side comes first.
 */
struct later {
    struct link all;
    struct slice role, instance, text; /* ours */
    bool up;
};
struct scrape {
    struct link all;
    struct metrics_page *page;
    struct http_request *r;
};
struct metrics_page {
    struct httpgw *d;
    struct net_list *allow; /* NULL: nobody */
    struct link waiting;    /* struct scrape */
    unsigned n_waiting;
    struct metrictext *text; /* being collected; NULL: nobody is asked */
    struct link later;       /* struct later */
    struct buf page;         /* what was collected; empty: it is old */
    struct timer old;
    struct link known; /* struct known */
    unsigned n_known;
    bool stopped;
};

/* --- daemons that were there --- */

static void known_drop(struct metrics_page *page, struct known *k)
{
    list_unlink(&k->all);
    page->n_known--;
    mem_free(k->role);
    mem_free(k->instance);
    mem_free(k);
}

static void known_note(struct metrics_page *page, const struct rlink_told *told)
{
    struct known *k = NULL;
    LIST_EACH(&page->known, at) {
        struct known *it = CONTAINER(at, struct known, all);
        if (slice_is(told->role, it->role) && slice_is(told->instance, it->instance))
            k = it;
    }
    if (!k) {
        if (page->n_known == KNOWN_MOST)
            return;
        k = mem_new(sizeof *k);
        k->role = mem_copy(told->role);
        k->instance = mem_copy(told->instance);
        list_append(&page->known, &k->all);
        page->n_known++;
    }
    k->heard = true;
    if (!told->failed || !k->heard_ms)
        k->heard_ms = loop_now_ms(page->d->run->loop);
}

/* Who was there and is not now. */
static void add_missing(struct metrics_page *page)
{
    uint64_t now = loop_now_ms(page->d->run->loop);
    LIST_EACH(&page->known, at) {
        struct known *k = CONTAINER(at, struct known, all);
        if (!k->heard)
            metrictext_add(page->text, slice_cstr(k->role), slice_cstr(k->instance), false, SLICE_NONE);
        k->heard = false;
        if (now - k->heard_ms > KNOWN_MS)
            known_drop(page, k);
    }
}

/* --- collecting --- */

static void answer(struct http_request *r, const struct buf *page)
{
    const struct http_field fresh = { "Cache-Control", SLICE("no-store") };
    http_answer(r, &(struct http_reply){ .status = 200,
                                         .type = "text/plain; version=0.0.4; charset=utf-8",
                                         .body = buf_get(page),
                                         .fields = &fresh,
                                         .n_fields = 1 });
}

static void take_off(struct scrape *s)
{
    if (link_in_list(&s->all))
        s->page->n_waiting--;
    list_unlink(&s->all);
}

static void on_gone(void *owner)
{
    struct scrape *s = owner;
    take_off(s);
    mem_free(s);
}

static void on_old(struct timer *t)
{
    buf_fini(&CONTAINER(t, struct metrics_page, old)->page);
}

static void add(struct metrics_page *page, struct slice role, struct slice instance, bool up,
                struct slice text)
{
    size_t bad = metrictext_add(page->text, role, instance, up, text);
    if (!bad)
        return;
    struct log_ctx log = { .log = page->d->run->log, .sub = LOG_MODULE, .doing = "metrics" };
    metric_add(page->d->run->metrics, M_METRICS_BAD, bad);
    LOG_WARN(&log, "metrics_bad", F_SLICE("instance", instance), F_UINT("lines", bad));
}

static void keep(struct metrics_page *page, const struct rlink_told *told)
{
    struct later *l = mem_new(sizeof *l);
    l->role = slice_cstr(mem_copy(told->role));
    l->instance = slice_cstr(mem_copy(told->instance));
    l->up = !told->failed;
    l->text = l->up ? slice_cstr(mem_copy(told->text)) : SLICE_NONE;
    list_append(&page->later, &l->all);
}

static void later_drop(struct later *l)
{
    const struct slice *all[] = { &l->role, &l->instance, &l->text };
    list_unlink(&l->all);
    for (size_t i = 0; i < 3; i++)
        mem_free((char *)(uintptr_t)all[i]->p);
    mem_free(l);
}

static void collected(struct metrics_page *page)
{
    LIST_EACH(&page->later, at) {
        struct later *l = CONTAINER(at, struct later, all);
        add(page, l->role, l->instance, l->up, l->text);
        later_drop(l);
    }
    add_missing(page);
    metrictext_write(page->text, &page->page);
    metrictext_free(&page->text);
    loop_timer(page->d->run->loop, &page->old, FRESH_MS, on_old);
    LIST_EACH(&page->waiting, at) {
        struct scrape *s = CONTAINER(at, struct scrape, all);
        take_off(s);
        answer(s->r, &page->page);
    }
}

static void on_told(void *ctx, const struct rlink_told *told)
{
    struct metrics_page *page = ctx;
    if (!told) {
        collected(page);
        return;
    }
    known_note(page, told);
    if (!told->failed && (slice_is(told->role, "router") || slice_is(told->role, "sessman")))
        add(page, told->role, told->instance, true, told->text);
    else
        keep(page, told);
}

static bool allowed(const struct metrics_page *page, const struct http_request *r)
{
    struct conn_peer peer;
    bool forwarded = http_header(r, "X-Forwarded-For").len || http_header(r, "Forwarded").len;
    if (forwarded && !http_by_proxy(r)) /* whose address the connection has says nothing then */
        return false;
    http_peer(r, &peer);
    return net_list_has(page->allow, (const struct sockaddr *)&peer.addr);
}

void metrics_take(struct http_request *r)
{
    struct httpgw *d = routes_httpgw(r);
    struct metrics_page *page = d->metrics_page;
    if (!allowed(page, r)) {
        METRIC_INC(d->run->metrics, M_METRICS_REFUSED);
        http_answer_text(r, 403, "not from there: see [metrics] allow");
        return;
    }
    if (page->page.len) {
        answer(r, &page->page);
        return;
    }
    if (page->stopped || page->n_waiting == WAITING_MOST) {
        http_answer_text(r, 503, page->stopped ? "the server stops" : "too many ask at once");
        return;
    }
    struct scrape *s = mem_new(sizeof *s);
    s->page = page;
    s->r = r;
    list_append(&page->waiting, &s->all);
    page->n_waiting++;
    http_own(r, s, on_gone);
    http_hold(r);
    if (page->text)
        return;
    page->text = metrictext_new();
    rlink_ask(edge_rlink(d->clients.edge), SLICE("metrics"), SLICE_NONE, on_told, page);
}

/* --- life --- */

struct metrics_page *metrics_page_new(struct httpgw *d)
{
    struct metrics_page *page = mem_new(sizeof *page);
    page->d = d;
    list_init(&page->waiting);
    list_init(&page->known);
    list_init(&page->later);
    return page;
}

void metrics_page_take_conf(struct metrics_page *page)
{
    struct net_list *list;
    struct why why;
    if (conf_networks(&page->d->conf->metrics_allow, &list, &why) != RC_OK) /* conf.c has checked it */
        return;
    net_list_free(&page->allow);
    page->allow = list;
}

void metrics_page_stop(struct metrics_page *page)
{
    page->stopped = true; /* who waits is answered by http_close */
    rlink_ask_drop(edge_rlink(page->d->clients.edge), page);
    timer_stop(&page->old);
}

void metrics_page_free(struct metrics_page **pp)
{
    struct metrics_page *page = *pp;
    if (!page)
        return;
    LIST_EACH(&page->known, at)
        known_drop(page, CONTAINER(at, struct known, all));
    LIST_EACH(&page->later, at)
        later_drop(CONTAINER(at, struct later, all));
    metrictext_free(&page->text);
    net_list_free(&page->allow);
    buf_fini(&page->page);
    MEM_FREE(pp);
}
