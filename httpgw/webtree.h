/* httpgw/webtree.h - the folder of our own pages, read once
 *
 * Every file below it is opened when the folder is read; a request's path is looked up as it is among the names found then, and nothing
 * of it ever reaches the file system. Links are not followed, hidden files and names that would have to be encoded are left out. What is replaced on
 * the disk later is taken up when the folder is read anew: until then all files are of one state. */
#ifndef HTTPGW_WEBTREE_H
#define HTTPGW_WEBTREE_H

#include "common/base/slice.h"

enum {
    WEBTREE_FILES_MAX = 500,
    WEBTREE_DEPTH_MAX = 8,
    WEBTREE_BYTES_MAX = 64 * 1024 * 1024, /* of all files; each is read once, for its tag */
};

struct webtree_body {
    int fd;            /* -1: not there */
    uint64_t size;
    char etag[40];     /* of what is in it, with its quotes; the same on every gateway */
};
struct webtree_file {
    struct slice path; /* below the folder: "admin/index.html" */
    const char *type;
    struct webtree_body plain, gzip; /* gzip: PATH.gz lies beside it */
};

struct webtree;
/* RC_NOTFOUND: there is no such folder. RC_LIMIT: too much in it. RC_IO. why names the path. */
MUST_USE enum rc webtree_read(const char *folder, struct webtree **out, struct why *why);
void webtree_free(struct webtree **t); /* closes the files */
/* NULL: there is none of this name. A folder has none. */
const struct webtree_file *webtree_get(const struct webtree *t, struct slice path);
size_t webtree_files(const struct webtree *t);

#endif
