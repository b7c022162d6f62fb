/* common/edge/esession.c - sessions towards the session managers; what comes back is in edge.c */
#include "common/edge/esession.h"

#include "common/base/mem.h"
#include "common/edge/inside.h"
#include "common/xmpp/bearer.h"

enum { LANG_MAX = 255 };

static void send_control(struct edge *e, const struct esession *s)
{
    struct slice piece = buf_get(&e->scratch);
    rlink_send(e->link, s->node, FRAME_CONTROL, s->id, &piece, 1);
}

static struct buf *scratch(struct edge *e)
{
    buf_reset(&e->scratch);
    return &e->scratch;
}

void esession_forget(struct edge *e, struct esession *s)
{
    if (s->id)
        idmap_remove(e->sessions, s->id);
    esm_free(s);
    s->id = 0;
    s->node = NULL;
    s->waits = false;
    s->state = ESESSION_NONE;
}

enum rc esession_open(struct edge *e, struct esession *s, struct slice key, const struct control_open *c)
{
    struct rnode *node = rlink_pick(e->link, c->domain, key);
    if (!node)
        return RC_CLOSED;
    if (s->id && s->node == node)
        return RC_OK;
    if (!node->reachable && rlink_full(e->link, node))
        return RC_LIMIT;
    if (s->id) {
        control_write_gone(scratch(e), false);
        send_control(e, s);
        esession_forget(e, s);
    }
    s->id = ++e->last_id;
    s->node = node;
    s->state = ESESSION_OPEN;
    idmap_put(e->sessions, s->id, s);
    control_write_open(scratch(e), c);
    send_control(e, s);
    return RC_OK;
}

void esession_auth(struct edge *e, struct esession *s, const struct control_auth *c)
{
    s->state = ESESSION_ASKED;
    control_write_auth(scratch(e), c);
    send_control(e, s);
}

void esession_authenticate(struct edge *e, struct esession *s, struct slice from,
                           const struct node *authenticate)
{
    s->state = ESESSION_ASKED;
    control_write_authenticate(scratch(e), from, authenticate);
    send_control(e, s);
}

void esession_response(struct edge *e, struct esession *s, struct slice data)
{
    s->state = ESESSION_ASKED;
    control_write_response(scratch(e), data);
    send_control(e, s);
}

void esession_abort(struct edge *e, struct esession *s)
{
    s->state = ESESSION_ASKED;
    control_write_abort(scratch(e));
    send_control(e, s);
}

/* Puts language and JID into one block. */
static void set_text(struct esession *s, struct slice lang, struct slice jid)
{
    char *text = mem_array(1, lang.len + jid.len + 1);
    if (lang.len)
        memcpy(text, lang.p, lang.len);
    if (jid.len)
        memcpy(text + lang.len, jid.p, jid.len);
    mem_free(s->text);
    s->text = text;
    s->lang_len = (uint8_t)lang.len;
    s->jid_len = (uint16_t)jid.len;
}

void esession_lang_set(struct esession *s, struct slice lang)
{
    if (lang.len > LANG_MAX)
        lang.len = 0;
    set_text(s, lang, esession_jid(s));
}

static bool needs_escape(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr("&<>'\"", s.p[i]) || (unsigned char)s.p[i] < 0x20)
            return true;
    }
    return false;
}

void esession_jid_set(struct esession *s, const struct jid *full)
{
    set_text(s, esession_lang(s), full->full);
    s->bare_len = (uint16_t)full->bare_len;
    s->escape = needs_escape(full->full);
}

void esession_bind(struct edge *e, struct esession *s, struct slice resource)
{
    s->state = ESESSION_BINDING;
    control_write_bind(scratch(e), resource);
    send_control(e, s);
}

void esession_send(struct edge *e, struct esession *s, struct slice bytes)
{
    if (!s->sm) {
        rlink_send(e->link, s->node, FRAME_STANZA, s->id, &bytes, 1);
        return;
    }
    rlink_send_marked(e->link, s->node, FRAME_STANZA, s->id, sm_take(&s->sm->n), &bytes, 1);
    sm_taken(&s->sm->n, rlink_sent(e->link, s->node));
}

