/* s2s/ping.c */
#include "s2s/ping.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "s2s/pair.h"

static bool of_domains(const struct stanza *s)
{
    return s->kind == STANZA_IQ && s->has_from && s->has_to && !s->from.local.len && !s->from.resource.len &&
           !s->to.local.len && !s->to.resource.len;
}

/* Whether they have a stream to us, to this very process, on which an answer can come: it is not known of
 * another one. */
static bool heard_here(const struct s2s *d, const struct pair *p)
{
    for (struct link *it = d->wires.next; it != &d->wires; it = it->next) {
        const struct wire *w = CONTAINER(it, struct wire, link);
        if (w->incoming && w->conn && !w->over && w->ops->may_send(w, p->local, p->remote) != PROOF_NONE)
            return true;
    }
    return false;
}

bool ping_send(struct wire *w)
{
    struct s2s *d = w->d;
    const struct pair *p = list_empty(&w->pairs) ? NULL : CONTAINER(w->pairs.next, struct pair, on_wire);
    if (!d->conf->ping || !p || (!w->bidi && !heard_here(d, p)))
        return false;
    struct arena *a = arena_take(d->arenas);
    struct buf out = BUF_INIT(0);
    mem_free(w->ping);
    w->ping = mem_copy(secret_token(a, 16));
    BUF_LIT(&out, "<iq");
    xmlout_attr(&out, "from", p->local);
    xmlout_attr(&out, "id", slice_cstr(w->ping));
    xmlout_attr(&out, "to", p->remote);
    BUF_LIT(&out, " type='get'><ping xmlns='" NS_PING "'/></iq>");
    wire_write(w, buf_get(&out));
    buf_fini(&out);
    arena_give(d->arenas, &a);
    METRIC_INC(d->metrics, M_PINGS);
    return true;
}

bool ping_take(const struct wire *w, const struct stanza *s)
{
    if (!of_domains(s) || (s->type != IQ_RESULT && s->type != IQ_ERROR))
        return false;
    const struct pair *p = pair_find(w->d, s->to.domain, s->from.domain);
    struct wire *asked = p ? p->via : NULL;
    if (!asked || !asked->ping || !slice_is(s->id, asked->ping))
        return false;
    MEM_FREE(&asked->ping);
    asked->probing = false;
    asked->last_in_ms = loop_now_ms(w->d->loop);
    if (!asked->over)
        wire_arm(asked);
    return true;
}

bool ping_is(const struct stanza *s)
{
    return of_domains(s) && s->payload && node_is(s->payload, "ping", NS_PING);
}

/* As it is written: an <iq/> that ends where it begins. */
bool ping_is_answer(struct slice stanza)
{
    return slice_starts(stanza, SLICE("<iq ")) &&
           memchr(stanza.p, '>', stanza.len) == stanza.p + stanza.len - 1;
}
