/* sessman/auth_script.c - passwords checked by an external program, in ejabberd's external authentication
 * protocol
 *
 * To the program: two bytes of length, then "auth:user:host:password", "isuser:user:host", "setpass:…",
 * "tryregister:…", "removeuser:user:host". From it: two bytes of length (2), two bytes of result (0 or 1). A
 * pool of processes, each with one question at a time; a process that is late, dies or says something else is
 * killed and started again, after a pause that grows. Its standard input and output are one end of a socket;
 * standard error is ours. */
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/conn.h"
#include "sessman/auth_backend.h"
#include "sessman/sessman.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUESTION_MAX = 65535, /* bytes: what the length can say */
    ANSWER_BYTES = 4,
    WAITING_MAX = 2000, /* questions; more logins at once are told to come again */
    PAUSE_FIRST_MS = 100,
    PAUSE_MOST_MS = 10000,
};

enum verb { AUTH, ISUSER, SETPASS, TRYREGISTER, REMOVEUSER };
static const struct {
    const char *name;
    enum rc no; /* what the answer 0 means */
} verbs[] = {
    [AUTH] = { "auth", RC_DENIED },
    [ISUSER] = { "isuser", RC_NOTFOUND },
    [SETPASS] = { "setpass", RC_DENIED },
    [TRYREGISTER] = { "tryregister", RC_EXISTS },
    [REMOVEUSER] = { "removeuser", RC_NOTFOUND },
};

struct question {
    struct link waiting; /* in script->waiting; not while a process has it */
    struct script *script;
    struct child *child; /* NULL: waits */
    struct timer timer;
    enum verb verb;
    struct buf bytes;
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};
struct child {
    struct script *script;
    struct conn *conn; /* NULL: not running */
    pid_t pid;         /* 0: none, or its end was seen */
    struct question *question;
    struct timer timer; /* until it is started again */
    uint32_t pause_ms;
    uint8_t answer[ANSWER_BYTES];
    size_t got;
};
struct script {
    struct sessman *sm;
    struct link waiting; /* questions, the oldest first */
    unsigned n_waiting;
    bool closing;
    unsigned n, running; /* children; of these with a conn */
    struct child children[];
};

static struct log_ctx script_log(const struct script *s)
{
    return sessman_log(s->sm, LOG_AUTH);
}

/* --- questions --- */

static void question_end(struct question *q, enum rc rc)
{
    void (*done)(void *ctx, enum rc rc) = q->done;
    void *ctx = q->ctx;
    timer_stop(&q->timer);
    if (link_in_list(&q->waiting)) {
        list_unlink(&q->waiting);
        q->script->n_waiting--;
    }
    if (q->child)
        q->child->question = NULL;
    secret_wipe(q->bytes.p, q->bytes.len);
    buf_fini(&q->bytes);
    mem_free(q);
    done(ctx, rc);
}

static void child_kill(struct child *c)
{
    if (c->pid > 0)
        kill(-c->pid, SIGKILL); /* its own group: what a shell has started goes too */
    if (c->conn)
        conn_close(c->conn, CONN_BY_OWNER);
}

static void on_late(struct timer *t)
{
    struct question *q = CONTAINER(t, struct question, timer);
    struct log_ctx log = script_log(q->script);
    struct child *c = q->child;
    LOG_WARN(&log, "auth_script_late", F_STR("question", verbs[q->verb].name),
             F_INT("process", c ? c->pid : 0));
    question_end(q, RC_TIMEOUT);
    if (c)
        child_kill(c); /* its answer would be taken for that to the next question */
}

static void give(struct child *c, struct question *q)
{
    c->question = q;
    c->got = 0;
    q->child = c;
    conn_write(c->conn, buf_get(&q->bytes));
}

static void give_next(struct child *c)
{
    struct script *s = c->script;
    if (!c->conn || c->question || conn_closing(c->conn) || list_empty(&s->waiting))
        return;
    struct question *q = CONTAINER(s->waiting.next, struct question, waiting);
    list_unlink(&q->waiting);
    s->n_waiting--;
    give(c, q);
}

static void put_length(struct buf *b, size_t n)
{
    buf_byte(b, (char)(uint8_t)(n >> 8));
    buf_byte(b, (char)(uint8_t)n);
}

