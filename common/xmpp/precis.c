/* common/xmpp/precis.c */
#include "common/xmpp/precis.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
#include <unictype.h>

enum { PASSES_MAX = 4 }; /* RFC 8264 7: applied again until stable; what is not stable by then is refused */

struct text { /* code points; p on the heap (libunistring's) */
    uint32_t *p;
    size_t n;
};

enum property { PVALID, FREE_PVAL, CONTEXT, DISALLOWED, UNASSIGNED };

static bool between(uint32_t c, uint32_t low, uint32_t high)
{
    return c >= low && c <= high;
}

static bool has_category(uint32_t c, uint32_t mask)
{
    return uc_is_general_category_withtable(c, mask);
}

/* RFC 8264 9.6, from RFC 5892 2.6; false: no exception. */
static bool exception(uint32_t c, enum property *out)
{
    static const uint32_t valid[] = { 0xDF, 0x3C2, 0x6FD, 0x6FE, 0xF0B, 0x3007 };
    static const uint32_t context[] = { 0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB };
    static const uint32_t never[] = { 0x640, 0x7FA, 0x302E, 0x302F, 0x303B };
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        if (valid[i] == c)
            return *out = PVALID, true;
    }
    for (size_t i = 0; i < sizeof context / sizeof *context; i++) {
        if (context[i] == c)
            return *out = CONTEXT, true;
    }
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (never[i] == c)
            return *out = DISALLOWED, true;
    }
    if (between(c, 0x660, 0x669) || between(c, 0x6F0, 0x6F9))
        return *out = CONTEXT, true;
    if (between(c, 0x3031, 0x3035))
        return *out = DISALLOWED, true;
    return false;
}

static bool has_compat(uint32_t c)
{
    uint32_t room[32];
    size_t n = sizeof room / sizeof *room;
    uint32_t *mapped = u32_normalize(UNINORM_NFKC, &c, 1, room, &n);
    bool same = mapped && n == 1 && mapped[0] == c;
    if (mapped != room)
        free(mapped);
    return !same;
}

static bool is_old_hangul_jamo(uint32_t c)
{
    return between(c, 0x1100, 0x11FF) || between(c, 0xA960, 0xA97C) || between(c, 0xD7B0, 0xD7C6) ||
           between(c, 0xD7CB, 0xD7FB);
}

/* RFC 8264 8, in its order. */
static enum property property_of(uint32_t c)
{
    enum property p;
    if (exception(c, &p))
        return p;
    if (has_category(c, UC_CATEGORY_MASK_Cn) && !uc_is_property_not_a_character(c))
        return UNASSIGNED;
    if (between(c, 0x21, 0x7E))
        return PVALID;
    if (uc_is_property_join_control(c))
        return CONTEXT;
    if (is_old_hangul_jamo(c) || uc_is_property_default_ignorable_code_point(c) ||
        uc_is_property_not_a_character(c) || has_category(c, UC_CATEGORY_MASK_Cc))
        return DISALLOWED;
    if (has_compat(c))
        return FREE_PVAL;
    if (has_category(c, UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Lo |
                            UC_CATEGORY_MASK_Nd | UC_CATEGORY_MASK_Lm | UC_CATEGORY_MASK_Mn |
                            UC_CATEGORY_MASK_Mc))
        return PVALID;
    if (has_category(c, UC_CATEGORY_MASK_Lt | UC_CATEGORY_MASK_Nl | UC_CATEGORY_MASK_No |
                            UC_CATEGORY_MASK_Me | UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_S |
                            UC_CATEGORY_MASK_P))
        return FREE_PVAL;
    return DISALLOWED;
}

static bool is_virama_before(const struct text *t, size_t at)
{
    return at > 0 && uc_combining_class(t->p[at - 1]) == UC_CCC_VR;
}

