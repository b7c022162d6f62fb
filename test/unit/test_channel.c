/* test/unit/test_channel.c - channel.c: every frame arrives once and in order, whatever the link does
 *
 * Two channels and a link that loses, doubles and is cut, as rlink drives them; all from one seed, so a
 * failure can be run again. */
#include "common/base/mem.h"
#include "common/link/channel.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FLIGHT_MAX = 256, FRAMES = 4000 };

struct end {
    struct channel *ch;
    struct end *other;
    char *flight[FLIGHT_MAX]; /* heap copies of frames on their way to this end, in order */
    size_t n_flight;
    uint64_t sent, got, held; /* held: taken but not done */
    bool synced, gap_told;
};

static uint64_t rng;

static unsigned roll(unsigned n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

static size_t size_of(const char *frame)
{
    struct frame f;
    size_t used, need;
    assert_int_equal(frame_decode(slice_of(frame, FRAME_HEAD + 4096), &f, &used, &need, NULL), RC_OK);
    return used;
}

static void fly(struct end *to, struct slice bytes)
{
    if (to->n_flight == FLIGHT_MAX)
        return; /* a link that loses */
    char *copy = mem_new(FRAME_HEAD + 4096);
    memcpy(copy, bytes.p, bytes.len);
    to->flight[to->n_flight++] = copy;
}

static void fly_head(struct end *from, uint8_t kind, uint64_t ack)
{
    char head[FRAME_HEAD];
    frame_head_write((uint8_t *)head, &(struct frame){ .kind = kind, .ack = ack });
    fly(from->other, slice_of(head, sizeof head));
}

static void send_one(struct end *e)
{
    char payload[64];
    struct frame f = { .kind = FRAME_STANZA };
    struct slice pieces[2] = { SLICE("number "), slice_of(payload, 0) };
    pieces[1].len = (size_t)snprintf(payload, sizeof payload, "%llu", (unsigned long long)++e->sent);
    struct slice bytes = channel_send(e->ch, &f, pieces, 2);
    assert_int_equal(f.seq, e->sent);
    if (e->synced)
        fly(e->other, bytes);
}

static void replay(struct end *e, uint64_t had)
{
    uint64_t at = 0;
    struct slice frame;
    while (channel_replay(e->ch, had, &at, &frame))
        fly(e->other, frame);
}

static void take(struct end *e, const struct frame *f)
{
    char expected[64];
    switch (channel_receive(e->ch, f->seq)) {
    case CHANNEL_NEW:
        snprintf(expected, sizeof expected, "number %llu", (unsigned long long)++e->got);
        assert_int_equal(f->seq, e->got);
        assert_true(slice_is(f->payload, expected));
        e->gap_told = false;
        break;
    case CHANNEL_AGAIN:
        assert_true(f->seq <= e->got);
        fly_head(e, FRAME_ACK, channel_ack_take(e->ch));
        break;
    case CHANNEL_GAP:
        assert_true(f->seq > e->got + 1);
        if (!e->gap_told)
            fly_head(e, FRAME_SYNC, channel_taken(e->ch));
        e->gap_told = true;
        break;
    }
}

static void arrive(struct end *e)
{
    struct frame f;
    size_t used, need;
    char *bytes = e->flight[0];
    memmove(e->flight, e->flight + 1, --e->n_flight * sizeof *e->flight);
    assert_int_equal(frame_decode(slice_of(bytes, size_of(bytes)), &f, &used, &need, NULL), RC_OK);
    if (f.kind == FRAME_SYNC) {
        e->synced = true;
        replay(e, f.ack);
    } else {
        channel_acked(e->ch, f.ack);
        if (f.seq)
            take(e, &f);
    }
    mem_free(bytes);
}

static void drop(struct end *e)
{
    while (e->n_flight)
        mem_free(e->flight[--e->n_flight]);
}

static void cut(struct end ends[2]);

/* One end was restarted: it remembers from its store up to where it had dealt with the other's frames (and no
 * more: what it had taken past that is lost with it), has sent nothing yet, and everything on the way is
 * gone. */
static void restart(struct end ends[2], int which)
{
    struct end *e = &ends[which], *other = &ends[1 - which];
    uint64_t done = channel_done_seq(e->ch),
             stored = done - (done ? roll(2) * roll((unsigned)(done > 5 ? 5 : done) + 1) : 0);
    drop(e);
    drop(other);
    channel_free(&e->ch);
    e->ch = channel_new(4096);
    e->sent = 0;
    other->got = 0;
    channel_reborn(other->ch);
    channel_resume(e->ch, stored);
    channel_resume(e->ch, channel_acked_seq(other->ch)); /* its SYNC's mark */
    e->got = channel_taken(e->ch);
    cut(ends);
}

/* Both ends see the link come back, and say what they have. */
static void cut(struct end ends[2])
{
    for (int i = 0; i < 2; i++) {
        drop(&ends[i]);
        ends[i].synced = ends[i].gap_told = false;
    }
    for (int i = 0; i < 2; i++) {
        fly_head(&ends[i], FRAME_SYNC, channel_taken(ends[i].ch));
        fly_head(&ends[i], FRAME_ACK, channel_ack_take(ends[i].ch));
    }
}

static void step(struct end ends[2], bool trouble)
{
    struct end *e = &ends[roll(2)];
    unsigned what = roll(trouble ? 1000 : 900);
    if (what < 350 && e->sent < FRAMES && !channel_full(e->ch)) {
        send_one(e);
    } else if (what < 750 && e->n_flight) {
        arrive(e);
    } else if (what < 850) {
        channel_done(e->ch, e->got > 3 ? e->got - roll(3) : e->got);
    } else if (what < 900 && channel_ack_due(e->ch)) {
        fly_head(e, FRAME_ACK, channel_ack_take(e->ch));
    } else if (what >= 990) {
        cut(ends);
    } else if (what >= 950 && e->n_flight) { /* one is lost */
        mem_free(e->flight[0]);
        memmove(e->flight, e->flight + 1, --e->n_flight * sizeof *e->flight);
    } else if (what >= 900 && e->n_flight) { /* one comes twice */
        fly(e, slice_of(e->flight[0], size_of(e->flight[0])));
    }
}

static void settle(struct end ends[2])
{
    for (int round = 0; round < 200; round++) {
        cut(ends); /* a link that comes back finds whatever was lost */
        for (int i = 0; ends[0].n_flight + ends[1].n_flight && i < 100000; i++) {
            if (ends[i % 2].n_flight)
                arrive(&ends[i % 2]);
        }
        for (int i = 0; i < 2; i++)
            channel_done(ends[i].ch, ends[i].got);
    }
}

static void run(uint64_t seed, bool restarts)
{
    struct end ends[2] = { { .synced = true }, { .synced = true } };
    rng = seed;
    for (int i = 0; i < 2; i++) {
        ends[i].ch = channel_new(4096);
        ends[i].other = &ends[1 - i];
    }
    for (int i = 0; i < 60000; i++) {
        step(ends, true);
        if (restarts && roll(3000) == 0)
            restart(ends, 0);
    }
    settle(ends);
    for (int i = 0; i < 2; i++) {
        assert_true(restarts || ends[i].sent > 20);
        assert_int_equal(ends[i].got, ends[1 - i].sent);
        assert_int_equal(channel_unacked(ends[i].ch), 0);
    }
    for (int i = 0; i < 2; i++) {
        drop(&ends[i]);
        channel_free(&ends[i].ch);
    }
}

static void every_frame_arrives_once_and_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        run(seed, false);
}

