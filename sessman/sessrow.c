#include "sessman/sessrow.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include "sessman/csi.h"
#include "sessman/directed.h"
#include "sessman/smqueue.h"
#include "sessman/waiting.h"

static void put_flag(struct buf *out, const char *name, bool set)
{
    if (set)
        xmlout_attr(out, name, SLICE("1"));
}

void sessrow_state_write(struct buf *out, const struct session *s)
{
    BUF_LIT(out, "<state");
    if (s->available)
        buf_fmt(out, " priority='%d'", s->priority);
    put_flag(out, "interested", s->interested);
    put_flag(out, "carbons", s->carbons);
    put_flag(out, "csi", s->csi != NULL);
    put_flag(out, "trusted", s->trusted_plain);
    put_flag(out, "flexible", s->flexible);
    if (s->agent)
        buf_fmt(out, " agent='%llu'", (unsigned long long)s->agent);
    buf_byte(out, '>');
    if (s->available)
        buf_put(out, s->presence, s->presence_len);
    for (size_t i = 0; s->directed && i < s->directed->n; i++) {
        BUF_LIT(out, "<directed>");
        xmlout_text(out, slice_cstr(s->directed->jids[i]));
        BUF_LIT(out, "</directed>");
    }
    smqueue_state_write(out, s);
    BUF_LIT(out, "</state>");
}

static void read_presence(struct sessman *sm, const struct node *n, struct session *s)
{
    size_t to_at;
    buf_reset(&sm->scratch);
    xmlout_node_to(&sm->scratch, n, NS_CLIENT, &to_at);
    s->presence = mem_copy(buf_get(&sm->scratch));
    s->presence_len = (uint16_t)sm->scratch.len;
    s->presence_to_at = (uint16_t)to_at;
    s->available = true;
}

bool sessrow_state_read(struct sessman *sm, struct arena *a, struct slice text, struct session *s)
{
    struct node *n;
    int64_t priority = 0;
    bool changed;
    if (xmlin_parse(sm->xml, a, text, &sm->xml_limits, &n, NULL) != RC_OK || !slice_is(n->name, "state"))
        return false;
    s->interested = node_has(n, "interested");
    s->carbons = node_has(n, "carbons");
    s->trusted_plain = node_has(n, "trusted");
    if (slice_u64(node_attr(n, "agent"), UINT64_MAX, &s->agent) != RC_OK)
        s->agent = 0;
    if (s->sm)
        smqueue_state_read(sm, a, n, s);
    if (node_has(n, "csi"))
        csi_restored(sm, s);
    if (node_has(n, "flexible"))
        waiting_park(sm, s);
    for (const struct node *d = node_find(n, "directed", NS_CLIENT); d;
         d = node_find_next(d, "directed", NS_CLIENT))
        directed_note(&s->directed, node_text(a, d), true, SIZE_MAX, &changed);
    const struct node *presence = node_find(n, "presence", NS_CLIENT);
    if (!presence)
        return true;
    if (slice_i64(node_attr(n, "priority"), PRIORITY_MIN, PRIORITY_MAX, &priority) != RC_OK)
        return false;
    s->priority = (int8_t)priority;
    read_presence(sm, presence, s);
    return s->presence_len == sm->scratch.len;
}
