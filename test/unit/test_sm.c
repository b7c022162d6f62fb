/* test/unit/test_sm.c - common/edge/sm.c: the counts of stream management, by transcripts
 *
 * A transcript is a line of steps, one a word: what the client, the session manager or the clock does, and
 * behind '=' what the edge says to it ('-': nothing). s N    a stanza of the client leaves in frame N      w
 * a stanza is written to the client r      <r/>                                          aH     <a h=H/> cN
 * the channel is acknowledged up to frame N     tN     N ms pass ask    may we send <r/>? tell   what the
 * session manager is to be told */
#include "common/edge/sm.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct world {
    struct sm m;
    uint64_t acked, now_ms;
};

static void said(char *out, size_t size, bool says, uint32_t h)
{
    if (says)
        snprintf(out, size, "%lu", (unsigned long)h);
    else
        snprintf(out, size, "-");
}

static void step(struct world *w, const char *word, char *out, size_t size)
{
    static const char *const acks[] = { "new", "old", "high" };
    uint32_t h = 0;
    unsigned long long n = strtoull(word + 1, NULL, 10);
    snprintf(out, size, "-");
    if (strcmp(word, "ask") == 0) {
        snprintf(out, size, "%s", sm_ask(&w->m) ? "r" : "-");
    } else if (strcmp(word, "tell") == 0) {
        bool says = sm_tell(&w->m, &h);
        said(out, size, says, h);
    } else if (*word == 's') {
        sm_take(&w->m);
        sm_taken(&w->m, n);
    } else if (*word == 'w') {
        sm_wrote(&w->m);
    } else if (*word == 'r') {
        bool says = sm_request(&w->m, w->acked, w->now_ms, &h);
        said(out, size, says, h);
    } else if (*word == 'a') {
        snprintf(out, size, "%s", acks[sm_acked(&w->m, (uint32_t)n)]);
    } else if (*word == 'c') {
        w->acked = n;
        bool says = sm_committed(&w->m, w->acked, w->now_ms, &h);
        said(out, size, says, h);
    } else if (*word == 't') {
        w->now_ms += n;
        bool says = sm_overdue(&w->m, w->now_ms, &h);
        said(out, size, says, h);
    } else {
        fail_msg("%s: what is that?", word);
    }
}

static void play(struct world *w, const char *transcript)
{
    char text[512], *save = NULL;
    snprintf(text, sizeof text, "%s", transcript);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char out[32], *want = strchr(word, '=');
        if (want)
            *want++ = '\0';
        step(w, word, out, sizeof out);
        if (strcmp(out, want ? want : "-") != 0)
            fail_msg("%s in \"%s\": %s", word, transcript, out);
    }
}

static void a_request_waits_for_the_commit(void **state) /* DESIGN 2: never what was merely read */
{
    struct world w = { 0 };
    (void)state;
    play(&w, "r=0 s5 r c4 c5=1 r=1 s6 s7 r c6 c7=3 c8");
}

static void one_answer_stands_for_all_before_it(void **state)
{
    struct world w = { 0 };
    (void)state;
    play(&w, "s5 r r r s6 r s9 r c5=1 c8 c9=3 c10");
    play(&w, "s11 r s12 r c20=5 c21");
    play(&w, "s22 r c21 s23 c23=6 r=7");
}

static void who_waits_long_is_told_what_is_known(void **state)
{
    struct world w = { 0 };
    (void)state;
    play(&w, "s5 r c5=1 s6 s7 r t4999 t1=1 t4999 t1=1 c7=3 t9000");
}

static void a_client_is_asked_once_at_a_time(void **state)
{
    struct world w = { 0 };
    (void)state;
    play(&w, "ask w ask=r w ask w a0=old ask a1=new ask=r a2=new ask a3=new ask w ask=r a4=new ask");
}

static void the_session_manager_hears_the_last_of_a_turn(void **state)
{
    struct world w = { 0 };
    (void)state;
    play(&w, "tell w w w a1=new a2=new a2=old tell=2 tell a3=new tell=3");
}

static void more_than_was_sent_is_too_high(void **state) /* XEP-0198 6 */
{
    struct world w = { 0 };
    (void)state;
    play(&w,
         "a0=old a1=high a4294967295=high w w a3=high a2=new a1=old a0=old a3=high a4294967295=high tell=2");
}

static void counts_wrap(void **state) /* XEP-0198 4: from 2^32-1 to 0 */
{
    struct world w = { 0 };
    (void)state;
    sm_resume(&w.m, UINT32_MAX - 1, UINT32_MAX - 1);
    play(&w, "r=4294967294 s1 s2 s3 r c3=1");
    play(
        &w,
        "w w w a4294967295=new a2=high a0=new tell=0 ask=r a1=new tell=1 ask a4294967295=old a0=old a2=high");
    assert_true(w.m.out == UINT64_C(0x100000001) && w.m.acked == w.m.out);
}

static void a_resumed_count_goes_on(void **state)
{
    struct world w = { 0 };
    (void)state;
    play(&w, "s1 w ask=r");
    sm_resume(&w.m, 7, 9);
    play(&w, "r=7 ask tell a9=old a10=high w a10=new s4 r c4=8");
}

static void the_number_next_to_another(void **state)
{
    (void)state;
    assert_true(sm_near(0, 5) == 5);
    assert_true(sm_near(UINT64_C(0x1fffffffe), 1) == UINT64_C(0x200000001));
    assert_true(sm_near(UINT64_C(0x200000001), UINT32_MAX) == UINT64_C(0x1ffffffff));
    assert_true(sm_near(3, UINT32_MAX) == UINT32_MAX); /* there is none below */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_waits_for_the_commit),
        cmocka_unit_test(one_answer_stands_for_all_before_it),
        cmocka_unit_test(who_waits_long_is_told_what_is_known),
        cmocka_unit_test(a_client_is_asked_once_at_a_time),
        cmocka_unit_test(the_session_manager_hears_the_last_of_a_turn),
        cmocka_unit_test(more_than_was_sent_is_too_high),
        cmocka_unit_test(counts_wrap),
        cmocka_unit_test(a_resumed_count_goes_on),
        cmocka_unit_test(the_number_next_to_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
