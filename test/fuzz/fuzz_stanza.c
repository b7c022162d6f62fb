/* test/fuzz/fuzz_stanza.c - an element is classified and answered, its forms, times and capabilities are read
 *
 * Whatever comes, the answers are stanzas that we read ourselves. */
#include "common/xmpp/caps.h"
#include "common/xmpp/delay.h"
#include "common/xmpp/form.h"
#include "common/xmpp/stanza.h"
#include "common/xmpp/stream.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 16, .depth = 64, .elements = 1000, .attrs = 128
};

static void check_answer(struct arena *a, struct node *answer)
{
    struct stanza s;
    enum stanza_cond cond;
    if (!answer)
        return;
    enum rc rc = stanza_read(a, answer, &s, &cond);
    if (rc == RC_UNSUPPORTED || (rc == RC_SYNTAX && cond == COND_JID_MALFORMED))
        abort();
    struct buf b = BUF_INIT(0);
    xmlout_node(&b, answer, NS_CLIENT);
    buf_fini(&b);
}

static void check_stanza(struct arena *a, struct node *n)
{
    struct stanza s;
    enum stanza_cond cond = COND_GONE;
    enum rc rc = stanza_read(a, n, &s, &cond);
    if (rc == RC_UNSUPPORTED)
        return;
    check_answer(a, stanza_error(a, &s, rc == RC_OK ? COND_SERVICE_UNAVAILABLE : cond, "text"));
    if (rc == RC_OK && s.kind == STANZA_IQ)
        check_answer(a, stanza_reply(a, &s));
    if (rc == RC_OK)
        check_answer(a, stanza_bounce(a, n, COND_REMOTE_SERVER_NOT_FOUND, NULL));
}

static void check_content(struct arena *a, struct node *n)
{
    struct slice ver, value;
    struct node *at = NULL;
    int64_t ms, again;
    struct stream_header h;
    enum stream_cond cond;
    (void)!caps_ver(a, n, &ver);
    while (form_next_value(a, form_of(n), "a", &at, &value))
        ;
    if (time_read(node_attr(n, "stamp"), &ms) == RC_OK &&
        (time_read(time_write(a, ms), &again) != RC_OK || ms != again))
        abort();
    (void)!stream_header_read(a, n, NS_CLIENT, &h, &cond);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    if (xmlin_parse(pool, a, slice_of((const char *)data, size), &limits, &n, NULL) == RC_OK) {
        check_content(a, n);
        for (struct node *c = node_child(n); c; c = node_sibling(c))
            check_content(a, c);
        check_stanza(a, n);
    }
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return 0;
}
