/* test/unit/test_conf.c - option tables */
#include "common/daemon/conf.h"

#include "common/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

struct values {
    bool on;
    uint32_t count, time_ms;
    size_t bytes;
    char *text;
    int word;
    struct conf_list list;
    char log[256]; /* what the named sections said */
};

static const struct option options[] = {
    OPTION_BOOL("main", "on", struct values, on, "yes", RELOAD),
    OPTION_UINT("main", "count", struct values, count, "20k", "1", "1m", RESTART),
    OPTION_TIME("main", "time", struct values, time_ms, "30s", "100ms", "7d", RELOAD),
    OPTION_BYTES("limits", "bytes", struct values, bytes, "256k", "10000", "1g", RELOAD),
    OPTION_STRING("limits", "text", struct values, text, "", RELOAD),
    OPTION_ENUM("limits", "word", struct values, word, "optional", "required|optional|never", RELOAD),
    OPTION_LIST("limits", "list", struct values, list, "a, b", RELOAD),
};

static void note(struct values *v, const char *what, const char *name, const char *rest)
{
    size_t len = strlen(v->log);
    snprintf(v->log + len, sizeof v->log - len, "%s %s%s;", what, name, rest);
}

static enum rc begin(void *conf, const char *name, struct why *why)
{
    if (strcmp(name, "refused") == 0) {
        why_set(why, "not this one");
        return RC_DENIED;
    }
    note(conf, "begin", name, "");
    return RC_OK;
}

static enum rc set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    char rest[64];
    (void)why;
    snprintf(rest, sizeof rest, " %s=%s", option, value);
    note(conf, "set", name, rest);
    return RC_OK;
}

static void clear(void *conf)
{
    ((struct values *)conf)->log[0] = '\0';
}

static const char *const component_options[] = { "secret", "names", NULL };
static const struct conf_named named[] = { { "component", component_options, begin, set },
                                           { NULL, NULL, NULL, NULL } };
static enum rc check(const struct option *o, const void *conf, struct why *why)
{
    const struct conf_list *list = &((const struct values *)conf)->list;
    if (o->offset != offsetof(struct values, list) || list->n < 4)
        return RC_OK;
    why_set(why, "four are too many");
    return RC_LIMIT;
}

static const struct conf_table table = { options, sizeof options / sizeof *options,
                                         named,   sizeof(struct values),
                                         clear,   check };

static void defaults_hold(void **state)
{
    (void)state;
    struct values v = { 0 };
    assert_int_equal(conf_read(&table, NULL, true, &v, NULL), RC_OK);
    assert_true(v.on);
    assert_int_equal(v.count, 20000);
    assert_int_equal(v.time_ms, 30000);
    assert_int_equal(v.bytes, 256 * 1024);
    assert_null(v.text);
    assert_int_equal(v.word, 1);
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.items[1], "b");
    conf_clear(&table, &v);
    assert_null(v.list.items);
}

static void values_are_read(void **state)
{
    (void)state;
    struct values v = { 0 };
    struct why why = { "" };
    static const char text[] =
        "# comment\n; another\n\n[main]\n  on = off\ncount=5\ntime = 100ms ; at the end\n"
        "[limits]\r\nbytes = 2m\r\ntext = a value; with = signs \nword = Required\n"
        "list = x\nlist = y , z\n[main]\n[component echo.example.net]\nsecret = s3\nnames = a b\n"
        "[component empty]\n";
    if (conf_read_text(&table, slice_cstr(text), &v, &why) != RC_OK)
        fail_msg("%s", why.text);
    assert_false(v.on);
    assert_int_equal(v.count, 5);
    assert_int_equal(v.time_ms, 100);
    assert_int_equal(v.bytes, 2 << 20);
    assert_string_equal(v.text, "a value; with = signs");
    assert_int_equal(v.word, 0);
    assert_int_equal(v.list.n, 3);
    assert_string_equal(v.list.items[2], "z");
    assert_string_equal(v.log, "begin echo.example.net;set echo.example.net secret=s3;"
                               "set echo.example.net names=a b;begin empty;");
    conf_clear(&table, &v);
    assert_string_equal(v.log, "");
}

