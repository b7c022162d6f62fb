/* common/base/logring.c */
#include "common/base/logring.h"

static char at(const struct logring *r, size_t i)
{
    return r->bytes[(r->first + i) % LOGRING_BYTES];
}

static void drop_oldest(struct logring *r)
{
    size_t n = 0;
    while (at(r, n) != '\n')
        n++;
    r->first = (r->first + n + 1) % LOGRING_BYTES;
    r->len -= n + 1;
}

static void add(struct logring *r, const char *p, size_t n)
{
    size_t to = (r->first + r->len) % LOGRING_BYTES, part = LOGRING_BYTES - to;
    if (part > n)
        part = n;
    memcpy(r->bytes + to, p, part);
    memcpy(r->bytes, p + part, n - part);
    r->len += n;
}

void logring_put(struct logring *r, unsigned grade, struct slice line)
{
    char digit = (char)('0' + (grade < 10 ? grade : 9));
    line = slice_utf8_cut(line, LOGRING_LINE_MAX);
    ptrdiff_t end = slice_find(line, '\n');
    if (end >= 0)
        line = slice_to(line, (size_t)end);
    while (LOGRING_BYTES - r->len < line.len + 2)
        drop_oldest(r);
    add(r, &digit, 1);
    add(r, line.p, line.len);
    add(r, "\n", 1);
}

/* Looks at the lines from the oldest on: how many there are of this grade, without the first `skip` written
 * to out. */
static size_t walk(const struct logring *r, unsigned grade, size_t skip, struct buf *out)
{
    size_t found = 0;
    bool fits = false, begins = true;
    for (size_t i = 0; i < r->len; i++) {
        char c = at(r, i);
        if (begins) {
            fits = (unsigned)(c - '0') <= grade;
            found += fits;
        } else if (fits && out && found > skip) {
            buf_byte(out, c);
        }
        begins = c == '\n';
    }
    return found;
}

void logring_get(const struct logring *r, unsigned grade, size_t most, struct buf *out)
{
    size_t n = walk(r, grade, 0, NULL);
    walk(r, grade, n > most ? n - most : 0, out);
}
