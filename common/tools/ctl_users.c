/* common/tools/ctl_users.c - bulkheadctl adduser, passwd, deluser, users, sessions, kick
 *
 * Through the running server where there is one; on the store of a stopped installation otherwise. */
#include "common/tools/admin.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/daemon/daemon.h"
#include "common/xmpp/ns.h"
#include "sessman/conf.h"
#include "sessman/users.h"
#include <sqlite3.h>
#include <stdio.h>

#define SESSIONS "urn:bulkhead:commands:sessions"
enum { PASSWORD_MOST = 1024 };

/* --- arguments --- */

static bool read_jid(struct tool *t, const char *text, bool resource_allowed, struct jid *out)
{
    struct why why;
    if (jid_parse(t->arena, slice_cstr(text), out, &why) != RC_OK) {
        tool_fail(TOOL_USAGE, "%s: %s", text, why.text);
        return false;
    }
    if (out->local.len && (resource_allowed || !out->resource.len))
        return true;
    tool_fail(TOOL_USAGE, "%s: not the address of an account", text);
    return false;
}

/* "-" reads it from standard input, where no list of processes shows it. */
static struct slice read_password(struct tool *t, const char *arg)
{
    char line[PASSWORD_MOST + 2];
    if (strcmp(arg, "-") != 0)
        return slice_cstr(arg);
    if (!fgets(line, sizeof line, stdin))
        return SLICE_NONE;
    struct slice s = arena_copy(t->arena, slice_of(line, strcspn(line, "\n")));
    secret_wipe(line, sizeof line);
    return s;
}

static int exit_of(enum rc rc)
{
    return rc == RC_OK ? TOOL_OK : rc == RC_CLOSED || rc == RC_TIMEOUT ? TOOL_UNREACHABLE : TOOL_FAILED;
}

/* --- one change, either way --- */

struct change {
    const char *command; /* of XEP-0133 */
    const char *jid_field;
    struct jid jid;
    struct slice password;
    enum rc (*offline)(struct store *store, const struct change *c, uint32_t iterations, struct why *why);
};

/* sessman.conf, as sessman reads it: with the sections that all daemons have. */
struct sessman_file {
    struct sessman_conf own;
    struct daemon_conf common;
    struct conf_table table;
};

static enum rc conf_open(struct tool *t, struct sessman_file *f, struct why *why)
{
    size_t n_common, n = sessman_conf_table.n;
    const struct option *common = daemon_common_options(&n_common);
    struct option *rows = ARENA_ARRAY(t->arena, n + n_common, struct option);
    memcpy(rows, sessman_conf_table.options, n * sizeof *rows);
    for (size_t i = 0; i < n_common; i++) {
        rows[n + i] = common[i];
        rows[n + i].offset += offsetof(struct sessman_file, common);
    }
    f->table = sessman_conf_table;
    f->table.options = rows;
    f->table.n = n + n_common;
    f->table.size = offsetof(struct sessman_file, table);
    return conf_read(&f->table, tool_path(t, "sessman.conf"), true, f, why);
}

static enum rc open_store(struct tool *t, struct store **out, uint32_t *iterations, struct why *why)
{
    struct sessman_file file = { 0 };
    enum rc rc = conf_open(t, &file, why);
    if (rc != RC_OK)
        return rc;
    char *path = daemon_path(t->dir, file.own.store_path);
    const struct store_conf store = { .path = path, .sync_full = true };
    *iterations = file.own.scram_iterations;
    if (file.own.auth_kind != AUTH_STORE) {
        why_set(why, "accounts are kept by a script; the server must run");
        rc = RC_UNSUPPORTED;
    } else {
        rc = store_open(NULL, NULL, &store, NULL, NULL, out, why);
    }
    mem_free(path);
    conf_clear(&file.table, &file);
    return rc;
}

static int change_offline(struct tool *t, const struct change *c)
{
    struct store *store = NULL;
    uint32_t iterations = 0;
    struct why why;
    enum rc rc = open_store(t, &store, &iterations, &why);
    if (rc == RC_OK)
        rc = c->offline(store, c, iterations, &why);
    store_close(&store);
    if (rc != RC_OK)
        return tool_fail(rc == RC_CONFLICT ? TOOL_UNREACHABLE : TOOL_FAILED, SLICE_FMT ": %s",
                         SLICE_ARG(c->jid.full), why.text);
    return TOOL_OK;
}

static int change(struct tool *t, const struct change *c)
{
    struct admin *ad = NULL;
    struct node *result;
    struct why why;
    enum rc rc = admin_open(t, &ad, &why);
    if (rc == RC_CLOSED && c->offline)
        return change_offline(t, c);
    if (rc != RC_OK)
        return tool_fail(exit_of(rc), "%s: the server cannot be reached: %s", t->dir, why.text);
    struct node *form = admin_form(t);
    form_field(t->arena, form, c->jid_field, NULL, NULL, c->jid.full);
    if (c->password.len)
        form_field(t->arena, form, "password", NULL, NULL, c->password);
    rc = admin_run(ad, c->jid.domain, c->command, form, &result, &why);
    admin_close(&ad);
    return rc == RC_OK ? TOOL_OK : tool_fail(exit_of(rc), SLICE_FMT ": %s", SLICE_ARG(c->jid.full), why.text);
}

