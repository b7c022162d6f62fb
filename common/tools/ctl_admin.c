/* common/tools/ctl_admin.c */
#include "common/tools/admin.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/daemon/conf.h"
#include "common/daemon/daemon.h"
#include "common/link/component.h"
#include "common/link/dial.h"
#include "common/tools/ctl_tls.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/stanza.h"
#include "common/xmpp/stream.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 30000, STANZA_MOST = 16 * 1024 * 1024 };

struct admin_conf {
    char *address, *name, *secret, *ca_file;
};
static const struct option options[] = {
    OPTION_STRING("router", "address", struct admin_conf, address, "unix:run/router.sock", RESTART),
    OPTION_STRING("router", "name", struct admin_conf, name, "admin", RESTART),
    OPTION_STRING("router", "secret", struct admin_conf, secret, "", RESTART),
    OPTION_STRING("router", "ca_file", struct admin_conf, ca_file, "", RESTART),
};
static const struct conf_table table = { .options = options,
                                         .n = sizeof options / sizeof options[0],
                                         .size = sizeof(struct admin_conf) };
static const struct xmlin_limits limits = { STANZA_MOST, 64, 1000000, 64 };

struct admin {
    struct tool *tool;
    struct admin_conf conf;
    struct dial_address to;
    const char *content_ns; /* of the stream: XEP-0114's, or XEP-0225's over TLS */
    int fd;
    struct ctl_tls *tls; /* NULL: none */
    struct arena_pool *arenas;
    struct xmlin_pool *pool;
    struct xmlin xml;
    struct component_login login;
    enum component_do next; /* what the login wants when the bytes are used up */
    bool logged_in, failed;
    struct buf out;
    struct why why;
    char id[16]; /* of the iq that is answered next */
    unsigned asked;
    struct node *answer; /* in the tool's arena; NULL: not yet */
};

/* --- the connection --- */

static enum rc dial_unix(const char *path, int *fd, struct why *why)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    if (slice_to_cstr(slice_cstr(path), sa.sun_path, sizeof sa.sun_path) != RC_OK) {
        why_set(why, "%s: the path is too long for a socket", path);
        return RC_LIMIT;
    }
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && connect(*fd, (const struct sockaddr *)&sa, sizeof sa) == 0)
        return RC_OK;
    why_set(why, "%s: %s", path, strerror(errno));
    return RC_CLOSED;
}

static enum rc dial_tcp(const struct dial_address *to, int *fd, struct why *why)
{
    char port[8];
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    snprintf(port, sizeof port, "%u", (unsigned)to->port);
    int err = getaddrinfo(to->host, port, &hints, &list);
    for (const struct addrinfo *ai = list; ai && *fd < 0; ai = ai->ai_next) {
        *fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (*fd >= 0 && connect(*fd, ai->ai_addr, ai->ai_addrlen) != 0) {
            close(*fd);
            *fd = -1;
        }
    }
    if (list)
        freeaddrinfo(list);
    if (*fd >= 0)
        return RC_OK;
    why_set(why, "%s port %s: %s", to->host, port, err ? gai_strerror(err) : "cannot be reached");
    return RC_CLOSED;
}

static enum rc dial(struct admin *ad, struct why *why)
{
    struct why detail;
    if (dial_parse(ad->conf.address, &ad->to, &detail) != RC_OK) {
        why_set(why, "bulkheadctl.conf: [router] address: %s", detail.text);
        return RC_SYNTAX;
    }
    if (ad->to.kind != DIAL_UNIX)
        return dial_tcp(&ad->to, &ad->fd, why);
    char *path = daemon_path(ad->tool->dir, ad->to.path);
    enum rc rc = dial_unix(path, &ad->fd, why);
    mem_free(path);
    return rc;
}

static enum rc send_all(struct admin *ad, struct why *why)
{
    size_t at = 0;
    while (at < ad->out.len) {
        const char *from = ad->out.p + at;
        ssize_t n = ad->tls ? ctl_tls_send(ad->tls, from, ad->out.len - at)
                            : send(ad->fd, from, ad->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            why_set(why, "router: %s", strerror(errno));
            return RC_CLOSED;
        }
        at += (size_t)n;
    }
    buf_reset(&ad->out);
    return RC_OK;
}

/* Notes what is next; what concerns the whole connection waits until these bytes are used up. */
static bool login_step(struct admin *ad, enum component_do next)
{
    if (next == COMPONENT_DERIVE)
        next = component_login_derive(&ad->login, &ad->out, &ad->why);
    ad->next = next;
    ad->logged_in = next == COMPONENT_READY;
    return next == COMPONENT_WAIT || next == COMPONENT_READY;
}

