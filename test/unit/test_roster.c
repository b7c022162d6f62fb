/* test/unit/test_roster.c - appendix A of RFC 6121, row by row, as the RFC prints it */
#include "sessman/roster.h"

#include <setjmp.h>
#include <stdlib.h>
#include <stdarg.h>
#include <cmocka.h>

enum {
    N = 0,
    NPO = SUB_ASK,
    NPI = SUB_IN,
    NPOI = SUB_ASK | SUB_IN,
    T = SUB_TO,
    TPI = SUB_TO | SUB_IN,
    F = SUB_FROM,
    FPO = SUB_FROM | SUB_ASK,
    B = SUB_TO | SUB_FROM
};
enum { STATES = 9, SAME = 0x100 };
static const uint8_t states[STATES] = { N, NPO, NPI, NPOI, T, TPI, F, FPO, B };

/* Per state: does it pass, and the new state (SAME: no change). */
struct row {
    const char *clause;
    enum sub_dir dir;
    enum stanza_type type;
    struct {
        bool pass;
        int next;
    } want[STATES];
};
/* clang-format off */
static const struct row rows[] = {
    { "A.2.1", SUB_OUTBOUND, PRESENCE_SUBSCRIBE,
      { {1, NPO}, {1, SAME}, {1, NPOI}, {1, SAME}, {1, SAME}, {1, SAME}, {1, FPO}, {1, SAME}, {1, SAME} } },
    { "A.2.2", SUB_OUTBOUND, PRESENCE_UNSUBSCRIBE,
      { {1, SAME}, {1, N}, {1, SAME}, {1, NPI}, {1, N}, {1, NPI}, {1, SAME}, {1, F}, {1, F} } },
    { "A.2.3", SUB_OUTBOUND, PRESENCE_SUBSCRIBED, /* without a request: pre-approval, tested apart */
      { {0, -1}, {0, -1}, {1, F}, {1, FPO}, {0, -1}, {1, B}, {0, SAME}, {0, SAME}, {0, SAME} } },
    { "A.2.4", SUB_OUTBOUND, PRESENCE_UNSUBSCRIBED,
      { {0, SAME}, {0, SAME}, {1, N}, {1, NPO}, {0, SAME}, {1, T}, {1, N}, {1, NPO}, {1, T} } },
    { "A.3.1", SUB_INBOUND, PRESENCE_SUBSCRIBE,
      { {1, NPI}, {1, NPOI}, {0, SAME}, {0, SAME}, {1, TPI}, {0, SAME}, {0, SAME}, {0, SAME}, {0, SAME} } },
    { "A.3.2", SUB_INBOUND, PRESENCE_UNSUBSCRIBE,
      { {0, SAME}, {0, SAME}, {1, N}, {1, NPO}, {0, SAME}, {1, T}, {1, N}, {1, NPO}, {1, T} } },
    { "A.3.3", SUB_INBOUND, PRESENCE_SUBSCRIBED,
      { {0, SAME}, {1, T}, {0, SAME}, {1, TPI}, {0, SAME}, {0, SAME}, {0, SAME}, {1, B}, {0, SAME} } },
    { "A.3.4", SUB_INBOUND, PRESENCE_UNSUBSCRIBED,
      { {0, SAME}, {1, N}, {0, SAME}, {1, NPI}, {1, N}, {1, NPI}, {0, SAME}, {1, F}, {1, F} } },
};
/* clang-format on */

#define CORE (SUB_TO | SUB_FROM | SUB_ASK | SUB_IN)

static void appendix_a_holds_in_every_state(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (size_t i = 0; i < STATES; i++) {
            int next = rows[r].want[i].next;
            if (next < 0)
                continue;
            uint8_t listed = (uint8_t)(states[i] | (states[i] & ~SUB_IN ? SUB_LISTED : 0));
            struct sub_step s = sub_step(rows[r].dir, rows[r].type, listed);
            uint8_t want = next == SAME ? states[i] : (uint8_t)next;
            if (s.pass != rows[r].want[i].pass || (s.state & CORE) != want)
                fail_msg("%s, state %zu: pass %d, state %#x", rows[r].clause, i, s.pass, s.state);
        }
    }
}

static void a_granted_request_is_answered_for_the_user(void **state) /* RFC 6121 3.1.3 */
{
    (void)state;
    struct sub_step s = sub_step(SUB_INBOUND, PRESENCE_SUBSCRIBE, B | SUB_LISTED);
    assert_true(s.answer);
    assert_false(s.pass);
    assert_int_equal(s.state & CORE, B);
    assert_false(sub_step(SUB_INBOUND, PRESENCE_SUBSCRIBE, T | SUB_LISTED).answer);
}

