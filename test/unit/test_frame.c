/* test/unit/test_frame.c - frame.c, framein.c, fanout.c: heads there and back, what is refused, bytes in any
 * pieces */
#include "common/link/fanout.h"
#include "common/link/framein.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static size_t put(struct buf *out, struct frame f, struct slice name, struct slice payload)
{
    uint8_t head[FRAME_HEAD];
    f.len = (uint32_t)(name.len + payload.len);
    f.name_len = (uint16_t)name.len;
    frame_head_write(head, &f);
    buf_put(out, head, sizeof head);
    buf_slice(out, name);
    buf_slice(out, payload);
    return sizeof head + f.len;
}

static enum rc decode(struct slice bytes, struct frame *f)
{
    size_t used, need;
    return frame_decode(bytes, f, &used, &need, NULL);
}

static void every_field_comes_back(void **state)
{
    struct buf b = BUF_INIT(0);
    struct frame in = { .kind = FRAME_CONTROL,
                        .flags = FRAME_F_ADMIN,
                        .dst = 0x1122334455667788,
                        .src = ~0ull,
                        .session = 3,
                        .seq = 1ull << 40,
                        .ack = 7,
                        .mark = 1ull << 50,
                        .origin = 1ull << 60 | 9 },
                 f;
    size_t used, need, size = put(&b, in, SLICE_NONE, SLICE("<x/>"));
    (void)state;
    buf_byte(&b, 'y');
    assert_int_equal(frame_decode(buf_get(&b), &f, &used, &need, NULL), RC_OK);
    assert_int_equal(used, size);
    assert_int_equal(f.kind, FRAME_CONTROL);
    assert_int_equal(f.flags, FRAME_F_ADMIN);
    assert_true(f.dst == in.dst && f.src == in.src && f.session == 3 && f.seq == in.seq && f.ack == 7);
    assert_true(f.mark == in.mark && f.origin == in.origin);
    assert_true(slice_is(f.payload, "<x/>") && f.name.len == 0);
    buf_fini(&b);
}

static void a_name_stands_before_the_payload(void **state)
{
    struct buf b = BUF_INIT(0);
    struct frame f;
    (void)state;
    put(&b, (struct frame){ .kind = FRAME_STANZA }, SLICE("a@b.example"), SLICE("<message/>"));
    assert_int_equal(decode(buf_get(&b), &f), RC_OK);
    assert_true(slice_is(f.name, "a@b.example") && slice_is(f.payload, "<message/>"));
    buf_fini(&b);
}

static void changes_in_place_touch_one_field(void **state)
{
    struct buf b = BUF_INIT(0);
    struct frame f;
    (void)state;
    put(&b, (struct frame){ .kind = FRAME_SYNC, .flags = 0xff, .session = 9, .seq = 8 }, SLICE_NONE,
        SLICE_NONE);
    frame_set_src(b.p, 5);
    frame_set_dst(b.p, 6);
    frame_set_ack(b.p, 7);
    frame_set_flags(b.p, FRAME_F_ASK);
    assert_int_equal(decode(buf_get(&b), &f), RC_OK);
    assert_true(f.src == 5 && f.dst == 6 && f.ack == 7 && f.flags == FRAME_F_ASK && f.session == 9 &&
                f.seq == 8);
    buf_fini(&b);
}

static void cut_short_asks_for_the_rest(void **state)
{
    struct buf b = BUF_INIT(0);
    struct frame f;
    size_t used, need,
        size = put(&b, (struct frame){ .kind = FRAME_STANZA, .dst = 1 }, SLICE_NONE, SLICE("<presence/>"));
    (void)state;
    for (size_t n = 0; n < size; n++) {
        assert_int_equal(frame_decode(slice_to(buf_get(&b), n), &f, &used, &need, NULL), RC_AGAIN);
        assert_int_equal(need, n < FRAME_HEAD ? FRAME_HEAD : size);
    }
    buf_fini(&b);
}

static enum rc with_byte(size_t at, uint8_t value)
{
    struct buf b = BUF_INIT(0);
    struct frame f;
    put(&b, (struct frame){ .kind = FRAME_STANZA, .dst = 1 }, SLICE_NONE, SLICE("<a/>"));
    b.p[at] = (char)value;
    enum rc rc = decode(buf_get(&b), &f);
    buf_fini(&b);
    return rc;
}