/* RFC 5892 A.1: joins what is before and after it in cursive scripts. */
static bool joins_both_sides(const struct text *t, size_t at)
{
    size_t before = at, after = at + 1;
    while (before > 0 && uc_joining_type(t->p[before - 1]) == UC_JOINING_TYPE_T)
        before--;
    while (after < t->n && uc_joining_type(t->p[after]) == UC_JOINING_TYPE_T)
        after++;
    if (before == 0 || after == t->n)
        return false;
    int left = uc_joining_type(t->p[before - 1]), right = uc_joining_type(t->p[after]);
    return (left == UC_JOINING_TYPE_L || left == UC_JOINING_TYPE_D) &&
           (right == UC_JOINING_TYPE_R || right == UC_JOINING_TYPE_D);
}

static bool is_in_script(uint32_t c, const char *script)
{
    const uc_script_t *s = uc_script(c);
    return s && strcmp(s->name, script) == 0;
}

static bool has_any(const struct text *t, uint32_t low, uint32_t high)
{
    for (size_t i = 0; i < t->n; i++) {
        if (between(t->p[i], low, high))
            return true;
    }
    return false;
}

static bool has_kana_or_han(const struct text *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (is_in_script(t->p[i], "Hiragana") || is_in_script(t->p[i], "Katakana") ||
            is_in_script(t->p[i], "Han"))
            return true;
    }
    return false;
}

/* RFC 5892 appendix A. */
static bool context_allows(const struct text *t, size_t at)
{
    uint32_t c = t->p[at];
    switch (c) {
    case 0x200C:
        return is_virama_before(t, at) || joins_both_sides(t, at);
    case 0x200D:
        return is_virama_before(t, at);
    case 0xB7:
        return at > 0 && at + 1 < t->n && t->p[at - 1] == 'l' && t->p[at + 1] == 'l';
    case 0x375:
        return at + 1 < t->n && is_in_script(t->p[at + 1], "Greek");
    case 0x5F3:
    case 0x5F4:
        return at > 0 && is_in_script(t->p[at - 1], "Hebrew");
    case 0x30FB:
        return has_kana_or_han(t);
    default:
        if (between(c, 0x660, 0x669))
            return !has_any(t, 0x6F0, 0x6F9);
        return between(c, 0x6F0, 0x6F9) && !has_any(t, 0x660, 0x669);
    }
}

/* RFC 8264 4: IdentifierClass, or with `freeform` FreeformClass. */
static enum rc class_check(const struct text *t, bool freeform, struct why *why)
{
    for (size_t i = 0; i < t->n; i++) {
        bool allowed = false;
        switch (property_of(t->p[i])) {
        case PVALID:
            allowed = true;
            break;
        case FREE_PVAL:
            allowed = freeform;
            break;
        case CONTEXT:
            allowed = context_allows(t, i);
            break;
        case DISALLOWED:
        case UNASSIGNED:
            break;
        }
        if (!allowed && !(freeform && t->p[i] == ' ')) {
            why_set(why, "U+%04X is not allowed here", (unsigned)t->p[i]);
            return RC_SYNTAX;
        }
    }
    return RC_OK;
}

/* RFC 5893 2, for a string that has right-to-left characters; `seen` has a bit for each bidi class in it. */
static bool bidi_allows(const struct text *t, uint32_t seen)
{
#define BIT(class) (1u << (class))
    const uint32_t either = BIT(UC_BIDI_EN) | BIT(UC_BIDI_ES) | BIT(UC_BIDI_CS) | BIT(UC_BIDI_ET) |
                            BIT(UC_BIDI_ON) | BIT(UC_BIDI_BN) | BIT(UC_BIDI_NSM);
    const uint32_t rtl = BIT(UC_BIDI_R) | BIT(UC_BIDI_AL);
    size_t last = t->n - 1;
    while (last > 0 && uc_bidi_class(t->p[last]) == UC_BIDI_NSM)
        last--;
    uint32_t first_bit = BIT(uc_bidi_class(t->p[0])), last_bit = BIT(uc_bidi_class(t->p[last]));
    if (first_bit & rtl) {
        bool both = (seen & BIT(UC_BIDI_EN)) && (seen & BIT(UC_BIDI_AN));
        return !both && !(seen & ~(rtl | BIT(UC_BIDI_AN) | either)) &&
               (last_bit & (rtl | BIT(UC_BIDI_EN) | BIT(UC_BIDI_AN)));
    }
    return first_bit == BIT(UC_BIDI_L) && !(seen & ~(BIT(UC_BIDI_L) | either)) &&
           (last_bit & (BIT(UC_BIDI_L) | BIT(UC_BIDI_EN)));
#undef BIT
}

