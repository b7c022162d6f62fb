/* test/unit/test_service.c - service.c in process: a host hands it stanzas and gets its answers */
#include "common/link/service.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct host {
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct service *service;
    struct service_def def;
    struct buf sent;
    unsigned calls; /* of handlers */
};

static void on_send(void *ctx, struct node *n)
{
    struct host *h = ctx;
    xmlout_node(&h->sent, n, NS_CLIENT);
}

static void on_message(struct service *s, struct arena *a, const struct stanza *st)
{
    struct host *h = service_ctx(s);
    h->calls++;
    service_send(s, service_answer(a, st));
}

static void on_weather(struct service *s, struct arena *a, const struct stanza *st)
{
    service_result(s, a, st, node_new(a, "rain", "urn:example:weather"));
}

static void on_other_set(struct service *s, struct arena *a, const struct stanza *st)
{
    service_error(s, a, st, COND_FORBIDDEN, "not you");
}

static const struct service_handler handlers[] = {
    { SERVICE_MESSAGE, NULL, NULL, on_message },
    { SERVICE_IQ_GET, "urn:example:weather", "ask", on_weather },
    { SERVICE_IQ_SET, NULL, NULL, on_other_set },
    { 0, NULL, NULL, NULL },
};
static const char *const features[] = { "urn:example:more", NULL };

static int run_group(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    h->def = (struct service_def){ "Weather", "automation", "rpc", features, handlers, h };
    h->arenas = arena_pool_new(4096, 0, 2);
    h->xml = xmlin_pool_new(NS_CLIENT, h->arenas);
    h->service = service_new(&h->def, SLICE("weather.example"), on_send, h);
    *state = h;
    return 0;
}

static int end_group(void **state)
{
    struct host *h = *state;
    service_free(&h->service);
    xmlin_pool_free(&h->xml);
    arena_pool_free(&h->arenas);
    buf_fini(&h->sent);
    free(h);
    return 0;
}

/* What the service says to stanza. */
static struct slice said(struct host *h, const char *stanza)
{
    static const struct xmlin_limits limits = { 10000, 10, 100, 20 };
    struct arena *a = arena_take(h->arenas);
    struct node *n = NULL;
    struct why why;
    buf_reset(&h->sent);
    assert_int_equal(xmlin_parse(h->xml, a, slice_cstr(stanza), &limits, &n, &why), RC_OK);
    service_take(h->service, a, n);
    arena_give(h->arenas, &a);
    return buf_get(&h->sent);
}

static void assert_said(struct host *h, const char *stanza, const char *answer)
{
    struct slice got = said(h, stanza);
    if (!slice_is(got, answer))
        fail_msg(SLICE_FMT "\ninstead of\n%s", SLICE_ARG(got), answer);
}

static void a_handler_gets_what_its_row_says(void **state)
{
    struct host *h = *state;
    assert_said(
        h, "<message from='a@b.example/c' to='x@weather.example' id='1' type='chat'><body>x</body></message>",
        "<message to='a@b.example/c' from='x@weather.example' id='1' type='chat'/>");
    assert_int_equal(h->calls, 1);
    assert_said(h,
                "<iq from='a@b.example/c' to='weather.example' id='2' type='get'><ask "
                "xmlns='urn:example:weather'/></iq>",
                "<iq to='a@b.example/c' from='weather.example' id='2' type='result'><rain "
                "xmlns='urn:example:weather'/></iq>");
}

static void what_no_row_takes_is_answered_all_the_same(void **state) /* RFC 6120 8.4 */
{
    struct host *h = *state;
    struct slice got =
        said(h, "<iq from='a@b.example' to='weather.example' id='3' type='get'><x xmlns='urn:x'/></iq>");
    assert_non_null(memmem(got.p, got.len, "<service-unavailable ", 21));
    got = said(h, "<iq from='a@b.example' to='weather.example' id='4' type='set'><x xmlns='urn:x'/></iq>");
    assert_non_null(memmem(got.p, got.len, "<forbidden ", 11));
    got = said(h, "<iq from='a@b.example' to='weather.example' id='5' type='get'/>");
    assert_non_null(memmem(got.p, got.len, "<bad-request ", 13));
    assert_said(
        h, "<iq from='a@b.example' to='weather.example' id='6' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='a@b.example' from='weather.example' id='6' type='result'/>");
}

static void answers_and_errors_are_not_answered(void **state) /* RFC 6120 8.3.1 */
{
    struct host *h = *state;
    assert_said(h, "<iq from='a@b.example' to='weather.example' id='7' type='result'/>", "");
    assert_said(h, "<iq from='a@b.example' to='weather.example' id='8' type='error'/>", "");
    assert_said(h, "<presence from='a@b.example' to='weather.example'/>", "");
}

static void the_table_is_what_is_discovered(void **state) /* XEP-0030 3 */
{
    static const char *const wanted[] = { "category='automation' type='rpc' name='Weather'",
                                          "var='urn:xmpp:ping'", "var='urn:example:weather'",
                                          "var='urn:example:more'" };
    struct host *h = *state;
    struct slice got = said(h, "<iq from='a@b.example' to='weather.example' id='9' type='get'>"
                               "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!memmem(got.p, got.len, wanted[i], strlen(wanted[i])))
            fail_msg("no %s in " SLICE_FMT, wanted[i], SLICE_ARG(got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_gets_what_its_row_says),
        cmocka_unit_test(what_no_row_takes_is_answered_all_the_same),
        cmocka_unit_test(answers_and_errors_are_not_answered),
        cmocka_unit_test(the_table_is_what_is_discovered),
    };
    return cmocka_run_group_tests(tests, run_group, end_group);
}
