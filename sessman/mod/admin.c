/* sessman/mod/admin.c - administration by ad-hoc command: accounts and sessions (XEP-0133); ours are named
 * urn:bulkhead:commands:… */
#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/module.h"
#include "sessman/removal.h"
#include "sessman/session.h"
#include "sessman/users.h"
#include <stdlib.h>

#define ADMIN(name) NS_ADMIN "#" name
#define OURS(name)  "urn:bulkhead:commands:" name

enum {
    LIST_MOST = 5000,             /* entries of one answer */
    LIST_BYTES_MOST = 512 * 1024, /* and bytes of it: a frame's half */
};

/* --- accounts --- */

static void on_changed(void *ctx, enum rc rc, const struct why *why)
{
    if (rc == RC_OK)
        adhoc_done(ctx, NULL, "Done.");
    else
        adhoc_fail_rc(ctx, rc, why);
}

static const struct command_field add_user_fields[] = {
    { .var = "accountjid", .type = FIELD_JID, .label = "Address of the new account", .required = true },
    { .var = "password", .type = FIELD_SECRET, .label = "Password", .required = true },
    { .var = "password-verify", .type = FIELD_SECRET, .label = "Password again" },
    { .var = "admin", .type = FIELD_BOOLEAN, .label = "Administrator of this installation" },
    { 0 },
};

static void add_user(struct adhoc *c)
{
    struct slice password = adhoc_value(c, "password");
    struct jid jid;
    if (!adhoc_account(c, adhoc_value(c, "accountjid"), &jid))
        return;
    if (jid.resource.len)
        adhoc_fail(c, COND_NOT_ACCEPTABLE, "an account has no resource");
    else if (form_has(adhoc_form(c), "password-verify") &&
             !slice_eq(password, adhoc_value(c, "password-verify")))
        adhoc_fail(c, COND_NOT_ACCEPTABLE, "the passwords differ");
    else if (adhoc_true(c, "admin") && adhoc_by_token(c))
        adhoc_fail(c, COND_FORBIDDEN, "a token makes no administrators");
    else
        users_create(adhoc_sessman(c), &jid, password, adhoc_true(c, "admin"), on_changed, c);
}

static const struct command_field change_password_fields[] = {
    { .var = "accountjid", .type = FIELD_JID, .label = "Address of the account", .required = true },
    { .var = "password", .type = FIELD_SECRET, .label = "New password", .required = true },
    { 0 },
};

/* Whoever has got hold of a token must not make a login of it that outlives it. */
static void on_password_account(void *ctx, struct account *account)
{
    struct adhoc *c = ctx;
    bool admin = account && account->admin;
    struct jid jid;
    if (account)
        account_release(adhoc_sessman(c), account);
    if (admin)
        adhoc_fail(c, COND_FORBIDDEN, "a token changes no administrator's password");
    else if (adhoc_account(c, adhoc_value(c, "accountjid"), &jid))
        users_password(adhoc_sessman(c), &jid, adhoc_value(c, "password"), on_changed, c);
}

static void change_password(struct adhoc *c)
{
    struct jid jid;
    if (!adhoc_account(c, adhoc_value(c, "accountjid"), &jid))
        return;
    jid = jid_to_bare(&jid);
    if (adhoc_by_token(c))
        account_load(adhoc_sessman(c), &jid, on_password_account, c);
    else
        users_password(adhoc_sessman(c), &jid, adhoc_value(c, "password"), on_changed, c);
}

static void delete_next(struct adhoc_accounts *j);

static void on_deleted(void *ctx, enum rc rc, const struct why *why)
{
    struct adhoc_accounts *j = ctx;
    struct log_ctx log = sessman_log(adhoc_sessman(j->c), LOG_MODULE);
    if (rc != RC_OK) {
        adhoc_fail_rc(j->c, rc, why);
        return;
    }
    LOG_INFO(&log, "account_deleted", F_SLICE("jid", j->list[j->at].full),
             F_SLICE("by", adhoc_from(j->c)->full));
    j->at++;
    delete_next(j);
}

