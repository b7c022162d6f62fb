/* common/tools/ctl_init.c - bulkheadctl init: a working installation in one folder
 *
 * Writes DIR/{bulkhead,router,c2s,s2s,httpgw,sessman,bulkheadctl}.conf, DIR/tls (a self-signed certificate),
 * DIR/data (the store with the domains and the administrator), DIR/upload and nothing outside DIR. What holds
 * secrets has mode 0600. An installation that is there already is not touched. */
#include "common/tools/tool.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/tls.h"
#include "common/xmpp/jid.h"
#include "sessman/store/store.h"
#include "sessman/users.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DOMAINS_MOST = 64,
    PORT_OFFSET_MOST = 60000,
    SECRET_BYTES = 24,
    PASSWORD_BYTES = 12,
    ITERATIONS = 10000
};

struct plan {
    struct slice domains[DOMAINS_MOST]; /* prepared */
    size_t n_domains;
    struct jid admin; /* domain empty: none */
    struct slice password;
    bool generated; /* the password is ours: it is printed and kept in DIR/admin.password */
    uint64_t offset;
    bool tls_optional, registration;
};

static int add_domain(struct tool *t, struct plan *plan, const char *text)
{
    struct slice domain;
    struct why why;
    if (plan->n_domains == DOMAINS_MOST)
        return tool_usage("more than %d domains; add the others later, by ad-hoc command", DOMAINS_MOST);
    if (jid_prepare_domain(t->arena, slice_cstr(text), &domain, &why) != RC_OK)
        return tool_usage("--domain %s: %s", text, why.text);
    for (size_t i = 0; i < plan->n_domains; i++) {
        if (slice_eq(plan->domains[i], domain))
            return tool_usage("--domain %s is there twice", text);
    }
    plan->domains[plan->n_domains++] = domain;
    return TOOL_OK;
}

/* One of two words. */
static int choose(const char *option, const char *value, const char *no, const char *yes, bool *out)
{
    *out = strcmp(value, yes) == 0;
    if (*out || strcmp(value, no) == 0)
        return TOOL_OK;
    return tool_usage("%s is %s or %s, not %s", option, no, yes, value);
}

static int take_option(struct tool *t, struct plan *plan, const char *option, const char *value)
{
    struct why why;
    if (strcmp(option, "--domain") == 0)
        return add_domain(t, plan, value);
    if (strcmp(option, "--admin") == 0) {
        if (jid_parse(t->arena, slice_cstr(value), &plan->admin, &why) != RC_OK)
            return tool_usage("--admin %s: %s", value, why.text);
        if (!plan->admin.local.len || plan->admin.resource.len)
            return tool_usage("--admin %s: user@domain is wanted", value);
        return TOOL_OK;
    }
    if (strcmp(option, "--password") == 0) {
        plan->password = slice_cstr(value);
        return value[0] ? TOOL_OK : tool_usage("--password is empty");
    }
    if (strcmp(option, "--port-offset") == 0) {
        if (slice_u64(slice_cstr(value), PORT_OFFSET_MOST, &plan->offset) != RC_OK)
            return tool_usage("--port-offset %s: a number up to %d is wanted", value, PORT_OFFSET_MOST);
        return TOOL_OK;
    }
    if (strcmp(option, "--tls") == 0)
        return choose(option, value, "required", "optional", &plan->tls_optional);
    if (strcmp(option, "--register") == 0)
        return choose(option, value, "closed", "open", &plan->registration);
    return tool_usage("init: unknown option %s", option);
}

