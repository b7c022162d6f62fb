/* common/base/log.h - diagnostics: one line an event, key=value, quoted so that a peer cannot forge a line
 *
 * 2026-11-20T15:20:23.112Z level=info daemon=c2s sub=xmpp conn=17 ip=192.0.2.7 ev=auth_failed mech=PLAIN
 * error: the operator must act; warn: may have to; info: once per connection, login, refusal; debug: per stanza.
 * No bodies, no secrets; the wire subsystem alone shows the characters, with secrets masked.
 * A struct log belongs to the daemon's context; a struct log_ctx is built where it is needed (it is small and
 * borrows). Values that are not plain tokens are written in double quotes with \xNN for control bytes, and cut
 * at 512 bytes. Levels can be changed at run time, per subsystem. A sink that does not take a line at once loses
 * it, and how many were lost is told when it takes lines again (ev=log_lines_lost). Safe from any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "common/base/buf.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_sub { LOG_DAEMON, LOG_NET, LOG_TLS, LOG_XMPP, LOG_LINK, LOG_AUTH, LOG_STORE, LOG_MODULE, LOG_WIRE, LOG_SUBS };

/* Syslog: datagrams to /dev/log, facility daemon. Journal: the native protocol of systemd-journald. */
enum log_sink { LOG_STDERR, LOG_FILE, LOG_SYSLOG, LOG_JOURNAL };

struct log;
struct log_conf {
    enum log_sink sink;
    const char *path;        /* LOG_FILE: opened for appending, reopened on rotation */
    uint64_t rotate_bytes;   /* LOG_FILE: over it the file becomes path.1, path.1 becomes path.2 …; 0: never */
    unsigned rotate_keep;    /* how many old files stay */
};
MUST_USE enum rc log_open(const char *daemon, const struct log_conf *conf, struct log **out, struct why *why);
void log_close(struct log **log);
void log_reopen(struct log *log); /* after an external rotation (SIGHUP) */
void log_level_set(struct log *log, enum log_sub sub, enum log_level level);
/* The newest lines of this level or worse, the oldest first, of those that were written and are remembered (logring.h): not those of the
 * wire. RC_SYNTAX: args is not "[LEVEL] [HOW MANY]". */
MUST_USE enum rc log_last(struct log *log, struct slice args, struct buf *out, struct why *why);
/* "info" or "info,wire=debug,tls=warn". RC_SYNTAX names the word. */
MUST_USE enum rc log_levels_parse(struct log *log, struct slice text, struct why *why);

struct log_ctx {
    struct log *log;       /* NULL: nothing is written */
    enum log_sub sub;
    uint64_t conn;         /* 0: none */
    const char *ip;        /* NULL: none */
    const char *doing;     /* NULL: none */
};

enum log_type { LOG_T_STR, LOG_T_SLICE, LOG_T_UINT, LOG_T_INT, LOG_T_HEX, LOG_T_LONG };
#define LOG_LONG_MAX 3072 /* bytes of a long field */
struct log_field {
    const char *key;
    enum log_type type;
    struct slice s;
    uint64_t u;
};
#define F_STR(k, v) ((struct log_field){ (k), LOG_T_STR, slice_cstr(v), 0 })
#define F_SLICE(k, v) ((struct log_field){ (k), LOG_T_SLICE, (v), 0 })
#define F_UINT(k, v) ((struct log_field){ (k), LOG_T_UINT, SLICE_NONE, (uint64_t)(v) })
#define F_INT(k, v) ((struct log_field){ (k), LOG_T_INT, SLICE_NONE, (uint64_t)(int64_t)(v) })
#define F_HEX(k, v) ((struct log_field){ (k), LOG_T_HEX, SLICE_NONE, (uint64_t)(v) })
#define F_LONG(k, v) ((struct log_field){ (k), LOG_T_LONG, (v), 0 }) /* always quoted, cut at LOG_LONG_MAX */
#define F_WHY(w) F_STR("why", (w)->text)
#define F_END ((struct log_field){ NULL, LOG_T_STR, SLICE_NONE, 0 })

bool log_wants(const struct log *log, enum log_sub sub, enum log_level level); /* cheap; NULL log: false */
void log_write(const struct log_ctx *ctx, enum log_level level, const char *event, const struct log_field *fields);

#define LOG_AT(ctx, level, ev, ...)                                                                              \
    do {                                                                                                         \
        if (log_wants((ctx)->log, (ctx)->sub, (level)))                                                          \
            log_write((ctx), (level), (ev), (const struct log_field[]){ __VA_ARGS__, F_END });                   \
    } while (0)
/* At least one field; an event that has none to tell says F_STR("doing", …). */
#define LOG_ERROR(ctx, ev, ...) LOG_AT(ctx, LOG_LEVEL_ERROR, ev, __VA_ARGS__)
#define LOG_WARN(ctx, ev, ...) LOG_AT(ctx, LOG_LEVEL_WARN, ev, __VA_ARGS__)
#define LOG_INFO(ctx, ev, ...) LOG_AT(ctx, LOG_LEVEL_INFO, ev, __VA_ARGS__)
#define LOG_DEBUG(ctx, ev, ...) LOG_AT(ctx, LOG_LEVEL_DEBUG, ev, __VA_ARGS__)

/* The wire subsystem: what was sent or received, at debug; the content of SASL elements, of <password/> and of
 * <handshake/> is replaced by "***". `out`: from us to the peer. Nothing happens unless wire=debug. */
void log_wire(const struct log_ctx *ctx, bool out, struct slice bytes);

#endif
