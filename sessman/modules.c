#include "sessman/module.h"

#include "common/base/mem.h"

/* In running order: earlier rows see a stanza first. */
#define MODULES(X)                                                                                           \
    X(mod_anonymous)                                                                                         \
    X(mod_stanzaid)                                                                                          \
    X(mod_amp)                                                                                               \
    X(mod_push)                                                                                              \
    X(mod_register)                                                                                          \
    X(mod_mam)                                                                                               \
    X(mod_roster)                                                                                            \
    X(mod_subscription)                                                                                      \
    X(mod_lastact)                                                                                           \
    X(mod_presence)                                                                                          \
    X(mod_carbons)                                                                                           \
    X(mod_sm)                                                                                                \
    X(mod_csi)                                                                                               \
    X(mod_commands)                                                                                          \
    X(mod_admin)                                                                                             \
    X(mod_adminusers)                                                                                        \
    X(mod_adminserver)                                                                                       \
    X(mod_operator)                                                                                          \
    X(mod_audit)                                                                                             \
    X(mod_apitokens)                                                                                         \
    X(mod_flexible)                                                                                          \
    X(mod_upload)                                                                                            \
    X(mod_disco)                                                                                             \
    X(mod_ping)                                                                                              \
    X(mod_version)                                                                                           \
    X(mod_time)                                                                                              \
    X(mod_offline)                                                                                           \
    X(mod_cputime)

#define X(name) extern const struct module name;
MODULES(X)
#undef X
const struct module *const modules[] = {
#define X(name) &name,
    MODULES(X)
#undef X
        NULL,
};

/* Rows of iq by namespace; rows of messages and presence as lists, since each row sees all of them. */
enum { OTHERS = 5 };
struct module_index {
    struct iq_row {
        struct iq_row *next; /* same namespace, running order */
        const struct handler *h;
        struct slice ns;
    } * rows;
    size_t n_rows;
    struct map *by_ns; /* first row of each namespace */
    const struct handler *
        *others[OTHERS]; /* MESSAGE_OUT, MESSAGE_IN, PRESENCE_OUT, PRESENCE_IN, IQ_ANSWER; NULL-terminated */
    const struct module **done; /* those with message_done; NULL-terminated */
};

static struct slice row_ns(const void *value)
{
    return ((const struct iq_row *)value)->ns;
}

static void index_iq(struct module_index *ix, const struct handler *h)
{
    struct iq_row *row = &ix->rows[ix->n_rows++];
    row->h = h;
    row->ns = slice_cstr(h->ns);
    struct iq_row *first = map_get(ix->by_ns, row->ns);
    if (!first) {
        map_put(ix->by_ns, row);
        return;
    }
    while (first->next)
        first = first->next;
    first->next = row;
}

struct module_index *module_index_new(void)
{
    struct module_index *ix = mem_new(sizeof *ix);
    size_t n = 0, n_done = 0, k[OTHERS] = { 0 };
    for (size_t m = 0; modules[m]; m++)
        for (const struct handler *h = modules[m]->handlers; h && h->on; h++)
            n++;
    ix->rows = mem_array(n + 1, sizeof *ix->rows);
    ix->by_ns = map_new(row_ns);
    for (size_t i = 0; i < OTHERS; i++)
        ix->others[i] = mem_array(n + 1, sizeof(struct handler *));
    ix->done = mem_array(sizeof modules / sizeof *modules, sizeof *ix->done);
    for (size_t m = 0; modules[m]; m++) {
        if (modules[m]->message_done)
            ix->done[n_done++] = modules[m];
        for (const struct handler *h = modules[m]->handlers; h && h->on; h++) {
            if (h->on & (ON_IQ_GET | ON_IQ_SET))
                index_iq(ix, h);
            for (size_t i = 0; i < OTHERS; i++)
                if (h->on & (unsigned)(ON_MESSAGE_OUT << i))
                    ix->others[i][k[i]++] = h;
        }
    }
    return ix;
}

void module_index_free(struct module_index **ixp)
{
    struct module_index *ix = *ixp;
    if (!ix)
        return;
    map_free(&ix->by_ns);
    for (size_t i = 0; i < OTHERS; i++)
        mem_free(ix->others[i]);
    mem_free(ix->done);
    mem_free(ix->rows);
    MEM_FREE(ixp);
}

static enum handled run_iq(struct incoming *in, unsigned on)
{
    const struct node *p = in->st.payload;
    for (const struct iq_row *row = map_get(in->sm->modules->by_ns, p->ns); row; row = row->next) {
        const struct handler *h = row->h;
        if ((h->on & on) && (h->to & in->to) && (!h->name || slice_is(p->name, h->name)) &&
            h->fn(in) == HANDLED)
            return HANDLED;
    }
    return PASS;
}

enum handled module_run(struct incoming *in, unsigned on)
{
    if (on & (ON_IQ_GET | ON_IQ_SET))
        return run_iq(in, on);
    unsigned i = 0;
    while (!(on & (unsigned)(ON_MESSAGE_OUT << i)))
        i++;
    for (const struct handler *const *h = (const struct handler *const *)in->sm->modules->others[i]; *h; h++)
        if (((*h)->to & in->to) && (*h)->fn(in) == HANDLED)
            return HANDLED;
    return PASS;
}

void module_message_done(struct incoming *in, const struct session *match)
{
    for (const struct module **m = in->sm->modules->done; *m; m++)
        (*m)->message_done(in, match);
}

const struct command *module_command(const struct sessman *sm, struct slice node)
{
    (void)sm;
    for (size_t m = 0; modules[m]; m++)
        for (const struct command *c = modules[m]->commands; c && c->node; c++)
            if (slice_is(node, c->node))
                return c;
    return NULL;
}
