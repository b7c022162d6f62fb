/* sessman/mod/register.c - in-band registration (XEP-0077): new accounts where it is open, new passwords,
 * farewell */
#include "sessman/account.h"
#include "sessman/module.h"
#include "sessman/removal.h"
#include "sessman/session.h"
#include "sessman/users.h"

/* An hour's worth of tokens make one registration, so that "per hour" needs no fractions; a refused name
 * costs less. */
enum { NEW_TOKENS = 3600, REFUSED_TOKENS = 360 };

/* --- rates --- */

/* A registration under way; the session may end before it is done, but its address pays all the same. */
struct creating {
    struct incoming *in;
    struct jid jid;
    struct addr_key addr;
    bool limited;
};

/* Returns true while the address has overdrawn its account. */
static bool charge(struct sessman *sm, const struct creating *c, uint32_t tokens)
{
    struct rate_limit limit = { sm->conf->register_per_hour, sm->conf->register_burst * NEW_TOKENS };
    uint64_t now = loop_now_ms(sm->loop);
    if (!c->limited || !limit.per_s)
        return false;
    if (!sm->register_rates)
        sm->register_rates = addr_table_new();
    if (tokens)
        addr_sweep(sm->register_rates, now);
    return rate_take(addr_rate(sm->register_rates, c->addr, now), &limit, now, tokens) > 0;
}

/* --- the form --- */

struct submitted {
    struct slice username, password;
    bool has_username, has_password, remove;
};

static void read_fields(struct incoming *in, struct submitted *out)
{
    const struct node *query = in->st.payload, *form = form_of(query);
    out->remove = node_find(query, "remove", NS_REGISTER) != NULL;
    out->has_username = form ? form_has(form, "username") : node_find(query, "username", NS_REGISTER) != NULL;
    out->has_password = form ? form_has(form, "password") : node_find(query, "password", NS_REGISTER) != NULL;
    out->username =
        form ? form_get(in->a, form, "username") : node_child_text(in->a, query, "username", NS_REGISTER);
    out->password =
        form ? form_get(in->a, form, "password") : node_child_text(in->a, query, "password", NS_REGISTER);
}

static void form_field_required(struct incoming *in, struct node *form, const char *var, const char *type,
                                const char *label)
{
    node_add(in->a, form_field(in->a, form, var, type, label, SLICE_NONE), "required", NULL);
}

static void send_form(struct incoming *in)
{
    struct node *query = node_new(in->a, "query", NS_REGISTER);
    struct node *instructions = node_add(in->a, query, "instructions", NULL);
    node_add_text(in->a, instructions, SLICE("Choose a user name and a password."));
    node_add(in->a, query, "username", NULL);
    node_add(in->a, query, "password", NULL);
    struct node *form = form_new(in->a, query, FORM_FORM, NS_REGISTER);
    form_field_required(in, form, "username", "text-single", "User name");
    form_field_required(in, form, "password", "text-private", "Password");
    in_result(in, query);
}

static void answer_failure(struct incoming *in, enum rc rc, const struct why *why)
{
    switch (rc) {
    case RC_EXISTS:
        in_error(in, COND_CONFLICT, "this name is taken");
        break;
    case RC_SYNTAX:
    case RC_LIMIT:
        in_error(in, COND_NOT_ACCEPTABLE, why->text);
        break;
    case RC_NOTFOUND:
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
        break;
    case RC_UNSUPPORTED:
    case RC_DENIED:
        in_error(in, COND_NOT_ALLOWED, why->text);
        break;
    case RC_TIMEOUT:
        in_error(in, COND_RESOURCE_CONSTRAINT, "try again later");
        break;
    default:
        in_error(in, COND_INTERNAL_SERVER_ERROR, NULL);
    }
}

/* --- before login --- */

static void on_created(void *ctx, enum rc rc, const struct why *why)
{
    struct creating *c = ctx;
    struct incoming *in = c->in;
    charge(in->sm, c, rc == RC_OK ? NEW_TOKENS : REFUSED_TOKENS);
    if (rc == RC_OK) {
        struct log_ctx log = sessman_log(in->sm, LOG_MODULE);
        log.ip = in->session ? session_ip(in->session) : NULL;
        metric_add(in->sm->metrics, M_REGISTERED, 1);
        LOG_INFO(&log, "registered", F_SLICE("user", c->jid.full));
        in_result(in, NULL);
    } else {
        answer_failure(in, rc, why);
    }
    in_done(in);
}

