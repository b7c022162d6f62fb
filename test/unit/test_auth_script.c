/* test/unit/test_auth_script.c - against a program that speaks the protocol, and one that does not always */
#include "common/base/mem.h"
#include "common/net/inside.h" /* the loop is run event by event */
#include "sessman/auth_backend.h"
#include "sessman/sessman.h"
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

/* Answers by the user's name; writes each question on a line of the file "asked". */
static const char program[] =
    "import sys, struct, os, time\n"
    "i, o = sys.stdin.buffer, sys.stdout.buffer\n"
    "users = {'romeo': 'where:fore'}\n"
    "while True:\n"
    "    head = i.read(2)\n"
    "    if len(head) < 2: break\n"
    "    q = i.read(struct.unpack('>H', head)[0]).decode()\n"
    "    with open('asked', 'a') as f: f.write('%s %d\\n' % (q, os.getpid()))\n"
    "    verb, user, host, *rest = q.split(':', 3)\n"
    "    if user == 'slow': time.sleep(1000)\n"
    "    if user == 'deadly': sys.exit(1)\n"
    "    if user == 'babble': o.write(b'\\0\\2\\0\\1\\0\\2\\0\\1'); o.flush(); continue\n"
    "    if user == 'nonsense': o.write(b'HTTP'); o.flush(); continue\n"
    "    if verb == 'auth': ok = users.get(user) == rest[0]\n"
    "    elif verb == 'isuser': ok = user in users\n"
    "    elif verb == 'setpass': ok = user in users; users[user] = rest[0]\n"
    "    elif verb == 'tryregister': ok = user not in users; users.setdefault(user, rest[0])\n"
    "    elif verb == 'removeuser': ok = users.pop(user, None) is not None\n"
    "    o.write(struct.pack('>HH', 2, ok)); o.flush()\n";

struct world {
    char dir[64];
    struct sessman sm;
    struct sessman_conf conf;
    struct daemon_run run;
    struct arena *a;
    unsigned answers;
};
struct outcome {
    struct world *w;
    unsigned calls;
    enum rc rc;
};

static void on_done(void *ctx, enum rc rc)
{
    struct outcome *o = ctx;
    o->rc = rc;
    o->calls++;
}

static void turn(struct world *w)
{
    uv_run(&w->sm.loop->uv, UV_RUN_NOWAIT);
    usleep(500);
}

static void wait_for(struct outcome *o, unsigned calls)
{
    alarm(60);
    while (o->calls < calls)
        turn(o->w);
    alarm(0);
}

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);
    char path[96];
    struct why why = { "" };
    snprintf(w->dir, sizeof w->dir, "/tmp/bulkhead-script-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(path, sizeof path, "%s/check.py", w->dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, program, sizeof program - 1), sizeof program - 1);
    close(fd);
    w->a = arena_new(1024, 0);
    w->run.dir = w->dir;
    w->conf.script_command = (char *)(uintptr_t) "/usr/bin/python3 check.py"; /* relative to DIR */
    w->conf.script_processes = 2;
    w->conf.script_timeout_ms = 20000;
    w->sm.run = &w->run;
    w->sm.conf = &w->conf;
    w->sm.loop = loop_new();
    if (auth_script.open(&w->sm, &w->sm.auth_state, &why) != RC_OK)
        fail_msg("%s", why.text);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[96];
    static const char *const files[] = { "check.py", "asked" };
    if (w->sm.auth_state)
        auth_script.close(&w->sm.auth_state);
    loop_stop(w->sm.loop);
    loop_run(w->sm.loop);
    loop_free(&w->sm.loop);
    arena_free(&w->a);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        unlink(path);
    }
    rmdir(w->dir);
    mem_free(w);
    return 0;
}

static struct jid user(struct world *w, const char *local)
{
    struct jid jid;
    assert_int_equal(jid_make(w->a, slice_cstr(local), SLICE("example.net"), SLICE_NONE, &jid, NULL), RC_OK);
    return jid;
}

static enum rc check(struct world *w, const char *local, struct slice password)
{
    struct outcome o = { .w = w };
    struct jid jid = user(w, local);
    auth_script.check(w->sm.auth_state, &jid, password, on_done, &o);
    wait_for(&o, 1);
    assert_int_equal(o.calls, 1);
    return o.rc;
}

static void passwords_are_checked_by_the_program(void **state)
{
    struct world *w = *state;
    assert_int_equal(check(w, "romeo", SLICE("where:fore")), RC_OK); /* a colon is only special before it */
    assert_int_equal(check(w, "romeo", SLICE("wrong")), RC_DENIED);
    assert_int_equal(check(w, "nobody", SLICE("wrong")), RC_DENIED);
    assert_int_equal(check(w, "romeo", SLICE_NONE), RC_DENIED);
}

static enum rc plain(struct world *w,
                     void (*fn)(void *, const struct jid *, void (*)(void *, enum rc), void *),
                     const char *local)
{
    struct outcome o = { .w = w };
    struct jid jid = user(w, local);
    fn(w->sm.auth_state, &jid, on_done, &o);
    wait_for(&o, 1);
    return o.rc;
}

