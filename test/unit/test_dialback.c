/* test/unit/test_dialback.c - s2s/dialback.c: keys, elements, and what is none (XEP-0220, XEP-0185) */
#include "s2s/dialback.h"

#include "common/base/secret.h"
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
    f->xml = xmlin_pool_new(NS_SERVER, f->arenas);
    f->a = arena_new(4096, 0);
    *state = f;
    return secret_init(NULL) == RC_OK ? 0 : -1;
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

static const struct node *parse(struct fixture *f, struct slice text)
{
    static const struct xmlin_limits limits = { 65536, 8, 64, 32 };
    struct node *n = NULL;
    struct why why = { "" };
    if (xmlin_parse(f->xml, f->a, text, &limits, &n, &why) != RC_OK)
        fail_msg("%s: " SLICE_FMT, why.text, SLICE_ARG(text));
    return n;
}

/* "result from='a' to='b'" → the element. */
static const struct node *element(struct fixture *f, const char *name, const char *attributes,
                                  const char *inside)
{
    return parse(f, arena_fmt(f->a, "<db:%s xmlns:db='" NS_DIALBACK "' %s>%s</db:%s>", name, attributes,
                              inside, name));
}

#define FROM_TO "from='a.example' to='b.example' "

static void the_key_is_that_of_the_specification(void **state) /* XEP-0185 2 */
{
    struct fixture *f = *state;
    struct slice key = dialback_key(f->a, SLICE("s3cr3tf0rd14lb4ck"), SLICE("xmpp.example.com"),
                                    SLICE("example.org"), SLICE("D60000229F"));
    assert_true(slice_is(key, "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643"));
    assert_int_equal(key.len, DIALBACK_KEY_HEX);
}

static void
a_key_serves_for_one_pair_and_stream(void **state) /* PEERS 30: for another pair, for another stream */
{
    struct fixture *f = *state;
    struct slice s = SLICE("secret"), r = SLICE("r.example"), o = SLICE("o.example"), id = SLICE("id-1");
    struct slice key = dialback_key(f->a, s, r, o, id);
    assert_true(dialback_key_ok(f->a, s, r, o, id, key));
    assert_false(dialback_key_ok(f->a, s, r, o, SLICE("id-2"), key));
    assert_false(dialback_key_ok(f->a, s, o, r, id, key));
    assert_false(dialback_key_ok(f->a, s, SLICE("x.example"), o, id, key));
    assert_false(dialback_key_ok(f->a, s, r, SLICE("x.example"), id, key));
    assert_false(dialback_key_ok(f->a, SLICE("other"), r, o, id, key));
    assert_false(dialback_key_ok(f->a, s, r, o, id, slice_to(key, 63)));
    assert_false(dialback_key_ok(f->a, s, r, o, id, SLICE_NONE));
    assert_false(dialback_key_ok(f->a, s, r, o, id, arena_join(f->a, key, SLICE(" "))));
    /* The parts cannot be shifted into each other: names hold no space. */
    assert_false(dialback_key_ok(f->a, s, SLICE("r.example o.example"), SLICE("id-1"), SLICE_NONE, key));
}

static void requests_are_read(void **state)
{
    struct fixture *f = *state;
    struct dialback d;
    bool addressing = true;
    const struct node *n =
        element(f, "result", "from='A.Example.' to='b.example' id='not ours'", "\n  1e701f  \n");
    assert_int_equal(dialback_read(f->a, n, &d, &addressing, NULL), RC_OK);
    assert_int_equal(d.kind, DIALBACK_RESULT);
    assert_int_equal(d.type, DIALBACK_REQUEST);
    assert_true(slice_is(d.from, "a.example"));
    assert_true(slice_is(d.to, "b.example"));
    assert_true(slice_is(d.key, "1e701f"));
    assert_int_equal(d.id.len, 0);
    assert_false(addressing);
    n = element(f, "verify", FROM_TO "id='417GAF25'",
                "38b501ec606752318f72ad53de17ac6d15f86257485b0f5d5932271b7ad5beab");
    assert_int_equal(dialback_read(f->a, n, &d, NULL, NULL), RC_OK);
    assert_int_equal(d.kind, DIALBACK_VERIFY);
    assert_true(slice_is(d.id, "417GAF25"));
    assert_int_equal(d.key.len, 64);
}

