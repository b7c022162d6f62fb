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
    JIDS_MOST = 1000,             /* in one form */
};

/* --- forms --- */

static struct node *ask_form(struct adhoc *c, const char *title)
{
    struct arena *a = adhoc_arena(c);
    struct node *form = form_new(a, NULL, FORM_FORM, NULL);
    node_add_text(a, node_add(a, form, "title", NULL),
                  slice_cstr(title)); /* XEP-0004 3.1: before the fields */
    form_field(a, form, "FORM_TYPE", "hidden", NULL, SLICE(NS_ADMIN));
    return form;
}

static struct node *result_form(struct adhoc *c)
{
    return form_new(adhoc_arena(c), NULL, FORM_RESULT, NS_ADMIN);
}

static void field(struct adhoc *c, struct node *form, const char *var, const char *type, const char *label,
                  bool required)
{
    struct node *f = form_field(adhoc_arena(c), form, var, type, label, SLICE_NONE);
    if (required)
        node_add(adhoc_arena(c), f, "required", NULL);
}

static bool is_true(struct slice value)
{
    return slice_is(value, "1") || slice_is(value, "true");
}

static void fail(struct adhoc *c, enum rc rc, const struct why *why)
{
    static const enum stanza_cond conds[] = {
        [RC_EXISTS] = COND_CONFLICT,       [RC_NOTFOUND] = COND_ITEM_NOT_FOUND,
        [RC_SYNTAX] = COND_NOT_ACCEPTABLE, [RC_UNSUPPORTED] = COND_NOT_ALLOWED,
        [RC_CONFLICT] = COND_CONFLICT,     [RC_LIMIT] = COND_RESOURCE_CONSTRAINT,
        [RC_DENIED] = COND_NOT_ALLOWED,
    };
    enum stanza_cond cond = COND_INTERNAL_SERVER_ERROR;
    if ((size_t)rc < sizeof conds / sizeof *conds && conds[rc])
        cond = conds[rc];
    adhoc_fail(c, cond, why && why->text[0] ? why->text : rc_name(rc));
}

static void log_done(struct adhoc *c, const char *what, struct slice whom)
{
    struct log_ctx log = sessman_log(adhoc_sessman(c), LOG_MODULE);
    LOG_INFO(&log, "admin", F_STR("did", what), F_SLICE("whom", whom), F_SLICE("by", adhoc_from(c)->full));
}

/* --- a list of addresses, worked on one by one --- */

struct jids {
    struct adhoc *c;
    size_t n, at;
    struct jid list[JIDS_MOST];
};

/* An account's bare JID of a hosted domain from a form's field. */
static bool read_account(struct adhoc *c, struct slice text, struct jid *out)
{
    struct why why = { "the form lacks an address" };
    if (!text.len || jid_parse(adhoc_arena(c), text, out, &why) != RC_OK || !out->local.len) {
        adhoc_fail(c, COND_JID_MALFORMED, why.text);
        return false;
    }
    if (!sessman_domain(adhoc_sessman(c), out->domain)) {
        adhoc_fail(c, COND_ITEM_NOT_FOUND, "the domain is not hosted here");
        return false;
    }
    return true;
}

/* The values of "accountjids", or of "accountjid". NULL: c has been answered. */
static struct jids *read_jids(struct adhoc *c)
{
    struct arena *a = adhoc_arena(c);
    const char *var = form_has(adhoc_form(c), "accountjids") ? "accountjids" : "accountjid";
    struct jids *j = arena_zero(a, sizeof *j);
    struct node *at = NULL;
    struct slice value;
    j->c = c;
    while (form_next_value(a, adhoc_form(c), var, &at, &value)) {
        if (j->n == JIDS_MOST) {
            adhoc_fail(c, COND_RESOURCE_CONSTRAINT, "too many addresses at once");
            return NULL;
        }
        if (!read_account(c, value, &j->list[j->n++]))
            return NULL;
    }
    if (!j->n) {
        adhoc_fail(c, COND_NOT_ACCEPTABLE, "the form lacks an address");
        return NULL;
    }
    return j;
}

/* --- accounts --- */

