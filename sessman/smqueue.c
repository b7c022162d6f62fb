#include "sessman/smqueue.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/edge/sm.h"
#include "common/edge/smelement.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/deliver.h"
#include "sessman/edges.h"
#include "sessman/journal.h"
#include "sessman/out.h"
#include "sessman/restore.h"
#include "sessman/resume.h"
#include "sessman/smqueuein.h"

#define ID_BYTES 24 /* random, of a resumption id */
enum {
    KEPT_STANZAS = 200,
    KEPT_BYTES = 64 * 1024
}; /* of a queue, in the session's row: it is written as a whole */

static void on_over(struct turn *t);

void smqueues_new(struct sessman *sm)
{
    struct smqueues *all = mem_new(sizeof *all);
    all->sm = sm;
    list_init(&all->held);
    list_init(&all->over);
    list_init(&all->asleep);
    list_init(&all->past);
    all->end_over.fn = on_over;
    sm->smqueues = all;
}

/* --- what is in it --- */

static struct smitem *item_new(uint64_t ticket, uint64_t pos, const struct slice *pieces, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += pieces[i].len;
    struct smitem *it = mem_new(sizeof *it + len);
    char *p = it->bytes;
    it->ticket = ticket;
    it->pos = pos;
    it->len = (uint32_t)len;
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].len)
            memcpy(p, pieces[i].p, pieces[i].len);
        p += pieces[i].len;
    }
    return it;
}

static void append(struct smqueue *q, struct smitem *it)
{
    if (q->last)
        q->last->next = it;
    else
        q->first = it;
    q->last = it;
    if (!q->unsent)
        q->unsent = it;
    q->n++;
    q->bytes += sizeof *it + it->len;
}

/* The first one goes; it has been sent. */
static void drop_first(struct smqueue *q)
{
    struct smitem *it = q->first;
    q->first = it->next;
    if (!q->first)
        q->last = NULL;
    if (q->unsent == it)
        q->unsent = it->next;
    q->n--;
    q->bytes -= sizeof *it + it->len;
    mem_free(it);
}

/* --- sending --- */

static bool may_send(const struct smqueue *q)
{
    return q->session->edge && !q->waits_edge;
}

static void flush(struct smqueue *q)
{
    struct sessman *sm = q->sm;
    const struct session *s = q->session;
    uint64_t committed = store_committed(sm->store);
    if (!may_send(q))
        return;
    if (q->opening && q->opening_ticket <= committed) {
        struct slice element = slice_of(q->opening, q->opening_len);
        rlink_send(sm->rlink, s->edge->node, FRAME_CONTROL, s->id, &element, 1);
        MEM_FREE(&q->opening);
        q->told = true;
    }
    while (!q->opening && q->unsent && q->unsent->ticket <= committed) {
        struct slice bytes = slice_of(q->unsent->bytes, q->unsent->len);
        metric_add(sm->metrics, M_STANZAS_OUT, 1);
        rlink_send(sm->rlink, s->edge->node, FRAME_STANZA, s->id, &bytes, 1);
        q->unsent = q->unsent->next;
    }
    bool waits = q->opening || q->unsent;
    if (waits && !link_in_list(&q->held))
        list_append(&sm->smqueues->held, &q->held);
    else if (!waits)
        list_unlink(&q->held);
    edge_check_backlog(s->edge);
}

void smqueue_committed(struct sessman *sm)
{
    if (!sm->smqueues) /* the last commits come after it, when the process ends */
        return;
    LIST_EACH(&sm->smqueues->held, it)
        flush(CONTAINER(it, struct smqueue, held));
}

void smqueue_open(struct smqueue *q, struct slice control, uint64_t ticket)
{
    mem_free(q->opening);
    q->opening = mem_copy(control);
    q->opening_len = (uint32_t)control.len;
    q->opening_ticket = ticket;
    flush(q);
}

void smqueue_close(struct smqueue *q)
{
    list_unlink(&q->held);
    MEM_FREE(&q->opening);
    q->waits_edge = false;
}

/* --- limits --- */

static void on_over(struct turn *t)
{
    struct smqueues *all = CONTAINER(t, struct smqueues, end_over);
    struct sessman *sm = all->sm;
    while (!list_empty(&all->over)) {
        struct smqueue *q = CONTAINER(all->over.next, struct smqueue, over);
        struct log_ctx log = sessman_log(sm, LOG_XMPP);
        LOG_INFO(&log, "sm_queue_full", F_STR("jid", q->session->jid), F_UINT("stanzas", q->n),
                 F_UINT("bytes", q->bytes), F_UINT("connected", q->session->edge != NULL));
        metric_add(sm->metrics, M_LIMIT_SM_QUEUE, 1);
        list_unlink(&q->over);
        session_close(sm, q->session, STREAM_POLICY_VIOLATION, "too much is not acknowledged");
    }
}

