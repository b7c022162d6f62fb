/* httpgw/uploadput.c - a file comes (XEP-0363 6): its body is written as it comes, never held
 *
 * Two pieces of it are in memory at most: one is filled from the socket while the other is written by a
 * thread; when both are full the socket is not read. What is wrong with the disk shows when the body is on
 * its way, where HTTP has no place for an answer: the rest is then read and dropped, so that the client gets
 * to see why. */
#include "httpgw/upload.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/conn.h"
#include "httpgw/routes.h"
#include "httpgw/uploaddisk.h"

enum {
    PIECE = 128 * 1024, /* bytes that are written at once */
    PATIENCE_MAX_MS = 12 * 3600 * 1000,
};

enum step { STEP_BEGIN, STEP_WRITE, STEP_FINISH, STEP_DROP };

struct put {
    struct work work;
    struct link link; /* in all->puts */
    struct upload_all *all;
    struct http_request *r; /* NULL: it is over */
    uint64_t conn;          /* for the log, as the address is */
    struct conn_peer peer;
    struct addr_key key;
    char token[SLOT_TOKEN_CHARS], *name, *type;
    struct slot slot;
    struct uploaddisk_part part;
    struct buf filling, writing;
    uint64_t deadline_ms; /* by then it is whole, on the loop's clock; what we do not read does not count */
    uint64_t paused_ms;   /* since when it is not read; 0: it is */
    uint64_t random;
    enum step step;  /* that the thread does or has done … */
    enum rc rc;      /* … and what came of it */
    bool busy;       /* it does it now */
    bool on_disk;    /* there is a part of it */
    bool whole;      /* the body has come */
    unsigned status; /* what is to be answered; 0: not known yet */
    const char *text;
};

static void go_on(struct put *p);

/* --- the thread's side --- */

static void on_run(struct work *w)
{
    struct put *p = CONTAINER(w, struct put, work);
    switch (p->step) {
    case STEP_BEGIN:
        p->rc = uploaddisk_begin(p->all->folder, &p->slot, p->random, &p->part);
        break;
    case STEP_WRITE:
        p->rc = uploaddisk_write(&p->part, buf_get(&p->writing));
        break;
    case STEP_FINISH:
        p->rc = uploaddisk_finish(&p->part);
        break;
    case STEP_DROP:
        uploaddisk_drop(&p->part);
        p->rc = RC_OK;
        break;
    }
}

/* --- its end --- */

static void put_free(struct put *p)
{
    list_unlink(&p->link);
    p->all->n_puts--;
    addr_leave(p->all->addresses, p->key);
    buf_fini(&p->filling);
    buf_fini(&p->writing);
    mem_free(p->name);
    mem_free(p->type);
    mem_free(p);
}

static void settle(struct put *p, unsigned status, const char *text)
{
    const struct daemon_run *run = p->all->d->run;
    struct log_ctx log = {
        .log = run->log, .sub = LOG_MODULE, .conn = p->conn, .ip = p->peer.ip, .doing = "upload"
    };
    p->status = status;
    p->text = text;
    if (status == 201) {
        metric_add(run->metrics, M_UPLOADS, 1);
        LOG_INFO(&log, "uploaded", F_UINT("bytes", p->slot.size), F_SLICE("type", p->slot.type));
    } else {
        metric_add(run->metrics, status == 507 || status == 500 ? M_UPLOAD_FAILED : M_UPLOAD_REFUSED, 1);
        LOG_INFO(&log, "upload_failed", F_UINT("status", status), F_STR("why", text));
    }
}

static void step_failed(struct put *p)
{
    if (p->rc == RC_EXISTS)
        settle(p, 409, "this slot has been used");
    else if (p->rc == RC_LIMIT)
        settle(p, 507, "the disk is full");
    else
        settle(p, 500, "the disk cannot be written to");
}

/* --- step by step --- */

static void on_done(struct work *w)
{
    struct put *p = CONTAINER(w, struct put, work);
    p->busy = false;
    p->on_disk = p->part.fd >= 0;
    if (p->rc != RC_OK && !p->status)
        step_failed(p);
    else if (p->step == STEP_FINISH && !p->status)
        settle(p, 201, "it is there");
    go_on(p);
}

