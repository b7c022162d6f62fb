/* s2s/limits.c */
#include "s2s/limits.h"

#include "common/base/map.h"
#include "common/base/mem.h"

enum { MINUTE_MS = 60000, FORGET_MS = 2 * MINUTE_MS };

const char *const limit_options[LIMIT_RULES] = { "stanzas_per_minute",        "bytes_per_minute",
                                                 "stanzas_per_connection",    "bytes_per_connection",
                                                 "domain_stanzas_per_minute", "domain_bytes_per_minute" };
static const char *const names[] = { "none", "pause", "drop", "disconnect" };

const char *limit_action_name(enum limit_action a)
{
    return names[a];
}

/* 25000, 25k, 200m, 1g. */
MUST_USE static enum rc read_number(struct slice text, uint64_t *out)
{
    static const struct {
        char unit;
        uint64_t times;
    } units[] = { { 'k', 1000 }, { 'm', 1000000 }, { 'g', 1000000000 } };
    uint64_t times = 1;
    for (size_t i = 0; text.len && i < sizeof units / sizeof *units; i++) {
        if (text.p[text.len - 1] == units[i].unit)
            times = units[i].times;
    }
    if (times > 1)
        text.len--;
    enum rc rc = slice_u64(text, UINT64_MAX / 1000000000 / 1000, out);
    if (rc == RC_OK)
        *out *= times;
    return rc;
}

enum rc limit_rule_parse(struct slice text, struct limit_rule *out, struct why *why)
{
    struct slice number, rest = slice_trim(text);
    struct limit_rule rule = { 0, LIMIT_NONE };
    bool ok = !slice_split(&rest, ' ', &number) || read_number(number, &rule.most) == RC_OK;
    rest = slice_trim(rest);
    for (unsigned a = LIMIT_PAUSE; ok && a <= LIMIT_DISCONNECT; a++) {
        if (slice_is(rest, names[a]))
            rule.action = (enum limit_action)a;
    }
    if (!ok || (rule.most && rule.action == LIMIT_NONE) ||
        (!rule.most && rest.len && rule.action == LIMIT_NONE)) {
        why_set(why, "a number and pause, drop or disconnect; or 0");
        return RC_SYNTAX;
    }
    *out = rule;
    return RC_OK;
}

static void judge(struct limit_verdict *v, const struct limit_rule *rules, enum limit_kind kind, uint64_t n)
{
    if (rules[kind].most && n > rules[kind].most && rules[kind].action > v->action) {
        v->action = rules[kind].action;
        v->kind = kind;
    }
}

struct limit_verdict limit_take(struct limit_use *use, const struct limit_rule rules[LIMIT_RULES],
                                enum limit_of of, uint64_t now_ms, uint32_t stanzas, uint64_t bytes)
{
    struct limit_verdict v = { LIMIT_NONE, LIMIT_RULES, 0 };
    if (now_ms >= use->window_ms + MINUTE_MS || !use->all_bytes) {
        use->window_ms = now_ms;
        use->stanzas = use->bytes = 0;
    }
    use->stanzas += stanzas;
    use->bytes += bytes;
    use->all_stanzas += stanzas;
    use->all_bytes += bytes;
    if (of == LIMIT_OF_DOMAIN) {
        judge(&v, rules, LIMIT_DOMAIN_STANZAS_MINUTE, use->stanzas);
        judge(&v, rules, LIMIT_DOMAIN_BYTES_MINUTE, use->bytes);
    } else {
        judge(&v, rules, LIMIT_STANZAS_MINUTE, use->stanzas);
        judge(&v, rules, LIMIT_BYTES_MINUTE, use->bytes);
        judge(&v, rules, LIMIT_STANZAS_LIFE, use->all_stanzas);
        judge(&v, rules, LIMIT_BYTES_LIFE, use->all_bytes);
    }
    if (v.action == LIMIT_PAUSE)
        v.wait_ms = (uint32_t)(use->window_ms + MINUTE_MS - now_ms);
    return v;
}

/* --- domains --- */

struct remote {
    char *domain;
    uint64_t seen_ms;
    struct limit_use use;
};

static struct slice domain_of(const void *value)
{
    return slice_cstr(((const struct remote *)value)->domain);
}

static void remote_free(struct remote *r)
{
    mem_free(r->domain);
    mem_free(r);
}

struct map *remotes_new(void)
{
    return map_new(domain_of);
}

struct limit_use *remotes_use(struct map *m, struct slice domain, uint64_t now_ms)
{
    struct remote *r = map_get(m, domain);
    if (!r) {
        r = mem_new(sizeof *r);
        r->domain = mem_copy(domain);
        map_put(m, r);
    }
    r->seen_ms = now_ms;
    return &r->use;
}

static bool stays(void *value, void *ctx)
{
    struct remote *r = value;
    const uint64_t *now_ms = ctx;
    if (r->seen_ms + FORGET_MS > *now_ms)
        return true;
    remote_free(r);
    return false;
}

void remotes_sweep(struct map *m, uint64_t now_ms)
{
    map_each(m, stays, &now_ms);
}

void remotes_free(struct map **m)
{
    uint64_t never = UINT64_MAX;
    if (*m)
        map_each(*m, stays, &never);
    map_free(m);
}
