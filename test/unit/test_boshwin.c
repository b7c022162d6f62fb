/* test/unit/test_boshwin.c - the window of a BOSH session alone (XEP-0124 9, 14, 15) */
#include "httpgw/boshwin.h"
#include <gnutls/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static char r[32]; /* what requests are here: their addresses */
#define R(i) ((void *)&r[i])

static int setup(void **state)
{
    static struct boshwin w;
    boshwin_init(&w, 100, 2);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    boshwin_fini(*state);
    return 0;
}

static enum boshwin_verdict arrive_by(struct boshwin *w, uint64_t rid, uint64_t via, void *request)
{
    void *old;
    struct slice replay;
    return boshwin_arrive(w, rid, via, request, &old, &replay);
}

static enum boshwin_verdict arrive(struct boshwin *w, uint64_t rid, void *request)
{
    return arrive_by(w, rid, 0, request);
}

static void take(struct boshwin *w, uint64_t rid, void *request)
{
    assert_int_equal(arrive(w, rid, request), BOSHWIN_QUEUED);
    assert_ptr_equal(boshwin_next(w), request);
}

static void in_order_each_is_taken_at_once(void **state)
{
    struct boshwin *w = *state;
    uint64_t rid;
    void *request;
    take(w, 101, R(1));
    take(w, 102, R(2));
    assert_int_equal(boshwin_held(w), 2);
    assert_true(boshwin_oldest(w, &rid, &request));
    assert_int_equal(rid, 101);
    assert_ptr_equal(request, R(1));
    boshwin_answer(w, SLICE("one"), true, 3);
    assert_true(boshwin_oldest(w, &rid, &request));
    assert_int_equal(rid, 102);
    boshwin_answer(w, SLICE("two"), true, 6);
    assert_false(boshwin_oldest(w, &rid, &request));
}

static void the_later_one_waits_for_the_one_before(void **state)
{
    struct boshwin *w = *state;
    assert_int_equal(arrive(w, 102, R(2)), BOSHWIN_QUEUED);
    assert_null(boshwin_next(w));
    assert_int_equal(boshwin_held(w), 0);
    assert_int_equal(arrive(w, 101, R(1)), BOSHWIN_QUEUED);
    assert_ptr_equal(boshwin_next(w), R(1));
    assert_ptr_equal(boshwin_next(w), R(2));
    assert_null(boshwin_next(w));
}

static void outside_of_the_window_there_is_nothing(void **state)
{
    struct boshwin *w = *state;
    assert_int_equal(arrive(w, 103, R(3)), BOSHWIN_GONE);
    assert_int_equal(arrive(w, 100, R(3)), BOSHWIN_GONE);
    assert_int_equal(arrive(w, 0, R(3)), BOSHWIN_GONE);
    assert_int_equal(arrive(w, 84, R(3)), BOSHWIN_GONE);
    assert_int_equal(arrive(w, UINT64_MAX, R(3)), BOSHWIN_GONE);
    take(w, 101, R(1));
    assert_int_equal(arrive(w, 104, R(3)), BOSHWIN_GONE);
}

static void too_many_at_a_time_are_refused(void **state)
{
    struct boshwin *w = *state;
    take(w, 101, R(1));
    take(w, 102, R(2));
    take(w, 103, R(3)); /* it might be the end of the session */
    assert_int_equal(arrive(w, 104, R(4)), BOSHWIN_BUSY);
    boshwin_answer(w, SLICE("one"), true, 3);
    take(w, 104, R(4));
}

static void no_rid_is_over_2_to_the_53(void **state)
{
    struct boshwin *w = *state;
    boshwin_init(w, BOSHWIN_RID_MAX - 1, 2);
    take(w, BOSHWIN_RID_MAX, R(1));
    assert_int_equal(arrive(w, BOSHWIN_RID_MAX + 1, R(2)), BOSHWIN_GONE);
}

