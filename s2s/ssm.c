/* s2s/ssm.c */
#include "s2s/ssm.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/edge/smelement.h"

enum {
    OVERDUE_MS = 5000,     /* an <r/> waits for session managers so long before it is answered with less */
    KEPT_MAX = 10000,      /* streams that were cut; over it those who come back begin anew */
    KEPT_OF_A_DOMAIN = 50, /* and of one domain */
};

/* --- theirs to us: pure --- */

void ssm_in_take(struct ssm_in *s, uint64_t node, uint64_t seq)
{
    s->taken++;
    if (!node && !s->n) {
        s->done++;
        return;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct ssm_frame *ring = mem_array(cap, sizeof *ring);
        for (size_t i = 0; i < s->n; i++)
            ring[i] = s->ring[(s->head + i) % s->cap];
        mem_free(s->ring);
        s->ring = ring;
        s->cap = cap;
        s->head = 0;
    }
    s->ring[(s->head + s->n++) % s->cap] = (struct ssm_frame){ node, seq };
}

bool ssm_in_settle(struct ssm_in *s, uint64_t (*acked)(void *ctx, uint64_t node), void *ctx)
{
    bool some = false;
    while (s->n) {
        const struct ssm_frame *f = &s->ring[s->head];
        if (f->node && acked(ctx, f->node) < f->seq)
            break;
        s->head = (s->head + 1) % s->cap;
        s->n--;
        s->done++;
        some = true;
    }
    if (!s->n && s->cap) { /* an idle stream owns little */
        MEM_FREE(&s->ring);
        s->cap = s->head = 0;
    }
    return some;
}

bool ssm_in_needs(const struct ssm_in *s, uint64_t node)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->ring[(s->head + i) % s->cap].node == node)
            return true;
    }
    return false;
}

void ssm_in_fini(struct ssm_in *s)
{
    mem_free(s->ring);
    *s = (struct ssm_in){ 0 };
}

void ssm_free(struct ssm **smp)
{
    struct ssm *sm = *smp;
    if (!sm)
        return;
    ssm_in_fini(&sm->in);
    mem_free(sm->id);
    MEM_FREE(smp);
}

/* --- elements --- */

bool ssm_may_enable(const struct s2s *d)
{
    return d->conf->sm;
}

void ssm_feature_write(struct buf *out)
{
    BUF_LIT(out, "<sm xmlns='" NS_SM "'/>");
}

static void write_failed(struct wire *w, enum stanza_cond cond)
{
    struct buf out = BUF_INIT(0);
    METRIC_INC(w->d->metrics, M_SM_FAILED);
    smelement_write_failed(&out, cond, NULL);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
}

static void write_a(struct wire *w)
{
    struct buf out = BUF_INIT(0);
    w->sm->answer_at = 0;
    smelement_write_a(&out, (uint32_t)w->sm->in.done);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
}

static uint64_t acked_by(void *ctx, uint64_t node)
{
    const struct s2s *d = ctx;
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(d->link, &at)) != NULL;)
        if (n->id == node)
            return rlink_acked(d->link, n);
    return 0;
}

/* It is looked at when session managers acknowledge something. */
static void await(struct wire *w)
{
    if (w->sm->in.n && !link_in_list(&w->unsettled))
        list_append(&w->d->unsettled, &w->unsettled);
}

static void settle(struct wire *w)
{
    struct ssm *sm = w->sm;
    (void)ssm_in_settle(&sm->in, acked_by, w->d);
    if (sm->answer_at && sm->in.done >= sm->answer_at && !w->over)
        write_a(w);
}

static void on_r(struct wire *w)
{
    w->sm->answer_at = w->sm->in.taken;
    w->sm->answer_ms = loop_now_ms(w->d->loop);
    if (!w->sm->answer_at)
        write_a(w);
    else
        settle(w);
}

