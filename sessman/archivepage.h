/* sessman/archivepage.h - a page out of an account's archive, in the order of the journal (XEP-0313 3, XEP-0059)
 *
 * What a page costs does not depend on the size of the archive: positions bound the rows, times are turned into positions by
 * landmarks, an address into a key of the index. Only a full JID is looked for in the stanzas themselves, a part of the archive at a
 * time. Nothing is counted but what is asked for alone (RSM 2.7), and no further than ARCHIVE_COUNT_MAX. */
#ifndef SESSMAN_ARCHIVEPAGE_H
#define SESSMAN_ARCHIVEPAGE_H

#include "common/xmpp/mam.h"
#include "sessman/sessman.h"

struct account;

#define ARCHIVE_PAGE_MAX 250                /* rows of a page */
#define ARCHIVE_PAGE_ROWS 50                /* of one for which no number was asked */
#define ARCHIVE_PAGE_BYTES STORE_PAGE_BYTES /* over it no further row is added */
#define ARCHIVE_COUNT_MAX 1000              /* a larger result is not counted */

struct archive_row {
    uint64_t pos;
    int64_t at_ms;
    struct slice stanza; /* as in journal.stanza */
};
struct archive_page {
    struct sessman *sm;
    struct arena *a;      /* everything of the page lives there */
    enum rc rc;           /* RC_OK; RC_NOTFOUND: an id that was named is not in the archive; RC_IO: the store said no */
    struct archive_row *rows;
    size_t n;
    bool complete;        /* no further rows in the direction of the page */
    bool has_count;
    uint64_t count;       /* rows of the whole result */
    /* private */
    void (*done)(void *ctx, struct archive_page *page);
    void *ctx;
    int64_t account;
    const struct mam_query *q;
    int64_t low, high;    /* positions, both exclusive: what is left to read */
    int64_t must[4];      /* rows that were named as bounds: they have to be there */
    size_t n_must;
    int64_t *ids;         /* `ids` as positions, each once, in the order of reading; NULL: not asked for */
    size_t n_ids, at_id;
    size_t max, bytes;    /* rows wanted; of stanzas so far */
    size_t wanted, got;   /* rows asked for and read in this step */
    unsigned pending;     /* statements of it */
    bool backwards;
    bool by_peer;         /* through the index of the other side's addresses */
    bool in_stanza;       /* `with` is a full JID: to be compared in the stanza */
    struct slice needle;  /* what stands in the bytes of every stanza that has it as an attribute */
    bool full, cut;
};
/* Prepares a page for q, which lives in a. RC_NOTFOUND: an id is none of ours. */
MUST_USE enum rc archive_page_init(struct archive_page *page, struct sessman *sm, struct arena *a, const struct account *account,
                                   const struct mam_query *q);
/* Reads it: done is called once, later, on the loop. */
void archive_page_read(struct archive_page *page, void (*done)(void *ctx, struct archive_page *page), void *ctx);

#endif
