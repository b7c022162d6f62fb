#include "common/xmpp/amp.h"

#include "common/xmpp/delay.h"

static const char *const conditions[] = { "deliver", "expire-at", "match-resource", NULL };
static const char *const actions[] = { "alert", "drop", "error", "notify", NULL };
static const char *const deliver_values[] = { "direct", "forward", "gateway", "none", "stored", NULL };
static const char *const match_values[] = { "any", "exact", "other", NULL };

/* Index of text among the words, or -1. */
static int word_of(const char *const *words, struct slice text)
{
    for (int i = 0; words[i]; i++)
        if (slice_is(text, words[i]))
            return i;
    return -1;
}

/* XEP-0079 3.3.2: a DateTime of XEP-0082, in UTC. */
static bool utc_read(struct slice text, int64_t *out)
{
    if (!text.len || text.p[text.len - 1] != 'Z')
        return false;
    enum rc rc = time_read(text, out);
    return rc == RC_OK || rc == RC_LIMIT; /* long ago, or in the year 0: it has come */
}

static enum amp_fault rule_read(struct amp_rule *r)
{
    struct slice value = node_attr(r->node, "value");
    int action = word_of(actions, node_attr(r->node, "action"));
    int condition = word_of(conditions, node_attr(r->node, "condition"));
    if (action < 0)
        return AMP_UNSUPPORTED_ACTIONS;
    if (condition < 0)
        return AMP_UNSUPPORTED_CONDITIONS;
    r->action = (enum amp_action)action;
    r->condition = (enum amp_condition)condition;
    if (r->condition == AMP_EXPIRE_AT)
        return utc_read(value, &r->at_ms) ? AMP_FINE : AMP_INVALID_RULES;
    r->value = word_of(r->condition == AMP_DELIVER ? deliver_values : match_values, value);
    return r->value >= 0 ? AMP_FINE : AMP_INVALID_RULES;
}

/* XEP-0079 6.2: all three attributes, none of them empty. */
static bool is_rule(const struct node *n)
{
    return node_is(n, "rule", NS_AMP) && node_attr(n, "condition").len && node_attr(n, "action").len &&
           node_attr(n, "value").len;
}

/* XEP-0079 2.1, 6.1: one <amp/> of rules and nothing else, and a message with an id. */
static bool is_well_formed(const struct stanza *message, struct amp *out)
{
    struct slice per_hop = node_attr(out->node, "per-hop");
    out->per_hop = slice_is(per_hop, "true");
    if (!message->id.len || node_find_next(out->node, "amp", NS_AMP))
        return false;
    if (node_has(out->node, "per-hop") && !out->per_hop && !slice_is(per_hop, "false"))
        return false;
    for (const struct node *n = node_child(out->node); n; n = node_sibling(n), out->n++)
        if (!is_rule(n))
            return false;
    return out->n > 0;
}

/* All are judged before the answer (XEP-0079 2.2.1), which names those with the first kind of fault. */
static enum amp_fault rules_read(struct arena *a, struct amp *out)
{
    enum amp_fault first = AMP_FINE;
    struct amp_rule *rules = ARENA_ARRAY(a, out->n, struct amp_rule);
    size_t i = 0, n = 0;
    out->rules = rules;
    for (struct node *at = node_child(out->node); at; at = node_sibling(at), i++) {
        struct amp_rule r = { .node = at };
        enum amp_fault fault = rule_read(&r);
        if (fault != AMP_FINE && (first == AMP_FINE || fault < first)) {
            first = fault;
            n = 0; /* what was found before is no answer */
        }
        if (fault == first)
            rules[n++] = r;
    }
    out->n = n;
    return first;
}

enum amp_fault amp_read(struct arena *a, const struct stanza *message, size_t max, struct amp *out)
{
    *out = (struct amp){ .node = node_find(message->node, "amp", NS_AMP) };
    if (!out->node || message->type == MESSAGE_ERROR || node_has(out->node, "status"))
        return AMP_ABSENT;
    if (!is_well_formed(message, out))
        return AMP_MALFORMED;
    return out->n > max ? AMP_TOO_MANY : rules_read(a, out);
}

static bool deliver_met(const struct amp_rule *r, const struct amp_outlook *o)
{
    return r->value == (int)o->deliver;
}

/* XEP-0079 3.3.3. Where no resource is meant, exact is what goes to none in particular: what is stored. */
static bool match_met(const struct amp_rule *r, const struct amp_outlook *o)
{
    if (!o->edge || o->deliver == AMP_NONE)
        return false;
    switch ((enum amp_match)r->value) {
    case AMP_ANY:
        return o->deliver == AMP_DIRECT;
    case AMP_EXACT:
        return o->to_resource ? o->exact : o->deliver == AMP_STORED;
    case AMP_OTHER:
        break;
    }
    return o->to_resource ? !o->exact : o->deliver != AMP_STORED;
}