static int plan_make(struct tool *t, int argc, char **argv, struct plan *plan)
{
    for (int i = 0; i < argc; i += 2) {
        if (i + 1 == argc)
            return tool_usage("init: %s wants a value, or is no option", argv[i]);
        int code = take_option(t, plan, argv[i], argv[i + 1]);
        if (code != TOOL_OK)
            return code;
    }
    if (plan->n_domains == 0)
        return tool_usage("init: no --domain");
    if (!plan->admin.domain.len)
        return plan->password.len ? tool_usage("--password without --admin") : TOOL_OK;
    bool hosted = false;
    for (size_t i = 0; i < plan->n_domains; i++)
        hosted = hosted || slice_eq(plan->domains[i], plan->admin.domain);
    if (!hosted)
        return tool_usage("--admin: " SLICE_FMT " is not one of the domains", SLICE_ARG(plan->admin.domain));
    if (!plan->password.len) {
        plan->password = secret_token(t->arena, PASSWORD_BYTES);
        plan->generated = true;
    }
    return TOOL_OK;
}

static int make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return TOOL_OK;
    return tool_fail(TOOL_FAILED, "%s: %s", path, strerror(errno));
}

/* A new file; one that is there is not overwritten. */
static int write_file(struct tool *t, const char *name, mode_t mode, struct slice text)
{
    const char *path = tool_path(t, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool ok = fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len;
    if (fd >= 0 && close(fd) < 0)
        ok = false;
    return ok ? TOOL_OK : tool_fail(TOOL_FAILED, "%s: %s", path, strerror(errno));
}

static struct slice head(struct tool *t, const char *daemon)
{
    return arena_fmt(t->arena,
                     "# %s.conf, made by bulkheadctl init. What is not here has its default: the options, "
                     "one by one, are in\n"
                     "# the %s.conf that comes with Bulkhead; `bulkhead-%s -d DIR --dump-config` prints "
                     "those in effect.\n\n",
                     daemon, daemon, daemon);
}

static const char log_section[] = "[log]\nsink = file\n";

struct secrets { /* what each daemon shows the router */
    struct slice c2s, s2s, httpgw, sessman, admin;
    struct slice dialback; /* of all s2s of the installation */
    struct slice upload;   /* slots are signed with it */
};

/* Programs of this host and components beside it come by loopback, where TLS would guard nothing. */
static struct slice router_conf(struct tool *t, const struct plan *plan, const struct secrets *secrets)
{
    return arena_fmt(
        t->arena,
        SLICE_FMT
        "[listen]\naddress = 127.0.0.1\nport = %u\n\n[tls]\nmode = optional\n\n%s\n"
        "# Who may log in here. Components are added likewise: [component echo.example.net], secret = ...\n"
        "[component c2s]\nsecret = " SLICE_FMT "\nrole = edge\n\n"
        "[component s2s]\nsecret = " SLICE_FMT "\nrole = s2s\n\n"
        "[component httpgw]\nsecret = " SLICE_FMT "\nrole = edge\n\n"
        "[component sessman]\nsecret = " SLICE_FMT "\nrole = sessman\n\n"
        "[component admin]\nsecret = " SLICE_FMT "\nrole = admin\n",
        SLICE_ARG(head(t, "router")), (unsigned)(5347 + plan->offset), log_section, SLICE_ARG(secrets->c2s),
        SLICE_ARG(secrets->s2s), SLICE_ARG(secrets->httpgw), SLICE_ARG(secrets->sessman),
        SLICE_ARG(secrets->admin));
}

static struct slice c2s_conf(struct tool *t, const struct plan *plan, const struct secrets *secrets)
{
    return arena_fmt(
        t->arena,
        SLICE_FMT "[listen]\nport = %u\nport_tls = %u\n\n[tls]\npolicy = %s\ncert = tls/cert.pem\n"
                  "key = tls/key.pem\n\n[router]\nname = c2s\nsecret = " SLICE_FMT "\n\n%s",
        SLICE_ARG(head(t, "c2s")), (unsigned)(5222 + plan->offset), (unsigned)(5223 + plan->offset),
        plan->tls_optional ? "optional" : "required", SLICE_ARG(secrets->c2s), log_section);
}

/* A test installation speaks to servers without TLS, and to those on its own host. */
static struct slice s2s_conf(struct tool *t, const struct plan *plan, const struct secrets *secrets)
{
    return arena_fmt(
        t->arena,
        SLICE_FMT "[listen]\nport = %u\nport_tls = %u\n\n[tls]\npolicy = %s\ncert = tls/cert.pem\n"
                  "key = tls/key.pem\n\n%s"
                  "# The same for every s2s of this installation: each answers for the keys of all.\n"
                  "[dialback]\nsecret = " SLICE_FMT "\n\n[router]\nname = s2s\nsecret = " SLICE_FMT "\n\n%s",
        SLICE_ARG(head(t, "s2s")), (unsigned)(5269 + plan->offset), (unsigned)(5270 + plan->offset),
        plan->tls_optional ? "optional" : "required", plan->tls_optional ? "[dns]\nloopback = yes\n\n" : "",
        SLICE_ARG(secrets->dialback), SLICE_ARG(secrets->s2s), log_section);
}

static struct slice httpgw_conf(struct tool *t, const struct plan *plan, const struct secrets *secrets)
{
    return arena_fmt(t->arena,
                     SLICE_FMT
                     "[listen]\nport = %u\nport_tls = %u\n\n[tls]\npolicy = %s\ncert = tls/cert.pem\n"
                     "key = tls/key.pem\n\n[router]\nname = httpgw\nsecret = " SLICE_FMT
                     "\n\n[upload]\nsecret = " SLICE_FMT "\n\n%s",
                     SLICE_ARG(head(t, "httpgw")), (unsigned)(5280 + plan->offset),
                     (unsigned)(5281 + plan->offset), plan->tls_optional ? "optional" : "required",
                     SLICE_ARG(secrets->httpgw), SLICE_ARG(secrets->upload), log_section);
}

static struct slice sessman_conf(struct tool *t, const struct plan *plan, const struct secrets *secrets)
{
    return arena_fmt(t->arena,
                     SLICE_FMT "[router]\nname = sessman\nsecret = " SLICE_FMT
                               "\n\n[upload]\nsecret = " SLICE_FMT "\nurl = https://{domain}:%u/upload\n\n%s",
                     SLICE_ARG(head(t, "sessman")), SLICE_ARG(secrets->sessman), SLICE_ARG(secrets->upload),
                     (unsigned)(5281 + plan->offset), log_section);
}

static struct slice ctl_conf(struct tool *t, const struct secrets *secrets)
{
    return arena_fmt(
        t->arena,
        "# bulkheadctl.conf, made by bulkheadctl init: how bulkheadctl reaches the running server.\n\n"
        "[router]\naddress = unix:run/router.sock\nname = admin\nsecret = " SLICE_FMT "\n",
        SLICE_ARG(secrets->admin));
}

static int write_confs(struct tool *t, const struct plan *plan)
{
    const struct secrets secrets = {
        .c2s = secret_token(t->arena, SECRET_BYTES),
        .s2s = secret_token(t->arena, SECRET_BYTES),
        .dialback = secret_token(t->arena, SECRET_BYTES),
        .httpgw = secret_token(t->arena, SECRET_BYTES),
        .sessman = secret_token(t->arena, SECRET_BYTES),
        .admin = secret_token(t->arena, SECRET_BYTES),
        .upload = secret_token(t->arena, SECRET_BYTES),
    };
    const struct {
        const char *name;
        mode_t mode;
        struct slice text;
    } files[] = {
        { "router.conf", 0600, router_conf(t, plan, &secrets) },
        { "c2s.conf", 0600, c2s_conf(t, plan, &secrets) },
        { "s2s.conf", 0600, s2s_conf(t, plan, &secrets) },
        { "httpgw.conf", 0600, httpgw_conf(t, plan, &secrets) },
        { "sessman.conf", 0600, sessman_conf(t, plan, &secrets) },
        { "bulkheadctl.conf", 0600, ctl_conf(t, &secrets) },
        { "bulkhead.conf", 0640,
          SLICE("# bulkhead.conf, made by bulkheadctl init: which daemons run on this host, and how many of "
                "each.\n\n"
                "[processes]\nrouter = 1\nsessman = 1\nc2s = 1\ns2s = 1\nhttpgw = 1\n") }, /* last: with it,
                                                                                  it is an installation */
    };
    int code = TOOL_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && code == TOOL_OK; i++)
        code = write_file(t, files[i].name, files[i].mode, files[i].text);
    return code;
}

