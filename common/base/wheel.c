/* common/base/wheel.c
 *
 * Seven levels of 64 slots. A tick is a number in base 64: a timer hangs in the level of the highest digit in
 * which its tick differs from the current one, in the slot of that digit. When the current tick reaches the
 * start of a slot above level 0, its timers move down. Nothing is ever fired before its time. */
#include "common/base/wheel.h"

#include "common/base/mem.h"

enum { TICK_MS = 16, DIGIT_BITS = 6, SLOTS = 1 << DIGIT_BITS, LEVELS = 7 };
#define TICK_MAX ((UINT64_C(1) << (DIGIT_BITS * LEVELS)) - 1) /* more than two thousand years */

struct wheel {
    uint64_t tick;         /* all that is due by then has been fired or hangs in `due` */
    uint64_t used[LEVELS]; /* a bit for each slot that may hold timers (it may have become empty) */
    struct timer slots[LEVELS][SLOTS]; /* heads of rings */
    struct timer due;                  /* set for a time that has already come */
};

static void ring_init(struct timer *head)
{
    head->prev = head->next = head;
}

static bool ring_empty(const struct timer *head)
{
    return head->next == head;
}

static void ring_append(struct timer *head, struct timer *t)
{
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

/* Appends all of `from` to `to`. */
static void ring_move(struct timer *to, struct timer *from)
{
    if (ring_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    ring_init(from);
}

static uint64_t tick_of(uint64_t due_ms)
{
    uint64_t tick = due_ms / TICK_MS + (due_ms % TICK_MS != 0);
    return tick < TICK_MAX ? tick : TICK_MAX;
}

static unsigned digit(uint64_t tick, unsigned level)
{
    return (unsigned)(tick >> (DIGIT_BITS * level)) & (SLOTS - 1);
}

static void hang(struct wheel *w, struct timer *t)
{
    uint64_t tick = tick_of(t->due_ms);
    if (tick <= w->tick) {
        ring_append(&w->due, t);
        return;
    }
    unsigned level = (63U - (unsigned)__builtin_clzll(tick ^ w->tick)) / DIGIT_BITS;
    unsigned slot = digit(tick, level);
    ring_append(&w->slots[level][slot], t);
    w->used[level] |= UINT64_C(1) << slot;
}

struct wheel *wheel_new(uint64_t now_ms)
{
    struct wheel *w = mem_new(sizeof *w);
    w->tick = now_ms / TICK_MS;
    ring_init(&w->due);
    for (unsigned level = 0; level < LEVELS; level++) {
        for (unsigned slot = 0; slot < SLOTS; slot++)
            ring_init(&w->slots[level][slot]);
    }
    return w;
}

void wheel_free(struct wheel **w)
{
    if (!*w)
        return;
    for (unsigned level = 0; level < LEVELS; level++) {
        for (unsigned slot = 0; slot < SLOTS; slot++)
            ring_move(&(*w)->due, &(*w)->slots[level][slot]);
    }
    while (!ring_empty(&(*w)->due)) /* so that stopping them later is harmless */
        timer_stop((*w)->due.next);
    MEM_FREE(w);
}

void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms, void (*fire)(struct timer *))
{
    timer_stop(t);
    t->due_ms = due_ms;
    t->fire = fire;
    hang(w, t);
}

void timer_stop(struct timer *t)
{
    if (!t->next)
        return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

/* The tick at which the next slot with timers begins; UINT64_MAX: none. What hangs in a lower level always
 * comes before what hangs in a higher one, and in a level only slots behind the current digit are in use. */
static uint64_t next_tick(const struct wheel *w)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        unsigned here = digit(w->tick, level);
        uint64_t behind = here == SLOTS - 1 ? 0 : w->used[level] & (~UINT64_C(0) << (here + 1));
        for (; behind; behind &= behind - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(behind);
            if (ring_empty(&w->slots[level][slot]))
                continue;
            unsigned above = DIGIT_BITS * (level + 1);
            return (w->tick >> above << above) | (uint64_t)slot << (DIGIT_BITS * level);
        }
    }
    return UINT64_MAX;
}

static void fire_due(struct wheel *w)
{
    struct timer now;
    ring_init(&now);
    ring_move(&now, &w->due); /* what is set meanwhile for a time that has come waits for the next call */
    while (!ring_empty(&now)) {
        struct timer *t = now.next;
        timer_stop(t);
        t->fire(t);
    }
}

/* Goes to tick, where a slot begins: its timers move down, or are due. */
static void step(struct wheel *w, uint64_t tick)
{
    w->tick = tick;
    for (unsigned level = LEVELS; level-- > 0;) {
        if (tick & ((UINT64_C(1) << (DIGIT_BITS * level)) - 1))
            continue;
        unsigned slot = digit(tick, level);
        struct timer moving;
        ring_init(&moving);
        ring_move(&moving, &w->slots[level][slot]);
        w->used[level] &= ~(UINT64_C(1) << slot);
        while (!ring_empty(&moving)) {
            struct timer *t = moving.next;
            timer_stop(t);
            hang(w, t);
        }
    }
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
    uint64_t target = now_ms / TICK_MS;
    fire_due(w);
    for (uint64_t tick = next_tick(w); tick <= target; tick = next_tick(w)) {
        step(w, tick);
        fire_due(w);
    }
    if (target > w->tick)
        w->tick = target;
}

uint64_t wheel_next(const struct wheel *w)
{
    if (!ring_empty(&w->due))
        return w->tick * TICK_MS;
    uint64_t tick = next_tick(w);
    return tick == UINT64_MAX ? UINT64_MAX : tick * TICK_MS;
}
