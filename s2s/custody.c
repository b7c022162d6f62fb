/* s2s/custody.c */
#include "s2s/custody.h"

#include "common/base/map.h"
#include "common/base/mem.h"

enum { HELD = 1, FINISHED = 2 };

struct custody {
    struct idmap *ids; /* id → HELD or FINISHED, as a pointer into `states` */
    size_t held;
    uint64_t *finished; /* ring of CUSTODY_FINISHED_MAX, grown by need */
    size_t at, n, cap;
    uint64_t *tell; /* to be told */
    size_t n_tell, cap_tell;
    char states[3];
};

void custody_free(struct custody **cp)
{
    struct custody *c = *cp;
    if (!c)
        return;
    idmap_free(&c->ids);
    mem_free(c->finished);
    mem_free(c->tell);
    MEM_FREE(cp);
}

static void to_tell(struct custody *c, uint64_t id)
{
    if (c->n_tell == c->cap_tell) {
        c->cap_tell = c->cap_tell ? c->cap_tell * 2 : 64;
        c->tell = mem_resize(c->tell, c->cap_tell * sizeof *c->tell);
    }
    c->tell[c->n_tell++] = id;
}

enum custody_verdict custody_take(struct custody **cp, uint64_t id)
{
    if (!*cp) {
        *cp = mem_new(sizeof **cp);
        (*cp)->ids = idmap_new();
    }
    struct custody *c = *cp;
    const char *state = idmap_get(c->ids, id);
    if (!state) {
        idmap_put(c->ids, id, &c->states[HELD]);
        c->held++;
        return CUSTODY_NEW;
    }
    if (state == &c->states[HELD])
        return CUSTODY_HELD;
    to_tell(c, id);
    return CUSTODY_FINISHED;
}

/* Makes room for one more in the ring: it grows up to its size, then forgets the oldest. */
static void ring_room(struct custody *c)
{
    if (c->n < c->cap)
        return;
    if (c->cap == CUSTODY_FINISHED_MAX) {
        idmap_remove(c->ids, c->finished[c->at]);
        c->at = (c->at + 1) % c->cap;
        c->n--;
        return;
    }
    c->cap = c->cap ? c->cap * 4 : 256; /* it has never wrapped so far */
    c->finished = mem_resize(c->finished, c->cap * sizeof *c->finished);
}

void custody_finish(struct custody *c, uint64_t id)
{
    if (!c || idmap_get(c->ids, id) != &c->states[HELD])
        return;
    ring_room(c);
    c->finished[(c->at + c->n++) % c->cap] = id;
    idmap_put(c->ids, id, &c->states[FINISHED]);
    c->held--;
    to_tell(c, id);
}

size_t custody_held(const struct custody *c)
{
    return c ? c->held : 0;
}

size_t custody_tell(struct custody *c, struct control_mark *out, size_t max)
{
    size_t n = !c ? 0 : c->n_tell < max ? c->n_tell : max;
    if (!n)
        return 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct control_mark){ 0, c->tell[i] };
    c->n_tell -= n;
    if (c->n_tell)
        memmove(c->tell, c->tell + n, c->n_tell * sizeof *c->tell);
    else if (c->cap_tell > 4096) {
        MEM_FREE(&c->tell);
        c->cap_tell = 0;
    }
    return n;
}