static void delete_next(struct adhoc_accounts *j)
{
    if (j->at < j->n)
        account_remove(adhoc_sessman(j->c), &j->list[j->at], on_deleted, j);
    else
        adhoc_done(j->c, NULL, "Done.");
}

static const struct command_field delete_user_fields[] = {
    { .var = "accountjids", .type = FIELD_JIDS, .label = "Addresses of the accounts", .required = true },
    { 0 },
};

static void delete_user(struct adhoc *c)
{
    struct adhoc_accounts *j = adhoc_accounts(c, "accountjids", COMMANDFORM_VALUES_MAX);
    if (j)
        delete_next(j);
}

/* --- sessions --- */

/* Ends one session, or all of a bare JID. Returns how many. */
static unsigned kick(struct sessman *sm, const struct jid *jid)
{
    struct account *account = account_find(sm, jid_bare(jid));
    unsigned n = 0;
    if (!account)
        return 0;
    account_hold(sm, account);
    LIST_EACH(&account->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (jid->resource.len && !slice_eq(session_resource(s), jid->resource))
            continue;
        session_close(sm, s, STREAM_RESET, "ended by an administrator");
        n++;
    }
    account_release(sm, account);
    return n;
}

static const struct command_field end_session_fields[] = {
    { .var = "accountjids",
      .type = FIELD_JIDS,
      .label = "Full addresses, or bare ones for all their sessions",
      .required = true },
    { 0 },
};

static void end_session(struct adhoc *c)
{
    struct adhoc_accounts *j = adhoc_accounts(c, "accountjids", COMMANDFORM_VALUES_MAX);
    unsigned ended = 0;
    if (!j)
        return;
    for (; j->at < j->n; j->at++)
        ended += kick(adhoc_sessman(c), &j->list[j->at]);
    if (ended)
        adhoc_done(c, NULL, "Done.");
    else
        adhoc_fail(c, COND_ITEM_NOT_FOUND, "no such session");
}

/* All bound sessions, or those of one domain, by address. */
static const struct session **all_sessions(struct adhoc *c, struct slice domain, size_t *n)
{
    struct sessman *sm = adhoc_sessman(c);
    const struct session **list = mem_array(sm->sessions_bound + 1, sizeof *list);
    size_t at = 0;
    *n = 0;
    for (struct account *account; (account = map_next(sm->accounts, &at)) != NULL;)
        LIST_EACH(&account->sessions, it)
            if (*n < sm->sessions_bound && (!domain.len || slice_eq(account_domain(account), domain)))
                list[(*n)++] = CONTAINER(it, struct session, in_account);
    return list;
}

static int by_jid(const void *a, const void *b)
{
    return slice_cmp(session_jid(*(const struct session *const *)a),
                     session_jid(*(const struct session *const *)b));
}

static const struct command_field sessions_fields[] = {
    { .var = "domain", .type = FIELD_TEXT, .label = "Only those of this domain" },
    { .var = "after", .type = FIELD_TEXT, .label = "Only those after this address" },
    { 0 },
};
static const struct command_field sessions_columns[] = {
    { .var = "jid", .type = FIELD_JID, .label = "Session" },
    { .var = "available", .type = FIELD_BOOLEAN, .label = "Available" },
    { .var = "priority", .type = FIELD_TEXT, .label = "Priority" },
    { 0 },
};

static void session_row(struct adhoc *c, struct node *table, const struct session *s)
{
    struct arena *a = adhoc_arena(c);
    struct node *row = adhoc_row(c, table);
    adhoc_cell(c, row, "jid", arena_copy(a, session_jid(s)));
    adhoc_cell(c, row, "available", s->available ? SLICE("1") : SLICE("0"));
    adhoc_cell(c, row, "priority", arena_fmt(a, "%d", s->priority));
}

