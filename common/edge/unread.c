#include "common/edge/unread.h"

#include "common/edge/client.h"
#include "common/base/mem.h"

struct unread {
    struct link link;  /* in clients.unread */
    struct link fresh; /* in clients.unread_fresh: something was added in this turn */
    struct client *client;
    uint64_t node, session;
    uint32_t head, n, cap;
    uint32_t n_fresh; /* of n: the last ones, of this turn */
    struct stanza_end {
        uint32_t end; /* written behind it, as the transport counts */
        uint64_t mark;
    } * list; /* list[head .. head + n) */
};

static void unread_free(struct unread *u)
{
    list_unlink(&u->link);
    list_unlink(&u->fresh);
    u->client->unread = NULL;
    mem_free(u->list);
    mem_free(u);
}

/* n of them from the i-th on, for <m/>. The caller frees it. */
static struct control_mark *marks_of(const struct unread *u, uint32_t i, uint32_t n)
{
    struct control_mark *marks = mem_array(n + 1, sizeof *marks);
    for (uint32_t k = 0; k < n; k++)
        marks[k] = (struct control_mark){ u->session, u->list[u->head + i + k].mark, 0 };
    return marks;
}

static void forget_taken(struct unread *u)
{
    uint32_t taken = u->client->via->taken(u->client), n = 0, told = u->n - u->n_fresh;
    while (n < u->n && (int32_t)(u->list[u->head + n].end - taken) <= 0)
        n++;
    if (n && told) {
        uint32_t read = n < told ? n : told;
        struct control_mark *marks = marks_of(u, 0, read);
        edge_read(u->client->d->edge, u->node, marks, read);
        mem_free(marks);
    }
    if (n > told)
        u->n_fresh -= n - told;
    u->n -= n;
    u->head = u->n ? u->head + n : 0;
}

static struct unread *unread_new(struct client *c)
{
    struct unread *u = mem_new(sizeof *u);
    u->client = c;
    u->node = c->session.node->id;
    u->session = c->session.id;
    list_append(&c->d->unread, &u->link);
    c->unread = u;
    return u;
}

void unread_add(struct client *c, uint64_t mark)
{
    struct unread *u = c->unread ? c->unread : unread_new(c);
    if (u->head + u->n == u->cap) {
        forget_taken(u);
        if (u->head) {
            memmove(u->list, u->list + u->head, u->n * sizeof *u->list);
            u->head = 0;
        }
    }
    if (u->n == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 4;
        u->list = mem_resize(u->list, u->cap * sizeof *u->list);
    }
    u->list[u->head + u->n++] = (struct stanza_end){ c->via->written(c), mark };
    u->n_fresh++;
    if (!link_in_list(&u->fresh))
        list_append(&c->d->unread_fresh, &u->fresh);
}

void unread_flushed(void *owner)
{
    struct clients *d = owner;
    LIST_EACH(&d->unread_fresh, it) {
        struct unread *u = CONTAINER(it, struct unread, fresh);
        list_unlink(it);
        forget_taken(u);
        uint32_t n = u->n_fresh;
        u->n_fresh = 0;
        if (!n)
            continue;
        struct control_mark *marks = marks_of(u, u->n - n, n);
        edge_unread(d->edge, u->node, marks, n);
        mem_free(marks);
    }
}

void unread_return(struct client *c)
{
    struct unread *u = c->unread;
    if (!u)
        return;
    forget_taken(u);
    struct control_mark *marks = marks_of(u, 0, u->n);
    if (u->n) {
        struct client_log log;
        LOG_INFO(client_log(c, &log, LOG_XMPP, "closed"), "unread_returned", F_UINT("stanzas", u->n));
        edge_undelivered(c->d->edge, u->node, marks, u->n);
    }
    mem_free(marks);
    unread_free(u);
}

void unread_tick(struct clients *d)
{
    LIST_EACH(&d->unread, it) {
        struct unread *u = CONTAINER(it, struct unread, link);
        forget_taken(u);
        if (!u->n)
            unread_free(u);
    }
}

void unread_each(void *owner, uint64_t node, void (*take)(void *ctx, struct control_mark mark), void *ctx)
{
    struct clients *d = owner;
    LIST_EACH(&d->unread, it) {
        const struct unread *u = CONTAINER(it, struct unread, link);
        for (uint32_t i = 0; u->node == node && i < u->n - u->n_fresh; i++)
            take(ctx, (struct control_mark){ u->session, u->list[u->head + i].mark, 0 });
    }
}
