/* httpgw/upload.h - uploads and downloads of files (XEP-0363) at /upload/…: what upload.c, uploadput.c and uploadget.c share; nobody else
 * includes it but for upload_all_…
 *
 * Whether a file may come is said by its URL alone (common/xmpp/slot.h); there is nothing to look up. The loop never waits for the disk:
 * what blocks is in uploaddisk.h and runs on the work pool, one step of an upload at a time. Files go out by the library (sendfile). */
#ifndef HTTPGW_UPLOAD_H
#define HTTPGW_UPLOAD_H

#include "common/base/list.h"
#include "common/net/work.h"
#include "httpgw/httpgw.h"

struct upload_all {
    struct httpgw *d;
    struct work_pool *work; /* NULL: it stops */
    int folder;             /* of uploads; -1: it is off */
    struct link puts;       /* struct put, uploadput.c */
    size_t n_puts;
    struct addr_table *addresses; /* puts of each */
    struct timer clean;
    struct work cleaning;
    bool is_cleaning;
    int64_t clean_s;        /* what the cleaner takes, and what it has done */
    unsigned removed;
    bool clean_more;
};
/* Made at the start. upload_all_open opens the folder if uploads are on ([upload] secret), now or after a reload. upload_all_stop ends what is
 * being written, and waits for the disk as long as one step takes. */
struct upload_all *upload_all_new(struct httpgw *d);
MUST_USE enum rc upload_all_open(struct upload_all *all, struct why *why);
void upload_all_stop(struct upload_all *all);
void upload_all_free(struct upload_all **all);

/* uploadput.c, uploadget.c: path is what stands behind /upload/. */
void upload_put(struct upload_all *all, struct http_request *r, struct slice path);
void upload_get(struct upload_all *all, struct http_request *r, struct slice path);
void upload_put_stop(struct upload_all *all); /* the pool is gone */
/* A line of text that pages of other origins may read. */
void upload_say(struct http_request *r, unsigned status, const char *text);

#endif
