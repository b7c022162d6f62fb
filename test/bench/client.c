/* test/bench/client.c - a client's way from the socket to online (RFC 6120 4 to 7, RFC 6121 2.2 and 4.2); see
 * gen.h
 *
 * The sequence is that of an ordinary client: features, STARTTLS, SASL, bind, roster, then initial presence.
 * Online means that the server has sent the client's own presence back (RFC 6121 4.2.2), so all that a login
 * costs lies before it. */
#include "gen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPLAINTS_MAX 10

void client_dirty(struct client *c)
{
    if (!c->dirty) {
        c->dirty = true;
        c->g->dirty[c->g->dirty_count++] = c;
    }
}

void client_send(struct client *c, const char *p, size_t n)
{
    if (c->state == CLIENT_FREE)
        return;
    c->g->way->send(c, p, n);
    client_dirty(c);
}

void client_printf(struct client *c, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n > 0 && n < (int)sizeof(text))
        client_send(c, text, (size_t)n);
    else
        client_close(c, "request too long");
}

void client_start(struct gen *g, unsigned slot, unsigned account)
{
    struct client *c = &g->clients[slot];
    bool dirty = c->dirty; /* may still be in the list of this turn */
    *c = (struct client){ .g = g, .slot = slot, .account = account, .state = CLIENT_CONNECT };
    for (unsigned k = 0; k < WIRES; k++)
        c->wires[k].c = c;
    c->dirty = dirty;
    c->began_ns = now_ns();
    g->open++;
    g->busy++;
    if (conn_open(&c->wires[0]) < 0)
        client_close(c, "cannot connect");
}

void client_close(struct client *c, const char *why)
{
    struct gen *g = c->g;
    enum client_state state = c->state;
    if (state == CLIENT_FREE)
        return;
    c->state = CLIENT_FREE;
    g->open--;
    if (state == CLIENT_ONLINE) {
        g->online--;
        g->dropped++;
    } else if (state != CLIENT_LEAVING) {
        g->busy--;
        g->failed += why != NULL;
    }
    if (why && g->complaints++ < COMPLAINTS_MAX)
        fprintf(stderr, "loadgen: %s%u (state %d): %s\n", g->opt.prefix, c->account, (int)state, why);
    for (unsigned k = 0; k < WIRES; k++)
        conn_free(&c->wires[k]);
    free(c->scram);
    c->scram = NULL;
    if (g->way->gone)
        g->way->gone(c);
    gen_moved(g);
    if (g->scene.on_closed)
        g->scene.on_closed(c);
}

void client_leave(struct client *c)
{
    if (c->state == CLIENT_ONLINE) {
        c->g->online--;
        c->state = CLIENT_LEAVING;
        if (c->g->opt.raw)
            client_close(c, NULL);
        else
            c->g->way->leave(c, c->authed);
    }
}

void client_header(struct client *c)
{
    c->state = CLIENT_FEATURES;
    c->g->way->header(c);
}

void client_online(struct client *c)
{
    struct gen *g = c->g;
    if (g->patience_ns && now_ns() - c->began_ns > g->patience_ns) {
        client_close(c, "a login that took too long");
        return;
    }
    c->state = CLIENT_ONLINE;
    g->busy--;
    g->online++;
    g->logins++;
    gen_moved(g);
    hist_add(g->login_ns, now_ns() - c->began_ns);
    if (g->scene.on_online)
        g->scene.on_online(c);
}