static void on_a(struct wire *w, const struct node *n)
{
    struct ssm *sm = w->sm;
    uint32_t h;
    if (smelement_read_a(n, &h) != RC_OK) {
        wire_fail(w, STREAM_BAD_FORMAT, "h is no number");
        return;
    }
    uint32_t ahead = h - (uint32_t)sm->acked, back = (uint32_t)sm->acked - h;
    if (ahead <= sm->out - sm->acked) {
        sm->acked += ahead;
        wire_acked(w, ahead);
        wire_dirty(w);
    } else if (back > sm->acked || back > UINT32_MAX / 2) { /* XEP-0198 6 */
        struct buf app = BUF_INIT(0);
        METRIC_INC(w->d->metrics, M_SM_TOO_HIGH);
        smelement_write_too_high(&app, h, (uint32_t)sm->out);
        wire_fail_app(w, STREAM_UNDEFINED_CONDITION, NULL, buf_get(&app));
        buf_fini(&app);
    }
}

static struct ssm *sm_new(void)
{
    struct ssm *sm = mem_new(sizeof *sm);
    sm->in_on = sm->out_on = true;
    return sm;
}

/* --- incoming streams --- */

static struct slice kept_id(const void *value)
{
    return slice_cstr(((const struct ssm_kept *)value)->id);
}

static void on_enable(struct wire *w, struct arena *a, const struct node *n)
{
    struct s2s *d = w->d;
    struct control_sm_enable ask;
    struct control_sm_enabled yes = { .max_s = d->conf->sm_keep_ms / 1000 };
    if (w->sm || !d->conf->sm) {
        write_failed(w, w->sm ? COND_UNEXPECTED_REQUEST : COND_FEATURE_NOT_IMPLEMENTED);
        return;
    }
    if (smelement_read_enable(n, &ask) != RC_OK) {
        write_failed(w, COND_BAD_REQUEST);
        return;
    }
    w->sm = sm_new();
    if (ask.resume && yes.max_s) {
        yes.id = secret_token(a, 16);
        w->sm->id = mem_copy(yes.id);
    }
    METRIC_INC(d->metrics, M_SM_ENABLED);
    struct buf out = BUF_INIT(0);
    smelement_write_enabled(&out, &yes, SLICE_NONE);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
}

/* The stream must have proven all that the one before had. */
static bool may_resume(struct wire *w, const struct ssm_kept *k)
{
    for (struct link *it = k->pairs.next; it != &k->pairs; it = it->next) {
        const struct in_pair *p = CONTAINER(it, struct in_pair, link);
        struct slice local = p->local ? slice_cstr(p->local) : wire_local(w);
        if (p->proof != PROOF_NONE && w->ops->may_send(w, local, slice_cstr(p->remote)) == PROOF_NONE)
            return false;
    }
    return true;
}

static void keep_in(struct wire *w);

/* Its stream before may not have noticed that it is dead. */
static struct ssm_kept *find_kept(struct wire *w, struct slice id)
{
    struct s2s *d = w->d;
    LIST_EACH(&d->wires, it) {
        struct wire *old = CONTAINER(it, struct wire, link);
        if (old == w || !old->incoming || old->over || !old->sm || !old->sm->id || !slice_is(id, old->sm->id))
            continue;
        in_drop_questions(in_of(old));
        keep_in(old);
        wire_cut(old, "resumed elsewhere");
        break;
    }
    return d->kept ? map_get(d->kept, id) : NULL;
}

static void on_resume(struct wire *w, const struct node *n)
{
    struct control_resume ask;
    if (w->sm || smelement_read_resume(n, &ask) != RC_OK) {
        write_failed(w, w->sm ? COND_UNEXPECTED_REQUEST : COND_BAD_REQUEST);
        return;
    }
    struct ssm_kept *k = find_kept(w, ask.previd);
    if (!k || !may_resume(w, k)) {
        write_failed(w, COND_ITEM_NOT_FOUND);
        return;
    }
    struct control_resumed yes = { .previd = ask.previd, .in = (uint32_t)k->sm->in.taken };
    map_remove(w->d->kept, slice_cstr(k->id));
    w->sm = k->sm;
    k->sm = NULL;
    w->sm->answer_at = 0;
    await(w);
    ssm_kept_drop(&k);
    METRIC_INC(w->d->metrics, M_SM_RESUMED);
    struct buf out = BUF_INIT(0);
    smelement_write_resumed(&out, &yes);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
}

