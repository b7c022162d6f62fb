/* test/unit/test_node.c */
#include "common/xmpp/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

/* <a k='1'>one<b xmlns='urn:b'/>two<c/><b xmlns='urn:c'/></a> */
static struct node *sample(struct arena *a)
{
    struct node *n = node_new(a, "a", "urn:a");
    node_set(a, n, "k", SLICE("1"));
    node_add_text(a, n, SLICE("one"));
    node_add(a, n, "b", "urn:b");
    node_add_text(a, n, SLICE("two"));
    node_add(a, n, "c", NULL);
    node_add(a, n, "b", "urn:c");
    return n;
}

static void children_are_found_by_name_and_namespace(void **state)
{
    struct node *n = sample(*state);
    assert_true(node_is(n, "a", "urn:a"));
    assert_false(node_is(n, "a", "urn:b"));
    assert_false(node_is(NULL, "a", NULL));
    assert_true(node_is(node_find(n, "b", NULL), "b", "urn:b"));
    assert_true(node_is(node_find(n, "b", "urn:c"), "b", "urn:c"));
    assert_true(node_is(node_find(n, NULL, "urn:a"), "c", "urn:a"));
    assert_null(node_find(n, "d", NULL));
    assert_null(node_find(NULL, "b", NULL));
    assert_ptr_equal(node_find_next(node_find(n, "b", NULL), "b", NULL), n->last);
    assert_null(node_find_next(n->last, NULL, NULL));
}

static void text_is_not_an_element(void **state)
{
    struct node *n = sample(*state);
    assert_int_equal(node_children(n), 3);
    assert_true(node_is(node_child(n), "b", NULL));
    assert_true(node_is(node_sibling(node_child(n)), "c", NULL));
    assert_int_equal(node_children(NULL), 0);
}

static void text_is_joined(void **state)
{
    struct node *n = sample(*state);
    assert_true(slice_is(node_text(*state, n), "onetwo"));
    assert_int_equal(node_text(*state, node_child(n)).len, 0);
    assert_int_equal(node_text(*state, NULL).len, 0);
    struct node *one = node_add(*state, n, "t", NULL);
    struct slice text = SLICE("whole");
    node_add_text(*state, one, SLICE_NONE);
    node_add_text(*state, one, text);
    assert_ptr_equal(node_child_text(*state, n, "t", "urn:a").p, text.p);
}

static void attributes_have_namespaces(void **state)
{
    struct node *n = sample(*state);
    assert_true(slice_is(node_attr(n, "k"), "1"));
    assert_false(node_has(n, "x"));
    node_set_ns(*state, n, "k", "urn:k", SLICE("2"));
    node_set(*state, n, "k", SLICE("3"));
    assert_true(slice_is(node_attr(n, "k"), "3"));
    assert_true(slice_is(node_attr_ns(n, "k", "urn:k"), "2"));
    node_unset(n, "k");
    assert_false(node_has(n, "k"));
    assert_true(slice_is(node_attr_ns(n, "k", "urn:k"), "2"));
    node_set(*state, n, "e", SLICE(""));
    assert_true(node_has(n, "e"));
    node_set(*state, n, "k", SLICE("4"));
    node_unset(n, "k");
    assert_true(slice_is(node_attr_ns(n, "k", "urn:k"), "2") && !node_has(n, "k"));
}

static void any_child_can_be_taken_out(void **state)
{
    for (int which = 0; which < 5; which++) {
        struct node *n = sample(*state), *c = n->first;
        for (int i = 0; i < which; i++)
            c = c->next;
        node_unlink(c);
        node_unlink(c);
        assert_null(c->parent);
        int left = 0;
        for (struct node *k = n->first; k; k = k->next) {
            assert_ptr_not_equal(k, c);
            left++;
            if (!k->next)
                assert_ptr_equal(k, n->last);
        }
        assert_int_equal(left, 4);
        node_append(n, c);
        assert_ptr_equal(n->last, c);
    }
    struct node *n = node_new(*state, "n", NULL);
    node_unlink(node_add(*state, n, "only", NULL));
    assert_null(n->first);
    assert_null(n->last);
}

static void same(const struct node *x, const struct node *y)
{
    assert_true(slice_eq(x->name, y->name) && slice_eq(x->ns, y->ns) && slice_eq(x->text, y->text));
    const struct node *c = x->first, *d = y->first;
    for (; c && d; c = c->next, d = d->next) {
        assert_ptr_equal(d->parent, y);
        same(c, d);
    }
    assert_true(!c && !d);
}

static void a_copy_shares_nothing(void **state)
{
    struct arena *other = arena_new(1024, 0);
    struct node *n = sample(*state), *deep = node_find(n, "c", NULL);
    for (int i = 0; i < 1000; i++)
        deep = node_add(*state, deep, "d", NULL);
    node_add_text(*state, deep, SLICE("bottom"));
    struct node *copy = node_copy(other, n);
    same(n, copy);
    assert_ptr_not_equal(copy->name.p, n->name.p);
    assert_ptr_not_equal(node_attr(copy, "k").p, node_attr(n, "k").p);
    assert_null(copy->parent);
    arena_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(children_are_found_by_name_and_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_not_an_element, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(attributes_have_namespaces, setup, teardown),
        cmocka_unit_test_setup_teardown(any_child_can_be_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_shares_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