static void an_answer_is_given_again_as_it_was(void **state)
{
    struct boshwin *w = *state;
    void *old;
    struct slice replay;
    take(w, 101, R(1));
    boshwin_answer(w, SLICE("one"), true, 3);
    take(w, 102, R(2));
    boshwin_answer(w, SLICE("two"), true, 6);
    assert_int_equal(boshwin_arrive(w, 101, 0, R(3), &old, &replay), BOSHWIN_REPLAY);
    assert_true(slice_is(replay, "one"));
    assert_int_equal(boshwin_arrive(w, 102, 0, R(3), &old, &replay), BOSHWIN_REPLAY);
    assert_true(slice_is(replay, "two"));
    take(w, 103, R(3));
    boshwin_answer(w, SLICE("three"), true, 9);
    assert_int_equal(arrive(w, 101, R(4)), BOSHWIN_GONE); /* as many as may be under way are kept: 14.3 */
    assert_int_equal(boshwin_held(w), 0);
}

static void a_pause_is_not_answered_again(void **state)
{
    struct boshwin *w = *state;
    take(w, 101, R(1));
    boshwin_answer(w, SLICE("paused"), false, 0);
    assert_int_equal(arrive(w, 101, R(2)), BOSHWIN_GONE);
}

static void one_that_is_held_takes_the_place_of_its_first(void **state)
{
    struct boshwin *w = *state;
    void *old, *request;
    struct slice replay;
    uint64_t rid;
    take(w, 101, R(1));
    assert_int_equal(boshwin_arrive(w, 101, 0, R(2), &old, &replay), BOSHWIN_AGAIN);
    assert_ptr_equal(old, R(1));
    assert_true(boshwin_oldest(w, &rid, &request));
    assert_ptr_equal(request, R(2));
    assert_int_equal(boshwin_held(w), 1);
    boshwin_forget(w, R(2)); /* its connection is lost: the answer is kept */
    assert_true(boshwin_oldest(w, &rid, &request));
    assert_null(request);
    boshwin_answer(w, SLICE("one"), true, 3);
    assert_int_equal(boshwin_arrive(w, 101, 0, R(3), &old, &replay), BOSHWIN_REPLAY);
}

static void one_that_waited_and_is_lost_may_come_again(void **state)
{
    struct boshwin *w = *state;
    assert_int_equal(arrive(w, 102, R(2)), BOSHWIN_QUEUED);
    boshwin_forget(w, R(2));
    take(w, 101, R(1));
    assert_null(boshwin_next(w));
    take(w, 102, R(3));
}

static void what_has_arrived_is_told_by_the_connection(void **state)
{
    struct boshwin *w = *state;
    assert_int_equal(arrive_by(w, 101, 7, R(1)), BOSHWIN_QUEUED);
    assert_ptr_equal(boshwin_next(w), R(1));
    boshwin_answer(w, SLICE("one"), true, 3);
    assert_int_equal(boshwin_arrived(w), 0);
    assert_int_equal(arrive_by(w, 102, 8, R(2)), BOSHWIN_QUEUED); /* another connection says nothing */
    assert_int_equal(boshwin_arrived(w), 0);
    assert_ptr_equal(boshwin_next(w), R(2));
    boshwin_answer(w, SLICE("two"), true, 6);
    assert_int_equal(arrive_by(w, 103, 8, R(3)),
                     BOSHWIN_QUEUED); /* its own does, and so does the number of 101 */
    assert_int_equal(boshwin_arrived(w), 6);
}

static void what_has_arrived_is_told_by_the_client(void **state)
{
    struct boshwin *w = *state;
    take(w, 101, R(1));
    boshwin_answer(w, SLICE("one"), true, 3);
    take(w, 102, R(2));
    boshwin_answer(w, SLICE("two"), true, 6);
    boshwin_acked(w, 101);
    assert_int_equal(boshwin_arrived(w), 3);
    boshwin_acked(w, UINT64_MAX); /* more than there is is no more than there is */
    assert_int_equal(boshwin_arrived(w), 6);
    boshwin_acked(w, 0);
    assert_int_equal(boshwin_arrived(w), 6);
}

