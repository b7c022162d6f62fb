/* common/base/rc.c */
#include "common/base/rc.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

const char *rc_name(enum rc rc)
{
    static const char *const names[] = {
        [RC_OK] = "ok",
        [RC_AGAIN] = "again",
        [RC_SYNTAX] = "syntax",
        [RC_LIMIT] = "limit",
        [RC_NOTFOUND] = "notfound",
        [RC_EXISTS] = "exists",
        [RC_DENIED] = "denied",
        [RC_UNSUPPORTED] = "unsupported",
        [RC_CONFLICT] = "conflict",
        [RC_IO] = "io",
        [RC_TIMEOUT] = "timeout",
        [RC_CLOSED] = "closed",
    };
    size_t at = (size_t)rc;
    return at < sizeof names / sizeof names[0] ? names[at] : "unknown";
}

/* Length of text without a multi-byte character that the cut left incomplete at its end. */
static size_t whole_characters(const char *text, size_t len)
{
    size_t tail = 0;
    while (tail < len && tail < 4 && ((unsigned char)text[len - 1 - tail] & 0xC0U) == 0x80U)
        tail++;
    if (tail == len || tail == 4)
        return len;
    unsigned char lead = (unsigned char)text[len - 1 - tail];
    size_t need = lead >= 0xF0U ? 3 : lead >= 0xE0U ? 2 : lead >= 0xC0U ? 1 : 0;
    return need > tail ? len - 1 - tail : len;
}

void why_set(struct why *why, const char *fmt, ...)
{
    if (!why)
        return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    if (n < 0) {
        why->text[0] = '\0';
        return;
    }
    size_t len = (size_t)n;
    if (len >= sizeof why->text)
        len = whole_characters(why->text, sizeof why->text - 1);
    why->text[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)why->text[i] < 0x20 || why->text[i] == 0x7f)
            why->text[i] = '?';
    }
}
