/* s2s/custody.c
 *
 * Ids grow by one, and what left is nearly all that there was: it is kept as runs, mostly a single one. */
#include "s2s/custody.h"

#include "common/base/map.h"
#include "common/base/mem.h"

enum { TELL_KEEP = 1024 };

struct run {
    uint64_t first, last;
};
struct custody {
    struct idmap *held;
    struct run *finished; /* in order, with a gap between any two */
    size_t n_finished, cap_finished;
    struct control_run *tell; /* to be told */
    size_t n_tell, cap_tell;
};

void custody_free(struct custody **cp)
{
    struct custody *c = *cp;
    if (!c)
        return;
    idmap_free(&c->held);
    mem_free(c->finished);
    mem_free(c->tell);
    MEM_FREE(cp);
}

static void to_tell(struct custody *c, uint64_t id)
{
    struct control_run *last = c->n_tell ? &c->tell[c->n_tell - 1] : NULL;
    if (last && last->first + last->n == id && last->n < CONTROL_SENT_RUN) {
        last->n++;
        return;
    }
    if (!c->tell || c->n_tell == c->cap_tell) {
        c->cap_tell = c->cap_tell ? c->cap_tell * 2 : 16;
        c->tell = mem_resize(c->tell, c->cap_tell * sizeof *c->tell);
    }
    c->tell[c->n_tell++] = (struct control_run){ id, 1 };
}

/* How many runs begin at or before id: it can only be in the last of these. */
static size_t runs_upto(const struct custody *c, uint64_t id)
{
    size_t low = 0, high = c->n_finished;
    if (high && c->finished[high - 1].first <= id)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->finished[middle].first <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void runs_cut(struct custody *c, size_t at)
{
    memmove(c->finished + at, c->finished + at + 1, (--c->n_finished - at) * sizeof *c->finished);
}

static void runs_add(struct custody *c, uint64_t id)
{
    size_t at = runs_upto(c, id);
    struct run *before = at ? &c->finished[at - 1] : NULL;
    struct run *after = at < c->n_finished ? &c->finished[at] : NULL;
    bool joins = before && before->last + 1 == id, joined = after && id + 1 == after->first;
    if (joins && joined) {
        before->last = after->last;
        runs_cut(c, at);
    } else if (joins) {
        before->last = id;
    } else if (joined) {
        after->first = id;
    } else {
        if (c->n_finished == CUSTODY_RUNS_MAX) { /* the oldest is forgotten */
            runs_cut(c, 0);
            at -= at > 0;
        }
        if (c->n_finished == c->cap_finished) {
            c->cap_finished = c->cap_finished ? c->cap_finished * 2 : 4;
            c->finished = mem_resize(c->finished, c->cap_finished * sizeof *c->finished);
        }
        memmove(c->finished + at + 1, c->finished + at, (c->n_finished++ - at) * sizeof *c->finished);
        c->finished[at] = (struct run){ id, id };
    }
}

enum custody_verdict custody_take(struct custody **cp, uint64_t id)
{
    if (!*cp) {
        *cp = mem_new(sizeof **cp);
        (*cp)->held = idmap_new();
    }
    struct custody *c = *cp;
    size_t at = runs_upto(c, id);
    if (at && id <= c->finished[at - 1].last) {
        to_tell(c, id);
        return CUSTODY_FINISHED;
    }
    return idmap_put(c->held, id, c) ? CUSTODY_HELD : CUSTODY_NEW;
}

void custody_finish(struct custody *c, uint64_t id)
{
    if (!c || !idmap_remove(c->held, id))
        return;
    runs_add(c, id);
    to_tell(c, id);
}

size_t custody_held(const struct custody *c)
{
    return c ? idmap_count(c->held) : 0;
}

size_t custody_tell(struct custody *c, struct control_run *out, size_t max)
{
    size_t n = !c ? 0 : c->n_tell < max ? c->n_tell : max;
    if (!n)
        return 0;
    memcpy(out, c->tell, n * sizeof *out);
    c->n_tell -= n;
    if (c->n_tell)
        memmove(c->tell, c->tell + n, c->n_tell * sizeof *c->tell);
    else if (c->cap_tell > TELL_KEEP) {
        MEM_FREE(&c->tell);
        c->cap_tell = 0;
    }
    return n;
}