/* --- outgoing streams --- */

/* XEP-0198 4: what follows <enable/> is counted, so nothing waits for the answer; nor is anything asked
 * before it. */
static void enable(struct out *o)
{
    struct wire *w = &o->w;
    bool resume = w->d->conf->sm_keep_ms > 0;
    wire_write(w, resume ? SLICE("<enable xmlns='" NS_SM "' resume='true'/>")
                         : SLICE("<enable xmlns='" NS_SM "'/>"));
    w->sm = sm_new();
    w->sm->in_on = false;
    w->probing = true; /* an answer is due */
    w->probe_ms = loop_now_ms(w->d->loop);
    out_ready(o);
}

void ssm_begin(struct out *o)
{
    struct pair *p = o->pair;
    struct ssm_kept *k = p ? p->resume : NULL;
    if (!o->sm || o->trace) {
        if (p)
            ssm_kept_drop(&p->resume);
        out_ready(o);
    } else if (!k) {
        enable(o);
    } else {
        struct buf out = BUF_INIT(0);
        o->state = OUT_SM;
        BUF_LIT(&out, "<resume xmlns='" NS_SM "'");
        xmlout_attr(&out, "previd", slice_cstr(k->id));
        buf_fmt(&out, " h='%lu'/>", (unsigned long)(uint32_t)k->sm->in.taken);
        wire_write(&o->w, buf_get(&out));
        buf_fini(&out);
        wire_arm(&o->w);
    }
}

static bool enabling(const struct wire *w)
{
    return w->sm && !w->sm->in_on;
}

static void on_enabled(struct wire *w, const struct node *n)
{
    struct slice id = node_attr(n, "id"), resume = node_attr(n, "resume");
    w->sm->in_on = true;
    if (id.len && id.len <= 4000 && (slice_is(resume, "true") || slice_is(resume, "1")))
        w->sm->id = mem_copy(id);
    METRIC_INC(w->d->metrics, M_SM_ENABLED);
    wire_dirty(w); /* now it may be asked */
}

/* What was sent has left as it does without stream management. */
static void on_not_enabled(struct wire *w)
{
    struct out *o = out_of(w);
    METRIC_INC(w->d->metrics, M_SM_FAILED);
    o->sm = false;
    LIST_EACH(&w->sent, it) {
        CONTAINER(it, struct item, link)->counted = false;
    }
    ssm_free(&w->sm);
    wire_dirty(w);
}

/* What the other side had had when the stream was cut. */
static void kept_acked(struct ssm_kept *k, uint32_t h)
{
    uint32_t ahead = h - (uint32_t)k->sm->acked;
    if (ahead > k->sm->out - k->sm->acked)
        return;
    k->sm->acked += ahead;
    for (; ahead && !list_empty(&k->sent); ahead--) {
        struct item *it = CONTAINER(k->sent.next, struct item, link);
        list_unlink(&it->link);
        item_finish(it);
    }
}

static bool read_h(const struct node *n, uint32_t *h)
{
    return node_has(n, "h") && smelement_read_a(n, h) == RC_OK;
}

static void on_resumed(struct out *o, const struct node *n)
{
    struct wire *w = &o->w;
    struct ssm_kept *k = o->pair ? o->pair->resume : NULL;
    uint32_t h;
    if (!k || !read_h(n, &h)) {
        wire_fail(w, STREAM_BAD_FORMAT, "resumed: what was not asked for");
        return;
    }
    kept_acked(k, h);
    w->sm = k->sm;
    k->sm = NULL;
    w->sm->asked = w->sm->acked;
    await(w);
    METRIC_INC(w->d->metrics, M_SM_RESUMED);
    while (!list_empty(&k->sent)) { /* XEP-0198 5: again, with the numbers that they had */
        struct item *it = CONTAINER(k->sent.next, struct item, link);
        list_unlink(&it->link);
        w->sm->out--; /* wire_send counts it */
        wire_send(w, it);
    }
    ssm_kept_drop(&o->pair->resume);
    out_ready(o);
}

