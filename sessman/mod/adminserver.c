/* sessman/mod/adminserver.c - administration by ad-hoc command: the hosted domains, and diagnostics of the
 * session manager */
#include "sessman/module.h"

#define OURS(name) "urn:bulkhead:commands:" name

/* --- domains --- */

static const struct command_field domains_columns[] = {
    { .var = "domain", .type = FIELD_JID, .label = "Domain" },
    { .var = "registration", .type = FIELD_BOOLEAN, .label = "Registration open" },
    { .var = "anonymous", .type = FIELD_BOOLEAN, .label = "Anonymous users are let in" },
    { .var = "remote", .type = FIELD_BOOLEAN, .label = "They may talk to other servers" },
    { .var = "kept", .type = FIELD_BOOLEAN, .label = "Messages are kept for who is away" },
    { .var = "archive", .type = FIELD_BOOLEAN, .label = "Messages are archived" },
    { .var = "days", .type = FIELD_TEXT, .label = "Days that they are kept" },
    { .var = "bytes", .type = FIELD_TEXT, .label = "Bytes that are kept" },
    { 0 },
};

static void list_domains(struct adhoc *c)
{
    struct arena *a = adhoc_arena(c);
    struct node *table = adhoc_table(c, domains_columns);
    size_t at = 0;
    for (const struct domain *d; (d = map_next(adhoc_sessman(c)->domains, &at)) != NULL;) {
        struct node *row = adhoc_row(c, table);
        adhoc_cell(c, row, "domain", arena_copy(a, slice_cstr(d->name)));
        adhoc_cell(c, row, "registration", d->registration ? SLICE("1") : SLICE("0"));
        adhoc_cell(c, row, "anonymous", d->anonymous ? SLICE("1") : SLICE("0"));
        adhoc_cell(c, row, "remote", d->anonymous_remote ? SLICE("1") : SLICE("0"));
        adhoc_cell(c, row, "kept", d->offline ? SLICE("1") : SLICE("0"));
        adhoc_cell(c, row, "archive", d->archive ? SLICE("1") : SLICE("0"));
        adhoc_cell(c, row, "days", arena_fmt(a, "%u", d->archive_days));
        adhoc_cell(c, row, "bytes", arena_fmt(a, "%llu", (unsigned long long)d->archive_bytes));
    }
    adhoc_done(c, table, NULL);
}

#define DOMAIN_FIELD                                                                                         \
    {                                                                                                        \
        .var = "domain", .type = FIELD_JID, .label = "Domain", .required = true                              \
    }

static void on_domain(void *ctx, enum rc rc)
{
    struct why why = { "" };
    if (rc == RC_OK) {
        adhoc_done(ctx, NULL, "Done.");
        return;
    }
    if (rc == RC_CONFLICT)
        why_set(&why, "the domain still has accounts");
    else if (rc == RC_EXISTS)
        why_set(&why, "the domain is hosted already");
    else if (rc == RC_NOTFOUND)
        why_set(&why, "the domain is not hosted here");
    adhoc_fail_rc(ctx, rc, &why);
}

static const struct command_field registration_fields[] = {
    DOMAIN_FIELD,
    { .var = "registration", .type = FIELD_BOOLEAN, .label = "In-band registration is open" },
    { 0 },
};

static void add_domain(struct adhoc *c)
{
    struct slice name;
    if (adhoc_domain(c, false, &name))
        sessman_domain_add(adhoc_sessman(c), name, adhoc_true(c, "registration"), on_domain, c);
}

static const struct command_field domain_fields[] = { DOMAIN_FIELD, { 0 } };

static void remove_domain(struct adhoc *c)
{
    struct slice name;
    if (adhoc_domain(c, false, &name))
        sessman_domain_remove(adhoc_sessman(c), name, on_domain, c);
}

static void set_registration(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_domain(c, true, &name))
        return;
    sessman_domain_registration(adhoc_sessman(c), name, adhoc_true(c, "registration"));
    on_domain(c, RC_OK);
}

static const struct command_field anonymous_fields[] = {
    DOMAIN_FIELD,
    { .var = "anonymous", .type = FIELD_BOOLEAN, .label = "Anonymous users are let in", .required = true },
    { .var = "remote", .type = FIELD_BOOLEAN, .label = "They may talk to other servers" },
    { 0 },
};

static void set_anonymous(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_domain(c, true, &name))
        return;
    sessman_domain_anonymous(adhoc_sessman(c), name, adhoc_true(c, "anonymous"), adhoc_true(c, "remote"));
    on_domain(c, RC_OK);
}

/* days and bytes: no more than this is a number to keep. */
#define ARCHIVE_DAYS_MAX  36500
#define ARCHIVE_BYTES_MAX (INT64_C(1) << 50)

static const struct command_field archive_fields[] = {
    DOMAIN_FIELD,
    { .var = "archive", .type = FIELD_BOOLEAN, .label = "Messages are archived", .required = true },
    { .var = "days",
      .type = FIELD_TEXT,
      .label = "Days that they are kept (0: for ever)",
      .integer = true,
      .most = ARCHIVE_DAYS_MAX },
    { .var = "bytes",
      .type = FIELD_TEXT,
      .label = "Bytes that are kept, the newest (0: no limit)",
      .integer = true,
      .most = ARCHIVE_BYTES_MAX },
    { 0 },
};

static void set_archive(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_domain(c, true, &name))
        return;
    sessman_domain_archive(adhoc_sessman(c), name, adhoc_true(c, "archive"),
                           (uint32_t)adhoc_number(c, "days", 0), (uint64_t)adhoc_number(c, "bytes", 0));
    on_domain(c, RC_OK);
}

/* --- diagnostics --- */

static const struct command_field level_fields[] = {
    { .var = "levels", .type = FIELD_TEXT, .label = "Such as: info,wire=debug,store=warn", .required = true },
    { 0 },
};

static void log_level(struct adhoc *c)
{
    struct why why;
    if (log_levels_parse(adhoc_sessman(c)->log, adhoc_value(c, "levels"), &why) != RC_OK)
        adhoc_fail(c, COND_NOT_ACCEPTABLE, why.text);
    else
        adhoc_done(c, NULL, "Done.");
}

static const struct command commands[] = {
    /* clang-format off */
    { OURS("domains"), "List of domains", ADHOC_ADMIN, ADHOC_READS, NULL, list_domains },
    { OURS("add-domain"), "Add a domain", ADHOC_ADMIN, ADHOC_CHANGES, registration_fields, add_domain },
    { OURS("remove-domain"), "Remove a domain", ADHOC_ADMIN, ADHOC_CHANGES, domain_fields, remove_domain },
    { OURS("set-registration"), "Open or close registration", ADHOC_ADMIN, ADHOC_CHANGES, registration_fields, set_registration },
    { OURS("set-anonymous"), "Let in anonymous users or not", ADHOC_ADMIN, ADHOC_CHANGES, anonymous_fields, set_anonymous },
    { OURS("set-archive"), "Archive or not, how long and how much", ADHOC_ADMIN, ADHOC_CHANGES, archive_fields, set_archive },
    { OURS("log-level"), "Set log levels of the session manager", ADHOC_ADMIN, ADHOC_CHANGES, level_fields, log_level },
    { 0 },
    /* clang-format on */
};
const struct module mod_adminserver = {
    .name = "adminserver",
    .spec = "XEP-0050 1.3.0",
    .commands = commands,
};