static void lies_are_refused(void **state)
{
    (void)state;
    assert_int_equal(with_byte(0, 0x7f), RC_LIMIT); /* length of gigabytes: said before it is waited for */
    assert_int_equal(with_byte(4, 0), RC_SYNTAX);   /* no kind */
    assert_int_equal(with_byte(4, FRAME_KIND_COUNT), RC_SYNTAX); /* a kind we do not know */
    assert_int_equal(with_byte(4, FRAME_ACK), RC_SYNTAX);        /* an ack with a payload */
    assert_int_equal(with_byte(6, 0xff), RC_LIMIT);              /* a name longer than any */
    assert_int_equal(with_byte(7, 5), RC_SYNTAX);                /* a name longer than the frame */
    assert_int_equal(with_byte(7, 2), RC_SYNTAX);                /* a name and a node */
}

static void bytes_in_any_pieces_are_the_same_frames(void **state)
{
    struct buf b = BUF_INIT(0);
    (void)state;
    for (uint64_t i = 1; i <= 40; i++) {
        char payload[200];
        memset(payload, 'a' + (int)(i % 26), sizeof payload);
        put(&b, (struct frame){ .kind = FRAME_STANZA, .dst = i, .seq = i }, SLICE_NONE,
            slice_of(payload, i * 5));
    }
    for (size_t step = 1; step < 600; step += step < 60 ? 1 : 37) {
        struct framein in = { 0 };
        uint64_t next = 1;
        for (size_t at = 0; at < b.len; at += step) {
            struct slice rest = slice_to(slice_from(buf_get(&b), at), step), raw;
            struct frame f;
            enum rc rc;
            while ((rc = framein_next(&in, &rest, &f, &raw, NULL)) == RC_OK) {
                assert_int_equal(f.seq, next);
                assert_int_equal(raw.len, FRAME_HEAD + next * 5);
                assert_int_equal(f.payload.p[f.payload.len - 1], 'a' + (int)(next % 26));
                next++;
            }
            assert_int_equal(rc, RC_AGAIN);
            assert_int_equal(rest.len, 0);
        }
        assert_int_equal(next, 41);
        assert_int_equal(in.part.cap, 0); /* nothing is held when nothing is begun */
        framein_fini(&in);
    }
    buf_fini(&b);
}

static void a_lie_behind_a_part_is_seen(void **state)
{
    struct framein in = { 0 };
    struct frame f;
    char zeros[FRAME_HEAD] = { 0 };
    struct slice rest = slice_of(zeros, 10), raw;
    (void)state;
    assert_int_equal(framein_next(&in, &rest, &f, &raw, NULL), RC_AGAIN);
    rest = slice_of(zeros, FRAME_HEAD - 10);
    assert_int_equal(framein_next(&in, &rest, &f, &raw, NULL), RC_SYNTAX);
    framein_fini(&in);
}

static void a_fanout_comes_back(void **state)
{
    struct buf b = BUF_INIT(0);
    struct fanout f;
    uint64_t ids[3] = { 1, ~0ull, 0x0102030405060708 };
    (void)state;
    fanout_write_head(&b, 8, ids, 3);
    BUF_LIT(&b, "<message><body/></message>");
    assert_int_equal(fanout_read(buf_get(&b), &f, NULL), RC_OK);
    assert_true(f.n == 3 && f.to_at == 8 && slice_is(f.stanza, "<message><body/></message>"));
    for (uint32_t i = 0; i < 3; i++)
        assert_true(fanout_id(&f, i) == ids[i]);
    buf_fini(&b);
}

static void a_fanout_that_lies_is_refused(void **state)
{
    struct buf b = BUF_INIT(0);
    struct fanout f;
    uint64_t id = 4;
    (void)state;
    fanout_write_head(&b, 4, &id, 1);
    BUF_LIT(&b, "<a/>");
    assert_int_equal(fanout_read(buf_get(&b), &f, NULL), RC_SYNTAX); /* to_at behind the end */
    b.p[1] = 0;
    assert_int_equal(fanout_read(buf_get(&b), &f, NULL), RC_SYNTAX); /* to_at before '<' */
    b.p[1] = 2;
    assert_int_equal(fanout_read(buf_get(&b), &f, NULL), RC_OK);
    b.p[7] = 2;
    assert_int_equal(fanout_read(buf_get(&b), &f, NULL), RC_SYNTAX); /* more sessions than bytes */
    b.p[4] = 1;
    assert_int_equal(fanout_read(buf_get(&b), &f, NULL), RC_LIMIT);
    for (size_t n = 0; n < 8; n++)
        assert_int_equal(fanout_read(slice_to(buf_get(&b), n), &f, NULL), RC_SYNTAX);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(a_name_stands_before_the_payload),
        cmocka_unit_test(changes_in_place_touch_one_field),
        cmocka_unit_test(cut_short_asks_for_the_rest),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(bytes_in_any_pieces_are_the_same_frames),
        cmocka_unit_test(a_lie_behind_a_part_is_seen),
        cmocka_unit_test(a_fanout_comes_back),
        cmocka_unit_test(a_fanout_that_lies_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
