/* common/tools/super.c */
#include "common/tools/super.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16 };

void super_programs(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

enum rc super_lock(const char *dir, int *fd, struct why *why)
{
    char path[PATH_MAX + 32], text[32] = "";
    snprintf(path, sizeof path, "%s/run/bulkhead.pid", dir);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0) {
        why_set(why, "%s: %s", path, strerror(errno));
        return RC_IO;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = read(*fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        why_set(why, "%s is running already (pid %.*s)", dir, (int)strcspn(text, "\n"), text);
        close(*fd);
        *fd = -1;
        return RC_CONFLICT;
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(*fd, 0) < 0 || write(*fd, text, (size_t)n) != n) {
        why_set(why, "%s: %s", path, strerror(errno));
        return RC_IO;
    }
    return RC_OK;
}

void super_unlock(int fd)
{
    if (fd < 0)
        return;
    if (ftruncate(fd, 0) < 0)
        fprintf(stderr, "bulkhead: the pid file stays behind: %s\n", strerror(errno));
    close(fd);
}

/* A socket at DIR/run/NAME, for this user alone. */
static enum rc open_socket(const char *dir, const char *name, int type, int *fd, struct why *why)
{
    char path[PATH_MAX + 32];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(path, sizeof path, "%s/run/%s", dir, name);
    if (slice_to_cstr(slice_cstr(path), at.sun_path, sizeof at.sun_path) != RC_OK) {
        why_set(why, "%s: too long for the path of a socket (%zu bytes at most)", path,
                sizeof at.sun_path - 1);
        return RC_LIMIT;
    }
    unlink(path); /* we hold the lock, so it is nobody's */
    mode_t mask = umask(0177);
    *fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = *fd >= 0 && bind(*fd, (const struct sockaddr *)&at, sizeof at) == 0;
    umask(mask);
    if (!ok)
        why_set(why, "%s: %s", path, strerror(errno));
    return ok ? RC_OK : RC_IO;
}

enum rc super_notify_open(const char *dir, int *fd, struct why *why)
{
    int on = 1;
    enum rc rc = open_socket(dir, "bulkhead.notify", SOCK_DGRAM, fd, why);
    if (rc == RC_OK)
        setsockopt(*fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    return rc;
}

bool super_notify_read(int fd, char *text, size_t size, pid_t *pid)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = { text, size - 1 };
    struct msghdr msg = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return false;
    text[n] = '\0';
    *pid = 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
        struct ucred who;
        memcpy(&who, CMSG_DATA(c), sizeof who);
        *pid = who.pid;
    }
    return true;
}

enum rc super_control_open(const char *dir, int *fd, struct why *why)
{
    enum rc rc = open_socket(dir, "bulkhead.sock", SOCK_STREAM, fd, why);
    if (rc == RC_OK && listen(*fd, BACKLOG) < 0) {
        why_set(why, "listen: %s", strerror(errno));
        rc = RC_IO;
    }
    return rc;
}

int super_control_accept(int fd, char *request, size_t size)
{
    struct timeval second = { 1, 0 }; /* only our own user can make us wait */
    size_t len = 0;
    int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (conn < 0)
        return -1;
    setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(conn, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    while (len < size - 1 && !memchr(request, '\n', len)) {
        ssize_t n = recv(conn, request + len, size - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    request[len] = '\0';
    request[strcspn(request, "\r\n")] = '\0';
    return conn;
}

void super_control_answer(int conn, struct slice answer)
{
    while (answer.len) {
        ssize_t n = send(conn, answer.p, answer.len, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        answer = slice_from(answer, (size_t)n);
    }
    close(conn);
}

void super_remove_sockets(const char *dir, int control, int notify)
{
    static const char *const names[] = { "bulkhead.sock", "bulkhead.notify" };
    const int fds[] = { control, notify };
    char path[PATH_MAX + 32];
    for (size_t i = 0; i < 2; i++) {
        if (fds[i] < 0)
            continue;
        close(fds[i]);
        snprintf(path, sizeof path, "%s/run/%s", dir, names[i]);
        unlink(path);
    }
}
