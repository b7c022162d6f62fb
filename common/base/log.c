/* common/base/log.c
 *
 * A line is formatted into a buffer on the stack and leaves with one write; what the sink does not take at
 * once is counted and told later, never waited for. A file is the exception that a write to disk is. The
 * mutex lets the few threads beside the loop log too. */
#include "common/base/log.h"

#include "common/base/clock.h"
#include "common/base/logring.h"
#include "common/base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    VALUE_BYTES = 512,
    LINE_BYTES = 4 * LOG_LONG_MAX + 1024, /* each byte may become \xNN */
    HEAD_BYTES = 160,
    FACILITY_DAEMON = 3 << 3, /* RFC 5424 6.2.1 */
    FILE_MODE = 0640,
};

struct log {
    char daemon[32];
    enum log_level levels[LOG_SUBS];
    enum log_sink sink;
    pthread_mutex_t lock; /* over everything below */
    int fd;
    char *path;
    uint64_t rotate_bytes, size;
    unsigned rotate_keep;
    int64_t second;            /* `stamp` is of this one */
    char stamp[24];            /* 2026-11-20T15:20:23 */
    uint64_t lost;             /* lines that the sink did not take */
    struct sockaddr_un socket; /* LOG_SYSLOG, LOG_JOURNAL */
    struct logring ring;
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { 3, 4, 6, 7 }; /* RFC 5424 6.2.1: error, warning, informational, debug */
static const char *const sub_names[LOG_SUBS] = {
    [LOG_DAEMON] = "daemon", [LOG_NET] = "net",       [LOG_TLS] = "tls",
    [LOG_XMPP] = "xmpp",     [LOG_LINK] = "link",     [LOG_AUTH] = "auth",
    [LOG_STORE] = "store",   [LOG_MODULE] = "module", [LOG_WIRE] = "wire",
};

/* Text of limited length; what does not fit is cut. */
struct line {
    char *p;
    size_t len, cap;
};

static void put(struct line *l, const char *p, size_t n)
{
    if (n > l->cap - l->len)
        n = l->cap - l->len;
    if (n)
        memcpy(l->p + l->len, p, n);
    l->len += n;
}

static void put_cstr(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

PRINTF_LIKE(2, 3) static void put_fmt(struct line *l, const char *fmt, ...)
{
    char text[128];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0)
        put(l, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static bool plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '=')
            return false;
    }
    return s.len != 0;
}

/* Length of the printable character at the start of s, 0: none (a control, or not UTF-8). */
static size_t printable(struct slice s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c < 0x80)
        return c >= ' ' && c != 0x7f;
    for (size_t n = 2; n <= 4 && n <= s.len; n++) {
        if (slice_utf8_ok(slice_to(s, n))) /* U+0080 to U+009F are controls too */
            return c == 0xC2 && (unsigned char)s.p[1] < 0xA0 ? 0 : n;
    }
    return 0;
}

static void put_quoted(struct line *l, struct slice s)
{
    put(l, "\"", 1);
    while (s.len) {
        size_t n = printable(s);
        if (n == 0)
            put_fmt(l, "\\x%02x", (unsigned char)s.p[0]);
        else if (s.p[0] == '"' || s.p[0] == '\\')
            put_fmt(l, "\\%c", s.p[0]);
        else
            put(l, s.p, n);
        s = slice_from(s, n ? n : 1);
    }
    put(l, "\"", 1);
}

static void put_value(struct line *l, struct slice s)
{
    char cut[VALUE_BYTES + 3];
    if (s.len > VALUE_BYTES) {
        size_t n = VALUE_BYTES;
        while (n > VALUE_BYTES - 4 && ((unsigned char)s.p[n] & 0xC0U) == 0x80U) /* not inside a character */
            n--;
        memcpy(cut, s.p, n);
        memcpy(cut + n, "...", 3);
        put_quoted(l, slice_of(cut, n + 3));
    } else if (plain(s)) {
        put(l, s.p, s.len);
    } else {
        put_quoted(l, s);
    }
}

static void put_field(struct line *l, const struct log_field *f)
{
    put(l, " ", 1);
    put_cstr(l, f->key);
    put(l, "=", 1);
    switch (f->type) {
    case LOG_T_STR:
    case LOG_T_SLICE:
        put_value(l, f->s);
        break;
    case LOG_T_LONG:
        put_quoted(l, slice_to(f->s, LOG_LONG_MAX));
        break;
    case LOG_T_UINT:
        put_fmt(l, "%llu", (unsigned long long)f->u);
        break;
    case LOG_T_INT:
        put_fmt(l, "%lld", (long long)(int64_t)f->u);
        break;
    case LOG_T_HEX:
        put_fmt(l, "%llx", (unsigned long long)f->u);
        break;
    }
}

/* The time stamp; what changes once a second is kept. The lock is held. */
static void put_time(struct log *log, struct line *l)
{
    int64_t now = clock_wall_ms();
    if (now / 1000 != log->second) {
        time_t t = (time_t)(now / 1000);
        struct tm tm;
        log->second = now / 1000;
        gmtime_r(&t, &tm);
        strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    }
    put_cstr(l, log->stamp);
    put_fmt(l, ".%03dZ ", (int)(now % 1000));
}