static void create(struct incoming *in, struct slice domain)
{
    struct submitted form;
    struct creating *c = ARENA_NEW(in->a, struct creating);
    struct why why = { "a user name and a password are needed" };
    c->in = in;
    c->limited = !in->session->trusted_plain;
    c->addr = addr_key_of_text(slice_cstr(session_ip(in->session)));
    read_fields(in, &form);
    if (form.remove) {
        in_error(in, COND_REGISTRATION_REQUIRED, NULL); /* XEP-0077 3.2 */
    } else if (!form.username.len || !form.password.len ||
               jid_make(in->a, form.username, domain, SLICE_NONE, &c->jid, &why) != RC_OK) {
        in_error(in, COND_NOT_ACCEPTABLE, why.text);
    } else if (charge(in->sm, c, 0)) {
        struct log_ctx log = sessman_log(in->sm, LOG_MODULE);
        log.ip = session_ip(in->session);
        LOG_INFO(&log, "registration_refused", F_STR("why", "rate"));
        in_error(in, COND_RESOURCE_CONSTRAINT, "too many registrations from this address");
    } else {
        in_hold(in);
        users_create(in->sm, &c->jid, form.password, false, on_created, c);
    }
}

static void before_login(struct incoming *in)
{
    struct slice name = session_domain(in->session);
    const struct domain *domain = sessman_domain(in->sm, name);
    if (!domain || !domain->registration)
        in_error(in, COND_NOT_ALLOWED, "registration is closed");
    else if (in->st.has_to && !slice_eq(in->st.to.full, name))
        in_error(in, COND_NOT_ALLOWED, "only with the domain of this stream");
    else if (in->st.type == IQ_GET)
        send_form(in);
    else
        create(in, name);
}

/* --- after login --- */

static void send_registered(struct incoming *in)
{
    struct node *query = node_new(in->a, "query", NS_REGISTER);
    node_add(in->a, query, "registered", NULL);
    node_add_text(in->a, node_add(in->a, query, "username", NULL),
                  arena_copy(in->a, account_local(in->session->account)));
    node_add(in->a, query, "password", NULL);
    in_result(in, query);
}

static void on_changed(void *ctx, enum rc rc, const struct why *why)
{
    struct incoming *in = ctx;
    if (rc == RC_OK)
        in_result(in, NULL);
    else
        answer_failure(in, rc, why);
    in_done(in);
}

static void change(struct incoming *in, const struct jid *own, const struct submitted *form)
{
    struct slice local;
    if (!form->has_username || !form->has_password)
        in_error(in, COND_BAD_REQUEST, "a user name and a password are needed"); /* XEP-0077 3.3 */
    else if (jid_prepare_local(in->a, form->username, &local, NULL) != RC_OK || !slice_eq(local, own->local))
        in_error(in, COND_NOT_ALLOWED, "only one's own account");
    else if (!form->password.len)
        in_error(in, COND_NOT_ACCEPTABLE, "the password is empty");
    else {
        in_hold(in);
        users_password(in->sm, own, form->password, on_changed, in);
    }
}

static void with_account(struct incoming *in)
{
    struct account *account = in->session->account;
    struct submitted form;
    struct jid own;
    if (in->st.has_to && in->to == TO_DOMAIN && !slice_eq(in->st.to.domain, account_domain(account))) {
        in_error(in, COND_NOT_ALLOWED, "only with one's own domain");
        return;
    }
    if (in->st.type == IQ_GET) {
        send_registered(in);
        return;
    }
    read_fields(in, &form);
    if (jid_parse(in->a, arena_copy(in->a, account_bare(account)), &own, NULL) != RC_OK) {
        in_error(in, COND_INTERNAL_SERVER_ERROR, NULL);
    } else if (!form.remove) {
        change(in, &own, &form);
    } else if (node_children(in->st.payload) > 1) {
        in_error(in, COND_BAD_REQUEST, "remove stands alone"); /* XEP-0077 3.2 */
    } else {
        in_hold(in);
        account_remove(in->sm, &own, on_changed, in);
    }
}

static enum handled on_register(struct incoming *in)
{
    if (!in->session)
        return PASS;
    if (in->session->account)
        with_account(in);
    else
        before_login(in);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET | ON_IQ_SET, NS_REGISTER, "query", TO_BEFORE_LOGIN | TO_DOMAIN | TO_OWN_ACCOUNT,
      on_register },
    { 0 },
};
static const char *const features[] = { NS_REGISTER, NULL };
const struct module mod_register = {
    .name = "register",
    .spec = "XEP-0077 2.4",
    .features = features,
    .handlers = handlers,
};