static void on_changed(void *ctx, enum rc rc, const struct why *why)
{
    struct adhoc *c = ctx;
    if (rc == RC_OK) {
        log_done(c, adhoc_command(c)->title, adhoc_value(c, "accountjid"));
        adhoc_done(c, NULL, "Done.");
    } else {
        fail(c, rc, why);
    }
}

static void add_user(struct adhoc *c)
{
    struct jid jid;
    if (!adhoc_form(c)) {
        struct node *form = ask_form(c, "Add a user");
        field(c, form, "accountjid", "jid-single", "Address of the new account", true);
        field(c, form, "password", "text-private", "Password", true);
        field(c, form, "password-verify", "text-private", "Password again", false);
        field(c, form, "admin", "boolean", "Administrator of this installation", false);
        adhoc_ask(c, form);
        return;
    }
    if (!read_account(c, adhoc_value(c, "accountjid"), &jid))
        return;
    struct slice password = adhoc_value(c, "password");
    if (jid.resource.len || !password.len)
        adhoc_fail(c, COND_NOT_ACCEPTABLE,
                   password.len ? "an account has no resource" : "the password is empty");
    else if (form_has(adhoc_form(c), "password-verify") &&
             !slice_eq(password, adhoc_value(c, "password-verify")))
        adhoc_fail(c, COND_NOT_ACCEPTABLE, "the passwords differ");
    else
        users_create(adhoc_sessman(c), &jid, password, is_true(adhoc_value(c, "admin")), on_changed, c);
}

static void change_password(struct adhoc *c)
{
    struct jid jid;
    if (!adhoc_form(c)) {
        struct node *form = ask_form(c, "Change a user's password");
        field(c, form, "accountjid", "jid-single", "Address of the account", true);
        field(c, form, "password", "text-private", "New password", true);
        adhoc_ask(c, form);
        return;
    }
    if (!read_account(c, adhoc_value(c, "accountjid"), &jid))
        return;
    if (!adhoc_value(c, "password").len)
        adhoc_fail(c, COND_NOT_ACCEPTABLE, "the password is empty");
    else
        users_password(adhoc_sessman(c), &jid, adhoc_value(c, "password"), on_changed, c);
}

static void delete_next(struct jids *j);

static void on_deleted(void *ctx, enum rc rc, const struct why *why)
{
    struct jids *j = ctx;
    if (rc != RC_OK) {
        fail(j->c, rc, why);
        return;
    }
    log_done(j->c, "account deleted", j->list[j->at].full);
    j->at++;
    delete_next(j);
}

static void delete_next(struct jids *j)
{
    if (j->at < j->n)
        account_remove(adhoc_sessman(j->c), &j->list[j->at], on_deleted, j);
    else
        adhoc_done(j->c, NULL, "Done.");
}

