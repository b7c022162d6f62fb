/* test/unit/test_s2s_steps.c - the step tables of in.c and out.c: what is answered to what in which state
 *
 * A transcript is a table: what the other server sends, what of ours it must see in answer. */
#include "test/unit/s2s_world.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEADER_NS                                                                                            \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "                  \
    "xmlns:db='" NS_DIALBACK "' "
#define HEADER          HEADER_NS "from='far.example' to='im.example' version='1.0'>"
#define ANSWER          HEADER_NS "from='far.example' to='im.example' id='their id' version='1.0'>"
#define FEATURES(inner) "<stream:features>" inner "</stream:features>"
#define DIALBACK        "<dialback xmlns='" NS_DIALBACK_FEATURE "'/>"
#define MESSAGE         "<message from='a@far.example' to='b@im.example'><body>x</body></message>"
#define PLAIN           "[policy]\nrequire_tls = no\n"

struct step {
    const char *sends, *sees; /* sees NULL: nothing at all */
};
struct bench {
    struct world w;
    struct wire *wire;
    struct conn *conn;
    int fd; /* the other server's end */
    char seen[65536];
};

static struct bench *bench_new(const char *conf)
{
    int fds[2];
    struct bench *b = mem_new(sizeof *b);
    assert_int_equal(secret_init(NULL), RC_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    make(&b->w, conf);
    b->fd = fds[1];
    b->conn = conn_adopt(b->w.run.loop, fds[0], true, &b->w.d.conn_conf, NULL);
    return b;
}

static void bench_free(struct bench *b)
{
    drop(&b->w);
    close(b->fd);
    mem_free(b);
}

static const char *seen(struct bench *b)
{
    conn_flush(b->conn);
    ssize_t n = read(b->fd, b->seen, sizeof b->seen - 1);
    b->seen[n > 0 ? n : 0] = '\0';
    return b->seen;
}

static void play(struct bench *b, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!b->wire->over)
            wire_conn_ops.on_input(b->wire, slice_cstr(steps[i].sends));
        const char *got = seen(b);
        if (steps[i].sees ? !strstr(got, steps[i].sees) : got[0] != '\0')
            fail_msg("to %s\ncame %s\nnot %s", steps[i].sends, got,
                     steps[i].sees ? steps[i].sees : "nothing");
    }
}

static void turn(struct bench *b) /* what is done at its end */
{
    wire_flush_turn(&b->w.d.flush_turn);
}
#define PLAY(b, ...)                                                                                         \
    do {                                                                                                     \
        const struct step steps_[] = { __VA_ARGS__ };                                                        \
        play((b), steps_, sizeof steps_ / sizeof *steps_);                                                   \
    } while (0)

static struct bench *incoming(const char *conf)
{
    struct bench *b = bench_new(conf);
    in_accept(&b->w.d, b->conn, false);
    b->wire = CONTAINER(b->w.d.wires.next, struct wire, link);
    return b;
}

/* A stream that has proven far.example. */
static struct bench *proven(void)
{
    struct bench *b = incoming(PLAIN);
    PLAY(b, { HEADER, "<stream:features>" },
         { "<db:result from='far.example' to='im.example'>key</db:result>", NULL });
    const struct pair *p = pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example"));
    struct verify *v = CONTAINER(p->verifies.next, struct verify, link);
    b->w.link.open = true;
    in_verified(v, p, DIALBACK_VALID, NULL, NULL);
    verify_free(&v);
    assert_non_null(strstr(seen(b), "type='valid'"));
    return b;
}

static void features_before_tls(void **state)
{
    struct bench *b = incoming("");
    (void)state;
    PLAY(b, { HEADER, "<stream:features></stream:features>" }); /* no certificate, TLS required: nothing can
                                                                   be done here */
    bench_free(b);
    b = incoming(PLAIN);
    PLAY(b, { HEADER, "<dialback xmlns='" NS_DIALBACK_FEATURE "'><errors/></dialback>" });
    bench_free(b);
}

