/* sessman/mod/apitokens.c - tokens for the HTTP API, by ad-hoc command: made, listed, revoked by their
 * owners, and by administrators */
#include "sessman/apitokens.h"

#include "common/base/clock.h"
#include "common/xmpp/delay.h"
#include "sessman/module.h"
#include "sessman/scopes.h"

#define OURS(name) "urn:bulkhead:commands:" name
#define DAY_MS     INT64_C(86400000)
enum { DAYS_MOST = 3650, DAYS_USUAL = 30, LABEL_MOST = 100 };

/* --- made --- */

struct issue {
    struct adhoc *c;
    struct slice text;
    int64_t expires_ms;
};

static void on_issued(void *ctx, enum rc rc, int64_t id)
{
    const struct issue *i = ctx;
    struct arena *a = adhoc_arena(i->c);
    struct why why = { "" };
    if (rc == RC_LIMIT)
        why_set(&why, "you have as many tokens as an account may have");
    if (rc != RC_OK) {
        adhoc_fail_rc(i->c, rc, &why);
        return;
    }
    struct node *form = adhoc_result(i->c);
    form_field(a, form, "token", "text-single", "Token", i->text);
    form_field(a, form, "id", "text-single", "Number", arena_fmt(a, "%lld", (long long)id));
    form_field(a, form, "expires", "text-single", "Good until", time_write(a, i->expires_ms));
    adhoc_done(i->c, form, "The token is shown this once.");
}

/* The form's words as one text. False: c has been answered. */
static bool read_scopes(struct adhoc *c, struct slice *out)
{
    struct arena *a = adhoc_arena(c);
    struct node *at = NULL;
    struct slice word, node;
    *out = SLICE_NONE;
    while (form_next_value(a, adhoc_form(c), "scopes", &at, &word)) {
        if (!word.len)
            continue;
        node = slice_starts(word, SLICE(SCOPE_COMMAND)) ? slice_from(word, sizeof SCOPE_COMMAND - 1)
                                                        : SLICE_NONE;
        if (!scope_ok(word) || (node.len && !module_command(adhoc_sessman(c), node))) {
            adhoc_fail(c, COND_NOT_ACCEPTABLE, "scopes has a value that is none");
            return false;
        }
        *out = out->len ? arena_fmt(a, SLICE_FMT " " SLICE_FMT, SLICE_ARG(*out), SLICE_ARG(word)) : word;
        if (out->len > SCOPES_MAX) {
            adhoc_fail(c, COND_NOT_ACCEPTABLE, "scopes is too long");
            return false;
        }
    }
    return true;
}

static const struct command_option scope_options[] = {
    { "commands:read", "Commands that only look" },
    { "commands", "All my commands" },
    { "message", "Send messages as me" },
    { 0 },
};
static const struct command_field issue_fields[] = {
    { .var = "label", .label = "What it is for", .required = true },
    { .var = "scopes",
      .type = FIELD_LISTS,
      .label = "What it may; command:NODE is one command",
      .required = true,
      .options = scope_options,
      .open = true },
    { .var = "days",
      .label = "How many days it is good",
      .value = "30",
      .integer = true,
      .least = 1,
      .most = DAYS_MOST },
    { 0 },
};

static void token_issue(struct adhoc *c)
{
    const struct sessman_conf *conf = adhoc_sessman(c)->conf;
    struct issue *i = ARENA_NEW(adhoc_arena(c), struct issue);
    struct apitoken t = { .label = slice_utf8_cut(adhoc_value(c, "label"), LABEL_MOST) };
    int64_t days = adhoc_number(c, "days", DAYS_USUAL);
    if (!conf->api_tokens) {
        adhoc_fail(c, COND_NOT_ALLOWED, "there are no tokens here");
        return;
    }
    if (!read_scopes(c, &t.scopes))
        return;
    if (days > conf->api_token_days) {
        struct slice text = arena_fmt(adhoc_arena(c), "days is at most %u here", conf->api_token_days);
        adhoc_fail(c, COND_NOT_ACCEPTABLE, text.p);
        return;
    }
    t.expires_ms = (int64_t)clock_wall_ms() + days * DAY_MS;
    i->c = c;
    i->expires_ms = t.expires_ms;
    apitokens_issue(adhoc_sessman(c), adhoc_arena(c), adhoc_from(c), &t, &i->text, on_issued, i);
}

