/* test/bench/way_ws.c - XMPP over WebSocket (RFC 7395, RFC 6455); see gen.h
 *
 * Each client_send is a message. The mask is 0, so that masking costs the generator nothing; the server has
 * to unmask all the same. */
#include "gen.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10, FIN = 0x80, MASKED = 0x80 };

size_t http_head(const char *p, size_t n, unsigned *status, size_t *length)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    *status = 0;
    *length = 0;
    if (!end)
        return 0;
    for (const char *line = p; line < end;) {
        const char *next = memmem(line, (size_t)(end - line) + 2, "\r\n", 2);
        if (line == p && end - p > 12 && memcmp(p, "HTTP/1.1 ", 9) == 0)
            *status = (unsigned)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
        if (next - line > 15 && strncasecmp(line, "content-length:", 15) == 0) {
            for (const char *d = line + 15; d < next; d++)
                if (*d >= '0' && *d <= '9')
                    *length = *length * 10 + (size_t)(*d - '0');
        }
        line = next + 2;
    }
    return (size_t)(end - p) + 4;
}

size_t stanza_name(const char *p, size_t n)
{
    static const char *const names[] = { "<message", "<presence", "<iq" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        if (n > len && memcmp(p, names[i], len) == 0)
            return len;
    }
    return 0;
}

static void ready(struct wire *w)
{
    char text[1024];
    struct client *c = w->c;
    int n = snprintf(text, sizeof(text),
                     "GET /ws HTTP/1.1\r\nHost: %s:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
                     "Sec-WebSocket-Protocol: xmpp\r\n\r\n",
                     gen_domain(c->g, c->account), (unsigned)gen_port(c->g, c->account));
    c->state = CLIENT_UPGRADE;
    bytes_add(&w->out, text, (size_t)n);
    client_dirty(c);
}

static void frame_head(struct wire *w, unsigned op, size_t n)
{
    char head[14] = { (char)(FIN | op) };
    size_t at = 2;
    if (n < 126) {
        head[1] = (char)(MASKED | n);
    } else {
        bool wide = n > UINT16_MAX;
        head[1] = (char)(MASKED | (wide ? 127 : 126));
        for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8)
            head[at++] = (char)((uint64_t)n >> shift & 0xff);
    }
    bytes_add(&w->out, head, at + 4); /* the mask: 0 */
    client_dirty(w->c);
}

static void frame(struct wire *w, unsigned op, const char *p, size_t n)
{
    frame_head(w, op, n);
    bytes_add(&w->out, p, n);
}

/* RFC 7395 3.3.3: nothing is declared around a message. */
static void send(struct client *c, const char *p, size_t n)
{
    struct wire *w = &c->wires[0];
    size_t name = stanza_name(p, n), more = name ? sizeof(STANZA_NS) - 1 : 0;
    frame_head(w, OP_TEXT, n + more);
    bytes_add(&w->out, p, name);
    bytes_add(&w->out, STANZA_NS, more);
    bytes_add(&w->out, p + name, n - name);
}

static void header(struct client *c)
{
    c->in_stream = true; /* <open/> is an element */
    client_printf(c,
                  "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='%s' version='1.0' xml:lang='en'/>",
                  gen_domain(c->g, c->account));
}

static void leave(struct client *c, bool presence)
{
    if (presence)
        client_printf(c, "<presence type='unavailable'/>");
    client_printf(c, "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
}

static size_t upgrade(struct client *c, const char *p, size_t n)
{
    unsigned status;
    size_t length, head = http_head(p, n, &status, &length);
    if (head && status == 101)
        client_header(c);
    else if (head)
        client_close(c, "the WebSocket is refused");
    return head;
}

static void take(struct client *c, unsigned op, const char *p, size_t n)
{
    size_t used;
    bool leaving = c->state == CLIENT_LEAVING;
    if (op == OP_PING)
        frame(&c->wires[0], OP_PONG, p, n);
    else if (op == OP_CLOSE || (n > 6 && memcmp(p, "<close", 6) == 0))
        client_close(c, leaving ? NULL : "stream closed by the server");
    else if (op == OP_TEXT)
        client_elements(c, p, n, &used);
}

static void input(struct wire *w, const char *p, size_t n, size_t *used)
{
    struct client *c = w->c;
    size_t i = c->state == CLIENT_UPGRADE ? upgrade(c, p, n) : 0;
    while (n - i >= 2 && c->state != CLIENT_FREE && c->state != CLIENT_UPGRADE) {
        const unsigned char *f = (const unsigned char *)p + i;
        size_t head = 2, len = f[1];
        unsigned wide = len == 127 ? 8 : len == 126 ? 2 : 0;
        if (n - i < head + wide)
            break;
        if (wide)
            len = 0;
        for (unsigned k = 0; k < wide; k++)
            len = len << 8 | f[head++];
        if (n - i < head || n - i - head < len)
            break;
        take(c, f[0] & 15, p + i + head, len);
        i += head + len;
    }
    *used = i;
}

const struct way way_ws = {
    .ready = ready, .header = header, .send = send, .leave = leave, .input = input, .alpn = "http/1.1"
};
