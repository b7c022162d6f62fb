/* sessman/mod/audit.c - who has done what, for administrators, by ad-hoc command */
#include "sessman/audit.h"

#include "common/xmpp/delay.h"
#include "sessman/module.h"

enum { MOST = 1000, USUAL = 100 };

struct listing {
    struct adhoc *c;
    struct node *table;
};

static const struct command_field fields[] = {
    { .var = "who", .label = "Only what this address has done" },
    { .var = "what", .label = "Only this: the node of a command, or message" },
    { .var = "before",
      .label = "Only entries before this number",
      .integer = true,
      .least = 1,
      .most = INT64_MAX },
    { .var = "max", .label = "How many at most", .value = "100", .integer = true, .least = 1, .most = MOST },
    { 0 },
};
static const struct command_field columns[] = {
    { .var = "id", .label = "Number" },
    { .var = "at", .label = "When" },
    { .var = "who", .label = "Who" },
    { .var = "means", .label = "By what" },
    { .var = "address", .label = "From" },
    { .var = "what", .label = "What" },
    { .var = "whom", .label = "To whom" },
    { .var = "outcome", .label = "Outcome" },
    { 0 },
};

static void on_each(void *ctx, int64_t id, int64_t at_ms, const struct audit_entry *e)
{
    const struct listing *l = ctx;
    struct arena *a = adhoc_arena(l->c);
    struct node *row = adhoc_row(l->c, l->table);
    adhoc_cell(l->c, row, "id", arena_fmt(a, "%lld", (long long)id));
    adhoc_cell(l->c, row, "at", time_write(a, at_ms));
    adhoc_cell(l->c, row, "who", arena_copy(a, e->who));
    adhoc_cell(l->c, row, "means", arena_copy(a, e->means));
    adhoc_cell(l->c, row, "address", arena_copy(a, e->address));
    adhoc_cell(l->c, row, "what", arena_copy(a, e->what));
    adhoc_cell(l->c, row, "whom", arena_copy(a, e->whom));
    adhoc_cell(l->c, row, "outcome", arena_copy(a, e->outcome));
}

static void on_listed(void *ctx)
{
    const struct listing *l = ctx;
    adhoc_done(l->c, l->table, NULL);
}

static void list(struct adhoc *c)
{
    struct listing *l = ARENA_NEW(adhoc_arena(c), struct listing);
    const struct audit_filter f = { adhoc_number(c, "before", INT64_MAX), adhoc_value(c, "who"),
                                    adhoc_value(c, "what"), (unsigned)adhoc_number(c, "max", USUAL) };
    l->c = c;
    l->table = adhoc_table(c, columns);
    audit_list(adhoc_sessman(c), &f, on_each, on_listed, l);
}

static const struct command commands[] = {
    { "urn:bulkhead:commands:audit", "Who has done what", ADHOC_ADMIN, ADHOC_SHOWS, fields, list },
    { 0 },
};
const struct module mod_audit = {
    .name = "audit",
    .spec = "XEP-0050 1.3.0",
    .commands = commands,
};
