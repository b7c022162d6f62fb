/* sessman/mod/adminusers.c - administration by ad-hoc command: what is known of users, and who may log in or
 * administer (XEP-0133)
 *
 * Where XEP-0133 answers about one user in fields these answer with a table, a row for each that was asked
 * for. */
#include "common/base/clock.h"
#include "common/xmpp/delay.h"
#include "sessman/account.h"
#include "sessman/announce.h"
#include "sessman/module.h"
#include "sessman/session.h"
#include "sessman/users.h"

#define ADMIN(name) NS_ADMIN "#" name
#define OURS(name)  "urn:bulkhead:commands:" name

enum {
    LOOK_MOST = 100,              /* accounts at once */
    LIST_BYTES_MOST = 512 * 1024, /* of one answer: a frame's half */
};

/* --- one account after the other --- */

struct visit {
    struct adhoc_accounts *j;
    struct node *table;
    struct account *account; /* the one that is looked at; held */
    int64_t last_ms;         /* of it, as the store has it; 0: never */
    size_t bytes;            /* of the answer so far */
    void (*row)(struct visit *v);
};

static void visit_next(struct visit *v);

static void on_last(void *ctx, const struct store_result *r)
{
    struct visit *v = ctx;
    struct account *account = v->account;
    v->last_ms = r->rows ? store_row(r, 0)[0].i : 0;
    if (account->last_ms > v->last_ms)
        v->last_ms = account->last_ms;
    if (v->bytes < LIST_BYTES_MOST)
        v->row(v);
    v->account = NULL;
    account_release(adhoc_sessman(v->j->c), account);
    v->j->at++;
    visit_next(v);
}

static void on_account(void *ctx, struct account *account)
{
    struct visit *v = ctx;
    if (!account) {
        adhoc_fail(v->j->c, COND_ITEM_NOT_FOUND, "no such account");
        return;
    }
    v->account = account;
    store_run(adhoc_sessman(v->j->c)->store, STMT_LAST_GET, STORE_VALUES(STORE_I(account->id)), on_last, v);
}

static void visit_next(struct visit *v)
{
    struct adhoc *c = v->j->c;
    struct jid bare;
    if (v->j->at < v->j->n) {
        bare = jid_to_bare(&v->j->list[v->j->at]);
        account_load(adhoc_sessman(c), &bare, on_account, v);
        return;
    }
    if (v->bytes >= LIST_BYTES_MOST)
        form_field(adhoc_arena(c), v->table, "more", "boolean", "There are more", SLICE("1"));
    adhoc_done(c, v->table, NULL);
}

static void visit(struct adhoc *c, const struct command_field *columns, void (*row)(struct visit *v))
{
    struct visit *v = ARENA_NEW(adhoc_arena(c), struct visit);
    v->j = adhoc_accounts(c, "accountjids", LOOK_MOST);
    if (!v->j)
        return;
    v->table = adhoc_table(c, columns);
    v->row = row;
    visit_next(v);
}

/* A row that begins with the account's address. */
static struct node *row_of(struct visit *v)
{
    struct adhoc *c = v->j->c;
    struct node *row = adhoc_row(c, v->table);
    adhoc_cell(c, row, "accountjid", arena_copy(adhoc_arena(c), account_bare(v->account)));
    v->bytes += v->account->bare_len + 200u;
    return row;
}

#define WHOSE_FIELDS                                                                                         \
    {                                                                                                        \
        {                                                                                                    \
            .var = "accountjids", .type = FIELD_JIDS, .label = "Addresses of the accounts", .required = true \
        },                                                                                                   \
            { 0 },                                                                                           \
    }
#define WHOSE_COLUMN                                                                                         \
    {                                                                                                        \
        .var = "accountjid", .type = FIELD_JID, .label = "Account"                                           \
    }
static const struct command_field whose_fields[] = WHOSE_FIELDS;

/* --- rosters --- */

static const struct command_field roster_columns[] = {
    WHOSE_COLUMN,
    { .var = "jid", .type = FIELD_JID, .label = "Contact" },
    { .var = "name", .label = "Name" },
    { .var = "subscription", .label = "Subscription" },
    { .var = "groups", .type = FIELD_TEXTS, .label = "Groups" },
    { 0 },
};

static void roster_row(struct visit *v, const struct roster_item *item)
{
    struct adhoc *c = v->j->c;
    struct arena *a = adhoc_arena(c);
    struct node *row = row_of(v), *groups;
    struct slice rest = arena_copy(a, roster_item_groups(item)), group;
    adhoc_cell(c, row, "jid", arena_copy(a, roster_item_jid(item)));
    adhoc_cell(c, row, "name", arena_copy(a, roster_item_name(item)));
    adhoc_cell(c, row, "subscription", slice_cstr(sub_name(item->state)));
    groups = form_field(a, row, "groups", NULL, NULL, SLICE_NONE);
    while (slice_split(&rest, '\n', &group))
        form_value(a, groups, group);
    v->bytes += (size_t)item->jid_len + item->name_len + item->groups_len + 200;
}