/* XEP-0004 3.4: a table. */
static void list_sessions(struct adhoc *c)
{
    struct slice after = adhoc_value(c, "after");
    struct node *table = adhoc_table(c, sessions_columns);
    size_t n, shown = 0, bytes = 0, i = 0;
    const struct session **list = all_sessions(c, adhoc_value(c, "domain"), &n);
    qsort(list, n, sizeof *list, by_jid);
    while (i < n && after.len && slice_cmp(session_jid(list[i]), after) <= 0)
        i++;
    for (; i < n && shown < LIST_MOST && bytes < LIST_BYTES_MOST; i++, shown++) {
        session_row(c, table, list[i]);
        bytes += list[i]->jid_len + 160u;
    }
    if (i < n)
        form_field(adhoc_arena(c), table, "more", "boolean", "There are more", SLICE("1"));
    mem_free(list);
    adhoc_done(c, table, NULL);
}

/* --- numbers and lists of users --- */

static const struct users_list {
    const char *node, *var, *label;
    enum users_which which;
} lists[] = {
    { ADMIN("get-registered-users-num"), "registeredusersnum", "Accounts", USERS_ALL },
    { ADMIN("get-disabled-users-num"), "disabledusersnum", "Accounts that are disabled", USERS_DISABLED },
    { ADMIN("get-registered-users-list"), "registereduserjids", "Accounts", USERS_ALL },
    { ADMIN("get-disabled-users-list"), "disableduserjids", "Accounts that are disabled", USERS_DISABLED },
    { OURS("admins"), "adminjids", "Administrators", USERS_ADMINS },
};

static const struct users_list *list_of(const struct adhoc *c)
{
    const struct users_list *l = lists;
    while (strcmp(l->node, adhoc_command(c)->node) != 0)
        l++;
    return l;
}

static void on_count(void *ctx, uint64_t n)
{
    struct adhoc *c = ctx;
    struct node *form = adhoc_result(c);
    form_field(adhoc_arena(c), form, list_of(c)->var, "text-single", list_of(c)->label,
               arena_fmt(adhoc_arena(c), "%llu", (unsigned long long)n));
    adhoc_done(c, form, NULL);
}

static void users_num(struct adhoc *c)
{
    users_count(adhoc_sessman(c), list_of(c)->which, adhoc_to(c)->domain, on_count, c);
}

/* Distinct accounts with a session, in all or in one domain. */
static void online_num(struct adhoc *c)
{
    struct sessman *sm = adhoc_sessman(c);
    size_t at = 0;
    unsigned long n = 0;
    for (struct account *account; (account = map_next(sm->accounts, &at)) != NULL;)
        n += account->n_sessions > account->n_api && slice_eq(account_domain(account), adhoc_to(c)->domain);
    struct node *form = adhoc_result(c);
    form_field(adhoc_arena(c), form, "onlineusersnum", "text-single", "Accounts that are online",
               arena_fmt(adhoc_arena(c), "%lu", n));
    adhoc_done(c, form, NULL);
}

static const struct command_option max_items_options[] = {
    { "25", NULL }, { "50", NULL }, { "100", NULL }, { "200", NULL }, { "none", "All" }, { 0 },
};
static const struct command_field list_fields[] = {
    { .var = "max_items",
      .type = FIELD_LIST,
      .label = "How many at most",
      .value = "none",
      .options = max_items_options,
      .open = true },
    { .var = "after", .type = FIELD_TEXT, .label = "Only those after this address" },
    { 0 },
};

static unsigned max_items(struct adhoc *c)
{
    uint64_t n = LIST_MOST;
    if (slice_u64(adhoc_value(c, "max_items"), LIST_MOST, &n) != RC_OK)
        n = LIST_MOST;
    return (unsigned)n;
}

/* The part of `after` before '@'; names are listed in byte order. */
static struct slice after_local(struct adhoc *c)
{
    struct slice after = adhoc_value(c, "after"), local = SLICE_NONE;
    slice_split(&after, '@', &local);
    return local;
}

