/* test/bench/marks.c - messages with a number and a time in them, and the account of what arrived; see
 * scenes.h */
#include "scenes.h"

#include <stdio.h>
#include <string.h>

#define BODY                                                                                                 \
    "Shall I compare thee to a summer's day? Thou art more lovely and more temperate: rough winds do shake"

void mark_prepare(struct mark_text *t, const struct gen *g, unsigned from, unsigned to)
{
    const struct options *o = &g->opt;
    int head = snprintf(t->head, sizeof(t->head), "<message type='chat' to='%s%u@%s%s%s' id='m%u-", o->prefix,
                        to, gen_domain(g, to), o->full_jid ? "/" : "", o->full_jid ? o->resource : "", from);
    int tail =
        snprintf(t->tail, sizeof(t->tail), "'><body>%s</body>%s</message>", BODY,
                 o->receipts ? "<request xmlns='urn:xmpp:receipts'/>"
                               "<origin-id xmlns='urn:xmpp:sid:0' id='3b0f0c52-9c5e-4a43-8a5f-6f3d1a5b7c01'/>"
                             : "");
    t->head_len = head > 0 && head < (int)sizeof(t->head) ? (size_t)head : 0;
    t->tail_len = tail > 0 && tail < (int)sizeof(t->tail) ? (size_t)tail : 0;
}

static size_t put_uint(char *out, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

void mark_send(struct client *c, const struct mark_text *t, uint32_t number, uint64_t ns)
{
    char text[sizeof(t->head) + sizeof(t->tail) + 48];
    size_t n = t->head_len;
    memcpy(text, t->head, n);
    n += put_uint(text + n, number);
    text[n++] = '-';
    n += put_uint(text + n, ns);
    memcpy(text + n, t->tail, t->tail_len);
    client_send(c, text, n + t->tail_len);
}

/* Reads a number and the "-" after it, if there is one. */
static bool get_uint(const char **p, const char *end, uint64_t *out)
{
    const char *s = *p;
    *out = 0;
    while (*p < end && **p >= '0' && **p <= '9')
        *out = *out * 10 + (uint64_t)(*(*p)++ - '0');
    bool any = *p > s;
    if (*p < end && **p == '-')
        (*p)++;
    return any;
}

bool mark_take(struct mark_end *end, struct mark_sums *sums, const struct element *e, unsigned from,
               uint64_t *ns)
{
    size_t len = 0;
    uint64_t sender, number;
    const char *id = element_attr(e, "id", &len);
    if (element_attr_is(e, "type", "error")) {
        sums->errors++;
        return false;
    }
    const char *p = id ? id + 1 : NULL, *stop = id ? id + len : NULL;
    if (len < 2 || *id != 'm' || !get_uint(&p, stop, &sender) || !get_uint(&p, stop, &number) ||
        !get_uint(&p, stop, ns) || sender != from) {
        sums->stray++;
        return false;
    }
    if (number > end->seen) {
        uint64_t ahead = number - end->seen;
        end->window = ahead < 64 ? end->window << ahead | 1 : 1;
        end->seen = (uint32_t)number;
    } else {
        uint64_t back = end->seen - number;
        if (back >= 64 || end->window >> back & 1) {
            sums->duplicate++;
            return false;
        }
        end->window |= UINT64_C(1) << back;
        sums->reordered++;
    }
    sums->received++;
    return true;
}

void mark_report(const struct mark_sums *sums, struct report *r)
{
    report_uint(r, "sent", sums->sent);
    report_uint(r, "delivered", sums->received);
    report_uint(r, "lost", sums->sent > sums->received ? sums->sent - sums->received : 0);
    report_uint(r, "duplicate", sums->duplicate);
    report_uint(r, "reordered", sums->reordered);
    report_uint(r, "errors", sums->errors);
    report_uint(r, "stray", sums->stray);
}