static void answers_are_read(void **state)
{
    struct fixture *f = *state;
    struct dialback d;
    assert_int_equal(
        dialback_read(f->a, element(f, "result", FROM_TO "type='valid'", "ignored"), &d, NULL, NULL), RC_OK);
    assert_int_equal(d.type, DIALBACK_VALID);
    assert_int_equal(d.key.len, 0);
    assert_int_equal(
        dialback_read(f->a, element(f, "verify", FROM_TO "id='7' type='invalid'", ""), &d, NULL, NULL),
        RC_OK);
    assert_int_equal(d.type, DIALBACK_INVALID);
    const struct node *n = element(f, "result", FROM_TO "type='error'",
                                   "<error type='cancel'><item-not-found xmlns='" NS_STANZA_ERROR "'/>"
                                   "<text xmlns='" NS_STANZA_ERROR "'>who?</text></error>");
    assert_int_equal(dialback_read(f->a, n, &d, NULL, NULL), RC_OK);
    assert_int_equal(d.type, DIALBACK_ERROR);
    assert_true(slice_is(d.error, "item-not-found"));
    assert_true(slice_is(d.text, "who?"));
    assert_int_equal(dialback_read(f->a, element(f, "result", FROM_TO "type='error'", ""), &d, NULL, NULL),
                     RC_OK);
    assert_true(slice_is(d.error, "undefined-condition"));
}

static void what_is_malformed_is_refused(void **state)
{
    static const struct {
        const char *name, *attributes, *inside;
        enum rc rc;
        bool addressing;
    } cases[] = {
        { "result", "from='a.example'", "k", RC_SYNTAX, true },
        { "result", "to='a.example'", "k", RC_SYNTAX, true },
        { "result", "from='' to='b.example'", "k", RC_SYNTAX, true },
        { "result", "from='u@a.example' to='b.example'", "k", RC_SYNTAX, true },
        { "result", "from='a.example/r' to='b.example'", "k", RC_SYNTAX, true },
        { "result", "from='a.example b.example' to='b.example'", "k", RC_SYNTAX, true },
        { "result", "from='-a.example' to='b.example'", "k", RC_SYNTAX, true },
        { "result", FROM_TO, "", RC_SYNTAX, false },
        { "result", FROM_TO, " \n ", RC_SYNTAX, false },
        { "result", FROM_TO "type=''", "k", RC_SYNTAX, false },
        { "result", FROM_TO "type='VALID'", "k", RC_SYNTAX, false },
        { "verify", FROM_TO, "k", RC_SYNTAX, false },
        { "verify", FROM_TO "id=''", "k", RC_SYNTAX, false },
        { "verify", FROM_TO "type='valid'", "", RC_SYNTAX, false },
        { "other", FROM_TO, "k", RC_UNSUPPORTED, false },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dialback d = { .from = SLICE("untouched") };
        struct why why = { "" };
        bool addressing = false;
        const struct node *n = element(f, cases[i].name, cases[i].attributes, cases[i].inside);
        enum rc rc = dialback_read(f->a, n, &d, &addressing, &why);
        if (rc != cases[i].rc || addressing != cases[i].addressing || !slice_is(d.from, "untouched"))
            fail_msg("%s %s: %s %d", cases[i].name, cases[i].attributes, rc_name(rc), addressing);
        assert_true(rc == RC_UNSUPPORTED || why.text[0]);
    }
    assert_int_equal(dialback_read(f->a,
                                   parse(f, SLICE("<result from='a.example' to='b.example'>k</result>")),
                                   &(struct dialback){ 0 }, NULL, NULL),
                     RC_UNSUPPORTED);
}

static void long_keys_and_ids_are_refused(void **state)
{
    struct fixture *f = *state;
    char long_text[DIALBACK_KEY_MAX + 2];
    struct dialback d;
    memset(long_text, 'k', sizeof long_text);
    long_text[DIALBACK_KEY_MAX + 1] = '\0';
    const char *id = arena_cstr(f->a, arena_fmt(f->a, FROM_TO "id='%s'", long_text));
    assert_int_equal(dialback_read(f->a, element(f, "result", FROM_TO, long_text), &d, NULL, NULL), RC_LIMIT);
    assert_int_equal(dialback_read(f->a, element(f, "verify", id, "k"), &d, NULL, NULL), RC_LIMIT);
    long_text[DIALBACK_KEY_MAX] = '\0';
    assert_int_equal(dialback_read(f->a, element(f, "result", FROM_TO, long_text), &d, NULL, NULL), RC_OK);
}