static void start_auth(struct client *c, const struct element *e)
{
    const struct options *o = &c->g->opt;
    char user[128], first[512];
    enum mech mech = o->mech;
    if (mech == MECH_AUTO)
        mech = element_find(e, ">SCRAM-SHA-256<") ? MECH_SCRAM256
               : element_find(e, ">SCRAM-SHA-1<") ? MECH_SCRAM1
                                                  : MECH_PLAIN;
    const char *name = mech == MECH_SCRAM256 ? "SCRAM-SHA-256"
                       : mech == MECH_SCRAM1 ? "SCRAM-SHA-1"
                                             : "PLAIN";
    c->scram = gen_alloc(1, sizeof(*c->scram));
    snprintf(user, sizeof(user), "%s%u", o->prefix, c->account);
    if (!scram_begin(c->scram, mech, user, o->password, first, sizeof(first))) {
        client_close(c, "SASL cannot be begun");
        return;
    }
    c->state = CLIENT_AUTH;
    client_printf(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%s'>%s</auth>", name, first);
}

static void send_register(struct client *c)
{
    c->state = CLIENT_REGISTER;
    client_printf(c,
                  "<iq type='set' id='r1' to='%s'><query xmlns='jabber:iq:register'><username>%s%u</username>"
                  "<password>%s</password></query></iq>",
                  gen_domain(c->g, c->account), c->g->opt.prefix, c->account, c->g->opt.password);
}

static void on_features(struct client *c, const struct element *e)
{
    if (c->g->opt.tls == TLS_START && !c->wires[0].tls) {
        if (!element_find(e, "urn:ietf:params:xml:ns:xmpp-tls")) {
            client_close(c, "STARTTLS is not offered");
            return;
        }
        c->state = CLIENT_STARTTLS;
        client_printf(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    } else if (c->authed) {
        c->state = CLIENT_BIND;
        client_printf(
            c,
            "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource>"
            "</bind></iq>",
            c->g->opt.resource);
    } else if (c->g->scene.registers) {
        send_register(c);
    } else {
        start_auth(c, e);
    }
}

static void on_proceed(struct client *c, const struct element *e)
{
    (void)e;
    if (conn_start_tls(&c->wires[0]) < 0)
        client_close(c, "TLS cannot be set up");
}

static void on_challenge(struct client *c, const struct element *e)
{
    char answer[1024];
    size_t len;
    const char *text = element_text(e, &len);
    if (!scram_step(c->scram, c->g->scram, c->account, c->g->opt.password, text, len, answer,
                    sizeof(answer))) {
        client_close(c, "a challenge that is not SCRAM");
        return;
    }
    client_printf(c, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</response>", answer);
}

static void on_success(struct client *c, const struct element *e)
{
    size_t len;
    const char *text = element_text(e, &len);
    if (!scram_done(c->scram, text, len)) {
        client_close(c, "the server's signature is wrong");
        return;
    }
    free(c->scram);
    c->scram = NULL;
    c->authed = true;
    client_header(c);
}

static void on_registered(struct client *c, const struct element *e)
{
    /* conflict: the account is there already, from an earlier run */
    if (!element_attr_is(e, "type", "result") && !element_find(e, "<conflict")) {
        fprintf(stderr, "%.*s\n", (int)e->len, e->p);
        client_close(c, "registration refused");
        return;
    }
    client_online(c);
    client_leave(c);
}

static void on_bound(struct client *c, const struct element *e)
{
    if (!element_attr_is(e, "id", "b1"))
        return;
    if (!element_attr_is(e, "type", "result")) {
        client_close(c, "bind refused");
        return;
    }
    c->state = CLIENT_ROSTER;
    client_printf(c, "<iq type='get' id='ro1'><query xmlns='jabber:iq:roster'/></iq>");
}

static void on_roster(struct client *c, const struct element *e)
{
    struct element item;
    if (!element_attr_is(e, "id", "ro1"))
        return;
    if (!element_attr_is(e, "type", "result")) {
        client_close(c, "roster refused");
        return;
    }
    for (const char *p = e->p; element_tag(e, p, "item", &item); p = item.p + item.len)
        c->both += element_attr_is(&item, "subscription", "both");
    if (c->g->scene.on_stanza)
        c->g->scene.on_stanza(c, e);
    c->state = CLIENT_PRESENCE;
    client_printf(c, "<presence/>");
}

/* Whether a JID, of which a part is given, is that of the client's account. */
static bool is_own(const struct client *c, const char *jid, size_t len)
{
    char own[256];
    int n =
        snprintf(own, sizeof(own), "%s%u@%s/", c->g->opt.prefix, c->account, gen_domain(c->g, c->account));
    return n > 0 && len > (size_t)n && memcmp(jid, own, (size_t)n) == 0;
}

static void on_presence(struct client *c, const struct element *e)
{
    size_t len;
    const char *from = element_attr(e, "from", &len);
    if (from && is_own(c, from, len) && !element_attr(e, "type", &len))
        client_online(c);
    else if (c->g->scene.on_stanza)
        c->g->scene.on_stanza(c, e);
}

static void on_other(struct client *c, const struct element *e)
{
    if (c->g->scene.on_stanza)
        c->g->scene.on_stanza(c, e);
}

/* Requests of the server: roster pushes are acknowledged, the rest politely refused (RFC 6120 8.2.3). */
static bool answered(struct client *c, const struct element *e)
{
    size_t id_len, from_len = 0;
    bool set = element_attr_is(e, "type", "set");
    if (!set && !element_attr_is(e, "type", "get"))
        return false;
    const char *id = element_attr(e, "id", &id_len), *from = element_attr(e, "from", &from_len);
    if (!id)
        return true;
    client_printf(
        c, "<iq type='%s' id='%.*s'%s%.*s%s%s", set ? "result" : "error", (int)id_len, id,
        from ? " to='" : "", (int)from_len, from ? from : "", from ? "'" : "",
        set ? "/>"
            : "><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
              "</error></iq>");
    return set ? false : true; /* scenes want to see pushes */
}

static const struct step {
    enum client_state state;
    const char *name;
    void (*run)(struct client *c, const struct element *e);
} steps[] = {
    { CLIENT_FEATURES, "features", on_features }, { CLIENT_STARTTLS, "proceed", on_proceed },
    { CLIENT_AUTH, "challenge", on_challenge },   { CLIENT_AUTH, "success", on_success },
    { CLIENT_REGISTER, "iq", on_registered },     { CLIENT_BIND, "iq", on_bound },
    { CLIENT_ROSTER, "iq", on_roster },           { CLIENT_PRESENCE, "presence", on_presence },
    { CLIENT_PRESENCE, "message", on_other },     { CLIENT_PRESENCE, "iq", on_other },
};

static void on_element(struct client *c, const struct element *e)
{
    if (c->state == CLIENT_ONLINE || c->state == CLIENT_LEAVING) {
        c->g->stanzas_in++;
        if (element_is(e, "iq") && answered(c, e))
            return;
        if (element_is(e, "error"))
            client_close(c, c->state == CLIENT_LEAVING ? NULL : "stream error");
        else if (c->g->scene.on_stanza)
            c->g->scene.on_stanza(c, e);
        return;
    }
    if (element_is(e, "failure") || element_is(e, "error")) {
        char text[256];
        snprintf(text, sizeof(text), "%.*s", (int)e->len, e->p);
        client_close(c, text);
        return;
    }
    if (c->authed && element_is(e, "iq") && answered(c, e))
        return;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].state == c->state && element_is(e, steps[i].name)) {
            steps[i].run(c, e);
            return;
        }
    }
}

void client_elements(struct client *c, const char *p, size_t n, size_t *used)
{
    size_t i = 0;
    while (i < n && c->state != CLIENT_FREE && c->wires[0].state != WIRE_HANDSHAKE) {
        struct element e;
        enum scan_kind kind = scan_next(p + i, n - i, c->in_stream, &e);
        if (kind == SCAN_MORE)
            break;
        if (kind == SCAN_BAD) {
            client_close(c, "not XML");
            return;
        }
        if (kind == SCAN_CLOSE) {
            client_close(c, c->state == CLIENT_LEAVING ? NULL : "stream closed by the server");
            return;
        }
        i += e.len;
        if (kind == SCAN_HEADER)
            c->in_stream = true;
        else if (kind == SCAN_ELEMENT)
            on_element(c, &e);
    }
    *used = i;
}
