/* test/fuzz/fuzz_s2sin.c - the bytes of another server on a stream that it has opened to us
 *
 * The first byte says how far the stream is: nothing, header sent, a domain proven, with stream management.
 * Whatever comes then, no stanza is passed on but from a domain that was proven to one of ours. Link and DNS
 * are played; the connection is a real one. */
#include "test/unit/s2s_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER                                                                                               \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "                  \
    "xmlns:db='" NS_DIALBACK "' from='far.example' to='im.example' version='1.0'>"
#define RESULT "<db:result from='far.example' to='im.example'>key</db:result>"
#define ENABLE "<enable xmlns='" NS_SM "' resume='true'/>"

static void give(struct wire *wire, struct slice bytes)
{
    if (!wire->over)
        wire_conn_ops.on_input(wire, bytes);
}

static void prove(struct world *w, struct wire *wire)
{
    const struct pair *p = pair_find(&w->d, SLICE("im.example"), SLICE("far.example"));
    struct verify *v =
        p && !list_empty(&p->verifies) ? CONTAINER(p->verifies.next, struct verify, link) : NULL;
    if (!v || v->in != wire)
        abort();
    in_verified(v, p, DIALBACK_VALID, NULL, NULL);
    verify_free(&v);
    w->link.open = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (!size || secret_init(NULL) != RC_OK || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return 0;
    struct world *w = mem_new(sizeof *w);
    make(w, "[policy]\nrequire_tls = no\n");
    struct conn *conn = conn_adopt(w->run.loop, fds[0], true, &w->d.conn_conf, NULL);
    in_accept(&w->d, conn, false);
    struct wire *wire = CONTAINER(w->d.wires.next, struct wire, link);
    unsigned far = data[0] % 4;
    if (far >= 1)
        give(wire, SLICE(HEADER));
    if (far >= 2) {
        give(wire, SLICE(RESULT));
        prove(w, wire);
    }
    if (far >= 3)
        give(wire, SLICE(ENABLE));
    give(wire, slice_of((const char *)data + 1, size - 1));
    drop(w);
    close(fds[1]);
    mem_free(w);
    return 0;
}
