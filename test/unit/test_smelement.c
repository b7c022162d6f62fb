/* test/unit/test_smelement.c - common/edge/smelement.c: what a client may write, and what is written to it
 * (XEP-0198) */
#include "common/edge/smelement.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct arena *a;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->arenas = arena_pool_new(4096, 0, 2);
    f->xml = xmlin_pool_new(NS_CLIENT, f->arenas);
    f->a = arena_new(4096, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(&f->a);
    xmlin_pool_free(&f->xml);
    arena_pool_free(&f->arenas);
    free(f);
    return 0;
}

static const struct node *element(struct fixture *f, const char *attributes)
{
    static const struct xmlin_limits limits = { 4096, 4, 16, 16 };
    struct node *n = NULL;
    struct slice text = arena_fmt(f->a, "<x xmlns='" NS_SM "' %s/>", attributes);
    assert_int_equal(xmlin_parse(f->xml, f->a, text, &limits, &n, NULL), RC_OK);
    return n;
}

static void enable_is_read(void **state)
{
    static const struct {
        const char *attributes;
        bool ok, resume;
        uint32_t max_s;
    } cases[] = {
        { "", true, false, 0 },
        { "resume='true'", true, true, 0 },
        { "resume='1' max='60'", true, true, 60 },
        { "resume='false' max='4294967296'", true, false, UINT32_MAX },
        { "resume='0' max='99999999999999999999999999'", true, false, UINT32_MAX },
        { "resume='TRUE'", false, false, 0 },
        { "max='0'", false, false, 0 },
        { "max=''", false, false, 0 },
        { "max='-1'", false, false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct control_sm_enable c = { 0 };
        enum rc rc = smelement_read_enable(element(*state, cases[i].attributes), &c);
        if ((rc == RC_OK) != cases[i].ok || c.resume != cases[i].resume || c.max_s != cases[i].max_s)
            fail_msg("%s: %d %d %u", cases[i].attributes, (int)rc, c.resume, (unsigned)c.max_s);
    }
}

static void counts_are_read(void **state)
{
    static const char *const bad[] = {
        "", "h=''", "h='-1'", "h='+1'", "h='4294967296'", "h='1.5'", "h='0x1'"
    };
    struct control_resume r;
    uint32_t h = 0;
    assert_int_equal(smelement_read_a(element(*state, "h='4294967295'"), &h), RC_OK);
    assert_true(h == UINT32_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(smelement_read_a(element(*state, bad[i]), &h), RC_SYNTAX);
    assert_int_equal(smelement_read_resume(element(*state, "previd='a&apos;b' h='0'"), &r), RC_OK);
    assert_true(slice_is(r.previd, "a'b") && r.h == 0);
    assert_int_equal(smelement_read_resume(element(*state, "previd='' h='0'"), &r), RC_SYNTAX);
    assert_int_equal(smelement_read_resume(element(*state, "previd='a'"), &r), RC_SYNTAX);
}

static void answers_are_written(void **state)
{
    struct buf b = BUF_INIT(0);
    const uint32_t h = UINT32_MAX;
    (void)state;
    smelement_write_enabled(&b, &(struct control_sm_enabled){ SLICE_NONE, 300 }, SLICE("c2s.example"));
    smelement_write_enabled(&b, &(struct control_sm_enabled){ SLICE("a'b"), 300 }, SLICE("[::1]:5222"));
    smelement_write_resumed(&b, &(struct control_resumed){ .previd = SLICE("<"), .in = h });
    smelement_write_failed(&b, COND_ITEM_NOT_FOUND, &h);
    smelement_write_failed(&b, COND_BAD_REQUEST, NULL);
    smelement_write_a(&b, 0);
    smelement_write_r(&b);
    smelement_write_too_high(&b, 10, 8);
    buf_byte(&b, '\0');
    assert_string_equal(
        b.p,
        "<enabled xmlns='urn:xmpp:sm:3'/>"
        "<enabled xmlns='urn:xmpp:sm:3' id='a&apos;b' resume='true' max='300' location='[::1]:5222'/>"
        "<resumed xmlns='urn:xmpp:sm:3' h='4294967295' previd='&lt;'/>"
        "<failed xmlns='urn:xmpp:sm:3' h='4294967295'><item-not-found xmlns='" NS_STANZA_ERROR "'/></failed>"
        "<failed xmlns='urn:xmpp:sm:3'><bad-request xmlns='" NS_STANZA_ERROR "'/></failed>"
        "<a xmlns='urn:xmpp:sm:3' h='0'/><r xmlns='urn:xmpp:sm:3'/>"
        "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(enable_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_are_read, setup, teardown),
        cmocka_unit_test(answers_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