static int make_certificate(struct tool *t, const struct plan *plan)
{
    const char *names[DOMAINS_MOST];
    struct why why;
    for (size_t i = 0; i < plan->n_domains; i++)
        names[i] = arena_cstr(t->arena, plan->domains[i]);
    if (tls_make_self_signed(names, plan->n_domains, tool_path(t, "tls/cert.pem"),
                             tool_path(t, "tls/key.pem"), &why) != RC_OK)
        return tool_fail(TOOL_FAILED, "certificate: %s", why.text);
    return TOOL_OK;
}

static void on_row(void *ctx, const struct store_result *r)
{
    enum rc *rc = ctx;
    *rc = r->rc;
}

static int make_store(struct tool *t, const struct plan *plan)
{
    struct store_conf conf = { .path = tool_path(t, "data/bulkhead.db"), .create = true, .sync_full = true };
    struct store *store = NULL;
    struct why why = { "a row was refused" };
    enum rc rc = store_open(NULL, NULL, &conf, NULL, NULL, &store, &why);
    for (size_t i = 0; i < plan->n_domains && rc == RC_OK; i++)
        store_run(store, STMT_DOMAIN_ADD,
                  STORE_VALUES(STORE_T(plan->domains[i]), STORE_I(plan->registration)), on_row, &rc);
    if (rc == RC_OK && plan->admin.domain.len)
        rc = users_create_now(store, &plan->admin, plan->password, true, ITERATIONS, &why);
    store_close(&store);
    return rc == RC_OK ? TOOL_OK : tool_fail(TOOL_FAILED, "store: %s", why.text);
}

