/* httpgw/http.c - listeners, connections, and the library on the loop; requests are in request.c
 *
 * The library polls by an epoll set of its own, which the loop watches; it accepts nothing: sockets come from
 * common/net/listen, behind the PROXY header. */
#include "httpgw/http.h"

#include "common/base/mem.h"
#include "common/net/listen.h"
#include "httpgw/httpin.h"
#include <stdio.h>
#include <netinet/in.h>
#include <unistd.h>

enum {
    STALL_S = 60, /* nothing moves on a connection for so long: it is closed */
};

/* --- the library on the loop --- */

static void on_timer(struct timer *t);

static void run(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (!h->mhd)
        return;
    MHD_run(h->mhd);
    bool waits = MHD_get_timeout(h->mhd, &ms) == MHD_YES;
    if (waits && ms == 0) /* it has more to do at once, and a timer has its grain */
        http_soon(h);
    else if (waits)
        loop_timer(h->conf.loop, &h->timer, ms, on_timer);
    else
        timer_stop(&h->timer);
}

static void on_timer(struct timer *t)
{
    run(CONTAINER(t, struct http, timer));
}

static void on_events(void *ctx)
{
    run(ctx);
}

static void on_turn(struct turn *t)
{
    run(CONTAINER(t, struct http, turn));
}

void http_soon(struct http *h)
{
    loop_at_turn_end(h->conf.loop, &h->turn);
}

/* It sets options of TCP for each answer, and says each time that a bridge's pair of sockets has none; what
 * it knows a socket of another kind by is not the error that these give. */
static bool is_of_pairs(const char *format)
{
    static const char *const told[] = { "Setting %s option to %s state failed",
                                        "Failed to push the data from buffers to the network" };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        if (strncmp(format, told[i], strlen(told[i])) == 0)
            return true;
    }
    return false;
}

static void on_library_log(void *ctx, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void on_library_log(void *ctx, const char *format, va_list args)
{
    const struct http *h = ctx;
    struct log_ctx log = { .log = h->conf.log, .sub = LOG_NET, .doing = "http" };
    char text[256];
    if (!list_empty(&h->bridges) && is_of_pairs(format))
        return;
    vsnprintf(text, sizeof text, format, args);
    /* Once and again of each bridge: between us and the library there is no TCP, and nothing to delay. */
    if (slice_starts(slice_cstr(text), SLICE("Setting TCP_")) ||
        slice_starts(slice_cstr(text), SLICE("Failed to push the data")))
        return;
    text[strcspn(text, "\n")] = '\0';
    LOG_INFO(&log, "http_library", F_STR("text", text));
}

/* --- connections --- */

struct http_link *http_link_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_too_long(struct timer *t)
{
    struct http_link *l = CONTAINER(t, struct http_link, timer);
    l->http->totals.timeouts++;
    shutdown(l->fd, SHUT_RDWR); /* the library sees the end of it */
    http_soon(l->http);
}

void http_link_hurry(struct http_link *l, uint32_t ms)
{
    if (ms)
        loop_timer(l->http->conf.loop, &l->timer, ms, on_too_long);
    else
        timer_stop(&l->timer);
}

static void link_new(struct http *h, struct MHD_Connection *mhd, void **ctx)
{
    struct http_link *l = mem_new(sizeof *l);
    const union MHD_ConnectionInfo *addr = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct sockaddr *sa = addr->client_addr;
    l->http = h;
    l->number = ++h->last_number;
    l->fd = fd->connect_fd;
    memcpy(&l->addr, sa,
           sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    l->key = addr_key_of(sa);
    l->bridge = h->arriving;
    l->is_tls = l->bridge != NULL;
    if (l->bridge)
        l->bridge->conn = l;
    else
        addr_enter(h->addresses, l->key); /* else the bridge is counted */
    list_append(&h->conns, &l->link);
    h->n_conns++;
    *ctx = l;
    http_link_hurry(l, h->conf.request_ms);
}

static void link_free(struct http_link *l)
{
    struct http *h = l->http;
    timer_stop(&l->timer);
    list_unlink(&l->link);
    h->n_conns--;
    if (!l->is_tls)
        addr_leave(h->addresses, l->key);
    if (l->bridge)
        l->bridge->conn = NULL;
    h->conf.on_connection_gone(h->conf.ctx, l->number);
    mem_free(l);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        link_new(cls, mhd, ctx);
    } else if (*ctx) {
        link_free(*ctx);
        *ctx = NULL;
    }
}

bool http_admit(struct http *h, const struct sockaddr *from)
{
    if (h->closing)
        return false;
    bool one_for_many = addr_is_loopback(from) || net_list_has(h->conf.forwarded_from, from);
    if (one_for_many || addr_count(h->addresses, addr_key_of(from)) < h->conf.per_address)
        return true;
    struct log_ctx log = { .log = h->conf.log, .sub = LOG_NET, .doing = "accept" };
    h->totals.refused++;
    LOG_INFO(&log, "refused", F_STR("why", "too many connections from this address"));
    return false;
}

void http_add(struct http *h, int fd, const struct sockaddr *from, struct http_bridge *bridge)
{
    struct sockaddr_storage addr = { 0 };
    socklen_t len = from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    memcpy(&addr, from, len);
    h->arriving = bridge;
    MHD_add_connection(h->mhd, fd, (const struct sockaddr *)&addr, len); /* closes it where it has no room */
    h->arriving = NULL;
    http_soon(h);
}

static void on_socket(void *ctx, int fd, const struct sockaddr *from)
{
    const struct http_listening *l = ctx;
    bool known = from->sa_family == AF_INET || from->sa_family == AF_INET6;
    if (known && http_admit(l->http, from))
        http_add(l->http, fd, from, NULL);
    else
        close(fd);
}

/* --- opening --- */

enum rc http_new(const struct http_conf *conf, struct http **out, struct why *why)
{
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG;
    struct http *h = mem_new(sizeof *h);
    h->conf = *conf;
    h->turn.fn = on_turn;
    list_init(&h->requests);
    list_init(&h->conns);
    list_init(&h->bridges);
    h->addresses = addr_table_new();
    *out = h;
    h->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, request_on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, h,
        MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
        MHD_OPTION_URI_LOG_CALLBACK, request_on_target, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)h->conf.connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STALL_S,
        /* the header, what the library notes of it, and the piece of the body that is looked at */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * h->conf.header_bytes, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = h->mhd ? MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        why_set(why, "libmicrohttpd does not start");
        return RC_IO;
    }
    return watch_new(h->conf.loop, info->epoll_fd, on_events, h, &h->watch, why);
}

