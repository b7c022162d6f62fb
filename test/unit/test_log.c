/* test/unit/test_log.c */
#include "common/base/log.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The log of a test is a file in a directory of its own. */
struct place {
    char dir[64], path[96], text[65536];
    struct log *log;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->dir, "/tmp/bulkhead-test-log-XXXXXX");
    if (!p || !mkdtemp(p->dir))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/c2s.log", p->dir);
    struct log_conf conf = { .sink = LOG_FILE, .path = p->path, .rotate_bytes = 4000, .rotate_keep = 2 };
    *state = p;
    return log_open("c2s", &conf, &p->log, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct place *p = *state;
    char path[128];
    log_close(&p->log);
    unlink(p->path);
    for (int i = 1; i < 5; i++) {
        snprintf(path, sizeof path, "%s.%d", p->path, i);
        unlink(path);
    }
    int rc = rmdir(p->dir);
    free(p);
    return rc;
}

static const char *written(struct place *p, const char *suffix)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", p->path, suffix);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, p->text, sizeof p->text - 1);
    if (fd >= 0)
        close(fd);
    p->text[n > 0 ? n : 0] = '\0';
    return p->text;
}

/* What follows the time stamp of the first line. */
static const char *after_time(struct place *p)
{
    const char *text = written(p, "");
    assert_true(strlen(text) > 25);
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[19], '.');
    assert_int_equal(text[23], 'Z');
    return text + 25;
}

static void line_tells_who_what_and_the_fields(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_XMPP, .conn = 17, .ip = "192.0.2.7", .doing = "sasl" };
    LOG_INFO(&ctx, "auth_failed", F_STR("mech", "PLAIN"), F_UINT("tries", 2), F_INT("delta", -3),
             F_HEX("id", 0xabc));
    assert_string_equal(after_time(p),
                        "level=info daemon=c2s sub=xmpp conn=17 ip=192.0.2.7 doing=sasl ev=auth_failed"
                        " mech=PLAIN tries=2 delta=-3 id=abc\n");
}

static void peer_cannot_forge_a_line(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_AUTH };
    LOG_WARN(&ctx, "x", F_SLICE("user", SLICE("a\n2026 level=error \"\\\x7f\xff\xC2\x85\xC3\xA4")),
             F_STR("none", NULL));
    assert_string_equal(after_time(p),
                        "level=warn daemon=c2s sub=auth ev=x "
                        "user=\"a\\x0a2026 level=error \\\"\\\\\\x7f\\xff\\xc2\\x85\xC3\xA4\" none=\"\"\n");
}

static void long_values_are_cut_between_characters(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_AUTH };
    char text[600];
    memset(text, 'a', sizeof text);
    memcpy(text + 511, "\xC3\xA4", 2);
    LOG_WARN(&ctx, "x", F_SLICE("v", slice_of(text, sizeof text)));
    const char *value = strstr(after_time(p), "v=\"");
    assert_non_null(value);
    assert_int_equal(strspn(value + 3, "a"), 511);
    assert_string_equal(value + 3 + 511, "...\"\n");
}

static void levels_are_per_subsystem(void **state)
{
    struct place *p = *state;
    struct why why;
    assert_true(log_wants(p->log, LOG_NET, LOG_LEVEL_INFO));
    assert_false(log_wants(p->log, LOG_NET, LOG_LEVEL_DEBUG));
    assert_int_equal(log_levels_parse(p->log, SLICE("warn, tls=debug,net=error"), &why), RC_OK);
    assert_true(log_wants(p->log, LOG_TLS, LOG_LEVEL_DEBUG));
    assert_false(log_wants(p->log, LOG_NET, LOG_LEVEL_WARN));
    assert_false(log_wants(p->log, LOG_XMPP, LOG_LEVEL_INFO));
    assert_int_equal(log_levels_parse(p->log, SLICE("debug,nonsense=info"), &why), RC_SYNTAX);
    assert_non_null(strstr(why.text, "nonsense"));
    assert_int_equal(log_levels_parse(p->log, SLICE("loud"), &why), RC_SYNTAX);
    assert_false(log_wants(p->log, LOG_XMPP, LOG_LEVEL_INFO));
    assert_int_equal(log_levels_parse(p->log, SLICE("debug"), &why), RC_OK);
    assert_false(log_wants(p->log, LOG_WIRE, LOG_LEVEL_DEBUG)); /* only by its name */
    assert_false(log_wants(NULL, LOG_XMPP, LOG_LEVEL_ERROR));
    log_level_set(p->log, LOG_WIRE, LOG_LEVEL_DEBUG);
    assert_true(log_wants(p->log, LOG_WIRE, LOG_LEVEL_DEBUG));
}

static void file_is_rotated_by_size(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_NET };
    struct stat st;
    for (unsigned i = 0; i < 400; i++)
        LOG_INFO(&ctx, "x", F_UINT("n", i));
    assert_non_null(strstr(written(p, ""), " n=399\n"));
    assert_true(strlen(p->text) <= 4000);
    assert_true(strlen(written(p, ".1")) <= 4000 && strlen(p->text) > 3000);
    assert_true(strlen(written(p, ".2")) > 3000);
    char path[128];
    snprintf(path, sizeof path, "%s.3", p->path);
    assert_int_equal(stat(path, &st), -1);
}

static void reopen_follows_an_external_rotation(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_NET };
    char moved[128];
    LOG_INFO(&ctx, "before", F_UINT("n", 1));
    snprintf(moved, sizeof moved, "%s.1", p->path);
    assert_int_equal(rename(p->path, moved), 0);
    log_reopen(p->log);
    LOG_INFO(&ctx, "after", F_UINT("n", 2));
    assert_non_null(strstr(written(p, ""), "ev=after"));
    assert_null(strstr(written(p, ".1"), "ev=after"));
}