static void on_failed(struct out *o, const struct node *n)
{
    struct ssm_kept *k = o->pair ? o->pair->resume : NULL;
    uint32_t h;
    METRIC_INC(o->w.d->metrics, M_SM_FAILED);
    if (k && read_h(n, &h))
        kept_acked(k, h);
    if (o->pair)
        ssm_kept_drop(&o->pair->resume);
    enable(o);
}

bool ssm_take(struct wire *w, struct arena *a, struct node *n)
{
    struct out *o = w->incoming ? NULL : out_of(w);
    if (!slice_is(n->ns, NS_SM))
        return false;
    if (slice_is(n->name, "r") && w->sm)
        on_r(w);
    else if (slice_is(n->name, "a") && w->sm)
        on_a(w, n);
    else if (slice_is(n->name, "enable") && !o)
        on_enable(w, a, n);
    else if (slice_is(n->name, "resume") && !o)
        on_resume(w, n);
    else if (slice_is(n->name, "enabled") && o && enabling(w))
        on_enabled(w, n);
    else if (slice_is(n->name, "failed") && o && enabling(w))
        on_not_enabled(w);
    else if (slice_is(n->name, "resumed") && o && o->state == OUT_SM)
        on_resumed(o, n);
    else if (slice_is(n->name, "failed") && o && o->state == OUT_SM)
        on_failed(o, n);
    else
        return false;
    return true;
}

/* --- while it runs --- */

void ssm_stanza(struct wire *w, const struct link_sent *sent)
{
    if (!w->sm || !w->sm->in_on)
        return;
    ssm_in_take(&w->sm->in, sent->seq ? sent->node->id : 0, sent->seq);
    await(w);
}

void ssm_wrote(struct wire *w)
{
    w->sm->out++;
}

void ssm_turn(struct wire *w)
{
    struct ssm *sm = w->sm;
    if (!sm || !sm->out_on || enabling(w) || sm->out == sm->acked || sm->acked < sm->asked)
        return;
    sm->asked = sm->out;
    wire_write(w, SLICE("<r xmlns='" NS_SM "'/>"));
}

bool ssm_probe(struct wire *w)
{
    if (!w->sm || !w->sm->out_on)
        return false;
    w->sm->asked = w->sm->out;
    wire_write(w, SLICE("<r xmlns='" NS_SM "'/>"));
    return true;
}

void ssm_last(struct wire *w)
{
    if (w->sm && w->sm->in_on && w->sm->in.taken) {
        (void)ssm_in_settle(&w->sm->in, acked_by, w->d);
        write_a(w);
    }
}

void ssm_tick(struct wire *w, uint64_t now_ms)
{
    struct ssm *sm = w->sm;
    if (!sm->answer_at || now_ms < sm->answer_ms + OVERDUE_MS)
        return;
    write_a(w);
}

void ssm_acked(struct s2s *d, uint64_t node)
{
    (void)node; /* whoever waits for another one is asked in vain, which is cheap */
    LIST_EACH(&d->unsettled, it) {
        struct wire *w = CONTAINER(it, struct wire, unsettled);
        if (w->sm)
            settle(w);
        if (!w->sm || !w->sm->in.n)
            list_unlink(it);
    }
}

/* What was in its channel has not been committed, and never will be: the peer is to send it again, elsewhere.
 */
void ssm_node_gone(struct s2s *d, uint64_t node)
{
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (!w->sm || !ssm_in_needs(&w->sm->in, node))
            continue;
        MEM_FREE(&w->sm->id);
        wire_fail(w, STREAM_RESET, "session manager restarted");
    }
    ssm_kept_tick(d, UINT64_MAX);
}

/* --- a stream was cut --- */

static struct ssm_kept *kept_new(struct wire *w, uint64_t keep_ms)
{
    struct ssm_kept *k = mem_new(sizeof *k);
    k->d = w->d;
    k->sm = w->sm;
    w->sm = NULL;
    k->id = mem_copy(slice_cstr(k->sm->id));
    k->incoming = w->incoming;
    k->until_ms = loop_now_ms(w->d->loop) + keep_ms;
    list_init(&k->pairs);
    list_init(&k->sent);
    return k;
}

