/* test/unit/test_restauth.c */
#include "httpgw/restauth.h"
#include "common/base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

static enum rc basic(struct arena *a, struct slice pair, struct restauth *out)
{
    return restauth_read(a, arena_join(a, SLICE("Basic "), base64_encode(a, pair)), SLICE("im.example"), out);
}

static void a_password_becomes_a_message_of_plain(void **state)
{
    struct restauth who;
    assert_int_equal(basic(*state, SLICE("Romeo:pass:word "), &who), RC_OK);
    assert_true(slice_is(jid_bare(&who.user), "romeo@im.example"));
    assert_string_equal(who.mechanism, "PLAIN");
    assert_true(slice_eq(who.initial, SLICE("\0romeo\0pass:word ")));
    assert_int_equal(basic(*state, SLICE("romeo@b.example:x"), &who), RC_OK);
    assert_true(slice_is(jid_bare(&who.user), "romeo@b.example"));
    assert_true(slice_eq(who.initial, SLICE("\0romeo\0x")));
    assert_int_equal(restauth_read(*state, SLICE("  bAsIc \t YTpi "), SLICE("im.example"), &who), RC_OK);
}

static void what_is_no_pair_is_refused(void **state)
{
    struct restauth who;
    static const struct slice bad[] = {
        SLICE_INIT(""),         SLICE_INIT(":"),           SLICE_INIT("romeo"),      SLICE_INIT("romeo:"),
        SLICE_INIT(":x"),       SLICE_INIT("ro\0meo:x"),   SLICE_INIT("romeo:x\0y"), SLICE_INIT("romeo:\xff"),
        SLICE_INIT("ro meo:x"), SLICE_INIT("romeo@b/r:x"), SLICE_INIT("@b:x"),       SLICE_INIT("romeo@:x"),
        SLICE_INIT("a@b@c:x"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(basic(*state, bad[i], &who), RC_SYNTAX);
    assert_int_equal(restauth_read(*state, SLICE("Basic cm9tZW86eA"), SLICE("im.example"), &who),
                     RC_SYNTAX); /* no padding */
    assert_int_equal(restauth_read(*state, SLICE("Basic"), SLICE("im.example"), &who), RC_SYNTAX);
    assert_int_equal(restauth_read(*state, SLICE("Digest x"), SLICE("im.example"), &who), RC_SYNTAX);
    assert_int_equal(restauth_read(*state, SLICE("Bearer"), SLICE("im.example"), &who), RC_SYNTAX);
    assert_int_equal(restauth_read(*state, SLICE("Bearer x"), SLICE("im.example"), &who), RC_SYNTAX);
    assert_int_equal(restauth_read(*state, SLICE(" "), SLICE("im.example"), &who), RC_NOTFOUND);
    assert_int_equal(restauth_read(*state, SLICE_NONE, SLICE("im.example"), &who), RC_NOTFOUND);
}

static void a_name_without_a_domain_needs_one(void **state)
{
    struct restauth who;
    assert_int_equal(restauth_read(*state, SLICE("Basic YTpi"), SLICE_NONE, &who), RC_SYNTAX);
}

static void the_secret_is_wiped(void **state)
{
    struct restauth who;
    assert_int_equal(basic(*state, SLICE("romeo:secret"), &who), RC_OK);
    const char *at = who.initial.p;
    size_t len = who.initial.len;
    restauth_wipe(&who);
    restauth_wipe(&who);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(at[i], 0);
    assert_int_equal(who.initial.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_password_becomes_a_message_of_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_pair_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_without_a_domain_needs_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_secret_is_wiped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
