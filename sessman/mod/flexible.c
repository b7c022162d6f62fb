/* sessman/mod/flexible.c - flexible retrieval of offline messages (XEP-0013): how many, from whom, one by one
 * or all, and away with them
 *
 * Whoever asks for any of this gets nothing that waits by itself any more in this session, nor does another
 * of his resources meanwhile (XEP-0013 2.2; waiting.h). A message's node is the time when it came, a number
 * among those of that time, and its id: in the order of bytes, as 2.3 has it, while only the id counts when
 * it comes back. */
#include "common/xmpp/delay.h"
#include "common/xmpp/form.h"
#include "sessman/account.h"
#include "sessman/deliver.h"
#include "sessman/edges.h"
#include "sessman/module.h"
#include "sessman/offline.h"
#include "sessman/session.h"
#include "sessman/smqueue.h"
#include "sessman/waiting.h"

enum {
    ITEMS_MOST = 200,   /* of one request */
    LIST_MOST = 4000,   /* headers in one answer: the oldest; it must fit a frame */
    PAGE_ROWS = 50,     /* read at a time */
    PAGE_BYTES = 65536, /* sent, after which the edge must have caught up */
    PACE_MS = 10,
    PACES_MOST = 1000, /* without a client that acknowledges anything */
};

enum kind { LIST, VIEW, REMOVE, FETCH, PURGE };
/* A request under way; it lives in in->a. */
struct job {
    struct incoming *in;
    enum kind kind;
    struct timer timer;
    struct node *query;       /* LIST: the answer */
    struct journal_row *rows; /* VIEW, REMOVE: which; without their stanzas */
    size_t n, at;
    uint64_t from, end; /* LIST, FETCH, PURGE: positions still to be read */
    int64_t at_ms;      /* of the last message that got a node, and which among those of that time */
    unsigned nth;
    size_t listed, bytes; /* headers; bytes sent since the edge has caught up */
    uint64_t seq;         /* last frame of what was sent */
    unsigned paces;       /* waited for the edge, or the client, since it last got on */
    bool missing;
};

static bool is_sending(const struct job *j)
{
    return j->kind == VIEW || j->kind == FETCH;
}

static void set_sending(struct job *j, bool on)
{
    if (j->in->session && is_sending(j))
        j->in->session->retrieving = on;
}

static void finish(struct job *j, struct node *payload)
{
    set_sending(j, false);
    in_result(j->in, payload);
    in_done(j->in);
}

/* Its session has ended, or has lost the connection that it is to be sent to. */
static bool is_pointless(const struct job *j)
{
    return !j->in->session || (is_sending(j) && !j->in->session->edge);
}

static struct slice node_name(struct job *j, struct arena *a, const struct journal_row *row)
{
    char id[JOURNAL_ID_LEN];
    j->nth = row->at_ms == j->at_ms ? j->nth + 1 : 0;
    j->at_ms = row->at_ms;
    journal_id_write(j->in->sm, row->pos, id);
    return arena_fmt(a, SLICE_FMT "-%04u-%.*s", SLICE_ARG(time_write(a, row->at_ms)), j->nth, JOURNAL_ID_LEN,
                     id);
}

static bool node_read(const struct sessman *sm, struct slice text, uint64_t *pos)
{
    return text.len >= JOURNAL_ID_LEN &&
           journal_id_read(sm, slice_from(text, text.len - JOURNAL_ID_LEN), pos);
}

static struct node *row_parse(const struct job *j, struct arena *a, const struct journal_row *row)
{
    struct sessman *sm = j->in->sm;
    struct node *n;
    struct why why;
    if (xmlin_parse(sm->xml, a, row->stanza, &sm->xml_limits, &n, &why) == RC_OK)
        return n;
    struct log_ctx log = sessman_log(sm, LOG_STORE);
    LOG_ERROR(&log, "journal_row_bad", F_STR("account", j->in->target->bare), F_UINT("pos", row->pos),
              F_WHY(&why));
    return NULL;
}

/* --- what a page is for --- */

/* XEP-0013 2.3: the sender's full JID, and the node. */
static void list_row(struct job *j, const struct journal_row *row)
{
    struct incoming *in = j->in;
    struct arena *a = arena_take(in->sm->arenas);
    const struct node *n = row_parse(j, a, row);
    if (n && j->listed < LIST_MOST) {
        struct node *item = node_add(in->a, j->query, "item", NS_DISCO_ITEMS);
        node_set(in->a, item, "jid", account_bare(in->target));
        node_set(in->a, item, "node", node_name(j, in->a, row));
        node_set(in->a, item, "name", arena_copy(in->a, node_attr(n, "from")));
        j->listed++;
    }
    arena_give(in->sm->arenas, &a);
}