static void start(struct put *p, enum step step)
{
    p->step = step;
    p->busy = true;
    if (p->all->work && work_run(p->all->work, &p->work) == RC_OK)
        return;
    if (step == STEP_DROP) { /* a moment's work, at the end or when all threads are behind */
        on_run(&p->work);
    } else {
        settle(p, 503, "too much at a time");
    }
    p->busy = false;
    p->on_disk = p->part.fd >= 0;
    go_on(p);
}

static void resume(struct put *p)
{
    uint64_t now_ms = loop_now_ms(p->all->d->run->loop);
    if (!p->paused_ms || !p->r)
        return;
    p->deadline_ms += now_ms - p->paused_ms;
    p->paused_ms = 0;
    http_more(p->r);
    http_patience(p->r, p->deadline_ms > now_ms ? (uint32_t)(p->deadline_ms - now_ms) : 1);
}

static void write_piece(struct put *p)
{
    struct buf full = p->filling;
    p->filling = p->writing;
    buf_reset(&p->filling);
    p->writing = full;
    start(p, STEP_WRITE);
}

/* What comes next, whenever something has changed. It may be the end of p. */
static void go_on(struct put *p)
{
    if (p->busy)
        return;
    bool off = !p->r || p->status;
    if (off && p->on_disk)
        start(p, STEP_DROP);
    else if (!p->r)
        put_free(p);
    else if (p->status && p->whole)
        upload_say(p->r, p->status, p->text);
    else if (p->status)
        resume(p);
    else if (!p->on_disk)
        start(p, STEP_BEGIN);
    else if (p->filling.len == PIECE || (p->whole && p->filling.len)) {
        bool was_full = p->paused_ms != 0;
        write_piece(p);
        if (was_full)
            resume(p);
    } else if (p->whole)
        start(p, STEP_FINISH);
}

/* --- the request's side --- */

static size_t on_bytes(struct http_request *r, struct slice bytes)
{
    struct put *p = http_owner(r);
    size_t taken = 0;
    while (!p->status && taken < bytes.len && p->filling.len < PIECE) {
        size_t room = PIECE - p->filling.len, n = bytes.len - taken < room ? bytes.len - taken : room;
        buf_put(&p->filling, bytes.p + taken, n);
        taken += n;
        if (p->filling.len == PIECE)
            go_on(p);
    }
    if (p->status)
        return bytes.len; /* dropped */
    if (taken < bytes.len)
        p->paused_ms = loop_now_ms(p->all->d->run->loop);
    return taken;
}

static void on_end(struct http_request *r)
{
    struct put *p = http_owner(r);
    p->whole = true;
    go_on(p);
}

static void on_gone(void *owner)
{
    struct put *p = owner;
    if (!p->status && !(p->busy && p->step == STEP_FINISH)) /* what is in place stays, heard of or not */
        settle(p, 400, "the connection was lost");
    p->r = NULL;
    go_on(p);
}

static uint64_t patience_ms(const struct upload_all *all, uint64_t size)
{
    uint64_t ms = size / all->d->conf->upload_slowest * 1000; /* both bounded: no overflow */
    return all->d->conf->request_ms + (ms < PATIENCE_MAX_MS ? ms : PATIENCE_MAX_MS);
}

static void begin(struct upload_all *all, struct http_request *r, const struct slot *slot,
                  struct addr_key key)
{
    struct put *p = mem_new(sizeof *p);
    uint64_t ms = patience_ms(all, slot->size);
    p->work = (struct work){ .run = on_run, .done = on_done };
    p->all = all;
    p->r = r;
    p->conn = http_connection(r);
    http_peer(r, &p->peer);
    p->key = key;
    memcpy(p->token, slot->token.p, sizeof p->token);
    p->name = mem_copy(slot->name);
    p->type = mem_copy(slot->type);
    p->slot = (struct slot){ slice_of(p->token, sizeof p->token), slice_of(p->name, slot->name.len),
                             slot->size, slice_of(p->type, slot->type.len), slot->until_s };
    p->part.fd = -1;
    p->filling = p->writing = BUF_INIT(PIECE);
    p->random = secret_random_u64();
    p->deadline_ms = loop_now_ms(all->d->run->loop) + ms;
    list_append(&all->puts, &p->link);
    all->n_puts++;
    addr_enter(all->addresses, key);
    http_own(r, p, on_gone);
    http_stream(r, on_bytes, on_end);
    http_patience(r, (uint32_t)ms);
    go_on(p);
}