void esession_csi(struct edge *e, struct esession *s, bool active)
{
    control_write_csi(scratch(e), active);
    send_control(e, s);
}

void esession_flow(struct edge *e, struct esession *s, uint16_t n)
{
    control_write_flow(scratch(e), n);
    send_control(e, s);
}

bool esession_full(struct edge *e, struct esession *s)
{
    if (!s->id || !rlink_full(e->link, s->node))
        return false;
    if (!s->waits) {
        s->waits = true;
        if (e->n_waiting == e->cap_waiting) {
            e->cap_waiting = e->cap_waiting ? e->cap_waiting * 2 : 64;
            e->waiting = mem_resize(e->waiting, e->cap_waiting * sizeof *e->waiting);
        }
        e->waiting[e->n_waiting++] = s->id;
    }
    return true;
}

void esession_gone(struct edge *e, struct esession *s, bool lost)
{
    if (s->id) {
        if (s->sm &&
            s->sm->enabled) { /* a session manager that is dead now will not know what it was told before */
            control_write_acked(scratch(e), (uint32_t)s->sm->n.acked);
            send_control(e, s);
        }
        control_write_gone(scratch(e), lost);
        send_control(e, s);
        esession_forget(e, s);
    }
    mem_free(s->text);
    s->text = NULL;
    s->lang_len = 0;
    s->jid_len = s->bare_len = 0;
}

/* --- whose account is it --- */

struct slice esession_key_of_user(struct arena *a, struct slice user, struct slice domain)
{
    struct slice local;
    if (user.len && jid_prepare_local(a, user, &local, NULL) == RC_OK)
        return local;
    return user.len ? user : domain;
}

/* n=… of client-first (RFC 5802 7), its =2C and =3D undone. */
static struct slice scram_user(struct arena *a, struct slice first)
{
    struct slice part, rest = first;
    for (int i = 0; i < 3; i++) { /* gs2-cbind-flag, authzid, then n= unless m= stands before it */
        if (!slice_split(&rest, ',', &part))
            return SLICE_NONE;
    }
    if (!slice_starts(part, SLICE("n=")))
        return SLICE_NONE;
    part = slice_from(part, 2);
    char *out = arena_alloc(a, part.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < part.len; i++) {
        struct slice left = slice_from(part, i);
        if (slice_starts(left, SLICE("=2C")) || slice_starts(left, SLICE("=3D"))) {
            out[n++] = left.p[2] == 'C' ? ',' : '=';
            i += 2;
        } else {
            out[n++] = part.p[i];
        }
    }
    return slice_of(out, n);
}

static struct slice local_of(struct arena *a, struct slice address)
{
    struct jid jid;
    return jid_parse(a, address, &jid, NULL) == RC_OK ? jid.local : SLICE_NONE;
}

struct slice esession_key(struct arena *a, struct slice mechanism, struct slice initial,
                          struct slice cert_jid, struct slice domain)
{
    struct slice user = SLICE_NONE;
    struct sasl_plain plain;
    if (slice_is(mechanism, "PLAIN")) {
        if (sasl_plain_read(initial, &plain) == SASL_OK)
            user = plain.user;
    } else if (slice_is(mechanism, "EXTERNAL")) {
        user = local_of(a, initial.len ? initial : cert_jid);
    } else if (slice_starts(mechanism, SLICE("SCRAM-"))) {
        user = scram_user(a, initial);
    } else if (slice_starts(mechanism, SLICE("HT-"))) {
        struct ht_first first;
        if (ht_first_read(initial, &first) == SASL_OK)
            user = first.user;
    } else if (slice_is(mechanism, BEARER)) {
        struct bearer_first first;
        struct bearer_token token;
        if (bearer_first_read(a, initial, &first) == SASL_OK &&
            bearer_token_read(a, first.token, &token) == RC_OK)
            user = token.user.local;
    }
    return esession_key_of_user(a, user, domain);
}
