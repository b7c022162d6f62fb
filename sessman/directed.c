#include "sessman/directed.h"

#include "common/base/mem.h"

void directed_free(struct directed **dp)
{
    if (!*dp)
        return;
    for (size_t i = 0; i < (*dp)->n; i++)
        mem_free((*dp)->jids[i]);
    mem_free((*dp)->jids);
    MEM_FREE(dp);
}

static ptrdiff_t find(const struct directed *d, struct slice jid)
{
    for (size_t i = 0; d && i < d->n; i++)
        if (slice_is(jid, d->jids[i]))
            return (ptrdiff_t)i;
    return -1;
}

bool directed_note(struct directed **dp, struct slice jid, bool available, size_t max, bool *changed)
{
    struct directed *d = *dp;
    ptrdiff_t at = find(d, jid);
    *changed = available == (at < 0);
    if (!*changed)
        return true;
    if (!available) {
        mem_free(d->jids[at]);
        d->jids[at] = d->jids[--d->n];
        return true;
    }
    *changed = !d || d->n < max;
    if (!*changed)
        return false;
    if (!d)
        d = *dp = mem_new(sizeof *d);
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 4;
        d->jids = mem_resize(d->jids, d->cap * sizeof *d->jids);
    }
    d->jids[d->n++] = mem_copy(jid);
    return true;
}
