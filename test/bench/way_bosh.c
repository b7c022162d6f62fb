/* test/bench/way_bosh.c - XMPP over BOSH (XEP-0124, XEP-0206); see gen.h
 *
 * As a browser does it: what is sent in a turn is one request, one request is always held by the server, a
 * second connection is opened when something is to be said meanwhile and stays until the server closes it. */
#include "gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTPBIND "http://jabber.org/protocol/httpbind"
#define XBOSH    "urn:xmpp:xbosh"

struct bosh {
    uint64_t rid;
    char sid[128]; /* "": there is no session yet */
    struct bytes payload;
    bool restart, ends;
};

static void ready(struct wire *w)
{
    struct client *c = w->c;
    if (c->state == CLIENT_CONNECT) {
        c->bosh = gen_alloc(1, sizeof(*c->bosh));
        c->bosh->rid = 1000 + c->account;
        client_header(c);
    }
    client_dirty(c);
}

static void header(struct client *c)
{
    c->bosh->restart = true;
    client_dirty(c);
}

static void send(struct client *c, const char *p, size_t n)
{
    struct bytes *to = &c->bosh->payload;
    size_t name = stanza_name(p, n); /* XEP-0206 3 */
    bytes_add(to, p, name);
    bytes_add(to, STANZA_NS, name ? sizeof(STANZA_NS) - 1 : 0);
    bytes_add(to, p + name, n - name);
}

static void leave(struct client *c, bool presence)
{
    c->bosh->ends = true;
    if (presence)
        client_printf(c, "<presence type='unavailable'/>");
    client_dirty(c);
}

static void request(struct client *c, struct wire *w)
{
    struct bosh *b = c->bosh;
    const char *domain = gen_domain(c->g, c->account);
    char tag[512], head[768];
    int n = snprintf(tag, sizeof(tag), "<body xmlns='" HTTPBIND "' rid='%llu'", (unsigned long long)b->rid++);
    size_t at = (size_t)n;
    if (b->sid[0])
        n = snprintf(tag + at, sizeof(tag) - at, " sid='%s'%s", b->sid, b->ends ? " type='terminate'" : "");
    else
        n = snprintf(tag + at, sizeof(tag) - at,
                     " wait='60' hold='1' ver='1.11' content='text/xml; charset=utf-8' xmpp:version='1.0'");
    at += (size_t)n;
    if (b->restart)
        n = snprintf(tag + at, sizeof(tag) - at, " to='%s' xml:lang='en'%s xmlns:xmpp='" XBOSH "'", domain,
                     b->sid[0] ? " xmpp:restart='true'" : "");
    at += b->restart ? (size_t)n : 0;
    tag[at++] = '>';
    n = snprintf(head, sizeof(head),
                 "POST /http-bind HTTP/1.1\r\nHost: %s:%u\r\n"
                 "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
                 "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
                 "Content-Type: text/xml; charset=utf-8\r\nOrigin: http://%s\r\nConnection: keep-alive\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 domain, (unsigned)gen_port(c->g, c->account), domain, at + b->payload.len + 7);
    bytes_add(&w->out, head, (size_t)n);
    bytes_add(&w->out, tag, at);
    bytes_add(&w->out, b->payload.p, b->payload.len);
    bytes_add(&w->out, "</body>", 7);
    bytes_clear(&b->payload);
    b->restart = false;
    w->asked = true;
}

static void flush(struct client *c)
{
    struct bosh *b = c->bosh;
    unsigned busy = 0;
    struct wire *w = NULL;
    if (!b)
        return;
    for (unsigned k = WIRES; k-- > 0;) {
        busy += c->wires[k].asked;
        if (!c->wires[k].asked)
            w = &c->wires[k];
    }
    bool speaks = b->payload.len || b->restart || (b->ends && c->state == CLIENT_LEAVING);
    if (!w || (busy && (!speaks || !b->sid[0])))
        return;
    if (w->state == WIRE_OPEN) {
        request(c, w);
        if (b->ends)
            b->ends = false; /* it is said once */
    } else if (w->state == WIRE_CLOSED && conn_open(w) < 0) {
        client_close(c, "cannot connect");
    }
}

static void take_body(struct client *c, const char *p, size_t n)
{
    struct element body;
    size_t len, used;
    if (scan_next(p, n, false, &body) != SCAN_HEADER || !element_is(&body, "body")) {
        client_close(c, "an answer that is no body");
        return;
    }
    const char *sid = element_attr(&body, "sid", &len);
    if (sid && !c->bosh->sid[0] && len < sizeof(c->bosh->sid))
        memcpy(c->bosh->sid, sid, len);
    bool ends = element_attr_is(&body, "type", "terminate");
    c->in_stream = true;
    size_t i = body.head;
    if (n >= i + 7) /* without the end tag */
        client_elements(c, p + i, n - i - 7, &used);
    if (ends && c->state != CLIENT_FREE)
        client_close(c, c->state == CLIENT_LEAVING ? NULL : "the session is ended by the server");
    if (c->state != CLIENT_FREE)
        client_dirty(c);
}

static void input(struct wire *w, const char *p, size_t n, size_t *used)
{
    struct client *c = w->c;
    size_t i = 0;
    while (i < n && c->state != CLIENT_FREE) {
        unsigned status;
        size_t length, head = http_head(p + i, n - i, &status, &length);
        if (!head || n - i - head < length)
            break;
        if (status != 200 || !w->asked) {
            client_close(c, "not the answer of a BOSH server");
            break;
        }
        w->asked = false;
        take_body(c, p + i + head, length);
        i += head + length;
    }
    *used = i;
}

static bool lost(struct wire *w)
{
    return w->asked || w->c->state == CLIENT_CONNECT;
}

static void gone(struct client *c)
{
    if (c->bosh)
        free(c->bosh->payload.p);
    free(c->bosh);
    c->bosh = NULL;
}

const struct way way_bosh = { .ready = ready,
                              .header = header,
                              .send = send,
                              .leave = leave,
                              .input = input,
                              .flush = flush,
                              .lost = lost,
                              .gone = gone,
                              .alpn = "http/1.1" };
