#include "sessman/roster.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void item_free(const struct roster *r, struct roster_item *item)
{
    const char *p = (const char *)item;
    if (!r->block || p < r->block || p >= r->block + r->block_len)
        mem_free(item);
}

void roster_fini(struct roster *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        item_free(r, r->items[i]);
    mem_free(r->items);
    mem_free(r->block);
    *r = (struct roster){ 0 };
}

/* Index of jid, or where it would stand. */
static uint32_t roster_at(const struct roster *r, struct slice jid, bool *found)
{
    uint32_t lo = 0, hi = r->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = slice_cmp(roster_item_jid(r->items[mid]), jid);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return lo;
}

struct roster_item *roster_find(const struct roster *r, struct slice jid)
{
    bool found;
    uint32_t at = roster_at(r, jid, &found);
    return found ? r->items[at] : NULL;
}

uint8_t roster_state(const struct roster *r, struct slice jid)
{
    const struct roster_item *item = roster_find(r, jid);
    return item ? item->state : 0;
}

uint32_t roster_listed(const struct roster *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++)
        n += (r->items[i]->state & SUB_LISTED) != 0;
    return n;
}

/* Bytes as XML: all of it escaped that may have to be, each group in its tags. */
static size_t text_size(struct slice s)
{
    size_t n = s.len;
    for (size_t i = 0; i < s.len; i++)
        n += s.p[i] == '\n' ? 16 : strchr("&<>\"'", s.p[i]) != NULL ? 5 : 0;
    return n;
}

static size_t xml_size(struct slice jid, struct slice name, struct slice groups)
{
    return 96 + text_size(jid) + text_size(name) + text_size(groups);
}

bool roster_has_room(const struct roster *r, uint32_t items_max, struct slice jid, struct slice name,
                     struct slice groups)
{
    bool found;
    size_t size = xml_size(jid, name, groups);
    uint32_t at = roster_at(r, jid, &found), listed = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        const struct roster_item *item = r->items[i];
        if ((found && i == at) || !(item->state & SUB_LISTED))
            continue;
        listed++;
        size += xml_size(roster_item_jid(item), roster_item_name(item), roster_item_groups(item));
    }
    return listed < items_max && size <= ROSTER_XML_MAX;
}

static size_t item_size(struct slice jid, struct slice name, struct slice groups, struct slice request)
{
    size_t size = sizeof(struct roster_item) + jid.len + name.len + groups.len + request.len;
    return (size + _Alignof(struct roster_item) - 1) & ~(_Alignof(struct roster_item) - 1);
}

/* In memory of item_size bytes. */
static struct roster_item *item_write(void *at, struct slice jid, struct slice name, struct slice groups,
                                      struct slice request, uint8_t state)
{
    struct roster_item *item = at;
    item->state = state;
    item->jid_len = (uint16_t)jid.len;
    item->name_len = (uint16_t)name.len;
    item->groups_len = (uint16_t)groups.len;
    item->request_len = (uint16_t)request.len;
    char *p = item->bytes;
    const struct slice parts[] = { jid, name, groups, request };
    for (size_t i = 0; i < 4; i++) {
        if (parts[i].len)
            memcpy(p, parts[i].p, parts[i].len);
        p += parts[i].len;
    }
    return item;
}

static struct roster_item *item_new(struct slice jid, struct slice name, struct slice groups,
                                    struct slice request, uint8_t state)
{
    return item_write(mem_new(item_size(jid, name, groups, request)), jid, name, groups, request, state);
}

static void roster_put(struct roster *r, struct roster_item *item)
{
    bool found;
    uint32_t at = roster_at(r, roster_item_jid(item), &found);
    if (found) {
        item_free(r, r->items[at]);
        r->items[at] = item;
        return;
    }
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap + r->cap / 2 + 1 : 4;
        r->items = mem_resize(r->items, r->cap * sizeof(struct roster_item *));
    }
    memmove(r->items + at + 1, r->items + at, (r->n - at) * sizeof(struct roster_item *));
    r->items[at] = item;
    r->n++;
}

static void roster_take_out(struct roster *r, struct slice jid)
{
    bool found;
    uint32_t at = roster_at(r, jid, &found);
    if (!found)
        return;
    item_free(r, r->items[at]);
    memmove(r->items + at, r->items + at + 1, (r->n - at - 1) * sizeof(struct roster_item *));
    r->n--;
}

static int item_cmp(const void *a, const void *b)
{
    return slice_cmp(roster_item_jid(*(struct roster_item *const *)a),
                     roster_item_jid(*(struct roster_item *const *)b));
}

/* Values of a row that are out of range are cut rather than believed: a database row is outside input too. */
static struct slice column(const struct store_value *v)
{
    return v->type == STORE_NULL ? SLICE_NONE : slice_to(v->s, UINT16_MAX);
}

void roster_load(struct roster *r, const struct store_result *rows)
{
    r->items = rows->rows ? mem_array(rows->rows, sizeof(struct roster_item *)) : NULL;
    r->cap = (uint32_t)rows->rows;
    for (size_t i = 0; i < rows->rows; i++) {
        const struct store_value *v = store_row(rows, i);
        r->block_len += item_size(slice_to(v[0].s, JID_MAX), column(&v[1]), column(&v[3]), column(&v[4]));
    }
    r->block = r->block_len ? mem_new(r->block_len) : NULL;
    char *at = r->block;
    for (size_t i = 0; i < rows->rows; i++) {
        const struct store_value *v = store_row(rows, i);
        struct slice jid = slice_to(v[0].s, JID_MAX), name = column(&v[1]), groups = column(&v[3]),
                     request = column(&v[4]);
        r->items[r->n++] = item_write(at, jid, name, groups, request, (uint8_t)(v[2].i & 0x3f));
        at += item_size(jid, name, groups, request);
    }
    if (r->n)
        qsort(r->items, r->n, sizeof(struct roster_item *), item_cmp);
}