static void delete_user(struct adhoc *c)
{
    struct jids *j;
    if (!adhoc_form(c)) {
        struct node *form = ask_form(c, "Delete users");
        field(c, form, "accountjids", "jid-multi", "Addresses of the accounts", true);
        adhoc_ask(c, form);
    } else if ((j = read_jids(c)) != NULL) {
        delete_next(j);
    }
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

static void end_session(struct adhoc *c)
{
    struct jids *j;
    if (!adhoc_form(c)) {
        struct node *form = ask_form(c, "End users' sessions");
        field(c, form, "accountjids", "jid-multi", "Full addresses, or bare ones for all their sessions",
              true);
        adhoc_ask(c, form);
        return;
    }
    if ((j = read_jids(c)) == NULL)
        return;
    unsigned ended = 0;
    for (; j->at < j->n; j->at++) {
        unsigned n = kick(adhoc_sessman(c), &j->list[j->at]);
        if (n)
            log_done(c, "sessions ended", j->list[j->at].full);
        ended += n;
    }
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

static void cell(struct adhoc *c, struct node *row, const char *var, struct slice value)
{
    form_field(adhoc_arena(c), row, var, NULL, NULL, value);
}

static void session_row(struct adhoc *c, struct node *form, const struct session *s)
{
    struct arena *a = adhoc_arena(c);
    struct node *row = node_add(a, form, "item", NULL);
    cell(c, row, "jid", arena_copy(a, session_jid(s)));
    cell(c, row, "available", s->available ? SLICE("1") : SLICE("0"));
    cell(c, row, "priority", arena_fmt(a, "%d", s->priority));
}

/* XEP-0004 3.4: a table. */
static void list_sessions(struct adhoc *c)
{
    struct arena *a = adhoc_arena(c);
    struct slice after = adhoc_value(c, "after"), domain = adhoc_value(c, "domain");
    struct node *form = result_form(c);
    struct node *reported = node_add(a, form, "reported", NULL);
    size_t n, shown = 0, bytes = 0, i = 0;
    form_field(a, reported, "jid", "jid-single", "Session", SLICE_NONE);
    form_field(a, reported, "available", "boolean", "Available", SLICE_NONE);
    form_field(a, reported, "priority", "text-single", "Priority", SLICE_NONE);
    const struct session **list = all_sessions(c, domain, &n);
    qsort(list, n, sizeof *list, by_jid);
    while (i < n && after.len && slice_cmp(session_jid(list[i]), after) <= 0)
        i++;
    for (; i < n && shown < LIST_MOST && bytes < LIST_BYTES_MOST; i++, shown++) {
        session_row(c, form, list[i]);
        bytes += list[i]->jid_len + 160u;
    }
    if (i < n)
        form_field(a, form, "more", "boolean", "There are more", SLICE("1"));
    mem_free(list);
    adhoc_done(c, form, NULL);
}

/* --- numbers and lists of users --- */

static void on_count(void *ctx, uint64_t n)
{
    struct adhoc *c = ctx;
    struct node *form = result_form(c);
    form_field(adhoc_arena(c), form, "registeredusersnum", "text-single", "Accounts",
               arena_fmt(adhoc_arena(c), "%llu", (unsigned long long)n));
    adhoc_done(c, form, NULL);
}

static void registered_num(struct adhoc *c)
{
    users_count(adhoc_sessman(c), adhoc_to(c)->domain, on_count, c);
}

/* Distinct accounts with a session, in all or in one domain. */
static void online_num(struct adhoc *c)
{
    struct sessman *sm = adhoc_sessman(c);
    size_t at = 0;
    unsigned long n = 0;
    for (struct account *account; (account = map_next(sm->accounts, &at)) != NULL;)
        n += account->n_sessions && slice_eq(account_domain(account), adhoc_to(c)->domain);
    struct node *form = result_form(c);
    form_field(adhoc_arena(c), form, "onlineusersnum", "text-single", "Accounts that are online",
               arena_fmt(adhoc_arena(c), "%lu", n));
    adhoc_done(c, form, NULL);
}

static void ask_max_items(struct adhoc *c, const char *title)
{
    static const char *const counts[] = { "25", "50", "100", "200", "none" };
    struct arena *a = adhoc_arena(c);
    struct node *form = ask_form(c, title);
    struct node *f = form_field(a, form, "max_items", "list-single", "How many at most", SLICE("none"));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct node *option = node_add(a, f, "option", NULL);
        node_set(a, option, "label", slice_cstr(counts[i]));
        node_add_text(a, node_add(a, option, "value", NULL), slice_cstr(counts[i]));
    }
    form_field(a, form, "after", "text-single", "Only those after this address", SLICE_NONE);
    adhoc_ask(c, form);
}

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
    struct node *form = result_form(c);
    struct node *f = form_field(a, form, "registereduserjids", "jid-multi", "Accounts", SLICE_NONE);
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

static void registered_list(struct adhoc *c)
{
    if (!adhoc_form(c))
        ask_max_items(c, "List of accounts");
    else
        users_list(adhoc_sessman(c), adhoc_to(c)->domain, after_local(c), max_items(c) + 1, on_list, c);
}

static void online_list(struct adhoc *c)
{
    struct arena *a = adhoc_arena(c);
    struct slice last = SLICE_NONE, after = adhoc_value(c, "after");
    size_t n, shown = 0, bytes = 0, i = 0;
    if (!adhoc_form(c)) {
        ask_max_items(c, "List of accounts that are online");
        return;
    }
    struct node *form = result_form(c);
    struct node *f =
        form_field(a, form, "onlineuserjids", "jid-multi", "Accounts that are online", SLICE_NONE);
    const struct session **list = all_sessions(c, adhoc_to(c)->domain, &n);
    qsort(list, n, sizeof *list, by_jid);
    for (; i < n && shown < max_items(c) && bytes < LIST_BYTES_MOST; i++) {
        struct slice bare = session_bare(list[i]);
        if (slice_eq(bare, last) || (after.len && slice_cmp(bare, after) <= 0))
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

/* --- domains and diagnostics --- */

static void list_domains(struct adhoc *c)
{
    struct arena *a = adhoc_arena(c);
    struct node *form = result_form(c);
    struct node *reported = node_add(a, form, "reported", NULL);
    size_t at = 0;
    form_field(a, reported, "domain", "jid-single", "Domain", SLICE_NONE);
    form_field(a, reported, "registration", "boolean", "Registration open", SLICE_NONE);
    form_field(a, reported, "kept", "boolean", "Messages are kept for who is away", SLICE_NONE);
    form_field(a, reported, "archive", "boolean", "Messages are archived", SLICE_NONE);
    form_field(a, reported, "days", "text-single", "Days that they are kept", SLICE_NONE);
    form_field(a, reported, "bytes", "text-single", "Bytes that are kept", SLICE_NONE);
    for (const struct domain *d; (d = map_next(adhoc_sessman(c)->domains, &at)) != NULL;) {
        struct node *row = node_add(a, form, "item", NULL);
        cell(c, row, "domain", arena_copy(a, slice_cstr(d->name)));
        cell(c, row, "registration", d->registration ? SLICE("1") : SLICE("0"));
        cell(c, row, "kept", d->offline ? SLICE("1") : SLICE("0"));
        cell(c, row, "archive", d->archive ? SLICE("1") : SLICE("0"));
        cell(c, row, "days", arena_fmt(a, "%u", d->archive_days));
        cell(c, row, "bytes", arena_fmt(a, "%llu", (unsigned long long)d->archive_bytes));
    }
    adhoc_done(c, form, NULL);
}

static void on_domain(void *ctx, enum rc rc)
{
    struct adhoc *c = ctx;
    struct why why = { "" };
    if (rc == RC_OK) {
        log_done(c, adhoc_command(c)->title, adhoc_value(c, "domain"));
        adhoc_done(c, NULL, "Done.");
        return;
    }
    if (rc == RC_CONFLICT)
        why_set(&why, "the domain still has accounts");
    else if (rc == RC_EXISTS)
        why_set(&why, "the domain is hosted already");
    else if (rc == RC_NOTFOUND)
        why_set(&why, "the domain is not hosted here");
    fail(c, rc, &why);
}

static void ask_domain(struct adhoc *c, const char *title, bool registration)
{
    struct node *form = ask_form(c, title);
    field(c, form, "domain", "jid-single", "Domain", true);
    if (registration)
        field(c, form, "registration", "boolean", "In-band registration is open", false);
    adhoc_ask(c, form);
}

static bool read_domain(struct adhoc *c, struct slice *out)
{
    struct why why;
    if (jid_prepare_domain(adhoc_arena(c), adhoc_value(c, "domain"), out, &why) == RC_OK)
        return true;
    adhoc_fail(c, COND_JID_MALFORMED, why.text);
    return false;
}

static void add_domain(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_form(c))
        ask_domain(c, "Add a domain", true);
    else if (read_domain(c, &name))
        sessman_domain_add(adhoc_sessman(c), name, is_true(adhoc_value(c, "registration")), on_domain, c);
}

static void remove_domain(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_form(c))
        ask_domain(c, "Remove a domain", false);
    else if (read_domain(c, &name))
        sessman_domain_remove(adhoc_sessman(c), name, on_domain, c);
}

static void set_registration(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_form(c)) {
        ask_domain(c, "Open or close registration", true);
        return;
    }
    if (!read_domain(c, &name))
        return;
    if (!sessman_domain(adhoc_sessman(c), name)) {
        adhoc_fail(c, COND_ITEM_NOT_FOUND, "the domain is not hosted here");
        return;
    }
    sessman_domain_registration(adhoc_sessman(c), name, is_true(adhoc_value(c, "registration")));
    on_domain(c, RC_OK);
}