static enum rc create_offline(struct store *store, const struct change *c, uint32_t iterations,
                              struct why *why)
{
    return users_create_now(store, &c->jid, c->password, false, iterations, why);
}

static enum rc password_offline(struct store *store, const struct change *c, uint32_t iterations,
                                struct why *why)
{
    return users_password_now(store, &c->jid, c->password, iterations, why);
}

static enum rc remove_offline(struct store *store, const struct change *c, uint32_t iterations,
                              struct why *why)
{
    (void)iterations;
    return users_remove_now(store, &c->jid, why);
}

static int with_password(struct tool *t, int argc, char **argv, struct change *c)
{
    if (argc != 2)
        return tool_usage("JID and PASSWORD are needed");
    if (!read_jid(t, argv[0], false, &c->jid))
        return TOOL_USAGE;
    c->password = read_password(t, argv[1]);
    return c->password.len ? change(t, c) : tool_fail(TOOL_FAILED, "the password is empty");
}

int ctl_adduser(struct tool *t, int argc, char **argv)
{
    struct change c = { NS_ADMIN "#add-user", "accountjid", .offline = create_offline };
    return with_password(t, argc, argv, &c);
}

int ctl_passwd(struct tool *t, int argc, char **argv)
{
    struct change c = { NS_ADMIN "#change-user-password", "accountjid", .offline = password_offline };
    return with_password(t, argc, argv, &c);
}

int ctl_deluser(struct tool *t, int argc, char **argv)
{
    struct change c = { NS_ADMIN "#delete-user", "accountjids", .offline = remove_offline };
    if (argc != 1)
        return tool_usage("JID is needed");
    return read_jid(t, argv[0], false, &c.jid) ? change(t, &c) : TOOL_USAGE;
}

int ctl_kick(struct tool *t, int argc, char **argv)
{
    struct change c = { NS_ADMIN "#end-user-session", "accountjids", .offline = NULL };
    if (argc != 1)
        return tool_usage("FULLJID is needed");
    return read_jid(t, argv[0], true, &c.jid) ? change(t, &c) : TOOL_USAGE;
}

/* --- lists: one a line, or a JSON array --- */

struct listing {
    struct tool *tool;
    struct buf json;
    struct slice domain; /* that is asked */
    struct slice only;   /* the sessions of this one; empty: all */
    struct slice last;
};

static void list_begin(struct listing *l)
{
    BUF_LIT(&l->json, "[");
}

static void list_comma(struct listing *l)
{
    if (l->json.len > 1)
        BUF_LIT(&l->json, ",\n ");
}

static int list_end(struct listing *l, int code)
{
    BUF_LIT(&l->json, "]\n");
    if (l->tool->json && code == TOOL_OK)
        fwrite(l->json.p, 1, l->json.len, stdout);
    buf_fini(&l->json);
    return code;
}

static void list_jid(struct listing *l, struct slice jid)
{
    list_comma(l);
    text_json(&l->json, jid);
    if (!l->tool->json)
        printf(SLICE_FMT "\n", SLICE_ARG(jid));
    l->last = jid;
}

/* Page by page: what one answer can hold is limited. */
static enum rc list_pages(struct listing *l, struct admin *ad, const char *command,
                          void (*page)(struct listing *l, const struct node *form), struct why *why)
{
    struct arena *a = l->tool->arena;
    bool more = true;
    while (more) {
        struct node *form = admin_form(l->tool), *result = NULL;
        form_field(a, form, "max_items", NULL, NULL, SLICE("none"));
        if (l->only.len)
            form_field(a, form, "domain", NULL, NULL, l->only);
        if (l->last.len)
            form_field(a, form, "after", NULL, NULL, l->last);
        enum rc rc = admin_run(ad, l->domain, command, form, &result, why);
        if (rc != RC_OK)
            return rc;
        struct slice before = l->last;
        if (result)
            page(l, result);
        more = result && form_has(result, "more") && !slice_eq(before, l->last);
    }
    return RC_OK;
}

static void users_page(struct listing *l, const struct node *form)
{
    struct node *at = NULL;
    struct slice jid;
    while (form_next_value(l->tool->arena, form, "registereduserjids", &at, &jid))
        list_jid(l, jid);
}

static void on_local(void *ctx, struct slice local)
{
    struct listing *l = ctx;
    list_jid(l, arena_fmt(l->tool->arena, SLICE_FMT "@" SLICE_FMT, SLICE_ARG(local), SLICE_ARG(l->domain)));
}