/* --- what may come --- */

static void refuse(struct upload_all *all, struct http_request *r, unsigned status, const char *text)
{
    struct conn_peer peer;
    http_peer(r, &peer);
    struct log_ctx log = { .log = all->d->run->log,
                           .sub = LOG_MODULE,
                           .conn = http_connection(r),
                           .ip = peer.ip,
                           .doing = "upload" };
    metric_add(all->d->run->metrics, M_UPLOAD_REFUSED, 1);
    LOG_INFO(&log, "upload_refused", F_UINT("status", status), F_STR("why", text));
    upload_say(r, status, text);
}

/* XEP-0363 6, RFC 9110 9.3.4. slot's type becomes the one that is kept. NULL: it may come. */
static const char *check_header(const struct http_request *r, struct slot *slot, unsigned *status)
{
    struct slice length = http_header(r, "Content-Length"), sent = slice_trim(http_header(r, "Content-Type"));
    uint64_t size;
    *status = 400;
    if (!length.len) {
        *status = 411;
        return "the length is missing";
    }
    if (slice_u64(length, UINT64_MAX, &size) != RC_OK)
        return "the length is no number";
    if (size != slot->size) {
        *status = size > slot->size ? 413 : 400;
        return "the slot is for another size";
    }
    if (http_header(r, "Content-Range").len)
        return "a file comes as a whole";
    if (http_header(r, "Content-Encoding").len || !uploadfile_type_fits(slot->type, sent)) {
        *status = 415;
        return "the slot is for another type";
    }
    if (!slot->type.len && slot_type_ok(sent))
        slot->type = sent;
    return NULL;
}

static bool is_safe(const struct upload_all *all, const struct http_request *r)
{
    return http_secure(r) || (all->d->conf->policy == TLS_OPTIONAL && http_from_here(r));
}

/* NULL: it may come. */
static const char *check_slot(const struct upload_all *all, const struct http_request *r, struct arena *a,
                              struct slice path, struct slot *slot, unsigned *status)
{
    int64_t now_s = clock_wall_ms() / 1000;
    uint32_t keep_s = 0;
    *status = 403;
    if (!is_safe(all, r))
        return "files are put by TLS only";
    switch (slot_check(a, slice_cstr(all->d->conf->upload_secret), path, http_query(r), now_s, slot)) {
    case RC_OK:
        break;
    case RC_TIMEOUT:
        return "the time of this slot is over";
    default:
        return "this is no slot";
    }
    if (slot_token_read(slot->token, &keep_s) != RC_OK || keep_s <= now_s)
        return "the time of this file is over";
    return check_header(r, slot, status);
}

void upload_put(struct upload_all *all, struct http_request *r, struct slice path)
{
    const struct httpgw_conf *conf = all->d->conf;
    struct arena *a = arena_new(1024, 0);
    struct conn_peer peer;
    struct slot slot;
    unsigned status;
    const char *wrong = check_slot(all, r, a, path, &slot, &status);
    http_peer(r, &peer);
    struct addr_key key = addr_key_of_text(slice_cstr(peer.ip));
    if (!wrong && (all->n_puts >= conf->upload_parallel ||
                   addr_count(all->addresses, key) >= conf->upload_per_address)) {
        status = 503;
        wrong = "too many uploads at a time";
    }
    if (wrong)
        refuse(all, r, status, wrong);
    else
        begin(all, r, &slot, key);
    arena_free(&a);
}

void upload_put_stop(struct upload_all *all)
{
    LIST_EACH(&all->puts, it) {
        struct put *p = CONTAINER(it, struct put, link);
        if (!p->status)
            settle(p, 503, "the server stops");
        go_on(p);
    }
}