/* Of the end that goes on: each of its frames is dealt with once, whatever the other one forgets. */
static void a_restarted_end_takes_up_where_its_store_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        run(seed, true);
}

static void what_an_end_says_of_itself_counts_when_it_is_more(void **state)
{
    struct channel *ch = channel_new(1000);
    (void)state;
    channel_resume(ch, 7);
    channel_resume(ch, 5); /* less: nothing changes */
    assert_int_equal(channel_taken(ch), 7);
    assert_false(channel_ack_due(ch));
    assert_int_equal(channel_receive(ch, 7), CHANNEL_AGAIN);
    assert_int_equal(channel_receive(ch, 8), CHANNEL_NEW);
    channel_resume(ch, 10);
    assert_int_equal(channel_receive(ch, 11), CHANNEL_NEW);
    channel_reborn(ch);
    assert_int_equal(channel_receive(ch, 1), CHANNEL_NEW);
    channel_done(ch, 1);
    assert_true(channel_ack_due(ch));
    channel_free(&ch);
}

static void the_window_opens_with_acknowledgements(void **state)
{
    struct channel *ch = channel_new(1000);
    struct slice payload = SLICE("0123456789012345678901234567890123456789");
    struct frame f = { .kind = FRAME_STANZA };
    unsigned n = 0;
    (void)state;
    while (!channel_full(ch)) {
        channel_send(ch, &f, &payload, 1);
        n++;
    }
    assert_int_equal(n, 1000 / (FRAME_HEAD + payload.len) + 1);
    channel_acked(ch, n + 1); /* never sent: ignored */
    assert_true(channel_full(ch));
    channel_acked(ch, n / 2);
    assert_false(channel_full(ch));
    channel_acked(ch, 1); /* old: ignored */
    assert_int_equal(channel_acked_seq(ch), n / 2);
    channel_acked(ch, n);
    assert_int_equal(channel_unacked(ch), 0);
    channel_free(&ch);
}