static uint64_t version_write(struct roster *r, struct store *store, int64_t account)
{
    r->version++;
    return store_run(store, STMT_ROSTER_VERSION, STORE_VALUES(STORE_I(account), STORE_I(r->version)), NULL,
                     NULL);
}

uint64_t roster_remove(struct roster *r, struct store *store, int64_t account, struct slice jid)
{
    store_run(store, STMT_ROSTER_DEL, STORE_VALUES(STORE_I(account), STORE_T(jid)), NULL, NULL);
    roster_take_out(r, jid);
    return version_write(r, store, account);
}

uint64_t roster_set(struct roster *r, struct store *store, int64_t account, const struct roster_change *c)
{
    if (!c->state)
        return roster_remove(r, store, account, c->jid);
    const struct roster_item *old = roster_find(r, c->jid);
    struct slice none = SLICE_NONE;
    struct slice name = c->name ? *c->name : old ? roster_item_name(old) : none;
    struct slice groups = c->groups ? *c->groups : old ? roster_item_groups(old) : none;
    struct slice request = c->request ? *c->request : old ? roster_item_request(old) : none;
    struct roster_item *item = item_new(c->jid, name, groups, c->state & SUB_IN ? request : none, c->state);
    store_run(store, STMT_ROSTER_SET,
              STORE_VALUES(STORE_I(account), STORE_T(roster_item_jid(item)), STORE_T(roster_item_name(item)),
                           STORE_I(item->state), STORE_T(roster_item_groups(item)),
                           item->request_len ? STORE_B(roster_item_request(item)) : STORE_N),
              NULL, NULL);
    roster_put(r, item);
    return version_write(r, store, account);
}

/* RFC 6121 appendix A: the stanza has an effect when one of `any` is set and none of `not`; then `set` and
 * `clear`. Where it has none the last column says whether it passes all the same (A.2.1, A.2.2: outbound
 * requests always do). */
static const struct {
    enum sub_dir dir;
    enum stanza_type type;
    uint8_t any, not, set, clear;
    bool pass_anyway;
} sub_rows[] = {
    /* clang-format off */
    { SUB_OUTBOUND, PRESENCE_SUBSCRIBE,    0xff, SUB_TO,            SUB_ASK | SUB_LISTED, 0,                  true  }, /* A.2.1 */
    { SUB_OUTBOUND, PRESENCE_UNSUBSCRIBE,  SUB_TO | SUB_ASK, 0,     0, SUB_TO | SUB_ASK,                      true  }, /* A.2.2 */
    { SUB_OUTBOUND, PRESENCE_SUBSCRIBED,   SUB_IN, 0,               SUB_FROM | SUB_LISTED, SUB_IN | SUB_APPROVED, false }, /* A.2.3 */
    { SUB_OUTBOUND, PRESENCE_UNSUBSCRIBED, SUB_IN | SUB_FROM, 0,    0, SUB_IN | SUB_FROM | SUB_APPROVED,      false }, /* A.2.4 */
    { SUB_INBOUND,  PRESENCE_SUBSCRIBE,    0xff, SUB_IN | SUB_FROM, SUB_IN, 0,                                false }, /* A.3.1 */
    { SUB_INBOUND,  PRESENCE_UNSUBSCRIBE,  SUB_IN | SUB_FROM, 0,    0, SUB_IN | SUB_FROM | SUB_APPROVED,      false }, /* A.3.2 */
    { SUB_INBOUND,  PRESENCE_SUBSCRIBED,   SUB_ASK, 0,              SUB_TO, SUB_ASK,                          false }, /* A.3.3 */
    { SUB_INBOUND,  PRESENCE_UNSUBSCRIBED, SUB_TO | SUB_ASK, 0,     0, SUB_TO | SUB_ASK,                      false }, /* A.3.4 */
    /* clang-format on */
};

struct sub_step sub_step(enum sub_dir dir, enum stanza_type type, uint8_t state)
{
    struct sub_step step = { state, false, false };
    if (dir == SUB_INBOUND && type == PRESENCE_SUBSCRIBE && (state & (SUB_FROM | SUB_APPROVED))) {
        step.answer = true; /* RFC 6121 3.1.3, 3.4.2 */
        step.state = (uint8_t)((state | SUB_FROM | SUB_LISTED) & ~(SUB_IN | SUB_APPROVED));
        return step;
    }
    if (dir == SUB_OUTBOUND && type == PRESENCE_SUBSCRIBED && !(state & (SUB_IN | SUB_FROM))) {
        step.state = (uint8_t)(state | SUB_APPROVED | SUB_LISTED); /* RFC 6121 3.4.1: pre-approval */
        return step;
    }
    for (size_t i = 0; i < sizeof sub_rows / sizeof sub_rows[0]; i++) {
        if (sub_rows[i].dir != dir || sub_rows[i].type != type)
            continue;
        bool any = sub_rows[i].any == 0xff || (state & sub_rows[i].any);
        if (any && !(state & sub_rows[i].not )) {
            step.state = (uint8_t)((state | sub_rows[i].set) & ~sub_rows[i].clear);
            step.pass = true;
        } else {
            step.pass = sub_rows[i].pass_anyway;
            if (dir == SUB_OUTBOUND && type == PRESENCE_UNSUBSCRIBED) /* cancels a pre-approval: 3.4 */
                step.state = (uint8_t)(state & ~SUB_APPROVED);
        }
    }
    return step;
}

const char *sub_name(uint8_t state)
{
    static const char *const names[] = { "none", "to", "from", "both" };
    return names[state & (SUB_TO | SUB_FROM)];
}
