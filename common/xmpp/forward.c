/* common/xmpp/forward.c */
#include "common/xmpp/forward.h"

#include "common/xmpp/delay.h"
#include "common/xmpp/ns.h"

struct node *forward_add(struct arena *a, struct node *parent, int64_t wall_ms, struct node *stanza)
{
    struct node *forwarded = node_add(a, parent, "forwarded", NS_FORWARD);
    if (wall_ms != FORWARD_NO_DELAY)
        delay_add(a, forwarded, SLICE_NONE, wall_ms, NULL);
    node_append(forwarded, stanza);
    return forwarded;
}