static void on_list(void *ctx, const struct slice *locals, size_t n)
{
    struct adhoc *c = ctx;
    struct arena *a = adhoc_arena(c);
    struct node *form = adhoc_result(c);
    struct node *f = form_field(a, form, list_of(c)->var, "jid-multi", list_of(c)->label, SLICE_NONE);
    size_t bytes = 0, i = 0, most = max_items(c);
    for (; i < n && i < most && bytes < LIST_BYTES_MOST; i++) {
        struct slice jid =
            arena_fmt(a, SLICE_FMT "@" SLICE_FMT, SLICE_ARG(locals[i]), SLICE_ARG(adhoc_to(c)->domain));
        form_value(a, f, jid);
        bytes += jid.len + 16;
    }
    if (i < n)
        form_field(a, form, "more", "boolean", "There are more", SLICE("1"));
    adhoc_done(c, form, NULL);
}

static void list_users(struct adhoc *c)
{
    users_list(adhoc_sessman(c), list_of(c)->which, adhoc_to(c)->domain, after_local(c), max_items(c) + 1,
               on_list, c);
}

static void online_list(struct adhoc *c)
{
    struct arena *a = adhoc_arena(c);
    struct slice last = SLICE_NONE, after = adhoc_value(c, "after");
    size_t n, shown = 0, bytes = 0, i = 0;
    struct node *form = adhoc_result(c);
    struct node *f =
        form_field(a, form, "onlineuserjids", "jid-multi", "Accounts that are online", SLICE_NONE);
    const struct session **list = all_sessions(c, adhoc_to(c)->domain, &n);
    qsort(list, n, sizeof *list, by_jid);
    for (; i < n && shown < max_items(c) && bytes < LIST_BYTES_MOST; i++) {
        struct slice bare = session_bare(list[i]);
        if (list[i]->api || slice_eq(bare, last) || (after.len && slice_cmp(bare, after) <= 0))
            continue;
        last = arena_copy(a, bare);
        form_value(a, f, last);
        bytes += bare.len + 16;
        shown++;
    }
    if (i < n)
        form_field(a, form, "more", "boolean", "There may be more", SLICE("1"));
    mem_free(list);
    adhoc_done(c, form, NULL);
}

static const struct command commands[] = {
    /* clang-format off */
    { ADMIN("add-user"), "Add a user", ADHOC_ADMIN, ADHOC_CHANGES, add_user_fields, add_user },
    { ADMIN("delete-user"), "Delete users", ADHOC_ADMIN, ADHOC_CHANGES, delete_user_fields, delete_user },
    { ADMIN("change-user-password"), "Change a user's password", ADHOC_ADMIN, ADHOC_CHANGES, change_password_fields, change_password },
    { ADMIN("end-user-session"), "End users' sessions", ADHOC_ADMIN, ADHOC_CHANGES, end_session_fields, end_session },
    { ADMIN("get-registered-users-num"), "Number of accounts", ADHOC_ADMIN, ADHOC_READS, NULL, users_num },
    { ADMIN("get-online-users-num"), "Number of accounts online", ADHOC_ADMIN, ADHOC_READS, NULL, online_num },
    { ADMIN("get-registered-users-list"), "List of accounts", ADHOC_ADMIN, ADHOC_READS, list_fields, list_users },
    { ADMIN("get-disabled-users-num"), "Number of accounts that are disabled", ADHOC_ADMIN, ADHOC_READS, NULL, users_num },
    { ADMIN("get-disabled-users-list"), "List of accounts that are disabled", ADHOC_ADMIN, ADHOC_READS, list_fields, list_users },
    { OURS("admins"), "List of administrators", ADHOC_ADMIN, ADHOC_SHOWS, list_fields, list_users },
    { ADMIN("get-online-users-list"), "List of accounts online", ADHOC_ADMIN, ADHOC_READS, list_fields, online_list },
    { OURS("sessions"), "List of sessions", ADHOC_ADMIN, ADHOC_SHOWS, sessions_fields, list_sessions },
    { 0 },
    /* clang-format on */
};
const struct module mod_admin = {
    .name = "admin",
    .spec = "XEP-0133 1.3.1",
    .commands = commands,
};
