/* httpgw/boshwin.c */
#include "httpgw/boshwin.h"

#include "common/base/mem.h"
#include <gnutls/crypto.h>

static struct boshwin_slot *at(const struct boshwin *w, uint64_t rid)
{
    return (struct boshwin_slot *)(uintptr_t)&w->slots[rid % BOSHWIN_SLOTS];
}

static struct boshwin_slot *find(const struct boshwin *w, uint64_t rid)
{
    struct boshwin_slot *s = at(w, rid);
    return s->used && s->rid == rid ? s : NULL;
}

static void clear(struct boshwin_slot *s)
{
    mem_free(s->answer);
    memset(s, 0, sizeof *s);
}

void boshwin_init(struct boshwin *w, uint64_t rid, unsigned requests)
{
    memset(w, 0, sizeof *w);
    w->top = w->answered = w->arrived = rid;
    w->requests = requests;
}

void boshwin_fini(struct boshwin *w)
{
    for (size_t i = 0; i < BOSHWIN_SLOTS; i++)
        clear(&w->slots[i]);
}

/* --- what has arrived --- */

static void go_on(struct boshwin *w)
{
    struct boshwin_slot *s;
    while (w->arrived < w->answered && (!(s = find(w, w->arrived + 1)) || s->got)) {
        w->arrived++;
        if (s)
            w->arrived_end = s->end;
    }
}

void boshwin_acked(struct boshwin *w, uint64_t rid)
{
    for (uint64_t i = w->arrived + 1; i <= rid && i <= w->answered; i++) {
        struct boshwin_slot *s = find(w, i);
        if (s)
            s->got = true;
    }
    go_on(w);
}

/* A request that was not here before, by connection via: HTTP has one at a time on a connection, and of the
 * client's own no more than `requests` are under way. */
static void conclude(struct boshwin *w, uint64_t rid, uint64_t via)
{
    for (uint64_t i = w->arrived + 1; i <= w->answered; i++) {
        struct boshwin_slot *s = find(w, i);
        if (s && via && s->via == via)
            s->got = true;
    }
    boshwin_acked(w, rid > w->requests ? rid - w->requests : 0);
}

/* --- requests --- */

enum boshwin_verdict boshwin_arrive(struct boshwin *w, uint64_t rid, uint64_t via, void *request, void **old,
                                    struct slice *replay)
{
    struct boshwin_slot *s = find(w, rid);
    if (rid > w->top + w->requests || rid > BOSHWIN_RID_MAX || rid + BOSHWIN_SLOTS <= w->top + w->requests)
        return BOSHWIN_GONE;
    if (s && rid <= w->answered) {
        *replay = slice_of(s->answer, s->len);
        s->via = via;
        return s->answer ? BOSHWIN_REPLAY : BOSHWIN_GONE;
    }
    if (s) {
        *old = s->request;
        s->request = request;
        s->via = via;
        return BOSHWIN_AGAIN;
    }
    if (rid <= w->top)
        return BOSHWIN_GONE;
    if (rid > w->answered + w->requests + 1) /* one more than that may be to pause or to end */
        return BOSHWIN_BUSY;
    conclude(w, rid, via);
    s = at(w, rid);
    clear(s);
    *s = (struct boshwin_slot){ .rid = rid, .via = via, .request = request, .used = true };
    return BOSHWIN_QUEUED;
}

void *boshwin_next(struct boshwin *w)
{
    struct boshwin_slot *s = find(w, w->top + 1);
    if (!s || !s->request)
        return NULL;
    w->top++;
    return s->request;
}

unsigned boshwin_held(const struct boshwin *w)
{
    return (unsigned)(w->top - w->answered);
}

bool boshwin_oldest(const struct boshwin *w, uint64_t *rid, void **request)
{
    const struct boshwin_slot *s = find(w, w->answered + 1);
    if (!boshwin_held(w) || !s)
        return false;
    *rid = s->rid;
    *request = s->request;
    return true;
}

void boshwin_answer(struct boshwin *w, struct slice keep, bool kept, uint32_t end)
{
    struct boshwin_slot *s = at(w, ++w->answered),
                        *old; /* what is held is always here: the window is bounded */
    s->request = NULL;
    s->end = end;
    if (kept) {
        s->answer = mem_copy(keep);
        s->len = keep.len;
    }
    if (w->answered > w->requests && (old = find(w, w->answered - w->requests))) { /* so many are kept */
        mem_free(old->answer);
        old->answer = NULL;
    }
}

void boshwin_forget(struct boshwin *w, const void *request)
{
    for (size_t i = 0; i < BOSHWIN_SLOTS; i++) {
        struct boshwin_slot *s = &w->slots[i];
        if (!s->used || s->request != request)
            continue;
        s->request = NULL;
        if (s->rid > w->top) /* it was not taken: as if it had never come */
            clear(s);
    }
}

uint32_t boshwin_arrived(const struct boshwin *w)
{
    return w->arrived_end;
}

void *boshwin_pop(struct boshwin *w)
{
    for (size_t i = 0; i < BOSHWIN_SLOTS; i++) {
        void *request = w->slots[i].request;
        w->slots[i].request = NULL;
        if (request)
            return request;
    }
    return NULL;
}

/* --- keys --- */

MUST_USE static enum rc key_read(struct slice key, char out[41])
{
    if (key.len != 40)
        return RC_SYNTAX;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.p[i] >= 'A' && key.p[i] <= 'F' ? (char)(key.p[i] | 0x20) : key.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return RC_SYNTAX;
        out[i] = c;
    }
    out[40] = '\0';
    return RC_OK;
}

enum rc boshkey_begin(struct boshkey *k, struct slice newkey)
{
    k->next[0] = '\0';
    return newkey.len ? key_read(newkey, k->next) : RC_OK;
}

enum rc boshkey_check(struct boshkey *k, struct slice key, struct slice newkey)
{
    static const char digits[] = "0123456789abcdef";
    char own[41], hash[41];
    unsigned char sum[20];
    if (!k->next[0])
        return RC_OK;
    /* The hash is of the key as it was sent: its case is the client's affair. */
    if (key_read(key, own) != RC_OK || gnutls_hash_fast(GNUTLS_DIG_SHA1, key.p, key.len, sum) < 0)
        return RC_DENIED;
    for (size_t i = 0; i < sizeof sum; i++) {
        hash[2 * i] = digits[sum[i] >> 4];
        hash[2 * i + 1] = digits[sum[i] & 15];
    }
    hash[40] = '\0';
    if (strcmp(hash, k->next) != 0)
        return RC_DENIED;
    memcpy(k->next, own, sizeof own);
    return newkey.len && key_read(newkey, k->next) != RC_OK ? RC_DENIED : RC_OK;
}