/* Not now: the caller may be in the middle of the account's sessions. */
static void check_limits(struct smqueue *q)
{
    const struct sessman_conf *conf = q->sm->conf;
    if ((q->n <= conf->sm_queue_stanzas && q->bytes <= conf->sm_queue_bytes) || link_in_list(&q->over))
        return;
    list_append(&q->sm->smqueues->over, &q->over);
    loop_at_turn_end(q->sm->loop, &q->sm->smqueues->end_over);
}

/* --- in --- */

bool smqueue_has_room(const struct sessman *sm, const struct session *s)
{
    const struct smqueue *q = s->sm;
    return !q || (q->n <= sm->conf->sm_queue_stanzas / 4 && q->bytes <= sm->conf->sm_queue_bytes / 4);
}

uint64_t smqueue_next(const struct session *s)
{
    return s->sm->out + 1;
}

/* While nobody takes it, what is in no journal is in the session's row. */
static void queue_dirty(struct sessman *sm, const struct session *s, uint64_t pos)
{
    if (s->sm->detached_ms && !pos)
        session_dirty(sm, (struct session *)(uintptr_t)s);
}

void smqueue_put(struct sessman *sm, const struct session *s, uint64_t ticket, uint64_t pos, uint64_t held_n,
                 const struct slice *pieces, size_t n)
{
    struct smqueue *q = s->sm;
    struct smitem *it = item_new(ticket, pos, pieces, n);
    it->n = ++q->out;
    append(q, it);
    queue_dirty(sm, s, pos);
    if (pos && held_n != it->n && s->row)
        store_run(sm->store, STMT_JOURNAL_HOLD, STORE_VALUES(STORE_I(pos), STORE_I(s->row), STORE_I(it->n)),
                  NULL, NULL);
    if (q->unsent == it)
        flush(q);
    check_limits(q);
}

bool smqueue_fanout(struct sessman *sm, const struct session *s, uint64_t ticket, struct slice stanza,
                    size_t to_at)
{
    struct smqueue *q = s->sm;
    struct buf to = BUF_INIT(0);
    xmlout_attr(&to, "to", session_jid(s));
    const struct slice pieces[] = { slice_to(stanza, to_at), buf_get(&to), slice_from(stanza, to_at) };
    struct smitem *it = item_new(ticket, 0, pieces, 3);
    bool now = !q->unsent && !q->opening && may_send(q) && ticket <= store_committed(sm->store);
    it->n = ++q->out;
    append(q, it);
    queue_dirty(sm, s, 0);
    if (now)
        q->unsent = NULL;
    else if (may_send(q) && !link_in_list(&q->held))
        list_append(&sm->smqueues->held, &q->held);
    check_limits(q);
    buf_fini(&to);
    return now;
}

/* --- acknowledged --- */

uint64_t smqueue_number(const struct smqueue *q, uint32_t h)
{
    return sm_near(q->acked, h);
}

bool smqueue_was_sent(const struct smqueue *q, uint64_t h)
{
    uint64_t sent = q->unsent ? q->unsent->n - 1 : q->out;
    return h >= q->acked && h <= sent;
}

bool smqueue_has_after(const struct smqueue *q, uint64_t h)
{
    uint64_t here = 0;
    for (const struct smitem *it = q->last && q->last->n > h ? q->first : NULL; it; it = it->next)
        here += it->n > h;
    return here == q->out - h;
}

void smqueue_settle(struct smqueue *q, uint64_t h)
{
    while (q->first && q->first->n <= h) {
        uint64_t pos = q->first->pos;
        drop_first(q);
        if (pos)
            journal_settled(q->sm, q->session->account->id, pos);
    }
    q->acked = h;
}

void smqueue_rewind(struct smqueue *q)
{
    q->unsent = q->first;
}

void smqueue_acked(struct sessman *sm, struct session *s, uint32_t h)
{
    struct smqueue *q = s->sm;
    uint64_t number = q ? smqueue_number(q, h) : 0;
    if (q && smqueue_was_sent(q, number))
        smqueue_settle(q, number);
    else if (!q || !q->gaps) /* else it is of before a restart, about what was settled then */
        metric_add(sm->metrics, M_BAD_FRAMES,
                   1); /* the edge lies, or speaks of a session that was another then */
}