static int file_open(struct log *log)
{
    int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
    struct stat st;
    if (fd >= 0)
        log->size = fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    return fd;
}

/* Where the new file cannot be opened, the old one stays in use. */
static void file_reopen(struct log *log)
{
    int fd = file_open(log);
    if (fd < 0)
        return;
    close(log->fd);
    log->fd = fd;
}

/* path.N-1 becomes path.N …, path becomes path.1. */
static void file_rotate(struct log *log)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (log->rotate_keep == 0) {
        if (ftruncate(log->fd, 0) == 0)
            log->size = 0;
        return;
    }
    for (unsigned i = log->rotate_keep; i > 0; i--) {
        int n = i > 1 ? snprintf(from, sizeof from, "%s.%u", log->path, i - 1)
                      : snprintf(from, sizeof from, "%s", log->path);
        if (n < 0 || (size_t)n >= sizeof from ||
            (size_t)snprintf(to, sizeof to, "%s.%u", log->path, i) >= sizeof to)
            return;
        if (rename(from, to) < 0 && errno != ENOENT)
            return; /* goes on in the file it has */
    }
    file_reopen(log);
}

/* Hands a line, which ends in a line feed, to the sink. */
static bool sink_stream(struct log *log, struct slice text)
{
    if (log->rotate_bytes && log->sink == LOG_FILE && log->size && log->size + text.len > log->rotate_bytes)
        file_rotate(log);
    while (text.len) {
        ssize_t n = write(log->fd, text.p, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        log->size += (uint64_t)n;
        text = slice_from(text, (size_t)n);
    }
    return true;
}

/* The native protocol of systemd-journald, or what RFC 3164 4.1 describes. */
static bool sink_datagram(struct log *log, enum log_level level, struct slice text)
{
    char all[HEAD_BYTES + LINE_BYTES], stamp[32];
    int n;
    if (log->sink == LOG_JOURNAL) {
        n = snprintf(all, HEAD_BYTES,
                     "PRIORITY=%d\nSYSLOG_IDENTIFIER=bulkhead-%s\nMESSAGE=", priorities[level], log->daemon);
    } else {
        time_t now = (time_t)log->second;
        struct tm tm;
        localtime_r(&now, &tm);
        strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &tm);
        n = snprintf(all, HEAD_BYTES, "<%d>%s bulkhead-%s[%ld]: ", FACILITY_DAEMON | priorities[level], stamp,
                     log->daemon, (long)getpid());
        text.len--; /* without the line feed */
    }
    struct line l = { all, n > 0 && n < HEAD_BYTES ? (size_t)n : 0, sizeof all };
    put(&l, text.p, text.len);
    return sendto(log->fd, l.p, l.len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&log->socket,
                  sizeof log->socket) >= 0;
}

static bool sink(struct log *log, enum log_level level, struct slice text)
{
    if (log->sink == LOG_SYSLOG || log->sink == LOG_JOURNAL)
        return sink_datagram(log, level, text);
    return sink_stream(log, text);
}

/* Says how many lines the sink did not take, once it takes lines again. The lock is held. */
static void tell_lost(struct log *log)
{
    char text[256];
    struct line l = { text, 0, sizeof text - 1 };
    put_time(log, &l);
    put_fmt(&l, "level=warn daemon=%s sub=daemon ev=log_lines_lost n=%llu", log->daemon,
            (unsigned long long)log->lost);
    text[l.len++] = '\n';
    if (sink(log, LOG_LEVEL_WARN, slice_of(l.p, l.len)))
        log->lost = 0;
}

/* cap of l leaves room for the line feed. */
static void line_end(struct log *log, enum log_sub sub, enum log_level level, struct line *l)
{
    if (sub != LOG_WIRE)
        logring_put(&log->ring, level, slice_of(l->p, l->len));
    l->p[l->len++] = '\n';
    if (log->lost)
        tell_lost(log);
    if (!sink(log, level, slice_of(l->p, l->len)))
        log->lost++;
    pthread_mutex_unlock(&log->lock);
}

/* Takes the lock, which line_end gives back. */
static void line_begin(const struct log_ctx *ctx, enum log_level level, const char *event, struct line *l)
{
    pthread_mutex_lock(&ctx->log->lock);
    put_time(ctx->log, l);
    put_fmt(l, "level=%s daemon=%s sub=%s", level_names[level], ctx->log->daemon, sub_names[ctx->sub]);
    if (ctx->conn)
        put_fmt(l, " conn=%llu", (unsigned long long)ctx->conn);
    if (ctx->ip)
        put_field(l, &F_STR("ip", ctx->ip));
    if (ctx->doing)
        put_field(l, &F_STR("doing", ctx->doing));
    put_cstr(l, " ev=");
    put_cstr(l, event);
}

bool log_wants(const struct log *log, enum log_sub sub, enum log_level level)
{
    return log && level <= log->levels[sub];
}

