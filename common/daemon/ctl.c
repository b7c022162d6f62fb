/* common/daemon/ctl.c - the server side; asking is in ctlask.c */
#include "common/daemon/ctl.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/net/listen.h"

enum {
    REQUEST_MAX = 16384,
    ANSWER_MAX = 64 * 1024 * 1024,
    REQUEST_MS = 10000,
    LINGER_MS = 2000,
    ASKERS_MAX = 32
};

struct ctl {
    struct loop *loop;
    struct listener *listener;
    const struct ctl_command *commands;
    void *ctx;
    struct link askers; /* struct asker */
    unsigned count;
};

/* One connection, one request. */
struct asker {
    struct link in_ctl;
    struct ctl *ctl; /* NULL: answered */
    struct conn *conn;
    struct buf request;
    struct timer timer;
};

static void help(const struct ctl *ctl, struct buf *out)
{
    for (const struct ctl_command *c = ctl->commands; c->name; c++) {
        buf_cstr(out, c->help);
        buf_byte(out, '\n');
    }
}

static enum rc run(const struct ctl *ctl, struct slice line, struct buf *out, struct why *why)
{
    struct slice name;
    line = slice_trim(line);
    if (!slice_split(&line, ' ', &name)) {
        why_set(why, "empty request; try help");
        return RC_SYNTAX;
    }
    if (slice_is(name, "help")) {
        help(ctl, out);
        return RC_OK;
    }
    for (const struct ctl_command *c = ctl->commands; c->name; c++)
        if (slice_is(name, c->name))
            return c->run(ctl->ctx, slice_trim(line), out, why);
    why_set(why, "no such command: " SLICE_FMT "; try help", SLICE_ARG(slice_to(name, 64)));
    return RC_NOTFOUND;
}

static void answer(struct asker *a, struct slice line)
{
    struct buf body = BUF_INIT(ANSWER_MAX);
    struct why why = { "" };
    struct conn *c = a->conn;
    timer_stop(&a->timer);
    enum rc rc = run(a->ctl, line, &body, &why);
    if (rc == RC_OK && body.over) {
        rc = RC_LIMIT;
        why_set(&why, "the answer is too large");
    }
    struct buf *out = conn_out(c);
    if (rc == RC_OK) {
        BUF_LIT(out, "ok\n");
        buf_slice(out, buf_get(&body));
    } else {
        buf_fmt(out, "error %s\n", why.text[0] ? why.text : rc_name(rc));
    }
    conn_wrote(c);
    buf_fini(&body);
    conn_finish(c, LINGER_MS);
}

static void on_input(void *owner, struct slice bytes)
{
    struct asker *a = owner;
    buf_slice(&a->request, bytes);
    struct slice all = buf_get(&a->request);
    ptrdiff_t end = slice_find(all, '\n');
    if (end >= 0)
        answer(a, slice_to(all, (size_t)end));
    else if (a->request.over)
        conn_close(a->conn, CONN_OVERFLOW);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct asker *a = owner;
    (void)cause;
    (void)why;
    list_unlink(&a->in_ctl);
    if (a->ctl)
        a->ctl->count--;
    timer_stop(&a->timer);
    buf_fini(&a->request);
    mem_free(a);
}

static const struct conn_ops ops = { .on_input = on_input, .on_closed = on_closed };
static const struct conn_conf conf = { .ops = &ops };

static void on_late(struct timer *t)
{
    conn_close(CONTAINER(t, struct asker, timer)->conn, CONN_TIMEOUT);
}

static void on_accept(void *ctx, struct conn *c)
{
    struct ctl *ctl = ctx;
    if (ctl->count >= ASKERS_MAX) {
        conn_close(c, CONN_BY_OWNER);
        return;
    }
    struct asker *a = mem_new(sizeof *a);
    a->ctl = ctl;
    a->conn = c;
    a->request = BUF_INIT(REQUEST_MAX);
    list_append(&ctl->askers, &a->in_ctl);
    ctl->count++;
    loop_timer(ctl->loop, &a->timer, REQUEST_MS, on_late);
    conn_owner_set(c, &conf, a);
}

enum rc ctl_open(struct loop *loop, const char *path, const struct ctl_command *commands, void *ctx,
                 struct ctl **out, struct why *why)
{
    struct ctl *ctl = mem_new(sizeof *ctl);
    struct listen_conf listen = { .address = path, .mode = 0600, .on_accept = on_accept, .ctx = ctl };
    enum rc rc = listen_open(loop, &listen, &conf, &ctl->listener, why);
    if (rc != RC_OK) {
        mem_free(ctl);
        return rc;
    }
    ctl->loop = loop;
    ctl->commands = commands;
    ctl->ctx = ctx;
    list_init(&ctl->askers);
    *out = ctl;
    return RC_OK;
}

void ctl_close(struct ctl **at)
{
    struct ctl *ctl = *at;
    if (!ctl)
        return;
    listen_close(&ctl->listener);
    LIST_EACH(&ctl->askers, it) { /* who asked for the stop still gets its answer */
        struct asker *a = CONTAINER(it, struct asker, in_ctl);
        list_unlink(it);
        a->ctl = NULL;
        conn_finish(a->conn, LINGER_MS);
    }
    MEM_FREE(at);
}