static void long_section_names_are_whole(void **state)
{
    (void)state;
    struct values v = { 0 };
    assert_int_equal(
        conf_read_text(
            &table, SLICE("[component a-name-that-is-longer-than-forty-nine-bytes.example.net]\nsecret=x\n"),
            &v, NULL),
        RC_OK);
    assert_non_null(strstr(v.log, "a-name-that-is-longer-than-forty-nine-bytes.example.net secret"));
    conf_clear(&table, &v);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rc rc;
        const char *says;
    } cases[] = {
        { "[main]\nonn = yes\n", RC_NOTFOUND, "text:2: [main] has no option onn" },
        { "[mian]\n", RC_NOTFOUND, "text:1: no section [mian]" },
        { "[main]\nbytes = 1m\n", RC_NOTFOUND, "[main] has no option bytes" },
        { "on = yes\n", RC_NOTFOUND, "has no option on" },
        { "[main]\n\non = maybe\n", RC_SYNTAX, "text:3: [main] on: \"maybe\" is not yes or no" },
        { "[main]\ncount = 0\n", RC_LIMIT, "not within 1 and 1m" },
        { "[main]\ncount = 2m\n", RC_LIMIT, "not within" },
        { "[main]\ncount = 99999999999\n", RC_LIMIT, "" },
        { "[main]\ncount = 99999999999999999999999\n", RC_LIMIT, "" },
        { "[main]\ncount = -1\n", RC_SYNTAX, "" },
        { "[main]\ncount = \n", RC_SYNTAX, "" },
        { "[main]\ntime = 30\n", RC_SYNTAX, "not a time" },
        { "[main]\ntime = 30x\n", RC_SYNTAX, "" },
        { "[main]\ntime = 8d\n", RC_LIMIT, "" },
        { "[limits]\nword = sometimes\n", RC_SYNTAX, "required|optional|never" },
        { "[main]\non = yes\non = no\n", RC_EXISTS, "text:3: [main] on is given twice" },
        { "[main]\nwords without sense\n", RC_SYNTAX, "text:2" },
        { "[main\non = yes\n", RC_SYNTAX, "text:1" },
        { "[component x]\nsecrets = 1\n", RC_NOTFOUND, "[component x] has no option secrets" },
        { "[component refused]\n", RC_DENIED, "not this one" },
        { "[component]\n", RC_NOTFOUND, "no section [component]" },
        { "[unknown x]\n", RC_NOTFOUND, "no section [unknown x]" },
        { "[limits]\nlist = a\nlist = b, c, d\n", RC_LIMIT, "text:3: [limits] list: four are too many" },
        { "[limits]\ntext = \xff\n", RC_SYNTAX, "UTF-8" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values v = { 0 };
        struct why why = { "" };
        enum rc rc = conf_read_text(&table, slice_cstr(cases[i].text), &v, &why);
        if (rc != cases[i].rc || !strstr(why.text, cases[i].says))
            fail_msg("%s gave %s: %s", cases[i].text, rc_name(rc), why.text);
        assert_null(v.list.items); /* cleared */
    }
}

static void long_lines_are_refused(void **state)
{
    (void)state;
    struct values v = { 0 };
    char text[400];
    memset(text, 'x', sizeof text);
    memcpy(text, "[limits]\ntext = ", 16);
    assert_int_equal(conf_read_text(&table, slice_of(text, sizeof text), &v, NULL), RC_LIMIT);
    assert_int_equal(conf_read_text(&table, slice_of(text, 150), &v, NULL), RC_OK);
    conf_clear(&table, &v);
    text[100] = '\0';
    assert_int_equal(conf_read_text(&table, slice_of(text, 150), &v, NULL), RC_SYNTAX);
}

static void values_print_as_they_are_written(void **state)
{
    (void)state;
    static const char *const texts[] = { "off", "5", "90s", "2m", "some text", "never", "x, y" };
    static const char *const expect[] = { "no", "5", "90s", "2m", "some text", "never", "x, y" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct values v = { 0 }, copy = { 0 };
        char line[100], out[100];
        snprintf(line, sizeof line, "[%s]\n%s = %s\n", options[i].section, options[i].name, texts[i]);
        assert_int_equal(conf_read_text(&table, slice_cstr(line), &v, NULL), RC_OK);
        conf_value(&options[i], &v, out, sizeof out);
        assert_string_equal(out, expect[i]);
        assert_int_equal(conf_read(&table, NULL, false, &copy, NULL), RC_OK);
        conf_copy(&options[i], &v, &copy);
        conf_value(&options[i], &copy, out, sizeof out);
        assert_string_equal(out, expect[i]);
        conf_clear(&table, &v);
        conf_clear(&table, &copy);
    }
}

static void count_difference(void *ctx, const struct option *o)
{
    const struct option **last = ctx;
    assert_null(*last);
    *last = o;
}

static void differences_are_found(void **state)
{
    (void)state;
    struct values a = { 0 }, b = { 0 };
    const struct option *found = NULL;
    assert_int_equal(conf_read_text(&table, SLICE("[limits]\nlist = a\n"), &a, NULL), RC_OK);
    assert_int_equal(conf_read_text(&table, SLICE("[limits]\nlist = b\n"), &b, NULL), RC_OK);
    conf_compare(&table, &a, &a, count_difference, &found);
    assert_null(found);
    conf_compare(&table, &a, &b, count_difference, &found);
    assert_ptr_equal(found, &options[6]);
    conf_clear(&table, &a);
    conf_clear(&table, &b);
}

static void files(void **state)
{
    (void)state;
    struct values v = { 0 };
    struct why why = { "" };
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_conf.%d", (int)getpid());
    assert_int_equal(conf_read(&table, path, true, &v, &why), RC_NOTFOUND);
    assert_int_equal(conf_read(&table, path, false, &v, &why), RC_OK);
    conf_clear(&table, &v);
    FILE *f = fopen(path, "w");
    fputs("[main]\ncount = 7", f); /* no line break at the end */
    fclose(f);
    assert_int_equal(conf_read(&table, path, true, &v, &why), RC_OK);
    assert_int_equal(v.count, 7);
    conf_clear(&table, &v);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(long_section_names_are_whole),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(long_lines_are_refused),
        cmocka_unit_test(values_print_as_they_are_written),
        cmocka_unit_test(differences_are_found),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
