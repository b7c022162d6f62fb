#include "sessman/rosterpush.h"

#include "sessman/deliver.h"
#include "sessman/session.h"

void roster_item_write(struct arena *a, struct node *query, const struct roster_item *item)
{
    struct node *n = node_add(a, query, "item", NS_ROSTER);
    node_set(a, n, "jid", roster_item_jid(item));
    if (item->name_len)
        node_set(a, n, "name", roster_item_name(item));
    node_set(a, n, "subscription", slice_cstr(sub_name(item->state)));
    if (item->state & SUB_ASK)
        node_set(a, n, "ask", SLICE("subscribe"));
    if (item->state & SUB_APPROVED)
        node_set(a, n, "approved", SLICE("true")); /* RFC 6121 2.1.2.1 */
    struct slice groups = roster_item_groups(item), group;
    while (slice_split(&groups, '\n', &group))
        if (group.len)
            node_add_text(a, node_add(a, n, "group", NS_ROSTER), group);
}

void roster_push(struct sessman *sm, uint64_t ticket, const struct account *acc, struct slice jid)
{
    struct arena *a = arena_take(sm->arenas);
    struct slice ver = arena_fmt(a, "%llu", (unsigned long long)acc->roster.version);
    struct node *iq = node_new(a, "iq", NS_CLIENT);
    node_set(a, iq, "type", SLICE("set"));
    node_set(a, iq, "id", arena_fmt(a, "push-%llu", (unsigned long long)acc->roster.version));
    struct node *query = node_add(a, iq, "query", NS_ROSTER);
    node_set(a, query, "ver", ver);
    const struct roster_item *item = roster_find(&acc->roster, jid);
    if (item && (item->state & SUB_LISTED)) {
        roster_item_write(a, query, item);
    } else {
        struct node *n = node_add(a, query, "item", NS_ROSTER);
        node_set(a, n, "jid", jid);
        node_set(a, n, "subscription", SLICE("remove"));
    }
    deliver_push(sm, ticket, acc, iq);
    arena_give(sm->arenas, &a);
}