/* --- seen and ended --- */

#define WHOSE                                                                                                \
    {                                                                                                        \
        .var = "accountjid", .type = FIELD_JID, .label = "Whose, if not yours (for administrators)"          \
    }

/* False: c has been answered. */
static bool read_whose(struct adhoc *c, struct jid *out)
{
    struct slice text = adhoc_value(c, "accountjid");
    *out = jid_to_bare(adhoc_from(c));
    if (!text.len)
        return true;
    struct jid own = *out;
    if (!adhoc_account(c, text, out))
        return false;
    *out = jid_to_bare(out);
    if (jid_eq(out, &own) || adhoc_by_admin(c))
        return true;
    adhoc_fail(c, COND_FORBIDDEN, "accountjid is for administrators");
    return false;
}

static const struct command_field list_fields[] = { WHOSE, { 0 } };
static const struct command_field list_columns[] = {
    { .var = "id", .label = "Number" },
    { .var = "label", .label = "What for" },
    { .var = "scopes", .label = "What it may" },
    { .var = "created", .label = "Made" },
    { .var = "expires", .label = "Good until" },
    { .var = "used", .label = "Used last" },
    { 0 },
};

struct listing {
    struct adhoc *c;
    struct node *table;
};

static void on_each(void *ctx, const struct apitoken *t)
{
    const struct listing *l = ctx;
    struct arena *a = adhoc_arena(l->c);
    struct node *row = adhoc_row(l->c, l->table);
    adhoc_cell(l->c, row, "id", arena_fmt(a, "%lld", (long long)t->id));
    adhoc_cell(l->c, row, "label", arena_copy(a, t->label));
    adhoc_cell(l->c, row, "scopes", arena_copy(a, t->scopes));
    adhoc_cell(l->c, row, "created", time_write(a, t->created_ms));
    adhoc_cell(l->c, row, "expires", time_write(a, t->expires_ms));
    adhoc_cell(l->c, row, "used", t->used_ms ? time_write(a, t->used_ms) : SLICE_NONE);
}

static void on_listed(void *ctx)
{
    const struct listing *l = ctx;
    adhoc_done(l->c, l->table, NULL);
}

static void tokens(struct adhoc *c)
{
    struct listing *l = ARENA_NEW(adhoc_arena(c), struct listing);
    struct jid whose;
    if (!read_whose(c, &whose))
        return;
    l->c = c;
    l->table = adhoc_table(c, list_columns);
    apitokens_list(adhoc_sessman(c), &whose, on_each, on_listed, l);
}

static void on_revoked(void *ctx, enum rc rc)
{
    struct why why = { "there is no such token" };
    if (rc == RC_OK)
        adhoc_done(ctx, NULL, "Done.");
    else
        adhoc_fail_rc(ctx, rc, rc == RC_NOTFOUND ? &why : NULL);
}

static const struct command_field revoke_fields[] = {
    { .var = "id",
      .label = "Number of the token",
      .required = true,
      .integer = true,
      .least = 1,
      .most = INT64_MAX },
    WHOSE,
    { 0 },
};

static void token_revoke(struct adhoc *c)
{
    struct jid whose;
    if (read_whose(c, &whose))
        apitokens_revoke(adhoc_sessman(c), &whose, adhoc_number(c, "id", 0), on_revoked, c);
}

static const struct command commands[] = {
    /* clang-format off */
    { OURS("token-issue"), "Make a token for the HTTP API", ADHOC_PERSON, ADHOC_CHANGES, issue_fields, token_issue },
    { OURS("tokens"), "List of tokens for the HTTP API", ADHOC_USER, ADHOC_SHOWS, list_fields, tokens },
    { OURS("token-revoke"), "Revoke a token of the HTTP API", ADHOC_USER, ADHOC_CHANGES, revoke_fields, token_revoke },
    { 0 },
    /* clang-format on */
};
const struct module mod_apitokens = {
    .name = "apitokens",
    .spec = "XEP-0050 1.3.0",
    .commands = commands,
};
