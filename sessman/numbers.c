#include "sessman/numbers.h"

enum { BLOCK = 1 << 20 };

bool numbers_row_read(const struct store_result *res, uint64_t *out)
{
    if (res->rows != 1 || store_row(res, 0)[0].s.len != 8)
        return false;
    const uint8_t *p = (const uint8_t *)store_row(res, 0)[0].s.p;
    *out = 0;
    for (int i = 0; i < 8; i++)
        *out = *out << 8 | p[i];
    return *out != 0;
}

void numbers_row_write(struct sessman *sm, const char *name, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    store_run(sm->store, STMT_META_SET,
              STORE_VALUES(STORE_T(slice_cstr(name)), STORE_B(slice_of((const char *)bytes, 8))), NULL, NULL);
}

static void on_top(void *ctx, const struct store_result *res)
{
    struct numbers *n = ctx;
    if (!numbers_row_read(res, &n->next))
        n->next = 1;
    n->top = n->next;
}

void numbers_load(struct numbers *n, struct sessman *sm, const char *name)
{
    n->sm = sm;
    n->name = name;
    store_run(sm->store, STMT_META_GET, STORE_VALUES(STORE_T(slice_cstr(name))), on_top, n);
}

uint64_t numbers_next(struct numbers *n)
{
    if (n->next == n->top) {
        n->top += BLOCK;
        numbers_row_write(n->sm, n->name, n->top);
    }
    return n->next++;
}