/* XEP-0013 2.4: as it was stored, with its node. */
static void send_row(struct job *j, const struct journal_row *row)
{
    struct incoming *in = j->in;
    struct sessman *sm = in->sm;
    struct arena *a = arena_take(sm->arenas);
    struct node *n = row_parse(j, a, row);
    if (n && offline_expired(sm, a, n)) {
        in_wrote(in, waiting_drop(sm, in->target, row));
    } else if (n) {
        if (row->flags & JOURNAL_KEEP_OWNER)
            journal_id_add(sm, a, n, account_bare(in->target), row->pos);
        delay_add(a, n, account_domain(in->target), row->at_ms, "Offline storage");
        struct node *offline = node_add(a, n, "offline", NS_FLEXIBLE);
        node_set(a, node_add(a, offline, "item", NULL), "node", node_name(j, a, row));
        deliver_to_session(sm, in->ticket, in->session, n);
        j->bytes += row->stanza.len;
        j->seq = rlink_sent(sm->rlink, in->session->edge->node);
    }
    arena_give(sm->arenas, &a);
}

static void use_row(struct job *j, const struct journal_row *row)
{
    if (row->pos >= j->end)
        return; /* it came after the question */
    if (j->kind == LIST)
        list_row(j, row);
    else if (j->kind == PURGE)
        in_wrote(j->in, waiting_drop(j->in->sm, j->in->target, row));
    else
        send_row(j, row);
}

/* --- page after page --- */

static void next(struct job *j);

static void on_pace(struct timer *t)
{
    next(CONTAINER(t, struct job, timer));
}

static void give_up(struct job *j, const char *text)
{
    set_sending(j, false);
    in_error(j->in, COND_RESOURCE_CONSTRAINT, text);
    in_done(j->in);
}

/* False: what was sent is still on its way, or not acknowledged by a client that does so; it goes on later.
 */
static bool has_room(struct job *j)
{
    struct sessman *sm = j->in->sm;
    const struct session *s = j->in->session;
    if (j->bytes < PAGE_BYTES)
        return true;
    if (rlink_acked(sm->rlink, s->edge->node) >= j->seq && smqueue_has_room(sm, s)) {
        j->bytes = 0;
        j->paces = 0;
        return true;
    }
    if (++j->paces > PACES_MOST) {
        give_up(j, "the client takes nothing");
    } else {
        loop_timer(sm->loop, &j->timer, PACE_MS, on_pace);
        in_release(j->in); /* its acknowledgements come behind it */
    }
    return false;
}

static void on_page(void *ctx, const struct journal_row *rows, size_t n, uint64_t from)
{
    struct job *j = ctx;
    for (size_t i = 0; i < n && !is_pointless(j); i++)
        use_row(j, &rows[i]);
    j->from = from < j->end ? from : 0;
    next(j);
}

static void on_one(void *ctx, const struct journal_row *rows, size_t n, uint64_t from)
{
    struct job *j = ctx;
    (void)from;
    if (n && !is_pointless(j))
        send_row(j, rows);
    j->at++;
    next(j);
}

static void next(struct job *j)
{
    struct incoming *in = j->in;
    if (is_pointless(j)) {
        give_up(j, "the connection was lost"); /* for when it is resumed */
        return;
    }
    if (is_sending(j) && !has_room(j))
        return;
    if (j->kind == VIEW && j->at < j->n)
        waiting_row(in->sm, in->target, j->rows[j->at].pos, on_one, j);
    else if (j->kind != VIEW && j->from && j->listed < LIST_MOST)
        waiting_rows(in->sm, in->target, j->from, PAGE_ROWS, on_page, j);
    else
        finish(j, j->query);
}

static struct job *job_new(struct incoming *in, enum kind kind)
{
    struct job *j = ARENA_NEW(in->a, struct job);
    j->in = in;
    j->kind = kind;
    j->from = 1;
    j->end = journal_end(in->sm);
    waiting_park(in->sm, in->session);
    set_sending(j, true);
    in_hold(in);
    return j;
}

/* --- some of them --- */

/* All are looked for before anything is done: one that is not there is an error (XEP-0013 2.4, 2.5). */
static void on_looked(void *ctx, const struct journal_row *rows, size_t n, uint64_t from)
{
    struct job *j = ctx;
    (void)from;
    j->missing = j->missing || !n;
    if (n)
        j->rows[j->at] = *rows;
    if (++j->at < j->n)
        return;
    j->at = 0;
    if (j->missing) {
        set_sending(j, false);
        in_error(j->in, COND_ITEM_NOT_FOUND, NULL);
        in_done(j->in);
        return;
    }
    if (j->kind == VIEW) {
        next(j);
        return;
    }
    for (size_t i = 0; i < j->n; i++)
        in_wrote(j->in, waiting_drop(j->in->sm, j->in->target, &j->rows[i]));
    finish(j, NULL);
}

static void add_once(struct journal_row *rows, size_t *n, uint64_t pos)
{
    for (size_t i = 0; i < *n; i++)
        if (rows[i].pos == pos)
            return;
    rows[(*n)++].pos = pos;
}

