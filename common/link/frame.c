/* common/link/frame.c */
#include "common/link/frame.h"

enum {
    AT_LEN = 0,
    AT_KIND = 4,
    AT_FLAGS = 5,
    AT_NAME_LEN = 6,
    AT_DST = 8,
    AT_SRC = 16,
    AT_SESSION = 24,
    AT_SEQ = 32,
    AT_ACK = 40,
    AT_MARK = 48,
    AT_ORIGIN = 56
};

const char *frame_kind_name(enum frame_kind kind)
{
    static const char *const names[FRAME_KIND_COUNT] = { [FRAME_NONE] = "?",
#define X(id, name) [FRAME_##id] = name,
                                                         FRAME_KINDS(X)
#undef X
    };
    return (unsigned)kind < FRAME_KIND_COUNT ? names[kind] : "?";
}

static uint64_t load64(const char *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return __builtin_bswap64(n);
}

static uint32_t load32(const char *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return __builtin_bswap32(n);
}

static uint16_t load16(const char *p)
{
    uint16_t n;
    memcpy(&n, p, sizeof n);
    return __builtin_bswap16(n);
}

static void store64(void *p, uint64_t n)
{
    n = __builtin_bswap64(n);
    memcpy(p, &n, sizeof n);
}

static enum rc head_check(const struct frame *f, struct why *why)
{
    if (f->kind == FRAME_NONE || f->kind >= FRAME_KIND_COUNT) {
        why_set(why, "frame of unknown kind %u", f->kind);
        return RC_SYNTAX;
    }
    if (f->len > FRAME_MAX || f->name_len > FRAME_NAME_MAX) {
        why_set(why, "frame of %u bytes with a name of %u", f->len, f->name_len);
        return RC_LIMIT;
    }
    if (f->name_len > f->len || (f->name_len && f->dst)) {
        why_set(why, "%s frame whose name does not fit its head", frame_kind_name(f->kind));
        return RC_SYNTAX;
    }
    if (f->len && (f->kind == FRAME_ACK || f->kind == FRAME_SYNC)) {
        why_set(why, "%s frame with a payload", frame_kind_name(f->kind));
        return RC_SYNTAX;
    }
    return RC_OK;
}

enum rc frame_decode(struct slice bytes, struct frame *out, size_t *used, size_t *need, struct why *why)
{
    const char *p = bytes.p;
    struct frame f;
    *need = FRAME_HEAD;
    if (bytes.len < FRAME_HEAD)
        return RC_AGAIN;
    f = (struct frame){ .len = load32(p + AT_LEN),
                        .kind = (uint8_t)p[AT_KIND],
                        .flags = (uint8_t)p[AT_FLAGS],
                        .name_len = load16(p + AT_NAME_LEN),
                        .dst = load64(p + AT_DST),
                        .src = load64(p + AT_SRC),
                        .session = load64(p + AT_SESSION),
                        .seq = load64(p + AT_SEQ),
                        .ack = load64(p + AT_ACK),
                        .mark = load64(p + AT_MARK),
                        .origin = load64(p + AT_ORIGIN) };
    enum rc rc = head_check(&f, why);
    if (rc != RC_OK)
        return rc;
    *need = FRAME_HEAD + f.len;
    if (bytes.len < *need)
        return RC_AGAIN;
    f.name = slice_of(p + FRAME_HEAD, f.name_len);
    f.payload = slice_of(p + FRAME_HEAD + f.name_len, f.len - f.name_len);
    *out = f;
    *used = *need;
    return RC_OK;
}

void frame_head_write(uint8_t out[FRAME_HEAD], const struct frame *f)
{
    uint32_t len = __builtin_bswap32(f->len);
    uint16_t name_len = __builtin_bswap16(f->name_len);
    memcpy(out + AT_LEN, &len, sizeof len);
    out[AT_KIND] = f->kind;
    out[AT_FLAGS] = f->flags;
    memcpy(out + AT_NAME_LEN, &name_len, sizeof name_len);
    store64(out + AT_DST, f->dst);
    store64(out + AT_SRC, f->src);
    store64(out + AT_SESSION, f->session);
    store64(out + AT_SEQ, f->seq);
    store64(out + AT_ACK, f->ack);
    store64(out + AT_MARK, f->mark);
    store64(out + AT_ORIGIN, f->origin);
}

void frame_set_src(char *bytes, uint64_t src)
{
    store64(bytes + AT_SRC, src);
}

void frame_set_dst(char *bytes, uint64_t dst)
{
    store64(bytes + AT_DST, dst);
}

void frame_set_flags(char *bytes, uint8_t flags)
{
    bytes[AT_FLAGS] = (char)flags;
}

void frame_set_ack(char *bytes, uint64_t ack)
{
    store64(bytes + AT_ACK, ack);
}
