/* common/edge/esm.c - stream management of the edge's sessions: when something is said to the client or the
 * session manager
 *
 * What a turn of the loop brings for one session is said once, at its end: one <a/> for all its <r/>, one
 * control element for all its <a/>, one <r/> behind what was written. */
#include "common/base/mem.h"
#include "common/edge/inside.h"

enum { OVERDUE_CHECK_MS = 1000 };

static void on_turn(struct turn *t);
static void on_clock(struct timer *t);

void esm_init(struct edge *e)
{
    list_init(&e->sm_turns);
    list_init(&e->sm_waiting);
    e->sm_turn.fn = on_turn;
}

void esm_fini(struct edge *e)
{
    loop_turn_drop(e->conf.loop, &e->sm_turn);
    timer_stop(&e->sm_clock);
}

static void turn(struct edge *e, struct esession_sm *m)
{
    if (link_in_list(&m->turn))
        return;
    list_append(&e->sm_turns, &m->turn);
    loop_at_turn_end(e->conf.loop, &e->sm_turn);
}

static struct esession_sm *esm_new(struct edge *e, struct esession *s)
{
    esm_free(s);
    s->sm = mem_new(sizeof *s->sm);
    s->sm->session = s;
    s->sm->edge = e;
    return s->sm;
}

void esm_free(struct esession *s)
{
    if (!s->sm)
        return;
    list_unlink(&s->sm->turn);
    list_unlink(&s->sm->waiting);
    MEM_FREE(&s->sm);
}

static void send_control(struct edge *e, const struct esession *s, uint64_t mark)
{
    struct slice piece = buf_get(&e->scratch);
    rlink_send_marked(e->link, s->node, FRAME_CONTROL, s->id, mark, &piece, 1);
}

void esession_sm_enable(struct edge *e, struct esession *s, const struct control_sm_enable *c)
{
    sm_start(&esm_new(e, s)->n);
    buf_reset(&e->scratch);
    control_write_sm_enable(&e->scratch, c);
    send_control(e, s, 0);
}

void esession_resume(struct edge *e, struct esession *s, const struct control_resume *c)
{
    s->state = ESESSION_RESUMING;
    buf_reset(&e->scratch);
    control_write_resume(&e->scratch, c);
    send_control(e, s, 0);
}

void esm_enabled(struct esession *s)
{
    s->sm->enabled = true;
}

void esm_begin(struct edge *e, struct esession *s, uint32_t in, uint32_t out)
{
    struct esession_sm *m = esm_new(e, s);
    sm_resume(&m->n, in, out);
    m->enabled = true;
}

/* --- client to server --- */

void esession_echo(struct edge *e, struct esession *s, const struct node *answer)
{
    buf_reset(&e->scratch);
    control_write_echo(&e->scratch, answer);
    send_control(e, s, sm_take(&s->sm->n));
    sm_taken(&s->sm->n, rlink_sent(e->link, s->node));
}

void esession_request(struct edge *e, struct esession *s)
{
    struct esession_sm *m = s->sm;
    uint32_t h;
    if (sm_request(&m->n, rlink_acked(e->link, s->node), loop_now_ms(e->conf.loop), &h)) {
        m->answer = true;
        list_unlink(&m->waiting);
        turn(e, m);
    } else if (!link_in_list(&m->waiting)) {
        list_append(&e->sm_waiting, &m->waiting);
        if (!timer_running(&e->sm_clock))
            loop_timer(e->conf.loop, &e->sm_clock, OVERDUE_CHECK_MS, on_clock);
    }
}

/* In the order in which they began to wait, which is that of the frames that they wait for. */
void esm_acked(struct edge *e, const struct rnode *node)
{
    uint64_t acked = rlink_acked(e->link, node), now = loop_now_ms(e->conf.loop);
    LIST_EACH(&e->sm_waiting, it) {
        struct esession_sm *m = CONTAINER(it, struct esession_sm, waiting);
        uint32_t h;
        if (m->session->node != node)
            continue;
        if (!sm_committed(&m->n, acked, now, &h))
            break;
        list_unlink(it);
        if (sm_waits(&m->n))
            list_append(&e->sm_waiting, it);
        e->conf.ops->on_handled(m->session, h);
    }
}

static void on_clock(struct timer *t)
{
    struct edge *e = CONTAINER(t, struct edge, sm_clock);
    uint64_t now = loop_now_ms(e->conf.loop);
    LIST_EACH(&e->sm_waiting, it) {
        struct esession_sm *m = CONTAINER(it, struct esession_sm, waiting);
        uint32_t h;
        if (sm_overdue(&m->n, now, &h))
            e->conf.ops->on_handled(m->session, h);
    }
    if (!list_empty(&e->sm_waiting))
        loop_timer(e->conf.loop, t, OVERDUE_CHECK_MS, on_clock);
}

/* --- server to client --- */

void esm_wrote(struct edge *e, struct esession *s)
{
    if (!s->sm->enabled)
        return;
    sm_wrote(&s->sm->n);
    turn(e, s->sm);
}

enum sm_ack esession_acked(struct edge *e, struct esession *s, uint32_t h)
{
    enum sm_ack ack = sm_acked(&s->sm->n, h);
    if (ack == SM_ACK_NEW)
        turn(e, s->sm);
    return ack;
}

bool esession_ask(struct esession *s)
{
    return s->sm && s->sm->enabled && sm_ask(&s->sm->n);
}

static void say(struct edge *e, struct esession_sm *m)
{
    struct esession *s = m->session;
    uint32_t h;
    if (sm_tell(&m->n, &h)) {
        buf_reset(&e->scratch);
        control_write_acked(&e->scratch, h);
        send_control(e, s, 0);
    }
    if (m->answer)
        e->conf.ops->on_handled(s, (uint32_t)m->n.done);
    m->answer = false;
    if (m->enabled && sm_ask(&m->n))
        e->conf.ops->on_ask(s);
}

static void on_turn(struct turn *t)
{
    struct edge *e = CONTAINER(t, struct edge, sm_turn);
    while (!list_empty(&e->sm_turns)) {
        struct esession_sm *m = CONTAINER(e->sm_turns.next, struct esession_sm, turn);
        list_unlink(&m->turn);
        say(e, m);
    }
}