static enum rc bidi_check(const struct text *t, struct why *why)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < t->n; i++)
        seen |= 1u << uc_bidi_class(t->p[i]);
    bool has_rtl = seen & (1u << UC_BIDI_R | 1u << UC_BIDI_AL | 1u << UC_BIDI_AN);
    if (!has_rtl || bidi_allows(t, seen))
        return RC_OK;
    why_set(why, "right-to-left and left-to-right characters mixed");
    return RC_SYNTAX;
}

/* RFC 8264 5.2.1: full-width and half-width characters to what they stand for. */
static void width_map(struct text *t)
{
    for (size_t i = 0; i < t->n; i++) {
        ucs4_t mapped[UC_DECOMPOSITION_MAX_LENGTH];
        int tag;
        int n = uc_decomposition(t->p[i], &tag, mapped);
        if (n == 1 && (tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW))
            t->p[i] = mapped[0];
    }
}

static void spaces_map(struct text *t) /* RFC 8265 4.2.1 */
{
    for (size_t i = 0; i < t->n; i++) {
        if (has_category(t->p[i], UC_CATEGORY_MASK_Zs))
            t->p[i] = ' ';
    }
}

static void replace(struct text *t, uint32_t *p, size_t n)
{
    if (!p)
        abort(); /* out of memory for something small */
    free(t->p);
    *t = (struct text){ p, n };
}

static void normalize(struct text *t)
{
    size_t n = 0;
    uint32_t *p = u32_normalize(UNINORM_NFC, t->p, t->n, NULL, &n);
    replace(t, p, n);
}

static enum rc username_pass(struct text *t, struct why *why)
{
    width_map(t);
    enum rc rc = class_check(t, false, why);
    if (rc != RC_OK)
        return rc;
    size_t n = 0;
    uint32_t *p = u32_tolower(t->p, t->n, NULL, NULL, NULL, &n);
    replace(t, p, n);
    normalize(t);
    return bidi_check(t, why);
}

static enum rc opaque_pass(struct text *t, struct why *why)
{
    spaces_map(t);
    normalize(t);
    return class_check(t, true, why);
}

static enum rc passes(struct text *t, enum precis_profile profile, struct why *why)
{
    for (int i = 0; i < PASSES_MAX; i++) {
        size_t n = t->n;
        uint32_t *before = malloc(n * sizeof *before);
        if (!before)
            abort();
        memcpy(before, t->p, n * sizeof *before);
        enum rc rc = profile == PRECIS_OPAQUE_STRING ? opaque_pass(t, why) : username_pass(t, why);
        bool same = n == t->n && memcmp(before, t->p, n * sizeof *before) == 0;
        free(before);
        if (rc != RC_OK || same)
            return rc;
    }
    why_set(why, "a string without a stable form");
    return RC_SYNTAX;
}

enum rc precis_enforce(struct arena *a, enum precis_profile profile, struct slice in, struct slice *out,
                       struct why *why)
{
    if (in.len == 0 || !slice_utf8_ok(in)) {
        why_set(why, in.len ? "not UTF-8" : "empty");
        return RC_SYNTAX;
    }
    struct text t = { NULL, 0 };
    t.p = u8_to_u32((const uint8_t *)in.p, in.len, NULL, &t.n);
    if (!t.p)
        abort();
    enum rc rc = passes(&t, profile, why);
    if (rc == RC_OK) {
        size_t len = 0;
        uint8_t *utf8 = u32_to_u8(t.p, t.n, NULL, &len);
        if (!utf8)
            abort();
        *out = arena_copy(a, slice_of((const char *)utf8, len));
        free(utf8);
    }
    free(t.p);
    return rc;
}
