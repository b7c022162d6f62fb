/* sessman/uploads.h - what accounts have been granted to upload (XEP-0363): limits, and the rows that count for them
 *
 * A row is one slot. What was granted counts whether its file came or not, since the gateway reports nothing. [upload] day_files and
 * day_bytes are of the last 24 hours, quota is of what is kept still. A row goes when it counts for neither, or with its account. The
 * files are the gateway's: each ends at the time that stands in its URL, those of accounts that are gone like any other. */
#ifndef SESSMAN_UPLOADS_H
#define SESSMAN_UPLOADS_H

#include "common/xmpp/jid.h"
#include "sessman/sessman.h"

/* Whether slots are granted at all: the key is set. */
static inline bool uploads_on(const struct sessman *sm)
{
    return sm->conf->upload_secret != NULL;
}
/* Largest file, bytes: the limits together. */
uint64_t uploads_size_max(const struct sessman *sm);

struct upload {
    int64_t account;   /* row */
    int64_t keep_ms;   /* until when the file is kept */
    uint64_t bytes;    /* at most uploads_size_max */
    struct slice path; /* slot_path; copied */
};
/* done comes on the loop, once. RC_OK: granted and committed; RC_LIMIT: over a limit until retry_ms (wall clock); RC_NOTFOUND: the account
 * is gone. */
typedef void (*uploads_done)(void *ctx, enum rc rc, int64_t retry_ms);
void uploads_grant(struct sessman *sm, const struct upload *u, uploads_done done, void *ctx);

/* The newest, at most max, of local@domain. Slices live until each returns; ms are wall clock. */
typedef void (*uploads_each)(void *ctx, struct slice path, uint64_t bytes, int64_t at_ms, int64_t keep_ms);
void uploads_list(struct sessman *sm, const struct jid *bare, unsigned max, uploads_each each, void (*done)(void *ctx), void *ctx);

void uploads_open(struct sessman *sm);  /* rows are removed from now on */
void uploads_close(struct sessman *sm); /* before the store is closed */

/* "https://files.example/upload": what an URL of the domain begins with; {domain} in [upload] url is it. */
struct slice uploads_base(const struct sessman *sm, struct slice domain, struct arena *a);
/* [upload] url: a http or https URL of printable ASCII, without query and fragment. */
MUST_USE enum rc uploads_url_check(const char *url, struct why *why);

#endif