static enum rc start_tls(struct admin *ad, struct why *why)
{
    char *ca = ad->conf.ca_file ? daemon_path(ad->tool->dir, ad->conf.ca_file) : NULL;
    enum rc rc = ctl_tls_open(ad->tool->arena, ad->fd, ad->to.host, ca, &ad->tls, &ad->login.cb, why);
    mem_free(ca);
    ad->login.secure = rc == RC_OK;
    ad->login.trusts_cert = ad->conf.ca_file != NULL;
    return rc;
}

static enum rc follow(struct admin *ad, struct why *why)
{
    enum component_do next = ad->next;
    ad->next = COMPONENT_WAIT;
    if (next == COMPONENT_FAILED) {
        why_set(why, "router: %s", ad->why.text);
        return RC_DENIED;
    }
    if (next != COMPONENT_START_TLS && next != COMPONENT_RESTART)
        return RC_OK;
    enum rc rc = next == COMPONENT_START_TLS ? start_tls(ad, why) : RC_OK;
    xmlin_reset(&ad->xml);
    component_login_open(&ad->login, &ad->out);
    return rc;
}

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct admin *ad = owner;
    (void)a;
    return login_step(ad, component_login_header(&ad->login, header, &ad->out, &ad->why));
}

static bool on_stanza(void *owner, struct arena *a, struct node *n)
{
    struct admin *ad = owner;
    (void)a;
    if (!ad->logged_in)
        return login_step(ad, component_login_element(&ad->login, n, &ad->out, &ad->why));
    if (node_is(n, "iq", NULL) && slice_is(node_attr(n, "id"), ad->id) &&
        (slice_is(node_attr(n, "type"), "result") || slice_is(node_attr(n, "type"), "error")))
        ad->answer = node_copy(ad->tool->arena, n);
    return true;
}

static void on_close(void *owner)
{
    struct admin *ad = owner;
    why_set(&ad->why, "the router has closed the connection");
    ad->failed = true;
}

static const struct xmlin_events events = { on_header, on_stanza, on_close };

/* Reads once, waiting until a time at most; *n 0: there was nothing after all. */
static enum rc read_some(struct admin *ad, char *bytes, size_t size, uint64_t until, size_t *n,
                         struct why *why)
{
    uint64_t now = clock_mono_ms();
    struct pollfd p = { .fd = ad->fd, .events = POLLIN };
    *n = 0;
    if (!(ad->tls && ctl_tls_pending(ad->tls)) && (now >= until || poll(&p, 1, (int)(until - now)) == 0)) {
        why_set(why, "no answer in %d s", ANSWER_MS / 1000);
        return RC_TIMEOUT;
    }
    ssize_t got = ad->tls ? ctl_tls_recv(ad->tls, bytes, size) : recv(ad->fd, bytes, size, 0);
    if (got < 0 && errno == EINTR)
        return RC_OK;
    if (got <= 0) {
        why_set(why, "the router has closed the connection");
        return RC_CLOSED;
    }
    *n = (size_t)got;
    return RC_OK;
}

/* Reads and answers until done() or for ANSWER_MS. */
static enum rc talk(struct admin *ad, bool (*done)(const struct admin *ad), struct why *why)
{
    char bytes[65536];
    size_t n;
    uint64_t until = clock_mono_ms() + ANSWER_MS;
    for (;;) {
        enum rc rc = send_all(ad, why);
        if (rc != RC_OK || done(ad))
            return rc;
        rc = read_some(ad, bytes, sizeof bytes, until, &n, why);
        if (rc != RC_OK)
            return rc;
        rc = xmlin_feed(&ad->xml, slice_of(bytes, n), &events, ad, &ad->why);
        if (rc != RC_OK || ad->failed) {
            why_set(why, "router: %s", ad->why.text);
            return rc != RC_OK ? rc : RC_DENIED;
        }
        rc = follow(ad, why);
        if (rc != RC_OK)
            return rc;
    }
}

static bool is_logged_in(const struct admin *ad)
{
    return ad->logged_in;
}

static bool is_answered(const struct admin *ad)
{
    return ad->answer != NULL;
}

