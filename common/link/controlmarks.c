/* common/link/controlmarks.c */
#include "common/link/controlin.h"

#include "common/xmpp/ns.h"

static void put_marks(struct buf *out, const struct control_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        BUF_LIT(out, "<m");
        controlin_put_u64(out, "id", marks[i].session);
        controlin_put_u64(out, "pos", marks[i].pos);
        if (marks[i].origin)
            controlin_put_u64(out, "origin", marks[i].origin);
        BUF_LIT(out, "/>");
    }
}

void control_write_alive(struct buf *out, const struct control_alive *c)
{
    controlin_start(out, "alive");
    controlin_put_u64(out, "upto", c->upto);
    controlin_put_flag(out, "end", c->end);
    buf_byte(out, '>');
    for (size_t i = 0; i < c->n_sessions; i++) {
        const struct control_alive_session *s = &c->sessions[i];
        BUF_LIT(out, "<s");
        controlin_put_u64(out, "id", s->id);
        if (s->sm) {
            controlin_put_u64(out, "out", s->out);
            controlin_put_u64(out, "acked", s->acked);
        }
        BUF_LIT(out, "/>");
    }
    put_marks(out, c->marks, c->n_marks);
    controlin_end(out, "alive");
}

static enum rc count_of(const struct node *n, const char *name, size_t *out, struct why *why)
{
    *out = 0;
    for (const struct node *c = node_find(n, name, NS_CONTROL); c; c = node_find_next(c, name, NS_CONTROL))
        ++*out;
    if (*out <= CONTROL_LIST_MAX)
        return RC_OK;
    why_set(why, "<" SLICE_FMT "/>: %zu of %s", SLICE_ARG(n->name), *out, name);
    return RC_LIMIT;
}

static enum rc get_marks(struct arena *a, const struct node *n, const struct control_mark **out,
                         size_t *count, struct why *why)
{
    size_t total;
    enum rc rc = count_of(n, "m", &total, why);
    if (rc != RC_OK)
        return rc;
    struct control_mark *marks = ARENA_ARRAY(a, total + 1, struct control_mark), *m = marks;
    for (const struct node *c = node_find(n, "m", NS_CONTROL); c; c = node_find_next(c, "m", NS_CONTROL)) {
        rc = controlin_get_u64(c, "id", UINT64_MAX, &m->session, why);
        if (rc == RC_OK)
            rc = controlin_get_u64(c, "pos", INT64_MAX, &m->pos, why);
        if (rc == RC_OK && node_has(c, "origin"))
            rc = controlin_get_u64(c, "origin", UINT64_MAX, &m->origin, why);
        if (rc != RC_OK)
            return rc;
        m++;
    }
    *out = marks;
    *count = total;
    return RC_OK;
}

static enum rc get_alive_session(const struct node *n, struct control_alive_session *out, struct why *why)
{
    uint64_t sent = 0, acked = 0;
    enum rc rc = controlin_get_u64(n, "id", UINT64_MAX, &out->id, why);
    out->sm = node_has(n, "out");
    if (rc == RC_OK && out->sm)
        rc = controlin_get_u64(n, "out", UINT32_MAX, &sent, why);
    if (rc == RC_OK && out->sm)
        rc = controlin_get_u64(n, "acked", UINT32_MAX, &acked, why);
    out->out = (uint32_t)sent;
    out->acked = (uint32_t)acked;
    return rc;
}

enum rc control_read_alive(struct arena *a, const struct node *n, struct control_alive *out, struct why *why)
{
    struct control_alive c = { 0 };
    enum rc rc = controlin_get_u64(n, "upto", UINT64_MAX, &c.upto, why);
    if (rc == RC_OK)
        rc = controlin_get_flag(n, "end", &c.end, why);
    if (rc == RC_OK)
        rc = get_marks(a, n, &c.marks, &c.n_marks, why);
    if (rc == RC_OK)
        rc = count_of(n, "s", &c.n_sessions, why);
    if (rc != RC_OK)
        return rc;
    struct control_alive_session *list = ARENA_ARRAY(a, c.n_sessions + 1, struct control_alive_session);
    c.sessions = list;
    for (const struct node *s = node_find(n, "s", NS_CONTROL); s; s = node_find_next(s, "s", NS_CONTROL)) {
        rc = get_alive_session(s, list++, why);
        if (rc != RC_OK)
            return rc;
    }
    *out = c;
    return RC_OK;
}

static void marks_element(struct buf *out, const char *element, const struct control_mark *marks, size_t n)
{
    controlin_start(out, element);
    buf_byte(out, '>');
    put_marks(out, marks, n);
    controlin_end(out, element);
}

void control_write_undelivered(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "undelivered", marks, n);
}

enum rc control_read_undelivered(struct arena *a, const struct node *n, const struct control_mark **marks,
                                 size_t *count, struct why *why)
{
    return get_marks(a, n, marks, count, why);
}

void control_write_unread(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "unread", marks, n);
}

void control_write_read(struct buf *out, const struct control_mark *marks, size_t n)
{
    marks_element(out, "read", marks, n);
}

void control_write_sent(struct buf *out, const struct control_run *runs, size_t n)
{
    controlin_start(out, "sent");
    buf_byte(out, '>');
    for (size_t i = 0; i < n; i++) {
        BUF_LIT(out, "<r");
        controlin_put_u64(out, "first", runs[i].first);
        controlin_put_u64(out, "n", runs[i].n);
        BUF_LIT(out, "/>");
    }
    controlin_end(out, "sent");
}

enum rc control_read_sent(struct arena *a, const struct node *n, const struct control_run **out,
                          size_t *count, struct why *why)
{
    size_t total;
    enum rc rc = count_of(n, "r", &total, why);
    if (rc != RC_OK)
        return rc;
    struct control_run *runs = ARENA_ARRAY(a, total + 1, struct control_run), *r = runs;
    for (const struct node *c = node_find(n, "r", NS_CONTROL); c;
         c = node_find_next(c, "r", NS_CONTROL), r++) {
        rc = controlin_get_u64(c, "first", INT64_MAX, &r->first, why);
        if (rc == RC_OK)
            rc = controlin_get_u64(c, "n", CONTROL_SENT_RUN, &r->n, why);
        if (rc == RC_OK && (!r->n || r->n - 1 > INT64_MAX - r->first))
            rc = controlin_bad(c, "n", why);
        if (rc != RC_OK)
            return rc;
    }
    *out = runs;
    *count = total;
    return RC_OK;
}

void control_write_settled(struct buf *out, uint64_t seq)
{
    controlin_start(out, "settled");
    controlin_put_u64(out, "seq", seq);
    BUF_LIT(out, "/>");
}

enum rc control_read_settled(const struct node *n, uint64_t *seq, struct why *why)
{
    return controlin_get_u64(n, "seq", UINT64_MAX, seq, why);
}
