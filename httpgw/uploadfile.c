#include "httpgw/uploadfile.h"

#include "common/xmpp/slot.h"
#include <stdio.h>

#define DAY_S 86400
static const char magic[] = "bulkhead upload 1\n";

/* --- where --- */

void uploadfile_path(struct slice token, struct uploadfile_path *out)
{
    uint32_t keep_s = 0;
    char fan = '-';
    if (slot_token_read(token, &keep_s) == RC_OK)
        fan = token.p[SLOT_TOKEN_CHARS - 1];
    else
        token = SLICE("-"); /* the caller's mistake leads nowhere */
    snprintf(out->day, sizeof out->day, "%u", keep_s / DAY_S);
    snprintf(out->folder, sizeof out->folder, "%s/%c", out->day, fan);
    snprintf(out->file, sizeof out->file, "%s/" SLICE_FMT, out->folder, SLICE_ARG(token));
}

bool uploadfile_day_over(struct slice name, int64_t now_s)
{
    uint64_t day;
    if (name.len > UPLOADFILE_DAY_CHARS || slice_u64(name, UINT32_MAX / DAY_S, &day) != RC_OK)
        return false;
    return ((int64_t)day + 1) * DAY_S <= now_s;
}

/* --- what it begins with --- */

void uploadfile_head_write(struct slice name, struct slice type, char out[UPLOADFILE_HEAD])
{
    struct buf b = { out, 0, UPLOADFILE_HEAD, UPLOADFILE_HEAD, false };
    memset(out, 0, UPLOADFILE_HEAD);
    buf_cstr(&b, magic);
    buf_slice(&b, type);
    buf_byte(&b, '\n');
    buf_slice(&b, name);
    buf_byte(&b, '\n');
}

enum rc uploadfile_head_read(struct slice head, struct slice *name, struct slice *type)
{
    struct slice rest = head, n, t;
    if (head.len != UPLOADFILE_HEAD || !slice_starts(head, slice_cstr(magic)))
        return RC_SYNTAX;
    rest = slice_from(rest, strlen(magic));
    if (!slice_split(&rest, '\n', &t) || !slice_split(&rest, '\n', &n) || !slot_name_ok(n) ||
        (t.len && !slot_type_ok(t)))
        return RC_SYNTAX;
    *name = n;
    *type = t;
    return RC_OK;
}

/* --- with which headers --- */

bool uploadfile_type_fits(struct slice signed_type, struct slice sent_type)
{
    return !signed_type.len || !sent_type.len ||
           slice_eq_nocase(slot_type_essence(signed_type), slot_type_essence(sent_type));
}

static bool is_one_of(struct slice essence, const char *const *list)
{
    for (; *list; list++)
        if (slice_eq_nocase(essence, slice_cstr(*list)))
            return true;
    return false;
}

static bool ends_in(struct slice s, struct slice end)
{
    return s.len >= end.len && slice_eq_nocase(slice_from(s, s.len - end.len), end);
}

static bool begins_with(struct slice s, struct slice begin)
{
    return slice_eq_nocase(slice_to(s, begin.len), begin);
}

bool uploadfile_is_inline(struct slice type)
{
    static const char *const shown[] = { "image/jpeg", "image/png",       "image/apng",       "image/gif",
                                         "image/webp", "image/avif",      "image/bmp",        "image/heic",
                                         "image/heif", "image/jxl",       "audio/aac",        "audio/flac",
                                         "audio/mp4",  "audio/mpeg",      "audio/ogg",        "audio/opus",
                                         "audio/wav",  "audio/webm",      "audio/x-m4a",      "audio/x-wav",
                                         "video/3gpp", "video/mp4",       "video/mpeg",       "video/ogg",
                                         "video/webm", "video/quicktime", "video/x-matroska", NULL };
    return slot_type_ok(type) && is_one_of(slot_type_essence(type), shown);
}

struct slice uploadfile_type_served(struct slice type)
{
    static const struct slice unknown = SLICE_INIT("application/octet-stream");
    static const char *const texts[] = { "text/plain", "text/csv",      "text/markdown",
                                         "text/vcard", "text/calendar", NULL };
    struct slice e = slot_type_essence(type);
    if (!type.len || !slot_type_ok(type))
        return unknown;
    if (begins_with(e, SLICE("text/")))
        return is_one_of(e, texts) ? type : unknown;
    if (begins_with(e, SLICE("image/")) || begins_with(e, SLICE("audio/")) || begins_with(e, SLICE("video/")))
        return ends_in(e, SLICE("xml")) || ends_in(e, SLICE("svg")) ? unknown : type;
    static const char *const active[] = { "application/javascript",
                                          "application/ecmascript",
                                          "application/x-javascript",
                                          "application/wasm",
                                          "application/x-shockwave-flash",
                                          "application/java-archive",
                                          NULL };
    if (!begins_with(e, SLICE("application/")) || ends_in(e, SLICE("xml")) || ends_in(e, SLICE("html")) ||
        is_one_of(e, active))
        return unknown;
    return type;
}
