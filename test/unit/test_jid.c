/* test/unit/test_jid.c */
#include "common/xmpp/jid.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

static void gives(void **state, const char *text, const char *full)
{
    struct jid j;
    struct why why = { "" };
    enum rc rc = jid_parse(*state, slice_cstr(text), &j, &why);
    if (rc != RC_OK)
        print_error("%s: %s\n", text, why.text);
    assert_int_equal(rc, RC_OK);
    assert_string_equal(arena_cstr(*state, j.full), full);
    assert_int_equal(j.bare_len, j.domain.len + (j.local.len ? j.local.len + 1 : 0));
}

static void refuses(void **state, struct slice text, enum rc expected)
{
    struct jid j = { .bare_len = 77 };
    struct why why = { "" };
    enum rc rc = jid_parse(*state, text, &j, &why);
    if (rc != expected)
        print_error(SLICE_FMT "\n", SLICE_ARG(text));
    assert_int_equal(rc, expected);
    assert_int_equal(j.bare_len, 77);
    assert_true(why.text[0]);
}

static void the_examples_of_the_rfc_hold(void **state) /* RFC 7622 3.5 */
{
    gives(state, "juliet@example.com", "juliet@example.com");
    gives(state, "juliet@example.com/foo", "juliet@example.com/foo");
    gives(state, "juliet@example.com/foo bar", "juliet@example.com/foo bar");
    gives(state, "juliet@example.com/foo@bar", "juliet@example.com/foo@bar");
    gives(state, "foo\\20bar@example.com", "foo\\20bar@example.com");
    gives(state, "fussball@example.com", "fussball@example.com");
    gives(state, "fu\u00DFball@example.com", "fu\u00DFball@example.com");
    gives(state, "\u03C0@example.com", "\u03C0@example.com");
    gives(state, "\u03A3@example.com/foo", "\u03C3@example.com/foo");
    gives(state, "\u03C2@example.com/foo", "\u03C2@example.com/foo");
    gives(state, "king@example.com/\u265A", "king@example.com/\u265A");
    gives(state, "example.com", "example.com");
    gives(state, "example.com/foobar", "example.com/foobar");
    gives(state, "a.example.com/b@example.net", "a.example.com/b@example.net");
    static const char *const bad[] = { "\"juliet\"@example.com",
                                       "foo bar@example.com",
                                       "@example.com/",
                                       "henry\u2163@example.com",
                                       "\u265A@example.com",
                                       "juliet@",
                                       "/foobar",
                                       "@x",
                                       "@x/y",
                                       "x/",
                                       "a@x/",
                                       "",
                                       "@",
                                       "/",
                                       "o\uFB03ce@x",
                                       "a\u034Fb@x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(state, slice_cstr(bad[i]), RC_SYNTAX);
}

static void every_excluded_character_is_refused(void **state) /* RFC 7622 3.3.1 */
{
    for (unsigned c = 0; c < 256; c++) {
        char text[] = "x?x";
        text[1] = (char)c;
        bool excluded = c <= 0x20 || c >= 0x7F || strchr("\"&'/:<>@", (int)c);
        struct slice out;
        struct jid j;
        assert_int_equal(jid_prepare_local(*state, slice_of(text, 3), &out, NULL),
                         excluded ? RC_SYNTAX : RC_OK);
        char resource[] = "example.com/x?";
        resource[13] = (char)c;
        bool allowed = c >= 0x20 && c < 0x7F;
        assert_int_equal(jid_parse(*state, slice_of(resource, 14), &j, NULL), allowed ? RC_OK : RC_SYNTAX);
    }
    refuses(state, SLICE("a\0b@example.com"), RC_SYNTAX);
    refuses(state, SLICE("a@exam\0ple.com"), RC_SYNTAX);
}

static void parts_are_mapped(void **state)
{
    gives(state, "JULIET@EXAMPLE.Com./Balcony", "juliet@example.com/Balcony");
    gives(state, "\uFF21b@example.com", "ab@example.com");
    gives(state, "e\u0301@example.com/e\u0301", "\u00E9@example.com/\u00E9");
    gives(state, "a@example.com/x\u00A0y\u3000z", "a@example.com/x y z");
    gives(state, "a@example.com/\uFF21", "a@example.com/\uFF21");
    refuses(state, SLICE("a\uFF20b@example.com"), RC_SYNTAX);
    refuses(state, SLICE("a\uFF0Fb@example.com"), RC_SYNTAX);
}

static void domains_are_idna2008(void **state)
{
    gives(state, "M\u00DCNCHEN.de", "m\u00FCnchen.de");
    gives(state, "a@xn--mnchen-3ya.de", "a@m\u00FCnchen.de");
    gives(state, "a@XN--MNCHEN-3YA.DE", "a@m\u00FCnchen.de");
    gives(state, "fa\u00DF.de", "fa\u00DF.de");
    gives(state, "\u4F8B\u3048.jp", "\u4F8B\u3048.jp");
    gives(state, "127.0.0.1", "127.0.0.1");
    gives(state, "[::1]/x", "[::1]/x");
    gives(state, "a@[2001:DB8:0::1]", "a@[2001:db8::1]");
    static const char *const bad[] = { "-a.de",      "a-.de",     "a..de",      ".de",      ".",
                                       "a_b.de",     "ab--c.de",  "\u2603.net", "xn--a.de", "[::1",
                                       "[]",         "[::g]",     "[1.2.3.4]",  "a b",      "a:5222",
                                       "\u05D0a.de", "a\u200D.de" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(state, slice_cstr(bad[i]), RC_SYNTAX);
    struct buf label = BUF_INIT(0);
    for (int i = 0; i < 64; i++)
        buf_byte(&label, 'x');
    refuses(state, buf_get(&label), RC_SYNTAX);
    buf_fini(&label);
}

static void contexts_and_directions_are_checked(void **state) /* RFC 5892 A, RFC 5893 2 */
{
    gives(state, "l\u00B7l@x", "l\u00B7l@x");
    refuses(state, SLICE("a\u00B7l@x"), RC_SYNTAX);
    gives(state, "\u0915\u094D\u200D\u0937@x", "\u0915\u094D\u200D\u0937@x");
    refuses(state, SLICE("a\u200Db@x"), RC_SYNTAX);
    refuses(state, SLICE("a\u200Cb@x"), RC_SYNTAX);
    gives(state, "\u0628\u200C\u0628@x", "\u0628\u200C\u0628@x");
    gives(state, "\u30A2\u30FB@x", "\u30A2\u30FB@x");
    refuses(state, SLICE("a\u30FB@x"), RC_SYNTAX);
    gives(state, "\u0627\u0661@x", "\u0627\u0661@x");
    refuses(state, SLICE("\u0627\u0661\u06F1@x"), RC_SYNTAX);
    gives(state, "\u05D0\u05D1\u05F3@x", "\u05D0\u05D1\u05F3@x");
    refuses(state, SLICE("a\u05F3@x"), RC_SYNTAX);
    refuses(state, SLICE("\u05D0a@x"), RC_SYNTAX);
    refuses(state, SLICE("a\u05D0@x"), RC_SYNTAX);
    gives(state, "x/\u05D0a", "x/\u05D0a");
    refuses(state, SLICE("a\u0378@x"), RC_SYNTAX);
    refuses(state, SLICE("a\uFDD0@x"), RC_SYNTAX);
    refuses(state, SLICE("a@x/\u200B"), RC_SYNTAX);
}

static void a_part_may_have_1023_bytes(void **state)
{
    for (size_t len = 1022; len < 1025; len++) {
        struct jid j;
        struct buf b = BUF_INIT(0);
        enum rc expected = len > 1023 ? RC_LIMIT : RC_OK;
        for (size_t i = 0; i < len; i++)
            buf_byte(&b, 'a');
        BUF_LIT(&b, "@x");
        assert_int_equal(jid_parse(*state, buf_get(&b), &j, NULL), expected);
        buf_reset(&b);
        BUF_LIT(&b, "x/");
        for (size_t i = 0; i < len; i++)
            buf_byte(&b, 'a');
        assert_int_equal(jid_parse(*state, buf_get(&b), &j, NULL), expected);
        buf_reset(&b);
        for (size_t i = 0; i < len; i++)
            buf_byte(&b, i % 32 == 31 && i + 1 < len ? '.' : 'a');
        assert_int_equal(jid_parse(*state, buf_get(&b), &j, NULL), expected);
        buf_fini(&b);
    }
}

static void prepared_text_is_not_copied(void **state)
{
    struct slice text = SLICE("romeo@example.net/orchard");
    struct jid j;
    assert_int_equal(jid_parse(*state, text, &j, NULL), RC_OK);
    assert_ptr_equal(j.full.p, text.p);
    assert_true(slice_is(jid_bare(&j), "romeo@example.net"));
    assert_true(slice_is(j.local, "romeo") && slice_is(j.domain, "example.net") &&
                slice_is(j.resource, "orchard"));
}

static void parts_are_put_together_again(void **state)
{
    struct jid j, k;
    assert_int_equal(jid_make(*state, SLICE("Romeo"), SLICE("Example.NET"), SLICE_NONE, &j, NULL), RC_OK);
    assert_true(slice_is(j.full, "romeo@example.net"));
    k = jid_with_resource(*state, &j, SLICE("orchard"));
    assert_true(slice_is(k.full, "romeo@example.net/orchard") && slice_is(k.resource, "orchard"));
    assert_true(jid_bare_eq(&j, &k) && !jid_eq(&j, &k));
    struct jid bare = jid_to_bare(&k);
    assert_true(jid_eq(&bare, &j) && bare.resource.len == 0);
    struct jid copy = jid_copy(*state, &k);
    assert_true(jid_eq(&copy, &k) && copy.full.p != k.full.p && copy.resource.p == copy.full.p + 18);
    assert_int_equal(jid_make(*state, SLICE_NONE, SLICE("x"), SLICE("r"), &j, NULL), RC_OK);
    assert_true(slice_is(j.full, "x/r") && j.bare_len == 1);
    assert_int_equal(jid_make(*state, SLICE("a@b"), SLICE("x"), SLICE_NONE, &j, NULL), RC_SYNTAX);
    assert_int_equal(jid_make(*state, SLICE_NONE, SLICE_NONE, SLICE_NONE, &j, NULL), RC_SYNTAX);
}

static void passwords_are_opaque_strings(void **state) /* RFC 8265 4.3 */
{
    struct slice out;
    assert_int_equal(jid_prepare_password(*state, SLICE("correct horse battery staple"), &out, NULL), RC_OK);
    assert_true(slice_is(out, "correct horse battery staple"));
    assert_int_equal(jid_prepare_password(*state, SLICE("Correct Horse Battery Staple"), &out, NULL), RC_OK);
    assert_true(slice_is(out, "Correct Horse Battery Staple"));
    assert_int_equal(jid_prepare_password(*state, SLICE("\u03C0\u00DF\u00E5"), &out, NULL), RC_OK);
    assert_int_equal(jid_prepare_password(*state, SLICE("Jack of \u2666s"), &out, NULL), RC_OK);
    assert_int_equal(jid_prepare_password(*state, SLICE("foo\u1680bar"), &out, NULL), RC_OK);
    assert_true(slice_is(out, "foo bar"));
    assert_int_equal(jid_prepare_password(*state, SLICE(""), &out, NULL), RC_SYNTAX);
    assert_int_equal(jid_prepare_password(*state, SLICE("my cat is a \tby"), &out, NULL), RC_SYNTAX);
    assert_int_equal(jid_prepare_password(*state, SLICE("\xFF"), &out, NULL), RC_SYNTAX);
}

static void domains_are_spelt_for_dns(void **state) /* RFC 5890 2.3.2.1 */
{
    static const struct {
        const char *domain, *ascii;
    } good[] = { { "example.net", "example.net" },
                 { "localhost", "localhost" },
                 { "b\u00FCcher.example", "xn--bcher-kva.example" },
                 { "stra\u00DFe.example", "xn--strae-oqa.example" } };
    static const char *const bad[] = {
        "192.0.2.1", "[2001:db8::1]", "",
        "a123456789b123456789c123456789d123456789e123456789f123456789abcde.example"
    };
    char name[300];
    struct slice out;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(jid_domain_ascii(*state, slice_cstr(good[i].domain), &out, NULL), RC_OK);
        assert_true(slice_is(out, good[i].ascii));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(jid_domain_ascii(*state, slice_cstr(bad[i]), &out, NULL), RC_SYNTAX);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_int_equal(jid_domain_ascii(*state, slice_of(name, 253), &out, NULL), RC_OK);
    assert_int_not_equal(jid_domain_ascii(*state, slice_of(name, 255), &out, NULL), RC_OK);
}

static void the_domain_is_found_in_a_text(void **state)
{
    (void)state;
    assert_true(slice_is(jid_domain_in(SLICE("romeo@im.example")), "im.example"));
    assert_true(slice_is(jid_domain_in(SLICE("im.example")), "im.example"));
    assert_true(slice_is(jid_domain_in(SLICE("romeo@im.example/balcony")), "im.example"));
    assert_true(slice_is(jid_domain_in(SLICE("romeo@im.example/a@b.example/c")), "im.example"));
    assert_true(slice_is(jid_domain_in(SLICE("im.example/a@b.example")), "im.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_examples_of_the_rfc_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(every_excluded_character_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(domains_are_idna2008, setup, teardown),
        cmocka_unit_test_setup_teardown(domains_are_spelt_for_dns, setup, teardown),
        cmocka_unit_test(the_domain_is_found_in_a_text),
        cmocka_unit_test_setup_teardown(contexts_and_directions_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_may_have_1023_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(prepared_text_is_not_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_put_together_again, setup, teardown),
        cmocka_unit_test_setup_teardown(passwords_are_opaque_strings, setup, teardown),
    };
    return cmocka_run_group_tests_name("jid", tests, NULL, NULL);
}
