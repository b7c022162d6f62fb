/* sessman/numbers.h - numbers for rows, assigned here and never used twice, not even after the row has gone or the process has died
 *
 * Taken from the store a block at a time: a meta row says from where on none was given yet. */
#ifndef SESSMAN_NUMBERS_H
#define SESSMAN_NUMBERS_H

#include "sessman/sessman.h"

struct numbers {
    struct sessman *sm;
    const char *name; /* of the meta row; a literal */
    uint64_t next, top;
};
/* Asks the store; they are known before the answer to any statement that is given after this. */
void numbers_load(struct numbers *n, struct sessman *sm, const char *name);
uint64_t numbers_next(struct numbers *n);
/* A meta row of eight bytes, big-endian. False: it is not there, or 0. */
bool numbers_row_read(const struct store_result *res, uint64_t *out);
void numbers_row_write(struct sessman *sm, const char *name, uint64_t value);

#endif
