/* httpgw/element.c */
#include "httpgw/element.h"

#include "common/xmpp/ns.h"

/* "<message": where the name ends. */
static size_t name_end(struct slice s)
{
    size_t at = 1;
    while (at < s.len && s.p[at] != ' ' && s.p[at] != '/' && s.p[at] != '>')
        at++;
    return at < s.len ? at : s.len;
}

static bool uses_stream(const struct slice *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memmem(pieces[i].p, pieces[i].len, "<stream:", 8))
            return true;
    }
    return false;
}

size_t element_pieces(const struct slice *pieces, size_t n, bool stream, struct slice *out)
{
    size_t at = n ? name_end(pieces[0]) : 0, k = 0;
    if (!n)
        return 0;
    struct slice name = slice_from(slice_to(pieces[0], at), 1);
    out[k++] = slice_to(pieces[0], at);
    if (slice_is(name, "message") || slice_is(name, "presence") || slice_is(name, "iq"))
        out[k++] = SLICE(" xmlns='" NS_CLIENT "'");
    if (!stream && uses_stream(pieces, n))
        out[k++] = SLICE(" xmlns:stream='" NS_STREAM "'");
    out[k++] = slice_from(pieces[0], at);
    for (size_t i = 1; i < n; i++)
        out[k++] = pieces[i];
    return k;
}
