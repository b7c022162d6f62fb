/* s2s/probe.c - s2s-probe: one attempt to connect with a domain, told step by step
 *
 * A probe has a pair of its own, which carries no stanzas and is not in the table. It is asked for with its
 * number, as the control socket's commands do not wait; it is forgotten some time after it has ended. */
#include "common/base/mem.h"
#include "s2s/link.h"
#include "s2s/out.h"

enum { PROBES_MAX = 16, KEEP_MS = 60000 };

struct probe {
    struct link link; /* in s2s.probes */
    uint32_t number;
    uint64_t ended_ms; /* 0: not yet */
    struct buf lines;
    struct pair pair; /* of its own */
};

static bool ended(const struct probe *p)
{
    return !p->pair.out || p->pair.out->trace == NULL;
}

static void probe_free(struct probe *p)
{
    timer_stop(&p->pair.timer);
    out_drop(&p->pair.out);
    outs_leave(p->pair.d, &p->pair); /* one that is over may not have gone */
    list_unlink(&p->link);
    mem_free(p->pair.key);
    buf_fini(&p->lines);
    mem_free(p);
}

static struct probe *find(struct s2s *d, uint64_t number, size_t *n)
{
    struct probe *found = NULL;
    *n = 0;
    LIST_EACH(&d->probes, it) {
        struct probe *p = CONTAINER(it, struct probe, link);
        ++*n;
        if (p->number == number)
            found = p;
    }
    return found;
}

static struct slice some_domain(const struct s2s *d)
{
    size_t at = 0;
    return link_domain(d, &at);
}

static struct probe *begin(struct s2s *d, struct slice local, struct slice remote)
{
    struct probe *p = mem_new(sizeof *p);
    struct buf key = BUF_INIT(0);
    size_t len;
    buf_fmt(&key, SLICE_FMT " " SLICE_FMT, SLICE_ARG(local), SLICE_ARG(remote));
    buf_byte(&key, '\0');
    p->number = ++d->last_probe;
    p->lines = BUF_INIT(65536);
    p->pair.d = d;
    p->pair.key = buf_take(&key, &len);
    p->pair.local = slice_of(p->pair.key, local.len);
    p->pair.remote = slice_of(p->pair.key + local.len + 1, remote.len);
    list_init(&p->pair.queue);
    list_init(&p->pair.verifies);
    list_append(&d->probes, &p->link);
    p->pair.out = out_new(&p->pair, &p->lines);
    return p;
}

enum rc probe_command(struct s2s *d, struct slice args, struct buf *out, struct why *why)
{
    struct arena *a = arena_take(d->arenas);
    struct slice remote, local = SLICE_NONE, first = SLICE_NONE;
    uint64_t number;
    size_t n = 0;
    enum rc rc = RC_OK;
    (void)slice_split(&args, ' ', &first);
    args = slice_trim(args);
    if (slice_u64(first, UINT32_MAX, &number) == RC_OK) {
        struct probe *p = find(d, number, &n);
        if (p)
            buf_slice(out, buf_get(&p->lines));
        else
            rc = RC_NOTFOUND;
    } else {
        (void)find(d, 0, &n);
        rc = jid_prepare_domain(a, first, &remote, why);
        if (rc == RC_OK && args.len)
            rc = jid_prepare_domain(a, args, &local, why);
        if (rc == RC_OK && !args.len)
            local = some_domain(d);
        if (rc == RC_OK && (!local.len || link_ours(d, local) == OURS_NOT)) {
            why_set(why, "FROM is no domain of this server");
            rc = RC_NOTFOUND;
        } else if (rc == RC_OK && n >= PROBES_MAX) {
            why_set(why, "%d probes are under way", PROBES_MAX);
            rc = RC_LIMIT;
        } else if (rc == RC_OK) {
            buf_fmt(out, "probe %u\n", (unsigned)begin(d, local, remote)->number);
        }
    }
    arena_give(d->arenas, &a);
    return rc;
}

void probe_tick(struct s2s *d)
{
    uint64_t now = loop_now_ms(d->loop);
    LIST_EACH(&d->probes, it) {
        struct probe *p = CONTAINER(it, struct probe, link);
        if (!p->ended_ms && ended(p))
            p->ended_ms = now;
        if (p->ended_ms && now >= p->ended_ms + KEEP_MS)
            probe_free(p);
    }
}

void probe_fini(struct s2s *d)
{
    LIST_EACH(&d->probes, it) {
        probe_free(CONTAINER(it, struct probe, link));
    }
}
