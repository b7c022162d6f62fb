#include "httpgw/upload.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "httpgw/routes.h"
#include "httpgw/uploaddisk.h"
#include <unistd.h>

enum {
    THREADS = 4,
    JOBS_MAX = 10000,
    CLEAN_FILES = 500,     /* that are removed at once */
    CLEAN_PACE_MS = 200,   /* between two parts of it */
    CLEAN_LOOK_MS = 600000 /* between two looks whether a day is over */
};
static const char prefix[] = "/upload/";

/* --- requests --- */

void upload_say(struct http_request *r, unsigned status, const char *text)
{
    char line[160];
    struct buf body = { line, 0, sizeof line, sizeof line, false };
    const struct http_field fresh = { "Cache-Control", SLICE("no-store") };
    buf_fmt(&body, "%s\n", text);
    routes_answer_cors(r, &(struct http_reply){ .status = status,
                                                .type = "text/plain; charset=utf-8",
                                                .body = buf_get(&body),
                                                .fields = &fresh,
                                                .n_fields = 1 });
}

void upload_take(struct http_request *r)
{
    struct upload_all *all = routes_httpgw(r)->uploads;
    struct slice path = slice_from(http_path(r), strlen(prefix));
    if (all->folder < 0 || !all->d->conf->upload_secret)
        http_answer_text(r, 404, "there is nothing here");
    else if (!all->work)
        upload_say(r, 503, "the server stops");
    else if (http_method(r) == HTTP_PUT)
        upload_put(all, r, path);
    else
        upload_get(all, r, path);
}

/* --- what is old goes --- */

static void on_clean(struct timer *t);

static void clean_run(struct work *w)
{
    struct upload_all *all = CONTAINER(w, struct upload_all, cleaning);
    all->clean_more = uploaddisk_clean(all->folder, all->clean_s, CLEAN_FILES, &all->removed);
}

static void clean_done(struct work *w)
{
    struct upload_all *all = CONTAINER(w, struct upload_all, cleaning);
    struct log_ctx log = { .log = all->d->run->log, .sub = LOG_MODULE, .doing = "upload" };
    all->is_cleaning = false;
    metric_add(all->d->run->metrics, M_UPLOAD_EXPIRED, all->removed);
    if (all->removed)
        LOG_INFO(&log, "uploads_removed", F_UINT("files", all->removed));
    if (all->work)
        loop_timer(all->d->run->loop, &all->clean, all->clean_more ? CLEAN_PACE_MS : CLEAN_LOOK_MS, on_clean);
}

static void on_clean(struct timer *t)
{
    struct upload_all *all = CONTAINER(t, struct upload_all, clean);
    all->clean_s = clock_wall_ms() / 1000;
    all->is_cleaning = work_run(all->work, &all->cleaning) == RC_OK;
    if (!all->is_cleaning)
        loop_timer(all->d->run->loop, t, CLEAN_PACE_MS, on_clean);
}

/* --- life --- */

struct upload_all *upload_all_new(struct httpgw *d)
{
    struct upload_all *all = mem_new(sizeof *all);
    all->d = d;
    all->folder = -1;
    all->cleaning = (struct work){ .run = clean_run, .done = clean_done };
    all->addresses = addr_table_new();
    list_init(&all->puts);
    return all;
}

enum rc upload_all_open(struct upload_all *all, struct why *why)
{
    const struct httpgw_conf *conf = all->d->conf;
    if (!conf->upload_secret || all->folder >= 0)
        return RC_OK;
    char *path = daemon_path(all->d->run->dir, conf->upload_path);
    enum rc rc = uploaddisk_open_folder(path, &all->folder, why);
    mem_free(path);
    if (rc != RC_OK)
        return rc;
    all->work = work_pool_new(all->d->run->loop, THREADS, JOBS_MAX);
    loop_timer(all->d->run->loop, &all->clean, CLEAN_PACE_MS, on_clean);
    return RC_OK;
}

void upload_all_stop(struct upload_all *all)
{
    struct work_pool *pool = all->work;
    timer_stop(&all->clean);
    all->work = NULL; /* nobody begins anything */
    work_pool_free(&pool);
    upload_put_stop(all);
}

void upload_all_free(struct upload_all **ap)
{
    if (!*ap)
        return;
    if ((*ap)->folder >= 0)
        close((*ap)->folder);
    addr_table_free(&(*ap)->addresses);
    MEM_FREE(ap);
}