static void acknowledgements_ride_on_frames(void **state)
{
    struct channel *ch = channel_new(1000);
    struct frame f = { .kind = FRAME_STANZA };
    struct slice payload = SLICE("<a/>");
    (void)state;
    assert_int_equal(channel_receive(ch, 1), CHANNEL_NEW);
    assert_int_equal(channel_receive(ch, 3), CHANNEL_GAP);
    assert_false(channel_ack_due(ch));
    channel_done(ch, 9); /* no more than was taken */
    assert_int_equal(channel_done_seq(ch), 1);
    assert_true(channel_ack_due(ch));
    channel_send(ch, &f, &payload, 1);
    assert_int_equal(f.ack, 1);
    assert_false(channel_ack_due(ch));
    channel_free(&ch);
}

static void a_replay_goes_on_behind_what_was_acknowledged_meanwhile(void **state)
{
    struct channel *ch = channel_new(10000);
    struct slice payload = SLICE("<a/>"), frame;
    struct frame f = { .kind = FRAME_STANZA };
    uint64_t at = 0;
    (void)state;
    for (int i = 0; i < 5; i++)
        channel_send(ch, &f, &payload, 1);
    assert_true(channel_replay(ch, 0, &at, &frame));
    channel_acked(ch, 3);
    for (uint64_t seq = 4; seq <= 5; seq++) {
        size_t used, need;
        assert_true(channel_replay(ch, 0, &at, &frame));
        assert_int_equal(frame_decode(frame, &f, &used, &need, NULL), RC_OK);
        assert_int_equal(f.seq, seq);
    }
    assert_false(channel_replay(ch, 0, &at, &frame));
    channel_free(&ch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_arrives_once_and_in_order),
        cmocka_unit_test(a_restarted_end_takes_up_where_its_store_says),
        cmocka_unit_test(what_an_end_says_of_itself_counts_when_it_is_more),
        cmocka_unit_test(the_window_opens_with_acknowledgements),
        cmocka_unit_test(acknowledgements_ride_on_frames),
        cmocka_unit_test(a_replay_goes_on_behind_what_was_acknowledged_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
