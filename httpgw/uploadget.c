/* httpgw/uploadget.c - an uploaded file goes out (RFC 9110; XEP-0363 8, 9): opened by a thread, sent by the
 * library
 *
 * It is a stranger's file under our name: nothing in it may run in a browser as ours. */
#include "httpgw/upload.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "httpgw/range.h"
#include "httpgw/routes.h"
#include "httpgw/uploaddisk.h"
#include "httpgw/webfile.h"
#include <unistd.h>

enum { AGE_MAX_S = 31536000, FIELDS_MAX = 12 };

struct get {
    struct work work;
    struct upload_all *all;
    struct http_request *r; /* NULL: it is over */
    struct arena *a;
    struct slice token, name;
    int64_t left_s; /* for which the file is kept */
    enum rc rc;
    struct uploaddisk_file file;
    bool opened;
};

static void on_run(struct work *w)
{
    struct get *g = CONTAINER(w, struct get, work);
    g->rc = uploaddisk_open(g->all->folder, g->token, g->name, &g->file);
}

static void get_free(struct get *g)
{
    arena_free(&g->a);
    mem_free(g);
}

/* --- the answer --- */

struct fields {
    struct http_field list[FIELDS_MAX];
    size_t n;
};

static void add(struct fields *f, const char *name, struct slice value)
{
    f->list[f->n++] = (struct http_field){ name, value };
}

/* Of every answer that speaks of the file. A browser runs nothing of it, embeds it nowhere, and believes our
 * word for what it is. */
static void add_common(struct get *g, struct fields *f, struct slice etag)
{
    int64_t age_s = g->left_s < AGE_MAX_S ? g->left_s : AGE_MAX_S;
    struct slice origin = slice_trim(http_header(g->r, "Origin"));
    add(f, "Content-Security-Policy",
        SLICE("default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox"));
    add(f, "Cross-Origin-Resource-Policy", SLICE("cross-origin"));
    add(f, "Cache-Control", arena_fmt(g->a, "public, max-age=%lld, immutable", (long long)age_s));
    add(f, "ETag", etag);
    add(f, "Vary", SLICE("Origin"));
    if (origin.len && routes_origin_ok(g->r))
        add(f, "Access-Control-Allow-Origin", origin);
}

/* The name in it is the one in the URL: RFC 6266 4.3, RFC 8187. */
static struct slice disposition(struct get *g)
{
    struct slice encoded = slice_from(slot_path(g->a, g->token, g->name), SLOT_TOKEN_CHARS + 1);
    return arena_fmt(g->a, "%s; filename*=UTF-8''" SLICE_FMT,
                     uploadfile_is_inline(g->file.type) ? "inline" : "attachment", SLICE_ARG(encoded));
}

static enum range read_range(const struct get *g, struct slice etag, uint64_t *from, uint64_t *len)
{
    struct slice header = http_header(g->r, "Range"), unless = slice_trim(http_header(g->r, "If-Range"));
    if (http_method(g->r) != HTTP_GET || (unless.len && !slice_eq(unless, etag)))
        header = SLICE_NONE; /* RFC 9110 14.2, 13.1.5 */
    return range_read(header, g->file.size, from, len);
}

static void give_out(struct get *g, struct fields *f, unsigned status, uint64_t from, uint64_t len)
{
    const struct http_reply reply = { .status = status,
                                      .type = arena_cstr(g->a, uploadfile_type_served(g->file.type)),
                                      .fields = f->list,
                                      .n_fields = f->n };
    int fd = g->file.fd;
    g->file.fd = -1;
    metric_add(g->all->d->run->metrics, M_DOWNLOADS, 1);
    if (len) {
        http_answer_file(g->r, &reply, fd, UPLOADFILE_HEAD + from, len);
        return;
    }
    close(fd);
    http_answer(g->r, &reply);
}

static void answer_file(struct get *g)
{
    struct fields f = { .n = 0 };
    struct slice etag = arena_fmt(g->a, "\"" SLICE_FMT "\"", SLICE_ARG(g->token));
    uint64_t from, len;
    enum range range = read_range(g, etag, &from, &len);
    unsigned long long size = g->file.size;
    add_common(g, &f, etag);
    if (webfile_known(http_header(g->r, "If-None-Match"), etag)) {
        http_answer(g->r, &(struct http_reply){ .status = 304, .fields = f.list, .n_fields = f.n });
    } else if (range == RANGE_NONE) {
        add(&f, "Content-Range", arena_fmt(g->a, "bytes */%llu", size));
        http_answer(g->r, &(struct http_reply){ .status = 416, .fields = f.list, .n_fields = f.n });
    } else {
        add(&f, "Accept-Ranges", SLICE("bytes"));
        add(&f, "Content-Disposition", disposition(g));
        if (range == RANGE_PART)
            add(&f, "Content-Range",
                arena_fmt(g->a, "bytes %llu-%llu/%llu", (unsigned long long)from,
                          (unsigned long long)(from + len - 1), size));
        give_out(g, &f, range == RANGE_PART ? 206 : 200, from, len);
    }
    if (g->file.fd >= 0)
        close(g->file.fd);
}

static void on_opened(struct work *w)
{
    struct get *g = CONTAINER(w, struct get, work);
    g->opened = true;
    if (!g->r) {
        if (g->rc == RC_OK)
            close(g->file.fd);
        get_free(g);
    } else if (g->rc == RC_OK) {
        answer_file(g);
    } else {
        upload_say(g->r, g->rc == RC_NOTFOUND ? 404 : 500,
                   g->rc == RC_NOTFOUND ? "there is no such file" : "the disk cannot be read");
    }
}

static void on_gone(void *owner)
{
    struct get *g = owner;
    g->r = NULL;
    if (g->opened)
        get_free(g);
}

void upload_get(struct upload_all *all, struct http_request *r, struct slice path)
{
    struct arena *a = arena_new(2048, 0);
    struct slice token, name;
    uint32_t keep_s = 0;
    int64_t now_s = clock_wall_ms() / 1000;
    if (slot_path_read(a, path, &token, &name) != RC_OK || slot_token_read(token, &keep_s) != RC_OK ||
        keep_s <= now_s) {
        upload_say(r, 404, "there is no such file");
        arena_free(&a);
        return;
    }
    struct get *g = mem_new(sizeof *g);
    *g = (struct get){ .work = { .run = on_run, .done = on_opened },
                       .all = all,
                       .r = r,
                       .a = a,
                       .token = arena_copy(a, token),
                       .name = name,
                       .left_s = keep_s - now_s };
    if (work_run(all->work, &g->work) != RC_OK) {
        upload_say(r, 503, "too much at a time");
        get_free(g);
        return;
    }
    http_own(r, g, on_gone);
    http_hold(r);
}
