#include "sessman/resume.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "sessman/account.h"
#include "sessman/csi.h"
#include "sessman/edges.h"
#include "sessman/journal.h"
#include "sessman/out.h"
#include "sessman/restore.h"
#include "sessman/smqueuein.h"

#define PAST_MAX 1000 /* ids of sessions that have ended, remembered */

static struct log_ctx resume_log(const struct sessman *sm, const struct session *s)
{
    struct log_ctx log = sessman_log(sm, LOG_XMPP);
    log.conn = s->id;
    return log;
}

/* --- ids that were --- */

static void past_drop(struct smqueues *all, struct past_id *p)
{
    list_unlink(&p->link);
    all->n_past--;
    mem_free(p->id);
    mem_free(p->bare);
    mem_free(p);
}

static void past_keep(struct smqueue *q)
{
    struct smqueues *all = q->sm->smqueues;
    struct past_id *p = mem_new(sizeof *p);
    if (all->n_past == PAST_MAX)
        past_drop(all, CONTAINER(all->past.next, struct past_id, link));
    p->id = q->id;
    q->id = NULL;
    p->bare = mem_copy(account_bare(q->session->account));
    p->in = q->in;
    list_append(&all->past, &p->link);
    all->n_past++;
}

static const struct past_id *past_find(const struct smqueues *all, struct slice id, struct slice bare)
{
    LIST_EACH(&all->past, it) {
        const struct past_id *p = CONTAINER(it, struct past_id, link);
        if (secret_eq(slice_cstr(p->id), id) && slice_is(bare, p->bare))
            return p;
    }
    return NULL;
}

/* --- without a connection --- */

bool resume_hibernates(const struct session *s)
{
    return s->sm && s->sm->detached_ms;
}

int64_t resume_detached_ms(const struct session *s)
{
    return s->sm ? s->sm->detached_ms : 0;
}

static void on_expiry(struct timer *t)
{
    struct smqueue *q = CONTAINER(t, struct smqueue, expiry);
    struct log_ctx log = resume_log(q->sm, q->session);
    LOG_INFO(&log, "resumption_over", F_STR("jid", q->session->jid), F_UINT("stanzas", q->n));
    metric_add(q->sm->metrics, M_SM_EXPIRED, 1);
    session_end(q->sm, q->session);
}

static void asleep(struct smqueue *q, bool is)
{
    struct smqueues *all = q->sm->smqueues;
    if (is && !link_in_list(&q->asleep)) {
        list_append(&all->asleep, &q->asleep);
        all->n_asleep++;
    } else if (!is && link_in_list(&q->asleep)) {
        list_unlink(&q->asleep);
        all->n_asleep--;
    }
    metric_set(q->sm->metrics, M_SM_HIBERNATING, (int64_t)all->n_asleep);
}

bool resume_hibernate(struct sessman *sm, struct session *s, int64_t detached_ms)
{
    struct smqueue *q = s->sm;
    int64_t now = clock_wall_ms();
    if (!q || !q->id || !q->told || link_in_list(&q->over) || (s->over && s->edge))
        return false;
    struct log_ctx log = resume_log(sm, s);
    LOG_INFO(&log, "hibernates", F_STR("jid", s->jid), F_UINT("unacknowledged", q->n));
    session_detach(s);
    smqueue_close(q);
    q->detached_ms = detached_ms ? detached_ms : now;
    int64_t left = q->detached_ms + (int64_t)q->hibernate_s * 1000 - now;
    if (left > (int64_t)q->hibernate_s * 1000)
        left = (int64_t)q->hibernate_s * 1000; /* the clock was set back */
    loop_timer(sm->loop, &q->expiry, left > 0 ? (uint64_t)left : 0, on_expiry);
    asleep(q, true);
    session_dirty_place(sm, s);
    if (!detached_ms)
        session_dirty(sm, s); /* its queue */
    journal_session_end(sm, s);
    return true;
}

/* --- and back --- */

static void failed(struct sessman *sm, const struct resumer *who, uint64_t ticket,
                   const struct control_resume_failed *c)
{
    struct buf b = BUF_INIT(0);
    metric_add(sm->metrics, M_SM_RESUME_FAILED, 1);
    if (who->words) {
        who->words->failed(who->ctx, c);
        return;
    }
    control_write_resume_failed(&b, c);
    out_control(sm, ticket, who->s, buf_get(&b));
    buf_fini(&b);
}

static void refused(struct sessman *sm, const struct resumer *who, enum stanza_cond cond)
{
    failed(sm, who, 0, &(struct control_resume_failed){ .cond = cond });
}

static struct session *find(const struct account *a, struct slice id)
{
    LIST_EACH(&a->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (s->sm && s->sm->id && s->sm->told && !s->over && secret_eq(slice_cstr(s->sm->id), id))
            return s;
    }
    return NULL;
}

static void unknown(struct sessman *sm, const struct resumer *who, struct slice id)
{
    const struct past_id *p = past_find(sm->smqueues, id, session_user(who->s));
    struct control_resume_failed c = { .cond = COND_ITEM_NOT_FOUND };
    if (p) {
        c.has_h = true;
        c.h = (uint32_t)p->in;
    }
    failed(sm, who, 0, &c);
}