enum rc http_listen(struct http *h, const char *address, uint16_t port, bool tls, struct why *why)
{
    if (h->n_listening == HTTP_LISTENERS_MAX) {
        why_set(why, "more than %d listeners", HTTP_LISTENERS_MAX);
        return RC_LIMIT;
    }
    struct http_listening *l = &h->listening[h->n_listening];
    const struct listen_conf conf = {
        .address = address,
        .port = port,
        .proxy_from = h->conf.proxy_from,
        .proxy_ms = h->conf.proxy_ms,
        .on_accept = tls ? bridge_on_accept : NULL,
        .on_socket = tls ? NULL : on_socket,
        .ctx = l,
    };
    l->http = h;
    enum rc rc = listen_open(h->conf.loop, &conf, NULL, &l->listener, why);
    if (rc == RC_OK)
        h->n_listening++;
    return rc;
}

void http_limits(struct http *h, uint32_t per_address, uint32_t request_ms)
{
    h->conf.per_address = per_address;
    h->conf.request_ms = request_ms;
}

/* --- closing --- */

static void close_now(struct http *h)
{
    if (h->closed)
        return;
    h->closed = true;
    bridge_close_all(h);
    loop_turn_drop(h->conf.loop, &h->turn);
    loop_turn_drop(h->conf.loop, &h->last_turn);
    timer_stop(&h->linger);
    timer_stop(&h->timer);
    watch_free(&h->watch);
    if (h->mhd)
        MHD_stop_daemon(h->mhd);
    h->mhd = NULL;
    if (h->closing)
        loop_release(h->conf.loop);
}

static void on_linger(struct timer *t);

static void linger(struct http *h)
{
    enum { STEP_MS = 20 };
    LIST_EACH(&h->requests, it) {
        struct http_request *r = CONTAINER(it, struct http_request, link);
        if (r->state == REQUEST_HELD)
            http_answer_text(r, 503, "the server stops");
        else if (r->state == REQUEST_STALLED)
            http_more(r);
    }
    run(h);
    LIST_EACH(&h->conns, it) {
        struct http_link *l = CONTAINER(it, struct http_link, link);
        shutdown(l->fd, SHUT_RD); /* no more requests; what is being sent is sent */
    }
    run(h);
    bool over = h->n_conns == 0 && list_empty(&h->bridges);
    if (over || loop_now_ms(h->conf.loop) >= h->linger_until_ms)
        close_now(h);
    else
        loop_timer(h->conf.loop, &h->linger, STEP_MS, on_linger);
}

static void on_linger(struct timer *t)
{
    linger(CONTAINER(t, struct http, linger));
}

static void on_closing(struct turn *t)
{
    linger(CONTAINER(t, struct http, last_turn));
}

void http_close(struct http *h, uint32_t linger_ms)
{
    if (h->closing)
        return;
    h->closing = true;
    loop_hold(h->conf.loop);
    for (size_t i = 0; i < h->n_listening; i++)
        listen_close(&h->listening[i].listener);
    h->linger_until_ms = loop_now_ms(h->conf.loop) + linger_ms;
    h->last_turn.fn = on_closing; /* whoever has asked for a turn before answers first (bosh.c) */
    loop_at_turn_end(h->conf.loop, &h->last_turn);
}

void http_free(struct http **hp)
{
    struct http *h = *hp;
    if (!h)
        return;
    close_now(h);
    addr_table_free(&h->addresses);
    MEM_FREE(hp);
}

size_t http_connections(const struct http *h)
{
    return h->n_conns;
}

const struct http_totals *http_totals(const struct http *h)
{
    return &h->totals;
}

void http_tick(struct http *h)
{
    addr_sweep(h->addresses, loop_now_ms(h->conf.loop));
}

void *http_ctx(const struct http *h)
{
    return h->conf.ctx;
}