static void tell(struct tool *t, const struct plan *plan)
{
    printf("%s: ready for", t->dir);
    for (size_t i = 0; i < plan->n_domains; i++)
        printf(" " SLICE_FMT, SLICE_ARG(plan->domains[i]));
    printf("; start it with: bulkhead -d %s\n", t->dir);
    if (plan->generated)
        printf("administrator " SLICE_FMT ", password " SLICE_FMT " (also in %s)\n",
               SLICE_ARG(jid_bare(&plan->admin)), SLICE_ARG(plan->password), tool_path(t, "admin.password"));
}

int ctl_init(struct tool *t, int argc, char **argv)
{
    static const char *const folders[] = { "run", "log", "tls", "data", "upload" };
    struct plan plan = { .n_domains = 0 };
    int code = plan_make(t, argc, argv, &plan);
    if (code != TOOL_OK)
        return code;
    umask(027);
    if (access(tool_path(t, "bulkhead.conf"), F_OK) == 0)
        return tool_fail(TOOL_FAILED, "%s: is an installation already; nothing was changed", t->dir);
    code = make_folder(t->dir, 0750);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && code == TOOL_OK; i++)
        code = make_folder(tool_path(t, folders[i]), i == 1 ? 0750 : 0700);
    if (code == TOOL_OK)
        code = make_certificate(t, &plan);
    if (code == TOOL_OK)
        code = make_store(t, &plan);
    if (code == TOOL_OK && plan.generated)
        code = write_file(t, "admin.password", 0600,
                          arena_fmt(t->arena, SLICE_FMT "\n", SLICE_ARG(plan.password)));
    if (code == TOOL_OK)
        code = write_confs(t, &plan);
    if (code == TOOL_OK)
        tell(t, &plan);
    return code;
}
