/* test/unit/test_wsframe.c - WebSocket frames, whole and in any pieces (RFC 6455 5, 7, 8) */
#include "httpgw/wsframe.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

struct seen {
    struct wsframe_pool *pool;
    struct wsframe w;
    struct buf log; /* "text:...;" */
};

static bool on_text(void *owner, struct slice message)
{
    struct seen *s = owner;
    buf_fmt(&s->log, "text:" SLICE_FMT ";", SLICE_ARG(message));
    return true;
}

static bool on_ping(void *owner, struct slice payload)
{
    struct seen *s = owner;
    buf_fmt(&s->log, "ping:" SLICE_FMT ";", SLICE_ARG(payload));
    return true;
}

static bool on_pong(void *owner, struct slice payload)
{
    struct seen *s = owner;
    buf_fmt(&s->log, "pong:" SLICE_FMT ";", SLICE_ARG(payload));
    return true;
}

static bool on_close(void *owner, unsigned code)
{
    struct seen *s = owner;
    buf_fmt(&s->log, "close:%u;", code);
    return false;
}

static const struct wsframe_events events = { on_text, on_ping, on_pong, on_close };

static int setup(void **state)
{
    static struct seen s;
    memset(&s, 0, sizeof s);
    s.pool = wsframe_pool_new();
    s.w.pool = s.pool;
    s.w.max = 1000;
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct seen *s = *state;
    wsframe_fini(&s->w);
    wsframe_pool_free(&s->pool);
    buf_fini(&s->log);
    return 0;
}

