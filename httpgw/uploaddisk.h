/* httpgw/uploaddisk.h - uploaded files on the disk: written aside, put in place as a whole, opened, removed when their day is over
 *
 * All of it blocks: for a thread of the work pool. Nothing here is shared but the folder's descriptor, so any number of them may run at a
 * time, in several gateways too. Files are written in the folder tmp and linked to where they are found (uploadfile.h) once they are whole
 * and on the disk: what is found is whole, also after a power loss, and is never replaced. */
#ifndef HTTPGW_UPLOADDISK_H
#define HTTPGW_UPLOADDISK_H

#include "common/xmpp/slot.h"
#include "httpgw/uploadfile.h"

/* The folder of uploads, made if it is not there; *fd is the caller's to close. */
MUST_USE enum rc uploaddisk_open_folder(const char *path, int *fd, struct why *why);

struct uploaddisk_part { /* a file that is being written */
    int folder, fd;      /* folder is borrowed; fd -1: there is nothing of it on the disk */
    struct uploadfile_path path;
    char tmp[UPLOADFILE_PATH_MAX + 16];
};
/* Begins slot's file; its room on the disk is taken at once. random: another one each time. RC_EXISTS: there is such a file; RC_LIMIT: the
 * disk is full; RC_IO. On an error nothing is left. */
MUST_USE enum rc uploaddisk_begin(int folder, const struct slot *slot, uint64_t random, struct uploaddisk_part *out);
MUST_USE enum rc uploaddisk_write(struct uploaddisk_part *p, struct slice bytes); /* RC_LIMIT: full; RC_IO */
/* All was written: it is on the disk and in place, or (RC_EXISTS, RC_LIMIT, RC_IO) dropped. */
MUST_USE enum rc uploaddisk_finish(struct uploaddisk_part *p);
void uploaddisk_drop(struct uploaddisk_part *p); /* nothing is left of it */

struct uploaddisk_file {
    int fd;              /* the caller's to close; what was uploaded begins at UPLOADFILE_HEAD */
    uint64_t size;       /* of that */
    struct slice type;   /* into head; may be empty */
    char head[UPLOADFILE_HEAD];
};
/* RC_NOTFOUND: there is none of that token and name. */
MUST_USE enum rc uploaddisk_open(int folder, struct slice token, struct slice name, struct uploaddisk_file *out);

/* Removes at most `most` files whose day is over, and what was left in tmp for more than a day. True: there may be more. */
bool uploaddisk_clean(int folder, int64_t now_s, unsigned most, unsigned *removed);

#endif
