/* test/unit/test_bearer.c */
#include "common/xmpp/bearer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

static void first_messages_are_read(void **state) /* RFC 7628 3.1 */
{
    static const struct {
        struct slice message, authzid, token;
    } good[] = {
        { SLICE_INIT("n,,\x01"
                     "auth=Bearer abc\x01\x01"),
          SLICE_INIT(""), SLICE_INIT("abc") },
        { SLICE_INIT("n,a=user@example.com,\x01"
                     "host=server.example.com\x01port=143\x01"
                     "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"),
          SLICE_INIT("user@example.com"), SLICE_INIT("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==") },
        { SLICE_INIT("y,a=a=2Cb=3Dc,\x01"
                     "auth=bEARER  x \x01\x01"),
          SLICE_INIT("a,b=c"), SLICE_INIT("x") },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct bearer_first out;
        assert_int_equal(bearer_first_read(*state, good[i].message, &out), SASL_OK);
        assert_true(slice_eq(out.authzid, good[i].authzid));
        assert_true(slice_eq(out.token, good[i].token));
    }
}

static void first_messages_are_refused(void **state)
{
    static const struct slice bad[] = {
        SLICE_INIT(""),
        SLICE_INIT("\x01"),
        SLICE_INIT("\x01\x01"),
        SLICE_INIT("n,,"),
        SLICE_INIT("n,,\x01\x01"),
        SLICE_INIT("n,,\x01"
                   "auth=Bearer abc\x01"),
        SLICE_INIT("n,,\x01"
                   "auth=Bearer abc"),
        SLICE_INIT("n,,\x01"
                   "auth=Bearer \x01\x01"),
        SLICE_INIT("n,,\x01"
                   "auth=Basic abc\x01\x01"),
        SLICE_INIT("n,,\x01"
                   "auth=Bearer a\x01"
                   "auth=Bearer b\x01\x01"),
        SLICE_INIT("n,,\x01"
                   "auth=Bearer a\x01\x01"
                   "auth=Bearer b\x01\x01"),
        SLICE_INIT("n,,\x01=x\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,,\x01nothing\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,,x\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,a=,\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,a=b=2c,\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,b=c,\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,a=b\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("n,\x01"
                   "auth=Bearer a\x01\x01"),
        SLICE_INIT("p=tls-exporter,,\x01"
                   "auth=Bearer a\x01\x01"), /* no channel is bound */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bearer_first out;
        assert_int_equal(bearer_first_read(*state, bad[i], &out), SASL_MALFORMED_REQUEST);
    }
}

static void what_is_written_is_read(void **state)
{
    struct bearer_first out;
    assert_int_equal(bearer_first_read(*state, bearer_first_write(*state, SLICE("bh1.x.y")), &out), SASL_OK);
    assert_true(slice_is(out.token, "bh1.x.y") && !out.authzid.len);
}

static void a_token_is_its_owner_and_its_secret(void **state)
{
    struct bearer_token t, out;
    assert_int_equal(jid_parse(*state, SLICE("romeo@im.example"), &t.user, NULL), RC_OK);
    memset(t.secret, 0xa5, sizeof t.secret);
    struct slice text = bearer_token_write(*state, &t);
    assert_true(slice_is(text, "bh1.cm9tZW9AaW0uZXhhbXBsZQ.paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU"));
    assert_int_equal(bearer_token_read(*state, text, &out), RC_OK);
    assert_true(jid_eq(&out.user, &t.user));
    assert_memory_equal(out.secret, t.secret, sizeof t.secret);
}

#define SECRET ".paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU"
static void tokens_that_are_none(void **state)
{
    static const char *const bad[] = {
        "",
        "bh1.",
        "bh1..",
        "bh1.cm9tZW9AaW0uZXhhbXBsZQ",
        "bh2.cm9tZW9AaW0uZXhhbXBsZQ" SECRET,
        "bh1.cm9tZW9AaW0uZXhhbXBsZQ==" SECRET,
        "bh1.cm9tZW9AaW0uZXhhbXBsZQ" SECRET "A",
        "bh1.cm9tZW9AaW0uZXhhbXBsZQ.paWl",
        "bh1.cm9tZW9AaW0uZXhhbXBsZQ.paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaV", /* bits left over */
        "bh1.cm9tZW9AaW0uZXhhbXBsZQ" SECRET ".x",
        "bh1.cm9tZW9AaW0uZXhhbXBsZS94" SECRET, /* romeo@im.example/x */
        "bh1.aW0uZXhhbXBsZQ" SECRET,           /* im.example */
        "bh1.Uk9NRU9AaW0uZXhhbXBsZQ" SECRET,   /* ROMEO@im.example: two texts, one token */
        "bh1.QEA" SECRET,                      /* @@ */
    };
    struct bearer_token out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bearer_token_read(*state, slice_cstr(bad[i]), &out), RC_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_messages_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(first_messages_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_is_its_owner_and_its_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_that_are_none, setup, teardown),
    };
    return cmocka_run_group_tests_name("bearer", tests, NULL, NULL);
}
