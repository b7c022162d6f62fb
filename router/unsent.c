/* router/unsent.c */
#include "router/unsent.h"

#include "common/base/mem.h"

struct item {
    struct link link;
    size_t len;
    bool refused, keep, lost;
    char bytes[]; /* none where keep is false */
};

void unsent_init(struct unsent *u)
{
    list_init(&u->items);
    u->bytes = 0;
}

static void drop(struct unsent *u, struct item *i)
{
    u->bytes -= i->len;
    list_unlink(&i->link);
    mem_free(i);
}

void unsent_fini(struct unsent *u)
{
    LIST_EACH(&u->items, at) {
        drop(u, CONTAINER(at, struct item, link));
    }
}

static void add(struct unsent *u, struct slice stanza, bool refused, bool keep)
{
    struct item *i = mem_new(sizeof *i + (keep ? stanza.len : 0));
    i->len = stanza.len;
    i->refused = refused;
    i->keep = keep;
    if (keep)
        memcpy(i->bytes, stanza.p, stanza.len);
    u->bytes += i->len;
    list_append(&u->items, &i->link);
}

void unsent_wrote(struct unsent *u, const struct slice *stanzas, size_t n, size_t waiting, bool refused,
                  bool keep)
{
    if (!waiting && !refused) {
        unsent_fini(u);
        return;
    }
    for (size_t i = 0; i < n; i++)
        add(u, stanzas[i], refused, keep);
    while (!refused && !list_empty(&u->items)) {
        struct item *oldest = CONTAINER(u->items.next, struct item, link);
        if (u->bytes - oldest->len < waiting)
            break; /* some of it waits */
        drop(u, oldest);
    }
}

void unsent_left(struct unsent *u, size_t left, void (*each)(void *ctx, struct slice stanza), void *ctx)
{
    size_t behind = 0;
    for (struct link *at = u->items.prev; at != &u->items; at = at->prev) {
        struct item *i = CONTAINER(at, struct item, link);
        i->lost = i->refused || behind < left;
        behind += i->refused ? 0 : i->len;
    }
    LIST_EACH(&u->items, at) {
        struct item *i = CONTAINER(at, struct item, link);
        if (i->lost && i->keep)
            each(ctx, slice_of(i->bytes, i->len));
        drop(u, i);
    }
}
