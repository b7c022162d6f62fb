/* sessman/transient.c - rows that nobody's archive keeps: deleted a while after they were settled
 *
 * A while, so that an edge can still hand one back. They are neighbours mostly: one statement deletes a
 * range. */
#include <stdlib.h>
#include "common/base/mem.h"
#include "sessman/journalin.h"
#include "sessman/transit.h"

struct gone {
    uint64_t pos; /* 0: is not to be deleted after all */
    uint64_t due_ms;
};

enum { SWEEP_ROWS = 4096, RANGE_ROWS = 500 };

static struct gone *slot(const struct journal *j, size_t i)
{
    return &j->gone[(j->gone_head + i) & (j->gone_cap - 1)];
}

static void grow(struct journal *j)
{
    size_t cap = j->gone_cap ? j->gone_cap * 2 : 64;
    struct gone *grown = mem_array(cap, sizeof *grown);
    for (size_t i = 0; i < j->gone_n; i++)
        grown[i] = *slot(j, i);
    mem_free(j->gone);
    j->gone = grown;
    j->gone_cap = cap;
    j->gone_head = 0;
}

void transient_gone(struct journal *j, uint64_t pos)
{
    if (j->gone_n == j->gone_cap)
        grow(j);
    *slot(j, j->gone_n++) = (struct gone){ pos, loop_now_ms(j->sm->loop) + TRANSIT_KEEP_MS };
    journal_tick_on(j);
}

void transient_back(struct journal *j, uint64_t pos)
{
    for (size_t i = j->gone_n; i-- > 0;)
        if (slot(j, i)->pos == pos) {
            slot(j, i)->pos = 0;
            return;
        }
}

uint64_t transient_low(const struct journal *j)
{
    uint64_t low = 0;
    for (size_t i = 0; i < j->gone_n; i++) {
        uint64_t pos = slot(j, i)->pos;
        if (pos && (!low || pos < low))
            low = pos;
    }
    return low;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void delete_ranges(struct journal *j, uint64_t *list, size_t n)
{
    if (!n)
        return;
    qsort(list, n, sizeof *list, ascending);
    for (size_t i = 0; i < n;) {
        size_t k = i + 1;
        while (k < n && k - i < RANGE_ROWS && list[k] == list[k - 1] + 1)
            k++;
        store_run(j->sm->store, STMT_JOURNAL_DROP, STORE_VALUES(STORE_I(list[i]), STORE_I(list[k - 1])), NULL,
                  NULL);
        i = k;
    }
}

/* At most a part at a time, more when more have come together: the store must keep up. */
void transients_sweep(struct journal *j, bool all)
{
    uint64_t now = loop_now_ms(j->sm->loop);
    size_t most = all ? SIZE_MAX : j->gone_n / 4 + SWEEP_ROWS / 4, done = 0;
    uint64_t list[SWEEP_ROWS];
    size_t n = 0;
    while (j->gone_n && done < most && (all || slot(j, 0)->due_ms <= now)) {
        uint64_t pos = slot(j, 0)->pos;
        j->gone_head = (j->gone_head + 1) & (j->gone_cap - 1);
        j->gone_n--;
        done++;
        if (pos)
            list[n++] = pos;
        if (n == SWEEP_ROWS) {
            delete_ranges(j, list, n);
            n = 0;
        }
    }
    delete_ranges(j, list, n);
    if (!j->gone_n) {
        MEM_FREE(&j->gone);
        j->gone_cap = j->gone_head = 0;
    }
}