static enum rc log_in(struct admin *ad, struct why *why)
{
    component_login_init(&ad->login);
    ad->login.level = ad->to.kind == DIAL_TLS ? COMPONENT_0225 : COMPONENT_0114;
    ad->login.tls = ad->to.kind == DIAL_TLS ? COMPONENT_TLS_REQUIRED : COMPONENT_TLS_NEVER;
    ad->content_ns = ad->to.kind == DIAL_TLS ? NS_CLIENT : NS_COMPONENT_ACCEPT;
    ad->pool = xmlin_pool_new(ad->content_ns, ad->arenas);
    xmlin_init(&ad->xml, ad->pool, &limits);
    ad->login.name = slice_cstr(ad->conf.name);
    ad->login.secret = slice_cstr(ad->conf.secret);
    component_login_open(&ad->login, &ad->out);
    return talk(ad, is_logged_in, why);
}

enum rc admin_open(struct tool *t, struct admin **out, struct why *why)
{
    struct admin *ad = mem_new(sizeof *ad);
    const char *path = tool_path(t, "bulkheadctl.conf");
    ad->tool = t;
    ad->fd = -1;
    ad->arenas = arena_pool_new(16384, 0, 2);
    enum rc rc = RC_NOTFOUND;
    if (access(path, F_OK) != 0)
        why_set(why, "%s: %s", path, strerror(errno));
    else
        rc = conf_read(&table, path, true, &ad->conf, why);
    if (rc == RC_OK)
        rc = dial(ad, why);
    if (rc == RC_OK)
        rc = log_in(ad, why);
    if (rc != RC_OK)
        admin_close(&ad);
    else
        *out = ad;
    return rc;
}

void admin_close(struct admin **at)
{
    struct admin *ad = *at;
    if (!ad)
        return;
    if (ad->logged_in) {
        struct why why;
        BUF_LIT(&ad->out, STREAM_END);
        if (send_all(ad, &why) != RC_OK)
            buf_reset(&ad->out); /* it closes anyhow */
    }
    component_login_fini(&ad->login);
    ctl_tls_close(&ad->tls);
    if (ad->fd >= 0)
        close(ad->fd);
    if (ad->pool)
        xmlin_fini(&ad->xml);
    xmlin_pool_free(&ad->pool);
    arena_pool_free(&ad->arenas);
    buf_fini(&ad->out);
    if (ad->conf.secret)
        secret_wipe(ad->conf.secret, strlen(ad->conf.secret));
    conf_clear(&table, &ad->conf);
    MEM_FREE(at);
}

/* --- a command --- */

struct node *admin_form(struct tool *t)
{
    return form_new(t->arena, NULL, FORM_SUBMIT, NS_ADMIN);
}

/* What the error says, and as which of ours it counts. */
static enum rc refusal(struct admin *ad, struct slice domain, struct why *why)
{
    const struct node *error = node_find(ad->answer, "error", NULL);
    const struct node *cond = node_find(error, NULL, NS_STANZA_ERROR);
    struct slice text = node_child_text(ad->tool->arena, error, "text", NS_STANZA_ERROR);
    if (cond && slice_is(cond->name, "text"))
        cond = node_find_next(cond, NULL, NS_STANZA_ERROR);
    struct slice name = cond ? cond->name : SLICE("error");
    if (slice_is(name, "remote-server-not-found")) {
        why_set(why, "no session manager serves " SLICE_FMT, SLICE_ARG(domain));
        return RC_NOTFOUND;
    }
    why_set(why, SLICE_FMT, SLICE_ARG(text.len ? text : name));
    return slice_is(name, "item-not-found") ? RC_NOTFOUND : RC_DENIED;
}

enum rc admin_run(struct admin *ad, struct slice domain, const char *command, struct node *form,
                  struct node **out, struct why *why)
{
    struct arena *a = ad->tool->arena;
    struct node *iq = node_new(a, "iq", ad->content_ns);
    snprintf(ad->id, sizeof ad->id, "c%u", ++ad->asked);
    node_set(a, iq, "type", SLICE("set"));
    node_set(a, iq, "id", slice_cstr(ad->id));
    node_set(a, iq, "from", slice_cstr(ad->conf.name));
    node_set(a, iq, "to", domain);
    struct node *c = node_add(a, iq, "command", NS_COMMANDS);
    node_set(a, c, "node", slice_cstr(command));
    if (form)
        node_append(c, form);
    ad->answer = NULL;
    xmlout_node(&ad->out, iq, ad->content_ns);
    enum rc rc = talk(ad, is_answered, why);
    if (rc != RC_OK)
        return rc;
    if (slice_is(node_attr(ad->answer, "type"), "error"))
        return refusal(ad, domain, why);
    *out = form_of(node_find(ad->answer, "command", NS_COMMANDS));
    return RC_OK;
}
