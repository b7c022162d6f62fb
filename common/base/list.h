/* common/base/list.h - intrusive doubly linked list
 *
 * A struct link is a member of the object; the head is a struct link that points to itself when empty.
 * The list owns nothing. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev, *next;
};

#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct link *head)
{
    head->prev = head->next = head;
}
static inline bool list_empty(const struct link *head)
{
    return head->next == head;
}
static inline bool link_in_list(const struct link *l) /* l was zeroed or unlinked: false */
{
    return l->next != NULL;
}
static inline void list_append(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void list_prepend(struct link *head, struct link *l)
{
    l->next = head->next;
    l->prev = head;
    head->next->prev = l;
    head->next = l;
}
static inline void list_unlink(struct link *l) /* unlinking twice is harmless */
{
    if (l->next) {
        l->prev->next = l->next;
        l->next->prev = l->prev;
        l->prev = l->next = NULL;
    }
}
/* Safe against unlinking the current element in the body. */
#define LIST_EACH(head, it)                                                                       \
    for (struct link *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