/* The session has the other's connection from now on; that one is no more. */
static void take_over(struct sessman *sm, struct session *old, const struct resumer *who, uint64_t h)
{
    struct smqueue *q = old->sm;
    struct log_ctx log = resume_log(sm, who->s);
    struct buf b = BUF_INIT(0);
    struct control_resumed c = {
        .previd = slice_cstr(q->id), .full = session_full_jid(old), .in = (uint32_t)q->in, .out = (uint32_t)h
    };
    LOG_INFO(&log, "resumed", F_STR("jid", old->jid), F_UINT("stanzas", q->n), F_UINT("h", h));
    metric_add(sm->metrics, M_SM_RESUMED, 1);
    if (who->words)
        who->words->resumed(who->ctx, &c, &b);
    else
        control_write_resumed(&b, &c);
    session_replace(sm, old, who->s);
    timer_stop(&q->expiry);
    asleep(q, false);
    q->detached_ms = 0;
    smqueue_settle(q, h);
    smqueue_rewind(q);
    session_dirty(sm, old);
    uint64_t ticket = session_dirty_place(sm, old);
    smqueue_open(q, buf_get(&b), ticket > old->ticket ? ticket : old->ticket);
    buf_fini(&b);
    if (old->csi) /* XEP-0352 5.1: a resumed stream begins active */
        csi_set(sm, old, true);
    if (old->available && old->priority >= 0)
        journal_replay(sm, old);
}

static void decide(struct sessman *sm, struct session *old, const struct resumer *who)
{
    struct smqueue *q = old->sm;
    uint64_t h = smqueue_number(q, who->h);
    struct control_resume_failed c = { .cond = COND_ITEM_NOT_FOUND, .has_h = true, .h = (uint32_t)q->in };
    if (!q->gaps && smqueue_has_after(q, h)) {
        take_over(sm, old, who, h);
        return;
    }
    /* Something that it does not have was lost with a restart of ours: it must begin anew. */
    smqueue_settle(q, h);
    failed(sm, who, old->ticket, &c);
    session_end(sm, old);
}

/* XEP-0198 6; the session goes on. */
static void too_high(struct sessman *sm, const struct smqueue *q, const struct resumer *who)
{
    uint64_t sent = q->unsent ? q->unsent->n - 1 : q->out;
    failed(sm, who, 0,
           &(struct control_resume_failed){ COND_BAD_REQUEST, .has_h = true, .too_high = true, .h = who->h,
                                            .sent = (uint32_t)sent });
}

static struct account *account_of(const struct sessman *sm, const struct session *s)
{
    struct slice user = session_user(s);
    return s->account ? s->account : user.len ? account_find(sm, user) : NULL;
}

/* s waits for no session of the account any more. */
static void give_up(const struct account *a, const struct session *s)
{
    if (!a)
        return;
    LIST_EACH(&a->sessions, it) {
        struct smqueue *q = CONTAINER(it, struct session, in_account)->sm;
        if (q && q->resumer.s == s)
            q->resumer.s = NULL;
    }
}

static void start(struct sessman *sm, const struct resumer *who, struct slice previd)
{
    struct account *a = account_of(sm, who->s);
    struct session *old = a ? find(a, previd) : NULL;
    give_up(a, who->s); /* an edge that asks for two at once gets the second */
    if (!session_may_bind(who->s)) {
        refused(sm, who, COND_UNEXPECTED_REQUEST);
        return;
    }
    if (!old || link_in_list(&old->sm->over)) {
        unknown(sm, who, previd);
        return;
    }
    struct smqueue *q = old->sm;
    if (!q->gaps && !smqueue_was_sent(q, smqueue_number(q, who->h))) {
        too_high(sm, q, who);
        return;
    }
    if (old->edge) { /* XEP-0198 5: its connection is half open, or given up */
        session_disconnect(sm, old, STREAM_CONFLICT, "resumed by another connection");
        resume_hibernate(sm, old, 0); /* until it is, should its asker not wait for it */
    }
    struct resumer before = q->resumer;
    q->resumer = *who;
    if (before.s)
        refused(sm, &before, COND_CONFLICT);
    resume_go_on(sm, old);
}

void resume_start(struct sessman *sm, struct session *s, const struct control_resume *c)
{
    start(sm, &(struct resumer){ .s = s, .h = c->h }, c->previd);
}

void resume_start_inline(struct sessman *sm, struct session *s, const struct control_resume *c,
                         const struct resume_words *words, void *ctx)
{
    start(sm, &(struct resumer){ s, c->h, words, ctx }, c->previd);
}

void resume_go_on(struct sessman *sm, struct session *s)
{
    struct smqueue *q = s->sm;
    if (!q || !q->resumer.s || !list_empty(&s->incoming))
        return;
    struct resumer who = q->resumer;
    q->resumer.s = NULL;
    if (session_may_bind(who.s))
        decide(sm, s, &who);
    else if (!who.words) /* its edge is none of ours: it has been bound meanwhile, which ends what was asked
                            for with a login */
        refused(sm, &who, COND_UNEXPECTED_REQUEST);
}

void resume_session_end(struct sessman *sm, struct session *s)
{
    struct smqueue *q = s->sm;
    give_up(account_of(sm, s), s);
    if (!q)
        return;
    if (q->resumer.s) {
        struct control_resume_failed c = { .cond = COND_ITEM_NOT_FOUND, .has_h = true, .h = (uint32_t)q->in };
        struct resumer who = q->resumer;
        q->resumer.s = NULL;
        failed(sm, &who, s->ticket, &c);
    }
    if (q->id && q->detached_ms)
        past_keep(q);
    asleep(q, false);
}

void resume_fini(struct sessman *sm)
{
    struct smqueues *all = sm->smqueues;
    if (!all)
        return;
    while (!list_empty(&all->asleep))
        session_leave(sm, CONTAINER(all->asleep.next, struct smqueue, asleep)->session);
    while (!list_empty(&all->past))
        past_drop(all, CONTAINER(all->past.next, struct past_id, link));
    loop_turn_drop(sm->loop, &all->end_over);
    MEM_FREE(&sm->smqueues);
}