static void file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct log *log = NULL;
    struct why why;
    struct log_conf conf = { .sink = LOG_FILE, .path = "/nonexistent/c2s.log" };
    assert_int_equal(log_open("c2s", &conf, &log, &why), RC_IO);
    assert_non_null(strstr(why.text, "/nonexistent/c2s.log"));
    assert_null(log);
}

static void wire_shows_the_characters_without_the_secrets(void **state)
{
    struct place *p = *state;
    static const char *const rows[][2] = {
        { "<auth xmlns='s' mechanism='PLAIN'>AGFiYw==</auth>",
          "<auth xmlns='s' mechanism='PLAIN'>***</auth>" },
        { "<response xmlns='s'>abc", "<response xmlns='s'>***" },
        { "<response/><a>b</a>", "<response/><a>b</a>" },
        { "GFiYw==</auth><x/>", "***</auth><x/>" },
        { "<iq><query><username>u</username><password>geheim</password></query></iq>",
          "<iq><query><username>u</username><password>***</password></query></iq>" },
        { "<field var='password'><value>geheim</value></field><b>c</b>",
          "<field var='password'>***</field><b>c</b>" },
        { "<c:handshake a='>'>abc</c:handshake>", "<c:handshake a='>'>***</c:handshake>" },
        { "<challenge>abc</challenge> <success>def</success>",
          "<challenge>***</challenge> <success>***</success>" },
        { "<field var='password", "***" },
        { "<message><body>hello</body></message>", "<message><body>hello</body></message>" },
        { " \n", " \\x0a" },
    };
    struct log_ctx ctx = { .log = p->log, .sub = LOG_XMPP };
    log_wire(&ctx, true, SLICE("<a/>"));
    assert_string_equal(written(p, ""), "");
    log_level_set(p->log, LOG_WIRE, LOG_LEVEL_DEBUG);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char expected[256];
        assert_int_equal(truncate(p->path, 0), 0);
        log_reopen(p->log);
        log_wire(&ctx, i % 2, slice_cstr(rows[i][0]));
        snprintf(expected, sizeof expected, "level=debug daemon=c2s sub=wire ev=%s len=%zu xml=\"%s\"\n",
                 i % 2 ? "sent" : "received", strlen(rows[i][0]), rows[i][1]);
        assert_string_equal(after_time(p), expected);
    }
}

static void long_wire_text_is_written_in_pieces(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_XMPP };
    char text[8000];
    memset(text, 1, sizeof text); /* each byte becomes four */
    memcpy(text, "<a>", 3);
    log_level_set(p->log, LOG_WIRE, LOG_LEVEL_DEBUG);
    log_wire(&ctx, true, slice_of(text, sizeof text));
    size_t lines = 0;
    for (const char *suffixes[] = { "", ".1", ".2" }, **s = suffixes; s < suffixes + 3; s++) {
        for (const char *at = written(p, *s); (at = strchr(at, '\n')); at++)
            lines++;
    }
    assert_int_equal(lines, 3);
}

static char *last(struct place *p, const char *args)
{
    struct buf out = BUF_INIT(0);
    assert_int_equal(log_last(p->log, slice_cstr(args), &out, NULL), RC_OK);
    snprintf(p->text, sizeof p->text, SLICE_FMT, SLICE_ARG(buf_get(&out)));
    buf_fini(&out);
    return p->text;
}

static void last_lines_are_remembered(void **state)
{
    struct place *p = *state;
    struct log_ctx ctx = { .log = p->log, .sub = LOG_AUTH }, wire = { .log = p->log, .sub = LOG_WIRE };
    struct buf out = BUF_INIT(0);
    struct why why;
    assert_string_equal(last(p, ""), "");
    LOG_INFO(&ctx, "one", F_UINT("n", 1));
    LOG_ERROR(&ctx, "two", F_UINT("n", 2));
    LOG_INFO(&ctx, "three", F_UINT("n", 3));
    LOG_DEBUG(&ctx, "four", F_UINT("n", 4));
    log_level_set(p->log, LOG_WIRE, LOG_LEVEL_DEBUG);
    log_wire(&wire, true, SLICE("a body"));
    const char *text = last(p, "");
    assert_non_null(strstr(text, "ev=one n=1\n"));
    assert_non_null(strstr(text, "ev=three n=3\n"));
    assert_true(strstr(text, "ev=one") < strstr(text, "ev=two"));
    assert_null(strstr(text, "four"));
    assert_null(strstr(text, "body"));
    text = last(p, "warn");
    assert_true(strstr(text, "ev=two") && !strstr(text, "ev=one") && !strstr(text, "ev=three"));
    text = last(p, "info 2");
    assert_true(!strstr(text, "ev=one") && strstr(text, "ev=two") && strstr(text, "ev=three"));
    assert_string_equal(last(p, "0"), "");
    assert_int_equal(log_last(p->log, SLICE("warn x"), &out, &why), RC_SYNTAX);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(line_tells_who_what_and_the_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(peer_cannot_forge_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_are_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_are_per_subsystem, setup, teardown),
        cmocka_unit_test_setup_teardown(file_is_rotated_by_size, setup, teardown),
        cmocka_unit_test_setup_teardown(reopen_follows_an_external_rotation, setup, teardown),
        cmocka_unit_test(file_that_cannot_be_opened_is_named),
        cmocka_unit_test_setup_teardown(last_lines_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(wire_shows_the_characters_without_the_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(long_wire_text_is_written_in_pieces, setup, teardown),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