static void roster_rows(struct visit *v)
{
    const struct roster *r = &v->account->roster;
    for (uint32_t i = 0; i < r->n && v->bytes < LIST_BYTES_MOST; i++)
        if (r->items[i]->state & SUB_LISTED)
            roster_row(v, r->items[i]);
}

static void get_roster(struct adhoc *c)
{
    visit(c, roster_columns, roster_rows);
}

/* --- when and how much --- */

static bool is_online(const struct account *account)
{
    return account->n_sessions > account->n_api;
}

static struct slice last_of(const struct visit *v)
{
    int64_t ms = is_online(v->account) ? (int64_t)clock_wall_ms() : v->last_ms;
    return ms ? time_write(adhoc_arena(v->j->c), ms) : SLICE_NONE;
}

static const struct command_field last_columns[] = {
    WHOSE_COLUMN,
    { .var = "lastlogin", .label = "Last seen" },
    { 0 },
};

static void last_row(struct visit *v)
{
    adhoc_cell(v->j->c, row_of(v), "lastlogin", last_of(v));
}

static void get_last(struct adhoc *c)
{
    visit(c, last_columns, last_row);
}

static const struct command_field stats_columns[] = {
    WHOSE_COLUMN,
    { .var = "rostersize", .label = "Contacts" },
    { .var = "onlineresources", .type = FIELD_TEXTS, .label = "Online resources" },
    { .var = "waiting", .label = "Messages that wait" },
    { .var = "lastlogin", .label = "Last seen" },
    { .var = "admin", .type = FIELD_BOOLEAN, .label = "Administrator" },
    { .var = "disabled", .type = FIELD_BOOLEAN, .label = "Disabled" },
    { 0 },
};

static void stats_row(struct visit *v)
{
    struct adhoc *c = v->j->c;
    struct arena *a = adhoc_arena(c);
    struct account *account = v->account;
    struct node *row = row_of(v), *resources;
    adhoc_cell(c, row, "rostersize", arena_fmt(a, "%u", (unsigned)roster_listed(&account->roster)));
    resources = form_field(a, row, "onlineresources", NULL, NULL, SLICE_NONE);
    LIST_EACH(&account->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (s->api)
            continue;
        form_value(a, resources, arena_copy(a, session_resource(s)));
        v->bytes += session_resource(s).len + 30u;
    }
    adhoc_cell(c, row, "waiting", arena_fmt(a, "%llu", (unsigned long long)account->offline_n));
    adhoc_cell(c, row, "lastlogin", last_of(v));
    adhoc_cell(c, row, "admin", account->admin ? SLICE("1") : SLICE("0"));
    adhoc_cell(c, row, "disabled", account->disabled ? SLICE("1") : SLICE("0"));
}

static void user_stats(struct adhoc *c)
{
    visit(c, stats_columns, stats_row);
}

/* --- who may log in --- */

struct marking {
    struct adhoc_accounts *j;
    bool on;
};

static void mark_next(struct marking *m);

static void close_all(struct sessman *sm, struct account *account)
{
    account_hold(sm, account);
    LIST_EACH(&account->sessions, it)
        session_close(sm, CONTAINER(it, struct session, in_account), STREAM_NOT_AUTHORIZED,
                      "the account is disabled");
    account_release(sm, account);
}

static void on_disabled(void *ctx, enum rc rc, const struct why *why)
{
    struct marking *m = ctx;
    struct sessman *sm = adhoc_sessman(m->j->c);
    struct account *account;
    if (rc != RC_OK) {
        adhoc_fail_rc(m->j->c, rc, why);
        return;
    }
    account = account_find(sm, jid_bare(&m->j->list[m->j->at++]));
    if (account)
        account->disabled = m->on;
    if (account && m->on)
        close_all(sm, account);
    mark_next(m);
}

static void mark_next(struct marking *m)
{
    struct jid bare;
    if (m->j->at == m->j->n) {
        adhoc_done(m->j->c, NULL, "Done.");
        return;
    }
    bare = jid_to_bare(&m->j->list[m->j->at]);
    users_disable(adhoc_sessman(m->j->c), &bare, m->on, on_disabled, m);
}

static bool is_own(const struct adhoc *c, const struct jid *jid)
{
    return slice_eq(jid_bare(jid), jid_bare(adhoc_from(c)));
}