static void take_list(struct link *to, struct link *from)
{
    while (!list_empty(from)) {
        struct link *it = from->next;
        list_unlink(it);
        list_append(to, it);
    }
}

static void keep_in(struct wire *w)
{
    struct s2s *d = w->d;
    wire_give_back(w); /* ours go another way, at once */
    struct ssm_kept *k = kept_new(w, d->conf->sm_keep_ms);
    k->sm->out = k->sm->acked; /* and are not counted there */
    take_list(&k->pairs, &in_of(w)->pairs);
    if (!d->kept)
        d->kept = map_new(kept_id);
    map_put(d->kept, k);
    metric_set(d->metrics, M_KEPT, (int64_t)map_count(d->kept));
}

/* What strangers leave behind is bounded: whoever leaves too much has nothing to resume. */
static bool is_full(struct s2s *d, struct slice remote)
{
    size_t at = 0, n = d->kept ? map_count(d->kept) : 0, of_it = 0;
    if (n < KEPT_OF_A_DOMAIN)
        return false;
    for (struct ssm_kept *k; (k = map_next(d->kept, &at)) != NULL;)
        of_it += !list_empty(&k->pairs) &&
                 slice_is(remote, CONTAINER(k->pairs.next, struct in_pair, link)->remote);
    if (n < KEPT_MAX && of_it < KEPT_OF_A_DOMAIN)
        return false;
    METRIC_INC(d->metrics, M_LIMIT_KEPT);
    return true;
}

void ssm_keep(struct wire *w)
{
    struct s2s *d = w->d;
    if (!w->sm || !w->sm->id || w->ended || w->said_end || d->stopping) {
        wire_give_back(w);
        ssm_free(&w->sm);
        return;
    }
    if (w->incoming && !is_full(d, wire_remote(w))) {
        keep_in(w);
        return;
    }
    struct pair *p = w->incoming ? NULL : out_of(w)->pair;
    if (!p || p->resume) {
        wire_give_back(w);
        ssm_free(&w->sm);
        return;
    }
    struct ssm_kept *k = kept_new(w, d->conf->queue_age_ms);
    while (!list_empty(&w->sent)) {
        struct item *it = CONTAINER(w->sent.next, struct item, link);
        list_unlink(&it->link);
        it->pair->held--;
        list_append(&k->sent, &it->link);
    }
    w->n_sent = w->sent_bytes = 0;
    p->resume = k;
}

void ssm_kept_drop(struct ssm_kept **kp)
{
    struct ssm_kept *k = *kp;
    if (!k)
        return;
    *kp = NULL;
    while (!list_empty(&k->sent)) {
        struct item *it = CONTAINER(k->sent.prev, struct item, link);
        list_unlink(&it->link);
        pair_back(it->pair, it);
    }
    while (!list_empty(&k->pairs)) {
        struct in_pair *p = CONTAINER(k->pairs.next, struct in_pair, link);
        list_unlink(&p->link);
        in_pair_free(p);
    }
    ssm_free(&k->sm);
    mem_free(k->id);
    mem_free(k);
}

static bool kept_stays(void *value, void *ctx)
{
    struct ssm_kept *k = value;
    const uint64_t *now_ms = ctx;
    (void)ssm_in_settle(&k->sm->in, acked_by, k->d);
    if (*now_ms < k->until_ms)
        return true;
    ssm_kept_drop(&k);
    return false;
}

void ssm_kept_tick(struct s2s *d, uint64_t now_ms)
{
    if (!d->kept)
        return;
    map_each(d->kept, kept_stays, &now_ms);
    metric_set(d->metrics, M_KEPT, (int64_t)map_count(d->kept));
}

void ssm_kept_free_all(struct s2s *d)
{
    if (d->kept)
        map_each(d->kept, kept_stays, &(uint64_t){ UINT64_MAX });
    map_free(&d->kept);
}
