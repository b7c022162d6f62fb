#include "httpgw/webfile.h"

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '+' || c == '@';
}

bool webfile_name_ok(struct slice name)
{
    if (!name.len || name.len > WEBFILE_NAME_MAX || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.p[i]))
            return false;
    }
    return true;
}

static bool ends_in(struct slice name, const char *end)
{
    size_t len = strlen(end);
    return name.len > len && slice_eq_nocase(slice_from(name, name.len - len), slice_of(end, len));
}

bool webfile_is_gzip(struct slice name)
{
    return ends_in(name, ".gz");
}

const char *webfile_type(struct slice name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        { ".html", "text/html; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" }, /* RFC 9239 */
        { ".mjs", "text/javascript; charset=utf-8" },
        { ".json", "application/json" },
        { ".webmanifest", "application/manifest+json" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".ico", "image/vnd.microsoft.icon" },
        { ".wasm", "application/wasm" },
        { ".woff2", "font/woff2" },
        { ".ttf", "font/ttf" },
        { ".txt", "text/plain; charset=utf-8" },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (ends_in(name, types[i].end))
            return types[i].type;
    }
    return "application/octet-stream";
}

bool webfile_known(struct slice if_none_match, struct slice etag)
{
    struct slice rest = if_none_match, each;
    while (slice_split(&rest, ',', &each)) {
        each = slice_trim(each);
        if (slice_starts(each, SLICE("W/"))) /* 8.8.3.2: compared weakly */
            each = slice_from(each, 2);
        if (slice_eq(each, etag) || slice_is(each, "*"))
            return true;
    }
    return false;
}

/* ";q=0.000" is no, whatever stands before it (12.4.2). */
static bool is_refused(struct slice params)
{
    struct slice each;
    while (slice_split(&params, ';', &each)) {
        each = slice_trim(each);
        if (each.len < 2 || !slice_eq_nocase(slice_to(each, 2), SLICE("q=")))
            continue;
        bool zero = true;
        for (size_t i = 2; i < each.len; i++)
            zero &= each.p[i] == '0' || each.p[i] == '.';
        return zero;
    }
    return false;
}

bool webfile_takes_gzip(struct slice accept_encoding)
{
    struct slice rest = accept_encoding, each, coding;
    bool any = false;
    while (slice_split(&rest, ',', &each)) {
        if (!slice_split(&each, ';', &coding))
            continue;
        coding = slice_trim(coding);
        if (slice_eq_nocase(coding, SLICE("gzip")) || slice_eq_nocase(coding, SLICE("x-gzip")))
            return !is_refused(each);
        any |= slice_is(coding, "*") && !is_refused(each);
    }
    return any;
}