static void disable(struct adhoc *c, bool on)
{
    struct marking *m = ARENA_NEW(adhoc_arena(c), struct marking);
    m->j = adhoc_accounts(c, "accountjids", COMMANDFORM_VALUES_MAX);
    m->on = on;
    for (size_t i = 0; m->j && i < m->j->n; i++)
        if (is_own(c, &m->j->list[i])) {
            adhoc_fail(c, COND_NOT_ALLOWED, "not your own account");
            return;
        }
    if (m->j)
        mark_next(m);
}

static void disable_user(struct adhoc *c)
{
    disable(c, true);
}

static void reenable_user(struct adhoc *c)
{
    disable(c, false);
}

/* --- who may administer --- */

static const struct command_field set_admin_fields[] = {
    { .var = "accountjid", .type = FIELD_JID, .label = "Address of the account", .required = true },
    { .var = "admin",
      .type = FIELD_BOOLEAN,
      .label = "Administrator of this installation",
      .required = true,
      .value = "0" },
    { 0 },
};

static void on_admin(void *ctx, enum rc rc, const struct why *why)
{
    struct adhoc *c = ctx;
    struct jid jid;
    if (rc != RC_OK) {
        adhoc_fail_rc(c, rc, why);
        return;
    }
    if (!adhoc_account(c, adhoc_value(c, "accountjid"), &jid))
        return;
    struct account *account = account_find(adhoc_sessman(c), jid_bare(&jid));
    if (account)
        account->admin = adhoc_true(c, "admin");
    adhoc_done(c, NULL, "Done.");
}

/* One that is left at least: nobody takes it from himself. */
static void set_admin(struct adhoc *c)
{
    struct jid jid;
    if (!adhoc_account(c, adhoc_value(c, "accountjid"), &jid))
        return;
    jid = jid_to_bare(&jid);
    if (is_own(c, &jid))
        adhoc_fail(c, COND_NOT_ALLOWED, "not your own account");
    else if (adhoc_by_token(c))
        adhoc_fail(c, COND_FORBIDDEN, "a token makes no administrators");
    else
        users_make_admin(adhoc_sessman(c), &jid, adhoc_true(c, "admin"), on_admin, c);
}

/* --- to all of them --- */

static const struct command_field announce_fields[] = {
    { .var = "subject", .label = "Subject" },
    { .var = "announcement", .type = FIELD_TEXTS, .label = "Announcement", .required = true },
    { 0 },
};

/* Lines are values (XEP-0004 3.3). */
static struct slice read_lines(struct adhoc *c, const char *var)
{
    struct buf b = BUF_INIT(0);
    struct node *at = NULL;
    struct slice line, text;
    while (form_next_value(adhoc_arena(c), adhoc_form(c), var, &at, &line)) {
        if (b.len)
            buf_byte(&b, '\n');
        buf_slice(&b, line);
    }
    text = arena_copy(adhoc_arena(c), buf_get(&b));
    buf_fini(&b);
    return text;
}

static void announce(struct adhoc *c)
{
    const struct announcement n = { adhoc_to(c)->domain, adhoc_value(c, "subject"),
                                    read_lines(c, "announcement") };
    size_t accounts;
    if (announce_start(adhoc_sessman(c), &n, &accounts) == RC_OK)
        adhoc_done(c, NULL, arena_fmt(adhoc_arena(c), "It goes to %zu accounts.", accounts).p);
    else
        adhoc_fail(c, COND_RESOURCE_CONSTRAINT, "another announcement is under way");
}

static const struct command commands[] = {
    /* clang-format off */
    { ADMIN("get-user-roster"), "Contacts of users", ADHOC_ADMIN, ADHOC_READS, whose_fields, get_roster },
    { ADMIN("get-user-lastlogin"), "When users were last seen", ADHOC_ADMIN, ADHOC_READS, whose_fields, get_last },
    { ADMIN("user-stats"), "What is known of users", ADHOC_ADMIN, ADHOC_READS, whose_fields, user_stats },
    { ADMIN("disable-user"), "Disable users", ADHOC_ADMIN, ADHOC_CHANGES, whose_fields, disable_user },
    { ADMIN("reenable-user"), "Enable users again", ADHOC_ADMIN, ADHOC_CHANGES, whose_fields, reenable_user },
    { OURS("set-admin"), "Make or unmake an administrator", ADHOC_ADMIN, ADHOC_CHANGES, set_admin_fields, set_admin },
    { ADMIN("announce"), "Announce something to all who are online", ADHOC_ADMIN, ADHOC_CHANGES, announce_fields, announce },
    { 0 },
    /* clang-format on */
};
const struct module mod_adminusers = {
    .name = "adminusers",
    .spec = "XEP-0133 1.3.1",
    .commands = commands,
};