static void ask(struct script *s, enum verb verb, const struct jid *user, const struct slice *password,
                void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct slice name = slice_cstr(verbs[verb].name);
    size_t len = name.len + user->local.len + user->domain.len + 2 + (password ? password->len + 1 : 0);
    if (len > QUESTION_MAX || s->n_waiting >= WAITING_MAX || s->closing) {
        done(ctx, len > QUESTION_MAX ? RC_DENIED : RC_TIMEOUT);
        return;
    }
    struct question *q = mem_new(sizeof *q);
    q->script = s;
    q->verb = verb;
    q->done = done;
    q->ctx = ctx;
    buf_reserve(&q->bytes, len + 2);
    put_length(&q->bytes, len);
    buf_slice(&q->bytes, name);
    buf_byte(&q->bytes, ':');
    buf_slice(&q->bytes, user->local); /* RFC 7622 3.3.1: no ':' in it */
    buf_byte(&q->bytes, ':');
    buf_slice(&q->bytes, user->domain);
    if (password) {
        buf_byte(&q->bytes, ':');
        buf_slice(&q->bytes, *password);
    }
    list_append(&s->waiting, &q->waiting);
    s->n_waiting++;
    loop_timer(s->sm->loop, &q->timer, s->sm->conf->script_timeout_ms, on_late);
    for (unsigned i = 0; i < s->n && link_in_list(&q->waiting); i++)
        give_next(&s->children[i]);
}

/* The same with a password as clients give it. */
static void ask_password(struct script *s, enum verb verb, const struct jid *user, struct slice password,
                         void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct slice prepared;
    struct arena *a = arena_new(256, 0);
    if (jid_prepare_password(a, password, &prepared, NULL) == RC_OK)
        ask(s, verb, user, &prepared, done, ctx);
    else
        done(ctx, verb == AUTH ? RC_DENIED : RC_SYNTAX);
    arena_free(&a);
}

/* --- processes --- */

static void child_start(struct child *c);

static void on_pause_over(struct timer *t)
{
    struct child *c = CONTAINER(t, struct child, timer);
    if (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) == 0) {
        loop_timer(c->script->sm->loop, t, PAUSE_FIRST_MS, on_pause_over); /* killed, but not gone yet */
        return;
    }
    c->pid = 0;
    child_start(c);
}

static void restart_later(struct child *c)
{
    c->pause_ms = c->pause_ms ? c->pause_ms * 2 : PAUSE_FIRST_MS;
    if (c->pause_ms > PAUSE_MOST_MS)
        c->pause_ms = PAUSE_MOST_MS;
    loop_timer(c->script->sm->loop, &c->timer, c->pause_ms, on_pause_over);
}

static void take_answer(struct child *c)
{
    struct question *q = c->question;
    if (!q || c->got > ANSWER_BYTES || c->answer[0] != 0 || c->answer[1] != 2 || c->answer[2] != 0 ||
        c->answer[3] > 1) {
        struct log_ctx log = script_log(c->script);
        LOG_WARN(&log, "auth_script_nonsense", F_INT("process", c->pid),
                 F_STR("question", q ? verbs[q->verb].name : "none"));
        child_kill(c);
        return;
    }
    c->pause_ms = 0;
    c->got = 0;
    question_end(q, c->answer[3] ? RC_OK : verbs[q->verb].no);
    give_next(c);
}

static void on_input(void *owner, struct slice bytes)
{
    struct child *c = owner;
    for (size_t i = 0; i < bytes.len && c->got < ANSWER_BYTES; i++)
        c->answer[c->got++] = (uint8_t)bytes.p[i];
    if (c->got < ANSWER_BYTES && c->question)
        return;
    if (!c->question || bytes.len > ANSWER_BYTES)
        c->got = ANSWER_BYTES + 1; /* more than was asked for */
    take_answer(c);
}