uint64_t smqueue_took(struct sessman *sm, struct session *s, uint64_t number)
{
    if (!s->sm || number <= s->sm->in)
        return 0;
    s->sm->in = number;
    return session_dirty_count(sm, s);
}

/* --- the whole of it --- */

static struct smqueue *queue_new(struct sessman *sm, struct session *s, const struct control_sm_enable *c,
                                 struct control_sm_enabled *enabled)
{
    const struct sessman_conf *conf = sm->conf;
    uint32_t most_s = conf->hibernate_max_ms / 1000, usual_s = conf->hibernate_ms / 1000;
    struct smqueue *q = s->sm = mem_new(sizeof *q);
    *enabled = (struct control_sm_enabled){ 0 };
    q->sm = sm;
    q->session = s;
    if (c->resume && conf->resume) {
        struct arena *a = arena_take(sm->arenas);
        q->hibernate_s = c->max_s ? (c->max_s < most_s ? c->max_s : most_s) : usual_s;
        q->id = mem_copy(secret_token(a, ID_BYTES));
        *enabled = (struct control_sm_enabled){ slice_cstr(q->id), q->hibernate_s };
        arena_give(sm->arenas, &a);
    }
    return q;
}

void smqueue_enable(struct sessman *sm, struct session *s, const struct control_sm_enable *c)
{
    struct control_sm_enabled enabled;
    struct buf b = BUF_INIT(0);
    if (s->sm || !s->account) {
        metric_add(sm->metrics, M_BAD_FRAMES, 1);
        return;
    }
    struct smqueue *q = queue_new(sm, s, c, &enabled);
    control_write_sm_enabled(&b, &enabled);
    uint64_t ticket = session_dirty_place(sm, s), held = out_held_ticket(sm);
    smqueue_open(q, buf_get(&b),
                 ticket > held ? ticket : held); /* what waits already is sent before, uncounted */
    buf_fini(&b);
}

void smqueue_enable_inline(struct sessman *sm, struct session *s, const struct control_sm_enable *c,
                           struct buf *out)
{
    struct control_sm_enabled enabled;
    queue_new(sm, s, c, &enabled)->told = true;
    session_dirty_place(sm, s); /* what tells of it waits for the row already */
    smelement_write_enabled(out, &enabled, SLICE_NONE);
}

void smqueue_free(struct session *s)
{
    struct smqueue *q = s->sm;
    if (!q)
        return;
    q->unsent = NULL;
    while (q->first)
        drop_first(q);
    timer_stop(&q->expiry);
    list_unlink(&q->held);
    list_unlink(&q->over);
    if (link_in_list(&q->asleep))
        q->sm->smqueues->n_asleep--;
    list_unlink(&q->asleep);
    mem_free(q->opening);
    mem_free(q->id);
    MEM_FREE(&s->sm);
}

/* As what is sent to a resource that is not there (RFC 6121 8.5.3.2), less what only a row of the journal
 * would save. */
static void bounce(struct smqueue *q, const struct smitem *it)
{
    struct sessman *sm = q->sm;
    const struct account *acc = q->session->account;
    struct arena *a = arena_take(sm->arenas);
    struct node *n, *e = NULL;
    struct stanza st;
    enum stanza_cond cond;
    if (xmlin_parse(sm->xml, a, slice_of(it->bytes, it->len), &sm->xml_limits, &n, NULL) == RC_OK &&
        stanza_read(a, n, &st, &cond) == RC_OK && st.has_from &&
        !slice_eq(jid_bare(&st.from), account_bare(acc)) &&
        deliver_decide(DELIVER_FULL_NO_MATCH, deliver_situation(acc), st.type) == DELIVER_ERROR)
        e = stanza_error(a, &st, COND_SERVICE_UNAVAILABLE, NULL);
    if (e)
        dispatch_stanza(sm, e, 0);
    arena_give(sm->arenas, &a);
}

void smqueue_reroute(struct sessman *sm, struct session *s)
{
    struct smqueue *q = s->sm;
    if (!q)
        return;
    q->unsent = NULL;
    while (q->first) {
        if (q->first->pos)
            journal_unsettled(sm, s->account->id, q->first->pos);
        else
            bounce(q, q->first);
        drop_first(q);
    }
}

/* --- the row, and back --- */

void smqueue_row(const struct session *s, struct smqueue_row *out)
{
    const struct smqueue *q = s->sm;
    *out = (struct smqueue_row){ q->id ? slice_cstr(q->id) : SLICE_NONE, q->in, q->hibernate_s };
}

/* Until an edge says what was sent, what is new has numbers that nothing can have had before: a client that
 * comes back acknowledges none of it. */