static enum rc with(struct world *w,
                    void (*fn)(void *, const struct jid *, struct slice, void (*)(void *, enum rc), void *),
                    const char *local, const char *password)
{
    struct outcome o = { .w = w };
    struct jid jid = user(w, local);
    fn(w->sm.auth_state, &jid, slice_cstr(password), on_done, &o);
    wait_for(&o, 1);
    return o.rc;
}

static void accounts_are_the_programs_business(void **state)
{
    struct world *w = *state;
    assert_int_equal(plain(w, auth_script.exists, "romeo"), RC_OK);
    assert_int_equal(plain(w, auth_script.exists, "juliet"), RC_NOTFOUND);
    assert_int_equal(with(w, auth_script.create, "romeo", "x"), RC_EXISTS);
    assert_int_equal(with(w, auth_script.create, "juliet", "x"), RC_OK);
    assert_int_equal(with(w, auth_script.set_password, "romeo", "new"), RC_OK);
    assert_int_equal(plain(w, auth_script.remove, "nobody"), RC_NOTFOUND);
    assert_int_equal(plain(w, auth_script.remove, "romeo"), RC_OK);
}

static void many_at_once_are_all_answered(void **state)
{
    struct world *w = *state;
    struct outcome o = { .w = w };
    struct jid romeo = user(w, "romeo");
    for (int i = 0; i < 200; i++)
        auth_script.check(w->sm.auth_state, &romeo, SLICE("where:fore"), on_done, &o);
    wait_for(&o, 200);
    assert_int_equal(o.calls, 200);
    assert_int_equal(o.rc, RC_OK);
}

static void one_that_hangs_times_out_and_the_next_is_served(void **state)
{
    struct world *w = *state;
    w->conf.script_timeout_ms = 300;
    assert_int_equal(check(w, "slow", SLICE("x")), RC_TIMEOUT);
    assert_int_equal(check(w, "slow", SLICE("x")), RC_TIMEOUT); /* both processes have gone now */
    w->conf.script_timeout_ms = 20000;
    assert_int_equal(check(w, "romeo", SLICE("where:fore")), RC_OK);
}

static void one_that_dies_fails_its_question_alone(void **state)
{
    struct world *w = *state;
    assert_int_equal(check(w, "deadly", SLICE("x")), RC_IO);
    assert_int_equal(check(w, "deadly", SLICE("x")), RC_IO);
    assert_int_equal(check(w, "romeo", SLICE("where:fore")), RC_OK);
}

/* An answer too many would be that to the next question: nobody may log in by it. */
static void answers_that_nobody_asked_for_are_not_believed(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 4; i++) {
        check(w, "babble", SLICE("x"));
        assert_int_equal(check(w, "nobody", SLICE("x")), RC_DENIED);
    }
    assert_int_equal(check(w, "nonsense", SLICE("x")), RC_IO);
    assert_int_equal(check(w, "romeo", SLICE("where:fore")), RC_OK);
}

static void a_program_that_is_not_there_is_a_timeout(void **state)
{
    struct world *w = *state;
    struct why why;
    auth_script.close(&w->sm.auth_state);
    w->conf.script_command = (char *)(uintptr_t) "./no-such-program 2>/dev/null";
    w->conf.script_timeout_ms = 400;
    assert_int_equal(auth_script.open(&w->sm, &w->sm.auth_state, &why), RC_OK);
    enum rc rc = check(w, "romeo", SLICE("where:fore"));
    assert_true(rc == RC_TIMEOUT || rc == RC_IO);
    auth_script.close(&w->sm.auth_state);
    w->conf.script_command = NULL;
    assert_int_equal(auth_script.open(&w->sm, &w->sm.auth_state, &why), RC_NOTFOUND);
}

static void closing_answers_what_is_open(void **state)
{
    struct world *w = *state;
    struct outcome o = { .w = w };
    struct jid slow = user(w, "slow");
    for (int i = 0; i < 5; i++)
        auth_script.check(w->sm.auth_state, &slow, SLICE("x"), on_done, &o);
    auth_script.close(&w->sm.auth_state);
    assert_int_equal(o.calls, 5);
    assert_int_equal(o.rc, RC_CLOSED);
}

static void overlong_questions_are_refused(void **state)
{
    struct world *w = *state;
    static char big[70000];
    memset(big, 'x', sizeof big);
    assert_int_equal(check(w, "romeo", slice_of(big, sizeof big)), RC_DENIED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(passwords_are_checked_by_the_program),
        TEST(accounts_are_the_programs_business),
        TEST(many_at_once_are_all_answered),
        TEST(one_that_hangs_times_out_and_the_next_is_served),
        TEST(one_that_dies_fails_its_question_alone),
        TEST(answers_that_nobody_asked_for_are_not_believed),
        TEST(a_program_that_is_not_there_is_a_timeout),
        TEST(closing_answers_what_is_open),
        TEST(overlong_questions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