/* False: answered. */
static bool read_items(struct incoming *in, const char *action, struct journal_row *rows, size_t *n)
{
    uint64_t pos;
    *n = 0;
    for (const struct node *item = node_child(in->st.payload); item; item = node_sibling(item)) {
        if (!node_is(item, "item", NS_FLEXIBLE) || !slice_is(node_attr(item, "action"), action)) {
            in_error(in, COND_BAD_REQUEST, NULL);
            return false;
        }
        if (!node_read(in->sm, node_attr(item, "node"), &pos)) {
            in_error(in, COND_ITEM_NOT_FOUND, NULL);
            return false;
        }
        add_once(rows, n, pos);
    }
    return true;
}

static enum handled some(struct incoming *in, enum kind kind)
{
    unsigned asked = node_children(in->st.payload);
    if (!asked || asked > ITEMS_MOST) {
        in_error(in, asked ? COND_POLICY_VIOLATION : COND_BAD_REQUEST,
                 asked ? "too many messages at once" : NULL);
        return HANDLED;
    }
    struct journal_row *rows = ARENA_ARRAY(in->a, asked, struct journal_row);
    size_t n;
    if (!read_items(in, kind == VIEW ? "view" : "remove", rows, &n))
        return HANDLED;
    struct job *j = job_new(in, kind);
    j->rows = rows;
    j->n = n;
    for (size_t i = 0; i < n; i++)
        waiting_row(in->sm, in->target, rows[i].pos, on_looked, j);
    return HANDLED;
}

/* --- requests --- */

/* XEP-0013 2.6 has <fetch/> in a get; clients are about that send it in a set. */
static enum handled on_offline(struct incoming *in)
{
    bool get = in->st.type == IQ_GET;
    const struct node *child = node_child(in->st.payload);
    bool fetch = node_is(child, "fetch", NS_FLEXIBLE);
    if (!in->session)
        return HANDLED;
    if (in->session->retrieving && (get || fetch)) {
        in_error(in, COND_RESOURCE_CONSTRAINT, "others are still being sent");
        return HANDLED;
    }
    if (!fetch && (get || !node_is(child, "purge", NS_FLEXIBLE)))
        return some(in, get ? VIEW : REMOVE);
    if (node_sibling(child))
        in_error(in, COND_BAD_REQUEST, NULL);
    else
        next(job_new(in, fetch ? FETCH : PURGE));
    return HANDLED;
}

static bool is_ours(const struct incoming *in)
{
    return slice_is(node_attr(in->st.payload, "node"), NS_FLEXIBLE);
}

/* XEP-0013 2.2 */
static enum handled on_info(struct incoming *in)
{
    if (!is_ours(in) || !in->session)
        return PASS;
    waiting_park(in->sm, in->session);
    struct node *query = node_new(in->a, "query", NS_DISCO_INFO);
    node_set(in->a, query, "node", SLICE(NS_FLEXIBLE));
    struct node *id = node_add(in->a, query, "identity", NS_DISCO_INFO);
    node_set(in->a, id, "category", SLICE("automation"));
    node_set(in->a, id, "type", SLICE("message-list"));
    node_set(in->a, node_add(in->a, query, "feature", NS_DISCO_INFO), "var", SLICE(NS_FLEXIBLE));
    struct node *form = form_new(in->a, query, FORM_RESULT, NS_FLEXIBLE);
    form_field(in->a, form, "number_of_messages", NULL, NULL,
               arena_fmt(in->a, "%llu", (unsigned long long)in->target->offline_n));
    in_result(in, query);
    return HANDLED;
}

/* XEP-0013 2.3 */
static enum handled on_items(struct incoming *in)
{
    if (!is_ours(in) || !in->session)
        return PASS;
    struct job *j = job_new(in, LIST);
    j->query = node_new(in->a, "query", NS_DISCO_ITEMS);
    node_set(in->a, j->query, "node", SLICE(NS_FLEXIBLE));
    next(j);
    return HANDLED;
}

/* Of somebody else: whether there is such an account makes no difference. */
static enum handled on_others(struct incoming *in)
{
    if (!slice_is(in->st.payload->ns, NS_FLEXIBLE) && !is_ours(in))
        return PASS;
    in_error(in, COND_FORBIDDEN, NULL);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET | ON_IQ_SET, NS_FLEXIBLE, "offline", TO_OWN_ACCOUNT, on_offline },
    { ON_IQ_GET, NS_DISCO_INFO, "query", TO_OWN_ACCOUNT, on_info },
    { ON_IQ_GET, NS_DISCO_ITEMS, "query", TO_OWN_ACCOUNT, on_items },
    { ON_IQ_GET | ON_IQ_SET, NS_FLEXIBLE, "offline", TO_ACCOUNT, on_others },
    { ON_IQ_GET, NS_DISCO_INFO, "query", TO_ACCOUNT, on_others },
    { ON_IQ_GET, NS_DISCO_ITEMS, "query", TO_ACCOUNT, on_others },
    { 0 },
};
static const char *const features[] = { NS_FLEXIBLE, NULL };
const struct module mod_flexible = {
    .name = "flexible",
    .spec = "XEP-0013 1.3",
    .features = features,
    .handlers = handlers,
    .session_end = waiting_unpark,
};
