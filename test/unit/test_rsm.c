/* test/unit/test_rsm.c */
#include "common/xmpp/rsm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "common/xmpp/forward.h"
#include "test/unit/xmltree.h"

#define SET(inner) "<query xmlns='urn:xmpp:mam:2'><set xmlns='" NS_RSM "'>" inner "</set></query>"

static enum rc read_set(void **state, const char *xml, struct rsm *r)
{
    memset(r, 0xff, sizeof *r);
    return rsm_read(*state, tree(*state, xml), r);
}

static void what_is_asked_for_is_read(void **state)
{
    struct rsm r;
    assert_int_equal(read_set(state, "<query/>", &r), RC_OK);
    assert_false(r.has_max || r.has_after || r.has_before || r.has_index);
    assert_int_equal(read_set(state, SET("<max>10</max><after>a b</after>"), &r), RC_OK);
    assert_true(r.has_max && r.max == 10 && r.has_after && slice_is(r.after, "a b") && !r.has_before);
    assert_int_equal(read_set(state, SET("<max> 0\n</max><before/>"), &r), RC_OK);
    assert_true(r.has_max && r.max == 0 && r.has_before && r.before.len == 0);
    assert_int_equal(read_set(state, SET("<index>371</index><before>x</before>"), &r), RC_OK);
    assert_true(!r.has_max && r.has_index && r.index == 371 && slice_is(r.before, "x"));
}

static void an_empty_after_is_the_beginning(void **state)
{
    struct rsm r;
    assert_int_equal(read_set(state, SET("<after/>"), &r), RC_OK);
    assert_false(r.has_after);
}

static void numbers_of_any_size_are_numbers(void **state)
{
    struct rsm r;
    assert_int_equal(read_set(state, SET("<max>9223372036854775808</max>"), &r), RC_OK);
    assert_true(r.max == 9223372036854775808u);
    assert_int_equal(read_set(state, SET("<max>99999999999999999999999999</max>"), &r), RC_OK);
    assert_true(r.has_max && r.max == UINT64_MAX);
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const bad[] = {
        SET("<max>-1</max>"),
        SET("<max/>"),
        SET("<max>1e3</max>"),
        SET("<max>0x1</max>"),
        SET("<max>1 2</max>"),
        SET("<index>-1</index>"),
        SET("<index/>"),
        SET("<max>1</max><max>2</max>"),
        SET("<after>1</after><after>2</after>"),
        SET("<before/><before/>"),
        SET("<index>1</index><index>1</index>"),
        "<query><set xmlns='" NS_RSM "'/><set xmlns='" NS_RSM "'/></query>",
    };
    struct rsm r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_set(state, bad[i], &r), RC_SYNTAX);
        assert_false(r.has_max || r.has_after || r.has_before || r.has_index);
    }
}

static void a_page_is_told(void **state)
{
    struct node *n = node_new(*state, "q", NS_RSM);
    rsm_add(*state, n, &(struct rsm_page){ SLICE("f"), SLICE("l"), true, true, 0, 20 });
    rsm_add(*state, n, &(struct rsm_page){ SLICE("f"), SLICE("l"), false, false, 0, 0 });
    rsm_add(*state, n, &(struct rsm_page){ .has_index = true, .has_count = true, .count = 7 });
    assert_string_equal(written(*state, n),
                        "<q xmlns='" NS_RSM
                        "'><set><first index='0'>f</first><last>l</last><count>20</count></set>"
                        "<set><first>f</first><last>l</last></set><set><count>7</count></set></q>");
}

static void a_forwarded_stanza_keeps_its_namespace(void **state) /* XEP-0297 2.3 */
{
    struct node *n = node_new(*state, "result", NS_MAM);
    forward_add(*state, n, 0, tree(*state, "<message xmlns='jabber:client'><body>x</body></message>"));
    assert_string_equal(written(*state, n),
                        "<result xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'>"
                        "<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00.000Z'/>"
                        "<message xmlns='jabber:client'><body>x</body></message></forwarded></result>");
    n = node_new(*state, "sent", NS_FORWARD);
    forward_add(*state, n, FORWARD_NO_DELAY, node_new(*state, "message", NS_CLIENT));
    assert_string_equal(written(*state, n), "<sent xmlns='urn:xmpp:forward:0'><forwarded>"
                                            "<message xmlns='jabber:client'/></forwarded></sent>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_asked_for_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_after_is_the_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_any_size_are_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_request_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forwarded_stanza_keeps_its_namespace, setup, teardown),
    };
    return cmocka_run_group_tests_name("rsm", tests, NULL, NULL);
}
