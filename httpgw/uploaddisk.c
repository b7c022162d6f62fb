#include "httpgw/uploaddisk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TMP_KEPT_S = 86400 }; /* the slowest upload takes less */
static const char tmp_folder[] = "tmp";

static enum rc rc_of_errno(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return RC_LIMIT;
    case EEXIST:
        return RC_EXISTS;
    default:
        return RC_IO;
    }
}

/* --- folders --- */

/* True also where it was there. made: it was not. */
static bool make_folder(int at, const char *path, bool *made)
{
    *made = mkdirat(at, path, 0700) == 0;
    return *made || errno == EEXIST;
}

static bool sync_folder(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

enum rc uploaddisk_open_folder(const char *path, int *out, struct why *why)
{
    bool made;
    *out = -1;
    int fd = mkdir(path, 0700) == 0 || errno == EEXIST ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || !make_folder(fd, tmp_folder, &made) ||
        faccessat(fd, tmp_folder, W_OK | X_OK, AT_EACCESS) < 0) {
        why_set(why, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return RC_IO;
    }
    *out = fd;
    return RC_OK;
}

/* DAY/F, on the disk too. */
static enum rc make_place(const struct uploaddisk_part *p)
{
    bool day, folder;
    if (!make_folder(p->folder, p->path.day, &day) || !make_folder(p->folder, p->path.folder, &folder))
        return rc_of_errno();
    if ((day && fsync(p->folder) < 0) || (folder && !sync_folder(p->folder, p->path.day)))
        return rc_of_errno();
    return RC_OK;
}

/* --- in --- */

/* File systems that cannot reserve are told of a full disk when it is. */
static enum rc reserve(int fd, uint64_t size)
{
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(size + UPLOADFILE_HEAD)) == 0 || errno == EOPNOTSUPP ||
        errno == ENOSYS || errno == EINTR)
        return RC_OK;
    return rc_of_errno();
}

enum rc uploaddisk_begin(int folder, const struct slot *slot, uint64_t random, struct uploaddisk_part *out)
{
    char head[UPLOADFILE_HEAD];
    struct stat st;
    *out = (struct uploaddisk_part){ .folder = folder, .fd = -1 };
    uploadfile_path(slot->token, &out->path);
    if (fstatat(folder, out->path.file, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return RC_EXISTS;
    snprintf(out->tmp, sizeof out->tmp, "%s/" SLICE_FMT ".%016llx", tmp_folder, SLICE_ARG(slot->token),
             (unsigned long long)random);
    out->fd = openat(folder, out->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out->fd < 0)
        return rc_of_errno();
    uploadfile_head_write(slot->name, slot->type, head);
    enum rc rc = reserve(out->fd, slot->size);
    if (rc == RC_OK)
        rc = uploaddisk_write(out, slice_of(head, sizeof head));
    if (rc != RC_OK)
        uploaddisk_drop(out);
    return rc;
}

enum rc uploaddisk_write(struct uploaddisk_part *p, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(p->fd, bytes.p, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? rc_of_errno() : RC_IO;
        bytes = slice_from(bytes, (size_t)n);
    }
    return RC_OK;
}

enum rc uploaddisk_finish(struct uploaddisk_part *p)
{
    enum rc rc = fsync(p->fd) < 0 ? rc_of_errno() : make_place(p);
    /* link, not rename: it fails where there is one */
    if (rc == RC_OK && linkat(p->folder, p->tmp, p->folder, p->path.file, 0) < 0)
        rc = rc_of_errno();
    if (rc == RC_OK && !sync_folder(p->folder, p->path.folder)) {
        rc = rc_of_errno();
        unlinkat(p->folder, p->path.file, 0); /* who is told that it failed will not find it */
    }
    uploaddisk_drop(p); /* the other name */
    return rc;
}

void uploaddisk_drop(struct uploaddisk_part *p)
{
    if (p->fd < 0)
        return;
    close(p->fd);
    p->fd = -1;
    unlinkat(p->folder, p->tmp, 0);
}

/* --- out --- */

enum rc uploaddisk_open(int folder, struct slice token, struct slice name, struct uploaddisk_file *out)
{
    struct uploadfile_path path = { "", "", "" };
    struct stat st;
    struct slice own;
    uploadfile_path(token, &path);
    out->fd = openat(folder, path.file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (out->fd < 0)
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    enum rc rc = RC_IO;
    if (fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= UPLOADFILE_HEAD &&
        pread(out->fd, out->head, UPLOADFILE_HEAD, 0) == UPLOADFILE_HEAD &&
        uploadfile_head_read(slice_of(out->head, UPLOADFILE_HEAD), &own, &out->type) == RC_OK)
        rc = slice_eq(own, name) ? RC_OK : RC_NOTFOUND; /* its name is part of its address */
    out->size = rc == RC_OK ? (uint64_t)st.st_size - UPLOADFILE_HEAD : 0;
    if (rc != RC_OK) {
        close(out->fd);
        out->fd = -1;
    }
    return rc;
}

/* --- away --- */

struct sweep {
    int64_t now_s;
    unsigned left, removed;
    bool more;
};

static DIR *open_folder(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The files of one folder of a day that is over; older_s: those of tmp, by when they were last written. */
static void sweep_files(struct sweep *s, int at, const char *path, bool is_tmp)
{
    DIR *d = open_folder(at, path);
    struct stat st;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (is_dots(e->d_name) || (is_tmp && (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                                              st.st_mtime + TMP_KEPT_S > s->now_s)))
            continue;
        if (!s->left) {
            s->more = true;
            break;
        }
        if (unlinkat(dirfd(d), e->d_name, 0) == 0) {
            s->left--;
            s->removed++;
        }
    }
    if (d)
        closedir(d);
}

static void sweep_day(struct sweep *s, int folder, const char *day)
{
    DIR *d = open_folder(folder, day);
    for (struct dirent *e; d && !s->more && (e = readdir(d)) != NULL;) {
        if (is_dots(e->d_name))
            continue;
        sweep_files(s, dirfd(d), e->d_name, false);
        if (!s->more)
            unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
    if (d)
        closedir(d);
    if (!s->more)
        unlinkat(folder, day, AT_REMOVEDIR);
}

bool uploaddisk_clean(int folder, int64_t now_s, unsigned most, unsigned *removed)
{
    struct sweep s = { .now_s = now_s, .left = most };
    DIR *d = open_folder(folder, ".");
    for (struct dirent *e; d && !s.more && (e = readdir(d)) != NULL;)
        if (uploadfile_day_over(slice_cstr(e->d_name), now_s))
            sweep_day(&s, folder, e->d_name);
    if (d)
        closedir(d);
    if (!s.more)
        sweep_files(&s, folder, tmp_folder, true);
    *removed = s.removed;
    return s.more;
}
