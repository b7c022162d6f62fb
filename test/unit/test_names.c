/* test/unit/test_names.c - router/names.c and common/link/pick.c: who gets what is addressed to a name */
#include "common/link/pick.h"
#include "router/names.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int one, two, three;
static const struct slice instances[] = { SLICE_INIT("s-1"), SLICE_INIT("s-2"), SLICE_INIT("s-3") };

static void *pick(struct names *n, const char *jid)
{
    return names_pick(n, SLICE("im.example"), slice_cstr(jid));
}

static void nobody_has_what_nobody_bound(void **state)
{
    struct names *n = names_new();
    (void)state;
    assert_null(pick(n, "im.example"));
    names_bind(n, SLICE("im.example"), &one, instances[0], false);
    assert_ptr_equal(pick(n, "a@im.example"), &one);
    assert_null(names_pick(n, SLICE("sub.im.example"), SLICE("sub.im.example")));
    names_unbind(n, SLICE("im.example"), &two); /* somebody else */
    names_unbind(n, SLICE("im.example"), &one);
    names_unbind(n, SLICE("im.example"), &one);
    assert_null(pick(n, "im.example"));
    names_free(&n);
}

static void several_take_turns(void **state)
{
    struct names *n = names_new();
    int counts[3] = { 0 };
    (void)state;
    names_bind(n, SLICE("im.example"), &one, instances[0], false);
    names_bind(n, SLICE("im.example"), &two, instances[1], false);
    names_bind(n, SLICE("im.example"), &two, instances[1], false);
    names_bind(n, SLICE("im.example"), &three, instances[2], false);
    assert_int_equal(names_bound(n, SLICE("im.example")), 3);
    for (int i = 0; i < 30; i++) {
        void *who = pick(n, "a@im.example");
        counts[who == &one ? 0 : who == &two ? 1 : 2]++;
    }
    assert_true(counts[0] == 10 && counts[1] == 10 && counts[2] == 10);
    names_unbind(n, SLICE("im.example"), &two); /* dropped at once, the others go on */
    for (int i = 0; i < 10; i++)
        assert_true(pick(n, "a@im.example") != &two);
    names_unbind(n, SLICE("im.example"), &one);
    names_unbind(n, SLICE("im.example"), &three);
    names_free(&n);
}

static void by_hash_an_account_stays_where_it_is(void **state)
{
    struct names *n = names_new();
    void *before[300];
    int who[3] = { 0 }, moved = 0;
    char jid[32];
    (void)state;
    names_bind(n, SLICE("im.example"), &one, instances[0], true);
    names_bind(n, SLICE("im.example"), &two, instances[1], true);
    names_bind(n, SLICE("im.example"), &three, instances[2], true);
    for (int i = 0; i < 300; i++) {
        snprintf(jid, sizeof jid, "u%d@im.example", i);
        before[i] = pick(n, jid);
        assert_ptr_equal(before[i], pick(n, jid));
        who[before[i] == &one ? 0 : before[i] == &two ? 1 : 2]++;
    }
    assert_true(who[0] > 60 && who[1] > 60 && who[2] > 60);
    names_unbind(n, SLICE("im.example"), &three);
    for (int i = 0; i < 300; i++) {
        snprintf(jid, sizeof jid, "u%d@im.example", i);
        moved += before[i] != pick(n, jid) && before[i] != &three;
    }
    assert_int_equal(moved, 0); /* only what the one that left had goes elsewhere */
    names_unbind(n, SLICE("im.example"), &one);
    names_unbind(n, SLICE("im.example"), &two);
    names_free(&n);
}

static void
weights_are_part_of_the_protocol(void **state) /* routers and daemons of different builds must agree */
{
    (void)state;
    assert_true(pick_weight(SLICE("sessman-1"), SLICE("romeo@im.example")) == 0x6d354e9541b223f2);
    assert_true(pick_weight(SLICE("sessman-1"), SLICE("a")) != pick_weight(SLICE("sessman-2"), SLICE("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_what_nobody_bound),
        cmocka_unit_test(several_take_turns),
        cmocka_unit_test(by_hash_an_account_stays_where_it_is),
        cmocka_unit_test(weights_are_part_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