struct hosted {
    struct arena *arena;
    struct slice domain; /* asked for; empty: any */
    struct slice found;
};

static void on_domains(void *ctx, const struct store_result *r)
{
    struct hosted *h = ctx;
    for (size_t i = 0; i < r->rows && !h->found.len; i++)
        if (!h->domain.len || slice_eq(store_row(r, i)[0].s, h->domain))
            h->found = arena_copy(h->arena, store_row(r, i)[0].s);
}

static int users_offline(struct listing *l)
{
    struct store *store = NULL;
    struct hosted h = { .arena = l->tool->arena, .domain = l->domain };
    uint32_t iterations;
    struct why why;
    enum rc rc = open_store(l->tool, &store, &iterations, &why);
    if (rc == RC_OK)
        store_run(store, STMT_DOMAIN_ALL, NULL, 0, on_domains, &h);
    if (rc == RC_OK && h.found.len)
        users_list_now(store, l->domain, on_local, l);
    store_close(&store);
    if (rc != RC_OK)
        return tool_fail(rc == RC_CONFLICT ? TOOL_UNREACHABLE : TOOL_FAILED, "%s", why.text);
    if (!h.found.len)
        return tool_fail(TOOL_FAILED, SLICE_FMT ": the domain is not hosted here", SLICE_ARG(l->domain));
    return TOOL_OK;
}

int ctl_users(struct tool *t, int argc, char **argv)
{
    struct listing l = { .tool = t };
    struct admin *ad = NULL;
    struct why why;
    if (argc != 1)
        return tool_usage("DOMAIN is needed");
    if (jid_prepare_domain(t->arena, slice_cstr(argv[0]), &l.domain, &why) != RC_OK)
        return tool_fail(TOOL_USAGE, "%s: %s", argv[0], why.text);
    enum rc rc = admin_open(t, &ad, &why);
    list_begin(&l);
    if (rc == RC_CLOSED)
        return list_end(&l, users_offline(&l));
    if (rc == RC_OK)
        rc = list_pages(&l, ad, NS_ADMIN "#get-registered-users-list", users_page, &why);
    admin_close(&ad);
    return list_end(&l, rc == RC_OK ? TOOL_OK : tool_fail(exit_of(rc), "%s", why.text));
}

static void sessions_page(struct listing *l, const struct node *form)
{
    struct arena *a = l->tool->arena;
    for (const struct node *item = node_find(form, "item", NS_FORM); item;
         item = node_find_next(item, "item", NS_FORM)) {
        struct slice jid = form_get(a, item, "jid"), priority = form_get(a, item, "priority");
        bool available = slice_is(form_get(a, item, "available"), "1");
        list_comma(l);
        BUF_LIT(&l->json, "{\"jid\": ");
        text_json(&l->json, jid);
        buf_fmt(&l->json, ", \"available\": %s, \"priority\": " SLICE_FMT "}", available ? "true" : "false",
                SLICE_ARG(priority));
        if (!l->tool->json)
            printf(SLICE_FMT "  %s  " SLICE_FMT "\n", SLICE_ARG(jid), available ? "available" : "-",
                   SLICE_ARG(priority));
        l->last = jid;
    }
}

/* A hosted domain to ask: any will do, the command lists the sessions of all. Read beside the running server.
 */
static struct slice any_domain(struct tool *t)
{
    struct sessman_file file = { 0 };
    struct slice found = SLICE_NONE;
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    if (conf_open(t, &file, NULL) != RC_OK)
        return found;
    char *path = daemon_path(t->dir, file.own.store_path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT name FROM domain LIMIT 1", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        found = arena_copy(t->arena, slice_cstr((const char *)sqlite3_column_text(stmt, 0)));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    mem_free(path);
    conf_clear(&file.table, &file);
    return found;
}

int ctl_sessions(struct tool *t, int argc, char **argv)
{
    struct listing l = { .tool = t };
    struct admin *ad = NULL;
    struct why why;
    if (argc > 1)
        return tool_usage("at most one DOMAIN");
    if (argc && jid_prepare_domain(t->arena, slice_cstr(argv[0]), &l.domain, &why) != RC_OK)
        return tool_fail(TOOL_USAGE, "%s: %s", argv[0], why.text);
    enum rc rc = admin_open(t, &ad, &why);
    if (rc != RC_OK)
        return tool_fail(exit_of(rc), "%s: the server cannot be reached: %s", t->dir, why.text);
    l.only = l.domain;
    if (!argc)
        l.domain = any_domain(t);
    list_begin(&l);
    if (!l.domain.len) {
        admin_close(&ad);
        return list_end(
            &l, tool_fail(TOOL_FAILED, "no session manager on this host: name a DOMAIN that it serves"));
    }
    rc = list_pages(&l, ad, SESSIONS, sessions_page, &why);
    admin_close(&ad);
    return list_end(&l, rc == RC_OK ? TOOL_OK : tool_fail(exit_of(rc), "%s", why.text));
}
