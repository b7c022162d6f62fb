/* test/unit/test_pathfilter.c - path filters: what is one, what they find, who decides */
#include "sessman/pathfilter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__ })

/* The verdict of some filters on a message. */
static enum pathfilter_says says(struct arena *a, const char *const *texts, size_t n, const char *stanza)
{
    struct pathfilter *f;
    struct why why = { "" };
    if (pathfilter_new(texts, n, &f, &why) != RC_OK)
        fail_msg("%s", why.text);
    enum pathfilter_says got = pathfilter_match(f, tree(a, stanza));
    pathfilter_free(&f);
    assert_null(f);
    return got;
}

static enum pathfilter_says one(struct arena *a, const char *text, const char *stanza)
{
    return says(a, &text, 1, stanza);
}

static void an_element_is_found_by_its_path(void **state)
{
    static const char m[] = "<message xmlns='jabber:client'><body>b</body><x><y/></x></message>";
    assert_int_equal(one(*state, "/message/body", m), PATHFILTER_YES);
    assert_int_equal(one(*state, "+/message/body", m), PATHFILTER_YES);
    assert_int_equal(one(*state, "-/message/body", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message/x/y", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message/y", m), PATHFILTER_NOTHING);
    assert_int_equal(one(*state, "-/message/bod", m), PATHFILTER_NOTHING);
    assert_int_equal(one(*state, "-/message/body/x", m), PATHFILTER_NOTHING);
    assert_int_equal(pathfilter_match(NULL, tree(*state, m)), PATHFILTER_NOTHING);
}

static void a_namespace_narrows_and_a_star_widens(void **state)
{
    static const char m[] = "<message xmlns='jabber:client'><received xmlns='urn:xmpp:receipts'/>"
                            "<x xmlns='http://a.example/ns/1'><z xmlns='urn:z'/></x></message>";
    assert_int_equal(one(*state, "-/message/received[urn:xmpp:receipts]", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message/received[urn:xmpp:receipt]", m), PATHFILTER_NOTHING);
    assert_int_equal(one(*state, "-/message/received", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message/x[http://a.example/ns/1]/z", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message/*[urn:xmpp:receipts]", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/*/*/*", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/*/*/*/*", m), PATHFILTER_NOTHING);
    assert_int_equal(one(*state, "-/message[jabber:client]/x", m), PATHFILTER_NO);
    assert_int_equal(one(*state, "-/message[jabber:server]/x", m), PATHFILTER_NOTHING);
}

static void the_first_that_matches_decides(void **state)
{
    const char *const *list =
        TEXTS("-/message/do-not-store", "-/message/received[urn:xmpp:receipts]", "/message/body", "-/*");
    assert_int_equal(
        says(*state, list, 4, "<message xmlns='jabber:client'><body/><do-not-store xmlns='x'/></message>"),
        PATHFILTER_NO);
    assert_int_equal(says(*state, list, 4, "<message xmlns='jabber:client'><body/></message>"),
                     PATHFILTER_YES);
    assert_int_equal(says(*state, list, 3, "<message xmlns='jabber:client'><subject/></message>"),
                     PATHFILTER_NOTHING);
    assert_int_equal(says(*state, list, 4, "<message xmlns='jabber:client'><subject/></message>"),
                     PATHFILTER_NO);
}

static void what_is_no_path_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum rc rc;
        const char *why;
    } cases[] = {
        { "", RC_SYNTAX, "begins with /" },
        { "-", RC_SYNTAX, "begins with /" },
        { "message/body", RC_SYNTAX, "\"message/body\": a path begins with /" },
        { "--/message", RC_SYNTAX, "begins with /" },
        { "/", RC_SYNTAX, "name or * is expected" },
        { "-/message/", RC_SYNTAX, "name or * is expected" },
        { "-/message//body", RC_SYNTAX, "name or * is expected" },
        { "-/message/[urn:x]", RC_SYNTAX, "name or * is expected" },
        { "-/message/a[urn:x", RC_SYNTAX, "a [ without ]" },
        { "-/message/a[]", RC_SYNTAX, "empty namespace" },
        { "-/message/a[urn:x]b", RC_SYNTAX, "\"b\" where / or the end" },
        { "-/message/a]", RC_SYNTAX, "where / or the end" },
        { "-/message/a b", RC_SYNTAX, "where / or the end" },
        { "-/presence", RC_SYNTAX, "the first element is message" },
        { "-/message/b/c/d/e/f/g/h/i", RC_LIMIT, "more than 8 steps" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pathfilter *f;
        struct why why = { "" };
        enum rc rc = pathfilter_new(TEXTS("/message/fine", cases[i].text), 2, &f, &why);
        if (rc != cases[i].rc || f || !strstr(why.text, cases[i].why))
            fail_msg("%s gave %s: %s", cases[i].text, rc_name(rc), why.text);
    }
}

static void a_list_has_a_limit(void **state)
{
    const char *texts[PATHFILTERS_MAX + 1];
    struct pathfilter *f;
    (void)state;
    for (size_t i = 0; i <= PATHFILTERS_MAX; i++)
        texts[i] = "-/message/a/b/c/d/e/f/g";
    assert_int_equal(pathfilter_new(texts, PATHFILTERS_MAX + 1, &f, NULL), RC_LIMIT);
    assert_int_equal(pathfilter_new(texts, PATHFILTERS_MAX, &f, NULL), RC_OK);
    pathfilter_free(&f);
    assert_int_equal(pathfilter_new(NULL, 0, &f, NULL), RC_OK);
    assert_null(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_element_is_found_by_its_path, setup, teardown),
        cmocka_unit_test_setup_teardown(a_namespace_narrows_and_a_star_widens, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_that_matches_decides, setup, teardown),
        cmocka_unit_test(what_is_no_path_is_refused),
        cmocka_unit_test(a_list_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