/* days and bytes: no more than this is a number to keep. */
#define ARCHIVE_DAYS_MAX  36500
#define ARCHIVE_BYTES_MAX (INT64_C(1) << 50)

static void ask_archive(struct adhoc *c)
{
    struct node *form = ask_form(c, "The archive of a domain");
    field(c, form, "domain", "jid-single", "Domain", true);
    field(c, form, "archive", "boolean", "Messages are archived", true);
    field(c, form, "days", "text-single", "Days that they are kept (0: for ever)", false);
    field(c, form, "bytes", "text-single", "Bytes that are kept, the newest (0: no limit)", false);
    adhoc_ask(c, form);
}

static bool read_number(struct adhoc *c, const char *var, int64_t most, int64_t *out)
{
    struct slice text = adhoc_value(c, var);
    *out = 0;
    if (!text.len || slice_i64(text, 0, most, out) == RC_OK)
        return true;
    adhoc_fail(c, COND_NOT_ACCEPTABLE, "days and bytes are numbers");
    return false;
}

static void set_archive(struct adhoc *c)
{
    struct slice name;
    int64_t days, bytes;
    if (!adhoc_form(c)) {
        ask_archive(c);
        return;
    }
    if (!read_domain(c, &name) || !read_number(c, "days", ARCHIVE_DAYS_MAX, &days) ||
        !read_number(c, "bytes", ARCHIVE_BYTES_MAX, &bytes))
        return;
    if (!sessman_domain(adhoc_sessman(c), name)) {
        adhoc_fail(c, COND_ITEM_NOT_FOUND, "the domain is not hosted here");
        return;
    }
    if (!form_has(adhoc_form(c), "archive")) {
        adhoc_fail(c, COND_NOT_ACCEPTABLE, "the form lacks archive");
        return;
    }
    sessman_domain_archive(adhoc_sessman(c), name, is_true(adhoc_value(c, "archive")), (uint32_t)days,
                           (uint64_t)bytes);
    on_domain(c, RC_OK);
}

