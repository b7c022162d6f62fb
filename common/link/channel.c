/* common/link/channel.c
 *
 * Unacknowledged frames stand one behind the other in one block, [head, tail); positions that outlive a call
 * are counted from the first byte ever sent (`base` is that of head), so a replay goes on rightly when
 * acknowledgements came in between. */
#include "common/link/channel.h"

#include "common/base/mem.h"
#include <assert.h>

enum { KEEP_BYTES = 16384, FIRST_BYTES = 4096 };

struct channel {
    size_t window;
    char *block;
    size_t cap, head, tail;
    uint64_t base;        /* bytes ever acknowledged */
    uint64_t sent, acked; /* numbers */
    uint64_t taken, done, told;
};

struct channel *channel_new(size_t window_bytes)
{
    struct channel *ch = mem_new(sizeof *ch);
    ch->window = window_bytes;
    return ch;
}

void channel_free(struct channel **ch)
{
    if (!*ch)
        return;
    mem_free((*ch)->block);
    MEM_FREE(ch);
}

static char *room_for(struct channel *ch, size_t n)
{
    size_t used = ch->tail - ch->head;
    if (ch->cap - ch->tail < n && ch->head >= used) { /* moving less than was freed: constant cost a byte */
        if (used)
            memmove(ch->block, ch->block + ch->head, used);
        ch->head = 0;
        ch->tail = used;
    }
    if (ch->cap - ch->tail < n) {
        size_t cap = ch->cap ? ch->cap : FIRST_BYTES;
        while (cap - ch->tail < n)
            cap *= 2;
        ch->block = mem_resize(ch->block, cap);
        ch->cap = cap;
    }
    return ch->block + ch->tail;
}

struct slice channel_send(struct channel *ch, struct frame *f, const struct slice *pieces, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += pieces[i].len;
    assert(len <= FRAME_MAX);
    f->len = (uint32_t)len;
    f->seq = ++ch->sent;
    f->ack = channel_ack_take(ch);
    char *start = room_for(ch, FRAME_HEAD + len), *p = start + FRAME_HEAD;
    frame_head_write((uint8_t *)start, f);
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].len)
            memcpy(p, pieces[i].p, pieces[i].len);
        p += pieces[i].len;
    }
    ch->tail += FRAME_HEAD + len;
    return slice_of(start, FRAME_HEAD + len);
}

bool channel_full(const struct channel *ch)
{
    return ch->tail - ch->head > ch->window;
}

size_t channel_unacked(const struct channel *ch)
{
    return ch->tail - ch->head;
}

uint64_t channel_sent(const struct channel *ch)
{
    return ch->sent;
}

uint64_t channel_acked_seq(const struct channel *ch)
{
    return ch->acked;
}

/* The kept frame at head + at; at is the start of one. */
static size_t frame_at(const struct channel *ch, size_t at, struct frame *f)
{
    struct slice rest = slice_of(ch->block + ch->head + at, ch->tail - ch->head - at);
    size_t used = 0, need;
    enum rc rc = frame_decode(rest, f, &used, &need, NULL);
    assert(rc == RC_OK);
    (void)rc;
    return used;
}

void channel_acked(struct channel *ch, uint64_t ack)
{
    struct frame f;
    if (ack <= ch->acked || ack > ch->sent)
        return;
    while (ch->acked < ack) {
        size_t used = frame_at(ch, 0, &f);
        ch->head += used;
        ch->base += used;
        ch->acked++;
    }
    if (ch->head < ch->tail)
        return;
    ch->head = ch->tail = 0;
    if (ch->cap > KEEP_BYTES) {
        MEM_FREE(&ch->block);
        ch->cap = 0;
    }
}

bool channel_replay(struct channel *ch, uint64_t had, uint64_t *at, struct slice *frame)
{
    size_t from = *at > ch->base ? (size_t)(*at - ch->base) : 0;
    while (from < ch->tail - ch->head) {
        struct frame f;
        size_t used = frame_at(ch, from, &f);
        char *start = ch->block + ch->head + from;
        from += used;
        *at = ch->base + from;
        if (f.seq <= had)
            continue;
        frame_set_ack(start, channel_ack_take(ch));
        *frame = slice_of(start, used);
        return true;
    }
    return false;
}

void channel_resume(struct channel *ch, uint64_t done)
{
    if (done > ch->taken)
        ch->taken = done;
    channel_done(ch, done);
    ch->told = ch->done; /* the other end has heard it, or said so itself */
}

void channel_reborn(struct channel *ch)
{
    ch->taken = ch->done = ch->told = 0;
}

enum channel_in channel_receive(struct channel *ch, uint64_t seq)
{
    if (seq <= ch->taken)
        return CHANNEL_AGAIN;
    if (seq != ch->taken + 1)
        return CHANNEL_GAP;
    ch->taken = seq;
    return CHANNEL_NEW;
}

uint64_t channel_taken(const struct channel *ch)
{
    return ch->taken;
}

void channel_done(struct channel *ch, uint64_t seq)
{
    if (seq > ch->taken)
        seq = ch->taken;
    if (seq > ch->done)
        ch->done = seq;
}

uint64_t channel_done_seq(const struct channel *ch)
{
    return ch->done;
}

bool channel_ack_due(const struct channel *ch)
{
    return ch->done > ch->told;
}

uint64_t channel_ack_lag(const struct channel *ch)
{
    return ch->done - ch->told;
}

uint64_t channel_ack_take(struct channel *ch)
{
    ch->told = ch->done;
    return ch->done;
}