static void all_are_let_go(void **state)
{
    struct boshwin *w = *state;
    take(w, 101, R(1));
    assert_int_equal(arrive(w, 103, R(3)), BOSHWIN_QUEUED);
    assert_non_null(boshwin_pop(w));
    assert_non_null(boshwin_pop(w));
    assert_null(boshwin_pop(w));
}

static void a_long_session_with_random_faults_stays_in_order(void **state)
{
    struct boshwin *w = *state;
    unsigned seed = 1;
    uint64_t next = 101;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 1103515245 + 12345;
        uint64_t rid = w->top - 2 + (seed >> 16) % 6;
        arrive_by(w, rid, (seed >> 8) % 3, R((seed >> 20) % 8));
        while (boshwin_next(w))
            assert_int_equal(w->top, next++);
        if ((seed >> 24) % 2 && boshwin_held(w))
            boshwin_answer(w, SLICE("x"), true, (uint32_t)w->answered);
        if ((seed >> 25) % 8 == 0)
            boshwin_forget(w, R(seed % 8));
        assert_true(w->arrived <= w->answered && w->answered <= w->top);
        assert_true(boshwin_held(w) <= 2 * BOSHWIN_REQUESTS_MAX);
        while (boshwin_held(w) > 2)
            boshwin_answer(w, SLICE("y"), true, (uint32_t)w->answered);
    }
    assert_true(next > 1000);
}

/* --- keys --- */

static void hash(const char *key, char out[41])
{
    unsigned char sum[20];
    gnutls_hash_fast(GNUTLS_DIG_SHA1, key, strlen(key), sum);
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static void keys_come_in_their_sequence(void **state)
{
    struct boshkey k;
    char key[4][41], other[41];
    (void)state;
    hash("seed", key[0]);
    for (int i = 1; i < 4; i++)
        hash(key[i - 1], key[i]);
    hash("another seed", other);
    assert_int_equal(boshkey_begin(&k, slice_cstr(key[3])), RC_OK);
    assert_int_equal(boshkey_check(&k, slice_cstr(key[1]), SLICE_NONE), RC_DENIED);
    assert_int_equal(boshkey_check(&k, slice_cstr(key[2]), SLICE_NONE), RC_OK);
    assert_int_equal(boshkey_check(&k, slice_cstr(key[2]), SLICE_NONE), RC_DENIED);
    assert_int_equal(boshkey_check(&k, SLICE_NONE, SLICE_NONE), RC_DENIED);
    assert_int_equal(boshkey_check(&k, slice_cstr(key[1]), slice_cstr(other)), RC_OK); /* a new sequence */
    assert_int_equal(boshkey_check(&k, slice_cstr(key[0]), SLICE_NONE), RC_DENIED);
}

static void without_a_first_key_none_is_looked_at(void **state)
{
    struct boshkey k;
    (void)state;
    assert_int_equal(boshkey_begin(&k, SLICE_NONE), RC_OK);
    assert_int_equal(boshkey_check(&k, SLICE("anything"), SLICE_NONE), RC_OK);
    assert_int_equal(boshkey_begin(&k, SLICE("short")), RC_SYNTAX);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(in_order_each_is_taken_at_once),
        T(the_later_one_waits_for_the_one_before),
        T(outside_of_the_window_there_is_nothing),
        T(too_many_at_a_time_are_refused),
        T(no_rid_is_over_2_to_the_53),
        T(an_answer_is_given_again_as_it_was),
        T(a_pause_is_not_answered_again),
        T(one_that_is_held_takes_the_place_of_its_first),
        T(one_that_waited_and_is_lost_may_come_again),
        T(what_has_arrived_is_told_by_the_connection),
        T(what_has_arrived_is_told_by_the_client),
        T(all_are_let_go),
        T(a_long_session_with_random_faults_stays_in_order),
        T(keys_come_in_their_sequence),
        T(without_a_first_key_none_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
