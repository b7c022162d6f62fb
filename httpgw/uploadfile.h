/* httpgw/uploadfile.h - how an uploaded file lies on the disk, and with which headers it is given out (XEP-0363)  Pure.
 *
 * Below the folder of uploads: DAY/F/TOKEN. DAY is the number of the day (from 1970, UTC) in which the file's time is over, so what is old
 * is removed by the folder; F is one character of the token; no byte of the file's name stands in the path. The file begins with
 * UPLOADFILE_HEAD bytes of ours, which tell type and name; so it is one file, and there as a whole or not at all. */
#ifndef HTTPGW_UPLOADFILE_H
#define HTTPGW_UPLOADFILE_H

#include "common/base/arena.h"
#include "common/base/buf.h"

#define UPLOADFILE_HEAD 512
#define UPLOADFILE_DAY_CHARS 6
#define UPLOADFILE_PATH_MAX 64 /* with NUL */

struct uploadfile_path {
    char day[UPLOADFILE_DAY_CHARS + 1], folder[16], file[UPLOADFILE_PATH_MAX]; /* "20785", "20785/x", "20785/x/TOKEN" */
};
/* token: slot_token_read has taken it. */
void uploadfile_path(struct slice token, struct uploadfile_path *out);
/* Whether a name in the folder of uploads is that of a day that is over. */
bool uploadfile_day_over(struct slice name, int64_t now_s);

/* type may be empty. */
void uploadfile_head_write(struct slice name, struct slice type, char out[UPLOADFILE_HEAD]);
/* Slices into head. RC_SYNTAX: it is none of ours. */
MUST_USE enum rc uploadfile_head_read(struct slice head, struct slice *name, struct slice *type);

/* Whether what the client says it sends is what the slot was given for: type and subtype, without regard to case and parameters. Either may
 * be empty. */
bool uploadfile_type_fits(struct slice signed_type, struct slice sent_type);
/* The Content-Type it is given out with: its own, unless a browser might run or render it as a page (HTML, XML, SVG, scripts …). */
struct slice uploadfile_type_served(struct slice type);
/* Images, sounds and films of a list may be shown in the browser; all else is to be saved. */
bool uploadfile_is_inline(struct slice type);

#endif
