#include "httpgw/webtree.h"

#include "common/base/arena.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "httpgw/webfile.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, TAG_BYTES = 16 };

struct webtree {
    struct arena *arena;
    struct map *files; /* by path; the arena has them */
    uint64_t bytes;
};

static struct slice path_of(const void *value)
{
    return ((const struct webtree_file *)value)->path;
}

/* --- one file --- */

MUST_USE static enum rc tag(struct webtree_body *body, bool gzip)
{
    crypto_generichash_state hash;
    unsigned char sum[TAG_BYTES];
    char hex[2 * TAG_BYTES + 1], *piece = mem_new(PIECE);
    uint64_t at = 0;
    ssize_t n;
    crypto_generichash_init(&hash, NULL, 0, TAG_BYTES);
    while ((n = pread(body->fd, piece, PIECE, (off_t)at)) > 0) {
        crypto_generichash_update(&hash, (const unsigned char *)piece, (size_t)n);
        at += (uint64_t)n;
    }
    mem_free(piece);
    crypto_generichash_final(&hash, sum, sizeof sum);
    sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    snprintf(body->etag, sizeof body->etag, "\"%s%s\"", hex, gzip ? "-gz" : "");
    return n < 0 || at != body->size ? RC_IO : RC_OK;
}

/* RC_NOTFOUND: no file, or none that we give out. */
MUST_USE static enum rc body_open(struct webtree *t, int at, const char *name, bool gzip,
                                  struct webtree_body *out)
{
    struct stat st;
    out->fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (out->fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == EIO ? RC_IO : RC_NOTFOUND;
    enum rc rc = RC_NOTFOUND;
    if (fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        out->size = (uint64_t)st.st_size;
        t->bytes += out->size;
        rc = t->bytes > WEBTREE_BYTES_MAX ? RC_LIMIT : tag(out, gzip);
    }
    if (rc != RC_OK) {
        close(out->fd);
        out->fd = -1;
    }
    return rc;
}

MUST_USE static enum rc file_add(struct webtree *t, int at, struct slice name, struct slice path)
{
    char gz[WEBFILE_NAME_MAX + 4];
    struct webtree_file *file = arena_zero(t->arena, sizeof *file);
    file->path = path;
    file->type = webfile_type(name);
    file->gzip.fd = -1;
    snprintf(gz, sizeof gz, SLICE_FMT ".gz", SLICE_ARG(name));
    enum rc rc = body_open(t, at, arena_cstr(t->arena, name), false, &file->plain);
    if (rc != RC_OK)
        return rc == RC_NOTFOUND ? RC_OK : rc;
    if (map_count(t->files) == WEBTREE_FILES_MAX) {
        close(file->plain.fd);
        return RC_LIMIT;
    }
    map_put(t->files, file);
    rc = body_open(t, at, gz, true, &file->gzip);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* --- folders --- */

MUST_USE static enum rc folder_read(struct webtree *t, int at, const char *name, struct slice path,
                                    unsigned depth);

MUST_USE static enum rc entry_read(struct webtree *t, int at, struct slice name, struct slice path,
                                   unsigned depth)
{
    struct stat st;
    const char *cstr = arena_cstr(t->arena, name);
    if (!webfile_name_ok(name) || webfile_is_gzip(name) || fstatat(at, cstr, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return RC_OK;
    struct slice whole =
        path.len ? arena_fmt(t->arena, SLICE_FMT "/%s", SLICE_ARG(path), cstr) : arena_copy(t->arena, name);
    if (S_ISDIR(st.st_mode))
        return depth == WEBTREE_DEPTH_MAX ? RC_LIMIT : folder_read(t, at, cstr, whole, depth + 1);
    return S_ISREG(st.st_mode) ? file_add(t, at, name, whole) : RC_OK;
}

static enum rc folder_read(struct webtree *t, int at, const char *name, struct slice path, unsigned depth)
{
    /* The folder itself may be a link; what is in it may not. */
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    enum rc rc = RC_OK;
    if (!d) {
        rc = errno == ENOENT || errno == ENOTDIR ? RC_NOTFOUND : RC_IO;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    for (struct dirent *e; rc == RC_OK && (e = readdir(d)) != NULL;)
        rc = entry_read(t, dirfd(d), slice_cstr(e->d_name), path, depth);
    closedir(d);
    return rc;
}

/* --- the whole --- */

enum rc webtree_read(const char *folder, struct webtree **out, struct why *why)
{
    struct webtree *t = mem_new(sizeof *t);
    t->arena = arena_new(16 * 1024, 0); /* files and depth are bounded */
    t->files = map_new(path_of);
    enum rc rc = folder_read(t, AT_FDCWD, folder, SLICE_NONE, 0);
    if (rc == RC_OK) {
        *out = t;
        return RC_OK;
    }
    why_set(why, "%s: %s", folder,
            rc == RC_NOTFOUND ? "there is no such folder"
            : rc == RC_LIMIT  ? "more files, or larger ones, than pages have"
                              : "cannot be read");
    webtree_free(&t);
    return rc;
}

static void body_close(struct webtree_body *body)
{
    if (body->fd >= 0)
        close(body->fd);
}

void webtree_free(struct webtree **tp)
{
    struct webtree *t = *tp;
    size_t at = 0;
    if (!t)
        return;
    for (struct webtree_file *file; (file = map_next(t->files, &at)) != NULL;) {
        body_close(&file->plain);
        body_close(&file->gzip);
    }
    map_free(&t->files);
    arena_free(&t->arena);
    MEM_FREE(tp);
}

const struct webtree_file *webtree_get(const struct webtree *t, struct slice path)
{
    return map_get(t->files, path);
}

size_t webtree_files(const struct webtree *t)
{
    return map_count(t->files);
}
