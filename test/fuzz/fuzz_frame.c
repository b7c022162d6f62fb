/* test/fuzz/fuzz_frame.c - bytes of a link: cut into frames in pieces of a size that the input chooses, as a
 * router and an rlink do, and through a channel; fan-outs too. Whatever comes, the same bytes in other pieces
 * are the same frames. */
#include "common/link/channel.h"
#include "common/link/fanout.h"
#include "common/link/framein.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct channel *ch, const struct frame *f)
{
    struct fanout fan;
    assert(f->name.len + f->payload.len == f->len);
    if (f->kind == FRAME_FANOUT && fanout_read(f->payload, &fan, NULL) == RC_OK) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < fan.n; i++)
            sum += fanout_id(&fan, i);
        assert(fan.to_at < fan.stanza.len);
        (void)sum;
    }
    if (f->kind == FRAME_SYNC) {
        uint64_t at = 0;
        struct slice again;
        while (channel_replay(ch, f->ack, &at, &again))
            assert(again.len >= FRAME_HEAD);
    } else {
        channel_acked(ch, f->ack);
    }
    if (f->seq && channel_receive(ch, f->seq) == CHANNEL_NEW) {
        struct frame reply = { .kind = FRAME_STANZA };
        channel_done(ch, f->session);
        channel_send(ch, &reply, &f->payload, 1);
    }
}

static uint64_t run(const uint8_t *data, size_t size, size_t step, enum rc *end)
{
    struct framein in = { 0 };
    struct channel *ch = channel_new(65536);
    uint64_t frames = 0;
    *end = RC_OK;
    for (size_t at = 0; at < size && (*end == RC_OK || *end == RC_AGAIN); at += step) {
        struct slice rest = slice_to(slice_of((const char *)data + at, size - at), step), raw;
        struct frame f;
        struct why why;
        while ((*end = framein_next(&in, &rest, &f, &raw, &why)) == RC_OK) {
            frames++;
            look(ch, &f);
        }
        assert(*end != RC_AGAIN || rest.len == 0);
    }
    framein_fini(&in);
    channel_free(&ch);
    return frames;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum rc whole, pieces;
    if (size < 1)
        return 0;
    uint64_t n = run(data + 1, size - 1, size, &whole);
    uint64_t m = run(data + 1, size - 1, data[0] + 1u, &pieces);
    assert(n == m && whole == pieces);
    return 0;
}
