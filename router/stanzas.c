/* router/stanzas.c */
#include "router/stanzas.h"

#include "common/xmpp/stanza.h"
#include "common/xmpp/xmlout.h"
#include "router/switch.h"

static void answer(struct peer *p, struct node *n)
{
    if (!n)
        return;
    struct buf *out = conn_out(p->conn);
    size_t before = out->len;
    xmlout_node(out, n, NS_CLIENT);
    struct slice written = slice_from(buf_get(out), before);
    peer_wire_out(p, written);
    conn_wrote(p->conn);
    peer_wrote(p, &written, 1, false);
}

static bool refuse(struct peer *p, enum stream_cond cond, const char *text)
{
    peer_stream_error(p, cond, text);
    return false;
}

/* An admin's tool is known by the bare JID that it speaks from, so that several at once get their own
 * answers. */
static void admin_speaks(struct peer *p, const struct jid *from)
{
    struct slice bare = jid_bare(from);
    if (p->admin_named && slice_is(bare, p->names[0]))
        return;
    if (p->admin_named)
        peer_unbind(p, 0);
    p->admin_named = peer_bind(p, bare) == RC_OK;
}

static bool may_speak_as(struct peer *p, const struct jid *from)
{
    if (p->role == ROLE_ADMIN) {
        if (!slice_is(from->domain, p->name))
            return false;
        admin_speaks(p, from);
        return true;
    }
    for (size_t i = 0; i < p->n_names; i++) {
        if (slice_is(from->domain, p->names[i]))
            return true;
    }
    return false;
}

static void bounce(struct peer *p, struct arena *a, const struct stanza *st, enum stanza_cond cond)
{
    METRIC_INC(p->r->run->metrics, METRIC_BOUNCED);
    answer(p, stanza_error(a, st, cond, NULL));
}

/* False: escaping made it longer than a frame carries; nothing was sent. */
static bool deliver(struct peer *to, const struct stanza *st, uint8_t flags)
{
    struct buf payload = BUF_INIT(0);
    struct slice name = jid_bare(&st->to);
    xmlout_node(&payload, st->node, NS_CLIENT);
    if (payload.len > FRAME_STANZA_MAX) {
        buf_fini(&payload);
        return false;
    }
    struct frame f = { .kind = FRAME_STANZA, .name = name, .name_len = (uint16_t)name.len };
    uint8_t head[FRAME_HEAD];
    struct slice pieces[3] = { slice_of((char *)head, sizeof head), name, buf_get(&payload) };
    f.len = (uint32_t)(name.len + payload.len);
    f.flags = flags;
    frame_head_write(head, &f);
    if (to->level == PEER_FRAMES)
        conn_writev(to->conn, pieces, 3);
    else
        peer_write(to, pieces[2]);
    to->out_count++;
    to->out_bytes += payload.len;
    buf_fini(&payload);
    return true;
}

static struct peer *alive(struct router *r, const struct jid *to)
{
    struct peer *p = switch_resolve(r, jid_bare(to));
    return p && !conn_closing(p->conn) ? p : NULL;
}

void stanzas_again(void *ctx, struct slice stanza)
{
    struct router *r = ctx;
    struct arena *a = arena_take(r->arenas);
    struct node *n, *error = NULL;
    struct stanza st, back;
    enum stanza_cond cond;
    struct peer *to = NULL;
    if (xmlin_parse(r->xml, a, stanza, &r->limits, &n, NULL) == RC_OK &&
        stanza_read(a, n, &st, &cond) == RC_OK && st.has_to && st.has_from) {
        to = alive(r, &st.to);
        if (!to || !deliver(to, &st, 0))
            error = stanza_error(a, &st, COND_SERVICE_UNAVAILABLE, NULL);
    }
    if (error && stanza_read(a, error, &back, &cond) == RC_OK && (to = alive(r, &back.to)) != NULL) {
        METRIC_INC(r->run->metrics, METRIC_BOUNCED);
        deliver(to, &back, 0);
    }
    arena_give(r->arenas, &a);
}

bool stanzas_element(struct peer *p, struct arena *a, struct node *n)
{
    struct stanza st;
    enum stanza_cond cond;
    enum rc rc = stanza_read(a, n, &st, &cond);
    if (rc == RC_UNSUPPORTED)
        return refuse(p, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
    if (!node_has(n, "from") || !node_has(n, "to"))
        return refuse(p, STREAM_IMPROPER_ADDRESSING, "a component's stanzas have from and to");
    if (!st.has_from || !may_speak_as(p, &st.from))
        return refuse(p, STREAM_INVALID_FROM, NULL);
    p->in_count++;
    METRIC_INC(p->r->run->metrics, METRIC_STANZAS);
    if (rc != RC_OK) {
        answer(p, stanza_error(a, &st, cond, NULL));
        return true;
    }
    node_set(a, n, "from", st.from.full);
    node_set(a, n, "to", st.to.full);
    struct peer *to = switch_resolve(p->r, jid_bare(&st.to));
    if (!to)
        bounce(p, a, &st, COND_REMOTE_SERVER_NOT_FOUND);
    else if (conn_closing(to->conn))
        bounce(p, a, &st, COND_SERVICE_UNAVAILABLE);
    else if (!deliver(to, &st, p->role == ROLE_ADMIN ? FRAME_F_ADMIN : 0))
        bounce(p, a, &st, COND_POLICY_VIOLATION);
    else
        switch_blocked(p, to);
    return !p->going;
}