static void script_free_if_done(struct script *s)
{
    if (s->closing && s->running == 0)
        mem_free(s);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct child *c = owner;
    struct script *s = c->script;
    struct log_ctx log = script_log(s);
    (void)why;
    c->conn = NULL;
    s->running--;
    if (c->pid > 0)
        kill(-c->pid, SIGKILL);
    if (s->closing) {
        while (c->pid > 0 && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        script_free_if_done(s);
        return;
    }
    if (cause != CONN_BY_OWNER)
        LOG_WARN(&log, "auth_script_ended", F_INT("process", c->pid), F_STR("cause", conn_cause_name(cause)));
    restart_later(c);
    if (c->question)
        question_end(c->question, RC_IO);
}

static const struct conn_ops child_ops = { .on_input = on_input, .on_closed = on_closed };
static const struct conn_conf child_conf = { .ops = &child_ops };

static int spawn(struct script *s, int fd, pid_t *pid)
{
    char command[4096];
    char *argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", command, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    snprintf(command, sizeof command, "exec %s", s->sm->conf->script_command);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE); /* the loop ignores it, the program need not expect that */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, s->sm->run->dir);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int err = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

static void child_start(struct child *c)
{
    struct script *s = c->script;
    struct log_ctx log = script_log(s);
    int pair[2];
    int err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ? 0 : errno;
    if (err == 0) {
        err = spawn(s, pair[1], &c->pid);
        close(pair[1]);
        if (err != 0)
            close(pair[0]);
    }
    if (err != 0) {
        c->pid = 0;
        LOG_ERROR(&log, "auth_script_not_started", F_STR("why", strerror(err)));
        restart_later(c);
        return;
    }
    LOG_INFO(&log, "auth_script_started", F_INT("process", c->pid));
    s->running++;
    c->conn = conn_adopt(s->sm->loop, pair[0], true, &child_conf, c);
    if (!conn_closing(c->conn))
        conn_begin(c->conn);
    give_next(c);
}

/* --- the backend --- */

static enum rc open_script(struct sessman *sm, void **state, struct why *why)
{
    if (!sm->conf->script_command) {
        why_set(why, "[auth] backend is script, but [auth] script names no command");
        return RC_NOTFOUND;
    }
    unsigned n = sm->conf->script_processes;
    struct script *s = mem_new(sizeof *s + n * sizeof(struct child));
    s->sm = sm;
    s->n = n;
    list_init(&s->waiting);
    for (unsigned i = 0; i < n; i++) {
        s->children[i].script = s;
        child_start(&s->children[i]);
    }
    *state = s;
    return RC_OK;
}

static void close_script(void **state)
{
    struct script *s = *state;
    *state = NULL;
    s->closing = true;
    while (!list_empty(&s->waiting))
        question_end(CONTAINER(s->waiting.next, struct question, waiting), RC_CLOSED);
    s->running++; /* holds s while its children go */
    for (unsigned i = 0; i < s->n; i++) {
        struct child *c = &s->children[i];
        timer_stop(&c->timer);
        if (c->question)
            question_end(c->question, RC_CLOSED);
        if (!c->conn && c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid)
            c->pid = 0;
        child_kill(c);
    }
    s->running--;
    script_free_if_done(s);
}

static void get_keys(void *state, const struct jid *user,
                     void (*done)(void *ctx, enum rc rc, const struct auth_keys *k), void *ctx)
{
    const struct auth_keys none = { 0 };
    (void)state;
    (void)user;
    done(ctx, RC_UNSUPPORTED, &none);
}

static void check(void *state, const struct jid *user, struct slice password,
                  void (*done)(void *ctx, enum rc rc), void *ctx)
{
    ask_password(state, AUTH, user, password, done, ctx);
}

static void exists(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc), void *ctx)
{
    ask(state, ISUSER, user, NULL, done, ctx);
}

static void create(void *state, const struct jid *user, struct slice password,
                   void (*done)(void *ctx, enum rc rc), void *ctx)
{
    ask_password(state, TRYREGISTER, user, password, done, ctx);
}

static void set_password(void *state, const struct jid *user, struct slice password,
                         void (*done)(void *ctx, enum rc rc), void *ctx)
{
    ask_password(state, SETPASS, user, password, done, ctx);
}

static void remove_user(void *state, const struct jid *user, void (*done)(void *ctx, enum rc rc), void *ctx)
{
    ask(state, REMOVEUSER, user, NULL, done, ctx);
}

const struct auth_backend auth_script = {
    .name = "script",
    .scram = false,
    .open = open_script,
    .close = close_script,
    .get_keys = get_keys,
    .check = check,
    .exists = exists,
    .create = create,
    .set_password = set_password,
    .remove = remove_user,
};
