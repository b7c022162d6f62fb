#include "common/edge/marks.h"

#include "common/base/mem.h"

struct entry {
    uint64_t seq;
    struct control_mark mark;
};
struct marks {
    size_t head, n, cap; /* ring */
    struct entry *ring;
};

static struct entry *at(const struct marks *m, size_t i)
{
    return &m->ring[(m->head + i) % m->cap];
}

void marks_free(struct marks **mp)
{
    if (!*mp)
        return;
    mem_free((*mp)->ring);
    MEM_FREE(mp);
}

static void grow(struct marks *m)
{
    size_t cap = m->cap ? m->cap * 2 : 64;
    struct entry *ring = mem_array(cap, sizeof *ring);
    for (size_t i = 0; i < m->n; i++)
        ring[i] = *at(m, i);
    mem_free(m->ring);
    m->ring = ring;
    m->cap = cap;
    m->head = 0;
}

static void drop_first(struct marks *m)
{
    m->head = (m->head + 1) % m->cap;
    m->n--;
}

void marks_add(struct marks **mp, uint64_t seq, struct control_mark mark)
{
    if (!*mp)
        *mp = mem_new(sizeof **mp);
    struct marks *m = *mp;
    if (m->n == MARKS_MAX)
        drop_first(m);
    if (m->n == m->cap)
        grow(m);
    *at(m, m->n++) = (struct entry){ seq, mark };
}

/* One pass, from the newest on: where one is found no more those before it are not either. */
void marks_drop(struct marks *m, const struct control_mark *list, size_t n)
{
    for (size_t i = m ? m->n : 0; n && i-- > 0;) {
        struct control_mark *mark = &at(m, i)->mark;
        if (mark->session != list[n - 1].session || mark->pos != list[n - 1].pos)
            continue;
        *mark = (struct control_mark){ 0 };
        n--;
    }
}

void marks_settled(struct marks **mp, uint64_t seq)
{
    struct marks *m = *mp;
    while (m && m->n && at(m, 0)->seq <= seq)
        drop_first(m);
    if (m && !m->n)
        marks_free(mp);
}

void marks_reborn(struct marks *m)
{
    for (size_t i = 0; m && i < m->n; i++)
        at(m, i)->seq = 0;
}

size_t marks_count(const struct marks *m)
{
    return m ? m->n : 0;
}

struct control_mark marks_get(const struct marks *m, size_t i)
{
    return at(m, i)->mark;
}
