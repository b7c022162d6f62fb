/* sessman/store/checkpoint.c - the write-ahead log goes into the file beside the commits, not between them
 *
 * A thread and a connection of its own copy what was committed, so no commit waits for that. While commits
 * come all the time the copying never reaches the end of the log, which then begins anew only when a commit
 * copies the little that is left itself: after a round of the thread's. Should the thread not keep up, a
 * commit waits for its round (SQLite copies for one at a time) and does the rest, at a size that bounds the
 * log. */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include "common/base/mem.h"
#include "sessman/store/inside.h"

enum {
    ROUND_PAGES = 1000,  /* in the log: time for a round */
    FORCE_PAGES = 16000, /* 64 MiB: not any further */
    STACK_BYTES = 256 * 1024,
};

struct checkpoint {
    sqlite3 *sql;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    bool asked, done, stopping; /* under the lock. done: a round has ended since the log began */
};

static void *thread_main(void *arg)
{
    struct checkpoint *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->asked && !c->stopping)
            pthread_cond_wait(&c->work, &c->lock);
        if (c->stopping)
            break;
        pthread_mutex_unlock(&c->lock);
        sqlite3_wal_checkpoint_v2(c->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  NULL); /* else the next one does it */
        pthread_mutex_lock(&c->lock);
        c->asked = false;
        c->done = true;
        pthread_cond_signal(&c->idle);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* After each commit, on its thread. */
static int on_commit(void *ctx, sqlite3 *sql, const char *name, int pages)
{
    struct checkpoint *c = ctx;
    bool rest = false;
    if (pages < ROUND_PAGES)
        return SQLITE_OK;
    pthread_mutex_lock(&c->lock);
    while (pages >= FORCE_PAGES && c->asked)
        pthread_cond_wait(&c->idle, &c->lock);
    if (c->done || pages >= FORCE_PAGES) {
        rest = true;
        c->done = false;
    } else if (!c->asked) {
        c->asked = true;
        pthread_cond_signal(&c->work);
    }
    pthread_mutex_unlock(&c->lock);
    if (rest)
        sqlite3_wal_checkpoint_v2(sql, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK; /* what did not go is in the log still */
}

static bool start(struct checkpoint *c)
{
    sigset_t all, old;
    pthread_attr_t attr;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int err = pthread_create(&c->thread, &attr, thread_main, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return err == 0;
}

struct checkpoint *checkpoint_new(sqlite3 *sql, const char *path, bool sync_full)
{
    struct checkpoint *c = mem_new(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->idle, NULL);
    if (sqlite3_open_v2(path, &c->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(c->sql, sync_full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
                     NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(c->sql, "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 1", NULL, NULL, NULL) !=
            SQLITE_OK ||
        !start(c)) {
        sqlite3_close(c->sql);
        mem_free(c);
        return NULL;
    }
    sqlite3_wal_hook(sql, on_commit, c);
    return c;
}

void checkpoint_free(struct checkpoint **at, sqlite3 *sql)
{
    struct checkpoint *c = *at;
    if (!c)
        return;
    sqlite3_wal_hook(sql, NULL, NULL);
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    sqlite3_close(c->sql);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->idle);
    pthread_mutex_destroy(&c->lock);
    MEM_FREE(at);
}
