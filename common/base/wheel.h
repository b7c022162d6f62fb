/* common/base/wheel.h - timer wheel: pure, is told what time it is
 *
 * Hierarchical wheel, resolution 16 ms; setting and stopping a timer are O(1). The timer is a member of its
 * owner; a zeroed timer is not running. fire is called once and the timer is stopped by then, so it may be set again. */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct wheel;
struct timer {
    struct timer *prev, *next;
    uint64_t due_ms;
    void (*fire)(struct timer *t); /* owner by CONTAINER(t, struct owner, member) */
};

struct wheel *wheel_new(uint64_t now_ms);
void wheel_free(struct wheel **w); /* timers still set are forgotten, not fired */
void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms, void (*fire)(struct timer *)); /* moves a running one */
void timer_stop(struct timer *t); /* harmless when not running */
static inline bool timer_running(const struct timer *t)
{
    return t->next != 0;
}
void wheel_advance(struct wheel *w, uint64_t now_ms); /* fires all that is due, in order of due_ms to 16 ms */
uint64_t wheel_next(const struct wheel *w);           /* when to call advance next; UINT64_MAX: no timer is set */

#endif