/* A client's frame: first byte, then the payload under a mask. */
static void put(struct buf *out, unsigned first, struct slice payload)
{
    const char mask[4] = { 0x11, 0x22, 0x33, 0x44 };
    buf_byte(out, (char)first);
    if (payload.len < 126) {
        buf_byte(out, (char)(0x80 | payload.len));
    } else {
        buf_byte(out, (char)(0x80 | 126));
        buf_byte(out, (char)(payload.len >> 8));
        buf_byte(out, (char)(payload.len & 0xff));
    }
    buf_put(out, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_byte(out, (char)(payload.p[i] ^ mask[i % 4]));
}

static void expect(struct seen *s, const char *log)
{
    buf_byte(&s->log, '\0');
    assert_string_equal(s->log.p, log);
    buf_reset(&s->log);
}

static enum ws_code feed(struct seen *s, struct buf *bytes, size_t step)
{
    enum ws_code bad = WS_GOOD;
    for (size_t i = 0; i < bytes->len && !bad; i += step)
        bad = wsframe_feed(&s->w, slice_to(slice_from(buf_get(bytes), i), step), &events, s);
    buf_fini(bytes);
    return bad;
}

static void messages_come_out_however_they_are_cut(void **state)
{
    struct seen *s = *state;
    for (size_t step = 1; step < 64; step++) {
        struct buf b = BUF_INIT(0);
        put(&b, 0x81, SLICE("one"));
        put(&b, 0x01, SLICE("tw"));
        put(&b, 0x89, SLICE("between"));
        put(&b, 0x00, SLICE(""));
        put(&b, 0x80, SLICE("o"));
        put(&b, 0x81, SLICE(""));
        put(&b, 0x8a, SLICE(""));
        assert_int_equal(feed(s, &b, step), WS_GOOD);
        expect(s, "text:one;ping:between;text:two;text:;pong:;");
        assert_null(s->w.ctx); /* between two messages nothing is owned */
    }
}

static void half_a_header_is_kept(void **state)
{
    struct seen *s = *state;
    struct buf b = BUF_INIT(0);
    put(&b, 0x81, SLICE("one"));
    put(&b, 0x81, SLICE("two"));
    assert_int_equal(wsframe_feed(&s->w, slice_to(buf_get(&b), 10), &events, s), WS_GOOD);
    expect(s, "text:one;");
    assert_non_null(s->w.ctx);
    assert_int_equal(wsframe_feed(&s->w, slice_from(buf_get(&b), 10), &events, s), WS_GOOD);
    expect(s, "text:two;");
    assert_null(s->w.ctx);
    buf_fini(&b);
}

static enum ws_code one(struct seen *s, unsigned first, struct slice payload)
{
    struct buf b = BUF_INIT(0);
    put(&b, first, payload);
    return feed(s, &b, 4096);
}

static void reserved_bits_and_kinds_are_refused(void **state)
{
    struct seen *s = *state;
    for (unsigned first = 0xc1; first <= 0xf1; first += 0x10) {
        assert_int_equal(one(s, first, SLICE("x")), WS_PROTOCOL);
        wsframe_fini(&s->w);
    }
    assert_int_equal(one(s, 0x83, SLICE("x")), WS_PROTOCOL);
    wsframe_fini(&s->w);
    assert_int_equal(one(s, 0x8b, SLICE("x")), WS_PROTOCOL);
    wsframe_fini(&s->w);
    assert_int_equal(one(s, 0x82, SLICE("x")), WS_NOT_TEXT);
    expect(s, "");
}

static void fragments_out_of_turn_are_refused(void **state)
{
    struct seen *s = *state;
    assert_int_equal(one(s, 0x80, SLICE("x")), WS_PROTOCOL);
    wsframe_fini(&s->w);
    assert_int_equal(one(s, 0x01, SLICE("x")), WS_GOOD);
    assert_int_equal(one(s, 0x81, SLICE("x")), WS_PROTOCOL);
    expect(s, "");
}

static void a_message_is_no_longer_than_it_may_be_in_pieces_either(void **state)
{
    struct seen *s = *state;
    char text[600];
    memset(text, 'x', sizeof text);
    assert_int_equal(one(s, 0x01, slice_of(text, sizeof text)), WS_GOOD);
    assert_int_equal(one(s, 0x80, slice_of(text, sizeof text)), WS_TOO_BIG);
    expect(s, "");
}

static void text_is_utf8_over_the_whole_message(void **state)
{
    struct seen *s = *state;
    assert_int_equal(one(s, 0x01, SLICE("\xc3")), WS_GOOD);
    assert_int_equal(one(s, 0x80, SLICE("\xa4")), WS_GOOD);
    expect(s, "text:\xc3\xa4;");
    assert_int_equal(one(s, 0x81, SLICE("\xc3")), WS_BAD_TEXT);
}

static void close_codes(void **state)
{
    struct seen *s = *state;
    assert_int_equal(one(s, 0x88, SLICE("")), WS_GOOD);
    expect(s, "close:1005;");
    wsframe_fini(&s->w);
    assert_int_equal(one(s, 0x88,
                         SLICE("\x03\xe9"
                               "bye")),
                     WS_GOOD);
    expect(s, "close:1001;");
    wsframe_fini(&s->w);
    assert_int_equal(one(s, 0x88, SLICE("\x03\xed")), WS_PROTOCOL); /* 1005 never stands in a frame */
    wsframe_fini(&s->w);
    assert_int_equal(one(s, 0x88, SLICE("\x03")), WS_PROTOCOL);
}

static void what_is_written_can_be_read(void **state)
{
    struct seen *s = *state;
    static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 100000 };
    char *text = calloc(1, 100000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf out = BUF_INIT(0);
        const struct slice pieces[] = { slice_of(text, sizes[i] / 2),
                                        slice_of(text, sizes[i] - sizes[i] / 2) };
        wsframe_write(s->pool, &out, WSFRAME_TEXT, pieces, 2);
        size_t header = sizes[i] < 126 ? 2 : sizes[i] < 65536 ? 4 : 10;
        assert_int_equal(out.len, header + sizes[i]);
        assert_int_equal((unsigned char)out.p[0], 0x81);
        assert_int_equal((unsigned char)out.p[1], sizes[i] < 126 ? sizes[i] : sizes[i] < 65536 ? 126 : 127);
        buf_fini(&out);
    }
    free(text);
    struct buf out = BUF_INIT(0);
    wsframe_write_close(s->pool, &out, WS_GOING_AWAY);
    assert_memory_equal(out.p, "\x88\x02\x03\xe9", 4);
    buf_fini(&out);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(messages_come_out_however_they_are_cut),
        T(half_a_header_is_kept),
        T(reserved_bits_and_kinds_are_refused),
        T(fragments_out_of_turn_are_refused),
        T(a_message_is_no_longer_than_it_may_be_in_pieces_either),
        T(text_is_utf8_over_the_whole_message),
        T(close_codes),
        T(what_is_written_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