static void log_level(struct adhoc *c)
{
    struct why why;
    if (!adhoc_form(c)) {
        struct node *form = ask_form(c, "Set log levels of the session manager");
        field(c, form, "levels", "text-single", "Such as: info,wire=debug,store=warn", true);
        adhoc_ask(c, form);
    } else if (log_levels_parse(adhoc_sessman(c)->log, adhoc_value(c, "levels"), &why) != RC_OK) {
        adhoc_fail(c, COND_NOT_ACCEPTABLE, why.text);
    } else {
        log_done(c, "log levels set", adhoc_value(c, "levels"));
        adhoc_done(c, NULL, "Done.");
    }
}

static const struct command commands[] = {
    /* clang-format off */
    { ADMIN("add-user"),                  "Add a user",                     ADHOC_ADMIN, add_user },
    { ADMIN("delete-user"),               "Delete users",                   ADHOC_ADMIN, delete_user },
    { ADMIN("change-user-password"),      "Change a user's password",       ADHOC_ADMIN, change_password },
    { ADMIN("end-user-session"),          "End users' sessions",            ADHOC_ADMIN, end_session },
    { ADMIN("get-registered-users-num"),  "Number of accounts",             ADHOC_ADMIN, registered_num },
    { ADMIN("get-online-users-num"),      "Number of accounts online",      ADHOC_ADMIN, online_num },
    { ADMIN("get-registered-users-list"), "List of accounts",               ADHOC_ADMIN, registered_list },
    { ADMIN("get-online-users-list"),     "List of accounts online",        ADHOC_ADMIN, online_list },
    { OURS("sessions"),                   "List of sessions",               ADHOC_ADMIN, list_sessions },
    { OURS("domains"),                    "List of domains",                ADHOC_ADMIN, list_domains },
    { OURS("add-domain"),                 "Add a domain",                   ADHOC_ADMIN, add_domain },
    { OURS("remove-domain"),              "Remove a domain",                ADHOC_ADMIN, remove_domain },
    { OURS("set-registration"),           "Open or close registration",     ADHOC_ADMIN, set_registration },
    { OURS("set-archive"),                "Archive or not, how long and how much", ADHOC_ADMIN, set_archive },
    { OURS("log-level"),                  "Set log levels",                 ADHOC_ADMIN, log_level },
    { 0 },
    /* clang-format on */
};
const struct module mod_admin = {
    .name = "admin",
    .spec = "XEP-0133 1.3.1",
    .commands = commands,
};