const struct amp_rule *amp_met(const struct amp *amp, const struct amp_outlook *o, int64_t now_ms)
{
    for (size_t i = 0; i < amp->n; i++) {
        const struct amp_rule *r = &amp->rules[i];
        if (r->condition == AMP_DELIVER         ? deliver_met(r, o)
            : r->condition == AMP_EXPIRE_AT     ? o->deliver != AMP_NONE && now_ms >= r->at_ms
            : amp->per_hop /* 3.3.3: ignored */ ? false
                                                : match_met(r, o))
            return r;
    }
    return NULL;
}

const struct amp_rule *amp_expired(const struct amp *amp, int64_t now_ms)
{
    for (size_t i = 0; i < amp->n; i++)
        if (amp->rules[i].condition == AMP_EXPIRE_AT && now_ms >= amp->rules[i].at_ms)
            return &amp->rules[i];
    return NULL;
}

bool amp_tells(const struct amp_rule *rule)
{
    return rule->action != AMP_DROP;
}

/* --- answers --- */

void amp_stamp(struct arena *a, struct node *amp, const struct stanza *message)
{
    node_unset(amp, "status");
    node_set(a, amp, "from", message->from.full);
    node_set(a, amp, "to", message->to.full);
}

static void put_rule(struct arena *a, struct node *parent, const struct node *rule)
{
    struct node *r = node_add(a, parent, "rule", NS_AMP);
    static const char *const names[] = { "action", "condition", "value" };
    for (size_t i = 0; i < 3; i++)
        node_set(a, r, names[i], node_attr(rule, names[i]));
}

/* XEP-0079 3.4.3: the rules that did it. */
static struct node *error_event(struct arena *a, const struct stanza *message, const struct amp_rule *rule)
{
    struct node *n = stanza_error(a, message, COND_UNDEFINED_CONDITION, NULL);
    struct node *e = node_find(n, "error", NULL);
    if (!e)
        return n;
    node_set(a, e, "type", SLICE("modify"));
    struct node *failed = node_add(a, e, "failed-rules", NS_AMP_ERRORS);
    put_rule(a, failed, rule->node);
    node_child(failed)->ns = SLICE(NS_AMP_ERRORS);
    return n;
}

struct node *amp_event(struct arena *a, const struct stanza *message, const struct amp_rule *rule,
                       struct slice from)
{
    struct node *n;
    if (rule->action == AMP_DROP)
        return NULL;
    if (rule->action == AMP_ERROR) {
        n = error_event(a, message, rule);
        if (!n)
            return NULL;
    } else {
        n = node_new(a, "message", NS_CLIENT);
        node_set(a, n, "to", message->from.full);
        node_set(a, n, "id", message->id);
    }
    node_set(a, n, "from", from);
    struct node *amp = node_new(a, "amp", NS_AMP);
    node_set(a, amp, "from", message->from.full);
    node_set(a, amp, "to", message->to.full);
    node_set(a, amp, "status", slice_cstr(actions[rule->action]));
    put_rule(a, amp, rule->node);
    node_append(n, amp);
    return n;
}

struct node *amp_refusal(struct arena *a, const struct stanza *message, enum amp_fault fault,
                         const struct amp *amp, struct slice from)
{
    static const struct {
        enum stanza_cond cond;
        const char *text, *element;
    } answers[] = {
        [AMP_MALFORMED] = { COND_BAD_REQUEST, "rules that make no sense, or a message without an id", NULL },
        [AMP_TOO_MANY] = { COND_POLICY_VIOLATION, "too many rules", NULL },
        [AMP_UNSUPPORTED_ACTIONS] = { COND_BAD_REQUEST, NULL, "unsupported-actions" },
        [AMP_UNSUPPORTED_CONDITIONS] = { COND_BAD_REQUEST, NULL, "unsupported-conditions" },
        [AMP_INVALID_RULES] = { COND_NOT_ACCEPTABLE, NULL, "invalid-rules" },
    };
    struct node *n = stanza_error(a, message, answers[fault].cond, answers[fault].text);
    struct node *e = node_find(n, "error", NULL);
    if (!e)
        return n;
    node_set(a, n, "from", from);
    if (!answers[fault].element)
        return n;
    struct node *which = node_add(a, e, answers[fault].element, NS_AMP);
    for (size_t i = 0; i < amp->n; i++)
        put_rule(a, which, amp->rules[i].node);
    return n;
}