void log_write(const struct log_ctx *ctx, enum log_level level, const char *event,
               const struct log_field *fields)
{
    char text[LINE_BYTES];
    struct line l = { text, 0, sizeof text - 1 };
    if (!log_wants(ctx->log, ctx->sub, level))
        return;
    line_begin(ctx, level, event, &l);
    for (const struct log_field *f = fields; f && f->key; f++)
        put_field(&l, f);
    line_end(ctx->log, ctx->sub, level, &l);
}

static enum rc sink_open(struct log *log, struct why *why)
{
    static const char *const sockets[] = {
        [LOG_SYSLOG] = "/dev/log", [LOG_JOURNAL] = "/run/systemd/journal/socket"
    };
    switch (log->sink) {
    case LOG_STDERR:
        log->fd = STDERR_FILENO;
        return RC_OK;
    case LOG_FILE:
        log->fd = log->path ? file_open(log) : -1;
        if (log->fd < 0)
            why_set(why, "%s: cannot be opened: %s", log->path ? log->path : "(no path)", strerror(errno));
        break;
    case LOG_SYSLOG:
    case LOG_JOURNAL:
        log->socket.sun_family = AF_UNIX;
        strcpy(log->socket.sun_path, sockets[log->sink]);
        log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (log->fd >= 0 && access(sockets[log->sink], W_OK) == 0)
            return RC_OK;
        why_set(why, "%s: %s", sockets[log->sink], strerror(errno));
        return RC_IO;
    }
    return log->fd < 0 ? RC_IO : RC_OK;
}

enum rc log_open(const char *daemon, const struct log_conf *conf, struct log **out, struct why *why)
{
    struct log *log = mem_new(sizeof *log);
    snprintf(log->daemon, sizeof log->daemon, "%s", daemon);
    for (unsigned i = 0; i < LOG_SUBS; i++)
        log->levels[i] = LOG_LEVEL_INFO;
    pthread_mutex_init(&log->lock, NULL);
    log->sink = conf->sink;
    log->path = conf->path ? mem_copy(slice_cstr(conf->path)) : NULL;
    log->rotate_bytes = conf->rotate_bytes;
    log->rotate_keep = conf->rotate_keep;
    log->second = -1;
    log->fd = -1;
    enum rc rc = sink_open(log, why);
    if (rc != RC_OK)
        log_close(&log);
    else
        *out = log;
    return rc;
}

void log_close(struct log **log)
{
    if (!*log)
        return;
    if ((*log)->sink != LOG_STDERR && (*log)->fd >= 0)
        close((*log)->fd);
    pthread_mutex_destroy(&(*log)->lock);
    mem_free((*log)->path);
    MEM_FREE(log);
}

void log_reopen(struct log *log)
{
    if (log->sink != LOG_FILE)
        return;
    pthread_mutex_lock(&log->lock);
    file_reopen(log);
    pthread_mutex_unlock(&log->lock);
}

void log_level_set(struct log *log, enum log_sub sub, enum log_level level)
{
    log->levels[sub] = level;
}

static bool find_name(const char *const *names, size_t n, struct slice word, size_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_is(word, names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

enum rc log_levels_parse(struct log *log, struct slice text, struct why *why)
{
    enum log_level levels[LOG_SUBS];
    struct slice rest = text, word;
    memcpy(levels, log->levels, sizeof levels);
    while (slice_split(&rest, ',', &word)) {
        size_t sub = LOG_SUBS, level;
        word = slice_trim(word);
        ptrdiff_t equals = slice_find(word, '=');
        bool known = equals < 0 || find_name(sub_names, LOG_SUBS, slice_to(word, (size_t)equals), &sub);
        if (!known || !find_name(level_names, 4, slice_from(word, (size_t)(equals + 1)), &level)) {
            why_set(why,
                    "\"" SLICE_FMT "\" is neither a level (error, warn, info, debug) nor subsystem=level",
                    SLICE_ARG(word));
            return RC_SYNTAX;
        }
        if (sub < LOG_SUBS)
            levels[sub] = (enum log_level)level;
        for (size_t i = 0; sub == LOG_SUBS && i < LOG_WIRE; i++) /* the wire shows bodies: only by its name */
            levels[i] = (enum log_level)level;
    }
    memcpy(log->levels, levels, sizeof levels);
    return RC_OK;
}

enum rc log_last(struct log *log, struct slice args, struct buf *out, struct why *why)
{
    size_t level = LOG_LEVEL_DEBUG;
    uint64_t most = LOGRING_BYTES;
    struct slice rest = args, word;
    while (slice_split(&rest, ' ', &word)) {
        if (!word.len || find_name(level_names, 4, word, &level) ||
            slice_u64(word, LOGRING_BYTES, &most) == RC_OK)
            continue;
        why_set(why, "\"" SLICE_FMT "\" is neither a level (error, warn, info, debug) nor a number of lines",
                SLICE_ARG(slice_to(word, 64)));
        return RC_SYNTAX;
    }
    pthread_mutex_lock(&log->lock);
    logring_get(&log->ring, (unsigned)level, most, out);
    pthread_mutex_unlock(&log->lock);
    return RC_OK;
}
