/* common/xmpp/delay.c */
#include "common/xmpp/delay.h"

#include "common/xmpp/ns.h"
#include <time.h>

static const int64_t LAST_MS = 253402300799999; /* 9999-12-31T23:59:59.999Z */

struct slice time_write(struct arena *a, int64_t wall_ms)
{
    struct tm tm;
    wall_ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    time_t s = (time_t)(wall_ms / 1000);
    gmtime_r(&s, &tm);
    return arena_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                     tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
}

/* Takes n digits and the character behind them ('\0': none), as in "2026-". */
static bool digits_take(struct slice *rest, size_t n, char behind, int *out)
{
    uint64_t value;
    size_t len = n + (behind != '\0');
    if (rest->len < len || slice_u64(slice_to(*rest, n), 9999, &value) != RC_OK ||
        (behind && rest->p[n] != behind))
        return false;
    *out = (int)value;
    *rest = slice_from(*rest, len);
    return true;
}

/* ".112", any number of digits, of which three count. */
static bool fraction_take(struct slice *rest, int *ms)
{
    int scale = 100;
    *ms = 0;
    if (rest->len == 0 || *rest->p != '.')
        return true;
    *rest = slice_from(*rest, 1);
    size_t n = 0;
    for (; n < rest->len && rest->p[n] >= '0' && rest->p[n] <= '9'; n++, scale /= 10)
        *ms += (rest->p[n] - '0') * scale;
    *rest = slice_from(*rest, n);
    return n > 0;
}

/* "Z", "+01:00". */
static bool zone_take(struct slice rest, int *minutes)
{
    int h, m;
    *minutes = 0;
    if (slice_eq(rest, SLICE("Z")))
        return true;
    if (rest.len != 6 || (*rest.p != '+' && *rest.p != '-'))
        return false;
    bool west = *rest.p == '-';
    rest = slice_from(rest, 1);
    if (!digits_take(&rest, 2, ':', &h) || !digits_take(&rest, 2, '\0', &m) || h > 23 || m > 59)
        return false;
    *minutes = (west ? -1 : 1) * (h * 60 + m);
    return true;
}

static bool is_real(const struct tm *tm) /* the date exists */
{
    struct tm copy = *tm;
    if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59)
        return false;
    timegm(&copy);
    return copy.tm_mon == tm->tm_mon && copy.tm_mday == tm->tm_mday;
}

enum rc time_read(struct slice text, int64_t *wall_ms)
{
    struct tm tm = { 0 };
    int ms, minutes;
    if (!digits_take(&text, 4, '-', &tm.tm_year) || !digits_take(&text, 2, '-', &tm.tm_mon) ||
        !digits_take(&text, 2, 'T', &tm.tm_mday) || !digits_take(&text, 2, ':', &tm.tm_hour) ||
        !digits_take(&text, 2, ':', &tm.tm_min) || !digits_take(&text, 2, '\0', &tm.tm_sec) ||
        !fraction_take(&text, &ms) || !zone_take(text, &minutes))
        return RC_SYNTAX;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!is_real(&tm))
        return RC_SYNTAX;
    int64_t at = ((int64_t)timegm(&tm) - (int64_t)minutes * 60) * 1000 + ms;
    *wall_ms = at < 0 ? 0 : at > LAST_MS ? LAST_MS : at;
    return *wall_ms == at ? RC_OK : RC_LIMIT;
}

void delay_add(struct arena *a, struct node *stanza, struct slice from, int64_t wall_ms, const char *text)
{
    struct node *delay = node_add(a, stanza, "delay", NS_DELAY);
    if (from.len)
        node_set(a, delay, "from", from);
    node_set(a, delay, "stamp", time_write(a, wall_ms));
    if (text)
        node_add_text(a, delay, slice_cstr(text));
}
