/* common/edge/sm.c */
#include "common/edge/sm.h"

#include <string.h>

enum { OVERDUE_MS = 5000 }; /* an <r/> waits for its commit so long before it is answered with less */

uint64_t sm_near(uint64_t near, uint32_t wire)
{
    uint32_t ahead = wire - (uint32_t)near;
    if (ahead <= UINT32_MAX / 2)
        return near + ahead;
    uint32_t back = (uint32_t)near - wire;
    return near >= back ? near - back : near + ahead;
}

void sm_start(struct sm *m)
{
    memset(m, 0, sizeof *m);
}

void sm_resume(struct sm *m, uint32_t in, uint32_t out)
{
    sm_start(m);
    m->in = m->done = in;
    m->out = m->acked = m->told = m->asked = out;
}

/* --- client to server --- */

uint64_t sm_take(struct sm *m)
{
    return ++m->in;
}

void sm_taken(struct sm *m, uint64_t seq)
{
    m->in_seq = seq;
}

static void answered(struct sm *m, uint64_t h, uint32_t *wire)
{
    if (h > m->done)
        m->done = h;
    *wire = (uint32_t)h;
}

bool sm_request(struct sm *m, uint64_t acked, uint64_t now_ms, uint32_t *h)
{
    if (m->in_seq <= acked) {
        memset(m->wait, 0, sizeof m->wait);
        answered(m, m->in, h);
        return true;
    }
    struct sm_wait w = { m->in_seq, m->in };
    if (!m->wait[0].seq) {
        m->wait[0] = w;
        m->wait_ms = now_ms;
    } else if (m->wait[0].seq != w.seq) {
        m->wait[1] = w; /* one question more: the later of the two waiting stands for both */
    }
    return false;
}

bool sm_waits(const struct sm *m)
{
    return m->wait[0].seq != 0;
}

uint64_t sm_waits_for(const struct sm *m)
{
    return m->wait[0].seq;
}

bool sm_committed(struct sm *m, uint64_t acked, uint64_t now_ms, uint32_t *h)
{
    uint64_t reached = 0;
    if (!m->wait[0].seq || m->wait[0].seq > acked)
        return false;
    while (m->wait[0].seq && m->wait[0].seq <= acked) {
        reached = m->wait[0].h;
        m->wait[0] = m->wait[1];
        m->wait[1] = (struct sm_wait){ 0 };
    }
    m->wait_ms = now_ms;
    answered(m, reached, h);
    return true;
}

bool sm_overdue(struct sm *m, uint64_t now_ms, uint32_t *h)
{
    if (!m->wait[0].seq || now_ms < m->wait_ms + OVERDUE_MS)
        return false;
    m->wait_ms = now_ms;
    *h = (uint32_t)m->done;
    return true;
}

/* --- server to client --- */

void sm_wrote(struct sm *m)
{
    m->out++;
}

enum sm_ack sm_acked(struct sm *m, uint32_t h)
{
    uint32_t ahead = h - (uint32_t)m->acked, back = (uint32_t)m->acked - h;
    if (ahead && ahead <= m->out - m->acked) {
        m->acked += ahead;
        return SM_ACK_NEW;
    }
    /* What it had acknowledged before, told again or late. */
    return back <= m->acked && back <= UINT32_MAX / 2 ? SM_ACK_OLD : SM_ACK_TOO_HIGH;
}

bool sm_tell(struct sm *m, uint32_t *h)
{
    if (m->told == m->acked)
        return false;
    m->told = m->acked;
    *h = (uint32_t)m->acked;
    return true;
}

bool sm_ask(struct sm *m)
{
    if (m->out == m->acked || m->acked < m->asked)
        return false;
    m->asked = m->out;
    return true;
}
