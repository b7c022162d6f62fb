/* sessman/journalid.c - a row's id as others see it (XEP-0359), and the hash of an address: both keyed, so
 * neither tells anything
 *
 * The id is the position through a Feistel network of four rounds over its two halves. */
#include <sodium.h>
#include "sessman/journalin.h"

static uint32_t round_of(const uint8_t key[16], uint32_t half)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t n;
    crypto_shorthash(out, (const unsigned char *)&half, sizeof half, key);
    memcpy(&n, out, sizeof n);
    return n;
}

void journal_id_write(const struct sessman *sm, uint64_t pos, char out[JOURNAL_ID_LEN])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t left = (uint32_t)(pos >> 32), right = (uint32_t)pos;
    for (int i = 0; i < 4; i++) {
        uint32_t next = left ^ round_of(sm->journal->id_keys[i], right);
        left = right;
        right = next;
    }
    uint64_t id = (uint64_t)left << 32 | right;
    for (int i = JOURNAL_ID_LEN; i-- > 0; id >>= 4)
        out[i] = digits[id & 15];
}

bool journal_id_read(const struct sessman *sm, struct slice id, uint64_t *pos)
{
    uint64_t n = 0;
    if (id.len != JOURNAL_ID_LEN)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    uint32_t left = (uint32_t)(n >> 32), right = (uint32_t)n;
    for (int i = 4; i-- > 0;) {
        uint32_t before = right ^ round_of(sm->journal->id_keys[i], left);
        right = left;
        left = before;
    }
    *pos = (uint64_t)left << 32 | right;
    return *pos && *pos <= INT64_MAX;
}

int64_t journal_peer(const struct sessman *sm, struct slice bare)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t n;
    crypto_shorthash(out, (const unsigned char *)(bare.len ? bare.p : ""), bare.len, sm->journal->peer_key);
    memcpy(&n, out, sizeof n);
    return (int64_t)(n >> 1);
}

void journal_id_add(const struct sessman *sm, struct arena *a, struct node *stanza, struct slice bare,
                    uint64_t pos)
{
    char id[JOURNAL_ID_LEN];
    struct node *n = node_add(a, stanza, "stanza-id", NS_STANZA_ID);
    journal_id_write(sm, pos, id);
    node_set(a, n, "by", bare);
    node_set(a, n, "id", arena_copy(a, slice_of(id, sizeof id)));
}

static void derive(uint8_t out[16], const struct sessman *sm, const char *what)
{
    crypto_generichash(out, 16, (const unsigned char *)what, strlen(what), sm->secret, sizeof sm->secret);
}

void journal_make_keys(struct journal *j)
{
    static const char *const rounds[4] = { "journal id 0", "journal id 1", "journal id 2", "journal id 3" };
    for (int i = 0; i < 4; i++)
        derive(j->id_keys[i], j->sm, rounds[i]);
    derive(j->peer_key, j->sm, "journal peer");
}