#define GAP (UINT64_C(1) << 28)

void smqueue_restored(struct sessman *sm, struct session *s, const struct smqueue_row *row)
{
    struct smqueue *q = s->sm = mem_new(sizeof *q);
    q->sm = sm;
    q->session = s;
    q->id = row->id.len ? mem_copy(row->id) : NULL;
    q->in = row->in;
    q->hibernate_s = row->hibernate_s;
    q->out = GAP;
    q->waits_edge = q->gaps = true;
    q->told = row->id.len > 0;
}

/* By number; there is none of that number yet. */
static void insert(struct smqueue *q, struct smitem *it)
{
    struct smitem **at = &q->first;
    if (!q->last || q->last->n < it->n) {
        append(q, it);
        return;
    }
    while ((*at)->n < it->n)
        at = &(*at)->next;
    it->next = *at;
    *at = it;
    q->n++;
    q->bytes += sizeof *it + it->len;
}

void smqueue_restored_stanza(struct sessman *sm, struct session *s, uint64_t pos, uint64_t n,
                             struct slice stanza)
{
    struct smqueue *q = s->sm;
    if (!q->gaps && n <= q->acked) { /* the client has had it */
        journal_settled(sm, s->account->id, pos);
        return;
    }
    struct smitem *it = item_new(0, pos, &stanza, 1);
    it->n = n;
    if (q->gaps) {
        if (!q->first)
            q->acked = n - 1;
        append(q, it);
        q->out = n + GAP;
    } else {
        insert(q, it);
        q->out = n > q->out ? n : q->out;
    }
    q->unsent = NULL;
}

void smqueue_state_write(struct buf *out, const struct session *s)
{
    const struct smqueue *q = s->sm;
    size_t n = 0, bytes = 0;
    if (!q || !q->detached_ms || q->gaps)
        return;
    for (const struct smitem *it = q->first; it; it = it->next) {
        n += !it->pos;
        bytes += it->pos ? 0 : it->len;
    }
    if (n > KEPT_STANZAS || bytes > KEPT_BYTES)
        return;
    buf_fmt(out, "<queue out='%llu' acked='%llu'>", (unsigned long long)q->out, (unsigned long long)q->acked);
    for (const struct smitem *it = q->first; it; it = it->next) {
        if (it->pos)
            continue;
        buf_fmt(out, "<kept n='%llu'>", (unsigned long long)it->n);
        xmlout_text(out, slice_of(it->bytes, it->len)); /* no elements: they would count */
        BUF_LIT(out, "</kept>");
    }
    BUF_LIT(out, "</queue>");
}

void smqueue_state_read(struct sessman *sm, struct arena *a, const struct node *state, struct session *s)
{
    struct smqueue *q = s->sm;
    const struct node *queue = node_find(state, "queue", NS_CLIENT);
    uint64_t out, acked, n;
    (void)sm;
    if (!queue || slice_u64(node_attr(queue, "out"), UINT64_MAX, &out) != RC_OK ||
        slice_u64(node_attr(queue, "acked"), UINT64_MAX, &acked) != RC_OK)
        return;
    q->out = out;
    q->acked = acked;
    q->gaps = false;
    for (const struct node *k = node_find(queue, "kept", NS_CLIENT); k;
         k = node_find_next(k, "kept", NS_CLIENT)) {
        struct slice stanza = node_text(a, k);
        if (slice_u64(node_attr(k, "n"), UINT64_MAX, &n) != RC_OK)
            continue; /* it is missed: smqueue_has_after */
        struct smitem *it = item_new(0, 0, &stanza, 1);
        it->n = n;
        insert(q, it);
    }
    q->unsent = NULL;
}

void smqueue_alive(struct sessman *sm, struct session *s, uint32_t out, uint32_t acked)
{
    struct smqueue *q = s->sm;
    uint64_t upto = sm_near(q->acked, acked);
    smqueue_settle(q, upto);
    q->out = upto + (uint32_t)(out - acked);
    q->unsent = NULL;
    for (struct smitem *it = q->first; it; it = it->next) {
        if (it->n <= q->out)
            continue;
        if (!q->unsent)
            q->unsent = it;
        if (it->n == q->out + 1) {
            q->out++;
            continue;
        }
        it->n = ++q->out; /* what stood between is gone */
        store_run(sm->store, STMT_JOURNAL_HOLD,
                  STORE_VALUES(STORE_I(it->pos), STORE_I(s->row), STORE_I(it->n)), NULL, NULL);
    }
    q->waits_edge = q->gaps = false;
    flush(q);
}