static void headers_that_are_refused(void **state)
{
    static const struct step bad[] = {
        { HEADER_NS "from='far.example' version='1.0'>", "<improper-addressing" },
        { HEADER_NS "from='far.example' to='else.example' version='1.0'>", "<host-unknown" },
        { HEADER_NS "from='im.example' to='im.example' version='1.0'>", "<invalid-from" },
        { HEADER_NS "from='a@far.example' to='im.example' version='1.0'>", "<invalid-from" },
        { HEADER_NS "from='x.bad.example' to='im.example' version='1.0'>", "<policy-violation" },
        { "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
          "to='im.example' version='1.0'>",
          "<invalid-namespace" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bench *b = incoming("[policy]\nrequire_tls = no\nblock = *.bad.example\n");
        play(b, &bad[i], 1);
        assert_true(b->wire->over);
        bench_free(b);
    }
}

static void elements_out_of_turn(void **state)
{
    static const struct step bad[] = {
        { MESSAGE, "<not-authorized" },
        { "<enable xmlns='" NS_SM "'/>", "<unsupported-stanza-type" },
        { "<db:result from='far.example' to='im.example' type='valid'/>", "<not-authorized" },
        { "<db:verify from='far.example' to='im.example' id='x' type='valid'/>", "<not-authorized" },
        { "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>x</auth>", "<invalid-mechanism" },
        { "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>=</auth>", "<not-authorized" },
        { "<starttls xmlns='" NS_TLS "'/>", "<failure" },
        { "<success xmlns='" NS_SASL "'/>", "<unsupported-stanza-type" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bench *b = incoming(PLAIN);
        PLAY(b, { HEADER, "<stream:features>" });
        play(b, &bad[i], 1);
        bench_free(b);
    }
}

static void a_proven_stream_sends_for_its_domain_only(void **state)
{
    struct bench *b = proven();
    (void)state;
    PLAY(b, { MESSAGE, NULL });
    assert_true(b->w.link.sent == 1);
    assert_non_null(memmem(b->w.link.told.p, b->w.link.told.len, "from='a@far.example'", 20));
    PLAY(b, { "<message from='a@evil.example' to='b@im.example'/>", "<invalid-from" });
    assert_true(b->w.link.sent == 1 && b->wire->over);
    bench_free(b);
}

static void an_invalid_key_proves_nothing(void **state)
{
    struct bench *b = incoming(PLAIN);
    (void)state;
    PLAY(b, { HEADER, "<stream:features>" },
         { "<db:result from='far.example' to='im.example'>key</db:result>", NULL });
    const struct pair *p = pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example"));
    struct verify *v = CONTAINER(p->verifies.next, struct verify, link);
    in_verified(v, p, DIALBACK_INVALID, NULL, NULL);
    verify_free(&v);
    assert_non_null(strstr(seen(b), "type='invalid'/></stream:stream>"));
    bench_free(b);
}

static void acknowledgements_wait_for_the_session_manager(void **state)
{
    struct bench *b = proven();
    (void)state;
    PLAY(b, { "<enable xmlns='" NS_SM "' resume='true'/>", "<enabled xmlns='" NS_SM "' id='" },
         { MESSAGE, NULL }, { MESSAGE, NULL },
         { "<r xmlns='" NS_SM "'/>", NULL }); /* it has acknowledged half */
    b->w.link.sent = 4;
    ssm_acked(&b->w.d, 7);
    assert_non_null(strstr(seen(b), "h='2'"));
    PLAY(b, { "<enable xmlns='" NS_SM "'/>", "<unexpected-request" },
         { "<a xmlns='" NS_SM "' h='5'/>", "<handled-count-too-high" });
    bench_free(b);
}

static void keys_of_ours_are_known(void **state)
{
    struct bench *b = incoming("[policy]\nrequire_tls = no\n[dialback]\nsecret = s3cr3tf0rd14lb4ck\n");
    char text[512];
    struct arena *a = arena_new(1024, 0);
    struct slice key = dialback_key(a, SLICE("s3cr3tf0rd14lb4ck"), SLICE("far.example"), SLICE("im.example"),
                                    SLICE("D60000229F"));
    (void)state;
    snprintf(text, sizeof text,
             "<db:verify from='far.example' to='im.example' id='D60000229F'>" SLICE_FMT "</db:verify>",
             SLICE_ARG(key));
    PLAY(b, { HEADER, "<stream:features>" }, { text, "type='valid'" },
         { "<db:verify from='far.example' to='im.example' id='other'>00</db:verify>", "type='invalid'" },
         { "<db:verify from='far.example' to='no.example' id='x'>00</db:verify>", "<item-not-found" });
    arena_free(&a);
    bench_free(b);
}

/* --- outgoing --- */

static struct bench *outgoing(const char *conf)
{
    struct bench *b = bench_new(conf);
    struct pair *p = pair_get(&b->w.d, SLICE("im.example"), SLICE("far.example"));
    pair_send(p, item_new(p, SLICE("<message from='b@im.example' to='a@far.example'/>"), 0, 0));
    assert_non_null(p->out);
    b->wire = &p->out->w;
    wire_take_conn(b->wire, b->conn);
    out_begin_stream(p->out);
    assert_non_null(strstr(seen(b), "to='far.example'"));
    return b;
}

static void dialback_then_stanzas(void **state)
{
    struct bench *b = outgoing(PLAIN);
    (void)state;
    PLAY(b, { ANSWER, NULL }, { FEATURES(DIALBACK), "<db:result" },
         { "<db:result from='far.example' to='im.example' type='valid'/>", "<message from='b@im.example'" });
    bench_free(b);
}

static void nothing_in_plain_text_where_tls_is_required(void **state)
{
    struct bench *b = outgoing("");
    (void)state;
    PLAY(b, { ANSWER, NULL }, { FEATURES(DIALBACK), "</stream:stream>" });
    assert_null(strstr(b->seen, "db:result"));
    bench_free(b);
}

static void starttls_where_it_is_offered(void **state)
{
    struct bench *b = outgoing(PLAIN);
    (void)state;
    PLAY(b, { ANSWER, NULL }, { FEATURES("<starttls xmlns='" NS_TLS "'/>" DIALBACK), "<starttls" },
         { "<failure xmlns='" NS_TLS "'/>", "</stream:stream>" });
    bench_free(b);
}

static void answers_that_belong_to_nothing(void **state)
{
    static const struct step bad[] = {
        { "<db:result from='evil.example' to='im.example' type='valid'/>", "<bad-format" },
        { "<db:result from='far.example' to='other.example' type='valid'/>", "<bad-format" },
        { "<db:result from='far.example' to='im.example'>key</db:result>", "<bad-format" },
        { "<success xmlns='" NS_SASL "'/>", "<unsupported-stanza-type" },
        { MESSAGE, "<not-authorized" },
        { "<enabled xmlns='" NS_SM "'/>", "<unsupported-stanza-type" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bench *b = outgoing(PLAIN);
        PLAY(b, { ANSWER, NULL }, { FEATURES(DIALBACK), "<db:result" });
        play(b, &bad[i], 1);
        assert_true(b->w.link.sent == 0);
        bench_free(b);
    }
}

static void a_header_of_somebody_else(void **state)
{
    struct bench *b = outgoing(PLAIN);
    (void)state;
    PLAY(b, { HEADER_NS "from='evil.example' to='im.example' id='x' version='1.0'>", "<invalid-from" });
    bench_free(b);
}

static void unacknowledged_stanzas_stay(void **state)
{
    struct bench *b = outgoing(PLAIN);
    const struct pair *p = pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example"));
    (void)state;
    PLAY(b, { ANSWER, NULL }, { FEATURES(DIALBACK "<sm xmlns='" NS_SM "'/>"), "<db:result" },
         { "<db:result from='far.example' to='im.example' type='valid'/>",
           "<enable xmlns='" NS_SM "' resume='true'/><message" });
    assert_null(strstr(b->seen, "<r ")); /* nothing is asked before it is enabled */
    turn(b);
    PLAY(b, { " ", NULL }, { "<enabled xmlns='" NS_SM "' id='x' resume='true'/>", NULL });
    turn(b);
    assert_non_null(strstr(seen(b), "<r xmlns='" NS_SM "'/>"));
    assert_true(b->wire->n_sent == 1 && p->held == 1);
    PLAY(b, { "<a xmlns='" NS_SM "' h='1'/>", NULL });
    assert_true(b->wire->n_sent == 0 && p->held == 0);
    bench_free(b);
}

static void stanzas_behind_a_refused_enable_have_left(void **state)
{
    struct bench *b = outgoing(PLAIN);
    const struct pair *p = pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example"));
    (void)state;
    PLAY(b, { ANSWER, NULL }, { FEATURES(DIALBACK "<sm xmlns='" NS_SM "'/>"), "<db:result" },
         { "<db:result from='far.example' to='im.example' type='valid'/>", "<message" });
    turn(b);
    assert_true(b->wire->n_sent == 1 && p->held == 1);
    PLAY(b, { "<failed xmlns='" NS_SM "'/>", NULL });
    turn(b);
    assert_true(b->wire->n_sent == 0 && p->held == 0 && !b->wire->over);
    bench_free(b);
}

/* Its owner hears of a stream that is over once more, when the connection has gone. */
static void a_pair_outlives_its_streams(void **state)
{
    struct bench *b = outgoing(PLAIN);
    struct pair *p = pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example"));
    (void)state;
    PLAY(b, { ANSWER, NULL }, { FEATURES(DIALBACK), "<db:result" },
         { "<db:result from='far.example' to='im.example' type='valid'/>", "<message" });
    turn(b);
    PLAY(b, { "</stream:stream>", "</stream:stream>" });
    assert_true(b->wire->over && !p->out && !p->via && !p->held);
    p->wanted = false;
    p->retry_ms = 0;
    pairs_tick(&b->w.d);
    assert_ptr_equal(pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example")), p);
    out_leave(out_of(b->wire));
    pairs_tick(&b->w.d);
    assert_null(pair_find(&b->w.d, SLICE("im.example"), SLICE("far.example")));
    bench_free(b);
}

/* The one thing that is said without waiting for the features, and only where nothing else could be said. */
static void starttls_goes_behind_the_header(void **state)
{
    struct bench *b = outgoing("");
    (void)state;
    assert_non_null(strstr(b->seen, "version='1.0'><starttls xmlns='" NS_TLS "'/>"));
    PLAY(b, { ANSWER, NULL }, { FEATURES("<starttls xmlns='" NS_TLS "'/>" DIALBACK), NULL });
    assert_int_equal(out_of(b->wire)->state, OUT_PROCEED);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_before_tls),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(elements_out_of_turn),
        cmocka_unit_test(a_proven_stream_sends_for_its_domain_only),
        cmocka_unit_test(an_invalid_key_proves_nothing),
        cmocka_unit_test(acknowledgements_wait_for_the_session_manager),
        cmocka_unit_test(keys_of_ours_are_known),
        cmocka_unit_test(dialback_then_stanzas),
        cmocka_unit_test(nothing_in_plain_text_where_tls_is_required),
        cmocka_unit_test(starttls_where_it_is_offered),
        cmocka_unit_test(answers_that_belong_to_nothing),
        cmocka_unit_test(a_header_of_somebody_else),
        cmocka_unit_test(unacknowledged_stanzas_stay),
        cmocka_unit_test(stanzas_behind_a_refused_enable_have_left),
        cmocka_unit_test(starttls_goes_behind_the_header),
        cmocka_unit_test(a_pair_outlives_its_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
