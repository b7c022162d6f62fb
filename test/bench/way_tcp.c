/* test/bench/way_tcp.c - XMPP over TCP, and the bare relay; see gen.h */
#include "gen.h"

#include <string.h>

static void header(struct client *c)
{
    c->in_stream = false;
    client_printf(
        c,
        "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xml:lang='en' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>",
        gen_domain(c->g, c->account));
}

static void ready(struct wire *w)
{
    struct client *c = w->c;
    if (c->g->opt.raw) { /* both ends of a pair give its number, the relay answers when it has both */
        c->state = CLIENT_PAIRING;
        client_printf(c, "PAIR %u\n", c->account / 2);
        return;
    }
    client_header(c);
}

static void send(struct client *c, const char *p, size_t n)
{
    bytes_add(&c->wires[0].out, p, n);
}

static void leave(struct client *c, bool presence)
{
    client_printf(c, "%s</stream:stream>", presence ? "<presence type='unavailable'/>" : "");
}

static size_t pairing(struct client *c, const char *p, size_t n)
{
    if (n < 3)
        return 0;
    if (memcmp(p, "OK\n", 3) != 0) {
        client_close(c, "not the relay");
        return 0;
    }
    c->in_stream = true;
    client_online(c);
    return 3;
}

static void input(struct wire *w, const char *p, size_t n, size_t *used)
{
    struct client *c = w->c;
    size_t i = 0, taken = 0;
    if (c->state == CLIENT_PAIRING)
        i = pairing(c, p, n);
    if (c->state != CLIENT_PAIRING)
        client_elements(c, p + i, n - i, &taken);
    *used = i + taken;
}

const struct way way_tcp = {
    .ready = ready, .header = header, .send = send, .leave = leave, .input = input, .alpn = "xmpp-client"
};