static void a_pre_approved_request_is_granted_unseen(void **state) /* RFC 6121 3.4 */
{
    (void)state;
    struct sub_step s = sub_step(SUB_OUTBOUND, PRESENCE_SUBSCRIBED, N);
    assert_false(s.pass);
    assert_int_equal(s.state, SUB_APPROVED | SUB_LISTED);
    s = sub_step(SUB_INBOUND, PRESENCE_SUBSCRIBE, s.state);
    assert_true(s.answer);
    assert_false(s.pass);
    assert_int_equal(s.state, SUB_FROM | SUB_LISTED);
}

static void an_unsubscribed_cancels_a_pre_approval(void **state) /* RFC 6121 3.4.1 */
{
    (void)state;
    struct sub_step s = sub_step(SUB_OUTBOUND, PRESENCE_UNSUBSCRIBED, SUB_APPROVED | SUB_LISTED);
    assert_false(s.pass);
    assert_int_equal(s.state, SUB_LISTED);
}

static void subscribing_lists_the_contact_and_being_asked_does_not(void **state) /* RFC 6121 3.1.2, 3.1.3 */
{
    (void)state;
    assert_int_equal(sub_step(SUB_OUTBOUND, PRESENCE_SUBSCRIBE, N).state, SUB_ASK | SUB_LISTED);
    assert_int_equal(sub_step(SUB_INBOUND, PRESENCE_SUBSCRIBE, N).state, SUB_IN);
}

static struct store *open_store(char path[64])
{
    struct store *store = NULL;
    struct why why;
    struct store_conf conf = { .path = path, .create = true };
    strcpy(path, "/tmp/bulkhead-roster-XXXXXX");
    assert_non_null(mkdtemp(path));
    strcat(path, "/r.db");
    assert_int_equal(store_open(NULL, NULL, &conf, NULL, NULL, &store, &why), RC_OK);
    return store;
}

static void take_rows(void *ctx, const struct store_result *r)
{
    roster_load(ctx, r);
}

static void a_roster_read_back_is_the_one_that_was_written(void **state)
{
    (void)state;
    char path[64];
    struct store *store = open_store(path);
    struct roster r = { 0 }, again = { 0 };
    struct slice name = SLICE("Juliet"), groups = SLICE("Friends\nVerona\n"), request = SLICE("<presence/>");
    store_run(store, STMT_DOMAIN_ADD, STORE_VALUES(STORE_T(SLICE("e.net")), STORE_I(0)), NULL, NULL);
    store_run(store, STMT_ACCOUNT_ADD,
              STORE_VALUES(STORE_T(SLICE("e.net")), STORE_T(SLICE("r")), STORE_I(0), STORE_I(1)), NULL, NULL);
    roster_set(&r, store, 1, &(struct roster_change){ SLICE("z@e.net"), NULL, NULL, &request, SUB_IN });
    roster_set(&r, store, 1,
               &(struct roster_change){ SLICE("a@e.net"), &name, &groups, NULL, SUB_TO | SUB_LISTED });
    roster_set(&r, store, 1, &(struct roster_change){ SLICE("m@e.net"), NULL, NULL, NULL, SUB_LISTED });
    roster_remove(&r, store, 1, SLICE("m@e.net"));
    assert_int_equal(r.version, 4);
    store_run(store, STMT_ROSTER_ALL, STORE_VALUES(STORE_I(1)), take_rows, &again);
    assert_int_equal(again.n, 2);
    const struct roster_item *a = roster_find(&again, SLICE("a@e.net")),
                             *z = roster_find(&again, SLICE("z@e.net"));
    assert_non_null(a);
    assert_non_null(z);
    assert_true(slice_eq(roster_item_name(a), name) && slice_eq(roster_item_groups(a), groups));
    assert_int_equal(a->state, SUB_TO | SUB_LISTED);
    assert_true(slice_eq(roster_item_request(z), request));
    assert_int_equal(roster_state(&again, SLICE("m@e.net")), 0);
    /* a second change keeps what it does not name; answering forgets the request */
    roster_set(&r, store, 1,
               &(struct roster_change){ SLICE("a@e.net"), NULL, NULL, NULL, SUB_TO | SUB_FROM | SUB_LISTED });
    assert_true(slice_eq(roster_item_name(roster_find(&r, SLICE("a@e.net"))), name));
    roster_set(&r, store, 1,
               &(struct roster_change){ SLICE("z@e.net"), NULL, NULL, NULL, SUB_FROM | SUB_LISTED });
    assert_int_equal(roster_find(&r, SLICE("z@e.net"))->request_len, 0);
    roster_fini(&r);
    roster_fini(&again);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appendix_a_holds_in_every_state),
        cmocka_unit_test(a_granted_request_is_answered_for_the_user),
        cmocka_unit_test(a_pre_approved_request_is_granted_unseen),
        cmocka_unit_test(an_unsubscribed_cancels_a_pre_approval),
        cmocka_unit_test(subscribing_lists_the_contact_and_being_asked_does_not),
        cmocka_unit_test(a_roster_read_back_is_the_one_that_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