static void what_is_written_reads_the_same(void **state)
{
    static const struct dialback cases[] = {
        { DIALBACK_RESULT,
          DIALBACK_REQUEST,
          SLICE_INIT("a.example"),
          SLICE_INIT("b.example"),
          { 0 },
          SLICE_INIT("<&'\"k"),
          { 0 },
          { 0 } },
        { DIALBACK_VERIFY,
          DIALBACK_REQUEST,
          SLICE_INIT("a.example"),
          SLICE_INIT("b.example"),
          SLICE_INIT("i'd"),
          SLICE_INIT("k"),
          { 0 },
          { 0 } },
        { DIALBACK_VERIFY,
          DIALBACK_VALID,
          SLICE_INIT("a.example"),
          SLICE_INIT("b.example"),
          SLICE_INIT("id"),
          { 0 },
          { 0 },
          { 0 } },
        { DIALBACK_RESULT,
          DIALBACK_INVALID,
          SLICE_INIT("a.example"),
          SLICE_INIT("b.example"),
          { 0 },
          { 0 },
          { 0 },
          { 0 } },
        { DIALBACK_RESULT,
          DIALBACK_ERROR,
          SLICE_INIT("a.example"),
          SLICE_INIT("b.example"),
          { 0 },
          { 0 },
          SLICE_INIT("remote-server-timeout"),
          SLICE_INIT("it's <slow>") },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT(0);
        const struct dialback *c = &cases[i];
        struct dialback d;
        dialback_write(&out, c);
        assert_int_equal(dialback_read(f->a, parse(f, buf_get(&out)), &d, NULL, NULL), RC_OK);
        assert_true(d.kind == c->kind && d.type == c->type && slice_eq(d.from, c->from) &&
                    slice_eq(d.to, c->to));
        assert_true(slice_eq(d.id, c->id) && slice_eq(d.key, c->key));
        assert_true(slice_eq(d.error, c->error) && slice_eq(d.text, c->text));
        buf_fini(&out);
    }
}

static void the_bytes_are_those_of_the_specification(void **state) /* XEP-0220 2.1, 2.4.2 */
{
    struct buf out = BUF_INIT(0);
    struct dialback ask = { .kind = DIALBACK_VERIFY,
                            .from = SLICE("r.example"),
                            .to = SLICE("o.example"),
                            .id = SLICE("x"),
                            .key = SLICE("k") };
    struct dialback answer = dialback_answer(&ask, DIALBACK_ERROR, "item-not-found");
    (void)state;
    dialback_write(&out, &ask);
    assert_true(slice_is(buf_get(&out),
                         "<db:verify xmlns:db='jabber:server:dialback' from='r.example' to='o.example' "
                         "id='x'>k</db:verify>"));
    buf_reset(&out);
    dialback_write(&out, &answer);
    assert_true(slice_is(buf_get(&out),
                         "<db:verify xmlns:db='jabber:server:dialback' from='o.example' to='r.example' "
                         "id='x' type='error'><error type='cancel'><item-not-found "
                         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>"));
    buf_fini(&out);
}

static void the_feature_is_told_and_seen(void **state) /* XEP-0220 2.4.1 */
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT(0);
    bool errors = false;
    BUF_LIT(&out, "<features xmlns='" NS_STREAM "'>");
    dialback_feature_write(&out);
    BUF_LIT(&out, "</features>");
    assert_true(dialback_feature_read(parse(f, buf_get(&out)), &errors));
    assert_true(errors);
    assert_true(
        dialback_feature_read(parse(f, SLICE("<features xmlns='" NS_STREAM
                                             "'><dialback xmlns='" NS_DIALBACK_FEATURE "'/></features>")),
                              &errors));
    assert_false(errors);
    assert_false(dialback_feature_read(parse(f, SLICE("<features xmlns='" NS_STREAM "'/>")), &errors));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_key_is_that_of_the_specification, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_serves_for_one_pair_and_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_malformed_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(long_keys_and_ids_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_reads_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bytes_are_those_of_the_specification, setup, teardown),
        cmocka_unit_test_setup_teardown(the_feature_is_told_and_seen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
